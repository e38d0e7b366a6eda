//! How tall somebody is, from one frame of a calibrated camera, and whether that is an adult or a child under three.
//!
//! Somebody who stands upright is measured: the ankles show the place on the floor, the head how far above it. For other postures the height is
//! only narrowed down, by how high the head is and how long the trunk or the whole body appears. Each answer carries a standard deviation, made of that of
//! the camera, of the key points and of people's proportions; nothing is decided here but by probability.
//!
//! Children of 12 to 36 months are 0.69 to 1.09 m tall (boys, three standard deviations to either side, 中国7岁以下儿童生长发育参照标准 2009: 68.6 cm at 12 months,
//! 109.4 cm at 36; girls are a little smaller. WS/T 423-2022 has replaced that table; its own figures were not at hand). Adults below 1.40 m are rarer
//! than errors of measure. The border lies in the middle, where hardly anybody is.
use super::body::{At, Body};
use super::floor::{Floor, Mount};
use crate::sight::Posture;

/// Metres. Between the tallest child and the smallest adult.
pub const BORDER: f64 = 1.25;
/// Of the ankle joint above the sole: 0.04 m of a toddler, 0.07 m of an adult.
const ANKLE: f64 = 0.055;
/// From the ears to the top of the head: 0.10 m of a toddler, 0.13 m of an adult.
const CROWN: f64 = 0.115;
/// Height of the joints of who lies.
const LYING: f64 = 0.1;
/// Of the trunk from hips to shoulders, in statures (Drillis and Contini, 1966: 0.818 - 0.530), and how much people differ.
const TRUNK: f64 = 0.288;
const TRUNK_SPREAD: f64 = 0.15;
/// Errors of a key point, in box heights. Of the model on people who stand still: 0.003 from frame to frame, and 0.01 to 0.02 of one person against another
/// (`script/eye.rs`).
const POINT: f64 = 0.015;

/// Where hips and knees of somebody upright are, in heights of the ears: 0.50 and 0.26 of toddlers to 0.57 and 0.31 of adults, and the errors of key
/// points. Who sits with the legs towards the camera comes near to it.
const HIPS: std::ops::RangeInclusive<f64> = 0.45..=0.66;
const KNEES: std::ops::RangeInclusive<f64> = 0.19..=0.39;

/// A height and how sure it is. Metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    pub metres: f64,
    pub spread: f64,
    /// Measured on somebody upright; else only narrowed down.
    pub standing: bool,
}

impl Size {
    /// Probability of being an adult. It never reaches certainty: one key point in a thousand is elsewhere.
    pub fn adult(&self) -> f64 {
        normal((self.metres - BORDER) / self.spread).clamp(0.001, 0.999)
    }
}

/// The normal distribution's probability below `z` (Abramowitz and Stegun 26.2.17, within 1e-7).
fn normal(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let poly = t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = 0.398_942_280_4 * (-z * z / 2.0).exp() * poly;
    if z >= 0.0 { 1.0 - tail } else { tail }
}

/// The body's points that heights are taken from, all in shares of the picture.
#[derive(Debug, Clone, Copy)]
struct Points {
    ankles: At,
    head: At,
    hips: Option<At>,
    knees: Option<At>,
    shoulders: Option<At>,
}

/// What one frame says of somebody's height. `None` when ankles or head are not seen, or the floor is not.
pub fn measure(floor: &Floor, body: &Body) -> Option<Size> {
    let points = Points { ankles: body.ankles()?, head: body.head()?, hips: body.hips(), knees: body.knees(), shoulders: body.shoulders() };
    let posture = posture(floor, body.person.posture, &points);
    let value = |mount: &Mount, p: &Points| match posture {
        Posture::Standing => upright(floor, mount, p),
        Posture::Lying => length(floor, mount, p),
        Posture::Bending => by_hips(floor, mount, p),
        Posture::Sitting | Posture::Crouching => by_head(floor, mount, p),
        Posture::Unknown => None,
    };
    let metres = value(&floor.mount, &points)?;
    let mut square = own_spread(posture, metres).powi(2);
    for mount in &floor.mounts()[1..] {
        square += (value(mount, &points)? - metres).powi(2);
    }
    let by = POINT * f64::from(body.size());
    let moved = |p: At| (p.0, p.1 + by as f32);
    let feet = value(&floor.mount, &Points { ankles: moved(points.ankles), ..points })?;
    let head = value(&floor.mount, &Points { head: moved(points.head), ..points })?;
    square += (feet - metres).powi(2) + (head - metres).powi(2);
    let height = Size { metres, spread: square.sqrt(), standing: posture == Posture::Standing };
    let height = if matches!(posture, Posture::Sitting | Posture::Crouching) { with_trunk(floor, &points, height) } else { height };
    (height.metres.is_finite() && height.spread.is_finite() && (0.2..=3.0).contains(&height.metres)).then_some(height)
}

