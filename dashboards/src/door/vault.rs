//! Where accounts and sessions are kept.
use super::role::Role;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What survives a restart. Secrets appear only as hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Keys {
    /// Of versions that knew one password for everybody: it becomes the director's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// Without a director nobody has claimed the server yet.
    #[serde(default)]
    pub accounts: Vec<Account>,
    #[serde(default)]
    pub sessions: Vec<Session>,
    /// Codes of inspectors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<Pass>,
    /// SHA-256 of the recovery code. It is drawn, never chosen, so a slow hash adds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
    /// Of the links to parents' pages, one a class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<ClassLink>,
}

/// Somebody who may come in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Account {
    pub id: String,
    /// As it stands on the tile and in the log; empty: whoever acts is asked for a name.
    #[serde(default)]
    pub name: String,
    pub role: Role,
    /// PHC string (argon2id) of the password or PIN.
    pub secret: String,
    /// A wall tablet's: several people use it, and each deed asks who.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
}

/// Id of the account that claimed the server.
pub const FIRST: &str = "director";

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Session {
    /// Hex of SHA-256 of the cookie's value.
    pub hash: String,
    /// UTC milliseconds.
    pub expires: i64,
    /// Name of who acts in this session, once told.
    #[serde(default)]
    pub actor: Option<String>,
    /// The account, or the inspector's pass, that opened it.
    #[serde(default = "first")]
    pub account: String,
    #[serde(default = "director")]
    pub role: Role,
    /// UTC milliseconds at which it began; 0: before that was kept.
    #[serde(default)]
    pub since: i64,
    /// Where it began.
    #[serde(default)]
    pub address: String,
}

fn first() -> String {
    FIRST.to_owned()
}
fn director() -> Role {
    Role::Director
}

/// Lets an inspector read for a while.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pass {
    pub id: String,
    /// SHA-256 of the code.
    pub hash: String,
    /// Who it is for, and who gave it.
    pub holder: String,
    pub by: String,
    /// What they may look for, in the issuer's words.
    pub purpose: String,
    /// UTC milliseconds.
    pub issued: i64,
    pub expires: i64,
}

/// Opens the page of one class to whoever has the link.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClassLink {
    pub class: String,
    /// SHA-256 of the token in the link.
    pub hash: String,
    pub issued: i64,
}

impl Keys {
    /// What an earlier version has written, as this one keeps it.
    pub fn migrated(mut self) -> Keys {
        if let Some(secret) = self.password.take()
            && !self.accounts.iter().any(|a| a.id == FIRST)
        {
            let shared = false;
            self.accounts.insert(0, Account { id: FIRST.into(), name: String::new(), role: Role::Director, secret, shared });
        }
        self
    }
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|a| a.id == id)
    }
    pub fn has_director(&self) -> bool {
        self.accounts.iter().any(|a| a.role == Role::Director)
    }
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
            Ok(bytes) => serde_json::from_slice(&bytes).map(Keys::migrated).map_err(|e| {
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
        let keys: Keys = serde_json::from_str(
            r#"{"accounts":[{"id":"li","name":"李老师","role":"carer","secret":"x"}],"sessions":[{"hash":"h","expires":1}]}"#,
        )
        .unwrap();
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
    fn the_one_password_of_earlier_versions_becomes_the_director_s() {
        let dir = tempfile::tempdir().unwrap();
        let old = r#"{"password":"$argon2id$old","sessions":[{"hash":"h","expires":9,"actor":"王老师"}]}"#;
        std::fs::write(dir.path().join("auth.json"), old).unwrap();
        let vault = FileVault::in_dir(dir.path());
        let keys = vault.load().unwrap();
        let director = keys.account(FIRST).unwrap();
        assert_eq!((director.role, director.secret.as_str(), director.name.as_str()), (Role::Director, "$argon2id$old", ""));
        assert_eq!((keys.sessions[0].account.as_str(), keys.sessions[0].role), (FIRST, Role::Director), "nobody is signed out");
        vault.save(&keys).unwrap();
        assert!(!std::fs::read_to_string(dir.path().join("auth.json")).unwrap().contains("password"));
        assert_eq!(vault.load().unwrap(), keys);
    }

    #[test]
    fn damaged_keys_never_open_the_door() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("auth.json"), "{").unwrap();
        assert!(FileVault::in_dir(dir.path()).load().unwrap_err().to_string().contains("damaged"));
    }
}
