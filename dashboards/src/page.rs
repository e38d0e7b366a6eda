//! The pages. Each function takes what the page shows and gives its HTML; everything that came from outside is escaped by the templates.
use crate::bars::{self, Bars};
use crate::chart::{Chart, chart};
use crate::door::Tile;
use crate::lang::{Lang, Theme, Ui};
use crate::quality::Key;
use crate::view::Notice;
use crate::view::alarm::{CAUSES, Commissioning, Drill, Form, LinkOver, LinkPage};
use crate::view::cameras::{AREAS, Camera, CameraPage, Cameras, Kept, Pictures, REASONS, Watch};
use crate::view::coverage::CoveragePage;
use crate::view::evidence::{self, Verdict};
use crate::view::gateway::{Around, DeliveryState, Freshness, Home, IncidentPage, MorningCheck, Quarantine, Sight};
use crate::view::people::{Account, Audit, Drawn, ParentPage, People, Releases, TEMPLATES};
use crate::view::platform::{self, Live, PassState, PlatformEntry, Trust};
use crate::view::quality::{Advice, QualityPage, ReportPage};
use crate::view::rules::{RulePage, Rules, Trial, TrialPage};
use crate::view::search::SearchPage;
use crate::view::tasks::{District, Export, Report, Sweep, Who};
use crate::{assets, icon};
use askama::Template;
use std::borrow::Borrow;
use tuoan_protocol::{Severity, Transition};

pub(crate) fn finish(t: impl Template) -> String {
    // Writing into memory fails only if a Display of ours does; then an empty page is all there is to say.
    t.render().unwrap_or_default()
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    ui: &'a Ui,
    v: &'a Home,
}
#[derive(Template)]
#[template(path = "home_live.html")]
struct HomeLive<'a> {
    ui: &'a Ui,
    v: &'a Home,
}
/// The gateway's home page.
pub fn home(ui: &Ui, v: &Home) -> String {
    finish(HomePage { ui, v })
}
/// Its live part alone, which the script fetches again when something has changed.
pub fn home_fragment(ui: &Ui, v: &Home) -> String {
    finish(HomeLive { ui, v })
}

#[derive(Template)]
#[template(path = "incident.html")]
struct Incident<'a> {
    ui: &'a Ui,
    v: &'a IncidentPage,
    charts: Vec<Chart>,
}
#[derive(Template)]
#[template(path = "incident_live.html")]
struct IncidentLive<'a> {
    ui: &'a Ui,
    v: &'a IncidentPage,
    charts: Vec<Chart>,
}
fn charts(ui: &Ui, v: &IncidentPage) -> Vec<Chart> {
    let end = if v.incident.state.active { v.to } else { v.incident.changed_at };
    v.series.iter().map(|s| chart(ui, s, v.from, v.to, (v.incident.opened_at, end))).collect()
}
/// One incident with its timeline, at the gateway.
pub fn incident(ui: &Ui, v: &IncidentPage) -> String {
    finish(Incident { ui, v, charts: charts(ui, v) })
}
pub fn incident_fragment(ui: &Ui, v: &IncidentPage) -> String {
    finish(IncidentLive { ui, v, charts: charts(ui, v) })
}

#[derive(Template)]
#[template(path = "deed.html")]
struct DeedPage<'a> {
    ui: &'a Ui,
    f: &'a Form,
}
/// One action by itself, with what was typed and what is wrong with it.
pub fn deed(ui: &Ui, f: &Form) -> String {
    finish(DeedPage { ui, f })
}

#[derive(Template)]
#[template(path = "link.html")]
struct Link<'a> {
    ui: &'a Ui,
    v: &'a LinkPage,
}
/// What a link in a message shows: one incident, and two buttons.
pub fn link(ui: &Ui, v: &LinkPage) -> String {
    finish(Link { ui, v })
}

#[derive(Template)]
#[template(path = "link_over.html")]
struct LinkOverPage<'a> {
    ui: &'a Ui,
    why: &'a str,
}
/// A link that leads nowhere, and why.
pub fn link_over(ui: &Ui, why: LinkOver) -> String {
    finish(LinkOverPage { ui, why: why.name() })
}

