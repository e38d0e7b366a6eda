//! The events of periods out of a store or an exported log, folded as they are read.
use super::figures::{Figures, Fold};
use super::period::Period;
use super::times::Targets;
use crate::replay::{ReplayError, Source};
use crate::store::{History, Reader, StoreError};

/// Events read at once.
const PAGE: usize = 1024;

struct Folds(Vec<Fold>);

impl Folds {
    fn new(periods: &[Period]) -> Folds {
        Folds(periods.iter().map(|p| Fold::new(*p, Targets::default())).collect())
    }
    fn event<E: std::fmt::Display>(&mut self, event: &Result<tuoan_protocol::IncidentEvent, E>) {
        match event {
            Ok(e) => self.0.iter_mut().for_each(|f| f.event(e)),
            Err(e) => tracing::warn!("a stored incident event cannot be read: {e}"),
        }
    }
    fn finish(self, recorded_from: i64) -> Vec<Figures> {
        self.0.into_iter().map(|f| f.finish(recorded_from)).collect()
    }
}

/// Figures of each period, from a log of any kind, read whole.
///
/// # Errors
/// It cannot be read.
pub fn of_source(source: &Source, periods: &[Period]) -> Result<Vec<Figures>, ReplayError> {
    let mut folds = Folds::new(periods);
    let mut events = source.events(0)?;
    while let Some(stored) = events.take()? {
        folds.event(&stored.event());
    }
    Ok(folds.finish(begins(source.cut.span, source.cut.utc_offset)))
}

/// Figures of each period, beside a running gateway: only incidents that touch a period are read. Blocks on the disk.
///
/// # Errors
/// The store cannot be read.
pub fn of_reader(reader: &Reader, periods: &[Period]) -> Result<Vec<Figures>, StoreError> {
    let cut = History::open(reader.path())?.cut()?;
    let since = periods.iter().map(|p| p.from).min().unwrap_or(i64::MAX);
    let (mut folds, mut after) = (Folds::new(periods), 0);
    loop {
        let page = reader.events_touching(since, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        page.iter().for_each(|stored| folds.event(&stored.event));
    }
    Ok(folds.finish(begins(cut.span, cut.utc_offset)))
}

/// UTC milliseconds of the first input; of an empty log never.
fn begins(span: Option<(i64, i64)>, utc_offset: i64) -> i64 {
    span.map_or(i64::MAX, |(first, _)| first.saturating_add(utc_offset))
}
