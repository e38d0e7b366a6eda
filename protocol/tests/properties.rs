//! What must hold for every message and for every byte string.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod samples;

use proptest::prelude::*;
use tuoan_protocol::quantity::FIXED_MAX;
use tuoan_protocol::*;

fn quantity() -> impl Strategy<Value = Quantity> {
    prop_oneof![
        (0..Quantity::ALL.len()).prop_map(|i| Quantity::ALL[i].clone()),
        "[a-z_.]{1,32}".prop_map(|name| Quantity::from_name(&name).unwrap()),
    ]
}

fn value(quantity: &Quantity) -> BoxedStrategy<Fixed> {
    if quantity.is_state() { (0i64..=1).prop_map(Fixed).boxed() } else { (-FIXED_MAX..=FIXED_MAX).prop_map(Fixed).boxed() }
}

fn reading() -> impl Strategy<Value = Reading> {
    (quantity(), any::<u8>())
        .prop_flat_map(|(quantity, channel)| value(&quantity).prop_map(move |value| Reading { quantity: quantity.clone(), channel, value }))
}

fn time() -> impl Strategy<Value = DeviceTime> {
    prop_oneof![(0i64..253_402_300_800_000).prop_map(DeviceTime::Unix), (0u64..253_402_300_800_000).prop_map(DeviceTime::Uptime)]
}

prop_compose! {
    fn telemetry()(
        device in "[^\\pC\\s/+#\"\\\\$]{1,16}", boot: u64, seq: u64, time in time(), list in prop::collection::vec(reading(), 0..=24), age: Option<u64>,
    ) -> Telemetry {
        let mut readings = heapless::Vec::new();
        for r in list {
            if !readings.iter().any(|o: &Reading| o.quantity == r.quantity && o.channel == r.channel) {
                readings.push(r).unwrap();
            }
        }
        Telemetry { site: SiteId::new("s").unwrap(), device: DeviceId::new(&device).unwrap(), boot, seq, time, readings, age }
    }
}

prop_compose! {
    fn incident()(
        sequence: u64, at: i64, activations: u32, flags: [bool; 5], severity in 1u8..=4, note in prop::option::of("\\PC{0,60}"),
        actor in prop::option::of("\\PC{0,12}"), author in prop::option::of("\\PC{0,12}"),
        reading in prop::option::of(reading()), seq: Option<u64>, has_trigger: bool, rules: [u8; 32],
    ) -> IncidentEvent {
        IncidentEvent {
            sequence, at, activations, rules,
            clock_trusted: flags[0],
            found_on_connect: flags[1],
            state: IncidentState { active: flags[2], acknowledged: flags[3], closed: flags[4], inhibited: None },
            severity: Severity::try_from(severity).unwrap(),
            note: note.map(|n| n.as_str().try_into().unwrap()),
            actor: actor.map(|n| n.as_str().try_into().unwrap()),
            overridden_by: author.map(|n| n.as_str().try_into().unwrap()),
            via: None,
            cause: None,
            until: None,
            assignee: None,
            other: None,
            rung: None,
            exercise: None,
            trigger: has_trigger.then(|| Trigger { device: DeviceId::new("d").unwrap(), reading: reading.map(|r| (r.quantity, r.value)), seq }),
            ..samples::incident()
        }
    }
}

fn round_trip<T: Wire + PartialEq + std::fmt::Debug>(message: &T) {
    let cbor = message.to_cbor_vec().unwrap();
    assert_eq!(T::from_cbor(&cbor).as_ref(), Ok(message));
    assert_eq!(T::from_json(message.to_json().as_bytes()).as_ref(), Ok(message));
    // A prefix is never a message, and neither is a message with something behind it.
    for end in 0..cbor.len() {
        assert!(T::from_cbor(&cbor[..end]).is_err());
    }
    assert_eq!(T::from_cbor(&[&cbor[..], &[0]].concat()), Err(CodecError::TrailingBytes(1)));
    let json = message.to_json();
    assert!(T::from_json(&json.as_bytes()[..json.len() - 1]).is_err());
    assert!(T::from_json(format!("{json}x").as_bytes()).is_err());
    // A buffer that is too small is an error, not a short message.
    assert_eq!(message.to_cbor(&mut vec![0; cbor.len() - 1]), Err(CodecError::TooLong));
}

