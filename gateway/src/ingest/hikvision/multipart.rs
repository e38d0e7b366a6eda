//! `multipart/mixed` as Hikvision streams it: with or without `Content-Length`, with or without a line break before the boundary, for hours.
//!
//! Parts of text come out whole; pictures are skipped as they arrive. Whatever a device sends, no more is held than the limits below.

/// Longest part of text that is taken, in bytes; the decoder takes no more.
pub const MAX_TEXT: usize = 64 << 10;
/// Longest header of a part.
const MAX_HEADER: usize = 8 << 10;

/// Takes a stream apart, however it is cut into chunks.
pub struct Multipart {
    /// `--boundary`.
    delimiter: Vec<u8>,
    buffer: Vec<u8>,
    state: State,
}

enum State {
    /// Before the first boundary, or after something that could not be read: looking for the next one.
    Seeking,
    Header,
    Body {
        text: bool,
        left: Option<usize>,
    },
}

impl Multipart {
    /// For a `Content-Type` of `multipart/...; boundary=...`.
    ///
    /// # Errors
    /// It is another type, or has no boundary.
    pub fn new(content_type: &str) -> Result<Multipart, String> {
        let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
            return Err(format!("the device answers with {content_type:?}, not with a stream of events (multipart/mixed)"));
        }
        let boundary = parameters
            .split(';')
            .filter_map(|p| p.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
            .map(|(_, value)| value.trim().trim_matches('"'))
            .filter(|b| !b.is_empty() && b.len() <= 200)
            .ok_or_else(|| format!("{content_type:?} names no boundary"))?;
        // Some firmwares put the two dashes into the boundary itself.
        let delimiter = if boundary.starts_with("--") { boundary.to_owned() } else { format!("--{boundary}") };
        Ok(Multipart { delimiter: delimiter.into_bytes(), buffer: Vec::new(), state: State::Seeking })
    }

