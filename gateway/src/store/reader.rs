//! Queries, on read-only connections. All of them block on the disk: async callers go through `spawn_blocking`.
use super::body::Dictionary;
use super::notices::{COLUMNS, NoticeRow, TellingRow, Told, notice_row, telling_row, told_row};
use super::ring::Ring;
use super::rows::{incident_row, outbox_row};
use super::transaction::int;
use super::{
    Backlog, Counts, Disk, Done, Entries, Entry, IncidentFilter, IncidentRow, LOG_FILE, Lane, Lanes, OutboxRow, PictureRow, QuarantineRow,
    Quarantined, Receipt, Recount, Retained, Retention, Room, SetAside, Snapshot, Space, StoreError, StoredEvent, block, body, retention,
    schema,
};
use crate::engine::Body;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tuoan_protocol::codec::Wire;
use tuoan_protocol::{IncidentEvent, Severity};

/// Idle connections kept. More queries at once open more; those are closed again.
const IDLE: usize = 3;

/// Cheap to clone.
#[derive(Clone)]
pub struct Reader(Arc<Inner>);

struct Inner {
    path: PathBuf,
    ring: Option<Arc<Ring>>,
    idle: Mutex<Vec<Connection>>,
    /// Names of devices and quantities by their number; reloaded when an entry holds a newer one.
    names: Mutex<Arc<Dictionary>>,
}

pub type Result<T> = std::result::Result<T, StoreError>;

