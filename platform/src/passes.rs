//! Codes with which the district's inspectors read at a nursery. The code is drawn here and shown once; the nursery's gateway fetches its hash over its own
//! connection. Who issued it, what for, when the gateway took it over and who took it back stays on record.
use crate::db::Db;
use sqlx::Row;
use sqlx::any::AnyRow;
use tuoan_dashboards::door::{Grant, Grants, PASS_HOURS, draw_grant};

/// Codes of one site that are good at once, as many as its gateway takes.
const GOOD: i64 = 16;
/// Rows of the record that are shown.
const SHOWN: i64 = 200;
/// Ids that a gateway may say to have taken over at a time.
const TAKEN: usize = 64;

/// One line of the record. UTC milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub id: String,
    pub site: String,
    pub site_name: String,
    pub holder: String,
    pub by: String,
    pub purpose: String,
    pub issued: i64,
    pub expires: i64,
    /// When the gateway took it over: from then on it opens.
    pub taken: Option<i64>,
    pub revoked: Option<(i64, String)>,
}

/// Why no code is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    NoSite,
    /// Holder, purpose or issuer is missing.
    Missing,
    Hours,
    TooMany,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub site: String,
    pub holder: String,
    pub purpose: String,
    pub by: String,
    pub hours: u32,
}

/// Draws a code for that site: the code, which is kept nowhere.
///
/// # Errors
/// The database does not answer; nothing was issued then.
pub async fn issue(db: &Db, wish: &Wish, now: i64) -> Result<Result<String, Refused>, sqlx::Error> {
    if [&wish.holder, &wish.purpose, &wish.by].iter().any(|t| t.is_empty()) {
        return Ok(Err(Refused::Missing));
    }
    if !PASS_HOURS.contains(&wish.hours) {
        return Ok(Err(Refused::Hours));
    }
    let mut tx = db.begin().await?;
    // Of two at once, the second sees what the first has written.
    let there = sqlx::query("UPDATE sites SET name = name WHERE id = $1").bind(wish.site.clone()).execute(&mut *tx).await?;
    if there.rows_affected() == 0 {
        return Ok(Err(Refused::NoSite));
    }
    let good = sqlx::query("SELECT COUNT(*) AS n FROM passes WHERE site = $1 AND revoked_at IS NULL AND expires_at > $2")
        .bind(wish.site.clone())
        .bind(now)
        .fetch_one(&mut *tx)
        .await?;
    if good.try_get::<i64, _>("n")? >= GOOD {
        return Ok(Err(Refused::TooMany));
    }
    let (id, code, hash) = draw_grant();
    sqlx::query(
        "INSERT INTO passes (id, site, hash, holder, purpose, issued_by, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id)
    .bind(wish.site.clone())
    .bind(hash)
    .bind(wish.holder.clone())
    .bind(wish.purpose.clone())
    .bind(wish.by.clone())
    .bind(now)
    .bind(now.saturating_add(i64::from(wish.hours) * 3_600_000))
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Ok(code))
}

/// Takes a code back; false if it is none that is still good.
///
/// # Errors
/// The database does not answer.
pub async fn revoke(db: &Db, id: &str, by: &str, now: i64) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin().await?;
    let sql = "UPDATE passes SET revoked_at = $2, revoked_by = $3 WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2";
    let done = sqlx::query(sql).bind(id.to_owned()).bind(now).bind(by.to_owned()).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// The record, newest first.
///
/// # Errors
/// The database does not answer.
pub async fn list(db: &Db) -> Result<Vec<Issued>, sqlx::Error> {
    let sql =
        "SELECT p.id, p.site, s.name, p.holder, p.purpose, p.issued_by, p.issued_at, p.expires_at, p.taken_at, p.revoked_at, p.revoked_by
        FROM passes p JOIN sites s ON s.id = p.site ORDER BY p.issued_at DESC, p.id LIMIT $1";
    let rows = sqlx::query(sql).bind(SHOWN).fetch_all(db.read()).await?;
    let row = |r: &AnyRow| {
        let revoked: Option<i64> = r.try_get("revoked_at")?;
        Ok(Issued {
            id: r.try_get("id")?,
            site: r.try_get("site")?,
            site_name: r.try_get("name")?,
            holder: r.try_get("holder")?,
            by: r.try_get("issued_by")?,
            purpose: r.try_get("purpose")?,
            issued: r.try_get("issued_at")?,
            expires: r.try_get("expires_at")?,
            taken: r.try_get("taken_at")?,
            revoked: revoked.zip(r.try_get::<Option<String>, _>("revoked_by")?),
        })
    };
    rows.iter().map(row).collect()
}

