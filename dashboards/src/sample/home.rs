//! The home page.
use super::incident::form;
use super::*;
use crate::lang::Text;
use crate::view::Notice;
use crate::view::alarm::*;
use crate::view::gateway::*;
use tuoan_protocol::{Basis, Fixed, Inhibition, Quantity, Severity};

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
