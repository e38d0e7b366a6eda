//! One engine step and what becomes of it: messages and requests -> inputs -> outcome -> batch.
use super::{Control, PipelineError};
use crate::decode::{Decoders, Raw};
use crate::engine::input::{Item, Message};
use crate::engine::{Body, Command, Configuration, Input, Outcome, Verdict};
use crate::ingest::Inbound;
use crate::ingest::frames::Refusal;
use crate::store::{Batch, Entry, Quarantined, Reply};
use tokio::sync::oneshot;
use tuoan_protocol::{EventKind, Presence, quantity::Kind};

/// Bytes of a quarantined payload that are kept.
const QUARANTINED_PAYLOAD: usize = 64 << 10;

/// Inputs of one step, and whose they are.
pub struct Round {
    now: i64,
    /// UTC milliseconds, for the quarantine.
    utc: i64,
    inputs: Vec<Input>,
    origins: Vec<Origin>,
    batch: Batch,
}

/// Where an input comes from.
enum Origin {
    Own,
    /// Starts a message (index among the messages of the round) or belongs to the one before it.
    Message(usize),
    Command(oneshot::Sender<Result<u64, &'static str>>),
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Nothing,
    Stored,
    Duplicate,
    Refused(&'static str),
}

impl Round {
    pub fn new(now: i64, utc: i64) -> Round {
        Round { now, utc, inputs: Vec::new(), origins: Vec::new(), batch: Batch::default() }
    }
    /// An input of the gateway itself.
    pub fn own(&mut self, body: Body) {
        self.push(body, Origin::Own);
        self.batch.urgent = true;
    }
    /// The gateway's own estimate of a room. Routine: it may wait for company on its way to the disk.
    pub fn estimate(&mut self, body: Body) {
        self.push(body, Origin::Own);
    }
    /// What the gateway's own eyes say: at once to the disk when it is a sign of danger.
    pub fn observation(&mut self, body: Body) {
        self.batch.urgent |= matters(&body);
        self.push(body, Origin::Own);
    }
    pub fn command(&mut self, command: Command, reply: oneshot::Sender<Result<u64, &'static str>>) {
        self.push(Body::Command(command), Origin::Command(reply));
        self.batch.urgent = true;
    }
    /// Another configuration, at somebody's request.
    pub fn configure(&mut self, c: Configuration, reply: oneshot::Sender<Result<u64, &'static str>>) {
        self.push(Body::Configure(Box::new(c)), Origin::Command(reply));
        self.batch.urgent = true;
    }
    /// Answers `reply` when this round and all before it are on disk.
    pub fn tick(&mut self, reply: oneshot::Sender<()>) {
        self.batch.replies.push(Reply::Done(reply));
        self.batch.urgent = true;
    }
    /// A request; what it is that only the loop can do is given back.
    pub fn control(&mut self, control: Control) -> Option<oneshot::Sender<()>> {
        match control {
            Control::Command { command, reply } => self.command(command, reply),
            Control::Tick { reply } => self.tick(reply),
            Control::Drain { reply } => return Some(reply),
            Control::Refused(list) => list.into_iter().for_each(|r| self.refused(r)),
            // It rests on the engine's state, and is the loop's own; who asks while it stops gets no answer.
            Control::Override { .. } | Control::Camera { .. } => {}
        }
        None
    }
    /// Decodes one message; `number` is its index among the messages of this round.
    pub fn message(&mut self, decoders: &mut Decoders, message: &Inbound, number: usize) {
        decoders.received_at(self.utc);
        match decoders.decode(Raw { topic: &message.topic, payload: &message.payload, retained: message.retained }) {
            Ok((_, bodies)) => {
                for body in bodies {
                    self.batch.urgent |= matters(&body);
                    self.push(body, Origin::Message(number));
                }
            }
            Err(rejected) => self.quarantine(message, rejected.decoder, rejected.reason),
        }
    }
    /// Engine time of the step.
    pub fn now(&self) -> i64 {
        self.now
    }
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }
    fn push(&mut self, body: Body, origin: Origin) {
        self.inputs.push(Input { at: self.now, body });
        self.origins.push(origin);
    }
    fn quarantine(&mut self, m: &Inbound, decoder: Option<&str>, mut reason: String) {
        // The quarantine lies in clear on the disk, and anybody who is signed in may read it.
        let picture = crate::cameras::holds_picture(&m.payload);
        let kept = if picture { 0 } else { m.payload.len().min(QUARANTINED_PAYLOAD) };
        if picture {
            reason.push_str(&format!(" (its {} bytes hold a picture and are not kept)", m.payload.len()));
        } else if kept < m.payload.len() {
            reason.push_str(&format!(" (the first {kept} of {} bytes are kept)", m.payload.len()));
        }
        self.batch.quarantine.push(Quarantined {
            at: self.utc,
            topic: m.topic.to_string(),
            payload: m.payload.get(..kept).unwrap_or_default().to_vec(),
            retained: m.retained,
            decoder: decoder.map(str::to_owned),
            reason,
        });
    }

    fn refused(&mut self, Refusal { topic, mut reason, first, count }: Refusal) {
        if count > 1 {
            reason.push_str(&format!("; {count} such frames since it was told last"));
        }
        self.batch.quarantine.push(Quarantined {
            at: self.utc,
            topic,
            payload: first,
            retained: false,
            decoder: Some("camera".to_owned()),
            reason,
        });
    }

    /// The batch to be stored. `Err` when the engine has not judged every input: then nothing may be acknowledged.
    pub fn finish(mut self, messages: Vec<Inbound>, outcome: Outcome, utc_offset: i64) -> Result<Batch, PipelineError> {
        if outcome.verdicts.len() != self.inputs.len() {
            let detail = format!("{} inputs got {} verdicts", self.inputs.len(), outcome.verdicts.len());
            return Err(PipelineError::Engine { detail });
        }
        let mut fates = vec![Fate::Nothing; messages.len()];
        let inputs = std::mem::take(&mut self.inputs);
        let origins = std::mem::take(&mut self.origins);
        for ((input, origin), verdict) in inputs.into_iter().zip(origins).zip(outcome.verdicts) {
            let mut first = false;
            match origin {
                Origin::Own => {
                    if let Verdict::Refused(reason) = verdict {
                        return Err(PipelineError::Configuration(reason.to_owned()));
                    }
                }
                Origin::Command(reply) => match verdict {
                    Verdict::Accepted(position) => self.batch.replies.push(Reply::Position(reply, position)),
                    Verdict::Refused(reason) => drop(reply.send(Err(reason))),
                    Verdict::Duplicate => drop(reply.send(Err("this was asked before"))),
                },
                Origin::Message(number) => {
                    if let Some(fate) = fates.get_mut(number) {
                        first = *fate != Fate::Stored;
                        *fate = match (verdict, *fate) {
                            (_, Fate::Stored) | (Verdict::Accepted(_), _) => Fate::Stored,
                            (Verdict::Duplicate, _) => Fate::Duplicate,
                            (Verdict::Refused(reason), _) => Fate::Refused(reason),
                        };
                    }
                }
            }
            if let Verdict::Accepted(position) = verdict {
                self.batch.entries.push(Entry { position, at: input.at, message: first, body: input.body });
            }
        }
        for (message, fate) in messages.iter().zip(fates) {
            match fate {
                Fate::Duplicate => self.batch.duplicates += 1,
                Fate::Refused(reason) => self.quarantine(message, None, reason.to_owned()),
                Fate::Stored | Fate::Nothing => {}
            }
        }
        self.batch.acks = messages.into_iter().map(|m| m.ack).collect();
        self.batch.urgent |= !outcome.events.is_empty() || !outcome.commands.is_empty() || !outcome.confirmed.is_empty();
        Ok(Batch {
            now: self.now,
            utc_offset,
            events: outcome.events,
            commands: outcome.commands,
            notices: outcome.notices,
            confirmed: outcome.confirmed,
            ledger: outcome.ledger,
            ..self.batch
        })
    }
}

/// Must be on disk at once, even in wear mode. Routine readings may wait up to two seconds.
fn matters(body: &Body) -> bool {
    match body {
        Body::Message(Message { items, .. }) => items.iter().any(|item| match item {
            Item::Reading { quantity, value, .. } => quantity.kind() == Kind::Hazard && value.0 != 0,
            Item::Unknown { .. } => false,
            Item::Event { kind, .. } => !matches!(kind, EventKind::ButtonPressed | EventKind::Other(_)),
            Item::Presence(presence) => *presence != Presence::Online,
        }),
        Body::Inventory(_) => false,
        Body::Configure(_) | Body::Started { .. } | Body::Clock { .. } | Body::Command(_) => true,
    }
}
