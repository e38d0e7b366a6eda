//! Pictures and videos from files, frame by frame, for `tuoan vision`. One frame is held at a time, however long a video is.
//!
//! Read are JPEG, PNG, GIF, and H.264 in MP4 (`mp4`, `m4v`, `mov`). Other videos have to be converted, which the error says.
use crate::picture::{self, Limits, Picture, PictureError};
use openh264::decoder::{DecodeOptions, Decoder, Flush};
use openh264::formats::YUVSource;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Largest coded frame of a video, in bytes.
const LARGEST_SAMPLE: u64 = 32 << 20;
/// Most that a video's tables may describe: a day at 30 frames a second.
const MOST_SAMPLES: usize = 30 * 86_400;
const PICTURES: &[&str] = &["jpg", "jpeg", "png", "gif"];
const VIDEOS: &[&str] = &["mp4", "m4v", "mov"];
/// Known, but not read.
const OTHER_VIDEOS: &[&str] = &["avi", "mkv", "webm", "wmv", "flv", "mpg", "mpeg", "ts", "h264", "h265", "264", "265", "3gp"];

/// Why a file, or a frame of it, cannot be read. The file's name stands before it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Picture(#[from] PictureError),
    #[error("the video cannot be read: {0}; convert it with: ffmpeg -i {1} -c:v libx264 -an converted.mp4")]
    Video(String, String),
    #[error("frame {frame} of the video cannot be decoded: {detail}")]
    Frame { frame: u64, detail: String },
    #[error("it is neither a picture (jpg, jpeg, png, gif) nor a video (mp4, m4v, mov)")]
    Kind,
}

/// A frame of a source.
#[derive(Debug)]
pub struct Frame {
    /// Counted from 0 in the source, frames left out by `fps` among them.
    pub index: u64,
    /// Since the source's start.
    pub at_ms: u64,
    pub picture: Picture,
}

/// What paths lead to.
#[derive(Debug, Default)]
pub struct Listing {
    /// Pictures and videos: files as given, those of a folder by name.
    pub sources: Vec<PathBuf>,
    /// Files of a folder that are no pictures, with the reason.
    pub skipped: Vec<(PathBuf, String)>,
    /// Paths that are not there or cannot be listed.
    pub faults: Vec<(PathBuf, std::io::Error)>,
}

/// All sources that `paths` name. Folders are not entered further; hidden files are passed over.
pub fn list(paths: &[PathBuf]) -> Listing {
    let mut all = Listing::default();
    for path in paths {
        match inside(path) {
            Ok(None) => all.sources.push(path.clone()),
            Ok(Some(files)) => files.into_iter().for_each(|file| all.add(file)),
            Err(e) => all.faults.push((path.clone(), e)),
        }
    }
    all
}

/// The visible files of a folder by name; `None`: it is a file.
fn inside(path: &Path) -> std::io::Result<Option<Vec<PathBuf>>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(None);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let hidden = file.file_name().is_none_or(|n| n.to_string_lossy().starts_with('.'));
        if !hidden && !file.is_dir() {
            files.push(file);
        }
    }
    files.sort();
    Ok(Some(files))
}

impl Listing {
    fn add(&mut self, file: PathBuf) {
        let why = match kind(&file) {
            Kind::Picture | Kind::Video => {
                self.sources.push(file);
                return;
            }
            Kind::OtherVideo => unread(&file),
            Kind::Other => FileError::Kind,
        };
        self.skipped.push((file, why.to_string()));
    }
}

fn unread(path: &Path) -> FileError {
    FileError::Video("its format is not read here".to_owned(), path.display().to_string())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Picture,
    Video,
    OtherVideo,
    Other,
}

fn kind(path: &Path) -> Kind {
    let end = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let among = |list: &[&str]| list.contains(&end.as_str());
    match () {
        () if among(PICTURES) => Kind::Picture,
        () if among(VIDEOS) => Kind::Video,
        () if among(OTHER_VIDEOS) => Kind::OtherVideo,
        () => Kind::Other,
    }
}

