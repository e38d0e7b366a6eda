//! Takes a stream of JPEGs, one behind the other, apart by their segments (ITU-T T.81, annex B): `SOI` up to `EOI`.
//!
//! What must hold: each byte is looked at once; no more than one picture is held, and that no longer than [`MAX_FRAME`]; whatever comes, the
//! next sound picture after it is found.
use bytes::{Bytes, BytesMut};
use tuoan_protocol::frame::MAX_FRAME;

/// One whole JPEG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jpeg {
    pub bytes: Bytes,
    /// Pixels, as its frame header says.
    pub width: u16,
    pub height: u16,
    /// What the caller said of the time when its first byte came.
    pub began_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside of a picture.
    Seeking,
    /// Seen outside of a picture: 0xFF.
    SeekingMark,
    /// Between two segments, where only a marker may stand.
    Marker,
    MarkerCode,
    Length,
    /// Inside of a segment: bytes left.
    Segment(u16),
    /// Behind a scan's header: coded data up to the next marker that is none of the data's own.
    Scan,
    ScanMark,
}

/// The stream, however it is cut into chunks.
#[derive(Debug)]
pub struct Splitter {
    state: State,
    picture: BytesMut,
    began_ms: i64,
    /// The segment that is being read, and where its content begins in `picture`.
    code: u8,
    start: usize,
    size: Option<(u16, u16)>,
    /// Bytes of the length read so far.
    length: Option<u8>,
    broken: u64,
}

const MARK: u8 = 0xFF;
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;

impl Default for Splitter {
    fn default() -> Self {
        Splitter { state: State::Seeking, picture: BytesMut::new(), began_ms: 0, code: 0, start: 0, size: None, length: None, broken: 0 }
    }
}

