//! The lockstep: the clock moves on by a step, devices whose time has come speak, every PUBACK is awaited, due timers fire, people act;
//! only then comes the next step.
use super::device::{Device, Due};
use super::link::{Link, Login};
use super::narrate::Narrator;
use super::nursery::Nursery;
use super::report::Key;
use super::scenario::Wire;
use super::wire::{self, Packet};
use crate::cameras::eyes::Settle;
use crate::clock::{Clock, Stopwatch};
use crate::engine::Command;
use crate::engine::input::Action;
use crate::pipeline::{Control, Handle};
use crate::store::IncidentFilter;
use futures::future::try_join_all;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tuoan_protocol::topic::TopicKind;
use tuoan_protocol::{DeviceAction, DeviceCommand, IncidentId, Presence, Quantity, Transition, Wire as _, ZoneId};

/// The bridge's user name and client id.
pub const BRIDGE: &str = "zigbee2mqtt";
/// Longest wait for an acknowledgement or an answer of the gateway, in real time.
const PATIENCE: Duration = Duration::from_secs(60);
/// Seconds of the played day between the devices' births and the day's begin.
pub const PRELUDE_S: u32 = 5;
/// Who signs, acknowledges and reports in the played day.
const CARER: &str = "王老师";

/// What the play needs of the running gateway.
pub struct Stage {
    pub broker: SocketAddr,
    pub handle: Handle,
    pub clock: Clock,
    /// Passwords by user name.
    pub passwords: BTreeMap<String, String>,
    /// Real time, against which latencies are measured.
    pub watch: Stopwatch,
    /// Tells when every frame has been dealt with.
    pub settle: Settle,
    /// Real time that the whole day takes; `None`: as fast as it goes.
    pub pace: Option<Duration>,
}

/// What was said, and what came of it on this side.
#[derive(Debug, Default)]
pub struct Spoken {
    pub published: u64,
    pub acknowledged: Vec<Key>,
    /// Camera frames that were acknowledged: none of them is stored.
    pub frames: u64,
    /// Real time at which a device's message was published, by device and demo time: a device speaks at most once a step.
    pub moments: BTreeMap<(String, i64), Duration>,
    /// Incident events, as the gateway committed them.
    pub alerts: Vec<Alert>,
    pub troubles: Vec<String>,
}

/// An incident event of the gateway's log.
#[derive(Debug, Clone)]
pub struct Alert {
    pub id: String,
    pub at: i64,
    pub transition: Transition,
    /// Device of the deciding message.
    pub device: Option<String>,
}

/// Something a person does.
#[derive(Debug, Clone)]
pub enum Deed {
    Sweep(ZoneId),
    Report { zone: ZoneId, note: String },
    Settle { hazard: String, zone: String, reason: String },
    Acknowledge { hazard: String, zone: String },
}

impl Deed {
    fn is_about_an_incident(&self) -> bool {
        matches!(self, Deed::Settle { .. } | Deed::Acknowledge { .. })
    }
}

struct Speaker {
    link: Link,
    orders: mpsc::Receiver<Vec<u8>>,
}

/// Plays the day. Ends when its last step is done; the connections are given back, so that devices stay online.
///
/// # Errors
/// When the gateway does not let a device in, does not acknowledge, or stops: the day cannot go on then.
pub async fn play(nursery: &mut Nursery, stage: &Stage, narrator: &Narrator) -> Result<(Spoken, Connections), String> {
    let (from, to, step) = (nursery.day.from.0, nursery.day.to.0, nursery.day.step_s.max(1));
    let mut spoken = Spoken::default();
    let mut connections = Connections::open(nursery, stage).await?;
    connections.births(nursery, stage, &mut spoken, from.saturating_sub(PRELUDE_S)).await?;
    let mut deeds = agenda(nursery);
    let mut seen = 0u64;
    let mut beat = stage.pace.map(|whole| {
        let mut beat = interval((whole / (to.saturating_sub(from) / step).max(1)).max(Duration::from_millis(1)));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat
    });
    for second in (from..=to).step_by(step as usize) {
        if let Some(beat) = &mut beat {
            beat.tick().await;
        }
        let now = nursery.utc_ms(second);
        stage.clock.set(now);
        narrator.step(second);
        connections.take_orders(nursery);
        connections.speak(nursery, stage, &mut spoken, second, now).await?;
        connections.film(nursery, &mut spoken, second, now).await?;
        timeout(PATIENCE, stage.settle.settled()).await.map_err(|_| "the cameras' frames were not dealt with".to_owned())?;
        tick(&stage.handle).await?;
        while deeds.front().is_some_and(|(at, _)| *at <= second) {
            if let Some((_, deed)) = deeds.pop_front()
                && let Err(trouble) = act(&stage.handle, &deed).await
                // Whoever watches may have acknowledged or ended it on the page already.
                && (stage.pace.is_none() || !deed.is_about_an_incident())
            {
                spoken.troubles.push(format!("{deed:?}: {trouble}"));
            }
        }
        seen = collect(&stage.handle, seen, &mut spoken, narrator).await?;
    }
    Ok((spoken, connections))
}

