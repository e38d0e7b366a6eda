//! What simulated devices put on the wire: native JSON and CBOR, and Zigbee2MQTT's convention.
use super::device::{Device, Due, What};
use super::scenario::Wire;
use serde_json::{Map, Value, json};
#[cfg(test)]
use tuoan_protocol::Wire as _;
use tuoan_protocol::topic::{Topic, TopicKind};
use tuoan_protocol::{DeviceEvent, DeviceId, DeviceTime, EventKind, Fixed, Presence, Quantity, Reading, SiteId, Status, Telemetry};

/// One MQTT message, QoS 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    pub topic: String,
    pub payload: Vec<u8>,
    pub retain: bool,
}

/// A device's message. `now`: UTC milliseconds; `uptime_ms` for devices without a clock.
///
/// # Errors
/// When it cannot be encoded: too many readings, a text too long.
pub fn packet(site: &SiteId, d: &Device, due: &Due, now: i64, uptime_ms: u64) -> Result<Packet, String> {
    let what = |e: &dyn std::fmt::Display| format!("device {}: {e}", d.id);
    let time = match d.wire {
        Wire::Cbor => DeviceTime::Uptime(uptime_ms),
        _ => DeviceTime::Unix(now),
    };
    let event = |kind, command| DeviceEvent {
        site: site.clone(),
        device: d.id.clone(),
        boot: d.boot,
        seq: due.seq,
        time,
        kind,
        command,
        age: None,
    };
    let (kind, payload) = match (&due.what, d.wire) {
        (What::Telemetry(readings), Wire::Zigbee2mqtt) => {
            let payload = zigbee(readings).to_string().into_bytes();
            return Ok(Packet { topic: format!("zigbee2mqtt/{}", d.name), payload, retain: false });
        }
        (What::Telemetry(readings), wire) => {
            let (site, device) = (site.clone(), d.id.clone());
            let mut telemetry = Telemetry { site, device, boot: d.boot, seq: due.seq, time, readings: Default::default(), age: None };
            for (quantity, value) in readings {
                let reading = Reading { quantity: quantity.clone(), channel: 0, value: *value };
                telemetry.readings.push(reading).map_err(|_| what(&"more readings than one message takes"))?;
            }
            (TopicKind::Telemetry, encode(&telemetry, wire).map_err(|e| what(&e))?)
        }
        (What::Pressed, wire) => (TopicKind::Event, encode(&event(EventKind::PanicPressed, None), wire).map_err(|e| what(&e))?),
        (What::Done(order), wire) => (TopicKind::Event, encode(&event(EventKind::CommandDone, Some(*order)), wire).map_err(|e| what(&e))?),
    };
    Ok(Packet { topic: native(site, &d.id, kind), payload, retain: false })
}

/// Birth (retained) or will of a native device.
///
/// # Errors
/// When make or model is too long.
pub fn status(site: &SiteId, d: &Device, presence: Presence) -> Result<Packet, String> {
    let long = || format!("device {}: make and model take 32 bytes each", d.id);
    let status = Status {
        site: site.clone(),
        device: d.id.clone(),
        boot: Some(d.boot),
        presence,
        make: Some(d.make.as_str().try_into().map_err(|_| long())?),
        model: Some(d.model.as_str().try_into().map_err(|_| long())?),
        firmware: Some(env!("CARGO_PKG_VERSION").try_into().map_err(|_| long())?),
        period_s: Some(d.period_s),
        reason: None,
        hardware: None,
        reset: None,
    };
    let payload = encode(&status, d.wire).map_err(|e| format!("device {}: {e}", d.id))?;
    Ok(Packet { topic: native(site, &d.id, TopicKind::Status), payload, retain: true })
}

pub fn native(site: &SiteId, device: &DeviceId, kind: TopicKind) -> String {
    Topic { site: site.clone(), device: device.clone(), kind }.to_string()
}

fn encode<T: tuoan_protocol::codec::Wire>(message: &T, wire: Wire) -> Result<Vec<u8>, tuoan_protocol::codec::CodecError> {
    match wire {
        Wire::Cbor => message.to_cbor_vec(),
        _ => Ok(message.to_json().into_bytes()),
    }
}

