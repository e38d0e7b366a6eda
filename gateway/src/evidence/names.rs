//! What ids mean, so that evidence can be read without the gateway: zones, devices, people, and the rule's own text.
use crate::engine::Configuration;
use crate::engine::rules::Catalogue;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tuoan_dashboards::Lang;
use tuoan_protocol::{DeviceId, IncidentEvent, Quantity, RuleId, ZoneId};

/// Devices whose readings belong to an incident: those of its zone, and those that its events name.
pub fn devices(configuration: &Configuration, zone: &ZoneId, events: &[&IncidentEvent]) -> BTreeSet<DeviceId> {
    let site = &configuration.site;
    let of_zone = site.devices.iter().filter(|d| d.zone == *zone).map(|d| d.id.clone());
    let eyes = site.eyes().filter(|(_, z)| z.id == *zone).map(|(id, _)| id);
    let estimate = DeviceId::new(&format!("estimate.{zone}")).ok();
    let named = events.iter().flat_map(|e| e.place.device.iter().chain(e.trigger.as_ref().map(|t| &t.device))).cloned();
    of_zone.chain(eyes).chain(estimate).chain(named).collect()
}

/// The incident in names.
pub fn incident(configuration: &Configuration, first: &IncidentEvent, last: &IncidentEvent, devices: &BTreeSet<DeviceId>) -> Value {
    let site = &configuration.site;
    let zone = site.zones.iter().find(|z| z.id == first.place.zone).map(|z| z.name.as_str());
    let placed = |id: &DeviceId| site.devices.iter().find(|d| d.id == *id).and_then(|d| d.name.clone());
    let devices: Map<String, Value> = devices.iter().filter_map(|id| Some((id.as_str().to_owned(), Value::String(placed(id)?)))).collect();
    let people: Map<String, Value> = site.people.iter().map(|p| (p.id.clone(), Value::String(p.name.clone()))).collect();
    let title = Catalogue::new(&configuration.rules).get(&last.rule).map(|e| json!({"zh": e.title.zh, "en": e.title.en}));
    json!({
        "site": {"id": site.id, "name": site.name, "district": site.district, "street": site.street, "institution": site.institution,
            "supervisor": site.supervisor},
        "utc_offset_minutes": site.utc_offset_minutes,
        "hazard": first.hazard, "title": title, "zone": {"id": first.place.zone, "name": zone}, "device": first.place.device,
        "opened_at": first.at, "changed_at": last.at, "severity": u8::from(last.severity), "closed": last.state.closed,
        "devices": devices, "people": people,
    })
}

/// What quantities are called, in both languages.
pub fn quantities<'a>(list: impl Iterator<Item = &'a Quantity>) -> Value {
    let word = |lang: Lang, q: &Quantity| lang.message(&format!("quantity-{}", q.name()), None);
    let names: Map<String, Value> =
        list.map(|q| (q.name().to_owned(), json!({"zh": word(Lang::Zh, q), "en": word(Lang::En, q)}))).collect();
    Value::Object(names)
}

/// A rule as it stands in its pack, with the words for people; `None`: the configuration does not have it.
pub fn rule(configuration: &Configuration, rule: &RuleId) -> Option<Value> {
    let table = configuration.rules.iter().find_map(|pack| {
        let pack: toml::Value = toml::from_str(pack).ok()?;
        let rules = pack.get("rule")?.as_array()?;
        rules.iter().find(|r| r.get("id").and_then(toml::Value::as_str) == Some(rule.as_str())).cloned()
    });
    let catalogue = Catalogue::new(&configuration.rules);
    let entry = catalogue.get(rule)?;
    let overrides: Vec<_> = configuration.site.overrides.iter().filter_map(|o| serde_json::to_value(o).ok()).collect();
    let overrides: Vec<_> = overrides.into_iter().filter(|o| o.get("rule").and_then(Value::as_str) == Some(rule.as_str())).collect();
    Some(json!({
        "id": rule, "pack": entry.pack, "title": {"zh": entry.title.zh, "en": entry.title.en},
        "advice": {"zh": entry.advice.zh, "en": entry.advice.en}, "source": entry.source, "clause": entry.clause,
        "verified": entry.verified, "rule": table, "overrides": overrides, "configuration": hex::encode(configuration.hash),
    }))
}
