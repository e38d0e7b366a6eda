//! `[[bridge.camera]]`: network cameras, in the gateway's configuration or in a `bridge.toml` of the bridge alone.
use super::fields::{Fields, Problem};
use super::{Client, Problems, secret, url};
use crate::bridge::MAX_CAMERAS;
use crate::bridge::camera::{Camera, Decode, Login, Make, Profile, Source, StreamUrl};
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use figment::value::Dict;
use rumqttc::QoS;
use std::path::Path;
use std::time::Duration;
use tuoan_protocol::{DeviceId, SiteId};

/// The bridge as a program of its own.
#[derive(Debug, Clone)]
pub struct Bridge {
    pub site: SiteId,
    pub broker: Client,
    pub qos: QoS,
    pub cameras: Vec<Camera>,
}

/// Reads `bridge.toml`.
///
/// # Errors
/// With all that is wrong.
pub fn load(file: &Path) -> Result<Bridge, Problems> {
    read_file(file, |dict, base, problems| {
        let mut f = Fields::new("bridge", dict, problems);
        let site: Option<String> = f.need("site", "the site's id, as in the gateway's site file, e.g. site = \"xingyuan\"");
        let site = site.and_then(|s| {
            let id = SiteId::new(&s);
            if id.is_err() {
                f.problem("site", format!("{s:?} is no site id"));
            }
            id.ok()
        });
        let broker = f.table("broker").or_else(|| {
            f.problem("broker", "is missing; write [bridge.broker] with url = \"mqtt://127.0.0.1:1883\", user and password_file");
            None
        });
        let broker = broker.map(|d| read_broker(d, base, f.problems()));
        let cameras = read_cameras(f.tables("camera"), base, f.problems());
        if cameras.is_empty() && f.problems().is_empty() {
            f.problem("camera", "is missing; write a [[bridge.camera]] for each camera");
        }
        f.finish();
        let (broker, qos) = broker??;
        Some(Bridge { site: site?, broker, qos, cameras })
    })
}

/// The cameras of `bridge.toml` or of the gateway's configuration, whatever else stands there.
///
/// # Errors
/// With all that is wrong with them.
pub fn cameras_of(file: &Path) -> Result<Vec<Camera>, Problems> {
    read_file(file, |mut dict, base, problems| {
        dict.retain(|key, _| key == "camera");
        let mut f = Fields::new("bridge", dict, problems);
        Some(read_cameras(f.tables("camera"), base, f.problems()))
    })
}

/// The `[bridge]` table of a file and the environment; other tables are not looked at.
fn read_file<T>(file: &Path, read: impl FnOnce(Dict, &Path, &mut Vec<Problem>) -> Option<T>) -> Result<T, Problems> {
    let place = Some(file.display().to_string());
    let whole = |text: String| Problems(vec![Problem { key: String::new(), place: place.clone(), text }]);
    let text = std::fs::read_to_string(file).map_err(|e| whole(format!("cannot be read: {e}")))?;
    // The parser's own message shows the line, which may hold a secret.
    toml::from_str::<toml::Table>(&text).map_err(|e| {
        let line = e.span().and_then(|s| text.get(..s.start)).map_or(1, |t| t.bytes().filter(|b| *b == b'\n').count() + 1);
        whole(format!("line {line} is no TOML: {}", e.message()))
    })?;
    let figment = Figment::new().merge(Toml::string(&text)).merge(Env::prefixed("TUOAN_").split("__").only(&["bridge"]));
    let mut dict: Dict = figment.extract().map_err(|e| whole(e.to_string()))?;
    let dict = match dict.remove("bridge") {
        Some(figment::value::Value::Dict(_, d)) => d,
        _ => return Err(whole("has no [bridge]; docs/cameras.md shows one".to_owned())),
    };
    let mut problems = Vec::new();
    let base = file.parent().unwrap_or(Path::new("."));
    let found = read(dict, base, &mut problems);
    for p in &mut problems {
        if p.place.is_none() {
            p.place = Some(match super::line_of(&text, &p.key) {
                Some(line) => format!("{}:{line}", file.display()),
                None => file.display().to_string(),
            });
        }
    }
    match found {
        Some(found) if problems.is_empty() => Ok(found),
        _ => Err(Problems(problems)),
    }
}

