//! 钉钉 group robot (自定义机器人): one address that holds a token, signed with the time when the robot asks for it (加签).
//!
//! <https://open.dingtalk.com/document/robots/custom-robot-access>: 20 messages a minute.
use super::call::{Caller, Hidden, address, word};
use super::sign::hmac_base64;
use super::{Address, Base, Channel, Limits, Receipt, SendError};
use crate::deliver::Secret;
use crate::notify::message::Message;
use crate::notify::text;
use async_trait::async_trait;
use reqwest::Url;
use serde_json::{Value, json};
use std::time::Duration;

pub const KIND: &str = "dingtalk";
/// Bytes of a text; the interface takes 20,000 in a request.
const TEXT_MAX: usize = 16_000;
/// DingTalk says that it throttles for ten minutes. Whoever asks before is only refused again, and an emergency must not wait for longer than it
/// has to.
const TOO_FAST: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The whole address with its `access_token`.
    pub url: Secret,
    /// `SEC...`, when the robot's security setting is 加签.
    pub secret: Option<Secret>,
    /// Stands in every text, when the robot's security setting is a keyword.
    pub keyword: Option<String>,
}

pub struct Dingtalk {
    base: Base,
    url: Url,
    secret: Option<Secret>,
    keyword: Option<String>,
    caller: Caller,
}

impl Dingtalk {
    pub(super) fn new(base: Base, settings: &Settings) -> Result<Dingtalk, String> {
        let url = address(settings.url.expose())?;
        if !url.query_pairs().any(|(k, v)| k == "access_token" && !v.is_empty()) {
            return Err("the url has no access_token; copy the robot's whole Webhook address".into());
        }
        let hidden = Hidden::new(&settings.secret).with_url(&url);
        Ok(Dingtalk { base, url, secret: settings.secret.clone(), keyword: settings.keyword.clone(), caller: Caller::new(hidden)? })
    }

    fn body(&self, m: &Message, to: &[Address]) -> Value {
        let lang = self.base.language;
        let mut words = text::markdown(m, lang, TEXT_MAX, "\n\n");
        let mobiles: Vec<&str> = to.iter().map(|a| a.address.as_str()).collect();
        if !mobiles.is_empty() {
            // An @ is shown, and rings, only when it stands in the text too.
            words.push_str("\n\n");
            words.push_str(&mobiles.iter().map(|m| format!("@{m}")).collect::<Vec<_>>().join(" "));
        }
        if let Some(keyword) = self.keyword.as_ref().filter(|k| !words.contains(k.as_str())) {
            words.push_str("\n\n");
            words.push_str(keyword);
        }
        json!({
            "msgtype": "markdown",
            "markdown": { "title": text::cut(&text::title(m, lang), 100), "text": words },
            "at": { "atMobiles": mobiles, "isAtAll": false },
        })
    }

    fn signed(&self) -> Url {
        let mut url = self.url.clone();
        if let Some(secret) = &self.secret {
            let timestamp = self.base.clock.utc_ms().to_string();
            let sign = hmac_base64(secret.expose().as_bytes(), format!("{timestamp}\n{}", secret.expose()).as_bytes());
            url.query_pairs_mut().append_pair("timestamp", &timestamp).append_pair("sign", &sign);
        }
        url
    }
}

/// What the answer's `errcode` means.
fn verdict(answer: &Value, hidden: &Hidden) -> Result<Receipt, SendError> {
    let said = hidden.excerpt(&word(answer, "/errmsg"));
    let refused = |mend: &str, code: i64| SendError::Refused { reason: format!("errcode {code} ({said}): {mend}") };
    match answer["errcode"].as_i64() {
        Some(0) => Ok(Receipt::default()),
        Some(code @ (130_101 | 410_100)) => {
            Err(SendError::Retry { reason: format!("errcode {code}: more than 20 messages a minute ({said})"), after: Some(TOO_FAST) })
        }
        Some(310_000) => Err(refused(
            "the robot's security setting refuses: check secret_file (加签) and this machine's clock, keyword (自定义关键词), or add this \
             machine's address to the robot's IP list",
            310_000,
        )),
        Some(code @ (300_005 | 400_101 | 40_014)) => Err(refused("the robot's token is not known; copy its Webhook address anew", code)),
        Some(400_102) => Err(refused("the robot is switched off; switch it on in the group's settings", 400_102)),
        Some(code @ (400_013 | 400_106)) => {
            Err(refused("the group or the robot is gone; make a new robot and put its address into url_file", code))
        }
        Some(code @ (430_101..=430_104)) => {
            Err(SendError::Poison { reason: format!("errcode {code}: the text is not let through ({said})") })
        }
        Some(-1) => Err(SendError::Retry { reason: format!("errcode -1: busy ({said})"), after: None }),
        Some(code) => Err(refused("not taken", code)),
        None => Err(SendError::Refused { reason: "the answer has no errcode; is the url that of a 钉钉 robot?".into() }),
    }
}

