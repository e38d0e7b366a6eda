//! How many messages a receiver takes, decided without doing anything: PURE, the time comes as an argument.
//!
//! What must hold, whatever is asked in whatever order:
//! - never more messages than the receiver's limit within any [`WINDOW_MS`], nor more for a person than its limit a calendar day;
//! - a message of severity 1 or 2 never waits while there is room, and never behind one of 3 or 4, which may fill only [`SHARE`] of the room;
//! - nothing is lost: each pending message is sent, or named in a digest, or waits for a time that is known. Messages of severity 1 and 2 go
//!   one by one as long as they fit; when they do not, the gravest and oldest go first and the others at once together, each named.
use super::channels::Limits;
use std::collections::{BTreeMap, VecDeque};
use tuoan_protocol::Severity;

/// Limits of "so many a minute" are kept over this time: a receiver counts by its own clock and when messages arrive, not when they leave.
pub const WINDOW_MS: i64 = 61_000;
/// Most incidents named by one digest: more would not fit into the 2,048 bytes that some receivers take.
pub const DIGEST_MAX: usize = 15;
/// Numerator and denominator of what messages of severity 3 and 4 may fill: 12 of 20.
const SHARE: (u32, u32) = (3, 5);
const DAY_MS: i64 = 86_400_000;

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub severity: Severity,
    /// UTC milliseconds since when it has waited: of equal severity the oldest goes first.
    pub since: i64,
    /// Whom it reaches: one person, or `None` for a group that sees everything. Only messages to the same are gathered.
    pub person: Option<String>,
}

/// What is to become of a pending message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Send,
    /// Named in one digest together with all others of the same number. A digest has 2 to [`DIGEST_MAX`] of them and counts as one message.
    Gather(usize),
    /// Nothing before this time (UTC milliseconds); ask again then.
    Wait(i64),
}

/// What a channel has sent of late. Bounded by the limits and by the number of persons.
#[derive(Debug, Clone)]
pub struct Cap {
    limits: Limits,
    utc_offset_ms: i64,
    /// When, and whether of severity 1 or 2.
    sent: VecDeque<(i64, bool)>,
    /// Local day; how many a person got on it, and how many of these of severity 3 and 4.
    day: i64,
    people: BTreeMap<String, (u32, u32)>,
}

impl Cap {
    /// `utc_offset_minutes`: zone in which the receiver's day begins.
    pub fn new(limits: Limits, utc_offset_minutes: i32) -> Cap {
        Cap { limits, utc_offset_ms: i64::from(utc_offset_minutes) * 60_000, sent: VecDeque::new(), day: i64::MIN, people: BTreeMap::new() }
    }

    /// A message (or digest) was handed to the receiver at `now`; also for messages from before a restart, oldest first. An attempt without an
    /// answer counts: it may have arrived.
    pub fn sent(&mut self, severity: Severity, person: Option<&str>, now: i64) {
        if let Some(limit) = self.limits.per_minute {
            self.sent.retain(|(at, _)| counts(*at, now));
            self.sent.push_back((now, grave(severity)));
            while self.sent.len() > limit as usize {
                self.sent.pop_front();
            }
        }
        if let (Some(_), Some(person)) = (self.limits.per_person_day, person) {
            let day = self.day_of(now);
            if day != self.day {
                self.day = day;
                self.people.clear();
            }
            let (all, light) = self.people.entry(person.to_owned()).or_default();
            *all = all.saturating_add(1);
            *light = light.saturating_add(u32::from(!grave(severity)));
        }
    }

