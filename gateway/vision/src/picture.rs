//! A picture in memory, and how bytes become one. Whatever the bytes are, decoding ends with a picture or an error, within the limits given: it never
//! panics and never takes more memory than [`Limits`] allows. A picture that is cut off or broken in the middle is an error: half of a room must not
//! pass for a room.
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageFormat};
use std::io::Cursor;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Bytes of a pixel: red, green, blue.
const CHANNELS: usize = 3;

/// What a picture may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes before decoding.
    pub bytes: usize,
    /// Pixels after decoding. Decoding takes 14 bytes for each of them at the worst (a progressive JPEG's coefficients beside the result).
    pub pixels: u64,
    /// Longest side.
    pub side: u32,
}

impl Default for Limits {
    /// 16 MiB, 4096 x 4096 pixels, 8192 pixels a side: more than any camera of a nursery sends.
    fn default() -> Limits {
        Limits { bytes: 16 << 20, pixels: 4096 * 4096, side: 8192 }
    }
}

/// Why bytes are no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    #[error("{bytes} bytes are more than the {most} that a picture may have")]
    TooManyBytes { bytes: usize, most: usize },
    #[error("{width} x {height} pixels are more than a picture may have")]
    TooLarge { width: u64, height: u64 },
    #[error("this is no JPEG, PNG or GIF")]
    Unknown,
    #[error("the {format} is cut off or broken: {detail}")]
    Broken { format: &'static str, detail: String },
    #[error("the picture has no pixels")]
    Empty,
    #[error("the picture cannot be written as {format}: {detail}")]
    Encode { format: &'static str, detail: String },
}

/// A picture: 8 bits of red, green and blue a pixel, row after row, from the upper left corner.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} x {})", self.width, self.height)
    }
}

/// How the picture is turned before a model sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    #[default]
    None,
    /// A quarter anticlockwise: who lies with the head to the right stands upright then.
    Left,
    /// A quarter clockwise: who lies with the head to the left stands upright then.
    Right,
}

/// What of a picture a model looks at. The region is in shares of the picture's width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    pub x0: f32,
    pub y0: f32,
    pub x1: f32,
    pub y1: f32,
    pub turn: Turn,
}

impl View {
    pub const WHOLE: View = View { x0: 0.0, y0: 0.0, x1: 1.0, y1: 1.0, turn: Turn::None };

    pub fn turned(self, turn: Turn) -> View {
        View { turn, ..self }
    }
}

/// A view, scaled into a canvas of fixed size without changing its proportions; it lies at the upper left, the rest is black.
pub struct Canvas {
    /// 8 bits of red, green and blue a pixel.
    pub rgb: Vec<u8>,
    pub map: Map,
}

/// The way back from a canvas to the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Map {
    view: View,
    /// Shares of the canvas's width and height that the view takes.
    filled: (f32, f32),
}

impl Map {
    /// A place on the canvas, in shares of its sides, as a place in the picture, in shares of its sides. It may lie outside of both.
    pub fn back(&self, u: f32, v: f32) -> (f32, f32) {
        let (u, v) = (u / self.filled.0, v / self.filled.1);
        let (x, y) = match self.view.turn {
            Turn::None => (u, v),
            Turn::Left => (1.0 - v, u),
            Turn::Right => (v, 1.0 - u),
        };
        (self.view.x0 + x * (self.view.x1 - self.view.x0), self.view.y0 + y * (self.view.y1 - self.view.y0))
    }
}

