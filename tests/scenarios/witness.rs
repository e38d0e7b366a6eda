//! The district as witness, over real HTTP: heads arrive, are countersigned and kept; a log that was cut, changed, begun anew or signed by another key is
//! refused and shown, until a supervisor accepts what can be accepted.
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tuoan_tests::harness::gateway::{Gateway, MANY_INCIDENTS, Setup};
use tuoan_tests::harness::platform::Platform;
use tuoan_tests::harness::traffic::Traffic;
use tuoan_tests::harness::{tuoan, wait_for};

const LONG: Duration = Duration::from_secs(60);

/// The newest head that the platform has of its site.
fn head(platform: &Platform) -> Value {
    platform.query("/v1/heads")["heads"][0].clone()
}
fn size(head: &Value) -> u64 {
    head["head"]["size"].as_u64().unwrap_or(0)
}

/// Lets so many messages through, and starts again: a gateway sends its head when it starts, and then once a minute.
fn go_on(gateway: &mut Gateway, messages: u64, boot: u64) {
    let traffic = Traffic::start(gateway.mqtt, 2, boot);
    wait_for("traffic", LONG, || (traffic.sent() >= messages).then_some(()));
    traffic.finish();
    gateway.kill();
    gateway.restart();
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap() {
            t if t.is_dir() => copy(&from, &to),
            t if t.is_file() => drop(std::fs::copy(from, to).unwrap()),
            _ => {}
        }
    }
}

#[test]
fn heads_are_countersigned_and_another_past_is_refused_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let mut platform = Platform::start(dir.path(), None);
    let setup = Setup { platform: Some((platform.url(), platform.token.clone())), top: MANY_INCIDENTS.into(), ..Setup::default() };
    let mut gateway = Gateway::start(dir.path(), &setup);
    let data = dir.path().join("data");
    let refused = |platform: &Platform, why: &str| {
        let text = wait_for(why, LONG, || head(platform)["trouble"][0].as_str().filter(|t| t.contains(why)).map(str::to_owned));
        assert!(text.contains(why), "{text}");
    };

    // Heads arrive, each going on from the one before.
    go_on(&mut gateway, 300, 1);
    let first = wait_for("the first head", LONG, || Some(head(&platform)).filter(|h| size(h) > 0));
    gateway.kill();
    copy(&data, &dir.path().join("early"));
    gateway.restart();
    go_on(&mut gateway, 300, 2);
    let second = wait_for("a longer head", LONG, || Some(head(&platform)).filter(|h| size(h) > size(&first)));
    assert!(second["trouble"].is_null() && second["head"]["key"] == first["head"]["key"], "{second}");
    wait_for("the gateway to know", LONG, || (gateway.metric("tuoan_witness_records") >= size(&second) as f64).then_some(()));
    assert_eq!(gateway.metric("tuoan_witness_refused"), 0.0);

    // What is exported carries the district's word, and it holds for somebody who has nothing but the two keys.
    let data_arg = data.to_str().unwrap();
    let listed: Value = serde_json::from_str(&tuoan(&["incidents", "list", "--json", "--data", data_arg]).out).unwrap();
    let incident = listed.as_array().or_else(|| listed["incidents"].as_array()).unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    let out = dir.path().join("evidence.html");
    let made = tuoan(&["evidence", "export", "--incident", &incident, "--out", out.to_str().unwrap(), "--data", data_arg]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let site_key = tuoan(&["evidence", "key", "--data", data_arg]).out;
    std::fs::write(dir.path().join("site.pub"), &site_key).unwrap();
    let district_key = platform.query("/v1/heads")["key"].as_str().unwrap().to_owned();
    let verify = |witness: &str| {
        let site = dir.path().join("site.pub");
        tuoan(&["evidence", "verify", out.to_str().unwrap(), "--key", site.to_str().unwrap(), "--witness", witness])
    };
    let verified = verify(&district_key);
    assert!(verified.code == Some(0) && verified.out.contains("the district countersigned the log"), "{}{}", verified.out, verified.err);
    assert_eq!(verify(first["head"]["key"].as_str().unwrap()).code, Some(1), "another witness");

    // An earlier copy of the log: records were taken away. What the platform has seen survives its own death.
    gateway.kill();
    copy(&data, &dir.path().join("late"));
    copy(&dir.path().join("early"), &data);
    platform.kill();
    platform.restart();
    gateway.restart();
    refused(&platform, "records were taken away");
    wait_for("the gateway to say so", LONG, || (gateway.metric("tuoan_witness_refused") == 1.0).then_some(()));
    assert_eq!(head(&platform)["head"], second["head"], "what was witnessed stays");
    // It grows again, past what was witnessed: another past.
    go_on(&mut gateway, 900, 3);
    refused(&platform, "records were changed");

    // The true log, and another key: it waits for a supervisor.
    gateway.kill();
    copy(&dir.path().join("late"), &data);
    std::fs::remove_file(data.join("site.key")).unwrap();
    gateway.restart();
    go_on(&mut gateway, 50, 4);
    refused(&platform, "another key than before");
    let asked = platform.query("/v1/heads")["waiting"][0].clone();
    assert_eq!((asked["known_log"].as_bool(), asked["site"].as_str()), (Some(true), Some("site-1")));
    let accept = |token: &str, q: &Value| {
        let body = json!({"site": q["site"], "log": q["log"], "key": q["key"], "reason": "主机更换，已电话核实"});
        platform.post("/v1/heads/accept", token, &body).0
    };
    assert_eq!(accept(&platform.token, &asked), 403, "a site cannot accept its own key");
    assert_eq!(accept(&platform.reader, &asked), 200);
    assert_eq!(accept(&platform.reader, &asked), 404, "an answer is given once");
    go_on(&mut gateway, 50, 5);
    let third = wait_for("a head by the new key", LONG, || Some(head(&platform)).filter(|h| h["head"]["key"] == asked["key"]));
    assert!(size(&third) > size(&second) && third["trouble"].is_null(), "{third}");

    // A log that begins anew.
    gateway.kill();
    std::fs::remove_dir_all(&data).unwrap();
    gateway.restart();
    go_on(&mut gateway, 300, 6);
    let asked =
        wait_for("the new log to be asked for", LONG, || Some(platform.query("/v1/heads")["waiting"][0].clone()).filter(Value::is_object));
    assert_eq!(asked["known_log"].as_bool(), Some(false));
    assert_eq!(platform.query("/v1/heads")["heads"].as_array().unwrap().len(), 1);
    assert_eq!(accept(&platform.reader, &asked), 200);
    go_on(&mut gateway, 50, 7);
    wait_for("the new log's head", LONG, || (platform.query("/v1/heads")["heads"].as_array().unwrap().len() == 2).then_some(()));
    let words = platform.query("/v1/heads")["accepted"].clone();
    assert_eq!((words.as_array().unwrap().len(), words[0]["answer"]["actor"].as_str()), (2, Some("赵主任")));
}
