//! Between the stored notices and a channel's [`Desk`]: PURE.
//!
//! What must hold: what is stored and not told comes to the desk, whatever was lost in between; severity 1 and 2 come to it although it is full of others; up to
//! the mark that is saved nothing is left to tell; after a restart the receiver's limits still count what it was sent before.
use super::channels::{ChannelConfig, Receipt, SendError};
use super::desk::{Came, Desk, Job};
use crate::store::{NoticeRow, TellingRow, ToldState};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::Severity;

/// What one channel has read of the notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    /// Number of the last notice that was read in order.
    read: u64,
    /// Numbers beyond it that were read before their turn, because they are urgent.
    before_turn: BTreeSet<u64>,
    /// Number of the last one that was looked at for that.
    urgent: u64,
    /// Up to here nothing is left to tell, and the store knows it.
    saved: Option<u64>,
    /// Jobs on the desk at once; the rest waits in the store. As many urgent ones again have room when it is full.
    most: usize,
}

impl Intake {
    /// `cursor`: up to where the store says that nothing is left; `None`: the channel was never there, and begins after `fresh`.
    pub fn new(cursor: Option<u64>, fresh: u64, most: usize) -> Intake {
        Intake { read: cursor.unwrap_or(fresh), before_turn: BTreeSet::new(), urgent: 0, saved: cursor, most }
    }
    /// The number after which is to be read on, while there is room.
    pub fn wants(&self, desk: &Desk) -> Option<u64> {
        (desk.len() < self.most).then_some(self.read)
    }
    /// The number after which urgent ones are to be looked for while the desk is full.
    pub fn wants_urgent(&self, desk: &Desk) -> Option<u64> {
        let full = desk.len() >= self.most && desk.len() < self.most.saturating_mul(2);
        full.then(|| self.urgent.max(self.read))
    }
    /// What was read after [`Intake::wants`], with the attempts made of each; `ahead`: those that went out before they were stored. Nothing: all beyond is done with,
    /// also what was read before its turn.
    pub fn take(&mut self, rows: &[(NoticeRow, u32)], config: &ChannelConfig, ahead: impl Fn(u64) -> bool, desk: &mut Desk) {
        for (row, attempts) in rows {
            self.read = self.read.max(row.notice.id);
            if !self.before_turn.remove(&row.notice.id) {
                put(row, *attempts, config, &ahead, desk);
            }
        }
        if rows.is_empty() {
            self.read = self.before_turn.last().map_or(self.read, |last| self.read.max(*last));
        }
        let read = self.read;
        self.before_turn.retain(|n| *n > read);
    }
    /// What was read after [`Intake::wants_urgent`].
    pub fn take_urgent(&mut self, rows: &[(NoticeRow, u32)], config: &ChannelConfig, ahead: impl Fn(u64) -> bool, desk: &mut Desk) {
        for (row, attempts) in rows {
            self.urgent = self.urgent.max(row.notice.id);
            if row.notice.id > self.read && put(row, *attempts, config, &ahead, desk) {
                self.before_turn.insert(row.notice.id);
            }
        }
    }
    /// Up to where nothing is left, when the store does not know it yet.
    pub fn to_save(&self, desk: &Desk) -> Option<u64> {
        let done = desk.lowest().map_or(self.read, |n| n.saturating_sub(1).min(self.read));
        self.saved.is_none_or(|saved| done > saved).then_some(done)
    }
    /// The store was told.
    pub fn saved(&mut self, upto: u64) {
        self.saved = Some(upto);
    }
}

/// True when it concerns the channel.
fn put(row: &NoticeRow, attempts: u32, config: &ChannelConfig, ahead: impl Fn(u64) -> bool, desk: &mut Desk) -> bool {
    let job = job(row, config, attempts > 0 || ahead(row.notice.id));
    job.map(|job| desk.add(job)).is_some()
}

