//! What a camera's looks found around an incident: boxes and key points, and no picture.
//!
//! One [`Piece`] is a stretch of one camera's looks and never changes once written. Its canonical bytes are what stands in the log's tree: CBOR in shortest
//! form, integer keys in ascending order, whole numbers only, nothing behind them; any other form of the same piece is refused. Places are
//! ten-thousandths of the picture's width and height, from its upper left corner; scores are percent. Not for nodes: it allocates, and so it is
//! there with the feature `std` only.
use crate::{DeviceId, IncidentId, LogId, SiteId};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use std::fmt;

/// Looks in one piece at most.
pub const MAX_LOOKS: usize = 64;
/// People and things in one look at most.
pub const MAX_SEEN: usize = 48;
/// Key points of a pose: COCO's 17, in its order.
pub const POINTS: usize = 17;
/// The far edge of a picture.
pub const EDGE: u16 = 10_000;
/// Bytes of the models' name at most.
pub const MAX_MODEL: usize = 200;
/// Largest canonical form in bytes: what [`MAX_LOOKS`] looks with [`MAX_SEEN`] people each can take.
pub const MAX_PIECE: usize = 1 << 20;
const VERSION: u8 = 1;

/// What a box is around. Numbers stand in signed records: append only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    Person = 1,
    Bicycle = 2,
    Motorcycle = 3,
}

impl Class {
    pub const ALL: [Class; 3] = [Class::Person, Class::Bicycle, Class::Motorcycle];
    /// Name in message files.
    pub fn name(self) -> &'static str {
        match self {
            Class::Person => "person",
            Class::Bicycle => "bicycle",
            Class::Motorcycle => "motorcycle",
        }
    }
}

/// How somebody holds themselves; 0 where nobody can tell, and of things. Append only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Posture {
    Unknown = 0,
    Standing = 1,
    Sitting = 2,
    Crouching = 3,
    Bending = 4,
    Lying = 5,
}

impl Posture {
    pub const ALL: [Posture; 6] =
        [Posture::Unknown, Posture::Standing, Posture::Sitting, Posture::Crouching, Posture::Bending, Posture::Lying];
    /// Name in message files.
    pub fn name(self) -> &'static str {
        match self {
            Posture::Unknown => "unknown",
            Posture::Standing => "standing",
            Posture::Sitting => "sitting",
            Posture::Crouching => "crouching",
            Posture::Bending => "bending",
            Posture::Lying => "lying",
        }
    }
}

/// A key point that the model has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub x: u16,
    pub y: u16,
    /// Percent.
    pub score: u8,
}

/// The key points of somebody; `None` where the model has not found one.
pub type Pose = [Option<Point>; POINTS];

/// Somebody or something in one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub class: Class,
    /// Percent.
    pub score: u8,
    /// The same within one run of the gateway for as long as somebody is followed; says nothing of who it is. 0: not followed.
    pub track: u32,
    pub posture: Posture,
    /// Left, top, right, bottom.
    pub bbox: [u16; 4],
    pub pose: Option<Pose>,
}

/// What one frame showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When the gateway had the frame, UTC milliseconds.
    pub at: i64,
    /// Pixels of the picture that was looked at.
    pub width: u16,
    pub height: u16,
    /// More people may have been there than were found.
    pub at_least: bool,
    pub seen: Vec<Seen>,
}

/// A stretch of one camera's looks, on record for an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub site: SiteId,
    pub log: LogId,
    pub incident: IncidentId,
    pub camera: DeviceId,
    /// Name of the models that looked.
    pub model: String,
    /// Each later than the one before.
    pub looks: Vec<Look>,
}

/// Why bytes are no piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LooksError {
    TooLong,
    Version(u8),
    /// Not well-formed, or with a value that cannot be; the text says what.
    Malformed(String),
    /// A piece, but not in its one canonical form: changed or padded.
    NotCanonical,
}

impl fmt::Display for LooksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a record of looks is longer than {MAX_PIECE} bytes"),
            Self::Version(v) => write!(f, "the record of looks has version {v}, this program reads {VERSION}; update the reader"),
            Self::Malformed(what) => write!(f, "not a record of looks: {what}"),
            Self::NotCanonical => f.write_str("a record of looks that is not in its canonical form: it was changed or padded"),
        }
    }
}
impl std::error::Error for LooksError {}

