//! The life of incidents against a model of it that knows no timers: it looks at every second, and is small enough to be read.
use super::life_table::nursery;
use crate::engine::input::{Action, Input};
use crate::engine::testing::{reading, t};
use crate::engine::{Body, Command, Notice, NoticeKind, State, Verdict, step};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::{CauseCode, IncidentEvent, IncidentId, Inhibition, Quantity, Rung, Severity, Transition};

const HAZARDS: [&str; 2] = ["co.high", "gas.leak"];
/// What upholds which of them, how gravely, by which device.
const SIGNS: [(usize, u8, &str); 3] = [(0, 2, "co"), (0, 1, "co"), (1, 1, "gas")];
const PEOPLE: [&str; 4] = ["carer", "director", "deputy", "district"];
const MINUTE: i64 = 60_000;

#[derive(Debug, Clone)]
enum Act {
    /// That sign holds, or no longer.
    Sign(usize, bool),
    Ack(usize),
    Comment(usize),
    Assign(usize),
    Shelve(usize, u32),
    Unshelve(usize),
    Resolve(usize),
    Reopen(usize),
    Maintain(u32),
    MaintainEnd,
    /// That sign's device is out of service.
    Disuse(usize, u32),
    Use(usize),
    Pass,
}

/// One incident as the model knows it; all times in engine time.
#[derive(Debug, Clone, Default)]
struct Life {
    signs: BTreeSet<usize>,
    severity: u8,
    acked: bool,
    chatters: bool,
    returned: Option<i64>,
    assigned: Option<i64>,
    resolved: Option<i64>,
    inhibited: Option<Inhibition>,
    began: i64,
    step: usize,
    rounds: u32,
    last: i64,
    told: BTreeSet<&'static str>,
}

