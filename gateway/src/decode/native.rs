//! The product's own topics, `tuoan/v1/<site>/<device>/<kind>`, JSON or CBOR told apart by the first byte.
use super::unclocked::Unclocked;
use super::{Decoded, Decoder, Directory, Owner, Raw};
use crate::engine::input::{Body, DeviceInfo, Item, Message, Start};
use tuoan_protocol::topic::{Topic, TopicKind};
use tuoan_protocol::{CodecError, DeviceEvent, DeviceId, DeviceTime, SettingsAnswer, SiteId, Status, Telemetry, UpdateProgress, Wire};

pub(super) const NAME: &str = "native";

#[derive(Default)]
pub struct Native {
    unclocked: Unclocked,
}

/// All below `tuoan/`, but for what Shellys answer to our orders.
fn is_own(topic: &str) -> bool {
    topic.starts_with("tuoan/") && topic != "tuoan/rpc"
}

impl Decoder for Native {
    fn name(&self) -> &'static str {
        NAME
    }
    fn owner(&self, topic: &str) -> Owner {
        if is_own(topic) { Owner::Mine(Topic::parse(topic).map(|t| t.device)) } else { Owner::NotMine }
    }
    fn decode(&mut self, raw: Raw<'_>, directory: &mut Directory) -> Decoded {
        if !is_own(raw.topic) {
            return Decoded::NotMine;
        }
        let Some(topic) = Topic::parse(raw.topic) else {
            return Decoded::Malformed(
                "the topic must be tuoan/v1/<site>/<device>/<telemetry|event|status|frame|command|progress|...>".to_owned(),
            );
        };
        // An empty payload clears a retained message; it says nothing.
        if raw.payload.is_empty() {
            return Decoded::Inputs(Vec::new());
        }
        let bodies = match topic.kind {
            TopicKind::Telemetry => self.telemetry(&topic, raw, directory.received),
            TopicKind::Event => self.event(&topic, raw, directory.received),
            TopicKind::Status => status(&topic, raw),
            // Our own words, heard again.
            TopicKind::Command | TopicKind::Update | TopicKind::Chunk | TopicKind::Settings => Ok(Vec::new()),
            // For who sent the image or the settings, which listens itself: nothing that is measured. But it must be what it says.
            TopicKind::Progress => read(&topic, raw, |p: &UpdateProgress| (&p.site, &p.device)).map(|_| Vec::new()),
            TopicKind::Applied => read(&topic, raw, |a: &SettingsAnswer| (&a.site, &a.device)).map(|_| Vec::new()),
            TopicKind::Frame => Err("a frame does not belong here; the camera intake takes it".to_owned()),
        };
        bodies.map_or_else(Decoded::Malformed, Decoded::Inputs)
    }
}

/// The payload, once it says the same site and device as the topic: the topic is what the broker's access rules judged.
fn read<T: Wire>(topic: &Topic, raw: Raw<'_>, named: impl Fn(&T) -> (&SiteId, &DeviceId)) -> Result<T, String> {
    let message = T::from_bytes(raw.payload).map_err(|e: CodecError| e.to_string())?;
    let (site, device) = named(&message);
    if *site != topic.site {
        return Err(format!("field `site` is {site}, but the topic says {}; publish on the site's own topic", topic.site));
    }
    if *device != topic.device {
        return Err(format!("field `device` is {device}, but the topic says {}; publish on the device's own topic", topic.device));
    }
    Ok(message)
}

impl Native {
    /// When it was sampled. A node that nobody has told the time says how old its word was when it was sent: what waited for the gateway keeps its place in
    /// time. Without an age it was told at once.
    fn sampled(&mut self, device: &DeviceId, boot: u64, time: DeviceTime, age: Option<u64>, received: Option<i64>) -> Option<i64> {
        match time {
            DeviceTime::Unix(ms) => Some(ms),
            DeviceTime::Uptime(ms) => self.unclocked.sampled(device, boot, ms, age?, received?),
        }
    }

