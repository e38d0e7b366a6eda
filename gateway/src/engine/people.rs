//! The people of the site who are told of incidents, and when each is on duty. How to reach them stands with the channels: an address is in no log.
use super::schedule::{Schedule, parse_date};
use super::site::Site;
use serde::{Deserialize, Serialize};
use tuoan_protocol::{Rung, ZoneId};

/// `[[person]]` of the site file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Letters, digits, `-`, `_`, `.`; 48 bytes at most.
    pub id: String,
    /// As it stands on pages and in messages.
    pub name: String,
    pub role: Rung,
    /// The zones whose incidents are theirs; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<ZoneId>,
    /// When they are on duty, local time; empty: always. Of entries for a date only those of that date count on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duty: Vec<Duty>,
    /// "21:00-06:30": advisories wait for its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Span>,
}

/// A stretch of the day, over midnight where it ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Span {
    /// Minutes since local midnight, 0 to 1439.
    pub from: u16,
    /// 1 to 1440.
    pub to: u16,
}

impl Span {
    fn holds(self, minute: u16) -> bool {
        if self.from < self.to { (self.from..self.to).contains(&minute) } else { minute >= self.from || minute < self.to }
    }
    /// Minutes from `minute`, within it, to its end.
    fn left(self, minute: u16) -> u16 {
        if minute < self.to { self.to - minute } else { 1440 - minute + self.to }
    }
}

impl From<Span> for String {
    fn from(s: Span) -> String {
        format!("{:02}:{:02}-{:02}:{:02}", s.from / 60, s.from % 60, s.to / 60, s.to % 60)
    }
}
impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let minute = |t: &str| -> Option<u16> {
            let (h, m) = t.trim().split_once(':')?;
            let (h, m): (u16, u16) = (h.parse().ok()?, m.parse().ok()?);
            (h < 24 && m < 60 || (h, m) == (24, 0)).then_some(h * 60 + m)
        };
        let read = text.split_once('-').and_then(|(a, b)| Some(Span { from: minute(a)?, to: minute(b)? }));
        read.filter(|s| s.from != s.to && s.from < 1440 && s.to > 0)
            .ok_or_else(|| format!("{text:?} are no hours; write them as \"07:00-16:00\", over midnight as \"21:00-06:30\""))
    }
}

/// "mon-fri 07:00-16:00", "workdays 07:00-16:00", "sat,sun 08:00-20:00", "daily 00:00-24:00" or, for one day, "2026-11-23 07:00-16:00".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Duty {
    days: Days,
    span: Span,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    /// Bit 0 is Monday.
    Week(u8),
    /// Days on which the site works, by its calendar.
    Working,
    /// Days since 1970.
    Date(i64),
}

impl From<Duty> for String {
    fn from(d: Duty) -> String {
        d.text
    }
}
impl TryFrom<String> for Duty {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("{text:?} is no duty; write \"mon-fri 07:00-16:00\", \"workdays 07:00-16:00\" or \"2026-11-23 07:00-16:00\"");
        let (days, hours) = text.trim().split_once(' ').ok_or_else(bad)?;
        let span = Span::try_from(hours.trim().to_owned())?;
        let days = match days {
            "workdays" => Days::Working,
            "daily" => Days::Week(0x7f),
            date if date.starts_with(|c: char| c.is_ascii_digit()) => Days::Date(parse_date(date).ok_or_else(bad)?),
            list => Days::Week(week(list).ok_or_else(bad)?),
        };
        Ok(Duty { days, span, text: text.trim().to_owned() })
    }
}

fn week(list: &str) -> Option<u8> {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let day = |name: &str| NAMES.iter().position(|n| n.eq_ignore_ascii_case(name));
    let mut bits = 0u8;
    for part in list.split(',') {
        match part.split_once('-') {
            Some((a, b)) => {
                let (a, b) = (day(a)?, day(b)?);
                // "sat-mon" goes over Sunday.
                let days = (0..7).map(|i| (a + i) % 7).take((b + 7 - a) % 7 + 1);
                days.for_each(|d| bits |= 1 << d);
            }
            None => bits |= 1 << day(part)?,
        }
    }
    Some(bits)
}

impl Duty {
    fn is_for(&self, day: i64, schedule: &Schedule) -> bool {
        match self.days {
            // 1970-01-01 was a Thursday.
            Days::Week(bits) => bits & (1 << (day + 3).rem_euclid(7)) != 0,
            Days::Working => schedule.is_working_day(day),
            Days::Date(date) => date == day,
        }
    }
}

impl Person {
    /// On duty at that local time: day since 1970 and minute of it.
    fn on_duty(&self, day: i64, minute: u16, schedule: &Schedule) -> bool {
        if self.duty.is_empty() {
            return true;
        }
        let of = |day: i64| {
            let dated = self.duty.iter().any(|d| d.days == Days::Date(day));
            self.duty.iter().filter(move |d| d.is_for(day, schedule) && (!dated || d.days == Days::Date(day)))
        };
        // A night's duty that began yesterday.
        let night = of(day - 1).any(|d| d.span.from >= d.span.to && minute < d.span.to);
        night || of(day).any(|d| if d.span.from < d.span.to { d.span.holds(minute) } else { minute >= d.span.from })
    }

    /// UTC milliseconds at which their quiet hours end, when they are in them.
    pub fn quiet_until(&self, utc: i64, offset_minutes: i32) -> Option<i64> {
        let (_, minute) = local(utc, offset_minutes);
        let span = self.quiet.filter(|s| s.holds(minute))?;
        let begun = utc.div_euclid(60_000) * 60_000;
        Some(begun.saturating_add(i64::from(span.left(minute)) * 60_000))
    }
}

