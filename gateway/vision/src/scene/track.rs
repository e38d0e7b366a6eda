//! People followed from frame to frame.
//!
//! Written for this place: ready-made trackers (ByteTrack and its kin, as in `trackforge` or `norfair`) match boxes by their overlap, and a toddler who walks
//! at 1 m/s has left its own box after half a second, so that at the one frame a second of a nursery's camera none of them matches. Here people are
//! matched by the way of the trunk, gated by what somebody can walk in the time between, and by size; the cheapest pairs first, which with at most a few dozen people
//! differs from the optimal assignment only where two change places within one interval, and those no geometry tells apart.
//!
//! What must hold: the number of tracks is bounded; numbers are of this camera and this run, and no appearance is kept, so that nobody can be recognised.
use super::body::{At, Body, sound};
use super::floor::Floor;
use super::size::{self, Size};
use crate::sight::{Person, Posture, Rect};
use std::collections::VecDeque;

/// People who are followed at once. The models find at most a dozen or two in one frame.
pub const TRACKS: usize = 64;
/// Somebody who is not seen any more still counts as there for this long; longer who had been still, and who was lying, whom the model often misses.
const HOLD_MS: i64 = 3_000;
const HOLD_STILL_MS: i64 = 10_000;
const HOLD_LYING_MS: i64 = 30_000;
/// After that they no longer count, and may come back as themselves for this long.
const LOST_MS: i64 = 15_000;
/// Somebody at the picture's edge who is not seen any more has left.
const HOLD_EDGE_MS: i64 = 1_200;
const EDGE: f32 = 0.015;
/// Ways within a second, in body sizes: a running toddler makes two.
const PACE: f32 = 1.8;
/// Of who lies.
const PACE_LYING: f32 = 0.35;
/// And at once: the model's boxes of one person differ by this.
const SLACK: f32 = 0.45;
/// Moves by less than this share of the body's size are none.
const STILL: f32 = 0.12;
/// Once seen with this score is enough to count; with the lower one twice, else three times.
const SURE: f32 = 0.4;
const LIKELY: f32 = 0.33;
/// Within a second and a half, in body sizes: whoever makes such a way is on their feet.
const WALKS: f32 = 0.3;
/// Standard deviation of a height, metres, as long as somebody was not seen to walk.
const MAY_SIT: f64 = 0.16;
/// Costs that differ by less than this are alike.
const ALIKE: f32 = 0.25;
/// Heights that are remembered. The median of seven follows a change of person in four frames.
const HEIGHTS: usize = 7;
/// Moments that are remembered, for falls.
const TRAIL: usize = 64;
const TRAIL_MS: i64 = 12_000;

/// How far up a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Upright,
    /// Sitting, crouching, bending.
    Low,
    Lying,
    Unknown,
}

#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub at_ms: i64,
    pub core: At,
    pub level: Level,
}

/// Somebody.
#[derive(Debug, Clone)]
pub struct Track {
    pub number: u32,
    /// As last seen.
    pub person: Person,
    pub first_ms: i64,
    pub seen_ms: i64,
    /// Frames in which they were seen.
    pub times: u32,
    /// Seen in the last frame.
    pub now: bool,
    /// Since when they have not moved.
    pub still_ms: i64,
    pub trail: VecDeque<Moment>,
    /// Where they were last.
    pub ground: Ground,
    /// They have been seen to walk: what was measured standing is no sitting person.
    walked: bool,
    /// Seen well once, or fairly twice.
    sure: bool,
    /// The longer side of the body, in picture heights.
    size: f32,
    /// Where they were when they last began to be still.
    anchor: At,
    stood: VecDeque<Size>,
    otherwise: VecDeque<Size>,
}

/// What is known of somebody's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    Adult,
    Child,
    Unknown,
}

/// Probability from which somebody is taken for an adult, and below its complement for a child.
pub const CONVINCED: f64 = 0.9;

