//! ffmpeg as the decoder: whether it is there, what hardware it can use, how it is called, and how it is started.
//!
//! The address with the password goes in by standard input, as a playlist of one entry: on a command line or in the environment every user of
//! the box could read it, and in a file it would lie about.
use super::camera::{Camera, Decode, StreamUrl};
use super::cause::Cause;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};

/// Pixels of the largest stream that is decoded: 4096x4096.
const MAX_PIXELS: u32 = 1 << 24;
/// MiB of memory of its own that ffmpeg may have when it decodes in software; drivers of hardware map much more than they use.
const MEMORY_MB: u64 = 1024;
/// How long ffmpeg may take to tell about itself.
const TELL: Duration = Duration::from_secs(10);
/// How long it may take to say goodbye to the camera.
const GOODBYE: Duration = Duration::from_millis(1500);
/// How much longer than the bridge it waits for the camera.
const PATIENCE: Duration = Duration::from_secs(5);
/// Variables that it gets, if they are set; what else is in the environment may be secret.
const ENVIRONMENT: &[&str] = &["PATH", "LD_LIBRARY_PATH", "LIBVA_DRIVER_NAME", "LIBVA_DRIVERS_PATH", "TZ"];

/// An ffmpeg that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ffmpeg {
    pub program: PathBuf,
    pub version: String,
    /// Ways to decode in hardware that were built in.
    hwaccels: BTreeSet<String>,
    decoders: BTreeSet<String>,
    /// Device files that are there.
    devices: BTreeSet<PathBuf>,
}

/// Device files of decoding hardware, by way.
const DEVICES: &[(Decode, &[&str])] = &[
    (Decode::Rkmpp, &["/dev/mpp_service"]),
    (Decode::Vaapi, &["/dev/dri/renderD128", "/dev/dri/renderD129"]),
    (Decode::Qsv, &["/dev/dri/renderD128", "/dev/dri/renderD129"]),
    (Decode::Cuda, &["/dev/nvidiactl"]),
    (Decode::V4l2m2m, &["/dev/video10", "/dev/video11"]),
];

impl Decode {
    pub fn as_str(self) -> &'static str {
        match self {
            Decode::Auto => "auto",
            Decode::Software => "software",
            Decode::Vaapi => "vaapi",
            Decode::Qsv => "qsv",
            Decode::Cuda => "cuda",
            Decode::Rkmpp => "rkmpp",
            Decode::V4l2m2m => "v4l2m2m",
        }
    }
}

impl Ffmpeg {
    /// Asks `program` (a path, or a name to be found in `PATH`) about itself.
    ///
    /// # Errors
    /// It is not there or too old.
    pub async fn find(program: &Path) -> Result<Ffmpeg, Cause> {
        let version = tell(program, "-version").await?;
        let name = version.lines().next().and_then(|l| l.strip_prefix("ffmpeg version ")).and_then(|l| l.split(' ').next());
        let Some(name) = name else { return Err(Cause::NoFfmpeg(format!("{} is no ffmpeg", program.display()))) };
        if is_too_old(name) {
            return Err(Cause::OldFfmpeg(name.chars().take(40).collect()));
        }
        let hwaccels = tell(program, "-hwaccels").await?.lines().skip(1).map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect();
        // " V....D h264_qsv             H264 video (...)"
        let decoders = tell(program, "-decoders").await?;
        let decoders =
            decoders.lines().filter_map(|l| l.split_whitespace().nth(1)).filter(|d| d.contains('_')).map(str::to_owned).collect();
        let files = DEVICES.iter().flat_map(|(_, files)| files.iter().map(PathBuf::from));
        let devices = files.filter(|f| f.exists()).collect();
        Ok(Ffmpeg { program: program.to_owned(), version: name.chars().take(40).collect(), hwaccels, decoders, devices })
    }

    /// The ways that may decode here, the best first, software last. `codec` is the stream's, once it is known: one way needs it.
    pub fn ways(&self, wanted: Decode, codec: Option<&str>) -> Vec<Decode> {
        let there = |way: Decode| {
            let files = DEVICES.iter().find(|(w, _)| *w == way).map_or(&[][..], |(_, files)| *files);
            let device = wanted == way || files.iter().any(|f| self.devices.contains(Path::new(f)));
            device
                && match way {
                    Decode::V4l2m2m => codec.is_some_and(|c| self.decoders.contains(&format!("{c}_v4l2m2m"))),
                    _ => self.hwaccels.contains(way.as_str()),
                }
        };
        let all = DEVICES.iter().map(|(way, _)| *way).filter(|way| wanted == Decode::Auto || wanted == *way);
        all.filter(|way| there(*way)).chain([Decode::Software]).collect()
    }

