//! Bark: push messages to iPhones. Each person's address is the device key that the app shows.
//!
//! <https://bark.day.app/#/tutorial>: `POST /push` in JSON; level `critical` sounds through silent mode.
use super::call::{Caller, Hidden, address, below, word};
use super::each::{Done, Miss};
use super::{Address, Base, Channel, Limits, Receipt, SendError};
use crate::deliver::Secret;
use crate::notify::message::{Kind, Message};
use crate::notify::text;
use async_trait::async_trait;
use reqwest::Url;
use serde_json::{Value, json};
use tuoan_protocol::Severity;

pub const KIND: &str = "bark";
/// Apple takes 4,096 bytes for a push message as a whole.
const TEXT_MAX: usize = 2500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Base address, e.g. `https://api.day.app`.
    pub url: String,
}

pub struct Bark {
    base: Base,
    url: Url,
    caller: Caller,
    done: Done,
}

impl Bark {
    pub(super) fn new(base: Base, settings: &Settings) -> Result<Bark, String> {
        Ok(Bark { base, url: below(&address(&settings.url)?, "push"), caller: Caller::new(Hidden::default())?, done: Done::default() })
    }

    fn body(&self, m: &Message, key: &str) -> Value {
        let lang = self.base.language;
        let level = match m.severity {
            _ if m.silent || matches!(m.kind, Kind::Report) => "passive",
            Severity::Emergency if m.kind == Kind::Alert && !m.drill && !m.test => "critical",
            Severity::Emergency | Severity::Serious => "timeSensitive",
            Severity::General => "active",
            Severity::Advisory => "passive",
        };
        let mut body = json!({
            "device_key": key,
            "id": m.id,
            "title": text::title(m, lang),
            "body": text::long(m, lang, TEXT_MAX),
            "group": text::clean(&m.site),
            "level": level,
        });
        if let (Some(url), Some(fields)) = (m.links.page.as_ref().or(m.links.take.as_ref()), body.as_object_mut()) {
            fields.insert("url".into(), url.clone().into());
        }
        body
    }

    async fn one(&self, m: &Message, to: Address) -> Result<String, Miss> {
        let hidden = Hidden::new([&Secret::new(to.address.as_str())]);
        let answer = self.caller.send(self.caller.client.post(self.url.clone()).json(&self.body(m, &to.address))).await?;
        let value: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let said = hidden.excerpt(&word(&value, "/message"));
        match (answer.status, value["code"].as_i64()) {
            (200..=299, Some(200)) => Ok(String::new()),
            (200..=299, None) => {
                Err(Miss::All(SendError::Refused { reason: "the answer has no code; is the url that of a Bark server?".into() }))
            }
            (400 | 404, Some(_)) => Err(Miss::Person(format!("the device key is not known: {said}"))),
            (200..=299, Some(code)) => Err(Miss::Later(format!("code {code}: {said}"), None)),
            _ => match self.caller.refusal(&super::call::Answer { body: String::new(), ..answer }) {
                SendError::Retry { reason, after } => Err(Miss::Later(format!("{reason} {said}"), after)),
                e => Err(Miss::All(e)),
            },
        }
    }
}

#[async_trait]
impl Channel for Bark {
    fn name(&self) -> &str {
        &self.base.name
    }
    fn kind(&self) -> &'static str {
        KIND
    }
    fn limits(&self) -> Limits {
        self.base.limits(Limits { digests: true, ..Limits::default() })
    }
    async fn send(&self, message: &Message, to: &[Address]) -> Result<Receipt, SendError> {
        self.done.each(&message.telling(), to, |address| self.one(message, address)).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::double::{Robot, address as to, base, refused};
    use super::*;
    use crate::notify::message::tests::{AT, alert};

    #[tokio::test]
    async fn each_person_by_key_and_an_unknown_key_is_named_but_not_shown() {
        let robot = Robot::bark(&["key-of-li-0123"]).await;
        let channel = Bark::new(base(AT), &Settings { url: robot.base() }).unwrap();
        let m = Message { severity: Severity::Emergency, ..alert() };
        let receipt = channel.send(&m, &[to("li", "key-of-li-0123"), to("wang", "key-of-wang-45")]).await.unwrap();
        assert_eq!(receipt.refused.len(), 1);
        assert!(receipt.refused[0].0 == "wang" && !receipt.refused[0].1.contains("key-of-wang"), "{receipt:?}");
        let got = &robot.taken()[0];
        assert_eq!((&got["level"], &got["id"], &got["url"]), (&"critical".into(), &m.id.into(), &"http://10.0.0.5:8080/i/1".into()));
        refused(channel.send(&Message { id: "other".into(), ..alert() }, &[to("wang", "key-of-wang-45")]).await);
    }

    #[test]
    fn a_nap_is_not_disturbed_and_a_drill_does_not_sound_through_silent_mode() {
        let c = Bark::new(base(AT), &Settings { url: "http://h".into() }).unwrap();
        let emergency = Message { severity: Severity::Emergency, ..alert() };
        assert_eq!(c.body(&Message { silent: true, ..emergency.clone() }, "k")["level"], "passive");
        assert_eq!(c.body(&Message { drill: true, ..emergency }, "k")["level"], "timeSensitive");
    }
}
