//! Faces are made unrecognisable before a picture is stored or shown.
//!
//! A region is replaced by the means of at most [`CELLS`] x [`CELLS`] cells, each rounded to [`LEVELS`] steps a colour and drawn as a smooth
//! gradient: what comes out is a function of those few numbers alone, so no process can bring the face back from one picture (a test permutes
//! the pixels within each cell and gets the same picture). Regions come from the faces that were found, from the head of every person, and where
//! a head is not clear from all of the body that could hold it: when unsure, more is blurred.
//!
//! What must hold: only this module makes a [`Blurred`] and a [`BlurredJpeg`]; what stores a picture in clear or puts it on a page takes nothing
//! else. A frame that no model has looked at is blurred whole.
use crate::picture::Picture;
use crate::sight::{Person, Posture, Rect, Sight, joint};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use std::collections::VecDeque;

/// Most cells along either side of a region.
const CELLS: usize = 3;
/// A cell has at least this many pixels along each side, where the region does.
const CELL_PIXELS: usize = 8;
/// Steps of each colour that are left.
const LEVELS: u32 = 8;
/// Cells along the longer side of a picture that is blurred whole.
const WHOLE_CELLS: usize = 12;
/// Below this a key point of the head says nothing: MoveNet scores points that it does not see at 0.05 to 0.15.
const HEAD_SCORE: f32 = 0.2;
/// A head that fewer than this many points agree on is not clear.
const HEAD_POINTS: usize = 2;
/// Radius of the blur around a head, as a share of the longer side of its person's box: a toddler's head is a quarter of the height, and hair,
/// chin and the points' error (a tenth of the head) come on top.
const HEAD_OF_BODY: f32 = 0.17;
/// The same as a multiple of the spread of the head's points (ear to ear, or nose to ear from the side) and of the shoulders.
const HEAD_OF_POINTS: f32 = 1.3;
const HEAD_OF_SHOULDERS: f32 = 0.6;
/// Where the head is not clear: this share of the box from its top for one who is upright; all of it for one who is not.
const UPPER: f32 = 0.5;
/// A face's box ends at brow and chin; hair and ears identify, too. Share of its size on each side.
const FACE_MARGIN: f32 = 0.45;
/// A region is at least this share of the picture's longer side.
const SMALLEST: f32 = 0.02;
/// Looks whose regions stay covered: a detector misses a face now and then for a frame or two.
const REMEMBERED: usize = 4;
/// Written into each JPEG, and asked for when one is read back.
const MARK: &[u8] = b"Tuoan: faces blurred";

/// A picture without recognisable faces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blurred {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

/// The same as a JPEG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlurredJpeg(Vec<u8>);

/// Why there is no JPEG of a picture.
#[derive(Debug, thiserror::Error)]
#[error("the blurred picture of {width} x {height} cannot be written as JPEG: {detail}")]
pub struct NotWritten {
    pub width: usize,
    pub height: usize,
    pub detail: String,
}

/// Covers the faces of one camera's pictures. It remembers where they were in its last looks, so keep one for each camera.
#[derive(Debug, Clone, Default)]
pub struct Veil(VecDeque<Vec<Rect>>);

impl Veil {
    /// `sight` is what the models saw on just this picture.
    pub fn cover(&mut self, picture: &Picture, sight: &Sight) -> Blurred {
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(regions(sight));
        // Beyond the proven number of people some were not found, so their faces may be anywhere.
        if sight.at_least {
            return whole(picture);
        }
        let mut blurred = copy(picture);
        self.0.iter().flatten().for_each(|r| blurred.hide(r));
        blurred
    }
}

/// Covers the faces of a single picture.
pub fn cover(picture: &Picture, sight: &Sight) -> Blurred {
    Veil::default().cover(picture, sight)
}

/// A picture that no model has looked at: light and colour of the room are left.
pub fn whole(picture: &Picture) -> Blurred {
    let mut blurred = copy(picture);
    let longer = blurred.width.max(blurred.height).max(1);
    let cells = |side: usize| (side * WHOLE_CELLS).div_ceil(longer).clamp(1, WHOLE_CELLS);
    let (columns, rows) = (cells(blurred.width), cells(blurred.height));
    blurred.mosaic(Area { x0: 0, y0: 0, x1: blurred.width, y1: blurred.height }, columns, rows);
    blurred
}

fn copy(picture: &Picture) -> Blurred {
    Blurred { width: picture.width() as usize, height: picture.height() as usize, rgb: picture.rgb().to_vec() }
}

/// Where faces are or may be.
fn regions(sight: &Sight) -> Vec<Rect> {
    let aspect = if sight.width > 0 && sight.height > 0 { sight.width as f32 / sight.height as f32 } else { 1.0 };
    let faces = sight.faces.iter().map(|f| {
        let (w, h) = (f.bbox.width() * FACE_MARGIN, f.bbox.height() * FACE_MARGIN);
        Rect { x0: f.bbox.x0 - w, y0: f.bbox.y0 - h, x1: f.bbox.x1 + w, y1: f.bbox.y1 + h }
    });
    faces.chain(sight.people.iter().chain(&sight.doubtful).flat_map(|p| of_person(p, aspect))).collect()
}

