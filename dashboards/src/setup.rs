//! The pages of set-up.
use crate::icon;
use crate::lang::Ui;
use crate::page::finish;
use crate::view::setup::{
    Checklist, Devices, Duty, Firmware, First, Gap, Labels, Overview, ProofState, Proofs, ROLES, Ready, Report, SelfTest, SiteText,
};
use askama::Template;

macro_rules! pages {
    ($($(#[$doc:meta])* $name:ident($view:ty) = $page:ident $path:literal;)*) => {$(
        #[derive(Template)]
        #[template(path = $path)]
        struct $page<'a> {
            ui: &'a Ui,
            v: &'a $view,
        }
        $(#[$doc])*
        pub fn $name(ui: &Ui, v: &$view) -> String {
            finish($page { ui, v })
        }
    )*};
}

pages! {
    /// What the institution is: the first page of all.
    first(First) = FirstPage "setup_first.html";
    /// The recovery code, and the button that starts the gateway.
    ready(Ready) = ReadyPage "setup_ready.html";
    /// The steps, and how far each is.
    overview(Overview) = OverviewPage "setup.html";
    /// Devices onto rooms.
    devices(Devices) = DevicesPage "setup_devices.html";
    /// What proves each device.
    proofs(Proofs) = ProofsPage "setup_proofs.html";
    proofs_fragment(Proofs) = ProofsLive "setup_proofs_live.html";
    /// Firmware of nodes.
    firmware(Firmware) = FirmwarePage "setup_firmware.html";
    firmware_fragment(Firmware) = FirmwareLive "setup_firmware_live.html";
    /// What a person confirms with a date.
    checklist(Checklist) = ChecklistPage "setup_checklist.html";
    /// What the site lacks.
    duty(Duty) = DutyPage "setup_duty.html";
    /// The commissioning report, for paper.
    report(Report) = ReportPage "setup_report.html";
    /// Labels for the devices, for paper.
    labels(Labels) = LabelsPage "setup_labels.html";
    /// The site as one file.
    site_text(SiteText) = SitePage "setup_site.html";
}

#[derive(Template)]
#[template(path = "setup_starting.html")]
struct StartingPage<'a> {
    ui: &'a Ui,
    to: &'a str,
}
/// Waits until the gateway answers, and goes on.
pub fn starting(ui: &Ui) -> String {
    finish(StartingPage { ui, to: "/setup" })
}
/// The same, and goes on there.
pub fn restarting(ui: &Ui, to: &str) -> String {
    finish(StartingPage { ui, to })
}

/// Helpers that only these templates call.
impl Ui {
    /// Of two texts, however the template has them.
    pub(crate) fn same(&self, a: &str, b: &str) -> bool {
        a == b
    }
    /// How a gap reads: "托小班活动室", or the floor for what must be within reach.
    fn gap_place(&self, gap: &Gap) -> String {
        match (gap.what, gap.place.as_str()) {
            (_, "") => self.t("duty-whole"),
            ("panic", floor) => self.t1("duty-floor", "n", floor.to_owned()),
            (_, place) => place.to_owned(),
        }
    }
    /// What a person is asked to do to prove a device of that role.
    fn prove_text(&self, role: &str) -> String {
        let ask = match role {
            "door" | "window" | "lock" => "open",
            "climate" => "breathe",
            "smoke" | "heat" | "gas" | "co" => "test",
            "panic" => "press",
            "camera" => "cover",
            "occupancy" => "move",
            "water" => "wet",
            _ => "heard",
        };
        self.word("prove", ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use crate::view::setup::ITEMS;

    #[test]
    fn every_word_that_a_page_may_say_is_there() {
        for lang in Lang::ALL {
            let words = ROLES.iter().map(|r| format!("role-{r}")).chain(ITEMS.iter().map(|i| format!("item-{i}")));
            let gaps = ["camera", "climate", "co2", "contact", "gas", "smoke", "panic", "uplink", "clock"];
            let gaps = gaps.iter().flat_map(|g| [format!("gap-{g}"), format!("buy-{g}")]);
            let proofs = ["opened", "breathed", "tested", "pressed", "covered", "moved", "wetted", "heard"].map(|p| format!("proof-{p}"));
            let asks = ["open", "breathe", "test", "press", "cover", "move", "wet", "heard"].map(|p| format!("prove-{p}"));
            let enums = [
                "institution-public",
                "institution-employer",
                "institution-community",
                "institution-private",
                "institution-kindergarten",
                "institution-station",
                "supervisor-health",
                "supervisor-education",
                "supervisor-township",
                "supervisor-union",
                "supervisor-civil_affairs",
                "class-age-infant",
                "class-age-toddler",
                "class-age-older",
                "class-age-mixed",
                "care-full_day",
                "care-half_day",
                "care-hourly",
                "care-temporary",
                "error-place-zone",
                "error-place-device",
                "error-place-private",
                "error-place-taken",
                "error-first-empty",
                "error-first-id",
                "error-first-choose",
                "error-first-hours",
                "error-first-number",
                "error-first-places",
                "error-first-outside",
                "error-first-nap",
                "error-first-twice",
                "error-first-class",
                "error-first-exit",
            ];
            for key in words.chain(gaps).chain(proofs).chain(asks).chain(enums.map(str::to_owned)) {
                assert!(lang.has(&key), "{key} in {}", lang.tag());
            }
        }
    }
}
