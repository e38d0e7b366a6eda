//! Made-up pages for the gallery and the tests: every state a page can be in, and names that try to break out of the HTML.
use crate::door::{Role, Tile};
use crate::lang::{Text, Ui};
use crate::page::{AskName, Confirm};
use crate::view::alarm::*;
use crate::view::gateway::*;
use crate::view::platform::{Live, PlatformEntry, Site, SiteIncident};
use crate::view::search::{Asked, Found, SearchPage};
use crate::view::tasks::{Export, Report, Room, Sweep, Who};
use crate::view::{Incident, Notice, cameras, plan, platform, quality, rules, setup};
use tuoan_protocol::ledger::{Cause, Need, Sight};
use tuoan_protocol::looks::{Class, Look, Point, Posture, Seen};
use tuoan_protocol::{Basis, CauseCode, Fixed, IncidentState, Inhibition, Quantity, Rung, Severity, Transition, Via};

/// 2026-11-24 14:32:05 in China.
pub const NOW: i64 = 1_795_501_925_000;
/// Must never appear unescaped.
pub const EVIL: &str = "<script>alert('x')</script>\"><img src=x onerror=y>";

pub fn incident(id: &str, hazard: &str, place: &str, severity: Severity, age_s: i64) -> Incident {
    Incident {
        id: id.into(),
        sequence: 3,
        hazard: hazard.into(),
        title: Text::default(),
        advice: Text::default(),
        place: place.into(),
        device: Some("climate-2".into()),
        severity,
        basis: Basis::Confirmed,
        state: IncidentState { active: true, acknowledged: false, closed: false, inhibited: None },
        opened_at: NOW - age_s * 1000,
        changed_at: NOW - age_s * 1000,
        trigger: None,
        activations: 1,
        cancellable: false,
        acknowledged_by: None,
        affected: Vec::new(),
        life: Life::default(),
    }
}

fn sensor(device: &str, quantity: Quantity, value: i64, age_s: i64) -> Sensor {
    Sensor {
        device: device.into(),
        quantity,
        channel: 0,
        value: Fixed(value),
        at: NOW - age_s * 1000,
        freshness: Freshness::Fresh,
        alarming: false,
        doubt: None,
        uncertainty_ms: None,
    }
}

fn device(id: &str, name: &str, heard_s: i64, battery: Option<i64>) -> Device {
    Device {
        id: id.into(),
        name: Some(name.into()),
        make: Some("Aqara".into()),
        model: Some("MCCGQ11LM".into()),
        battery,
        last_heard: Some(NOW - heard_s * 1000),
        lost: false,
        upkeep: Upkeep {
            firmware: Some("3000-0001".into()),
            hardware: Some("rp2040-w5500/e66138528361b32a".into()),
            started: Some(("watchdog".into(), NOW - 3_600_000)),
            resets: vec![("watchdog", 2)],
            quantities: vec![Quantity::Open, Quantity::Battery],
            period: Some((3_000_000, "learned")),
            clock: Some((240_000, 1_500)),
            battery_days: battery.map(|b| (b as u64 * 3, b as u64 * 2, None)),
            duplicate: 2,
            late: 5,
            implausible: 1,
            via: Some("z2m.bridge".into()),
        },
        out: None,
        form: None,
    }
}

fn climate(temperature: i64, humidity: i64, co2: i64) -> Vec<Sensor> {
    vec![
        sensor("climate", Quantity::Temperature, temperature, 12),
        sensor("climate", Quantity::Humidity, humidity, 12),
        sensor("climate", Quantity::Co2, co2, 12),
    ]
}

fn zone(id: &str, name: &str, kind: &'static str, phase: &'static str, sensors: Vec<Sensor>) -> Zone {
    Zone { id: id.into(), name: name.into(), kind, phase, sensors, ..Zone::default() }
}

/// All is well.
pub fn calm() -> Home {
    let mut entrance = zone("entrance", "大门", "exit", "nap", vec![sensor("door", Quantity::Open, 0, 340)]);
    entrance.devices.push(device("door", "大门门磁", 340, Some(87)));
    Home {
        version: 41,
        zones: vec![
            zone("toddler-1", "托小班1", "activity", "nap", climate(2340, 4500, 620)),
            Zone {
                cameras: Some((2, 2)),
                ..zone(
                    "toddler-2",
                    "托小班2",
                    "activity",
                    "nap",
                    [
                        vec![
                            sensor("vision.toddler-2", Quantity::Children, 11, 2),
                            sensor("vision.toddler-2", Quantity::Adults, 2, 2),
                            sensor("noise-2", Quantity::SoundLevel, 583, 8),
                            sensor("window-2", Quantity::Open, 0, 900),
                        ],
                        climate(2290, 4700, 812),
                    ]
                    .concat(),
                )
            },
            zone("older-1", "托大班1", "activity", "nap", climate(2410, 4100, 700)),
            entrance,
            zone(
                "kitchen",
                "厨房",
                "kitchen",
                "nap",
                vec![sensor("gas", Quantity::GasLel, 0, 20), sensor("fridge", Quantity::FridgeTemperature, 420, 45)],
            ),
        ],
        swept: (2, 5),
        strip: Strip {
            clock_trusted: true,
            estimating: true,
            days_left: Some(412),
            sinks: vec![Sink { name: "platform".into(), ..Sink::default() }, Sink { name: "influx".into(), ..Sink::default() }],
            ..Strip::default()
        },
        ..Home::default()
    }
}

fn people() -> Vec<String> {
    ["王老师", "陈老师", "李园长", "周副园长"].map(str::to_owned).into()
}

pub fn ask_name() -> AskName {
    AskName { action: "/".into(), back: "/".into(), people: people(), ..AskName::default() }
}

pub fn confirm() -> Confirm {
    let tile = |id: &str, name: &str, role| Tile { id: id.into(), name: name.into(), role, shared: false };
    let tiles = vec![tile("a", "李园长", Role::Director), tile("b", "王老师", Role::Carer), tile("c", "陈老师", Role::Carer)];
    Confirm { action: "/".into(), back: "/".into(), tiles, chosen: "b".into(), ..Confirm::default() }
}

/// Every page while devices are proved.
pub fn commissioning(ui: Ui) -> Ui {
    let under_way =
        Commissioning { until: NOW + 40 * 60_000, by: "王园长".into(), devices: vec!["后门".into(), "厨房燃气".into()] };
    Ui { commissioning: Some(under_way), role: Some(Role::Director), signed_in: true, ..ui }
}

/// Codes of inspectors in each of their states, one just drawn.
pub fn passes(name: &str) -> platform::Passes {
    let line = |site: &str, state| platform::PassLine {
        id: "district-1".into(),
        site: site.into(),
        holder: name.into(),
        by: "区卫健局 李".into(),
        purpose: "双随机检查".into(),
        issued: NOW - 3_600_000,
        expires: NOW + 3 * 3_600_000,
        state,
    };
    let passes = vec![
        line("星原托育", platform::PassState::Waiting),
        line("月亮湾托育", platform::PassState::Open(NOW - 3_000_000)),
        line("小溪托育", platform::PassState::Over),
        line("星原托育", platform::PassState::Revoked(NOW - 60_000, name.into())),
    ];
    platform::Passes { sites: vec![("a".into(), "星原托育".into())], passes, code: Some("7F3K-9QPX-22MA".into()), ..Default::default() }
}