/// The job that a notice is for that channel; `None` when it does not concern it.
pub fn job(row: &NoticeRow, config: &ChannelConfig, tried: bool) -> Option<Job> {
    let n = &row.notice;
    let concerns = match &n.person {
        None => config.everyone,
        Some(person) => !config.everyone && config.to.iter().any(|a| a.person == *person),
    };
    concerns.then(|| Job {
        notices: vec![n.id],
        incident: n.incident.clone(),
        sequence: n.sequence,
        kind: n.kind,
        people: n.person.iter().cloned().collect(),
        rung: n.rung,
        silent: n.silent,
        severity: n.severity,
        since: row.at,
        not_before: n.not_before,
        tried,
        left: None,
    })
}

/// An advisory that is over before quiet hours are is told no more.
pub fn is_moot(job: &Job, closed: bool) -> bool {
    job.not_before.is_some() && closed
}

/// What an answer means: for the store, with the receiver's words, and for the desk.
pub fn read_answer(answer: &Result<Receipt, SendError>, parts: usize) -> (ToldState, String, Came) {
    match answer {
        Ok(receipt) => {
            let state = if parts > 1 { ToldState::Digest } else { ToldState::Sent };
            let refused: Vec<String> = receipt.refused.iter().map(|(who, why)| format!("{who}: {why}")).collect();
            let said = if refused.is_empty() { receipt.receipt.clone() } else { format!("{} ({})", receipt.receipt, refused.join("; ")) };
            (state, said, Came::Taken)
        }
        Err(SendError::Poison { reason }) => (ToldState::Refused, reason.clone(), Came::Refused),
        Err(SendError::Retry { reason, after }) => {
            let after = after.map(|a| i64::try_from(a.as_millis()).unwrap_or(i64::MAX));
            (ToldState::Trying, reason.clone(), Came::Failed { after })
        }
        Err(SendError::Refused { reason }) => (ToldState::Trying, reason.clone(), Came::Failed { after: None }),
    }
}

/// Attempts of one message that fit into a minute, because the waits between them double.
const ATTEMPTS_A_MINUTE: u32 = 6;

/// Tells a new desk what left before a restart. The notices of one message were noted at the same time with the same state: the next may leave at the very moment
/// at which one is answered. What was noted at a time to come is from before the clock was set back.
pub fn recall(rows: &[TellingRow], now: i64, desk: &mut Desk) {
    let mut messages: BTreeMap<(i64, ToldState, Option<&str>), (Severity, u32)> = BTreeMap::new();
    for row in rows.iter().filter(|r| r.attempts > 0 && r.at <= now) {
        let person = row.person.as_deref().filter(|_| desk.by_person());
        // What is in a digest now may have been tried by itself before.
        let message = messages.entry((row.at, row.state, person)).or_insert((row.severity, 1));
        *message = (message.0.min(row.severity), message.1.saturating_add(row.attempts.saturating_sub(1)));
    }
    for ((at, _, person), (severity, attempts)) in messages {
        desk.left_before(severity, person, attempts.min(ATTEMPTS_A_MINUTE), at);
    }
}

#[cfg(test)]
mod tests {
    use super::super::channels::{Limits, Via, mqtt};
    use super::super::desk::Act;
    use super::*;
    use crate::engine::{Notice, NoticeKind};
    use tuoan_dashboards::Lang;
    use tuoan_protocol::Rung;

    const T0: i64 = 1_772_417_175_000;
    const ROBOT: Limits = Limits { per_minute: Some(4), per_person_day: None, drops_identical_for_s: None, digests: false };

    fn robot() -> ChannelConfig {
        let via = Via::Mqtt(mqtt::Settings { topic: "x".into() });
        ChannelConfig { name: "robot".into(), language: Lang::Zh, to: vec![], everyone: true, per_minute: None, via }
    }
    fn row(id: u64, severity: u8) -> (NoticeRow, u32) {
        let notice = Notice {
            id,
            incident: "01JZ0000000000000000000011".parse().unwrap(),
            sequence: id,
            kind: NoticeKind::Alert,
            person: None,
            rung: Rung::Carer,
            silent: false,
            severity: Severity::try_from(severity).unwrap(),
            not_before: None,
        };
        (NoticeRow { notice, at: T0, seen: None }, 0)
    }
    fn done(desk: &mut Desk, now: i64) -> Option<u64> {
        let Act::Send(jobs) = desk.next(now) else { return None };
        desk.leaves(&jobs, now);
        desk.came(&jobs, &Came::Taken, now);
        Some(jobs[0].notices[0])
    }

