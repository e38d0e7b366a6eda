use super::*;
use proptest::prelude::*;

const MINUTE: i64 = 60_000;
const START: i64 = 1_700_000_000_000;

/// A room at one sample every five minutes: a daily wave and the noise of the sensor, whose resolution is 0.01.
fn room(i: u64) -> f64 {
    let hour = (i % 288) as f64 / 12.0 - 12.0;
    let noise = (i.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 40) % 11;
    ((20.0 + 4.0 * (1.0 - hour * hour / 144.0)) * 100.0).round() / 100.0 + noise as f64 / 100.0
}

fn at(i: u64) -> i64 {
    START + i as i64 * 5 * MINUTE
}

/// A detector that has watched the room, and the number of its next sample.
fn watched(days: u64) -> (Detector, u64) {
    let mut d = Detector::new();
    for i in 0..days * 288 {
        d.observe(at(i), room(i));
    }
    (d, days * 288)
}

/// Samples at which it alarms while `value` makes the next `n`.
fn alarms(d: &mut Detector, from: u64, n: u64, value: impl Fn(u64) -> f64) -> Vec<u64> {
    (0..n).filter(|k| d.observe(at(from + k), value(from + k)).alarm).collect()
}

#[test]
fn an_ordinary_room_is_quiet() {
    let mut d = Detector::new();
    assert_eq!(alarms(&mut d, 0, 28 * 288, room), [0u64; 0]);
}

#[test]
fn a_constant_series_is_quiet() {
    let mut d = Detector::new();
    for i in 0..5000 {
        let v = d.observe(at(i), 45.0);
        assert!(!v.alarm && v.score < 0.5);
    }
}

#[test]
fn an_offset_inside_the_known_range_is_one_alarm_at_its_first_sample() {
    let (mut d, i) = watched(7);
    assert_eq!(alarms(&mut d, i, 100, |i| room(i) + 2.0), [0]);
}

#[test]
fn a_value_never_seen_is_an_alarm() {
    let (mut d, i) = watched(7);
    let v = d.observe(at(i), 40.0);
    assert!(v.alarm && v.score > 0.9 && v.rarity_days > 100.0, "{v:?}");
}

#[test]
fn what_is_seen_once_is_known() {
    let (mut d, i) = watched(7);
    assert!(d.observe(at(i), 40.0).rarity_days > 100.0);
    assert!(d.observe(at(i + 1), 40.0).rarity_days < 1.0);
}

#[test]
fn noise_is_found_within_its_first_samples() {
    let (mut d, i) = watched(7);
    let found = alarms(&mut d, i, 50, |i| room(i) + if i % 2 == 0 { 0.6 } else { -0.6 });
    assert!(found.first().is_some_and(|f| *f < 8), "{found:?}");
}

#[test]
fn a_stuck_sensor_is_found() {
    let (mut d, i) = watched(7);
    let stuck = room(i);
    assert_eq!(alarms(&mut d, i, 150, |_| stuck).len(), 1);
}

#[test]
fn a_young_series_says_so() {
    let (mut d, _) = watched(1);
    assert!(d.observe(at(288), room(288)).warming_up);
    let (mut d, i) = watched(2);
    assert!(!d.observe(at(i), room(i)).warming_up);
}

#[test]
fn no_more_alarms_than_one_per_refractory_time_unless_much_rarer() {
    let (mut d, i) = watched(7);
    // A ramp leaves the known range and makes a new value at every sample.
    let found = alarms(&mut d, i, 150, |k| 30.0 + (k - i) as f64 * 0.5);
    assert!(found.len() <= 2, "{found:?}");
}

#[test]
fn strange_values_and_clocks_do_no_harm() {
    let (mut d, i) = watched(3);
    let before = d.clone();
    for v in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(d.observe(at(i), v).score, 0.0);
    }
    assert!(d == before, "what is no number is not learned");
    for (t, v) in [(i64::MIN, f64::MAX), (i64::MAX, f64::MIN), (0, 5e-324), (at(i), -0.0), (at(i), 1e300), (at(i) - 1, 20.0)] {
        let v = d.observe(t, v);
        assert!((0.0..=1.0).contains(&v.score) && v.rarity_days.is_finite(), "{v:?}");
    }
}

#[test]
fn time_that_stands_still_ages_nothing() {
    let mut d = Detector::new();
    for i in 0..10_000 {
        d.observe(START - i % 2, room(i as u64));
    }
    assert!(d.age_days < 0.001);
    assert!(d.observe(START, 1e6).warming_up);
}

#[test]
fn state_stays_small() {
    let mut d = Detector::new();
    for i in 0..20_000u64 {
        d.observe(at(i), (i.wrapping_mul(6_364_136_223_846_793_005) >> 11) as f64 / 1e3);
    }
    let json = serde_json::to_string(&d).unwrap();
    assert!(json.len() < 32 * 1024, "{} bytes as JSON", json.len());
    assert!(d.state_bytes() < 16 * 1024, "{} bytes in memory", d.state_bytes());
}

#[test]
fn bits_are_the_same_on_every_machine() {
    // Only + - * / sqrt are used: IEEE 754 fixes each. If this changes, the detector has changed and so have stored incident logs.
    let (mut d, i) = watched(7);
    let v: Vec<u64> =
        [room(i), 40.0, 22.0, 41.5].iter().enumerate().map(|(k, x)| d.observe(at(i + k as u64), *x).rarity_days.to_bits()).collect();
    assert_eq!(v, GOLDEN);
}

const GOLDEN: [u64; 4] = [4_583_663_620_745_713_754, 4_708_065_551_469_919_773, 4_699_282_995_064_397_336, 4_694_119_802_168_962_473];

fn series() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![
        8 => (0i32..500).prop_map(|x| f64::from(x) / 10.0),
        1 => any::<f64>(),
        1 => Just(20.0),
    ];
    prop::collection::vec((prop_oneof![9 => 0i64..600_000, 1 => -1_000_000i64..100_000_000], value), 1..400).prop_map(|v| {
        v.into_iter()
            .scan(START, |t, (dt, x)| {
                *t += dt;
                Some((*t, x))
            })
            .collect()
    })
}

proptest! {
    /// Nothing that comes later changes a score: the verdicts on a prefix are the prefix of the verdicts.
    #[test]
    fn causal(s in series(), cut in 0usize..400) {
        let run = |s: &[(i64, f64)]| { let mut d = Detector::new(); s.iter().map(|(t, v)| d.observe(*t, *v)).collect::<Vec<_>>() };
        let cut = cut.min(s.len());
        prop_assert_eq!(&run(&s)[..cut], &run(&s[..cut])[..]);
    }

    /// A snapshot through text goes on with the same bits.
    #[test]
    fn restored_goes_on_identically(s in series(), cut in 0usize..400) {
        let mut whole = Detector::new();
        let cut = cut.min(s.len());
        for (t, v) in &s[..cut] { whole.observe(*t, *v); }
        let mut restored: Detector = serde_json::from_str(&serde_json::to_string(&whole).unwrap()).unwrap();
        prop_assert!(restored == whole);
        for (t, v) in &s[cut..] {
            let (a, b) = (whole.observe(*t, *v), restored.observe(*t, *v));
            prop_assert_eq!(a.rarity_days.to_bits(), b.rarity_days.to_bits());
            prop_assert!((0.0..=1.0).contains(&a.score));
        }
        prop_assert!(restored == whole);
    }
}
