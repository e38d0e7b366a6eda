//! All pages in both languages: no message missing, nothing from outside unescaped, nothing inline, nothing from another host.
use tuoan_dashboards::door::{PassRow, Role, Tile};
use tuoan_dashboards::lang::Text;
use tuoan_dashboards::page::{self, AskName, Claim};
use tuoan_dashboards::sample::{self, EVIL};
use tuoan_dashboards::view::Whole;
use tuoan_dashboards::view::alarm::{Commissioning, FORMS, Form, LinkOver, Step, Until};
use tuoan_dashboards::view::evidence::Verdict;
use tuoan_dashboards::view::gateway::Home;
use tuoan_dashboards::view::people::{
    Account, Audit, AuditRow, Drawn, Notice, ParentPage, People, Releases, Room, SessionRow, Typed, Wrong,
};
use tuoan_dashboards::view::rules::Trial;
use tuoan_dashboards::view::search::Asked;
use tuoan_dashboards::view::setup as view;
use tuoan_dashboards::view::tasks::{District, Export, Report, Who};
use tuoan_dashboards::words::{HAZARDS, WORDS};
use tuoan_dashboards::{Lang, Theme, Ui, assets, setup};
use tuoan_protocol::Quantity;

fn evil_form(kind: &'static str) -> Form {
    let e = || EVIL.to_owned();
    Form {
        kind,
        action: e(),
        back: e(),
        about: e(),
        choices: vec![15],
        people: vec![(e(), e())],
        others: vec![(e(), Text::new(EVIL, EVIL))],
        note: e(),
        minutes: e(),
        to: e(),
        to_name: e(),
        cause: e(),
        whole: e(),
        error: Some(("", e())),
    }
}

fn evil_report() -> Report {
    let e = || EVIL.to_owned();
    Report { site: e(), rooms: vec![(e(), e())], room: e(), note: e(), name: e(), error: Some(("", e())) }
}

fn evil_first() -> view::First {
    let e = || EVIL.to_owned();
    let class = view::ClassRow { name: e(), age: e(), places: e(), care: e(), hours: e(), nap: e(), nap_room: true };
    view::First {
        name: e(),
        id: e(),
        classes: vec![class; view::CLASS_ROWS],
        rooms: view::ROOMS.iter().map(|(kind, _)| ((*kind).to_owned(), e())).collect(),
        errors: [("name".to_owned(), "error-first-empty".to_owned()), ("c0_age".to_owned(), "error-first-choose".to_owned())].into(),
        general: vec![e()],
        ..Default::default()
    }
}

fn evil_placed() -> Vec<(String, view::Placed)> {
    let placed = |proof| view::Placed {
        id: EVIL.into(),
        name: EVIL.into(),
        role: "door".into(),
        heard: None,
        unit: Some(view::Unit { is: vec![EVIL.into()], started: Some((EVIL.into(), sample::NOW)), resets: 1 }),
        proof,
        test: Some(view::SelfTest::Done(sample::NOW, vec![(EVIL.into(), EVIL.into())])),
        waiting: true,
    };
    let states = [view::ProofState::None, view::ProofState::Waiting, view::ProofState::Done(sample::NOW, "opened".into())];
    states.into_iter().map(|s| (EVIL.to_owned(), placed(s))).collect()
}

fn evil_firmware() -> view::Firmware {
    let e = || EVIL.to_owned();
    let node = |stage| view::FirmwareNode {
        device: e(),
        room: e(),
        board: e(),
        version: e(),
        heard: Some(sample::NOW),
        stage: Some((stage, e())),
    };
    view::Firmware {
        nodes: ["waiting", "sending", "refused", "rolled_back"].map(node).into(),
        files: vec![view::FirmwareFile { image: e(), board: e(), hardware: e(), version: e(), bytes: 4096 }],
        rooms: vec![(e(), e())],
        by: Some((e(), sample::NOW)),
        busy: true,
        notice: Some(e()),
        problems: vec![e()],
    }
}

