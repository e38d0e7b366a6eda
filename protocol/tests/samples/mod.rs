//! One message of each type, with everything optional given, and one with nothing optional.
use tuoan_protocol::*;

fn name<T: std::str::FromStr<Err = id::NameError>>(text: &str) -> T {
    text.parse().unwrap()
}

pub fn telemetry() -> Telemetry {
    let reading = |quantity, channel, value| Reading { quantity, channel, value: Fixed(value) };
    Telemetry {
        site: name("xingyuan"),
        device: name("托小班2-th"),
        boot: 7,
        seq: 300,
        time: DeviceTime::Unix(1_790_000_000_123),
        readings: [
            reading(Quantity::Temperature, 0, 2340),
            reading(Quantity::Temperature, 1, -55),
            reading(Quantity::Co2, 0, 812),
            reading(Quantity::Smoke, 0, 1),
            reading(Quantity::from_name("radon").unwrap(), 0, 12_500),
        ]
        .into_iter()
        .collect(),
        age: None,
    }
}

/// What waited for twenty minutes on a node that nobody has told the time.
pub fn backlog() -> Telemetry {
    Telemetry { time: DeviceTime::Uptime(60_000), age: Some(1_200_000), ..telemetry() }
}

pub fn event() -> DeviceEvent {
    DeviceEvent {
        site: name("xingyuan"),
        device: name("siren-1"),
        boot: 1,
        seq: 0,
        time: DeviceTime::Uptime(60_000),
        kind: EventKind::CommandDone,
        command: Some(42),
        age: None,
    }
}

pub fn status() -> Status {
    Status {
        site: name("xingyuan"),
        device: name("th-1"),
        boot: Some(7),
        presence: Presence::Online,
        make: Some("Tuoan".try_into().unwrap()),
        model: Some("node \"C3\"".try_into().unwrap()),
        firmware: Some("1.2.0".try_into().unwrap()),
        period_s: Some(60),
        reason: None,
        hardware: None,
        reset: None,
    }
}

/// The birth of a node, which says what it is and why it started.
pub fn birth() -> Status {
    let hardware = Some("rp2040-w5500.e66138528361b32a".try_into().unwrap());
    Status { hardware, reset: Some("watchdog".try_into().unwrap()), ..status() }
}

pub fn will() -> Status {
    Status { boot: None, presence: Presence::Offline, make: None, model: None, firmware: None, period_s: None, ..status() }
}

pub fn command() -> DeviceCommand {
    DeviceCommand {
        site: name("xingyuan"),
        device: name("siren-1"),
        id: 42,
        action: DeviceAction::SirenOn,
        expires: Some(1_790_000_060_000),
    }
}

pub fn frame() -> FrameHeader {
    FrameHeader {
        site: name("xingyuan"),
        device: name("cam-1"),
        boot: 3,
        seq: 9,
        time: DeviceTime::Unix(1_790_000_000_000),
        width: 1280,
        height: 720,
        size: 5,
    }
}

pub fn incident() -> IncidentEvent {
    IncidentEvent {
        site: name("xingyuan"),
        institution: InstitutionType::Community,
        supervisor: SupervisingBody::CivilAffairs,
        log: name("01JZ0000000000000000000000"),
        sequence: 12,
        position: 345,
        id: name("01JZ0000000000000000000012"),
        incident: name("01JZ0000000000000000000011"),
        at: 1_790_000_000_456,
        clock_trusted: true,
        transition: Transition::Acknowledged,
        state: IncidentState { active: true, acknowledged: true, closed: false, inhibited: None },
        hazard: name("air.co2"),
        place: Place { zone: name("toddler-2"), device: Some(name("th-1")) },
        severity: Severity::General,
        basis: Basis::Confirmed,
        rule: name("air.co2.high"),
        trigger: Some(Trigger { device: name("th-1"), reading: Some((Quantity::Temperature, Fixed(3105))), seq: Some(300) }),
        activations: 2,
        found_on_connect: false,
        actor: Some("王老师".try_into().unwrap()),
        note: Some("开窗\n\u{1}".try_into().unwrap()),
        engine: "0.1.0".try_into().unwrap(),
        rules: core::array::from_fn(|i| i as u8),
        overridden_by: None,
        via: None,
        cause: None,
        until: None,
        assignee: None,
        other: None,
        rung: None,
        exercise: None,
    }
}

pub fn bare_incident() -> IncidentEvent {
    let mut event = incident();
    event.place.device = None;
    (event.trigger, event.actor, event.note) = (None, None, None);
    event
}

pub fn offer() -> UpdateOffer {
    UpdateOffer { site: name("xingyuan"), device: name("th-1"), header: (0..136).collect() }
}

pub fn chunk() -> UpdateChunk {
    UpdateChunk { image: 0x0001_0203_0405_0607, offset: 4096, data: heapless::Vec::from_slice(&[0xde, 0xad, 0xbe, 0xef]).unwrap() }
}

pub fn progress() -> UpdateProgress {
    UpdateProgress {
        site: name("xingyuan"),
        device: name("th-1"),
        image: 0x0001_0203_0405_0607,
        stage: UpdateStage::Wants,
        offset: Some(4096),
        room: Some(256),
        reason: None,
    }
}

pub fn refused_update() -> UpdateProgress {
    UpdateProgress {
        stage: UpdateStage::Refused,
        offset: None,
        room: None,
        reason: Some("bad_signature".try_into().unwrap()),
        ..progress()
    }
}

pub fn settings() -> DeviceSettings {
    let rule = |quantity| QuantityRule { quantity, look_s: None, report_s: None, oversample: None, step: None, low: None, high: None };
    let mut co2 = rule(Quantity::Co2);
    (co2.look_s, co2.report_s, co2.oversample) = (Some(10), Some(60), Some(4));
    let mut temperature = rule(Quantity::Temperature);
    (temperature.step, temperature.low, temperature.high) = (Some(Fixed(20)), Some(Fixed(-550)), Some(Fixed(3105)));
    DeviceSettings {
        site: name("xingyuan"),
        device: name("th-1"),
        id: 3,
        altitude_m: Some(120),
        self_calibration: Some(false),
        local_alarm: None,
        rules: [co2, temperature, rule(Quantity::Humidity)].into_iter().collect(),
    }
}

pub fn applied() -> SettingsAnswer {
    SettingsAnswer { site: name("xingyuan"), device: name("th-1"), id: 3, refused: Some("rules.co2.report_s".try_into().unwrap()) }
}
