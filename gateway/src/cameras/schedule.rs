//! Whose frame is looked at next: each camera in turn, and of each camera its newest frame.
//!
//! What must hold: one frame of a camera waits at most, so memory does not grow with the load; the camera that has waited longest is next, so too
//! much work lowers every camera's rate to the same, and none starves; one frame of a camera is looked at at a time, so that its scene goes forward.
use std::collections::VecDeque;

/// Cameras by their index, each with at most one frame `T` that waits.
#[derive(Debug)]
pub struct Schedule<T> {
    seats: Vec<Seat<T>>,
    /// Those with a waiting frame, the longest waiting first.
    queue: VecDeque<usize>,
}

#[derive(Debug)]
struct Seat<T> {
    waiting: Option<T>,
    looking: bool,
}

impl<T> Schedule<T> {
    pub fn new(cameras: usize) -> Schedule<T> {
        let seats = (0..cameras).map(|_| Seat { waiting: None, looking: false }).collect();
        Schedule { seats, queue: VecDeque::with_capacity(cameras) }
    }

    /// A frame to be looked at. The one that it replaces is given back; its place in the queue is kept.
    pub fn offer(&mut self, camera: usize, frame: T) -> Option<T> {
        let Some(seat) = self.seats.get_mut(camera) else { return Some(frame) };
        let replaced = seat.waiting.replace(frame);
        if replaced.is_none() {
            self.queue.push_back(camera);
        }
        replaced
    }

    /// The next frame, which is being looked at from now on until [`Schedule::done`].
    pub fn begin(&mut self) -> Option<(usize, T)> {
        let at = self.queue.iter().position(|c| self.seats.get(*c).is_some_and(|s| !s.looking))?;
        let camera = self.queue.remove(at)?;
        let seat = self.seats.get_mut(camera)?;
        let frame = seat.waiting.take()?;
        seat.looking = true;
        Some((camera, frame))
    }

    /// The look at that camera's frame is over, whatever came of it.
    pub fn done(&mut self, camera: usize) {
        if let Some(seat) = self.seats.get_mut(camera) {
            seat.looking = false;
        }
    }

    /// Nothing of that camera waits or is being looked at.
    pub fn is_idle(&self, camera: usize) -> bool {
        self.seats.get(camera).is_none_or(|s| s.waiting.is_none() && !s.looking)
    }

    /// Frames that wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }
}

/// Whether the models keep up, over the last half minute.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Five seconds each, the oldest first: frames that should be looked at, and looks.
    slices: VecDeque<(i64, u32, u32)>,
    newest_ms: i64,
    overloaded: bool,
}

const SLICE_MS: i64 = 5_000;
const SLICES: usize = 6;
/// Fewer frames than this say nothing.
const ENOUGH: u32 = 10;

impl Load {
    /// So many frames were let through, and so many looks came to their end, since the last call.
    pub fn add(&mut self, at_ms: i64, wanted: u32, looked: u32) {
        let slice = at_ms.div_euclid(SLICE_MS);
        self.newest_ms = at_ms;
        match self.slices.back_mut() {
            Some((of, w, l)) if *of == slice => (*w, *l) = (w.saturating_add(wanted), l.saturating_add(looked)),
            _ => self.slices.push_back((slice, wanted, looked)),
        }
        while self.slices.front().is_some_and(|(of, ..)| slice.saturating_sub(*of) >= SLICES as i64) {
            self.slices.pop_front();
        }
        let (wanted, looked) = self.sums();
        // Apart, so that a load just at the edge does not flicker.
        let bound = if self.overloaded { 95 } else { 80 };
        self.overloaded = wanted >= ENOUGH && u64::from(looked) * 100 < u64::from(wanted) * bound;
    }

    fn sums(&self) -> (u32, u32) {
        self.slices.iter().fold((0u32, 0u32), |(w, l), s| (w.saturating_add(s.1), l.saturating_add(s.2)))
    }

