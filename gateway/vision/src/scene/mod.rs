//! What happens before a camera: people over time, how many, how tall, where, and what is dangerous about it.
//!
//! Only geometry and time: no pixels, no models, no clock, no thresholds of rules. A [`Sign`] says what is so at this moment; how long it must last
//! before it is an incident stands in the rule packs.
//!
//! | file | holds |
//! |---|---|
//! | [`area`] | polygons on the picture |
//! | [`floor`] | calibration: where points of the picture are in the room |
//! | [`body`] | a person's parts in one frame |
//! | [`size`] | how tall somebody is, adult or child |
//! | [`track`] | people followed from frame to frame |
//! | [`count`] | numbers that do not flicker |
//! | [`detect`] | a file for each hazard |
//! | `script` | made-up scenes with known truth, for tests and benchmarks |
//!
//! What must hold: nothing here grows without bound; no input panics; what cannot be told is never said to be "no".
pub mod area;
pub mod body;
pub mod count;
pub mod detect;
pub mod floor;
pub mod script;
pub mod size;
pub mod track;

use crate::setup::{self, AreaKind, SetupError};
use crate::sight::{Person, Posture, Rect, Sight};
use area::Polygon;
use body::Body;
use count::{Counter, number};
use detect::{Area, Look, Seen, Steady};
use floor::Floor;
use std::collections::BTreeMap;
use track::{Age, Ground, Track, Tracker};

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
    device: String,
    marks: Option<setup::Floor>,
    /// Fitted with the first frame, whose shape it needs; again should the camera's picture change its shape.
    floor: Option<Floor>,
    aspect: Option<f32>,
    areas: Vec<Area>,
    ignored: Vec<Polygon>,
    zones: Vec<Zone>,
    own_zone: usize,
    tracker: Tracker,
    last_ms: Option<i64>,
    beyond: Steady,
}

/// What is remembered for one zone.
#[derive(Debug)]
struct Zone {
    name: String,
    /// Children may stay here: it is the camera's own or has the floor of a room.
    room: bool,
    people: Counter,
    adults: Counter,
    children: Counter,
    unattended: detect::unattended::Unattended,
    fall: detect::fall::Fall,
    climb: detect::climb::Climb,
    intrusion: detect::intrusion::Intrusion,
    nap: detect::nap::Nap,
    ebike: detect::ebike::EBike,
    crowded: detect::crowded::Crowded,
}

/// People of one frame that are looked at; the models find fewer.
const PEOPLE: usize = 64;
/// A frame that is older than the last by more than this is not a late one: the clock was set back.
const SET_BACK_MS: i64 = 10_000;
/// Counts are lower bounds when most frames of this time say so: one that imagines a seventh person does not make them so.
const AT_LEAST_MS: i64 = 10_000;
/// Somebody whose feet are not seen is ignored only when so much of them lies in an ignored area, so that who stands before a mirror is not.
const IGNORED: f32 = 0.8;

impl Scene {
    /// # Errors
    /// An area or the floor is drawn so that it cannot be used; the error names each and what to do.
    pub fn new(camera: &setup::Camera, own_zone: &str) -> Result<Scene, SetupError> {
        camera.check()?;
        let mut zones = vec![Zone::new(own_zone, true)];
        let mut areas = Vec::new();
        let mut ignored = Vec::new();
        for area in &camera.areas {
            let polygon = Polygon::new(&area.corners);
            if area.kind == AreaKind::Ignore {
                ignored.push(polygon);
                continue;
            }
            let name = area.zone.as_deref().unwrap_or(own_zone);
            let zone = zones.iter().position(|z| z.name == name).unwrap_or_else(|| {
                zones.push(Zone::new(name, false));
                zones.len() - 1
            });
            zones[zone].room |= area.kind == AreaKind::Room;
            if area.kind == AreaKind::Exit {
                zones[zone].adults = Counter::new(count::SHORT_MS);
                zones[zone].children = Counter::new(count::SHORT_MS);
            }
            areas.push(Area { kind: area.kind, zone, polygon });
        }
        Ok(Scene {
            device: camera.device.clone(),
            marks: camera.floor.clone(),
            floor: None,
            aspect: None,
            areas,
            ignored,
            zones,
            own_zone: 0,
            tracker: Tracker::default(),
            last_ms: None,
            beyond: Steady::new(AT_LEAST_MS),
        })
    }

    /// The camera's device.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The zones that it reports, its own first.
    pub fn zones(&self) -> impl Iterator<Item = &str> {
        self.zones.iter().map(|z| z.name.as_str())
    }

