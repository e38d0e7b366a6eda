//! The timelines inside a rule pack, run against the real engine with only their rule in force.
//!
//! One zone, one device, a full-day class (drop-off 07:30-08:30, care 08:00-18:00, nap 12:00-14:30, collection 16:30-18:00) and staff hours
//! 07:00-18:45. A step is one line, local time first (`+35d 09:00` is 35 days later):
//!
//! | step | means |
//! |---|---|
//! | `09:00 co2 1200` | the device reports that value, in the quantity's unit |
//! | `09:00 every 1m until 10:10 co2 1200` | the same again and again; the end may be days later: `until +7d 10:10` |
//! | `09:00 people ?` | it cannot tell any more |
//! | `09:00 co2 600 others co2 900` | several at once; those after `others` come from each of the case's `others` |
//! | `09:00 every 5m until +9d 00:00 temperature 21~3` | a value that swings by 3 about 21 each day, with a little noise |
//! | `09:00 retained open 1` | found lying in the broker |
//! | `09:00 event panic_pressed` | a momentary event |
//! | `09:00 @window open 1` | the same by another device in the zone, of that role |
//! | `09:00 check 37.8 c1 cough` | a morning check: temperature or `-`, the child's code or `-`, symptoms; `recheck` for `check` when it is the second look |
//! | `09:00 sweep`, `cancel`, `report`, `acknowledge` | what a person does |
//! | `09:00 away 10m` | the gateway is off for so long, and starts again |
//! | `09:00 expect none` | no incident is open |
//! | `09:00 expect opened 2` | an incident of severity 2 is active |
//! | `09:00 expect returned` | it is open still, its condition is over |
use super::text::CaseText;
use super::{Rule, parse::duration};
use crate::engine::compiled::Compiled;
use crate::engine::input::{Action, Body, Check, Command, Configuration, Input, Item, Message, Symptom};
use crate::engine::schedule::parse_date;
use crate::engine::site::{AgeGroup, Calendar, Care, Class, Hours, Placement, Role, Site, Zone, ZoneKind};
use crate::engine::step::Run;
use crate::engine::{State, step};
use std::ops::Range;
use tuoan_protocol::{EventKind, Fixed, InstitutionType, Quantity, SupervisingBody};

/// A Monday in March.
const DATE: &str = "2026-03-09";
/// Messages of one `every` step at most.
const MAX_REPEATS: i64 = 50_000;

const UNKNOWN: &str = "not understood; e.g. \"09:00 co2 1200\", \"09:00 expect opened 2\"";

/// What came out otherwise than told: where in the file, and how.
pub type Failure = (Option<Range<usize>>, String);

/// Runs one case; empty when all comes out as told.
/// `company`: rules that are in force too.
pub fn run(rule: &Rule, company: &[Rule], case: &CaseText) -> Vec<Failure> {
    match Timeline::new(rule, company, case) {
        Err(message) => vec![(None, message)],
        Ok(mut timeline) => {
            let mut failures = Vec::new();
            for step in &case.steps {
                if let Err(message) = timeline.step(step.get_ref()) {
                    failures.push((Some(step.span()), format!("{:?}: {message}", step.get_ref())));
                }
            }
            failures
        }
    }
}

struct Timeline {
    state: State,
    midnight: i64,
    hazard: String,
    others: u8,
}

impl Timeline {
    fn new(rule: &Rule, company: &[Rule], case: &CaseText) -> Result<Timeline, String> {
        let date = case.date.as_ref().map_or(DATE, |d| d.get_ref());
        let day = parse_date(date).ok_or_else(|| format!("{date:?} is no date; write \"2026-03-09\""))?;
        let midnight = (day * 1440 - 480) * 60_000;
        let (site, log) = (site(rule, case).ok_or("an @word in its steps is no role")?, "01CASE00000000000000000000");
        let compiled = Compiled::with_rules(&site, std::iter::once(rule).chain(company).cloned().collect());
        let log = log.parse().map_err(|e| format!("{e}"))?;
        let mut state = State::new();
        step(&mut state, &[], midnight);
        let mut run = Run::new(&mut state);
        run.configure(Box::new(Configuration::new(log, site, vec![])), compiled);
        step(&mut state, &[Input { at: midnight, body: Body::Clock { offset_ms: 0, trusted: true } }], midnight);
        // The device is expected from its first step on, not from midnight.
        state.devices.values_mut().for_each(|d| d.quiet_since = None);
        state.rearm();
        Ok(Timeline { state, midnight, hazard: rule.hazard.to_string(), others: case.others.unwrap_or(0) })
    }

