//! `tuoan run` in a folder of its own.
use super::process::Process;
use super::{command, free_port, wait_for};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tuoan_node_sim::Pin;

/// Password of every broker user of the harness; the configuration holds its SHA-256.
pub const PASSWORD: &str = "correct-horse-battery";
pub const PASSWORD_SHA256: &str = "62249369389075490555a758353aec61500c6218fa597252d52dc4bd0148f12d";

/// Top line of a configuration under which every CO2 reading above 2,000 ppm opens an incident and the next one below ends it: many
/// incident events in little time. (The built-in rules wait for minutes.)
pub const MANY_INCIDENTS: &str = "rules = [\"rules.toml\"]\n";

/// How a gateway is set up. The default is the embedded broker and no sinks.
#[derive(Default)]
pub struct Setup {
    /// Site file; [`SITE`] when empty.
    pub site: String,
    /// Port of an outside broker; embedded when `None`.
    pub outside_broker: Option<u16>,
    /// More lines of the embedded broker's table.
    pub broker: String,
    /// URL and token.
    pub platform: Option<(String, String)>,
    /// URL of an InfluxDB v2 API.
    pub influx: Option<String>,
    /// More lines of configuration: before the tables, and after them.
    pub top: String,
    pub more: String,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
}

pub struct Gateway {
    pub dir: PathBuf,
    environment: Vec<(String, String)>,
    pub mqtt: u16,
    pub web: u16,
    process: Process,
}

/// A site with one room of everything. Devices `d0`..`d15` send CO2 and temperature from the hall; `smoke-1`, `door-1`, `gas-1`, `panic-1`.
pub fn site() -> String {
    let mut s = r#"
id = "site-1"
name = "测试托育园"
district = "下城区"
street = "石桥街道"
institution = "private"
supervisor = "health"
staff_hours = "00:00-24:00"
[[classes]]
id = "c1"
name = "托小班"
care = "full_day"
age_group = "toddler"
care_hours = ["00:00-24:00"]
[[zones]]
id = "hall"
name = "活动室"
kind = "activity"
classes = ["c1"]
[[zones]]
id = "exit"
name = "大门"
kind = "exit"
[[zones]]
id = "kitchen"
name = "厨房"
kind = "kitchen"
"#
    .to_owned();
    for (id, zone, role) in [
        ("smoke-1", "hall", "smoke"),
        ("door-1", "exit", "door"),
        ("gas-1", "kitchen", "gas"),
        ("panic-1", "hall", "panic"),
        ("siren-1", "hall", "siren"),
        ("leak-1", "kitchen", "water"),
    ] {
        s.push_str(&format!("[[devices]]\nid = \"{id}\"\nzone = \"{zone}\"\nrole = \"{role}\"\n"));
    }
    for i in 0..16 {
        s.push_str(&format!("[[devices]]\nid = \"d{i}\"\nzone = \"hall\"\nrole = \"climate\"\n"));
    }
    s
}

/// Writes `tuoan.toml` and what it names into `dir`. The ports of MQTT and of the pages.
pub fn configure(dir: &Path, setup: &Setup) -> (u16, u16) {
    let (mqtt, web) = (setup.outside_broker.unwrap_or_else(free_port), free_port());
    let mut text =
        format!("data = \"data\"\nsite = \"site.toml\"\n{}\n[web]\nlisten = \"127.0.0.1:{web}\"\n[clock]\ntrust = \"always\"\n", setup.top);
    match setup.outside_broker {
        Some(port) => text.push_str(&format!("[client]\nurl = \"mqtt://127.0.0.1:{port}\"\nclient_id = \"tuoan-test\"\ntopics = [\"tuoan/#\", \"zigbee2mqtt/#\", \"kit/#\"]\n")),
        None => text.push_str(&format!(
            "[broker]\nlisten = \"127.0.0.1:{mqtt}\"\n{}\n[[broker.user]]\nname = \"bench\"\npassword_sha256 = \"{PASSWORD_SHA256}\"\n\
             publish = [\"tuoan/v1/site-1/#\", \"zigbee2mqtt/#\", \"kit/#\"]\nsubscribe = [\"tuoan/v1/site-1/#\", \"zigbee2mqtt/#\"]\n",
            setup.broker
        )),
    }
    if let Some((url, token)) = &setup.platform {
        text.push_str(&format!("[platform]\nurl = \"{url}\"\ntoken = \"{token}\"\n"));
    }
    if let Some(url) = &setup.influx {
        text.push_str(&format!("[influx]\nurl = \"{url}\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"t\"\n"));
    }
    text.push_str(&setup.more);
    std::fs::write(dir.join("tuoan.toml"), text).expect("tuoan.toml");
    std::fs::write(dir.join("rules.toml"), include_str!("../../bench/subjects/tuoan/rules.toml")).expect("rules.toml");
    let site = if setup.site.is_empty() { site() } else { setup.site.clone() };
    std::fs::write(dir.join("site.toml"), site).expect("site.toml");
    (mqtt, web)
}