    /// How ffmpeg is called for a camera. No secret is in it, nor any address.
    pub fn arguments(&self, camera: &Camera, way: Decode, codec: Option<&str>, encrypted: bool) -> Vec<String> {
        let mut a: Vec<String> = Vec::new();
        let mut add = |text: &str| a.extend(text.split(' ').map(str::to_owned));
        add("-hide_banner -nostats -loglevel level+info");
        // Nothing but RTSP over TCP, from the playlist on standard input: no file of this box, no other protocol.
        add(if encrypted { "-protocol_whitelist pipe,rtsp,rtp,tcp,tls" } else { "-protocol_whitelist pipe,rtsp,rtp,tcp" });
        add("-fflags nobuffer -flags low_delay -threads 1 -filter_threads 1 -an -sn -dn");
        // The cameras' own timestamps jump; those of arrival do not.
        add("-use_wallclock_as_timestamps 1");
        // The rate is not measured first: that takes 20 pictures.
        add("-fpsprobesize 0");
        add(&format!("-max_pixels {MAX_PIXELS}"));
        match (way, codec) {
            (Decode::V4l2m2m, Some(codec)) => add(&format!("-c:v {codec}_v4l2m2m")),
            (Decode::Auto | Decode::Software | Decode::V4l2m2m, _) => {}
            (Decode::Vaapi, _) => {
                add("-hwaccel vaapi");
                if let Some(node) = self.devices.iter().find(|d| d.starts_with("/dev/dri")) {
                    add(&format!("-hwaccel_device {}", node.display()));
                }
            }
            (way, _) => add(&format!("-hwaccel {}", way.as_str())),
        }
        add("-safe 0 -f concat -i pipe:0 -map 0:v:0");
        // At most `fps` frames: each beginning of a period takes the next one. Never doubled where the stream is slower: a frame that comes twice
        // would look as if the camera had frozen. Pixels become square; the height is bounded whatever shape the stream claims.
        let (fps, width) = (camera.fps, camera.width);
        let select = format!("select='isnan(prev_selected_t)+not(eq(floor(t*{fps}),floor(prev_selected_t*{fps})))'");
        let scale = format!("scale=w='max(16,trunc(min({width},iw)/2)*2)':h='clip(trunc(ow/dar/2)*2,16,4096)',setsar=1,format=yuvj420p");
        a.extend(["-vf".to_owned(), format!("{select},{scale}")]);
        let mut add = |text: &str| a.extend(text.split(' ').map(str::to_owned));
        add("-threads 1 -fps_mode passthrough -c:v mjpeg -q:v 4 -f image2pipe pipe:1");
        a
    }
}

/// The playlist with the stream's address, for standard input.
fn playlist(camera: &Camera, url: &StreamUrl) -> crate::config::Secret {
    // Longer than our own, whose word is the clearer one.
    let timeout = (camera.patience() + PATIENCE).as_micros();
    let address = url.with(camera.login.as_ref());
    crate::config::Secret::new(format!(
        "ffconcat version 1.0\nfile '{}'\noption rtsp_transport tcp\noption allowed_media_types video\noption fpsprobesize 0\noption timeout {timeout}\n",
        address.reveal()
    ))
}

async fn tell(program: &Path, what: &str) -> Result<String, Cause> {
    let mut command = Command::new(program);
    command.args(["-hide_banner", what]).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(TELL, command.output()).await.map_err(|_| Cause::NoFfmpeg("it does not answer".into()))?;
    let output = output.map_err(|e| Cause::NoFfmpeg(format!("{}: {e}", program.display())))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `5.1.9-0+deb12u1`, `n6.0`; a name without a number is one of today's development.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('n').split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|n| n.parse::<u32>().ok());
    match (next(), next()) {
        (Some(major), minor) => (major, minor.unwrap_or(0)) < (5, 1),
        (None, _) => false,
    }
}

/// A running ffmpeg.
pub struct Decoder {
    child: Child,
    pub pictures: ChildStdout,
    pub words: ChildStderr,
}

impl Decoder {
    /// Asks it to say goodbye to the camera, which serves few viewers, and waits until it is gone.
    pub async fn end(mut self) {
        // Nobody reads any more: it must not wait for that.
        drop(self.pictures);
        drop(self.words);
        if let Some(pid) = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if tokio::time::timeout(GOODBYE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }

    /// Of its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }
}

type Order = (Command, oneshot::Sender<std::io::Result<Child>>);

/// Starts decoders, from one thread that lives as long as this and all its clones: the kernel ends a decoder when the thread that started it ends
/// (see `confine.rs`), and a runtime's threads come and go.
#[derive(Clone)]
pub struct Launcher {
    orders: mpsc::UnboundedSender<Order>,
    confined: bool,
}

impl Launcher {
    /// Decoders confined by this program: it must be `tuoan` itself. To be called in a runtime.
    pub fn confined() -> Launcher {
        Launcher::new(true)
    }

    /// Decoders started as they are, for tests of the library.
    pub fn plain() -> Launcher {
        Launcher::new(false)
    }

    fn new(confined: bool) -> Launcher {
        let (orders, mut list) = mpsc::unbounded_channel::<Order>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::spawn(move || {
            let _inside = runtime.enter();
            while let Some((mut command, reply)) = list.blocking_recv() {
                // A child that nobody waits for any more is killed by its being dropped.
                let _ = reply.send(command.spawn());
            }
        });
        Launcher { orders, confined }
    }

