//! Which phase of the day a zone is in.
use super::site::{Class, Hours, Site, ZoneKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Children are in care. Also whenever the clock is not trusted.
    #[default]
    Care,
    DropOff,
    Nap,
    Collection,
    /// Staff may be in, children are not.
    Staff,
    /// Nobody should be in.
    Closed,
}

impl Phase {
    /// Children are in the building.
    pub fn has_children(self) -> bool {
        !matches!(self, Phase::Staff | Phase::Closed)
    }
}

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
const DAY_MINUTES: i64 = 1440;

/// Days since 1970-01-01 of "2026-10-01"; `None` when it is no date.
pub fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (y, m, d) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || y.len() != 4 || m.len() != 2 || d.len() != 2 {
        return None;
    }
    let month = time::Month::try_from(m.parse::<u8>().ok()?).ok()?;
    let date = time::Date::from_calendar_date(y.parse().ok()?, month, d.parse().ok()?).ok()?;
    Some(i64::from(date.to_julian_day()) - EPOCH_JULIAN)
}
/// "2026-10-01" of a day since 1970-01-01; empty outside the years 0 to 9999.
pub fn date_of(day: i64) -> String {
    let date = i32::try_from(day.saturating_add(EPOCH_JULIAN)).ok().and_then(|j| time::Date::from_julian_day(j).ok());
    date.filter(|d| (0..=9999).contains(&d.year()))
        .map_or_else(String::new, |d| format!("{:04}-{:02}-{:02}", d.year(), u8::from(d.month()), d.day()))
}
const EPOCH_JULIAN: i64 = 2_440_588;

/// Month (1-12) of a day since 1970-01-01.
fn month(day: i64) -> u8 {
    i32::try_from(day.saturating_add(EPOCH_JULIAN))
        .ok()
        .and_then(|j| time::Date::from_julian_day(j).ok())
        .map_or(1, |d| u8::from(d.month()))
}

/// The site's days, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    offset_ms: i64,
    staff: Option<Hours>,
    holidays: BTreeSet<i64>,
    working: BTreeSet<i64>,
    /// For each zone in the site's order: is it for napping, and the classes whose hours hold.
    zones: Vec<(bool, Vec<Class>)>,
    /// Minutes of the day at which any zone may change.
    boundaries: BTreeSet<i64>,
}

impl Schedule {
    pub fn new(site: &Site) -> Schedule {
        let dates = |list: &[String]| list.iter().filter_map(|d| parse_date(d)).collect();
        let zones = site
            .zones
            .iter()
            .map(|z| {
                let classes = site.classes.iter().filter(|c| z.classes.is_empty() || z.classes.contains(&c.id)).cloned().collect();
                (z.kind == ZoneKind::Nap, classes)
            })
            .collect();
        let mut boundaries = BTreeSet::from([0, i64::from(site.staff_hours.from), i64::from(site.staff_hours.to)]);
        for c in &site.classes {
            for h in c.care_hours.iter().chain([&c.nap, &c.drop_off, &c.collection].into_iter().flatten()) {
                boundaries.extend([i64::from(h.from), i64::from(h.to)]);
            }
        }
        Schedule {
            offset_ms: i64::from(site.utc_offset_minutes) * MINUTE_MS,
            staff: Some(site.staff_hours),
            holidays: dates(&site.calendar.holidays),
            working: dates(&site.calendar.working_days),
            zones,
            boundaries,
        }
    }