/// The head where it is clear, else all that could hold it. `aspect` is width by height of the picture: a head is round in pixels.
fn of_person(person: &Person, aspect: f32) -> Vec<Rect> {
    match head(person, aspect) {
        Some(head) => vec![head],
        None => vec![body(person, aspect)],
    }
}

fn head(person: &Person, aspect: f32) -> Option<Rect> {
    let pose = person.pose.as_ref()?;
    // In units of the picture's height, so that x and y are alike.
    let square = |n: usize| pose.get(n).map(|p| (p.x * aspect, p.y, p.score));
    let clear: Vec<(f32, f32)> =
        (joint::NOSE..=joint::RIGHT_EAR).filter_map(square).filter(|p| p.2 >= HEAD_SCORE).map(|p| (p.0, p.1)).collect();
    if clear.len() < HEAD_POINTS {
        return None;
    }
    let n = clear.len() as f32;
    let (x, y) = (clear.iter().map(|p| p.0).sum::<f32>() / n, clear.iter().map(|p| p.1).sum::<f32>() / n);
    let apart = |a: (f32, f32), b: (f32, f32)| (a.0 - b.0).hypot(a.1 - b.1);
    let spread = clear.iter().map(|p| apart(*p, (x, y))).fold(0.0, f32::max) * 2.0;
    let shoulders = match (square(joint::LEFT_SHOULDER), square(joint::RIGHT_SHOULDER)) {
        (Some(l), Some(r)) if l.2 >= HEAD_SCORE && r.2 >= HEAD_SCORE => apart((l.0, l.1), (r.0, r.1)),
        _ => 0.0,
    };
    let longer = (person.bbox.width() * aspect).max(person.bbox.height());
    let radius = (HEAD_OF_BODY * longer).max(HEAD_OF_POINTS * spread).max(HEAD_OF_SHOULDERS * shoulders);
    Some(Rect { x0: (x - radius) / aspect, y0: y - radius, x1: (x + radius) / aspect, y1: y + radius })
}

fn body(person: &Person, aspect: f32) -> Rect {
    let b = person.bbox;
    let upright = matches!(person.posture, Posture::Standing) || (person.pose.is_none() && b.height() > 1.2 * b.width() * aspect);
    let (side, above) = (b.width() * 0.1, b.height() * 0.1);
    let y1 = if upright { b.y0 + b.height() * UPPER } else { b.y1 + above };
    Rect { x0: b.x0 - side, y0: b.y0 - above, x1: b.x1 + side, y1 }
}

/// Pixels from (x0, y0) up to but not including (x1, y1).
#[derive(Debug, Clone, Copy)]
struct Area {
    x0: usize,
    y0: usize,
    x1: usize,
    y1: usize,
}

/// Start of part `n` of `parts` of a length.
fn part(n: usize, parts: usize, length: usize) -> usize {
    n * length / parts.max(1)
}

impl Blurred {
    pub fn width(&self) -> usize {
        self.width
    }
    pub fn height(&self) -> usize {
        self.height
    }
    /// Red, green, blue, row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Hides a region given in shares of the picture. One that is no place at all (not finite) may be anywhere: everything is hidden.
    fn hide(&mut self, r: &Rect) {
        let (w, h) = (self.width as f32, self.height as f32);
        let all = Area { x0: 0, y0: 0, x1: self.width, y1: self.height };
        if ![r.x0, r.y0, r.x1, r.y1].iter().all(|v| v.is_finite()) {
            return self.mosaic(all, CELLS, CELLS);
        }
        let least = SMALLEST * w.max(h) / 2.0;
        // Ends in either order, at least so far apart, whole pixels outwards. `as` saturates: below 0 is 0.
        let side = |a: f32, b: f32, length: f32, most: usize| {
            let (from, to) = (a.min(b) * length, a.max(b) * length);
            let middle = from / 2.0 + to / 2.0;
            let (from, to) = (from.min(middle - least).floor(), to.max(middle + least).ceil());
            ((from as usize).min(most), (to as usize).min(most))
        };
        let ((x0, x1), (y0, y1)) = (side(r.x0, r.x1, w, self.width), side(r.y0, r.y1, h, self.height));
        let cells = |length: usize| (length / CELL_PIXELS).clamp(1, CELLS);
        self.mosaic(Area { x0, y0, x1, y1 }, cells(x1.saturating_sub(x0)), cells(y1.saturating_sub(y0)));
    }

