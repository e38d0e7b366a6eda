//! `tuoan detect`: the anomaly detector over files. Every CSV `timestamp,value` of a folder is one series, read as a stream; the result has the
//! same relative path and the columns `timestamp,value,anomaly_score`, which is what the Numenta Anomaly Benchmark's scorers read.
use crate::anomaly::Detector;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// A longer line is no `timestamp,value`.
const LONGEST_LINE: u64 = 4096;

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub series: usize,
    pub samples: u64,
    pub alarms: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}, line {line}: {problem}")]
    Line { path: PathBuf, line: u64, problem: String },
    #[error("{path}: there is no CSV file in it")]
    NoSeries { path: PathBuf },
    #[error("{path} is the input folder; the results need another one")]
    SameFolder { path: PathBuf },
    #[error("{path} leads out of the output folder through a symbolic link; nothing is written there")]
    Outside { path: PathBuf },
    #[error("{} of the files could not be scored (the others were):\n{}", .0.len(), .0.iter().map(|e| format!("  {e}")).collect::<Vec<_>>().join("\n"))]
    Files(Vec<Error>),
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

/// Scores every CSV below `input` into `output`. A file with a fault gets no result and does not keep the others from theirs.
/// Symbolic links to folders are not entered. Results of an earlier run in a folder below `input` are not read.
pub fn run(input: &Path, output: &Path) -> Result<Summary, Error> {
    let input = fs::canonicalize(input).map_err(io_at(input))?;
    fs::create_dir_all(output).map_err(io_at(output))?;
    let output = fs::canonicalize(output).map_err(io_at(output))?;
    if input == output {
        return Err(Error::SameFolder { path: output });
    }
    let files = series(&input, &output)?;
    if files.is_empty() {
        return Err(Error::NoSeries { path: input });
    }
    let (mut all, mut faults) = (Summary::default(), Vec::new());
    for relative in files {
        match score_file(&input, &output, &relative) {
            Ok(one) => {
                all.series += 1;
                all.samples += one.samples;
                all.alarms += one.alarms;
            }
            Err(e) => faults.push(e),
        }
    }
    if faults.is_empty() { Ok(all) } else { Err(Error::Files(faults)) }
}

