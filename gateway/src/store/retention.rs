//! How long the log is kept, how much room it has, and what goes when.
//!
//! Entries of `log` go oldest first: those older than `keep_days`, and earlier when the budget is short, though never those of the last week
//! that a metric lane still owes. A cut is always at a snapshot, which a replay can begin with; a snapshot whose own entry is gone counts as
//! none. Events stay for `keep_events_days` and at least [`AFTER_DELIVERY_DAYS`] after every alert lane has delivered them, whatever the
//! budget. What belongs to an incident that a person holds does not go at all: neither its events nor the log from before it on, whatever the
//! budget. What goes is on record (`removal.rs`). All of it is removed by the writer in small steps that ride along with commits which are not urgent: each leaves a log that is
//! whole from its first entry on, so that a crash between two of them costs nothing. Entries grow old by engine time; events and readings by the minute by UTC, and
//! not while the clock is not known to be right.
//!
//! Readings by the minute (`rolled.rs`) outlive the entries that they were made of, and no entry goes that is not in them. They go `keep_rollups_days` after, by
//! whole days; the oldest of them earlier, down to [`LEAST_DAYS`], when the log has given what it may and the budget is short still.
use super::pack::Packed;
use super::reader::{first_at, first_position};
use super::removal::{self, Rule};
use super::rollup::MINUTE_MS;
use super::transaction::int;
use super::{Disk, Lane, looks};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::BTreeSet;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Metrics that a lane owes are not removed within this time, however short the budget is.
pub const OWED_DAYS: i64 = 7;
/// An event that all have taken stays at least so long; at most twice that, because it is only noted every so often.
pub const AFTER_DELIVERY_DAYS: i64 = 30;
/// The least `keep_days`: an incident's page shows what was measured around it for a month.
pub const LEAST_DAYS: u32 = 30;
/// The least `keep_events_days` that a configuration may ask for: three years.
pub const LEAST_EVENTS_DAYS: u32 = 3 * 365;
/// An open incident's readings are kept from so long before it began.
const BEFORE_INCIDENT_MS: i64 = 30 * 60_000;
/// What an entry takes beside its body, in bytes: row header, position, time, its place in the page. Measured: see `docs/forward.md`.
const ENTRY_BYTES: u64 = 18;
/// What an incident event takes with its indices, its incident and a receipt, in bytes. Measured there, too.
const EVENT_BYTES: u64 = 600;
/// Rows that one step removes at most: about 25 KiB of pages.
pub const STEP_ROWS: u64 = 512;
/// Incidents that one step removes at most.
const STEP_INCIDENTS: i64 = 16;
/// Rows of roll-ups that one step removes at most: each some 20 KB.
const STEP_ROLLUPS: i64 = 16;
/// Incidents that a person holds: held since, and not released. What is held is on record with its reason (`picture_deed`, a projection of the log).
pub(super) const HELD: &str = "SELECT incident FROM picture_deed h WHERE what = 'hold' AND incident IS NOT NULL AND NOT EXISTS \
                    (SELECT 1 FROM picture_deed r WHERE r.what = 'release' AND r.incident = h.incident AND r.position > h.position)";
/// Share of the partition, in percent, that the store may take when no budget is set.
const SHARE: u64 = 60;
/// Of the disk's free room this much is left alone, or a fiftieth of a small disk.
const MARGIN: u64 = 64 << 20;
/// The rate of events is taken from this many of the newest.
const EVENTS_SEEN: i64 = 200;
/// No more hours than this are told: ten years.
const MOST_HOURS: f64 = 87_600.0;

/// What `[store]` says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days that the log is kept, at least [`LEAST_DAYS`].
    pub keep_days: u32,
    /// Days that incidents and their events are kept.
    pub keep_events_days: u32,
    /// Days that readings by the minute are kept, at least `keep_days`.
    pub keep_rollups_days: u32,
    /// Mebibytes that the store may take; `None`: 60 % of its partition.
    pub budget_mb: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { keep_days: 90, keep_events_days: 3 * 366, keep_rollups_days: 3 * 366, budget_mb: None }
    }
}

