//! A small nursery for the engine's tests.
use super::input::{Action, Body, Command, Configuration, Input, Item, Message};
use super::site::{AgeGroup, Calendar, Care, Class, Hours, Placement, Role, Site, Zone, ZoneKind};
use super::{Outcome, State, rules, step};
use tuoan_protocol::{EventKind, IncidentEvent, InstitutionType, Quantity, SupervisingBody, Transition};
use tuoan_vision::setup::{Camera, Floor};

fn hours(text: &str) -> Hours {
    Hours::try_from(text.to_owned()).unwrap()
}

pub fn class() -> Class {
    Class {
        id: "toddlers".into(),
        name: "托小班".into(),
        care: Care::FullDay,
        age_group: AgeGroup::Toddler,
        children_per_carer: None,
        places: None,
        care_hours: vec![hours("08:00-18:00")],
        nap: Some(hours("12:00-14:30")),
        drop_off: Some(hours("07:30-08:30")),
        collection: Some(hours("16:30-18:00")),
    }
}

/// Zones: room (activity), nap, exit, kitchen, upstairs (activity, floor 2). Devices are named after what they are.
pub fn site() -> Site {
    let zone = |id: &str, kind, floor| Zone { id: id.parse().unwrap(), name: id.into(), kind, floor, classes: vec![] };
    let device = |id: &str, zone: &str, role, period_s| Placement {
        id: id.parse().unwrap(),
        zone: zone.parse().unwrap(),
        name: None,
        role,
        period_s,
        via: None,
        topic: None,
        channel: None,
        formerly: vec![],
    };
    Site {
        id: "xingyuan".parse().unwrap(),
        name: "星苑".into(),
        district: "上虞".into(),
        street: "百官".into(),
        institution: InstitutionType::Public,
        supervisor: SupervisingBody::Health,
        utc_offset_minutes: 480,
        staff_hours: hours("07:00-18:45"),
        classes: vec![class()],
        zones: vec![
            zone("room", ZoneKind::Activity, 1),
            zone("nap", ZoneKind::Nap, 1),
            zone("exit", ZoneKind::Exit, 1),
            zone("kitchen", ZoneKind::Kitchen, 1),
            zone("upstairs", ZoneKind::Activity, 2),
        ],
        devices: vec![
            device("air", "room", Role::Climate, None),
            device("smoke", "room", Role::Smoke, None),
            device("door", "exit", Role::Door, None),
            device("panic", "exit", Role::Panic, None),
            device("gas", "kitchen", Role::Gas, None),
            device("gas-siren", "kitchen", Role::Siren, None),
            device("siren", "exit", Role::Siren, None),
            device("valve", "kitchen", Role::GasValve, None),
            device("pir", "nap", Role::Occupancy, None),
            device("radar", "upstairs", Role::Occupancy, None),
            device("window", "upstairs", Role::Window, None),
        ],
        calendar: Calendar::default(),
        cameras: vec![],
        people: vec![],
        overrides: vec![],
        plans: vec![],
    }
}

/// With a camera in the room that also shows the exit.
pub fn seen(floor: Option<Floor>) -> Site {
    let mut s = site();
    s.devices.push(Placement {
        id: "eye".parse().unwrap(),
        zone: "room".parse().unwrap(),
        name: None,
        role: Role::Camera,
        // Of its frames: what we say of it has our own pace.
        period_s: Some(1),
        via: None,
        topic: None,
        channel: None,
        formerly: vec![],
    });
    let areas =
        ["room", "exit"].map(|zone| format!("{{ kind = \"{zone}\", zone = \"{zone}\", corners = [[0, 0], [999, 0], [999, 999]] }}"));
    let camera: Camera = toml::from_str(&format!("device = \"eye\"\nareas = [{}]", areas.join(", "))).unwrap();
    s.cameras = vec![Camera { floor, ..camera }];
    s
}

/// The same with promised periods, so that silence is noticed from the start.
pub fn supervised() -> Site {
    let mut s = site();
    for d in &mut s.devices {
        d.period_s = match d.id.as_str() {
            "air" | "gas" => Some(60),
            "smoke" => Some(600),
            _ => None,
        };
    }
    s
}

/// Monday 2026-11-23, 00:00 in China, as UTC milliseconds.
pub const MONDAY: i64 = 1_795_363_200_000;

/// Engine time of "HH:MM[:SS]" on that Monday; hours beyond 24 are the days after.
pub fn t(text: &str) -> i64 {
    let parts: Vec<i64> = text.split(':').map(|p| p.parse().unwrap()).collect();
    MONDAY + parts.iter().zip([3_600_000, 60_000, 1000]).map(|(n, ms)| n * ms).sum::<i64>()
}

pub fn packs() -> Vec<String> {
    rules::builtin().into_iter().map(|(_, text)| text.to_owned()).collect()
}

