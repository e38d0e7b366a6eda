//! A slow disk pushes back on the senders; a full disk refuses telemetry, keeps room for alarms, and never silences a fire.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tuoan_tests::harness::audit::{delivered_exactly_once, stored_exactly_once};
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup};
use tuoan_tests::harness::mqtt::Sender;
use tuoan_tests::harness::platform::Platform;
use tuoan_tests::harness::shim::Shim;
use tuoan_tests::harness::traffic::Traffic;
use tuoan_tests::harness::wait_for;

/// A small file system of its own; unmounted at the end.
struct SmallDisk(PathBuf);
impl SmallDisk {
    fn mount(at: PathBuf, mib: u32) -> SmallDisk {
        std::fs::create_dir_all(&at).unwrap();
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(&at).status().unwrap();
        assert!(status.success(), "a tmpfs cannot be mounted; this scenario needs root");
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
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn telemetry(device: &str, seq: u64, readings: &str) -> (String, String) {
    (
        format!("tuoan/v1/site-1/{device}/telemetry"),
        format!("{{\"v\":1,\"site\":\"site-1\",\"device\":\"{device}\",\"boot\":7,\"seq\":{seq},\"uptime\":{seq},\"readings\":{{{readings}}}}}"),
    )
}

fn smoke_at(platform: &Platform) -> Option<()> {
    let incidents = platform.query("/v1/incidents?state=all&site=site-1");
    let list = incidents["incidents"].as_array()?;
    list.iter().any(|i| i["hazard"] == "fire.smoke").then_some(())
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
    let sent = traffic.sent();
    wait_for("traffic on a slow disk", Duration::from_secs(60), || (traffic.sent() > sent + 500).then_some(()));
    let (after, _) = gateway.process().memory_kib();
    shim.slow_disk(Duration::ZERO);
    let devices = traffic.finish();
    stored_exactly_once(&gateway, &devices);
    assert!(after < before + 16 * 1024, "memory grew from {before} to {after} KiB");
}

#[test]
fn a_full_disk_never_silences_a_fire() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(dir.path().join("data"), 48);
    let platform = Platform::start(dir.path(), None);
    let setup = Setup { platform: Some((platform.url(), platform.token.clone())), more: "[store]\nreserve_mb = 4\n".into(), ..Setup::default() };
    let gateway = Gateway::start(dir.path(), &setup);
    let traffic = Traffic::start(gateway.mqtt, 2, 1);
    wait_for("traffic", Duration::from_secs(30), || (traffic.sent() > 500).then_some(()));
    let ballast = disk.fill();
    // Telemetry goes on until the disk refuses it: then nothing is acknowledged and the page says so.
    wait_for("the gateway to say that its disk is full", Duration::from_secs(90), || degraded(&gateway));
    let mut smoke = connect(&gateway, "gas-1");
    let (topic, payload) = telemetry("gas-1", 1, "\"gas\":true");
    // Whether it can be stored (the reserve) or not (unrecorded): the alarm reaches the district.
    let _ = smoke.publish(&topic, payload.as_bytes());
    wait_for("the gas alarm at the platform", Duration::from_secs(20), || {
        let incidents = platform.query("/v1/incidents?state=all&site=site-1");
        incidents["incidents"].as_array()?.iter().any(|i| i["hazard"] == "gas.leak").then_some(())
    });
    std::fs::remove_file(ballast).unwrap();
    wait_for("the gateway to be well again", Duration::from_secs(60), || degraded(&gateway).is_none().then_some(()));
    let devices = traffic.finish();
    stored_exactly_once(&gateway, &devices);
    delivered_exactly_once(&gateway, &platform, Duration::from_secs(60));
    assert!(smoke_at(&platform).is_some());
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
    let program = tuoan_tests::harness::program("tuoan");
    let output = Command::new(program).arg("run").arg("--config").arg(dir.path().join("tuoan.toml")).output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains(file.file_name().unwrap().to_str().unwrap()), "the message does not name the file: {text}");
    assert!(std::fs::read(&file).unwrap().iter().all(|b| *b == 0x55), "the file was touched");
}

fn database(dir: &Path) -> PathBuf {
    dir.join("data").join(tuoan::store::LOG_FILE)
}

fn connect(gateway: &Gateway, id: &str) -> Sender {
    wait_for("the broker", Duration::from_secs(10), || Sender::connect(gateway.mqtt, id, Some(("bench", PASSWORD))).ok())
}

/// The disk is not well, by the gateway's own word.
fn degraded(gateway: &Gateway) -> Option<()> {
    let (code, _) = tuoan_tests::harness::gateway::get(&format!("http://127.0.0.1:{}/healthz", gateway.web))?;
    (code != 200).then_some(())
}
