//! Reports of concern, the closing sweep, who acts.
use super::lifecycle::{enc, peopled};
use super::*;

impl Box_ {
    async fn stranger_reports(&self, form: &str) -> (StatusCode, String) {
        let request = Request::post("/report")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        let (status, _, text) = self.send(request).await;
        (status, text)
    }
    async fn concern(&self) -> String {
        self.seen(|v| v.incidents.iter().any(|i| i.hazard.as_str() == "concern.report")).await;
        let view = self.pipeline.handle.view.borrow().clone();
        view.incidents.iter().find(|i| i.hazard.as_str() == "concern.report").unwrap().id.to_string()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parents_report_without_a_login_and_learn_nothing_else() {
    let it = gateway_at(&peopled()).await;
    it.hear(1, 23.4).await;
    let (status, _, page) = it.send(Request::get("/report").body(Body::empty()).unwrap()).await;
    assert!(status == StatusCode::OK && page.contains("toddler-2") && page.contains("拨打 110"), "{page}");
    assert!(!page.contains("23.4") && !page.contains("env-2") && !page.contains("王老师"), "{page}");
    let (status, page) = it.stranger_reports("room=nowhere&note=x").await;
    assert!(
        status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("请选一个地方") && page.contains(">x<"),
        "nothing typed is lost: {page}"
    );
    let (status, page) = it.stranger_reports(&format!("room=toddler-2&note=bruise&name={}", enc("小明妈妈"))).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("没有连接区平台"), "what is not told is not said to be told: {page}");
    let id = it.concern().await;
    let page = it.get(&format!("/incidents/{id}")).await.2;
    assert!(page.contains("小明妈妈（未登录）") && page.contains("bruise"), "{page}");
    // Each is an emergency that wakes people: strangers are bounded, staff are not.
    for _ in 0..2 {
        assert_eq!(it.stranger_reports("room=toddler-2").await.0, StatusCode::OK);
    }
    let (status, page) = it.stranger_reports("room=toddler-2").await;
    assert!(status == StatusCode::TOO_MANY_REQUESTS && page.contains("没有记下") && page.contains("110"), "{page}");
    assert_eq!(it.post("/report", "room=toddler-2").await.0, StatusCode::OK);
    let cross = Request::post("/report").header("sec-fetch-site", "cross-site").body(Body::from("room=toddler-2")).unwrap();
    assert_eq!(it.send(cross).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_not_closed_or_set_aside_on_site_and_the_recorder_is_asked_for() {
    let it = gateway_at(&peopled()).await;
    it.post("/report", &format!("room=toddler-2&name={}", enc("王老师"))).await;
    let id = it.concern().await;
    let named = format!("name={}", enc("李园长"));
    let page = it.get(&format!("/incidents/{id}")).await.2;
    for offered in [format!("/incidents/{id}/resolve"), format!("/incidents/{id}/shelve"), format!("/incidents/{id}/merge")] {
        assert!(!page.contains(&offered), "{offered} is refused, so it is not offered");
    }
    for says in ["由区里结束", "请从录像机导出这段录像", "11月24日 09:00 至 11月24日 10:30", "请核对录像机的全部通道"]
    {
        assert!(page.contains(says), "{says}: {page}");
    }
    let (status, _, text) = it.post(&format!("/incidents/{id}/resolve"), &format!("cause=real&{named}")).await;
    assert!(status == StatusCode::CONFLICT && text.contains("区"), "{text}");
    let (status, _, text) = it.post(&format!("/incidents/{id}/shelve"), &format!("minutes=5&note=x&{named}")).await;
    assert!(status == StatusCode::CONFLICT && text.contains("不能搁置"), "{text}");
    assert_eq!(it.post(&format!("/incidents/{id}/exported"), &named).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let kept = format!("note={}&back=/incidents/{id}&{named}", enc("2号U盘"));
    assert_eq!(it.done(&format!("/incidents/{id}/exported"), &kept).await, format!("/incidents/{id}?done=exported"));
    let page = it.get(&format!("/incidents/{id}")).await.2;
    assert!(page.contains("李园长 已导出") && page.contains("录像已导出：2号U盘"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_are_swept_one_by_one() {
    let it = gateway_at(&peopled()).await;
    it.hear(1, 23.4).await;
    let page = it.get("/sweep").await.2;
    assert!(page.contains("0/1") && page.contains("传感器看不到这里"), "{page}");
    let asked = it.post("/zones/toddler-2/swept", "back=/sweep").await.2;
    assert!(asked.contains("是谁在处理") && asked.contains("value=\"王老师\""), "a tile for each of the people: {asked}");
    assert_eq!(it.done("/zones/toddler-2/swept", &format!("back=/sweep&name={}", enc("王老师"))).await, "/sweep?done=swept");
    it.seen(|v| v.zones.iter().any(|z| z.swept.is_some())).await;
    let page = it.get("/sweep?done=swept").await.2;
    assert!(page.contains("1/1") && page.contains("10:00 已清场"), "{page}");
    assert!(it.get("/").await.2.contains("<b>1/1</b>"));
    it.clock.set(it.clock.utc_ms() + 4 * 3_600_000);
    assert!(it.get("/sweep").await.2.contains("0/1"), "yesterday's sweep is not today's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_person_takes_over_the_screen() {
    let it = gateway_at(&peopled()).await;
    assert!(it.get("/who").await.2.contains("王老师"));
    assert_eq!(it.done("/who", &format!("name={}", enc("王老师"))).await, "/?done=who");
    assert!(it.get("/").await.2.contains("现在是“王老师”"));
    assert_eq!(it.done("/who", &format!("name={}", enc("李园长"))).await, "/?done=who");
    assert!(it.get("/").await.2.contains("现在是“李园长”"));
    assert_eq!(it.post("/who", "name=+").await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_browser_keeps_holds_no_reading_and_no_session() {
    let it = gateway().await;
    it.hear(1, 23.4).await;
    let (status, _, page) = it.get("/offline").await;
    assert!(status == StatusCode::OK && page.contains("看不到") && page.contains("data-retry"), "{page}");
    assert!(!page.contains("23.4") && !page.contains("csrf") && !page.contains("logout"), "{page}");
    let (_, headers, script) = it.send(Request::get("/sw.js").body(Body::empty()).unwrap()).await;
    assert!(headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/javascript") && script.contains("/offline"));
    assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timeline_is_there_for_a_script_bounded_and_in_the_persons_language() {
    let it = gateway_at(&peopled()).await;
    for seq in 1..=5 {
        it.clock.set(it.clock.utc_ms() + 60_000);
        it.hear(seq, 22.0 + seq as f64 / 10.0).await;
    }
    it.clock.set(it.clock.utc_ms() + 60_000);
    it.hear(6, 45.6).await;
    it.seen(|v| !v.incidents.is_empty()).await;
    let id = it.incident();
    let json = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let v = json(it.get(&format!("/api/v1/incidents/{id}/timeline?around=10m")).await.2);
    let s = &v["series"][0];
    assert_eq!((s["title"].as_str(), s["limit"].as_f64(), s["value"].as_array().unwrap().len()), (Some("温度"), Some(40.0), 6), "{v}");
    assert!(s["value"].as_array().unwrap().iter().any(|x| x == 45.6) && s["limit_text"].as_str().unwrap().contains("第 7 条"), "{v}");
    assert_eq!(v["span"]["from"].as_i64().unwrap() - v["from"].as_i64().unwrap(), 600_000);
    assert!(s["gaps"].as_array().unwrap().len() == 1, "nothing was measured before the first reading: {v}");
    assert!(v["entries"][0]["text"].as_str().unwrap().starts_with("发现"));
    let wide = json(it.get(&format!("/api/v1/incidents/{id}/timeline?around=24h&lang=en")).await.2);
    assert_eq!(wide["span"]["from"].as_i64().unwrap() - wide["from"].as_i64().unwrap(), 86_400_000);
    assert_eq!(wide["series"][0]["title"], "Temperature");
    let page = it.get(&format!("/incidents/{id}?around=6h")).await.2;
    assert!(page.contains("data-around=\"6h\"") && page.contains("class=\"curve\""), "and without a script: {page}");
    assert_eq!(it.get("/api/v1/incidents/01JZ0000000000000000000000/timeline").await.0, StatusCode::NOT_FOUND);
    let anonymous = Request::get(format!("/api/v1/incidents/{id}/timeline")).body(Body::empty()).unwrap();
    assert_eq!(it.send(anonymous).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incidents_are_found_by_what_is_asked() {
    let it = gateway_at(&peopled()).await;
    it.hear(1, 45.6).await;
    it.seen(|v| !v.incidents.is_empty()).await;
    let hot = it.incident();
    it.post(&format!("/incidents/{hot}/acknowledge"), &format!("name={}", enc("王老师"))).await;
    let (_, _, all) = it.get("/incidents").await;
    assert!(all.contains(&format!("/incidents/{hot}")) && all.contains("温度&#60;i&#62;过高"), "{all}");
    for (query, there) in [
        ("zone=toddler-2&hazard=climate.temp&severity=1", true),
        ("severity=2", false),
        ("zone=elsewhere", false),
        (&*format!("person={}", enc("王老师")), true),
        ("person=wang", true),
        (&*format!("person={}", enc("李园长<b>")), false),
        ("from=2026-11-24&to=2026-11-24", true),
        ("from=2026-11-25", false),
        ("late=1", false),
    ] {
        let (status, _, page) = it.get(&format!("/incidents?{query}")).await;
        assert_eq!((status, page.contains(&format!("href=\"/incidents/{hot}\""))), (StatusCode::OK, there), "{query}: {page}");
    }
    let (status, _, page) = it.get("/incidents?from=yesterday").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("日期不对"), "{page}");
    it.clock.set(it.clock.utc_ms() + 3_600_000);
    assert!(it.get("/incidents?late=1").await.2.contains(&format!("/incidents/{hot}")), "not handled within ten minutes");
}
