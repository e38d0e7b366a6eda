//! What one commit writes: everything of a batch and the small operations that ride along, or nothing.
use super::body::{self, Names};
use super::ops::Pending;
use super::pack::Packed;
use super::retention::{Lanes, Plan, Removed};
use super::rolled::Roller;
use super::{Batch, Entry, Quarantined, Retained};
use super::{deeds, leaves, ledger, looks, notices};
use crate::engine::input::{Action, PictureDeed};
use crate::engine::{Body, Command};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use tuoan_evidence::Kind;
use tuoan_protocol::codec::Wire;
use tuoan_protocol::{Basis, Exercise, IncidentEvent};

/// Quarantined messages kept; the oldest make room.
pub const QUARANTINE_ROWS: i64 = 10_000;
/// Bytes of them kept.
pub const QUARANTINE_BYTES: i64 = 64 << 20;
/// Topics that may hold a retained message.
pub const MAX_RETAINED: i64 = 10_000;
/// The newest snapshots, which a start begins with. Of those before them the first of each day stays for as long as the log after it.
const SNAPSHOTS: i64 = 2;
const DAY_MS: i64 = 86_400_000;

/// The `progress` row, and what is counted at the start instead of being kept there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub now: i64,
    pub utc_offset: i64,
    pub messages: i64,
    pub entries: i64,
    pub duplicates: i64,
    pub quarantined: i64,
    pub quarantine_dropped: i64,
    pub quarantine_rows: i64,
    pub quarantine_bytes: i64,
    pub events: i64,
    pub body_bytes: i64,
    pub retained_rows: i64,
}

impl Progress {
    pub fn load(db: &Connection) -> rusqlite::Result<Progress> {
        let retained_rows = db.query_row("SELECT count(*) FROM retained", [], |r| r.get(0))?;
        db.query_row(
            "SELECT now, utc_offset, messages, entries, duplicates, quarantined, quarantine_dropped, quarantine_rows, quarantine_bytes, \
             events, body_bytes FROM progress",
            [],
            |r| {
                Ok(Progress {
                    now: r.get(0)?,
                    utc_offset: r.get(1)?,
                    messages: r.get(2)?,
                    entries: r.get(3)?,
                    duplicates: r.get(4)?,
                    quarantined: r.get(5)?,
                    quarantine_dropped: r.get(6)?,
                    quarantine_rows: r.get(7)?,
                    quarantine_bytes: r.get(8)?,
                    events: r.get(9)?,
                    body_bytes: r.get(10)?,
                    retained_rows,
                })
            },
        )
    }
    fn save(&self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        tx.prepare_cached(
            "UPDATE progress SET now = ?1, utc_offset = ?2, messages = ?3, entries = ?4, duplicates = ?5, quarantined = ?6, \
             quarantine_dropped = ?7, quarantine_rows = ?8, quarantine_bytes = ?9, events = ?10, body_bytes = ?11",
        )?
        .execute([
            self.now,
            self.utc_offset,
            self.messages,
            self.entries,
            self.duplicates,
            self.quarantined,
            self.quarantine_dropped,
            self.quarantine_rows,
            self.quarantine_bytes,
            self.events,
            self.body_bytes,
        ])?;
        Ok(())
    }
}

/// What goes with a commit that is not urgent.
#[derive(Clone, Copy)]
pub struct Prune<'a> {
    pub plan: Plan,
    pub lanes: &'a Lanes,
    /// Entries up to this position are in roll-ups.
    pub rolled: u64,
}

/// What came of what went with a commit.
#[derive(Clone, Copy, Default)]
pub struct Kept {
    /// What remains of the plan, when there was one, and what was removed.
    pub pruned: Option<(Plan, Removed)>,
    /// How far old entries are in blocks, when that was seen to.
    pub packed: Option<Packed>,
}

