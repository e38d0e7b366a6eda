//! The gateway before it has a site: who stands before the box claims it with the code on the console, says what the institution is, and gets the
//! recovery code. Then the gateway starts in this same process.
use super::files::{Files, NotWritten};
use super::first;
use crate::clock::Clock;
use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use miette::{Context, IntoDiagnostic, Result};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tuoan_dashboards::Ui;
use tuoan_dashboards::door::{Door, DoorConfig, FileVault, Role, Roles, Row, Told, Visitor};
use tuoan_dashboards::listen::{Limits, limited};
use tuoan_dashboards::setup as page;
use tuoan_dashboards::view::setup::{First, Ready};

/// Few come here, one at a time.
const CONNECTIONS: Limits = Limits { all: 64, of_one: 16, idle: Duration::from_secs(60) };
/// Answers that are on their way get this long.
const DRAIN: Duration = Duration::from_secs(2);
/// What happened at the door is kept until there is a store; more is not worth keeping.
const KEPT: usize = 256;

const DIRECTOR: Roles = Roles::of(&[Role::Director]);
const TABLE: &[Row] = &[
    Row { path: "/", read: DIRECTOR, act: Roles::NOBODY },
    Row { path: "/setup/first", read: DIRECTOR, act: DIRECTOR },
    Row { path: "/setup/start", read: Roles::NOBODY, act: DIRECTOR },
];

/// Where it listens.
#[derive(Debug, Clone)]
pub struct FirstRun {
    pub data: PathBuf,
    pub web: SocketAddr,
    pub broker: SocketAddr,
    pub clock: Clock,
}

/// How it ended.
pub enum Ended {
    /// The files are written; what happened at the door is for the gateway's log.
    Ready(Vec<Told>),
    /// The process is to stop.
    Stopped,
}

struct Shared {
    run: FirstRun,
    files: Files,
    door: Door,
    id: String,
    done: Notify,
}

/// Serves the first page until the site is written and the director starts the gateway, or until `stop`.
///
/// # Errors
/// The folder cannot be made or used, or the address is taken.
pub async fn serve(run: FirstRun, stop: impl Future<Output = ()>) -> Result<Ended> {
    std::fs::create_dir_all(&run.data)
        .into_diagnostic()
        .wrap_err_with(|| format!("the folder {} cannot be made; name another with --data", run.data.display()))?;
    let wall = run.clock.clone();
    let door = DoorConfig { name: "gateway", code: std::env::var("TUOAN_CLAIM_CODE").ok(), now: Box::new(move || wall.utc_ms()) };
    let door = Door::open(door, FileVault::in_dir(&run.data)).into_diagnostic().wrap_err("the passwords' file cannot be used")?;
    let told: Arc<Mutex<Vec<Told>>> = Arc::default();
    let heard = told.clone();
    door.listen(move |t| {
        let mut list = heard.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() < KEPT {
            list.push(t);
        }
    });
    let listener = tokio::net::TcpListener::bind(run.web)
        .await
        .into_diagnostic()
        .wrap_err_with(|| format!("the first page cannot be served on {}; choose another with --listen", run.web))?;
    let address = listener.local_addr().into_diagnostic()?;
    announce(address, door.claim_code());
    let id = format!("site-{}", hex::encode(rand::random::<[u8; 3]>()));
    let shared = Arc::new(Shared { files: Files::in_folder(&run.data), door: door.clone(), run, id, done: Notify::new() });
    let app = router(&shared).into_make_service_with_connect_info::<SocketAddr>();
    let closing = shared.clone();
    let ended = Arc::new(Notify::new());
    let (server_ends, shared_ended) = (ended.clone(), ended);
    let server = axum::serve(limited(CONNECTIONS, listener), app).with_graceful_shutdown(async move { server_ends.notified().await });
    let server = tokio::spawn(async move { server.await });
    let outcome = tokio::select! {
        () = closing.done.notified() => Ended::Ready(std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner))),
        () = stop => Ended::Stopped,
    };
    shared_ended.notify_one();
    let abort = server.abort_handle();
    if tokio::time::timeout(DRAIN, server).await.is_err() {
        abort.abort();
    }
    Ok(outcome)
}

