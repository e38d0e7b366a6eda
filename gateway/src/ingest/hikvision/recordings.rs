//! Whether a recorder has recorded: its own list of recordings (ISAPI `ContentMgmt/search`), asked every few minutes, held against the time that has passed.
//!
//! That a recorder says of itself that it is well proves nothing; that the recording of ten minutes ago is on its disk does. Every channel that is to be
//! recorded is told of each time on `hikvision/<name>/recording`. When the list cannot be had nothing is said, and the channel falls silent, which has a
//! rule and a cause of its own.
//!
//! All times are by the recorder's clock, so that a clock that is wrong here or there makes no gap. The interface has times end with `Z`, and older
//! devices mean their local time by that: a device that has recordings of the future does ([`Zone`]).
use super::{ANSWER, Source, SourceError};
use crate::decode::scalar::iso8601;
use crate::ingest::InboundSender;
use reqwest::Client;
use roxmltree::{Document, Node};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

const TIME: &str = "/ISAPI/System/time";
const SEARCH: &str = "/ISAPI/ContentMgmt/search";
/// Between two looks.
pub const EVERY: Duration = Duration::from_secs(300);
/// What is younger may not be on the list yet.
const LAG: i64 = 120_000;
/// Between two files of one recording some frames may be missing; shorter than this is no gap.
const SLACK: i64 = 10_000;
/// After an outage so much is looked at.
const LONGEST: i64 = 86_400_000;
/// Files on one page of the list, and pages at most: a day of files of a minute each.
const PAGE: usize = 100;
const PAGES: usize = 16;

/// How a device means the times of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    Utc,
    /// As local time so many milliseconds east of UTC, though they end with `Z`.
    Local(i64),
}

impl Zone {
    fn write(self, utc: i64) -> Option<String> {
        let shown = match self {
            Zone::Utc => utc,
            Zone::Local(offset) => utc.saturating_add(offset),
        };
        let t = OffsetDateTime::from_unix_timestamp(shown.div_euclid(1000)).ok()?;
        let (month, day) = (u8::from(t.month()), t.day());
        Some(format!("{:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", t.year(), t.hour(), t.minute(), t.second()))
    }
    fn read(self, text: &str) -> Option<i64> {
        let shown = iso8601(text.trim())?;
        Some(match self {
            Zone::Utc => shown,
            // Whatever it ends with.
            Zone::Local(offset) => shown.saturating_sub(offset),
        })
    }
}

/// From when to when, UTC milliseconds.
type Span = (i64, i64);

/// What of a stretch no recording covers.
fn gaps(mut recorded: Vec<Span>, (from, to): Span) -> Vec<Span> {
    recorded.sort_unstable();
    let (mut gaps, mut covered) = (Vec::new(), from);
    for (begin, end) in recorded {
        if begin.min(to) - covered > SLACK {
            gaps.push((covered, begin.min(to)));
        }
        covered = covered.max(end);
    }
    if to - covered > SLACK {
        gaps.push((covered, to));
    }
    gaps
}

/// What is remembered between two looks.
#[derive(Default)]
struct Looked {
    zone: Option<Zone>,
    /// By channel: up to when.
    to: BTreeMap<u32, i64>,
}

