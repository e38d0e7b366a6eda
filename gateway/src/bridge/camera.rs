//! What the configuration says of a network camera, and where the streams of each make are.
use crate::config::Secret;
use std::fmt::Write;
use std::time::Duration;
use tuoan_protocol::DeviceId;

/// Longest stream address.
const MAX_URL: usize = 1024;

/// One camera that frames are taken from.
#[derive(Debug, Clone, PartialEq)]
pub struct Camera {
    /// Its device id here, the fourth level of its topics.
    pub id: DeviceId,
    pub source: Source,
    pub login: Option<Login>,
    pub profile: Profile,
    /// Frames a second, 0.2 to 10.
    pub fps: f64,
    /// Pixels that a frame is wide at most; a smaller stream is not enlarged.
    pub width: u16,
    pub decode: Decode,
    /// Silence after which the connection counts as dead; three periods of the frames when that is longer.
    pub stall: Duration,
}

impl Camera {
    /// How long no frame may come before the connection is given up.
    pub fn patience(&self) -> Duration {
        self.stall.max(Duration::from_secs_f64(3.0 / self.fps.clamp(0.1, 100.0)))
    }
}

/// A user of the camera: one that may look and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: Secret,
}

/// Where the stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Given whole.
    Url(StreamUrl),
    /// By the rule of its make; `host` may have a port.
    Make { make: Make, host: String, channel: u16 },
    /// The camera is asked; `host` may have the port of its web service.
    Onvif { host: String },
}

/// Makes whose stream addresses follow a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Make {
    Hikvision,
    Dahua,
    Uniview,
}

/// Which of a camera's streams.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Profile {
    /// The smallest that is as wide as wanted; without ONVIF the sub-stream.
    #[default]
    Smallest,
    Main,
    /// An ONVIF profile by its token or name.
    Named(String),
}

/// Who decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decode {
    /// The hardware that is there and works, else software.
    #[default]
    Auto,
    Software,
    Vaapi,
    Qsv,
    Cuda,
    Rkmpp,
    V4l2m2m,
}

/// An address of a stream, without user and password, that may stand between single quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamUrl(reqwest::Url);

