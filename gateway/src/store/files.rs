//! The data directory: the lock that keeps two gateways apart, and the reserve that keeps room for alarms on a full disk.
use super::StoreError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Name of the SQLite file in the data directory.
pub const LOG_FILE: &str = "log.db";
const CLEAN: &[u8] = b"clean\n";
const RUNNING: &[u8] = b"running\n";
/// A smaller reserve holds no alarm worth the trouble.
const SMALLEST_RESERVE: u64 = 128 << 10;

/// Creates the directory if need be.
pub fn create(dir: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(dir).map_err(|e| io(dir, "creating", &e))
}

fn io(path: &Path, operation: &'static str, e: &std::io::Error) -> StoreError {
    let (path, detail) = (path.to_owned(), e.to_string());
    match e.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path, detail },
        std::io::ErrorKind::StorageFull => StoreError::Full { path },
        _ => StoreError::Io { path, operation, detail },
    }
}

/// Held while a gateway runs on the directory. The kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// The last run did not end in good order: the file is worth a check.
    pub unclean: bool,
}

impl Lock {
    pub fn take(dir: &Path) -> Result<Lock, StoreError> {
        let path = dir.join("lock");
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(|e| io(&path, "opening", &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: dir.to_owned() }),
            Err(TryLockError::Error(e)) => return Err(io(&path, "locking", &e)),
        }
        let mut before = Vec::new();
        file.read_to_end(&mut before).map_err(|e| io(&path, "reading", &e))?;
        let mut lock = Lock { unclean: !before.is_empty() && before != CLEAN, file };
        lock.write(RUNNING);
        Ok(lock)
    }
    /// The log was closed in good order.
    pub fn mark_clean(&mut self) {
        self.write(CLEAN);
    }
    /// A mark that cannot be written (full disk) only costs the next start a check that was not needed, or saves one.
    fn write(&mut self, mark: &[u8]) {
        let written = self.file.rewind().and_then(|()| self.file.write_all(mark)).and_then(|()| self.file.set_len(mark.len() as u64));
        if let Err(e) = written.and_then(|()| self.file.sync_data()) {
            tracing::warn!("the lock file cannot be written: {e}");
        }
    }
}

/// Whether a gateway runs on the directory at this moment.
pub fn in_use(dir: &Path) -> bool {
    File::open(dir.join("lock")).is_ok_and(|f| matches!(f.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// A file of real blocks, given up when an alarm finds the disk full, taken again when there is room.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    wanted: u64,
}

impl Reserve {
    /// `mebibytes` 0 keeps none.
    pub fn new(dir: &Path, mebibytes: u32) -> Reserve {
        Reserve { path: dir.join("reserve"), wanted: u64::from(mebibytes) << 20 }
    }
    /// Bytes held now.
    pub fn held(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |m| m.len())
    }
    pub fn is_whole(&self) -> bool {
        self.held() >= self.wanted
    }
    /// Gives the blocks back to the file system; true when there were any.
    pub fn release(&self) -> bool {
        self.held() > 0 && fs::remove_file(&self.path).is_ok()
    }
    /// Takes as much of the wanted size as there is room for.
    pub fn restore(&self) {
        let mut size = self.wanted;
        while size >= SMALLEST_RESERVE && size > self.held() {
            match self.allocate(size) {
                Ok(()) => return,
                Err(e) => tracing::debug!("no room for a reserve of {size} bytes: {e}"),
            }
            size /= 2;
        }
        if self.wanted == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }
    fn allocate(&self, size: u64) -> std::io::Result<()> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
        let before = file.metadata()?.len();
        let allocated = match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size) {
            // A file system without preallocation: write the blocks.
            Err(rustix::io::Errno::OPNOTSUPP) => fill(&file, size),
            other => other.map_err(std::io::Error::from),
        };
        if allocated.is_err() {
            // Keep what was held before, give back what was half taken.
            file.set_len(before)?;
        }
        allocated
    }
}

fn fill(mut file: &File, size: u64) -> std::io::Result<()> {
    // Not zeros: a compressing file system would keep no room for them.
    let block: Vec<u8> = (0..64 << 10).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut left = size;
    while left > 0 {
        let n = left.min(block.len() as u64) as usize;
        file.write_all(block.get(..n).unwrap_or(&block))?;
        left -= n as u64;
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_gateways_do_not_share_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        assert!(!first.unclean);
        assert!(matches!(Lock::take(dir.path()), Err(StoreError::Locked { .. })));
        drop(first);
        let mut second = Lock::take(dir.path()).unwrap();
        assert!(second.unclean, "the first never said that it ended in good order");
        second.mark_clean();
        drop(second);
        assert!(!Lock::take(dir.path()).unwrap().unclean);
    }

    #[test]
    fn the_reserve_is_real_blocks_and_comes_back() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::new(dir.path(), 1);
        reserve.restore();
        assert!(reserve.is_whole());
        assert!(fs::metadata(dir.path().join("reserve")).unwrap().blocks() * 512 >= 1 << 20);
        assert!(reserve.release());
        assert_eq!(reserve.held(), 0);
        assert!(!reserve.release());
        reserve.restore();
        assert!(reserve.is_whole());
        Reserve::new(dir.path(), 0).restore();
        assert_eq!(reserve.held(), 0, "a reserve of 0 gives up an earlier one");
    }
}
