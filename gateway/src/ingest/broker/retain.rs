//! rmqtt's view of the retained messages: a bounded copy in memory, written through to the [`RetainedStore`].
use crate::clock::Clock;
use crate::ingest::filter::{Filter, MAX_TOPIC};
use crate::ingest::frames::is_frame_topic;
use crate::ingest::retained::{MAX_RETAINED, MAX_RETAINED_BYTES, RetainedError, RetainedMessage, RetainedStore};
use async_trait::async_trait;
use rmqtt::codec::v5::PublishProperties;
use rmqtt::retain::RetainStorage;
use rmqtt::types::{CodecPublish, From, FromType, Id, QoS, Retain, TopicFilter, TopicName};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Topics in one lane are written one after the other, so that memory and store end with the same message.
const LANES: usize = 32;

pub(super) struct Retained {
    store: Arc<dyn RetainedStore>,
    mirror: Mutex<Mirror>,
    lanes: [tokio::sync::Mutex<()>; LANES],
    clock: Clock,
    /// Once the gateway stops, wills of the connections that it closes itself must not change what is retained.
    closing: Arc<AtomicBool>,
    /// Messages that were not retained for want of room.
    refused: AtomicU64,
}

#[derive(Default)]
struct Mirror {
    messages: BTreeMap<String, RetainedMessage>,
    bytes: usize,
}

impl Mirror {
    fn insert(&mut self, topic: String, message: RetainedMessage) {
        self.remove(&topic);
        self.bytes = self.bytes.saturating_add(message.size(&topic));
        self.messages.insert(topic, message);
    }
    fn remove(&mut self, topic: &str) {
        if let Some(old) = self.messages.remove(topic) {
            self.bytes = self.bytes.saturating_sub(old.size(topic));
        }
    }
    /// Whether `message` fits once it has replaced what is there now.
    fn has_room(&self, topic: &str, message: &RetainedMessage) -> bool {
        let (freed, count) = self.messages.get(topic).map_or((0, 1), |old| (old.size(topic), 0));
        let bytes = self.bytes.saturating_sub(freed).saturating_add(message.size(topic));
        self.messages.len().saturating_add(count) <= MAX_RETAINED && bytes <= MAX_RETAINED_BYTES
    }
}

impl Retained {
    /// Reads what the store holds.
    pub(super) async fn load(
        store: Arc<dyn RetainedStore>,
        clock: Clock,
        closing: Arc<AtomicBool>,
    ) -> Result<Arc<Retained>, RetainedError> {
        let mut mirror = Mirror::default();
        let now = clock.utc_ms();
        for (topic, message) in store.all().await? {
            if message.expires_at_ms.is_none_or(|at| at > now) && mirror.has_room(&topic, &message) {
                mirror.insert(topic, message);
            } else {
                store.set(&topic, None).await?;
            }
        }
        let lanes = std::array::from_fn(|_| tokio::sync::Mutex::new(()));
        Ok(Arc::new(Retained { store, mirror: Mutex::new(mirror), lanes, clock, closing, refused: AtomicU64::new(0) }))
    }

    /// Everything that is retained now, ordered by topic.
    pub(super) fn live(&self) -> Vec<(String, RetainedMessage)> {
        let now = self.clock.utc_ms();
        let mirror = self.mirror();
        let live = mirror.messages.iter().filter(|(_, message)| message.expires_at_ms.is_none_or(|at| at > now));
        live.map(|(topic, message)| (topic.clone(), message.clone())).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.mirror().messages.len()
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn mirror(&self) -> MutexGuard<'_, Mirror> {
        self.mirror.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, topic: &str, message: Option<RetainedMessage>) -> Result<(), RetainedError> {
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % (LANES as u64)).unwrap_or(0);
        let _turn = match self.lanes.get(lane) {
            Some(lane) => Some(lane.lock().await),
            None => None,
        };
        let message = {
            let mirror = self.mirror();
            match (message, mirror.messages.get(topic)) {
                (None, None) => return Ok(()),
                // A device that repeats its state must not wear the disk.
                (Some(new), Some(old)) if new == *old => return Ok(()),
                (Some(new), _) if !mirror.has_room(topic, &new) => {
                    let refused = self.refused.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                    if refused.is_power_of_two() {
                        tracing::warn!(topic, refused, "no room for another retained message; clear topics that nobody needs any more");
                    }
                    // What lies there is out of date now: nothing is better than that.
                    None
                }
                (message, _) => message,
            }
        };
        self.store.set(topic, message.clone()).await?;
        let mut mirror = self.mirror();
        match message {
            Some(message) => mirror.insert(topic.to_owned(), message),
            None => mirror.remove(topic),
        }
        Ok(())
    }

    fn matching(&self, filter: &Filter) -> Vec<(String, RetainedMessage)> {
        let now = self.clock.utc_ms();
        let live = |message: &RetainedMessage| message.expires_at_ms.is_none_or(|at| at > now);
        let mirror = self.mirror();
        let found = mirror.messages.iter().filter(|(topic, message)| filter.matches(topic) && live(message));
        found.map(|(topic, message)| (topic.clone(), message.clone())).collect()
    }
}

/// What rmqtt holds; the gateway keeps the other handle.
pub(super) struct RetainedHandle(pub(super) Arc<Retained>);

#[async_trait]
impl RetainStorage for RetainedHandle {
    fn enable(&self) -> bool {
        true
    }

