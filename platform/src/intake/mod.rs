//! `POST /v1/events`. Everything of a batch is stored in one transaction; a member that can never be accepted is refused alone.
//!
//! Invariants: an event id of a site is stored once; the incidents are a function of the stored events and so do not depend on the order
//! of arrival; the first statement locks the site's row, so the batches of one site follow one another, on PostgreSQL too.
pub mod envelope;
pub mod gaps;
pub mod project;

use crate::coverage;
use crate::db::Db;
use crate::text::{opaque_id, sha256_hex};
use envelope::{Heartbeat, Member, Stored};
use serde::Serialize;
use serde_json::Value;
use sqlx::{Any, Row, Transaction};
use std::collections::BTreeSet;

/// Most members of a batch.
pub const MAX_BATCH: usize = 500;
/// Most conflicting copies kept for a site; further ones are counted only.
const MAX_CONFLICTS: i64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Accepted,
    /// It is here already, with the same content.
    Duplicate,
    /// Another event with this id or sequence is here; this copy is kept apart.
    Conflict,
    /// Malformed: sending it again gives the same answer.
    Rejected,
}

/// The platform's word about one member, in the order of the batch.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt {
    pub id: String,
    pub status: Status,
    pub reason: Option<String>,
    /// Opaque; the same for every copy of the event.
    pub receipt: String,
    /// When the first copy was stored, UTC milliseconds.
    pub received_at: i64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Answer {
    pub receipts: Vec<Receipt>,
    /// Sequences that are missing below the highest one, of the logs named in the batch: `[first, last]`, at most 100.
    pub gaps: Vec<(i64, i64)>,
}

/// Stores a batch that came with the token of `site`.
///
/// # Errors
/// Only for the database; nothing is stored then, and the sender may send the batch again.
pub async fn take(db: &Db, site: &str, members: &[Value], now: i64) -> Result<Answer, sqlx::Error> {
    let checked: Vec<(String, Result<Member, String>)> = members.iter().map(|v| (envelope::id_of(v), envelope::check(v, site))).collect();
    let mut tx = db.begin().await?;
    let was_silent = sqlx::query("UPDATE sites SET last_seen_at = $1 WHERE id = $2 RETURNING silent_since")
        .bind(now)
        .bind(site.to_owned())
        .fetch_one(&mut *tx)
        .await?
        .try_get::<Option<i64>, _>("silent_since")?
        .is_some();
    let mut batch = Batch { tx, site, now, answer: Answer::default(), logs: BTreeSet::new(), incidents: BTreeSet::new() };
    if was_silent {
        crate::silence::ended(&mut batch.tx, site, now).await?;
    }
    for (id, member) in checked {
        let receipt = match member {
            Ok(Member::Incident(m)) => batch.event(&m.stored, m.incident.as_deref()).await?,
            Ok(Member::Tombstone(stored)) => batch.event(&stored, None).await?,
            Ok(Member::Heartbeat(h)) => batch.heartbeat(h).await?,
            Ok(Member::Coverage(day)) => {
                let status = if coverage::keep(&mut batch.tx, site, &day, now).await? { Status::Accepted } else { Status::Duplicate };
                let receipt = opaque_id(&["coverage", site, day.log.as_str(), &day.number.to_string()]);
                batch.receipt(&id, status, None, receipt, now)
            }
            Err(reason) => batch.rejected(id, reason).await?,
        };
        batch.answer.receipts.push(receipt);
    }
    batch.finish().await
}

struct Batch<'a> {
    tx: Transaction<'static, Any>,
    site: &'a str,
    now: i64,
    answer: Answer,
    logs: BTreeSet<String>,
    incidents: BTreeSet<String>,
}

