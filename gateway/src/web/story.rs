//! One incident from the store: its events, the readings around it, what became of its deliveries.
use super::forms::person_name;
use super::readings::{self, Collector};
use super::{search, views};
use crate::engine::Body;
use crate::engine::eyes::BLINDNESS;
use crate::engine::input::Item;
use crate::engine::rules::{self, Catalogue};
use crate::engine::view::View;
use crate::store::search::{Found, Search};
use crate::store::{Lane, LookRow, NoticeRow, Reader, StoreError, StoredEvent, Told};
use std::collections::BTreeMap;
use tuoan_dashboards::lang::Text;
use tuoan_dashboards::view::Incident;
use tuoan_dashboards::view::alarm::{Life, Receipts, Until};
use tuoan_dashboards::view::gateway::{Around, Blind, CameraLooks, Deed, Delivery, DeliveryState, Entry, IncidentPage, Rule, Series};
use tuoan_protocol::looks::Piece;
use tuoan_protocol::{DeviceId, Exercise, Fixed, IncidentEvent, Quantity, ZoneId};

/// Longest stretch of an incident itself that is shown, in milliseconds.
const LONGEST: i64 = 24 * 3_600_000;
/// Log entries read at once, and at most; with more, the chart ends where they do.
const CHUNK: usize = 4096;
const ENTRIES: usize = 400_000;
/// Similar incidents shown, here and elsewhere.
const SIMILAR: usize = 5;
/// A longer stretch is read by the minute, in milliseconds: its charts have two minutes and more in a column.
const LONG: i64 = 6 * 3_600_000;
/// Charts on one page.
const CHARTS: usize = 12;
/// Intervals without a sight or a sure clock that are shown.
const INTERVALS: usize = 64;

/// What the store gives for one incident, without words.
pub struct Story {
    pub events: Vec<StoredEvent>,
    pub series: BTreeMap<readings::Key, readings::Thinned>,
    pub from: i64,
    pub to: i64,
    /// There is more than may be read at once.
    pub cut: bool,
    /// Its older part is by the minute: the stretch is long, or the readings have gone.
    pub by_minute: bool,
    /// From when to when the clock was not known to be right.
    pub unsure: Vec<(i64, i64)>,
    /// The same hazard here, and elsewhere, newest first.
    pub similar: [Vec<Found>; 2],
    receipts: Vec<crate::store::Receipt>,
    set_aside: Vec<crate::store::SetAside>,
    backlog_to: BTreeMap<&'static str, u64>,
    pub notices: Vec<NoticeRow>,
    pub told: Vec<Told>,
}