    /// # Errors
    /// ffmpeg cannot be started.
    pub async fn start(
        &self,
        ffmpeg: &Ffmpeg,
        camera: &Camera,
        url: &StreamUrl,
        way: Decode,
        codec: Option<&str>,
    ) -> Result<Decoder, Cause> {
        let arguments = ffmpeg.arguments(camera, way, codec, url.encrypted());
        let mut command = if self.confined {
            // As it is now, even when an upgrade has replaced the file.
            let mut command = Command::new("/proc/self/exe");
            command.args(["camera-bridge", "decoder", "--parent", &std::process::id().to_string()]);
            if way == Decode::Software {
                command.args(["--memory", &MEMORY_MB.to_string()]);
            }
            command.arg("--").arg(&ffmpeg.program);
            command
        } else {
            Command::new(&ffmpeg.program)
        };
        let kept = ENVIRONMENT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        command.args(arguments).env_clear().envs(kept).current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |e: &dyn std::fmt::Display| Cause::NoFfmpeg(format!("{}: {e}", ffmpeg.program.display()));
        let (reply, started) = oneshot::channel();
        self.orders.send((command, reply)).map_err(|e| failed(&e))?;
        let mut child = started.await.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let (Some(mut stdin), Some(pictures), Some(words)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(failed(&"no pipes"));
        };
        // A program that ends at once has closed it: its words tell more than this error.
        let _ = stdin.write_all(playlist(camera, url).reveal().as_bytes()).await;
        drop(stdin);
        Ok(Decoder { child, pictures, words })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::camera::{Login, Profile, Source};
    use crate::config::Secret;

    fn camera(decode: Decode) -> Camera {
        Camera {
            id: "cam-1".parse().unwrap(),
            source: Source::Url(StreamUrl::new("rtsp://10.9.8.7/x").unwrap()),
            login: Some(Login { user: "admin".into(), password: Secret::new("hunter2") }),
            profile: Profile::Smallest,
            fps: 0.5,
            width: 512,
            decode,
            stall: Duration::from_secs(10),
        }
    }

    fn ffmpeg(hwaccels: &[&str], decoders: &[&str], devices: &[&str]) -> Ffmpeg {
        let set = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Ffmpeg {
            program: "ffmpeg".into(),
            version: "5.1".into(),
            hwaccels: set(hwaccels),
            decoders: set(decoders),
            devices: devices.iter().map(PathBuf::from).collect(),
        }
    }

    #[test]
    fn neither_password_nor_address_is_an_argument() {
        let f = ffmpeg(&["vaapi"], &[], &["/dev/dri/renderD128"]);
        let text = f.arguments(&camera(Decode::Auto), Decode::Vaapi, None, false).join(" ");
        assert!(
            !text.contains("hunter2") && !text.contains("10.9.8.7") && text.contains("-hwaccel vaapi -hwaccel_device /dev/dri/renderD128"),
            "{text}"
        );
        let url = StreamUrl::new("rtsp://10.9.8.7/x").unwrap();
        assert!(playlist(&camera(Decode::Auto), &url).reveal().contains("file 'rtsp://admin:hunter2@10.9.8.7/x'\n"));
    }

    #[test]
    fn hardware_is_tried_where_its_device_is_and_software_is_always_left() {
        let all = &["vaapi", "qsv", "cuda", "rkmpp", "vdpau"];
        assert_eq!(ffmpeg(all, &[], &[]).ways(Decode::Auto, Some("h264")), [Decode::Software]);
        let intel = ffmpeg(all, &["h264_v4l2m2m"], &["/dev/dri/renderD128"]);
        assert_eq!(intel.ways(Decode::Auto, Some("h264")), [Decode::Vaapi, Decode::Qsv, Decode::Software]);
        assert_eq!(intel.ways(Decode::Software, None), [Decode::Software]);
        assert_eq!(intel.ways(Decode::Cuda, None), [Decode::Cuda, Decode::Software], "asked for by name: tried without a device file, too");
        let pi = ffmpeg(&["drm"], &["h264_v4l2m2m"], &["/dev/video10"]);
        assert_eq!(pi.ways(Decode::Auto, None), [Decode::Software]);
        assert_eq!(pi.ways(Decode::Auto, Some("h264")), [Decode::V4l2m2m, Decode::Software]);
        assert_eq!(pi.ways(Decode::Auto, Some("hevc")), [Decode::Software]);
        assert!(pi.arguments(&camera(Decode::Auto), Decode::V4l2m2m, Some("h264"), false).join(" ").contains("-c:v h264_v4l2m2m -safe 0"));
    }

    #[test]
    fn versions() {
        for (version, old) in [
            ("5.1.9-0+deb12u1", false),
            ("n6.0", false),
            ("N-111-gabc", false),
            ("4.4.2-0ubuntu0.22.04.1", true),
            ("5.0", true),
            ("7", false),
        ] {
            assert_eq!(is_too_old(version), old, "{version}");
        }
    }

    #[tokio::test]
    async fn a_missing_ffmpeg_says_how_to_get_it() {
        let e = Ffmpeg::find(Path::new("/nowhere/ffmpeg")).await.unwrap_err();
        assert!(e.to_string().contains("apt-get install --no-install-recommends ffmpeg"), "{e}");
    }
}
