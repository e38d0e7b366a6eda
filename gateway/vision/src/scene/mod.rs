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

/// The camera's own zone among its zones.
const OWN: usize = 0;
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
        let mut zones = vec![inside.iter().copied().filter(apart).min_by_key(size).map_or(OWN, |a| a.zone)];
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Camera;
    use crate::sight::{Face, KeyPoint, Pose, Thing, ThingKind};
    use proptest::prelude::*;
    use script::plays::{Hazard, play};

    fn area(kind: AreaKind, zone: Option<&str>, corners: [[u16; 2]; 4]) -> setup::Area {
        setup::Area { kind, zone: zone.map(str::to_owned), corners: corners.to_vec() }
    }

    fn camera(areas: Vec<setup::Area>) -> Camera {
        Camera { device: "cam".to_owned(), areas, floor: None, rate: 10 }
    }

    fn person(x0: f32, y0: f32, x1: f32, y1: f32) -> Person {
        Person { bbox: Rect { x0, y0, x1, y1 }, score: 0.6, pose: None, posture: Posture::Unknown }
    }

    fn sight(people: Vec<Person>) -> Sight {
        Sight { width: 1280, height: 720, people, ..Sight::default() }
    }

    const LEFT: [[u16; 2]; 4] = [[0, 0], [500, 0], [500, 1000], [0, 1000]];
    const RIGHT: [[u16; 2]; 4] = [[500, 0], [1000, 0], [1000, 1000], [500, 1000]];

    #[test]
    fn without_calibration_nobody_is_an_adult_and_rules_about_children_cannot_tell() {
        let mut scene = Scene::new(&camera(vec![area(AreaKind::Kitchen, None, LEFT)]), "room").unwrap();
        let seen = scene.see(0, &sight(vec![person(0.2, 0.4, 0.3, 0.8)]), &[]);
        assert_eq!((seen[0].adults, seen[0].children), (None, None));
        assert_eq!(seen[0].people.likely, 1);
        assert_eq!(seen[0].signs[&Sign::Unattended], Answer::CannotTell);
        assert_eq!(seen[0].signs[&Sign::Intrusion], Answer::CannotTell);
    }

    #[test]
    fn who_stands_in_an_ignored_area_is_nobody_and_who_stands_before_a_mirror_is() {
        let mirror = area(AreaKind::Ignore, None, [[500, 100], [900, 100], [900, 600], [500, 600]]);
        let mut scene = Scene::new(&camera(vec![mirror]), "room").unwrap();
        let reflected = person(0.6, 0.2, 0.7, 0.55);
        let before = person(0.6, 0.4, 0.75, 0.95);
        assert_eq!(scene.see(0, &sight(vec![reflected, before]), &[])[0].people.likely, 1);
    }

    #[test]
    fn rooms_are_apart_and_an_exit_is_in_its_room() {
        let door = area(AreaKind::Exit, Some("door"), [[400, 700], [500, 700], [500, 1000], [400, 1000]]);
        let areas = vec![area(AreaKind::Room, None, LEFT), area(AreaKind::Room, Some("next"), RIGHT), door];
        let mut scene = Scene::new(&camera(areas), "room").unwrap();
        assert_eq!(scene.zones().collect::<Vec<_>>(), ["room", "next", "door"]);
        let people = vec![person(0.1, 0.4, 0.2, 0.8), person(0.42, 0.5, 0.48, 0.9), person(0.7, 0.4, 0.8, 0.8)];
        let seen = scene.see(0, &sight(people), &[]);
        assert_eq!(seen.iter().map(|z| z.people.likely).collect::<Vec<_>>(), [2, 1, 1]);
        assert!(seen[1].signs.contains_key(&Sign::Unattended) && !seen[2].signs.contains_key(&Sign::Unattended));
    }

    #[test]
    fn beds_are_judged_at_nap_only_and_face_down_among_infants_only() {
        let mut scene = Scene::new(&camera(vec![area(AreaKind::Bed, None, LEFT)]), "room").unwrap();
        let facts = |nap, infants| [ZoneFacts { zone: "room".to_owned(), nap, infants, staff: true }];
        let has = |seen: &[ZoneSight]| [Sign::Prone, Sign::FaceCovered, Sign::NapUnseen].map(|s| seen[0].signs.contains_key(&s));
        assert_eq!(has(&scene.see(0, &sight(vec![]), &facts(false, true))), [false, false, false]);
        assert_eq!(has(&scene.see(1000, &sight(vec![]), &facts(true, false))), [false, true, true]);
        let seen = scene.see(2000, &sight(vec![]), &facts(true, true));
        assert_eq!(has(&seen), [true, true, true]);
        assert_eq!(seen[0].signs[&Sign::NapUnseen], Answer::CannotTell, "beds that nobody was seen in may be empty or unseen");
    }

    #[test]
    fn a_bicycle_that_passes_is_none_that_stands() {
        let escape = area(AreaKind::Escape, None, [[200, 500], [800, 500], [800, 900], [200, 900]]);
        let bike = |x: f32| Thing { kind: ThingKind::Bicycle, bbox: Rect { x0: x, y0: 0.5, x1: x + 0.15, y1: 0.8 }, score: 0.6 };
        let run = |x: fn(u8) -> f32| {
            let mut scene = Scene::new(&camera(vec![escape.clone()]), "way").unwrap();
            let mut last = Answer::No;
            for i in 0..12_u8 {
                let sight = Sight { things: vec![bike(x(i))], ..sight(vec![]) };
                last = scene.see(i64::from(i) * 1000, &sight, &[])[0].signs[&Sign::EBike];
            }
            last
        };
        assert_eq!(run(|_| 0.4), Answer::Yes);
        assert_eq!(run(|i| 0.2 + f32::from(i) * 0.05), Answer::No);
    }

    #[test]
    fn late_frames_and_a_clock_set_back_lose_nobody() {
        let mut scene = Scene::new(&camera(vec![]), "room").unwrap();
        for at in [10_000, 11_000, 10_500, 12_000, -5_000_000, -4_999_000, i64::MIN, i64::MAX, 0] {
            let seen = scene.see(at, &sight(vec![person(0.4, 0.4, 0.5, 0.8)]), &[]);
            assert_eq!(seen[0].people.likely, 1, "at {at}");
        }
        scene.skip(i64::MAX);
        scene.skip(i64::MIN);
        assert_eq!(scene.people().len(), 1);
    }

    #[test]
    fn the_page_is_shown_heights_and_how_likely_each_is_an_adult() {
        let play = play(Hazard::Unattended, false, 0).unwrap();
        let mut scene = Scene::new(&play.camera, "room").unwrap();
        let mut eye = play.eye.clone();
        for at in 0..20_i32 {
            if let Some(sight) = eye.look(f64::from(at), &play.actors, &[]) {
                scene.see(i64::from(at) * 1000, &sight, &[]);
            }
        }
        let people = scene.people();
        assert_eq!(people.len(), play.actors.len());
        let adults = people.iter().filter(|p| p.adult.is_some_and(|a| a > 0.9) && p.height_m.is_some_and(|h| h > 1.4)).count();
        assert_eq!(adults, 1);
    }

    #[test]
    fn bad_areas_are_refused_by_name_all_at_once() {
        let crossed = [[0, 0], [500, 500], [500, 0], [0, 500]];
        let floor = setup::Floor::Walked { height_cm: 165, places: vec![] };
        let bad =
            Camera { floor: Some(floor), rate: 1, ..camera(vec![area(AreaKind::Bed, None, LEFT), area(AreaKind::Stairs, None, crossed)]) };
        let said = Scene::new(&bad, "room").unwrap_err();
        assert_eq!(said.problems.len(), 3);
        let said = said.to_string();
        for part in ["camera cam:", "frames_per_10s is 1", "area 2 (Stairs): its outline crosses itself", "floor: 0 places"] {
            assert!(said.contains(part), "{said}");
        }
    }

    fn any_f32() -> impl Strategy<Value = f32> {
        prop_oneof![4 => 0.0_f32..1.0, 1 => any::<f32>()]
    }

    fn any_rect() -> impl Strategy<Value = Rect> {
        (any_f32(), any_f32(), any_f32(), any_f32()).prop_map(|(x0, y0, x1, y1)| Rect { x0, y0, x1, y1 })
    }

    fn any_person() -> impl Strategy<Value = Person> {
        let pose = proptest::option::of(proptest::collection::vec((any_f32(), any_f32(), any_f32()), 17));
        let posture = prop_oneof![
            Just(Posture::Standing),
            Just(Posture::Sitting),
            Just(Posture::Crouching),
            Just(Posture::Bending),
            Just(Posture::Lying),
            Just(Posture::Unknown)
        ];
        (any_rect(), any_f32(), pose, posture).prop_map(|(bbox, score, pose, posture)| {
            let pose: Option<Pose> = pose.map(|p| std::array::from_fn(|i| KeyPoint { x: p[i].0, y: p[i].1, score: p[i].2 }));
            Person { bbox, score, pose, posture }
        })
    }

    prop_compose! {
        fn any_sight()(
            width in 0_u32..3000,
            height in prop_oneof![Just(0_u32), Just(720), any::<u32>()],
            people in proptest::collection::vec(any_person(), 0..8),
            faces in proptest::collection::vec((any_rect(), any_f32()).prop_map(|(bbox, score)| Face { bbox, score }), 0..3),
            things in proptest::collection::vec((any_rect(), any_f32()).prop_map(|(bbox, score)| Thing { kind: ThingKind::Bicycle, bbox, score }), 0..3),
            at_least in any::<bool>(),
        ) -> Sight {
            Sight { width, height, people, faces, things, at_least, doubtful: Vec::new() }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn no_sight_and_no_time_panics_and_counts_are_in_order(frames in proptest::collection::vec((any::<i64>(), -2_000_i64..8_000, any_sight(), any::<bool>()), 1..40)) {
            let mut floor = play(Hazard::Prone, true, 0).unwrap().camera;
            floor.areas.extend([
                area(AreaKind::Bed, None, LEFT), area(AreaKind::Window, None, RIGHT), area(AreaKind::Kitchen, None, LEFT), area(AreaKind::Escape, Some("way"), RIGHT),
                area(AreaKind::Stairs, Some("stairs"), LEFT), area(AreaKind::Exit, Some("door"), RIGHT), area(AreaKind::Room, None, LEFT),
            ]);
            let mut scene = Scene::new(&floor, "room").unwrap();
            let facts = [ZoneFacts { zone: "room".to_owned(), nap: true, infants: true, staff: true }];
            let mut at = 0_i64;
            for (wild, step, sight, jump) in frames {
                at = if jump { wild } else { at.saturating_add(step) };
                for zone in scene.see(at, &sight, &facts) {
                    for count in [Some(zone.people), zone.adults, zone.children].into_iter().flatten() {
                        prop_assert!(count.low <= count.likely && count.likely <= count.high);
                    }
                }
                scene.skip(at.saturating_add(1));
                for person in scene.people() {
                    prop_assert!(person.adult.is_none_or(|p| (0.0..=1.0).contains(&p)));
                    prop_assert!(person.height_m.is_none_or(f32::is_finite));
                }
            }
        }
    }
}
