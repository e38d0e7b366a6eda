//! What the first page asks, and the site that follows from it.
use crate::engine::site::{AgeGroup, Calendar, Care, Class, Hours, Site, Zone, ZoneKind};
use std::collections::BTreeMap;
use tuoan_dashboards::door::tidy;
use tuoan_dashboards::view::setup::{CLASS_ROWS, ClassRow, First, ROOMS};
use tuoan_protocol::{InstitutionType, SiteId, SupervisingBody, ZoneId};

/// Longest text of a field, in bytes.
const TEXT: usize = 96;
const ROOMS_OF_A_KIND: usize = 9;

/// A word as the site file has it.
fn word<T: serde::de::DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

/// The form as it was sent; unknown fields are dropped, all are bounded.
pub fn typed(fields: &BTreeMap<String, String>) -> First {
    let get = |name: &str| tidy(fields.get(name).map_or("", String::as_str), TEXT);
    let class = |n: usize| ClassRow {
        name: get(&format!("c{n}_name")),
        age: get(&format!("c{n}_age")),
        places: get(&format!("c{n}_places")),
        care: get(&format!("c{n}_care")),
        hours: get(&format!("c{n}_hours")),
        nap: get(&format!("c{n}_nap")),
        nap_room: !get(&format!("c{n}_nap_room")).is_empty(),
    };
    First {
        name: get("name"),
        id: get("id"),
        district: get("district"),
        street: get("street"),
        institution: get("institution"),
        supervisor: get("supervisor"),
        staff_hours: get("staff_hours"),
        classes: (0..CLASS_ROWS).map(class).collect(),
        rooms: ROOMS.iter().map(|(kind, _)| ((*kind).to_owned(), get(&format!("r_{kind}")))).collect(),
        errors: BTreeMap::new(),
        general: Vec::new(),
    }
}

/// The form before anything was typed. `id` is a site id drawn for this box.
pub fn blank(id: String) -> First {
    let class = |n: usize| match n {
        0 => ClassRow {
            age: "toddler".into(),
            places: "15".into(),
            care: "full_day".into(),
            hours: "07:30-18:00".into(),
            nap: "12:00-14:30".into(),
            ..ClassRow::default()
        },
        _ => ClassRow { care: "full_day".into(), hours: "07:30-18:00".into(), nap: "12:00-14:30".into(), ..ClassRow::default() },
    };
    First {
        id,
        institution: "private".into(),
        supervisor: "health".into(),
        staff_hours: "06:30-19:00".into(),
        classes: (0..CLASS_ROWS).map(class).collect(),
        rooms: ROOMS.iter().map(|(kind, n)| ((*kind).to_owned(), n.to_string())).collect(),
        ..First::default()
    }
}

