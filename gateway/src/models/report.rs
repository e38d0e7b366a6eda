//! `tuoan runtime`: what runs the models, how long each takes for a frame, what that is enough for, and how to get the faster backend.
use super::EyeModels;
use crate::cameras::eyes::default_workers;
use crate::clock::Stopwatch;
use crate::config;
use crate::estimate::features::FEATURES;
use crate::estimate::model::{ClimateModel, Source};
use crate::runtime::{self, Backend, Choice, PLACES};
use crate::say;
use miette::{IntoDiagnostic, Result, miette};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tuoan_vision::eye::LIVE_LOOKS;
use tuoan_vision::models::check::Pass;
use tuoan_vision::models::store::{Part, Sources};

/// Cameras and frames a second of each, by which the report says what the machine is enough for.
const WANTED: [(u32, u32); 4] = [(2, 1), (8, 1), (8, 2), (12, 2)];
/// Of a frame's time, what decoding, tracking and the rest may take beside the models.
const BESIDE_MODELS: f64 = 0.15;

#[derive(clap::Args)]
pub struct ReportArgs {
    /// The gateway's configuration: its models, backend and number of threads are taken.
    #[arg(long)]
    config: Option<PathBuf>,
    /// ONNX Runtime's shared library, or "embedded", whatever the configuration says.
    #[arg(long, value_name = "FILE")]
    onnxruntime: Option<PathBuf>,
    /// Passes of each model, of which the median is taken; one more goes before them and does not count.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    passes: u32,
    #[arg(long)]
    json: bool,
}

/// What the report says.
#[derive(Debug, Serialize)]
struct Report {
    backend: &'static str,
    version: String,
    /// Of ONNX Runtime.
    library: Option<PathBuf>,
    /// Libraries that were there or were asked for, and why they are not used.
    passed_over: Vec<String>,
    models: Vec<Measured>,
    /// Threads that look at pictures.
    threads: usize,
    /// Frames of live cameras a second on all these threads: when everybody in them is looked at again, and when nothing is in doubt.
    frames_per_second: [f64; 2],
    enough_for: Vec<Enough>,
    /// What to do for the faster backend.
    faster: Option<String>,
}

#[derive(Debug, Serialize)]
struct Measured {
    model: String,
    /// Of the picture that goes in.
    size: Option<[usize; 2]>,
    load_ms: f64,
    /// Median.
    pass_ms: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Yes,
    /// While few people are in doubt; else frames are dropped evenly, and the pages say so.
    Mostly,
    No,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Enough {
    cameras: u32,
    fps: u32,
    answer: Answer,
}

/// Measures on one thread and prints.
///
/// # Errors
/// The configuration is wrong, or a model does not run; the message says what to do.
pub fn run(args: &ReportArgs) -> Result<ExitCode> {
    let config = args.config.as_deref().map(|path| config::load(path, None)).transpose()?;
    let (settings, workers) = config.map(|c| (c.runtime, c.vision.workers)).unwrap_or_default();
    let choice = super::choice(args.onnxruntime.clone(), settings.onnx);
    let threads = workers.map_or_else(default_workers, usize::from);
    let report = measure(&settings.room_climate, &settings.eyes, &choice, args.passes, threads)?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report).into_diagnostic()?);
    } else {
        say!("{}", report.text().trim_end());
    }
    // Asked for by name and not used is a failure.
    let refused = matches!(choice, Choice::Library(_)) && report.library.is_none();
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measure(rooms: &Source, eyes: &Sources, choice: &Choice, passes: u32, threads: usize) -> Result<Report> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().into_diagnostic()?;
    let eyes = tokio.block_on(EyeModels::open_safely(eyes, choice)).into_diagnostic()?;
    let runtime = runtime::get(choice).into_diagnostic()?;
    let mut models = Vec::new();
    let begun = Stopwatch::start();
    if let Some(mut model) = tokio.block_on(ClimateModel::open_safely(rooms, choice)).into_diagnostic()? {
        let load_ms = ms(begun.elapsed());
        let pass_ms = median(passes, || model.answer(&[0.0; FEATURES]).map(drop)).into_diagnostic()?;
        models.push(Measured { model: model.name(), size: None, load_ms, pass_ms });
    }
    let mut live_ms = f64::MAX;
    for part in Part::ALL {
        let file = eyes.file(part);
        for (n, input) in part.inputs().iter().enumerate() {
            let begun = Stopwatch::start();
            let failed = |e| miette!("{} on {}: {e}", file.name(), runtime.backend);
            let mut pass = Pass::load(runtime, part, *input, &file.bytes).map_err(failed)?;
            let load_ms = ms(begun.elapsed());
            let pass_ms = median(passes, || pass.run().map(drop)).map_err(failed)?;
            if (part, n) == (Part::PersonPose, 0) {
                live_ms = pass_ms;
            }
            models.push(Measured { model: file.name(), size: Some([pass.width, pass.height]), load_ms, pass_ms });
        }
    }
    let (backend, version, library) = match &runtime.backend {
        Backend::OnnxRuntime { library, version } => ("onnxruntime", version.clone(), Some(library.clone())),
        Backend::Tract => ("tract", runtime::TRACT.to_owned(), None),
    };
    let most = threads as f64 * 1000.0 * (1.0 - BESIDE_MODELS) / live_ms;
    let frames_per_second = [most / (1 + LIVE_LOOKS) as f64, most];
    Ok(Report {
        backend,
        version,
        faster: library.is_none().then(faster),
        library,
        passed_over: runtime.passed_over.clone(),
        models,
        threads,
        frames_per_second,
        enough_for: WANTED.map(|(cameras, fps)| Enough { cameras, fps, answer: answer(cameras * fps, frames_per_second) }).into(),
    })
}

