//! Refusals in the log: one line a minute for each user and kind, so that no client can fill the disk by asking for what it may not have.
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

const EVERY_MS: i64 = 60_000;
/// Users and kinds remembered. Names are a stranger's choice: beyond this they share one entry.
const REMEMBERED: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Tell(Mutex<BTreeMap<(String, &'static str), Told>>);

#[derive(Debug)]
struct Told {
    at_ms: i64,
    untold: u64,
}

impl Tell {
    /// Whether it is to be said now, and if so how many of the kind have not been since the last time. `now_ms`: of a clock that never goes back.
    pub(super) fn turn(&self, who: &str, kind: &'static str, now_ms: i64) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (who.chars().take(64).collect::<String>(), kind);
        if !all.contains_key(&key) && all.len() >= REMEMBERED {
            all.retain(|_, told| now_ms.saturating_sub(told.at_ms) < EVERY_MS);
            if all.len() >= REMEMBERED {
                key.0.clear();
            }
        }
        match all.get_mut(&key) {
            Some(told) if now_ms.saturating_sub(told.at_ms) < EVERY_MS => {
                told.untold = told.untold.saturating_add(1);
                None
            }
            Some(told) => {
                let untold = std::mem::take(&mut told.untold);
                told.at_ms = now_ms;
                Some(untold)
            }
            None => {
                all.insert(key, Told { at_ms: now_ms, untold: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_line_a_minute_and_strangers_names_take_no_memory() {
        let tell = Tell::default();
        assert_eq!(tell.turn("env", "publish", 0), Some(0));
        assert!((1..1000).all(|n| tell.turn("env", "publish", n).is_none()));
        assert_eq!(tell.turn("env", "subscribe", 1000), Some(0), "another kind");
        assert_eq!(tell.turn("env", "publish", EVERY_MS), Some(999));
        let said = (0..10_000).filter(|n| tell.turn(&format!("user-{n}"), "login", EVERY_MS).is_some()).count();
        assert!(said <= REMEMBERED + 1, "{said}");
        assert!(tell.0.lock().unwrap().len() <= REMEMBERED + 1);
    }
}
