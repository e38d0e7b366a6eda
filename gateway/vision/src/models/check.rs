//! Holds a model to its golden.json, which Python and ONNX Runtime wrote (models/derive/golden.py), and lets others time its passes.
use super::sized::sized;
use super::store::{Numbers, Part};
use crate::modelfile::ModelFile;
use crate::picture::{Limits, Picture};
use crate::runtime::{Model, Port, Runtime, RuntimeError};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    contract: String,
    sha256: String,
    tolerance: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    /// A file beside golden.json, as large as the model's input.
    picture: Option<String>,
    /// Width and height of [`pattern`].
    pattern: Option<(u32, u32)>,
    /// Place and value of the numbers compared, for each output.
    answers: BTreeMap<String, Vec<(usize, f64)>>,
}

/// What the check saw.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Checked {
    pub pictures: usize,
    /// Numbers compared.
    pub compared: usize,
    /// Largest deviation, relative where the number is above 1.
    pub worst: f64,
}

/// A model, loaded for one size of picture, with a picture to look at.
pub struct Pass {
    pub width: usize,
    pub height: usize,
    model: Model,
    numbers: Numbers,
}

impl Pass {
    /// Loads the model for one of [`Part::inputs`].
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load(runtime: &Runtime, part: Part, input: Port, bytes: &[u8]) -> Result<Pass, RuntimeError> {
        let (width, height) = part.size(&input);
        let model = Model::load(runtime, &sized(bytes, &input)?, input, part.outputs())?;
        let numbers = part.prepare(&pattern(width as u32, height as u32), &input);
        Ok(Pass { width, height, model, numbers })
    }

    /// One pass over the picture.
    ///
    /// # Errors
    /// As [`Model::run`].
    pub fn run(&mut self) -> Result<Vec<Vec<f32>>, RuntimeError> {
        self.model.run(self.numbers.tensor())
    }
}

/// # Errors
/// Says which number of which picture deviates, or why golden.json does not fit the model.
pub fn check(runtime: &Runtime, part: Part, file: &ModelFile) -> Result<Checked, String> {
    let golden = file.beside("golden.json").map_err(|e| e.to_string())?;
    let golden: Golden = serde_json::from_slice(&golden).map_err(|e| format!("golden.json is wrong: {e}"))?;
    if golden.contract != part.kind().contract || golden.sha256 != file.sha256 {
        return Err(format!("golden.json is of the model {} ({}), not of {}", golden.sha256, golden.contract, file.sha256));
    }
    let mut seen = Checked::default();
    for input in part.inputs() {
        let mut pass = Pass::load(runtime, part, *input, &file.bytes).map_err(|e| e.to_string())?;
        let size = (pass.width as u32, pass.height as u32);
        let before = seen.pictures;
        for (n, case) in golden.cases.iter().enumerate() {
            let picture = picture(case, file).map_err(|e| format!("picture {n} of golden.json: {e}"))?;
            if (picture.width(), picture.height()) == size {
                pass.numbers = part.prepare(&picture, input);
                let answers = pass.run().map_err(|e| format!("picture {n}: {e}"))?;
                compare(n, part.outputs(), &answers, case, golden.tolerance, &mut seen)?;
                seen.pictures += 1;
            }
        }
        if seen.pictures == before {
            return Err(format!("golden.json has no picture of {} x {}", size.0, size.1));
        }
    }
    Ok(seen)
}

fn compare(n: usize, outputs: &[Port], answers: &[Vec<f32>], case: &Case, tolerance: f64, seen: &mut Checked) -> Result<(), String> {
    for (port, answer) in outputs.iter().zip(answers) {
        let wanted = case.answers.get(port.name).ok_or_else(|| format!("picture {n} of golden.json has no {}", port.name))?;
        for (place, should) in wanted {
            let is = answer.get(*place).copied().map_or(f64::NAN, f64::from);
            let deviation = (is - should).abs() / should.abs().max(1.0);
            if deviation.is_nan() || deviation > tolerance {
                return Err(format!("picture {n}: {}[{place}] is {is}, golden.json says {should}", port.name));
            }
            seen.worst = seen.worst.max(deviation);
            seen.compared += 1;
        }
    }
    Ok(())
}