    /// A verdict for each message of `queue`, in its order.
    pub fn plan(&self, queue: &[Pending], now: i64) -> Vec<Verdict> {
        let mut order: Vec<usize> = (0..queue.len()).collect();
        order.sort_by_key(|i| queue.get(*i).map(|p| (p.severity, p.since, *i)));
        let (high, low): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|i| queue.get(*i).is_some_and(|p| grave(p.severity)));
        let mut plan = Plan { cap: self, queue, now, verdicts: vec![None; queue.len()], groups: 0, used: 0, used_by: BTreeMap::new() };
        plan.allot(&high, true);
        plan.allot(&low, false);
        plan.verdicts.into_iter().map(|v| v.unwrap_or(Verdict::Wait(now.saturating_add(1000)))).collect()
    }

    /// Messages that may still go within the window, and when there will be more room.
    fn room(&self, high: bool, now: i64) -> (usize, i64) {
        let Some(limit) = self.limits.per_minute else { return (usize::MAX, now) };
        let limit = limit.max(1) as usize;
        let most_light = light_share(limit as u32) as usize;
        let counting: Vec<(i64, bool)> = self.sent.iter().copied().filter(|(at, _)| counts(*at, now)).collect();
        let all = limit.saturating_sub(counting.len());
        let opens = |at: Option<&(i64, bool)>| at.map_or(now.saturating_add(1), |(at, _)| at.saturating_add(WINDOW_MS));
        let all_opens = opens(counting.first());
        if high {
            return (all, all_opens);
        }
        let light: Vec<&(i64, bool)> = counting.iter().filter(|(_, grave)| !grave).collect();
        let share = most_light.saturating_sub(light.len());
        let share_opens = opens(light.first().copied());
        let opens = match (all, share) {
            (0, 0) => all_opens.max(share_opens),
            (_, 0) => share_opens,
            _ => all_opens,
        };
        (all.min(share), opens)
    }

    /// The same for a person's day.
    fn room_of(&self, person: &str, high: bool, now: i64) -> usize {
        let Some(limit) = self.limits.per_person_day else { return usize::MAX };
        let (all, light) = if self.day_of(now) == self.day { self.people.get(person).copied().unwrap_or_default() } else { (0, 0) };
        let left = limit.saturating_sub(all);
        if high { left as usize } else { left.min(light_share(limit).saturating_sub(light)) as usize }
    }

    fn day_of(&self, now: i64) -> i64 {
        now.saturating_add(self.utc_offset_ms).div_euclid(DAY_MS)
    }

    fn tomorrow(&self, now: i64) -> i64 {
        self.day_of(now).saturating_add(1).saturating_mul(DAY_MS).saturating_sub(self.utc_offset_ms)
    }
}

/// One call of [`Cap::plan`].
struct Plan<'a> {
    cap: &'a Cap,
    queue: &'a [Pending],
    now: i64,
    verdicts: Vec<Option<Verdict>>,
    groups: usize,
    /// Messages given out by this plan.
    used: usize,
    used_by: BTreeMap<&'a str, usize>,
}

impl<'a> Plan<'a> {
    /// Verdicts for these messages, which are in order of precedence.
    fn allot(&mut self, class: &[usize], high: bool) {
        let (room, opens) = self.cap.room(high, self.now);
        // What severity 1 and 2 have just been given is gone from the whole; the share of 3 and 4 is smaller than the whole.
        let room = if high { room } else { room.min(self.cap.room(true, self.now).0.saturating_sub(self.used)) };
        let (mut open, mut rest): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        for i in class {
            if self.room_of(*i, high) == 0 {
                self.verdict(*i, Verdict::Wait(self.cap.tomorrow(self.now)));
            } else {
                open.push(*i);
            }
        }
        let mut units = self.units(&open, room, high);
        // Even gathered there are more than fit: the gravest first.
        let mut left = room;
        let mut left_of: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for unit in units.drain(..) {
            let Some(first) = unit.first().copied() else { continue };
            let person = self.person(first);
            let of = left_of.entry(person).or_insert_with(|| self.room_of(first, high));
            if left == 0 || *of == 0 {
                let until = if left == 0 { opens } else { self.cap.tomorrow(self.now) };
                rest.extend(unit.iter().copied());
                unit.iter().for_each(|i| self.verdict(*i, Verdict::Wait(until)));
                continue;
            }
            left = left.saturating_sub(1);
            *of = of.saturating_sub(1);
            self.used = self.used.saturating_add(1);
            if let Some(person) = person {
                let used = self.used_by.entry(person).or_default();
                *used = used.saturating_add(1);
            }
            if let [only] = unit.as_slice() {
                self.verdict(*only, Verdict::Send);
            } else {
                let group = self.groups;
                self.groups = self.groups.saturating_add(1);
                unit.iter().for_each(|i| self.verdict(*i, Verdict::Gather(group)));
            }
        }
    }

