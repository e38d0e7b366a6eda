//! How somebody holds the body, from the key points in the picture's plane.
//!
//! Lying is told by two lines: from the hips to the shoulders and from the feet (or knees) to the shoulders. Both of them must lie flat. Who bends has
//! the first one flat and the second one steep; who sits with the legs stretched out has the first one steep. The box's shape says nothing: a head
//! and shoulders near the camera are wider than high.
//!
//! Measured on 39 lying and 199 upright cut-outs of people from Intel's sample videos in front of five rooms and yards: the lines of those who lie were
//! 69° and 71° or more from the vertical, those of the upright 22° or less; the limits stand between. Who lies with the feet towards the camera shows
//! steep lines and is not told from somebody who stands: the picture does not show it.
use crate::sight::{KeyPoint, Pose, Posture, joint};

/// A joint below this score is not used at all.
const LEAST: f32 = 0.1;
/// Shoulders and hips below this score do not tell that somebody lies.
const SURE: f32 = 0.25;
/// Joints below this score tell nothing about how somebody stands or sits.
const CLEAR: f32 = 0.2;
/// Degrees from the vertical: a torso flatter than this may be that of somebody who lies.
const FLAT_TORSO: f32 = 50.0;
/// The same for the line from feet to shoulders.
const FLAT_BODY: f32 = 55.0;
/// The same for torso and neck when no leg is seen.
const FLAT_WITHOUT_LEGS: f32 = 65.0;

/// A line of the body from a lower to an upper point.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// 0: straight up, 90: flat, 180: straight down.
    degrees: f32,
    /// In pixels.
    length: f32,
    /// How far the upper end is above the lower one, in pixels; negative when it is below.
    rise: f32,
    score: f32,
}

/// What the key points tell of the body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Body {
    /// Hips to shoulders.
    torso: Option<Line>,
    /// Shoulders to head.
    neck: Option<Line>,
    /// Knees to hips.
    thigh: Option<Line>,
    /// Feet, or knees when no foot is seen, to hips.
    leg: Option<Line>,
    /// Feet, or knees, to shoulders.
    whole: Option<Line>,
}

/// `width` and `height` of the picture in pixels; only their ratio matters.
pub fn body(pose: &Pose, width: u32, height: u32) -> Body {
    let place = |p: KeyPoint| (p.x * width as f32, p.y * height as f32);
    // The middle of a pair, nearer to the one that is surer; as sure as that one.
    let pair = |a: usize, b: usize| {
        let (a, b) = (pose[a], pose[b]);
        let score = a.score.max(b.score);
        let (wa, wb) = (a.score * a.score, b.score * b.score);
        let ((ax, ay), (bx, by)) = (place(a), place(b));
        (score >= LEAST).then(|| (((ax * wa + bx * wb) / (wa + wb), (ay * wa + by * wb) / (wa + wb)), score))
    };
    let shoulders = pair(joint::LEFT_SHOULDER, joint::RIGHT_SHOULDER);
    let hips = pair(joint::LEFT_HIP, joint::RIGHT_HIP);
    let knees = pair(joint::LEFT_KNEE, joint::RIGHT_KNEE);
    let feet = pair(joint::LEFT_ANKLE, joint::RIGHT_ANKLE).or(knees);
    let head: Vec<KeyPoint> = pose[joint::NOSE..=joint::RIGHT_EAR].iter().copied().filter(|p| p.score >= LEAST).collect();
    let head = (!head.is_empty()).then(|| {
        let n = head.len() as f32;
        let (x, y) = head.iter().fold((0.0, 0.0), |(x, y), p| (x + place(*p).0, y + place(*p).1));
        ((x / n, y / n), head.iter().map(|p| p.score).fold(0.0, f32::max))
    });
    let line = |from: Option<((f32, f32), f32)>, to: Option<((f32, f32), f32)>| {
        let (((fx, fy), fs), ((tx, ty), ts)) = (from?, to?);
        let (aside, rise) = ((tx - fx).abs(), fy - ty);
        Some(Line { degrees: aside.atan2(rise).to_degrees(), length: aside.hypot(rise), rise, score: fs.min(ts) })
    };
    Body {
        torso: line(hips, shoulders),
        neck: line(shoulders, head),
        thigh: line(knees, hips),
        leg: line(feet, hips),
        whole: line(feet, shoulders),
    }
}

impl Body {
    /// The torso stands: nothing speaks for somebody who lies.
    pub fn upright(&self) -> bool {
        self.torso.is_some_and(|t| t.degrees < 35.0)
    }

    /// `turned`: the models know this body better with the picture turned by a quarter than as it is.
    pub fn lies(&self, turned: bool) -> bool {
        let Some(torso) = self.torso.filter(|t| t.score >= SURE && t.degrees > FLAT_TORSO) else {
            return false;
        };
        match self.whole {
            Some(whole) => {
                // On hands and knees the thighs stand and the shins do not.
                let legs_in_line = self.thigh.is_none_or(|t| t.degrees > 40.0) || self.leg.is_some_and(|l| l.degrees > 65.0);
                whole.degrees > FLAT_BODY && legs_in_line
            }
            None => turned && torso.degrees > FLAT_WITHOUT_LEGS && self.neck.is_some_and(|n| n.degrees > FLAT_WITHOUT_LEGS - 20.0),
        }
    }

