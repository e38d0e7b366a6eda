//! A node looks at all its sensors because somebody on the proofs page asked it to. What it finds comes as events in the log: `test.<sensor>.<word>` for each
//! sensor, then that the order is done. It proves that the node hears orders and its sensors answer; that a door's contact closes is proved at the door.
use super::super::deeds::{Doing, record};
use super::super::pages::{missing, ui};
use super::super::{QueryError, Shared};
use crate::engine::Body;
use crate::engine::input::Item;
use crate::nodes::order;
use crate::store::Reader;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::view::setup::SelfTest;
use tuoan_protocol::{DeviceId, EventKind};

/// A node that has not answered by then has not got the order, which has expired.
const WAIT_MS: i64 = order::EXPIRES_MS + 30_000;
/// Entries of the log that are looked through at a time.
const ENTRIES: usize = 5_000;
/// Answers of one node; none has so many sensors.
const FOUND: usize = 32;
/// Tests that are read of the store: the newest of each device counts.
const KEPT: usize = 500;
const KIND: &str = "self_test";
/// Stands in the record for a node that did not answer.
const SILENT: &str = "silent";

/// Tests that are under way.
#[derive(Debug, Default)]
pub struct Asked(Mutex<BTreeMap<DeviceId, Test>>);

#[derive(Debug, Clone)]
struct Test {
    order: u64,
    /// The log has been looked through to here.
    position: u64,
    since: i64,
    /// `sensor word`, as they came.
    found: Vec<String>,
}

impl Test {
    /// True: the order is done.
    fn hear(&mut self, item: &Item) -> bool {
        match item {
            Item::Event { kind: EventKind::CommandDone, command: Some(order) } => return *order == self.order,
            Item::Event { kind: EventKind::Other(name), .. } => {
                // `test.sht4x.ok`; a sensor's name may hold dots itself.
                let told = name.as_str().strip_prefix("test.").and_then(|t| t.rsplit_once('.'));
                if let Some((sensor, word)) = told.filter(|_| self.found.len() < FOUND) {
                    self.found.push(format!("{sensor} {word}"));
                }
            }
            _ => {}
        }
        false
    }
}

/// What the record says of a test: `sht4x ok · scd4x missing`.
fn read(at: i64, detail: &str) -> SelfTest {
    let pair = |part: &str| part.split_once(' ').map(|(sensor, word)| (sensor.to_owned(), word.to_owned()));
    if detail == SILENT { SelfTest::Silent(at) } else { SelfTest::Done(at, detail.split(" · ").filter_map(pair).collect()) }
}

/// The newest test of each device.
fn kept(reader: &Reader) -> crate::store::reader::Result<BTreeMap<String, SelfTest>> {
    let mut tests = BTreeMap::new();
    for row in reader.deeds(None, Some("self_tested"), None, KEPT)? {
        let of = read(row.deed.at, &row.deed.detail);
        tests.entry(row.deed.object).or_insert(of);
    }
    Ok(tests)
}

/// How each node's test stands; nothing of devices that take none.
pub(crate) async fn states(web: &Shared) -> BTreeMap<String, SelfTest> {
    let Some(nodes) = &web.deps.nodes else { return BTreeMap::new() };
    let mut tests = web.query(kept).await.unwrap_or_default();
    // Whoever tells its board and why it started is a node of this project.
    let known: Vec<String> = nodes.known().into_iter().filter(|k| k.is_node).map(|k| k.device.to_string()).collect();
    tests.retain(|id, _| known.contains(id));
    for id in known {
        tests.entry(id).or_insert(SelfTest::Never);
    }
    let asked = web.tests.0.lock().unwrap_or_else(PoisonError::into_inner);
    for id in asked.keys() {
        tests.insert(id.to_string(), SelfTest::Waiting);
    }
    tests
}

