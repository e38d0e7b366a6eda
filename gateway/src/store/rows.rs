//! What the reader's queries answer and the writer's small operations carry.
use super::{Entry, Lane};
use crate::engine::DeviceCommand;
use rusqlite::Row;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use tuoan_protocol::id::NameError;
use tuoan_protocol::{Basis, DeviceId, HazardId, IncidentEvent, IncidentId, IncidentState, Place, RuleId, Severity, ZoneId};

/// An incident event as it was committed.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    pub sequence: u64,
    /// Engine time of the commit's step.
    pub at: i64,
    /// Canonical CBOR.
    pub bytes: Vec<u8>,
    /// Decoded; the reason when the bytes cannot be read (a poison record: set it aside).
    pub event: Result<IncidentEvent, String>,
}

/// Consecutive entries of the input log, shared with the writer's ring where they are recent.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    pub(super) chunks: Vec<(Arc<Vec<Entry>>, Range<usize>)>,
}

impl From<Vec<Entry>> for Entries {
    fn from(entries: Vec<Entry>) -> Entries {
        let range = 0..entries.len();
        Entries { chunks: vec![(Arc::new(entries), range)] }
    }
}

impl Entries {
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.chunks.iter().flat_map(|(entries, range)| entries.get(range.clone()).unwrap_or_default())
    }
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|(_, range)| range.len()).sum()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Position of the last one: the next `after`.
    pub fn last_position(&self) -> Option<u64> {
        self.chunks.last().and_then(|(entries, range)| entries.get(range.clone())?.last()).map(|e| e.position)
    }
}

/// The present state of an incident, folded from its events.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentRow {
    pub id: IncidentId,
    pub hazard: HazardId,
    pub place: Place,
    pub severity: Severity,
    pub basis: Basis,
    pub state: IncidentState,
    pub rule: RuleId,
    pub activations: u32,
    /// UTC milliseconds.
    pub opened_at: i64,
    pub changed_at: i64,
    /// Sequence of its last event.
    pub sequence: u64,
}

/// Which incidents to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct IncidentFilter {
    /// Only those not yet closed.
    pub open: bool,
    pub zone: Option<String>,
    pub hazard: Option<String>,
    /// UTC milliseconds: changed at or after.
    pub since: Option<i64>,
}

/// Something that was done with cameras' pictures, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureRow {
    pub position: u64,
    /// UTC milliseconds.
    pub at: i64,
    pub actor: String,
    /// [`crate::engine::input::PictureAct::name`].
    pub what: String,
    pub camera: Option<String>,
    pub incident: Option<String>,
    pub reason: String,
}

/// A sink's word that it has taken an incident event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub sink: String,
    pub sequence: u64,
    /// As the receiver gave it.
    pub receipt: String,
    /// UTC milliseconds.
    pub at: i64,
}

/// A record that a sink cannot take: counted and shown, never in the way. For alerts a tombstone goes out in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    pub sink: String,
    pub lane: Lane,
    /// Sequence (alerts) or position (metrics).
    pub at: u64,
    pub reason: String,
    /// UTC milliseconds.
    pub when: i64,
}

/// An order to a device that is not confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    pub command: DeviceCommand,
    /// Engine time at which it was given.
    pub created: i64,
    pub attempts: u32,
    /// Engine time of the last attempt.
    pub attempted: Option<i64>,
}

/// A retained message of the embedded broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    /// Publisher's client id.
    pub sender: Option<String>,
    /// UTC milliseconds.
    pub at: i64,
    /// UTC milliseconds after which it is no longer given out.
    pub expires: Option<i64>,
}

/// One quarantined message and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    pub id: u64,
    pub message: super::Quarantined,
}

