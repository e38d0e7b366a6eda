//! What ffmpeg says on its error output, read: what the stream is, and in words that tell what to do, why there is none.
use super::camera::{Login, percent};
use std::time::Duration;

/// Longest line that is looked at; the rest of it is passed over.
pub const MAX_LINE: usize = 2048;

/// Why no frames come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    #[error(
        "the camera wants a user name and a password and takes none or not these; mend `user` and `password_file`, or set the camera's RTSP authentication to digest with MD5. The bridge tries again after 5 minutes, because cameras lock accounts"
    )]
    Refused,
    #[error(
        "there is no such stream on the camera; `tuoan camera-bridge check HOST` lists those there are, or turn the sub-stream on in the camera's video settings"
    )]
    NoStream,
    #[error("the camera serves as many viewers as it can; close others, or use a recorder's stream")]
    Busy,
    #[error("the camera cannot be reached: {0}; check its address, its cable and whether RTSP is turned on")]
    Unreachable(&'static str),
    #[error("the stream cannot be decoded ({0}); set the camera to H.264 or H.265 without \"+\" or \"smart\" variants")]
    Codec(String),
    #[error("the picture is larger than ffmpeg was allowed; name the sub-stream")]
    TooLarge,
    #[error("no frame has come for {} s", .0.as_secs())]
    Stalled(Duration),
    #[error("the camera has ended the stream")]
    Ended,
    #[error("decoding by {0} does not work here")]
    Hardware(String),
    #[error("the codec is known now: decoding goes on in hardware")]
    Switch,
    #[error("ffmpeg is not there ({0}); install it: apt-get install --no-install-recommends ffmpeg")]
    NoFfmpeg(String),
    #[error("ffmpeg {0} is too old; 5.1 or newer is needed (Debian 12, Ubuntu 24.04)")]
    OldFfmpeg(String),
    #[error("ONVIF: {0}")]
    Onvif(String),
    #[error("ffmpeg says: {0}")]
    Other(String),
}

impl Cause {
    /// Its name in metrics.
    pub fn key(&self) -> &'static str {
        match self {
            Cause::Refused => "refused",
            Cause::NoStream => "no_stream",
            Cause::Busy => "busy",
            Cause::Unreachable(_) => "unreachable",
            Cause::Codec(_) => "codec",
            Cause::TooLarge => "too_large",
            Cause::Stalled(_) => "stalled",
            Cause::Ended => "ended",
            Cause::Hardware(_) => "hardware",
            Cause::Switch => "switch",
            Cause::NoFfmpeg(_) | Cause::OldFfmpeg(_) => "ffmpeg",
            Cause::Onvif(_) => "onvif",
            Cause::Other(_) => "other",
        }
    }
}

/// What the camera sends.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stream {
    /// As ffmpeg names it: `h264`, `hevc`, `mjpeg`.
    pub codec: String,
    pub width: u32,
    pub height: u32,
    /// As the stream says; cameras are not always right about it.
    pub fps: Option<f64>,
}

/// What one line says.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    Stream(Stream),
    Cause(Cause),
    /// The hardware does not take it, and ffmpeg goes on in software or ends.
    NoHardware,
    /// A picture was damaged on its way.
    Damaged,
    /// An error that has no name here.
    Error,
    Nothing,
}

/// A line of `ffmpeg -loglevel level+info`.
pub fn read(line: &str) -> Word {
    if let Some(stream) = stream(line) {
        return Word::Stream(stream);
    }
    let has = |text: &str| line.contains(text);
    if !["[error]", "[fatal]", "[panic]", "[warning]"].iter().any(|level| has(level)) {
        return Word::Nothing;
    }
    if has("corrupt decoded frame") || has("concealing") || has("error while decoding MB") {
        return Word::Damaged;
    }
    if [
        "Device creation failed",
        "Device setup failed",
        "No device available",
        "Failed setup for format",
        "hwaccel initialisation returned error",
        "Hardware device setup failed",
        "Could not find a valid device",
        "V4L2 capture",
    ]
    .iter()
    .any(|text| has(text))
    {
        return Word::NoHardware;
    }
    if has("[warning]") {
        return Word::Nothing;
    }
    match status(line) {
        Some(401 | 403) => return Word::Cause(Cause::Refused),
        Some(404 | 454 | 400 | 551) => return Word::Cause(Cause::NoStream),
        Some(453 | 503) => return Word::Cause(Cause::Busy),
        _ => {}
    }
    let causes = [
        ("Connection refused", Cause::Unreachable("nothing answers on its port")),
        ("No route to host", Cause::Unreachable("no way leads to its address")),
        ("Network is unreachable", Cause::Unreachable("no way leads to its network")),
        ("Host is unreachable", Cause::Unreachable("no way leads to its address")),
        ("Connection timed out", Cause::Unreachable("it does not answer in time")),
        ("Operation timed out", Cause::Unreachable("it does not answer in time")),
        ("Connection reset by peer", Cause::Unreachable("it cuts the connection")),
        ("Failed to resolve hostname", Cause::Unreachable("its name is not known")),
        ("exceeds specified max pixel count", Cause::TooLarge),
        ("matches no streams", Cause::Codec("it holds no picture".into())),
    ];
    for (text, cause) in causes {
        if has(text) {
            return Word::Cause(cause);
        }
    }
    if has("Could not find codec parameters") || has("Unsupported codec") || (has("Decoder (codec") && has("not found")) {
        let codec = line.split("Video: ").nth(1).and_then(|t| t.split([' ', ',', ')']).next()).unwrap_or("unknown codec");
        return Word::Cause(Cause::Codec(codec.chars().take(20).collect()));
    }
    Word::Error
}

