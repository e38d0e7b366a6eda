//! 浙政钉 (the government's DingTalk): work notifications to accounts, signed with the application's key.
//!
//! Documentation: <https://openplatform-portal.dg-work.cn/portal/#/helpdoc> (`/gettoken.json`, `/message/workNotification`). The same text reaches
//! the same user once a day only, and a user gets at most 100 a day from one application; `msg` has at most 2,048 bytes; a `bizMsgId` that was
//! used before is refused as a repeat.
use super::call::{Caller, Hidden, address, below, form, word};
use super::sign::hmac_base64;
use super::{Address, Base, Channel, Limits, Receipt, SendError};
use crate::deliver::Secret;
use crate::notify::message::Message;
use crate::notify::text;
use async_trait::async_trait;
use reqwest::{Method, RequestBuilder, Url};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};

pub const KIND: &str = "zzd";
const TOKEN: &str = "/gettoken.json";
const NOTIFY: &str = "/message/workNotification";
/// Of `msg` as a whole, with its JSON around the text.
const MSG_MAX: usize = 2048;
/// Receivers of one call.
const RECEIVERS_MAX: usize = 1000;
/// A token is asked for anew so long before it ends.
const TOKEN_MARGIN_MS: i64 = 300_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Base address, e.g. `https://openplatform-pro.ding.zj.gov.cn`.
    pub url: String,
    pub app_key: String,
    pub app_secret: Secret,
    pub tenant_id: String,
    /// This machine's addresses as the interface wants to be told them; found out where absent.
    pub ip: Option<String>,
    pub mac: Option<String>,
}

pub struct Zzd {
    base: Base,
    settings: Settings,
    url: Url,
    caller: Caller,
    /// And until when it holds, UTC milliseconds.
    token: Mutex<Option<(Secret, i64)>>,
}

impl Zzd {
    pub(super) fn new(base: Base, settings: &Settings) -> Result<Zzd, String> {
        let url = address(&settings.url)?;
        let caller = Caller::new(Hidden::new([&settings.app_secret]))?;
        Ok(Zzd { base, settings: settings.clone(), url, caller, token: Mutex::new(None) })
    }

    /// A request with its headers: the signature is over method, time, nonce, path and the parameters in order of their names, as they are
    /// before any escaping.
    fn signed(&self, method: Method, path: &str, parameters: &[(&str, &str)]) -> RequestBuilder {
        let now = self.base.clock.utc_ms();
        let timestamp = timestamp(now);
        let nonce = format!("{now}{:04}", rand::random_range(1000..10_000));
        let mut sorted = parameters.to_vec();
        sorted.sort();
        let mut text = format!("{method}\n{timestamp}\n{nonce}\n{path}");
        if !sorted.is_empty() {
            text.push('\n');
            text.push_str(&sorted.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("&"));
        }
        let mut url = below(&self.url, path.trim_start_matches('/'));
        let request = if method == Method::GET {
            url.query_pairs_mut().extend_pairs(&sorted);
            self.caller.client.get(url)
        } else {
            let body = form(&sorted);
            self.caller.client.post(url).header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8").body(body)
        };
        request
            .header("X-Hmac-Auth-Timestamp", timestamp)
            .header("X-Hmac-Auth-Version", "1.0")
            .header("X-Hmac-Auth-Nonce", nonce)
            .header("apiKey", &self.settings.app_key)
            .header("X-Hmac-Auth-Signature", hmac_base64(self.settings.app_secret.expose().as_bytes(), text.as_bytes()))
            .header("X-Hmac-Auth-IP", self.settings.ip.as_deref().unwrap_or("127.0.0.1"))
            .header("X-Hmac-Auth-MAC", self.settings.mac.clone().or_else(mac).unwrap_or_else(|| "00:00:00:00:00:00".into()))
    }

    async fn token(&self) -> Result<Secret, SendError> {
        let now = self.base.clock.utc_ms();
        let kept = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((token, until)) = kept
            && now < until
        {
            return Ok(token);
        }
        let secret = self.settings.app_secret.expose();
        let answer = self.call(self.signed(Method::GET, TOKEN, &[("appkey", &self.settings.app_key), ("appsecret", secret)])).await?;
        let token = word(&answer, "/content/data/accessToken");
        if token.is_empty() {
            return Err(self.refused(&answer, "no access token; check app_key and app_secret_file"));
        }
        let token = Secret::new(token);
        // Seconds.
        let lasts = answer.pointer("/content/data/expiresIn").and_then(Value::as_i64).unwrap_or(7200).clamp(0, 86_400);
        let until = now.saturating_add(lasts.saturating_mul(1000)).saturating_sub(TOKEN_MARGIN_MS);
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some((token.clone(), until));
        Ok(token)
    }