/// The same CBOR map with one more entry behind the others.
fn with_unknown(mut cbor: Vec<u8>, value: &[u8]) -> Vec<u8> {
    match cbor[0] {
        // A map of fewer than 24 entries has its length in the first byte, a larger one in the second.
        0xa0..=0xb6 => cbor[0] += 1,
        0xb7 => {
            cbor[0] = 0xb8;
            cbor.insert(1, 24);
        }
        _ => cbor[1] += 1,
    }
    cbor.extend_from_slice(&[0x18, 200]);
    cbor.extend_from_slice(value);
    cbor
}

fn ignores_unknown<T: Wire + PartialEq + std::fmt::Debug>(message: &T) {
    // A text, nested arrays and maps, a tag, a float.
    for value in [&b"\x61x"[..], b"\x82\x81\x01\xa1\x01\x80", b"\xc1\x1a\x00\x00\x00\x00", b"\xf9\x00\x00"] {
        assert_eq!(T::from_cbor(&with_unknown(message.to_cbor_vec().unwrap(), value)).as_ref(), Ok(message));
    }
    let json = message.to_json().replacen('{', r#"{"future":{"deep":[1,null,"x"]},"#, 1);
    assert_eq!(T::from_json(json.as_bytes()).as_ref(), Ok(message));
    // A newer version is refused before anything else is believed.
    let mut cbor = message.to_cbor_vec().unwrap();
    let at = if cbor[0] == 0xb8 { 3 } else { 2 };
    cbor[at] = 2;
    assert_eq!(T::from_cbor(&cbor), Err(CodecError::Version(2)));
    assert_eq!(T::from_json(message.to_json().replacen("\"v\":1", "\"v\":2", 1).as_bytes()), Err(CodecError::Version(2)));
}

#[test]
fn unknown_fields_are_ignored_and_newer_versions_refused() {
    ignores_unknown(&samples::telemetry());
    ignores_unknown(&samples::event());
    ignores_unknown(&samples::status());
    ignores_unknown(&samples::command());
    ignores_unknown(&samples::frame());
    ignores_unknown(&samples::incident());
    ignores_unknown(&samples::bare_incident());
    ignores_unknown(&samples::offer());
    ignores_unknown(&samples::chunk());
    ignores_unknown(&samples::progress());
    ignores_unknown(&samples::refused_update());
    ignores_unknown(&samples::settings());
    ignores_unknown(&samples::applied());
}

#[test]
fn every_sample_goes_round() {
    round_trip(&samples::telemetry());
    round_trip(&samples::backlog());
    round_trip(&samples::event());
    round_trip(&samples::status());
    round_trip(&samples::birth());
    round_trip(&samples::will());
    round_trip(&samples::command());
    round_trip(&samples::frame());
    round_trip(&samples::incident());
    round_trip(&samples::bare_incident());
    round_trip(&samples::offer());
    round_trip(&samples::chunk());
    round_trip(&samples::progress());
    round_trip(&samples::refused_update());
    round_trip(&samples::settings());
    round_trip(&samples::applied());
}

#[test]
fn errors_name_the_field_and_the_fix() {
    let telemetry = samples::telemetry().to_json();
    for (from, to, says) in [
        (r#""v":1,"#, "", "field `v` is missing"),
        (r#""v":1"#, r#""v":0"#, "field `v` must be 1"),
        (r#""boot":7"#, r#""boot":-7"#, "field `boot` must be a whole number"),
        (r#""boot":7"#, r#""boot":7,"boot":8"#, "field `boot` must be given once"),
        (r#""seq":300,"#, "", "field `seq` is missing"),
        (r#""time":"#, r#""uptime":1,"time":"#, "must not be given together"),
        (r#""site":"xingyuan""#, r#""site":"a/b""#, "field `site` must hold no"),
        (r#""site":"xingyuan""#, r#""site":5"#, "field `site` must be a string"),
        (r#""co2":812"#, r#""co2":"812""#, "field `readings` must hold numbers"),
        (r#""co2":812"#, r#""co2":1e300"#, "too large"),
        (r#""co2":812"#, r#""temperature#1":1"#, "only once"),
        (r#""co2":812"#, r#""co2#256":1"#, "channel from 0 to 255"),
        (r#""smoke":1"#, r#""smoke":2"#, "for a state"),
        (r#""readings":{"#, r#""readings":[],"x":{"#, "must be an object"),
    ] {
        let json = telemetry.replacen(from, to, 1);
        assert_ne!(json, telemetry, "{from}");
        let error = Telemetry::from_json(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let many: Vec<String> = (0..25).map(|i| format!("\"co2#{i}\":1")).collect();
    let json = format!(r#"{{"v":1,"site":"s","device":"d","boot":1,"seq":1,"uptime":1,"readings":{{{}}}}}"#, many.join(","));
    assert!(Telemetry::from_json(json.as_bytes()).unwrap_err().to_string().contains("at most 24"));
    let json = samples::status().to_json().replacen("Tuoan", &"x".repeat(33), 1);
    assert_eq!(Status::from_json(json.as_bytes()), Err(CodecError::TooLongText("make", 32)));
    assert_eq!(Telemetry::from_json(&[b' '; 5000]), Err(CodecError::TooLong));
    assert_eq!(Telemetry::from_json(b"{\n\"v\": tru}"), Err(CodecError::Syntax(10)));
}

#[test]
fn a_state_may_be_said_as_a_boolean() {
    let json = samples::telemetry().to_json().replacen("\"smoke\":1", "\"smoke\":true", 1);
    assert_eq!(Telemetry::from_json(json.as_bytes()), Ok(samples::telemetry()));
}

#[test]
fn a_value_of_other_decimals_is_taken_as_the_same_number() {
    // radon 12.5 with one decimal; this version keeps three of an unknown quantity.
    let cbor = hex::decode("a70001016173026164030104010601078183657261646f6e187d01").unwrap();
    let telemetry = Telemetry::from_cbor(&cbor).unwrap();
    assert_eq!(telemetry.readings[0].value, Fixed(12_500));
}

#[test]
fn indefinite_lengths_and_unordered_keys_are_refused() {
    let cbor = samples::event().to_cbor_vec().unwrap();
    let mut indefinite = cbor.clone();
    indefinite[0] = 0xbf;
    indefinite.push(0xff);
    assert!(matches!(DeviceEvent::from_cbor(&indefinite), Err(CodecError::Field("message", _))));
    let mut twice = cbor;
    twice[3] = 0;
    assert!(DeviceEvent::from_cbor(&twice).is_err());
}

proptest! {
    #[test]
    fn telemetry_goes_round(message in telemetry()) {
        round_trip(&message);
    }

    #[test]
    fn incidents_go_round(message in incident()) {
        round_trip(&message);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn no_damaged_message_makes_a_decoder_panic(at: prop::sample::Index, byte: u8, which in 0usize..7, json: bool) {
        fn both(m: &impl Wire, json: bool) -> Vec<u8> {
            if json { m.to_json().into_bytes() } else { m.to_cbor_vec().unwrap() }
        }
        let mut bytes = match which {
            0 => both(&samples::telemetry(), json),
            1 => both(&samples::event(), json),
            2 => both(&samples::status(), json),
            3 => both(&samples::command(), json),
            4 => both(&samples::frame(), json),
            5 => both(&samples::incident(), json),
            _ => both(&samples::bare_incident(), json),
        };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        read_all(&bytes);
    }
}

/// Whatever is accepted must go round, and its bytes must not change any more.
fn read_all(bytes: &[u8]) {
    fn read<T: Wire + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
        let _ = T::from_json(bytes);
        if let Ok(message) = T::from_cbor(bytes) {
            round_trip(&message);
        }
        if let Ok(message) = T::from_bytes(bytes) {
            round_trip(&message);
        }
    }
    read::<Telemetry>(bytes);
    read::<DeviceEvent>(bytes);
    read::<Status>(bytes);
    read::<DeviceCommand>(bytes);
    read::<FrameHeader>(bytes);
    read::<IncidentEvent>(bytes);
    let _ = FrameHeader::split(bytes);
}
