//! A picture in memory.

/// A picture: 8 bits of red, green and blue a pixel, row after row, from the upper left corner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// `rgb` holds three bytes a pixel; `None` if it is not of that size.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Option<Picture> {
        let wanted = u64::from(width) * u64::from(height) * 3;
        (wanted > 0 && u64::try_from(rgb.len()) == Ok(wanted)).then_some(Picture { width, height, rgb })
    }
    pub fn width(&self) -> u32 {
        self.width
    }
    pub fn height(&self) -> u32 {
        self.height
    }
    /// Three bytes a pixel, row after row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }
}
