//! The receivers' doubles: they ask for what the documentation asks for, and answer as it says they answer.
use super::sign::hmac_base64;
use super::{Address, Base, Receipt, SendError};
use crate::clock::Clock;
use crate::deliver::{CommandLink, LinkError};
use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tuoan_dashboards::Lang;

pub fn base(at: i64) -> Base {
    Base { name: "test".into(), language: Lang::Zh, per_minute: None, clock: Clock::manual(at) }
}

pub fn address(person: &str, address: &str) -> Address {
    Address { person: person.into(), address: address.into() }
}

pub fn refused(result: Result<Receipt, SendError>) -> String {
    match result {
        Err(SendError::Refused { reason }) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

pub fn retry(result: Result<Receipt, SendError>) -> (String, Option<Duration>) {
    match result {
        Err(SendError::Retry { reason, after }) => (reason, after),
        other => panic!("not to be tried again: {other:?}"),
    }
}

#[derive(Default)]
pub struct Link {
    pub said: Mutex<Vec<(String, Vec<u8>)>>,
    pub down: AtomicBool,
}

#[async_trait]
impl CommandLink for Link {
    async fn publish(&self, topic: &str, payload: &[u8]) -> Result<(), LinkError> {
        if self.down.load(Ordering::Relaxed) {
            return Err(LinkError("the broker is away".into()));
        }
        self.said.lock().unwrap().push((topic.to_owned(), payload.to_vec()));
        Ok(())
    }
}

type Check = Box<dyn Fn(&mut Seen, &Asked) -> Response + Send + Sync>;

/// A request, as it came.
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn query(&self) -> BTreeMap<String, String> {
        pairs(self.uri.query().unwrap_or_default())
    }
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
    fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()).unwrap_or_default()
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x/?{text}")).unwrap();
    url.query_pairs().into_owned().collect()
}

#[derive(Default)]
struct Seen {
    taken: Vec<Value>,
    headers: HeaderMap,
    /// Whatever was sent, it is too much.
    full: bool,
    tokens: Vec<String>,
    issued: usize,
    /// What was said to whom, and message ids.
    said: BTreeSet<String>,
}