impl Reader {
    /// Reads the store in `dir` beside or without a running gateway (command line).
    pub fn open(dir: &Path) -> Result<Reader> {
        Reader::new(dir.join(LOG_FILE), None)
    }
    pub(super) fn new(path: PathBuf, ring: Option<Arc<Ring>>) -> Result<Reader> {
        let first = schema::open_reader(&path)?;
        Ok(Reader(Arc::new(Inner { path, ring, idle: Mutex::new(vec![first]), names: Mutex::default() })))
    }
    /// The SQLite file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Incident events with a higher sequence, ascending.
    pub fn events_after(&self, sequence: u64, limit: usize) -> Result<Vec<StoredEvent>> {
        self.list(
            "SELECT sequence, at, bytes FROM event WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
            params![int(sequence), int(limit as u64)],
            stored_event,
        )
    }
    /// As [`Reader::entries_after`], from memory alone: `None` when they are no longer there. Never blocks on the disk.
    pub fn recent_entries(&self, position: u64, limit: usize) -> Option<Entries> {
        self.0.ring.as_ref()?.after(position, limit)
    }
    /// Entries with a higher position, ascending; recent ones come from memory.
    pub fn entries_after(&self, position: u64, limit: usize) -> Result<Entries> {
        match self.recent_entries(position, limit) {
            Some(entries) => Ok(entries),
            None => self.read_entries(int(position).saturating_add(1), i64::MAX, i64::MAX, limit),
        }
    }
    /// Entries whose engine time lies in `from..to`, ascending, at most `limit`.
    pub fn entries_between(&self, from: i64, to: i64, limit: usize) -> Result<Entries> {
        let first = self.with(|db| first_at(&*db.unchecked_transaction()?, from))?;
        self.read_entries(first, i64::MAX, to, limit)
    }
    /// Where a sink stands: the last sequence or position it is done with; 0 at first.
    pub fn cursor(&self, sink: &str, lane: Lane) -> Result<u64> {
        let sql = "SELECT at FROM cursor WHERE sink = ?1 AND lane = ?2";
        Ok(self.one(sql, params![sink, lane.number()], unsigned(0))?.unwrap_or(0))
    }
    /// As [`Reader::cursor`]; `None`: nothing was ever said of it.
    pub fn begun(&self, sink: &str, lane: Lane) -> Result<Option<u64>> {
        self.one("SELECT at FROM cursor WHERE sink = ?1 AND lane = ?2", params![sink, lane.number()], unsigned(0))
    }
    /// What a sink is done with, with the stretches beyond its cursor.
    pub fn done(&self, sink: &str, lane: Lane) -> Result<Done> {
        let sql = "SELECT at, ahead FROM cursor WHERE sink = ?1 AND lane = ?2";
        let row = |r: &Row<'_>| Ok(Done::read(unsigned(0)(r)?, &r.get::<_, String>(1)?));
        Ok(self.one(sql, params![sink, lane.number()], row)?.unwrap_or_default())
    }
    /// UTC minus engine time after that entry, milliseconds; `None` when the log does not say.
    pub fn utc_offset_at(&self, position: u64) -> Result<Option<i64>> {
        let sql = "SELECT utc_offset FROM clock_step WHERE position <= ?1 ORDER BY position DESC LIMIT 1";
        self.one(sql, [int(position)], |r| r.get(0))
    }
    /// The newest snapshot before `position` that the log goes on from.
    pub fn snapshot_before(&self, position: u64) -> Result<Option<Snapshot>> {
        let sql = "SELECT position, sequence, bytes FROM snapshot s \
                   WHERE position < ?1 AND EXISTS (SELECT 1 FROM log l WHERE l.position = s.position) ORDER BY position DESC LIMIT 1";
        let row = |r: &Row<'_>| Ok(Snapshot { position: unsigned(0)(r)?, sequence: unsigned(1)(r)?, bytes: r.get(2)? });
        self.one(sql, [int(position)], row)
    }
    /// Position of the first entry that is kept; 0 while there is none.
    pub fn first_position(&self) -> Result<u64> {
        Ok(self.with(first_position)?.unsigned_abs())
    }
    /// How much room there is for these lanes.
    pub fn room(&self, retention: &Retention, lanes: &Lanes) -> Result<Room> {
        let disk = self.0.path.parent().and_then(Disk::of);
        self.with(|db| retention::measure(&*db.unchecked_transaction()?, retention, disk, lanes, false)).map(|(room, _)| room)
    }
    pub fn backlog(&self, sink: &str, lane: Lane) -> Result<Backlog> {
        let cursor = self.cursor(sink, lane)?;
        let (last, bytes, records) = match lane {
            Lane::Alerts => {
                ("SELECT coalesce(max(sequence), 0) FROM event", "SELECT 512 * events FROM progress", "SELECT events FROM progress")
            }
            Lane::Metrics => {
                ("SELECT coalesce(max(position), 0) FROM log", "SELECT body_bytes FROM progress", "SELECT entries FROM progress")
            }
        };
        let number = |sql| self.one(sql, [], unsigned(0)).map(Option::unwrap_or_default);
        let left = number(last)?.saturating_sub(cursor);
        let mean = number(bytes)? / number(records)?.max(1);
        Ok(Backlog { records: left, bytes: left.saturating_mul(mean) })
    }
    pub fn incident(&self, id: &str) -> Result<Option<IncidentRow>> {
        self.one("SELECT * FROM incident WHERE id = ?1", [id], |r| Ok(incident_row(r)))?.transpose().map_err(|e| self.record(e))
    }
    /// Newest change first.
    pub fn incidents(&self, filter: &IncidentFilter, limit: usize) -> Result<Vec<IncidentRow>> {
        let rows = self.list(
            "SELECT * FROM incident WHERE (?1 = 0 OR closed = 0) AND (?2 IS NULL OR zone = ?2) AND (?3 IS NULL OR hazard = ?3) \
             AND (?4 IS NULL OR changed_at >= ?4) ORDER BY changed_at DESC, sequence DESC LIMIT ?5",
            params![filter.open, filter.zone, filter.hazard, filter.since, int(limit as u64)],
            |r| Ok(incident_row(r)),
        )?;
        rows.into_iter().collect::<std::result::Result<_, _>>().map_err(|e| self.record(e))
    }
    /// All events of one incident, ascending.
    pub fn events_of(&self, incident: &str) -> Result<Vec<StoredEvent>> {
        self.list("SELECT sequence, at, bytes FROM event WHERE incident = ?1 ORDER BY sequence", [incident], stored_event)
    }
    /// Events with a higher sequence, ascending, of the incidents that are open or have changed at or after `since` (UTC milliseconds).
    pub fn events_touching(&self, since: i64, sequence: u64, limit: usize) -> Result<Vec<StoredEvent>> {
        // Asked event by event: a list of a year's incidents would be made anew for every page.
        self.list(
            "SELECT sequence, at, bytes FROM event WHERE sequence > ?1 AND EXISTS \
             (SELECT 1 FROM incident WHERE incident.id = event.incident AND (closed = 0 OR changed_at >= ?2)) ORDER BY sequence LIMIT ?3",
            params![int(sequence), since, int(limit as u64)],
            stored_event,
        )
    }
    /// What the sinks have said of the events of one incident, in the order of the events.
    pub fn receipts_of(&self, incident: &str) -> Result<Vec<Receipt>> {
        let sql = "SELECT r.sink, r.sequence, r.receipt, r.utc FROM event e JOIN receipt r USING(sequence) WHERE e.incident = ?1 \
                   ORDER BY r.sequence, r.sink";
        self.list(sql, [incident], |r| Ok(Receipt { sink: r.get(0)?, sequence: unsigned(1)(r)?, receipt: r.get(2)?, at: r.get(3)? }))
    }
    /// Notices with a higher number that this channel is not done with, ascending, and how often it has tried each.
    pub fn notices_open(&self, channel: &str, after: u64, limit: usize) -> Result<Vec<(NoticeRow, u32)>> {
        self.notices_left(channel, after, limit, Severity::Advisory)
    }
    /// The same of severity 1 and 2 alone.
    pub fn notices_urgent(&self, channel: &str, after: u64, limit: usize) -> Result<Vec<(NoticeRow, u32)>> {
        self.notices_left(channel, after, limit, Severity::Serious)
    }
    fn notices_left(&self, channel: &str, after: u64, limit: usize, least: Severity) -> Result<Vec<(NoticeRow, u32)>> {
        let sql = format!(
            "SELECT {COLUMNS}, coalesce(t.attempts, 0) FROM notice n LEFT JOIN told t ON t.notice = n.id AND t.channel = ?1 \
             WHERE n.id > ?2 AND n.severity <= ?4 AND coalesce(t.state, 0) = 0 ORDER BY n.id LIMIT ?3"
        );
        let limits = params![channel, int(after), int(limit as u64), u8::from(least)];
        let rows = self.list(&sql, limits, |r| Ok(notice_row(r)?.map(|n| (n, r.get(11)))))?;
        let read = |row: std::result::Result<(NoticeRow, rusqlite::Result<u32>), String>| {
            let (notice, attempts) = row.map_err(|e| self.record(e))?;
            Ok((notice, attempts.unwrap_or(0)))
        };
        rows.into_iter().map(read).collect()
    }
    /// What left through a channel since that time (UTC milliseconds), oldest first.
    pub fn told_since(&self, channel: &str, since: i64) -> Result<Vec<TellingRow>> {
        let sql = "SELECT t.utc, n.severity, n.person, t.attempts, t.state FROM told t JOIN notice n ON n.id = t.notice \
                   WHERE t.channel = ?1 AND t.utc >= ?2 ORDER BY t.utc, t.notice";
        self.list(sql, params![channel, since], telling_row)
    }
    /// Everybody who was to be told of an incident, and what the channels made of it.
    pub fn notices_of(&self, incident: &str) -> Result<(Vec<NoticeRow>, Vec<Told>)> {
        let rows = self.list(&format!("SELECT {COLUMNS} FROM notice n WHERE n.incident = ?1 ORDER BY n.id"), [incident], notice_row)?;
        let rows = rows.into_iter().collect::<std::result::Result<_, _>>().map_err(|e| self.record(e))?;
        let sql = "SELECT t.notice, t.channel, t.state, t.attempts, t.utc, t.text FROM notice n JOIN told t ON t.notice = n.id \
                   WHERE n.incident = ?1 ORDER BY t.notice, t.channel";
        Ok((rows, self.list(sql, [incident], told_row)?))
    }
    pub fn notice(&self, id: u64) -> Result<Option<NoticeRow>> {
        let sql = format!("SELECT {COLUMNS} FROM notice n WHERE n.id = ?1");
        self.one(&sql, [int(id)], notice_row)?.transpose().map_err(|e| self.record(e))
    }
    /// Number of the last notice that was committed before that time (UTC milliseconds); 0 when there is none.
    pub fn notices_before(&self, utc: i64) -> Result<u64> {
        Ok(self.one("SELECT coalesce(max(id), 0) FROM notice WHERE utc < ?1", [utc], unsigned(0))?.unwrap_or(0))
    }
    pub fn event(&self, sequence: u64) -> Result<Option<StoredEvent>> {
        self.one("SELECT sequence, at, bytes FROM event WHERE sequence = ?1", [int(sequence)], stored_event)
    }
    /// Newest first.
    pub fn set_aside(&self, limit: usize) -> Result<Vec<SetAside>> {
        let sql = "SELECT sink, lane, at, reason, utc FROM set_aside ORDER BY utc DESC, at DESC LIMIT ?1";
        self.list(sql, [int(limit as u64)], |r| {
            Ok(SetAside { sink: r.get(0)?, lane: Lane::from_number(r.get(1)?), at: unsigned(2)(r)?, reason: r.get(3)?, when: r.get(4)? })
        })
    }
    pub fn set_aside_count(&self) -> Result<u64> {
        Ok(self.one("SELECT count(*) FROM set_aside", [], unsigned(0))?.unwrap_or(0))
    }
    /// Newest first.
    /// What was done with pictures of that camera (or any), about that incident (or any), newest first.
    pub fn picture_deeds(&self, camera: Option<&str>, incident: Option<&str>, limit: usize) -> Result<Vec<PictureRow>> {
        let sql = "SELECT position, utc, actor, what, camera, incident, reason FROM picture_deed \
                   WHERE (?1 IS NULL OR camera = ?1) AND (?2 IS NULL OR incident = ?2) ORDER BY position DESC LIMIT ?3";
        let row = |r: &Row<'_>| {
            Ok(PictureRow {
                position: unsigned(0)(r)?,
                at: r.get(1)?,
                actor: r.get(2)?,
                what: r.get(3)?,
                camera: r.get(4)?,
                incident: r.get(5)?,
                reason: r.get(6)?,
            })
        };
        self.list(sql, (camera, incident, int(limit as u64)), row)
    }
    pub fn quarantine(&self, limit: usize) -> Result<Vec<QuarantineRow>> {
        let sql = "SELECT id, utc, topic, payload, retained, decoder, reason FROM quarantine ORDER BY id DESC LIMIT ?1";
        self.list(sql, [int(limit as u64)], quarantine_row)
    }
    pub fn quarantined(&self, id: u64) -> Result<Option<QuarantineRow>> {
        let sql = "SELECT id, utc, topic, payload, retained, decoder, reason FROM quarantine WHERE id = ?1";
        self.one(sql, [int(id)], quarantine_row)
    }
    /// Orders neither confirmed nor expired at engine time `now`, oldest first; of each device the newest order alone: repeated, an older one
    /// would undo it.
    pub fn outbox_open(&self, now: i64) -> Result<Vec<OutboxRow>> {
        let rows = self.list(
            "SELECT id, device, action, expires, created, attempts, attempted FROM outbox o WHERE confirmed IS NULL AND expires > ?1 \
             AND NOT EXISTS (SELECT 1 FROM outbox WHERE id > o.id AND device = o.device) ORDER BY id",
            [now],
            |r| Ok(outbox_row(r)),
        )?;
        rows.into_iter().collect::<std::result::Result<_, _>>().map_err(|e| self.record(e))
    }
    pub fn retained_all(&self) -> Result<Vec<Retained>> {
        let sql = "SELECT topic, payload, qos, sender, utc, expires FROM retained ORDER BY topic";
        self.list(sql, [], |r| {
            Ok(Retained { topic: r.get(0)?, payload: r.get(1)?, qos: r.get(2)?, sender: r.get(3)?, at: r.get(4)?, expires: r.get(5)? })
        })
    }
    /// What was kept under that name with [`super::Ops::keep`].
    pub fn kept(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.one("SELECT value FROM meta WHERE key = 'kept.' || ?1", [name], |r| r.get(0))
    }
    pub fn counts(&self) -> Result<Counts> {
        let sql = "SELECT messages, entries, duplicates, quarantined, quarantine_dropped, events, body_bytes FROM progress";
        let counts = self.one(sql, [], |r| {
            Ok(Counts {
                messages: unsigned(0)(r)?,
                entries: unsigned(1)(r)?,
                duplicates: unsigned(2)(r)?,
                quarantined: unsigned(3)(r)?,
                quarantine_dropped: unsigned(4)(r)?,
                events: unsigned(5)(r)?,
                body_bytes: unsigned(6)(r)?,
            })
        })?;
        Ok(counts.unwrap_or_default())
    }
    /// Room on the disk; `None` when the file system does not say.
    pub fn space(&self) -> Option<Space> {
        let dir = self.0.path.parent()?;
        let disk = rustix::fs::statvfs(dir).ok()?;
        let size = |name| std::fs::metadata(dir.join(name)).map_or(0, |m| m.len());
        let used = [LOG_FILE, "log.db-wal", "log.db-shm", "reserve"].into_iter().map(size).sum();
        Some(Space { free: disk.f_bavail.saturating_mul(disk.f_frsize), used })
    }
    /// Reads the whole log (seconds for millions of entries).
    pub fn recount(&self) -> Result<Recount> {
        let (mut after, mut seen, mut count) = (0, HashSet::new(), Recount::default());
        loop {
            let entries = self.read_entries(int(after) + 1, i64::MAX, i64::MAX, 4096)?;
            let Some(last) = entries.last_position() else { return Ok(count) };
            for entry in entries.iter().filter(|e| e.message) {
                count.messages += 1;
                if let Body::Message(m) = &entry.body
                    && let (Some(boot), Some(seq)) = (m.boot, m.seq)
                {
                    count.numbered += 1;
                    count.distinct += u64::from(seen.insert((m.device.clone(), boot, seq)));
                }
            }
            after = last;
        }
    }

    /// Entries from position `first`, up to `last`, earlier than `before`.
    fn read_entries(&self, first: i64, last: i64, before: i64, limit: usize) -> Result<Entries> {
        let rows = self.with(|db| {
            let sql = "SELECT position, at, message, body FROM log WHERE position >= ?1 ORDER BY position";
            let mut statement = db.prepare_cached(sql)?;
            let mut found = statement.query([first])?;
            let (mut rows, mut entries) = (Vec::new(), 0);
            while entries < limit
                && let Some(r) = found.next()?
            {
                let row = stored_row(r)?;
                let begins = row.position - block::count(&row.body) + 1;
                // Of a block only the end is known; what lies beyond is left out below.
                let beyond = begins > last || begins == row.position && row.at >= before;
                if beyond {
                    break;
                }
                entries += usize::try_from(row.position - begins.max(first) + 1).unwrap_or(1);
                let over = row.at >= before;
                rows.push(row);
                if over {
                    break;
                }
            }
            Ok(rows)
        })?;
        // Read after the rows: it knows every name they can hold.
        let names = self.names(!rows.is_empty())?;
        let mut entries = Vec::with_capacity(rows.len());
        'rows: for row in rows {
            let at = row.position;
            for row in block::unpack(row).map_err(|e| self.record(format!("log entries up to {at}: {e}")))? {
                if row.position < first {
                    continue;
                }
                if row.position > last || row.at >= before || entries.len() == limit {
                    break 'rows;
                }
                let body = body::decode(&row.body, row.at, &names).map_err(|e| self.record(format!("log entry {}: {e}", row.position)))?;
                entries.push(Entry { position: row.position.unsigned_abs(), at: row.at, message: row.message, body });
            }
        }
        let range = 0..entries.len();
        Ok(if entries.is_empty() { Entries::default() } else { Entries { chunks: vec![(Arc::new(entries), range)] } })
    }

    /// The dictionary; with `newest`, together with what was added to it since.
    fn names(&self, newest: bool) -> Result<Arc<Dictionary>> {
        let mut names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        if newest {
            let newer: Vec<String> =
                self.list("SELECT text FROM name WHERE id >= ?1 ORDER BY id", [int(names.len() as u64)], |r| r.get(0))?;
            if !newer.is_empty() {
                Arc::make_mut(&mut names).extend(newer);
            }
        }
        Ok(Arc::clone(&names))
    }

    pub(super) fn with<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let db = match idle {
            Some(db) => db,
            None => schema::open_reader(&self.0.path)?,
        };
        let result = query(&db).map_err(|e| schema::classify(&self.0.path, "reading", &e))?;
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(db);
        }
        Ok(result)
    }
    pub(super) fn list<T>(&self, sql: &str, params: impl Params, row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>> {
        self.with(|db| db.prepare_cached(sql)?.query_map(params, row)?.collect())
    }
    fn one<T>(&self, sql: &str, params: impl Params, row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>) -> Result<Option<T>> {
        self.with(|db| db.prepare_cached(sql)?.query_row(params, row).optional())
    }
    pub(super) fn record(&self, detail: String) -> StoreError {
        StoreError::Record { path: self.0.path.clone(), detail }
    }
}

