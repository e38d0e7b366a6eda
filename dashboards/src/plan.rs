//! The floor plan's pages.
use crate::icon;
use crate::lang::Ui;
use crate::page::finish;
use crate::view::plan::PlanPage;
use crate::view::setup::ROLES;
use askama::Template;

#[derive(Template)]
#[template(path = "plan.html")]
struct Whole<'a> {
    ui: &'a Ui,
    v: &'a PlanPage,
}
/// Rooms and devices where they are, with how they do.
pub fn plan(ui: &Ui, v: &PlanPage) -> String {
    finish(Whole { ui, v })
}

#[derive(Template)]
#[template(path = "plan_live.html")]
struct Live<'a> {
    ui: &'a Ui,
    v: &'a PlanPage,
}
pub fn plan_fragment(ui: &Ui, v: &PlanPage) -> String {
    finish(Live { ui, v })
}

#[derive(Template)]
#[template(path = "setup_plan.html")]
struct Edit<'a> {
    ui: &'a Ui,
    v: &'a PlanPage,
}
/// Where rooms are drawn and devices are hung.
pub fn plan_edit(ui: &Ui, v: &PlanPage) -> String {
    finish(Edit { ui, v })
}

#[cfg(test)]
mod tests {
    use crate::lang::Lang;
    use crate::view::plan::{ROOM_STATES, SPOT_STATES};

    #[test]
    fn every_state_has_its_word() {
        for lang in Lang::ALL {
            let rooms = ROOM_STATES.map(|s| format!("plan-room-{s}"));
            for key in rooms.into_iter().chain(SPOT_STATES.map(|s| format!("plan-device-{s}"))) {
                assert!(lang.has(&key), "{key} in {}", lang.tag());
            }
        }
    }
}
