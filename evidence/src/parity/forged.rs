//! Some two hundred forgeries by the site itself, by the rule that each of them breaks.
use super::forge::*;
use crate::tests::{INCIDENT, LOG, T, district_key, event, site_key};
use crate::*;
use tuoan_protocol::Transition;
use tuoan_protocol::codec::Wire;
use tuoan_protocol::ledger::{Run, Sight};
use tuoan_protocol::looks::Piece;

/// Each is signed by the site's own key, and each breaks one rule.
pub(super) fn forged() -> Vec<(&'static str, Forge)> {
    let day_of = |change: &dyn Fn(&mut tuoan_protocol::ledger::Day)| {
        leaf(7, |l| {
            let mut d = day(7);
            change(&mut d);
            *l = of_day(&d);
        })
    };
    let looks_of = |n: usize, change: &dyn Fn(&mut Piece)| {
        leaf(n, |l| {
            let mut p = Piece::from_canonical(&l.bytes).unwrap();
            change(&mut p);
            *l = of_looks(&p);
        })
    };
    let signed_head = |change: &dyn Fn(&mut SignedHead), again: bool| {
        clean().with(|f| {
            let at = f.first("head");
            let mut head: SignedHead = serde_json::from_slice(&f.rows[at].line).unwrap();
            change(&mut head);
            if again {
                head.signature = site_key().sign(&head.text());
            }
            f.rows[at].line = text(&head);
        })
    };
    let witness = |change: &dyn Fn(&mut WitnessRecord)| {
        clean().with(|f| {
            let at = f.first("witness");
            let mut w: WitnessRecord = serde_json::from_slice(&f.rows[at].line).unwrap();
            change(&mut w);
            f.rows[at].line = text(&w);
        })
    };
    let twice = |section: &'static str| {
        clean().with(|f| {
            let at = f.first(section);
            f.rows.insert(at, f.rows[at].clone());
        })
    };
    let listed = |section: &'static str, change: &dyn Fn(&mut Row)| {
        clean().with(|f| {
            let at = f.first(section);
            change(&mut f.rows[at]);
        })
    };
    let none = |section: &'static str| clean().with(|f| f.rows.retain(|r| r.section != section));
    let logged = |n: usize, change: &dyn Fn(&mut Vec<Row>, usize)| {
        clean().with(|f| {
            let at = f.first("log") + 1 + n;
            change(&mut f.rows, at);
        })
    };
    let run = |parts: &[(u16, Sight)]| {
        let mut run = Run::default();
        parts.iter().for_each(|(m, s)| run.push(*m, *s));
        run
    };
    let time = (T as u64 + 5000).to_be_bytes();
    vec![
        // Order and number of the pieces.
        (
            "leaves swapped",
            clean().with(|f| {
                let at = f.first("leaf");
                f.rows.swap(at + 3, at + 4);
            }),
        ),
        ("a leaf twice", twice("leaf")),
        ("events back in sequence", other_event(2, |e| e.sequence = 4)),
        ("two events of one number", other_event(2, |e| e.sequence = 5)),
        ("days back", leaf(8, |l| *l = of_day(&day(6)))),
        ("a day twice", leaf(8, |l| *l = of_day(&day(7)))),
        ("looks of a camera back", leaf(11, |l| *l = of_looks(&piece("cam-1", 3)))),
        ("looks of a camera before its first", leaf(11, |l| *l = of_looks(&piece("cam-1", -5)))),
        ("a second head", twice("head")),
        ("no head", none("head")),
        ("a second witness", twice("witness")),
        ("no leaf", none("leaf")),
        ("no event", clean().with(|f| f.rows.retain(|r| r.section != "leaf" || !String::from_utf8_lossy(&r.line).contains("\"event\"")))),
        // Whose it is, and when.
        ("an event of another site", other_event(2, |e| e.site = "sunflower".parse().unwrap())),
        ("an event of another log", other_event(2, |e| e.log = INCIDENT.parse().unwrap())),
        ("an event of another incident", other_event(1, |_| ())),
        ("another time than the event's", leaf(0, |l| l.at = Some(T))),
        ("no time for an event", leaf(0, |l| l.at = None)),
        ("a day of another site", day_of(&|d| d.site = "sunflower".parse().unwrap())),
        ("a day of another log", day_of(&|d| d.log = INCIDENT.parse().unwrap())),
        ("looks of another site", looks_of(9, &|p| p.site = "sunflower".parse().unwrap())),
        ("looks of another log", looks_of(9, &|p| p.log = INCIDENT.parse().unwrap())),
        ("looks of another incident", looks_of(9, &|p| p.incident = LOG.parse().unwrap())),
        ("another time than the first look's", leaf(9, |l| l.at = Some(T))),
        ("no time for looks", leaf(9, |l| l.at = None)),
        ("header: another incident", clean().in_header(INCIDENT, LOG)),
        ("header: another site", clean().in_header("\"xingyuan\"", "\"sunflower\"")),
        ("header: another log", clean().in_header(LOG, INCIDENT)),
        ("header: another key", clean().in_header(&site_key().public().to_string(), &district_key().public().to_string())),
        // The head and its witness.
        ("head: of another site", signed_head(&|h| h.site = "sunflower".into(), true)),
        ("head: of another log", signed_head(&|h| h.log = INCIDENT.into(), true)),
        ("head: its root is another", signed_head(&|h| h.root[0] ^= 1, true)),
        ("head: a leaf fewer", signed_head(&|h| h.size -= 1, true)),
        ("head: unsigned time", signed_head(&|h| h.time += 1, false)),
        (
            "head: of the district's key",
            signed_head(
                &|h| {
                    h.key = district_key().public();
                    h.signature = district_key().sign(&h.text());
                },
                false,
            ),
        ),
        (
            "head: a site with a space",
            clean().in_header("\"xingyuan\"", "\"xing yuan\"").with(|f| {
                let at = f.first("head");
                f.rows[at].line = text(&SignedHead::sign(&site_key(), "xing yuan", LOG, 12, [0; 32], T));
            }),
        ),
        ("head: a field too many", clean().swap("head", "{\"site\"", "{\"x\":1,\"site\"")),
        ("head: a field twice", clean().swap("head", "{\"site\"", "{\"log\":\"x\",\"site\"")),
        ("head: its size with a point", clean().swap("head", "\"size\":12", "\"size\":12.0")),
        ("head: its size with an exponent", clean().swap("head", "\"size\":12", "\"size\":1.2e1")),
        ("head: its size as a text", clean().swap("head", "\"size\":12", "\"size\":\"12\"")),
        ("head: a space", clean().swap("head", "\"size\":12", "\"size\": 12")),
        (
            "head: upper-case digits",
            clean().with(|f| {
                let at = f.first("head");
                let l = String::from_utf8(f.rows[at].line.clone()).unwrap();
                let (a, b) = l.split_once("\"signature\":").unwrap();
                f.rows[at].line = format!("{a}\"signature\":{}", b.to_uppercase()).into_bytes();
            }),
        ),
        ("witness: forged", witness(&|w| w.countersignature.time += 1)),
        ("witness: of the site's head changed", witness(&|w| w.head.time += 1)),
        ("witness: no proof", witness(&|w| w.proof.0.clear())),
        ("witness: a field too many", clean().swap("witness", "{\"head\"", "{\"x\":1,\"head\"")),
        (
            "witness before the head",
            clean().with(|f| {
                let at = f.first("head");
                f.rows.swap(at, at + 1);
            }),
        ),
        (
            "witness without a head",
            clean().with(|f| {
                let at = f.first("head");
                f.rows.remove(at);
            }),
        ),
        // The list and the header.
        (
            "sections out of order",
            clean().with(|f| {
                let at = f.first("reading");
                f.rows.swap(at, at + 1);
            }),
        ),
        ("an unknown section", listed("reading", &|r| r.section = "weather".into())),
        ("a section of every object's", listed("reading", &|r| r.section = "constructor".into())),
        ("list: a time with a plus", listed("reading", &|r| r.at = "+5".into())),
        ("list: a time with zeros", listed("reading", &|r| r.at = "007".into())),
        ("list: minus nothing", listed("reading", &|r| r.at = "-0".into())),
        ("list: a time beyond 64 bits", listed("reading", &|r| r.at = "9223372036854775808".into())),
        ("list: no time", listed("reading", &|r| r.at = String::new())),
        ("list: a tag in a label", listed("reading", &|r| r.label = "<!--<script>".into())),
        ("list: a control character", listed("reading", &|r| r.label = "a\tb".into())),
        ("list: DEL", listed("reading", &|r| r.label = "a\u{7f}b".into())),
        ("list: a line end of Windows", listed("reading", &|r| r.label = "a\r".into())),
        ("header: a field too many", clean().in_header("{\"site\"", "{\"x\":1,\"site\"")),
        ("header: a field twice", clean().in_header("{\"site\"", "{\"purpose\":\"x\",\"site\"")),
        ("header: a field missing", clean().in_header("\"purpose\":\"consultation\",", "")),
        ("header: a number for a text", clean().in_header("\"consultation\"", "1")),
        ("header: a text for a number", clean().in_header(&format!("\"made_at\":{T}"), "\"made_at\":\"1\"")),
        ("header: a time beyond 64 bits", clean().in_header(&T.to_string(), "99999999999999999999")),
        ("header: half a character", clean().in_header("consultation", "\\ud800")),
        ("header: an escape that need not be", clean().in_header("consultation", "\\u0063onsultation")),
        ("header: a space", clean().in_header("{\"site\"", "{ \"site\"")),
        ("header: a tab", clean().in_header("{\"site\"", "{\t\"site\"")),
        (
            "header: other fields' order",
            clean()
                .in_header("{\"site\":\"xingyuan\",", "{")
                .in_header("{", "{\"site_name\":\"x\",\"site\":\"xingyuan\",")
                .in_header("\"site_name\":\"杏\\u003c园>\",", ""),
        ),
        ("header: upper-case key", clean().in_header(&site_key().public().to_string(), &site_key().public().to_string().to_uppercase())),
        // Leaves.
        ("leaf: a field too many", leaf_line("{\"leaf\"", "{\"x\":1,\"leaf\"")),
        ("leaf: a number twice", leaf_line("{\"leaf\"", "{\"leaf\":1,\"leaf\"")),
        ("leaf: another number", leaf_line("{\"leaf\":0", "{\"leaf\":1")),
        ("leaf: a number with a point", leaf_line("{\"leaf\":0", "{\"leaf\":0.0")),
        ("leaf: minus nothing", leaf_line("{\"leaf\":0", "{\"leaf\":-0")),
        ("leaf: a number beyond all", leaf_line("{\"leaf\":0", "{\"leaf\":18446744073709551616")),
        ("leaf: an unknown kind", leaf_line("\"kind\":\"event\"", "\"kind\":\"weather\"")),
        ("leaf: a kind of every object's", leaf_line("\"kind\":\"event\"", "\"kind\":\"constructor\"")),
        ("leaf: an event that is called a deed", leaf_line("\"kind\":\"event\"", "\"kind\":\"access\"")),
        ("leaf: a proof with a hash too many", leaf_line("\"proof\":[", &format!("\"proof\":[\"{}\",", "00".repeat(32)))),
        ("leaf: a proof with half a hash", leaf_line("\"proof\":[\"", "\"proof\":[\"00\",\"")),
        (
            "leaf: a proof of nothing",
            clean().with(|f| {
                let at = f.first("leaf");
                let mut l: LeafRecord = serde_json::from_slice(&f.rows[at].line).unwrap();
                l.proof.0.clear();
                f.rows[at].line = text(&l);
            }),
        ),
        (
            "leaf: an event in upper-case digits",
            clean().with(|f| {
                let at = f.first("leaf");
                let mut l: LeafRecord = serde_json::from_slice(&f.rows[at].line).unwrap();
                l.record = l.record.to_uppercase();
                f.rows[at].line = text(&l);
            }),
        ),
        (
            "leaf: looks in upper-case digits",
            clean().with(|f| {
                let at = f.first("leaf") + 7;
                let mut l: LeafRecord = serde_json::from_slice(&f.rows[at].line).unwrap();
                assert_eq!(l.kind, "looks");
                l.record = l.record.to_uppercase();
                f.rows[at].line = text(&l);
            }),
        ),
        ("leaf: a deed that is no JSON", leaf(5, |l| l.bytes = b"{'actor':1}".to_vec())),
        ("leaf: a deed with a word behind it", leaf(5, |l| l.bytes = b"{} x".to_vec())),
        // Events that are not in their one form, or cannot be. The first bytes are: a map, 0, version, 1, site.
        ("event: its version in a longer form", bytes(0, |b| replaced(b, &[0x00, 0x01, 0x01], &[0x00, 0x18, 0x01, 0x01]))),
        ("event: of a newer version", bytes(0, |b| replaced(b, &[0x00, 0x01, 0x01], &[0x00, 0x02, 0x01]))),
        (
            "event: a time in a longer form",
            bytes(0, |b| replaced(b, &[&[0x05, 0x05][..], &[0x06]].concat(), &[0x05, 0x19, 0x00, 0x05, 0x06])),
        ),
        ("event: a byte behind it", bytes(0, |b| b.push(0))),
        ("event: cut", bytes(0, |b| b.truncate(b.len() - 1))),
        ("event: empty", bytes(0, Vec::clear)),
        (
            "event: a map without its length",
            bytes(0, |b| {
                let n = if b[0] == 0xb8 { 2 } else { 1 };
                b.splice(..n, [0xbf]);
                b.push(0xff);
            }),
        ),
        ("event: another time in its bytes", bytes(0, |b| replaced(b, &time, &(T as u64 + 5001).to_be_bytes()))),
        (
            "event: a field that nobody knows",
            bytes(2, |b| {
                assert_eq!(b[0], 0xb8);
                b[1] += 1;
                b.extend([0x18, 0x21, 0x01]);
            }),
        ),
        (
            "event: a field twice",
            bytes(2, |b| {
                b[1] += 1;
                let e = b.len() - 8;
                let last = b[e..].to_vec();
                assert_eq!(last[..3], [0x18, 0x20, 0x65]);
                b.extend(last);
            }),
        ),
        ("event: without its last field but counted", bytes(2, |b| b[1] += 1)),
        ("event: an exercise that there is not", bytes(2, |b| replaced(b, b"\x65drill", b"\x65dance"))),
        ("event: a number for a text", bytes(2, |b| replaced(b, b"\x65drill", &[0x05]))),
        ("event: null for what is left out", bytes(2, |b| replaced(b, b"\x65drill", &[0xf6]))),
        ("event: text that is no UTF-8", bytes(2, |b| replaced(b, b"\x65drill", b"\x65dri\xffl"))),
        ("event: bytes for a text", bytes(2, |b| replaced(b, b"\x65drill", b"\x45drill"))),
        ("event: a name with a space", bytes(0, |b| replaced(b, b"nap-1", b"nap 1"))),
        ("event: a name with a slash", bytes(0, |b| replaced(b, b"nap-1", b"nap/1"))),
        ("event: a name with a dollar first", bytes(0, |b| replaced(b, b"nap-1", b"$ap-1"))),
        ("event: an empty name", bytes(0, |b| replaced(b, b"\x65nap-1", b"\x60"))),
        ("event: a name that is too long", bytes(0, |b| replaced(b, b"\x65nap-1", &[&[0x78, 49][..], &[b'x'; 49]].concat()))),
        ("event: a severity of five", bytes(0, |b| replaced(b, &[0x0f, 0x01, 0x10], &[0x0f, 0x05, 0x10]))),
        ("event: a transition that there is not", bytes(0, |b| replaced(b, b"\x66opened", b"\x66unsaid"))),
        ("event: a state's number for a flag", bytes(0, |b| replaced(b, &[0x0c, 0xa3, 0x01, 0xf5], &[0x0c, 0xa3, 0x01, 0x01]))),
        ("event: a state without a flag", bytes(0, |b| replaced(b, &[0x0c, 0xa3, 0x01, 0xf5], &[0x0c, 0xa2]))),
        (
            "event: the rules' hash too short",
            bytes(0, |b| replaced(b, &[&[0x58, 0x20][..], &[7; 32]].concat(), &[&[0x58, 0x1f][..], &[7; 31]].concat())),
        ),
        (
            "event: other decimals than the quantity's",
            bytes(2, |b| replaced(b, &[0x03, 0x39, 0x09, 0x28, 0x04, 0x02], &[0x03, 0x39, 0x09, 0x28, 0x04, 0x03])),
        ),
        (
            "event: a quantity without its value",
            bytes(2, |b| {
                replaced(b, &[0x03, 0x39, 0x09, 0x28, 0x04, 0x02], &[]);
                replaced(b, &[0xa5, 0x01, 0x63], &[0xa3, 0x01, 0x63]);
            }),
        ),
        ("event: a state of two", bytes(2, |b| replaced(b, b"\x6btemperature\x03\x39\x09\x28\x04\x02", b"\x65smoke\x03\x02\x04\x00"))),
        ("event: a float", bytes(2, |b| replaced(b, b"\x65drill", &[0xf9, 0x3c, 0x00]))),
        ("event: a tag", bytes(2, |b| replaced(b, b"\x65drill", b"\xc0\x65drill"))),
        // Days.
        (
            "day: a space in its record",
            leaf(7, |l| l.bytes = String::from_utf8(l.bytes.clone()).unwrap().replace("{\"", "{ \"").into_bytes()),
        ),
        (
            "day: another number beside it",
            leaf(7, |l| l.bytes = String::from_utf8(l.bytes.clone()).unwrap().replace(":7,", ":6,").into_bytes()),
        ),
        (
            "day: upper-case digits",
            leaf(7, |l| l.bytes = String::from_utf8(l.bytes.clone()).unwrap().replace("6e6170", "6E6170").into_bytes()),
        ),
        ("day: a byte behind it", bytes(7, |b| b.push(0))),
        ("day: a number in a longer form", bytes(7, |b| replaced(b, &[0x03, 0x07, 0x04], &[0x03, 0x18, 0x07, 0x04]))),
        ("day: of a newer version", bytes(7, |b| replaced(b, &[0xa9, 0x00, 0x01], &[0xa9, 0x00, 0x02]))),
        ("day: a minute too few", day_of(&|d| d.zones[0].run.truncate(1439))),
        (
            "day: neighbours alike",
            bytes(7, |b| replaced(b, &[0x19, 0x02, 0x58, 0x01, 0x00, 0x00], &[0x19, 0x02, 0x57, 0x01, 0x00, 0x00, 0x01, 0x01, 0x00, 0x00])),
        ),
        (
            "day: watched for a cause",
            bytes(7, |b| replaced(b, &[0x19, 0x02, 0x58, 0x01, 0x00, 0x00], &[0x19, 0x02, 0x58, 0x01, 0x01, 0x00])),
        ),
        (
            "day: watched for a cause that there is not",
            bytes(7, |b| replaced(b, &[0x19, 0x02, 0x58, 0x01, 0x00, 0x00], &[0x19, 0x02, 0x58, 0x01, 0x18, 0x63, 0x00])),
        ),
        ("day: blind for no cause", bytes(7, |b| replaced(b, &[0x14, 0x03, 0x07, 0x01], &[0x14, 0x03, 0x00, 0x01]))),
        ("day: a cause that there is not", bytes(7, |b| replaced(b, &[0x14, 0x03, 0x07, 0x01], &[0x14, 0x03, 0x15, 0x01]))),
        ("day: a need that there is not", bytes(7, |b| replaced(b, &[0x14, 0x03, 0x07, 0x01], &[0x14, 0x03, 0x07, 0x08]))),
        ("day: a fourth level", bytes(7, |b| replaced(b, &[0x14, 0x03, 0x07, 0x01], &[0x14, 0x04, 0x07, 0x01]))),
        ("day: an offset beyond 32 bits", bytes(7, |b| replaced(b, &[0x05, 0x19, 0x01, 0xe0], &[0x05, 0x1a, 0x80, 0, 0, 0]))),
        (
            "day: too many stretches",
            day_of(&|d| {
                d.zones = vec![tuoan_protocol::ledger::ZoneDay {
                    zone: "a b".parse().unwrap_or(d.zones[0].zone.clone()),
                    run: run(&[(1439, Sight::Watched)]),
                }]
            }),
        ),
        // Looks.
        ("looks: a byte behind them", bytes(9, |b| b.push(0))),
        ("looks: none", looks_of(9, &|p| p.looks.clear())),
        (
            "looks: too many",
            looks_of(9, &|p| {
                p.looks = (0..65)
                    .map(|n| {
                        let mut l = p.looks[0].clone();
                        l.at += n;
                        l
                    })
                    .collect()
            }),
        ),
        ("looks: not in their order", looks_of(9, &|p| p.looks.swap(1, 2))),
        ("looks: without a width", looks_of(9, &|p| p.looks[0].width = 0)),
        ("looks: a box beyond the edge", looks_of(9, &|p| p.looks[0].seen[0].bbox[2] = 10_001)),
        ("looks: a box turned round", looks_of(9, &|p| p.looks[0].seen[0].bbox = [9, 9, 8, 10])),
        ("looks: a score above a hundred", looks_of(9, &|p| p.looks[0].seen[0].score = 101)),
        ("looks: somebody too many", looks_of(9, &|p| p.looks[0].seen = vec![p.looks[0].seen[0].clone(); 49])),
        ("looks: a model with a control character", looks_of(9, &|p| p.model = "a\u{85}b".into())),
        ("looks: a model's name that is too long", looks_of(9, &|p| p.model = "x".repeat(201))),
        ("looks: a class that there is not", bytes(9, |b| replaced(b, &[0x89, 0x01], &[0x89, 0x04]))),
        ("looks: a posture that there is not", bytes(9, |b| replaced(b, &[0x04, 0x05, 0x19, 0x0b, 0xb8], &[0x04, 0x06, 0x19, 0x0b, 0xb8]))),
        ("looks: a point too few", bytes(9, |b| replaced(b, &[0x91, 0xf6], &[0x90]))),
        // Pictures, and what is only shown.
        ("a picture that is another", clean().swap("frame", "anBlZ3M=", "anBlZ3Q=")),
        ("a picture's hash that is another", clean().swap("frame", "\"sha256\":\"", "\"sha256\":\"0")),
        ("a picture without padding", clean().swap("frame", "anBlZ3M=", "anBlZ3M")),
        ("a picture with slack in its last digit", clean().swap("frame", "anBlZ3M=", "anBlZ3N=")),
        ("a picture with a space", clean().swap("frame", "anBlZ3M=", "anBl Z3M=")),
        ("a picture without a hash", clean().swap("frame", "\"sha256\"", "\"sha512\"")),
        ("a picture twice", clean().swap("frame", "\"jpeg\"", "\"jpeg\":\"\",\"jpeg\"")),
        ("a reading that is no JSON", clean().swap("reading", "0.25", "0.")),
        ("a reading with a tag", clean().swap("reading", "\"points\"", "\"<b>\"")),
        ("a reading with DEL", clean().swap("reading", "\"points\"", "\"\u{7f}\"")),
        ("an empty rule", listed("rule", &|r| r.line.clear())),
        ("an incident with a word behind it", clean().swap("incident", "}", "}}")),
        // The inputs' story.
        ("inputs: an event left out", logged(1, &|r, at| drop(r.remove(at)))),
        ("inputs: an event twice", logged(1, &|r, at| r.insert(at, r[at].clone()))),
        (
            "inputs: another number outside",
            logged(1, &|r, at| {
                r[at].line = String::from_utf8(r[at].line.clone()).unwrap().replace("\"sequence\":6", "\"sequence\":7").into_bytes()
            }),
        ),
        (
            "inputs: shifted numbers",
            logged(0, &|r, at| {
                for (n, row) in r[at..].iter_mut().enumerate() {
                    row.line = String::from_utf8(row.line.clone())
                        .unwrap()
                        .replace(&format!("\"sequence\":{}", n + 5), &format!("\"sequence\":{}", n + 4))
                        .into_bytes();
                }
            }),
        ),
        (
            "inputs: another event than the proven one",
            logged(2, &|r, at| {
                r[at].line =
                    format!(r#"{{"sequence":7,"cbor":"{}"}}"#, hex::encode(event(7, INCIDENT, Transition::Closed).to_cbor_vec().unwrap()))
                        .into_bytes()
            }),
        ),
        (
            "inputs: an event of the incident that is not proven",
            logged(1, &|r, at| {
                r[at].line =
                    format!(r#"{{"sequence":6,"cbor":"{}"}}"#, hex::encode(event(6, INCIDENT, Transition::Closed).to_cbor_vec().unwrap()))
                        .into_bytes()
            }),
        ),
        (
            "inputs: a proven one that is another's",
            logged(2, &|r, at| {
                r[at].line =
                    format!(r#"{{"sequence":7,"cbor":"{}"}}"#, hex::encode(event(7, LOG, Transition::Closed).to_cbor_vec().unwrap()))
                        .into_bytes()
            }),
        ),
        (
            "inputs: a proven event that is left out in the file",
            clean().with(|f| {
                let at = f.first("leaf") + 1;
                f.rows.remove(at);
            }),
        ),
        ("inputs: no event at all", logged(1, &|r, at| r[at].line = br#"{"sequence":6,"cbor":"00"}"#.to_vec())),
        (
            "inputs: upper-case digits",
            logged(1, &|r, at| {
                let l = String::from_utf8(r[at].line.clone()).unwrap();
                r[at].line = l.to_uppercase().replace("SEQUENCE", "sequence").replace("CBOR", "cbor").into_bytes();
            }),
        ),
        (
            "inputs: a field too many",
            logged(1, &|r, at| r[at].line = String::from_utf8(r[at].line.clone()).unwrap().replace("\"}", "\",\"x\":1}").into_bytes()),
        ),
        (
            "inputs: a number twice",
            logged(1, &|r, at| {
                r[at].line = String::from_utf8(r[at].line.clone()).unwrap().replace(",\"cbor\"", ",\"sequence\":6,\"cbor\"").into_bytes()
            }),
        ),
        (
            "inputs: a number with an exponent",
            logged(1, &|r, at| r[at].line = String::from_utf8(r[at].line.clone()).unwrap().replace(":6,", ":6e0,").into_bytes()),
        ),
    ]
}