    fn telemetry(&mut self, topic: &Topic, raw: Raw<'_>, received: Option<i64>) -> Result<Vec<Body>, String> {
        let t: Telemetry = read(topic, raw, |t: &Telemetry| (&t.site, &t.device))?;
        let items = t.readings.into_iter().map(|r| Item::Reading { quantity: r.quantity, channel: r.channel, value: r.value }).collect();
        let sampled_at = self.sampled(&t.device, t.boot, t.time, t.age, received);
        let (boot, seq) = (Some(t.boot), Some(t.seq));
        Ok(vec![Body::Message(Message { device: t.device, boot, seq, sampled_at, retained: raw.retained, items })])
    }

    fn event(&mut self, topic: &Topic, raw: Raw<'_>, received: Option<i64>) -> Result<Vec<Body>, String> {
        let e: DeviceEvent = read(topic, raw, |e: &DeviceEvent| (&e.site, &e.device))?;
        let items = vec![Item::Event { kind: e.kind, command: e.command }];
        let sampled_at = self.sampled(&e.device, e.boot, e.time, e.age, received);
        let (boot, seq) = (Some(e.boot), Some(e.seq));
        Ok(vec![Body::Message(Message { device: e.device, boot, seq, sampled_at, retained: raw.retained, items })])
    }
}

