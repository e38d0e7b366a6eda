//! One telling of one incident's change (or a digest, a report, a test) to some people through one channel.
use super::text;
use crate::deliver::Bilingual;
use serde::Serialize;
use tuoan_dashboards::Lang;
use tuoan_protocol::{Basis, Severity};

/// What is told. Names and texts are worded already; ids are as in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same for every repeat: `<event id>-<step>`. Carried wherever the channel has room for it.
    pub id: String,
    /// Incident id (26 characters); empty for reports and tests.
    pub incident: String,
    /// Short number that stands in every text: the last 6 of the incident id.
    pub number: String,
    /// Event id; empty for reports and tests.
    pub event: String,
    pub kind: Kind,
    pub severity: Severity,
    pub basis: Basis,
    /// Marked visibly in title and text.
    pub drill: bool,
    /// Said by a device while it was proved; marked as well.
    pub test: bool,
    /// The same id may have arrived before; marked.
    pub repeat: bool,
    /// No sound, where the channel can do without (nap).
    pub silent: bool,
    /// Names.
    pub site: String,
    pub place: String,
    /// What, and what to do now.
    pub title: Bilingual,
    pub advice: Bilingual,
    /// UTC milliseconds the incident began.
    pub since: i64,
    /// UTC milliseconds of this telling.
    pub at: i64,
    /// Minutes east of UTC of the site.
    pub utc_offset_minutes: i32,
    /// Worded already, e.g. `CO2 2105 ppm`.
    pub reading: Option<String>,
    /// Who is being told: `carer`, `director`, `deputy`, `district`, `everyone`.
    pub step: Option<&'static str>,
    /// Activations; more than one is said.
    pub count: u32,
    /// Who shelved it and why, for instance; of a report, its text.
    pub note: Option<String>,
    /// Of a digest one line an incident, worded already; of a report its lines.
    pub lines: Vec<String>,
    pub links: Links,
}

/// What kind of telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Alert,
    Update(Change),
    /// Several incidents in one message.
    Digest,
    Report,
    Test,
}

/// What has become of an incident that was told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The condition is over.
    Returned,
    /// A person has closed it.
    Resolved,
    /// Somebody has taken it.
    Taken,
    /// It is told to nobody for a while: shelved, under maintenance, out of service.
    Shelved,
}

impl Kind {
    /// As it stands on wires and in keys of texts.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Alert => "alert",
            Kind::Update(Change::Returned) => "returned",
            Kind::Update(Change::Resolved) => "resolved",
            Kind::Update(Change::Taken) => "taken",
            Kind::Update(Change::Shelved) => "shelved",
            Kind::Digest => "digest",
            Kind::Report => "report",
            Kind::Test => "test",
        }
    }
    /// About a single incident.
    pub fn of_incident(self) -> bool {
        matches!(self, Kind::Alert | Kind::Update(_))
    }
}

/// Addresses of the institution's pages; absent where `[notify] link` is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Links {
    /// "I have seen it."
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// "I take it."
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take: Option<String>,
    /// The incident's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

impl Message {
    /// Names this very telling: the same only when a failed attempt is made again, never for a repeat that people are to hear once more.
    pub fn telling(&self) -> String {
        format!("{}-{}", self.id, self.at)
    }
    /// A marked test message of no severity to speak of. `id` must be new for each.
    pub fn test(id: String, site: &str, utc_offset_minutes: i32, at: i64, page: Option<String>) -> Message {
        let number = number(&id);
        let words = |key| Bilingual { zh: text::say(Lang::Zh, key, &[]), en: text::say(Lang::En, key, &[]) };
        Message {
            id,
            incident: String::new(),
            number,
            event: String::new(),
            kind: Kind::Test,
            severity: Severity::Advisory,
            basis: Basis::Confirmed,
            drill: false,
            test: false,
            repeat: false,
            silent: false,
            site: site.to_owned(),
            place: String::new(),
            title: words("notify-test-title"),
            advice: words("notify-test-advice"),
            since: at,
            at,
            utc_offset_minutes,
            reading: None,
            step: None,
            count: 1,
            note: None,
            lines: Vec::new(),
            links: Links { page, ..Links::default() },
        }
    }
}

/// The last 6 characters of an incident's id, in capitals.
pub fn number(id: &str) -> String {
    let start = id.char_indices().rev().nth(5).map_or(0, |(i, _)| i);
    id.get(start..).unwrap_or_default().to_uppercase()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// 2026-03-02 10:06:15 at UTC+8.
    pub const AT: i64 = 1_772_417_175_000;

    /// CO2 in the activity room, for the fourth time today.
    pub fn alert() -> Message {
        Message {
            id: "01KJNZ6V3R8M4T2X9QABCDEFGH-carer".into(),
            incident: "01KJNZ6V3R8M4T2X9QABCDEFGH".into(),
            number: number("01KJNZ6V3R8M4T2X9QABCDEFGH"),
            event: "01KJNZ6V3R8M4T2X9QABCDEFGJ".into(),
            kind: Kind::Alert,
            severity: Severity::Serious,
            basis: Basis::Confirmed,
            drill: false,
            test: false,
            repeat: false,
            silent: false,
            site: "星原托育".into(),
            place: "活动室".into(),
            title: Bilingual { zh: "二氧化碳过高".into(), en: "Too much carbon dioxide".into() },
            advice: Bilingual {
                zh: "立即开窗通风。孩子先到隔壁房间。".into(),
                en: "Open the windows now. Take the children next door.".into(),
            },
            since: AT - 90_000,
            at: AT,
            utc_offset_minutes: 480,
            reading: Some("CO2 2105 ppm".into()),
            step: Some("carer"),
            count: 4,
            note: None,
            lines: Vec::new(),
            links: Links {
                seen: Some("http://10.0.0.5:8080/s/1".into()),
                take: Some("http://10.0.0.5:8080/t/1".into()),
                page: Some("http://10.0.0.5:8080/i/1".into()),
            },
        }
    }

    #[test]
    fn the_short_number_is_the_end_of_the_id() {
        assert_eq!((number("01KJNZ6V3R8M4T2X9QABCDEFGH").as_str(), number("ab").as_str()), ("CDEFGH", "AB"));
    }
}
