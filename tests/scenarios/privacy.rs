//! No picture leaves the box, and none lies on its disk in clear: frames go in over MQTT in every way that cameras have, an alarm makes evidence of
//! them, and then everything that was sent and everything that was written is searched for them.
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tuoan_protocol::codec::Wire;
use tuoan_protocol::{DeviceId, DeviceTime, FrameHeader, SiteId};
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup, get, site};
use tuoan_tests::harness::mqtt::{Incoming, Sender};
use tuoan_tests::harness::{free_port, wait_for};

const LONG: Duration = Duration::from_secs(60);
const CAMERA: &str = "[[devices]]\nid = \"cam-1\"\nzone = \"hall\"\nrole = \"camera\"\n[[cameras]]\ndevice = \"cam-1\"\n";
/// In every JPEG that the gateway has blurred.
const MARK: &[u8] = b"Tuoan: faces blurred";
/// Bytes of a frame that are searched for, each at its own place in it.
const NEEDLE: usize = 24;

fn telemetry(device: &str, seq: u64, readings: &str) -> (String, String) {
    let payload = format!(r#"{{"v":1,"site":"site-1","device":"{device}","boot":1,"seq":{seq},"uptime":{seq},"readings":{{{readings}}}}}"#);
    (format!("tuoan/v1/site-1/{device}/telemetry"), payload)
}

/// Takes every request, keeps what it said, and answers that all is well.
fn receiver() -> (u16, Arc<Mutex<Vec<u8>>>) {
    let port = free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let kept: Arc<Mutex<Vec<u8>>> = Arc::default();
    let all = kept.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let all = all.clone();
            std::thread::spawn(move || converse(stream, &all));
        }
    });
    (port, kept)
}

fn converse(mut stream: std::net::TcpStream, all: &Mutex<Vec<u8>>) {
    let (mut request, mut buffer) = (Vec::new(), [0; 65_536]);
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        all.lock().unwrap().extend_from_slice(&buffer[..n]);
        request.extend_from_slice(&buffer[..n]);
        while let Some(head) = request.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4) {
            let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
            let length = text.lines().find_map(|l| l.strip_prefix("content-length:")).and_then(|v| v.trim().parse().ok()).unwrap_or(0usize);
            if request.len() < head + length {
                break;
            }
            request.drain(..head + length);
            if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                return;
            }
        }
    }
}

/// Frames of a room with somebody in it (ATTRIBUTION.md beside them).
fn frames() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/demo-data/cameras/walk");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files.into_iter().filter(|p| p.extension().is_some_and(|e| e == "jpg")).map(|p| std::fs::read(p).unwrap()).collect()
}

fn framed(seq: u64, jpeg: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        site: SiteId::new("site-1").unwrap(),
        device: DeviceId::new("cam-1").unwrap(),
        boot: 1,
        seq,
        time: DeviceTime::Uptime(seq),
        width: 640,
        height: 360,
        size: jpeg.len() as u32,
    };
    [header.to_cbor_vec().unwrap(), jpeg.to_vec()].concat()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        (0..4).for_each(|i| out.push(if i <= chunk.len() { ALPHABET[(n >> (18 - 6 * i) & 63) as usize] as char } else { '=' }));
    }
    out
}

/// What of the frames must be nowhere: bytes from places all over each, and the same as base64 has them.
fn needles(frames: &[Vec<u8>]) -> BTreeSet<Vec<u8>> {
    let mut out = BTreeSet::new();
    for frame in frames {
        // Behind the tables, which every encoder writes alike; in steps of three bytes, which base64 takes together.
        for at in (999..frame.len().saturating_sub(NEEDLE)).step_by(501) {
            let bytes = &frame[at..at + NEEDLE];
            if bytes.iter().collect::<BTreeSet<_>>().len() > NEEDLE / 2 {
                out.insert(bytes.to_vec());
                out.insert(base64(bytes).into_bytes());
            }
        }
    }
    assert!(out.len() > 1000, "{}", out.len());
    out
}

/// The needles that are in there.
fn found(hay: &[u8], needles: &BTreeSet<Vec<u8>>) -> usize {
    let begin: BTreeSet<[u8; 4]> = needles.iter().map(|n| [n[0], n[1], n[2], n[3]]).collect();
    let at =
        |i: usize| hay.get(i..i + NEEDLE).is_some_and(|w| needles.contains(w)) || hay.get(i..i + 32).is_some_and(|w| needles.contains(w));
    (0..hay.len().saturating_sub(NEEDLE)).filter(|i| begin.contains(&hay[*i..*i + 4]) && at(*i)).count()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    entries.flat_map(|p| if p.is_dir() { files(&p) } else { vec![p] }).collect()
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let frames = frames();
    let needles = needles(&frames);
    assert!(found(&frames[3], &needles) > 10);
    let text = format!("{{\"picture\":\"{}\"}}", base64(&frames[3]));
    assert!(found(text.as_bytes(), &needles) > 10);
    assert_eq!(found(include_bytes!("privacy.rs"), &needles), 0);
}

