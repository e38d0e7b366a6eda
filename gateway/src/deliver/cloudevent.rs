//! CloudEvents 1.0 in JSON, as the platform's `POST /v1/events` takes them. Each event is written with a comma behind it, so that a batch
//! is any run of them in brackets without the last comma.
use super::directory::{Bilingual, Directory, RuleText};
use super::sinks::{Absent, Heartbeat, Unsayable};
use crate::engine::LedgerDay;
use crate::engine::schedule::date_of;
use serde::Serialize;
use std::io::Write as _;
use time::OffsetDateTime;
use tuoan_protocol::codec::Wire;
use tuoan_protocol::ledger::Day;
use tuoan_protocol::{IncidentEvent, LogId, SiteId};

/// Media type of a batch.
pub const BATCH_TYPE: &str = "application/cloudevents-batch+json";

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: String,
    datacontenttype: &'static str,
    /// CloudEvents' sequence extension: a string; `sequencetype` says how to compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequencetype: Option<&'static str>,
}

impl<'a> Envelope<'a> {
    fn new(site: &SiteId, log: &LogId, id: &'a str, kind: &'a str, at: i64, sequence: Option<u64>) -> Result<Self, Unsayable> {
        Ok(Self {
            specversion: "1.0",
            id,
            source: format!("/sites/{site}/logs/{log}"),
            kind,
            subject: None,
            time: rfc3339(at)?,
            datacontenttype: "application/json",
            sequence: sequence.map(|s| s.to_string()),
            sequencetype: sequence.map(|_| "Integer"),
        })
    }
}

/// An incident event with the names and texts that a person needs.
pub fn incident(event: &IncidentEvent, directory: &Directory, unrecorded: bool, to: &mut Vec<u8>) -> Result<(), Unsayable> {
    #[derive(Serialize)]
    struct Data<'a> {
        place_name: &'a str,
        title: &'a Bilingual,
        advice: &'a Bilingual,
        clause: &'a str,
        duty: &'a [String],
        unrecorded: bool,
    }
    let kind = format!("cn.tuoan.incident.{}.v1", event.transition.name());
    let mut envelope = Envelope::new(&event.site, &event.log, event.id.as_str(), &kind, event.at, Some(event.sequence))?;
    envelope.subject = Some(event.incident.as_str());
    // A rule that is gone from the packs still has an event to tell: the hazard's id stands in for its title.
    let unknown = || {
        let title = Bilingual { zh: event.hazard.as_str().into(), en: event.hazard.as_str().into() };
        RuleText { title, ..RuleText::default() }
    };
    let gone;
    let text = match directory.rule(&event.rule) {
        Some(text) => text,
        None => {
            gone = unknown();
            &gone
        }
    };
    let data = Data {
        place_name: directory.zone_name(&event.place.zone),
        title: &text.title,
        advice: &text.advice,
        clause: &text.clause,
        duty: &text.duty,
        unrecorded,
    };
    open(&envelope, to)?;
    to.extend_from_slice(b"{\"event\":");
    to.extend_from_slice(event.to_json().as_bytes());
    to.push(b',');
    members(&data, to)?;
    to.extend_from_slice(b"}},");
    Ok(())
}

/// What stands for an event set aside, so that its sequence is no eternal gap.
pub fn tombstone(absent: Absent<'_>, directory: &Directory, to: &mut Vec<u8>) -> Result<(), Unsayable> {
    let made;
    let id = match absent.id {
        Some(id) => id.as_str(),
        None => {
            made = format!("{}-{}", directory.log, absent.sequence);
            &made
        }
    };
    let envelope = Envelope::new(&directory.site, &directory.log, id, "cn.tuoan.tombstone.v1", absent.at, Some(absent.sequence))?;
    open(&envelope, to)?;
    json(&serde_json::json!({ "reason": absent.reason }), to)?;
    to.extend_from_slice(b"},");
    Ok(())
}

/// A sign of life: outside the sequence, never repeated.
pub fn heartbeat(beat: &Heartbeat, directory: &Directory, to: &mut Vec<u8>) -> Result<(), Unsayable> {
    let id = format!("heartbeat-{}-{}", directory.log, beat.at);
    open(&Envelope::new(&directory.site, &directory.log, &id, "cn.tuoan.heartbeat.v1", beat.at, None)?, to)?;
    let data = serde_json::json!({
        "position": beat.position,
        "queue": { "alerts": beat.queue_alerts, "metrics": beat.queue_metrics },
        "healthy": beat.healthy,
        "clock_trusted": beat.clock_trusted,
    });
    json(&data, to)?;
    to.extend_from_slice(b"},");
    Ok(())
}

/// A closed day of the coverage ledger: outside the sequence, known by its log and number. The canonical bytes are the record; what stands
/// beside them is for receivers that do not read those.
pub fn coverage_day(closed: &LedgerDay, directory: &Directory, to: &mut Vec<u8>) -> Result<(), Unsayable> {
    let day = Day::from_canonical(&closed.bytes).map_err(|e| Unsayable(e.to_string()))?;
    let id = format!("coverage-{}-{}", day.log, day.number);
    let date = date_of(day.date);
    let mut envelope = Envelope::new(&day.site, &day.log, &id, "cn.tuoan.coverage.day.v1", day.closed_at, None)?;
    envelope.subject = Some(&date);
    open(&envelope, to)?;
    let longest = day.longest_gap().map(|(zone, gap)| {
        serde_json::json!({ "zone": zone.as_str(), "zone_name": directory.zone_name(zone), "from": gap.from, "minutes": gap.minutes,
                            "cause": gap.reason.cause.name() })
    });
    let data = serde_json::json!({ "date": date, "number": day.number, "minutes": day.figure(), "per_mille": day.figure().per_mille(),
                                   "longest_gap": longest, "canonical": hex::encode(&closed.bytes) });
    json(&data, to)?;
    to.extend_from_slice(b"},");
    Ok(())
}

