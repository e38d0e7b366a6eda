//! Who may come in: claim with a one-time code, accounts, login, sessions, roles, CSRF, lock-out, security headers. Used by both servers.
//!
//! | file | holds |
//! |---|---|
//! | [`vault`] | where accounts and sessions are kept |
//! | [`role`] | what each role may do: one table |
//! | `account` | accounts: who is let in, and by what secret |
//! | `code` | what is drawn and shown once: recovery code, inspectors' codes, parents' links |
//! | [`attempts`] | how often somebody may try |
//! | [`visitor`] | who asks, in which language: an axum extractor |
//! | `guard` | the middleware around a server's routes |
//! | `forms` | claim, login, logout, one-time link, recovery |
//!
//! What must hold: until there is a director only the claim page is served; no page of the inside without a session whose role may see it; no POST
//! without the token of its own page; secrets are kept as hashes and compared in constant time; whatever can be tried is counted; a session's
//! token is drawn when it begins, never taken from the browser.
mod account;
pub mod attempts;
mod code;
mod forms;
pub mod grant;
mod guard;
pub mod role;
mod squeeze;
pub mod vault;
pub mod visitor;

pub use account::{NewAccount, Problem, Tile, session_handle};
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use attempts::Attempts;
pub use code::{PASS_HOURS, PassRow};
pub use grant::{Grant, Grants, GrantsAsked, draw_grant};
pub use guard::{FIRMWARE, FIRMWARE_PATH, PICTURE, PICTURE_PATH, UPLOAD, UPLOAD_PATH};
pub use role::{Role, Roles, Row};
use sha2::{Digest, Sha256};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use vault::FIRST;
pub use vault::{Account, ClassLink, FileVault, Keys, MemoryVault, Pass, Session, Vault};
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
/// Shortest and longest PIN, in digits.
pub const PIN: std::ops::RangeInclusive<usize> = 4..=8;
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
    listener: OnceLock<Box<dyn Fn(Told) + Send + Sync>>,
}

struct State {
    keys: Keys,
    attempts: Attempts,
    /// By account: who owns many addresses guesses no PIN faster.
    accounts: Attempts<String>,
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

/// Something happened at the door that belongs on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// UTC milliseconds.
    pub at: i64,
    /// Name of the account or the pass; of a refusal, the account that was tried.
    pub who: String,
    pub role: Option<Role>,
    pub what: Happening,
    pub address: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    Claimed,
    SignedIn,
    SignedOut,
    /// A wrong password, PIN or code.
    Refused,
    Recovered,
}