/// Looks through what the log has taken in since, and puts on record what has come of the tests.
pub(crate) async fn look(web: &Shared, visitor: &Visitor) -> Result<(), QueryError> {
    let mut asked = web.tests.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(from) = asked.values().map(|t| t.position).min() else { return Ok(()) };
    let entries = web.query(move |r| r.entries_after(from, ENTRIES)).await?;
    let now = web.deps.clock.utc_ms();
    let mut over = Vec::new();
    for entry in entries.iter() {
        if let Body::Message(m) = &entry.body
            && let Some(test) = asked.get_mut(&m.device).filter(|t| entry.position > t.position)
            && !m.retained
            // All of it: what a message says of several sensors is one answer.
            && m.items.iter().filter(|i| test.hear(i)).count() > 0
        {
            over.push((m.device.clone(), test.order, test.found.join(" · ")));
            asked.remove(&m.device);
        }
        asked.values_mut().for_each(|t| t.position = t.position.max(entry.position));
    }
    // As long as there is more to read the answer may be in it.
    let all_read = entries.len() < ENTRIES;
    for (device, test) in asked.iter().filter(|(_, t)| all_read && now.saturating_sub(t.since) > WAIT_MS) {
        over.push((device.clone(), test.order, SILENT.to_owned()));
    }
    {
        let mut held = web.tests.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, test) in asked {
            // Asked for again meanwhile: that one counts.
            if let Some(held) = held.get_mut(&id).filter(|h| h.order == test.order) {
                *held = test;
            }
        }
    }
    for (id, order, detail) in over {
        // Of two pages that look at once one has it on record already.
        let mine = {
            let mut held = web.tests.0.lock().unwrap_or_else(PoisonError::into_inner);
            if held.get(&id).is_some_and(|h| h.order == order) { held.remove(&id) } else { None }
        };
        let Some(test) = mine else { continue };
        if !record(web, visitor, Doing { kind: "self_tested", object: id.to_string(), detail, ..Doing::default() }).await {
            web.tests.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, test);
        }
    }
    Ok(())
}

#[derive(Debug, Default, serde::Deserialize)]
pub struct Of {
    #[serde(default)]
    id: String,
}

/// `POST /setup/proofs/test`.
pub(crate) async fn ask(State(web): State<Shared>, visitor: Visitor, Form(of): Form<Of>) -> Response {
    let ui = ui(&web, &visitor);
    let nodes = web.deps.nodes.clone();
    let known = nodes.as_ref().and_then(|n| n.known().into_iter().find(|k| k.is_node && k.device.as_str() == of.id));
    let (Some(nodes), Some(node)) = (nodes, known) else { return missing(&ui) };
    let sorry = |why: &str| {
        let text = ui.t1("error-self-test", "why", why.to_owned());
        (StatusCode::BAD_GATEWAY, Html(tuoan_dashboards::page::error(&ui, &ui.t("error-server"), &text))).into_response()
    };
    if !record(&web, &visitor, Doing { kind: KIND, object: node.device.to_string(), ..Doing::default() }).await {
        return sorry(&ui.t("error-setup-unsaved"));
    }
    let now = web.deps.clock.utc_ms();
    // A node passes over a number that it has done; orders of incidents have small ones.
    let order = now.max(0).unsigned_abs();
    let test = Test { order, position: web.deps.handle.committed.borrow().position, since: now, found: Vec::new() };
    web.tests.0.lock().unwrap_or_else(PoisonError::into_inner).insert(node.device.clone(), test);
    if let Err(why) = order::self_test(&nodes, &node.device, order).await {
        web.tests.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&node.device);
        return sorry(&why);
    }
    Redirect::to(&format!("/setup/proofs#proof-{}", node.device)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_protocol::id::OtherName;

    #[test]
    fn answers_are_gathered_until_this_order_is_done() {
        let mut test = Test { order: 7, position: 0, since: 0, found: Vec::new() };
        let said = |name: &str| Item::Event { kind: EventKind::Other(OtherName::new(name).unwrap()), command: None };
        let done = |n| Item::Event { kind: EventKind::CommandDone, command: Some(n) };
        for item in [said("test.sht4x.ok"), said("fault.scd4x.missing"), said("test.scd4x.missing"), said("test"), done(6)] {
            assert!(!test.hear(&item), "{item:?}");
        }
        assert!(test.hear(&done(7)));
        assert_eq!(test.found, ["sht4x ok", "scd4x missing"]);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(read(5, &test.found.join(" · ")), SelfTest::Done(5, vec![pair("sht4x", "ok"), pair("scd4x", "missing")]));
        assert_eq!(read(5, ""), SelfTest::Done(5, vec![]), "a node of contacts alone");
        assert_eq!(read(5, SILENT), SelfTest::Silent(5));
        (0..100).for_each(|_| assert!(!test.hear(&said("test.x.ok"))));
        assert_eq!(test.found.len(), FOUND);
    }
}
