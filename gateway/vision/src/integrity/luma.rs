//! Brightness in a few fixed sizes: all that the checks look at, so that their cost does not grow with the camera's resolution.

use crate::picture::Picture;

/// A picture of RGB bytes, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Rgb<'a> {
    pub width: u32,
    pub height: u32,
    /// Three bytes a pixel, row by row. What is missing at the end reads as black.
    pub bytes: &'a [u8],
}

impl<'a> From<&'a Picture> for Rgb<'a> {
    fn from(picture: &'a Picture) -> Rgb<'a> {
        Rgb { width: picture.width(), height: picture.height(), bytes: picture.rgb() }
    }
}

impl Rgb<'_> {
    /// Brightness 0 to 255 (ITU-R BT.601, in 256ths).
    #[inline]
    pub fn luma(&self, x: u32, y: u32) -> u8 {
        let at = (u64::from(y) * u64::from(self.width) + u64::from(x)).saturating_mul(3);
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        match at.checked_add(3).and_then(|end| self.bytes.get(at..end)) {
            Some(&[r, g, b]) => ((77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b)) >> 8) as u8,
            _ => 0,
        }
    }
}

/// Levels between the channels of a picture in colour: even a grey room has as much from noise and from the light's tint.
const COLOURED: f32 = 1.0;
/// Pixels looked at for colour along each side.
const COLOUR_SAMPLES: u32 = 48;

impl Rgb<'_> {
    /// Whether it has any colour; at night a camera sends none.
    pub fn coloured(&self) -> bool {
        let place = |i: u32, side: u32| (u64::from(i) * u64::from(side) / u64::from(COLOUR_SAMPLES)) as u32;
        let mut sum = 0u32;
        for y in 0..COLOUR_SAMPLES {
            for x in 0..COLOUR_SAMPLES {
                let at = (u64::from(place(y, self.height)) * u64::from(self.width) + u64::from(place(x, self.width))).saturating_mul(3);
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                if let Some(&[r, g, b]) = at.checked_add(3).and_then(|end| self.bytes.get(at..end)) {
                    sum += u32::from(r.max(g).max(b) - r.min(g).min(b));
                }
            }
        }
        sum as f32 / (COLOUR_SAMPLES * COLOUR_SAMPLES) as f32 > COLOURED
    }
}

/// A grid of brightness, 0 to 255.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luma {
    pub width: usize,
    pub height: usize,
    /// `width * height` values, row by row.
    pub data: Vec<u8>,
}

/// Samples along each side of a cell that are averaged: enough to follow its brightness, few enough for a large picture.
const PER_SIDE: u32 = 4;

impl Luma {
    /// `picture` brought to `width` x `height` cells, each the mean of up to 16 pixels. A picture smaller than that repeats its pixels; an empty one is black.
    pub fn of(picture: Rgb, width: usize, height: usize) -> Luma {
        let mut data = vec![0; width * height];
        let columns = spans(picture.width, width);
        let rows = spans(picture.height, height);
        if picture.width > 0 && picture.height > 0 {
            for (row, ys) in data.chunks_exact_mut(width.max(1)).zip(&rows) {
                for (cell, xs) in row.iter_mut().zip(&columns) {
                    let mut sum = 0u32;
                    let mut n = 0u32;
                    for y in ys.pixels() {
                        for x in xs.pixels() {
                            sum += u32::from(picture.luma(x, y));
                            n += 1;
                        }
                    }
                    *cell = (sum + n / 2).checked_div(n).unwrap_or(0) as u8;
                }
            }
        }
        Luma { width, height, data }
    }

    /// Half the size, each cell the mean of four.
    pub fn halved(&self) -> Luma {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut data = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let at = 2 * y * self.width + 2 * x;
                let sum: u16 = [at, at + 1, at + self.width, at + self.width + 1]
                    .iter()
                    .map(|i| u16::from(self.data.get(*i).copied().unwrap_or(0)))
                    .sum();
                data.push(((sum + 2) / 4) as u8);
            }
        }
        Luma { width, height, data }
    }

    pub fn mean(&self) -> f32 {
        let sum: u64 = self.data.iter().map(|v| u64::from(*v)).sum();
        sum as f32 / self.data.len().max(1) as f32
    }
}

/// The pixels of one side that a cell averages.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: u32,
    step: u32,
    count: u32,
}

impl Span {
    fn pixels(self) -> impl Iterator<Item = u32> {
        (0..self.count).map(move |i| self.from + i * self.step)
    }
}

fn spans(pixels: u32, cells: usize) -> Vec<Span> {
    let cells64 = cells.max(1) as u64;
    (0..cells as u64)
        .map(|c| {
            let from = (c * u64::from(pixels) / cells64) as u32;
            let to = (((c + 1) * u64::from(pixels) / cells64) as u32).max(from + 1);
            let length = to - from;
            let count = length.min(PER_SIDE);
            Span { from, step: length / count, count }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_the_mean_of_its_pixels() {
        let bytes: Vec<u8> = [0u8, 100, 200, 40].iter().flat_map(|v| [*v; 3]).collect();
        let picture = Rgb { width: 2, height: 2, bytes: &bytes };
        assert_eq!(Luma::of(picture, 1, 1).data, [85]);
        assert_eq!(Luma::of(picture, 2, 2).data, [0, 100, 200, 40]);
        // A small picture repeats its pixels.
        assert_eq!(Luma::of(picture, 4, 2).data, [0, 0, 100, 100, 200, 200, 40, 40]);
    }

    #[test]
    fn an_empty_or_short_picture_is_black() {
        assert_eq!(Luma::of(Rgb { width: 0, height: 9, bytes: &[] }, 3, 2).data, [0; 6]);
        assert_eq!(Luma::of(Rgb { width: u32::MAX, height: u32::MAX, bytes: &[255; 3] }, 2, 1).data, [16, 0]);
    }
}
