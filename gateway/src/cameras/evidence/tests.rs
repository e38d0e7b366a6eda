use super::*;

const INCIDENT: &str = "01KAPT00000000000000000001";
/// When it was opened.
const T: i64 = 1_795_485_600_000;
const DAY: i64 = 86_400_000;

struct Box_ {
    dir: tempfile::TempDir,
    ring: Ring,
}

impl Box_ {
    fn new() -> Box_ {
        Box_ { dir: tempfile::tempdir().unwrap(), ring: Ring::new(64 << 20) }
    }
    fn settings(&self) -> Settings {
        let (folder, key) = (self.dir.path().join("evidence"), self.dir.path().join("evidence.key"));
        Settings { folder, key, budget: 1 << 30, keep_ms: 90 * DAY, spare: 0 }
    }
    fn evidence(&self, now: i64) -> Evidence {
        Evidence::open(self.settings(), now).unwrap()
    }
    /// A second a picture, from `from` up to `to` seconds after T.
    fn film(&self, camera: &str, from: i64, to: i64) {
        for s in from..to {
            let jpeg = [&[0xFF, 0xD8, 0xFF][..], format!("{camera} {s:+}").as_bytes()].concat();
            self.ring.put(&device(camera), Original { received_at_ms: T + s * 1000, jpeg: jpeg.into() });
        }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("evidence").join(INCIDENT).join(name)
    }
}

fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}
fn incident(n: u8) -> IncidentId {
    IncidentId::new(&format!("01KAPT000000000000000000{n:02}")).unwrap()
}
fn begin(e: &Evidence) {
    e.begin(&incident(1), "nap", vec![device("cam-1"), device("cam-2")], T, false);
}
fn leave(e: &Evidence, now: i64) {
    let lease = Lease {
        session: "director".into(),
        actor: "王园长".into(),
        reason: "核实".into(),
        ends_ms: now + 600_000,
        logged: Logged::for_test(),
    };
    e.allow(&incident(1), now, lease);
}
/// Both minutes, in steps of five seconds.
fn a_whole_incident(b: &Box_) -> Evidence {
    let e = b.evidence(T);
    b.film("cam-1", -70, 0);
    b.film("cam-2", -70, 0);
    begin(&e);
    for s in (0..70).step_by(5) {
        b.film("cam-1", s, s + 5);
        e.collect(T + (s + 5) * 1000, &b.ring).unwrap();
    }
    e
}

#[test]
fn a_minute_before_and_a_minute_after_are_sealed_and_open_again() {
    let b = Box_::new();
    let e = a_whole_incident(&b);
    let m = e.kept(&incident(1)).unwrap().unwrap();
    assert!(m.complete && !m.cut_short);
    let times = |camera: &str| -> Vec<i64> {
        m.files.iter().filter(|f| f.camera == camera).flat_map(|f| &f.times).map(|t| (t - T) / 1000).collect()
    };
    assert_eq!(times("cam-1"), (-60..=60).collect::<Vec<_>>());
    assert_eq!(times("cam-2"), (-60..0).collect::<Vec<_>>(), "what it had");
    leave(&e, T);
    let last = m.files.iter().rfind(|f| f.camera == "cam-1").unwrap();
    let opened = e.original(&incident(1), T, "director", last.number, last.times.len() as u32 - 1).unwrap();
    assert_eq!((opened.received_at_ms, opened.jpeg.ends_with(b"cam-1 +60")), (T + 60_000, true));
    assert_eq!(e.counts.sealed.load(Ordering::Relaxed), 181);
}

