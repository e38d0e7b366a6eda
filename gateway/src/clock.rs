//! The only place of this crate that reads a clock (`clippy.toml` enforces it).
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where a part of the gateway gets the time from. Cheap to clone; all clones of a manual clock show the same time.
#[derive(Debug, Clone)]
pub enum Clock {
    System,
    /// The demo's and the tests' clock: stands still until it is set.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A manual clock that shows `utc_ms`.
    pub fn manual(utc_ms: i64) -> Clock {
        Clock::Manual(Arc::new(AtomicI64::new(utc_ms)))
    }
    /// UTC, milliseconds since 1970. May jump in either direction.
    pub fn utc_ms(&self) -> i64 {
        match self {
            Clock::System => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(d) => i64::try_from(d.as_millis()).unwrap_or(i64::MAX),
                Err(e) => -i64::try_from(e.duration().as_millis()).unwrap_or(i64::MAX),
            },
            Clock::Manual(ms) => ms.load(Ordering::Acquire),
        }
    }
    /// Sets a manual clock; a system clock is left alone.
    pub fn set(&self, utc_ms: i64) {
        if let Clock::Manual(ms) = self {
            ms.store(utc_ms, Ordering::Release);
        }
    }
    /// Milliseconds that only ever go forward, from an arbitrary start.
    pub fn monotonic_ms(&self) -> i64 {
        match self {
            Clock::System => i64::try_from(process_start().elapsed().as_millis()).unwrap_or(i64::MAX),
            Clock::Manual(ms) => ms.load(Ordering::Acquire),
        }
    }
    /// Whether UTC can be believed: the kernel says that it is synchronised. A manual clock is always right.
    pub fn trusted(&self) -> bool {
        match self {
            Clock::System => kernel_synchronised() && self.utc_ms() > BUILD_FLOOR_MS,
            Clock::Manual(_) => true,
        }
    }
}

/// No right clock shows a time before this (2026-01-01 UTC).
const BUILD_FLOOR_MS: i64 = 1_767_225_600_000;

/// Real elapsed time, for measuring only; never an input to a decision.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);
impl Stopwatch {
    pub fn start() -> Self {
        Self(Instant::now())
    }
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

fn process_start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// The kernel's own word: timesyncd, chrony and ntpd all clear STA_UNSYNC through `adjtimex`, and timesyncd also leaves a mark.
fn kernel_synchronised() -> bool {
    // `ntp_adjtime` needs a foreign call; the mark files say the same on the systems we ship on. A box without any of them can set
    // `[clock] trust = "always"`.
    ["/run/systemd/timesync/synchronized", "/run/chrony/drift", "/var/lib/ntp/ntp.drift"].iter().any(|p| std::path::Path::new(p).exists())
}