    /// The calibration, once a frame was seen; `None` without marks, or where the picture's shape is not the one that was marked.
    pub fn floor(&self) -> Option<&Floor> {
        self.floor.as_ref()
    }

    /// A frame was looked at. Zones that `facts` does not name are not at nap. Frames may come late or out of order: time then stands still.
    pub fn see(&mut self, at_ms: i64, sight: &Sight, facts: &[ZoneFacts]) -> Vec<ZoneSight> {
        let elapsed_ms = self.elapsed(at_ms);
        let aspect = self.shape(sight);
        let people: Vec<&Person> = sight.people.iter().filter(|p| !self.is_ignored(p, aspect)).take(PEOPLE).collect();
        let areas = &self.areas;
        let ground = |body: &Body| {
            let is = |kind: AreaKind, at: body::At| areas.iter().any(|a| a.kind == kind && a.polygon.contains(at));
            let foot = foot(body);
            match () {
                () if is(AreaKind::Window, foot) => Ground::Raised,
                () if areas.iter().any(|a| a.kind == AreaKind::Bed && body.lies_in(&a.polygon)) => Ground::Bed,
                () if is(AreaKind::Bed, foot) => Ground::Raised,
                () if is(AreaKind::Stairs, foot) => Ground::Steps,
                () => Ground::Floor,
            }
        };
        self.tracker.see(elapsed_ms, &people, aspect, self.floor.as_ref(), ground);
        let now_ms = self.tracker.now_ms();
        let at_least = self.beyond.see(now_ms, if sight.at_least { Answer::Yes } else { Answer::No }) == Answer::Yes;
        let everybody: Vec<Seen> = self.tracker.present().map(|track| self.place(track, aspect)).collect();
        let doubtful: Vec<Seen> = self.tracker.doubtful().map(|track| self.place(track, aspect)).collect();
        let mut sights = Vec::with_capacity(self.zones.len());
        for (zone, state) in self.zones.iter_mut().enumerate() {
            let none = ZoneFacts { zone: state.name.clone(), ..ZoneFacts::default() };
            let look = Look {
                now_ms,
                interval_ms: self.tracker.interval_ms(),
                sight,
                aspect,
                floor: self.floor.as_ref(),
                areas: &self.areas,
                zone,
                everybody: &everybody,
                at_least,
                facts: facts.iter().find(|f| f.zone == state.name).unwrap_or(&none),
            };
            let maybe = doubtful.iter().filter(|s| s.zones.contains(&zone)).count();
            sights.push(state.look(&look, maybe));
        }
        sights
    }

    /// A frame came that was not looked at because nothing had moved in it: everybody is where they were.
    pub fn skip(&mut self, at_ms: i64) {
        let elapsed_ms = self.elapsed(at_ms);
        self.tracker.skip(elapsed_ms);
    }

    /// Who is followed now, for the camera's page.
    pub fn people(&self) -> Vec<TrackedPerson> {
        let people = self.tracker.present().map(|t| TrackedPerson {
            number: t.number,
            bbox: t.bbox(),
            posture: t.person.posture,
            height_m: t.height().map(|h| h.metres as f32),
            adult: t.adult().map(|p| p as f32),
        });
        people.collect()
    }

    /// Milliseconds since the last frame, never negative.
    fn elapsed(&mut self, at_ms: i64) -> i64 {
        let last = self.last_ms.unwrap_or(at_ms);
        let elapsed = at_ms.saturating_sub(last);
        if !(-SET_BACK_MS..0).contains(&elapsed) {
            self.last_ms = Some(at_ms);
        }
        elapsed.max(0)
    }

    /// Width by height; the floor is fitted to it.
    fn shape(&mut self, sight: &Sight) -> f32 {
        let sides = sight.width.min(1 << 16) as f32 / sight.height.clamp(1, 1 << 16) as f32;
        let aspect = if sight.width == 0 || sight.height == 0 { 16.0 / 9.0 } else { sides.clamp(0.2, 5.0) };
        if self.aspect.is_none_or(|a| (a / aspect - 1.0).abs() > 0.01) {
            self.aspect = Some(aspect);
            self.floor = self.marks.as_ref().and_then(|marks| Floor::fit(marks, f64::from(aspect)).ok());
        }
        aspect
    }

