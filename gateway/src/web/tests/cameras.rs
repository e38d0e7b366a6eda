//! Who sees a picture, and what is on record of it.
use super::*;
use crate::cameras::ring::Original;
use tuoan_protocol::{DeviceId, IncidentId};
use tuoan_vision::blur;
use tuoan_vision::picture::Picture;

const CAMERAS: &str = r#"
[[zones]]
id = "wash"
name = "盥洗室"
kind = "washroom"
[[devices]]
id = "cam-1"
zone = "toddler-2"
name = "<b>摄像头"
role = "camera"
[[cameras]]
device = "cam-1"
"#;
/// What opens pictures here.
const OPEN: &str = "reason=check&note=%E5%AD%A9%E5%AD%90&name=%E7%8E%8B%E5%9B%AD%E9%95%BF&password=only-the-director";
const MINUTES: i64 = 60_000;

async fn with_camera() -> Box_ {
    gateway_at(&format!("{SITE}{CAMERAS}")).await
}

fn device() -> DeviceId {
    DeviceId::new("cam-1").unwrap()
}

fn shot(at: i64) -> crate::cameras::live::Shot {
    let picture = blur::whole(&Picture::plain(64, 36, [90, 120, 60])).to_jpeg(70).unwrap();
    let bbox = tuoan_vision::sight::Rect { x0: 0.1, y0: 0.2, x1: 0.3, y1: 0.9 };
    let posture = tuoan_vision::sight::Posture::Standing;
    let people = vec![crate::cameras::live::Drawn { bbox, pose: None, posture, height_m: Some(1.652), adult: Some(0.93) }];
    crate::cameras::live::Shot { received_at_ms: at, width: 64, height: 36, picture, people, faces: Vec::new(), things: Vec::new() }
}

