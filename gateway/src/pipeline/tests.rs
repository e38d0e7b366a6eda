//! The pipeline as a whole: MQTT messages in, acknowledgements, log and incidents out; stopped, crashed and started again.
use super::*;
use crate::engine::input::Action;
use crate::engine::testing::{site, t};
use crate::engine::{Input, step};
use crate::ingest::frames::Refusal;
use crate::ingest::{Ack, Inbound, Stored};
use crate::store::{Entry, Fault, IncidentFilter, Moment, StoredEvent};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tuoan_protocol::codec::Wire;
use tuoan_protocol::{DeviceTime, Quantity, Reading, Telemetry};

mod estimate;
mod eyes;

const LONG: Duration = Duration::from_secs(30);

/// Rules with states and holds of seconds, so that a short day has timers of all kinds in it.
const RULES: &str = r#"
name = "test"
version = 1

[[rule]]
id = "fire.smoke.alarm"
hazard = "fire.smoke"
kind = "state"
quantity = "smoke"
severity = 1
basis = "confirmed"
clear_hold = "3s"
source = "test"
clause = "test"
verified = false
duty = ["fire"]
title = { zh = "烟雾报警", en = "Smoke alarm" }
advice = { zh = "撤离", en = "Evacuate" }
[[rule.case]]
name = "smoke"
steps = ["03:00 smoke 1", "03:00 expect opened 1"]

[[rule]]
id = "air.co2.high"
hazard = "air.co2"
kind = "threshold"
quantity = "co2"
unit = "ppm"
above = 800
hysteresis = 50
hold = "7s"
severity = 2
basis = "confirmed"
source = "test"
clause = "test"
verified = false
duty = ["health"]
title = { zh = "二氧化碳", en = "CO2" }
advice = { zh = "通风", en = "Air the room" }
[[rule.case]]
name = "co2"
steps = ["10:00 co2 900", "10:01 expect opened 2"]
"#;

fn telemetry(device: &str, boot: u64, seq: u64, quantity: Quantity, value: f64) -> Vec<u8> {
    let value = quantity.fixed(value).unwrap();
    let mut readings = heapless::Vec::new();
    readings.push(Reading { quantity, channel: 0, value }).unwrap();
    let message = Telemetry {
        site: "xingyuan".parse().unwrap(),
        device: device.parse().unwrap(),
        boot,
        seq,
        age: None,
        time: DeviceTime::Uptime(seq * 1000),
        readings,
    };
    message.to_json().into_bytes()
}

/// A gateway in the hands of a test.
struct Gateway {
    clock: Clock,
    pipeline: Pipeline,
    runtime: tokio::runtime::Runtime,
}

impl Gateway {
    fn start(dir: &Path, clock: &Clock, fault: Option<Fault>) -> Gateway {
        Gateway::try_start(dir, clock, fault, |_| {}).unwrap()
    }
    fn try_start(
        dir: &Path,
        clock: &Clock,
        fault: Option<Fault>,
        change: impl FnOnce(&mut PipelineConfig),
    ) -> Result<Gateway, PipelineError> {
        let mut config = PipelineConfig {
            data: dir.to_owned(),
            site: site(),
            rules: vec![RULES.to_owned()],
            mappings: vec![],
            clock: clock.clone(),
            trust: Trust::Kernel,
            store: Options { reserve_mb: 0, ..Options::default() },
            model: None,
        };
        change(&mut config);
        let mut deps = Deps::new(clock.clone(), Arc::new(Metrics::new()));
        deps.timing.retry = (Duration::from_millis(1), Duration::from_millis(20));
        deps.fault = fault;
        let pipeline = spawn_with(config, deps)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Ok(Gateway { clock: clock.clone(), pipeline, runtime })
    }
    fn handle(&self) -> &Handle {
        &self.pipeline.handle
    }
    /// Publishes; the receiver is told what became of it.
    fn publish(&self, topic: &str, payload: Vec<u8>) -> oneshot::Receiver<Stored> {
        let (ack, acked) = Ack::channel();
        let message = Inbound { topic: topic.into(), payload: payload.into(), retained: false, qos: 1, sender: None, ack };
        // A pipeline that has crashed takes nothing: the receiver says so.
        let _ = self.handle().inbound.blocking_send(message);
        acked
    }
    /// Publishes and waits: true when it is acknowledged.
    fn says(&self, device: &str, boot: u64, seq: u64, quantity: Quantity, value: f64) -> bool {
        let acked = self.publish(&format!("tuoan/v1/xingyuan/{device}/telemetry"), telemetry(device, boot, seq, quantity, value));
        self.wait(acked) == Some(Stored::Yes)
    }
    fn wait<T>(&self, receiver: oneshot::Receiver<T>) -> Option<T> {
        self.runtime.block_on(async { tokio::time::timeout(LONG, receiver).await.expect("no answer").ok() })
    }
    fn tick(&self) -> bool {
        let (reply, replied) = oneshot::channel();
        let _ = self.handle().control.blocking_send(Control::Tick { reply });
        self.wait(replied).is_some()
    }
    fn at(&self, time: &str) -> &Gateway {
        self.clock.set(t(time));
        self
    }
    fn command(&self, action: Action) -> Result<u64, &'static str> {
        let (reply, replied) = oneshot::channel();
        let command = Command { actor: "王园长".into(), via: None, action };
        self.handle().control.blocking_send(Control::Command { command, reply }).ok().unwrap();
        self.wait(replied).unwrap()
    }
    fn drain(self) {
        let (reply, replied) = oneshot::channel();
        self.handle().control.blocking_send(Control::Drain { reply }).ok().unwrap();
        assert_eq!(self.wait(replied), Some(()));
        self.pipeline.thread.join().unwrap().unwrap();
    }
}