impl Source {
    /// Until `shutdown`: looks, tells, waits. Ends at once when no channel is to be looked at.
    pub async fn watch_recordings(self, inbound: InboundSender, shutdown: CancellationToken) {
        let (mut looked, mut last) = (Looked::default(), String::new());
        if self.recordings.is_empty() {
            return;
        }
        loop {
            let round = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                round = self.look(&inbound, &mut looked) => round,
            };
            let text = match round {
                Ok(()) => String::new(),
                Err(SourceError::Stopped) => return,
                Err(e) => e.to_string(),
            };
            if text != last && !text.is_empty() {
                tracing::warn!(source = %self.name, "hikvision: what was recorded is not known: {text}");
            }
            last = text;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Looks once, at each channel.
    async fn look(&self, inbound: &InboundSender, looked: &mut Looked) -> Result<(), SourceError> {
        let client = self.client()?;
        let time = self.get(&client, TIME).await?;
        let (now, offset) = device_time(&self.text(time).await?)?;
        let zone = match (looked.zone, self.recordings.first()) {
            (Some(zone), _) => zone,
            // Local times are later there: what a search finds in the time to come was recorded by such a clock.
            (None, Some(channel)) if offset > 0 => {
                let ahead = self.recorded(&client, *channel, Zone::Utc, (now + 60_000, now + offset)).await?;
                if ahead.is_empty() { Zone::Utc } else { Zone::Local(offset) }
            }
            (None, _) => Zone::Utc,
        };
        looked.zone = Some(zone);
        let to = now - LAG;
        for channel in &self.recordings {
            let every = i64::try_from(EVERY.as_millis()).unwrap_or(i64::MAX);
            // A clock that was set back begins anew.
            let from = looked.to.get(channel).copied().filter(|f| *f < to).unwrap_or(to - every).max(to - LONGEST);
            let gaps = gaps(self.recorded(&client, *channel, zone, (from, to)).await?, (from, to));
            for (a, b) in &gaps {
                tracing::warn!(source = %self.name, channel, "hikvision: nothing was recorded for {} s", (b - a) / 1000);
            }
            let told = json!({"channel": channel, "from": from, "to": to, "gaps": gaps});
            self.say(inbound, "recording", told.to_string().into()).await?;
            looked.to.insert(*channel, to);
        }
        Ok(())
    }

    /// The recordings of a channel's main stream that touch a stretch of time.
    async fn recorded(&self, client: &Client, channel: u32, zone: Zone, span: Span) -> Result<Vec<Span>, SourceError> {
        let mut found = Vec::new();
        for page in 0..PAGES {
            let request =
                request(channel, zone, span, page * PAGE).ok_or_else(|| SourceError::Content("its clock is out of range".to_owned()))?;
            let answer = self.ask(client, SEARCH, Some(&request)).await?;
            let (spans, more) = result(&self.text(answer).await?, zone)?;
            let none = spans.is_empty();
            found.extend(spans);
            if !more || none {
                return Ok(found);
            }
        }
        Err(SourceError::Content(format!("more than {} files for one stretch of time", PAGE * PAGES)))
    }

    async fn text(&self, response: reqwest::Response) -> Result<String, SourceError> {
        let body = tokio::time::timeout(ANSWER, self.body(response)).await.map_err(|_| SourceError::Stalled(ANSWER))??;
        String::from_utf8(body).map_err(|_| SourceError::Content("the answer is not UTF-8".to_owned()))
    }
}

fn request(channel: u32, zone: Zone, (from, to): Span, position: usize) -> Option<String> {
    let (from, to) = (zone.write(from)?, zone.write(to)?);
    let id = uuid();
    // "Postion" is how the interface spells it.
    Some(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CMSearchDescription version=\"1.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\">\
         <searchID>{id}</searchID><trackList><trackID>{channel}01</trackID></trackList>\
         <timeSpanList><timeSpan><startTime>{from}</startTime><endTime>{to}</endTime></timeSpan></timeSpanList>\
         <maxResults>{PAGE}</maxResults><searchResultPostion>{position}</searchResultPostion>\
         <metadataList><metadataDescriptor>//recordType.meta.std-cgi.com</metadataDescriptor></metadataList></CMSearchDescription>"
    ))
}

/// Of a search, so that the device tells it from others.
fn uuid() -> String {
    let mut hex = hex::encode(rand::random::<[u8; 16]>());
    for at in [20, 16, 12, 8] {
        hex.insert(at, '-');
    }
    hex
}

