//! 飞书 group robot (自定义机器人): one address that holds a token, with a signature in the body when the robot asks for it (签名校验).
//!
//! <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>: 100 messages a minute, 5 a second, 20 KB a request.
use super::call::{Caller, Hidden, address, word};
use super::sign::hmac_base64;
use super::{Address, Base, Channel, Limits, Receipt, SendError};
use crate::deliver::Secret;
use crate::notify::message::Message;
use crate::notify::text::{self, Line};
use async_trait::async_trait;
use reqwest::Url;
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

pub const KIND: &str = "feishu";
const TEXT_MAX: usize = 14_000;
const TOO_FAST: Duration = Duration::from_secs(10);
/// Keeps to 5 a second.
const SPACING: Duration = Duration::from_millis(220);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The whole address; its last part is the token.
    pub url: Secret,
    /// When the robot's security setting is 签名校验.
    pub secret: Option<Secret>,
    /// Stands in every text, when the robot's security setting is a keyword.
    pub keyword: Option<String>,
}

pub struct Feishu {
    base: Base,
    url: Url,
    secret: Option<Secret>,
    keyword: Option<String>,
    caller: Caller,
    /// When the last one was, or will be, sent.
    last: Mutex<Option<Instant>>,
}

impl Feishu {
    pub(super) fn new(base: Base, settings: &Settings) -> Result<Feishu, String> {
        let url = address(settings.url.expose())?;
        let hidden = Hidden::new(&settings.secret).with_url(&url);
        let caller = Caller::new(hidden)?;
        Ok(Feishu { base, url, secret: settings.secret.clone(), keyword: settings.keyword.clone(), caller, last: Mutex::new(None) })
    }

    /// Rich text (`post`): its pieces are data, so nothing in a note can become a mention.
    fn body(&self, m: &Message, to: &[Address]) -> Value {
        let lang = self.base.language;
        let colon = if lang == tuoan_dashboards::Lang::Zh { "：" } else { ": " };
        let parts = text::parts(m, lang);
        let mut left = TEXT_MAX;
        let mut rows: Vec<Value> = Vec::new();
        let total = parts.body.len();
        let mut shown = 0usize;
        for line in &parts.body {
            let row = match line {
                Line::Plain(text) => text.clone(),
                Line::Field(label, value) => format!("{label}{colon}{value}"),
                Line::Link(label, url) => format!("{label}{colon}{url}"),
            };
            if row.len() > left {
                rows.push(
                    json!([{ "tag": "text", "text": text::say(lang, "notify-more", &[("n", &total.saturating_sub(shown).to_string())]) }]),
                );
                break;
            }
            left = left.saturating_sub(row.len());
            shown = shown.saturating_add(1);
            rows.push(json!([{ "tag": "text", "text": row }]));
        }
        for line in &parts.tail {
            rows.push(match line {
                Line::Link(label, url) => json!([{ "tag": "a", "text": label, "href": url }]),
                Line::Field(label, value) => json!([{ "tag": "text", "text": format!("{label}{colon}{value}") }]),
                Line::Plain(text) => json!([{ "tag": "text", "text": text }]),
            });
        }
        if let Some(keyword) = &self.keyword {
            rows.push(json!([{ "tag": "text", "text": keyword }]));
        }
        if !to.is_empty() {
            rows.push(to.iter().map(|a| json!({ "tag": "at", "user_id": a.address })).collect());
        }
        let content = json!({ "title": text::cut(&parts.title, 200), "content": rows });
        let language = if lang == tuoan_dashboards::Lang::Zh { "zh_cn" } else { "en_us" };
        let mut body = json!({ "msg_type": "post", "content": { "post": { language: content } } });
        if let (Some(secret), Some(fields)) = (&self.secret, body.as_object_mut()) {
            let timestamp = self.base.clock.utc_ms().div_euclid(1000).to_string();
            // As documented: the text is the key, and nothing is signed with it.
            let sign = hmac_base64(format!("{timestamp}\n{}", secret.expose()).as_bytes(), b"");
            fields.insert("timestamp".into(), timestamp.into());
            fields.insert("sign".into(), sign.into());
        }
        body
    }
}

/// Not before the last one is [`SPACING`] ago.
fn turn(last: Option<Instant>, now: Instant) -> Instant {
    last.map_or(now, |at| now.max(at + SPACING))
}