fn entries(reader: &Reader) -> Vec<Entry> {
    reader.entries_after(0, usize::MAX >> 1).unwrap().iter().cloned().collect()
}
fn events(reader: &Reader) -> Vec<StoredEvent> {
    reader.events_after(0, usize::MAX >> 1).unwrap()
}
/// What an event says, without what names its place in one particular log.
fn say(e: &StoredEvent) -> String {
    let e = e.event.clone().unwrap();
    let (zone, severity) = (&e.place.zone, u8::from(e.severity));
    format!("{} {} {:?} {zone} {severity} {} {:?}", e.at, e.hazard, e.transition, e.activations, e.state)
}
/// Steps through the whole log anew.
fn replayed(reader: &Reader) -> Vec<Vec<u8>> {
    let mut state = State::default();
    let inputs: Vec<Input> = entries(reader).into_iter().map(|e| Input { at: e.at, body: e.body }).collect();
    // Timers may have fired after the last input.
    let now = inputs.last().unwrap().at.max(events(reader).last().map_or(0, |e| e.at));
    step(&mut state, &inputs, now).events.iter().map(|e| e.to_cbor_vec().unwrap()).collect()
}

#[test]
fn a_message_is_stored_with_what_it_causes_before_it_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(t("10:00"));
    let gateway = Gateway::start(dir.path(), &clock, None);
    let reader = gateway.handle().reader.clone();
    assert!(gateway.says("air", 1, 1, Quantity::Co2, 600.0));
    assert!(gateway.at("10:01").says("smoke", 1, 1, Quantity::Smoke, 1.0));
    let open = reader.incidents(&IncidentFilter { open: true, ..Default::default() }, 9).unwrap();
    assert_eq!(open.iter().map(|i| i.hazard.as_str()).collect::<Vec<_>>(), ["fire.smoke"]);
    assert_eq!(open[0].opened_at, t("10:01"));
    assert!(!reader.outbox_open(0).unwrap().is_empty(), "the siren is told to sound");
    // A redelivery is acknowledged and changes nothing.
    assert!(gateway.says("smoke", 1, 1, Quantity::Smoke, 1.0));
    // What nobody understands goes to the quarantine, with the reason.
    let acked = gateway.publish("somebody/else", b"?".to_vec());
    assert_eq!(gateway.wait(acked), Some(Stored::Yes));
    let broken = gateway.publish("tuoan/v1/xingyuan/air/telemetry", b"{".to_vec());
    assert_eq!(gateway.wait(broken), Some(Stored::Yes));
    assert_eq!(reader.quarantine(9).unwrap().iter().map(|q| q.message.topic.as_str()).collect::<Vec<_>>().len(), 2);
    // A command is answered with its position after the commit; one that cannot be carried out with the reason.
    let incident = open[0].id.clone();
    let position = gateway.command(Action::Acknowledge { incident: incident.clone(), note: None }).unwrap();
    assert_eq!(reader.entries_after(position - 1, 1).unwrap().len(), 1);
    assert!(reader.incident(incident.as_str()).unwrap().unwrap().state.acknowledged);
    assert!(gateway.command(Action::CancelPanic { incident, reason: "?".into() }).is_err());
    assert!(gateway.tick());
    assert_eq!(gateway.handle().metrics.received.get(), 5);
    gateway.drain();
    let counts = Reader::open(dir.path()).unwrap().counts().unwrap();
    assert_eq!((counts.messages, counts.duplicates, counts.quarantined), (2, 1, 2));
}

