//! Who may do what on these pages: one row for each route. A route without a row is shut for everybody, and a test holds the router to this table.
//!
//! Parents have no role: `/notice/{token}` is opened by the link of their class. `/n/{token}` is opened by the link in a message.
use tuoan_dashboards::door::{Role, Roles, Row};

const DIRECTOR: Roles = Roles::of(&[Role::Director]);
/// Who is there for the children.
const STAFF: Roles = Roles::of(&[Role::Director, Role::Carer]);
/// Who sees to the equipment.
const SETUP: Roles = Roles::of(&[Role::Director, Role::Installer]);
/// Everybody of the house.
const HOUSE: Roles = Roles::of(&[Role::Director, Role::Carer, Role::Installer]);
/// Whoever is told of incidents, and who inspects.
const RECORD: Roles = Roles::of(&[Role::Director, Role::Carer, Role::Inspector]);
const AUDIT: Roles = Roles::of(&[Role::Director, Role::Inspector]);
/// What the site has and lacks.
const INSPECTED: Roles = Roles::of(&[Role::Director, Role::Installer, Role::Inspector]);
const ALL: Roles = Roles::EVERYBODY;
const NONE: Roles = Roles::NOBODY;

const fn row(path: &'static str, read: Roles, act: Roles) -> Row {
    Row { path, read, act }
}

