//! Bytes that are no MQTT: the broker must live on, and so must the honest clients.
use crate::support::{Gateway, Raw};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::io::AsyncWriteExt;

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_survives_garbage() {
    let (broker, addr, _stored) = Gateway::start().await.store_all();
    let mut honest = Raw::connect(addr, "lab").await;
    let mut random = StdRng::seed_from_u64(20_261_122);
    let connect: &[u8] = b"\x10\x1f\x00\x04MQTT\x04\xc2\x00\x3c\x00\x03lab\x00\x03lab\x00\x0alab-secret";
    let connect5: &[u8] = b"\x10\x20\x00\x04MQTT\x05\xc2\x00\x3c\x00\x00\x03lax\x00\x03lab\x00\x0alab-secret";
    let mut cases: Vec<Vec<u8>> = vec![
        vec![],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"\x10\xff\xff\xff\x7f\x00\x04MQTT\x04".to_vec(),
        b"\x10\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        b"\x10\x0c\x00\x04MQTT\x09\xff\xff\xff\xff\xff".to_vec(),
        b"\x30\x00".to_vec(),
    ];
    // Every truncation of an honest CONNECT, then single bytes of it changed.
    for whole in [connect, connect5] {
        cases.extend((0..whole.len()).map(|n| whole[..n].to_vec()));
        for i in 0..whole.len() {
            let mut bent = whole.to_vec();
            bent[i] = random.random();
            cases.push(bent);
        }
        // A real login, then noise: as packets of every type with random contents.
        for _ in 0..150 {
            let mut case = whole.to_vec();
            for _ in 0..random.random_range(1..5) {
                let kind: u8 = random.random_range(0..=255);
                let body: Vec<u8> = (0..random.random_range(0..120)).map(|_| random.random()).collect();
                case.push(kind);
                case.push(u8::try_from(body.len()).unwrap());
                case.extend(body);
            }
            cases.push(case);
        }
    }
    for _ in 0..200 {
        cases.push((0..random.random_range(0..300)).map(|_| random.random()).collect());
    }
    for case in cases {
        let mut raw = Raw::open(addr).await;
        // The broker may close while we still write.
        let _ = raw.0.write_all(&case).await;
        drop(raw);
    }
    honest.publish("lab/x", 1, 5, b"still here", false).await;
    assert_eq!(honest.packet().await, Some((crate::support::PUBACK, vec![0, 5])));
    let _newcomer = Raw::connect(addr, "env").await;
    crate::support::until("hostile connections are gone", || broker.stats().connections <= 2).await;
}
