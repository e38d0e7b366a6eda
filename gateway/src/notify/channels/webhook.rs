//! Any program: one CloudEvents 1.0 JSON event (structured mode) a message, signed after the Standard Webhooks specification
//! (<https://www.standardwebhooks.com>). `docs/notify.md` shows how a receiver checks the signature.
use super::call::{Caller, Hidden, address};
use super::sign::hmac_base64;
use super::{Address, Base, Channel, Limits, Receipt, SendError};
use crate::deliver::Secret;
use crate::notify::message::{Links, Message};
use crate::notify::text;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Serialize;
use tuoan_dashboards::Lang;

pub const KIND: &str = "webhook";
/// CloudEvents type.
const TYPE: &str = "cn.tuoan.notification.v1";
const TEXT_MAX: usize = 16_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// May hold a key, so it is treated as one.
    pub url: Secret,
    /// `whsec_` and base64, as the specification writes keys; anything else is the key itself.
    pub secret: Secret,
}

pub struct Webhook {
    base: Base,
    url: Url,
    key: Vec<u8>,
    caller: Caller,
}

#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    time: String,
    datacontenttype: &'static str,
    data: Data<'a>,
}

/// What both the webhook and MQTT say.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    id: &'a str,
    incident: &'a str,
    number: &'a str,
    event: &'a str,
    kind: &'static str,
    severity: u8,
    basis: tuoan_protocol::Basis,
    drill: bool,
    repeat: bool,
    silent: bool,
    site: &'a str,
    place: &'a str,
    /// UTC milliseconds.
    since: i64,
    at: i64,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reading: Option<&'a str>,
    title: String,
    text: String,
    short: String,
    speech: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    lines: &'a [String],
    /// Ids of the persons it is for.
    to: Vec<&'a str>,
    links: &'a Links,
}

impl<'a> Data<'a> {
    pub(super) fn new(m: &'a Message, to: &'a [Address], lang: Lang) -> Data<'a> {
        Data {
            id: &m.id,
            incident: &m.incident,
            number: &m.number,
            event: &m.event,
            kind: m.kind.word(),
            severity: u8::from(m.severity),
            basis: m.basis,
            drill: m.drill,
            repeat: m.repeat,
            silent: m.silent,
            site: &m.site,
            place: &m.place,
            since: m.since,
            at: m.at,
            count: m.count,
            step: m.step,
            reading: m.reading.as_deref(),
            title: text::title(m, lang),
            text: text::long(m, lang, TEXT_MAX),
            short: text::short(m, lang, text::short_limit(lang)),
            speech: text::speech(m, lang),
            lines: &m.lines,
            to: to.iter().map(|a| a.person.as_str()).collect(),
            links: &m.links,
        }
    }
}

impl Webhook {
    pub(super) fn new(base: Base, settings: &Settings) -> Result<Webhook, String> {
        let url = address(settings.url.expose())?;
        let key = match settings.secret.expose().strip_prefix("whsec_") {
            Some(text) => STANDARD.decode(text).map_err(|_| "the secret begins with whsec_ but no base64 follows; copy it anew")?,
            None => settings.secret.expose().as_bytes().to_vec(),
        };
        if key.len() < 16 {
            return Err("the secret is shorter than 16 bytes; draw one with: openssl rand -base64 32".into());
        }
        let caller = Caller::new(Hidden::new([&settings.secret]).with_url(&url))?;
        Ok(Webhook { base, url, key, caller })
    }

    fn body(&self, m: &Message, to: &[Address]) -> Result<String, SendError> {
        let time = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(m.at) * 1_000_000)
            .ok()
            .and_then(|t| t.format(&time::format_description::well_known::Rfc3339).ok())
            .ok_or_else(|| SendError::Poison { reason: format!("{} is no time", m.at) })?;
        let event = Event {
            specversion: "1.0",
            id: &m.id,
            source: "/tuoan",
            kind: TYPE,
            subject: &m.incident,
            time,
            datacontenttype: "application/json",
            data: Data::new(m, to, self.base.language),
        };
        serde_json::to_string(&event).map_err(|e| SendError::Poison { reason: e.to_string() })
    }

    /// `v1,<base64 HMAC-SHA256(id.timestamp.body)>`.
    fn signature(&self, id: &str, seconds: i64, body: &str) -> String {
        format!("v1,{}", hmac_base64(&self.key, format!("{id}.{seconds}.{body}").as_bytes()))
    }
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> &str {
        &self.base.name
    }
    fn kind(&self) -> &'static str {
        KIND
    }
    fn limits(&self) -> Limits {
        self.base.limits(Limits::default())
    }
    async fn send(&self, message: &Message, to: &[Address]) -> Result<Receipt, SendError> {
        let body = self.body(message, to)?;
        let seconds = self.base.clock.utc_ms().div_euclid(1000);
        let request = self
            .caller
            .client
            .post(self.url.clone())
            .header("Content-Type", "application/cloudevents+json; charset=utf-8")
            .header("Webhook-Id", &message.id)
            .header("Webhook-Timestamp", seconds)
            .header("Webhook-Signature", self.signature(&message.id, seconds, &body));
        self.caller.ask(request.body(body)).await.map(|_| Receipt::default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::double::{Robot, address as to, base, refused};
    use super::*;
    use crate::notify::message::tests::{AT, alert};

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The example of the specification's own libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let w = Webhook::new(base(AT), &Settings { url: Secret::new("https://h/"), secret: Secret::new(SECRET) }).unwrap();
        let signature = w.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[tokio::test]
    async fn an_event_arrives_signed_and_whole() {
        let robot = Robot::webhook(SECRET, AT).await;
        let settings = Settings { url: Secret::new(robot.url()), secret: Secret::new(SECRET) };
        Webhook::new(base(AT), &settings).unwrap().send(&alert(), &[to("li", "x")]).await.unwrap();
        let got = &robot.taken()[0];
        assert_eq!((&got["specversion"], &got["type"], &got["id"]), (&"1.0".into(), &TYPE.into(), &alert().id.into()));
        assert_eq!(got["time"], "2026-03-02T02:06:15Z");
        assert_eq!(
            (&got["data"]["severity"], &got["data"]["basis"], &got["data"]["to"][0]),
            (&2.into(), &"confirmed".into(), &"li".into())
        );
        assert!(got["data"].get("address").is_none(), "no address leaves but by its own channel");
        let other = Settings { secret: Secret::new("another-secret-of-32-characters!"), ..settings };
        let e = refused(Webhook::new(base(AT), &other).unwrap().send(&alert(), &[]).await);
        assert!(e.starts_with("401") && !e.contains("another-secret"), "{e}");
    }

    #[test]
    fn weak_or_broken_secrets_are_refused() {
        for secret in ["short", "whsec_?", "whsec_YQ=="] {
            assert!(Webhook::new(base(AT), &Settings { url: Secret::new("https://h/"), secret: Secret::new(secret) }).is_err(), "{secret}");
        }
    }
}