/// How much room the store has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Room {
    /// Bytes of the file that hold something; the rest of it is used again before the file grows.
    pub used: u64,
    /// Bytes to which that may come: the budget, or less when the disk has less.
    pub allowed: u64,
    /// The log as it is kept would take more than is allowed, and nothing of it may go.
    pub short: bool,
    /// Entries of the log and, by estimate, their bytes.
    pub entries: u64,
    pub log_bytes: u64,
    /// Of readings by the minute.
    pub rollup_bytes: u64,
    pub lanes: Vec<LaneRoom>,
    /// Days until it is full at the rate of the last day, ten years at most; then the oldest readings make room for the new. `None` while the rate
    /// is not known.
    pub days_left: Option<f64>,
}

/// How long a lane may be cut off.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneRoom {
    pub sink: String,
    pub lane: Lane,
    /// Hours from now until the first undelivered record has to make room, if nothing is delivered meanwhile and records keep coming as they
    /// do; `None` while that is not known.
    pub hours_left: Option<f64>,
}

impl Room {
    pub fn hours_left(&self, sink: &str, lane: Lane) -> Option<f64> {
        self.lanes.iter().find(|l| l.sink == sink && l.lane == lane)?.hours_left
    }
}

/// What has to go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    /// The first entry that is there.
    pub first: u64,
    /// Entries before this one go.
    pub below: u64,
    /// Closed incidents go whose last event is at most this one ...
    sequence: i64,
    /// ... and which have not changed since; UTC milliseconds.
    changed_before: i64,
    /// Entries go for want of room, not for their age.
    by_budget: bool,
    /// Roll-ups of minutes before this one go (UTC minutes since 1970), and whether for want of room.
    rollups_before: i64,
    rollups_by_budget: bool,
    /// What goes on from here is on record.
    announced: bool,
    /// UTC milliseconds of the survey, for the record.
    utc: i64,
}

/// Lanes that are in use at this moment: what a sink that is no longer configured has left behind holds nothing up.
pub type Lanes = BTreeSet<(String, Lane)>;