/// Writes all of it and commits; `before_commit` may still refuse. On an error nothing has changed, `names` and `progress` included.
#[allow(clippy::too_many_arguments)]
pub fn commit(
    db: &mut Connection,
    batch: Option<&Batch>,
    ops: &Pending,
    names: &mut Names,
    progress: &mut Progress,
    prune: Option<Prune<'_>>,
    pack: Option<Packed>,
    roll: Option<&Roller>,
    before_commit: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<Kept> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut next = *progress;
    if let Some(batch) = batch {
        next.now = batch.now;
        next.utc_offset = batch.utc_offset;
        next.duplicates = next.duplicates.saturating_add_unsigned(batch.duplicates);
        log(&tx, batch, names, &mut next)?;
        events(&tx, batch, &mut next)?;
        outbox(&tx, batch)?;
        ledger::insert(&tx, &batch.ledger)?;
        notices::insert(&tx, &batch.notices, batch.now.saturating_add(batch.utc_offset))?;
        for message in &batch.quarantine {
            quarantine(&tx, message, &mut next)?;
        }
        if let Some(s) = &batch.snapshot {
            tx.prepare_cached("INSERT OR REPLACE INTO snapshot VALUES(?1, ?2, ?3)")?.execute(params![
                int(s.position),
                int(s.sequence),
                s.bytes
            ])?;
            thin(&tx)?;
        }
    }
    operations(&tx, ops, &mut next)?;
    next.save(&tx)?;
    // What is rolled up may go from the next commit on.
    if let Some(roll) = roll {
        roll.write(&tx)?;
    }
    let pruned = match prune {
        Some(p) => Some(p.plan.step(&tx, p.lanes, next.now, p.rolled)?),
        None => None,
    };
    let packed = pack.map(|p| p.step(&tx, next.now)).transpose()?;
    before_commit()?;
    tx.commit()?;
    names.mark_saved();
    *progress = next;
    Ok(Kept { pruned, packed })
}

/// The snapshot that is no longer among the newest goes, unless it is the first of its day.
fn thin(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    let sql =
        "SELECT s.position, l.at FROM snapshot s LEFT JOIN log l ON l.position = s.position ORDER BY s.position DESC LIMIT 2 OFFSET ?1";
    let mut statement = tx.prepare_cached(sql)?;
    let found = statement.query_map([SNAPSHOTS], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Option<i64>>(1)?)))?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let day = |at: &Option<i64>| at.map(|at| at.div_euclid(DAY_MS));
    if let [(position, at), (_, before)] = found.as_slice()
        && day(at) == day(before)
    {
        tx.prepare_cached("DELETE FROM snapshot WHERE position = ?1")?.execute([position])?;
    }
    Ok(())
}

/// SQLite's integers are signed; positions and sequences never come near the limit.
pub fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn unwritable(detail: String) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(detail.into())
}

fn log(tx: &Transaction<'_>, batch: &Batch, names: &mut Names, next: &mut Progress) -> rusqlite::Result<()> {
    if batch.entries.is_empty() {
        return Ok(());
    }
    if next.entries == 0
        && let Some(first) = batch.entries.first()
    {
        clock_step(tx, first.position, batch.utc_offset)?;
    }
    let mut insert = tx.prepare_cached("INSERT INTO log VALUES(?1, ?2, ?3, ?4)")?;
    for entry in &batch.entries {
        let bytes = body::encode(&entry.body, entry.at, names).map_err(unwritable)?;
        insert.execute(params![int(entry.position), entry.at, entry.message, bytes])?;
        next.entries += 1;
        next.messages += i64::from(entry.message);
        next.body_bytes = next.body_bytes.saturating_add_unsigned(bytes.len() as u64);
        match &entry.body {
            Body::Command(Command { actor, action: Action::Pictures(deed), .. }) => picture_deed(tx, entry, batch.utc_offset, actor, deed)?,
            Body::Clock { offset_ms, .. } => clock_step(tx, entry.position, *offset_ms)?,
            _ => {}
        }
    }
    let mut insert = tx.prepare_cached("INSERT INTO name VALUES(?1, ?2)")?;
    for (number, name) in names.unsaved() {
        insert.execute(params![int(number as u64), name])?;
    }
    Ok(())
}

fn clock_step(tx: &Transaction<'_>, position: u64, utc_offset: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO clock_step VALUES(?1, ?2)")?.execute([int(position), utc_offset])?;
    Ok(())
}

/// The canonical bytes of a deed are this as JSON, in this order.
#[derive(serde::Serialize)]
struct PictureRecord<'a> {
    /// UTC milliseconds.
    at: i64,
    actor: &'a str,
    what: &'a str,
    camera: Option<&'a str>,
    incident: Option<&'a str>,
    reason: &'a str,
    position: u64,
}

fn record_about(deed: &PictureDeed) -> Option<&str> {
    deed.incident.as_ref().map(|i| i.as_str())
}