impl Happening {
    pub fn name(self) -> &'static str {
        match self {
            Happening::Claimed => "claimed",
            Happening::SignedIn => "signed_in",
            Happening::SignedOut => "signed_out",
            Happening::Refused => "sign_in_refused",
            Happening::Recovered => "recovered",
        }
    }
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
        let code = config.code.filter(|c| c.chars().filter(|c| c.is_ascii_alphanumeric()).count() >= 6).unwrap_or_else(|| draw_code(2));
        let state = State {
            keys,
            attempts: Attempts::default(),
            accounts: Attempts::default(),
            confirmations: Attempts::default(),
            links: Vec::new(),
        };
        Ok(Door(Arc::new(Inner {
            cookie: format!("tuoan_{}", config.name),
            vault: Box::new(vault),
            now: config.now,
            code,
            hashers: Semaphore::new(HASHERS),
            state: Mutex::new(state),
            listener: OnceLock::new(),
        })))
    }
    /// Is told of what happens at the door from now on; the first listener stays.
    pub fn listen(&self, listener: impl Fn(Told) + Send + Sync + 'static) {
        let _ = self.0.listener.set(Box::new(listener));
    }
    fn tell(&self, who: &str, role: Option<Role>, what: Happening, address: IpAddr) {
        if let Some(listener) = self.0.listener.get() {
            listener(Told { at: self.now(), who: who.to_owned(), role, what, address: address.to_canonical().to_string() });
        }
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
        self.state().keys.has_director()
    }
    /// To be printed on the console until the server is claimed.
    pub fn claim_code(&self) -> Option<&str> {
        if self.claimed() { None } else { Some(&self.0.code) }
    }
    /// A path that logs in whoever opens it first as the director, within the hour: for the demo's console.
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
    /// Sets the director's password without a code and ends all sessions: for a command at the console of the machine.
    pub async fn set_password(&self, password: &str) -> Result<(), Refusal> {
        let secret = self.hash_password(password).await?;
        self.change(move |keys| {
            put_director(keys, None, secret);
            keys.sessions.clear();
            Ok(())
        })
        .await
    }

    async fn claim(&self, address: IpAddr, code: &str, name: &str, password: &str) -> Result<String, Refusal> {
        if self.claimed() {
            return Err(Refusal::AlreadyClaimed);
        }
        let now = self.now();
        self.state().attempts.begin(address, now).map_err(Refusal::Locked)?;
        if !same(&plain_code(code), &plain_code(&self.0.code)) {
            self.tell("", None, Happening::Refused, address);
            return Err(Refusal::Wrong);
        }
        let secret = self.hash_password(password).await?;
        let name = tidy(name, ACTOR);
        let (token, session) = self.new_session(FIRST, Role::Director, &name, address);
        let director = name.clone();
        self.change(move |keys| {
            // Two phones may claim at once; the first wins.
            if keys.has_director() {
                return Err(Refusal::AlreadyClaimed);
            }
            put_director(keys, Some(director), secret);
            keys.sessions = vec![session];
            Ok(())
        })
        .await?;
        self.state().attempts.succeeded(address, now);
        self.tell(&name, Some(Role::Director), Happening::Claimed, address);
        Ok(token)
    }

    /// `account` is an id; empty: the one that claimed the server. Counted by address and by account.
    async fn login(&self, address: IpAddr, account: &str, secret: &str) -> Result<String, Refusal> {
        let now = self.now();
        let id = if account.is_empty() { FIRST } else { account };
        let (found, whose) = {
            let mut state = self.state();
            state.attempts.begin(address, now).map_err(Refusal::Locked)?;
            let found = state.keys.account(id).cloned().ok_or(Refusal::Wrong)?;
            let whose = state.begin_of(id, address, now)?;
            (found, whose)
        };
        if !self.verify(secret, found.secret.clone()).await? {
            self.tell(shown(&found), Some(found.role), Happening::Refused, address);
            return Err(Refusal::Wrong);
        }
        let token = self.admit(&found.id, found.role, if found.shared { "" } else { &found.name }, address, SESSION_MS).await?;
        let mut state = self.state();
        state.attempts.succeeded(address, now);
        state.accounts.succeeded(whose, now);
        drop(state);
        self.tell(shown(&found), Some(found.role), Happening::SignedIn, address);
        Ok(token)
    }

    /// Asks a visitor with a session for their secret again, before what a session alone must not open: a wall tablet stays signed in. `other` is the
    /// password that opens it instead. Counted as attempts to log in are.
    pub async fn confirm(&self, visitor: &Visitor, password: &str, other: Option<&str>) -> Result<(), Refusal> {
        let Some(session) = &visitor.session else { return Err(Refusal::Wrong) };
        self.check(visitor, &session.account, password, other).await
    }
    /// Asks for the PIN or password of somebody else who stands before the screen, as a tablet that several people use must.
    pub async fn confirm_as(&self, visitor: &Visitor, account: &str, secret: &str) -> Result<Tile, Refusal> {
        self.check(visitor, account, secret, None).await?;
        self.tiles().into_iter().find(|t| t.id == account).ok_or(Refusal::Wrong)
    }
    async fn check(&self, visitor: &Visitor, account: &str, password: &str, other: Option<&str>) -> Result<(), Refusal> {
        let now = self.now();
        if !visitor.signed_in() || password.chars().count() > *PASSWORD.end() {
            return Err(Refusal::Wrong);
        }
        let (stored, pass, whose) = {
            let mut state = self.state();
            state.confirmations.begin(visitor.address, now).map_err(Refusal::Locked)?;
            // A password of its own is nobody's account.
            let whose = if other.is_none() { Some(state.begin_of(account, visitor.address, now)?) } else { None };
            let stored = state.keys.account(account).map(|a| a.secret.clone());
            (stored, state.keys.passes.iter().find(|p| p.id == account && p.expires > now).map(|p| p.hash.clone()), whose)
        };
        let right = match (other, stored, pass) {
            (Some(other), _, _) => same(&hash(password), &hash(other)),
            (None, Some(stored), _) => self.verify(password, stored).await?,
            (None, None, Some(pass)) => same(&hash(&plain_code(password)), &pass),
            (None, None, None) => false,
        };
        if !right {
            return Err(Refusal::Wrong);
        }
        let mut state = self.state();
        state.confirmations.succeeded(visitor.address, now);
        if let Some(whose) = whose {
            state.accounts.succeeded(whose, now);
        }
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
        let name = self.state().keys.account(FIRST).map(|a| a.name.clone()).unwrap_or_default();
        self.admit(FIRST, Role::Director, &name, address, SESSION_MS).await
    }

    /// Begins a session of its own token; what the browser sent before is worth nothing after.
    async fn admit(&self, account: &str, role: Role, name: &str, address: IpAddr, lasts: i64) -> Result<String, Refusal> {
        let now = self.now();
        let (token, mut session) = self.new_session(account, role, name, address);
        session.expires = now.saturating_add(lasts);
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

    fn new_session(&self, account: &str, role: Role, name: &str, address: IpAddr) -> (String, Session) {
        let (token, now) = (draw_token(), self.now());
        let session = Session {
            hash: hash(&token),
            expires: now.saturating_add(SESSION_MS),
            actor: Some(name.to_owned()).filter(|n| !n.is_empty()),
            account: account.to_owned(),
            role,
            since: now,
            address: address.to_canonical().to_string(),
        };
        (token, session)
    }

    /// The live session of that cookie.
    fn session(&self, token: &str) -> Option<Session> {
        let (now, wanted) = (self.now(), hash(token));
        self.state().keys.sessions.iter().find(|s| s.expires > now && same(&s.hash, &wanted)).cloned()
    }

    /// Puts the end of a session in use off; a failure to save only means that it ends sooner. An inspector's ends with the code.
    async fn refresh(&self, session: &Session) {
        let end = self.now().saturating_add(SESSION_MS);
        if session.role == Role::Inspector || end.saturating_sub(session.expires) < REFRESH_MS {
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

    async fn logout(&self, session: &Session, address: IpAddr) -> Result<(), Refusal> {
        let wanted = session.hash.clone();
        self.tell(session.actor.as_deref().unwrap_or(&session.account), Some(session.role), Happening::SignedOut, address);
        self.change(move |keys| {
            keys.sessions.retain(|s| s.hash != wanted);
            Ok(())
        })
        .await
    }

    /// Remembers who acts in this session, where its account does not say so. The name is cut to [`ACTOR`] bytes; control characters are dropped.
    pub async fn remember_actor(&self, visitor: &Visitor, name: &str) -> Result<String, Refusal> {
        let name = tidy(name, ACTOR);
        let (Some(session), false) = (&visitor.session, name.is_empty()) else { return Err(Refusal::Wrong) };
        if let Some(own) = self.own_name(session) {
            return Ok(own);
        }
        let (wanted, actor) = (session.hash.clone(), name.clone());
        self.change(move |keys| {
            keys.sessions.iter_mut().filter(|s| s.hash == wanted).for_each(|s| s.actor = Some(actor.clone()));
            Ok(())
        })
        .await?;
        Ok(name)
    }

    /// The name of a session that belongs to one person: nobody acts under another's in it.
    fn own_name(&self, session: &Session) -> Option<String> {
        let state = self.state();
        if let Some(pass) = state.keys.passes.iter().find(|p| p.id == session.account) {
            return Some(pass.holder.clone());
        }
        state.keys.account(&session.account).filter(|a| !a.shared && !a.name.is_empty()).map(|a| a.name.clone())
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

impl State {
    /// Counts an attempt at an account; whose it is counted as. Where its owner has come in before, a stranger's guesses elsewhere do not lock it.
    fn begin_of(&mut self, account: &str, address: IpAddr, now: i64) -> Result<String, Refusal> {
        let here = format!("{account}@{}", attempts::key(address));
        let counted = if self.accounts.knows(&here) { here.clone() } else { account.to_owned() };
        self.accounts.begin(counted, now).map_err(Refusal::Locked)?;
        Ok(here)
    }
}

/// Name of an account in the log.
fn shown(account: &Account) -> &str {
    if account.name.is_empty() { &account.id } else { &account.name }
}

fn put_director(keys: &mut Keys, name: Option<String>, secret: String) {
    match keys.accounts.iter_mut().find(|a| a.id == FIRST) {
        Some(a) => (a.secret, a.role) = (secret, Role::Director),
        None => {
            let director = Account { id: FIRST.into(), name: name.unwrap_or_default(), role: Role::Director, secret, shared: false };
            keys.accounts.insert(0, director);
        }
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

/// Letters and digits that cannot be taken for one another, in groups of four of 20 bits each.
fn draw_code(groups: usize) -> String {
    const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut code = String::with_capacity(groups * 5);
    for group in 0..groups {
        if group > 0 {
            code.push('-');
        }
        for byte in rand::random::<[u8; 4]>() {
            code.push(ALPHABET.get(usize::from(byte & 31)).copied().map_or('2', char::from));
        }
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
