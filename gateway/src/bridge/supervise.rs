//! One camera, for ever: find its stream, decode it, pass frames on, and begin again when that ends.
use super::camera::{Camera, Decode, Source, StreamUrl, path};
use super::cause::{Cause, Lines, Stream, Word, read, redact};
use super::decoder::{Decoder, Ffmpeg, Launcher};
use super::onvif;
use super::outlet::{About, Outlet, State};
use super::splitter::{Jpeg, Splitter};
use crate::clock::Clock;
use crate::ingest::client::backoff::Backoff;
use crate::metrics::Metrics;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tuoan_protocol::Presence;

/// After a refused password: cameras lock an account out after a few.
const REFUSED: Duration = Duration::from_secs(300);
/// A connection that lasted this long was a good one: the next attempt comes soon.
const GOOD: Duration = Duration::from_secs(60);
/// The first frame may take this much longer than the following ones: a camera sends a whole picture every few seconds only.
const FIRST: Duration = Duration::from_secs(15);
/// A stream of more than this many times the wanted width is a waste of cores that is told.
const WASTE: u32 = 3;

/// What a session has seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    pub stream: Option<Stream>,
    pub frames: u64,
    /// Pictures that ffmpeg says were damaged on the way.
    pub damaged: u64,
    /// Output of ffmpeg that was no picture.
    pub broken: u64,
    /// The hardware was asked for and did not take it.
    pub no_hardware: bool,
}

/// One connection to a camera, through a decoder.
pub struct Session<'c> {
    decoder: Decoder,
    camera: &'c Camera,
    pub seen: Seen,
    splitter: Splitter,
    lines: Lines,
    ready: VecDeque<Jpeg>,
    cause: Option<Cause>,
    last_error: Option<String>,
    ended: (bool, bool),
    buffer: Vec<u8>,
    /// How long the first frame may take.
    first: Duration,
    deadline: Instant,
}

