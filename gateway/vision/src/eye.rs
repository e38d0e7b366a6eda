//! The eye: the models put together. A picture in, what it shows out.
use crate::models::faces::FaceModel;
use crate::models::objects::{Class, Found, ObjectModel};
use crate::models::pose::{self, PoseModel};
use crate::models::{self};
use crate::people::{self, Doubt, LEAST_DETECTED, LEAST_POSE, Report, Supposed};
use crate::picture::{Picture, Turn, View};
use crate::runtime::{Runtime, RuntimeError};
use crate::sight::{Face, Sight, Thing, ThingKind};

/// How much work a look may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// For live cameras: one pass of the small pose model and at most [`LIVE_LOOKS`] second looks where it leaves a doubt.
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
        let mut reports = poses(&mut self.small, picture, Turn::None)?;
        let mut found = Vec::new();
        let mut looks = LIVE_LOOKS;
        match effort {
            Effort::Live => {}
            Effort::Search => {
                looks = SEARCH_LOOKS;
                reports.extend(poses(&mut self.small, picture, Turn::Left)?);
                reports.extend(poses(&mut self.small, picture, Turn::Right)?);
            }
            Effort::Thorough => {
                looks = THOROUGH_LOOKS;
                for turn in [Turn::None, Turn::Left, Turn::Right] {
                    reports.extend(poses(&mut self.large, picture, turn)?);
                }
                found = self.objects.look(picture, &View::WHOLE, LEAST_DETECTED)?;
                let people = found.iter().filter(|f| f.class == Class::Person);
                reports.extend(people.map(|f| Report::detected(f.bbox, f.score)));
            }
        }
        let mut all = people::gather(reports, aspect(picture), effort == Effort::Thorough);
        for supposed in &mut all {
            self.look_again(picture, supposed, &mut looks)?;
        }
        let people = people::settle(all, width, height);
        Ok(Sight { width, height, at_least: false, people, faces: Vec::new(), things: things(&found) })
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

fn poses(model: &mut PoseModel, picture: &Picture, turn: Turn) -> Result<Vec<Report>, RuntimeError> {
    let found = model.look(picture, &View::WHOLE.turned(turn), LEAST_POSE)?;
    Ok(found.iter().map(|c| Report::pose(c, turn)).collect())
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
