//! The learned models of the gateway: which files, tried before they are used, on which backend.
//!
//! | file | holds |
//! |---|---|
//! | [`check`] | `tuoan model check`: a model held to its golden answers |
//! | [`report`] | `tuoan runtime`: backend, time a frame, what that is enough for |
//!
//! What each model takes and gives is elsewhere: `crate::estimate` for rooms, `tuoan_vision::models` for pictures.
pub mod check;
pub mod report;

use crate::runtime::{self, Choice, Runtime, RuntimeError};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tuoan_vision::eye::Eye;
use tuoan_vision::modelfile::{FileError, ModelFile, Source};
use tuoan_vision::models::store::{Files, Part, Sources};

/// How long the trial of a model may take.
const TRIAL: Duration = Duration::from_secs(60);

/// Why there is no model. The gateway runs without.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the model takes {has} features, this program gives {known}")]
    Features { has: usize, known: usize },
    #[error("the model in {} was tried in a process of its own and failed: {said}", path.display())]
    Trial { path: PathBuf, said: String },
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

/// The models that look at pictures, checked and ready to be loaded as often as there are threads to run them.
pub struct EyeModels {
    files: Files,
    runtime: &'static Runtime,
}

impl EyeModels {
    /// Takes the configuration's files. One that is not built in is first run and held to its golden.json in a process of its own.
    ///
    /// # Errors
    /// A file is not what it should be, its trial has failed, or no backend starts; the message says what to do.
    pub async fn open_safely(sources: &Sources, choice: &Choice) -> Result<EyeModels, ModelError> {
        for part in Part::ALL {
            try_apart(sources.of(part), part.kind().contract, choice).await?;
        }
        let (sources, choice) = (sources.clone(), choice.clone());
        let opened = tokio::task::spawn_blocking(move || Ok(EyeModels { files: Files::open(&sources)?, runtime: runtime::get(&choice)? }));
        opened.await.unwrap_or_else(|e| Err(RuntimeError::Run(e.to_string()).into()))
    }

    /// Loads them, for one thread. Takes some seconds on a small box.
    ///
    /// # Errors
    /// The backend does not load a model.
    pub fn eye(&self) -> Result<Eye, RuntimeError> {
        Eye::new(self.runtime, &self.files.bytes())
    }

    /// Which models on which backend, as the log names them: `person-pose/1 0a29ac4b, objects/1 2626cbee, faces/1 85d6a0bd on tract 0.23 (built in)`.
    pub fn name(&self) -> String {
        let [pose, objects, faces] = Part::ALL.map(|part| self.file(part).name());
        format!("{pose}, {objects}, {faces} on {}", self.runtime.backend)
    }

    /// The file of one of them.
    pub fn file(&self, part: Part) -> &ModelFile {
        match part {
            Part::PersonPose => &self.files.person_pose,
            Part::Objects => &self.files.objects,
            Part::Faces => &self.files.faces,
        }
    }

    /// Libraries that were there or were asked for, and why they are not used.
    pub fn passed_over(&self) -> &[String] {
        &self.runtime.passed_over
    }
}

/// A model from a folder, run by `tuoan model check DIR`: a malformed one can bring tract down, and the process with it.
///
/// # Errors
/// It is of another contract, or has failed.
pub async fn try_apart(source: &Source, contract: &'static str, choice: &Choice) -> Result<(), ModelError> {
    let Source::Folder(dir) = source else { return Ok(()) };
    let has = tuoan_vision::modelfile::contract_in(dir)?;
    if has != contract {
        return Err(FileError::Contract { has, known: contract }.into());
    }
    run_check(dir, choice).await.map_err(|said| ModelError::Trial { path: dir.clone(), said })
}

async fn run_check(dir: &Path, choice: &Choice) -> Result<(), String> {
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

/// `--onnxruntime` of the command line: a library, `embedded`, or what the configuration or the machine has.
pub fn choice(onnxruntime: Option<PathBuf>, otherwise: Choice) -> Choice {
    match onnxruntime {
        None => otherwise,
        Some(path) if path.as_os_str() == "embedded" => Choice::Embedded,
        Some(path) => Choice::Library(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_built_in_models_need_no_trial_and_are_named() {
        let models = EyeModels::open_safely(&Sources::default(), &Choice::Embedded).await.unwrap();
        let name = models.name();
        assert!(name.starts_with("person-pose/1 ") && name.contains(", faces/1 ") && name.ends_with("on tract 0.23 (built in)"), "{name}");
        assert!(models.passed_over().is_empty());
    }

    #[tokio::test]
    async fn a_model_of_another_contract_is_refused_before_it_runs() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/faces");
        let sources = Sources { objects: Source::Folder(dir), ..Sources::default() };
        let says = EyeModels::open_safely(&sources, &Choice::Embedded).await.err().expect("must be refused").to_string();
        assert!(says.contains("\"faces/1\"") && says.contains("\"objects/1\""), "{says}");
    }
}
