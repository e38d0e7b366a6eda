//! Everything that must hold of a bundle.
use crate::bundle::{self, Bundle, Header, Listed, Section, exact, text};
use crate::compare::compare;
use crate::coverage;
use crate::fault::{Fault, Named, Refused};
use crate::head::{Countersignature, Proof, SignedHead};
use crate::key::PublicKey;
use crate::page::{self, PAGE};
use crate::{Kind, tree};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use tuoan_protocol::IncidentEvent;
use tuoan_protocol::codec::Wire;
use tuoan_protocol::ledger::{Day, Figure};
use tuoan_protocol::looks::Piece;

/// What the verifier knows from elsewhere. Without the site's key a file proves only that it is whole, not whose it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trust {
    pub site: Option<PublicKey>,
    pub witness: Option<PublicKey>,
}

/// A record of the log, with the proof that it is in the signed tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafRecord {
    /// Number of the leaf, from 0.
    pub leaf: u64,
    /// [`Kind::name`].
    pub kind: String,
    /// The canonical bytes: of an event and of looks in hexadecimal digits, of all others the JSON text itself.
    pub record: String,
    pub proof: Proof,
}

impl LeafRecord {
    pub fn new(kind: Kind, leaf: u64, bytes: &[u8], proof: Vec<tree::Hash>) -> LeafRecord {
        let record = match kind {
            Kind::Event | Kind::Looks => hex::encode(bytes),
            _ => String::from_utf8_lossy(bytes).into_owned(),
        };
        LeafRecord { leaf, kind: kind.name().to_owned(), record, proof: Proof(proof) }
    }
}

/// What the district has countersigned, and that the log has only grown since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessRecord {
    pub head: SignedHead,
    pub countersignature: Countersignature,
    pub proof: Proof,
}

#[derive(Deserialize)]
struct Frame {
    sha256: String,
    jpeg: String,
}

/// What a file proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub header: Header,
    /// The key was compared with one that was known beforehand.
    pub key_known: bool,
    pub head: SignedHead,
    pub witness: Option<WitnessRecord>,
    /// The witness's key was compared with one that was known beforehand.
    pub witness_known: bool,
    /// The incident's events, in order.
    pub events: Vec<IncidentEvent>,
    /// Of these, how many are in the part of the log that the district has witnessed.
    pub witnessed: usize,
    /// Days of the coverage ledger, in the order in which they were closed.
    pub days: Vec<Day>,
    /// What cameras' looks found, each camera's in order.
    pub looks: Vec<Piece>,
    /// Records of the log other than events, days and looks.
    pub deeds: usize,
    pub records: usize,
    pub frames: usize,
    /// Inputs of the engine that are enclosed; with 0 the incident cannot be replayed.
    pub inputs: usize,
}

impl Report {
    /// How the incident's zone was watched from its first event to its last; `None` where no enclosed day tells of it.
    pub fn watched(&self) -> Option<Figure> {
        let (first, last) = (self.events.first()?, self.events.last()?);
        coverage::watched(&self.days, &first.place.zone, first.at, last.at)
    }
}

/// An event from its canonical bytes in hexadecimal digits.
///
/// # Errors
/// They are no event, or not in the canonical form.
pub(crate) fn event_of(digits: &str) -> Result<IncidentEvent, String> {
    let bytes = hex::decode(digits).map_err(|e| e.to_string())?;
    let event = IncidentEvent::from_cbor(&bytes).map_err(|e| e.to_string())?;
    match event.to_cbor_vec() {
        Ok(canonical) if hex::encode(&canonical) == digits => Ok(event),
        _ => Err("the event is not in its canonical form".to_owned()),
    }
}

/// Checks a file. Needs nothing but the bytes, and the keys that are trusted.
///
/// # Errors
/// Something does not hold; what, is named.
pub fn verify(bytes: &[u8], trust: &Trust) -> Result<Report, Refused> {
    let bundle = bundle::read(bytes)?;
    let mut faults = Vec::new();
    check_page(&bundle, &mut faults);
    if !bundle.header.key.verify(bundle.signed, &bundle.signature) {
        faults.push(Fault::Signature);
    }
    if let Some(wanted) = trust.site.filter(|k| *k != bundle.header.key) {
        faults.push(Fault::OtherKey { wanted, found: bundle.header.key });
    }
    faults.extend(compare(&bundle));
    if !faults.is_empty() {
        return Err(Refused::of(faults));
    }
    content(bundle, trust)
}

fn check_page(bundle: &Bundle<'_>, faults: &mut Vec<Fault>) {
    let hash = page::hash(bundle.page);
    let sha256 = hex::encode(hash);
    if sha256 != bundle.header.page {
        let at = PAGE.bytes().zip(bundle.page).take_while(|(a, b)| a == *b).count();
        faults.push(Fault::Page { at });
    } else if !page::is_known(&hash) {
        faults.push(Fault::UnknownPage { sha256 });
    }
}

