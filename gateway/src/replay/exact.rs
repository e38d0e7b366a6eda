//! The same inputs under the same rules: the incident log must come out bit for bit.
use super::source::{Events, Source, Stored};
use super::{Progress, Range, ReplayError};
use crate::engine::{ENGINE_VERSION, State, Verdict, step};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tuoan_protocol::IncidentEvent;
use tuoan_protocol::codec::Wire;

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exact {
    /// Positions of the inputs that were replayed: from the one after `after`, to `last`.
    pub after: u64,
    pub last: u64,
    /// Sequence of the last event before the first that was compared: 0, or that of the snapshot which the replay began with.
    pub after_sequence: u64,
    /// Engine times of the snapshots that there are, when one was asked for and all are too new: older ones are pruned.
    pub snapshots: Vec<i64>,
    pub stored: Side,
    pub replayed: Side,
    /// Events that are not the same, or on one side only.
    pub differing: u64,
    pub first: Option<Difference>,
    /// Which versions of the engine wrote the stored events, in the order in which they took over.
    pub engines: Vec<EngineSpan>,
    /// The version that replayed them.
    pub engine: &'static str,
}

/// One of the two incident logs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Side {
    pub events: u64,
    /// SHA-256 over the length (8 bytes, big-endian) and the canonical bytes of each event, in hexadecimal.
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineSpan {
    pub version: String,
    pub from_sequence: u64,
    pub to_sequence: u64,
}

/// The first place where the two logs part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Position in the input log.
    pub position: u64,
    pub sequence: u64,
    /// Both events as JSON; absent where that log has none.
    pub stored: Option<Value>,
    pub replayed: Option<Value>,
    /// An input that is in the log and was not accepted again.
    pub refused: Option<String>,
}

impl Exact {
    pub fn is_same(&self) -> bool {
        self.first.is_none() && self.stored == self.replayed
    }
    /// Versions other than the one that replayed, which wrote part of what was compared.
    pub fn foreign(&self) -> impl Iterator<Item = &EngineSpan> {
        self.engines.iter().filter(|e| e.version != self.engine)
    }
}

/// Replays `source` and compares event by event.
///
/// # Errors
/// The log cannot be read, or `progress` said stop. That the logs differ is no error: see [`Exact::is_same`].
pub fn exact(source: &Source, range: Range, progress: Progress<'_>) -> Result<Exact, ReplayError> {
    let (mut state, snapshots) = source.state_before(range.from)?;
    let (after, after_sequence) = (state.position(), state.sequence());
    let mut compare = Compare::new(source.events(after_sequence)?);
    let mut refused = None;
    for piece in source.inputs(after, range.to)? {
        let piece = piece?;
        let now = piece.inputs.last().map_or(state.now(), |i| i.at);
        let outcome = step(&mut state, &piece.inputs, now);
        let wrong = (piece.first..).zip(&outcome.verdicts).find(|(position, v)| **v != Verdict::Accepted(*position));
        if let Some((position, verdict)) = wrong.filter(|_| refused.is_none()) {
            refused = Some((position, format!("{verdict:?}")));
        }
        compare.events(&outcome.events)?;
        if !progress(piece.last) {
            return Err(ReplayError::Cancelled);
        }
    }
    match range.to {
        // Timers that were due by the last commit have fired by then.
        None => {
            let outcome = step(&mut state, &[], source.cut.now);
            compare.events(&outcome.events)?;
            compare.rest(u64::MAX)?;
        }
        // What is said at the last position may come after the end.
        Some(_) => compare.rest(state.position())?,
    }
    Ok(compare.finish(&state, (after, after_sequence), snapshots, refused))
}

struct Compare {
    stored: Events,
    sides: [(u64, Sha256); 2],
    engines: Vec<EngineSpan>,
    differing: u64,
    first: Option<Difference>,
}

impl Compare {
    fn new(stored: Events) -> Compare {
        Compare { stored, sides: [(0, Sha256::new()), (0, Sha256::new())], engines: Vec::new(), differing: 0, first: None }
    }

    fn events(&mut self, events: &[IncidentEvent]) -> Result<(), ReplayError> {
        for event in events {
            let again = event.to_cbor_vec().unwrap_or_default();
            let stored = self.stored.take()?;
            note(&mut self.sides[1], &again);
            if let Some(s) = &stored {
                self.note_stored(s);
            }
            if stored.as_ref().is_none_or(|s| s.bytes != again) {
                self.differs(event.position, event.sequence, stored, Some(event.to_json_value()));
            }
        }
        Ok(())
    }

    /// What the replay has not said, of what is stored before that position.
    fn rest(&mut self, position: u64) -> Result<(), ReplayError> {
        while let Some(s) = self.stored.take()? {
            let at = s.event().map_or(0, |e| e.position);
            if at >= position {
                break;
            }
            self.note_stored(&s);
            self.differs(at, s.sequence, Some(s), None);
        }
        Ok(())
    }

    fn note_stored(&mut self, s: &Stored) {
        note(&mut self.sides[0], &s.bytes);
        let version = s.event().map_or_else(|_| "?".to_owned(), |e| e.engine.as_str().to_owned());
        match self.engines.last_mut().filter(|e| e.version == version) {
            Some(span) => span.to_sequence = s.sequence,
            None => self.engines.push(EngineSpan { version, from_sequence: s.sequence, to_sequence: s.sequence }),
        }
    }

    fn differs(&mut self, position: u64, sequence: u64, stored: Option<Stored>, replayed: Option<Value>) {
        self.differing += 1;
        if self.first.is_none() {
            let stored = stored.map(|s| s.event().map_or_else(Value::String, |e| e.to_json_value()));
            self.first = Some(Difference { position, sequence, stored, replayed, refused: None });
        }
    }

    fn finish(self, state: &State, (after, after_sequence): (u64, u64), snapshots: Vec<i64>, refused: Option<(u64, String)>) -> Exact {
        let [stored, replayed] = self.sides.map(|(events, hash)| Side { events, sha256: hex::encode(hash.finalize()) });
        let mut first = self.first;
        if let Some((position, verdict)) = refused
            && first.as_ref().is_none_or(|d| d.position >= position)
        {
            let sequence = first.as_ref().map_or(state.sequence(), |d| d.sequence);
            let (stored, replayed) = first.map_or((None, None), |d| (d.stored, d.replayed));
            first = Some(Difference { position, sequence, stored, replayed, refused: Some(verdict) });
        }
        Exact {
            after,
            last: state.position(),
            after_sequence,
            snapshots,
            stored,
            replayed,
            differing: self.differing,
            first,
            engines: self.engines,
            engine: ENGINE_VERSION,
        }
    }
}

fn note((events, hash): &mut (u64, Sha256), bytes: &[u8]) {
    *events += 1;
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}
