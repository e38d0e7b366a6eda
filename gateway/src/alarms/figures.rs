//! Incident events -> figures of alarm quality. Pure: the same events give the same figures.
//!
//! What is counted, after ISA-18.2-2016 / IEC 62682:2022 and EEMUA 191 (third edition):
//!
//! - *alarm*: whatever calls people anew: an incident opens, becomes active again, is raised, or is found to chatter. What was suppressed, shelved or
//!   out of service called nobody and stands apart; so do drills and canaries, and findings that joined a pattern.
//! - *flood*: more than 10 alarms in 10 minutes ([`super::flood`]).
//! - *chattering*: three alarms of one rule at one place within a minute (ISA-18.2), or the engine's own finding (five in half an hour).
//! - *stale*: active for longer than 24 hours without a break.
//! - *bad actor*: a rule at one place and device with many of all alarms, that chatters, or that is mostly false.
//! - *false share*: of the incidents of a rule of which somebody has said what they were, those that were false.
use super::flood::{Flood, floods};
use super::period::{DAY_MS, Period};
use super::times::{Targets, Times, slot};
use std::collections::BTreeMap;
use tuoan_protocol::{CauseCode, DeviceId, Exercise, HazardId, IncidentEvent, IncidentId, RuleId, Severity, Transition, ZoneId};

/// Active for longer than this is stale.
pub const STALE_MS: i64 = DAY_MS;
/// So many alarms of one source within so many milliseconds are chatter.
const CHATTER: usize = 3;
const CHATTER_MS: i64 = 60_000;
/// Chatter after a quiet of so long is another spell.
const SPELL_MS: i64 = 10 * 60_000;
/// Sources ranked as bad actors: the "top ten" of both documents.
pub const ACTORS: usize = 10;
/// Late answers and stale alarms named.
const NAMED: usize = 50;
/// Incidents and sources followed one by one; a rule that is wrong by far must not take all memory.
const FOLLOWED: usize = 100_000;

/// Who raises an alarm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    pub rule: RuleId,
    pub zone: ZoneId,
    /// That the finding is about, or whose reading decided.
    pub device: Option<DeviceId>,
}

impl Source {
    fn of(e: &IncidentEvent) -> Source {
        let device = e.place.device.clone().or_else(|| e.trigger.as_ref().map(|t| t.device.clone()));
        Source { rule: e.rule.clone(), zone: e.place.zone.clone(), device }
    }
}

/// What incidents turned out to be, as people said. Counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Opened in the period.
    pub incidents: u64,
    pub real: u64,
    pub wrong: u64,
    pub test: u64,
    pub maintenance: u64,
}

impl Verdicts {
    /// Of which somebody has said what they were.
    pub fn judged(&self) -> u64 {
        self.real + self.wrong + self.test + self.maintenance
    }
    pub fn unjudged(&self) -> u64 {
        self.incidents.saturating_sub(self.judged())
    }
    /// Share of the judged that were false, 0 to 1; `None` while none is judged.
    pub fn false_share(&self) -> Option<f64> {
        (self.judged() > 0).then(|| self.wrong as f64 / self.judged() as f64)
    }
    fn count(&mut self, cause: Option<CauseCode>) {
        self.incidents += 1;
        match cause {
            Some(CauseCode::Real) => self.real += 1,
            Some(CauseCode::False) => self.wrong += 1,
            Some(CauseCode::Test) => self.test += 1,
            Some(CauseCode::Maintenance) => self.maintenance += 1,
            None => {}
        }
    }
}

/// A rule at one place and device.
#[derive(Debug, Clone, PartialEq)]
pub struct Actor {
    pub source: Source,
    pub hazard: HazardId,
    /// The most urgent it was.
    pub severity: Severity,
    pub alarms: u64,
    /// Of all alarms of the period, 0 to 1.
    pub share: f64,
    /// Spells of chatter.
    pub chatter: u64,
    /// Activations within chatter that were counted and told to nobody.
    pub held_back: u64,
    /// Of its incidents.
    pub stale: u64,
    pub verdicts: Verdicts,
}

impl Actor {
    /// At least three were judged, and half of them were false.
    pub fn is_mostly_false(&self) -> bool {
        self.verdicts.judged() >= 3 && self.verdicts.wrong * 2 >= self.verdicts.judged()
    }
    /// At least three were judged, and most of them were real.
    pub fn is_mostly_real(&self) -> bool {
        self.verdicts.judged() >= 3 && self.verdicts.real * 2 > self.verdicts.judged()
    }
}

