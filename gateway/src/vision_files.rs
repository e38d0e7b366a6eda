//! `tuoan vision`: what the models see on pictures and videos, a line a frame. For trying a camera's place before it is mounted, for checking a model that a site
//! has put in, and for the project's own checks. Nothing is stored but, when asked for, pictures with what was seen drawn on them and all faces covered.
use serde::Serialize;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tuoan_vision::eye::{Effort, Eye};
use tuoan_vision::files::{self, Frame};
use tuoan_vision::integrity::luma::Rgb;
use tuoan_vision::integrity::{Blindness, Context, FrameFacts, Integrity, Wanted};
use tuoan_vision::models::store::{Files, Sources};
use tuoan_vision::overlay;
use tuoan_vision::picture::Limits;
use tuoan_vision::runtime::{self, Choice};
use tuoan_vision::sight::{Face, Person, Posture, Rect, Sight};

/// Quality of the pictures that are drawn on.
const QUALITY: u8 = 88;

pub struct Options {
    /// Files or folders.
    pub paths: Vec<PathBuf>,
    /// One JSON object a frame instead of text.
    pub json: bool,
    /// Frames a second taken from GIFs and videos; all of them without it.
    pub fps: Option<f64>,
    /// Where pictures with what was seen are put.
    pub overlay: Option<PathBuf>,
    pub runtime: Choice,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub frames: u64,
    pub people: u64,
    /// Files that could not be read, or not to their end.
    pub broken: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no picture and no video in {}", .0.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
    Nothing(Vec<PathBuf>),
    #[error("the models cannot be used: {0}")]
    Models(String),
    #[error("{path}: {detail}")]
    Frame { path: PathBuf, detail: String },
    #[error("{path} is also looked at; the drawn pictures need another folder")]
    SameFolder { path: PathBuf },
    #[error("{path}: {source}")]
    Overlay { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// One frame, as it is written. Places are in pixels of the frame, from its upper left corner.
#[derive(Serialize)]
struct Line<'a> {
    source: &'a str,
    /// Counted from 0 in the source.
    frame: u64,
    people: Vec<PersonLine>,
    faces: Vec<FaceLine>,
    integrity: IntegrityLine,
}

#[derive(Serialize)]
struct PersonLine {
    /// Left, top, right, bottom.
    #[serde(rename = "box")]
    bbox: [f32; 4],
    score: f32,
    posture: Posture,
    /// COCO's 17: x, y, score; null when only the detector saw this person.
    keypoints: Option<Vec<[f32; 3]>>,
    /// Needs a calibrated camera, which a file is not: always null.
    height_m: Option<f32>,
}

#[derive(Serialize)]
struct FaceLine {
    #[serde(rename = "box")]
    bbox: [f32; 4],
    score: f32,
}

/// Whether the picture is one to be trusted.
#[derive(Serialize)]
struct IntegrityLine {
    /// In which ways the camera does not see, over the source's frames so far.
    blind: Vec<Blindness>,
    /// Share of the picture that changed since the last frame.
    motion: f32,
    /// Mean brightness, 0 to 255, and its range without the extreme 2 % at either end.
    brightness: f32,
    range: f32,
    /// Share of burnt-out cells.
    clipped: f32,
    /// Edges that stand out of the noise, levels a cell, mean: near 0 out of focus.
    texture: f32,
}

/// Looks at every frame of every source and writes a line for each to `out`. What cannot be read is named on `notes`, and the others are looked at all the same.
///
/// # Errors
/// There is nothing to look at, the models do not load or run, or a result cannot be written.
pub fn run(options: &Options, out: &mut dyn Write, notes: &mut dyn Write) -> Result<Summary, Error> {
    let listing = files::list(&options.paths);
    for (path, e) in &listing.faults {
        writeln!(notes, "{}: {e}", path.display())?;
    }
    for (path, why) in &listing.skipped {
        writeln!(notes, "passed over: {}: {why}", path.display())?;
    }
    let mut done = Summary { broken: listing.faults.len() as u64, ..Summary::default() };
    if listing.sources.is_empty() {
        return if done.broken > 0 { Ok(done) } else { Err(Error::Nothing(options.paths.clone())) };
    }
    if let Some(folder) = &options.overlay {
        prepare(folder, &options.paths)?;
    }
    let models = |e: &dyn std::fmt::Display| Error::Models(e.to_string());
    let runtime = runtime::get(&options.runtime).map_err(|e| models(&e))?;
    runtime.passed_over.iter().try_for_each(|why| writeln!(notes, "not used: {why}"))?;
    let files = Files::open(&Sources::default()).map_err(|e| models(&e))?;
    let mut eye = Eye::new(runtime, &files.bytes()).map_err(|e| models(&e))?;
    let mut names = HashMap::new();
    for path in &listing.sources {
        let name = unique(path, &mut names);
        let mut watch = Watch::new();
        let frames = match files::open(path, options.fps, &Limits::default()) {
            Ok(frames) => frames,
            Err(e) => {
                writeln!(notes, "{}: {e}", path.display())?;
                done.broken += 1;
                continue;
            }
        };
        for frame in frames {
            let frame = match frame {
                Ok(frame) => frame,
                Err(e) => {
                    writeln!(notes, "{}: {e}", path.display())?;
                    done.broken += 1;
                    continue;
                }
            };
            let failed = |detail: String| Error::Frame { path: path.clone(), detail };
            let mut sight = eye.look(&frame.picture, Effort::Thorough).map_err(|e| failed(e.to_string()))?;
            sight.faces = eye.faces(&frame.picture).map_err(|e| failed(e.to_string()))?;
            let integrity = watch.see(&frame);
            done.frames += 1;
            done.people += sight.people.len() as u64;
            let source = path.to_string_lossy();
            let line = line(&source, frame.index, &sight, integrity);
            if options.json {
                serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
                writeln!(out)?;
            } else {
                writeln!(out, "{}", text(&line, &sight))?;
            }
            if let Some(folder) = &options.overlay {
                sight.doubtful = eye.supposed(&frame.picture).map_err(|e| failed(e.to_string()))?;
                let drawn = overlay::draw(&frame.picture, &sight).and_then(|p| p.to_jpeg(QUALITY)).map_err(|e| failed(e.to_string()))?;
                let to = folder.join(format!("{name}-{:05}.jpg", frame.index));
                std::fs::write(&to, drawn).map_err(|source| Error::Overlay { path: to, source })?;
            }
        }
    }
    out.flush()?;
    Ok(done)
}

/// The folder for drawn pictures. It must not be one that is looked at: the next run would look at them.
fn prepare(folder: &Path, looked_at: &[PathBuf]) -> Result<(), Error> {
    let at = |source| Error::Overlay { path: folder.to_owned(), source };
    if folder.exists() && !folder.is_dir() {
        return Err(at(io::Error::new(io::ErrorKind::NotADirectory, "this is a file; name a folder, which is made if it is not there")));
    }
    std::fs::create_dir_all(folder).map_err(at)?;
    let whole = std::fs::canonicalize(folder).map_err(at)?;
    match looked_at.iter().any(|p| std::fs::canonicalize(p).is_ok_and(|p| p == whole)) {
        true => Err(Error::SameFolder { path: folder.to_owned() }),
        false => Ok(()),
    }
}

/// The file's name, with a number when another source has it too.
fn unique(path: &Path, names: &mut HashMap<String, usize>) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let n = names.entry(name.clone()).or_default();
    *n += 1;
    if *n == 1 { name } else { format!("{name}-{n}") }
}

