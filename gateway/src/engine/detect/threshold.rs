//! A number beyond a bound; it clears when it is back by more than the hysteresis.
use crate::engine::rules::Rule;

pub fn judge(rule: &Rule, level: i64) -> (bool, bool) {
    (rule.bounds.trips(level), rule.bounds.clears(level))
}

#[cfg(test)]
mod tests {
    use crate::engine::rules::Bounds;

    #[test]
    fn bounds_are_strict_where_the_standard_is() {
        let above = Bounds { above: Some(1000), hysteresis: 50, ..Bounds::default() };
        for (v, trips, clears) in [(1000, false, false), (1001, true, false), (951, false, false), (950, false, true)] {
            assert_eq!((above.trips(v), above.clears(v)), (trips, clears), "{v}");
        }
        let at_least = Bounds { at_least: Some(50), hysteresis: 10, ..Bounds::default() };
        for (v, trips, clears) in [(49, false, false), (50, true, false), (40, false, false), (39, false, true)] {
            assert_eq!((at_least.trips(v), at_least.clears(v)), (trips, clears), "{v}");
        }
        let band = Bounds { below: Some(2200), above: Some(2800), hysteresis: 50, ..Bounds::default() };
        for (v, trips, clears) in
            [(2199, true, false), (2200, false, false), (2250, false, true), (2750, false, true), (2751, false, false), (2801, true, false)]
        {
            assert_eq!((band.trips(v), band.clears(v)), (trips, clears), "{v}");
        }
    }
}
