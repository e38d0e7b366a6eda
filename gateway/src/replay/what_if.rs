//! The history under other rules. The inputs are those of the log, but for two things: configurations are replaced, and what people did to
//! an incident is done to the incident that they would have met: that of the same hazard at the same place.
use super::ReplayError;
use super::source::Piece;
use super::tally::Tally;
use crate::engine::input::Action;
use crate::engine::{Body, Command, Configuration, EngineMs, Input, State, step};
use std::collections::BTreeMap;
use tuoan_protocol::{HazardId, IncidentEvent, IncidentId, Place};

/// Where a stored incident happened, by its id.
pub type Known = BTreeMap<IncidentId, (HazardId, Place)>;

/// What becomes of the log's own configurations.
pub type Rewrite<'a> = Box<dyn FnMut(&Configuration) -> Result<Option<Configuration>, ReplayError> + Send + 'a>;

/// How often [`Run::attended`] looks, in milliseconds.
const ROUND_MS: i64 = 5 * 60_000;

/// One run through the history.
pub struct Run<'a> {
    state: State,
    rewrite: Rewrite<'a>,
    /// Somebody takes note of every incident within five minutes. Without, incidents that nobody met in the history stay open for ever and
    /// everything that follows at their place counts as the same incident.
    pub attended: bool,
    round: EngineMs,
    /// Only what is said from then on counts.
    pub count_from: Option<EngineMs>,
    pub tally: Tally,
}

impl<'a> Run<'a> {
    pub fn new(state: State, rewrite: Rewrite<'a>) -> Run<'a> {
        let round = state.now();
        Run { state, rewrite, attended: false, round, count_from: None, tally: Tally::default() }
    }
    /// What it is told before anything else.
    pub fn begin(&mut self, inputs: &[Input]) {
        let now = inputs.last().map_or(self.state.now(), |i| i.at);
        self.step(inputs, now);
        self.round = now;
    }
    /// Puts a configuration in force now: for a run that begins with a snapshot.
    pub fn configure(&mut self, c: Configuration) {
        let at = self.state.now();
        self.begin(&[Input { at, body: Body::Configure(Box::new(c)) }]);
    }
    pub fn state(&self) -> &State {
        &self.state
    }
    pub fn utc(&self, at: EngineMs) -> i64 {
        at.saturating_add(self.state.utc_offset())
    }

    /// Moves on by a piece of the log. `known`: the stored incidents that its commands name.
    pub fn piece(&mut self, piece: &Piece, known: &Known) -> Result<(), ReplayError> {
        let inputs = &piece.inputs;
        let mut done = 0;
        for (i, input) in inputs.iter().enumerate() {
            if let Some(from) = self.count_from.filter(|from| input.at >= *from) {
                self.upto(inputs, &mut done, i);
                self.count_from = None;
                self.tally.restart(self.utc(from));
            }
            if self.attended && input.at >= self.round {
                self.upto(inputs, &mut done, i);
                self.attend(input);
            }
            match &input.body {
                Body::Configure(c) => {
                    self.upto(inputs, &mut done, i);
                    done = i + 1;
                    if let Some(c) = (self.rewrite)(c)? {
                        self.step(&[Input { at: input.at, body: Body::Configure(Box::new(c)) }], input.at);
                    }
                }
                Body::Command(c) => {
                    self.upto(inputs, &mut done, i);
                    done = i + 1;
                    if let Some(c) = self.translate(c, known) {
                        self.step(&[Input { at: input.at, body: Body::Command(c) }], input.at);
                    }
                }
                Body::Message(_) | Body::Started { .. } | Body::Clock { .. } | Body::Inventory(_) => {}
            }
        }
        self.upto(inputs, &mut done, inputs.len());
        Ok(())
    }

    /// The end of the history: timers due by `now` fire.
    pub fn finish(&mut self, now: EngineMs) {
        self.step(&[], now);
        let end = self.utc(self.state.now());
        self.tally.finish(end);
    }

    fn upto(&mut self, inputs: &[Input], done: &mut usize, end: usize) {
        if let Some(part) = inputs.get(*done..end).filter(|p| !p.is_empty()) {
            let now = part.last().map_or(0, |i| i.at);
            self.step(part, now);
            *done = end;
        }
    }

    fn step(&mut self, inputs: &[Input], now: EngineMs) {
        let outcome = step(&mut self.state, inputs, now);
        outcome.events.iter().for_each(|e: &IncidentEvent| self.tally.event(e));
    }

    /// Takes note of what is open, at a time that does not depend on how the log is cut into pieces.
    fn attend(&mut self, next: &Input) {
        let at = next.at.div_euclid(ROUND_MS).saturating_mul(ROUND_MS);
        self.round = at.saturating_add(ROUND_MS);
        // While the gateway was down nobody looked, and time must not be moved on into the gap.
        if at <= self.state.now() || matches!(next.body, Body::Started { .. }) {
            return;
        }
        self.step(&[], at);
        let note = |incident: &IncidentId| {
            let action = Action::Acknowledge { incident: incident.clone(), note: None };
            Input { at, body: Body::Command(Command { actor: String::new(), via: None, action }) }
        };
        let notes: Vec<Input> = self.tally.unacknowledged().map(note).collect();
        if !notes.is_empty() {
            self.step(&notes, at);
        }
    }

    /// The same command about the incident that stands here in the place of the stored one; `None` when there is none.
    fn translate(&self, c: &Command, known: &Known) -> Option<Command> {
        // One that was open before this run began has the id that it has in the log.
        let here = |id: &IncidentId| match known.get(id) {
            Some((hazard, place)) => self.tally.open_at(hazard, place).cloned(),
            None => Some(id.clone()),
        };
        let mut c = c.clone();
        match &mut c.action {
            Action::Acknowledge { incident, .. } | Action::CancelPanic { incident, .. } => *incident = here(incident)?,
            _ => {}
        }
        Some(c)
    }
}
