//! What is drawn and shown once: the recovery code, inspectors' codes, the links to parents' pages. Only their hashes are kept.
use super::vault::FIRST;
use super::{ACTOR, ClassLink, Door, Happening, Pass, Problem, Refusal, Role, draw_code, draw_token, hash, plain_code, same, tidy};
use std::net::IpAddr;

/// How long an inspector's code may be good for, in hours.
pub const PASS_HOURS: std::ops::RangeInclusive<u32> = 1..=72;
/// Codes of inspectors that are good at once.
pub(super) const PASSES: usize = 16;
/// Groups of four of a code: 100 bits that last for years, 60 that last for days and are counted.
const RECOVERY: usize = 5;
const PASS: usize = 3;
const PURPOSE: usize = 256;

/// A code that is good at present, as the director sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassRow {
    pub id: String,
    pub holder: String,
    pub by: String,
    pub purpose: String,
    /// UTC milliseconds.
    pub issued: i64,
    pub expires: i64,
}

impl Door {
    /// Draws the code that sets a new director's password; an earlier one is good no longer. It is shown once.
    pub async fn draw_recovery(&self) -> Result<String, Refusal> {
        let code = draw_code(RECOVERY);
        let kept = hash(&plain_code(&code));
        self.change(move |keys| {
            keys.recovery = Some(kept);
            Ok(())
        })
        .await?;
        Ok(code)
    }
    pub fn has_recovery(&self) -> bool {
        self.state().keys.recovery.is_some()
    }
    /// Spends the recovery code: the director has that password, and all the director's sessions end.
    pub(super) async fn recover(&self, address: IpAddr, code: &str, password: &str) -> Result<Result<(), Problem>, Refusal> {
        let now = self.now();
        if let Err(p) = super::account::fits(Role::Director, password) {
            return Ok(Err(p));
        }
        let wanted = hash(&plain_code(code));
        {
            let mut state = self.state();
            state.attempts.begin(address, now).map_err(Refusal::Locked)?;
            if !state.keys.recovery.as_deref().is_some_and(|kept| same(kept, &wanted)) {
                drop(state);
                self.tell("", None, Happening::Refused, address);
                return Err(Refusal::Wrong);
            }
        }
        let secret = self.hash_password(password).await?;
        self.change(move |keys| {
            // Of two who send it at once, one has spent it.
            if !keys.recovery.take().is_some_and(|kept| same(&kept, &wanted)) {
                return Err(Refusal::Wrong);
            }
            super::put_director(keys, None, secret);
            keys.sessions.retain(|s| s.account != FIRST);
            Ok(())
        })
        .await?;
        self.state().attempts.succeeded(address, now);
        self.tell(FIRST, Some(Role::Director), Happening::Recovered, address);
        Ok(Ok(()))
    }

    /// Draws a code that lets an inspector read for so many hours. It is shown once.
    pub async fn issue_pass(&self, holder: &str, purpose: &str, by: &str, hours: u32) -> Result<Result<String, Problem>, Refusal> {
        let (holder, purpose, now) = (tidy(holder, ACTOR), tidy(purpose, PURPOSE), self.now());
        if holder.is_empty() || purpose.is_empty() {
            return Ok(Err(Problem::NoName));
        }
        if !PASS_HOURS.contains(&hours) {
            return Ok(Err(Problem::Unknown));
        }
        if self.passes().len() >= PASSES {
            return Ok(Err(Problem::TooMany));
        }
        let code = draw_code(PASS);
        let pass = Pass {
            id: format!("pass-{}", hex::encode(rand::random::<[u8; 6]>())),
            hash: hash(&plain_code(&code)),
            holder,
            by: tidy(by, ACTOR),
            purpose,
            issued: now,
            expires: now.saturating_add(i64::from(hours) * 3_600_000),
        };
        self.change(move |keys| {
            keys.passes.retain(|p| p.expires > now);
            keys.passes.push(pass);
            Ok(())
        })
        .await?;
        Ok(Ok(code))
    }
    pub fn passes(&self) -> Vec<PassRow> {
        let now = self.now();
        let row = |p: &Pass| PassRow {
            id: p.id.clone(),
            holder: p.holder.clone(),
            by: p.by.clone(),
            purpose: p.purpose.clone(),
            issued: p.issued,
            expires: p.expires,
        };
        self.state().keys.passes.iter().filter(|p| p.expires > now).map(row).collect()
    }
    /// Takes a code back, and ends what it has opened; false if there is none.
    pub async fn revoke_pass(&self, id: &str) -> Result<bool, Refusal> {
        if !self.passes().iter().any(|p| p.id == id) {
            return Ok(false);
        }
        let id = id.to_owned();
        self.change(move |keys| {
            keys.passes.retain(|p| p.id != id);
            keys.sessions.retain(|s| s.account != id);
            Ok(())
        })
        .await?;
        Ok(true)
    }
    /// A session by an inspector's code. It ends with the code.
    pub(super) async fn login_by_pass(&self, address: IpAddr, code: &str) -> Result<String, Refusal> {
        let (now, wanted) = (self.now(), hash(&plain_code(code)));
        let found = {
            let mut state = self.state();
            state.attempts.begin(address, now).map_err(Refusal::Locked)?;
            state.keys.passes.iter().find(|p| p.expires > now && same(&p.hash, &wanted)).cloned()
        };
        let Some(pass) = found else {
            self.tell("", Some(Role::Inspector), Happening::Refused, address);
            return Err(Refusal::Wrong);
        };
        let token = self.admit(&pass.id, Role::Inspector, &pass.holder, address, pass.expires.saturating_sub(now)).await?;
        self.state().attempts.succeeded(address, now);
        self.tell(&format!("{} · {}", pass.holder, pass.purpose), Some(Role::Inspector), Happening::SignedIn, address);
        Ok(token)
    }

    /// Draws the link to a class's page for parents; an earlier one leads nowhere from now on. It is shown once.
    pub async fn draw_class_link(&self, class: &str) -> Result<String, Refusal> {
        // 128 bits: whoever has it needs nothing else, and it must fit into a QR code.
        let token = draw_token().chars().take(32).collect::<String>();
        let link = ClassLink { class: class.to_owned(), hash: hash(&token), issued: self.now() };
        self.change(move |keys| {
            keys.links.retain(|l| l.class != link.class);
            keys.links.push(link);
            Ok(())
        })
        .await?;
        Ok(format!("/notice/{token}"))
    }
    /// The class that such a link opens.
    pub fn class_of_link(&self, token: &str) -> Option<String> {
        let wanted = hash(token);
        self.state().keys.links.iter().find(|l| same(&l.hash, &wanted)).map(|l| l.class.clone())
    }
    /// Classes that have a link, and since when (UTC milliseconds).
    pub fn class_links(&self) -> Vec<(String, i64)> {
        self.state().keys.links.iter().map(|l| (l.class.clone(), l.issued)).collect()
    }
    pub async fn end_class_link(&self, class: &str) -> Result<(), Refusal> {
        let class = class.to_owned();
        self.change(move |keys| {
            keys.links.retain(|l| l.class != class);
            Ok(())
        })
        .await
    }
}