/// The frames of one source, in order: of a picture one, of a GIF and a video each, or with `fps` as many a second. After an error none follows.
///
/// # Errors
/// The file cannot be opened or is of no kind that is read.
pub fn open(path: &Path, fps: Option<f64>, limits: &Limits) -> Result<Box<dyn Iterator<Item = Result<Frame, FileError>>>, FileError> {
    let mut pace = Pace::new(fps);
    match kind(path) {
        Kind::Picture => {
            let mut bytes = Vec::new();
            let most = limits.bytes as u64 + 1;
            File::open(path)?.take(most).read_to_end(&mut bytes)?;
            let mut at_ms = 0;
            let frames = picture::frames(bytes, limits)?.zip(0..).filter_map(move |(frame, index)| match frame {
                Ok(frame) => {
                    let now = at_ms;
                    // A frame shown for no time would stop the clock; browsers take a tenth of a second for it.
                    at_ms += u64::from(if frame.shown_ms == 0 { 100 } else { frame.shown_ms });
                    pace.takes(now).then_some(Ok(Frame { index, at_ms: now, picture: frame.picture }))
                }
                Err(e) => Some(Err(e.into())),
            });
            Ok(Box::new(frames))
        }
        Kind::Video => Ok(Box::new(Video::open(path, pace, *limits)?)),
        Kind::OtherVideo => Err(unread(path)),
        Kind::Other => Err(FileError::Kind),
    }
}

/// Takes the first frame at or after each tick.
struct Pace {
    tick_ms: Option<f64>,
    taken: u64,
}

impl Pace {
    fn new(fps: Option<f64>) -> Pace {
        Pace { tick_ms: fps.filter(|f| f.is_finite() && *f > 0.0).map(|f| 1000.0 / f), taken: 0 }
    }

    fn takes(&mut self, at_ms: u64) -> bool {
        let Some(tick) = self.tick_ms else {
            return true;
        };
        let due = at_ms as f64 + 0.5 >= self.taken as f64 * tick;
        if due {
            // A frame that comes late fills every tick that it has missed.
            self.taken = ((at_ms as f64 + 0.5) / tick) as u64 + 1;
        }
        due
    }
}

/// One coded frame in the file.
struct Sample {
    offset: u64,
    size: u64,
    at_ms: u64,
}

struct Video {
    file: File,
    samples: std::vec::IntoIter<Sample>,
    /// When the frames are shown, in that order: what is decoded comes out in it.
    shown: std::vec::IntoIter<u64>,
    decoder: Decoder,
    /// Parameter sets in front of the first frame, in Annex B form.
    head: Vec<u8>,
    /// Bytes of the length in front of each unit.
    length_size: usize,
    pace: Pace,
    limits: Limits,
    index: u64,
    decoded: std::collections::VecDeque<Result<Frame, FileError>>,
    over: bool,
}

impl Video {
    fn open(path: &Path, pace: Pace, limits: Limits) -> Result<Video, FileError> {
        let bad = |detail: String| FileError::Video(detail, path.display().to_string());
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mp4 = re_mp4::Mp4::read(&mut file, size).map_err(|e| bad(e.to_string()))?;
        let video = mp4.tracks().values().find(|t| t.kind == Some(re_mp4::TrackKind::Video));
        let track = video.ok_or_else(|| bad("there is no video in it".to_owned()))?;
        let re_mp4::StsdBoxContent::Avc1(avc) = &track.trak(&mp4).mdia.minf.stbl.stsd.contents else {
            return Err(bad("it is not H.264".to_owned()));
        };
        if u64::from(avc.width) * u64::from(avc.height) > limits.pixels || track.samples.len() > MOST_SAMPLES {
            return Err(bad(format!("{} x {} pixels and {} frames are too many", avc.width, avc.height, track.samples.len())));
        }
        let mut head = Vec::new();
        for unit in avc.avcc.sequence_parameter_sets.iter().chain(&avc.avcc.picture_parameter_sets) {
            unit_of(&unit.bytes, &mut head);
        }
        let ms = |time: i64| (time.max(0) as f64 * 1000.0 / track.timescale.max(1) as f64) as u64;
        let start = track.samples.iter().map(|s| s.composition_timestamp).min().unwrap_or_default();
        let samples: Vec<Sample> =
            track.samples.iter().map(|s| Sample { offset: s.offset, size: s.size, at_ms: ms(s.composition_timestamp - start) }).collect();
        let mut shown: Vec<u64> = samples.iter().map(|s| s.at_ms).collect();
        shown.sort_unstable();
        Ok(Video {
            file,
            samples: samples.into_iter(),
            shown: shown.into_iter(),
            decoder: Decoder::new().map_err(|e| bad(e.to_string()))?,
            head,
            length_size: usize::from(avc.avcc.length_size_minus_one & 3) + 1,
            pace,
            limits,
            index: 0,
            decoded: std::collections::VecDeque::new(),
            over: false,
        })
    }

