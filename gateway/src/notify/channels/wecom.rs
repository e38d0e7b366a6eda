//! 企业微信 group robot (群机器人): one address that holds a key.
//!
//! <https://developer.work.weixin.qq.com/document/path/91770>: 20 messages a minute; text up to 2,048 bytes, Markdown up to 4,096.
use super::call::{Caller, Hidden, address, word};
use super::{Address, Base, Channel, Limits, Receipt, SendError};
use crate::deliver::Secret;
use crate::notify::message::Message;
use crate::notify::text;
use async_trait::async_trait;
use reqwest::Url;
use serde_json::{Value, json};
use std::time::Duration;

pub const KIND: &str = "wecom";
const TEXT_MAX: usize = 2048;
const MARKDOWN_MAX: usize = 4096;
const TOO_FAST: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The whole address with its `key`.
    pub url: Secret,
}

pub struct Wecom {
    base: Base,
    url: Url,
    caller: Caller,
}

impl Wecom {
    pub(super) fn new(base: Base, settings: &Settings) -> Result<Wecom, String> {
        let url = address(settings.url.expose())?;
        if !url.query_pairs().any(|(k, v)| k == "key" && !v.is_empty()) {
            return Err("the url has no key; copy the robot's whole Webhook address".into());
        }
        let caller = Caller::new(Hidden::default().with_url(&url))?;
        Ok(Wecom { base, url, caller })
    }

    /// Plain text when somebody is to be mentioned: Markdown cannot mention by mobile number.
    fn body(&self, m: &Message, to: &[Address]) -> Value {
        let lang = self.base.language;
        if to.is_empty() {
            return json!({ "msgtype": "markdown", "markdown": { "content": text::markdown(m, lang, MARKDOWN_MAX, "\n") } });
        }
        // `<@user>` in a text mentions; a note must not.
        let mobiles: Vec<&str> = to.iter().map(|a| a.address.as_str()).collect();
        json!({ "msgtype": "text", "text": { "content": text::long(m, lang, TEXT_MAX).replace("<@", "< "), "mentioned_mobile_list": mobiles } })
    }
}

fn verdict(answer: &Value, hidden: &Hidden) -> Result<Receipt, SendError> {
    let said = hidden.excerpt(&word(answer, "/errmsg"));
    match answer["errcode"].as_i64() {
        Some(0) => Ok(Receipt::default()),
        Some(code @ (45_009 | 45_033)) => {
            Err(SendError::Retry { reason: format!("errcode {code}: more than 20 messages a minute ({said})"), after: Some(TOO_FAST) })
        }
        Some(-1) => Err(SendError::Retry { reason: format!("errcode -1: busy ({said})"), after: None }),
        Some(93_000) => Err(SendError::Refused {
            reason: format!("errcode 93000: the key is not known, or the robot was removed; copy its Webhook address anew ({said})"),
        }),
        Some(code @ (40_008 | 40_058 | 44_004)) => Err(SendError::Poison { reason: format!("errcode {code}: not taken ({said})") }),
        Some(code) => Err(SendError::Refused { reason: format!("errcode {code}: not taken ({said})") }),
        None => Err(SendError::Refused { reason: "the answer has no errcode; is the url that of a 企业微信 robot?".into() }),
    }
}

#[async_trait]
impl Channel for Wecom {
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
        let answer = self.caller.ask_json(self.caller.client.post(self.url.clone()).json(&self.body(message, to))).await?;
        verdict(&answer, &self.caller.hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::super::double::{Robot, address as to, base, refused, retry};
    use super::*;
    use crate::notify::message::tests::{AT, alert};
    use crate::notify::message::{Kind, Message};

    #[tokio::test]
    async fn text_with_mentions_markdown_without_and_neither_too_long() {
        let robot = Robot::wecom("0123-4567-89ab", AT).await;
        let channel = Wecom::new(base(AT), &Settings { url: Secret::new(robot.url()) }).unwrap();
        let lines = (0..200).map(|i| format!("第 {i} 条：活动室二氧化碳过高，请立即开窗通风")).collect();
        let digest = Message { kind: Kind::Digest, lines, ..alert() };
        for m in [&alert(), &digest] {
            channel.send(m, &[]).await.unwrap();
            channel.send(m, &[to("li", "13800000001")]).await.unwrap();
        }
        let got = robot.taken();
        assert_eq!(got[0]["msgtype"], "markdown");
        assert_eq!(got[1]["text"]["mentioned_mobile_list"][0], "13800000001");
        let shout = Message { note: Some("<@all>".into()), ..alert() };
        assert!(!channel.body(&shout, &[to("li", "1")]).to_string().contains("<@"));
        for text in [&got[2]["markdown"]["content"], &got[3]["text"]["content"]] {
            let text = text.as_str().unwrap();
            assert!(text.contains("另有") && text.contains("CDEFGH"), "{text}");
        }
    }

    #[tokio::test]
    async fn its_limits_and_refusals() {
        let robot = Robot::wecom("0123-4567-89ab", AT).await;
        let channel = Wecom::new(base(AT), &Settings { url: Secret::new(robot.url()) }).unwrap();
        for _ in 0..20 {
            channel.send(&alert(), &[]).await.unwrap();
        }
        let (reason, after) = retry(channel.send(&alert(), &[]).await);
        assert!(reason.contains("45009") && after == Some(TOO_FAST), "{reason}");
        let url = robot.url().replace("0123-4567-89ab", "another-key");
        let unknown = refused(Wecom::new(base(AT), &Settings { url: Secret::new(url) }).unwrap().send(&alert(), &[]).await);
        assert!(unknown.contains("93000") && !unknown.contains("another-key"), "{unknown}");
    }
}
