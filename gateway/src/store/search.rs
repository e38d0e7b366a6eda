//! Incidents found by room, hazard, severity, time, person, and by how late they were answered: projections of `event`, so that nothing but an index is
//! read. They can be lost: [`fill`] makes them anew.
use super::rows::{IncidentRow, incident_row};
use super::transaction::int;
use super::{Reader, StoreError};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use tuoan_protocol::codec::Wire;
use tuoan_protocol::{Exercise, IncidentEvent, Severity, Transition};

pub const TABLES: &str = "
-- When an incident was first noted, first said to be handled, and when its condition last ended, UTC milliseconds.
CREATE TABLE incident_answer(
    incident TEXT PRIMARY KEY, noted_at INTEGER, handled_at INTEGER, ended_at INTEGER) WITHOUT ROWID;
-- Who acted on it or was given it: a name, or the id of a person of the site.
CREATE TABLE incident_person(person TEXT NOT NULL, incident TEXT NOT NULL, PRIMARY KEY(person, incident)) WITHOUT ROWID;
CREATE INDEX incident_person_of ON incident_person(incident);
CREATE INDEX incident_opened ON incident(opened_at);
CREATE INDEX incident_zone ON incident(zone, opened_at);
CREATE INDEX incident_hazard ON incident(hazard, opened_at);
CREATE INDEX incident_severity ON incident(severity, opened_at);
";

/// Which incidents are wanted. Everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    pub zone: Option<String>,
    pub hazard: Option<String>,
    pub severity: Option<Severity>,
    /// Began at or after, and before, UTC milliseconds.
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// Any of these names or ids acted on it or was given it.
    pub person: Vec<String>,
    pub late: Option<LateAfter>,
    /// Follow this one in the answer: when it began, and its id.
    pub after: Option<(i64, String)>,
    /// Not this one.
    pub except: Option<String>,
}

/// From when on an answer is late, milliseconds by severity; `None`: never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateAfter {
    pub noted: [Option<i64>; 4],
    pub handled: [Option<i64>; 4],
    /// UTC milliseconds: what is not answered yet may be late already.
    pub now: i64,
}

/// One that was found, with its answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub row: IncidentRow,
    pub noted_at: Option<i64>,
    pub handled_at: Option<i64>,
    pub ended_at: Option<i64>,
}

impl Found {
    /// As [`Search::late`] has it.
    pub fn is_late(&self, after: &LateAfter) -> bool {
        let slot = usize::from(u8::from(self.row.severity)).saturating_sub(1);
        let over = |answer: Option<i64>, limits: &[Option<i64>; 4]| {
            let took = answer.unwrap_or(after.now).saturating_sub(self.row.opened_at);
            limits.get(slot).copied().flatten().is_some_and(|limit| took > limit)
        };
        over(self.noted_at.or(self.handled_at).or(self.ended_at), &after.noted) || over(self.handled_at.or(self.ended_at), &after.handled)
    }
}

/// Folds an event in.
pub(super) fn project(db: &Connection, e: &IncidentEvent) -> rusqlite::Result<()> {
    use Transition as T;
    if e.exercise == Some(Exercise::Canary) {
        return Ok(());
    }
    let incident = e.incident.as_str();
    let (noted, handled, ended) = match e.transition {
        T::Acknowledged | T::Assigned => (Some(e.at), None, None),
        T::Resolved => (Some(e.at), Some(e.at), None),
        T::Returned | T::Closed | T::Merged => (None, None, Some(e.at)),
        _ => (None, None, None),
    };
    let begun_again = matches!(e.transition, T::Opened | T::Reactivated | T::Reopened);
    db.prepare_cached(
        "INSERT INTO incident_answer VALUES(?1, ?2, ?3, ?4) ON CONFLICT(incident) DO UPDATE SET noted_at = coalesce(noted_at, ?2), \
         handled_at = coalesce(handled_at, ?3), ended_at = CASE WHEN ?5 THEN NULL ELSE coalesce(ended_at, ?4) END",
    )?
    .execute(params![incident, noted, handled, ended, begun_again])?;
    for person in [&e.actor, &e.assignee].into_iter().flatten() {
        db.prepare_cached("INSERT OR IGNORE INTO incident_person VALUES(?1, ?2)")?.execute([person.as_str(), incident])?;
    }
    Ok(())
}

/// Of an incident that goes.
pub(super) fn remove(db: &Connection, incident: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM incident_person WHERE incident = ?1")?.execute([incident])?;
    db.prepare_cached("DELETE FROM incident_answer WHERE incident = ?1")?.execute([incident])?;
    Ok(())
}

