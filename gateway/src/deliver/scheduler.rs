//! One task per sink and lane: read committed records, encode, send, move the cursor. Each lane has its own task and connection, so a
//! backlog of metrics never stands before an alert. One request is in flight per lane; whatever is committed meanwhile goes into the next.
//!
//! Alerts go in order. So do metrics while they keep up; when more than [`BACKLOG`] of them wait, the newest go first and then what was left
//! behind, backwards in blocks, each block after whatever is new. Which stretches are done is in the store with the cursor.
use super::backoff::Backoff;
use super::batch::{Batch, Builder};
use super::log::{Log, LogError, Progress, Record, Records};
use super::sinks::{Absent, Heartbeat, Rejection, SendError, Sent, Sink};
use super::status::{Deliveries, Gauge, LaneState, head, name};
use crate::clock::Clock;
use crate::engine::Body;
use crate::store::{Done, Health, Lane, Receipt, Room, SetAside};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// All waits of delivery, so that tests can shorten them.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Ceiling of the first wait after a failure; doubled with each further one.
    pub backoff_base: Duration,
    pub backoff_cap: Duration,
    /// The same for alerts while their receiver is not reached: one small request in that time at most, so that the first alert is through
    /// soon after the receiver is back. When it answers that it does not accept us, the long waits hold.
    pub probe: Duration,
    /// A request to a receiver that was not reached the last time is given up after this (after a success, after three times this): in a network that swallows packets the next one
    /// finds the way sooner than the old one. Every fourth, sixteenth and so on may take its time, for links that are just slow.
    pub patience: Duration,
    /// The metric lane's cursor is written at most this often: each write is a commit, and a repeat of metrics does no harm.
    pub save_metrics: Duration,
    /// After a request with more than [`BUSY`] lines of metrics: so long the next one gathers. Without load nothing gathers and nothing waits.
    pub gather_metrics: Duration,
    pub heartbeat: Duration,
    /// Between two sendings of one order to a device.
    pub repeat: Duration,
    /// How long a request in flight may still take at shutdown.
    pub grace: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            backoff_base: Duration::from_millis(500),
            backoff_cap: Duration::from_secs(60),
            // Together with an answer's way: the first alert is through within two seconds of the return.
            probe: Duration::from_millis(780),
            patience: Duration::from_secs(1),
            save_metrics: Duration::from_secs(1),
            gather_metrics: Duration::from_millis(10),
            heartbeat: Duration::from_secs(60),
            repeat: Duration::from_secs(5),
            grace: Duration::from_secs(2),
        }
    }
}

/// Lines in one request above which a lane counts as under load, where a request for every few lines would cost more than the lines.
const BUSY: usize = 8;

/// Metrics that may wait and still go in order: about half an hour of sixty sensors, each every ten seconds.
pub const BACKLOG: u64 = 10_000;
/// Metrics that are taken from such a backlog at once, newest first; one request where they are of the usual size.
pub const BLOCK: u64 = 2_500;
/// Records in a request to a receiver that was not reached the last time.
const PROBE_RECORDS: usize = 20;

/// So many times longer than a probe may the request take that follows a success.
const FIRST_PATIENCE: u32 = 3;

/// Records in one request at most.
pub fn batch_limit(lane: Lane) -> usize {
    match lane {
        Lane::Alerts => 500,
        Lane::Metrics => 5_000,
    }
}

/// Bytes in one request at most; a single longer record still goes, alone.
pub const BATCH_BYTES: usize = 1 << 20;

/// What delivery works with.
#[derive(Clone)]
pub struct Delivery {
    pub log: Arc<dyn Log>,
    pub clock: Clock,
    /// Whether the gateway believes its clock at this moment.
    pub clock_trusted: Arc<dyn Fn() -> bool + Send + Sync>,
    pub timing: Timing,
    /// How much room the store has.
    pub room: watch::Receiver<Arc<Room>>,
    pub shutdown: CancellationToken,
}

