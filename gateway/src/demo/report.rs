//! What was promised against what is there.
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Names one MQTT message for ever: by (device, boot, seq) where it has them, else by its device and the moment of the demo clock (a
/// simulated device speaks at most once a step).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Numbered { device: String, boot: u64, seq: u64 },
    Timed { device: String, at: i64 },
}

/// An incident that reached the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    pub id: String,
    pub hazard: String,
    pub zone: String,
    /// How many `opened` events of it the platform holds.
    pub openings: u64,
}

/// An incident that is expected.
#[derive(Debug, Clone)]
pub struct Expected {
    pub hazard: String,
    pub zone: String,
    /// Local time of day; of staged ones only.
    pub at: Option<String>,
    pub incidents: u64,
}

/// All that was observed, from both ends.
#[derive(Debug, Default)]
pub struct Evidence {
    pub seed: u64,
    /// Messages given to the MQTT clients.
    pub published: u64,
    /// Camera frames, which are looked at and never stored.
    pub frames: u64,
    /// Those that were acknowledged.
    pub acknowledged: Vec<Key>,
    /// Those in the gateway's log, read back from the disk.
    pub stored: Vec<Key>,
    pub quarantined: u64,
    /// Ids of the incident events in the gateway's log.
    pub sent: Vec<String>,
    /// Ids of the incident events that the platform holds.
    pub received: Vec<String>,
    pub incidents: Vec<Arrived>,
    /// Points that the metrics endpoint counts.
    pub metrics_points: u64,
    /// From the publish of a deciding message to the platform's receipt.
    pub latencies: Vec<Duration>,
    /// What else went wrong.
    pub troubles: Vec<String>,
}

#[derive(Debug, Serialize, PartialEq)]
pub struct Report {
    pub published: u64,
    pub frames: u64,
    pub acknowledged: u64,
    pub stored: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub quarantined: u64,
    pub staged: Vec<StagedLine>,
    pub natural: Vec<NaturalLine>,
    pub unexpected: u64,
    pub alerts_sent: u64,
    pub alerts_received: u64,
    pub metrics_points: u64,
    pub alert_latency_ms: Latency,
    pub seed: u64,
}

#[derive(Debug, Serialize, PartialEq)]
pub struct StagedLine {
    pub hazard: String,
    pub zone: String,
    pub at: String,
    pub incidents: u64,
}

#[derive(Debug, Serialize, PartialEq)]
pub struct NaturalLine {
    pub hazard: String,
    pub zone: String,
    pub incidents: u64,
}

/// Milliseconds; 0 when nothing was measured.
#[derive(Debug, Serialize, PartialEq, Default)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Latency {
    /// Nearest rank: a percentile is a latency that occurred.
    pub fn of(mut all: Vec<Duration>) -> Latency {
        all.sort_unstable();
        let rank = |percent: usize| {
            let n = all.len().saturating_mul(percent).div_ceil(100).max(1);
            let d = all.get(n.saturating_sub(1)).copied().unwrap_or_default();
            (d.as_secs_f64() * 1e6).round() / 1e3
        };
        Latency { p50: rank(50), p99: rank(99), max: rank(100) }
    }
}

/// The report, and every reason why the day did not go as promised: empty when it did.
pub fn judge(e: Evidence, staged: &[Expected], natural: &[Expected]) -> (Report, Vec<String>) {
    let mut reasons = e.troubles;
    let (acknowledged, stored) = (counted(&e.acknowledged), counted(&e.stored));
    let missing: Vec<&Key> = acknowledged.keys().filter(|k| !stored.contains_key(*k)).copied().collect();
    let lost = missing.len() as u64;
    let duplicated = stored.values().filter(|n| **n > 1).count() as u64;
    if let Some(first) = missing.first() {
        reasons.push(format!("{lost} acknowledged messages are not stored, the first is {first:?}"));
    }
    if duplicated > 0 {
        reasons.push(format!("{duplicated} messages are stored more than once"));
    }
    let published = e.published;
    let unanswered = published.saturating_sub(e.acknowledged.len() as u64);
    if unanswered > 0 {
        reasons.push(format!("{unanswered} of {published} messages were not acknowledged"));
    }
    if e.quarantined > 0 {
        reasons.push(format!("{} messages went to the quarantine; see `tuoan quarantine list`", e.quarantined));
    }
    let there = |x: &Expected| e.incidents.iter().filter(|i| i.hazard == x.hazard && i.zone == x.zone).count() as u64;
    for x in staged.iter().chain(natural) {
        let n = there(x);
        if n != x.incidents {
            reasons.push(format!("{} in {}: {n} incidents at the platform instead of {}", x.hazard, x.zone, x.incidents));
        }
    }
    for i in e.incidents.iter().filter(|i| i.openings != 1) {
        reasons.push(format!("incident {} ({} in {}) reached the platform {} times", i.id, i.hazard, i.zone, i.openings));
    }
    let expected = |i: &Arrived| staged.iter().chain(natural).any(|x| x.hazard == i.hazard && x.zone == i.zone);
    let strangers: Vec<String> = e.incidents.iter().filter(|i| !expected(i)).map(|i| format!("{} in {}", i.hazard, i.zone)).collect();
    if !strangers.is_empty() {
        reasons.push(format!("unexpected incidents: {}", strangers.join(", ")));
    }
    let surplus: u64 = natural.iter().map(|x| there(x).saturating_sub(x.incidents)).sum();
    let (sent, received): (BTreeSet<_>, BTreeSet<_>) = (e.sent.iter().collect(), e.received.iter().collect());
    if sent != received || e.received.len() != received.len() {
        reasons.push(format!("{} incident events were sent, the platform holds {}", sent.len(), e.received.len()));
    }
    if e.metrics_points == 0 {
        reasons.push("no metrics arrived".to_owned());
    }
    if e.latencies.is_empty() {
        reasons.push("no alert latency could be measured".to_owned());
    }
    let line = |x: &Expected| StagedLine {
        hazard: x.hazard.clone(),
        zone: x.zone.clone(),
        at: x.at.clone().unwrap_or_default(),
        incidents: there(x),
    };
    let report = Report {
        published,
        frames: e.frames,
        acknowledged: e.acknowledged.len() as u64,
        stored: e.stored.len() as u64,
        lost,
        duplicated,
        quarantined: e.quarantined,
        staged: staged.iter().map(line).collect(),
        natural: natural.iter().map(|x| NaturalLine { hazard: x.hazard.clone(), zone: x.zone.clone(), incidents: there(x) }).collect(),
        unexpected: (strangers.len() as u64).saturating_add(surplus),
        alerts_sent: sent.len() as u64,
        alerts_received: e.received.len() as u64,
        metrics_points: e.metrics_points,
        alert_latency_ms: Latency::of(e.latencies),
        seed: e.seed,
    };
    (report, reasons)
}

