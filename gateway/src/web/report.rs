//! A report of concern (报告疑虑): from every page in two taps, and by parents without a login.
//!
//! What must hold: who is not logged in learns the rooms' names and nothing else; how often strangers may report is bounded, for each report is an
//! emergency that wakes people, and none is dropped without a word; what the page promises is what happens.
use super::actions::{Refused, command};
use super::pages::ui;
use super::{Shared, refusals, views};
use crate::deliver::LaneState;
use crate::engine::Command;
use crate::engine::input::Action;
use crate::engine::view::View;
use crate::store::Lane;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tuoan_dashboards::door::{ACTOR, Visitor, tidy};
use tuoan_dashboards::page;
use tuoan_dashboards::view::tasks::{District, Export, Report};
use tuoan_protocol::{IncidentEvent, Rung, Transition, Via, ZoneId};

pub const HAZARD: &str = "concern.report";
/// What the log says of a recorder's video that has been saved, before where it is kept.
pub const EXPORTED: &str = "录像已导出：";
/// How much of the recorder's video is asked for, before the report and after it, in milliseconds.
const BEFORE_MS: i64 = 60 * 60_000;
const AFTER_MS: i64 = 30 * 60_000;
/// Longest note in bytes: with the name, what an incident event has room for.
const NOTE: usize = 200;
/// Reports of people who are not logged in: from one address and from all together within [`WINDOW_MS`].
const OF_ONE: usize = 3;
const OF_ALL: usize = 12;
const WINDOW_MS: i64 = 600_000;

/// When and from where strangers have reported. Bounded by [`OF_ALL`].
#[derive(Debug, Default)]
pub struct Strangers(Mutex<VecDeque<(i64, IpAddr)>>);

impl Strangers {
    /// One more report; otherwise how many milliseconds to wait.
    fn begin(&self, address: IpAddr, now: i64) -> Result<(), i64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not lock anybody out for long.
        seen.retain(|(at, _)| now.abs_diff(*at) < WINDOW_MS.unsigned_abs());
        let of_one = seen.iter().filter(|(_, a)| *a == address).map(|(at, _)| *at);
        let full = |mut times: Vec<i64>, most: usize| {
            times.sort_unstable();
            if times.len() >= most { times.first().map_or(WINDOW_MS, |t| t.saturating_add(WINDOW_MS).saturating_sub(now)) } else { 0 }
        };
        let wait = full(of_one.collect(), OF_ONE).max(full(seen.iter().map(|(at, _)| *at).collect(), OF_ALL));
        if wait > 0 {
            return Err(wait);
        }
        seen.push_back((now, address));
        Ok(())
    }
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Typed {
    room: String,
    note: String,
    name: String,
}

fn blank(web: &Shared, typed: &Typed) -> Report {
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    Report {
        site: web.config.site_name.clone(),
        rooms: view.zones.iter().map(|z| (z.id.to_string(), z.name.clone())).collect(),
        room: typed.room.clone(),
        note: typed.note.clone(),
        name: typed.name.clone(),
        error: None,
    }
}

/// `GET /report`: changes nothing.
pub async fn form(State(web): State<Shared>, visitor: Visitor, Query(typed): Query<Typed>) -> Response {
    let ui = ui(&web, &visitor);
    let name = visitor.actor.clone().unwrap_or_default();
    let v = blank(&web, &Typed { name, note: String::new(), room: tidy(&typed.room, 64) });
    Html(page::report(&ui, &v)).into_response()
}