impl Delivery {
    /// Starts a task for each lane of each sink, and the heartbeat. They end after `shutdown`, when their progress is handed to the store.
    pub fn start(&self, sinks: &[Arc<dyn Sink>], health: watch::Receiver<Health>, tasks: &mut JoinSet<()>) -> Deliveries {
        let mut lanes = Vec::new();
        for (sink, &lane) in sinks.iter().flat_map(|s| s.lanes().iter().map(move |l| (s, l))) {
            lanes.push((sink.clone(), lane, Arc::new(Gauge::new(sink.name(), lane, self.room.clone(), self.log.committed()))));
        }
        let deliveries = Deliveries(lanes.iter().map(|(.., gauge)| gauge.clone()).collect());
        let beat = self.beat(deliveries.clone(), health);
        for (sink, lane, gauge) in lanes {
            tasks.spawn(LaneTask::new(self.clone(), sink, lane, gauge, beat.clone()).run());
        }
        for sink in sinks.iter().filter(|s| s.lanes().contains(&Lane::Alerts)) {
            tasks.spawn(self.clone().hearten(sink.clone(), beat.clone()));
            tasks.spawn(super::ledger::deliver(self.clone(), sink.clone()));
        }
        let lanes = sinks.iter().flat_map(|s| s.lanes().iter().map(|lane| (s.name(), *lane))).collect();
        tasks.spawn(self.clone().claim(lanes));
        deliveries
    }

    /// What a sign of life says now.
    fn beat(&self, deliveries: Deliveries, health: watch::Receiver<Health>) -> Beat {
        let (clock, trusted, committed) = (self.clock.clone(), self.clock_trusted.clone(), self.log.committed());
        Arc::new(move || Heartbeat {
            at: clock.utc_ms(),
            position: committed.borrow().position,
            queue_alerts: deliveries.queued(Lane::Alerts),
            queue_metrics: deliveries.queued(Lane::Metrics),
            healthy: Heartbeat::healthy(&health.borrow()),
            clock_trusted: trusted(),
        })
    }

    /// A missed heartbeat is not repeated: the next one says more.
    async fn hearten(self, sink: Arc<dyn Sink>, beat: Beat) {
        loop {
            let beat = beat();
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                sent = sink.heartbeat(&beat) => if let Err(e) = sent {
                    tracing::debug!(sink = sink.name(), error = %e, "heartbeat not delivered");
                }
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = sleep(self.timing.heartbeat) => {}
            }
        }
    }

    /// Says which lanes there are, until the store has heard it.
    async fn claim(self, lanes: Vec<(&'static str, Lane)>) {
        while let Err(e) = self.log.claim(&lanes) {
            tracing::debug!("the store was not told of the lanes: {e}");
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = sleep(self.timing.probe) => {}
            }
        }
    }
}

type Beat = Arc<dyn Fn() -> Heartbeat + Send + Sync>;

/// Shutdown has been asked for; what is not done stays for the next start.
struct Stopped;

/// A step of the delivery of one batch.
enum Work {
    /// These parcels of the batch.
    Send(Range<usize>),
    /// This alert was refused alone, for that reason; whether it is at fault is to be seen.
    Doubt(usize, String),
    /// This one is refused for that reason: its place must be filled.
    Bury(usize, String),
}

/// What came of a batch.
#[derive(Default)]
struct Outcome {
    receipts: Vec<Receipt>,
    set_aside: Vec<SetAside>,
    sent: u64,
}

/// Records after the first number, up to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    after: u64,
    to: u64,
}

struct LaneTask {
    env: Delivery,
    sink: Arc<dyn Sink>,
    lane: Lane,
    gauge: Arc<Gauge>,
    beat: Beat,
    backoff: Backoff,
    /// For a receiver that answers and does not accept us.
    refused: Backoff,
    /// Records in one request at present: less than the lane's limit after the receiver found one too large.
    limit: usize,
    /// The last failure was the store's, not the receiver's.
    store_down: bool,
    done: Done,
    /// Metrics: what was read last, and UTC minus engine time there.
    read: Option<u64>,
    utc_offset: i64,
}

