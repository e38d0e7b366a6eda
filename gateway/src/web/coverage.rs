//! The page of the coverage ledger: a day, and the ninety that lead to today.
use super::Shared;
use super::pages::{missing, sorry, ui};
use crate::engine::LedgerDay;
use crate::engine::schedule::{date_of, parse_date};
use crate::engine::view::{CoverageView, View};
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::page as render;
use tuoan_dashboards::view::coverage::{CalendarDay, CoveragePage, Zone};
use tuoan_protocol::ledger::{Day, Figure};

/// Days in the calendar, up to today; then the weeks are filled up.
const DAYS: i64 = 90;
const WEEK: i64 = 7;

#[derive(serde::Deserialize, Default)]
pub struct Which {
    date: Option<String>,
}

pub(super) async fn page(State(web): State<Shared>, visitor: Visitor, Query(which): Query<Which>) -> Response {
    let ui = ui(&web, &visitor);
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let local = web.deps.clock.utc_ms().saturating_add(i64::from(web.config.utc_offset_minutes) * 60_000);
    let today = local.div_euclid(86_400_000);
    let date = match which.date.as_deref().map(parse_date) {
        None => today,
        Some(Some(date)) if date <= today => date,
        Some(_) => return missing(&ui),
    };
    let first = today - DAYS + 1;
    // 1970-01-01 was a Thursday: weeks begin on Monday.
    let from = first - (first + 3).rem_euclid(WEEK);
    match web.query(move |r| Ok((r.ledger_days(date, date)?, r.ledger_days(from, today)?))).await {
        Ok((shown, calendar)) => {
            Html(render::coverage(&ui, &present(&view, date, (from, today), shown.first(), &calendar))).into_response()
        }
        Err(e) => sorry(&ui, &e),
    }
}

/// `shown`: the day that is asked for, if it is closed; `days`: those of the calendar, from one date to another.
fn present(view: &View, date: i64, (from, today): (i64, i64), shown: Option<&LedgerDay>, days: &[LedgerDay]) -> CoveragePage {
    let name = |id: &tuoan_protocol::ZoneId| view.zones.iter().find(|z| z.id == *id).map_or_else(|| id.to_string(), |z| z.name.clone());
    let open: &CoverageView = &view.coverage;
    let is_open = open.date == Some(date);
    let mut page = CoveragePage { date: date_of(date), ..CoveragePage::default() };
    if is_open {
        page.open = Some(open.minutes);
        page.zones = open.zones.iter().map(|z| Zone { name: name(&z.zone), run: z.run.clone(), now: Some(z.now) }).collect();
    } else if let Some((bytes, day)) = shown.and_then(|d| Some((&d.bytes, Day::from_canonical(&d.bytes).ok()?))) {
        page.hash = Some(hex::encode(Sha256::digest(bytes)));
        page.zones = day.zones.into_iter().map(|z| Zone { name: name(&z.zone), run: z.run, now: None }).collect();
    }
    let mut told: BTreeMap<i64, (Figure, u16)> = BTreeMap::new();
    for day in days.iter().filter_map(|d| Day::from_canonical(&d.bytes).ok()) {
        told.insert(day.date, (day.figure(), day.longest_gap().map_or(0, |(_, g)| g.minutes)));
    }
    if let Some(date) = open.date.filter(|d| *d <= today) {
        let figure = open.zones.iter().fold(Figure::default(), |f, z| f.plus(z.run.figure()));
        let longest = open.zones.iter().flat_map(|z| z.run.gaps()).map(|g| g.minutes).max().unwrap_or(0);
        told.insert(date, (figure, longest));
    }
    page.before = told.range(..date).next_back().map(|(d, _)| date_of(*d));
    page.after = told.range(date + 1..).next().map(|(d, _)| date_of(*d));
    page.calendar = (from..=today).map(|d| CalendarDay { date: date_of(d), told: told.get(&d).copied() }).collect();
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{Gateway, MONDAY, supervised, t};
    use tuoan_protocol::Quantity;

    #[test]
    fn a_closed_day_and_the_open_one_stand_in_the_calendar() {
        let mut g = Gateway::new(supervised());
        for minute in 0..1440 {
            g.says(&format!("{:02}:{:02}", minute / 60, minute % 60), "gas", Quantity::Gas, 0.0);
        }
        g.until("24:00");
        let closed = g.last.ledger.clone();
        g.until("25:00");
        let (view, monday) = (g.state.view(t("25:00")), (MONDAY + 28_800_000) / 86_400_000);
        let yesterday = present(&view, monday, (monday - 3, monday + 1), closed.first(), &closed);
        assert_eq!((yesterday.date.as_str(), yesterday.open, yesterday.hash.is_some()), ("2026-11-23", None, true));
        assert_eq!((yesterday.before, yesterday.after.as_deref()), (None, Some("2026-11-24")));
        assert_eq!(yesterday.zones.len(), 5, "the site's rooms, its exit and its kitchen");
        let shades: Vec<_> = yesterday.calendar.iter().map(CalendarDay::shade).collect();
        assert_eq!(shades, ["none", "none", "none", "low", "low"], "nothing is all right that was not watched");
        let today = present(&view, monday + 1, (monday - 3, monday + 1), None, &closed);
        assert_eq!((today.open, today.before.as_deref()), (Some(60), Some("2026-11-23")));
        assert!(today.gaps().iter().all(|(_, g)| g.minutes <= 60) && !today.gaps().is_empty());
    }
}
