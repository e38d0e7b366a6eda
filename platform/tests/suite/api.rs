//! The API from outside, each scenario on SQLite and on PostgreSQL.

use super::common::*;
use serde_json::{Value, json};
use std::io::Write;

/// Runs every scenario twice, each time on a database of its own.
macro_rules! on_both {
    ($($name:ident)*) => { $(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() { super::$name(super::World::sqlite().await).await; }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() { super::$name(super::World::postgres().await).await; }
        }
    )* };
}

on_both! { receipts_and_duplicates the_canary_has_a_receipt_and_is_shown_to_nobody gaps_and_tombstones order_does_not_matter conflicts_and_unrecorded_copies bad_members_do_not_spoil_the_batch
hostile_requests concurrent_copies_are_stored_once list_order_and_pages claims_and_acknowledgements silence sees_its_own_site_only
influx_write_and_query influx_refusals influx_retention influx_many_points }

async fn receipts_and_duplicates(mut w: World) {
    let batch = [event("a", 1, "E1", "E1", "opened"), event("a", 2, "E2", "E1", "acknowledged"), heartbeat("a", "H1")];
    let (status, first) = w.send(SITE_A, &batch).await;
    assert_eq!(status, 200, "{first}");
    let receipts = first["receipts"].as_array().unwrap();
    assert_eq!(receipts.iter().map(|r| r["id"].as_str().unwrap()).collect::<Vec<_>>(), ["E1", "E2", "H1"]);
    assert!(receipts.iter().all(|r| r["status"] == "accepted" && r["received_at"] == T0 && r["reason"].is_null()));
    assert_eq!(first["gaps"], json!([]));

    w.at(5_000);
    w.restart().await;
    let (_, second) = w.send(SITE_A, &batch[..2]).await;
    for (a, b) in receipts.iter().zip(second["receipts"].as_array().unwrap()) {
        assert_eq!(b["status"], "duplicate");
        assert_eq!((&a["receipt"], &a["received_at"]), (&b["receipt"], &b["received_at"]), "a copy gets the first receipt");
    }
    let (status, single) =
        w.post("/v1/events", SITE_A, "application/cloudevents+json; charset=utf-8", serde_json::to_vec(&batch[0]).unwrap()).await;
    assert_eq!((status, &single["receipts"][0]["status"]), (200, &json!("duplicate")));

    let (_, detail) = w.get("/v1/incidents/E1", READER).await;
    assert_eq!(detail["incident"]["events"], 2);
    assert_eq!(detail["incident"]["place_name"], "托小班2");
    assert_eq!(detail["incident"]["site_name"], "星园");
    assert_eq!(detail["events"][0]["receipt"], receipts[0]["receipt"]);
    assert_eq!(detail["events"][1]["data"]["event"]["transition"], "acknowledged");
    let (_, sent) = w.get("/v1/events?site=a", READER).await;
    assert_eq!((&sent["total"], &sent["duplicates"], &sent["events"][1]["sequence"]), (&json!(2), &json!(3), &json!(2)));
    assert_eq!(w.site("a").await["heartbeat"]["queue"]["metrics"], 3);
}

async fn the_canary_has_a_receipt_and_is_shown_to_nobody(w: World) {
    let mut canary = event("a", 1, "C1", "C1", "opened");
    canary["data"]["event"]["exercise"] = json!("canary");
    let (_, answer) = w.send(SITE_A, &[canary.clone(), event("a", 2, "E2", "E2", "opened")]).await;
    assert_eq!((&answer["receipts"][0]["status"], &answer["receipts"][1]["status"]), (&json!("accepted"), &json!("accepted")));
    assert_eq!(answer["gaps"], json!([]), "it counts in the sequence");
    let (_, again) = w.send(SITE_A, &[canary]).await;
    assert_eq!(again["receipts"][0]["status"], "duplicate");
    let (_, list) = w.get("/v1/incidents", READER).await;
    let shown: Vec<&Value> = list["incidents"].as_array().unwrap().iter().map(|i| &i["id"]).collect();
    assert_eq!(shown, [&json!("E2")]);
    assert_eq!(w.get("/v1/incidents/C1", READER).await.0, 404);
}

