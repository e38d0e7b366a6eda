//! What the gateway's own eyes say: inputs of the log like any other.
use super::*;
use crate::engine::testing::{packs, reading, seen};
use crate::engine::{Item, Message};

fn with_eyes(config: &mut PipelineConfig) {
    (config.site, config.rules) = (seen(None), packs());
}

fn open(reader: &Reader, hazard: &str) -> usize {
    let open = reader.incidents(&IncidentFilter { open: true, ..Default::default() }, 99).unwrap();
    open.iter().filter(|i| i.hazard.as_str() == hazard && i.state.active).count()
}

#[test]
fn what_is_seen_is_logged_and_replays_without_a_camera() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(t("10:00"));
    let gateway = Gateway::try_start(dir.path(), &clock, None, with_eyes).unwrap();
    let handle = gateway.handle().clone();
    let reader = handle.reader.clone();
    let eyes = DeviceInfo { device: Some("vision.room".parse().unwrap()), model: Some("person-pose".into()), ..DeviceInfo::default() };
    handle.introduce(eyes).unwrap();
    handle.observe(reading("vision.room", Quantity::Unattended, 1.0)).unwrap();
    handle.observe(reading("eye", Quantity::CameraCovered, 0.0)).unwrap();
    assert!(gateway.tick());
    clock.set(t("10:00:59"));
    assert!(gateway.tick() && open(&reader, "room.unattended") == 0);
    clock.set(t("10:01"));
    assert!(gateway.tick() && open(&reader, "room.unattended") == 1);
    let blind = Message {
        items: vec![Item::Unknown { quantity: Quantity::Unattended, channel: 0 }],
        ..reading("vision.room", Quantity::Unattended, 0.0)
    };
    handle.observe(blind).unwrap();
    handle.observe(reading("eye", Quantity::CameraCovered, 1.0)).unwrap();
    clock.set(t("10:10"));
    assert!(gateway.tick() && open(&reader, "room.unattended") == 1 && open(&reader, "camera.blind") == 1);

    let stored: Vec<Vec<u8>> = events(&reader).into_iter().map(|e| e.bytes).collect();
    assert_eq!(replayed(&reader), stored, "bit for bit");
    let log = entries(&reader);
    let ours = |e: &&Entry| matches!(&e.body, Body::Message(m) if m.device.as_str() == "vision.room");
    assert_eq!(log.iter().filter(ours).count(), 2);
    assert!(log.iter().filter(ours).all(|e| !e.message), "what is seen is no message from outside");
    assert_eq!(reader.counts().unwrap().messages, 0);
    gateway.drain();
    assert_eq!(handle.observe(reading("vision.room", Quantity::Unattended, 0.0)), Err(Untaken::Stopped));

    // Started again it goes on where it was, and without a word nothing is believed any more.
    let gateway = Gateway::try_start(dir.path(), &clock, None, with_eyes).unwrap();
    clock.set(t("10:20"));
    assert!(gateway.tick() && open(&reader, "room.unattended") == 1);
    gateway.handle().observe(reading("vision.room", Quantity::Unattended, 0.0)).unwrap();
    assert!(gateway.tick());
    clock.set(t("10:20:10"));
    assert!(gateway.tick() && open(&reader, "room.unattended") == 0);
    gateway.drain();
}
