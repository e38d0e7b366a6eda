//! `tuoan replay` and `tuoan rules backtest`.
use super::backtest::{Pace, backtest};
use super::difference::Differences;
use super::export::export;
use super::source::Source;
use super::tally::Tally;
use super::what_if::Run;
use super::{Change, Range, ReplayError, exact, report};
use crate::engine::Configuration;
use crate::engine::schedule::parse_date;
use crate::say;
use indicatif::{ProgressBar, ProgressStyle};
use miette::{IntoDiagnostic, Result, miette};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// A copy of a gateway's log.db, or an exported log; instead of --data.
    file: Option<PathBuf>,
    /// The gateway's data folder; it may be running.
    #[arg(long, conflicts_with = "file")]
    data: Option<PathBuf>,
    #[command(flatten)]
    times: Times,
    /// A rule pack, or [[override]] tables, to be put in force all through the history: shows which incidents would be new, gone or otherwise.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Writes the log to a new file, one JSON object a line, instead of replaying it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rules", "from", "to"])]
    export: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct BacktestArgs {
    /// A rule pack, or [[override]] tables as in a site file.
    file: PathBuf,
    /// The gateway's data folder (it may be running), a copy of its log.db, or an exported log.
    #[arg(long)]
    data: PathBuf,
    #[command(flatten)]
    times: Times,
    #[arg(long)]
    json: bool,
}

/// "2026-11-22", "2026-11-22 14:30", by the site's own time; with "Z" at its end UTC.
#[derive(Debug, clap::Args)]
struct Times {
    /// From then on: a date or "2026-11-22 14:30", the site's time; with a Z at its end UTC.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Earlier than that.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl Times {
    fn range(&self, source: &Source, configuration: &Configuration) -> Result<Range> {
        let engine = |text: &Option<String>| -> Result<Option<i64>> {
            let Some(text) = text else { return Ok(None) };
            let utc = time(text, configuration.site.utc_offset_minutes).ok_or_else(|| {
                miette!("{text:?} is no time; write 2026-11-22 or \"2026-11-22 14:30\" (the site's time) or 2026-11-22T06:30:00Z")
            })?;
            Ok(Some(utc.saturating_sub(source.cut.utc_offset)))
        };
        let range = Range { from: engine(&self.from)?, to: engine(&self.to)? };
        if matches!((range.from, range.to), (Some(from), Some(to)) if from >= to) {
            return Err(miette!("--from must be earlier than --to"));
        }
        Ok(range)
    }
}

/// UTC milliseconds.
fn time(text: &str, offset_minutes: i32) -> Option<i64> {
    let (local, utc) = text.strip_suffix('Z').map_or((text, false), |t| (t, true));
    let (date, clock) = local.split_once(['T', ' ']).unwrap_or((local, "00:00"));
    let mut parts = clock.split(':').map(|p| p.parse::<i64>().ok().filter(|_| p.len() == 2));
    let (h, m, s) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    if parts.next().is_some() || h > 23 || m > 59 || s > 59 {
        return None;
    }
    let seconds = parse_date(date)?.checked_mul(86_400)?.checked_add(h * 3600 + m * 60 + s)?;
    let offset = if utc { 0 } else { i64::from(offset_minutes) * 60 };
    seconds.checked_sub(offset)?.checked_mul(1000)
}

/// A bar on a terminal, nothing elsewhere.
fn bar(source: &Source, after: u64) -> ProgressBar {
    let bar = ProgressBar::new(source.cut.position);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} %  {human_pos} of {human_len} inputs, {eta} left") {
        bar.set_style(style);
    }
    bar.set_position(after);
    bar
}

fn open(path: &Path) -> Result<Source> {
    Ok(Source::open(path)?)
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| miette!("{}: {e}", path.display()))
}

