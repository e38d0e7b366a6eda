use super::*;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use std::sync::atomic::{AtomicI64, Ordering};
use tower::ServiceExt;

const CODE: &str = "ABCD-2345";

struct Site {
    door: Door,
    app: Router,
    clock: Arc<AtomicI64>,
}

fn site() -> Site {
    let clock = Arc::new(AtomicI64::new(1_000_000));
    let now = clock.clone();
    let config = DoorConfig { name: "test", code: Some(CODE.into()), now: Box::new(move || now.load(Ordering::Relaxed)) };
    let door = Door::open(config, MemoryVault::default()).unwrap();
    let inside = Router::new().route("/", get(|| async { "the inside" })).route("/act", post(|| async { "done" }));
    let outside = Router::new().route("/healthz", get(|| async { "well" })).route("/v1/events", post(|| async { "taken" }));
    let app = door.guard(inside, outside);
    Site { door, app, clock }
}

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, Vec<String>, String, Response<()>) {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let cookies = parts.headers.get_all(header::SET_COOKIE).iter().map(|v| v.to_str().unwrap().to_owned()).collect();
    let text = String::from_utf8_lossy(&to_bytes(body, 1 << 20).await.unwrap()).into_owned();
    (parts.status, cookies, text, Response::from_parts(parts, ()))
}

fn get_with(path: &str, cookie: &str) -> Request<Body> {
    Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap()
}

fn post_form(path: &str, cookie: &str, form: &str) -> Request<Body> {
    Request::post(path)
        .header(header::COOKIE, cookie)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::HOST, "box.local")
        .header(header::ORIGIN, "http://box.local")
        .body(Body::from(form.to_owned()))
        .unwrap()
}

fn pair(cookie: &str) -> String {
    cookie.split(';').next().unwrap().to_owned()
}

/// Opens a form: its cookie and token.
async fn form(app: &Router, path: &str) -> (String, String) {
    let (_, cookies, text, _) = send(app, get_with(path, "")).await;
    let token = text.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    (pair(&cookies[0]), token)
}

async fn claim(site: &Site) -> String {
    let (cookie, token) = form(&site.app, "/claim").await;
    let body = format!("csrf={token}&code=abcd2345&password=correct-horse&again=correct-horse");
    let (status, cookies, text, _) = send(&site.app, post_form("/claim", &cookie, &body)).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
    pair(cookies.iter().find(|c| c.starts_with("tuoan_test=")).unwrap())
}

/// The token of the forms in a session, as a page of the inside would carry it.
fn token_of(site: &Site, session: &str) -> String {
    let (parts, ()) = Request::get("/").header(header::COOKIE, session).body(()).unwrap().into_parts();
    Visitor::of(&site.door, &parts).csrf
}