/// Active for too long. Times are UTC milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    pub incident: IncidentId,
    pub source: Source,
    pub hazard: HazardId,
    pub severity: Severity,
    pub since: i64,
    /// `None`: still active at the end of the period.
    pub until: Option<i64>,
}

/// What was asked of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    Acknowledge,
    Handle,
}

/// An answer that came later than its target, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    pub incident: IncidentId,
    pub source: Source,
    pub hazard: HazardId,
    pub severity: Severity,
    /// UTC milliseconds.
    pub opened_at: i64,
    pub duty: Duty,
    /// Milliseconds.
    pub took: i64,
    pub target: i64,
    /// False: nobody had done it by the end.
    pub done: bool,
}

/// What is no alarm, or called nobody. Counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Apart {
    pub drills: u64,
    pub canaries: u64,
    /// What devices said while they were proved.
    pub tests: u64,
    /// How often incidents were shelved, suppressed by design, or out of service.
    pub shelved: u64,
    pub suppressed: u64,
    pub out_of_service: u64,
    /// What would have been alarms but for that.
    pub unannounced: u64,
    /// Activations within chatter.
    pub held_back: u64,
    /// Findings told as part of another incident.
    pub gathered: u64,
    pub merged: u64,
}

/// Alarms of one local day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Since 1970-01-01.
    pub day: i64,
    pub by_severity: [u64; 4],
}

impl Day {
    pub fn alarms(&self) -> u64 {
        self.by_severity.iter().sum()
    }
}

/// All figures of a period.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    pub period: Period,
    /// UTC milliseconds: from then on there is a record. Rates are by the time since, or since the period began.
    pub recorded_from: i64,
    pub alarms: u64,
    pub by_severity: [u64; 4],
    /// Alarms by day, without a gap; and by hour of the day, over all days.
    pub days: Vec<Day>,
    pub hours: [u64; 24],
    pub per_hour: f64,
    pub per_day: f64,
    /// Most alarms within any ten minutes.
    pub peak: u64,
    pub floods: Vec<Flood>,
    /// Of the recorded time, 0 to 1.
    pub flood_share: f64,
    /// Sources that chattered.
    pub chattering: u64,
    pub stale: Vec<Stale>,
    /// Worst first, at most [`ACTORS`].
    pub actors: Vec<Actor>,
    /// Share of the actors' alarms in all, 0 to 1.
    pub actors_share: f64,
    /// Opened in the period, by rule; and all together.
    pub rules: BTreeMap<RuleId, Verdicts>,
    pub verdicts: Verdicts,
    /// By severity 1 to 4.
    pub acknowledge: [Times; 4],
    pub handle: [Times; 4],
    /// Most urgent first, then those that took longest.
    pub late: Vec<Late>,
    pub apart: Apart,
    /// Alarms whose time is in doubt: the clock was not known to be right.
    pub clock_doubt: u64,
    /// More happened than could be followed one by one: what is said of incidents is too low.
    pub incomplete: bool,
}

/// The figures of those events (in order of their sequence, from any time before the period on).
pub fn figures<'a>(events: impl IntoIterator<Item = &'a IncidentEvent>, period: Period, recorded_from: i64, targets: &Targets) -> Figures {
    let mut fold = Fold::new(period, targets.clone());
    events.into_iter().for_each(|e| fold.event(e));
    fold.finish(recorded_from)
}

/// What is remembered of one incident.
#[derive(Debug, Clone)]
struct Known {
    source: Source,
    hazard: HazardId,
    severity: Severity,
    opened_at: i64,
    /// It was told when it opened.
    told: bool,
    activations: u32,
    active_since: Option<i64>,
    noted: Option<i64>,
    handled: Option<i64>,
    /// Closed, or gone into another.
    ended: Option<i64>,
    merged: bool,
    cause: Option<CauseCode>,
}

#[derive(Debug, Clone)]
struct Tally {
    hazard: HazardId,
    severity: Severity,
    alarms: u64,
    chatter: u64,
    held_back: u64,
    stale: u64,
    verdicts: Verdicts,
    /// Newest alarms, at most [`CHATTER`]; and when it last chattered.
    recent: Vec<i64>,
    chattered_at: Option<i64>,
}

