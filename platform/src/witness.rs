//! The district as witness: it keeps the newest head of each gateway's log, demands the proof that every later one goes on from it, and countersigns. A log
//! that was shortened, changed or taken over by another key is refused, and the supervisor is shown why until somebody has looked into it.
//!
//! What must hold: the head is on disk before its countersignature is given out, and of two that come at once only one is the next.
use crate::db::Db;
use serde::Serialize;
use sqlx::{Any, Row, Transaction};
use std::path::{Path, PathBuf};
use tuoan_evidence::{Countersignature, NotWitnessed, SignedHead, SigningKey, Submission, goes_on};

/// Logs of one site that are kept: a log begins anew only when a data folder does.
const LOGS: i64 = 100;

/// Where the platform's own key is.
pub fn key_file(data: &Path) -> PathBuf {
    data.join("witness.key")
}

/// What was seen of a site's log.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    pub site: String,
    pub name: String,
    pub log: String,
    pub head: SignedHead,
    pub countersignature: Countersignature,
    /// Why a later head was refused, and when (UTC milliseconds).
    pub trouble: Option<(String, i64)>,
}

/// Countersigns a head that goes on from what was seen before, or says why not. `now`: UTC milliseconds.
///
/// # Errors
/// The database does not answer; nothing was countersigned then.
pub async fn take(db: &Db, key: &SigningKey, next: &Submission, now: i64) -> Result<Result<Countersignature, NotWitnessed>, sqlx::Error> {
    let (site, log) = (next.head.site.clone(), next.head.log.clone());
    // A signature that does not hold says nothing about the site: not even a trouble.
    if !next.head.holds() {
        return Ok(Err(NotWitnessed::Forged));
    }
    let mut tx = db.begin().await?;
    // The row is taken before it is read: of two at once, the second sees what the first has written.
    sqlx::query("UPDATE heads SET size = size WHERE site = $1 AND log = $2").bind(&site).bind(&log).execute(&mut *tx).await?;
    let known = known(&mut tx, &site, &log).await?;
    if let Err(why) = goes_on(known.as_ref().map(|k| &k.0), next) {
        if !matches!(why, NotWitnessed::Behind { .. }) {
            let sql = "UPDATE heads SET trouble = $3, trouble_at = $4 WHERE site = $1 AND log = $2";
            sqlx::query(sql).bind(&site).bind(&log).bind(why.to_string()).bind(now).execute(&mut *tx).await?;
            tx.commit().await?;
            tracing::error!(%site, "a site's log is not countersigned: {why}");
        }
        return Ok(Err(why));
    }
    if let Some((head, countersignature)) = &known
        && head.size == next.head.size
    {
        // Said again, or signed again without news: the newest that was countersigned stays.
        if *head == next.head {
            return Ok(Ok(countersignature.clone()));
        }
    }
    if known.is_none() && logs(&mut tx, &site).await? >= LOGS {
        return Ok(Err(NotWitnessed::Forked { size: next.head.size }));
    }
    let countersignature = Countersignature::sign(key, &next.head, now);
    let sql = "INSERT INTO heads (site, log, size, head, countersignature, at) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (site, log) DO UPDATE SET size = $3, head = $4, countersignature = $5, at = $6";
    sqlx::query(sql)
        .bind(&site)
        .bind(&log)
        .bind(i64::try_from(next.head.size).unwrap_or(i64::MAX))
        .bind(text(&next.head))
        .bind(text(&countersignature))
        .bind(now)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Ok(countersignature))
}

