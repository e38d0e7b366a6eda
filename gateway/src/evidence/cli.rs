//! `tuoan evidence export`, `key` and `verify`.
use super::export::{Request, export};
use super::{key_file, site_key};
use crate::clock::Clock;
use crate::say;
use crate::store::LOG_FILE;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tuoan_evidence::{MAX_FILE, PublicKey, Report, SigningKey, Trust, verify};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Writes one file about one incident that proves itself: it opens in any browser, and `tuoan evidence verify` checks it.
    Export {
        /// Id of the incident, as `tuoan incidents list` names it.
        #[arg(long)]
        incident: String,
        /// The file to be written; one that is there is not written over.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The gateway's data folder; it may be running.
        #[arg(long, default_value = crate::config::DATA)]
        data: PathBuf,
        /// Who asks for it; stands in the file.
        #[arg(long, default_value = "operator at the box")]
        by: String,
        /// What it is for; stands in the file.
        #[arg(long, default_value = "not given")]
        purpose: String,
        /// Leaves the blurred pictures out.
        #[arg(long)]
        no_pictures: bool,
    },
    /// Prints the site's public key (PEM). Whoever is to verify evidence must have it from the site itself, beforehand.
    Key {
        #[arg(long, default_value = crate::config::DATA)]
        data: PathBuf,
    },
    /// Checks a file. The exit code is 0 only if all of it holds; otherwise it is said what was changed.
    Verify {
        file: PathBuf,
        /// The site's public key: a file with what `tuoan evidence key` printed, or its 64 digits.
        #[arg(long)]
        key: Option<String>,
        /// The district platform's public key, in the same way.
        #[arg(long)]
        witness: Option<String>,
    },
}

/// # Errors
/// The store or a file cannot be read or written. That evidence does not hold is told by the exit code.
pub fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Export { incident, out, data, by, purpose, no_pictures } => {
            let request = Request { by, purpose, pictures: !no_pictures, now: Clock::System.utc_ms() };
            exported(&data, &incident, &out, &request)
        }
        Command::Key { data } => {
            say!("{}", own_key(&data)?.public().pem().trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify { file, key, witness } => {
            let trust = Trust { site: key.as_deref().map(public).transpose()?, witness: witness.as_deref().map(public).transpose()? };
            verified(&file, &trust)
        }
    }
}

/// The key of a data folder that a gateway has used; it is not drawn for any other.
fn own_key(data: &Path) -> Result<SigningKey> {
    if !key_file(data).exists() && !data.join(LOG_FILE).exists() {
        return Err(miette!("{} is no gateway's data folder; name it with --data", data.display()));
    }
    site_key(data).into_diagnostic().wrap_err("the site's key cannot be used")
}

fn exported(data: &Path, incident: &str, out: &Path, request: &Request) -> Result<ExitCode> {
    let exported = export(data, &own_key(data)?, incident, request)?;
    let named = |e: std::io::Error| miette!("{}: {e}", out.display());
    let mut file = std::fs::File::create_new(out).map_err(named)?;
    file.write_all(&exported.bytes).and_then(|()| file.sync_all()).map_err(named)?;
    exported.remarks.iter().for_each(|r| eprintln!("note: {r}"));
    say!("{} ({} bytes)", out.display(), exported.bytes.len());
    Ok(ExitCode::SUCCESS)
}

/// A key from a file, or from the argument itself.
fn public(argument: &str) -> Result<PublicKey> {
    if let Ok(key) = PublicKey::parse(argument) {
        return Ok(key);
    }
    let mut text = String::new();
    let file = std::fs::File::open(argument).map_err(|e| miette!("{argument}: {e}"))?;
    file.take(64 << 10).read_to_string(&mut text).map_err(|e| miette!("{argument}: {e}"))?;
    PublicKey::parse(&text).map_err(|e| miette!("{argument}: {e}"))
}

fn verified(path: &Path, trust: &Trust) -> Result<ExitCode> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| miette!("{}: {e}", path.display()))?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| miette!("{}: {e}", path.display()))?;
    match verify(&bytes, trust) {
        Ok(report) => {
            say!("{}", told(&report));
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => {
            eprintln!("NOT VALID: {}", path.display());
            refused.to_string().lines().for_each(|l| eprintln!("  - {l}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What a file proves, in words.
fn told(r: &Report) -> String {
    let plain = |text: &str| text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>();
    let h = &r.header;
    let witness = match &r.witness {
        Some(w) => format!(
            "witness   the district countersigned the log of {} records ({} of the events are in it), key {}{}",
            w.head.size,
            r.witnessed,
            w.countersignature.key.fingerprint(),
            if r.witness_known { "" } else { " - not compared with a known one (--witness)" }
        ),
        None => "witness   none: the district has not countersigned this log".to_owned(),
    };
    let coverage = match r.watched() {
        Some(f) => {
            format!("{} min watched, {} in part, {} blind while it lasted ({} days enclosed)", f.watched, f.degraded, f.blind, r.days.len())
        }
        None => format!("no closed day of the ledger tells of its place ({} days enclosed)", r.days.len()),
    };
    format!(
        "valid\nsite      {} ({})\nincident  {}\nevents    {}, all in the log of {} records that the site signed\n{witness}\ncoverage  {coverage}\nrecords   {} ({} pictures, {} inputs for `tuoan replay`)\nmade      by {} for: {}\nkey       {}{}",
        plain(&h.site_name),
        plain(&h.site),
        plain(&h.incident),
        r.events.len(),
        r.head.size,
        r.records,
        r.frames,
        r.inputs,
        plain(&h.made_by),
        plain(&h.purpose),
        h.key.fingerprint(),
        if r.key_known { "" } else { "\n          not compared with a known one: give --key, or compare this by eye" }
    )
}
