//! The floor plan: where rooms and devices are drawn. Nothing follows from it but what a page shows, so the engine is never told of it.
use super::site::Site;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tuoan_protocol::{DeviceId, ZoneId};

/// Coordinates are thousandths of the plan's width and height, from its upper left corner.
pub const SIDE: u16 = 1000;
/// Plans of a site, and what one shows of each kind.
const PLANS: usize = 16;
const SHOWN: usize = 256;

/// One floor, `[[plan]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub floor: i8,
    /// A picture beside the site file, under [`Plan::picture_name`]; without one only rooms are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// Its height in thousandths of its width.
    #[serde(default = "usual", skip_serializing_if = "is_usual")]
    pub tall: u16,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rooms: Vec<Drawn>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
}

/// Of a sheet that nobody has given a picture.
const USUAL: u16 = 640;
/// How slender a plan may be, either way.
pub const TALL: std::ops::RangeInclusive<u16> = 200..=5000;

fn usual() -> u16 {
    USUAL
}
fn is_usual(tall: &u16) -> bool {
    *tall == USUAL
}

/// A room as a rectangle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    pub zone: ZoneId,
    pub x: u16,
    pub y: u16,
    pub w: u16,
    pub h: u16,
}

/// Where a device hangs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    pub device: DeviceId,
    pub x: u16,
    pub y: u16,
}

impl Drawn {
    pub fn holds(&self, x: u16, y: u16) -> bool {
        let within = |at: u16, from: u16, length: u16| at >= from && at <= from.saturating_add(length);
        within(x, self.x, self.w) && within(y, self.y, self.h)
    }
    fn fits(&self) -> bool {
        let fits = |from: u16, length: u16| length > 0 && from.checked_add(length).is_some_and(|to| to <= SIDE);
        fits(self.x, self.w) && fits(self.y, self.h)
    }
}

impl Plan {
    pub fn new(floor: i8) -> Plan {
        Plan { floor, picture: None, tall: USUAL, rooms: Vec::new(), marks: Vec::new() }
    }
    /// The only name that a floor's picture may have: a site file from elsewhere must not name another file of this box.
    pub fn picture_name(floor: i8) -> String {
        format!("plan-{floor}.jpg")
    }
    pub fn room_at(&self, x: u16, y: u16) -> Option<&ZoneId> {
        // What is drawn later lies above.
        self.rooms.iter().rfind(|r| r.holds(x, y)).map(|r| &r.zone)
    }
}

pub(super) fn problems(site: &Site) -> Vec<String> {
    let mut out = Vec::new();
    if site.plans.len() > PLANS {
        out.push(format!("there are {} [[plan]]; {PLANS} floors are enough", site.plans.len()));
    }
    let mut floors = BTreeSet::new();
    for p in &site.plans {
        let floor = p.floor;
        if !floors.insert(floor) {
            out.push(format!("floor {floor} has two [[plan]]; draw it once"));
        }
        if p.picture.as_ref().is_some_and(|name| *name != Plan::picture_name(floor)) {
            out.push(format!("the picture of floor {floor} must be named {:?} and lie beside the site file", Plan::picture_name(floor)));
        }
        if !TALL.contains(&p.tall) {
            out.push(format!(
                "tall = {} on floor {floor}: a plan is {} to {} thousandths of its width high",
                p.tall,
                TALL.start(),
                TALL.end()
            ));
        }
        if p.rooms.len() > SHOWN || p.marks.len() > SHOWN {
            out.push(format!("the plan of floor {floor} shows more than {SHOWN} rooms or devices"));
        }
        let zones: BTreeSet<&ZoneId> = site.zones.iter().map(|z| &z.id).collect();
        for r in p.rooms.iter().filter(|r| !zones.contains(&r.zone)) {
            out.push(format!("the plan of floor {floor} draws the zone {}, which is not among [[zones]]", r.zone));
        }
        for r in p.rooms.iter().filter(|r| !r.fits()) {
            out.push(format!("the rectangle of {} on floor {floor} leaves the plan; its sides are 0 to {SIDE}", r.zone));
        }
        for m in p.marks.iter().filter(|m| m.x > SIDE || m.y > SIDE) {
            out.push(format!("the mark of {} on floor {floor} lies beside the plan; it is 0 to {SIDE} wide and high", m.device));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing;

    fn plan(text: &str) -> Vec<String> {
        let site = Site { plans: vec![toml::from_str(text).unwrap()], ..testing::site() };
        site.problems()
    }

    #[test]
    fn a_plan_names_rooms_that_are_there_and_stays_on_its_paper() {
        assert_eq!(plan("floor = 1\nrooms = [{ zone = \"room\", x = 0, y = 0, w = 1000, h = 1000 }]"), Vec::<String>::new());
        assert!(plan("floor = 1\nrooms = [{ zone = \"attic\", x = 0, y = 0, w = 1, h = 1 }]")[0].contains("attic"));
        assert!(plan("floor = 1\nrooms = [{ zone = \"room\", x = 900, y = 0, w = 101, h = 1 }]")[0].contains("leaves the plan"));
        assert!(plan("floor = 1\nrooms = [{ zone = \"room\", x = 65535, y = 0, w = 65535, h = 1 }]")[0].contains("leaves the plan"));
        assert!(plan("floor = 1\nmarks = [{ device = \"air\", x = 1001, y = 0 }]")[0].contains("beside the plan"));
    }

    #[test]
    fn its_picture_has_one_name_and_names_no_other_file() {
        assert_eq!(plan("floor = -1\npicture = \"plan--1.jpg\""), Vec::<String>::new());
        for evil in ["../auth.json", "/etc/passwd", "plan-1.jpg"] {
            assert_eq!(plan(&format!("floor = 2\npicture = {evil:?}")).len(), 1, "{evil}");
        }
    }
}
