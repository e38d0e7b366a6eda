//! Whole bundles: a clean one holds, and whatever is done to it is refused and named.
use crate::fault::Fault;
use crate::page::{OPEN, PAGE, TAIL};
use crate::tree::{self, Hash};
use crate::*;
use proptest::prelude::*;
use serde_json::json;
use tuoan_protocol::codec::Wire;
use tuoan_protocol::ledger::Figure;
use tuoan_protocol::looks::{Class, Look, Piece, Point, Posture, Seen};
use tuoan_protocol::{Basis, IncidentEvent, IncidentState, InstitutionType, Place, Severity, SupervisingBody, Transition};

pub(crate) const T: i64 = 1_790_000_000_000;
pub(crate) const LOG: &str = "01JD0000000000000000000000";
pub(crate) const INCIDENT: &str = "01JE0000000000000000000001";

pub(crate) fn site_key() -> SigningKey {
    SigningKey::from_seed(&[1; 32]).unwrap()
}
pub(crate) fn district_key() -> SigningKey {
    SigningKey::from_seed(&[2; 32]).unwrap()
}

pub(crate) fn event(sequence: u64, incident: &str, transition: Transition) -> IncidentEvent {
    IncidentEvent {
        site: "xingyuan".parse().unwrap(),
        institution: InstitutionType::Public,
        supervisor: SupervisingBody::Health,
        log: LOG.parse().unwrap(),
        sequence,
        position: sequence * 10,
        id: format!("01JF{sequence:022}").parse().unwrap(),
        incident: incident.parse().unwrap(),
        at: T + sequence as i64 * 1000,
        clock_trusted: true,
        transition,
        state: IncidentState { active: true, acknowledged: false, closed: false, inhibited: None },
        hazard: "fire.smoke".parse().unwrap(),
        place: Place { zone: "nap-1".parse().unwrap(), device: None },
        severity: Severity::Emergency,
        basis: Basis::Confirmed,
        rule: "fire.smoke".parse().unwrap(),
        trigger: None,
        activations: 1,
        found_on_connect: false,
        actor: Some("王<老师>".try_into().unwrap()),
        note: None,
        engine: "1.0".try_into().unwrap(),
        rules: [7; 32],
        overridden_by: None,
        via: None,
        cause: None,
        until: None,
        assignee: None,
        other: None,
        rung: None,
        exercise: None,
    }
}

/// What a camera found in three looks from that second on.
pub(crate) fn looks(second: i64, incident: &str) -> Piece {
    let mut pose = [None; 17];
    pose[5] = Some(Point { x: 4000, y: 3000, score: 88 });
    let lies =
        Seen { class: Class::Person, score: 93, track: 4, posture: Posture::Lying, bbox: [3000, 2000, 6000, 5000], pose: Some(pose) };
    let look = |n| Look { at: T + (second + n) * 1000, width: 640, height: 360, at_least: false, seen: vec![lies.clone()] };
    Piece {
        site: "xingyuan".parse().unwrap(),
        log: LOG.parse().unwrap(),
        incident: incident.parse().unwrap(),
        camera: "cam-1".parse().unwrap(),
        model: "person-pose/1 0badcafe".into(),
        looks: (0..3).map(look).collect(),
    }
}

/// A log of 40 events of which four are the incident's, a deed, what looks found and a day of the ledger among them, witnessed after 30.
struct Log {
    records: Vec<(Kind, Vec<u8>)>,
    leaves: Vec<Hash>,
}

