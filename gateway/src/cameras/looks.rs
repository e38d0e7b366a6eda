//! What the looks of each camera found, as numbers: the last minute in memory, and on record around an incident.
//!
//! [`Memory`] keeps a little over a minute of each camera; [`Chronicle`] says which of it goes on record: of the cameras that show an incident's zone all looks
//! from a minute before it opens to a minute after, then one every ten seconds and later one a minute for as long as it lasts. No picture and no
//! face is among them: boxes of people and bicycles, and the key points of poses.
//!
//! What must hold: memory and what is written of one incident are bounded; nobody waits for any of it; no clock, no disk in here.
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tuoan_protocol::looks::{Class, EDGE, Look, MAX_LOOKS, MAX_MODEL, MAX_SEEN, Piece, Point, Pose, Posture, Seen};
use tuoan_protocol::{DeviceId, IncidentId, LogId, SiteId};
use tuoan_vision::scene::TrackedPerson;
use tuoan_vision::sight::{self, Rect, Sight, ThingKind};

/// Before an incident opens, and after.
pub const BEFORE_MS: i64 = 60_000;
pub const AFTER_MS: i64 = 60_000;
/// Kept a little longer, so that whoever writes may come late.
const KEPT_MS: u64 = 75_000;
/// Looks of one camera that are remembered; what comes faster is thinned evenly.
const REMEMBERED: usize = 160;
/// People and things in them, in all: a camera before a crowd takes no more memory.
const REMEMBERED_SEEN: usize = 1_600;
/// An incident that lasts: one look in so long, for so long; then one a minute.
const SOON_MS: i64 = 10_000;
const SOON_FOR_MS: i64 = 600_000;
const LATER_MS: i64 = 60_000;
/// It is written this often: at first, and while it lasts.
const WRITE_MS: i64 = 20_000;
/// Looks and bytes of one camera on record for one incident at most.
const MOST_LOOKS: usize = 480;
const MOST_BYTES: usize = 384 << 10;
/// Bytes on record for one incident at most, of all cameras.
const INCIDENT_BYTES: usize = 1 << 20;
/// Incidents that are followed at once; the oldest makes room.
const FOLLOWED: usize = 64;

/// Incidents that have begun, and what of them is on record: by camera up to when, how many looks, how many bytes.
pub type Recorded = BTreeMap<DeviceId, (i64, usize, usize)>;

/// A look of the models, as numbers. `people` are those who are followed through the picture.
pub fn look(at: i64, sight: &Sight, people: &[TrackedPerson]) -> Look {
    let of_person = |p: &sight::Person| {
        let followed = people.iter().find(|t| t.bbox.iou(&p.bbox) > 0.9);
        Seen {
            class: Class::Person,
            score: percent(p.score),
            track: followed.map_or(0, |t| t.number),
            posture: posture(followed.map_or(p.posture, |t| t.posture)),
            bbox: bbox(&p.bbox),
            pose: p.pose.as_ref().map(pose),
        }
    };
    let of_thing = |t: &sight::Thing| Seen {
        class: match t.kind {
            ThingKind::Bicycle => Class::Bicycle,
            ThingKind::Motorcycle => Class::Motorcycle,
        },
        score: percent(t.score),
        track: 0,
        posture: Posture::Unknown,
        bbox: bbox(&t.bbox),
        pose: None,
    };
    let all = sight.people.iter().map(of_person).chain(sight.things.iter().map(of_thing));
    let side = |n: u32| u16::try_from(n).unwrap_or(u16::MAX).max(1);
    Look {
        at,
        width: side(sight.width),
        height: side(sight.height),
        at_least: sight.at_least || sight.people.len() + sight.things.len() > MAX_SEEN,
        seen: all.take(MAX_SEEN).collect(),
    }
}

