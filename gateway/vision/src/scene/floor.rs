//! How the floor lies in the picture: from what an installer marked to metres.
//!
//! The camera is a pinhole in the middle of the picture with square pixels, that hangs above a flat floor. Four numbers describe it: focal length, tilt,
//! roll, height. They are found by least squares on the marked points, with what is known of cameras in rooms as a weak prior, so that three
//! carelessly marked places give a plausible camera with a wide uncertainty rather than an absurd one with a narrow one. That uncertainty is kept and
//! goes into every height that is measured later.
//!
//! Lenses that bend straight lines are not corrected: beyond about 100° of view heights near the picture's edge come out wrong by more than is stated.
use crate::fault::Fault;
use crate::setup;

/// How well a person marks a point, in picture heights: 5 of 1000 by hand, 0.3 by rounding.
const MARK: f64 = 0.005;
/// Largest misfit of a mark, in picture heights, root of the mean square: above it the marks are no flat floor.
const MISFIT: f64 = 0.02;
/// What is farther is not measured, metres.
const FAR: f64 = 30.0;

/// Mean and spread of cameras in rooms: ln of the focal length in picture heights (a 16:9 picture of 60° to 105° of view), tilt and roll in
/// radians, ln of the height in metres.
const PRIOR: [(f64, f64); 4] = [(-0.1, 0.35), (0.55, 0.35), (0.0, 0.05), (1.0, 0.3)];

/// A point of the picture in picture heights from its middle, y downwards.
pub type Point = (f64, f64);

/// Where a camera hangs and how it looks: ln focal length, tilt, roll, ln height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mount(pub [f64; 4]);

impl Mount {
    fn focal(&self) -> f64 {
        self.0[0].exp()
    }
    /// Metres above the floor.
    pub fn height(&self) -> f64 {
        self.0[3].exp()
    }

    /// The ray of a point: to the right, forwards, upwards.
    fn ray(&self, (u, v): Point) -> [f64; 3] {
        let ((sr, cr), (st, ct)) = (self.0[2].sin_cos(), self.0[1].sin_cos());
        let (u, v) = (u * cr + v * sr, v * cr - u * sr);
        let f = self.focal();
        [u, f * ct - v * st, -f * st - v * ct]
    }

    /// Where a place stands in the picture; `None` behind the camera.
    pub fn project(&self, [x, y, z]: [f64; 3]) -> Option<Point> {
        let ((sr, cr), (st, ct)) = (self.0[2].sin_cos(), self.0[1].sin_cos());
        let dz = z - self.height();
        let depth = y * ct - dz * st;
        if depth.is_nan() || depth < 0.05 {
            return None;
        }
        let (u, v) = (self.focal() * x / depth, self.focal() * (-y * st - dz * ct) / depth);
        Some((u * cr - v * sr, v * cr + u * sr))
    }

    /// The place at height `z` that a point shows; `None` at and above the horizon.
    pub fn ground(&self, point: Point, z: f64) -> Option<(f64, f64)> {
        let [x, y, down] = self.ray(point);
        let s = (z - self.height()) / down;
        let place = (s * x, s * y);
        (s > 0.0 && place.0.abs() < FAR && place.1.abs() < FAR).then_some(place)
    }

    /// How high above a place on the floor the point is that is seen there: where its ray comes nearest to the place's vertical.
    pub fn above(&self, (x, y): (f64, f64), point: Point) -> Option<f64> {
        let [rx, ry, rz] = self.ray(point);
        let flat = rx * rx + ry * ry;
        let s = (rx * x + ry * y) / flat;
        let z = self.height() + s * rz;
        (flat > 1e-9 && s > 0.0 && z.is_finite()).then_some(z)
    }

    /// Metres from the camera to a place.
    pub fn distance(&self, (x, y): (f64, f64), z: f64) -> f64 {
        (x * x + y * y + (z - self.height()).powi(2)).sqrt()
    }

    /// Metres that one picture height spans at a distance, across the view.
    pub fn span(&self, distance: f64) -> f64 {
        distance / self.focal()
    }
}

/// A calibrated camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Floor {
    pub mount: Mount,
    /// The directions in which the mount may be wrong, each by one standard deviation.
    pub doubt: [[f64; 4]; 4],
    /// Width by height of the picture.
    pub aspect: f64,
    /// Root of the mean square by which the marks miss, in picture heights.
    pub misfit: f64,
}