impl<'c> Session<'c> {
    pub fn new(decoder: Decoder, camera: &'c Camera, first: Duration) -> Session<'c> {
        Session {
            decoder,
            camera,
            seen: Seen::default(),
            splitter: Splitter::default(),
            lines: Lines::default(),
            ready: VecDeque::new(),
            cause: None,
            last_error: None,
            ended: (false, false),
            buffer: vec![0; 64 << 10],
            first,
            deadline: Instant::now() + first,
        }
    }

    /// The next frame, or why there will be none. Losing a race against something else loses no frame.
    pub async fn next(&mut self, clock: &Clock) -> Result<Jpeg, Cause> {
        let mut text = [0u8; 4096];
        loop {
            if let Some(jpeg) = self.ready.pop_front() {
                self.seen.frames = self.seen.frames.saturating_add(1);
                self.deadline = Instant::now() + self.camera.patience();
                return Ok(jpeg);
            }
            if self.ended == (true, true) {
                return Err(self.end());
            }
            tokio::select! {
                // The deadline first, which a flood of noise must not keep from its turn; then words: they tell what the pictures are.
                biased;
                () = tokio::time::sleep_until(self.deadline) => {
                    return Err(Cause::Stalled(if self.seen.frames == 0 { self.first } else { self.camera.patience() }));
                }
                got = self.decoder.words.read(&mut text), if !self.ended.1 => {
                    let n = got.unwrap_or(0);
                    self.ended.1 = n == 0;
                    for line in self.lines.push(text.get(..n).unwrap_or_default()) {
                        self.line(line);
                    }
                }
                got = self.decoder.pictures.read(&mut self.buffer), if !self.ended.0 => {
                    let n = got.unwrap_or(0);
                    self.ended.0 = n == 0;
                    self.ready.extend(self.splitter.push(self.buffer.get(..n).unwrap_or_default(), clock.utc_ms()));
                    self.seen.broken = self.splitter.broken();
                }
            }
        }
    }

    fn line(&mut self, line: String) {
        match read(&line) {
            // The first one is the camera's, the next one our own output.
            Word::Stream(stream) => self.seen.stream = self.seen.stream.take().or(Some(stream)),
            // The first error is the nearest to the cause.
            Word::Cause(c) => self.cause = self.cause.take().or(Some(c)),
            Word::NoHardware => self.seen.no_hardware = true,
            Word::Damaged => self.seen.damaged = self.seen.damaged.saturating_add(1),
            Word::Error => self.last_error = Some(line),
            Word::Nothing => {}
        }
    }

    fn end(&mut self) -> Cause {
        match (self.cause.take(), self.last_error.take()) {
            (Some(cause), _) => cause,
            // While frames came, errors of the decoder are none of the connection's.
            (None, Some(line)) if self.seen.frames == 0 => Cause::Other(redact(&line, self.camera.login.as_ref())),
            _ => Cause::Ended,
        }
    }

    /// Ends the decoder.
    pub async fn close(self) -> Seen {
        self.decoder.end().await;
        self.seen
    }
}

/// Where a camera's stream is now, and what the camera says of itself.
pub async fn resolve(camera: &Camera) -> Result<(StreamUrl, About), Cause> {
    match &camera.source {
        Source::Url(url) => Ok((url.clone(), About::default())),
        Source::Make { make, host, channel } => {
            let url = StreamUrl::new(&format!("rtsp://{host}{}", path(*make, *channel, &camera.profile))).map_err(Cause::Onvif)?;
            Ok((url, About { make: Some(format!("{make:?}")), ..About::default() }))
        }
        Source::Onvif { host } => {
            let device = onvif::Device::connect(host, camera.login.as_ref()).await?;
            let about = device.about().await.unwrap_or_default();
            let profiles = device.profiles().await?;
            let profile = onvif::choose(&profiles, &camera.profile, camera.width)?;
            Ok((device.stream(profile).await?, about))
        }
    }
}

/// What a camera's task needs.
pub struct Task {
    pub camera: Camera,
    pub program: PathBuf,
    pub launcher: Launcher,
    pub outlet: Outlet,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
}

impl Task {
    /// Until `stop`. The decoder is gone when this returns.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        let mut hardware = Hardware::default();
        let mut last: Option<Cause> = None;
        let id = self.camera.id.to_string();
        loop {
            let began = Instant::now();
            let mut about = About::default();
            let Some(cause) = self.once(&mut hardware, &mut about, &stop, &mut last).await else { break };
            self.metrics.source_connected(&id, false);
            if matches!(cause, Cause::Switch | Cause::Hardware(_)) {
                tracing::info!(camera = id, "{cause}");
                if matches!(cause, Cause::Hardware(_)) {
                    self.metrics.bridge_failed(&id, cause.key());
                }
                // Once for each way at most: no need to wait.
                continue;
            }
            let count = self.metrics.bridge_failed(&id, cause.key());
            // Once for each kind of trouble, not once for each attempt; and now and then that it goes on.
            if last.as_ref().map(Cause::key) != Some(cause.key()) || count.is_power_of_two() {
                tracing::warn!(camera = id, cause = cause.key(), count, "no frames: {cause}");
            }
            self.outlet.say(State { presence: Presence::Offline, reason: Some(cause.key()), about }).await;
            if began.elapsed() >= GOOD {
                backoff.reset();
            }
            let wait = if matches!(cause, Cause::Refused) { REFUSED } else { backoff.next() };
            last = Some(cause);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.metrics.source_connected(&id, false);
        self.outlet.close().await;
    }