    /// The answer's JSON; the interface says what it minds with any status.
    async fn call(&self, request: RequestBuilder) -> Result<Value, SendError> {
        let answer = self.caller.send(request).await?;
        match serde_json::from_str::<Value>(&answer.body) {
            Ok(value) if value.is_object() && answer.status < 500 && answer.status != 429 => Ok(value),
            _ if answer.status >= 300 => Err(self.caller.refusal(&answer)),
            _ => Err(SendError::Refused { reason: "the answer is no JSON; is the url that of 浙政钉?".into() }),
        }
    }

    fn refused(&self, answer: &Value, mend: &str) -> SendError {
        SendError::Refused { reason: format!("{mend} ({})", self.said(answer)) }
    }

    /// The interface has no one place for what it minds.
    fn said(&self, answer: &Value) -> String {
        let places = ["/errorCode", "/bizErrorCode", "/Code", "/errorMsg", "/Message", "/content/responseCode", "/content/responseMessage"];
        let words: Vec<String> = places.iter().map(|p| word(answer, p)).filter(|w| !w.is_empty()).collect();
        self.caller.hidden.excerpt(&words.join(" "))
    }

    fn msg(&self, m: &Message) -> String {
        let lang = self.base.language;
        // What JSON adds to the text is not known before: quotes and line breaks double.
        let mut max = MSG_MAX;
        loop {
            let msg = json!({ "msgtype": "text", "text": { "content": text::long(m, lang, max) } }).to_string();
            if msg.len() <= MSG_MAX || max < 200 {
                return msg;
            }
            max = max.saturating_sub(msg.len().saturating_sub(MSG_MAX)).saturating_sub(1);
        }
    }
}

/// `2026-03-02T10:06:15.000+08:00`, whatever the site's zone: so the interface writes it.
fn timestamp(utc_ms: i64) -> String {
    let china = time::UtcOffset::from_hms(8, 0, 0).unwrap_or(time::UtcOffset::UTC);
    let t = time::OffsetDateTime::from_unix_timestamp(utc_ms.div_euclid(1000)).unwrap_or(time::OffsetDateTime::UNIX_EPOCH).to_offset(china);
    let (y, mo, d) = (t.year(), u8::from(t.month()), t.day());
    format!("{y:04}-{mo:02}-{d:02}T{:02}:{:02}:{:02}.000+08:00", t.hour(), t.minute(), t.second())
}

/// Hardware address of the first network card.
fn mac() -> Option<String> {
    let cards = std::fs::read_dir("/sys/class/net").ok()?;
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path.join("address")).ok().map(|t| t.trim().to_owned());
    let mut found: Vec<String> =
        cards.flatten().filter_map(|c| read(c.path())).filter(|a| a.len() == 17 && !a.starts_with("00:00:00")).collect();
    found.sort();
    found.into_iter().next()
}

