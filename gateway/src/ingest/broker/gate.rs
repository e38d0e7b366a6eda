//! rmqtt's hooks: who may connect, what each may subscribe and publish, and the commit before each acknowledgement.
//!
//! What must hold: rmqtt awaits `MessagePublishCheckAcl` before it sends PUBACK or PUBREC, so that hook returns "allowed" for QoS 1 and 2
//! only when the message is on disk. A superuser session would skip it (none is ever made) and so does a will (its topic is checked
//! when the client connects, its message is taken in by `MessagePublish`, which sees every publish but acts on wills only).
use super::acl::{Account, Accounts};
use super::tell::Tell;
use crate::clock::Clock;
use crate::ingest::filter::{Filter, is_topic};
use crate::ingest::frames::{self, Arrival, FrameDesk};
use crate::ingest::{Ack, Inbound, RetainedMessage, Stored};
use async_trait::async_trait;
use rmqtt::codec::v5::{PublishAckReason, SubscribeAckReason};
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType};
use rmqtt::session::Session;
use rmqtt::types::{
    AuthResult, ConnectInfo, From, FromType, LastWill, Publish, PublishAclResult, PublishResult, Subscribe, SubscribeAclResult,
};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::WeakSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longest payload outside the frame topics, in bytes.
pub const MAX_PAYLOAD: usize = 256 << 10;
/// Longest list of a bridge's devices: about 5 KiB for each. Without it no device of the bridge is known.
const MAX_LIST: usize = 2 << 20;
/// KiB of messages between the sockets and the disk, apart for QoS 0 and for the rest: of QoS 0 one client may send any number at once, and
/// must not take the place of those who wait for their acknowledgement.
const MAX_KIB_QOS0: usize = 32 << 10;
const MAX_KIB: usize = 64 << 10;
/// Publishes that may wait for queue space or for their commit at one time. Each connection waits with one, so this is reached only when
/// the store has stood still so long that clients have given up and come back again and again.
const MAX_WAITING: usize = 8192;
/// A will has no sender that would repeat it: it is offered this often.
const WILL_ATTEMPTS: u32 = 30;

/// The memory that messages on their way may take.
pub(super) struct Room {
    qos0: Arc<Semaphore>,
    acknowledged: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Room {
        Room { qos0: Arc::new(Semaphore::new(MAX_KIB_QOS0)), acknowledged: Arc::new(Semaphore::new(MAX_KIB)) }
    }
}

impl Room {
    /// Waits for room for a message of so many bytes; `None` never comes, as the semaphores are never closed.
    async fn share(&self, qos: u8, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let room = if qos == 0 { &self.qos0 } else { &self.acknowledged };
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).saturating_add(1);
        Arc::clone(room).acquire_many_owned(kib).await.ok()
    }
}

/// The longest payload that a topic may have, in bytes.
pub fn longest(topic: &str) -> usize {
    if topic.ends_with("/bridge/devices") { MAX_LIST } else { MAX_PAYLOAD }
}

/// Counts since the start, for metrics and the doctor.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) unstored: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) logins_refused: AtomicU64,
    pub(super) wills: AtomicU64,
}

pub(super) struct Gate {
    pub(super) accounts: Accounts,
    pub(super) sessions_of_user: isize,
    /// The broker holds the strong end: rmqtt's tasks and hooks live for as long as the process, and the pipeline ends only when its
    /// queue has no sender left.
    pub(super) inbound: WeakSender<Inbound>,
    pub(super) frames: FrameDesk,
    pub(super) clock: Clock,
    pub(super) counters: Counters,
    pub(super) tell: Tell,
    pub(super) closing: Arc<AtomicBool>,
    pub(super) waiting: AtomicUsize,
    pub(super) room: Room,
    /// To see whose session a client id belongs to. Emptied at shutdown, because the context owns the hooks.
    pub(super) context: Mutex<Option<ServerContext>>,
}

/// Why a publish is turned away.
enum Refusal {
    Topic,
    NotAllowed,
    TooLong(usize),
}

