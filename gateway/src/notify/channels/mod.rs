//! What a channel is. To add one: a file beside this one, a variant of [`Via`], a line in [`one`] and one in `config/notify.rs`.
use super::message::Message;
use crate::clock::Clock;
use crate::config::Problem;
use crate::deliver::{CommandLink, LinkError};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tuoan_dashboards::Lang;

pub mod bark;
mod call;
pub mod dingtalk;
#[cfg(test)]
mod double;
mod each;
pub mod email;
pub mod feishu;
pub mod http;
pub mod mqtt;
pub mod ntfy;
mod sign;
mod template;
pub mod thingsboard;
pub mod webhook;
pub mod wecom;
pub mod zzd;

/// One `[[channel]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelConfig {
    pub name: String,
    pub language: Lang,
    /// By person; a group robot uses them for @-mentions only.
    pub to: Vec<Address>,
    /// Reaches everybody who is in the group, whoever is named.
    pub everyone: bool,
    /// Lower than the receiver's own limit, when others use the same robot.
    pub per_minute: Option<u32>,
    pub via: Via,
}

/// What carries the messages, with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    Webhook(webhook::Settings),
    Mqtt(mqtt::Settings),
    Email(email::Settings),
    Dingtalk(dingtalk::Settings),
    Wecom(wecom::Settings),
    Feishu(feishu::Settings),
    Zzd(zzd::Settings),
    Bark(bark::Settings),
    Ntfy(ntfy::Settings),
    Http(http::Settings),
    Thingsboard(thingsboard::Settings),
}

impl Via {
    /// As in `kind = "..."`.
    pub fn kind(&self) -> &'static str {
        match self {
            Via::Webhook(_) => webhook::KIND,
            Via::Mqtt(_) => mqtt::KIND,
            Via::Email(_) => email::KIND,
            Via::Dingtalk(_) => dingtalk::KIND,
            Via::Wecom(_) => wecom::KIND,
            Via::Feishu(_) => feishu::KIND,
            Via::Zzd(_) => zzd::KIND,
            Via::Bark(_) => bark::KIND,
            Via::Ntfy(_) => ntfy::KIND,
            Via::Http(_) => http::KIND,
            Via::Thingsboard(_) => thingsboard::KIND,
        }
    }
}

/// Where one person is reached: a mobile number, mail address, account, device key. It may be a secret (a key of Bark is), so it is not printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The person's id in the site's list.
    pub person: String,
    pub address: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ***", self.person)
    }
}

/// What a receiver takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Messages (calls, whoever they are for) in 60 s.
    pub per_minute: Option<u32>,
    /// Messages a person and calendar day.
    pub per_person_day: Option<u32>,
    /// A text said before is silently dropped for so many seconds.
    pub drops_identical_for_s: Option<u32>,
    /// Whether several incidents may come as one message. Not for machines, which want each by itself.
    pub digests: bool,
}

/// The receiver has taken the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The receiver's id for it, or empty.
    pub receipt: String,
    /// Persons whom it did not take it for, and why.
    pub refused: Vec<(String, String)>,
}

/// Why a message is not with the receiver. No text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not reached, overloaded or out of order: try the same again, not before `after` if the receiver named a time. Those whom it was
    /// delivered to already are left out when the same telling (same id and `at`) is tried again.
    #[error("{reason}")]
    Retry { reason: String, after: Option<Duration> },
    /// Token, address or setting are wrong: a person has to act; worth trying again after that.
    #[error("{reason}")]
    Refused { reason: String },
    /// The receiver will never take this message.
    #[error("{reason}")]
    Poison { reason: String },
}

#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// Name of its `[[channel]]`.
    fn name(&self) -> &str;
    /// `dingtalk`, `email` ...
    fn kind(&self) -> &'static str;
    fn limits(&self) -> Limits;
    /// Hands the message over. `to`: addresses of the persons; a group robot reaches everybody and uses them for @-mentions.
    async fn send(&self, message: &Message, to: &[Address]) -> Result<Receipt, SendError>;
}

/// What all channels have.
#[derive(Debug, Clone)]
struct Base {
    name: String,
    language: Lang,
    per_minute: Option<u32>,
    clock: Clock,
}

impl Base {
    /// `limits` with the configuration's own, which can only be lower.
    fn limits(&self, limits: Limits) -> Limits {
        let per_minute = match (limits.per_minute, self.per_minute) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Limits { per_minute, ..limits }
    }
}

/// The configured channels, or everything that is wrong with them. Requests are signed with the time of the system's clock.
///
/// # Errors
/// What cannot be used, named by channel.
pub fn build(config: &[ChannelConfig], link: Arc<dyn CommandLink>) -> Result<Vec<Arc<dyn Channel>>, Vec<Problem>> {
    build_at(config, link, &Clock::System)
}

/// As [`build`], by another clock.
///
/// # Errors
/// As [`build`].
pub fn build_at(config: &[ChannelConfig], link: Arc<dyn CommandLink>, clock: &Clock) -> Result<Vec<Arc<dyn Channel>>, Vec<Problem>> {
    let mut channels = Vec::new();
    let mut problems = Vec::new();
    for (i, c) in config.iter().enumerate() {
        match one(c, link.clone(), clock.clone()) {
            Ok(channel) => channels.push(channel),
            Err(text) => problems.push(Problem { key: format!("channel[{i}]"), place: None, text: format!("{}: {text}", c.name) }),
        }
    }
    if problems.is_empty() { Ok(channels) } else { Err(problems) }
}

/// Whether a channel can be made of these settings; nothing is sent.
///
/// # Errors
/// What is wrong, without secrets.
pub fn check(config: &ChannelConfig) -> Result<(), String> {
    one(config, Arc::new(Nowhere), Clock::System).map(drop)
}

struct Nowhere;

#[async_trait]
impl CommandLink for Nowhere {
    async fn publish(&self, _topic: &str, _payload: &[u8]) -> Result<(), LinkError> {
        Err(LinkError("there is no broker".into()))
    }
}

fn one(config: &ChannelConfig, link: Arc<dyn CommandLink>, clock: Clock) -> Result<Arc<dyn Channel>, String> {
    let base = Base { name: config.name.clone(), language: config.language, per_minute: config.per_minute, clock };
    Ok(match &config.via {
        Via::Webhook(s) => Arc::new(webhook::Webhook::new(base, s)?),
        Via::Mqtt(s) => Arc::new(mqtt::Mqtt::new(base, s, link)),
        Via::Email(s) => Arc::new(email::Email::new(base, s)?),
        Via::Dingtalk(s) => Arc::new(dingtalk::Dingtalk::new(base, s)?),
        Via::Wecom(s) => Arc::new(wecom::Wecom::new(base, s)?),
        Via::Feishu(s) => Arc::new(feishu::Feishu::new(base, s)?),
        Via::Zzd(s) => Arc::new(zzd::Zzd::new(base, s)?),
        Via::Bark(s) => Arc::new(bark::Bark::new(base, s)?),
        Via::Ntfy(s) => Arc::new(ntfy::Ntfy::new(base, s)?),
        Via::Http(s) => Arc::new(http::Http::new(base, s)?),
        Via::Thingsboard(s) => Arc::new(thingsboard::Thingsboard::new(base, s)?),
    })
}