/// On the console: where the page is, and the one secret that belongs there, for whoever can read it stands before the box.
fn announce(address: SocketAddr, code: Option<&str>) {
    let shown = if address.ip().is_unspecified() { format!("http://<this box>:{}", address.port()) } else { format!("http://{address}") };
    eprintln!("\n  This box is not set up yet. 网关尚未设置，请用手机或电脑打开：\n\n      {shown}/");
    match code {
        Some(code) => eprintln!("\n  and enter the code 并输入代码：  {code}\n"),
        None => eprintln!("\n  and sign in as the director. 并以负责人身份登录。\n"),
    }
}

fn router(shared: &Arc<Shared>) -> Router {
    let inside = Router::new()
        .route("/", get(first_page))
        .route("/setup/first", get(first_page).post(write))
        .route("/setup/start", post(start))
        .with_state(shared.clone());
    // Unlike a gateway's: whoever waits for it to start waits for the word "healthy".
    let outside = Router::new()
        .route("/healthz", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "{\"healthy\":false,\"reason\":\"not set up\"}") }));
    shared.door.guard_by(inside, Router::new(), outside, TABLE)
}

fn ui(shared: &Shared, visitor: &Visitor) -> Ui {
    let mut ui = visitor.ui(shared.run.clock.utc_ms(), 480, 1.0, "");
    ui.path = "/".into();
    ui
}

async fn first_page(State(shared): State<Arc<Shared>>, visitor: Visitor) -> Response {
    Html(page::first(&ui(&shared, &visitor), &first::blank(shared.id.clone()))).into_response()
}

async fn write(State(shared): State<Arc<Shared>>, visitor: Visitor, Form(fields): Form<BTreeMap<String, String>>) -> Response {
    let ui = ui(&shared, &visitor);
    let form = first::typed(&fields);
    let site =
        match first::site(form.clone(), |kind| ui.word("zone-kind", kind), |class| ui.t1("first-nap-name", "class", class.to_owned())) {
            Ok(site) => site,
            Err(form) => return (StatusCode::UNPROCESSABLE_ENTITY, Html(page::first(&ui, &form))).into_response(),
        };
    let (files, run) = (shared.files.clone(), shared.run.clone());
    let name = site.name.clone();
    let written = tokio::task::spawn_blocking(move || {
        files.write(&site)?;
        files.write_config(run.web, run.broker)
    });
    let problems = match written.await {
        Ok(Ok(())) => Vec::new(),
        Ok(Err(NotWritten::Problems(list))) => list,
        Ok(Err(e)) => vec![e.to_string()],
        Err(e) => vec![e.to_string()],
    };
    if !problems.is_empty() {
        let form = First { general: problems, ..form };
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page::first(&ui, &form))).into_response();
    }
    match shared.door.draw_recovery().await {
        Ok(code) => Html(page::ready(&ui, &Ready { site: name, code })).into_response(),
        Err(_) => {
            let form = First { general: vec![ui.t("error-save")], ..form };
            (StatusCode::INTERNAL_SERVER_ERROR, Html(page::first(&ui, &form))).into_response()
        }
    }
}