async fn gaps_and_tombstones(w: World) {
    let e = |n: u64| event("a", n, &format!("E{n}"), "E1", "raised");
    let gaps = async |events: &[Value]| w.send(SITE_A, events).await.1["gaps"].clone();
    assert_eq!(gaps(&[e(3)]).await, json!([[1, 2]]));
    assert_eq!(gaps(&[e(10)]).await, json!([[1, 2], [4, 9]]));
    assert_eq!(gaps(&[e(6), tombstone("a", 7, "01HZY0000000000000000000LG-7")]).await, json!([[1, 2], [4, 5], [8, 9]]));
    assert_eq!(gaps(&[e(1)]).await, json!([[2, 2], [4, 5], [8, 9]]));
    assert_eq!(w.site("a").await["logs"][0]["gaps"], json!([[2, 2], [4, 5], [8, 9]]));
    assert_eq!(gaps(&[e(9), e(8), e(2), e(2), e(4), e(5)]).await, json!([]));
    assert_eq!(w.site("a").await["logs"], json!([{"log": "L1", "highest": 10, "gaps": []}]));
}

async fn order_does_not_matter(w: World) {
    let mut events = [
        event("a", 1, "E1", "E1", "opened"),
        event("a", 2, "E2", "E1", "raised"),
        event("a", 3, "E3", "E1", "returned"),
        event("a", 4, "E4", "E1", "closed"),
    ];
    events[1]["data"]["event"]["severity"] = json!(2);
    events[3]["data"]["event"]["severity"] = json!(3);
    for (i, e) in events.iter().rev().enumerate() {
        w.at(i as i64);
        assert_eq!(w.statuses(SITE_A, std::slice::from_ref(e)).await, ["accepted"]);
    }
    assert!(w.incidents("").await.is_empty(), "the newest event closed it");
    let all = w.incidents("?state=all").await;
    assert_eq!(all.len(), 1);
    assert_eq!((&all[0]["severity"], &all[0]["closed"], &all[0]["events"]), (&json!(3), &json!(true), &json!(4)));
    assert_eq!((&all[0]["opened_at"], &all[0]["updated_at"]), (&json!(T0 + 1), &json!(T0 + 4)));
}

