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
    assert!(keys.account(vault::FIRST).unwrap().secret.starts_with("$argon2id$"));
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
    let style = format!("<{}>; rel=preload; as=style", crate::assets::url("app.css"));
    assert_eq!(parts.headers()[header::LINK].to_str().unwrap(), style);
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
    assert!(site.door.login(known.address, "", "correct horse").await.is_ok());
    assert!(matches!(site.door.confirm(&known, "guess", Some("another")).await, Err(Refusal::Locked(_))));
}

fn visitor() -> Visitor {
    Visitor {
        table: None,
        institution: false,
        lang: crate::lang::Lang::Zh,
        theme: crate::lang::Theme::Auto,
        address: IpAddr::from([192, 168, 1, 9]),
        path: "/".into(),
        csrf: String::new(),
        actor: None,
        personal: false,
        session: Some(session("h")),
        cookies: Vec::new(),
    }
}

fn session(hash: &str) -> Session {
    serde_json::from_str(&format!(r#"{{"hash":"{hash}","expires":{}}}"#, i64::MAX)).unwrap()
}

async fn login(site: &Site, account: &str, secret: &str) -> (StatusCode, Option<String>) {
    let (cookie, token) = form(&site.app, "/login").await;
    let body = format!("csrf={token}&account={account}&password={secret}");
    let (status, cookies, _, _) = send(&site.app, post_form("/login", &cookie, &body)).await;
    (status, cookies.iter().find(|c| c.starts_with("tuoan_test=")).map(|c| pair(c)))
}

async fn carer(site: &Site) -> String {
    let new = NewAccount { name: "李老师".into(), role: Role::Carer, secret: "2580".into(), shared: false };
    site.door.add_account(new).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_pin_is_locked_by_its_account_whatever_address_guesses() {
    let site = site();
    claim(&site).await;
    let id = carer(&site).await;
    let address = |n: u8| IpAddr::from([10, 0, 0, n]);
    for n in 0..5 {
        assert_eq!(site.door.login(address(n), &id, "0000").await, Err(Refusal::Wrong));
    }
    // Each guess came from another address, and all the same the account is shut, to the right PIN as well.
    assert!(matches!(site.door.login(address(9), &id, "2580").await, Err(Refusal::Locked(_))));
    site.clock.fetch_add(61_000, Ordering::Relaxed);
    assert!(site.door.login(address(9), &id, "2580").await.is_ok());
    // Where its owner has come in before, strangers' guesses do not keep the owner out.
    for n in 0..20 {
        let _ = site.door.login(address(50 + n), &id, "0000").await;
    }
    assert!(matches!(site.door.login(address(100), &id, "2580").await, Err(Refusal::Locked(_))));
    assert!(site.door.login(address(9), &id, "2580").await.is_ok());
    // An account that there is not is told from a wrong secret by nothing.
    assert_eq!(site.door.login(address(200), "nobody", "2580").await, Err(Refusal::Wrong));
}

#[tokio::test]
async fn a_session_is_of_its_own_token_and_ends_with_its_account() {
    let site = site();
    let director = claim(&site).await;
    let id = carer(&site).await;
    // Fixation: a cookie that an attacker has planted is not the session's after the login.
    let planted = format!("tuoan_test={}", "a".repeat(64));
    let (cookie, token) = form(&site.app, "/login").await;
    let body = format!("csrf={token}&account={id}&password=2580");
    let (status, cookies, _, _) = send(&site.app, post_form("/login", &format!("{cookie}; {planted}"), &body)).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let own = pair(cookies.iter().find(|c| c.starts_with("tuoan_test=")).unwrap());
    assert_ne!(own, planted);
    assert_eq!(send(&site.app, get_with("/", &planted)).await.0, StatusCode::SEE_OTHER, "the planted one opens nothing");
    assert_eq!(send(&site.app, get_with("/", &own)).await.0, StatusCode::OK);
    // A form of one session is no form of another's.
    let foreign = format!("csrf={}", token_of(&site, &director));
    assert_eq!(send(&site.app, post_form("/act", &own, &foreign)).await.0, StatusCode::FORBIDDEN);
    // A new PIN ends what the old one has opened; so does the end of the account.
    assert_eq!(site.door.set_secret(&id, "7391", None).await, Ok(Ok(())));
    assert_eq!(send(&site.app, get_with("/", &own)).await.0, StatusCode::SEE_OTHER);
    let again = login(&site, &id, "7391").await.1.unwrap();
    assert_eq!(site.door.remove_account(&id).await, Ok(Ok(())));
    assert_eq!(send(&site.app, get_with("/", &again)).await.0, StatusCode::SEE_OTHER);
    assert_eq!(site.door.remove_account(vault::FIRST).await, Ok(Err(Problem::LastDirector)));
    assert_eq!(send(&site.app, get_with("/", &director)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_inspector_s_code_ends_and_its_session_with_it() {
    let site = site();
    claim(&site).await;
    let code = site.door.issue_pass("区卫健局 陈", "双随机检查", "王园长", 2).await.unwrap().unwrap();
    let by_code = async |code: String| {
        let (cookie, token) = form(&site.app, "/login").await;
        let (status, cookies, _, _) = send(&site.app, post_form("/login/code", &cookie, &format!("csrf={token}&code={code}"))).await;
        (status, cookies.iter().find(|c| c.starts_with("tuoan_test=")).map(|c| pair(c)))
    };
    let (status, session) = by_code(code.to_lowercase().replace('-', "+")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let session = session.unwrap();
    let seen = |s: &str| {
        let (parts, ()) = Request::get("/").header(header::COOKIE, s).body(()).unwrap().into_parts();
        Visitor::of(&site.door, &parts)
    };
    let visitor = seen(&session);
    assert_eq!((visitor.role(), visitor.actor.as_deref(), visitor.personal), (Some(Role::Inspector), Some("区卫健局 陈"), true));
    assert_eq!(site.door.remember_actor(&visitor, "王园长").await.unwrap(), "区卫健局 陈", "nobody acts under another's name");
    assert_eq!(site.door.confirm(&visitor, &code, None).await, Ok(()));
    site.clock.fetch_add(2 * 3_600_000 - 1, Ordering::Relaxed);
    assert!(seen(&session).signed_in());
    site.clock.fetch_add(1, Ordering::Relaxed);
    assert!(!seen(&session).signed_in(), "use does not put its end off");
    assert_eq!(by_code(code).await.0, StatusCode::FORBIDDEN);
    // One that is taken back ends at once.
    let code = site.door.issue_pass("消防", "检查", "王园长", 72).await.unwrap().unwrap();
    let session = by_code(code).await.1.unwrap();
    let id = site.door.passes()[0].id.clone();
    assert_eq!(site.door.revoke_pass(&id).await, Ok(true));
    assert!(!seen(&session).signed_in());
    assert_eq!(site.door.issue_pass("消防", "检查", "王园长", 73).await, Ok(Err(Problem::Unknown)));
    let mut locked = false;
    for _ in 0..10 {
        locked |= by_code("AAAA-AAAA-AAAA".into()).await.0 == StatusCode::TOO_MANY_REQUESTS;
    }
    assert!(locked, "codes cannot be tried at will");
}

#[tokio::test]
async fn the_recovery_code_works_once() {
    let site = site();
    let session = claim(&site).await;
    let code = site.door.draw_recovery().await.unwrap();
    let kept = serde_json::to_string(&site.door.0.vault.load().unwrap()).unwrap();
    assert!(!kept.contains(&plain_code(&code)) && !kept.contains(&code));
    let address = IpAddr::from([10, 0, 0, 1]);
    assert_eq!(site.door.recover(address, "AAAA-BBBB-CCCC-DDDD-EEEE", "new password").await, Err(Refusal::Wrong));
    assert_eq!(site.door.recover(address, &code, "short").await, Ok(Err(Problem::Short)));
    assert_eq!(site.door.recover(address, &code, "new password").await, Ok(Ok(())));
    assert_eq!(send(&site.app, get_with("/", &session)).await.0, StatusCode::SEE_OTHER, "whoever had the old password is out");
    assert!(site.door.login(address, "", "new password").await.is_ok());
    assert_eq!(site.door.recover(address, &code, "another one").await, Err(Refusal::Wrong));
}

#[tokio::test]
async fn a_role_sees_only_what_the_table_gives_it() {
    const TABLE: &[Row] = &[
        Row { path: "/", read: Roles::EVERYBODY, act: Roles::NOBODY },
        Row { path: "/act", read: Roles::NOBODY, act: Roles::of(&[Role::Director]) },
    ];
    let site = site();
    let inside = || {
        Router::new()
            .route("/", get(|| async { "the inside" }))
            .route("/act", post(|| async { "done" }))
            .route("/new", get(|| async { "forgotten" }))
    };
    let app = site.door.guard_by(inside(), Router::new(), Router::new(), TABLE);
    let director = claim(&site).await;
    let id = carer(&site).await;
    let carer = login(&site, &id, "2580").await.1.unwrap();
    for (session, expected) in [(&director, StatusCode::OK), (&carer, StatusCode::FORBIDDEN)] {
        let body = format!("csrf={}", token_of(&site, session));
        assert_eq!(send(&app, post_form("/act", session, &body)).await.0, expected);
        assert_eq!(send(&app, get_with("/", session)).await.0, StatusCode::OK);
        assert_eq!(send(&app, get_with("/new", session)).await.0, StatusCode::FORBIDDEN, "what stands in no row is shut");
        assert_eq!(send(&app, get_with("/nothing", session)).await.0, StatusCode::NOT_FOUND);
    }
}