    /// One session; `None` when it was stopped.
    async fn once(
        &mut self,
        hardware: &mut Hardware,
        about: &mut About,
        stop: &CancellationToken,
        before: &mut Option<Cause>,
    ) -> Option<Cause> {
        let Task { camera, program, launcher, outlet, metrics, clock } = self;
        let prepare = async {
            let ffmpeg = Ffmpeg::find(program).await?;
            let (url, who) = resolve(camera).await?;
            let way = hardware.way(&ffmpeg, camera.decode);
            let decoder = launcher.start(&ffmpeg, camera, &url, way, hardware.codec.as_deref()).await?;
            Ok::<_, Cause>((ffmpeg, who, way, decoder))
        };
        let prepared = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            prepared = prepare => prepared,
        };
        let (ffmpeg, who, way, decoder) = match prepared {
            Ok(prepared) => prepared,
            Err(cause) => return Some(cause),
        };
        about.clone_from(&who);
        let id = camera.id.to_string();
        let mut session = Session::new(decoder, camera, camera.patience() + FIRST);
        let ended = loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break None,
                next = session.next(clock) => next,
            };
            let jpeg = match next {
                Ok(jpeg) => jpeg,
                Err(cause) => break Some(cause),
            };
            if session.seen.frames == 1 {
                let stream = session.seen.stream.clone().unwrap_or_default();
                // The codec is known now: is there a better way to decode it?
                if hardware.learn(&stream.codec) && hardware.way(&ffmpeg, camera.decode) != way {
                    break Some(Cause::Switch);
                }
                let by = if session.seen.no_hardware { Decode::Software } else { way }.as_str();
                let after = before.take().map(|b| format!(", after: {b}")).unwrap_or_default();
                let (codec, w, h) = (&stream.codec, stream.width, stream.height);
                tracing::info!(camera = id, "frames come: {codec} {w}x{h}, decoded by {by}, sent {}x{}{after}", jpeg.width, jpeg.height);
                if w > u32::from(camera.width).saturating_mul(WASTE) {
                    let wanted = camera.width;
                    tracing::warn!(
                        camera = id,
                        "{w} pixels come and {wanted} are wanted: most of the decoding is wasted; name the sub-stream"
                    );
                }
                metrics.source_connected(&id, true);
                outlet.say(State { presence: Presence::Online, reason: None, about: who.clone() }).await;
            }
            outlet.frame(&jpeg);
            metrics.bridge_frame(&id, outlet.replaced());
        };
        let seen = session.close().await;
        let cause = ended?;
        let network = matches!(cause, Cause::Refused | Cause::NoStream | Cause::Busy | Cause::Unreachable(_));
        // A stream was there and no picture came of it.
        if way != Decode::Software && (seen.no_hardware || (seen.stream.is_some() && seen.frames == 0 && !network)) {
            hardware.failed.insert(way);
            if seen.frames == 0 {
                return Some(Cause::Hardware(way.as_str().to_owned()));
            }
        }
        Some(cause)
    }
}

/// Which ways of decoding have been tried on a camera.
#[derive(Default)]
struct Hardware {
    failed: BTreeSet<Decode>,
    codec: Option<String>,
}