fn counted(keys: &[Key]) -> BTreeMap<&Key, u64> {
    let mut counts: BTreeMap<&Key, u64> = BTreeMap::new();
    for key in keys {
        let n = counts.entry(key).or_default();
        *n = n.saturating_add(1);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seq: u64) -> Key {
        Key::Numbered { device: "smoke-1".to_owned(), boot: 7, seq }
    }
    fn expected(hazard: &str, at: Option<&str>) -> Expected {
        Expected { hazard: hazard.to_owned(), zone: "nap-1".to_owned(), at: at.map(str::to_owned), incidents: 1 }
    }
    fn arrived(id: &str, hazard: &str) -> Arrived {
        Arrived { id: id.to_owned(), hazard: hazard.to_owned(), zone: "nap-1".to_owned(), openings: 1 }
    }
    fn good() -> Evidence {
        Evidence {
            seed: 5,
            published: 3,
            frames: 4,
            acknowledged: vec![key(1), key(2), key(3)],
            stored: vec![key(3), key(1), key(2)],
            sent: vec!["a".to_owned(), "b".to_owned()],
            received: vec!["b".to_owned(), "a".to_owned()],
            incidents: vec![arrived("a", "fire.smoke"), arrived("b", "climate.rh")],
            metrics_points: 9,
            latencies: vec![Duration::from_micros(1500)],
            ..Evidence::default()
        }
    }
    fn judged(e: Evidence) -> (Report, String) {
        let (report, reasons) = judge(e, &[expected("fire.smoke", Some("09:40:00"))], &[expected("climate.rh", None)]);
        (report, reasons.join("\n"))
    }

    #[test]
    fn a_good_day_has_no_reasons_and_every_figure() {
        let (report, reasons) = judged(good());
        assert_eq!(reasons, "");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "published": 3, "frames": 4, "acknowledged": 3, "stored": 3, "lost": 0, "duplicated": 0, "quarantined": 0,
                "staged": [{"hazard": "fire.smoke", "zone": "nap-1", "at": "09:40:00", "incidents": 1}],
                "natural": [{"hazard": "climate.rh", "zone": "nap-1", "incidents": 1}],
                "unexpected": 0, "alerts_sent": 2, "alerts_received": 2, "metrics_points": 9,
                "alert_latency_ms": {"p50": 1.5, "p99": 1.5, "max": 1.5}, "seed": 5
            })
        );
    }

    #[test]
    fn lost_and_doubled_messages_are_counted_apart() {
        let mut e = good();
        e.stored = vec![key(1), key(1), key(2)];
        let (report, reasons) = judged(e);
        assert_eq!((report.stored, report.lost, report.duplicated), (3, 1, 1), "equal totals hide nothing");
        assert!(reasons.contains("not stored") && reasons.contains("more than once"), "{reasons}");
    }

    #[test]
    fn every_wrong_incident_is_a_reason() {
        let mut twice = good();
        twice.incidents.push(arrived("c", "fire.smoke"));
        assert!(judged(twice).1.contains("2 incidents at the platform"));
        let mut none = good();
        none.incidents.remove(0);
        assert!(judged(none).1.contains("0 incidents at the platform"));
        let mut stranger = good();
        stranger.incidents.push(arrived("c", "gas.leak"));
        let (report, reasons) = judged(stranger);
        assert_eq!((report.unexpected, reasons.contains("gas.leak in nap-1")), (1, true));
        let mut surplus = good();
        surplus.incidents.push(arrived("c", "climate.rh"));
        assert_eq!(judged(surplus).0.unexpected, 1);
        let mut delivered_twice = good();
        delivered_twice.incidents[0].openings = 2;
        assert!(judged(delivered_twice).1.contains("2 times"));
    }

    #[test]
    fn what_did_not_arrive_is_a_reason() {
        let mut e = good();
        e.received.pop();
        assert!(judged(e).1.contains("the platform holds 1"));
        let mut other = good();
        other.received = vec!["a".to_owned(), "x".to_owned()];
        assert!(judged(other).1.contains("the platform holds 2"), "as many, but not the same");
        let empty = Evidence { published: 1, ..Evidence::default() };
        let reasons = judged(empty).1;
        for part in ["1 of 1 messages were not acknowledged", "no metrics", "no alert latency"] {
            assert!(reasons.contains(part), "{part} missing in {reasons}");
        }
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let all = (1..=200).map(Duration::from_millis).rev().collect();
        assert_eq!(Latency::of(all), Latency { p50: 100.0, p99: 198.0, max: 200.0 });
        assert_eq!(Latency::of(vec![]), Latency::default());
    }
}
