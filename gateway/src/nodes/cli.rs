//! `tuoan firmware`: keys, signed files, and which node runs what.
use super::push::Stage;
use super::rollout::{self, Known, Progress, To};
use super::sign;
use crate::control::{self, Answer, Request};
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tuoan_protocol::firmware::Version;

#[derive(clap::Subcommand)]
pub enum Firmware {
    /// Makes a signing key, or shows the public half of one that is there. Keep the file off the gateway: it has no use for it.
    Key { file: PathBuf },
    /// Signs an image, for one board and a range of its hardware revisions.
    Sign {
        /// The raw image, as it is linked for its slot.
        image: PathBuf,
        /// Key file of `tuoan firmware key`.
        #[arg(long)]
        key: PathBuf,
        /// As the board names itself, e.g. rp2040-w5500.
        #[arg(long)]
        board: String,
        /// First and last hardware revision, or one.
        #[arg(long, default_value = "1", value_parser = revisions)]
        hardware: (u16, u16),
        /// major.minor.patch; a node takes only what is newer than what it runs.
        #[arg(long)]
        version: Version,
        /// The signed file; by default the image's name with .tfw.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Sends a signed file to nodes, one after the other, and follows it to its end. The round ends at the first node that falls silent or rolls back.
    Publish {
        file: PathBuf,
        /// The running gateway's data folder.
        #[arg(long)]
        data: PathBuf,
        /// To this node.
        #[arg(long, conflicts_with_all = ["room", "all"], required_unless_present_any = ["room", "all"])]
        device: Option<String>,
        /// To all nodes of its board in this zone.
        #[arg(long, conflicts_with = "all")]
        room: Option<String>,
        /// To all nodes of its board.
        #[arg(long)]
        all: bool,
        /// Who wants it; stands in the log.
        #[arg(long)]
        by: String,
    },
    /// Puts settings onto one node: how it measures, from a JSON file of `altitude_m`, `self_calibration`, `local_alarm` and `rules` (docs/nodes.md).
    Settings {
        file: PathBuf,
        #[arg(long)]
        data: PathBuf,
        #[arg(long)]
        device: String,
        /// Who wants it; stands in the log.
        #[arg(long)]
        by: String,
    },
    /// Lists the nodes with their firmware, and how far the last push is.
    Status {
        #[arg(long)]
        data: PathBuf,
    },
}

fn revisions(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |t: &str| t.trim().parse::<u16>().map_err(|_| format!("{text:?} is no range of revisions; write 1 or 1-3"));
    Ok((number(first)?, number(last)?))
}

const LOOK: Duration = Duration::from_millis(500);

/// # Errors
/// What is wrong, with the fix.
pub async fn run(command: Firmware) -> Result<ExitCode> {
    match command {
        Firmware::Key { file } => {
            let public = if file.exists() { sign::public_key(&file) } else { sign::make_key(&file) };
            crate::say!("{}", hex::encode(public.into_diagnostic()?));
            Ok(ExitCode::SUCCESS)
        }
        Firmware::Sign { image, key, board, hardware, version, out } => {
            let key = sign::read_key(&key).into_diagnostic()?;
            let bytes = sign::read_file(&image).into_diagnostic()?;
            let signed = sign::signed(&key, &board, hardware, version, &bytes).into_diagnostic()?;
            let out = out.unwrap_or_else(|| image.with_extension("tfw"));
            std::fs::write(&out, &signed).into_diagnostic().wrap_err_with(|| out.display().to_string())?;
            crate::say!("{}", out.display());
            Ok(ExitCode::SUCCESS)
        }
        Firmware::Publish { file, data, device, room, all: _, by } => {
            let to = match (device, room) {
                (Some(device), _) => To::Device(device),
                (None, Some(room)) => To::Room(room),
                (None, None) => To::All,
            };
            let image = sign::read_file(&file).and_then(|bytes| rollout::put(&data, &bytes)).into_diagnostic()?;
            match ask(&data, &Request::Firmware { image, to, by }).await? {
                Answer::Done { .. } => follow(&data).await,
                _ => Err(miette!("the gateway gave another answer than was asked for; are both of one version?")),
            }
        }
        Firmware::Settings { file, data, device, by } => {
            let text = std::fs::read_to_string(&file).into_diagnostic().wrap_err_with(|| file.display().to_string())?;
            let settings = serde_json::from_str(&text).into_diagnostic().wrap_err_with(|| file.display().to_string())?;
            ask(&data, &Request::Settings { device: device.clone(), settings, by }).await?;
            crate::say!("{device}\tmeasures by it");
            Ok(ExitCode::SUCCESS)
        }
        Firmware::Status { data } => {
            let (nodes, push) = status(&data).await?;
            for n in nodes {
                crate::say!("{}\t{}\t{}\t{}", n.device, n.zone, n.board, n.firmware);
            }
            if let Some(push) = push {
                for n in &push.nodes {
                    crate::say!("{}\t{}", n.device, words(&n.stage, push.length));
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn ask(data: &Path, request: &Request) -> Result<Answer> {
    match control::ask(data, request).await.map_err(|e| miette!("{e}"))? {
        Answer::Refused { reason } => Err(miette!("the gateway refuses: {reason}")),
        answer => Ok(answer),
    }
}

async fn status(data: &Path) -> Result<(Vec<Known>, Option<Progress>)> {
    match ask(data, &Request::FirmwareStatus).await? {
        Answer::Firmware { nodes, push } => Ok((nodes, push)),
        _ => Err(miette!("the gateway gave another answer than was asked for; are both of one version?")),
    }
}

/// Says each change until the round is over. Success: all of them run it now, or did before.
async fn follow(data: &Path) -> Result<ExitCode> {
    let mut said = Vec::new();
    loop {
        let push = status(data).await?.1.ok_or_else(|| miette!("the gateway has started anew; the push has ended"))?;
        said.resize(push.nodes.len(), String::new());
        for (node, said) in push.nodes.iter().zip(&mut said) {
            let now = words(&node.stage, push.length);
            if *said != now {
                crate::say!("{}\t{now}", node.device);
                *said = now;
            }
        }
        if push.over {
            let good = |stage: &Stage| matches!(stage, Stage::Confirmed) || *stage == Stage::Refused("not_newer".to_owned());
            return Ok(if push.nodes.iter().all(|n| good(&n.stage)) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn words(stage: &Stage, length: u32) -> String {
    match stage {
        Stage::Waiting => "waits for its turn".to_owned(),
        Stage::Offered => "asked".to_owned(),
        // In tenths, so that a slow line does not fill the screen.
        Stage::Sending(done) => format!("{} %", u64::from(*done) * 10 / u64::from(length.max(1)) * 10),
        Stage::Restarting => "restarts".to_owned(),
        Stage::Confirmed => "runs it".to_owned(),
        Stage::Refused(reason) => format!("refused: {reason}"),
        Stage::RolledBack => "rolled back to what ran before".to_owned(),
        Stage::Silent => "does not answer".to_owned(),
        Stage::Left => "left as it is".to_owned(),
    }
}