fn read_broker(dict: Dict, base: &Path, problems: &mut Vec<Problem>) -> Option<(Client, QoS)> {
    let mut f = Fields::new("bridge.broker", dict, problems);
    let url = url(&mut f, &["mqtt://", "mqtts://"], "mqtt://127.0.0.1:1883");
    let username = f.take("user");
    let password = secret(&mut f, "password", "password_file", base, username.is_some());
    let qos = match f.take::<u8>("qos") {
        Some(0) => QoS::AtMostOnce,
        None | Some(1) => QoS::AtLeastOnce,
        Some(other) => {
            f.problem("qos", format!("{other} is not offered; write 0 or 1"));
            QoS::AtLeastOnce
        }
    };
    let client_id: String = f.take("client_id").unwrap_or_else(|| "tuoan-camera".to_owned());
    let ca = f.take::<std::path::PathBuf>("ca").map(|p| base.join(p));
    f.finish();
    Some((Client { url: url?, client_id, username, password, topics: Vec::new(), max_packet_bytes: 0, ca }, qos))
}

/// The cameras that are right; the rest is told.
pub(super) fn read_cameras(tables: Vec<Dict>, base: &Path, problems: &mut Vec<Problem>) -> Vec<Camera> {
    let mut cameras: Vec<Camera> = Vec::new();
    for (i, d) in tables.into_iter().enumerate() {
        let mut f = Fields::new(&format!("bridge.camera[{i}]"), d, problems);
        let id: Option<String> = f.need("id", "the camera's device id here, as in the site file, e.g. id = \"cam-hall\"");
        let id = id.and_then(|n| match DeviceId::new(&n) {
            Ok(id) if cameras.iter().all(|c| c.id != id) => Some(id),
            Ok(_) => {
                f.problem("id", format!("{n:?} stands twice; ids must differ"));
                None
            }
            Err(_) => {
                f.problem("id", format!("{n:?} does not fit; use up to {} bytes without spaces, / + #", DeviceId::MAX));
                None
            }
        });
        let source = read_source(&mut f);
        let user: Option<String> = f.take("user");
        let password = secret(&mut f, "password", "password_file", base, user.is_some());
        if user.is_none() && password.is_some() {
            f.problem("user", "is missing; a password without a user opens nothing");
        }
        if user.as_deref().is_some_and(|u| u.is_empty() || u.contains(':')) {
            f.problem("user", "must not be empty nor hold a colon");
        }
        let login = user.zip(password).map(|(user, password)| Login { user, password });
        let profile = match f.take::<String>("profile").as_deref() {
            None | Some("sub") => Profile::Smallest,
            Some("main") => Profile::Main,
            Some(name) if matches!(source, Some(Source::Onvif { .. })) => Profile::Named(name.to_owned()),
            Some(name) => {
                f.problem(
                    "profile",
                    format!("{name:?} is not known here; write \"sub\" or \"main\" (a profile's name needs make = \"onvif\")"),
                );
                Profile::Smallest
            }
        };
        let fps: f64 = f.take("fps").unwrap_or(1.0);
        if !(0.2..=10.0).contains(&fps) {
            f.problem("fps", "must be 0.2 to 10 frames a second");
        }
        let width: u16 = f.take("width").unwrap_or(512);
        if !(160..=1920).contains(&width) {
            f.problem("width", "must be 160 to 1920 pixels");
        }
        let decode: Decode = f.take("decode").unwrap_or_default();
        let stall_s: u64 = f.take("stall_s").unwrap_or(10);
        if !(5..=600).contains(&stall_s) {
            f.problem("stall_s", "must be 5 to 600 seconds");
        }
        if i >= MAX_CAMERAS {
            f.problem("id", format!("is one too many; {MAX_CAMERAS} cameras are the most"));
        }
        f.finish();
        if let (Some(id), Some(source)) = (id, source) {
            cameras.push(Camera { id, source, login, profile, fps, width, decode, stall: Duration::from_secs(stall_s) });
        }
    }
    cameras
}

