//! From what several passes of several models report to people: one entry for each person, and no entry for nobody.
//!
//! Each pass errs in its own way. MultiPose reports clothes on a chair with 0.15 and a person who lies with 0.2; NanoDet reports people half hidden that
//! MultiPose misses, and misses those who lie. So their scores are added up, with weights, and a second look decides the doubtful: the
//! same pose model on the surroundings of the place alone, as they are and turned by a quarter either way. A person scores higher from near, anything
//! else does not.
//!
//! Weights and limits were fitted (logistic regression) on 296 people and 125 places without one: cut-outs of people from Intel's sample videos, upright and lying,
//! alone and in groups half hidden by each other, before five rooms and yards, those videos' own frames, and photographs without people. At the
//! limit of 0.75, no empty place of the rooms counts and 1 of 296 people is missed; from 0.65 to 0.9 the result hardly changes.
use crate::models::pose::Candidate;
use crate::picture::{Turn, View};
use crate::posture::{self, Body};
use crate::sight::{Person, Pose, Posture, Rect};

/// The pose models report nobody below this.
pub const LEAST_POSE: f32 = 0.08;
/// The detector reports nobody below this.
pub const LEAST_DETECTED: f32 = 0.22;
/// Evidence from which on somebody is there.
const NEEDED: f32 = 0.75;
/// A detector as sure as this needs nobody beside it: people half hidden, whose joints are not to be seen.
const DETECTED: f32 = 0.6;
/// A pose as sure as this needs nothing beside it, when there are no second looks or no detector: no empty place of a room has scored more than 0.2.
const ALONE: f32 = 0.25;
/// Evidence from which on somebody is there in a crowd, where nobody is looked at twice. Fitted like [`NEEDED`].
const NEEDED_IN_A_CROWD: f32 = 0.4;
/// What a second look can add at most: the best that was seen for anybody.
const BEST_LOOK: f32 = 0.62;

/// Weights of the passes' scores.
const UPRIGHT: f32 = 0.8;
const TURNED: f32 = 0.9;
const DETECTOR: f32 = 0.8;
const NEAR: f32 = 1.4;
const NEAR_TURNED: f32 = 1.25;

/// One report of one pass.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    pub bbox: Rect,
    pub score: f32,
    /// `None`: a report of the detector.
    pub pose: Option<Pose>,
    pub turn: Turn,
}

impl Report {
    pub fn pose(c: &Candidate, turn: Turn) -> Report {
        Report { bbox: c.bbox, score: c.score, pose: Some(c.pose), turn }
    }

    pub fn detected(bbox: Rect, score: f32) -> Report {
        Report { bbox, score, pose: None, turn: Turn::None }
    }

    /// On the scale of the pose models: the detector's scores are higher.
    fn strength(&self) -> f32 {
        if self.pose.is_some() { self.score } else { 0.6 * self.score }
    }
}

/// Which passes the reports come from, which decides what they have to add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// Of the small pose model only.
    Few,
    /// Of the small pose model and the detector, on the picture and on parts of it, and no second looks.
    Crowd,
    /// Of every model, and second looks.
    All,
}

/// Somebody, perhaps: reports that mean the same place.
#[derive(Debug, Clone)]
pub struct Supposed {
    /// The strongest report.
    pub first: Report,
    poses: Vec<Report>,
    upright: f32,
    turned: f32,
    detector: f32,
    passes: Passes,
    near: f32,
    near_turned: f32,
}

/// What a second look has to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It is settled: there is somebody, or there cannot be.
    None,
    /// Look from near.
    Near,
    /// Look from near with the picture turned either way.
    NearTurned,
}

impl Supposed {
    fn new(first: Report, passes: Passes) -> Supposed {
        let mut new = Supposed { first, poses: Vec::new(), upright: 0.0, turned: 0.0, detector: 0.0, passes, near: 0.0, near_turned: 0.0 };
        new.add(first);
        new
    }

    fn add(&mut self, report: Report) {
        if report.pose.is_none() {
            return;
        }
        let score = if report.turn == Turn::None { &mut self.upright } else { &mut self.turned };
        *score = score.max(report.score);
        self.poses.push(report);
    }

