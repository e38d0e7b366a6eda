//! What is wrong with a camera's set-up. The text is English, for files and logs; a page words it in its reader's language by key and numbers.
use crate::setup::{AREAS, CORNERS, PLACES, RATE};

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("frames_per_10s is {rate}: give a number from {} to {}", RATE.start(), RATE.end())]
    Rate { rate: u16 },
    #[error("{n} areas are drawn: draw at most {AREAS}")]
    Areas { n: usize },
    #[error("has {n} corners: draw {} to {}", CORNERS.start(), CORNERS.end())]
    Corners { n: usize },
    #[error("corner {corner} lies outside of the picture: coordinates go from 0 to 1000")]
    CornerOutside { corner: usize },
    #[error("corners {first} and {second} are the same point: remove one")]
    SamePoint { first: usize, second: usize },
    #[error(
        "its outline crosses itself, the side from corner {first} meets the side from corner {second}: draw the corners in order around it"
    )]
    Crosses { first: usize, second: usize },
    #[error("is smaller than a thousandth of the picture: draw it larger or remove it")]
    Small,
    #[error("the person is {cm} cm tall: let an adult of 100 to 220 cm walk")]
    Tall { cm: u16 },
    #[error("{n} places are marked: mark {} to {}", PLACES.start(), PLACES.end())]
    Places { n: usize },
    #[error("place {place} lies outside of the picture: coordinates go from 0 to 1000")]
    PlaceOutside { place: usize },
    #[error("place {place}: the head must be clearly above the feet; the feet come first")]
    HeadBelowFeet { place: usize },
    #[error("the places are nearly in one line: let the person stand near, far, left and right")]
    InLine,
    #[error("the rectangle measures {width_cm} by {depth_cm} cm: use sides of 50 to 3000 cm")]
    Sides { width_cm: u16, depth_cm: u16 },
    #[error("the camera hangs at {cm} cm: give its height above the floor, 100 to 800 cm")]
    Hangs { cm: u16 },
    #[error("the marks fit no camera: mark them again")]
    NoCamera,
    #[error(
        "the marks miss a flat floor by {} % of the picture's height (at most {most_percent} %): mark them again, feet where they touch the floor",
        f64::from(*permille) / 10.0
    )]
    Misses { permille: u32, most_percent: u32 },
    #[error("the marks mean a camera at {} m that looks {degrees}° down: mark them again", f64::from(*cm) / 100.0)]
    Absurd { cm: i32, degrees: i32 },
}

impl Fault {
    /// Names the message that says it.
    pub fn key(self) -> &'static str {
        match self {
            Fault::Rate { .. } => "fault-rate",
            Fault::Areas { .. } => "fault-areas",
            Fault::Corners { .. } => "fault-corners",
            Fault::CornerOutside { .. } => "fault-corner-outside",
            Fault::SamePoint { .. } => "fault-same-point",
            Fault::Crosses { .. } => "fault-crosses",
            Fault::Small => "fault-small",
            Fault::Tall { .. } => "fault-tall",
            Fault::Places { .. } => "fault-places",
            Fault::PlaceOutside { .. } => "fault-place-outside",
            Fault::HeadBelowFeet { .. } => "fault-head-below-feet",
            Fault::InLine => "fault-in-line",
            Fault::Sides { .. } => "fault-sides",
            Fault::Hangs { .. } => "fault-hangs",
            Fault::NoCamera => "fault-no-camera",
            Fault::Misses { .. } => "fault-misses",
            Fault::Absurd { .. } => "fault-absurd",
        }
    }

    /// The numbers in that message, by name: at most two.
    pub fn numbers(self) -> Vec<(&'static str, i64)> {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        match self {
            Fault::Rate { rate } => vec![("n", rate.into())],
            Fault::Areas { n } | Fault::Corners { n } | Fault::Places { n } => vec![("n", count(n))],
            Fault::CornerOutside { corner: n } | Fault::PlaceOutside { place: n } | Fault::HeadBelowFeet { place: n } => {
                vec![("n", count(n))]
            }
            Fault::SamePoint { first, second } | Fault::Crosses { first, second } => vec![("a", count(first)), ("b", count(second))],
            Fault::Tall { cm } | Fault::Hangs { cm } => vec![("n", cm.into())],
            Fault::Sides { width_cm, depth_cm } => vec![("a", width_cm.into()), ("b", depth_cm.into())],
            Fault::Misses { permille, most_percent } => vec![("a", permille.into()), ("b", most_percent.into())],
            Fault::Absurd { cm, degrees } => vec![("a", cm.into()), ("b", degrees.into())],
            Fault::Small | Fault::InLine | Fault::NoCamera => Vec::new(),
        }
    }
}