/// Reads it; blocks on the disk. `utc_offset` is UTC minus engine time; `devices` are those of its zone. `None`: there is no such incident.
pub fn read(
    reader: &Reader,
    id: &str,
    now: i64,
    utc_offset: i64,
    devices: impl Fn(&ZoneId) -> Vec<DeviceId>,
    sinks: &[&'static str],
    around: Around,
) -> Result<Option<Story>, StoreError> {
    let Some(row) = reader.incident(id)? else { return Ok(None) };
    let events = reader.events_of(id)?;
    let from = row.opened_at.saturating_sub(around.before_ms());
    let end = if row.state.active { now } else { row.changed_at.saturating_add(around.after_ms()).min(now) };
    let to = end.clamp(row.opened_at, row.opened_at.saturating_add(LONGEST + around.after_ms()));
    let mut wanted = devices(&row.place.zone);
    wanted.extend(row.place.device.clone());
    wanted.extend(events.iter().filter_map(|e| e.event.as_ref().ok()?.trigger.as_ref()).map(|t| t.device.clone()));
    let trusted = events.first().and_then(|e| e.event.as_ref().ok()).is_none_or(|e| e.clock_trusted);
    let mut heard = Heard { readings: Collector::new(from, to), clock: vec![(from, trusted)], to, by_minute: false };
    let cut = if to.saturating_sub(from) > LONG || have_gone(reader, from.saturating_sub(utc_offset))? {
        collect_minutes(reader, &wanted, utc_offset, (from, to), &mut heard)?
    } else {
        let first = reader.position_before(from.saturating_sub(utc_offset))?;
        collect(reader, &wanted, utc_offset, (from, to), first, &mut heard)?
    };
    let to = heard.to;
    let like = |zone: Option<String>| Search {
        hazard: Some(row.hazard.as_str().to_owned()),
        zone,
        except: Some(id.to_owned()),
        ..Search::default()
    };
    let here = reader.search(&like(Some(row.place.zone.as_str().to_owned())), SIMILAR)?;
    let mut elsewhere = reader.search(&like(None), SIMILAR * 4)?;
    elsewhere.retain(|f| f.row.place.zone != row.place.zone);
    elsewhere.truncate(SIMILAR);
    let set_aside = reader.set_aside(500)?.into_iter().filter(|s| s.lane == Lane::Alerts).collect();
    let mut backlog_to = BTreeMap::new();
    for sink in sinks {
        backlog_to.insert(*sink, reader.cursor(sink, Lane::Alerts)?);
    }
    let (notices, told) = reader.notices_of(id)?;
    let by_minute = heard.by_minute;
    let series = heard.readings.finish(to);
    let (unsure, similar) = (unsure(&heard.clock, to), [here, elsewhere]);
    Ok(Some(Story {
        events,
        series,
        from,
        to,
        cut,
        by_minute,
        unsure,
        similar,
        receipts: reader.receipts_of(id)?,
        set_aside,
        backlog_to,
        notices,
        told,
    }))
}

/// What a stretch of the log says.
struct Heard {
    readings: Collector,
    /// Whether the clock was right, from when on.
    clock: Vec<(i64, bool)>,
    /// Up to when it was read.
    to: i64,
    /// Some of it by the minute.
    by_minute: bool,
}

/// Readings of engine time `from` are no longer kept.
fn have_gone(reader: &Reader, from: i64) -> Result<bool, StoreError> {
    Ok(reader.first_position()? > 1 && reader.begins_at()?.is_some_and(|begins| begins > from))
}

/// Reads by the minute what is in roll-ups, and the entries after them; true: it was too much.
fn collect_minutes(
    reader: &Reader,
    wanted: &[DeviceId],
    utc_offset: i64,
    (from, to): (i64, i64),
    heard: &mut Heard,
) -> Result<bool, StoreError> {
    let rolled = reader.rollups(wanted, from, to)?;
    heard.by_minute = !rolled.rollups.is_empty();
    for (key, minutes) in rolled.rollups.iter().filter(|(key, _)| key.channel == 0) {
        for (minute, m) in minutes {
            for (at, value) in readings::of_minute(&key.quantity, *minute, m) {
                heard.readings.add(&key.device, &key.quantity, at, value);
            }
        }
    }
    let first = reader.position_before(from.saturating_sub(utc_offset))?;
    let steps = reader.clock_steps(first.saturating_add(1), rolled.upto)?;
    let steps = steps.into_iter().map(|(at, trusted)| (at.saturating_add(utc_offset), trusted)).take_while(|(at, _)| *at <= to);
    heard.clock.extend(steps);
    if rolled.cut {
        return Ok(true);
    }
    collect(reader, wanted, utc_offset, (from, to), first.max(rolled.upto), heard)
}

/// Reads the entries after `first` piece by piece; true: it was too much.
fn collect(
    reader: &Reader,
    wanted: &[DeviceId],
    utc_offset: i64,
    (from, to): (i64, i64),
    first: u64,
    heard: &mut Heard,
) -> Result<bool, StoreError> {
    let mut entries = reader.entries_after(first, CHUNK)?;
    let mut read = 0;
    while let Some(last) = entries.last_position() {
        for entry in entries.iter() {
            let arrived = entry.at.saturating_add(utc_offset);
            if arrived > to {
                heard.to = to;
                return Ok(false);
            }
            heard.to = arrived.max(from);
            match &entry.body {
                Body::Clock { trusted, .. } if heard.clock.len() < INTERVALS * 2 => heard.clock.push((arrived, *trusted)),
                Body::Message(m) if wanted.contains(&m.device) => {
                    // A device's own clock may be wrong by years; then the time of arrival is the better one.
                    let at = m.sampled_at.filter(|s| s.abs_diff(arrived) < 600_000).unwrap_or(arrived);
                    for item in &m.items {
                        if let Item::Reading { quantity, channel: 0, value } = item {
                            heard.readings.add(&m.device, quantity, at, *value);
                        }
                    }
                }
                _ => {}
            }
        }
        read += entries.len();
        if read >= ENTRIES {
            return Ok(true);
        }
        entries = reader.entries_after(last, CHUNK)?;
    }
    heard.to = to;
    Ok(false)
}

/// What is on record of the looks around an incident, by camera, each in order. A record that does not read is left out: the evidence's check names it.
pub fn looks(rows: &[LookRow], view: &View) -> Vec<CameraLooks> {
    let mut cameras: BTreeMap<DeviceId, CameraLooks> = BTreeMap::new();
    for piece in rows.iter().filter_map(|r| Piece::from_canonical(&r.bytes).ok()) {
        let named = || CameraLooks { camera: views::device_name(&piece.camera, view), model: String::new(), looks: Vec::new() };
        let camera = cameras.entry(piece.camera.clone()).or_insert_with(named);
        camera.model.clone_from(&piece.model);
        camera.looks.extend(piece.looks);
    }
    cameras.into_values().collect()
}

/// From when to when it was not right.
fn unsure(clock: &[(i64, bool)], to: i64) -> Vec<(i64, i64)> {
    let ends = clock.iter().skip(1).map(|c| c.0).chain([to]);
    clock.iter().zip(ends).filter(|((_, trusted), _)| !trusted).map(|((at, _), end)| (*at, end.max(*at))).collect()
}

/// From when to when a state was on, by its changes.
fn spans(points: &[(i64, Fixed)], to: i64) -> Vec<(i64, i64)> {
    let mut out: Vec<(i64, i64)> = Vec::new();
    let mut since = None;
    for (at, value) in points {
        match (value.0 != 0, since) {
            (true, None) => since = Some(*at),
            (false, Some(from)) => {
                out.push((from, *at));
                since = None;
            }
            _ => {}
        }
    }
    out.extend(since.map(|from| (from, to)));
    out.truncate(INTERVALS);
    out
}

/// Who acknowledged an incident last, by its events.
pub fn taker(events: &[StoredEvent]) -> Option<String> {
    let taken = |e: &&IncidentEvent| e.transition == tuoan_protocol::Transition::Acknowledged;
    events.iter().rev().filter_map(|e| e.event.as_ref().ok()).find(taken).and_then(|e| e.actor.as_ref().map(|a| a.as_str().to_owned()))
}

/// The limit that a rule draws for its quantity, where it draws just one.
pub fn limit(rule: &rules::Rule) -> Option<(Quantity, Fixed)> {
    if !matches!(rule.kind, rules::Kind::Threshold | rules::Kind::Mean) {
        return None;
    }
    let b = &rule.bounds;
    let bounds: Vec<i64> = [b.above, b.at_least, b.below, b.at_most].into_iter().flatten().collect();
    match bounds.as_slice() {
        [one] => Some((rule.quantity.clone()?, Fixed(*one))),
        _ => None,
    }
}

/// An incident by its events, open or closed.
pub fn incident(stored: &[StoredEvent], view: &View, catalogue: &Catalogue) -> Option<Incident> {
    let events: Vec<&IncidentEvent> = stored.iter().filter_map(|e| e.event.as_ref().ok()).collect();
    let (first, last) = (*events.first()?, *events.last()?);
    let about = first.place.device.as_ref().or(first.trigger.as_ref().map(|t| &t.device));
    let entry = catalogue.get(&last.rule);
    let words = |w: &rules::Words| Text::new(w.zh.clone(), w.en.clone());
    let zone = view.zones.iter().find(|z| z.id == first.place.zone);
    let now = view.incidents.iter().find(|i| i.id == first.incident);
    Some(Incident {
        id: first.incident.as_str().to_owned(),
        sequence: last.sequence,
        hazard: last.hazard.as_str().to_owned(),
        title: entry.map(|e| words(&e.title)).unwrap_or_default(),
        advice: entry.map(|e| words(&e.advice)).unwrap_or_default(),
        place: zone.map_or_else(|| first.place.zone.as_str().to_owned(), |z| z.name.clone()),
        device: about.map(|d| views::device_name(d, view)),
        severity: last.severity,
        basis: last.basis,
        state: last.state,
        opened_at: first.at,
        changed_at: last.at,
        trigger: views::reading(first.trigger.as_ref()),
        activations: u64::from(last.activations),
        cancellable: now.is_some_and(|i| i.cancellable),
        acknowledged_by: taker(stored),
        affected: Vec::new(),
        life: life(&events, view, now.is_some_and(|i| i.chattering)),
    })
}

/// Where it is in its life, by its events.
fn life(events: &[&IncidentEvent], view: &View, chattering: bool) -> Life {
    use tuoan_protocol::Transition as T;
    let Some(last) = events.last() else { return Life::default() };
    let said = events.iter().rev().find(|e| matches!(e.transition, T::Resolved | T::Reopened));
    let aside = events.iter().rev().find(|e| matches!(e.transition, T::Shelved | T::Suppressed | T::OutOfService));
    let until = |e: &&&IncidentEvent| last.state.inhibited.is_some() && e.until.is_some();
    let text = |t: Option<&str>| t.unwrap_or_default().to_owned();
    Life {
        assignee: last.assignee.as_ref().map(|a| person_name(view, a)),
        resolved: said.and_then(|e| e.cause),
        chattering,
        drill: last.exercise == Some(Exercise::Drill),
        test: last.exercise == Some(Exercise::Commissioning),
        aside: aside.filter(until).map(|e| Until {
            until: e.until.unwrap_or_default(),
            by: text(e.actor.as_deref()),
            why: text(e.note.as_deref()),
        }),
    }
}

/// The page, in the words of the rules in force.
pub fn page(
    story: Story,
    view: &View,
    catalogue: &Catalogue,
    limit: Option<(Quantity, Fixed)>,
    config: &super::WebConfig,
    around: Around,
) -> Option<IncidentPage> {
    let events: Vec<&IncidentEvent> = story.events.iter().filter_map(|e| e.event.as_ref().ok()).collect();
    let (first, last) = (*events.first()?, *events.last()?);
    let entry = catalogue.get(&last.rule);
    let incident = incident(&story.events, view, catalogue)?;
    let decided = first.trigger.as_ref().and_then(|t| Some((t.device.clone(), t.reading.as_ref()?.0.clone())));
    let (from, to, now) = (story.from, story.to, view.now);
    let blind = story.series.iter().filter(|((_, q), _)| BLINDNESS.contains(q)).flat_map(|((device, q), s)| {
        let (camera, kind) = (views::device_name(device, view), q.clone());
        spans(&s.points, to).into_iter().map(move |(from, to)| Blind { camera: camera.clone(), kind: kind.clone(), from, to })
    });
    let blind: Vec<Blind> = blind.take(INTERVALS).collect();
    let mut ordered: Vec<_> = story.series.into_iter().filter(|((_, q), s)| !s.points.is_empty() && is_telling(q)).collect();
    // What decided comes first, then what a rule limits, then numbers before states.
    ordered.sort_by_key(|(key, _)| {
        (decided.as_ref() != Some(key), limit.as_ref().is_none_or(|l| l.0 != key.1), key.1.is_state(), key.1.clone(), key.0.clone())
    });
    let series = ordered
        .into_iter()
        .take(CHARTS)
        .map(|((device, quantity), s)| Series {
            device: views::device_name(&device, view),
            gaps: s.gaps,
            threshold: limit.as_ref().filter(|l| l.0 == quantity).map(|l| l.1),
            uncertainty_ms: band(&device, view),
            quantity,
            points: s.points,
        })
        .collect();
    let deliveries = deliveries(&events, &story.receipts, &story.set_aside, &story.backlog_to);
    Some(IncidentPage {
        entries: events.iter().map(|e| timeline(e, view)).collect(),
        site: config.site_name.clone(),
        from,
        to,
        around,
        cut: story.cut,
        by_minute: story.by_minute,
        blind,
        watch: Vec::new(),
        looks: Vec::new(),
        unsure: story.unsure,
        similar: story.similar.map(|list| list.iter().map(|f| search::line(f, view, catalogue, &search::late_after(now))).collect()),
        series,
        deliveries,
        rule: Rule {
            id: last.rule.as_str().to_owned(),
            clause: entry.map(rules::Entry::citation).unwrap_or_default(),
            source: Text::default(),
            verified: entry.is_some_and(|e| e.verified),
            pack: entry.map(|e| e.pack.clone()).unwrap_or_default(),
            hash: hex::encode(last.rules),
            engine: last.engine.as_str().to_owned(),
        },
        found_on_connect: first.found_on_connect,
        clock_trusted: first.clock_trusted,
        institution: views::institution(config.institution),
        supervisor: views::supervisor(config.supervisor),
        stills: 0,
        stills_open: false,
        originals: 0,
        receipts: Receipts::default(),
        export: None,
        primary: None,
        quiet: None,
        forms: Vec::new(),
        notice: None,
        incident,
    })
}

fn timeline(e: &IncidentEvent, view: &View) -> Entry {
    Entry {
        at: e.at,
        transition: e.transition,
        state: e.state,
        severity: e.severity,
        basis: e.basis,
        actor: e.actor.as_ref().map(|a| a.as_str().to_owned()),
        note: e.note.as_ref().map(|n| n.as_str().to_owned()),
        trigger: views::reading(e.trigger.as_ref()),
        clock_trusted: e.clock_trusted,
        sequence: e.sequence,
        act: Deed {
            via: e.via,
            cause: e.cause,
            until: e.until,
            assignee: e.assignee.as_ref().map(|a| person_name(view, a)),
            other: e.other.as_ref().map(|o| o.as_str().to_owned()),
            rung: e.rung,
            activations: u64::from(e.activations),
        },
    }
}

fn is_telling(q: &Quantity) -> bool {
    let upkeep = BLINDNESS.contains(q) || matches!(q, Quantity::OccupancyLikelihood | Quantity::ClimateRarity);
    !upkeep
        && !matches!(q, Quantity::Battery | Quantity::BatteryVoltage | Quantity::LinkQuality | Quantity::SignalStrength | Quantity::Energy)
}

/// Within how many milliseconds of the shown time a device's readings were taken.
fn band(device: &DeviceId, view: &View) -> Option<i64> {
    let mut all = view.zones.iter().flat_map(|z| &z.devices).chain(&view.unplaced);
    all.find(|d| d.id == *device).and_then(|d| d.clock).map(|c| c.band_ms)
}

fn deliveries(
    events: &[&IncidentEvent],
    receipts: &[crate::store::Receipt],
    set_aside: &[crate::store::SetAside],
    done_to: &BTreeMap<&'static str, u64>,
) -> Vec<Delivery> {
    let mut out = Vec::new();
    for e in events {
        for (sink, done) in done_to {
            let receipt = receipts.iter().find(|r| r.sequence == e.sequence && r.sink == *sink);
            let aside = set_aside.iter().find(|s| s.at == e.sequence && s.sink == *sink);
            let state = match (receipt, aside) {
                (_, Some(a)) => DeliveryState::SetAside { reason: a.reason.clone() },
                (Some(r), None) => DeliveryState::Accepted { at: r.at, receipt: r.receipt.clone() },
                // Past the cursor without a receipt: taken by a sink that gives none.
                (None, None) if e.sequence <= *done => continue,
                (None, None) => DeliveryState::Waiting,
            };
            out.push(Delivery { sink: (*sink).to_owned(), sequence: e.sequence, state });
        }
    }
    out
}

#[cfg(test)]
mod tests;
