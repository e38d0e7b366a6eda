//! What is known about the outside broker, and what its operator should change.
use std::fmt;

/// Where Mosquitto tells about itself.
pub(super) const SYS_TOPICS: [&str; 3] = [VERSION, DROPPED, STORED];
const VERSION: &str = "$SYS/broker/version";
const DROPPED: &str = "$SYS/broker/publish/messages/dropped";
const STORED: &str = "$SYS/broker/store/messages/count";

/// Messages that a Mosquitto with its stock configuration keeps for a client that is away.
const MOSQUITTO_QUEUE: u32 = 1000;

/// The outside broker as seen from here. A figure is absent when the broker does not tell it or its access list hides `$SYS`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BrokerReport {
    pub connected: bool,
    /// Why the last connection ended or could not be made.
    pub last_error: Option<String>,
    /// E.g. `mosquitto version 2.0.21`.
    pub version: Option<String>,
    /// Messages that the broker has dropped for all its clients since it started.
    pub dropped: Option<u64>,
    /// How many of them fell while we were watching.
    pub dropped_since: u64,
    /// Messages that the broker holds at present, retained ones included.
    pub stored: Option<u64>,
    /// Messages that the broker keeps for us while we are away, if its stock configuration is in force: it does not tell the real limit.
    pub queue_hint: Option<u32>,
    /// Topic filters that the broker did not let us subscribe to.
    pub denied: Vec<String>,
}

/// Something about the broker that loses messages or may lose them. `Display` says what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    Disconnected { reason: String },
    Denied { filter: String },
    Dropping { messages: u64 },
    ShortQueue { messages: u32 },
    AcknowledgesBeforeSaving,
}

impl BrokerReport {
    /// Takes in a message on a `$SYS` topic.
    pub(super) fn learn(&mut self, topic: &str, payload: &[u8]) {
        let Ok(text) = std::str::from_utf8(payload) else { return };
        let number = || text.trim().parse::<u64>().ok();
        match topic {
            VERSION => {
                let version: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
                self.queue_hint = version.starts_with("mosquitto").then_some(MOSQUITTO_QUEUE);
                self.version = Some(version);
            }
            DROPPED => {
                let now = number();
                if let (Some(before), Some(now)) = (self.dropped, now) {
                    // A smaller figure than before means that the broker has restarted.
                    let more = now.checked_sub(before).unwrap_or(now);
                    self.dropped_since = self.dropped_since.saturating_add(more);
                }
                self.dropped = now.or(self.dropped);
            }
            STORED => self.stored = number().or(self.stored),
            _ => {}
        }
    }

    /// What should be changed, worst first.
    pub fn advice(&self) -> Vec<Advice> {
        let mut advice = Vec::new();
        if !self.connected {
            advice.push(Advice::Disconnected { reason: self.last_error.clone().unwrap_or_else(|| "not connected yet".to_owned()) });
        }
        advice.extend(self.denied.iter().map(|filter| Advice::Denied { filter: filter.clone() }));
        if self.dropped_since > 0 {
            advice.push(Advice::Dropping { messages: self.dropped_since });
        }
        if let Some(messages) = self.queue_hint {
            advice.push(Advice::ShortQueue { messages });
            advice.push(Advice::AcknowledgesBeforeSaving);
        }
        advice
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected { reason } => {
                write!(f, "not connected to the broker ({reason}); check `url`, user name and password under [client], and that the broker runs")
            }
            Self::Denied { filter } => {
                write!(f, "the broker refuses the subscription to {filter}; give the gateway's user read access in the broker's access list")
            }
            Self::Dropping { messages } => write!(
                f,
                "the broker has dropped {messages} messages since the gateway started; raise `max_queued_messages` (0: no limit) in its configuration"
            ),
            Self::ShortQueue { messages } => write!(
                f,
                "a Mosquitto with its stock configuration keeps only {messages} messages while the gateway is away; set `max_queued_messages 0` and `max_queued_bytes` in its configuration, or use the embedded broker"
            ),
            Self::AcknowledgesBeforeSaving => f.write_str(
                "Mosquitto acknowledges messages before it saves them: what it holds is lost if it is killed or the power fails; set `autosave_interval` low and `persistence true`, or use the embedded broker",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mosquitto_s_figures_become_advice() {
        let mut report = BrokerReport { connected: true, ..BrokerReport::default() };
        assert!(report.advice().is_empty());
        report.learn(VERSION, b"mosquitto version 2.0.21");
        report.learn(DROPPED, b"40");
        assert_eq!(report.advice(), [Advice::ShortQueue { messages: 1000 }, Advice::AcknowledgesBeforeSaving]);
        report.learn(DROPPED, b"45");
        report.learn(DROPPED, b"3");
        report.learn(STORED, b"12\n");
        report.learn(STORED, b"\xFF");
        assert_eq!((report.dropped, report.dropped_since, report.stored), (Some(3), 8, Some(12)));
        assert_eq!(report.advice()[0], Advice::Dropping { messages: 8 });
        report.learn(VERSION, b"EMQX 5");
        assert_eq!(report.queue_hint, None);
    }
}