/// A gateway asks: what it says to have taken over is noted, and it is told what is good for its site.
///
/// # Errors
/// The database does not answer.
pub async fn exchange(db: &Db, site: &str, taken: &[String], now: i64) -> Result<Grants, sqlx::Error> {
    if !taken.is_empty() {
        let mut tx = db.begin().await?;
        for id in taken.iter().take(TAKEN) {
            let sql = "UPDATE passes SET taken_at = $3 WHERE id = $1 AND site = $2 AND taken_at IS NULL";
            sqlx::query(sql).bind(id.clone()).bind(site.to_owned()).bind(now).execute(&mut *tx).await?;
        }
        tx.commit().await?;
    }
    let sql = "SELECT id, hash, holder, purpose, issued_by, issued_at, expires_at, taken_at FROM passes
        WHERE site = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY issued_at, id";
    let rows = sqlx::query(sql).bind(site.to_owned()).bind(now).fetch_all(db.read()).await?;
    let mut answer = Grants::default();
    for r in &rows {
        let id: String = r.try_get("id")?;
        if r.try_get::<Option<i64>, _>("taken_at")?.is_some() {
            answer.live.push(id);
        } else {
            answer.grants.push(Grant {
                id,
                hash: r.try_get("hash")?,
                holder: r.try_get("holder")?,
                by: r.try_get("issued_by")?,
                purpose: r.try_get("purpose")?,
                issued: r.try_get("issued_at")?,
                expires: r.try_get("expires_at")?,
            });
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SiteSeed;
    use crate::db::default_url;

    const HOUR: i64 = 3_600_000;

    #[tokio::test]
    async fn a_code_is_issued_fetched_by_its_own_site_alone_and_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&default_url(dir.path())).await.unwrap();
        for (id, token) in [("xingyuan", "a-long-enough-token"), ("yueyuan", "another-long-token")] {
            let seed = SiteSeed { id: id.into(), name: id.into(), token: crate::config::Secret::from(token.to_owned()) };
            crate::sites::seed(&db, &seed, 0).await.unwrap();
        }
        let wish = Wish { site: "xingyuan".into(), holder: "张".into(), purpose: "双随机".into(), by: "李".into(), hours: 4 };
        for (odd, why) in [
            (Wish { site: "ghost".into(), ..wish.clone() }, Refused::NoSite),
            (Wish { holder: String::new(), ..wish.clone() }, Refused::Missing),
            (Wish { hours: 73, ..wish.clone() }, Refused::Hours),
        ] {
            assert_eq!(issue(&db, &odd, 0).await.unwrap(), Err(why));
        }
        let code = issue(&db, &wish, 0).await.unwrap().unwrap();
        assert_eq!(exchange(&db, "yueyuan", &[], 1).await.unwrap(), Grants::default(), "another site learns nothing");
        let told = exchange(&db, "xingyuan", &[], 1).await.unwrap();
        let id = told.grants[0].id.clone();
        assert_eq!((told.grants.len(), told.grants[0].expires, told.grants[0].problem(1)), (1, 4 * HOUR, None));
        assert!(!format!("{:?}", list(&db).await.unwrap()).contains(&code) && !told.grants[0].hash.contains(&code));
        // Another site cannot say that it has it.
        exchange(&db, "yueyuan", std::slice::from_ref(&id), 2).await.unwrap();
        assert_eq!(list(&db).await.unwrap()[0].taken, None);
        let live = exchange(&db, "xingyuan", std::slice::from_ref(&id), 3).await.unwrap();
        assert_eq!((live.grants.len(), live.live.as_slice()), (0, &[id.clone()][..]));
        assert!(revoke(&db, &id, "王", 4).await.unwrap() && !revoke(&db, &id, "王", 5).await.unwrap());
        assert_eq!(exchange(&db, "xingyuan", &[], 6).await.unwrap(), Grants::default());
        let record = &list(&db).await.unwrap()[0];
        assert_eq!((record.taken, record.revoked.clone(), record.by.as_str()), (Some(3), Some((4, "王".into())), "李"));
        // They are bounded, and end by themselves.
        for _ in 0..16 {
            issue(&db, &wish, 10).await.unwrap().unwrap();
        }
        assert_eq!(issue(&db, &wish, 10).await.unwrap(), Err(Refused::TooMany));
        assert_eq!(exchange(&db, "xingyuan", &[], 10 + 4 * HOUR).await.unwrap(), Grants::default());
        db.close().await;
    }
}
