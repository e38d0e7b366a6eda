//! The writer thread: what the mailbox holds -> one transaction -> acknowledgements.
//!
//! A commit that fails is tried again with the same content until it succeeds, waiting longer each time; meanwhile nothing is
//! acknowledged, and intake stands still when the mailbox is full.
use super::body::Names;
use super::files::{self, LOG_FILE, Lock, Reserve};
use super::mailbox::{Gathered, Mailbox, NotTaken, Patience, Work};
use super::ops::Ops;
use super::pack::Packed;
use super::reader::Reader;
use super::retention::{self, Lanes, Plan, Room};
use super::ring::Ring;
use super::rolled::Roller;
use super::transaction::{self, Progress, Prune};
use super::{Batch, Committed, Disk, Health, Options, StoreError, schema};
use crate::clock::{Clock, Stopwatch};
use crate::engine::Body;
use crate::engine::input::{Action, PictureAct};
use crate::engine::view::View;
use crate::metrics::Metrics;
use miette::Diagnostic;
use rusqlite::{Connection, OptionalExtension};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;
use tuoan_protocol::LogId;

/// Asked around each COMMIT with the path of the file; an error before it stands for a disk that does not take it. For tests.
pub type Fault = Arc<dyn Fn(Moment, &Path) -> rusqlite::Result<()> + Send + Sync>;

/// When a [`Fault`] is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    BeforeCommit,
    /// On disk, nobody has been told yet.
    AfterCommit,
}

/// Real time spans of the writer.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Cursors and the like wait this long for a batch to ride along with.
    pub ops: Duration,
    /// In wear mode everything that is not urgent waits this long for company.
    pub wear: Duration,
    /// First and longest pause after a commit that failed.
    pub retry: (Duration, Duration),
    /// Pause between attempts to take the reserve again.
    pub reserve: Duration,
    /// Between looks at the room that is left, and at what has to go.
    pub survey: Duration,
    /// Between two blocks of old entries, while there are entries that wait for one.
    pub pack: Duration,
    /// Between two looks at old entries for roll-ups by the minute, while there are any.
    pub roll: Duration,
    /// `now` is written at least this often (engine time, milliseconds) while the engine steps without anything to store.
    pub now_ms: i64,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            ops: Duration::from_millis(100),
            wear: Duration::from_secs(2),
            retry: (Duration::from_millis(100), Duration::from_secs(2)),
            reserve: Duration::from_secs(10),
            survey: Duration::from_secs(10),
            pack: Duration::from_millis(100),
            roll: Duration::from_millis(100),
            now_ms: 60_000,
        }
    }
}

/// What the store needs from the rest of the gateway.
#[derive(Clone)]
pub struct Deps {
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    pub timing: Timing,
    pub fault: Option<Fault>,
}

impl Deps {
    pub fn new(clock: Clock, metrics: Arc<Metrics>) -> Deps {
        Deps { clock, metrics, timing: Timing::default(), fault: None }
    }
}

/// An open store with its writer thread. Dropped without [`Store::close`], it stops at once: what is not committed stays unacknowledged.
pub struct Store {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
    pub reader: Reader,
    pub ops: Ops,
    pub committed: watch::Receiver<Committed>,
    pub health: watch::Receiver<Health>,
    pub view: watch::Receiver<Arc<View>>,
    pub room: watch::Receiver<Arc<Room>>,
}

/// Where the log stood when it was opened. Its tail is read with [`Reader::entries_after`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    pub log: LogId,
    /// True when the log was created just now.
    pub fresh: bool,
    /// Engine time and UTC minus engine time of the last commit.
    pub now: i64,
    pub utc_offset: i64,
    pub position: u64,
    pub sequence: u64,
}