pub struct Robot {
    seen: Arc<Mutex<Seen>>,
    base: String,
    path: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Robot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Robot {
    async fn start(path: String, check: Check) -> Robot {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let state = (seen.clone(), Arc::new(check));
        async fn answer(
            State((seen, check)): State<(Arc<Mutex<Seen>>, Arc<Check>)>,
            method: Method,
            uri: Uri,
            headers: HeaderMap,
            body: Bytes,
        ) -> Response {
            let mut seen = seen.lock().unwrap();
            seen.headers = headers.clone();
            check(&mut seen, &Asked { method, uri, headers, body })
        }
        let router = Router::new().fallback(answer).with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Robot { seen, base, path, task }
    }
    pub fn base(&self) -> String {
        self.base.clone()
    }
    pub fn url(&self) -> String {
        format!("{}{}", self.base, self.path)
    }
    /// Bodies of what it has accepted.
    pub fn taken(&self) -> Vec<Value> {
        self.seen.lock().unwrap().taken.clone()
    }
    pub fn header(&self, name: &str) -> String {
        self.seen.lock().unwrap().headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
    }
    pub fn full(&self) {
        self.seen.lock().unwrap().full = true;
    }
    /// Tokens it has given out.
    pub fn tokens(&self) -> usize {
        self.seen.lock().unwrap().issued
    }
    pub fn forget_tokens(&self) {
        self.seen.lock().unwrap().tokens.clear();
    }

    /// 钉钉: token, signature of the time in the query, 20 a minute (its clock stands still here).
    pub async fn dingtalk(token: &str, secret: &str, now: i64) -> Robot {
        let (token, secret) = (token.to_owned(), secret.to_owned());
        let path = format!("/robot/send?access_token={token}");
        let no = |code: i64, text: &str| json_answer(json!({ "errcode": code, "errmsg": text }));
        let check: Check = Box::new(move |seen, asked| {
            let query = asked.query();
            let get = |k: &str| query.get(k).cloned().unwrap_or_default();
            let timestamp: i64 = get("timestamp").parse().unwrap_or(0);
            if asked.method != Method::POST || asked.uri.path() != "/robot/send" {
                return StatusCode::NOT_FOUND.into_response();
            }
            if get("access_token") != token {
                return no(300_005, &format!("token is not exist: {}", get("access_token")));
            }
            if (now - timestamp).abs() > 3_600_000 {
                return no(310_000, "invalid timestamp");
            }
            if get("sign") != hmac_base64(secret.as_bytes(), format!("{timestamp}\n{secret}").as_bytes()) {
                return no(310_000, "sign not match");
            }
            let body = asked.json();
            if seen.full || seen.taken.len() >= 20 {
                return no(130_101, "send too fast, exceed 20 times per minute");
            }
            if body["markdown"]["title"].as_str().is_none_or(str::is_empty) || body["markdown"]["text"].as_str().is_none_or(str::is_empty) {
                return no(40_035, "缺少参数 json");
            }
            seen.taken.push(body);
            no(0, "ok")
        });
        Robot::start(path, check).await
    }

    /// 企业微信: key, lengths, 20 a minute.
    pub async fn wecom(key: &str, _now: i64) -> Robot {
        let key = key.to_owned();
        let path = format!("/cgi-bin/webhook/send?key={key}");
        let no = |code: i64, text: &str| json_answer(json!({ "errcode": code, "errmsg": text }));
        let check: Check = Box::new(move |seen, asked| {
            if asked.query().get("key") != Some(&key) {
                return no(93_000, &format!("invalid webhook url {}", asked.uri));
            }
            if seen.full || seen.taken.len() >= 20 {
                return no(45_009, "api freq out of limit");
            }
            let body = asked.json();
            let (content, max) = match body["msgtype"].as_str() {
                Some("text") => (&body["text"]["content"], 2048),
                Some("markdown") => (&body["markdown"]["content"], 4096),
                _ => return no(40_008, "invalid message type"),
            };
            match content.as_str() {
                Some(text) if text.len() <= max && !text.is_empty() => {}
                _ => return no(40_058, "markdown.content exceed max length"),
            }
            seen.taken.push(body);
            no(0, "ok")
        });
        Robot::start(path, check).await
    }

    /// 飞书: token in the path, signature in the body.
    pub async fn feishu(token: &str, secret: &str, now: i64) -> Robot {
        let path = format!("/open-apis/bot/v2/hook/{token}");
        let (right, secret) = (path.clone(), secret.to_owned());
        let no = |code: i64, text: &str| json_answer(json!({ "code": code, "msg": text, "data": {} }));
        let check: Check = Box::new(move |seen, asked| {
            let body = asked.json();
            if asked.uri.path() != right {
                return no(19_001, "param invalid: incoming webhook access token invalid");
            }
            let timestamp = body["timestamp"].as_str().unwrap_or_default().to_owned();
            let late = timestamp.parse::<i64>().map_or(true, |t| (now / 1000 - t).abs() > 3600);
            if late || body["sign"] != hmac_base64(format!("{timestamp}\n{secret}").as_bytes(), b"") {
                return no(19_021, "sign match fail or timestamp is not within one hour from current time");
            }
            if seen.full {
                return no(11_232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]");
            }
            if !body["content"]["post"].is_object() || asked.body.len() > 20 << 10 {
                return no(9499, "Bad Request");
            }
            seen.taken.push(body);
            no(0, "success")
        });
        Robot::start(path, check).await
    }

    /// 浙政钉: its two calls, each signed; ids once; identical texts dropped without a word.
    pub async fn zzd(key: &str, secret: &str, _now: i64) -> Robot {
        let (key, secret) = (key.to_owned(), secret.to_owned());
        let check: Check = Box::new(move |seen, asked| {
            let text = if asked.method == Method::GET {
                asked.uri.query().unwrap_or_default().to_owned()
            } else {
                String::from_utf8_lossy(&asked.body).into_owned()
            };
            // A BTreeMap: in order of names.
            let parameters = pairs(&text);
            let mut signed = format!(
                "{}\n{}\n{}\n{}",
                asked.method,
                asked.header("X-Hmac-Auth-Timestamp"),
                asked.header("X-Hmac-Auth-Nonce"),
                asked.uri.path()
            );
            if !parameters.is_empty() {
                signed.push('\n');
                signed.push_str(&parameters.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("&"));
            }
            let headers = ["X-Hmac-Auth-IP", "X-Hmac-Auth-MAC"].iter().all(|h| !asked.header(h).is_empty());
            if !headers || asked.header("X-Hmac-Auth-Version") != "1.0" || asked.header("apiKey") != key {
                return json_answer(json!({ "Code": "OPF-B001-01-00-0001", "Message": "参数缺失" }));
            }
            if asked.header("X-Hmac-Auth-Signature") != hmac_base64(secret.as_bytes(), signed.as_bytes()) {
                return json_answer(json!({ "Code": "OPF-B001-01-00-0003", "Message": "签名校验失败" }));
            }
            let get = |k: &str| parameters.get(k).cloned().unwrap_or_default();
            match asked.uri.path() {
                "/gettoken.json" if get("appkey") == key && get("appsecret") == secret => {
                    seen.issued += 1;
                    let token = format!("token-{}", seen.issued);
                    seen.tokens.push(token.clone());
                    let data = json!({ "expiresIn": 7200, "accessToken": token });
                    json_answer(json!({ "success": true, "content": { "data": data, "success": true, "responseCode": "0" } }))
                }
                "/message/workNotification" => {
                    if !seen.tokens.contains(&get("access_token")) {
                        return json_answer(json!({ "success": false, "errorCode": "40014", "errorMsg": "不合法的access_token" }));
                    }
                    if get("msg").len() > 2048 || get("tenantId").is_empty() || get("receiverIds").is_empty() {
                        return json_answer(json!({ "success": false, "errorMsg": "参数错误" }));
                    }
                    if !seen.said.insert(get("bizMsgId")) {
                        return json_answer(json!({ "success": false, "errorMsg": "bizMsgId重复" }));
                    }
                    if seen.said.insert(get("msg")) {
                        seen.taken.push(json!(parameters));
                    }
                    let id = format!("zzd-{}", seen.taken.len());
                    json_answer(json!({ "success": true, "content": { "success": true, "content": "", "msgId": id } }))
                }
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        });
        Robot::start(String::new(), check).await
    }

    /// Bark with these device keys.
    pub async fn bark(keys: &[&str]) -> Robot {
        let keys: Vec<String> = keys.iter().map(|k| (*k).to_owned()).collect();
        let check: Check = Box::new(move |seen, asked| {
            let body = asked.json();
            let key = body["device_key"].as_str().unwrap_or_default();
            if asked.uri.path() != "/push" {
                return StatusCode::NOT_FOUND.into_response();
            }
            if !keys.iter().any(|k| k == key) {
                let text = format!("failed to get device token: failed to get [{key}] device token from database");
                return (StatusCode::BAD_REQUEST, json_answer(json!({ "code": 400, "message": text, "timestamp": 1 }))).into_response();
            }
            seen.taken.push(body);
            json_answer(json!({ "code": 200, "message": "success", "timestamp": 1 }))
        });
        Robot::start(String::new(), check).await
    }

    /// ntfy with access control.
    pub async fn ntfy(token: &str) -> Robot {
        let bearer = format!("Bearer {token}");
        let check: Check = Box::new(move |seen, asked| {
            if asked.header("authorization") != bearer {
                let text = format!("unauthorized {}", asked.header("authorization"));
                let body = json!({ "code": 40101, "http": 401, "error": text });
                return (StatusCode::UNAUTHORIZED, json_answer(body)).into_response();
            }
            if seen.full {
                let body = json!({ "code": 42901, "http": 429, "error": "limit reached: too many requests" });
                return (StatusCode::TOO_MANY_REQUESTS, [("Retry-After", "30")], json_answer(body)).into_response();
            }
            let body = asked.json();
            let id = format!("ntfy-{}", seen.taken.len() + 1);
            seen.taken.push(body);
            json_answer(json!({ "id": id, "event": "message" }))
        });
        Robot::start(String::new(), check).await
    }

    /// A receiver that checks the Standard Webhooks signature.
    pub async fn webhook(secret: &str, now: i64) -> Robot {
        use base64::Engine as _;
        let key = base64::engine::general_purpose::STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
        let check: Check = Box::new(move |seen, asked| {
            let (id, at) = (asked.header("webhook-id"), asked.header("webhook-timestamp"));
            let body = String::from_utf8_lossy(&asked.body).into_owned();
            let signature = format!("v1,{}", hmac_base64(&key, format!("{id}.{at}.{body}").as_bytes()));
            let late = at.parse::<i64>().map_or(true, |t| (now / 1000 - t).abs() > 300);
            if late || asked.header("webhook-signature") != signature {
                return (StatusCode::UNAUTHORIZED, "no").into_response();
            }
            seen.taken.push(asked.json());
            StatusCode::NO_CONTENT.into_response()
        });
        Robot::start("/hook".into(), check).await
    }

    /// Says the same to everything on that path.
    pub async fn plain(path: &str, status: u16, body: &'static str) -> Robot {
        let right = path.to_owned();
        let check: Check = Box::new(move |seen, asked| {
            if asked.uri.path() != right {
                return (StatusCode::NOT_FOUND, format!("nothing at {}", asked.uri)).into_response();
            }
            seen.taken.push(asked.json());
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        });
        Robot::start(path.to_owned(), check).await
    }
}

fn json_answer(value: Value) -> Response {
    ([("Content-Type", "application/json")], value.to_string()).into_response()
}

/// As much of an SMTP server as one needs to refuse a receiver and a password. The end-to-end tests have a real one.
pub struct Smtp {
    pub port: u16,
    mails: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Smtp {
    pub async fn start(user: &str, password: &str) -> Smtp {
        use base64::Engine as _;
        let login = base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0{password}"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = mails.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve_mail(stream, login.clone(), kept.clone()));
            }
        });
        Smtp { port, mails, task }
    }
    pub fn mails(&self) -> usize {
        self.mails.lock().unwrap().len()
    }
}

