//! The file about one incident, from a data folder: beside a running gateway or without one. Blocks on the disk.
use super::{names, pictures};
use crate::replay::segment::{Segment, Stretch, segment};
use crate::replay::{ReplayError, Source};
use crate::store::{LookRow, Reader, StoreError, StoredEvent};
use crate::web::story;
use miette::Diagnostic;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use tuoan_dashboards::view::gateway::Around;
use tuoan_evidence::bundle::BuildError;
use tuoan_evidence::head::Countersignature;
use tuoan_evidence::{Builder, Header, Kind, LeafRecord, Proof, Section, SignedHead, SigningKey, WitnessRecord, coverage, tree};
use tuoan_protocol::looks::Piece;
use tuoan_protocol::{DeviceId, Fixed, IncidentEvent, Quantity, RuleId};
use tuoan_vision::models::store::Part;

/// How much of the log goes with it, before it began and after its last change, in milliseconds.
const BEFORE: i64 = 30 * 60_000;
const AFTER: i64 = 10 * 60_000;
/// Days of the coverage ledger at most; of an incident that lasts longer, those of its beginning.
const DAYS: i64 = 92;
/// Bytes that the inputs may take.
const INPUTS: usize = 32 << 20;

/// Who asks for it, and what for. Both stand in the file.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub by: String,
    pub purpose: String,
    /// Blurred stills go with it, and what the looks found.
    pub pictures: bool,
    /// UTC milliseconds.
    pub now: i64,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ExportError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Replay(#[from] ReplayError),
    #[error("there is no incident {0}")]
    #[diagnostic(code(evidence::incident), help("`tuoan incidents list` names those that are kept."))]
    NoIncident(String),
    #[error("this log has no tree yet")]
    #[diagnostic(code(evidence::old), help("An older version wrote it: start the gateway on it once, then export again."))]
    NoTree,
    #[error("the log's tree has no leaf for event {0}")]
    #[diagnostic(code(evidence::tree), help("Start the gateway on this folder once: it gives every event its leaf. Then export again."))]
    NoLeaf(u64),
    #[error(transparent)]
    #[diagnostic(code(evidence::build))]
    Build(#[from] BuildError),
    #[error("the sealed originals cannot be read: {0}")]
    #[diagnostic(code(evidence::originals), help("Run this as the user that the gateway runs as."))]
    Originals(std::io::Error),
}

/// The file, and what is not in it as it should be, in words for the operator.
#[derive(Debug)]
pub struct Exported {
    pub bytes: Vec<u8>,
    pub remarks: Vec<String>,
}

/// Makes the file.
///
/// # Errors
/// There is no such incident, or the store cannot be read.
pub fn export(data: &Path, key: &SigningKey, incident: &str, request: &Request) -> Result<Exported, ExportError> {
    let reader = Reader::open(data)?;
    let source = Source::open(data)?;
    let stored = reader.events_of(incident)?;
    let events: Vec<&IncidentEvent> = stored.iter().filter_map(|e| e.event.as_ref().ok()).collect();
    let (Some(first), Some(last), Some(from), Some(to)) = (events.first(), events.last(), stored.first(), stored.last()) else {
        return Err(ExportError::NoIncident(incident.to_owned()));
    };
    if !reader.has_tree()? {
        return Err(ExportError::NoTree);
    }
    let mut remarks = Vec::new();
    let segment = inputs(&source, from, to, &mut remarks)?;
    let in_force = source.configuration()?;
    let configuration = segment.as_ref().and_then(|s| s.configuration.as_ref()).unwrap_or(&in_force);
    let devices = names::devices(configuration, &first.place.zone, &events);

    let site = configuration.site.id.as_str();
    let log = first.log.as_str();
    let header = Header {
        made_at: request.now,
        made_by: request.by.clone(),
        purpose: request.purpose.clone(),
        ..Header::new(key, site, &configuration.site.name, log, incident)
    };
    let mut b = Builder::new(header);
    // What is still open goes on until now, or until the gateway was stopped for good.
    let until = request.now.min(source.cut.now.saturating_add(source.cut.utc_offset));
    let mut about = names::incident(configuration, first, last, &devices);
    let series = series(&reader, incident, first, &source, &devices, until)?;
    put(&mut about, "replay", replay(segment.as_ref()));
    put(&mut about, "quantities", names::quantities(series.keys().map(|(_, quantity)| quantity)));
    let mut leaves = leaves(&reader, incident, &stored)?;
    if request.pictures {
        leaves.extend(looks(&reader, incident)?);
    }
    let (days, wanted) = days(&reader, configuration.site.utc_offset_minutes, first, last, until, &mut remarks)?;
    put(&mut about, "coverage", wanted);
    b.add(Section::Incident, Some(first.at), first.hazard.as_str(), &about)?;
    let rules: BTreeSet<&RuleId> = events.iter().map(|e| &e.rule).collect();
    for rule in rules {
        match names::rule(configuration, rule) {
            Some(record) => b.add(Section::Rule, None, rule.as_str(), &record)?,
            None => remarks.push(format!("the rule {rule} is not in the configuration that is kept")),
        }
    }
    proofs(&reader, key, (site, log), leaves.into_iter().chain(days).collect(), request.now, &mut b)?;
    for ((device, quantity), points) in &series {
        let points: Vec<Value> = points.iter().map(|(at, value)| json!([at, quantity.float(*value)])).collect();
        let record = json!({"device": device, "quantity": quantity, "unit": quantity.unit(), "points": points});
        b.add(Section::Reading, None, &format!("{device} {}", quantity.name()), &record)?;
    }
    told(&reader, incident, &mut b)?;
    let id = &first.incident;
    if request.pictures {
        for (at, camera, record) in pictures::stills(data, id) {
            b.add(Section::Frame, Some(at), &camera, &record)?;
        }
    }
    for (name, record) in pictures::originals(data, id).map_err(ExportError::Originals)? {
        b.add(Section::Original, None, &name, &record)?;
    }
    for kind in Part::ALL.map(Part::kind).into_iter().chain([crate::estimate::model::kind()]) {
        let built_in: Option<toml::Value> = toml::from_str(kind.manifest).ok();
        let sha256 = built_in.as_ref().and_then(|m| m.get("sha256")).and_then(toml::Value::as_str);
        b.add(Section::Model, None, kind.contract, &json!({"contract": kind.contract, "sha256": sha256}))?;
    }
    for line in segment.iter().flat_map(|s| &s.lines) {
        b.line(Section::Log, line.at, &line.label, &line.json)?;
    }
    Ok(Exported { bytes: b.finish(key)?, remarks })
}

/// The stretch of the log around the incident, with children's codes exchanged for others that are drawn for this file alone.
fn inputs(source: &Source, from: &StoredEvent, to: &StoredEvent, remarks: &mut Vec<String>) -> Result<Option<Segment>, ExportError> {
    let salt: [u8; 32] = rand::random();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &salt);
    let rename = |code: &str| {
        let tag = aws_lc_rs::hmac::sign(&key, code.as_bytes());
        format!("x{}", hex::encode(tag.as_ref().get(..5).unwrap_or_default()))
    };
    let stretch = Stretch { from: from.at.saturating_sub(BEFORE), to: to.at.saturating_add(AFTER), fired: to.at };
    let segment = match segment(source, stretch, INPUTS, &rename) {
        // Retention goes on while this reads.
        Err(ReplayError::Gap { .. }) => None,
        other => other?,
    };
    match &segment {
        None => remarks.push("the log no longer has the inputs of this incident: it cannot be replayed from this file".to_owned()),
        Some(s) if s.cut => remarks.push("the incident's inputs are too many for one file: those of its beginning are enclosed".to_owned()),
        Some(s) if !s.same => {
            remarks.push("another version of the engine wrote these events: a replay by this version gives others".to_owned());
        }
        Some(_) => {}
    }
    Ok(segment)
}

