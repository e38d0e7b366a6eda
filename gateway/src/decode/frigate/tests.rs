use super::*;
use crate::decode::testing::{check, decode};

#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("available", "frigate.frigate (retained): online"),
    ("count-before-the-camera-is-known", "nothing"),
    ("event", r#"+frigate.frigate.front_door name="front_door" make="Frigate" model="camera" [presence,people,motion,recording] via=frigate.frigate; frigate.frigate.front_door (retained): people=10; frigate.frigate.front_door@1607123962083: presence=1"#),
    ("motion", "frigate.frigate.front_door: motion=1"),
    ("count", "frigate.frigate.front_door: people=0"),
    ("count-of-a-zone", "nothing"),
    ("count-of-cars", "nothing"),
    ("detect-state", "nothing"),
    ("recordings-state", "frigate.frigate.front_door: recording=0"),
    ("snapshot", "nothing"),
    ("review", r#"+frigate.frigate.front_cam name="front_cam" make="Frigate" model="camera" [presence,people,motion,recording] via=frigate.frigate; frigate.frigate.front_cam: presence=1"#),
    ("event-beside-reviews", "nothing"),
    ("offline", "frigate.frigate (retained): offline"),
];

#[test]
fn captured_messages() {
    check("frigate", || Box::new(Frigate::default()), true, TABLE);
}
