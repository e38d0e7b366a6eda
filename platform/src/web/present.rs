//! From the platform's rows to what its pages show.
use crate::coverage::CoverageView;
use crate::incidents::{Incident, StoredEvent};
use crate::sites::{Contact, SiteView};
use serde::Deserialize;
use serde_json::Value;
use tuoan_dashboards::lang::Text;
use tuoan_dashboards::view;
use tuoan_dashboards::view::alarm::Life;
use tuoan_dashboards::view::gateway::{Deed, Entry, Rule};
use tuoan_dashboards::view::platform::{IncidentPage, Live, PlatformEntry, Site, SiteCoverage, SiteIncident};
use tuoan_protocol::ledger::Figure;
use tuoan_protocol::{Basis, Fixed, IncidentState, InstitutionType, Quantity, Severity, Transition};

/// Duties that the pages have a word for.
const DUTIES: [&str; 11] =
    ["health", "fire", "housing", "gas_company", "police", "civil_affairs", "women", "market", "education", "ecology", "township"];

pub fn live(version: u64, incidents: &[Incident], sites: &[SiteView]) -> Live {
    let mut live = Live {
        version,
        incidents: incidents.iter().map(site_incident).collect(),
        sites: sites.iter().map(|s| site(s, incidents)).collect(),
        notice: None,
    };
    live.sort();
    live
}

fn site(s: &SiteView, incidents: &[Incident]) -> Site {
    let said = |name: &str| s.heartbeat.get(name).and_then(Value::as_bool).unwrap_or(true);
    let queued = |lane: &str| s.heartbeat.pointer(&format!("/queue/{lane}")).and_then(Value::as_u64).unwrap_or(0);
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    Site {
        id: s.id.clone(),
        name: s.name.clone(),
        district: String::new(),
        street: String::new(),
        last_heard: s.last_seen_at,
        silent: s.contact == Contact::Silent,
        gaps: s.logs.iter().flat_map(|l| &l.gaps).map(|(from, to)| (unsigned(*from), unsigned(*to))).collect(),
        healthy: said("healthy"),
        clock_trusted: said("clock_trusted"),
        queue: queued("alerts").saturating_add(queued("metrics")),
        open: unsigned(s.open_incidents),
        coverage: s.coverage.as_ref().map(coverage),
        worst: incidents.iter().filter(|i| i.site == s.id && !i.closed).map(severity).min(),
    }
}

fn coverage(c: &CoverageView) -> SiteCoverage {
    let minutes = |n: i64| u32::try_from(n).unwrap_or(0);
    let figure = Figure { watched: minutes(c.watched), degraded: minutes(c.degraded), blind: minutes(c.blind) };
    let gap =
        c.gap_zone.clone().zip(c.gap_minutes).map(|(zone, n)| (zone, n.saturating_mul(60_000), c.gap_cause.clone().unwrap_or_default()));
    SiteCoverage { date: c.date, per_mille: figure.per_mille(), gap }
}

fn severity(i: &Incident) -> Severity {
    u8::try_from(i.severity).ok().and_then(|n| Severity::try_from(n).ok()).unwrap_or(Severity::Serious)
}

fn site_incident(i: &Incident) -> SiteIncident {
    let event = i.latest.get("event").unwrap_or(&Value::Null);
    SiteIncident {
        incident: view::Incident {
            id: i.id.clone(),
            sequence: event.get("sequence").and_then(Value::as_u64).unwrap_or(0),
            hazard: i.hazard.clone(),
            title: text(&i.title),
            advice: text(&i.advice),
            place: i.place_name.clone().or_else(|| i.place.get("zone").and_then(Value::as_str).map(str::to_owned)).unwrap_or_default(),
            device: i.place.get("device").or_else(|| event.pointer("/trigger/device")).and_then(Value::as_str).map(str::to_owned),
            severity: severity(i),
            basis: if i.basis == "confirmed" { Basis::Confirmed } else { Basis::Inferred },
            state: IncidentState {
                active: i.active,
                acknowledged: i.acknowledged || i.district_acknowledged.is_some(),
                closed: i.closed,
                inhibited: None,
            },
            opened_at: i.opened_at,
            changed_at: i.updated_at,
            trigger: trigger(event),
            activations: event.get("activations").and_then(Value::as_u64).unwrap_or(1),
            cancellable: false,
            acknowledged_by: i.district_acknowledged.as_ref().map(|a| a.by.clone()),
            affected: Vec::new(),
            life: Life { drill: event.get("exercise").and_then(Value::as_str) == Some("drill"), ..Life::default() },
        },
        site: i.site.clone(),
        site_name: i.site_name.clone(),
        district: String::new(),
        street: String::new(),
        institution: event.get("institution").map_or("", institution),
        duty: DUTIES.iter().filter(|d| i.duty.as_array().is_some_and(|a| a.iter().any(|v| v == *d))).map(|d| (*d).to_owned()).collect(),
        claimed_by: i.claimed.as_ref().map(|c| c.by.clone()),
        claimed_at: i.claimed.as_ref().map(|c| c.at),
        unrecorded: i.unrecorded,
    }
}

