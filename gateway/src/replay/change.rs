//! What is to be put in force: a rule pack beside the others, where it takes the place of the pack of its name and of rules of its ids in
//! other packs; or overrides of single rules.
use super::ReplayError;
use crate::engine::Configuration;
use crate::engine::rules::{self, Catalogue, Entry, Override, Rule};
use crate::engine::schedule::date_of;
use serde::Deserialize;
use std::collections::BTreeSet;
use tuoan_protocol::{RuleId, Severity};

/// A change of the rules.
#[derive(Debug, Clone)]
pub struct Change {
    what: What,
    /// The rules it is about: of a pack as that has them, of an override as they are without it.
    pub rules: Vec<(Rule, Entry)>,
}

#[derive(Debug, Clone)]
enum What {
    Pack { name: String, text: String },
    Overrides(Vec<Override>),
}

/// A file of overrides, as they stand in a site file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverridesFile {
    #[serde(rename = "override")]
    overrides: Vec<Override>,
}

impl Change {
    /// Of a file's text: a rule pack, or `[[override]]` tables. `file` names it in errors.
    ///
    /// # Errors
    /// Every problem of the text, one a line.
    pub fn read(file: &str, text: &str, in_force: &Configuration) -> Result<Change, ReplayError> {
        let is_override = text.parse::<toml::Table>().is_ok_and(|t| t.contains_key("override") && !t.contains_key("rule"));
        if is_override {
            let read: OverridesFile = toml::from_str(text).map_err(|e| ReplayError::Rules(format!("  {file}: {e}")))?;
            return Change::overrides(read.overrides, in_force);
        }
        let problems = |list: Vec<rules::Problem>| {
            let lines: Vec<String> = list.iter().map(|p| format!("  {file}: {p}")).collect();
            ReplayError::Rules(lines.join("\n"))
        };
        let pack = rules::parse::parse(text).map_err(problems)?;
        Ok(Change { what: What::Pack { name: pack.name, text: text.to_owned() }, rules: pack.rules })
    }

    /// Of overrides of rules that are in force: each takes the place of those that the site has of the same rule.
    ///
    /// # Errors
    /// An override is of no rule, or says what it may not: every problem, one a line.
    pub fn overrides(overrides: Vec<Override>, in_force: &Configuration) -> Result<Change, ReplayError> {
        let all = rules::compile(&in_force.rules).map_err(ReplayError::Rules)?;
        let problems = rules::overrides::problems(&overrides, &all);
        if !problems.is_empty() {
            return Err(ReplayError::Rules(problems.join("\n")));
        }
        let catalogue = Catalogue::new(&in_force.rules);
        let named = all.into_iter().filter(|r| overrides.iter().any(|o| o.rule == r.id));
        let rules = named.filter_map(|r| catalogue.get(&r.id).cloned().map(|e| (r, e))).collect();
        Ok(Change { what: What::Overrides(overrides), rules })
    }

    /// The same for a history that runs from one local day to another: overrides in force on all of its days, whatever days they name.
    pub fn through(&self, first: i64, last: i64, in_force: &Configuration) -> Change {
        let what = match &self.what {
            What::Overrides(list) => What::Overrides(lasting(list.iter(), first, last, in_force)),
            pack @ What::Pack { .. } => pack.clone(),
        };
        Change { what, rules: self.rules.clone() }
    }

    /// Whether the rule with that number among [`Change::rules`] is `id`.
    pub(super) fn is_rule(&self, number: usize, id: &RuleId) -> bool {
        self.rules.get(number).is_some_and(|(r, _)| r.id == *id)
    }

