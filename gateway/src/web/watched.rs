//! Where a zone was not watched in a stretch of time, by the coverage ledger: its closed days, and the day that is open.
use crate::engine::LedgerDay;
use crate::engine::view::CoverageView;
use tuoan_dashboards::view::gateway::Watch;
use tuoan_protocol::ZoneId;
use tuoan_protocol::ledger::{Day, Run, Sight};

const MINUTE: i64 = 60_000;
const DAY: i64 = 1440 * MINUTE;
/// Stretches at most; of more, the first ones.
const MOST: usize = 64;

/// Days since 1970-01-01 by the site's clock.
pub fn date(at: i64, utc_offset_minutes: i32) -> i64 {
    at.saturating_add(i64::from(utc_offset_minutes) * MINUTE).div_euclid(DAY)
}

/// What was blind or watched in part from `from` to `to` (UTC milliseconds), in order of time. `days`: the closed ones of these dates, ascending.
pub fn stretches(zone: &ZoneId, (from, to): (i64, i64), days: &[LedgerDay], open: &CoverageView, utc_offset_minutes: i32) -> Vec<Watch> {
    let mut out = Vec::new();
    for day in days.iter().filter_map(|d| Day::from_canonical(&d.bytes).ok()) {
        if let Some(z) = day.zones.iter().find(|z| z.zone == *zone) {
            add(&mut out, midnight(day.date, day.utc_offset_minutes), &z.run);
        }
    }
    if let (Some(date), Some(z)) = (open.date, open.zones.iter().find(|z| z.zone == *zone)) {
        add(&mut out, midnight(date, utc_offset_minutes), &z.run);
    }
    out.retain_mut(|w| {
        (w.from, w.to) = (w.from.max(from), w.to.min(to));
        w.from < w.to
    });
    out.truncate(MOST);
    out
}

fn midnight(date: i64, utc_offset_minutes: i32) -> i64 {
    date.saturating_mul(DAY).saturating_sub(i64::from(utc_offset_minutes) * MINUTE)
}

fn add(out: &mut Vec<Watch>, mut at: i64, run: &Run) {
    for s in run.stretches() {
        let end = at.saturating_add(i64::from(s.minutes) * MINUTE);
        if matches!(s.sight, Sight::Degraded(_) | Sight::Blind(_)) {
            match out.last_mut() {
                // Over midnight it is one.
                Some(last) if last.to == at && last.sight == s.sight => last.to = end,
                _ => out.push(Watch { from: at, to: end, sight: s.sight }),
            }
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::view::ZoneCoverageView;
    use tuoan_protocol::ledger::{Cause, Need, ZoneDay};

    #[test]
    fn closed_days_and_the_open_one_are_one_stretch_of_time() {
        let zone: ZoneId = "nap-1".parse().unwrap();
        let blind = Sight::blind(Cause::CameraCovered, Some(Need::Camera));
        let part = Sight::degraded(Cause::Silent, Some(Need::Co2));
        let run = |parts: &[(u16, Sight)]| {
            let mut run = Run::default();
            parts.iter().for_each(|(minutes, sight)| run.push(*minutes, *sight));
            run
        };
        let day = Day {
            site: "xingyuan".parse().unwrap(),
            log: "01JD0000000000000000000000".parse().unwrap(),
            number: 1,
            date: 20_000,
            utc_offset_minutes: 480,
            closed_at: 0,
            clock_trusted: true,
            zones: vec![ZoneDay { zone: zone.clone(), run: run(&[(60, part), (1370, Sight::Watched), (10, blind)]) }],
        };
        let days = [LedgerDay { number: 1, date: 20_000, bytes: day.canonical_bytes() }];
        let seen = ZoneCoverageView { zone: zone.clone(), run: run(&[(5, blind), (30, Sight::Watched), (1, part)]), now: Sight::Watched };
        let open = CoverageView { date: Some(20_001), minutes: 36, zones: vec![seen] };
        let at = |minute: i64| 20_000 * DAY + (minute - 480) * MINUTE;
        let all = stretches(&zone, (at(30), at(3000)), &days, &open, 480);
        let told: Vec<_> = all.iter().map(|w| ((w.from - at(0)) / MINUTE, (w.to - at(0)) / MINUTE, w.sight)).collect();
        assert_eq!(told, [(30, 60, part), (1430, 1445, blind), (1475, 1476, part)]);
        assert!(stretches(&"yard".parse().unwrap(), (at(0), at(3000)), &days, &open, 480).is_empty());
        assert!(stretches(&zone, (at(100), at(1400)), &days, &open, 480).is_empty());
        assert_eq!((date(at(0), 480), date(at(0) - 1, 480)), (20_000, 19_999));
    }
}
