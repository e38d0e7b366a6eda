//! Cuts frames out of an MP4 with H.264 video or of a GIF: `video-frames VIDEO FOLDER EVERY_MS WIDTH QUALITY`. A frame each `EVERY_MS`, scaled to `WIDTH`,
//! is written as `FOLDER/NNNN.jpg`. Made the pictures in `gateway/demo-data/cameras`; see `ATTRIBUTION.md` there.
use std::error::Error;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{AnimationDecoder, DynamicImage, RgbImage};
use openh264::decoder::{DecodeOptions, Decoder, Flush};
use openh264::formats::YUVSource;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [video, folder, every_ms, width, quality] = args.as_slice() else {
        return Err("usage: video-frames VIDEO FOLDER EVERY_MS WIDTH QUALITY".into());
    };
    let (every_ms, width, quality): (i64, u32, u8) = (every_ms.parse()?, width.parse()?, quality.parse()?);
    let bytes = fs::read(video)?;
    fs::create_dir_all(folder)?;
    let (mut next_ms, mut written) = (0, 0);
    let write = |at_ms: i64, frame: RgbImage| {
        if at_ms < next_ms {
            return Ok(());
        }
        next_ms += every_ms;
        let height = width * frame.height() / frame.width().max(1);
        let small = image::imageops::resize(&frame, width, height, FilterType::Triangle);
        let mut jpeg = Vec::new();
        small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, quality))?;
        fs::write(Path::new(folder).join(format!("{written:04}.jpg")), jpeg)?;
        written += 1;
        Ok(())
    };
    if bytes.starts_with(b"GIF8") {
        gif(&bytes, write)?
    } else {
        mp4(&bytes, write)?
    }
    println!("{written} frames");
    Ok(())
}

fn gif(bytes: &[u8], mut write: impl FnMut(i64, RgbImage) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut at_ms = 0;
    for frame in GifDecoder::new(Cursor::new(bytes))?.into_frames() {
        let frame = frame?;
        let (numerator, denominator) = frame.delay().numer_denom_ms();
        write(at_ms, DynamicImage::ImageRgba8(frame.into_buffer()).into_rgb8())?;
        at_ms += i64::from(numerator / denominator.max(1));
    }
    Ok(())
}

fn mp4(bytes: &[u8], mut write: impl FnMut(i64, RgbImage) -> Result<(), Failure>) -> Result<(), Failure> {
    let mp4 = re_mp4::Mp4::read_bytes(bytes)?;
    let track = mp4.tracks().values().find(|t| t.width > 0).ok_or("no video track")?;
    let header = track.raw_codec_config(&mp4).ok_or("no codec description")?;
    // Pictures come in the order of showing, some samples late: flushing early breaks those that wait for one another.
    let waiting = DecodeOptions::new().flush_after_decode(Flush::NoFlush);
    let mut decoder = Decoder::new()?;
    decoder.decode_with_options(&parameter_sets(&header).ok_or("the avcC box is broken")?, waiting.clone())?;
    let timescale = i64::try_from(track.timescale.max(1))?;
    let mut times: Vec<i64> = track.samples.iter().map(|s| s.composition_timestamp * 1000 / timescale).collect();
    times.sort_unstable();
    let mut times = times.into_iter();
    for sample in &track.samples {
        let packet = annex_b(bytes.get(sample.byte_range()).ok_or("a sample lies beyond the file")?);
        let Some(picture) = decoder.decode_with_options(&packet, waiting.clone())? else { continue };
        let (w, h) = picture.dimensions();
        let mut rgb = vec![0; w * h * 3];
        picture.write_rgb8(&mut rgb);
        let frame = RgbImage::from_raw(u32::try_from(w)?, u32::try_from(h)?, rgb).ok_or("a picture of another size than it says")?;
        write(times.next().ok_or("more pictures than samples")?, frame)?;
    }
    Ok(())
}

/// SPS and PPS of an avcC box, as Annex B.
fn parameter_sets(avcc: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = avcc.get(5..)?;
    for mask in [0x1f, 0xff] {
        let (count, after) = rest.split_first()?;
        rest = after;
        for _ in 0..count & mask {
            let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
            out.extend_from_slice(&[0, 0, 0, 1]);
            out.extend_from_slice(rest.get(2..2 + length)?);
            rest = rest.get(2 + length..)?;
        }
    }
    Some(out)
}

/// Length-prefixed units (four bytes each) as Annex B; what is cut off at the end is left out.
fn annex_b(mut sample: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((length, rest)) = sample.split_first_chunk::<4>() {
        let Some(unit) = usize::try_from(u32::from_be_bytes(*length)).ok().and_then(|n| rest.get(..n)) else { break };
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(unit);
        sample = &rest[unit.len()..];
    }
    out
}
