//! The records that are there against the list that was signed: which were altered, removed, added, moved, cut off.
use crate::bundle::{Bundle, Listed, Section};
use crate::fault::Fault;
use crate::tree::Hash;
use crate::verify::event_of;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// Faults that are told apart; a file that differs everywhere is not worth more.
const ENOUGH: usize = 1000;

/// Empty when every record is the one that was signed, at its place.
pub fn compare(bundle: &Bundle<'_>) -> Vec<Fault> {
    let want = &bundle.list;
    let have: Vec<Hash> = bundle.lines.iter().map(|l| Sha256::digest(l).into()).collect();
    if want.len() == have.len() && want.iter().zip(&have).all(|(w, h)| w.hash == *h) {
        return bundle.end.iter().cloned().collect();
    }
    let wanted: HashMap<&Hash, usize> = want.iter().enumerate().map(|(i, w)| (&w.hash, i)).collect();
    let mut there: HashMap<&Hash, Vec<usize>> = HashMap::new();
    for (j, h) in have.iter().enumerate() {
        there.entry(h).or_default().push(j);
    }
    let next = |hash: &Hash, j: usize| there.get(hash).and_then(|all| all.get(all.partition_point(|t| *t <= j))).copied();
    let mut faults = Vec::new();
    // Records that stand too late or too early: named once, and passed over where they are met again.
    let (mut late, mut early) = (HashSet::new(), HashSet::new());
    let (mut i, mut j) = (0, 0);
    while faults.len() < ENOUGH {
        let line = bundle.lines.get(j).copied().unwrap_or_default();
        match (want.get(i), have.get(j)) {
            (None, None) => break,
            (Some(_), _) if early.remove(&i) => i += 1,
            (_, Some(h)) if late.remove(h) => j += 1,
            (Some(w), None) => {
                faults.push(Fault::Cut { first: w.named(i), missing: want.len() - i });
                break;
            }
            (None, Some(_)) => {
                faults.push(added(i, line));
                j += 1;
            }
            (Some(w), Some(h)) if w.hash == *h => (i, j) = (i + 1, j + 1),
            (Some(w), Some(h)) => match (next(&w.hash, j), wanted.get(h).copied()) {
                // Cut off within it.
                (None, None) if j + 1 == have.len() && i + 1 < want.len() && bundle.end.is_some() => {
                    faults.push(Fault::Cut { first: w.named(i), missing: want.len() - i });
                    break;
                }
                (None, None) => {
                    faults.push(altered(w, i, line));
                    (i, j) = (i + 1, j + 1);
                }
                (None, Some(k)) if k > i => {
                    faults.push(Fault::Removed(w.named(i)));
                    i += 1;
                }
                // The nearer of the two is at its place; the other one is not.
                (Some(t), Some(k)) if k > i && t - j > k - i => {
                    faults.push(Fault::Moved(w.named(i)));
                    late.insert(w.hash);
                    i += 1;
                }
                (Some(_), Some(k)) if k > i && next(h, j).is_none() => {
                    faults.push(Fault::Moved(want.get(k).map_or_else(|| w.named(i), |l| l.named(k))));
                    early.insert(k);
                    j += 1;
                }
                // A stranger, or a second copy.
                _ => {
                    faults.push(added(i, line));
                    j += 1;
                }
            },
        }
    }
    // A file that was cut, or lengthened, tells so by its records.
    if faults.is_empty() {
        faults.extend(bundle.end.clone());
    }
    faults
}

fn added(after: usize, line: &[u8]) -> Fault {
    Fault::Added { after, begins: String::from_utf8_lossy(line.get(..60).unwrap_or(line)).into_owned() }
}

fn altered(w: &Listed<'_>, index: usize, line: &[u8]) -> Fault {
    match (w.at, time_of(w.section, line)) {
        (Some(was), Some(is)) if was != is => Fault::Time { record: w.named(index), was, is },
        _ => Fault::Altered(w.named(index)),
    }
}

/// The time that a record says of itself.
fn time_of(section: Section, line: &[u8]) -> Option<i64> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    if section == Section::Leaf && value.get("kind").and_then(|k| k.as_str()) == Some("event") {
        return event_of(value.get("record")?.as_str()?).ok().map(|e| e.at);
    }
    value.get("at").or_else(|| value.get("time"))?.as_i64()
}
