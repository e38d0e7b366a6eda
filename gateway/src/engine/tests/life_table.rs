//! Every state of an incident's life against everything that people may ask and that may happen, after ISA-18.2.
//!
//! A word stands for an event (`ack` acknowledged, `ret` returned ...), two with `+` for both in that order, `x` for a refusal that leaves the
//! state as it was to the byte, `.` for what is allowed and says nothing of this incident.
use crate::engine::input::Action;
use crate::engine::site::{Placement, Role, Site};
use crate::engine::testing::{Gateway, configuration, lean_packs, site, t};
use crate::engine::{Body, Command, Verdict};
use tuoan_protocol::{CauseCode, IncidentEvent, IncidentId, IncidentState, Inhibition, Quantity, Transition, Via};

const HAZARD: &str = "co.high";
/// When the incident of a row has come into its state, and what is tried is tried.
const NOW: &str = "10:04";

/// What is tried on each row, and what then happens to the incident.
const TRIED: [&str; 15] = [
    "ack", "comment", "assign", "shelve", "unshelve", "resolve", "reopen", "merge", "maintain", "m-end", "disuse", "use", "clears",
    "holds", "worse",
];

/// `worse` is for severity 2 alone. The last two: what time brings of itself, at severity 2 and at severity 1.
#[rustfmt::skip]
const TABLE: [(&str, [&str; 15], &str, &str); 24] = [
    //                          ack  comment assign shelve unshelve resolve reopen merge maintain m-end disuse use clears holds worse
    ("active",                 ["ack", "com", "ass", "she", "x",   "res", "x",   "mer", "sup", "x",   "oos", "x",   "ret", ".",   "rai"], "", ""),
    ("active acked",           ["x",   "com", "ass", "she", "x",   "res", "x",   "mer", "sup", "x",   "oos", "x",   "ret", ".",   "rai"], "", ""),
    ("returned",               ["ack", "com", "ass", "she", "x",   "res", "x",   "mer", "sup", "x",   ".",   "x",   ".",   "rea", "rai"], "", ""),
    ("returned acked",         ["x",   "com", "ass", "she", "x",   "res", "x",   "mer", "sup", "x",   ".",   "x",   ".",   "rea", "rai"],
        "clo@10:12:00", "clo@10:12:00"),
    ("active shelved",         ["ack", "com", "ass", "x",   "rel", "res", "x",   "mer", ".",   "x",   ".",   "x",   "ret", ".",   "rai"],
        "rel@10:15:30", "rel@10:15:30"),
    ("active acked shelved",   ["x",   "com", "ass", "x",   "rel", "res", "x",   "mer", ".",   "x",   ".",   "x",   "ret", ".",   "rai"],
        "rel@10:15:30", "rel@10:15:30"),
    ("returned shelved",       ["ack", "com", "ass", "x",   "rel", "res", "x",   "mer", ".",   "x",   ".",   "x",   ".",   "rea", "rai"],
        "rel@10:15:30", "rel@10:15:30"),
    ("returned acked shelved", ["x",   "com", "ass", "x",   "rel", "res", "x",   "mer", ".",   "x",   ".",   "x",   ".",   "rea", "rai"],
        "clo@10:12:00", "clo@10:12:00"),
    ("active suppressed",      ["ack", "com", "ass", "she", "x",   "res", "x",   "mer", ".",   "rel", ".",   "x",   "ret", ".",   "rai"],
        "rel@11:00:30", "rel@11:00:30"),
    ("active acked suppressed",["x",   "com", "ass", "she", "x",   "res", "x",   "mer", ".",   "rel", ".",   "x",   "ret", ".",   "rai"],
        "rel@11:00:30", "rel@11:00:30"),
    ("returned suppressed",    ["ack", "com", "ass", "she", "x",   "res", "x",   "mer", ".",   "rel", ".",   "x",   ".",   "rea", "rai"],
        "rel@11:00:30", "rel@11:00:30"),
    ("returned acked suppressed", ["x", "com", "ass", "she", "x",  "res", "x",   "mer", ".",   "rel", ".",   "x",   ".",   "rea", "rai"],
        "clo@10:12:00", "clo@10:12:00"),
    ("active disused",         ["ack", "com", "ass", "she", "x",   "res", "x",   "mer", "sup", "x",   ".",   "rel", "ret", ".",   "rai"],
        "rel@11:00:30", "rel@11:00:30"),
    ("active acked disused",   ["x",   "com", "ass", "she", "x",   "res", "x",   "mer", "sup", "x",   ".",   "rel", "ret", ".",   "rai"],
        "rel@11:00:30", "rel@11:00:30"),
    ("returned disused",       ["ack", "com", "ass", "she", "x",   "res", "x",   "mer", "sup", "x",   ".",   "rel", ".",   "rea", "rai"],
        "rel@11:00:30", "rel@11:00:30"),
    ("returned acked disused", ["x",   "com", "ass", "she", "x",   "res", "x",   "mer", "sup", "x",   ".",   "rel", ".",   "rea", "rai"],
        "clo@10:12:00", "clo@10:12:00"),
    ("assigned",               ["x",   "com", "ass", "she", "x",   "res", "x",   "mer", "sup", "x",   "oos", "x",   "ret", ".",   "rai"], "", ""),
    // A condition that holds on although it is said to be handled is told anew: after four hours, an emergency after a quarter of one.
    ("resolved active",        ["x",   "com", "ass", "she", "x",   "x",   "reo", "mer", "sup", "x",   "oos", "x",   "ret", ".",   "rai"],
        "reo@14:03:00", "reo@10:18:00"),
    ("resolved returned",      ["x",   "com", "ass", "she", "x",   "x",   "reo", "mer", "sup", "x",   ".",   "x",   ".",   "rea", "rai"],
        "clo@10:12:00", "clo@10:12:00"),
    // Counted, and told when it is quiet.
    ("chattering",             ["ack", "com", "ass", "she", "x",   "res", "x",   "mer", "sup", "x",   "oos", "x",   ".",   ".",   "rai"], "", ""),
    // It is closed, and goes on as part of the other.
    ("part",                   ["x",   "com", "x",   "x",   "x",   "x",   "x",   "x",   ".",   "x",   ".",   "x",   ".",   ".",   "."], "", ""),
    // What holds again is a new incident.
    ("closed lately",          ["x",   "com", "x",   "x",   "x",   "res", "reo", "x",   ".",   "x",   ".",   "x",   ".",   "opn", "opn"], "", ""),
    ("closed long ago",        ["x",   "x",   "x",   "x",   "x",   "x",   "x",   "x",   ".",   "x",   ".",   "x",   ".",   "opn", "opn"], "", ""),
    ("drill",                  ["ack", "com", "ass", "x",   "x",   "res", "x",   "x",   ".",   "x",   ".",   "x",   "ret", ".",   "x"],
        "", "ret@10:59:00 res@10:59:00 clo@10:59:00"),
];