    fn evidence(&self) -> f32 {
        UPRIGHT * self.upright + TURNED * self.turned + DETECTOR * self.detector + NEAR * self.near + NEAR_TURNED * self.near_turned
    }

    /// The pose that is most to be trusted; one seen upright before one seen turned that is hardly better.
    fn best(&self) -> Option<&Report> {
        let trust = |r: &Report| if r.turn == Turn::None { 1.1 * r.score } else { r.score };
        self.poses.iter().max_by(|a, b| trust(a).total_cmp(&trust(b)))
    }

    fn body(&self, width: u32, height: u32) -> Body {
        self.best().and_then(|b| b.pose.as_ref()).map(|pose| posture::body(pose, width, height)).unwrap_or_default()
    }

    fn stands(&self, width: u32, height: u32) -> bool {
        self.best().is_some_and(|b| b.turn == Turn::None) && self.body(width, height).upright()
    }

    /// What is in doubt before a second look.
    pub fn doubt(&self, width: u32, height: u32) -> Doubt {
        let plain = self.upright >= 0.4 && (self.passes == Passes::Few || self.detector >= 0.5) && self.stands(width, height);
        let hopeless = self.evidence() + (NEAR + NEAR_TURNED) * BEST_LOOK < NEEDED;
        if plain || hopeless || self.passes == Passes::Crowd { Doubt::None } else { Doubt::Near }
    }

    /// What is still in doubt after [`Supposed::seen_near`] with [`Turn::None`].
    pub fn doubt_left(&self, width: u32, height: u32) -> Doubt {
        let plain = self.near >= 0.35 && self.evidence() >= NEEDED && self.stands(width, height);
        let hopeless = self.evidence() + NEAR_TURNED * BEST_LOOK < NEEDED;
        if plain || hopeless { Doubt::None } else { Doubt::NearTurned }
    }

    /// Where a second look looks: a square around the place, with a little of what is beside it.
    pub fn surroundings(&self, width: u32, height: u32) -> View {
        let (w, h) = (width as f32, height as f32);
        let b = &self.first.bbox;
        let half = 1.3 / 2.0 * (b.width() * w).max(b.height() * h).max(1.0);
        let (x, y) = b.centre();
        let clip = |v: f32| v.clamp(0.0, 1.0);
        View { x0: clip(x - half / w), y0: clip(y - half / h), x1: clip(x + half / w), y1: clip(y + half / h), turn: Turn::None }
    }

    /// What a second look has found: the one of the candidates who is this person, if any.
    pub fn seen_near(&mut self, candidates: &[Candidate], turn: Turn, aspect: f32) {
        let fits = |c: &Candidate| {
            let near = Report::pose(c, turn);
            let iou = near.bbox.iou(&self.first.bbox);
            similarity(&near, &self.first, aspect).map_or(iou, |s| 0.5 * (iou + s))
        };
        let best = candidates.iter().map(|c| (c, fits(c))).filter(|(_, fit)| *fit > 0.3);
        let Some((best, _)) = best.max_by(|(a, fa), (b, fb)| (a.score * fa).total_cmp(&(b.score * fb))) else {
            return;
        };
        let score = if turn == Turn::None { &mut self.near } else { &mut self.near_turned };
        *score = score.max(best.score);
        self.poses.push(Report::pose(best, turn));
    }

    /// What is needed, and how much of it one sure pass is alone.
    fn needed(&self) -> (f32, f32) {
        let (pose, detector) = (self.upright / ALONE, self.detector / DETECTED);
        match self.passes {
            Passes::Few => (NEEDED, pose),
            Passes::Crowd => (NEEDED_IN_A_CROWD, pose.max(detector)),
            Passes::All => (NEEDED, detector),
        }
    }

    /// Above 0: there is somebody.
    fn surplus(&self) -> f32 {
        let (needed, alone) = self.needed();
        self.evidence().max(needed * alone) - needed
    }

    fn is_there(&self) -> bool {
        self.surplus() >= 0.0
    }