impl Piece {
    /// The bytes that stand. Keys: 0 version, 1 site, 2 log, 3 incident, 4 camera, 5 models, 6 looks: each `[at, width, height, at least, [seen, ...]]`;
    /// what was seen is `[class, score, track, posture, left, top, right, bottom, points]`, with no points or 17: `[x, y, score]`, or null.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::with_capacity(256));
        // Writing to memory cannot fail.
        let _ = self.encode(&mut e);
        e.into_writer()
    }
    fn encode(&self, e: &mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        e.map(7)?.u8(0)?.u8(VERSION)?;
        e.u8(1)?.str(self.site.as_str())?.u8(2)?.str(self.log.as_str())?;
        e.u8(3)?.str(self.incident.as_str())?.u8(4)?.str(self.camera.as_str())?.u8(5)?.str(&self.model)?;
        e.u8(6)?.array(self.looks.len() as u64)?;
        for look in &self.looks {
            e.array(5)?.i64(look.at)?.u16(look.width)?.u16(look.height)?.bool(look.at_least)?;
            e.array(look.seen.len() as u64)?;
            for s in &look.seen {
                e.array(9)?.u8(s.class as u8)?.u8(s.score)?.u32(s.track)?.u8(s.posture as u8)?;
                for edge in s.bbox {
                    e.u16(edge)?;
                }
                let points: &[Option<Point>] = s.pose.as_ref().map_or(&[], |p| p.as_slice());
                e.array(points.len() as u64)?;
                for point in points {
                    match point {
                        Some(p) => e.array(3)?.u16(p.x)?.u16(p.y)?.u8(p.score)?,
                        None => e.null()?,
                    };
                }
            }
        }
        Ok(())
    }

    /// # Errors
    /// They are no piece, or not its canonical bytes.
    pub fn from_canonical(bytes: &[u8]) -> Result<Piece, LooksError> {
        if bytes.len() > MAX_PIECE {
            return Err(LooksError::TooLong);
        }
        let piece = decode(&mut Decoder::new(bytes))?;
        if piece.canonical_bytes() == bytes { Ok(piece) } else { Err(LooksError::NotCanonical) }
    }
}

fn malformed(e: impl fmt::Display) -> LooksError {
    LooksError::Malformed(e.to_string())
}

fn count(n: Option<u64>, most: usize) -> Result<usize, LooksError> {
    let n = n.and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= most);
    n.ok_or_else(|| LooksError::Malformed(format!("a list of unknown length, or of more than {most}")))
}

fn decode(d: &mut Decoder<'_>) -> Result<Piece, LooksError> {
    fn key(d: &mut Decoder<'_>, want: u8) -> Result<(), LooksError> {
        if d.u8().map_err(malformed)? == want { Ok(()) } else { Err(LooksError::Malformed(format!("key {want} is not in its place"))) }
    }
    count(d.map().map_err(malformed)?, 7)?;
    key(d, 0)?;
    let version = d.u8().map_err(malformed)?;
    if version != VERSION {
        return Err(LooksError::Version(version));
    }
    key(d, 1)?;
    let site = SiteId::new(d.str().map_err(malformed)?).map_err(malformed)?;
    key(d, 2)?;
    let log = LogId::new(d.str().map_err(malformed)?).map_err(malformed)?;
    key(d, 3)?;
    let incident = IncidentId::new(d.str().map_err(malformed)?).map_err(malformed)?;
    key(d, 4)?;
    let camera = DeviceId::new(d.str().map_err(malformed)?).map_err(malformed)?;
    key(d, 5)?;
    let model = d.str().map_err(malformed)?.to_owned();
    if model.len() > MAX_MODEL || model.chars().any(char::is_control) {
        return Err(LooksError::Malformed("the models' name is too long, or holds a control character".to_owned()));
    }
    key(d, 6)?;
    let mut looks: Vec<Look> = Vec::new();
    for _ in 0..count(d.array().map_err(malformed)?, MAX_LOOKS)? {
        let next = look(d)?;
        if looks.last().is_some_and(|last| last.at >= next.at) {
            return Err(LooksError::Malformed("the looks are not in their order".to_owned()));
        }
        looks.push(next);
    }
    if looks.is_empty() {
        return Err(LooksError::Malformed("it holds no look".to_owned()));
    }
    Ok(Piece { site, log, incident, camera, model, looks })
}

fn list(d: &mut Decoder<'_>, of: usize) -> Result<(), LooksError> {
    if count(d.array().map_err(malformed)?, of)? == of { Ok(()) } else { Err(LooksError::Malformed(format!("a list that is not of {of}"))) }
}

fn look(d: &mut Decoder<'_>) -> Result<Look, LooksError> {
    list(d, 5)?;
    let at = d.i64().map_err(malformed)?;
    let (width, height) = (d.u16().map_err(malformed)?, d.u16().map_err(malformed)?);
    if width == 0 || height == 0 {
        return Err(LooksError::Malformed("a picture without a size".to_owned()));
    }
    let at_least = d.bool().map_err(malformed)?;
    let mut seen = Vec::new();
    for _ in 0..count(d.array().map_err(malformed)?, MAX_SEEN)? {
        seen.push(one(d)?);
    }
    Ok(Look { at, width, height, at_least, seen })
}