const RULES: &str = r#"
name = "table"
version = 1
[[rule]]
id = "co.much"
hazard = "co.high"
kind = "threshold"
quantity = "co"
unit = "ppm"
above = 10
hysteresis = 0
regather = "10m"
severity = 2
basis = "confirmed"
source = "this test"
clause = "x"
verified = false
duty = ["health"]
title = { zh = "甲", en = "a" }
advice = { zh = "甲", en = "a" }
[[rule]]
id = "co.alarm"
hazard = "co.high"
kind = "state"
quantity = "co_alarm"
regather = "10m"
severity = 1
basis = "confirmed"
source = "this test"
clause = "x"
verified = false
duty = ["health"]
title = { zh = "甲", en = "a" }
advice = { zh = "甲", en = "a" }
[[rule]]
id = "gas"
hazard = "gas.leak"
kind = "state"
quantity = "gas"
severity = 1
basis = "confirmed"
source = "this test"
clause = "x"
verified = false
duty = ["health"]
title = { zh = "甲", en = "a" }
advice = { zh = "甲", en = "a" }
"#;

struct Life {
    g: Gateway,
    id: IncidentId,
    device: &'static str,
    severity: u8,
    at: &'static str,
}

/// With people, a meter and alarm of carbon monoxide in the kitchen, and the rules above.
pub(super) fn nursery() -> Gateway {
    let co = Placement {
        id: "co".parse().unwrap(),
        zone: "kitchen".parse().unwrap(),
        name: None,
        role: Role::Co,
        period_s: None,
        via: None,
        topic: None,
        channel: None,
        formerly: vec![],
    };
    let mut s = Site { people: super::life::staffed().people, ..site() };
    s.devices.push(co);
    let mut packs = vec![RULES.to_owned()];
    packs.extend(lean_packs().into_iter().filter(|p| p.contains("name = \"escalation\"")));
    let c = crate::engine::input::Configuration::new(configuration(s.clone()).log, s, packs);
    crate::engine::compiled::Compiled::new(&c.site, &c.rules, 0).unwrap();
    let mut g =
        Gateway { state: crate::engine::State::new(), log: vec![], events: vec![], told: vec![], last: crate::engine::Outcome::default() };
    g.at("00:00", Body::Configure(Box::new(c))).at("00:00", Body::Clock { offset_ms: 0, trusted: true });
    g
}

