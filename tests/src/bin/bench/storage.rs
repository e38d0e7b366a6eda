//! What a day of readings takes on the disk: as they come, in blocks, and by the minute; and how long it takes to read a stretch by the minute.
use super::year::{self, MINUTE_MS, Year};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tuoan::clock::Clock;
use tuoan::demo::device::What;
use tuoan::demo::nursery::Nursery;
use tuoan::engine::input::{Item, Message};
use tuoan::engine::{Body, Input, State};
use tuoan::metrics::Metrics;
use tuoan::store::{Batch, Deps, Entry, LOG_FILE, Options as StoreOptions, Reader, Reply, Snapshot, Store};
use tuoan_protocol::{DeviceId, Fixed, Quantity};

const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

#[derive(clap::Args)]
pub struct Options {
    /// Days of each; what the disk grows by is taken from the last two, the first is the beginning of a file.
    #[arg(long, default_value_t = 3)]
    days: i64,
    /// Leave out the site with a message every ten seconds from each sensor.
    #[arg(long)]
    short: bool,
}

pub fn run(o: &Options) {
    let days = o.days.max(3);
    println!(
        "| a day of | readings | messages | alone, B a reading | in blocks | on the disk in all | roll-ups | B each | on the disk, MB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    measure("the demo: recordings of rooms, 07:30 to 18:45", days, demo);
    let mut year = Year::new(false);
    measure("sixty sensors once a minute, made up", days, |_, _, out| {
        for _ in 0..60 {
            year.minute(out);
        }
    });
    if !o.short {
        let mut busy = Busy::new();
        measure("sixty devices every ten seconds, three readings each", days, |day, hour, out| busy.hour(day, hour, out));
    }
}

/// Of which the disk's growth is told.
#[derive(Clone, Copy, Default)]
struct Size {
    used: i64,
    blocks: i64,
    rollups: i64,
    minutes: i64,
    readings: i64,
    messages: i64,
    alone: i64,
}

/// `hours` fills in what arrives within an hour of a day.
fn measure(name: &str, days: i64, mut hours: impl FnMut(i64, i64, &mut Vec<Input>)) {
    let dir = super::folder();
    let mut rig = Rig::open(dir.path());
    let mut sizes = Vec::new();
    for day in 0..days {
        for hour in 0..24 {
            let mut inputs = Vec::new();
            hours(day, hour, &mut inputs);
            inputs.sort_by_key(|i| i.at);
            rig.hear(inputs, year::BEGIN + day * DAY_MS + (hour + 1) * HOUR_MS);
        }
        sizes.push(rig.size(dir.path()));
    }
    let [.., before, after] = sizes.as_slice() else { return };
    let grown = |of: fn(&Size) -> i64| (of(after) - of(before)) as f64;
    let readings = grown(|s| s.readings);
    println!(
        "| {name} | {readings:.0} | {:.0} | {:.1} | {:.2} | {:.2} | {:.0} | {:.2} | {:.2} |",
        grown(|s| s.messages),
        grown(|s| s.alone) / readings,
        grown(|s| s.blocks) / readings,
        grown(|s| s.used) / readings,
        grown(|s| s.minutes),
        grown(|s| s.rollups) / grown(|s| s.minutes),
        grown(|s| s.used) / 1e6,
    );
    drop(rig);
    read(dir.path(), days);
}

/// A room's four devices by the minute.
fn read(dir: &Path, days: i64) {
    let reader = Reader::open(dir).expect("the store");
    let end = year::BEGIN + days * DAY_MS;
    let entries = reader.entries_after(0, 200).expect("entries");
    let mut devices: Vec<DeviceId> = Vec::new();
    for e in entries.iter() {
        if let Body::Message(m) = &e.body
            && devices.len() < 4
            && !devices.contains(&m.device)
        {
            devices.push(m.device.clone());
        }
    }
    let began = Instant::now();
    let rolled = reader.rollups(&devices, end - DAY_MS, end).expect("roll-ups");
    println!(
        "  a day of four devices by the minute: {} minutes read in {:.1} ms",
        rolled.rollups.len(),
        began.elapsed().as_secs_f64() * 1e3
    );
}

/// The real writer, with hours that pass in no time.
struct Rig {
    store: Store,
    position: u64,
    now: i64,
    size: Size,
    /// What has not arrived yet.
    pending: VecDeque<Input>,
}

impl Rig {
    fn open(dir: &Path) -> Rig {
        let mut deps = Deps::new(Clock::manual(year::BEGIN), Arc::new(Metrics::new()));
        (deps.timing.pack, deps.timing.roll, deps.timing.survey) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        let (store, _) = Store::open(dir, StoreOptions { reserve_mb: 0, ..StoreOptions::default() }, deps).expect("a store");
        Rig { store, position: 0, now: year::BEGIN, size: Size::default(), pending: VecDeque::new() }
    }
    fn commit(&self, batch: Batch) {
        let (reply, done) = tokio::sync::oneshot::channel();
        let batch = Batch { now: self.now, replies: vec![Reply::Done(reply)], ..batch };
        self.store.submit(Box::new(batch), Duration::from_secs(60)).map_err(|_| "not taken").expect("the writer");
        done.blocking_recv().expect("the commit");
    }
    /// An hour, a minute in one commit, with the snapshot that a gateway makes.
    fn hear(&mut self, inputs: Vec<Input>, end: i64) {
        self.pending.extend(inputs);
        while self.now < end {
            self.now = (self.now + MINUTE_MS).min(end);
            let mut entries = Vec::new();
            while let Some(i) = self.pending.pop_front_if(|i| i.at <= self.now) {
                self.position += 1;
                if let Body::Message(m) = &i.body {
                    self.size.readings += m.items.iter().filter(|i| matches!(i, Item::Reading { .. })).count() as i64;
                    self.size.messages += 1;
                }
                entries.push(Entry { position: self.position, at: i.at, message: true, body: i.body });
            }
            let hourly = self.now == end && self.position > 0;
            let snapshot = hourly.then(|| Snapshot { position: self.position, sequence: 0, bytes: State::new().encode() });
            self.commit(Batch { entries, snapshot, ..Batch::default() });
        }
    }
    /// As it stands; the last hour waits for its block and for its roll-ups at the end of each day alike.
    fn size(&self, dir: &Path) -> Size {
        let db = rusqlite::Connection::open(dir.join(LOG_FILE)).expect("the store");
        let number = |sql: &str| db.query_row(sql, [], |r| r.get::<_, Option<i64>>(0)).expect(sql).unwrap_or(0);
        Size {
            used: (number("PRAGMA page_count") - number("PRAGMA freelist_count")) * number("PRAGMA page_size"),
            blocks: number("SELECT sum(length(body) + 18) FROM log"),
            rollups: number("SELECT sum(length(body) + 40) FROM rollup"),
            minutes: number("SELECT sum(minutes) FROM rollup"),
            alone: number("SELECT body_bytes + 18 * entries FROM progress"),
            ..self.size
        }
    }
}

/// The demo's own devices on that day; nothing at night.
fn demo(day: i64, hour: i64, out: &mut Vec<Input>) {
    if hour != 0 {
        return;
    }
    let nursery = Nursery::built_in(None).expect("the demo's day");
    let begin = year::BEGIN + day * DAY_MS;
    for (n, mut device) in nursery.devices.into_iter().enumerate() {
        let boot = device.boot.wrapping_add(day.cast_unsigned());
        for second in (nursery.day.from.0..nursery.day.to.0).step_by(nursery.day.step_s.max(1) as usize) {
            let Some(due) = device.due(second) else { continue };
            let What::Telemetry(readings) = due.what else { continue };
            let items = readings.into_iter().map(|(quantity, value)| Item::Reading { quantity, channel: 0, value }).collect();
            let sampled = begin + i64::from(second) * 1000;
            let at = sampled + 20 + (due.seq as i64 * 7 + n as i64 * 13) % 60;
            let message = Message {
                device: device.id.clone(),
                boot: Some(boot),
                seq: Some(due.seq),
                sampled_at: Some(sampled),
                retained: false,
                items,
            };
            out.push(Input { at, body: Body::Message(message) });
        }
    }
}

/// Far more than a nursery has: values that wander by a linear congruential generator.
struct Busy {
    noise: u64,
    level: Vec<[i64; 3]>,
    seq: u64,
}

impl Busy {
    fn new() -> Busy {
        Busy { noise: 7, level: vec![[2150, 4560, 640]; 60], seq: 0 }
    }
    fn random(&mut self, n: i64) -> i64 {
        self.noise = self.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.noise >> 33) as i64 % n
    }
    fn hour(&mut self, day: i64, hour: i64, out: &mut Vec<Input>) {
        let begin = year::BEGIN + day * DAY_MS + hour * HOUR_MS;
        for round in 0..360 {
            self.seq += 1;
            for device in 0..self.level.len() {
                let jitter = self.random(40);
                let at = begin + round * 10_000 + device as i64 * 166 + jitter;
                let steps = [self.random(7) - 3, self.random(15) - 7, self.random(21) - 10];
                let level = &mut self.level[device];
                for ((l, step), (low, high)) in level.iter_mut().zip(steps).zip([(1800, 2800), (3000, 6500), (420, 1500)]) {
                    *l = (*l + step).clamp(low, high);
                }
                let items = [Quantity::Temperature, Quantity::Humidity, Quantity::Co2].into_iter().zip(*level);
                let items = items.map(|(quantity, v)| Item::Reading { quantity, channel: 0, value: Fixed(v) }).collect();
                let message = Message {
                    device: format!("d{device}").parse().expect("a name"),
                    boot: Some(0x1234_5678_9abc_def0 + device as u64),
                    seq: Some(self.seq),
                    sampled_at: Some(at - 30 - self.noise as i64 % 20),
                    retained: false,
                    items,
                };
                out.push(Input { at, body: Body::Message(message) });
            }
        }
    }
}