impl Track {
    /// A height that one frame cannot get wrong: the median of what was measured, upright if there is any.
    pub fn height(&self) -> Option<Size> {
        let from = if self.stood.is_empty() { &self.otherwise } else { &self.stood };
        let mut sizes: Vec<Size> = from.iter().copied().collect();
        sizes.sort_by(|a, b| a.metres.total_cmp(&b.metres));
        let median = *sizes.get(sizes.len() / 2)?;
        // Frames err alike: many are no better than one, but where they scatter, the scatter says more than the estimate.
        let lower = sizes[sizes.len() / 4].metres;
        let upper = sizes[(sizes.len() - 1) - (sizes.len() - 1) / 4].metres;
        let scatter = (upper - lower) / 1.35;
        let few = if self.stood.len() + self.otherwise.len() < 2 { 1.5 } else { 1.0 };
        let sitting = if self.walked || !median.standing { 0.0 } else { MAY_SIT };
        Some(Size { spread: (median.spread.max(scatter) * few).max(sitting), ..median })
    }

    /// Probability of being an adult; `None` before anything could be measured.
    pub fn adult(&self) -> Option<f64> {
        self.height().map(|h| h.adult())
    }

    pub fn age(&self) -> Age {
        match self.adult() {
            Some(p) if p >= CONVINCED => Age::Adult,
            Some(p) if p <= 1.0 - CONVINCED => Age::Child,
            _ => Age::Unknown,
        }
    }

    /// Seen often enough to be somebody.
    pub fn confirmed(&self) -> bool {
        self.sure || self.times >= 3
    }

    /// As they were last seen; whoever is in a bed lies, for all that matters here.
    pub fn lying(&self) -> bool {
        self.person.posture == Posture::Lying || self.ground == Ground::Bed
    }

    /// How far up the body is. Of whom the height is known it is measured, because on the picture alone who lies along the line of sight looks
    /// like standing, and who sits with the back to the camera like lying.
    fn level(&self, floor: Option<&Floor>, body: &Body, size: Option<Size>) -> Level {
        let known = floor.zip(self.height().filter(|h| h.standing && self.walked));
        let lies = || known.is_some_and(|(floor, h)| size::lies(floor, body, h.metres));
        let sits = || known.is_some_and(|(floor, h)| size::sits(floor, body, h.metres));
        match body.person.posture {
            Posture::Lying if sits() => Level::Low,
            Posture::Lying => Level::Lying,
            _ if lies() => Level::Lying,
            Posture::Standing => Level::Upright,
            Posture::Unknown if size.is_some_and(|s| s.standing) => Level::Upright,
            Posture::Unknown => Level::Unknown,
            Posture::Sitting | Posture::Crouching | Posture::Bending => Level::Low,
        }
    }

    fn at_edge(&self) -> bool {
        let b = &self.person.bbox;
        b.x0 < EDGE || b.x1 > 1.0 - EDGE || b.y1 > 1.0 - EDGE
    }

    /// How long they count as there without being seen.
    fn hold(&self, interval_ms: i64) -> i64 {
        // What is not there is seldom imagined twice at one place.
        if !self.confirmed() {
            return 2 * interval_ms + interval_ms / 2;
        }
        let still = self.seen_ms - self.still_ms >= 5_000;
        let (least, frames) = match (self.lying(), still, self.at_edge()) {
            (true, _, _) => (HOLD_LYING_MS, 3),
            (false, true, _) => (HOLD_STILL_MS, 3),
            (false, false, true) => (HOLD_EDGE_MS, 1),
            (false, false, false) => (HOLD_MS, 2),
        };
        least.max(frames * interval_ms + interval_ms / 2)
    }
}

/// The people before one camera.
#[derive(Debug, Default)]
pub struct Tracker {
    tracks: Vec<Track>,
    next: u32,
    now_ms: i64,
    /// Typical time between frames.
    interval_ms: i64,
}

/// Where heights must not be measured, or only roughly: people there do not stand on the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    Floor,
    /// Stairs: up to a metre above or below.
    Steps,
    /// A mattress: half a metre up at most.
    Bed,
    /// A sill.
    Raised,
}

