//! A simulated year of a site with sixty sensors at one-minute cadence: 31.5 million samples, the same at every call.
//!
//! Rooms warm and fill by day and weekday, follow the season, and have their own noise; doors open at drop-off and collection; people move
//! in care hours. Nothing is drawn at random: a linear congruential generator seeded by the site.
use tuoan::engine::input::{Configuration, Item, Message};
use tuoan::engine::site::{AgeGroup, Calendar, Care, Class, Hours, Placement, Role, Site, Zone, ZoneKind};
use tuoan::engine::{Body, Input, rules};
use tuoan_protocol::{DeviceId, Fixed, InstitutionType, Quantity, SupervisingBody};

pub const MINUTE_MS: i64 = 60_000;
pub const MINUTES: i64 = 525_600;
/// 2026-01-01 00:00 in China.
pub const BEGIN: i64 = 1_767_196_800_000;

/// What a sensor follows.
#[derive(Clone, Copy)]
enum Curve {
    Temperature,
    Humidity,
    Co2,
    Sound,
    Door,
    People,
    /// (value, noise)
    Steady(i64, i64),
    Meter,
}

struct Sensor {
    quantity: Quantity,
    curve: Curve,
}

struct Device {
    id: DeviceId,
    sensors: Vec<Sensor>,
    second: i64,
    noise: u64,
    level: Vec<i64>,
    seq: u64,
}

pub struct Year {
    devices: Vec<Device>,
    minute: i64,
}

fn hours(text: &str) -> Hours {
    Hours::try_from(text.to_owned()).unwrap()
}

