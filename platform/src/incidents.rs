//! Reading incidents of all sites, and what the district does about them.
use crate::db::Db;
use serde::Serialize;
use serde_json::Value;
use sqlx::Row;
use sqlx::any::AnyRow;

/// An incident as the district sees it. Times are UTC milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Incident {
    pub site: String,
    pub site_name: String,
    pub id: String,
    /// `site`, or `platform` for what the platform itself noticed (a silent gateway).
    pub origin: String,
    /// Counts the changes of this record, from 1.
    pub version: i64,
    pub hazard: String,
    pub place: Value,
    pub place_name: Option<String>,
    /// 1 (most urgent) to 4.
    pub severity: i64,
    /// `confirmed` or `inferred`.
    pub basis: &'static str,
    pub active: bool,
    /// Acknowledged at the site.
    pub acknowledged: bool,
    pub closed: bool,
    /// At least one of its events is not yet stored by its gateway.
    pub unrecorded: bool,
    /// The first event known here.
    pub opened_at: i64,
    pub updated_at: i64,
    /// When the platform stored its first event.
    pub received_at: i64,
    pub events: i64,
    /// `{"zh": …, "en": …}`, as are the advice.
    pub title: Value,
    pub advice: Value,
    pub clause: Option<String>,
    pub duty: Value,
    pub claimed: Option<Action>,
    pub district_acknowledged: Option<Action>,
    /// Position in the order of the list, for `after`.
    pub cursor: String,
    /// Data of its newest event.
    #[serde(skip)]
    pub latest: Value,
}

/// Something a person of the district did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    pub by: String,
    pub at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This person takes care of it.
    Claim,
    /// This person has taken note.
    Acknowledge,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Claim => "claim",
            Kind::Acknowledge => "acknowledge",
        }
    }
}

/// Which incidents to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub site: Option<String>,
    pub id: Option<String>,
    /// Closed ones too.
    pub all: bool,
    pub after: Option<Cursor>,
    pub limit: i64,
}

/// Where a page of the list ended: the sort key of its last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor([i64; 5]);

impl std::str::FromStr for Cursor {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        let mut out = [0; 5];
        let mut parts = s.split('.');
        for slot in &mut out {
            *slot = parts.next().and_then(|p| p.parse().ok()).ok_or(())?;
        }
        if parts.next().is_some() { Err(()) } else { Ok(Cursor(out)) }
    }
}

/// An empty site or id stands for all. (`QueryBuilder` cannot be used: it writes `?` for the portable driver, which PostgreSQL refuses.)
const LIST: &str = "SELECT i.number, i.site, s.name AS site_name, i.id, i.origin, i.version, i.hazard, i.place, i.severity, i.inferred,
    i.active, i.acknowledged, i.closed, i.unrecorded, i.opened_at, i.updated_at, i.received_at, i.events, i.latest,
    c.actor AS claim_by, c.at AS claim_at, a.actor AS ack_by, a.at AS ack_at
    FROM incidents i JOIN sites s ON s.id = i.site
    LEFT JOIN actions c ON c.site = i.site AND c.incident = i.id AND c.kind = 'claim'
    LEFT JOIN actions a ON a.site = i.site AND a.incident = i.id AND a.kind = 'acknowledge'
    WHERE i.closed <= $1 AND ($2 = '' OR i.site = $2) AND ($3 = '' OR i.id = $3)
    AND (i.closed, i.severity, i.inferred, i.opened_at, i.number) > ($4, $5, $6, $7, $8)
    ORDER BY i.closed, i.severity, i.inferred, i.opened_at, i.number LIMIT $9";