/// `method DESCRIBE failed: 401 Unauthorized`, `Server returned 404 Not Found`.
fn status(line: &str) -> Option<u16> {
    let rest = match line.split_once("method ") {
        Some((_, rest)) => rest.split_once(" failed: ")?.1,
        None => line.split_once("Server returned ")?.1,
    };
    rest.get(..3)?.parse().ok()
}

/// `  Stream #0:0: Video: h264 (Main), yuv420p(progressive), 640x360 [SAR 1:1 DAR 16:9], 10 fps, 10 tbr, 90k tbn`
fn stream(line: &str) -> Option<Stream> {
    let (_, rest) = line.split_once("Stream #0:")?;
    let (_, rest) = rest.split_once(": Video: ")?;
    let codec: String = rest.split([' ', ',']).next()?.chars().take(20).collect();
    let number = |text: &str| (text.len() <= 5).then(|| text.parse::<u32>().ok()).flatten().filter(|n| *n > 0);
    let (mut size, mut fps) = (None, None);
    for part in rest.split(", ") {
        let word = part.split(' ').next().unwrap_or_default();
        if let Some((w, h)) = word.split_once('x')
            && let (Some(w), Some(h)) = (number(w), number(h))
            && size.is_none()
        {
            size = Some((w, h));
        }
        // "tbr" is ffmpeg's own guess, where the stream says nothing.
        if let Some(n) = part.strip_suffix(" fps").or_else(|| part.strip_suffix(" tbr")) {
            fps = fps.or_else(|| n.parse::<f64>().ok().filter(|f| f.is_finite() && *f > 0.0 && *f < 1000.0));
        }
    }
    let (width, height) = size?;
    Some(Stream { codec, width, height, fps })
}