/// Two floors: one drawn, one with somebody's names.
pub fn plan(name: &str) -> plan::PlanPage {
    let room = |id: &str, name: &str, at: [u32; 4], state| plan::Room {
        id: id.into(),
        name: name.into(),
        x: at[0],
        y: at[1],
        w: at[2],
        h: at[3],
        state,
        drawn: true,
    };
    let spot = |id: &str, name: &str, place: &str, (x, y), state| plan::Spot {
        id: id.into(),
        name: name.into(),
        role: "climate".into(),
        place: place.into(),
        x,
        y,
        state,
        heard: (state != "waiting").then_some(NOW - 12_000),
    };
    let rooms = vec![
        room("room", "托小班活动室", [20, 20, 460, 380], "calm"),
        room("nap", name, [500, 20, 480, 250], "unseen"),
        room("kitchen", "厨房", [500, 290, 480, 110], "s1"),
        room("exit", "大门", [20, 420, 960, 200], "s3"),
    ];
    let spots = vec![
        spot("air", "环境一", "托小班活动室", (150, 250), "well"),
        spot("cam", "东墙摄像头", "托小班活动室", (380, 120), "well"),
        spot("nap-air", name, name, (700, 150), "lost"),
        spot("gas", "燃气", "厨房", (740, 350), "alarm"),
        spot("door", "门磁", "大门", (480, 520), "waiting"),
    ];
    let floor = plan::Floor { floor: 1, tall: 640, picture: None, rooms, spots };
    let found = setup::Found { id: "button-7".into(), name: name.into(), role: "panic", ..Default::default() };
    plan::PlanPage { floors: vec![floor], tray: vec![found], ..Default::default() }
}

pub fn who() -> Who {
    Who { back: "/".into(), people: people() }
}

pub fn sweep() -> Sweep {
    let room = |id: &str, name: &str, kind, swept: Option<i64>, occupied, unseen| Room {
        id: id.into(),
        name: name.into(),
        kind,
        swept: swept.map(|s| NOW - s * 60_000),
        occupied,
        unseen,
    };
    Sweep {
        rooms: vec![
            room("toddler-1", "托小班1", "activity", Some(4), false, false),
            room("toddler-2", "托小班2", "activity", None, true, false),
            room("nap", "睡眠室", "nap", None, false, false),
            room("yard", "户外场地", "yard", None, false, true),
        ],
        notice: None,
    }
}

pub fn report() -> Report {
    let rooms = [("toddler-1", "托小班1"), ("toddler-2", "托小班2"), ("nap", "睡眠室"), ("yard", "户外场地")];
    Report {
        site: "杏园托育".into(),
        rooms: rooms.map(|(id, name)| (id.to_owned(), name.to_owned())).into(),
        error: Some(("room", "请选一个地方。".into())),
        ..Report::default()
    }
}

/// A report of concern, with the recorder still to be seen to.
pub fn concern() -> IncidentPage {
    let mut page = life("fresh");
    page.incident.hazard = "concern.report".into();
    page.incident.severity = Severity::Emergency;
    (page.incident.title, page.incident.trigger, page.series) = (Text::default(), None, Vec::new());
    (page.quiet, page.forms) = (None, Vec::new());
    page.export = Some(Export {
        from: page.incident.opened_at - 1_800_000,
        to: page.incident.opened_at + 1_800_000,
        cameras: vec!["托小班2 东".into(), "走廊".into()],
        people: vec!["周副园长".into(), "王老师".into()],
        done: None,
    });
    page
}

fn found(id: &str, place: &str, age_s: i64) -> Found {
    let mut incident = incident(id, "air.co2", place, Severity::General, age_s);
    (incident.state.active, incident.state.closed) = (false, true);
    Found { noted_at: Some(incident.opened_at + 190_000), handled_at: Some(incident.opened_at + 1_500_000), late: age_s > 86_400, incident }
}

pub fn search() -> SearchPage {
    SearchPage {
        asked: Asked { person: "王老师".into(), ..Asked::default() },
        zones: vec![("toddler-1".into(), "托小班1".into()), ("toddler-2".into(), "托小班2".into())],
        hazards: vec!["air.co2".into(), "fire.smoke".into()],
        people: people().into_iter().map(|p| (p.clone(), p)).collect(),
        found: vec![
            found("01KAPT0000000000000000011", "托小班2", 3_600),
            found("01KAPT0000000000000000012", "托小班1", 90_000),
            Found {
                noted_at: None,
                handled_at: None,
                late: true,
                incident: incident("01KAPT0000000000000000015", "fire.smoke", "厨房", Severity::Emergency, 172_000),
            },
        ],
        next: Some("1795501925000.01KAPT0000000000000000015".into()),
        error: None,
    }
}

/// Much is not.
pub fn busy() -> Home {
    let mut home = calm();
    let mut smoke = incident("01KAPT0000000000000000001", "fire.smoke", "厨房", Severity::Emergency, 80);
    smoke.trigger = Some((Quantity::Smoke, Fixed(1)));
    let mut door = incident("01KAPT0000000000000000002", "door.held_open", "大门", Severity::Serious, 190);
    door.activations = 2;
    let mut air = incident("01KAPT0000000000000000003", "air.co2", "托小班2", Severity::General, 2400);
    air.trigger = Some((Quantity::Co2, Fixed(1240)));
    air.state.acknowledged = true;
    (air.acknowledged_by, air.life.assignee) = (Some("王老师".into()), Some("王老师".into()));
    let mut left = incident("01KAPT0000000000000000004", "left.behind", "睡眠室", Severity::Emergency, 600);
    left.basis = Basis::Inferred;
    left.state.active = false;
    left.changed_at = NOW - 60_000;
    let mut noise = incident("01KAPT0000000000000000005", "noise.high", "托大班1", Severity::Advisory, 300);
    noise.basis = Basis::Inferred;
    home.incidents = vec![smoke, left, door, air, noise];
    let mut nap = zone("nap", "睡眠室", "nap", "nap", vec![sensor("nap-climate", Quantity::Temperature, 2200, 400)]);
    if let Some(s) = nap.sensors.first_mut() {
        s.freshness = Freshness::Late;
    }
    nap.devices.push(device("nap-radar", "毫米波", 30, Some(12)));
    let mut yard = zone("yard", "户外场地", "yard", "nap", vec![sensor("yard-climate", Quantity::Temperature, 900, 4000)]);
    if let Some(s) = yard.sensors.first_mut() {
        s.freshness = Freshness::Lost { since: NOW - 3_600_000 };
    }
    let mut back = zone("back-door", "后门", "exit", "nap", vec![sensor("back", Quantity::Open, 1, 190)]);
    back.not_watched = true;
    back.worst = Some(Severity::Serious);
    let office = zone("office", "办公室", "office", "nap", Vec::new());
    if let Some(kitchen) = home.zones.iter_mut().find(|z| z.id == "kitchen") {
        kitchen.worst = Some(Severity::Emergency);
        let mut alarm = sensor("smoke", Quantity::Smoke, 1, 80);
        alarm.alarming = true;
        kitchen.sensors.insert(0, alarm);
        kitchen.devices.push(Device { lost: true, ..device("leak", "水浸", 7200, None) });
    }
    let mut wild = sensor("nap-climate", Quantity::Humidity, 65_535, 20);
    wild.doubt = Some("implausible");
    let mut stuck = sensor("nap-climate", Quantity::Co2, 731, 20);
    stuck.doubt = Some("flat");
    nap.sensors.extend([wild, stuck]);
    let mut hub = incident("01KAPT0000000000000000006", "sensor.silent", "机柜", Severity::Serious, 900);
    hub.device = Some("交换机".into());
    hub.affected = vec!["厨房 · 燃气".into(), format!("睡眠室 · {EVIL}")];
    home.incidents.push(hub);
    home.zones.extend([nap, yard, back, office]);
    home.unplaced = vec![device("0x00158d0001", "新传感器", 8, Some(100)), Device { id: "unknown-7".into(), ..Device::default() }];
    home.strip.clock_trusted = false;
    home.strip.channels = vec![ChannelLine { name: "短信".into(), ..ChannelLine::default() }];
    home.strip.quarantined = 3;
    (home.strip.watched, home.strip.unwatched) = (256, 12);
    home.strip.sinks = vec![
        Sink {
            name: "platform".into(),
            alerts: 4,
            metrics: 0,
            bytes: Some(52_000),
            hours_left: Some(70.0),
            failing: Some("connection refused".into()),
            ..Sink::default()
        },
        Sink {
            name: "influx".into(),
            metrics: 1200,
            bytes: Some(410_000),
            hours_left: Some(17.0),
            short: true,
            overtaken: 900,
            lost: 5,
            set_aside: 2,
            ..Sink::default()
        },
    ];
    home.notice = Some(Notice::Done("收到，已经记下。".into()));
    home
}