#[test]
fn no_picture_leaves_the_box_and_none_lies_on_its_disk_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    let (platform, to_platform) = receiver();
    let (influx, to_influx) = receiver();
    let setup = Setup {
        site: site() + CAMERA,
        platform: Some((format!("http://127.0.0.1:{platform}"), "token".into())),
        influx: Some(format!("http://127.0.0.1:{influx}")),
        // At the lowest priority the eyes would starve beside the other suites.
        more: "[vision]\nidle = false\n".into(),
        environment: vec![("TUOAN_PLATFORM__RECEIPTS".into(), "false".into()), ("RUST_LOG".into(), "debug".into())],
        ..Setup::default()
    };
    let mut gateway = Gateway::start(dir.path(), &setup);
    let (frames, topic) = (frames(), "tuoan/v1/site-1/cam-1/frame");
    let mut orders = Sender::connect(gateway.mqtt, "orders", Some(("bench", PASSWORD))).unwrap();
    orders.subscribe("tuoan/v1/site-1/siren-1/#").unwrap();
    let mut camera = Sender::connect(gateway.mqtt, "cam-1", Some(("bench", PASSWORD))).unwrap();
    // With a header, bare, cut off, in base64, where nobody expects a picture, and as a retained message.
    for (n, frame) in frames.iter().enumerate() {
        camera.publish_and_wait(topic, &framed(n as u64 + 1, frame)).unwrap();
        camera.publish_and_wait(topic, frame).unwrap();
    }
    camera.publish_and_wait(topic, &frames[0][..frames[0].len() / 2]).unwrap();
    camera.publish_and_wait(topic, &framed(99, &frames[0])[..5000]).unwrap();
    camera.publish_and_wait(topic, base64(&frames[1]).as_bytes()).unwrap();
    camera.publish_and_wait("kit/elsewhere/snapshot", &frames[2]).unwrap();
    let json = format!("{{\"image\":\"data:image/jpeg;base64,{}\"}}", base64(&frames[3]));
    camera.publish_and_wait("kit/elsewhere/json", json.as_bytes()).unwrap();
    camera.publish_and_wait("zigbee2mqtt/doorbell", &frames[4]).unwrap();

    // Smoke in the room that the camera shows.
    let mut detector = Sender::connect(gateway.mqtt, "smoke-1", Some(("bench", PASSWORD))).unwrap();
    let (smoke, payload) = telemetry("smoke-1", 1, "\"smoke\":true");
    detector.publish_and_wait(&smoke, payload.as_bytes()).unwrap();
    let sealed = || files(&dir.path().join("data/evidence")).into_iter().filter(|p| p.extension().is_some_and(|e| e == "sealed")).count();
    let mut n = 100;
    wait_for("evidence to be sealed", LONG, || {
        // Of frames that come faster than they are taken the newest wins, so they go on coming.
        n += 1;
        camera.publish_and_wait(topic, &framed(n, &frames[n as usize % frames.len()])).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        (sealed() >= 3 && gateway.metric("tuoan_evidence_sealed_total") >= 5.0).then_some(())
    });
    wait_for("the alarm to be sent", LONG, || (!to_platform.lock().unwrap().is_empty()).then_some(()));
    wait_for("readings to be sent", LONG, || (!to_influx.lock().unwrap().is_empty()).then_some(()));
    // Nobody has a session here, so nobody gets a picture.
    for path in ["/cameras/cam-1/picture", "/cameras/cam-1", "/cameras"] {
        let (code, text) = get(&format!("http://127.0.0.1:{}{path}", gateway.web)).unwrap();
        assert!(code == 403 || !text.contains("cam-1"), "{path}: {code}");
    }
    let mut ordered = Vec::new();
    orders.read_timeout(Duration::from_secs(1)).unwrap();
    while let Ok(packet) = orders.incoming() {
        if let Incoming::Publish { payload, .. } = packet {
            ordered.extend(payload);
        }
    }
    assert!(!ordered.is_empty(), "the siren got its order");
    assert_eq!(gateway.process().terminate(Duration::from_secs(30)), Some(0), "{}", gateway.log());

    let needles = needles(&frames);
    let clean = |what: &str, bytes: &[u8]| {
        assert_eq!(found(bytes, &needles), 0, "{what} holds pieces of a picture");
        // The quarantine keeps the first bytes of a refused frame, by which its kind is recognised: not its tables, and nothing behind them.
        let begin = frames[0].get(..64).unwrap();
        assert!(!bytes.windows(64).any(|w| w == begin), "{what} holds the beginning of a JPEG");
        let begin = base64(begin);
        assert!(!bytes.windows(64).any(|w| w == &begin.as_bytes()[..64]), "{what} holds the beginning of a JPEG in base64");
    };
    clean("what went to the platform", &to_platform.lock().unwrap());
    clean("what went to InfluxDB", &to_influx.lock().unwrap());
    clean("what went to devices", &ordered);
    clean("the log of the program", gateway.log().as_bytes());
    let all = files(&dir.path().join("data"));
    assert!(all.iter().any(|p| p.ends_with("log.db")) && all.len() >= 4, "{all:?}");
    for path in all {
        let bytes = std::fs::read(&path).unwrap();
        let still = path.parent().is_some_and(|p| p.ends_with("stills"));
        if still && bytes.windows(MARK.len()).any(|w| w == MARK) {
            assert_eq!(found(&bytes, &needles), 0, "{} is not blurred", path.display());
        } else if path.file_name().is_none_or(|n| n != "reserve") {
            // The reserve is random blocks of the gateway's own making.
            clean(&path.display().to_string(), &bytes);
        }
    }
}