fn evil_devices() -> view::Devices {
    let e = || EVIL.to_owned();
    let devices = evil_placed().into_iter().map(|p| p.1).collect();
    let room = view::RoomPlan { id: e(), name: e(), kind: "washroom".into(), private: true, devices };
    let found = view::Found { id: e(), name: e(), model: e(), quantities: vec!["open".into()], heard: Some(sample::NOW), role: "door" };
    view::Devices {
        floors: vec![(1, vec![room])],
        unplaced: vec![found],
        rooms: vec![(e(), e())],
        waiting: true,
        problems: vec![e()],
        credential: Some(view::Credential { name: e(), password: e(), qr: String::new(), enrol: Some(e()) }),
        typed: e(),
        ..Default::default()
    }
}

fn evil_items() -> Vec<view::Item> {
    view::ITEMS.into_iter().map(|name| view::Item { name, date: EVIL.into(), by: EVIL.into(), note: EVIL.into() }).collect()
}

fn evil_duty() -> view::Duty {
    let gap = |what, place: &str| view::Gap { place: place.to_owned(), what, clause: "GB" };
    view::Duty { gaps: vec![gap("camera", EVIL), gap("panic", "2"), gap("clock", "")], met: 1, all: 4 }
}

fn evil_commissioning() -> view::Report {
    let e = || EVIL.to_owned();
    view::Report {
        site: e(),
        district: e(),
        street: e(),
        classes: vec![(e(), "toddler".into(), Some(15), e())],
        devices: evil_placed(),
        duty: evil_duty(),
        items: evil_items(),
        hash: e(),
        by: e(),
        version: "0",
    }
}

fn evil_tile() -> Tile {
    Tile { id: EVIL.into(), name: EVIL.into(), role: Role::Carer, shared: true }
}

fn evil_login() -> page::Login {
    let tiles = vec![evil_tile(), evil_tile()];
    page::Login { then: EVIL.into(), tiles, error: Some(EVIL.into()), code_error: Some(EVIL.into()), recovery: true, ..Default::default() }
}

fn evil_people() -> People {
    let e = || EVIL.to_owned();
    let pass = PassRow { id: e(), holder: e(), by: e(), purpose: e(), issued: 0, expires: sample::NOW };
    let session = SessionRow { handle: e(), who: e(), role: Role::Director, since: sample::NOW, address: e(), this: false };
    People {
        accounts: vec![evil_tile()],
        passes: vec![pass],
        sessions: vec![session],
        classes: vec![(e(), e(), Some(sample::NOW))],
        recovery: true,
        drawn: Some(Drawn::Pass { holder: e(), code: e() }),
        wrong: Some(Wrong { form: "add", text: e() }),
        typed: Typed { name: e(), purpose: e(), hours: e(), role: e() },
        done: Some(e()),
        own: String::new(),
    }
}

fn evil_audit() -> Audit {
    let e = || EVIL.to_owned();
    let row =
        AuditRow { at: sample::NOW, actor: e(), role: "director".into(), kind: "proved".into(), object: e(), purpose: e(), detail: e() };
    Audit { rows: vec![row], kind: String::new(), kinds: vec!["proved"], older: Some(7) }
}

fn evil_notice() -> Notice {
    let (happened_at, released_at) = (sample::NOW, sample::NOW);
    Notice { number: 1, class: EVIL.into(), template: "care".into(), happened_at, released_at, by: EVIL.into(), withdrawn: false }
}

fn evil_releases() -> Releases {
    let e = || EVIL.to_owned();
    Releases {
        classes: vec![(e(), e())],
        incidents: vec![(e(), "air.co2".into(), e(), sample::NOW)],
        released: vec![evil_notice()],
        wrong: Some(e()),
        done: Some(e()),
        ..Releases::default()
    }
}

fn evil_parent() -> ParentPage {
    let room = Room { name: EVIL.into(), air: vec![("temperature".into(), EVIL.into(), "good")], watch: "partly" };
    ParentPage { class: EVIL.into(), coverage: Some(983), rooms: vec![room], notices: vec![evil_notice()] }
}

