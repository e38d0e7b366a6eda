//! What this program does between fork and exec on ffmpeg's behalf: `tuoan camera-bridge decoder --parent PID -- ffmpeg ...`.
//!
//! A decoder reads what a stranger may send and is written in C. So it gets no more than it needs: it dies with whoever started it, gains no
//! privileges, dumps no core (which would hold the camera's password), opens few files, has bounded memory, and yields to the rest of the box.
use rustix::process::{Resource, Rlimit, Signal};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Files and sockets that ffmpeg may have open.
const FILES: u64 = 64;
/// How much it yields, 0 to 19.
const NICE: i32 = 10;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Process without which there is nothing to do.
    #[arg(long)]
    parent: i32,
    /// Most MiB of memory of its own.
    #[arg(long)]
    memory: Option<u64>,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Becomes the command; returns only when that fails.
pub fn exec(args: &Args) -> ExitCode {
    let fail = |what: &str, e: &dyn std::fmt::Display| {
        eprintln!("[fatal] {what}: {e}");
        ExitCode::from(127)
    };
    if let Err(e) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return fail("cannot be bound to its parent", &e);
    }
    // It may have gone before the line above.
    if rustix::process::getppid().map(|p| p.as_raw_nonzero().get()) != Some(args.parent) {
        return fail("not started", &"its parent is gone");
    }
    if let Err(e) = rustix::thread::set_no_new_privs(true) {
        return fail("cannot give up privileges", &e);
    }
    let limits = [(Resource::Core, Some(0)), (Resource::Nofile, Some(FILES)), (Resource::Data, args.memory.map(|m| m << 20))];
    for (resource, most) in limits {
        if let Some(most) = most
            && let Err(e) = rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
        {
            return fail("cannot be limited", &e);
        }
    }
    // Not worth failing for.
    let _ = rustix::process::setpriority_process(None, NICE);
    let Some((program, arguments)) = args.command.split_first() else { return ExitCode::from(127) };
    let e = Command::new(program).args(arguments).exec();
    fail(&program.to_string_lossy(), &e)
}