/// Open ones first, then by severity, confirmed before inferred, oldest first.
pub async fn list(db: &Db, filter: &Filter) -> Result<Vec<Incident>, sqlx::Error> {
    let Cursor([closed, severity, inferred, opened, number]) = filter.after.unwrap_or(Cursor([-1, 0, 0, 0, 0]));
    let rows = sqlx::query(LIST)
        .bind(i64::from(filter.all))
        .bind(filter.site.clone().unwrap_or_default())
        .bind(filter.id.clone().unwrap_or_default())
        .bind(closed)
        .bind(severity)
        .bind(inferred)
        .bind(opened)
        .bind(number)
        .bind(filter.limit)
        .fetch_all(db.read())
        .await?;
    rows.iter().map(incident).collect()
}

fn incident(row: &AnyRow) -> Result<Incident, sqlx::Error> {
    let number: i64 = row.try_get("number")?;
    let flag = |name: &str| row.try_get::<i64, _>(name).map(|n| n != 0);
    let action = |by: &str, at: &str| -> Result<Option<Action>, sqlx::Error> {
        let (by, at): (Option<String>, Option<i64>) = (row.try_get(by)?, row.try_get(at)?);
        Ok(by.zip(at).map(|(by, at)| Action { by, at }))
    };
    let latest: Value = json(row, "latest")?;
    let part = |name: &str| latest.get(name).cloned().unwrap_or(Value::Null);
    let text = |name: &str| latest.get(name).and_then(Value::as_str).map(str::to_owned);
    let (closed, severity, inferred): (i64, i64, i64) = (row.try_get("closed")?, row.try_get("severity")?, row.try_get("inferred")?);
    let opened_at: i64 = row.try_get("opened_at")?;
    Ok(Incident {
        site: row.try_get("site")?,
        site_name: row.try_get("site_name")?,
        id: row.try_get("id")?,
        origin: row.try_get("origin")?,
        version: row.try_get("version")?,
        hazard: row.try_get("hazard")?,
        place: json(row, "place")?,
        place_name: text("place_name"),
        severity,
        basis: if inferred == 0 { "confirmed" } else { "inferred" },
        active: flag("active")?,
        acknowledged: flag("acknowledged")?,
        closed: closed != 0,
        unrecorded: flag("unrecorded")?,
        opened_at,
        updated_at: row.try_get("updated_at")?,
        received_at: row.try_get("received_at")?,
        events: row.try_get("events")?,
        title: part("title"),
        advice: part("advice"),
        clause: text("clause"),
        duty: part("duty"),
        claimed: action("claim_by", "claim_at")?,
        district_acknowledged: action("ack_by", "ack_at")?,
        cursor: format!("{closed}.{severity}.{inferred}.{opened_at}.{number}"),
        latest,
    })
}

fn json(row: &AnyRow, column: &str) -> Result<Value, sqlx::Error> {
    serde_json::from_str(&row.try_get::<String, _>(column)?).map_err(|e| sqlx::Error::Decode(Box::new(e)))
}

/// A stored event with its receipt.
#[derive(Debug, Clone, Serialize)]
pub struct StoredEvent {
    /// Order of arrival at the platform, for `after`.
    pub position: i64,
    pub site: String,
    pub log: String,
    pub id: String,
    /// `None` while the platform holds only an unrecorded copy.
    pub sequence: Option<i64>,
    pub r#type: String,
    pub incident: Option<String>,
    pub at: i64,
    pub received_at: i64,
    pub receipt: String,
    pub unrecorded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// The events of an incident in the order of its log, with their data.
pub async fn events_of(db: &Db, site: &str, incident: &str) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT position, site, log, id, sequence, type, incident, at, received_at, receipt, unrecorded, data FROM events
         WHERE site = $1 AND incident = $2 ORDER BY rank, unrecorded, id LIMIT 1000",
    )
    .bind(site.to_owned())
    .bind(incident.to_owned())
    .fetch_all(db.read())
    .await?;
    rows.iter().map(|r| stored_event(r, true)).collect()
}

