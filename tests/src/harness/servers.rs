//! The servers of others: Mosquitto, InfluxDB 2, PostgreSQL. `./test.sh` installs them.
use super::process::Process;
use super::{free_port, wait_for};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const START: Duration = Duration::from_secs(20);

fn listening(port: u16) -> Option<()> {
    TcpStream::connect(("127.0.0.1", port)).ok().map(drop)
}

/// A Mosquitto with its default limits, or with `extra` lines in its configuration.
pub struct Mosquitto {
    pub port: u16,
    dir: PathBuf,
    process: Process,
}

impl Mosquitto {
    pub fn start(dir: &Path, extra: &str) -> Mosquitto {
        let port = free_port();
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\nset_tcp_nodelay true\n{extra}\n",
            dir.display()
        );
        std::fs::write(dir.join("mosquitto.conf"), text).expect("mosquitto.conf");
        let process = Self::spawn(dir);
        wait_for("Mosquitto", START, || listening(port));
        Mosquitto { port, dir: dir.to_owned(), process }
    }
    fn spawn(dir: &Path) -> Process {
        let program =
            ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"].into_iter().find(|p| Path::new(p).exists()).unwrap_or("mosquitto");
        Process::start("mosquitto", Command::new(program).arg("-c").arg(dir.join("mosquitto.conf")), &dir.join("mosquitto.log"))
    }
    /// Stops it as systemd would; it saves its sessions.
    pub fn stop(&mut self) {
        self.process.terminate(START);
    }
    pub fn start_again(&mut self) {
        self.process = Self::spawn(&self.dir);
        let port = self.port;
        wait_for("Mosquitto", START, || listening(port));
    }
}

/// InfluxDB 2 itself, set up with organisation `o`, bucket `b` and token `t`.
pub struct Influxd {
    pub port: u16,
    dir: PathBuf,
    process: Process,
}

impl Influxd {
    pub fn start(dir: &Path) -> Influxd {
        let port = free_port();
        let dir = dir.join("influxd");
        std::fs::create_dir_all(&dir).expect("influxd");
        let influxd = Influxd { port, process: Self::spawn(&dir, port), dir };
        influxd.wait_ready();
        let body = r#"{"username":"tuoan","password":"tuoan-tests","org":"o","bucket":"b","token":"t"}"#;
        let (code, text) = influxd.post("/api/v2/setup", "application/json", body);
        assert_eq!(code, 201, "influxd's set-up: {text}");
        influxd
    }
    fn spawn(dir: &Path, port: u16) -> Process {
        let program = std::env::var_os("TESTS_INFLUXD").map_or_else(|| super::cache().join("bin/influxd"), PathBuf::from);
        let mut command = Command::new(program);
        command
            .arg(format!("--http-bind-address=127.0.0.1:{port}"))
            .arg(format!("--bolt-path={}", dir.join("bolt").display()))
            .arg(format!("--sqlite-path={}", dir.join("sqlite").display()))
            .arg(format!("--engine-path={}", dir.join("engine").display()))
            .arg("--reporting-disabled");
        Process::start("influxd", &mut command, &dir.join("log"))
    }
    fn wait_ready(&self) {
        let url = format!("http://127.0.0.1:{}/health", self.port);
        wait_for("influxd", START, || super::gateway::get(&url).filter(|(code, _)| *code == 200).map(drop));
    }
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
    pub fn kill(&mut self) {
        self.process.kill();
    }
    pub fn start_again(&mut self) {
        self.process = Self::spawn(&self.dir, self.port);
        self.wait_ready();
    }
    /// Values of the field, counted by the server itself.
    pub fn count(&self, measurement: &str, field: &str) -> u64 {
        let flux = format!(
            r#"from(bucket:"b") |> range(start: 0, stop: 2100-01-01T00:00:00Z) |> filter(fn: (r) => r._measurement == "{measurement}" and r._field == "{field}") |> group() |> count()"#
        );
        let (code, text) = self.post("/api/v2/query?org=o", "application/vnd.flux", &flux);
        assert_eq!(code, 200, "{text}");
        // Annotated CSV: the last column of the last line that has one.
        text.lines().filter_map(|l| l.trim().rsplit(',').next()?.parse().ok()).next_back().unwrap_or(0)
    }
    fn post(&self, path: &str, kind: &'static str, body: &str) -> (u16, String) {
        let url = format!("{}{path}", self.url());
        super::runtime().block_on(async {
            let r = super::http().post(url).header("Authorization", "Token t").header("Content-Type", kind).body(body.to_owned());
            let r = r.send().await.expect("influxd answers");
            (r.status().as_u16(), r.text().await.unwrap_or_default())
        })
    }
}

/// A private PostgreSQL cluster, run by the `postgres` user when the tests run as root.
pub struct Postgres {
    pub url: String,
    process: Process,
}

impl Postgres {
    pub fn start(dir: &Path) -> Postgres {
        let bin = newest_postgres();
        let data = dir.join("pg");
        std::fs::create_dir_all(&data).expect("pg");
        let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0\n"));
        if root {
            // The cluster's user must reach the folder.
            Command::new("chmod").args(["a+rx"]).arg(dir).status().expect("chmod");
            Command::new("chown").arg("-R").arg("postgres").arg(&data).status().expect("chown");
        }
        let run = |program: &str| {
            let mut c = if root { Command::new("setpriv") } else { Command::new(bin.join(program)) };
            if root {
                c.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(bin.join(program));
            }
            c.current_dir("/");
            c
        };
        let log = dir.join("pg.log");
        let made = run("initdb").arg("-D").arg(&data).args(["-U", "tuoan", "-A", "trust", "--no-sync"]).output().expect("initdb");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let mut server = run("postgres");
        server.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-c", "unix_socket_directories=", "-p", &port.to_string()]);
        let process = Process::start("postgres", &mut server, &log);
        wait_for("PostgreSQL", START, || listening(port));
        Postgres { url: format!("postgres://tuoan@127.0.0.1:{port}/postgres"), process }
    }
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT: fast shutdown; SIGKILL would leave its workers.
        self.process.signal("INT");
        let process = &mut self.process;
        wait_for("PostgreSQL to end", START, || (!process.running()).then_some(()));
    }
}

fn newest_postgres() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|d| d.flatten().map(|e| e.path().join("bin")).filter(|p| p.join("initdb").exists()).collect())
        .unwrap_or_default();
    found.sort();
    found.pop().expect("PostgreSQL's programs under /usr/lib/postgresql; ./test.sh installs them")
}