/// Whether the file can be replayed, for people.
fn replay(segment: Option<&Segment>) -> Value {
    match segment {
        None => json!({"inputs": false}),
        Some(s) => json!({"inputs": true, "whole": !s.cut, "same": s.same}),
    }
}

fn put(about: &mut Value, name: &str, value: Value) {
    if let Some(about) = about.as_object_mut() {
        about.insert(name.to_owned(), value);
    }
}

/// Number of a leaf, UTC milliseconds, a label for people, kind, canonical bytes.
type LeafOf = (u64, Option<i64>, String, Kind, Vec<u8>);

/// The incident's events, what people did about it, and what of its inputs was removed.
fn leaves(reader: &Reader, incident: &str, stored: &[StoredEvent]) -> Result<Vec<LeafOf>, ExportError> {
    let mut leaves: Vec<LeafOf> = Vec::new();
    for e in stored {
        let leaf = reader.leaf_of_event(e.sequence)?.ok_or(ExportError::NoLeaf(e.sequence))?;
        let (at, label) = match &e.event {
            Ok(event) => (Some(event.at), format!("event {} {}", e.sequence, event.transition.name())),
            Err(_) => (None, format!("event {}", e.sequence)),
        };
        leaves.push((leaf, at, label, Kind::Event, e.bytes.clone()));
    }
    let mut others = reader.recorded_about(incident)?;
    let mut positions = stored.iter().filter_map(|e| e.event.as_ref().ok()).map(|e| e.position);
    if let Some(first) = positions.next() {
        others.extend(reader.removals_between(first, positions.next_back().unwrap_or(first))?);
    }
    for r in others {
        let at = serde_json::from_slice::<Value>(&r.record).ok().and_then(|v| v.get("at")?.as_i64());
        leaves.push((r.leaf, at, r.kind.name().to_owned(), r.kind, r.record));
    }
    Ok(leaves)
}