impl Picture {
    /// `rgb` holds three bytes a pixel.
    ///
    /// # Errors
    /// A side is 0, or `rgb` is not of that size.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Result<Picture, PictureError> {
        let wanted = u64::from(width) * u64::from(height) * CHANNELS as u64;
        if wanted == 0 || u64::try_from(rgb.len()) != Ok(wanted) {
            return Err(PictureError::Empty);
        }
        Ok(Picture { width, height, rgb })
    }

    /// A picture of one colour; a side of 0 counts as 1.
    pub fn plain(width: u32, height: u32, colour: [u8; 3]) -> Picture {
        let (width, height) = (width.max(1), height.max(1));
        Picture { width, height, rgb: colour.repeat(width as usize * height as usize) }
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

    /// Red, green and blue; `None` outside of the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        let at = self.place(x, y)?;
        self.rgb.get(at..at + CHANNELS).and_then(|p| p.try_into().ok())
    }

    /// Paints one pixel; one outside of the picture is left out.
    pub fn paint(&mut self, x: u32, y: u32, colour: [u8; 3]) {
        if let Some(at) = self.place(x, y)
            && let Some(p) = self.rgb.get_mut(at..at + CHANNELS)
        {
            p.copy_from_slice(&colour);
        }
    }

    fn place(&self, x: u32, y: u32) -> Option<usize> {
        (x < self.width && y < self.height).then(|| (y as usize * self.width as usize + x as usize) * CHANNELS)
    }

    /// Brightness of each pixel, 0 to 255, by ITU-R BT.601.
    pub fn luma(&self) -> Vec<u8> {
        let (pixels, _) = self.rgb.as_chunks::<CHANNELS>();
        // The weights add up to 256, so that the result fits.
        pixels.iter().map(|[r, g, b]| ((77 * u32::from(*r) + 150 * u32::from(*g) + 29 * u32::from(*b)) >> 8) as u8).collect()
    }

    /// Reads a JPEG, a PNG or a GIF (its first frame). What is transparent becomes black.
    ///
    /// # Errors
    /// The bytes are none of these, are broken or cut off, or exceed `limits`.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, PictureError> {
        match format(bytes, limits)? {
            ImageFormat::Jpeg => jpeg(bytes, limits),
            ImageFormat::Png => png(bytes, limits),
            _ => match frames(bytes.to_vec(), limits)?.next() {
                Some(first) => Ok(first?.picture),
                None => Err(PictureError::Empty),
            },
        }
    }

    /// The whole picture at another size.
    pub fn resized(&self, width: u32, height: u32) -> Picture {
        let (width, height) = (width.max(1), height.max(1));
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        self.scaled((0.0, 0.0, f64::from(self.width), f64::from(self.height)), width, height)
    }

    /// A region, in shares of the sides, in its own pixels; at least one pixel.
    pub fn cropped(&self, view: &View) -> Picture {
        let side = |a: f32, b: f32, n: u32| {
            let from = ((f64::from(a) * f64::from(n)).round().max(0.0) as u32).min(n - 1);
            (from, ((f64::from(b) * f64::from(n)).round().max(0.0) as u32).clamp(from + 1, n))
        };
        let ((x0, x1), (y0, y1)) = (side(view.x0, view.x1, self.width), side(view.y0, view.y1, self.height));
        let rows = (y0..y1).filter_map(|y| {
            let (from, to) = (self.place(x0, y)?, self.place(x1 - 1, y)? + CHANNELS);
            self.rgb.get(from..to)
        });
        Picture { width: x1 - x0, height: y1 - y0, rgb: rows.flatten().copied().collect() }.turned(view.turn)
    }

    /// The picture turned by a quarter.
    pub fn turned(self, turn: Turn) -> Picture {
        if turn == Turn::None {
            return self;
        }
        let (w, h) = (self.height, self.width);
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for y in 0..h {
            for x in 0..w {
                let from = if turn == Turn::Left { (self.width - 1 - y, x) } else { (y, self.height - 1 - x) };
                rgb.extend(self.pixel(from.0, from.1).unwrap_or_default());
            }
        }
        Picture { width: w, height: h, rgb }
    }

    /// A view of the picture, turned and scaled into a canvas of `width` x `height` with its proportions kept.
    pub fn canvas(&self, view: &View, width: u32, height: u32) -> Canvas {
        let clamp = |a: f32, b: f32, n: u32| {
            let n = f64::from(n);
            let from = (f64::from(a.clamp(0.0, 1.0)) * n).min(n - 1.0);
            (from, (f64::from(b.clamp(0.0, 1.0)) * n).clamp(from + 1.0, n))
        };
        let ((x0, x1), (y0, y1)) = (clamp(view.x0, view.x1, self.width), clamp(view.y0, view.y1, self.height));
        let (w, h) = (x1 - x0, y1 - y0);
        // The room that the canvas has for the view before it is turned.
        let (room_w, room_h) = if view.turn == Turn::None { (width, height) } else { (height, width) };
        let scale = (f64::from(room_w) / w).min(f64::from(room_h) / h);
        let fit = |side: f64, room: u32| ((side * scale).round() as u32).clamp(1, room.max(1));
        let small = self.scaled((x0, y0, w, h), fit(w, room_w), fit(h, room_h)).turned(view.turn);
        let row = small.width as usize * CHANNELS;
        let mut rgb = vec![0; width as usize * height as usize * CHANNELS];
        if row > 0 {
            for (to, from) in rgb.chunks_exact_mut(width as usize * CHANNELS).zip(small.rgb.chunks_exact(row)) {
                if let Some(to) = to.get_mut(..row) {
                    to.copy_from_slice(from);
                }
            }
        }
        let share = |a: f64, n: u32| (a / f64::from(n)) as f32;
        let view = View {
            x0: share(x0, self.width),
            y0: share(y0, self.height),
            x1: share(x1, self.width),
            y1: share(y1, self.height),
            turn: view.turn,
        };
        Canvas { rgb, map: Map { view, filled: (small.width as f32 / width as f32, small.height as f32 / height as f32) } }
    }

    /// The region (left, top, width, height; pixels) at another size; averaged when it shrinks, so that nothing small is lost between pixels.
    fn scaled(&self, (left, top, w, h): (f64, f64, f64, f64), width: u32, height: u32) -> Picture {
        let mut to = Image::new(width, height, PixelType::U8x3);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).crop(left, top, w, h);
        let done = ImageRef::new(self.width, self.height, &self.rgb, PixelType::U8x3)
            .is_ok_and(|from| Resizer::new().resize(&from, &mut to, &options).is_ok());
        debug_assert!(done, "the region is inside of the picture");
        Picture { width, height, rgb: to.into_vec() }
    }

    /// The picture as a JPEG of `quality` 1 to 100.
    ///
    /// # Errors
    /// A side is longer than a JPEG's may be.
    pub fn to_jpeg(&self, quality: u8) -> Result<Vec<u8>, PictureError> {
        let mut out = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, quality.clamp(1, 100));
        self.encode(encoder, "JPEG")?;
        Ok(out)
    }

    /// The picture as a PNG.
    ///
    /// # Errors
    /// As [`Picture::to_jpeg`].
    pub fn to_png(&self) -> Result<Vec<u8>, PictureError> {
        let mut out = Vec::new();
        self.encode(image::codecs::png::PngEncoder::new(&mut out), "PNG")?;
        Ok(out)
    }

    fn encode(&self, encoder: impl image::ImageEncoder, format: &'static str) -> Result<(), PictureError> {
        encoder
            .write_image(&self.rgb, self.width, self.height, image::ExtendedColorType::Rgb8)
            .map_err(|e| PictureError::Encode { format, detail: e.to_string() })
    }
}