    fn need_sync(&self) -> bool {
        false
    }

    /// `expiry` is rmqtt's general message expiry (minutes), which is meant for queues: a retained state stays until it is replaced unless
    /// its publisher said otherwise.
    async fn set(&self, topic: &TopicName, retain: Retain, _expiry: Option<Duration>) -> rmqtt::Result<()> {
        let Retained { clock, closing, .. } = &*self.0;
        let own_doing = closing.load(Ordering::Acquire) && matches!(retain.from.typ(), FromType::LastWill);
        // A picture is never kept, whatever its sender wishes.
        if own_doing || is_frame_topic(topic) || crate::cameras::holds_picture(&retain.publish.payload) || topic.len() > MAX_TOPIC {
            return Ok(());
        }
        let publish = &retain.publish;
        let seconds = publish.properties.as_ref().and_then(|properties| properties.message_expiry_interval);
        let message = (!publish.payload.is_empty()).then(|| RetainedMessage {
            // The packet's buffer may be far larger than the payload: keep only the payload.
            payload: bytes::Bytes::copy_from_slice(&publish.payload),
            qos: publish.qos.value(),
            sender: retain.from.client_id.to_string(),
            expires_at_ms: seconds.map(|s| clock.utc_ms().saturating_add(i64::from(s.get()).saturating_mul(1000))),
        });
        self.0.write(topic, message).await?;
        Ok(())
    }

    async fn get(&self, filter: &TopicFilter) -> rmqtt::Result<Vec<(TopicName, Retain)>> {
        let filter = Filter::new(filter)?;
        let now = self.0.clock.utc_ms();
        let found = self.0.matching(&filter).into_iter();
        Ok(found.map(|(topic, message)| (TopicName::from(topic.as_str()), retain(topic, message, now))).collect())
    }

    async fn count(&self) -> isize {
        isize::try_from(self.0.len()).unwrap_or(isize::MAX)
    }

    async fn max(&self) -> isize {
        isize::try_from(MAX_RETAINED).unwrap_or(isize::MAX)
    }
}

fn retain(topic: String, message: RetainedMessage, now_ms: i64) -> Retain {
    let seconds = message.expires_at_ms.map(|at| u32::try_from(at.saturating_sub(now_ms) / 1000).unwrap_or(u32::MAX).max(1));
    let properties = PublishProperties { message_expiry_interval: seconds.and_then(NonZeroU32::new), ..PublishProperties::default() };
    let publish = CodecPublish {
        dup: false,
        retain: true,
        qos: QoS::try_from(message.qos).unwrap_or(QoS::AtLeastOnce),
        topic: topic.into(),
        packet_id: None,
        payload: message.payload,
        properties: Some(properties),
    };
    let from = From::from_custom(Id::new(super::NODE, 0, None, None, message.sender.into(), None));
    Retain { msg_id: None, from, publish: publish.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::retained::MemoryRetained;
    use bytes::Bytes;

    fn message(payload: &'static [u8]) -> RetainedMessage {
        RetainedMessage { payload: Bytes::from_static(payload), qos: 1, sender: "env-1".into(), expires_at_ms: None }
    }

    async fn loaded(store: &Arc<MemoryRetained>, clock: &Clock) -> Arc<Retained> {
        Retained::load(Arc::clone(store) as Arc<dyn RetainedStore>, clock.clone(), Arc::default()).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_retained_is_there_after_a_restart() {
        let (store, clock) = (Arc::new(MemoryRetained::default()), Clock::manual(1_000));
        let retained = loaded(&store, &clock).await;
        retained.write("a/1", Some(message(b"one"))).await.unwrap();
        retained.write("a/2", Some(message(b"two"))).await.unwrap();
        retained.write("a/1", None).await.unwrap();
        retained.write("a/3", Some(RetainedMessage { expires_at_ms: Some(5_000), ..message(b"three") })).await.unwrap();
        let again = loaded(&store, &clock).await;
        let found = again.matching(&Filter::new("a/+").unwrap());
        assert_eq!(found.iter().map(|(t, _)| t.as_str()).collect::<Vec<_>>(), ["a/2", "a/3"]);
        clock.set(5_000);
        assert_eq!(again.matching(&Filter::new("#").unwrap()).len(), 1, "an expired message is not delivered");
        assert_eq!(loaded(&store, &clock).await.len(), 1);
        assert_eq!(store.all().await.unwrap().len(), 1, "nor kept on disk after the next start");
    }

    #[tokio::test]
    async fn count_and_bytes_are_bounded_and_a_stale_message_does_not_stay() {
        let (store, clock) = (Arc::new(MemoryRetained::default()), Clock::manual(0));
        let retained = loaded(&store, &clock).await;
        for i in 0..MAX_RETAINED {
            retained.write(&format!("t/{i}"), Some(message(b"x"))).await.unwrap();
        }
        retained.write("one/more", Some(message(b"x"))).await.unwrap();
        assert_eq!((retained.len(), retained.refused()), (MAX_RETAINED, 1));
        let huge = RetainedMessage { payload: vec![0; MAX_RETAINED_BYTES].into(), ..message(b"") };
        retained.write("t/0", Some(huge)).await.unwrap();
        assert_eq!((retained.len(), retained.refused()), (MAX_RETAINED - 1, 2));
        assert_eq!(store.all().await.unwrap().len(), MAX_RETAINED - 1);
    }
}
