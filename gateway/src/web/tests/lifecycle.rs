//! What a person does about an incident, a zone, a device.
use super::*;
use tuoan_protocol::{CauseCode, Inhibition};

/// With two people who are told.
pub fn peopled() -> String {
    format!(
        "{SITE}\n[[person]]\nid = \"wang\"\nname = \"王老师\"\nrole = \"carer\"\n[[person]]\nid = \"li\"\nname = \"李园长<b>\"\nrole = \"director\"\n"
    )
}

pub fn enc(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

impl Box_ {
    /// Acts, as 王老师 from the first time on, and says where that leads.
    pub(super) async fn done(&self, path: &str, form: &str) -> String {
        let (status, headers, text) = self.post(path, form).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{path} {form}: {text}");
        headers[header::LOCATION].to_str().unwrap().to_owned()
    }
    async fn burning() -> (Box_, String) {
        let it = gateway_at(&peopled()).await;
        it.hear(1, 45.6).await;
        it.seen(|v| !v.incidents.is_empty() && !v.people.is_empty()).await;
        let id = it.incident();
        (it, id)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_is_taken_given_handled_and_reopened_by_its_forms() {
    let (it, id) = Box_::burning().await;
    let page = it.get(&format!("/incidents/{id}")).await.2;
    for says in ["进行中", "还没有人确认", "我来处理", "已知晓", "其他操作", "谁在什么时候知道", &format!("/incidents/{id}/assign")]
    {
        assert!(page.contains(says), "{says}: {page}");
    }
    let at = |deed: &str| format!("/incidents/{id}/{deed}");
    // Who acts is asked once, and what was pressed is not lost.
    let (_, _, ask) = it.post(&at("assign"), "me=1").await;
    assert!(ask.contains("name=\"name\"") && ask.contains("name=\"me\" value=\"1\""), "{ask}");
    let back = format!("back=/incidents/{id}");
    let to = it.done(&at("assign"), &format!("me=1&name={}&{back}", enc("王老师"))).await;
    assert_eq!(to, format!("/incidents/{id}?done=taken"));
    it.seen(|v| v.incidents.iter().any(|i| i.assignee.as_deref() == Some("wang") && i.state.acknowledged)).await;
    let page = it.get(&to).await.2;
    for says in ["王老师 正在处理", "已由你处理", "已有人确认", "已接手", "网页", "name=\"cause\""] {
        assert!(page.contains(says), "{says}: {page}");
    }
    assert!(it.get("/").await.2.contains("王老师 正在处理"));

    assert_eq!(it.done(&at("comment"), &format!("note={}&{back}", enc("<i>已联系厂家"))).await, format!("/incidents/{id}?done=commented"));
    it.done(&at("assign"), "to=li").await;
    it.seen(|v| v.incidents.iter().any(|i| i.assignee.as_deref() == Some("li"))).await;
    let page = it.get(&format!("/incidents/{id}")).await.2;
    assert!(page.contains("由 李园长&#60;b&#62; 处理") && page.contains("&#60;i&#62;已联系厂家") && !page.contains("<i>已联系"), "{page}");

    // Without a conclusion it does not go, and what was typed stays.
    let (status, _, wrong) = it.post(&at("resolve"), &format!("note={}", enc("是热风"))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.contains("请选一个结论") && wrong.contains("是热风</textarea>"), "{wrong}");
    assert_eq!(
        it.done(&at("resolve"), &format!("cause=false&note={}&{back}", enc("是热风"))).await,
        format!("/incidents/{id}?done=resolved")
    );
    it.seen(|v| v.incidents.iter().any(|i| i.resolved == Some(CauseCode::False))).await;
    let page = it.get(&format!("/incidents/{id}")).await.2;
    assert!(page.contains("结论：误报") && page.contains("是热风") && page.contains(&at("reopen")), "{page}");
    // The engine's refusal is said in the person's language.
    let (status, _, twice) = it.post(&at("resolve"), "cause=real").await;
    assert!(
        status == StatusCode::CONFLICT && twice.contains("已经有人说处置好了") && twice.contains("value=\"real\" required checked"),
        "{twice}"
    );
    assert_eq!(it.post(&at("reopen"), "").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    it.done(&at("reopen"), &format!("note={}", enc("又热了"))).await;
    it.seen(|v| v.incidents.iter().any(|i| i.resolved.is_none() && !i.state.acknowledged)).await;
    assert!(it.get("/?lang=en").await.0 == StatusCode::OK);
    assert_eq!(it.post("/incidents/01JZ0000000000000000000000/comment", "note=x").await.0, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shelving_has_a_reason_an_end_and_a_limit() {
    let (it, id) = Box_::burning().await;
    let at = |deed: &str| format!("/incidents/{id}/{deed}");
    it.done(&at("acknowledge"), &format!("name={}", enc("王老师"))).await;
    let (status, _, wrong) = it.post(&at("shelve"), &format!("minutes=&note={}", enc("送修"))).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && wrong.contains("请选择多久") && wrong.contains("送修</textarea>"), "{wrong}");
    assert!(!wrong.contains("value=\"30\""), "an emergency has a quarter of an hour");
    let (_, _, wrong) = it.post(&at("shelve"), "minutes=15&note=").await;
    assert!(wrong.contains("请写下原因") && wrong.contains("value=\"15\" selected"), "{wrong}");
    let (status, _, long) = it.post(&at("shelve"), "minutes=480&note=x").await;
    assert!(status == StatusCode::CONFLICT && long.contains("紧急最多 15 分钟"), "{long}");
    it.done(&at("shelve"), &format!("minutes=15&note={}", enc("送修"))).await;
    it.seen(|v| v.incidents.iter().any(|i| i.state.inhibited == Some(Inhibition::Shelved))).await;
    let home = it.get("/").await.2;
    for says in ["暂不提醒", "送修", "搁置至 10:15", "现在结束", &at("unshelve"), "1 件事已搁置"] {
        assert!(home.contains(says), "{says}: {home}");
    }
    assert!(!home.contains("请立即处理"));
    let page = it.get(&format!("/incidents/{id}")).await.2;
    assert!(page.contains("搁置至 10:15") && page.contains("王老师：送修"), "{page}");
    assert_eq!(it.done(&at("unshelve"), "").await, "/?done=unshelved");
    it.seen(|v| v.standings.is_empty()).await;
    assert_eq!(it.post(&at("unshelve"), "").await.0, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_incident_goes_into_another() {
    let (it, hot) = Box_::burning().await;
    it.post("/report", &format!("room=toddler-2&name={}", enc("王老师"))).await;
    it.seen(|v| v.incidents.len() == 2).await;
    let concern = it.pipeline.handle.view.borrow().incidents.iter().find(|i| i.id.as_str() != hot).unwrap().id.to_string();
    let page = it.get(&format!("/incidents/{hot}")).await.2;
    assert!(page.contains(&format!("<option value=\"{concern}\"")), "{page}");
    assert!(it.post(&format!("/incidents/{hot}/merge"), "note=x").await.2.contains("请选要并入的那一件"));
    let own = it.post(&format!("/incidents/{hot}/merge"), &format!("whole={hot}&note=x&name={}", enc("王老师"))).await;
    assert!(own.0 == StatusCode::CONFLICT && own.2.contains("不能并入它自己"), "{}", own.2);
    it.done(&format!("/incidents/{hot}/merge"), &format!("whole={concern}&note=x")).await;
    it.seen(|v| v.incidents.len() == 1).await;
    let part = it.get(&format!("/incidents/{hot}")).await.2;
    assert!(part.contains(&format!("/incidents/{concern}")) && part.contains("并入事件") && !part.contains("id=\"assign"), "{part}");
    assert!(it.get(&format!("/incidents/{concern}")).await.2.contains(&format!("/incidents/{hot}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zones_are_maintained_and_devices_taken_out_of_service() {
    let (it, _) = Box_::burning().await;
    let (status, _, wrong) = it.post("/zones/toddler-2/maintain", "minutes=60").await;
    assert!(
        status == StatusCode::UNPROCESSABLE_ENTITY && wrong.contains("请写下原因") && wrong.contains("value=\"60\" selected"),
        "{wrong}"
    );
    let named = format!("name={}", enc("王老师"));
    assert_eq!(it.done("/zones/toddler-2/maintain", &format!("minutes=60&note=x&{named}")).await, "/?done=maintained");
    it.seen(|v| v.incidents.iter().any(|i| i.state.inhibited == Some(Inhibition::Suppressed))).await;
    let home = it.get("/?done=maintained").await.2;
    for says in ["检修开始", "检修中，至 11:00", "/zones/toddler-2/maintain/end", "结束检修"] {
        assert!(home.contains(says), "{says}: {home}");
    }
    it.done("/zones/toddler-2/maintain/end", "").await;
    it.seen(|v| v.standings.is_empty()).await;
    let twice = it.post("/zones/toddler-2/maintain/end", "").await;
    assert!(twice.0 == StatusCode::CONFLICT && twice.2.contains("这个区域现在没有检修"), "{}", twice.2);

    it.done("/devices/env-2/out", "minutes=480&note=x").await;
    it.seen(|v| v.incidents.iter().any(|i| i.state.inhibited == Some(Inhibition::OutOfService))).await;
    let home = it.get("/").await.2;
    assert!(home.contains("停用，至 18:00") && home.contains("/devices/env-2/in"), "{home}");
    let view: serde_json::Value = serde_json::from_str(&it.get("/api/v1/view").await.2).unwrap();
    assert_eq!(view["standings"][0]["kind"], "out_of_service");
    assert_eq!(view["standings"][0]["place"]["device"], "env-2");
    assert_eq!((&view["incidents"][0]["state"]["inhibited"], &view["people"][0]["id"]), (&"out_of_service".into(), &"wang".into()));
    it.done("/devices/env-2/in", "").await;
    it.seen(|v| v.standings.is_empty()).await;
    assert_eq!(it.post("/devices/ghost/out", "minutes=60&note=x").await.0, StatusCode::CONFLICT);
    assert_eq!(it.post("/zones/ghost/maintain", "minutes=60&note=x").await.0, StatusCode::CONFLICT);
    let none = it.post("/drill/end", "").await;
    assert!(none.0 == StatusCode::CONFLICT && none.2.contains("现在没有演练"), "{}", none.2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_is_marked_everywhere_and_ended_on_the_home_page() {
    let (it, id) = Box_::burning().await;
    it.done(&format!("/incidents/{id}/assign"), &format!("me=1&name={}", enc("王老师"))).await;
    it.hear(2, 20.0).await;
    it.seen(|v| v.incidents.iter().all(|i| !i.state.active)).await;
    let action =
        crate::engine::input::Action::Drill { hazard: "fire.smoke".parse().unwrap(), zone: "toddler-2".parse().unwrap(), minutes: 20 };
    let (reply, answer) = oneshot::channel();
    let command = crate::engine::Command { actor: "李园长".into(), via: None, action };
    it.pipeline.handle.control.send(Control::Command { command, reply }).await.unwrap();
    assert!(answer.await.unwrap().is_ok());
    it.seen(|v| v.drill.is_some()).await;
    let home = it.get("/").await.2;
    for says in ["演练进行中", "烟雾报警", "李园长 发起", "10:20 自动结束", "/drill/end"] {
        assert!(home.contains(says), "{says}: {home}");
    }
    assert_eq!(it.done("/drill/end", "").await, "/?done=drill-ended");
    it.seen(|v| v.drill.is_none()).await;
}
