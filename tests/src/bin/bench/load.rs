//! Load: N connections that publish `kit/<room>/<device>/env` with QoS 1 as fast as they are acknowledged, or at a rate. Frames are written by
//! hand on bare sockets, so that the load costs little beside what it measures.
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Load {
    pub port: u16,
    pub login: Option<(String, String)>,
    pub connections: u64,
    /// Devices, spread over the connections.
    pub devices: u64,
    /// Unacknowledged messages per connection.
    pub window: u64,
    pub count: u64,
    /// Messages a second in all; 0 is as fast as it goes.
    pub rate: u64,
    /// Every n-th message is over the limit (CO2 = 10000 + its number); 0 is never.
    pub alert_every: u64,
    /// First sequence number: a later run must not repeat an earlier one's.
    pub first: u64,
    /// Publish time of message n (from `first`) in microseconds since `start`, for latency.
    pub published_at: Option<Arc<Vec<AtomicU64>>>,
    pub start: Instant,
}

#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Loaded {
    pub acknowledged: u64,
    pub seconds: f64,
}

impl Load {
    /// Runs it to the end.
    pub async fn run(self) -> io::Result<Loaded> {
        let load = Arc::new(self);
        let next = Arc::new(AtomicU64::new(0));
        let begin = Instant::now();
        let mut tasks = Vec::new();
        for c in 0..load.connections {
            tasks.push(tokio::spawn(connection(c, load.clone(), next.clone())));
        }
        let mut acknowledged = 0;
        for t in tasks {
            acknowledged += t.await.map_err(io::Error::other)??;
        }
        Ok(Loaded { acknowledged, seconds: begin.elapsed().as_secs_f64() })
    }
}

async fn connection(c: u64, load: Arc<Load>, next: Arc<AtomicU64>) -> io::Result<u64> {
    let mut stream = TcpStream::connect(("127.0.0.1", load.port)).await?;
    stream.set_nodelay(true)?;
    let mut out = Vec::with_capacity(64 << 10);
    connect(&mut out, &format!("load-{}-{c}", std::process::id()), load.login.as_ref());
    stream.write_all(&out).await?;
    let mut ack = [0u8; 4];
    stream.read_exact(&mut ack).await?;
    if ack[0] != 0x20 || ack[3] != 0 {
        return Err(io::Error::other(format!("connection refused: {ack:?}")));
    }
    let devices: Vec<u64> = (0..load.devices).filter(|d| d % load.connections == c).collect();
    let topics: Vec<String> = devices.iter().map(|d| format!("kit/room{}/dev{d}/env", d % 10)).collect();
    if topics.is_empty() {
        return Ok(0);
    }
    let (mut device, mut packet, mut in_flight, mut acknowledged, mut sent) = (0usize, 0u16, 0u64, 0u64, 0u64);
    let (mut input, mut filled) = (vec![0u8; 32 << 10], 0usize);
    let begin = Instant::now();
    let share = load.rate as f64 / load.connections as f64;
    loop {
        out.clear();
        let mut room = (load.window - in_flight).min(64);
        if load.rate > 0 {
            room = room.min(((begin.elapsed().as_secs_f64() * share) as u64).saturating_sub(sent));
        }
        for _ in 0..room {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= load.count {
                break;
            }
            let seq = load.first + n;
            let hash = seq.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
            let co2 = if load.alert_every > 0 && n % load.alert_every == load.alert_every - 1 { 10_000 + n } else { 400 + hash % 900 };
            let ts = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis());
            let payload = format!(
                "{{\"ts\":{ts},\"temperature\":{}.{},\"humidity\":{}.{},\"co2\":{co2},\"seq\":{seq}}}",
                18 + hash % 9,
                (hash >> 4) % 10,
                40 + (hash >> 8) % 30,
                (hash >> 14) % 10
            );
            packet = packet.checked_add(1).unwrap_or(1);
            publish(&mut out, &topics[device], packet, payload.as_bytes());
            device = (device + 1) % topics.len();
            if let Some(times) = &load.published_at {
                times[n as usize].store(load.start.elapsed().as_micros() as u64, Ordering::Relaxed);
            }
            in_flight += 1;
            sent += 1;
        }
        if !out.is_empty() {
            stream.write_all(&out).await?;
        }
        let finished = next.load(Ordering::Relaxed) >= load.count;
        if in_flight == 0 && finished {
            return Ok(acknowledged);
        }
        if in_flight == 0 || (load.rate > 0 && room == 0 && in_flight < load.window) {
            // Nothing to wait for but the clock, or both: look at the socket for a moment.
            match tokio::time::timeout(Duration::from_micros(500), stream.read(&mut input[filled..])).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::ConnectionReset.into()),
                Ok(n) => filled += n?,
                Err(_) => continue,
            }
        } else {
            match stream.read(&mut input[filled..]).await? {
                0 => return Err(io::ErrorKind::ConnectionReset.into()),
                n => filled += n,
            }
        }
        // Every packet that comes back is a PUBACK of four bytes.
        let whole = filled / 4 * 4;
        let acks = (whole / 4) as u64;
        in_flight = in_flight.saturating_sub(acks);
        acknowledged += acks;
        input.copy_within(whole..filled, 0);
        filled -= whole;
    }
}

fn connect(out: &mut Vec<u8>, id: &str, login: Option<&(String, String)>) {
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    body.extend([4, if login.is_some() { 0xC2 } else { 0x02 }, 0, 0]);
    text(&mut body, id);
    if let Some((user, password)) = login {
        text(&mut body, user);
        text(&mut body, password);
    }
    out.push(0x10);
    length(out, body.len());
    out.extend(body);
}

fn publish(out: &mut Vec<u8>, topic: &str, packet: u16, payload: &[u8]) {
    out.push(0x32);
    length(out, 2 + topic.len() + 2 + payload.len());
    text(out, topic);
    out.extend(packet.to_be_bytes());
    out.extend(payload);
}

fn length(out: &mut Vec<u8>, mut n: usize) {
    loop {
        let byte = (n % 128) as u8;
        n /= 128;
        out.push(if n > 0 { byte | 0x80 } else { byte });
        if n == 0 {
            break;
        }
    }
}

fn text(out: &mut Vec<u8>, s: &str) {
    out.extend((s.len() as u16).to_be_bytes());
    out.extend(s.as_bytes());
}
