//! Short tasks: a report of concern, the closing sweep, saying who acts. Times are UTC milliseconds.
use super::Notice;

/// The form of a report of concern (报告疑虑), as it was filled in. Parents see it without a login: it names rooms, never a person.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub site: String,
    /// Id and name.
    pub rooms: Vec<(String, String)>,
    pub room: String,
    pub note: String,
    pub name: String,
    /// The field that is wrong (`room`; empty: all of it), and how to mend it.
    pub error: Option<(&'static str, String)>,
}

impl Report {
    pub fn wrong(&self, field: &str) -> Option<&str> {
        self.error.as_ref().filter(|e| e.0 == field).map(|e| e.1.as_str())
    }
}

/// Whether the district hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum District {
    #[default]
    Told,
    /// There is a platform, but nothing arrives there at present.
    Unreachable,
    /// This gateway has no platform.
    None,
}

impl District {
    pub const ALL: [&'static str; 3] = ["told", "unreachable", "none"];
    pub fn name(self) -> &'static str {
        match self {
            District::Told => "told",
            District::Unreachable => "unreachable",
            District::None => "none",
        }
    }
}

/// What is to be saved from the recorder for a report of concern: by whom else than the director, of which cameras, of which time.
#[derive(Debug, Clone, Default)]
pub struct Export {
    pub from: i64,
    pub to: i64,
    /// Cameras that show the place, by their names; empty: the site knows of none, and the recorder's own list has to be gone through.
    pub cameras: Vec<String>,
    /// People of the site who are not its director.
    pub people: Vec<String>,
    /// Who has saved it, and when.
    pub done: Option<(String, i64)>,
}

/// The closing sweep, room by room.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    pub rooms: Vec<Room>,
    pub notice: Option<Notice>,
}

impl Sweep {
    /// The first room that nobody has looked through yet.
    pub fn is_next(&self, room: &Room) -> bool {
        self.rooms.iter().find(|r| r.swept.is_none()).is_some_and(|r| r.id == room.id)
    }
    pub fn done(&self) -> usize {
        self.rooms.iter().filter(|r| r.swept.is_some()).count()
    }
}

#[derive(Debug, Clone, Default)]
pub struct Room {
    pub id: String,
    pub name: String,
    pub kind: &'static str,
    /// When it was last swept, within the last hours.
    pub swept: Option<i64>,
    /// Its sensors say that somebody may still be there.
    pub occupied: bool,
    /// Nothing that is alive tells whether anybody is there.
    pub unseen: bool,
}

/// Who acts.
#[derive(Debug, Clone, Default)]
pub struct Who {
    pub back: String,
    pub people: Vec<String>,
}
