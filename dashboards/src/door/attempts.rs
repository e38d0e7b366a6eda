//! How often somebody may try a password, a PIN or a code: counted by where it is tried from, and by whose it is.
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// Failures of one address before it must wait.
const TRIES: u32 = 5;
/// The first wait; each further failure doubles it, up to an hour.
const WAIT_MS: i64 = 60_000;
const LONGEST_MS: i64 = 3_600_000;
/// Failures of all addresses together within [`LONGEST_MS`]: somebody who owns many addresses is stopped as well.
const TRIES_OF_ALL: u32 = 200;
/// Addresses remembered; the one that failed longest ago is forgotten first.
const REMEMBERED: usize = 1024;

#[derive(Debug, Default, Clone, Copy)]
struct Record {
    failures: u32,
    last: i64,
    locked_until: i64,
}

/// Addresses from which somebody came in that are remembered.
const KNOWN: usize = 64;

/// Counts attempts before they are checked, so that many at once count as many. Bounded.
///
/// Where somebody has come in before, only that address's own failures count: a stranger with many addresses must not keep the director out.
#[derive(Debug)]
pub struct Attempts<K = IpAddr> {
    by_address: BTreeMap<K, Record>,
    all: Record,
    /// When somebody last came in from there.
    known: BTreeMap<K, i64>,
}

impl<K> Default for Attempts<K> {
    fn default() -> Self {
        Attempts { by_address: BTreeMap::new(), all: Record::default(), known: BTreeMap::new() }
    }
}

/// What attempts are counted by.
pub trait Origin: Ord + Clone {
    /// The same for all that belong to one owner.
    fn owner(self) -> Self;
}

impl Origin for IpAddr {
    fn owner(self) -> IpAddr {
        key(self)
    }
}

/// An account, or an account as tried from one address.
impl Origin for String {
    fn owner(self) -> String {
        self
    }
}

/// IPv6 hosts own a whole /64.
pub(super) fn key(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        },
    }
}

impl<K: Origin> Attempts<K> {
    /// Whether somebody has come in from there since the start.
    pub fn knows(&self, address: &K) -> bool {
        self.known.contains_key(&address.clone().owner())
    }
    /// Starts an attempt, or says how many milliseconds to wait. Call [`Attempts::succeeded`] if it was right.
    pub fn begin(&mut self, address: K, now: i64) -> Result<(), i64> {
        let key = address.owner();
        let mut record = self.by_address.get(&key).copied().unwrap_or_default();
        let known = self.known.contains_key(&key);
        let until = record.locked_until.max(if known { 0 } else { self.all.locked_until });
        if until > now {
            return Err(until.saturating_sub(now));
        }
        // An hour without a try wipes the slate; a clock that was set back does too.
        let stale = |r: &Record| now.saturating_sub(r.last) > LONGEST_MS || r.last > now;
        if stale(&record) {
            record = Record::default();
        }
        if stale(&self.all) {
            self.all = Record::default();
        }
        record.failures = record.failures.saturating_add(1);
        record.last = now;
        if record.failures >= TRIES {
            let doublings = (record.failures - TRIES).min(6);
            record.locked_until = now.saturating_add((WAIT_MS << doublings).min(LONGEST_MS));
        }
        if !known {
            self.all.failures = self.all.failures.saturating_add(1);
            self.all.last = now;
        }
        if !known && self.all.failures >= TRIES_OF_ALL {
            self.all.locked_until = now.saturating_add(WAIT_MS);
        }
        if !self.by_address.contains_key(&key) && self.by_address.len() >= REMEMBERED {
            let oldest = self.by_address.iter().min_by_key(|(_, r)| r.last).map(|(k, _)| k.clone());
            if let Some(oldest) = oldest {
                self.by_address.remove(&oldest);
            }
        }
        self.by_address.insert(key, record);
        Ok(())
    }
    /// The attempt was right.
    pub fn succeeded(&mut self, address: K, now: i64) {
        let key = address.owner();
        self.by_address.remove(&key);
        if self.known.insert(key, now).is_none() {
            self.all.failures = self.all.failures.saturating_sub(1);
        }
        if self.known.len() > KNOWN
            && let Some(oldest) = self.known.iter().min_by_key(|(_, at)| **at).map(|(k, _)| k.clone())
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_failure_locks_and_time_unlocks() {
        let mut a = Attempts::default();
        let ip = IpAddr::from([192, 168, 1, 7]);
        for _ in 0..5 {
            a.begin(ip, 1000).unwrap();
        }
        assert_eq!(a.begin(ip, 1000), Err(60_000));
        assert!(a.begin(IpAddr::from([192, 168, 1, 8]), 1000).is_ok(), "others are not locked out");
        a.begin(ip, 61_000).unwrap();
        assert_eq!(a.begin(ip, 61_000), Err(120_000), "the wait doubles");
        a.begin(ip, 61_000 + 3_700_000).unwrap();
    }

    #[test]
    fn a_stranger_with_many_addresses_does_not_keep_the_director_out() {
        let mut a = Attempts::default();
        let director = IpAddr::from([192, 168, 1, 7]);
        a.begin(director, 0).unwrap();
        a.succeeded(director, 0);
        for n in 0..5000u32 {
            let _ = a.begin(IpAddr::from((0x0a00_0000 + n).to_be_bytes()), 1000);
        }
        assert!(a.begin(IpAddr::from([192, 168, 1, 8]), 1000).is_err());
        for _ in 0..5 {
            a.begin(director, 1000).unwrap();
        }
        assert!(a.begin(director, 1000).is_err(), "its own failures still count");
    }

    #[test]
    fn many_addresses_do_not_help_nor_fill_memory() {
        let mut a = Attempts::default();
        let refused = (0..5000u32).filter(|n| a.begin(IpAddr::from(n.to_be_bytes()), 0).is_err()).count();
        assert!(refused > 4000);
        assert!(a.by_address.len() <= REMEMBERED);
        let v6 = |host: u16| IpAddr::V6(Ipv6Addr::new(0xfd00, 1, 2, 3, 0, 0, 0, host));
        assert_eq!(key(v6(1)), key(v6(2)));
    }
}