    /// What goes out as one message each: as many single messages as leave room for digests of all others; in order of precedence.
    fn units(&self, open: &[usize], room: usize, high: bool) -> Vec<Vec<usize>> {
        let single = |list: &[usize]| list.iter().map(|i| vec![*i]).collect::<Vec<_>>();
        if !self.cap.limits.digests {
            return single(open);
        }
        for singles in (0..=open.len().min(room)).rev() {
            let (first, others) = open.split_at(singles);
            let mut units = single(first);
            units.extend(self.gathered(others));
            if units.len() <= room && self.fits_people(&units, high) {
                return units;
            }
        }
        self.gathered(open)
    }

    /// Digests of at most [`DIGEST_MAX`], of one receiver each, the gravest first.
    fn gathered(&self, list: &[usize]) -> Vec<Vec<usize>> {
        let mut by_person: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
        for i in list {
            by_person.entry(self.person(*i)).or_default().push(*i);
        }
        let mut units: Vec<Vec<usize>> = by_person.values().flat_map(|of| of.chunks(DIGEST_MAX).map(<[usize]>::to_vec)).collect();
        units.sort_by_key(|u| u.first().and_then(|i| self.queue.get(*i)).map(|p| (p.severity, p.since)));
        units
    }

    fn fits_people(&self, units: &[Vec<usize>], high: bool) -> bool {
        let mut count: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        units.iter().filter_map(|u| u.first()).all(|i| {
            let n = count.entry(self.person(*i)).or_default();
            *n = n.saturating_add(1);
            *n <= self.room_of(*i, high)
        })
    }

    fn person(&self, i: usize) -> Option<&'a str> {
        self.queue.get(i).and_then(|p| p.person.as_deref())
    }

    fn room_of(&self, i: usize, high: bool) -> usize {
        let Some(person) = self.person(i) else { return usize::MAX };
        let used = self.used_by.get(person).copied().unwrap_or_default();
        let left = self.cap.room_of(person, true, self.now).saturating_sub(used);
        if high { left } else { left.min(self.cap.room_of(person, false, self.now)) }
    }

    fn verdict(&mut self, i: usize, verdict: Verdict) {
        if let Some(slot) = self.verdicts.get_mut(i) {
            *slot = Some(verdict);
        }
    }
}

fn grave(severity: Severity) -> bool {
    severity <= Severity::Serious
}

fn light_share(limit: u32) -> u32 {
    (limit.saturating_mul(SHARE.0) / SHARE.1).max(1)
}

