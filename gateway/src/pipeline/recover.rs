//! The engine's state from the newest snapshot and the log after it.
use super::PipelineError;
use crate::engine::{ENGINE_VERSION, Input, State, Verdict, step};
use crate::store::{Reader, Recovered};
use tuoan_protocol::IncidentEvent;
use tuoan_protocol::codec::Wire;

/// Entries replayed at once: a long tail does not need much memory.
const CHUNK: usize = 4096;

/// The state as it was at the last commit.
///
/// # Errors
/// The store cannot be read, or this engine decides otherwise than the one that wrote the log.
pub fn recover(reader: &Reader, recovered: &Recovered) -> Result<State, PipelineError> {
    let mut before = u64::MAX;
    while let Some(snapshot) = reader.snapshot_before(before)? {
        before = snapshot.position;
        match State::decode(&snapshot.bytes) {
            Ok(state) if (state.position(), state.sequence()) == (snapshot.position, snapshot.sequence) => {
                return replay(state, reader, recovered);
            }
            Ok(state) => tracing::warn!(
                "the snapshot at position {} says of itself {}; an older one or the whole log is replayed",
                snapshot.position,
                state.position()
            ),
            Err(e) => {
                tracing::warn!(
                    "the snapshot at position {} cannot be read ({e}); an older one or the whole log is replayed",
                    snapshot.position
                );
            }
        }
    }
    let first = reader.first_position()?;
    if first > 1 {
        return Err(PipelineError::NoBeginning { first });
    }
    replay(State::default(), reader, recovered)
}

fn replay(mut state: State, reader: &Reader, recovered: &Recovered) -> Result<State, PipelineError> {
    let from = state.position();
    loop {
        let entries = reader.entries_after(state.position(), CHUNK)?;
        let Some(last) = entries.iter().last() else { break };
        let (now, position) = (last.at, last.position);
        let inputs: Vec<Input> = entries.iter().map(|e| Input { at: e.at, body: e.body.clone() }).collect();
        let sequence = state.sequence();
        let outcome = step(&mut state, &inputs, now);
        let wrong = entries.iter().zip(&outcome.verdicts).find(|(e, v)| **v != Verdict::Accepted(e.position));
        if let Some((entry, verdict)) = wrong {
            return Err(diverged(entry.position, format!("the entry there gets {verdict:?}")));
        }
        if state.position() != position {
            return Err(diverged(state.position(), format!("the replay stops there, the chunk ends at {position}")));
        }
        compare(reader, sequence, &outcome.events)?;
    }
    // Timers that were due by the last commit have fired by then.
    let sequence = state.sequence();
    let outcome = step(&mut state, &[], recovered.now);
    compare(reader, sequence, &outcome.events)?;
    if (state.position(), state.sequence()) != (recovered.position, recovered.sequence) {
        let detail = format!("{} incident events come out, {} are stored", state.sequence(), recovered.sequence);
        return Err(diverged(state.position(), detail));
    }
    if recovered.position > 0 {
        tracing::info!("replayed {} log entries up to position {}", state.position() - from, state.position());
    }
    Ok(state)
}

/// Every event must be the stored one, bit for bit.
fn compare(reader: &Reader, sequence: u64, events: &[IncidentEvent]) -> Result<(), PipelineError> {
    let mut stored = reader.events_after(sequence, events.len())?.into_iter();
    for event in events {
        let again = event.to_cbor_vec().map_err(|e| diverged(event.position, e.to_string()))?;
        match stored.next() {
            Some(stored) if stored.bytes == again => {}
            Some(stored) => {
                let by = stored.event.as_ref().map_or_else(|_| String::new(), |e| e.engine.as_str().to_owned());
                let then = stored.event.map_or_else(|e| e, |e| format!("{:?} of {}", e.transition, e.hazard));
                let now = format!("{:?} of {}", event.transition, event.hazard);
                let other =
                    if by == ENGINE_VERSION { String::new() } else { format!(" (written by engine {by:?}, this is {ENGINE_VERSION:?})") };
                return Err(diverged(event.position, format!("event {} was {then}, now {now}{other}", event.sequence)));
            }
            None => {
                return Err(diverged(
                    event.position,
                    format!("event {} ({:?} of {}) is new", event.sequence, event.transition, event.hazard),
                ));
            }
        }
    }
    Ok(())
}

fn diverged(position: u64, detail: String) -> PipelineError {
    PipelineError::Diverged { position, detail }
}