/// Figures in the making. Memory: that of the incidents which touch the period, at most [`FOLLOWED`].
#[derive(Debug)]
pub struct Fold {
    period: Period,
    targets: Targets,
    known: BTreeMap<IncidentId, Known>,
    sources: BTreeMap<Source, Tally>,
    times: Vec<i64>,
    days: BTreeMap<i64, [u64; 4]>,
    hours: [u64; 24],
    by_severity: [u64; 4],
    stale: Vec<Stale>,
    apart: Apart,
    clock_doubt: u64,
    incomplete: bool,
}

impl Fold {
    pub fn new(period: Period, targets: Targets) -> Fold {
        Fold {
            period,
            targets,
            known: BTreeMap::new(),
            sources: BTreeMap::new(),
            times: Vec::new(),
            days: BTreeMap::new(),
            hours: [0; 24],
            by_severity: [0; 4],
            stale: Vec::new(),
            apart: Apart::default(),
            clock_doubt: 0,
            incomplete: false,
        }
    }

    /// The next event of the log.
    pub fn event(&mut self, e: &IncidentEvent) {
        if e.at >= self.period.to {
            return;
        }
        let inside = self.period.contains(e.at);
        if let Some(exercise) = e.exercise {
            if inside && e.transition == Transition::Opened {
                match exercise {
                    Exercise::Drill => self.apart.drills += 1,
                    Exercise::Canary => self.apart.canaries += 1,
                    Exercise::Commissioning => self.apart.tests += 1,
                }
            }
            return;
        }
        let before = self.known.get(&e.incident).map(|k| k.activations);
        let news = match e.transition {
            Transition::Opened | Transition::Reactivated | Transition::Raised => true,
            // Found at its opening it has been told already.
            Transition::Chattering => before.is_none_or(|b| e.activations > b),
            _ => false,
        };
        if inside {
            let more = before.map_or(0, |b| e.activations.saturating_sub(b)).saturating_sub(u32::from(news));
            self.count(e, news, u64::from(more));
        }
        self.follow(e);
    }

    /// What the event adds to the counts. `held_back`: activations since the event before it that were not told.
    fn count(&mut self, e: &IncidentEvent, news: bool, held_back: u64) {
        match e.transition {
            Transition::Shelved => self.apart.shelved += 1,
            Transition::Suppressed => self.apart.suppressed += 1,
            Transition::OutOfService => self.apart.out_of_service += 1,
            Transition::Gathered => self.apart.gathered += 1,
            // Both sides say it.
            Transition::Merged if e.state.closed => self.apart.merged += 1,
            _ => {}
        }
        self.apart.held_back += held_back;
        if news && e.state.inhibited.is_some() {
            self.apart.unannounced += 1;
        } else if news {
            self.alarm(e);
        }
        if (held_back > 0 || e.transition == Transition::Chattering)
            && let Some(tally) = self.tally(e)
        {
            tally.held_back += held_back;
            if e.transition == Transition::Chattering {
                tally.chatters(e.at);
            }
        }
    }

    fn alarm(&mut self, e: &IncidentEvent) {
        let severity = slot(e.severity);
        let add = |counts: &mut [u64; 4]| {
            if let Some(n) = counts.get_mut(severity) {
                *n += 1;
            }
        };
        add(&mut self.by_severity);
        add(self.days.entry(self.period.day(e.at)).or_default());
        if let Some(n) = self.hours.get_mut(self.period.hour(e.at)) {
            *n += 1;
        }
        self.times.push(e.at);
        self.clock_doubt += u64::from(!e.clock_trusted);
        let Some(tally) = self.tally(e) else { return };
        tally.alarms += 1;
        tally.severity = tally.severity.min(e.severity);
        tally.recent.retain(|t| e.at.saturating_sub(*t) < CHATTER_MS);
        tally.recent.push(e.at);
        if tally.recent.len() >= CHATTER {
            tally.recent.remove(0);
            tally.chatters(e.at);
        }
    }

    fn tally(&mut self, e: &IncidentEvent) -> Option<&mut Tally> {
        let source = Source::of(e);
        if self.sources.len() >= FOLLOWED && !self.sources.contains_key(&source) {
            self.incomplete = true;
            return None;
        }
        Some(self.sources.entry(source).or_insert_with(|| Tally::new(e.hazard.clone(), e.severity)))
    }