    #[test]
    fn a_new_channel_says_where_it_begins_and_keeps_to_it_after_a_restart() {
        let mut desk = Desk::new(ROBOT, 480);
        let mut first = Intake::new(None, 7, 500);
        assert_eq!(first.to_save(&desk), Some(7), "also when nothing is left, and even at 0");
        first.saved(7);
        first.take(&[row(8, 1)], &robot(), |_| false, &mut desk);
        assert_eq!(first.to_save(&desk), None, "its receiver is down");
        // An hour later 8 is not fresh any more.
        let again = Intake::new(Some(7), 8, 500);
        assert_eq!(again.wants(&Desk::new(ROBOT, 480)), Some(7));
    }

    #[test]
    fn an_emergency_comes_to_a_desk_that_is_full_and_nothing_is_passed_over() {
        let (mut desk, config) = (Desk::new(Limits::default(), 480), robot());
        let mut intake = Intake::new(Some(0), 0, 2);
        intake.take(&[row(1, 3), row(2, 3)], &config, |_| false, &mut desk);
        assert_eq!((intake.wants(&desk), intake.wants_urgent(&desk)), (None, Some(2)));
        intake.take_urgent(&[row(4, 1)], &config, |_| false, &mut desk);
        assert_eq!(intake.wants_urgent(&desk), Some(4));
        assert_eq!(done(&mut desk, T0), Some(4), "before all others");
        assert_eq!(done(&mut desk, T0), Some(1));
        assert_eq!(intake.to_save(&desk), Some(1), "3 was not read yet");
        // Whether the store has heard of 4 yet or not.
        intake.take(&[row(3, 3), row(4, 1)], &config, |_| false, &mut desk);
        assert_eq!([done(&mut desk, T0), done(&mut desk, T0), done(&mut desk, T0)], [Some(2), Some(3), None]);
        assert_eq!(intake.to_save(&desk), Some(4));
    }

    #[test]
    fn what_was_told_before_its_turn_and_is_not_read_again_does_not_hold_the_mark_back() {
        let (mut desk, config) = (Desk::new(Limits::default(), 480), robot());
        let mut intake = Intake::new(Some(0), 0, 1);
        intake.take(&[row(1, 3)], &config, |_| false, &mut desk);
        intake.take_urgent(&[row(2, 1)], &config, |_| false, &mut desk);
        assert_eq!([done(&mut desk, T0), done(&mut desk, T0)], [Some(2), Some(1)]);
        assert_eq!(intake.to_save(&desk), Some(1));
        intake.take(&[], &config, |_| false, &mut desk);
        assert_eq!(intake.to_save(&desk), Some(2));
    }

    #[test]
    fn after_a_restart_the_receiver_s_limit_counts_what_left_before() {
        let mut desk = Desk::new(ROBOT, 480);
        let told = |at, severity, attempts| TellingRow { at, severity, person: None, attempts, state: ToldState::Trying };
        let before = [
            // The second left when the first was answered.
            TellingRow { state: ToldState::Sent, ..told(T0 - 5, Severity::General, 1) },
            told(T0 - 5, Severity::Emergency, 2),
            // One message for two.
            told(T0 - 3, Severity::Serious, 1),
            told(T0 - 3, Severity::Serious, 1),
            // Moot: it never left.
            told(T0 - 2, Severity::Advisory, 0),
            // By a clock that was ahead.
            told(T0 + 3_600_000, Severity::General, 1),
        ];
        recall(&before, T0, &mut desk);
        Intake::new(Some(0), 0, 500).take(&[row(1, 1)], &robot(), |_| false, &mut desk);
        assert_eq!(desk.next(T0), Act::Wait(Some(T0 - 5 + super::super::cap::WINDOW_MS)));
    }
}
