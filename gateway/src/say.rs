//! Standard output of the commands. Who reads it may have seen enough (`tuoan quarantine list | head`): that is no error. Anything else that keeps a line from
//! being written, a full disk say, is: it is said once, and the exit code tells.
use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// As `println!`, which panics when nobody reads any more.
#[macro_export]
macro_rules! say {
    ($($what:tt)*) => { $crate::say::line(format_args!($($what)*)) };
}

static LOST: AtomicBool = AtomicBool::new(false);

/// Something could not be written, for another reason than that nobody reads any more.
pub fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Writes one line: see [`say!`].
pub fn line(what: Arguments<'_>) {
    if let Err(e) = write(&mut std::io::stdout().lock(), what)
        && !LOST.swap(true, Ordering::Relaxed)
    {
        eprintln!("standard output: {e}");
    }
}

fn write(out: &mut impl Write, what: Arguments<'_>) -> std::io::Result<()> {
    match writeln!(out, "{what}") {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_reading_is_no_error_and_a_full_disk_is() {
        let mut out = Vec::new();
        write(&mut out, format_args!("{} of {}", 1, 2)).unwrap();
        assert_eq!(out, b"1 of 2\n");
        assert!(write(&mut Broken(ErrorKind::BrokenPipe), format_args!("x")).is_ok());
        assert_eq!(write(&mut Broken(ErrorKind::StorageFull), format_args!("x")).unwrap_err().kind(), ErrorKind::StorageFull);
    }
}