#[test]
fn goes_on_after_a_stop_without_saying_anything_twice() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(t("10:00"));
    let gateway = Gateway::start(dir.path(), &clock, None);
    assert!(gateway.says("smoke", 1, 1, Quantity::Smoke, 1.0));
    let (log, before) = (gateway.handle().log.clone(), events(&gateway.handle().reader));
    gateway.drain();
    clock.set(t("11:00"));
    let gateway = Gateway::start(dir.path(), &clock, None);
    assert_eq!(gateway.handle().log, log);
    assert!(gateway.tick());
    assert!(gateway.says("smoke", 1, 1, Quantity::Smoke, 1.0), "a redelivery");
    let reader = &gateway.handle().reader;
    let smoke = |events: &[StoredEvent]| events.iter().filter(|e| say(e).contains("fire.smoke")).count();
    assert_eq!(smoke(&events(reader)), smoke(&before));
    let view = gateway.handle().view.borrow().clone();
    assert!(view.incidents.iter().any(|i| i.hazard.as_str() == "fire.smoke"), "known again at once");
    // The time it was down is in the log, and the configuration is not repeated.
    let started = entries(reader).into_iter().filter(|e| e.body == Body::Started { down_from: t("10:00") }).count();
    assert_eq!(started, 2, "the first start, and the second, which was deaf since ten o'clock");
    assert_eq!(entries(reader).iter().filter(|e| matches!(e.body, Body::Configure(_))).count(), 1);
    gateway.drain();
    // A changed site file is told to the engine.
    let gateway = Gateway::try_start(dir.path(), &clock, None, |c| c.site.name = "星苑二部".into()).unwrap();
    assert!(gateway.tick());
    assert_eq!(entries(&gateway.handle().reader).iter().filter(|e| matches!(e.body, Body::Configure(_))).count(), 2);
    gateway.drain();
}

#[test]
fn whoever_is_answered_sees_what_came_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), &Clock::manual(t("10:00")), None);
    // One after the other, faster than views are built: commissioning raises no event that would build one.
    for _ in 0..5 {
        gateway.command(Action::Commission { minutes: 60 }).unwrap();
        assert!(gateway.handle().view.borrow().commissioning.is_some());
        gateway.command(Action::CommissionEnd).unwrap();
        assert!(gateway.handle().view.borrow().commissioning.is_none());
    }
    gateway.drain();
}

#[test]
fn no_byte_of_a_picture_is_in_the_quarantine() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), &Clock::manual(t("10:00")), None);
    let secret = b"a child's face";
    for head in
        [&b"\xFF\xD8\xFF\xE0 and a header of its own, some bytes long"[..], b"{\"name\":\"door bell\",\"view\":\"/9j/4AAQSkZJRgABAQ"]
    {
        let acked = gateway.publish("unknown/topic", [head, secret].concat());
        assert_eq!(gateway.wait(acked), Some(Stored::Yes));
    }
    let refusal = Refusal { topic: "cam/1".into(), reason: "half of it".into(), first: vec![0xFF, 0xD8], count: 3 };
    gateway.handle().control.blocking_send(Control::Refused(vec![refusal])).ok().unwrap();
    assert!(gateway.tick());
    let rows = gateway.handle().reader.quarantine(9).unwrap();
    let [told, json, bytes] = rows.as_slice() else { panic!("{rows:?}") };
    for row in [json, bytes] {
        assert!(row.message.payload.is_empty() && row.message.reason.contains("hold a picture"), "{row:?}");
    }
    let reason = "half of it; 3 such frames since it was told last";
    assert_eq!(
        (told.message.decoder.as_deref(), told.message.reason.as_str(), &told.message.payload[..]),
        (Some("camera"), reason, &[0xFF, 0xD8][..])
    );
    gateway.drain();
}

#[test]
fn a_snapshot_that_cannot_be_read_only_costs_time() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(t("10:00"));
    let gateway = Gateway::start(dir.path(), &clock, None);
    assert!(gateway.says("smoke", 1, 1, Quantity::Smoke, 1.0));
    gateway.drain();
    let db = rusqlite::Connection::open(dir.path().join(crate::store::LOG_FILE)).unwrap();
    assert_eq!(db.execute("UPDATE snapshot SET bytes = x'00'", []).unwrap(), 1);
    let gateway = Gateway::start(dir.path(), &clock, None);
    assert!(gateway.tick());
    assert_eq!(gateway.handle().view.borrow().incidents.len(), 1);
    gateway.drain();
}