impl Tracker {
    /// A frame. `elapsed_ms` is not negative.
    pub fn see(&mut self, elapsed_ms: i64, people: &[&Person], aspect: f32, floor: Option<&Floor>, ground: impl Fn(&Body) -> Ground) {
        self.now_ms = self.now_ms.saturating_add(elapsed_ms);
        if (50..=10_000).contains(&elapsed_ms) {
            self.interval_ms = if self.interval_ms == 0 { elapsed_ms } else { (self.interval_ms * 4 + elapsed_ms) / 5 };
        }
        let bodies: Vec<Body> = people.iter().filter(|p| sound(&p.bbox)).map(|person| Body { person, aspect }).collect();
        let grounds: Vec<Ground> = bodies.iter().map(ground).collect();
        let measured: Vec<Option<Size>> = bodies.iter().zip(&grounds).map(|(b, g)| measure(floor, b, *g)).collect();
        for track in &mut self.tracks {
            track.now = false;
        }
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (t, track) in self.tracks.iter().enumerate() {
            for (b, body) in bodies.iter().enumerate() {
                if let Some(cost) = cost(track, body, measured[b], self.now_ms) {
                    pairs.push((cost, t, b));
                }
            }
        }
        // Of tracks that fit about as well the oldest, so that a second one of the same person starves.
        let key = |p: &(f32, usize, usize)| ((p.0 / ALIKE) as i32, self.tracks[p.1].number);
        pairs.sort_by(|a, b| key(a).cmp(&key(b)).then(a.0.total_cmp(&b.0)).then(a.2.cmp(&b.2)));
        let mut taken = vec![false; bodies.len()];
        for (_, t, b) in pairs {
            if !taken[b] && !self.tracks[t].now {
                taken[b] = true;
                let level = self.tracks[t].level(floor, &bodies[b], measured[b]);
                self.tracks[t].follow(&bodies[b], measured[b], self.now_ms, level);
                self.tracks[t].ground = grounds[b];
            }
        }
        for b in (0..bodies.len()).filter(|b| !taken[*b]) {
            let mut track = Track::new(self.next, &bodies[b], measured[b], self.now_ms);
            track.ground = grounds[b];
            self.tracks.push(track);
            self.next = self.next.wrapping_add(1);
        }
        self.forget();
    }

    /// Nothing has moved: everybody is where they were, seen or not.
    pub fn skip(&mut self, elapsed_ms: i64) {
        self.now_ms = self.now_ms.saturating_add(elapsed_ms);
        for track in &mut self.tracks {
            track.seen_ms = track.seen_ms.saturating_add(elapsed_ms);
        }
    }

    fn forget(&mut self) {
        let (now, interval) = (self.now_ms, self.interval_ms);
        self.tracks.retain(|t| now - t.seen_ms <= t.hold(interval) + if t.confirmed() { LOST_MS } else { 0 });
        // Whom it has seen longest ago and least often goes first.
        self.tracks.sort_by_key(|t| (std::cmp::Reverse(t.seen_ms), std::cmp::Reverse(t.times), t.number));
        self.tracks.truncate(TRACKS);
    }

    /// Milliseconds of this tracker's own time, which never goes back.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    pub fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    /// Everybody who counts as there.
    pub fn present(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(|t| t.confirmed() && self.now_ms - t.seen_ms <= t.hold(self.interval_ms))
    }

    /// And whoever may be there besides: seen once and badly.
    pub fn doubtful(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(|t| !t.confirmed())
    }
}

fn measure(floor: Option<&Floor>, body: &Body, ground: Ground) -> Option<Size> {
    let size = size::measure(floor?, body)?;
    match ground {
        Ground::Floor => Some(size),
        Ground::Steps => Some(Size { spread: size.spread.hypot(0.2 * size.metres), standing: false, ..size }),
        Ground::Bed => {
            let metres = size.metres * 0.92;
            Some(Size { metres, spread: size.spread.hypot(0.08 * metres), standing: false })
        }
        Ground::Raised => None,
    }
}

/// What it costs to take the body for this track; `None` when it cannot be.
fn cost(track: &Track, body: &Body, size: Option<Size>, now_ms: i64) -> Option<f32> {
    let gone_s = (now_ms - track.seen_ms) as f32 / 1000.0;
    let pace = match () {
        () if track.lying() => PACE_LYING * gone_s.min(5.0),
        () if track.confirmed() => PACE * gone_s.min(2.5),
        () => PACE * gone_s.min(0.5),
    };
    // A body without a pose may be anything: it must be where somebody was.
    let vague = body.person.pose.is_none() && track.person.pose.is_some();
    let reach = track.size.max(body.size()) * if vague { SLACK } else { SLACK + pace };
    let last = Body { person: &track.person, aspect: body.aspect };
    let way = body.vector(last.core(), body.core());
    let way = (way.0 * way.0 + way.1 * way.1).sqrt();
    let grown = (body.size() / track.size).ln().abs();
    if way.is_nan() || way > reach || grown.is_nan() || grown > if way < 0.4 * track.size { 1.8 } else { 1.1 } {
        return None;
    }
    // Different heights are different people. It weighs more than the way: at one frame in two seconds people change places.
    let other = match (track.height(), size) {
        (Some(a), Some(b)) => ((a.metres - b.metres).abs() / a.spread.hypot(b.spread) / 2.0).min(2.0) as f32,
        _ => 0.0,
    };
    // In body sizes rather than in reach: who was seen in the last frame must not be cheaper for it.
    Some(way / track.size.max(body.size()) + if vague { 1.0 } else { 0.0 } + grown + 1.5 * other + 0.05 * gone_s)
}