async fn serve_mail(mut stream: tokio::net::TcpStream, login: String, mails: Arc<Mutex<Vec<String>>>) {
    let (reading, mut out) = stream.split();
    let mut lines = BufReader::new(reading).lines();
    let _ = out.write_all(b"220 double\r\n").await;
    let mut mail: Option<String> = None;
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(text) = &mut mail {
            if line == "." {
                mails.lock().unwrap().push(mail.take().unwrap_or_default());
                let _ = out.write_all(b"250 2.0.0 queued\r\n").await;
            } else {
                text.push_str(&line);
                text.push('\n');
            }
            continue;
        }
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-double\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n".to_owned(),
            "AUTH" if line == format!("AUTH PLAIN {login}") => "235 2.7.0 welcome\r\n".to_owned(),
            "AUTH" => "535 5.7.8 authentication failed\r\n".to_owned(),
            "RCPT" if line.contains("<nobody@") => "550 5.1.1 no such user\r\n".to_owned(),
            "DATA" => {
                mail = Some(String::new());
                "354 go on\r\n".to_owned()
            }
            "QUIT" => "221 bye\r\n".to_owned(),
            _ => "250 2.0.0 ok\r\n".to_owned(),
        };
        let _ = out.write_all(answer.as_bytes()).await;
    }
}
