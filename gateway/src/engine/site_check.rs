//! What is wrong with a site file, all of it together.
use super::compiled::is_own;
use super::schedule::parse_date;
use super::site::{Role, Site, Zone};
use std::collections::BTreeSet;
use tuoan_protocol::DeviceId;

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
        out.extend(super::people::problems(self));
        out.extend(super::plan::problems(self));
        let mut devices = BTreeSet::new();
        for d in &self.devices {
            if !devices.insert(&d.id) {
                out.push(format!("device {} is placed twice; it can hang in one zone only", d.id));
            }
            if is_own(&d.id) {
                out.push(format!(
                    "device {} cannot be placed: estimate.<zone>, vision.<zone>, drill.<zone> and canary are the gateway's own; rename it",
                    d.id
                ));
            }
            if d.role == Role::Camera
                && let Some(z) = self.zones.iter().find(|z| z.id == d.zone && z.kind.is_private())
            {
                out.push(format!("device {} is a camera in {}; {}", d.id, private(z), NO_CAMERA));
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
        self.camera_problems(&mut out);
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

    /// What is wrong with fetching pictures of a network camera of that id: its role among [[devices]] may hide what it is.
    pub fn problem_of_bridged(&self, id: &DeviceId) -> Option<String> {
        // One that is placed nowhere yet is shown as such, and its pictures are forgotten at once.
        let placed = self.devices.iter().find(|d| d.id == *id)?;
        if let Some(z) = self.zones.iter().find(|z| z.id == placed.zone && z.kind.is_private()) {
            return Some(format!("camera {id} stands in {}; {NO_CAMERA}", private(z)));
        }
        (placed.role != Role::Camera)
            .then(|| format!("camera {id} is placed with another role; write role = \"camera\" among the site file's [[devices]]"))
    }

    fn camera_problems(&self, out: &mut Vec<String>) {
        let mut listed = BTreeSet::new();
        for c in &self.cameras {
            if !listed.insert(&c.device) {
                out.push(format!("camera {} is there twice among [[cameras]]; put all its areas into one", c.device));
            }
            match self.devices.iter().find(|d| d.id.as_str() == c.device) {
                None => out.push(format!("camera {} is not among [[devices]]; place it there with role = \"camera\"", c.device)),
                Some(d) if d.role != Role::Camera => {
                    out.push(format!("camera {} is placed with another role; write role = \"camera\" among [[devices]]", c.device));
                }
                Some(_) => {}
            }
            for (area, n) in c.areas.iter().zip(1..) {
                let Some(named) = &area.zone else { continue };
                match self.zones.iter().find(|z| z.id.as_str() == named) {
                    None => out.push(format!("camera {}: area {n} is of the zone {named}, which is not among [[zones]]", c.device)),
                    Some(z) if z.kind.is_private() => {
                        out.push(format!("camera {}: area {n} looks into {}; {NO_CAMERA}", c.device, private(z)));
                    }
                    Some(_) => {}
                }
            }
            if let Err(e) = c.check() {
                out.extend(e.problems.iter().map(|p| format!("camera {}: {p}", c.device)));
            }
        }
    }
}

const NO_CAMERA: &str = "no camera may look into washrooms, changing and nursing rooms (公共安全视频图像信息系统管理条例, State Council Order 799): hang it elsewhere";

fn private(zone: &Zone) -> String {
    format!("{} ({}), a {} room", zone.id, zone.name, format!("{:?}", zone.kind).to_lowercase())
}

#[cfg(test)]
mod tests {
    use crate::engine::site::{Placement, Role, ZoneKind};
    use crate::engine::testing;
    use tuoan_vision::setup::Camera;

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

    fn cameras(text: &str) -> Vec<Camera> {
        #[derive(serde::Deserialize)]
        struct File {
            cameras: Vec<Camera>,
        }
        toml::from_str::<File>(text).unwrap().cameras
    }

    #[test]
    fn a_camera_is_placed_as_one_and_its_areas_lie_in_zones() {
        let mut s = testing::site();
        s.devices.push(Placement { id: "eye".parse().unwrap(), role: Role::Camera, ..s.devices[0].clone() });
        let area = |zone: &str| format!("{{ kind = \"room\", zone = \"{zone}\", corners = [[0, 0], [1000, 0], [1000, 1000]] }}");
        s.cameras = cameras(&format!("[[cameras]]\ndevice = \"eye\"\nareas = [{}]", area("room")));
        assert_eq!(s.problems(), Vec::<String>::new());
        let zones: Vec<_> = s.eyes().map(|(id, _)| id.to_string()).collect();
        assert_eq!(zones, ["vision.room"]);
        s.cameras = cameras(&format!(
            "[[cameras]]\ndevice = \"eye\"\nareas = [{}]\n[[cameras]]\ndevice = \"eye\"\n[[cameras]]\ndevice = \"ghost\"\n[[cameras]]\ndevice = \"smoke\"\nframes_per_10s = 1",
            area("attic")
        ));
        let all = s.problems().join("\n");
        for part in [
            "area 1 is of the zone attic",
            "eye is there twice",
            "ghost is not among [[devices]]",
            "smoke is placed with another role",
            "frames_per_10s is 1",
        ] {
            assert!(all.contains(part), "{part} in {all}");
        }
        assert_eq!(s.problems().len(), 5, "{all}");
        s.devices.last_mut().unwrap().id = "vision.room".parse().unwrap();
        assert!(s.problems().join("\n").contains("vision.room cannot be placed"));
    }

    #[test]
    fn no_camera_looks_into_a_private_room() {
        for kind in [ZoneKind::Washroom, ZoneKind::Changing, ZoneKind::Nursing] {
            let mut s = testing::site();
            s.zones[0].kind = kind;
            s.devices.push(Placement {
                id: "eye".parse().unwrap(),
                role: Role::Camera,
                zone: "nap".parse().unwrap(),
                ..s.devices[0].clone()
            });
            s.cameras = cameras(
                "[[cameras]]\ndevice = \"eye\"\nareas = [{ kind = \"room\", zone = \"room\", corners = [[0, 0], [1000, 0], [1000, 1000]] }]",
            );
            let told = s.problems();
            assert!(told.len() == 1 && told[0].contains("area 1 looks into room") && told[0].contains("799"), "{told:?}");
            s.cameras.clear();
            s.devices.last_mut().unwrap().zone = "room".parse().unwrap();
            let told = s.problems();
            assert!(told.len() == 1 && told[0].contains("eye is a camera in room") && told[0].contains("799"), "{told:?}");
            let eye = s.devices.last_mut().unwrap();
            eye.role = Role::Recorder;
            let eye = eye.id.clone();
            assert!(s.problem_of_bridged(&eye).is_some_and(|told| told.contains("799")), "another role does not open the door");
            assert!(s.problem_of_bridged(&"elsewhere".parse().unwrap()).is_none());
        }
    }
}
