//! The room-climate model: which file, whether it is what it says it is, one pass over a minute's features.
use super::features::{CHANNELS, FEATURES};
use crate::runtime::{self, Choice, Model, Port, RuntimeError, Tensor};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// What a model of this kind takes and gives. Another model of the same contract may take its place by configuration.
pub const CONTRACT: &str = "room-climate/1";
const INPUT: Port = Port { name: "features", shape: &[1, FEATURES] };
const OUTPUTS: &[Port] = &[
    Port { name: "occupancy", shape: &[1, 1] },
    Port { name: "error", shape: &[1, 1] },
    Port { name: "by_channel", shape: &[1, CHANNELS.len()] },
];

const BUILT_IN: &[u8] = include_bytes!("../../../models/room-climate/model.onnx");
const BUILT_IN_SAYS: &str = include_str!("../../../models/room-climate/model.toml");
/// A model for this contract is some ten kilobytes; a file like this is something else.
const LARGEST: u64 = 16 << 20;
/// How long the trial of a model may take.
const TRIAL: Duration = Duration::from_secs(60);

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

/// Why there is no model. The gateway runs without.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("{} cannot be read: {detail}; put model.onnx and model.toml there, or leave [runtime] room_climate out for the built-in model", path.display())]
    File { path: PathBuf, detail: String },
    #[error("model.toml is wrong: {0}")]
    Manifest(String),
    #[error(
        "model.onnx has the SHA-256 {found}, model.toml says {said}: it is damaged or was exchanged; put the two files of one training there"
    )]
    Hash { found: String, said: String },
    #[error("the model in {} was tried in a process of its own and failed: {said}", path.display())]
    Trial { path: PathBuf, said: String },
    #[error("the model is made for the contract {0:?}, this program knows {CONTRACT:?}")]
    Contract(String),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    contract: String,
    sha256: String,
    features: usize,
}

/// A model that has been checked and is loaded.
pub struct ClimateModel {
    model: Model,
    /// Hexadecimal SHA-256 of model.onnx.
    pub sha256: String,
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
        match source {
            Source::Off => Ok(None),
            Source::BuiltIn => ClimateModel::load(BUILT_IN, BUILT_IN_SAYS, choice).map(Some),
            Source::Folder(dir) => {
                let (model, manifest) = (dir.join("model.onnx"), dir.join("model.toml"));
                let bytes = read(&model)?;
                let text = String::from_utf8(read(&manifest)?).map_err(|e| ModelError::Manifest(e.to_string()))?;
                ClimateModel::load(&bytes, &text, choice).map(Some)
            }
        }
    }

    /// As [`ClimateModel::open`], for a process that must live on: a model that is not the built-in one is first run and held to its golden.json
    /// in a process of its own, since a malformed one can bring tract down with the process.
    ///
    /// # Errors
    /// As [`ClimateModel::open`], or the trial has failed.
    pub async fn open_safely(source: &Source, choice: &Choice) -> Result<Option<ClimateModel>, ModelError> {
        if let Source::Folder(dir) = source {
            try_apart(dir, choice).await.map_err(|said| ModelError::Trial { path: dir.clone(), said })?;
        }
        let (source, choice) = (source.clone(), choice.clone());
        let opened = tokio::task::spawn_blocking(move || ClimateModel::open(&source, &choice)).await;
        opened.unwrap_or_else(|e| Err(RuntimeError::Run(e.to_string()).into()))
    }

    /// # Errors
    /// As [`ClimateModel::open`].
    pub fn load(bytes: &[u8], manifest: &str, choice: &Choice) -> Result<ClimateModel, ModelError> {
        let says: Manifest = toml::from_str(manifest).map_err(|e| ModelError::Manifest(e.to_string()))?;
        if says.contract != CONTRACT || says.features != FEATURES {
            return Err(ModelError::Contract(format!("{} with {} features", says.contract, says.features)));
        }
        let sha256 = hex::encode(Sha256::digest(bytes));
        if sha256 != says.sha256.to_ascii_lowercase() {
            return Err(ModelError::Hash { found: sha256, said: says.sha256 });
        }
        let runtime = runtime::get(choice)?;
        let model = Model::load(runtime, bytes, INPUT, OUTPUTS)?;
        let mut model = ClimateModel { model, sha256, runtime: runtime.backend.to_string(), passed_over: runtime.passed_over.clone() };
        // A model that fails must fail now and not in the night.
        model.answer(&[0.0; FEATURES])?;
        Ok(model)
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

    /// Which model gave the figures, as shown with the device: `room-climate/1 648c62c0`.
    pub fn name(&self) -> String {
        format!("{CONTRACT} {}", self.sha256.get(..8).unwrap_or_default())
    }
}