impl LaneTask {
    fn new(env: Delivery, sink: Arc<dyn Sink>, lane: Lane, gauge: Arc<Gauge>, beat: Beat) -> Self {
        let Timing { backoff_base, backoff_cap, probe, .. } = env.timing;
        let cap = if lane == Lane::Alerts { probe.min(backoff_cap) } else { backoff_cap };
        let (backoff, refused) = (Backoff::new(backoff_base, cap), Backoff::new(backoff_base, backoff_cap));
        let limit = batch_limit(lane);
        Self { env, sink, lane, gauge, beat, backoff, refused, limit, store_down: false, done: Done::default(), read: None, utc_offset: 0 }
    }

    async fn run(mut self) {
        if let Err(Stopped) = self.work().await {
            tracing::debug!(sink = self.sink.name(), lane = name(self.lane), cursor = self.done.upto(), "lane stopped");
        }
    }

    async fn work(&mut self) -> Result<(), Stopped> {
        let (done, set_aside) = loop {
            match self.env.log.cursor(self.sink.name(), self.lane).await {
                Ok(found) => break found,
                Err(e) => self.store_failed(e).await?,
            }
        };
        self.store_answered();
        self.gauge.started(done.clone(), set_aside);
        self.done = done;
        let mut committed = self.env.log.committed();
        // Where the log does not say, the present offset is the best guess.
        self.utc_offset = committed.borrow().utc_offset;
        let mut saved = true;
        let mut save_at = Instant::now();
        let mut last_call = None;
        loop {
            let end = head(&committed.borrow_and_update(), self.lane);
            let next = self.next(end);
            if self.env.shutdown.is_cancelled() {
                // Alerts that are committed already still go out, as long as the receiver takes them and the grace lasts.
                let last_call = *last_call.get_or_insert_with(|| Instant::now() + self.env.timing.grace);
                if self.lane == Lane::Metrics || next.is_none() || Instant::now() >= last_call {
                    if !saved {
                        self.save(Outcome::default()).await?;
                    }
                    return Err(Stopped);
                }
            }
            let Some(stretch) = next else {
                tokio::select! {
                    () = self.env.shutdown.cancelled() => {}
                    changed = committed.changed() => if changed.is_err() {
                        if !saved { self.save(Outcome::default()).await?; }
                        return Err(Stopped);
                    },
                    () = sleep_until(save_at), if !saved => {
                        self.save(Outcome::default()).await?;
                        saved = true;
                        save_at = Instant::now() + self.env.timing.save_metrics;
                    }
                }
                continue;
            };
            let records = match self.read(stretch).await {
                Ok(records) => {
                    self.store_answered();
                    records
                }
                Err(e) => {
                    self.store_failed(e).await?;
                    continue;
                }
            };
            let mut outcome = Outcome::default();
            let (batch, upto) = self.assemble(&records, stretch, &mut outcome);
            let Some(upto) = upto else {
                // Committed, but not to be read yet.
                self.pause(Duration::from_millis(20)).await?;
                continue;
            };
            match self.deliver(&batch, &records, &mut outcome).await {
                Ok(true) => {}
                // Nothing of it went out. By now something newer may be there; and clock steps in it are still to come.
                Ok(false) => {
                    self.read = None;
                    if !saved {
                        self.save(Outcome::default()).await?;
                        saved = true;
                    }
                    continue;
                }
                Err(Stopped) => {
                    if !saved {
                        self.save(Outcome::default()).await?;
                    }
                    return Err(Stopped);
                }
            }
            self.done.add(stretch.after, upto);
            self.read = Some(upto);
            self.gauge.delivered(self.done.clone(), outcome.sent, outcome.set_aside.len() as u64);
            let now = Instant::now();
            saved = false;
            if self.lane == Lane::Alerts || !outcome.set_aside.is_empty() || now >= save_at {
                self.save(outcome).await?;
                saved = true;
                save_at = now + self.env.timing.save_metrics;
            }
            if self.lane == Lane::Metrics && self.done.owed() == 0 && (BUSY..self.limit).contains(&batch.len()) {
                tokio::select! {
                    () = self.env.shutdown.cancelled() => {}
                    () = sleep(self.env.timing.gather_metrics) => {}
                }
            }
        }
    }