#[derive(Template)]
#[template(path = "evidence_export.html")]
struct EvidenceExport<'a> {
    ui: &'a Ui,
    v: &'a evidence::Export,
}
/// The form that exports an incident's evidence.
pub fn evidence_export(ui: &Ui, v: &evidence::Export) -> String {
    finish(EvidenceExport { ui, v })
}

#[derive(Template)]
#[template(path = "evidence_check.html")]
struct EvidenceCheck<'a> {
    ui: &'a Ui,
    v: &'a evidence::Check,
}
/// The district's page that checks evidence, and what it has seen of each log.
pub fn evidence_check(ui: &Ui, v: &evidence::Check) -> String {
    finish(EvidenceCheck { ui, v })
}

#[derive(Template)]
#[template(path = "witness.html")]
struct WitnessPage<'a> {
    ui: &'a Ui,
    v: &'a evidence::Witness,
}
/// The institution's page of its log's head, and how far the district has witnessed it.
pub fn witness(ui: &Ui, v: &evidence::Witness) -> String {
    finish(WitnessPage { ui, v })
}

#[derive(Template)]
#[template(path = "coverage.html")]
struct Coverage<'a> {
    ui: &'a Ui,
    v: &'a CoveragePage,
}
/// A day of the coverage ledger, and the calendar.
pub fn coverage(ui: &Ui, v: &CoveragePage) -> String {
    finish(Coverage { ui, v })
}

#[derive(Template)]
#[template(path = "quarantine.html")]
struct QuarantinePage<'a> {
    ui: &'a Ui,
    v: &'a Quarantine,
}
/// Messages that nobody understood.
pub fn quarantine(ui: &Ui, v: &Quarantine) -> String {
    finish(QuarantinePage { ui, v })
}

#[derive(Template)]
#[template(path = "check.html")]
struct CheckPage<'a> {
    ui: &'a Ui,
    v: &'a MorningCheck,
}
/// The form of the morning check (晨检).
pub fn morning_check(ui: &Ui, v: &MorningCheck) -> String {
    finish(CheckPage { ui, v })
}

#[derive(Template)]
#[template(path = "cameras.html")]
struct CamerasPage<'a> {
    ui: &'a Ui,
    v: &'a Cameras,
}
#[derive(Template)]
#[template(path = "cameras_live.html")]
struct CamerasLive<'a> {
    ui: &'a Ui,
    v: &'a Cameras,
}
/// All cameras, and whether they see.
pub fn cameras(ui: &Ui, v: &Cameras) -> String {
    finish(CamerasPage { ui, v })
}
pub fn cameras_fragment(ui: &Ui, v: &Cameras) -> String {
    finish(CamerasLive { ui, v })
}

#[derive(Template)]
#[template(path = "camera.html")]
struct OneCamera<'a> {
    ui: &'a Ui,
    v: &'a CameraPage,
}
/// One camera: its blurred picture for who may see it, its areas and calibration.
pub fn camera(ui: &Ui, v: &CameraPage) -> String {
    finish(OneCamera { ui, v })
}

#[derive(Template)]
#[template(path = "pictures.html")]
struct PicturesOf<'a> {
    ui: &'a Ui,
    v: &'a Pictures,
}
/// What is kept of an incident in pictures.
pub fn pictures(ui: &Ui, v: &Pictures) -> String {
    finish(PicturesOf { ui, v })
}

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage<'a> {
    ui: &'a Ui,
    v: &'a Rules,
}
/// All rules in force, by hazard.
pub fn rules(ui: &Ui, v: &Rules) -> String {
    finish(RulesPage { ui, v })
}

#[derive(Template)]
#[template(path = "rule.html")]
struct OneRule<'a> {
    ui: &'a Ui,
    v: &'a RulePage,
}
/// One rule, and the form that adjusts it.
pub fn rule(ui: &Ui, v: &RulePage) -> String {
    finish(OneRule { ui, v })
}

