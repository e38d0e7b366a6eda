//! The file. A page ([`crate::page`]), then the signed list, then the records, each one line:
//!
//! ```text
//! <!doctype html> ... the page ...
//! <script type="text/plain" id="evidence">
//! tuoan-evidence 1
//! {"site":...}                                   the header
//! SHA-256 SECTION TIME LABEL                     one line for each record
//! signature 128 hexadecimal digits               Ed25519, over everything from "tuoan-evidence 1" to the line end before it
//! {...}                                          the records, in the order of the list
//! end
//! </script>
//! </body>
//! </html>
//! ```
//!
//! What must hold: there is one file for one content, so that no byte can be changed unseen. The page's hash is in the header, every record's hash in the
//! list, the list is signed, and what comes after the records is constant. Lines end in one line feed; no other control character and no `<`
//! stands in any (in JSON it is written `\u003c`), so that a browser reads the same characters as everybody else.
use crate::fault::{Fault, Named, Refused};
use crate::key::{PublicKey, SigningKey, unhex};
use crate::page::{self, OPEN, PAGE, TAIL};
use crate::tree::Hash;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// Bytes of a file at most.
pub const MAX_FILE: u64 = 128 << 20;
/// Records at most.
pub const MAX_RECORDS: usize = 400_000;
const FIRST: &str = "tuoan-evidence 1";
const SIGNATURE: &str = "signature ";
const END: &str = "end";
/// Characters of a label at most.
const LABEL: usize = 120;

/// What a record is about. In a file they stand in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Names of what the events name by id, and what the incident came to.
    Incident,
    /// The rule that found it, with its source.
    Rule,
    /// The signed tree head that the proofs lead to.
    Head,
    /// The newest head that the district has countersigned, and the proof that the log has only grown since.
    Witness,
    /// Records of the log with their proofs: events, deeds, ledgers.
    Leaf,
    /// What was measured around it, one line for each device and quantity.
    Reading,
    /// Who was told.
    Notice,
    /// What receivers said.
    Receipt,
    /// Blurred stills.
    Frame,
    /// Hashes of the sealed originals.
    Original,
    /// The learned models that were in use.
    Model,
    /// The engine's inputs, for a replay.
    Log,
}

impl Section {
    pub const ALL: [Section; 12] = [
        Section::Incident,
        Section::Rule,
        Section::Head,
        Section::Witness,
        Section::Leaf,
        Section::Reading,
        Section::Notice,
        Section::Receipt,
        Section::Frame,
        Section::Original,
        Section::Model,
        Section::Log,
    ];
    pub fn name(self) -> &'static str {
        match self {
            Section::Incident => "incident",
            Section::Rule => "rule",
            Section::Head => "head",
            Section::Witness => "witness",
            Section::Leaf => "leaf",
            Section::Reading => "reading",
            Section::Notice => "notice",
            Section::Receipt => "receipt",
            Section::Frame => "frame",
            Section::Original => "original",
            Section::Model => "model",
            Section::Log => "log",
        }
    }
    fn named(name: &str) -> Option<Section> {
        Section::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// The second line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub site: String,
    pub site_name: String,
    pub log: String,
    pub incident: String,
    /// The site's key, which signs.
    pub key: PublicKey,
    /// SHA-256 of the page, in hexadecimal digits.
    pub page: String,
    /// UTC milliseconds.
    pub made_at: i64,
    /// Who asked for it, and why.
    pub made_by: String,
    pub purpose: String,
    /// Version of the programme that wrote it.
    pub program: String,
}

impl Header {
    /// Of a file that is about to be written by this version.
    pub fn new(key: &SigningKey, site: &str, site_name: &str, log: &str, incident: &str) -> Header {
        Header {
            site: site.to_owned(),
            site_name: site_name.to_owned(),
            log: log.to_owned(),
            incident: incident.to_owned(),
            key: key.public(),
            page: hex::encode(page::hash(PAGE.as_bytes())),
            made_at: 0,
            made_by: String::new(),
            purpose: String::new(),
            program: format!("tuoan {}", env!("CARGO_PKG_VERSION")),
        }
    }
}

/// Why a record cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("a record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("records must be in the order of their sections: {0} after {1}")]
    Order(&'static str, &'static str),
    #[error("a record holds a control character outside of JSON's escapes")]
    Control,
    #[error("the evidence would have {bytes} bytes and {records} records, more than a file may have; export a shorter stretch")]
    TooLarge { bytes: usize, records: usize },
}

/// Collects records and signs them.
pub struct Builder {
    header: Header,
    list: String,
    records: String,
    count: usize,
    last: Section,
}