impl Splitter {
    /// The pictures that are complete with this chunk, which came at `now_ms`.
    pub fn push(&mut self, chunk: &[u8], now_ms: i64) -> Vec<Jpeg> {
        let mut out = Vec::new();
        let most = usize::try_from(MAX_FRAME).unwrap_or(usize::MAX);
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            // Long stretches in one go: what is no picture, what is inside of a segment, and coded data, each up to the next 0xFF that counts.
            if self.state == State::Seeking && byte != MARK {
                rest = rest.get(rest.iter().position(|b| *b == MARK).unwrap_or(rest.len())..).unwrap_or_default();
                continue;
            }
            let run = match self.state {
                State::Segment(left) => rest.len().min(usize::from(left)),
                State::Scan => rest.iter().position(|b| *b == MARK).unwrap_or(rest.len()),
                _ => 0,
            };
            if run > 0 {
                let (taken, after) = rest.split_at(run);
                self.picture.extend_from_slice(taken);
                rest = after;
                if let State::Segment(left) = self.state {
                    let left = left.saturating_sub(u16::try_from(run).unwrap_or(u16::MAX));
                    self.state = State::Segment(left);
                    if left == 0 {
                        self.segment_ends();
                    }
                }
            } else {
                rest = after;
                if let Some(jpeg) = self.byte(byte, now_ms) {
                    out.push(jpeg);
                }
            }
            if self.picture.len() > most {
                self.give_up();
            }
        }
        out
    }

    /// Pictures begun and not brought to a sound end, since the start.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    fn byte(&mut self, byte: u8, now_ms: i64) -> Option<Jpeg> {
        match (self.state, byte) {
            (State::Seeking, MARK) => self.state = State::SeekingMark,
            (State::Seeking, _) => {}
            (State::SeekingMark, SOI) => self.begin(now_ms),
            (State::SeekingMark, MARK) => {}
            (State::SeekingMark, _) => self.state = State::Seeking,
            (State::Marker, MARK) => {
                self.picture.extend_from_slice(&[MARK]);
                self.state = State::MarkerCode;
            }
            (State::Marker, _) => self.give_up(),
            (State::MarkerCode | State::ScanMark, _) => return self.marker(byte, now_ms),
            (State::Length, _) => {
                self.picture.extend_from_slice(&[byte]);
                match self.length.take() {
                    None => self.length = Some(byte),
                    Some(high) => match u16::from_be_bytes([high, byte]) {
                        // The length counts itself.
                        0 | 1 => self.give_up(),
                        2 => self.segment_ends(),
                        n => {
                            self.start = self.picture.len();
                            self.state = State::Segment(n - 2);
                        }
                    },
                }
            }
            // Only 0xFF comes here: the rest was taken as a run.
            (State::Scan, _) => {
                self.picture.extend_from_slice(&[byte]);
                self.state = State::ScanMark;
            }
            (State::Segment(_), _) => self.give_up(),
        }
        None
    }

    /// The byte behind a 0xFF inside of a picture.
    fn marker(&mut self, code: u8, now_ms: i64) -> Option<Jpeg> {
        let in_scan = self.state == State::ScanMark;
        if code == SOI {
            // A new picture begins where the old one has not ended: its end was lost.
            self.broken = self.broken.saturating_add(1);
            self.begin(now_ms);
            return None;
        }
        self.picture.extend_from_slice(&[code]);
        match code {
            // Fill bytes.
            MARK => {}
            // A stuffed 0xFF or a restart of the coder, both part of the data.
            0x00 | 0xD0..=0xD7 if in_scan => self.state = State::Scan,
            EOI => return self.end(in_scan),
            // TEM stands alone.
            0x01 => self.state = State::Marker,
            0x00 | 0x02..=0xBF | 0xD0..=0xD7 => self.give_up(),
            _ => {
                self.code = code;
                self.start = self.picture.len();
                self.state = State::Length;
            }
        }
        None
    }

    fn begin(&mut self, now_ms: i64) {
        self.picture.clear();
        self.picture.extend_from_slice(&[MARK, SOI]);
        (self.began_ms, self.size, self.length) = (now_ms, None, None);
        self.state = State::Marker;
    }

    fn segment_ends(&mut self) {
        let content = self.picture.get(self.start..).unwrap_or_default();
        self.state = match self.code {
            SOS if self.size.is_some() => State::Scan,
            SOS => return self.give_up(),
            // SOF0 to SOF15, but for the three codes between them that are something else: precision, height, width.
            0xC0..=0xCF if !matches!(self.code, 0xC4 | 0xC8 | 0xCC) => {
                let [_, h1, h0, w1, w0, ..] = *content else { return self.give_up() };
                let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
                if height == 0 || width == 0 || self.size.is_some() {
                    return self.give_up();
                }
                self.size = Some((width, height));
                State::Marker
            }
            _ => State::Marker,
        };
    }

    fn end(&mut self, in_scan: bool) -> Option<Jpeg> {
        let bytes = self.picture.split().freeze();
        self.state = State::Seeking;
        match self.size.take() {
            Some((width, height)) if in_scan => Some(Jpeg { bytes, width, height, began_ms: self.began_ms }),
            _ => {
                self.broken = self.broken.saturating_add(1);
                None
            }
        }
    }

    fn give_up(&mut self) {
        self.broken = self.broken.saturating_add(1);
        // The memory of a long one is not kept for the next.
        self.picture = BytesMut::new();
        self.state = State::Seeking;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(code: u8, content: &[u8]) -> Vec<u8> {
        let mut s = vec![MARK, code];
        s.extend(u16::try_from(content.len() + 2).unwrap().to_be_bytes());
        s.extend(content);
        s
    }

    fn jpeg(width: u16, height: u16, data: &[u8]) -> Vec<u8> {
        let mut s = vec![MARK, SOI];
        // A comment with what looks like an end and a beginning: only its length tells.
        s.extend(segment(0xFE, &[0xFF, 0xD9, 0xFF, 0xD8]));
        let mut frame = vec![8];
        frame.extend(height.to_be_bytes());
        frame.extend(width.to_be_bytes());
        frame.extend([1, 1, 0x11, 0]);
        s.extend(segment(0xC0, &frame));
        s.extend([MARK, MARK]); // Fill bytes before a marker.
        s.extend(&segment(SOS, &[1, 1, 0, 0, 63, 0])[1..]);
        s.extend(data.iter().flat_map(|b| if *b == MARK { vec![MARK, 0] } else { vec![*b] }));
        s.extend([MARK, 0xD3, 0x55, MARK, EOI]);
        s
    }

    #[test]
    fn a_picture_inside_a_comment_is_not_a_picture() {
        let one = jpeg(64, 48, &[1, 2, 0xFF, 4]);
        let [got] = Splitter::default().push(&one, 7).try_into().unwrap();
        assert_eq!((got.bytes.as_ref(), got.width, got.height, got.began_ms), (one.as_slice(), 64, 48, 7));
    }

    #[test]
    fn a_progressive_picture_has_several_scans() {
        let mut one = jpeg(8, 8, &[1]);
        one.truncate(one.len() - 2);
        one.extend(segment(0xC4, &[0; 20]));
        one.extend(segment(SOS, &[1, 1, 0, 1, 5, 0]));
        one.extend([3, 3, MARK, EOI]);
        assert_eq!(Splitter::default().push(&one, 0).len(), 1);
    }

    #[test]
    fn what_is_no_picture_is_passed_over_and_the_next_one_found() {
        let good = jpeg(16, 16, &[9; 30]);
        let no_frame = [&[MARK, SOI][..], &segment(SOS, &[1]), &[1, MARK, EOI]].concat();
        let empty = [MARK, SOI, MARK, EOI];
        for (bad, name) in [
            (&good[..20], "cut off in a header"),
            (&good[..good.len() - 4], "cut off in its data"),
            (b"\xff\xd8\xff\xe0\x00\x01", "a length less than itself"),
            (b"\xff\xd8junk", "no marker behind the beginning"),
            (b"\xff\xd8\xff\x00", "a stuffed byte outside of data"),
            (&no_frame, "a scan without a frame"),
            (&empty, "nothing between beginning and end"),
        ] {
            let mut s = Splitter::default();
            let found = s.push(&[bad, &good, &good].concat(), 0);
            // What is cut off inside of a segment may swallow the picture behind it; never the one after.
            assert!(found.last().is_some_and(|j| j.bytes == good) && s.broken() >= 1, "{name}: {} {}", found.len(), s.broken());
        }
    }

    #[test]
    fn a_picture_without_end_is_given_up_at_the_limit() {
        let mut s = Splitter::default();
        let head = jpeg(16, 16, &[]);
        s.push(&head[..head.len() - 2], 0);
        for _ in 0..80 {
            assert!(s.push(&[0x11; 65_536], 0).is_empty());
            assert!(s.picture.capacity() <= (8 << 20), "{}", s.picture.capacity());
        }
        assert_eq!(s.broken(), 1);
        assert_eq!(s.push(&head, 1).len(), 1);
    }

    proptest! {
        #[test]
        fn pictures_come_out_as_they_went_in_however_they_are_cut(
            pictures in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..6),
            cuts in proptest::collection::vec(1..97usize, 1..20),
        ) {
            let pictures: Vec<_> = pictures.iter().enumerate().map(|(i, data)| jpeg(u16::try_from(i).unwrap() + 1, 9, data)).collect();
            let stream = pictures.concat();
            let (mut s, mut found, mut rest, mut turn) = (Splitter::default(), Vec::new(), stream.as_slice(), 0);
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(cuts[turn % cuts.len()].min(rest.len()));
                found.extend(s.push(chunk, 0));
                (rest, turn) = (after, turn + 1);
            }
            prop_assert_eq!(found.iter().map(|j| j.bytes.to_vec()).collect::<Vec<_>>(), pictures);
            prop_assert_eq!(s.broken(), 0);
        }

        /// Noise of bytes that matter to a JPEG, so that it gets into every state.
        #[test]
        fn noise_never_grows_nor_hides_what_follows(
            noise in proptest::collection::vec(prop_oneof![Just(MARK), Just(SOI), Just(EOI), Just(SOS), Just(0xC0), Just(0u8), any::<u8>()], 0..600),
        ) {
            let mut s = Splitter::default();
            for j in s.push(&noise, 0) {
                prop_assert!(j.bytes.starts_with(&[MARK, SOI]) && j.bytes.ends_with(&[MARK, EOI]) && j.width > 0 && j.height > 0);
            }
            // A segment has 64 KiB at most: after that much of anything that is no picture, the next one is found.
            s.push(&[0x11; 70_000], 0);
            let good = jpeg(5, 5, &[1, 2, 3]);
            let found = s.push(&good.repeat(3), 0);
            prop_assert!(found.last().is_some_and(|j| j.bytes == good));
        }
    }
}
