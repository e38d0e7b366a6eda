//! A day as a TOML file says it: kinds of nodes, what they measure by the time of day, when their contacts close, and what goes wrong.
//! Every day is the same day; what differs between nodes comes from the seed. All of it is described in `docs/fleet.md`.
use serde::Deserialize;
use std::collections::BTreeMap;

/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;

/// A time of day in milliseconds, written `HH:MM` or `HH:MM:SS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Time(pub u64);

impl TryFrom<String> for Time {
    type Error = String;
    fn try_from(text: String) -> Result<Time, String> {
        let bad = || format!("{text:?} is no time of day; write it as \"07:30\" or \"07:30:05\"");
        let parts: Vec<u64> = text.split(':').map(|p| p.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
        match parts[..] {
            [h @ 0..24, m @ 0..60] => Ok(Time((h * 60 + m) * 60_000)),
            [h @ 0..24, m @ 0..60, s @ 0..60] => Ok(Time(((h * 60 + m) * 60 + s) * 1000)),
            _ => Err(bad()),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Time of day at which the fleet starts.
    pub start: Time,
    pub kind: Vec<Kind>,
    #[serde(default)]
    pub fault: Vec<Fault>,
}

/// Nodes that are alike: `<name>-1`, `<name>-2` and so on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    pub name: String,
    /// Parts of the fleet that are of this kind.
    pub share: u32,
    /// Seconds between two looks at its chip, and between two reports.
    #[serde(default = "ten")]
    pub look_s: u32,
    #[serde(default = "sixty")]
    pub period_s: u32,
    /// What its chip measures: an SCD41 where `co2` is among it, an SHT4x otherwise, none where nothing is.
    #[serde(default)]
    pub measure: BTreeMap<Measured, Curve>,
    #[serde(default)]
    pub contact: Vec<Contact>,
}
fn ten() -> u32 {
    10
}
fn sixty() -> u32 {
    60
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// °C.
    Temperature,
    /// Per cent.
    Humidity,
    /// ppm.
    Co2,
}

/// A value over the day: straight lines between points, the ends held.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    pub points: Vec<(Time, f64)>,
    /// How far the nodes of the kind may lie above or below, each for good.
    #[serde(default)]
    pub spread: f64,
    /// How far one value may lie above or below.
    #[serde(default)]
    pub noise: f64,
    /// Told before its period when it differs by so much from what was told last.
    pub step: Option<f64>,
    /// Told at once when it comes below or above, or back.
    pub low: Option<f64>,
    pub high: Option<f64>,
}

/// An input of the alarm path.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    pub is: Input,
    /// When it is active: a door open, a detector sounding, a button pressed.
    #[serde(default)]
    pub on: Vec<(Time, Time)>,
    #[serde(default)]
    pub rhythm: Vec<Rhythm>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    Door,
    Smoke,
    Heat,
    Gas,
    Motion,
    Panic,
}

/// Active once in every so many seconds, for so many, at a moment that the seed chooses.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rhythm {
    pub from: Time,
    pub to: Time,
    pub every_s: u32,
    pub for_s: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub what: What,
    /// The node that it strikes, or the kind, or the whole fleet.
    pub node: Option<String>,
    pub kind: Option<String>,
    /// How many of them, from 0 to 1; the seed chooses which.
    #[serde(default = "all")]
    pub share: f64,
    pub at: Time,
    /// How long, in seconds; without it until midnight.
    pub for_s: Option<u32>,
    /// Of a wrong clock: seconds ahead (or behind). Of a drift: units an hour.
    #[serde(default)]
    pub by: f64,
    /// Of a drift or a stuck value: which; without it all.
    pub quantity: Option<Measured>,
}
fn all() -> f64 {
    1.0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The chip's check sums are wrong.
    Crc,
    /// The chip does not answer.
    Missing,
    /// The chip shows the same value for ever.
    Stuck,
    /// The chip's value leaves the truth slowly.
    Drift,
    /// The loop of every contact is cut.
    Cut,
    /// The loop of every contact is short-circuited.
    Short,
    /// Every contact opens and closes twice a second.
    Chatter,
    /// The network cable is out.
    Cable,
    /// No power: the node starts again afterwards.
    Power,
    /// The node's UTC is wrong.
    Clock,
    /// Nobody tells the node the time; what it knew of it holds until its next start.
    Untold,
}

/// What is wrong with a script.
#[derive(Debug, thiserror::Error)]
pub enum BadScript {
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    #[error("kind {kind:?}: {what}")]
    Kind { kind: String, what: String },
    #[error("fault {number} ({what:?}): {problem}")]
    Fault { number: usize, what: What, problem: String },
    #[error("no [[kind]]: say at least one kind of node")]
    Empty,
}

impl Script {
    /// # Errors
    /// Names what is wrong and how to put it right.
    pub fn parse(text: &str) -> Result<Script, BadScript> {
        let script: Script = toml::from_str(text)?;
        if script.kind.iter().all(|k| k.share == 0) {
            return Err(BadScript::Empty);
        }
        for kind in &script.kind {
            kind.check().map_err(|what| BadScript::Kind { kind: kind.name.clone(), what })?;
        }
        for (i, fault) in script.fault.iter().enumerate() {
            fault.check(&script.kind).map_err(|problem| BadScript::Fault { number: i + 1, what: fault.what, problem })?;
        }
        Ok(script)
    }

