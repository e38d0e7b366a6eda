//! Whom to tell of which event, and what the channels made of it.
//!
//! A notice is written in the transaction of its event. What a channel does with it is written beside it: `Trying` before a message leaves, so that after a
//! crash it is known that it may have arrived, and one of the others when the receiver has answered.
use super::transaction::int;
use crate::engine::{Notice, NoticeKind};
use rusqlite::{Row, Transaction, params};
use tuoan_protocol::{IncidentId, Rung, Severity};

pub const TABLES: &str = "
-- Whom to tell of which event; `person` NULL: the channels that reach everybody.
CREATE TABLE notice(
    id INTEGER PRIMARY KEY, incident TEXT NOT NULL, sequence INTEGER NOT NULL, kind INTEGER NOT NULL, person TEXT, rung INTEGER NOT NULL,
    silent INTEGER NOT NULL, severity INTEGER NOT NULL, not_before INTEGER, utc INTEGER NOT NULL, seen INTEGER);
CREATE INDEX notice_incident ON notice(incident);
-- What a channel has made of a notice.
CREATE TABLE told(
    notice INTEGER NOT NULL, channel TEXT NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL, utc INTEGER NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY(notice, channel)) WITHOUT ROWID;
";

/// Numbers are kept on disk: append only.
const KINDS: [NoticeKind; 3] = [NoticeKind::Alert, NoticeKind::Again, NoticeKind::Update];
const RUNGS: [Rung; 4] = [Rung::Carer, Rung::Director, Rung::Deputy, Rung::District];

/// What has become of a notice at a channel. Numbers are kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ToldState {
    /// It may have left; there is no answer yet.
    Trying = 0,
    /// The receiver has taken it.
    Sent = 1,
    /// Taken as part of a digest.
    Digest = 2,
    /// The receiver will never take it.
    Refused = 3,
    /// Nothing to tell any more when it could be told: an advisory that was over before quiet hours were.
    Moot = 4,
}

impl ToldState {
    fn of(n: i64) -> ToldState {
        match n {
            1 => ToldState::Sent,
            2 => ToldState::Digest,
            3 => ToldState::Refused,
            4 => ToldState::Moot,
            _ => ToldState::Trying,
        }
    }
}

/// A channel's word on one notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub notice: u64,
    pub channel: String,
    pub state: ToldState,
    pub attempts: u32,
    /// UTC milliseconds.
    pub at: i64,
    /// The receiver's receipt, or why it was refused or failed last.
    pub text: String,
}

/// What left through a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TellingRow {
    /// UTC milliseconds of the last that is known of it; the notices of one message have the same.
    pub at: i64,
    pub severity: Severity,
    pub person: Option<String>,
    pub attempts: u32,
    pub state: ToldState,
}

/// A notice as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    pub notice: Notice,
    /// UTC milliseconds at which it was committed.
    pub at: i64,
    /// UTC milliseconds at which the person said that they have seen it.
    pub seen: Option<i64>,
}

pub(super) fn insert(tx: &Transaction<'_>, list: &[Notice], utc: i64) -> rusqlite::Result<()> {
    for n in list {
        tx.prepare_cached("INSERT INTO notice VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL)")?.execute(params![
            int(n.id),
            n.incident.as_str(),
            int(n.sequence),
            KINDS.iter().position(|k| *k == n.kind).unwrap_or(0) as i64,
            n.person,
            RUNGS.iter().position(|r| *r == n.rung).unwrap_or(0) as i64,
            n.silent,
            u8::from(n.severity),
            n.not_before,
            utc
        ])?;
    }
    Ok(())
}

/// An attempt counts as one more; an answer does not.
pub(super) fn tell(tx: &Transaction<'_>, told: &Told) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO told VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(notice, channel) DO UPDATE SET \
         state = max(state, excluded.state), attempts = attempts + excluded.attempts, utc = excluded.utc, text = excluded.text WHERE state = 0",
    )?
    .execute(params![int(told.notice), told.channel, told.state as i64, told.attempts, told.at, told.text])?;
    Ok(())
}

pub(super) fn see(tx: &Transaction<'_>, notice: u64, utc: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE notice SET seen = ?2 WHERE id = ?1 AND seen IS NULL")?.execute(params![int(notice), utc])?;
    Ok(())
}

/// Columns of a notice, in the order that [`notice_row`] reads.
pub(super) const COLUMNS: &str =
    "n.id, n.incident, n.sequence, n.kind, n.person, n.rung, n.silent, n.severity, n.not_before, n.utc, n.seen";

pub(super) fn notice_row(r: &Row<'_>) -> rusqlite::Result<Result<NoticeRow, String>> {
    let (kind, rung, severity): (u8, u8, u8) = (r.get(3)?, r.get(5)?, r.get(7)?);
    let incident: String = r.get(1)?;
    let row = || {
        Ok(NoticeRow {
            notice: Notice {
                id: r.get::<_, i64>(0).map_err(|e| e.to_string())?.unsigned_abs(),
                incident: IncidentId::new(&incident).map_err(|e| e.to_string())?,
                sequence: r.get::<_, i64>(2).map_err(|e| e.to_string())?.unsigned_abs(),
                kind: *KINDS.get(usize::from(kind)).ok_or("no such kind of notice")?,
                person: r.get(4).map_err(|e| e.to_string())?,
                rung: *RUNGS.get(usize::from(rung)).ok_or("no such rung")?,
                silent: r.get(6).map_err(|e| e.to_string())?,
                severity: Severity::try_from(severity)?,
                not_before: r.get(8).map_err(|e| e.to_string())?,
            },
            at: r.get(9).map_err(|e| e.to_string())?,
            seen: r.get(10).map_err(|e| e.to_string())?,
        })
    };
    Ok(row())
}

pub(super) fn told_row(r: &Row<'_>) -> rusqlite::Result<Told> {
    Ok(Told {
        notice: r.get::<_, i64>(0)?.unsigned_abs(),
        channel: r.get(1)?,
        state: ToldState::of(r.get(2)?),
        attempts: r.get(3)?,
        at: r.get(4)?,
        text: r.get(5)?,
    })
}

pub(super) fn telling_row(r: &Row<'_>) -> rusqlite::Result<TellingRow> {
    // What cannot be read counts as urgent: the limits are kept either way.
    let severity = Severity::try_from(r.get::<_, u8>(1)?).unwrap_or(Severity::Emergency);
    Ok(TellingRow { at: r.get(0)?, severity, person: r.get(2)?, attempts: r.get(3)?, state: ToldState::of(r.get(4)?) })
}