fn document(text: &str) -> Result<Document<'_>, SourceError> {
    // Without a document type definition, so nothing in it can be expanded.
    Document::parse(text.trim_start()).map_err(|e| SourceError::Content(format!("the answer is no XML: {e}")))
}

fn field<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.children().find(|c| c.tag_name().name() == name)?.text().map(str::trim)
}

/// The device's time, and by how much its local time is ahead of UTC; both in milliseconds.
fn device_time(text: &str) -> Result<(i64, i64), SourceError> {
    let document = document(text)?;
    let local =
        field(document.root_element(), "localTime").ok_or_else(|| SourceError::Content("the device does not tell its time".to_owned()))?;
    let (utc, naive) = (iso8601(local), local.get(..19).and_then(|t| iso8601(&format!("{t}Z"))));
    let (Some(utc), Some(naive)) = (utc, naive) else {
        return Err(SourceError::Content(format!("the device's time {:?} is none", local.chars().take(40).collect::<String>())));
    };
    Ok((utc, naive.saturating_sub(utc.div_euclid(1000).saturating_mul(1000))))
}

/// The stretches on a page of the list, and whether there are further pages.
fn result(text: &str, zone: Zone) -> Result<(Vec<Span>, bool), SourceError> {
    let document = document(text)?;
    let root = document.root_element();
    if root.tag_name().name() != "CMSearchResult" {
        return Err(SourceError::Content(format!("the answer to a search is a {:?}", root.tag_name().name())));
    }
    let status = field(root, "responseStatusStrg").unwrap_or_default().to_ascii_uppercase();
    if !matches!(status.as_str(), "OK" | "MORE" | "NO MATCHES") {
        return Err(SourceError::Content(format!("a search is answered {:?}", status.chars().take(40).collect::<String>())));
    }
    let spans = root.descendants().filter(|n| n.tag_name().name() == "timeSpan").map(|n| {
        let at = |name| field(n, name).and_then(|t| zone.read(t));
        at("startTime").zip(at("endTime")).filter(|(a, b)| a <= b)
    });
    let spans: Option<Vec<Span>> = spans.collect();
    let spans = spans.ok_or_else(|| SourceError::Content("a recording without a time".to_owned()))?;
    Ok((spans, status == "MORE"))
}

#[cfg(test)]
mod double;

#[cfg(test)]
mod tests {
    use super::double::Recorder;
    use super::*;
    use crate::config::Secret;
    use tokio::sync::mpsc;

    const MINUTE: i64 = 60_000;

    async fn look(recorder: &Recorder, looked: &mut Looked, channels: &[u32]) -> Result<Vec<serde_json::Value>, SourceError> {
        let source = Source {
            name: "nvr".into(),
            url: recorder.url.clone(),
            user: double::USER.into(),
            password: Secret::new(double::PASSWORD),
            certificate: None,
            stall: ANSWER,
            recordings: channels.to_vec(),
        };
        let (tx, mut rx) = mpsc::channel(16);
        source.look(&tx, looked).await?;
        drop(tx);
        let mut told = Vec::new();
        while let Some(m) = rx.recv().await {
            assert_eq!(&*m.topic, "hikvision/nvr/recording");
            told.push(serde_json::from_slice(&m.payload).unwrap());
        }
        Ok(told)
    }