    /// That configuration with the change in force.
    ///
    /// # Errors
    /// The rules do not go together.
    pub fn apply(&self, before: &Configuration) -> Result<Configuration, ReplayError> {
        let (mut site, mut packs) = (before.site.clone(), before.rules.clone());
        match &self.what {
            What::Pack { name, text } => {
                let ids: BTreeSet<&str> = self.rules.iter().map(|(r, _)| r.id.as_str()).collect();
                let others = packs.iter().filter(|text| rules::parse::name_of(text) != *name);
                packs = others.filter_map(|text| without(text, &ids)).chain([text.clone()]).collect();
            }
            What::Overrides(new) => {
                site.overrides.retain(|o| new.iter().all(|n| n.rule != o.rule));
                // An older configuration in the history may not know the rule yet.
                let catalogue = Catalogue::new(&packs);
                site.overrides.extend(new.iter().filter(|n| catalogue.get(&n.rule).is_some()).cloned());
            }
        }
        let all = rules::compile(&packs).map_err(ReplayError::Rules)?;
        let problems = rules::overrides::problems(&site.overrides, &all);
        if !problems.is_empty() {
            return Err(ReplayError::Rules(problems.join("\n")));
        }
        Ok(Configuration {
            set: before.set.clone(),
            cameras: before.cameras.clone(),
            ..Configuration::new(before.log.clone(), site, packs)
        })
    }
}

/// Overrides that hold on every day from `first` to `last`. One lasts a year at most, and a month when it is of an emergency's rule: several
/// in a row last longer.
pub fn lasting<'a>(overrides: impl Iterator<Item = &'a Override>, first: i64, last: i64, c: &Configuration) -> Vec<Override> {
    let catalogue = Catalogue::new(&c.rules);
    let mut out = Vec::new();
    for o in overrides {
        let urgent = catalogue.get(&o.rule).is_some_and(|e| e.severity == Severity::Emergency);
        let length = if urgent { 31 } else { 365 };
        let mut begin = first;
        while begin <= last {
            let end = begin + length - 1;
            out.push(Override { from: date_of(begin), expires: date_of(end), ..o.clone() });
            begin = end + 1;
        }
    }
    out
}

/// The pack without the rules of those ids; `None` when none is left.
fn without(text: &str, ids: &BTreeSet<&str>) -> Option<String> {
    let named = |rule: &toml::Value| rule.get("id").and_then(toml::Value::as_str).is_some_and(|id| ids.contains(id));
    let Ok(mut pack) = text.parse::<toml::Table>() else { return Some(text.to_owned()) };
    let Some(rules) = pack.get_mut("rule").and_then(toml::Value::as_array_mut) else { return Some(text.to_owned()) };
    if !rules.iter().any(named) {
        return Some(text.to_owned());
    }
    rules.retain(|rule| !named(rule));
    if rules.is_empty() {
        return None;
    }
    // A table that was parsed can be written.
    toml::to_string(&pack).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::{builtin, overrides};
    use crate::engine::schedule::parse_date;
    use crate::engine::testing::{configuration, site};

    #[test]
    fn what_is_to_hold_all_through_a_year_is_cut_so_that_it_may() {
        let set = |rule: &str| -> Override {
            let text = format!(
                "rule = \"{rule}\"\nreason = \"x\"\nauthor = \"y\"\nfrom = \"2026-11-01\"\nexpires = \"2026-11-02\"\nhold = \"20s\""
            );
            toml::from_str(&text).unwrap()
        };
        let c = configuration(site());
        let (first, last) = (parse_date("2025-11-20").unwrap(), parse_date("2026-11-22").unwrap());
        let all = lasting([set("fire.smoke.alarm"), set("noise.high")].iter(), first, last, &c);
        assert_eq!(all.iter().filter(|o| o.rule.as_str() == "noise.high").count(), 2);
        assert!((first..=last).all(|day| all.iter().filter(|o| o.holds_on(day)).count() == 2));
        let packs: Vec<_> = builtin().into_iter().map(|(_, t)| t).collect();
        assert_eq!(overrides::problems(&all, &rules::compile(&packs).unwrap()), Vec::<String>::new());
    }

    #[test]
    fn a_pack_without_some_rules_is_a_pack() {
        let (_, air) = builtin()[0];
        let ids = rules::parse::parse(air).unwrap().rules;
        let first = ids[0].0.id.as_str();
        let rest = without(air, &BTreeSet::from([first])).unwrap();
        let left = rules::parse::parse(&rest).unwrap();
        assert_eq!(left.rules.len(), ids.len() - 1);
        assert!(left.rules.iter().zip(ids.iter().skip(1)).all(|(a, b)| a.0 == b.0 && a.1 == b.1));
        assert_eq!(without(air, &BTreeSet::from(["no.such"])).as_deref(), Some(air), "untouched, byte for byte");
        assert_eq!(without(air, &ids.iter().map(|(r, _)| r.id.as_str()).collect()), None);
    }
}
