//! What the engine says. Everything in one [`Outcome`] is committed in one transaction.
use serde::{Deserialize, Serialize};
use tuoan_protocol::{DeviceId, IncidentEvent, IncidentId, Rung, Severity};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// One for each input of the batch, in order.
    pub verdicts: Vec<Verdict>,
    /// Incident events, in order of their sequence.
    pub events: Vec<IncidentEvent>,
    /// New entries of the command outbox.
    pub commands: Vec<DeviceCommand>,
    /// Whom to tell of what; numbered without a gap.
    pub notices: Vec<Notice>,
    /// Orders that a device says it has carried out, and who says so: only the word of the device that the order is for counts.
    pub confirmed: Vec<(DeviceId, u64)>,
    /// Days of the coverage ledger that are closed; numbered without a gap.
    pub ledger: Vec<LedgerDay>,
}

/// A closed day of the coverage ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerDay {
    pub number: u64,
    /// Days since 1970-01-01 by the site's clock.
    pub date: i64,
    /// Canonical bytes of a [`tuoan_protocol::ledger::Day`].
    pub bytes: Vec<u8>,
}

/// One person, or the groups that channels reach as a whole, is to be told of one event of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Number, derived from the log: from 1, without a gap.
    pub id: u64,
    pub incident: IncidentId,
    /// Sequence of the event that it tells of.
    pub sequence: u64,
    pub kind: NoticeKind,
    /// Id of the person; `None`: the channels that reach everybody.
    pub person: Option<String>,
    pub rung: Rung,
    /// Without a sound.
    pub silent: bool,
    pub severity: Severity,
    /// UTC milliseconds: not before, because of quiet hours.
    pub not_before: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    Alert,
    /// Nobody has handled it: everybody is told once more.
    Again,
    /// It is over, in hand, shelved or handled.
    Update,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Took this position in the input log: store it there.
    Accepted(u64),
    /// Redelivery of (device, boot, seq): nothing changed, nothing to store, acknowledge it.
    Duplicate,
    /// A command that cannot be carried out (unknown or closed incident ...): nothing changed; the reason is for the asker.
    Refused(&'static str),
}

/// An order to a device (siren, beacon, valve), repeated from the outbox until the device confirms it or it expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCommand {
    /// Number in the outbox, derived from the log.
    pub id: u64,
    pub device: DeviceId,
    pub action: DeviceAction,
    /// Engine time after which it is no longer worth doing.
    pub expires: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceAction {
    SirenOn,
    SirenOff,
    BeaconOn,
    BeaconOff,
    ValveClose,
}
