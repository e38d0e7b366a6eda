//! `[vision]` how cameras are looked at, `[pictures]` what is kept of them, `[[hikvision]]` whose event streams are read.
use super::fields::{Fields, Problem};
use super::{Secret, secret, url};
use crate::cameras;
use crate::cameras::gate::ANYWAY_S;
use crate::ingest::frames::{MAX_FPS, Mapped, TopicSpec};
use crate::ingest::hikvision;
use figment::value::Dict;
use std::path::{Path, PathBuf};

/// How the cameras of the site file are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vision {
    /// False: frames are counted and forgotten, and no zone counts as watched by a camera.
    pub enabled: bool,
    /// Threads that run the models, 1 to [`MAX_WORKERS`]; `None`: as many as the machine has cores, less one.
    pub workers: Option<u8>,
    /// Most frames a second that are taken of one camera.
    pub fps: u8,
    /// The models run only when nobody else wants to (SCHED_IDLE). False is for measuring what that is worth.
    pub idle: bool,
    /// A still picture is looked at so often, in seconds.
    pub look_anyway_s: u16,
    /// Cameras that publish on topics of their own.
    pub topics: Vec<TopicSpec>,
}

impl Default for Vision {
    fn default() -> Vision {
        Vision { enabled: true, workers: None, fps: MAX_FPS, idle: true, look_anyway_s: ANYWAY_S, topics: Vec::new() }
    }
}

/// More would take the other parts' memory and gain nothing on such boxes.
pub const MAX_WORKERS: u8 = 4;

/// Pictures of an incident are evidence, and kept at least so long where there is room.
const LEAST_PICTURE_DAYS: u32 = 90;

pub(super) fn read_pictures(dict: Dict, base: &Path, problems: &mut Vec<Problem>) -> (cameras::Settings, Option<Secret>) {
    let mut f = Fields::new("pictures", dict, problems);
    let own = cameras::Settings::default();
    let mut number = |name: &'static str, own: u32, least: u32, most: u32| {
        let n: u32 = f.take(name).unwrap_or(own);
        if !(least..=most).contains(&n) {
            f.problem(name, format!("{n} does not go; write a number from {least} to {most}"));
        }
        n.clamp(least, most)
    };
    let mut settings = cameras::Settings {
        ring_mb: number("ring_mb", own.ring_mb, 1, 4096),
        evidence_mb: number("evidence_mb", own.evidence_mb, 16, 1 << 20),
        evidence_days: number("evidence_days", own.evidence_days, 0, 3650),
        stills_mb: number("stills_mb", own.stills_mb, 0, 1 << 16),
        stills_days: number("stills_days", own.stills_days, 0, 3650),
        looks_mb: number("looks_mb", own.looks_mb, 0, 1 << 12),
        key_file: f.take::<PathBuf>("key_file").map(|p| base.join(p)),
        live: f.take("live").unwrap_or(own.live),
    };
    settings.evidence_days = f.at_least("evidence_days", settings.evidence_days, LEAST_PICTURE_DAYS);
    settings.stills_days = f.at_least("stills_days", settings.stills_days, LEAST_PICTURE_DAYS);
    let viewing = secret(&mut f, "viewing_password", "viewing_password_file", base, false);
    f.finish();
    (settings, viewing)
}

pub(super) fn read_hikvision(tables: Vec<Dict>, base: &Path, problems: &mut Vec<Problem>) -> Vec<hikvision::Source> {
    let mut sources: Vec<hikvision::Source> = Vec::new();
    for (i, d) in tables.into_iter().enumerate() {
        let mut f = Fields::new(&format!("hikvision[{i}]"), d, problems);
        let name: Option<String> = f.need("name", "the name that the camera or recorder shall have here, e.g. name = \"yard\"");
        let name = name.filter(|n| {
            let fits = !n.contains('.') && n.len() <= 40 && tuoan_protocol::DeviceId::new(n).is_ok();
            if !fits {
                f.problem("name", format!("{n:?} does not fit; use up to 40 bytes without spaces, dots, / + #"));
            } else if sources.iter().any(|o| o.name == *n) {
                f.problem("name", format!("{n:?} stands twice; names must differ"));
            }
            fits
        });
        let url = url(&mut f, &["http://", "https://"], "https://192.168.1.64");
        if let Some(Err(e)) = url.as_deref().map(hikvision::Source::address) {
            f.problem("url", e);
        }
        let user: Option<String> = f.need("user", "a user of the device that may see its events, and nothing else");
        let password = secret(&mut f, "password", "password_file", base, true);
        let certificate = f.take::<String>("certificate_sha256").and_then(|text| {
            let bytes = hex::decode(text.replace(':', "")).ok().and_then(|b| <[u8; 32]>::try_from(b).ok());
            if bytes.is_none() {
                f.problem("certificate_sha256", "must be 64 hexadecimal digits, as `openssl x509 -fingerprint -sha256` prints them");
            }
            bytes
        });
        if certificate.is_some() && url.as_deref().is_some_and(|u| u.starts_with("http://")) {
            f.problem("certificate_sha256", "needs an https:// url");
        }
        let stall_s: u64 = f.take("stall_s").unwrap_or(60);
        if !(15..=600).contains(&stall_s) {
            f.problem("stall_s", "must be 15 to 600 seconds");
        }
        let recordings: Vec<u32> = f.take("recordings").unwrap_or_default();
        if recordings.len() > 64 || recordings.iter().any(|c| !(1..=512).contains(c)) {
            f.problem("recordings", "must be a list of at most 64 channels from 1 to 512, e.g. recordings = [1, 2, 3]");
        }
        f.finish();
        if let (Some(name), Some(url), Some(user), Some(password)) = (name, url, user, password) {
            let stall = std::time::Duration::from_secs(stall_s);
            sources.push(hikvision::Source { name, url, user, password, certificate, stall, recordings });
        }
    }
    sources
}

pub(super) fn read_vision(dict: Dict, problems: &mut Vec<Problem>) -> Vision {
    let mut f = Fields::new("vision", dict, problems);
    let default = Vision::default();
    let enabled = f.take("enabled").unwrap_or(default.enabled);
    let workers = f.take("workers");
    if workers.is_some_and(|n| !(1..=MAX_WORKERS).contains(&n)) {
        f.problem("workers", format!("must be 1 to {MAX_WORKERS}; left out, it is one less than the machine has cores"));
    }
    let fps = f.take("fps").unwrap_or(default.fps);
    if !(1..=MAX_FPS).contains(&fps) {
        f.problem("fps", format!("must be 1 to {MAX_FPS} frames a second"));
    }
    let idle = f.take("idle").unwrap_or(default.idle);
    let look_anyway_s = f.take("look_anyway_s").unwrap_or(default.look_anyway_s);
    if !(1..=60).contains(&look_anyway_s) {
        f.problem("look_anyway_s", format!("is {look_anyway_s}; write 1 to 60 seconds, {ANYWAY_S} if in doubt"));
    }
    let topics: Vec<TopicSpec> = f.take("topic").unwrap_or_default();
    for spec in &topics {
        for text in Mapped::compile(spec).err().unwrap_or_default() {
            f.problem("topic", format!("{}: {text}", spec.topic));
        }
    }
    f.finish();
    Vision { enabled, workers, fps, idle, look_anyway_s, topics }
}