async fn conflicts_and_unrecorded_copies(w: World) {
    let original = event("a", 1, "E1", "E1", "opened");
    let mut other = original.clone();
    other["data"]["event"]["severity"] = json!(4);
    let same_sequence = event("a", 1, "X1", "X1", "opened");
    assert_eq!(w.statuses(SITE_A, &[original.clone(), other.clone(), same_sequence]).await, ["accepted", "conflict", "conflict"]);
    assert_eq!(w.incidents("").await[0]["severity"], 1, "the first stays");
    assert_eq!(w.site("a").await["conflicts"], 2);

    // A full disk: the alarm goes out marked, and its recorded twin follows.
    let mut unrecorded = event("a", 2, "E2", "E2", "opened");
    unrecorded["data"]["unrecorded"] = json!(true);
    assert_eq!(w.statuses(SITE_A, &[unrecorded.clone(), unrecorded.clone()]).await, ["accepted", "duplicate"]);
    let flag = async || w.get("/v1/incidents/E2", READER).await.1["incident"]["unrecorded"].clone();
    assert_eq!(flag().await, true);
    assert_eq!(w.site("a").await["logs"][0]["highest"], 1, "its number is not yet certain");
    let recorded = event("a", 2, "E2", "E2", "opened");
    assert_eq!(w.statuses(SITE_A, &[recorded.clone(), unrecorded, recorded]).await, ["accepted", "duplicate", "duplicate"]);
    assert_eq!(flag().await, false);
    assert_eq!(w.get("/v1/incidents/E2", READER).await.1["events"].as_array().unwrap().len(), 1);
    assert_eq!(w.site("a").await["logs"][0], json!({"log": "L1", "highest": 2, "gaps": []}));

    // After a crash the number may belong to another event: the recorded one wins, the other is kept apart.
    let mut lost = event("a", 3, "E3", "E3", "opened");
    lost["data"]["unrecorded"] = json!(true);
    let mut differs = event("a", 3, "E3", "E3", "opened");
    differs["data"]["event"]["hazard"] = json!("gas.leak");
    assert_eq!(w.statuses(SITE_A, &[lost, differs]).await, ["accepted", "accepted"]);
    assert_eq!(w.get("/v1/incidents/E3", READER).await.1["incident"]["hazard"], "gas.leak");
    assert_eq!(w.site("a").await["conflicts"], 3);

    // A tombstone settles the number of an unrecorded alarm and leaves the alarm; the mended event replaces its tombstone.
    let mut alarm = event("a", 4, "E4", "E4", "opened");
    alarm["data"]["unrecorded"] = json!(true);
    assert_eq!(w.statuses(SITE_A, &[alarm, tombstone("a", 4, "E4"), tombstone("a", 5, "E5")]).await, ["accepted"; 3]);
    assert_eq!(w.get("/v1/incidents/E4", READER).await.1["incident"]["hazard"], "fire.smoke");
    assert_eq!(w.site("a").await["logs"][0], json!({"log": "L1", "highest": 5, "gaps": []}));
    assert_eq!(w.statuses(SITE_A, &[event("a", 5, "E5", "E5", "opened"), event("a", 4, "E4", "E4", "opened")]).await, ["accepted"; 2]);
    assert_eq!(w.get("/v1/incidents/E5", READER).await.0, 200);
    assert_eq!(w.get("/v1/incidents/E4", READER).await.1["incident"]["unrecorded"], false);
    assert_eq!(w.site("a").await["conflicts"], 3);
}

