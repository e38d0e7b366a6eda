//! The page against the verifier: what Rust refuses must never be shown as holding by a browser, though its maker has signed it.
mod forge;
mod forged;

use self::forge::*;
use self::forged::forged;
use crate::page::{OPEN, PAGE, TAIL};
use crate::tests::site_key;
use crate::verify::event_of;
use crate::*;
use std::process::Command;
use tuoan_protocol::Quantity;
use tuoan_protocol::ledger::{Cause, Need};
use tuoan_protocol::looks::Piece;

/// What JavaScript keeps exactly.
const EXACT: u64 = (1 << 53) - 1;

/// What the page says to each (how, what): `None` that it holds.
fn page_says(tasks: &[(&str, String)], old: bool) -> Vec<Option<String>> {
    let dir = tempfile::tempdir().unwrap();
    let (page, list) = (dir.path().join("page.html"), dir.path().join("tasks.json"));
    std::fs::write(&page, PAGE.as_str()).unwrap();
    std::fs::write(&list, serde_json::to_string(tasks).unwrap()).unwrap();
    let mut node = Command::new("node");
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/parity/page.js")).arg(&page).arg(&list).args(old.then_some("old"));
    let out = node.output().expect("`node` runs the page's scripts in this test: install Node.js 18 or later (`apt-get install nodejs`)");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let answers: Vec<Option<String>> = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(answers.len(), tasks.len());
    answers
}

fn accepted(file: &[u8]) -> Result<(), String> {
    verify(file, &Trust::default()).map(drop).map_err(|r| r.to_string())
}

#[test]
fn what_its_maker_signed_falsely_is_refused_by_the_page_as_by_the_verifier() {
    let good = clean();
    assert_eq!(accepted(&good.file()), Ok(()));
    let cases = forged();
    let mut tasks = vec![("body", String::from_utf8(good.body()).unwrap()), ("file", hex::encode(good.file()))];
    tasks.extend(cases.iter().map(|(_, f)| ("body", String::from_utf8(f.body()).unwrap())));
    tasks.extend(cases.iter().step_by(9).map(|(_, f)| ("file", hex::encode(f.file()))));
    for old in [false, true] {
        let said = page_says(&tasks, old);
        assert_eq!(said[..2], [None, None], "the clean file");
        for ((name, f), said) in cases.iter().zip(&said[2..]) {
            assert!(accepted(&f.file()).is_err(), "the verifier takes it: {name}");
            assert!(said.is_some(), "the page takes it: {name}");
        }
        assert!(said[2..].iter().all(Option::is_some));
    }
}

/// What is outside of the records is seen in a file that is chosen.
#[test]
fn every_byte_of_a_chosen_file_is_checked() {
    let (file, at) = (clean().file(), PAGE.len() + OPEN.len());
    let line = at + String::from_utf8_lossy(&file[at..]).find("\"points\"").unwrap();
    let insert = |at: usize, more: &[u8]| [&file[..at], more, &file[at..]].concat();
    let flip = |at: usize| {
        let mut other = file.clone();
        other[at] ^= 1;
        other
    };
    let mut cases = vec![
        insert(0, b"\xef\xbb\xbf"),
        insert(file.len(), b"\n"),
        insert(file.len(), b"<script>"),
        insert(at, b"\n"),
        insert(at, OPEN.as_bytes()),
    ];
    cases.extend([
        insert(line, b"\xff"),
        insert(line, b"\r"),
        insert(line, b"\0"),
        insert(line, TAIL.as_bytes()),
        insert(line, b"\nend\n"),
    ]);
    cases.extend([flip(0), flip(300), flip(at - 2), flip(at), flip(line), flip(file.len() - 1), flip(file.len() - TAIL.len() - 2)]);
    cases.extend([0, 10, at - 1, at, at + 1, line, file.len() - TAIL.len() - 4, file.len() - 1].map(|n| file[..n].to_vec()));
    cases.push(String::from_utf8_lossy(&file).replace('\n', "\r\n").into_bytes());
    let tasks: Vec<_> = cases.iter().map(|c| ("file", hex::encode(c))).collect();
    for (n, said) in page_says(&tasks, false).iter().enumerate() {
        assert!(accepted(&cases[n]).is_err() && said.is_some(), "{n}");
    }
}

/// One random number after the other, the same in every run.
fn random() -> impl FnMut(usize) -> usize {
    let mut seed = 0x2545_f491_4f6c_dd1du64;
    move |below| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    }
}