fn one(d: &mut Decoder<'_>) -> Result<Seen, LooksError> {
    list(d, 9)?;
    let class = d.u8().map_err(malformed)?;
    let class = Class::ALL.into_iter().find(|c| *c as u8 == class).ok_or_else(|| malformed(format!("{class} is no class")))?;
    let score = percent(d)?;
    let track = d.u32().map_err(malformed)?;
    let posture = d.u8().map_err(malformed)?;
    let posture = Posture::ALL.into_iter().find(|p| *p as u8 == posture).ok_or_else(|| malformed(format!("{posture} is no posture")))?;
    let bbox = [place(d)?, place(d)?, place(d)?, place(d)?];
    if bbox[0] > bbox[2] || bbox[1] > bbox[3] {
        return Err(LooksError::Malformed("a box whose edges are exchanged".to_owned()));
    }
    let points = count(d.array().map_err(malformed)?, POINTS)?;
    let pose = match points {
        0 => None,
        POINTS => {
            let mut pose: Pose = [None; POINTS];
            for point in &mut pose {
                *point = key_point(d)?;
            }
            Some(pose)
        }
        _ => return Err(LooksError::Malformed(format!("a pose of {points} points"))),
    };
    Ok(Seen { class, score, track, posture, bbox, pose })
}

fn key_point(d: &mut Decoder<'_>) -> Result<Option<Point>, LooksError> {
    if d.datatype().map_err(malformed)? == Type::Null {
        d.null().map_err(malformed)?;
        return Ok(None);
    }
    list(d, 3)?;
    Ok(Some(Point { x: place(d)?, y: place(d)?, score: percent(d)? }))
}

fn place(d: &mut Decoder<'_>) -> Result<u16, LooksError> {
    let v = d.u16().map_err(malformed)?;
    if v <= EDGE { Ok(v) } else { Err(LooksError::Malformed(format!("{v} lies outside of the picture"))) }
}