    fn person(&self, width: u32, height: u32) -> Person {
        let best = self.best();
        let turned = best.is_some_and(|b| b.turn != Turn::None);
        let posture = if best.is_some() { self.body(width, height).posture(turned) } else { Posture::Unknown };
        Person {
            bbox: within(best.unwrap_or(&self.first).bbox),
            // The fit's own curve: 0.5 where somebody is as likely as nobody.
            score: 1.0 / (1.0 + (-5.0 * self.surplus()).exp()),
            pose: best.and_then(|b| b.pose),
            posture,
        }
    }
}

fn within(b: Rect) -> Rect {
    let clip = |v: f32| v.clamp(0.0, 1.0);
    Rect { x0: clip(b.x0), y0: clip(b.y0), x1: clip(b.x1), y1: clip(b.y1) }
}

/// Reports of the same place, together. `aspect` is the picture's width by its height.
pub fn gather(mut reports: Vec<Report>, aspect: f32, passes: Passes) -> Vec<Supposed> {
    reports.sort_by(|a, b| b.strength().total_cmp(&a.strength()));
    let mut all: Vec<Supposed> = Vec::new();
    for report in &reports {
        match all.iter_mut().find(|s| close(report, &s.first, aspect)) {
            Some(supposed) => supposed.add(*report),
            None => all.push(Supposed::new(*report, passes)),
        }
    }
    for supposed in &mut all {
        let boxes = reports.iter().filter(|r| r.pose.is_none() && r.bbox.iou(&supposed.first.bbox) > 0.4);
        supposed.detector = boxes.map(|r| r.score).fold(0.0, f32::max);
    }
    all
}

/// Those who are there, each once, the surest first.
pub fn settle(mut all: Vec<Supposed>, width: u32, height: u32) -> Vec<Person> {
    let aspect = width as f32 / height.max(1) as f32;
    all.retain(Supposed::is_there);
    all.sort_by(|a, b| b.evidence().total_cmp(&a.evidence()));
    let mut kept: Vec<(Report, Person)> = Vec::new();
    for one in &all {
        let report = *one.best().unwrap_or(&one.first);
        if kept.iter().all(|(k, _)| !same(&report, k, aspect)) {
            kept.push((report, one.person(width, height)));
        }
    }
    kept.into_iter().map(|(_, person)| person).collect()
}

/// Share of `a` that `b` covers.
fn covered(a: &Rect, b: &Rect) -> f32 {
    if a.area() > 0.0 { a.overlap(b) / a.area() } else { 0.0 }
}

/// Two passes mean the same place.
fn close(a: &Report, b: &Report, aspect: f32) -> bool {
    let iou = a.bbox.iou(&b.bbox);
    let inside = covered(&a.bbox, &b.bbox).max(covered(&b.bbox, &a.bbox));
    if a.pose.is_none() || b.pose.is_none() {
        return iou > 0.5 || inside > 0.75;
    }
    match similarity(a, b, aspect) {
        Some(s) => s > 0.45 || iou > 0.65 || (s > 0.2 && inside > 0.75),
        None => iou > 0.45 || inside > 0.8,
    }
}

/// `weak` is the person that `strong` is, seen once more. Two people who stand close overlap, but their joints do not.
fn same(weak: &Report, strong: &Report, aspect: f32) -> bool {
    let iou = weak.bbox.iou(&strong.bbox);
    let inside = covered(&weak.bbox, &strong.bbox);
    if weak.pose.is_none() || strong.pose.is_none() {
        return iou > 0.5 || inside > 0.75;
    }
    match similarity(weak, strong, aspect) {
        Some(s) => s > 0.5 || iou > 0.7 || (s > 0.3 && inside > 0.8),
        None => iou > 0.45 || inside > 0.8,
    }
}

/// COCO's deviations of people who mark joints, for object key point similarity.
const DEVIATION: [f32; 17] =
    [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089];

