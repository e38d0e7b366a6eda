use super::*;
use crate::decode::Decoders;
use crate::decode::Raw;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Which digest the device offers.
#[derive(Clone, Copy, PartialEq)]
enum Offer {
    Md5,
    Both,
    Basic,
}

/// How the device behaves on its event stream, one after the other; the last one for ever.
#[derive(Clone)]
enum Stream {
    /// Sends these bytes and hangs up.
    Cut(Vec<u8>),
    /// Sends these bytes and then nothing.
    Stall(Vec<u8>),
    Status(&'static str),
}

/// A strict device: every request needs an answer to its own nonce for its own path, and nothing is given without.
struct Device {
    offer: Offer,
    streams: Vec<Stream>,
    opened: AtomicUsize,
    asked: AtomicUsize,
}

const USER: &str = "events";
const PASSWORD: &str = "right-horse";
const INFO: &str = "<DeviceInfo><deviceName>yard</deviceName><model>DS-2CD2346G2</model><deviceType>IPCamera</deviceType></DeviceInfo>";

fn sha(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

impl Device {
    /// Whether the answer is right, by RFC 7616.
    fn right(&self, authorization: &str, path: &str) -> bool {
        let field = |name: &str| {
            let (_, rest) = authorization.split_once(&format!("{name}="))?;
            Some(rest.trim_start_matches('"').split(['"', ',']).next()?.to_owned())
        };
        let (Some(nonce), Some(cnonce), Some(nc), Some(response), Some(uri)) =
            (field(" nonce"), field("cnonce"), field("nc"), field("response"), field("uri"))
        else {
            return false;
        };
        assert_eq!((nonce.as_str(), uri.as_str()), ("n0nce", path));
        let expected = if self.offer == Offer::Both {
            assert!(authorization.contains("SHA-256"), "the stronger of the two: {authorization}");
            sha(&format!("{}:{nonce}:{nc}:{cnonce}:auth:{}", sha(&format!("{USER}:IP Camera:{PASSWORD}")), sha(&format!("GET:{path}"))))
        } else {
            let mut challenge = digest_auth::parse(r#"Digest qop="auth", realm="IP Camera", nonce="n0nce""#).unwrap();
            let mut context = AuthContext::new(USER, PASSWORD, path);
            context.set_custom_cnonce(cnonce);
            challenge.respond(&context).unwrap().response
        };
        response == expected
    }

    async fn serve(&self, mut socket: TcpStream) {
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if socket.read(&mut byte).await.unwrap_or(0) == 0 {
                    return;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            assert!(!head.contains(PASSWORD));
            let path = head.split(' ').nth(1).unwrap().to_owned();
            let authorization = head.lines().find_map(|l| l.strip_prefix("authorization: ")).map(str::to_owned);
            self.asked.fetch_add(1, Ordering::Relaxed);
            if !authorization.is_some_and(|a| self.right(&a, &path)) {
                let md5 = "WWW-Authenticate: Digest qop=\"auth\", realm=\"IP Camera\", nonce=\"n0nce\", stale=\"FALSE\"\r\n";
                let sha = "WWW-Authenticate: Digest qop=\"auth\", realm=\"IP Camera\", nonce=\"n0nce\", algorithm=SHA-256\r\n";
                let offer = match self.offer {
                    Offer::Md5 => md5.to_owned(),
                    Offer::Both => format!("{md5}{sha}"),
                    Offer::Basic => "WWW-Authenticate: Basic realm=\"IP Camera\"\r\n".to_owned(),
                };
                let _ = socket.write_all(format!("HTTP/1.1 401 Unauthorized\r\n{offer}Content-Length: 0\r\n\r\n").as_bytes()).await;
                continue;
            }
            if path == DEVICE {
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{INFO}", INFO.len());
                let _ = socket.write_all(answer.as_bytes()).await;
                continue;
            }
            let turn = self.opened.fetch_add(1, Ordering::Relaxed).min(self.streams.len() - 1);
            let open = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=boundary\r\nConnection: close\r\n\r\n";
            match &self.streams[turn] {
                Stream::Status(status) => {
                    let _ = socket.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
                    continue;
                }
                Stream::Cut(bytes) => {
                    let _ = socket.write_all(&[open, bytes.as_slice()].concat()).await;
                    let _ = socket.shutdown().await;
                }
                Stream::Stall(bytes) => {
                    let _ = socket.write_all(&[open, bytes.as_slice()].concat()).await;
                    let _ = socket.read(&mut [0; 64]).await;
                }
            }
            return;
        }
    }
}

struct Bench {
    device: Arc<Device>,
    inbound: mpsc::Receiver<Inbound>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn bench(offer: Offer, password: &str, streams: Vec<Stream>) -> Bench {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let device = Arc::new(Device { offer, streams, opened: AtomicUsize::new(0), asked: AtomicUsize::new(0) });
    let serving = Arc::clone(&device);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let device = Arc::clone(&serving);
            tokio::spawn(async move { device.serve(socket).await });
        }
    });
    let (tx, inbound) = mpsc::channel(16);
    let (metrics, shutdown) = (Arc::new(Metrics::new()), CancellationToken::new());
    let source = Source {
        name: "yard".into(),
        url,
        user: USER.into(),
        password: Secret::new(password),
        certificate: None,
        stall: Duration::from_millis(300),
        recordings: Vec::new(),
    };
    assert!(!format!("{source:?}").contains(PASSWORD));
    let task = tokio::spawn(source.run(tx, Arc::clone(&metrics), shutdown.clone()));
    Bench { device, inbound, metrics, shutdown, task }
}

impl Bench {
    async fn next(&mut self) -> (String, String) {
        let m = tokio::time::timeout(Duration::from_secs(20), self.inbound.recv()).await.expect("nothing came").unwrap();
        assert_eq!(m.sender.as_deref(), Some("hikvision:yard"));
        (m.topic.strip_prefix("hikvision/yard/").unwrap().to_owned(), String::from_utf8(m.payload.to_vec()).unwrap().trim().to_owned())
    }
    async fn expect(&mut self, expected: &[(&str, &str)]) {
        for (what, payload) in expected {
            assert_eq!(self.next().await, ((*what).to_owned(), (*payload).to_owned()));
        }
    }
}

fn part(xml: &str) -> Vec<u8> {
    format!("--boundary\r\nContent-Type: application/xml; charset=\"UTF-8\"\r\nContent-Length: {}\r\n\r\n{xml}\r\n", xml.len()).into_bytes()
}

const MOTION: &str =
    "<EventNotificationAlert><channelID>1</channelID><eventType>VMD</eventType><eventState>active</eventState></EventNotificationAlert>";

#[tokio::test]
async fn events_come_through_either_digest_and_the_stream_is_taken_up_again() {
    for offer in [Offer::Md5, Offer::Both] {
        let picture =
            [b"--boundary\r\nContent-Type: image/jpeg\r\nContent-Length: 6\r\n\r\n".as_slice(), &[0xff, 0xd8, 1, 2, 3, 4]].concat();
        let streams = vec![
            Stream::Cut([part(MOTION), picture, part("<a/>"), part(MOTION)[..40].to_vec()].concat()),
            Stream::Status("503 Service Unavailable"),
            Stream::Stall(part("<b/>")),
        ];
        let mut b = bench(offer, PASSWORD, streams).await;
        b.expect(&[("info", INFO), ("connection", "online"), ("alert", MOTION), ("alert", "<a/>"), ("connection", "offline")]).await;
        assert!(b.metrics.render().contains("tuoan_source_connected{source=\"yard\"} 0"));
        // The next attempt gets as far as the device's description.
        b.expect(&[("info", INFO), ("connection", "offline"), ("info", INFO), ("connection", "online"), ("alert", "<b/>")]).await;
        assert!(b.metrics.render().contains("tuoan_source_connected{source=\"yard\"} 1"));
        // Silence is the end of the connection, too.
        b.expect(&[("connection", "offline"), ("info", INFO), ("connection", "online")]).await;
        b.shutdown.cancel();
        b.task.await.unwrap();
    }
}

#[tokio::test]
async fn a_refused_password_is_not_tried_again_and_again() {
    let mut b = bench(Offer::Md5, "wrong", vec![Stream::Cut(Vec::new())]).await;
    b.expect(&[("connection", "offline")]).await;
    assert_eq!((b.device.asked.load(Ordering::Relaxed), b.device.opened.load(Ordering::Relaxed)), (2, 0), "one attempt, one answer");
    b.shutdown.cancel();
    b.task.await.unwrap();
    assert_eq!(b.device.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_password_is_not_sent_in_the_clear() {
    let mut b = bench(Offer::Basic, PASSWORD, vec![Stream::Cut(Vec::new())]).await;
    b.expect(&[("connection", "offline")]).await;
    b.shutdown.cancel();
    b.task.await.unwrap();
}

/// What the source says is what the decoder takes.
#[tokio::test]
async fn the_decoder_understands_the_source() {
    let mut b = bench(Offer::Md5, PASSWORD, vec![Stream::Stall(part(MOTION))]).await;
    let mut decoders = Decoders::standard(Vec::new());
    for _ in 0..3 {
        let (what, payload) = b.next().await;
        let raw = Raw { topic: &format!("hikvision/yard/{what}"), payload: payload.as_bytes(), retained: false };
        assert_eq!(decoders.decode(raw).unwrap().0, "hikvision");
    }
    b.shutdown.cancel();
    b.task.await.unwrap();
}

#[test]
fn an_address_has_no_secret_in_it() {
    assert!(Source::address("https://192.168.1.64").is_ok());
    for wrong in ["ftp://x", "https://admin:12345@x", "no"] {
        assert!(Source::address(wrong).is_err(), "{wrong}");
    }
}
