//! A site that is not heard cannot be trusted: everything may be well there, or nothing. So silence is an incident of the district,
//! raised once per outage and returned when the site is heard again.
use crate::db::Db;
use crate::intake::project::{IncidentRow, store};
use crate::text::opaque_id;
use sqlx::{Any, Row, Transaction};

/// Hazard id of a silent gateway.
pub const HAZARD: &str = "gateway.silent";

/// Whether a site heard last at `last_seen` is silent at `now`. A site never heard has not been installed yet: it is not silent.
pub fn is_silent(last_seen: Option<i64>, now: i64, after_ms: i64) -> bool {
    last_seen.is_some_and(|seen| now.saturating_sub(seen) > after_ms)
}

/// Raises the incident of every site that has fallen silent since the last call. Returns how many.
pub async fn raise(db: &Db, now: i64, after_ms: i64) -> Result<usize, sqlx::Error> {
    let rows = sqlx::query("SELECT id FROM sites WHERE silent_since IS NULL AND last_seen_at < $1")
        .bind(now.saturating_sub(after_ms))
        .fetch_all(db.read())
        .await?;
    let mut raised = 0;
    for row in rows {
        let site: String = row.try_get("id")?;
        let mut tx = db.begin().await?;
        // The condition again: the site may have been heard in between, or another node may have been faster.
        let fell = sqlx::query(
            "UPDATE sites SET silent_since = last_seen_at, silences = silences + 1
             WHERE id = $1 AND silent_since IS NULL AND last_seen_at < $2 RETURNING silent_since",
        )
        .bind(site.clone())
        .bind(now.saturating_sub(after_ms))
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(fell) = fell {
            let since: i64 = fell.try_get("silent_since")?;
            tracing::warn!(site, since, "the gateway is silent");
            store(&mut tx, row_for(&site, since, now, now, true)).await?;
            tx.commit().await?;
            raised += 1;
        }
    }
    Ok(raised)
}

/// The site is heard again: its open silence returns and closes. Part of the transaction that stores what was heard.
pub async fn ended(tx: &mut Transaction<'static, Any>, site: &str, now: i64) -> Result<(), sqlx::Error> {
    let row = sqlx::query("SELECT silent_since FROM sites WHERE id = $1").bind(site.to_owned()).fetch_one(&mut **tx).await?;
    let Some(since) = row.try_get::<Option<i64>, _>("silent_since")? else { return Ok(()) };
    sqlx::query("UPDATE sites SET silent_since = NULL WHERE id = $1").bind(site.to_owned()).execute(&mut **tx).await?;
    let raised = sqlx::query("SELECT received_at FROM incidents WHERE site = $1 AND id = $2")
        .bind(site.to_owned())
        .bind(incident_id(site, since))
        .fetch_optional(&mut **tx)
        .await?;
    let received: i64 = match raised {
        Some(row) => row.try_get("received_at")?,
        None => now,
    };
    tracing::info!(site, since, "the gateway is heard again");
    store(tx, row_for(site, since, received, now, false)).await
}

fn incident_id(site: &str, since: i64) -> String {
    opaque_id(&[HAZARD, site, &since.to_string()])
}

fn row_for(site: &str, since: i64, received_at: i64, now: i64, active: bool) -> IncidentRow {
    let id = incident_id(site, since);
    let latest = serde_json::json!({
        "event": {
            "id": id, "incident": id, "site": site, "at": now, "transition": if active { "opened" } else { "closed" },
            "hazard": HAZARD, "severity": 2, "basis": "confirmed",
            "state": {"active": active, "acknowledged": false, "closed": !active},
        },
        "title": {"zh": "网关失联,无法确认现场情况", "en": "Gateway silent: the site cannot be seen"},
        "advice": {"zh": "请立即电话联系该机构,确认幼儿安全,并检查网关供电和网络。",
                   "en": "Call the site now, confirm that the children are safe, then check the gateway's power and network."},
        "duty": ["health"],
    });
    IncidentRow {
        site: site.to_owned(),
        id,
        origin: "platform",
        hazard: HAZARD.into(),
        zone: None,
        place: "{}".into(),
        severity: 2,
        inferred: false,
        active,
        acknowledged: false,
        closed: !active,
        unrecorded: false,
        opened_at: since,
        updated_at: now,
        received_at,
        events: if active { 1 } else { 2 },
        latest: latest.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_silent;

    #[test]
    fn two_missed_heartbeats_and_the_grace_are_silence() {
        assert!(!is_silent(None, 1_000_000, 135_000));
        assert!(!is_silent(Some(0), 135_000, 135_000));
        assert!(is_silent(Some(0), 135_001, 135_000));
        assert!(!is_silent(Some(500_000), 0, 135_000), "a clock set back is not silence");
    }
}
