//! The routes over a real pipeline and store, by a clock that is set.
mod cameras;
mod evidence;
mod lifecycle;
mod links;
mod people;
mod pin;
mod quality;
mod setup_pages;
mod tasks;

use super::*;
use crate::ingest::{Ack, Inbound, Stored};
use crate::pipeline::{self, Control, Pipeline, PipelineConfig, Trust};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use tokio::sync::oneshot;
use tower::ServiceExt;
use tuoan_dashboards::door::{DoorConfig, MemoryVault};
use tuoan_protocol::{InstitutionType, SupervisingBody};

/// 2026-11-24 10:00 in China, a Tuesday.
const NOW: i64 = 1_795_485_600_000;

const SITE: &str = r#"
id = "xingyuan"
name = "杏园<b>托育"
district = "上虞区"
street = "百官街道"
institution = "community"
supervisor = "health"
staff_hours = "06:30-19:30"
[[classes]]
id = "t2"
name = "托小班2"
care = "full_day"
age_group = "toddler"
care_hours = ["07:30-18:00"]
[[zones]]
id = "toddler-2"
name = "托小班2<script>alert(1)</script>"
kind = "activity"
classes = ["t2"]
[[devices]]
id = "env-2"
zone = "toddler-2"
name = "<img src=x onerror=alert(2)>"
role = "climate"
period_s = 60
"#;

const PACK: &str = r#"
name = "test"
version = 1
[[ladder]]
severity = 1
until = "handled"
steps = [{ after = "0s", to = ["carer"] }]
source = "测试"

[[rule]]
id = "hot"
hazard = "climate.temp"
kind = "threshold"
quantity = "temperature"
unit = "°C"
above = 40
hysteresis = 1
severity = 1
basis = "confirmed"
source = "测试标准"
clause = "第 7 条"
verified = false
duty = ["health"]
title = { zh = "温度<i>过高", en = "Too <i>hot" }
advice = { zh = "请降温。", en = "Cool the room." }
[[rule.case]]
name = "hot"
zone = "activity"
steps = ["10:00 temperature 41", "10:00 expect opened 1"]

[[rule]]
id = "warm"
hazard = "env.anomaly"
kind = "threshold"
quantity = "temperature"
unit = "°C"
above = 30
hysteresis = 1
hold = "10m"
severity = 3
basis = "inferred"
source = "测试标准"
clause = "第 9 条"
verified = false
duty = ["health"]
title = { zh = "有点热", en = "Rather warm" }
advice = { zh = "请通风。", en = "Air the room." }
[[rule.case]]
name = "warm"
zone = "activity"
period = 60
steps = ["10:00 every 1m until 10:11 temperature 31", "10:11 expect opened 3"]

[[rule]]
id = "concern"
hazard = "concern.report"
kind = "report"
severity = 1
basis = "confirmed"
source = "测试标准"
clause = "第 8 条"
verified = true
duty = ["police"]
latch = ["district"]
title = { zh = "疑似伤害报告", en = "Concern reported" }
advice = { zh = "请保护孩子。", en = "Protect the child." }
[[rule.case]]
name = "reported"
steps = ["10:00 report", "10:00 expect opened 1"]

[[rule]]
id = "fever"
hazard = "health.fever"
kind = "entry"
quantity = "body_temperature"
unit = "°C"
at_least = 37.3
latch = ["cancel"]
severity = 3
basis = "confirmed"
source = "测试标准"
clause = "第 9 条"
verified = false
duty = ["health"]
title = { zh = "有孩子发烧", en = "Fever" }
advice = { zh = "请复测。", en = "Measure again." }
[[rule.case]]
name = "entered"
steps = ["10:00 check 38 a1", "10:00 expect opened 3"]
"#;

struct Box_ {
    app: Router,
    pipeline: Pipeline,
    clock: Clock,
    door: Door,
    pictures: Pictures,
    shutdown: CancellationToken,
    session: String,
    _dir: tempfile::TempDir,
}

