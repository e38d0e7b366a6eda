//! The pages. Each function takes what the page shows and gives its HTML; everything that came from outside is escaped by the templates.
use crate::bars::{self, Bars};
use crate::chart::{Chart, chart};
use crate::door::Tile;
use crate::icon;
use crate::lang::Ui;
use crate::quality::Key;
use crate::view::Notice;
use crate::view::alarm::{CAUSES, Form, LinkOver, LinkPage};
use crate::view::cameras::{AREAS, CameraPage, Cameras, Kept, Pictures, REASONS, Watch};
use crate::view::coverage::CoveragePage;
use crate::view::evidence::{self, Verdict};
use crate::view::gateway::{Around, DeliveryState, Freshness, Home, IncidentPage, MorningCheck, Quarantine, Sight};
use crate::view::people::{Account, Audit, Drawn, ParentPage, People, Releases, TEMPLATES};
use crate::view::platform::{self, Live, PlatformEntry, Trust};
use crate::view::quality::{Advice, QualityPage, ReportPage};
use crate::view::rules::{RulePage, Rules, Trial, TrialPage};
use crate::view::search::SearchPage;
use crate::view::tasks::{District, Report, Sweep, Who};
use askama::Template;
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
