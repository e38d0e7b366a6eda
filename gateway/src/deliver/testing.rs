//! What the tests of this module share: a log in memory, sample records, strict doubles of both receivers on real sockets.
use super::directory::{Bilingual, Directory, RuleText};
use super::log::{Log, LogError, Progress, Records};
use super::scheduler::{Delivery, Timing};
use crate::clock::Clock;
use crate::engine::input::Item;
use crate::engine::site::Site;
use crate::engine::{Body, LedgerDay, Message};
use crate::store::{Committed, Done, Entries, Entry, Lane, OutboxRow, Receipt, SetAside, StoredEvent};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tuoan_protocol::*;

pub mod influx;
pub mod platform;

/// 2026-03-02 07:30:00.250 UTC.
pub const T0: i64 = 1_772_436_600_250;
pub const TOKEN: &str = "s3cret-token-of-this-site";

pub fn timing() -> Timing {
    Timing {
        backoff_base: Duration::from_millis(2),
        backoff_cap: Duration::from_millis(20),
        probe: Duration::from_millis(20),
        patience: Duration::from_secs(5),
        save_metrics: Duration::from_millis(5),
        gather_metrics: Duration::from_millis(1),
        heartbeat: Duration::from_millis(20),
        repeat: Duration::from_millis(20),
        grace: Duration::from_millis(500),
    }
}

pub fn delivery(log: &Arc<MemoryLog>) -> Delivery {
    Delivery {
        log: log.clone(),
        clock: Clock::manual(T0),
        clock_trusted: Arc::new(|| true),
        timing: timing(),
        room: watch::channel(Arc::default()).1,
        shutdown: CancellationToken::new(),
    }
}

