//! A network camera: the tests' own RTSP server (`tests/servers/rtsp`), which plays films that ffmpeg draws. `./test.sh` builds and installs both.
use super::gateway::get;
use super::process::Process;
use super::{free_port, wait_for};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Of its user `viewer`; no address can hold it as it is.
pub const PASSWORD: &str = "p'w:/@ 1";
const START: Duration = Duration::from_secs(20);

/// Streams as three makes have them: main and sub-stream in H.264 at Hikvision's and Dahua's addresses, one in H.265 at Uniview's.
pub struct Camera {
    pub port: u16,
    control: u16,
    dir: PathBuf,
    process: Process,
}

impl Camera {
    pub fn start(dir: &Path) -> Camera {
        let dir = dir.join("camera");
        std::fs::create_dir_all(&dir).expect("camera");
        draw(&dir.join("main.h264"), "1280x720", &["-c:v", "libx264", "-tune", "zerolatency"]);
        draw(&dir.join("sub.h264"), "640x360", &["-c:v", "libx264", "-tune", "zerolatency"]);
        draw(&dir.join("sub.h265"), "640x360", &["-c:v", "libx265", "-x265-params", "log-level=none:bframes=0:keyint=10"]);
        let (port, control) = (free_port(), free_port());
        let camera = Camera { port, control, process: Self::spawn(&dir, port, control), dir };
        camera.wait();
        camera
    }

    fn spawn(dir: &Path, port: u16, control: u16) -> Process {
        let program = std::env::var_os("TESTS_RTSP").map_or_else(|| super::cache().join("bin/rtsp"), PathBuf::from);
        let mut command = Command::new(program);
        command.current_dir(dir).args(["-user", "viewer", "-password", PASSWORD, "-fps", "10"]);
        command.arg("-listen").arg(format!("127.0.0.1:{port}")).arg("-control").arg(format!("127.0.0.1:{control}"));
        command.args([
            "/Streaming/Channels/101=main.h264",
            "/Streaming/Channels/102=sub.h264",
            "/cam/realmonitor?channel=1&subtype=0=main.h264",
            "/cam/realmonitor?channel=1&subtype=1=sub.h264",
            "/media/video2=sub.h265",
        ]);
        Process::start("rtsp", &mut command, &dir.join("log"))
    }

    fn wait(&self) {
        wait_for("the RTSP server", START, || get(&format!("http://127.0.0.1:{}/readers", self.control)).map(drop));
    }

    /// `play`, `stall` (the connection stands and nothing comes) or `broken` (noise comes).
    pub fn set(&self, mode: &str) {
        let (code, text) = get(&format!("http://127.0.0.1:{}/set?mode={mode}", self.control)).expect("the camera answers");
        assert_eq!(code, 200, "{text}");
    }

    /// Paths that have been played, one for each session.
    pub fn played(&self) -> Vec<String> {
        let (_, text) = get(&format!("http://127.0.0.1:{}/played", self.control)).expect("the camera answers");
        text.lines().map(str::to_owned).collect()
    }

    /// Pulls the plug.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    pub fn start_again(&mut self) {
        self.process = Self::spawn(&self.dir, self.port, self.control);
        self.wait();
    }
}

/// Two seconds of ffmpeg's test picture at 10 frames a second, a whole picture each second, without a container.
fn draw(file: &Path, size: &str, codec: &[&str]) {
    let source = format!("testsrc=size={size}:rate=10");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "lavfi", "-i", &source, "-t", "2", "-preset", "ultrafast", "-g", "10", "-pix_fmt", "yuv420p"]);
    let drawn = command.args(codec).arg(file).output().expect("ffmpeg; ./test.sh installs it");
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
}

/// Processes that `pid` has started and that still run.
pub fn children(pid: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("/proc").flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    all.filter(|child| {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        // "pid (name) state parent ..."; a zombie runs no more.
        let mut fields = stat.rsplit_once(')').map_or("", |(_, r)| r).split_whitespace();
        fields.next() != Some("Z") && fields.next().and_then(|p| p.parse().ok()) == Some(pid)
    })
    .collect()
}

/// Whether a process still runs.
pub fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, r)| !r.trim_start().starts_with('Z'))
}
