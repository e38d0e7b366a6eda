//! Pictures of a real room from a real MQTT client, through the real models: somebody is counted, a camera that goes black is an incident, a picture cut
//! off on its way is put aside, and of no picture a byte is on the disk in clear.
//!
//! The frames are those of `gateway/demo-data/cameras` (Intel Corporation, CC BY 4.0), sent faster than they were filmed.
use std::path::Path;
use std::time::{Duration, Instant};
use tuoan::engine::Body;
use tuoan::engine::input::Item;
use tuoan::store::{IncidentFilter, Reader};
use tuoan_protocol::Quantity;
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup, site};
use tuoan_tests::harness::mqtt::Sender;
use tuoan_tests::harness::wait_for;
use tuoan_vision::picture::Picture;

const FRAME: &str = "tuoan/v1/site-1/cam-1/frame";
const PACE: Duration = Duration::from_millis(250);
/// What waits for longer is broken. Without optimisation a look takes seconds.
const LONG: Duration = Duration::from_secs(if cfg!(debug_assertions) { 240 } else { 40 });

fn walk(n: usize) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/demo-data/cameras/walk");
    std::fs::read(folder.join(format!("{n:04}.jpg"))).expect("a frame of the clip")
}

/// What a covered lens shows; a little different each time, as pictures that are equal to the byte would be a frozen camera.
fn black(n: u8) -> Vec<u8> {
    Picture::plain(480, 270, [2 + n % 3, 2, 2 + n / 3 % 3]).to_jpeg(80).expect("a JPEG")
}

fn with_camera() -> String {
    site()
        + "[[devices]]\nid = \"cam-1\"\nzone = \"hall\"\nrole = \"camera\"\n\
           [[cameras]]\ndevice = \"cam-1\"\nframes_per_10s = 20\n\
           areas = [{ kind = \"room\", corners = [[0, 0], [1000, 0], [1000, 1000], [0, 1000]] }]\n"
}

/// The last number that a device has told of a quantity.
fn told(reader: &Reader, device: &str, wanted: &Quantity) -> Option<i64> {
    let entries = reader.entries_after(0, 100_000).expect("entries");
    let told = entries.iter().filter_map(|e| match &e.body {
        Body::Message(m) if m.device.as_str() == device => m.items.iter().find_map(|i| match i {
            Item::Reading { quantity, value, .. } if quantity == wanted => Some(value.0),
            _ => None,
        }),
        _ => None,
    });
    told.last()
}

fn seen(reader: &Reader, wanted: &Quantity) -> Option<i64> {
    told(reader, "vision.hall", wanted)
}

/// Whether 16 bytes of any of the pictures' coded data stand in any file below `folder`.
fn traces(folder: &Path, pictures: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the data folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(traces(&path, pictures));
            continue;
        }
        let bytes = std::fs::read(&path).expect("a file");
        let known: std::collections::HashSet<&[u8]> = bytes.windows(16).collect();
        let chunks = pictures.iter().flat_map(|p| (1..8).filter_map(move |n| p.get(p.len() * n / 8..p.len() * n / 8 + 16)));
        // A run of one value is no trace of anything.
        found.extend(chunks.filter(|c| c.windows(2).any(|w| w[0] != w[1]) && known.contains(c)).map(|_| path.display().to_string()));
    }
    found
}

#[test]
fn somebody_is_counted_a_dark_camera_is_told_and_no_picture_is_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let setup =
        Setup { site: with_camera(), more: "[runtime]\nonnxruntime = \"embedded\"\n[vision]\nidle = false\n".into(), ..Setup::default() };
    let mut gateway = Gateway::start(dir.path(), &setup);
    let data = dir.path().join("data");
    let reader = Reader::open(&data).unwrap();
    let mut camera = Sender::connect(gateway.mqtt, "cam-1", Some(("bench", PASSWORD))).unwrap();
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let mut send = |sent: &mut Vec<Vec<u8>>, jpeg: Vec<u8>| {
        camera.publish_and_wait(FRAME, &jpeg).expect("a frame is acknowledged on hand-over");
        sent.push(jpeg);
        std::thread::sleep(PACE);
    };
    wait_for("the models to be loaded", LONG, || (gateway.metric("tuoan_vision_workers") > 0.0).then_some(()));

    // The empty corner, then the man at the table.
    (0..7).for_each(|n| send(&mut sent, walk(n)));
    let begin = Instant::now();
    // Never the same frame twice: that would be a recording, and its camera blind.
    let mut frames = 28..140;
    while seen(&reader, &Quantity::People) != Some(1) {
        let next = frames.next().filter(|_| begin.elapsed() < LONG);
        send(&mut sent, walk(next.unwrap_or_else(|| panic!("nobody is counted:\n{}", gateway.log()))));
    }
    assert_eq!(seen(&reader, &Quantity::Presence), Some(1));
    assert_eq!(seen(&reader, &Quantity::Adults), None, "without calibration nobody is an adult or a child");

    // Half a picture: acknowledged, since sending it again would not mend it; put aside with the reason and no content.
    let whole = walk(frames.next().unwrap());
    send(&mut sent, whole[..whole.len() / 2].to_vec());
    let row = wait_for("the quarantine", LONG, || reader.quarantine(10).unwrap().into_iter().find(|r| r.message.topic == FRAME)).message;
    assert!(row.reason.contains("ends before") && row.payload.len() <= 32, "{row:?}");
    assert!(gateway.metric("tuoan_frames_refused_total") >= 1.0);

    // Somebody puts a cap on the lens.
    let begin = Instant::now();
    let blind = |reader: &Reader| [Quantity::CameraCovered, Quantity::CameraDark].iter().any(|q| told(reader, "cam-1", q) == Some(1));
    assert!(!blind(&reader));
    let mut n = 0u8;
    while !blind(&reader) {
        assert!(begin.elapsed() < Duration::from_secs(30), "half a minute of darkness is not told:\n{}", gateway.log());
        send(&mut sent, black(n));
        n = n.wrapping_add(1);
    }
    let open = reader.incidents(&IncidentFilter { open: true, ..Default::default() }, 99).unwrap();
    let of_camera = |d: &tuoan_protocol::DeviceId| d.as_str() == "cam-1";
    let incident = open.iter().find(|i| i.hazard.as_str() == "camera.blind" && i.place.device.as_ref().is_some_and(of_camera));
    assert!(incident.is_some_and(|i| i.state.active), "{open:?}");

    // On a busy machine two may arrive so soon after another that one is left out, which is counted.
    // What is counted is copied into the metrics once a second.
    let counted = || gateway.metric("tuoan_frames_received_total") + gateway.metric("tuoan_frames_thinned_total");
    wait_for("every frame to be counted", LONG, || (counted() >= (sent.len() - 1) as f64).then_some(()));
    assert_eq!((counted(), gateway.metric("tuoan_looks_failed_total")), ((sent.len() - 1) as f64, 0.0));
    assert_eq!(gateway.process().terminate(Duration::from_secs(20)), Some(0), "{}", gateway.log());
    assert_eq!(traces(&data, &sent), Vec::<String>::new(), "a picture is on the disk");
}
