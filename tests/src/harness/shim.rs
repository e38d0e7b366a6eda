//! A slow disk and a jumping clock for one gateway: a few lines of C, preloaded.
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub struct Shim {
    library: PathBuf,
    control: PathBuf,
}

impl Shim {
    pub fn build(dir: &Path) -> Shim {
        let (source, library, control) = (dir.join("shim.c"), dir.join("shim.so"), dir.join("shim.ctl"));
        std::fs::write(&source, include_str!("shim.c")).expect("shim.c");
        let status = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status().expect("a C compiler");
        assert!(status.success(), "the shim does not compile");
        std::fs::write(&control, [0u8; 16]).expect("shim.ctl");
        Shim { library, control }
    }
    /// What the gateway's environment must hold.
    pub fn environment(&self) -> Vec<(String, String)> {
        vec![("LD_PRELOAD".into(), self.library.display().to_string()), ("FAULT_SHIM".into(), self.control.display().to_string())]
    }
    /// Every fsync takes that much longer.
    pub fn slow_disk(&self, delay: Duration) {
        self.set(0, delay.as_micros() as i64);
    }
    /// The wall clock is that far ahead (or behind).
    pub fn clock_ahead(&self, ms: i64) {
        self.set(8, ms);
    }
    fn set(&self, at: u64, value: i64) {
        let mut f = std::fs::OpenOptions::new().write(true).open(&self.control).expect("shim.ctl");
        f.seek(SeekFrom::Start(at)).and_then(|_| f.write_all(&value.to_le_bytes())).expect("shim.ctl");
    }
}
