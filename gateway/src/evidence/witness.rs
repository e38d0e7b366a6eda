//! The log's head to the district, which countersigns it: from then on nobody at the nursery can take back or change what was in it.
//!
//! A head is signed when the log has grown, at most one a minute; with it goes the proof that the log only grew since the head which the district saw last.
//! What the district has countersigned is kept. When it refuses (the log was changed, or belongs to another key), that is said once and stays to be seen;
//! nothing else stops for it.
use crate::clock::Clock;
use crate::deliver::PlatformConfig;
use crate::deliver::sinks::{SendError, SinkError, http};
use crate::store::{Committed, Ops, Reader, StoreError};
use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tuoan_evidence::{Countersignature, Proof, SignedHead, SigningKey, Submission, tree};

/// The name under which the newest countersigned head is kept.
pub const KEPT: &str = "witness";
/// Between two heads.
pub const EVERY: Duration = Duration::from_secs(60);
/// A platform that knows nothing of heads is asked again after this.
const UNKNOWN: Duration = Duration::from_secs(3600);

/// What the district says to a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Countersigned(Countersignature),
    /// The proof must begin with the head of so many records.
    Behind(u64),
    /// It does not go on from what was seen before: why.
    Refused(String),
    /// It is a receiver that keeps no heads.
    Unknown,
    /// It cannot be reached now.
    Later(String),
}

/// Who countersigns.
#[async_trait]
pub trait District: Send + Sync {
    async fn submit(&self, head: &Submission) -> Answer;
}

/// What became of the last head; for pages and the doctor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WitnessState {
    /// Records in the newest head that is countersigned, and when that was (UTC milliseconds, the district's clock).
    pub seen: Option<(u64, i64)>,
    /// Why the district refuses the log.
    pub refused: Option<String>,
}

pub struct Witness {
    pub reader: Reader,
    pub ops: Ops,
    pub committed: watch::Receiver<Committed>,
    pub key: SigningKey,
    /// Ids of the site and of its log.
    pub site: String,
    pub log: String,
    pub clock: Clock,
    pub state: Arc<Mutex<WitnessState>>,
    pub shutdown: CancellationToken,
}

