//! Gateways for short messages and calls, and whatever else takes an HTTP request: address, headers and body are templates of the configuration.
use super::call::{Answer, Caller, Hidden, address, word};
use super::each::{Done, Miss};
use super::template::{Escape, Template};
use super::{Address, Base, Channel, Limits, Receipt, SendError};
use crate::deliver::Secret;
use crate::notify::message::Message;
use crate::notify::text;
use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

pub const KIND: &str = "http";
const TEXT_MAX: usize = 16_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub method: Method,
    /// May hold places and a key.
    pub url: Secret,
    /// Values may hold places and keys.
    pub headers: Vec<(String, Secret)>,
    pub body: Option<Secret>,
    /// What `{{secret}}` stands for.
    pub secret: Option<Secret>,
    /// True: one request for everybody, `{{to}}` being all addresses with commas; false: one for each person.
    pub together: bool,
    /// Characters of `{{short}}`, and of `{{text}}` if given.
    pub max_characters: Option<usize>,
    /// JSON pointer into the answer, and what must stand there.
    pub success: Option<(String, String)>,
    /// JSON pointer to the receiver's id.
    pub receipt: Option<String>,
    pub per_person_day: Option<u32>,
}

pub struct Http {
    base: Base,
    settings: Settings,
    url: Template,
    headers: Vec<(HeaderName, Template)>,
    body: Option<(Template, Escape)>,
    caller: Caller,
    done: Done,
}

impl Http {
    pub(super) fn new(base: Base, settings: &Settings) -> Result<Http, String> {
        let url = Template::new(settings.url.expose()).map_err(|e| format!("url: {e}"))?;
        // Filled with anything it must be an address, and the host must not come from a message.
        let filled = address(&url.fill(Escape::Form, |_| "x".into()))?;
        let other = address(&url.fill(Escape::Form, |_| "y".into()))?;
        if filled.host_str() != other.host_str() || filled.port() != other.port() {
            return Err("url: the host must not hold places".into());
        }
        let mut headers = Vec::new();
        let mut content_type = String::new();
        for (name, value) in &settings.headers {
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("headers: {name:?} is no header name"))?;
            if parsed == reqwest::header::CONTENT_TYPE {
                content_type = value.expose().to_owned();
            }
            headers.push((parsed, Template::new(value.expose()).map_err(|e| format!("headers.{name}: {e}"))?));
        }
        let body = match &settings.body {
            None => None,
            Some(_) if content_type.is_empty() => {
                return Err("headers: a body needs its Content-Type, e.g. \"application/json\"; values are escaped by it".into());
            }
            Some(body) => Some((Template::new(body.expose()).map_err(|e| format!("body: {e}"))?, Escape::of(&content_type))),
        };
        let parts = || std::iter::once(&url).chain(headers.iter().map(|(_, t)| t)).chain(body.iter().map(|(t, _)| t));
        let has = |place: &str| parts().any(|t| t.has(place));
        if !["text", "short", "speech", "title"].iter().any(|p| has(p)) {
            return Err("no message stands in it: use {{short}}, {{text}}, {{speech}} or {{title}} in the url or body".into());
        }
        if !settings.together && !has("to") {
            return Err("{{to}} stands nowhere, so nobody would be named; use it, or set together = true".into());
        }
        if has("secret") && settings.secret.is_none() {
            return Err("{{secret}} is used, but secret_file is missing".into());
        }
        let mut hidden = Hidden::new(settings.secret.iter().chain(settings.headers.iter().map(|(_, v)| v)));
        if let Ok(plain) = address(settings.url.expose()) {
            hidden = hidden.with_url(&plain);
        }
        Ok(Http { base, settings: settings.clone(), url, headers, body, caller: Caller::new(hidden)?, done: Done::default() })
    }

    /// The value of a place.
    fn value(&self, place: &str, m: &Message, to: &str, person: &str) -> String {
        let lang = self.base.language;
        match place {
            "to" => to.to_owned(),
            "person" => person.to_owned(),
            "text" => {
                let whole = text::long(m, lang, TEXT_MAX);
                self.settings.max_characters.map_or(whole.clone(), |max| text::sentences(&whole, max))
            }
            "short" => text::short(m, lang, self.settings.max_characters.unwrap_or(text::short_limit(lang))),
            "speech" => text::speech(m, lang),
            "title" => text::title(m, lang),
            "severity" => u8::from(m.severity).to_string(),
            "severity_word" => text::severity(m, lang),
            "basis" => text::basis(m, lang),
            "kind" => m.kind.word().to_owned(),
            "site" => text::clean(&m.site),
            "place" => text::clean(&m.place),
            "number" => m.number.clone(),
            "id" => m.id.clone(),
            "incident" => m.incident.clone(),
            "link" => m.links.page.clone().or_else(|| m.links.take.clone()).unwrap_or_default(),
            "at" => text::told_at(m),
            "timestamp" => self.base.clock.utc_ms().to_string(),
            "secret" => self.settings.secret.as_ref().map(|s| s.expose().to_owned()).unwrap_or_default(),
            _ => String::new(),
        }
    }

    async fn one(&self, m: &Message, to: &str, person: &str) -> Result<String, Miss> {
        let value = |place: &str| self.value(place, m, to, person);
        let url = address(&self.url.fill(Escape::Form, value)).map_err(|reason| SendError::Refused { reason })?;
        let mut request = self.caller.client.request(self.settings.method.clone(), url);
        for (name, template) in &self.headers {
            let mut line = HeaderValue::from_str(&template.fill(Escape::Line, value))
                .or_else(|_| HeaderValue::from_bytes(template.fill(Escape::Line, value).as_bytes()))
                .map_err(|_| SendError::Poison { reason: format!("the header {name} cannot hold its value") })?;
            line.set_sensitive(true);
            request = request.header(name, line);
        }
        if let Some((template, escape)) = &self.body {
            request = request.body(template.fill(*escape, value));
        }
        let answer = self.caller.send(request).await?;
        // A stranger's answer may name whom it was for.
        let told = Answer { body: Hidden::new([&Secret::new(to)]).excerpt(&answer.body), ..Answer { body: String::new(), ..answer } };
        if !(200..300).contains(&told.status) {
            return match self.caller.refusal(&told) {
                SendError::Retry { reason, after } => Err(Miss::Later(reason, after)),
                SendError::Poison { reason } if !self.settings.together => Err(Miss::Person(reason)),
                e => Err(Miss::All(e)),
            };
        }
        let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if let Some((pointer, expected)) = &self.settings.success {
            let found = word(&json, pointer);
            if found != *expected {
                let said = self.caller.hidden.excerpt(&told.body);
                let reason = format!("the answer does not say {expected:?} at {pointer}: {said}");
                return Err(if self.settings.together { Miss::All(SendError::Refused { reason }) } else { Miss::Person(reason) });
            }
        }
        Ok(self.settings.receipt.as_ref().map(|p| self.caller.hidden.excerpt(&word(&json, p))).unwrap_or_default())
    }
}