fn verdict(answer: &Value, hidden: &Hidden) -> Result<Receipt, SendError> {
    let said = hidden.excerpt(&word(answer, "/msg"));
    let refused = |mend: &str, code: i64| SendError::Refused { reason: format!("code {code} ({said}): {mend}") };
    // Older robots answer `StatusCode` instead.
    match answer["code"].as_i64().or_else(|| answer["StatusCode"].as_i64()) {
        Some(0) => Ok(Receipt { receipt: word(answer, "/data/message_id"), ..Receipt::default() }),
        Some(code @ (11_232 | 11_233 | 11_247 | 99_991_400)) => {
            Err(SendError::Retry { reason: format!("code {code}: too many messages ({said})"), after: Some(TOO_FAST) })
        }
        Some(19_021) => {
            Err(refused("the signature does not match or is older than an hour: check secret_file and this machine's clock", 19_021))
        }
        Some(19_022) => Err(refused("this machine's address is not in the robot's IP list", 19_022)),
        Some(19_024) => Err(refused("the robot wants a keyword: set keyword to it", 19_024)),
        Some(19_001) => Err(refused("the robot's token is not known; copy its Webhook address anew", 19_001)),
        Some(code @ (9_499 | 19_002)) => Err(SendError::Poison { reason: format!("code {code}: not taken ({said})") }),
        Some(code) => Err(refused("not taken", code)),
        None => Err(SendError::Refused { reason: "the answer has no code; is the url that of a 飞书 robot?".into() }),
    }
}

#[async_trait]
impl Channel for Feishu {
    fn name(&self) -> &str {
        &self.base.name
    }
    fn kind(&self) -> &'static str {
        KIND
    }
    fn limits(&self) -> Limits {
        self.base.limits(Limits { per_minute: Some(100), digests: true, ..Limits::default() })
    }
    async fn send(&self, message: &Message, to: &[Address]) -> Result<Receipt, SendError> {
        let turn = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = turn(*last, Instant::now());
            *last = Some(turn);
            turn
        };
        sleep_until(turn).await;
        // Refusals of a request's form come with status 400 and a code.
        let answer = self.caller.send(self.caller.client.post(self.url.clone()).json(&self.body(message, to))).await?;
        match serde_json::from_str::<Value>(&answer.body) {
            Ok(value) if value["code"].is_number() || value["StatusCode"].is_number() => verdict(&value, &self.caller.hidden),
            Ok(value) if (200..300).contains(&answer.status) => verdict(&value, &self.caller.hidden),
            _ => Err(self.caller.refusal(&answer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::double::{Robot, address as to, base, refused, retry};
    use super::*;
    use crate::notify::message::tests::{AT, alert};

    const KEY: &str = "feishu-signing-key";

    fn channel(url: String, secret: &str, at: i64) -> Feishu {
        Feishu::new(base(at), &Settings { url: Secret::new(url), secret: Some(Secret::new(secret)), keyword: None }).unwrap()
    }

    #[tokio::test]
    async fn signed_and_taken_with_mentions_as_data() {
        let robot = Robot::feishu("0123456789abcdef", KEY, AT).await;
        let mut m = alert();
        m.note = Some("<at user_id=\"all\"></at>".into());
        channel(robot.url(), KEY, AT).send(&m, &[to("li", "ou_1")]).await.unwrap();
        let got = robot.taken();
        assert_eq!(got[0]["sign"], include_str!("golden/feishu.sign").trim());
        let rows = got[0]["content"]["post"]["zh_cn"]["content"].as_array().unwrap();
        let at: Vec<_> = rows.iter().flat_map(|r| r.as_array().unwrap()).filter(|p| p["tag"] == "at").collect();
        assert_eq!(at.len(), 1);
        assert_eq!(at[0]["user_id"], "ou_1");
        assert!(rows.iter().any(|r| r[0]["tag"] == "a" && r[0]["href"] == "http://10.0.0.5:8080/t/1"));
    }

    #[test]
    fn five_a_second_and_a_hundred_a_minute() {
        let now = Instant::now();
        let last = (0..5).fold(turn(None, now), |last, _| turn(Some(last), now));
        assert!(last >= now + Duration::from_secs(1), "the sixth of a burst");
        assert_eq!(turn(Some(now), now + Duration::from_secs(9)), now + Duration::from_secs(9));
        assert_eq!(channel("http://127.0.0.1:9/hook/x".into(), KEY, AT).limits().per_minute, Some(100));
    }

    #[tokio::test]
    async fn refusals_say_what_to_mend() {
        let robot = Robot::feishu("0123456789abcdef", KEY, AT).await;
        let wrong = refused(channel(robot.url(), "another-key", AT).send(&alert(), &[]).await);
        assert!(wrong.contains("19021") && wrong.contains("secret_file"), "{wrong}");
        let late = refused(channel(robot.url(), KEY, AT + 2 * 3_600_000).send(&alert(), &[]).await);
        assert!(late.contains("clock"), "{late}");
        let unknown = channel(robot.url().replace("0123456789abcdef", "fedcba9876543210"), KEY, AT).send(&alert(), &[]).await;
        let unknown = refused(unknown);
        assert!(unknown.contains("19001") && !unknown.contains("fedcba"), "{unknown}");
        robot.full();
        let (reason, after) = retry(channel(robot.url(), KEY, AT).send(&alert(), &[]).await);
        assert!(reason.contains("11232") && after.is_some(), "{reason}");
    }
}
