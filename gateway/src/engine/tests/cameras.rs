//! What the gateway's own eyes say, and what follows when they do not see.
use crate::engine::input::{Body, Configuration, Item};
use crate::engine::site::AgeGroup;
use crate::engine::testing::{Gateway, configuration, packs, reading, seen, site};
use crate::engine::{State, VISION_HEARTBEAT_MS};
use tuoan_protocol::{Basis, Quantity};
use tuoan_vision::setup::Floor;

fn unknown(g: &mut Gateway, time: &str, device: &str, quantities: &[Quantity]) {
    let mut m = reading(device, Quantity::People, 0.0);
    m.items = quantities.iter().map(|q| Item::Unknown { quantity: q.clone(), channel: 0 }).collect();
    g.message(time, m);
}
/// Whose camera was said to see, minute by minute, up to that one of the day.
fn heard(minutes: u32) -> Gateway {
    let mut g = Gateway::new(seen(None));
    for m in 0..minutes {
        g.says(&format!("{:02}:{:02}", m / 60, m % 60), "eye", Quantity::CameraOffline, 0.0);
    }
    g
}
fn zone<'a>(view: &'a crate::engine::view::View, id: &str) -> &'a crate::engine::view::ZoneView {
    view.zones.iter().find(|z| z.id.as_str() == id).unwrap()
}

#[test]
fn every_zone_that_a_camera_shows_has_a_device_of_its_own() {
    let s = seen(None);
    assert_eq!(s.problems(), Vec::<String>::new());
    let eyes: Vec<String> = s.eyes().map(|(id, _)| id.to_string()).collect();
    assert_eq!(eyes, ["vision.room", "vision.exit"]);
    let mut g = Gateway::new(s);
    g.says("10:00", "vision.room", Quantity::Unattended, 1.0).until("10:01");
    assert_eq!(g.of("room.unattended"), ["10:01:00 opened 1"]);
    let event = g.last.events.iter().find(|e| e.hazard.as_str() == "room.unattended").unwrap();
    assert_eq!((event.place.zone.as_str(), event.basis), ("room", Basis::Inferred));
    assert!(g.last.commands.is_empty(), "what a camera saw sounds no siren");
    assert!(g.state.view(g.state.now()).unplaced.is_empty());
}

#[test]
fn what_the_eyes_do_not_repeat_is_not_believed_and_is_no_incident_of_theirs() {
    let mut g = Gateway::new(seen(None));
    g.says("10:00", "vision.room", Quantity::People, 0.0).says("10:00", "vision.room", Quantity::Presence, 0.0);
    g.until("10:01");
    assert!(!zone(&g.state.view(g.state.now()), "room").occupied, "it sees nobody");
    let heartbeats = 3 * VISION_HEARTBEAT_MS / 1000;
    g.until(&format!("10:00:{}", heartbeats - 1)).until(&format!("10:00:{heartbeats}"));
    let view = g.state.view(g.state.now());
    assert!(zone(&view, "room").occupied, "not to see is not to see nobody");
    assert!(zone(&view, "room").sensors.iter().all(|s| matches!(s.freshness, crate::engine::view::Freshness::Lost { .. })));
    g.until("11:00");
    // The camera itself was expected from the start, and nobody has said a word of it.
    assert_eq!(g.of("camera.blind"), ["00:01:30 opened 2"]);
    assert!(g.log.iter().all(|l| l.contains("camera.blind")), "{:?}", g.log);
}

#[test]
fn a_covered_camera_sees_neither_somebody_nor_nobody() {
    let mut g = Gateway::new(seen(None));
    for q in [Quantity::People, Quantity::Presence, Quantity::Adults] {
        g.says("10:00", "vision.room", q.clone(), 0.0).says("10:00", "vision.exit", q, 0.0);
    }
    g.says("10:00", "vision.room", Quantity::Unattended, 1.0).says("10:00", "door", Quantity::Open, 0.0);
    let all = [Quantity::People, Quantity::Presence, Quantity::Adults, Quantity::Unattended];
    unknown(&mut g, "10:00:30", "vision.room", &all);
    unknown(&mut g, "10:00:30", "vision.exit", &all);
    g.says("10:00:40", "door", Quantity::Open, 1.0).says("10:00:50", "door", Quantity::Open, 0.0).until("10:01:20");
    assert!(g.of("room.unattended").is_empty(), "the minute does not run on");
    assert!(g.of("exit.child_unattended").is_empty(), "that no adult was at the door is not known");
    let view = g.state.view(g.state.now());
    assert!(zone(&view, "exit").not_watched && zone(&view, "room").occupied);
    g.says("10:02", "vision.exit", Quantity::Adults, 0.0).says("10:02", "door", Quantity::Open, 1.0).until("10:02:05");
    assert_eq!(g.of("exit.child_unattended"), ["10:02:05 opened 1"], "it sees again");
}

#[test]
fn what_was_found_stands_until_somebody_looks_again() {
    let mut g = Gateway::new(seen(None));
    g.says("10:00", "vision.room", Quantity::Fallen, 1.0).until("10:00:10");
    unknown(&mut g, "10:01", "vision.room", &[Quantity::Fallen]);
    g.until("10:30");
    assert_eq!(g.of("child.fall"), ["10:00:10 opened 1"]);
    g.state = State::decode(&g.state.encode()).unwrap();
    g.says("10:31", "vision.room", Quantity::Fallen, 0.0).until("10:31:05");
    assert_eq!(g.of("child.fall")[1..], ["10:31:05 returned 1"]);
}