/// Relative paths of the CSV files below `input`, sorted.
fn series(input: &Path, output: &Path) -> Result<Vec<PathBuf>, Error> {
    let (mut found, mut folders) = (Vec::new(), vec![input.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(io_at(&folder))? {
            let entry = entry.map_err(io_at(&folder))?;
            let path = entry.path();
            // The type of the entry itself: a link to a folder is no folder, so that no loop can be walked.
            let kind = entry.file_type().map_err(io_at(&path))?;
            let csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
            if kind.is_dir() && path != output {
                folders.push(path);
            } else if csv && (kind.is_file() || kind.is_symlink() && path.is_file()) {
                found.extend(path.strip_prefix(input).map(Path::to_owned));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn score_file(input: &Path, output: &Path, relative: &Path) -> Result<Summary, Error> {
    let from = input.join(relative);
    let to = output.join(relative);
    let folder = to.parent().unwrap_or(output);
    make_inside(output, folder)?;
    let reader = BufReader::new(File::open(&from).map_err(io_at(&from))?);
    // Complete or not at all; and a link in the place of the result is replaced, not followed.
    let mut partial = to.clone().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let _ = fs::remove_file(&partial);
    let file = File::options().write(true).create_new(true).open(&partial).map_err(io_at(&partial))?;
    let mut writer = BufWriter::new(file);
    let done = score(reader, &mut writer, &from, &partial).and_then(|s| writer.flush().map_err(io_at(&partial)).map(|()| s));
    drop(writer);
    let done = done.and_then(|s| fs::rename(&partial, &to).map_err(io_at(&to)).map(|()| s));
    if done.is_err() {
        let _ = fs::remove_file(&partial);
    }
    done
}

/// Makes a folder below `output`, refusing to pass through a link that leads elsewhere.
fn make_inside(output: &Path, folder: &Path) -> Result<(), Error> {
    let mut path = output.to_owned();
    for part in folder.strip_prefix(output).unwrap_or(Path::new("")).components() {
        path.push(part);
        if let Err(e) = fs::create_dir(&path)
            && e.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(Error::Io { path, source: e });
        }
        if !fs::canonicalize(&path).map_err(io_at(&path))?.starts_with(output) {
            return Err(Error::Outside { path });
        }
    }
    Ok(())
}

/// One series. `from` and `to` are named in errors.
fn score(mut reader: impl BufRead, writer: &mut impl Write, from: &Path, to: &Path) -> Result<Summary, Error> {
    let mut summary = Summary { series: 1, ..Summary::default() };
    let mut detector = Detector::new();
    let mut columns: Option<(usize, usize)> = None;
    let (mut bytes, mut number) = (Vec::new(), 0u64);
    loop {
        bytes.clear();
        let read = reader.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut bytes).map_err(io_at(from))?;
        if read == 0 {
            break;
        }
        number += 1;
        let fault = |problem: String| Error::Line { path: from.to_owned(), line: number, problem };
        if bytes.len() as u64 > LONGEST_LINE {
            return Err(fault(format!("longer than {LONGEST_LINE} bytes")));
        }
        let line = std::str::from_utf8(&bytes).map_err(|_| fault("not UTF-8".into()))?.trim_end_matches(['\r', '\n']);
        let line = if number == 1 { line.trim_start_matches('\u{feff}') } else { line };
        if line.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split(',').collect();
        let Some((t, v)) = columns else {
            let column = |name: &str| fields.iter().position(|f| bare(f).eq_ignore_ascii_case(name));
            let (Some(t), Some(v)) = (column("timestamp"), column("value")) else {
                return Err(fault("the first line must name the columns \"timestamp\" and \"value\"".into()));
            };
            columns = Some((t, v));
            writeln!(writer, "timestamp,value,anomaly_score").map_err(io_at(to))?;
            continue;
        };
        let (Some(time), Some(value)) = (fields.get(t), fields.get(v)) else {
            return Err(fault(format!("{} columns where there must be at least {}", fields.len(), t.max(v) + 1)));
        };
        let at = timestamp(bare(time))
            .ok_or_else(|| fault(format!("{time:?} is no time; it must look like 2024-03-01 07:30:00 or 2024-03-01T07:30:00Z")))?;
        // A sample without a value is missing, as is one that says NaN.
        let x = match bare(value) {
            "" => f64::NAN,
            text => text.parse().map_err(|_| fault(format!("{value:?} is no number")))?,
        };
        let verdict = detector.observe(at, x);
        summary.samples += 1;
        summary.alarms += u64::from(verdict.alarm);
        writeln!(writer, "{time},{value},{}", verdict.score).map_err(io_at(to))?;
    }
    if columns.is_none() {
        return Err(Error::Line { path: from.to_owned(), line: 1, problem: "the file is empty".into() });
    }
    Ok(summary)
}

/// A field without the quotes that some writers put around it.
fn bare(field: &str) -> &str {
    let field = field.trim();
    field.strip_prefix('"').and_then(|f| f.strip_suffix('"')).unwrap_or(field)
}

/// Milliseconds since 1970 of `YYYY-MM-DD HH:MM[:SS[.fff]]`, with `T` or a blank between, and nothing (taken as UTC), `Z` or `±HH[:]MM` behind.
fn timestamp(text: &str) -> Option<i64> {
    fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
        (digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
    }
    let (date, clock) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.splitn(3, '-');
    let (y, m, d) = (number(parts.next()?, 4..=4)?, number(parts.next()?, 1..=2)?, number(parts.next()?, 1..=2)?);
    let month = time::Month::try_from(u8::try_from(m).ok()?).ok()?;
    let date = time::Date::from_calendar_date(i32::try_from(y).ok()?, month, u8::try_from(d).ok()?).ok()?;

    let (clock, offset) = match clock.trim_end().strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0),
        None => match clock.rfind(['+', '-']) {
            Some(at) => {
                let digits = clock[at + 1..].replace(':', "");
                let hours = number(digits.get(..2)?, 2..=2)?;
                let minutes = if digits.len() > 2 { number(&digits[2..], 2..=2)? } else { 0 };
                let sign = if clock[at..].starts_with('-') { -1 } else { 1 };
                (&clock[..at], sign * (hours * 60 + minutes))
            }
            None => (clock, 0),
        },
    };
    let mut parts = clock.trim().splitn(3, ':');
    let (h, min) = (number(parts.next()?, 1..=2)?, number(parts.next()?, 2..=2)?);
    let (s, ms) = match parts.next() {
        None => (0, 0),
        Some(seconds) => {
            let (s, fraction) = seconds.split_once(['.', ',']).unwrap_or((seconds, ""));
            let ms = if fraction.is_empty() { 0 } else { number(&format!("{:0<3}", fraction.get(..3).unwrap_or(fraction)), 3..=3)? };
            if !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            (number(s, 2..=2)?, ms)
        }
    };
    // 60: a leap second.
    if h > 24 || min > 59 || s > 60 {
        return None;
    }
    let day = i64::from(date.to_julian_day()) - 2_440_588;
    Some((((day * 24 + h) * 60 + min - offset) * 60 + s) * 1000 + ms)
}

#[cfg(test)]
#[path = "detect_files/tests.rs"]
mod tests;