fn picture_deed(tx: &Transaction<'_>, entry: &Entry, utc_offset: i64, actor: &str, deed: &PictureDeed) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO picture_deed VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(params![
        int(entry.position),
        entry.at.saturating_add(utc_offset),
        actor,
        deed.what.name(),
        deed.camera.as_ref().map(|c| c.as_str()),
        deed.incident.as_ref().map(|i| i.as_str()),
        deed.reason
    ])?;
    let record = PictureRecord {
        at: entry.at.saturating_add(utc_offset),
        actor,
        what: deed.what.name(),
        camera: deed.camera.as_ref().map(|c| c.as_str()),
        incident: deed.incident.as_ref().map(|i| i.as_str()),
        reason: &deed.reason,
        position: entry.position,
    };
    let record = serde_json::to_vec(&record).map_err(|e| unwritable(e.to_string()))?;
    leaves::append(tx, Kind::PictureDeed, int(entry.position), record_about(deed), &record)?;
    Ok(())
}

fn events(tx: &Transaction<'_>, batch: &Batch, next: &mut Progress) -> rusqlite::Result<()> {
    for e in &batch.events {
        let bytes = e.to_cbor_vec().map_err(|e| unwritable(e.to_string()))?;
        let (sequence, position) = (int(e.sequence), int(e.position));
        tx.prepare_cached("INSERT INTO event VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            sequence,
            position,
            batch.now,
            e.id.as_str(),
            e.incident.as_str(),
            bytes
        ])?;
        leaves::append(tx, Kind::Event, sequence, None, &bytes)?;
        // The canary proves the chain; it is no incident.
        if e.exercise != Some(Exercise::Canary) {
            project(tx, e)?;
            super::search::project(tx, e)?;
        }
        next.events += 1;
    }
    Ok(())
}

/// Folds an event into the present state of its incident.
fn project(tx: &Transaction<'_>, e: &IncidentEvent) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO incident VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13) ON CONFLICT(id) DO UPDATE SET \
         severity = ?5, basis = ?6, active = ?7, acknowledged = ?8, closed = ?9, activations = ?11, changed_at = ?12, sequence = ?13",
    )?
    .execute(params![
        e.incident.as_str(),
        e.hazard.as_str(),
        e.place.zone.as_str(),
        e.place.device.as_ref().map(|d| d.as_str()),
        u8::from(e.severity),
        e.basis == Basis::Confirmed,
        e.state.active,
        e.state.acknowledged,
        e.state.closed,
        e.rule.as_str(),
        e.activations,
        e.at,
        int(e.sequence),
    ])?;
    Ok(())
}

