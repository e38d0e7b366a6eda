//! What the pages of people, of the audit and of parents show.
use crate::door::{PassRow, Role, Tile};

/// The director's page of who may come in.
#[derive(Debug, Clone, Default)]
pub struct People {
    pub accounts: Vec<Tile>,
    pub passes: Vec<PassRow>,
    pub sessions: Vec<SessionRow>,
    /// Classes by id and name, and since when there is a link for their parents.
    pub classes: Vec<(String, String, Option<i64>)>,
    pub recovery: bool,
    /// What was just drawn: shown this once.
    pub drawn: Option<Drawn>,
    /// The form that did not go, its field, and what is wrong.
    pub wrong: Option<Wrong>,
    /// What was typed: name, role, purpose, hours.
    pub typed: Typed,
    pub done: Option<String>,
    /// Id of the account whose session this is.
    pub own: String,
}

#[derive(Debug, Clone, Default)]
pub struct Typed {
    pub name: String,
    pub role: String,
    pub purpose: String,
    pub hours: String,
}

#[derive(Debug, Clone)]
pub struct Wrong {
    pub form: &'static str,
    pub text: String,
}

impl People {
    /// What is wrong with that form.
    pub fn wrong_with(&self, form: &str) -> Option<&str> {
        self.wrong.as_ref().filter(|w| w.form == form).map(|w| w.text.as_str())
    }
    pub fn roles(&self) -> [Role; 3] {
        [Role::Carer, Role::Installer, Role::Director]
    }
}

/// A secret that is shown once.
#[derive(Debug, Clone)]
pub enum Drawn {
    Recovery(String),
    Pass {
        holder: String,
        code: String,
    },
    /// The link and its QR code as SVG, made by us.
    Class {
        name: String,
        link: String,
        qr: String,
    },
}

#[derive(Debug, Clone)]
pub struct SessionRow {
    pub handle: String,
    pub who: String,
    pub role: Role,
    /// UTC milliseconds; 0: not known.
    pub since: i64,
    pub address: String,
    pub this: bool,
}

/// One's own account.
#[derive(Debug, Clone, Default)]
pub struct Account {
    pub name: String,
    pub pin: bool,
    /// An inspector's code cannot be changed.
    pub fixed: bool,
    pub sessions: Vec<SessionRow>,
    pub wrong: Option<String>,
    pub done: Option<String>,
}

/// Who did and saw what.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    pub rows: Vec<AuditRow>,
    /// Kind that is shown alone; empty: all.
    pub kind: String,
    pub kinds: Vec<&'static str>,
    /// Number to go on from.
    pub older: Option<u64>,
}

#[derive(Debug, Clone, Default)]
pub struct AuditRow {
    pub at: i64,
    pub actor: String,
    pub role: String,
    pub kind: String,
    pub object: String,
    pub purpose: String,
    pub detail: String,
}

/// What the director may tell parents.
#[derive(Debug, Clone, Default)]
pub struct Releases {
    pub classes: Vec<(String, String)>,
    /// Incidents of the last weeks that are over or in hand: id, hazard, place, opened at (UTC milliseconds).
    pub incidents: Vec<(String, String, String, i64)>,
    pub released: Vec<Notice>,
    pub class: String,
    pub incident: String,
    pub template: String,
    pub wrong: Option<String>,
    pub done: Option<String>,
}

impl Releases {
    pub fn is_chosen(&self, template: &str) -> bool {
        self.template == template
    }
}

/// The templates that exist, in the order in which they are offered.
pub const TEMPLATES: [&str; 6] = ["environment", "entrance", "care", "alarm", "health", "system"];

/// Told to the parents of a class.
#[derive(Debug, Clone)]
pub struct Notice {
    pub number: u64,
    pub class: String,
    pub template: String,
    /// UTC milliseconds of what happened, and of the release.
    pub happened_at: i64,
    pub released_at: i64,
    pub by: String,
    pub withdrawn: bool,
}

/// The parents' page of one class: nothing of a person, no picture.
#[derive(Debug, Clone, Default)]
pub struct ParentPage {
    pub class: String,
    pub rooms: Vec<Room>,
    pub notices: Vec<Notice>,
}

#[derive(Debug, Clone)]
pub struct Room {
    pub name: String,
    /// Quantity's name, value as written, and how it stands: `good`, `over`, `old`.
    pub air: Vec<(String, String, &'static str)>,
    /// `watched`, `partly`, `unseen`, `none`.
    pub watch: &'static str,
}