/// `as` saturates, and takes what is no number for 0.
fn percent(share: f32) -> u8 {
    (share.clamp(0.0, 1.0) * 100.0).round() as u8
}
fn place(share: f32) -> u16 {
    (share.clamp(0.0, 1.0) * f32::from(EDGE)).round() as u16
}
fn bbox(b: &Rect) -> [u16; 4] {
    let [x0, y0, x1, y1] = [b.x0, b.y0, b.x1, b.y1].map(place);
    [x0.min(x1), y0.min(y1), x0.max(x1), y0.max(y1)]
}
/// A joint that the model does not find at all has score 0.
fn pose(p: &sight::Pose) -> Pose {
    p.map(|k| Some(Point { x: place(k.x), y: place(k.y), score: percent(k.score) }).filter(|k| k.score > 0))
}
fn posture(p: sight::Posture) -> Posture {
    match p {
        sight::Posture::Standing => Posture::Standing,
        sight::Posture::Sitting => Posture::Sitting,
        sight::Posture::Crouching => Posture::Crouching,
        sight::Posture::Bending => Posture::Bending,
        sight::Posture::Lying => Posture::Lying,
        sight::Posture::Unknown => Posture::Unknown,
    }
}

#[derive(Default)]
struct Minutes {
    cameras: BTreeMap<DeviceId, VecDeque<Look>>,
    model: String,
}

/// The last minute of looks. Cheap to clone; all clones are the same.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Minutes>>);

impl Memory {
    /// Name of the models that look from now on.
    pub fn model(&self, name: &str) {
        let mut name: String = name.chars().filter(|c| !c.is_control()).collect();
        name.truncate(name.floor_char_boundary(MAX_MODEL));
        self.lock().model = name;
    }

    /// The newest look of a camera.
    pub fn put(&self, camera: &DeviceId, look: Look) {
        let mut m = self.lock();
        let minute = m.cameras.entry(camera.clone()).or_default();
        // A clock that was set back: what lies in its future goes.
        minute.retain(|l| l.at < look.at && l.at.abs_diff(look.at) <= KEPT_MS);
        minute.push_back(look);
        while minute.len() > REMEMBERED || minute.iter().map(|l| l.seen.len()).sum::<usize>() > REMEMBERED_SEEN && minute.len() > 1 {
            thin(minute);
        }
    }

    /// Looks of a camera after `after` and not after `to`, oldest first.
    pub fn between(&self, camera: &DeviceId, after: i64, to: i64) -> Vec<Look> {
        let m = self.lock();
        m.cameras.get(camera).into_iter().flatten().filter(|l| l.at > after && l.at <= to).cloned().collect()
    }

    /// Lets go of what is too old, also of cameras that have fallen silent.
    pub fn expire(&self, now: i64) {
        let mut m = self.lock();
        m.cameras.values_mut().for_each(|minute| minute.retain(|l| l.at.abs_diff(now) <= KEPT_MS));
        m.cameras.retain(|_, minute| !minute.is_empty());
    }

