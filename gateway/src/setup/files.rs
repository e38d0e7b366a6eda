//! The site file and the configuration that set-up keeps in the data folder. Both are plain TOML that a person may edit as well.
use crate::engine::site::Site;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub const CONFIG: &str = "tuoan.toml";
pub const SITE: &str = "site.toml";
/// Longest site file that is taken in, in bytes: a page's form holds no more.
pub const LONGEST: usize = 48 << 10;

/// Where a running gateway's files are; a page may change them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub config: PathBuf,
    pub site: PathBuf,
}

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// All that is wrong, in words that say how to mend it.
    #[error("{}", .0.join("\n"))]
    Problems(Vec<String>),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// Where the gateway's folder is when nobody says: the system's for root, else the user's (`$XDG_DATA_HOME/tuoan`, `~/.local/share/tuoan`).
pub fn default_data() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/tuoan");
    }
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    match (folder("XDG_DATA_HOME"), folder("HOME")) {
        (Some(data), _) => data.join("tuoan"),
        (None, Some(home)) => home.join(".local/share/tuoan"),
        (None, None) => PathBuf::from("tuoan-data"),
    }
}

/// All that is wrong with a site, as the configuration judges it.
pub fn problems(site: &Site) -> Vec<String> {
    let mut found = site.problems();
    found.extend(crate::deliver::sounders::problems(site));
    found
}

/// Reads a site from TOML.
///
/// # Errors
/// What is wrong, with its line.
pub fn parse(text: &str) -> Result<Site, Vec<String>> {
    if text.len() > LONGEST {
        return Err(vec![format!("the file is longer than {} KiB; a site of 60 devices needs 10", LONGEST >> 10)]);
    }
    let site: Site = toml::from_str(text).map_err(|e| {
        let line = e.span().and_then(|s| text.get(..s.start)).map_or(1, |t| t.bytes().filter(|b| *b == b'\n').count() + 1);
        vec![format!("line {line}: {}", e.message())]
    })?;
    let found = problems(&site);
    if found.is_empty() { Ok(site) } else { Err(found) }
}

/// The site as a file.
pub fn text(site: &Site) -> Result<String, NotWritten> {
    let body = toml::to_string(site).map_err(|e| NotWritten::Problems(vec![format!("the site cannot be written as TOML: {e}")]))?;
    Ok(format!(
        "# What this institution is, and where its devices hang: docs/site.md. Written by the pages of set-up; it may be edited by hand.\n{body}"
    ))
}