    /// A nursery's weekday with everything that goes wrong in one.
    ///
    /// # Errors
    /// Never: a test reads it.
    pub fn weekday() -> Result<Script, BadScript> {
        Script::parse(include_str!("../scripts/weekday.toml"))
    }

    /// Name and kind of each of `nodes` nodes: the kinds take turns by their shares, so that a part of a fleet is a fleet.
    pub fn names(&self, nodes: usize) -> Vec<(String, &Kind)> {
        let all: u64 = self.kind.iter().map(|k| u64::from(k.share)).sum::<u64>().max(1);
        let mut counts = vec![0u64; self.kind.len()];
        (1..=nodes as u64)
            .filter_map(|n| {
                // The kind that lags most behind its share.
                let lag = |(kind, count): &(&Kind, &mut u64)| (n * u64::from(kind.share)).cast_signed() - (**count * all).cast_signed();
                let (kind, count) = self.kind.iter().zip(counts.iter_mut()).rev().max_by_key(lag)?;
                *count += 1;
                Some((format!("{}-{count}", kind.name), kind))
            })
            .collect()
    }
}

impl Kind {
    fn check(&self) -> Result<(), String> {
        tuoan_protocol::DeviceId::new(&format!("{}-99999", self.name))
            .map_err(|e| format!("its name cannot begin the id of a device: {e}"))?;
        if self.look_s == 0 || self.period_s < self.look_s {
            return Err("look_s must be 1 or more, and period_s no less than look_s".into());
        }
        if self.contact.len() > 8 {
            return Err("a node has 8 contacts at most".into());
        }
        for (what, curve) in &self.measure {
            if curve.points.is_empty() || !curve.points.is_sorted_by(|a, b| a.0 < b.0) {
                return Err(format!("the points of {what:?} must ascend by time, and there must be one"));
            }
            let numbers = curve.points.iter().map(|p| p.1).chain([curve.spread, curve.noise]);
            if numbers.chain([curve.step, curve.low, curve.high].into_iter().flatten()).any(|v| !v.is_finite() || v.abs() > 1e6) {
                return Err(format!("{what:?} holds a number that no sensor shows"));
            }
        }
        for contact in &self.contact {
            if contact.rhythm.iter().any(|r| r.for_s == 0 || r.every_s <= r.for_s || r.to <= r.from) {
                return Err("a rhythm needs from before to, and 0 < for_s < every_s".into());
            }
            if contact.on.iter().any(|(from, to)| to <= from) {
                return Err("a span of `on` ends before it begins; one over midnight is two".into());
            }
        }
        Ok(())
    }
}

impl Fault {
    fn check(&self, kinds: &[Kind]) -> Result<(), String> {
        if self.node.is_some() && self.kind.is_some() {
            return Err("say node or kind, not both".into());
        }
        if let Some(kind) = self.kind.as_ref().filter(|k| kinds.iter().all(|known| known.name != **k)) {
            return Err(format!("there is no kind {kind:?}"));
        }
        if !(0.0..=1.0).contains(&self.share) {
            return Err("share must lie between 0 and 1".into());
        }
        if !self.by.is_finite() || self.by.abs() > 1e9 {
            return Err("`by` is out of range".into());
        }
        let needs = matches!(self.what, What::Drift | What::Clock);
        if needs != (self.by != 0.0) {
            return Err(
                if needs { "say `by`: seconds of a clock, units an hour of a drift" } else { "`by` belongs to clock and drift" }.into()
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weekday_reads_and_is_shared_out() {
        let script = Script::weekday().unwrap();
        let names = script.names(100);
        assert_eq!(names.len(), 100);
        let all: u32 = script.kind.iter().map(|k| k.share).sum();
        for kind in &script.kind {
            let n = names.iter().filter(|(_, k)| k.name == kind.name).count();
            let want = 100 * kind.share / all;
            assert!(n.abs_diff(want as usize) <= 1, "{n} of {}, wanted {want}", kind.name);
        }
        let distinct: std::collections::BTreeSet<_> = names.iter().map(|(n, _)| n).collect();
        assert_eq!(distinct.len(), 100);
        // A smaller fleet is the front of a larger one.
        assert!(script.names(10).iter().zip(&names).all(|(a, b)| a.0 == b.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let kind = "[[kind]]\nname = \"a\"\nshare = 1\n";
        for (start, rest, says) in [
            ("7", "kind = []", "\"07:30\""),
            ("07:00", "kind = []", "at least one kind"),
            ("07:00", "period_s = 5", "look_s"),
            ("07:00", "[kind.measure.co2]\npoints = []", "Co2"),
            ("07:00", "[kind.measure.light]\npoints = []", "light"),
            ("07:00", "[[kind.contact]]\nis = \"door\"\non = [[\"08:00\", \"07:00\"]]", "midnight"),
            ("07:00", "[[fault]]\nwhat = \"drift\"\nat = \"07:00\"", "by"),
            ("07:00", "[[fault]]\nwhat = \"crc\"\nkind = \"b\"\nat = \"07:00\"", "no kind \"b\""),
            ("07:00", "[[fault]]\nwhat = \"fire\"\nat = \"07:00\"", "fire"),
            ("07:00", "new = 1", "new"),
        ] {
            let kind = if rest.starts_with("kind") { "" } else { kind };
            let text = format!("start = \"{start}\"\n{kind}{rest}\n");
            let error = Script::parse(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