async fn gateway() -> Box_ {
    gateway_at(SITE).await
}

async fn gateway_at(site: &str) -> Box_ {
    let checked = crate::engine::rules::check(PACK);
    assert!(checked.problems.is_empty(), "{:?}", checked.problems);
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW);
    let files = crate::setup::files::Files::in_folder(dir.path());
    std::fs::write(&files.site, site).unwrap();
    files.write_config("127.0.0.1:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()).unwrap();
    let config = PipelineConfig {
        data: dir.path().join("data"),
        site: toml::from_str(site).unwrap(),
        rules: vec![PACK.to_owned()],
        mappings: Vec::new(),
        clock: clock.clone(),
        trust: Trust::Always,
        store: crate::store::Options { reserve_mb: 0, ..crate::store::Options::default() },
        model: None,
    };
    let pipeline = tokio::task::spawn_blocking(move || pipeline::spawn(config)).await.unwrap().unwrap();
    pipeline.handle.first_view().await;
    let door = Door::open(DoorConfig { name: "gateway", code: None, now: Box::new(|| NOW) }, MemoryVault::default()).unwrap();
    let shutdown = CancellationToken::new();
    let pictures = Pictures::open(&crate::cameras::Settings::default(), dir.path(), pipeline.cameras.clone(), NOW);
    let deps = WebDeps {
        chain: Default::default(),
        channels: crate::notify::post::Channels::default(),
        link_key: crate::notify::link::LinkKey::new(&[7; 32]),
        handle: pipeline.handle.clone(),
        catalogue: Arc::new(Catalogue::new(&[PACK])),
        limits: Arc::new(limits(&[PACK])),
        rulebook: Arc::new(super::rules::rulebook(&[PACK])),
        deliveries: Deliveries::default(),
        pictures: pictures.clone(),
        evidence: crate::evidence::Office {
            data: dir.path().join("data"),
            key: crate::evidence::site_key(dir.path()).unwrap(),
            witness: Some(Arc::default()),
        },
        clock: clock.clone(),
        door: door.clone(),
        setup: setup::SetUp {
            files: Some(files.clone()),
            site: Arc::new(toml::from_str(site).unwrap()),
            uplink: false,
            node_tls: Some(crate::nodes::key::NodeTls { port: 8883, pin: "p256.02ab".into() }),
            reload: Arc::default(),
        },
        nodes: Some(crate::nodes::rollout::Rollout::new(
            pipeline.handle.clone(),
            clock.clone(),
            "xingyuan".parse().unwrap(),
            dir.path().join("data"),
            crate::ingest::client::ClientConfig {
                // Nobody listens there.
                url: "mqtt://127.0.0.1:9".into(),
                client_id: "tuoan".into(),
                username: None,
                password: None,
                topics: Vec::new(),
                max_packet_bytes: 1 << 20,
                ca: None,
            },
            shutdown.clone(),
        )),
        shutdown: shutdown.clone(),
    };
    let config = WebConfig {
        site_name: "杏园<b>托育".into(),
        utc_offset_minutes: 480,
        speed: 1.0,
        metrics_token: Some("a-long-enough-token".into()),
        institution: InstitutionType::Community,
        supervisor: SupervisingBody::Health,
        live_pictures: true,
        viewing_password: Some(crate::config::Secret::new("only-the-director")),
        rooms: rooms(&toml::from_str(site).unwrap()),
        formerly: formerly(&toml::from_str(site).unwrap()),
    };
    let mut it = Box_ { app: router(config, deps), pipeline, clock, door, pictures, shutdown, session: String::new(), _dir: dir };
    it.session = it.another_session().await;
    it
}