async fn bad_members_do_not_spoil_the_batch(w: World) {
    let mut foreign = event("b", 1, "F1", "F1", "opened");
    foreign["data"]["event"]["site"] = json!("b");
    let mut nul = event("a", 9, "N1", "N1", "opened");
    nul["data"]["place_name"] = json!("nul \u{0} inside");
    let batch = [json!(null), json!({"id": "half"}), foreign, event("a", 1, "E1", "E1", "opened"), json!([1]), nul];
    let (status, answer) = w.send(SITE_A, &batch).await;
    assert_eq!(status, 200, "{answer}");
    let statuses: Vec<_> = answer["receipts"].as_array().unwrap().iter().map(|r| r["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["rejected", "rejected", "rejected", "accepted", "rejected", "accepted"]);
    assert_eq!(answer["receipts"][1]["id"], "half");
    assert!(answer["receipts"][2]["reason"].as_str().unwrap().contains("token belongs to"));
    let site = w.site("a").await;
    assert_eq!((&site["rejected"], &site["events"]), (&json!(4), &json!(2)));
    assert!(w.incidents("?site=b").await.is_empty());
}

async fn hostile_requests(w: World) {
    const BATCH: &str = "application/cloudevents-batch+json";
    assert_eq!(w.post("/v1/events", "wrong-token-0123456789", BATCH, b"[]".to_vec()).await.0, 401);
    assert_eq!(w.client.post(w.url("/v1/events")).body("[]").send().await.unwrap().status(), 401);
    assert_eq!(w.post("/v1/events", READER, BATCH, b"[]".to_vec()).await.0, 403);
    assert_eq!(w.post("/v1/events", SITE_A, "application/json", b"[]".to_vec()).await.0, 415);
    for body in [&b"["[..], b"{}", b"\xff\xfe", b"", b"7"] {
        let (status, answer) = w.post("/v1/events", SITE_A, BATCH, body.to_vec()).await;
        assert_eq!(status, 400, "{body:?}: {answer}");
    }
    assert_eq!(w.post("/v1/events", SITE_A, BATCH, "[".repeat(100_000).into_bytes()).await.0, 400);
    assert_eq!(w.post("/v1/events", SITE_A, BATCH, vec![b' '; 1024 * 1024 + 1]).await.0, 413);
    assert_eq!(w.post("/v1/events", SITE_A, BATCH, serde_json::to_vec(&vec![json!(1); 501]).unwrap()).await.0, 413);
    assert_eq!(w.post("/v1/events", SITE_A, BATCH, b"[]".to_vec()).await.0, 200);
    for path in ["/v1/incidents?after=x", "/v1/incidents?state=maybe", "/v1/incidents?limit=x", "/v1/events?after=%00"] {
        assert_eq!(w.get(path, READER).await.0, 400, "{path}");
    }
    for path in ["/v1/incidents/%00", "/v1/incidents/none", "/v1/incidents?site=%27%3B--%00"] {
        let status = w.get(path, READER).await.0;
        assert!([200, 400, 404].contains(&status), "{path}: {status}");
    }
    assert_eq!(w.client.get(w.url("/healthz")).send().await.unwrap().status(), 200);
    assert!(w.client.get(w.url("/metrics")).send().await.unwrap().text().await.unwrap().contains("tuoan_platform_events_total"));
}

async fn concurrent_copies_are_stored_once(w: World) {
    let events: Vec<Value> = (1..=50).map(|n| event("a", n, &format!("E{n}"), "E1", "raised")).collect();
    let reversed: Vec<Value> = events.iter().rev().cloned().collect();
    let answers = futures::future::join_all((0..8).map(|i| w.statuses(SITE_A, if i % 2 == 0 { &events } else { &reversed }))).await;
    let accepted = answers.iter().flatten().filter(|s| *s == "accepted").count();
    let duplicates = answers.iter().flatten().filter(|s| *s == "duplicate").count();
    assert_eq!((accepted, duplicates), (50, 350));
    let (_, sent) = w.get("/v1/events?site=a&limit=1000", READER).await;
    assert_eq!(sent["events"].as_array().unwrap().len(), 50);
    assert_eq!(w.site("a").await["logs"][0], json!({"log": "L1", "highest": 50, "gaps": []}));
}

async fn list_order_and_pages(w: World) {
    let with = |site: &str, n: u64, severity: u8, basis: &str| {
        let mut e = event(site, n, &format!("{site}{n}"), &format!("{site}{n}"), "opened");
        e["data"]["event"]["severity"] = json!(severity);
        e["data"]["event"]["basis"] = json!(basis);
        e
    };
    w.statuses(
        SITE_A,
        &[with("a", 1, 2, "inferred"), with("a", 2, 2, "confirmed"), with("a", 3, 1, "inferred"), with("a", 4, 4, "confirmed")],
    )
    .await;
    w.statuses(SITE_B, &[with("b", 1, 2, "confirmed"), with("b", 2, 1, "confirmed")]).await;
    let ids = |rows: &[Value]| rows.iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let expected = ["b2", "a3", "b1", "a2", "a1", "a4"];
    assert_eq!(ids(&w.incidents("").await), expected);
    let mut paged = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let (_, page) = w.get(&format!("/v1/incidents{query}"), READER).await;
        paged.extend(ids(page["incidents"].as_array().unwrap()));
        match page["next"].as_str() {
            Some(next) => query = format!("?limit=2&after={next}"),
            None => break,
        }
    }
    assert_eq!(paged, expected);
    assert_eq!(ids(&w.incidents("?site=b").await), ["b2", "b1"]);
}

async fn claims_and_acknowledgements(w: World) {
    w.statuses(SITE_A, &[event("a", 1, "E1", "E1", "opened"), event("a", 2, "E2", "E2", "closed")]).await;
    let act = async |what: &str, token: &str| w.post(&format!("/v1/incidents/{what}"), token, "application/json", vec![]).await;
    w.at(1_000);
    assert_eq!(act("E1/claim", READER).await, (200, json!({"by": "王主任", "at": T0 + 1_000})));
    w.at(2_000);
    assert_eq!(act("E1/claim", READER).await, (200, json!({"by": "王主任", "at": T0 + 1_000})), "again changes nothing");
    let (status, answer) = act("E1/claim", SECOND_READER).await;
    assert_eq!(status, 409);
    assert!(answer["message"].as_str().unwrap().contains("王主任"));
    assert_eq!(act("E1/acknowledge", SECOND_READER).await.0, 200);
    assert_eq!(act("E2/claim", READER).await.0, 409, "closed");
    assert_eq!(act("E9/claim", READER).await.0, 404);
    assert_eq!(act("E1/claim", SITE_A).await.0, 403);
    let row = &w.incidents("").await[0];
    assert_eq!(
        (&row["claimed"]["by"], &row["district_acknowledged"]["by"], &row["version"]),
        (&json!("王主任"), &json!("李科长"), &json!(3))
    );
}

async fn silence(w: World) {
    w.statuses(SITE_A, &[heartbeat("a", "H1")]).await;
    w.at(135_000);
    assert_eq!(w.site("a").await["contact"], "heard");
    assert_eq!(w.site("b").await["contact"], "never");
    w.at(135_001);
    assert_eq!(w.site("a").await["contact"], "silent");
    let open = async |n: usize| {
        // It looks once a second; a machine that builds and tests at once may make it wait.
        for _ in 0..1_200 {
            let rows = w.incidents("").await;
            if rows.len() == n {
                return rows;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("expected {n} open incidents, have {:?}", w.incidents("").await)
    };
    let rows = open(1).await;
    assert_eq!((&rows[0]["hazard"], &rows[0]["origin"], &rows[0]["opened_at"]), (&json!("gateway.silent"), &json!("platform"), &json!(T0)));
    w.at(400_000);
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert_eq!(w.incidents("?state=all").await.len(), 1, "once per outage");
    w.statuses(SITE_A, &[heartbeat("a", "H2")]).await;
    assert!(w.incidents("").await.is_empty());
    w.at(800_000);
    open(1).await;
    let all = w.incidents("?state=all").await;
    assert_eq!(all.len(), 2);
    assert_eq!(w.site("a").await["silences"], 2);
}

async fn sees_its_own_site_only(w: World) {
    w.statuses(SITE_A, &[event("a", 1, "E1", "E1", "opened")]).await;
    w.statuses(SITE_B, &[event("b", 1, "E1", "E1", "opened")]).await;
    let (_, own) = w.get("/v1/incidents", SITE_A).await;
    assert_eq!(own["incidents"].as_array().unwrap().len(), 1);
    assert_eq!(own["incidents"][0]["site"], "a");
    assert_eq!(w.get("/v1/incidents?site=b", SITE_A).await.0, 403);
    assert_eq!(w.get("/v1/events?site=b", SITE_A).await.0, 403);
    assert_eq!(w.get("/v1/incidents/E1", SITE_A).await.1["incident"]["site"], "a");
    assert_eq!(w.get("/v1/incidents/E1", READER).await.0, 409, "two sites have it");
    assert_eq!(w.get("/v1/incidents/E1?site=b", READER).await.1["incident"]["site"], "b");
    assert_eq!(w.get("/v1/sites", SITE_A).await.1["sites"].as_array().unwrap().len(), 1);
}

async fn influx_write_and_query(mut w: World) {
    let s = T0 / 1_000;
    let lines = format!(
        "# readings\nreading,site=a,zone=z1 temperature=20.5,people=3i,open=true {s}\n\nreading,site=a,zone=z1 temperature=21.5,people=5i,open=false {}\r\nreading,site=b temperature=10,note=\"a, \\\"b\\\"\" {}\n",
        s + 60,
        s + 120
    );
    assert_eq!(w.write("&precision=s", &lines).await, (204, Value::Null));
    assert_eq!(w.write("&precision=s", &lines).await, (204, Value::Null), "the same points overwrite");
    w.restart().await;
    assert_eq!(w.write("&precision=ms", &format!("reading,zone=z1,site=a temperature=22 {}", (s + 60) * 1_000)).await.0, 204);
    assert_eq!(w.platform.as_ref().unwrap().points_count().await.unwrap(), 8);
    w.at(180_000);
    let from = "from(bucket:\"tuoan\") |> range(start:-1h)";
    let (status, csv) = w.flux(&format!("{from} |> filter(fn:(r)=> r._field==\"temperature\" and r.site==\"a\")")).await;
    let expected = "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string,string\r\n\
        #group,false,false,true,true,false,false,true,true,true,true\r\n#default,_result,,,,,,,,,\r\n\
        ,result,table,_start,_stop,_time,_value,_field,_measurement,site,zone\r\n\
        ,,0,2026-11-22T05:35:00Z,2026-11-22T06:35:00Z,2026-11-22T06:32:00Z,20.5,temperature,reading,a,z1\r\n\
        ,,0,2026-11-22T05:35:00Z,2026-11-22T06:35:00Z,2026-11-22T06:33:00Z,22,temperature,reading,a,z1\r\n\r\n";
    assert_eq!((status, csv.as_str()), (200, expected));
    let value = async |stages: &str| {
        let (status, csv) = w.flux(&format!("{from} {stages}")).await;
        assert_eq!(status, 200, "{csv}");
        let lines: Vec<Vec<String>> = csv.lines().map(|l| l.split(',').map(str::to_owned).collect()).collect();
        let column = lines.get(3).and_then(|h| h.iter().position(|c| c == "_value"));
        column.map(|c| lines[4][c].clone()).unwrap_or_default()
    };
    let a = "|> filter(fn:(r)=> r.site==\"a\") |> filter(fn:(r)=> r._field==\"temperature\")";
    assert_eq!(value("|> group() |> count()").await, "8");
    assert_eq!(value(&format!("{a} |> count()")).await, "2");
    assert_eq!(value(&format!("{a} |> mean()")).await, "21.25");
    assert_eq!(value(&format!("{a} |> last()")).await, "22");
    assert_eq!(value(&format!("{a} |> first()")).await, "20.5");
    assert_eq!(value("|> filter(fn:(r)=> r._field==\"people\") |> sum()").await, "8");
    assert_eq!(value("|> filter(fn:(r)=> r._field==\"people\") |> max()").await, "5");
    assert_eq!(value("|> filter(fn:(r)=> r._field==\"open\") |> last()").await, "false");
    assert_eq!(value("|> filter(fn:(r)=> r._field==\"temperature\") |> group() |> min()").await, "10");
    assert_eq!(value("|> filter(fn:(r)=> r._field==\"absent\") |> count()").await, "");
    let json = json!({"query": format!("{from} |> filter(fn:(r)=> r._field==\"note\")"), "type": "flux", "dialect": {}});
    let (_, csv) = {
        let request = w.client.post(w.url("/api/v2/query?org=tuoan")).header("authorization", format!("Token {INFLUX}"));
        let r = request.json(&json).send().await.unwrap();
        (r.status(), r.text().await.unwrap())
    };
    assert!(csv.contains(r#""a, ""b""""#), "{csv}");
}

async fn influx_retention(mut w: World) {
    let day = 86_400_000i64;
    assert_eq!(w.write("&precision=ms", &format!("m f=1 {T0}\nm f=2 {}", T0 + 2 * day)).await.0, 204);
    w.at(31 * day);
    // What has outlived the retention on its way is told to the sender, not taken and removed later.
    let (status, answer) = w.write("&precision=ms", &format!("m f=3 {T0}\nm f=2 {}", T0 + 2 * day)).await;
    assert_eq!(status, 422);
    assert!(answer["message"].as_str().unwrap().contains("points beyond retention policy dropped=1"), "{answer}");
    // Old points are removed at the start and then each hour.
    w.restart().await;
    for _ in 0..200 {
        if w.platform.as_ref().unwrap().points_count().await.unwrap() == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the point of 31 days ago is still here");
}

async fn influx_refusals(w: World) {
    // Within the retention time: the clean-up at the start, which may come late on a busy machine, must not take them.
    let ns = T0 * 1_000_000;
    let (status, answer) = w.write("", "m f=1\nm f=\nm f=NaN").await;
    assert_eq!((status, &answer["code"]), (400, &json!("invalid")));
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("line 2") && message.contains("line 3"), "{message}");
    assert_eq!(w.platform.as_ref().unwrap().points_count().await.unwrap(), 0, "nothing of a malformed body is stored");
    assert_eq!(w.write("", &format!("m f=1 {ns}")).await.0, 204);
    let (status, answer) = w.write("", &format!("m f=1i {}\nm f=2 {}", ns + 1, ns + 2)).await;
    assert_eq!((status, &answer["code"]), (422, &json!("unprocessable entity")));
    assert!(
        answer["message"].as_str().unwrap().contains("field type conflict") && answer["message"].as_str().unwrap().contains("dropped=1")
    );
    assert_eq!(w.platform.as_ref().unwrap().points_count().await.unwrap(), 2);
    assert_eq!(w.write("&precision=h", "m f=1").await.0, 400);
    assert_eq!(w.write("&precision=s", "m f=1 9223372036854775807").await.0, 400);
    let many: String = (0..5_100).map(|i| format!("many,i={i} f=1 {ns}\n")).collect();
    let (status, answer) = w.write("", &many).await;
    assert_eq!(status, 422);
    assert!(answer["message"].as_str().unwrap().contains("max-series"), "{answer}");
    let token = format!("Token {INFLUX}");
    let post = async |path: &str, auth: &str, body: Vec<u8>, gzip: bool| {
        let mut request = w.client.post(w.url(path)).header("authorization", auth).body(body);
        if gzip {
            request = request.header("content-encoding", "gzip");
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(post("/api/v2/write?bucket=tuoan", "Token wrong", b"m f=1".to_vec(), false).await, 401);
    assert_eq!(post("/api/v2/write?bucket=tuoan", "", b"m f=1".to_vec(), false).await, 401);
    assert_eq!(post("/api/v2/write?bucket=other", &token, b"m f=1".to_vec(), false).await, 404);
    assert_eq!(post("/api/v2/write?bucket=tuoan&org=other", &token, b"m f=1".to_vec(), false).await, 404);
    assert_eq!(post("/api/v2/write?bucket=tuoan", &token, b"\xff".to_vec(), false).await, 400);
    assert_eq!(post("/api/v2/write?bucket=tuoan", &token, b"not gzip".to_vec(), true).await, 400);
    let zip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(post("/api/v2/write?bucket=tuoan", &token, zip(format!("m f=5 {}", ns + 9).as_bytes()), true).await, 204);
    assert_eq!(post("/api/v2/write?bucket=tuoan", &token, zip(&vec![b'#'; 33 * 1024 * 1024]), true).await, 413);
    let (status, answer) = w.flux("from(bucket:\"tuoan\") |> range(start:-1h) |> pivot()").await;
    assert!(status == 400 && answer.contains("supported: from(bucket:)"), "{answer}");
    assert_eq!(w.client.get(w.url("/ping")).send().await.unwrap().status(), 204);
    assert_eq!(w.client.get(w.url("/health")).send().await.unwrap().json::<Value>().await.unwrap()["status"], "pass");
}

async fn influx_many_points(w: World) {
    let body = |round: usize| -> String {
        (0..5_000)
            .map(|i| {
                format!("reading,site=a,device=d{} temperature={}.5 {}\n", i % 100, i % 30, T0 * 1_000_000 + (round * 5_000 + i) as i64)
            })
            .collect()
    };
    let bodies: Vec<String> = (0..4).map(body).collect();
    for b in &bodies {
        assert_eq!(w.write("", b).await.0, 204);
    }
    assert_eq!(w.platform.as_ref().unwrap().points_count().await.unwrap(), 20_000);
}
