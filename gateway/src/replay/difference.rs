//! Incidents of two runs side by side. An incident is the same when hazard and place are and they overlap in time: ids depend on everything
//! that was said before, and say nothing here.
use super::tally::Occurrence;
use std::collections::BTreeMap;
use tuoan_protocol::{HazardId, Place};

/// What another set of rules would have made of a history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Differences {
    /// In the order in which they opened.
    pub new: Vec<Occurrence>,
    pub gone: Vec<Occurrence>,
    /// As it was, and as it would have been.
    pub changed: Vec<(Occurrence, Occurrence)>,
    pub same: u64,
}

impl Differences {
    pub fn between(before: &[Occurrence], after: &[Occurrence]) -> Differences {
        let mut out = Differences::default();
        let mut waiting: BTreeMap<(&HazardId, &Place), Vec<&Occurrence>> = BTreeMap::new();
        for o in before.iter().rev() {
            waiting.entry((&o.hazard, &o.place)).or_default().push(o);
        }
        for o in after {
            let candidates = waiting.entry((&o.hazard, &o.place)).or_default();
            // Those that ended before it are met by nothing that comes later.
            while candidates.last().is_some_and(|b| end(b) < o.opened_at) {
                out.gone.extend(candidates.pop().cloned());
            }
            match candidates.pop_if(|b| b.opened_at <= end(o)) {
                Some(b) if alike(b, o) => out.same += 1,
                Some(b) => out.changed.push((b.clone(), o.clone())),
                None => out.new.push(o.clone()),
            }
        }
        out.gone.extend(waiting.into_values().flatten().cloned());
        out.gone.sort_by_key(|o| o.opened_at);
        out
    }
}

fn end(o: &Occurrence) -> i64 {
    o.returned_at.unwrap_or(i64::MAX)
}

fn alike(a: &Occurrence, b: &Occurrence) -> bool {
    let told = |o: &Occurrence| (o.opened_at, o.returned_at, o.closed, o.severity, o.basis, o.activations, o.active_ms, o.acknowledged);
    told(a) == told(b) && a.rule == b.rule
}