/// Names from outside that try to break out.
pub fn evil() -> Home {
    let mut home = busy();
    for i in &mut home.incidents {
        (i.place, i.hazard, i.id) = (EVIL.into(), EVIL.into(), EVIL.into());
        (i.title, i.advice) = (Text::new(EVIL, EVIL), Text::new(EVIL, EVIL));
        (i.device, i.acknowledged_by) = (Some(EVIL.into()), Some(EVIL.into()));
    }
    for z in &mut home.zones {
        (z.name, z.id) = (EVIL.into(), EVIL.into());
        for d in &mut z.devices {
            (d.name, d.id) = (Some(EVIL.into()), EVIL.into());
        }
    }
    for d in &mut home.unplaced {
        (d.name, d.id, d.make, d.model) = (Some(EVIL.into()), EVIL.into(), Some(EVIL.into()), Some(EVIL.into()));
    }
    for s in &mut home.strip.sinks {
        (s.name, s.failing) = (EVIL.into(), Some(EVIL.into()));
    }
    let until = || Until { until: NOW, by: EVIL.into(), why: EVIL.into() };
    for kind in ["alarm", "zone", "device"] {
        let (what, hazard, end) = (EVIL.into(), Some(EVIL.into()), Some(EVIL.into()));
        home.asides.push(Aside { kind, hazard, what, since: NOW, until: until(), end });
    }
    home.drill = Some(Drill { hazard: EVIL.into(), place: EVIL.into(), by: EVIL.into(), ..Drill::default() });
    home.strip.channels = vec![ChannelLine { name: EVIL.into(), waiting: 1, failing: Some((EVIL.into(), NOW)) }];
    for i in &mut home.incidents {
        i.state.inhibited = Some(Inhibition::Shelved);
        (i.life.assignee, i.life.aside) = (Some(EVIL.into()), Some(until()));
    }
    for z in &mut home.zones {
        (z.maintained, z.form) = (Some(until()), Some(Form { action: EVIL.into(), ..form("maintain") }));
        for d in &mut z.devices {
            (d.out, d.form) = (Some(until()), Some(Form { action: EVIL.into(), ..form("out") }));
        }
    }
    home.strip.disk_fault = Some(EVIL.into());
    home.notice = Some(Notice::Failed(EVIL.into()));
    home
}

fn entry(at: i64, transition: Transition, severity: Severity, sequence: u64) -> Entry {
    Entry {
        at,
        transition,
        state: IncidentState { active: true, acknowledged: false, closed: false, inhibited: None },
        severity,
        basis: Basis::Confirmed,
        actor: None,
        note: None,
        trigger: None,
        clock_trusted: true,
        sequence,
        act: Deed::default(),
    }
}

fn rule() -> Rule {
    Rule {
        id: "air.co2.high".into(),
        clause: "GB/T 18883-2022 二氧化碳 ≤ 0.10 %（1 h 均值）".into(),
        source: Text::new("室内空气质量标准", "Indoor air quality standard"),
        verified: false,
        pack: "air".into(),
        hash: "5f2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b".into(),
        engine: "1.0".into(),
    }
}

/// Two cameras from a minute before to a minute after: a grown-up walks, a child lies down.
fn looks(opened_at: i64) -> Vec<CameraLooks> {
    // Head, shoulders, elbows, wrists, hips, knees, ankles of who stands; thousandths of the box.
    const STANDS: [(u16, u16); 17] = [
        (500, 60),
        (520, 45),
        (480, 45),
        (550, 60),
        (450, 60),
        (640, 190),
        (360, 190),
        (720, 340),
        (280, 340),
        (740, 480),
        (260, 480),
        (590, 520),
        (410, 520),
        (600, 740),
        (400, 740),
        (610, 960),
        (390, 960),
    ];
    let figure = |class, track, posture, bbox: [u16; 4], lies: bool| {
        let at = |low: u16, high: u16, share: u16| low + u16::try_from(u32::from(high - low) * u32::from(share) / 1000).unwrap_or(0);
        let joint = |(across, along): (u16, u16)| {
            let (x, y) = if lies { (along, across) } else { (across, along) };
            Some(Point { x: at(bbox[0], bbox[2], x), y: at(bbox[1], bbox[3], y), score: 80 })
        };
        Seen { class, score: 91, track, posture, bbox, pose: (class == Class::Person).then(|| STANDS.map(joint)) }
    };
    let look = |second: i64, seen| Look { at: opened_at + second * 1000, width: 640, height: 360, at_least: false, seen };
    let room = (-60..=60).map(|s| {
        let x = u16::try_from(1500 + (s + 60) * 25).unwrap_or(0);
        let grown_up = figure(Class::Person, 3, Posture::Standing, [x, 1200, x + 1300, 8600], false);
        let child = match s {
            ..-4 => figure(Class::Person, 5, Posture::Sitting, [6200, 4800, 7100, 7600], false),
            _ => figure(Class::Person, 5, Posture::Lying, [5600, 6700, 7800, 7900], true),
        };
        look(s, vec![grown_up, child])
    });
    let door = (-6..=6).map(|n| {
        let bike = figure(Class::Bicycle, 0, Posture::Unknown, [5200, 3000, 8600, 8200], false);
        look(n * 10, if n > 3 { vec![bike] } else { Vec::new() })
    });
    let camera = |name: &str, looks: Vec<Look>| CameraLooks { camera: name.into(), model: "person-pose/1 0badcafe".into(), looks };
    vec![camera("托小班2 东", room.collect()), camera("门口", door.collect())]
}

