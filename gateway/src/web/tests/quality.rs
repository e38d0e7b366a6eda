//! The pages of alarm quality over a real store.
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_are_counted_named_and_answered_with_a_suggestion() {
    let it = gateway().await;
    it.hear(1, 23.4).await;
    let (status, _, calm) = it.get("/quality").await;
    assert!(status == StatusCode::OK && calm.contains("这段时间没有报警") && calm.contains("没有需要改进的地方"), "{calm}");
    it.hear(2, 45.6).await;
    let page = it.get("/quality?days=28").await.2;
    for says in ["报警 1 次", "温度&#60;i&#62;过高", "托小班2&#60;script&#62;", "最近 28 天", "还没有判定是否误报", "次数很少"]
    {
        assert!(page.contains(says), "{says}: {page}");
    }
    assert!(!page.contains("<script>alert") && !page.contains("<i>过高"), "names are escaped");
    assert!(it.get("/quality?days=nonsense&days2=1").await.2.contains("报警 1 次"), "an unknown period is the usual one");
    assert!(it.get("/").await.2.contains("href=\"/quality\""));

    // 2026-11-24 lies in week 48, which has not ended.
    let (status, _, report) = it.get("/quality/report?week=2026-W48").await;
    assert!(status == StatusCode::OK && report.contains("第 48 周") && report.contains("温度&#60;i&#62;过高"), "{report}");
    assert!(it.get("/quality/report").await.2.contains("第 47 周"), "the last whole one");
    for wrong in ["2026-W49", "2026-W99", "soon", "%3Cscript%3E"] {
        assert_eq!(it.get(&format!("/quality/report?week={wrong}")).await.0, StatusCode::NOT_FOUND, "{wrong}");
    }
    let anonymous = Request::get("/quality").body(Body::empty()).unwrap();
    assert!(!it.send(anonymous).await.2.contains("报警 1 次"), "behind the door");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suggested_change_stands_in_the_rules_form() {
    let it = gateway().await;
    let page = it.get("/rules/warm?above=31.5&hold=20&hold_unit=m").await.2;
    assert!(page.contains("name=\"above\" value=\"31.5\"") && page.contains("name=\"hold\" value=\"20\""), "{page}");
    let odd = it.get("/rules/warm?above=%22%3E%3Cb%3E&hold=99999999999999999999&hold_unit=m").await.2;
    assert!(odd.contains("value=\"&#34;&#62;&#60;b&#62;\"") && odd.contains("name=\"hold\" value=\"10\""), "{odd}");
}
