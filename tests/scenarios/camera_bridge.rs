//! `tuoan camera-bridge` between a real RTSP server and the broker of a real gateway; then the same inside of the gateway.
use std::path::Path;
use std::time::Duration;
use tuoan::engine::Body;
use tuoan::engine::input::Item;
use tuoan_protocol::Presence;
use tuoan_tests::harness::camera::{Camera, PASSWORD, children, runs};
use tuoan_tests::harness::gateway::{self, Gateway, Setup};
use tuoan_tests::harness::process::Process;
use tuoan_tests::harness::{command, wait_for};

const FRAMES: &str = "tuoan_frames_received_total";
const SOON: Duration = Duration::from_secs(20);

fn bridge(dir: &Path) -> Process {
    let mut command = command("tuoan");
    command.arg("camera-bridge").arg("--config").arg(dir.join("bridge.toml"));
    // Secrets of other parts of the box, which are none of a decoder's business.
    command.env("TUOAN_PLATFORM__TOKEN", "not-for-decoders");
    Process::start("camera-bridge", &mut command, &dir.join("bridge.log"))
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("bridge.log")).unwrap_or_default()
}

/// `more` frames at the gateway than there are now.
fn frames(gateway: &Gateway, more: f64) {
    let before = gateway.metric(FRAMES);
    wait_for("frames", SOON, || (gateway.metric(FRAMES) >= before + more).then_some(()));
}

/// Whether `text` stands in the log more than `times`.
fn said(dir: &Path, text: &str, times: usize) {
    wait_for(&format!("the log to say {text:?} more than {times} times"), SOON, || (log(dir).matches(text).count() > times).then_some(()));
}

/// What every user of the box can read of a process, and what only its owner can.
fn visible(pid: u32) -> String {
    let read = |file: &str| String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default()).replace('\0', " ");
    format!("{} {}", read("cmdline"), read("environ"))
}

/// The password as it is, and as it stands in an address.
fn holds_secret(text: &str) -> bool {
    text.contains(PASSWORD) || text.contains("p%27w") || text.contains("not-for-decoders")
}

fn configuration(camera: u16) -> String {
    format!(
        "[[bridge.camera]]\nid = \"cam-hall\"\nurl = \"rtsp://127.0.0.1:{camera}/cam/realmonitor?channel=1&subtype=1\"\nuser = \"viewer\"\npassword_file = \"camera.password\"\n\
         fps = 5\nstall_s = 5\n\
         [[bridge.camera]]\nid = \"cam-nap\"\naddress = \"127.0.0.1:{camera}\"\nmake = \"uniview\"\nuser = \"viewer\"\npassword_file = \"camera.password\"\nwidth = 320\nstall_s = 5\n\
         [[bridge.camera]]\nid = \"cam-gate\"\naddress = \"127.0.0.1:{camera}\"\nmake = \"hikvision\"\nuser = \"viewer\"\npassword = \"wrong\"\nstall_s = 5\n"
    )
}

