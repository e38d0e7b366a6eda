//! Files as their maker may write and sign them, against every rule, made from one that holds.
use super::EXACT;
use crate::page::{OPEN, PAGE, TAIL};
use crate::tests::{INCIDENT, LOG, T, district_key, event, looks, site_key};
use crate::tree::{self, Hash};
use crate::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use tuoan_protocol::codec::Wire;
use tuoan_protocol::looks::Piece;
use tuoan_protocol::{CauseCode, Exercise, Fixed, IncidentEvent, Inhibition, Quantity, Rung, Transition, Trigger, Via};

/// A record of the log: its kind, its bytes, the time that the list gives, and whether the file holds it.
#[derive(Clone)]
pub(super) struct Leaf {
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
    pub(super) at: Option<i64>,
    pub(super) enclosed: bool,
}

#[derive(Clone)]
pub(super) struct Row {
    pub(super) section: String,
    pub(super) at: String,
    pub(super) label: String,
    pub(super) line: Vec<u8>,
}

/// A file as its maker may write and sign it, against every rule.
#[derive(Clone)]
pub(super) struct Forge {
    pub(super) header: String,
    pub(super) rows: Vec<Row>,
}

pub(super) fn row(section: &str, at: Option<i64>, label: &str, record: &Value) -> Row {
    let line = record.to_string().replace('<', "\\u003c").into_bytes();
    Row { section: section.into(), at: at.map_or("-".into(), |t| t.to_string()), label: label.into(), line }
}
/// Fields in their own order, which `json!` would not keep.
pub(super) fn text<T: serde::Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_string(record).unwrap().replace('<', "\\u003c").into_bytes()
}

impl Forge {
    pub(super) fn body(&self) -> Vec<u8> {
        let mut signed = format!("tuoan-evidence 1\n{}\n", self.header).into_bytes();
        for r in &self.rows {
            signed.extend(format!("{} {} {} {}\n", hex::encode(Sha256::digest(&r.line)), r.section, r.at, r.label).bytes());
        }
        let signature = hex::encode(site_key().sign(&signed));
        let records = self.rows.iter().flat_map(|r| [r.line.as_slice(), b"\n"].concat());
        [signed, format!("signature {signature}\n").into_bytes(), records.collect(), b"end\n".to_vec()].concat()
    }
    pub(super) fn file(&self) -> Vec<u8> {
        [PAGE.as_bytes(), OPEN.as_bytes(), &self.body(), TAIL.as_bytes()].concat()
    }
    pub(super) fn first(&mut self, section: &str) -> usize {
        self.rows.iter().position(|r| r.section == section).unwrap()
    }
    /// Another text in the first record of a section.
    pub(super) fn swap(mut self, section: &str, was: &str, is: &str) -> Forge {
        let at = self.first(section);
        let line = String::from_utf8(self.rows[at].line.clone()).unwrap();
        assert!(line.contains(was), "{line}");
        self.rows[at].line = line.replacen(was, is, 1).into_bytes();
        self
    }
    pub(super) fn in_header(mut self, was: &str, is: &str) -> Forge {
        assert!(self.header.contains(was), "{}", self.header);
        self.header = self.header.replacen(was, is, 1);
        self
    }
    pub(super) fn with(mut self, change: impl FnOnce(&mut Forge)) -> Forge {
        change(&mut self);
        self
    }
}

/// An event with everything in it that one may hold.
pub(super) fn full(sequence: u64) -> IncidentEvent {
    let mut e = event(sequence, INCIDENT, Transition::Acknowledged);
    e.state.inhibited = Some(Inhibition::Shelved);
    e.place.device = Some("cam-1".parse().unwrap());
    let reading = Some((Quantity::Temperature, Fixed(-2345)));
    e.trigger = Some(Trigger { device: "t-1".parse().unwrap(), reading, seq: Some(u64::MAX) });
    e.note = Some("看过了\u{2028}<b>".try_into().unwrap());
    (e.via, e.cause, e.until) = (Some(Via::Link), Some(CauseCode::False), Some(i64::MAX));
    (e.rung, e.exercise, e.position) = (Some(Rung::Deputy), Some(Exercise::Drill), EXACT + 2);
    (e.overridden_by, e.assignee) = (Some("Li".try_into().unwrap()), Some("Wu".try_into().unwrap()));
    e.other = Some(LOG.parse().unwrap());
    e
}

pub(super) fn of_event(e: &IncidentEvent) -> Leaf {
    Leaf { kind: Kind::Event, bytes: e.to_cbor_vec().unwrap(), at: Some(e.at), enclosed: e.incident.as_str() == INCIDENT }
}
pub(super) fn of_day(day: &tuoan_protocol::ledger::Day) -> Leaf {
    let bytes = coverage::record(day.number, day.date, &day.canonical_bytes()).into_bytes();
    Leaf { kind: Kind::CoverageDay, bytes, at: Some(T), enclosed: true }
}
pub(super) fn of_looks(piece: &Piece) -> Leaf {
    Leaf { kind: Kind::Looks, bytes: piece.canonical_bytes(), at: piece.looks.first().map(|l| l.at), enclosed: true }
}
pub(super) fn deed(kind: Kind, record: &str) -> Leaf {
    Leaf { kind, bytes: record.as_bytes().to_vec(), at: Some(T), enclosed: true }
}
pub(super) fn day(number: u64) -> tuoan_protocol::ledger::Day {
    coverage::tests::covered(number, 20_000 + number as i64, LOG, 600)
}
pub(super) fn piece(camera: &str, second: i64) -> Piece {
    Piece { camera: camera.parse().unwrap(), ..looks(second, INCIDENT) }
}