    fn step(&mut self, text: &str) -> Result<(), String> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let mut days = 0;
        if let Some(d) = words.first().filter(|w| w.starts_with('+')) {
            days = parse_days(d)?;
            words.remove(0);
        }
        let (time, mut words) = words.split_first().ok_or("the step is empty")?;
        let mut device = "device";
        if let Some((role, rest)) = words.split_first().and_then(|(w, rest)| Some((w.strip_prefix('@')?, rest))) {
            (device, words) = (role, rest);
        }
        let at = self.time(days, time)?;
        if at < self.state.now() {
            return Err("steps must be in order of time".to_owned());
        }
        match words {
            ["expect", want @ ..] => self.expect(at, want),
            ["event", name] => {
                let kind = serde_json::from_value::<EventKind>(serde_json::Value::String((*name).to_owned()));
                let kind = kind.map_err(|_| format!("{name:?} is no event"))?;
                self.message(at, device, false, Item::Event { kind, command: None })
            }
            ["sweep"] => self.act(at, Action::RoomSwept { zone: name("zone")? }),
            ["away", lasted] => {
                let lasted = duration(lasted).ok_or_else(|| format!("{lasted:?} is no duration"))?;
                let back = at.saturating_add(lasted);
                step(&mut self.state, &[Input { at: back, body: Body::Started { down_from: at } }], back);
                Ok(())
            }
            ["report"] => self.act(at, Action::ReportConcern { zone: name("zone")?, note: "疑虑".to_owned() }),
            ["acknowledge"] => {
                let incident = self.open().ok_or("there is no incident to acknowledge")?;
                self.act(at, Action::Acknowledge { incident, note: None })
            }
            ["cancel"] => {
                let incident = self.open().ok_or("there is no incident to cancel")?;
                self.act(at, Action::CancelPanic { incident, reason: "误按".to_owned() })
            }
            [how @ ("check" | "recheck"), temperature, child, symptoms @ ..] => {
                let check = check(*how == "recheck", temperature, child, symptoms)?;
                self.act(at, Action::MorningCheck(check))
            }
            ["retained", quantity, value] => {
                let item = reading(quantity, value, at)?;
                self.message(at, device, true, item)
            }
            ["every", period, "until", end @ ..] => {
                let period = duration(period).filter(|p| *p > 0).ok_or_else(|| format!("{period:?} is no duration"))?;
                let (days, end) = match end {
                    [day, end @ ..] if day.starts_with('+') => (parse_days(day)?, end),
                    _ => (days, end),
                };
                let (end, words) = end.split_first().ok_or("say until when, e.g. \"until 10:10\"")?;
                let end = self.time(days, end)?;
                if (end - at) / period > MAX_REPEATS {
                    return Err(format!("more than {MAX_REPEATS} messages; take a longer period"));
                }
                let mut t = at;
                while t <= end {
                    let said = self.readings(t, words)?;
                    self.say(t, device, &said)?;
                    t += period;
                }
                Ok(())
            }
            words if words.len() >= 2 => {
                let said = self.readings(at, words)?;
                self.say(at, device, &said)
            }
            _ => Err(UNKNOWN.to_owned()),
        }
    }

    fn time(&self, days: i64, text: &str) -> Result<i64, String> {
        let bad = || format!("{text:?} is no time; write \"09:00\" or \"09:00:30\"");
        let parts: Vec<i64> = text.split(':').map(|p| p.parse::<i64>().map_err(|_| bad())).collect::<Result<_, _>>()?;
        let seconds = match parts[..] {
            [h @ 0..=24, m @ 0..60] => h * 3600 + m * 60,
            [h @ 0..=24, m @ 0..60, s @ 0..60] => h * 3600 + m * 60 + s,
            _ => return Err(bad()),
        };
        days.checked_mul(86_400).and_then(|d| d.checked_add(seconds)?.checked_mul(1000)?.checked_add(self.midnight)).ok_or_else(bad)
    }

    /// `co2 600 temperature 21 others co2 900`: what the device says, and what each of the others says.
    fn readings(&self, at: i64, words: &[&str]) -> Result<[Vec<Item>; 2], String> {
        let split = words.iter().position(|w| *w == "others").unwrap_or(words.len());
        let (own, others) = words.split_at(split);
        if !others.is_empty() && self.others == 0 {
            return Err("the case has no others; say others = 2 beside its name".to_owned());
        }
        let item = |pair: &[&str]| if let [quantity, value] = pair { reading(quantity, value, at) } else { Err(UNKNOWN.to_owned()) };
        let items = |words: &[&str]| words.chunks(2).map(item).collect::<Result<Vec<Item>, String>>();
        Ok([items(own)?, items(others.get(1..).unwrap_or_default())?])
    }

    fn say(&mut self, at: i64, device: &str, [own, others]: &[Vec<Item>; 2]) -> Result<(), String> {
        let devices = std::iter::once((device.to_owned(), own)).chain((1..=self.others).map(|n| (format!("other-{n}"), others)));
        for (device, items) in devices.filter(|(_, items)| !items.is_empty()) {
            let m = Message { device: name(&device)?, boot: None, seq: None, sampled_at: None, retained: false, items: items.clone() };
            step(&mut self.state, &[Input { at, body: Body::Message(m) }], at);
        }
        Ok(())
    }

    fn message(&mut self, at: i64, device: &str, retained: bool, item: Item) -> Result<(), String> {
        let m = Message { device: name(device)?, boot: None, seq: None, sampled_at: None, retained, items: vec![item] };
        step(&mut self.state, &[Input { at, body: Body::Message(m) }], at);
        Ok(())
    }

    fn act(&mut self, at: i64, action: Action) -> Result<(), String> {
        let body = Body::Command(Command { actor: "case".to_owned(), via: None, action });
        match step(&mut self.state, &[Input { at, body }], at).verdicts.first() {
            Some(crate::engine::Verdict::Refused(reason)) => Err(format!("refused: {reason}")),
            _ => Ok(()),
        }
    }

    fn open(&self) -> Option<tuoan_protocol::IncidentId> {
        self.state.view(self.state.now()).incidents.into_iter().find(|i| i.hazard.as_str() == self.hazard).map(|i| i.id)
    }

    fn expect(&mut self, at: i64, want: &[&str]) -> Result<(), String> {
        step(&mut self.state, &[], at);
        let incident = self.state.view(at).incidents.into_iter().find(|i| i.hazard.as_str() == self.hazard);
        let is = match &incident {
            None => "none".to_owned(),
            Some(i) if !i.state.active => "returned".to_owned(),
            Some(i) => format!("opened {}", u8::from(i.severity)),
        };
        let wanted = want.join(" ");
        if !matches!(want, ["none"] | ["returned"] | ["opened", "1" | "2" | "3" | "4"]) {
            return Err("expect none, returned, or opened with a severity 1 to 4".to_owned());
        }
        if is == wanted { Ok(()) } else { Err(format!("it is {is:?}")) }
    }
}

