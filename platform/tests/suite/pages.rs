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
