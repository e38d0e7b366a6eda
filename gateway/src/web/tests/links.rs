//! The links in messages.
use super::lifecycle::{enc, peopled};
use super::*;
use crate::notify::link::{GOOD_MS, LinkKey};

async fn told() -> (Box_, String) {
    let it = gateway_at(&peopled()).await;
    it.hear(1, 45.6).await;
    it.seen(|v| !v.incidents.is_empty() && !v.people.is_empty()).await;
    let id = it.incident();
    (it, id)
}

impl Box_ {
    /// Token of the telling to that person, or to the groups.
    fn token(&self, incident: &str, person: Option<&str>) -> String {
        let (notices, _) = self.pipeline.handle.reader.notices_of(incident).unwrap();
        let found = notices.iter().find(|n| n.notice.person.as_deref() == person);
        LinkKey::new(&[7; 32]).token(found.unwrap_or_else(|| panic!("nobody told: {notices:?}")).notice.id)
    }
    async fn stranger(&self, path: &str) -> (StatusCode, String) {
        let (status, _, text) = self.send(Request::get(path).body(Body::empty()).unwrap()).await;
        (status, text)
    }
    async fn press(&self, path: &str, form: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        self.send(request).await
    }
    fn events(&self, incident: &str) -> usize {
        self.pipeline.handle.reader.events_of(incident).unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_changes_nothing_and_pressing_does() {
    let (it, id) = told().await;
    let token = it.token(&id, Some("wang"));
    let before = it.events(&id);
    for path in [format!("/n/{token}"), format!("/n/{token}/take"), format!("/n/{token}?done=taken")] {
        let (status, page) = it.stranger(&path).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        for says in ["温度&#60;i&#62;过高", "请降温。", "我看到了", "王老师"] {
            assert!(page.contains(says), "{path} {says}: {page}");
        }
        assert!(!page.contains("name=\"name\"") && !page.contains("退出登录"), "a person is asked nothing: {page}");
    }
    assert_eq!(it.events(&id), before);
    assert_eq!(it.pipeline.handle.reader.notices_of(&id).unwrap().0.iter().filter(|n| n.seen.is_some()).count(), 0);
    assert_eq!(it.stranger(&format!("/n/{token}/seen")).await.0, StatusCode::METHOD_NOT_ALLOWED);

    let (status, headers, text) = it.press(&format!("/n/{token}/seen"), "").await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, &*format!("/n/{token}?done=seen")), "{text}");
    let seen: Vec<_> = it.pipeline.handle.reader.notices_of(&id).unwrap().0.into_iter().filter(|n| n.seen.is_some()).collect();
    assert_eq!(seen.iter().map(|n| n.notice.person.as_deref()).collect::<Vec<_>>(), [Some("wang")]);
    assert!(it.stranger(&format!("/n/{token}?done=seen")).await.1.contains("已记下你看到了"));
    assert_eq!(it.events(&id), before, "to have seen it is not to have noted the alarm");

