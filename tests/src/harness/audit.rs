//! What is in the gateway's database and at the platform, against what was acknowledged.
use super::gateway::Gateway;
use super::platform::Platform;
use super::traffic::Device;
use super::wait_for;
use std::collections::BTreeMap;
use std::time::Duration;
use tuoan::engine::Body;
use tuoan::store::Reader;

/// Every acknowledged message is stored, and none is stored twice. Where retention has cut the log's old end, because the disk is short, it is whole from there on.
pub fn stored_exactly_once(gateway: &Gateway, devices: &[Device]) {
    let reader = Reader::open(&gateway.dir.join("data")).expect("the gateway's database");
    let mut stored: BTreeMap<(String, u64, u64), u32> = BTreeMap::new();
    let (mut after, mut first) = (0, None);
    loop {
        let entries = reader.entries_after(after, 10_000).expect("entries");
        let Some(last) = entries.last_position() else { break };
        after = last;
        for entry in entries.iter() {
            first.get_or_insert(entry.position);
            if let Body::Message(m) = &entry.body
                && let (Some(boot), Some(seq)) = (m.boot, m.seq)
            {
                *stored.entry((m.device.to_string(), boot, seq)).or_default() += 1;
            }
        }
    }
    let twice: Vec<_> = stored.iter().filter(|(_, n)| **n > 1).take(5).collect();
    assert!(twice.is_empty(), "stored more than once: {twice:?}");
    let cut = first.is_some_and(|position| position > 1);
    for d in devices {
        let begins = stored.keys().find(|(id, boot, _)| *id == d.id && *boot == d.boot).map_or(0, |(.., seq)| *seq);
        let owed = d.acknowledged.iter().filter(|seq| !cut || **seq >= begins);
        let missing: Vec<_> = owed.filter(|seq| !stored.contains_key(&(d.id.clone(), d.boot, **seq))).take(5).collect();
        assert!(missing.is_empty(), "acknowledged to {} and not stored: {missing:?}", d.id);
    }
}

/// Every incident event of the gateway is at the platform once, in sequence without a gap, and nothing else is. How many there are.
pub fn delivered_exactly_once(gateway: &Gateway, platform: &Platform, limit: Duration) -> usize {
    let reader = Reader::open(&gateway.dir.join("data")).expect("the gateway's database");
    let mut events = Vec::new();
    let mut after = 0;
    loop {
        let page = reader.events_after(after, 1000).expect("events");
        let Some(last) = page.last() else { break };
        after = last.sequence;
        events.extend(page.into_iter().map(|e| e.event.expect("a readable event").id.to_string()));
    }
    let arrived = wait_for("every event to be at the platform", limit, || {
        let ids = ids(platform);
        (ids.len() >= events.len()).then_some(ids)
    });
    let (mut sent, mut got) = (events.clone(), arrived);
    sent.sort();
    got.sort();
    assert_eq!(sent, got, "the platform holds what the gateway decided, each once");
    let sites = platform.query("/v1/sites");
    let gaps = sites.pointer("/sites/0/gaps").and_then(|g| g.as_array().map(Vec::len)).unwrap_or(0);
    assert_eq!(gaps, 0, "gaps in the sequence: {sites}");
    events.len()
}

fn ids(platform: &Platform) -> Vec<String> {
    let (mut out, mut after) = (Vec::new(), 0i64);
    loop {
        let page = platform.query(&format!("/v1/events?site=site-1&after={after}&limit=1000"));
        let list = page["events"].as_array().cloned().unwrap_or_default();
        if list.is_empty() {
            return out;
        }
        out.extend(list.iter().filter_map(|e| e["id"].as_str().map(str::to_owned)));
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => return out,
        }
    }
}
