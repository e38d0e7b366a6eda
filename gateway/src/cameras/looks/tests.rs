use super::*;
use tuoan_vision::sight::{KeyPoint, Person, Thing};

const T: i64 = 1_790_000_000_000;

fn camera(n: u8) -> DeviceId {
    DeviceId::new(&format!("cam-{n}")).unwrap()
}
fn incident(n: u8) -> IncidentId {
    IncidentId::new(&format!("01JE5W1T0000000000000000{n:02}")).unwrap()
}
fn empty(at: i64) -> Look {
    Look { at, width: 640, height: 360, at_least: false, seen: Vec::new() }
}
fn crowd(at: i64, people: usize) -> Look {
    let one = Seen { class: Class::Person, score: 80, track: 1, posture: Posture::Standing, bbox: [0, 0, 100, 100], pose: None };
    Look { seen: vec![one; people], ..empty(at) }
}
/// What goes on record when a camera is looked at every `every` ms from T - 90 s on, the keeper comes every 5 s, and the incident of T lasts until `end`.
fn recorded(every: usize, end: i64, last: i64) -> Vec<Piece> {
    let (memory, mut chronicle, mut out) = (Memory::default(), Chronicle::default(), Vec::new());
    memory.model("pose 1\n");
    for at in (T - 90_000..=last).step_by(every) {
        memory.put(&camera(1), empty(at));
        if at >= T && at < T + every as i64 {
            chronicle.begin(&incident(1), ids(), vec![camera(1)], T, Recorded::new());
        }
        if at >= end {
            chronicle.heard(&incident(1), false, end);
        }
        if at % 5_000 < every as i64 {
            chronicle.collect(at, &memory, false, |p| {
                out.push(p.clone());
                true
            });
        }
    }
    chronicle.collect(last + 60_000, &memory, false, |p| {
        out.push(p.clone());
        true
    });
    out
}
fn ids() -> (&'static SiteId, &'static LogId) {
    static IDS: std::sync::OnceLock<(SiteId, LogId)> = std::sync::OnceLock::new();
    let (site, log) = IDS.get_or_init(|| (SiteId::new("xingyuan").unwrap(), LogId::new("01JE5W1T000000000000000000").unwrap()));
    (site, log)
}
fn times(pieces: &[Piece]) -> Vec<i64> {
    pieces.iter().flat_map(|p| &p.looks).map(|l| (l.at - T) / 1000).collect()
}

#[test]
fn what_the_models_found_becomes_whole_numbers_within_the_picture() {
    let b = Rect { x0: 0.1, y0: -0.2, x1: 0.12346, y1: 1.4 };
    let mut joints = sight::Pose::default();
    joints[16] = KeyPoint { x: f32::NAN, y: 0.5, score: 0.754 };
    let person = Person { bbox: b, score: 0.999, pose: Some(joints), posture: sight::Posture::Lying };
    let thing = Thing { kind: ThingKind::Motorcycle, bbox: Rect { x0: 0.9, y0: 0.9, x1: 0.8, y1: 0.8 }, score: f32::INFINITY };
    let sight = Sight { width: 640, height: 0, people: vec![person], things: vec![thing], ..Sight::default() };
    let followed = TrackedPerson { number: 7, bbox: b, posture: sight::Posture::Sitting, height_m: None, adult: None };
    let l = look(T, &sight, &[followed]);
    assert_eq!((l.width, l.height, l.at_least, l.seen.len()), (640, 1, false, 2));
    let p = &l.seen[0];
    assert_eq!((p.score, p.track, p.posture, p.bbox), (100, 7, Posture::Sitting, [1000, 0, 1235, 10_000]), "as it is followed");
    let pose = p.pose.unwrap();
    assert_eq!((pose[0], pose[16]), (None, Some(Point { x: 0, y: 5000, score: 75 })));
    assert_eq!((l.seen[1].class, l.seen[1].bbox, l.seen[1].track), (Class::Motorcycle, [8000, 8000, 9000, 9000], 0));
}

#[test]
fn a_crowd_is_cut_and_says_so() {
    let person = Person { bbox: Rect::default(), score: 0.5, pose: None, posture: sight::Posture::Unknown };
    let sight = Sight { width: 64, height: 36, people: vec![person; MAX_SEEN + 1], ..Sight::default() };
    let l = look(T, &sight, &[]);
    assert!(l.at_least && l.seen.len() == MAX_SEEN);
}

#[test]
fn memory_is_a_minute_and_bounded() {
    let memory = Memory::default();
    (0..2000).for_each(|n| memory.put(&camera(1), empty(T + n * 100)));
    let kept = memory.between(&camera(1), 0, i64::MAX);
    assert!(kept.len() <= REMEMBERED && kept.len() > 100, "{}", kept.len());
    assert!(kept.first().unwrap().at >= T + 199_900 - KEPT_MS as i64 && kept.first().unwrap().at < T + 140_000);
    let widest = kept.windows(2).map(|w| w[1].at - w[0].at).max().unwrap();
    assert!(widest <= 2_000, "even: {widest}");
    (0..200).for_each(|n| memory.put(&camera(2), crowd(T + n * 500, 48)));
    let seen: usize = memory.between(&camera(2), 0, i64::MAX).iter().map(|l| l.seen.len()).sum();
    assert!(seen <= REMEMBERED_SEEN, "{seen}");
    memory.put(&camera(1), empty(T));
    assert_eq!(memory.between(&camera(1), 0, i64::MAX).len(), 1, "a clock that was set back keeps nothing of its future");
    memory.expire(T + 1_000_000);
    assert!(memory.lock().cameras.is_empty());
}