fn parse_days(text: &str) -> Result<i64, String> {
    let days = text.strip_prefix('+').and_then(|t| t.strip_suffix('d')).and_then(|d| d.parse::<i64>().ok());
    days.ok_or_else(|| "write the day as +35d".to_owned())
}

fn name<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no name"))
}

fn reading(quantity: &str, value: &str, at: i64) -> Result<Item, String> {
    let quantity = Quantity::from_name(quantity).map_err(|e| e.to_string())?;
    if value == "?" {
        return Ok(Item::Unknown { quantity, channel: 0 });
    }
    if matches!(quantity, Quantity::Other(_)) {
        return Err(format!("{:?} is no known quantity", quantity.name()));
    }
    let parse = |text: &str| text.parse::<f64>().map_err(|_| format!("{text:?} is no number"));
    let number = match value.split_once('~') {
        Some((middle, swing)) => parse(middle)? + parse(swing)? * swinging(at),
        None => parse(value)?,
    };
    let value: Fixed = quantity.fixed(number).map_err(|e| e.to_string())?;
    Ok(Item::Reading { quantity, channel: 0, value })
}

/// From -1.05 to 1.05: up and down once a day, with a little noise, the same for the same time.
fn swinging(at: i64) -> f64 {
    const DAY: i64 = 86_400_000;
    let of_day = at.rem_euclid(DAY) as f64 / DAY as f64;
    let noise = (at / 60_000).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64).rem_euclid(1000) as f64 / 1000.0;
    1.0 - 4.0 * (of_day - 0.5).abs() + (noise - 0.5) / 10.0
}