/// One frame of an animation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub picture: Picture,
    /// How long it is shown, in ms.
    pub shown_ms: u32,
}

/// The frames of a GIF one after another, each composed to the whole picture; of a JPEG or a PNG, the one that it is. Only one is held at a time.
///
/// # Errors
/// As [`Picture::decode`]; after an error in a frame none follows.
pub fn frames(bytes: Vec<u8>, limits: &Limits) -> Result<Box<dyn Iterator<Item = Result<Frame, PictureError>>>, PictureError> {
    let broken = |e: image::ImageError| PictureError::Broken { format: "GIF", detail: e.to_string() };
    if format(&bytes, limits)? != ImageFormat::Gif {
        return Ok(Box::new(std::iter::once(Picture::decode(&bytes, limits).map(|picture| Frame { picture, shown_ms: 0 }))));
    }
    let mut decoder = image::codecs::gif::GifDecoder::new(Cursor::new(bytes)).map_err(broken)?;
    let (width, height) = decoder.dimensions();
    allowed(width, height, limits)?;
    decoder.set_limits(image_limits(limits)).map_err(broken)?;
    let mut over = false;
    let frames = decoder.into_frames().map_while(move |frame| {
        if over {
            return None;
        }
        let frame = frame.map_err(broken).and_then(|frame| {
            let (ms, per) = frame.delay().numer_denom_ms();
            let picture = flat(DynamicImage::ImageRgba8(frame.into_buffer()))?;
            Ok(Frame { picture, shown_ms: ms / per.max(1) })
        });
        over = frame.is_err();
        Some(frame)
    });
    Ok(Box::new(frames))
}

