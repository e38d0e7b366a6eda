//! Who asks. A token is 256 random bits; only its SHA-256 is kept, and hashes are compared in constant time.
use crate::config::{Reader, Secret};
use crate::db::Db;
use crate::text::sha256_hex;
use sqlx::Row;
use subtle::ConstantTimeEq;

/// Who asks, and so what may be seen and done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A gateway: sends and sees its own site only.
    Site(String),
    /// A program or a signed-in person: sees all sites, claims and acknowledges under this name.
    District(String),
}

impl Principal {
    /// The only site it may see; `None` is all of them.
    pub fn site(&self) -> Option<&str> {
        match self {
            Principal::Site(id) => Some(id),
            Principal::District(_) => None,
        }
    }
}

/// The readers of the configuration, hashed.
#[derive(Debug, Clone, Default)]
pub struct Readers(Vec<(String, String)>);

impl Readers {
    pub fn new(readers: &[Reader]) -> Readers {
        Readers(readers.iter().map(|r| (r.name.clone(), sha256_hex(r.token.reveal().as_bytes()))).collect())
    }
    /// Whether that is the token of a reader.
    pub fn knows(&self, token: &str) -> bool {
        self.find(&sha256_hex(token.as_bytes())).is_some()
    }
    fn find(&self, hash: &str) -> Option<&str> {
        let mut found = None;
        for (name, known) in &self.0 {
            if same(known, hash) {
                found = Some(name.as_str());
            }
        }
        found
    }
}

/// Constant-time equality.
pub fn same(a: &str, b: &str) -> bool {
    bool::from(a.as_bytes().ct_eq(b.as_bytes()))
}

/// The token of an `Authorization` header with that scheme (`Bearer` or `Token`).
pub fn token<'a>(headers: &'a axum::http::HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(axum::http::header::AUTHORIZATION)?.to_str().ok()?;
    let (given, token) = value.split_once(' ')?;
    (given.eq_ignore_ascii_case(scheme) && !token.is_empty()).then(|| token.trim())
}

/// Whose token that is.
pub async fn by_token(db: &Db, readers: &Readers, token: &str) -> Result<Option<Principal>, sqlx::Error> {
    let hash = sha256_hex(token.as_bytes());
    if let Some(name) = readers.find(&hash) {
        return Ok(Some(Principal::District(name.to_owned())));
    }
    // The index is searched by the hash, of which a guesser controls nothing, so the search time tells nothing about a token.
    let row = sqlx::query("SELECT hash, site FROM site_tokens WHERE hash = $1").bind(hash.clone()).fetch_optional(db.read()).await?;
    let Some(row) = row else { return Ok(None) };
    let known: String = row.try_get("hash")?;
    Ok(if same(&known, &hash) { Some(Principal::Site(row.try_get("site")?)) } else { None })
}

/// A fresh token: 256 bits from the system's generator, in hex.
pub fn new_token() -> Secret {
    let bytes: [u8; 32] = rand::random();
    Secret::new(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_of_a_token_counts() {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("authorization", "bearer abc".parse().unwrap());
        assert_eq!(token(&headers, "Bearer"), Some("abc"));
        assert_eq!(token(&headers, "Token"), None);
        headers.insert("authorization", "Bearer ".parse().unwrap());
        assert_eq!(token(&headers, "Bearer"), None);
    }

    #[test]
    fn a_reader_is_found_by_its_hash_only() {
        let readers = Readers::new(&[Reader { name: "a".into(), token: "0123456789abcdef".into() }]);
        assert_eq!(readers.find(&sha256_hex(b"0123456789abcdef")), Some("a"));
        assert_eq!(readers.find(&sha256_hex(b"0123456789abcdeg")), None);
        assert_eq!(readers.find("0123456789abcdef"), None);
    }
}
