//! The embedded broker, packet by packet.
use crate::support::{Gateway, Hello, PUBACK, PUBCOMP, PUBLISH, PUBREC, QUIET, Raw, SOON, picture, until};
use bytes::Bytes;
use std::sync::Arc;
use tuoan::ingest::{INBOUND_QUEUE, MemoryRetained, RetainedStore, Stored};

const TELEMETRY: &str = "tuoan/v1/xingyuan/env-1/telemetry";
const STATUS: &str = "tuoan/v1/xingyuan/env-1/status";
const COMMAND: &str = "tuoan/v1/xingyuan/env-1/command";

#[tokio::test(flavor = "multi_thread")]
async fn puback_only_after_the_commit() {
    let mut gateway = Gateway::start().await;
    let mut device = Raw::connect(gateway.addr, "env").await;
    device.publish(TELEMETRY, 1, 7, b"one", false).await;
    let inbound = gateway.next().await;
    assert_eq!((&*inbound.topic, &inbound.payload[..], inbound.qos, inbound.retained), (TELEMETRY, &b"one"[..], 1, false));
    assert_eq!(inbound.sender.as_deref(), Some("env"));
    assert!(device.silent().await, "acknowledged before the commit");
    inbound.ack.done(Stored::Yes);
    assert_eq!(device.packet().await, Some((PUBACK, vec![0, 7])));
}