/// # Errors
/// The log cannot be read, or the rules not be put in force. Differences are told by the exit code.
pub fn replay(args: &ReplayArgs) -> Result<ExitCode> {
    let path = args.file.as_ref().or(args.data.as_ref());
    let source = open(path.ok_or_else(|| miette!("name the gateway's data folder with --data, or a file"))?)?;
    let progress = bar(&source, 0);
    let mut step = |position| {
        progress.set_position(position);
        true
    };
    if let Some(file) = &args.export {
        export(&source, file, |p| progress.set_position(p))?;
        progress.finish_and_clear();
        say!("{} inputs and {} incident events written to {}", source.cut.position, source.cut.sequence, file.display());
        return Ok(ExitCode::SUCCESS);
    }
    let configuration = source.configuration()?;
    let range = args.times.range(&source, &configuration)?;
    if let Some(file) = &args.rules {
        let change = Change::read(&file.display().to_string(), &text(file)?, &configuration)?;
        let (differences, forgotten) = compare(&source, &change, range, &mut step)?;
        progress.finish_and_clear();
        if args.json {
            print_json(&report::differences_json(&differences, forgotten))?;
        } else {
            say!("{}", report::differences_text(&differences, forgotten, configuration.site.utc_offset_minutes).trim_end());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let exact = exact(&source, range, &mut step)?;
    progress.finish_and_clear();
    if exact.last <= exact.after {
        // Nothing compared is nothing proved.
        return Err(miette::miette!("no input lies in that time; without --from and --to the whole log is replayed"));
    }
    if args.json {
        let mut value = serde_json::to_value(&exact).into_diagnostic()?;
        if let Some(v) = value.as_object_mut() {
            v.insert("same".to_owned(), exact.is_same().into());
        }
        print_json(&value)?;
    } else {
        say!("{}", report::exact_text(&exact, configuration.site.utc_offset_minutes, source.cut.utc_offset).trim_end());
    }
    Ok(if exact.is_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The stored incidents beside those of the same history under the changed rules; and how many were too many to compare.
pub fn compare(source: &Source, change: &Change, range: Range, progress: super::Progress<'_>) -> Result<(Differences, u64), ReplayError> {
    let (state, _) = source.state_before(range.from)?;
    let (position, sequence) = (state.position(), state.sequence());
    let configuration = state.configuration().cloned();
    let in_force = source.configuration()?;
    let day = |at: i64| in_force.site.local_day(at.saturating_add(source.cut.utc_offset));
    let (first, last) = source.cut.span.unwrap_or_default();
    let change = &change.through(day(first), day(last), &in_force);
    let mut run = Run::new(state, Box::new(|c| change.apply(c).map(Some)));
    if let Some(c) = configuration {
        run.configure(change.apply(&c)?);
    }
    let known = source.known()?;
    let mut last = position;
    for piece in source.inputs(position, range.to)? {
        let piece = piece?;
        run.piece(&piece, &known)?;
        last = piece.last;
        if !progress(last) {
            return Err(ReplayError::Cancelled);
        }
    }
    run.finish(if range.to.is_none() { source.cut.now } else { run.state().now() });
    let mut before = Tally::default();
    let mut events = source.events(sequence)?;
    while let Some(e) = events.take()? {
        match e.event() {
            Ok(e) if range.to.is_some() && e.position > last => break,
            Ok(e) => before.event(&e),
            Err(e) => tracing::warn!("a stored incident event cannot be read: {e}"),
        }
    }
    before.finish(run.utc(run.state().now()));
    let forgotten = before.forgotten().max(run.tally.forgotten());
    Ok((Differences::between(&before.incidents, &run.tally.incidents), forgotten))
}

/// # Errors
/// The log cannot be read, or the rules not be put in force.
pub fn rules_backtest(args: &BacktestArgs) -> Result<ExitCode> {
    let source = open(&args.data)?;
    let configuration = source.configuration()?;
    let range = args.times.range(&source, &configuration)?;
    let change = Change::read(&args.file.display().to_string(), &text(&args.file)?, &configuration)?;
    let progress = bar(&source, 0);
    let result = backtest(&source, &change, range, Pace::Fast, &mut |position| {
        progress.set_position(position);
        true
    })?;
    progress.finish_and_clear();
    if args.json {
        print_json(&report::backtest_json(&result))?;
    } else {
        say!("{}", report::backtest_text(&result).trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

fn print_json(value: &serde_json::Value) -> Result<()> {
    say!("{}", serde_json::to_string_pretty(value).into_diagnostic()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_the_sites_own_unless_they_say_otherwise() {
        assert_eq!(time("1970-01-02", 480), Some(16 * 3_600_000));
        assert_eq!(time("1970-01-01 08:00", 480), Some(0));
        assert_eq!(time("1970-01-01T00:00:05Z", 480), Some(5_000));
        for bad in ["", "today", "1970-01-01 25:00", "1970-01-01 8:00", "1970-01-01 08:00:00:00", "1970-13-01"] {
            assert_eq!(time(bad, 0), None, "{bad}");
        }
    }
}
