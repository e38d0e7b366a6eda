//! Network cameras (RTSP, ONVIF) as sources of frames: `tuoan camera-bridge`, and the same inside of the gateway.
//!
//! | file | does |
//! |---|---|
//! | `camera.rs` | what the configuration says; where each make's streams are |
//! | `onvif/` | asks a camera for its streams; finds cameras |
//! | `decoder.rs`, `confine.rs` | ffmpeg: hardware, arguments, start, confinement |
//! | `cause.rs` | ffmpeg's words: the stream, and why there is none |
//! | `splitter.rs` | ffmpeg's pictures, one by one |
//! | `supervise.rs` | one camera's task: connect, watch, begin again |
//! | `outlet.rs` | frames and presence to the desk or a broker, newest wins |
//! | `cli.rs` | the command |
//!
//! Why decoding is another process's: `docs/decisions/0009-camera-bridge.md`.
use crate::clock::Clock;
use crate::metrics::Metrics;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub mod camera;
mod cause;
pub mod cli;
pub mod confine;
mod decoder;
mod onvif;
mod outlet;
mod splitter;
mod supervise;

pub use camera::Camera;
pub use decoder::Launcher;
pub use outlet::{Outlet, Voice};

/// The decoder, to be found in `PATH`.
const FFMPEG: &str = "ffmpeg";
/// Most cameras of one bridge: as many as the frame desk takes.
pub const MAX_CAMERAS: usize = crate::ingest::frames::MAX_CAMERAS;

/// The version of the ffmpeg that would be used.
///
/// # Errors
/// There is none that can be: what to do.
pub async fn ffmpeg() -> Result<String, String> {
    decoder::Ffmpeg::find(Path::new(FFMPEG)).await.map(|f| f.version).map_err(|e| e.to_string())
}

/// Starts a task for each camera; they end with `stop`, and their decoders with them.
pub fn start(
    cameras: Vec<(Camera, Outlet)>,
    launcher: &Launcher,
    metrics: &Arc<Metrics>,
    clock: &Clock,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for (camera, outlet) in cameras {
        let task = supervise::Task {
            camera,
            program: PathBuf::from(FFMPEG),
            launcher: launcher.clone(),
            outlet,
            metrics: Arc::clone(metrics),
            clock: clock.clone(),
        };
        tasks.spawn(task.run(stop.clone()));
    }
    tasks
}