/// The built-in packs without their cases, which cost most of the time to read.
pub fn lean_packs() -> Vec<String> {
    let lean = |text: &str| {
        let mut in_case = false;
        let keep = text.lines().filter(|l| {
            if l.starts_with('[') {
                in_case = *l == "[[rule.case]]";
            }
            !in_case && !l.starts_with("advice")
        });
        keep.map(|l| {
            if l.starts_with("title") { "title = { zh = \"甲\", en = \"a\" }\nadvice = { zh = \"甲\", en = \"a\" }" } else { l }.to_owned()
                + "\n"
        })
        .collect()
    };
    packs().iter().map(|t| lean(t)).collect()
}

pub fn configuration(site: Site) -> Configuration {
    Configuration::new("01JD0000000000000000000000".parse().unwrap(), site, packs())
}

pub fn reading(device: &str, quantity: Quantity, value: f64) -> Message {
    let value = quantity.fixed(value).unwrap();
    Message {
        device: device.parse().unwrap(),
        boot: None,
        seq: None,
        sampled_at: None,
        retained: false,
        items: vec![Item::Reading { quantity, channel: 0, value }],
    }
}

/// A gateway in the hands of a test: every call is one step at a time of the day.
pub struct Gateway {
    pub state: State,
    /// All events so far, as "HH:MM:SS hazard transition severity".
    pub log: Vec<String>,
    pub events: Vec<IncidentEvent>,
    /// All that people were told so far, as "HH:MM:SS kind person" with "silently" behind it where it was.
    pub told: Vec<String>,
    pub last: Outcome,
}

impl Gateway {
    /// Configured and with a right clock since midnight.
    pub fn new(site: Site) -> Gateway {
        let mut g = Gateway { state: State::new(), log: vec![], events: vec![], told: vec![], last: Outcome::default() };
        g.at("00:00", Body::Configure(Box::new(configuration(site))));
        g.at("00:00", Body::Clock { offset_ms: 0, trusted: true });
        g
    }
    pub fn at(&mut self, time: &str, body: Body) -> &mut Self {
        let at = t(time);
        self.run(&[Input { at, body }], at)
    }
    pub fn run(&mut self, inputs: &[Input], now: i64) -> &mut Self {
        self.last = step(&mut self.state, inputs, now);
        for n in &self.last.notices {
            // Groups hear the same.
            let Some(person) = &n.person else { continue };
            let at = self.last.events.iter().find(|e| e.sequence == n.sequence).map_or(self.state.now(), |e| e.at);
            let of_day = (at - MONDAY).rem_euclid(86_400_000) / 1000;
            let kind = serde_json::to_value(n.kind).unwrap();
            let silently = if n.silent { " silently" } else { "" };
            let time = format!("{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60);
            self.told.push(format!("{time} {} {person}{silently}", kind.as_str().unwrap()));
        }
        for e in &self.last.events {
            let of_day = (e.at - MONDAY).rem_euclid(86_400_000) / 1000;
            let name = serde_json::to_value(e.transition).unwrap();
            let text = format!(
                "{:02}:{:02}:{:02} {} {} {}",
                of_day / 3600,
                of_day / 60 % 60,
                of_day % 60,
                e.hazard,
                name.as_str().unwrap(),
                u8::from(e.severity)
            );
            self.log.push(text);
        }
        self.events.extend(self.last.events.iter().cloned());
        self
    }
    pub fn says(&mut self, time: &str, device: &str, quantity: Quantity, value: f64) -> &mut Self {
        self.at(time, Body::Message(reading(device, quantity, value)))
    }
    pub fn message(&mut self, time: &str, m: Message) -> &mut Self {
        self.at(time, Body::Message(m))
    }
    pub fn event(&mut self, time: &str, device: &str, kind: EventKind) -> &mut Self {
        let mut m = reading(device, Quantity::Battery, 0.0);
        m.items = vec![Item::Event { kind, command: None }];
        self.at(time, Body::Message(m))
    }
    pub fn until(&mut self, time: &str) -> &mut Self {
        self.run(&[], t(time))
    }
    pub fn act(&mut self, time: &str, action: Action) -> &mut Self {
        self.at(time, Body::Command(Command { actor: "王园长".into(), via: None, action }))
    }
    /// Acknowledges the only open incident of a hazard.
    pub fn acknowledge(&mut self, time: &str, hazard: &str) -> &mut Self {
        let incident = self.open(hazard).unwrap_or_else(|| panic!("no open {hazard}"));
        self.act(time, Action::Acknowledge { incident, note: None })
    }
    pub fn open(&self, hazard: &str) -> Option<tuoan_protocol::IncidentId> {
        self.state.view(self.state.now()).incidents.into_iter().find(|i| i.hazard.as_str() == hazard).map(|i| i.id)
    }
    /// Events of one hazard so far, but for the rungs of its ladder.
    pub fn of(&self, hazard: &str) -> Vec<String> {
        self.all_of(hazard).into_iter().filter(|l| !l.contains("escalated")).collect()
    }
    pub fn all_of(&self, hazard: &str) -> Vec<String> {
        self.log.iter().filter(|l| l.split(' ').nth(1) == Some(hazard)).map(|l| l.replacen(&format!("{hazard} "), "", 1)).collect()
    }
    pub fn transitions(&self) -> Vec<Transition> {
        self.last.events.iter().map(|e| e.transition).collect()
    }
}
