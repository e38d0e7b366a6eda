//! Whether a JPEG is whole and may be decoded, from its markers alone (ITU-T T.81, annex B), before a decoder spends time and memory on it.
//!
//! Decoders paint what they have of a truncated picture and say nothing: half a grey room would be looked at as if the camera saw it.

/// Most pixels of a picture: 4096 x 3072. Decoded they take 36 MiB.
pub const MAX_PIXELS: u32 = 4096 * 3072;
/// From so many pixels on the coded data must be long enough to be a picture's; a smaller one costs nothing worth the trouble.
const LARGE: u32 = 1 << 20;
/// Bits that a block of 8 x 8 takes at the very least in a baseline picture: a Huffman code for its mean, and one for "nothing more".
const BITS_OF_BLOCK: u32 = 2;
/// A progressive picture has about ten scans; each costs a pass over all of it.
const MAX_SCANS: u32 = 32;

/// Why a picture is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Spoilt {
    #[error("is no JPEG")]
    NotAJpeg,
    #[error("is a JPEG that ends before its picture does")]
    Truncated,
    #[error("is a JPEG with a broken segment")]
    Broken,
    #[error("is a JPEG of a kind that cameras do not make (lossless, arithmetic, more than 8 bits or CMYK)")]
    Kind,
    #[error("has {0} x {1} pixels; at least 16 x 16 and at most {MAX_PIXELS} in all are decoded")]
    Size(u16, u16),
    #[error("has more than {MAX_SCANS} scans")]
    Scans,
}

/// Width and height in pixels of a whole baseline or progressive JPEG. What follows the picture's end is nobody's: some cameras pad.
///
/// # Errors
/// What is wrong with it.
pub fn size(bytes: &[u8]) -> Result<(u16, u16), Spoilt> {
    let Some(mut rest) = bytes.strip_prefix(&[0xFF, 0xD8]) else { return Err(Spoilt::NotAJpeg) };
    if !rest.starts_with(&[0xFF]) {
        return Err(Spoilt::NotAJpeg);
    }
    let (mut size, mut scans, mut coded, mut baseline) = (None, 0, 0usize, false);
    loop {
        let marker;
        (marker, rest) = next_marker(rest)?;
        match marker {
            0xD9 => {
                let (width, height) = size.filter(|_| scans > 0).ok_or(Spoilt::Broken)?;
                // Decoders paint the rest grey and take their time for it.
                let pixels = u32::from(width) * u32::from(height);
                let short = coded.saturating_mul(8) < (pixels / 64 * BITS_OF_BLOCK) as usize;
                return if baseline && pixels > LARGE && short { Err(Spoilt::Truncated) } else { Ok((width, height)) };
            }
            // These stand alone.
            0x01 | 0xD0..=0xD7 => continue,
            0x00 | 0xD8 => return Err(Spoilt::Broken),
            _ => {}
        }
        let segment;
        (segment, rest) = split_segment(rest)?;
        match marker {
            0xC0..=0xC2 if size.is_some() => return Err(Spoilt::Broken),
            0xC0..=0xC2 => {
                size = Some(frame(segment)?);
                baseline = marker != 0xC2;
            }
            // Huffman tables, and what is reserved for extensions.
            0xC4 | 0xC8 => {}
            0xC3..=0xCF => return Err(Spoilt::Kind),
            0xDA => {
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(Spoilt::Scans);
                }
                let before = rest.len();
                rest = after_scan(rest)?;
                coded = coded.saturating_add(before.saturating_sub(rest.len()));
            }
            _ => {}
        }
    }
}

/// The marker that comes next, and what follows it. Any number of 0xFF may stand before it.
fn next_marker(bytes: &[u8]) -> Result<(u8, &[u8]), Spoilt> {
    match bytes.iter().position(|b| *b != 0xFF) {
        Some(0) => Err(Spoilt::Broken),
        Some(n) => match bytes.get(n..).and_then(<[u8]>::split_first) {
            Some((marker, rest)) => Ok((*marker, rest)),
            None => Err(Spoilt::Truncated),
        },
        None => Err(Spoilt::Truncated),
    }
}

