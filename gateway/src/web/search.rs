//! Incidents searched for: by room, hazard, severity, time, person, and those answered late.
use super::pages::{sorry, ui};
use super::{Shared, views};
use crate::alarms::times::Targets;
use crate::engine::rules::{Catalogue, Words};
use crate::engine::view::View;
use crate::store::search::{Found, LateAfter, Search};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use std::sync::Arc;
use tuoan_dashboards::door::{Visitor, tidy};
use tuoan_dashboards::lang::Text;
use tuoan_dashboards::page;
use tuoan_dashboards::view::alarm::Life;
use tuoan_dashboards::view::search::{Asked, Found as Line, SearchPage};
use tuoan_dashboards::view::{Incident, search};
use tuoan_protocol::Severity;

/// Lines on one page.
const PAGE: usize = 50;
/// Longest field, in bytes.
const FIELD: usize = 64;
const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Typed {
    zone: String,
    hazard: String,
    severity: String,
    person: String,
    from: String,
    to: String,
    late: String,
    /// When the last line of the page before began, and its id.
    after: String,
}

/// The first moment of a local date, UTC milliseconds. `Err`: it is no date.
fn midnight(date: &str, utc_offset_minutes: i32) -> Result<Option<i64>, ()> {
    if date.is_empty() {
        return Ok(None);
    }
    let mut parts = date.splitn(3, '-').map(|p| p.parse::<u16>());
    let mut part = || parts.next().and_then(Result::ok).ok_or(());
    let (year, month, day) = (part()?, part()?, part()?);
    let month = u8::try_from(month).ok().and_then(|m| time::Month::try_from(m).ok()).ok_or(())?;
    let date = u8::try_from(day).ok().and_then(|d| time::Date::from_calendar_date(i32::from(year), month, d).ok()).ok_or(())?;
    Ok(Some(date.midnight().assume_utc().unix_timestamp() * 1000 - i64::from(utc_offset_minutes) * 60_000))
}

pub fn late_after(now: i64) -> LateAfter {
    let targets = Targets::default();
    LateAfter { noted: targets.acknowledge, handled: targets.handle, now }
}

/// What is to be looked for; `Err`: a date is none.
fn search(asked: &Asked, after: &str, view: &View, now: i64, utc_offset_minutes: i32) -> Result<Search, ()> {
    let given = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    let named = view.people.iter().filter(|(id, name, _)| *name == asked.person || *id == asked.person);
    let mut person: Vec<String> = named.flat_map(|(id, name, _)| [id.clone(), name.clone()]).chain(given(&asked.person)).collect();
    person.sort();
    person.dedup();
    Ok(Search {
        zone: given(&asked.zone),
        hazard: given(&asked.hazard),
        severity: asked.severity.parse::<u8>().ok().and_then(|s| Severity::try_from(s).ok()),
        from: midnight(&asked.from, utc_offset_minutes)?,
        to: midnight(&asked.to, utc_offset_minutes)?.map(|t| t.saturating_add(DAY_MS)),
        person,
        late: asked.late.then(|| late_after(now)),
        after: after.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned()))),
        except: None,
    })
}

/// `GET /incidents`.
pub async fn page(State(web): State<Shared>, visitor: Visitor, Query(typed): Query<Typed>) -> Response {
    let ui = ui(&web, &visitor);
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let now = web.deps.clock.utc_ms();
    let field = |text: &str| tidy(text, FIELD);
    let asked = Asked {
        zone: field(&typed.zone),
        hazard: field(&typed.hazard),
        severity: field(&typed.severity),
        person: field(&typed.person),
        from: field(&typed.from),
        to: field(&typed.to),
        late: !typed.late.is_empty(),
    };
    let mut v = search::SearchPage {
        zones: view.zones.iter().map(|z| (z.id.to_string(), z.name.clone())).collect(),
        people: view.people.iter().map(|(id, name, _)| (id.clone(), name.clone())).collect(),
        ..SearchPage::default()
    };
    let wanted = search(&asked, &field(&typed.after), &view, now, web.config.utc_offset_minutes);
    v.asked = asked;
    let Ok(wanted) = wanted else {
        v.error = Some(ui.t("search-wrong-date"));
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page::search(&ui, &v))).into_response();
    };
    let (mut found, hazards) = match web.query(move |r| Ok((r.search(&wanted, PAGE + 1)?, r.hazards()?))).await {
        Ok(answer) => answer,
        Err(e) => return sorry(&ui, &e),
    };
    if found.len() > PAGE {
        found.truncate(PAGE);
        v.next = found.last().map(|last| format!("{}.{}", last.row.opened_at, last.row.id));
    }
    v.hazards = hazards;
    let after = late_after(now);
    v.found = found.iter().map(|f| line(f, &view, &web.deps.catalogue, &after)).collect();
    Html(page::search(&ui, &v)).into_response()
}

/// One line of an answer.
pub fn line(f: &Found, view: &View, catalogue: &Catalogue, after: &LateAfter) -> Line {
    let row = &f.row;
    let entry = catalogue.get(&row.rule);
    let words = |w: &Words| Text::new(w.zh.clone(), w.en.clone());
    let incident = Incident {
        id: row.id.to_string(),
        sequence: row.sequence,
        hazard: row.hazard.as_str().to_owned(),
        title: entry.map(|e| words(&e.title)).unwrap_or_default(),
        advice: Text::default(),
        place: views::zone_name(&row.place.zone, view).to_owned(),
        device: row.place.device.as_ref().map(|d| views::device_name(d, view)),
        severity: row.severity,
        basis: row.basis,
        state: row.state,
        opened_at: row.opened_at,
        changed_at: row.changed_at,
        trigger: None,
        activations: u64::from(row.activations),
        cancellable: false,
        acknowledged_by: None,
        affected: Vec::new(),
        life: Life::default(),
    };
    Line { incident, noted_at: f.noted_at, handled_at: f.handled_at, late: f.is_late(after) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_sites_own_and_nonsense_is_no_date() {
        assert_eq!(midnight("2026-11-24", 480), Ok(Some(1_795_449_600_000)));
        assert_eq!(midnight("", 480), Ok(None));
        for wrong in ["2026-02-30", "x", "2026-11", "2026-13-01", "99999-01-01", "2026-11-24-1", "-1-1-1"] {
            assert_eq!(midnight(wrong, 480), Err(()), "{wrong}");
        }
    }
}