/// The site, or the form with what is wrong beside each field. The values of `errors` are keys of messages.
pub fn site(mut form: First, zone_name: impl Fn(&str) -> String, nap_name: impl Fn(&str) -> String) -> Result<Site, Box<First>> {
    let mut errors: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = |field: &str, key: &str| {
        errors.entry(field.to_owned()).or_insert_with(|| key.to_owned());
    };
    for (field, text) in [("name", &form.name), ("district", &form.district), ("street", &form.street)] {
        if text.is_empty() {
            wrong(field, "error-first-empty");
        }
    }
    let id = SiteId::new(&form.id).ok();
    if id.is_none() {
        wrong("id", "error-first-id");
    }
    let institution: Option<InstitutionType> = word(&form.institution);
    if institution.is_none() {
        wrong("institution", "error-first-choose");
    }
    let supervisor: Option<SupervisingBody> = word(&form.supervisor);
    if supervisor.is_none() {
        wrong("supervisor", "error-first-choose");
    }
    let staff_hours = hours(&form.staff_hours);
    if staff_hours.is_none() {
        wrong("staff_hours", "error-first-hours");
    }
    let (mut classes, mut zones): (Vec<Class>, Vec<Zone>) = (Vec::new(), Vec::new());
    for (n, row) in form.classes.iter().enumerate().filter(|(_, r)| !r.name.is_empty()) {
        let field = |name: &str| format!("c{n}_{name}");
        let age_group: Option<AgeGroup> = word(&row.age);
        if age_group.is_none() {
            wrong(&field("age"), "error-first-choose");
        }
        let care: Option<Care> = word(&row.care);
        if care.is_none() {
            wrong(&field("care"), "error-first-choose");
        }
        let places: Option<u16> = row.places.parse().ok();
        match (places, age_group) {
            (None | Some(0), _) if !row.places.is_empty() => wrong(&field("places"), "error-first-number"),
            (Some(p), Some(age)) if p > age.most_places() => wrong(&field("places"), "error-first-places"),
            _ => {}
        }
        let care_hours = hours(&row.hours);
        match (care_hours, staff_hours) {
            (None, _) => wrong(&field("hours"), "error-first-hours"),
            (Some(h), Some(s)) if h.from < s.from || h.to > s.to => wrong(&field("hours"), "error-first-outside"),
            _ => {}
        }
        let nap = if row.nap.is_empty() { None } else { hours(&row.nap) };
        match (nap, care_hours) {
            (None, _) if !row.nap.is_empty() => wrong(&field("nap"), "error-first-hours"),
            (Some(h), Some(c)) if h.from < c.from || h.to > c.to => wrong(&field("nap"), "error-first-nap"),
            _ => {}
        }
        if form.classes.iter().take(n).any(|o| o.name == row.name) {
            wrong(&field("name"), "error-first-twice");
        }
        let class_id = format!("class-{}", classes.len() + 1);
        if let (Some(age_group), Some(care), Some(care_hours)) = (age_group, care, care_hours) {
            let room = |suffix: &str, name: String, kind| {
                let id = ZoneId::new(&format!("{suffix}-{}", n + 1)).ok()?;
                Some(Zone { id, name, kind, floor: 1, classes: vec![class_id.clone()] })
            };
            zones.extend(room("room", row.name.clone(), ZoneKind::Activity));
            if row.nap_room {
                zones.extend(room("nap", nap_name(&row.name), ZoneKind::Nap));
            }
            classes.push(Class {
                id: class_id,
                name: row.name.clone(),
                care,
                age_group,
                children_per_carer: None,
                places,
                care_hours: vec![care_hours],
                nap,
                drop_off: None,
                collection: None,
            });
        }
    }
    if form.classes.iter().all(|c| c.name.is_empty()) {
        wrong("c0_name", "error-first-class");
    }
    for (kind, count) in &form.rooms {
        let n: usize = match count.as_str() {
            "" => 0,
            text => text.parse().unwrap_or(usize::MAX),
        };
        if n > ROOMS_OF_A_KIND {
            wrong(&format!("r_{kind}"), "error-first-number");
            continue;
        }
        let Some(zone_kind) = word::<ZoneKind>(kind) else { continue };
        for i in 1..=n {
            let name = if n == 1 { zone_name(kind) } else { format!("{} {i}", zone_name(kind)) };
            let id = ZoneId::new(&format!("{}-{i}", kind.replace('_', "-"))).ok();
            zones.extend(id.map(|id| Zone { id, name, kind: zone_kind, floor: 1, classes: vec![] }));
        }
    }
    if !zones.iter().any(|z| z.kind == ZoneKind::Exit) {
        wrong("r_exit", "error-first-exit");
    }
    let made = match (errors.is_empty(), id, institution, supervisor, staff_hours) {
        (true, Some(id), Some(institution), Some(supervisor), Some(staff_hours)) => Site {
            id,
            name: form.name.clone(),
            district: form.district.clone(),
            street: form.street.clone(),
            institution,
            supervisor,
            utc_offset_minutes: 480,
            staff_hours,
            classes,
            zones,
            devices: Vec::new(),
            cameras: Vec::new(),
            calendar: Calendar::default(),
            people: Vec::new(),
            overrides: Vec::new(),
            plans: Vec::new(),
        },
        _ => {
            form.errors = errors;
            return Err(Box::new(form));
        }
    };
    // What the fields' own checks have not found is said all the same, and the site is not made.
    form.general = super::files::problems(&made);
    if form.general.is_empty() { Ok(made) } else { Err(Box::new(form)) }
}

fn hours(text: &str) -> Option<Hours> {
    // As people type them: full-width signs, an en dash, spaces.
    let plain = text.replace(['：', '∶'], ":").replace(['–', '—', '－', '~', '～'], "-").replace(' ', "");
    Hours::try_from(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> First {
        let mut form = blank("site-1a2b3c".into());
        (form.name, form.district, form.street) = ("星原托育".into(), "下城区".into(), "石桥街道".into());
        form.classes[0].name = "托小班".into();
        form
    }
    fn made(form: First) -> Result<Site, Box<First>> {
        site(form, |kind| kind.to_owned(), |name| format!("{name} nap"))
    }

    #[test]
    fn the_defaults_make_a_sound_site() {
        let site = made(filled()).unwrap();
        assert_eq!(site.problems(), Vec::<String>::new());
        assert_eq!((site.classes.len(), site.classes[0].places), (1, Some(15)));
        assert!(site.zones.iter().any(|z| z.kind == ZoneKind::Exit) && site.zones.iter().any(|z| z.kind == ZoneKind::Kitchen));
        assert_eq!(site.zones[0].classes, ["class-1"]);
    }

    #[test]
    fn every_problem_stands_beside_its_field_and_nothing_typed_is_lost() {
        let mut form = filled();
        (form.name, form.id, form.staff_hours) = (String::new(), "bad id/".into(), "six to seven".into());
        form.classes[0].places = "16".into();
        form.classes[0].nap = "06:00-07:00".into();
        form.classes[1] = ClassRow { name: "托小班".into(), age: "giant".into(), hours: "25:00-26:00".into(), ..ClassRow::default() };
        form.rooms.iter_mut().filter(|r| r.0 == "exit").for_each(|r| r.1 = "0".into());
        let back = made(form.clone()).unwrap_err();
        let fields: Vec<&str> = back.errors.keys().map(String::as_str).collect();
        let expected = ["c0_nap", "c0_places", "c1_age", "c1_care", "c1_hours", "c1_name", "id", "name", "r_exit", "staff_hours"];
        assert_eq!(fields, expected);
        assert_eq!((back.classes.clone(), back.rooms.clone()), (form.classes, form.rooms));
    }

    #[test]
    fn hours_are_read_as_people_write_them() {
        for text in ["07:30-18:00", "07：30－18：00", " 07:30 – 18:00 ", "7:30~18:00"] {
            assert_eq!(hours(text).map(String::from).as_deref(), Some("07:30-18:00"), "{text}");
        }
        assert_eq!(hours("18:00-07:30"), None);
    }
}