/// All devices' connections.
pub struct Connections {
    native: BTreeMap<String, Speaker>,
    cameras: Vec<Link>,
    bridge: Option<Link>,
}

impl Connections {
    async fn open(nursery: &Nursery, stage: &Stage) -> Result<Connections, String> {
        let login = |name: &str| {
            let password = stage.passwords.get(name).cloned().ok_or_else(|| format!("device {name} has no password"))?;
            Ok::<_, String>(Login { name: name.to_owned(), password })
        };
        let mut native = BTreeMap::new();
        for d in nursery.devices.iter().filter(|d| d.wire != Wire::Zigbee2mqtt) {
            let will = wire::status(&nursery.site.id, d, Presence::Offline)?;
            let listens = d.measures(&Quantity::Siren);
            let subscribe = listens.then(|| wire::native(&nursery.site.id, &d.id, TopicKind::Command));
            let (to, orders) = mpsc::channel(16);
            let link = Link::open(stage.broker, &login(d.id.as_str())?, Some(&will), subscribe, to).await?;
            native.insert(d.id.as_str().to_owned(), Speaker { link, orders });
        }
        let bridge = if nursery.devices.iter().any(|d| d.wire == Wire::Zigbee2mqtt) {
            Some(Link::open(stage.broker, &login(BRIDGE)?, None, None, mpsc::channel(1).0).await?)
        } else {
            None
        };
        let mut cameras = Vec::new();
        for c in &nursery.cameras {
            cameras.push(Link::open(stage.broker, &login(c.id.as_str())?, None, None, mpsc::channel(1).0).await?);
        }
        Ok(Connections { native, cameras, bridge })
    }

    /// Every native device's birth, and the bridge's list of its devices.
    async fn births(&self, nursery: &Nursery, stage: &Stage, spoken: &mut Spoken, second: u32) -> Result<(), String> {
        let at = nursery.utc_ms(second);
        stage.clock.set(at);
        let mut said = Vec::new();
        for d in nursery.devices.iter().filter(|d| d.wire != Wire::Zigbee2mqtt) {
            said.push((d.id.as_str().to_owned(), d, wire::status(&nursery.site.id, d, Presence::Online)?));
        }
        let bridged: Vec<&Device> = nursery.devices.iter().filter(|d| d.wire == Wire::Zigbee2mqtt).collect();
        if let Some(first) = bridged.first() {
            said.push((BRIDGE.to_owned(), *first, wire::inventory(bridged.iter().copied())));
        }
        let waits = said.into_iter().map(|(name, d, packet)| self.say(d, packet, Key::Timed { device: name, at }));
        let keys = try_join_all(waits).await?;
        spoken.published = spoken.published.saturating_add(keys.len() as u64);
        spoken.acknowledged.extend(keys);
        Ok(())
    }

    /// Orders that have arrived meanwhile are carried out; the device confirms at its next step.
    fn take_orders(&mut self, nursery: &mut Nursery) {
        for d in &mut nursery.devices {
            let Some(speaker) = self.native.get_mut(d.id.as_str()) else { continue };
            while let Ok(bytes) = speaker.orders.try_recv() {
                match DeviceCommand::from_bytes(&bytes) {
                    Ok(order) => {
                        let sounding = match order.action {
                            DeviceAction::SirenOn => Some(true),
                            DeviceAction::SirenOff => Some(false),
                            _ => None,
                        };
                        d.carried_out(order.id, sounding);
                    }
                    Err(e) => tracing::warn!(device = d.id.as_str(), error = %e, "an order cannot be read"),
                }
            }
        }
    }

