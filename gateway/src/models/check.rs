//! `tuoan model check`: models held to the answers that stand beside them.
use crate::clock::Stopwatch;
use crate::estimate;
use crate::estimate::model::{CONTRACT, ClimateModel};
use crate::runtime::{self, Choice, Runtime};
use crate::say;
use miette::{IntoDiagnostic, Result, miette};
use std::path::PathBuf;
use std::process::ExitCode;
use tuoan_vision::modelfile::{Source, contract_in};
use tuoan_vision::models::check;
use tuoan_vision::models::store::Part;

#[derive(clap::Args)]
pub struct CheckArgs {
    folder: Option<PathBuf>,
    /// ONNX Runtime's shared library, or "embedded". Without it, as the daemon would choose.
    #[arg(long, value_name = "FILE")]
    onnxruntime: Option<PathBuf>,
    /// Take the embedded backend where that library cannot be used, as the daemon does.
    #[arg(long)]
    or_embedded: bool,
}

/// Says of each model on standard output what was compared.
///
/// # Errors
/// A model is not what it should be, or answers otherwise.
pub fn run(args: CheckArgs) -> Result<ExitCode> {
    let choice = super::choice(args.onnxruntime, Choice::Find);
    let runtime = runtime::get(&choice).into_diagnostic()?;
    runtime.passed_over.iter().for_each(|why| eprintln!("not used: {why}"));
    match args.folder {
        None => {
            climate(&Source::BuiltIn, &choice)?;
            for part in Part::ALL {
                eye(part, &Source::BuiltIn, runtime)?;
            }
        }
        Some(dir) => {
            let kind = contract_in(&dir).into_diagnostic()?;
            let source = Source::Folder(dir);
            match Part::ALL.into_iter().find(|p| p.kind().contract == kind) {
                Some(part) => eye(part, &source, runtime)?,
                None if kind == CONTRACT => climate(&source, &choice)?,
                None => {
                    let known: Vec<_> = Part::ALL.iter().map(|p| p.kind().contract).collect();
                    return Err(miette!(
                        "the model is made for the contract {kind:?}, this program knows {CONTRACT}, {}",
                        known.join(", ")
                    ));
                }
            }
        }
    }
    // Asked for by name and not used is a failure.
    let refused = matches!(choice, Choice::Library(_)) && !args.or_embedded && !runtime.passed_over.is_empty();
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn climate(source: &Source, choice: &Choice) -> Result<()> {
    let mut model = ClimateModel::load(source, choice).into_diagnostic()?;
    let golden = model.golden().into_diagnostic()?;
    let seen = estimate::check::check(&mut model, &golden).map_err(|e| miette!("{} on {}: {e}", model.name(), model.runtime))?;
    say!(
        "{} on {}: {} minutes fed, {} answers compared, largest deviation {:.1e}, {:.1} µs a pass",
        model.name(),
        model.runtime,
        seen.minutes,
        seen.compared,
        seen.worst,
        seen.pass.as_secs_f64() * 1e6
    );
    Ok(())
}

fn eye(part: Part, source: &Source, runtime: &Runtime) -> Result<()> {
    let file = part.kind().open(source).into_diagnostic()?;
    let begun = Stopwatch::start();
    let seen = check::check(runtime, part, &file).map_err(|e| miette!("{} on {}: {e}", file.name(), runtime.backend))?;
    say!(
        "{} on {}: {} pictures seen, {} answers compared, largest deviation {:.1e}, {} ms with loading",
        file.name(),
        runtime.backend,
        seen.pictures,
        seen.compared,
        seen.worst,
        begun.elapsed().as_millis()
    );
    Ok(())
}