fn check(recheck: bool, temperature: &str, child: &str, symptoms: &[&str]) -> Result<Check, String> {
    let temperature = match temperature {
        "-" => None,
        t => Some(Quantity::BodyTemperature.parse(t).map_err(|_| format!("{t:?} is no temperature"))?),
    };
    let named = |s: &&str| Symptom::ALL.into_iter().find(|k| k.name() == *s).ok_or_else(|| format!("{s:?} is no symptom"));
    let symptoms = symptoms.iter().map(named).collect::<Result<_, _>>()?;
    Ok(Check { class: "class".to_owned(), temperature, symptoms, child: (child != "-").then(|| child.to_owned()), recheck })
}

/// The other devices that the steps speak of, by their roles.
fn by_role(case: &CaseText, zone: &tuoan_protocol::ZoneId) -> Option<Vec<Placement>> {
    let words = case.steps.iter().flat_map(|s| s.get_ref().split_whitespace());
    let roles: std::collections::BTreeSet<&str> = words.filter_map(|w| w.strip_prefix('@')).collect();
    let placed = roles.into_iter().map(|r| {
        let role = serde_json::from_value(serde_json::Value::String(r.to_owned())).ok()?;
        Some(Placement {
            id: r.parse().ok()?,
            zone: zone.clone(),
            name: None,
            role,
            period_s: None,
            via: None,
            topic: None,
            channel: None,
            formerly: vec![],
        })
    });
    placed.collect()
}

fn hours(from: u16, to: u16) -> Hours {
    Hours { from: from / 100 * 60 + from % 100, to: to / 100 * 60 + to % 100 }
}

fn site(rule: &Rule, case: &CaseText) -> Option<Site> {
    let kind = case.zone.or_else(|| rule.zones.first().copied()).unwrap_or(ZoneKind::Activity);
    let role = case.role.or_else(|| rule.roles.first().copied()).unwrap_or(Role::Other);
    let floor = case.floor.or(rule.floor_min).unwrap_or(1);
    let zone: tuoan_protocol::ZoneId = "zone".parse().ok()?;
    let device: tuoan_protocol::DeviceId = "device".parse().ok()?;
    let place = |id, via| Placement {
        id,
        zone: zone.clone(),
        name: None,
        role,
        period_s: case.period,
        via,
        topic: None,
        channel: None,
        formerly: vec![],
    };
    // Behind a hub, which is the device itself; beside it otherwise.
    let via = (rule.kind == super::Kind::Hub).then(|| device.clone());
    let others = (1..=case.others.unwrap_or(0)).filter_map(|n| Some(place(format!("other-{n}").parse().ok()?, via.clone())));
    let devices = std::iter::once(place(device.clone(), None)).chain(others).chain(by_role(case, &zone)?).collect();
    Some(Site {
        id: "case".parse().ok()?,
        name: "case".to_owned(),
        district: String::new(),
        street: String::new(),
        institution: InstitutionType::Public,
        supervisor: SupervisingBody::Health,
        utc_offset_minutes: 480,
        staff_hours: hours(700, 1845),
        classes: vec![Class {
            id: "class".to_owned(),
            name: "class".to_owned(),
            care: Care::FullDay,
            age_group: case.age_group.or_else(|| rule.age_groups.first().copied()).unwrap_or(AgeGroup::Toddler),
            children_per_carer: None,
            places: None,
            care_hours: vec![hours(800, 1800)],
            nap: Some(hours(1200, 1430)),
            drop_off: Some(hours(730, 830)),
            collection: Some(hours(1630, 1800)),
        }],
        zones: vec![Zone { id: zone.clone(), name: "zone".to_owned(), kind, floor, classes: vec![] }],
        devices,
        calendar: Calendar::default(),
        people: vec![],
        cameras: vec![],
        overrides: vec![],
        plans: vec![],
    })
}