/// The log: events 5 to 9, three of them the incident's, and the rest of what may stand in it.
pub(super) fn leaves() -> Vec<Leaf> {
    let other = |n| of_event(&event(n, "01JE0000000000000000000099", Transition::Opened));
    let mut all = vec![of_event(&event(5, INCIDENT, Transition::Opened)), other(6), of_event(&full(7)), other(8)];
    all.push(of_event(&event(9, INCIDENT, Transition::Closed)));
    all.extend([deed(Kind::PictureDeed, r#"{"actor":"L<i>","what":"open"}"#), deed(Kind::Access, "[1e999,\"\\ud800\"]")]);
    all.extend([of_day(&day(7)), of_day(&day(9))]);
    all.extend([of_looks(&piece("cam-1", 1)), of_looks(&piece("cam-2", 2)), of_looks(&piece("cam-1", 4))]);
    all
}

/// The header's line: the same in every file, and the page's hash in it takes its time.
pub(super) static HEADER: LazyLock<String> = LazyLock::new(|| {
    let header = Header {
        made_by: "赵主任".into(),
        purpose: "consultation".into(),
        made_at: T,
        ..Header::new(&site_key(), "xingyuan", "杏<园>", LOG, INCIDENT)
    };
    String::from_utf8(text(&header)).unwrap()
});

/// A file of that log; the events among the inputs are those of the log.
pub(super) fn forge(leaves: &[Leaf]) -> Forge {
    let hashes: Vec<Hash> = leaves.iter().map(|l| tree::leaf(l.kind.number(), &l.bytes)).collect();
    let (tree, size) = (hashes.as_slice(), hashes.len() as u64);
    let head = |n| SignedHead::sign(&site_key(), "xingyuan", LOG, n, tree::root(tree, n).unwrap(), T + 60_000);
    let seen = head(3);
    let countersignature = Countersignature::sign(&district_key(), &seen, T + 31_000);
    let witness = WitnessRecord { head: seen, countersignature, proof: Proof(tree::consistency(tree, 3, size).unwrap()) };
    let plain = |section: &str, record: Value| row(section, None, "a label\u{2028}of two lines", &record);
    let mut rows =
        vec![plain("incident", json!({"zone": "nap-1"})), plain("rule", json!({"id": "fire.smoke", "x": [1.5e300, null, true]}))];
    rows.push(Row { line: text(&head(size)), ..row("head", Some(T), "head", &Value::Null) });
    rows.push(Row { line: text(&witness), ..row("witness", Some(T), "district", &Value::Null) });
    for (n, l) in leaves.iter().enumerate().filter(|(_, l)| l.enclosed) {
        let record = LeafRecord::new(l.kind, n as u64, &l.bytes, tree::inclusion(tree, n as u64, size).unwrap());
        rows.push(Row { line: text(&record), ..row("leaf", l.at, &format!("record {n}"), &Value::Null) });
    }
    rows.push(row("reading", None, "smoke", &json!({"points": [[T, 0.25], [T + 5, 23.0]]})));
    rows.push(row(
        "frame",
        Some(T),
        "cam-1",
        &json!({"at": T, "camera": "cam-1", "jpeg": "anBlZ3M=", "sha256": hex::encode(page::hash(b"jpegs"))}),
    ));
    rows.push(row("log", None, "head", &json!({"tuoan_log": 1})));
    for l in leaves.iter().filter(|l| l.kind == Kind::Event) {
        let sequence = IncidentEvent::from_cbor(&l.bytes).map_or(0, |e| e.sequence);
        let line = format!(r#"{{"sequence":{sequence},"cbor":"{}"}}"#, hex::encode(&l.bytes)).into_bytes();
        rows.push(Row { line, ..row("log", None, "event", &Value::Null) });
    }
    Forge { header: HEADER.clone(), rows }
}

pub(super) fn clean() -> Forge {
    static CLEAN: LazyLock<Forge> = LazyLock::new(|| forge(&leaves()));
    CLEAN.clone()
}
/// A file in whose log one leaf is another.
pub(super) fn leaf(n: usize, change: impl FnOnce(&mut Leaf)) -> Forge {
    let mut all = leaves();
    change(&mut all[n]);
    forge(&all)
}
/// The event at that leaf is another, its list's time with it.
pub(super) fn other_event(n: usize, change: impl FnOnce(&mut IncidentEvent)) -> Forge {
    leaf(n, |l| {
        let mut e = IncidentEvent::from_cbor(&l.bytes).unwrap();
        change(&mut e);
        *l = Leaf { enclosed: true, ..of_event(&e) };
    })
}
/// Bytes of the event, of a day or of looks at that leaf are others.
pub(super) fn bytes(n: usize, change: impl Fn(&mut Vec<u8>)) -> Forge {
    leaf(n, |l| {
        if l.kind == Kind::CoverageDay {
            let mut canonical = day(7).canonical_bytes();
            change(&mut canonical);
            l.bytes = coverage::record(7, 20_007, &canonical).into_bytes();
        } else {
            change(&mut l.bytes);
        }
    })
}
pub(super) fn replaced(bytes: &mut Vec<u8>, was: &[u8], is: &[u8]) {
    let at = bytes.windows(was.len()).position(|w| w == was).expect("the bytes are there");
    bytes.splice(at..at + was.len(), is.iter().copied());
}
/// The first row's hash of a proof, or another part of a leaf's record.
pub(super) fn leaf_line(was: &str, is: &str) -> Forge {
    clean().swap("leaf", was, is)
}