/// The events of a site (or of all) after a position, in the order of arrival, without their data: for comparing both ends.
///
/// With several platform nodes on one PostgreSQL, positions of different sites may become visible out of order: reconcile per site.
pub async fn events_after(db: &Db, site: Option<&str>, after: i64, limit: i64) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT position, site, log, id, sequence, type, incident, at, received_at, receipt, unrecorded FROM events
         WHERE position > $1 AND ($2 = '' OR site = $2) ORDER BY position LIMIT $3",
    )
    .bind(after)
    .bind(site.unwrap_or_default().to_owned())
    .bind(limit)
    .fetch_all(db.read())
    .await?;
    rows.iter().map(|r| stored_event(r, false)).collect()
}

fn stored_event(row: &AnyRow, with_data: bool) -> Result<StoredEvent, sqlx::Error> {
    Ok(StoredEvent {
        position: row.try_get("position")?,
        site: row.try_get("site")?,
        log: row.try_get("log")?,
        id: row.try_get("id")?,
        sequence: row.try_get("sequence")?,
        r#type: row.try_get("type")?,
        incident: row.try_get("incident")?,
        at: row.try_get("at")?,
        received_at: row.try_get("received_at")?,
        receipt: row.try_get("receipt")?,
        unrecorded: row.try_get::<i64, _>("unrecorded")? != 0,
        data: if with_data { Some(json(row, "data")?) } else { None },
    })
}

/// Something that differs whenever events or actions were added: the newest event's position and the number of actions.
pub async fn mark(db: &Db) -> Result<(i64, i64), sqlx::Error> {
    let sql = "SELECT (SELECT COALESCE(MAX(position), 0) FROM events) AS events, (SELECT COUNT(*) FROM actions) AS actions";
    let row = sqlx::query(sql).fetch_one(db.read()).await?;
    Ok((row.try_get("events")?, row.try_get("actions")?))
}

/// What became of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Recorded now, or recorded before by the same person.
    Recorded(Action),
    /// Somebody else was first.
    TakenBy(Action),
    NoSuchIncident,
    /// Only an open incident can be claimed.
    Closed,
}

/// Records that `actor` claims or acknowledges an incident. Doing it again changes nothing.
pub async fn act(db: &Db, site: &str, id: &str, kind: Kind, actor: &str, now: i64) -> Result<Done, sqlx::Error> {
    let mut tx = db.begin().await?;
    // Locks the row, so that of two people one is first.
    let row = sqlx::query("UPDATE incidents SET version = version + 1 WHERE site = $1 AND id = $2 RETURNING closed")
        .bind(site.to_owned())
        .bind(id.to_owned())
        .fetch_optional(&mut *tx)
        .await?;
    let Some(row) = row else { return Ok(Done::NoSuchIncident) };
    let closed: i64 = row.try_get("closed")?;
    let held = sqlx::query("SELECT actor, at FROM actions WHERE site = $1 AND incident = $2 AND kind = $3")
        .bind(site.to_owned())
        .bind(id.to_owned())
        .bind(kind.name())
        .fetch_optional(&mut *tx)
        .await?;
    if let Some(held) = held {
        let held = Action { by: held.try_get("actor")?, at: held.try_get("at")? };
        return Ok(if held.by == actor { Done::Recorded(held) } else { Done::TakenBy(held) });
    }
    if closed != 0 && kind == Kind::Claim {
        return Ok(Done::Closed);
    }
    sqlx::query("INSERT INTO actions (site, incident, kind, actor, at) VALUES ($1, $2, $3, $4, $5)")
        .bind(site.to_owned())
        .bind(id.to_owned())
        .bind(kind.name())
        .bind(actor.to_owned())
        .bind(now)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Done::Recorded(Action { by: actor.to_owned(), at: now }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_five_numbers() {
        assert_eq!("0.1.0.-5.9".parse(), Ok(Cursor([0, 1, 0, -5, 9])));
        for text in ["", "1", "1.2.3.4", "1.2.3.4.5.6", "1.2.3.4.x", "1.2.3.4.99999999999999999999"] {
            assert_eq!(text.parse::<Cursor>(), Err(()), "{text}");
        }
    }
}