/// The spread of people's proportions and of what the posture leaves open.
fn own_spread(posture: Posture, metres: f64) -> f64 {
    match posture {
        // Hair, shoes, knees not quite straight.
        Posture::Standing | Posture::Unknown => 0.04,
        Posture::Lying => 0.11 * metres,
        Posture::Bending => 0.10 * metres,
        Posture::Sitting => 0.13 * metres,
        Posture::Crouching => 0.13 * metres,
    }
}

/// Who is called standing must have hips and knees where somebody upright has them; who is called nothing and has them, stands.
fn posture(floor: &Floor, said: Posture, p: &Points) -> Posture {
    if !matches!(said, Posture::Standing | Posture::Unknown) {
        return said;
    }
    let share = |at: Option<At>| {
        let place = floor.mount.ground(floor.point(p.ankles), ANKLE)?;
        let head = floor.mount.above(place, floor.point(p.head))?;
        Some(floor.mount.above(place, floor.point(at?))? / head)
    };
    match (share(p.hips), share(p.knees)) {
        (Some(hips), Some(knees)) if HIPS.contains(&hips) && KNEES.contains(&knees) => Posture::Standing,
        (Some(hips), None) if said == Posture::Standing && HIPS.contains(&hips) => Posture::Standing,
        (None, _) if said == Posture::Standing => Posture::Standing,
        _ => Posture::Unknown,
    }
}

fn upright(floor: &Floor, mount: &Mount, p: &Points) -> Option<f64> {
    let place = mount.ground(floor.point(p.ankles), ANKLE)?;
    Some(mount.above(place, floor.point(p.head))? + CROWN)
}

/// Sitting on the floor or a chair, or crouching: the head is at 0.5 to 0.8 of the stature.
fn by_head(floor: &Floor, mount: &Mount, p: &Points) -> Option<f64> {
    Some(upright(floor, mount, p)? * 1.62)
}

/// Bending: the legs stand, the hips are at 0.53 of the stature of an adult, 0.48 of a toddler's.
fn by_hips(floor: &Floor, mount: &Mount, p: &Points) -> Option<f64> {
    let place = mount.ground(floor.point(p.ankles), ANKLE)?;
    Some(mount.above(place, floor.point(p.hips?))? / 0.51)
}

/// Lying: the way from head to feet along the floor, longer by what bent knees take.
fn length(floor: &Floor, mount: &Mount, p: &Points) -> Option<f64> {
    let (a, b) = (mount.ground(floor.point(p.ankles), 0.06)?, mount.ground(floor.point(p.head), 0.09)?);
    Some(((a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)).sqrt() * 1.12 + CROWN + 0.04)
}

/// Whether somebody of known height rather lies on the floor than stands on it: trunk and legs have their length along the floor, and as somebody
/// upright they would be too short. Close to the camera, where both fit, it says no.
pub fn lies(floor: &Floor, body: &Body, metres: f64) -> bool {
    let parts = || {
        let (ankles, head) = (body.ankles()?, body.head()?);
        let at = |p: At| floor.mount.ground(floor.point(p), LYING);
        let (a, h, s) = (at(ankles)?, at(body.hips()?)?, at(body.shoulders()?)?);
        let way = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).hypot(a.1 - b.1) / metres;
        let place = floor.mount.ground(floor.point(ankles), ANKLE)?;
        let upright = (floor.mount.above(place, floor.point(head))? + CROWN) / metres;
        let whole = way(a, at(head)?);
        Some((way(h, s), way(a, h), whole, upright))
    };
    // Somebody who sits with the legs towards the camera has the legs along the floor, and a head that seems to be farther off than they are long.
    parts().is_some_and(|(trunk, legs, whole, upright)| {
        (0.2..=0.37).contains(&trunk) && (0.28..=0.6).contains(&legs) && (0.62..=1.05).contains(&whole) && upright < 0.85
    })
}

/// Whether somebody of known height rather sits than lies: along the floor the trunk would be too long, upwards it has its length. Who sits with the back
/// to the camera has the feet above the hips on the picture, as somebody who lies may.
pub fn sits(floor: &Floor, body: &Body, metres: f64) -> bool {
    let parts = || {
        let (hips, shoulders) = (floor.point(body.hips()?), floor.point(body.shoulders()?));
        let place = floor.mount.ground(hips, LYING)?;
        let along = floor.mount.ground(shoulders, LYING).map_or(f64::INFINITY, |s| (s.0 - place.0).hypot(s.1 - place.1));
        let up = floor.mount.above(place, shoulders)? - LYING;
        Some((along / metres, up / metres))
    };
    parts().is_some_and(|(along, up)| along > 0.4 && (0.18..=0.42).contains(&up))
}

