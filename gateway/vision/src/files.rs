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

/// What a path leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Pictures and videos: files as given, those of a folder by name.
    pub sources: Vec<PathBuf>,
    /// Files of a folder that are no pictures, with the reason.
    pub skipped: Vec<(PathBuf, String)>,
}

/// All sources that `paths` name. Folders are not entered further; hidden files are passed over.
///
/// # Errors
/// A path that is not there or cannot be listed, with its name.
pub fn list(paths: &[PathBuf]) -> Result<Listing, (PathBuf, std::io::Error)> {
    let mut all = Listing::default();
    for path in paths {
        let meta = std::fs::metadata(path).map_err(|e| (path.clone(), e))?;
        if !meta.is_dir() {
            all.sources.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).and_then(|e| e.collect::<Result<Vec<_>, _>>()).map_err(|e| (path.clone(), e))?;
        let mut inside: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
        inside.sort();
        for file in inside {
            let hidden = file.file_name().is_none_or(|n| n.to_string_lossy().starts_with('.'));
            if hidden || file.is_dir() {
                continue;
            }
            match kind(&file) {
                Kind::Picture | Kind::Video => all.sources.push(file),
                Kind::OtherVideo => {
                    let why = FileError::Video("its format is not read here".to_owned(), file.display().to_string()).to_string();
                    all.skipped.push((file, why));
                }
                Kind::Other => all.skipped.push((file, FileError::Kind.to_string())),
            }
        }
    }
    Ok(all)
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
        Kind::OtherVideo => Err(FileError::Video("its format is not read here".to_owned(), path.display().to_string())),
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