    /// Frames a second that should be looked at and are, when that is too few.
    pub fn overload(&self) -> Option<(f32, f32)> {
        let (wanted, looked) = self.sums();
        let from_ms = self.slices.front()?.0.saturating_mul(SLICE_MS);
        let seconds = (self.newest_ms.saturating_sub(from_ms).max(1000)) as f32 / 1000.0;
        self.overloaded.then_some((wanted as f32 / seconds, looked as f32 / seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_newest_frame_of_the_camera_that_waits_longest() {
        let mut s = Schedule::new(3);
        assert_eq!(s.offer(2, "2a"), None);
        assert_eq!(s.offer(0, "0a"), None);
        assert_eq!(s.offer(2, "2b"), Some("2a"));
        assert_eq!(s.begin(), Some((2, "2b")));
        assert_eq!(s.offer(2, "2c"), None);
        assert_eq!(s.offer(1, "1a"), None);
        assert_eq!((s.begin(), s.begin(), s.begin()), (Some((0, "0a")), Some((1, "1a")), None), "2 is being looked at");
        s.done(2);
        assert_eq!(s.begin(), Some((2, "2c")));
        s.done(0);
        assert!(s.is_idle(0) && !s.is_idle(2) && s.waiting() == 0);
        assert_eq!(s.offer(9, "no such camera"), Some("no such camera"));
    }

    /// Cameras of these frame rates, and workers that need `look_ms` a frame, for a minute: looks of each camera.
    fn minute(rates: &[i64], workers: usize, look_ms: i64) -> Vec<u32> {
        let mut s = Schedule::new(rates.len());
        let mut looks = vec![0u32; rates.len()];
        let mut busy: Vec<Option<(i64, usize)>> = vec![None; workers];
        for ms in 0..60_000 {
            for (camera, rate) in rates.iter().enumerate() {
                if (ms + camera as i64 * 7) % (1000 / rate) == 0 {
                    s.offer(camera, ms);
                }
            }
            for b in &mut busy {
                if let Some((until, camera)) = *b
                    && until <= ms
                {
                    s.done(camera);
                    looks[camera] += 1;
                    *b = None;
                }
                if b.is_none()
                    && let Some((camera, _)) = s.begin()
                {
                    *b = Some((ms + look_ms, camera));
                }
            }
        }
        looks
    }

    #[test]
    fn too_much_work_lowers_every_camera_s_rate_alike() {
        // 24 looks a second are wanted, 5 can be had.
        let looks = minute(&[2; 12], 1, 200);
        assert!(looks.iter().all(|n| (23..=27).contains(n)), "{looks:?}");
        // Fast cameras do not take the slow ones' share.
        let looks = minute(&[10, 10, 1, 1], 1, 200);
        assert!(looks[2..].iter().all(|n| *n >= 57) && looks[..2].iter().all(|n| (85..=95).contains(n)), "{looks:?}");
        let looks = minute(&[1; 8], 2, 100);
        assert!(looks.iter().all(|n| *n >= 59), "all of them when there is time: {looks:?}");
    }

    #[test]
    fn overload_is_said_when_it_lasts_and_only_then() {
        let mut load = Load::default();
        let mut run = |seconds: i64, from: &mut i64, wanted: u32, looked: u32| {
            for _ in 0..seconds {
                *from += 1000;
                load.add(*from, wanted, looked);
            }
            load.overload()
        };
        let mut now = 0;
        assert_eq!(run(1, &mut now, 9, 0), None, "one burst");
        assert_eq!(run(60, &mut now, 10, 10), None);
        let (wanted, looked) = run(30, &mut now, 10, 5).unwrap();
        assert!((wanted - 10.0).abs() < 2.0 && (looked - 5.0).abs() < 1.5, "{wanted} {looked}");
        assert!(run(40, &mut now, 10, 9).is_some(), "still some way off");
        assert_eq!(run(40, &mut now, 10, 10), None);
    }

    proptest! {
        #[test]
        fn no_frame_is_lost_or_looked_at_twice(steps in proptest::collection::vec((0usize..4, 0u8..3), 0..200)) {
            let mut s = Schedule::new(4);
            let (mut offered, mut replaced, mut taken) = (0u32, 0u32, Vec::new());
            let mut looking = std::collections::BTreeSet::new();
            for (camera, what) in steps {
                match what {
                    0 => {
                        offered += 1;
                        replaced += u32::from(s.offer(camera, offered).is_some());
                    }
                    1 => if let Some((camera, frame)) = s.begin() {
                        prop_assert!(looking.insert(camera), "two looks at one camera");
                        taken.push(frame);
                    },
                    _ => { s.done(camera); looking.remove(&camera); }
                }
            }
            let waiting = s.waiting() as u32;
            prop_assert!(waiting <= 4);
            prop_assert_eq!(offered, replaced + taken.len() as u32 + waiting);
            let count = taken.len();
            taken.sort_unstable();
            taken.dedup();
            prop_assert_eq!(taken.len(), count);
        }
    }
}
