use super::*;
use crate::decode::testing::{check, decode};

#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("pir", r#"+onvif.00408C123456 name="00408C123456" make="Axis" model="camera"; onvif.00408C123456@1590258472044: motion=1"#),
    ("pir-old-prefix", r#"+onvif.00408C12345 name="00408C12345" make="Axis" model="camera"; onvif.00408C12345@1590258472044: motion=1"#),
    ("pir-off", "onvif.00408C123456@1590045190230: motion=0"),
    ("object-analytics", "onvif.00408C123456: motion.1=0"),
];

#[test]
fn captured_messages() {
    check("onvif", || Box::new(Onvif::default()), true, TABLE);
}

/// Constructed after the topics and items of the ONVIF specification and of Axis' documentation.
#[test]
fn states_of_both_spellings() {
    let (mut d, mut directory) = (Onvif::default(), Directory::default());
    let mut say = |topic: &str, payload: &str| decode(&mut d, &mut directory, topic, payload);
    for (topic, payload, want) in [
        (
            "cam1/onvif-ej/VideoSource/MotionAlarm/&1",
            r#"{"UtcTime":"2026-01-02T03:04:05Z","Source":{"Source":"1"},"Data":{"State":true}}"#,
            "onvif.cam1@1767323045000: motion=1",
        ),
        (
            "cam1/onvif-ej/VideoSource/MotionAlarm/&2",
            r#"{"UtcTime":"2000-01-01T00:00:00Z","Source":{"Source":"2"},"Data":{"State":false}}"#,
            "onvif.cam1: motion.1=0",
        ),
        (
            "cam1/onvif-ej/tns1:VideoSource/tns1:GlobalSceneChange/ImagingService/&1",
            r#"{"Source":{"SimpleItem":[{"Name":"Source","Value":"1"}]},"Data":{"SimpleItem":[{"Name":"State","Value":"true"}]}}"#,
            "onvif.cam1: tamper=1",
        ),
        (
            "cam1/onvif-ej/Device/tns1:Trigger/tns1:Relay/&Relay-1",
            r#"{"Source":{"RelayToken":"Relay-1"},"Data":{"LogicalState":"active"}}"#,
            "onvif.cam1: relay=1",
        ),
        (
            "cam1/onvif-ej/Device/Trigger/DigitalInput/&1",
            r#"{"Source":{"InputToken":"1"},"Data":{"LogicalState":"false"}}"#,
            "onvif.cam1: input.1=0",
        ),
        (
            "cam1/onvif-ej/RuleEngine/LineDetector/Crossed/&1",
            r#"{"Source":{"Rule":"gate"},"Data":{"ObjectId":"7"}}"#,
            "onvif.cam1: event:line_crossed",
        ),
        (
            "cam1/onvif-ej/RuleEngine/FieldDetector/ObjectsInside/&1",
            r#"{"Source":{"Rule":"sand"},"Data":{"IsInside":"true"}}"#,
            "onvif.cam1: presence=1",
        ),
        (
            "cam1/onvif-ej/RuleEngine/CountAggregation/OccupancyCounter/&1/Occupancy",
            r#"{"Source":{},"Data":{"Count":"12"}}"#,
            "onvif.cam1: people=12",
        ),
        ("cam1/onvif-ej/RuleEngine/Recognition/Face/&1", r#"{"Source":{},"Data":{"FullName":"somebody"}}"#, "onvif.cam1:"),
        (
            "cam1/onvif-ej/VideoSource/MotionAlarm/&1",
            r#"{"Source":{},"Data":{"State":"perhaps"}}"#,
            "malformed: VideoSource/MotionAlarm: no state",
        ),
        (
            "axis/00408C123456/event/tns:axis/CameraApplicationPlatform/VMD/Camera1ProfileANY",
            r#"{"timestamp":1767323045000,"topic":"axis:CameraApplicationPlatform/VMD/Camera1ProfileANY","message":{"source":{},"key":{},"data":{"active":"1"}}}"#,
            "onvif.00408C123456@1767323045000: motion=1",
        ),
        ("axis/00408C123456/event/connection", r#"{"connected":false}"#, "onvif.00408C123456: offline"),
        ("other/event/thing", "{}", "not mine"),
    ] {
        let got = say(topic, payload);
        assert!(got.contains(want), "{topic}\n{got}\nshould hold {want}");
    }
}