fn text(value: &Value) -> Text {
    let part = |lang: &str| value.get(lang).and_then(Value::as_str).unwrap_or_default();
    Text::new(part("zh"), part("en"))
}

/// The reading that decided: its value is a number in the quantity's unit.
fn trigger(event: &Value) -> Option<(Quantity, Fixed)> {
    let trigger = event.get("trigger")?;
    let quantity = Quantity::from_name(trigger.get("quantity")?.as_str()?).ok()?;
    let value = quantity.fixed(trigger.get("value")?.as_f64()?).ok()?;
    Some((quantity, value))
}

fn institution(value: &Value) -> &'static str {
    match InstitutionType::deserialize(value) {
        Ok(InstitutionType::Public) => "public",
        Ok(InstitutionType::Employer) => "employer",
        Ok(InstitutionType::Community) => "community",
        Ok(InstitutionType::Private) => "private",
        Ok(InstitutionType::Kindergarten) => "kindergarten",
        Ok(InstitutionType::Station) => "station",
        Err(_) => "",
    }
}

pub fn incident_page(i: &Incident, events: &[StoredEvent]) -> IncidentPage {
    let mut entries: Vec<PlatformEntry> = events.iter().filter_map(entry).collect();
    if i.origin == "platform" {
        entries.extend(own_entries(i));
    }
    for (action, done) in [("claimed", &i.claimed), ("acknowledged", &i.district_acknowledged)] {
        if let Some(done) = done {
            entries.push(PlatformEntry::District { at: done.at, action, actor: done.by.clone(), note: None });
        }
    }
    entries.sort_by_key(PlatformEntry::at);
    let said = |name: &str| i.latest.pointer(&format!("/event/{name}")).and_then(Value::as_str).unwrap_or_default().to_owned();
    let rule = Rule {
        id: said("rule"),
        clause: i.clause.clone().unwrap_or_default(),
        hash: said("rules"),
        engine: said("engine"),
        ..Rule::default()
    };
    IncidentPage { incident: site_incident(i), entries, rule, notice: None }
}

fn entry(stored: &StoredEvent) -> Option<PlatformEntry> {
    #[derive(Deserialize)]
    struct Event {
        transition: Transition,
        state: IncidentState,
        severity: Severity,
        basis: Basis,
        actor: Option<String>,
        note: Option<String>,
        #[serde(default)]
        clock_trusted: bool,
        sequence: u64,
    }
    let value = stored.data.as_ref()?.get("event")?;
    let event = Event::deserialize(value).ok()?;
    let entry = Entry {
        at: stored.at,
        transition: event.transition,
        state: event.state,
        severity: event.severity,
        basis: event.basis,
        actor: event.actor,
        note: event.note,
        trigger: trigger(value),
        clock_trusted: event.clock_trusted,
        sequence: event.sequence,
        act: Deed::default(),
    };
    Some(PlatformEntry::Site { entry, received_at: stored.received_at, receipt: stored.receipt.clone() })
}

/// What the platform noticed itself has no events of a site: it opened, and perhaps closed.
fn own_entries(i: &Incident) -> Vec<PlatformEntry> {
    let at = |at: i64, transition: Transition, sequence: u64| PlatformEntry::Site {
        entry: Entry {
            at,
            transition,
            state: IncidentState {
                active: transition == Transition::Opened,
                acknowledged: false,
                closed: transition == Transition::Closed,
                inhibited: None,
            },
            severity: severity(i),
            basis: Basis::Confirmed,
            actor: None,
            note: None,
            trigger: None,
            clock_trusted: true,
            sequence,
            act: Deed::default(),
        },
        received_at: at,
        receipt: i.id.clone(),
    };
    let mut out = vec![at(i.received_at, Transition::Opened, 1)];
    if i.closed {
        out.push(at(i.updated_at, Transition::Closed, 2));
    }
    out
}
