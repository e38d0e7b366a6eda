//! The eye: the models put together. A picture in, what it shows out.
use crate::models::faces::FaceModel;
use crate::models::objects::{Class, ObjectModel};
use crate::models::pose::{self, PoseModel};
use crate::models::{self};
use crate::picture::{Picture, View};
use crate::runtime::{Runtime, RuntimeError};
use crate::sight::{Face, Person, Posture, Sight, Thing, ThingKind};

/// How much work a look may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// For live cameras: one pass of the small pose model; more passes only where it leaves a doubt.
    #[default]
    Live,
    /// For recorded pictures: every pass that makes the answer better.
    Thorough,
}

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

    /// Who and what is in the picture, without faces: [`Eye::faces`] sees those.
    ///
    /// # Errors
    /// A model fails to run.
    pub fn look(&mut self, picture: &Picture, effort: Effort) -> Result<Sight, RuntimeError> {
        let pose = if effort == Effort::Live { &mut self.small } else { &mut self.large };
        let people = pose.look(picture, &View::WHOLE, 0.2)?;
        let people =
            people.iter().map(|c| Person { bbox: c.bbox, score: c.score, pose: Some(c.pose), posture: Posture::Unknown }).collect();
        let mut things = Vec::new();
        for found in self.objects.look(picture, &View::WHOLE, 0.4)? {
            let kind = match found.class {
                Class::Person => continue,
                Class::Bicycle => ThingKind::Bicycle,
                Class::Motorcycle => ThingKind::Motorcycle,
            };
            things.push(Thing { kind, bbox: found.bbox, score: found.score });
        }
        Ok(Sight { width: picture.width(), height: picture.height(), people, faces: Vec::new(), things, at_least: false })
    }

    /// Faces that can be seen.
    ///
    /// # Errors
    /// The model fails to run.
    pub fn faces(&mut self, picture: &Picture) -> Result<Vec<Face>, RuntimeError> {
        self.faces.look(picture, &View::WHOLE, 0.5)
    }
}