/// What is wrong with the marks whatever the camera's picture is shaped like, and what to do.
pub fn check(floor: &setup::Floor) -> Option<Fault> {
    if let Some(what) = check_marks(floor) {
        return Some(what);
    }
    // The picture's shape is known with the first frame only.
    let mut said = None;
    for aspect in [16.0 / 9.0, 4.0 / 3.0, 1.0, 9.0 / 16.0] {
        match Floor::fit(floor, aspect) {
            Ok(_) => return None,
            Err(what) => said = said.or(Some(what)),
        }
    }
    said
}

fn check_marks(floor: &setup::Floor) -> Option<Fault> {
    let outside = |c: &setup::Corner| c.iter().any(|v| *v > 1000);
    match floor {
        setup::Floor::Walked { height_cm, places } => {
            if !(100..=220).contains(height_cm) {
                return Some(Fault::Tall { cm: *height_cm });
            }
            if !setup::PLACES.contains(&places.len()) {
                return Some(Fault::Places { n: places.len() });
            }
            for (i, [feet, head]) in places.iter().enumerate() {
                if outside(feet) || outside(head) {
                    return Some(Fault::PlaceOutside { place: i + 1 });
                }
                if head[1] + 50 > feet[1] {
                    return Some(Fault::HeadBelowFeet { place: i + 1 });
                }
            }
            let feet: Vec<_> = places.iter().map(|[feet, _]| feet.map(f64::from)).collect();
            let doubled = |a: &[f64; 2], b: &[f64; 2], c: &[f64; 2]| ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])).abs();
            let widest = feet.iter().flat_map(|a| feet.iter().map(move |b| (a, b)));
            let widest = widest.flat_map(|(a, b)| feet.iter().map(move |c| doubled(a, b, c))).fold(0.0, f64::max);
            (widest < 20_000.0).then_some(Fault::InLine)
        }
        setup::Floor::Rectangle { corners, width_cm, depth_cm, camera_cm } => {
            if let Some(i) = corners.iter().position(outside) {
                return Some(Fault::CornerOutside { corner: i + 1 });
            }
            if [width_cm, depth_cm].iter().any(|s| !(50..=3000).contains(*s)) {
                return Some(Fault::Sides { width_cm: *width_cm, depth_cm: *depth_cm });
            }
            if !(100..=800).contains(camera_cm) {
                return Some(Fault::Hangs { cm: *camera_cm });
            }
            let outline = setup::Area { kind: setup::AreaKind::Room, zone: None, corners: corners.to_vec() };
            super::area::check(&outline)
        }
    }
}

impl Floor {
    /// # Errors
    /// The marks do not fit a flat floor before this camera; it says what to do.
    pub fn fit(floor: &setup::Floor, aspect: f64) -> Result<Floor, Fault> {
        if let Some(what) = check_marks(floor) {
            return Err(what);
        }
        let point = |[x, y]: setup::Corner| ((f64::from(x) / 1000.0 - 0.5) * aspect, f64::from(y) / 1000.0 - 0.5);
        let mut prior = PRIOR;
        let best = match floor {
            setup::Floor::Walked { height_cm, places } => {
                let tall = f64::from(*height_cm) / 100.0;
                let places: Vec<(Point, Point)> = places.iter().map(|[feet, head]| (point(*feet), point(*head))).collect();
                least(&prior, 2 * places.len(), |mount, out| {
                    for (feet, head) in &places {
                        let seen = mount.ground(*feet, 0.0).and_then(|(x, y)| mount.project([x, y, tall]));
                        // Both marks are uncertain.
                        miss(seen, *head, MARK * std::f64::consts::SQRT_2, out);
                    }
                })
            }
            setup::Floor::Rectangle { corners, width_cm, depth_cm, camera_cm } => {
                // A measuring tape at the ceiling: 3 %.
                prior[3] = ((f64::from(*camera_cm) / 100.0).ln(), 0.03);
                let (w, d) = (f64::from(*width_cm) / 100.0, f64::from(*depth_cm) / 100.0);
                let marked = corners.map(point);
                least(&prior, 8, |mount, out| {
                    let laid = rectangle(mount, &marked, w, d);
                    for (i, mark) in marked.iter().enumerate() {
                        miss(laid.and_then(|l| mount.project([l[i].0, l[i].1, 0.0])), *mark, MARK, out);
                    }
                })
            }
        };
        let Some((mount, doubt, misfit)) = best else {
            return Err(Fault::NoCamera);
        };
        let tilt = mount.0[1].to_degrees();
        if misfit > MISFIT {
            return Err(Fault::Misses { permille: (misfit * 1000.0).round() as u32, most_percent: (MISFIT * 100.0).round() as u32 });
        }
        if !(-10.0..=89.0).contains(&tilt) || !(0.8..=9.0).contains(&mount.height()) {
            return Err(Fault::Absurd { cm: (mount.height() * 100.0).round() as i32, degrees: tilt.round() as i32 });
        }
        Ok(Floor { mount, doubt, aspect, misfit })
    }

