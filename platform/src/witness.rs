//! The district as witness: it keeps the newest head of each gateway's log, demands the proof that every later one goes on from it, and countersigns. A log
//! that was shortened or changed is refused, and the supervisor is shown why until somebody has looked into it. A new log of a site that had one, or another
//! key, waits until a supervisor has accepted it ([`crate::acceptance`]).
//!
//! What must hold: the head is on disk before its countersignature is given out, and of two that come at once only one is the next.
use crate::acceptance;
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
    // The site's row is taken before its heads are read: of two at once, the second sees what the first has written.
    sqlx::query("UPDATE sites SET name = name WHERE id = $1").bind(&site).execute(&mut *tx).await?;
    let known = known(&mut tx, &site, &log).await?;
    let logs = logs(&mut tx, &site).await?;
    let other_key = known.as_ref().map(|(head, _)| head.key).filter(|key| *key != next.head.key);
    let unknown = if known.is_some() { other_key.is_some() } else { logs > 0 };
    if unknown && !acceptance::accepted(&mut tx, &next.head, known.is_some(), now).await? {
        let why = match other_key {
            Some(known) => NotWitnessed::OtherKey { known, found: next.head.key },
            None => NotWitnessed::OtherLog { found: log.clone() },
        };
        refuse(&mut tx, &next.head, &why, now).await?;
        tx.commit().await?;
        return Ok(Err(why));
    }
    // Accepted or not: what was witnessed must be the beginning of it.
    let held = known.as_ref().map(|(head, _)| SignedHead { key: next.head.key, ..head.clone() });
    if let Err(why) = goes_on(held.as_ref(), next) {
        if !matches!(why, NotWitnessed::Behind { .. }) {
            refuse(&mut tx, &next.head, &why, now).await?;
            tx.commit().await?;
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
    if known.is_none() && logs >= LOGS {
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
    if unknown {
        acceptance::used(&mut tx, &next.head, now).await?;
    }
    tx.commit().await?;
    Ok(Ok(countersignature))
}

/// Keeps why a head of a known log was refused, to be seen.
async fn refuse(tx: &mut Transaction<'static, Any>, head: &SignedHead, why: &NotWitnessed, now: i64) -> Result<(), sqlx::Error> {
    let sql = "UPDATE heads SET trouble = $3, trouble_at = $4 WHERE site = $1 AND log = $2";
    sqlx::query(sql).bind(head.site.clone()).bind(head.log.clone()).bind(why.to_string()).bind(now).execute(&mut **tx).await?;
    tracing::error!(site = %head.site, "a site's log is not countersigned: {why}");
    Ok(())
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

    async fn open() -> (Db, SigningKey, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&default_url(dir.path())).await.unwrap();
        let token = crate::config::Secret::from("a-long-enough-token".to_owned());
        let site = SiteSeed { id: "xingyuan".into(), name: "杏园".into(), token };
        crate::sites::seed(&db, &site, 0).await.unwrap();
        let own = SigningKey::open(&key_file(dir.path())).unwrap();
        (db, own, dir)
    }

    #[tokio::test]
    async fn a_log_that_only_grows_is_countersigned_and_any_other_is_shown_to_the_supervisor() {
        let (db, own, _dir) = open().await;
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

    #[tokio::test]
    async fn a_new_log_or_key_waits_for_a_supervisor_whose_word_is_on_record_and_holds_once() {
        let (db, own, _dir) = open().await;
        let key = |n: u8| SigningKey::from_seed(&[n; 32]).unwrap();
        let leaves: Vec<_> = (0..20u8).map(|n| tree::leaf(1, &[n])).collect();
        let of = |log: &str, upto: usize, from: u64, n: u8| {
            let mut s = submit(&leaves[..upto], from, &key(n));
            s.head = SignedHead::sign(&key(n), "xingyuan", log, upto as u64, s.head.root, 5);
            s
        };
        let say = async |s: &Submission, now| take(&db, &own, s, now).await.unwrap();
        let accept = async |log: &str, n: u8, now| {
            acceptance::accept(&db, ("xingyuan", log, &key(n).public().to_string()), ("赵主任", "换了新主机"), now).await.unwrap()
        };
        assert!(say(&of("01JD", 7, 0, 1), 100).await.is_ok(), "the first log needs nobody");

        // Another key for the same log.
        assert!(matches!(say(&of("01JD", 9, 7, 2), 200).await, Err(NotWitnessed::OtherKey { .. })));
        assert!(matches!(say(&of("01JD", 10, 7, 2), 210).await, Err(NotWitnessed::OtherKey { .. })));
        let (open, answered) = acceptance::list(&db, None).await.unwrap();
        assert_eq!((open.len(), answered.len(), open[0].size, open[0].asked_at, open[0].known_log), (1, 0, 10, 200, true), "asked once");
        assert!(list(&db, None).await.unwrap()[0].trouble.is_some());
        assert!(!accept("01JD", 3, 250).await, "nobody asked for that");
        assert!(accept("01JD", 2, 300).await && !accept("01JD", 2, 310).await, "an answer is not changed");
        assert!(list(&db, None).await.unwrap()[0].trouble.is_none());
        // An accepted key cannot do away with what was witnessed.
        assert_eq!(say(&of("01JD", 5, 0, 2), 320).await, Err(NotWitnessed::Shrunk { known: 7, found: 5 }));
        assert!(say(&of("01JD", 10, 7, 2), 330).await.is_ok());
        assert!(say(&of("01JD", 12, 10, 2), 340).await.is_ok());
        assert!(matches!(say(&of("01JD", 13, 12, 1), 350).await, Err(NotWitnessed::OtherKey { .. })), "the old key is another now");

        // Another log.
        assert_eq!(say(&of("01JX", 3, 0, 2), 400).await, Err(NotWitnessed::OtherLog { found: "01JX".into() }));
        assert!(accept("01JX", 2, 410).await && say(&of("01JX", 4, 0, 2), 420).await.is_ok());
        let (open, answered) = acceptance::list(&db, Some("xingyuan")).await.unwrap();
        assert_eq!((open.len(), answered.len()), (1, 2));
        let last = answered[0].answer.clone().unwrap();
        assert_eq!((last.at, last.actor.as_str(), last.reason.as_str(), answered[0].known_log), (410, "赵主任", "换了新主机", false));
        assert_eq!(acceptance::list(&db, Some("other")).await.unwrap().0.len(), 0);

        // Keys drawn one after the other do not fill the table.
        for n in 10..60 {
            assert!(say(&of("01JD", 13, 12, n), 500).await.is_err());
        }
        assert!(acceptance::list(&db, None).await.unwrap().0.len() <= 20);
        db.close().await;
    }
}
