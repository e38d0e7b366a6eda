//! What people did with the system itself: who came in, who looked at what and why, what was set up and proved, what parents were told.
//!
//! Append only. Each deed is kept as canonical bytes ([`Deed::bytes`]), and is a leaf of the log's tree, there as JSON.
use super::leaves;
use super::transaction::int;
use minicbor::{Decoder, Encoder};
use rusqlite::{Transaction, params};
use serde::Serialize;
use tuoan_evidence::Kind;

pub const TABLES: &str = "
-- What people did with the system itself; `kind` and `object` repeat what stands in `bytes`, to be searched by.
CREATE TABLE deed(number INTEGER PRIMARY KEY, utc INTEGER NOT NULL, kind TEXT NOT NULL, object TEXT NOT NULL, bytes BLOB NOT NULL);
CREATE INDEX deed_kind ON deed(kind, object, number);
";

/// Longest field in bytes; longer ones are cut before they are kept.
pub const FIELD: usize = 1024;
const VERSION: u8 = 1;
const FIELDS: u64 = 8;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Deed {
    /// UTC milliseconds.
    pub at: i64,
    /// Name of the person; the gateway itself is `tuoan`.
    pub actor: String,
    /// Role of the session, empty where there was none.
    pub role: String,
    /// What was done, a word of the message files (`deed-...`).
    pub kind: String,
    /// To what: a device, a class, an account, an incident.
    pub object: String,
    /// Why, in the person's words; required where personal data or a picture was seen.
    pub purpose: String,
    /// What else belongs on record.
    pub detail: String,
}

/// One that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeedRow {
    pub number: u64,
    pub deed: Deed,
}

impl Deed {
    /// CBOR: an array of the version (1), the time, and the six texts in the order of the fields. One deed has one encoding.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut e = Encoder::new(&mut out);
        // Writing into memory does not fail.
        let _ = e.array(FIELDS).and_then(|e| e.u8(VERSION)).and_then(|e| e.i64(self.at));
        for text in [&self.actor, &self.role, &self.kind, &self.object, &self.purpose, &self.detail] {
            let _ = e.str(text);
        }
        out
    }
    /// Reads what [`Deed::bytes`] wrote, and nothing else: no byte before, between or after that would not be written so.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(bytes: &[u8]) -> Result<Deed, String> {
        let said = |e: minicbor::decode::Error| e.to_string();
        let mut d = Decoder::new(bytes);
        if d.array().map_err(said)? != Some(FIELDS) || d.u8().map_err(said)? != VERSION {
            return Err("no deed of version 1".to_owned());
        }
        let at = d.i64().map_err(said)?;
        let mut text = || d.str().map(str::to_owned).map_err(said);
        let deed = Deed { at, actor: text()?, role: text()?, kind: text()?, object: text()?, purpose: text()?, detail: text()? };
        if deed.bytes() == bytes { Ok(deed) } else { Err("not in the canonical form".to_owned()) }
    }
    /// With every field cut to [`FIELD`] bytes.
    pub(super) fn bounded(mut self) -> Deed {
        for text in [&mut self.actor, &mut self.role, &mut self.kind, &mut self.object, &mut self.purpose, &mut self.detail] {
            let mut end = text.len().min(FIELD);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
        }
        self
    }
    pub(super) fn weight(&self) -> usize {
        [&self.actor, &self.role, &self.kind, &self.object, &self.purpose, &self.detail].iter().map(|t| t.len()).sum()
    }
}

pub(super) fn insert(tx: &Transaction<'_>, deed: &Deed) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO deed(utc, kind, object, bytes) VALUES(?1, ?2, ?3, ?4)")?.execute(params![
        deed.at,
        deed.kind,
        deed.object,
        deed.bytes()
    ])?;
    let number = tx.last_insert_rowid();
    let record = serde_json::to_vec(deed).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    leaves::append(tx, Kind::Access, number, Some(&deed.object), &record)?;
    Ok(())
}

impl super::Reader {
    /// Newest first: those before that number (or the newest), of that kind (or any), about that object (or any).
    pub fn deeds(
        &self,
        before: Option<u64>,
        kind: Option<&str>,
        object: Option<&str>,
        limit: usize,
    ) -> super::reader::Result<Vec<DeedRow>> {
        let sql = "SELECT number, bytes FROM deed WHERE number < ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR object = ?3) \
                   ORDER BY number DESC LIMIT ?4";
        let row = |r: &rusqlite::Row<'_>| {
            let bytes: Vec<u8> = r.get(1)?;
            let read = Deed::read(&bytes);
            let deed = read.unwrap_or_else(|e| Deed { kind: "unreadable".into(), detail: e, ..Deed::default() });
            Ok(DeedRow { number: r.get::<_, i64>(0)?.unsigned_abs(), deed })
        };
        self.list(sql, params![before.map_or(i64::MAX, int), kind, object, int(limit as u64)], row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed() -> Deed {
        Deed {
            at: 1_795_485_600_000,
            actor: "王园长".into(),
            role: "director".into(),
            kind: "proved".into(),
            object: "door-1".into(),
            purpose: String::new(),
            detail: "opened".into(),
        }
    }

    #[test]
    fn golden_bytes() {
        let hex = "88011b000001a20b48090069e78e8be59bade995bf686469726563746f726670726f76656466646f6f722d3160666f70656e6564";
        assert_eq!(hex::encode(deed().bytes()), hex);
        assert_eq!(Deed::read(&deed().bytes()), Ok(deed()));
    }

    #[test]
    fn no_other_bytes_say_the_same() {
        let bytes = deed().bytes();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                assert_ne!(Deed::read(&other), Ok(deed()), "byte {at}, bit {bit}");
            }
            assert!(Deed::read(&bytes[..at]).is_err());
        }
        assert!(Deed::read(&[bytes, vec![0]].concat()).is_err(), "a byte too many");
        // The same number in a longer form.
        let mut long = vec![0x88, 0x18, 0x01];
        long.extend(&deed().bytes()[2..]);
        assert!(Deed::read(&long).is_err());
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        let cut = Deed { detail: "字".repeat(FIELD), ..deed() }.bounded();
        assert!(cut.detail.len() <= FIELD && cut.detail.chars().all(|c| c == '字'));
        assert_eq!(Deed::read(&cut.bytes()), Ok(cut));
    }
}