/// `POST /report`.
pub async fn enter(State(web): State<Shared>, visitor: Visitor, Form(typed): Form<Typed>) -> Response {
    let ui = ui(&web, &visitor);
    let again = |status: StatusCode, field, text| {
        (status, Html(page::report(&ui, &Report { error: Some((field, text)), ..blank(&web, &typed) }))).into_response()
    };
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let Some(zone) = ZoneId::new(&typed.room).ok().filter(|z| view.zones.iter().any(|k| k.id == *z)) else {
        return again(StatusCode::UNPROCESSABLE_ENTITY, "room", ui.t("report-pick-room"));
    };
    if !visitor.signed_in()
        && let Err(wait) = web.strangers.begin(visitor.address, web.deps.clock.utc_ms())
    {
        let minutes = wait.unsigned_abs().div_ceil(60_000).max(1);
        return again(StatusCode::TOO_MANY_REQUESTS, "", ui.n("report-busy", minutes));
    }
    // With what is added to a stranger's, it fits into an incident event.
    let name = tidy(&typed.name, if visitor.signed_in() { ACTOR } else { 30 });
    let actor = match (visitor.signed_in(), name.is_empty()) {
        (true, false) => name,
        (true, true) => visitor.actor.clone().unwrap_or_else(|| "未署名".to_owned()),
        // Nobody vouches for a name that was typed without a login.
        (false, false) => format!("{name}（未登录）"),
        (false, true) => "未登录".to_owned(),
    };
    let report = Command { actor, via: Some(Via::Page), action: Action::ReportConcern { zone, note: tidy(&typed.note, NOTE) } };
    match command(&web, report).await {
        Ok(()) => Html(page::reported(&ui, district(&web))).into_response(),
        Err(Refused::Engine(reason)) => again(StatusCode::CONFLICT, "", ui.word("refused", refusals::name(reason))),
        Err(Refused::Unsaved) => again(StatusCode::SERVICE_UNAVAILABLE, "", ui.t("error-busy")),
    }
}

/// Whether the district hears of it.
fn district(web: &Shared) -> District {
    let lanes = web.deps.deliveries.status();
    match lanes.iter().find(|l| l.sink == "platform" && l.lane == Lane::Alerts) {
        None => District::None,
        Some(lane) if lane.state == LaneState::Flowing => District::Told,
        Some(_) => District::Unreachable,
    }
}

/// What is to be saved from the recorder for that report, and whether it has been.
pub fn export(events: &[&IncidentEvent], view: &View) -> Option<Export> {
    let first = events.first().filter(|e| e.hazard.as_str() == HAZARD)?;
    let last = events.iter().filter(|e| matches!(e.transition, Transition::Opened | Transition::Reactivated)).map(|e| e.at).max();
    let saved =
        |e: &&&IncidentEvent| e.transition == Transition::Commented && e.note.as_ref().is_some_and(|n| n.as_str().starts_with(EXPORTED));
    let name = |d: &tuoan_protocol::DeviceId, name: &Option<String>| name.clone().unwrap_or_else(|| views::device_name(d, view));
    Some(Export {
        from: first.at.saturating_sub(BEFORE_MS),
        to: last.unwrap_or(first.at).saturating_add(AFTER_MS),
        cameras: view.cameras.iter().filter(|c| c.zones.contains(&first.place.zone)).map(|c| name(&c.device, &c.name)).collect(),
        people: view.people.iter().filter(|p| matches!(p.2, Rung::Deputy | Rung::Carer)).map(|p| p.1.clone()).collect(),
        done: events.iter().find(saved).map(|e| (e.actor.as_ref().map_or_else(String::new, |a| a.as_str().to_owned()), e.at)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_bounded_each_and_together_and_not_for_ever() {
        let strangers = Strangers::default();
        let from = |n: u8| IpAddr::from([10, 0, 0, n]);
        for at in 0..3 {
            assert_eq!(strangers.begin(from(1), at * 1000), Ok(()));
        }
        assert_eq!(strangers.begin(from(1), 3000), Err(WINDOW_MS - 3000), "until the first of the three is ten minutes old");
        for n in 2..11 {
            assert_eq!(strangers.begin(from(n), 4000), Ok(()), "another address is not held up");
        }
        assert!(strangers.begin(from(11), 5000).is_err(), "all together");
        assert_eq!(strangers.begin(from(11), 4000 + WINDOW_MS), Ok(()));
        assert_eq!(strangers.begin(from(1), -WINDOW_MS * 9), Ok(()), "a clock that was set back");
        assert!(strangers.0.lock().unwrap().len() <= OF_ALL);
    }
}