fn format(bytes: &[u8], limits: &Limits) -> Result<ImageFormat, PictureError> {
    if bytes.len() > limits.bytes {
        return Err(PictureError::TooManyBytes { bytes: bytes.len(), most: limits.bytes });
    }
    match bytes {
        [0xFF, 0xD8, ..] => Ok(ImageFormat::Jpeg),
        [0x89, b'P', b'N', b'G', ..] => Ok(ImageFormat::Png),
        [b'G', b'I', b'F', b'8', ..] => Ok(ImageFormat::Gif),
        _ => Err(PictureError::Unknown),
    }
}

fn allowed(width: u32, height: u32, limits: &Limits) -> Result<(), PictureError> {
    let (w, h) = (u64::from(width), u64::from(height));
    if w == 0 || h == 0 {
        return Err(PictureError::Empty);
    }
    if width.max(height) > limits.side || w * h > limits.pixels {
        return Err(PictureError::TooLarge { width: w, height: h });
    }
    Ok(())
}

fn image_limits(limits: &Limits) -> image::Limits {
    let mut all = image::Limits::default();
    all.max_image_width = Some(limits.side);
    all.max_image_height = Some(limits.side);
    // Red, green, blue and alpha at 16 bits, and as much again for the composed frame.
    all.max_alloc = Some(limits.pixels * 16);
    all
}

/// Without transparency: black lies behind.
fn flat(image: DynamicImage) -> Result<Picture, PictureError> {
    if !image.color().has_alpha() {
        let image = image.into_rgb8();
        return Picture::new(image.width(), image.height(), image.into_raw());
    }
    let image = image.into_rgba8();
    let over_black = |[r, g, b, a]: &[u8; 4]| [r, g, b].map(|c| (u16::from(*c) * u16::from(*a) / 255) as u8);
    let (pixels, _) = image.as_raw().as_chunks::<4>();
    let rgb = pixels.iter().flat_map(over_black).collect();
    Picture::new(image.width(), image.height(), rgb)
}

fn png(bytes: &[u8], limits: &Limits) -> Result<Picture, PictureError> {
    let broken = |e: image::ImageError| PictureError::Broken { format: "PNG", detail: e.to_string() };
    let decoder = image::codecs::png::PngDecoder::with_limits(Cursor::new(bytes), image_limits(limits)).map_err(broken)?;
    let (width, height) = decoder.dimensions();
    allowed(width, height, limits)?;
    flat(DynamicImage::from_decoder(decoder).map_err(broken)?)
}

fn jpeg(bytes: &[u8], limits: &Limits) -> Result<Picture, PictureError> {
    let broken = |detail: String| PictureError::Broken { format: "JPEG", detail };
    // The decoder is content when the last rows are there; a file whose end is missing was cut off all the same.
    let bytes = bytes.get(..whole_jpeg(bytes).ok_or_else(|| broken("its end is missing".to_owned()))?).unwrap_or(bytes);
    let side = limits.side as usize;
    let options = DecoderOptions::default().set_strict_mode(true).set_max_width(side).set_max_height(side);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| broken(e.to_string()))?;
    let info = decoder.info().ok_or(PictureError::Empty)?;
    allowed(u32::from(info.width), u32::from(info.height), limits)?;
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(if grey { ColorSpace::Luma } else { ColorSpace::RGB }));
    let mut pixels = decoder.decode().map_err(|e| broken(e.to_string()))?;
    if grey {
        pixels = pixels.iter().flat_map(|y| [*y; CHANNELS]).collect();
    }
    Picture::new(u32::from(info.width), u32::from(info.height), pixels)
}

