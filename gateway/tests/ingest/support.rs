//! What the tests share: a gateway's end of the queue, a hand-made MQTT 3.1.1 client, Mosquitto's programs.
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::mpsc;
use tuoan::clock::Clock;
use tuoan::ingest::broker::{Broker, BrokerConfig, BrokerTls, User};
use tuoan::ingest::{FrameDesk, INBOUND_QUEUE, Inbound, MemoryRetained, RetainedStore, Stored};
use tuoan_protocol::{DeviceId, SiteId};

/// Longest wait for anything that should happen.
pub const SOON: Duration = Duration::from_secs(15);
/// How long a test watches that something does not happen.
pub const QUIET: Duration = Duration::from_millis(300);

pub fn crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

pub fn user(name: &str, devices: &[&str], publish: &[&str], subscribe: &[&str]) -> User {
    User {
        name: name.into(),
        password_sha256: Sha256::digest(password(name)).into(),
        devices: devices.iter().map(|d| DeviceId::new(d).unwrap()).collect(),
        publish: publish.iter().map(|t| (*t).to_owned()).collect(),
        subscribe: subscribe.iter().map(|t| (*t).to_owned()).collect(),
    }
}

pub fn password(user: &str) -> String {
    format!("{user}-secret")
}

/// Topics and payloads in the order in which they came.
pub type Seen = tokio::task::JoinHandle<Vec<(String, Bytes)>>;

/// The markers of a JPEG of so many bytes.
pub fn picture(bytes: usize) -> Vec<u8> {
    let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 1, 224, 2, 128, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0];
    jpeg.resize(bytes - 2, 7);
    jpeg.extend([0xFF, 0xD9]);
    jpeg
}

/// An embedded broker and the pipeline's end of its queue.
pub struct Gateway {
    pub broker: Arc<Broker>,
    pub inbound: mpsc::Receiver<Inbound>,
    pub frames: FrameDesk,
    pub addr: SocketAddr,
}

impl Gateway {
    pub async fn start() -> Gateway {
        Gateway::with(Arc::new(MemoryRetained::default()), INBOUND_QUEUE, None).await
    }

    pub async fn with(retained: Arc<dyn RetainedStore>, queue: usize, tls: Option<BrokerTls>) -> Gateway {
        crypto();
        let (sender, inbound) = mpsc::channel(queue);
        let users =
            vec![user("env", &["env-1"], &[], &[]), user("cam", &["cam-1"], &[], &[]), user("lab", &[], &["lab/#"], &["lab/#", "tuoan/#"])];
        let config =
            BrokerConfig { site: SiteId::new("xingyuan").unwrap(), listen: ([127, 0, 0, 1], 0).into(), tls, sessions: 4096, users };
        let frames = FrameDesk::new();
        let broker = Broker::start(config, sender, frames.clone(), retained, Clock::System).await.unwrap();
        let addr = broker.local_addr();
        Gateway { broker: Arc::new(broker), inbound, frames, addr }
    }

    /// The next message, which must come.
    pub async fn next(&mut self) -> Inbound {
        tokio::time::timeout(SOON, self.inbound.recv()).await.expect("a message should have come in").unwrap()
    }

    /// The next message, answered with `stored`.
    pub async fn answer(&mut self, stored: Stored) -> (String, Bytes) {
        let Inbound { topic, payload, ack, .. } = self.next().await;
        ack.done(stored);
        (topic.to_string(), payload)
    }

    pub fn nothing_waits(&mut self) -> bool {
        self.inbound.try_recv().is_err()
    }

    /// Answers everything with yes from now on; returns what came once the task is joined after the gateway is gone.
    pub fn store_all(self) -> (Arc<Broker>, SocketAddr, Seen) {
        let Gateway { broker, mut inbound, addr, .. } = self;
        let task = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(Inbound { topic, payload, ack, .. }) = inbound.recv().await {
                seen.push((topic.to_string(), payload));
                ack.done(Stored::Yes);
            }
            seen
        });
        (broker, addr, task)
    }
}

/// MQTT 3.1.1 by hand, to see exactly which packets come and which do not.
pub struct Raw(pub TcpStream);

pub const CONNACK: u8 = 0x20;
pub const PUBACK: u8 = 0x40;
pub const PUBREC: u8 = 0x50;
pub const PUBCOMP: u8 = 0x70;
pub const SUBACK: u8 = 0x90;
pub const PUBLISH: u8 = 0x30;

#[derive(Default, Clone, Copy)]
pub struct Hello<'a> {
    pub user: &'a str,
    pub password: Option<&'a str>,
    pub client: &'a str,
    pub keep_session: bool,
    pub will: Option<(&'a str, &'a [u8], bool)>,
}

