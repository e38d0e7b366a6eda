//! ThingsBoard: the incident as telemetry of one device, from which its rule chains make alarms.
//!
//! <https://thingsboard.io/docs/reference/http-api/>: `POST /api/v1/<device token>/telemetry`, 200 without a body.
use super::call::{Caller, Hidden, address, below};
use super::{Address, Base, Channel, Limits, Receipt, SendError};
use crate::deliver::Secret;
use crate::notify::message::{Change, Kind, Message};
use crate::notify::text;
use async_trait::async_trait;
use reqwest::Url;
use serde_json::{Value, json};
use tuoan_protocol::Severity;

pub const KIND: &str = "thingsboard";
const TEXT_MAX: usize = 4000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Base address, e.g. `https://thingsboard.example`.
    pub url: String,
    /// The device's access token.
    pub token: Secret,
}

pub struct Thingsboard {
    base: Base,
    url: Url,
    caller: Caller,
}

impl Thingsboard {
    pub(super) fn new(base: Base, settings: &Settings) -> Result<Thingsboard, String> {
        let token = settings.token.expose();
        if token.is_empty() || !token.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return Err("the token may hold letters, digits and - _ . only; copy the device's access token".into());
        }
        let url = below(&address(&settings.url)?, &format!("api/v1/{token}/telemetry"));
        let caller = Caller::new(Hidden::new([&settings.token]))?;
        Ok(Thingsboard { base, url, caller })
    }

    fn body(&self, m: &Message) -> Value {
        let lang = self.base.language;
        // The words of ThingsBoard's own alarms.
        let severity = match m.severity {
            Severity::Emergency => "CRITICAL",
            Severity::Serious => "MAJOR",
            Severity::General => "MINOR",
            Severity::Advisory => "WARNING",
        };
        json!({ "ts": m.at, "values": {
            "notification_id": m.id,
            "alarm_id": m.incident,
            "alarm_number": m.number,
            "alarm_kind": m.kind.word(),
            "alarm_active": m.kind == Kind::Alert || m.kind == Kind::Update(Change::Taken),
            "alarm_severity": severity,
            "alarm_basis": m.basis,
            "alarm_drill": m.drill,
            "alarm_repeat": m.repeat,
            "alarm_place": m.place,
            "alarm_since": m.since,
            "alarm_count": m.count,
            "alarm_title": text::title(m, lang),
            "alarm_text": text::long(m, lang, TEXT_MAX),
        }})
    }
}

#[async_trait]
impl Channel for Thingsboard {
    fn name(&self) -> &str {
        &self.base.name
    }
    fn kind(&self) -> &'static str {
        KIND
    }
    fn limits(&self) -> Limits {
        self.base.limits(Limits::default())
    }
    async fn send(&self, message: &Message, _to: &[Address]) -> Result<Receipt, SendError> {
        let request = self.caller.client.post(self.url.clone()).json(&self.body(message));
        self.caller.ask(request).await.map(|_| Receipt::default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::double::{Robot, base, refused};
    use super::*;
    use crate::notify::message::tests::{AT, alert};

    #[tokio::test]
    async fn telemetry_of_one_device() {
        let robot = Robot::plain("/api/v1/tb-token-1/telemetry", 200, "").await;
        let settings = |token| Settings { url: robot.base(), token: Secret::new(token) };
        Thingsboard::new(base(AT), &settings("tb-token-1")).unwrap().send(&alert(), &[]).await.unwrap();
        let got = &robot.taken()[0];
        assert_eq!((&got["ts"], &got["values"]["alarm_severity"]), (&AT.into(), &"MAJOR".into()));
        assert_eq!(got["values"]["alarm_active"], true);
        let e = refused(Thingsboard::new(base(AT), &settings("tb-token-2")).unwrap().send(&alert(), &[]).await);
        assert!(!e.contains("tb-token-2"), "{e}");
        assert!(Thingsboard::new(base(AT), &settings("a/../b")).is_err());
    }
}
