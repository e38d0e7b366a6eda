//! When nodes without a clock have sampled: from how old their word says it is, in the order of their own uptime.
//!
//! What must hold: of one start of a node a later sample is never older than an earlier one, however long its message or ours has waited on the way (a stalled gateway
//! receives late what says that it is new); and a message that comes again has the time that it had.
use std::collections::BTreeMap;
use tuoan_protocol::DeviceId;

/// Devices kept at most; one beyond them counts as told at once, as a device that gives no age.
const MOST: usize = 8_192;

/// The newest sample of a start.
#[derive(Debug, Clone, Copy)]
struct Newest {
    boot: u64,
    uptime: u64,
    sampled: i64,
}

#[derive(Debug, Default)]
pub(super) struct Unclocked(BTreeMap<DeviceId, Newest>);

impl Unclocked {
    /// UTC milliseconds of a sample that was taken `uptime` ms after the node's start `boot` and was `age` ms old when it was sent.
    pub(super) fn sampled(&mut self, device: &DeviceId, boot: u64, uptime: u64, age: u64, received: i64) -> Option<i64> {
        let told = received.saturating_sub_unsigned(age);
        let newest = self.0.get(device).copied().filter(|n| n.boot == boot);
        if newest.is_none() && self.0.len() >= MOST && !self.0.contains_key(device) {
            return None;
        }
        let sampled = match newest {
            // The distance of two samples of one start is certain, when either was taken is not.
            Some(n) if uptime <= n.uptime => return Some(n.sampled.saturating_sub_unsigned(n.uptime - uptime)),
            Some(n) => told.max(n.sampled.saturating_add(1)),
            None => told,
        };
        self.0.insert(device.clone(), Newest { boot, uptime, sampled });
        Some(sampled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: i64 = 1_790_000_000_000;

    fn of(samples: &[(u64, u64, i64)]) -> Vec<i64> {
        let (mut all, device) = (Unclocked::default(), DeviceId::new("th-1").unwrap());
        samples.iter().map(|(uptime, age, received)| all.sampled(&device, 7, *uptime, *age, R + received).unwrap() - R).collect()
    }

    #[test]
    fn what_waited_is_as_old_as_it_says() {
        assert_eq!(of(&[(60_000, 1_200_000, 0)]), [-1_200_000]);
        let device = DeviceId::new("th-1").unwrap();
        assert_eq!(Unclocked::default().sampled(&device, 7, 0, u64::MAX, R), Some(i64::MIN), "older than anything, and no overflow");
    }

    #[test]
    fn a_stalled_gateway_does_not_make_the_alarm_older_than_what_was_before_it() {
        // The first lay unread for half a minute; the second, five seconds younger, was sent again meanwhile and says so.
        assert_eq!(of(&[(60_000, 0, 30_000), (65_000, 25_000, 30_000)]), [30_000, 30_001]);
    }

    #[test]
    fn what_comes_again_has_the_time_that_it_had() {
        assert_eq!(of(&[(60_000, 0, 0), (60_000, 9_990, 10_003)]), [0, 0]);
        // An alarm overtakes a reading; both come again.
        assert_eq!(of(&[(100_000, 5_000, 0), (50_000, 55_000, 2), (50_000, 65_000, 10_020)]), [-5_000, -55_000, -55_000]);
    }

    #[test]
    fn another_start_counts_anew_and_strangers_cost_no_memory() {
        let (mut all, device) = (Unclocked::default(), DeviceId::new("th-1").unwrap());
        assert_eq!(all.sampled(&device, 1, 9_000_000, 0, R), Some(R));
        assert_eq!(all.sampled(&device, 2, 1_000, 500, R + 60_000), Some(R + 59_500));
        for i in 0..MOST {
            all.sampled(&DeviceId::new(&format!("d-{i}")).unwrap(), 1, 1, 1, R);
        }
        assert_eq!(all.0.len(), MOST);
        assert_eq!(all.sampled(&DeviceId::new("one-more").unwrap(), 1, 1, 1, R), None);
        assert_eq!(all.sampled(&device, 2, 2_000, 0, R + 61_000), Some(R + 61_000), "who is known stays known");
    }
}