/// One that cannot be read is enclosed as it is: who verifies the file is told, instead of missing it.
fn piece(row: LookRow) -> LeafOf {
    let (at, label) = match Piece::from_canonical(&row.bytes) {
        Ok(piece) => (piece.looks.first().map(|l| l.at), format!("{} looks of {}", piece.looks.len(), piece.camera)),
        Err(e) => (None, format!("looks that cannot be read: {e}")),
    };
    (row.leaf, at, label, Kind::Looks, row.bytes)
}

/// What cameras' looks found.
fn looks(reader: &Reader, incident: &str) -> Result<Vec<LeafOf>, ExportError> {
    Ok(reader.looks_of(incident)?.into_iter().map(piece).collect())
}

/// The days of the coverage ledger on which it lasted, from [`BEFORE`] it on; and from which date to which they were asked for.
fn days(
    reader: &Reader,
    utc_offset_minutes: i32,
    first: &IncidentEvent,
    last: &IncidentEvent,
    until: i64,
    remarks: &mut Vec<String>,
) -> Result<(Vec<LeafOf>, Value), ExportError> {
    let date = |at: i64| coverage::date(at, utc_offset_minutes);
    let end = if last.state.closed { last.at.saturating_add(AFTER) } else { last.at.max(until) };
    let (from, to) = (date(first.at.saturating_sub(BEFORE)), date(end));
    if to - from >= DAYS {
        remarks.push(format!("the incident lasted longer than {DAYS} days: the coverage of its first {DAYS} days is enclosed"));
    }
    let (to, mut leaves, mut missing) = (to.min(from + DAYS - 1), Vec::new(), 0);
    for day in from..=to {
        let closed = reader.recorded_about(&coverage::about(day))?;
        missing += usize::from(closed.is_empty());
        for r in closed.into_iter().filter(|r| r.kind == Kind::CoverageDay) {
            let at = std::str::from_utf8(&r.record).ok().and_then(|t| coverage::day(t).ok()).map(|d| d.closed_at);
            leaves.push((r.leaf, at, format!("coverage of day {day}"), r.kind, r.record));
        }
    }
    if missing > 0 {
        remarks.push(format!(
            "the coverage ledger has no closed record of {missing} of the incident's days; a day is closed at its midnight: export again after it"
        ));
    }
    Ok((leaves, json!({"from": from, "to": to})))
}

