//! Who may connect to the embedded broker, and which topics each may use.
use crate::ingest::filter::{Filter, FilterError};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use subtle::ConstantTimeEq;
use tuoan_protocol::topic::{Topic, TopicKind};
use tuoan_protocol::{DeviceId, SiteId};

/// One user of the broker as the configuration names it.
#[derive(Clone)]
pub struct User {
    pub name: String,
    /// SHA-256 of the password. Passwords are drawn, never chosen, so a slow hash adds nothing.
    pub password_sha256: [u8; 32],
    /// Native devices it speaks for: `tuoan/v1/<site>/<device>/#`, but for what the gateway says to them, which they may listen to.
    pub devices: Vec<DeviceId>,
    /// Further topic filters it may publish to.
    pub publish: Vec<String>,
    /// Further topic filters it may subscribe to.
    pub subscribe: Vec<String>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("devices", &self.devices).finish_non_exhaustive()
    }
}

/// A topic filter of a user that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("broker user {user:?}: {reason}")]
pub struct BadFilter {
    pub user: String,
    pub reason: FilterError,
}

/// All users of the broker.
#[derive(Debug)]
pub(super) struct Accounts(HashMap<String, Account>);

#[derive(Debug)]
pub(super) struct Account {
    password_sha256: [u8; 32],
    publish: Vec<Filter>,
    subscribe: Vec<Filter>,
    /// The gateway's own: it alone speaks to devices.
    is_gateway: bool,
}

impl Accounts {
    pub(super) fn new(site: &SiteId, users: &[User]) -> Result<Accounts, BadFilter> {
        let mut accounts = HashMap::new();
        let heard: Vec<&str> = TopicKind::ALL.into_iter().filter(|k| k.is_to_device()).map(TopicKind::as_str).collect();
        for user in users {
            let filters = |own: &[String], suffixes: &[&str]| -> Result<Vec<Filter>, BadFilter> {
                let of = |device: &DeviceId| suffixes.iter().map(|s| format!("tuoan/v1/{site}/{device}/{s}")).collect::<Vec<_>>();
                let native = user.devices.iter().flat_map(of);
                native
                    .chain(own.iter().cloned())
                    .map(|text| Filter::new(&text).map_err(|reason| BadFilter { user: user.name.clone(), reason }))
                    .collect()
            };
            let account = Account {
                password_sha256: user.password_sha256,
                publish: filters(&user.publish, &["#"])?,
                subscribe: filters(&user.subscribe, &heard)?,
                is_gateway: user.name == crate::ingest::own::ACCOUNT,
            };
            accounts.insert(user.name.clone(), account);
        }
        Ok(Accounts(accounts))
    }

    /// The account, if name and password fit. An unknown name takes as long as a wrong password.
    pub(super) fn login(&self, name: &str, password: &[u8]) -> Option<&Account> {
        let given: [u8; 32] = Sha256::digest(password).into();
        let account = self.0.get(name);
        let wanted = account.map_or([0; 32], |account| account.password_sha256);
        let same = bool::from(given.ct_eq(&wanted));
        account.filter(|_| same)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Account> {
        self.0.get(name)
    }
}

impl Account {
    pub(super) fn may_publish(&self, topic: &str) -> bool {
        // Only the gateway gives commands, firmware and settings.
        let to_device = topic.starts_with("tuoan/") && Topic::parse(topic).is_some_and(|t| t.kind.is_to_device());
        (self.is_gateway || !to_device) && self.publish.iter().any(|filter| filter.matches(topic))
    }

