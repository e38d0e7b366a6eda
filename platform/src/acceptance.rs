//! A site's new log or key where it had another one: not believed until a supervisor has accepted it, with a reason that stays on record.
//!
//! A data folder that was lost begins a new log, a key file that was lost a new key. Somebody who would rather that nobody saw the old log would do the
//! same. The platform cannot tell one from the other; a person can, by asking the institution.
//!
//! What must hold: an answer is never changed, and is used once: the key before it, come back, is asked for again.
use crate::db::Db;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};
use tuoan_evidence::SignedHead;

/// Open questions of one site that are kept; further ones are refused all the same.
const OPEN: i64 = 20;
/// Answers that are listed.
const ANSWERED: i64 = 50;
/// Characters of a reason at most.
pub const REASON: usize = 200;

/// A log or key that is asked for, and what was said to it.
#[derive(Debug, Clone, Serialize)]
pub struct Question {
    pub site: String,
    pub name: String,
    pub log: String,
    /// The new key in hexadecimal digits.
    pub key: String,
    /// The log is known, by another key; otherwise the log itself is new.
    pub known_log: bool,
    /// Records of the log when it was asked last.
    pub size: i64,
    /// UTC milliseconds.
    pub asked_at: i64,
    pub answer: Option<Answer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub at: i64,
    pub actor: String,
    pub reason: String,
}

/// Whether a supervisor has accepted this head's log and key. Asks, if nobody was asked yet. `now`: UTC milliseconds.
pub(crate) async fn accepted(
    tx: &mut Transaction<'static, Any>,
    head: &SignedHead,
    known_log: bool,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let key = head.key.to_string();
    let size = i64::try_from(head.size).unwrap_or(i64::MAX);
    let sql = "UPDATE log_questions SET size = $4 WHERE site = $1 AND log = $2 AND key = $3 AND used_at IS NULL";
    let asked = sqlx::query(sql).bind(head.site.clone()).bind(head.log.clone()).bind(key.clone()).bind(size).execute(&mut **tx).await?;
    if asked.rows_affected() > 0 {
        let sql = "SELECT COUNT(*) AS n FROM log_questions WHERE site = $1 AND log = $2 AND key = $3 AND used_at IS NULL AND accepted_at IS NOT NULL";
        let found = sqlx::query(sql).bind(head.site.clone()).bind(head.log.clone()).bind(key).fetch_one(&mut **tx).await?;
        return Ok(found.try_get::<i64, _>("n")? > 0);
    }
    let sql = "SELECT COUNT(*) AS n FROM log_questions WHERE site = $1 AND accepted_at IS NULL";
    let open: i64 = sqlx::query(sql).bind(head.site.clone()).fetch_one(&mut **tx).await?.try_get("n")?;
    if open < OPEN {
        let sql = "INSERT INTO log_questions (site, log, key, known_log, size, asked_at) VALUES ($1, $2, $3, $4, $5, $6)";
        let q = sqlx::query(sql).bind(head.site.clone()).bind(head.log.clone()).bind(key).bind(i64::from(known_log)).bind(size).bind(now);
        q.execute(&mut **tx).await?;
    }
    Ok(false)
}

/// What was accepted is countersigned now: another time it must be asked for again.
pub(crate) async fn used(tx: &mut Transaction<'static, Any>, head: &SignedHead, now: i64) -> Result<(), sqlx::Error> {
    let sql = "UPDATE log_questions SET used_at = $4 WHERE site = $1 AND log = $2 AND key = $3 AND used_at IS NULL";
    sqlx::query(sql).bind(head.site.clone()).bind(head.log.clone()).bind(head.key.to_string()).bind(now).execute(&mut **tx).await?;
    Ok(())
}

/// A supervisor accepts that log with that key. False: nobody asks for it (any more). `now`: UTC milliseconds.
///
/// # Errors
/// The database does not answer; nothing was accepted then.
pub async fn accept(db: &Db, (site, log, key): (&str, &str, &str), answer: (&str, &str), now: i64) -> Result<bool, sqlx::Error> {
    let (actor, reason) = answer;
    let mut tx = db.begin().await?;
    let sql = "UPDATE log_questions SET accepted_at = $4, actor = $5, reason = $6 WHERE site = $1 AND log = $2 AND key = $3 AND accepted_at IS NULL";
    let q = sqlx::query(sql).bind(site.to_owned()).bind(log.to_owned()).bind(key.to_owned()).bind(now);
    let done = q.bind(actor.to_owned()).bind(reason.to_owned()).execute(&mut *tx).await?.rows_affected() > 0;
    if done {
        // What was held against the new key is answered.
        let sql = "UPDATE heads SET trouble = NULL, trouble_at = NULL WHERE site = $1 AND log = $2";
        sqlx::query(sql).bind(site.to_owned()).bind(log.to_owned()).execute(&mut *tx).await?;
        tx.commit().await?;
        tracing::warn!(%site, %log, %key, %actor, "a supervisor has accepted a new log or key of a site");
    }
    Ok(done)
}

/// Open questions, the oldest first, and the last answers, the newest first; of one site or of all.
///
/// # Errors
/// The database does not answer.
pub async fn list(db: &Db, only: Option<&str>) -> Result<(Vec<Question>, Vec<Question>), sqlx::Error> {
    let of = |which: &str, order: &str| {
        format!(
            "SELECT q.site, s.name, q.log, q.key, q.known_log, q.size, q.asked_at, q.accepted_at, q.actor, q.reason FROM log_questions q \
             JOIN sites s ON s.id = q.site WHERE ($1 = '' OR q.site = $1) AND q.accepted_at IS {which} ORDER BY {order} LIMIT {ANSWERED}"
        )
    };
    let mut lists = [Vec::new(), Vec::new()];
    for (list, sql) in lists.iter_mut().zip([of("NULL", "q.number"), of("NOT NULL", "q.accepted_at DESC, q.number DESC")]) {
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(only.unwrap_or_default().to_owned()).fetch_all(db.read()).await?;
        *list = rows.iter().map(question).collect::<Result<_, _>>()?;
    }
    let [open, answered] = lists;
    Ok((open, answered))
}

fn question(r: &AnyRow) -> Result<Question, sqlx::Error> {
    let text = |name| r.try_get::<Option<String>, _>(name).map(Option::unwrap_or_default);
    let at: Option<i64> = r.try_get("accepted_at")?;
    Ok(Question {
        site: r.try_get("site")?,
        name: r.try_get("name")?,
        log: r.try_get("log")?,
        key: r.try_get("key")?,
        known_log: r.try_get::<i64, _>("known_log")? != 0,
        size: r.try_get("size")?,
        asked_at: r.try_get("asked_at")?,
        answer: match at {
            Some(at) => Some(Answer { at, actor: text("actor")?, reason: text("reason")? }),
            None => None,
        },
    })
}
