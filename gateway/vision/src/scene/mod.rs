//! What happens before a camera: people over time, how many, how tall, where, and what is dangerous about it.
//!
//! Only geometry and time: no pixels, no models, no clock, no thresholds of rules. A [`Sign`] says what is so at this moment; how long it must last
//! before it is an incident stands in the rule packs.
use crate::setup::{AreaKind, Camera, SetupError};
use crate::sight::{Posture, Rect, Sight};
use std::collections::{BTreeMap, BTreeSet};

/// What a detector says of its hazard at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Yes,
    No,
    /// What would be needed to tell is not seen or not calibrated. It is reported as such, never as "no".
    CannotTell,
}

/// A number of people and what it may be, given what cameras miss and see twice: `low <= likely <= high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Count {
    pub low: u16,
    pub likely: u16,
    pub high: u16,
}

/// What a zone may show. The hazard that each is for stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// A child is there and no adult: room.unattended.
    Unattended,
    /// Someone went down fast and lies still: child.fall.
    Fallen,
    /// Someone is up at a window or on a shelf: child.climb.
    Climbing,
    /// A child is in a kitchen or on stairs: zone.intrusion.
    Intrusion,
    /// A sleeper lies face down: nap.prone.
    Prone,
    /// A sleeper's face is under something: nap.prone (蒙头).
    FaceCovered,
    /// Beds where neither can be told.
    NapUnseen,
    /// A bicycle or motorcycle stands in an escape route: ebike.in_escape.
    EBike,
    /// More people than can be told apart.
    Crowded,
}

/// What is seen of one zone at one moment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ZoneSight {
    pub zone: String,
    pub people: Count,
    /// `people` is only a lower bound: the picture is beyond what can be counted.
    pub at_least: bool,
    /// `None`: nobody's height can be told, the camera is not calibrated.
    pub adults: Option<Count>,
    pub children: Option<Count>,
    /// A sign that is not listed does not apply here now: no such area, not nap time.
    pub signs: BTreeMap<Sign, Answer>,
}

/// What the site's hours say of a zone at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ZoneFacts {
    pub zone: String,
    /// It is nap time there.
    pub nap: bool,
    /// Children who cannot turn over yet sleep there (乳儿班).
    pub infants: bool,
    /// Staff hours.
    pub staff: bool,
}

/// Someone who is followed through the picture. The number is of this camera and this run, and says nothing of who it is.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TrackedPerson {
    pub number: u32,
    #[serde(rename = "box")]
    pub bbox: Rect,
    pub posture: Posture,
    pub height_m: Option<f32>,
    /// Probability of being an adult, 0 to 1. `None` without calibration or before anything could be measured.
    pub adult: Option<f32>,
}

/// One camera's scene.
#[derive(Debug)]
pub struct Scene {
    zones: Vec<String>,
    own_zone: String,
    camera: Camera,
    last_ms: Option<i64>,
    people: Vec<TrackedPerson>,
}

impl Scene {
    /// # Errors
    /// An area or the floor is drawn so that it cannot be used; the error names each and what to do.
    pub fn new(camera: &Camera, own_zone: &str) -> Result<Scene, SetupError> {
        camera.check()?;
        let named = camera.areas.iter().filter_map(|a| a.zone.clone());
        let zones: BTreeSet<String> = named.chain([own_zone.to_owned()]).collect();
        Ok(Scene {
            zones: zones.into_iter().collect(),
            own_zone: own_zone.to_owned(),
            camera: camera.clone(),
            last_ms: None,
            people: Vec::new(),
        })
    }

    /// A frame was looked at. Zones that `facts` does not name are taken as in staff hours, not at nap. Time that goes backwards is taken as
    /// standing still.
    pub fn see(&mut self, at_ms: i64, sight: &Sight, facts: &[ZoneFacts]) -> Vec<ZoneSight> {
        let _ = facts;
        self.last_ms = self.last_ms.max(Some(at_ms));
        let found = sight.people.iter().zip(0_u32..);
        self.people =
            found.map(|(p, number)| TrackedPerson { number, bbox: p.bbox, posture: p.posture, height_m: None, adult: None }).collect();
        let n = u16::try_from(sight.people.len()).unwrap_or(u16::MAX);
        let zones = self.zones.iter().map(|zone| {
            let n = if *zone == self.own_zone { n } else { 0 };
            let people = Count { low: n, likely: n, high: n };
            let mut signs = BTreeMap::new();
            if self.camera.areas.iter().any(|a| a.kind == AreaKind::Room) && *zone == self.own_zone {
                signs.insert(Sign::Unattended, Answer::CannotTell);
            }
            ZoneSight { zone: zone.clone(), people, at_least: sight.at_least, adults: None, children: None, signs }
        });
        zones.collect()
    }

    /// A frame came that was not looked at because nothing had moved in it: everybody is where they were.
    pub fn skip(&mut self, at_ms: i64) {
        self.last_ms = self.last_ms.max(Some(at_ms));
    }

    /// Who is followed now, for the camera's page.
    pub fn people(&self) -> Vec<TrackedPerson> {
        self.people.clone()
    }
}
