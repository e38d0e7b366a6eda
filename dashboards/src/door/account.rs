//! Accounts: who is let in, and by what secret.
use super::vault::FIRST;
use super::{ACTOR, Account, Door, PASSWORD, PIN, Refusal, Role, Session, Visitor, same, tidy};

/// Accounts of one site.
const ACCOUNTS: usize = 64;

/// What the login page shows of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    pub id: String,
    pub name: String,
    pub role: Role,
    pub shared: bool,
}

/// An account that is to be.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub name: String,
    pub role: Role,
    /// Password, or PIN where the role signs in by one.
    pub secret: String,
    pub shared: bool,
}

/// What is wrong with what was typed. The names are those of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    NoName,
    NameTaken,
    Short,
    Long,
    /// A PIN of other signs than digits, or of another length.
    NoPin,
    /// 1111, 1234: what everybody tries first.
    WeakPin,
    /// Inspectors come by codes.
    NoSuchRole,
    TooMany,
    /// Somebody must be able to let people in.
    LastDirector,
    Unknown,
}

impl Problem {
    pub fn key(self) -> &'static str {
        match self {
            Problem::NoName => "error-account-name",
            Problem::NameTaken => "error-account-taken",
            Problem::Short => "error-password-short",
            Problem::Long => "error-password-long",
            Problem::NoPin => "error-pin",
            Problem::WeakPin => "error-pin-weak",
            Problem::NoSuchRole => "error-account-role",
            Problem::TooMany => "error-account-many",
            Problem::LastDirector => "error-account-last",
            Problem::Unknown => "error-account-unknown",
        }
    }
}

/// Whether that may be the secret of such an account.
pub(super) fn fits(role: Role, secret: &str) -> Result<(), Problem> {
    let length = secret.chars().count();
    if !role.by_pin() {
        return if length < *PASSWORD.start() {
            Err(Problem::Short)
        } else if length > *PASSWORD.end() {
            Err(Problem::Long)
        } else {
            Ok(())
        };
    }
    if !PIN.contains(&length) || !secret.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::NoPin);
    }
    let steps = || secret.as_bytes().windows(2).map(|w| i16::from(w[1]) - i16::from(w[0]));
    let weak = [0, 1, -1].into_iter().any(|step| steps().all(|s| s == step));
    if weak { Err(Problem::WeakPin) } else { Ok(()) }
}

impl Door {
    /// The accounts, the director's first.
    pub fn tiles(&self) -> Vec<Tile> {
        let tile = |a: &Account| Tile { id: a.id.clone(), name: a.name.clone(), role: a.role, shared: a.shared };
        self.state().keys.accounts.iter().map(tile).collect()
    }

    /// # Errors
    /// `Ok(Err(_))`: what was typed does not go.
    pub async fn add_account(&self, new: NewAccount) -> Result<Result<String, Problem>, Refusal> {
        let name = tidy(&new.name, ACTOR);
        if name.is_empty() {
            return Ok(Err(Problem::NoName));
        }
        if new.role == Role::Inspector {
            return Ok(Err(Problem::NoSuchRole));
        }
        if let Err(p) = fits(new.role, &new.secret) {
            return Ok(Err(p));
        }
        {
            let keys = &self.state().keys;
            if keys.accounts.iter().any(|a| a.name == name) {
                return Ok(Err(Problem::NameTaken));
            }
            if keys.accounts.len() >= ACCOUNTS {
                return Ok(Err(Problem::TooMany));
            }
        }
        let secret = self.hash_password(&new.secret).await?;
        let id = hex::encode(rand::random::<[u8; 6]>());
        let account = Account { id: id.clone(), name, role: new.role, secret, shared: new.shared && new.role == Role::Carer };
        self.change(move |keys| {
            keys.accounts.push(account);
            Ok(())
        })
        .await?;
        Ok(Ok(id))
    }

