//! Where password and sessions are kept.
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What survives a restart. Secrets appear only as hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Keys {
    /// PHC string (argon2id); `None` until somebody has claimed the server.
    #[serde(default)]
    pub password: Option<String>,
    #[serde(default)]
    pub sessions: Vec<Session>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Session {
    /// Hex of SHA-256 of the cookie's value.
    pub hash: String,
    /// UTC milliseconds.
    pub expires: i64,
    /// Name of who acts in this session, once told.
    #[serde(default)]
    pub actor: Option<String>,
}

/// Keeps [`Keys`]. `save` must be atomic: after a crash the old or the new keys are there, whole.
pub trait Vault: Send + Sync + 'static {
    /// No keys yet is `Ok(Keys::default())`; unreadable keys are an error, never "unclaimed".
    fn load(&self) -> io::Result<Keys>;
    fn save(&self, keys: &Keys) -> io::Result<()>;
}

/// Keys as one small file, readable by its owner only.
#[derive(Debug, Clone)]
pub struct FileVault(PathBuf);

impl FileVault {
    /// `auth.json` in that directory.
    pub fn in_dir(dir: &Path) -> FileVault {
        FileVault(dir.join("auth.json"))
    }
    fn named(&self, e: io::Error) -> io::Error {
        io::Error::new(e.kind(), format!("{}: {e}", self.0.display()))
    }
}

impl Vault for FileVault {
    fn load(&self) -> io::Result<Keys> {
        match std::fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                let text = format!("{} is damaged ({e}); restore it, or delete it to claim the server anew", self.0.display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Keys::default()),
            Err(e) => Err(self.named(e)),
        }
    }
    fn save(&self, keys: &Keys) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(keys)?;
        let write = || -> io::Result<()> {
            use std::io::Write;
            let dir = self.0.parent().unwrap_or(Path::new("."));
            let draft = self.0.with_extension("json.new");
            // A draft left by a crash may be anybody's; the new one must be ours from its first byte.
            let _ = std::fs::remove_file(&draft);
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&draft)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&draft, &self.0)?;
            std::fs::File::open(dir)?.sync_all()
        };
        write().map_err(|e| self.named(e))
    }
}

/// Keys that end with the process: the demo's and the tests'.
#[derive(Debug, Default)]
pub struct MemoryVault(Mutex<Keys>);

impl Vault for MemoryVault {
    fn load(&self) -> io::Result<Keys> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
    fn save(&self, keys: &Keys) -> io::Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = keys.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_and_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let vault = FileVault::in_dir(dir.path());
        assert_eq!(vault.load().unwrap(), Keys::default());
        let keys = Keys { password: Some("x".into()), sessions: vec![Session { hash: "h".into(), expires: 1, actor: None }] };
        vault.save(&keys).unwrap();
        vault.save(&keys).unwrap();
        assert_eq!(vault.load().unwrap(), keys);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(dir.path().join("auth.json")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn damaged_keys_never_open_the_door() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("auth.json"), "{").unwrap();
        assert!(FileVault::in_dir(dir.path()).load().unwrap_err().to_string().contains("damaged"));
    }
}
