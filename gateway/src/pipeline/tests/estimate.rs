//! Rooms that are estimated: the model's answers are inputs like any other.
use super::*;
use crate::estimate::model::{ClimateModel, Source};
use crate::runtime::Choice;
use tuoan_protocol::Fixed;

fn with_model(config: &mut PipelineConfig) {
    config.model = ClimateModel::open(&Source::BuiltIn, &Choice::Embedded).unwrap();
    config.rules = crate::engine::testing::packs();
}

/// A minute of the recording: its number; temperature, humidity, light, CO2; whether somebody was in.
type Minute = (i64, [(Quantity, f64); 4], bool);

/// The office of 2015-02-05 from 07:00: empty until 07:38, then in use.
fn morning() -> Vec<Minute> {
    let csv = include_str!("../../../demo-data/office.csv");
    let rows = csv.lines().filter_map(|l| l.strip_prefix("2015-02-05 ")).map(|l| {
        let f: Vec<&str> = l.split(',').collect();
        let time: Vec<i64> = f[0].split(':').map(|p| p.parse().unwrap()).collect();
        let n = |i: usize| f[i].parse::<f64>().unwrap();
        let values = [(Quantity::Temperature, n(1)), (Quantity::Humidity, n(2)), (Quantity::Illuminance, n(3)), (Quantity::Co2, n(4))];
        // Written at the full minute or a second before it.
        ((time[0] - 7) * 60 + time[1] + time[2] / 30, values, f[5] == "1")
    });
    rows.take_while(|r| r.0 < 120).collect()
}

fn likelihood(view: &View) -> Option<Fixed> {
    let room = view.zones.iter().find(|z| z.id.as_str() == "room")?;
    room.sensors.iter().find(|s| s.quantity == Quantity::OccupancyLikelihood).map(|s| s.value)
}

#[test]
fn a_room_that_is_used_after_closing_is_noticed_and_the_log_replays_without_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let evening = t("20:00");
    let clock = Clock::manual(evening);
    let gateway = Gateway::try_start(dir.path(), &clock, None, with_model).unwrap();
    let (mut empty, mut used) = (Vec::new(), Vec::new());
    for (seq, (minute, values, occupied)) in (1u64..).zip(morning()) {
        clock.set(evening + minute * 60_000);
        let readings = values.iter().map(|(q, v)| Reading { quantity: q.clone(), channel: 0, value: q.fixed(*v).unwrap() }).collect();
        let message = Telemetry {
            site: "xingyuan".parse().unwrap(),
            device: "air".parse().unwrap(),
            boot: 1,
            seq,
            age: None,
            time: DeviceTime::Uptime(seq),
            readings,
        };
        let acked = gateway.publish("tuoan/v1/xingyuan/air/telemetry", message.to_json().into_bytes());
        assert_eq!(gateway.wait(acked), Some(Stored::Yes));
        let mut state = State::default();
        if [20, 30, 60, 61, 90, 91, 110].contains(&minute) {
            let inputs: Vec<Input> = entries(&gateway.handle().reader).into_iter().map(|e| Input { at: e.at, body: e.body }).collect();
            step(&mut state, &inputs, clock.utc_ms());
            let value = likelihood(&state.view(clock.utc_ms())).expect("the room is estimated");
            if occupied { used.push(value.0) } else { empty.push(value.0) }
        }
    }
    assert!(!empty.is_empty() && empty.iter().all(|v| *v < 300), "{empty:?} thousandths while empty");
    assert!(used.len() >= 2 && used.iter().all(|v| *v > 800), "{used:?} thousandths while used");

    let reader = gateway.handle().reader.clone();
    let open = reader.incidents(&IncidentFilter { open: true, ..Default::default() }, 99).unwrap();
    assert!(open.iter().any(|i| (i.hazard.as_str(), i.place.zone.as_str()) == ("left.behind", "room")), "{open:?}");
    let stored: Vec<Vec<u8>> = events(&reader).into_iter().map(|e| e.bytes).collect();
    assert_eq!(replayed(&reader), stored, "bit for bit");
    let log = entries(&reader);
    let ours = |e: &&Entry| matches!(&e.body, Body::Message(m) if m.device.as_str() == "estimate.room");
    assert!(log.iter().filter(ours).all(|e| !e.message), "an estimate is no message from outside");
    let said = log.iter().filter(ours).count();
    assert!((100..=120).contains(&said), "{said} estimates in two hours");
    assert_eq!(reader.counts().unwrap().messages, morning().len() as u64);
    gateway.drain();

    // The same log goes on without a model.
    let gateway = Gateway::try_start(dir.path(), &clock, None, |c| c.rules = crate::engine::testing::packs()).unwrap();
    let before = entries(&reader).iter().filter(ours).count();
    clock.set(evening + 3 * 3_600_000);
    assert!(gateway.says("air", 2, 1, Quantity::Co2, 900.0));
    assert_eq!(entries(&reader).iter().filter(ours).count(), before);
    // An estimate that stops is no incident of its own: the room's sensors are silent, which is said.
    let silent = reader.incidents(&IncidentFilter::default(), 99).unwrap();
    assert!(silent.iter().all(|i| i.place.device.as_ref().is_none_or(|d| !d.as_str().starts_with("estimate."))), "{silent:?}");
    assert!(reader.kept("estimate").unwrap().is_some(), "what was learned waits for the model's return");
    gateway.drain();
}
