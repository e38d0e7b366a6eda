//! What another sensor in the same zone says, as a rule asks for it: `when`, `unless`, `confirmed_by`, `excused_by`. Each is a list of which one is
//! enough.
//!
//! ```toml
//! when = [{ quantity = ["presence", "motion"], is = 1, within = "1m" }, { quantity = "occupancy_likelihood", at_least = 95 }]
//! unless = [{ quantity = "adults", at_least = 1, within = "5s" }]
//! ```
//!
//! `unless` is never satisfied by blindness: while no live sensor in the zone could tell, the rule does not hold.
use super::Bounds;
use crate::engine::site::Role;
use serde::Deserialize;
use tuoan_protocol::{Fixed, Quantity};

/// Conditions in one list.
pub const MAX_CONDITIONS: usize = 8;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Condition {
    /// Its number among all that are in force; given when the rules are compiled for a site.
    pub id: u16,
    pub quantities: Vec<Quantity>,
    pub is: Option<i64>,
    pub bounds: Bounds,
    /// Empty: of every role.
    pub roles: Vec<Role>,
    /// It still counts so long after it was last so, in milliseconds.
    pub within: i64,
    /// How often it must have been so today, each time for how long.
    pub times: u8,
    pub lasting: i64,
    /// Counts only while children are in the house.
    pub attended: bool,
}

impl Condition {
    pub fn met(&self, value: Fixed) -> bool {
        self.is.is_some_and(|is| value.0 == is) || self.bounds.trips(value.0)
    }
    /// The same question, whatever its number.
    pub fn same(&self, other: &Condition) -> bool {
        Condition { id: 0, ..self.clone() } == Condition { id: 0, ..other.clone() }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Names {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionText {
    pub quantity: Names,
    pub is: Option<i64>,
    pub above: Option<f64>,
    pub at_least: Option<f64>,
    pub below: Option<f64>,
    pub at_most: Option<f64>,
    #[serde(default)]
    pub roles: Vec<Role>,
    pub within: Option<String>,
    pub times: Option<u8>,
    pub lasting: Option<String>,
    #[serde(default)]
    pub attended: bool,
}

impl ConditionText {
    /// # Errors
    /// What is wrong with it, and how to mend it.
    pub fn read(&self) -> Result<Condition, String> {
        let names = match &self.quantity {
            Names::One(name) => std::slice::from_ref(name),
            Names::Many(names) => names.as_slice(),
        };
        let mut quantities = Vec::new();
        for name in names {
            match Quantity::from_name(name) {
                Ok(Quantity::Other(_)) | Err(_) => return Err(format!("{name:?} is no known quantity")),
                Ok(q) => quantities.push(q),
            }
        }
        let Some(first) = quantities.first() else { return Err("a condition names at least one quantity".to_owned()) };
        if quantities.iter().any(|q| q.decimals() != first.decimals()) {
            return Err("the quantities of one condition must be kept with the same decimals; write two conditions".to_owned());
        }
        let number = |n: Option<f64>| n.map(|n| decimal(first, n)).transpose();
        let bounds = Bounds {
            above: number(self.above)?,
            at_least: number(self.at_least)?,
            below: number(self.below)?,
            at_most: number(self.at_most)?,
            hysteresis: 0,
        };
        if self.is.is_none() && bounds == Bounds::default() {
            return Err("a condition needs is, above, at_least, below or at_most".to_owned());
        }
        let time = |text: &Option<String>| match text {
            None => Ok(0),
            Some(t) => super::parse::duration(t).ok_or_else(|| format!("{t:?} is no duration; write \"5s\" or \"15m\"")),
        };
        if self.lasting.is_some() != self.times.is_some() {
            return Err("times and lasting belong together: how often, and each time for how long".to_owned());
        }
        Ok(Condition {
            id: 0,
            is: self.is,
            bounds,
            roles: self.roles.clone(),
            within: time(&self.within)?,
            times: self.times.unwrap_or(0),
            lasting: time(&self.lasting)?,
            attended: self.attended,
            quantities,
        })
    }
}

/// A bound in fixed point. Of a state it may be 1 as well, so that a state and a count can stand in one condition.
fn decimal(q: &Quantity, n: f64) -> Result<i64, String> {
    q.fixed(n).map(|v| v.0).map_err(|e| format!("{n} is no value of {}: {e}", q.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Condition, String> {
        toml::from_str::<ConditionText>(text).map_err(|e| e.message().to_owned())?.read()
    }

    #[test]
    fn conditions_are_read_with_their_units_and_times() {
        let c = read("quantity = \"occupancy_likelihood\"\nat_least = 95").unwrap();
        assert!(c.met(Fixed(950)) && !c.met(Fixed(949)));
        let c = read("quantity = [\"presence\", \"people\"]\nat_least = 1\nwithin = \"5s\"").unwrap();
        assert_eq!((c.quantities.len(), c.within, c.met(Fixed(2))), (2, 5_000, true));
        for (text, part) in [
            ("quantity = \"co3\"\nis = 1", "no known quantity"),
            ("quantity = \"presence\"", "needs is"),
            ("quantity = [\"presence\", \"temperature\"]\nis = 1", "same decimals"),
            ("quantity = []\nis = 1", "at least one"),
            ("quantity = \"open\"\nis = 1\ntimes = 2", "belong together"),
            ("quantity = \"open\"\nis = 1\nwithin = \"soon\"", "no duration"),
            ("quantity = \"open\"\nis = 1\nwhere = \"here\"", "unknown field"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(part), "{part:?} in {told:?}");
        }
    }
}