#[derive(Template)]
#[template(path = "trial.html")]
struct TrialOf<'a> {
    ui: &'a Ui,
    v: &'a TrialPage,
}
/// An adjustment tried on the site's own history.
pub fn trial(ui: &Ui, v: &TrialPage) -> String {
    finish(TrialOf { ui, v })
}

#[derive(Template)]
#[template(path = "quality.html")]
struct QualityOf<'a> {
    ui: &'a Ui,
    v: &'a QualityPage,
    keys: Vec<Key>,
    charts: [Bars; 2],
}
/// How good the alarms are, and what to do about it.
pub fn quality(ui: &Ui, v: &QualityPage) -> String {
    let q = &v.quality;
    let keys = ui.key_figures(&q.figures, q.previous.as_ref());
    finish(QualityOf { ui, v, keys, charts: [bars::by_day(ui, q), bars::by_hour(ui, q)] })
}

#[derive(Template)]
#[template(path = "quality_report.html")]
struct QualityReport<'a> {
    ui: &'a Ui,
    v: &'a ReportPage,
    keys: Vec<Key>,
    charts: [Bars; 1],
}
/// The weekly report, for paper.
pub fn quality_report(ui: &Ui, v: &ReportPage) -> String {
    let q = &v.quality;
    let keys = ui.key_figures(&q.figures, q.previous.as_ref());
    finish(QualityReport { ui, v, keys, charts: [bars::by_day(ui, q)] })
}

#[derive(Template)]
#[template(path = "platform.html")]
struct PlatformPage<'a> {
    ui: &'a Ui,
    v: &'a Live,
}
#[derive(Template)]
#[template(path = "platform_live.html")]
struct PlatformLive<'a> {
    ui: &'a Ui,
    v: &'a Live,
}
/// The district's live page. Call [`Live::sort`] first.
pub fn platform_live(ui: &Ui, v: &Live) -> String {
    finish(PlatformPage { ui, v })
}
pub fn platform_fragment(ui: &Ui, v: &Live) -> String {
    finish(PlatformLive { ui, v })
}

#[derive(Template)]
#[template(path = "platform_incident.html")]
struct PlatformIncident<'a> {
    ui: &'a Ui,
    v: &'a platform::IncidentPage,
}
/// One incident as the district sees it.
pub fn platform_incident(ui: &Ui, v: &platform::IncidentPage) -> String {
    finish(PlatformIncident { ui, v })
}

/// What was typed into the claim form and what is wrong with it; the password is never sent back.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    pub code: String,
    pub name: String,
    pub code_error: Option<String>,
    pub password_error: Option<String>,
    pub again_error: Option<String>,
    pub error: Option<String>,
}
#[derive(Template)]
#[template(path = "claim.html")]
struct ClaimPage<'a> {
    ui: &'a Ui,
    v: &'a Claim,
}
pub fn claim(ui: &Ui, v: &Claim) -> String {
    finish(ClaimPage { ui, v })
}

#[derive(Template)]
#[template(path = "recover.html")]
struct RecoverPage<'a> {
    ui: &'a Ui,
    v: &'a Claim,
}
/// Sets a new director's password by the recovery code.
pub fn recover(ui: &Ui, v: &Claim) -> String {
    finish(RecoverPage { ui, v })
}

/// What the login page shows; a password or code is never sent back.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// The path to go to afterwards.
    pub then: String,
    pub tiles: Vec<Tile>,
    /// Id of the tile that is chosen.
    pub chosen: String,
    pub error: Option<String>,
    pub code_error: Option<String>,
    /// There is a recovery code.
    pub recovery: bool,
}
#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    ui: &'a Ui,
    v: &'a Login,
}
pub fn login(ui: &Ui, v: &Login) -> String {
    finish(LoginPage { ui, v })
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage<'a> {
    ui: &'a Ui,
    v: &'a People,
}
/// Who may come in.
pub fn people(ui: &Ui, v: &People) -> String {
    finish(PeoplePage { ui, v })
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    ui: &'a Ui,
    v: &'a Account,
}
/// One's own account.
pub fn account(ui: &Ui, v: &Account) -> String {
    finish(AccountPage { ui, v })
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage<'a> {
    ui: &'a Ui,
    v: &'a Audit,
}
/// Who did and saw what.
pub fn audit(ui: &Ui, v: &Audit) -> String {
    finish(AuditPage { ui, v })
}