    /// What the event says of its incident.
    fn follow(&mut self, e: &IncidentEvent) {
        if e.transition == Transition::Opened {
            if self.known.len() >= FOLLOWED {
                self.incomplete = true;
                return;
            }
            let known = Known {
                source: Source::of(e),
                hazard: e.hazard.clone(),
                severity: e.severity,
                opened_at: e.at,
                told: e.state.inhibited.is_none(),
                activations: e.activations,
                active_since: e.state.active.then_some(e.at),
                noted: None,
                handled: None,
                ended: None,
                merged: false,
                cause: None,
            };
            self.known.insert(e.incident.clone(), known);
            return;
        }
        let Some(known) = self.known.get_mut(&e.incident) else { return };
        known.activations = e.activations;
        match e.transition {
            Transition::Acknowledged | Transition::Assigned => known.note(e.at),
            // A person has looked at it, and decided.
            Transition::Shelved if e.actor.is_some() => known.note(e.at),
            Transition::Returned => _ = known.handled.get_or_insert(e.at),
            Transition::Resolved => {
                known.note(e.at);
                known.handled.get_or_insert(e.at);
                known.cause = e.cause.or(known.cause);
            }
            // It was not handled after all.
            Transition::Reopened => (known.handled, known.cause, known.ended) = (None, None, None),
            Transition::Merged if e.state.closed => (known.merged, known.ended) = (true, Some(e.at)),
            Transition::Closed => known.ended = Some(e.at),
            _ => {}
        }
        let goes_on = e.state.active && !e.state.closed;
        match (goes_on, known.active_since) {
            (true, None) => known.active_since = Some(e.at),
            (false, Some(since)) => {
                known.active_since = None;
                let known = known.clone();
                self.judge_age(&e.incident, &known, since, Some(e.at));
            }
            _ => {}
        }
        // What was over before the period began is not asked for any more.
        if e.state.closed && e.at < self.period.from {
            self.known.remove(&e.incident);
        }
    }

    fn judge_age(&mut self, id: &IncidentId, known: &Known, since: i64, until: Option<i64>) {
        let end = until.unwrap_or(self.period.to);
        if end.saturating_sub(since) <= STALE_MS || end <= self.period.from {
            return;
        }
        if let Some(tally) = self.sources.get_mut(&known.source) {
            tally.stale += 1;
        }
        let (source, hazard, severity) = (known.source.clone(), known.hazard.clone(), known.severity);
        self.stale.push(Stale { incident: id.clone(), source, hazard, severity, since, until });
    }

    /// The figures. `recorded_from`: since when there is a record at all, UTC milliseconds.
    pub fn finish(mut self, recorded_from: i64) -> Figures {
        let period = self.period;
        let known = std::mem::take(&mut self.known);
        for (id, k) in &known {
            if let Some(since) = k.active_since {
                self.judge_age(id, k, since, None);
            }
        }
        self.stale.sort_by_key(|s| s.since);
        self.stale.truncate(NAMED);
        self.times.sort_unstable();
        let (floods, peak) = floods(&self.times, period.to);
        let (mut rules, mut verdicts) = (BTreeMap::<RuleId, Verdicts>::new(), Verdicts::default());
        for k in known.values().filter(|k| period.contains(k.opened_at)) {
            verdicts.count(k.cause);
            rules.entry(k.source.rule.clone()).or_default().count(k.cause);
            if let Some(tally) = self.sources.get_mut(&k.source) {
                tally.verdicts.count(k.cause);
            }
        }
        let mut late = Vec::new();
        let acknowledge = self.answers(&known, Duty::Acknowledge, &mut late);
        let handle = self.answers(&known, Duty::Handle, &mut late);
        late.sort_by(|a, b| (a.severity, -a.took, &a.incident, a.duty).cmp(&(b.severity, -b.took, &b.incident, b.duty)));
        late.truncate(NAMED);

        let recorded_from = recorded_from.clamp(period.from, period.to.max(period.from));
        let recorded = period.to.saturating_sub(recorded_from).max(1) as f64;
        let alarms = self.times.len() as u64;
        let chattering = self.sources.values().filter(|t| t.chatter > 0).count() as u64;
        let actors = actors(self.sources, alarms);
        let flooded: i64 = floods.iter().map(|f| f.to.saturating_sub(f.from)).sum();
        let days = period.days().map(|day| Day { day, by_severity: self.days.get(&day).copied().unwrap_or_default() });
        Figures {
            period,
            recorded_from,
            alarms,
            by_severity: self.by_severity,
            days: days.collect(),
            hours: self.hours,
            per_hour: alarms as f64 * super::period::HOUR_MS as f64 / recorded,
            per_day: alarms as f64 * DAY_MS as f64 / recorded,
            peak,
            flood_share: (flooded as f64 / recorded).min(1.0),
            floods,
            chattering,
            stale: self.stale,
            actors_share: actors.iter().map(|a| a.share).sum(),
            actors,
            rules,
            verdicts,
            acknowledge,
            handle,
            late,
            apart: self.apart,
            clock_doubt: self.clock_doubt,
            incomplete: self.incomplete,
        }
    }

