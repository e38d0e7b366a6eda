//! Who may come in: claim with a one-time code, login, sessions, CSRF, lock-out, security headers. Used by both servers.
//!
//! | file | holds |
//! |---|---|
//! | [`vault`] | where password and sessions are kept |
//! | [`attempts`] | how often somebody may try |
//! | [`visitor`] | who asks, in which language: an axum extractor |
//! | `guard` | the middleware around a server's routes |
//! | `forms` | claim, login, logout, one-time link |
//!
//! What must hold: until a password is set only the claim page is served; no page of the inside without a session; no POST without the
//! token of its own page; secrets are kept as hashes and compared in constant time; whatever can be tried is counted.
pub mod attempts;
mod forms;
mod guard;
mod squeeze;
pub mod vault;
pub mod visitor;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use attempts::Attempts;
pub use guard::{UPLOAD, UPLOAD_PATH};
use sha2::{Digest, Sha256};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
pub use vault::{FileVault, Keys, MemoryVault, Session, Vault};
pub use visitor::Visitor;

/// A session ends this long after its last use: a wall tablet stays logged in.
const SESSION_MS: i64 = 30 * 86_400_000;
/// A session's end is written again at most this often.
const REFRESH_MS: i64 = 86_400_000;
/// Sessions at once; the one that ends first makes room.
const SESSIONS: usize = 64;
/// A one-time link is good for this long.
const LINK_MS: i64 = 3_600_000;
const LINKS: usize = 8;
/// Password hashes computed at once: each takes 19 MiB.
const HASHERS: usize = 2;

/// Shortest and longest password, in characters.
pub const PASSWORD: std::ops::RangeInclusive<usize> = 8..=200;
/// Longest name of who acts, in bytes: what an incident event has room for.
pub const ACTOR: usize = 48;

/// The door of one server. Cheap to clone.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    /// Cookies do not know ports: two servers on one machine need two names.
    cookie: String,
    vault: Box<dyn Vault>,
    now: Box<dyn Fn() -> i64 + Send + Sync>,
    code: String,
    hashers: Semaphore,
    state: Mutex<State>,
}

struct State {
    keys: Keys,
    attempts: Attempts,
    /// Of [`Door::confirm`], apart: who can log in must not thereby be able to go on guessing the other password.
    confirmations: Attempts,
    /// Hash of the token and when it ends.
    links: Vec<(String, i64)>,
}

/// Why a secret did not open the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Wrong,
    /// Milliseconds to wait.
    Locked(i64),
    /// Too many are being checked at this moment.
    Busy,
    AlreadyClaimed,
    /// The vault could not be written.
    NotSaved(String),
}