    fn is_ignored(&self, person: &Person, aspect: f32) -> bool {
        if !body::sound(&person.bbox) {
            return true;
        }
        let foot = Body { person, aspect }.foot();
        self.ignored.iter().any(|area| foot.is_some_and(|f| area.contains(f)) || area.share_of(&person.bbox) >= IGNORED)
    }

    /// Which zones somebody counts for. A room, stairs, a kitchen and an escape route are places apart: who is in one is not in another. An exit, a bed and a window
    /// are in a room: who is there is in both.
    fn place<'a>(&self, track: &'a Track, aspect: f32) -> Seen<'a> {
        let body = Body { person: &track.person, aspect };
        let foot = foot(&body);
        let apart = |a: &&Area| matches!(a.kind, AreaKind::Room | AreaKind::Stairs | AreaKind::Kitchen | AreaKind::Escape);
        let size = |a: &&Area| (a.polygon.around().area() * 1e6) as i64;
        let inside: Vec<&Area> = self.areas.iter().filter(|a| a.polygon.contains(foot)).collect();
        let mut zones = vec![inside.iter().copied().filter(apart).min_by_key(size).map_or(self.own_zone, |a| a.zone)];
        for area in inside {
            if !apart(&area) && !zones.contains(&area.zone) {
                zones.push(area.zone);
            }
        }
        // Beds are children's: who lies in one and was not measured as an adult is a child, also under a quilt that hides the feet.
        let bedded = self.areas.iter().any(|a| a.kind == AreaKind::Bed && body.lies_in(&a.polygon));
        let age = match track.age() {
            Age::Unknown if bedded && self.floor.is_some() => Age::Child,
            age => age,
        };
        Seen { track, age, foot, zones }
    }
}

/// Where somebody stands, or as near to it as is seen.
fn foot(body: &Body) -> body::At {
    let b = &body.person.bbox;
    body.foot().unwrap_or(((b.x0 + b.x1) / 2.0, b.y1))
}

impl Zone {
    fn new(name: &str, room: bool) -> Zone {
        Zone {
            name: name.to_owned(),
            room,
            people: Counter::new(count::SHORT_MS),
            adults: Counter::new(count::LONG_MS),
            children: Counter::new(count::LONG_MS),
            unattended: Default::default(),
            fall: Default::default(),
            climb: Default::default(),
            intrusion: Default::default(),
            nap: Default::default(),
            ebike: Default::default(),
            crowded: Default::default(),
        }
    }

    fn look(&mut self, look: &Look, maybe: usize) -> ZoneSight {
        let of = |age: Age| look.people().filter(|s| s.age == age).count();
        let (adults, children, unknown) = (of(Age::Adult), of(Age::Child), of(Age::Unknown));
        let leaning = |over: bool| {
            let p = look.people().filter(|s| s.age == Age::Unknown).filter_map(|s| s.track.adult());
            p.filter(|p| if over { *p > 0.5 } else { *p < 0.5 }).count()
        };
        let range =
            |sure: usize, leaning: usize| Count { low: number(sure), likely: number(sure + leaning), high: number(sure + unknown + maybe) };
        let all = adults + children + unknown;
        let now = look.people().filter(|s| s.track.now).count();
        let people = self.people.see(look.now_ms, Count { low: number(now), likely: number(all), high: number(all + maybe) });
        let adults = self.adults.see(look.now_ms, range(adults, leaning(true)));
        let children = self.children.see(look.now_ms, range(children, leaning(false)));
        let mut signs = BTreeMap::new();
        if self.room {
            signs.insert(Sign::Unattended, self.unattended.look(look));
        }
        signs.insert(Sign::Fallen, self.fall.look(look));
        signs.insert(Sign::Crowded, self.crowded.look(look));
        signs.extend(self.climb.look(look).map(|a| (Sign::Climbing, a)));
        signs.extend(self.intrusion.look(look).map(|a| (Sign::Intrusion, a)));
        signs.extend(self.ebike.look(look).map(|a| (Sign::EBike, a)));
        if let Some(sleep) = self.nap.look(look) {
            // Children who can turn over by themselves may sleep as they like.
            if look.facts.infants {
                signs.insert(Sign::Prone, sleep.prone);
            }
            signs.insert(Sign::FaceCovered, sleep.covered);
            signs.insert(Sign::NapUnseen, sleep.unseen);
        }
        let calibrated = look.floor.is_some();
        ZoneSight {
            zone: self.name.clone(),
            people,
            at_least: look.at_least,
            adults: calibrated.then_some(adults),
            children: calibrated.then_some(children),
            signs,
        }
    }
}