    /// What is to be read next: what is new, or else the newest of what was left behind.
    fn next(&self, end: u64) -> Option<Stretch> {
        let front = self.done.front();
        if front < end {
            let jumps = self.lane == Lane::Metrics && end - front > BACKLOG;
            return Some(Stretch { after: if jumps { end - BLOCK } else { front }, to: end });
        }
        let (after, to) = self.done.newest_hole()?;
        Some(Stretch { after: after.max(to.saturating_sub(BLOCK)), to })
    }

    async fn read(&mut self, stretch: Stretch) -> Result<Records, LogError> {
        // Clock steps are in the log and followed as they pass; elsewhere the store is asked.
        if self.lane == Lane::Metrics && self.read != Some(stretch.after) {
            if let Some(offset) = self.env.log.utc_offset_at(stretch.after).await? {
                self.utc_offset = offset;
            }
            self.read = Some(stretch.after);
        }
        let most = usize::try_from(stretch.to.saturating_sub(stretch.after)).unwrap_or(usize::MAX);
        let limit = if self.backoff.failures() > 0 { self.limit.min(PROBE_RECORDS) } else { self.limit };
        self.env.log.after(self.lane, stretch.after, limit.min(most)).await
    }

    /// Encodes records until the batch is full. What cannot be encoded is set aside at once and its tombstone put in its place.
    /// Also the last record of the stretch that was dealt with, `None` when there was none.
    fn assemble(&mut self, records: &Records, stretch: Stretch, done: &mut Outcome) -> (Batch, Option<u64>) {
        let mut builder = Builder::default();
        let (mut upto, mut count, mut missing) = (None, 0u64, 0);
        match records {
            Records::Alerts(events) => {
                for stored in events {
                    if builder.bytes() >= BATCH_BYTES {
                        break;
                    }
                    let encoded = match &stored.event {
                        Ok(event) => builder
                            .push(stored.sequence, Some(event.id.clone()), |to| {
                                self.sink.encode(Record::Event { event, unrecorded: false }, to)
                            })
                            .map_err(|e| e.to_string()),
                        Err(unreadable) => Err(unreadable.clone()),
                    };
                    if let Err(reason) = encoded {
                        let id = stored.event.as_ref().ok().map(|e| &e.id);
                        let at = stored.event.as_ref().map_or(stored.at.saturating_add(self.utc_offset), |e| e.at);
                        let absent = Absent { sequence: stored.sequence, id, at, reason: &reason };
                        // Writing a tombstone cannot fail.
                        let _ = builder.push(stored.sequence, id.cloned(), |to| {
                            self.sink.tombstone(absent, to);
                            Ok::<_, std::convert::Infallible>(())
                        });
                        done.set_aside.push(self.aside(stored.sequence, reason));
                    }
                    (upto, count) = (Some(stored.sequence), count + 1);
                }
            }
            Records::Metrics(entries) => {
                missing = entries.iter().next().map_or(0, |e| e.position.min(stretch.to.saturating_add(1)) - stretch.after - 1);
                for entry in entries.iter() {
                    if builder.bytes() >= BATCH_BYTES {
                        break;
                    }
                    if entry.position > stretch.to {
                        upto = upto.or(Some(stretch.to));
                        break;
                    }
                    if let Body::Clock { offset_ms, .. } = entry.body {
                        self.utc_offset = offset_ms;
                    }
                    let utc_ms = entry.at.saturating_add(self.utc_offset);
                    let encoded = builder.push(entry.position, None, |to| self.sink.encode(Record::Entry { entry, utc_ms }, to));
                    if let Err(e) = encoded {
                        done.set_aside.push(self.aside(entry.position, e.to_string()));
                    }
                    (upto, count) = (Some(entry.position), count + 1);
                }
            }
        }
        if missing > 0 {
            let (sink, lane) = (self.sink.name(), name(self.lane));
            tracing::error!(sink, lane, records = missing, "records had to make room before they were delivered");
            self.gauge.lost(missing);
        }
        self.gauge.encoded(count, builder.bytes() as u64);
        (builder.finish(), upto)
    }