#[tokio::test(flavor = "multi_thread")]
async fn pubrec_only_after_the_commit() {
    let mut gateway = Gateway::start().await;
    let mut device = Raw::connect(gateway.addr, "env").await;
    device.publish(TELEMETRY, 2, 8, b"two", false).await;
    let inbound = gateway.next().await;
    assert_eq!(inbound.qos, 2);
    assert!(device.silent().await, "PUBREC before the commit");
    inbound.ack.done(Stored::Yes);
    assert_eq!(device.packet().await, Some((PUBREC, vec![0, 8])));
    // A repeat of what was received is answered, not taken in again.
    device.publish(TELEMETRY, 2, 8, b"two", false).await;
    assert_eq!(device.packet().await, Some((PUBREC, vec![0, 8])));
    device.send(0x62, &[0, 8]).await;
    assert_eq!(device.packet().await, Some((PUBCOMP, vec![0, 8])));
    assert!(gateway.nothing_waits());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wide_window_of_qos_2_is_not_cut_off() {
    let gateway = Gateway::start().await;
    let (_broker, addr, _stored) = gateway.store_all();
    let mut device = Raw::connect(addr, "env").await;
    for id in 1..=100 {
        device.publish(TELEMETRY, 2, id, b"x", false).await;
    }
    for id in 1..=100u16 {
        assert_eq!(device.packet().await, Some((PUBREC, id.to_be_bytes().to_vec())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_stored_is_not_acknowledged_and_comes_again() {
    let mut gateway = Gateway::start().await;
    for stored in [Some(Stored::No), None] {
        let mut device = Raw::connect(gateway.addr, "env").await;
        device.publish(TELEMETRY, 1, 9, b"again", false).await;
        match stored {
            Some(stored) => assert_eq!(gateway.answer(stored).await.1, "again"),
            // Dropped without an answer: a pipeline that ends.
            None => drop(gateway.next().await),
        }
        assert_eq!(device.packet().await, None, "the connection must be closed without PUBACK");
    }
    let mut device = Raw::connect(gateway.addr, "env").await;
    device.publish(TELEMETRY, 1, 9, b"again", false).await;
    assert_eq!(gateway.answer(Stored::Yes).await.1, "again");
    assert_eq!(device.packet().await, Some((PUBACK, vec![0, 9])));
    assert_eq!((gateway.broker.stats().unstored, gateway.broker.stats().accepted), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn qos_0_waits_for_space_but_never_for_the_commit() {
    let mut gateway = Gateway::with(Arc::new(MemoryRetained::default()), 2, None).await;
    let mut device = Raw::connect(gateway.addr, "env").await;
    for i in 0..5u8 {
        device.publish(TELEMETRY, 0, 0, &[i], false).await;
    }
    // Nothing has been taken out: two lie in the queue, the third waits, the others are still in the socket.
    until("the queue is full", || gateway.broker.stats().waiting == 1 && gateway.inbound.len() == 2).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(gateway.inbound.len(), 2);
    let mut held = Vec::new();
    for i in 0..5u8 {
        let inbound = gateway.next().await;
        assert_eq!(inbound.payload, [i][..]);
        held.push(inbound.ack);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_and_foreign_wills_are_refused_at_connect() {
    let gateway = Gateway::start().await;
    let hello = Hello { user: "env", client: "env", ..Hello::default() };
    let code = async |hello| Raw::hello(gateway.addr, hello).await.1;
    assert_eq!(code(Hello { password: Some("guess"), ..hello }).await, 4);
    assert_eq!(code(Hello { user: "nobody", ..hello }).await, 4);
    assert_eq!(code(Hello { will: Some(("tuoan/v1/xingyuan/env-2/status", b"gone", false)), ..hello }).await, 5);
    assert_eq!(code(Hello { will: Some((COMMAND, b"open", false)), ..hello }).await, 5);
    assert_eq!(gateway.broker.stats().logins_refused, 4);
    assert_eq!(code(Hello { will: Some((STATUS, b"gone", false)), ..hello }).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_id_in_use_cannot_be_taken_over_by_another_user() {
    let gateway = Gateway::start().await;
    let mut device = Raw::connect(gateway.addr, "env").await;
    let (_, code) = Raw::hello(gateway.addr, Hello { user: "lab", client: "env", ..Hello::default() }).await;
    assert_eq!(code, 5);
    assert!(device.silent().await, "the rightful session must live on");
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_outside_the_access_list_are_refused() {
    let mut gateway = Gateway::start().await;
    for topic in ["tuoan/v1/xingyuan/env-2/telemetry", COMMAND, "lab/x", "$SYS/broker/x"] {
        let mut device = Raw::connect(gateway.addr, "env").await;
        device.publish(topic, 1, 3, b"x", false).await;
        assert_eq!(device.packet().await, None, "{topic}: MQTT 3.1.1 can only close the connection");
    }
    let mut device = Raw::connect(gateway.addr, "env").await;
    device.publish("lab/x", 0, 0, b"x", false).await;
    assert!(device.silent().await, "QoS 0 is dropped without closing");
    assert_eq!(device.subscribe("lab/#").await, 0x80);
    assert_eq!(device.subscribe("#").await, 0x80);
    assert_eq!(device.subscribe("$share/g/lab/x").await, 0x80);
    assert_eq!(device.subscribe(COMMAND).await, 1);
    assert!(gateway.nothing_waits());
    assert_eq!(gateway.broker.stats().refused, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_packets_are_refused_except_for_frames() {
    let mut gateway = Gateway::start().await;
    let mut device = Raw::connect(gateway.addr, "env").await;
    device.publish(TELEMETRY, 1, 3, &vec![0; (256 << 10) + 1], false).await;
    assert_eq!(device.packet().await, None);
    let mut camera = Raw::connect(gateway.addr, "cam").await;
    let mut picture = picture(4 << 20);
    camera.publish("tuoan/v1/xingyuan/cam-1/frame", 1, 4, &picture, false).await;
    assert_eq!(camera.packet().await, Some((PUBACK, vec![0, 4])), "acknowledged on hand-over");
    assert_eq!(gateway.frames.cameras()[0].bytes, 4 << 20);
    picture.resize((4 << 20) + 5000, 0);
    camera.publish("tuoan/v1/xingyuan/cam-1/frame", 1, 5, &picture, false).await;
    assert_eq!(camera.packet().await, Some((PUBACK, vec![0, 5])), "sending it again would not make it smaller");
    assert!(gateway.frames.refusals(i64::MAX)[0].reason.contains("4194304"), "{:?}", gateway.frames.refusals(i64::MAX)[0].reason);
    picture.resize((4 << 20) + (300 << 10), 0);
    camera.publish("tuoan/v1/xingyuan/cam-1/frame", 0, 0, &picture, false).await;
    assert_eq!(camera.packet().await, None, "larger than any packet may be");
    assert!(gateway.nothing_waits());
}

/// Boards and Frigate publish their pictures retained; and not every picture comes on a camera's topic.
#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_neither_retained_nor_stored_wherever_it_is_published() {
    let store = Arc::new(MemoryRetained::default());
    let mut gateway = Gateway::with(Arc::clone(&store) as Arc<dyn RetainedStore>, INBOUND_QUEUE, None).await;
    let mut camera = Raw::connect(gateway.addr, "cam").await;
    camera.publish("tuoan/v1/xingyuan/cam-1/frame", 1, 4, &picture(5000), true).await;
    assert_eq!(camera.packet().await, Some((PUBACK, vec![0, 4])));
    let mut board = Raw::connect(gateway.addr, "lab").await;
    for (id, payload) in [(5, picture(300 << 10)), (6, b"data:image/png;base64,iVBORw0KGgo".to_vec())] {
        board.publish("lab/board/picture", 1, id, &payload, true).await;
        assert_eq!(board.packet().await, Some((PUBACK, vec![0, id as u8])), "it would be refused again");
    }
    assert!(gateway.nothing_waits() && store.all().await.unwrap().is_empty());
    assert_eq!((gateway.frames.counts().accepted, gateway.frames.counts().refused), (1, 2));
    assert_eq!(gateway.frames.refusals(i64::MAX)[0].topic, "lab/board/picture");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_ends_at_the_gateway_whoever_may_subscribe() {
    let gateway = Gateway::start().await;
    let frames = gateway.frames.clone();
    let (_broker, addr, _seen) = gateway.store_all();
    let mut viewer = Raw::connect(addr, "lab").await;
    assert_eq!(viewer.subscribe("tuoan/#").await, 1);
    let mut camera = Raw::connect(addr, "cam").await;
    for (qos, id, answer) in [(0, 0, None), (1, 4, Some(PUBACK)), (2, 5, Some(PUBREC))] {
        camera.publish("tuoan/v1/xingyuan/cam-1/frame", qos, id, &picture(5000), false).await;
        if let Some(kind) = answer {
            assert_eq!(camera.packet().await, Some((kind, vec![0, id as u8])));
        }
    }
    until("frames", || frames.counts().accepted > 0).await;
    // What is published afterwards by another arrives first, and alone.
    let mut device = Raw::connect(addr, "env").await;
    device.publish(TELEMETRY, 1, 3, b"{}", false).await;
    assert_eq!(device.packet().await, Some((PUBACK, vec![0, 3])));
    let (kind, packet) = viewer.packet().await.unwrap();
    assert!(kind & 0xF0 == PUBLISH && packet.windows(9).any(|w| w == b"telemetry"), "{kind} {}", String::from_utf8_lossy(&packet));
    assert!(viewer.silent().await);
}

/// About 5 KiB for each of a hundred devices: without that list a bridge's smoke detector is nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_s_list_of_devices_may_be_long() {
    let mut gateway = Gateway::start().await;
    let mut bridge = Raw::connect(gateway.addr, "lab").await;
    bridge.publish("lab/bridge/devices", 0, 0, &vec![b' '; 600 << 10], false).await;
    assert_eq!(gateway.next().await.payload.len(), 600 << 10);
}

/// A client that floods while the disk stands still must neither fill the memory nor keep an alarm of another out.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_bounded_in_bytes_and_leaves_room_for_an_alarm() {
    let mut gateway = Gateway::start().await;
    let mut flood = Raw::connect(gateway.addr, "lab").await;
    let big = vec![b' '; 200 << 10];
    let flooding = tokio::spawn(async move {
        for _ in 0..400 {
            flood.publish("lab/x", 0, 0, &big, false).await;
        }
        flood
    });
    until("the flood has come to a stop", || gateway.broker.stats().accepted >= 160).await;
    let mut device = Raw::connect(gateway.addr, "env").await;
    device.publish(TELEMETRY, 1, 9, b"alarm", false).await;
    let (mut held, mut bytes) = (Vec::new(), 0);
    while let Ok(message) = tokio::time::timeout(QUIET, gateway.inbound.recv()).await {
        let message = message.unwrap();
        bytes += message.payload.len();
        held.push(message);
    }
    assert!(held.iter().any(|m| &m.payload[..] == b"alarm"));
    assert!((16 << 20..=33 << 20).contains(&bytes), "{bytes}");
    held.clear();
    assert_eq!(gateway.next().await.payload.len(), 200 << 10, "the rest goes on");
    flooding.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_client_s_will_comes_in_once_and_a_closed_one_s_never() {
    let mut gateway = Gateway::start().await;
    let hello = Hello { user: "env", client: "env", will: Some((STATUS, b"offline", true)), ..Hello::default() };
    let device = Raw::reconnect(gateway.addr, hello).await;
    drop(device);
    let will = gateway.next().await;
    assert_eq!((&*will.topic, &will.payload[..], will.retained), (STATUS, &b"offline"[..], false));
    // Not stored at first: the broker itself offers it again, for there is no sender to do it.
    will.ack.done(Stored::No);
    assert_eq!(gateway.answer(Stored::Yes).await.1, "offline");
    let mut device = Raw::reconnect(gateway.addr, hello).await;
    device.send(0xE0, &[]).await;
    // Hanging up in the same breath could overtake the goodbye, as would a new connection; then the standard wants the will.
    device.silent().await;
    drop(device);
    until("the device is gone", || gateway.broker.stats().connections == 0).await;
    let _device = Raw::reconnect(gateway.addr, hello).await;
    gateway.broker.shutdown().await;
    assert!(gateway.nothing_waits(), "neither an orderly goodbye nor our own shutdown is a lost device");
    assert_eq!(gateway.broker.stats().wills, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_reach_the_device_and_are_not_taken_in() {
    let mut gateway = Gateway::start().await;
    let mut device = Raw::connect(gateway.addr, "env").await;
    assert_eq!(device.subscribe(COMMAND).await, 1);
    gateway.broker.publish(COMMAND, Bytes::from_static(b"beep"), 1, false).await.unwrap();
    let (kind, body) = device.packet().await.unwrap();
    assert_eq!(kind & 0xF0, PUBLISH);
    assert!(body.ends_with(b"beep"));
    assert!(gateway.nothing_waits());
    assert!(gateway.broker.publish("a/#", Bytes::new(), 1, false).await.is_err());
    assert!(gateway.broker.publish("a", Bytes::new(), 3, false).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn retained_messages_survive_a_restart_of_the_gateway() {
    let store = Arc::new(MemoryRetained::default());
    let gateway = Gateway::with(Arc::clone(&store) as Arc<dyn RetainedStore>, INBOUND_QUEUE, None).await;
    let (broker, addr, _stored) = gateway.store_all();
    let mut device = Raw::connect(addr, "env").await;
    device.publish(STATUS, 1, 1, b"online", true).await;
    assert_eq!(device.packet().await, Some((PUBACK, vec![0, 1])));
    let mut bridge = Raw::connect(addr, "lab").await;
    bridge.publish("lab/config", 1, 1, b"announced", true).await;
    assert_eq!(bridge.packet().await, Some((PUBACK, vec![0, 1])));
    broker.shutdown().await;
    assert_eq!(store.all().await.unwrap().len(), 2);

    let mut gateway = Gateway::with(Arc::clone(&store) as Arc<dyn RetainedStore>, INBOUND_QUEUE, None).await;
    let recalled = gateway.next().await;
    assert_eq!((&*recalled.topic, &recalled.payload[..], recalled.retained), ("lab/config", &b"announced"[..], true));
    assert!(gateway.nothing_waits(), "what is native was stored long ago");
    let mut reader = Raw::connect(gateway.addr, "lab").await;
    assert_eq!(reader.subscribe("tuoan/+/xingyuan/#").await, 1);
    let (kind, body) = reader.packet().await.unwrap();
    assert_eq!(kind & 0xF1, PUBLISH | 1, "with the retain flag");
    assert!(body.ends_with(b"online"));
    let mut device = Raw::connect(gateway.addr, "env").await;
    device.publish(STATUS, 1, 1, b"", true).await;
    gateway.answer(Stored::Yes).await;
    assert_eq!(device.packet().await, Some((PUBACK, vec![0, 1])));
    assert_eq!(store.all().await.unwrap().len(), 1, "an empty payload clears it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persistent_session_keeps_commands_for_an_absent_device() {
    let gateway = Gateway::start().await;
    let hello = Hello { user: "env", client: "env", keep_session: true, ..Hello::default() };
    let mut device = Raw::reconnect(gateway.addr, hello).await;
    assert_eq!(device.subscribe(COMMAND).await, 1);
    device.send(0xE0, &[]).await;
    drop(device);
    until("the device is gone", || gateway.broker.stats().connections == 0).await;
    gateway.broker.publish(COMMAND, Bytes::from_static(b"later"), 1, false).await.unwrap();
    let mut device = Raw::reconnect(gateway.addr, hello).await;
    let (kind, body) = device.packet().await.unwrap();
    assert!(kind & 0xF0 == PUBLISH && body.ends_with(b"later"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_and_a_wrong_certificate_are_explained() {
    use tuoan::ingest::broker::{Broker, BrokerConfig, BrokerTls};
    let gateway = Gateway::start().await;
    let config = BrokerConfig {
        site: tuoan_protocol::SiteId::new("xingyuan").unwrap(),
        listen: gateway.addr,
        tls: None,
        sessions: 4096,
        users: vec![],
    };
    let start = async |config| {
        let (sender, _receiver) = tokio::sync::mpsc::channel(1);
        let desk = tuoan::ingest::FrameDesk::new();
        let started = Broker::start(config, sender, desk, Arc::new(MemoryRetained::default()), tuoan::clock::Clock::System);
        tokio::time::timeout(SOON, started).await.unwrap().err().unwrap().to_string()
    };
    let error = start(config.clone()).await;
    assert!(error.contains(&gateway.addr.to_string()), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let cert = folder.path().join("cert.pem");
    std::fs::write(&cert, "no certificate").unwrap();
    let free = ([127, 0, 0, 1], 0).into();
    let tls = Some(BrokerTls { listen: free, cert: cert.clone(), key: folder.path().join("absent.pem"), needed: true });
    let error = start(BrokerConfig { listen: free, tls, ..config }).await;
    assert!(error.contains("cert.pem") && error.contains("absent.pem"), "{error}");
}

/// The bug: each word of the gateway's own account went over a connection of its own under one client id. While one of them left, the broker refused the next
/// (*service unavailable*), or threw one of two out.
#[tokio::test(flavor = "multi_thread")]
async fn words_of_one_account_that_come_together_do_not_keep_each_other_out() {
    use tuoan::deliver::CommandLink;
    use tuoan::ingest::client::ClientConfig;
    use tuoan::ingest::own::Once;
    let gateway = Gateway::start().await;
    let (_broker, addr, _stored) = gateway.store_all();
    let link = Once(ClientConfig {
        url: format!("mqtt://{addr}"),
        client_id: "env".into(),
        username: Some("env".into()),
        password: Some(crate::support::password("env")),
        topics: Vec::new(),
        max_packet_bytes: 65_536,
        ca: None,
    });
    let words = (0..24).map(|_| {
        let link = link.clone();
        tokio::spawn(async move { link.publish(TELEMETRY, b"word").await.map_err(|e| e.0) })
    });
    for word in words.collect::<Vec<_>>() {
        assert_eq!(word.await.unwrap(), Ok(()));
    }
}