impl Raw {
    pub async fn open(addr: SocketAddr) -> Raw {
        let socket = TcpStream::connect(addr).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Raw(socket)
    }

    /// Connects and returns the answer's return code.
    pub async fn hello(addr: SocketAddr, hello: Hello<'_>) -> (Raw, u8) {
        let mut raw = Raw::open(addr).await;
        let mut flags = 0xC0 | if hello.keep_session { 0 } else { 2 };
        let mut body = Vec::new();
        string(&mut body, hello.client.as_bytes());
        if let Some((topic, payload, retain)) = hello.will {
            flags |= 0x04 | 0x08 | if retain { 0x20 } else { 0 };
            string(&mut body, topic.as_bytes());
            string(&mut body, payload);
        }
        string(&mut body, hello.user.as_bytes());
        string(&mut body, hello.password.map_or_else(|| password(hello.user), str::to_owned).as_bytes());
        let mut head = Vec::new();
        string(&mut head, b"MQTT");
        head.extend([4, flags, 0, 60]);
        head.extend(body);
        raw.send(0x10, &head).await;
        let (kind, body) = raw.packet().await.expect("the broker should answer CONNECT");
        assert_eq!(kind, CONNACK);
        (raw, body[1])
    }

    /// Connects as a device does that tries again while its former session is still being closed (return code 3).
    pub async fn connect(addr: SocketAddr, user: &str) -> Raw {
        Raw::reconnect(addr, Hello { user, client: user, ..Hello::default() }).await
    }

    pub async fn reconnect(addr: SocketAddr, hello: Hello<'_>) -> Raw {
        let attempts = async {
            loop {
                let (raw, code) = Raw::hello(addr, hello).await;
                match code {
                    0 => return raw,
                    3 => tokio::time::sleep(Duration::from_millis(20)).await,
                    _ => panic!("{} should be let in, not refused with {code}", hello.user),
                }
            }
        };
        tokio::time::timeout(SOON, attempts).await.expect("the session should be free")
    }

    pub async fn send(&mut self, kind: u8, body: &[u8]) {
        let mut packet = vec![kind];
        let mut left = body.len();
        loop {
            let low = u8::try_from(left % 128).unwrap();
            left /= 128;
            packet.push(if left > 0 { low | 0x80 } else { low });
            if left == 0 {
                break;
            }
        }
        packet.extend(body);
        // A broker that refuses the packet may close before all of it is written; the answer tells.
        let _ = self.0.write_all(&packet).await;
    }

    /// `packet_id` 0 means QoS 0.
    pub async fn publish(&mut self, topic: &str, qos: u8, packet_id: u16, payload: &[u8], retain: bool) {
        let mut body = Vec::new();
        string(&mut body, topic.as_bytes());
        if qos > 0 {
            body.extend(packet_id.to_be_bytes());
        }
        body.extend(payload);
        self.send(PUBLISH | (qos << 1) | u8::from(retain), &body).await;
    }

    pub async fn subscribe(&mut self, filter: &str) -> u8 {
        let mut body = vec![0, 9];
        string(&mut body, filter.as_bytes());
        body.push(1);
        self.send(0x82, &body).await;
        let (kind, body) = self.packet().await.unwrap();
        assert_eq!(kind, SUBACK);
        body[2]
    }

    /// The next packet (type and flags, body), `None` when the connection is closed.
    pub async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        tokio::time::timeout(SOON, self.read()).await.expect("a packet or the end of the connection should have come")
    }

    /// What comes within [`QUIET`]: a test for silence.
    pub async fn silent(&mut self) -> bool {
        tokio::time::timeout(QUIET, self.read()).await.is_err()
    }

    async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let kind = self.0.read_u8().await.ok()?;
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.0.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some((kind, body))
    }
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend(text);
}

/// Runs `mosquitto_pub` or `mosquitto_sub` against `addr`.
pub async fn mosquitto(program: &str, addr: SocketAddr, user: &str, arguments: &[&str]) -> Output {
    let run = Command::new(program)
        .args(["-h", &addr.ip().to_string(), "-p", &addr.port().to_string(), "-u", user, "-P", &password(user)])
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SOON * 2, run).await.unwrap_or_else(|_| panic!("{program} {arguments:?} does not end"));
    output.unwrap_or_else(|e| panic!("{program} cannot be run ({e}): install mosquitto-clients"))
}

/// Waits until `done` says so.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(SOON, wait).await.is_ok(), "never happened: {what}");
}

/// Makes a self-signed certificate for localhost: `cert.pem` and `key.pem` in `folder`.
pub async fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .await
        .expect("openssl is needed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (cert, key)
}
