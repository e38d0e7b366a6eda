//! Words, sources and duties by rule: what pages and alerts say about an incident.
use super::text::Duty;
use std::collections::BTreeMap;
use tuoan_protocol::{HazardId, RuleId, Severity};

/// One text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    pub zh: String,
    pub en: String,
}

/// What a rule pack says of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub pack: String,
    pub rule: RuleId,
    pub hazard: HazardId,
    pub severity: Severity,
    /// What is wrong.
    pub title: Words,
    /// What to do now.
    pub advice: Words,
    /// The document it rests on, and the clause in it.
    pub source: String,
    pub clause: String,
    /// Someone has compared it with the printed standard.
    pub verified: bool,
    pub duty: Vec<Duty>,
}

impl Entry {
    /// Source and clause as one line.
    pub fn citation(&self) -> String {
        if self.clause.is_empty() { self.source.clone() } else { format!("{} {}", self.source, self.clause) }
    }
}

/// All rules in force, by id.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    entries: BTreeMap<RuleId, Entry>,
}

impl Catalogue {
    /// Of the given packs' texts. Rules that do not parse are left out: `rules::check` reports them.
    pub fn new<S: AsRef<str>>(packs: &[S]) -> Catalogue {
        let mut c = Catalogue::default();
        for text in packs {
            if let Ok(pack) = super::parse::parse(text.as_ref()) {
                c.entries.extend(pack.rules.into_iter().map(|(_, e)| (e.rule.clone(), e)));
            }
        }
        c
    }
    pub fn builtin() -> Catalogue {
        Catalogue::new(&super::builtin().into_iter().map(|(_, t)| t).collect::<Vec<_>>())
    }
    pub fn get(&self, rule: &RuleId) -> Option<&Entry> {
        self.entries.get(rule)
    }
    /// The most urgent rule of a hazard.
    pub fn of_hazard(&self, hazard: &HazardId) -> Option<&Entry> {
        self.entries.values().filter(|e| e.hazard == *hazard).min_by_key(|e| e.severity)
    }
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}
