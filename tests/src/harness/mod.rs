//! Real processes on free loopback ports. Everything started here ends when its handle is dropped.
pub mod audit;
pub mod camera;
pub mod gateway;
pub mod mqtt;
pub mod platform;
pub mod process;
pub mod proxy;
pub mod servers;
pub mod shim;
pub mod stored;
pub mod traffic;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A loopback port that was free a moment ago, below those that the kernel gives to outgoing connections: a client that knocks at a
/// server which is just being restarted would else now and then be given that very port, and keep the server from it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(101);
    (0..12_000)
        .map(|_| 20_000 + (first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000) as u16)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free loopback port")
}

/// Waits until `condition` gives something, looking every 20 ms.
///
/// # Panics
/// When it has not after `limit`; `what` says what was waited for.
pub fn wait_for<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(t) = condition() {
            return t;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One runtime for the harness's own HTTP requests.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: std::sync::OnceLock<tokio::runtime::Runtime> = std::sync::OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime"))
}

pub fn http() -> &'static reqwest::Client {
    static CLIENT: std::sync::OnceLock<reqwest::Client> = std::sync::OnceLock::new();
    CLIENT.get_or_init(|| {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build().expect("a client")
    })
}

/// A program of this workspace, in the profile of the running test. Built if it is not there.
pub fn program(name: &str) -> PathBuf {
    let mut dir = std::env::current_exe().expect("path of the test");
    dir.pop();
    if dir.ends_with("deps") {
        dir.pop();
    }
    static BUILD: std::sync::Once = std::sync::Once::new();
    BUILD.call_once(|| {
        let mut cargo = std::process::Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        // As `./test.sh` builds them; with the variables of the test's own package some build scripts would run again.
        cargo.args(["build", "--quiet", "--workspace", "--bins"]);
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|n| ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|p| n.starts_with(p)))
            {
                cargo.env_remove(name);
            }
        }
        if dir.ends_with("release") {
            cargo.arg("--release");
        }
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo");
        assert!(status.success(), "the programs do not build");
    });
    dir.join(name)
}

/// A command of this workspace's program, without the variables that the tests themselves are steered by: it reads `TUOAN_*` as configuration.
pub fn command(name: &str) -> std::process::Command {
    let mut command = std::process::Command::new(program(name));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|n| n.starts_with("TUOAN_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs `tuoan` with these arguments to its end.
pub fn tuoan<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Outcome {
    let output = command("tuoan").args(arguments).output().expect("tuoan starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Python with Eclipse Paho: `./test.sh` sets it up.
pub fn python() -> PathBuf {
    std::env::var_os("TESTS_PYTHON").map_or_else(|| cache().join("venv/bin/python"), PathBuf::from)
}

/// Where `./test.sh` keeps what it has built.
pub fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    base.or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cache"))).unwrap_or_default().join("tuoan")
}
