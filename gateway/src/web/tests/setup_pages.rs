//! The kit, from a device that nobody knows to a proof on paper.
use super::*;

impl Box_ {
    async fn say(&self, device: &str, seq: u64, kind: &str, body: &str) {
        let at = self.clock.utc_ms();
        let payload = format!(r#"{{"v":1,"site":"xingyuan","device":"{device}","boot":1,"seq":{seq},"time":{at},{body}}}"#);
        let (ack, stored) = Ack::channel();
        let topic = format!("tuoan/v1/xingyuan/{device}/{kind}").into();
        let inbound = Inbound { topic, payload: payload.into(), retained: false, qos: 1, sender: None, ack };
        self.pipeline.handle.inbound.send(inbound).await.unwrap();
        assert_eq!(stored.await.unwrap(), Stored::Yes);
    }
    fn file(&self) -> crate::engine::site::Site {
        crate::setup::files::Files::in_folder(self._dir.path()).read().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_appears_is_placed_and_proves_itself_without_an_incident() {
    let it = gateway().await;
    it.say("door-9", 1, "telemetry", r#""readings":{"open":false}"#).await;
    it.seen(|v| v.unplaced.iter().any(|d| d.id.as_str() == "door-9")).await;
    let page = it.get("/setup/devices").await.2;
    assert!(page.contains("door-9") && page.contains("value=\"door\" selected"), "{page}");
    assert_eq!(it.post("/setup/devices/place", "id=door-9&zone=attic&role=door").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(it.post("/setup/devices/place", "id=door-9&zone=toddler-2&role=door&name=%E9%97%A8").await.0, StatusCode::SEE_OTHER);
    assert_eq!(it.file().devices.len(), 2);
    assert!(it.get("/setup").await.2.contains("/setup/apply"), "what is written waits to be applied");
    // Asked for its proof: what it said before does not count, nor what another device says.
    assert_eq!(it.post("/setup/proofs/ask", "id=door-9").await.0, StatusCode::SEE_OTHER);
    assert_eq!(it.post("/setup/proofs/ask", "id=ghost").await.0, StatusCode::NOT_FOUND);
    assert!(it.get("/setup/proofs/live").await.2.contains("正在等信号"));
    it.say("env-2", 7, "telemetry", r#""readings":{"open":true}"#).await;
    it.say("door-9", 2, "telemetry", r#""readings":{"open":false}"#).await;
    assert!(it.get("/setup/proofs/live").await.2.contains("正在等信号"));
    it.say("door-9", 3, "telemetry", r#""readings":{"open":true}"#).await;
    let live = it.get("/setup/proofs/live").await.2;
    assert!(live.contains("已收到开门信号") && !live.contains("正在等信号"), "{live}");
    assert!(it.pipeline.handle.view.borrow().incidents.iter().all(|i| i.place.device.as_ref().is_none_or(|d| d.as_str() != "door-9")));
    let report = it.get("/setup/report").await.2;
    for says in ["门", "door-9", "已收到开门信号", "未验证", "签字", "SHA-256", "没有摄像头照到"] {
        assert!(report.contains(says), "{says}: {report}");
    }
    assert!(it.get("/setup/labels").await.2.contains("<svg"));
    // Exchanged, it keeps name and history.
    assert_eq!(it.post("/setup/devices/replace", "id=door-9&new=door-10").await.0, StatusCode::SEE_OTHER);
    let d = it.file().devices.pop().unwrap();
    assert_eq!((d.id.as_str(), d.name.as_deref(), d.formerly.len()), ("door-10", Some("门"), 1));
    assert_eq!(it.post("/setup/devices/remove", "id=door-10").await.0, StatusCode::SEE_OTHER);
    let audit = it.get("/audit").await.2;
    for says in ["安放设备", "验证通过", "更换设备", "移走设备"] {
        assert!(audit.contains(says), "{says}: {audit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_camera_is_placed_where_children_are_changed() {
    let site = format!("{SITE}\n[[zones]]\nid = \"bath\"\nname = \"盥洗室\"\nkind = \"washroom\"\n");
    let it = gateway_at(&site).await;
    let (status, _, page) = it.post("/setup/devices/place", "id=eye-1&zone=bath&role=camera").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("第 799 号"), "{page}");
    assert_eq!(it.file().devices.len(), 1);
    assert_eq!(it.post("/setup/devices/place", "id=eye-1&zone=toddler-2&role=camera").await.0, StatusCode::SEE_OTHER);
    assert_eq!(it.file().cameras.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checklist_the_file_and_credentials() {
    let it = gateway().await;
    assert_eq!(it.post("/setup/checklist", "item=consent&date=2026-11-25").await.0, StatusCode::UNPROCESSABLE_ENTITY, "tomorrow");
    assert_eq!(it.post("/setup/checklist", "item=invented&date=2026-11-20").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(it.post("/setup/checklist", "item=consent&date=2026-11-20&note=42").await.0, StatusCode::SEE_OTHER);
    assert!(it.get("/setup/checklist").await.2.contains("2026-11-20"));
    let text = it.get("/setup/site.toml").await.2;
    assert!(crate::setup::files::parse(&text).is_ok(), "{text}");
    let (status, _, page) = it.post("/setup/site", "text=id+%3D+1").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("line 1"), "{page}");
    let other = "text=".to_owned() + &text.replace("xingyuan", "elsewhere").replace('%', "%25").replace('&', "%26").replace('+', "%2B");
    let (status, _, page) = it.post("/setup/site", &other).await;
    assert!(
        status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("elsewhere"),
        "another site's file belongs into another box: {page}"
    );
    let (status, _, page) = it.post("/setup/devices/enrol", "id=node-1&kind=device").await;
    assert!(status == StatusCode::OK && page.contains("class=\"secret\"") && page.contains("/setup/apply"), "{page}");
    assert_eq!(it.post("/setup/devices/enrol", "id=node-1&kind=everything").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _, page) = it.post("/setup/apply", "").await;
    assert!(status == StatusCode::OK && page.contains("data-await"), "{page}");
}