    /// Answers to what opened in the period, by severity. What was told to nobody asks for none, and what went into another is answered there.
    fn answers(&self, known: &BTreeMap<IncidentId, Known>, duty: Duty, late: &mut Vec<Late>) -> [Times; 4] {
        let targets = match duty {
            Duty::Acknowledge => self.targets.acknowledge,
            Duty::Handle => self.targets.handle,
        };
        let (mut answers, mut waits): ([Vec<i64>; 4], [Vec<i64>; 4]) = Default::default();
        for (id, k) in known.iter().filter(|(_, k)| k.told && self.period.contains(k.opened_at)) {
            let (answer, over) = match duty {
                Duty::Acknowledge => (k.noted, k.handled.or(k.ended)),
                Duty::Handle => (k.handled, k.ended),
            };
            if answer.is_none() && k.merged {
                continue;
            }
            let took = answer.or(over).unwrap_or(self.period.to).saturating_sub(k.opened_at).max(0);
            let list = if answer.is_some() { &mut answers } else { &mut waits };
            if let Some(list) = list.get_mut(slot(k.severity)) {
                list.push(took);
            }
            if let Some(target) = targets.get(slot(k.severity)).copied().flatten().filter(|t| took > *t) {
                late.push(Late {
                    incident: id.clone(),
                    source: k.source.clone(),
                    hazard: k.hazard.clone(),
                    severity: k.severity,
                    opened_at: k.opened_at,
                    duty,
                    took,
                    target,
                    done: answer.is_some(),
                });
            }
        }
        let mut of = |n: usize| {
            let take = |lists: &mut [Vec<i64>; 4]| lists.get_mut(n).map(std::mem::take).unwrap_or_default();
            Times::new(targets.get(n).copied().flatten(), take(&mut answers), &take(&mut waits))
        };
        [of(0), of(1), of(2), of(3)]
    }
}

impl Known {
    fn note(&mut self, at: i64) {
        self.noted.get_or_insert(at);
    }
}

impl Tally {
    fn new(hazard: HazardId, severity: Severity) -> Tally {
        Tally {
            hazard,
            severity,
            alarms: 0,
            chatter: 0,
            held_back: 0,
            stale: 0,
            verdicts: Verdicts::default(),
            recent: Vec::new(),
            chattered_at: None,
        }
    }
    fn chatters(&mut self, at: i64) {
        if self.chattered_at.is_none_or(|t| at.saturating_sub(t) > SPELL_MS) {
            self.chatter += 1;
        }
        self.chattered_at = Some(at);
    }
}

/// The worst sources: by alarms; of equal ones that which chatters, is stale, or was false more often.
fn actors(sources: BTreeMap<Source, Tally>, all: u64) -> Vec<Actor> {
    let mut list: Vec<Actor> = sources
        .into_iter()
        .filter(|(_, t)| t.alarms > 0)
        .map(|(source, t)| Actor {
            source,
            hazard: t.hazard,
            severity: t.severity,
            alarms: t.alarms,
            share: t.alarms as f64 / all.max(1) as f64,
            chatter: t.chatter,
            held_back: t.held_back,
            stale: t.stale,
            verdicts: t.verdicts,
        })
        .collect();
    let order = |a: &Actor| (a.alarms, a.chatter, a.stale, a.verdicts.wrong);
    list.sort_by(|a, b| order(b).cmp(&order(a)).then_with(|| a.source.cmp(&b.source)));
    list.truncate(ACTORS);
    list
}