    /// Until the receiver has answered for every parcel. A refused batch is halved until the record at fault stands alone; order is kept.
    /// False: the receiver was not reached and nothing of it went out.
    async fn deliver(&mut self, batch: &Batch, records: &Records, done: &mut Outcome) -> Result<bool, Stopped> {
        // Last in, first out.
        let mut work = Vec::new();
        if !batch.is_empty() {
            work.push(Work::Send(0..batch.len()));
        }
        while let Some(step) = work.pop() {
            match step {
                Work::Send(range) => {
                    let untouched = range.len() == batch.len() && done.set_aside.is_empty();
                    let part = batch.part(range.clone());
                    match self.send(&part).await? {
                        Ok(sent) => {
                            self.succeeded(part.len());
                            self.accept(&part, sent, range.start, &mut work, done);
                        }
                        Err(SendError::Poison { index, reason }) => self.divide(range, index, reason, &mut work),
                        Err(SendError::TooLarge { reason }) => {
                            self.limit = (range.len() / 2).max(1);
                            self.divide(range, None, reason, &mut work);
                        }
                        Err(SendError::Retry { reason, after }) => {
                            self.failed(LaneState::Retrying, &reason, after).await?;
                            if untouched {
                                return Ok(false);
                            }
                            work.push(Work::Send(range));
                        }
                        Err(SendError::Refused { reason }) => {
                            self.failed(LaneState::Refused, &reason, None).await?;
                            if untouched {
                                return Ok(false);
                            }
                            work.push(Work::Send(range));
                        }
                    }
                }
                Work::Doubt(index, reason) => self.doubt(batch, index, reason, &mut work, done).await?,
                Work::Bury(index, reason) => self.bury(batch, index, reason, records, &mut work, done).await?,
            }
        }
        Ok(true)
    }

    /// Books an answer. Rejected parcels are buried before anything else is sent.
    fn accept(&self, part: &Batch, sent: Sent, offset: usize, work: &mut Vec<Work>, done: &mut Outcome) {
        for receipt in &sent.receipts {
            if let Some(parcel) = part.parcels().get(receipt.index) {
                let (sink, at) = (self.sink.name().to_owned(), receipt.received_at);
                done.receipts.push(Receipt { sink, sequence: parcel.key, receipt: receipt.receipt.clone(), at });
            }
        }
        done.sent = done.sent.saturating_add((part.len().saturating_sub(sent.rejected.len())) as u64);
        for Rejection { index, reason, held } in sent.rejected.into_iter().rev() {
            match part.parcels().get(index) {
                Some(parcel) if held => done.set_aside.push(self.aside(parcel.key, reason)),
                Some(_) => work.push(Work::Bury(offset.saturating_add(index), reason)),
                None => {}
            }
        }
    }

    /// Cuts a refused range: around the parcel that the receiver suspects, or in the middle. A parcel that was refused alone is at fault.
    fn divide(&self, range: Range<usize>, suspect: Option<usize>, reason: String, work: &mut Vec<Work>) {
        if range.len() <= 1 {
            work.push(if self.lane == Lane::Alerts { Work::Doubt(range.start, reason) } else { Work::Bury(range.start, reason) });
            return;
        }
        let cuts = match suspect.map(|s| range.start.saturating_add(s)).filter(|s| range.contains(s)) {
            Some(s) => [range.start..s, s..s + 1, s + 1..range.end],
            None => {
                let middle = range.start + range.len() / 2;
                [range.start..middle, middle..range.end, range.end..range.end]
            }
        };
        work.extend(cuts.into_iter().rev().filter(|r| !r.is_empty()).map(Work::Send));
    }

