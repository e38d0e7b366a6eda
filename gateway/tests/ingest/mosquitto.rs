//! A real Mosquitto as the outside broker: started on a free port, stopped by its process id.
use crate::support::{SOON, password};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};

pub struct Mosquitto {
    child: Option<Child>,
    folder: TempDir,
    pub addr: SocketAddr,
}

impl Mosquitto {
    /// `extra` lines go to the end of the configuration. Persistence is on, so that a restart keeps sessions.
    pub async fn start(extra: &str) -> Mosquitto {
        // The port is free now; should somebody take it before Mosquitto does, Mosquitto says so and the test fails.
        let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().display().to_string();
        let config = format!(
            "listener {} 127.0.0.1\n{}\npersistence true\npersistence_location {data}/\nautosave_interval 0\n\
             max_inflight_messages 500\nmax_queued_messages 0\nsys_interval 1\nlog_type error\nlog_type warning\nuser root\n{}\n",
            addr.port(),
            if extra.contains("allow_anonymous") { "" } else { "allow_anonymous true" },
            extra.replace("DIR", &data)
        );
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let passwords = folder.path().join("passwords");
        let made = Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(passwords).args(["gateway", "gateway-secret"]).output().await;
        assert!(made.expect("mosquitto_passwd cannot be run: install mosquitto").status.success());
        let mut broker = Mosquitto { child: None, folder, addr };
        broker.resume().await;
        broker
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn resume(&mut self) {
        let program =
            ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"].into_iter().find(|p| Path::new(p).exists()).unwrap_or("mosquitto");
        let child = Command::new(program)
            .arg("-c")
            .arg(self.file("mosquitto.conf"))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| panic!("mosquitto cannot be run ({e}): install mosquitto"));
        self.child = Some(child);
        let up = async {
            while tokio::net::TcpStream::connect(self.addr).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, up).await.expect("mosquitto should listen");
    }

    /// An orderly stop (SIGTERM): Mosquitto writes its sessions to disk.
    pub async fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        let id = child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        tokio::time::timeout(SOON, child.wait()).await.expect("mosquitto should stop").unwrap();
    }

    /// Publishes one message for each of `payloads`, QoS as given, one after the other on one connection.
    pub async fn publish(&self, topic: &str, qos: &str, payloads: impl IntoIterator<Item = String>) {
        use tokio::io::AsyncWriteExt;
        let mut child = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &self.addr.port().to_string(), "-u", "lab", "-P", &password("lab")])
            .args(["-q", qos, "-t", topic, "-l"])
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        for payload in payloads {
            input.write_all(format!("{payload}\n").as_bytes()).await.unwrap();
        }
        drop(input);
        let status = tokio::time::timeout(SOON, child.wait()).await.expect("mosquitto_pub should end").unwrap();
        assert!(status.success());
    }
}
