//! Hikvision's event stream as a source: `GET /ISAPI/Event/notification/alertStream`, for each configured camera or recorder, held open for ever.
//!
//! Each event becomes an [`Inbound`] on `hikvision/<name>/alert`, as if it had come by MQTT; from there on nothing is different. Whether the device
//! is connected is said on `.../connection`, what it is on `.../info`, and what of a channel is recorded, where that is asked for, on `.../recording`
//! (`recordings.rs`). Nobody waits for an acknowledgement: ISAPI has none.
use super::client::backoff::Backoff;
use super::{Ack, Inbound, InboundSender};
use crate::config::Secret;
use crate::decode::hikvision::TOPIC;
use crate::metrics::Metrics;
use bytes::Bytes;
use digest_auth::{AuthContext, HttpMethod};
use multipart::Multipart;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Client, Response, StatusCode, Url};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

mod multipart;
mod pin;
pub mod recordings;
#[cfg(test)]
mod tests;

const STREAM: &str = "/ISAPI/Event/notification/alertStream";
const DEVICE: &str = "/ISAPI/System/deviceInfo";
/// How long a connection and an answer's beginning may take.
const ANSWER: Duration = Duration::from_secs(10);
/// After a refused password: these devices lock an account out after a few.
const REFUSED: Duration = Duration::from_secs(300);
/// Longest description of a device, or page of a list.
const MAX_INFO: usize = 128 << 10;
/// Of heartbeats, which some devices send three times a second, one in this time goes further.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A connection that lasted this long was a good one: the next attempt comes soon.
const GOOD: Duration = Duration::from_secs(60);

/// One camera or recorder.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in topics and ids.
    pub name: String,
    /// `https://192.168.1.64` or `http://...`, without a path.
    pub url: String,
    pub user: String,
    pub password: Secret,
    /// SHA-256 of its certificate: it is trusted, and no other.
    pub certificate: Option<[u8; 32]>,
    /// Silence after which the connection counts as dead; these devices send a heartbeat every ten seconds or more often.
    pub stall: Duration,
    /// Channels that must be recorded: whether they are is looked up in the device's own list.
    pub recordings: Vec<u32>,
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("the user name or password is refused; mend `user` and `password_file` (the device locks the account after a few attempts)")]
    Refused,
    #[error("the device asks for {0:?}, of which only Digest is understood; turn on digest authentication for its web service")]
    Challenge(String),
    #[error("the device answers {0}; is ISAPI turned on, and may this user see its events?")]
    Status(StatusCode),
    #[error("{0}")]
    Content(String),
    #[error("nothing was heard for {} s", .0.as_secs())]
    Stalled(Duration),
    #[error("the device has ended the stream")]
    Ended,
    #[error("{0}")]
    Http(String),
    #[error("the pipeline has stopped")]
    Stopped,
}

impl From<reqwest::Error> for SourceError {
    fn from(e: reqwest::Error) -> Self {
        use std::error::Error;
        // The innermost cause is what says something ("certificate", "connection refused").
        let e = e.without_url();
        let (mut text, mut cause) = (e.to_string(), e.source());
        while let Some(c) = cause {
            text = c.to_string();
            cause = c.source();
        }
        SourceError::Http(text)
    }
}