impl Gate {
    /// Whether a refusal is to be said now, and how many of the kind have not been.
    fn turn(&self, who: &str, kind: &'static str) -> Option<u64> {
        self.tell.turn(who, kind, self.clock.monotonic_ms())
    }

    async fn authenticate(&self, connect: &ConnectInfo) -> AuthResult {
        let result = self.judge(connect).await;
        if !matches!(result, AuthResult::Allow(..)) {
            self.counters.logins_refused.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    async fn judge(&self, connect: &ConnectInfo) -> AuthResult {
        let (client, from) = (connect.client_id(), connect.ipaddress());
        let (Some(name), Some(password)) = (connect.username(), connect.password()) else {
            if let Some(untold) = self.turn(&format!("{from:?}"), "anonymous") {
                tracing::warn!(%client, ?from, untold, "connection refused: no user name or password given");
            }
            return AuthResult::BadUsernameOrPassword;
        };
        let Some(account) = self.accounts.login(name, password) else {
            if let Some(untold) = self.turn(name, "login") {
                tracing::warn!(%client, user = %name, ?from, untold, "connection refused: wrong user name or password");
            }
            return AuthResult::BadUsernameOrPassword;
        };
        if let Some(will) = connect.last_will()
            && let Err(reason) = check_will(account, &will)
        {
            if let Some(untold) = self.turn(name, "will") {
                tracing::warn!(%client, user = %name, ?from, untold, "connection refused: {reason}");
            }
            return AuthResult::NotAuthorized;
        }
        match self.owner(connect).await {
            Some(owner) if *owner != **name => {
                if let Some(untold) = self.turn(name, "client id") {
                    tracing::warn!(%client, user = %name, ?from, %owner, untold, "connection refused: another user has a session under this client id");
                }
                return AuthResult::NotAuthorized;
            }
            Some(_) => {}
            None if self.is_crowding(name).await => {
                if let Some(untold) = self.turn(name, "sessions") {
                    tracing::warn!(%client, user = %name, ?from, untold, "connection refused: this user has {} sessions already", self.sessions_of_user);
                }
                return AuthResult::NotAuthorized;
            }
            None => {}
        }
        AuthResult::Allow(false, None)
    }

    /// The user whose session lives under this client id: taking it over would bring another device's subscriptions and messages.
    async fn owner(&self, connect: &ConnectInfo) -> Option<String> {
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let session = context.extends.shared().await.entry(connect.id().clone()).session()?;
        Some(session.id.username_ref().to_owned())
    }

    /// Whether one user alone holds half of all sessions: nobody may shut the others out. Looked at only once the broker is half full.
    async fn is_crowding(&self, name: &str) -> bool {
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(context) = context.filter(|c| c.sessions.count() >= self.sessions_of_user) else { return false };
        let shared = context.extends.shared().await;
        let theirs = shared.iter().filter(|entry| entry.session().is_some_and(|s| s.id.username_ref() == name)).count();
        isize::try_from(theirs).is_ok_and(|n| n >= self.sessions_of_user)
    }

    fn subscribe(&self, session: &Session, wanted: &Subscribe) -> SubscribeAclResult {
        let user = session.id.username_ref();
        let allowed = match (self.accounts.get(user), Filter::new(&wanted.topic_filter)) {
            (Some(account), Ok(filter)) => account.may_subscribe(&filter),
            _ => false,
        };
        if allowed {
            return SubscribeAclResult::new_success(wanted.opts.qos(), None);
        }
        if let Some(untold) = self.turn(user, "subscribe") {
            tracing::warn!(client = %session.id.client_id, user, filter = %wanted.topic_filter, untold, "subscription refused: not among the user's `subscribe`");
        }
        SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized)
    }

    async fn publish(&self, session: &Session, publish: &Publish) -> PublishAclResult {
        if self.closing.load(Ordering::Acquire) {
            return disconnect("the gateway is stopping");
        }
        let topic: &str = &publish.topic;
        let frame = self.frames.takes(topic, &publish.payload);
        let refusal = match self.accounts.get(session.id.username_ref()) {
            _ if !is_topic(topic) => Some(Refusal::Topic),
            Some(account) if account.may_publish(topic) => None,
            _ => Some(Refusal::NotAllowed),
        };
        let refusal = refusal.or((!frame && publish.payload.len() > longest(topic)).then_some(Refusal::TooLong(publish.payload.len())));
        if let Some(refusal) = refusal {
            return self.refuse(session, publish, &refusal).await;
        }
        if frame {
            // Sending a refused frame again would not mend it, so it is acknowledged too.
            let put = self.frames.put(topic, publish.payload.clone(), Arrival::now(&self.clock, false));
            if let Err(reason) = &put {
                tracing::debug!(client = %session.id.client_id, %reason, "frame refused");
            }
            // Frames on the native topic are meant for the gateway alone, and a picture on a topic that is no camera's for nobody: whoever may
            // subscribe to a whole tree gets none of them. The code is one of success, so the sender need not know.
            return match frames::is_frame_topic(topic) || put.is_err() {
                true => PublishAclResult(PublishResult::reason_code(PublishAckReason::NoMatchingSubscribers, None, false)),
                false => PublishAclResult::allow(),
            };
        }
        match self.take_in(session, publish, publish.qos.value()).await {
            Stored::Yes => {
                self.counters.accepted.fetch_add(1, Ordering::Relaxed);
                PublishAclResult::allow()
            }
            Stored::No => {
                let unstored = self.counters.unstored.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                if unstored.is_power_of_two() {
                    tracing::warn!(client = %session.id.client_id, topic, unstored, "message not stored, therefore not acknowledged: the sender keeps it");
                }
                disconnect("not stored, send again")
            }
        }
    }

    /// Puts the message into the queue, waiting for space; with QoS 1 and 2 waits for the commit as well.
    async fn take_in(&self, session: &Session, publish: &Publish, qos: u8) -> Stored {
        let Some(_slot) = Slot::take(&self.waiting) else { return Stored::No };
        let Some(share) = self.room.share(qos, publish.payload.len().saturating_add(publish.topic.len())).await else { return Stored::No };
        let (ack, stored) = match qos {
            0 => (Ack::none(), None),
            _ => {
                let (ack, stored) = Ack::channel();
                (ack, Some(stored))
            }
        };
        let inbound = Inbound {
            topic: Arc::from(&*publish.topic),
            payload: publish.payload.clone(),
            // A device that publishes with the retain flag sends news; only what a broker hands out on subscription is old.
            retained: false,
            qos,
            sender: Some(Arc::from(&*session.id.client_id)),
            ack: ack.holding(share),
        };
        let Some(queue) = self.inbound.upgrade() else { return Stored::No };
        if queue.send(inbound).await.is_err() {
            return Stored::No;
        }
        drop(queue);
        match stored {
            None => Stored::Yes,
            Some(stored) => stored.await.unwrap_or(Stored::No),
        }
    }

    /// Takes in what was retained before the restart, as an outside broker hands it out on subscription: conventions learn from it which topics and values
    /// mean what. Native messages announce nothing, and the engine remembers what they said.
    pub(super) async fn recall(&self, messages: Vec<(String, RetainedMessage)>) {
        for (topic, message) in messages.into_iter().filter(|(topic, _)| !topic.starts_with("tuoan/")) {
            let Some(share) = self.room.share(0, message.size(&topic)).await else { return };
            let Some(queue) = self.inbound.upgrade() else { return };
            let inbound = Inbound {
                topic: topic.into(),
                payload: message.payload,
                retained: true,
                qos: 0,
                sender: Some(message.sender.into()),
                ack: Ack::none().holding(share),
            };
            if queue.send(inbound).await.is_err() {
                return;
            }
        }
    }

    async fn refuse(&self, session: &Session, publish: &Publish, refusal: &Refusal) -> PublishAclResult {
        let refused = self.counters.refused.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let (code, reason) = match refusal {
            Refusal::Topic => (PublishAckReason::TopicNameInvalid, "the topic is no topic name".to_owned()),
            Refusal::NotAllowed => {
                (PublishAckReason::NotAuthorized, "the topic is not among the user's `publish` and `devices`".to_owned())
            }
            Refusal::TooLong(bytes) => {
                let most = longest(&publish.topic);
                (PublishAckReason::QuotaExceeded, format!("{bytes} bytes are more than the {most} that a message may have"))
            }
        };
        let (client, user) = (&session.id.client_id, session.id.username_ref());
        if let Some(untold) = self.turn(user, "publish") {
            tracing::warn!(%client, user, topic = %publish.topic, refused, untold, "message refused: {reason}");
        }
        // MQTT 3.1.1 has no negative acknowledgement: closing is the only way not to confirm what was not taken.
        let silent = publish.qos.value() > 0 && !matches!(session.connect_info().await.as_deref(), Ok(ConnectInfo::V5(..)));
        PublishAclResult(PublishResult::reason_code(code, Some(reason.into()), silent))
    }

    /// Takes in the will of a client that is gone.
    async fn will(&self, session: &Session, publish: &Publish) {
        if self.closing.load(Ordering::Acquire) {
            return;
        }
        self.counters.wills.fetch_add(1, Ordering::Relaxed);
        for _ in 0..WILL_ATTEMPTS {
            if self.take_in(session, publish, publish.qos.value().max(1)).await == Stored::Yes || self.closing.load(Ordering::Acquire) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tracing::error!(client = %session.id.client_id, topic = %publish.topic, "the will of a lost client could not be stored");
    }
}

fn check_will(account: &Account, will: &LastWill<'_>) -> Result<(), String> {
    let (topic, payload) = match will {
        LastWill::V3(will) => (&will.topic, &will.message),
        LastWill::V5(will) => (&will.topic, &will.message),
    };
    if !is_topic(topic) || frames::is_frame_topic(topic) || crate::cameras::holds_picture(payload) {
        return Err(format!("{topic:?} is no topic for a will"));
    }
    if !account.may_publish(topic) {
        return Err(format!("the topic {topic:?} of its will is not among the user's `publish` and `devices`"));
    }
    if payload.len() > MAX_PAYLOAD {
        return Err(format!("its will has {} bytes; {MAX_PAYLOAD} are allowed", payload.len()));
    }
    Ok(())
}

fn disconnect(reason: &'static str) -> PublishAclResult {
    PublishAclResult::rejected(true, Some(reason.into()))
}

/// A place among those who wait; given back when it is dropped.
struct Slot<'a>(&'a AtomicUsize);

impl Slot<'_> {
    fn take(waiting: &AtomicUsize) -> Option<Slot<'_>> {
        let slot = Slot(waiting);
        // The slot exists already, so that a refusal gives back what was just counted.
        (waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(slot)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The gate as rmqtt calls it.
pub(super) struct GateHook(pub(super) Arc<Gate>);

#[async_trait]
impl Handler for GateHook {
    async fn hook(&self, parameter: &Parameter, acc: Option<HookResult>) -> ReturnType {
        match parameter {
            Parameter::ClientAuthenticate(connect) => (false, Some(HookResult::AuthResult(self.0.authenticate(connect).await))),
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                (false, Some(HookResult::SubscribeAclResult(self.0.subscribe(session, subscribe))))
            }
            Parameter::MessagePublishCheckAcl(session, publish) => {
                (false, Some(HookResult::PublishAclResult(self.0.publish(session, publish).await)))
            }
            Parameter::MessagePublish(Some(session), from, publish) if is_will(from) => {
                self.0.will(session, publish).await;
                (true, acc)
            }
            _ => (true, acc),
        }
    }
}

fn is_will(from: &From) -> bool {
    matches!(from.typ(), FromType::LastWill)
}
