//! Codes of inspectors that the district issues: drawn there, and sent as a hash over the connection that each gateway keeps to its district. Neither side keeps
//! the code itself.
use super::code::{PASS_HOURS, PASSES};
use super::{ACTOR, Door, Pass, Refusal, draw_code, hash, plain_code, tidy};
use serde::{Deserialize, Serialize};

/// Begins the ids of the district's codes.
const PREFIX: &str = "district-";
/// Groups of four of a code, as of those that a director issues.
const GROUPS: usize = 3;
const PURPOSE: usize = 256;

/// A code of the district, without the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: String,
    /// SHA-256 of the code as it is compared, in hex.
    pub hash: String,
    /// Who it is for, who issued it, and what for.
    pub holder: String,
    pub by: String,
    pub purpose: String,
    /// UTC milliseconds, by the district's clock.
    pub issued: i64,
    pub expires: i64,
}

/// What a gateway asks its district for: these it has taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantsAsked {
    #[serde(default)]
    pub taken: Vec<String>,
}

/// What it is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// Not taken over yet.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Ids of those that are, and are still good.
    #[serde(default)]
    pub live: Vec<String>,
}

/// A new id and code, and the code's hash.
pub fn draw_grant() -> (String, String, String) {
    let code = draw_code(GROUPS);
    let kept = hash(&plain_code(&code));
    (format!("{PREFIX}{}", hex::encode(rand::random::<[u8; 6]>())), code, kept)
}

impl Grant {
    /// Why a gateway does not take it over. `now`: UTC milliseconds.
    pub fn problem(&self, now: i64) -> Option<&'static str> {
        let plain = |text: &str, most: usize| !text.is_empty() && tidy(text, most) == text;
        let id = self
            .id
            .strip_prefix(PREFIX)
            .is_some_and(|id| !id.is_empty() && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric()));
        let hashed = self.hash.len() == 64 && self.hash.bytes().all(|b| b.is_ascii_hexdigit());
        let longest = i64::from(*PASS_HOURS.end()) * 3_600_000;
        match () {
            () if !id || !hashed => Some("its id or hash is none"),
            () if !plain(&self.holder, ACTOR) || !plain(&self.by, ACTOR) || !plain(&self.purpose, PURPOSE) => {
                Some("it names no holder, issuer or purpose")
            }
            () if self.expires <= now => Some("it has ended"),
            // By our own clock: a district whose clock is ahead must not leave a door open.
            () if self.expires.saturating_sub(now) > longest || self.expires.saturating_sub(self.issued) > longest => {
                Some("it lasts too long")
            }
            () => None,
        }
    }
}

impl Door {
    /// Ids of the district's codes that are good at present.
    pub fn granted(&self) -> Vec<String> {
        self.passes().into_iter().map(|p| p.id).filter(|id| id.starts_with(PREFIX)).collect()
    }
    /// Takes a code of the district over; false if it is here already, or there are too many.
    ///
    /// # Errors
    /// The vault is not written: nothing has changed.
    pub async fn grant(&self, grant: Grant) -> Result<bool, Refusal> {
        let passes = self.passes();
        if passes.len() >= PASSES || passes.iter().any(|p| p.id == grant.id) {
            return Ok(false);
        }
        let now = self.now();
        let Grant { id, hash, holder, by, purpose, issued, expires } = grant;
        let pass = Pass { id, hash: hash.to_ascii_lowercase(), holder, by, purpose, issued, expires };
        self.change(move |keys| {
            keys.passes.retain(|p| p.expires > now);
            keys.passes.push(pass);
            Ok(())
        })
        .await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_400_000_000;

    fn grant() -> Grant {
        let (id, _, hash) = draw_grant();
        let (holder, by, purpose) = ("张检查".to_owned(), "区卫健局 李".to_owned(), "双随机".to_owned());
        Grant { id, hash, holder, by, purpose, issued: NOW - 1000, expires: NOW + 3_600_000 }
    }

    #[test]
    fn what_is_drawn_is_taken_and_what_is_odd_is_not() {
        assert_eq!(grant().problem(NOW), None);
        let odd = [
            Grant { id: "pass-1".into(), ..grant() },
            Grant { id: "district-../x".into(), ..grant() },
            Grant { hash: "00".into(), ..grant() },
            Grant { holder: String::new(), ..grant() },
            Grant { purpose: "a\nb".into(), ..grant() },
            Grant { expires: NOW, ..grant() },
            Grant { expires: NOW + 73 * 3_600_000, ..grant() },
            Grant { issued: i64::MIN, ..grant() },
        ];
        for g in odd {
            assert!(g.problem(NOW).is_some(), "{g:?}");
        }
    }
}
