//! The minute before and the minute after an incident, sealed on disk: originals for whoever must find out what happened.
//!
//! A folder for each incident: numbered sealed files of one camera each ([`super::seal`]), and a sealed manifest that lists them with their hashes, so
//! that a file that was taken away or exchanged is missed. A file is written whole or not at all, then the manifest that names it: after a power cut
//! the manifest is that of before or of after.
//!
//! What must hold: nothing here is waited for by an alarm; the disk's budget is kept; nothing is deleted, held or opened that is not in the log
//! ([`Logged`]); whatever does not open is named.
use super::access::{Lease, Leases, Logged};
use super::ring::{BEFORE_MS, Original, Ring};
use super::seal::{Head, Key, Record, write_whole};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tuoan_protocol::{DeviceId, IncidentId};

/// How long after its beginning pictures of an incident are kept.
pub const AFTER_MS: i64 = 60_000;
/// Frames that were under way at the end are waited for.
const LAST_CALL_MS: i64 = 3_000;
/// One sealed file holds about so many bytes: it is sealed and opened in memory.
const FILE: usize = 8 << 20;
const MANIFEST: &str = "index.sealed";

/// Where evidence is kept, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub folder: PathBuf,
    /// The key's file; another medium than the folder's is better.
    pub key: PathBuf,
    /// Bytes on disk.
    pub budget: u64,
    /// Milliseconds after which what nobody holds is deleted.
    pub keep_ms: i64,
    /// Bytes that stay free on the disk: the log comes first.
    pub spare: u64,
}

/// What is kept of one incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub incident: String,
    pub zone: String,
    /// UTC milliseconds.
    pub opened_at: i64,
    pub until: i64,
    pub cameras: Vec<String>,
    /// Kept until somebody releases it, whatever its age.
    pub held: bool,
    /// The gateway was stopped in between: pictures are missing.
    pub cut_short: bool,
    pub complete: bool,
    pub files: Vec<SealedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedFile {
    pub number: u32,
    pub camera: String,
    /// When each picture came.
    pub times: Vec<i64>,
    pub bytes: u64,
    pub sha256: String,
}

/// An incident's folder.
#[derive(Debug)]
struct Folder {
    manifest: Manifest,
    /// On disk.
    bytes: u64,
    /// By camera: sealed up to there. Only while it is being collected.
    sealed_to: BTreeMap<DeviceId, i64>,
    /// The manifest does not open: what is wrong.
    damaged: Option<String>,
}

/// An original in clear. Only this module makes one, for who has leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    jpeg: Vec<u8>,
    pub received_at_ms: i64,
}

impl Opened {
    pub fn into_bytes(self) -> Vec<u8> {
        self.jpeg
    }
}

/// Why evidence is not kept.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    #[error(
        "the evidence of {incident} does not fit: {used} of {budget} bytes are used and none of it may be deleted yet; raise [pictures] evidence_mb, or release what is held"
    )]
    Full { incident: String, used: u64, budget: u64 },
    #[error("the evidence of {incident} is not written: the disk has only {free} bytes left, which the log needs; make room on it")]
    NoSpare { incident: String, free: u64 },
    #[error("{path}: {source}; check that the folder exists, can be written and has room")]
    Io { path: PathBuf, source: io::Error },
    #[error("the evidence of {incident} cannot be sealed: {source}")]
    Seal { incident: String, source: super::seal::SealError },
}

/// Why an original is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    #[error("nobody has given leave to see it, or it is over")]
    NotAllowed,
    #[error("there is no such picture")]
    NotThere,
    /// It was altered, exchanged or taken away; the text says what.
    #[error("{0}")]
    Damaged(String),
}

/// Why evidence is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its time is over.
    Age,
    /// Its room is needed by newer evidence.
    Room,
}

impl Why {
    /// For the log.
    pub fn text(self) -> &'static str {
        match self {
            Why::Age => "retention over",
            Why::Room => "room needed for newer evidence",
        }
    }
}

/// Since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Pictures sealed.
    pub sealed: AtomicU64,
    /// Attempts to write that failed.
    pub failed: AtomicU64,
    /// Incidents whose pictures were deleted.
    pub deleted: AtomicU64,
}

/// All evidence of this gateway.
#[derive(Debug)]
pub struct Evidence {
    settings: Settings,
    key: Key,
    folders: Mutex<BTreeMap<String, Folder>>,
    leases: Mutex<Leases<IncidentId>>,
    pub counts: Counts,
}