/// Still within the window. Times after `now` are from before the clock was set back; the near ones count.
fn counts(at: i64, now: i64) -> bool {
    at > now.saturating_sub(WINDOW_MS) && at < now.saturating_add(WINDOW_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROBOT: Limits = Limits { per_minute: Some(20), per_person_day: None, drops_identical_for_s: None, digests: true };
    const T0: i64 = 1_772_417_175_000;

    fn pending(severity: u8, since: i64) -> Pending {
        Pending { severity: Severity::try_from(severity).unwrap(), since, person: None }
    }
    fn of(person: &str, severity: u8, since: i64) -> Pending {
        Pending { person: Some(person.into()), ..pending(severity, since) }
    }
    fn count(plan: &[Verdict], f: impl Fn(&Verdict) -> bool) -> usize {
        plan.iter().filter(|v| f(v)).count()
    }
    /// Carries the plan out; the messages that stay.
    fn carry_out(cap: &mut Cap, queue: &[Pending], now: i64) -> Vec<Pending> {
        let plan = cap.plan(queue, now);
        let mut digests: BTreeMap<usize, &Pending> = BTreeMap::new();
        let mut left = Vec::new();
        for (p, v) in queue.iter().zip(&plan) {
            match v {
                Verdict::Send => cap.sent(p.severity, p.person.as_deref(), now),
                Verdict::Gather(g) => {
                    let gravest = digests.entry(*g).or_insert(p);
                    if p.severity < gravest.severity {
                        *gravest = p;
                    }
                }
                Verdict::Wait(_) => left.push(p.clone()),
            }
        }
        for p in digests.values() {
            cap.sent(p.severity, p.person.as_deref(), now);
        }
        left
    }

    #[test]
    fn few_messages_go_at_once_whatever_they_are() {
        let cap = Cap::new(ROBOT, 480);
        let queue: Vec<_> = (0..12).map(|i| pending(4, T0 + i)).collect();
        assert_eq!(count(&cap.plan(&queue, T0), |v| *v == Verdict::Send), 12);
    }

    #[test]
    fn many_light_ones_are_gathered_and_leave_room_for_grave_ones() {
        let mut cap = Cap::new(ROBOT, 480);
        let queue: Vec<_> = (0..20).map(|i| pending(3, T0 + i)).collect();
        let plan = cap.plan(&queue, T0);
        assert_eq!(count(&plan, |v| *v == Verdict::Send), 11);
        assert_eq!(count(&plan, |v| *v == Verdict::Gather(0)), 9);
        assert_eq!(carry_out(&mut cap, &queue, T0), []);
        // The light share is used up; eight grave ones still go at once.
        let queue: Vec<_> = (0..9).map(|i| pending(if i == 0 { 4 } else { 2 }, T0 + i)).collect();
        let plan = cap.plan(&queue, T0 + 1000);
        assert_eq!(plan[0], Verdict::Wait(T0 + WINDOW_MS));
        assert_eq!(count(&plan, |v| *v == Verdict::Send), 8);
    }

    #[test]
    fn too_many_grave_ones_go_by_severity_and_the_rest_at_once_by_name() {
        let mut cap = Cap::new(ROBOT, 480);
        let mut queue: Vec<_> = (0..28).map(|i| pending(2, T0 + i)).collect();
        queue.extend((0..4).map(|i| pending(1, T0 + 100 + i)));
        queue.push(pending(3, T0 - 1000));
        let plan = cap.plan(&queue, T0 + 200);
        assert!(plan[28..32].iter().all(|v| *v == Verdict::Send), "emergencies go singly");
        assert_eq!(count(&plan, |v| *v == Verdict::Send), 19);
        assert_eq!(count(&plan, |v| *v == Verdict::Gather(0)), 13);
        assert_eq!(plan[32], Verdict::Wait(T0 + 201), "a light one does not get ahead");
        let left = carry_out(&mut cap, &queue, T0 + 200);
        assert_eq!(left.len(), 1);
        // The window is full: an emergency waits for it, and no longer.
        assert_eq!(cap.plan(&[pending(1, T0 + 300)], T0 + 300), [Verdict::Wait(T0 + 200 + WINDOW_MS)]);
        assert_eq!(cap.plan(&[pending(1, T0 + 300)], T0 + 200 + WINDOW_MS), [Verdict::Send]);
    }

    #[test]
    fn without_digests_the_gravest_go_and_the_others_wait() {
        let cap = Cap::new(Limits { digests: false, per_minute: Some(2), ..ROBOT }, 480);
        let plan = cap.plan(&[pending(2, T0), pending(1, T0 + 5), pending(2, T0 - 5)], T0 + 10);
        assert_eq!((plan[1], plan[2]), (Verdict::Send, Verdict::Send));
        assert!(matches!(plan[0], Verdict::Wait(_)));
    }

    #[test]
    fn a_person_gets_no_more_than_the_day_allows() {
        let limits = Limits { per_minute: None, per_person_day: Some(10), drops_identical_for_s: Some(86_400), digests: true };
        let mut cap = Cap::new(limits, 480);
        let queue: Vec<_> = (0..40).map(|i| of("li", 3, T0 + i)).chain([of("wang", 3, T0)]).collect();
        let plan = cap.plan(&queue, T0);
        assert_eq!((count(&plan, |v| *v == Verdict::Send), plan[40]), (4, Verdict::Send), "three singly to li, one to wang");
        assert_eq!(carry_out(&mut cap, &queue, T0), []);
        let midnight = (T0 + 8 * 3_600_000).div_euclid(DAY_MS) * DAY_MS + DAY_MS - 8 * 3_600_000;
        assert_eq!(cap.plan(&[of("li", 3, T0)], T0 + 1), [Verdict::Wait(midnight)]);
        assert_eq!(cap.plan(&[of("li", 1, T0)], T0 + 1), [Verdict::Send]);
        assert_eq!(cap.plan(&[of("li", 3, T0)], midnight), [Verdict::Send]);
    }

    #[derive(Debug, Clone)]
    struct Arrival {
        after: i64,
        severity: u8,
        person: u8,
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
        /// Any traffic: the limits hold in every window and day; grave messages wait only for the receiver; nobody is lost.
        #[test]
        fn limits_hold_and_nobody_is_lost(
            limit in 1u32..24,
            day in prop::option::of(5u32..40),
            digests in any::<bool>(),
            arrivals in prop::collection::vec((0i64..4000, 1u8..=4, 0u8..3).prop_map(|(after, severity, person)| Arrival { after, severity, person }), 1..150),
        ) {
            let limits = Limits { per_minute: Some(limit), per_person_day: day, drops_identical_for_s: None, digests };
            let mut cap = Cap::new(limits, 480);
            let (mut now, mut queue) = (T0, Vec::<Pending>::new());
            let mut sent = Vec::<(i64, Option<String>)>::new();
            let (mut told, mut waiting) = (0usize, arrivals.clone().into_iter().peekable());
            let mut steps = 0;
            while waiting.peek().is_some() || !queue.is_empty() {
                steps += 1;
                prop_assert!(steps < 20_000, "it ends");
                let plan = cap.plan(&queue, now);
                prop_assert_eq!(plan.len(), queue.len());
                let in_window = sent.iter().filter(|(at, _)| *at > now - WINDOW_MS).count();
                let going = plan.iter().filter(|v| **v == Verdict::Send).count()
                    + plan.iter().filter_map(|v| if let Verdict::Gather(g) = v { Some(*g) } else { None }).collect::<std::collections::BTreeSet<_>>().len();
                prop_assert!(in_window + going <= limit as usize);
                for (p, v) in queue.iter().zip(&plan) {
                    if let Verdict::Wait(until) = v {
                        prop_assert!(*until > now, "a wait ends in the future");
                        if grave(p.severity) && day.is_none() {
                            prop_assert_eq!(in_window + going, limit as usize, "a grave message waits only for a full window");
                            let light = queue.iter().zip(&plan).any(|(q, w)| !grave(q.severity) && !matches!(w, Verdict::Wait(_)));
                            prop_assert!(!light, "a light one goes before a grave one");
                        }
                    }
                    if matches!(v, Verdict::Gather(_)) && grave(p.severity) && day.is_none() {
                        prop_assert_eq!(in_window + going, limit as usize, "a grave one is gathered only when the window is used up");
                    }
                }
                let mut groups: BTreeMap<usize, Vec<&Pending>> = BTreeMap::new();
                for (p, v) in queue.iter().zip(&plan) {
                    match v {
                        Verdict::Send => sent.push((now, p.person.clone())),
                        Verdict::Gather(g) => groups.entry(*g).or_default().push(p),
                        Verdict::Wait(_) => {}
                    }
                }
                for group in groups.values() {
                    prop_assert!((2..=DIGEST_MAX).contains(&group.len()));
                    prop_assert!(group.iter().all(|p| p.person == group[0].person && grave(p.severity) == grave(group[0].severity)));
                    sent.push((now, group[0].person.clone()));
                }
                let left = carry_out(&mut cap, &queue, now);
                told += queue.len() - left.len();
                queue = left;
                let next = cap.plan(&queue, now).iter().filter_map(|v| if let Verdict::Wait(t) = v { Some(*t) } else { None }).min();
                match waiting.peek() {
                    Some(a) if next.is_none_or(|n| now + a.after <= n) => {
                        now += a.after;
                        let a = waiting.next().unwrap();
                        queue.push(of(["li", "wang", "zhao"][a.person as usize], a.severity, now));
                    }
                    _ => now = next.unwrap_or(now),
                }
            }
            prop_assert_eq!(told, arrivals.len());
            for (i, (at, _)) in sent.iter().enumerate() {
                prop_assert!(sent[i..].iter().take_while(|(t, _)| *t < at + 60_000).count() <= limit as usize);
            }
            if let Some(day) = day {
                let mut by_day: BTreeMap<(i64, &Option<String>), u32> = BTreeMap::new();
                for (at, person) in &sent {
                    *by_day.entry(((at + 480 * 60_000).div_euclid(DAY_MS), person)).or_default() += 1;
                }
                prop_assert!(by_day.values().all(|n| *n <= day));
            }
        }
    }
}