#[async_trait]
impl Channel for Dingtalk {
    fn name(&self) -> &str {
        &self.base.name
    }
    fn kind(&self) -> &'static str {
        KIND
    }
    fn limits(&self) -> Limits {
        self.base.limits(Limits { per_minute: Some(20), digests: true, ..Limits::default() })
    }
    async fn send(&self, message: &Message, to: &[Address]) -> Result<Receipt, SendError> {
        let answer = self.caller.ask_json(self.caller.client.post(self.signed()).json(&self.body(message, to))).await?;
        verdict(&answer, &self.caller.hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::super::double::{Robot, address as to, base, refused, retry};
    use super::*;
    use crate::notify::message::tests::{AT, alert};

    const KEY: &str = "SECfeed0123456789";

    async fn robot() -> (Robot, Dingtalk) {
        let robot = Robot::dingtalk("tok-0123456789", KEY, AT).await;
        let settings = Settings { url: Secret::new(robot.url()), secret: Some(Secret::new(KEY)), keyword: None };
        (robot, Dingtalk::new(base(AT), &settings).unwrap())
    }

    /// Computed with Python's hmac.
    #[tokio::test]
    async fn the_signature_is_that_of_the_documentation() {
        let (_robot, channel) = robot().await;
        let sign = channel.signed().query_pairs().find(|(k, _)| k == "sign").map(|(_, v)| v.into_owned());
        assert_eq!(sign.as_deref(), Some(include_str!("golden/dingtalk.sign").trim()));
    }

    #[tokio::test]
    async fn a_message_arrives_with_its_mentions() {
        let (robot, channel) = robot().await;
        assert_eq!(channel.send(&alert(), &[to("li", "13800000001")]).await, Ok(Receipt::default()));
        let got = robot.taken();
        assert_eq!(got[0]["at"]["atMobiles"][0], "13800000001");
        let text = got[0]["markdown"]["text"].as_str().unwrap();
        assert!(text.contains("@13800000001") && text.contains("CDEFGH") && text.contains("(http://10.0.0.5:8080/t/1)"), "{text}");
    }

    #[tokio::test]
    async fn the_twenty_first_within_a_minute_is_asked_to_wait() {
        let (_robot, channel) = robot().await;
        for _ in 0..20 {
            channel.send(&alert(), &[]).await.unwrap();
        }
        assert_eq!(retry(channel.send(&alert(), &[]).await).1, Some(TOO_FAST));
    }

    #[tokio::test]
    async fn wrong_keys_clocks_and_tokens_are_named_and_not_shown() {
        let (robot, _) = robot().await;
        let with = |url: String, secret: &str, at| {
            Dingtalk::new(base(at), &Settings { url: Secret::new(url), secret: Some(Secret::new(secret)), keyword: None }).unwrap()
        };
        let wrong_key = refused(with(robot.url(), "SECwrong-secret", AT).send(&alert(), &[]).await);
        assert!(wrong_key.contains("310000") && wrong_key.contains("secret_file") && !wrong_key.contains("SECwrong"), "{wrong_key}");
        let late = refused(with(robot.url(), KEY, AT - 2 * 3_600_000).send(&alert(), &[]).await);
        assert!(late.contains("clock"), "{late}");
        let token = robot.url().replace("tok-0123456789", "tok-another");
        let unknown = refused(with(token, KEY, AT).send(&alert(), &[]).await);
        assert!(unknown.contains("300005") && !unknown.contains("tok-another"), "{unknown}");
        assert!(Dingtalk::new(base(AT), &Settings { url: Secret::new("https://h/robot/send"), secret: None, keyword: None }).is_err());
    }
}