    /// A device that means UTC by its `Z`, and one that means its local time.
    #[tokio::test]
    async fn a_recorder_that_stopped_for_a_while_is_found_out_by_its_own_list() {
        for local in [false, true] {
            let recorder = Recorder::start(local).await;
            let now = recorder.now();
            // Files of five minutes for nine hours; channel 2 stopped for a minute, channel 3 has none of the last hour.
            let files = |until: i64| (0..108).map(move |n| (until - (n + 1) * 5 * MINUTE, until - n * 5 * MINUTE)).collect::<Vec<_>>();
            recorder.record(101, files(now));
            recorder.record(
                201,
                files(now).into_iter().filter(|f| f.0 != now - 10 * MINUTE).chain([(now - 10 * MINUTE, now - 6 * MINUTE)]).collect(),
            );
            recorder.record(301, files(now - 60 * MINUTE));
            let mut looked = Looked::default();
            let told = look(&recorder, &mut looked, &[1, 2, 3]).await.unwrap();
            let to = now - LAG;
            assert_eq!(told[0], json!({"channel": 1, "from": to - 5 * MINUTE, "to": to, "gaps": []}), "local: {local}");
            assert_eq!(told[1]["gaps"], json!([[now - 6 * MINUTE, now - 5 * MINUTE]]));
            assert_eq!(told[2]["gaps"], json!([[to - 5 * MINUTE, to]]));
            assert_eq!(looked.zone, Some(if local { Zone::Local(8 * 60 * MINUTE) } else { Zone::Utc }));

            // An hour without a look, in files of fifteen seconds: three pages of the list, and one file is missing.
            recorder.pass(60 * MINUTE);
            let now = recorder.now();
            recorder.record(101, (0..250).filter(|n| *n != 100).map(|n| (now - (n + 1) * 15_000, now - n * 15_000)).collect());
            let told = look(&recorder, &mut looked, &[1]).await.unwrap();
            assert_eq!(told[0]["gaps"], json!([[now - 101 * 15_000, now - 100 * 15_000]]));
            assert_eq!(told[0]["from"], json!(to), "it goes on where it has looked last");
            assert!(recorder.searches() >= 6);
        }
    }

    #[tokio::test]
    async fn a_recorder_that_gives_no_list_says_nothing() {
        let recorder = Recorder::start(false).await;
        recorder.refuse("503 Service Unavailable");
        let failed = look(&recorder, &mut Looked::default(), &[1]).await;
        assert!(matches!(failed, Err(SourceError::Status(_))), "{failed:?}");
    }

    #[test]
    fn only_what_no_file_covers_is_a_gap() {
        let s = |n: i64| n * 1000;
        let all = (s(0), s(300));
        assert_eq!(gaps(vec![(s(-50), s(900))], all), []);
        assert_eq!(gaps(vec![(s(0), s(100)), (s(105), s(300))], all), [], "files are cut with a second between them");
        assert_eq!(gaps(vec![(s(160), s(300)), (s(0), s(100)), (s(20), s(60))], all), [(s(100), s(160))], "in whatever order");
        assert_eq!(gaps(Vec::new(), all), [all]);
        assert_eq!(gaps(vec![(s(0), s(200))], all), [(s(200), s(300))]);
        assert_eq!(gaps(vec![(s(400), s(500))], all), [all], "what comes later covers nothing");
    }

    #[test]
    fn times_are_read_as_the_device_means_them() {
        let china = 8 * 3_600_000;
        let noon = iso8601("2026-11-22T12:00:00+08:00").unwrap();
        assert_eq!(
            device_time("<Time><timeMode>NTP</timeMode><localTime>2026-11-22T12:00:00+08:00</localTime></Time>").unwrap(),
            (noon, china)
        );
        assert_eq!(Zone::Utc.write(noon).unwrap(), "2026-11-22T04:00:00Z");
        assert_eq!(Zone::Local(china).write(noon).unwrap(), "2026-11-22T12:00:00Z");
        for zone in [Zone::Utc, Zone::Local(china)] {
            assert_eq!(zone.read(&zone.write(noon).unwrap()), Some(noon));
        }
        for wrong in ["<Time/>", "<Time><localTime>noon</localTime></Time>", "<!DOCTYPE x [<!ENTITY a 'b'>]><Time/>", "{"] {
            assert!(device_time(wrong).is_err(), "{wrong}");
        }
        assert!(result("<CMSearchResult><responseStatusStrg>FAILED</responseStatusStrg></CMSearchResult>", Zone::Utc).is_err());
        assert!(result("<ResponseStatus/>", Zone::Utc).is_err());
    }
}