    /// (day since 1970-01-01, milliseconds into it), local.
    fn local(&self, utc: i64) -> (i64, i64) {
        let t = utc.saturating_add(self.offset_ms);
        (t.div_euclid(DAY_MS), t.rem_euclid(DAY_MS))
    }
    /// Local month, 1-12.
    pub fn month(&self, utc: i64) -> u8 {
        month(self.local(utc).0)
    }
    /// Monday to Friday unless the calendar says otherwise; a make-up working day (调休) beats a holiday listed by mistake.
    pub fn is_working_day(&self, day: i64) -> bool {
        let weekday = (day + 3).rem_euclid(7); // 1970-01-01 was a Thursday; 0 is Monday
        self.working.contains(&day) || (weekday < 5 && !self.holidays.contains(&day))
    }
    /// Phase of the zone with that index at that time, by a clock that is right.
    pub fn phase(&self, zone: usize, utc: i64) -> Phase {
        let (day, ms) = self.local(utc);
        let minute = ms / MINUTE_MS;
        let within = |h: &Hours| (i64::from(h.from)..i64::from(h.to)).contains(&minute);
        if !self.is_working_day(day) {
            return Phase::Closed;
        }
        let in_staff_hours = self.staff.as_ref().is_some_and(within);
        let Some((for_nap, classes)) = self.zones.get(zone) else { return Phase::Care };
        if classes.is_empty() {
            // Without classes nothing says when children are in: whenever the house is open.
            return if in_staff_hours { Phase::Care } else { Phase::Closed };
        }
        let mut now = BTreeSet::new();
        for c in classes {
            if c.nap.as_ref().is_some_and(within) {
                now.insert(Phase::Nap);
            } else if c.collection.as_ref().is_some_and(within) {
                now.insert(Phase::Collection);
            } else if c.drop_off.as_ref().is_some_and(within) {
                now.insert(Phase::DropOff);
            } else if c.care_hours.iter().any(within) {
                now.insert(Phase::Care);
            }
        }
        // Several classes: a nap room naps when any class does; elsewhere doors must bear the comings and goings of any class, and a room is
        // napping only when all who are in nap.
        let order = if *for_nap {
            [Phase::Nap, Phase::Collection, Phase::DropOff, Phase::Care]
        } else {
            [Phase::Collection, Phase::DropOff, Phase::Care, Phase::Nap]
        };
        match order.into_iter().find(|p| now.contains(p)) {
            Some(p) => p,
            None if in_staff_hours => Phase::Staff,
            None => Phase::Closed,
        }
    }
    /// The first time after `utc` at which a phase, the day or the month may change.
    pub fn next_boundary(&self, utc: i64) -> i64 {
        let (day, ms) = self.local(utc);
        let minute = self.boundaries.iter().copied().find(|m| *m * MINUTE_MS > ms).unwrap_or(DAY_MINUTES);
        day.saturating_mul(DAY_MS).saturating_add(minute * MINUTE_MS).saturating_sub(self.offset_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing;

    fn at(date: &str, hhmm: &str) -> i64 {
        let (h, m) = hhmm.split_once(':').unwrap();
        (parse_date(date).unwrap() * 1440 + h.parse::<i64>().unwrap() * 60 + m.parse::<i64>().unwrap() - 480) * 60_000
    }

    #[test]
    fn a_day_in_the_nursery() {
        let s = Schedule::new(&testing::site());
        let room = 0;
        for (t, phase) in [
            ("06:59", Phase::Closed),
            ("07:00", Phase::Staff),
            ("07:30", Phase::DropOff),
            ("08:30", Phase::Care),
            ("12:00", Phase::Nap),
            ("14:30", Phase::Care),
            ("16:30", Phase::Collection),
            ("18:00", Phase::Staff),
            ("18:45", Phase::Closed),
        ] {
            assert_eq!(s.phase(room, at("2026-11-23", t)), phase, "{t}");
        }
    }

    #[test]
    fn the_calendar_beats_the_week() {
        let mut site = testing::site();
        site.calendar.holidays = vec!["2026-10-05".into()];
        site.calendar.working_days = vec!["2026-10-10".into()];
        let s = Schedule::new(&site);
        assert_eq!(s.phase(0, at("2026-10-05", "10:00")), Phase::Closed, "a holiday Monday");
        assert_eq!(s.phase(0, at("2026-10-10", "10:00")), Phase::Care, "a working Saturday");
        assert_eq!(s.phase(0, at("2026-10-17", "10:00")), Phase::Closed, "an ordinary Saturday");
    }

    #[test]
    fn boundaries_are_walked_in_order_over_midnight() {
        let s = Schedule::new(&testing::site());
        let mut t = at("2026-11-23", "16:30");
        let mut seen = Vec::new();
        for _ in 0..5 {
            t = s.next_boundary(t);
            seen.push(t);
        }
        assert_eq!(
            seen,
            [
                at("2026-11-23", "18:00"),
                at("2026-11-23", "18:45"),
                at("2026-11-24", "00:00"),
                at("2026-11-24", "07:00"),
                at("2026-11-24", "07:30")
            ]
        );
    }

    #[test]
    fn half_day_and_hourly_classes_share_a_door() {
        let mut site = testing::site();
        let mut half = site.classes[0].clone();
        (half.id, half.care) = ("half".into(), crate::engine::site::Care::HalfDay);
        half.care_hours = vec![Hours { from: 480, to: 690 }];
        (half.nap, half.drop_off) = (None, None);
        half.collection = Some(Hours { from: 680, to: 700 });
        site.classes.push(half);
        site.zones[0].classes = vec!["toddlers".into()];
        let s = Schedule::new(&site);
        let exit = site.zones.iter().position(|z| z.kind == ZoneKind::Exit).unwrap();
        assert_eq!(s.phase(exit, at("2026-11-23", "11:25")), Phase::Collection, "the half-day class goes home");
        assert_eq!(s.phase(0, at("2026-11-23", "11:25")), Phase::Care, "the full-day class's room");
    }

    #[test]
    fn dates_are_checked() {
        assert_eq!(parse_date("1970-01-02"), Some(1));
        assert_eq!([date_of(1), date_of(20_779), date_of(i64::MAX)], ["1970-01-02", "2026-11-22", ""]);
        for bad in ["2026-02-30", "2026-1-1", "today", "2026-10-01-1", ""] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
        assert_eq!(month(parse_date("2026-12-31").unwrap()), 12);
    }
}
