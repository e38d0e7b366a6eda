//! A rule pack put in force beside the others: it takes the place of the pack of its name, and of rules of its ids in other packs.
use super::ReplayError;
use crate::engine::Configuration;
use crate::engine::rules::{self, Entry, Rule};
use std::collections::BTreeSet;

/// What is to be put in force.
#[derive(Debug, Clone)]
pub struct Change {
    name: String,
    text: String,
    pub rules: Vec<(Rule, Entry)>,
}

impl Change {
    /// Of the text of a rule pack; `file` names it in errors.
    ///
    /// # Errors
    /// Every problem of the text, one a line.
    pub fn pack(file: &str, text: &str) -> Result<Change, ReplayError> {
        let problems = |list: Vec<rules::Problem>| {
            let lines: Vec<String> = list.iter().map(|p| format!("  {file}: {p}")).collect();
            ReplayError::Rules(lines.join("\n"))
        };
        let pack = rules::parse::parse(text).map_err(problems)?;
        Ok(Change { name: pack.name, text: text.to_owned(), rules: pack.rules })
    }

    /// That configuration with the change in force.
    ///
    /// # Errors
    /// The rules do not go together.
    pub fn apply(&self, before: &Configuration) -> Result<Configuration, ReplayError> {
        let ids: BTreeSet<&str> = self.rules.iter().map(|(r, _)| r.id.as_str()).collect();
        let others = before.rules.iter().filter(|text| rules::parse::name_of(text) != self.name);
        let packs: Vec<String> = others.filter_map(|text| without(text, &ids)).chain([self.text.clone()]).collect();
        rules::compile(&packs).map_err(ReplayError::Rules)?;
        Ok(Configuration::new(before.log.clone(), before.site.clone(), packs))
    }
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