    /// Whether all that `filter` asks for may be read.
    pub(super) fn may_subscribe(&self, filter: &Filter) -> bool {
        self.subscribe.iter().any(|own| own.covers(filter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        let user = |name: &str, devices: &[&str], publish: &[&str], subscribe: &[&str]| User {
            name: name.into(),
            password_sha256: Sha256::digest(format!("{name}-secret")).into(),
            devices: devices.iter().map(|d| DeviceId::new(d).unwrap()).collect(),
            publish: publish.iter().map(|t| (*t).to_owned()).collect(),
            subscribe: subscribe.iter().map(|t| (*t).to_owned()).collect(),
        };
        let users = [user("env", &["env-1", "env-2"], &[], &[]), user("z2m", &[], &["zigbee2mqtt/#"], &["zigbee2mqtt/#"])];
        Accounts::new(&SiteId::new("xingyuan").unwrap(), &users).unwrap()
    }

    #[test]
    fn a_password_opens_only_its_own_account() {
        let accounts = accounts();
        assert!(accounts.login("env", b"env-secret").is_some());
        assert!(accounts.login("env", b"z2m-secret").is_none());
        assert!(accounts.login("env", b"").is_none());
        assert!(accounts.login("nobody", b"env-secret").is_none());
    }

    #[test]
    fn a_device_speaks_for_itself_only() {
        let accounts = accounts();
        let env = accounts.get("env").unwrap();
        for (topic, allowed) in [
            ("tuoan/v1/xingyuan/env-1/telemetry", true),
            ("tuoan/v1/xingyuan/env-2/status", true),
            ("tuoan/v1/xingyuan/env-3/telemetry", false),
            ("tuoan/v1/other/env-1/telemetry", false),
            ("tuoan/v1/xingyuan/env-1/progress", true),
            ("tuoan/v1/xingyuan/env-1/command", false),
            ("tuoan/v1/xingyuan/env-1/update", false),
            ("tuoan/v1/xingyuan/env-1/chunk", false),
            ("tuoan/v1/xingyuan/env-1/settings", false),
            ("zigbee2mqtt/x", false),
            ("$SYS/x", false),
        ] {
            assert_eq!(env.may_publish(topic), allowed, "{topic}");
        }
        for (filter, allowed) in [
            ("tuoan/v1/xingyuan/env-1/command", true),
            ("tuoan/v1/xingyuan/env-1/update", true),
            ("tuoan/v1/xingyuan/env-1/chunk", true),
            ("tuoan/v1/xingyuan/env-1/settings", true),
            ("tuoan/v1/xingyuan/env-1/progress", false),
            ("tuoan/v1/xingyuan/env-3/update", false),
            ("tuoan/v1/xingyuan/+/command", false),
            ("tuoan/v1/xingyuan/env-1/#", false),
            ("#", false),
        ] {
            assert_eq!(env.may_subscribe(&Filter::new(filter).unwrap()), allowed, "{filter}");
        }
        let z2m = accounts.get("z2m").unwrap();
        assert!(z2m.may_subscribe(&Filter::new("zigbee2mqtt/+/set").unwrap()));
        assert!(!z2m.may_publish("tuoan/v1/xingyuan/env-1/telemetry"));
    }

    #[test]
    fn the_gateway_alone_speaks_to_devices() {
        let user = |name: &str| User {
            name: name.into(),
            password_sha256: [0; 32],
            devices: vec![],
            publish: vec!["tuoan/v1/xingyuan/+/update".into()],
            subscribe: vec!["tuoan/v1/xingyuan/+/progress".into()],
        };
        let accounts = Accounts::new(&SiteId::new("xingyuan").unwrap(), &[user(crate::ingest::own::ACCOUNT), user("kit")]).unwrap();
        let own = accounts.get(crate::ingest::own::ACCOUNT).unwrap();
        assert!(own.may_publish("tuoan/v1/xingyuan/env-1/update") && !own.may_publish("tuoan/v1/xingyuan/env-1/command"));
        assert!(own.may_subscribe(&Filter::new("tuoan/v1/xingyuan/+/progress").unwrap()));
        assert!(!accounts.get("kit").unwrap().may_publish("tuoan/v1/xingyuan/env-1/update"), "whatever the configuration says");
    }

    #[test]
    fn a_wrong_filter_is_named_with_its_user() {
        let user = User { name: "x".into(), password_sha256: [0; 32], devices: vec![], publish: vec!["a/#/b".into()], subscribe: vec![] };
        let error = Accounts::new(&SiteId::new("s").unwrap(), &[user]).unwrap_err().to_string();
        assert!(error.contains("\"x\"") && error.contains("a/#/b"), "{error}");
    }
}