impl Source {
    /// Checked when the configuration is read, so that a typing error is told then.
    pub fn address(url: &str) -> Result<Url, String> {
        let url: Url = url.parse().map_err(|e| format!("{url:?} is no URL: {e}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
            return Err("must be http://HOST or https://HOST, without a user or password in it".to_owned());
        }
        Ok(url)
    }

    /// Until `shutdown`: connect, pass on, connect again.
    pub async fn run(self, inbound: InboundSender, metrics: Arc<Metrics>, shutdown: CancellationToken) {
        let mut backoff = Backoff::default();
        let mut last = String::new();
        loop {
            let began = Instant::now();
            let ended = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                ended = self.session(&inbound, &metrics) => ended,
            };
            metrics.source_connected(&self.name, false);
            if matches!(ended, SourceError::Stopped) || self.say(&inbound, "connection", Bytes::from_static(b"offline")).await.is_err() {
                return;
            }
            let text = ended.to_string();
            // Once for each kind of trouble, not once for each attempt.
            if text != last {
                tracing::warn!(source = %self.name, "hikvision: {text}");
                last = text;
            }
            if began.elapsed() >= GOOD {
                backoff.reset();
            }
            let wait = if matches!(ended, SourceError::Refused) { REFUSED } else { backoff.next() };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        let _ = self.say(&inbound, "connection", Bytes::from_static(b"offline")).await;
    }

    /// One connection, until it ends.
    async fn session(&self, inbound: &InboundSender, metrics: &Metrics) -> SourceError {
        match self.stream(inbound, metrics).await {
            Ok(never) => match never {},
            Err(e) => e,
        }
    }

    async fn stream(&self, inbound: &InboundSender, metrics: &Metrics) -> Result<std::convert::Infallible, SourceError> {
        let client = self.client()?;
        let info = self.get(&client, DEVICE).await?;
        let info = self.body(info).await?;
        self.say(inbound, "info", info.into()).await?;
        let mut response = self.get(&client, STREAM).await?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let mut parts = Multipart::new(kind).map_err(SourceError::Content)?;
        tracing::info!(source = %self.name, "hikvision: connected");
        metrics.source_connected(&self.name, true);
        self.say(inbound, "connection", Bytes::from_static(b"online")).await?;
        let mut heartbeat: Option<Instant> = None;
        loop {
            let chunk = tokio::time::timeout(self.stall, response.chunk()).await.map_err(|_| SourceError::Stalled(self.stall))??;
            for part in parts.push(&chunk.ok_or(SourceError::Ended)?) {
                if is_heartbeat(&part) {
                    if heartbeat.is_some_and(|t| t.elapsed() < HEARTBEAT) {
                        continue;
                    }
                    heartbeat = Some(Instant::now());
                }
                self.say(inbound, "alert", part.into()).await?;
            }
        }
    }

    fn client(&self) -> Result<Client, SourceError> {
        // No redirects: what is signed is for this device and this path.
        let builder = Client::builder().connect_timeout(ANSWER).redirect(reqwest::redirect::Policy::none()).no_proxy();
        let builder = match self.certificate {
            Some(fingerprint) => builder.tls_backend_preconfigured(pin::client(fingerprint).map_err(|e| SourceError::Http(e.to_string()))?),
            None => builder,
        };
        Ok(builder.build()?)
    }

    async fn get(&self, client: &Client, path: &str) -> Result<Response, SourceError> {
        self.ask(client, path, None).await
    }

    /// The answer's beginning; its body is still to come. With `body` it is a POST.
    async fn ask(&self, client: &Client, path: &str, body: Option<&str>) -> Result<Response, SourceError> {
        let url = format!("{}{path}", self.url);
        let send = |authorization: Option<HeaderValue>| {
            let mut request = match body {
                Some(body) => client.post(&url).header(CONTENT_TYPE, "application/xml; charset=\"UTF-8\"").body(body.to_owned()),
                None => client.get(&url),
            };
            if let Some(value) = authorization {
                request = request.header(AUTHORIZATION, value);
            }
            async move { tokio::time::timeout(ANSWER, request.send()).await.map_err(|_| SourceError::Stalled(ANSWER)) }
        };
        let mut response = send(None).await??;
        if response.status() == StatusCode::UNAUTHORIZED {
            let answer = self.answer(&response, path, body)?;
            response = send(Some(answer)).await??;
        }
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::UNAUTHORIZED => Err(SourceError::Refused),
            status => Err(SourceError::Status(status)),
        }
    }

    /// The strongest challenge that is understood, answered (RFC 7616).
    fn answer(&self, response: &Response, path: &str, body: Option<&str>) -> Result<HeaderValue, SourceError> {
        let offered: Vec<&str> = response.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|v| v.to_str().ok()).collect();
        let mut digests: Vec<_> = offered.iter().filter_map(|o| digest_auth::parse(o).ok()).collect();
        digests.sort_by_key(|d| d.algorithm.algo == digest_auth::AlgorithmType::MD5);
        let Some(mut challenge) = digests.into_iter().next() else {
            let scheme = offered.first().and_then(|o| o.split_whitespace().next()).unwrap_or("nothing");
            return Err(SourceError::Challenge(scheme.chars().take(32).collect()));
        };
        let method = if body.is_some() { HttpMethod::POST } else { HttpMethod::GET };
        let context = AuthContext::new_with_method(self.user.as_str(), self.password.reveal(), path, body.map(str::as_bytes), method);
        let answer = challenge.respond(&context).map_err(|e| SourceError::Challenge(e.to_string()))?;
        let mut value = HeaderValue::from_str(&answer.to_header_string()).map_err(|e| SourceError::Challenge(e.to_string()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, SourceError> {
        let mut body = Vec::new();
        while let Some(chunk) = tokio::time::timeout(ANSWER, response.chunk()).await.map_err(|_| SourceError::Stalled(ANSWER))?? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_INFO {
                return Err(SourceError::Content(format!("an answer of more than {MAX_INFO} bytes")));
            }
        }
        Ok(body)
    }

    async fn say(&self, inbound: &InboundSender, what: &str, payload: Bytes) -> Result<(), SourceError> {
        let topic = format!("{TOPIC}{}/{what}", self.name).into();
        let sender = Some(format!("hikvision:{}", self.name).into());
        let message = Inbound { topic, payload, retained: false, qos: 1, sender, ack: Ack::none() };
        inbound.send(message).await.map_err(|_| SourceError::Stopped)
    }
}

fn is_heartbeat(part: &[u8]) -> bool {
    let text = String::from_utf8_lossy(part);
    let text = text.to_ascii_lowercase();
    text.contains("<eventtype>heartbeat<") || (text.contains("<eventtype>videoloss<") && text.contains("<eventstate>inactive<"))
}
