//! A stretch of a log as lines that `tuoan replay` reads: the engine's state at its beginning, the inputs, and the events that they gave. For
//! evidence about one incident, which must not hold more of the log than it needs.
//!
//! The state is derived from the newest snapshot before the stretch by the same engine, and the events that the engine gives in the stretch are held
//! against the stored ones, so that it is known beforehand whether the replay will come out. Codes of children are exchanged for others throughout: they
//! are the one thing of the log that never leaves the box.
use super::ReplayError;
use super::export::{Begin, Entry, Event, Head, VERSION};
use super::source::Source;
use crate::engine::input::Action;
use crate::engine::{Body, Command, Configuration, Input, State, step};
use serde::Serialize;
use tuoan_protocol::codec::Wire;

/// What a line is, for the list of an evidence file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// UTC milliseconds.
    pub at: Option<i64>,
    pub label: String,
    pub json: String,
}

/// Which part of a log, in engine time.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// Inputs from there on ...
    pub from: i64,
    /// ... and earlier than this.
    pub to: i64,
    /// Timers that were due by then have fired, though no input came any more. Earlier than `to`.
    pub fired: i64,
}

/// What stands in it.
#[derive(Debug)]
pub struct Segment {
    pub lines: Vec<Line>,
    /// Engine times of the first and the last input.
    pub span: (i64, i64),
    /// Not all inputs that were asked for fitted.
    pub cut: bool,
    /// The engine gives the stored events again, bit for bit.
    pub same: bool,
    /// In force at its end.
    pub configuration: Option<Configuration>,
}

fn json<T: Serialize>(line: &T) -> Result<String, ReplayError> {
    serde_json::to_string(line).map_err(|e| ReplayError::Thread(e.to_string()))
}

/// The inputs of a stretch, as many as fit into `room` bytes. `rename` gives each child's code another. `None`: the log no longer has them.
///
/// # Errors
/// The log cannot be read.
pub fn segment(source: &Source, stretch: Stretch, room: usize, rename: &dyn Fn(&str) -> String) -> Result<Option<Segment>, ReplayError> {
    let Stretch { from, to, fired } = stretch;
    let (mut state, _) = source.state_before(Some(from))?;
    let mut inputs: Vec<(u64, Input)> = Vec::new();
    let mut begin: Option<State> = None;
    let (mut events, mut bytes, mut cut) = (Vec::new(), 0, false);
    'pieces: for piece in source.inputs(state.position(), Some(to))? {
        let piece = piece?;
        let before = piece.inputs.partition_point(|i| i.at < from);
        let (early, within) = piece.inputs.split_at_checked(before).unwrap_or_default();
        if let Some(last) = early.last() {
            step(&mut state, early, last.at);
        }
        if within.is_empty() {
            continue;
        }
        begin.get_or_insert_with(|| state.clone());
        for (position, input) in (piece.first + before as u64..).zip(within) {
            let input = renamed(input, rename);
            let line = json(&Entry { position, at: input.at, body: input.body.clone() })?;
            // An event takes about a kilobyte, twice; the hash of a line in the signed list a hundred bytes.
            bytes += line.len() + 100;
            if bytes > room {
                cut = true;
                break 'pieces;
            }
            let out = step(&mut state, std::slice::from_ref(&input), input.at);
            bytes += out.events.len() * 2000;
            events.extend(out.events);
            inputs.push((position, input));
        }
    }
    // An event that a timer gave belongs to it, too.
    let mut now = inputs.last().map_or(from, |(_, i)| i.at);
    if !cut && fired > now && begin.is_some() {
        now = fired.min(source.cut.now);
        events.extend(step(&mut state, &[], now).events);
    }
    let (Some(mut begin), Some((first, head)), Some((last, tail))) = (begin, inputs.first(), inputs.last()) else { return Ok(None) };
    begin.rename_children(rename);
    // A log that was cut in the middle has no state to go on from.
    if begin.position() + 1 != *first {
        return Ok(None);
    }
    let utc = |at: i64| Some(at.saturating_add(begin.utc_offset()));
    let mut lines = Vec::with_capacity(inputs.len() + events.len() + 2);
    let mut put = |at: Option<i64>, label: String, json: String| lines.push(Line { at, label, json });
    let head = Head {
        tuoan_log: VERSION,
        log: source.cut.log.clone(),
        now,
        utc_offset: begin.utc_offset(),
        first: *first,
        position: *last,
        sequence: state.sequence(),
        span: Some((head.at, tail.at)),
    };
    put(None, "head".to_owned(), json(&head)?);
    if begin.position() > 0 {
        let state = Begin { snapshot: begin.position(), sequence: begin.sequence(), state: hex::encode(begin.encode()) };
        put(None, format!("state at {}", begin.position()), json(&state)?);
    }
    for (position, input) in &inputs {
        put(utc(input.at), format!("input {position}"), json(&Entry { position: *position, at: input.at, body: input.body.clone() })?);
    }
    let mut stored = source.events(begin.sequence())?;
    let mut derived = events.iter();
    let mut same = true;
    while let Some(e) = stored.take()?.filter(|e| e.sequence <= state.sequence()) {
        let again = derived.next().and_then(|d| d.to_cbor_vec().ok());
        same &= again.as_deref() == Some(&e.bytes);
        let at = e.event().ok().map(|e| e.at);
        put(at, format!("event {}", e.sequence), json(&Event { sequence: e.sequence, cbor: hex::encode(&e.bytes) })?);
    }
    same &= derived.next().is_none();
    let span = (inputs.first().map_or(from, |(_, i)| i.at), inputs.last().map_or(to, |(_, i)| i.at));
    Ok(Some(Segment { span, cut, same, configuration: state.configuration().cloned(), lines }))
}

fn renamed(input: &Input, rename: &dyn Fn(&str) -> String) -> Input {
    let mut input = input.clone();
    if let Body::Command(Command { action: Action::MorningCheck(check), .. }) = &mut input.body {
        check.child = check.child.as_deref().map(rename);
    }
    input
}