/// Position of the first entry at or after engine time `from`, by bisection: `at` grows with the position, positions have no gaps from the
/// first that is kept. To be called in a transaction, or by the writer, so that the first does not go meanwhile.
pub(super) fn first_at(db: &Connection, from: i64) -> rusqlite::Result<i64> {
    let last: i64 = db.query_row("SELECT coalesce(max(position), 0) FROM log", [], |r| r.get(0))?;
    let first = first_position(db)?.max(1);
    // The row that holds a position is the first that ends at or behind it.
    let mut row = db.prepare_cached("SELECT position, at FROM log WHERE position >= ?1 ORDER BY position LIMIT 1")?;
    let (mut low, mut high) = (first, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let (ends, at): (i64, i64) = row.query_row([middle], |r| Ok((r.get(0)?, r.get(1)?)))?;
        if at < from {
            low = ends + 1;
        } else {
            high = middle;
        }
    }
    let sql = "SELECT position, at, message, body FROM log WHERE position >= ?1 ORDER BY position LIMIT 1";
    let holds = db.prepare_cached(sql)?.query_row([low], stored_row).optional()?;
    // Within a block the times are in its columns. One that is damaged is told of when it is read.
    let within = holds.filter(|r| r.position > low).and_then(|r| block::unpack(r).ok());
    Ok(within.into_iter().flatten().find(|r| r.position >= low && r.at >= from).map_or(low, |r| r.position))
}

