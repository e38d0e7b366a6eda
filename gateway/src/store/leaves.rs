//! The log's Merkle tree (RFC 6962): a leaf for every record that must stand, in the transaction that writes the record.
//!
//! Kept are the hashes of all whole subtrees, which never change: a leaf costs two rows on average, a proof some forty look-ups. Retention removes
//! records, never hashes, so that what is left can still be proven. Of kinds that have no table of their own the canonical bytes stand here, too.
//!
//! What must hold: a record and its leaf are in one transaction; leaves are numbered from 0 without a gap, in the order of the records.
use super::StoreError;
use super::reader::Reader;
use super::transaction::int;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tuoan_evidence::Kind;
use tuoan_evidence::tree::{self, Hash, Nodes};

pub const TABLES: &str = "
-- Leaves of the log's tree. `ref` is the record's number among its kind; `about` an incident or a day; `record` its canonical bytes where no other table has them.
CREATE TABLE leaf(n INTEGER PRIMARY KEY, kind INTEGER NOT NULL, ref INTEGER NOT NULL, about TEXT, record BLOB, UNIQUE(kind, ref));
CREATE INDEX leaf_about ON leaf(about) WHERE about IS NOT NULL;
-- Hashes of whole subtrees: of the 2^level leaves from at * 2^level on.
CREATE TABLE tree(level INTEGER NOT NULL, at INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(level, at)) WITHOUT ROWID;
";

/// Records that one transaction of [`catch_up`] takes.
const AT_ONCE: i64 = 2_000;

/// Whole subtrees on disk.
struct Kept<'a>(&'a Connection);

impl Nodes for Kept<'_> {
    type Error = rusqlite::Error;
    fn node(&self, level: u32, index: u64) -> rusqlite::Result<Hash> {
        self.0.prepare_cached("SELECT hash FROM tree WHERE level = ?1 AND at = ?2")?.query_row(params![level, int(index)], |r| r.get(0))
    }
}

/// Leaves so far.
fn size(db: &Connection) -> rusqlite::Result<u64> {
    let last: Option<i64> = db.prepare_cached("SELECT max(n) FROM leaf")?.query_row([], |r| r.get(0))?;
    Ok(last.map_or(0, |n| n.unsigned_abs() + 1))
}

/// Appends a record to the log's tree; gives the number of its leaf. `reference` must be new for its kind, and higher than those before. `about`
/// finds it again: an incident's id, or a day. To be called in the transaction that writes the record.
pub fn append(tx: &Transaction<'_>, kind: Kind, reference: i64, about: Option<&str>, record: &[u8]) -> rusqlite::Result<u64> {
    let n = size(tx)?;
    // These have a table of their own.
    let kept = (!matches!(kind, Kind::Event | Kind::Looks)).then_some(record);
    tx.prepare_cached("INSERT INTO leaf VALUES(?1, ?2, ?3, ?4, ?5)")?.execute(params![int(n), kind.number(), reference, about, kept])?;
    for (level, at, hash) in tree::append(&Kept(tx), n, tree::leaf(kind.number(), record))? {
        tx.prepare_cached("INSERT INTO tree VALUES(?1, ?2, ?3)")?.execute(params![level, int(at), hash])?;
    }
    Ok(n)
}

/// Gives a leaf to the events that have none: those of a store that an earlier version wrote.
pub fn catch_up(db: &mut Connection) -> rusqlite::Result<()> {
    loop {
        let tx = db.transaction()?;
        let sql = "SELECT sequence, bytes FROM event WHERE sequence > (SELECT coalesce(max(ref), 0) FROM leaf WHERE kind = ?1) \
                   ORDER BY sequence LIMIT ?2";
        let rows = tx
            .prepare_cached(sql)?
            .query_map(params![Kind::Event.number(), AT_ONCE], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        if rows.is_empty() {
            return Ok(());
        }
        for (sequence, bytes) in rows {
            append(&tx, Kind::Event, sequence, None, &bytes)?;
        }
        tx.commit()?;
    }
}

/// A record of the log that is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Number of its leaf.
    pub leaf: u64,
    pub kind: Kind,
    /// Its canonical bytes.
    pub record: Vec<u8>,
}

