//! InfluxDB v2: `POST <url>/api/v2/write` with line protocol. A point is known by series and time, so a repeat does no harm. One bad line
//! makes the server refuse (or partly write) a batch; the scheduler then halves it until the line stands alone.
use super::http;
use super::{InfluxConfig, SendError, Sent, Sink, SinkError, Unsayable};
use crate::deliver::batch::Batch;
use crate::deliver::directory::Directory;
use crate::deliver::line::{self, Origin};
use crate::deliver::log::Record;
use crate::deliver::secret::Secret;
use crate::engine::Body;
use crate::store::Lane;
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

pub const NAME: &str = "influx";

pub struct Influx {
    transport: Transport,
    org: String,
    bucket: String,
    measurement: String,
    token: Secret,
    directory: watch::Receiver<Arc<Directory>>,
    /// It has taken lines before: then it is a line, not the address, that it refuses.
    proven: AtomicBool,
}

enum Transport {
    /// The client crate, for plain http at the root of a host: it speaks no TLS here and drops a path.
    Plain(influxdb2::Client),
    Direct(Client, Url),
}

/// Answer of `influxd` to a bad write.
#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    line: Option<usize>,
    /// Every InfluxDB complaint has one; a proxy's does not.
    #[allow(dead_code)]
    code: String,
}

impl Influx {
    pub fn new(config: &InfluxConfig, directory: watch::Receiver<Arc<Directory>>) -> Result<Self, SinkError> {
        line::check_measurement(&config.measurement).map_err(|e| SinkError { sink: NAME, field: "measurement", problem: e.to_string() })?;
        let mut url = http::endpoint(NAME, &config.url, "api/v2/write")?;
        let authorization = http::authorization(NAME, "Token", &config.token)?;
        let transport = if url.scheme() == "http" && url.path() == "/api/v2/write" {
            // The address has been checked: on a bad one this crate panics.
            let client = influxdb2::ClientBuilder::new(url.origin().ascii_serialization(), &config.org, config.token.expose()).build();
            Transport::Plain(client.map_err(|e| SinkError { sink: NAME, field: "url", problem: http::chain(&e) })?)
        } else {
            url.query_pairs_mut().append_pair("bucket", &config.bucket).append_pair("org", &config.org).append_pair("precision", "ns");
            Transport::Direct(http::client(NAME, authorization)?, url)
        };
        let InfluxConfig { org, bucket, measurement, token, .. } = config.clone();
        Ok(Self { transport, org, bucket, measurement, token, directory, proven: AtomicBool::new(false) })
    }

    async fn write(&self, lines: Bytes) -> Result<(), SendError> {
        match &self.transport {
            Transport::Plain(client) => {
                let write = client.write_line_protocol(&self.org, &self.bucket, lines);
                match tokio::time::timeout(http::TIMEOUT, write).await {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(influxdb2::RequestError::Http { status, text })) => Err(self.refusal(status.as_u16(), &text, None)),
                    Ok(Err(e)) => Err(SendError::Retry { reason: self.token.redact(&http::chain(&e)), after: None }),
                    Err(_) => Err(SendError::Retry { reason: format!("no answer within {} s", http::TIMEOUT.as_secs()), after: None }),
                }
            }
            Transport::Direct(client, url) => {
                let request = client.post(url.clone()).header(CONTENT_TYPE, "text/plain; charset=utf-8").body(lines);
                let response = request.send().await.map_err(http::unreached)?;
                let (status, after) = (response.status(), http::retry_after(response.headers()));
                let body = http::body(response).await?;
                if status.is_success() { Ok(()) } else { Err(self.refusal(status.as_u16(), &String::from_utf8_lossy(&body), after)) }
            }
        }
    }

    fn refusal(&self, status: u16, text: &str, after: Option<std::time::Duration>) -> SendError {
        match http::refusal(status, text, after, &self.token) {
            SendError::Poison { reason, .. } => match serde_json::from_str::<Complaint>(text) {
                // Lines are counted from 1. It is a hint only: the line is not given up before it was refused alone.
                Ok(complaint) => SendError::Poison { index: complaint.line.and_then(|l| l.checked_sub(1)), reason },
                Err(_) if self.proven.load(Ordering::Relaxed) => SendError::Poison { index: None, reason },
                // Whatever answers there may not be an InfluxDB: nothing is given up for its word.
                Err(_) => SendError::Refused { reason: format!("{reason} (is there an InfluxDB v2 API at this url?)") },
            },
            other => other,
        }
    }
}

#[async_trait]
impl Sink for Influx {
    fn name(&self) -> &'static str {
        NAME
    }
    fn lanes(&self) -> &'static [Lane] {
        &[Lane::Metrics]
    }
    fn encode(&self, record: Record<'_>, to: &mut Vec<u8>) -> Result<(), Unsayable> {
        let Record::Entry { entry, utc_ms } = record else { return Ok(()) };
        let Body::Message(message) = &entry.body else { return Ok(()) };
        let directory = self.directory.borrow();
        let origin = Origin {
            measurement: &self.measurement,
            site: directory.site.as_str(),
            zone: directory.zone_of(&message.device).map(|z| z.as_str()),
            position: entry.position,
            arrived: utc_ms,
        };
        line::encode(&origin, message, to)
    }
    async fn send(&self, _lane: Lane, batch: &Batch) -> Result<Sent, SendError> {
        self.write(batch.bytes()).await?;
        self.proven.store(true, Ordering::Relaxed);
        Ok(Sent::default())
    }
}
