//! Floods: times at which alarms come faster than people can meet them.
//!
//! After ISA-18.2-2016 / IEC 62682 and EEMUA 191: a flood begins when more than ten alarms have come within ten minutes, and ends when fewer than five
//! have. Both figures are those of one operator at a console; a nursery's staff, who look after children meanwhile, meet fewer.
pub const WINDOW_MS: i64 = 10 * 60_000;
/// More than so many within the window begin one.
pub const BEGINS: usize = 10;
/// Fewer than so many end it.
pub const ENDS: usize = 5;

/// Times are UTC milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flood {
    /// Of the first alarm in the window that was too many.
    pub from: i64,
    pub to: i64,
    pub alarms: u64,
    /// Most alarms within ten minutes.
    pub peak: u64,
}

/// All floods among alarms at those times (ascending), `end` being the end of the period; and the most alarms within any ten minutes.
pub fn floods(times: &[i64], end: i64) -> (Vec<Flood>, u64) {
    let (mut found, mut running, mut most): (Vec<Flood>, Option<(usize, u64)>, u64) = (Vec::new(), None, 0);
    let mut first = 0;
    let close = |(start, peak): (usize, u64), next: usize| -> Option<Flood> {
        // It lasts until the fifth newest leaves the window.
        let fifth = times.get(next.saturating_sub(ENDS))?;
        let to = fifth.saturating_add(WINDOW_MS).min(end);
        Some(Flood { from: *times.get(start)?, to, alarms: (next - start) as u64, peak })
    };
    for (n, at) in times.iter().enumerate() {
        if let Some(flood) = running {
            let over = n.checked_sub(ENDS).and_then(|i| times.get(i)).is_none_or(|t| *at > t.saturating_add(WINDOW_MS));
            if over {
                found.extend(close(flood, n));
                running = None;
            }
        }
        while times.get(first).is_some_and(|t| at.saturating_sub(*t) >= WINDOW_MS) {
            first += 1;
        }
        let within = n + 1 - first;
        most = most.max(within as u64);
        running = match running {
            Some((start, peak)) => Some((start, peak.max(within as u64))),
            None if within > BEGINS => Some((first, within as u64)),
            None => None,
        };
    }
    found.extend(running.and_then(|flood| close(flood, times.len())));
    (found, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    fn of(times: &[i64]) -> Vec<Flood> {
        floods(times, i64::MAX).0
    }

    #[test]
    fn ten_in_ten_minutes_are_none_and_eleven_are_one() {
        let ten: Vec<i64> = (0..10).map(|n| n * MINUTE).collect();
        assert_eq!(floods(&ten, i64::MAX), (Vec::new(), 10));
        // The eleventh comes when the first has just left the window; and a moment earlier.
        let apart: Vec<i64> = ten.iter().copied().chain([WINDOW_MS]).collect();
        assert_eq!(of(&apart), []);
        let eleven: Vec<i64> = ten.iter().copied().chain([WINDOW_MS - 1]).collect();
        // The fifth newest is that of the sixth minute.
        assert_eq!(of(&eleven), [Flood { from: 0, to: 6 * MINUTE + WINDOW_MS, alarms: 11, peak: 11 }]);
        assert_eq!(floods(&eleven, 12 * MINUTE).0[0].to, 12 * MINUTE, "not beyond the period");
    }

    #[test]
    fn it_goes_on_while_five_are_within_ten_minutes() {
        let burst = || (0..11).map(|n| n * 1000);
        // The fifth newest is of second 6: at 10 min 6 s the next one keeps it going.
        let on: Vec<i64> = burst().chain([WINDOW_MS + 6000]).collect();
        assert_eq!(of(&on).len(), 1);
        assert_eq!(of(&on)[0].alarms, 12);
        let over: Vec<i64> = burst().chain([WINDOW_MS + 6001]).collect();
        assert_eq!(of(&over), [Flood { from: 0, to: WINDOW_MS + 6000, alarms: 11, peak: 11 }]);
        let twice: Vec<i64> = burst().chain(burst().map(|t| t + 60 * MINUTE)).collect();
        assert_eq!(of(&twice).iter().map(|f| (f.from, f.alarms)).collect::<Vec<_>>(), [(0, 11), (60 * MINUTE, 11)]);
        assert_eq!(floods(&[], 0), (Vec::new(), 0));
    }
}