/// From the events of a store that had no such tables. Events that cannot be read are passed over, as by every reader.
pub(super) fn fill(db: &Connection) -> rusqlite::Result<()> {
    let mut last = 0;
    loop {
        let next = db
            .prepare_cached("SELECT sequence, bytes FROM event WHERE sequence > ?1 ORDER BY sequence LIMIT 1")?
            .query_row([last], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?)))
            .optional()?;
        let Some((sequence, bytes)) = next else { return Ok(()) };
        if let Ok(event) = IncidentEvent::from_cbor(&bytes) {
            project(db, &event)?;
        }
        last = sequence;
    }
}

impl Search {
    fn sql(&self, limit: usize) -> (String, Vec<Value>) {
        // Answers of those alone that are shown, unless they are asked for.
        let mut sql = String::from("SELECT i.* FROM incident i");
        if self.late.is_some() {
            sql.push_str(" LEFT JOIN incident_answer a ON a.incident = i.id");
        }
        sql.push_str(" WHERE 1");
        let mut values: Vec<Value> = Vec::new();
        let mut when = |text: &str, new: Vec<Value>| {
            sql.push_str(text);
            values.extend(new);
        };
        if let Some(zone) = &self.zone {
            when(" AND i.zone = ?", vec![zone.clone().into()]);
        }
        if let Some(hazard) = &self.hazard {
            when(" AND i.hazard = ?", vec![hazard.clone().into()]);
        }
        if let Some(severity) = self.severity {
            when(" AND i.severity = ?", vec![i64::from(u8::from(severity)).into()]);
        }
        if let Some(from) = self.from {
            when(" AND i.opened_at >= ?", vec![from.into()]);
        }
        if let Some(to) = self.to {
            when(" AND i.opened_at < ?", vec![to.into()]);
        }
        if !self.person.is_empty() {
            let marks = vec!["?"; self.person.len()].join(", ");
            let text = format!(" AND i.id IN (SELECT incident FROM incident_person WHERE person IN ({marks}))");
            when(&text, self.person.iter().map(|p| p.clone().into()).collect());
        }
        if let Some(after) = &self.late {
            let never = i64::MAX;
            let limits = |list: &[Option<i64>; 4]| list.iter().map(|l| Value::from(l.unwrap_or(never))).collect::<Vec<_>>();
            let case = "CASE i.severity WHEN 1 THEN ? WHEN 2 THEN ? WHEN 3 THEN ? ELSE ? END";
            let text = format!(
                " AND (coalesce(a.noted_at, a.handled_at, a.ended_at, ?) - i.opened_at > {case} OR coalesce(a.handled_at, a.ended_at, ?) - i.opened_at > {case})"
            );
            let now = || vec![Value::from(after.now)];
            when(&text, [now(), limits(&after.noted), now(), limits(&after.handled)].concat());
        }
        if let Some((at, id)) = &self.after {
            when(" AND (i.opened_at, i.id) < (?, ?)", vec![(*at).into(), id.clone().into()]);
        }
        if let Some(id) = &self.except {
            when(" AND i.id <> ?", vec![id.clone().into()]);
        }
        when(" ORDER BY i.opened_at DESC, i.id DESC LIMIT ?", vec![int(limit as u64).into()]);
        let whole = format!(
            "SELECT i.*, a.noted_at, a.handled_at, a.ended_at FROM ({sql}) i LEFT JOIN incident_answer a ON a.incident = i.id \
             ORDER BY i.opened_at DESC, i.id DESC"
        );
        (whole, values)
    }
}

impl Reader {
    /// The newest first, at most `limit`.
    pub fn search(&self, search: &Search, limit: usize) -> Result<Vec<Found>, StoreError> {
        let (sql, values) = search.sql(limit);
        let rows = self.list(&sql, params_from_iter(values), |r| {
            let (noted_at, handled_at, ended_at) = (r.get("noted_at")?, r.get("handled_at")?, r.get("ended_at")?);
            Ok(incident_row(r).map(|row| Found { row, noted_at, handled_at, ended_at }))
        })?;
        rows.into_iter().collect::<Result<_, String>>().map_err(|e| self.record(e))
    }
    /// Every hazard that ever had an incident here, by its id.
    pub fn hazards(&self) -> Result<Vec<String>, StoreError> {
        // From one to the next by the index, instead of reading all of it.
        let sql = "WITH RECURSIVE h(hazard) AS (SELECT min(hazard) FROM incident \
                   UNION ALL SELECT (SELECT min(hazard) FROM incident WHERE hazard > h.hazard) FROM h WHERE h.hazard IS NOT NULL) \
                   SELECT hazard FROM h WHERE hazard IS NOT NULL";
        self.list(sql, [], |r| r.get(0))
    }
}

#[cfg(test)]
mod tests;
