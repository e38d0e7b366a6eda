//! The pages of alarm quality: the last days, and the weekly report.
//!
//! Figures come out of the store with each request; what to change is worked out once for each period, by a thread in the background that has the
//! least claim to the machine, and kept until the day is over.
use super::pages::{missing, sorry, ui};
use super::{QueryError, Shared};
use crate::alarms::figures::Source;
use crate::alarms::names::Names;
use crate::alarms::suggest::{Suggestion, Trial, Why, suggest, untried};
use crate::alarms::{Figures, Period, Week, present, read, trial};
use crate::clock::Stopwatch;
use crate::engine::rules::{Override, Rule};
use crate::engine::view::View;
use crate::replay::Source as Log;
use crate::replay::backtest::Pace;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::page as render;
use tuoan_dashboards::view::quality::{Quality, QualityPage, ReportPage};

/// Days that can be chosen: this week's worth, and four.
const CHOICES: [u64; 2] = [7, 28];
/// Trials of one period take no longer than this.
const BUDGET: Duration = Duration::from_secs(5 * 60);
/// As `nice`: they run when nothing else does.
const NICE: i32 = 15;
/// Periods whose suggestions are kept.
const KEPT: usize = 4;

/// Suggestions of a period: its beginning and the local day on which they were made.
type Of = (i64, i64);

/// Suggestions, as far as they have been worked out.
#[derive(Debug, Default)]
pub struct Studies {
    busy: AtomicBool,
    done: Mutex<VecDeque<Study>>,
}

/// What was worked out for a period, by actor.
#[derive(Debug)]
struct Study {
    of: Of,
    list: Vec<(Source, Suggestion)>,
}

impl Studies {
    /// Those of the actors of `figures`, if they have been made; other actors may have come to the front since.
    fn of(&self, of: Of, figures: &Figures) -> Option<Vec<Suggestion>> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let study = done.iter().find(|s| s.of == of)?;
        let made = |source: &Source| study.list.iter().find(|(s, _)| s == source).map(|(_, made)| made.clone());
        figures.actors.iter().map(|a| made(&a.source)).collect()
    }
    fn keep(&self, study: Study) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.retain(|s| s.of != study.of);
        while done.len() >= KEPT {
            done.pop_front();
        }
        done.push_back(study);
    }
}

/// One study at a time: the turn ends with its thread, however that ends.
struct Turn(Shared);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.studies.busy.store(false, Ordering::Release);
    }
}

/// Suggestions for the period: those made today, else untried ones, with a thread at work that tries them.
fn suggestions(web: &Shared, figures: &Figures, view: &View) -> Vec<Suggestion> {
    let today = figures.period.day(web.deps.clock.utc_ms());
    let of = (figures.period.from, today);
    if let Some(made) = web.studies.of(of, figures) {
        return made;
    }
    let rules: Vec<Rule> = web.deps.rulebook.iter().map(|(rule, _)| rule.clone()).collect();
    let overrides: Vec<Override> = view.overrides.iter().map(|o| o.set.clone()).collect();
    let untried = untried(figures, &rules, &overrides, today);
    if untried.iter().all(|s| s.trial == Trial::None) || web.studies.busy.swap(true, Ordering::AcqRel) {
        return untried;
    }
    let (turn, figures) = (Turn(web.clone()), figures.clone());
    let work = move || {
        let _ = rustix::process::nice(NICE);
        let (deps, watch) = (&turn.0.deps, Stopwatch::start());
        let mut go = || watch.elapsed() < BUDGET && !deps.shutdown.is_cancelled();
        let log = Log::open(deps.handle.reader.path()).and_then(|log| Ok((log.configuration()?, log)));
        let mut attempt = |set| match &log {
            Ok((in_force, log)) => trial::attempt(log, in_force, set, Pace::Gentle, &mut go),
            Err(e) => Err(Why::Failed(e.to_string())),
        };
        let made = suggest(&figures, &rules, &overrides, today, &mut attempt);
        turn.0.studies.keep(Study { of, list: figures.actors.iter().map(|a| a.source.clone()).zip(made).collect() });
    };
    if let Err(e) = std::thread::Builder::new().name("alarm-study".to_owned()).spawn(work) {
        tracing::warn!("no thread for suggestions: {e}");
    }
    untried
}

/// That period and the one before it, and what to change.
async fn quality(web: &Shared, period: Period, earlier: Period) -> Result<Quality, QueryError> {
    let both = web.query(move |reader| read::of_reader(reader, &[period, earlier])).await?;
    let [figures, previous] = both.as_slice() else { return Err(QueryError::Busy) };
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let suggestions = suggestions(web, figures, &view);
    let names = Names::of_view(&web.config.site_name, &view, &web.deps.catalogue);
    Ok(present::quality(figures, Some(previous), &suggestions, &names))
}

#[derive(serde::Deserialize, Default)]
pub struct Days {
    days: Option<String>,
}

pub(super) async fn page(State(web): State<Shared>, visitor: Visitor, Query(asked): Query<Days>) -> Response {
    let ui = ui(&web, &visitor);
    let days = asked.days.and_then(|d| d.parse().ok()).filter(|d| CHOICES.contains(d)).unwrap_or(CHOICES[0]);
    let (now, offset) = (web.deps.clock.utc_ms(), web.config.utc_offset_minutes);
    let period = Period::last_days(u32::try_from(days).unwrap_or(7), now, offset);
    let earlier = Period { from: period.from.saturating_sub(period.ms()), to: period.from, ..period };
    match quality(&web, period, earlier).await {
        Ok(quality) => {
            let week = Week::of(now, offset).before().to_string();
            Html(render::quality(&ui, &QualityPage { quality, days, choices: CHOICES, week })).into_response()
        }
        Err(e) => sorry(&ui, &e),
    }
}

#[derive(serde::Deserialize, Default)]
pub struct Which {
    week: Option<String>,
}

/// One week, whole or as far as it has come; without a name, the last whole one.
pub(super) async fn report(State(web): State<Shared>, visitor: Visitor, Query(which): Query<Which>) -> Response {
    let ui = ui(&web, &visitor);
    let (now, offset) = (web.deps.clock.utc_ms(), web.config.utc_offset_minutes);
    let this = Week::of(now, offset);
    let week = match which.week.as_deref().map(str::parse::<Week>) {
        None => this.before(),
        Some(Ok(week)) if week <= this => week,
        Some(_) => return missing(&ui),
    };
    let mut period = week.period(offset);
    period.to = period.to.min(now.saturating_add(1));
    match quality(&web, period, week.before().period(offset)).await {
        Ok(quality) => {
            let (first, last) = week.dates();
            let v = ReportPage {
                quality,
                site: web.config.site_name.clone(),
                week: week.to_string(),
                first,
                last,
                before: week.before().to_string(),
                after: (week < this).then(|| week.after().to_string()),
            };
            Html(render::quality_report(&ui, &v)).into_response()
        }
        Err(e) => sorry(&ui, &e),
    }
}