pub fn incident_page() -> IncidentPage {
    let mut incident = incident("01KAPT0000000000000000003", "air.co2", "托小班2", Severity::General, 2400);
    incident.trigger = Some((Quantity::Co2, Fixed(1004)));
    let from = NOW - 7_200_000;
    let minutes = |f: &dyn Fn(i64) -> Option<i64>| (0..120).filter_map(|m| f(m).map(|v| (from + m * 60_000, Fixed(v)))).collect();
    let co2 = minutes(&|m| if (30..42).contains(&m) { None } else { Some(640 + m * 6 + (m * 37 % 23)) });
    let temperature = minutes(&|m| Some(2150 + m * 2 + (m * 13 % 9)));
    let mut opened = entry(incident.opened_at, Transition::Opened, Severity::General, 11);
    opened.trigger = incident.trigger.clone();
    let mut raised = entry(incident.opened_at + 900_000, Transition::Raised, Severity::Serious, 12);
    raised.basis = Basis::Inferred;
    raised.clock_trusted = false;
    let mut taken = entry(incident.opened_at + 960_000, Transition::Acknowledged, Severity::Serious, 13);
    taken.actor = Some("王老师".into());
    taken.note = Some("已开窗通风".into());
    IncidentPage {
        site: "杏园托育".into(),
        from,
        to: NOW,
        around: Around::HalfHour,
        cut: false,
        by_minute: false,
        blind: vec![Blind { camera: "托小班2 东".into(), kind: Quantity::CameraDark, from: from + 1_200_000, to: from + 2_400_000 }],
        watch: vec![
            Watch { from: from + 1_200_000, to: from + 2_400_000, sight: Sight::blind(Cause::CameraDark, Some(Need::Camera)) },
            Watch { from: from + 2_400_000, to: from + 3_000_000, sight: Sight::degraded(Cause::Silent, Some(Need::Co2)) },
        ],
        looks: looks(incident.opened_at),
        unsure: vec![(from + 5_400_000, from + 6_000_000)],
        similar: [
            vec![found("01KAPT0000000000000000013", "托小班2", 3 * 86_400)],
            vec![found("01KAPT0000000000000000014", "托小班1", 86_400)],
        ],
        series: vec![
            Series {
                device: "托小班2 环境".into(),
                quantity: Quantity::Co2,
                points: co2,
                gaps: vec![(from + 29 * 60_000, from + 42 * 60_000)],
                uncertainty_ms: Some(1500),
                threshold: Some(Fixed(1000)),
            },
            Series {
                device: "托小班2 窗".into(),
                quantity: Quantity::Open,
                points: vec![(from + 600_000, Fixed(0)), (from + 5_760_000, Fixed(1))],
                gaps: Vec::new(),
                uncertainty_ms: None,
                threshold: None,
            },
            Series {
                device: "托小班2 环境".into(),
                quantity: Quantity::Temperature,
                points: temperature,
                gaps: Vec::new(),
                uncertainty_ms: None,
                threshold: None,
            },
        ],
        entries: vec![opened, raised, taken],
        deliveries: vec![
            Delivery {
                sink: "platform".into(),
                sequence: 11,
                state: DeliveryState::Accepted { at: incident.opened_at + 1500, receipt: "r-7f3a91".into() },
            },
            Delivery {
                sink: "platform".into(),
                sequence: 12,
                state: DeliveryState::SetAside { reason: "rejected: unknown hazard".into() },
            },
            Delivery { sink: "platform".into(), sequence: 13, state: DeliveryState::Waiting },
        ],
        rule: rule(),
        found_on_connect: true,
        clock_trusted: true,
        institution: "community",
        supervisor: "health",
        stills: 2,
        stills_open: true,
        originals: 120,
        receipts: Receipts::default(),
        export: None,
        primary: None,
        quiet: None,
        forms: Vec::new(),
        notice: None,
        incident,
    }
}

fn form(kind: &'static str) -> Form {
    let mut form = Form { kind, action: format!("/incidents/01KAPT0000000000000000003/{kind}"), back: "/".into(), ..Form::default() };
    match kind {
        "assign" => form.people = vec![("wang".into(), "王老师".into()), ("li".into(), "李园长".into())],
        "shelve" | "maintain" => form.choices = vec![15, 30, 60, 120, 240, 480],
        "out" => form.choices = vec![240, 480, 1440, 4320, 10_080, 43_200],
        "merge" => {
            form.others = vec![("01KAPT0000000000000000001".into(), Text::new("厨房 烟雾报警 · 000001", "厨房 Smoke alarm · 000001"))]
        }
        _ => {}
    }
    form
}

/// The whole life of an alarm, by the state that its page shows: `fresh`, `taken`, `shelved`, `closed`, `drill`.
pub fn life(state: &str) -> IncidentPage {
    let mut page = incident_page();
    let i = &mut page.incident;
    let began = i.opened_at;
    let deed = |at: i64, t: Transition, n: u64, actor: &str, note: &str, act: Deed| Entry {
        actor: Some(actor.to_owned()).filter(|a| !a.is_empty()),
        note: Some(note.to_owned()).filter(|a| !a.is_empty()),
        act,
        ..entry(began + at, t, Severity::General, n)
    };
    let via = |v| Deed { via: Some(v), ..Deed::default() };
    let recipient = |name: &str, rung, channel: &str, state, at: i64| Recipient {
        name: Some(name.to_owned()).filter(|n| !n.is_empty()),
        rung,
        channel: Some(channel.to_owned()).filter(|c| !c.is_empty()),
        asked: began,
        state,
        at: (at > 0).then_some(began + at),
        ..Recipient::default()
    };
    page.receipts = Receipts {
        found: began,
        steps: vec![
            Step { what: "stored".into(), at: Some(began + 40), late: false },
            Step { what: "platform".into(), at: Some(began + 92_000), late: true },
        ],
        recipients: vec![
            recipient("", "carer", "钉钉群", "sent", 1_400),
            Recipient { seen: Some(began + 21_000), ..recipient("王老师", "carer", "短信", "sent", 2_100) },
            Recipient {
                why: Some("550 mailbox unavailable".into()), late: true, ..recipient("王老师", "carer", "邮件", "refused", 3_800)
            },
            Recipient { again: 2, ..recipient("李园长", "director", "短信", "sent", 182_000) },
            recipient("赵副园长", "deputy", "", "quiet", 25_000_000),
            Recipient { late: true, ..recipient("孙老师", "carer", "", "waiting", 0) },
        ],
        channels: true,
    };
    let escalated = Deed { rung: Some(Rung::Director), ..Deed::default() };
    let taken = Deed { assignee: Some("王老师".into()), via: Some(Via::Link), ..Deed::default() };
    page.entries.truncate(1);
    page.forms = ["resolve", "comment", "assign", "shelve", "merge"].map(form).into();
    page.primary = Some(form("take"));
    page.quiet = Some(form("acknowledge"));
    if state == "fresh" {
        return page;
    }
    page.entries.push(deed(180_000, Transition::Escalated, 12, "", "", escalated));
    page.entries.push(deed(205_000, Transition::Assigned, 13, "王老师", "", taken));
    page.entries.push(deed(260_000, Transition::Commented, 14, "李园长", "已联系厂家，半小时到。", via(Via::Page)));
    (i.state.acknowledged, i.life.assignee) = (true, Some("王老师".into()));
    if let Some(r) = page.receipts.recipients.get_mut(1) {
        r.taken = Some(began + 205_000);
    }
    page.primary = Some(form("resolve"));
    page.quiet = None;
    page.forms = ["comment", "assign", "shelve", "merge"].map(form).into();
    match state {
        "shelved" => {
            let until = Until { until: NOW + 900_000, by: "李园长".into(), why: "传感器送修，已安排专人看护".into() };
            let act = Deed { until: Some(until.until), via: Some(Via::Page), ..Deed::default() };
            page.entries.push(deed(300_000, Transition::Chattering, 15, "", "", Deed { activations: 7, ..Deed::default() }));
            page.entries.push(deed(400_000, Transition::Shelved, 16, "李园长", &until.why, act));
            i.state.inhibited = Some(Inhibition::Shelved);
            (i.life.aside, i.life.chattering, i.activations) = (Some(until), true, 7);
            page.forms = ["comment", "assign", "unshelve"].map(form).into();
        }
        "closed" => {
            let cause = Deed { cause: Some(CauseCode::False), via: Some(Via::Page), ..Deed::default() };
            let other = Deed { other: Some("01KAPT0000000000000000007".into()), via: Some(Via::Page), ..Deed::default() };
            page.entries.push(deed(500_000, Transition::Merged, 15, "李园长", "同一次开窗", other));
            page.entries.push(deed(700_000, Transition::Resolved, 16, "王老师", "窗边热风，不是室内", cause));
            page.entries.push(deed(800_000, Transition::Closed, 17, "", "", Deed::default()));
            (i.state.active, i.state.closed, i.life.resolved) = (false, true, Some(CauseCode::False));
            i.changed_at = began + 800_000;
            if let Some(r) = page.receipts.recipients.get_mut(1) {
                r.handled = Some(began + 700_000);
            }
            page.primary = None;
            page.forms = ["reopen", "comment"].map(form).into();
        }
        "drill" => {
            i.life.drill = true;
            (i.severity, i.hazard) = (Severity::Emergency, "fire.smoke".into());
        }
        _ => {}
    }
    page
}

