//! What the camera shows when it sees: learned, kept across restarts, following the daylight.
use serde::{Deserialize, Serialize};

use super::luma::Luma;

/// Cells across and down: a person at the far wall is still several cells high, and a shift of 1 % of the width is more than a cell.
pub const WIDTH: usize = 160;
pub const HEIGHT: usize = 90;

/// The learned views, as they are kept on disk: about 60 kB of JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// In colour, and without: at night a camera looks in infrared, where cloth, wood and paint have another brightness and its own lamp throws the shadows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) colour: Option<Learnt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grey: Option<Learnt>,
}

impl Reference {
    pub(super) fn is_empty(&self) -> bool {
        self.colour.is_none() && self.grey.is_none()
    }
}

/// One learned view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Learnt {
    /// Brightness of `WIDTH` x `HEIGHT` cells, 0 to 255.
    cells: Vec<f32>,
    /// How many pictures it was learned from, up to a limit of no meaning.
    pictures: u32,
}

/// Brightness rounded, in hexadecimal digits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    pictures: u32,
    cells: String,
}

impl From<Learnt> for Stored {
    fn from(r: Learnt) -> Stored {
        let bytes: Vec<u8> = r.cells.iter().map(|v| v.round().clamp(0.0, 255.0) as u8).collect();
        Stored { pictures: r.pictures, cells: hex::encode(bytes) }
    }
}

impl TryFrom<Stored> for Learnt {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Learnt, String> {
        let bytes = hex::decode(&stored.cells).map_err(|e| format!("the learned view's cells: {e}"))?;
        if bytes.len() != WIDTH * HEIGHT {
            return Err(format!(
                "the learned view has {} cells, {} are needed: it is learned anew when its file is removed",
                bytes.len(),
                WIDTH * HEIGHT
            ));
        }
        Ok(Learnt { cells: bytes.into_iter().map(f32::from).collect(), pictures: stored.pictures })
    }
}

impl Learnt {
    /// `picture` is `WIDTH` x `HEIGHT`; other sizes are no reference.
    pub fn of(picture: &Luma) -> Option<Learnt> {
        (picture.data.len() == WIDTH * HEIGHT).then(|| Learnt { cells: picture.data.iter().map(|v| f32::from(*v)).collect(), pictures: 1 })
    }

    /// Moves towards `picture` by `rate`, 0 to 1.
    pub fn follow(&mut self, picture: &Luma, rate: f32) {
        self.pictures = self.pictures.saturating_add(1);
        for (cell, now) in self.cells.iter_mut().zip(&picture.data) {
            *cell += rate * (f32::from(*now) - *cell);
        }
    }

    pub fn cells(&self) -> &[f32] {
        &self.cells
    }

    pub fn pictures(&self) -> u32 {
        self.pictures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> Luma {
        Luma { width: WIDTH, height: HEIGHT, data: (0..WIDTH * HEIGHT).map(|i| (i % 251) as u8).collect() }
    }

    #[test]
    fn it_survives_a_restart() {
        let mut learnt = Learnt::of(&view()).unwrap();
        learnt.follow(&view(), 0.5);
        let reference = Reference { colour: Some(learnt), grey: Learnt::of(&view()) };
        let text = serde_json::to_string(&reference).unwrap();
        assert!(text.len() < 64_000, "{}", text.len());
        assert_eq!(serde_json::from_str::<Reference>(&text).unwrap(), reference);
    }

    #[test]
    fn a_damaged_one_is_refused() {
        for text in [r#"{"colour":{"pictures":1,"cells":"00"}}"#, r#"{"grey":{"pictures":1,"cells":"zz"}}"#, r#"{"pictures":1,"cells":""}"#]
        {
            assert!(serde_json::from_str::<Reference>(text).is_err(), "{text}");
        }
    }
}
