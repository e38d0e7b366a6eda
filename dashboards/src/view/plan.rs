//! The floor plan: rooms and devices where they are, each with how it does. Coordinates are those of the drawing: [`WIDE`] across.

use std::borrow::Borrow;

/// Width of a drawing in its own units.
pub const WIDE: u16 = 1000;

#[derive(Debug, Clone, Default)]
pub struct PlanPage {
    pub version: u64,
    pub floors: Vec<Floor>,
    /// Devices that hang nowhere yet, where they can be dragged onto it.
    pub tray: Vec<super::setup::Found>,
    /// The site file holds what the gateway does not yet go by.
    pub waiting: bool,
    pub notice: Option<String>,
    pub problems: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Floor {
    pub floor: i8,
    /// Height of the drawing in its units.
    pub tall: u32,
    /// There is a picture; changes with it.
    pub picture: Option<u64>,
    pub rooms: Vec<Room>,
    pub spots: Vec<Spot>,
}

#[derive(Debug, Clone, Default)]
pub struct Room {
    pub id: String,
    pub name: String,
    pub x: u32,
    pub y: u32,
    pub w: u32,
    pub h: u32,
    /// `calm`, `unseen`, or that of its gravest open incident: `s1` to `s4`.
    pub state: &'static str,
    /// False: its rectangle is not drawn yet.
    pub drawn: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Spot {
    pub id: String,
    pub name: String,
    pub role: String,
    /// Its room.
    pub place: String,
    pub x: u32,
    pub y: u32,
    /// `well`, `alarm`, `lost`, `waiting` (never heard).
    pub state: &'static str,
    /// UTC milliseconds of its last word.
    pub heard: Option<i64>,
}

/// States of rooms and devices: words of the messages (`plan-...`).
pub const ROOM_STATES: [&str; 6] = ["calm", "unseen", "s1", "s2", "s3", "s4"];
pub const SPOT_STATES: [&str; 4] = ["well", "alarm", "lost", "waiting"];

impl Room {
    /// The corner by which it is made larger.
    pub fn grip(&self) -> (u32, u32) {
        ((self.x + self.w).saturating_sub(24), (self.y + self.h).saturating_sub(24))
    }
    /// The middle of its upper edge, where its name stands.
    pub fn label(&self) -> (u32, u32) {
        (self.x + self.w / 2, self.y + 32)
    }
}
impl Floor {
    /// Thousandths of the height, for forms.
    pub fn share(&self, y: impl Borrow<u32>) -> u32 {
        *y.borrow() * u32::from(WIDE) / self.tall.max(1)
    }
}
