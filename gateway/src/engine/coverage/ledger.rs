//! The minutes of the day that is open, for each zone that must be watched, and how the clock may move over them.
//!
//! What must hold: no minute is told of twice, none is left out, and a minute of which nothing is known is blind.
use super::super::input::EngineMs;
use serde::{Deserialize, Serialize};
use tuoan_protocol::ZoneId;
use tuoan_protocol::ledger::{Cause, MINUTES, Run, Sight, ZoneDay};

/// So many minutes that a clock's small correction has stepped over, or has given twice, are no gap.
const SLACK: i64 = 2;
/// Days that are told of at most when the gateway was away: a school year.
const MAX_DAYS: i64 = 400;

/// What is remembered of coverage between two steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// Local day that is open, days since 1970-01-01; none before the clock was trusted for the first time.
    pub day: Option<i64>,
    /// Minutes of it that are told of.
    pub told: u16,
    /// In the order of the site's zones, and behind them those of which nothing is required any more since this day began.
    pub zones: Vec<ZoneLedger>,
    /// Number of the last closed day.
    pub number: u64,
    /// The gateway has started and its clock has not been trusted since.
    pub restarted: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneLedger {
    pub zone: ZoneId,
    pub run: Run,
    /// The worst of the minute under way.
    pub worst: Sight,
    /// The last look.
    pub now: Sight,
    /// It was not blind at some time: before that its blindness is an installation that is not finished, not an interruption.
    pub seen: bool,
    /// Engine time since which it is blind.
    pub blind_since: Option<EngineMs>,
}

impl ZoneLedger {
    pub fn new(zone: ZoneId, told: u16) -> ZoneLedger {
        let mut run = Run::default();
        run.push(told, Sight::Absent);
        ZoneLedger { zone, run, worst: Sight::Absent, now: Sight::Absent, seen: false, blind_since: None }
    }
    pub fn note(&mut self, sight: Sight) {
        (self.now, self.worst) = (sight, self.worst.worse(sight));
    }
}

/// A day that is over, as it came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    pub number: u64,
    pub date: i64,
    pub zones: Vec<ZoneDay>,
}

impl Ledger {
    /// The minute that comes after the last one, since 1970 by the site's clock.
    pub fn next_minute(&self) -> Option<i64> {
        Some(self.day? * i64::from(MINUTES) + i64::from(self.told))
    }

    /// A local minute (since 1970) is over; the days that closed with it.
    pub fn minute_over(&mut self, minute: i64) -> Vec<Closed> {
        let lost = Sight::blind(if self.restarted { Cause::GatewayDown } else { Cause::Clock }, None);
        let mut closed = Vec::new();
        let (day, of_day) = (minute.div_euclid(i64::from(MINUTES)), minute.rem_euclid(i64::from(MINUTES)));
        let of_day = u16::try_from(of_day).unwrap_or(0);
        let Some(next) = self.next_minute() else {
            self.open(day);
            self.fill(of_day, |_| Sight::Absent);
            return self.tell(closed);
        };
        let ahead = minute - next;
        if ahead < 0 {
            // Set back: what was told of these minutes was told by a clock that was wrong. A closed day stays as it is, unless it lies far ahead.
            let open = self.day.unwrap_or(day);
            if ahead >= -SLACK || open - day == 1 {
                self.forget_minute();
                return closed;
            }
            if day < open {
                self.open(day);
                self.fill(of_day, |_| lost);
            } else {
                self.told = of_day;
                self.zones.iter_mut().for_each(|z| z.run.truncate(of_day));
            }
            return self.tell(closed);
        }
        let small = ahead <= SLACK;
        let fill = |z: &ZoneLedger| if small { z.worst } else { lost };
        while let Some(open) = self.day.filter(|open| *open < day) {
            self.fill(MINUTES, fill);
            closed.push(self.close(open));
            self.open(if day - open > MAX_DAYS { day - MAX_DAYS } else { open + 1 });
        }
        self.fill(of_day, fill);
        self.tell(closed)
    }

