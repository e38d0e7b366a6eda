//! An electric bicycle stands in an escape route, or passes.
use super::Plot;
use super::stage::Stage;
use crate::scene::script::body::Vector;
use crate::scene::script::eye::Prop;
use crate::setup::AreaKind;
use crate::sight::ThingKind;

pub fn ebike(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let middle = s.floor_area(AreaKind::Escape, None, 1.6, 2.2)?;
    let kind = s.dice.one_of(&[ThingKind::Bicycle, ThingKind::Motorcycle], ThingKind::Bicycle);
    let heading = s.heading();
    let high = s.dice.between(0.95, 1.15);
    let prop = |keys: Vec<(f64, Vector)>| Prop { kind, keys, long: 1.5, high, heading };
    let far = [middle[0] + 3.5, middle[1], 0.0];
    let (name, props, from_s) = match (positive, seed % 4) {
        (true, 0 | 1) => ("it stands there from the first frame on", vec![prop(vec![(0.0, middle), (900.0, middle)])], 0.0),
        (true, 2) => ("it is pushed in and left", vec![prop(vec![(0.0, far), (20.0, far), (26.0, middle), (900.0, middle)])], 26.0),
        (true, _) => {
            let mut low = prop(vec![(0.0, middle), (900.0, middle)]);
            low.high = 0.85;
            ("a low one stands there", vec![low], 0.0)
        }
        (false, 0) => {
            let other = [middle[0] - 3.5, middle[1], 0.0];
            ("it is pushed through", vec![prop(vec![(0.0, far), (20.0, far), (32.0, other), (33.0, other)])], 0.0)
        }
        (false, 1) => ("it stands there for 45 s", vec![prop(vec![(0.0, middle), (45.0, middle), (50.0, far), (51.0, far)])], 0.0),
        (false, 2) => {
            let beside = [middle[0] + 1.9, middle[1], 0.0];
            ("it stands beside the route", vec![prop(vec![(0.0, beside), (900.0, beside)])], 0.0)
        }
        (false, _) => {
            let mut toy = prop(vec![(0.0, middle), (900.0, middle)]);
            (toy.long, toy.high) = (0.6, 0.5);
            ("a child's tricycle", vec![toy], 0.0)
        }
    };
    Some(Plot { name, props, lasts_s: 120.0, from_s, ..Plot::default() })
}
