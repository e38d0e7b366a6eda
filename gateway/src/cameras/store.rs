//! Blurred stills: one picture of each camera for an incident, so that its page shows what the carer saw. Readable without the key, therefore blurred.
//!
//! The names of the files say when, which incident and which camera; there is no list beside them that could disagree. What must hold: nothing but a
//! [`BlurredJpeg`] is written or given out; the budget is kept by letting the oldest incidents' go, never those that a person holds; a deletion is in the log before it
//! is done.
use super::access::Logged;
use super::evidence::Why;
use super::seal::write_whole;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tuoan_protocol::{DeviceId, IncidentId};
use tuoan_vision::blur::BlurredJpeg;

/// A still is asked for so long; after that it would no longer show the incident.
const WANTED_MS: i64 = 30_000;
/// Who asks and who looks read the clock one after the other: only what lies further ahead than this was asked before the clock was set back.
const AHEAD_MS: i64 = 5_000;
/// Stills asked for at once.
const ASKED: usize = 256;

/// Where stills are kept, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub folder: PathBuf,
    /// Bytes on disk; 0 keeps none.
    pub budget: u64,
    /// Milliseconds.
    pub keep_ms: i64,
}

/// A still's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Still {
    /// UTC milliseconds.
    pub at: i64,
    pub incident: IncidentId,
    pub camera: DeviceId,
}

impl Still {
    fn file(&self) -> String {
        format!("{:013}-{}-{}.jpg", self.at.max(0), self.incident, hex::encode(self.camera.as_str()))
    }
    fn of(file: &str) -> Option<Still> {
        let mut parts = file.strip_suffix(".jpg")?.splitn(3, '-');
        let (at, incident, camera) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        let camera = String::from_utf8(hex::decode(camera).ok()?).ok()?;
        Some(Still { at, incident: IncidentId::new(incident).ok()?, camera: DeviceId::new(&camera).ok()? })
    }
}

/// An incident's stills in a folder, oldest first: for who has no [`Stills`] open.
pub fn files_of(folder: &std::path::Path, incident: &IncidentId) -> Vec<(Still, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.filter_map(|e| Some((Still::of(e.file_name().to_str()?)?, e.path())));
    let mut list: Vec<_> = found.filter(|(s, _)| s.incident == *incident).collect();
    list.sort();
    list
}

#[derive(Debug, Default)]
struct State {
    /// On disk, with their sizes.
    kept: BTreeMap<Still, u64>,
    /// By camera: for which incidents one is asked for, and until when.
    asked: BTreeMap<DeviceId, Vec<(IncidentId, i64)>>,
}

/// All stills of this gateway.
#[derive(Debug)]
pub struct Stills {
    settings: Settings,
    state: Mutex<State>,
}

