//! What is wrong with a bundle, so that a person knows what was done to it.
use crate::key::PublicKey;
use std::fmt;

/// A record by its place in the signed list: "event 3 of 14 (opened 2026-11-22 ...)".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// From 1, over all records.
    pub number: usize,
    pub section: String,
    pub label: String,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} ({}: {})", self.number, self.section, self.label)
    }
}

/// One thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the file has {bytes} bytes; evidence has at most {max}")]
    TooLarge { bytes: u64, max: u64 },
    #[error("this is no evidence file, or its beginning was removed")]
    Foreign,
    #[error("the page before the records was changed, from byte {at} on")]
    Page { at: usize },
    #[error("the page before the records is none that Tuoan has published (SHA-256 {sha256}); use the newest version of the verifier")]
    UnknownPage { sha256: String },
    #[error("the file was made by a newer version ({found}); use the newest version of the verifier")]
    Newer { found: String },
    #[error("line {line} of the signed list was changed: {detail}")]
    List { line: usize, detail: String },
    #[error("the signature does not hold: the signed list, or the signature itself, was changed")]
    Signature,
    #[error("the file is signed by another key ({found}) than the one given ({wanted})")]
    OtherKey { wanted: PublicKey, found: PublicKey },
    #[error("{0} was altered")]
    Altered(Named),
    #[error("the time of {record} was changed from {was} to {is} (milliseconds since 1970)")]
    Time { record: Named, was: i64, is: i64 },
    #[error("{0} was removed")]
    Removed(Named),
    #[error("a record was added after record {after}: {begins}")]
    Added { after: usize, begins: String },
    #[error("{0} was moved to another place")]
    Moved(Named),
    #[error("the file is cut off: {missing} records from {first} on are missing")]
    Cut { first: Named, missing: usize },
    #[error("the file is cut off behind its last record")]
    CutEnd,
    #[error("{bytes} bytes were added behind the end")]
    Trailing { bytes: usize },
    #[error("the end of the file was changed, at byte {at}")]
    End { at: usize },
    #[error("{record}: {detail}")]
    Content { record: Named, detail: String },
    #[error("{0} is not in the log that the site signed: its proof does not hold")]
    NotInLog(Named),
    #[error("{0}")]
    Head(String),
    #[error("the district's witness does not hold: {0}")]
    Witness(String),
    #[error("the log's inputs do not fit the events: {0}")]
    Inputs(String),
}

impl Fault {
    /// Name in message files.
    pub fn code(&self) -> &'static str {
        match self {
            Fault::TooLarge { .. } => "too-large",
            Fault::Foreign => "foreign",
            Fault::Page { .. } | Fault::UnknownPage { .. } => "page",
            Fault::Newer { .. } => "newer",
            Fault::List { .. } => "list",
            Fault::Signature => "signature",
            Fault::OtherKey { .. } => "key",
            Fault::Altered(_) => "altered",
            Fault::Time { .. } => "time",
            Fault::Removed(_) => "removed",
            Fault::Added { .. } => "added",
            Fault::Moved(_) => "moved",
            Fault::Cut { .. } | Fault::CutEnd => "cut",
            Fault::Trailing { .. } => "trailing",
            Fault::End { .. } => "end",
            Fault::Content { .. } | Fault::Inputs(_) => "content",
            Fault::NotInLog(_) => "proof",
            Fault::Head(_) => "head",
            Fault::Witness(_) => "witness",
        }
    }
    /// The record it is about, if it is about one.
    pub fn record(&self) -> Option<&Named> {
        match self {
            Fault::Altered(r) | Fault::Removed(r) | Fault::Moved(r) | Fault::NotInLog(r) => Some(r),
            Fault::Time { record, .. } | Fault::Content { record, .. } => Some(record),
            Fault::Cut { first, .. } => Some(first),
            _ => None,
        }
    }
}

/// The file is not what the site signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// At least one, the first ones at most.
    pub faults: Vec<Fault>,
    /// More than are listed.
    pub more: usize,
}

impl Refused {
    /// Faults listed at most.
    pub const LISTED: usize = 20;

    pub(crate) fn of(mut faults: Vec<Fault>) -> Refused {
        let more = faults.len().saturating_sub(Refused::LISTED);
        faults.truncate(Refused::LISTED);
        Refused { faults, more }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Refused {
        Refused::of(vec![fault])
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.faults.iter().enumerate() {
            let line_end = if n > 0 { "\n" } else { "" };
            // What stands in a stranger's file reaches no terminal as a control character.
            let text: String = fault.to_string().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            write!(f, "{line_end}{text}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}
impl std::error::Error for Refused {}