#[test]
fn on_disk_nothing_is_a_picture_and_only_the_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let b = Box_::new();
    let _e = a_whole_incident(&b);
    let mut files = 0;
    for entry in fs::read_dir(b.path("")).unwrap().flatten() {
        let bytes = fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(3).any(|w| w == [0xFF, 0xD8, 0xFF]) && !bytes.windows(6).any(|w| w == b"cam-1 "), "{entry:?}");
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0);
        files += 1;
    }
    assert!(files > 10, "{files}");
    assert_eq!(fs::metadata(b.path("")).unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn without_leave_or_after_it_nothing_opens() {
    let b = Box_::new();
    let e = a_whole_incident(&b);
    let ask = |session: &str, now: i64, file| e.original(&incident(1), now, session, file, 0);
    assert_eq!(ask("director", T, 1), Err(NotOpened::NotAllowed));
    leave(&e, T);
    assert!(ask("director", T, 1).is_ok());
    assert_eq!(ask("another", T, 1), Err(NotOpened::NotAllowed));
    assert_eq!(ask("director", T, 99), Err(NotOpened::NotThere));
    assert_eq!(ask("director", T + 600_000, 1), Err(NotOpened::NotAllowed), "ten minutes are over");
    assert_eq!(e.original(&incident(2), T, "director", 1, 0), Err(NotOpened::NotAllowed), "leave for one incident is none for another");
}

#[test]
fn what_was_tampered_with_is_named() {
    let b = Box_::new();
    drop(a_whole_incident(&b));
    let open = |file| {
        let e = b.evidence(T + DAY);
        leave(&e, T);
        e.original(&incident(1), T, "director", file, 0)
    };
    let damaged = |file, says: &str| match open(file) {
        Err(NotOpened::Damaged(text)) => assert!(text.contains(says), "{text}"),
        other => panic!("{other:?}"),
    };
    // A bit is turned.
    let (first, second) = (b.path("000001.sealed"), b.path("000002.sealed"));
    let good = fs::read(&first).unwrap();
    let mut bad = good.clone();
    // In the first picture: behind the head, a time, a length and a nonce.
    let text = bad.iter().position(|b| *b == b'}').unwrap() + 1 + 8 + 4 + 12;
    bad[text] ^= 1;
    fs::write(&first, &bad).unwrap();
    damaged(1, "its seal is broken");
    // Two files of the same incident are exchanged: each opens by itself, but is not what the manifest lists.
    fs::write(&first, fs::read(&second).unwrap()).unwrap();
    damaged(1, "not the file that the manifest lists");
    fs::remove_file(&first).unwrap();
    damaged(1, "000001.sealed");
    fs::write(&first, &good).unwrap();
    assert!(open(1).is_ok());
    // The manifest itself.
    let mut manifest = fs::read(b.path(MANIFEST)).unwrap();
    *manifest.last_mut().unwrap() ^= 1;
    fs::write(b.path(MANIFEST), manifest).unwrap();
    damaged(1, "its manifest");
    let e = b.evidence(T + 400 * DAY);
    assert!(e.due(T + 400 * DAY, true, 0).is_empty(), "what was tampered with is not cleared away");
    // A new key in the place of a lost one.
    fs::remove_file(b.dir.path().join("evidence.key")).unwrap();
    damaged(1, "another key");
}

#[test]
fn a_stop_in_between_is_told_and_what_is_left_is_collected() {
    let b = Box_::new();
    let e = b.evidence(T);
    b.film("cam-1", -60, 5);
    begin(&e);
    e.collect(T + 5000, &b.ring).unwrap();
    drop(e);
    // Half a minute later it runs again, with an empty ring.
    let again = Box_ { ring: Ring::new(1 << 20), ..b };
    let e = again.evidence(T + 35_000);
    again.film("cam-1", 36, 61);
    begin(&e);
    e.collect(T + 64_000, &again.ring).unwrap();
    let m = e.kept(&incident(1)).unwrap().unwrap();
    let times: Vec<i64> = m.files.iter().flat_map(|f| &f.times).map(|t| (t - T) / 1000).collect();
    assert_eq!(times, (-60..5).chain(36..=60).collect::<Vec<_>>());
    assert!(m.complete && m.cut_short);
    // One that was not over when the gateway stopped for long.
    let e = again.evidence(T);
    e.begin(&incident(2), "nap", vec![device("cam-1")], T + 30_000, false);
    e.collect(T + 61_000, &again.ring).unwrap();
    let e = again.evidence(T + DAY);
    let m = e.kept(&incident(2)).unwrap().unwrap();
    assert!(m.complete && m.cut_short);
}

#[test]
fn a_draft_that_a_crash_left_behind_is_no_evidence() {
    let b = Box_::new();
    drop(a_whole_incident(&b));
    fs::write(b.path("000099.new"), b"half a file").unwrap();
    let e = b.evidence(T + DAY);
    leave(&e, T);
    assert!(e.original(&incident(1), T, "director", 1, 0).is_ok());
    assert_eq!(e.original(&incident(1), T, "director", 99, 0), Err(NotOpened::NotThere));
    e.delete(&incident(1), Logged::for_test()).unwrap();
    assert!(!b.path("").exists());
}

#[test]
fn what_nobody_holds_goes_after_its_time_and_the_oldest_first_for_want_of_room() {
    let b = Box_::new();
    let e = b.evidence(T);
    for n in 1..=3u8 {
        let at = T + i64::from(n) * DAY;
        b.ring.put(&device("cam-1"), Original { received_at_ms: at, jpeg: vec![0; 1000].into() });
        e.begin(&incident(n), "nap", vec![device("cam-1")], at, false);
        e.collect(at + 64_000, &b.ring).unwrap();
    }
    let due = |e: &Evidence, now, trusted, coming| -> Vec<(u8, Why)> {
        let number = |i: &IncidentId| i.as_str()[24..].parse().unwrap();
        e.due(now, trusted, coming).iter().map(|(i, why)| (number(i), *why)).collect()
    };
    assert_eq!(due(&e, T + 91 * DAY, true, 0), []);
    assert_eq!(due(&e, T + 91 * DAY + 1, true, 0), [(1, Why::Age)]);
    assert_eq!(due(&e, T + 400 * DAY, false, 0), [], "an untrusted clock deletes nothing by age");
    let (used, _) = e.used();
    let crowded = (1 << 30) - used + used / 3 + 10;
    assert_eq!(due(&e, T + 5 * DAY, true, crowded), [(1, Why::Room), (2, Why::Room)]);
    e.hold(&incident(1), true, Logged::for_test()).unwrap();
    assert_eq!(due(&e, T + 5 * DAY, true, crowded), [(2, Why::Room), (3, Why::Room)], "held ones stay");
    let e = b.evidence(T + 400 * DAY);
    assert_eq!(due(&e, T + 400 * DAY, true, 0), [(2, Why::Age), (3, Why::Age)], "also after a restart");
    e.delete(&incident(2), Logged::for_test()).unwrap();
    assert_eq!((e.kept(&incident(2)), e.used().1), (None, 2));
}

#[test]
fn a_full_budget_or_disk_is_a_clear_counted_error() {
    let b = Box_::new();
    let small = Evidence::open(Settings { budget: 200, ..b.settings() }, T).unwrap();
    b.film("cam-1", -3, 0);
    begin(&small);
    let text = small.collect(T, &b.ring).unwrap_err().to_string();
    assert!(text.contains("evidence_mb") && text.contains(INCIDENT), "{text}");
    let spare = Evidence::open(Settings { spare: u64::MAX / 2, ..b.settings() }, T).unwrap();
    begin(&spare);
    assert!(matches!(spare.collect(T, &b.ring), Err(EvidenceError::NoSpare { .. })));
    assert_eq!(spare.counts.failed.load(Ordering::Relaxed), 1);
    // A file where the folder should be stands for a disk that takes nothing.
    let blocked = Box_::new();
    let e = blocked.evidence(T);
    fs::write(blocked.path(""), b"").unwrap_or_else(|_| fs::write(blocked.dir.path().join("evidence").join(INCIDENT), b"").unwrap());
    blocked.film("cam-1", -3, 0);
    begin(&e);
    assert!(matches!(e.collect(T, &blocked.ring), Err(EvidenceError::Io { .. })));
    // Once it takes files again, what the ring still has is sealed.
    fs::remove_file(blocked.dir.path().join("evidence").join(INCIDENT)).unwrap();
    e.collect(T + 5000, &blocked.ring).unwrap();
    assert_eq!(e.counts.sealed.load(Ordering::Relaxed), 3);
}

#[test]
fn names_that_are_no_incident_touch_nothing() {
    let b = Box_::new();
    let e = b.evidence(T);
    b.film("cam-1", -3, 0);
    for name in ["..", ".", "short"] {
        e.begin(&IncidentId::new(name).unwrap(), "nap", vec![device("cam-1")], T, false);
    }
    e.collect(T, &b.ring).unwrap();
    assert_eq!((e.used(), fs::read_dir(b.dir.path().join("evidence")).unwrap().count()), ((0, 0), 0));
}