fn picture(case: &Case, file: &ModelFile) -> Result<Picture, String> {
    match (&case.picture, case.pattern) {
        (Some(name), None) => {
            let bytes = file.beside(name).map_err(|e| e.to_string())?;
            Picture::decode(&bytes, &Limits::default()).map_err(|e| format!("{name}: {e}"))
        }
        (None, Some((width, height))) if (1..=4096).contains(&width) && (1..=4096).contains(&height) => Ok(pattern(width, height)),
        _ => Err("it must be a picture or a pattern of at most 4096 x 4096".to_owned()),
    }
}

/// Squares of 16 pixels in colours drawn by a linear congruential generator (Numerical Recipes' constants); `models/check.py` draws the same.
fn pattern(width: u32, height: u32) -> Picture {
    let mut picture = Picture::plain(width, height, [0; 3]);
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for top in (0..height).step_by(16) {
        for left in (0..width).step_by(16) {
            let colour = [next(), next(), next()];
            for y in top..(top + 16).min(height) {
                for x in left..(left + 16).min(width) {
                    picture.paint(x, y, colour);
                }
            }
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modelfile::Source;
    use crate::runtime::{self, Backend, Choice};
    use std::process::Command;

    fn all_agree(runtime: &Runtime) {
        for part in Part::ALL {
            let file = part.kind().open(&Source::BuiltIn).unwrap();
            let seen = check(runtime, part, &file).unwrap_or_else(|e| panic!("{} on {}: {e}", file.name(), runtime.backend));
            assert!(seen.pictures > part.inputs().len() && seen.compared > 100, "{part:?}: {seen:?}");
            println!("{} on {}: {seen:?}", file.name(), runtime.backend);
        }
    }

    #[test]
    fn every_model_gives_on_tract_what_python_said() {
        let runtime = runtime::get(&Choice::Embedded).unwrap();
        assert_eq!(runtime.backend, Backend::Tract);
        all_agree(runtime);
    }

    /// A process chooses its backend once, so the other one has a process of its own.
    #[test]
    fn and_on_onnx_runtime() {
        if std::env::var_os("TESTS_ONNXRUNTIME").is_none() {
            return eprintln!("skipped: TESTS_ONNXRUNTIME does not name ONNX Runtime's shared library");
        }
        let child = "models::check::tests::this_process_has_onnx_runtime";
        let done = Command::new(std::env::current_exe().unwrap()).args(["--exact", child, "--ignored", "--nocapture"]).output().unwrap();
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
        print!("{said}");
    }

    #[test]
    #[ignore = "run by and_on_onnx_runtime"]
    fn this_process_has_onnx_runtime() {
        let library = std::env::var_os("TESTS_ONNXRUNTIME").expect("TESTS_ONNXRUNTIME names the library").into();
        let runtime = runtime::get(&Choice::Library(library)).unwrap();
        assert!(matches!(runtime.backend, Backend::OnnxRuntime { .. }), "{:?}", runtime.passed_over);
        all_agree(runtime);
    }

    #[test]
    fn a_golden_file_of_another_model_or_with_other_answers_is_no_proof() {
        let runtime = runtime::get(&Choice::Embedded).unwrap();
        let (dir, part) = (tempfile::tempdir().unwrap(), Part::Faces);
        let put = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
        put("model.onnx", part.kind().model);
        put("model.toml", part.kind().manifest.as_bytes());
        part.kind().beside.iter().for_each(|(name, bytes)| put(name, bytes));
        let judged = || check(runtime, part, &part.kind().open(&Source::Folder(dir.path().to_owned())).unwrap());
        assert!(judged().is_ok_and(|c| c.pictures == 2 && c.compared > 300 && c.worst < 1e-3), "{:?}", judged());
        let golden = String::from_utf8(part.kind().beside[0].1.to_vec()).unwrap();
        put("golden.json", golden.replacen("[[0, ", "[[0, 9e9], [0, ", 1).as_bytes());
        assert!(judged().unwrap_err().contains("golden.json says 9000000000"), "{:?}", judged());
        put("golden.json", golden.replacen("faces/1", "faces/2", 1).as_bytes());
        assert!(judged().unwrap_err().contains("golden.json is of the model"));
        put("golden.json", golden.replacen("golden-0.png", "../golden-0.png", 1).as_bytes());
        assert!(judged().unwrap_err().contains("beside the model"));
    }
}