/// Length of the JPEG at the start of `bytes` with its end marker; cameras pad with zeros after it. `None`: the end is not there.
fn whole_jpeg(bytes: &[u8]) -> Option<usize> {
    const SCAN: u8 = 0xDA;
    let mut at = 2;
    let mut in_scan = false;
    loop {
        if in_scan {
            // Data of a scan goes on to the next marker; FF 00 is data, FF D0 to D7 are marks within it.
            while !matches!(bytes.get(at..at + 2)?, [0xFF, 0x01..=0xCF | 0xD8..=0xFE]) {
                at += 1;
            }
            in_scan = false;
        }
        match bytes.get(at..at + 2)? {
            [0xFF, 0xD9] => return Some(at + 2),
            // A filler before a marker, and markers without a body.
            [0xFF, 0xFF] => at += 1,
            [0xFF, 0x01 | 0xD0..=0xD8] => at += 2,
            [0xFF, marker] => {
                in_scan = *marker == SCAN;
                let length = bytes.get(at + 2..at + 4)?;
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Something to recognise: red grows to the right, green downwards.
    fn ramp(width: u32, height: u32) -> Picture {
        let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| [(x * 255 / width) as u8, (y * 255 / height) as u8, 77]));
        Picture::new(width, height, rgb.collect()).unwrap()
    }

    fn gif(sizes: &[(u32, u32)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut out);
        for (w, h) in sizes {
            let image = image::RgbaImage::from_raw(*w, *h, [9, 200, 30, 255].repeat((w * h) as usize)).unwrap();
            let delay = image::Delay::from_numer_denom_ms(80, 1);
            encoder.encode_frame(image::Frame::from_parts(image, 0, 0, delay)).unwrap();
        }
        drop(encoder);
        out
    }

    fn close(a: &Picture, b: &Picture, by: u8) -> bool {
        (a.width, a.height) == (b.width, b.height) && a.rgb.iter().zip(&b.rgb).all(|(a, b)| a.abs_diff(*b) <= by)
    }

    #[test]
    fn what_was_written_is_read_again() {
        let picture = ramp(64, 48);
        assert_eq!(Picture::decode(&picture.to_png().unwrap(), &Limits::default()).unwrap(), picture);
        assert!(close(&Picture::decode(&picture.to_jpeg(95).unwrap(), &Limits::default()).unwrap(), &picture, 16));
        let all: Vec<_> = frames(gif(&[(8, 8), (8, 8)]), &Limits::default()).unwrap().map(|f| f.unwrap()).collect();
        assert_eq!((all.len(), all[0].shown_ms, all[1].picture.pixel(7, 7)), (2, 80, Some([9, 200, 30])));
    }

    #[test]
    fn a_picture_cut_off_anywhere_is_an_error() {
        let picture = ramp(200, 150);
        for bytes in [picture.to_jpeg(80).unwrap(), picture.to_png().unwrap()] {
            // The last 12 bytes of a PNG are its end mark, which carries nothing.
            for keep in (0..bytes.len() - 12).step_by(97).chain([bytes.len() - 13]) {
                assert!(Picture::decode(&bytes[..keep], &Limits::default()).is_err(), "{keep} of {} bytes", bytes.len());
            }
        }
        let jpeg = picture.to_jpeg(80).unwrap();
        assert!(Picture::decode(&jpeg[..jpeg.len() - 1], &Limits::default()).is_err());
    }

    #[test]
    fn what_follows_the_end_of_a_jpeg_is_no_fault() {
        let mut bytes = ramp(40, 30).to_jpeg(80).unwrap();
        bytes.extend([0; 100]);
        assert!(Picture::decode(&bytes, &Limits::default()).is_ok());
    }

    #[test]
    fn limits_hold_before_anything_is_decoded() {
        let limits = Limits { bytes: 5000, pixels: 100 * 100, side: 150 };
        assert!(matches!(Picture::decode(&[0xFF; 5001], &limits), Err(PictureError::TooManyBytes { .. })));
        for picture in [Picture::plain(101, 100, [9; 3]), Picture::plain(10, 151, [9; 3])] {
            for bytes in [picture.to_jpeg(50).unwrap(), picture.to_png().unwrap(), gif(&[(picture.width, picture.height)])] {
                assert!(Picture::decode(&bytes, &limits).is_err(), "{picture:?}");
            }
        }
        let fits = Picture::plain(100, 100, [9; 3]);
        assert!(Picture::decode(&fits.to_jpeg(50).unwrap(), &limits).is_ok());
    }

    #[test]
    fn transparency_becomes_black() {
        let mut bytes = Vec::new();
        let image = image::RgbaImage::from_raw(2, 1, vec![255, 100, 0, 0, 200, 100, 50, 255]).unwrap();
        image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        assert_eq!(Picture::decode(&bytes, &Limits::default()).unwrap().rgb(), [0, 0, 0, 200, 100, 50]);
    }

    #[test]
    fn luma_weighs_green_most_and_keeps_white() {
        let picture = Picture::new(4, 1, vec![255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255]).unwrap();
        assert_eq!(picture.luma(), [255, 76, 149, 28]);
    }

    #[test]
    fn turning_moves_each_corner_to_its_place() {
        let picture = Picture::new(3, 2, (0..18).collect()).unwrap();
        let corner = picture.pixel(2, 0);
        let left = picture.clone().turned(Turn::Left);
        assert_eq!((left.width(), left.height(), left.pixel(0, 0)), (2, 3, corner));
        let right = picture.clone().turned(Turn::Right);
        assert_eq!(right.pixel(1, 2), corner);
        assert_eq!(left.turned(Turn::Right), picture);
    }

    #[test]
    fn a_place_on_a_canvas_is_found_again_in_the_picture() {
        let picture = ramp(320, 200);
        let view = View { x0: 0.25, y0: 0.1, x1: 0.75, y1: 0.9, turn: Turn::None };
        for turn in [Turn::None, Turn::Left, Turn::Right] {
            let canvas = picture.canvas(&view.turned(turn), 96, 64);
            for (x, y) in [(10u32, 20u32), (30, 40), (3, 3)] {
                let at = (y * 96 + x) as usize * 3;
                let (px, py) = canvas.map.back((x as f32 + 0.5) / 96.0, (y as f32 + 0.5) / 64.0);
                let there = picture.pixel((px * 320.0) as u32, (py * 200.0) as u32).unwrap();
                for (a, b) in canvas.rgb[at..at + 3].iter().zip(there) {
                    assert!(a.abs_diff(b) <= 4, "{turn:?} {x} {y}: {:?} against {there:?}", &canvas.rgb[at..at + 3]);
                }
            }
        }
        // Proportions are kept: a turned landscape is a portrait, and what it leaves free is black.
        let canvas = picture.canvas(&View::WHOLE.turned(Turn::Left), 96, 64);
        assert_eq!(canvas.rgb[95 * 3..96 * 3], [0, 0, 0]);
    }

    #[test]
    fn a_region_without_extent_is_one_pixel() {
        let picture = ramp(10, 10);
        let nothing = View { x0: 1.0, y0: 1.0, x1: 1.0, y1: 1.0, turn: Turn::None };
        assert_eq!(picture.cropped(&nothing).rgb().len(), 3);
        assert_eq!(picture.canvas(&nothing, 8, 8).rgb.len(), 8 * 8 * 3);
        assert_eq!(picture.cropped(&View { x0: 0.2, y0: 0.3, x1: 0.5, y1: 0.9, turn: Turn::Left }).width(), 6);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn foreign_bytes_never_panic(start in 0usize..5, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let head: &[u8] = [&[0xFF, 0xD8, 0xFF][..], b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", b"GIF89a\x08\0\x08\0\x80", b"GIF87a", b""][start];
            let _ = Picture::decode(&[head, &bytes].concat(), &Limits::default());
        }

        #[test]
        fn broken_pictures_never_panic_nor_grow(kind in 0usize..3, hits in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..12)) {
            let picture = ramp(48, 40);
            let mut bytes = [picture.to_jpeg(70).unwrap(), picture.to_png().unwrap(), gif(&[(9, 9), (9, 9), (5, 5)])][kind].clone();
            for (at, value) in hits {
                let at = at as usize % bytes.len();
                bytes[at] = value;
            }
            let limits = Limits { bytes: 1 << 20, pixels: 64 * 64, side: 64 };
            if let Ok(frames) = frames(bytes, &limits) {
                for frame in frames.take(20).flatten() {
                    prop_assert!(u64::from(frame.picture.width()) * u64::from(frame.picture.height()) <= limits.pixels);
                }
            }
        }
    }
}