#[test]
fn a_log_that_this_engine_would_not_have_written_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(t("10:00"));
    let gateway = Gateway::start(dir.path(), &clock, None);
    assert!(gateway.says("smoke", 1, 1, Quantity::Smoke, 1.0));
    gateway.drain();
    let db = rusqlite::Connection::open(dir.path().join(crate::store::LOG_FILE)).unwrap();
    db.execute("DELETE FROM snapshot", []).unwrap();
    db.execute("UPDATE event SET bytes = x'a0' WHERE sequence = 1", []).unwrap();
    let refused = Gateway::try_start(dir.path(), &clock, None, |_| {}).err().unwrap();
    assert!(matches!(refused, PipelineError::Diverged { position: 4, .. }), "{refused}");
}

#[test]
fn a_configuration_that_does_not_compile_stops_it_before_anything_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::try_start(dir.path(), &Clock::manual(t("10:00")), None, |c| c.rules = vec!["nonsense".into()]).unwrap();
    assert!(!gateway.says("smoke", 1, 1, Quantity::Smoke, 1.0));
    assert!(matches!(gateway.pipeline.thread.join().unwrap(), Err(PipelineError::Configuration(_))));
}

#[test]
fn a_fire_goes_out_unrecorded_when_the_disk_does_not_answer() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&broken);
    let fault: Fault = Arc::new(move |_, _| {
        let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
        if flag.load(Ordering::SeqCst) { Err(rusqlite::Error::SqliteFailure(error, None)) } else { Ok(()) }
    });
    let mut gateway = Gateway::start(dir.path(), &Clock::manual(t("10:00")), Some(fault));
    assert!(gateway.tick());
    broken.store(true, Ordering::SeqCst);
    // The fire comes behind routine messages that are stuck already.
    let mut waiting: Vec<_> =
        (1..=20).map(|seq| gateway.publish("tuoan/v1/xingyuan/air/telemetry", telemetry("air", 1, seq, Quantity::Co2, 600.0))).collect();
    waiting.push(gateway.publish("tuoan/v1/xingyuan/smoke/telemetry", telemetry("smoke", 1, 1, Quantity::Smoke, 1.0)));
    let mut said = Vec::new();
    gateway.runtime.block_on(async {
        // One fire, and the orders that came with it.
        while !said.iter().any(|e| matches!(e, Emergency::Event(_))) || !said.iter().any(|e| matches!(e, Emergency::Command(_))) {
            said.push(tokio::time::timeout(LONG, gateway.pipeline.emergency.recv()).await.expect("silenced").unwrap());
        }
    });
    assert!(waiting.iter_mut().all(|w| w.try_recv().is_err()), "nothing is acknowledged");
    assert!(matches!(*gateway.handle().health.borrow(), Health::Degraded { .. }));
    broken.store(false, Ordering::SeqCst);
    for acked in waiting {
        assert_eq!(gateway.wait(acked), Some(Stored::Yes));
    }
    while let Ok(more) = gateway.pipeline.emergency.try_recv() {
        said.push(more);
    }
    let fires: Vec<_> =
        said.iter().filter_map(|e| if let Emergency::Event(e) = e { Some(e.to_cbor_vec().unwrap()) } else { None }).collect();
    let stored: Vec<_> = events(&gateway.handle().reader).into_iter().map(|e| e.bytes).collect();
    assert_eq!(fires, stored, "each once, and the same as is recorded later");
    gateway.drain();
}

/// Copies the store as a power cut at this moment would leave it.
fn image(of: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["log.db", "log.db-wal"] {
        let from = of.with_file_name(name);
        if from.exists() {
            std::fs::copy(from, to.join(name)).unwrap();
        }
    }
    std::fs::write(to.join("lock"), "running\n").unwrap();
}

/// Dies at the `n`th chance: copies the files, then takes the writer thread down.
fn crash_at(n: u32, to: PathBuf) -> Fault {
    let left = AtomicU32::new(n);
    Arc::new(move |_: Moment, path: &Path| {
        if left.fetch_sub(1, Ordering::SeqCst) == 1 {
            image(path, &to);
            std::panic::resume_unwind(Box::new("crash"));
        }
        Ok(())
    })
}

