//! The eye: the models put together. A picture in, what it shows out.
use crate::models::faces::FaceModel;
use crate::models::objects::{Class, Found, ObjectModel};
use crate::models::pose::{self, PoseModel};
use crate::models::{self};
use crate::people::{self, Doubt, LEAST_DETECTED, LEAST_POSE, Passes, Report, Supposed};
use crate::picture::{Picture, Turn, View};
use crate::runtime::{Runtime, RuntimeError};
use crate::sight::{Face, Person, Posture, Rect, Sight, Thing, ThingKind};

/// How much work a look may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// For live cameras: one pass of the small pose model and at most [`LIVE_LOOKS`] second looks where it leaves a doubt. When that pass sees many, which
    /// is as many as it can, the picture is looked at in parts, by the detector too.
    #[default]
    Live,
    /// For a live camera that has lost somebody or whose background has changed: as `Live`, and the small model on the turned picture, which finds those
    /// who lie; at most [`SEARCH_LOOKS`] second looks.
    Search,
    /// For recorded pictures: both pose models, the turned picture, the detector, and every second look that could change the answer.
    Thorough,
}

/// Second looks, passes of the small pose model, in one [`Effort::Live`].
pub const LIVE_LOOKS: usize = 2;
/// Second looks in one [`Effort::Search`].
pub const SEARCH_LOOKS: usize = 4;
/// Second looks in one [`Effort::Thorough`]: enough for forty people, so that no picture takes for ever.
const THOROUGH_LOOKS: usize = 120;
/// People that are counted to one or so: beyond them, the count says "at least".
///
/// Measured on 50 made-up scenes, five of each number: cut-outs of people from Intel's sample videos, a quarter to two fifths of the picture high, up to a third of each
/// hidden, before five rooms and yards. Mean error of the count in parts: 0.2 of 6, 0.6 of 10, 1.0 of 15, 0.8 of 20, 1.0 of 25, 3.2 of 30.
pub const CAPACITY: usize = 25;
/// Reports of one pass that are a crowd; one pass reports six at most.
const MANY: usize = 5;
/// Score from which on a report counts for that.
const ONE_OF_MANY: f32 = 0.12;
/// People in a recorded picture from which on its parts are looked at too.
const MANY_FOUND: usize = 7;
/// The parts, each three fifths of a side: they overlap by more than a person is wide.
const PARTS: [[f32; 4]; 4] = [[0.0, 0.0, 0.6, 0.6], [0.4, 0.0, 1.0, 0.6], [0.0, 0.4, 0.6, 1.0], [0.4, 0.4, 1.0, 1.0]];
/// Least score of a bicycle or motorcycle.
const LEAST_THING: f32 = 0.4;
/// Least score of a face.
const LEAST_FACE: f32 = 0.5;

/// The models, loaded. One eye works on one thread.
pub struct Eye {
    small: PoseModel,
    large: PoseModel,
    objects: ObjectModel,
    faces: FaceModel,
}

impl Eye {
    /// # Errors
    /// A model is not of its contract or does not load.
    pub fn new(runtime: &Runtime, bytes: &models::Bytes) -> Result<Eye, RuntimeError> {
        Ok(Eye {
            small: PoseModel::load(runtime, bytes.pose, pose::SMALL)?,
            large: PoseModel::load(runtime, bytes.pose, pose::LARGE)?,
            objects: ObjectModel::load(runtime, bytes.objects)?,
            faces: FaceModel::load(runtime, bytes.faces)?,
        })
    }

    /// Who is in the picture; with [`Effort::Thorough`] also the things, which [`Eye::things`] sees alone. Faces: [`Eye::faces`].
    ///
    /// # Errors
    /// A model fails to run.
    pub fn look(&mut self, picture: &Picture, effort: Effort) -> Result<Sight, RuntimeError> {
        let (width, height) = (picture.width(), picture.height());
        let mut reports = poses(&mut self.small, picture, &View::WHOLE)?;
        let mut found = Vec::new();
        let (mut passes, mut looks) = (Passes::Few, LIVE_LOOKS);
        if effort == Effort::Search {
            looks = SEARCH_LOOKS;
            for turn in [Turn::Left, Turn::Right] {
                reports.extend(poses(&mut self.small, picture, &View::WHOLE.turned(turn))?);
            }
        }
        if effort == Effort::Thorough {
            (passes, looks) = (Passes::All, THOROUGH_LOOKS);
            for turn in [Turn::None, Turn::Left, Turn::Right] {
                reports.extend(poses(&mut self.large, picture, &View::WHOLE.turned(turn))?);
            }
            found = self.objects.look(picture, &View::WHOLE, LEAST_DETECTED)?;
            reports.extend(detected(&found));
        } else if reports.iter().filter(|r| r.turn == Turn::None && r.score >= ONE_OF_MANY).count() >= MANY {
            passes = Passes::Crowd;
            found = self.objects.look(picture, &View::WHOLE, LEAST_DETECTED)?;
            reports.extend(detected(&found));
            reports.extend(self.parts(picture)?);
        }
        let mut people = self.settle(picture, reports.clone(), passes, looks)?;
        if passes == Passes::All && people.len() >= MANY_FOUND {
            reports.extend(self.parts(picture)?);
            people = self.settle(picture, reports, passes, looks)?;
        }
        Ok(Sight { width, height, at_least: people.len() > CAPACITY, people, things: things(&found), ..Sight::default() })
    }