    /// Reads and decodes the next coded frame; what comes out, perhaps nothing, goes to `decoded`.
    fn step(&mut self, sample: &Sample) -> Result<(), FileError> {
        let frame = self.index;
        let broken = |detail: String| FileError::Frame { frame, detail };
        if sample.size > LARGEST_SAMPLE {
            return Err(broken(format!("{} bytes are too many for one frame", sample.size)));
        }
        let mut bytes = vec![0; sample.size as usize];
        self.file.seek(SeekFrom::Start(sample.offset))?;
        self.file.read_exact(&mut bytes)?;
        let mut stream = std::mem::take(&mut self.head);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let cut = || broken("a unit is cut off".to_owned());
            let (length, body) = rest.split_at_checked(self.length_size).ok_or_else(cut)?;
            let length = length.iter().fold(0, |n, b| n << 8 | usize::from(*b));
            let (unit, after) = body.split_at_checked(length).ok_or_else(cut)?;
            unit_of(unit, &mut stream);
            rest = after;
        }
        let options = DecodeOptions::new().flush_after_decode(Flush::NoFlush);
        if let Some(yuv) = self.decoder.decode_with_options(&stream, options).map_err(|e| broken(e.to_string()))? {
            let picture = picture_of(&yuv, &self.limits)?;
            self.emit(picture);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FileError> {
        let frame = self.index;
        let left = self.decoder.flush_remaining().map_err(|e| FileError::Frame { frame, detail: e.to_string() })?;
        let left: Vec<_> = left.iter().map(|yuv| picture_of(yuv, &self.limits)).collect();
        for picture in left {
            self.emit(picture?);
        }
        Ok(())
    }

    fn emit(&mut self, picture: Picture) {
        let (index, at_ms) = (self.index, self.shown.next().unwrap_or_default());
        self.index += 1;
        if self.pace.takes(at_ms) {
            self.decoded.push_back(Ok(Frame { index, at_ms, picture }));
        }
    }
}

impl Iterator for Video {
    type Item = Result<Frame, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(frame) = self.decoded.pop_front() {
                return Some(frame);
            }
            if self.over {
                return None;
            }
            let done = match self.samples.next() {
                Some(sample) => self.step(&sample),
                None => {
                    self.over = true;
                    self.flush()
                }
            };
            if let Err(e) = done {
                self.over = true;
                return Some(Err(e));
            }
        }
    }
}

/// One unit with the start code of Annex B.
fn unit_of(unit: &[u8], to: &mut Vec<u8>) {
    to.extend([0, 0, 0, 1]);
    to.extend(unit);
}