#[async_trait]
impl Channel for Zzd {
    fn name(&self) -> &str {
        &self.base.name
    }
    fn kind(&self) -> &'static str {
        KIND
    }
    fn limits(&self) -> Limits {
        let limits = Limits { per_minute: None, per_person_day: Some(100), drops_identical_for_s: Some(86_400), digests: true };
        self.base.limits(limits)
    }
    async fn send(&self, message: &Message, to: &[Address]) -> Result<Receipt, SendError> {
        if to.is_empty() {
            return Err(SendError::Refused { reason: "nobody has an account here; name persons in `to` with their accountId".into() });
        }
        if to.len() > RECEIVERS_MAX {
            return Err(SendError::Poison { reason: format!("more than {RECEIVERS_MAX} receivers") });
        }
        let token = self.token().await?;
        let receivers = to.iter().map(|a| a.address.as_str()).collect::<Vec<_>>().join(",");
        let msg = self.msg(message);
        // Not the message's id alone: a repeat that people are to hear once more must not be dropped as one.
        let telling = message.telling();
        let parameters = [
            ("access_token", token.expose()),
            ("bizMsgId", telling.as_str()),
            ("msg", msg.as_str()),
            ("receiverIds", receivers.as_str()),
            ("tenantId", self.settings.tenant_id.as_str()),
        ];
        let answer = self.call(self.signed(Method::POST, NOTIFY, &parameters)).await?;
        if answer["success"].as_bool() == Some(true) && answer.pointer("/content/success").and_then(Value::as_bool) != Some(false) {
            let id = [word(&answer, "/content/data/msgId"), word(&answer, "/content/msgId")].into_iter().find(|i| !i.is_empty());
            return Ok(Receipt { receipt: id.unwrap_or_default(), ..Receipt::default() });
        }
        let said = self.said(&answer);
        // An earlier attempt, whose answer did not come, had arrived.
        if said.contains("重复") {
            return Ok(Receipt { receipt: message.id.clone(), ..Receipt::default() });
        }
        if said.to_lowercase().contains("token") {
            *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
            return Err(SendError::Retry { reason: format!("the access token has ended ({said})"), after: None });
        }
        if said.contains("OPF-B001-05-16-0002") {
            return Err(self.refused(&answer, "the application may not use this interface; have it granted in 浙政钉's console (授权管理)"));
        }
        Err(self.refused(&answer, "not taken; check app_key, app_secret_file, tenant_id, the accounts and this machine's clock"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::double::{Robot, address as to, base, refused};
    use super::*;
    use crate::notify::message::tests::{AT, alert};
    use crate::notify::message::{Kind, Message};

    fn channel(robot: &Robot, secret: &str) -> Zzd {
        let settings = Settings {
            url: robot.base(),
            app_key: "app-1".into(),
            app_secret: Secret::new(secret),
            tenant_id: "196729".into(),
            ip: Some("10.0.0.5".into()),
            mac: None,
        };
        Zzd::new(base(AT), &settings).unwrap()
    }

    #[test]
    fn the_time_is_written_in_chinas_zone() {
        assert_eq!(timestamp(AT), "2026-03-02T10:06:15.000+08:00");
    }

    #[tokio::test]
    async fn a_token_once_and_then_notifications_signed() {
        let robot = Robot::zzd("app-1", "zzd-secret-0123", AT).await;
        let c = channel(&robot, "zzd-secret-0123");
        let people = [to("li", "8844491"), to("wang", "8844492")];
        let receipt = c.send(&alert(), &people).await.unwrap();
        assert_eq!(receipt.receipt, "zzd-1");
        c.send(&Message { id: "second".into(), at: AT + 1000, ..alert() }, &people).await.unwrap();
        let got = robot.taken();
        assert_eq!((got.len(), &got[0]["receiverIds"], &got[0]["tenantId"]), (2, &"8844491,8844492".into(), &"196729".into()));
        assert_eq!(robot.tokens(), 1);
        let msg: Value = serde_json::from_str(got[0]["msg"].as_str().unwrap()).unwrap();
        assert!(msg["text"]["content"].as_str().unwrap().contains("编号：CDEFGH，10:06:15 发出"), "{msg}");
    }

    #[tokio::test]
    async fn what_had_arrived_counts_as_delivered_and_texts_differ_from_telling_to_telling() {
        let robot = Robot::zzd("app-1", "zzd-secret-0123", AT).await;
        let c = channel(&robot, "zzd-secret-0123");
        let people = [to("li", "8844491")];
        c.send(&alert(), &people).await.unwrap();
        assert_eq!(c.send(&alert(), &people).await.unwrap().receipt, alert().id);
        assert_eq!(robot.taken().len(), 1);
        // The double drops identical texts without a word, as the real one does.
        c.send(&Message { id: "second".into(), at: AT + 1000, ..alert() }, &people).await.unwrap();
        assert_eq!(robot.taken().len(), 2);
    }

    #[tokio::test]
    async fn an_ended_token_is_fetched_anew_and_a_wrong_secret_is_named() {
        let robot = Robot::zzd("app-1", "zzd-secret-0123", AT).await;
        let c = channel(&robot, "zzd-secret-0123");
        c.send(&alert(), &[to("li", "1")]).await.unwrap();
        robot.forget_tokens();
        let again = Message { id: "x".into(), at: AT + 1000, ..alert() };
        assert!(matches!(c.send(&again, &[to("li", "1")]).await, Err(SendError::Retry { .. })));
        c.send(&again, &[to("li", "1")]).await.unwrap();
        assert_eq!(robot.tokens(), 2);
        let e = refused(channel(&robot, "zzd-secret-wrong").send(&alert(), &[to("li", "1")]).await);
        assert!(e.contains("app_secret_file") && !e.contains("zzd-secret"), "{e}");
        let e = refused(c.send(&alert(), &[]).await);
        assert!(e.contains("accountId"));
    }

    #[tokio::test]
    async fn a_long_digest_stays_within_2048_bytes() {
        let robot = Robot::zzd("app-1", "s-0123", AT).await;
        let lines = (0..60).map(|i| format!("\"第{i}条\" 活动室二氧化碳过高，请立即开窗")).collect();
        let msg = channel(&robot, "s-0123").msg(&Message { kind: Kind::Digest, lines, ..alert() });
        assert!(msg.len() <= MSG_MAX && msg.len() > 1500 && msg.contains("CDEFGH"), "{}", msg.len());
    }
}