/// What the devices say, in order: (device, sequence, quantity, value), one second apart.
fn day() -> Vec<(&'static str, u64, Quantity, f64)> {
    let mut seq = 0;
    let mut say = |device, quantity, value| {
        seq += 1;
        (device, seq, quantity, value)
    };
    let mut day = Vec::new();
    for round in 0..12 {
        day.push(say("air", Quantity::Co2, 600.0 + 50.0 * f64::from(round)));
        day.push(say("air", Quantity::Temperature, 22.0));
        day.push(say("smoke", Quantity::Smoke, f64::from(u8::from(round % 4 == 2))));
        day.push(say("gas", Quantity::Gas, f64::from(u8::from(round == 7))));
        day.push(say("door", Quantity::Open, f64::from(round % 2)));
    }
    day
}

/// Plays the day, `window` messages at a time, with a crash at each of these chances in turn; gives the directory of the last life and how
/// often it crashed.
fn play(root: &Path, window: usize, crashes: &[u32]) -> (PathBuf, usize) {
    let clock = Clock::manual(t("09:00"));
    let (mut dir, mut crashed) = (root.join("0"), 0);
    let mut crashes = crashes.iter();
    let mut live = |dir: &Path, life: usize| {
        let fault = crashes.next().map(|n| crash_at(*n, root.join(life.to_string())));
        Gateway::start(dir, &clock, fault)
    };
    let mut gateway = live(&dir, 1);
    let day = day();
    for (n, messages) in day.chunks(window).enumerate() {
        clock.set(t("09:00") + 1000 * (n * window + 1) as i64);
        // The senders keep what is not acknowledged, and send it again in the same order.
        let mut kept: Vec<_> = messages.iter().collect();
        loop {
            let send = |(device, seq, quantity, value): &&(&str, u64, Quantity, f64)| {
                gateway.publish(&format!("tuoan/v1/xingyuan/{device}/telemetry"), telemetry(device, 1, *seq, quantity.clone(), *value))
            };
            let sent: Vec<_> = kept.iter().map(send).collect();
            let acked: Vec<bool> = sent.into_iter().map(|a| gateway.wait(a) == Some(Stored::Yes)).collect();
            assert!(acked.is_sorted_by(|a, b| a >= b), "nothing is acknowledged before what was sent before it");
            let mut acked = acked.into_iter();
            kept.retain(|_| acked.next() != Some(true));
            if kept.is_empty() {
                break;
            }
            crashed += 1;
            assert!(matches!(gateway.pipeline.thread.join().unwrap(), Err(PipelineError::WriterGone)));
            dir = root.join(crashed.to_string());
            gateway = live(&dir, crashed + 1);
        }
    }
    let counted = gateway.handle().reader.recount().unwrap();
    assert_eq!((counted.messages, counted.distinct), (day.len() as u64, day.len() as u64), "every message once");
    let (stored, again) = (events(&gateway.handle().reader), replayed(&gateway.handle().reader));
    assert_eq!(stored.iter().map(|e| e.bytes.clone()).collect::<Vec<_>>(), again, "the log explains its incidents bit for bit");
    // Its last life may still crash while it drains: its log holds everything all the same.
    drop(gateway.pipeline.handle);
    let _ = gateway.pipeline.thread.join();
    (dir, crashed)
}

fn told(dir: &Path) -> Vec<String> {
    events(&Reader::open(dir).unwrap()).iter().map(say).collect()
}

/// What an uninterrupted day tells.
fn uninterrupted(window: usize) -> Vec<String> {
    static KNOWN: Mutex<BTreeMap<usize, Vec<String>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let day = known.entry(window).or_insert_with(|| {
        let root = tempfile::tempdir().unwrap();
        told(&play(root.path(), window, &[]).0)
    });
    day.clone()
}

#[test]
fn a_day_has_its_incidents() {
    let day = uninterrupted(1);
    assert!(day.iter().filter(|e| e.contains("fire.smoke Opened")).count() >= 1, "{day:#?}");
    assert!(day.iter().any(|e| e.contains("Returned")), "{day:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn crashes_lose_nothing_repeat_nothing_and_change_nothing(
        window in proptest::sample::select(&[1usize, 7][..]),
        crashes in proptest::collection::vec(2..18u32, 1..5),
    ) {
        let root = tempfile::tempdir().unwrap();
        let (dir, crashed) = play(root.path(), window, &crashes);
        prop_assert!(crashed > 0);
        prop_assert_eq!(told(&dir), uninterrupted(window));
    }
}