    /// A proxy in the way refuses everything, and may be gone in the next moment: then the tombstone would be taken in the place of an alert that nobody has seen.
    /// An alert is at fault only when it is refused once more right after something else was taken.
    async fn doubt(
        &mut self,
        batch: &Batch,
        index: usize,
        reason: String,
        work: &mut Vec<Work>,
        done: &mut Outcome,
    ) -> Result<(), Stopped> {
        let beat = (self.beat)();
        let probe = tokio::select! {
            () = self.env.shutdown.cancelled() => return Err(Stopped),
            answer = self.sink.heartbeat(&beat) => answer,
        };
        let alone = index..index.saturating_add(1);
        if probe.is_err() {
            self.failed(LaneState::Refused, &reason, None).await?;
            work.push(Work::Send(alone));
            return Ok(());
        }
        let part = batch.part(alone.clone());
        match self.send(&part).await? {
            Ok(sent) => {
                self.succeeded(part.len());
                self.accept(&part, sent, index, work, done);
            }
            Err(SendError::Poison { reason, .. } | SendError::TooLarge { reason }) => work.push(Work::Bury(index, reason)),
            Err(SendError::Retry { reason, after }) => {
                self.failed(LaneState::Retrying, &reason, after).await?;
                work.push(Work::Send(alone));
            }
            Err(SendError::Refused { reason }) => {
                self.failed(LaneState::Refused, &reason, None).await?;
                work.push(Work::Send(alone));
            }
        }
        Ok(())
    }

    /// Sets a parcel aside. Where the receiver counts, it must take a tombstone first: a receiver that refuses even that refuses everything
    /// (a proxy in the way, say), and an alert must not be given up for it.
    async fn bury(
        &mut self,
        batch: &Batch,
        index: usize,
        reason: String,
        records: &Records,
        work: &mut Vec<Work>,
        done: &mut Outcome,
    ) -> Result<(), Stopped> {
        let Some(parcel) = batch.parcels().get(index) else { return Ok(()) };
        let mut builder = Builder::default();
        let event = match records {
            Records::Alerts(events) => events.iter().find(|e| e.sequence == parcel.key).and_then(|e| e.event.as_ref().ok()),
            Records::Metrics(_) => None,
        };
        if let Some(event) = event {
            let absent = Absent { sequence: event.sequence, id: Some(&event.id), at: event.at, reason: &reason };
            let _ = builder.push(event.sequence, Some(event.id.clone()), |to| {
                self.sink.tombstone(absent, to);
                Ok::<_, std::convert::Infallible>(())
            });
        }
        let tombstone = builder.finish();
        if tombstone.is_empty() {
            self.gauge.flowing();
        } else {
            match self.send(&tombstone).await? {
                Ok(sent) => {
                    self.succeeded(1);
                    let refused = sent.rejected.first().map(|r| format!("{reason}; so is its tombstone: {}", r.reason));
                    self.accept(&tombstone, Sent { rejected: Vec::new(), ..sent }, index, work, done);
                    // The tombstone went out, the record did not.
                    done.sent = done.sent.saturating_sub(1);
                    done.set_aside.push(self.aside(parcel.key, refused.unwrap_or(reason)));
                    return Ok(());
                }
                Err(e) => {
                    let (state, after) = match &e {
                        SendError::Retry { after, .. } => (LaneState::Retrying, *after),
                        SendError::Poison { .. } | SendError::TooLarge { .. } | SendError::Refused { .. } => (LaneState::Refused, None),
                    };
                    self.failed(state, &e.to_string(), after).await?;
                    work.push(Work::Send(index..index.saturating_add(1)));
                    return Ok(());
                }
            }
        }
        done.set_aside.push(self.aside(parcel.key, reason));
        Ok(())
    }

