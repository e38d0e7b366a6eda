//! ntfy: push messages to Android, iOS and browsers, own server or ntfy.sh. A topic for all, or each person's own topic; who knows a topic reads
//! it, so it is a secret.
//!
//! <https://docs.ntfy.sh/publish/#publish-as-json>: 4,096 bytes a message; priorities 1 to 5.
use super::call::{Caller, Hidden, address, word};
use super::each::{Done, Miss};
use super::{Address, Base, Channel, Limits, Receipt, SendError};
use crate::deliver::Secret;
use crate::notify::message::{Kind, Message};
use crate::notify::text;
use async_trait::async_trait;
use reqwest::Url;
use serde_json::{Value, json};
use tuoan_dashboards::Lang;

pub const KIND: &str = "ntfy";
const TEXT_MAX: usize = 3800;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Base address, e.g. `https://ntfy.sh`.
    pub url: String,
    /// Of a server with access control.
    pub token: Option<Secret>,
    /// One topic for all; without it each person's address is a topic.
    pub topic: Option<Secret>,
}

pub struct Ntfy {
    base: Base,
    url: Url,
    token: Option<Secret>,
    topic: Option<Secret>,
    caller: Caller,
    done: Done,
}

impl Ntfy {
    pub(super) fn new(base: Base, settings: &Settings) -> Result<Ntfy, String> {
        let url = address(&settings.url)?;
        if settings.topic.as_ref().is_some_and(|t| !is_topic(t.expose())) {
            return Err("the topic may hold up to 64 letters, digits, - and _ only".into());
        }
        let caller = Caller::new(Hidden::new(settings.token.iter().chain(&settings.topic)))?;
        Ok(Ntfy { base, url, token: settings.token.clone(), topic: settings.topic.clone(), caller, done: Done::default() })
    }

    fn body(&self, m: &Message, topic: &str) -> Value {
        let lang = self.base.language;
        let priority = match (m.silent, u8::from(m.severity)) {
            (true, _) => 2,
            (_, 1) => 5,
            (_, 2) => 4,
            (_, 3) => 3,
            _ => 2,
        };
        let mut tags = vec![if m.kind == Kind::Alert { "warning" } else { "information_source" }];
        if m.drill {
            tags.push("drill");
        }
        let mut actions = Vec::new();
        for (key, link) in [("notify-link-seen", &m.links.seen), ("notify-link-take", &m.links.take)] {
            actions.extend(link.as_ref().map(|url| json!({ "action": "view", "label": label(key, lang), "url": url })));
        }
        let mut body = json!({
            "topic": topic,
            "title": text::title(m, lang),
            "message": text::long(m, lang, TEXT_MAX),
            "priority": priority,
            "tags": tags,
            "actions": actions,
        });
        if let (Some(url), Some(fields)) = (&m.links.page, body.as_object_mut()) {
            fields.insert("click".into(), url.clone().into());
        }
        body
    }

    async fn one(&self, m: &Message, person: &str, topic: &str) -> Result<String, Miss> {
        if !is_topic(topic) {
            return Err(Miss::Person(format!("the topic of {person} may hold up to 64 letters, digits, - and _ only")));
        }
        let mut request = self.caller.client.post(self.url.clone()).json(&self.body(m, topic));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let mut answer = self.caller.send(request).await?;
        if (200..300).contains(&answer.status) {
            return match serde_json::from_str::<Value>(&answer.body).map(|v| word(&v, "/id")) {
                Ok(id) if !id.is_empty() => Ok(id),
                _ => Err(Miss::All(SendError::Refused { reason: "the answer has no id; is the url that of an ntfy server?".into() })),
            };
        }
        answer.body = Hidden::new([&Secret::new(topic)]).excerpt(&answer.body);
        match self.caller.refusal(&answer) {
            // A server may close one topic and leave the others open.
            SendError::Refused { reason } if answer.status == 403 && self.topic.is_none() => Err(Miss::Person(reason)),
            SendError::Retry { reason, after } => Err(Miss::Later(reason, after)),
            e => Err(Miss::All(e)),
        }
    }
}

fn label(key: &str, lang: Lang) -> String {
    text::say(lang, key, &[])
}

fn is_topic(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[async_trait]
impl Channel for Ntfy {
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
        match &self.topic {
            Some(topic) => {
                let all = [Address { person: "*".into(), address: topic.expose().to_owned() }];
                self.done.each(&message.telling(), &all, |a| async move { self.one(message, "everyone", &a.address).await }).await
            }
            None => self.done.each(&message.telling(), to, |a| async move { self.one(message, &a.person, &a.address).await }).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::double::{Robot, address as to, base, refused, retry};
    use super::*;
    use crate::notify::message::tests::{AT, alert};

    fn channel(robot: &Robot, token: &str) -> Ntfy {
        Ntfy::new(base(AT), &Settings { url: robot.base(), token: Some(Secret::new(token)), topic: None }).unwrap()
    }

    #[tokio::test]
    async fn each_person_by_topic() {
        let robot = Robot::ntfy("tk_0123456789").await;
        let receipt = channel(&robot, "tk_0123456789").send(&alert(), &[to("li", "li-7f3a"), to("wang", "no topic")]).await.unwrap();
        assert_eq!(receipt.receipt, "ntfy-1");
        assert_eq!(receipt.refused[0].0, "wang");
        let got = &robot.taken()[0];
        assert_eq!((&got["topic"], &got["priority"], &got["click"]), (&"li-7f3a".into(), &4.into(), &"http://10.0.0.5:8080/i/1".into()));
        assert_eq!(got["actions"][1]["url"], "http://10.0.0.5:8080/t/1");
        let e = refused(channel(&robot, "tk_wrong").send(&alert(), &[to("li", "li-7f3a")]).await);
        assert!(!e.contains("tk_wrong"), "{e}");
    }

    #[tokio::test]
    async fn a_server_that_is_busy_is_asked_again_when_it_says() {
        let robot = Robot::ntfy("tk_0123456789").await;
        robot.full();
        let (_, after) = retry(channel(&robot, "tk_0123456789").send(&alert(), &[to("li", "li-7f3a")]).await);
        assert_eq!(after, Some(std::time::Duration::from_secs(30)));
    }
}