/// A device, its zone, its role, and what it measures.
type Planned = (String, &'static str, Role, Vec<(Quantity, Curve)>);

fn inventory() -> Vec<Planned> {
    use Quantity as Q;
    let mut list = Vec::new();
    let rooms = ["infants", "toddlers-1", "toddlers-2", "older-1", "older-2", "nap-1", "nap-2", "hall", "office"];
    for (n, room) in rooms.iter().enumerate() {
        let climate =
            vec![(Q::Temperature, Curve::Temperature), (Q::Humidity, Curve::Humidity), (Q::Co2, Curve::Co2), (Q::SoundLevel, Curve::Sound)];
        list.push((format!("air-{n}"), *room, Role::Climate, climate));
    }
    for (n, room) in ["hall", "nap-1", "nap-2", "kitchen"].iter().enumerate() {
        list.push((format!("smoke-{n}"), *room, Role::Smoke, vec![(Q::Smoke, Curve::Steady(0, 0))]));
    }
    for (n, room) in ["gate", "gate", "yard", "hall", "older-1", "older-2"].iter().enumerate() {
        let role = if n < 3 { Role::Door } else { Role::Window };
        list.push((format!("contact-{n}"), *room, role, vec![(Q::Open, Curve::Door)]));
    }
    for (n, room) in ["infants", "toddlers-1", "older-1", "hall"].iter().enumerate() {
        list.push((format!("pir-{n}"), *room, Role::Occupancy, vec![(Q::Motion, Curve::People)]));
    }
    for (n, room) in ["nap-1", "nap-2"].iter().enumerate() {
        list.push((format!("radar-{n}"), *room, Role::Occupancy, vec![(Q::Presence, Curve::People)]));
    }
    list.push(("gas".into(), "kitchen", Role::Gas, vec![(Q::Gas, Curve::Steady(0, 0)), (Q::GasLel, Curve::Steady(2, 4))]));
    list.push(("co".into(), "kitchen", Role::Co, vec![(Q::Co, Curve::Steady(5, 10))]));
    list.push(("leak".into(), "washroom", Role::Water, vec![(Q::WaterLeak, Curve::Steady(0, 0))]));
    list.push(("fridge".into(), "kitchen", Role::Other, vec![(Q::FridgeTemperature, Curve::Steady(400, 60))]));
    list.push(("hot-water".into(), "washroom", Role::HotWater, vec![(Q::WaterTemperature, Curve::Steady(4200, 150))]));
    list.push(("meter".into(), "office", Role::Meter, vec![(Q::Power, Curve::Meter), (Q::Energy, Curve::Meter)]));
    list
}

/// `single`: every sensor is a device of its own, which gives 60 messages a minute instead of 29.
pub fn site(single: bool) -> Site {
    let zone = |id: &str, kind| Zone { id: id.parse().unwrap(), name: id.into(), kind, floor: 1, classes: vec![] };
    let class = Class {
        places: None,
        id: "all".into(),
        name: "混合班".into(),
        care: Care::FullDay,
        age_group: AgeGroup::Mixed,
        children_per_carer: None,
        care_hours: vec![hours("08:00-17:30")],
        nap: Some(hours("12:00-14:30")),
        drop_off: Some(hours("07:30-08:30")),
        collection: Some(hours("16:30-17:30")),
    };
    let activity = ["infants", "toddlers-1", "toddlers-2", "older-1", "older-2"].map(|r| zone(r, ZoneKind::Activity));
    let rest = [
        ("nap-1", ZoneKind::Nap),
        ("nap-2", ZoneKind::Nap),
        ("hall", ZoneKind::Corridor),
        ("office", ZoneKind::Office),
        ("kitchen", ZoneKind::Kitchen),
        ("gate", ZoneKind::Exit),
        ("yard", ZoneKind::Exit),
        ("washroom", ZoneKind::Washroom),
    ];
    let mut devices = Vec::new();
    for (name, room, role, sensors) in inventory() {
        let names = if single { (0..sensors.len()).map(|n| format!("{name}.{n}")).collect() } else { vec![name] };
        for id in names {
            let (id, zone) = (id.parse().unwrap(), room.parse().unwrap());
            devices.push(Placement {
                id,
                zone,
                name: None,
                role,
                period_s: Some(60),
                via: None,
                topic: None,
                channel: None,
                formerly: vec![],
            });
        }
    }
    let mut site: Site = toml::from_str(
        "id = \"year\"\nname = \"一年\"\ndistrict = \"上虞\"\nstreet = \"百官\"\ninstitution = \"public\"\nsupervisor = \"health\"\nstaff_hours = \"07:00-18:30\"\nzones = []",
    )
    .unwrap();
    (site.institution, site.supervisor) = (InstitutionType::Public, SupervisingBody::Health);
    site.classes = vec![class];
    site.zones = activity.into_iter().chain(rest.into_iter().map(|(r, k)| zone(r, k))).collect();
    site.devices = devices;
    site.calendar = Calendar::default();
    site
}

/// What a log of it begins with.
pub fn opening(single: bool) -> Vec<Input> {
    let packs = rules::builtin().into_iter().map(|(_, t)| t.to_owned()).collect();
    let c = Configuration::new("01YEAR00000000000000000000".parse().unwrap(), site(single), packs);
    vec![
        Input { at: BEGIN, body: Body::Configure(Box::new(c)) },
        Input { at: BEGIN, body: Body::Started { down_from: BEGIN } },
        Input { at: BEGIN, body: Body::Clock { offset_ms: 0, trusted: true } },
    ]
}

impl Year {
    pub fn new(single: bool) -> Year {
        let mut devices = Vec::new();
        let mut add = |id: &str, sensors: Vec<(Quantity, Curve)>| {
            let noise = id.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
            let sensors: Vec<Sensor> = sensors.into_iter().map(|(quantity, curve)| Sensor { quantity, curve }).collect();
            let level = vec![0; sensors.len()];
            devices.push(Device { id: id.parse().unwrap(), second: (noise % 60_000) as i64, noise, level, sensors, seq: 0 });
        };
        for (name, _, _, sensors) in inventory() {
            if single {
                sensors.into_iter().enumerate().for_each(|(n, s)| add(&format!("{name}.{n}"), vec![s]));
            } else {
                add(&name, sensors);
            }
        }
        devices.sort_by_key(|d| d.second);
        Year { devices, minute: 0 }
    }

    /// Appends one minute's messages; false after the last minute.
    pub fn minute(&mut self, inputs: &mut Vec<Input>) -> bool {
        if self.minute >= MINUTES {
            return false;
        }
        let (day, of_day) = (self.minute / 1440, self.minute % 1440);
        // 2026-01-01 was a Thursday.
        let working = (day + 3) % 7 < 5;
        let care = working && (450..1050).contains(&of_day);
        let start = BEGIN + self.minute * MINUTE_MS;
        for d in &mut self.devices {
            let mut items = Vec::with_capacity(d.sensors.len());
            for (s, level) in d.sensors.iter().zip(&mut d.level) {
                d.noise = d.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *level = value(s.curve, *level, day, of_day, care, d.noise >> 33);
                items.push(Item::Reading { quantity: s.quantity.clone(), channel: 0, value: Fixed(*level) });
            }
            d.seq += 1;
            let message = Message { device: d.id.clone(), boot: Some(1), seq: Some(d.seq), sampled_at: None, retained: false, items };
            inputs.push(Input { at: start + d.second, body: Body::Message(message) });
        }
        self.minute += 1;
        true
    }
}

/// The next value of a sensor, in the quantity's fixed point.
fn value(curve: Curve, last: i64, day: i64, of_day: i64, care: bool, noise: u64) -> i64 {
    let jitter = |width: i64| (noise % (2 * width as u64 + 1)) as i64 - width;
    // A wave of the year and one of the day, in thousandths, by a parabola: no floating point.
    let wave = |t: i64, period: i64| {
        let x = t.rem_euclid(period) * 4000 / period - 2000;
        if x < 0 { -(x + 2000) * -x / 1000 } else { x * (2000 - x) / 1000 }
    };
    let (season, sun) = (wave(day - 110, 365), wave(of_day - 480, 1440));
    let toward = |goal: i64, rate: i64| last + (goal - last) / rate;
    match curve {
        Curve::Temperature => toward(2150 + season * 35 / 100 + sun / 5 + i64::from(care) * 120, 40) + jitter(4),
        Curve::Humidity => toward(5000 + season - sun / 2, 60) + jitter(20),
        Curve::Co2 => toward(if care { 900 + season / 10 } else { 430 }, 30) + jitter(8),
        Curve::Sound => (if care { 560 } else { 330 }) + jitter(50),
        Curve::Door => i64::from(care && (450..520).contains(&of_day) && noise.is_multiple_of(9)),
        Curve::People => i64::from(care && !noise.is_multiple_of(3)),
        Curve::Steady(value, width) => {
            if width == 0 {
                value
            } else {
                value + jitter(width)
            }
        }
        Curve::Meter => last + 1 + (noise % 3) as i64,
    }
}
