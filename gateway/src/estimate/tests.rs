//! The estimator as the pipeline uses it.
use super::*;
use crate::engine::testing::{reading, site, t};
use crate::runtime::Choice;
use model::Source;

fn model() -> ClimateModel {
    ClimateModel::open(&Source::BuiltIn, &Choice::Embedded).unwrap().unwrap()
}
fn estimator() -> Estimator {
    Estimator::new(model(), &site(), None)
}

/// Tells readings of one device at one time.
fn hears(e: &mut Estimator, at: i64, device: &str, values: &[(Quantity, f64)]) {
    for (q, v) in values {
        e.observe(&Input { at, body: Body::Message(reading(device, q.clone(), *v)) }, 0, true);
    }
}
/// (zone, quantity, value) of every estimate.
fn said(bodies: &[Body]) -> Vec<(String, Quantity, f64)> {
    let messages = bodies.iter().filter_map(|b| if let Body::Message(m) = b { Some(m) } else { None });
    let items = messages.flat_map(|m| m.items.iter().map(move |i| (m, i)));
    items
        .filter_map(|(m, i)| match i {
            Item::Reading { quantity, value, .. } => Some((m.device.to_string(), quantity.clone(), quantity.float(*value))),
            _ => None,
        })
        .collect()
}
const AIR: [(Quantity, f64); 3] = [(Quantity::Co2, 480.0), (Quantity::Temperature, 21.0), (Quantity::Illuminance, 0.0)];

#[test]
fn speaks_once_a_minute_for_the_rooms_that_it_hears() {
    let mut e = estimator();
    assert!(e.due(t("20:00"), 0).is_empty());
    hears(&mut e, t("20:00:10"), "air", &AIR);
    hears(&mut e, t("20:00:40"), "smoke", &[(Quantity::Temperature, 50.0)]);
    hears(&mut e, t("20:00:50"), "stranger", &AIR);
    assert!(e.due(t("20:00:59"), 0).is_empty(), "the minute is not over");
    let first = e.due(t("20:01"), 0);
    assert!(
        matches!(first.first(), Some(Body::Inventory(list)) if list[0].model.as_deref().is_some_and(|m| m.starts_with("room-climate/1 ")))
    );
    let figures = said(&first);
    assert!(
        matches!(&figures[..], [(device, Quantity::OccupancyLikelihood, v)] if device == "estimate.room" && (0.0..50.0).contains(v)),
        "{figures:?}"
    );
    assert!(e.due(t("20:01:30"), 0).is_empty(), "once");
    // What stands in the room is carried for a while, then nothing is said any more.
    assert_eq!(e.due(t("20:02"), 0).len(), 1);
    assert_eq!(e.due(t("20:30"), 0).len(), 0);
}

#[test]
fn says_nothing_of_people_without_co2_and_nothing_of_what_is_old() {
    let mut e = estimator();
    e.due(t("10:00"), 0);
    hears(&mut e, t("10:00:10"), "air", &[(Quantity::Illuminance, 400.0), (Quantity::SoundLevel, 60.0)]);
    let mut old = reading("air", Quantity::Co2, 900.0);
    old.sampled_at = Some(t("09:00"));
    e.observe(&Input { at: t("10:00:20"), body: Body::Message(old.clone()) }, 0, true);
    old.sampled_at = None;
    old.retained = true;
    e.observe(&Input { at: t("10:00:20"), body: Body::Message(old) }, 0, true);
    hears(&mut e, t("10:00:30"), "air", &[(Quantity::Co2, 5.0)]);
    assert!(e.due(t("10:01"), 0).is_empty());
}

#[test]
fn a_day_teaches_what_is_rare_and_a_restart_does_not_forget_it() {
    let mut e = estimator();
    let mut last = Vec::new();
    for minute in 0..30 * 60 {
        let at = t("00:00") + minute * MINUTE_MS;
        let bodies = e.due(at, 0);
        if !bodies.is_empty() {
            last = said(&bodies);
        }
        let wobble = (minute * 37 % 11) as f64;
        hears(&mut e, at + 1000, "air", &[(Quantity::Co2, 450.0 + wobble), (Quantity::Temperature, 21.0 + wobble * 0.02)]);
    }
    let rarity = |figures: &[(String, Quantity, f64)]| figures.iter().find(|f| f.1 == Quantity::ClimateRarity).map(|f| f.2);
    assert!(rarity(&last).is_some_and(|r| r < 1.0), "{last:?}");
    assert!(e.keep(t("30:00"), false).is_none(), "not before an hour");
    let kept = e.keep(t("30:00"), true).unwrap();
    assert!(kept.len() < 6000, "{} bytes for one room", kept.len());

    let mut again = Estimator::new(model(), &site(), Some(&kept));
    again.due(t("30:00"), 0);
    hears(&mut again, t("30:00:10"), "air", &[(Quantity::Co2, 455.0), (Quantity::Temperature, 35.0)]);
    let figures = said(&again.due(t("30:01"), 0));
    assert!(rarity(&figures).is_some_and(|r| r > 1.0), "{figures:?}");

    // Damaged, or of another model: learned anew, and nothing breaks.
    for bytes in [&kept[..kept.len() / 2], &[], &[0xff; 64]] {
        assert!(recall(bytes, &e.model.sha256()).is_empty());
    }
    let other = recall(&kept, "another");
    assert_eq!(other.len(), 1);
    assert!(other.values().all(|z| z.rarity == Rarity::default() && z.room != Room::default()));
}

#[test]
fn no_clock_breaks_it() {
    let mut e = estimator();
    for (now, offset) in
        [(0, 0), (t("10:00"), i64::MIN / 4), (t("10:01"), i64::MAX / 4), (t("09:00"), 0), (i64::MAX / 2, 0), (i64::MAX, 0), (i64::MIN, 0)]
    {
        hears(&mut e, now, "air", &AIR);
        e.due(now, offset);
        e.keep(now, false);
    }
}