/// Totals since the log was created; each changes in the transaction of what it counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// MQTT messages in the log.
    pub messages: u64,
    /// Entries of the log, those that no message caused included.
    pub entries: u64,
    /// Redeliveries recognised and dropped.
    pub duplicates: u64,
    /// Messages that went to the quarantine, those dropped from it since included.
    pub quarantined: u64,
    /// Quarantined messages that had to make room for newer ones.
    pub quarantine_dropped: u64,
    pub events: u64,
    /// Bytes of the entries' bodies.
    pub body_bytes: u64,
}

/// What a scan of the whole log finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recount {
    pub messages: u64,
    /// Messages that carry (boot, seq).
    pub numbered: u64,
    /// Different (device, boot, seq) among those: equal to `numbered` when nothing is stored twice.
    pub distinct: u64,
}

/// Room on the disk that holds the store, in bytes: with [`Counts`] at two moments it says how many hours are left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    /// Free for us, the reserve not counted.
    pub free: u64,
    /// Taken by the store's own files.
    pub used: u64,
}

/// The partition that holds the store, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disk {
    pub total: u64,
    /// Free for us, the reserve not counted.
    pub free: u64,
}

impl Disk {
    /// Of that directory; `None` when the file system does not say.
    pub fn of(dir: &Path) -> Option<Disk> {
        let s = rustix::fs::statvfs(dir).ok()?;
        Some(Disk { total: s.f_blocks.saturating_mul(s.f_frsize), free: s.f_bavail.saturating_mul(s.f_frsize) })
    }
}

/// What a sink still has before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub records: u64,
    /// Estimated from the mean size of a record.
    pub bytes: u64,
}

fn text(r: &Row<'_>, column: &str) -> Result<String, String> {
    r.get(column).map_err(|e| e.to_string())
}
fn number(r: &Row<'_>, column: &str) -> Result<i64, String> {
    r.get(column).map_err(|e| e.to_string())
}
fn named<T>(text: &str, new: impl Fn(&str) -> Result<T, NameError>) -> Result<T, String> {
    new(text).map_err(|e| format!("{text:?}: {e}"))
}

/// A row of the table `incident`, by the names of its columns.
pub(super) fn incident_row(r: &Row<'_>) -> Result<IncidentRow, String> {
    let flag = |column| number(r, column).map(|n| n != 0);
    let device: Option<String> = r.get("device").map_err(|e| e.to_string())?;
    let severity = u8::try_from(number(r, "severity")?).map_err(|e| e.to_string())?;
    Ok(IncidentRow {
        id: named(&text(r, "id")?, IncidentId::new)?,
        hazard: named(&text(r, "hazard")?, HazardId::new)?,
        place: Place { zone: named(&text(r, "zone")?, ZoneId::new)?, device: device.map(|d| named(&d, DeviceId::new)).transpose()? },
        severity: Severity::try_from(severity)?,
        basis: if flag("basis")? { Basis::Confirmed } else { Basis::Inferred },
        state: IncidentState { active: flag("active")?, acknowledged: flag("acknowledged")?, closed: flag("closed")?, inhibited: None },
        rule: named(&text(r, "rule")?, RuleId::new)?,
        activations: u32::try_from(number(r, "activations")?).unwrap_or(u32::MAX),
        opened_at: number(r, "opened_at")?,
        changed_at: number(r, "changed_at")?,
        sequence: number(r, "sequence")?.unsigned_abs(),
    })
}

/// A row of the table `outbox`, by the names of its columns.
pub(super) fn outbox_row(r: &Row<'_>) -> Result<OutboxRow, String> {
    let command = DeviceCommand {
        id: number(r, "id")?.unsigned_abs(),
        device: named(&text(r, "device")?, DeviceId::new)?,
        action: serde_json::from_str(&text(r, "action")?).map_err(|e| e.to_string())?,
        expires: number(r, "expires")?,
    };
    Ok(OutboxRow {
        command,
        created: number(r, "created")?,
        attempts: u32::try_from(number(r, "attempts")?).unwrap_or(u32::MAX),
        attempted: r.get("attempted").map_err(|e| e.to_string())?,
    })
}
