//! What cameras' looks found around incidents ([`Piece`]): canonical bytes, each a leaf of the log's tree.
//!
//! It is the whereabouts of small children, so it goes as stills do: after its days, and the oldest first when there is too much; never what a person
//! holds. What goes is on record (`removal.rs`), and its hash stays.
use super::removal::{self, Rule};
use super::retention::HELD;
use super::transaction::int;
use super::{Reader, StoreError, leaves};
use rusqlite::{Transaction, params};
use tuoan_evidence::Kind;
use tuoan_protocol::looks::Piece;

pub const TABLES: &str = "
-- What cameras' looks found, around incidents. `utc`: its last look. Numbers are never used again: they stand in the log's tree.
CREATE TABLE look(
    number INTEGER PRIMARY KEY AUTOINCREMENT, incident TEXT NOT NULL, camera TEXT NOT NULL, utc INTEGER NOT NULL, looks INTEGER NOT NULL,
    size INTEGER NOT NULL, bytes BLOB NOT NULL);
CREATE INDEX look_incident ON look(incident, number);
CREATE INDEX look_utc ON look(utc);
";

/// Incidents that one step removes at most.
const STEP: i64 = 16;
/// Pieces of one incident that are read at most; the gateway writes fewer.
const PIECES: i64 = 2_000;
const WEEK_MS: i64 = 7 * 86_400_000;

/// A reported concern is held from the start, until somebody releases it: nobody it may be about can let it run out.
const CONCERNS: &str = "SELECT id FROM incident WHERE hazard = 'concern.report' \
                        AND id NOT IN (SELECT incident FROM picture_deed WHERE what = 'release' AND incident IS NOT NULL)";

/// How much of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// What ended before goes, UTC milliseconds; `None` while the clock is not known to be right.
    pub before: Option<i64>,
    /// Bytes that all of it may take, but for what is held.
    pub bytes: u64,
    /// UTC milliseconds, for the record.
    pub utc: i64,
}

/// One that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookRow {
    /// Number of its leaf.
    pub leaf: u64,
    /// The canonical bytes of a [`Piece`].
    pub bytes: Vec<u8>,
}

/// Writes a piece and its leaf.
pub(super) fn insert(tx: &Transaction<'_>, piece: &Piece) -> rusqlite::Result<()> {
    let Some(last) = piece.looks.last() else { return Ok(()) };
    let bytes = piece.canonical_bytes();
    let sql = "INSERT INTO look(incident, camera, utc, looks, size, bytes) VALUES(?1, ?2, ?3, ?4, ?5, ?6)";
    tx.prepare_cached(sql)?.execute(params![
        piece.incident.as_str(),
        piece.camera.as_str(),
        last.at,
        int(piece.looks.len() as u64),
        int(bytes.len() as u64),
        bytes
    ])?;
    let number = tx.last_insert_rowid();
    leaves::append(tx, Kind::Looks, number, Some(piece.incident.as_str()), &bytes)?;
    Ok(())
}