impl Reader {
    /// Whether there is a tree: a store that only earlier versions have written has none.
    pub fn has_tree(&self) -> Result<bool, StoreError> {
        self.with(|db| db.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'leaf'", [], |r| r.get::<_, i64>(0))).map(|n| n > 0)
    }
    /// Leaves of the log's tree.
    pub fn tree_size(&self) -> Result<u64, StoreError> {
        self.with(size)
    }
    /// The leaf of an incident event.
    pub fn leaf_of_event(&self, sequence: u64) -> Result<Option<u64>, StoreError> {
        self.with(|db| {
            let mut found = db.prepare_cached("SELECT n FROM leaf WHERE kind = ?1 AND ref = ?2")?;
            found.query_row(params![Kind::Event.number(), int(sequence)], |r| r.get::<_, i64>(0)).optional()
        })
        .map(|n| n.map(i64::unsigned_abs))
    }
    /// Records other than events about an incident or a day, in their order.
    pub fn recorded_about(&self, about: &str) -> Result<Vec<Recorded>, StoreError> {
        self.with(|db| {
            let mut found = db.prepare_cached("SELECT n, kind, record FROM leaf WHERE about = ?1 AND record IS NOT NULL ORDER BY n")?;
            let rows = found.query_map([about], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, u8>(1)?, r.get(2)?)))?;
            let known = |(n, kind, record): (i64, u8, Vec<u8>)| Some(Recorded { leaf: n.unsigned_abs(), kind: Kind::of(kind)?, record });
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().filter_map(known).collect())
        })
    }
}

impl Nodes for Reader {
    type Error = StoreError;
    fn node(&self, level: u32, index: u64) -> Result<Hash, StoreError> {
        self.with(|db| Kept(db).node(level, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn db() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(TABLES).unwrap();
        db.execute_batch("CREATE TABLE event(sequence INTEGER PRIMARY KEY, bytes BLOB NOT NULL)").unwrap();
        db
    }

    #[test]
    fn the_tree_on_disk_is_that_of_the_records() {
        let mut db = db();
        let mut hashes = Vec::new();
        for n in 1..=37i64 {
            let record = format!("{{\"n\":{n}}}");
            let tx = db.transaction().unwrap();
            let kind = if n % 5 == 0 { Kind::Deletion } else { Kind::Event };
            assert_eq!(append(&tx, kind, n, Some("day"), record.as_bytes()).unwrap(), n as u64 - 1);
            // What is rolled back leaves nothing behind.
            if n % 3 == 0 {
                drop(tx);
                let tx = db.transaction().unwrap();
                append(&tx, kind, n, Some("day"), record.as_bytes()).unwrap();
                tx.commit().unwrap();
            } else {
                tx.commit().unwrap();
            }
            hashes.push(tree::leaf(kind.number(), record.as_bytes()));
            let size = size(&db).unwrap();
            assert_eq!(tree::root(&Kept(&db), size).unwrap(), tree::root(hashes.as_slice(), size).unwrap());
        }
        let proof = tree::inclusion(&Kept(&db), 11, 37).unwrap();
        assert!(tree::included(&hashes[11], 11, 37, &proof, &tree::root(&Kept(&db), 37).unwrap()));
        assert!(append(&db.transaction().unwrap(), Kind::Event, 1, None, b"again").is_err(), "a record has one leaf");
    }

    #[test]
    fn events_of_an_older_store_get_their_leaves_once() {
        let mut db = db();
        for n in 3..=5_010i64 {
            db.execute("INSERT INTO event VALUES(?1, ?2)", params![n, n.to_be_bytes()]).unwrap();
        }
        catch_up(&mut db).unwrap();
        catch_up(&mut db).unwrap();
        let hashes: Vec<Hash> = (3..=5_010i64).map(|n| tree::leaf(Kind::Event.number(), &n.to_be_bytes())).collect();
        assert_eq!(size(&db).unwrap(), hashes.len() as u64);
        assert_eq!(tree::root(&Kept(&db), 5_008).unwrap(), tree::root(hashes.as_slice(), 5_008).unwrap());
    }
}
