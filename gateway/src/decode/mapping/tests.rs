use super::*;

#[derive(Deserialize)]
struct Config {
    mapping: Vec<MappingSpec>,
}

/// Constructed: no such kit exists.
const KIT: &str = r#"
    [[mapping]]
    name = "kit"
    topic = "kit/{room}/{device}/env"
    device = "{room}.{device}"
    time = { pointer = "/ts", unit = "ms" }
    seq = "/meta/seq"
    boot = 1
    readings = [
      { pointer = "/temperature", quantity = "temperature", unit = "°F" },
      { pointer = "/air/0/ppb", quantity = "co2", unit = "ppb" },
      { pointer = "/door", quantity = "open", true_value = "OPEN", false_value = "SHUT" },
      { pointer = "/contact", quantity = "open", channel = 1, invert = true },
      { pointer = "/a~1b", quantity = "battery" },
      { pointer = "/radon", quantity = "radon" },
    ]
"#;

fn compile(toml: &str) -> Result<Mapping, Vec<String>> {
    Mapping::compile(toml::from_str::<Config>(toml).unwrap().mapping.remove(0))
}

fn decode(mapping: &mut Mapping, topic: &str, payload: &str) -> Decoded {
    mapping.decode(Raw { topic, payload: payload.as_bytes(), retained: false }, &mut Directory::default())
}

