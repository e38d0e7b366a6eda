//! Where a replayed log comes from, and the thread that reads it ahead of the engine.
use super::ReplayError;
use super::export::Export;
use super::what_if::Known;
use crate::engine::{Configuration, Input, State};
use crate::store::{Cut, History};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use tuoan_protocol::codec::Wire;
use tuoan_protocol::{IncidentEvent, Transition};

/// Inputs in one piece, and pieces that may wait: at some 300 bytes each about 10 MiB.
const PIECE: usize = 4096;
const AHEAD: usize = 6;
/// Stored events read at once.
const PAGE: usize = 512;

/// A log that can be replayed: a store, or what `tuoan replay --export` wrote.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    exported: bool,
    pub cut: Cut,
}

/// Consecutive inputs.
#[derive(Debug)]
pub struct Piece {
    /// Position of the first.
    pub first: u64,
    pub inputs: Vec<Input>,
    /// Arrival of the input after the last, as far as it is known: time may be moved on until then.
    pub last: u64,
}

/// An incident event as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    pub sequence: u64,
    pub bytes: Vec<u8>,
}

impl Stored {
    pub fn event(&self) -> Result<IncidentEvent, String> {
        IncidentEvent::from_cbor(&self.bytes).map_err(|e| e.to_string())
    }
}

impl Source {
    /// `path`: a data directory, a store file, or an exported log.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub fn open(path: &Path) -> Result<Source, ReplayError> {
        let exported = !path.is_dir() && Export::is_one(path)?;
        if exported {
            Export::check(path)?;
        }
        let cut = if exported { Export::open(path)?.cut() } else { History::open(path)?.cut()? };
        Ok(Source { path: path.to_owned(), exported, cut })
    }
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state to begin with for what happens from engine time `from` on: that of the newest snapshot before it, else that with which the log
    /// begins: an empty one, or where its beginning has been removed the oldest snapshot's. The second value says which snapshots there are
    /// (engine times), when none was early enough.
    pub fn state_before(&self, from: Option<i64>) -> Result<(State, Vec<i64>), ReplayError> {
        let cut_short = self.cut.first > 1;
        if self.exported {
            let begin = if cut_short { Export::open(&self.path)?.begin()? } else { None };
            return Ok((begin.unwrap_or_default(), Vec::new()));
        }
        if from.is_none() && !cut_short {
            return Ok((State::new(), Vec::new()));
        }
        let history = History::open(&self.path)?;
        let all = history.snapshots()?;
        let early = all.iter().filter(|(_, at)| from.is_some_and(|from| *at < from));
        // Oldest first.
        let begin = all.iter().rev().filter(|_| cut_short);
        for (position, at) in early.chain(begin).filter(|(p, _)| *p <= self.cut.position) {
            let Some(snapshot) = history.snapshot(*position)? else { continue };
            match State::decode(&snapshot.bytes) {
                Ok(state) if (state.position(), state.sequence()) == (snapshot.position, snapshot.sequence) => {
                    let late = from.is_some_and(|from| *at >= from);
                    return Ok((state, if late { all.into_iter().map(|(_, at)| at).collect() } else { Vec::new() }));
                }
                Ok(_) => {
                    tracing::warn!("the snapshot at position {position} is not what it says; an older one or the whole log is replayed")
                }
                Err(e) => tracing::warn!("the snapshot at position {position}: {e}"),
            }
        }
        Ok((State::new(), all.into_iter().map(|(_, at)| at).collect()))
    }

    /// The configuration that is in force at the end of the log.
    pub fn configuration(&self) -> Result<Configuration, ReplayError> {
        let none = || ReplayError::Empty { path: self.path.clone() };
        if self.exported {
            return Export::open(&self.path)?.configuration()?.ok_or_else(none);
        }
        History::open(&self.path)?.configuration(self.cut.position)?.ok_or_else(none)
    }

    /// Position of the last input before engine time `at`; 0 when there is none.
    pub fn position_before(&self, at: i64) -> Result<u64, ReplayError> {
        if self.exported {
            return Export::open(&self.path)?.position_before(at);
        }
        Ok(History::open(&self.path)?.position_before(at)?)
    }

    /// Where each stored incident happened.
    pub fn known(&self) -> Result<Known, ReplayError> {
        let mut known = Known::new();
        let mut events = self.events(0)?;
        while let Some(stored) = events.take()? {
            if let Ok(e) = stored.event()
                && e.transition == Transition::Opened
            {
                known.insert(e.incident, (e.hazard, e.place));
            }
        }
        Ok(known)
    }

    /// The inputs after `position` that arrived before engine time `until`, read and decoded by a thread of their own, which ends with them
    /// or when they are dropped.
    pub fn inputs(&self, position: u64, until: Option<i64>) -> Result<Inputs, ReplayError> {
        let (to, pieces) = sync_channel(AHEAD);
        let (path, exported, last) = (self.path.clone(), self.exported, self.cut.position);
        let read = move || {
            let mut send = |piece: Result<Piece, ReplayError>| to.send(piece).is_ok();
            let result = if exported {
                read_export(&path, position, last, until, &mut send)
            } else {
                read_store(&path, position, last, until, &mut send)
            };
            if let Err(e) = result {
                send(Err(e));
            }
        };
        std::thread::Builder::new().name("replay-read".to_owned()).spawn(read).map_err(|e| ReplayError::Thread(e.to_string()))?;
        Ok(Inputs(pieces))
    }

    /// The stored events after `sequence`, ascending.
    pub fn events(&self, sequence: u64) -> Result<Events, ReplayError> {
        let from = if self.exported { From::Export(Export::open(&self.path)?) } else { From::Store(Box::new(History::open(&self.path)?)) };
        Ok(Events { from, after: sequence, last: self.cut.sequence, page: Vec::new().into_iter() })
    }
}