    /// A point in shares of the picture, as [`Mount`] wants it.
    pub fn point(&self, (x, y): (f32, f32)) -> Point {
        ((f64::from(x) - 0.5) * self.aspect, f64::from(y) - 0.5)
    }

    /// The mount, and the mounts that it may as well be, each one standard deviation away.
    pub fn mounts(&self) -> [Mount; 5] {
        let mut all = [self.mount; 5];
        for (other, doubt) in all.iter_mut().skip(1).zip(&self.doubt) {
            for (value, by) in other.0.iter_mut().zip(doubt) {
                *value += by;
            }
        }
        all
    }
}

/// How far a mark is from where it should be, in standard deviations; far away where it could not be at all.
fn miss(should: Option<Point>, is: Point, spread: f64, out: &mut Vec<f64>) {
    let (du, dv) = should.map_or((1.0, 1.0), |(u, v)| ((u - is.0).clamp(-2.0, 2.0), (v - is.1).clamp(-2.0, 2.0)));
    out.extend([du / spread, dv / spread]);
}

/// The rectangle's corners on the floor, turned and moved to where the marks show it best.
fn rectangle(mount: &Mount, marked: &[Point; 4], w: f64, d: f64) -> Option<[(f64, f64); 4]> {
    let mut seen = [(0.0, 0.0); 4];
    for (place, mark) in seen.iter_mut().zip(marked) {
        *place = mount.ground(*mark, 0.0)?;
    }
    let middle = seen.iter().fold((0.0, 0.0), |m, p| (m.0 + p.0 / 4.0, m.1 + p.1 / 4.0));
    let turning: f64 = (0..4).map(|i| seen[i].0 * seen[(i + 1) % 4].1 - seen[(i + 1) % 4].0 * seen[i].1).sum();
    // The corners may have been marked either way round.
    let d = d.copysign(turning);
    let own = [(-w / 2.0, -d / 2.0), (w / 2.0, -d / 2.0), (w / 2.0, d / 2.0), (-w / 2.0, d / 2.0)];
    let (mut along, mut across) = (0.0, 0.0);
    for (p, q) in own.iter().zip(&seen) {
        let q = (q.0 - middle.0, q.1 - middle.1);
        along += p.0 * q.0 + p.1 * q.1;
        across += p.0 * q.1 - p.1 * q.0;
    }
    let (s, c) = across.atan2(along).sin_cos();
    Some(own.map(|p| (middle.0 + p.0 * c - p.1 * s, middle.1 + p.0 * s + p.1 * c)))
}

type Matrix = [[f64; 4]; 4];

/// Levenberg-Marquardt from several starts: the best mount, its standard deviations as columns, and the misfit of the marks.
fn least(prior: &[(f64, f64); 4], marks: usize, residuals: impl Fn(&Mount, &mut Vec<f64>)) -> Option<(Mount, Matrix, f64)> {
    let all = |at: &[f64; 4]| {
        let mut out = Vec::with_capacity(marks + 4);
        residuals(&Mount(*at), &mut out);
        out.extend(at.iter().zip(prior).map(|(v, (mean, spread))| (v - mean) / spread));
        out
    };
    let cost = |r: &[f64]| r.iter().map(|v| v * v).sum::<f64>();
    let mut best: Option<([f64; 4], f64)> = None;
    for tilt in [0.15, 0.45, 0.8, 1.2] {
        for ln_focal in [-0.5, 0.2] {
            let mut at = [ln_focal, tilt, 0.0, prior[3].0];
            let mut r = all(&at);
            let mut damping = 1e-2;
            for _ in 0..60 {
                let (normal, gradient) = normal_equations(&at, &r, &all);
                let mut damped = normal;
                for (i, row) in damped.iter_mut().enumerate() {
                    row[i] *= 1.0 + damping;
                }
                let Some(step) = solve(damped, gradient) else { break };
                let next: [f64; 4] = std::array::from_fn(|i| at[i] - step[i]);
                let there = all(&next);
                if cost(&there) < cost(&r) {
                    let small = cost(&r) - cost(&there) < 1e-9 * cost(&r);
                    (at, r, damping) = (next, there, damping * 0.3);
                    if small {
                        break;
                    }
                } else {
                    damping *= 5.0;
                    if damping > 1e9 {
                        break;
                    }
                }
            }
            let found = cost(&r);
            if found.is_finite() && best.as_ref().is_none_or(|(_, c)| found < *c) {
                best = Some((at, found));
            }
        }
    }
    let (at, _) = best?;
    let r = all(&at);
    let (normal, _) = normal_equations(&at, &r, &all);
    let doubt = root_of_inverse(normal)?;
    // Residuals are in standard deviations of a mark; each mark has two.
    let misfit = (r[..marks].iter().map(|v| v * v).sum::<f64>() / (marks as f64 / 2.0)).sqrt() * MARK;
    at.iter().chain(doubt.iter().flatten()).all(|v| v.is_finite()).then_some((Mount(at), doubt, misfit))
}