#[test]
fn kinds_of_blindness_gather_at_their_camera() {
    let mut g = heard(600);
    g.says("10:00", "eye", Quantity::CameraDark, 1.0).says("10:00:05", "eye", Quantity::CameraCovered, 1.0);
    let open = g.state.view(g.state.now()).incidents.iter().filter(|i| i.hazard.as_str() == "camera.blind").count();
    assert_eq!(open, 1, "{:?}", g.log);
    g.says("10:00:20", "eye", Quantity::CameraDark, 0.0);
    assert!(g.of("camera.blind").iter().all(|l| !l.contains("returned")));
    let view = g.state.view(g.state.now());
    let eye = &view.cameras[0];
    let since = crate::engine::testing::t("10:00:05");
    assert_eq!((&eye.blind[..], eye.live), (&[(Quantity::CameraCovered, since)][..], false));
    g.says("10:00:25", "eye", Quantity::CameraCovered, 1.0);
    assert_eq!(g.state.view(g.state.now()).cameras[0].blind[0].1, since, "said again is not begun again");
    g.says("10:01", "eye", Quantity::CameraCovered, 0.0);
    assert_eq!(g.of("camera.blind").last().unwrap(), "10:01:00 returned 2");
    assert!(g.state.view(g.state.now()).cameras[0].live);
}

#[test]
fn an_untrusted_clock_counts_as_care_hours() {
    let mut g = heard(22 * 60);
    g.says("22:00", "eye", Quantity::CameraCovered, 1.0);
    assert_eq!(g.of("camera.blind").last().unwrap(), "22:00:00 opened 3");
    g.at("22:01", Body::Clock { offset_ms: 0, trusted: false });
    assert_eq!(g.of("camera.blind").last().unwrap(), "22:01:00 raised 2");
    g.says("22:02", "vision.room", Quantity::Unattended, 1.0).until("22:03");
    assert_eq!(g.of("room.unattended"), ["22:03:00 opened 1"]);
}

#[test]
fn prone_is_judged_where_infants_are() {
    for (group, raised) in [(AgeGroup::Infant, 1), (AgeGroup::Older, 0)] {
        let mut s = seen(None);
        s.classes[0].age_group = group;
        let mut g = Gateway::new(s);
        g.says("12:30", "vision.room", Quantity::Prone, 1.0).until("12:40");
        assert_eq!(g.of("nap.prone").len(), raised, "{group:?}");
    }
}

#[test]
fn the_view_says_which_zones_are_seen_and_whether_children_are() {
    let floor = Floor::Rectangle { corners: [[100, 500], [900, 500], [950, 900], [50, 900]], width_cm: 300, depth_cm: 400, camera_cm: 260 };
    for (floor, calibrated) in [(None, false), (Some(floor), true)] {
        let mut g = Gateway::new(seen(floor));
        g.until("10:00");
        let view = g.state.view(g.state.now());
        let eyes = zone(&view, "room").eyes.unwrap();
        assert_eq!((eyes.cameras, eyes.live, eyes.child_rules), (1, 0, false), "nothing was heard of it");
        assert!(zone(&view, "kitchen").eyes.is_none());
        g.says("10:00", "eye", Quantity::CameraOffline, 0.0);
        let view = g.state.view(g.state.now());
        assert_eq!((view.cameras[0].calibrated, view.cameras[0].live), (calibrated, true));
        for id in ["room", "exit"] {
            let eyes = zone(&view, id).eyes.unwrap();
            assert_eq!((eyes.cameras, eyes.live, eyes.child_rules), (1, 1, calibrated));
        }
    }
}

#[test]
fn a_camera_that_is_taken_away_leaves_nothing_behind() {
    let mut g = Gateway::new(seen(None));
    g.says("10:00", "eye", Quantity::CameraOffline, 0.0);
    g.says("10:00", "vision.room", Quantity::Fallen, 1.0).until("10:00:10");
    let mut without = seen(None);
    without.cameras.clear();
    g.at("10:01", Body::Configure(Box::new(configuration(without))));
    assert_eq!(g.of("child.fall").last().unwrap(), "10:01:00 returned 1");
    let view = g.state.view(g.state.now());
    assert!(view.unplaced.is_empty() && view.cameras.is_empty(), "{:?}", view.unplaced);
    assert!(zone(&view, "room").devices.iter().all(|d| d.id.as_str() != "vision.room"));
}

#[test]
fn a_site_without_cameras_is_the_same_configuration_as_ever() {
    let with = Configuration::new("01JD0000000000000000000000".parse().unwrap(), seen(None), packs());
    assert_ne!(with.hash, configuration(site()).hash);
    let bytes = minicbor_serde::to_vec(site()).unwrap();
    assert!(!bytes.windows(7).any(|w| w == b"cameras"), "old logs keep their hash");
}

#[test]
fn a_day_of_counting_is_neither_drift_nor_stillness_nor_a_lost_quantity() {
    let mut g = Gateway::new(seen(None));
    for hour in 0..72 {
        for half in 0..2 {
            let time = format!("{hour}:{:02}", half * 30);
            g.says(&time, "eye", Quantity::CameraOffline, 0.0);
            if hour < 40 {
                g.says(&time, "vision.room", Quantity::Adults, 2.0).says(&time, "vision.room", Quantity::Children, 9.0);
            }
            g.says(&time, "vision.room", Quantity::People, 0.0).says(&time, "vision.room", Quantity::CountCapped, 0.0);
        }
    }
    assert!(g.of("sensor.silent").is_empty() && g.of("env.anomaly").is_empty(), "{:?}", g.log);
}