impl Stills {
    /// Opens the folder, making it if need be.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(settings: Settings) -> io::Result<Stills> {
        use std::os::unix::fs::DirBuilderExt;
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", settings.folder.display()));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&settings.folder).map_err(named)?;
        let entries = fs::read_dir(&settings.folder).map_err(named)?.flatten();
        let kept = entries.filter_map(|e| Some((Still::of(e.file_name().to_str()?)?, e.metadata().ok()?.len()))).collect();
        Ok(Stills { settings, state: Mutex::new(State { kept, asked: BTreeMap::new() }) })
    }

    /// A still of these cameras is asked for, for an incident that has just been opened.
    pub fn ask(&self, incident: &IncidentId, cameras: &[DeviceId], now: i64) {
        if self.settings.budget == 0 || !incident.as_str().bytes().all(|b| b.is_ascii_alphanumeric()) {
            return;
        }
        let mut state = self.lock();
        state.forget_asked(now);
        for camera in cameras {
            if state.asked.values().map(Vec::len).sum::<usize>() < ASKED {
                state.asked.entry(camera.clone()).or_default().push((incident.clone(), now.saturating_add(WANTED_MS)));
            }
        }
    }

    /// Worker: whether a blurred picture of that camera is asked for. Then it shall look at the next frame even if nothing moves.
    pub fn asked(&self, camera: &DeviceId, now: i64) -> bool {
        let mut state = self.lock();
        state.forget_asked(now);
        state.asked.contains_key(camera)
    }

    /// Worker: the picture that was asked for. Blocks on the disk; without being asked it does nothing.
    ///
    /// # Errors
    /// The disk does not take it. It stays asked for until it would be too late.
    pub fn put(&self, camera: &DeviceId, at: i64, picture: &BlurredJpeg) -> io::Result<()> {
        let mut state = self.lock();
        state.forget_asked(at);
        let Some(asked) = state.asked.get(camera).cloned() else { return Ok(()) };
        for (incident, _) in asked {
            let still = Still { at, incident, camera: camera.clone() };
            write_whole(&self.settings.folder.join(still.file()), picture.bytes())?;
            state.kept.insert(still, picture.bytes().len() as u64);
        }
        state.asked.remove(camera);
        Ok(())
    }

    /// Incidents whose stills have to be deleted now, oldest first, but for those that are `held`. By age only with a clock that is `trusted`.
    pub fn due(&self, now: i64, trusted: bool, held: impl Fn(&IncidentId) -> bool) -> Vec<(IncidentId, Why)> {
        // Not locked while somebody asks the disk who is held.
        let kept = self.lock().kept.clone();
        let old = |s: &Still| trusted && now.saturating_sub(s.at) > self.settings.keep_ms;
        if kept.values().sum::<u64>() <= self.settings.budget && !kept.keys().next().is_some_and(old) {
            return Vec::new();
        }
        // What is held takes no room from what is not: it cannot go, and what is new would go in its place.
        let incidents: BTreeSet<&IncidentId> = kept.keys().map(|s| &s.incident).collect();
        let mut seen: BTreeSet<&IncidentId> = incidents.into_iter().filter(|i| held(i)).collect();
        let mut used: u64 = kept.iter().filter(|(s, _)| !seen.contains(&s.incident)).map(|(_, bytes)| bytes).sum();
        let mut out = Vec::new();
        for oldest in kept.keys() {
            let old = old(oldest);
            if !old && used <= self.settings.budget {
                break;
            }
            if !seen.insert(&oldest.incident) {
                continue;
            }
            used -= kept.iter().filter(|(s, _)| s.incident == oldest.incident).map(|(_, bytes)| bytes).sum::<u64>();
            out.push((oldest.incident.clone(), if old { Why::Age } else { Why::Room }));
        }
        out
    }

    /// Deletes the stills of an incident, as an entry of the log says. Blocks on the disk.
    ///
    /// # Errors
    /// A file cannot be removed; it is tried again.
    pub fn delete(&self, incident: &IncidentId, _: Logged) -> io::Result<()> {
        let mut state = self.lock();
        for still in state.kept.keys().filter(|s| s.incident == *incident).cloned().collect::<Vec<_>>() {
            match fs::remove_file(self.settings.folder.join(still.file())) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => state.kept.remove(&still),
            };
        }
        Ok(())
    }

    /// The stills of an incident, oldest first.
    pub fn of(&self, incident: &IncidentId) -> Vec<Still> {
        self.lock().kept.keys().filter(|s| s.incident == *incident).cloned().collect()
    }

    /// One of them; `None` when it is not there, or is no picture that this gateway has blurred. Blocks on the disk.
    pub fn read(&self, incident: &IncidentId, number: usize) -> Option<BlurredJpeg> {
        let still = self.of(incident).into_iter().nth(number)?;
        BlurredJpeg::again(fs::read(self.settings.folder.join(still.file())).ok()?)
    }

    /// Bytes and stills on disk.
    pub fn used(&self) -> (u64, usize) {
        let state = self.lock();
        (state.kept.values().sum(), state.kept.len())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_asked(&mut self, now: i64) {
        self.asked.retain(|_, list| {
            list.retain(|(_, until)| (1..=WANTED_MS + AHEAD_MS).contains(&until.saturating_sub(now)));
            !list.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_vision::blur;
    use tuoan_vision::picture::Picture;

    const DAY: i64 = 86_400_000;

    fn incident(n: u8) -> IncidentId {
        IncidentId::new(&format!("01KAPT000000000000000000{n:02}")).unwrap()
    }
    fn camera() -> DeviceId {
        DeviceId::new("z2m.幼儿园-1").unwrap()
    }
    fn picture() -> BlurredJpeg {
        blur::whole(&Picture::new(16, 16, vec![90; 768]).unwrap()).to_jpeg(70).unwrap()
    }
    fn stills(dir: &tempfile::TempDir, budget: u64) -> Stills {
        Stills::open(Settings { folder: dir.path().join("stills"), budget, keep_ms: 90 * DAY }).unwrap()
    }

    #[test]
    fn one_still_for_each_incident_and_camera_and_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let s = stills(&dir, 1 << 20);
        s.put(&camera(), 1000, &picture()).unwrap();
        assert_eq!(s.used(), (0, 0), "nobody asked");
        s.ask(&incident(1), &[camera()], 1000);
        s.ask(&incident(2), &[camera()], 1000);
        assert!(s.asked(&camera(), 900), "who looks has read the clock a moment before");
        assert!(s.asked(&camera(), 2000));
        s.put(&camera(), 2000, &picture()).unwrap();
        s.put(&camera(), 3000, &picture()).unwrap();
        assert!(!s.asked(&camera(), 3000));
        assert_eq!((s.of(&incident(1)).len(), s.of(&incident(2)).len()), (1, 1));
        assert_eq!(s.read(&incident(1), 0), Some(picture()));
        assert_eq!(s.read(&incident(1), 1), None);
        let again = stills(&dir, 1 << 20);
        assert_eq!(again.of(&incident(1)), s.of(&incident(1)), "the files say it all");
        s.ask(&incident(3), &[camera()], 10_000);
        assert!(!s.asked(&camera(), 40_000), "too late: it would show something else");
    }

    #[test]
    fn budget_and_retention_let_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let size = picture().bytes().len() as u64;
        let s = stills(&dir, size * 3);
        for n in 1..=4u8 {
            let at = i64::from(n) * DAY;
            s.ask(&incident(n), &[camera()], at);
            s.put(&camera(), at, &picture()).unwrap();
        }
        let nobody = |_: &IncidentId| false;
        let held = |i: &IncidentId| *i == incident(2);
        assert_eq!(s.due(5 * DAY, true, nobody), [(incident(1), Why::Room)]);
        s.delete(&incident(1), Logged::for_test()).unwrap();
        assert_eq!((s.of(&incident(1)).len(), s.used()), (0, (size * 3, 3)));
        assert!(s.due(92 * DAY, true, nobody).is_empty(), "ninety days, and not a day less");
        assert!(s.due(93 * DAY + 1, false, nobody).is_empty(), "an untrusted clock deletes nothing by age");
        assert_eq!(s.due(93 * DAY + 1, true, nobody), [(incident(2), Why::Age), (incident(3), Why::Age)]);
        assert_eq!(s.due(93 * DAY + 1, true, held), [(incident(3), Why::Age)], "what a person holds stays");
        s.delete(&incident(3), Logged::for_test()).unwrap();
        assert_eq!((s.of(&incident(2)).len(), s.of(&incident(4)).len()), (1, 1));
        assert_eq!(fs::read_dir(dir.path().join("stills")).unwrap().count(), 2);
        assert!(stills(&dir, size).due(0, true, held).is_empty(), "and takes no room from what is new");
        assert_eq!(stills(&dir, size - 1).due(0, true, held), [(incident(4), Why::Room)], "nor does it go for want of room");
        let none = stills(&dir, 0);
        none.ask(&incident(4), &[camera()], DAY);
        assert!(!none.asked(&camera(), DAY));
    }

    #[test]
    fn a_picture_that_was_not_blurred_here_is_not_given_out() {
        let dir = tempfile::tempdir().unwrap();
        let s = stills(&dir, 1 << 20);
        s.ask(&incident(1), &[camera()], 0);
        s.put(&camera(), 5, &picture()).unwrap();
        let file = fs::read_dir(dir.path().join("stills")).unwrap().flatten().next().unwrap().path();
        fs::write(&file, [0xFF, 0xD8, 0xFF, 0xE0, 0, 16]).unwrap();
        assert_eq!(s.read(&incident(1), 0), None);
        fs::write(dir.path().join("stills/holiday.jpg"), b"x").unwrap();
        assert_eq!(stills(&dir, 1 << 20).used().1, 1, "foreign files are left alone");
    }
}
