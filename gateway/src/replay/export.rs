//! A log as a text file, or as a part of an evidence file: one JSON object a line. The first says what it is, then come the inputs in order of their positions, each followed
//! by the incident events that it gave. Before the inputs of a log whose beginning has been removed stands the engine's state there. For handing a log to somebody else, and for reading it without this program.
use super::ReplayError;
use super::source::{Source, Stored};
use crate::engine::{Body, Configuration, Input, State};
use crate::store::Cut;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use tuoan_protocol::LogId;

/// Longest line: a configuration with its rule packs is the longest there is.
const LINE: u64 = 16 << 20;
pub(super) const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub tuoan_log: u32,
    pub log: Option<LogId>,
    pub now: i64,
    pub utc_offset: i64,
    /// The first input that the gateway still had.
    #[serde(default = "one")]
    pub first: u64,
    pub position: u64,
    pub sequence: u64,
    pub span: Option<(i64, i64)>,
}

fn one() -> u64 {
    1
}

/// What a log begins with whose beginning has been removed.
#[derive(Serialize, Deserialize)]
pub(super) struct Begin {
    pub snapshot: u64,
    pub sequence: u64,
    /// The engine's state, in hexadecimal.
    pub state: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub position: u64,
    pub at: i64,
    pub body: Body,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Event {
    pub sequence: u64,
    /// The canonical bytes, in hexadecimal.
    pub cbor: String,
}

/// How the lines of each begin: the others need not be parsed.
const ENTRY: &str = "{\"position\":";
const BEGIN: &str = "{\"snapshot\":";
const EVENT: &str = "{\"sequence\":";
/// How the first line begins, and that of a file which `tuoan evidence export` wrote.
const HEAD: &str = "{\"tuoan_log\":";
const EVIDENCE: &str = "<!doctype html>";

/// An exported log that is being read.
pub struct Export {
    path: PathBuf,
    lines: BufReader<File>,
    number: u64,
    head: Head,
}

impl Export {
    /// Whether the file is not a store.
    pub fn is_one(path: &Path) -> Result<bool, ReplayError> {
        let mut start = [0u8; 16];
        let mut file = File::open(path).map_err(|e| ReplayError::file(path, &e))?;
        let n = file.read(&mut start).map_err(|e| ReplayError::file(path, &e))?;
        Ok(!start.get(..n).is_some_and(|s| s.starts_with(b"SQLite format 3\0")))
    }
    /// An evidence file must be whole before anything in it is believed. Of another export nothing is known beforehand.
    pub fn check(path: &Path) -> Result<(), ReplayError> {
        let failed = |e: std::io::Error| ReplayError::file(path, &e);
        let mut file = File::open(path).map_err(failed)?;
        let mut start = [0u8; EVIDENCE.len()];
        let n = file.read(&mut start).map_err(failed)?;
        if start.get(..n) != Some(EVIDENCE.as_bytes()) {
            return Ok(());
        }
        let mut bytes = start.to_vec();
        file.take(tuoan_evidence::MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
        let checked = tuoan_evidence::verify(&bytes, &tuoan_evidence::Trust::default());
        checked.map(drop).map_err(|refused| ReplayError::Evidence { path: path.to_owned(), why: refused.to_string() })
    }
    pub fn open(path: &Path) -> Result<Export, ReplayError> {
        let file = File::open(path).map_err(|e| ReplayError::file(path, &e))?;
        let foreign = || ReplayError::Foreign { path: path.to_owned() };
        let mut lines = BufReader::with_capacity(1 << 18, file);
        let mut first = String::new();
        // A file of another kind may have no line end at all.
        lines.by_ref().take(4096).read_line(&mut first).map_err(|_| foreign())?;
        let mut number = 1;
        if first.trim_end() == EVIDENCE {
            // The log is a part of it, behind everything that is for people; no other line of it begins so.
            while !first.starts_with(HEAD) {
                first.clear();
                number += 1;
                if lines.by_ref().take(LINE).read_line(&mut first).map_err(|_| foreign())? == 0 {
                    return Err(ReplayError::NoInputs { path: path.to_owned() });
                }
            }
        }
        let head: Head = serde_json::from_str(&first).map_err(|_| foreign())?;
        if head.tuoan_log > VERSION {
            return Err(ReplayError::Newer { path: path.to_owned(), found: head.tuoan_log });
        }
        Ok(Export { path: path.to_owned(), lines, number, head })
    }
    pub fn cut(&self) -> Cut {
        let h = &self.head;
        Cut {
            log: h.log.clone(),
            now: h.now,
            utc_offset: h.utc_offset,
            first: h.first,
            position: h.position,
            sequence: h.sequence,
            span: h.span,
        }
    }
    /// The state that its first input finds, where that is not the empty one.
    pub fn begin(&mut self) -> Result<Option<State>, ReplayError> {
        let Some(begin) = self.line::<Begin>(BEGIN)? else { return Ok(None) };
        let bytes = hex::decode(&begin.state).map_err(|e| self.bad(&e.to_string()))?;
        State::decode(&bytes).map(Some).map_err(|e| self.bad(&e.to_string()))
    }
    fn begin_position(&self) -> Result<u64, ReplayError> {
        if self.head.first <= 1 {
            return Ok(0);
        }
        Ok(Export::open(&self.path)?.line::<Begin>(BEGIN)?.map_or(0, |b| b.snapshot))
    }
    /// Inputs after `position`, from where the last call ended.
    pub fn inputs(&mut self, position: u64, last: u64, limit: usize) -> Result<Vec<(u64, Input)>, ReplayError> {
        let mut inputs = Vec::with_capacity(limit.min(4096));
        while inputs.len() < limit
            && let Some(e) = self.line::<Entry>(ENTRY)?
        {
            if e.position > position && e.position <= last {
                inputs.push((e.position, Input { at: e.at, body: e.body }));
            }
        }
        Ok(inputs)
    }
    /// Events after `sequence`, from where the last call ended.
    pub fn events(&mut self, sequence: u64, last: u64, limit: usize) -> Result<Vec<Stored>, ReplayError> {
        let mut events = Vec::new();
        while events.len() < limit
            && let Some(e) = self.line::<Event>(EVENT)?
        {
            if e.sequence > sequence && e.sequence <= last {
                let bytes = hex::decode(&e.cbor).map_err(|e| self.bad(&e.to_string()))?;
                events.push(Stored { sequence: e.sequence, bytes });
            }
        }
        Ok(events)
    }
    /// Position of the last input before `at`.
    pub fn position_before(&mut self, at: i64) -> Result<u64, ReplayError> {
        let mut before = self.begin_position()?;
        while let Some(e) = self.line::<Entry>(ENTRY)?.filter(|e| e.at < at) {
            before = e.position;
        }
        Ok(before)
    }
    /// The last configuration in it.
    pub fn configuration(&mut self) -> Result<Option<Configuration>, ReplayError> {
        let mut found = None;
        while let Some(e) = self.line::<Entry>(ENTRY)? {
            if let Body::Configure(c) = e.body {
                found = Some(*c);
            }
        }
        if found.is_none() && self.head.first > 1 {
            found = Export::open(&self.path)?.begin()?.and_then(|s| s.configuration().cloned());
        }
        Ok(found)
    }

    /// The next line that begins so; the others are not parsed.
    fn line<T: DeserializeOwned>(&mut self, start: &str) -> Result<Option<T>, ReplayError> {
        let mut text = String::new();
        loop {
            text.clear();
            let n = self.lines.by_ref().take(LINE).read_line(&mut text).map_err(|e| ReplayError::file(&self.path, &e))?;
            if n == 0 {
                return Ok(None);
            }
            self.number += 1;
            if text.starts_with(start) {
                return serde_json::from_str(&text).map(Some).map_err(|e| self.bad(&e.to_string()));
            }
        }
    }
    fn bad(&self, detail: &str) -> ReplayError {
        ReplayError::Line { path: self.path.clone(), number: self.number, detail: detail.to_owned() }
    }
}

/// Writes the log to a new file.
///
/// # Errors
/// The file is there already or cannot be written; the log cannot be read.
pub fn export(source: &Source, file: &Path, mut progress: impl FnMut(u64)) -> Result<(), ReplayError> {
    let failed = |e: std::io::Error| ReplayError::file(file, &e);
    let mut out = BufWriter::new(File::create_new(file).map_err(failed)?);
    let c = &source.cut;
    let head = Head {
        tuoan_log: VERSION,
        log: c.log.clone(),
        now: c.now,
        utc_offset: c.utc_offset,
        first: c.first,
        position: c.position,
        sequence: c.sequence,
        span: c.span,
    };
    put(&mut out, file, &head)?;
    let (state, _) = source.state_before(None)?;
    if state.position() > 0 {
        put(&mut out, file, &Begin { snapshot: state.position(), sequence: state.sequence(), state: hex::encode(state.encode()) })?;
    }
    let mut events = source.events(state.sequence())?;
    let mut next = events.take()?;
    let position_of = |e: &Stored| e.event().map_or(0, |e| e.position);
    for piece in source.inputs(state.position(), None)? {
        let piece = piece?;
        for (position, input) in (piece.first..).zip(&piece.inputs) {
            // What timers said before this input has the position of the one before it.
            while let Some(e) = next.take_if(|e| position_of(e) < position) {
                put(&mut out, file, &Event { sequence: e.sequence, cbor: hex::encode(&e.bytes) })?;
                next = events.take()?;
            }
            put(&mut out, file, &Entry { position, at: input.at, body: input.body.clone() })?;
        }
        progress(piece.last);
    }
    while let Some(e) = next.take() {
        put(&mut out, file, &Event { sequence: e.sequence, cbor: hex::encode(&e.bytes) })?;
        next = events.take()?;
    }
    out.flush().map_err(failed)
}

fn put<T: Serialize>(out: &mut impl Write, file: &Path, line: &T) -> Result<(), ReplayError> {
    let written = serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from).and_then(|()| out.write_all(b"\n"));
    written.map_err(|e| ReplayError::file(file, &e))
}
