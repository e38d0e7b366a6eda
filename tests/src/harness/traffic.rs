//! Devices that never give up: each repeats what was not acknowledged, with the same (boot, seq), as a QoS 1 device does.
use super::gateway::PASSWORD;
use super::mqtt::{Incoming, Sender};
use std::collections::{BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What one device has sent and had acknowledged.
pub struct Device {
    pub id: String,
    pub boot: u64,
    next: u64,
    /// Sent or to be sent, not acknowledged: (seq, packet id while it is in flight).
    waiting: VecDeque<(u64, Option<u16>)>,
    pub acknowledged: BTreeSet<u64>,
}

/// Unacknowledged messages of one device at most.
const WINDOW: usize = 8;

impl Device {
    pub fn new(id: &str, boot: u64) -> Device {
        Device { id: id.to_owned(), boot, next: 0, waiting: VecDeque::new(), acknowledged: BTreeSet::new() }
    }

    /// Publishes until `stop`, then until nothing waits (or, when `leave` is set too, at once). Reconnects for ever.
    /// `readings` gives the body of message n: the JSON members of `readings`.
    pub fn run(&mut self, port: u16, readings: impl Fn(u64) -> String, stop: &AtomicBool, sent: &AtomicU64) {
        let topic = format!("tuoan/v1/site-1/{}/telemetry", self.id);
        while !(stop.load(Ordering::SeqCst) && self.waiting.is_empty()) {
            let Ok(mut sender) = Sender::connect(port, &self.id, Some(("bench", PASSWORD))) else {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            // A new connection: nothing of the old one is in flight any more.
            for w in &mut self.waiting {
                w.1 = None;
            }
            let _ = sender.read_timeout(Duration::from_millis(500));
            let mut quiet = 0;
            'connected: loop {
                if !stop.load(Ordering::SeqCst) {
                    while self.waiting.len() < WINDOW {
                        self.next += 1;
                        self.waiting.push_back((self.next, None));
                    }
                }
                for w in self.waiting.iter_mut().filter(|w| w.1.is_none()) {
                    let payload = format!(
                        "{{\"v\":1,\"site\":\"site-1\",\"device\":\"{}\",\"boot\":{},\"seq\":{},\"uptime\":{},\"readings\":{{{}}}}}",
                        self.id,
                        self.boot,
                        w.0,
                        w.0 * 100,
                        readings(w.0)
                    );
                    match sender.publish(&topic, payload.as_bytes()) {
                        Ok(id) => w.1 = Some(id),
                        Err(_) => break 'connected,
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                if self.waiting.is_empty() {
                    break;
                }
                match sender.incoming() {
                    Ok(Incoming::PubAck(id)) => {
                        quiet = 0;
                        if let Some(i) = self.waiting.iter().position(|w| w.1 == Some(id))
                            && let Some((seq, _)) = self.waiting.remove(i)
                        {
                            self.acknowledged.insert(seq);
                        }
                    }
                    Ok(_) => {}
                    Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                        quiet += 1;
                        if quiet > 20 {
                            break;
                        }
                    }
                    Err(_) => break,
                }
            }
        }
    }
}

/// Several devices at once, each in a thread of its own.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<Device>>,
}

impl Traffic {
    /// `d0`.. send CO2, `d0` one in 20 above 2,000 ppm; `smoke-1` goes on and off with every 40th message.
    pub fn start(port: u16, devices: usize, boot: u64) -> Traffic {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut threads = Vec::new();
        for i in 0..=devices {
            let (stop, sent) = (stop.clone(), sent.clone());
            let smoke = i == devices;
            let mut device = Device::new(&if smoke { "smoke-1".to_owned() } else { format!("d{i}") }, boot);
            threads.push(std::thread::spawn(move || {
                let readings = |n: u64| match (smoke, i == 0 && n % 20 == 10) {
                    (true, _) => format!("\"smoke\":{}", n / 40 % 2 == 1),
                    (false, true) => "\"co2\":2500".to_owned(),
                    (false, false) => format!("\"co2\":{}", 500 + n % 100),
                };
                device.run(port, readings, &stop, &sent);
                device
            }));
        }
        Traffic { stop, sent, threads }
    }
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
    /// Lets every device finish what waits, then gives them back.
    pub fn finish(self) -> Vec<Device> {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().map(|t| t.join().expect("a device's thread")).collect()
    }
}
