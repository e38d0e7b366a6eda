//! The floor: the same broker library, SQLite with the same settings, and nothing of a gateway. A message is parsed, compared with one limit,
//! appended to one table, and acknowledged after the group commit.
use async_trait::async_trait;
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType, Type};
use rmqtt::net::Builder;
use rmqtt::server::MqttServer;
use rmqtt::types::PublishAclResult;
use std::num::NonZeroU16;
use std::path::Path;
use tokio::sync::{mpsc, oneshot};

struct Sample {
    topic: String,
    payload: bytes::Bytes,
    ack: oneshot::Sender<()>,
}

#[derive(serde::Deserialize)]
struct Kit {
    ts: i64,
    temperature: f64,
    humidity: f64,
    co2: f64,
    seq: i64,
}

struct Hook(mpsc::Sender<Sample>);

#[async_trait]
impl Handler for Hook {
    async fn hook(&self, parameter: &Parameter, acc: Option<HookResult>) -> ReturnType {
        if let Parameter::MessagePublishCheckAcl(_, publish) = parameter {
            let (ack, stored) = oneshot::channel();
            let sample = Sample { topic: publish.topic.to_string(), payload: publish.payload.clone(), ack };
            let result = match self.0.send(sample).await {
                Ok(()) if stored.await.is_ok() => PublishAclResult::allow(),
                _ => PublishAclResult::rejected(true, None),
            };
            return (false, Some(HookResult::PublishAclResult(result)));
        }
        (true, acc)
    }
}

/// Serves on `port` until it is killed.
pub fn run(port: u16, dir: &Path) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (tx, rx) = mpsc::channel(2048);
    let path = dir.join("floor.db");
    std::thread::spawn(move || write(rx, &path));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let context = ServerContext::new().build().await;
        let register = context.extends.hook_mgr().register();
        register.add(Type::MessagePublishCheckAcl, Box::new(Hook(tx))).await;
        register.start().await;
        let listener = Builder::new()
            .name("tcp")
            .laddr(([127, 0, 0, 1], port).into())
            .nodelay(true)
            .allow_anonymous(true)
            .max_inflight(NonZeroU16::new(64).expect("not zero"))
            .bind()
            .and_then(|l| l.tcp())
            .expect("the port is free");
        MqttServer::new(context).listener(listener).build().run().await.expect("the broker runs");
    });
}

fn write(mut rx: mpsc::Receiver<Sample>, path: &Path) {
    let mut db = rusqlite::Connection::open(path).expect("floor.db");
    db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE log(id INTEGER PRIMARY KEY, topic TEXT, ts INTEGER, t REAL, h REAL, c REAL, seq INTEGER);")
        .expect("schema");
    let (mut waiting, mut high) = (Vec::new(), 0u64);
    while let Some(first) = rx.blocking_recv() {
        let tx = db.transaction().expect("transaction");
        {
            let mut insert = tx.prepare_cached("INSERT INTO log(topic, ts, t, h, c, seq) VALUES (?,?,?,?,?,?)").expect("insert");
            let mut next = Some(first);
            while let Some(sample) = next {
                if let Ok(k) = serde_json::from_slice::<Kit>(&sample.payload) {
                    high += u64::from(k.co2 > 2000.0);
                    insert.execute((&sample.topic, k.ts, k.temperature, k.humidity, k.co2, k.seq)).expect("insert");
                }
                waiting.push(sample.ack);
                next = if waiting.len() < 1024 { rx.try_recv().ok() } else { None };
            }
        }
        tx.commit().expect("commit");
        for ack in waiting.drain(..) {
            let _ = ack.send(());
        }
    }
    println!("{high} over the limit");
}