/// Watches the frames of one source as those of a camera.
struct Watch(Integrity);

impl Watch {
    fn new() -> Watch {
        Watch(Integrity::new(Wanted::default()))
    }

    fn see(&mut self, frame: &Frame) -> IntegrityLine {
        let picture = &frame.picture;
        let mut hash = DefaultHasher::new();
        picture.rgb().hash(&mut hash);
        let facts = FrameFacts {
            received_ms: i64::try_from(frame.at_ms).unwrap_or(i64::MAX),
            captured_ms: None,
            sequence: None,
            width: picture.width(),
            height: picture.height(),
            picture_hash: hash.finish(),
        };
        let rgb = Rgb { width: picture.width(), height: picture.height(), bytes: picture.rgb() };
        self.0.see(&facts, rgb, Context { care_hours: true, nap: false });
        let measures = self.0.measures();
        // How many frames come is the choice of who made the file or gave --fps.
        let blind = self.0.blind().keys().copied().filter(|b| *b != Blindness::LowRate).collect();
        IntegrityLine {
            blind,
            motion: self.0.motion(),
            brightness: measures.mean,
            range: measures.range,
            clipped: measures.clipped,
            texture: measures.texture,
        }
    }
}

fn line<'a>(source: &'a str, frame: u64, sight: &Sight, integrity: IntegrityLine) -> Line<'a> {
    let (w, h) = (sight.width as f32, sight.height as f32);
    let tenths = |v: f32| (v * 10.0).round() / 10.0;
    let bbox = |b: &Rect| [b.x0 * w, b.y0 * h, b.x1 * w, b.y1 * h].map(tenths);
    let person = |p: &Person| PersonLine {
        bbox: bbox(&p.bbox),
        score: thousandths(p.score),
        posture: p.posture,
        keypoints: p.pose.map(|pose| pose.iter().map(|k| [tenths(k.x * w), tenths(k.y * h), thousandths(k.score)]).collect()),
        height_m: None,
    };
    let face = |f: &Face| FaceLine { bbox: bbox(&f.bbox), score: thousandths(f.score) };
    Line { source, frame, people: sight.people.iter().map(person).collect(), faces: sight.faces.iter().map(face).collect(), integrity }
}

fn thousandths(v: f32) -> f32 {
    (v * 1000.0).round() / 1000.0
}

