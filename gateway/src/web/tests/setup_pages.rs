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
    assert!(page.contains("enrol xingyuan GATEWAY:8883 tuoan:credential:node-1:") && page.contains(":p256.02ab"), "{page}");
    let (_, _, page) = it.post("/setup/devices/enrol", "id=bridge&kind=zigbee2mqtt").await;
    assert!(page.contains("class=\"secret\"") && !page.contains("p256."), "what a bridge is told, people type: {page}");
    assert_eq!(it.post("/setup/devices/enrol", "id=node-1&kind=everything").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _, page) = it.post("/setup/apply", "").await;
    assert!(status == StatusCode::OK && page.contains("data-await"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commissioning_is_seen_on_every_page_and_is_ended_by_whoever_sees_to_the_equipment() {
    let it = gateway().await;
    let banner = "设备调试进行中";
    assert!(!it.get("/").await.2.contains(banner) && it.get("/setup/proofs").await.2.contains("/setup/commissioning\""));
    assert_eq!(it.post("/setup/commissioning", "").await.0, StatusCode::SEE_OTHER);
    it.seen(|v| v.commissioning.is_some()).await;
    for page in ["/", "/fragment/home", "/setup", "/cameras", "/audit", "/sweep"] {
        assert!(it.get(page).await.2.contains(banner), "{page}");
    }
    // A sensor under proof is hot: that is a test, on record and marked.
    assert_eq!(it.post("/setup/proofs/ask", "id=env-2").await.0, StatusCode::SEE_OTHER);
    it.seen(|v| v.commissioning.as_ref().is_some_and(|c| c.proofs.len() == 1)).await;
    it.hear(1, 45.6).await;
    it.seen(|v| !v.incidents.is_empty()).await;
    let page = it.get(&format!("/incidents/{}", it.incident())).await.2;
    assert!(page.contains("设备调试测试") && page.contains(banner), "{page}");
    // Beginning it again is no error, and it ends once.
    assert_eq!(it.post("/setup/commissioning", "").await.0, StatusCode::SEE_OTHER);
    assert_eq!(it.post("/setup/commissioning/end", "").await.0, StatusCode::SEE_OTHER);
    it.seen(|v| v.commissioning.is_none()).await;
    assert_eq!(it.post("/setup/commissioning/end", "").await.0, StatusCode::SEE_OTHER);
    let home = it.get("/").await.2;
    assert!(
        !home.contains(banner) && !home.contains("设备调试测试") && home.contains("过高"),
        "it is hot still, and that is in earnest: {home}"
    );
    let audit = it.get("/audit").await.2;
    assert!(audit.contains("开始调试") && audit.contains("结束调试"), "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_floor_plan_is_drawn_kept_in_the_site_file_and_moves_devices() {
    let it = gateway().await;
    it.hear(1, 23.4).await;
    let page = it.get("/plan").await.2;
    assert!(page.contains("<svg") && page.contains("data-spot=\"env-2\"") && page.contains("spot well"), "{page}");
    // Drawn without a restart: the gateway goes by it at once.
    assert_eq!(it.post("/setup/plan", "floor=1&zone=toddler-2&x=100&y=100&w=300&h=300").await.0, StatusCode::SEE_OTHER);
    assert_eq!(it.post("/setup/plan", "floor=1&device=env-2&x=120&y=200").await.0, StatusCode::SEE_OTHER);
    let plans = it.file().plans;
    assert_eq!((plans.len(), plans[0].marks[0].x, plans[0].rooms.last().unwrap().w), (1, 120, 300));
    assert!(!it.get("/setup").await.2.contains("/setup/apply"), "nothing waits for it");
    assert_eq!(it.post("/setup/plan", "floor=1&zone=attic&x=1&y=1&w=1&h=1").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(it.post("/setup/plan", "floor=1&device=ghost&x=1&y=1").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let text = it.get("/setup/site.toml").await.2;
    assert!(text.contains("[[plan]]") && crate::setup::files::parse(&text).unwrap().plans == plans, "{text}");
    it.hear(2, 45.6).await;
    it.seen(|v| !v.incidents.is_empty()).await;
    let alarm = it.get("/fragment/plan").await.2;
    assert!(alarm.contains("spot alarm") && alarm.contains("zone s1"), "{alarm}");
    assert!(it.get("/audit").await.2.contains("修改平面图"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_of_the_plan_is_written_anew_and_stays_behind_the_door() {
    let it = gateway().await;
    let page = it.get("/").await.2;
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let send = async |path: &str, token: &str, bytes: Vec<u8>| {
        let request =
            Request::post(path).header(header::COOKIE, &it.session).header("x-csrf-token", token.to_owned()).body(Body::from(bytes));
        it.send(request.unwrap()).await
    };
    // More than a form may hold, and more than axum takes by itself.
    let mut noise = 7u32;
    let mut png = tuoan_vision::picture::Picture::plain(1300, 900, [255; 3]);
    for at in 0..1300 * 900u32 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        png.paint(at % 1300, at / 1300, [(noise >> 24) as u8, (noise >> 16) as u8, (noise >> 8) as u8]);
    }
    let png = png.to_png().unwrap();
    assert!(png.len() > 3 << 20, "{}", png.len());
    assert_eq!(send("/setup/plan/picture?floor=1", "guess", png.clone()).await.0, StatusCode::FORBIDDEN);
    let (status, _, text) = send("/setup/plan/picture?floor=1", &csrf, png).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{text}");
    assert_eq!(it.file().plans[0].picture.as_deref(), Some("plan-1.jpg"));
    let (status, headers, _) = it.get("/plan/1/picture").await;
    assert_eq!((status, headers[header::CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, "image/jpeg"));
    assert!(it.get("/setup/plan").await.2.contains("/plan/1/picture?"));
    // Neither a stranger's nor a thing that is none.
    let stranger = it.send(Request::get("/plan/1/picture").header(header::ACCEPT, "image/*").body(Body::empty()).unwrap()).await;
    assert!([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&stranger.0), "{}", stranger.0);
    let (status, _, why) = send("/setup/plan/picture?floor=1", &csrf, b"<svg/>".to_vec()).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && why.contains("不能用"), "{why}");
    assert_eq!(send("/setup/plan/picture?floor=9", &csrf, b"x".to_vec()).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(it.get("/plan/..%2Fauth/picture").await.0, StatusCode::NOT_FOUND);
    assert_eq!(it.post("/setup/plan/picture/remove", "floor=1").await.0, StatusCode::SEE_OTHER);
    assert_eq!((it.get("/plan/1/picture").await.0, it.file().plans[0].picture.clone()), (StatusCode::NOT_FOUND, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_leads_to_that_very_device() {
    let it = gateway().await;
    let placed = it.get("/d/env-2").await;
    assert_eq!((placed.0, placed.1[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/setup/proofs#proof-env-2"));
    let new = it.get("/d/smoke-7").await.2;
    assert!(new.contains("name=\"id\" value=\"smoke-7\"") && new.contains("class=\"adder\" open"), "{new}");
    assert_eq!(it.get("/d/a%20b").await.0, StatusCode::NOT_FOUND);
    // A stranger's phone logs in first, and is led on.
    let request = Request::get("/d/smoke-7").header(header::ACCEPT, "text/html").body(Body::empty()).unwrap();
    it.door.set_password("correct horse").await.unwrap();
    let (status, headers, _) = it.send(request).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/login?then=/d/smoke-7"));
}

impl Box_ {
    /// A file as the page's script sends it.
    async fn hand_in(&self, csrf: Option<&str>, file: Vec<u8>) -> (StatusCode, String) {
        let page = self.get("/").await.2;
        let own = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let request = Request::post("/setup/firmware/file").header(header::COOKIE, &self.session);
        let request = request.header("x-csrf-token", csrf.unwrap_or(own)).body(Body::from(file)).unwrap();
        let (status, _, text) = self.send(request).await;
        (status, text)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_shown_as_they_are_and_signed_files_are_taken_from_who_may() {
    use crate::nodes::sign::{make_key, read_key, signed};
    let it = gateway().await;
    let birth = r#""presence":"online","make":"Tuoan","model":"room","firmware":"1.0.0","hardware":"room<b>/7","reset":"watchdog""#;
    it.say("n-1", 1, "status", birth).await;
    it.seen(|v| v.unplaced.iter().any(|d| d.id.as_str() == "n-1" && d.resets.watchdog == 1)).await;
    assert_eq!(it.post("/setup/devices/place", "id=n-1&zone=toddler-2&role=climate").await.0, StatusCode::SEE_OTHER);
    let page = it.get("/setup/devices").await.2;
    for says in ["room · 1.0.0 · room&#60;b&#62;/7", "卡死（看门狗）", "意外重启 1 次"] {
        assert!(page.contains(says), "{says}: {page}");
    }
    let metrics = Request::get("/metrics").header(header::AUTHORIZATION, "Bearer a-long-enough-token").body(Body::empty()).unwrap();
    let figures = it.send(metrics).await.2;
    assert!(figures.contains("tuoan_node_resets_total{reason=\"watchdog\"} 1"), "{figures}");

    let key = it.pictures_dir().join("k");
    make_key(&key).unwrap();
    let file = signed(&read_key(&key).unwrap(), "room", (1, 2), "1.1.0".parse().unwrap(), &[7; 3000]).unwrap();
    assert_eq!(it.hand_in(Some("wrong"), file.clone()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(it.hand_in(None, vec![0; tuoan_dashboards::door::FIRMWARE + 1]).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    for (bad, says) in [(b"noise".to_vec(), "shorter"), (file[..file.len() - 1].to_vec(), "cut"), ([file.clone(), vec![0]].concat(), "cut")]
    {
        let (status, text) = it.hand_in(None, bad).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && text.contains(says), "{says}: {text}");
    }
    assert_eq!(it.hand_in(None, file).await.0, StatusCode::NO_CONTENT);
    let page = it.get("/setup/firmware").await.2;
    assert!(page.contains("n-1") && page.contains("room 1.1.0") && page.contains("1–2"), "{page}");
    for (form, status) in [
        ("image=../../etc/passwd&to=all", StatusCode::UNPROCESSABLE_ENTITY),
        ("image=0011223344556677&to=all", StatusCode::UNPROCESSABLE_ENTITY),
        ("image=0011223344556677&to=everybody", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(it.post("/setup/firmware/send", form).await.0, status, "{form}");
    }
    // A self-test goes to nodes alone, and one that the broker does not take is not waited for.
    assert!(it.get("/setup/proofs").await.2.contains("/setup/proofs/test"));
    assert_eq!(it.post("/setup/proofs/test", "id=env-1").await.0, StatusCode::NOT_FOUND);
    assert_eq!(it.post("/setup/proofs/test", "id=n-1").await.0, StatusCode::BAD_GATEWAY);
    assert!(!it.get("/setup/proofs/live").await.2.contains("节点正在检查各传感器"));
    let audit = it.get("/audit").await.2;
    assert!(audit.contains("添加固件文件") && audit.contains("要求节点自检"), "{audit}");
}