fn outbox(tx: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<()> {
    for c in &batch.commands {
        let action = serde_json::to_string(&c.action).map_err(|e| unwritable(e.to_string()))?;
        tx.prepare_cached("INSERT INTO outbox(id, device, action, expires, created) VALUES(?1, ?2, ?3, ?4, ?5)")?.execute(params![
            int(c.id),
            c.device.as_str(),
            action,
            c.expires,
            batch.now
        ])?;
    }
    for (device, id) in &batch.confirmed {
        // Another device's word must not silence the order to a siren.
        tx.prepare_cached("UPDATE outbox SET confirmed = ?3 WHERE id = ?1 AND device = ?2 AND confirmed IS NULL")?.execute(params![
            int(*id),
            device.as_str(),
            batch.now
        ])?;
    }
    Ok(())
}

fn quarantine(tx: &Transaction<'_>, m: &Quarantined, next: &mut Progress) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO quarantine(utc, topic, payload, retained, decoder, reason) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![m.at, m.topic, m.payload, m.retained, m.decoder, m.reason])?;
    next.quarantined += 1;
    next.quarantine_rows += 1;
    next.quarantine_bytes = next.quarantine_bytes.saturating_add_unsigned((m.payload.len() + m.topic.len() + m.reason.len()) as u64);
    while next.quarantine_rows > QUARANTINE_ROWS || next.quarantine_bytes > QUARANTINE_BYTES {
        let oldest: i64 = tx.prepare_cached("SELECT min(id) FROM quarantine")?.query_row([], |r| r.get(0))?;
        if !remove_quarantined(tx, oldest, next)? {
            break;
        }
        next.quarantine_dropped += 1;
    }
    Ok(())
}

fn remove_quarantined(tx: &Transaction<'_>, id: i64, next: &mut Progress) -> rusqlite::Result<bool> {
    // Counted in bytes, as on the way in: `length` of a text counts characters.
    let mut delete = tx.prepare_cached(
        "DELETE FROM quarantine WHERE id = ?1 RETURNING length(payload) + length(CAST(topic AS BLOB)) + length(CAST(reason AS BLOB))",
    )?;
    let mut rows = delete.query([id])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    let bytes: i64 = row.get(0)?;
    // A RETURNING statement takes effect when it is read to its end.
    while rows.next()?.is_some() {}
    next.quarantine_rows -= 1;
    next.quarantine_bytes = next.quarantine_bytes.saturating_sub(bytes);
    Ok(true)
}

fn operations(tx: &Transaction<'_>, ops: &Pending, next: &mut Progress) -> rusqlite::Result<()> {
    for (sink, lane) in ops.claims.iter().flatten() {
        tx.prepare_cached("INSERT OR IGNORE INTO cursor(sink, lane, at) VALUES(?1, ?2, 0)")?.execute(params![sink, lane.number()])?;
    }
    for ((sink, lane), done) in &ops.cursors {
        // A cursor never goes back: what a sink has taken it is not asked to take again.
        tx.prepare_cached(
            "INSERT INTO cursor(sink, lane, at, ahead) VALUES(?1, ?2, ?3, ?4) \
             ON CONFLICT(sink, lane) DO UPDATE SET at = max(at, excluded.at), ahead = excluded.ahead",
        )?
        .execute(params![sink, lane.number(), int(done.upto()), done.ahead_text()])?;
    }
    for r in &ops.receipts {
        tx.prepare_cached("INSERT OR IGNORE INTO receipt VALUES(?1, ?2, ?3, ?4)")?.execute(params![
            int(r.sequence),
            r.sink,
            r.receipt,
            r.at
        ])?;
    }
    for s in &ops.set_aside {
        tx.prepare_cached("INSERT OR IGNORE INTO set_aside VALUES(?1, ?2, ?3, ?4, ?5)")?.execute(params![
            s.sink,
            s.lane.number(),
            int(s.at),
            s.reason,
            s.when
        ])?;
    }
    for told in &ops.told {
        notices::tell(tx, told)?;
    }
    for (notice, utc) in &ops.seen {
        notices::see(tx, *notice, *utc)?;
    }
    for deed in &ops.deeds {
        deeds::insert(tx, deed)?;
    }
    for piece in &ops.looks {
        looks::insert(tx, piece)?;
    }
    if let Some(limits) = ops.look_limits {
        looks::expire(tx, limits)?;
    }
    for (id, (times, at)) in &ops.attempts {
        tx.prepare_cached("UPDATE outbox SET attempts = attempts + ?2, attempted = ?3 WHERE id = ?1")?.execute(params![
            int(*id),
            times,
            at
        ])?;
    }
    for (topic, message) in &ops.retained {
        match message {
            Some(m) => retain(tx, m, next)?,
            None => {
                let gone = tx.prepare_cached("DELETE FROM retained WHERE topic = ?1")?.execute([topic])?;
                next.retained_rows = next.retained_rows.saturating_sub_unsigned(gone as u64);
            }
        }
    }
    for (name, bytes) in &ops.kept {
        tx.prepare_cached("INSERT OR REPLACE INTO meta VALUES('kept.' || ?1, ?2)")?.execute(params![name, bytes])?;
    }
    for id in &ops.released {
        remove_quarantined(tx, int(*id), next)?;
    }
    Ok(())
}

fn retain(tx: &Transaction<'_>, m: &Retained, next: &mut Progress) -> rusqlite::Result<()> {
    let row = params![m.topic, m.payload, m.qos, m.sender, m.at, m.expires];
    let replaced = tx
        .prepare_cached("UPDATE retained SET payload = ?2, qos = ?3, sender = ?4, utc = ?5, expires = ?6 WHERE topic = ?1")?
        .execute(row)?;
    if replaced > 0 {
        return Ok(());
    }
    if next.retained_rows >= MAX_RETAINED {
        tracing::warn!("{MAX_RETAINED} topics hold a retained message already; the one on {:?} is not kept", m.topic);
        return Ok(());
    }
    tx.prepare_cached("INSERT INTO retained VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?.execute(row)?;
    next.retained_rows += 1;
    Ok(())
}
