//! Which actions a page offers, as forms: one big step that follows from the incident's state, and the rest folded.
use super::views;
use crate::engine::site::Role;
use crate::engine::standing::{MAINTENANCE_MIN, OUT_OF_SERVICE_MIN, Scope, shelve_limit};
use crate::engine::view::View;
use crate::notify::message::number;
use std::collections::BTreeSet;
use tuoan_dashboards::lang::Text;
use tuoan_dashboards::view::Incident;
use tuoan_dashboards::view::alarm::Form;
use tuoan_dashboards::view::gateway::{Home, IncidentPage};
use tuoan_dashboards::{Lang, Ui};
use tuoan_protocol::Inhibition;

/// Lengths of time to choose from, in minutes.
const TIMES: [u32; 11] = [5, 15, 30, 60, 120, 240, 480, 1440, 4320, 10_080, 43_200];
/// So many of them are enough.
const CHOICES: usize = 6;
/// Open incidents offered for a merger.
const OTHERS: usize = 50;

/// The longest of [`TIMES`] up to `most` minutes.
pub fn choices(most: u32) -> Vec<u32> {
    let fit: Vec<u32> = TIMES.into_iter().filter(|t| *t <= most).collect();
    fit.get(fit.len().saturating_sub(CHOICES)..).unwrap_or_default().to_vec()
}

pub fn person_name(view: &View, who: &str) -> String {
    view.people.iter().find(|p| p.0 == who).map_or_else(|| who.to_owned(), |p| p.1.clone())
}

/// The id of the person of that name, where the site has just one; else the name.
pub fn person_id(view: &View, name: &str) -> String {
    let mut named = view.people.iter().filter(|p| p.1 == name || p.0 == name);
    match (named.next(), named.next()) {
        (Some(p), None) => p.0.clone(),
        _ => name.to_owned(),
    }
}

/// One form about an incident.
pub fn of_incident(kind: &'static str, i: &Incident, view: &View) -> Form {
    let path = match kind {
        "take" => "assign",
        "cause" => "resolve",
        k => k,
    };
    let mut form = Form { kind, action: format!("/incidents/{}/{path}", i.id), back: format!("/incidents/{}", i.id), ..Form::default() };
    match kind {
        "assign" => form.people = view.people.iter().map(|(id, name, _)| (id.clone(), name.clone())).collect(),
        "shelve" => form.choices = choices(shelve_limit(i.severity)),
        "merge" => form.others = others(i, view),
        _ => {}
    }
    form
}

/// Open incidents that may take this one in.
fn others(i: &Incident, view: &View) -> Vec<(String, Text)> {
    let this = view.incidents.iter().find(|o| o.id.as_str() == i.id);
    let may = view.incidents.iter().filter(|o| {
        let alike = this.is_some_and(|t| t.exercise == o.exercise);
        o.id.as_str() != i.id && o.severity <= i.severity && alike
    });
    let label = |o: &crate::engine::view::IncidentView, lang| {
        let ui = Ui::plain(lang, 0);
        format!("{} {} · {}", views::zone_name(&o.place.zone, view), ui.hazard(o.hazard.as_str()), number(o.id.as_str()))
    };
    may.take(OTHERS).map(|o| (o.id.to_string(), Text::new(label(o, Lang::Zh), label(o, Lang::En)))).collect()
}

/// What a person may do about the incident of that page.
pub fn arrange(page: &mut IncidentPage, view: &View, held: bool) {
    let i = &page.incident;
    let form = |kind| of_incident(kind, i, view);
    let merged = page.entries.last().is_some_and(|e| e.state.closed && e.act.other.is_some());
    let open = view.incidents.iter().any(|o| o.id.as_str() == i.id);
    let mut more = Vec::new();
    let (mut primary, mut quiet) = (None, None);
    if merged {
        // It goes on elsewhere.
    } else if i.state.closed {
        primary = i.life.resolved.is_none().then(|| form("cause"));
        more.extend(["reopen", "comment"].map(form));
    } else if open && i.hazard == super::report::HAZARD {
        // It is closed by the district, and neither set aside nor taken into another.
        primary = i.life.assignee.is_none().then(|| form("take"));
        quiet = (!i.state.acknowledged).then(|| form("acknowledge"));
        more.extend(["comment", "assign"].map(form));
    } else if open {
        match (i.life.resolved, &i.life.assignee) {
            (Some(_), _) => more.push(form("reopen")),
            (None, Some(_)) => primary = Some(form("resolve")),
            (None, None) => {
                primary = Some(form("take"));
                quiet = Some(form(if i.state.acknowledged { "resolve" } else { "acknowledge" }));
                if !i.state.acknowledged {
                    more.push(form("resolve"));
                }
            }
        }
        more.extend(["comment", "assign"].map(form));
        if i.state.inhibited == Some(Inhibition::Shelved) {
            more.push(form("unshelve"));
        } else if !i.life.drill && i.life.resolved.is_none() {
            more.push(form("shelve"));
        }
        more.push(form("merge"));
        more.retain(|f| f.kind != "merge" || !f.others.is_empty());
    }
    more.push(form(if held { "release" } else { "hold" }));
    (page.primary, page.quiet, page.forms) = (primary, quiet, more);
}

pub fn of_zone(id: &str, maintained: bool) -> Form {
    let (kind, path) = if maintained { ("maintain_end", "maintain/end") } else { ("maintain", "maintain") };
    let choices = if maintained { Vec::new() } else { choices(MAINTENANCE_MIN) };
    Form { kind, action: format!("/zones/{id}/{path}"), back: "/".into(), choices, ..Form::default() }
}

pub fn of_device(id: &str, out: bool) -> Form {
    let kind = if out { "in" } else { "out" };
    let choices = if out { Vec::new() } else { choices(OUT_OF_SERVICE_MIN) };
    Form { kind, action: format!("/devices/{id}/{kind}"), back: "/".into(), choices, ..Form::default() }
}

/// Puts the forms of zones and devices into the home page.
pub fn furnish(home: &mut Home, view: &View) {
    // What the gateway says itself of a room is no device that somebody could take down.
    let own: BTreeSet<&str> =
        view.zones.iter().flat_map(|z| &z.devices).filter(|d| d.role == Some(Role::Estimate)).map(|d| d.id.as_str()).collect();
    for z in &mut home.zones {
        z.form = Some(of_zone(&z.id, z.maintained.is_some()));
        for d in z.devices.iter_mut().filter(|d| !own.contains(d.id.as_str())) {
            d.form = Some(of_device(&d.id, d.out.is_some()));
        }
    }
}

/// What stands for that scope.
pub fn standing<'a>(view: &'a View, scope: &Scope) -> Option<&'a crate::engine::view::StandingView> {
    view.standings.iter().find(|s| s.scope == *scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_protocol::Severity;

    #[test]
    fn what_may_be_chosen_is_allowed() {
        for severity in [Severity::Emergency, Severity::Serious, Severity::General] {
            let most = shelve_limit(severity);
            let choices = choices(most);
            assert!(!choices.is_empty() && choices.len() <= CHOICES && choices.iter().all(|c| *c <= most), "{choices:?}");
        }
        assert_eq!(choices(15), [5, 15]);
        assert_eq!(choices(480), [15, 30, 60, 120, 240, 480]);
        assert_eq!(choices(10_080).last(), Some(&10_080));
    }
}