fn all(lang: Lang) -> Vec<(&'static str, String)> {
    let mut ui = Ui::plain(lang, sample::NOW);
    (ui.signed_in, ui.institution) = (true, true);
    ui.theme = Theme::Dark;
    ui.whose = EVIL.into();
    ui.actor = Some(EVIL.into());
    let mut story = sample::incident_page();
    story.looks[0].camera = EVIL.into();
    story.incident.place = EVIL.into();
    for e in &mut story.entries {
        (e.actor, e.note) = (Some(EVIL.into()), Some(EVIL.into()));
    }
    for s in &mut story.series {
        s.device = EVIL.into();
    }
    story.incident.cancellable = true;
    story.rule.clause = EVIL.into();
    let mut live = sample::live();
    for i in &mut live.incidents {
        (i.site_name, i.street, i.claimed_by, i.duty) = (EVIL.into(), EVIL.into(), Some(EVIL.into()), vec![EVIL.into()]);
    }
    for s in &mut live.sites {
        s.name = EVIL.into();
    }
    let mut quarantine = sample::quarantine();
    for q in &mut quarantine.items {
        (q.topic, q.preview, q.reason) = (EVIL.into(), EVIL.into(), EVIL.into());
    }
    let mut check = sample::morning_check();
    (check.temperature, check.child, check.error) = (EVIL.into(), EVIL.into(), Some(EVIL.into()));
    let claim = Claim { code: EVIL.into(), code_error: Some(ui.t("error-code-wrong")), ..Claim::default() };
    let tile = |id: &str| Tile { id: id.into(), name: EVIL.into(), role: Role::Carer, shared: false };
    let tiles = vec![tile(EVIL), tile("b")];
    let confirm = page::Confirm { action: "/x".into(), tiles, keep: vec![("note".into(), EVIL.into())], ..Default::default() };
    let under_way = Commissioning { until: 0, by: EVIL.into(), devices: vec![EVIL.into()] };
    let proving = Ui { commissioning: Some(under_way), role: Some(Role::Director), ..ui.clone() };
    let name = AskName {
        people: vec![EVIL.into()],
        action: "/x".into(),
        back: "/".into(),
        name: EVIL.into(),
        error: None,
        keep: vec![("note".into(), EVIL.into())],
    };
    let mut rules = sample::rules_page();
    for c in rules.groups.iter_mut().flat_map(|g| &mut g.rules) {
        (c.id, c.title, c.clause) = (EVIL.into(), tuoan_dashboards::lang::Text::new(EVIL, EVIL), EVIL.into());
        if let Some(ch) = &mut c.change {
            (ch.reason, ch.author) = (EVIL.into(), EVIL.into());
        }
    }
    let mut rule = sample::rule_page();
    (rule.form.reason, rule.form.author, rule.form.bounds[0].value) = (EVIL.into(), EVIL.into(), EVIL.into());
    let mut trial = sample::trial_page();
    (trial.reason, trial.author) = (EVIL.into(), EVIL.into());
    if let Trial::Done(o) = &mut trial.state {
        o.offenders.iter_mut().for_each(|o| (o.place, o.device) = (EVIL.into(), Some(EVIL.into())));
        o.examples.iter_mut().for_each(|e| e.place = EVIL.into());
    }
    let mut cameras = sample::cameras_page();
    for c in &mut cameras.cameras {
        (c.id, c.name, c.zones) = (EVIL.into(), EVIL.into(), vec![EVIL.into()]);
    }
    let mut camera = sample::camera_page(true);
    (camera.camera.name, camera.camera.id, camera.toml, camera.areas) = (EVIL.into(), EVIL.into(), EVIL.into(), EVIL.into());
    (camera.zones, camera.wrong) = (vec![(EVIL.into(), EVIL.into())], Some((EVIL.into(), EVIL.into())));
    let mut asked = sample::camera_page(false);
    (asked.ask.note, asked.ask.name, asked.ask.password_error, asked.camera.id) =
        (EVIL.into(), EVIL.into(), Some(EVIL.into()), EVIL.into());
    for d in &mut asked.deeds {
        (d.actor, d.reason, d.what) = (EVIL.into(), EVIL.into(), EVIL.into());
    }
    let mut pictures = sample::pictures_page(true);
    (pictures.title, pictures.place, pictures.incident) = (EVIL.into(), EVIL.into(), EVIL.into());
    let damaged = tuoan_dashboards::view::cameras::Pictures {
        kept: tuoan_dashboards::view::cameras::Kept::Damaged(EVIL.into()),
        ..sample::pictures_page(false)
    };
    let mut export = sample::evidence_export();
    (export.title, export.name, export.purpose, export.key) = (EVIL.into(), EVIL.into(), EVIL.into(), EVIL.into());
    (export.incident, export.name_error, export.purpose_error) = (EVIL.into(), Some(EVIL.into()), Some(EVIL.into()));
    let (mut whole, mut changed) = (sample::evidence_check(true), sample::evidence_check(false));
    if let Some(Verdict::Whole(p)) = &mut whole.verdict {
        (p.site, p.incident, p.made_by, p.purpose) = (EVIL.into(), EVIL.into(), EVIL.into(), EVIL.into());
    }
    if let Some(Verdict::Changed(faults)) = &mut changed.verdict {
        faults.iter_mut().for_each(|f| (f.detail, f.says) = (Some(EVIL.into()), EVIL.into()));
    }
    whole
        .waiting
        .iter_mut()
        .for_each(|w| (w.site, w.name, w.log, w.key, w.fingerprint) = (EVIL.into(), EVIL.into(), EVIL.into(), EVIL.into(), EVIL.into()));
    whole
        .accepted
        .iter_mut()
        .for_each(|a| (a.name, a.actor, a.reason, a.fingerprint) = (EVIL.into(), EVIL.into(), EVIL.into(), EVIL.into()));
    (whole.name, whole.error) = (EVIL.into(), Some(EVIL.into()));
    let mut witness = sample::witness(true);
    (witness.log, witness.root, witness.key, witness.refused) = (EVIL.into(), EVIL.into(), EVIL.into(), Some(EVIL.into()));
    whole.logs.iter_mut().for_each(|l| (l.site, l.log, l.trouble) = (EVIL.into(), EVIL.into(), Some((EVIL.into(), sample::NOW))));
    let mut quality = sample::quality_page();
    let q = &mut quality.quality;
    for a in &mut q.actors {
        (a.rule, a.place, a.device, a.title) = (EVIL.into(), EVIL.into(), Some(EVIL.into()), tuoan_dashboards::lang::Text::new(EVIL, EVIL));
    }
    q.actors[1].trial = tuoan_dashboards::view::quality::Trial::Failed(EVIL.into());
    q.late.iter_mut().for_each(|l| (l.place, l.incident) = (EVIL.into(), EVIL.into()));
    q.stale.iter_mut().for_each(|s| (s.place, s.incident) = (EVIL.into(), EVIL.into()));
    q.days.iter_mut().for_each(|d| d.date = EVIL.into());
    quality.week = EVIL.into();
    let mut coverage = sample::coverage_page();
    (coverage.date, coverage.before, coverage.hash) = (EVIL.into(), Some(EVIL.into()), Some(EVIL.into()));
    coverage.zones.iter_mut().for_each(|z| z.name = EVIL.into());
    coverage.calendar.iter_mut().for_each(|d| d.date = EVIL.into());
    let mut report = sample::quality_report();
    (report.quality, report.site, report.week, report.first) = (quality.quality.clone(), EVIL.into(), EVIL.into(), EVIL.into());
    let mut quiet = sample::quality_page();
    quiet.quality = tuoan_dashboards::view::quality::Quality {
        figures: Default::default(),
        previous: None,
        actors: Vec::new(),
        days: Vec::new(),
        hours: [0; 24],
        floods: Vec::new(),
        stale: Vec::new(),
        rules: Vec::new(),
        times: Vec::new(),
        late: Vec::new(),
        apart: Default::default(),
        recorded_from: Some(sample::NOW),
        trying: true,
        incomplete: true,
        clock_doubt: 2,
        ..sample::quality()
    };
    let mut life = sample::life("shelved");
    for e in &mut life.entries {
        (e.act.assignee, e.act.other) = (Some(EVIL.into()), Some(EVIL.into()));
    }
    (life.incident.life.assignee, life.incident.place) = (Some(EVIL.into()), EVIL.into());
    life.incident.life.aside = Some(Until { until: sample::NOW, by: EVIL.into(), why: EVIL.into() });
    life.primary = Some(evil_form("resolve"));
    life.quiet = Some(evil_form("acknowledge"));
    life.forms = FORMS.map(evil_form).into();
    life.receipts.steps.push(Step { what: EVIL.into(), at: None, late: true });
    for r in &mut life.receipts.recipients {
        (r.name, r.channel, r.why) = (Some(EVIL.into()), Some(EVIL.into()), Some(EVIL.into()));
    }
    let mut link = sample::link_page(false);
    (link.token, link.person, link.name, link.error) = (EVIL.into(), Some(EVIL.into()), EVIL.into(), Some(EVIL.into()));
    (link.incident.place, link.incident.life.assignee) = (EVIL.into(), Some(EVIL.into()));
    let mut group = sample::link_page(false);
    (group.token, group.name) = (EVIL.into(), EVIL.into());
    let mut concern = sample::concern();
    concern.export =
        Some(Export { cameras: vec![EVIL.into()], people: vec![EVIL.into()], done: Some((EVIL.into(), 1)), ..Export::default() });
    let mut found = sample::search();
    found.asked = Asked { person: EVIL.into(), zone: EVIL.into(), hazard: EVIL.into(), from: EVIL.into(), to: EVIL.into(), ..found.asked };
    (found.zones, found.people, found.hazards) = (vec![(EVIL.into(), EVIL.into())], vec![(EVIL.into(), EVIL.into())], vec![EVIL.into()]);
    (found.next, found.error) = (Some(EVIL.into()), Some(EVIL.into()));
    found.found.iter_mut().for_each(|f| (f.incident.place, f.incident.id) = (EVIL.into(), EVIL.into()));
    let mut sweep = sample::sweep();
    sweep.rooms.iter_mut().for_each(|r| (r.id, r.name) = (EVIL.into(), EVIL.into()));
    let other = |state| page::trial(&ui, &tuoan_dashboards::view::rules::TrialPage { state, ..sample::trial_page() });
    vec![
        ("evidence-export", page::evidence_export(&ui, &export)),
        ("evidence-whole", page::evidence_check(&ui, &whole)),
        ("evidence-changed", page::evidence_check(&ui, &changed)),
        ("witness-refused", page::witness(&ui, &witness)),
        ("witness", page::witness(&ui, &sample::witness(false))),
        ("witness-none", page::witness(&ui, &Default::default())),
        ("coverage", page::coverage(&ui, &coverage)),
        ("coverage of nothing", page::coverage(&ui, &Default::default())),
        ("report", page::report(&ui, &evil_report())),
        ("reported", page::reported(&ui, District::None)),
        ("concern", page::incident(&ui, &concern)),
        ("search", page::search(&ui, &found)),
        ("sweep", page::sweep(&ui, &sweep)),
        ("who", page::who(&ui, &Who { back: EVIL.into(), people: vec![EVIL.into()] })),
        ("offline", page::offline(&ui)),
        ("quality", page::quality(&ui, &quality)),
        ("quality quiet", page::quality(&ui, &quiet)),
        ("quality report", page::quality_report(&ui, &report)),
        ("life", page::incident(&ui, &life)),
        ("fresh", page::incident(&ui, &sample::life("fresh"))),
        ("closed", page::incident(&ui, &sample::life("closed"))),
        ("drill", page::incident(&ui, &sample::life("drill"))),
        ("aside", page::home(&ui, &sample::set_aside())),
        ("deed", page::deed(&ui, &evil_form("assign"))),
        ("link", page::link(&ui, &link)),
        ("link of a group", page::link(&ui, &group)),
        ("link expired", page::link_over(&ui, LinkOver::Expired)),
        ("cameras", page::cameras(&ui, &cameras)),
        ("cameras fragment", page::cameras_fragment(&ui, &cameras)),
        ("camera", page::camera(&ui, &asked)),
        ("camera watched", page::camera(&ui, &camera)),
        ("pictures", page::pictures(&ui, &pictures)),
        ("pictures asked", page::pictures(&ui, &sample::pictures_page(false))),
        ("pictures damaged", page::pictures(&ui, &damaged)),
        ("rules", page::rules(&ui, &rules)),
        ("rule", page::rule(&ui, &rule)),
        ("trial", page::trial(&ui, &trial)),
        ("trial running", other(Trial::Running(37))),
        ("trial busy", other(Trial::Busy { rule: EVIL.into(), by: EVIL.into() })),
        ("trial failed", other(Trial::Failed(EVIL.into()))),
        ("trial stopped", other(Trial::Stopped)),
        ("calm", page::home(&ui, &sample::calm())),
        ("busy", page::home(&ui, &sample::busy())),
        ("evil", page::home(&ui, &sample::evil())),
        ("empty", page::home(&ui, &Home::default())),
        ("fragment", page::home_fragment(&ui, &sample::evil())),
        ("incident", page::incident(&ui, &story)),
        ("quarantine", page::quarantine(&ui, &quarantine)),
        ("check", page::morning_check(&ui, &check)),
        ("live", page::platform_live(&ui, &live)),
        ("live fragment", page::platform_fragment(&ui, &live)),
        ("platform incident", page::platform_incident(&ui, &sample::platform_incident())),
        ("claim", page::claim(&ui, &claim)),
        ("login", page::login(&ui, &evil_login())),
        ("recover", page::recover(&ui, &claim)),
        ("people", page::people(&ui, &evil_people())),
        ("account", page::account(&ui, &Account { name: EVIL.into(), wrong: Some(EVIL.into()), ..Account::default() })),
        ("audit", page::audit(&ui, &evil_audit())),
        ("notices", page::notices(&ui, &evil_releases())),
        ("parent", page::parent(&ui, &evil_parent())),
        ("setup first", setup::first(&ui, &evil_first())),
        ("setup ready", setup::ready(&ui, &view::Ready { site: EVIL.into(), code: EVIL.into() })),
        ("setup starting", setup::restarting(&ui, "/setup")),
        ("setup", setup::overview(&ui, &view::Overview { waiting: true, devices: 1, problems: vec![EVIL.into()], ..Default::default() })),
        ("setup devices", setup::devices(&ui, &evil_devices())),
        ("setup proofs", setup::proofs(&ui, &view::Proofs { devices: evil_placed(), notice: Some(EVIL.into()) })),
        ("setup checklist", setup::checklist(&ui, &view::Checklist { items: evil_items(), wrong: Some(EVIL.into()), done: None })),
        ("setup duty", setup::duty(&ui, &evil_duty())),
        ("setup report", setup::report(&ui, &evil_commissioning())),
        ("setup firmware", setup::firmware(&ui, &evil_firmware())),
        ("setup labels", setup::labels(&ui, &view::Labels { labels: vec![(EVIL.into(), EVIL.into(), String::new())] })),
        ("setup site", setup::site_text(&ui, &view::SiteText { text: EVIL.into(), problems: vec![EVIL.into()], done: None })),
        ("name", page::ask_name(&ui, &name)),
        ("passes", page::platform_passes(&ui, &sample::passes(EVIL))),
        ("plan", tuoan_dashboards::plan::plan(&ui, &sample::plan(EVIL))),
        ("plan edit", tuoan_dashboards::plan::plan_edit(&ui, &sample::plan(EVIL))),
        ("confirm", page::confirm(&ui, &confirm)),
        ("commissioning", page::error(&proving, "", "")),
        ("error", page::error(&ui, EVIL, EVIL)),
    ]
}

