//! The client against a real Mosquitto.
use crate::mosquitto::Mosquitto;
use crate::support::{self, PUBLISH, QUIET, Raw, SOON, certificate, crypto, mosquitto, until};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc;
use tuoan::clock::Clock;
use tuoan::ingest::client::{Advice, Client, ClientConfig, ClientError};
use tuoan::ingest::{FrameDesk, INBOUND_QUEUE, Inbound, Stored};

fn config(broker: &Mosquitto) -> ClientConfig {
    ClientConfig {
        url: format!("mqtt://{}", broker.addr),
        client_id: "tuoan-test".into(),
        username: None,
        password: None,
        topics: vec!["lab/#".into(), "tuoan/#".into()],
        max_packet_bytes: (4 << 20) + 65_536,
        ca: None,
    }
}

struct Outside {
    client: Client,
    inbound: mpsc::Receiver<Inbound>,
    frames: FrameDesk,
}

impl Outside {
    async fn connect(config: &ClientConfig, queue: usize) -> Outside {
        crypto();
        let (sender, inbound) = mpsc::channel(queue);
        let frames = FrameDesk::new();
        let client = Client::start(config, sender, frames.clone(), Clock::System).unwrap();
        let outside = Outside { client, inbound, frames };
        // The version comes with the last subscription: by then all the others hold.
        until("the client is subscribed", || outside.client.report().version.is_some()).await;
        outside
    }

    async fn next(&mut self) -> Inbound {
        tokio::time::timeout(SOON, self.inbound.recv()).await.expect("a message should have come in").unwrap()
    }

    /// Takes messages and stores them until all `wanted` payloads have been seen; returns how many came in all.
    async fn store_until(&mut self, wanted: &mut BTreeSet<String>) -> usize {
        let mut came = 0;
        while !wanted.is_empty() {
            let Inbound { payload, ack, .. } = self.next().await;
            came += 1;
            wanted.remove(std::str::from_utf8(&payload).unwrap());
            ack.done(Stored::Yes);
        }
        came
    }
}

