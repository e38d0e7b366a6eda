//! More frames than the models can look at: it is said, every camera has its share, and memory stays as it was. Two and a half minutes; with
//! `LONG_TESTS=1` half an hour more.
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup, get, site};
use tuoan_tests::harness::mqtt::Sender;
use tuoan_tests::harness::wait_for;

const CAMERAS: usize = 8;
const FRAMES_A_SECOND: u32 = 4;
/// The last minute of pictures is held in memory; only once it is full can memory be said to stand.
const FILLING: Duration = Duration::from_secs(90);
const WATCHED: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(30 * 60);
/// What the allocator may need more after an hour as well as after a minute.
const SLACK_KIB: u64 = 16 << 10;

fn clip() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/demo-data/cameras/walk");
    (0..140).map(|n| std::fs::read(folder.join(format!("{n:04}.jpg"))).expect("a frame of the clip")).collect()
}

fn with_cameras() -> String {
    let zones = (0..CAMERAS).map(|n| format!("[[zones]]\nid = \"c{n}\"\nname = \"c{n}\"\nkind = \"activity\"\n"));
    let devices = (0..CAMERAS).map(|n| format!("[[devices]]\nid = \"cam-{n}\"\nzone = \"c{n}\"\nrole = \"camera\"\n"));
    let cameras = (0..CAMERAS).map(|n| {
        format!(
            "[[cameras]]\ndevice = \"cam-{n}\"\nframes_per_10s = 40\n\
             areas = [{{ kind = \"room\", corners = [[0, 0], [1000, 0], [1000, 1000], [0, 1000]] }}]\n"
        )
    });
    std::iter::once(site()).chain(zones).chain(devices).chain(cameras).collect()
}

/// One camera until `over`; each begins elsewhere in the clip.
fn film(port: u16, number: usize, clip: &[Vec<u8>], over: &AtomicBool) {
    let mut sender = Sender::connect(port, &format!("cam-{number}"), Some(("bench", PASSWORD))).expect("a camera connects");
    let (topic, begin) = (format!("tuoan/v1/site-1/cam-{number}/frame"), Instant::now());
    for frame in 0u32.. {
        std::thread::sleep((begin + Duration::from_secs(1) * frame / FRAMES_A_SECOND).saturating_duration_since(Instant::now()));
        if over.load(Ordering::Acquire) {
            return;
        }
        let jpeg = &clip[(frame as usize + 17 * number) % clip.len()];
        sender.publish_and_wait(&topic, jpeg).expect("a frame is acknowledged on hand-over");
    }
}

/// The highest of that time, in KiB: what is decoded just now comes and goes.
fn highest(gateway: &mut Gateway, span: Duration) -> u64 {
    let (begin, mut most) = (Instant::now(), 0);
    while begin.elapsed() < span {
        most = most.max(gateway.process().memory_kib().0);
        std::thread::sleep(Duration::from_millis(200));
    }
    most
}

#[test]
fn too_many_frames_cost_frames_and_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let more = "[runtime]\nonnxruntime = \"embedded\"\n[vision]\nidle = false\n".into();
    let mut gateway = Gateway::start(dir.path(), &Setup { site: with_cameras(), more, ..Setup::default() });
    wait_for("the models to be loaded", Duration::from_secs(60), || (gateway.metric("tuoan_vision_workers") > 0.0).then_some(()));
    let (port, clip, over) = (gateway.mqtt, clip(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for number in 0..CAMERAS {
            let (clip, over) = (&clip, &over);
            scope.spawn(move || film(port, number, clip, over));
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            std::thread::sleep(FILLING);
            let before = highest(&mut gateway, WATCHED);
            assert!(gateway.metric("tuoan_vision_overloaded") > 0.0, "nobody says that too few frames are looked at");
            assert!(gateway.metric("tuoan_frames_dropped_total") > 100.0);
            assert_eq!(gateway.metric("tuoan_looks_failed_total"), 0.0);
            fair(&gateway);
            if std::env::var_os("LONG_TESTS").is_some() {
                std::thread::sleep(LONG);
            }
            let after = highest(&mut gateway, WATCHED);
            eprintln!("memory: {before} KiB at first, {after} KiB at last; {} frames", gateway.metric("tuoan_frames_received_total"));
            assert!(after < before + SLACK_KIB, "memory grew from {before} to {after} KiB");
        }));
        over.store(true, Ordering::Release);
        result.unwrap_or_else(|reason| std::panic::resume_unwind(reason));
    });
}

/// No camera waits three times as long for its looks as another.
fn fair(gateway: &Gateway) {
    let (_, text) = get(&format!("http://127.0.0.1:{}/metrics", gateway.web)).expect("the metrics");
    let lag = |n: usize| {
        let name = format!("tuoan_camera_lag_seconds{{camera=\"cam-{n}\",quantile=\"0.5\"}} ");
        text.lines()
            .find_map(|l| l.strip_prefix(&name))
            .and_then(|v| v.parse::<f64>().ok())
            .unwrap_or_else(|| panic!("no lag of cam-{n}:\n{text}"))
    };
    let lags: Vec<f64> = (0..CAMERAS).map(lag).collect();
    let (least, most) = lags.iter().fold((f64::MAX, 0f64), |(least, most), lag| (least.min(*lag), most.max(*lag)));
    assert!(most < 3.0 * least, "{lags:?}");
}