/// A stream of inputs.
pub struct Inputs(Receiver<Result<Piece, ReplayError>>);

impl Iterator for Inputs {
    type Item = Result<Arc<Piece>, ReplayError>;
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.recv().ok()?.map(Arc::new))
    }
}

type Send<'a> = &'a mut dyn FnMut(Result<Piece, ReplayError>) -> bool;

fn read_store(path: &Path, mut position: u64, last: u64, until: Option<i64>, send: Send<'_>) -> Result<(), ReplayError> {
    let mut history = History::open(path)?;
    loop {
        let inputs = history.inputs(position, last, PIECE)?;
        if !hand_on(inputs, &mut position, until, send)? {
            return Ok(());
        }
    }
}

fn read_export(path: &Path, mut position: u64, last: u64, until: Option<i64>, send: Send<'_>) -> Result<(), ReplayError> {
    let mut export = Export::open(path)?;
    loop {
        let inputs = export.inputs(position, last, PIECE)?;
        if !hand_on(inputs, &mut position, until, send)? {
            return Ok(());
        }
    }
}

/// False when there is nothing more to read, or nobody who listens. Positions have no gaps, or something is missing.
fn hand_on(mut read: Vec<(u64, Input)>, position: &mut u64, until: Option<i64>, send: Send<'_>) -> Result<bool, ReplayError> {
    let ends = until.and_then(|t| read.iter().position(|(_, i)| i.at >= t));
    read.truncate(ends.unwrap_or(read.len()));
    let (Some((first, _)), Some((last, _))) = (read.first(), read.last()) else { return Ok(false) };
    let (first, last) = (*first, *last);
    if first != *position + 1 || last - first + 1 != read.len() as u64 {
        return Err(ReplayError::Gap { after: *position });
    }
    *position = last;
    let piece = Piece { first, last, inputs: read.into_iter().map(|(_, i)| i).collect() };
    Ok(send(Ok(piece)) && ends.is_none())
}

enum From {
    Store(Box<History>),
    Export(Export),
}

/// A stream of stored events, a page in memory at a time.
pub struct Events {
    from: From,
    after: u64,
    last: u64,
    page: std::vec::IntoIter<Stored>,
}

impl Events {
    /// The next one; `None` after the last.
    pub fn take(&mut self) -> Result<Option<Stored>, ReplayError> {
        if self.page.len() == 0 {
            let page: Vec<Stored> = match &mut self.from {
                From::Store(history) => {
                    let rows = history.events(self.after, self.last, PAGE)?;
                    rows.into_iter().map(|e| Stored { sequence: e.sequence, bytes: e.bytes }).collect()
                }
                From::Export(export) => export.events(self.after, self.last, PAGE)?,
            };
            self.after = page.last().map_or(self.after, |e| e.sequence);
            self.page = page.into_iter();
        }
        Ok(self.page.next())
    }
}