    fn aside(&self, key: u64, reason: String) -> SetAside {
        let (sink, lane) = (self.sink.name(), self.lane);
        tracing::warn!(sink, lane = name(lane), record = key, reason, "record set aside");
        SetAside { sink: sink.to_owned(), lane, at: key, reason, when: self.env.clock.utc_ms() }
    }

    /// One request. A request in flight at shutdown has a moment to come back, so that it need not be repeated.
    async fn send(&self, part: &Batch) -> Result<Result<Sent, SendError>, Stopped> {
        let request = self.sink.send(self.lane, part);
        tokio::pin!(request);
        let patience = self.patience();
        tokio::select! {
            biased;
            answer = &mut request => return Ok(answer),
            () = self.env.shutdown.cancelled() => {}
            () = sleep(patience.unwrap_or_default()), if patience.is_some() => {
                let reason = format!("no answer within {} ms", patience.unwrap_or_default().as_millis());
                return Ok(Err(SendError::Retry { reason, after: None }));
            }
        }
        timeout(self.env.timing.grace, request).await.map_err(|_| Stopped)
    }

    /// How long the next request may take, where that is less than the sink allows.
    fn patience(&self) -> Option<Duration> {
        let failures = self.backoff.failures();
        let long = failures > 1 && failures.is_power_of_two() && failures.trailing_zeros().is_multiple_of(2);
        match (self.lane, failures) {
            // A router that has forgotten an idle connection swallows what is sent on it: no alert waits half a minute for that.
            (Lane::Alerts, 0) => Some(self.env.timing.patience.saturating_mul(FIRST_PATIENCE)),
            (Lane::Alerts, _) if !long => Some(self.env.timing.patience),
            _ => None,
        }
    }

    fn succeeded(&mut self, parcels: usize) {
        self.backoff.reset();
        self.refused.reset();
        self.gauge.flowing();
        // Grow back slowly after a receiver found a batch too large.
        if parcels >= self.limit {
            self.limit = self.limit.saturating_add(self.limit / 16 + 1).min(batch_limit(self.lane));
        }
    }

    async fn failed(&mut self, state: LaneState, reason: &str, after: Option<Duration>) -> Result<(), Stopped> {
        let retried = self.backoff.next(rand::random(), after);
        let wait = if state == LaneState::Refused { self.refused.next(rand::random(), after) } else { retried };
        let (sink, lane) = (self.sink.name(), name(self.lane));
        if self.gauge.failing(state, reason, self.env.clock.utc_ms()) {
            tracing::warn!(sink, lane, reason, "delivery fails; records wait in the log");
        } else {
            tracing::debug!(sink, lane, reason, ?wait, "delivery still fails");
        }
        self.pause(wait).await
    }

    async fn store_failed(&mut self, e: LogError) -> Result<(), Stopped> {
        self.store_down = true;
        self.failed(LaneState::Retrying, &format!("the store: {e}"), None).await
    }

    fn store_answered(&mut self) {
        if std::mem::take(&mut self.store_down) {
            self.backoff.reset();
            self.refused.reset();
            self.gauge.flowing();
        }
    }

    async fn pause(&self, wait: Duration) -> Result<(), Stopped> {
        tokio::select! {
            () = self.env.shutdown.cancelled() => Err(Stopped),
            () = sleep(wait) => Ok(()),
        }
    }

    /// Hands the progress to the store; insists, because the receipts are known nowhere else.
    async fn save(&mut self, outcome: Outcome) -> Result<(), Stopped> {
        let Outcome { receipts, set_aside, .. } = outcome;
        let progress = Progress { sink: self.sink.name(), lane: self.lane, done: self.done.clone(), receipts, set_aside };
        while let Err(e) = self.env.log.advance(progress.clone()) {
            self.store_failed(e).await?;
        }
        self.store_answered();
        Ok(())
    }
}