fn normal_equations(at: &[f64; 4], r: &[f64], all: &impl Fn(&[f64; 4]) -> Vec<f64>) -> (Matrix, [f64; 4]) {
    const STEP: f64 = 1e-5;
    let slopes: [Vec<f64>; 4] = std::array::from_fn(|i| {
        let (mut more, mut less) = (*at, *at);
        more[i] += STEP;
        less[i] -= STEP;
        all(&more).iter().zip(all(&less)).map(|(a, b)| (a - b) / (2.0 * STEP)).collect()
    });
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    (std::array::from_fn(|i| std::array::from_fn(|k| dot(&slopes[i], &slopes[k]))), std::array::from_fn(|i| dot(&slopes[i], r)))
}

/// Gauss with pivots.
fn solve(mut a: Matrix, mut b: [f64; 4]) -> Option<[f64; 4]> {
    for i in 0..4 {
        let pivot = (i..4).max_by(|p, q| a[*p][i].abs().total_cmp(&a[*q][i].abs()))?;
        let largest = a[pivot][i].abs();
        if largest.is_nan() || largest < 1e-12 {
            return None;
        }
        a.swap(i, pivot);
        b.swap(i, pivot);
        for k in i + 1..4 {
            let by = a[k][i] / a[i][i];
            let above = a[i];
            for (value, from) in a[k].iter_mut().zip(above).skip(i) {
                *value -= by * from;
            }
            b[k] -= by * b[i];
        }
    }
    for i in (0..4).rev() {
        let known: f64 = (i + 1..4).map(|j| a[i][j] * b[j]).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    Some(b)
}

/// Rows `d` with `sum of d dT` the inverse of `a`: the inverse's Cholesky factor by columns.
fn root_of_inverse(a: Matrix) -> Option<Matrix> {
    // Symmetric: its columns are its rows.
    let mut inverse = [[0.0; 4]; 4];
    for (i, row) in inverse.iter_mut().enumerate() {
        *row = solve(a, std::array::from_fn(|k| f64::from(u8::from(i == k))))?;
    }
    let mut l = [[0.0; 4]; 4];
    for i in 0..4 {
        for k in 0..=i {
            let known: f64 = (0..k).map(|j| l[i][j] * l[k][j]).sum();
            let left = inverse[i][k] - known;
            if i == k {
                if left.is_nan() || left < 0.0 {
                    return None;
                }
                l[i][i] = left.sqrt();
            } else {
                l[i][k] = if l[k][k] > 0.0 { left / l[k][k] } else { 0.0 };
            }
        }
    }
    Some(std::array::from_fn(|i| std::array::from_fn(|k| l[k][i])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WIDE: f64 = 16.0 / 9.0;

    fn mount(tilt: f64, up: f64) -> Mount {
        Mount([0.0, f64::to_radians(tilt), 0.01, up.ln()])
    }

    fn corner(mount: &Mount, place: [f64; 3]) -> setup::Corner {
        let (u, v) = mount.project(place).unwrap();
        [((u / WIDE + 0.5) * 1000.0).round() as u16, ((v + 0.5) * 1000.0).round() as u16]
    }

    fn walked(mount: &Mount, tall: f64) -> setup::Floor {
        let places = [[-1.2, 2.5, 0.0], [1.3, 2.6, 0.0], [0.2, 5.0, 0.0], [-1.0, 4.0, 0.0]];
        let places = places.map(|[x, y, _]| [corner(mount, [x, y, 0.0]), corner(mount, [x, y, tall])]).to_vec();
        setup::Floor::Walked { height_cm: (tall * 100.0).round() as u16, places }
    }

    #[test]
    fn a_point_goes_to_the_floor_and_back() {
        let m = mount(35.0, 2.6);
        for place in [[0.0, 3.0, 0.0], [1.5, 4.0, 0.9], [-1.0, 2.0, 0.3]] {
            let point = m.project(place).unwrap();
            let ground = m.ground(point, place[2]).unwrap();
            assert!((ground.0 - place[0]).abs() < 1e-9 && (ground.1 - place[1]).abs() < 1e-9);
            assert!((m.above((place[0], place[1]), point).unwrap() - place[2]).abs() < 1e-9);
        }
        assert_eq!(mount(10.0, 2.6).ground((0.0, -0.4), 0.0), None, "above the horizon");
        assert_eq!(m.project([0.0, -5.0, 0.0]), None, "behind the camera");
    }

    #[test]
    fn a_walked_person_calibrates_the_camera() {
        for (tilt, up) in [(20.0, 2.2), (28.0, 2.7), (36.0, 3.2)] {
            let truth = mount(tilt, up);
            let floor = Floor::fit(&walked(&truth, 1.65), WIDE).unwrap();
            assert!((floor.mount.height() / up - 1.0).abs() < 0.1, "{:?}", floor.mount);
            assert!(floor.misfit < 0.003);
            // What counts: a child of 0.9 m at another place.
            let (feet, head) = (truth.project([0.8, 3.5, 0.0]).unwrap(), truth.project([0.8, 3.5, 0.9]).unwrap());
            let height = floor.mount.above(floor.mount.ground(feet, 0.0).unwrap(), head).unwrap();
            assert!((height - 0.9).abs() < 0.03, "{tilt} {up}: {height}");
        }
    }

    #[test]
    fn a_rectangle_calibrates_the_camera_whichever_way_round_it_was_marked() {
        let truth = mount(35.0, 2.7);
        let corners = [[-0.9, 2.6, 0.0], [0.9, 2.6, 0.0], [0.9, 4.1, 0.0], [-0.9, 4.1, 0.0]].map(|p| corner(&truth, p));
        // First along the width, either way round.
        for corners in [corners, [corners[1], corners[0], corners[3], corners[2]]] {
            let marks = setup::Floor::Rectangle { corners, width_cm: 180, depth_cm: 150, camera_cm: 270 };
            let floor = Floor::fit(&marks, WIDE).unwrap();
            assert!((floor.mount.0[1] - truth.0[1]).abs() < 0.04, "{:?}", floor.mount);
        }
    }

    #[test]
    fn marks_that_are_no_flat_floor_are_refused_with_what_to_do() {
        let says = |floor: &setup::Floor, what: &str| {
            let said = check(floor).map(|f| f.to_string()).unwrap_or_default();
            assert!(said.contains(what), "{said:?}");
        };
        let setup::Floor::Walked { places, .. } = walked(&mount(35.0, 2.7), 1.65) else { unreachable!() };
        let walked = |places: Vec<[setup::Corner; 2]>| setup::Floor::Walked { height_cm: 165, places };
        assert_eq!(check(&walked(places.clone())), None);
        says(&walked(places[..2].to_vec()), "mark 3 to 32");
        says(&setup::Floor::Walked { height_cm: 60, places: places.clone() }, "100 to 220");
        says(&walked(vec![[[100, 500], [100, 200]], [[300, 500], [300, 200]], [[600, 501], [600, 200]]]), "in one line");
        says(&walked(places.iter().map(|[feet, head]| [*head, *feet]).collect()), "the feet come first");
        // The far one taller than the near one.
        says(&walked(vec![[[300, 900], [300, 800]], [[700, 850], [700, 750]], [[500, 600], [500, 100]]]), "mark");
        let crossed = [[100, 900], [700, 500], [900, 900], [300, 500]];
        says(&setup::Floor::Rectangle { corners: crossed, width_cm: 100, depth_cm: 100, camera_cm: 250 }, "crosses itself");
        says(
            &setup::Floor::Rectangle {
                corners: [[100, 900], [900, 900], [700, 500], [300, 500]],
                width_cm: 10,
                depth_cm: 100,
                camera_cm: 250,
            },
            "50 to 3000",
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_marks_panic_and_a_fit_is_of_numbers(
            height_cm in 90_u16..230,
            places in proptest::collection::vec(any::<[[u16; 2]; 2]>().prop_map(|p| p.map(|c| c.map(|v| v % 1001))), 0..6),
            aspect in 0.3_f64..4.0,
        ) {
            if let Ok(floor) = Floor::fit(&setup::Floor::Walked { height_cm, places }, aspect) {
                prop_assert!(floor.mount.0.iter().all(|v| v.is_finite()));
                prop_assert!(floor.mounts().iter().flat_map(|m| m.0).all(f64::is_finite));
            }
        }
    }
}