/// Where it is called as the server starts: `name` becomes part of the cookie's name, `code` is the one on the box's label (drawn anew if
/// there is none), `now` gives UTC milliseconds of the real clock, also in a demo.
pub struct DoorConfig {
    pub name: &'static str,
    pub code: Option<String>,
    pub now: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl Door {
    pub fn open(config: DoorConfig, vault: impl Vault) -> io::Result<Door> {
        let keys = vault.load()?;
        let code = config.code.filter(|c| c.chars().filter(|c| c.is_ascii_alphanumeric()).count() >= 6).unwrap_or_else(draw_code);
        Ok(Door(Arc::new(Inner {
            cookie: format!("tuoan_{}", config.name),
            vault: Box::new(vault),
            now: config.now,
            code,
            hashers: Semaphore::new(HASHERS),
            state: Mutex::new(State { keys, attempts: Attempts::default(), confirmations: Attempts::default(), links: Vec::new() }),
        })))
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn now(&self) -> i64 {
        (self.0.now)()
    }
    /// The door of a gateway, as against the district's.
    pub fn is_gateway(&self) -> bool {
        self.0.cookie == "tuoan_gateway"
    }
    pub fn claimed(&self) -> bool {
        self.state().keys.password.is_some()
    }
    /// To be printed on the console until the server is claimed.
    pub fn claim_code(&self) -> Option<&str> {
        if self.claimed() { None } else { Some(&self.0.code) }
    }
    /// A path that logs in whoever opens it first, within the hour: for the demo's console.
    pub fn one_time_link(&self) -> String {
        let token = draw_token();
        let now = self.now();
        let mut state = self.state();
        state.links.retain(|(_, end)| *end > now);
        while state.links.len() >= LINKS {
            state.links.remove(0);
        }
        state.links.push((hash(&token), now.saturating_add(LINK_MS)));
        format!("/enter/{token}")
    }
    /// Sets the password without a code and ends all sessions: for a command at the console of the machine.
    pub async fn set_password(&self, password: &str) -> Result<(), Refusal> {
        let phc = self.hash_password(password).await?;
        self.change(move |keys| {
            keys.password = Some(phc);
            keys.sessions.clear();
            Ok(())
        })
        .await
    }

    async fn claim(&self, address: IpAddr, code: &str, password: &str) -> Result<String, Refusal> {
        if self.claimed() {
            return Err(Refusal::AlreadyClaimed);
        }
        let now = self.now();
        self.state().attempts.begin(address, now).map_err(Refusal::Locked)?;
        if !same(&plain_code(code), &plain_code(&self.0.code)) {
            return Err(Refusal::Wrong);
        }
        let phc = self.hash_password(password).await?;
        let (token, session) = self.new_session();
        self.change(move |keys| {
            // Two phones may claim at once; the first wins.
            if keys.password.is_some() {
                return Err(Refusal::AlreadyClaimed);
            }
            keys.password = Some(phc);
            keys.sessions = vec![session];
            Ok(())
        })
        .await?;
        self.state().attempts.succeeded(address, now);
        Ok(token)
    }

    async fn login(&self, address: IpAddr, password: &str) -> Result<String, Refusal> {
        let now = self.now();
        let stored = {
            let mut state = self.state();
            state.attempts.begin(address, now).map_err(Refusal::Locked)?;
            state.keys.password.clone().ok_or(Refusal::Wrong)?
        };
        if !self.verify(password, stored).await? {
            return Err(Refusal::Wrong);
        }
        self.state().attempts.succeeded(address, now);
        self.admit().await
    }

    /// Asks a visitor with a session for a password again, before what a session alone must not open: a wall tablet stays signed in. `other` is the
    /// password that opens it instead of the login's. Counted as attempts to log in are.
    pub async fn confirm(&self, visitor: &Visitor, password: &str, other: Option<&str>) -> Result<(), Refusal> {
        let now = self.now();
        if !visitor.signed_in() || password.chars().count() > *PASSWORD.end() {
            return Err(Refusal::Wrong);
        }
        let stored = {
            let mut state = self.state();
            state.confirmations.begin(visitor.address, now).map_err(Refusal::Locked)?;
            state.keys.password.clone()
        };
        let right = match (other, stored) {
            (Some(other), _) => same(&hash(password), &hash(other)),
            (None, Some(stored)) => self.verify(password, stored).await?,
            (None, None) => false,
        };
        if !right {
            return Err(Refusal::Wrong);
        }
        self.state().confirmations.succeeded(visitor.address, now);
        Ok(())
    }

    /// Spends a one-time link.
    async fn enter(&self, address: IpAddr, token: &str) -> Result<String, Refusal> {
        let now = self.now();
        {
            let mut state = self.state();
            state.attempts.begin(address, now).map_err(Refusal::Locked)?;
            let wanted = hash(token);
            state.links.retain(|(_, end)| *end > now);
            let Some(found) = state.links.iter().position(|(h, _)| same(h, &wanted)) else { return Err(Refusal::Wrong) };
            state.links.remove(found);
            state.attempts.succeeded(address, now);
        }
        self.admit().await
    }

    async fn admit(&self) -> Result<String, Refusal> {
        let now = self.now();
        let (token, session) = self.new_session();
        self.change(move |keys| {
            keys.sessions.retain(|s| s.expires > now);
            while keys.sessions.len() >= SESSIONS {
                let Some(first) = keys.sessions.iter().enumerate().min_by_key(|(_, s)| s.expires).map(|(n, _)| n) else { break };
                keys.sessions.remove(first);
            }
            keys.sessions.push(session);
            Ok(())
        })
        .await?;
        Ok(token)
    }

    fn new_session(&self) -> (String, Session) {
        let token = draw_token();
        let session = Session { hash: hash(&token), expires: self.now().saturating_add(SESSION_MS), actor: None };
        (token, session)
    }

    /// The live session of that cookie.
    fn session(&self, token: &str) -> Option<Session> {
        let (now, wanted) = (self.now(), hash(token));
        self.state().keys.sessions.iter().find(|s| s.expires > now && same(&s.hash, &wanted)).cloned()
    }

    /// Puts the end of a session in use off; a failure to save only means that it ends sooner.
    async fn refresh(&self, session: &Session) {
        let end = self.now().saturating_add(SESSION_MS);
        if end.saturating_sub(session.expires) < REFRESH_MS {
            return;
        }
        let wanted = session.hash.clone();
        let _ = self
            .change(move |keys| {
                keys.sessions.iter_mut().filter(|s| s.hash == wanted).for_each(|s| s.expires = end);
                Ok(())
            })
            .await;
    }

    async fn logout(&self, session: &Session) -> Result<(), Refusal> {
        let wanted = session.hash.clone();
        self.change(move |keys| {
            keys.sessions.retain(|s| s.hash != wanted);
            Ok(())
        })
        .await
    }

    /// Remembers who acts in this session. The name is cut to [`ACTOR`] bytes; control characters are dropped.
    pub async fn remember_actor(&self, visitor: &Visitor, name: &str) -> Result<String, Refusal> {
        let name = tidy(name, ACTOR);
        let (Some(session), false) = (&visitor.session, name.is_empty()) else { return Err(Refusal::Wrong) };
        let (wanted, actor) = (session.hash.clone(), name.clone());
        self.change(move |keys| {
            keys.sessions.iter_mut().filter(|s| s.hash == wanted).for_each(|s| s.actor = Some(actor.clone()));
            Ok(())
        })
        .await?;
        Ok(name)
    }

    /// Changes the keys, in memory only after they are on disk.
    async fn change(&self, edit: impl FnOnce(&mut Keys) -> Result<(), Refusal> + Send + 'static) -> Result<(), Refusal> {
        let door = self.clone();
        let work = move || {
            let mut state = door.state();
            let mut keys = state.keys.clone();
            edit(&mut keys)?;
            door.0.vault.save(&keys).map_err(|e| Refusal::NotSaved(e.to_string()))?;
            state.keys = keys;
            Ok(())
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refusal::Busy))
    }

    async fn hash_password(&self, password: &str) -> Result<String, Refusal> {
        let _permit = self.0.hashers.try_acquire().map_err(|_| Refusal::Busy)?;
        let password = password.to_owned();
        let work =
            move || Argon2::default().hash_password(password.as_bytes()).map(|h: argon2::password_hash::phc::PasswordHash| h.to_string());
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(phc)) => Ok(phc),
            Ok(Err(e)) => Err(Refusal::NotSaved(e.to_string())),
            Err(_) => Err(Refusal::Busy),
        }
    }

    async fn verify(&self, password: &str, stored: String) -> Result<bool, Refusal> {
        let _permit = self.0.hashers.try_acquire().map_err(|_| Refusal::Busy)?;
        let password = password.to_owned();
        let work = move || match argon2::password_hash::phc::PasswordHash::new(&stored) {
            Ok(parsed) => Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok(),
            Err(_) => false,
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Busy)
    }
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// 256 random bits.
fn draw_token() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

/// Letters and digits that cannot be taken for one another: 40 bits, tried at most a few times a minute.
fn draw_code() -> String {
    const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut code = String::with_capacity(9);
    for (n, byte) in rand::random::<[u8; 8]>().into_iter().enumerate() {
        if n == 4 {
            code.push('-');
        }
        code.push(ALPHABET.get(usize::from(byte & 31)).copied().map_or('2', char::from));
    }
    code
}

/// A code as it is compared: spaces, dashes and case do not matter.
fn plain_code(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).take(64).map(|c| c.to_ascii_uppercase()).collect()
}

/// Without control characters and outer spaces, at most `bytes` long.
pub fn tidy(text: &str, bytes: usize) -> String {
    let mut out = String::new();
    for c in text.trim().chars().filter(|c| !c.is_control()) {
        if out.len() + c.len_utf8() > bytes {
            break;
        }
        out.push(c);
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests;