#[tokio::test]
async fn unclaimed_serves_only_the_claim_page() {
    let site = site();
    assert_eq!(site.door.claim_code(), Some(CODE));
    for path in ["/", "/act", "/nothing", "/login"] {
        let (status, _, text, _) = send(&site.app, get_with(path, "")).await;
        assert!(!text.contains("the inside"), "{path}");
        assert!(text.contains("name=\"code\"") || status == StatusCode::SEE_OTHER, "{path}: {status}");
    }
    for path in ["/events", "/fragment/home", "/api/v1/view"] {
        assert_eq!(send(&site.app, get_with(path, "")).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(send(&site.app, get_with("/healthz", "")).await.2, "well");
}

#[tokio::test]
async fn claim_login_logout() {
    let site = site();
    let session = claim(&site).await;
    assert_eq!(site.door.claim_code(), None);
    assert_eq!(send(&site.app, get_with("/", &session)).await.2, "the inside");
    // Claiming again is not possible.
    assert_eq!(send(&site.app, get_with("/claim", "")).await.0, StatusCode::SEE_OTHER);
    // Without a session: to the login page, which leads back.
    let (status, _, _, parts) = send(&site.app, get_with("/act", "")).await;
    assert_eq!((status, parts.headers()[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/login?then=/act"));
    assert_eq!(send(&site.app, get_with("/events", "")).await.0, StatusCode::UNAUTHORIZED);
    let (cookie, token) = form(&site.app, "/login").await;
    let body = format!("csrf={token}&password=correct-horse&then=//evil.example/");
    let (status, cookies, _, parts) = send(&site.app, post_form("/login", &cookie, &body)).await;
    assert_eq!((status, parts.headers()[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/"), "only paths of this server");
    let cookie = cookies.iter().find(|c| c.starts_with("tuoan_test=")).unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let second = pair(cookie);
    let body = format!("csrf={}", token_of(&site, &second));
    assert_eq!(send(&site.app, post_form("/logout", &second, &body)).await.0, StatusCode::SEE_OTHER);
    assert_eq!(send(&site.app, get_with("/", &second)).await.0, StatusCode::SEE_OTHER);
    assert_eq!(send(&site.app, get_with("/", &session)).await.0, StatusCode::OK, "the other session lives on");
    // And ends by itself.
    site.clock.fetch_add(SESSION_MS + 1, Ordering::Relaxed);
    assert_eq!(send(&site.app, get_with("/", &session)).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_post_needs_its_pages_token_and_origin() {
    let site = site();
    let session = claim(&site).await;
    let good = format!("csrf={}", token_of(&site, &session));
    assert_eq!(send(&site.app, post_form("/act", &session, &good)).await.2, "done");
    assert_eq!(send(&site.app, post_form("/act", &session, "")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(send(&site.app, post_form("/act", &session, "csrf=00")).await.0, StatusCode::FORBIDDEN);
    let mut foreign = post_form("/act", &session, &good);
    foreign.headers_mut().insert(header::ORIGIN, "http://evil.example".parse().unwrap());
    assert_eq!(send(&site.app, foreign).await.0, StatusCode::FORBIDDEN);
    let mut null = post_form("/act", &session, &good);
    null.headers_mut().insert(header::ORIGIN, "null".parse().unwrap());
    assert_eq!(send(&site.app, null).await.0, StatusCode::FORBIDDEN);
    let mut site_header = post_form("/act", &session, &good);
    site_header.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(send(&site.app, site_header).await.0, StatusCode::FORBIDDEN);
    let large = format!("{good}&note={}", "x".repeat(70_000));
    assert_eq!(send(&site.app, post_form("/act", &session, &large)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    // Machine interfaces have their own tokens.
    assert_eq!(send(&site.app, Request::post("/v1/events").body(Body::from("[]")).unwrap()).await.2, "taken");
}

#[tokio::test]
async fn guessing_locks_out() {
    let site = site();
    let (cookie, token) = form(&site.app, "/claim").await;
    let wrong = format!("csrf={token}&code=WRONG-00&password=correct-horse&again=correct-horse");
    for _ in 0..5 {
        let (status, _, text, _) = send(&site.app, post_form("/claim", &cookie, &wrong)).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(text.contains("WRONG-00"), "what was typed is kept");
        assert!(!text.contains("correct-horse"), "but never the password");
    }
    let right = format!("csrf={token}&code={CODE}&password=correct-horse&again=correct-horse");
    assert_eq!(send(&site.app, post_form("/claim", &cookie, &right)).await.0, StatusCode::TOO_MANY_REQUESTS, "even the right code");
    site.clock.fetch_add(61_000, Ordering::Relaxed);
    assert_eq!(send(&site.app, post_form("/claim", &cookie, &right)).await.0, StatusCode::SEE_OTHER);
    let (cookie, token) = form(&site.app, "/login").await;
    let wrong = format!("csrf={token}&password=wrong-horse");
    for n in 0..6 {
        let status = send(&site.app, post_form("/login", &cookie, &wrong)).await.0;
        assert_eq!(status, if n < 5 { StatusCode::FORBIDDEN } else { StatusCode::TOO_MANY_REQUESTS });
    }
}

#[tokio::test]
async fn passwords_are_checked_in_words_and_hashed() {
    let site = site();
    let (cookie, token) = form(&site.app, "/claim").await;
    for (password, again, says) in [("short", "short", "8"), ("long-enough", "other-one", "不一样")] {
        let body = format!("csrf={token}&code={CODE}&password={password}&again={again}");
        let (status, _, text, _) = send(&site.app, post_form("/claim", &cookie, &body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(text.contains(says));
    }
    let session = claim(&site).await;
    let keys = site.door.0.vault.load().unwrap();
    assert!(keys.password.as_deref().unwrap().starts_with("$argon2id$"));
    let token = session.split_once('=').unwrap().1;
    assert!(!serde_json::to_string(&keys).unwrap().contains(token), "the cookie itself is not kept");
}

#[tokio::test]
async fn a_one_time_link_works_once() {
    let site = site();
    let link = site.door.one_time_link();
    let (status, cookies, _, _) = send(&site.app, get_with(&link, "")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let session = pair(cookies.iter().find(|c| c.starts_with("tuoan_test=")).unwrap());
    assert_eq!(send(&site.app, get_with("/", &session)).await.2, "the inside");
    assert_eq!(send(&site.app, get_with(&link, "")).await.0, StatusCode::FORBIDDEN);
    let late = site.door.one_time_link();
    site.clock.fetch_add(LINK_MS + 1, Ordering::Relaxed);
    assert_eq!(send(&site.app, get_with(&late, "")).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn headers_languages_and_assets() {
    let site = site();
    let (_, cookies, text, parts) = send(&site.app, get_with("/?lang=en&theme=dark", "")).await;
    assert!(text.contains("<html lang=\"en\" data-theme=\"dark\">"));
    assert!(cookies.iter().any(|c| c.starts_with("tuoan_lang=en;")));
    let csp = parts.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(csp.starts_with("default-src 'self';") && !csp.contains("unsafe"));
    assert_eq!(parts.headers()[header::CACHE_CONTROL], "no-store");
    let mut english = get_with("/", "");
    english.headers_mut().insert(header::ACCEPT_LANGUAGE, "fr, en-GB;q=0.8, zh;q=0.3".parse().unwrap());
    assert!(send(&site.app, english).await.2.contains("<html lang=\"en\""));
    assert!(send(&site.app, get_with("/", "tuoan_lang=zh-CN")).await.2.contains("<html lang=\"zh-CN\""));
    let url = crate::assets::url("app.css");
    let (status, _, _, parts) = send(&site.app, get_with(&url, "")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(parts.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    let mut again = get_with(&url, "");
    again.headers_mut().insert(header::IF_NONE_MATCH, parts.headers()[header::ETAG].clone());
    assert_eq!(send(&site.app, again).await.0, StatusCode::NOT_MODIFIED);
    assert_eq!(send(&site.app, get_with("/assets/x/..%2fsecret", "")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_actor_is_remembered_and_bounded() {
    let site = site();
    let session = claim(&site).await;
    let visitor = |cookie: &str| {
        let (parts, ()) = Request::get("/").header(header::COOKIE, cookie).body(()).unwrap().into_parts();
        Visitor::of(&site.door, &parts)
    };
    let name = site.door.remember_actor(&visitor(&session), &format!(" 王\u{7}{} ", "老".repeat(40))).await.unwrap();
    assert!(name.len() <= ACTOR && name.starts_with("王老"));
    assert_eq!(visitor(&session).actor, Some(name));
}

#[tokio::test]
async fn a_password_asked_again_is_the_login_s_or_one_of_its_own_and_guesses_are_counted() {
    let site = site();
    let stranger = Visitor { session: None, ..visitor() };
    site.door.set_password("correct horse").await.unwrap();
    assert_eq!(site.door.confirm(&stranger, "correct horse", None).await, Err(Refusal::Wrong), "without a session nothing is confirmed");
    let known = visitor();
    assert_eq!(site.door.confirm(&known, "correct horse", None).await, Ok(()));
    assert_eq!(site.door.confirm(&known, "correct horse", Some("another")).await, Err(Refusal::Wrong));
    assert_eq!(site.door.confirm(&known, "another", Some("another")).await, Ok(()));
    assert_eq!(site.door.confirm(&known, &"x".repeat(300), None).await, Err(Refusal::Wrong));
    let mut locked = false;
    for _ in 0..50 {
        locked |= matches!(site.door.confirm(&known, "guess", Some("another")).await, Err(Refusal::Locked(_)));
    }
    assert!(locked);
    // Who knows the login's password cannot win further guesses by it.
    assert!(site.door.login(known.address, "correct horse").await.is_ok());
    assert!(matches!(site.door.confirm(&known, "guess", Some("another")).await, Err(Refusal::Locked(_))));
}

fn visitor() -> Visitor {
    Visitor {
        institution: false,
        lang: crate::lang::Lang::Zh,
        theme: crate::lang::Theme::Auto,
        address: IpAddr::from([192, 168, 1, 9]),
        path: "/".into(),
        csrf: String::new(),
        actor: None,
        session: Some(Session { hash: "h".into(), expires: i64::MAX, actor: None }),
        cookies: Vec::new(),
    }
}