impl Evidence {
    /// Opens the folder, making it and the key if need be. Evidence that a stop has cut short is marked so.
    ///
    /// # Errors
    /// The folder or the key cannot be used; the text says what to do.
    pub fn open(settings: Settings, now: i64) -> io::Result<Evidence> {
        private_folder(&settings.folder)?;
        let key = Key::open(&settings.key)?;
        let mut folders = BTreeMap::new();
        for entry in fs::read_dir(&settings.folder)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !is_incident(&name) || !entry.path().is_dir() {
                continue;
            }
            let mut folder = read_folder(&key, &entry.path(), &name);
            if !folder.manifest.complete {
                folder.manifest.cut_short = true;
                folder.manifest.complete = folder.manifest.until < now;
                for f in &folder.manifest.files {
                    if let (Ok(camera), Some(last)) = (DeviceId::new(&f.camera), f.times.last()) {
                        let to = folder.sealed_to.entry(camera).or_insert(*last);
                        *to = (*to).max(*last);
                    }
                }
            }
            if let Some(why) = &folder.damaged {
                tracing::error!("the evidence of incident {name} has been damaged: {why}");
            }
            folders.insert(name, folder);
        }
        Ok(Evidence { settings, key, folders: Mutex::new(folders), leases: Mutex::default(), counts: Counts::default() })
    }

    /// Pictures of these cameras are to be kept around an incident. Said again for the same incident, it does nothing.
    pub fn begin(&self, incident: &IncidentId, zone: &str, cameras: Vec<DeviceId>, opened_at: i64, held: bool) {
        if !is_incident(incident.as_str()) || cameras.is_empty() {
            return;
        }
        let manifest = Manifest {
            incident: incident.as_str().to_owned(),
            zone: zone.to_owned(),
            opened_at,
            until: opened_at.saturating_add(AFTER_MS),
            cameras: cameras.iter().map(|c| c.as_str().to_owned()).collect(),
            held,
            cut_short: false,
            complete: false,
            files: Vec::new(),
        };
        let from = opened_at.saturating_sub(BEFORE_MS).saturating_sub(1);
        let sealed_to = cameras.into_iter().map(|c| (c, from)).collect();
        let fresh = Folder { manifest, bytes: 0, sealed_to, damaged: None };
        self.lock().entry(incident.as_str().to_owned()).or_insert(fresh);
    }

    /// Seals what the ring has of the incidents that are being collected. Call it every few seconds, where it may block.
    ///
    /// # Errors
    /// The first thing that could not be written. It is counted, and tried again with the next call for as long as the ring has it.
    pub fn collect(&self, now: i64, ring: &Ring) -> Result<(), EvidenceError> {
        let mut folders = self.lock();
        let mut used: u64 = folders.values().map(|f| f.bytes).sum();
        let mut first = Ok(());
        for folder in folders.values_mut().filter(|f| !f.manifest.complete) {
            let before = folder.bytes;
            if let Err(e) = self.collect_one(folder, now, ring, used) {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                first = first.and(Err(e));
            }
            used = used.saturating_add(folder.bytes.saturating_sub(before));
        }
        first
    }

    fn collect_one(&self, folder: &mut Folder, now: i64, ring: &Ring, mut used: u64) -> Result<(), EvidenceError> {
        let until = folder.manifest.until;
        let over = now > until.saturating_add(LAST_CALL_MS);
        let cameras: Vec<DeviceId> = folder.manifest.cameras.iter().filter_map(|c| DeviceId::new(c).ok()).collect();
        let mut failed = Ok(());
        for camera in cameras {
            let from = folder.sealed_to.get(&camera).copied().unwrap_or(folder.manifest.opened_at.saturating_sub(BEFORE_MS + 1));
            let originals = ring.between(&camera, from, until);
            for part in parts(&originals) {
                match self.seal(folder, &camera, part, used) {
                    Ok(bytes) => used = used.saturating_add(bytes),
                    // The next camera's may be smaller; what is not sealed now is asked for again.
                    Err(e) => {
                        failed = failed.and(Err(e));
                        break;
                    }
                }
            }
        }
        if over {
            folder.manifest.complete = true;
            folder.manifest.cut_short |= failed.is_err();
            self.write_manifest(folder)?;
            folder.sealed_to.clear();
        }
        failed
    }

    /// One file of one camera, and the manifest with it; the bytes it takes.
    fn seal(&self, folder: &mut Folder, camera: &DeviceId, originals: &[Original], used: u64) -> Result<u64, EvidenceError> {
        let incident = folder.manifest.incident.clone();
        let number = folder.manifest.files.iter().map(|f| f.number).max().unwrap_or(0).saturating_add(1);
        let records: Vec<Record> = originals.iter().map(|o| Record { at: o.received_at_ms, bytes: o.jpeg.to_vec() }).collect();
        let head = Head {
            incident: incident.clone(),
            camera: camera.as_str().to_owned(),
            number,
            records: u32::try_from(records.len()).unwrap_or(u32::MAX),
        };
        let sealed = self.key.seal(&head, &records).map_err(|source| EvidenceError::Seal { incident: incident.clone(), source })?;
        let bytes = sealed.len() as u64;
        if used.saturating_add(bytes) > self.settings.budget {
            return Err(EvidenceError::Full { incident, used, budget: self.settings.budget });
        }
        let free = rustix::fs::statvfs(&self.settings.folder).map_or(u64::MAX, |d| d.f_bavail.saturating_mul(d.f_frsize));
        if free < self.settings.spare.saturating_add(bytes) {
            return Err(EvidenceError::NoSpare { incident, free });
        }
        let dir = self.settings.folder.join(&incident);
        private_folder(&dir).map_err(|source| EvidenceError::Io { path: dir.clone(), source })?;
        let path = dir.join(file_name(number));
        write_whole(&path, &sealed).map_err(|source| EvidenceError::Io { path, source })?;
        folder.manifest.files.push(SealedFile {
            number,
            camera: camera.as_str().to_owned(),
            times: originals.iter().map(|o| o.received_at_ms).collect(),
            bytes,
            sha256: hex::encode(Sha256::digest(&sealed)),
        });
        folder.bytes = folder.bytes.saturating_add(bytes);
        if let Some(last) = originals.last() {
            folder.sealed_to.insert(camera.clone(), last.received_at_ms);
        }
        self.counts.sealed.fetch_add(originals.len() as u64, Ordering::Relaxed);
        self.write_manifest(folder)?;
        Ok(bytes)
    }

    fn write_manifest(&self, folder: &Folder) -> Result<(), EvidenceError> {
        let m = &folder.manifest;
        let dir = self.settings.folder.join(&m.incident);
        let path = dir.join(MANIFEST);
        let failed = |source| EvidenceError::Io { path: path.clone(), source };
        private_folder(&dir).map_err(failed)?;
        let text = serde_json::to_vec(m).map_err(|e| failed(e.into()))?;
        let head = Head { incident: m.incident.clone(), camera: String::new(), number: 0, records: 1 };
        let sealed = self
            .key
            .seal(&head, &[Record { at: m.opened_at, bytes: text }])
            .map_err(|source| EvidenceError::Seal { incident: m.incident.clone(), source })?;
        write_whole(&path, &sealed).map_err(failed)
    }

    /// What has to be deleted now. By age only with a clock that is `trusted`: one that jumps ahead must not delete everything.
    pub fn due(&self, now: i64, trusted: bool, coming: u64) -> Vec<(IncidentId, Why)> {
        let folders = self.lock();
        let mut all: Vec<(&String, &Folder)> = folders.iter().filter(|(_, f)| f.manifest.complete && !f.manifest.held).collect();
        all.sort_by_key(|(name, f)| (f.manifest.opened_at, name.as_str()));
        let mut used: u64 = folders.values().map(|f| f.bytes).sum();
        let mut out = Vec::new();
        for (name, f) in all {
            let Ok(incident) = IncidentId::new(name) else { continue };
            let old = trusted && now.saturating_sub(f.manifest.opened_at) > self.settings.keep_ms;
            let crowded = used.saturating_add(coming) > self.settings.budget;
            if old || crowded {
                used = used.saturating_sub(f.bytes);
                out.push((incident, if old { Why::Age } else { Why::Room }));
            }
        }
        out
    }

    /// Deletes what an entry of the log says is deleted.
    ///
    /// # Errors
    /// The folder cannot be removed; it is tried again.
    pub fn delete(&self, incident: &IncidentId, _: Logged) -> io::Result<()> {
        let mut folders = self.lock();
        if !folders.contains_key(incident.as_str()) {
            return Ok(());
        }
        match fs::remove_dir_all(self.settings.folder.join(incident.as_str())) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        folders.remove(incident.as_str());
        self.counts.deleted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Keeps it until it is released, or releases it.
    ///
    /// # Errors
    /// The manifest cannot be written.
    pub fn hold(&self, incident: &IncidentId, held: bool, _: Logged) -> Result<(), EvidenceError> {
        let mut folders = self.lock();
        let Some(folder) = folders.get_mut(incident.as_str()).filter(|f| f.damaged.is_none()) else { return Ok(()) };
        let before = std::mem::replace(&mut folder.manifest.held, held);
        self.write_manifest(folder).inspect_err(|_| folder.manifest.held = before)
    }

    /// What is kept of an incident, or what is wrong with it. `None`: nothing is.
    pub fn kept(&self, incident: &IncidentId) -> Option<Result<Manifest, String>> {
        let folders = self.lock();
        let folder = folders.get(incident.as_str())?;
        Some(match &folder.damaged {
            Some(why) => Err(why.clone()),
            None => Ok(folder.manifest.clone()),
        })
    }

    /// Bytes on disk, and incidents.
    pub fn used(&self) -> (u64, usize) {
        let folders = self.lock();
        (folders.values().map(|f| f.bytes).sum(), folders.len())
    }

    /// Gives leave to see an incident's originals, which is on record.
    pub fn allow(&self, incident: &IncidentId, monotonic_ms: i64, lease: Lease) {
        self.leases().allow(incident, monotonic_ms, lease);
    }
    /// The session's leave, while it lasts.
    pub fn lease(&self, incident: &IncidentId, monotonic_ms: i64, session: &str) -> Option<Lease> {
        self.leases().of(incident, monotonic_ms, session).cloned()
    }
    /// Takes it back.
    pub fn end(&self, incident: &IncidentId, monotonic_ms: i64, session: &str) -> Option<Lease> {
        self.leases().end(incident, monotonic_ms, session)
    }

    /// One original, for a session that has leave. `picture` counts within its file from 0. Blocks on the disk.
    ///
    /// # Errors
    /// No leave, no such picture, or its seal is broken.
    pub fn original(&self, incident: &IncidentId, monotonic_ms: i64, session: &str, file: u32, picture: u32) -> Result<Opened, NotOpened> {
        self.lease(incident, monotonic_ms, session).ok_or(NotOpened::NotAllowed)?;
        let manifest = match self.kept(incident).ok_or(NotOpened::NotThere)? {
            Ok(manifest) => manifest,
            Err(why) => return Err(NotOpened::Damaged(why)),
        };
        let listed = manifest.files.iter().find(|f| f.number == file).ok_or(NotOpened::NotThere)?;
        if picture as usize >= listed.times.len() {
            return Err(NotOpened::NotThere);
        }
        let name = file_name(file);
        let damaged = |what: String| NotOpened::Damaged(format!("{}/{name}: {what}", incident.as_str()));
        let bytes = fs::read(self.settings.folder.join(incident.as_str()).join(&name)).map_err(|e| damaged(e.to_string()))?;
        let record = self.key.open_record(&bytes, picture).map_err(|e| damaged(e.to_string()))?;
        if hex::encode(Sha256::digest(&bytes)) != listed.sha256 {
            return Err(damaged("it is not the file that the manifest lists".to_owned()));
        }
        Ok(Opened { jpeg: record.bytes, received_at_ms: record.at })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Folder>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn leases(&self) -> MutexGuard<'_, Leases<IncidentId>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only such a name becomes a folder's.
fn is_incident(name: &str) -> bool {
    name.len() == IncidentId::MAX && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn file_name(number: u32) -> String {
    format!("{number:06}.sealed")
}

fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(named)
}

/// As many pictures as make up a file.
fn parts(originals: &[Original]) -> Vec<&[Original]> {
    let mut out = Vec::new();
    let (mut from, mut bytes) = (0, 0usize);
    for (n, o) in originals.iter().enumerate() {
        bytes = bytes.saturating_add(o.jpeg.len());
        if bytes >= FILE || n + 1 == originals.len() {
            out.extend(originals.get(from..=n));
            (from, bytes) = (n + 1, 0);
        }
    }
    out
}

/// A folder as it is found at the start.
fn read_folder(key: &Key, path: &Path, name: &str) -> Folder {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let bytes = entries.filter(|e| e.file_name() != MANIFEST).filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum();
    let read = || -> Result<Manifest, String> {
        let file = fs::read(path.join(MANIFEST)).map_err(|e| format!("its manifest cannot be read: {e}"))?;
        let record = key.open_record(&file, 0).map_err(|e| format!("its manifest: {e}"))?;
        let manifest: Manifest = serde_json::from_slice(&record.bytes).map_err(|e| format!("its manifest: {e}"))?;
        if manifest.incident == name { Ok(manifest) } else { Err(format!("its manifest is that of {}", manifest.incident)) }
    };
    let sealed_to = BTreeMap::new();
    match read() {
        Ok(manifest) => Folder { manifest, bytes, sealed_to, damaged: None },
        // Held, so that what was tampered with is not cleared away by age.
        Err(why) => {
            let manifest = Manifest {
                incident: name.to_owned(),
                zone: String::new(),
                opened_at: 0,
                until: 0,
                cameras: Vec::new(),
                held: true,
                cut_short: false,
                complete: true,
                files: Vec::new(),
            };
            Folder { manifest, bytes, sealed_to, damaged: Some(why) }
        }
    }
}

#[cfg(test)]
mod tests;
