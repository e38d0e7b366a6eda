//! Polygons that an installer draws on the picture.
use crate::fault::Fault;
use crate::setup::{Area, CORNERS, Corner};
use crate::sight::Rect;

/// Samples along each side of a box when its share of a polygon is taken; 1/64 of the box is fine enough for shares of a half.
const GRID: u16 = 8;

/// A polygon in shares of the picture, without self-crossings.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    corners: Vec<(f32, f32)>,
    around: Rect,
}

impl Polygon {
    pub fn new(corners: &[Corner]) -> Polygon {
        let corners: Vec<(f32, f32)> = corners.iter().map(|[x, y]| (f32::from(*x) / 1000.0, f32::from(*y) / 1000.0)).collect();
        let mut around = Rect { x0: 1.0, y0: 1.0, x1: 0.0, y1: 0.0 };
        for (x, y) in &corners {
            around = Rect { x0: around.x0.min(*x), y0: around.y0.min(*y), x1: around.x1.max(*x), y1: around.y1.max(*y) };
        }
        Polygon { corners, around }
    }

    /// Even-odd rule. A point that is no number is outside.
    pub fn contains(&self, (x, y): (f32, f32)) -> bool {
        if !(self.around.x0..=self.around.x1).contains(&x) || !(self.around.y0..=self.around.y1).contains(&y) {
            return false;
        }
        let ends = self.corners.iter().zip(self.corners.iter().cycle().skip(1));
        let crossed = ends.filter(|((ax, ay), (bx, by))| (*ay > y) != (*by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax);
        crossed.count() % 2 == 1
    }

    /// Inside, or not farther outside than that, straight up, down, left or right.
    pub fn near(&self, (x, y): (f32, f32), by: f32) -> bool {
        [(0.0, 0.0), (by, 0.0), (-by, 0.0), (0.0, by), (0.0, -by)].iter().any(|(dx, dy)| self.contains((x + dx, y + dy)))
    }

    /// How much of the box lies inside, 0 to 1.
    pub fn share_of(&self, bbox: &Rect) -> f32 {
        if self.around.overlap(bbox) <= 0.0 {
            return 0.0;
        }
        let at = |from: f32, length: f32, i: u16| from + length * (f32::from(i) + 0.5) / f32::from(GRID);
        let points = (0..GRID).flat_map(|i| (0..GRID).map(move |k| (i, k)));
        let inside = points.filter(|(i, k)| self.contains((at(bbox.x0, bbox.width(), *i), at(bbox.y0, bbox.height(), *k)))).count();
        inside as f32 / f32::from(GRID * GRID)
    }

    /// The smallest box around it.
    pub fn around(&self) -> &Rect {
        &self.around
    }
}

/// What is wrong with an area's corners, and what to do.
pub fn check(area: &Area) -> Option<Fault> {
    let corners = &area.corners;
    if !CORNERS.contains(&corners.len()) {
        return Some(Fault::Corners { n: corners.len() });
    }
    if let Some(i) = corners.iter().position(|c| c.iter().any(|v| *v > 1000)) {
        return Some(Fault::CornerOutside { corner: i + 1 });
    }
    let n = corners.len();
    let edge = |i: usize| (corners[i % n], corners[(i + 1) % n]);
    if let Some(i) = (0..n).find(|i| edge(*i).0 == edge(*i).1) {
        return Some(Fault::SamePoint { first: i + 1, second: (i + 1) % n + 1 });
    }
    for i in 0..n {
        for k in i + 1..n {
            let neighbours = k == i + 1 || (i == 0 && k == n - 1);
            let wrong = if neighbours { folds_back(edge(i), edge(k)) } else { meet(edge(i), edge(k)) };
            if wrong {
                return Some(Fault::Crosses { first: i + 1, second: k + 1 });
            }
        }
    }
    let doubled: i64 = (0..n).map(|i| cross([0, 0], edge(i).0, edge(i).1)).sum();
    // A thousandth of the picture is a thumb's breadth of floor: what is smaller was a slip of the hand.
    (doubled.abs() < 2_000).then_some(Fault::Small)
}

type Edge = (Corner, Corner);

fn cross(o: Corner, a: Corner, b: Corner) -> i64 {
    let d = |p: Corner, i: usize| i64::from(p[i]) - i64::from(o[i]);
    d(a, 0) * d(b, 1) - d(a, 1) * d(b, 0)
}

fn between(edge: Edge, p: Corner) -> bool {
    let within = |i: usize| (edge.0[i].min(edge.1[i])..=edge.0[i].max(edge.1[i])).contains(&p[i]);
    cross(edge.0, edge.1, p) == 0 && within(0) && within(1)
}

/// The sides have a point in common.
fn meet(a: Edge, b: Edge) -> bool {
    let sides = |e: Edge, p: Corner, q: Corner| cross(e.0, e.1, p).signum() * cross(e.0, e.1, q).signum();
    (sides(a, b.0, b.1) < 0 && sides(b, a.0, a.1) < 0) || between(a, b.0) || between(a, b.1) || between(b, a.0) || between(b, a.1)
}

/// Sides with a common corner that run over each other.
fn folds_back(a: Edge, b: Edge) -> bool {
    if a.1 == b.0 { between(a, b.1) || between(b, a.0) } else { between(a, b.0) || between(b, a.1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::AreaKind;
    use proptest::prelude::*;

    fn area(corners: &[Corner]) -> Area {
        Area { kind: AreaKind::Room, zone: None, corners: corners.to_vec() }
    }

    const L: &[Corner] = &[[100, 100], [500, 100], [500, 300], [300, 300], [300, 600], [100, 600]];

    #[test]
    fn a_point_in_the_notch_of_an_l_is_outside() {
        assert_eq!(check(&area(L)), None);
        let l = Polygon::new(L);
        assert!(l.contains((0.2, 0.5)) && l.contains((0.45, 0.2)));
        assert!(!l.contains((0.4, 0.5)) && !l.contains((0.05, 0.2)) && !l.contains((0.2, 0.7)));
        assert!(!l.contains((f32::NAN, 0.2)) && !l.contains((0.2, f32::INFINITY)));
    }

    #[test]
    fn the_share_of_a_box_is_what_of_it_lies_inside() {
        let l = Polygon::new(L);
        assert_eq!(l.share_of(&Rect { x0: 0.1, y0: 0.3, x1: 0.5, y1: 0.6 }), 0.5);
        assert_eq!(l.share_of(&Rect { x0: 0.15, y0: 0.15, x1: 0.25, y1: 0.25 }), 1.0);
        assert_eq!(l.share_of(&Rect { x0: 0.6, y0: 0.6, x1: 0.7, y1: 0.7 }), 0.0);
        assert_eq!(l.share_of(&Rect { x0: f32::NAN, y0: 0.6, x1: 0.7, y1: 0.7 }), 0.0);
    }

    #[test]
    fn bad_outlines_are_named_with_what_to_do() {
        let says = |corners: &[Corner], what: &str| {
            let said = check(&area(corners)).map(|f| f.to_string()).unwrap_or_default();
            assert!(said.contains(what), "{corners:?}: {said:?}");
        };
        says(&[[0, 0], [1, 1]], "draw 3 to 32");
        says(&[[0, 0]; 33], "has 33 corners");
        says(&[[0, 0], [1001, 0], [500, 500]], "corner 2 lies outside");
        says(&[[0, 0], [500, 0], [500, 0], [0, 500]], "corners 2 and 3 are the same");
        says(&[[0, 0], [500, 500], [500, 0], [0, 500]], "crosses itself");
        says(&[[0, 0], [500, 0], [200, 0], [200, 500]], "crosses itself");
        says(&[[0, 0], [500, 0], [250, 300], [250, 0], [250, 400]], "crosses itself");
        says(&[[0, 0], [20, 0], [20, 20], [0, 20]], "smaller than a thousandth");
    }

    proptest! {
        #[test]
        fn no_outline_panics_and_a_good_one_holds_its_corners(corners in proptest::collection::vec(any::<[u16; 2]>().prop_map(|[x, y]| [x % 1100, y % 1100]), 0..40)) {
            if check(&area(&corners)).is_none() {
                let polygon = Polygon::new(&corners);
                let whole = polygon.share_of(polygon.around());
                prop_assert!((0.0..=1.0).contains(&whole));
            }
        }
    }
}
