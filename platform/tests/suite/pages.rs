//! The pages as a browser sees them.

use super::common::*;
use reqwest::{Client, Response, redirect::Policy};

/// A browser: keeps cookies, says where its forms come from.
struct Browser {
    client: Client,
    cookies: std::collections::BTreeMap<String, String>,
    base: String,
}

impl Browser {
    fn new(w: &World) -> Browser {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Browser { client, cookies: Default::default(), base: w.url("") }
    }
    fn keep(&mut self, response: &Response) {
        for cookie in response.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.into(), value.into());
        }
    }
    fn header(&self) -> String {
        self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("; ")
    }
    async fn get(&mut self, path: &str) -> (u16, String) {
        let request = self.client.get(format!("{}{path}", self.base)).header("cookie", self.header());
        let response = request.header("accept", "text/html").header("accept-language", "zh-CN").send().await.unwrap();
        self.keep(&response);
        (response.status().as_u16(), response.text().await.unwrap())
    }
    async fn post(&mut self, path: &str, fields: &str) -> (u16, String, String) {
        let request = self.client.post(format!("{}{path}", self.base)).header("cookie", self.header()).header("origin", &self.base);
        let response = request.header("content-type", "application/x-www-form-urlencoded").body(fields.to_owned()).send().await.unwrap();
        self.keep(&response);
        let to = response.headers().get("location").map(|l| l.to_str().unwrap().to_owned()).unwrap_or_default();
        (response.status().as_u16(), to, response.text().await.unwrap())
    }
}