pub const TABLE: &[Row] = &[
    row("/", ALL, NONE),
    row("/fragment/home", ALL, NONE),
    row("/events", ALL, NONE),
    row("/api/v1/view", ALL, NONE),
    row("/incidents", RECORD, NONE),
    row("/incidents/{id}", RECORD, NONE),
    row("/api/v1/incidents/{id}/timeline", RECORD, NONE),
    row("/fragment/incidents/{id}", RECORD, NONE),
    row("/incidents/{id}/acknowledge", NONE, STAFF),
    row("/incidents/{id}/assign", NONE, STAFF),
    row("/incidents/{id}/comment", NONE, STAFF),
    row("/incidents/{id}/shelve", NONE, STAFF),
    row("/incidents/{id}/unshelve", NONE, STAFF),
    row("/incidents/{id}/resolve", NONE, STAFF),
    row("/incidents/{id}/reopen", NONE, STAFF),
    row("/incidents/{id}/merge", NONE, STAFF),
    row("/incidents/{id}/cancel", NONE, STAFF),
    row("/incidents/{id}/exported", NONE, STAFF),
    // Whoever inspects may see to it that nothing is removed, and take the file away; to end a hold is the house's.
    row("/incidents/{id}/hold", NONE, AUDIT),
    row("/incidents/{id}/release", NONE, DIRECTOR),
    row("/incidents/{id}/evidence", AUDIT, AUDIT),
    row("/zones/{id}/maintain", HOUSE, HOUSE),
    row("/zones/{id}/maintain/end", NONE, HOUSE),
    row("/zones/{id}/swept", NONE, STAFF),
    row("/sweep", STAFF, NONE),
    row("/who", STAFF, STAFF),
    row("/devices/{id}/out", HOUSE, HOUSE),
    row("/devices/{id}/in", NONE, HOUSE),
    row("/drill/end", NONE, STAFF),
    row("/check", STAFF, STAFF),
    row("/cameras", ALL, NONE),
    row("/fragment/cameras", ALL, NONE),
    row("/cameras/{id}", ALL, NONE),
    // Nobody from outside watches live: some districts forbid it, and none needs it.
    row("/cameras/{id}/watch", NONE, HOUSE),
    row("/cameras/{id}/watch/end", NONE, HOUSE),
    row("/cameras/{id}/picture", HOUSE, NONE),
    row("/cameras/{id}/areas", NONE, SETUP),
    row("/cameras/{id}/floor", NONE, SETUP),
    row("/cameras/{id}/floor/try", NONE, SETUP),
    row("/incidents/{id}/stills", NONE, STAFF),
    row("/incidents/{id}/stills/{number}", RECORD, NONE),
    row("/incidents/{id}/pictures", RECORD, RECORD),
    row("/incidents/{id}/pictures/end", NONE, RECORD),
    row("/incidents/{id}/pictures/hold", NONE, AUDIT),
    row("/incidents/{id}/pictures/{file}/{picture}", RECORD, NONE),
    row("/rules", ALL, NONE),
    row("/rules/{id}", ALL, NONE),
    row("/rules/{id}/try", NONE, SETUP),
    row("/rules/{id}/trial", ALL, NONE),
    row("/rules/{id}/trial/stop", NONE, SETUP),
    row("/rules/{id}/set", NONE, DIRECTOR),
    row("/rules/{id}/end", NONE, DIRECTOR),
    row("/quality", RECORD, NONE),
    row("/quality/report", RECORD, NONE),
    row("/coverage", ALL, NONE),
    row("/witness", ALL, NONE),
    row("/quarantine", SETUP, NONE),
    row("/account", ALL, HOUSE),
    row("/account/sessions/{handle}/end", NONE, ALL),
    row("/people", DIRECTOR, DIRECTOR),
    row("/people/{id}/secret", NONE, DIRECTOR),
    row("/people/{id}/remove", NONE, DIRECTOR),
    row("/people/passes", NONE, DIRECTOR),
    row("/people/passes/{id}/revoke", NONE, DIRECTOR),
    row("/people/classes/{id}/link", NONE, DIRECTOR),
    row("/people/classes/{id}/end", NONE, DIRECTOR),
    row("/people/recovery", NONE, DIRECTOR),
    row("/notices", DIRECTOR, DIRECTOR),
    row("/notices/{number}/withdraw", NONE, DIRECTOR),
    row("/audit", AUDIT, NONE),
    row("/setup", SETUP, NONE),
    row("/setup/devices", SETUP, NONE),
    row("/d/{id}", SETUP, NONE),
    row("/setup/devices/place", NONE, SETUP),
    row("/setup/devices/remove", NONE, SETUP),
    row("/setup/devices/replace", NONE, SETUP),
    // A credential lets something speak to the gateway: the director's consent.
    row("/setup/devices/enrol", NONE, DIRECTOR),
    row("/setup/proofs", SETUP, NONE),
    row("/setup/proofs/live", SETUP, NONE),
    row("/setup/proofs/ask", NONE, SETUP),
    row("/setup/proofs/test", NONE, SETUP),
    row("/setup/firmware", SETUP, NONE),
    row("/setup/firmware/live", SETUP, NONE),
    row("/setup/firmware/file", NONE, SETUP),
    row("/setup/firmware/send", NONE, SETUP),
    row("/plan", ALL, NONE),
    row("/fragment/plan", ALL, NONE),
    row("/plan/{floor}/picture", ALL, NONE),
    row("/setup/plan", SETUP, SETUP),
    row("/setup/plan/picture", NONE, SETUP),
    row("/setup/plan/picture/remove", NONE, SETUP),
    row("/setup/commissioning", NONE, SETUP),
    row("/setup/commissioning/end", NONE, SETUP),
    row("/setup/checklist", SETUP, DIRECTOR),
    row("/setup/duty", INSPECTED, NONE),
    row("/setup/report", INSPECTED, NONE),
    row("/setup/labels", SETUP, NONE),
    row("/setup/site", SETUP, DIRECTOR),
    row("/setup/site.toml", SETUP, NONE),
    row("/setup/apply", NONE, SETUP),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every path that the sources route inside the door.
    fn routed() -> BTreeSet<&'static str> {
        let sources = [include_str!("mod.rs")];
        let inside = |s: &'static str| s.split("let open = Router::new()").next().unwrap_or_default();
        sources.into_iter().map(inside).flat_map(|s| s.split(".route(\"").skip(1)).filter_map(|s| s.split('"').next()).collect()
    }

    #[test]
    fn every_route_has_its_row_and_every_row_its_route() {
        let rows: BTreeSet<&str> = TABLE.iter().map(|r| r.path).collect();
        assert_eq!(rows.len(), TABLE.len(), "a path twice");
        assert!(routed().len() > 60);
        assert_eq!(routed().symmetric_difference(&rows).collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn an_inspector_changes_nothing_of_the_house() {
        let acts: Vec<&str> = TABLE.iter().filter(|r| r.act.hold(Role::Inspector)).map(|r| r.path).collect();
        let expected = [
            "/incidents/{id}/hold",
            "/incidents/{id}/evidence",
            "/incidents/{id}/pictures",
            "/incidents/{id}/pictures/end",
            "/incidents/{id}/pictures/hold",
            "/account/sessions/{handle}/end",
        ];
        assert_eq!(acts, expected);
    }
}
