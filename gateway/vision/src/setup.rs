//! What an installer says of a camera, as it stands in the site file. Integers only: it is part of the log's configuration.
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// A corner, in thousandths of the picture's width and height from its upper left corner.
pub type Corner = [u16; 2];

/// Corners of an area.
pub const CORNERS: std::ops::RangeInclusive<usize> = 3..=32;
/// Areas of a camera.
pub const AREAS: usize = 64;
/// Places where a person stood for calibration.
pub const PLACES: std::ops::RangeInclusive<usize> = 3..=32;
/// Frames in ten seconds.
pub const RATE: std::ops::RangeInclusive<u16> = 2..=100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AreaKind {
    /// The floor of a room where children are.
    Room,
    /// The floor before an exit.
    Exit,
    /// A cot or mattress.
    Bed,
    /// A window with its sill, or a shelf: where nobody shall climb.
    Window,
    Stairs,
    Kitchen,
    /// An escape route that must be kept clear.
    Escape,
    /// Nothing here counts: a mirror, a screen, a street behind glass.
    Ignore,
}

/// A polygon on the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    pub kind: AreaKind,
    /// The site's zone that its findings belong to; that of the camera when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// 3 to 32 corners.
    pub corners: Vec<Corner>,
}

/// How the floor lies in the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Floor {
    /// Feet and top of the head of a person of known height, at 3 places or more that are not in one line.
    Walked { height_cm: u16, places: Vec<[Corner; 2]> },
    /// The corners of a rectangle on the floor, of known sides: first along `width_cm`, then along `depth_cm`; and how high the camera hangs.
    Rectangle { corners: [Corner; 4], width_cm: u16, depth_cm: u16, camera_cm: u16 },
}

/// One camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// The placed device of role `camera`.
    pub device: String,
    #[serde(default)]
    pub areas: Vec<Area>,
    /// Without it nobody is an adult or a child, and the rules about children are off for this camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Floor>,
    /// Frames that it shall send in ten seconds, 2 to 100; fewer than half of them is blindness.
    #[serde(default = "ten", rename = "frames_per_10s")]
    pub rate: u16,
}

fn ten() -> u16 {
    10
}

/// What of a camera's set-up cannot be used, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("area {number} ({kind:?}): {what}")]
    Area { number: usize, kind: AreaKind, what: Fault },
    #[error("floor: {0}")]
    Floor(Fault),
    #[error("{0}")]
    Camera(Fault),
}

/// All that is wrong with a camera's set-up, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupError {
    pub device: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl std::fmt::Display for SetupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "camera {}: ", self.device)?;
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for SetupError {}

impl Camera {
    /// # Errors
    /// Something cannot be used; the error names all of it.
    pub fn check(&self) -> Result<(), SetupError> {
        let mut problems = Vec::new();
        if !RATE.contains(&self.rate) {
            problems.push(Problem::Camera(Fault::Rate { rate: self.rate }));
        }
        if self.areas.len() > AREAS {
            problems.push(Problem::Camera(Fault::Areas { n: self.areas.len() }));
        }
        for (index, area) in self.areas.iter().enumerate() {
            if let Some(what) = crate::scene::area::check(area) {
                problems.push(Problem::Area { number: index + 1, kind: area.kind, what });
            }
        }
        if let Some(what) = self.floor.as_ref().and_then(crate::scene::floor::check) {
            problems.push(Problem::Floor(what));
        }
        if problems.is_empty() { Ok(()) } else { Err(SetupError { device: self.device.clone(), problems }) }
    }
}
