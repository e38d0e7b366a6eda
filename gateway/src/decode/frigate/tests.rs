use super::*;
use crate::decode::testing::{check, decode};

#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("available", "frigate.frigate (retained): online"),
    ("count-before-the-camera-is-known", "nothing"),
    ("event", r#"+frigate.frigate.front_door name="front_door" make="Frigate" model="camera" [presence,people,motion,recording] via=frigate.frigate; frigate.frigate.front_door (retained): people=42; frigate.frigate.front_door@1607123962083: presence=1"#),
    ("motion", "frigate.frigate.front_door: motion=1"),
    ("count", "frigate.frigate.front_door: people=1"),
    ("count-of-a-zone", "nothing"),
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

/// Constructed: two reviews of one camera, a false positive among events, a base of the owner's own, and a server that goes away.
#[test]
fn somebody_is_there_until_the_last_review_ends() {
    let (mut d, mut directory) = (Frigate::default(), Directory::default());
    let mut say = |topic: &str, payload: &str| decode(&mut d, &mut directory, topic, payload);
    let review = |id: &str, kind: &str, objects: &str| {
        format!(
            r#"{{"type":"{kind}","before":{{"data":{{"audio":["scream"]}}}},"after":{{"id":"{id}","camera":"hall","data":{{"objects":[{objects}],"sub_labels":["Li Lei"],"audio":["scream"]}}}}}}"#
        )
    };
    let t = "site/nvr/reviews";
    assert_eq!(say("site/nvr/hall/motion", "ON"), "not mine");
    let first = say(t, &review("1", "new", "\"person-verified\""));
    assert!(first.ends_with(".hall: presence=1 event:scream") && !first.contains("Li"), "{first}");
    assert!(say(t, &review("2", "new", "\"person\",\"dog\"")).ends_with(": presence=1 event:scream"));
    assert!(say(t, &review("1", "end", "\"person\"")).ends_with(".hall:"));
    assert!(say(t, &review("2", "end", "\"person\"")).ends_with(": presence=0"));
    assert!(say(t, &review("3", "new", "\"cat\"")).ends_with(".hall: event:scream"));
    assert!(say("site/nvr/hall/motion", "OFF").ends_with(": motion=0"), "the base is known now");
    assert_eq!(say("site/nvr/hall/car", "1"), "nothing", "no quantity of ours");
    assert_eq!(say("site/nvr/tracked_object_update", r#"{"type":"face","name":"Li Lei"}"#), "nothing");
    assert!(say(t, r#"{"type":"new"}"#).starts_with("malformed: `after`"));
    assert!(say("site/nvr/available", "away").starts_with("malformed: available"));
    let event = |kind: &str, wrong: bool| {
        format!(
            r#"{{"type":"{kind}","before":{{}},"after":{{"id":"e","camera":"yard","label":"person","sub_label":["Li",0.9],"false_positive":{wrong}}}}}"#
        )
    };
    assert!(say("frigate/events", &event("new", false)).ends_with("frigate.frigate.yard: presence=1"));
    assert!(say("frigate/events", &event("update", true)).ends_with(": presence=0"));
    assert!(say("frigate/events", &event("new", false)).ends_with(": presence=1"));
    assert_eq!(say("frigate/available", "offline"), "frigate.frigate: offline");
}

/// Constructed after the shape of `/api/stats`.
#[test]
fn the_recorder_tells_which_cameras_give_no_pictures() {
    let (mut d, mut directory) = (Frigate::default(), Directory::default());
    let stats = r#"{"cameras":{"hall":{"camera_fps":5.1,"pid":1},"yard":{"camera_fps":0.0}},"service":{"version":"0.16.1-e664cb2"}}"#;
    let got = decode(&mut d, &mut directory, "frigate/stats", stats);
    assert!(got.contains("+frigate.frigate make=\"Frigate\" model=\"recorder\" firmware=\"0.16.1-e664cb2\""), "{got}");
    assert!(got.contains("frigate.frigate.hall: online") && got.ends_with("frigate.frigate.yard: offline"), "{got}");
}
