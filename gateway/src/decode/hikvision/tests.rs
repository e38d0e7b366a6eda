use super::*;
use crate::decode::testing::{check, decode};

#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("nvr-field", r#"+hikvision.nvr make="Hikvision" model="camera or recorder"; +hikvision.nvr.ch34 make="Hikvision" model="channel" via=hikvision.nvr; hikvision.nvr.ch34@1673633799000: motion=1 event:intrusion"#),
    ("vmd-human", r#"+hikvision.yard make="Hikvision" model="camera or recorder"; hikvision.yard@1741171846000: motion=1"#),
    ("pir", r#"+hikvision.bedroom name="Bedroom" make="Hikvision" model="camera or recorder"; hikvision.bedroom@1680816141000: motion=1"#),
    ("input", r#"+hikvision.isapi_events~65ee59de name="Cam 1" make="Hikvision" model="camera or recorder"; hikvision.isapi_events~65ee59de@1732031608000: input=1"#),
    ("info", r#"+hikvision.nvr name="nvr" make="Hikvision" model="DS-7608NXI-I2/8P/S" firmware="V4.62.210""#),
    ("vmd-of-a-channel", r#"+hikvision.nvr make="Hikvision" model="camera or recorder"; +hikvision.nvr.ch2 name="Camera 02" make="Hikvision" model="channel" via=hikvision.nvr; hikvision.nvr.ch2@1752209802000: motion=1"#),
    ("vmd-without-namespace", r#"+hikvision.thermal make="Hikvision" model="camera or recorder"; +hikvision.thermal.ch2 name="Camera 02" make="Hikvision" model="channel" via=hikvision.thermal; hikvision.thermal.ch2@1731525652000: motion=1"#),
    ("field-of-a-camera", r#"+hikvision.court name="COUR NORD" make="Hikvision" model="camera or recorder"; hikvision.court@1643633585000: motion=1 event:intrusion"#),
];

#[test]
fn captured_messages() {
    check("hikvision", || Box::new(Hikvision::default()), false, TABLE);
}

fn alert(event: &str, state: &str, channel: u32, second: u32) -> String {
    format!(
        "<EventNotificationAlert><channelID>{channel}</channelID><dateTime>2026-09-09T17:02:{second:02}+08:00</dateTime>\
         <eventType>{event}</eventType><eventState>{state}</eventState></EventNotificationAlert>"
    )
}

/// Constructed.
#[test]
fn an_event_is_told_once_and_is_over_when_it_is_not_said_again() {
    let (mut d, mut directory) = (Hikvision::default(), Directory::default());
    let mut say = |payload: &str| decode(&mut d, &mut directory, "hikvision/nvr/alert", payload);
    assert!(say(&alert("VMD", "active", 3, 0)).ends_with("hikvision.nvr.ch3@1788944520000: motion=1"));
    assert_eq!(say(&alert("VMD", "active", 3, 1)), "nothing");
    assert_eq!(say(&alert("videoloss", "inactive", 0, 5)), "nothing");
    assert_eq!(say(&alert("videoloss", "inactive", 0, 12)), "hikvision.nvr.ch3: motion=0");
    assert!(say(&alert("linedetection", "active", 3, 20)).ends_with(": motion=1 event:line_crossed"));
    assert_eq!(say(&alert("linedetection", "active", 3, 21)), "nothing");
    assert!(say(&alert("shelteralarm", "active", 3, 22)).ends_with(": tamper=1"));
    assert!(say(&alert("shelteralarm", "inactive", 3, 23)).ends_with(": tamper=0"));
    assert!(say(&alert("videoloss", "active", 4, 24)).ends_with("hikvision.nvr.ch4@1788944544000: fault=1"));
    assert!(say(&alert("diskerror", "active", 0, 25)).ends_with("hikvision.nvr@1788944545000: fault=1"));
    assert!(say(&alert("recordingfailure", "active", 4, 26)).ends_with(": recording=0"));
    assert!(say(&alert("recordingfailure", "inactive", 4, 26)).ends_with(": recording=1"));
    // A fire is over when it is said to be.
    assert!(say(&alert("fireDetection", "active", 5, 27)).ends_with(": heat=1"));
    let over = say(&alert("videoloss", "inactive", 0, 59));
    assert!(over.contains("ch4: fault=0") && over.contains("hikvision.nvr: fault=0") && !over.contains("heat"), "{over}");
    assert!(say(&alert("fireDetection", "inactive", 5, 59)).ends_with(": heat=0"));
}

/// As our own source says it.
#[test]
fn what_was_recorded_is_the_channels_state() {
    let (mut d, mut directory) = (Hikvision::default(), Directory::default());
    let mut say = |what: &str, payload: &str| decode(&mut d, &mut directory, &format!("hikvision/nvr/{what}"), payload);
    let whole = r#"{"channel":3,"from":1000,"to":301000,"gaps":[]}"#;
    assert!(say("recording", whole).ends_with("via=hikvision.nvr; hikvision.nvr.ch3: recording=1"));
    assert_eq!(say("recording", r#"{"channel":3,"from":301000,"to":601000,"gaps":[[310000,350000]]}"#), "hikvision.nvr.ch3: recording=0");
    assert_eq!(say("recording", whole), "hikvision.nvr.ch3: recording=1");
    // What it says of itself now is newer than its list.
    assert!(say("alert", &alert("recordingfailure", "active", 3, 26)).ends_with("ch3@1788944546000: recording=0"));
    assert_eq!(say("recording", whole), "hikvision.nvr.ch3: recording=0");
    assert!(say("alert", &alert("recordingfailure", "inactive", 3, 27)).ends_with(": recording=1"));
    assert!(say("recording", r#"{"channel":-1,"gaps":[]}"#).contains("does not say what was recorded"));
}

/// Constructed.
#[test]
fn what_is_wrong_is_named_and_who_was_seen_is_not_read() {
    let (mut d, mut directory) = (Hikvision::default(), Directory::default());
    let mut say = |topic: &str, payload: &str| decode(&mut d, &mut directory, topic, payload);
    let plate =
        "<EventNotificationAlert><eventType>ANPR</eventType><ANPR><licensePlate>B1234</licensePlate></ANPR></EventNotificationAlert>";
    let got = say("hikvision/gate/alert", plate);
    assert!(got.starts_with("+hikvision.gate ") && !got.contains("1234"), "{got}");
    assert_eq!(say("hikvision/gate/connection", "offline"), "hikvision.gate: offline");
    for (payload, says) in [
        ("<EventNotificationAlert><eventType>VMD</eventType>", "no XML"),
        ("<EventNotificationAlert/>", "`eventType` is missing"),
        ("<EventNotificationAlert><eventType>VMD</eventType><eventState>?</eventState></EventNotificationAlert>", "`eventState` is \"?\""),
        ("<ResponseStatus/>", "\"ResponseStatus\""),
        ("<!DOCTYPE a [<!ENTITY b \"c\">]><EventNotificationAlert>&b;</EventNotificationAlert>", "no XML"),
    ] {
        let got = say("hikvision/gate/alert", payload);
        assert!(got.starts_with("malformed: ") && got.contains(says), "{got}");
    }
    assert_eq!(say("hikvision/gate/other", "x"), "not mine");
}