impl Track {
    fn new(number: u32, body: &Body, size: Option<Size>, now_ms: i64) -> Track {
        let mut track = Track {
            number,
            person: body.person.clone(),
            first_ms: now_ms,
            seen_ms: now_ms,
            times: 0,
            now: true,
            still_ms: now_ms,
            trail: VecDeque::new(),
            ground: Ground::Floor,
            walked: false,
            sure: false,
            size: body.size(),
            anchor: body.core(),
            stood: VecDeque::new(),
            otherwise: VecDeque::new(),
        };
        let level = track.level(None, body, size);
        track.follow(body, size, now_ms, level);
        track
    }

    fn follow(&mut self, body: &Body, size: Option<Size>, now_ms: i64, level: Level) {
        self.person = body.person.clone();
        self.seen_ms = now_ms;
        self.times = self.times.saturating_add(1);
        self.now = true;
        self.sure |= self.person.score >= if self.times >= 2 { LIKELY } else { SURE };
        self.size += (body.size() - self.size) * 0.5;
        let core = body.core();
        let way = body.vector(self.anchor, core);
        if way.0.hypot(way.1) > STILL * self.size {
            (self.anchor, self.still_ms) = (core, now_ms);
        } else {
            // Slow drift of the model's answer is no movement.
            self.anchor = (self.anchor.0 + (core.0 - self.anchor.0) * 0.1, self.anchor.1 + (core.1 - self.anchor.1) * 0.1);
        }
        let before = self.trail.iter().find(|m| now_ms - m.at_ms <= 1_500).or(self.trail.back());
        let step = before.filter(|m| now_ms - m.at_ms <= 3_000).map_or((0.0, 0.0), |m| body.vector(m.core, core));
        let walks = step.0.hypot(step.1) > WALKS * self.size && !self.lying();
        self.walked |= walks && self.times >= 3;
        // Nobody shrinks on the spot: they have sat down with the legs towards the camera, which looks like standing, only smaller.
        let sat = |size: &Size| size.standing && !walks && self.height().is_some_and(|h| h.standing && size.metres < 0.8 * h.metres);
        if let Some(size) = size.filter(|s| !sat(s)) {
            let list = if size.standing { &mut self.stood } else { &mut self.otherwise };
            list.push_back(size);
            if list.len() > HEIGHTS {
                list.pop_front();
            }
        }
        self.trail.push_back(Moment { at_ms: now_ms, core, level });
        while self.trail.len() > TRAIL || self.trail.front().is_some_and(|m| now_ms - m.at_ms > TRAIL_MS) {
            self.trail.pop_front();
        }
    }