impl Gateway {
    pub fn start(dir: &Path, setup: &Setup) -> Gateway {
        let (mqtt, web) = configure(dir, setup);
        let mut gateway = Gateway {
            dir: dir.to_owned(),
            mqtt,
            web,
            process: Self::spawn(dir, &setup.environment),
            environment: setup.environment.clone(),
        };
        gateway.wait_ready();
        gateway
    }
    fn spawn(dir: &Path, environment: &[(String, String)]) -> Process {
        let mut command = command("tuoan");
        command.arg("run").arg("--config").arg(dir.join("tuoan.toml")).env("RUST_BACKTRACE", "1").envs(environment.iter().cloned());
        Process::start("tuoan", &mut command, &dir.join("tuoan.log"))
    }
    /// Healthy by its own word.
    pub fn wait_ready(&mut self) {
        let (web, dir) = (self.web, self.dir.clone());
        let process = &mut self.process;
        wait_for("the gateway to be ready", Duration::from_secs(30), || {
            assert!(process.running(), "the gateway ended:\n{}", std::fs::read_to_string(dir.join("tuoan.log")).unwrap_or_default());
            get(&format!("http://127.0.0.1:{web}/healthz")).filter(|(code, _)| *code == 200).map(drop)
        });
    }
    /// kill -9 and start again on the same data.
    pub fn kill(&mut self) {
        self.process.kill();
    }
    pub fn restart(&mut self) {
        self.process = Self::spawn(&self.dir, &self.environment);
        self.wait_ready();
    }
    /// Starts again on a disk that is not well: it serves its pages, whatever they say.
    pub fn restart_ailing(&mut self) {
        self.process = Self::spawn(&self.dir, &self.environment);
        let (web, dir, process) = (self.web, self.dir.clone(), &mut self.process);
        wait_for("the gateway to answer", Duration::from_secs(30), || {
            assert!(process.running(), "the gateway ended:\n{}", std::fs::read_to_string(dir.join("tuoan.log")).unwrap_or_default());
            get(&format!("http://127.0.0.1:{web}/healthz")).map(drop)
        });
    }
    /// By what nodes know it.
    pub fn pin(&self) -> Pin {
        let file = tuoan::nodes::key::path(&self.dir.join("data"));
        let pin = tuoan::nodes::key::pin(&file, &file).expect("the gateway's own key");
        Pin::parse(&pin).expect("a pin as nodes read it")
    }
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("tuoan.log")).unwrap_or_default()
    }
    /// One sample of `/metrics`; 0 when it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        let text = get(&format!("http://127.0.0.1:{}/metrics", self.web)).map(|(_, t)| t).unwrap_or_default();
        text.lines()
            .filter(|l| !l.starts_with('#'))
            .filter_map(|l| l.rsplit_once(' '))
            .filter(|(n, _)| n.split('{').next() == Some(name))
            .filter_map(|(_, v)| v.parse::<f64>().ok())
            .sum()
    }
}

/// Status and body; `None` when nobody answers.
pub fn get(url: &str) -> Option<(u16, String)> {
    super::runtime().block_on(async {
        let r = super::http().get(url).send().await.ok()?;
        Some((r.status().as_u16(), r.text().await.ok()?))
    })
}