fn status(topic: &Topic, raw: Raw<'_>) -> Result<Vec<Body>, String> {
    let s: Status = read(topic, raw, |s: &Status| (&s.site, &s.device))?;
    let mut bodies = Vec::with_capacity(2);
    // A will says nothing of the device, and must not erase what its birth said.
    if s.make.is_some() || s.model.is_some() || s.firmware.is_some() || s.period_s.is_some() || s.hardware.is_some() {
        // A birth of somebody else's make may know no numbers, and then tells of no start.
        let start = s.boot.filter(|_| s.reset.is_some()).map(|boot| Start { boot, reason: s.reset.map(|t| t.as_str().to_owned()) });
        bodies.push(Body::Inventory(vec![DeviceInfo {
            device: Some(s.device.clone()),
            name: None,
            make: s.make.map(|t| t.as_str().to_owned()),
            model: s.model.map(|t| t.as_str().to_owned()),
            firmware: s.firmware.map(|t| t.as_str().to_owned()),
            hardware: s.hardware.map(|t| t.as_str().to_owned()),
            start,
            period_s: s.period_s,
            quantities: Vec::new(),
            via: None,
            removed: false,
        }]));
    }
    bodies.push(Body::Message(Message {
        device: s.device,
        boot: s.boot,
        seq: None,
        sampled_at: None,
        retained: raw.retained,
        items: vec![Item::Presence(s.presence)],
    }));
    Ok(bodies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_protocol::{EventKind, Fixed, Presence, Quantity};

    fn decode(topic: &str, payload: &[u8]) -> Decoded {
        Native::default().decode(Raw { topic, payload, retained: false }, &mut Directory::default())
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

    const TELEMETRY: &[u8] =
        br#"{"v":1,"site":"xingyuan","device":"th-1","boot":7,"seq":12,"time":1790000000000,"readings":{"temperature":23.4,"smoke":true}}"#;

    #[test]
    fn telemetry_is_the_same_in_both_codecs() {
        let topic = "tuoan/v1/xingyuan/th-1/telemetry";
        let m = message(decode(topic, TELEMETRY));
        assert_eq!((m.device.as_str(), m.boot, m.seq, m.sampled_at), ("th-1", Some(7), Some(12), Some(1_790_000_000_000)));
        assert_eq!(
            m.items,
            [
                Item::Reading { quantity: Quantity::Temperature, channel: 0, value: Fixed(2340) },
                Item::Reading { quantity: Quantity::Smoke, channel: 0, value: Fixed(1) },
            ]
        );
        let cbor = Telemetry::from_json(TELEMETRY).unwrap().to_cbor_vec().unwrap();
        assert_eq!(message(decode(topic, &cbor)), m);
    }

    #[test]
    fn a_payload_must_be_of_its_topic() {
        for (topic, says) in [
            ("tuoan/v1/xingyuan/th-2/telemetry", "field `device` is th-1"),
            ("tuoan/v1/other/th-1/telemetry", "field `site` is xingyuan"),
            ("tuoan/v1/xingyuan/th-1/event", "field `kind` is missing"),
            ("tuoan/v1/xingyuan/th-1/nonsense", "the topic must be"),
            ("tuoan/v2/xingyuan/th-1/telemetry", "the topic must be"),
            ("tuoan/v1/xingyuan/th-1/frame", "camera intake"),
        ] {
            let Decoded::Malformed(reason) = decode(topic, TELEMETRY) else { panic!("{topic}") };
            assert!(reason.contains(says), "{reason}");
        }
        assert_eq!(decode("zigbee2mqtt/th-1", TELEMETRY), Decoded::NotMine);
    }

    #[test]
    fn a_birth_describes_the_device_and_a_will_does_not() {
        let topic = "tuoan/v1/xingyuan/th-1/status";
        let birth = br#"{"v":1,"site":"xingyuan","device":"th-1","boot":7,"presence":"online","make":"Tuoan","period_s":60}"#;
        let Decoded::Inputs(bodies) = decode(topic, birth) else { panic!() };
        let Some(Body::Inventory(list)) = bodies.first() else { panic!("{bodies:?}") };
        assert_eq!((list[0].make.as_deref(), list[0].period_s), (Some("Tuoan"), Some(60)));
        let will = br#"{"v":1,"site":"xingyuan","device":"th-1","presence":"offline"}"#;
        let Decoded::Inputs(bodies) = decode(topic, will) else { panic!() };
        assert_eq!(bodies.len(), 1);
        assert_eq!(message(Decoded::Inputs(bodies)).items, [Item::Presence(Presence::Offline)]);
        assert_eq!(decode(topic, b""), Decoded::Inputs(vec![]));
    }

    #[test]
    fn what_waited_on_a_node_without_a_clock_is_as_old_as_it_says() {
        let decode = |json: &str, received: Option<i64>| {
            let mut decoders = super::super::Decoders::standard(Vec::new());
            received.into_iter().for_each(|utc| decoders.received_at(utc));
            let raw = Raw { topic: "tuoan/v1/s/d/telemetry", payload: json.as_bytes(), retained: false };
            message(Decoded::Inputs(decoders.decode(raw).unwrap().1)).sampled_at
        };
        let of = |time: &str| format!(r#"{{"v":1,"site":"s","device":"d","boot":1,"seq":1,{time},"readings":{{"co2":900}}}}"#);
        let now = Some(1_790_000_000_000);
        assert_eq!(decode(&of(r#""uptime":60000,"age":1200000"#), now), Some(1_789_998_800_000));
        assert_eq!(decode(&of(r#""uptime":60000,"age":0"#), now), now);
        assert_eq!(decode(&of(r#""uptime":60000"#), now), None, "it is told at once");
        assert_eq!(decode(&of(r#""time":5,"age":1200000"#), now), Some(5), "a clock knows better");
        assert!(
            decode(&of(&format!(r#""uptime":1,"age":{}"#, u64::MAX)), now).is_some_and(|t| t < 0),
            "older than anything, and no overflow"
        );
        assert_eq!(decode(&of(r#""uptime":60000,"age":5"#), None), None, "nobody knows when it was received");
    }

    #[test]
    fn an_event_keeps_its_retained_flag_for_the_engine_to_judge() {
        let payload = br#"{"v":1,"site":"xingyuan","device":"sos-1","boot":1,"seq":1,"uptime":10,"kind":"panic_pressed"}"#;
        let topic = "tuoan/v1/xingyuan/sos-1/event";
        let m = message(Native::default().decode(Raw { topic, payload, retained: true }, &mut Directory::default()));
        assert!(m.retained);
        assert_eq!((m.sampled_at, m.items), (None, vec![Item::Event { kind: EventKind::PanicPressed, command: None }]));
    }
}
