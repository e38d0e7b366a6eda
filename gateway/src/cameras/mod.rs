//! Cameras: from frames to what is seen, and what becomes of the pictures.
//!
//! | file | holds |
//! |---|---|
//! | [`watch`] | the watch over all cameras: frames in, what is seen out; pure but for the pictures it keeps |
//! | [`eyes`] | its thread, and the models |
//! | [`fuse`] | what the cameras of a zone show together -> the engine's inputs |
//! | [`attention`] | how hard a frame is looked at |
//! | [`gate`] | which frames are worth a look |
//! | [`schedule`] | whose frame is looked at next, and whether the models keep up |
//! | [`worker`] | the threads that run the models, and who watches over them |
//! | [`live`] | figures of each camera for the pages, and its blurred picture while somebody may watch |
//! | [`ring`] | the last minute of originals, in memory |
//! | [`evidence`] | the minute before and after an incident, sealed on disk |
//! | [`looks`] | what the looks found, as numbers: the last minute, and which of it goes on record around an incident |
//! | [`seal`] | the sealed files |
//! | [`store`] | blurred stills, one for each incident and camera |
//! | [`keeper`] | follows the incident log: what is kept, and what is deleted |
//! | [`access`] | leave to see pictures, recorded before it is given |
pub mod access;
pub mod attention;
pub mod evidence;
pub mod eyes;
pub mod fuse;
pub mod gate;
pub mod keeper;
pub mod live;
pub mod looks;
pub mod ring;
pub mod schedule;
pub mod seal;
pub mod store;
pub mod watch;
pub mod worker;

use evidence::Evidence;
use live::Live;
use ring::Ring;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Stills;
use tuoan_protocol::DeviceId;
use tuoan_vision::blur::BlurredJpeg;
use tuoan_vision::setup;

/// `[pictures]` of the configuration: what is kept of them, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Memory for the last minute of all cameras.
    pub ring_mb: u32,
    /// Disk for evidence, and days after which what nobody holds is deleted.
    pub evidence_mb: u32,
    pub evidence_days: u32,
    /// The key's file; `evidence.key` in the data folder when left out.
    pub key_file: Option<PathBuf>,
    /// Disk for blurred stills (0: none are kept), and days.
    pub stills_mb: u32,
    pub stills_days: u32,
    /// Room for what the looks found around incidents, boxes and key points (0: none of it is put on record); kept for `stills_days`, too.
    pub looks_mb: u32,
    /// False: nobody may watch a camera's picture, blurred as it is.
    pub live: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            ring_mb: 64,
            evidence_mb: 4096,
            evidence_days: 90,
            key_file: None,
            stills_mb: 256,
            stills_days: 90,
            looks_mb: 64,
            live: true,
        }
    }
}

/// Bytes of the disk that evidence leaves to the log.
const SPARE: u64 = 256 << 20;
const DAY_MS: i64 = 86_400_000;

/// Where pictures are, and who may see them. Cheap to clone; shared by worker, keeper and pages.
#[derive(Clone)]
pub struct Pictures {
    pub live: Live,
    pub ring: Ring,
    /// `None`: its folder or key cannot be used, which the log says.
    pub evidence: Option<Arc<Evidence>>,
    pub stills: Option<Arc<Stills>>,
    /// What the looks of the last minute found.
    pub looks: looks::Memory,
    /// How much of it is kept around incidents: bytes, and milliseconds.
    pub looks_kept: (u64, i64),
}

impl Pictures {
    /// `data` is the data folder, `setups` the cameras of the configuration in force, `now` UTC milliseconds. Blocks on the disk. A folder or key that
    /// cannot be used is said aloud and does without: the gateway must watch all the same.
    pub fn open(settings: &Settings, data: &Path, setups: Vec<setup::Camera>, now: i64) -> Pictures {
        let evidence = evidence::Settings {
            folder: data.join("evidence"),
            key: settings.key_file.clone().unwrap_or_else(|| data.join("evidence.key")),
            budget: u64::from(settings.evidence_mb) << 20,
            keep_ms: i64::from(settings.evidence_days) * DAY_MS,
            spare: SPARE,
        };
        let stills = store::Settings {
            folder: data.join("stills"),
            budget: u64::from(settings.stills_mb) << 20,
            keep_ms: i64::from(settings.stills_days) * DAY_MS,
        };
        let said = |e: &std::io::Error, what: &str| tracing::error!("{what} of incidents are not kept until the next start: {e}");
        Pictures {
            live: Live::new(setups),
            ring: Ring::new(usize::try_from(u64::from(settings.ring_mb) << 20).unwrap_or(usize::MAX)),
            evidence: Evidence::open(evidence, now).inspect_err(|e| said(e, "originals")).ok().map(Arc::new),
            stills: Stills::open(stills).inspect_err(|e| said(e, "stills")).ok().map(Arc::new),
            looks: looks::Memory::default(),
            looks_kept: (u64::from(settings.looks_mb) << 20, i64::from(settings.stills_days) * DAY_MS),
        }
    }

    /// Worker: whether a blurred still of that camera is asked for. Then it shall look at the next frame even if nothing moves.
    pub fn still_asked(&self, camera: &DeviceId, now: i64) -> bool {
        self.stills.as_ref().is_some_and(|s| s.asked(camera, now))
    }

    /// Worker: the still that was asked for. Blocks on the disk; one that it does not take is said and let go.
    pub fn still(&self, camera: &DeviceId, at: i64, picture: &BlurredJpeg) {
        if let Some(Err(e)) = self.stills.as_ref().map(|s| s.put(camera, at, picture)) {
            tracing::warn!("a still of {camera} is not kept: {e}");
        }
    }
}

/// How pictures begin: JPEG, PNG, GIF, WebP, HEIF; the first two in base64, too.
const BEGINNINGS: [&[u8]; 7] = [&[0xFF, 0xD8, 0xFF], b"\x89PNG\r\n", b"GIF8", b"WEBPVP8", b"ftypheic", b"/9j/", b"iVBORw0KGgo"];

/// Whether a picture may begin somewhere in these bytes. What merely looks like one counts: such bytes are not written in clear.
pub fn holds_picture(bytes: &[u8]) -> bool {
    BEGINNINGS.iter().any(|b| bytes.windows(b.len()).any(|w| w == *b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_found_wherever_it_begins_and_readings_are_none() {
        assert!(holds_picture(&[0xFF, 0xD8, 0xFF, 0xE0]));
        assert!(holds_picture(&[&[0xA5; 90][..], &[0xFF, 0xD8, 0xFF, 0xDB, 0]].concat()));
        assert!(holds_picture(br#"{"snapshot":"/9j/4AAQSkZJRgABAQ"}"#));
        assert!(holds_picture(b"data:image/png;base64,iVBORw0KGgoAAA"));
        assert!(!holds_picture(br#"{"temperature":23.4,"humidity":45,"linkquality":120}"#) && !holds_picture(b""));
    }
}