impl Builder {
    pub fn new(header: Header) -> Builder {
        Builder { header, list: String::new(), records: String::new(), count: 0, last: Section::Incident }
    }
    /// Adds a record. `at`: UTC milliseconds, where it has a time; `label`: what a person calls it.
    ///
    /// # Errors
    /// It cannot be written as JSON, comes out of order, or is one too many.
    pub fn add<T: Serialize>(&mut self, section: Section, at: Option<i64>, label: &str, record: &T) -> Result<(), BuildError> {
        let line = serde_json::to_string(record)?;
        self.line(section, at, label, &line)
    }
    /// As [`Builder::add`], of a line that is JSON already.
    ///
    /// # Errors
    /// As [`Builder::add`].
    pub fn line(&mut self, section: Section, at: Option<i64>, label: &str, json: &str) -> Result<(), BuildError> {
        if section < self.last {
            return Err(BuildError::Order(section.name(), self.last.name()));
        }
        // Within JSON it stands in texts only.
        let line = json.trim_end_matches('\n').replace('<', "\\u003c");
        if line.is_empty() || line.bytes().any(|b| b < 0x20 || b == 0x7f) {
            return Err(BuildError::Control);
        }
        self.last = section;
        self.count += 1;
        self.records.push_str(&line);
        self.records.push('\n');
        let at = at.map_or_else(|| "-".to_owned(), |t| t.to_string());
        let label: String = label.chars().map(|c| if c.is_control() || c == '<' { '?' } else { c }).take(LABEL).collect();
        self.list.push_str(&format!("{} {} {at} {}\n", hex::encode(Sha256::digest(line.as_bytes())), section.name(), label.trim()));
        let bytes = self.list.len() + self.records.len() + PAGE.len() + 4096;
        if self.count > MAX_RECORDS || bytes as u64 > MAX_FILE {
            return Err(BuildError::TooLarge { bytes, records: self.count });
        }
        Ok(())
    }
    /// Bytes of the records so far.
    pub fn bytes(&self) -> usize {
        self.list.len() + self.records.len()
    }
    /// The file.
    ///
    /// # Errors
    /// The header cannot be written as JSON.
    pub fn finish(self, key: &SigningKey) -> Result<Vec<u8>, BuildError> {
        let header = serde_json::to_string(&self.header)?.replace('<', "\\u003c");
        let signed = format!("{FIRST}\n{header}\n{}", self.list);
        let signature = hex::encode(key.sign(signed.as_bytes()));
        let parts = [PAGE.as_str(), OPEN, &signed, SIGNATURE, &signature, "\n", &self.records, END, "\n", TAIL];
        Ok(parts.concat().into_bytes())
    }
}

/// A line of the signed list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'a> {
    pub hash: Hash,
    pub section: Section,
    pub at: Option<i64>,
    pub label: &'a str,
}

impl Listed<'_> {
    pub fn named(&self, index: usize) -> Named {
        Named { number: index + 1, section: self.section.name().to_owned(), label: self.label.to_owned() }
    }
}

/// A file whose form is right; nothing is said of its content yet.
pub(crate) struct Bundle<'a> {
    pub header: Header,
    pub list: Vec<Listed<'a>>,
    pub lines: Vec<&'a [u8]>,
    /// What is signed, and by what.
    pub signed: &'a [u8],
    pub signature: [u8; 64],
    pub page: &'a [u8],
    /// What is wrong behind the records, if anything.
    pub end: Option<Fault>,
}

/// Where a text begins in a file; `None`: not at all.
fn find(bytes: &[u8], text: &str) -> Option<usize> {
    bytes.windows(text.len()).position(|w| w == text.as_bytes())
}

/// Takes a line off the front; `None`: it has no end.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let at = rest.iter().position(|b| *b == b'\n')?;
    let (line, after) = (rest.get(..at)?, rest.get(at + 1..)?);
    *rest = after;
    Some(line)
}

/// A browser must read the same characters as everybody else.
pub(crate) fn text(line: &[u8]) -> Result<&str, String> {
    if line.iter().any(|b| *b < 0x20 || *b == 0x7f || *b == b'<') {
        return Err("it holds a character that may not stand there".to_owned());
    }
    std::str::from_utf8(line).map_err(|e| e.to_string())
}

/// What has fixed fields, in the one text in which it is written: no reader can see something else in it.
pub(crate) fn exact<T: Serialize + DeserializeOwned>(line: &str) -> Result<T, String> {
    let value: T = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let written = serde_json::to_string(&value).map_err(|e| e.to_string())?.replace('<', "\\u003c");
    if written == line { Ok(value) } else { Err("it is not in the form in which it is written".to_owned()) }
}