/// Waits until `done`; panics when that takes unreasonably long.
pub async fn eventually(what: &str, done: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while tokio::time::Instant::now() < deadline {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never: {what}");
}

pub fn event(sequence: u64) -> IncidentEvent {
    IncidentEvent {
        site: SiteId::new("xingyuan").unwrap(),
        institution: InstitutionType::Community,
        supervisor: SupervisingBody::Health,
        log: LogId::new("01HZY0000000000000000000LG").unwrap(),
        sequence,
        position: sequence * 10,
        id: EventId::new(&format!("01HZY000000000000000{sequence:06}")).unwrap(),
        incident: IncidentId::new("01HZY000000000000000000001").unwrap(),
        at: T0,
        clock_trusted: true,
        transition: Transition::Opened,
        state: IncidentState { active: true, acknowledged: false, closed: false, inhibited: None },
        hazard: HazardId::new("air.co2").unwrap(),
        place: Place { zone: ZoneId::new("toddler-2").unwrap(), device: None },
        severity: Severity::General,
        basis: Basis::Confirmed,
        rule: RuleId::new("air.co2.high").unwrap(),
        trigger: Some(Trigger { device: DeviceId::new("climate-2").unwrap(), reading: Some((Quantity::Co2, Fixed(2105))), seq: Some(7) }),
        activations: 1,
        found_on_connect: false,
        actor: None,
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
    }
}

/// A message of `device`, `co2` ppm, arrived at [`T0`].
pub fn entry(position: u64, device: &str, co2: i64) -> Entry {
    let items = vec![Item::Reading { quantity: Quantity::Co2, channel: 0, value: Fixed(co2) }];
    let device = DeviceId::new(device).unwrap();
    let message = Message { device, boot: Some(1), seq: Some(position), sampled_at: None, retained: false, items };
    Entry { position, at: T0, message: true, body: Body::Message(message) }
}

pub fn directory() -> watch::Receiver<Arc<Directory>> {
    let site: Site = toml::from_str(
        r#"
        id = "xingyuan"
        name = "星园托育园"
        district = "海淀区"
        street = "中关村街道"
        institution = "community"
        supervisor = "health"
        staff_hours = "06:30-19:30"
        zones = [{ id = "toddler-2", name = "托小班2", kind = "activity" }]
        devices = [{ id = "climate-2", zone = "toddler-2", role = "climate" }]
        "#,
    )
    .unwrap();
    let text = |zh: &str, en: &str| Bilingual { zh: zh.into(), en: en.into() };
    let rule = RuleText {
        title: text("二氧化碳过高", "CO2 too high"),
        advice: text("开窗通风", "Open the windows"),
        clause: "WS/T 821-2023 5.2".into(),
        duty: vec!["health".into()],
    };
    let log = LogId::new("01HZY0000000000000000000LG").unwrap();
    watch::channel(Arc::new(Directory::new(&site, log, [(RuleId::new("air.co2.high").unwrap(), rule)]))).1
}

/// The store, in memory.
pub struct MemoryLog {
    events: Mutex<Vec<StoredEvent>>,
    entries: Mutex<Vec<Entry>>,
    committed: watch::Sender<Committed>,
    pub cursors: Mutex<BTreeMap<(&'static str, Lane), Done>>,
    pub receipts: Mutex<Vec<Receipt>>,
    pub aside: Mutex<Vec<SetAside>>,
    pub orders: Mutex<Vec<OutboxRow>>,
    pub attempts: Mutex<Vec<(u64, i64)>>,
    pub ledger: Mutex<Vec<LedgerDay>>,
    pub ledger_sent: Mutex<u64>,
    /// Reads and writes fail meanwhile.
    pub broken: AtomicBool,
}

impl MemoryLog {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            events: Mutex::default(),
            entries: Mutex::default(),
            committed: watch::Sender::new(Committed::default()),
            cursors: Mutex::default(),
            receipts: Mutex::default(),
            aside: Mutex::default(),
            orders: Mutex::default(),
            attempts: Mutex::default(),
            ledger: Mutex::default(),
            ledger_sent: Mutex::default(),
            broken: AtomicBool::new(false),
        })
    }
    pub fn commit_events(&self, events: impl IntoIterator<Item = IncidentEvent>) {
        for event in events {
            let (sequence, at) = (event.sequence, event.at);
            self.commit_stored(StoredEvent { sequence, at, bytes: Vec::new(), event: Ok(event) });
        }
    }
    pub fn commit_stored(&self, event: StoredEvent) {
        let sequence = event.sequence;
        self.events.lock().unwrap().push(event);
        self.committed.send_modify(|c| c.sequence = sequence);
    }
    pub fn commit_entries(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut log = self.entries.lock().unwrap();
        log.extend(entries);
        let position = log.last().map_or(0, |e| e.position);
        drop(log);
        self.committed.send_modify(|c| c.position = position);
    }
    /// As the store removes what is old.
    pub fn remove_below(&self, position: u64) {
        self.entries.lock().unwrap().retain(|e| e.position >= position);
    }
    pub fn cursor_at(&self, sink: &'static str, lane: Lane) -> u64 {
        self.cursors.lock().unwrap().get(&(sink, lane)).map_or(0, Done::upto)
    }
    fn check(&self) -> Result<(), LogError> {
        if self.broken.load(Ordering::Relaxed) { Err(LogError("disk full".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Log for MemoryLog {
    fn committed(&self) -> watch::Receiver<Committed> {
        self.committed.subscribe()
    }
    async fn after(&self, lane: Lane, after: u64, limit: usize) -> Result<Records, LogError> {
        self.check()?;
        Ok(match lane {
            Lane::Alerts => {
                Records::Alerts(self.events.lock().unwrap().iter().filter(|e| e.sequence > after).take(limit).cloned().collect())
            }
            Lane::Metrics => {
                let log = self.entries.lock().unwrap();
                let from = log.partition_point(|e| e.position <= after);
                let entries: Vec<Entry> = log.iter().skip(from).take(limit).cloned().collect();
                Records::Metrics(Entries::from(entries))
            }
        })
    }
    fn claim(&self, _lanes: &[(&'static str, Lane)]) -> Result<(), LogError> {
        self.check()
    }
    async fn utc_offset_at(&self, _position: u64) -> Result<Option<i64>, LogError> {
        self.check().map(|()| None)
    }
    async fn cursor(&self, sink: &'static str, lane: Lane) -> Result<(Done, u64), LogError> {
        self.check()?;
        let aside = self.aside.lock().unwrap().iter().filter(|s| s.sink == sink && s.lane == lane).count();
        let done = self.cursors.lock().unwrap().get(&(sink, lane)).cloned().unwrap_or_default();
        Ok((done, aside as u64))
    }
    fn advance(&self, progress: Progress) -> Result<(), LogError> {
        self.check()?;
        let before = self.cursors.lock().unwrap().insert((progress.sink, progress.lane), progress.done.clone());
        assert!(before.is_none_or(|b| b.upto() <= progress.done.upto()), "a cursor went back");
        self.receipts.lock().unwrap().extend(progress.receipts);
        self.aside.lock().unwrap().extend(progress.set_aside);
        Ok(())
    }
    async fn outbox(&self, now: i64) -> Result<Vec<OutboxRow>, LogError> {
        self.check()?;
        Ok(self.orders.lock().unwrap().iter().filter(|o| o.command.expires > now).cloned().collect())
    }
    fn attempted(&self, id: u64, at: i64) -> Result<(), LogError> {
        self.attempts.lock().unwrap().push((id, at));
        Ok(())
    }
    async fn settled(&self) -> Result<(), LogError> {
        self.check()
    }
    async fn ledger_after(&self, number: u64, limit: usize) -> Result<Vec<LedgerDay>, LogError> {
        self.check()?;
        Ok(self.ledger.lock().unwrap().iter().filter(|d| d.number > number).take(limit).cloned().collect())
    }
    async fn ledger_sent(&self) -> Result<u64, LogError> {
        self.check().map(|()| *self.ledger_sent.lock().unwrap())
    }
    fn ledger_done(&self, number: u64) -> Result<(), LogError> {
        self.check()?;
        *self.ledger_sent.lock().unwrap() = number;
        Ok(())
    }
}
