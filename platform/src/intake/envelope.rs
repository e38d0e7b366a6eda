//! One member of a batch: a CloudEvents 1.0 envelope, checked as a whole before anything is stored.
use crate::text::{canonical, parse_rfc3339, sha256_hex};
use serde::Deserialize;
use serde_json::Value;
use tuoan_protocol::ledger::{Day, MAX_DAY};
use tuoan_protocol::{Basis, EventId, Exercise, HazardId, IncidentId, IncidentState, LogId, Place, Severity, SiteId, Transition};

/// Largest member of a batch, as JSON.
pub const MAX_EVENT: usize = 16 * 1024;

/// Longest id of a member in bytes. The id of an incident event is an [`EventId`]; heartbeats and tombstones have longer ones.
const MAX_ID: usize = 64;

/// A member that may be stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Member {
    Incident(Box<IncidentMember>),
    /// The gateway set the record with this sequence aside; its reason is in the data.
    Tombstone(Stored),
    Heartbeat(Heartbeat),
    /// A closed day of the site's coverage ledger.
    Coverage(Box<Day>),
}

/// What every stored event has.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub id: String,
    pub log: String,
    pub sequence: i64,
    /// Last part of the CloudEvents type: a transition, or `tombstone`.
    pub kind: String,
    /// UTC milliseconds by the gateway.
    pub at: i64,
    /// SHA-256 of the content, without the flag `unrecorded`: equal for an event and its recorded twin.
    pub hash: String,
    /// The gateway could not store it when it sent it; its recorded twin replaces it.
    pub unrecorded: bool,
    /// The `data` member, keys in order.
    pub data: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct IncidentMember {
    pub stored: Stored,
    /// `None`: the canary, which proves the way here and is shown to nobody.
    pub incident: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    pub id: String,
    pub log: String,
    pub data: String,
}

#[derive(Deserialize)]
struct Envelope {
    specversion: String,
    id: String,
    source: String,
    r#type: String,
    subject: Option<String>,
    time: Option<String>,
    sequence: Option<String>,
    data: Option<Value>,
}

/// The part of an incident event that the platform reads; the rest is stored as it came.
#[derive(Debug, Deserialize)]
pub struct EventFields {
    #[serde(default = "version_1")]
    v: u64,
    site: SiteId,
    log: LogId,
    sequence: u64,
    id: EventId,
    pub incident: IncidentId,
    pub at: i64,
    pub transition: Transition,
    pub state: IncidentState,
    pub hazard: HazardId,
    pub place: Place,
    pub severity: Severity,
    pub basis: Basis,
    #[serde(default)]
    pub exercise: Option<Exercise>,
}

fn version_1() -> u64 {
    1
}

#[derive(Debug, Deserialize)]
pub struct IncidentData {
    pub event: EventFields,
    #[serde(default)]
    pub unrecorded: bool,
}

/// The id of a member, as far as it has one, for its receipt.
pub fn id_of(value: &Value) -> String {
    value.get("id").and_then(Value::as_str).unwrap_or_default().chars().take(64).collect()
}