/// Looks at the store; some dozens of look-ups by key. While the clock is not `trusted`, nothing goes because UTC says that it is old.
pub fn measure(db: &Connection, retention: &Retention, disk: Option<Disk>, lanes: &Lanes, trusted: bool) -> rusqlite::Result<(Room, Plan)> {
    let number = |sql: &str| db.query_row(sql, [], |r| r.get::<_, i64>(0)).map(i64::unsigned_abs);
    let page = number("PRAGMA page_size")?;
    let empty = number("PRAGMA freelist_count")?.saturating_mul(page);
    let used = number("PRAGMA page_count")?.saturating_mul(page).saturating_sub(empty);
    let budget = retention.budget_mb.map(|mb| u64::from(mb) << 20);
    let allowed = match disk {
        Some(d) => {
            let spare = d.free.saturating_add(empty).saturating_add(used).saturating_sub(MARGIN.min(d.total / 50));
            budget.unwrap_or(d.total / 100 * SHARE).min(spare)
        }
        None => budget.unwrap_or(2 << 30),
    };
    let (first, last) = (first_position(db)?.unsigned_abs(), number("SELECT coalesce(max(position), 0) FROM log")?);
    let mut look = Look { db, first, last, now: 0, utc_offset: 0, entry_bytes: 0, trusted };
    let (bodies, counted): (i64, i64);
    (look.now, look.utc_offset, bodies, counted) = db
        .query_row("SELECT now, utc_offset, body_bytes, entries FROM progress", [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?;
    let entries = if last == 0 { 0 } else { last - first + 1 };
    let alone = bodies.unsigned_abs() / counted.unsigned_abs().max(1) + ENTRY_BYTES;
    let packed = Packed::load(db)?;
    let in_blocks = if packed.bytes > 0 { packed.bytes.div_ceil(packed.entries.max(1)) + 1 } else { alone };
    let loose = last.saturating_sub(packed.upto).min(entries);
    let log_bytes = ((entries - loose).saturating_mul(in_blocks) + loose.saturating_mul(alone)).min(used);
    // What an entry takes for most of its time: an hour after it has come it goes into a block.
    look.entry_bytes = if entries > 2 * loose { in_blocks } else { alone };

    let week = look.first_at(look.now.saturating_sub(OWED_DAYS * DAY_MS))?;
    let mut owed_from = last;
    for (sink, lane) in lanes.iter().filter(|l| l.1 == Lane::Metrics) {
        owed_from = owed_from.min(look.cursor(sink, *lane)?.saturating_add(1));
    }
    // What has to stay even with no room left.
    let guard = week.max(owed_from);
    let anchors = look.anchors()?;
    let (below, by_budget) = look.below(retention, &anchors, used.saturating_sub(allowed), guard)?;
    let utc = look.now.saturating_add(look.utc_offset);
    let over = used.saturating_sub(below.saturating_sub(first).saturating_mul(look.entry_bytes)).saturating_sub(allowed);
    let (rollups_before, rollups_by_budget, freed) = look.rollups_before(retention, over)?;
    let plan = Plan { first, below, by_budget, rollups_before, rollups_by_budget, utc, ..look.events_plan(retention, &anchors, lanes)? };
    let short = over > freed;

    let per_hour = look.entries_an_hour()?;
    let (rollup_bytes, rollups_an_hour) = look.rollup_bytes()?;
    let kept = f64::from(retention.keep_days) * 24.0;
    let others = used - log_bytes;
    let horizon = per_hour.map(|rate| {
        let fits = allowed.saturating_sub(others) as f64 / (rate * look.entry_bytes as f64 + rollups_an_hour);
        kept.min(fits)
    });
    let gives_way = week.saturating_sub(first).saturating_mul(look.entry_bytes);
    let for_events = allowed.saturating_sub(used.saturating_sub(gives_way.min(used)));
    let events_an_hour = look.events_an_hour()?;
    let mut rooms = Vec::with_capacity(lanes.len());
    for (sink, lane) in lanes {
        let hours_left = match lane {
            Lane::Alerts => events_an_hour.map(|rate| (for_events as f64 / (rate * EVENT_BYTES as f64)).min(MOST_HOURS)),
            Lane::Metrics => {
                let age = look.age(look.cursor(sink, *lane)?.saturating_add(1))?;
                horizon.map(|h| (h - age as f64 / HOUR_MS as f64).max(0.0))
            }
        };
        rooms.push(LaneRoom { sink: sink.clone(), lane: *lane, hours_left });
    }
    let looks = looks::bytes_an_hour(db, look.now.saturating_add(look.utc_offset))?;
    let fills = |rate: f64| allowed.saturating_sub(used) as f64 / (rate * look.entry_bytes as f64 + rollups_an_hour + looks);
    let days_left = per_hour.map(|rate| fills(rate).min(MOST_HOURS) / 24.0);
    Ok((Room { used, allowed, short, entries, log_bytes, rollup_bytes, lanes: rooms, days_left }, plan))
}

/// A snapshot that a replay can begin with.
struct Anchor {
    position: u64,
    sequence: i64,
    /// Engine time of the entry there.
    at: i64,
}

struct Look<'a> {
    db: &'a Connection,
    first: u64,
    last: u64,
    now: i64,
    utc_offset: i64,
    entry_bytes: u64,
    /// `utc_offset` is known to be right.
    trusted: bool,
}

impl Look<'_> {
    /// Position of the first entry at or after `at`.
    fn first_at(&self, at: i64) -> rusqlite::Result<u64> {
        Ok(first_at(self.db, at)?.unsigned_abs())
    }
    fn at(&self, position: u64) -> rusqlite::Result<Option<i64>> {
        // Of an entry in a block that of the block's last: minutes later at most.
        let sql = "SELECT at FROM log WHERE position >= ?1 ORDER BY position LIMIT 1";
        self.db.prepare_cached(sql)?.query_row([int(position)], |r| r.get(0)).optional()
    }
    fn cursor(&self, sink: &str, lane: Lane) -> rusqlite::Result<u64> {
        let sql = "SELECT at FROM cursor WHERE sink = ?1 AND lane = ?2";
        let at: Option<i64> = self.db.prepare_cached(sql)?.query_row(params![sink, lane.number()], |r| r.get(0)).optional()?;
        Ok(at.unwrap_or(0).unsigned_abs())
    }
    /// Milliseconds since that entry came, or the oldest that is still there; 0 when it has not come yet.
    fn age(&self, position: u64) -> rusqlite::Result<i64> {
        if position > self.last {
            return Ok(0);
        }
        Ok(self.at(position.max(self.first))?.map_or(0, |at| self.now.saturating_sub(at).max(0)))
    }
    /// Oldest first. The newest is left out: while it is the only one that can be read, the log is not cut at it.
    fn anchors(&self) -> rusqlite::Result<Vec<Anchor>> {
        let sql = "SELECT s.position, s.sequence, l.at FROM snapshot s JOIN log l ON l.position = s.position ORDER BY s.position";
        let row = |r: &rusqlite::Row<'_>| Ok(Anchor { position: r.get::<_, i64>(0)?.unsigned_abs(), sequence: r.get(1)?, at: r.get(2)? });
        let mut anchors = self.db.prepare_cached(sql)?.query_map([], row)?.collect::<rusqlite::Result<Vec<_>>>()?;
        anchors.pop();
        Ok(anchors)
    }
    /// Position from which on the log is kept because an incident is held: a person's word, which no budget overrides.
    fn held_from(&self) -> rusqlite::Result<Option<u64>> {
        let sql = format!("SELECT min(opened_at) FROM incident WHERE id IN ({HELD})");
        let opened: Option<i64> = self.db.prepare_cached(&sql)?.query_row([], |r| r.get(0))?;
        opened.map(|utc| self.first_at(utc.saturating_sub(self.utc_offset).saturating_sub(BEFORE_INCIDENT_MS))).transpose()
    }
    /// Entries before that go; true when it is for want of room.
    fn below(&self, retention: &Retention, anchors: &[Anchor], excess: u64, guard: u64) -> rusqlite::Result<(u64, bool)> {
        let sql = "SELECT min(opened_at) FROM incident WHERE closed = 0";
        let opened: Option<i64> = self.db.query_row(sql, [], |r| r.get(0))?;
        let open = opened.map_or(i64::MAX, |utc| utc.saturating_sub(self.utc_offset).saturating_sub(BEFORE_INCIDENT_MS));
        let old = self.now.saturating_sub(i64::from(retention.keep_days.max(LEAST_DAYS)) * DAY_MS).min(open);
        let held = self.held_from()?.unwrap_or(u64::MAX);
        let guard = guard.min(held);
        let by_age = anchors.iter().rev().find(|a| a.at <= old && a.position <= held).map_or(0, |a| a.position);
        let by_budget = if excess == 0 {
            0
        } else {
            let wanted = self.first.saturating_add(excess / self.entry_bytes.max(1)).saturating_add(1).min(guard);
            let mut allowed = anchors.iter().map(|a| a.position).take_while(|p| *p <= guard);
            let mut best = 0;
            while best < wanted
                && let Some(next) = allowed.next()
            {
                best = next;
            }
            best
        };
        Ok((by_age.max(by_budget).max(self.first), by_budget > by_age))
    }
    /// Roll-ups of minutes before which go, whether for want of room, and about how many bytes that gives. Whole days (UTC) at a time: what goes is on record.
    fn rollups_before(&self, retention: &Retention, over: u64) -> rusqlite::Result<(i64, bool, u64)> {
        const DAY_MINUTES: i64 = 1440;
        let days_ago = |days: u32| {
            let utc = self.now.saturating_add(self.utc_offset).saturating_sub(i64::from(days).saturating_mul(DAY_MS));
            utc.div_euclid(DAY_MS).saturating_mul(DAY_MINUTES)
        };
        let sql = format!("SELECT min(opened_at) FROM incident WHERE id IN ({HELD})");
        let held: Option<i64> = self.db.prepare_cached(&sql)?.query_row([], |r| r.get(0))?;
        let held = held.map_or(i64::MAX, |utc| utc.saturating_sub(BEFORE_INCIDENT_MS).div_euclid(MINUTE_MS));
        let by_age = if self.trusted { days_ago(retention.keep_rollups_days.max(LEAST_DAYS)).min(held) } else { i64::MIN };
        let most = days_ago(LEAST_DAYS).min(held);
        let (mut before, mut freed) = (by_age, 0u64);
        if over > 0 {
            let sql = "SELECT to_minute, length(body) FROM rollup WHERE to_minute < ?1 ORDER BY to_minute";
            let mut statement = self.db.prepare_cached(sql)?;
            let mut rows = statement.query([most])?;
            while let Some(row) = rows.next()? {
                let (minute, bytes): (i64, i64) = (row.get(0)?, row.get(1)?);
                if freed >= over && minute >= before {
                    break;
                }
                freed = freed.saturating_add(bytes.unsigned_abs());
                before = before.max(minute.div_euclid(DAY_MINUTES).saturating_add(1).saturating_mul(DAY_MINUTES).min(most));
            }
        }
        Ok((before, before > by_age, freed))
    }
    /// Bytes of all roll-ups, by the mean of the newest, and what they grow by in an hour.
    fn rollup_bytes(&self) -> rusqlite::Result<(u64, f64)> {
        let rows: i64 = self.db.prepare_cached("SELECT count(*) FROM rollup")?.query_row([], |r| r.get(0))?;
        let sql = "SELECT count(*), coalesce(sum(length(body)), 0), coalesce(min(from_minute), 0), coalesce(max(to_minute), 0) FROM \
                   (SELECT body, from_minute, to_minute FROM rollup WHERE to_minute > ?1 ORDER BY to_minute DESC LIMIT 100)";
        let day = self.now.saturating_add(self.utc_offset).saturating_sub(DAY_MS).div_euclid(MINUTE_MS);
        let row = |r: &rusqlite::Row<'_>| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, r.get::<_, i64>(2)?, r.get::<_, i64>(3)?));
        let (n, bytes, from, to) = self.db.prepare_cached(sql)?.query_row([day], row)?;
        let mean = bytes.unsigned_abs() / n.unsigned_abs().max(1);
        let hours = to.saturating_sub(from).saturating_add(1) as f64 / 60.0;
        Ok((mean.saturating_mul(rows.unsigned_abs()), if n > 0 { bytes as f64 / hours } else { 0.0 }))
    }
    fn events_plan(&self, retention: &Retention, anchors: &[Anchor], lanes: &Lanes) -> rusqlite::Result<Plan> {
        // The newest stays, because the numbers go on from it; and what a replay from the oldest snapshot compares.
        let newest: i64 = self.db.query_row("SELECT coalesce(max(sequence), 0) FROM event", [], |r| r.get(0))?;
        let mut sequence = newest.saturating_sub(1).min(anchors.first().map_or(0, |a| a.sequence));
        for (sink, lane) in lanes.iter().filter(|l| l.1 == Lane::Alerts) {
            let sql = "SELECT at FROM settled WHERE sink = ?1 AND lane = ?2";
            let settled: Option<i64> = self.db.prepare_cached(sql)?.query_row(params![sink, lane.number()], |r| r.get(0)).optional()?;
            sequence = sequence.min(settled.unwrap_or(0));
        }
        let kept_ms = i64::from(retention.keep_events_days).saturating_mul(DAY_MS);
        let changed_before = if self.trusted { self.now.saturating_add(self.utc_offset).saturating_sub(kept_ms) } else { i64::MIN };
        Ok(Plan { sequence, changed_before, ..Plan::default() })
    }
    /// Over the last day, or the time since the log began; `None` in its first minutes and while nothing comes.
    fn entries_an_hour(&self) -> rusqlite::Result<Option<f64>> {
        let Some(begun) = self.at(self.first)? else { return Ok(None) };
        let from = self.now.saturating_sub(DAY_MS).max(begun);
        let n = self.last.saturating_add(1).saturating_sub(self.first_at(from)?);
        let hours = self.now.saturating_sub(from) as f64 / HOUR_MS as f64;
        Ok((n > 0 && hours >= 1.0 / 12.0).then(|| n as f64 / hours))
    }
    fn events_an_hour(&self) -> rusqlite::Result<Option<f64>> {
        let sql = "SELECT count(*), min(at) FROM (SELECT at FROM event ORDER BY sequence DESC LIMIT ?1)";
        let (n, since): (i64, Option<i64>) = self.db.query_row(sql, [EVENTS_SEEN], |r| Ok((r.get(0)?, r.get(1)?)))?;
        let hours = since.map_or(0.0, |at| self.now.saturating_sub(at) as f64 / HOUR_MS as f64);
        Ok((n > 0).then(|| n as f64 / hours.max(1.0)))
    }
}