/// Home with what is set aside, a drill under way, and a channel that fails.
pub fn set_aside() -> Home {
    let mut home = calm();
    let until = |minutes: i64, why: &str| Until { until: NOW + minutes * 60_000, by: "李园长".into(), why: why.into() };
    let mut smoke = incident("01KAPT0000000000000000001", "fire.smoke", "厨房", Severity::Emergency, 80);
    smoke.life.drill = true;
    let mut air = incident("01KAPT0000000000000000003", "air.co2", "托小班2", Severity::General, 2400);
    (air.state.inhibited, air.life.aside) = (Some(Inhibition::Shelved), Some(until(45, "风机送修，已开窗")));
    let mut noise = incident("01KAPT0000000000000000005", "water.leak", "卫生间", Severity::Serious, 300);
    (noise.state.acknowledged, noise.life.assignee) = (true, Some("王老师".into()));
    (noise.life.chattering, noise.activations) = (true, 9);
    home.incidents = vec![smoke, noise, air];
    home.drill = Some(Drill {
        hazard: "fire.smoke".into(),
        place: "厨房".into(),
        since: NOW - 120_000,
        until: NOW + 1_680_000,
        by: "李园长".into(),
    });
    let aside = |kind, hazard: Option<&str>, what: &str, minutes, why: &str, end: &str| Aside {
        kind,
        hazard: hazard.map(str::to_owned),
        what: what.into(),
        since: NOW - 600_000,
        until: until(minutes, why),
        end: Some(end.to_owned()).filter(|e| !e.is_empty()),
    };
    home.asides = vec![
        aside("alarm", Some("air.co2"), "托小班2", 45, "风机送修，已开窗", "/incidents/01KAPT0000000000000000003/unshelve"),
        aside("zone", None, "厨房", 90, "油烟机清洗", "/zones/kitchen/maintain/end"),
        aside("device", None, "大门门磁", 4000, "换电池，零件在路上", "/devices/door/in"),
        aside("alarm", Some("noise.high"), "托大班1", 20, "隔壁装修", ""),
    ];
    for z in &mut home.zones {
        let id = z.id.clone();
        z.form = Some(Form { action: format!("/zones/{id}/maintain"), ..form("maintain") });
        for d in &mut z.devices {
            (d.out, d.form) = (Some(until(4000, "换电池")), Some(Form { action: format!("/devices/{}/in", d.id), ..form("in") }));
        }
    }
    if let Some(kitchen) = home.zones.iter_mut().find(|z| z.id == "kitchen") {
        kitchen.maintained = Some(until(90, "油烟机清洗"));
        kitchen.form = Some(Form { action: "/zones/kitchen/maintain/end".into(), ..form("maintain_end") });
        kitchen.devices.push(device("gas", "燃气报警器", 20, None));
        if let Some(d) = kitchen.devices.last_mut() {
            d.form = Some(Form { action: "/devices/gas/out".into(), ..form("out") });
        }
    }
    home.strip.channels = vec![
        ChannelLine { name: "短信".into(), waiting: 0, failing: None },
        ChannelLine { name: "钉钉群".into(), waiting: 3, failing: Some(("invalid access_token (310000)".into(), NOW - 1_500_000)) },
    ];
    home
}

/// What a link in a message shows; `person` was told, or a group.
pub fn link_page(person: bool) -> LinkPage {
    let mut incident = incident("01KAPT0000000000000000001", "fire.smoke", "厨房", Severity::Emergency, 80);
    incident.trigger = Some((Quantity::Smoke, Fixed(1)));
    LinkPage {
        token: "42.kXn3".into(),
        incident,
        person: person.then(|| "王老师".into()),
        seen: None,
        done: None,
        take: !person,
        name: String::new(),
        error: None,
    }
}

/// Forms that came back with what was typed and what is wrong.
pub fn deed_page() -> Form {
    let error = Some(("minutes", "请选择多久。".to_owned()));
    Form { about: "托小班2 二氧化碳过高".into(), note: "风机送修".into(), error, ..form("shelve") }
}

fn site_incident(incident: Incident, site_name: &str, street: &str) -> SiteIncident {
    SiteIncident {
        incident,
        site: "site".into(),
        site_name: site_name.into(),
        district: "上虞区".into(),
        street: street.into(),
        institution: "community",
        duty: vec!["fire".into(), "health".into()],
        claimed_by: None,
        claimed_at: None,
        unrecorded: false,
    }
}

pub fn live() -> Live {
    let home = busy();
    let names = [("杏园托育", "百官街道"), ("曹娥社区驿站", "曹娥街道"), ("东关镇托育园", "东关街道"), ("崧厦幼儿园托班", "崧厦街道")];
    let mut incidents: Vec<SiteIncident> =
        home.incidents.into_iter().zip(names.iter().cycle()).map(|(i, (name, street))| site_incident(i, name, street)).collect();
    if let Some(i) = incidents.get_mut(2) {
        i.claimed_by = Some("区托育中心 李敏".into());
        i.unrecorded = true;
    }
    let site = |n: usize, trust: u8| {
        let (name, street) = names.get(n).copied().unwrap_or_default();
        Site {
            id: format!("site-{n}"),
            name: name.into(),
            district: "上虞区".into(),
            street: street.into(),
            last_heard: Some(NOW - 20_000),
            silent: false,
            gaps: if trust == 1 { vec![(14, 16)] } else { Vec::new() },
            healthy: true,
            clock_trusted: true,
            queue: u64::from(trust) * 12,
            open: 2,
            worst: Some(Severity::Serious),
            coverage: None,
        }
    };
    let mut silent = site(3, 0);
    (silent.silent, silent.last_heard, silent.open, silent.worst) = (true, Some(NOW - 900_000), 0, None);
    let mut live = Live { version: 7, incidents, sites: vec![site(0, 0), site(1, 1), site(2, 0), silent], notice: None };
    live.sort();
    live
}

pub fn platform_incident() -> platform::IncidentPage {
    let page = incident_page();
    let entries = page
        .entries
        .into_iter()
        .map(|entry| PlatformEntry::Site { received_at: entry.at + 1500, receipt: "r-7f3a91".into(), entry })
        .chain([PlatformEntry::District { at: NOW - 60_000, action: "claimed", actor: "李敏".into(), note: None }])
        .collect();
    platform::IncidentPage { incident: site_incident(page.incident, "杏园托育", "百官街道"), entries, rule: rule(), notice: None }
}

pub fn quarantine() -> Quarantine {
    Quarantine {
        total: 3,
        reasons: vec![("no decoder takes this topic".into(), 2), ("temperature: not a number".into(), 1)],
        items: vec![
            Quarantined {
                id: 2,
                at: NOW - 60_000,
                topic: "kit/living/x1/env".into(),
                decoder: None,
                reason: "no decoder takes this topic".into(),
                preview: "{\"t\":23.1}".into(),
                bytes: 10,
            },
            Quarantined {
                id: 1,
                at: NOW - 90_000,
                topic: "zigbee2mqtt/厨房".into(),
                decoder: Some("zigbee2mqtt".into()),
                reason: "temperature: not a number".into(),
                preview: "{\"temperature\":\"warm\"}".into(),
                bytes: 22,
            },
        ],
    }
}

