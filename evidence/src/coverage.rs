//! Days of the coverage ledger as records of the log: how the zones were watched around an incident.
use serde::Deserialize;
use std::collections::BTreeMap;
use tuoan_protocol::ZoneId;
use tuoan_protocol::ledger::{Day, Figure, Run, Sight};

const MINUTE: i64 = 60_000;
const DAY: i64 = 1440 * MINUTE;

/// A closed day as the log's tree holds it. Numbers and hexadecimal digits alone: one day has one text.
pub fn record(number: u64, date: i64, canonical: &[u8]) -> String {
    format!(r#"{{"number":{number},"date":{date},"canonical":"{}"}}"#, hex::encode(canonical))
}

/// By what the record of a day is found again. `date`: days since 1970-01-01 by the site's clock.
pub fn about(date: i64) -> String {
    format!("day {date}")
}

/// The day of a record, in its one form.
///
/// # Errors
/// It is no day, or another text of one; what, is said.
pub fn day(text: &str) -> Result<Day, String> {
    #[derive(Deserialize)]
    struct Record {
        canonical: String,
    }
    let r: Record = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let canonical = hex::decode(&r.canonical).map_err(|e| e.to_string())?;
    let day = Day::from_canonical(&canonical).map_err(|e| e.to_string())?;
    if record(day.number, day.date, &canonical) != text {
        return Err("the day is not in its canonical form".to_owned());
    }
    Ok(day)
}

/// Days since 1970-01-01 by a clock so many minutes east of UTC. `at`: UTC milliseconds.
pub fn date(at: i64, utc_offset_minutes: i32) -> i64 {
    at.saturating_add(i64::from(utc_offset_minutes) * MINUTE).div_euclid(DAY)
}

/// How `zone` was watched from `from` to `to` (UTC milliseconds): every minute of which a part lies between them. Of two days of one date the
/// higher number holds. `None`: no day tells of that zone then.
pub fn watched(days: &[Day], zone: &ZoneId, from: i64, to: i64) -> Option<Figure> {
    let mut newest: BTreeMap<i64, &Day> = BTreeMap::new();
    for d in days {
        let held = newest.entry(d.date).or_insert(d);
        if held.number < d.number {
            *held = d;
        }
    }
    let mut told: Option<Figure> = None;
    for day in newest.values() {
        let midnight = day.date.saturating_mul(DAY).saturating_sub(i64::from(day.utc_offset_minutes) * MINUTE);
        let minute = |at: i64| u16::try_from(at.saturating_sub(midnight).div_euclid(MINUTE).clamp(0, 1440)).unwrap_or(0);
        if to < midnight || from >= midnight.saturating_add(DAY) {
            continue;
        }
        let (first, behind) = (minute(from), minute(to.saturating_add(MINUTE)));
        let run = day.zones.iter().find(|z| z.zone == *zone).map(|z| &z.run);
        if let Some(figure) = run.map(|r| between(r, first, behind)).filter(|f| f.required() > 0) {
            told = Some(told.unwrap_or_default().plus(figure));
        }
    }
    told
}

/// The figure of the minutes from `first` on, before `behind`.
fn between(run: &Run, first: u16, behind: u16) -> Figure {
    let (mut figure, mut at) = (Figure::default(), 0u16);
    for s in run.stretches() {
        let end = at.saturating_add(s.minutes);
        let minutes = u32::from(end.min(behind).saturating_sub(at.max(first)));
        match s.sight {
            Sight::Absent => {}
            Sight::Watched => figure.watched += minutes,
            Sight::Degraded(_) => figure.degraded += minutes,
            Sight::Blind(_) => figure.blind += minutes,
        }
        at = end;
    }
    figure
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use tuoan_protocol::ledger::{Cause, Need, ZoneDay};

    /// In the nap room the camera was covered for twenty minutes from minute `from` on, and the air unknown for forty after that.
    pub(crate) fn covered(number: u64, date: i64, log: &str, from: u16) -> Day {
        let mut run = Run::default();
        run.push(from, Sight::Watched);
        run.push(20, Sight::blind(Cause::CameraCovered, Some(Need::Camera)));
        run.push(40, Sight::degraded(Cause::Silent, Some(Need::Co2)));
        run.push(1380 - from, Sight::Watched);
        let zones = vec![ZoneDay { zone: "nap-1".parse().unwrap(), run }];
        let closed_at = (date + 1) * DAY - 480 * MINUTE;
        Day {
            site: "xingyuan".parse().unwrap(),
            log: log.parse().unwrap(),
            number,
            date,
            utc_offset_minutes: 480,
            closed_at,
            clock_trusted: true,
            zones,
        }
    }

    #[test]
    fn a_day_has_one_text() {
        let d = covered(7, 20_779, "01JD0000000000000000000000", 540);
        let text = record(d.number, d.date, &d.canonical_bytes());
        assert_eq!(day(&text), Ok(d));
        let others = [
            text.replace("\"number\":7", "\"number\":8"),
            text.replace(":20779", ":20780"),
            text.replace("{\"", "{ \""),
            text.to_uppercase(),
        ];
        for other in others.iter().chain([&text.replace("7b", "7B"), &format!("{text} "), &text[..text.len() - 4].to_owned()]) {
            assert!(*other == text || day(other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_minutes_around_an_incident_are_counted_by_how_they_were_watched() {
        let (log, zone) = ("01JD0000000000000000000000", "nap-1".parse().unwrap());
        let at = |date: i64, minute: i64| date * DAY + (minute - 480) * MINUTE;
        let day = covered(7, 20_779, log, 540);
        let figure = |watched, degraded, blind| Some(Figure { watched, degraded, blind });
        assert_eq!(date(at(20_779, 0), 480), 20_779);
        assert_eq!(date(at(20_779, 0) - 1, 480), 20_778);
        let days = [day];
        assert_eq!(watched(&days, &zone, at(20_779, 530), at(20_779, 530)), figure(1, 0, 0), "a moment is its minute");
        assert_eq!(watched(&days, &zone, at(20_779, 530), at(20_779, 570) + 1), figure(10, 11, 20));
        assert_eq!(watched(&days, &zone, at(20_778, 1439), at(20_779, 1)), figure(2, 0, 0), "what is before the day is in none");
        assert_eq!(watched(&days, &zone, at(20_780, 0), at(20_780, 9)), None);
        assert_eq!(watched(&days, &"yard".parse().unwrap(), at(20_779, 530), at(20_779, 570)), None);
        let mut again = covered(9, 20_779, log, 540);
        again.zones[0].run = Run::default();
        again.zones[0].run.push(1440, Sight::blind(Cause::Clock, None));
        let days = [again, days[0].clone()];
        assert_eq!(watched(&days, &zone, at(20_779, 0), at(20_780, 0) - 1), figure(0, 0, 1440), "the higher number holds");
    }
}