struct Content<'a> {
    header: Header,
    trust: &'a Trust,
    faults: Vec<Fault>,
    head: Option<SignedHead>,
    witness: Option<WitnessRecord>,
    events: Vec<(IncidentEvent, u64)>,
    last_leaf: Option<u64>,
    days: Vec<Day>,
    looks: Vec<Piece>,
    deeds: usize,
    frames: usize,
    inputs: usize,
    /// Sequence and bytes of the events among the inputs.
    logged: Vec<(u64, String)>,
    incidents: usize,
}

/// What the records say, now that they are known to be the signed ones.
fn content(bundle: Bundle<'_>, trust: &Trust) -> Result<Report, Refused> {
    let records = bundle.lines.len();
    let mut c = Content {
        header: bundle.header,
        trust,
        faults: Vec::new(),
        head: None,
        witness: None,
        events: Vec::new(),
        last_leaf: None,
        days: Vec::new(),
        looks: Vec::new(),
        deeds: 0,
        frames: 0,
        inputs: 0,
        logged: Vec::new(),
        incidents: 0,
    };
    for (index, (listed, line)) in bundle.list.iter().zip(&bundle.lines).enumerate() {
        let named = || listed.named(index);
        let read = text(line).and_then(|line| c.record(listed, line, &named));
        if let Err(detail) = read {
            c.faults.push(Fault::Content { record: named(), detail });
        }
        if c.faults.len() > Refused::LISTED {
            break;
        }
    }
    c.finish(records)
}

fn parse<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|e| e.to_string())
}

