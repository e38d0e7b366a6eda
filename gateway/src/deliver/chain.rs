//! Whether the chain from a sensor to the district is alive. It is proven, not assumed: once an hour a canary goes the whole way (broker, decoder, engine, disk,
//! each receiver that gives receipts), and what a receiver has not confirmed for a minute is told on site. Both come to the engine as readings of the
//! device `chain`; the rules are in `rules/chain.toml`.
use super::status::{Deliveries, DeliveryStatus};
use crate::clock::Clock;
use crate::engine::input::Item;
use crate::engine::{CANARY, CHAIN, Message};
use crate::ingest::own::OwnVoice;
use crate::pipeline::Handle;
use crate::store::Lane;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tuoan_protocol::codec::Wire;
use tuoan_protocol::topic::TopicKind;
use tuoan_protocol::{DeviceEvent, DeviceId, DeviceTime, EventKind, Exercise, Fixed, Quantity};

/// A receiver has this long to confirm an alarm, and the canary to arrive.
pub const CONFIRMED_S: u64 = 60;
const TICK: Duration = Duration::from_secs(1);
/// The first canary, after a start: the receivers have had time to connect.
const FIRST: Duration = Duration::from_secs(60);
/// How soon a canary that failed is sent again.
const AGAIN: Duration = Duration::from_secs(300);

/// Each stage of a canary's way, and after how many milliseconds it was there.
pub type Stages = Vec<(String, i64)>;

/// What is known of the chain. UTC milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainView {
    /// The last canary that arrived everywhere, and how many milliseconds each stage took.
    pub proven: Option<(i64, Stages)>,
    /// Where the last canary was lost, and since when that is so.
    pub broken: Option<(String, i64)>,
    /// Receivers that have not confirmed an alarm for [`CONFIRMED_S`].
    pub late: Vec<String>,
}

#[derive(Clone)]
pub struct Chain {
    pub handle: Handle,
    pub deliveries: Deliveries,
    pub voice: OwnVoice,
    pub clock: Clock,
    pub every: Duration,
    pub view: Arc<Mutex<ChainView>>,
    pub shutdown: CancellationToken,
}

/// Sequences that were committed in the last minute, by the second, against which a receiver is held.
#[derive(Debug, Default)]
struct Watch {
    heads: VecDeque<(Instant, u64)>,
}

impl Watch {
    /// Notes the newest sequence, and says which of the receivers are late: those that lack what was there a minute ago.
    fn look<'a>(&mut self, now: Instant, head: u64, done: impl Iterator<Item = (&'a str, u64)>) -> Vec<String> {
        self.heads.push_back((now, head));
        let mut owed = None;
        while let Some((at, sequence)) = self.heads.front().copied() {
            if now.saturating_duration_since(at) < Duration::from_secs(CONFIRMED_S) {
                break;
            }
            owed = Some(sequence);
            self.heads.pop_front();
        }
        // The newest that is a minute old stays the measure until there is a newer one.
        if let Some(sequence) = owed {
            self.heads.push_front((now.checked_sub(Duration::from_secs(CONFIRMED_S)).unwrap_or(now), sequence));
        }
        done.filter(|(_, to)| owed.is_some_and(|o| *to < o)).map(|(name, _)| name.to_owned()).collect()
    }
}