fn log(bad: &Bad) -> Log {
    let ours = [(5, Transition::Opened), (9, Transition::Acknowledged), (22, Transition::Returned), (35, Transition::Closed)];
    let of = |n: u64| {
        ours.iter().find(|(s, _)| *s == n).map_or((format!("01JE{:022}", 100 + n), Transition::Opened), |o| (INCIDENT.into(), o.1))
    };
    let mut records: Vec<(Kind, Vec<u8>)> = (1..=40)
        .map(|n| {
            let (incident, transition) = of(n);
            (Kind::Event, event(n, &incident, transition).to_cbor_vec().unwrap())
        })
        .collect();
    records.insert(20, (Kind::PictureDeed, br#"{"actor":"Li","what":"open","reason":"check"}"#.to_vec()));
    let day = coverage::tests::covered(7, coverage::date(T, 480), if bad.other_day { "01JX0000000000000000000000" } else { LOG }, 1330);
    records.push((Kind::CoverageDay, coverage::record(day.number, day.date, &day.canonical_bytes()).into_bytes()));
    let other = if bad.other_looks { "01JE0000000000000000000002" } else { INCIDENT };
    records.push((Kind::Looks, looks(1, INCIDENT).canonical_bytes()));
    records.push((Kind::Looks, looks(if bad.looks_back { 3 } else { 4 }, other).canonical_bytes()));
    let leaves = records.iter().map(|(k, b)| tree::leaf(k.number(), b)).collect();
    Log { records, leaves }
}

/// What may be left out or spoilt in a file that its maker signs all the same.
#[derive(Default)]
struct Bad {
    head_of: Option<u64>,
    forged_witness: bool,
    drop_logged: bool,
    other_event: bool,
    other_day: bool,
    other_looks: bool,
    looks_back: bool,
}

fn build(bad: &Bad) -> Vec<u8> {
    let log = log(bad);
    let (tree, size) = (log.leaves.as_slice(), log.leaves.len() as u64);
    let head = SignedHead::sign(&site_key(), "xingyuan", LOG, size, tree::root(tree, bad.head_of.unwrap_or(size)).unwrap(), T + 60_000);
    let mut b = Builder::new(Header {
        made_at: T + 60_000,
        made_by: "赵主任".into(),
        purpose: "consultation".into(),
        ..Header::new(&site_key(), "xingyuan", "杏园<托育>", LOG, INCIDENT)
    });
    b.add(Section::Incident, Some(T), "睡眠室 烟雾", &json!({"zone": "睡眠室", "utc_offset_minutes": 480})).unwrap();
    b.add(Section::Rule, None, "fire.smoke", &json!({"id": "fire.smoke", "source": "GB 4715"})).unwrap();
    b.add(Section::Head, Some(head.time), "40 records", &head).unwrap();
    let seen = SignedHead::sign(&site_key(), "xingyuan", LOG, 30, tree::root(tree, 30).unwrap(), T + 30_000);
    let mut countersignature = Countersignature::sign(&district_key(), &seen, T + 31_000);
    countersignature.time += i64::from(bad.forged_witness);
    let proof = Proof(tree::consistency(tree, 30, size).unwrap());
    b.add(Section::Witness, Some(T + 31_000), "district", &WitnessRecord { head: seen, countersignature, proof }).unwrap();
    let mut logged = Vec::new();
    for (n, (kind, bytes)) in log.records.iter().enumerate() {
        let index = n as u64;
        let proof = tree::inclusion(tree, index, size).unwrap();
        let event = (*kind == Kind::Event).then(|| IncidentEvent::from_cbor(bytes).unwrap());
        if let Some(e) = &event {
            logged.push((e.sequence, hex::encode(bytes)));
        }
        if event.as_ref().is_some_and(|e| e.incident.as_str() != INCIDENT && !(bad.other_event && e.sequence == 6)) {
            continue;
        }
        let first = (*kind == Kind::Looks).then(|| Piece::from_canonical(bytes).unwrap().looks[0].at);
        let at = event.as_ref().map_or(first.unwrap_or(T), |e| e.at);
        let label = if *kind == Kind::CoverageDay { "day 2026-09-21".to_owned() } else { format!("record {n}") };
        b.add(Section::Leaf, Some(at), &label, &LeafRecord::new(*kind, index, bytes, proof)).unwrap();
    }
    b.add(Section::Reading, None, "smoke-1 smoke", &json!({"device": "smoke-1", "quantity": "smoke", "points": [[T, 0], [T + 5000, 1]]}))
        .unwrap();
    b.add(Section::Notice, Some(T + 6000), "Li", &json!({"person": "Li", "at": T + 6000})).unwrap();
    b.add(Section::Notice, Some(T + 7000), "Wu", &json!({"person": "Wu", "at": T + 7000})).unwrap();
    b.add(
        Section::Frame,
        Some(T),
        "cam-1",
        &json!({"camera": "cam-1", "at": T, "sha256": hex::encode(page::hash(b"jpeg")), "jpeg": "anBlZw=="}),
    )
    .unwrap();
    b.line(Section::Log, None, "head", r#"{"tuoan_log":1}"#).unwrap();
    b.line(Section::Log, Some(T), "input 50", r#"{"position":50,"at":1,"body":{}}"#).unwrap();
    for (sequence, cbor) in logged.into_iter().filter(|(s, _)| (4..=23).contains(s) && !(bad.drop_logged && *s == 9)) {
        b.add(Section::Log, None, &format!("event {sequence}"), &Logged { sequence, cbor }).unwrap();
    }
    b.finish(&site_key()).unwrap()
}

#[derive(serde::Serialize)]
struct Logged {
    sequence: u64,
    cbor: String,
}

fn trust() -> Trust {
    Trust { site: Some(site_key().public()), witness: Some(district_key().public()) }
}
fn faults(bytes: &[u8]) -> Vec<Fault> {
    verify(bytes, &trust()).expect_err("it was changed").faults
}
fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
/// The records' lines, and a file with others in their place.
fn lines(file: &str) -> Vec<String> {
    let (_, rest) = file.split_once("\nsignature ").unwrap();
    let (_, records) = rest.split_once('\n').unwrap();
    records.strip_suffix(TAIL).unwrap().strip_suffix("end\n").unwrap().lines().map(str::to_owned).collect()
}
fn with_lines(file: &str, lines: &[String]) -> Vec<u8> {
    let at = file.find("\nsignature ").unwrap() + 1 + 10 + 128 + 1;
    format!("{}{}\nend\n{TAIL}", &file[..at], lines.join("\n")).into_bytes()
}

#[test]
fn a_clean_file_holds_and_says_what_it_proves() {
    let file = build(&Bad::default());
    // To be looked at in a browser.
    if let Ok(path) = std::env::var("EVIDENCE_SAMPLE") {
        std::fs::write(path, &file).unwrap();
    }
    let r = verify(&file, &trust()).unwrap();
    assert_eq!((r.events.len(), r.deeds, r.witnessed, r.inputs, r.frames), (4, 1, 3, 1, 1));
    assert!(r.key_known && r.witness_known && r.head.size == 44);
    // The nap room's camera was covered from 22:10 on; the incident is of 22:13.
    assert_eq!((r.days.len(), r.watched()), (1, Some(Figure { watched: 0, degraded: 0, blind: 1 })));
    assert_eq!(r.looks, [looks(1, INCIDENT), looks(4, INCIDENT)]);
    assert!(!verify(&file, &Trust::default()).unwrap().key_known);
    assert_eq!(file, build(&Bad::default()), "one content, one file");
    let whole = text(&file);
    assert!(whole.starts_with(PAGE.as_str()) && whole.ends_with(TAIL));
    assert!(!whole.split_once(OPEN).unwrap().1.strip_suffix(TAIL).unwrap().contains('<'), "nothing that a browser takes for a tag");
}

#[test]
fn another_key_is_named() {
    let file = build(&Bad::default());
    let other = Trust { site: Some(district_key().public()), witness: None };
    assert!(matches!(verify(&file, &other).unwrap_err().faults[..], [Fault::OtherKey { .. }]));
    let other = Trust { site: None, witness: Some(site_key().public()) };
    assert!(matches!(verify(&file, &other).unwrap_err().faults[..], [Fault::Witness(_)]));
}

#[test]
fn each_kind_of_change_is_told_by_its_name() {
    let file = text(&build(&Bad::default()));
    let clean = lines(&file);
    let change = |f: &dyn Fn(&mut Vec<String>)| {
        let mut l = clean.clone();
        f(&mut l);
        faults(&with_lines(&file, &l))
    };
    let number = |f: &Fault| f.record().map(|r| (r.number, r.section.clone()));
    let one = |faults: Vec<Fault>, code: &str, record: Option<(usize, &str)>| {
        assert_eq!((faults.len(), faults[0].code()), (1, code), "{faults:?}");
        assert_eq!(number(&faults[0]), record.map(|(n, s)| (n, s.to_owned())), "{faults:?}");
    };
    one(change(&|l| drop(l.remove(5))), "removed", Some((6, "leaf")));
    one(change(&|l| drop(l.remove(0))), "removed", Some((1, "incident")));
    one(change(&|l| l.swap(13, 14)), "moved", Some((15, "notice")));
    one(
        change(&|l| {
            let r = l.remove(5);
            l.insert(9, r)
        }),
        "moved",
        Some((6, "leaf")),
    );
    one(change(&|l| l.insert(3, l[9].clone())), "added", None);
    one(change(&|l| l.insert(3, "{}".into())), "added", None);
    one(change(&|l| l[1] = l[1].replace("4715", "4716")), "altered", Some((2, "rule")));
    one(change(&|l| l[13] = l[13].replace("1790000006000", "1790000006001")), "time", Some((14, "notice")));
    // A blind minute of the ledger that was made a watched one.
    assert!(clean[9].contains("14030701"));
    one(change(&|l| l[9] = l[9].replace("14030701", "14010000")), "altered", Some((10, "leaf")));
    // Where somebody lay: the left edge of the box, from 3000 to 3001 ten-thousandths.
    assert!(clean[10].contains("190bb8"));
    one(change(&|l| l[10] = l[10].replacen("190bb8", "190bb9", 1)), "altered", Some((11, "leaf")));
    one(change(&|l| drop(l.remove(11))), "removed", Some((12, "leaf")));
    one(change(&|l| l.truncate(l.len() - 3)), "cut", Some((clean.len() - 2, "log")));
    // An event's time, deep in its bytes: 2026 in CBOR is nine bytes behind the key 9.
    let was = format!("091b{:016x}", T + 5000);
    assert!(clean[4].contains(&was));
    one(change(&|l| l[4] = l[4].replace(&was, &format!("091b{:016x}", T + 4000))), "time", Some((5, "leaf")));
    // Outside of the records.
    let (_, body) = file.split_once(OPEN).unwrap();
    let in_body = |was: &str, is: &str| format!("{}{OPEN}{}", PAGE.as_str(), body.replacen(was, is, 1)).into_bytes();
    let mut longer = file.clone().into_bytes();
    longer.push(b'\n');
    one(faults(&longer), "trailing", None);
    one(faults(&file.as_bytes()[..file.len() - 5]), "cut", None);
    one(faults(file.replacen("font: 16px", "font: 17px", 1).as_bytes()), "page", None);
    one(faults(&in_body("consultation", "curiosity")), "signature", None);
    one(faults(&in_body("</body>", "</bodY>")), "end", None);
    one(faults(b"<!doctype html>\n<p>nothing</p>"), "foreign", None);
    one(faults(&in_body("tuoan-evidence 1", "tuoan-evidence 2")), "newer", None);
    let at = body.find("\nsignature ").unwrap() + 11;
    one(faults(&in_body(&body[at..at + 128], &body[at..at + 128].to_uppercase())), "list", None);
    // Cut in the middle of a record.
    let cut = file.find("smoke-1 smoke").unwrap() + file[file.find("\nsignature ").unwrap()..].find("\"points\"").unwrap();
    assert!(!faults(&file.as_bytes()[..cut]).is_empty());
}

#[test]
fn what_its_maker_signed_falsely_is_refused_too() {
    assert!(
        faults(&build(&Bad { head_of: Some(39), ..Bad::default() })).iter().all(|f| matches!(f, Fault::NotInLog(_) | Fault::Witness(_)))
    );
    assert!(matches!(faults(&build(&Bad { forged_witness: true, ..Bad::default() }))[..], [Fault::Witness(_)]));
    assert!(matches!(faults(&build(&Bad { drop_logged: true, ..Bad::default() }))[..], [Fault::Content { .. }]));
    assert!(matches!(faults(&build(&Bad { other_day: true, ..Bad::default() }))[..], [Fault::Content { .. }]));
    assert!(matches!(faults(&build(&Bad { other_looks: true, ..Bad::default() }))[..], [Fault::Content { .. }]));
    assert!(matches!(faults(&build(&Bad { looks_back: true, ..Bad::default() }))[..], [Fault::Content { .. }]));
    assert!(matches!(faults(&build(&Bad { other_event: true, ..Bad::default() }))[..], [Fault::Content { .. }]));
}

#[test]
fn a_page_of_somebody_elses_making_is_no_evidence_even_when_it_is_signed() {
    let file = text(&build(&Bad::default()));
    let (_, body) = file.split_once(OPEN).unwrap();
    let page = PAGE.replace("Evidence", "Trust me");
    let body = body.replace(&hex::encode(page::hash(PAGE.as_bytes())), &hex::encode(page::hash(page.as_bytes())));
    let (signed, rest) = body.split_once("signature ").unwrap();
    let signature = hex::encode(site_key().sign(signed.as_bytes()));
    let forged = format!("{page}{OPEN}{signed}signature {signature}{}", &rest[128..]);
    assert!(matches!(faults(forged.as_bytes())[..], [Fault::UnknownPage { .. }]));
}

/// The lines of `docs/evidence.md`, as they stand there, run by a shell. Without `openssl` or `xxd` there is nothing to be run.
#[test]
fn the_documented_commands_check_a_file_without_our_tools() {
    use std::process::Command;
    let there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !(there("openssl") && there("xxd")) {
        eprintln!("left out: openssl or xxd is not installed");
        return;
    }
    let doc = include_str!("../../docs/evidence.md");
    let (_, part) = doc.split_once("## Checking it without our tools").unwrap();
    let (script, _) = part.split_once("```sh\n").unwrap().1.split_once("```").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = build(&Bad::default());
    let run = |bytes: &[u8], key: &SigningKey| {
        std::fs::write(dir.path().join("incident.html"), bytes).unwrap();
        std::fs::write(dir.path().join("site.pub"), key.public().pem()).unwrap();
        let out = Command::new("sh").args(["-c", script]).current_dir(dir.path()).output().unwrap();
        let said = text(&out.stdout);
        ["Signature Verified Successfully", "all records are the signed ones", "the page is the signed one", "nothing is behind it"]
            .map(|l| said.contains(l))
    };
    assert_eq!(run(&file, &site_key()), [true; 4]);
    assert_eq!(run(&file, &district_key()), [false, true, true, true]);
    let with = |was: &str, is: &str| text(&file).replace(was, is).into_bytes();
    assert_eq!(run(&with("consultation", "curiosity"), &site_key()), [false, true, true, true]);
    assert_eq!(run(&with("GB 4715", "GB 4716"), &site_key()), [true, false, true, true]);
    assert_eq!(run(&with("font: 16px", "font: 17px"), &site_key()), [true, true, false, true]);
    assert_eq!(run(&[&file[..], b" "].concat(), &site_key()), [true, true, true, false]);
}

/// `EVIDENCE_MUTATIONS` sets how many.
#[test]
fn no_random_change_goes_unseen() {
    let file = build(&Bad::default());
    let many: u64 = std::env::var("EVIDENCE_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let body = text(&file).find(OPEN).unwrap();
    let (mut named, mut caught) = (std::collections::BTreeMap::new(), 0);
    let line = |at: usize| {
        let from = file[..at].iter().rposition(|b| *b == b'\n').map_or(0, |p| p + 1);
        from..file[at..].iter().position(|b| *b == b'\n').map_or(file.len(), |p| at + p + 1)
    };
    for n in 0u64.. {
        let mut other = file.clone();
        // Every second one behind the page, which is most of a small file.
        let at = if n.is_multiple_of(2) { random(file.len()) } else { body + random(file.len() - body) };
        let to = (at + 1 + random(200)).min(file.len());
        match random(8) {
            0 => other[at] ^= 1 << random(8),
            1 => other.truncate(at),
            2 => drop(other.drain(at..to)),
            3 => drop(other.splice(at..at, file[at..to].to_vec())),
            4 => {
                let from = random(file.len() - 1);
                other.swap(at, from);
            }
            // Whole lines: taken out, said twice, moved.
            5 => drop(other.drain(line(at))),
            6 => drop(other.splice(line(at).start..line(at).start, file[line(body + random(file.len() - body))].to_vec())),
            _ => {
                let (a, b) = (line(at), line(body + random(file.len() - body)));
                let taken: Vec<u8> = other.drain(a.clone()).collect();
                let to = if b.start > a.start { b.start.saturating_sub(taken.len()).max(a.start) } else { b.start };
                drop(other.splice(to..to, taken));
            }
        }
        if other != file {
            let refused = verify(&other, &trust()).expect_err(&format!("change {n} at byte {at} went unseen"));
            assert!(!refused.faults.is_empty() && !refused.to_string().is_empty());
            *named.entry(refused.faults[0].code()).or_insert(0u64) += 1;
            caught += 1;
        }
        if caught == many {
            break;
        }
    }
    println!("{caught} changes, all caught: {named:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// Whatever comes, an answer comes.
    #[test]
    fn hostile_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000), how in 0..3) {
        let file = build(&Bad::default());
        let (page, body) = file.split_at(text(&file).find(OPEN).unwrap() + OPEN.len());
        let made = match how {
            0 => bytes,
            1 => [page, &bytes].concat(),
            _ => [page, &body[..body.len().min(900)], &bytes, TAIL.as_bytes()].concat(),
        };
        prop_assert!(verify(&made, &Trust::default()).is_err());
    }
}