/// COCO's object key point similarity, 0 to 1, of the joints that both see, weighted by the less sure of the two; `None` with fewer than three.
fn similarity(a: &Report, b: &Report, aspect: f32) -> Option<f32> {
    let area = a.bbox.area().min(b.bbox.area()) * aspect;
    let (mut all, mut sum, mut joints) = (0.0, 0.0, 0);
    for ((p, q), deviation) in a.pose?.iter().zip(&b.pose?).zip(DEVIATION) {
        let weight = p.score.min(q.score);
        if weight > 0.1 {
            let d2 = ((p.x - q.x) * aspect).powi(2) + (p.y - q.y).powi(2);
            all += weight;
            sum += weight * (-d2 / (2.0 * area.max(1e-9) * (2.0 * deviation).powi(2))).exp();
            joints += 1;
        }
    }
    (joints >= 3).then(|| sum / all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sight::KeyPoint;

    /// Somebody who stands (or, with the axes swapped, lies) at (x, y) with a box of the given height, in a square picture.
    fn somebody(x: f32, y: f32, tall: f32, score: f32, lying: bool) -> Candidate {
        // Across and along the body, from its head.
        let places = [(0.0, 0.05), (0.0, 0.2), (0.0, 0.52), (0.0, 0.75), (0.0, 0.96)];
        let joints: [&[usize]; 5] = [&[0, 1, 2, 3, 4], &[5, 6, 7, 8], &[11, 12, 9, 10], &[13, 14], &[15, 16]];
        let mut pose = Pose::default();
        for ((across, along), joints) in places.into_iter().zip(joints) {
            for (i, j) in joints.iter().enumerate() {
                let (a, b) = ((across + 0.05 * (i % 2) as f32) * tall, along * tall);
                let (px, py) = if lying { (x + b, y + a) } else { (x + a, y + b) };
                pose[*j] = KeyPoint { x: px, y: py, score };
            }
        }
        let (w, h) = if lying { (tall, tall * 0.3) } else { (tall * 0.3, tall) };
        let (x, y) = if lying { (x, y - 0.12 * tall) } else { (x - 0.12 * tall, y) };
        Candidate { bbox: Rect { x0: x, y0: y, x1: x + w, y1: y + h }, score, pose }
    }

    fn upright(c: &Candidate) -> Report {
        Report::pose(c, Turn::None)
    }

    #[test]
    fn one_person_seen_by_every_pass_is_one() {
        let (a, b) = (somebody(0.4, 0.2, 0.5, 0.5, false), somebody(0.405, 0.195, 0.51, 0.4, false));
        let reports = vec![upright(&a), upright(&b), Report::pose(&b, Turn::Left), Report::detected(a.bbox, 0.8)];
        let all = gather(reports, 1.0, Passes::All);
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].upright, all[0].turned, all[0].detector), (0.5, 0.4, 0.8));
        let people = settle(all, 100, 100);
        assert_eq!(people.len(), 1);
        assert_eq!(people[0].posture, Posture::Standing);
        assert!(people[0].score > 0.9);
    }

    #[test]
    fn people_side_by_side_are_two_even_when_their_boxes_overlap() {
        let reports: Vec<_> = [0.4, 0.47].map(|x| upright(&somebody(x, 0.2, 0.5, 0.6, false))).to_vec();
        let mut all = gather(reports, 1.0, Passes::All);
        for (s, x) in all.iter_mut().zip([0.4, 0.47]) {
            s.seen_near(&[somebody(x, 0.2, 0.5, 0.6, false)], Turn::None, 1.0);
        }
        assert_eq!(settle(all, 100, 100).len(), 2);
    }

    #[test]
    fn a_part_that_the_detector_takes_for_somebody_is_nobody_else() {
        let lying = somebody(0.2, 0.7, 0.5, 0.4, true);
        let legs = Rect { x0: 0.45, ..lying.bbox };
        let mut all = gather(vec![upright(&lying), Report::detected(legs, 0.62)], 1.0, Passes::All);
        all[0].seen_near(&[lying], Turn::None, 1.0);
        let people = settle(all, 100, 100);
        assert_eq!(people.len(), 1);
        assert_eq!(people[0].posture, Posture::Lying);
    }

    #[test]
    fn a_weak_report_counts_only_when_the_second_look_confirms_it() {
        let weak = somebody(0.4, 0.2, 0.3, 0.15, false);
        let mut all = gather(vec![upright(&weak)], 1.0, Passes::All);
        assert_eq!(all[0].doubt(100, 100), Doubt::Near);
        all[0].seen_near(&[Candidate { score: 0.06, ..weak }], Turn::None, 1.0);
        assert!(settle(all.clone(), 100, 100).is_empty());
        all[0].seen_near(&[Candidate { score: 0.5, ..weak }], Turn::None, 1.0);
        assert_eq!(all[0].doubt_left(100, 100), Doubt::None);
        assert_eq!(settle(all, 100, 100).len(), 1);
    }

    #[test]
    fn who_lies_is_looked_at_with_the_picture_turned() {
        let lying = somebody(0.2, 0.7, 0.5, 0.25, true);
        let mut all = gather(vec![Report::pose(&lying, Turn::Left)], 1.0, Passes::All);
        assert_eq!(all[0].doubt(100, 100), Doubt::Near);
        all[0].seen_near(&[], Turn::None, 1.0);
        assert_eq!(all[0].doubt_left(100, 100), Doubt::NearTurned);
        all[0].seen_near(&[Candidate { score: 0.5, ..lying }], Turn::Left, 1.0);
        assert_eq!(settle(all, 100, 100)[0].posture, Posture::Lying);
    }

    #[test]
    fn without_the_detector_a_sure_pose_needs_no_second_look() {
        let all = gather(vec![upright(&somebody(0.4, 0.2, 0.5, 0.5, false))], 1.0, Passes::Few);
        assert_eq!(all[0].doubt(100, 100), Doubt::None);
        assert_eq!(settle(all, 100, 100).len(), 1);
        let all = gather(vec![upright(&somebody(0.4, 0.2, 0.5, 0.2, false))], 1.0, Passes::Few);
        assert_eq!(all[0].doubt(100, 100), Doubt::Near);
        assert!(settle(all, 100, 100).is_empty());
    }

    #[test]
    fn in_a_crowd_nobody_is_looked_at_twice() {
        let weak = somebody(0.4, 0.2, 0.3, 0.15, false);
        let reports = |detected| vec![upright(&weak), Report::detected(weak.bbox, detected)];
        for (detected, people) in [(0.3, 0), (0.4, 1)] {
            let all = gather(reports(detected), 1.0, Passes::Crowd);
            assert_eq!(all[0].doubt(100, 100), Doubt::None);
            assert_eq!(settle(all, 100, 100).len(), people, "{detected}");
        }
    }

    #[test]
    fn a_neighbour_seen_from_near_is_not_taken_for_the_person() {
        let mut all = gather(vec![upright(&somebody(0.3, 0.2, 0.5, 0.2, false))], 1.0, Passes::All);
        all[0].seen_near(&[somebody(0.55, 0.2, 0.5, 0.9, false)], Turn::None, 1.0);
        assert_eq!(all[0].near, 0.0);
    }

    #[test]
    fn surroundings_are_square_and_inside_of_the_picture() {
        let all = gather(vec![Report::detected(Rect { x0: 0.4, y0: 0.3, x1: 0.5, y1: 0.5 }, 0.5)], 2.0, Passes::All);
        let v = all[0].surroundings(200, 100);
        assert!(((v.x1 - v.x0) * 200.0 - 26.0).abs() < 1e-3 && ((v.y1 - v.y0) * 100.0 - 26.0).abs() < 1e-3, "{v:?}");
        let all = gather(vec![Report::detected(Rect { x0: -0.1, y0: 0.0, x1: 0.9, y1: 1.2 }, 0.5)], 2.0, Passes::All);
        let v = all[0].surroundings(200, 100);
        assert_eq!((v.x0, v.y0, v.y1), (0.0, 0.0, 1.0));
    }

    #[test]
    fn what_is_far_from_any_evidence_is_not_looked_at_twice() {
        let all = gather(vec![Report::detected(Rect { x0: 0.4, y0: 0.3, x1: 0.5, y1: 0.5 }, 0.61)], 1.0, Passes::All);
        assert_eq!(settle(all, 100, 100).len(), 1, "a sure detector alone is enough");
        let mut nobody = gather(vec![Report::detected(Rect { x0: 0.4, y0: 0.3, x1: 0.5, y1: 0.5 }, 0.25)], 1.0, Passes::All);
        nobody[0].seen_near(&[], Turn::None, 1.0);
        assert!(settle(nobody, 100, 100).is_empty());
    }
}