#[async_trait]
impl Channel for Http {
    fn name(&self) -> &str {
        &self.base.name
    }
    fn kind(&self) -> &'static str {
        KIND
    }
    fn limits(&self) -> Limits {
        self.base.limits(Limits { per_person_day: self.settings.per_person_day, digests: true, ..Limits::default() })
    }
    async fn send(&self, message: &Message, to: &[Address]) -> Result<Receipt, SendError> {
        if self.settings.together {
            let all = to.iter().map(|a| a.address.as_str()).collect::<Vec<_>>().join(",");
            let people = to.iter().map(|a| a.person.as_str()).collect::<Vec<_>>().join(",");
            let group = [Address { person: format!("*{people}"), address: all }];
            self.done
                .each(&message.telling(), &group, |a| async move { self.one(message, &a.address, a.person.trim_start_matches('*')).await })
                .await
        } else {
            self.done.each(&message.telling(), to, |a| async move { self.one(message, &a.address, &a.person).await }).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::double::{Robot, address as to, base, refused};
    use super::*;
    use crate::notify::message::tests::{AT, alert};

    fn settings(url: String) -> Settings {
        Settings {
            method: Method::POST,
            url: Secret::new(url),
            headers: vec![
                ("Content-Type".into(), Secret::new("application/json")),
                ("Authorization".into(), Secret::new("APPCODE {{secret}}")),
            ],
            body: Some(Secret::new(r#"{"mobile":"{{to}}","content":"{{short}}","sign":"{{timestamp}}"}"#)),
            secret: Some(Secret::new("sms-secret-01")),
            together: false,
            max_characters: Some(70),
            success: Some(("/code".into(), "0".into())),
            receipt: Some("/sid".into()),
            per_person_day: Some(50),
        }
    }

    #[tokio::test]
    async fn a_short_message_for_each_person_with_the_gateways_own_word_for_success() {
        let robot = Robot::plain("/sms", 200, r#"{"code":0,"sid":"s-1"}"#).await;
        let mut m = alert();
        m.place = "\"活动室\"".into();
        let receipt =
            Http::new(base(AT), &settings(robot.url())).unwrap().send(&m, &[to("li", "13800000001"), to("wang", "13800000002")]).await;
        assert_eq!(receipt.unwrap().receipt, "s-1");
        let got = robot.taken();
        assert_eq!((got.len(), &got[1]["mobile"]), (2, &"13800000002".into()));
        let text = got[0]["content"].as_str().unwrap();
        assert!(text.chars().count() <= 70 && text.contains("\"活动室\"") && text.ends_with("编号CDEFGH"), "{text}");
        assert_eq!(robot.header("authorization"), "APPCODE sms-secret-01");
    }

    #[tokio::test]
    async fn another_word_than_success_is_told_without_secrets_and_numbers() {
        let robot = Robot::plain("/sms", 200, r#"{"code":17,"msg":"13800000001 blocked, key sms-secret-01"}"#).await;
        let e = refused(Http::new(base(AT), &settings(robot.url())).unwrap().send(&alert(), &[to("li", "13800000001")]).await);
        assert!(e.contains("blocked") && e.contains("/code") && !e.contains("13800000001") && !e.contains("sms-secret"), "{e}");
    }

    #[test]
    fn templates_that_would_tell_nobody_or_nothing_are_refused() {
        let with = |f: &dyn Fn(&mut Settings)| {
            let mut s = settings("https://sms.example/send".into());
            f(&mut s);
            Http::new(base(AT), &s).err().unwrap_or_default()
        };
        assert_eq!(with(&|_| {}), "");
        assert!(with(&|s| s.body = Some(Secret::new("{\"to\":\"{{to}}\"}"))).contains("no message"));
        assert!(with(&|s| s.body = Some(Secret::new("{\"t\":\"{{short}}\"}"))).contains("{{to}}"));
        assert!(with(&|s| s.secret = None).contains("secret_file"));
        assert!(with(&|s| s.headers.clear()).contains("Content-Type"));
        assert!(with(&|s| s.url = Secret::new("https://{{place}}.example/")).contains("host"));
        assert!(with(&|s| s.body = Some(Secret::new("{{phone}}"))).contains("{{phone}}"));
    }
}