/// The bridge's list of its devices, as Zigbee2MQTT publishes it, retained.
pub fn inventory<'a>(devices: impl Iterator<Item = &'a Device>) -> Packet {
    let list: Vec<Value> = devices
        .filter_map(|d| {
            Some(json!({
                "ieee_address": ieee_address(&d.id)?,
                "type": "EndDevice",
                "network_address": 0,
                "supported": true,
                "disabled": false,
                "friendly_name": d.name,
                "definition": { "model": d.model, "vendor": d.make, "description": "", "exposes": [] },
                "power_source": "Battery",
                "model_id": d.model,
                "manufacturer": d.make,
                "interview_completed": true,
            }))
        })
        .collect();
    Packet { topic: "zigbee2mqtt/bridge/devices".to_owned(), payload: Value::Array(list).to_string().into_bytes(), retain: true }
}

/// The hardware address in `z2m.0x00158d0009000001`.
pub fn ieee_address(id: &DeviceId) -> Option<&str> {
    id.as_str().strip_prefix("z2m.").filter(|a| a.len() == 18 && a.starts_with("0x"))
}

/// State as Zigbee2MQTT names it: `contact` is the opposite of open.
fn zigbee(readings: &[(Quantity, Fixed)]) -> Value {
    let mut out = Map::new();
    for (quantity, value) in readings {
        let on = value.0 != 0;
        let (name, value) = match quantity {
            Quantity::Open => ("contact", json!(!on)),
            Quantity::Motion => ("occupancy", json!(on)),
            Quantity::CoAlarm => ("carbon_monoxide", json!(on)),
            Quantity::LinkQuality => ("linkquality", json!(value.0)),
            q if q.is_state() => (q.name(), json!(on)),
            q if q.decimals() == 0 => (q.name(), json!(value.0)),
            q => (q.name(), json!(q.float(*value))),
        };
        out.insert(name.to_owned(), value);
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::nursery::Nursery;

    fn device(id: &str) -> (SiteId, Device) {
        let n = Nursery::built_in(None).unwrap();
        let d = n.devices.into_iter().find(|d| d.id.as_str() == id).unwrap();
        (n.site.id, d)
    }

    #[test]
    fn native_messages_are_read_back_as_they_were_meant() {
        for (id, clock) in [("climate-older-1", DeviceTime::Unix(77)), ("climate-toddler-1", DeviceTime::Uptime(5))] {
            let (site, d) = device(id);
            let readings = vec![(Quantity::Temperature, Fixed(2340)), (Quantity::Co2, Fixed(812))];
            let due = Due { seq: 9, what: What::Telemetry(readings) };
            let p = packet(&site, &d, &due, 77, 5).unwrap();
            assert_eq!(p.topic, format!("tuoan/v1/xingyuan/{id}/telemetry"));
            let t = Telemetry::from_bytes(&p.payload).unwrap();
            assert_eq!((t.device.as_str(), t.seq, t.boot, t.time), (id, 9, d.boot, clock));
            assert_eq!(t.readings[1], Reading { quantity: Quantity::Co2, channel: 0, value: Fixed(812) });
        }
        let (site, d) = device("panic-older-1");
        let p = packet(&site, &d, &Due { seq: 3, what: What::Pressed }, 77, 5).unwrap();
        assert_eq!(DeviceEvent::from_bytes(&p.payload).unwrap().kind, EventKind::PanicPressed);
        let birth = status(&site, &d, Presence::Online).unwrap();
        assert!(birth.retain && Status::from_bytes(&birth.payload).unwrap().period_s == Some(600));
    }

    #[test]
    fn an_open_door_has_no_contact() {
        let (site, d) = device("z2m.0x00158d0009000001");
        let readings = vec![(Quantity::Open, Fixed(1)), (Quantity::Battery, Fixed(97)), (Quantity::LinkQuality, Fixed(120))];
        let p = packet(&site, &d, &Due { seq: 1, what: What::Telemetry(readings) }, 0, 0).unwrap();
        assert_eq!(p.topic, "zigbee2mqtt/front_door");
        assert_eq!(serde_json::from_slice::<Value>(&p.payload).unwrap(), json!({"contact": false, "battery": 97, "linkquality": 120}));
        let listed: Value = serde_json::from_slice(&inventory(std::iter::once(&d)).payload).unwrap();
        assert_eq!(listed[0]["ieee_address"], "0x00158d0009000001");
    }
}