impl Box_ {
    async fn another_session(&self) -> String {
        let link = self.door.one_time_link();
        let (_, headers, _) = self.send(Request::get(&link).body(Body::empty()).unwrap()).await;
        let session = headers.get_all(header::SET_COOKIE).iter().map(|v| v.to_str().unwrap()).find(|c| c.starts_with("tuoan_gateway="));
        session.unwrap().split(';').next().unwrap().to_owned()
    }
    fn pictures_dir(&self) -> &std::path::Path {
        self._dir.path()
    }
    async fn try_floor(&self, json: &str) -> serde_json::Value {
        let page = self.get("/").await.2;
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let request = Request::post("/cameras/cam-1/floor/try")
            .header(header::COOKIE, &self.session)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-csrf-token", csrf)
            .body(Body::from(json.to_owned()))
            .unwrap();
        serde_json::from_str(&self.send(request).await.2).unwrap()
    }
    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        let text = to_bytes(body, 1 << 22).await.unwrap();
        (parts.status, parts.headers, String::from_utf8_lossy(&text).into_owned())
    }
    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, String) {
        self.send(Request::get(path).header(header::COOKIE, &self.session).body(Body::empty()).unwrap()).await
    }
    async fn post(&self, path: &str, form: &str) -> (StatusCode, HeaderMap, String) {
        let page = self.get("/").await.2;
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let request = Request::post(path)
            .header(header::COOKIE, &self.session)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("csrf={csrf}&{form}")))
            .unwrap();
        self.send(request).await
    }
    /// A temperature from the device, once it is stored and the view shows it.
    async fn hear(&self, seq: u64, temperature: f64) {
        let at = self.clock.utc_ms();
        let payload = format!(
            r#"{{"v":1,"site":"xingyuan","device":"env-2","boot":1,"seq":{seq},"time":{at},"readings":{{"temperature":{temperature}}}}}"#
        );
        let (ack, stored) = Ack::channel();
        let topic = "tuoan/v1/xingyuan/env-2/telemetry".into();
        let inbound = Inbound { topic, payload: payload.into(), retained: false, qos: 1, sender: None, ack };
        self.pipeline.handle.inbound.send(inbound).await.unwrap();
        assert_eq!(stored.await.unwrap(), Stored::Yes);
        let value = tuoan_protocol::Quantity::Temperature.fixed(temperature).unwrap();
        self.seen(|v| v.zones.iter().flat_map(|z| &z.sensors).any(|s| s.value == value)).await;
    }
    /// Views come at most a few times a second of real time; until then we let the engine go on.
    async fn seen(&self, wanted: impl Fn(&crate::engine::view::View) -> bool) {
        let mut view = self.pipeline.handle.view.clone();
        let wait = async {
            while !wanted(&view.borrow_and_update()) {
                self.clock.set(self.clock.utc_ms() + 1);
                let (reply, done) = oneshot::channel();
                self.pipeline.handle.control.send(Control::Tick { reply }).await.unwrap();
                done.await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the view does not change");
    }
    fn incident(&self) -> String {
        self.pipeline.handle.view.borrow().incidents.first().unwrap().id.as_str().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_from_reading_to_acknowledgement() {
    let it = gateway().await;
    it.hear(1, 23.4).await;
    let (status, headers, calm) = it.get("/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'self';"));
    assert!(calm.contains("23.4") && calm.contains("一切正常"), "{calm}");
    assert!(!calm.contains("<script>alert") && !calm.contains("<img src=x") && !calm.contains("杏园<b>"), "names are escaped");
    it.hear(2, 45.6).await;
    let busy = it.get("/fragment/home").await.2;
    for says in ["请立即处理", "温度&#60;i&#62;过高", "请降温。", "45.6 °C", "紧急", "已确认"] {
        assert!(busy.contains(says), "{says}: {busy}");
    }
    let english = it.get("/?lang=en").await.2;
    assert!(english.contains("Act now") && english.contains("Cool the room."));

    let id = it.incident();
    let action = format!("/incidents/{id}/acknowledge");
    // The name is asked once ...
    let (status, _, ask) = it.post(&action, "").await;
    assert!(status == StatusCode::OK && ask.contains("name=\"name\"") && ask.contains(&action), "{ask}");
    assert_eq!(it.post(&action, "name=%20").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, headers, _) = it.post(&action, "name=%E7%8E%8B%E8%80%81%E5%B8%88&back=https://evil.example/").await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/?done=acknowledged"));
    it.seen(|v| v.incidents.iter().any(|i| i.state.acknowledged)).await;
    assert!(it.get("/").await.2.contains("王老师 已知晓"));
    // ... and remembered.
    let (status, _, said) = it.post("/report", "room=toddler-2&note=%3Cb%3Ebruise").await;
    assert!(status == StatusCode::OK && said.contains("已收到您的报告"), "{said}");

    let page = it.get(&format!("/incidents/{id}")).await.2;
    for says in ["发现", "已知晓", "王老师", "测试标准 第 7 条", "条款尚未核对", "限值 40.0 °C", "<svg", "class=\"curve\""]
    {
        assert!(page.contains(says), "{says}: {page}");
    }
    assert!(it.get(&format!("/fragment/incidents/{id}")).await.2.contains("id=\"live\""));
    assert_eq!(it.get("/incidents/01JZ0000000000000000000000").await.0, StatusCode::NOT_FOUND);
    assert_eq!(it.post("/incidents/01JZ0000000000000000000000/acknowledge", "").await.0, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_understood_is_shown() {
    let it = gateway().await;
    for (topic, payload) in [("kit/x/env", "<script>hi</script>\u{7}"), ("tuoan/v1/xingyuan/env-2/telemetry", "{")] {
        let (ack, stored) = Ack::channel();
        let inbound = Inbound { topic: topic.into(), payload: payload.into(), retained: false, qos: 1, sender: None, ack };
        it.pipeline.handle.inbound.send(inbound).await.unwrap();
        stored.await.unwrap();
    }
    let page = it.get("/quarantine").await.2;
    assert!(page.contains("kit/x/env") && page.contains("&#60;script&#62;hi"), "{page}");
    assert!(it.get("/").await.2.contains("/quarantine"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interfaces_for_machines() {
    let it = gateway().await;
    it.hear(1, 23.4).await;
    let view: serde_json::Value = serde_json::from_str(&it.get("/api/v1/view").await.2).unwrap();
    assert_eq!(view["zones"][0]["sensors"][0]["value"], 23.4);
    assert_eq!(it.get("/healthz").await.0, StatusCode::OK);
    assert_eq!(it.get("/metrics").await.0, StatusCode::UNAUTHORIZED, "only this machine, or with the token");
    let bearer = Request::get("/metrics").header(header::AUTHORIZATION, "Bearer a-long-enough-token").body(Body::empty()).unwrap();
    let (status, _, text) = it.send(bearer).await;
    assert!(status == StatusCode::OK && text.contains("tuoan_messages_stored_total 1"), "{text}");
    for path in ["/", "/api/v1/view", "/events", "/fragment/home", "/quarantine"] {
        let anonymous = Request::get(path).body(Body::empty()).unwrap();
        let (_, _, text) = it.send(anonymous).await;
        assert!(!text.contains("23.4") && !text.contains("env-2"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_carry_versions_only_and_streams_are_bounded() {
    use futures::StreamExt;
    let it = gateway().await;
    it.hear(1, 23.4).await;
    let open = || async {
        let request = Request::get("/events").header(header::COOKIE, &it.session).header("last-event-id", "nonsense").body(Body::empty());
        it.app.clone().oneshot(request.unwrap()).await.unwrap()
    };
    let response = open().await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    let version = views::stamp(&it.pipeline.handle.view.borrow(), &crate::store::Health::Healthy);
    assert_eq!(String::from_utf8_lossy(&first), format!("event: view\nid: {version}\ndata: {version} {}\n\n", it.clock.utc_ms()));
    it.hear(2, 23.5).await;
    let second = String::from_utf8_lossy(&body.next().await.unwrap().unwrap()).into_owned();
    assert!(second.starts_with("event: view") && !second.contains("23.5"), "{second}");
    let mut others = Vec::new();
    for _ in 1..STREAMS {
        others.push(open().await);
    }
    assert_eq!(open().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(others);
    assert_eq!(open().await.status(), StatusCode::OK);
    // The gateway stops: streams end, pages say so.
    it.shutdown.cancel();
    while body.next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_engine_is_never_well() {
    let it = gateway().await;
    it.hear(1, 23.4).await;
    let (reply, drained) = oneshot::channel();
    it.pipeline.handle.control.send(Control::Drain { reply }).await.unwrap();
    drained.await.unwrap();
    it.pipeline.handle.control.closed().await;
    let page = it.get("/").await.2;
    assert!(page.contains("网关内部已停止") && !page.contains("一切正常"), "{page}");
    assert_eq!(it.get("/healthz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(it.get("/api/v1/view").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_morning_check_is_entered_by_its_form() {
    let it = gateway().await;
    it.seen(|v| !v.classes.is_empty()).await;
    let (status, _, form) = it.get("/check").await;
    assert_eq!(status, StatusCode::OK);
    for says in ["晨检登记", "托小班2", "手口疱疹", "name=\"csrf\""] {
        assert!(form.contains(says), "{says}: {form}");
    }
    // What is wrong is said beside what was typed.
    let (status, _, page) = it.post("/check", "class=t2&temperature=999&symptom=cough&child=a1").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("30 到 45") && page.contains("999") && page.contains("value=\"cough\" checked"), "{page}");
    assert_eq!(it.post("/check", "class=t2&child=%E7%8E%8B%E5%B0%8F%E6%98%8E&symptom=cough").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    // The name is asked once, and nothing has to be typed again.
    let (status, _, ask) = it.post("/check", "class=t2&temperature=38.1&symptom=cough&symptom=rash&child=a1").await;
    assert!(status == StatusCode::OK && ask.contains("name=\"name\""), "{ask}");
    for kept in ["value=\"38.1\"", "value=\"rash\"", "value=\"a1\""] {
        assert!(ask.contains(kept), "{kept}: {ask}");
    }
    let (status, headers, _) = it.post("/check", "class=t2&temperature=38.1&symptom=cough&child=a1&name=%E7%8E%8B%E8%80%81%E5%B8%88").await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/check?done=checked"));
    it.seen(|v| v.incidents.iter().any(|i| i.hazard.as_str() == "health.fever")).await;
    let home = it.get("/").await.2;
    assert!(home.contains("发烧") && !home.contains("a1<"), "{home}");
    assert_eq!(it.post("/check", "class=ghosts&symptom=cough").await.0, StatusCode::CONFLICT);
    // A stranger gets no form and enters nothing.
    let stranger = Request::post("/check")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("class=t2&temperature=39"))
        .unwrap();
    assert_ne!(it.send(stranger).await.0, StatusCode::SEE_OTHER);
    let (_, _, text) = it.send(Request::get("/check").body(Body::empty()).unwrap()).await;
    assert!(!text.contains("托小班2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_is_tried_on_the_history_before_it_is_switched_on() {
    let it = gateway().await;
    for n in 0..30 {
        it.hear(n + 1, if n < 15 { 22.0 } else { 26.5 }).await;
        it.clock.set(it.clock.utc_ms() + 60_000);
    }
    let all = it.get("/rules").await.2;
    for says in ["有点热", "温度高于 30 °C，持续 10 分钟", "测试标准 第 9 条", "未核对", "共 4 条规则"] {
        assert!(all.contains(says), "{says}: {all}");
    }
    assert!(it.get("/?lang=en").await.2.contains("/rules"));
    assert!(it.get("/rules/warm?lang=en").await.2.contains("temperature above 30 °C; for 10 min".replacen('t', "T", 1).as_str()));
    it.get("/rules?lang=zh").await;
    assert_eq!(it.get("/rules/nothing").await.0, StatusCode::NOT_FOUND);

    // The error stands beside its field; what was typed stays.
    let (status, _, wrong) =
        it.post("/rules/warm/try", "above=viel&hold=10&hold_unit=m&severity=3&author=&reason=%E6%B5%8B&expires=2026-12-20").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for says in ["value=\"viel\"", "请填一个数字，例如 30", "请写下是谁决定的", "测</textarea>"] {
        assert!(wrong.contains(says), "{says}: {wrong}");
    }
    let form =
        "enabled=on&above=25&hold=5&hold_unit=m&severity=3&author=%E7%8E%8B%E5%9B%AD%E9%95%BF&reason=%E6%B5%8B%E8%AF%95&expires=2026-12-20";
    let (status, headers, _) = it.post("/rules/warm/try", form).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/rules/warm/trial"));
    // The history is read by a thread of its own.
    let result = async {
        loop {
            let page = it.get("/rules/warm/trial").await.2;
            if page.contains("name=\"token\"") {
                break page;
            }
            assert!(page.contains("http-equiv=\"refresh\""), "{page}");
            tokio::task::yield_now().await;
        }
    };
    let result = tokio::time::timeout(Duration::from_secs(30), result).await.unwrap();
    for says in ["温度高于 25 °C，持续 5 分钟", "每周约 0.0 件", "1 件，共触发 1 次", "只有 0.0 天的记录", "最常触发的地方", "26.5 °C"]
    {
        assert!(result.contains(says), "{says}: {result}");
    }
    assert!(it.get("/rules/hot/trial").await.0 == StatusCode::SEE_OTHER, "that was another rule's");
    let token = result.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let (_, headers, _) = it.post("/rules/warm/set", "token=guessed").await;
    assert_eq!(headers[header::LOCATION], "/rules/warm", "not what was tried");
    let (_, headers, _) = it.post("/rules/warm/set", &format!("token={token}")).await;
    assert_eq!(headers[header::LOCATION], "/rules/warm?done=set");
    it.seen(|v| v.overrides.len() == 1).await;
    let page = it.get("/rules/warm?done=set").await.2;
    for says in ["已启用", "温度高于 25 °C，持续 5 分钟", "王园长", "测试", "2026年12月20日", "/rules/warm/end"] {
        assert!(page.contains(says), "{says}: {page}");
    }
    // It holds at once: what stands is judged by it when its time has come.
    for n in 0..7 {
        it.hear(40 + n, 26.0).await;
        it.clock.set(it.clock.utc_ms() + 60_000);
    }
    it.seen(|v| v.incidents.iter().any(|i| i.rule.as_str() == "warm")).await;

    // A start with the site file alone keeps it, until it is ended.
    let Box_ { app, pipeline, clock, door, pictures: _, shutdown, session, _dir } = it;
    let (reply, drained) = oneshot::channel();
    pipeline.handle.control.send(Control::Drain { reply }).await.unwrap();
    drained.await.unwrap();
    tokio::task::spawn_blocking(move || pipeline.thread.join()).await.unwrap().unwrap().unwrap();
    drop((app, door, shutdown, session));
    let config = PipelineConfig {
        data: _dir.path().join("data"),
        site: toml::from_str(SITE).unwrap(),
        rules: vec![PACK.to_owned()],
        mappings: Vec::new(),
        clock,
        model: None,
        trust: Trust::Always,
        store: crate::store::Options { reserve_mb: 0, ..crate::store::Options::default() },
    };
    let again = tokio::task::spawn_blocking(move || pipeline::spawn(config)).await.unwrap().unwrap();
    let mut view = again.handle.view.clone();
    let kept = view.wait_for(|v| !v.zones.is_empty()).await.unwrap().overrides.clone();
    assert_eq!(kept.iter().map(|o| (o.set.rule.as_str(), o.by_page)).collect::<Vec<_>>(), [("warm", true)]);
    let (reply, ended) = oneshot::channel();
    let change = crate::pipeline::OverrideChange::End("warm".parse().unwrap());
    again.handle.control.send(Control::Override { change, reply }).await.unwrap();
    assert!(ended.await.unwrap().is_ok());
}