impl Chain {
    pub async fn run(self) {
        let (mut watch, mut said) = (Watch::default(), None);
        let begun = Instant::now();
        let mut next = begun + FIRST.min(self.every);
        let mut seq = 0u64;
        let boot = self.clock.utc_ms().unsigned_abs();
        let mut canary: Option<tokio::task::JoinHandle<Result<Stages, String>>> = None;
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => {
                    if let Some(task) = canary { task.abort(); }
                    return;
                }
                () = sleep(TICK) => {}
            }
            let now = Instant::now();
            let lanes = alerts(&self.deliveries);
            let head = self.handle.committed.borrow().sequence;
            let late = watch.look(now, head, lanes.iter().map(|s| (s.sink, head.saturating_sub(s.queue_messages))));
            if canary.is_none() && now >= next {
                seq += 1;
                canary = Some(tokio::spawn(self.clone().fly(boot, seq)));
            }
            if canary.as_ref().is_some_and(tokio::task::JoinHandle::is_finished)
                && let Some(task) = canary.take()
            {
                let came = task.await.unwrap_or_else(|e| Err(e.to_string()));
                next = Instant::now() + if came.is_ok() { self.every } else { AGAIN.min(self.every) };
                self.note(came);
            }
            let broken = {
                let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
                view.late.clone_from(&late);
                view.broken.is_some()
            };
            let words = (!late.is_empty(), broken);
            if said != Some(words) && self.tell(words) {
                said = Some(words);
            }
        }
    }

    fn note(&self, came: Result<Stages, String>) {
        let now = self.clock.utc_ms();
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        match came {
            Ok(stages) => (view.proven, view.broken) = (Some((now, stages)), None),
            Err(stage) => {
                tracing::error!(stage, "the canary did not arrive: an alarm would not have arrived either");
                let since = view.broken.as_ref().map_or(now, |(_, since)| *since);
                view.broken = Some((stage, since));
            }
        }
    }

    /// Tells the engine; false when it has to be said again.
    fn tell(&self, (late, broken): (bool, bool)) -> bool {
        let Ok(device) = DeviceId::new(CHAIN) else { return true };
        let item = |quantity, on: bool| Item::Reading { quantity, channel: 0, value: Fixed(i64::from(on)) };
        let items = vec![item(Quantity::Unconfirmed, late), item(Quantity::ChainBroken, broken)];
        self.handle.observe(Message { device, boot: None, seq: None, sampled_at: None, retained: false, items }).is_ok()
    }

    /// One canary's way; how long each stage took, or where it was lost.
    async fn fly(self, boot: u64, seq: u64) -> Result<Stages, String> {
        let device = DeviceId::new(CANARY).map_err(|e| e.to_string())?;
        let begun = Instant::now();
        let took = || i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        let before = self.handle.committed.borrow().sequence;
        let time = DeviceTime::Unix(self.clock.utc_ms().max(0));
        let call = DeviceEvent {
            site: self.voice.site.clone(),
            device: device.clone(),
            boot,
            seq,
            time,
            kind: EventKind::Test,
            command: None,
            age: None,
        };
        self.voice.say(&device, TopicKind::Event, &call.to_json()).await.map_err(|e| format!("broker: {e}"))?;
        let mut stages = vec![("store".to_owned(), took())];
        let sequence = self.landed(before).await.ok_or("engine")?;
        let mut waiting: BTreeMap<&'static str, ()> = alerts(&self.deliveries).iter().map(|s| (s.sink, ())).collect();
        let confirmed = async {
            while !waiting.is_empty() {
                let head = self.handle.committed.borrow().sequence;
                for s in alerts(&self.deliveries) {
                    if head.saturating_sub(s.queue_messages) >= sequence && waiting.remove(s.sink).is_some() {
                        stages.push((s.sink.to_owned(), took()));
                    }
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = timeout(Duration::from_secs(CONFIRMED_S), confirmed).await.is_ok();
        if in_time { Ok(stages) } else { Err(waiting.into_keys().collect::<Vec<_>>().join(", ")) }
    }

    /// Sequence of the canary's event. Its message was acknowledged, so it is on disk.
    async fn landed(&self, before: u64) -> Option<u64> {
        let reader = self.handle.reader.clone();
        let events = tokio::task::spawn_blocking(move || reader.events_after(before, 500)).await.ok()?.ok()?;
        let canary = |e: &&crate::store::StoredEvent| e.event.as_ref().is_ok_and(|e| e.exercise == Some(Exercise::Canary));
        events.iter().find(canary).map(|e| e.sequence)
    }
}

fn alerts(deliveries: &Deliveries) -> Vec<DeliveryStatus> {
    deliveries.status().into_iter().filter(|s| s.lane == Lane::Alerts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_late_when_it_lacks_what_was_there_a_minute_ago() {
        let mut watch = Watch::default();
        let t0 = Instant::now();
        let at = |s: u64| t0 + Duration::from_secs(s);
        let mut look = |s: u64, head: u64, done: u64| !watch.look(at(s), head, [("platform", done)].into_iter()).is_empty();
        assert!(!look(0, 5, 5));
        assert!(!look(10, 6, 5), "it has just been stored");
        assert!(!look(69, 6, 5));
        assert!(look(70, 6, 5), "a minute");
        assert!(look(300, 6, 5), "and as long as it lasts");
        assert!(!look(301, 6, 6));
        assert!(!look(302, 40, 6), "new ones have their own minute");
        assert!(!look(361, 40, 20), "and it is on its way");
        assert!(look(362, 40, 39));
        assert!(!look(363, 40, 40));
    }
}
