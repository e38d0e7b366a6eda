//! Which program runs the models: ONNX Runtime when its library is there, else tract, which is built in. Chosen once for the process.
//!
//! Both answer the same to five digits (docs/decisions/0008-onnx-runtime.md). Nothing is ever fetched.
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Version of the built-in backend; pinned in the root Cargo.toml.
pub const TRACT: &str = "0.23";
/// The first version of ONNX Runtime that has the interface used here (`api-24` in the root Cargo.toml); older libraries are passed over.
pub const LEAST_ONNX_RUNTIME: &str = "1.24";
/// Where a library is looked for: beside the program, then where Debian, Fedora and an installation by hand put it.
pub const PLACES: &[&str] = &[
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/arm-linux-gnueabihf",
    "/opt/onnxruntime/lib",
];
const LIBRARY: &str = "libonnxruntime.so";

/// What the configuration says of the runtime.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// ONNX Runtime from a standard place if it is there, else tract.
    #[default]
    Find,
    /// This library; tract if it cannot be used, and that is said.
    Library(PathBuf),
    /// tract, whatever else is installed.
    Embedded,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    OnnxRuntime { library: PathBuf, version: String },
    Tract,
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Backend::OnnxRuntime { library, version } => write!(f, "ONNX Runtime {version} ({})", library.display()),
            Backend::Tract => write!(f, "tract {TRACT} (built in)"),
        }
    }
}

pub struct Runtime {
    environment: Environment,
    pub backend: Backend,
    /// Libraries that were there or were asked for, and why they are not used.
    pub passed_over: Vec<String>,
}

/// Why a model does not run.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    #[error("no runtime for models: {0}")]
    None(String),
    #[error("{backend} does not load the model: {detail}")]
    Load { backend: String, detail: String },
    #[error("the model {0}")]
    Contract(String),
    #[error("the model does not run: {0}")]
    Run(String),
}

/// The process's runtime. The first call decides; later ones get what it has decided.
///
/// # Errors
/// Neither backend starts; the same error every time.
pub fn get(choice: &Choice) -> Result<&'static Runtime, RuntimeError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    RUNTIME.get_or_init(|| start(choice)).as_ref().map_err(|e| RuntimeError::None(e.clone()))
}

fn start(choice: &Choice) -> Result<Runtime, String> {
    let mut passed_over = Vec::new();
    for library in candidates(choice) {
        match ort::init_from(&library) {
            Ok(builder) => {
                let environment = builder.with_telemetry(false).build().map_err(|e| format!("{}: {e}", library.display()))?;
                let version = version(&std::fs::canonicalize(&library).unwrap_or_else(|_| library.clone()), ort::info());
                return Ok(Runtime { environment, backend: Backend::OnnxRuntime { library, version }, passed_over });
            }
            Err(e) => passed_over.push(e.to_string()),
        }
    }
    ort::set_api(ort_tract::api());
    let environment = ort::init().with_telemetry(false).build().map_err(|e| e.to_string())?;
    Ok(Runtime { environment, backend: Backend::Tract, passed_over })
}

fn candidates(choice: &Choice) -> Vec<PathBuf> {
    match choice {
        Choice::Embedded => Vec::new(),
        Choice::Library(path) => vec![path.clone()],
        Choice::Find => {
            let beside = std::env::current_exe().ok().and_then(|p| p.parent().map(Path::to_owned));
            beside.into_iter().chain(PLACES.iter().map(PathBuf::from)).filter_map(|dir| in_folder(&dir)).collect()
        }
    }
}

/// `libonnxruntime.so`, or the only thing there is when no development package has made that link: `libonnxruntime.so.1.31.1`.
fn in_folder(dir: &Path) -> Option<PathBuf> {
    let plain = dir.join(LIBRARY);
    if plain.is_file() {
        return Some(plain);
    }
    let versioned = |name: &str| {
        name.strip_prefix(LIBRARY).is_some_and(|v| v.starts_with('.') && v[1..].bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    };
    let found = std::fs::read_dir(dir).ok()?.flatten().map(|e| e.path());
    found.filter(|p| p.file_name().and_then(|n| n.to_str()).is_some_and(versioned)).max()
}

/// From the file's name (`libonnxruntime.so.1.31.1`), which is all that tells it: the build's own word names a branch and a commit.
fn version(file: &Path, info: &str) -> String {
    let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let commit = || info.split([' ', ',']).find_map(|w| w.strip_prefix("git-commit-id="));
    match (name.split_once(".so."), commit()) {
        (Some((_, version)), _) => version.to_owned(),
        (None, Some(commit)) => format!("at commit {commit}"),
        (None, None) => "of unknown version".to_owned(),
    }
}

/// A tensor of a model's contract: its name and shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    pub name: &'static str,
    pub shape: &'static [usize],
}

