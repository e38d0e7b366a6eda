//! The last minute of each camera, in memory: what is sealed as evidence when something happens.
//!
//! What must hold: the pictures never take more than the ring's room, and are gone a little over a minute after they came unless an incident has had
//! them sealed. When they do not fit, every camera's minute gets thinner, none gets shorter.
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tuoan_protocol::DeviceId;

/// How far back evidence reaches.
pub const BEFORE_MS: i64 = 60_000;
/// Kept a little longer, so that whoever seals may come late.
const KEPT_MS: u64 = 75_000;

/// A camera's picture as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// UTC, milliseconds.
    pub received_at_ms: i64,
    pub jpeg: Bytes,
}

#[derive(Default)]
struct Minutes {
    cameras: BTreeMap<DeviceId, VecDeque<Original>>,
    bytes: usize,
    /// Dropped for want of room.
    thinned: u64,
}

/// Cheap to clone; all clones are the same ring.
#[derive(Clone)]
pub struct Ring {
    minutes: Arc<Mutex<Minutes>>,
    room: usize,
}

impl Ring {
    /// A ring of `room` bytes for all cameras together.
    pub fn new(room: usize) -> Ring {
        Ring { minutes: Arc::default(), room }
    }

    /// The newest picture of a camera. One that is larger than the whole ring is not kept.
    pub fn put(&self, camera: &DeviceId, original: Original) {
        let mut m = self.lock();
        if original.jpeg.len() > self.room {
            m.thinned = m.thinned.saturating_add(1);
            return;
        }
        m.expire(camera, original.received_at_ms);
        m.bytes = m.bytes.saturating_add(original.jpeg.len());
        m.cameras.entry(camera.clone()).or_default().push_back(original);
        while m.bytes > self.room && m.thin() {}
    }

    /// Pictures of a camera that came after `after` and not after `to`, oldest first.
    pub fn between(&self, camera: &DeviceId, after: i64, to: i64) -> Vec<Original> {
        let m = self.lock();
        let of = m.cameras.get(camera).into_iter().flatten();
        of.filter(|o| o.received_at_ms > after && o.received_at_ms <= to).cloned().collect()
    }

    /// Lets go of what is too old, also of cameras that have fallen silent.
    pub fn expire(&self, now_ms: i64) {
        let mut m = self.lock();
        let cameras: Vec<DeviceId> = m.cameras.keys().cloned().collect();
        cameras.iter().for_each(|c| m.expire(c, now_ms));
        m.cameras.retain(|_, minute| !minute.is_empty());
    }

    /// Bytes held, and pictures dropped for want of room since the start.
    pub fn held(&self) -> (usize, u64) {
        let m = self.lock();
        (m.bytes, m.thinned)
    }
    /// Bytes that it may hold.
    pub fn room(&self) -> usize {
        self.room
    }

    fn lock(&self) -> MutexGuard<'_, Minutes> {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minutes {
    /// A clock that is set must not keep pictures for ever: those of its future go with those of its past.
    fn expire(&mut self, camera: &DeviceId, now_ms: i64) {
        let Some(minute) = self.cameras.get_mut(camera) else { return };
        let before: usize = minute.iter().map(|o| o.jpeg.len()).sum();
        minute.retain(|o| o.received_at_ms.abs_diff(now_ms) <= KEPT_MS);
        let after: usize = minute.iter().map(|o| o.jpeg.len()).sum();
        self.bytes = self.bytes.saturating_sub(before - after);
    }

    /// Drops one picture of the camera that takes most: the one whose absence leaves the smallest gap, never its newest.
    fn thin(&mut self) -> bool {
        let size = |minute: &VecDeque<Original>| minute.iter().map(|o| o.jpeg.len()).sum::<usize>();
        let Some(minute) = self.cameras.values_mut().max_by_key(|m| size(m)) else { return false };
        let time = |n: usize| minute.get(n).map(|o| o.received_at_ms);
        let gap = |n: usize| time(n + 1).zip(time(n - 1)).map_or(i64::MAX, |(next, last)| next.saturating_sub(last));
        let chosen = (1..minute.len().saturating_sub(1)).min_by_key(|n| gap(*n)).unwrap_or(0);
        let Some(dropped) = minute.remove(chosen) else { return false };
        self.bytes = self.bytes.saturating_sub(dropped.jpeg.len());
        self.thinned = self.thinned.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(n: u8) -> DeviceId {
        DeviceId::new(&format!("cam-{n}")).unwrap()
    }
    fn original(at: i64, bytes: usize) -> Original {
        Original { received_at_ms: at, jpeg: vec![1; bytes].into() }
    }
    fn times(ring: &Ring, n: u8) -> Vec<i64> {
        ring.between(&camera(n), i64::MIN, i64::MAX).iter().map(|o| o.received_at_ms).collect()
    }

    #[test]
    fn a_minute_is_kept_and_no_more() {
        let ring = Ring::new(1 << 20);
        (0..200).for_each(|n| ring.put(&camera(1), original(n * 1000, 10)));
        assert_eq!(times(&ring, 1), (124..200).map(|n| n * 1000).collect::<Vec<_>>());
        assert_eq!(ring.held(), (760, 0));
        assert_eq!(ring.between(&camera(1), 130_000, 132_000).len(), 2, "after the one, up to the other");
        ring.expire(300_000);
        assert_eq!(ring.held(), (0, 0), "a camera that has fallen silent leaves nothing");
    }

    #[test]
    fn for_want_of_room_every_minute_gets_thinner_and_none_shorter() {
        let ring = Ring::new(4000);
        for n in 0..60 {
            for c in 1..=4 {
                ring.put(&camera(c), original(n * 1000, 100));
            }
        }
        let (bytes, thinned) = ring.held();
        assert!(bytes <= 4000 && thinned == 200, "{bytes} {thinned}");
        for c in 1..=4 {
            let times = times(&ring, c);
            assert!((9..=11).contains(&times.len()), "{times:?}");
            assert_eq!((times.first(), times.last()), (Some(&0), Some(&59_000)), "{times:?}");
            let widest = times.windows(2).map(|w| w[1] - w[0]).max().unwrap();
            assert!(widest <= 13_000, "even: {times:?}");
        }
    }

    #[test]
    fn one_camera_that_sends_much_does_not_thin_the_others() {
        let ring = Ring::new(10_000);
        (0..40).for_each(|n| ring.put(&camera(1), original(n * 1000, 100)));
        (0..400).for_each(|n| ring.put(&camera(2), original(n * 100, 100)));
        assert_eq!(times(&ring, 1).len(), 40);
        assert_eq!(times(&ring, 2).len(), 60);
        ring.put(&camera(1), original(41_000, 20_000));
        assert_eq!(times(&ring, 1).len(), 40, "larger than the ring");
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nothing_of_its_future() {
        let ring = Ring::new(1 << 20);
        ring.put(&camera(1), original(1_000_000, 10));
        ring.put(&camera(1), original(10_000, 10));
        assert_eq!(times(&ring, 1), [10_000]);
    }
}
