//! What all HTTP sinks share: client settings, addresses, answers as [`SendError`].
use super::{SendError, SinkError};
use crate::deliver::secret::Secret;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Url, redirect};
use std::error::Error;
use std::time::Duration;

/// A request that has no answer after this is repeated.
pub const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer read, in bytes.
const ANSWER_MAX: usize = 4 << 20;
/// Characters of a refusal that are kept.
const EXCERPT: usize = 300;

/// A client that keeps its connection: an alert must not wait for a handshake.
pub fn client(sink: &'static str, token: HeaderValue) -> Result<Client, SinkError> {
    let mut headers = HeaderMap::new();
    headers.insert(reqwest::header::AUTHORIZATION, token);
    Client::builder()
        .default_headers(headers)
        // A redirected POST becomes a GET: better to say that the address is wrong.
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(90))
        .tcp_nodelay(true)
        // What is gone is found out while nothing is said, not when an alert is.
        .tcp_keepalive(Duration::from_secs(15))
        .build()
        .map_err(|e| SinkError { sink, field: "url", problem: format!("no HTTP client can be made: {}", chain(&e)) })
}

/// An `Authorization` header that is never printed.
pub fn authorization(sink: &'static str, scheme: &str, token: &Secret) -> Result<HeaderValue, SinkError> {
    let problem = |problem: &str| SinkError { sink, field: "token", problem: problem.into() };
    if token.expose().is_empty() {
        return Err(problem("is empty; copy it from the receiver's settings"));
    }
    let mut value = HeaderValue::from_str(&format!("{scheme} {}", token.expose()))
        .map_err(|_| problem("holds a character that no HTTP header may hold; is there a line break at the end of the token file?"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `base` with `path` behind whatever path it has.
pub fn endpoint(sink: &'static str, base: &str, path: &str) -> Result<Url, SinkError> {
    let problem = |problem: String| SinkError { sink, field: "url", problem };
    // The text itself is not repeated: somebody may have put a password into it.
    let mut url = Url::parse(base).map_err(|e| problem(format!("is no address ({e}); write it as \"https://host:port\"")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(problem("must begin with http:// or https:// and name a host".into()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(problem("must not hold a name or password; use the token".into()));
    }
    let path = format!("{}/{path}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// No answer at all.
pub fn unreached(e: reqwest::Error) -> SendError {
    SendError::Retry { reason: chain(&e.without_url()), after: None }
}

/// An answer's body, bounded.
pub async fn body(mut response: reqwest::Response) -> Result<Vec<u8>, SendError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreached)? {
        if bytes.len().saturating_add(chunk.len()) > ANSWER_MAX {
            return Err(SendError::Retry { reason: format!("the answer is longer than {ANSWER_MAX} bytes"), after: None });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// `Retry-After` in seconds. The form with a date is not used by the receivers we know; our own backoff stands in for it.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// An answer that is no success.
pub fn refusal(status: u16, text: &str, after: Option<Duration>, token: &Secret) -> SendError {
    let said = excerpt(text, token);
    let reason = |meaning: &str| if said.is_empty() { format!("{status}: {meaning}") } else { format!("{status}: {meaning}: {said}") };
    match status {
        401 | 403 => SendError::Refused { reason: reason("the token is not accepted; check token_file") },
        300..=399 => SendError::Refused { reason: reason("the receiver has moved; put its new address into url") },
        404 | 405 | 410 => SendError::Refused { reason: reason("not found there; check url, org and bucket") },
        400 | 422 => SendError::Poison { index: None, reason: reason("refused") },
        413 => SendError::TooLarge { reason: reason("too much at once") },
        _ => SendError::Retry { reason: reason("not now"), after },
    }
}

/// The beginning of a server's text as one printable line without the token.
pub fn excerpt(text: &str, token: &Secret) -> String {
    let line: String = token.redact(text).chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT).collect();
    line.trim().to_owned()
}

/// An error with its causes: reqwest's own text hides them.
pub fn chain(e: &(dyn Error + 'static)) -> String {
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(e) = cause {
        text = format!("{text}: {e}");
        cause = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let at = |base| endpoint("platform", base, "v1/events").map(String::from);
        assert_eq!(at("https://a.example").unwrap(), "https://a.example/v1/events");
        assert_eq!(at("http://a.example:8080/base/?x=1#y").unwrap(), "http://a.example:8080/base/v1/events");
        for bad in ["", "a.example", "mqtt://a.example", "http://", "https://me:pw@a.example"] {
            let problem = at(bad).unwrap_err().to_string();
            assert!(problem.starts_with("[platform] url: "), "{problem}");
            assert!(!problem.contains("me:pw"), "{problem}");
        }
    }

    #[test]
    fn a_server_that_echoes_the_token_does_not_leak_it() {
        let token = Secret::new("s3cret-token");
        let e = refusal(401, "no such token\ns3cret-token", None, &token);
        assert_eq!(e.to_string(), "401: the token is not accepted; check token_file: no such token ***");
        assert!(!format!("{:?}", authorization("platform", "Bearer", &token).unwrap()).contains("s3cret"));
        let broken = authorization("platform", "Bearer", &Secret::new("s3cret\n")).unwrap_err();
        assert!(!broken.to_string().contains("s3cret"));
    }
}