impl Content<'_> {
    fn record(&mut self, listed: &Listed<'_>, line: &str, named: &dyn Fn() -> Named) -> Result<(), String> {
        match listed.section {
            Section::Head => {
                let head: SignedHead = exact(line)?;
                if self.head.is_some() {
                    return Err("there is a second head".to_owned());
                }
                self.belongs(&head)?;
                self.head = Some(head);
            }
            Section::Witness => {
                let w: WitnessRecord = exact(line)?;
                if let Err(why) = self.witnessed(&w) {
                    self.faults.push(Fault::Witness(why));
                }
                self.witness = Some(w);
            }
            Section::Leaf => self.leaf(listed, exact(line)?, named)?,
            Section::Frame => {
                let f: Frame = parse(line)?;
                let picture = BASE64_STANDARD.decode(&f.jpeg).map_err(|e| e.to_string())?;
                if hex::encode(Sha256::digest(&picture)) != f.sha256 {
                    return Err("the picture is not the one whose hash stands beside it".to_owned());
                }
                self.frames += 1;
            }
            Section::Log => self.log(line)?,
            Section::Incident => {
                parse::<serde::de::IgnoredAny>(line)?;
                self.incidents += 1;
            }
            _ => drop(parse::<serde::de::IgnoredAny>(line)?),
        }
        Ok(())
    }
    fn belongs(&self, head: &SignedHead) -> Result<(), String> {
        if !head.holds() {
            return Err("the head's signature does not hold".to_owned());
        }
        if (head.key, &head.site, &head.log) != (self.header.key, &self.header.site, &self.header.log) {
            return Err("the head is of another site, log or key".to_owned());
        }
        Ok(())
    }
    fn witnessed(&self, w: &WitnessRecord) -> Result<(), String> {
        self.belongs(&w.head)?;
        let Some(head) = &self.head else { return Err("there is no head".to_owned()) };
        if self.witness.is_some() {
            return Err("there is a second one".to_owned());
        }
        if self.trust.witness.is_some_and(|k| k != w.countersignature.key) {
            return Err(format!("it is signed by another key ({}) than the one given", w.countersignature.key));
        }
        if !w.countersignature.holds(&w.head) {
            return Err("the countersignature is not that of the head".to_owned());
        }
        if !tree::consistent(w.head.size, &w.head.root, head.size, &head.root, &w.proof.0) {
            return Err("what was witnessed is not the beginning of this log".to_owned());
        }
        Ok(())
    }
    fn leaf(&mut self, listed: &Listed<'_>, leaf: LeafRecord, named: &dyn Fn() -> Named) -> Result<(), String> {
        let kind = Kind::named(&leaf.kind).ok_or("a kind of record that this version does not know; use the newest verifier")?;
        if self.last_leaf.is_some_and(|last| last >= leaf.leaf) {
            return Err("the log's records are not in their order".to_owned());
        }
        self.last_leaf = Some(leaf.leaf);
        let bytes = if kind == Kind::Event {
            let event = event_of(&leaf.record)?;
            let (site, log) = (event.site.as_str(), event.log.as_str());
            if (site, log, event.incident.as_str()) != (&*self.header.site, &*self.header.log, &*self.header.incident) {
                return Err("the event is of another site, log or incident".to_owned());
            }
            if listed.at != Some(event.at) {
                return Err("the list gives another time than the event".to_owned());
            }
            if self.events.last().is_some_and(|(last, _)| last.sequence >= event.sequence) {
                return Err("the events are not in their order".to_owned());
            }
            self.events.push((event, leaf.leaf));
            hex::decode(&leaf.record).unwrap_or_default()
        } else if kind == Kind::CoverageDay {
            let day = coverage::day(&leaf.record)?;
            if (day.site.as_str(), day.log.as_str()) != (&*self.header.site, &*self.header.log) {
                return Err("the day is of another site or log".to_owned());
            }
            if self.days.last().is_some_and(|last| last.number >= day.number) {
                return Err("the ledger's days are not in their order".to_owned());
            }
            self.days.push(day);
            leaf.record.into_bytes()
        } else if kind == Kind::Looks {
            self.looks(listed, &leaf.record)?
        } else {
            parse::<serde::de::IgnoredAny>(&leaf.record)?;
            self.deeds += 1;
            leaf.record.into_bytes()
        };
        let Some(head) = &self.head else { return Err("there is no signed head before it".to_owned()) };
        if !tree::included(&tree::leaf(kind.number(), &bytes), leaf.leaf, head.size, &leaf.proof.0, &head.root) {
            self.faults.push(Fault::NotInLog(named()));
        }
        Ok(())
    }
    /// The canonical bytes of what looks found.
    fn looks(&mut self, listed: &Listed<'_>, digits: &str) -> Result<Vec<u8>, String> {
        let bytes = hex::decode(digits).map_err(|e| e.to_string())?;
        if hex::encode(&bytes) != digits {
            return Err("the looks are not in lower-case hexadecimal digits".to_owned());
        }
        let piece = Piece::from_canonical(&bytes).map_err(|e| e.to_string())?;
        let (site, log, incident) = (piece.site.as_str(), piece.log.as_str(), piece.incident.as_str());
        if (site, log, incident) != (&*self.header.site, &*self.header.log, &*self.header.incident) {
            return Err("the looks are of another site, log or incident".to_owned());
        }
        let first = piece.looks.first().map(|l| l.at);
        if listed.at != first {
            return Err("the list gives another time than the first look".to_owned());
        }
        let before = self.looks.iter().rev().find(|p| p.camera == piece.camera).and_then(|p| p.looks.last());
        if before.map(|l| l.at) >= first && before.is_some() {
            return Err("the camera's looks are not in their order".to_owned());
        }
        self.looks.push(piece);
        Ok(bytes)
    }
    fn log(&mut self, line: &str) -> Result<(), String> {
        #[derive(Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Event {
            sequence: u64,
            cbor: String,
        }
        if line.starts_with("{\"sequence\":") {
            let e: Event = exact(line)?;
            let gap = self.logged.last().is_some_and(|(last, _)| last.checked_add(1) != Some(e.sequence));
            self.logged.push((e.sequence, e.cbor));
            if gap {
                return Err("an event of the log is missing before it".to_owned());
            }
        } else {
            // `tuoan replay` reads them; here they need only be what was signed.
            self.inputs += usize::from(line.starts_with("{\"position\":"));
        }
        Ok(())
    }

    fn finish(mut self, records: usize) -> Result<Report, Refused> {
        if self.head.is_none() && self.faults.is_empty() {
            self.faults.push(Fault::Head("there is no signed tree head".to_owned()));
        }
        if self.events.is_empty() && self.faults.is_empty() {
            self.faults.push(Fault::Head("there is no event of the incident".to_owned()));
        }
        if self.faults.is_empty()
            && let Err(why) = self.same_story()
        {
            self.faults.push(Fault::Inputs(why));
        }
        let (Some(head), true) = (self.head, self.faults.is_empty()) else { return Err(Refused::of(self.faults)) };
        let seen = self.witness.as_ref().map_or(0, |w| w.head.size);
        Ok(Report {
            key_known: self.trust.site.is_some(),
            witness_known: self.trust.witness.is_some() && self.witness.is_some(),
            head,
            witnessed: self.events.iter().filter(|(_, leaf)| *leaf < seen).count(),
            witness: self.witness,
            events: self.events.into_iter().map(|(e, _)| e).collect(),
            days: self.days,
            looks: self.looks,
            deeds: self.deeds,
            records,
            frames: self.frames,
            inputs: self.inputs,
            header: self.header,
        })
    }
    /// The events that a replay compares are those that the proofs are about; none of the incident's is left out among them.
    fn same_story(&self) -> Result<(), String> {
        let (Some((first, _)), Some((last, _))) = (self.logged.first(), self.logged.last()) else { return Ok(()) };
        let proven: HashMap<u64, &IncidentEvent> = self.events.iter().map(|(e, _)| (e.sequence, e)).collect();
        for (sequence, digits) in &self.logged {
            let event = event_of(digits).map_err(|e| format!("event {sequence}: {e}"))?;
            if event.sequence != *sequence {
                return Err(format!("event {sequence} has another number inside"));
            }
            match proven.get(sequence) {
                Some(proven) if **proven == event => {}
                None if event.incident.as_str() != self.header.incident => {}
                _ => return Err(format!("event {sequence} is not among the incident's records, or another one there")),
            }
        }
        let within = self.events.iter().filter(|(e, _)| (*first..=*last).contains(&e.sequence)).count();
        let told = self.logged.iter().filter(|(s, _)| proven.contains_key(s)).count();
        if within == told { Ok(()) } else { Err("events of the incident are missing among the inputs".to_owned()) }
    }
}
