//! Every page with made-up data on a loopback address, to be looked at: `cargo run -p tuoan-dashboards --example gallery [PORT]`.
//! `/PAGE?lang=en&theme=dark`; pages: calm, busy, blind, empty, incident, fresh, taken, shelved, closed, drill, aside, deed, link, link-group, link-taken, link-expired, link-unknown, link-closed, link-locked,
//! quarantine, rules, rule, trial, trial-running, cameras, camera, camera-watched, pictures, pictures-open, quality, quality-report, coverage, evidence, evidence-whole, evidence-changed, witness,
//! witness-refused, report, report-done, concern, sweep, search, who, offline, live, platform-incident, first-claim, sign-in, name, confirm, commissioning, plan, plan-edit, error.
use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Html;
use axum::routing::get;
use std::collections::HashMap;
use tuoan_dashboards::door::{Door, DoorConfig, MemoryVault};
use tuoan_dashboards::view::alarm::{LinkOver, LinkPage};
use tuoan_dashboards::view::gateway::Home;
use tuoan_dashboards::view::rules::Trial;
use tuoan_dashboards::{Lang, Theme, Ui, page, sample};

async fn show(name: Option<Path<String>>, Query(query): Query<HashMap<String, String>>) -> Html<String> {
    let lang = query.get("lang").and_then(|l| Lang::parse(l)).unwrap_or_default();
    let mut ui = Ui::plain(lang, sample::NOW);
    ui.theme = query.get("theme").and_then(|t| Theme::parse(t)).unwrap_or_default();
    ui.signed_in = true;
    ui.institution = !matches!(name.as_ref().map(|n| n.0.as_str()), Some("live" | "platform-incident"));
    ui.whose = "杏园托育".into();
    ui.actor = query.get("actor").cloned();
    let name = name.map_or_else(|| "busy".into(), |n| n.0);
    let mut blind = sample::busy();
    blind.incidents.clear();
    blind.notice = None;
    let text = match name.as_str() {
        "calm" => page::home(&ui, &sample::calm()),
        "blind" => page::home(&ui, &blind),
        "empty" => page::home(&ui, &Home::default()),
        "evil" => page::home(&ui, &sample::evil()),
        "incident" => page::incident(&ui, &sample::incident_page()),
        "fresh" | "taken" | "shelved" | "closed" | "drill" => page::incident(&ui, &sample::life(&name)),
        "aside" => page::home(&ui, &sample::set_aside()),
        "deed" => page::deed(&ui, &sample::deed_page()),
        "link" => page::link(&ui, &sample::link_page(true)),
        "link-group" => page::link(&ui, &sample::link_page(false)),
        "link-taken" => page::link(&ui, &LinkPage { done: Some("taken"), seen: Some(sample::NOW), ..sample::link_page(true) }),
        "link-expired" => page::link_over(&ui, LinkOver::Expired),
        "link-unknown" => page::link_over(&ui, LinkOver::Unknown),
        "link-closed" => page::link_over(&ui, LinkOver::Closed),
        "link-locked" => page::link_over(&ui, LinkOver::Locked),
        "quarantine" => page::quarantine(&ui, &sample::quarantine()),
        "rules" => page::rules(&ui, &sample::rules_page()),
        "rule" => page::rule(&ui, &sample::rule_page()),
        "trial" => page::trial(&ui, &sample::trial_page()),
        "trial-running" => {
            let mut v = sample::trial_page();
            v.state = Trial::Running(37);
            page::trial(&ui, &v)
        }
        "cameras" => page::cameras(&ui, &sample::cameras_page()),
        "camera" => page::camera(&ui, &sample::camera_page(false)),
        "camera-watched" => page::camera(&ui, &sample::camera_page(true)),
        "pictures" => page::pictures(&ui, &sample::pictures_page(false)),
        "pictures-open" => page::pictures(&ui, &sample::pictures_page(true)),
        "coverage" => page::coverage(&ui, &sample::coverage_page()),
        "quality" => page::quality(&ui, &sample::quality_page()),
        "quality-report" => page::quality_report(&ui, &sample::quality_report()),
        "evidence" => page::evidence_export(&ui, &sample::evidence_export()),
        "evidence-whole" => page::evidence_check(&ui, &sample::evidence_check(true)),
        "evidence-changed" => page::evidence_check(&ui, &sample::evidence_check(false)),
        "witness" => page::witness(&ui, &sample::witness(false)),
        "witness-refused" => page::witness(&ui, &sample::witness(true)),
        "live" => page::platform_live(&ui, &sample::live()),
        "platform-incident" => page::platform_incident(&ui, &sample::platform_incident()),
        "first-claim" => page::claim(
            &ui,
            &page::Claim { code: "7F3K-9QPX".into(), again_error: Some(ui.t("error-password-differs")), ..Default::default() },
        ),
        "sign-in" => page::login(&ui, &page::Login { then: "/".into(), error: Some(ui.t("error-password-wrong")), ..Default::default() }),
        "confirm" => page::confirm(&ui, &sample::confirm()),
        "commissioning" => page::home(&sample::commissioning(ui), &sample::calm()),
        "passes" => page::platform_passes(&ui, &sample::passes("张检查")),
        "plan" => tuoan_dashboards::plan::plan(&ui, &sample::plan("午睡室")),
        "plan-edit" => tuoan_dashboards::plan::plan_edit(&ui, &sample::plan("午睡室")),
        "name" => page::ask_name(&ui, &sample::ask_name()),
        "who" => page::who(&ui, &sample::who()),
        "search" => page::search(&ui, &sample::search()),
        "sweep" => page::sweep(&ui, &sample::sweep()),
        "report" => page::report(&ui, &sample::report()),
        "report-done" => page::reported(&ui, tuoan_dashboards::view::tasks::District::Unreachable),
        "concern" => page::incident(&ui, &sample::concern()),
        "offline" => page::offline(&ui),
        "error" => page::error(&ui, &ui.t("error-not-found"), &ui.t("error-not-found-help")),
        _ => page::home(&ui, &sample::busy()),
    };
    Html(text)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|p| p.parse().ok()).unwrap_or(0u16);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/busy", listener.local_addr()?);
    // Behind the door's headers, without its lock.
    let config = DoorConfig { name: "gallery", code: None, now: Box::new(|| sample::NOW) };
    let pages = Router::new()
        .route("/fragment/{name}", get(|| show(Some(Path("busy".to_owned())), Query(HashMap::new()))))
        .route(
            "/api/v1/incidents/{id}/timeline",
            get(|| async { axum::Json(tuoan_dashboards::timeline::json(&Ui::plain(Lang::Zh, sample::NOW), &sample::life("taken"))) }),
        )
        .route("/{name}", get(|p: Path<String>, q: Query<HashMap<String, String>>| show(Some(p), q)));
    let app = Door::open(config, MemoryVault::default())?.guard(Router::new(), pages);
    axum::serve(listener, app).await
}
