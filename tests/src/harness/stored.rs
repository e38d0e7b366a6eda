//! A data directory as a gateway leaves it after days of work: the real engine's decisions, written by the real writer, in a minute.
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tuoan::clock::Clock;
use tuoan::engine::input::{Configuration, Item, Message};
use tuoan::engine::{Body, Input, State, step};
use tuoan::metrics::Metrics;
use tuoan::store::{Batch, Deps, Entry, LOG_FILE, Options, Snapshot, Store};
use tuoan_protocol::{Fixed, Quantity};

/// How many days of what.
pub struct Past {
    pub hours: i64,
    /// `d0`, `d1` and so on: temperature, humidity and CO2 each.
    pub devices: u64,
    /// Seconds between two messages of one device.
    pub every_s: i64,
    /// Seconds between two readings of CO2 above 2,000 ppm; each is an incident event, and the next reading below is another.
    pub alert_every_s: i64,
}

/// What is in it.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    pub messages: u64,
    pub entries: u64,
    pub events: u64,
    /// Bytes of the file when the last entry was written, and the longest that its write-ahead log was.
    pub bytes: u64,
    pub wal: u64,
    /// Of one snapshot of the engine's state.
    pub state: u64,
}

/// The harness's site with so many climate devices.
pub fn site(devices: u64) -> String {
    let mut site = super::gateway::site();
    for i in 16..devices {
        site.push_str(&format!("[[devices]]\nid = \"d{i}\"\nzone = \"hall\"\nrole = \"climate\"\n"));
    }
    site
}

/// Writes it into `data`; the last message is from `end`, UTC milliseconds.
pub fn write(data: &Path, end: i64, past: &Past) -> Left {
    let (begin, period) = (end - past.hours * 3_600_000, past.every_s * 1000);
    let (store, recovered) =
        Store::open(data, Options { reserve_mb: 0, ..Options::default() }, Deps::new(Clock::manual(begin), Arc::new(Metrics::new())))
            .unwrap();
    let size = |name: &str| std::fs::metadata(data.join(name)).map_or(0, |m| m.len());
    let site = toml::from_str(&site(past.devices)).expect("the site");
    let rules = vec![include_str!("../../bench/subjects/tuoan/rules.toml").to_owned()];
    let configure = Body::Configure(Box::new(Configuration::new(recovered.log, site, rules)));
    let mut inputs = [configure, Body::Started { down_from: begin }, Body::Clock { offset_ms: 0, trusted: true }]
        .map(|body| Input { at: begin, body })
        .to_vec();
    let (mut state, mut left) = (State::new(), Left { messages: 0, entries: 0, events: 0, bytes: 0, wal: 0, state: 0 });
    let (mut seq, mut alert, mut piece) = (0, begin, begin);
    while begin + seq * period < end {
        let round = begin + seq * period;
        seq += 1;
        for device in 0..past.devices {
            let at = round + period * device as i64 / past.devices as i64;
            let high = device == 0 && at >= alert;
            if high {
                alert += past.alert_every_s * 1000;
            }
            let wander = (seq * 7 + device as i64 * 13) % 40;
            let reading = |quantity, value| Item::Reading { quantity, channel: 0, value: Fixed(value) };
            let items = vec![
                reading(Quantity::Temperature, 2_150 + wander),
                reading(Quantity::Humidity, 4_560 + 3 * wander),
                reading(Quantity::Co2, if high { 2_105 } else { 640 + wander }),
            ];
            let message = Message {
                device: format!("d{device}").parse().unwrap(),
                boot: Some(0x1234_5678_9abc_def0 + device),
                seq: Some(seq as u64),
                sampled_at: Some(at - 40),
                retained: false,
                items,
            };
            inputs.push(Input { at, body: Body::Message(message) });
            left.messages += 1;
        }
        let last = begin + seq * period >= end;
        // A second of a gateway's life is one commit; a piece here is ten minutes, with a snapshot each hour, as dense as the log needs.
        if last || round + period - piece >= 600_000 || inputs.len() > 20_000 {
            let now = inputs.last().unwrap().at;
            let first = state.position() + 1;
            let out = step(&mut state, &inputs, now);
            left.events += out.events.len() as u64;
            left.entries += inputs.len() as u64;
            let entries = (first..).zip(inputs.drain(..));
            let entries = entries.map(|(position, i)| Entry { position, at: i.at, message: true, body: i.body }).collect();
            let hourly = last || (round + period).div_euclid(3_600_000) != piece.div_euclid(3_600_000);
            let snapshot = hourly.then(|| Snapshot { position: state.position(), sequence: state.sequence(), bytes: state.encode() });
            left.state = snapshot.as_ref().map_or(left.state, |s| s.bytes.len() as u64);
            let batch = Batch { now, entries, events: out.events, commands: out.commands, snapshot, ..Batch::default() };
            store.submit(Box::new(batch), Duration::from_secs(600)).map_err(|_| "not taken").unwrap();
            left.wal = left.wal.max(size("log.db-wal"));
            piece = round + period;
        }
    }
    store.close();
    Left { bytes: size(LOG_FILE), ..left }
}

/// UTC milliseconds of this moment.
pub fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}
