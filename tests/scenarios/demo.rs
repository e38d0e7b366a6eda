//! The demonstration day from end to end, as a visitor plays it: `tuoan demo --headless`, its report, and what the commands say of its data.
use serde_json::Value;
use std::collections::BTreeSet;
use tuoan_tests::harness::tuoan;

#[test]
fn the_day_comes_out_as_promised() {
    let dir = tempfile::tempdir().unwrap();
    let (data, report) = (dir.path().join("data"), dir.path().join("report.json"));
    let (data, file) = (data.to_str().unwrap(), report.to_str().unwrap());
    let played = tuoan(&["demo", "--headless", "--report", file, "--data", data]);
    assert_eq!(played.code, Some(0), "{}\n{}", played.out, played.err);

    let r: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let number = |key: &str| r[key].as_u64().unwrap_or_else(|| panic!("{key} is not in {r}"));
    assert_eq!((number("lost"), number("duplicated"), number("quarantined")), (0, 0, 0), "{r}");
    assert!(number("stored") >= number("acknowledged"), "{r}");
    assert_eq!(number("published"), number("acknowledged"), "{r}");
    assert!(number("published") >= 5000, "not a nursery's day: {r}");
    let staged = r["staged"].as_array().unwrap();
    let kinds: BTreeSet<_> = staged.iter().filter_map(|s| s["hazard"].as_str()).collect();
    assert!(kinds.len() >= 8, "{kinds:?}");
    let off: Vec<_> = staged.iter().filter(|s| s["incidents"] != 1).collect();
    assert!(off.is_empty(), "staged and not exactly one incident: {off:?}");
    assert_eq!(number("unexpected"), 0, "{r}");
    assert!(number("alerts_sent") > 0 && number("alerts_sent") == number("alerts_received"), "{r}");
    assert!(number("metrics_points") > 0, "{r}");
    let latency = |key: &str| r["alert_latency_ms"][key].as_f64().unwrap_or_default();
    assert!(0.0 < latency("p50") && latency("p50") <= latency("p99") && latency("p99") <= latency("max"), "{r}");
    assert!(r["seed"].is_u64() && r["natural"].is_array(), "{r}");

    // The folder is kept, and every command can look into it.
    let listed = tuoan(&["incidents", "list", "--json", "--data", data]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let incidents: Vec<Value> = serde_json::from_str(&listed.out).unwrap();
    let hazards: BTreeSet<_> = incidents.iter().filter_map(|i| i["hazard"].as_str()).collect();
    assert!(kinds.is_subset(&hazards), "staged {kinds:?}, listed {hazards:?}");
    let natural: u64 = r["natural"].as_array().unwrap().iter().filter_map(|n| n["incidents"].as_u64()).sum();
    assert_eq!(incidents.len() as u64, staged.len() as u64 + natural, "{hazards:?}");
    let quarantine = tuoan(&["quarantine", "list", "--data", data]);
    assert!(quarantine.code == Some(0) && quarantine.out.is_empty(), "{quarantine:?}");

    // The stored inputs give the same incident log again, from the store and from a text file.
    let file = dir.path().join("day.jsonl");
    let file = file.to_str().unwrap();
    let replayed = tuoan(&["replay", "--json", "--data", data]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let exact: Value = serde_json::from_str(&replayed.out).unwrap();
    assert_eq!((&exact["same"], &exact["stored"]), (&Value::Bool(true), &exact["replayed"]), "{exact}");
    // The canary, which proves the chain each hour, is a message and an event of the log and no alarm.
    let canaries = number("stored") - number("acknowledged");
    assert_eq!(exact["stored"]["events"].as_u64(), Some(number("alerts_sent") + canaries), "{exact}");
    assert_eq!(exact["stored"]["sha256"].as_str().map(str::len), Some(64), "{exact}");
    assert_eq!(tuoan(&["replay", "--export", file, "--data", data]).code, Some(0));
    let again: Value = serde_json::from_str(&tuoan(&["replay", "--json", file]).out).unwrap();
    assert_eq!(again, exact);
}