    /// Sets an account's secret, and ends its sessions but for `keep`.
    pub async fn set_secret(&self, id: &str, secret: &str, keep: Option<&Visitor>) -> Result<Result<(), Problem>, Refusal> {
        let Some(role) = self.state().keys.account(id).map(|a| a.role) else { return Ok(Err(Problem::Unknown)) };
        if let Err(p) = fits(role, secret) {
            return Ok(Err(p));
        }
        let secret = self.hash_password(secret).await?;
        let kept = keep.and_then(Visitor::session_key).map(str::to_owned);
        let id = id.to_owned();
        self.change(move |keys| {
            keys.accounts.iter_mut().filter(|a| a.id == id).for_each(|a| a.secret.clone_from(&secret));
            keys.sessions.retain(|s| s.account != id || kept.as_deref() == Some(s.hash.as_str()));
            Ok(())
        })
        .await?;
        Ok(Ok(()))
    }

    /// The name under which the account's deeds stand from now on.
    pub async fn rename(&self, id: &str, name: &str) -> Result<Result<(), Problem>, Refusal> {
        let name = tidy(name, ACTOR);
        if name.is_empty() {
            return Ok(Err(Problem::NoName));
        }
        if self.state().keys.accounts.iter().any(|a| a.id != id && a.name == name) {
            return Ok(Err(Problem::NameTaken));
        }
        let id = id.to_owned();
        self.change(move |keys| {
            keys.accounts.iter_mut().filter(|a| a.id == id).for_each(|a| a.name.clone_from(&name));
            keys.sessions.iter_mut().filter(|s| s.account == id).for_each(|s| s.actor = Some(name.clone()));
            Ok(())
        })
        .await?;
        Ok(Ok(()))
    }

    /// Takes an account away, with its sessions.
    pub async fn remove_account(&self, id: &str) -> Result<Result<(), Problem>, Refusal> {
        {
            let keys = &self.state().keys;
            let Some(account) = keys.account(id) else { return Ok(Err(Problem::Unknown)) };
            let directors = keys.accounts.iter().filter(|a| a.role == Role::Director).count();
            if account.role == Role::Director && directors < 2 || id == FIRST {
                return Ok(Err(Problem::LastDirector));
            }
        }
        let id = id.to_owned();
        self.change(move |keys| {
            keys.accounts.retain(|a| a.id != id);
            keys.sessions.retain(|s| s.account != id);
            Ok(())
        })
        .await?;
        Ok(Ok(()))
    }

    /// Live sessions: of everybody for a director, of oneself for the others.
    pub fn sessions(&self, visitor: &Visitor) -> Vec<Session> {
        let now = self.now();
        let Some(own) = &visitor.session else { return Vec::new() };
        let all = own.role == Role::Director;
        let list = self.state().keys.sessions.clone();
        list.into_iter().filter(|s| s.expires > now && (all || s.account == own.account)).collect()
    }

    /// Ends the session of that handle (the start of its hash); false if there is none that the visitor may end.
    pub async fn end_session(&self, visitor: &Visitor, handle: &str) -> Result<bool, Refusal> {
        let found = self.sessions(visitor).into_iter().find(|s| same(session_handle(s), handle));
        let Some(found) = found else { return Ok(false) };
        self.change(move |keys| {
            keys.sessions.retain(|s| s.hash != found.hash);
            Ok(())
        })
        .await?;
        Ok(true)
    }
}

/// What names a session on a page: it opens nothing.
pub fn session_handle(s: &Session) -> &str {
    s.hash.get(..16).unwrap_or(&s.hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_everybody_tries_first_are_refused() {
        for weak in ["1111", "1234", "987654", "00000000"] {
            assert_eq!(fits(Role::Carer, weak), Err(Problem::WeakPin), "{weak}");
        }
        for none in ["123", "123456789", "12a4", "１２３４", ""] {
            assert_eq!(fits(Role::Carer, none), Err(Problem::NoPin), "{none}");
        }
        assert_eq!(fits(Role::Carer, "2580"), Ok(()));
        assert_eq!(fits(Role::Director, "2580"), Err(Problem::Short));
        assert_eq!(fits(Role::Installer, &"x".repeat(201)), Err(Problem::Long));
    }
}