/// What one step has removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    pub entries: u64,
    pub incidents: u64,
}

impl Plan {
    /// Removes a little of it; the next step of the plan.
    /// `rolled`: entries up to this position are in roll-ups; others stay.
    pub fn step(mut self, tx: &Transaction<'_>, lanes: &Lanes, now: i64, rolled: u64) -> rusqlite::Result<(Plan, Removed)> {
        let mut removed = Removed::default();
        self.below = self.below.min(rolled.saturating_add(1));
        let mut next = self;
        if self.first < self.below {
            next.first = self.below.min(self.first.saturating_add(STEP_ROWS));
            let kept_from = first_position(tx)?;
            if !self.announced {
                let rule = if self.by_budget { Rule::Budget } else { Rule::Age };
                removal::entries(tx, self.utc, rule, kept_from.unsigned_abs(), self.below)?;
                next.announced = true;
            }
            let gone = tx.prepare_cached("DELETE FROM log WHERE position < ?1")?.execute([int(next.first)])?;
            if gone > 0 {
                // Of blocks only whole ones have gone.
                let now_from = first_position(tx)?;
                removed.entries = (now_from - kept_from).unsigned_abs();
            }
            tx.prepare_cached("DELETE FROM snapshot WHERE position < ?1")?.execute([int(next.first)])?;
            if next.first == self.below {
                tx.prepare_cached("DELETE FROM set_aside WHERE lane = ?2 AND at < ?1")?
                    .execute(params![int(next.first), Lane::Metrics.number()])?;
                let sql = "DELETE FROM clock_step WHERE position < (SELECT max(position) FROM clock_step WHERE position <= ?1)";
                tx.prepare_cached(sql)?.execute([int(next.first)])?;
            }
            return Ok((next, removed));
        }
        self.rollups(tx)?;
        settle(tx, lanes, now)?;
        let sql = format!(
            "SELECT id FROM incident WHERE closed = 1 AND changed_at < ?1 AND sequence <= ?2 AND id NOT IN ({HELD}) ORDER BY changed_at LIMIT ?3"
        );
        let mut statement = tx.prepare_cached(&sql)?;
        let found = statement.query_map(params![self.changed_before, self.sequence, STEP_INCIDENTS], |r| r.get::<_, String>(0))?;
        for id in found.collect::<rusqlite::Result<Vec<_>>>()? {
            let events = "SELECT sequence FROM event WHERE incident = ?1";
            removal::incident(tx, self.utc, Rule::EventAge, &id)?;
            tx.prepare_cached(&format!("DELETE FROM receipt WHERE sequence IN ({events})"))?.execute([&id])?;
            tx.prepare_cached("DELETE FROM event WHERE incident = ?1")?.execute([&id])?;
            tx.prepare_cached("DELETE FROM incident WHERE id = ?1")?.execute([&id])?;
            super::search::remove(tx, &id)?;
            removed.incidents += 1;
        }
        Ok((next, removed))
    }
    /// Some roll-ups that are to go.
    fn rollups(&self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        let rule = if self.rollups_by_budget { Rule::RollupBudget } else { Rule::RollupAge };
        let sql = "SELECT first, upto, minutes FROM rollup WHERE to_minute < ?1 ORDER BY to_minute, upto LIMIT ?2";
        let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?, r.get(2)?));
        let mut statement = tx.prepare_cached(sql)?;
        let rows = statement.query_map([self.rollups_before, STEP_ROLLUPS], row)?.collect::<rusqlite::Result<Vec<(i64, i64, i64)>>>()?;
        removal::rollups(tx, self.utc, rule, &rows)?;
        let mut delete = tx.prepare_cached("DELETE FROM rollup WHERE upto = ?1")?;
        rows.iter().try_for_each(|(_, upto, _)| delete.execute([upto]).map(drop))
    }
    /// Entries are still to go.
    pub fn goes_on(&self) -> bool {
        self.first < self.below
    }
}

/// Notes how far the alert lanes have come, once in [`AFTER_DELIVERY_DAYS`]: what was delivered at one note has been so for long at the next.
fn settle(tx: &Transaction<'_>, lanes: &Lanes, now: i64) -> rusqlite::Result<()> {
    for (sink, lane) in lanes.iter().filter(|l| l.1 == Lane::Alerts) {
        let key = params![sink, lane.number(), now];
        let begin = "INSERT OR IGNORE INTO settled SELECT sink, lane, 0, at, ?3 FROM cursor WHERE sink = ?1 AND lane = ?2";
        tx.prepare_cached(begin)?.execute(key)?;
        let later = "UPDATE settled SET at = marked, since = ?3, \
                     marked = (SELECT at FROM cursor c WHERE c.sink = settled.sink AND c.lane = settled.lane) \
                     WHERE sink = ?1 AND lane = ?2 AND since <= ?3 - ?4";
        tx.prepare_cached(later)?.execute(params![sink, lane.number(), now, AFTER_DELIVERY_DAYS * DAY_MS])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