/// Removes a little of what is too old or too much.
pub(super) fn expire(tx: &Transaction<'_>, limits: Limits) -> rusqlite::Result<()> {
    // What is held takes no room from what is not: it cannot go, and what is new would go in its place.
    let free = format!("FROM look WHERE incident NOT IN ({HELD}) AND incident NOT IN ({CONCERNS})");
    let sql = format!("SELECT coalesce(sum(size), 0) {free}");
    let used: i64 = tx.prepare_cached(&sql)?.query_row([], |r| r.get(0))?;
    let mut excess = used.saturating_sub(int(limits.bytes));
    let sql = format!("SELECT incident, max(utc), sum(size) {free} GROUP BY incident ORDER BY max(utc), incident LIMIT ?1");
    let row = |r: &rusqlite::Row<'_>| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?, r.get::<_, i64>(2)?));
    let oldest = tx.prepare_cached(&sql)?.query_map([STEP], row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    for (incident, ended, size) in oldest {
        let rule = match limits.before {
            Some(before) if ended < before => Rule::LookAge,
            _ if excess > 0 => Rule::LookBudget,
            _ => return Ok(()),
        };
        removal::looks(tx, limits.utc, rule, &incident)?;
        tx.prepare_cached("DELETE FROM look WHERE incident = ?1")?.execute([&incident])?;
        excess = excess.saturating_sub(size);
    }
    Ok(())
}

/// Bytes an hour that were written over the last week, by what is left of it; for the forecast.
pub(super) fn bytes_an_hour(db: &rusqlite::Connection, utc: i64) -> rusqlite::Result<f64> {
    let sql = "SELECT coalesce(sum(size), 0) FROM look WHERE utc > ?1";
    let bytes: i64 = db.prepare_cached(sql)?.query_row([utc.saturating_sub(WEEK_MS)], |r| r.get(0))?;
    Ok(bytes as f64 / (7.0 * 24.0))
}

impl Reader {
    /// What is on record of an incident, in the order of its leaves. Those of a store that an earlier version wrote are none.
    pub fn looks_of(&self, incident: &str) -> Result<Vec<LookRow>, StoreError> {
        if !self.has_looks()? {
            return Ok(Vec::new());
        }
        let sql = "SELECT l.n, p.bytes FROM look p JOIN leaf l ON l.kind = ?2 AND l.ref = p.number WHERE p.incident = ?1 ORDER BY p.number LIMIT ?3";
        let row = |r: &rusqlite::Row<'_>| Ok(LookRow { leaf: r.get::<_, i64>(0)?.unsigned_abs(), bytes: r.get(1)? });
        self.list(sql, params![incident, Kind::Looks.number(), PIECES], row)
    }
    /// By camera: until when looks are on record of an incident, how many, and their bytes.
    pub fn looks_recorded(&self, incident: &str) -> Result<Vec<(String, i64, u64, u64)>, StoreError> {
        let sql = "SELECT camera, max(utc), sum(looks), sum(size) FROM look WHERE incident = ?1 GROUP BY camera";
        let unsigned = |n: i64| n.unsigned_abs();
        self.list(sql, [incident], |r| Ok((r.get(0)?, r.get(1)?, unsigned(r.get(2)?), unsigned(r.get(3)?))))
    }
    fn has_looks(&self) -> Result<bool, StoreError> {
        self.with(|db| db.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'look'", [], |r| r.get::<_, i64>(0))).map(|n| n > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;
    use tuoan_protocol::looks::Look;
    use tuoan_protocol::{DeviceId, IncidentId, LogId, SiteId};

    fn db() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        let others = "CREATE TABLE incident(id TEXT PRIMARY KEY, hazard TEXT);
            CREATE TABLE picture_deed(position INTEGER PRIMARY KEY, utc, actor, what TEXT, camera, incident TEXT, reason);
            CREATE TABLE removal(id INTEGER PRIMARY KEY, utc INTEGER, rule TEXT, what INTEGER, first INTEGER, last INTEGER, records INTEGER, incident TEXT);";
        db.execute_batch(&[leaves::TABLES, TABLES, others].concat()).unwrap();
        db
    }
    fn piece(incident: u8, at: i64) -> Piece {
        Piece {
            site: SiteId::new("s").unwrap(),
            log: LogId::new("01JE5W1T000000000000000000").unwrap(),
            incident: IncidentId::new(&format!("01JE5W1T0000000000000000{incident:02}")).unwrap(),
            camera: DeviceId::new("cam-1").unwrap(),
            model: "m".into(),
            looks: vec![Look { at, width: 64, height: 36, at_least: false, seen: Vec::new() }],
        }
    }
    fn left(db: &Connection) -> Vec<String> {
        let mut found = db.prepare("SELECT substr(incident, 25) FROM look ORDER BY number").unwrap();
        found.query_map([], |r| r.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    #[test]
    fn age_and_room_let_the_oldest_go_on_record_and_never_what_is_held() {
        let mut db = db();
        let tx = db.transaction().unwrap();
        for n in 1..=5 {
            insert(&tx, &piece(n, i64::from(n) * 1000)).unwrap();
            insert(&tx, &piece(n, i64::from(n) * 1000 + 1)).unwrap();
        }
        tx.execute("INSERT INTO picture_deed VALUES(1, 0, 'a', 'hold', NULL, ?1, '')", [piece(1, 0).incident.as_str()]).unwrap();
        insert(&tx, &piece(0, 0)).unwrap();
        tx.execute("INSERT INTO incident VALUES(?1, 'concern.report')", [piece(0, 0).incident.as_str()]).unwrap();
        let size = piece(1, 1000).canonical_bytes().len() as u64;
        expire(&tx, Limits { before: Some(2_500), bytes: 100 * size, utc: 9 }).unwrap();
        assert_eq!(left(&tx), ["01", "01", "03", "03", "04", "04", "05", "05", "00"], "held, reported, or not so old");
        expire(&tx, Limits { before: None, bytes: 6 * size, utc: 9 }).unwrap();
        assert_eq!(left(&tx).len(), 9, "what is held takes no room from the others");
        expire(&tx, Limits { before: None, bytes: 2 * size, utc: 9 }).unwrap();
        assert_eq!(left(&tx), ["01", "01", "05", "05", "00"], "the oldest first");
        let mut gone = tx.prepare("SELECT rule, substr(incident, 25), records FROM removal ORDER BY id").unwrap();
        let gone: Vec<(String, String, i64)> =
            gone.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap().collect::<rusqlite::Result<_>>().unwrap();
        assert_eq!(
            gone,
            [("stills_days".into(), "02".into(), 2), ("looks_mb".into(), "03".into(), 2), ("looks_mb".into(), "04".into(), 2)]
        );
        let leaves =
            |kind: Kind| tx.query_row("SELECT count(*) FROM leaf WHERE kind = ?1", [kind.number()], |r| r.get::<_, i64>(0)).unwrap();
        assert_eq!((leaves(Kind::Looks), leaves(Kind::Deletion)), (11, 3), "hashes stay, and the record of each removal stands");
        // A number is not used again, though the newest has gone.
        tx.execute("DELETE FROM look", []).unwrap();
        insert(&tx, &piece(6, 6000)).unwrap();
        assert_eq!(tx.query_row("SELECT max(number) FROM look", [], |r| r.get::<_, i64>(0)).unwrap(), 12);
        assert!(bytes_an_hour(&tx, 7000).unwrap() > 0.0);
    }
}
