//! The table of roles, as somebody who wants more than their role gives would try it.
use super::*;
use crate::web::access::TABLE;
use tuoan_dashboards::door::{NewAccount, Role};

fn concrete(path: &str) -> String {
    let parts = path.split('/').map(|p| match p {
        "{number}" | "{picture}" => "1",
        p if p.starts_with('{') => "x1",
        p => p,
    });
    parts.collect::<Vec<_>>().join("/")
}

impl Box_ {
    /// Signs in by that account or code; the session's cookie.
    pub(super) async fn sign_in(&self, path: &str, form: &str) -> String {
        let (_, headers, page) = self.send(Request::get("/login").body(Body::empty()).unwrap()).await;
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let visit = headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let request = Request::post(path)
            .header(header::COOKIE, visit)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("csrf={csrf}&{form}")))
            .unwrap();
        let (status, headers, page) = self.send(request).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
        let mut cookies = headers.get_all(header::SET_COOKIE).iter().map(|v| v.to_str().unwrap());
        cookies.rfind(|c| c.starts_with("tuoan_gateway=")).unwrap().split(';').next().unwrap().to_owned()
    }
    async fn as_role(&mut self, role: Role) {
        let session = match role {
            Role::Director => self.another_session().await,
            Role::Inspector => {
                let code = self.door.issue_pass("区卫健局", "双随机", "王园长", 4).await.unwrap().unwrap();
                self.sign_in("/login/code", &format!("code={code}")).await
            }
            role => {
                let secret = if role.by_pin() { "2580" } else { "correct horse" };
                let new = NewAccount { name: role.name().into(), role, secret: secret.into(), shared: false };
                let id = self.door.add_account(new).await.unwrap().unwrap();
                self.sign_in("/login", &format!("account={id}&password={secret}")).await
            }
        };
        self.session = session;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_open_to_its_roles_and_to_no_other() {
    let mut it = gateway().await;
    it.door.set_password("correct horse").await.unwrap();
    for role in Role::ALL {
        it.as_role(role).await;
        for row in TABLE.iter().filter(|r| !["/events", "/account/sessions/{handle}/end"].contains(&r.path)) {
            let path = concrete(row.path);
            // A machine gets the bare status, and so does a picture without leave, which is another refusal.
            let bare = path.starts_with("/fragment/") || path.starts_with("/api/");
            let shut = |status: StatusCode, text: &str| {
                status == StatusCode::FORBIDDEN && (bare && text.is_empty() || text.contains("你的身份不能这样做"))
            };
            let (status, _, text) = it.get(&path).await;
            assert_eq!(shut(status, &text), !row.read.hold(role), "GET {path} as {role:?}: {status}");
            // The director's own acts are tried in tests of their own: they would change the accounts that this one uses.
            if row.act.hold(role) {
                continue;
            }
            let (status, _, text) = it.post(&path, "").await;
            assert!(shut(status, &text), "POST {path} as {role:?}: {status} {text}");
        }
    }
    it.session = String::new();
    for row in TABLE {
        let (status, _, text) = it.get(&concrete(row.path)).await;
        assert!(matches!(status, StatusCode::SEE_OTHER | StatusCode::UNAUTHORIZED), "{} without a session: {status} {text}", row.path);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_let_in_and_out_and_it_is_on_record() {
    let mut it = gateway().await;
    it.door.set_password("correct horse").await.unwrap();
    it.as_role(Role::Director).await;
    let (status, headers, _) = it.post("/people", "name=%E6%9D%8E%E8%80%81%E5%B8%88&role=carer&secret=2580").await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/people?done=added"));
    let (status, _, page) = it.post("/people", "name=%3Cb%3E&role=carer&secret=1234").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("太容易猜") && page.contains("&#60;b&#62;"), "{page}");
    assert_eq!(it.post("/people", "name=x&role=inspector&secret=long+enough").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _, page) = it.post("/people/passes", "name=%E9%99%88&purpose=%E5%8F%8C%E9%9A%8F%E6%9C%BA&hours=4").await;
    assert!(status == StatusCode::OK && page.contains("class=\"secret\""), "{page}");
    assert_eq!(it.post("/people/passes", "name=a&purpose=b&hours=100").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let audit = it.get("/audit").await.2;
    for says in ["添加账号", "李老师", "签发检查码", "双随机"] {
        assert!(audit.contains(says), "{says}: {audit}");
    }
    assert!(!it.get("/people").await.2.contains("class=\"secret\""), "a code is shown once");
    // Whoever inspects is on record with what the code was for.
    it.as_role(Role::Inspector).await;
    let audit = it.get("/audit?kind=audit_seen").await.2;
    assert!(audit.contains("查看操作记录") && audit.contains("双随机"), "{audit}");
    // A person's session acts under that person's name, whatever the form says.
    it.as_role(Role::Carer).await;
    it.hear(1, 45.6).await;
    let id = it.incident();
    it.post(&format!("/incidents/{id}/acknowledge"), "name=%E7%8E%8B%E5%9B%AD%E9%95%BF").await;
    it.seen(|v| v.incidents.iter().any(|i| i.state.acknowledged)).await;
    let page = it.get(&format!("/incidents/{id}")).await.2;
    assert!(page.contains("carer") && !page.contains("王园长"), "{page}");
    // One's own PIN needs the present one.
    assert_eq!(it.post("/account", "now=0000&new=7391").await.0, StatusCode::FORBIDDEN);
    assert_eq!(it.post("/account", "now=2580&new=7391").await.0, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parents_see_air_and_what_was_released_and_nothing_else() {
    let mut it = gateway().await;
    it.door.set_password("correct horse").await.unwrap();
    it.as_role(Role::Director).await;
    it.hear(1, 45.6).await;
    let id = it.incident();
    let page = it.post("/people/classes/t2/link", "").await.2;
    let link = page.split("<p class=\"link\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(page.contains("<svg"), "{page}");
    assert_eq!(it.post("/people/classes/ghosts/link", "").await.0, StatusCode::NOT_FOUND);
    let stranger = async |path: &str| it.send(Request::get(path).body(Body::empty()).unwrap()).await;
    let (status, _, seen) = stranger(&link).await;
    assert_eq!(status, StatusCode::OK);
    assert!(seen.contains("今天的托小班2") && seen.contains("45.6") && seen.contains("偏离标准"), "{seen}");
    // The incident is open, and not told: nothing was released.
    for hidden in [id.as_str(), "env-2", "/incidents/", "/cameras", "温度&#60;i&#62;过高", "name=\"csrf\""] {
        assert!(!seen.contains(hidden), "{hidden}: {seen}");
    }
    assert_eq!(it.post("/notices", &format!("class=t2&incident={id}&template=invented")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(it.post("/notices", "class=t2&incident=01JZ0000000000000000000000&template=care").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(it.post("/notices", &format!("class=t2&incident={id}&template=environment")).await.0, StatusCode::SEE_OTHER);
    assert!(stranger(&link).await.2.contains("温湿度或空气一度超出标准"));
    let page = it.get("/notices").await.2;
    let number = page.split("/notices/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    assert_eq!(it.post(&format!("/notices/{number}/withdraw"), "").await.0, StatusCode::SEE_OTHER);
    assert!(!stranger(&link).await.2.contains("温湿度或空气一度超出标准"));
    // A carer cannot release, a guessed link leads nowhere, and an exchanged one neither.
    it.post("/people/classes/t2/link", "").await;
    let (status, _, _) = it.send(Request::get(&link).body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let mut last = StatusCode::NOT_FOUND;
    for n in 0..20 {
        last = it.send(Request::get(format!("/notice/{n:032}")).body(Body::empty()).unwrap()).await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}