async fn start(State(shared): State<Arc<Shared>>, visitor: Visitor) -> Response {
    let ui = ui(&shared, &visitor);
    if !shared.files.config.exists() {
        return Html(page::first(&ui, &first::blank(shared.id.clone()))).into_response();
    }
    shared.done.notify_one();
    Html(page::starting(&ui)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, header};
    use tower::ServiceExt;
    use tuoan_dashboards::door::MemoryVault;

    struct Fresh {
        app: Router,
        shared: Arc<Shared>,
        session: String,
        _dir: tempfile::TempDir,
    }

    async fn fresh() -> Fresh {
        let dir = tempfile::tempdir().unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let run = FirstRun { data: dir.path().to_owned(), web: any, broker: any, clock: Clock::manual(1_795_485_600_000) };
        let config = DoorConfig { name: "gateway", code: Some("ABCD-2345".into()), now: Box::new(|| 1_795_485_600_000) };
        let door = Door::open(config, MemoryVault::default()).unwrap();
        let files = Files::in_folder(dir.path());
        let shared = Arc::new(Shared { run, files, door, id: "site-1a2b3c".into(), done: Notify::new() });
        let app = router(&shared);
        let mut it = Fresh { app, shared, session: String::new(), _dir: dir };
        let (_, cookies, page) = it.send("GET", "/claim", "").await;
        it.session = cookies[0].clone();
        let csrf = csrf(&page);
        let (status, cookies, page) = it
            .send("POST", "/claim", &format!("csrf={csrf}&code=ABCD2345&name=%E7%8E%8B&password=correct-horse&again=correct-horse"))
            .await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
        it.session = cookies.into_iter().find(|c| c.starts_with("tuoan_gateway=")).unwrap();
        it
    }

    fn csrf(page: &str) -> String {
        page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    impl Fresh {
        async fn send(&self, method: &str, path: &str, body: &str) -> (StatusCode, Vec<String>, String) {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(header::COOKIE, &self.session)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from(body.to_owned()))
                .unwrap();
            let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
            let cookies = parts.headers.get_all(header::SET_COOKIE).iter();
            let cookies = cookies.map(|v| v.to_str().unwrap().split(';').next().unwrap().to_owned()).collect();
            (parts.status, cookies, String::from_utf8_lossy(&to_bytes(body, 1 << 20).await.unwrap()).into_owned())
        }
    }

    #[tokio::test]
    async fn a_box_is_claimed_described_and_ready() {
        let it = fresh().await;
        let (status, _, page) = it.send("GET", "/", "").await;
        assert!(status == StatusCode::OK && page.contains("site-1a2b3c"), "{page}");
        let csrf = csrf(&page);
        let (status, _, page) = it.send("POST", "/setup/first", &format!("csrf={csrf}&id=site-1&name=%3Cb%3E&staff_hours=6")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.contains("&#60;b&#62;") && page.contains("class=\"error\"") && !it.shared.files.site.exists(), "{page}");
        let good = "id=site-1&name=n&district=d&street=s&institution=private&supervisor=health&staff_hours=06:30-19:00&c0_name=A&c0_age=toddler\
                    &c0_places=15&c0_care=full_day&c0_hours=07:30-18:00&c0_nap=12:00-14:30&c0_nap_room=on&r_exit=1&r_kitchen=1";
        let (status, _, page) = it.send("POST", "/setup/first", &format!("csrf={csrf}&{good}")).await;
        assert!(status == StatusCode::OK && page.contains("class=\"secret\""), "{page}");
        let config = crate::config::load(&it.shared.files.config, None).unwrap();
        assert_eq!((config.site.id.as_str(), config.site.zones.len()), ("site-1", 4));
        let (status, _, page) = it.send("POST", "/setup/start", &format!("csrf={csrf}")).await;
        assert!(status == StatusCode::OK && page.contains("data-await"), "{page}");
        tokio::time::timeout(Duration::from_secs(1), it.shared.done.notified()).await.expect("the gateway is asked to start");
    }

    #[tokio::test]
    async fn a_stranger_describes_nothing() {
        let mut it = fresh().await;
        it.session = String::new();
        for (method, path) in [("GET", "/"), ("GET", "/setup/first"), ("POST", "/setup/first"), ("POST", "/setup/start")] {
            let (status, _, page) = it.send(method, path, "name=x").await;
            assert!(matches!(status, StatusCode::SEE_OTHER | StatusCode::FORBIDDEN), "{method} {path}: {status}");
            assert!(!page.contains("site-1a2b3c"));
        }
    }
}