impl StreamUrl {
    /// # Errors
    /// It is no `rtsp://` or `rtsps://` address, or one with a secret in it.
    pub fn new(text: &str) -> Result<StreamUrl, String> {
        let shown = || text.split_once('@').map_or(text, |(_, after)| after).chars().take(80).collect::<String>();
        let url: reqwest::Url = text.parse().map_err(|e| format!("{:?} is no address: {e}", shown()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user or a password; write them as `user` and `password_file`".to_owned());
        }
        if !matches!(url.scheme(), "rtsp" | "rtsps") || url.host_str().is_none_or(str::is_empty) {
            return Err(format!("{:?} must be rtsp://HOST/PATH or rtsps://HOST/PATH", shown()));
        }
        let odd = |c: char| !c.is_ascii_graphic() || matches!(c, '\'' | '\\' | '"' | '`');
        if url.as_str().len() > MAX_URL || url.as_str().contains(odd) || url.fragment().is_some() {
            return Err(format!("{:?} must be up to {MAX_URL} ASCII characters without quotes, spaces, \\ and #", shown()));
        }
        Ok(StreamUrl(url))
    }

    /// The same stream as a player takes it. Keep it where secrets are kept.
    pub fn with(&self, login: Option<&Login>) -> Secret {
        let Some(login) = login else { return Secret::new(self.0.as_str()) };
        let text = self.0.as_str();
        let (scheme, rest) = text.split_once("://").unwrap_or(("rtsp", text));
        Secret::new(format!("{scheme}://{}:{}@{rest}", percent(&login.user), percent(login.password.reveal())))
    }

    /// Whether it goes through TLS.
    pub fn encrypted(&self) -> bool {
        self.0.scheme() == "rtsps"
    }

    /// The same place on another host: what a camera says of itself is right but for its address, which it may not know.
    ///
    /// # Errors
    /// `host` is no host.
    pub fn on_host(&self, host: &str) -> Result<StreamUrl, String> {
        let mut url = self.0.clone();
        url.set_host(Some(host)).map_err(|e| format!("{host:?}: {e}"))?;
        Ok(StreamUrl(url))
    }
}

impl std::fmt::Display for StreamUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// RFC 3986: all but the unreserved characters.
pub(super) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

/// A make's streams, from the largest: the address's path after the host.
///
/// Hikvision: `/Streaming/Channels/<channel><two digits: 01 main, 02 sub, 03 third>`. Dahua: `/cam/realmonitor` with channel (from 1) and subtype (0 main,
/// 1 and 2 sub). Uniview cameras: `/media/video1` main, 2 sub, 3 third; recorders: `/unicast/c<channel>/s<0 main, 1 sub>/live`.
/// Sources: the makers' RTSP notes, as collected at
/// <https://www.zwplayer.com/articles/device/ip-camera-rtsp-url-guide.html> (Hikvision, Dahua) and <https://mofulls.pixnet.net/blog/post/351191279> (Uniview).
pub fn paths(make: Make, channel: u16) -> Vec<String> {
    match make {
        Make::Hikvision => (1..=3).map(|s| format!("/Streaming/Channels/{channel}{s:02}")).collect(),
        Make::Dahua => (0..=2).map(|s| format!("/cam/realmonitor?channel={channel}&subtype={s}")).collect(),
        Make::Uniview if channel == 1 => (1..=3).map(|s| format!("/media/video{s}")).collect(),
        Make::Uniview => (0..=1).map(|s| format!("/unicast/c{channel}/s{s}/live")).collect(),
    }
}

/// The stream of a make for a profile: main or sub.
pub fn path(make: Make, channel: u16, profile: &Profile) -> String {
    let stream = usize::from(*profile != Profile::Main);
    paths(make, channel).into_iter().nth(stream).unwrap_or_default()
}

/// The other streams of the camera that has this one, if its address follows a make's rule, this one among them.
pub fn siblings(url: &StreamUrl) -> Vec<StreamUrl> {
    let path = match url.0.query() {
        Some(query) => format!("{}?{query}", url.0.path()),
        None => url.0.path().to_owned(),
    };
    let number = |text: &str, before: &str, after: &str| -> Option<u16> {
        let rest = text.strip_prefix(before)?;
        rest.get(..rest.find(after)?)?.parse().ok()
    };
    let rules = [
        (Make::Hikvision, path.strip_prefix("/Streaming/Channels/").and_then(|p| p.get(..p.len().checked_sub(2)?)?.parse().ok())),
        (Make::Dahua, number(&path, "/cam/realmonitor?channel=", "&")),
        (Make::Uniview, path.starts_with("/media/video").then_some(1)),
        (Make::Uniview, number(&path, "/unicast/c", "/")),
    ];
    let all = |make, channel| paths(make, channel);
    let Some(found) = rules.into_iter().filter_map(|(make, channel)| Some(all(make, channel?))).find(|list| list.contains(&path)) else {
        return Vec::new();
    };
    let (scheme, authority) = (url.0.scheme(), url.0.authority());
    found.iter().filter_map(|path| StreamUrl::new(&format!("{scheme}://{authority}{path}")).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_secrets_or_quotes_are_refused_and_not_repeated() {
        for wrong in [
            "rtsp://admin:hunter2@10.0.0.1/x",
            "http://10.0.0.1/x",
            "rtsp:///x",
            "rtsp://h/a'b",
            "rtsp://h/a\\b",
            "rtsp://h/#x",
            "no",
            "rtsp://admin:hunter2@:99999/",
        ] {
            let e = StreamUrl::new(wrong).unwrap_err();
            assert!(!e.contains("hunter2"), "{e}");
        }
        // White space is no part of an address: it is percent-encoded, or not there at all.
        assert_eq!(StreamUrl::new(" rtsp://h/a\n b").unwrap().to_string(), "rtsp://h/a%20b");
        assert!(StreamUrl::new("rtsp://[fd00::1]:8554/cam/realmonitor?channel=1&subtype=1").is_ok());
    }

    #[test]
    fn a_password_of_any_characters_fits_into_the_address() {
        let url = StreamUrl::new("rtsp://10.0.0.1:554/Streaming/Channels/102").unwrap();
        let login = Login { user: "admin".into(), password: Secret::new("p'w:/@ 1密") };
        assert_eq!(url.with(Some(&login)).reveal(), "rtsp://admin:p%27w%3A%2F%40%201%E5%AF%86@10.0.0.1:554/Streaming/Channels/102");
        assert!(!format!("{:?}", url.with(Some(&login))).contains("p%27w"));
        assert_eq!(url.with(None).reveal(), url.to_string());
    }

    #[test]
    fn each_make_has_its_sub_stream() {
        for (make, channel, profile, want) in [
            (Make::Hikvision, 1, Profile::Smallest, "/Streaming/Channels/102"),
            (Make::Hikvision, 17, Profile::Main, "/Streaming/Channels/1701"),
            (Make::Dahua, 1, Profile::Smallest, "/cam/realmonitor?channel=1&subtype=1"),
            (Make::Uniview, 1, Profile::Smallest, "/media/video2"),
            (Make::Uniview, 4, Profile::Main, "/unicast/c4/s0/live"),
        ] {
            assert_eq!(path(make, channel, &profile), want);
            let url = StreamUrl::new(&format!("rtsp://10.0.0.1:8554{want}")).unwrap();
            let others = siblings(&url);
            assert!(others.contains(&url) && others.len() == paths(make, channel).len(), "{others:?}");
        }
        assert!(siblings(&StreamUrl::new("rtsp://h/live").unwrap()).is_empty());
    }

    #[test]
    fn a_slow_camera_is_waited_for_longer() {
        let camera = |fps| Camera {
            id: "cam-1".parse().unwrap(),
            source: Source::Url(StreamUrl::new("rtsp://h/x").unwrap()),
            login: None,
            profile: Profile::Smallest,
            fps,
            width: 512,
            decode: Decode::Auto,
            stall: Duration::from_secs(10),
        };
        assert_eq!((camera(5.0).patience().as_secs(), camera(0.2).patience().as_secs()), (10, 15));
    }
}
