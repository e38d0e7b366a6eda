//! What one channel still has to tell, and what it should do next: PURE, the time comes as an argument.
//!
//! What must hold, whatever fails in whatever order: a notice leaves the desk only when the receiver has taken it, has refused it for ever, or there is nothing
//! left to tell; it is sent without the mark of a repeat once at most; severity 1 and 2 go first.
use super::cap::{Cap, Pending, Verdict};
use super::channels::Limits;
use crate::engine::NoticeKind;
use std::collections::BTreeMap;
use tuoan_protocol::{IncidentId, Rung, Severity};

/// One message to be sent: the notices of one event that go out together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Numbers of its notices, ascending; the first names the job.
    pub notices: Vec<u64>,
    pub incident: IncidentId,
    /// Sequence of the event that it tells of.
    pub sequence: u64,
    pub kind: NoticeKind,
    /// Ids of the people it goes to; none: the group as a whole.
    pub people: Vec<String>,
    pub rung: Rung,
    pub silent: bool,
    pub severity: Severity,
    /// UTC milliseconds at which it was stored.
    pub since: i64,
    /// UTC milliseconds before which it stays here.
    pub not_before: Option<i64>,
    /// It may have arrived before.
    pub tried: bool,
    /// UTC milliseconds at which it left first: a channel that tells people one by one leaves those out who have it already.
    pub left: Option<i64>,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Send these as one message; more than one is a digest.
    Send(Vec<Job>),
    /// Nothing before that time (UTC milliseconds); `None`: nothing at all.
    Wait(Option<i64>),
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    Taken,
    /// To be tried again, not before so many milliseconds if the receiver named a time.
    Failed {
        after: Option<i64>,
    },
    /// It will never be taken.
    Refused,
}

const RETRY_MS: i64 = 1_000;
const RETRY_MAX_MS: i64 = 60_000;
/// The longest time that a receiver may ask us to wait.
const ASKED_MAX_MS: i64 = 3_600_000;
/// Jobs on the desk at once; the rest waits in the store.
pub const DESK: usize = 500;

pub struct Desk {
    cap: Cap,
    /// A message to each person, because the receiver counts by person.
    by_person: bool,
    jobs: BTreeMap<u64, Job>,
    /// Failures in a row.
    failures: u32,
    /// From when until when nothing leaves, because the last attempt has failed.
    closed: Option<(i64, i64)>,
}

impl Desk {
    pub fn new(limits: Limits, utc_offset_minutes: i32) -> Desk {
        Desk {
            by_person: limits.per_person_day.is_some(),
            cap: Cap::new(limits, utc_offset_minutes),
            jobs: BTreeMap::new(),
            failures: 0,
            closed: None,
        }
    }

    /// Puts a notice on the desk, with those of the same event that go the same way.
    pub fn add(&mut self, job: Job) {
        let Some(first) = job.notices.first().copied() else { return };
        if self.jobs.values().any(|j| j.notices.contains(&first)) {
            return;
        }
        let alike = |j: &Job| {
            j.sequence == job.sequence
                && j.kind == job.kind
                && j.not_before == job.not_before
                && j.tried == job.tried
                && j.people.is_empty() == job.people.is_empty()
        };
        let joins = if self.by_person { None } else { self.jobs.values_mut().find(|j| alike(j)) };
        match joins {
            Some(other) => {
                other.notices.extend(job.notices);
                other.people.extend(job.people);
                other.rung = other.rung.max(job.rung);
            }
            None => drop(self.jobs.insert(first, job)),
        }
    }