/// A segment's content, without the length that it begins with.
fn split_segment(bytes: &[u8]) -> Result<(&[u8], &[u8]), Spoilt> {
    let [high, low, ..] = bytes else { return Err(Spoilt::Truncated) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length < 2 {
        return Err(Spoilt::Broken);
    }
    let (segment, rest) = bytes.split_at_checked(length).ok_or(Spoilt::Truncated)?;
    Ok((segment.get(2..).unwrap_or_default(), rest))
}

/// Of a frame header: precision, height, width, components.
fn frame(segment: &[u8]) -> Result<(u16, u16), Spoilt> {
    let [precision, h1, h0, w1, w0, components, ..] = segment else { return Err(Spoilt::Broken) };
    if *precision != 8 || !matches!(components, 1 | 3) {
        return Err(Spoilt::Kind);
    }
    let (width, height) = (u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0]));
    if width < 16 || height < 16 || u32::from(width) * u32::from(height) > MAX_PIXELS {
        return Err(Spoilt::Size(width, height));
    }
    Ok((width, height))
}

/// From the first marker on that ends the coded data.
fn after_scan(bytes: &[u8]) -> Result<&[u8], Spoilt> {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|b| *b == 0xFF) {
        rest = rest.get(at..).unwrap_or_default();
        match rest.get(1) {
            // A coded 0xFF, or a restart within the scan.
            Some(0x00 | 0xD0..=0xD7) => rest = rest.get(2..).unwrap_or_default(),
            Some(0xFF) => rest = rest.get(1..).unwrap_or_default(),
            Some(_) => return Ok(rest),
            None => break,
        }
    }
    Err(Spoilt::Truncated)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The markers of a baseline JPEG of so many bytes (at least 48), with zeros for coded data.
    pub(crate) fn markers(width: u16, height: u16, bytes: usize) -> Vec<u8> {
        let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
        let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 0, 0];
        jpeg.extend([0xFF, 0xC0, 0, 17, 8, h1, h0, w1, w0, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
        jpeg.extend([0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]);
        jpeg.resize(bytes.max(jpeg.len() + 2) - 2, 0);
        jpeg.extend([0xFF, 0xD9]);
        jpeg
    }

    #[test]
    fn tells_the_size_of_a_whole_picture() {
        let jpeg = markers(640, 480, 100);
        assert_eq!((size(&jpeg), jpeg.len()), (Ok((640, 480)), 100));
        let padded: Vec<u8> = jpeg.iter().copied().chain([0; 9]).collect();
        assert_eq!(size(&padded), Ok((640, 480)), "padding behind the end");
        let mut filled = jpeg.clone();
        filled.splice(2..2, [0xFF, 0xFF]);
        assert_eq!(size(&filled), Ok((640, 480)), "fill bytes before a marker");
        let mut coded = jpeg;
        coded.splice(50..50, [0xFF, 0x00, 0xFF, 0xD3, 1]);
        assert_eq!(size(&coded), Ok((640, 480)), "restarts and coded 0xFF");
    }

    #[test]
    fn a_large_picture_with_next_to_no_data_is_cut_off() {
        assert_eq!(size(&markers(4096, 3072, 14_000)), Err(Spoilt::Truncated));
        assert_eq!(size(&markers(4096, 3072, 60_000)), Ok((4096, 3072)));
        let mut progressive = markers(4096, 3072, 14_000);
        progressive[9] = 0xC2;
        assert_eq!(size(&progressive), Ok((4096, 3072)), "there, a run of empty blocks is one code");
    }

    #[test]
    fn what_no_camera_sends_is_not_decoded() {
        assert_eq!(size(b""), Err(Spoilt::NotAJpeg));
        assert_eq!(size(b"GIF89a"), Err(Spoilt::NotAJpeg));
        assert_eq!(size(&[0xFF, 0xD8, 0xFF, 0xD9]), Err(Spoilt::Broken));
        assert_eq!(size(&markers(8, 480, 100)), Err(Spoilt::Size(8, 480)));
        assert_eq!(size(&markers(60_000, 60_000, 100)), Err(Spoilt::Size(60_000, 60_000)), "a bomb");
        let mut lossless = markers(640, 480, 100);
        lossless[9] = 0xC3;
        assert_eq!(size(&lossless), Err(Spoilt::Kind));
        let mut scans = markers(640, 480, 48);
        let scan = scans[27..].to_vec();
        scans.truncate(27);
        let scan = &scan[..scan.len() - 2];
        (0..40).for_each(|_| scans.extend(scan));
        scans.extend([0xFF, 0xD9]);
        assert_eq!(size(&scans), Err(Spoilt::Scans));
    }

    proptest! {
        #[test]
        fn any_cut_is_noticed(cut in 0usize..200) {
            prop_assert!(size(&markers(640, 480, 200)[..cut]).is_err());
        }
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = size(&bytes);
            let mut jpeg = vec![0xFF, 0xD8, 0xFF];
            jpeg.extend(bytes);
            let _ = size(&jpeg);
        }
    }
}