impl Files {
    pub fn in_folder(data: &Path) -> Files {
        Files { config: data.join(CONFIG), site: data.join(SITE) }
    }
    /// The site as its file has it at present, which a restart of the parts takes over.
    pub fn read(&self) -> Result<Site, Vec<String>> {
        let text = std::fs::read_to_string(&self.site).map_err(|e| vec![format!("{}: {e}", self.site.display())])?;
        parse(&text)
    }
    /// Replaces the site file, if the site is sound.
    ///
    /// # Errors
    /// It has problems, or the disk does not take it; the old file is there, whole.
    pub fn write(&self, site: &Site) -> Result<(), NotWritten> {
        let found = problems(site);
        if !found.is_empty() {
            return Err(NotWritten::Problems(found));
        }
        let text = text(site)?;
        // What is written must be what a start will read.
        parse(&text).map_err(NotWritten::Problems)?;
        replace(&self.site, &text)
    }
    /// Writes the configuration of a fresh box, unless there is one.
    pub fn write_config(&self, listen: SocketAddr, broker: SocketAddr) -> Result<(), NotWritten> {
        if self.config.exists() {
            return Ok(());
        }
        let text = format!(
            "# The gateway's configuration: README.md. The first page has written it; it may be edited by hand.\n\
             site = \"{SITE}\"\ndata = \".\"\n\n[web]\nlisten = \"{listen}\"\n\n[broker]\nlisten = \"{broker}\"\n"
        );
        replace(&self.config, &text)
    }
    /// Gives a device a credential of its own at the embedded broker: the password, which is shown once. One that it had before ends.
    ///
    /// # Errors
    /// The configuration names an outside broker, cannot be read, or the disk does not take it.
    pub fn enrol(&self, name: &str, topics: &[String]) -> Result<String, NotWritten> {
        let io = |source| NotWritten::Io { path: self.config.clone(), source };
        let text = std::fs::read_to_string(&self.config).map_err(io)?;
        let wrong = |text: String| NotWritten::Problems(vec![text]);
        let mut table: toml::Table = toml::from_str(&text).map_err(|e| wrong(format!("{}: {}", self.config.display(), e.message())))?;
        let Some(toml::Value::Table(broker)) = table.get_mut("broker") else {
            return Err(wrong("devices have their credentials at the broker outside, which [client] names".to_owned()));
        };
        let users = broker.entry("user").or_insert_with(|| toml::Value::Array(Vec::new()));
        let toml::Value::Array(users) = users else { return Err(wrong("[[broker.user]] is no list".to_owned())) };
        users.retain(|u| u.get("name").and_then(toml::Value::as_str) != Some(name));
        let password = hex::encode(rand::random::<[u8; 16]>());
        let list = |items: Vec<String>| toml::Value::Array(items.into_iter().map(toml::Value::String).collect());
        let mut user = toml::Table::new();
        user.insert("name".into(), name.into());
        user.insert("password_sha256".into(), hex::encode(Sha256::digest(password.as_bytes())).into());
        if topics.is_empty() {
            user.insert("devices".into(), list(vec![name.to_owned()]));
        } else {
            user.insert("publish".into(), list(topics.to_vec()));
            user.insert("subscribe".into(), list(topics.to_vec()));
        }
        users.push(toml::Value::Table(user));
        let head = "# The gateway's configuration: README.md. The pages of set-up write it; it may be edited by hand.\n";
        let body = toml::to_string(&table).map_err(|e| wrong(e.to_string()))?;
        replace(&self.config, &format!("{head}{body}"))?;
        Ok(password)
    }
}

/// Whole or not at all, readable by its owner only.
fn replace(path: &Path, text: &str) -> Result<(), NotWritten> {
    let write = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let draft = path.with_extension("toml.new");
        let _ = std::fs::remove_file(&draft);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(|source| NotWritten::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing;

    #[test]
    fn a_site_goes_to_the_file_and_back_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::in_folder(dir.path());
        let site = testing::site();
        files.write(&site).unwrap();
        assert_eq!(files.read().unwrap(), site);
        let demo = parse(include_str!("../../demo-data/site.toml")).unwrap();
        files.write(&demo).unwrap();
        assert_eq!(files.read().unwrap(), demo, "cameras, calendar and people as well");
    }

    #[test]
    fn a_site_with_problems_is_not_written_and_the_old_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::in_folder(dir.path());
        let site = testing::site();
        files.write(&site).unwrap();
        let mut bad = site.clone();
        bad.zones.clear();
        assert!(matches!(files.write(&bad), Err(NotWritten::Problems(p)) if p.len() > 1));
        assert_eq!(files.read().unwrap(), site);
        assert!(parse("id = 1").unwrap_err()[0].starts_with("line 1:"));
        assert!(parse(&"#".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn a_fresh_box_s_configuration_loads_and_devices_are_enrolled_into_it() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::in_folder(dir.path());
        files.write(&testing::site()).unwrap();
        files.write_config("127.0.0.1:8080".parse().unwrap(), "127.0.0.1:1883".parse().unwrap()).unwrap();
        let password = files.enrol("env-1", &[]).unwrap();
        files.enrol("bridge", &["zigbee2mqtt/#".into()]).unwrap();
        let again = files.enrol("env-1", &[]).unwrap();
        assert_ne!(password, again);
        let config = crate::config::load(&files.config, None).unwrap();
        let crate::config::Ingest::Embedded(broker) = &config.ingest else { unreachable!() };
        assert_eq!(broker.users.len(), 2, "the first credential of env-1 has ended");
        assert!(broker.users.iter().any(|u| u.name == "env-1" && u.password_sha256[..] == Sha256::digest(again.as_bytes())[..]));
        assert!(!std::fs::read_to_string(&files.config).unwrap().contains(&again), "the password itself is not kept");
        assert_eq!(config.files, Some(files));
    }
}