#[derive(Debug, Default)]
struct Model {
    now: i64,
    open: BTreeMap<usize, Life>,
    closed: BTreeMap<usize, Life>,
    habits: [Vec<i64>; 2],
    shelved: [Option<i64>; 2],
    maintained: Option<i64>,
    disused: BTreeMap<&'static str, i64>,
    /// Hazard, kind, whom; `*` are the groups.
    said: Vec<(i64, usize, NoticeKind, &'static str)>,
}

impl Life {
    fn active(&self) -> bool {
        self.returned.is_none() || self.chatters
    }
    /// Minutes after which each rung is told, and after which all are told again.
    fn ladder(&self) -> (&'static [(i64, &'static [&'static str])], Option<i64>) {
        if self.severity == 1 {
            (&[(0, &PEOPLE)], Some(2))
        } else {
            (&[(0, &["carer"]), (5, &["director"]), (15, &["deputy"]), (30, &["district"])], None)
        }
    }
    /// When the ladder is to fire next.
    fn due(&self) -> Option<i64> {
        let noted = (self.acked || self.assigned.is_some()) && self.severity == 2;
        if !self.active() || self.inhibited.is_some() || self.resolved.is_some() || noted {
            return None;
        }
        let (steps, again) = self.ladder();
        let due = match steps.get(self.step) {
            Some((after, _)) => self.began + after * MINUTE,
            None => self.last + (again? << self.rounds.min(8)).min(30) * MINUTE,
        };
        Some(self.assigned.filter(|_| self.step > 0).map_or(due, |a| due.max(a + 3 * MINUTE)))
    }
}

impl Model {
    fn tell(&mut self, h: usize, kind: NoticeKind, to: &[&'static str]) {
        let Some(life) = self.open.get_mut(&h) else { return };
        life.told.extend(to);
        self.said.extend(to.iter().chain(&["*"]).map(|who| (self.now, h, kind, *who)));
    }
    fn climb(&mut self, h: usize) {
        while let Some(life) = self.open.get_mut(&h)
            && life.due().is_some_and(|due| due <= self.now)
        {
            life.last = self.now;
            let step = life.ladder().0.get(life.step).copied();
            match step {
                Some((_, to)) => {
                    life.step += 1;
                    self.tell(h, NoticeKind::Alert, to);
                }
                None => {
                    life.rounds += 1;
                    self.tell(h, NoticeKind::Again, &PEOPLE);
                }
            }
        }
    }
    fn begin(&mut self, h: usize) {
        let now = self.now;
        let Some(life) = self.open.get_mut(&h) else { return };
        (life.began, life.step, life.rounds) = (now, 0, 0);
        if life.inhibited == Some(Inhibition::Suppressed) && life.severity == 1 {
            self.tell(h, NoticeKind::Alert, &["director"]);
        }
        self.climb(h);
    }
    /// Who was told is told that it is over or in hand.
    fn end(&mut self, h: usize) {
        let Some(life) = self.open.get(&h) else { return };
        if life.inhibited.is_none() && life.step > 0 {
            let told: Vec<_> = life.told.iter().copied().collect();
            self.tell(h, NoticeKind::Update, &told);
        }
    }
    fn inhibition(&self, h: usize, life: &Life) -> Option<Inhibition> {
        let device = SIGNS.iter().find(|s| s.0 == h).unwrap().2;
        let out = self.disused.contains_key(device) && (!life.signs.is_empty() || life.inhibited == Some(Inhibition::OutOfService));
        match () {
            () if self.shelved[h].is_some() => Some(Inhibition::Shelved),
            () if self.maintained.is_some() => Some(Inhibition::Suppressed),
            () => out.then_some(Inhibition::OutOfService),
        }
    }
    fn weigh(&mut self, h: usize) -> bool {
        let Some(life) = self.open.get(&h) else { return false };
        let now = self.inhibition(h, life);
        let changed = life.inhibited != now;
        self.open.get_mut(&h).unwrap().inhibited = now;
        changed
    }
    fn weigh_all(&mut self) {
        for h in 0..2 {
            if self.weigh(h) {
                let life = &self.open[&h];
                match life.inhibited {
                    Some(_) if life.severity == 1 => self.tell(h, NoticeKind::Update, &PEOPLE[1..]),
                    Some(_) => {}
                    None if life.active() => self.begin(h),
                    None => {}
                }
            }
        }
    }
    fn sign(&mut self, sign: usize, on: bool) {
        let (h, now) = (SIGNS[sign].0, self.now);
        let fresh = !self.open.contains_key(&h);
        if fresh && !on {
            return;
        }
        let life = self.open.entry(h).or_insert_with(|| Life { returned: Some(now), ..Life::default() });
        if on == life.signs.contains(&sign) {
            return;
        }
        if on {
            life.signs.insert(sign);
        } else {
            life.signs.remove(&sign);
        }
        let Some(severity) = life.signs.iter().map(|s| SIGNS[*s].1).min() else {
            life.returned = Some(now);
            if !life.chatters {
                self.end(h);
            }
            return self.close(h);
        };
        let was_active = life.returned.take().is_none();
        let flaps = !was_active && {
            let times = &mut self.habits[h];
            times.retain(|t| *t > now - 30 * MINUTE);
            times.push(now);
            times.len() >= 5
        };
        let before = std::mem::replace(&mut life.severity, severity);
        let worse = !fresh && severity < before;
        let news = fresh || worse || !was_active && !life.chatters && !flaps;
        let begins_to_chatter = flaps && !life.chatters && !news;
        life.chatters |= flaps;
        if news {
            (life.acked, life.resolved, life.assigned) = (false, None, None);
            let outgrown = worse || severity == 1 && self.shelved[h].is_some_and(|until| until - now > 15 * MINUTE);
            if outgrown {
                self.shelved[h] = None;
            }
            self.weigh(h);
            self.begin(h);
        } else if begins_to_chatter {
            self.weigh(h);
            self.begin(h);
        } else if severity > before {
            let past = life.ladder().0.iter().filter(|(after, _)| life.began + after * MINUTE <= now).count();
            if life.step > 0 {
                life.step = life.step.max(past);
            }
        }
    }
    fn close(&mut self, h: usize) {
        let now = self.now;
        let Some(life) = self.open.get_mut(&h) else { return };
        let Some(returned) = life.returned else { return };
        if life.chatters {
            if returned + 5 * MINUTE > now {
                return;
            }
            life.chatters = false;
            self.end(h);
        }
        if let Some(life) = self.open.get(&h)
            && (life.acked || life.resolved.is_some())
            && returned + 10 * MINUTE <= now
        {
            let life = self.open.remove(&h).unwrap();
            self.closed.insert(h, life);
        }
    }
    /// A second has passed.
    fn tick(&mut self, now: i64) {
        self.now = now;
        (0..2).for_each(|h| self.close(h));
        for h in 0..2 {
            if let Some(life) = self.open.get_mut(&h)
                && life.active()
                && life.inhibited.is_none()
                && life.resolved.is_some_and(|at| at + if life.severity == 1 { 15 } else { 240 } * MINUTE <= now)
            {
                (life.resolved, life.assigned, life.acked) = (None, None, false);
                self.begin(h);
            }
            self.climb(h);
        }
        self.shelved.iter_mut().chain([&mut self.maintained]).for_each(|s| *s = s.filter(|until| *until > now));
        self.disused.retain(|_, until| *until > now);
        self.weigh_all();
        // What was handled before it was set aside may be due at once.
        for h in 0..2 {
            if let Some(life) = self.open.get_mut(&h)
                && life.active()
                && life.inhibited.is_none()
                && life.resolved.is_some_and(|at| at + if life.severity == 1 { 15 } else { 240 } * MINUTE <= now)
            {
                (life.resolved, life.assigned, life.acked) = (None, None, false);
                self.begin(h);
            }
        }
    }
    /// What was allowed.
    fn act(&mut self, act: &Act) {
        let now = self.now;
        match act {
            Act::Sign(s, on) => return self.sign(*s, *on),
            Act::Pass | Act::Comment(_) => return,
            Act::Ack(h) => self.open.get_mut(h).unwrap().acked = true,
            Act::Assign(h) => {
                let life = self.open.get_mut(h).unwrap();
                (life.assigned, life.acked) = (Some(now), true);
                self.end(*h);
            }
            Act::Resolve(h) => match self.open.get_mut(h) {
                Some(life) => {
                    (life.resolved, life.acked) = (Some(now), true);
                    self.end(*h);
                }
                None => self.closed.get_mut(h).unwrap().resolved = Some(now),
            },
            Act::Reopen(h) => {
                if let Some(mut life) = self.closed.remove(h).filter(|_| !self.open.contains_key(h)) {
                    life.returned = Some(now);
                    self.open.insert(*h, life);
                }
                let life = self.open.get_mut(h).unwrap();
                (life.resolved, life.assigned, life.acked) = (None, None, false);
                self.weigh(*h);
                match &self.open[h] {
                    life if life.active() => self.begin(*h),
                    life if life.inhibited.is_none() => self.tell(*h, NoticeKind::Alert, &PEOPLE[..2]),
                    _ => {}
                }
            }
            Act::Shelve(h, m) => self.shelved[*h] = Some(now + i64::from(*m) * MINUTE),
            Act::Unshelve(h) => self.shelved[*h] = None,
            Act::Maintain(m) => self.maintained = Some(now + i64::from(*m) * MINUTE),
            Act::MaintainEnd => self.maintained = None,
            Act::Disuse(s, m) => drop(self.disused.insert(SIGNS[*s].2, now + i64::from(*m) * MINUTE)),
            Act::Use(s) => drop(self.disused.remove(SIGNS[*s].2)),
        }
        self.weigh_all();
        (0..2).for_each(|h| self.close(h));
        self.tick(now);
    }
}

fn act() -> impl Strategy<Value = Act> {
    let (h, s, m) = (0..2usize, 0..3usize, 1u32..=15);
    prop_oneof![
        24 => (s.clone(), any::<bool>()).prop_map(|(s, on)| Act::Sign(s, on)),
        2 => h.clone().prop_map(Act::Ack),
        1 => h.clone().prop_map(Act::Comment),
        1 => h.clone().prop_map(Act::Assign),
        1 => (h.clone(), m.clone()).prop_map(|(h, m)| Act::Shelve(h, m)),
        1 => h.clone().prop_map(Act::Unshelve),
        2 => h.clone().prop_map(Act::Resolve),
        1 => h.prop_map(Act::Reopen),
        1 => m.clone().prop_map(Act::Maintain),
        1 => Just(Act::MaintainEnd),
        1 => (s.clone(), m).prop_map(|(s, m)| Act::Disuse(s, m)),
        1 => s.prop_map(Act::Use),
        2 => Just(Act::Pass),
    ]
}

/// Seconds to the next act: in one breath, the times of ladders, and hours.
fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![40 => 0i64..20, 20 => 20i64..400, 4 => 400i64..2_000, 1 => 2_000i64..16_000]
}

/// What the engine is asked for an act; `None` when there is no such incident yet.
fn body(act: &Act, ids: &BTreeMap<usize, IncidentId>) -> Option<Body> {
    let reason = || "x".to_owned();
    let (zone, device) = ("kitchen".parse().unwrap(), |s: &usize| SIGNS[*s].2.parse().unwrap());
    let of = |h: &usize| ids.get(h).cloned();
    let action = match act {
        Act::Sign(s, on) => {
            let (quantity, level) = [(Quantity::Co, 50.0), (Quantity::CoAlarm, 1.0), (Quantity::Gas, 1.0)][*s].clone();
            return Some(Body::Message(reading(SIGNS[*s].2, quantity, if *on { level } else { 0.0 })));
        }
        Act::Pass => return None,
        Act::Ack(h) => Action::Acknowledge { incident: of(h)?, note: None },
        Act::Comment(h) => Action::Comment { incident: of(h)?, text: reason() },
        Act::Assign(h) => Action::Assign { incident: of(h)?, to: "carer".into() },
        Act::Shelve(h, minutes) => Action::Shelve { incident: of(h)?, minutes: *minutes, reason: reason() },
        Act::Unshelve(h) => Action::Unshelve { incident: of(h)? },
        Act::Resolve(h) => Action::Resolve { incident: of(h)?, cause: CauseCode::Real, note: None },
        Act::Reopen(h) => Action::Reopen { incident: of(h)?, reason: reason() },
        Act::Maintain(minutes) => Action::Maintain { zone, minutes: *minutes, reason: reason() },
        Act::MaintainEnd => Action::MaintainEnd { zone },
        Act::Disuse(s, minutes) => Action::OutOfService { device: device(s), minutes: *minutes, reason: reason() },
        Act::Use(s) => Action::InService { device: device(s) },
    };
    Some(Body::Command(Command { actor: "李老师".into(), via: None, action }))
}

/// What must hold of every notice and event, whatever the model says.
fn check(notices: &[Notice], events: &BTreeMap<u64, IncidentEvent>, last: &mut u64) {
    for n in notices {
        *last += 1;
        assert_eq!(n.id, *last, "numbers have no gap");
        let e = &events[&n.sequence];
        assert_eq!(e.incident, n.incident);
        if let Some(inhibited) = e.state.inhibited {
            let set_aside = n.kind == NoticeKind::Update
                && matches!(e.transition, Transition::Shelved | Transition::Suppressed | Transition::OutOfService);
            let quietly = n.kind == NoticeKind::Alert && n.silent && n.rung == Rung::Director && inhibited == Inhibition::Suppressed;
            assert!(n.severity == Severity::Emergency && (set_aside || quietly), "{n:?} of {e:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_model_says(
        acts in prop::collection::vec((gap(), act(), prop::bool::weighted(0.1)), 200..260),
    ) {
        let mut g = nursery();
        // Devices are known before anything is asked of them.
        for (device, quantity) in [("co", Quantity::Co), ("co", Quantity::CoAlarm), ("gas", Quantity::Gas)] {
            g.says("09:00", device, quantity, 0.0);
        }
        let mut model = Model { now: t("09:00"), ..Model::default() };
        let (mut ids, mut events, mut last) = (BTreeMap::new(), BTreeMap::new(), 0);
        for (n, (gap, act, snapshot)) in acts.iter().enumerate() {
            let from = model.now;
            let now = from + gap * 1000;
            (1..=*gap).for_each(|s| model.tick(from + s * 1000));
            let input = body(act, &ids).map(|body| Input { at: now, body });
            let out = step(&mut g.state, input.as_slice(), now);
            if input.is_some() && !matches!(out.verdicts[0], Verdict::Refused(_)) {
                model.act(act);
            }
            for e in &out.events {
                let h = HAZARDS.iter().position(|h| *h == e.hazard.as_str()).unwrap();
                ids.insert(h, e.incident.clone());
                let told = e.transition != Transition::Escalated || e.state.active && e.state.inhibited.is_none() && !e.state.closed;
                prop_assert!(told, "{e:?}");
                events.insert(e.sequence, e.clone());
            }
            check(&out.notices, &events, &mut last);
            let of = |n: &Notice| {
                let e = &events[&n.sequence];
                let who = n.person.as_deref().map_or("*", |p| PEOPLE.iter().find(|q| **q == p).unwrap());
                (e.at, HAZARDS.iter().position(|h| *h == e.hazard.as_str()).unwrap(), n.kind, who)
            };
            let key = |s: &(i64, usize, NoticeKind, &'static str)| (s.0, s.1, format!("{:?}", s.2), s.3);
            let mut said: Vec<_> = out.notices.iter().map(of).map(|s| key(&s)).collect();
            let mut expected: Vec<_> = std::mem::take(&mut model.said).iter().map(key).collect();
            said.sort();
            expected.sort();
            prop_assert_eq!(said, expected, "notices, act {}: {:?}\n{:#?}\n{:?}", n, act, &model, &out.events);
            for (h, hazard) in HAZARDS.iter().enumerate() {
                let found = g.state.incidents.iter().find(|(k, _)| k.0.as_str() == *hazard).map(|(_, i)| i);
                let is = found.map(|i| {
                    (i.active(), i.acknowledged, i.inhibited, i.assignee.is_some(), i.resolved.is_some(), i.chattering, u8::from(i.severity))
                });
                let model_is = model.open.get(&h).map(|l| {
                    (l.active(), l.acked, l.inhibited, l.assigned.is_some(), l.resolved.is_some(), l.chatters, l.severity)
                });
                prop_assert_eq!(is, model_is, "{} after act {}: {:?}", hazard, n, act);
                if let Some(i) = found.filter(|i| i.severity == Severity::Emergency && i.active() && i.inhibited.is_none() && i.resolved.is_none()) {
                    let due = i.climb.due();
                    prop_assert!(due.is_some_and(|d| d > now && d <= now + 30 * MINUTE), "an emergency is climbed: {:?}", due);
                }
            }
            if *snapshot {
                let bytes = g.state.encode();
                g.state = State::decode(&bytes).unwrap();
                prop_assert!(g.state.encode() == bytes, "{}", super::partition::difference(&g.state.encode(), &bytes));
            }
        }
    }
}