impl Batch<'_> {
    async fn event(&mut self, event: &Stored, incident: Option<&str>) -> Result<Receipt, sqlx::Error> {
        self.logs.insert(event.log.clone());
        let receipt = opaque_id(&["receipt", self.site, &event.id, &event.hash, &self.now.to_string()]);
        if self.insert(event, incident, &receipt).await? {
            self.note_accepted(event, incident).await?;
            return Ok(self.receipt(&event.id, Status::Accepted, None, receipt, self.now));
        }
        let held = sqlx::query("SELECT hash, unrecorded, type, receipt, received_at, incident FROM events WHERE site = $1 AND id = $2")
            .bind(self.site.to_owned())
            .bind(event.id.clone())
            .fetch_optional(&mut *self.tx)
            .await?;
        let Some(held) = held else {
            let reason = format!("sequence {} of this log belongs to another event", event.sequence);
            return self.conflict(event, reason, receipt).await;
        };
        let (held_hash, held_unrecorded): (String, i64) = (held.try_get("hash")?, held.try_get("unrecorded")?);
        let held_tombstone = held.try_get::<String, _>("type")? == "tombstone";
        // Both were stand-ins for the event itself: an unrecorded copy, or the tombstone of an event that was set aside and mended.
        if !event.unrecorded && (held_unrecorded == 1 || held_tombstone && incident.is_some()) {
            if let Some(taken) = self.sequence_taken(event).await? {
                return self.conflict(event, taken, receipt).await;
            }
            let (receipt, received_at) = (held.try_get("receipt")?, held.try_get("received_at")?);
            if incident.is_some() {
                if held_hash != event.hash && !held_tombstone {
                    self.keep_apart(&event.id, "replaced by its recorded twin, which differs").await?;
                }
                if let Some(before) = held.try_get::<Option<String>, _>("incident")? {
                    self.incidents.insert(before);
                }
                self.replace(event, incident).await?;
            } else {
                self.bury(event).await?;
            }
            self.note_accepted(event, incident).await?;
            return Ok(self.receipt(&event.id, Status::Accepted, None, receipt, received_at));
        }
        if held_hash == event.hash {
            self.count("duplicates").await?;
            return Ok(self.receipt(&event.id, Status::Duplicate, None, held.try_get("receipt")?, held.try_get("received_at")?));
        }
        self.conflict(event, "an event with this id and other content is here already".into(), receipt).await
    }

    /// False if its id, or its sequence, is taken.
    async fn insert(&mut self, event: &Stored, incident: Option<&str>, receipt: &str) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(
            "INSERT INTO events (site, id, log, sequence, rank, type, incident, at, received_at, receipt, hash, unrecorded, data)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
        )
        .bind(self.site.to_owned())
        .bind(event.id.clone())
        .bind(event.log.clone())
        .bind((!event.unrecorded).then_some(event.sequence))
        .bind(event.sequence)
        .bind(event.kind.clone())
        .bind(incident.map(str::to_owned))
        .bind(event.at)
        .bind(self.now)
        .bind(receipt.to_owned())
        .bind(event.hash.clone())
        .bind(i64::from(event.unrecorded))
        .bind(event.data.clone())
        .execute(&mut *self.tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Why the sequence of the event cannot be its own.
    async fn sequence_taken(&mut self, event: &Stored) -> Result<Option<String>, sqlx::Error> {
        let taken = sqlx::query("SELECT id FROM events WHERE site = $1 AND log = $2 AND sequence = $3 AND id <> $4")
            .bind(self.site.to_owned())
            .bind(event.log.clone())
            .bind(event.sequence)
            .bind(event.id.clone())
            .fetch_optional(&mut *self.tx)
            .await?;
        Ok(taken.map(|_| format!("sequence {} of this log belongs to another event", event.sequence)))
    }

    /// The event takes the place of its stand-in, whose receipt it keeps.
    async fn replace(&mut self, event: &Stored, incident: Option<&str>) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE events SET log = $3, sequence = $4, rank = $5, type = $6, incident = $7, at = $8, hash = $9, unrecorded = 0, data = $10
             WHERE site = $1 AND id = $2",
        )
        .bind(self.site.to_owned())
        .bind(event.id.clone())
        .bind(event.log.clone())
        .bind(event.sequence)
        .bind(event.sequence)
        .bind(event.kind.clone())
        .bind(incident.map(str::to_owned))
        .bind(event.at)
        .bind(event.hash.clone())
        .bind(event.data.clone())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// A tombstone says that no more will come of an unrecorded alarm: its number is settled, the alarm itself stays.
    async fn bury(&mut self, tombstone: &Stored) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE events SET sequence = $3 WHERE site = $1 AND id = $2")
            .bind(self.site.to_owned())
            .bind(tombstone.id.clone())
            .bind(tombstone.sequence)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    async fn note_accepted(&mut self, event: &Stored, incident: Option<&str>) -> Result<(), sqlx::Error> {
        if !event.unrecorded {
            gaps::arrived(&mut self.tx, self.site, &event.log, event.sequence).await?;
        }
        if let Some(incident) = incident {
            self.incidents.insert(incident.to_owned());
        }
        Ok(())
    }

    async fn conflict(&mut self, event: &Stored, reason: String, receipt: String) -> Result<Receipt, sqlx::Error> {
        self.count("conflicts").await?;
        let kept: i64 = sqlx::query("SELECT COUNT(*) AS n FROM conflicts WHERE site = $1")
            .bind(self.site.to_owned())
            .fetch_one(&mut *self.tx)
            .await?
            .try_get("n")?;
        if kept < MAX_CONFLICTS {
            sqlx::query(
                "INSERT INTO conflicts (site, id, hash, reason, received_at, receipt, data) VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT DO NOTHING",
            )
            .bind(self.site.to_owned())
            .bind(event.id.clone())
            .bind(event.hash.clone())
            .bind(reason.clone())
            .bind(self.now)
            .bind(receipt.clone())
            .bind(event.data.clone())
            .execute(&mut *self.tx)
            .await?;
        }
        tracing::warn!(site = self.site, event = event.id, reason, "an event contradicts one that is stored");
        Ok(self.receipt(&event.id, Status::Conflict, Some(reason), receipt, self.now))
    }

    /// Copies the stored event to the conflicts before it is replaced.
    async fn keep_apart(&mut self, id: &str, reason: &str) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO conflicts (site, id, hash, reason, received_at, receipt, data)
             SELECT site, id, hash, $3, received_at, receipt, data FROM events WHERE site = $1 AND id = $2 ON CONFLICT DO NOTHING",
        )
        .bind(self.site.to_owned())
        .bind(id.to_owned())
        .bind(reason.to_owned())
        .execute(&mut *self.tx)
        .await?;
        self.count("conflicts").await
    }

    async fn heartbeat(&mut self, heartbeat: Heartbeat) -> Result<Receipt, sqlx::Error> {
        sqlx::query("UPDATE sites SET heartbeat = $1 WHERE id = $2")
            .bind(heartbeat.data)
            .bind(self.site.to_owned())
            .execute(&mut *self.tx)
            .await?;
        self.logs.insert(heartbeat.log);
        let receipt = opaque_id(&["heartbeat", self.site, &heartbeat.id, &self.now.to_string()]);
        Ok(self.receipt(&heartbeat.id, Status::Accepted, None, receipt, self.now))
    }

    async fn rejected(&mut self, id: String, reason: String) -> Result<Receipt, sqlx::Error> {
        tracing::warn!(site = self.site, event = id, reason, "an event was refused");
        sqlx::query("UPDATE sites SET rejected = rejected + 1, last_rejection = $1 WHERE id = $2")
            .bind(reason.replace('\0', "\u{fffd}"))
            .bind(self.site.to_owned())
            .execute(&mut *self.tx)
            .await?;
        let receipt = opaque_id(&["rejected", self.site, &id, &sha256_hex(reason.as_bytes()), &self.now.to_string()]);
        Ok(self.receipt(&id, Status::Rejected, Some(reason), receipt, self.now))
    }

    /// Adds one to a counter of the site's row.
    async fn count(&mut self, column: &'static str) -> Result<(), sqlx::Error> {
        let sql = match column {
            "duplicates" => "UPDATE sites SET duplicates = duplicates + 1 WHERE id = $1",
            _ => "UPDATE sites SET conflicts = conflicts + 1 WHERE id = $1",
        };
        sqlx::query(sql).bind(self.site.to_owned()).execute(&mut *self.tx).await?;
        Ok(())
    }

    fn receipt(&self, id: &str, status: Status, reason: Option<String>, receipt: String, received_at: i64) -> Receipt {
        Receipt { id: id.to_owned(), status, reason, receipt, received_at }
    }

    async fn finish(mut self) -> Result<Answer, sqlx::Error> {
        for incident in &self.incidents {
            project::refresh(&mut self.tx, self.site, incident).await?;
        }
        for log in &self.logs {
            self.answer.gaps.extend(gaps::of_log(&mut self.tx, self.site, log).await?);
        }
        self.answer.gaps.truncate(gaps::SHOWN);
        self.tx.commit().await?;
        Ok(self.answer)
    }
}
