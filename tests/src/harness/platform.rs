//! `tuoan-platform run` in a folder of its own.
use super::process::Process;
use super::{command, free_port, wait_for};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct Platform {
    pub port: u16,
    /// Token of the site `site-1`.
    pub token: String,
    /// Token of the district's reader 赵主任.
    pub reader: String,
    dir: PathBuf,
    process: Process,
}

impl Platform {
    /// With `database` as URL, or its own SQLite file.
    pub fn start(dir: &Path, database: Option<&str>) -> Platform {
        let port = free_port();
        let token = "site-1-token-0123456789abcdef0123456789abcdef".to_owned();
        let reader = "district-token-0123456789abcdef0123456789".to_owned();
        let database = database.map(|d| format!("database = \"{d}\"\n")).unwrap_or_default();
        let text = format!(
            "listen = \"127.0.0.1:{port}\"\ndata = \"{}\"\n{database}[[site]]\nid = \"site-1\"\nname = \"测试托育园\"\ntoken = \"{token}\"\n\
             [[reader]]\nname = \"赵主任\"\ntoken = \"{reader}\"\n",
            dir.join("platform").display()
        );
        std::fs::write(dir.join("platform.toml"), text).expect("platform.toml");
        let mut platform = Platform { port, token, reader, dir: dir.to_owned(), process: Self::spawn(dir) };
        platform.wait_ready();
        platform
    }
    fn spawn(dir: &Path) -> Process {
        let mut command = command("tuoan-platform");
        command.arg("run").arg("--config").arg(dir.join("platform.toml"));
        Process::start("tuoan-platform", &mut command, &dir.join("platform.log"))
    }
    fn wait_ready(&mut self) {
        let (port, dir) = (self.port, self.dir.clone());
        let process = &mut self.process;
        wait_for("the platform to be ready", Duration::from_secs(30), || {
            assert!(process.running(), "the platform ended:\n{}", std::fs::read_to_string(dir.join("platform.log")).unwrap_or_default());
            super::gateway::get(&format!("http://127.0.0.1:{port}/healthz")).filter(|(code, _)| *code == 200).map(drop)
        });
    }
    pub fn kill(&mut self) {
        self.process.kill();
    }
    pub fn restart(&mut self) {
        self.process = Self::spawn(&self.dir);
        self.wait_ready();
    }
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
    /// `POST path` with that token: the status and the answer.
    pub fn post(&self, path: &str, token: &str, body: &Value) -> (u16, String) {
        let url = format!("{}{path}", self.url());
        super::runtime().block_on(async {
            let r = super::http().post(&url).bearer_auth(token).json(body).send().await.expect("the platform answers");
            (r.status().as_u16(), r.text().await.expect("text"))
        })
    }
    /// What it has of its site: `GET path` with the site's token.
    pub fn query(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.url());
        super::runtime().block_on(async {
            let r = super::http().get(&url).bearer_auth(&self.token).send().await.expect("the platform answers");
            assert!(r.status().is_success(), "GET {path}: {}", r.status());
            r.json().await.expect("JSON")
        })
    }
}
