//! An incident's row is computed from its events alone: the one with the highest sequence says how it stands, the first when it began.
use super::envelope::IncidentData;
use serde::Deserialize;
use sqlx::{Any, Row, Transaction};
use tuoan_protocol::Basis;

/// Computes the row of an incident anew. If it has no event any more, its row is removed.
pub async fn refresh(tx: &mut Transaction<'static, Any>, site: &str, incident: &str) -> Result<(), sqlx::Error> {
    let latest = sqlx::query(
        "SELECT data, unrecorded FROM events WHERE site = $1 AND incident = $2 ORDER BY rank DESC, unrecorded, id DESC LIMIT 1",
    )
    .bind(site.to_owned())
    .bind(incident.to_owned())
    .fetch_optional(&mut **tx)
    .await?;
    let Some(latest) = latest else {
        sqlx::query("DELETE FROM incidents WHERE site = $1 AND id = $2 AND origin = 'site'")
            .bind(site.to_owned())
            .bind(incident.to_owned())
            .execute(&mut **tx)
            .await?;
        return Ok(());
    };
    let all = sqlx::query(
        "SELECT COUNT(*) AS events, MIN(at) AS opened, MAX(at) AS updated, MIN(received_at) AS received, MAX(unrecorded) AS unrecorded
         FROM events WHERE site = $1 AND incident = $2",
    )
    .bind(site.to_owned())
    .bind(incident.to_owned())
    .fetch_one(&mut **tx)
    .await?;
    let text: String = latest.try_get("data")?;
    // The same parser accepted it on arrival.
    let data: IncidentData = serde_json::from_str::<serde_json::Value>(&text)
        .and_then(|v| IncidentData::deserialize(&v))
        .map_err(|e| sqlx::Error::Decode(Box::new(e)))?;
    let event = data.event;
    let row = IncidentRow {
        site: site.to_owned(),
        id: incident.to_owned(),
        origin: "site",
        hazard: event.hazard.to_string(),
        zone: Some(event.place.zone.to_string()),
        place: serde_json::to_string(&event.place).map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
        severity: i64::from(u8::from(event.severity)),
        inferred: event.basis == Basis::Inferred,
        active: event.state.active,
        acknowledged: event.state.acknowledged,
        closed: event.state.closed,
        unrecorded: all.try_get::<i64, _>("unrecorded")? == 1,
        opened_at: all.try_get("opened")?,
        updated_at: all.try_get("updated")?,
        received_at: all.try_get("received")?,
        events: all.try_get("events")?,
        latest: text,
    };
    store(tx, row).await
}

/// A row of `incidents`; the version counts its changes.
pub struct IncidentRow {
    pub site: String,
    pub id: String,
    /// `site`, or `platform` for what the platform itself noticed.
    pub origin: &'static str,
    pub hazard: String,
    pub zone: Option<String>,
    pub place: String,
    pub severity: i64,
    pub inferred: bool,
    pub active: bool,
    pub acknowledged: bool,
    pub closed: bool,
    pub unrecorded: bool,
    pub opened_at: i64,
    pub updated_at: i64,
    pub received_at: i64,
    pub events: i64,
    pub latest: String,
}

pub async fn store(tx: &mut Transaction<'static, Any>, row: IncidentRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO incidents (site, id, origin, version, hazard, zone, place, severity, inferred, active, acknowledged, closed,
             unrecorded, opened_at, updated_at, received_at, events, latest)
         VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         ON CONFLICT (site, id) DO UPDATE SET version = incidents.version + 1, hazard = excluded.hazard, zone = excluded.zone,
             place = excluded.place, severity = excluded.severity, inferred = excluded.inferred, active = excluded.active,
             acknowledged = excluded.acknowledged, closed = excluded.closed, unrecorded = excluded.unrecorded,
             opened_at = excluded.opened_at, updated_at = excluded.updated_at, received_at = excluded.received_at,
             events = excluded.events, latest = excluded.latest",
    )
    .bind(row.site)
    .bind(row.id)
    .bind(row.origin)
    .bind(row.hazard)
    .bind(row.zone)
    .bind(row.place)
    .bind(row.severity)
    .bind(i64::from(row.inferred))
    .bind(i64::from(row.active))
    .bind(i64::from(row.acknowledged))
    .bind(i64::from(row.closed))
    .bind(i64::from(row.unrecorded))
    .bind(row.opened_at)
    .bind(row.updated_at)
    .bind(row.received_at)
    .bind(row.events)
    .bind(row.latest)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