fn numbers(range: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    range.map(|i| i.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_every_qos_come_in_once_and_are_acknowledged() {
    let broker = Mosquitto::start("").await;
    let mut outside = Outside::connect(&config(&broker), INBOUND_QUEUE).await;
    for qos in ["0", "1", "2"] {
        broker.publish("lab/x", qos, numbers(0..50)).await;
        for i in 0..50u32 {
            let Inbound { topic, payload, qos: level, retained, ack, .. } = outside.next().await;
            assert_eq!((&*topic, &payload[..], retained), ("lab/x", i.to_string().as_bytes(), false));
            assert_eq!(level.to_string(), qos);
            ack.done(Stored::Yes);
        }
    }
    until("all are acknowledged", || outside.client.stats().acknowledged == 100).await;
    assert_eq!((outside.client.stats().stale, outside.client.stats().unstored, outside.client.stats().connections), (0, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn retained_messages_are_marked() {
    let broker = Mosquitto::start("").await;
    assert!(mosquitto("mosquitto_pub", broker.addr, "lab", &["-q", "1", "-r", "-t", "lab/door", "-m", "open"]).await.status.success());
    let mut outside = Outside::connect(&config(&broker), INBOUND_QUEUE).await;
    let inbound = outside.next().await;
    assert!(inbound.retained && inbound.payload == "open");
    inbound.ack.done(Stored::Yes);
    assert!(mosquitto("mosquitto_pub", broker.addr, "lab", &["-q", "1", "-r", "-t", "lab/door", "-m", "shut"]).await.status.success());
    let inbound = outside.next().await;
    assert!(!inbound.retained && inbound.payload == "shut", "while we listen it is news");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_before_the_commit_and_all_comes_again_after_a_crash() {
    let broker = Mosquitto::start("").await;
    let mut outside = Outside::connect(&config(&broker), INBOUND_QUEUE).await;
    broker.publish("lab/x", "1", numbers(0..100)).await;
    let mut held = Vec::new();
    for i in 0..100 {
        let inbound = outside.next().await;
        // The first forty are stored, the rest are lost with the process.
        if i < 40 {
            inbound.ack.done(Stored::Yes);
        } else {
            held.push(inbound.ack);
        }
    }
    until("the stored ones are acknowledged", || outside.client.stats().acknowledged == 40).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!((outside.client.stats().acknowledged, outside.client.stats().unacknowledged), (40, 60));
    // As kill -9 does: no goodbye.
    let Outside { client, inbound, .. } = outside;
    drop(client);
    drop((inbound, held));
    let mut again = Outside::connect(&config(&broker), INBOUND_QUEUE).await;
    let came = again.store_until(&mut numbers(40..100).collect()).await;
    assert_eq!(came, 60, "and the acknowledged forty do not come again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_stored_comes_again_on_a_new_connection() {
    let broker = Mosquitto::start("").await;
    let mut outside = Outside::connect(&config(&broker), INBOUND_QUEUE).await;
    for qos in ["1", "2"] {
        broker.publish("lab/x", qos, ["precious".to_owned()]).await;
        let before = outside.client.stats().connections;
        outside.next().await.ack.done(Stored::No);
        let inbound = outside.next().await;
        assert_eq!((&inbound.payload[..], outside.client.stats().connections), (&b"precious"[..], before + 1));
        inbound.ack.done(Stored::Yes);
        until("it is acknowledged", || outside.client.stats().unacknowledged == 0).await;
    }
    assert_eq!((outside.client.stats().acknowledged, outside.client.stats().unstored), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_broker_loses_nothing_and_late_acks_are_dropped() {
    let mut broker = Mosquitto::start("").await;
    let mut outside = Outside::connect(&config(&broker), INBOUND_QUEUE).await;
    broker.publish("lab/x", "1", numbers(0..30)).await;
    broker.publish("lab/x", "2", numbers(30..60)).await;
    let mut held = Vec::new();
    for _ in 0..60 {
        held.push(outside.next().await.ack);
    }
    broker.stop().await;
    until("the connection is lost", || !outside.client.report().connected).await;
    // Their commits come now; the acknowledgements belong to a connection that is gone.
    held.into_iter().for_each(|ack| ack.done(Stored::Yes));
    until("the stale ones are dropped", || outside.client.stats().stale == 60).await;
    broker.resume().await;
    outside.store_until(&mut numbers(0..60).collect()).await;
    broker.publish("lab/x", "1", numbers(60..90)).await;
    outside.store_until(&mut numbers(60..90).collect()).await;
    until("all are acknowledged", || outside.client.stats().unacknowledged == 0).await;
    let stats = outside.client.stats();
    assert_eq!((stats.connections, stats.unstored), (2, 0), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_forgot_the_session_is_subscribed_anew() {
    let mut broker = Mosquitto::start("").await;
    let mut outside = Outside::connect(&config(&broker), INBOUND_QUEUE).await;
    broker.stop().await;
    std::fs::remove_file(broker.file("mosquitto.db")).unwrap();
    broker.resume().await;
    until("the client is back", || outside.client.stats().connections == 2 && outside.client.report().connected).await;
    // Until the subscription holds, messages go nowhere.
    let heard = async {
        loop {
            broker.publish("lab/x", "1", ["hello".to_owned()]).await;
            if let Ok(Some(inbound)) = tokio::time::timeout(Duration::from_millis(200), outside.inbound.recv()).await {
                return inbound;
            }
        }
    };
    assert_eq!(tokio::time::timeout(SOON, heard).await.unwrap().payload, "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_pushes_back_and_the_connection_lives_on() {
    let broker = Mosquitto::start("max_queued_messages 100000").await;
    let mut outside = Outside::connect(&config(&broker), 8).await;
    broker.publish("lab/x", "1", numbers(0..5000)).await;
    // Eight in the queue, the broker's window of 500 in all, the rest stays with the broker.
    until("the window is full", || outside.client.stats().received >= 500).await;
    tokio::time::sleep(QUIET).await;
    let payloads = outside.client.stats();
    assert!(payloads.overflow >= 490 && payloads.received < 520, "{payloads:?}");
    let came = outside.store_until(&mut numbers(0..5000).collect()).await;
    assert_eq!((came, outside.client.stats().connections), (5000, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_go_to_the_desk_and_too_long_messages_nowhere() {
    let broker = Mosquitto::start("").await;
    let mut outside = Outside::connect(&config(&broker), INBOUND_QUEUE).await;
    let picture = broker.file("picture.jpg");
    std::fs::write(&picture, support::picture(4 << 20)).unwrap();
    let file = picture.to_str().unwrap();
    let frame = "tuoan/v1/xingyuan/cam-1/frame";
    let long = broker.file("long");
    std::fs::write(&long, vec![b'7'; 4 << 20]).unwrap();
    for (topic, file) in [(frame, file), ("lab/long", long.to_str().unwrap()), ("lab/picture", file)] {
        assert!(mosquitto("mosquitto_pub", broker.addr, "lab", &["-q", "1", "-t", topic, "-f", file]).await.status.success());
    }
    until("all are acknowledged", || outside.client.stats().acknowledged == 3).await;
    assert_eq!(outside.frames.cameras()[0].bytes, 4 << 20);
    assert_eq!(outside.client.stats().oversize, 1);
    assert_eq!(outside.frames.counts().refused, 1, "a picture that is no camera's goes nowhere");
    assert!(outside.inbound.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_go_out_and_do_not_come_back() {
    let mut broker = Mosquitto::start("").await;
    let mut outside = Outside::connect(&config(&broker), INBOUND_QUEUE).await;
    let mut device = Raw::connect(broker.addr, "siren").await;
    assert_eq!(device.subscribe("lab/siren/set").await, 1);
    outside.client.publish("lab/siren/set", Bytes::from_static(b"on"), 1, false).await.unwrap();
    let (kind, body) = device.packet().await.unwrap();
    assert!(kind & 0xF0 == PUBLISH && body.ends_with(b"on"));
    outside.client.publish("tuoan/v1/xingyuan/siren-1/command", Bytes::from_static(b"{}"), 2, false).await.unwrap();
    broker.publish("lab/x", "1", ["after".to_owned()]).await;
    assert_eq!(outside.next().await.payload, "after", "our own commands were not taken in");
    assert!(matches!(outside.client.publish("lab/+", Bytes::new(), 1, false).await, Err(ClientError::Topic(_))));
    broker.stop().await;
    until("the connection is lost", || !outside.client.report().connected).await;
    assert!(matches!(outside.client.publish("lab/a", Bytes::new(), 1, false).await, Err(ClientError::Offline)));
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_acknowledges_what_is_committed_and_keeps_the_session() {
    let broker = Mosquitto::start("").await;
    let mut outside = Outside::connect(&config(&broker), INBOUND_QUEUE).await;
    broker.publish("lab/x", "1", ["last".to_owned()]).await;
    let inbound = outside.next().await;
    let Outside { client, inbound: mut queue, .. } = outside;
    let commit = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        inbound.ack.done(Stored::Yes);
    });
    client.shutdown().await;
    commit.await.unwrap();
    assert_eq!(client.stats().acknowledged, 1);
    assert!(tokio::time::timeout(SOON, queue.recv()).await.unwrap().is_none(), "the queue has no sender left");
    broker.publish("lab/x", "1", ["meanwhile".to_owned()]).await;
    let mut again = Outside::connect(&config(&broker), INBOUND_QUEUE).await;
    assert_eq!(again.next().await.payload, "meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_learns_about_the_broker() {
    let broker = Mosquitto::start("password_file DIR/passwords\nallow_anonymous false").await;
    let mut config = config(&broker);
    config.username = Some("gateway".into());
    config.password = Some("gateway-secret".into());
    let outside = Outside::connect(&config, INBOUND_QUEUE).await;
    let report = outside.client.report();
    assert!(report.version.as_deref().unwrap().starts_with("mosquitto version 2"), "{report:?}");
    assert_eq!(report.queue_hint, Some(1000));
    assert!(report.advice().contains(&Advice::ShortQueue { messages: 1000 }));
    config.password = Some("wrong".into());
    config.client_id = "another".into();
    let (sender, _receiver) = mpsc::channel(1);
    let refused = Client::start(&config, sender, FrameDesk::new(), Clock::System).unwrap();
    until("the refusal is known", || refused.report().last_error.is_some()).await;
    let advice = refused.report().advice();
    assert!(
        matches!(&advice[..], [Advice::Disconnected { reason }] if reason.contains("NotAuthorized") || reason.contains("BadUserNamePassword")),
        "{advice:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_explained_at_once() {
    let broker = Mosquitto::start("").await;
    let start = |config: ClientConfig| {
        let (sender, _receiver) = mpsc::channel(1);
        Client::start(&config, sender, FrameDesk::new(), Clock::System).err().unwrap().to_string()
    };
    crypto();
    assert!(start(ClientConfig { url: "http://x".into(), ..config(&broker) }).contains("mqtt://"));
    assert!(start(ClientConfig { topics: vec!["a/#/b".into()], ..config(&broker) }).contains("a/#/b"));
    let url = "mqtts://localhost".to_owned();
    assert!(start(ClientConfig { url: url.clone(), ca: Some("absent.pem".into()), ..config(&broker) }).contains("absent.pem"));
    let empty = broker.file("mosquitto.conf");
    assert!(start(ClientConfig { url, ca: Some(empty), ..config(&broker) }).contains("no certificate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_the_authority_named_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path()).await;
    let broker = Mosquitto::start(&format!("certfile {}\nkeyfile {}", cert.display(), key.display())).await;
    let url = format!("mqtts://localhost:{}", broker.addr.port());
    let mut outside = Outside::connect(&ClientConfig { url: url.clone(), ca: Some(cert.clone()), ..config(&broker) }, INBOUND_QUEUE).await;
    let arguments = ["--cafile", cert.to_str().unwrap(), "-q", "1", "-t", "lab/x", "-m", "secret"];
    assert!(mosquitto("mosquitto_pub", broker.addr, "lab", &arguments).await.status.success());
    let inbound = outside.next().await;
    assert_eq!(inbound.payload, "secret");
    inbound.ack.done(Stored::Yes);
    until("it is acknowledged", || outside.client.stats().acknowledged == 1).await;
    // Another authority than the one that signed.
    let (other, _) = certificate(tempfile::tempdir_in(folder.path()).unwrap().keep().as_path()).await;
    let (sender, _receiver) = mpsc::channel(1);
    let distrusting = ClientConfig { url, ca: Some(other), client_id: "distrusting".into(), ..config(&broker) };
    let client = Client::start(&distrusting, sender, FrameDesk::new(), Clock::System).unwrap();
    until("the certificate is refused", || client.report().last_error.is_some()).await;
    assert!(client.stats().connections == 0, "{:?}", client.report());
}