fn text(line: &Line, sight: &Sight) -> String {
    let people: Vec<String> = line
        .people
        .iter()
        .map(|p| {
            let [x0, y0, x1, y1] = p.bbox.map(f32::round);
            format!("{} {:.0}% at {x0},{y0} to {x1},{y1}", name(p.posture), p.score * 100.0)
        })
        .collect();
    let least = if sight.at_least { "at least " } else { "" };
    let blind: Vec<String> = line.integrity.blind.iter().map(|b| format!("{b:?}").to_lowercase()).collect();
    let mut all = format!("{}\t{}\t{least}{} people", line.source, line.frame, line.people.len());
    for (what, list) in [("", people), ("the camera is ", blind)] {
        if !list.is_empty() {
            all += &format!("\t{what}{}", list.join("; "));
        }
    }
    if !line.faces.is_empty() {
        all += &format!("\t{} faces", line.faces.len());
    }
    all
}

fn name(posture: Posture) -> &'static str {
    match posture {
        Posture::Standing => "standing",
        Posture::Sitting => "sitting",
        Posture::Crouching => "crouching",
        Posture::Bending => "bending",
        Posture::Lying => "lying",
        Posture::Unknown => "posture unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_vision::picture::Picture;
    use tuoan_vision::sight::{KeyPoint, Pose};

    fn frame(picture: Picture, index: u64) -> Frame {
        Frame { index, at_ms: index * 1000, picture }
    }

    fn sight() -> Sight {
        let bbox = Rect { x0: 0.25, y0: 0.5, x1: 0.75, y1: 1.0 };
        let pose: Pose = [KeyPoint { x: 0.5, y: 0.5, score: 0.87654 }; 17];
        let people = vec![
            Person { bbox, score: 0.98765, pose: Some(pose), posture: Posture::Lying },
            Person { bbox, score: 0.6, pose: None, posture: Posture::Unknown },
        ];
        Sight { width: 640, height: 480, people, faces: vec![Face { bbox, score: 0.9 }], ..Sight::default() }
    }

    #[test]
    fn a_line_is_the_promised_object_with_places_in_pixels() {
        let integrity = Watch::new().see(&frame(Picture::plain(640, 480, [80; 3]), 0));
        let value = serde_json::to_value(line("a/b.jpg", 7, &sight(), integrity)).unwrap();
        let keys = |v: &serde_json::Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let mut top = keys(&value);
        top.sort();
        assert_eq!(top, ["faces", "frame", "integrity", "people", "source"]);
        assert_eq!((value["source"].as_str(), value["frame"].as_u64()), (Some("a/b.jpg"), Some(7)));
        let lying = &value["people"][0];
        assert_eq!(lying["box"], serde_json::json!([160.0, 240.0, 480.0, 480.0]));
        assert_eq!((lying["posture"].as_str(), lying["height_m"].is_null()), (Some("lying"), true));
        assert_eq!(lying["keypoints"].as_array().unwrap().len(), 17);
        assert!(value["people"][1]["keypoints"].is_null());
        assert!((value["integrity"]["brightness"].as_f64().unwrap() - 80.0).abs() < 1.5);
    }

    #[test]
    fn text_says_how_many_and_how_they_are() {
        let integrity = Watch::new().see(&frame(Picture::plain(640, 480, [80; 3]), 0));
        let text = text(&line("a.jpg", 0, &sight(), integrity), &sight());
        assert!(text.starts_with("a.jpg\t0\t2 people\tlying 99% at 160,240 to 480,480; posture unknown"), "{text}");
        assert!(text.ends_with("1 faces"), "{text}");
    }

    #[test]
    fn sources_of_one_name_do_not_write_over_each_other() {
        let mut names = HashMap::new();
        let all = ["a/x.jpg", "b/x.jpg", "b/y.jpg"].map(|p| unique(Path::new(p), &mut names));
        assert_eq!(all, ["x.jpg", "x.jpg-2", "y.jpg"]);
    }

    #[test]
    fn drawn_pictures_do_not_land_among_those_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let looked_at = [dir.path().to_owned()];
        assert!(matches!(prepare(dir.path(), &looked_at), Err(Error::SameFolder { .. })));
        assert!(prepare(&dir.path().join("drawn"), &looked_at).is_ok());
    }

    #[test]
    fn nothing_to_look_at_is_an_error_and_a_missing_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let options = |path: PathBuf| Options { paths: vec![path], json: true, fps: None, overlay: None, runtime: Choice::Embedded };
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        assert!(matches!(run(&options(dir.path().to_owned()), &mut out, &mut notes), Err(Error::Nothing(_))));
        let done = run(&options(dir.path().join("gone.jpg")), &mut out, &mut notes).unwrap();
        assert_eq!(done, Summary { frames: 0, people: 0, broken: 1 });
        assert!(String::from_utf8(notes).unwrap().contains("gone.jpg"));
    }
}
