//! The files of the models that look at a picture: built in, or put in their place by a site.
use super::{Bytes, faces, objects, pose};
use crate::modelfile::{FileError, Kind, ModelFile, Source};
use crate::picture::{Picture, View};
use crate::runtime::{Port, Tensor};

/// A model of the eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    PersonPose,
    Objects,
    Faces,
}

macro_rules! kind {
    ($name:literal, $key:literal, [$($picture:literal),*]) => {
        Kind {
            contract: concat!($name, "/1"),
            key: $key,
            largest: 64 << 20,
            model: include_bytes!(concat!("../../../../models/", $name, "/model.onnx")),
            manifest: include_str!(concat!("../../../../models/", $name, "/model.toml")),
            beside: &[
                ("golden.json", include_bytes!(concat!("../../../../models/", $name, "/golden.json"))),
                $(($picture, include_bytes!(concat!("../../../../models/", $name, "/", $picture)))),*
            ],
        }
    };
}

static PERSON_POSE: Kind = kind!("person-pose", "person_pose", ["golden-0.png", "golden-1.png"]);
static OBJECTS: Kind = kind!("objects", "objects", ["golden-0.png"]);
static FACES: Kind = kind!("faces", "faces", ["golden-0.png"]);

impl Part {
    pub const ALL: [Part; 3] = [Part::PersonPose, Part::Objects, Part::Faces];

    pub fn kind(self) -> &'static Kind {
        match self {
            Part::PersonPose => &PERSON_POSE,
            Part::Objects => &OBJECTS,
            Part::Faces => &FACES,
        }
    }

    /// The input for each size of picture that the model is used with.
    pub fn inputs(self) -> &'static [Port] {
        match self {
            Part::PersonPose => &[pose::SMALL, pose::LARGE],
            Part::Objects => &[objects::INPUT],
            Part::Faces => &[faces::INPUT],
        }
    }

    pub fn outputs(self) -> &'static [Port] {
        match self {
            Part::PersonPose => pose::OUTPUTS,
            Part::Objects => objects::OUTPUTS,
            Part::Faces => faces::OUTPUTS,
        }
    }

    /// Width and height of the picture that goes into `input`.
    pub fn size(self, input: &Port) -> (usize, usize) {
        match (self, input.shape) {
            (Part::Objects, [_, _, height, width]) | (_, [_, height, width, _]) => (*width, *height),
            _ => (0, 0),
        }
    }

    /// What becomes of the whole of a picture before the model sees it.
    pub fn prepare(self, picture: &Picture, input: &Port) -> Numbers {
        match self {
            Part::PersonPose => Numbers::I32(pose::prepare(picture, &View::WHOLE, input).0),
            Part::Objects => Numbers::F32(objects::prepare(picture, &View::WHOLE).0),
            Part::Faces => Numbers::F32(faces::prepare(picture, &View::WHOLE).0),
        }
    }
}

/// A model's input, owned.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    F32(Vec<f32>),
    I32(Vec<i32>),
}

impl Numbers {
    pub fn tensor(&self) -> Tensor<'_> {
        match self {
            Numbers::F32(n) => Tensor::F32(n),
            Numbers::I32(n) => Tensor::I32(n),
        }
    }
}

/// Where each model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    pub person_pose: Source,
    pub objects: Source,
    pub faces: Source,
}

impl Sources {
    pub fn of(&self, part: Part) -> &Source {
        match part {
            Part::PersonPose => &self.person_pose,
            Part::Objects => &self.objects,
            Part::Faces => &self.faces,
        }
    }
}

/// The three files, each of its contract and with the hash that its manifest names.
#[derive(Debug)]
pub struct Files {
    pub person_pose: ModelFile,
    pub objects: ModelFile,
    pub faces: ModelFile,
}

impl Files {
    /// Takes the files as they are: one that is not built in can bring a process down while it is loaded, so try it in another one first.
    ///
    /// # Errors
    /// A file cannot be read or is not what it says it is.
    pub fn open(sources: &Sources) -> Result<Files, FileError> {
        let file = |part: Part| part.kind().open(sources.of(part));
        Ok(Files { person_pose: file(Part::PersonPose)?, objects: file(Part::Objects)?, faces: file(Part::Faces)? })
    }

    pub fn bytes(&self) -> Bytes<'_> {
        Bytes { pose: &self.person_pose.bytes, objects: &self.objects.bytes, faces: &self.faces.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_files_are_those_that_their_cards_name() {
        let files = Files::open(&Sources::default()).unwrap();
        for (file, card) in [
            (files.person_pose, include_str!("../../../../models/person-pose/card.md")),
            (files.objects, include_str!("../../../../models/objects/card.md")),
            (files.faces, include_str!("../../../../models/faces/card.md")),
        ] {
            assert!(card.contains(&file.sha256), "{}", file.name());
        }
    }

    #[test]
    fn a_picture_of_the_right_size_goes_in_as_it_is() {
        for part in Part::ALL {
            for input in part.inputs() {
                let (width, height) = part.size(input);
                let picture = Picture::plain(width as u32, height as u32, [10, 20, 30]);
                let length = match part.prepare(&picture, input) {
                    Numbers::F32(n) => n.len(),
                    Numbers::I32(n) => n.len(),
                };
                assert_eq!(length, input.elements(), "{part:?}");
                assert_eq!(length, width * height * 3, "{part:?}");
            }
        }
    }
}