/// A morning check that is being filled in.
pub fn morning_check() -> MorningCheck {
    MorningCheck {
        classes: vec![("toddler-1".into(), "托小班1".into()), ("toddler-2".into(), "托小班2".into())],
        symptoms: vec!["fever", "cough", "vomiting", "diarrhoea", "rash", "blisters", "red_eyes", "swollen_cheeks"],
        class: "toddler-2".into(),
        temperature: "37.6".into(),
        chosen: vec!["cough".into()],
        ..MorningCheck::default()
    }
}

fn card(id: &str, title: (&str, &str), severity: Severity, says: rules::Says, clause: &str) -> rules::Card {
    rules::Card {
        id: id.into(),
        title: Text::new(title.0, title.1),
        severity,
        basis: Basis::Confirmed,
        says,
        clause: clause.into(),
        verified: false,
        change: None,
    }
}

fn co2() -> rules::Card {
    let says = rules::Says {
        kind: "mean".into(),
        quantity: Some(Quantity::Co2),
        above: Some(Fixed(1000)),
        window: 3_600_000,
        occupied: Some(true),
        ..rules::Says::default()
    };
    card(
        "air.co2.mean",
        ("二氧化碳小时均值超标", "CO₂ above the hourly limit"),
        Severity::General,
        says,
        "GB/T 18883-2022 表1: CO₂ ≤ 0.10 % (1 h)",
    )
}

fn adjusted() -> rules::Card {
    let mut card = co2();
    let before = card.says.clone();
    card.says.above = Some(Fixed(1200));
    card.change = Some(rules::Change {
        state: "in_force",
        off: false,
        before,
        severity_before: Severity::General,
        reason: "新风机检修到 12 月底".into(),
        author: "王园长".into(),
        from: "2026-11-20".into(),
        expires: "2026-12-31".into(),
        by_page: true,
    });
    card
}

/// Rules of several hazards, one adjusted.
pub fn rules_page() -> rules::Rules {
    let smoke = rules::Says { kind: "state".into(), quantity: Some(Quantity::Smoke), is: Some(Fixed(1)), ..rules::Says::default() };
    let high = rules::Says {
        kind: "threshold".into(),
        quantity: Some(Quantity::Co2),
        above: Some(Fixed(2000)),
        hold: 900_000,
        occupied: Some(true),
        ..rules::Says::default()
    };
    let silent = rules::Says { kind: "silence".into(), missed: 3, ..rules::Says::default() };
    let group = |hazard: &str, rules: Vec<rules::Card>| rules::Group { hazard: hazard.into(), rules };
    rules::Rules {
        groups: vec![
            group(
                "fire.smoke",
                vec![card("fire.smoke.alarm", ("烟雾报警", "Smoke alarm"), Severity::Emergency, smoke, "GB 50116-2013 6.2")],
            ),
            group(
                "air.co2",
                vec![
                    card(
                        "air.co2.high",
                        ("二氧化碳严重超标", "CO₂ far too high"),
                        Severity::Serious,
                        high,
                        "GB/T 18883-2022 表1: CO₂; 二倍限值",
                    ),
                    adjusted(),
                ],
            ),
            group(
                "sensor.silent",
                vec![card("sensor.silent.any", ("传感器失联", "Sensor silent"), Severity::Advisory, silent, "GB 51348-2019")],
            ),
        ],
        changed: 1,
        total: 4,
        notice: None,
    }
}

/// A rule that is adjusted, and the form with one field that is wrong.
pub fn rule_page() -> rules::RulePage {
    rules::RulePage {
        card: adjusted(),
        advice: Text::new(
            "请开窗或打开新风通风十分钟以上；午睡时可先开门。",
            "Open the windows or the ventilation for ten minutes or more.",
        ),
        pack: "air".into(),
        form: rules::Form {
            emergency: false,
            enabled: true,
            bounds: vec![rules::Bound {
                name: "above",
                quantity: Some(Quantity::Co2),
                value: "一千二".into(),
                own: "1000".into(),
                error: Some("请填一个数字，例如 1000。".into()),
            }],
            hold: Some(rules::Span { value: "0".into(), unit: "m".into(), own: 0, error: None }),
            severity: 3,
            reason: "新风机检修到 12 月底".into(),
            author: "王园长".into(),
            expires: "2026-12-31".into(),
            error: Some("没有试算：请改好标出的地方。".into()),
            ..rules::Form::default()
        },
        trial: true,
        notice: None,
    }
}

/// A trial that is done.
pub fn trial_page() -> rules::TrialPage {
    let card = co2();
    let after = rules::Says { above: Some(Fixed(1200)), ..card.says.clone() };
    let figures = |incidents, per_week, low, high, hours: i64| rules::Figures {
        incidents,
        activations: incidents + 3,
        per_week,
        low,
        high,
        active_ms: hours * 3_600_000,
    };
    let offender = |place: &str, device: &str, activations, hours: i64| rules::Offender {
        place: place.into(),
        device: Some(device.into()),
        activations,
        active_ms: hours * 3_600_000 + 1_260_000,
    };
    let example = |age: i64, place: &str, value| rules::Example {
        at: NOW - age * 3_600_000,
        place: place.into(),
        device: None,
        reading: Some((Quantity::Co2, Fixed(value))),
    };
    rules::TrialPage {
        card,
        after,
        off: false,
        severity_after: Severity::General,
        reason: "新风机检修到 12 月底".into(),
        author: "王园长".into(),
        expires: "2026-12-31".into(),
        token: "t".into(),
        state: rules::Trial::Done(Box::new(rules::Outcome {
            from: NOW - 1_036_800_000,
            to: NOW,
            days: 5.4,
            doubts: vec![rules::Doubt::Short(5.4), rules::Doubt::Unheard(81)],
            devices: 6,
            before: Some(figures(11, 14.3, 7.1, 25.5, 31)),
            after: Some(figures(3, 3.9, 0.8, 11.4, 6)),
            offenders: vec![
                offender("托小班2", "climate-2", 4, 4),
                offender("午睡室", "climate-nap", 1, 1),
                offender("托大班1", "climate-7", 1, 0),
            ],
            examples: vec![example(97, "托小班2", 1243), example(50, "午睡室", 1310), example(26, "托小班2", 1222)],
        })),
    }
}

fn camera(id: &str, name: &str) -> cameras::Camera {
    cameras::Camera {
        id: id.into(),
        name: name.into(),
        zones: vec!["托小班2".into(), "大门".into()],
        live: true,
        newest: Some(NOW - 1_000),
        rate: 1.0,
        looked: 0.6,
        wanted: 1.0,
        lag: Some((420, 810)),
        people: (4, 5, 6),
        calibrated: true,
        areas: 2,
        ..cameras::Camera::default()
    }
}

/// Cameras in every state.
pub fn cameras_page() -> cameras::Cameras {
    let covered = cameras::Camera {
        live: false,
        blind: vec![(Quantity::CameraCovered, NOW - 240_000)],
        watchers: 1,
        ..camera("cam-2", "睡眠室摄像头")
    };
    let bare = cameras::Camera {
        calibrated: false,
        areas: 0,
        at_least: true,
        people: (6, 6, 6),
        blind: vec![(Quantity::CameraLowRate, NOW - 60_000)],
        ..camera("cam-3", "户外摄像头")
    };
    let silent = cameras::Camera { live: false, newest: None, lag: None, calibrated: false, ..camera("cam-4", "厨房门口") };
    cameras::Cameras { version: 3, cameras: vec![camera("cam-1", "托小班2摄像头"), covered, bare, silent], notice: None }
}