impl Life {
    /// An incident in that state.
    fn of(state: &str, severity: u8) -> Life {
        let mut l = Life { g: nursery(), id: "01JZ0000000000000000000011".parse().unwrap(), device: "co", severity, at: NOW };
        let has = |word: &str| state.split(' ').any(|w| w == word);
        if has("drill") {
            l.device = "drill.kitchen";
            l.act("09:59", Action::Drill { hazard: HAZARD.parse().unwrap(), zone: "kitchen".parse().unwrap(), minutes: 60 });
        }
        l.holds("10:00", severity, true);
        assert!(!l.g.last.events.is_empty(), "{state} {severity} {:?}", l.g.last);
        l.id = l.g.last.events[0].incident.clone();
        if has("chattering") {
            for (off, on) in [("10:00:10", "10:00:20"), ("10:00:30", "10:00:40"), ("10:00:50", "10:01:00"), ("10:01:10", "10:01:20")] {
                l.holds(off, severity, false);
                l.holds(on, severity, true);
            }
        }
        for (word, inhibition) in [("shelved", "shelve"), ("suppressed", "maintain"), ("disused", "disuse")] {
            if has(word) {
                l.act("10:00:30", l.action(inhibition).unwrap());
            }
        }
        if has("acked") || state.starts_with("closed") {
            l.act("10:01", l.action("ack").unwrap());
        }
        if has("returned") || state.starts_with("closed") {
            l.holds("10:02", severity, false);
        }
        for (word, done) in [("assigned", "assign"), ("resolved", "resolve"), ("part", "merge")] {
            if has(word) {
                l.gas(done, "10:02:59");
                l.act("10:03", l.action(done).unwrap());
            }
        }
        if state.starts_with("closed") {
            l.at = "10:13";
        }
        if state == "closed long ago" {
            // As many others are closed as are remembered.
            for n in 0..64 {
                let time = |minute: u32| format!("{}:{:02}", 11 + n / 2, n % 2 * 30 + minute);
                l.holds(&time(0), severity, true);
                let id = l.g.last.events.iter().find(|e| e.transition == Transition::Opened).unwrap().incident.clone();
                l.holds(&time(1), severity, false);
                l.g.act(&time(2), Action::Acknowledge { incident: id, note: None });
            }
            l.at = "43:30";
        }
        l.g.until(l.at);
        l
    }
    fn copy(&self) -> Life {
        let state = self.g.state.clone();
        let g = Gateway { state, log: vec![], events: vec![], told: vec![], last: crate::engine::Outcome::default() };
        Life { g, id: self.id.clone(), ..*self }
    }
    /// Its condition of that severity holds from now on, or no longer.
    fn holds(&mut self, time: &str, severity: u8, on: bool) {
        let (quantity, level) = if severity == 1 { (Quantity::CoAlarm, 1.0) } else { (Quantity::Co, 50.0) };
        self.g.says(time, self.device, quantity, if on { level } else { 0.0 });
    }
    /// Another incident that this one can become part of.
    fn gas(&mut self, what: &str, time: &str) {
        if what == "merge" {
            self.g.says(time, "gas", Quantity::Gas, 1.0);
        }
    }
    fn act(&mut self, time: &str, action: Action) {
        self.g.at(time, Body::Command(Command { actor: "王园长".into(), via: Some(Via::Page), action }));
        assert!(matches!(self.g.last.verdicts[0], Verdict::Accepted(_)), "{:?}", self.g.last.verdicts);
    }
    fn action(&self, name: &str) -> Option<Action> {
        let (incident, reason) = (self.id.clone(), "x".to_owned());
        let (zone, device) = ("kitchen".parse().unwrap(), "co".parse().unwrap());
        Some(match name {
            "ack" => Action::Acknowledge { incident, note: None },
            "comment" => Action::Comment { incident, text: reason },
            "assign" => Action::Assign { incident, to: "carer".into() },
            "shelve" => Action::Shelve { incident, minutes: 15, reason },
            "unshelve" => Action::Unshelve { incident },
            "resolve" => Action::Resolve { incident, cause: CauseCode::Real, note: None },
            "reopen" => Action::Reopen { incident, reason },
            "merge" => Action::Merge { part: incident.clone(), whole: self.g.open("gas.leak").unwrap_or(incident), reason },
            "maintain" => Action::Maintain { zone, minutes: 60, reason },
            "m-end" => Action::MaintainEnd { zone },
            "disuse" => Action::OutOfService { device, minutes: 60, reason },
            "use" => Action::InService { device },
            _ => return None,
        })
    }
    /// Does one thing, and nothing else: its events of this hazard.
    fn tries(&mut self, what: &str) -> Option<Vec<IncidentEvent>> {
        let action = self.action(what);
        let at = self.at;
        match action {
            Some(action) => {
                let before = self.g.state.encode();
                self.g.at(at, Body::Command(Command { actor: "李老师".into(), via: Some(Via::Link), action }));
                if let Verdict::Refused(_) = self.g.last.verdicts[0] {
                    assert!(self.g.last.events.is_empty() && self.g.last.notices.is_empty() && self.g.last.commands.is_empty());
                    assert!(self.g.state.encode() == before, "a refusal changes nothing");
                    return None;
                }
            }
            None => {
                self.holds(at, if what == "worse" { 1 } else { self.severity }, what != "clears");
            }
        }
        Some(self.g.last.events.iter().filter(|e| e.hazard.as_str() == HAZARD).cloned().collect())
    }
    fn state(&self) -> Option<IncidentState> {
        self.g.state.incidents.values().find(|i| i.id == self.id && i.within.is_none()).map(|i| i.state(false))
    }
}

