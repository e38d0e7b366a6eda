//! What is wrong with a site file, all of it together.
use super::compiled::ESTIMATE_PREFIX;
use super::schedule::parse_date;
use super::site::Site;
use std::collections::BTreeSet;

impl Site {
    /// Every problem in words that say how to mend it; empty when the file is sound.
    pub fn problems(&self) -> Vec<String> {
        let mut out = Vec::new();
        if self.name.trim().is_empty() {
            out.push("name is empty; write the institution's name as parents know it".to_owned());
        }
        if !(-14 * 60..=14 * 60).contains(&self.utc_offset_minutes) {
            out.push(format!("utc_offset_minutes = {} is no time zone; China is 480", self.utc_offset_minutes));
        }
        if self.zones.is_empty() {
            out.push("there is no [[zones]]; a site needs at least one".to_owned());
        }
        let mut zones = BTreeSet::new();
        for z in &self.zones {
            if !zones.insert(&z.id) {
                out.push(format!("zone {} is there twice; give each its own id", z.id));
            }
            if z.id.as_str() == super::compiled::UNPLACED_ZONE {
                out.push(format!("zone id {} is reserved for devices that stand nowhere; choose another", z.id));
            }
        }
        let mut classes = BTreeSet::new();
        for c in &self.classes {
            if !classes.insert(&c.id) {
                out.push(format!("class {:?} is there twice; give each its own id", c.id));
            }
            if c.care_hours.is_empty() {
                out.push(format!("class {:?} has no care_hours; write them as [\"08:00-17:30\"]", c.id));
            }
            let hours = c.care_hours.iter().chain([&c.nap, &c.drop_off, &c.collection].into_iter().flatten());
            for h in hours.filter(|h| h.from < self.staff_hours.from || h.to > self.staff_hours.to) {
                let (h, s) = (String::from(*h), String::from(self.staff_hours));
                out.push(format!("class {:?} has hours {h} outside the staff hours {s}; children are never in without staff", c.id));
            }
        }
        for z in &self.zones {
            for c in z.classes.iter().filter(|c| !classes.contains(c)) {
                out.push(format!("zone {} names the class {c:?}, which is not among [[classes]]", z.id));
            }
        }
        let mut devices = BTreeSet::new();
        for d in &self.devices {
            if !devices.insert(&d.id) {
                out.push(format!("device {} is placed twice; it can hang in one zone only", d.id));
            }
            if d.id.as_str().starts_with(ESTIMATE_PREFIX) {
                out.push(format!("device {} cannot be placed: {ESTIMATE_PREFIX}<zone> is the gateway's own", d.id));
            }
            if !zones.contains(&d.zone) {
                out.push(format!("device {} is placed in the zone {}, which is not among [[zones]]", d.id, d.zone));
            }
            if d.period_s == Some(0) {
                out.push(format!("device {} has period_s = 0; leave it out to have it learned", d.id));
            }
            if d.via.as_ref() == Some(&d.id) {
                out.push(format!("device {} has itself as via; name the switch, coordinator or hub that it is heard through", d.id));
            }
        }
        for (list, dates) in [("holidays", &self.calendar.holidays), ("working_days", &self.calendar.working_days)] {
            for d in dates.iter().filter(|d| parse_date(d).is_none()) {
                out.push(format!("calendar.{list} holds {d:?}, which is no date; write \"2026-10-01\""));
            }
        }
        for d in self.calendar.holidays.iter().filter(|d| self.calendar.working_days.contains(d)) {
            out.push(format!("{d} is both a holiday and a working day; keep one"));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::testing;

    #[test]
    fn a_sound_site_has_no_problems() {
        assert_eq!(testing::site().problems(), Vec::<String>::new());
    }

    #[test]
    fn all_problems_are_told_together() {
        let mut s = testing::site();
        s.devices.push(s.devices[0].clone());
        s.devices[1].zone = "attic".parse().unwrap();
        s.zones[0].classes = vec!["ghosts".into()];
        s.devices[2].id = "estimate.room".parse().unwrap();
        s.calendar.holidays = vec!["2026-02-30".into(), "2026-10-10".into()];
        s.calendar.working_days = vec!["2026-10-10".into()];
        let all = s.problems().join("\n");
        for part in ["placed twice", "attic", "ghosts", "2026-02-30", "both a holiday", "the gateway's own"] {
            assert!(all.contains(part), "{part} in {all}");
        }
        assert_eq!(s.problems().len(), 6);
    }
}
