//! The figures of a run.
use crate::tally::{Start, Waits};
use serde::Serialize;
use std::collections::BTreeMap;

/// The whole fleet's.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub nodes: usize,
    /// From the first start to the end of what was measured, without the time to send what waited.
    pub seconds: f64,
    /// Nodes that had a session when the run ended, and connections in all.
    pub connected: usize,
    pub connections: u64,
    /// Starts of nodes: more than there are nodes where the power was cut.
    pub starts: u64,
    /// Records that the nodes had to tell.
    pub records: u64,
    /// Messages that were sent (repeats apart), and of them acknowledged.
    pub sent: u64,
    pub repeated: u64,
    pub acknowledged: u64,
    /// Records that still wait; that fell out; that nobody could make sense of. Nothing is lost when all three are 0.
    pub waiting: u64,
    pub lost: u64,
    pub given_up: u64,
    /// Messages that `tuoan-protocol` does not read, or that were out of order.
    pub malformed: u64,
    /// Times that a node's watchdog would have reset it: the machine is too slow for the fleet.
    pub starved: u64,
    pub orders: u64,
    pub bytes: u64,
    /// How long connections took until the node could speak, TLS among it.
    pub connects: Latency,
    /// Once all nodes had started.
    pub steady: Steady,
    /// User and system time, and the highest resident memory.
    pub cpu_seconds: f64,
    pub peak_mib: f64,
    /// Why connections last ended, by the nodes' own word.
    pub ends: BTreeMap<String, usize>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Steady {
    pub seconds: f64,
    pub messages_per_second: f64,
    /// From the write of PUBLISH to the read of PUBACK.
    pub readings: Latency,
    pub alarms: Latency,
}

/// In milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Latency {
    pub count: u64,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl From<Waits> for Latency {
    fn from(mut waits: Waits) -> Latency {
        waits.micros.sort_unstable();
        let at = |share: f64| {
            let last = waits.micros.len().saturating_sub(1);
            waits.micros.get((last as f64 * share) as usize).map_or(0.0, |m| f64::from(*m) / 1000.0)
        };
        Latency { count: waits.count, p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// One node's: what the gateway must have.
#[derive(Debug, Clone, Serialize)]
pub struct NodeReport {
    pub device: String,
    pub kind: String,
    pub starts: Vec<StartReport>,
    pub records: u64,
    pub waiting: u64,
    pub lost: u64,
}

/// The numbers 1 to `sent` were sent, and those up to `acknowledged` were acknowledged.
#[derive(Debug, Clone, Serialize)]
pub struct StartReport {
    pub boot: u64,
    pub sent: u64,
    pub acknowledged: u64,
}
impl From<&Start> for StartReport {
    fn from(s: &Start) -> StartReport {
        StartReport { boot: s.boot, sent: s.sent, acknowledged: s.acknowledged }
    }
}

/// CPU seconds of this process and its highest resident memory in MiB (Linux; zeros elsewhere).
pub fn process() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|v| v.split_whitespace().next()?.parse::<f64>().ok());
    (ticks as f64 / 100.0, peak.unwrap_or(0.0) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let of = |micros: Vec<u32>| Latency::from(Waits { count: micros.len() as u64, micros });
        let l = of((1..=101).rev().map(|n| n * 1000).collect());
        assert_eq!((l.p50, l.p99, l.max), (51.0, 100.0, 101.0));
        assert_eq!(of(vec![]).max, 0.0);
    }
}