fn word(t: Transition) -> String {
    let name = serde_json::to_value(t).unwrap();
    match t {
        Transition::Opened => "opn".into(),
        Transition::OutOfService => "oos".into(),
        _ => name.as_str().unwrap()[..3].to_owned(),
    }
}

/// What a word does to the flags, by the standard and not by the engine.
fn after(mut s: IncidentState, word: &str) -> IncidentState {
    match word {
        "ack" | "ass" | "res" => s.acknowledged = true,
        "ret" => s.active = false,
        "rea" => (s.active, s.acknowledged) = (true, false),
        // Worse than what was shelved: the shelving is over.
        "rai" => {
            (s.active, s.acknowledged) = (true, false);
            s.inhibited = s.inhibited.filter(|i| *i != Inhibition::Shelved);
        }
        "reo" => (s.acknowledged, s.closed) = (false, false),
        "she" => s.inhibited = Some(Inhibition::Shelved),
        "sup" => s.inhibited = Some(Inhibition::Suppressed),
        "oos" => s.inhibited = Some(Inhibition::OutOfService),
        "rel" => s.inhibited = None,
        "mer" | "clo" => s.closed = true,
        "com" => {}
        other => panic!("{other}"),
    }
    s
}

#[test]
fn every_state_and_everything_that_may_come() {
    let mut wrong = Vec::new();
    for severity in [2u8, 1] {
        for (state, cells, _, _) in TABLE.iter().filter(|(state, ..)| severity == 1 || *state != "drill") {
            let row = Life::of(state, severity);
            for (what, expected) in TRIED.iter().zip(cells) {
                // Nothing is worse than an emergency, and nothing less is staged.
                if severity == 1 && *what == "worse" {
                    continue;
                }
                let mut l = row.copy();
                if !state.contains("drill") && !state.contains("part") {
                    l.gas(what, l.at);
                }
                let before = l.state();
                let said = l.tries(what);
                let got = match &said {
                    None => "x".to_owned(),
                    Some(events) if events.is_empty() => ".".to_owned(),
                    Some(events) => events.iter().map(|e| word(e.transition)).collect::<Vec<_>>().join("+"),
                };
                let cell = format!("severity {severity}, {state}, {what}");
                if got != *expected {
                    wrong.push(format!("{cell}: {got}, not {expected}"));
                    continue;
                }
                let Some(events) = said.filter(|e| !e.is_empty()) else {
                    assert_eq!(l.state(), before, "{cell}");
                    continue;
                };
                let command = l.action(what).is_some();
                let (actor, via) = if command { (Some("李老师"), Some(Via::Link)) } else { (None, None) };
                assert_eq!((events[0].actor.as_deref(), events[0].via), (actor, via), "{cell}");
                let mut flags = before.unwrap_or(IncidentState { active: false, acknowledged: true, closed: true, inhibited: None });
                for e in &events {
                    if e.transition == Transition::Opened {
                        assert_ne!(e.incident, l.id, "{cell}");
                        continue;
                    }
                    flags = after(flags, &word(e.transition));
                    if *state == "part" {
                        flags.active = true;
                        flags.acknowledged = false;
                    }
                    assert_eq!((&e.incident, e.state), (&l.id, flags), "{cell}");
                    let code = (e.transition == Transition::Resolved).then_some(CauseCode::Real);
                    assert_eq!((e.cause, u8::from(e.severity)), (code, if *what == "worse" { 1 } else { severity }), "{cell}");
                }
                if !flags.closed && events[0].transition != Transition::Opened {
                    assert_eq!(l.state(), Some(flags), "{cell}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_time_brings_of_itself() {
    let mut wrong = Vec::new();
    for (severity, of) in [(2u8, 0), (1, 1)] {
        for (state, _, serious, emergency) in &TABLE {
            if severity == 2 && *state == "drill" {
                continue;
            }
            let mut l = Life::of(state, severity);
            let from = l.g.log.len();
            l.g.until(&format!("{}:04", 15 + t(l.at).saturating_sub(t(NOW)) / 3_600_000));
            let brought: Vec<String> =
                l.g.log[from..].iter().filter(|e| e.contains(HAZARD) && !e.contains("escalated")).map(brief).collect();
            let expected = [serious, emergency][of];
            if brought.join(" ") != **expected {
                wrong.push(format!("severity {severity}, {state}: {:?}, not {expected:?}", brought.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// "10:12:00 co.high closed 2" as `clo@10:12:00`.
#[allow(clippy::ptr_arg)]
fn brief(line: &String) -> String {
    let parts: Vec<&str> = line.split(' ').collect();
    let short = match parts[2] {
        "opened" => "opn",
        "out_of_service" => "oos",
        name => &name[..3],
    };
    format!("{short}@{}", parts[0])
}

/// The canary and buttons are no incidents of this table; what waits for a person is in `life.rs`.
#[test]
fn the_table_has_a_cell_for_every_action_that_concerns_an_incident() {
    let others = ["cancel_panic", "room_swept", "report_concern", "morning_check", "drill", "drill_end", "pictures", "commissioning"];
    // One name for each variant: a new one does not compile here until it has a column or a reason.
    let name = |a: &Action| match a {
        Action::Acknowledge { .. } => "ack",
        Action::Comment { .. } => "comment",
        Action::Assign { .. } => "assign",
        Action::Shelve { .. } => "shelve",
        Action::Unshelve { .. } => "unshelve",
        Action::Resolve { .. } => "resolve",
        Action::Reopen { .. } => "reopen",
        Action::Merge { .. } => "merge",
        Action::Maintain { .. } => "maintain",
        Action::MaintainEnd { .. } => "m-end",
        Action::OutOfService { .. } => "disuse",
        Action::InService { .. } => "use",
        Action::CancelPanic { .. } => others[0],
        Action::RoomSwept { .. } => others[1],
        Action::ReportConcern { .. } => others[2],
        Action::MorningCheck(_) => others[3],
        Action::Drill { .. } => others[4],
        Action::DrillEnd => others[5],
        Action::Pictures(_) => others[6],
        Action::Commission { .. } | Action::CommissionEnd | Action::Prove { .. } | Action::Proven { .. } => others[7],
    };
    let l = Life::of("active", 2);
    for column in &TRIED[..12] {
        assert_eq!(name(&l.action(column).unwrap()), *column);
    }
}
