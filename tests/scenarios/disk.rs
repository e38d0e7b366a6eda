//! A slow disk pushes back on the senders; a full disk refuses telemetry, keeps room for alarms, and never silences a fire.
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tuoan_tests::harness::audit::{delivered_exactly_once, stored_exactly_once};
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup};
use tuoan_tests::harness::mqtt::{Incoming, Sender};
use tuoan_tests::harness::platform::Platform;
use tuoan_tests::harness::shim::Shim;
use tuoan_tests::harness::traffic::{Device, Traffic};
use tuoan_tests::harness::{tuoan, wait_for};

/// A small file system of its own; unmounted at the end.
struct SmallDisk(PathBuf);
impl SmallDisk {
    fn mount(at: PathBuf, mib: u32) -> SmallDisk {
        std::fs::create_dir_all(&at).unwrap();
        let options = format!("size={mib}m");
        assert!(
            as_root("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", at.to_str().unwrap()]),
            "a tmpfs cannot be mounted; this needs root or sudo"
        );
        SmallDisk(at)
    }
    /// Takes all room that is left.
    fn fill(&self) -> PathBuf {
        let ballast = self.0.join("ballast");
        let mut file = std::fs::File::create(&ballast).unwrap();
        let block = vec![7u8; 64 << 10];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        ballast
    }
}
impl Drop for SmallDisk {
    fn drop(&mut self) {
        as_root("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

fn as_root(program: &str, arguments: &[&str]) -> bool {
    let runs = |command: &mut Command| command.args(arguments).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    runs(&mut Command::new(program)) || runs(Command::new("sudo").args(["-n", program]))
}

fn telemetry(device: &str, seq: u64, readings: &str) -> (String, String) {
    (
        format!("tuoan/v1/site-1/{device}/telemetry"),
        format!(
            "{{\"v\":1,\"site\":\"site-1\",\"device\":\"{device}\",\"boot\":7,\"seq\":{seq},\"uptime\":{seq},\"readings\":{{{readings}}}}}"
        ),
    )
}

/// The incident event of that hazard at the platform.
fn alarm_at(platform: &Platform, hazard: &str) -> serde_json::Value {
    wait_for("the alarm at the platform", Duration::from_secs(20), || {
        let incidents = platform.query("/v1/incidents?state=all&site=site-1");
        incidents["incidents"].as_array()?.iter().find(|i| i["hazard"] == hazard).cloned()
    })
}

#[test]
fn a_slow_disk_slows_the_senders_and_costs_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let shim = Shim::build(dir.path());
    let mut gateway = Gateway::start(dir.path(), &Setup { environment: shim.environment(), ..Setup::default() });
    let traffic = Traffic::start(gateway.mqtt, 8, 1);
    wait_for("traffic", Duration::from_secs(30), || (traffic.sent() > 2000).then_some(()));
    let (before, _) = gateway.process().memory_kib();
    shim.slow_disk(Duration::from_millis(200));
    let (begun, sent) = (Instant::now(), traffic.sent());
    wait_for("traffic on a slow disk", Duration::from_secs(60), || (traffic.sent() > sent + 300).then_some(()));
    // Nine devices with at most eight messages each under way share a commit of 200 ms.
    assert!(begun.elapsed() > Duration::from_millis(600), "300 messages took {:?}: nobody was slowed", begun.elapsed());
    let (after, _) = gateway.process().memory_kib();
    shim.slow_disk(Duration::ZERO);
    let devices = traffic.finish();
    stored_exactly_once(&gateway, &devices);
    assert!(after < before + 16 * 1024, "memory grew from {before} to {after} KiB");
}

/// A gateway whose disk somebody else has filled to the brim, and devices that go on sending.
struct Full {
    gateway: Gateway,
    platform: Platform,
    traffic: Traffic,
    ballast: PathBuf,
    // Dropped last: the others have files on it.
    _disk: SmallDisk,
}

impl Full {
    fn new(dir: &Path, reserve_mb: u32) -> Full {
        let disk = SmallDisk::mount(dir.join("data"), 48);
        let platform = Platform::start(dir, None);
        let more = format!("[store]\nreserve_mb = {reserve_mb}\n");
        let gateway = Gateway::start(dir, &Setup { platform: Some((platform.url(), platform.token.clone())), more, ..Setup::default() });
        let traffic = Traffic::start(gateway.mqtt, 2, 1);
        wait_for("traffic", Duration::from_secs(30), || (traffic.sent() > 500).then_some(()));
        let ballast = disk.fill();
        let full = Full { gateway, platform, traffic, ballast, _disk: disk };
        wait_for("the gateway to say that its disk is full", Duration::from_secs(60), || full.degraded());
        full
    }
    /// The disk is not well, by the gateway's own word.
    fn degraded(&self) -> Option<()> {
        let (code, body) = tuoan_tests::harness::gateway::get(&format!("http://127.0.0.1:{}/healthz", self.gateway.web))?;
        (code == 503 && body.contains("disk")).then_some(())
    }
    /// A message that was sent and not acknowledged while the disk was full, and who sent it.
    fn unacknowledged(&self) -> (Sender, Device) {
        let mut device = Device::new("d9", 7);
        let mut sender = connect(&self.gateway, &device.id);
        for seq in 1..=10 {
            wait_for("the disk to be full", Duration::from_secs(60), || self.degraded());
            let (topic, payload) = telemetry(&device.id, seq, "\"co2\":600");
            sender.publish(&topic, payload.as_bytes()).unwrap();
            device.acknowledged.insert(seq);
            sender.read_timeout(Duration::from_millis(700)).unwrap();
            match sender.incoming() {
                Ok(Incoming::PubAck(_)) => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return (sender, device),
                other => panic!("{other:?}"),
            }
        }
        panic!("a full disk acknowledged ten messages in a row");
    }
    /// Gas: whether it can be stored or not, it reaches the district.
    fn gas(&self) -> serde_json::Value {
        let mut detector = connect(&self.gateway, "gas-1");
        let (topic, payload) = telemetry("gas-1", 1, "\"gas\":true");
        detector.publish(&topic, payload.as_bytes()).unwrap();
        alarm_at(&self.platform, "gas.leak")
    }
    /// There is room again: everything is stored and delivered, each once.
    fn recovers(self, waiting: Option<(Sender, Device)>) {
        std::fs::remove_file(&self.ballast).unwrap();
        wait_for("the gateway to be well again", Duration::from_secs(60), || self.degraded().is_none().then_some(()));
        let mut devices = self.traffic.finish();
        if let Some((mut sender, device)) = waiting {
            sender.read_timeout(Duration::from_secs(30)).unwrap();
            assert!(matches!(sender.incoming(), Ok(Incoming::PubAck(_))), "it is stored now, and acknowledged");
            devices.push(device);
        }
        stored_exactly_once(&self.gateway, &devices);
        delivered_exactly_once(&self.gateway, &self.platform, Duration::from_secs(60));
        let recorded = || (alarm_at(&self.platform, "gas.leak")["unrecorded"] == false).then_some(());
        wait_for("its recorded twin to take its place", Duration::from_secs(20), recorded);
    }
}

#[test]
fn on_a_full_disk_telemetry_waits_and_the_reserve_takes_the_alarm() {
    let dir = tempfile::tempdir().unwrap();
    let full = Full::new(dir.path(), 4);
    let waiting = full.unacknowledged();
    full.gas();
    // A starved machine may have sent it unrecorded first; with the ballast still there, only the reserve can have stored it.
    let stored = || (alarm_at(&full.platform, "gas.leak")["unrecorded"] == false).then_some(());
    wait_for("the reserve to make room for the alarm", Duration::from_secs(20), stored);
    full.recovers(Some(waiting));
}

#[test]
fn a_disk_without_any_room_never_silences_a_fire() {
    let dir = tempfile::tempdir().unwrap();
    let full = Full::new(dir.path(), 0);
    let waiting = full.unacknowledged();
    assert_eq!(full.gas()["unrecorded"], true, "it goes out although it could not be stored");
    full.recovers(Some(waiting));
}

#[test]
fn an_alarm_does_not_wait_for_a_disk_that_hangs() {
    let dir = tempfile::tempdir().unwrap();
    let (shim, platform) = (Shim::build(dir.path()), Platform::start(dir.path(), None));
    let platform_at = Some((platform.url(), platform.token.clone()));
    let gateway = Gateway::start(dir.path(), &Setup { platform: platform_at, environment: shim.environment(), ..Setup::default() });
    let mut detector = connect(&gateway, "gas-1");
    shim.slow_disk(Duration::from_secs(8));
    let (topic, payload) = telemetry("gas-1", 1, "\"gas\":true");
    let id = detector.publish(&topic, payload.as_bytes()).unwrap();
    assert_eq!(alarm_at(&platform, "gas.leak")["unrecorded"], true, "the disk has not answered yet");
    shim.slow_disk(Duration::ZERO);
    detector.read_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(detector.incoming().unwrap(), Incoming::PubAck(id), "acknowledged once it is stored");
    delivered_exactly_once(&gateway, &platform, Duration::from_secs(30));
    wait_for("the recorded twin", Duration::from_secs(20), || (alarm_at(&platform, "gas.leak")["unrecorded"] == false).then_some(()));
}

#[test]
fn a_power_cut_on_a_full_disk_silences_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut full = Full::new(dir.path(), 4);
    full.gateway.kill();
    full.gateway.restart_ailing();
    full.gas();
    full.recovers(None);
}

#[test]
fn a_corrupt_database_is_named_and_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(dir.path(), &Setup::default());
    gateway.kill();
    let file = database(dir.path());
    let length = std::fs::metadata(&file).unwrap().len();
    std::fs::write(&file, vec![0x55u8; length as usize]).unwrap();
    for extra in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{extra}", file.display()));
    }
    let run = tuoan(&["run", "--config", dir.path().join("tuoan.toml").to_str().unwrap()]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.err.contains(tuoan::store::LOG_FILE), "the message does not name the file: {}", run.err);
    assert!(std::fs::read(&file).unwrap().iter().all(|b| *b == 0x55), "the file was touched");
}

fn database(dir: &Path) -> PathBuf {
    dir.join("data").join(tuoan::store::LOG_FILE)
}

fn connect(gateway: &Gateway, id: &str) -> Sender {
    wait_for("the broker", Duration::from_secs(10), || Sender::connect(gateway.mqtt, id, Some(("bench", PASSWORD))).ok())
}