    fn lock(&self) -> MutexGuard<'_, Minutes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops the look whose absence leaves the smallest gap, never the newest.
fn thin(minute: &mut VecDeque<Look>) {
    let at = |n: usize| minute.get(n).map(|l| l.at);
    let gap = |n: usize| at(n + 1).zip(at(n - 1)).map_or(i64::MAX, |(next, last)| next.saturating_sub(last));
    let chosen = (1..minute.len().saturating_sub(1)).min_by_key(|n| gap(*n)).unwrap_or(0);
    minute.remove(chosen);
}

/// An incident whose looks go on record.
#[derive(Debug)]
struct Followed {
    site: SiteId,
    log: LogId,
    opened_at: i64,
    /// `None`: it still lasts.
    ended_at: Option<i64>,
    cameras: Recorded,
    due: i64,
}

impl Followed {
    /// Looks after this are none of its.
    fn until(&self) -> i64 {
        self.ended_at.map_or(i64::MAX, |end| end.max(self.opened_at.saturating_add(AFTER_MS)))
    }
    /// How far two looks that go on record lie apart at that time.
    fn spacing(&self, at: i64) -> i64 {
        match at.saturating_sub(self.opened_at) {
            age if age <= AFTER_MS => 0,
            age if age <= SOON_FOR_MS => SOON_MS,
            _ => LATER_MS,
        }
    }
}

/// Which looks go on record.
#[derive(Debug, Default)]
pub struct Chronicle {
    incidents: BTreeMap<IncidentId, Followed>,
}

impl Chronicle {
    /// Looks of these cameras go on record. `recorded`: what already stands there, of an incident that an earlier run has followed. Said again for the same
    /// incident, it does nothing but take an end back.
    pub fn begin(
        &mut self,
        incident: &IncidentId,
        (site, log): (&SiteId, &LogId),
        cameras: Vec<DeviceId>,
        opened_at: i64,
        mut recorded: Recorded,
    ) {
        if let Some(known) = self.incidents.get_mut(incident) {
            known.ended_at = None;
            return;
        }
        if cameras.is_empty() {
            return;
        }
        let from = opened_at.saturating_sub(BEFORE_MS).saturating_sub(1);
        let cameras = cameras.into_iter().map(|c| (c.clone(), recorded.remove(&c).unwrap_or((from, 0, 0)))).collect();
        if self.incidents.len() >= FOLLOWED
            && let Some(oldest) = self.incidents.iter().min_by_key(|(_, f)| f.opened_at).map(|(id, _)| id.clone())
        {
            self.incidents.remove(&oldest);
        }
        let followed = Followed { site: site.clone(), log: log.clone(), opened_at, ended_at: None, cameras, due: i64::MIN };
        self.incidents.insert(incident.clone(), followed);
    }

    /// The incident's condition holds (again), or is over.
    pub fn heard(&mut self, incident: &IncidentId, active: bool, at: i64) {
        if let Some(followed) = self.incidents.get_mut(incident) {
            followed.ended_at = (!active).then(|| followed.ended_at.unwrap_or(at));
        }
    }

    /// What is to be written now; `all`: whatever there is, since the gateway stops. `write` says whether it was taken, and is asked again later if not.
    pub fn collect(&mut self, now: i64, memory: &Memory, all: bool, mut write: impl FnMut(&Piece) -> bool) {
        for (incident, followed) in &mut self.incidents {
            let over = now > followed.until();
            if !(all || over || now >= followed.due) {
                continue;
            }
            followed.due = now.saturating_add(WRITE_MS);
            let cameras: Vec<DeviceId> = followed.cameras.keys().cloned().collect();
            for camera in cameras {
                one(incident, followed, &camera, now, memory, &mut write);
            }
        }
        // What was not taken is tried for as long as the memory has it.
        self.incidents.retain(|_, f| now <= f.until().saturating_add(WRITE_MS));
    }
}

fn one(
    incident: &IncidentId,
    followed: &mut Followed,
    camera: &DeviceId,
    now: i64,
    memory: &Memory,
    write: &mut impl FnMut(&Piece) -> bool,
) {
    let Some((after, looks, bytes)) = followed.cameras.get(camera).copied() else { return };
    let used: usize = followed.cameras.values().map(|c| c.2).sum();
    if looks >= MOST_LOOKS || bytes >= MOST_BYTES || used >= INCIDENT_BYTES {
        return;
    }
    let mut last = after;
    let mut chosen = memory.between(camera, after, followed.until().min(now));
    chosen.retain(|l| {
        let apart = l.at.saturating_sub(last) >= followed.spacing(l.at);
        last = if apart { l.at } else { last };
        apart
    });
    chosen.truncate(MOST_LOOKS - looks);
    for part in chosen.chunks(MAX_LOOKS) {
        let Some(end) = part.last().map(|l| l.at) else { return };
        let piece = Piece {
            site: followed.site.clone(),
            log: followed.log.clone(),
            incident: incident.clone(),
            camera: camera.clone(),
            model: memory.lock().model.clone(),
            looks: part.to_vec(),
        };
        if !write(&piece) {
            return;
        }
        if let Some((to, looks, bytes)) = followed.cameras.get_mut(camera) {
            *to = end;
            *looks += part.len();
            *bytes = bytes.saturating_add(piece.canonical_bytes().len());
        }
    }
}

#[cfg(test)]
mod tests;
