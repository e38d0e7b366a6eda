//! The embedded broker with Mosquitto's programs as foreign clients, MQTT 3.1.1 and 5.
use crate::support::{Gateway, SOON, certificate, mosquitto, password};
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tuoan::ingest::broker::BrokerTls;
use tuoan::ingest::{INBOUND_QUEUE, MemoryRetained, Stored};

const TELEMETRY: &str = "tuoan/v1/xingyuan/env-1/telemetry";

#[tokio::test(flavor = "multi_thread")]
async fn publishes_of_every_qos_in_both_versions_arrive() {
    let (broker, addr, stored) = Gateway::start().await.store_all();
    let mut sent = Vec::new();
    for version in ["311", "5"] {
        for qos in ["0", "1", "2"] {
            let text = format!("{version}/{qos}");
            let out = mosquitto("mosquitto_pub", addr, "env", &["-V", version, "-q", qos, "-t", TELEMETRY, "-m", &text, "-i", "env"]).await;
            assert!(out.status.success(), "{text}: {}", String::from_utf8_lossy(&out.stderr));
            sent.push((TELEMETRY.to_owned(), text.into()));
        }
    }
    broker.shutdown().await;
    let seen = tokio::time::timeout(SOON, stored).await.expect("after shutdown the queue has no sender left").unwrap();
    assert_eq!(seen, sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_to_mqtt_5_clients() {
    let (_broker, addr, _stored) = Gateway::start().await.store_all();
    let out = mosquitto("mosquitto_pub", addr, "env", &["-V", "5", "-q", "1", "-t", "lab/x", "-m", "x"]).await;
    let said = String::from_utf8_lossy(&out.stderr).to_lowercase();
    assert!(said.contains("not authorized"), "{said}");
    let out = mosquitto("mosquitto_sub", addr, "env", &["-V", "5", "-t", "lab/#", "-W", "5"]).await;
    let said = String::from_utf8_lossy(&out.stderr).to_lowercase();
    assert!(said.contains("denied") || said.contains("rejected") || said.contains("not authorized"), "{said}");
    for version in ["311", "5"] {
        let out = mosquitto("mosquitto_pub", addr, "env", &["-V", version, "-P", "guess", "-t", TELEMETRY, "-m", "x"]).await;
        assert!(!out.status.success(), "the later -P counts");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_get_live_and_retained_messages() {
    let (_broker, addr, _stored) = Gateway::start().await.store_all();
    let out = mosquitto("mosquitto_pub", addr, "lab", &["-q", "1", "-r", "-t", "lab/state", "-m", "kept"]).await;
    assert!(out.status.success());
    for version in ["311", "5"] {
        let mut reader = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &addr.port().to_string(), "-u", "lab", "-P", &password("lab")])
            .args(["-V", version, "-q", "1", "-t", "lab/#", "-F", "%r %t %p", "-C", "2", "-W", "20"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "1 lab/state kept", "retained, MQTT {version}");
        let out = mosquitto("mosquitto_pub", addr, "lab", &["-q", "2", "-t", "lab/news", "-m", "live"]).await;
        assert!(out.status.success());
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "0 lab/news live", "MQTT {version}");
        assert!(reader.wait().await.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_client_s_will_arrives() {
    let mut gateway = Gateway::start().await;
    let status = "tuoan/v1/xingyuan/env-1/status";
    for version in ["311", "5"] {
        let mut client = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &gateway.addr.port().to_string(), "-u", "env", "-P", &password("env"), "-V", version])
            .args(["-t", "tuoan/v1/xingyuan/env-1/command", "--will-topic", status, "--will-payload", version, "--will-qos", "1"])
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        crate::support::until("the client is connected", || gateway.broker.stats().connections == 1).await;
        client.kill().await.unwrap();
        assert_eq!(gateway.answer(Stored::Yes).await, (status.to_owned(), version.into()));
        crate::support::until("the client is gone", || gateway.broker.stats().connections == 0).await;
    }
    assert!(gateway.nothing_waits());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tls_listener_serves_clients_that_trust_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path()).await;
    let tls = BrokerTls { listen: ([127, 0, 0, 1], 0).into(), cert: cert.clone(), key, needed: true };
    let gateway = Gateway::with(Arc::new(MemoryRetained::default()), INBOUND_QUEUE, Some(tls)).await;
    let addr = gateway.broker.tls_addr().unwrap();
    assert_ne!(addr, gateway.addr);
    let (_broker, _, _stored) = gateway.store_all();
    let trusting = ["--cafile", cert.to_str().unwrap(), "-q", "1", "-t", TELEMETRY, "-m", "x"];
    let out = mosquitto("mosquitto_pub", addr, "env", &trusting).await;
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let out = mosquitto("mosquitto_pub", addr, "env", &["-q", "1", "-t", TELEMETRY, "-m", "x"]).await;
    assert!(!out.status.success(), "plain MQTT on the TLS port");
}