fn deeds() -> Vec<cameras::Deed> {
    let deed = |minutes: i64, what: &str, actor: &str, reason: &str| cameras::Deed {
        at: NOW - minutes * 60_000,
        actor: actor.into(),
        what: what.into(),
        reason: reason.into(),
    };
    vec![deed(3, "watch", "王园长", "调整画面与区域"), deed(1500, "set_up", "李师傅", "调整画面与区域 · 换了位置")]
}

/// One camera's page: before leave is asked, or (`watching`) while it lasts.
pub fn camera_page(watching: bool) -> cameras::CameraPage {
    let areas = r#"[{"kind":"room","corners":[[60,420],[560,330],[980,560],[900,980],[120,990]]},{"kind":"exit","zone":"entrance","corners":[[700,300],[880,330],[880,520],[720,480]]}]"#;
    cameras::CameraPage {
        camera: camera("cam-1", "托小班2摄像头"),
        watch: if watching {
            cameras::Watch::Running { left: 580_000, reason: "调整画面与区域".into() }
        } else {
            cameras::Watch::Ask
        },
        ask: cameras::Ask { name: "王园长".into(), ..cameras::Ask::default() },
        areas: areas.into(),
        floor: "null".into(),
        zones: vec![("toddler-2".into(), "托小班2".into()), ("entrance".into(), "大门".into())],
        toml: "[[cameras]]\ndevice = \"cam-1\"\nframes_per_10s = 10\n".into(),
        deeds: deeds(),
        wrong: None,
        notice: None,
    }
}

/// What is kept of an incident.
pub fn pictures_page(open: bool) -> cameras::Pictures {
    let film = (0..24).map(|n| (1, n, NOW - 120_000 + i64::from(n) * 5_000)).collect();
    cameras::Pictures {
        incident: "01KAPT0000000000000000001".into(),
        title: "孩子摔倒后没有起来".into(),
        place: "托小班2".into(),
        kept: cameras::Kept::Here {
            cameras: vec![("托小班2摄像头".into(), film)],
            pictures: 24,
            opened_at: NOW - 60_000,
            complete: true,
            cut_short: true,
            held: false,
        },
        watch: if open { cameras::Watch::Running { left: 580_000, reason: "核实情况".into() } } else { cameras::Watch::Ask },
        ask: cameras::Ask::default(),
        deeds: deeds(),
        notice: None,
    }
}

fn quality_figures(alarms: u64, floods: u64, late: u64) -> quality::Figures {
    quality::Figures {
        alarms,
        per_day: alarms as f64 / 6.6,
        per_hour: alarms as f64 / 158.0,
        by_severity: [2, 9, alarms.saturating_sub(26), 15],
        peak: 12,
        floods,
        flood_share: 0.0021,
        chattering: 1,
        stale: 1,
        incidents: 61,
        judged: 9,
        wrong: 4,
        late,
        asked: 52,
    }
}

/// A week with all that can go wrong.
pub fn quality() -> quality::Quality {
    use quality::{Actor, Advice, Step, Trial};
    let day = |n: i64, alarms, urgent| quality::Day { date: format!("2026-11-{}", 18 + n), alarms, urgent };
    let actor = |rule: &str, hazard: &str, severity, place: &str, device: &str, alarms: u64, advice, trial| Actor {
        rule: rule.into(),
        known: true,
        hazard: hazard.into(),
        title: Text::default(),
        severity,
        place: place.into(),
        device: Some(device.into()),
        alarms,
        share: alarms as f64 / 86.0,
        chatter: 0,
        held_back: 0,
        stale: 0,
        judged: 0,
        wrong: 0,
        advice,
        trial,
    };
    let co2 = Step::Bound { name: "above", quantity: Quantity::Co2, from: Fixed(1000), to: Fixed(1050) };
    let actors = vec![
        Actor {
            chatter: 3,
            held_back: 21,
            ..actor(
                "door.held_open",
                "door.held_open",
                Severity::General,
                "大门",
                "大门门磁",
                32,
                Advice::Adjust(vec![Step::Hold { from: 60_000, to: 120_000 }]),
                Trial::Done { before: 32.0, after: 9.4, days: 26.5, short: false },
            )
        },
        Actor {
            judged: 4,
            wrong: 3,
            ..actor(
                "air.co2.mean",
                "air.co2",
                Severity::General,
                "托小班2",
                "climate-2",
                18,
                Advice::Adjust(vec![co2]),
                Trial::Done { before: 21.0, after: 13.2, days: 5.5, short: true },
            )
        },
        Actor {
            judged: 1,
            wrong: 1,
            ..actor("fire.smoke.alarm", "fire.smoke", Severity::Emergency, "厨房", "烟感-厨房", 4, Advice::Sensor("place"), Trial::None)
        },
        Actor {
            stale: 1,
            ..actor("sensor.silent", "sensor.silent", Severity::Advisory, "午睡室", "climate-nap", 3, Advice::Sensor("link"), Trial::None)
        },
        actor(
            "noise.high",
            "noise.high",
            Severity::Advisory,
            "托大班1",
            "noise-7",
            3,
            Advice::Adjust(vec![Step::Hold { from: 0, to: 30_000 }]),
            Trial::Pending,
        ),
    ];
    let span = |target, answered, median, p90, within, judged| quality::Span {
        target,
        answered,
        median: Some(median),
        p90: Some(p90),
        within,
        judged,
    };
    let times = vec![
        quality::Times {
            severity: Severity::Emergency,
            acknowledge: span(Some(60_000), 2, 38_000, 95_000, 1, 2),
            handle: span(Some(600_000), 2, 245_000, 412_000, 2, 2),
        },
        quality::Times {
            severity: Severity::Serious,
            acknowledge: span(Some(300_000), 8, 122_000, 540_000, 7, 9),
            handle: span(Some(3_600_000), 9, 1_320_000, 2_940_000, 9, 9),
        },
        quality::Times {
            severity: Severity::Advisory,
            acknowledge: quality::Span::default(),
            handle: quality::Span { answered: 12, median: Some(4_500_000), p90: Some(27_000_000), ..quality::Span::default() },
        },
    ];
    let late = |id: &str, severity, place: &str, hazard: &str, handling, done, took, target| quality::Late {
        incident: id.into(),
        hazard: hazard.into(),
        title: Text::default(),
        place: place.into(),
        severity,
        opened_at: NOW - 200_000_000,
        handling,
        took,
        target,
        done,
    };
    let share = |hazard: &str, incidents, judged, wrong| quality::RuleShare {
        hazard: hazard.into(),
        title: Text::default(),
        incidents,
        judged,
        wrong,
    };
    quality::Quality {
        from: NOW - 571_000_000,
        to: NOW,
        recorded_from: None,
        figures: quality_figures(86, 1, 3),
        previous: Some(quality_figures(112, 0, 3)),
        actors_share: actors.iter().map(|a| a.share).sum(),
        actors,
        days: vec![day(0, 9, 1), day(1, 12, 2), day(2, 27, 4), day(3, 3, 0), day(4, 2, 0), day(5, 21, 3), day(6, 12, 1)],
        hours: [0, 0, 0, 0, 0, 1, 2, 9, 14, 6, 5, 8, 4, 3, 5, 7, 11, 8, 2, 1, 0, 0, 0, 0],
        floods: vec![quality::Flood { from: NOW - 200_000_000, to: NOW - 198_900_000, alarms: 14, peak: 12 }],
        stale: vec![quality::Stale {
            incident: "01KAPT0000000000000000002".into(),
            hazard: "sensor.silent".into(),
            title: Text::default(),
            place: "午睡室".into(),
            since: NOW - 190_000_000,
            until: None,
        }],
        rules: vec![
            share("air.co2", 12, 4, 3),
            share("fire.smoke", 2, 1, 1),
            share("door.held_open", 30, 4, 0),
            share("sensor.silent", 3, 0, 0),
        ],
        times,
        late: vec![
            late("01KAPT0000000000000000003", Severity::Emergency, "厨房", "fire.smoke", false, true, 95_000, 60_000),
            late("01KAPT0000000000000000004", Severity::Serious, "大门", "exit.child_unattended", false, true, 540_000, 300_000),
            late("01KAPT0000000000000000005", Severity::Serious, "午睡室", "nap.prone", false, false, 2_400_000, 300_000),
        ],
        apart: quality::Apart {
            drills: 1,
            canaries: 7,
            shelved: 2,
            unannounced: 3,
            held_back: 21,
            gathered: 4,
            merged: 1,
            ..Default::default()
        },
        trying: false,
        incomplete: false,
        clock_doubt: 0,
    }
}