/// `EVIDENCE_MUTATIONS` sets how many, as for the other one.
fn many(usual: usize) -> usize {
    std::env::var("EVIDENCE_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

#[test]
fn the_page_reads_the_same_events_days_and_looks() {
    let mut random = random();
    let bases = leaves().into_iter().filter(|l| matches!(l.kind, Kind::Event | Kind::Looks)).map(|l| (l.kind, l.bytes));
    let bases: Vec<(Kind, Vec<u8>)> = bases.chain([(Kind::CoverageDay, day(7).canonical_bytes())]).collect();
    let mut tasks = Vec::new();
    let mut wanted = Vec::new();
    for n in 0..many(6000) {
        let (kind, mut bytes) = bases[random(bases.len())].clone();
        for _ in 0..usize::from(n >= bases.len()) + random(2) {
            let (at, heads) =
                (random(bytes.len()), [0x00, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x20, 0x3b, 0x40, 0x60, 0x80, 0xa0, 0xf4, 0xf6, 0xff]);
            match random(7) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes[at] = bytes[at].wrapping_add(1),
                2 => bytes[at] = bytes[at].wrapping_sub(1),
                3 => bytes.insert(at, heads[random(heads.len())]),
                4 => drop(bytes.remove(at)),
                5 => bytes[at] = heads[random(heads.len())],
                _ => bytes[at] ^= 1 << random(8),
            }
            bytes.push(0);
            bytes.pop();
        }
        let digits = hex::encode(&bytes);
        let exact = |n: i64| n.unsigned_abs() <= EXACT;
        // What Rust says, and whether JavaScript can keep its numbers.
        let (how, text, taken) = match kind {
            Kind::Event => ("event", digits.clone(), event_of(&digits).map(|e| e.sequence <= EXACT && exact(e.at))),
            Kind::Looks => {
                let read = Piece::from_canonical(&bytes).map_err(|e| e.to_string());
                ("looks", digits, read.map(|p| p.looks.iter().all(|l| exact(l.at))))
            }
            _ => {
                // The number and date beside it are those inside, if it is a day.
                let read = tuoan_protocol::ledger::Day::from_canonical(&bytes);
                let (number, date) = read.as_ref().map_or((7, 20_007), |d| (d.number, d.date));
                let text = coverage::record(number, date, &bytes);
                let taken = coverage::day(&text).map(|d| d.number <= EXACT && exact(d.date));
                ("day", text, taken)
            }
        };
        tasks.push((how, text));
        wanted.push(taken == Ok(true));
    }
    let said = page_says(&tasks, false);
    for ((task, wanted), said) in tasks.iter().zip(&wanted).zip(&said) {
        assert_eq!(*wanted, said.is_none(), "{task:?}: the page says {said:?}");
    }
    let good = wanted.iter().filter(|w| **w).count();
    assert!(good * 20 > wanted.len() && good * 2 < wanted.len(), "{good} of {}: both kinds must be met", wanted.len());
}

/// Any line of a file is changed at random, and the whole is signed again.
#[test]
fn no_random_change_that_is_signed_is_taken_by_the_page_alone() {
    let mut random = random();
    let pieces = [
        "\"", "{", "}", "[", "]", ",", ":", "0", "9", "a", "F", " ", "-", "+", ".", "e", "\\", "\\u003c", "\\ud800", "<", "\t", "\u{2028}",
        "null", "1e9", "\"x\":1,",
    ];
    let mut files = Vec::new();
    for _ in 0..many(200) {
        let mut f = clean();
        let n = random(f.rows.len());
        let mut text = match random(5) {
            0 => f.header.clone(),
            1 => f.rows[n].at.clone(),
            2 => f.rows[n].section.clone(),
            _ => String::from_utf8(f.rows[n].line.clone()).unwrap(),
        };
        let place = [&f.header, &f.rows[n].at, &f.rows[n].section].iter().position(|t| **t == text);
        let mut at = random(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        match random(3) {
            0 => text.insert_str(at, pieces[random(pieces.len())]),
            1 if at < text.len() => drop(text.remove(at)),
            _ if at < text.len() => {
                text.remove(at);
                text.insert_str(at, pieces[random(pieces.len())]);
            }
            _ => text.push('0'),
        }
        match place {
            Some(0) => f.header = text,
            Some(1) => f.rows[n].at = text,
            Some(_) => f.rows[n].section = text,
            None => f.rows[n].line = text.into_bytes(),
        }
        // Of the page, whose hash stands in the header, only a chosen file shows the bytes.
        let whole = place == Some(0);
        files.push((f.rows[n].section.clone(), whole, f));
    }
    let tasks: Vec<_> = files
        .iter()
        .map(|(_, whole, f)| if *whole { ("file", hex::encode(f.file())) } else { ("body", String::from_utf8(f.body()).unwrap()) })
        .collect();
    let mut taken = 0;
    for ((section, _, f), said) in files.iter().zip(page_says(&tasks, false)) {
        let rust = accepted(&f.file());
        taken += usize::from(rust.is_ok());
        // A still's record may be spelt otherwise for Rust, and numbers may be larger than JavaScript's: the page is the stricter one there.
        let stricter = section == "frame" || long_number(f);
        assert!(rust.is_ok() == said.is_none() || (rust.is_ok() && stricter), "{section}: {rust:?} {said:?}");
    }
    assert!(taken > 10, "{taken}: both kinds must be met");
}

fn long_number(f: &Forge) -> bool {
    let made_at = f.header.split_once("\"made_at\":").and_then(|(_, t)| t.split_once(',')).map_or("", |t| t.0);
    f.rows.iter().map(|r| r.at.as_str()).chain([made_at]).any(|t| t.trim_start_matches('-').len() > 15)
}

/// Keys have one spelling, too: a point of small order is "signed" by anybody, in any of its spellings.
#[test]
fn the_page_takes_no_signature_that_the_verifier_refuses() {
    let mut keys: Vec<[u8; 32]> = Vec::new();
    for low in [0u8, 1, 2, 0xec, 0xed, 0xee, 0xef, 0xf0] {
        for (middle, top) in [(0, 0), (0, 0x80), (0xff, 0x7f), (0xff, 0xff)] {
            let mut key = [middle; 32];
            (key[0], key[31]) = (low, top);
            keys.push(key);
        }
    }
    let mut tasks = Vec::new();
    let mut wanted = Vec::new();
    let mut add = |key: [u8; 32], signature: [u8; 64], message: &[u8]| {
        wanted.push(PublicKey::new(key).verify(message, &signature));
        tasks.push(("signature", format!("{} {} {}", hex::encode(message), hex::encode(signature), hex::encode(key))));
    };
    // S is 0 and R the neutral point: it holds for a key of order 1, and for others if the hash is a multiple of their order.
    for key in keys {
        for message in 0..16u8 {
            let mut signature = [0; 64];
            signature[0] = 1;
            add(key, signature, &[message]);
        }
    }
    let own = site_key();
    add(*own.public().bytes(), own.sign(b"x"), b"x");
    for bit in 0..512 {
        let mut other = own.sign(b"x");
        other[bit / 8] ^= 1 << (bit % 8);
        add(*own.public().bytes(), other, b"x");
    }
    for (n, said) in page_says(&tasks, false).iter().enumerate() {
        assert!(wanted[n] || said.is_some(), "{:?} is taken by the page alone", tasks[n]);
    }
    assert!(wanted.iter().any(|w| *w));
}

/// The page's words for what the protocol knows are the protocol's.
#[test]
fn the_page_knows_every_quantity_cause_and_name() {
    let page = PAGE.replace("\" +\n    \"", "").replace("\" +\n      \"", "");
    let (states, measured): (Vec<&Quantity>, Vec<&Quantity>) = Quantity::ALL.iter().partition(|q| q.is_state());
    let measured: Vec<String> = measured.iter().map(|q| format!("{}:{}", q.name(), q.decimals())).collect();
    let states: Vec<&str> = states.iter().map(|q| q.name()).collect();
    assert!(page.contains(&format!("MEASURED = \"{}\";", measured.join(" "))), "{}", measured.join(" "));
    assert!(page.contains(&format!("STATES = \"{}\";", states.join(" "))), "{}", states.join(" "));
    assert!(page.contains(&format!("CAUSES = {}, NEEDS = {};", Cause::ALL.len(), Need::ALL.len())));
    let source = include_str!("../../../protocol/src/codec/value.rs");
    for name in ["Basis", "Transition", "Inhibition", "CauseCode", "Via", "Rung", "Exercise", "InstitutionType", "SupervisingBody"] {
        let (_, rest) = source.split_once(&format!("variants!({name} {{")).unwrap();
        let names: Vec<&str> = rest.split_once('}').unwrap().0.split('"').skip(1).step_by(2).collect();
        assert!(page.contains(&format!("one(\"{}\")", names.join(" "))), "{name}: {names:?}");
    }
}