#[derive(Template)]
#[template(path = "notices.html")]
struct NoticesPage<'a> {
    ui: &'a Ui,
    v: &'a Releases,
}
/// What the director may tell parents, and has told.
pub fn notices(ui: &Ui, v: &Releases) -> String {
    finish(NoticesPage { ui, v })
}

#[derive(Template)]
#[template(path = "parent.html")]
struct Parent<'a> {
    ui: &'a Ui,
    v: &'a ParentPage,
}
/// The parents' page of one class.
pub fn parent(ui: &Ui, v: &ParentPage) -> String {
    finish(Parent { ui, v })
}

/// Asks for the name of who acts, then repeats the action with it.
#[derive(Debug, Clone, Default)]
pub struct AskName {
    /// Where the form goes.
    pub action: String,
    pub back: String,
    pub name: String,
    pub error: Option<String>,
    /// The site's people, to choose from.
    pub people: Vec<String>,
    /// Other fields of the first form, passed on unchanged.
    pub keep: Vec<(String, String)>,
}
#[derive(Template)]
#[template(path = "ask_name.html")]
struct AskNamePage<'a> {
    ui: &'a Ui,
    v: &'a AskName,
}
pub fn ask_name(ui: &Ui, v: &AskName) -> String {
    finish(AskNamePage { ui, v })
}

#[derive(Template)]
#[template(path = "platform_passes.html")]
struct PassesPage<'a> {
    ui: &'a Ui,
    v: &'a platform::Passes,
}
/// Codes of inspectors that the district issues.
pub fn platform_passes(ui: &Ui, v: &platform::Passes) -> String {
    finish(PassesPage { ui, v })
}

/// Asks for the secret of who acts, then repeats the action with it.
#[derive(Debug, Clone, Default)]
pub struct Confirm {
    /// Where the form goes.
    pub action: String,
    pub back: String,
    /// Fields of the first form, passed on unchanged.
    pub keep: Vec<(String, String)>,
    /// Who may be meant; at least one.
    pub tiles: Vec<Tile>,
    pub chosen: String,
    pub error: Option<String>,
}
impl Confirm {
    /// The field's name for the only one: their PIN or their password.
    fn own(&self, ui: &Ui) -> String {
        let by_pin = self.tiles.first().is_some_and(|t| t.role.by_pin());
        ui.t(if by_pin { "confirm-pin" } else { "confirm-password" })
    }
}
#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage<'a> {
    ui: &'a Ui,
    v: &'a Confirm,
}
pub fn confirm(ui: &Ui, v: &Confirm) -> String {
    finish(ConfirmPage { ui, v })
}

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPageOf<'a> {
    ui: &'a Ui,
    v: &'a Report,
}
/// The form of a report of concern.
pub fn report(ui: &Ui, v: &Report) -> String {
    finish(ReportPageOf { ui, v })
}

#[derive(Template)]
#[template(path = "report_done.html")]
struct Reported<'a> {
    ui: &'a Ui,
    district: District,
}
/// A report has been taken in.
pub fn reported(ui: &Ui, district: District) -> String {
    finish(Reported { ui, district })
}

#[derive(Template)]
#[template(path = "search.html")]
struct Searched<'a> {
    ui: &'a Ui,
    v: &'a SearchPage,
}
/// Incidents searched for.
pub fn search(ui: &Ui, v: &SearchPage) -> String {
    finish(Searched { ui, v })
}

#[derive(Template)]
#[template(path = "sweep.html")]
struct SweepPage<'a> {
    ui: &'a Ui,
    v: &'a Sweep,
}
/// The closing sweep, room by room.
pub fn sweep(ui: &Ui, v: &Sweep) -> String {
    finish(SweepPage { ui, v })
}

