//! The district platform: `POST <url>/v1/events`, a CloudEvents batch. It knows an event by its id, so a repeat is answered `duplicate` and
//! does no harm, and it answers for each event by itself: one that it cannot take never fails the others.
use super::http;
use super::{Absent, Heartbeat, PlatformConfig, Receipt, Rejection, SendError, Sent, Sink, SinkError, Unsayable};
use crate::deliver::batch::Batch;
use crate::deliver::cloudevent;
use crate::deliver::directory::Directory;
use crate::deliver::log::Record;
use crate::deliver::secret::Secret;
use crate::engine::LedgerDay;
use crate::store::Lane;
use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::watch;
use tuoan_protocol::Exercise;

pub const NAME: &str = "platform";
/// All that the district learns of a test of commissioning.
const TEST: &str = "commissioning";

pub struct Platform {
    client: Client,
    events: Url,
    token: Secret,
    receipts: bool,
    directory: watch::Receiver<Arc<Directory>>,
}

/// The platform's answer. Fields that a newer platform adds are ignored.
#[derive(Deserialize)]
struct Answer {
    receipts: Vec<EventAnswer>,
    /// Ranges of sequences that the platform has not seen; it asks for them in its own way.
    #[serde(default)]
    gaps: Vec<(u64, u64)>,
}

#[derive(Deserialize)]
struct EventAnswer {
    id: String,
    status: Status,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    receipt: Option<String>,
    #[serde(default)]
    received_at: Option<i64>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Status {
    Accepted,
    /// It had it already.
    Duplicate,
    /// It holds something else under this id or sequence.
    Conflict,
    /// It will never take it.
    Rejected,
}

impl Platform {
    pub fn new(config: &PlatformConfig, directory: watch::Receiver<Arc<Directory>>) -> Result<Self, SinkError> {
        let events = http::endpoint(NAME, &config.url, "v1/events")?;
        let client = http::client(NAME, http::authorization(NAME, "Bearer", &config.token)?)?;
        Ok(Self { client, events, token: config.token.clone(), receipts: config.receipts, directory })
    }

    fn directory(&self) -> Arc<Directory> {
        self.directory.borrow().clone()
    }

    /// Sends events, each with a comma behind it; what was said of them, or `None` by a receiver that gives no receipts.
    async fn post(&self, events: &[u8]) -> Result<Option<Answer>, SendError> {
        let events = events.strip_suffix(b",").unwrap_or(events);
        let body = [b"[", events, b"]"].concat();
        let request = self.client.post(self.events.clone()).header(CONTENT_TYPE, cloudevent::BATCH_TYPE).body(body);
        let response = request.send().await.map_err(http::unreached)?;
        let (status, after) = (response.status(), http::retry_after(response.headers()));
        let body = http::body(response).await?;
        if !self.receipts && status.is_success() {
            return Ok(None);
        }
        if status != reqwest::StatusCode::OK {
            return Err(http::refusal(status.as_u16(), &String::from_utf8_lossy(&body), after, &self.token));
        }
        serde_json::from_slice(&body)
            .map(Some)
            .map_err(|e| SendError::Retry { reason: format!("the answer is not a platform's: {e}"), after: None })
    }
}

#[async_trait]
impl Sink for Platform {
    fn name(&self) -> &'static str {
        NAME
    }
    fn lanes(&self) -> &'static [Lane] {
        &[Lane::Alerts]
    }
    fn encode(&self, record: Record<'_>, to: &mut Vec<u8>) -> Result<(), Unsayable> {
        match record {
            // Tests stay in the house: the district is told that this number was one, so that it misses nothing.
            Record::Event { event, unrecorded } if event.exercise == Some(Exercise::Commissioning) => {
                let absent = Absent { sequence: event.sequence, id: Some(&event.id), at: event.at, reason: TEST };
                if unrecorded { Ok(()) } else { cloudevent::tombstone(absent, &self.directory(), to) }
            }
            Record::Event { event, unrecorded } => cloudevent::incident(event, &self.directory(), unrecorded, to),
            Record::Entry { .. } => Ok(()),
        }
    }
    fn tombstone(&self, absent: Absent<'_>, to: &mut Vec<u8>) {
        let directory = self.directory();
        // Only its time could be unsayable; then the tombstone says 1970.
        if cloudevent::tombstone(absent, &directory, to).is_err()
            && let Err(e) = cloudevent::tombstone(Absent { at: 0, ..absent }, &directory, to)
        {
            tracing::error!(sequence = absent.sequence, error = %e, "no tombstone can be written");
        }
    }
    async fn send(&self, _lane: Lane, batch: &Batch) -> Result<Sent, SendError> {
        let Some(answer) = self.post(&batch.bytes()).await? else { return Ok(Sent::default()) };
        if !answer.gaps.is_empty() {
            tracing::debug!(gaps = ?answer.gaps.iter().take(5).collect::<Vec<_>>(), "the platform misses events");
        }
        let wrong = |what: String| SendError::Retry { reason: format!("the platform's answer {what}"), after: None };
        if answer.receipts.len() != batch.len() {
            return Err(wrong(format!("holds {} receipts for {} events", answer.receipts.len(), batch.len())));
        }
        let mut sent = Sent::default();
        for (index, (said, parcel)) in answer.receipts.into_iter().zip(batch.parcels()).enumerate() {
            // An event that could not be read at all may be answered without its id.
            if said.status != Status::Rejected && parcel.id.as_ref().is_some_and(|id| id.as_str() != said.id) {
                return Err(wrong(format!("names {:?} where {:?} was sent", http::excerpt(&said.id, &self.token), parcel.id)));
            }
            let reason = |default: &str| said.reason.as_deref().map_or(default.to_owned(), |r| http::excerpt(r, &self.token));
            match said.status {
                Status::Accepted | Status::Duplicate => {
                    sent.receipts.push(Receipt {
                        index,
                        receipt: said.receipt.unwrap_or_default(),
                        received_at: said.received_at.unwrap_or(0),
                    });
                }
                Status::Conflict => {
                    let reason = format!("conflict: {}", reason("the platform holds another event in its place"));
                    sent.rejected.push(Rejection { index, reason, held: true });
                }
                Status::Rejected => {
                    let reason = format!("rejected: {}", reason("no reason given"));
                    sent.rejected.push(Rejection { index, reason, held: false });
                }
            }
        }
        Ok(sent)
    }
    async fn heartbeat(&self, beat: &Heartbeat) -> Result<(), SendError> {
        let mut event = Vec::new();
        if cloudevent::heartbeat(beat, &self.directory(), &mut event).is_ok() {
            self.post(&event).await?;
        }
        Ok(())
    }
    async fn coverage_day(&self, day: &LedgerDay) -> Result<(), SendError> {
        let mut event = Vec::new();
        let refused = |reason: String| SendError::Refused { reason };
        cloudevent::coverage_day(day, &self.directory(), &mut event).map_err(|e| refused(e.to_string()))?;
        let Some(answer) = self.post(&event).await? else { return Ok(()) };
        match answer.receipts.as_slice() {
            [said] if said.status != Status::Rejected => Ok(()),
            // A platform that is older than this gateway does not know of such days yet.
            [said] => Err(refused(format!("rejected: {}", http::excerpt(said.reason.as_deref().unwrap_or_default(), &self.token)))),
            _ => Err(SendError::Retry { reason: "the platform's answer holds no receipt for the day".to_owned(), after: None }),
        }
    }
}
