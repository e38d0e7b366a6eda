//! Cameras: from frames to what is seen, and what becomes of the pictures.
//!
//! | file | holds |
//! |---|---|
//! | [`watch`] | the watch over all cameras: frames in, what is seen out; pure but for the pictures it keeps |
//! | [`eyes`] | its thread, and the models |
//! | [`fuse`] | what the cameras of a zone show together -> the engine's inputs |
//! | [`gate`] | which frames are worth a look |
//! | [`schedule`] | whose frame is looked at next, and whether the models keep up |
//! | [`worker`] | the threads that run the models, and who watches over them |
//! | [`live`] | figures of each camera for the pages, and its blurred picture while somebody may watch |
//! | [`ring`] | the last minute of originals, in memory |
//! | [`evidence`] | the minute before and after an incident, sealed on disk |
//! | [`seal`] | the sealed files |
//! | [`store`] | blurred stills, one for each incident and camera |
//! | [`keeper`] | follows the incident log: what is kept, and what is deleted |
//! | [`access`] | leave to see pictures, recorded before it is given |
pub mod access;
pub mod evidence;
pub mod eyes;
pub mod fuse;
pub mod gate;
pub mod keeper;
pub mod live;
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
    /// False: nobody may watch a camera's picture, blurred as it is.
    pub live: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { ring_mb: 64, evidence_mb: 4096, evidence_days: 90, key_file: None, stills_mb: 256, stills_days: 90, live: true }
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
    pub evidence: Arc<Evidence>,
    pub stills: Arc<Stills>,
}

impl Pictures {
    /// `data` is the data folder, `setups` the cameras of the configuration in force, `now` UTC milliseconds. Blocks on the disk.
    ///
    /// # Errors
    /// A folder or the key cannot be used; the text says what to do.
    pub fn open(settings: &Settings, data: &Path, setups: Vec<setup::Camera>, now: i64) -> std::io::Result<Pictures> {
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
        Ok(Pictures {
            live: Live::new(setups),
            ring: Ring::new(usize::try_from(u64::from(settings.ring_mb) << 20).unwrap_or(usize::MAX)),
            evidence: Arc::new(Evidence::open(evidence, now)?),
            stills: Arc::new(Stills::open(stills)?),
        })
    }
}