    async fn speak(&self, nursery: &mut Nursery, stage: &Stage, spoken: &mut Spoken, second: u32, now: i64) -> Result<(), String> {
        let uptime = u64::from(second.saturating_sub(nursery.day.from.0).saturating_add(PRELUDE_S)).saturating_mul(1000);
        let mut said: Vec<(usize, Due)> = Vec::new();
        for (index, d) in nursery.devices.iter_mut().enumerate() {
            said.extend(d.due(second).map(|due| (index, due)));
        }
        let mut waits = Vec::with_capacity(said.len());
        let mut repeats = Vec::new();
        for (index, due) in &said {
            let Some(d) = nursery.devices.get(*index) else { continue };
            let device = d.id.as_str().to_owned();
            let packet = wire::packet(&nursery.site.id, d, due, now, uptime)?;
            let key = match d.wire {
                // Zigbee2MQTT's payloads carry no number.
                Wire::Zigbee2mqtt => Key::Timed { device: device.clone(), at: now },
                _ => Key::Numbered { device: device.clone(), boot: d.boot, seq: due.seq },
            };
            spoken.moments.insert((device, now), stage.watch.elapsed());
            spoken.published = spoken.published.saturating_add(1);
            if !nursery.day.noise.is_empty() && matches!(key, Key::Numbered { .. }) {
                repeats.extend([(d, packet.clone(), key.clone()), (d, packet.clone(), key.clone())]);
            }
            waits.push(self.say(d, packet, key));
        }
        spoken.acknowledged.extend(try_join_all(waits).await?);
        // Noise: the network brings it again and again.
        try_join_all(repeats.into_iter().map(|(d, packet, key)| self.say(d, packet, key))).await?;
        Ok(())
    }

    /// Every camera's frame of that second.
    async fn film(&self, nursery: &mut Nursery, spoken: &mut Spoken, second: u32, now: i64) -> Result<(), String> {
        for (camera, link) in nursery.cameras.iter_mut().zip(&self.cameras) {
            let payload = camera.frame(&nursery.site.id, second, nursery.day.step_s, now)?;
            let topic = wire::native(&nursery.site.id, &camera.id, TopicKind::Frame);
            let notice = link.publish(Packet { topic, payload, retain: false }).await?;
            match timeout(PATIENCE, notice.wait_async()).await {
                Ok(Ok(_)) => spoken.frames = spoken.frames.saturating_add(1),
                Ok(Err(e)) => return Err(format!("camera {}: its frame was not acknowledged: {e}", camera.id)),
                Err(_) => return Err(format!("camera {}: no acknowledgement within {} s", camera.id, PATIENCE.as_secs())),
            }
        }
        Ok(())
    }

    /// Publishes with QoS 1 and waits for the PUBACK.
    async fn say(&self, d: &Device, packet: Packet, key: Key) -> Result<Key, String> {
        let link = match d.wire {
            Wire::Zigbee2mqtt => self.bridge.as_ref(),
            _ => self.native.get(d.id.as_str()).map(|s| &s.link),
        };
        let link = link.ok_or_else(|| format!("device {} is not connected", d.id))?;
        let notice = link.publish(packet).await?;
        match timeout(PATIENCE, notice.wait_async()).await {
            Ok(Ok(_)) => Ok(key),
            Ok(Err(e)) => Err(format!("device {}: its message was not acknowledged: {e}", d.id)),
            Err(_) => Err(format!("device {}: no acknowledgement within {} s", d.id, PATIENCE.as_secs())),
        }
    }

    /// Every device says goodbye.
    pub async fn close(self) {
        let links = self.native.into_values().map(|s| s.link).chain(self.cameras).chain(self.bridge);
        futures::future::join_all(links.map(Link::close)).await;
    }
}

/// Timers that are due at the clock's present time have fired and what they caused is on disk.
async fn tick(handle: &Handle) -> Result<(), String> {
    let (reply, answer) = oneshot::channel();
    ask(handle, Control::Tick { reply }, answer).await
}

