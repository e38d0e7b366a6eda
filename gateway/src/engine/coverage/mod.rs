//! The coverage ledger: minute by minute, how each zone that must be watched was watched, and why not.
//!
//! | file | holds |
//! |---|---|
//! | [`obligation`] | what a zone must have, and who serves it |
//! | [`ledger`] | the minutes of the open day, whatever the clock does |
//! | [`look`] | how a zone is watched at this moment |
//! | [`gap`] | the incident of a zone that is blind for too long, and of a gateway that was away |
//!
//! What must hold: a minute counts as watched only when it was so throughout; a gateway that is down watches nothing; absence of data is never
//! shown as watched; the same log gives the same days (they follow from the inputs and the time alone).
use super::compiled::Compiled;
use super::eyes::BLINDNESS;
use super::input::{Item, Message};
use super::outcome::LedgerDay;
use super::state::State;
use super::step::Run;
use super::timer::Timer;
use ledger::{Closed, ZoneLedger};
use tuoan_protocol::Quantity;
use tuoan_protocol::ledger::{Cause, Day, Sight};

mod gap;
pub mod ledger;
mod look;
pub mod obligation;

pub(super) use gap::Away;

const MINUTE_MS: i64 = 60_000;

impl State {
    /// Milliseconds since 1970 by the site's own clock.
    fn local(&self) -> i64 {
        let minutes = self.configuration.as_ref().map_or(0, |c| c.site.utc_offset_minutes);
        self.utc(self.now).saturating_add(i64::from(minutes) * MINUTE_MS)
    }
}

impl Run<'_> {
    /// The end of the minute under way.
    pub(super) fn arm_minute(&mut self) {
        if self.state.ledger.zones.is_empty() {
            return;
        }
        let left = MINUTE_MS - self.state.local().rem_euclid(MINUTE_MS);
        self.state.timers.arm(self.at.saturating_add(left), Timer::Minute);
    }

    /// A minute is over. A timer that was overtaken by a change of the clock must change nothing: a snapshot does not keep it.
    pub(super) fn minute_due(&mut self) {
        let local = self.state.local();
        if local.rem_euclid(MINUTE_MS) != 0 || self.state.ledger.zones.is_empty() {
            return;
        }
        self.look_around();
        // By a clock that is not trusted minutes pass, and it is not known which they are.
        let minute = if self.state.trusted { Some(local / MINUTE_MS - 1) } else { self.state.ledger.next_minute() };
        if let Some(minute) = minute {
            let closed = self.state.ledger.minute_over(minute);
            self.state.ledger.restarted &= !self.state.trusted;
            for day in closed {
                self.close_day(day);
            }
        }
        if self.away.is_none() {
            self.gaps();
        }
        self.arm_minute();
    }

    fn close_day(&mut self, closed: Closed) {
        let Some(c) = &self.state.configuration else { return };
        let day = Day {
            site: c.site.id.clone(),
            log: c.log.clone(),
            number: closed.number,
            date: closed.date,
            utc_offset_minutes: c.site.utc_offset_minutes,
            closed_at: self.state.utc(self.at),
            clock_trusted: self.state.trusted,
            zones: closed.zones,
        };
        self.out.ledger.push(LedgerDay { number: day.number, date: day.date, bytes: day.canonical_bytes() });
    }

    /// Looks at every zone that must be watched.
    pub(super) fn look_around(&mut self) {
        for i in 0..self.compiled.required.len() {
            self.look_at(i);
        }
    }

    /// Notes how one zone is watched now; an interruption ends with the first look that is not blind.
    fn look_at(&mut self, index: usize) {
        let sight = match &self.away {
            Some(_) => Sight::blind(Cause::GatewayDown, None),
            None => self.sight_of(index),
        };
        let (at, away) = (self.at, self.away.is_some());
        let Some(z) = self.state.ledger.zones.get_mut(index) else { return };
        z.note(sight);
        if away {
            return;
        }
        if sight.is_blind() {
            z.blind_since = z.blind_since.or(Some(at)).filter(|_| z.seen);
        } else {
            z.seen = true;
            if z.blind_since.take().is_some() {
                self.gap_over(index);
            }
        }
    }

    /// A device has spoken: what it serves may have gone blind, or sees again, before the minute is over.
    pub(super) fn coverage_heard(&mut self, m: &Message) {
        let tells = |q: &Quantity| matches!(q, Quantity::Fault | Quantity::Recording) || BLINDNESS.contains(q);
        let news = m.items.iter().any(|i| match i {
            Item::Reading { quantity, .. } | Item::Unknown { quantity, .. } => tells(quantity),
            Item::Presence(_) => true,
            Item::Event { .. } => false,
        });
        if !news && self.state.ledger.zones.iter().all(|z| z.blind_since.is_none()) {
            return;
        }
        self.look_where(&m.device);
    }

    /// Looks at the zones that the device serves.
    pub(super) fn look_where(&mut self, device: &tuoan_protocol::DeviceId) {
        let compiled = self.compiled.clone();
        for (i, _) in compiled.required.iter().enumerate().filter(|(_, r)| r.devices().any(|d| d == device)) {
            self.look_at(i);
        }
    }

    /// Another configuration: the ledger goes on for the zones that stay; of those that are gone nothing is required from here on.
    pub(super) fn require(&mut self, compiled: &Compiled) {
        let ledger = &mut self.state.ledger;
        let mut old = std::mem::take(&mut ledger.zones);
        let ids = compiled.required.iter().filter_map(|r| compiled.zone_id(r.zone));
        for id in ids {
            let kept = old.iter().position(|z| z.zone == *id).map(|i| old.remove(i));
            ledger.zones.push(kept.unwrap_or_else(|| ZoneLedger::new(id.clone(), ledger.told)));
        }
        old.retain(|z| z.run.figure().required() > 0);
        for mut z in old {
            (z.now, z.worst, z.blind_since, z.seen) = (Sight::Absent, Sight::Absent, None, false);
            ledger.zones.push(z);
        }
        self.look_around();
    }
}
