//! Starts platforms on SQLite and on a real, private PostgreSQL.
use serde_json::{Value, json};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tuoan_platform::{Clock, Config, Influx, Reader, Running, SiteSeed, start};

pub const SITE_A: &str = "token-of-site-a-0123456789";
pub const SITE_B: &str = "token-of-site-b-0123456789";
pub const READER: &str = "token-of-the-district-0123";
pub const SECOND_READER: &str = "token-of-another-reader-01";
pub const INFLUX: &str = "token-of-influx-0123456789";
pub const T0: i64 = 1_795_329_120_000;

/// A PostgreSQL of its own: a cluster in a temporary directory on a free loopback port. Its absence is a failure, not a skip.
pub struct Postgres {
    child: Child,
    pub url: String,
    dir: PathBuf,
}

impl Postgres {
    pub fn start() -> Postgres {
        let bin = std::fs::read_dir("/usr/lib/postgresql")
            .expect("PostgreSQL is needed: install the package `postgresql`")
            .filter_map(|e| Some(e.ok()?.path().join("bin")))
            .find(|p| p.join("postgres").exists())
            .expect("PostgreSQL is needed: no /usr/lib/postgresql/*/bin/postgres");
        let holder = tempfile::Builder::new().prefix("tuoan-pg-").tempdir().unwrap();
        let dir = holder.keep();
        let as_root = String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap().trim() == "0";
        if as_root {
            assert!(Command::new("chown").arg("postgres").arg(&dir).status().unwrap().success());
        }
        // PostgreSQL refuses to run as root.
        let command = |program: &str| {
            let program = bin.join(program);
            let mut c = if as_root {
                let mut c = Command::new("setpriv");
                c.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
                c
            } else {
                Command::new(program)
            };
            c.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            c
        };
        let data = dir.join("data");
        let made =
            command("initdb").args(["-U", "tuoan", "-A", "trust", "-N", "-E", "UTF8", "--locale=C", "-D"]).arg(&data).status().unwrap();
        assert!(made.success(), "initdb failed");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"])
            .process_group(0)
            .spawn()
            .unwrap();
        Postgres { child, url: format!("postgres://tuoan@127.0.0.1:{port}/postgres"), dir }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Fast shutdown: SIGINT to this very process.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A running platform and what a test needs to speak with it.
pub struct World {
    pub platform: Option<Running>,
    pub now: Arc<AtomicI64>,
    pub client: reqwest::Client,
    config: Config,
    _dir: tempfile::TempDir,
    _postgres: Option<Postgres>,
}

impl World {
    pub async fn sqlite() -> World {
        World::start(None).await
    }
    pub async fn postgres() -> World {
        World::start(Some(Postgres::start())).await
    }
    async fn start(postgres: Option<Postgres>) -> World {
        // The client is built with a TLS provider, though nothing here uses TLS.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(T0));
        let shown = now.clone();
        let site = |id: &str, name: &str, token: &str| SiteSeed { id: id.into(), name: name.into(), token: token.into() };
        let reader = |name: &str, token: &str| Reader { name: name.into(), token: token.into() };
        let config = Config {
            data: dir.path().join("data"),
            database: postgres.as_ref().map(|p| p.url.as_str().into()),
            sites: vec![site("a", "星园", SITE_A), site("b", "月园", SITE_B)],
            readers: vec![reader("王主任", READER), reader("李科长", SECOND_READER)],
            influx: Influx { tokens: vec![INFLUX.into()], max_series: 5_000, ..Influx::default() },
            clock: Clock::from_fn(move || shown.load(Ordering::SeqCst)),
            ..Config::default()
        };
        let mut platform = start(config.clone()).await;
        for _ in 0..300 {
            if platform.is_ok() || postgres.is_none() {
                break;
            }
            // The server needs a moment after it was started.
            tokio::time::sleep(Duration::from_millis(100)).await;
            platform = start(config.clone()).await;
        }
        let platform = Some(platform.unwrap());
        World { platform, now, client: reqwest::Client::new(), config, _dir: dir, _postgres: postgres }
    }
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.platform.as_ref().unwrap().url())
    }
    pub fn at(&self, ms_after_start: i64) {
        self.now.store(T0 + ms_after_start, Ordering::SeqCst);
    }
    pub async fn restart(&mut self) {
        self.platform.take().unwrap().shutdown().await;
        self.platform = Some(start(self.config.clone()).await.unwrap());
    }
    pub async fn send(&self, token: &str, events: &[Value]) -> (u16, Value) {
        let body = serde_json::to_vec(events).unwrap();
        self.post("/v1/events", token, "application/cloudevents-batch+json", body).await
    }
    /// Sends a batch that must be taken, and returns the statuses.
    pub async fn statuses(&self, token: &str, events: &[Value]) -> Vec<String> {
        let (status, answer) = self.send(token, events).await;
        assert_eq!(status, 200, "{answer}");
        answer["receipts"].as_array().unwrap().iter().map(|r| r["status"].as_str().unwrap().to_owned()).collect()
    }
    pub async fn post(&self, path: &str, token: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
        let request = self.client.post(self.url(path)).bearer_auth(token).header("content-type", kind).body(body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }
    pub async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let response = self.client.get(self.url(path)).bearer_auth(token).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }
    pub async fn incidents(&self, query: &str) -> Vec<Value> {
        let (status, answer) = self.get(&format!("/v1/incidents{query}"), READER).await;
        assert_eq!(status, 200, "{answer}");
        answer["incidents"].as_array().unwrap().clone()
    }
    pub async fn site(&self, id: &str) -> Value {
        let (_, answer) = self.get("/v1/sites", READER).await;
        answer["sites"].as_array().unwrap().iter().find(|s| s["id"] == id).unwrap().clone()
    }
    pub async fn write(&self, query: &str, lines: &str) -> (u16, Value) {
        let path = format!("/api/v2/write?org=tuoan&bucket=tuoan{query}");
        let request = self.client.post(self.url(&path)).header("authorization", format!("Token {INFLUX}")).body(lines.to_owned());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }
    pub async fn flux(&self, query: &str) -> (u16, String) {
        let request = self.client.post(self.url("/api/v2/query?org=tuoan")).header("authorization", format!("Token {INFLUX}"));
        let response = request.header("content-type", "application/vnd.flux").body(query.to_owned()).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

pub fn event(site: &str, sequence: u64, id: &str, incident: &str, transition: &str) -> Value {
    let over = transition == "returned" || transition == "closed";
    json!({
        "specversion": "1.0", "id": id, "source": format!("/sites/{site}/logs/L1"), "type": format!("cn.tuoan.incident.{transition}.v1"),
        "subject": incident, "time": "2026-11-22T06:32:00.000Z", "datacontenttype": "application/json",
        "sequence": sequence.to_string(), "sequencetype": "Integer",
        "data": {
            "event": {
                "v": 1, "site": site, "institution": "community", "supervisor": "health", "log": "L1", "sequence": sequence,
                "position": sequence * 10, "id": id, "incident": incident, "at": T0 + sequence as i64, "clock_trusted": true,
                "transition": transition, "state": {"active": !over, "acknowledged": false, "closed": transition == "closed"},
                "hazard": "fire.smoke", "place": {"zone": "toddler-2"}, "severity": 1, "basis": "confirmed", "rule": "fire.smoke",
                "trigger": {"device": "smoke-1", "quantity": "smoke", "value": 1, "device_seq": 7}, "activations": 1,
                "found_on_connect": false, "engine": "0.1.0", "rules": "00"
            },
            "place_name": "托小班2", "title": {"zh": "烟雾报警", "en": "Smoke alarm"}, "advice": {"zh": "立即疏散", "en": "Evacuate now"},
            "clause": "GB 50116", "duty": ["health"], "unrecorded": false
        }
    })
}

pub fn tombstone(site: &str, sequence: u64, id: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": format!("/sites/{site}/logs/L1"), "type": "cn.tuoan.tombstone.v1",
        "time": "2026-11-22T06:32:00.000Z", "sequence": sequence.to_string(), "sequencetype": "Integer", "data": {"reason": "too large"}})
}

pub fn heartbeat(site: &str, id: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": format!("/sites/{site}/logs/L1"), "type": "cn.tuoan.heartbeat.v1",
        "time": "2026-11-22T06:32:00.000Z",
        "data": {"position": 12, "queue": {"alerts": 0, "metrics": 3}, "healthy": true, "clock_trusted": true}})
}
