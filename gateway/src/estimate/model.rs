//! The room-climate model: which file, whether it is what it says it is, one pass over a minute's features.
use super::features::{CHANNELS, FEATURES};
use crate::models::{ModelError, try_apart};
use crate::runtime::{self, Choice, Model, Port, RuntimeError, Tensor};
use std::path::PathBuf;
use tuoan_vision::modelfile::{self, FileError, Kind, ModelFile};

/// What a model of this kind takes and gives. Another model of the same contract may take its place by configuration.
pub const CONTRACT: &str = "room-climate/1";
const INPUT: Port = Port { name: "features", shape: &[1, FEATURES] };
const OUTPUTS: &[Port] = &[
    Port { name: "occupancy", shape: &[1, 1] },
    Port { name: "error", shape: &[1, 1] },
    Port { name: "by_channel", shape: &[1, CHANNELS.len()] },
];

static KIND: Kind = Kind {
    contract: CONTRACT,
    key: "room_climate",
    // A model for this contract is some ten kilobytes.
    largest: 16 << 20,
    model: include_bytes!("../../../models/room-climate/model.onnx"),
    manifest: include_str!("../../../models/room-climate/model.toml"),
    beside: &[("golden.json", include_bytes!("../../../models/room-climate/golden.json"))],
};

/// What this program knows of it.
pub fn kind() -> &'static Kind {
    &KIND
}

/// Where the model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    #[default]
    BuiltIn,
    /// A folder with `model.onnx` and `model.toml`.
    Folder(PathBuf),
    /// No estimates.
    Off,
}

impl Source {
    /// `None` when it is switched off.
    fn file(&self) -> Option<modelfile::Source> {
        match self {
            Source::BuiltIn => Some(modelfile::Source::BuiltIn),
            Source::Folder(dir) => Some(modelfile::Source::Folder(dir.clone())),
            Source::Off => None,
        }
    }
}

/// A model that has been checked and is loaded.
pub struct ClimateModel {
    model: Model,
    file: ModelFile,
    pub runtime: String,
    /// Libraries that were there or were asked for, and why they are not used.
    pub passed_over: Vec<String>,
}

/// What a model says of one minute of a room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// 0 to 1: someone is here.
    pub occupancy: f32,
    /// How far the room is from what is usual at this time; its scale is the model's own.
    pub error: f32,
    pub by_channel: [f32; CHANNELS.len()],
}

impl ClimateModel {
    /// `None` when it is switched off.
    ///
    /// # Errors
    /// The file is not what it should be, or no backend runs it; the message says what to do.
    pub fn open(source: &Source, choice: &Choice) -> Result<Option<ClimateModel>, ModelError> {
        source.file().map(|source| ClimateModel::load(&source, choice)).transpose()
    }

    /// As [`ClimateModel::open`], for a process that must live on: a model that is not the built-in one is first run and held to its golden.json
    /// in a process of its own, since a malformed one can bring tract down with the process.
    ///
    /// # Errors
    /// As [`ClimateModel::open`], or the trial has failed.
    pub async fn open_safely(source: &Source, choice: &Choice) -> Result<Option<ClimateModel>, ModelError> {
        let Some(source) = source.file() else { return Ok(None) };
        try_apart(&source, CONTRACT, choice).await?;
        let choice = choice.clone();
        let opened = tokio::task::spawn_blocking(move || ClimateModel::load(&source, &choice)).await;
        opened.unwrap_or_else(|e| Err(RuntimeError::Run(e.to_string()).into())).map(Some)
    }

    /// # Errors
    /// As [`ClimateModel::open`].
    pub fn load(source: &modelfile::Source, choice: &Choice) -> Result<ClimateModel, ModelError> {
        ClimateModel::of(KIND.open(source)?, choice)
    }