    let (status, headers, _) = it.press(&format!("/n/{token}/take"), "name=Mallory").await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, &*format!("/n/{token}?done=taken")));
    it.seen(|v| v.incidents.iter().any(|i| i.assignee.as_deref() == Some("wang"))).await;
    let taken = it.events(&id);
    it.press(&format!("/n/{token}/take"), "").await;
    assert_eq!(it.events(&id), taken, "pressed twice is taken once");
    let page = it.get(&format!("/incidents/{id}")).await.2;
    assert!(page.contains("消息链接") && page.contains("王老师 正在处理") && !page.contains("Mallory"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_group_whoever_takes_it_says_who_they_are() {
    let (it, id) = told().await;
    let token = it.token(&id, None);
    assert!(it.stranger(&format!("/n/{token}/take")).await.1.contains("name=\"name\""));
    let (status, _, page) = it.press(&format!("/n/{token}/take"), "name=%20").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("请写下你的名字"), "{page}");
    let before = it.events(&id);
    it.press(&format!("/n/{token}/take"), &format!("name={}", enc("孙<b>老师"))).await;
    assert_eq!(it.events(&id), before + 1);
    it.seen(|v| v.incidents.iter().any(|i| i.assignee.as_deref() == Some("孙<b>老师"))).await;
    assert!(!it.stranger(&format!("/n/{token}")).await.1.contains("孙<b>"));
    // However often somebody presses, the log grows by a few lines.
    for n in 0..30 {
        it.press(&format!("/n/{token}/take"), &format!("name=n{n}")).await;
    }
    assert!(it.events(&id) <= before + 12, "{}", it.events(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_leads_to_its_own_incident_and_nowhere_else() {
    let (it, hot) = told().await;
    let token = it.token(&hot, Some("wang"));
    it.post("/report", &format!("room=toddler-2&name={}", enc("王老师"))).await;
    it.seen(|v| v.incidents.len() == 2).await;
    let concern = it.pipeline.handle.view.borrow().incidents.iter().find(|i| i.id.as_str() != hot).unwrap().id.to_string();
    let before = it.events(&concern);
    it.press(&format!("/n/{token}/take"), &format!("incident={concern}&id={concern}&back=/incidents/{concern}")).await;
    assert_eq!(it.events(&concern), before);
    // The number of another notice does not go with this one's seal.
    let other = it.token(&concern, Some("wang"));
    let forged = format!("{}.{}", other.split_once('.').unwrap().0, token.split_once('.').unwrap().1);
    for bad in [forged.as_str(), "1", "1.AAAA", "%2e%2e", "x.y"] {
        let (status, page) = it.stranger(&format!("/n/{bad}")).await;
        assert!(matches!(status, StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS), "{bad}: {status}");
        assert!(!page.contains("温度"), "{page}");
    }
    assert_eq!(it.press(&format!("/n/{forged}/take"), "").await.0, StatusCode::TOO_MANY_REQUESTS, "guesses are counted");
    assert_eq!(it.events(&concern), before);
    assert_eq!(it.stranger(&format!("/n/{token}")).await.0, StatusCode::OK, "a good link is not held up by somebody's guesses");
    // A token is no session, and another website's form is refused.
    assert_ne!(it.stranger(&format!("/incidents/{hot}")).await.0, StatusCode::OK);
    let cross = Request::post(format!("/n/{token}/seen")).header("sec-fetch-site", "cross-site").body(Body::empty()).unwrap();
    assert_eq!(it.send(cross).await.0, StatusCode::FORBIDDEN);
    let long = Request::post(format!("/n/{token}/take")).body(Body::from("name=".to_owned() + &"a".repeat(5000))).unwrap();
    assert_eq!(it.send(long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_is_said_to_be_over() {
    let (it, id) = told().await;
    let token = it.token(&id, Some("wang"));
    let deed = format!("cause=real&name={}", enc("王老师"));
    assert_eq!(it.post(&format!("/incidents/{id}/resolve"), &deed).await.0, StatusCode::SEE_OTHER);
    it.hear(2, 20.0).await;
    for n in 3..100 {
        if it.pipeline.handle.view.borrow().incidents.is_empty() {
            break;
        }
        it.clock.set(it.clock.utc_ms() + 60_000);
        it.hear(n, 20.0 + n as f64 / 100.0).await;
    }
    it.seen(|v| v.incidents.is_empty()).await;
    let (status, page) = it.stranger(&format!("/n/{token}")).await;
    assert!(status == StatusCode::OK && page.contains("这件事已经结束") && !page.contains("<form"), "{page}");
    let before = it.events(&id);
    assert_eq!(it.press(&format!("/n/{token}/take"), "").await.0, StatusCode::CONFLICT);
    assert_eq!(it.events(&id), before);
    // Closed incidents keep their story, and can be reopened.
    let page = it.get(&format!("/incidents/{id}")).await.2;
    assert!(page.contains("已结束") && page.contains("结论：属实") && page.contains("/reopen"), "{page}");

    it.clock.set(it.clock.utc_ms() + GOOD_MS + 1);
    let (status, page) = it.stranger(&format!("/n/{token}")).await;
    assert!(status == StatusCode::GONE && page.contains("链接已过期") && !page.contains("温度"), "{page}");
    assert_eq!(it.press(&format!("/n/{token}/seen"), "").await.0, StatusCode::GONE);
}
