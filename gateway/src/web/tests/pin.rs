//! To take note asks for a name; to end or set aside an alarm asks for that person's secret.
use super::lifecycle::{enc, peopled};
use super::*;
use tuoan_dashboards::door::{NewAccount, Role};

impl Box_ {
    async fn account(&self, name: &str, role: Role, secret: &str, shared: bool) -> String {
        let new = NewAccount { name: name.into(), role, secret: secret.into(), shared };
        self.door.add_account(new).await.unwrap().unwrap()
    }
    /// Burning, on a tablet that the carers share.
    async fn on_a_tablet() -> (Box_, String, String) {
        let mut it = gateway_at(&peopled()).await;
        it.door.set_password("correct horse").await.unwrap();
        let tablet = it.account("平板", Role::Carer, "27182", true).await;
        let wang = it.account("王老师", Role::Carer, "31415", false).await;
        it.account("安装工", Role::Installer, "correct horse", false).await;
        it.session = it.sign_in("/login", &format!("account={tablet}&password=27182")).await;
        it.hear(1, 45.6).await;
        it.seen(|v| !v.incidents.is_empty()).await;
        let id = it.incident();
        (it, id, wang)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_shared_tablet_a_name_takes_note_and_a_pin_resolves() {
    let (it, id, wang) = Box_::on_a_tablet().await;
    let at = |deed: &str| format!("/incidents/{id}/{deed}");
    it.done(&at("acknowledge"), &format!("name={}", enc("李园长"))).await;
    let (status, _, ask) = it.post(&at("resolve"), &format!("cause=false&note={}", enc("热风"))).await;
    assert!(status == StatusCode::OK && ask.contains("name=\"secret\"") && ask.contains("value=\"false\""), "{ask}");
    assert!(ask.contains("王老师") && !ask.contains("平板</b>") && !ask.contains("安装工"), "whoever handles incidents: {ask}");
    // Neither nobody's, nor another's, nor a wrong one.
    assert_eq!(it.post(&at("resolve"), "cause=false&secret=31415").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(it.post(&at("resolve"), "cause=false&account=ghost&secret=31415").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _, wrong) = it.post(&at("resolve"), &format!("cause=false&account={wang}&secret=27182")).await;
    assert!(status == StatusCode::FORBIDDEN && wrong.contains("密码不对") && !wrong.contains("27182"), "{wrong}");
    assert!(it.pipeline.handle.view.borrow().incidents[0].resolved.is_none());
    // The name that was chosen before does not count: the PIN says who it is.
    it.done(&at("resolve"), &format!("cause=false&account={wang}&secret=31415&name={}", enc("李园长"))).await;
    it.seen(|v| v.incidents.iter().any(|i| i.resolved.is_some())).await;
    let page = it.get(&format!("/incidents/{id}")).await.2;
    assert!(page.contains("结论：误报"), "{page}");
    let reader = it.pipeline.handle.reader.clone();
    let events = reader.events_of(&id).unwrap();
    let by = events.iter().filter_map(|e| e.event.as_ref().ok()).find(|e| e.cause.is_some()).unwrap().actor.clone();
    assert_eq!(by.as_deref(), Some("王老师"));
    let refused = reader.deeds(None, Some("confirm_refused"), None, 10).unwrap();
    assert_eq!((refused.len(), refused[0].deed.object.as_str()), (1, "王老师"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_are_locked_out_and_change_nothing() {
    let (it, id, wang) = Box_::on_a_tablet().await;
    let path = format!("/incidents/{id}/shelve");
    let mut last = StatusCode::OK;
    for guess in 0..8 {
        last = it.post(&path, &format!("minutes=15&note=x&account={wang}&secret=9{guess}73")).await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let (status, _, page) = it.post(&path, &format!("minutes=15&note=x&account={wang}&secret=31415")).await;
    assert!(status == StatusCode::TOO_MANY_REQUESTS && page.contains("分钟后再试"), "the right one has to wait as well: {page}");
    assert!(it.pipeline.handle.view.borrow().standings.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_session_of_ones_own_the_own_secret_is_asked_for_and_no_other_counts() {
    let (mut it, id, wang) = Box_::on_a_tablet().await;
    let chen = it.account("陈老师", Role::Carer, "16180", false).await;
    it.session = it.sign_in("/login", &format!("account={wang}&password=31415")).await;
    let path = format!("/incidents/{id}/shelve");
    let ask = it.post(&path, "minutes=15&note=x").await.2;
    assert!(ask.contains("你的 PIN 码") && !ask.contains("陈老师"), "{ask}");
    assert_eq!(it.post(&path, &format!("minutes=15&note=x&account={chen}&secret=16180")).await.0, StatusCode::FORBIDDEN);
    it.done(&path, "minutes=15&note=x&secret=31415").await;
    it.seen(|v| v.standings.len() == 1).await;
    assert_eq!(it.pipeline.handle.view.borrow().standings[0].by, "王老师");
}
