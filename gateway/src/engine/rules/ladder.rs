//! Who is told of an incident, in what order: `[[ladder]]`. And what belongs together as one: `[[pattern]]`.
use super::parse::duration;
use serde::Deserialize;
use tuoan_protocol::{Basis, HazardId, Rung, Severity};

/// The rungs of one kind of incident. The first ladder of the packs that fits an incident is its ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    pub hazard: Option<HazardId>,
    pub severity: Severity,
    /// `None`: both.
    pub basis: Option<Basis>,
    /// In order of their times.
    pub steps: Vec<Step>,
    /// What ends the climb while the condition holds.
    pub until: Until,
    /// When all steps are taken and nobody has handled it: everybody again after so many milliseconds, then after twice as long, and so on up to
    /// [`AGAIN_MAX_MS`].
    pub again: Option<i64>,
    /// Waits for the end of a person's quiet hours.
    pub quiet_hours: bool,
    /// Who was told is told of its end, too.
    pub updates: bool,
}

/// The longest wait between two rounds.
pub const AGAIN_MAX_MS: i64 = 30 * 60_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Milliseconds after it opened or was raised.
    pub after: i64,
    pub to: Vec<Rung>,
    /// Without a sound in a zone whose children nap.
    pub silent_at_nap: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Somebody has taken note.
    Acknowledged,
    /// Its condition is over, or a person says that it is handled. To have taken note is not enough.
    Handled,
}

/// One happening that several hazards tell of: while the one that leads is there, the others come under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pub id: String,
    pub lead: HazardId,
    /// Least urgent severity at which it leads.
    pub from: Severity,
    /// Hazards; `air.*` stands for all that begin so.
    pub joins: Vec<String>,
    /// Those of before are taken in when they began at most so many milliseconds before it.
    pub within: i64,
}

impl Pattern {
    pub fn takes(&self, hazard: &HazardId) -> bool {
        *hazard != self.lead
            && self.joins.iter().any(|j| match j.strip_suffix('*') {
                Some(prefix) => hazard.as_str().starts_with(prefix),
                None => hazard.as_str() == j,
            })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LadderText {
    hazard: Option<String>,
    severity: Severity,
    basis: Option<Basis>,
    steps: Vec<StepText>,
    until: Until,
    again: Option<String>,
    #[serde(default)]
    quiet_hours: bool,
    #[serde(default)]
    updates: bool,
    /// Where the order comes from.
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    after: String,
    to: Vec<Rung>,
    #[serde(default)]
    silent_at_nap: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PatternText {
    id: String,
    lead: String,
    #[serde(default = "serious")]
    from: Severity,
    joins: Vec<String>,
    within: String,
    /// Why these are one.
    source: String,
}

fn serious() -> Severity {
    Severity::Serious
}

fn time(text: &str) -> Result<i64, String> {
    duration(text).ok_or_else(|| format!("{text:?} is no duration; write \"0s\", \"60s\", \"3m\" or \"2h\""))
}

impl LadderText {
    pub fn read(self) -> Result<Ladder, String> {
        let steps: Vec<Step> = self
            .steps
            .into_iter()
            .map(|s| Ok(Step { after: time(&s.after)?, to: s.to, silent_at_nap: s.silent_at_nap }))
            .collect::<Result<_, String>>()?;
        let rising = steps.windows(2).all(|w| matches!(w, [a, b] if a.after <= b.after));
        if steps.is_empty() || !rising || steps.iter().any(|s| s.to.is_empty()) {
            return Err("a ladder needs steps in order of their times, each with at least one rung in `to`".into());
        }
        if self.source.trim().is_empty() {
            return Err("source is empty; name what this order rests on".into());
        }
        if self.quiet_hours && self.severity < Severity::Advisory {
            return Err("quiet hours hold for advisories (severity 4) only; take quiet_hours out".into());
        }
        let again = self.again.as_deref().map(time).transpose()?;
        if again.is_some_and(|ms| ms < 30_000) {
            return Err("again is at least 30s: who is told more often hears nothing any more".into());
        }
        let urgent = self.severity == Severity::Emergency;
        if urgent && self.until != Until::Handled {
            return Err("an emergency is climbed until = \"handled\": to have taken note of it is not enough".into());
        }
        let hazard = self.hazard.map(|h| h.parse().map_err(|e| format!("hazard: {e}"))).transpose()?;
        Ok(Ladder {
            hazard,
            severity: self.severity,
            basis: self.basis,
            steps,
            until: self.until,
            again,
            quiet_hours: self.quiet_hours,
            updates: self.updates,
        })
    }
}

impl PatternText {
    pub fn read(self) -> Result<Pattern, String> {
        if self.joins.is_empty() || self.source.trim().is_empty() {
            return Err("a pattern needs `joins`, the hazards that come under the one that leads, and a `source`".into());
        }
        let lead = self.lead.parse().map_err(|e| format!("lead: {e}"))?;
        Ok(Pattern { id: self.id, lead, from: self.from, joins: self.joins, within: time(&self.within)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::{builtin, compile_all};

    fn ladder(text: &str) -> Result<Ladder, String> {
        toml::from_str::<LadderText>(text).map_err(|e| e.to_string())?.read()
    }

    #[test]
    fn every_severity_has_a_ladder() {
        let packs = compile_all(&builtin().into_iter().map(|(_, t)| t).collect::<Vec<_>>()).unwrap();
        for severity in (1..=4).map(|n| Severity::try_from(n).unwrap()) {
            for basis in [Basis::Confirmed, Basis::Inferred] {
                let fits = |l: &&Ladder| l.severity == severity && l.basis.is_none_or(|b| b == basis) && l.hazard.is_none();
                let found = packs.ladders.iter().find(fits).unwrap_or_else(|| panic!("{severity:?} {basis:?}"));
                assert_eq!(found.steps[0].after, 0, "the first is told at once");
            }
        }
    }

    #[test]
    fn a_ladder_that_would_let_an_emergency_sleep_is_refused() {
        let text = |until: &str, steps: &str| format!("severity = 1\nuntil = \"{until}\"\nsource = \"x\"\nsteps = {steps}");
        assert!(ladder(&text("handled", "[{ after = \"0s\", to = [\"carer\"] }]")).is_ok());
        assert!(ladder(&text("acknowledged", "[{ after = \"0s\", to = [\"carer\"] }]")).unwrap_err().contains("handled"));
        assert!(ladder(&text("handled", "[]")).is_err());
        assert!(ladder(&text("handled", "[{ after = \"1m\", to = [\"carer\"] }, { after = \"0s\", to = [\"director\"] }]")).is_err());
        assert!(
            ladder("severity = 2\nuntil = \"handled\"\nsource = \"x\"\nquiet_hours = true\nsteps = [{ after = \"0s\", to = [\"carer\"] }]")
                .is_err()
        );
    }

    #[test]
    fn a_pattern_takes_by_name_and_by_beginning() {
        let p = Pattern {
            id: "fire".into(),
            lead: "fire.smoke".parse().unwrap(),
            from: Severity::Serious,
            joins: vec!["co.high".into(), "air.*".into()],
            within: 1,
        };
        for (hazard, joins) in [("co.high", true), ("air.co2", true), ("fire.smoke", false), ("water.leak", false)] {
            assert_eq!(p.takes(&hazard.parse().unwrap()), joins, "{hazard}");
        }
    }
}