/// Two looks at the same height, weighed by their spreads.
fn with_trunk(floor: &Floor, p: &Points, height: Size) -> Size {
    let trunk = || {
        let place = floor.mount.ground(floor.point(p.ankles), ANKLE)?;
        let distance = floor.mount.distance(place, 0.4);
        let (a, b) = (floor.point(p.hips?), floor.point(p.shoulders?));
        let seen = ((a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)).sqrt() * floor.mount.span(distance);
        // Upright and seen from above it appears shorter.
        let down = (floor.mount.height() - 0.4) / distance;
        let foreshortened = (1.0 - down * down).max(0.0).sqrt();
        let metres = seen / foreshortened / TRUNK;
        // The trunk may be half a metre before or behind the feet, and lean.
        let spread = metres * (TRUNK_SPREAD.powi(2) + (0.35 / distance).powi(2)).sqrt();
        (foreshortened > 0.5 && metres.is_finite() && metres > 0.2).then_some((metres, spread))
    };
    let Some((metres, spread)) = trunk() else { return height };
    let (a, b) = (1.0 / height.spread.powi(2), 1.0 / spread.powi(2));
    let both = (height.metres * a + metres * b) / (a + b);
    // Where they disagree, one of them is wrong and it is not known which.
    let apart = (height.metres - metres).abs() / (height.spread.powi(2) + spread.powi(2)).sqrt();
    Size { metres: both, spread: (1.0 / (a + b)).sqrt() * apart.max(1.0), standing: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::script::plays::{Hazard, play};

    #[test]
    fn the_normal_distribution_is_as_in_the_tables() {
        for (z, p) in [(0.0, 0.5), (1.0, 0.841_345), (-1.96, 0.024_998), (3.0, 0.998_65)] {
            assert!((normal(z) - p).abs() < 1e-5, "{z}");
        }
    }

    /// Cameras, marks and people at random: what one frame says of somebody upright, in metres too much, with the spread that it claims.
    fn errors(child: bool, cameras: std::ops::Range<u64>) -> Vec<(f64, f64, Size)> {
        let mut out = Vec::new();
        for seed in cameras {
            // Two adults, or one of them with two children.
            let play = if child { play(Hazard::Unattended, true, seed * 5 + 1) } else { play(Hazard::Unattended, false, seed * 7 + 6) };
            let Some(play) = play else { continue };
            let Some(marks) = &play.camera.floor else { continue };
            let Ok(floor) = Floor::fit(marks, f64::from(play.eye.width) / f64::from(play.eye.height)) else { continue };
            let mut eye = play.eye.clone();
            for (i, actor) in play.actors.iter().enumerate().filter(|(_, a)| a.child == child) {
                // At the first moment all stand; the others are sent away.
                let mut alone = play.actors.clone();
                for (k, other) in alone.iter_mut().enumerate() {
                    if k != i {
                        other.until_s = -1.0;
                    }
                }
                let Some(sight) = eye.look(0.0, &alone, &[]) else { continue };
                let aspect = sight.width as f32 / sight.height as f32;
                let size = sight.people.iter().find(|p| p.pose.is_some()).and_then(|person| measure(&floor, &Body { person, aspect }));
                out.extend(size.filter(|s| s.standing).map(|s| (s.metres - actor.stature, s.spread, s)));
            }
        }
        out
    }

    #[test]
    fn standing_people_are_measured_within_a_tenth_of_a_metre_and_the_spread_is_honest() {
        for child in [false, true] {
            let errors = errors(child, 0..150);
            assert!(errors.len() > 100, "{}", errors.len());
            let n = errors.len() as f64;
            let rms = (errors.iter().map(|(e, ..)| e * e).sum::<f64>() / n).sqrt();
            let mean = errors.iter().map(|(e, ..)| e).sum::<f64>() / n;
            let within = |k: f64| errors.iter().filter(|(e, spread, _)| e.abs() <= k * spread).count() as f64 / n;
            let wrong = errors.iter().filter(|(.., s)| if child { s.adult() >= 0.9 } else { s.adult() <= 0.1 }).count();
            let sure = errors.iter().filter(|(.., s)| if child { s.adult() <= 0.1 } else { s.adult() >= 0.9 }).count();
            println!(
                "child {child}: n {n} mean {mean:.3} rms {rms:.3} m, within 1 spread {:.2}, 2 {:.2}; sure {sure}, wrong {wrong}",
                within(1.0),
                within(2.0)
            );
            assert!(rms < 0.1, "root of the mean square error {rms:.3} m");
            assert!(within(2.0) >= 0.9, "within two spreads {:.2}", within(2.0));
            assert_eq!(wrong, 0);
            assert!(sure as f64 > 0.9 * n, "sure of {sure} of {n}");
        }
    }
}