    pub fn posture(&self, turned: bool) -> Posture {
        if self.lies(turned) {
            return Posture::Lying;
        }
        let clear = |line: Option<Line>| line.filter(|l| l.score >= CLEAR);
        let (Some(torso), Some(thigh), Some(leg)) = (clear(self.torso), clear(self.thigh), clear(self.leg)) else {
            return Posture::Unknown;
        };
        // How high the hips are above the feet, in lengths of the torso: about 1.6 for who stands.
        let hips = leg.rise / torso.length.max(1.0);
        match () {
            () if torso.degrees > 45.0 && leg.degrees < 45.0 => Posture::Bending,
            () if torso.degrees > 60.0 => Posture::Unknown,
            () if hips < 0.5 && torso.degrees < 60.0 && leg.degrees < 60.0 => Posture::Crouching,
            // Seen from the side the thighs lie, seen from the front they are short.
            () if thigh.degrees > 50.0 || thigh.rise < 0.4 * torso.length => Posture::Sitting,
            () if torso.degrees < 40.0 && leg.degrees < 35.0 => Posture::Standing,
            () => Posture::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body in a picture of 200 x 100 pixels from head, shoulders, hips, knees and feet, given in pixels; `None` is not seen.
    fn posture_of(places: [Option<(f32, f32)>; 5], turned: bool) -> Posture {
        let mut pose = Pose::default();
        let joints: [&[usize]; 5] = [
            &[joint::NOSE, joint::LEFT_EAR],
            &[joint::LEFT_SHOULDER, joint::RIGHT_SHOULDER],
            &[joint::LEFT_HIP, joint::RIGHT_HIP],
            &[joint::LEFT_KNEE, joint::RIGHT_KNEE],
            &[joint::LEFT_ANKLE, joint::RIGHT_ANKLE],
        ];
        for (place, joints) in places.iter().zip(joints) {
            for j in joints {
                pose[*j] = place.map_or(KeyPoint::default(), |(x, y)| KeyPoint { x: x / 200.0, y: y / 100.0, score: 0.6 });
            }
        }
        body(&pose, 200, 100).posture(turned)
    }

    fn all(places: [(f32, f32); 5]) -> Posture {
        posture_of(places.map(Some), false)
    }

    #[test]
    fn bodies_are_told_by_their_lines() {
        assert_eq!(all([(50.0, 10.0), (50.0, 20.0), (50.0, 45.0), (51.0, 65.0), (50.0, 85.0)]), Posture::Standing);
        assert_eq!(all([(20.0, 80.0), (35.0, 82.0), (65.0, 84.0), (90.0, 82.0), (115.0, 86.0)]), Posture::Lying);
        assert_eq!(all([(115.0, 86.0), (90.0, 82.0), (65.0, 84.0), (40.0, 70.0), (20.0, 84.0)]), Posture::Lying);
        assert_eq!(all([(80.0, 55.0), (75.0, 50.0), (50.0, 45.0), (50.0, 65.0), (50.0, 85.0)]), Posture::Bending);
        assert_eq!(all([(50.0, 20.0), (50.0, 30.0), (50.0, 60.0), (75.0, 62.0), (76.0, 85.0)]), Posture::Sitting);
        assert_eq!(all([(50.0, 20.0), (50.0, 30.0), (50.0, 60.0), (52.0, 68.0), (52.0, 88.0)]), Posture::Sitting);
        assert_eq!(all([(55.0, 40.0), (53.0, 48.0), (50.0, 75.0), (65.0, 68.0), (55.0, 86.0)]), Posture::Crouching);
    }

    #[test]
    fn neither_all_fours_nor_stretched_legs_nor_a_bow_is_lying() {
        for places in [
            [(95.0, 55.0), (85.0, 60.0), (55.0, 60.0), (55.0, 80.0), (38.0, 84.0)],
            [(50.0, 30.0), (50.0, 40.0), (50.0, 70.0), (75.0, 72.0), (98.0, 74.0)],
            [(85.0, 60.0), (80.0, 50.0), (50.0, 42.0), (52.0, 62.0), (50.0, 86.0)],
            // Leaning over a table, the legs straight.
            [(85.0, 40.0), (75.0, 45.0), (50.0, 60.0), (47.0, 75.0), (45.0, 92.0)],
        ] {
            assert_ne!(all(places), Posture::Lying, "{places:?}");
        }
    }

    #[test]
    fn head_first_towards_the_camera_is_lying() {
        assert_eq!(all([(52.0, 90.0), (51.0, 80.0), (50.0, 55.0), (50.0, 40.0), (50.0, 30.0)]), Posture::Lying);
    }

    #[test]
    fn without_legs_only_the_turned_picture_tells() {
        let places = [Some((20.0, 80.0)), Some((35.0, 82.0)), Some((70.0, 84.0)), None, None];
        assert_eq!(posture_of(places, true), Posture::Lying);
        assert_eq!(posture_of(places, false), Posture::Unknown);
        let leaning = [Some((45.0, 20.0)), Some((40.0, 40.0)), Some((70.0, 50.0)), None, None];
        assert_ne!(posture_of(leaning, true), Posture::Lying, "the head is above the shoulders");
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        assert_eq!(posture_of([None; 5], true), Posture::Unknown);
        assert_eq!(posture_of([Some((50.0, 10.0)), Some((50.0, 20.0)), Some((50.0, 45.0)), None, None], false), Posture::Unknown);
    }

    #[test]
    fn the_shape_of_the_picture_is_taken_into_account() {
        // 45° in shares of the sides is flat in a picture that is four times as wide as high.
        let mut pose = Pose::default();
        for (joints, at) in [([5, 6], 0.2), ([11, 12], 0.4), ([13, 14], 0.5), ([15, 16], 0.6)] {
            for j in joints {
                pose[j] = KeyPoint { x: at, y: at, score: 0.6 };
            }
        }
        assert!(body(&pose, 400, 100).lies(false));
        assert!(!body(&pose, 100, 100).lies(false));
    }
}