/// `tuoan model check DIR`.
async fn try_apart(dir: &Path, choice: &Choice) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = tokio::process::Command::new(program);
    command.args(["model", "check"]).arg(dir).kill_on_drop(true).stdin(Stdio::null());
    match choice {
        Choice::Find => {}
        Choice::Embedded => drop(command.args(["--onnxruntime", "embedded"])),
        Choice::Library(path) => drop(command.arg("--onnxruntime").arg(path).arg("--or-embedded")),
    }
    let done = tokio::time::timeout(TRIAL, command.output()).await.map_err(|_| format!("it took more than {} s", TRIAL.as_secs()))?;
    let done = done.map_err(|e| e.to_string())?;
    if done.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&done.stderr);
    let said: Vec<&str> = words.split_whitespace().take(60).collect();
    Err(format!("{} ({})", said.join(" "), done.status))
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    let failed = |detail: String| ModelError::File { path: path.to_owned(), detail };
    let size = std::fs::metadata(path).map_err(|e| failed(e.to_string()))?.len();
    if size > LARGEST {
        return Err(failed(format!("it has {size} bytes, {LARGEST} at most")));
    }
    std::fs::read(path).map_err(|e| failed(e.to_string()))
}

/// What the built-in model's training said.
pub const GOLDEN: &str = include_str!("../../../models/room-climate/golden.json");

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(bytes: &[u8]) -> String {
        format!("contract = \"{CONTRACT}\"\nsha256 = \"{}\"\nfeatures = {FEATURES}\n", hex::encode(Sha256::digest(bytes)))
    }
    fn refused(bytes: &[u8], manifest: &str) -> String {
        ClimateModel::load(bytes, manifest, &Choice::Embedded).err().expect("must be refused").to_string()
    }

    #[test]
    fn the_built_in_model_is_the_one_that_the_card_names() {
        let model = ClimateModel::open(&Source::BuiltIn, &Choice::Embedded).unwrap().unwrap();
        assert!(include_str!("../../../models/room-climate/card.md").contains(&model.sha256));
        assert!(model.runtime.starts_with("tract"), "{}", model.runtime);
        assert!(ClimateModel::open(&Source::Off, &Choice::Embedded).unwrap().is_none());
    }

    #[test]
    fn a_file_that_is_not_what_it_says_is_refused_with_the_reason() {
        let mut changed = BUILT_IN.to_vec();
        changed[9_000] ^= 1;
        assert!(refused(&changed, BUILT_IN_SAYS).contains("damaged or was exchanged"));
        // Even if the manifest goes with it: cut off, empty, something else.
        for bytes in [&BUILT_IN[..BUILT_IN.len() / 2], &[], b"PK\x03\x04 no model", &[0xff; 300]] {
            let says = refused(bytes, &manifest(bytes));
            assert!(says.contains("model"), "{says}");
        }
        assert!(refused(BUILT_IN, "contract = 1").contains("model.toml is wrong"));
        let other = BUILT_IN_SAYS.replace("room-climate/1", "room-climate/2");
        assert!(refused(BUILT_IN, &other).contains("room-climate/2"));
    }

    #[test]
    fn a_model_of_another_shape_is_refused() {
        let bytes = include_bytes!("../../tests/fixtures/model/other-shape.onnx");
        let says = refused(bytes, &manifest(bytes));
        assert!(says.contains("(\"features\", [1, 30])") && says.contains("[1, 29]"), "{says}");
    }

    #[test]
    fn a_folder_without_the_files_names_them() {
        let dir = tempfile::tempdir().unwrap();
        let open = || ClimateModel::open(&Source::Folder(dir.path().to_owned()), &Choice::Embedded).map(|m| m.is_some());
        assert!(open().unwrap_err().to_string().contains("model.onnx"));
        std::fs::write(dir.path().join("model.onnx"), BUILT_IN).unwrap();
        assert!(open().unwrap_err().to_string().contains("model.toml"));
        std::fs::write(dir.path().join("model.toml"), BUILT_IN_SAYS).unwrap();
        assert!(open().unwrap());
    }
}