pub fn quality_page() -> quality::QualityPage {
    quality::QualityPage { quality: quality(), days: 7, choices: [7, 28], week: "2026-W47".into() }
}

pub fn quality_report() -> quality::ReportPage {
    quality::ReportPage {
        quality: quality(),
        site: "杏园托育".into(),
        week: "2026-W47".into(),
        first: "2026-11-16".into(),
        last: "2026-11-22".into(),
        before: "2026-W46".into(),
        after: None,
    }
}

/// A file that was checked at the district: whole, or not.
pub fn evidence_check(whole: bool) -> crate::view::evidence::Check {
    use crate::view::evidence::{Accepted, Check, Fault, KeyState, Proven, Verdict, Waiting, Witnessed};
    let print = "1f0a 93c2 77de 0b41 5a6e 2c19 d8f3 6b07 9e44 a15d 30c8 72fb e6a9 4d12 8c5f b370".to_owned();
    let verdict = if whole {
        Verdict::Whole(Proven {
            site: "杏园托育".into(),
            incident: "01JE0000000000000000000001".into(),
            events: 6,
            witnessed: 5,
            records: 214,
            made_at: NOW - 3_600_000,
            made_by: "赵主任".into(),
            purpose: "家长查询".into(),
            fingerprint: print.clone(),
            key: KeyState::Known,
            coverage: Some((21, 4, 3)),
        })
    } else {
        let detail = Some("record 9 (leaf: event 17 acknowledged)".to_owned());
        let says = "the time of record 9 (leaf: event 17 acknowledged) was changed".to_owned();
        Verdict::Changed(vec![Fault { code: "time", detail, says }])
    };
    let trouble = Some(("the site's log has 40 records, and had 52 before: records were taken away".to_owned(), NOW - 60_000));
    let logs = vec![
        Witnessed {
            site: "杏园托育".into(),
            log: "01JD0000000000000000000000".into(),
            records: 1_204,
            at: NOW - 40_000,
            key: print.clone(),
            trouble: None,
        },
        Witnessed {
            site: "星园托育中心".into(),
            log: "01JD0000000000000000000001".into(),
            records: 52,
            at: NOW - 7_200_000,
            key: print.clone(),
            trouble,
        },
    ];
    let waiting = vec![Waiting {
        site: "xinghe".into(),
        name: "星河托育".into(),
        log: "01JD0000000000000000000002".into(),
        key: print.replace(' ', ""),
        fingerprint: print.clone(),
        known_log: false,
        records: 31,
        at: NOW - 1_200_000,
    }];
    let accepted = vec![Accepted {
        name: "杏园托育".into(),
        fingerprint: print.clone(),
        known_log: true,
        at: NOW - 86_400_000,
        actor: "赵主任".into(),
        reason: "主机损坏更换，已电话核实".into(),
    }];
    Check { key: print, verdict: Some(verdict), logs, waiting, accepted, name: "赵主任".into(), error: None }
}

/// The institution's log: witnessed up to the last few records, or refused.
pub fn witness(refused: bool) -> crate::view::evidence::Witness {
    use crate::view::evidence::{Seen, Witness};
    let print = "1f0a 93c2 77de 0b41 5a6e 2c19 d8f3 6b07 9e44 a15d 30c8 72fb e6a9 4d12 8c5f b370".to_owned();
    Witness {
        log: "01JD0000000000000000000000".into(),
        records: 1_207,
        root: print.replace(' ', ""),
        key: print.clone(),
        district: true,
        seen: Some(Seen { records: 1_204, at: NOW - 40_000, key: print }),
        refused: refused
            .then(|| "the site begins a new log (01JX), and had another before: a supervisor of the district must accept it first".into()),
    }
}

/// The form that exports evidence, with what is missing in it.
pub fn evidence_export() -> crate::view::evidence::Export {
    crate::view::evidence::Export {
        incident: "01JE0000000000000000000001".into(),
        title: "烟雾报警 · 2026年11月22日 14:32".into(),
        name: "赵主任".into(),
        pictures: true,
        key: "1f0a 93c2 77de 0b41 5a6e 2c19 d8f3 6b07 9e44 a15d 30c8 72fb e6a9 4d12 8c5f b370".into(),
        ..crate::view::evidence::Export::default()
    }
}

/// A day with a covered camera, a gateway that was off and a sensor that was silent, and the weeks before it.
pub fn coverage_page() -> crate::view::coverage::CoveragePage {
    use crate::view::coverage::{CalendarDay, CoveragePage, Zone};
    use tuoan_protocol::ledger::{Figure, Run};
    let zone = |name: &str, parts: &[(u16, Sight)]| {
        let mut run = Run::default();
        parts.iter().for_each(|(minutes, sight)| run.push(*minutes, *sight));
        Zone { name: name.into(), run, now: Some(parts.last().map_or(Sight::Absent, |p| p.1)) }
    };
    let off = Sight::blind(Cause::GatewayDown, None);
    let covered = Sight::blind(Cause::CameraCovered, Some(Need::Camera));
    let silent = Sight::degraded(Cause::Silent, Some(Need::Co2));
    let day = |n: i64| {
        let date = time::Date::from_julian_day(2_461_272 + n as i32).map(|d| d.to_string()).unwrap_or_default();
        let blind = [0, 0, 3, 55, 900][(n % 5) as usize];
        let told = (n > 20).then_some((Figure { watched: 7200 - blind, degraded: 0, blind }, blind as u16));
        CalendarDay { date, told }
    };
    CoveragePage {
        date: "2026-11-22".into(),
        open: Some(872),
        zones: vec![
            zone("托小班1", &[(200, Sight::Watched), (6, off), (334, Sight::Watched), (19, covered), (313, Sight::Watched)]),
            zone("托小班2", &[(200, Sight::Watched), (6, off), (444, Sight::Watched), (222, silent)]),
            zone("大门", &[(200, Sight::Watched), (6, off), (660, Sight::Watched), (6, Sight::blind(Cause::Silent, Some(Need::Contact)))]),
            zone("厨房", &[(300, Sight::Absent), (572, Sight::Watched)]),
        ],
        calendar: (0..96).map(day).collect(),
        before: Some("2026-11-21".into()),
        after: None,
        hash: None,
    }
}