/// The signed head, the district's word, and each record of the log with its proof.
fn proofs(
    reader: &Reader,
    key: &SigningKey,
    (site, log): (&str, &str),
    mut leaves: Vec<LeafOf>,
    now: i64,
    b: &mut Builder,
) -> Result<(), ExportError> {
    leaves.sort_by_key(|l| l.0);
    // Read after the leaves: all of them are in a tree of this size.
    let size = reader.tree_size()?;
    let head = SignedHead::sign(key, site, log, size, tree::root(reader, size)?, now);
    b.add(Section::Head, Some(now), &format!("{size} records"), &head)?;
    if let Some((seen, countersignature)) =
        witnessed(reader)?.filter(|(h, _)| h.size <= size && h.log == log && h.key == key.public() && h.size > 0)
    {
        let proof = Proof(tree::consistency(reader, seen.size, size)?);
        let (at, label) = (countersignature.time, format!("{} records", seen.size));
        b.add(Section::Witness, Some(at), &label, &WitnessRecord { head: seen, countersignature, proof })?;
    }
    for (leaf, at, label, kind, bytes) in leaves {
        let proof = tree::inclusion(reader, leaf, size)?;
        b.add(Section::Leaf, at, &label, &LeafRecord::new(kind, leaf, &bytes, proof))?;
    }
    Ok(())
}

/// The newest head that the district has countersigned.
///
/// # Errors
/// The store cannot be read.
pub fn witnessed(reader: &Reader) -> Result<Option<(SignedHead, Countersignature)>, StoreError> {
    Ok(reader.kept(super::witness::KEPT)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

type Series = std::collections::BTreeMap<(DeviceId, Quantity), Vec<(i64, Fixed)>>;

/// What the incident's page shows, too: readings of the zone's devices, thinned so that every peak and every gap is there. All of them, as they came, are among
/// the inputs of the replay.
fn series(
    reader: &Reader,
    incident: &str,
    first: &IncidentEvent,
    source: &Source,
    devices: &BTreeSet<DeviceId>,
    until: i64,
) -> Result<Series, ExportError> {
    let offset = reader.utc_offset_at(first.position)?.unwrap_or(source.cut.utc_offset);
    let wanted = |_: &tuoan_protocol::ZoneId| devices.iter().cloned().collect();
    let story = story::read(reader, incident, until, offset, wanted, &[], Around::default())?;
    Ok(story.map(|s| s.series.into_iter().map(|(key, thinned)| (key, thinned.points)).collect()).unwrap_or_default())
}

/// Who was told by which way, and what receivers said.
fn told(reader: &Reader, incident: &str, b: &mut Builder) -> Result<(), ExportError> {
    let (notices, told) = reader.notices_of(incident)?;
    for n in &notices {
        let ways: Vec<Value> = told
            .iter()
            .filter(|t| t.notice == n.notice.id)
            .map(|t| json!({"channel": t.channel, "state": format!("{:?}", t.state).to_lowercase(), "attempts": t.attempts, "at": t.at, "text": t.text}))
            .collect();
        let record = json!({"id": n.notice.id, "at": n.at, "sequence": n.notice.sequence, "person": n.notice.person, "rung": n.notice.rung,
            "seen": n.seen, "ways": ways});
        b.add(Section::Notice, Some(n.at), &format!("notice {}", n.notice.id), &record)?;
    }
    for r in reader.receipts_of(incident)? {
        let record = json!({"sink": r.sink, "sequence": r.sequence, "receipt": r.receipt, "at": r.at});
        b.add(Section::Receipt, Some(r.at), &format!("{} {}", r.sink, r.sequence), &record)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_that_cannot_be_read_are_enclosed_as_they_are() {
        let (leaf, at, label, kind, bytes) = piece(LookRow { leaf: 7, bytes: vec![0xff, 1] });
        assert_eq!((leaf, at, kind, bytes), (7, None, Kind::Looks, vec![0xff, 1]));
        assert!(label.contains("cannot be read"));
    }
}