impl Port {
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What a model is given.
#[derive(Debug, Clone, Copy)]
pub enum Tensor<'a> {
    F32(&'a [f32]),
    I32(&'a [i32]),
}

/// A loaded model with one input and several outputs; the outputs are 32-bit floats.
pub struct Model {
    session: Session,
    input: Port,
    outputs: &'static [Port],
}

impl Model {
    /// Loads `bytes` and holds it to its contract. It runs on one thread: who wants two, loads it twice.
    ///
    /// # Errors
    /// The bytes are no model that the backend can run, or it has other inputs or outputs.
    pub fn load(runtime: &Runtime, bytes: &[u8], input: Port, outputs: &'static [Port]) -> Result<Model, RuntimeError> {
        let failed = |detail: String| RuntimeError::Load { backend: runtime.backend.to_string(), detail };
        let session = Session::builder(&runtime.environment)
            .and_then(|b| Ok(b.with_optimization_level(GraphOptimizationLevel::Level3)?))
            .map_err(|e| failed(e.to_string()))?;
        // tract knows no threads.
        let mut session = match runtime.backend {
            Backend::OnnxRuntime { .. } => session.with_intra_threads(1).map_err(|e| failed(e.to_string()))?,
            Backend::Tract => session,
        };
        let session = session.commit_from_memory(bytes).map_err(|e| failed(e.to_string()))?;
        let shape = |outlet: &ort::value::Outlet| {
            let shape = outlet.dtype().tensor_shape().map(|s| s.to_vec()).unwrap_or_default();
            (outlet.name().to_owned(), shape)
        };
        let wanted = |port: &Port| (port.name.to_owned(), port.shape.iter().map(|n| i64::try_from(*n).unwrap_or(-1)).collect::<Vec<_>>());
        let has: Vec<_> = session.inputs().iter().map(shape).collect();
        if has != [wanted(&input)] {
            return Err(RuntimeError::Contract(format!("has the inputs {has:?}, its contract says [{:?}]", wanted(&input))));
        }
        let has: Vec<_> = session.outputs().iter().map(shape).collect();
        if let Some(missing) = outputs.iter().map(wanted).find(|w| !has.contains(w)) {
            return Err(RuntimeError::Contract(format!("has the outputs {has:?}, its contract says that {missing:?} is among them")));
        }
        Ok(Model { session, input, outputs })
    }

    /// One pass. The outputs come in the contract's order, each as long as it says.
    ///
    /// # Errors
    /// The input is not of the contract's size, the backend fails, or an answer is no number.
    pub fn run(&mut self, input: Tensor) -> Result<Vec<Vec<f32>>, RuntimeError> {
        let failed = |e: ort::Error| RuntimeError::Run(e.to_string());
        let (shape, name) = (self.input.shape, self.input.name);
        let answers = match input {
            Tensor::F32(data) => {
                let tensor = TensorRef::from_array_view((shape, data)).map_err(failed)?;
                self.session.run(ort::inputs![name => tensor]).map_err(failed)?
            }
            Tensor::I32(data) => {
                let tensor = TensorRef::from_array_view((shape, data)).map_err(failed)?;
                self.session.run(ort::inputs![name => tensor]).map_err(failed)?
            }
        };
        let mut out = Vec::with_capacity(self.outputs.len());
        for port in self.outputs {
            let name = port.name;
            let value = answers.get(name).ok_or_else(|| RuntimeError::Run(format!("it gives no {name}")))?;
            let (_, numbers) = value.try_extract_tensor::<f32>().map_err(failed)?;
            if numbers.len() != port.elements() || numbers.iter().any(|x| !x.is_finite()) {
                return Err(RuntimeError::Run(format!(
                    "{name} has {} numbers; {} finite ones were expected",
                    numbers.len(),
                    port.elements()
                )));
            }
            out.push(numbers.to_vec());
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_without_a_development_link() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(in_folder(dir.path()), None);
        for name in ["libonnxruntime.so.1.30.0", "libonnxruntime.so.1.31.1", "libonnxruntime_providers_shared.so", "libonnxruntime.so.bak"]
        {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(in_folder(dir.path()), Some(dir.path().join("libonnxruntime.so.1.31.1")));
        std::fs::write(dir.path().join(LIBRARY), "").unwrap();
        assert_eq!(in_folder(dir.path()), Some(dir.path().join(LIBRARY)));
    }

    #[test]
    fn the_version_is_read_from_the_name_or_the_build_s_word() {
        // As ONNX Runtime 1.31.1 of PyPI says it.
        let info = "ORT Build Info: git-branch=HEAD, git-commit-id=6af1a93, fp8-kv-cache=1, build type=Release";
        assert_eq!(version(Path::new("/x/libonnxruntime.so.1.31.1"), info), "1.31.1");
        assert_eq!(version(Path::new("/x/libonnxruntime.so"), info), "at commit 6af1a93");
        assert_eq!(version(Path::new("/x/libonnxruntime.so"), ""), "of unknown version");
    }
}