/// Day since 1970 and minute of the day, by the site's own clock.
fn local(utc: i64, offset_minutes: i32) -> (i64, u16) {
    let local = utc.saturating_add(i64::from(offset_minutes) * 60_000);
    (local.div_euclid(86_400_000), u16::try_from(local.rem_euclid(86_400_000) / 60_000).unwrap_or(0))
}

/// Who stands on that rung for that zone: those on duty; nobody on duty: all of that rung for the zone; none: all of that rung. With an untrusted clock
/// everybody counts as on duty.
pub fn on_rung<'s>(site: &'s Site, schedule: &Schedule, rung: Rung, zone: &ZoneId, utc: i64, trusted: bool) -> Vec<&'s Person> {
    let of_rung: Vec<&Person> = site.people.iter().filter(|p| p.role == rung).collect();
    let here: Vec<&Person> = of_rung.iter().copied().filter(|p| p.zones.is_empty() || p.zones.contains(zone)).collect();
    let (day, minute) = local(utc, site.utc_offset_minutes);
    let on: Vec<&Person> = here.iter().copied().filter(|p| !trusted || p.on_duty(day, minute, schedule)).collect();
    [on, here, of_rung].into_iter().find(|list| !list.is_empty()).unwrap_or_default()
}

/// Longest id or name of a person, in bytes: what an event has room for.
pub const MAX_NAME: usize = 48;

/// What is wrong with the people of a site file.
pub fn problems(site: &Site) -> Vec<String> {
    let mut out = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    for p in &site.people {
        let good = !p.id.is_empty() && p.id.len() <= MAX_NAME && p.id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !good {
            out.push(format!("person id {:?} must be 1 to {MAX_NAME} letters, digits, - _ or .", p.id));
        }
        if !ids.insert(&p.id) {
            out.push(format!("person {:?} is there twice; give each an id of their own", p.id));
        }
        if p.name.trim().is_empty() || p.name.len() > MAX_NAME {
            out.push(format!("the name of person {:?} must be 1 to {MAX_NAME} bytes; it is shown to others", p.id));
        }
        for z in p.zones.iter().filter(|z| site.zones.iter().all(|s| s.id != **z)) {
            out.push(format!("person {:?} names the zone {z}, which is not among [[zones]]", p.id));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{site, t};

    fn person(id: &str, role: Rung, duty: &[&str]) -> Person {
        let duty = duty.iter().map(|d| Duty::try_from((*d).to_owned()).unwrap()).collect();
        Person { id: id.into(), name: id.into(), role, zones: vec![], duty, quiet: None }
    }

    fn on(people: Vec<Person>, at: &str) -> Vec<String> {
        let site = Site { people, ..site() };
        let schedule = Schedule::new(&site);
        on_rung(&site, &schedule, Rung::Carer, &"room".parse().unwrap(), t(at), true).iter().map(|p| p.id.clone()).collect()
    }

    #[test]
    fn the_roster_says_who_is_on_duty() {
        let people = vec![person("early", Rung::Carer, &["mon-fri 07:00-12:00"]), person("late", Rung::Carer, &["workdays 12:00-19:00"])];
        assert_eq!(on(people.clone(), "08:00"), ["early"]);
        assert_eq!(on(people.clone(), "12:00"), ["late"]);
        assert_eq!(on(people.clone(), "23:00"), ["early", "late"], "nobody on duty: all of the rung");
        assert_eq!(on(people, "129:00"), ["early", "late"], "Saturday 09:00");
    }

    #[test]
    fn a_date_goes_before_the_week_and_a_night_goes_over_midnight() {
        // The Monday of the tests is 2026-11-23.
        let swap = vec![
            person("a", Rung::Carer, &["mon-fri 07:00-19:00", "2026-11-23 13:00-19:00"]),
            person("b", Rung::Carer, &["2026-11-23 07:00-13:00"]),
        ];
        assert_eq!(on(swap.clone(), "08:00"), ["b"]);
        assert_eq!(on(swap.clone(), "14:00"), ["a"]);
        assert_eq!(on(swap, "32:00"), ["a"], "Tuesday");
        let night = vec![person("guard", Rung::Carer, &["daily 22:00-06:00"]), person("day", Rung::Carer, &["daily 06:00-22:00"])];
        assert_eq!(on(night.clone(), "29:59"), ["guard"]);
        assert_eq!(on(night, "30:00"), ["day"]);
    }

    #[test]
    fn quiet_hours_say_when_they_end() {
        let p = Person { quiet: Some(Span::try_from("21:00-06:30".to_owned()).unwrap()), ..person("a", Rung::Carer, &[]) };
        assert_eq!(p.quiet_until(t("22:10:20"), 480), Some(t("30:30")));
        assert_eq!(p.quiet_until(t("30:29:59"), 480), Some(t("30:30")));
        assert_eq!(p.quiet_until(t("12:00"), 480), None);
    }

    #[test]
    fn what_is_no_duty_is_refused() {
        for bad in ["", "mon", "mon 7-16", "monday 07:00-16:00", "2026-13-01 07:00-16:00", "mon 25:00-26:00", "mon 07:00-07:00"] {
            assert!(Duty::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        for good in ["mon-fri 07:00-16:00", "sat-mon 08:00-20:00", "sat,sun 08:00-20:00", "daily 00:00-24:00"] {
            assert_eq!(String::from(Duty::try_from(good.to_owned()).unwrap()), good);
        }
    }
}