#[derive(Template)]
#[template(path = "who.html")]
struct WhoPage<'a> {
    ui: &'a Ui,
    v: &'a Who,
}
/// Says who acts from now on.
pub fn who(ui: &Ui, v: &Who) -> String {
    finish(WhoPage { ui, v })
}

#[derive(Template)]
#[template(path = "offline.html")]
struct Offline<'a> {
    ui: &'a Ui,
}
/// What the browser keeps for when the gateway cannot be reached.
pub fn offline(ui: &Ui) -> String {
    finish(Offline { ui })
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    ui: &'a Ui,
    title: &'a str,
    help: &'a str,
}
/// What went wrong, in words, and the way back.
pub fn error(ui: &Ui, title: &str, help: &str) -> String {
    finish(ErrorPage { ui, title, help })
}

/// Helpers that only the templates call.
impl Ui {
    pub(crate) fn asset(&self, name: &str) -> String {
        assets::url(name)
    }
    pub(crate) fn other_lang(&self) -> Lang {
        match self.lang {
            Lang::Zh => Lang::En,
            Lang::En => Lang::Zh,
        }
    }
    pub(crate) fn lang_name(&self, lang: Lang) -> String {
        lang.message("language-name", None).unwrap_or_default()
    }
    pub(crate) fn themes(&self) -> [Theme; 3] {
        [Theme::Auto, Theme::Light, Theme::Dark]
    }
    fn drill(&self, d: &Drill) -> String {
        let mut args = fluent_bundle::FluentArgs::new();
        for (name, text) in
            [("place", d.place.clone()), ("hazard", self.hazard(&d.hazard)), ("by", d.by.clone()), ("time", self.clock(d.until))]
        {
            args.set(name, text);
        }
        self.lang.message("drill-text", Some(&args)).unwrap_or_default()
    }
    fn pass_state(&self, p: &platform::PassLine) -> String {
        match &p.state {
            PassState::Waiting => self.t("platform-pass-waiting"),
            PassState::Open(at) => self.t1("platform-pass-open", "time", self.date_time(*at)),
            PassState::Over => self.t("platform-pass-over"),
            PassState::Revoked(at, by) => {
                self.args("platform-pass-revoked", vec![("time", self.date_time(*at).into()), ("name", by.as_str().into())])
            }
        }
    }
    /// "王敏 发起，到 15:20 自动结束。验证中：…"
    pub(crate) fn commissioning_text(&self, c: &Commissioning) -> String {
        let (by, time) = (c.by.clone(), self.clock(c.until));
        let devices = c.devices.join(if self.lang == Lang::Zh { "、" } else { ", " });
        let key = if devices.is_empty() { "commissioning-text-none" } else { "commissioning-text" };
        self.args(key, vec![("by", by.into()), ("time", time.into()), ("devices", devices.into())])
    }
    fn export_period(&self, x: &Export) -> String {
        self.t2("export-period", ("from", self.date_time(x.from).into()), ("to", self.date_time(x.to).into()))
    }
    fn export_done(&self, done: &(String, i64)) -> String {
        self.t2("export-done", ("name", done.0.as_str().into()), ("time", self.date_time(done.1).into()))
    }
    fn names(&self, names: &[String]) -> String {
        names.join(&self.t("list-comma"))
    }
    /// The short number of an incident that stands in messages: the end of its id.
    fn number(&self, id: &str) -> String {
        let start = id.char_indices().rev().nth(5).map_or(0, |(i, _)| i);
        id.get(start..).unwrap_or_default().to_uppercase()
    }
    /// The sentence under the state of the whole.
    fn whole_text(&self, v: &Home) -> String {
        if v.strip.disk_fault.is_some() {
            return self.t("whole-disk-text");
        }
        if v.zones.is_empty() && v.incidents.is_empty() {
            return self.t("whole-unknown-text");
        }
        let blind: Vec<&str> = v.zones.iter().filter(|z| z.sight() != Sight::Clear).map(|z| z.name.as_str()).collect();
        let set_aside = v.incidents.iter().filter(|i| i.state.inhibited.is_some()).count();
        let told = v.incidents.len().saturating_sub(set_aside);
        let aside = (set_aside > 0).then(|| self.n("whole-aside-text", set_aside as u64));
        if let (Some(aside), 0, true) = (&aside, told, blind.is_empty()) {
            return aside.clone();
        }
        let text = self.both(told, &blind, "whole-blind-text", "whole-safe-text");
        let join = if self.lang == Lang::Zh { "" } else { " " };
        [Some(text), aside].into_iter().flatten().collect::<Vec<_>>().join(join)
    }
    fn live_text(&self, v: &Live) -> String {
        if v.sites.is_empty() && v.incidents.is_empty() {
            return self.t("platform-whole-unknown-text");
        }
        let open = v.incidents.iter().filter(|i| !i.incident.state.closed).count();
        let doubtful: Vec<&str> = v.sites.iter().filter(|s| s.trust() != Trust::Heard).map(|s| s.name.as_str()).collect();
        self.both(open, &doubtful, "platform-whole-blind-text", "platform-whole-safe-text")
    }
    fn both(&self, open: usize, blind: &[&str], blind_key: &str, safe_key: &str) -> String {
        /// Names said in the sentence; the rest is counted.
        const NAMED: usize = 4;
        let mut parts = Vec::new();
        if open > 0 {
            parts.push(self.n("whole-incidents-text", open as u64));
        }
        if !blind.is_empty() {
            let mut names = blind.get(..NAMED).unwrap_or(blind).join(if self.lang == Lang::Zh { "、" } else { ", " });
            if blind.len() > NAMED {
                names.push('…');
            }
            parts.push(self.t2(blind_key, ("n", (blind.len() as u64).into()), ("names", names.into())));
        }
        if parts.is_empty() { self.t(safe_key) } else { parts.join(if self.lang == Lang::Zh { "" } else { " " }) }
    }
    fn severity_class(&self, s: impl Borrow<Severity>) -> &'static str {
        match s.borrow() {
            Severity::Emergency => "s1",
            Severity::Serious => "s2",
            Severity::General => "s3",
            Severity::Advisory => "s4",
        }
    }
    /// "1.0 帧/秒".
    pub fn per_second(&self, rate: impl Borrow<f32>) -> String {
        self.t1("camera-per-second", "n", format!("{:.1}", rate.borrow()))
    }
    /// "一般 0.4 秒，慢时 0.8 秒".
    pub fn lag(&self, lag: impl Borrow<(u32, u32)>) -> String {
        let seconds = |ms: u32| format!("{:.1}", f64::from(ms) / 1000.0);
        let (half, most) = *lag.borrow();
        if most < 50 {
            return self.t("camera-lag-short");
        }
        self.t2("camera-lag-figures", ("half", seconds(half).into()), ("most", seconds(most).into()))
    }
    /// "约 5 人（4–6）", "至少 6 人".
    pub fn head_count(&self, c: &Camera) -> String {
        let (low, likely, high) = c.people;
        if c.at_least {
            return self.n("camera-at-least", u64::from(low));
        }
        let count = self.n("camera-people-count", u64::from(likely));
        if low == high { count } else { format!("{count} ({low}–{high})") }
    }
    /// The page of the rule with the suggested figures in its form.
    fn try_link(&self, rule: &str, advice: &Advice) -> String {
        crate::quality::try_link(rule, advice)
    }
    /// What parents read: a template with the time in it, and nothing else.
    fn notice_text(&self, template: &str, at: impl Borrow<i64>) -> String {
        self.t1(&format!("notice-{template}"), "time", self.date_time(at))
    }
    fn minutes_left(&self, ms: impl Borrow<i64>) -> u64 {
        u64::try_from((*ms.borrow()).max(0) / 60_000).unwrap_or(0)
    }
}
