//! Codes of inspectors that the district issues, fetched over the connection that the gateway keeps to its platform: nothing of the gateway is opened to the
//! outside for it. What the district takes back ends here, too.
//!
//! What must hold: each is on this gateway's record before it opens anything; only hashes travel; what lasts too long, or names nobody, is not taken over.
use crate::clock::Clock;
use crate::deliver::PlatformConfig;
use crate::deliver::sinks::{SinkError, http};
use crate::store::{Deed, Ops};
use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tuoan_dashboards::door::{Door, Grant, Grants, GrantsAsked};

/// Between two questions: an inspector at the door waits no longer.
pub const EVERY: Duration = Duration::from_secs(30);
/// A platform that knows nothing of codes is asked again after this.
const UNKNOWN: Duration = Duration::from_secs(3600);
/// A commit takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the district says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Told(Grants),
    /// It is a receiver that issues none.
    Unknown,
    Later(String),
}

/// Who issues codes.
#[async_trait]
pub trait District: Send + Sync {
    async fn ask(&self, asked: &GrantsAsked) -> Answer;
}

pub struct Fetcher {
    pub door: Door,
    pub ops: Ops,
    pub clock: Clock,
    pub shutdown: CancellationToken,
}

impl Fetcher {
    pub async fn run<D: District + 'static>(self, district: D) {
        loop {
            let pause = self.round(&district).await;
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes over what is new, ends what was taken back, and says so. How long to wait until the next.
    async fn round(&self, district: &dyn District) -> Duration {
        let told = match district.ask(&GrantsAsked::default()).await {
            Answer::Told(told) => told,
            Answer::Unknown => return UNKNOWN,
            Answer::Later(why) => {
                tracing::debug!("the district's codes were not fetched: {why}");
                return EVERY;
            }
        };
        let mut taken = Vec::new();
        for grant in &told.grants {
            if self.take(grant).await {
                taken.push(grant.id.clone());
            }
        }
        let good = |id: &String| told.live.contains(id) || told.grants.iter().any(|g| g.id == *id);
        for id in self.door.granted().into_iter().filter(|id| !good(id)) {
            let holder = self.door.passes().into_iter().find(|p| p.id == id).map(|p| p.holder).unwrap_or_default();
            if self.record("pass_revoked", "", &holder, "", &id).await && self.door.revoke_pass(&id).await.is_err() {
                tracing::error!(id, "a code that the district has taken back could not be ended; it is tried again");
            }
        }
        if !taken.is_empty() {
            // If that is lost, it is told once more and said once more.
            let _ = district.ask(&GrantsAsked { taken }).await;
        }
        EVERY
    }

    /// True: it opens now.
    async fn take(&self, grant: &Grant) -> bool {
        if self.door.granted().contains(&grant.id) {
            return true;
        }
        if let Some(why) = grant.problem(self.clock.utc_ms()) {
            tracing::warn!(why, "a code of the district is not taken over");
            return false;
        }
        if !self.record("pass_issued", &grant.by, &grant.holder, &grant.purpose, &grant.id).await {
            return false;
        }
        match self.door.grant(grant.clone()).await {
            Ok(done) => done,
            Err(e) => {
                tracing::error!("a code of the district could not be kept: {e:?}");
                false
            }
        }
    }

    /// True once it is on disk.
    async fn record(&self, kind: &str, by: &str, holder: &str, purpose: &str, id: &str) -> bool {
        let deed = Deed {
            at: self.clock.utc_ms(),
            actor: by.to_owned(),
            role: "district".to_owned(),
            kind: kind.to_owned(),
            object: holder.to_owned(),
            purpose: purpose.to_owned(),
            detail: id.to_owned(),
        };
        self.ops.deed(deed).is_ok() && matches!(tokio::time::timeout(PATIENCE, self.ops.settled()).await, Ok(Ok(())))
    }
}

/// The platform: `POST <url>/v1/passes`.
pub struct Http {
    client: Client,
    url: Url,
}

impl Http {
    /// # Errors
    /// Address or token cannot be used.
    pub fn new(config: &PlatformConfig) -> Result<Http, SinkError> {
        let url = http::endpoint("platform", &config.url, "v1/passes")?;
        Ok(Http { client: http::client("platform", http::authorization("platform", "Bearer", &config.token)?)?, url })
    }
}

#[async_trait]
impl District for Http {
    async fn ask(&self, asked: &GrantsAsked) -> Answer {
        let Ok(body) = serde_json::to_vec(asked) else { return Answer::Later("the question cannot be written".to_owned()) };
        let sent = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body).send().await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(e) => return Answer::Later(e.without_url().to_string()),
        };
        let status = answer.status();
        let Ok(body) = http::body(answer).await else { return Answer::Later("the answer cannot be read".to_owned()) };
        match status {
            s if s.is_success() => serde_json::from_slice(&body).map_or(Answer::Unknown, Answer::Told),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Answer::Unknown,
            s => Answer::Later(s.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::store::{Deps, Options, Store};
    use std::sync::{Arc, Mutex};
    use tuoan_dashboards::door::{DoorConfig, MemoryVault, draw_grant};

    const NOW: i64 = 1_795_400_000_000;

    /// A district with one site.
    #[derive(Default)]
    struct Double {
        told: Mutex<Grants>,
        taken: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl District for Double {
        async fn ask(&self, asked: &GrantsAsked) -> Answer {
            let mut told = self.told.lock().unwrap();
            self.taken.lock().unwrap().extend(asked.taken.iter().cloned());
            for id in &asked.taken {
                told.grants.retain(|g| g.id != *id);
                told.live.push(id.clone());
            }
            Answer::Told(told.clone())
        }
    }

    fn grant() -> Grant {
        let (id, _, hash) = draw_grant();
        Grant { id, hash, holder: "张".into(), by: "区 李".into(), purpose: "双随机".into(), issued: NOW, expires: NOW + 3_600_000 }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_code_is_on_record_before_it_opens_and_ends_when_the_district_takes_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut deps = Deps::new(Clock::manual(NOW), Arc::new(Metrics::new()));
        deps.timing.ops = Duration::ZERO;
        let (store, _) = Store::open(dir.path(), Options { reserve_mb: 0, ..Options::default() }, deps).unwrap();
        let door = Door::open(DoorConfig { name: "gateway", code: None, now: Box::new(|| NOW) }, MemoryVault::default()).unwrap();
        let fetcher = Fetcher { door: door.clone(), ops: store.ops.clone(), clock: Clock::manual(NOW), shutdown: CancellationToken::new() };
        let district = Double::default();
        let (good, odd) = (grant(), Grant { expires: NOW + 100 * 3_600_000, ..grant() });
        district.told.lock().unwrap().grants = vec![good.clone(), odd];
        assert_eq!(fetcher.round(&district).await, EVERY);
        assert_eq!(door.granted(), std::slice::from_ref(&good.id));
        assert_eq!(*district.taken.lock().unwrap(), std::slice::from_ref(&good.id), "what is not taken over is not said to be");
        let issued = || store.reader.deeds(None, Some("pass_issued"), None, 10).unwrap();
        let deed = &issued()[0].deed;
        assert_eq!((deed.actor.as_str(), deed.role.as_str(), deed.purpose.as_str()), ("区 李", "district", "双随机"));
        fetcher.round(&district).await;
        assert_eq!((issued().len(), door.granted().len()), (1, 1), "once");
        // The director takes it back: the district's saying that it is good does not bring it again.
        door.revoke_pass(&good.id).await.unwrap();
        fetcher.round(&district).await;
        assert!(door.granted().is_empty());
        let another = grant();
        district.told.lock().unwrap().grants = vec![another];
        fetcher.round(&district).await;
        *district.told.lock().unwrap() = Grants::default();
        fetcher.round(&district).await;
        assert!(door.granted().is_empty(), "the district has taken it back");
        assert_eq!(store.reader.deeds(None, Some("pass_revoked"), None, 10).unwrap().len(), 1);
    }
}