    /// Replaces an area by a smooth gradient through the rounded means of `columns` x `rows` cells.
    fn mosaic(&mut self, a: Area, columns: usize, rows: usize) {
        if a.x0 >= a.x1 || a.y0 >= a.y1 {
            return;
        }
        let (width, height) = (a.x1 - a.x0, a.y1 - a.y0);
        let (columns, rows) = (columns.clamp(1, width), rows.clamp(1, height));
        let mut means = vec![[0.0f32; 3]; columns * rows];
        for row in 0..rows {
            for column in 0..columns {
                let (mut sum, mut n) = ([0u64; 3], 0u64);
                for y in a.y0 + part(row, rows, height)..a.y0 + part(row + 1, rows, height) {
                    let from = (y * self.width + a.x0 + part(column, columns, width)) * 3;
                    let to = (y * self.width + a.x0 + part(column + 1, columns, width)) * 3;
                    for p in self.rgb.get(from..to).unwrap_or_default().chunks_exact(3) {
                        sum.iter_mut().zip(p).for_each(|(s, v)| *s += u64::from(*v));
                        n += 1;
                    }
                }
                if let Some(mean) = means.get_mut(row * columns + column) {
                    *mean = sum.map(|s| rounded(s, n));
                }
            }
        }
        // Where pixel `i` of `length` lies among the centres of `parts` cells: the two cells and the weight of the second.
        let among = |i: usize, parts: usize, length: usize| {
            let at = ((i as f32 + 0.5) * parts as f32 / length as f32 - 0.5).clamp(0.0, (parts - 1) as f32);
            let first = at as usize;
            (first, (first + 1).min(parts - 1), at - first as f32)
        };
        let across: Vec<_> = (0..width).map(|x| among(x, columns, width)).collect();
        let mean = |row: usize, column: usize| means.get(row * columns + column).copied().unwrap_or_default();
        for y in 0..height {
            let (upper, lower, down) = among(y, rows, height);
            let from = ((a.y0 + y) * self.width + a.x0) * 3;
            let Some(line) = self.rgb.get_mut(from..from + width * 3) else { continue };
            for (pixel, (left, right, over)) in line.chunks_exact_mut(3).zip(&across) {
                let (tl, tr, bl, br) = (mean(upper, *left), mean(upper, *right), mean(lower, *left), mean(lower, *right));
                for (((out, tl), tr), (bl, br)) in pixel.iter_mut().zip(tl).zip(tr).zip(bl.into_iter().zip(br)) {
                    let (top, bottom) = (tl + (tr - tl) * over, bl + (br - bl) * over);
                    *out = (top + (bottom - top) * down) as u8;
                }
            }
        }
    }

    /// As a JPEG, marked as blurred. `quality` 1 to 100.
    ///
    /// # Errors
    /// The picture is wider or higher than a JPEG can be.
    pub fn to_jpeg(&self, quality: u8) -> Result<BlurredJpeg, NotWritten> {
        let failed = |detail: String| NotWritten { width: self.width, height: self.height, detail };
        let side = |n: usize| u32::try_from(n).ok().filter(|n| (1..=65_535).contains(n)).ok_or_else(|| failed("its size".to_owned()));
        let mut plain = Vec::with_capacity(self.rgb.len() / 8);
        JpegEncoder::new_with_quality(&mut plain, quality.clamp(1, 100))
            .encode(&self.rgb, side(self.width)?, side(self.height)?, ExtendedColorType::Rgb8)
            .map_err(|e| failed(e.to_string()))?;
        // The comment stands right behind the start of the picture.
        let Some((start, rest)) = plain.split_at_checked(2) else { return Err(failed("the encoder wrote nothing".to_owned())) };
        let mut jpeg = Vec::with_capacity(plain.len() + MARK.len() + 4);
        jpeg.extend_from_slice(start);
        jpeg.extend_from_slice(&comment());
        jpeg.extend_from_slice(rest);
        Ok(BlurredJpeg(jpeg))
    }
}

/// The mean rounded to the middle of one of [`LEVELS`] steps.
fn rounded(sum: u64, n: u64) -> f32 {
    let step = 256 / LEVELS as u64;
    ((sum / n.max(1)) / step * step + step / 2) as f32
}

/// JPEG's comment segment: FF FE, length with the length's own two bytes, text.
fn comment() -> Vec<u8> {
    let length = u16::try_from(MARK.len() + 2).unwrap_or(2).to_be_bytes();
    [&[0xFF, 0xFE][..], &length, MARK].concat()
}

impl BlurredJpeg {
    /// A picture that [`Blurred::to_jpeg`] has written and something kept; `None` for any other, so that a file put in the wrong place is not shown.
    pub fn again(bytes: Vec<u8>) -> Option<BlurredJpeg> {
        let marked = bytes.get(2..).is_some_and(|rest| rest.starts_with(&comment()));
        (bytes.starts_with(&[0xFF, 0xD8]) && marked).then_some(BlurredJpeg(bytes))
    }
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests;
