//! What all channels over HTTP share: one client each, bounded answers, answers as [`SendError`], secrets taken out of every text.
use super::SendError;
use crate::deliver::Secret;
use crate::deliver::sinks::http::{chain, retry_after};
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder, Url, redirect};
use serde_json::Value;
use std::time::Duration;

/// A request that has no answer after this is repeated.
pub const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer read, in bytes; robots answer with less than 200.
const ANSWER_MAX: usize = 64 << 10;
/// Characters of an answer that are told.
const EXCERPT: usize = 200;
/// A receiver that asks for more than this is asked again all the same: an alarm cannot wait for a day.
const AFTER_MAX: Duration = Duration::from_secs(600);

/// Texts that must not be told: tokens, keys, addresses that hold them.
#[derive(Clone, Default)]
pub struct Hidden(Vec<Secret>);

impl Hidden {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Hidden {
        let mut hidden = Hidden(Vec::new());
        secrets.into_iter().for_each(|s| hidden.add(s.clone()));
        hidden
    }
    /// Of an address that holds a key: the whole, each value of its query, and each long part of its path.
    pub fn with_url(mut self, url: &Url) -> Hidden {
        self.add(Secret::new(url.as_str()));
        for (_, value) in url.query_pairs() {
            self.add(Secret::new(value));
        }
        for part in url.path().split('/').filter(|p| p.len() >= 12) {
            self.add(Secret::new(part));
        }
        self
    }
    fn add(&mut self, secret: Secret) {
        // Two letters would black out half of every text and hide nothing.
        if secret.expose().len() >= 4 {
            self.0.push(secret);
        }
    }
    /// The beginning of a stranger's text as one printable line, without secrets.
    pub fn excerpt(&self, text: &str) -> String {
        let text = self.0.iter().fold(text.to_owned(), |text, secret| secret.redact(&text));
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT).collect();
        line.trim().to_owned()
    }
}

pub struct Caller {
    pub client: Client,
    pub hidden: Hidden,
}

pub struct Answer {
    pub status: u16,
    pub after: Option<Duration>,
    pub body: String,
}

impl Caller {
    pub fn new(hidden: Hidden) -> Result<Caller, String> {
        let client = Client::builder()
            .default_headers(HeaderMap::new())
            // A redirected POST becomes a GET, and a key would go to somebody else.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .map_err(|e| format!("no HTTP client can be made: {}", chain(&e)))?;
        Ok(Caller { client, hidden })
    }

    /// The answer, whatever its status.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, SendError> {
        let mut response = request.send().await.map_err(|e| self.unreached(e))?;
        let status = response.status().as_u16();
        let after = retry_after(response.headers()).map(|d| d.min(AFTER_MAX));
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreached(e))? {
            if bytes.len().saturating_add(chunk.len()) > ANSWER_MAX {
                return Err(SendError::Retry { reason: format!("the answer is longer than {ANSWER_MAX} bytes"), after: None });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Answer { status, after, body: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// The answer if it is a success; a refusal by what its status means.
    pub async fn ask(&self, request: RequestBuilder) -> Result<Answer, SendError> {
        let answer = self.send(request).await?;
        match answer.status {
            200..=299 => Ok(answer),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// The JSON of a successful answer.
    pub async fn ask_json(&self, request: RequestBuilder) -> Result<Value, SendError> {
        let answer = self.ask(request).await?;
        serde_json::from_str(&answer.body).map_err(|_| SendError::Refused {
            reason: format!("the answer is no JSON; is the address right? It says: {}", self.hidden.excerpt(&answer.body)),
        })
    }

    pub fn refusal(&self, answer: &Answer) -> SendError {
        let said = self.hidden.excerpt(&answer.body);
        let status = answer.status;
        let reason = |meaning: &str| if said.is_empty() { format!("{status}: {meaning}") } else { format!("{status}: {meaning}: {said}") };
        match status {
            401 | 403 => SendError::Refused { reason: reason("not accepted; check the token or key") },
            300..=399 => SendError::Refused { reason: reason("the receiver has moved; put its new address into url") },
            404 | 405 | 410 => SendError::Refused { reason: reason("not found there; check url") },
            400 | 413 | 422 => SendError::Poison { reason: reason("refused") },
            _ => SendError::Retry { reason: reason("not now"), after: answer.after },
        }
    }

    fn unreached(&self, e: reqwest::Error) -> SendError {
        SendError::Retry { reason: self.hidden.excerpt(&chain(&e.without_url())), after: None }
    }
}

/// An address to send to. Its text is not repeated in what is said: it may hold a key.
pub fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("the url is no address ({e}); write it as \"https://host/path\""))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("the url must begin with http:// or https:// and name a host".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the url must not hold a name or password".into());
    }
    Ok(url)
}

/// `base` with `path` behind whatever path it has.
pub fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// `a=1&b=2`, escaped as forms are (application/x-www-form-urlencoded).
pub fn form(pairs: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse("http://form/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

/// A number or text in an answer, as text.
pub fn word(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_escaped() {
        assert_eq!(form(&[("a", "1&b=2"), ("c", "园 +")]), "a=1%26b%3D2&c=%E5%9B%AD+%2B");
    }

    #[test]
    fn keys_in_addresses_are_hidden_and_bad_addresses_are_not_repeated() {
        let url = address("https://r.example/hook/0123456789abcdef?access_token=topsecret").unwrap();
        let hidden = Hidden::default().with_url(&url);
        assert_eq!(hidden.excerpt("no 0123456789abcdef\nand topsecret"), "no *** and ***");
        for bad in ["", "r.example", "ftp://r.example", "https://me:pw@r.example"] {
            assert!(!address(bad).unwrap_err().contains("pw"), "{bad}");
        }
        assert_eq!(below(&address("http://h:1/base/?x=1").unwrap(), "push").as_str(), "http://h:1/base/push");
    }
}