fn csrf(html: &str) -> String {
    html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claimed_with_the_code_then_open_to_whoever_signed_in() {
    let w = World::sqlite().await;
    let mut stranger = Browser::new(&w);
    let (_, page) = stranger.get("/").await;
    assert!(page.contains("action=\"/claim\""), "{page}");
    assert_eq!(stranger.get("/incidents/E1").await.0, 403);
    let code = w.platform.as_ref().unwrap().claim_code().unwrap();
    let token = csrf(&page);
    let (status, _, _) = stranger.post("/claim", &format!("csrf={token}&code=WRONG-00&password=correct+horse&again=correct+horse")).await;
    assert_eq!(status, 403);
    let (status, to, text) = stranger.post("/claim", &format!("csrf={token}&code={code}&password=correct+horse&again=correct+horse")).await;
    assert_eq!((status, to.as_str()), (303, "/"), "{text}");
    assert!(w.platform.as_ref().unwrap().claim_code().is_none());
    let (status, page) = stranger.get("/").await;
    assert_eq!(status, 200);
    assert!(page.contains("星园") && page.contains("月园"), "{page}");
    assert_eq!(Browser::new(&w).get("/").await.0, 303, "another browser must log in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_is_seen_claimed_and_acknowledged() {
    let w = World::sqlite().await;
    let mut one = Browser::new(&w);
    let link = w.platform.as_ref().unwrap().login_link();
    let path = link.strip_prefix(&w.url("")).unwrap().to_owned();
    assert_eq!(one.get(&path).await.0, 303);
    assert_eq!(Browser::new(&w).get(&path).await.0, 403, "a link is good for once");

    let mut two = event("a", 2, "E2", "E2", "opened");
    two["data"]["event"]["basis"] = "inferred".into();
    two["data"]["place_name"] = "<script>alert(1)</script>".into();
    w.statuses(SITE_A, &[two, event("a", 1, "E1", "E1", "opened"), heartbeat("a", "H1")]).await;
    let (status, page) = one.get("/").await;
    assert_eq!(status, 200);
    let (first, second) = (page.find("id=\"i-E1\"").unwrap(), page.find("id=\"i-E2\"").unwrap());
    assert!(first < second, "confirmed before inferred");
    assert!(page.contains("烟雾报警") && page.contains("托小班2"));
    assert!(!page.contains("<script>alert"), "text from outside is escaped");

    let token = csrf(&page);
    let (status, _, ask) = one.post("/incidents/E1/claim", &format!("csrf={token}")).await;
    assert_eq!(status, 200);
    assert!(ask.contains("name=\"name\""), "asks who acts: {ask}");
    let (status, to, _) = one.post("/incidents/E1/claim", &format!("csrf={token}&name=%E7%8E%8B%E4%B8%BB%E4%BB%BB")).await;
    assert_eq!((status, to.as_str()), (303, "/incidents/E1"));
    let (_, page) = one.get("/incidents/E1").await;
    assert!(page.contains("王主任"), "{page}");
    assert_eq!(one.post("/incidents/E1/acknowledge", &format!("csrf={token}")).await.0, 303, "the session knows the name now");
    assert_eq!(one.post("/incidents/E1/acknowledge", "csrf=wrong").await.0, 403);
    let row = &w.incidents("").await[0];
    assert_eq!((&row["claimed"]["by"], &row["district_acknowledged"]["by"]), (&"王主任".into(), &"王主任".into()));

    let mut other = Browser::new(&w);
    let link = w.platform.as_ref().unwrap().login_link();
    other.get(link.strip_prefix(&w.url("")).unwrap()).await;
    let (_, page) = other.get("/").await;
    let (status, _, text) = other.post("/incidents/E1/claim", &format!("csrf={}&name=Li", csrf(&page))).await;
    assert_eq!(status, 409);
    assert!(text.contains("王主任"), "says who has it");
    assert_eq!(other.get("/incidents/NONE").await.0, 404);
    assert_eq!(other.get("/incidents/%00").await.0, 400);
}

/// A site must not be able to keep another's alarm from being claimed by sending an incident with the same id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_taken_by_another_site_hides_nothing() {
    let w = World::sqlite().await;
    let mut browser = Browser::new(&w);
    let link = w.platform.as_ref().unwrap().login_link();
    browser.get(link.strip_prefix(&w.url("")).unwrap()).await;
    w.statuses(SITE_A, &[event("a", 1, "E1", "E1", "opened")]).await;
    w.statuses(SITE_B, &[event("b", 1, "E1", "E1", "opened")]).await;
    let (_, page) = browser.get("/").await;
    assert!(page.contains("/incidents/E1?site=a") && page.contains("/incidents/E1/claim?site=b"), "{page}");
    assert_eq!(browser.get("/incidents/E1?site=a").await.0, 200);
    let token = csrf(&page);
    let (status, _, ask) = browser.post("/incidents/E1/claim?site=a", &format!("csrf={token}")).await;
    assert!(status == 200 && ask.contains("action=\"/incidents/E1/claim?site=a\""), "{ask}");
    let (status, to, _) = browser.post("/incidents/E1/claim?site=a", &format!("csrf={token}&name=Li")).await;
    assert_eq!((status, to.as_str()), (303, "/incidents/E1?site=a"));
    assert_eq!(browser.post("/incidents/E1/claim?site=%E6%98%9F%26x", &format!("csrf={token}")).await.0, 404);
}

/// Numbers and names at the ends of what a site can send, looked at by everybody in the district.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_site_sends_breaks_the_district_s_page() {
    let w = World::sqlite().await;
    let mut browser = Browser::new(&w);
    let link = w.platform.as_ref().unwrap().login_link();
    browser.get(link.strip_prefix(&w.url("")).unwrap()).await;
    let evil = "\"'><img src=x onerror=alert(1)>{{7*7}}</script>";
    for (n, at) in [(1u64, i64::MAX), (2, i64::MIN), (3, -1), (4, 253_402_300_800_000)] {
        let mut e = event("a", n, &format!("E{n}"), &format!("E{n}"), "opened");
        e["data"]["event"]["at"] = at.into();
        e["data"]["event"]["activations"] = u64::MAX.into();
        e["data"]["event"]["trigger"]["value"] = 1e300.into();
        e["data"]["event"]["actor"] = evil.into();
        e["data"]["event"]["note"] = evil.into();
        e["data"]["event"]["rule"] = evil.into();
        for part in ["place_name", "clause"] {
            e["data"][part] = evil.into();
        }
        e["data"]["title"] = serde_json::json!({"zh": evil, "en": evil});
        e["data"]["advice"] = serde_json::json!({"zh": evil, "en": [1]});
        assert_eq!(w.statuses(SITE_A, &[e]).await, ["accepted"], "at {at}");
    }
    // A gap from 5 to almost 2^63, in logs without number.
    let far = |mut e: serde_json::Value| {
        e["sequence"] = (i64::MAX - 1).to_string().into();
        e["data"]["event"]["sequence"] = (i64::MAX - 1).into();
        e
    };
    assert_eq!(w.statuses(SITE_A, &[far(event("a", 1, "EF", "EF", "opened"))]).await, ["accepted"]);
    let logs: Vec<_> = (0..300u64)
        .map(|n| {
            let mut e = far(event("a", 1, &format!("L{n}"), &format!("L{n}"), "opened"));
            e["source"] = format!("/sites/a/logs/log{n}").into();
            e["data"]["event"]["log"] = format!("log{n}").into();
            e["data"]["event"]["at"] = i64::MAX.into();
            e
        })
        .collect();
    assert!(w.statuses(SITE_A, &logs).await.iter().all(|s| s == "accepted"));
    let mut beat = heartbeat("a", "H1");
    beat["data"] = serde_json::json!({"queue": {"alerts": u64::MAX, "metrics": u64::MAX}, "healthy": evil, "clock_trusted": -1});
    w.statuses(SITE_A, &[beat]).await;
    let mut pages = vec!["/".to_owned(), "/fragment/live".to_owned()];
    pages.extend((1..=4).map(|n| format!("/incidents/E{n}?site=a")));
    for path in pages {
        for lang in ["zh-CN", "en"] {
            let (status, page) = browser.get(&format!("{path}{}lang={lang}", if path.contains('?') { "&" } else { "?" })).await;
            assert_eq!(status, 200, "{path}");
            assert!(!page.contains("<img src=x") && !page.contains("'><"), "{path}: {page}");
        }
    }
    let sites = w.get("/v1/sites", SITE_A).await.1;
    assert!(sites["sites"][0]["logs"].as_array().unwrap().len() <= 8, "{sites}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_carries_versions_only_and_ends_with_the_platform() {
    let mut w = World::sqlite().await;
    assert_eq!(w.client.get(w.url("/events")).send().await.unwrap().status(), 403, "not before sign-in");
    let mut browser = Browser::new(&w);
    let link = w.platform.as_ref().unwrap().login_link();
    browser.get(link.strip_prefix(&w.url("")).unwrap()).await;
    let mut stream = w.client.get(w.url("/events")).header("cookie", browser.header()).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let mut heard = String::new();
    let mut views = async |n: usize| {
        while heard.matches("event: view").count() < n {
            heard.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
        }
        heard.clone()
    };
    views(1).await;
    w.statuses(SITE_A, &[event("a", 1, "E1", "E1", "opened")]).await;
    let heard = views(2).await;
    assert!(!heard.contains("E1") && !heard.contains("烟"), "{heard}");
    let (_, fragment) = browser.get("/fragment/live").await;
    assert!(fragment.contains("id=\"i-E1\"") && !fragment.contains("<html"));
    // An open stream must not hold the server up.
    tokio::time::timeout(std::time::Duration::from_secs(10), w.platform.take().unwrap().shutdown()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_site_is_never_shown_as_safe() {
    let w = World::sqlite().await;
    w.statuses(SITE_A, &[heartbeat("a", "H1")]).await;
    w.statuses(SITE_B, &[heartbeat("b", "H1")]).await;
    let mut browser = Browser::new(&w);
    let link = w.platform.as_ref().unwrap().login_link();
    browser.get(link.strip_prefix(&w.url("")).unwrap()).await;
    let (_, page) = browser.get("/").await;
    assert!(page.contains("class=\"heard\"") && !page.contains("class=\"silent\""), "{page}");
    w.at(200_000);
    let (_, page) = browser.get("/").await;
    assert_eq!(page.matches("class=\"silent\"").count(), 2, "at once, without waiting for the record");
}

/// A site that has a log begins another: nothing is witnessed until a supervisor has said why.
async fn a_new_log_waits_for_a_supervisor(w: World) {
    use tuoan_evidence::{Proof, SignedHead, SigningKey, Submission, tree};
    let mut browser = Browser::new(&w);
    let link = w.platform.as_ref().unwrap().login_link();
    browser.get(link.strip_prefix(&w.url("")).unwrap()).await;
    let key = SigningKey::from_seed(&[1; 32]).unwrap();
    let leaves = [tree::leaf(1, b"a"), tree::leaf(1, b"b")];
    let submit = async |log: &str| {
        let head = SignedHead::sign(&key, "a", log, 2, tree::root(&leaves[..], 2).unwrap(), T0);
        let body = serde_json::to_vec(&Submission { head, from: 0, proof: Proof(Vec::new()) }).unwrap();
        w.post("/v1/heads", SITE_A, "application/json", body).await
    };
    assert_eq!(submit("01JD").await.0, 200);
    let (status, why) = submit("01JX").await;
    assert!(status == 409 && why["message"].as_str().unwrap().contains("a supervisor of the district must accept it first"), "{why}");
    let (_, page) = browser.get("/evidence").await;
    assert!(page.contains("重新开始的日志") && page.contains("action=\"/evidence/accept\""), "{page}");
    assert_eq!(page.matches("<small>01J").count(), 1, "one log is witnessed");
    let token = csrf(&page);
    let fields = format!("csrf={token}&site=a&log=01JX&key={}", key.public());
    assert_eq!(browser.post("/evidence/accept", &fields.replace(&token, "wrong")).await.0, 403);
    let (status, _, page) = browser.post("/evidence/accept", &format!("{fields}&name=Li&reason=+x+")).await;
    assert!(status == 422 && page.contains("没有接受"), "a reason is needed: {page}");
    assert_eq!(submit("01JX").await.0, 409);
    let answer = format!("{fields}&name=Li&reason=%E6%8D%A2%E4%BA%86%E4%B8%BB%E6%9C%BA");
    let (status, to, page) = browser.post("/evidence/accept", &answer).await;
    assert_eq!((status, to.as_str()), (303, "/evidence"), "{page}");
    assert_eq!(browser.post("/evidence/accept", &answer).await.0, 409, "an answer is given once");
    assert_eq!(submit("01JX").await.0, 200);
    let (_, page) = browser.get("/evidence").await;
    assert!(page.contains("换了主机") && page.contains("Li") && !page.contains("action=\"/evidence/accept\""), "{page}");
    assert_eq!(page.matches("<small>01J").count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_log_waits_for_a_supervisor_on_sqlite() {
    a_new_log_waits_for_a_supervisor(World::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_log_waits_for_a_supervisor_on_postgresql() {
    a_new_log_waits_for_a_supervisor(World::postgres().await).await;
}