#[test]
fn from_a_minute_before_to_a_minute_after_every_look_goes_on_record_once() {
    let pieces = recorded(1_000, T + 20_000, T + 120_000);
    assert_eq!(times(&pieces), (-60..=60).collect::<Vec<_>>());
    for p in &pieces {
        assert_eq!((p.camera.as_str(), p.model.as_str(), p.incident.as_str()), ("cam-1", "pose 1", incident(1).as_str()));
        assert_eq!(Piece::from_canonical(&p.canonical_bytes()).as_ref(), Ok(p));
    }
    assert!(pieces.len() <= 8, "few records: {}", pieces.len());
}

#[test]
fn while_it_lasts_looks_get_rarer_and_it_ends_with_the_incident() {
    let pieces = recorded(1_000, T + 1_500_000, T + 2_000_000);
    let times = times(&pieces);
    assert_eq!(times.iter().filter(|t| **t <= 60).count(), 121);
    let (soon, later): (Vec<i64>, Vec<i64>) = times.iter().filter(|t| **t > 60).partition(|t| **t <= 600);
    assert_eq!((soon.len(), later.len()), (54, 15), "{soon:?} {later:?}");
    assert!(times.iter().all(|t| *t <= 1500));
    assert_eq!(recorded(500, i64::MAX, T + 7_200_000).iter().map(|p| p.looks.len()).sum::<usize>().min(MOST_LOOKS + 1), 405);
}

#[test]
fn what_was_not_taken_is_written_later_and_a_stop_leaves_nothing_behind() {
    let (memory, mut chronicle) = (Memory::default(), Chronicle::default());
    (0..10).for_each(|n| memory.put(&camera(1), empty(T + n * 1000)));
    chronicle.begin(&incident(1), ids(), vec![camera(1), camera(2)], T + 5000, Recorded::new());
    chronicle.collect(T + 5_000, &memory, false, |_| false);
    let mut written = Vec::new();
    chronicle.collect(T + 9_000, &memory, true, |p| {
        written.push(p.clone());
        true
    });
    assert_eq!(times(&written), (0..10).collect::<Vec<_>>());
    chronicle.collect(T + 9_500, &memory, true, |_| panic!("twice"));
}

#[test]
fn a_restart_goes_on_where_the_record_ends() {
    let (memory, mut chronicle) = (Memory::default(), Chronicle::default());
    (0..60).for_each(|n| memory.put(&camera(1), empty(T + n * 1000)));
    let before = Recorded::from([(camera(1), (T + 30_000, 31, 900))]);
    chronicle.begin(&incident(1), ids(), vec![camera(1)], T, before);
    let mut written = Vec::new();
    chronicle.collect(T + 60_000, &memory, false, |p| {
        written.push(p.clone());
        true
    });
    assert_eq!(times(&written), (31..60).collect::<Vec<_>>());
    let full = Recorded::from([(camera(1), (T, MOST_LOOKS, 900))]);
    chronicle.begin(&incident(2), ids(), vec![camera(1)], T, full);
    chronicle.collect(T + 60_000, &memory, false, |_| panic!("it has all that it may have"));
}

#[test]
fn an_incident_has_bounded_room_and_few_are_followed() {
    let (memory, mut chronicle, mut bytes) = (Memory::default(), Chronicle::default(), 0);
    for n in 1..=4 {
        chronicle.begin(&incident(n), ids(), (1..=8).map(camera).collect(), T, Recorded::new());
    }
    chronicle.incidents.retain(|id, _| *id == incident(1));
    let pose = Some([Some(Point { x: EDGE, y: EDGE, score: 100 }); 17]);
    for second in 0..60 {
        for c in 1..=8 {
            let mut look = crowd(T + second * 1000, 48);
            look.seen.iter_mut().for_each(|s| s.pose = pose);
            memory.put(&camera(c), look);
        }
        chronicle.collect(T + second * 1000, &memory, false, |p| {
            bytes += p.canonical_bytes().len();
            true
        });
    }
    // A piece may go over the edge, no more.
    assert!((INCIDENT_BYTES..2 * INCIDENT_BYTES).contains(&bytes), "{bytes}");
    for n in 10..=99 {
        chronicle.begin(&incident(n), ids(), vec![camera(1)], T, Recorded::new());
    }
    assert!(chronicle.incidents.len() <= FOLLOWED);
}

#[test]
fn a_long_name_of_the_models_fits_the_record() {
    let memory = Memory::default();
    memory.model(&format!("a{}", "😀".repeat(60)));
    assert_eq!(memory.lock().model.len(), 1 + 49 * 4, "cut between two characters, {MAX_MODEL} bytes at most");
}
