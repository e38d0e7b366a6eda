//! Settings onto one node: said until it answers, which it does by taking all of it or naming the field that is wrong.
use super::rollout::Rollout;
use crate::ingest::client;
use bytes::Bytes;
use rumqttc::{AsyncClient, Event, Incoming, PublishOptions, QoS};
use std::time::Duration;
use tuoan_protocol::topic::{Topic, TopicKind};
use tuoan_protocol::{CodecError, DeviceId, DeviceSettings, SettingsAnswer, SiteId, VERSION, Wire};

/// A node that does not answer within this is away. The command line waits 30 s.
const PATIENCE: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_secs(5);

/// The message for a device from what a person wrote: a JSON object of `altitude_m`, `self_calibration`, `local_alarm` and `rules`.
///
/// # Errors
/// What of it is wrong.
pub fn message(site: &SiteId, device: &DeviceId, id: u64, mut written: serde_json::Value) -> Result<DeviceSettings, String> {
    let fields = written.as_object_mut().ok_or("settings are a JSON object")?;
    let known = ["altitude_m", "self_calibration", "local_alarm", "rules"];
    if let Some(other) = fields.keys().find(|k| !known.contains(&k.as_str())) {
        return Err(format!("there is no setting {other:?}; there are {}", known.join(", ")));
    }
    fields.entry("rules").or_insert_with(|| serde_json::Value::Array(Vec::new()));
    let own: [(&str, serde_json::Value); 4] =
        [("v", VERSION.into()), ("site", site.as_str().into()), ("device", device.as_str().into()), ("id", id.into())];
    for (name, value) in own {
        fields.insert(name.to_owned(), value);
    }
    DeviceSettings::from_json(written.to_string().as_bytes()).map_err(|e: CodecError| e.to_string())
}

/// Says it, and waits for the answer.
///
/// # Errors
/// The node refuses a field, or does not answer.
pub async fn send(rollout: &Rollout, settings: &DeviceSettings) -> Result<(), String> {
    let topic = |kind| Topic { site: settings.site.clone(), device: settings.device.clone(), kind }.to_string();
    let options = client::passing(&rollout.link).map_err(|e| e.to_string())?;
    let (client, mut events) = AsyncClient::builder(options).capacity(8).try_build().map_err(|e| e.to_string())?;
    let payload = Bytes::from(settings.to_cbor_vec().map_err(|e| e.to_string())?);
    let (mut tick, mut connected) = (tokio::time::interval(AGAIN), false);
    let talk = async {
        loop {
            let say = tokio::select! {
                _ = tick.tick() => connected,
                event = events.poll() => match event.map_err(|e| format!("broker: {e}"))? {
                    Event::Incoming(Incoming::ConnAck(_)) => {
                        let _ = client.try_subscribe(topic(TopicKind::Applied), QoS::AtLeastOnce);
                        false
                    }
                    // What is answered before we listen would be missed.
                    Event::Incoming(Incoming::SubAck(_)) => {
                        connected = true;
                        true
                    }
                    Event::Incoming(Incoming::Publish(p)) if !p.retain => match answer(&p.payload, settings) {
                        Some(None) => return Ok(()),
                        Some(Some(field)) => return Err(format!("the node refuses `{field}`; it keeps what it had")),
                        None => false,
                    },
                    _ => false,
                },
            };
            if say {
                let _ = client.try_publish(topic(TopicKind::Settings), payload.clone(), PublishOptions::new(QoS::AtLeastOnce));
            }
        }
    };
    tokio::time::timeout(PATIENCE, talk)
        .await
        .unwrap_or_else(|_| Err(format!("{} does not answer; is it connected, and a node of this project?", settings.device)))
}

/// The node's answer to these settings: the field that it refuses, or none.
fn answer(payload: &[u8], settings: &DeviceSettings) -> Option<Option<String>> {
    let said = SettingsAnswer::from_bytes(payload).ok()?;
    let ours = said.site == settings.site && said.device == settings.device && said.id == settings.id;
    ours.then(|| said.refused.map(|f| f.chars().filter(|c| !c.is_control()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_becomes_a_message_or_is_named() {
        let (site, device) = (SiteId::new("s").unwrap(), DeviceId::new("d").unwrap());
        let of = |text: &str| message(&site, &device, 5, serde_json::from_str(text).unwrap());
        let got = of(r#"{"altitude_m":120,"rules":[{"quantity":"co2","report_s":60,"high":1500}]}"#).unwrap();
        assert_eq!((got.id, got.altitude_m, got.rules.len()), (5, Some(120), 1));
        assert_eq!(of("{}").unwrap().rules.len(), 0);
        assert!(of(r#"{"altitude":120}"#).unwrap_err().contains("altitude_m"));
        assert!(of(r#"{"altitude_m":-3}"#).unwrap_err().contains("altitude_m"));
        assert!(of("[]").is_err());
    }

    #[test]
    fn only_the_answer_to_these_settings_counts() {
        let (site, device) = (SiteId::new("s").unwrap(), DeviceId::new("d").unwrap());
        let settings = message(&site, &device, 5, serde_json::json!({})).unwrap();
        let said = SettingsAnswer { site, device, id: 5, refused: None };
        assert_eq!(answer(&said.to_cbor_vec().unwrap(), &settings), Some(None));
        let wrong = SettingsAnswer { refused: Some("rules.co2.step".try_into().unwrap()), ..said.clone() };
        assert_eq!(answer(&wrong.to_cbor_vec().unwrap(), &settings), Some(Some("rules.co2.step".to_owned())));
        assert_eq!(answer(&SettingsAnswer { id: 4, ..said }.to_cbor_vec().unwrap(), &settings), None);
        assert_eq!(answer(b"noise", &settings), None);
    }
}