/// The envelope up to the value of `data`.
fn open(envelope: &Envelope<'_>, to: &mut Vec<u8>) -> Result<(), Unsayable> {
    to.push(b'{');
    members(envelope, to)?;
    to.extend_from_slice(b",\"data\":");
    Ok(())
}

/// A struct's members without the braces.
fn members(value: &impl Serialize, to: &mut Vec<u8>) -> Result<(), Unsayable> {
    let text = serde_json::to_vec(value).map_err(unsayable)?;
    let inner = text.strip_prefix(b"{").and_then(|t| t.strip_suffix(b"}")).unwrap_or_default();
    to.extend_from_slice(inner);
    Ok(())
}

fn json(value: &impl Serialize, to: &mut Vec<u8>) -> Result<(), Unsayable> {
    serde_json::to_writer(to, value).map_err(unsayable)
}

fn unsayable(e: impl std::fmt::Display) -> Unsayable {
    Unsayable(format!("cannot be written as JSON: {e}"))
}

/// UTC with milliseconds, e.g. `2026-03-02T07:30:00.250Z`.
fn rfc3339(ms: i64) -> Result<String, Unsayable> {
    let t = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .ok()
        .filter(|t| (0..=9999).contains(&t.year()))
        .ok_or_else(|| Unsayable(format!("its time, {ms} ms since 1970, is no date")))?;
    let mut text = Vec::with_capacity(24);
    write!(
        text,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        t.year(),
        u8::from(t.month()),
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        t.millisecond()
    )
    .map_err(unsayable)?;
    String::from_utf8(text).map_err(unsayable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::testing::{T0, directory, event};
    use serde_json::{Value, json};
    use tuoan_protocol::RuleId;

    /// As a batch of one.
    fn parsed(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes.strip_suffix(b",").unwrap()).unwrap()
    }

    #[test]
    fn golden_incident() {
        let mut to = Vec::new();
        incident(&event(12), &directory().borrow(), false, &mut to).unwrap();
        let text = String::from_utf8(to).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"specversion":"1.0","id":"01HZY000000000000000000012","source":"/sites/xingyuan/logs/01HZY0000000000000000000LG","#,
                r#""type":"cn.tuoan.incident.opened.v1","subject":"01HZY000000000000000000001","time":"2026-03-02T07:30:00.250Z","#,
                r#""datacontenttype":"application/json","sequence":"12","sequencetype":"Integer","data":{"event":{"v":1,"#,
                r#""site":"xingyuan","institution":"community","supervisor":"health","log":"01HZY0000000000000000000LG","sequence":12,"#,
                r#""position":120,"id":"01HZY000000000000000000012","incident":"01HZY000000000000000000001","at":1772436600250,"#,
                r#""clock_trusted":true,"transition":"opened","state":{"active":true,"acknowledged":false,"closed":false},"#,
                r#""hazard":"air.co2","place":{"zone":"toddler-2"},"severity":3,"basis":"confirmed","rule":"air.co2.high","#,
                r#""trigger":{"device":"climate-2","quantity":"co2","value":2105,"device_seq":7},"activations":1,"#,
                r#""found_on_connect":false,"engine":"1.0","rules":"abababababababababababababababababababababababababababababababab"},"#,
                r#""place_name":"托小班2","title":{"zh":"二氧化碳过高","en":"CO2 too high"},"#,
                r#""advice":{"zh":"开窗通风","en":"Open the windows"},"clause":"WS/T 821-2023 5.2","duty":["health"],"unrecorded":false}},"#,
            )
        );
        // No member of an alert may be called "seq": receivers look for the number of the message under it.
        assert!(!text.contains(r#""seq""#));
    }

    #[test]
    fn a_rule_or_zone_that_is_gone_still_tells_its_event() {
        let mut e = event(1);
        e.rule = RuleId::new("gone").unwrap();
        e.place.zone = tuoan_protocol::ZoneId::new("old-room").unwrap();
        let mut to = Vec::new();
        incident(&e, &directory().borrow(), true, &mut to).unwrap();
        let data = &parsed(&to)["data"];
        assert_eq!((&data["title"]["zh"], &data["place_name"], &data["unrecorded"]), (&json!("air.co2"), &json!("old-room"), &json!(true)));
    }

    #[test]
    fn texts_are_escaped_and_impossible_times_refused() {
        let absent = Absent { sequence: 3, id: None, at: T0, reason: "a \"b\"\n\\" };
        let mut to = Vec::new();
        tombstone(absent, &directory().borrow(), &mut to).unwrap();
        let t = parsed(&to);
        assert_eq!((&t["data"]["reason"], &t["type"]), (&json!("a \"b\"\n\\"), &json!("cn.tuoan.tombstone.v1")));
        assert_eq!(t["id"], "01HZY0000000000000000000LG-3");
        assert!(rfc3339(i64::MAX).is_err() && rfc3339(i64::MIN).is_err());
        assert_eq!(rfc3339(-1).unwrap(), "1969-12-31T23:59:59.999Z");
    }
}