impl Hardware {
    fn way(&self, ffmpeg: &Ffmpeg, wanted: Decode) -> Decode {
        let ways = ffmpeg.ways(wanted, self.codec.as_deref());
        ways.into_iter().find(|way| !self.failed.contains(way)).unwrap_or(Decode::Software)
    }
    /// Whether that is news.
    fn learn(&mut self, codec: &str) -> bool {
        let news = self.codec.as_deref() != Some(codec) && !codec.is_empty();
        if news {
            self.codec = Some(codec.to_owned());
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::camera::{Login, Profile};
    use crate::bridge::outlet::Voice;
    use crate::config::Secret;
    use crate::ingest::{FrameDesk, Inbound};
    use tokio::sync::mpsc;
    use tuoan_protocol::{Status, Wire};

    struct Bench {
        desk: FrameDesk,
        log: mpsc::Receiver<Inbound>,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    fn program() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bridge/ffmpeg"))
    }

    fn camera(behaviour: &str, decode: Decode) -> Camera {
        Camera {
            id: "cam-1".parse().unwrap(),
            source: Source::Url(StreamUrl::new(&format!("rtsp://10.0.0.1/{behaviour}")).unwrap()),
            login: Some(Login { user: "viewer".into(), password: Secret::new("hunter 2") }),
            profile: Profile::Smallest,
            fps: 10.0,
            width: 512,
            decode,
            stall: Duration::from_millis(400),
        }
    }

    /// A camera's task with a program that behaves as the stream's path says (`tests/fixtures/bridge/ffmpeg`).
    fn bench(behaviour: &str, decode: Decode) -> Bench {
        let camera = camera(behaviour, decode);
        let (desk, metrics, stop) = (FrameDesk::new(), Arc::new(Metrics::new()), CancellationToken::new());
        let (inbound, log) = mpsc::channel(64);
        let voice = Voice::new("site-1".parse().unwrap(), camera.id.clone());
        let task = Task {
            camera,
            program: program(),
            launcher: Launcher::plain(),
            outlet: Outlet::gateway(voice, desk.clone(), inbound, Clock::System),
            metrics: Arc::clone(&metrics),
            clock: Clock::System,
        };
        let task = tokio::spawn(task.run(stop.clone()));
        Bench { desk, log, metrics, stop, task }
    }

    impl Bench {
        /// The next that is said of the camera, and why.
        async fn said(&mut self) -> (Presence, Option<String>) {
            let m = tokio::time::timeout(Duration::from_secs(60), self.log.recv()).await.expect("nothing was said").unwrap();
            let status = Status::from_bytes(&m.payload).unwrap();
            (status.presence, status.reason.map(|r| r.as_str().to_owned()))
        }
        fn failed(&self, cause: &str) -> bool {
            self.metrics.render().contains(&format!("tuoan_bridge_failures_total{{source=\"cam-1\",cause=\"{cause}\"}}"))
        }
        async fn stop(self) {
            self.stop.cancel();
            tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("it does not stop").unwrap();
        }
    }

    #[tokio::test]
    async fn hardware_that_needs_the_codec_is_tried_once_it_is_known_and_given_up_when_it_fails() {
        let mut b = bench("plays", Decode::V4l2m2m);
        // Software to learn the codec, the hardware, and software again: nothing of that is a camera that is offline.
        assert_eq!(b.said().await, (Presence::Online, None));
        assert!(b.failed("hardware") && !b.failed("ended"), "{}", b.metrics.render());
        // The first frame follows the word at once.
        while b.desk.counts().accepted == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let [camera] = b.desk.cameras().try_into().unwrap();
        assert_eq!((camera.width, camera.height, camera.header.unwrap().size), (64, 48, 696));
        b.stop().await;
    }

    #[tokio::test]
    async fn a_decoder_that_falls_silent_is_ended_though_it_does_not_listen() {
        let mut b = bench("deaf", Decode::Software);
        for _ in 0..2 {
            assert_eq!(b.said().await, (Presence::Online, None));
            assert_eq!(b.said().await, (Presence::Offline, Some("stalled".into())));
        }
        b.stop().await;
    }

    #[tokio::test]
    async fn a_flood_of_noise_is_read_and_stopped() {
        let camera = camera("floods", Decode::Software);
        let Source::Url(url) = &camera.source else { panic!() };
        let ffmpeg = Ffmpeg::find(&program()).await.unwrap();
        let decoder = Launcher::plain().start(&ffmpeg, &camera, url, Decode::Software, None).await.unwrap();
        let first = Duration::from_millis(700);
        let mut session = Session::new(decoder, &camera, first);
        assert_eq!(session.next(&Clock::System).await, Err(Cause::Stalled(first)));
        assert!(session.close().await.broken > 0);
    }

    #[tokio::test]
    async fn what_ffmpeg_says_is_shown_without_the_password() {
        let mut b = bench("tells", Decode::Software);
        assert_eq!(b.said().await, (Presence::Offline, Some("other".into())));
        b.stop().await;
        let camera = Login { user: "viewer".into(), password: Secret::new("hunter 2") };
        let url = StreamUrl::new("rtsp://10.0.0.1/tells").unwrap().with(Some(&camera));
        let line = format!("[error] Surprise at 'file '{}''", url.reveal());
        assert!(url.reveal().contains("hunter%202"));
        assert_eq!(redact(&line, Some(&camera)), "Surprise at 'file 'rtsp://10.0.0.1/tells''");
    }
}