fn message(decoded: Decoded) -> Message {
    match decoded {
        Decoded::Inputs(mut bodies) => match bodies.pop() {
            Some(Body::Message(m)) => m,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn values(m: &Message) -> Vec<(String, u8, i64)> {
    m.items
        .iter()
        .map(|item| match item {
            Item::Reading { quantity, channel, value } => (quantity.name().to_owned(), *channel, value.0),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_mapped_message() {
    let mut kit = compile(KIT).unwrap();
    let payload = r#"{"ts":1790000000123,"meta":{"seq":5,"other":[1]},"temperature":74.3,"air":[{"ppb":812400,"x":{}},7],
        "door":"OPEN","contact":true,"a/b":"87","radon":12.5,"ignored":null}"#;
    let m = message(decode(&mut kit, "kit/toddler-2/th/env", payload));
    assert_eq!(m.device.as_str(), "toddler-2.th");
    assert_eq!((m.boot, m.seq, m.sampled_at), (Some(1), Some(5), Some(1_790_000_000_123)));
    let expected = [("temperature", 0, 2350), ("co2", 0, 812), ("open", 0, 1), ("open", 1, 0), ("battery", 0, 87), ("radon", 0, 12_500)];
    assert_eq!(values(&m), expected.map(|(name, channel, value)| (name.to_owned(), channel, value)));
}

#[test]
fn part_of_a_message_and_wrong_ones() {
    let mut kit = compile(KIT).unwrap();
    let topic = "kit/r/d/env";
    // Without a sequence number, the boot constant means nothing.
    let m = message(decode(&mut kit, topic, r#"{"temperature":null,"door":"SHUT","ts":"later"}"#));
    assert_eq!((values(&m), m.boot, m.seq, m.sampled_at), (vec![("open".to_owned(), 0, 0)], None, None, None));
    // A reading that is wrong does not cost the others.
    assert_eq!(values(&message(decode(&mut kit, topic, r#"{"temperature":"warm","contact":false}"#))), [("open".to_owned(), 1, 1)]);
    for (payload, says) in [
        (r#"{"door":"unavailable"}"#, "open: the value of a state"),
        (r#"{"temperature":1e300}"#, "temperature: the value is too large"),
        (r#"{"other":1}"#, "none of the readings' pointers"),
        (r#"{"temperature":[1]}"#, "temperature: the value is not"),
        (r#"{"temperature":1"#, "not JSON"),
        ("23.4", "none of the readings' pointers"),
        ("hello", "not JSON"),
    ] {
        let Decoded::Malformed(reason) = decode(&mut kit, topic, payload) else { panic!("{payload}") };
        assert!(reason.starts_with("mapping `kit`: ") && reason.contains(says), "{reason}");
    }
    assert!(matches!(decode(&mut kit, "kit/a b/d/env", r#"{"contact":true}"#), Decoded::Malformed(r) if r.contains("device")));
    assert!(matches!(decode(&mut kit, topic, &" ".repeat(MAX_PAYLOAD + 1)), Decoded::Malformed(_)));
    assert_eq!(decode(&mut kit, topic, ""), Decoded::Inputs(vec![]));
    assert_eq!(decode(&mut kit, "kit/r/d/other", "{}"), Decoded::NotMine);
}

/// Constructed: topics that carry one bare value each.
#[test]
fn a_bare_value() {
    let bare = |quantity: &str| {
        compile(&format!(
            "[[mapping]]\nname='b'\ntopic='esp/{{d}}/state'\ndevice='esp.{{d}}'\nreadings=[{{pointer='',quantity='{quantity}'}}]"
        ))
        .unwrap()
    };
    assert_eq!(values(&message(decode(&mut bare("temperature"), "esp/a/state", " 23.45\n"))), [("temperature".to_owned(), 0, 2345)]);
    assert_eq!(values(&message(decode(&mut bare("smoke"), "esp/a/state", "ON"))), [("smoke".to_owned(), 0, 1)]);
    assert!(matches!(decode(&mut bare("smoke"), "esp/a/state", "unavailable"), Decoded::Malformed(_)));
}

#[test]
fn times_in_every_unit() {
    for (unit, value, want) in [
        ("s", "1790000000.5", Some(1_790_000_000_500)),
        ("ms", "\"1790000000123\"", Some(1_790_000_000_123)),
        ("iso8601", "\"2024-09-07T15:54:41.147Z\"", Some(1_725_724_481_147)),
        ("iso8601", "1790000000", None),
        ("s", "1e300", None),
        ("s", "-1", None),
    ] {
        let toml = format!(
            "[[mapping]]\nname='t'\ntopic='t'\ndevice='t'\ntime={{pointer='/t',unit='{unit}'}}\nreadings=[{{pointer='/x',quantity='co2'}}]"
        );
        let m = message(decode(&mut compile(&toml).unwrap(), "t", &format!("{{\"t\":{value},\"x\":1}}")));
        assert_eq!(m.sampled_at, want, "{unit} {value}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let problems = compile(
        r#"
        [[mapping]]
        name = "bad"
        topic = "kit/{room}/x{device}"
        device = "{zone}"
        seq = "seq"
        readings = [
          { pointer = "temperature", quantity = "temperature", unit = "furlong" },
          { pointer = "/t", quantity = "not a name" },
          { pointer = "/t", quantity = "co2", invert = true },
          { pointer = "/t", quantity = "co2" },
          { pointer = "/s", quantity = "smoke", unit = "ppm", false_value = "x" },
          { pointer = "/1/2/3/4/5/6/7/8/9", quantity = "co" },
        ]
        "#,
    )
    .map(drop)
    .unwrap_err();
    for says in [
        "topic: ",
        "device: ",
        "seq: pointer `seq` must start with /",
        "seq and boot go together",
        "readings[0]: pointer `temperature`",
        "readings[0]: unit `furlong`",
        "readings[1]: quantity",
        "readings[2]: true_value",
        "readings[3]: co2 stands twice",
        "readings[4]: smoke is a state and has no unit",
        "readings[4]: false_value needs true_value",
        "readings[5]: pointer",
    ] {
        assert!(problems.iter().any(|p| p.starts_with("mapping `bad`: ") && p.contains(says)), "{says}: {problems:#?}");
    }
    assert!(toml::from_str::<Config>(&KIT.replace("boot = 1", "boot = 1\ntypo = 2")).is_err());
}