/// Position of the first entry that is kept; 0 while there is none.
pub(super) fn first_position(db: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT position, substr(body, 1, ?1) FROM log ORDER BY position LIMIT 1";
    let row = |r: &Row<'_>| Ok(r.get::<_, i64>(0)? - block::count(&r.get::<_, Vec<u8>>(1)?) + 1);
    Ok(db.prepare_cached(sql)?.query_row([block::HEAD as i64], row).optional()?.unwrap_or(0))
}

/// Of the columns position, at, message, body. What is damaged so far that it is no bytes any more is read as none: whoever decodes it names it, and it keeps
/// nobody from reading, packing or writing what stands beside it.
pub(super) fn stored_row(r: &Row<'_>) -> rusqlite::Result<block::Row> {
    let body = r.get_ref(3)?.as_blob().unwrap_or_default().to_vec();
    Ok(block::Row { position: r.get(0)?, at: r.get(1)?, message: r.get(2)?, body })
}

fn unsigned(column: usize) -> impl Fn(&Row<'_>) -> rusqlite::Result<u64> {
    move |r| r.get::<_, i64>(column).map(|n| u64::try_from(n).unwrap_or(0))
}

pub(super) fn stored_event(r: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    let bytes: Vec<u8> = r.get(2)?;
    let event = IncidentEvent::from_cbor(&bytes).map_err(|e| e.to_string());
    Ok(StoredEvent { sequence: unsigned(0)(r)?, at: r.get(1)?, event, bytes })
}

fn quarantine_row(r: &Row<'_>) -> rusqlite::Result<QuarantineRow> {
    let message =
        Quarantined { at: r.get(1)?, topic: r.get(2)?, payload: r.get(3)?, retained: r.get(4)?, decoder: r.get(5)?, reason: r.get(6)? };
    Ok(QuarantineRow { id: unsigned(0)(r)?, message })
}