impl Store {
    /// Opens the store in `dir`, creating it if need be, and starts its writer.
    ///
    /// # Errors
    /// Another gateway runs on the directory; it cannot be written; the file is damaged, of a newer version, or none of ours.
    pub fn open(dir: &Path, options: Options, deps: Deps) -> Result<(Store, Recovered), StoreError> {
        files::create(dir)?;
        let lock = Lock::take(dir)?;
        let path = dir.join(LOG_FILE);
        let db = schema::open_writer(&path, lock.unclean)?;
        let read = |e: rusqlite::Error| schema::classify(&path, "reading", &e);
        let recovered = recover(&db, &deps.clock).map_err(read)?;
        let progress = Progress::load(&db).map_err(read)?;
        let names = Names::load(load_names(&db).map_err(read)?);
        let packed = Packed::load(&db).map_err(read)?;
        let roller = Roller::load(&db).map_err(read)?;
        let reserve = Reserve::new(dir, options.reserve_mb);
        reserve.restore();

        let (mailbox, ring) = (Arc::new(Mailbox::default()), Arc::new(Ring::default()));
        let at = Committed { position: recovered.position, sequence: recovered.sequence, utc_offset: recovered.utc_offset };
        let (committed_tx, committed) = watch::channel(at);
        let (health_tx, health) = watch::channel(Health::Healthy);
        let (view_tx, view) = watch::channel(Arc::new(View::default()));
        let (room_tx, room) = watch::channel(Arc::new(Room::default()));
        let reader = Reader::new(path.clone(), Some(Arc::clone(&ring)))?;
        let writer = Writer {
            path: path.clone(),
            db,
            names,
            progress,
            reserve,
            reserve_tried: Stopwatch::start(),
            lock,
            mailbox: Arc::clone(&mailbox),
            ring,
            options,
            deps,
            at,
            failures: 0,
            committed: committed_tx,
            health: health_tx,
            view: view_tx,
            room: room_tx,
            trusted: false,
            lanes: None,
            plan: None,
            surveyed: None,
            packed,
            packed_at: Some(Stopwatch::start()),
            pack_idle: false,
            roller,
            rolled_at: Some(Stopwatch::start()),
            roll_idle: false,
        };
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || writer.run()).map_err(|e| StoreError::Io {
            path,
            operation: "starting the writer thread",
            detail: e.to_string(),
        })?;
        let ops = Ops(Arc::clone(&mailbox));
        Ok((Store { mailbox, thread: Some(thread), reader, ops, committed, health, view, room }, recovered))
    }

    /// As [`Mailbox::breathe`].
    pub fn breathe(&self, limit: Duration) {
        self.mailbox.breathe(limit);
    }

    /// Hands a batch to the writer, waiting at most `wait` for room.
    pub fn submit(&self, batch: Box<Batch>, wait: Duration) -> Result<(), NotTaken> {
        self.mailbox.submit(batch, wait)
    }

    /// Writes what was handed over, folds the write-ahead log into the file and stops. Waits for a disk that does not answer.
    pub fn close(mut self) {
        self.mailbox.finish();
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer thread has panicked");
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.mailbox.stop();
        self.join();
    }
}

fn load_names(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare("SELECT text FROM name ORDER BY id")?.query_map([], |r| r.get(0))?.collect()
}