/// Takes a line of the signed list off the front.
fn text_line<'a>(rest: &mut &'a [u8], number: usize) -> Result<&'a str, Fault> {
    let bad = |detail: String| Fault::List { line: number, detail };
    text(line(rest).ok_or_else(|| bad("it is cut off".to_owned()))?).map_err(bad)
}

/// Reads a file strictly.
pub(crate) fn read(bytes: &[u8]) -> Result<Bundle<'_>, Refused> {
    if bytes.len() as u64 > MAX_FILE {
        return Err(Fault::TooLarge { bytes: bytes.len() as u64, max: MAX_FILE }.into());
    }
    let Some(start) = find(bytes, OPEN) else {
        // Cut within the page, or its last line was changed.
        let same = PAGE.bytes().zip(bytes.iter().copied()).take_while(|(a, b)| a == b).count();
        return Err(if same >= 256 { Fault::Page { at: same } } else { Fault::Foreign }.into());
    };
    let (page, body) = bytes.split_at_checked(start).unwrap_or((bytes, &[]));
    let body = body.get(OPEN.len()..).unwrap_or_default();
    let (body, mut end) = split_end(body, start + OPEN.len());
    let mut rest = body;
    let first = text_line(&mut rest, 1)?;
    if first != FIRST {
        return Err(match first.strip_prefix("tuoan-evidence ").filter(|v| v.len() < 8 && v.bytes().all(|b| b.is_ascii_digit())) {
            Some(found) => Fault::Newer { found: found.to_owned() },
            None => Fault::List { line: 1, detail: format!("it must be {FIRST:?}") },
        }
        .into());
    }
    let header = text_line(&mut rest, 2)?;
    let header: Header = exact(header).map_err(|detail| Fault::List { line: 2, detail })?;
    let mut list: Vec<Listed<'_>> = Vec::new();
    let (signed, signature) = loop {
        let number = list.len() + 3;
        let signed = body.get(..body.len() - rest.len()).unwrap_or_default();
        let entry = text_line(&mut rest, number)?;
        if let Some(digits) = entry.strip_prefix(SIGNATURE) {
            let bad = || Fault::List { line: number, detail: "a signature has 128 lower-case hexadecimal digits".to_owned() };
            break (signed, unhex::<64>(digits).ok_or_else(bad)?);
        }
        let read = listed(entry).ok_or_else(|| Fault::List { line: number, detail: "it is none of the list's lines".to_owned() })?;
        if list.last().is_some_and(|l| l.section > read.section) || list.len() >= MAX_RECORDS {
            return Err(Fault::List { line: number, detail: "it is not in the order of the sections".to_owned() }.into());
        }
        list.push(read);
    };
    let mut lines: Vec<&[u8]> = Vec::with_capacity(list.len());
    loop {
        match line(&mut rest) {
            Some(l) if l == END.as_bytes() && rest.is_empty() => break,
            // More lines than these are not told apart; a hostile file must not make a list of its own length.
            Some(_) if lines.len() > MAX_RECORDS => {}
            Some(record) => lines.push(record),
            None => {
                if !rest.is_empty() {
                    lines.push(rest);
                }
                let at = start + OPEN.len() + body.len();
                end = Some(end.unwrap_or(Fault::End { at }));
                break;
            }
        }
    }
    Ok(Bundle { header, list, lines, signed, signature, page, end })
}

/// The body without the constant end, and what is wrong with that.
fn split_end(body: &[u8], offset: usize) -> (&[u8], Option<Fault>) {
    let tail = TAIL.as_bytes();
    if let Some(body) = body.strip_suffix(tail) {
        return (body, None);
    }
    let at = match find(body, TAIL) {
        Some(at) => at,
        // No `<` stands in any record.
        None => body.iter().position(|b| *b == b'<').unwrap_or(body.len()),
    };
    let (body, found) = body.split_at_checked(at).unwrap_or((body, &[]));
    let fault = match found.strip_prefix(tail) {
        Some(more) => Fault::Trailing { bytes: more.len() },
        None if tail.starts_with(found) => Fault::CutEnd,
        None => Fault::End { at: offset + at + tail.iter().zip(found).take_while(|(a, b)| a == b).count() },
    };
    (body, Some(fault))
}

fn listed(line: &str) -> Option<Listed<'_>> {
    let mut parts = line.splitn(4, ' ');
    let (hash, section, at, label) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let at = if at == "-" { None } else { Some(at.parse().ok().filter(|t: &i64| t.to_string() == at)?) };
    Some(Listed { hash: unhex(hash)?, section: Section::named(section)?, at, label })
}
