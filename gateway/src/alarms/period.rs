//! A time by the site's calendar: its days and its ISO weeks (Monday to Sunday).
use crate::engine::schedule::{date_of, parse_date};
use std::fmt;
use std::str::FromStr;

pub const HOUR_MS: i64 = 3_600_000;
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// The longest period that is looked at.
pub const MAX_DAYS: u32 = 366;

/// From `from` on, earlier than `to`, UTC milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub from: i64,
    pub to: i64,
    /// Minutes east of UTC of the site.
    pub utc_offset_minutes: i32,
}

impl Period {
    /// So many calendar days (1 to [`MAX_DAYS`]) up to and including `now`; the last one is today, as far as it has come.
    pub fn last_days(days: u32, now: i64, utc_offset_minutes: i32) -> Period {
        let days = i64::from(days.clamp(1, MAX_DAYS));
        let today = local_day(now, utc_offset_minutes);
        Period { from: midnight(today.saturating_sub(days - 1), utc_offset_minutes), to: now.saturating_add(1), utc_offset_minutes }
    }
    pub fn contains(&self, at: i64) -> bool {
        (self.from..self.to).contains(&at)
    }
    pub fn ms(&self) -> i64 {
        self.to.saturating_sub(self.from).max(0)
    }
    /// Day since 1970-01-01 at the site.
    pub fn day(&self, at: i64) -> i64 {
        local_day(at, self.utc_offset_minutes)
    }
    /// Hour of the day at the site, 0 to 23.
    pub fn hour(&self, at: i64) -> usize {
        let ms = at.saturating_add(offset(self.utc_offset_minutes)).rem_euclid(DAY_MS);
        usize::try_from(ms / HOUR_MS).unwrap_or(0)
    }
    /// All days that it touches, ascending.
    pub fn days(&self) -> impl Iterator<Item = i64> {
        let last = self.day(self.to.saturating_sub(1).max(self.from));
        (self.day(self.from)..=last).take(MAX_DAYS as usize + 1)
    }
}

fn offset(minutes: i32) -> i64 {
    i64::from(minutes) * 60_000
}
fn local_day(at: i64, minutes: i32) -> i64 {
    at.saturating_add(offset(minutes)).div_euclid(DAY_MS)
}
fn midnight(day: i64, minutes: i32) -> i64 {
    day.saturating_mul(DAY_MS).saturating_sub(offset(minutes))
}

/// An ISO 8601 week: written "2026-W47".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Week {
    /// Its Monday, in days since 1970-01-01.
    monday: i64,
}

impl Week {
    /// The one in which that moment (UTC milliseconds) lies at the site.
    pub fn of(at: i64, utc_offset_minutes: i32) -> Week {
        let day = local_day(at, utc_offset_minutes);
        // 1970-01-01 was a Thursday.
        Week { monday: day - (day + 3).rem_euclid(7) }
    }
    pub fn before(self) -> Week {
        Week { monday: self.monday - 7 }
    }
    pub fn after(self) -> Week {
        Week { monday: self.monday + 7 }
    }
    pub fn period(self, utc_offset_minutes: i32) -> Period {
        let at = |day| midnight(day, utc_offset_minutes);
        Period { from: at(self.monday), to: at(self.monday + 7), utc_offset_minutes }
    }
    /// Monday and Sunday, "2026-11-16".
    pub fn dates(self) -> (String, String) {
        (date_of(self.monday), date_of(self.monday + 6))
    }
    /// Year and number: the year that its Thursday lies in.
    fn number(self) -> (i64, i64) {
        let thursday = self.monday + 3;
        let year = date_of(thursday).get(..4).and_then(|y| y.parse().ok()).unwrap_or(0);
        let first = parse_date(&format!("{year:04}-01-01")).unwrap_or(thursday);
        (year, (thursday - first) / 7 + 1)
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, week) = self.number();
        write!(f, "{year:04}-W{week:02}")
    }
}

impl FromStr for Week {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Week, Self::Err> {
        const WRONG: &str = "a week is written 2026-W47";
        let (year, week) = text.split_once("-W").filter(|(y, w)| y.len() == 4 && w.len() == 2).ok_or(WRONG)?;
        let number = week.parse::<i64>().map_err(|_| WRONG)?;
        // The 4th of January lies in the first week.
        let fourth = parse_date(&format!("{year}-01-04")).ok_or(WRONG)?;
        let found = Week { monday: fourth - (fourth + 3).rem_euclid(7) + 7 * (number - 1) };
        if found.to_string() == text { Ok(found) } else { Err(WRONG) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: &str) -> i64 {
        midnight(parse_date(date).unwrap(), 480)
    }

    #[test]
    fn weeks_are_those_of_iso_8601() {
        for (date, week) in [
            ("2026-11-22", "2026-W47"),
            ("2026-11-23", "2026-W48"),
            ("2026-01-01", "2026-W01"),
            ("2027-01-03", "2026-W53"),
            ("2027-01-04", "2027-W01"),
            ("2024-12-30", "2025-W01"),
        ] {
            assert_eq!(Week::of(at(date), 480).to_string(), week, "{date}");
            let parsed: Week = week.parse().unwrap();
            assert!(parsed.period(480).contains(at(date)), "{date}");
            assert_eq!(parsed.before().after(), parsed);
        }
        assert_eq!("2026-W47".parse::<Week>().unwrap().dates(), ("2026-11-16".to_owned(), "2026-11-22".to_owned()));
        for wrong in ["", "2026-47", "2026-W54", "2025-W53", "2026-W00", "2026-W4", "99999-W01", "+026-W01", "2026-W+1"] {
            assert!(wrong.parse::<Week>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_are_the_sites_own() {
        // 00:30 in China is still yesterday in UTC.
        let now = at("2026-11-22") + HOUR_MS / 2;
        let p = Period::last_days(7, now, 480);
        assert_eq!((p.from, p.to, p.hour(now)), (at("2026-11-16"), now + 1, 0));
        assert_eq!(p.days().map(date_of).collect::<Vec<_>>().last().unwrap(), "2026-11-22");
        assert_eq!(p.days().count(), 7);
        assert_eq!("2026-W47".parse::<Week>().unwrap().period(480).days().count(), 7);
        assert_eq!(Period::last_days(0, now, 480).days().count(), 1);
        assert!(Period::last_days(u32::MAX, i64::MIN, 480).days().count() <= MAX_DAYS as usize + 1);
    }
}