#[test]
fn nothing_from_outside_is_markup() {
    for lang in Lang::ALL {
        for (name, html) in all(lang) {
            assert!(!html.is_empty(), "{name}");
            assert!(
                !html.contains("<script>") && !html.contains("<img src=x") && !html.contains("alert('x')"),
                "{name} lets markup through"
            );
        }
    }
}

#[test]
fn pages_obey_the_content_security_policy_and_stay_at_home() {
    for (name, html) in all(Lang::Zh) {
        for forbidden in [" style=\"", " onclick=", " onload=", "<style", "javascript:", "http://", "https://", "src=\"//", "href=\"//"] {
            assert!(!html.contains(forbidden), "{name} contains {forbidden}");
        }
    }
    for asset in assets::names() {
        let text = String::from_utf8(assets::bytes(&asset).unwrap()).unwrap();
        let text = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("@import") && !text.contains("url("), "{asset}");
    }
}

#[test]
fn no_message_is_missing() {
    // A missing message shows as its key; the keys that templates and code name are all looked up here.
    let mut keys: Vec<String> = Vec::new();
    let mut sources: Vec<String> = vec![include_str!("../src/page.rs").into(), include_str!("../src/words.rs").into()];
    sources.push(include_str!("../src/door/forms.rs").into());
    sources.push(include_str!("../src/door/guard.rs").into());
    sources.push(include_str!("../src/chart.rs").into());
    sources.push(include_str!("../src/rules.rs").into());
    sources.push(include_str!("../src/bars.rs").into());
    sources.push(include_str!("../src/quality.rs").into());
    sources.push(include_str!("../src/coverage.rs").into());
    sources.push(include_str!("../src/timeline.rs").into());
    for server in ["gateway/src/web", "gateway/src/web/rules", "gateway/src/alarms", "platform/src/web"] {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../").to_owned() + server;
        let files = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file());
        sources.extend(files.map(|p| std::fs::read_to_string(p).unwrap()));
    }
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).unwrap() {
        sources.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    for source in &sources {
        for call in ["self.args(\"", "ui.t(\"", "ui.t1(\"", "ui.n(\"", "ui.pattern(\"", "ui.t2(\"", "self.t(\"", "self.t1(\"", "self.n(\""]
        {
            keys.extend(source.split(call).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    assert!(keys.len() > 80, "{}", keys.len());
    for (prefix, members) in WORDS {
        keys.extend(members.iter().map(|m| format!("{prefix}-{m}")));
    }
    keys.retain(|k| !k.contains('{'));
    keys.extend(tuoan_dashboards::coverage::keys());
    for hazard in HAZARDS {
        keys.extend([format!("hazard-{}", hazard.replace('.', "-")), format!("advice-{}", hazard.replace('.', "-"))]);
    }
    for q in Quantity::ALL {
        keys.push(format!("quantity-{}", q.name()));
        if q.is_state() {
            keys.extend([format!("state-{}-0", q.name()), format!("state-{}-1", q.name())]);
        }
    }
    for whole in [Whole::ActNow, Whole::Attention, Whole::CannotSee, Whole::Safe] {
        keys.push(format!("whole-{}", whole.name()));
    }
    for lang in Lang::ALL {
        let missing: Vec<_> = keys.iter().filter(|k| !lang.has(k)).collect();
        assert!(missing.is_empty(), "{} lacks {missing:?}", lang.tag());
    }
}

#[test]
fn chinese_pages_speak_chinese_and_english_ones_english() {
    let zh = page::home(&Ui::plain(Lang::Zh, sample::NOW), &sample::busy());
    for says in [
        "请立即处理",
        "烟雾报警",
        "1 分 20 秒",
        "请立即带孩子撤离",
        "已确认",
        "推测",
        "看不到",
        "失联 · ",
        "12 秒前",
        "我来处理",
        "王老师 正在处理",
    ] {
        assert!(zh.contains(says), "{says}");
    }
    let en = page::home(&Ui::plain(Lang::En, sample::NOW), &sample::busy());
    for says in ["Act now", "Smoke alarm", "1 min 20 s", "Confirmed", "Inferred", "Silent · since", "12 s ago", "I will see to it"] {
        assert!(en.contains(says), "{says}");
    }
}

#[test]
fn the_page_of_alarm_quality_begins_with_what_to_do() {
    let zh = page::quality(&Ui::plain(Lang::Zh, sample::NOW), &sample::quality_page());
    for says in [
        "先改这几处",
        "“持续多久才算”从 1 分钟改为 2 分钟",
        "每周报警约 32 次 → 9.4 次",
        "记录不满一周",
        "检修传感器",
        "/rules/door.held_open?hold=2&#38;hold_unit=m",
        "/rules/air.co2.mean?above=1050",
        "还有 52 件没有判定",
        "1/2 (50%)",
        "不设目标",
        "↓ 上期 112",
        "演练",
    ] {
        assert!(zh.contains(says), "{says}: {zh}");
    }
    assert!(zh.find("先改这几处") < zh.find("接手与处理用时"));
    let en = page::quality_report(&Ui::plain(Lang::En, sample::NOW), &sample::quality_report());
    for says in ["Weekly alarm report", "week 47 (16 Nov 2026 to 22 Nov 2026)", "nobody took note for 40 min (target 5 min)", "112"] {
        assert!(en.contains(says), "{says}: {en}");
    }
}

#[test]
fn blindness_is_never_safe() {
    assert_eq!(sample::calm().whole(), Whole::Safe);
    assert_eq!(Home::default().whole(), Whole::CannotSee, "nothing heard yet is not safe");
    let mut blind = sample::busy();
    blind.incidents.clear();
    assert_eq!(blind.whole(), Whole::CannotSee);
    let mut broken = sample::calm();
    broken.strip.disk_fault = Some("disk full".into());
    assert_eq!(broken.whole(), Whole::ActNow);
    assert_eq!(sample::busy().whole(), Whole::ActNow);
    let html = page::home(&Ui::plain(Lang::Zh, sample::NOW), &blind);
    // The value of a lost sensor is not shown.
    assert!(!html.contains("9.0"), "a lost value is shown as current");
}

#[test]
fn the_district_sorts_by_urgency_then_basis_then_age() {
    let live = sample::live();
    let order: Vec<_> = live.incidents.iter().map(|i| (u8::from(i.incident.severity), i.incident.basis)).collect();
    let mut sorted = order.clone();
    sorted.sort();
    assert_eq!(order, sorted);
    assert_eq!(live.sites.last().unwrap().trust_name(), "heard");
}

#[test]
fn one_thing_is_next_and_it_changes_with_the_state() {
    let ui = Ui::plain(Lang::Zh, sample::NOW);
    let next = |state: &str| {
        let html = page::incident(&ui, &sample::life(state));
        let big: Vec<String> =
            html.split("<button class=\"big\">").skip(1).map(|b| b.split('<').next().unwrap_or_default().to_owned()).collect();
        assert!(big.len() <= 1, "{state}: one big button, not {big:?}");
        big.into_iter().next()
    };
    assert_eq!(next("fresh").as_deref(), Some("我来处理"));
    assert_eq!(next("taken").as_deref(), Some("已处置"));
    assert_eq!(next("shelved").as_deref(), Some("已处置"));
    assert_eq!(next("closed"), None);
    let says = |state: &str, all: &[&str]| {
        let html = page::incident(&ui, &sample::life(state));
        for text in all {
            assert!(html.contains(text), "{state} lacks {text}");
        }
    };
    says("fresh", &["进行中", "还没有人确认", "不通知任何人", "15 分钟（到 14:47）"]);
    says("shelved", &["搁置至 14:47", "李园长：传感器送修，已安排专人看护", "30 分钟内反复触发，已合并，共 7 次", "取消搁置"]);
    says("closed", &["已结束", "结论：误报", "由 王老师 处理", "事件 000007 并入", "重新打开"]);
    says("drill", &["演练 · 不是真实情况", "class=\"drill-tag\""]);
}

#[test]
fn who_knew_when_is_a_table_with_what_is_late() {
    let ui = Ui::plain(Lang::Zh, sample::NOW);
    let html = page::incident(&ui, &sample::life("taken"));
    for says in [
        "区平台已接收",
        "+92 秒",
        "迟了",
        "超过 1 分钟没有送到",
        "550 mailbox unavailable",
        "全体（群）",
        "安静时段",
        "又提醒 2 次",
        "+21 秒",
    ] {
        assert!(html.contains(says), "{says}");
    }
    assert!(!html.contains("NaN") && !html.contains("+-"));
}

#[test]
fn what_is_set_aside_is_neither_pressing_nor_safe() {
    let mut home = sample::set_aside();
    let html = page::home(&Ui::plain(Lang::Zh, sample::NOW), &home);
    for says in
        ["演练进行中", "暂不提醒", "现在结束", "油烟机清洗", "王老师 正在处理", "反复触发，共 9 次", "起发不出去", "invalid access_token"]
    {
        assert!(html.contains(says), "{says}");
    }
    home.incidents.retain(|i| i.state.inhibited.is_some());
    assert_eq!(home.whole(), Whole::Attention);
    let html = page::home(&Ui::plain(Lang::Zh, sample::NOW), &home);
    assert!(html.contains("1 件事已搁置") && !html.contains("没有未处理的情况"));
}

#[test]
fn a_link_shows_two_buttons_and_nothing_of_the_site() {
    let ui = Ui::plain(Lang::Zh, sample::NOW);
    let person = page::link(&ui, &sample::link_page(true));
    assert_eq!(person.matches("method=\"post\"").count(), 2);
    assert!(person.contains("我看到了") && person.contains("我来处理") && !person.contains("name=\"name\""));
    assert!(!person.contains("/incidents/") && !person.contains("data-fragment"), "nothing else is reached from here");
    assert!(page::link(&ui, &sample::link_page(false)).contains("name=\"name\""), "in a group one says who one is");
    for (why, says) in [
        (LinkOver::Expired, "链接已过期"),
        (LinkOver::Closed, "这件事已经结束"),
        (LinkOver::Unknown, "这个链接打不开"),
        (LinkOver::Locked, "试得太多了"),
    ] {
        assert!(page::link_over(&ui, why).contains(says));
    }
}