fn text<T: Serialize>(value: &T) -> String {
    // Both kinds are plain structures: this cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

async fn known(tx: &mut Transaction<'static, Any>, site: &str, log: &str) -> Result<Option<(SignedHead, Countersignature)>, sqlx::Error> {
    let sql = "SELECT head, countersignature FROM heads WHERE site = $1 AND log = $2";
    let row = sqlx::query(sql).bind(site.to_owned()).bind(log.to_owned()).fetch_optional(&mut **tx).await?;
    row.map(|r| Ok((read(&r, "head")?, read(&r, "countersignature")?))).transpose()
}

async fn logs(tx: &mut Transaction<'static, Any>, site: &str) -> Result<i64, sqlx::Error> {
    sqlx::query("SELECT COUNT(*) AS n FROM heads WHERE site = $1").bind(site.to_owned()).fetch_one(&mut **tx).await?.try_get("n")
}

fn read<T: serde::de::DeserializeOwned>(row: &sqlx::any::AnyRow, column: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(&row.try_get::<String, _>(column)?).map_err(|e| sqlx::Error::Decode(Box::new(e)))
}

/// What was seen, newest first; of one site or of all.
///
/// # Errors
/// The database does not answer.
pub async fn list(db: &Db, only: Option<&str>) -> Result<Vec<Seen>, sqlx::Error> {
    let sql = "SELECT h.site, s.name, h.log, h.head, h.countersignature, h.trouble, h.trouble_at FROM heads h JOIN sites s ON s.id = h.site \
               WHERE $1 = '' OR h.site = $1 ORDER BY h.at DESC LIMIT 1000";
    let rows = sqlx::query(sql).bind(only.unwrap_or_default().to_owned()).fetch_all(db.read()).await?;
    let seen = |r: &sqlx::any::AnyRow| {
        let trouble: Option<String> = r.try_get("trouble")?;
        Ok(Seen {
            site: r.try_get("site")?,
            name: r.try_get("name")?,
            log: r.try_get("log")?,
            head: read(r, "head")?,
            countersignature: read(r, "countersignature")?,
            trouble: trouble.zip(r.try_get::<Option<i64>, _>("trouble_at")?),
        })
    };
    rows.iter().map(seen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SiteSeed;
    use crate::db::default_url;
    use tuoan_evidence::{Proof, tree};

    fn submit(leaves: &[tree::Hash], from: u64, key: &SigningKey) -> Submission {
        let size = leaves.len() as u64;
        let head = SignedHead::sign(key, "xingyuan", "01JD", size, tree::root(leaves, size).unwrap(), 5);
        let proof = if from == 0 || from > size { Vec::new() } else { tree::consistency(leaves, from, size).unwrap() };
        Submission { head, from, proof: Proof(proof) }
    }

    #[tokio::test]
    async fn a_log_that_only_grows_is_countersigned_and_any_other_is_shown_to_the_supervisor() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&default_url(dir.path())).await.unwrap();
        let token = crate::config::Secret::from("a-long-enough-token".to_owned());
        let site = SiteSeed { id: "xingyuan".into(), name: "杏园".into(), token };
        crate::sites::seed(&db, &site, 0).await.unwrap();
        let own = SigningKey::open(&key_file(dir.path())).unwrap();
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let leaves: Vec<_> = (0..20u8).map(|n| tree::leaf(1, &[n])).collect();
        let other: Vec<_> = (0..20u8).map(|n| tree::leaf(2, &[n])).collect();

        let first = submit(&leaves[..7], 0, &key);
        let c = take(&db, &own, &first, 100).await.unwrap().unwrap();
        assert!(c.holds(&first.head) && c.key == own.public());
        assert_eq!(take(&db, &own, &first, 200).await.unwrap().unwrap(), c, "said again");
        let next = submit(&leaves, 7, &key);
        assert_eq!(take(&db, &own, &submit(&leaves, 3, &key), 300).await.unwrap(), Err(NotWitnessed::Behind { known: 7 }));
        assert!(take(&db, &own, &next, 300).await.unwrap().unwrap().holds(&next.head));
        assert!(list(&db, None).await.unwrap()[0].trouble.is_none());

        let refused = take(&db, &own, &submit(&other, 20, &key), 400).await.unwrap();
        assert_eq!(refused, Err(NotWitnessed::Forked { size: 20 }));
        assert_eq!(take(&db, &own, &first, 500).await.unwrap(), Err(NotWitnessed::Shrunk { known: 20, found: 7 }));
        let seen = &list(&db, Some("xingyuan")).await.unwrap()[0];
        assert_eq!((seen.head.size, seen.name.as_str()), (20, "杏园"));
        let (why, at) = seen.trouble.clone().unwrap();
        assert!(why.contains("records were taken away") && at == 500);
        // What is not signed says nothing about the site.
        let mut forged = next;
        forged.head.time += 1;
        assert_eq!(take(&db, &own, &forged, 600).await.unwrap(), Err(NotWitnessed::Forged));
        assert_eq!(list(&db, None).await.unwrap()[0].trouble.as_ref().unwrap().1, 500);
        db.close().await;
    }
}