/// Whether so many frames a second are looked at.
fn answer(wanted: u32, [least, most]: [f64; 2]) -> Answer {
    match f64::from(wanted) {
        n if n <= least => Answer::Yes,
        n if n <= most => Answer::Mostly,
        _ => Answer::No,
    }
}

/// Of `passes`, after one that does not count: the first one makes the backend's buffers.
fn median<E>(passes: u32, mut pass: impl FnMut() -> std::result::Result<(), E>) -> std::result::Result<f64, E> {
    pass()?;
    let mut times = Vec::new();
    for _ in 0..passes {
        let begun = Stopwatch::start();
        pass()?;
        times.push(ms(begun.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn faster() -> String {
    let archive = match std::env::consts::ARCH {
        "x86_64" => "onnxruntime-linux-x64-VERSION.tgz",
        "aarch64" => "onnxruntime-linux-aarch64-VERSION.tgz",
        _ => "the archive for this machine, if there is one",
    };
    format!(
        "ONNX Runtime ({} or later) takes a quarter to a half of the time and gives the same answers. Its library, libonnxruntime.so, is in the archives on its \
         project's release page (github.com/microsoft/onnxruntime/releases: {archive}, folder lib) and in the Python package onnxruntime (a wheel \
         is a ZIP archive: folder onnxruntime/capi). Put it beside the program or into one of {}, or name it in the configuration: [runtime] \
         onnxruntime = \"/path/to/libonnxruntime.so\". Nothing is ever fetched by the gateway itself. Afterwards: tuoan model check, tuoan runtime",
        runtime::LEAST_ONNX_RUNTIME,
        PLACES.join(", ")
    )
}

impl Report {
    fn text(&self) -> String {
        let mut out = String::new();
        let _ = match &self.library {
            Some(library) => writeln!(out, "backend   ONNX Runtime {}\nlibrary   {}", self.version, library.display()),
            None => writeln!(out, "backend   tract {}, built in\nlibrary   none", self.version),
        };
        for why in &self.passed_over {
            let _ = writeln!(out, "not used  {why}");
        }
        let _ = writeln!(out, "\n{:<28}{:>10}{:>12}{:>10}", "model", "picture", "ms a frame", "ms load");
        for m in &self.models {
            let size = m.size.map(|[w, h]| format!("{w}x{h}")).unwrap_or_default();
            let _ = writeln!(out, "{:<28}{size:>10}{:>12.*}{:>10.0}", m.model, if m.pass_ms < 1.0 { 3 } else { 1 }, m.pass_ms, m.load_ms);
        }
        let [least, most] = self.frames_per_second;
        let threads = if self.threads == 1 { "1 thread looks".to_owned() } else { format!("{} threads look", self.threads) };
        let _ = writeln!(
            out,
            "\n{threads} at pictures: {most:.1} frames a second while nothing is in doubt, {least:.1} when people are looked at again"
        );
        for e in &self.enough_for {
            let says = match e.answer {
                Answer::Yes => "ok",
                Answer::Mostly => "ok while little is in doubt; else every camera gets fewer frames, and the pages say so",
                Answer::No => "no: every camera would get fewer frames, and the pages would say so",
            };
            let _ = writeln!(out, "{:>3} cameras at {} fps: {says}", e.cameras, e.fps);
        }
        let _ = writeln!(
            out,
            "Measured on one thread, on this machine as busy as it is now. A camera whose picture stands still needs far fewer looks."
        );
        if let Some(faster) = &self.faster {
            let _ = writeln!(out, "\nfaster    {faster}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(library: Option<&str>) -> Report {
        let library = library.map(PathBuf::from);
        Report {
            backend: if library.is_some() { "onnxruntime" } else { "tract" },
            version: "1.2".to_owned(),
            faster: library.is_none().then(faster),
            library,
            passed_over: vec!["/x/libonnxruntime.so: too old".to_owned()],
            models: vec![
                Measured { model: "room-climate/1 648c62c0".to_owned(), size: None, load_ms: 3.2, pass_ms: 0.0251 },
                Measured { model: "person-pose/1 0a29ac4b".to_owned(), size: Some([320, 192]), load_ms: 310.4, pass_ms: 72.04 },
            ],
            threads: 1,
            frames_per_second: [4.0, 12.0],
            enough_for: vec![Enough { cameras: 8, fps: 1, answer: answer(8, [4.0, 12.0]) }],
        }
    }

    #[test]
    fn it_is_enough_when_the_worst_case_is_served() {
        let says = |wanted| answer(wanted, [4.0, 12.0]);
        assert_eq!([says(4), says(5), says(12), says(13)], [Answer::Yes, Answer::Mostly, Answer::Mostly, Answer::No]);
        assert_eq!(answer(1, [0.0, 0.0]), Answer::No);
    }

    #[test]
    fn the_built_in_backend_says_how_to_get_the_faster_one() {
        let text = report(None).text();
        for part in [
            "backend   tract 1.2, built in",
            "not used  /x/libonnxruntime.so: too old",
            "320x192        72.0       310",
            "0.025",
            "8 cameras at 1 fps: ok while",
            "/usr/local/lib",
            "[runtime] onnxruntime = ",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let text = report(Some("/usr/lib/libonnxruntime.so")).text();
        assert!(text.contains("library   /usr/lib/libonnxruntime.so") && !text.contains("faster"), "{text}");
    }

    #[test]
    fn the_median_leaves_out_the_first_pass_and_ends_with_the_first_error() {
        let mut passes = 0;
        let done = median(4, || {
            passes += 1;
            Ok::<(), ()>(())
        });
        assert!(done.is_ok() && passes == 5);
        assert_eq!(median(4, || Err("broken")), Err("broken"));
    }
}