    pub fn bbox(&self) -> Rect {
        self.person.bbox
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sight::{KeyPoint, Pose};

    /// Somebody upright in a picture of 16:9, with the trunk at `x` and the feet at `y`.
    pub fn standing(x: f32, y: f32, tall: f32) -> Person {
        let at = |dx: f32, up: f32| KeyPoint { x: x + dx * tall, y: y - up * tall, score: 0.6 };
        let mut pose: Pose = [at(0.0, 0.9); 17];
        for (joint, (dx, up)) in [
            (0.07, 0.8),
            (-0.07, 0.8),
            (0.09, 0.6),
            (-0.09, 0.6),
            (0.1, 0.5),
            (-0.1, 0.5),
            (0.04, 0.5),
            (-0.04, 0.5),
            (0.04, 0.27),
            (-0.04, 0.27),
            (0.04, 0.04),
            (-0.04, 0.04),
        ]
        .into_iter()
        .enumerate()
        {
            pose[joint + 5] = at(dx, up);
        }
        let bbox = Rect { x0: x - 0.12 * tall, y0: y - tall, x1: x + 0.12 * tall, y1: y };
        Person { bbox, score: 0.6, pose: Some(pose), posture: Posture::Standing }
    }

    const WIDE: f32 = 16.0 / 9.0;

    fn see(tracker: &mut Tracker, elapsed_ms: i64, people: &[Person]) -> Vec<u32> {
        let people: Vec<&Person> = people.iter().collect();
        tracker.see(elapsed_ms, &people, WIDE, None, |_| Ground::Floor);
        let mut at: Vec<(f32, u32)> = tracker.present().map(|t| (t.bbox().x0, t.number)).collect();
        at.sort_by(|a, b| a.0.total_cmp(&b.0));
        at.into_iter().map(|(_, number)| number).collect()
    }

    #[test]
    fn somebody_who_walks_is_one_person_at_one_frame_a_second_though_the_boxes_do_not_overlap() {
        let mut tracker = Tracker::default();
        for i in 0..8_u8 {
            let x = 0.1 + 0.1 * f32::from(i);
            assert_eq!(see(&mut tracker, 1000, &[standing(x, 0.8, 0.3)]), [0], "step {i}");
        }
    }

    #[test]
    fn two_who_pass_each_other_at_a_distance_keep_their_numbers() {
        let mut tracker = Tracker::default();
        for i in 0..9_u8 {
            let x = 0.1 * f32::from(i);
            let numbers = see(&mut tracker, 500, &[standing(0.1 + x, 0.6, 0.25), standing(0.9 - x, 0.9, 0.4)]);
            assert_eq!(
                numbers,
                if i < 4 {
                    [0, 1]
                } else if i == 4 {
                    continue;
                } else {
                    [1, 0]
                },
                "step {i}"
            );
        }
    }

    #[test]
    fn who_is_missed_for_a_moment_still_counts_and_comes_back_as_themselves() {
        let mut tracker = Tracker::default();
        for _ in 0..6 {
            see(&mut tracker, 1000, &[standing(0.5, 0.8, 0.3)]);
        }
        assert_eq!(see(&mut tracker, 1000, &[]), [0]);
        assert_eq!(see(&mut tracker, 3000, &[]), [0]);
        assert_eq!(see(&mut tracker, 9000, &[]), [0_u32; 0], "and not for ever");
        assert_eq!(see(&mut tracker, 1000, &[standing(0.52, 0.8, 0.3)]), [0]);
    }

    #[test]
    fn who_goes_at_the_edge_of_the_picture_is_gone() {
        let mut tracker = Tracker::default();
        for x in [0.7, 0.8, 0.9, 0.99] {
            see(&mut tracker, 1000, &[standing(x, 0.8, 0.3)]);
        }
        assert_eq!(see(&mut tracker, 2000, &[]), [0_u32; 0]);
    }

    #[test]
    fn what_is_imagined_once_is_nobody() {
        let mut tracker = Tracker::default();
        let phantom = Person { score: 0.25, pose: None, ..standing(0.3, 0.5, 0.2) };
        assert_eq!(see(&mut tracker, 1000, std::slice::from_ref(&phantom)), [0_u32; 0]);
        assert_eq!(see(&mut tracker, 1000, &[]), [0_u32; 0]);
        assert_eq!(see(&mut tracker, 4000, &[phantom]), [0_u32; 0]);
    }

    #[test]
    fn a_crowd_without_end_does_not_grow_the_tracker() {
        let mut tracker = Tracker::default();
        for i in 0..200_u16 {
            let people: Vec<Person> =
                (0..60).map(|k| standing(f32::from((i * 37 + k * 61) % 997) / 997.0, f32::from(k % 9) / 9.0, 0.05)).collect();
            see(&mut tracker, 100, &people);
            assert!(tracker.tracks.len() <= TRACKS);
        }
    }

    #[test]
    fn skipped_time_makes_nobody_vanish() {
        let mut tracker = Tracker::default();
        for _ in 0..3 {
            see(&mut tracker, 1000, &[standing(0.5, 0.8, 0.3)]);
        }
        tracker.skip(600_000);
        assert_eq!(tracker.present().count(), 1);
    }
}