fn recover(db: &Connection, clock: &Clock) -> rusqlite::Result<Recovered> {
    let stored: Option<String> = db.query_row("SELECT value FROM meta WHERE key = 'log'", [], |r| r.get(0)).optional()?;
    let (log, fresh) = match stored.as_deref().map(LogId::new) {
        Some(Ok(log)) => (log, false),
        // A fresh file, or one whose creation was cut short before its first entry.
        _ => {
            let log = draw_log_id(clock.utc_ms());
            db.execute("INSERT OR REPLACE INTO meta VALUES('log', ?1)", [log.as_str()])?;
            (log, true)
        }
    };
    let number = |sql: &str| db.query_row(sql, [], |r| r.get::<_, i64>(0)).map(i64::unsigned_abs);
    let (now, utc_offset) = db.query_row("SELECT now, utc_offset FROM progress", [], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(Recovered {
        log,
        fresh,
        now,
        utc_offset,
        position: number("SELECT coalesce(max(position), 0) FROM log")?,
        sequence: number("SELECT coalesce(max(sequence), 0) FROM event")?,
    })
}

/// ULID: 48 bits of UTC milliseconds and 80 drawn at random, in Crockford base 32.
fn draw_log_id(utc_ms: i64) -> LogId {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bits = u128::from(utc_ms.unsigned_abs() & 0xffff_ffff_ffff) << 80 | (rand::random::<u128>() >> 48);
    let text: String = (0..26).rev().map(|i| char::from(DIGITS[(bits >> (5 * i) & 31) as usize])).collect();
    // 26 letters and digits are always a name.
    LogId::new(&text).unwrap_or_else(|_| draw_log_id(utc_ms))
}

struct Writer {
    path: PathBuf,
    db: Connection,
    names: Names,
    progress: Progress,
    reserve: Reserve,
    reserve_tried: Stopwatch,
    lock: Lock,
    mailbox: Arc<Mailbox>,
    ring: Arc<Ring>,
    options: Options,
    deps: Deps,
    at: Committed,
    /// Consecutive ones.
    failures: u32,
    committed: watch::Sender<Committed>,
    health: watch::Sender<Health>,
    view: watch::Sender<Arc<View>>,
    room: watch::Sender<Arc<Room>>,
    /// The clock is known to be right, by what was committed last; not before somebody has said so.
    trusted: bool,
    /// Lanes in use, once somebody has said which.
    lanes: Option<Lanes>,
    /// What has to go.
    plan: Option<Plan>,
    surveyed: Option<Stopwatch>,
    /// How far old entries are in blocks, when that was last seen to, and that there was nothing to do then.
    packed: Packed,
    packed_at: Option<Stopwatch>,
    pack_idle: bool,
    /// The same of roll-ups by the minute.
    roller: Roller,
    rolled_at: Option<Stopwatch>,
    roll_idle: bool,
}

impl Writer {
    fn run(mut self) {
        let mut work = Work::default();
        while self.mailbox.gather(&mut work, self.patience()) == Gathered::Ripe {
            match self.write(&work) {
                Ok(()) => {
                    self.recovered();
                    self.mailbox.finished(false);
                    self.publish(std::mem::take(&mut work));
                    self.mend_reserve();
                    self.survey(false);
                }
                Err(e) => {
                    self.failed(&e);
                    // The disk may have filled up since.
                    self.survey(is_full(&e));
                    self.mailbox.finished(true);
                    work.postpone();
                }
            }
        }
        if self.failures == 0 {
            if let Err(e) = self.db.pragma_update(None, "wal_checkpoint", "TRUNCATE") {
                tracing::debug!("the write-ahead log stays for the next start: {e}");
            }
            self.lock.mark_clean();
        }
    }

    fn patience(&self) -> Patience {
        let timing = &self.deps.timing;
        if self.failures > 0 {
            let (first, longest) = timing.retry;
            let pause = first.saturating_mul(1 << (self.failures - 1).min(16)).min(longest);
            return Patience { batch: pause, ops: pause };
        }
        if self.options.wear_mode {
            return Patience { batch: timing.wear, ops: timing.wear };
        }
        Patience { batch: Duration::ZERO, ops: timing.ops }
    }

    /// One transaction; on a full disk a second one in the room of the reserve, if an alarm is among it.
    fn write(&mut self, work: &Work) -> rusqlite::Result<()> {
        if let Some(batch) = &work.batch
            && batch.is_silent()
            && !work.ops.has_changes()
            && batch.now.saturating_sub(self.progress.now) < self.deps.timing.now_ms
        {
            self.progress.duplicates = self.progress.duplicates.saturating_add_unsigned(batch.duplicates);
            return Ok(());
        }
        if work.batch.is_none() && !work.ops.has_changes() {
            return Ok(());
        }
        match self.commit(work) {
            Err(e) if is_full(&e) && work.batch.as_ref().is_some_and(|b| b.urgent) && self.reserve.release() => {
                tracing::warn!("the disk is full: the reserve makes room for an alarm");
                let again = self.commit(work);
                // What the alarm did not need is kept for the next one.
                self.reserve.restore();
                self.reserve_tried = Stopwatch::start();
                again
            }
            other => other,
        }
    }

    fn commit(&mut self, work: &Work) -> rusqlite::Result<()> {
        let begun = Stopwatch::start();
        let (fault, path) = (&self.deps.fault, &self.path);
        // An alarm waits for nothing that is not its own.
        let urgent = work.batch.as_ref().is_some_and(|b| b.urgent);
        // A person's hold counts from its own commit on: what was planned before it may take what it keeps.
        if work.batch.as_ref().is_some_and(holds) {
            (self.plan, self.surveyed) = (None, None);
        }
        let prune = match (self.plan, &self.lanes) {
            (Some(plan), Some(lanes)) if !urgent => Some(Prune { plan, lanes, rolled: self.roller.upto() }),
            _ => None,
        };
        // Nor when the disk takes nothing: what is tried again shall need as little as it can.
        let roll = !urgent && self.failures == 0 && due(self.rolled_at, self.roll_idle, self.deps.timing.roll, self.deps.timing.survey);
        if roll {
            // What cannot be read keeps nothing from being written.
            let found = self.roller.gather(&self.db, self.progress.now);
            self.roll_idle = !found.unwrap_or_else(|e| {
                tracing::warn!("no readings by the minute: {}", schema::classify(&self.path, "reading", &e));
                false
            });
            self.rolled_at = Some(Stopwatch::start());
        }
        let before = || match fault {
            Some(fault) => fault(Moment::BeforeCommit, path),
            None => Ok(()),
        };
        let pack = due(self.packed_at, self.pack_idle, self.deps.timing.pack, self.deps.timing.survey);
        let pack = pack.then_some(self.packed).filter(|_| !urgent);
        let (batch, ops) = (work.batch.as_ref(), &work.ops);
        let roller = roll.then_some(&self.roller);
        let kept = transaction::commit(&mut self.db, batch, ops, &mut self.names, &mut self.progress, prune, pack, roller, before)?;
        if roll {
            self.roller.written();
        }
        if let Some(packed) = kept.packed {
            self.pack_idle = packed == self.packed;
            (self.packed, self.packed_at) = (packed, Some(Stopwatch::start()));
        }
        if let Some((plan, removed)) = kept.pruned {
            self.plan = plan.goes_on().then_some(plan);
            self.deps.metrics.entries_removed.inc_by(removed.entries);
            self.deps.metrics.incidents_removed.inc_by(removed.incidents);
        }
        if let Some(fault) = fault {
            // The commit stands, whatever is said of it now.
            let _ = fault(Moment::AfterCommit, path);
        }
        self.deps.metrics.commits.inc();
        self.deps.metrics.commit_seconds.observe(begun.elapsed().as_secs_f64());
        Ok(())
    }

    /// Tells everybody, after the commit.
    fn publish(&mut self, work: Work) {
        for waiter in work.ops.waiters {
            let _ = waiter.send(());
        }
        if let Some(claims) = work.ops.claims {
            self.lanes.get_or_insert_default().extend(claims);
            self.surveyed = None;
        }
        let Some(batch) = work.batch else { return };
        let metrics = &self.deps.metrics;
        metrics.stored.inc_by(batch.entries.iter().filter(|e| e.message).count() as u64);
        metrics.quarantined.inc_by(batch.quarantine.len() as u64);
        metrics.duplicate.inc_by(batch.duplicates);
        let before = self.at;
        self.at.position = batch.entries.last().map_or(before.position, |e| e.position);
        self.at.sequence = batch.events.last().map_or(before.sequence, |e| e.sequence);
        self.at.utc_offset = batch.utc_offset;
        // A batch that sets the clock says so itself. A view may be from before or after that: what either doubts is not trusted.
        let said = batch.entries.iter().rev().find_map(|e| if let Body::Clock { trusted, .. } = e.body { Some(trusted) } else { None });
        let seen = batch.view.as_ref().map(|v| v.clock_trusted);
        self.trusted = if seen.or(said).is_some() { seen != Some(false) && said != Some(false) } else { self.trusted };
        // Readers see it before its sender is told: who has been acknowledged finds what was said.
        self.ring.push(batch.entries);
        for ack in batch.acks {
            ack.done(crate::ingest::Stored::Yes);
        }
        if self.at != before {
            self.committed.send_replace(self.at);
        }
        if let Some(view) = batch.view {
            self.view.send_replace(view);
        }
        for reply in batch.replies {
            reply.send();
        }
    }

    fn failed(&mut self, e: &rusqlite::Error) {
        self.failures = self.failures.saturating_add(1);
        self.deps.metrics.commit_failures.inc();
        self.deps.metrics.disk_healthy.set(0);
        let error = schema::classify(&self.path, "writing", e);
        let help = error.help().map(|h| h.to_string()).unwrap_or_default();
        let now = self.deps.clock.utc_ms();
        let reason = format!("{error}. {help}");
        self.health.send_if_modified(|health| {
            let since = match health {
                Health::Degraded { since, .. } => *since,
                Health::Healthy => now,
            };
            let next = Health::Degraded { since, reason };
            let changed = *health != next;
            if changed {
                tracing::error!("nothing can be stored, intake stands still: {error} ({e})");
                *health = next;
            }
            changed
        });
    }

    fn recovered(&mut self) {
        if self.failures > 0 {
            tracing::info!("stored again, after {} failed attempts", self.failures);
            self.failures = 0;
            self.deps.metrics.disk_healthy.set(1);
            self.health.send_replace(Health::Healthy);
        }
    }

    /// Looks at the room that is left, and plans what has to go. While the last plan is carried out there is no other.
    fn survey(&mut self, full: bool) {
        let Some(lanes) = &self.lanes else { return };
        let due = self.surveyed.is_none_or(|s| s.elapsed() >= self.deps.timing.survey);
        if !due || (self.plan.is_some_and(|p| p.goes_on()) && !full) {
            return;
        }
        self.surveyed = Some(Stopwatch::start());
        let disk = self.path.parent().and_then(Disk::of);
        match retention::measure(&self.db, &self.options.retention, disk, lanes, self.trusted) {
            Ok((room, plan)) => {
                let metrics = &self.deps.metrics;
                metrics.store_bytes.set(i64::try_from(room.used).unwrap_or(i64::MAX));
                metrics.store_allowed.set(i64::try_from(room.allowed).unwrap_or(i64::MAX));
                self.room.send_replace(Arc::new(room));
                self.plan = Some(plan);
            }
            Err(e) => tracing::warn!("how much room the store has is not known: {}", schema::classify(&self.path, "reading", &e)),
        }
    }

    /// Takes the reserve again when there is room, without asking the disk at every commit.
    fn mend_reserve(&mut self) {
        if self.reserve_tried.elapsed() >= self.deps.timing.reserve {
            self.reserve_tried = Stopwatch::start();
            if !self.reserve.is_whole() {
                self.reserve.restore();
            }
        }
    }
}

impl Drop for Writer {
    /// Nobody may wait for a writer that is gone, however it went.
    fn drop(&mut self) {
        self.mailbox.stop();
    }
}

/// Whether it is time to see to what is old: soon again while there is any, else seldom.
fn due(last: Option<Stopwatch>, idle: bool, soon: Duration, seldom: Duration) -> bool {
    let pause = if idle { seldom.max(soon) } else { soon };
    last.is_none_or(|s| s.elapsed() >= pause)
}

/// Somebody holds an incident.
fn holds(batch: &Batch) -> bool {
    let hold = |body: &Body| matches!(body, Body::Command(c) if matches!(&c.action, Action::Pictures(d) if d.what == PictureAct::Hold));
    batch.entries.iter().any(|e| hold(&e.body))
}

fn is_full(e: &rusqlite::Error) -> bool {
    e.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}