/// A line as it may stand in a log: without control characters, without who logs in where, and without the password however it is written.
pub fn redact(line: &str, login: Option<&Login>) -> String {
    let mut text: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Some(login) = login {
        for secret in [login.password.reveal().to_owned(), percent(login.password.reveal())] {
            if !secret.is_empty() {
                text = text.replace(&secret, "***");
            }
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let authority = after.find(['/', ' ', '\'', '"', '?']).unwrap_or(after.len());
        rest = match after.get(..authority).and_then(|a| a.rfind('@')) {
            Some(at) => after.get(at + 1..).unwrap_or_default(),
            None => after,
        };
    }
    out.push_str(rest);
    // Before the text stands which part of ffmpeg says it, at an address in memory.
    let shown = out.rsplit_once("] ").map_or(out.as_str(), |(_, t)| t);
    shown.trim().chars().take(200).collect()
}

/// Whole lines of a stream of bytes, none longer than [`MAX_LINE`].
#[derive(Debug, Default)]
pub struct Lines {
    buffer: Vec<u8>,
    /// The rest of a line that was too long is still coming.
    overlong: bool,
}

impl Lines {
    pub fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut out = Vec::new();
        for piece in chunk.split_inclusive(|b| matches!(b, b'\n' | b'\r')) {
            let whole = piece.ends_with(b"\n") || piece.ends_with(b"\r");
            let text = if whole { piece.split_last().map_or(piece, |(_, t)| t) } else { piece };
            if !self.overlong {
                let room = MAX_LINE.saturating_sub(self.buffer.len());
                self.buffer.extend_from_slice(text.get(..room.min(text.len())).unwrap_or_default());
                self.overlong = text.len() > room;
            }
            if whole {
                if !self.buffer.is_empty() {
                    out.push(String::from_utf8_lossy(&self.buffer).into_owned());
                }
                self.buffer.clear();
                self.overlong = false;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use proptest::prelude::*;

    /// Lines as ffmpeg 5.1 printed them.
    #[test]
    fn each_trouble_is_named() {
        let cases = [
            ("[rtsp @ 0x55] [error] method DESCRIBE failed: 401 Unauthorized", "refused"),
            ("[error] pipe:0: Server returned 401 Unauthorized (authorization failed)", "refused"),
            ("[rtsp @ 0x55] [error] method DESCRIBE failed: 404 Not Found", "no_stream"),
            ("[rtsp @ 0x55] [error] method SETUP failed: 453 Not Enough Bandwidth", "busy"),
            ("[tcp @ 0x55] [error] Connection to tcp://127.0.0.1:1?timeout=5000000 failed: Connection refused", "unreachable"),
            ("[tcp @ 0x55] [error] Failed to resolve hostname nohost.invalid: Name or service not known", "unreachable"),
            ("[error] Stream map '0:v:0' matches no streams.", "codec"),
            ("[concat @ 0x5] [error] Could not find codec parameters for stream 0 (Video: h264, none): unspecified size", "codec"),
        ];
        for (line, key) in cases {
            assert!(matches!(read(line), Word::Cause(c) if c.key() == key), "{line}: {:?}", read(line));
        }
        assert_eq!(read("[AVHWDeviceContext @ 0x5] [error] No VA display found for device /dev/dri/renderD128."), Word::Error);
        assert_eq!(read("[error] Device creation failed: -22."), Word::NoHardware);
        assert_eq!(read("[h264 @ 0x5] [error] error while decoding MB 3 4, bytestream -5"), Word::Damaged);
        assert_eq!(read("[info] Stream mapping:"), Word::Nothing);
        assert_eq!(read("[warning] deprecated pixel format used"), Word::Nothing);
    }

    #[test]
    fn the_stream_is_described() {
        let line = "[info]   Stream #0:0: Video: hevc (Main), yuv420p(tv), 640x360 [SAR 1:1 DAR 16:9], 12.50 fps, 10 tbr, 90k tbn";
        assert_eq!(read(line), Word::Stream(Stream { codec: "hevc".into(), width: 640, height: 360, fps: Some(12.5) }));
        let line = "[info]   Stream #0:0: Video: mjpeg (Baseline), yuvj420p(pc, bt470bg/unknown/unknown), 704x576, 25 tbr, 90k tbn";
        assert_eq!(read(line), Word::Stream(Stream { codec: "mjpeg".into(), width: 704, height: 576, fps: Some(25.0) }));
    }

    #[test]
    fn no_password_gets_into_a_log() {
        let login = Login { user: "admin".into(), password: Secret::new("p'w:/@ 1") };
        let line = "[concat @ 0x5] [error] Impossible to open 'rtsp://admin:p%27w%3A%2F%40%201@10.0.0.1/x' or p'w:/@ 1\u{1b}[31m";
        let shown = redact(line, Some(&login));
        assert_eq!(shown, "Impossible to open 'rtsp://10.0.0.1/x' or *** [31m");
    }

    proptest! {
        #[test]
        fn nothing_that_is_printed_makes_trouble(noise in "\\PC{0,80}", password in "[a-z0-9:@/' ]{4,12}") {
            let login = Login { user: "u".into(), password: Secret::new(password.as_str()) };
            let line = format!("{noise} {password} rtsp://u:{}@h/x {noise}", percent(&password));
            let _ = read(&line);
            prop_assert!(!redact(&line, Some(&login)).contains(&percent(&password)));
        }

        #[test]
        fn lines_are_the_same_however_they_are_cut_and_never_long(text in "[a-c\n]{0,300}", cut in 1..40usize) {
            let whole = Lines::default().push(text.as_bytes());
            let mut lines = Lines::default();
            let cut: Vec<String> = text.as_bytes().chunks(cut).flat_map(|c| lines.push(c)).collect();
            prop_assert_eq!(whole, cut);
        }
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert!(lines.push(&[b'x'; 5000]).is_empty());
        }
        let [line] = lines.push(b"y\n").try_into().unwrap();
        assert_eq!(line.len(), MAX_LINE);
    }
}