impl Witness {
    pub async fn run<D: District + 'static>(mut self, district: D) {
        self.remember().await;
        loop {
            let pause = match self.round(&district).await {
                Ok(pause) => pause,
                Err(e) => {
                    tracing::warn!("the log's head is not signed: {e}");
                    EVERY
                }
            };
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                changed = self.committed.changed() => if changed.is_err() { return },
            }
        }
    }

    /// What was countersigned before this start.
    async fn remember(&self) {
        let (reader, log) = (self.reader.clone(), self.log.clone());
        let kept = tokio::task::spawn_blocking(move || super::export::witnessed(&reader)).await;
        if let Ok(Ok(Some((head, c)))) = kept
            && head.log == log
        {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).seen = Some((head.size, c.time));
        }
    }

    /// Tells the district of the newest head, if there is a newer one than it has seen. How long to wait until the next.
    async fn round(&self, district: &dyn District) -> Result<Duration, StoreError> {
        let mut from = None;
        // The second time with the proof that was asked for.
        for _ in 0..2 {
            let Some(submission) = self.submission(from).await? else { return Ok(EVERY) };
            let head = &submission.head;
            match district.submit(&submission).await {
                Answer::Countersigned(c) if c.holds(head) => {
                    self.countersigned(head, c);
                    return Ok(EVERY);
                }
                Answer::Countersigned(_) => {
                    self.refused("the countersignature does not hold; is this the district's platform?".to_owned());
                    return Ok(EVERY);
                }
                Answer::Behind(known) if from.is_none() && known < head.size => from = Some(known),
                Answer::Behind(known) => {
                    self.refused(format!("the district has seen {known} records, this log has {}", head.size));
                    return Ok(EVERY);
                }
                Answer::Refused(why) => {
                    self.refused(why);
                    return Ok(EVERY);
                }
                Answer::Unknown => return Ok(UNKNOWN),
                Answer::Later(why) => {
                    tracing::debug!("the log's head was not sent: {why}");
                    return Ok(EVERY);
                }
            }
        }
        Ok(EVERY)
    }

    /// The newest head with the proof from `from`, or from what was countersigned last; `None` when that is the newest.
    async fn submission(&self, from: Option<u64>) -> Result<Option<Submission>, StoreError> {
        let (reader, key, site, log) = (self.reader.clone(), self.key.clone(), self.site.clone(), self.log.clone());
        let now = self.clock.utc_ms();
        let made = tokio::task::spawn_blocking(move || {
            let size = reader.tree_size()?;
            let seen = super::export::witnessed(&reader)?.filter(|(h, _)| h.log == log).map_or(0, |(h, _)| h.size);
            if size == 0 || (from.is_none() && size == seen) {
                return Ok(None);
            }
            let from = from.unwrap_or(seen);
            let proof = if from == 0 || from > size { Vec::new() } else { tree::consistency(&reader, from, size)? };
            let head = SignedHead::sign(&key, &site, &log, size, tree::root(&reader, size)?, now);
            Ok(Some(Submission { head, from, proof: Proof(proof) }))
        });
        made.await.unwrap_or_else(|e| Err(StoreError::Record { path: self.reader.path().to_owned(), detail: e.to_string() }))
    }

    fn countersigned(&self, head: &SignedHead, c: Countersignature) {
        let seen = Some((head.size, c.time));
        // Said again after a crash: nothing is lost by it.
        if let Ok(bytes) = serde_json::to_vec(&(head, &c))
            && let Err(e) = self.ops.keep(KEPT, bytes)
        {
            tracing::warn!("the district's countersignature is not kept: {e}");
        }
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = WitnessState { seen, refused: None };
    }

    fn refused(&self, why: String) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.refused.as_ref() != Some(&why) {
            tracing::error!("the district does not countersign this log: {why}");
            state.refused = Some(why);
        }
    }
}

/// The platform: `POST <url>/v1/heads`.
pub struct Http {
    client: Client,
    heads: Url,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
    #[serde(default)]
    known: Option<u64>,
}

impl Http {
    /// # Errors
    /// Address or token cannot be used.
    pub fn new(config: &PlatformConfig) -> Result<Http, SinkError> {
        let heads = http::endpoint("platform", &config.url, "v1/heads")?;
        Ok(Http { client: http::client("platform", http::authorization("platform", "Bearer", &config.token)?)?, heads })
    }
}

#[async_trait]
impl District for Http {
    async fn submit(&self, head: &Submission) -> Answer {
        let Ok(body) = serde_json::to_vec(head) else { return Answer::Later("the head cannot be written".to_owned()) };
        let asked = self.client.post(self.heads.clone()).header(CONTENT_TYPE, "application/json").body(body).send().await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(e) => return Answer::Later(e.without_url().to_string()),
        };
        let status = answer.status();
        let body = match http::body(answer).await {
            Ok(body) => body,
            Err(SendError::Retry { reason, .. }) => return Answer::Later(reason),
            Err(_) => return Answer::Later("the answer cannot be read".to_owned()),
        };
        match status {
            s if s.is_success() => match serde_json::from_slice(&body) {
                Ok(c) => Answer::Countersigned(c),
                Err(_) => Answer::Unknown,
            },
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Answer::Unknown,
            StatusCode::CONFLICT => match serde_json::from_slice::<Refusal>(&body) {
                Ok(Refusal { known: Some(known), .. }) => Answer::Behind(known),
                Ok(r) => Answer::Refused(r.message.chars().filter(|c| !c.is_control()).take(300).collect()),
                Err(_) => Answer::Refused("it gave no reason".to_owned()),
            },
            s => Answer::Later(s.to_string()),
        }
    }
}