    fn of(file: ModelFile, choice: &Choice) -> Result<ClimateModel, ModelError> {
        if file.features != Some(FEATURES) {
            return Err(ModelError::Features { has: file.features.unwrap_or_default(), known: FEATURES });
        }
        let runtime = runtime::get(choice)?;
        let model = Model::load(runtime, &file.bytes, INPUT, OUTPUTS)?;
        let mut model = ClimateModel { model, file, runtime: runtime.backend.to_string(), passed_over: runtime.passed_over.clone() };
        // A model that fails must fail now and not in the night.
        model.answer(&[0.0; FEATURES])?;
        Ok(model)
    }

    /// What its training said.
    ///
    /// # Errors
    /// There is no golden.json beside it, or it is no text.
    pub fn golden(&self) -> Result<String, ModelError> {
        let bytes = self.file.beside("golden.json")?.into_owned();
        Ok(String::from_utf8(bytes).map_err(|e| FileError::Manifest(format!("golden.json: {e}")))?)
    }

    /// # Errors
    /// The backend fails, or the answer is no number.
    pub fn answer(&mut self, features: &[f32; FEATURES]) -> Result<Answer, RuntimeError> {
        let out = self.model.run(Tensor::F32(features))?;
        let [occupancy, error, by_channel] = out.as_slice() else { return Err(RuntimeError::Run("it gives too few answers".to_owned())) };
        let mut channels = [0.0; CHANNELS.len()];
        for (to, from) in channels.iter_mut().zip(by_channel) {
            *to = *from;
        }
        let first = |v: &[f32]| v.first().copied().unwrap_or_default();
        Ok(Answer { occupancy: first(occupancy).clamp(0.0, 1.0), error: first(error).max(0.0), by_channel: channels })
    }

    /// Hexadecimal SHA-256 of model.onnx.
    pub fn sha256(&self) -> &str {
        &self.file.sha256
    }

    /// Which model gave the figures, as shown with the device: `room-climate/1 648c62c0`.
    pub fn name(&self) -> String {
        self.file.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};
    use std::borrow::Cow;

    fn manifest(bytes: &[u8]) -> String {
        format!("contract = \"{CONTRACT}\"\nsha256 = \"{}\"\nfeatures = {FEATURES}\n", hex::encode(Sha256::digest(bytes)))
    }
    fn refused(bytes: &[u8], manifest: &str) -> String {
        let file = KIND.verify(Cow::Owned(bytes.to_vec()), manifest, modelfile::Source::BuiltIn);
        let model = file.map_err(ModelError::from).and_then(|f| ClimateModel::of(f, &Choice::Embedded));
        model.err().expect("must be refused").to_string()
    }

    #[test]
    fn the_built_in_model_is_the_one_that_the_card_names() {
        let model = ClimateModel::open(&Source::BuiltIn, &Choice::Embedded).unwrap().unwrap();
        assert!(include_str!("../../../models/room-climate/card.md").contains(model.sha256()));
        assert!(model.runtime.starts_with("tract"), "{}", model.runtime);
        assert!(ClimateModel::open(&Source::Off, &Choice::Embedded).unwrap().is_none());
    }

    #[test]
    fn a_file_that_is_not_what_it_says_is_refused_with_the_reason() {
        let mut changed = KIND.model.to_vec();
        changed[9_000] ^= 1;
        assert!(refused(&changed, KIND.manifest).contains("damaged or was exchanged"));
        // Even if the manifest goes with it: cut off, empty, something else.
        for bytes in [&KIND.model[..KIND.model.len() / 2], &[], b"PK\x03\x04 no model", &[0xff; 300]] {
            let says = refused(bytes, &manifest(bytes));
            assert!(says.contains("model"), "{says}");
        }
        assert!(refused(KIND.model, &KIND.manifest.replace("features = 29", "features = 30")).contains("30 features"));
        assert!(refused(KIND.model, &KIND.manifest.replace("features = 29", "")).contains("0 features"));
    }

    #[test]
    fn a_model_of_another_shape_is_refused() {
        let bytes = include_bytes!("../../tests/fixtures/model/other-shape.onnx");
        let says = refused(bytes, &manifest(bytes));
        assert!(says.contains("(\"features\", [1, 30])") && says.contains("[1, 29]"), "{says}");
    }
}
