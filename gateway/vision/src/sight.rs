//! What one frame shows. Coordinates are shares of the picture's width and height, 0 to 1, from its upper left corner.
use serde::Serialize;

/// A box with `x0 <= x1` and `y0 <= y1`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Rect {
    pub x0: f32,
    pub y0: f32,
    pub x1: f32,
    pub y1: f32,
}

impl Rect {
    pub fn width(&self) -> f32 {
        (self.x1 - self.x0).max(0.0)
    }
    pub fn height(&self) -> f32 {
        (self.y1 - self.y0).max(0.0)
    }
    pub fn area(&self) -> f32 {
        self.width() * self.height()
    }
    pub fn centre(&self) -> (f32, f32) {
        ((self.x0 + self.x1) / 2.0, (self.y0 + self.y1) / 2.0)
    }
    /// Area of what both cover.
    pub fn overlap(&self, other: &Rect) -> f32 {
        let w = self.x1.min(other.x1) - self.x0.max(other.x0);
        let h = self.y1.min(other.y1) - self.y0.max(other.y0);
        w.max(0.0) * h.max(0.0)
    }
    /// Intersection over union, 0 to 1.
    pub fn iou(&self, other: &Rect) -> f32 {
        let both = self.overlap(other);
        let all = self.area() + other.area() - both;
        if all > 0.0 { both / all } else { 0.0 }
    }
}

/// A joint or a feature of the face; `score` 0 to 1 says how sure the model is that it is there.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct KeyPoint {
    pub x: f32,
    pub y: f32,
    pub score: f32,
}

/// The 17 key points of COCO, in its order.
pub type Pose = [KeyPoint; 17];

/// Indices into a [`Pose`].
pub mod joint {
    pub const NOSE: usize = 0;
    pub const LEFT_EYE: usize = 1;
    pub const RIGHT_EYE: usize = 2;
    pub const LEFT_EAR: usize = 3;
    pub const RIGHT_EAR: usize = 4;
    pub const LEFT_SHOULDER: usize = 5;
    pub const RIGHT_SHOULDER: usize = 6;
    pub const LEFT_ELBOW: usize = 7;
    pub const RIGHT_ELBOW: usize = 8;
    pub const LEFT_WRIST: usize = 9;
    pub const RIGHT_WRIST: usize = 10;
    pub const LEFT_HIP: usize = 11;
    pub const RIGHT_HIP: usize = 12;
    pub const LEFT_KNEE: usize = 13;
    pub const RIGHT_KNEE: usize = 14;
    pub const LEFT_ANKLE: usize = 15;
    pub const RIGHT_ANKLE: usize = 16;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Posture {
    Standing,
    Sitting,
    Crouching,
    Bending,
    Lying,
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Person {
    #[serde(rename = "box")]
    pub bbox: Rect,
    /// 0 to 1.
    pub score: f32,
    /// `None`: only the detector saw this person.
    pub pose: Option<Pose>,
    pub posture: Posture,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Face {
    #[serde(rename = "box")]
    pub bbox: Rect,
    pub score: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThingKind {
    Bicycle,
    Motorcycle,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Thing {
    pub kind: ThingKind,
    #[serde(rename = "box")]
    pub bbox: Rect,
    pub score: f32,
}

/// All that one frame shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Sight {
    /// Pixels of the picture looked at: the aspect ratio, for geometry.
    pub width: u32,
    pub height: u32,
    pub people: Vec<Person>,
    pub faces: Vec<Face>,
    pub things: Vec<Thing>,
    /// More people may be there than were counted: the frame is beyond the proven capacity.
    pub at_least: bool,
    /// Places where some model supposes somebody, too doubtful to be counted. They are covered in what is shown; nothing else is made of them.
    #[serde(skip)]
    pub doubtful: Vec<Person>,
}