impl Box_ {
    async fn status(&self, path: &str) -> StatusCode {
        self.get(path).await.0
    }
    fn refused(&self) -> u64 {
        self.pipeline.handle.metrics.pictures_refused.get()
    }
    /// What stands in the log about pictures, newest first.
    fn deeds(&self) -> Vec<(String, String, String)> {
        let rows = self.pipeline.handle.reader.picture_deeds(None, None, 50).unwrap();
        rows.into_iter().map(|r| (r.what, r.actor, r.reason)).collect()
    }
    fn now(&self) -> i64 {
        self.clock.monotonic_ms()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_seen_with_leave_only_which_is_on_record_first() {
    let it = with_camera().await;
    it.seen(|v| !v.cameras.is_empty()).await;
    let list = it.get("/cameras").await.2;
    assert!(list.contains("&#60;b&#62;摄像头") && list.contains("还没有收到画面") && list.contains("未标定"), "{list}");
    assert_eq!(it.status("/cameras/ghost").await, StatusCode::NOT_FOUND);
    let page = it.get("/cameras/cam-1").await.2;
    assert!(page.contains("查看口令") && !page.contains("id=\"viewer\""), "{page}");

    // A session is no leave.
    it.pictures.live.show(&device(), it.now(), shot(1));
    assert_eq!((it.status("/cameras/cam-1/picture").await, it.refused()), (StatusCode::FORBIDDEN, 1));
    let ask = |form: &'static str| it.post("/cameras/cam-1/watch", form);
    assert_eq!(ask("name=a&password=only-the-director").await.0, StatusCode::UNPROCESSABLE_ENTITY, "no reason");
    assert_eq!(ask("reason=curiosity&name=a&password=only-the-director").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ask("reason=check&name=&password=only-the-director").await.0, StatusCode::UNPROCESSABLE_ENTITY, "no name");
    let (status, _, again) = ask("reason=check&note=x&name=a&password=guess").await;
    assert!(status == StatusCode::FORBIDDEN && again.contains("口令不对") && !again.contains("guess"), "{again}");
    assert_eq!((it.refused(), it.deeds()), (2, vec![]));

    assert_eq!(ask(OPEN).await.0, StatusCode::SEE_OTHER);
    assert_eq!(it.deeds(), [("watch".into(), "王园长".into(), "核实情况 · 孩子".into())]);
    let page = it.get("/cameras/cam-1").await.2;
    assert!(page.contains("id=\"viewer\"") && page.contains("核实情况 · 孩子") && page.contains("王园长"), "{page}");
    // What was there before the leave is not shown.
    assert_eq!(it.status("/cameras/cam-1/picture").await, StatusCode::NO_CONTENT);
    it.pictures.live.show(&device(), it.now(), shot(77));
    let (status, headers, _) = it.get("/cameras/cam-1/picture?after=3").await;
    assert_eq!((status, headers[header::CACHE_CONTROL].to_str().unwrap()), (StatusCode::OK, "no-store"));
    let seen: serde_json::Value = serde_json::from_str(headers["x-seen"].to_str().unwrap()).unwrap();
    assert_eq!(
        (&seen["at"], &seen["people"][0]["box"], &seen["people"][0]["cm"]),
        (&77.into(), &serde_json::json!([100, 200, 300, 900]), &165.into())
    );
    assert!(seen["says"].as_str().unwrap().contains("帧/秒"), "{seen}");
    assert_eq!(it.status("/cameras/cam-1/picture?after=77").await, StatusCode::NO_CONTENT, "none newer");
    // Another session, another camera.
    let other = it.another_session().await;
    let asked = it.send(Request::get("/cameras/cam-1/picture").header(header::COOKIE, other).body(Body::empty()).unwrap()).await.0;
    assert_eq!(asked, StatusCode::FORBIDDEN);
    assert_eq!(it.status("/cameras/cam-2/picture").await, StatusCode::FORBIDDEN);

    // It is given back, or ends by itself.
    assert_eq!(it.post("/cameras/cam-1/watch/end", "").await.0, StatusCode::SEE_OTHER);
    assert_eq!((it.status("/cameras/cam-1/picture").await, it.deeds()[0].0.as_str()), (StatusCode::FORBIDDEN, "watch_ended"));
    assert_eq!(ask(OPEN).await.0, StatusCode::SEE_OTHER);
    it.pictures.live.show(&device(), it.now(), shot(78));
    it.clock.set(it.clock.utc_ms() + 10 * MINUTES - 1);
    assert_eq!(it.status("/cameras/cam-1/picture").await, StatusCode::OK);
    it.clock.set(it.clock.utc_ms() + 1);
    assert_eq!(it.status("/cameras/cam-1/picture").await, StatusCode::FORBIDDEN);
    assert!(!it.pictures.live.watched(&device(), it.now()), "and nothing is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn areas_and_calibration_are_taken_from_who_has_leave_and_hold_at_once() {
    let it = with_camera().await;
    it.seen(|v| !v.cameras.is_empty()).await;
    let areas =
        |zone: &str| format!("areas=[{{\"kind\":\"room\",\"zone\":\"{zone}\",\"corners\":[[0,500],[1000,500],[1000,1000],[0,1000]]}}]");
    assert_eq!(it.post("/cameras/cam-1/areas", &areas("toddler-2")).await.0, StatusCode::FORBIDDEN);
    it.post("/cameras/cam-1/watch", OPEN).await;
    let (status, _, page) = it.post("/cameras/cam-1/areas", "areas=[{\"kind\":\"room\",\"corners\":[[0,0],[9,9]]}]").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("区域没有保存"), "{page}");
    assert_eq!(it.post("/cameras/cam-1/areas", "areas=rubbish").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _, page) = it.post("/cameras/cam-1/areas", &areas("wash")).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("wash"), "no camera looks into a washroom");
    assert!(it.pictures.live.setup(&device()).unwrap().areas.is_empty());

    assert_eq!(it.post("/cameras/cam-1/areas", &areas("toddler-2")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(it.pictures.live.setup(&device()).unwrap().areas.len(), 1);
    assert_eq!(it.deeds()[0], ("set_up".into(), "王园长".into(), "核实情况 · 孩子".into()));
    let page = it.get("/cameras/cam-1?done=set-up").await.2;
    assert!(page.contains("已保存") && page.contains("[[cameras]]") && page.contains("kind = &#34;room&#34;"), "{page}");

    // The heights that a calibration would give are told before it is saved.
    let floor = r#"{"rectangle":{"corners":[[300,950],[700,950],[620,600],[380,600]],"width_cm":200,"depth_cm":300,"camera_cm":250}}"#;
    let tried = it.try_floor(&format!(r#"{{"floor":{floor},"ratio":1.7778}}"#)).await;
    assert!(tried["camera_cm"].as_i64().is_some_and(|cm| (200..300).contains(&cm)) && tried["wrong"].is_null(), "{tried}");
    let line = r#"{"walked":{"height_cm":165,"places":[[[100,900],[100,500]],[[200,900],[200,500]],[[300,900],[300,500]]]}}"#;
    let tried = it.try_floor(&format!(r#"{{"floor":{line},"ratio":1.7778}}"#)).await;
    assert!(tried["wrong"].as_str().unwrap().contains("标定没有保存"), "{tried}");
    assert_eq!(it.post("/cameras/cam-1/floor", &format!("floor={line}")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(it.post("/cameras/cam-1/floor", &format!("floor={floor}")).await.0, StatusCode::SEE_OTHER);
    it.seen(|v| v.cameras.iter().any(|c| c.calibrated)).await;
    assert_eq!(it.pictures.live.setup(&device()).unwrap().areas.len(), 1, "the areas stay");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn originals_open_with_leave_only_and_what_was_altered_is_named() {
    let it = with_camera().await;
    it.hear(1, 45.0).await;
    let incident = IncidentId::new(&it.incident()).unwrap();
    let (base, now) = (format!("/incidents/{}/pictures", incident.as_str()), it.clock.utc_ms());
    assert!(it.get(&base).await.2.contains("没有保存画面"));
    assert_eq!(it.post(&base, OPEN).await.0, StatusCode::NOT_FOUND, "nothing is kept of it");
    let evidence = it.pictures.evidence.clone().unwrap();
    it.pictures.ring.put(&device(), Original { received_at_ms: now, jpeg: vec![0xFF, 0xD8, 0xFF, 1].into() });
    evidence.begin(&incident, "toddler-2", vec![device()], now, false);
    evidence.collect(now, &it.pictures.ring).unwrap();

    let page = it.get(&format!("/incidents/{}", incident.as_str())).await.2;
    assert!(page.contains("原始画面 1 张"), "{page}");
    let original = format!("{base}/1/0");
    assert_eq!((it.status(&original).await, it.refused()), (StatusCode::FORBIDDEN, 1));
    assert_eq!(it.post(&base, "reason=check&name=a&password=guess").await.0, StatusCode::FORBIDDEN);
    assert_eq!(it.post(&format!("{base}/hold"), "hold=yes").await.0, StatusCode::FORBIDDEN);
    assert_eq!(it.deeds(), []);
    assert_eq!(it.post(&base, OPEN).await.0, StatusCode::SEE_OTHER);
    assert_eq!(it.deeds(), [("open".into(), "王园长".into(), "核实情况 · 孩子".into())]);
    let (status, headers, _) = it.get(&original).await;
    assert_eq!((status, headers[header::CACHE_CONTROL].to_str().unwrap()), (StatusCode::OK, "no-store"));
    assert_eq!(it.status(&format!("{base}/1/1")).await, StatusCode::NOT_FOUND);
    assert_eq!(it.post(&format!("{base}/hold"), "hold=yes").await.0, StatusCode::SEE_OTHER);
    assert!(evidence.kept(&incident).unwrap().unwrap().held && it.deeds()[0].0 == "hold");

    let file = it.pictures_dir().join("evidence").join(incident.as_str()).join("000001.sealed");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (status, _, page) = it.get(&original).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("seal is broken"), "{page}");
    it.clock.set(now + 11 * MINUTES);
    assert_eq!(it.status(&original).await, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_opened_that_cannot_be_recorded() {
    let it = with_camera().await;
    it.seen(|v| !v.cameras.is_empty()).await;
    let (reply, drained) = oneshot::channel();
    it.pipeline.handle.control.send(Control::Drain { reply }).await.unwrap();
    drained.await.unwrap();
    let (status, _, page) = it.post("/cameras/cam-1/watch", OPEN).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && page.contains("没有打开画面"), "{page}");
    it.pictures.live.show(&device(), it.now(), shot(1));
    assert_eq!(it.status("/cameras/cam-1/picture").await, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_serious_incident_shows_is_kept_and_deleted_after_its_time_by_the_log() {
    let it = with_camera().await;
    it.seen(|v| !v.cameras.is_empty()).await;
    let (evidence, stop) = (it.pictures.evidence.clone().unwrap(), CancellationToken::new());
    let keeper = || {
        let (pictures, handle, clock) = (it.pictures.clone(), it.pipeline.handle.clone(), it.clock.clone());
        tokio::spawn(crate::cameras::keeper::Keeper { pictures, handle, clock }.run(stop.clone()))
    };
    let wait = async |what: &dyn Fn() -> bool| {
        let looks = async {
            while !what() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), looks).await.expect("the keeper does not");
    };
    let first = keeper();
    let now = it.clock.utc_ms();
    it.pictures.ring.put(&device(), Original { received_at_ms: now, jpeg: vec![0xFF, 0xD8, 0xFF, 1].into() });
    it.hear(1, 45.0).await;
    let incident = IncidentId::new(&it.incident()).unwrap();
    wait(&|| evidence.kept(&incident).is_some_and(|m| m.unwrap().files.len() == 1)).await;
    wait(&|| it.pipeline.handle.metrics.evidence_sealed.get() == 1).await;
    // Asked for after the seal is counted.
    wait(&|| it.pictures.still_asked(&device(), now)).await;
    assert!(it.deeds().is_empty());
    // A fever is written down by a person: no camera has anything to do with it.
    assert_eq!(it.post("/check", "name=a&class=t2&temperature=38").await.0, StatusCode::SEE_OTHER);
    it.seen(|v| v.incidents.len() == 2).await;

    it.clock.set(now + 64_000);
    evidence.collect(it.clock.utc_ms(), &it.pictures.ring).unwrap();
    assert_eq!(evidence.used().1, 1);
    it.clock.set(now + 91 * 86_400_000);
    let second = keeper();
    wait(&|| evidence.kept(&incident).is_none()).await;
    assert_eq!(it.deeds(), [("delete".into(), "tuoan".into(), "retention over".into())]);
    stop.cancel();
    first.await.unwrap();
    second.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_looks_found_around_an_incident_stands_on_its_timeline_and_in_its_evidence() {
    use tuoan_protocol::looks::{Class, Look, Piece, Posture, Seen};
    let it = with_camera().await;
    it.seen(|v| !v.cameras.is_empty()).await;
    let now = it.clock.utc_ms();
    let lies = Seen { class: Class::Person, score: 90, track: 7, posture: Posture::Lying, bbox: [1000, 2000, 3000, 4000], pose: None };
    let look = |at| Look { at, width: 64, height: 36, at_least: false, seen: vec![lies.clone()] };
    it.pictures.looks.model("person-pose/1 0badcafe");
    // The oldest came before the minute that counts.
    for second in [-70, -50, -1, 0] {
        it.pictures.looks.put(&device(), look(now + second * 1000));
    }
    let stop = CancellationToken::new();
    let (pictures, handle, clock) = (it.pictures.clone(), it.pipeline.handle.clone(), it.clock.clone());
    let keeper = tokio::spawn(crate::cameras::keeper::Keeper { pictures, handle, clock }.run(stop.clone()));
    it.hear(1, 45.0).await;
    let incident = it.incident();
    let reader = it.pipeline.handle.reader.clone();
    let recorded = async {
        while reader.looks_of(&incident).unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), recorded).await.expect("the keeper does not");
    let piece = Piece::from_canonical(&reader.looks_of(&incident).unwrap()[0].bytes).unwrap();
    assert_eq!((piece.incident.as_str(), piece.camera.as_str(), piece.model.as_str()), (&*incident, "cam-1", "person-pose/1 0badcafe"));
    assert_eq!(piece.looks, [look(now - 50_000), look(now - 1000), look(now)]);

    let timeline: serde_json::Value = serde_json::from_str(&it.get(&format!("/api/v1/incidents/{incident}/timeline")).await.2).unwrap();
    let drawn = &timeline["looks"][0];
    assert_eq!((drawn["camera"].as_str(), drawn["looks"].as_array().unwrap().len()), (Some("<b>摄像头"), 3));
    assert_eq!(drawn["looks"][0]["says"].as_str(), Some("1 人，1 人躺卧"));
    let page = it.get(&format!("/incidents/{incident}")).await.2;
    assert!(page.contains("1 人，1 人躺卧") && !page.contains("<b>摄像头"), "for who has no script");

    let path = format!("/incidents/{incident}/evidence");
    let (status, _, file) = it.post(&path, "name=a&purpose=bb&pictures=yes").await;
    assert_eq!(status, StatusCode::OK);
    let report = tuoan_evidence::verify(file.as_bytes(), &tuoan_evidence::Trust::default()).unwrap();
    assert_eq!(report.looks, [piece]);
    let (_, _, file) = it.post(&path, "name=a&purpose=bb").await;
    assert!(tuoan_evidence::verify(file.as_bytes(), &tuoan_evidence::Trust::default()).unwrap().looks.is_empty(), "without pictures");
    stop.cancel();
    keeper.await.unwrap();
}