    /// The parts of text that are complete with this chunk. A part that is too long is passed over.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        self.buffer.extend_from_slice(chunk);
        let mut parts = Vec::new();
        while self.advance(&mut parts) {}
        parts
    }

    /// One step; false when more bytes are needed.
    fn advance(&mut self, parts: &mut Vec<Vec<u8>>) -> bool {
        match self.state {
            State::Seeking => match find(&self.buffer, &self.delimiter) {
                Some(at) => {
                    self.buffer.drain(..at + self.delimiter.len());
                    self.state = State::Header;
                    true
                }
                None => {
                    // What may be the beginning of a boundary stays.
                    let keep = self.buffer.len().min(self.delimiter.len().saturating_sub(1));
                    self.buffer.drain(..self.buffer.len() - keep);
                    false
                }
            },
            State::Header => {
                let end = [&b"\r\n\r\n"[..], b"\n\n"].iter().filter_map(|e| find(&self.buffer, e).map(|at| (at, at + e.len()))).min();
                match end {
                    Some((at, after)) if at <= MAX_HEADER => {
                        let header = String::from_utf8_lossy(self.buffer.get(..at).unwrap_or_default()).into_owned();
                        self.buffer.drain(..after);
                        let field = |name: &str| {
                            header
                                .lines()
                                .filter_map(|l| l.split_once(':'))
                                .find(|(n, _)| n.trim().eq_ignore_ascii_case(name))
                                .map(|(_, v)| v.trim())
                        };
                        let kind = field("Content-Type").unwrap_or("application/xml").to_ascii_lowercase();
                        let text = ["xml", "json", "text"].iter().any(|t| kind.contains(t));
                        self.state = State::Body { text, left: field("Content-Length").and_then(|n| n.parse().ok()) };
                        true
                    }
                    None if self.buffer.len() <= MAX_HEADER => false,
                    _ => {
                        self.state = State::Seeking;
                        true
                    }
                }
            }
            State::Body { text: false, left: Some(left) } => {
                let skipped = left.min(self.buffer.len());
                self.buffer.drain(..skipped);
                self.state = if skipped == left { State::Seeking } else { State::Body { text: false, left: Some(left - skipped) } };
                skipped == left
            }
            // A length that is too long, or a lie, must not swallow the boundary: then the boundary counts.
            State::Body { text: true, left: Some(left) } if left <= MAX_TEXT => {
                if self.buffer.len() < left {
                    return false;
                }
                parts.push(self.buffer.drain(..left).collect());
                self.state = State::Seeking;
                true
            }
            State::Body { text: true, .. } => match find(&self.buffer, &self.delimiter) {
                Some(at) => {
                    let body: Vec<u8> = self.buffer.drain(..at).collect();
                    if body.len() <= MAX_TEXT {
                        parts.push(body);
                    }
                    self.state = State::Seeking;
                    true
                }
                None if self.buffer.len() <= MAX_TEXT + self.delimiter.len() => false,
                None => {
                    self.state = State::Seeking;
                    true
                }
            },
            State::Body { text: false, left: None } => {
                self.state = State::Seeking;
                true
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(stream: &[u8], cuts: &[usize]) -> Vec<String> {
        let mut m = Multipart::new("multipart/mixed; boundary=boundary").unwrap();
        let (mut parts, mut from) = (Vec::new(), 0);
        for cut in cuts.iter().map(|c| c % (stream.len() + 1)).collect::<std::collections::BTreeSet<_>>() {
            parts.extend(m.push(&stream[from..cut]));
            from = cut;
        }
        parts.extend(m.push(&stream[from..]));
        parts.into_iter().map(|p| String::from_utf8_lossy(&p).trim().to_owned()).collect()
    }

    const STREAM: &[u8] = b"--boundary\r\nContent-Type: application/xml; charset=\"UTF-8\"\r\nContent-Length: 4\r\n\r\n<a/>\r\n--boundary\r\n\
        Content-Disposition: form-data; name=\"Picture.jpg\"\r\nContent-Type: image/jpeg\r\nContent-Length: 18\r\n\r\n\xff\xd8--boundary\xff\xd9abcd\
        --boundary\nContent-Type: application/xml\n\n<b/>\n--boundary\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\r\n--boundary\r\n\r\n<c/>\r\n--boundary--\r\n";

    #[test]
    fn text_comes_out_whole_and_pictures_not_at_all() {
        assert_eq!(whole(STREAM, &[]), ["<a/>", "<b/>", "<c/>"]);
    }

    #[test]
    fn what_is_too_long_is_passed_over_and_nothing_grows() {
        let mut m = Multipart::new("multipart/mixed;boundary=\"--b\"").unwrap();
        assert!(m.push(b"--b\r\nContent-Type: text/xml\r\nContent-Length: 99999999\r\n\r\n").is_empty());
        for _ in 0..1000 {
            assert!(m.push(&[b'x'; 4096]).is_empty());
            assert!(m.buffer.len() <= MAX_TEXT + MAX_HEADER + 4096, "{}", m.buffer.len());
        }
        assert_eq!(m.push(b"--b\r\n\r\n<after/>--b").len(), 1);
        for wrong in ["text/html", "multipart/mixed", "multipart/mixed; boundary="] {
            assert!(Multipart::new(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn however_it_is_cut(cuts in prop::collection::vec(any::<usize>(), 0..20)) {
            prop_assert_eq!(whole(STREAM, &cuts), ["<a/>", "<b/>", "<c/>"]);
        }
        #[test]
        fn never_panics_and_never_grows(chunks in prop::collection::vec(prop::collection::vec(prop::sample::select(b"-boundary\r\n: xContent-Lengh150/".to_vec()), 0..200), 0..50)) {
            let mut m = Multipart::new("multipart/mixed; boundary=boundary").unwrap();
            for chunk in chunks {
                m.push(&chunk);
                prop_assert!(m.buffer.len() <= MAX_TEXT + MAX_HEADER);
            }
        }
    }
}
