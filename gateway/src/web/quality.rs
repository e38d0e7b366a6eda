//! The pages of alarm quality: the last days, and the weekly report.
//!
//! Figures come out of the store with each request; what to change is worked out once for each period, by a thread in the background that has the
//! least claim to the machine, and kept until the day is over.
use super::pages::{missing, sorry, ui};
use super::{QueryError, Shared};
use crate::alarms::figures::Source;
use crate::alarms::names::Names;
use crate::alarms::suggest::{Suggestion, Trial, suggest, untried};
use crate::alarms::{Figures, Period, Week, present, read, trial};
use crate::clock::Stopwatch;
use crate::engine::view::View;
use crate::replay::Source as Log;
use crate::replay::backtest::Pace;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::page as render;
use tuoan_dashboards::view::quality::{QualityPage, ReportPage};

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
type Answer = Result<Vec<Suggestion>, String>;

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
    sources: Vec<Source>,
    answer: Answer,
}

impl Studies {
    /// Those of the actors of `figures`, if they have been made.
    fn of(&self, of: Of, figures: &Figures) -> Option<Answer> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let study = done.iter().find(|s| s.of == of)?;
        let Ok(list) = &study.answer else { return Some(study.answer.clone()) };
        // Other actors may have come to the front since.
        let found = |source| study.sources.iter().position(|s| s == source).and_then(|n| list.get(n)).cloned();
        figures.actors.iter().map(|a| found(&a.source)).collect::<Option<Vec<_>>>().map(Ok)
    }
    fn keep(&self, of: Of, figures: &Figures, answer: Answer) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.retain(|s| s.of != of);
        while done.len() >= KEPT {
            done.pop_front();
        }
        done.push_back(Study { of, sources: figures.actors.iter().map(|a| a.source.clone()).collect(), answer });
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
async fn suggestions(web: &Shared, figures: &Figures) -> Result<Answer, QueryError> {
    let today = figures.period.day(web.deps.clock.utc_ms());
    let of = (figures.period.from, today);
    if figures.actors.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    if let Some(answer) = web.studies.of(of, figures) {
        return Ok(answer);
    }
    let begun = !web.studies.busy.swap(true, Ordering::AcqRel);
    if begun {
        let (turn, figures) = (Turn(web.clone()), figures.clone());
        let work = move || {
            let _ = rustix::process::nice(NICE);
            let web = &turn.0;
            let answer = study(web.deps.handle.reader.path(), &figures, today, &web.deps.shutdown);
            web.studies.keep(of, &figures, answer);
        };
        if let Err(e) = std::thread::Builder::new().name("alarm-study".to_owned()).spawn(work) {
            tracing::warn!("no thread for suggestions: {e}");
        }
    }
    let figures = figures.clone();
    web.query(move |reader| {
        let in_force = Log::open(reader.path()).and_then(|s| s.configuration());
        Ok(in_force.map_err(|e| e.to_string()).and_then(|c| untried(&figures, &c, today, &Trial::Pending)))
    })
    .await
}

fn study(path: &Path, figures: &Figures, today: i64, shutdown: &CancellationToken) -> Answer {
    let watch = Stopwatch::start();
    let source = Log::open(path).map_err(|e| e.to_string())?;
    let in_force = source.configuration().map_err(|e| e.to_string())?;
    let mut go = || watch.elapsed() < BUDGET && !shutdown.is_cancelled();
    suggest(figures, &in_force, today, &mut |set| trial::attempt(&source, &in_force, set, Pace::Gentle, &mut go))
}

/// That period and the one before it, and what to change.
async fn quality(
    web: &Shared,
    period: Period,
    earlier: Period,
) -> Result<tuoan_dashboards::view::quality::Quality, QueryError> {
    let both = web.query(move |reader| read::of_reader(reader, &[period, earlier])).await?;
    let [figures, previous] = both.as_slice() else { return Err(QueryError::Busy) };
    let answer = suggestions(web, figures).await?;
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let names = Names::of_view(&web.config.site_name, &view, &web.deps.catalogue);
    Ok(present::quality(figures, Some(previous), &answer, &names))
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
    period.to = period.to.min(now);
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