/// Checks one member sent with the token of `site`.
///
/// # Errors
/// The reason why it can never be accepted, in words for the receipt.
pub fn check(value: &Value, site: &str) -> Result<Member, String> {
    let envelope: Envelope = Envelope::deserialize(value).map_err(|e| format!("not a CloudEvents envelope: {e}"))?;
    if envelope.specversion != "1.0" {
        return Err("specversion must be \"1.0\"".into());
    }
    let id = envelope.id.as_str();
    if id.is_empty() || id.len() > MAX_ID || id.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("id: 1 to {MAX_ID} bytes without spaces and control characters"));
    }
    let log = source_log(&envelope.source, site)?;
    let data = envelope.data.as_ref().unwrap_or(&Value::Null);
    if envelope.r#type == "cn.tuoan.coverage.day.v1" {
        return coverage(data, site, &log).map(|day| Member::Coverage(Box::new(day)));
    }
    let data_text = canonical(data);
    if data_text.len() > MAX_EVENT {
        return Err(format!("the event is larger than {MAX_EVENT} bytes"));
    }
    let time = match envelope.time.as_deref() {
        Some(t) => parse_rfc3339(t).ok_or("time must be RFC 3339, e.g. 2026-11-22T06:32:00.000Z")? / 1_000_000,
        None => return Err("time is missing".into()),
    };
    if envelope.r#type == "cn.tuoan.heartbeat.v1" {
        return Ok(Member::Heartbeat(Heartbeat { id: id.to_string(), log: log.to_string(), data: data_text }));
    }
    let sequence = sequence(envelope.sequence.as_deref())?;
    let stored = |kind: &str, at: i64, content: String, unrecorded: bool| Stored {
        id: id.to_string(),
        log: log.to_string(),
        sequence,
        kind: kind.to_owned(),
        at,
        hash: sha256_hex(format!("{}\n{}\n{sequence}\n{content}", envelope.r#type, envelope.source).as_bytes()),
        unrecorded,
        data: data_text.clone(),
    };
    if envelope.r#type == "cn.tuoan.tombstone.v1" {
        return Ok(Member::Tombstone(stored("tombstone", time, data_text.clone(), false)));
    }
    let kind = envelope
        .r#type
        .strip_prefix("cn.tuoan.incident.")
        .and_then(|t| t.strip_suffix(".v1"))
        .ok_or_else(|| format!("type {:?} is not known to this platform", short(&envelope.r#type)))?;
    let incident = IncidentData::deserialize(data).map_err(|e| format!("data: {e}"))?;
    let event = &incident.event;
    if event.v != 1 {
        return Err(format!("data.event.v is {}, this platform reads version 1", event.v));
    }
    let same: [(&str, bool); 6] = [
        ("data.event.id and id", event.id.as_str() == id),
        ("data.event.site and source", event.site.as_str() == site),
        ("data.event.log and source", event.log == log),
        ("data.event.sequence and sequence", i64::try_from(event.sequence) == Ok(sequence)),
        ("data.event.incident and subject", envelope.subject.as_deref() == Some(event.incident.as_str())),
        ("data.event.transition and type", serde_json::to_value(event.transition).is_ok_and(|t| t.as_str() == Some(kind))),
    ];
    if let Some((what, _)) = same.iter().find(|(_, same)| !same) {
        return Err(format!("{what} do not agree"));
    }
    let mut content = data.clone();
    if let Some(map) = content.as_object_mut() {
        map.remove("unrecorded");
    }
    Ok(Member::Incident(Box::new(IncidentMember {
        stored: stored(kind, event.at, canonical(&content), incident.unrecorded),
        incident: (event.exercise != Some(Exercise::Canary)).then(|| event.incident.to_string()),
    })))
}

/// The canonical bytes are the record; figures that stand beside them are computed here anew.
fn coverage(data: &Value, site: &str, log: &LogId) -> Result<Day, String> {
    let text = data.get("canonical").and_then(Value::as_str).ok_or("data.canonical is missing: the day's canonical bytes in hex")?;
    if text.len() > 2 * MAX_DAY {
        return Err(format!("data.canonical holds more than {MAX_DAY} bytes"));
    }
    let bytes = hex::decode(text).map_err(|e| format!("data.canonical is no hex: {e}"))?;
    let day = Day::from_canonical(&bytes).map_err(|e| format!("data.canonical: {e}"))?;
    if day.site.as_str() != site || day.log != *log {
        return Err("data.canonical and source do not agree".into());
    }
    Ok(day)
}

/// `/sites/<site>/logs/<log>`, of this site.
fn source_log(source: &str, site: &str) -> Result<LogId, String> {
    let rest = source.strip_prefix("/sites/").and_then(|r| r.split_once("/logs/"));
    let (named, log) = rest.ok_or_else(|| "source must be /sites/<site>/logs/<log>".to_owned())?;
    if named != site {
        return Err(format!("source names the site {:?}, the token belongs to {site:?}", short(named)));
    }
    LogId::new(log).map_err(|e| format!("source, log: {e}"))
}

fn sequence(text: Option<&str>) -> Result<i64, String> {
    let text = text.ok_or("sequence is missing")?;
    match text.parse::<i64>() {
        // The ends are kept free so that neighbours can be computed.
        Ok(n) if (1..i64::MAX).contains(&n) && text.bytes().all(|b| b.is_ascii_digit()) => Ok(n),
        _ => Err(format!("sequence {:?} must be a number from 1, as text", short(text))),
    }
}

fn short(s: &str) -> String {
    s.chars().take(64).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub fn event(site: &str, sequence: u64, id: &str, incident: &str, transition: &str) -> Value {
        json!({
            "specversion": "1.0", "id": id, "source": format!("/sites/{site}/logs/L1"), "type": format!("cn.tuoan.incident.{transition}.v1"),
            "subject": incident, "time": "2026-11-22T06:32:00.000Z", "datacontenttype": "application/json",
            "sequence": sequence.to_string(), "sequencetype": "Integer",
            "data": {
                "event": {
                    "v": 1, "site": site, "institution": "community", "supervisor": "health", "log": "L1", "sequence": sequence,
                    "position": sequence * 10, "id": id, "incident": incident, "at": 1_795_329_120_000i64 + sequence as i64,
                    "clock_trusted": true, "transition": transition,
                    "state": {"active": transition != "returned" && transition != "closed", "acknowledged": false, "closed": transition == "closed"},
                    "hazard": "fire.smoke", "place": {"zone": "toddler-2"}, "severity": 1, "basis": "confirmed", "rule": "fire.smoke",
                    "trigger": {"device": "smoke-1", "quantity": "smoke", "value": 1, "device_seq": 7}, "activations": 1,
                    "found_on_connect": false, "engine": "0.1.0", "rules": "00"
                },
                "place_name": "托小班2", "title": {"zh": "烟雾报警", "en": "Smoke alarm"}, "advice": {"zh": "立即疏散", "en": "Evacuate now"},
                "clause": "GB 50116", "duty": ["health"], "unrecorded": false
            }
        })
    }

    #[test]
    fn a_whole_event_is_taken() {
        let Ok(Member::Incident(m)) = check(&event("a", 3, "E3", "E1", "raised"), "a") else { panic!("refused") };
        assert_eq!(
            (m.stored.sequence, m.stored.kind.as_str(), m.incident.as_deref(), m.stored.unrecorded),
            (3, "raised", Some("E1"), false)
        );
    }

    #[test]
    fn what_the_protocol_writes_is_taken() {
        use tuoan_protocol::codec::Wire;
        use tuoan_protocol::{DeviceId, Fixed, IncidentEvent, InstitutionType, Quantity, RuleId, SupervisingBody, Trigger, ZoneId};
        let written = IncidentEvent {
            site: SiteId::new("a").unwrap(),
            institution: InstitutionType::Community,
            supervisor: SupervisingBody::Health,
            log: LogId::new("L1").unwrap(),
            sequence: 12,
            position: 120,
            id: EventId::new("E12").unwrap(),
            incident: IncidentId::new("E1").unwrap(),
            at: 1_795_329_120_250,
            clock_trusted: true,
            transition: Transition::Raised,
            state: IncidentState { active: true, acknowledged: false, closed: false, inhibited: None },
            hazard: HazardId::new("air.co2").unwrap(),
            place: Place { zone: ZoneId::new("toddler-2").unwrap(), device: Some(DeviceId::new("co2-1").unwrap()) },
            severity: Severity::General,
            basis: Basis::Inferred,
            rule: RuleId::new("air.co2.high").unwrap(),
            trigger: Some(Trigger { device: DeviceId::new("co2-1").unwrap(), reading: Some((Quantity::Co2, Fixed(2105))), seq: Some(7) }),
            activations: 2,
            found_on_connect: false,
            actor: Some("王".try_into().unwrap()),
            note: None,
            engine: "1.0".try_into().unwrap(),
            rules: [0xab; 32],
            overridden_by: None,
            via: None,
            cause: None,
            until: None,
            assignee: None,
            other: None,
            rung: None,
            exercise: None,
        };
        let mut member = event("a", 12, "E12", "E1", "raised");
        member["data"]["event"] = serde_json::from_str(&written.to_json()).unwrap();
        let Ok(Member::Incident(m)) = check(&member, "a") else { panic!("refused: {:?}", check(&member, "a")) };
        assert_eq!((m.stored.at, m.incident.as_deref()), (1_795_329_120_250, Some("E1")));
    }

    #[test]
    fn the_flag_unrecorded_does_not_change_the_hash() {
        let mut twin = event("a", 3, "E3", "E1", "raised");
        let Ok(Member::Incident(recorded)) = check(&twin, "a") else { panic!() };
        twin["data"]["unrecorded"] = json!(true);
        let Ok(Member::Incident(unrecorded)) = check(&twin, "a") else { panic!() };
        assert!(unrecorded.stored.unrecorded);
        assert_eq!(recorded.stored.hash, unrecorded.stored.hash);
        twin["data"]["event"]["severity"] = json!(2);
        let Ok(Member::Incident(other)) = check(&twin, "a") else { panic!() };
        assert_ne!(recorded.stored.hash, other.stored.hash);
    }

    #[test]
    fn what_does_not_agree_is_refused_with_the_field() {
        let cases: [(&str, Value, &str); 14] = [
            ("/id", json!("E4"), "data.event.id"),
            ("/id", json!(""), "id:"),
            ("/id", json!("a b"), "id:"),
            ("/id", json!("x".repeat(65)), "id:"),
            ("/specversion", json!("0.3"), "specversion"),
            ("/source", json!("/sites/b/logs/L1"), "token belongs"),
            ("/source", json!("nonsense"), "source must be"),
            ("/sequence", json!("4"), "sequence"),
            ("/sequence", json!("-1"), "sequence"),
            ("/sequence", json!("9223372036854775807"), "sequence"),
            ("/subject", json!("E9"), "subject"),
            ("/time", json!("yesterday"), "time"),
            ("/data/event/severity", json!(9), "data:"),
            ("/type", json!("cn.tuoan.incident.raised.v2"), "type"),
        ];
        for (pointer, value, expected) in cases {
            let mut e = event("a", 3, "E3", "E1", "raised");
            *e.pointer_mut(pointer).unwrap() = value.clone();
            let reason = check(&e, "a").unwrap_err();
            assert!(reason.contains(expected), "{pointer} = {value}: {reason}");
        }
        for value in [json!(null), json!(7), json!("text"), json!([]), json!({})] {
            assert!(check(&value, "a").is_err());
        }
    }

    #[test]
    fn a_day_of_the_ledger_is_its_canonical_bytes_and_nothing_else() {
        use tuoan_protocol::ledger::{MINUTES, Run, Sight, ZoneDay};
        let mut run = Run::default();
        run.push(MINUTES, Sight::Watched);
        let zones = vec![ZoneDay { zone: "exit".parse().unwrap(), run }];
        let (site, log) = ("a".parse().unwrap(), "L1".parse().unwrap());
        let day =
            Day { site, log, number: 1, date: 20_779, utc_offset_minutes: 480, closed_at: 1_795_363_200_000, clock_trusted: true, zones };
        let event = |site: &str, canonical: String| {
            json!({
                "specversion": "1.0", "id": "coverage-L1-1", "source": format!("/sites/{site}/logs/L1"), "type": "cn.tuoan.coverage.day.v1",
                "time": "2026-11-22T16:00:00.000Z", "data": {"date": "1999-01-01", "per_mille": 7, "canonical": canonical}
            })
        };
        let hex = hex::encode(day.canonical_bytes());
        assert_eq!(check(&event("a", hex.clone()), "a"), Ok(Member::Coverage(Box::new(day))));
        assert!(check(&event("b", hex.clone()), "b").unwrap_err().contains("do not agree"), "another site's day");
        assert!(check(&event("a", format!("{hex}00")), "a").unwrap_err().contains("canonical"), "a byte behind it");
        assert!(check(&event("a", "zz".into()), "a").unwrap_err().contains("no hex"));
        assert!(check(&event("a", "a".repeat(4 * MAX_DAY)), "a").unwrap_err().contains("more than"));
    }

    #[test]
    fn a_large_event_is_refused() {
        let mut e = event("a", 3, "E3", "E1", "raised");
        e["data"]["padding"] = json!("x".repeat(MAX_EVENT));
        assert!(check(&e, "a").unwrap_err().contains("larger"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(id in ".*", source in ".*", sequence in ".*", time in ".*") {
            let _ = check(&json!({"specversion": "1.0", "id": id, "source": source, "type": "cn.tuoan.tombstone.v1", "time": time, "sequence": sequence}), "a");
        }
    }
}