#[test]
fn cameras_come_through_a_broker_and_every_trouble_is_named_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut camera = Camera::start(dir);
    let gateway = Gateway::start(dir, &Setup::default());
    std::fs::write(dir.join("camera.password"), PASSWORD).unwrap();
    let broker = format!(
        "[bridge]\nsite = \"site-1\"\n[bridge.broker]\nurl = \"mqtt://127.0.0.1:{}\"\nuser = \"bench\"\npassword = \"{}\"\n",
        gateway.mqtt,
        gateway::PASSWORD
    );
    std::fs::write(dir.join("bridge.toml"), broker + &configuration(camera.port)).unwrap();

    let mut running = bridge(dir);
    frames(&gateway, 10.0);
    said(dir, "frames come: h264 640x360, decoded by software, sent 512x288", 0);
    said(dir, "frames come: hevc 640x360, decoded by software, sent 320x180", 0);
    said(dir, "the camera wants a user name and a password", 0);
    let decoders = children(running.pid());
    assert_eq!(decoders.len(), 2, "one for each camera that lets us in: {}", log(dir));
    for pid in &decoders {
        let seen = visible(*pid);
        assert!(seen.contains("ffmpeg") && !holds_secret(&seen) && !seen.contains("viewer"), "{seen}");
        let limits = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(limits.contains("NoNewPrivs:\t1"), "{limits}");
    }

    // Noise for a moment is survived; silence is noticed, and the connection taken up anew.
    camera.set("broken");
    std::thread::sleep(Duration::from_millis(500));
    camera.set("stall");
    said(dir, "no frame has come for 5 s", 1);
    camera.set("play");
    said(dir, "after: no frame has come for 5 s", 1);
    frames(&gateway, 5.0);

    // The camera loses its power.
    let before = log(dir).matches("frames come").count();
    camera.kill();
    said(dir, "the camera cannot be reached: nothing answers on its port", 1);
    camera.start_again();
    said(dir, "frames come", before + 1);
    frames(&gateway, 5.0);
    assert!(!camera.played().iter().any(|p| p.contains("Channels")), "a refused password is not tried again and again");

    let decoders = children(running.pid());
    assert_eq!(running.terminate(Duration::from_secs(8)), Some(0));
    assert!(!decoders.is_empty() && !decoders.iter().any(|pid| runs(*pid)), "no decoder outlives the bridge");
    assert!(!holds_secret(&log(dir)) && !holds_secret(&gateway.log()), "{}", log(dir));
    let report = log(dir);
    assert!(report.contains("cam-gate: offline, 0 frames"), "{report}");

    // Killed outright, it leaves none behind either.
    let mut killed = bridge(dir);
    let decoders = wait_for("decoders", SOON, || Some(children(killed.pid())).filter(|list| list.len() == 2));
    killed.kill();
    wait_for("the decoders to end", Duration::from_secs(5), || (!decoders.iter().any(|pid| runs(*pid))).then_some(()));

    // The gateway knows who is there: by the bridge's word, by its goodbye, and by its will.
    let reader = tuoan::store::Reader::open(&gateway.dir.join("data")).unwrap();
    let presence = |device: &str| -> Vec<Presence> {
        let entries = reader.entries_after(0, 10_000).unwrap();
        let messages = entries.iter().filter_map(|e| if let Body::Message(m) = &e.body { Some(m) } else { None });
        let own = messages.filter(|m| m.device.as_str() == device).flat_map(|m| &m.items);
        own.filter_map(|i| if let Item::Presence(p) = i { Some(*p) } else { None }).collect()
    };
    assert_eq!(presence("cam-gate").first(), Some(&Presence::Offline));
    let hall = presence("cam-hall");
    assert_eq!(hall.first(), Some(&Presence::Online), "{hall:?}");
    assert!(hall.contains(&Presence::Offline) && hall.contains(&Presence::Leaving), "{hall:?}");
}

#[test]
fn one_box_needs_one_service() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let camera = Camera::start(dir);
    std::fs::write(dir.join("camera.password"), PASSWORD).unwrap();
    // No such hardware here: it is tried, found wanting, and software goes on.
    let more = configuration(camera.port).replace("fps = 5\n", "fps = 5\ndecode = \"vaapi\"\n");
    let mut gateway = Gateway::start(dir, &Setup { more, ..Setup::default() });
    frames(&gateway, 10.0);
    wait_for("both cameras", SOON, || (gateway.metric("tuoan_source_connected") == 2.0).then_some(()));
    assert!(gateway.metric("tuoan_bridge_frames_total") >= 10.0);
    let (_, text) = gateway::get(&format!("http://127.0.0.1:{}/metrics", gateway.web)).unwrap();
    assert!(text.contains("tuoan_bridge_failures_total{source=\"cam-gate\",cause=\"refused\"} 1"), "{text}");
    assert!(text.contains("tuoan_bridge_failures_total{source=\"cam-hall\",cause=\"hardware\"} 1"), "{text}");
    let decoders = children(gateway.process().pid());
    assert!(decoders.len() == 2 && !decoders.iter().any(|pid| holds_secret(&visible(*pid))), "{decoders:?}");
    assert_eq!(gateway.process().terminate(Duration::from_secs(12)), Some(0));
    assert!(!decoders.iter().any(|pid| runs(*pid)), "no decoder outlives the gateway");
    assert!(!holds_secret(&gateway.log()), "{}", gateway.log());
}

#[test]
fn a_look_at_a_camera_says_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let camera = Camera::start(dir.path());
    let password = dir.path().join("camera.password");
    std::fs::write(&password, PASSWORD).unwrap();
    let check = |url: &str, password: &Path| {
        let o =
            command("tuoan").args(["camera-bridge", "check", url, "--user", "viewer", "--password-file"]).arg(password).output().unwrap();
        (o.status.code(), String::from_utf8_lossy(&o.stdout).into_owned())
    };
    let (code, text) = check(&format!("rtsp://127.0.0.1:{}/Streaming/Channels/102", camera.port), &password);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "codec    h264",
        "size     640x360",
        "decoded  by software",
        "sent 512x288",
        "Channels/101: h264 1280x720",
        "Channels/103: no_stream",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    std::fs::write(dir.path().join("wrong"), "wrong").unwrap();
    let (code, text) = check(&format!("rtsp://127.0.0.1:{}/media/video2", camera.port), &dir.path().join("wrong"));
    assert!(code == Some(1) && text.contains("the camera wants a user name and a password"), "{text}");
}