fn picture_of(yuv: &openh264::decoder::DecodedYUV<'_>, limits: &Limits) -> Result<Picture, PictureError> {
    let (width, height) = yuv.dimensions();
    if (width as u64) * (height as u64) > limits.pixels {
        return Err(PictureError::TooLarge { width: width as u64, height: height as u64 });
    }
    let mut rgb = vec![0; yuv.rgb8_len()];
    yuv.write_rgb8(&mut rgb);
    let side = |n: usize| u32::try_from(n).unwrap_or_default();
    Picture::new(side(width), side(height), rgb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use openh264::encoder::Encoder;
    use openh264::formats::{RgbSliceU8, YUVBuffer};

    fn put(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn all(path: &Path, fps: Option<f64>) -> Vec<Frame> {
        open(path, fps, &Limits::default()).unwrap().map(|f| f.unwrap()).collect()
    }

    fn gif(frames: u8) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut out);
        for i in 0..frames {
            let image = image::RgbaImage::from_raw(8, 8, [i * 20, 0, 0, 255].repeat(64)).unwrap();
            let delay = image::Delay::from_numer_denom_ms(100, 1);
            encoder.encode_frame(image::Frame::from_parts(image, 0, 0, delay)).unwrap();
        }
        drop(encoder);
        out
    }

    /// A box of ISO 14496-12.
    fn part(kind: &[u8; 4], bodies: &[&[u8]]) -> Vec<u8> {
        let body = bodies.concat();
        [&u32::try_from(body.len() + 8).unwrap().to_be_bytes()[..], kind, &body].concat()
    }

    fn words(all: &[u32]) -> Vec<u8> {
        all.iter().flat_map(|w| w.to_be_bytes()).collect()
    }

    /// An MP4 of H.264 with one frame for each brightness, at 10 frames a second.
    fn mp4(levels: &[u8]) -> Vec<u8> {
        let (side, mut encoder) = (64usize, Encoder::new().unwrap());
        let (mut sets, mut samples): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
        for level in levels {
            let rgb = vec![*level; side * side * 3];
            let stream = encoder.encode(&YUVBuffer::from_rgb8_source(RgbSliceU8::new(&rgb, (side, side)))).unwrap().to_vec();
            let mut sample = Vec::new();
            for unit in units(&stream) {
                match unit[0] & 31 {
                    7 | 8 if sets.len() < 2 => sets.push(unit.to_vec()),
                    7 | 8 => {}
                    _ => sample.extend([&u32::try_from(unit.len()).unwrap().to_be_bytes()[..], unit].concat()),
                }
            }
            samples.push(sample);
        }
        let n = u32::try_from(levels.len()).unwrap();
        let short = |v: &[u8]| u16::try_from(v.len()).unwrap().to_be_bytes().to_vec();
        let avcc = [&[1, 66, 0, 30, 255, 225][..], &short(&sets[0]), &sets[0], &[1], &short(&sets[1]), &sets[1]].concat();
        let mut entry = vec![0; 78];
        entry[7] = 1;
        entry[24..28].copy_from_slice(&[0, 64, 0, 64]);
        let avc1 = part(b"avc1", &[&entry, &part(b"avcC", &[&avcc])]);
        let sizes: Vec<u32> = samples.iter().map(|s| u32::try_from(s.len()).unwrap()).collect();
        let ftyp = part(b"ftyp", &[b"isom", &words(&[0]), b"isom"]);
        let matrix = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000];
        let moov = |offset: u32| {
            let stbl = part(
                b"stbl",
                &[
                    &part(b"stsd", &[&words(&[0, 1]), &avc1]),
                    &part(b"stts", &[&words(&[0, 1, n, 100])]),
                    &part(b"stsc", &[&words(&[0, 1, 1, n, 1])]),
                    &part(b"stsz", &[&words(&[0, 0, n]), &words(&sizes)]),
                    &part(b"stco", &[&words(&[0, 1, offset])]),
                ],
            );
            let dinf = part(b"dinf", &[&part(b"dref", &[&words(&[0, 1]), &part(b"url ", &[&words(&[1])])])]);
            let minf = part(b"minf", &[&part(b"vmhd", &[&words(&[1, 0, 0])]), &dinf, &stbl]);
            let mdhd = part(b"mdhd", &[&words(&[0, 0, 0, 1000, n * 100, 0x55C4_0000])]);
            let hdlr = part(b"hdlr", &[&words(&[0, 0]), b"vide", &words(&[0, 0, 0]), b"v\0"]);
            let mdia = part(b"mdia", &[&mdhd, &hdlr, &minf]);
            let tkhd = part(b"tkhd", &[&words(&[3, 0, 0, 1, 0, n * 100, 0, 0, 0, 0]), &words(&matrix), &words(&[64 << 16, 64 << 16])]);
            let mvhd = part(
                b"mvhd",
                &[&words(&[0, 0, 0, 1000, n * 100, 0x10000, 0x0100_0000, 0, 0]), &words(&matrix), &words(&[0, 0, 0, 0, 0, 0, 2])],
            );
            part(b"moov", &[&mvhd, &part(b"trak", &[&tkhd, &mdia])])
        };
        let offset = u32::try_from(ftyp.len() + moov(0).len() + 8).unwrap();
        [ftyp, moov(offset), part(b"mdat", &[&samples.concat()])].concat()
    }

    /// Units of an Annex B stream.
    fn units(stream: &[u8]) -> Vec<&[u8]> {
        let mut starts: Vec<usize> = (0..stream.len().saturating_sub(2)).filter(|i| stream[*i..].starts_with(&[0, 0, 1])).collect();
        starts.push(stream.len() + 1);
        let unit = |w: &[usize]| {
            let end = if w[1] > stream.len() { stream.len() } else { w[1] };
            let body = &stream[w[0] + 3..end];
            let zeros = body.iter().rev().take_while(|b| **b == 0).count();
            &body[..body.len() - zeros]
        };
        starts.windows(2).map(unit).collect()
    }

    #[test]
    fn a_folder_is_listed_by_name_and_what_is_no_picture_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.PNG", "a.jpg", "c.gif", "d.mp4", ".hidden.jpg", "labels.json", "e.avi"] {
            put(dir.path(), name, b"x");
        }
        std::fs::create_dir(dir.path().join("more.jpg")).unwrap();
        let missing = dir.path().join("missing");
        let all = list(&[dir.path().to_owned(), missing.clone(), dir.path().join("labels.json")]);
        let name = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(all.sources.iter().map(name).collect::<Vec<_>>(), ["a.jpg", "b.PNG", "c.gif", "d.mp4", "labels.json"]);
        assert_eq!(all.skipped.iter().map(|(p, _)| name(p)).collect::<Vec<_>>(), ["e.avi", "labels.json"]);
        assert!(all.skipped[0].1.contains("ffmpeg"), "{}", all.skipped[0].1);
        assert_eq!(all.faults[0].0, missing);
        // A file that is named is not passed over in silence.
        assert!(matches!(open(&all.sources[4], None, &Limits::default()), Err(FileError::Kind)));
    }

    #[test]
    fn a_gif_gives_each_frame_or_as_many_as_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = put(dir.path(), "a.gif", &gif(10));
        let frames = all(&path, None);
        assert_eq!(frames.iter().map(|f| f.index).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        assert_eq!((frames[3].at_ms, frames[3].picture.pixel(0, 0)), (300, Some([60, 0, 0])));
        assert_eq!(all(&path, Some(2.0)).iter().map(|f| f.index).collect::<Vec<_>>(), [0, 5]);
        assert_eq!(all(&path, Some(50.0)).len(), 10, "no frame is given twice");
    }

    #[test]
    fn a_video_gives_its_frames_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let levels = [40, 90, 140, 190, 240];
        let path = put(dir.path(), "a.mp4", &mp4(&levels));
        let frames = all(&path, None);
        assert_eq!(frames.iter().map(|f| (f.index, f.at_ms)).collect::<Vec<_>>(), [(0, 0), (1, 100), (2, 200), (3, 300), (4, 400)]);
        for (frame, level) in frames.iter().zip(levels) {
            let seen = frame.picture.pixel(32, 32).unwrap();
            assert!(seen.iter().all(|c| c.abs_diff(level) < 12), "{seen:?} for {level}");
        }
        assert_eq!(all(&path, Some(5.0)).iter().map(|f| f.index).collect::<Vec<_>>(), [0, 2, 4]);
    }

    #[test]
    fn broken_files_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let whole = mp4(&[40, 90, 140]);
        for (name, bytes) in [
            ("empty.mp4", &b""[..]),
            ("text.mp4", b"no video at all, only text"),
            ("cut.mp4", &whole[..whole.len() - 10]),
            ("half.mp4", &whole[..whole.len() / 2]),
            ("empty.jpg", b""),
            ("text.png", b"text"),
            ("cut.gif", &gif(3)[..60]),
        ] {
            let path = put(dir.path(), name, bytes);
            let fails = match open(&path, None, &Limits::default()) {
                Err(_) => true,
                Ok(frames) => frames.last().is_some_and(|f| f.is_err()),
            };
            assert!(fails, "{name}");
        }
        assert!(open(&dir.path().join("missing.jpg"), None, &Limits::default()).is_err());
    }

    #[test]
    fn a_video_too_large_is_refused_before_it_is_decoded() {
        let dir = tempfile::tempdir().unwrap();
        let path = put(dir.path(), "a.mp4", &mp4(&[40]));
        let limits = Limits { pixels: 64 * 63, ..Limits::default() };
        assert!(open(&path, None, &limits).is_err());
    }
}