    /// The minute under way is told of.
    fn tell(&mut self, mut closed: Vec<Closed>) -> Vec<Closed> {
        self.fill(self.told + 1, |z| z.worst);
        self.forget_minute();
        if let Some(open) = self.day.filter(|_| self.told >= MINUTES) {
            closed.push(self.close(open));
            self.open(open + 1);
        }
        closed
    }
    /// The next minute begins as the last one ended.
    fn forget_minute(&mut self) {
        self.zones.iter_mut().for_each(|z| z.worst = z.now);
    }
    fn fill(&mut self, upto: u16, sight: impl Fn(&ZoneLedger) -> Sight) {
        let minutes = upto.min(MINUTES).saturating_sub(self.told);
        for z in &mut self.zones {
            let sight = sight(z);
            z.run.push(minutes, sight);
        }
        self.told += minutes;
    }
    fn open(&mut self, day: i64) {
        (self.day, self.told) = (Some(day), 0);
        self.zones.iter_mut().for_each(|z| z.run = Run::default());
    }
    fn close(&mut self, date: i64) -> Closed {
        self.number += 1;
        let zones = self.zones.iter().map(|z| ZoneDay { zone: z.zone.clone(), run: z.run.clone() }).collect();
        Closed { number: self.number, date, zones }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ledger() -> Ledger {
        Ledger { zones: vec![ZoneLedger::new("room".parse().unwrap(), 0)], ..Ledger::default() }
    }
    fn minute(l: &mut Ledger, minute: i64, sight: Sight) -> Vec<Closed> {
        l.zones[0].note(sight);
        l.minute_over(minute)
    }
    fn told(l: &Ledger) -> Vec<(u16, Sight)> {
        l.zones[0].run.stretches().iter().map(|s| (s.minutes, s.sight)).collect()
    }
    const DAY: i64 = 1440;
    const LOST: Sight = Sight::Blind(tuoan_protocol::ledger::Reason { cause: Cause::Clock, need: None });

    #[test]
    fn minutes_follow_each_other_and_the_day_closes_at_midnight() {
        let mut l = ledger();
        assert!(minute(&mut l, 3 * DAY + 1437, Sight::Watched).is_empty());
        assert!(minute(&mut l, 3 * DAY + 1438, LOST).is_empty());
        let closed = minute(&mut l, 3 * DAY + 1439, Sight::Watched);
        assert_eq!((closed.len(), closed[0].date, closed[0].number), (1, 3, 1));
        let run = &closed[0].zones[0].run;
        assert_eq!(
            (run.minutes(), run.figure().required(), run.figure().blind),
            (1440, 3, 2),
            "what was before the first minute counts neither way, and a minute that begins blind is blind"
        );
        assert_eq!((l.day, l.told), (Some(4), 0));
    }

    #[test]
    fn what_was_stepped_over_is_blind_but_for_a_small_correction() {
        let mut l = ledger();
        minute(&mut l, 0, Sight::Watched);
        minute(&mut l, 2, Sight::Watched);
        assert_eq!(told(&l), [(3, Sight::Watched)], "a clock that was put forward by a minute");
        minute(&mut l, 10, Sight::Watched);
        assert_eq!(told(&l), [(3, Sight::Watched), (7, LOST), (1, Sight::Watched)]);
        let closed = minute(&mut l, 2 * DAY + 5, Sight::Watched);
        let blind: Vec<_> = closed.iter().map(|c| (c.date, c.zones[0].run.figure().blind)).collect();
        assert_eq!(blind, [(0, 7 + 1429), (1, 1440)]);
        assert_eq!(told(&l), [(5, LOST), (1, Sight::Watched)]);
    }

    #[test]
    fn a_clock_set_back_tells_no_minute_twice() {
        let mut l = ledger();
        (0..20).for_each(|m| drop(minute(&mut l, m, Sight::Watched)));
        minute(&mut l, 19, LOST);
        assert_eq!(told(&l), [(20, Sight::Watched)], "a minute that came twice");
        minute(&mut l, 10, LOST);
        assert_eq!(told(&l), [(10, Sight::Watched), (1, LOST)]);
        // Over midnight: the day that is closed stays.
        (11..1440).for_each(|m| drop(minute(&mut l, m, Sight::Watched)));
        assert!(minute(&mut l, 1439, Sight::Watched).is_empty() && l.told == 0);
        // Far ahead by mistake, and back: the days are told of again, under new numbers.
        let ahead = minute(&mut l, 300 * DAY, Sight::Watched);
        assert_eq!(ahead.len(), 299);
        minute(&mut l, DAY + 60, Sight::Watched);
        assert_eq!((l.day, told(&l)), (Some(1), vec![(60, LOST), (1, Sight::Watched)]));
        let again = (61..1440).flat_map(|m| minute(&mut l, DAY + m, Sight::Watched)).collect::<Vec<_>>();
        assert!(again.len() == 1 && again[0].date == 1 && again[0].number > ahead.iter().map(|c| c.number).max().unwrap());
    }

    #[test]
    fn a_gateway_that_is_away_for_years_tells_of_a_bounded_number_of_days() {
        let mut l = ledger();
        minute(&mut l, 0, Sight::Watched);
        assert_eq!(minute(&mut l, 4000 * DAY, Sight::Watched).len() as i64, MAX_DAYS + 1);
    }

    proptest! {
        #[test]
        fn every_closed_day_has_all_its_minutes_and_numbers_have_no_gap(steps in prop::collection::vec((-4000i64..4000, 0u8..4), 1..200)) {
            let (mut l, mut at, mut number) = (ledger(), 1_000_000i64, 0);
            for (by, level) in steps {
                at += by;
                let sight = [Sight::Absent, Sight::Watched, Sight::degraded(Cause::Silent, None), LOST][usize::from(level)];
                for c in minute(&mut l, at, sight) {
                    number += 1;
                    prop_assert_eq!(c.number, number);
                    prop_assert_eq!(c.zones[0].run.minutes(), MINUTES);
                }
                prop_assert!(l.told < MINUTES && l.zones[0].run.minutes() == l.told);
            }
        }
    }
}