fn percent(d: &mut Decoder<'_>) -> Result<u8, LooksError> {
    let v = d.u8().map_err(malformed)?;
    if v <= 100 { Ok(v) } else { Err(LooksError::Malformed(format!("a score of {v} percent"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece() -> Piece {
        let mut pose: Pose = [None; POINTS];
        pose[0] = Some(Point { x: 2000, y: 2500, score: 91 });
        pose[16] = Some(Point { x: 10_000, y: 0, score: 23 });
        let person = Seen {
            class: Class::Person,
            score: 97,
            track: 300,
            posture: Posture::Lying,
            bbox: [1000, 2000, 5500, 10_000],
            pose: Some(pose),
        };
        let thing = Seen { class: Class::Motorcycle, score: 40, track: 0, posture: Posture::Unknown, bbox: [0, 0, 0, 0], pose: None };
        Piece {
            site: SiteId::new("xingyuan").unwrap(),
            log: LogId::new("01JE5W1T000000000000000000").unwrap(),
            incident: IncidentId::new("01JE5W1T00000000000000000A").unwrap(),
            camera: DeviceId::new("cam-1").unwrap(),
            model: "person-pose/1 0badcafe".to_owned(),
            looks: vec![
                Look { at: 1_795_485_600_000, width: 640, height: 360, at_least: false, seen: vec![person, thing] },
                Look { at: 1_795_485_601_000, width: 640, height: 360, at_least: true, seen: Vec::new() },
            ],
        }
    }

    #[test]
    fn golden_bytes() {
        let hex = concat!(
            "a70001016878696e677975616e02781a30314a453557315430303030303030303030303030303030303003781a30314a453557315430303030303030",
            "3030303030303030303041046563616d2d310576706572736f6e2d706f73652f312030626164636166650682851b000001a20b480900190280190168",
            "f4828901186119012c051903e81907d019157c19271091831907d01909c4185bf6f6f6f6f6f6f6f6f6f6f6f6f6f6f683192710001789031828000000",
            "00000080851b000001a20b480ce8190280190168f580",
        );
        assert_eq!(hex::encode(piece().canonical_bytes()), hex);
        assert_eq!(Piece::from_canonical(&piece().canonical_bytes()), Ok(piece()));
    }

    #[test]
    fn no_other_bytes_say_the_same_and_none_panic() {
        let bytes = piece().canonical_bytes();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                assert_ne!(Piece::from_canonical(&other), Ok(piece()), "byte {at}, bit {bit}");
            }
            assert!(Piece::from_canonical(&bytes[..at]).is_err());
        }
        assert_eq!(Piece::from_canonical(&[bytes.clone(), vec![0]].concat()), Err(LooksError::NotCanonical), "a byte too many");
        // The version in a longer form.
        let mut long = vec![bytes[0], bytes[1], 0x18, 0x01];
        long.extend(&bytes[3..]);
        assert_eq!(Piece::from_canonical(&long), Err(LooksError::NotCanonical));
        assert_eq!(Piece::from_canonical(&vec![0; MAX_PIECE + 1]), Err(LooksError::TooLong));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let refused = |change: fn(&mut Piece)| {
            let mut p = piece();
            change(&mut p);
            Piece::from_canonical(&p.canonical_bytes()).unwrap_err().to_string()
        };
        assert!(refused(|p| p.looks.clear()).contains("no look"));
        assert!(refused(|p| p.looks[1].at = p.looks[0].at).contains("order"));
        assert!(refused(|p| p.looks[0].width = 0).contains("without a size"));
        assert!(refused(|p| p.looks[0].seen[0].score = 101).contains("101 percent"));
        assert!(refused(|p| p.looks[0].seen[0].bbox[2] = 10_001).contains("outside"));
        assert!(refused(|p| p.looks[0].seen[0].bbox = [3, 0, 2, 1]).contains("exchanged"));
        assert!(refused(|p| p.looks = vec![p.looks[0].clone(); MAX_LOOKS + 1]).contains("more than 64"));
        assert!(refused(|p| p.model = "a\nb".to_owned()).contains("control"));
    }

    fn places() -> impl Strategy<Value = (u16, u16)> {
        (0..=EDGE, 0..=EDGE).prop_map(|(a, b)| (a.min(b), a.max(b)))
    }
    fn points() -> impl Strategy<Value = Pose> {
        let point = proptest::option::of((0..=EDGE, 0..=EDGE, 0..=100u8).prop_map(|(x, y, score)| Point { x, y, score }));
        proptest::collection::vec(point, POINTS).prop_map(|v| v.try_into().unwrap())
    }
    fn seen() -> impl Strategy<Value = Seen> {
        let what = (proptest::sample::select(&Class::ALL[..]), proptest::sample::select(&Posture::ALL[..]));
        (what, 0..=100u8, any::<u32>(), places(), places(), proptest::option::of(points())).prop_map(
            |((class, posture), score, track, (x0, x1), (y0, y1), pose)| Seen {
                class,
                score,
                track,
                posture,
                bbox: [x0, y0, x1, y1],
                pose,
            },
        )
    }
    fn any_piece() -> impl Strategy<Value = Piece> {
        let look = (1..100_000i64, 1u16.., 1u16.., any::<bool>(), proptest::collection::vec(seen(), 0..6));
        proptest::collection::vec(look, 1..8).prop_map(|found| {
            let mut at = -50_000;
            let looks = found.into_iter().map(|(step, width, height, at_least, seen)| {
                at += step;
                Look { at, width, height, at_least, seen }
            });
            Piece { looks: looks.collect(), ..piece() }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_in_no_other_bytes(p in any_piece(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let bytes = p.canonical_bytes();
            prop_assert_eq!(Piece::from_canonical(&bytes), Ok(p.clone()));
            let mut other = bytes.clone();
            let at = at.index(bytes.len());
            other[at] = to;
            // What still is a piece is another one, and canonical itself.
            if let Ok(read) = Piece::from_canonical(&other) {
                prop_assert_eq!(read.canonical_bytes(), other.clone());
                prop_assert_eq!(read == p, other == bytes);
            }
        }

        #[test]
        fn any_bytes_are_taken_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Piece::from_canonical(&bytes);
        }
    }

    #[test]
    fn the_fullest_piece_fits() {
        let pose = [Some(Point { x: EDGE, y: EDGE, score: 100 }); POINTS];
        let s = Seen { class: Class::Person, score: 100, track: u32::MAX, posture: Posture::Lying, bbox: [EDGE; 4], pose: Some(pose) };
        let looks = (0..MAX_LOOKS).map(|n| Look {
            at: i64::MAX - 64 + n as i64,
            width: u16::MAX,
            height: u16::MAX,
            at_least: true,
            seen: vec![s.clone(); MAX_SEEN],
        });
        let bytes = Piece { looks: looks.collect(), ..piece() }.canonical_bytes();
        assert!(bytes.len() <= MAX_PIECE, "{}", bytes.len());
        assert!(Piece::from_canonical(&bytes).is_ok());
    }
}