fn read_source(f: &mut Fields<'_>) -> Option<Source> {
    let (url, address): (Option<String>, Option<String>) = (f.take("url"), f.take("address"));
    let make: Option<String> = f.take("make");
    let channel: Option<u16> = f.take("channel");
    match (url, address) {
        (Some(url), None) => {
            if make.is_some() || channel.is_some() {
                f.problem("url", "says all; leave make and channel out, or give address instead");
            }
            match StreamUrl::new(&url) {
                Ok(url) => Some(Source::Url(url)),
                Err(e) => {
                    f.problem("url", e);
                    None
                }
            }
        }
        (None, Some(host)) => {
            // The host alone decides where a password goes.
            if host.contains(['/', '@', '?', '#', '\\']) || StreamUrl::new(&format!("rtsp://{host}/")).is_err() {
                f.problem("address", format!("{:?} must be a host or host:port", host.rsplit('@').next().unwrap_or_default()));
                return None;
            }
            let known = match make.as_deref() {
                Some("hikvision") => Make::Hikvision,
                Some("dahua") => Make::Dahua,
                Some("uniview") => Make::Uniview,
                None | Some("onvif") => {
                    if channel.is_some() {
                        f.problem("channel", "is not asked for by ONVIF; name a profile instead");
                    }
                    return Some(Source::Onvif { host });
                }
                Some(other) => {
                    f.problem(
                        "make",
                        format!("{other:?} is not known; write \"hikvision\", \"dahua\", \"uniview\" or \"onvif\", or give the url"),
                    );
                    return None;
                }
            };
            let channel = channel.unwrap_or(1);
            if channel == 0 {
                f.problem("channel", "counts from 1");
            }
            Some(Source::Make { make: known, host, channel })
        }
        (Some(_), Some(_)) => {
            f.problem("address", "and url exclude each other; keep one");
            None
        }
        (None, None) => {
            f.problem("url", "is missing; write url = \"rtsp://192.168.1.64/Streaming/Channels/102\", or address and make");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pw"), "hunter2\n").unwrap();
        let path = dir.path().join("bridge.toml");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn cameras_are_read_and_no_secret_is_shown() {
        let (_dir, path) = file(
            "[bridge]\nsite = \"s\"\n[bridge.broker]\nurl = \"mqtt://127.0.0.1\"\nuser = \"cameras\"\npassword_file = \"pw\"\nqos = 0\n\
             [[bridge.camera]]\nid = \"a\"\nurl = \"rtsp://10.0.0.1/x\"\nuser = \"u\"\npassword_file = \"pw\"\nfps = 0.5\n\
             [[bridge.camera]]\nid = \"b\"\naddress = \"10.0.0.2:8554\"\nmake = \"dahua\"\nchannel = 2\nprofile = \"main\"\ndecode = \"vaapi\"\n\
             [[bridge.camera]]\nid = \"c\"\naddress = \"10.0.0.3\"\nprofile = \"Profile_2\"\n",
        );
        let b = load(&path).unwrap();
        assert_eq!((b.cameras.len(), b.qos, b.broker.username.as_deref()), (3, QoS::AtMostOnce, Some("cameras")));
        assert_eq!(b.cameras[1].source, Source::Make { make: Make::Dahua, host: "10.0.0.2:8554".into(), channel: 2 });
        assert_eq!((&b.cameras[2].profile, b.cameras[1].decode), (&Profile::Named("Profile_2".into()), Decode::Vaapi));
        assert!(!format!("{b:?}").contains("hunter2"));
        assert_eq!(cameras_of(&path).unwrap(), b.cameras);
    }

    #[test]
    fn all_problems_are_told_with_their_lines_and_without_secrets() {
        let (_dir, path) = file(
            "[bridge]\nsite = \"s\"\n[bridge.broker]\nurl = \"mqtt://h\"\nqos = 2\n\
             [[bridge.camera]]\nid = \"a\"\nurl = \"rtsp://admin:hunter2@10.0.0.1/x\"\nfps = 50\nwidth = 4000\nstall_s = 1\n\
             [[bridge.camera]]\nid = \"a\"\naddress = \"admin:hunter2@h\"\n\
             [[bridge.camera]]\nid = \"c\"\naddress = \"h\"\nmake = \"acme\"\n[[bridge.camera]]\nid = \"d\"\nurl = \"rtsp://h/\"\nprofile = \"x\"\nsurprise = 1\n",
        );
        let text = load(&path).unwrap_err().to_string();
        for part in [
            "bridge.toml:5: bridge.broker.qos",
            "bridge.toml:8: bridge.camera[0].url: must not hold a user",
            "bridge.toml:9: bridge.camera[0].fps",
            "camera[0].width",
            "camera[0].stall_s",
            "camera[1].address",
            "camera[2].make",
            "camera[3].profile",
            "camera[3].surprise",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
}
