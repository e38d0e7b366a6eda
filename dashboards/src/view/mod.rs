//! What pages show: plain structs, no engine types. Times are UTC milliseconds.
pub mod alarm;
pub mod cameras;
pub mod coverage;
pub mod evidence;
pub mod gateway;
pub mod people;
pub mod plan;
pub mod platform;
pub mod quality;
pub mod rules;
pub mod search;
pub mod setup;
pub mod tasks;

use crate::lang::Text;
use tuoan_protocol::{Basis, IncidentState, Severity};

/// One incident as a card, on both UIs.
#[derive(Debug, Clone)]
pub struct Incident {
    pub id: String,
    /// Number of its last event.
    pub sequence: u64,
    /// Id in the hazard catalogue, e.g. `fire.smoke`.
    pub hazard: String,
    /// From the rule pack; empty: the catalogue's own name is shown.
    pub title: Text,
    /// What to do; empty: the catalogue's own advice.
    pub advice: Text,
    /// Where, in the site's words, e.g. 托小班2.
    pub place: String,
    /// The device it is about or that decided, by its name or id.
    pub device: Option<String>,
    pub severity: Severity,
    pub basis: Basis,
    pub state: IncidentState,
    pub opened_at: i64,
    pub changed_at: i64,
    /// The reading that decided: quantity's name and value in its unit.
    pub trigger: Option<(tuoan_protocol::Quantity, tuoan_protocol::Fixed)>,
    pub activations: u64,
    /// A person may end it, with a reason.
    pub cancellable: bool,
    /// Who acknowledged, where known.
    pub acknowledged_by: Option<String>,
    /// Devices that are silent because of the one it is about, by their names and zones.
    pub affected: Vec<String>,
    pub life: alarm::Life,
}

impl Incident {
    /// Who has it in hand, else who has taken note.
    pub fn holder(&self) -> Option<String> {
        self.life.assignee.clone().or(self.acknowledged_by.clone().filter(|_| self.state.acknowledged))
    }
    /// Needs a person now: it holds or nobody has taken note, and nobody has set it aside or said that it is handled.
    pub fn is_pressing(&self) -> bool {
        let rests = self.state.closed || self.state.inhibited.is_some() || self.life.resolved.is_some();
        !rests && (self.state.active || !self.state.acknowledged)
    }
}

/// The state of the whole in one word. Worst first; the order is that of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whole {
    ActNow,
    Attention,
    /// Nothing is known to be wrong, but something is not seen: never shown as safe.
    CannotSee,
    Safe,
}

impl Whole {
    pub fn name(self) -> &'static str {
        match self {
            Whole::ActNow => "act-now",
            Whole::Attention => "attention",
            Whole::CannotSee => "cannot-see",
            Whole::Safe => "safe",
        }
    }
    /// From open incidents and the number of places that are not seen.
    pub fn of<'a>(incidents: impl IntoIterator<Item = &'a Incident>, blind: usize) -> Whole {
        let mut whole = if blind > 0 { Whole::CannotSee } else { Whole::Safe };
        for i in incidents.into_iter().filter(|i| !i.state.closed) {
            let this = match i.severity {
                Severity::Emergency if i.is_pressing() => Whole::ActNow,
                Severity::Serious if i.is_pressing() && i.state.active && !i.state.acknowledged => Whole::ActNow,
                Severity::Advisory => Whole::Safe,
                _ => Whole::Attention,
            };
            whole = whole.min(this);
        }
        whole
    }
}

/// A message after an action, shown once at the head of the page.
#[derive(Debug, Clone)]
pub enum Notice {
    Done(String),
    /// What went wrong and how to mend it.
    Failed(String),
}