async fn ask<T>(handle: &Handle, control: Control, answer: oneshot::Receiver<T>) -> Result<T, String> {
    handle.control.send(control).await.map_err(|_| "the gateway has stopped".to_owned())?;
    match timeout(PATIENCE, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => Err("the gateway has stopped".to_owned()),
        Err(_) => Err(format!("the gateway did not answer within {} s", PATIENCE.as_secs())),
    }
}

pub fn agenda(nursery: &Nursery) -> VecDeque<(u32, Deed)> {
    let mut deeds = Vec::new();
    for sweep in &nursery.day.sweep {
        deeds.extend(sweep.zones.iter().map(|z| (sweep.at.0, Deed::Sweep(z.clone()))));
    }
    for s in &nursery.day.staged {
        let (hazard, zone) = (s.hazard.as_str().to_owned(), s.zone.as_str().to_owned());
        if let Some(note) = &s.report {
            deeds.push((s.at.0, Deed::Report { zone: s.zone.clone(), note: note.clone() }));
        }
        if let Some(settle) = &s.settle {
            deeds.push((settle.at.0, Deed::Settle { hazard: hazard.clone(), zone: zone.clone(), reason: settle.reason.clone() }));
        }
        if let Some(at) = s.acknowledge {
            deeds.push((at.0, Deed::Acknowledge { hazard, zone }));
        }
    }
    deeds.sort_by_key(|(at, _)| *at);
    deeds.into()
}

async fn act(handle: &Handle, deed: &Deed) -> Result<(), String> {
    let action = match deed {
        Deed::Sweep(zone) => Action::RoomSwept { zone: zone.clone() },
        Deed::Report { zone, note } => Action::ReportConcern { zone: zone.clone(), note: note.clone() },
        Deed::Settle { hazard, zone, reason } => {
            Action::CancelPanic { incident: newest(handle, hazard, zone).await?, reason: reason.clone() }
        }
        Deed::Acknowledge { hazard, zone } => Action::Acknowledge { incident: newest(handle, hazard, zone).await?, note: None },
    };
    let (reply, answer) = oneshot::channel();
    let command = Command { actor: CARER.to_owned(), via: Some(tuoan_protocol::Via::Page), action };
    ask(handle, Control::Command { command, reply }, answer).await?.map(|_| ()).map_err(str::to_owned)
}

async fn newest(handle: &Handle, hazard: &str, zone: &str) -> Result<IncidentId, String> {
    let filter = IncidentFilter { hazard: Some(hazard.to_owned()), zone: Some(zone.to_owned()), open: true, ..IncidentFilter::default() };
    let found = blocking(handle, move |reader| reader.incidents(&filter, 1)).await?;
    found.into_iter().next().map(|i| i.id).ok_or_else(|| format!("there is no open {hazard} in {zone}"))
}

/// Incident events committed since `seen`: for the record and for whoever watches.
async fn collect(handle: &Handle, seen: u64, spoken: &mut Spoken, narrator: &Narrator) -> Result<u64, String> {
    let mut seen = seen;
    while handle.committed.borrow().sequence > seen {
        let events = blocking(handle, move |reader| reader.events_after(seen, 500)).await?;
        let Some(last) = events.last().map(|e| e.sequence) else { break };
        seen = last;
        for stored in events {
            match stored.event {
                Ok(event) => {
                    narrator.event(&event);
                    // The canary is no alarm.
                    if event.exercise.is_none() {
                        spoken.alerts.push(Alert {
                            id: event.id.as_str().to_owned(),
                            at: event.at,
                            transition: event.transition,
                            device: event.trigger.map(|t| t.device.as_str().to_owned()),
                        });
                    }
                }
                Err(reason) => spoken.troubles.push(format!("incident event {} cannot be read: {reason}", stored.sequence)),
            }
        }
    }
    Ok(seen)
}

/// A query of the gateway's store, off the async threads.
pub async fn blocking<T: Send + 'static>(
    handle: &Handle,
    query: impl FnOnce(&crate::store::Reader) -> Result<T, crate::store::StoreError> + Send + 'static,
) -> Result<T, String> {
    let reader = handle.reader.clone();
    tokio::task::spawn_blocking(move || query(&reader))
        .await
        .map_err(|e| format!("a query of the store ended abnormally: {e}"))?
        .map_err(|e| format!("the store cannot be read: {e}"))
}
