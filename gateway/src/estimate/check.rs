//! Holds feature builder, model and backend to `golden.json`, which the training wrote.
use super::features::{CHANNELS, FEATURES, Moment, Room};
use super::model::{CONTRACT, ClimateModel};
use crate::clock::Stopwatch;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Deserialize)]
struct Golden {
    contract: String,
    sha256: String,
    tolerance: f64,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    minute_of_day: u16,
    working_day: bool,
    children_expected: bool,
    values: BTreeMap<String, f64>,
    features: Option<Vec<f64>>,
    occupancy: Option<f64>,
    error: Option<f64>,
    by_channel: Option<Vec<f64>>,
}

/// What the check saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Checked {
    /// Minutes fed, and of them with known answers.
    pub minutes: usize,
    pub compared: usize,
    /// Largest deviation, relative where the figure is above 1.
    pub worst: f64,
    /// Mean time of one pass.
    pub pass: Duration,
}

/// # Errors
/// Says which figure of which minute deviates, or why the file does not fit the model.
pub fn check(model: &mut ClimateModel, golden: &str) -> Result<Checked, String> {
    let golden: Golden = serde_json::from_str(golden).map_err(|e| format!("golden.json is wrong: {e}"))?;
    if golden.contract != CONTRACT || golden.sha256 != model.sha256() {
        return Err(format!("golden.json is of the model {} ({}), not of {}", golden.sha256, golden.contract, model.sha256()));
    }
    let mut room = Room::default();
    let (mut worst, mut compared, mut spent, mut passes) = (0.0f64, 0, Duration::ZERO, 0u32);
    for (n, step) in golden.steps.iter().enumerate() {
        let means: [Option<f64>; CHANNELS.len()] = std::array::from_fn(|c| step.values.get(CHANNELS.get(c)?.name()).copied());
        let features: [f32; FEATURES] = room.minute(
            &means,
            Moment { minute_of_day: step.minute_of_day, working_day: step.working_day, children_expected: step.children_expected },
        );
        let begun = Stopwatch::start();
        let answer = model.answer(&features).map_err(|e| format!("minute {n}: {e}"))?;
        (spent, passes) = (spent + begun.elapsed(), passes + 1);
        let (Some(wanted), Some(occupancy), Some(error), Some(by_channel)) = (&step.features, step.occupancy, step.error, &step.by_channel)
        else {
            continue;
        };
        let single = [("occupancy", f64::from(answer.occupancy), occupancy), ("error", f64::from(answer.error), error)];
        let many = features.iter().zip(wanted).map(|(a, b)| ("features", f64::from(*a), *b));
        let channels = answer.by_channel.iter().zip(by_channel).map(|(a, b)| ("by_channel", f64::from(*a), *b));
        if wanted.len() != FEATURES || by_channel.len() != CHANNELS.len() {
            return Err(format!("minute {n} of golden.json has {} features and {} channels", wanted.len(), by_channel.len()));
        }
        for (what, is, should) in single.into_iter().chain(many).chain(channels) {
            let deviation = (is - should).abs() / should.abs().max(1.0);
            if deviation.is_nan() || deviation > golden.tolerance {
                return Err(format!("minute {n}: {what} is {is}, golden.json says {should}"));
            }
            worst = worst.max(deviation);
        }
        compared += 1;
    }
    Ok(Checked { minutes: golden.steps.len(), compared, worst, pass: spent / passes.max(1) })
}

#[cfg(test)]
mod tests {
    use super::super::model::Source;
    use super::*;
    use crate::runtime::Choice;

    #[test]
    fn rust_and_tract_say_what_python_and_onnx_runtime_said() {
        let mut model = ClimateModel::open(&Source::BuiltIn, &Choice::Embedded).unwrap().unwrap();
        let golden = model.golden().unwrap();
        let checked = check(&mut model, &golden).unwrap();
        assert!(checked.compared >= 25 && checked.minutes >= 200, "{checked:?}");
        let wrong = golden.replacen("\"occupancy\": 0.", "\"occupancy\": 0.9", 1);
        assert!(check(&mut model, &wrong).unwrap_err().contains("occupancy"));
        assert!(check(&mut model, &golden.replacen("room-climate/1", "other/1", 1)).unwrap_err().contains("golden.json is of the model"));
    }
}