    pub fn len(&self) -> usize {
        self.jobs.len()
    }
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }
    /// The lowest number on the desk: all below it are done with.
    pub fn lowest(&self) -> Option<u64> {
        self.jobs.values().filter_map(|j| j.notices.first().copied()).min()
    }

    #[cfg(test)]
    pub(super) fn holds(&self, notice: u64) -> bool {
        self.jobs.values().any(|j| j.notices.contains(&notice))
    }

    /// What there is to do. It must be answered by [`Desk::came`] before it is asked again.
    pub fn next(&self, now: i64) -> Act {
        // A clock that was set back must not close the channel for hours.
        let closed = self.closed.filter(|(from, until)| (*from..*until).contains(&now)).map(|(_, until)| until);
        let due = |j: &&Job| j.not_before.is_none_or(|t| t <= now);
        let waiting = self.jobs.values().filter(|j| !due(j)).filter_map(|j| j.not_before).min();
        let mut ready: Vec<&Job> = self.jobs.values().filter(due).collect();
        if ready.is_empty() {
            return Act::Wait(waiting);
        }
        if let Some(until) = closed {
            return Act::Wait(Some(until.min(waiting.unwrap_or(i64::MAX))));
        }
        ready.sort_by_key(|j| (j.severity, j.since, j.notices.first().copied()));
        let queue: Vec<Pending> = ready
            .iter()
            .map(|j| Pending { severity: j.severity, since: j.since, person: j.people.first().filter(|_| self.by_person).cloned() })
            .collect();
        let plan = self.cap.plan(&queue, now);
        let mut wake = waiting;
        for (job, verdict) in ready.iter().zip(&plan) {
            match verdict {
                Verdict::Send => return Act::Send(vec![(*job).clone()]),
                Verdict::Gather(group) => {
                    let together = ready.iter().zip(&plan).filter(|(_, v)| **v == Verdict::Gather(*group));
                    return Act::Send(together.map(|(j, _)| (*j).clone()).collect());
                }
                Verdict::Wait(until) => wake = Some(wake.map_or(*until, |w| w.min(*until))),
            }
        }
        Act::Wait(wake)
    }

    /// A message of these jobs leaves: whatever comes of it, it may have arrived.
    pub fn leaves(&mut self, jobs: &[Job], now: i64) {
        let gravest = jobs.iter().map(|j| j.severity).min().unwrap_or(Severity::Advisory);
        // A person's day counts messages; to try one again and again in an outage must not use it up.
        let person = jobs.first().filter(|j| self.by_person && !j.tried).and_then(|j| j.people.first());
        self.cap.sent(gravest, person.map(String::as_str), now);
        for job in jobs {
            if let Some(kept) = job.notices.first().and_then(|n| self.jobs.get_mut(n)) {
                kept.tried = true;
                kept.left = kept.left.or(Some(now));
            }
        }
    }

    /// So many attempts of a message left at that time, before a restart; oldest first.
    pub fn left_before(&mut self, severity: Severity, person: Option<&str>, attempts: u32, at: i64) {
        for n in 0..attempts {
            self.cap.sent(severity, person.filter(|_| n == 0), at);
        }
    }

    /// Whether the receiver counts by person.
    pub fn by_person(&self) -> bool {
        self.by_person
    }

    pub fn came(&mut self, jobs: &[Job], came: &Came, now: i64) {
        match came {
            Came::Taken | Came::Refused => {
                (self.failures, self.closed) = (0, None);
                for first in jobs.iter().filter_map(|j| j.notices.first()) {
                    self.jobs.remove(first);
                }
            }
            Came::Failed { after } => {
                let doubled = RETRY_MS.saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX_MS);
                let wait = after.unwrap_or(doubled).clamp(RETRY_MS, ASKED_MAX_MS);
                self.failures = self.failures.saturating_add(1);
                self.closed = Some((now, now.saturating_add(wait)));
            }
        }
    }

    /// There is nothing to tell any more.
    pub fn forget(&mut self, job: &Job) {
        if let Some(first) = job.notices.first() {
            self.jobs.remove(first);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const T0: i64 = 1_772_417_175_000;
    const ROBOT: Limits = Limits { per_minute: Some(20), per_person_day: None, drops_identical_for_s: None, digests: true };

    pub fn job(n: u64, severity: u8, people: &[&str]) -> Job {
        Job {
            notices: vec![n],
            incident: "01JZ0000000000000000000011".parse().unwrap(),
            sequence: n,
            kind: NoticeKind::Alert,
            people: people.iter().map(|p| (*p).to_owned()).collect(),
            rung: Rung::Carer,
            silent: false,
            severity: Severity::try_from(severity).unwrap(),
            since: T0,
            not_before: None,
            tried: false,
            left: None,
        }
    }
    fn sends(act: Act) -> Vec<u64> {
        match act {
            Act::Send(jobs) => jobs.iter().flat_map(|j| j.notices.clone()).collect(),
            Act::Wait(_) => vec![],
        }
    }

    #[test]
    fn people_of_one_event_are_told_by_one_message() {
        let mut d = Desk::new(ROBOT, 480);
        d.add(job(1, 1, &["a"]));
        d.add(Job { sequence: 1, ..job(2, 1, &["b"]) });
        d.add(Job { sequence: 1, ..job(2, 1, &["b"]) });
        d.add(job(3, 1, &["a"]));
        assert_eq!(d.len(), 2);
        assert_eq!(sends(d.next(T0)), [1, 2]);
        let mut zzd = Desk::new(Limits { per_person_day: Some(100), ..ROBOT }, 480);
        zzd.add(job(1, 1, &["a"]));
        zzd.add(Job { sequence: 1, ..job(2, 1, &["b"]) });
        assert_eq!((zzd.len(), sends(zzd.next(T0))), (2, vec![1]), "a message each where the receiver counts by person");
    }

    #[test]
    fn the_gravest_first_and_what_failed_is_marked_and_tried_again() {
        let mut d = Desk::new(ROBOT, 480);
        d.add(job(1, 3, &[]));
        d.add(job(2, 1, &[]));
        let Act::Send(jobs) = d.next(T0) else { panic!() };
        assert_eq!((jobs[0].notices[0], jobs[0].tried), (2, false));
        d.leaves(&jobs, T0);
        d.came(&jobs, &Came::Failed { after: None }, T0);
        assert_eq!(d.next(T0), Act::Wait(Some(T0 + 1_000)));
        let Act::Send(jobs) = d.next(T0 + 1_000) else { panic!() };
        assert_eq!((jobs[0].notices[0], jobs[0].tried), (2, true));
        d.leaves(&jobs, T0 + 1_000);
        d.came(&jobs, &Came::Taken, T0 + 1_000);
        assert_eq!(sends(d.next(T0 + 1_000)), [1]);
        assert_eq!(d.lowest(), Some(1));
    }

    #[test]
    fn quiet_hours_hold_a_job_back() {
        let mut d = Desk::new(ROBOT, 480);
        d.add(Job { not_before: Some(T0 + 60_000), ..job(1, 4, &["a"]) });
        assert_eq!(d.next(T0), Act::Wait(Some(T0 + 60_000)));
        assert_eq!(sends(d.next(T0 + 60_000)), [1]);
    }

    #[test]
    fn a_flood_is_told_as_a_digest_and_no_emergency_waits() {
        let mut d = Desk::new(ROBOT, 480);
        (1..=40).for_each(|n| d.add(job(n, 3, &[])));
        let (mut messages, mut now) = (0, T0);
        while let Act::Send(jobs) = d.next(now) {
            d.leaves(&jobs, now);
            d.came(&jobs, &Came::Taken, now);
            messages += 1;
        }
        assert!(d.is_empty() && messages <= 12, "{messages}");
        now += 1_000;
        d.add(job(99, 1, &[]));
        assert_eq!(sends(d.next(now)), [99]);
    }

    #[test]
    fn attempts_in_an_outage_do_not_use_up_a_person_s_day() {
        let mut d = Desk::new(Limits { per_person_day: Some(3), ..ROBOT }, 480);
        d.add(job(1, 1, &["a"]));
        let mut now = T0;
        for _ in 0..10 {
            let Act::Send(jobs) = d.next(now) else { panic!() };
            d.leaves(&jobs, now);
            d.came(&jobs, &Came::Failed { after: None }, now);
            now += 60_000;
        }
        assert_eq!(sends(d.next(now)), [1]);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_close_the_channel() {
        let mut d = Desk::new(ROBOT, 480);
        d.add(job(1, 1, &[]));
        let Act::Send(jobs) = d.next(T0) else { panic!() };
        d.leaves(&jobs, T0);
        d.came(&jobs, &Came::Failed { after: Some(60_000) }, T0);
        assert_eq!(d.next(T0 + 1_000), Act::Wait(Some(T0 + 60_000)), "asked to wait");
        assert_eq!(sends(d.next(T0 - 1_800_000)), [1], "half an hour back");
    }
}