    /// Reports of the picture's parts. A box of the detector that ends where its part does belongs to somebody whom another part shows whole.
    fn parts(&mut self, picture: &Picture) -> Result<Vec<Report>, RuntimeError> {
        let mut reports = Vec::new();
        for [x0, y0, x1, y1] in PARTS {
            let view = View { x0, y0, x1, y1, turn: Turn::None };
            let cut = |b: &Rect| {
                let start = |edge: f32, side: f32| edge > 0.0 && side < edge + 0.004;
                let end = |edge: f32, side: f32| edge < 1.0 && side > edge - 0.004;
                start(x0, b.x0) || start(y0, b.y0) || end(x1, b.x1) || end(y1, b.y1)
            };
            reports.extend(poses(&mut self.small, picture, &view)?);
            let found = self.objects.look(picture, &view, LEAST_DETECTED)?;
            reports.extend(detected(&found).filter(|r| !cut(&r.bbox)));
        }
        Ok(reports)
    }

    fn settle(&mut self, picture: &Picture, reports: Vec<Report>, passes: Passes, mut looks: usize) -> Result<Vec<Person>, RuntimeError> {
        let mut all = people::gather(reports, aspect(picture), passes);
        for supposed in &mut all {
            self.look_again(picture, supposed, &mut looks)?;
        }
        Ok(people::settle(all, picture.width(), picture.height()))
    }

    /// Settles what is in doubt about somebody, as long as there are looks left.
    fn look_again(&mut self, picture: &Picture, supposed: &mut Supposed, looks: &mut usize) -> Result<(), RuntimeError> {
        let (width, height) = (picture.width(), picture.height());
        let near = supposed.surroundings(width, height);
        let mut look = |supposed: &mut Supposed, turn: Turn| {
            if let Some(left) = looks.checked_sub(1) {
                *looks = left;
                supposed.seen_near(&self.small.look(picture, &near.turned(turn), LEAST_POSE)?, turn, aspect(picture));
            }
            Ok(())
        };
        if supposed.doubt(width, height) == Doubt::None {
            return Ok(());
        }
        look(supposed, Turn::None)?;
        if supposed.doubt_left(width, height) == Doubt::NearTurned {
            look(supposed, Turn::Left)?;
            look(supposed, Turn::Right)?;
        }
        Ok(())
    }

    /// Bicycles and motorcycles.
    ///
    /// # Errors
    /// The model fails to run.
    pub fn things(&mut self, picture: &Picture) -> Result<Vec<Thing>, RuntimeError> {
        Ok(things(&self.objects.look(picture, &View::WHOLE, LEAST_THING)?))
    }

    /// Everybody whom the large pose model or the detector supposes, however doubtful: for covering what somebody will see, where one too many costs
    /// nothing. Never for counting.
    ///
    /// # Errors
    /// A model fails to run.
    pub fn supposed(&mut self, picture: &Picture) -> Result<Vec<Person>, RuntimeError> {
        let mut reports = poses(&mut self.large, picture, &View::WHOLE)?;
        reports.extend(detected(&self.objects.look(picture, &View::WHOLE, LEAST_DETECTED)?));
        let person = |r: &Report| Person { bbox: r.bbox, score: r.score, pose: r.pose, posture: Posture::Unknown };
        Ok(reports.iter().map(person).collect())
    }

    /// Faces that can be seen.
    ///
    /// # Errors
    /// The model fails to run.
    pub fn faces(&mut self, picture: &Picture) -> Result<Vec<Face>, RuntimeError> {
        self.faces.look(picture, &View::WHOLE, LEAST_FACE)
    }
}

fn aspect(picture: &Picture) -> f32 {
    picture.width() as f32 / picture.height() as f32
}

fn poses(model: &mut PoseModel, picture: &Picture, view: &View) -> Result<Vec<Report>, RuntimeError> {
    let found = model.look(picture, view, LEAST_POSE)?;
    Ok(found.iter().map(|c| Report::pose(c, view.turn)).collect())
}

fn detected(found: &[Found]) -> impl Iterator<Item = Report> {
    found.iter().filter(|f| f.class == Class::Person).map(|f| Report::detected(f.bbox, f.score))
}

fn things(found: &[Found]) -> Vec<Thing> {
    let thing = |f: &Found| {
        let kind = match f.class {
            Class::Person => return None,
            Class::Bicycle => ThingKind::Bicycle,
            Class::Motorcycle => ThingKind::Motorcycle,
        };
        (f.score >= LEAST_THING).then_some(Thing { kind, bbox: f.bbox, score: f.score })
    };
    found.iter().filter_map(thing).collect()
}
