//! The links in messages: whoever has one may say for that telling "I have seen it" and "I take it", and nothing else. A link holds the notice's number and a
//! seal (HMAC-SHA256 by a key of this box), so that nobody can guess another's, and is good for a week.
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// Milliseconds that a link is good for.
pub const GOOD_MS: i64 = 7 * 86_400_000;
/// Bytes of the seal: 128 bits cannot be guessed, and a link in an SMS must be short.
const SEAL: usize = 16;
const FILE: &str = "link.key";

#[derive(Clone)]
pub struct LinkKey(Arc<hmac::Key>);

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(***)")
    }
}

impl LinkKey {
    pub fn new(bytes: &[u8; 32]) -> LinkKey {
        LinkKey(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// The box's own, drawn at the first start.
    ///
    /// # Errors
    /// The file cannot be read or written, or is not 32 bytes long.
    pub fn open(data: &Path) -> std::io::Result<LinkKey> {
        let path = data.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let drawn: [u8; 32] = rand::random();
                // Whole or not at all: half a key would break every link of later.
                let part = data.join(format!("{FILE}.part"));
                let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
                file.write_all(&drawn)?;
                file.sync_all()?;
                std::fs::rename(&part, &path)?;
                drawn.to_vec()
            }
            Err(e) => return Err(e),
        };
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| {
            std::io::Error::other(format!(
                "{} is no key of 32 bytes; remove it and a new one is drawn (links sent so far end)",
                path.display()
            ))
        })?;
        Ok(LinkKey::new(&bytes))
    }

    fn seal(&self, notice: u64) -> hmac::Tag {
        hmac::sign(&self.0, format!("tuoan notice {notice}").as_bytes())
    }

    /// The part of a link behind `/n/`.
    pub fn token(&self, notice: u64) -> String {
        let seal = self.seal(notice);
        format!("{notice}.{}", BASE64_URL_SAFE_NO_PAD.encode(seal.as_ref().get(..SEAL).unwrap_or_default()))
    }

    /// The notice of a token that this box has given out.
    pub fn notice(&self, token: &str) -> Option<u64> {
        let (number, seal) = token.split_once('.')?;
        let notice: u64 = number.parse().ok()?;
        let seal = BASE64_URL_SAFE_NO_PAD.decode(seal).ok()?;
        let whole = self.seal(notice);
        let ours = whole.as_ref().get(..SEAL)?;
        // Only the one spelling that was given out, and compared without telling how far it agrees.
        let right = subtle::ConstantTimeEq::ct_eq(ours, seal.as_slice()).into();
        (right && number == notice.to_string()).then_some(notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_notice_alone() {
        let key = LinkKey::new(&[7; 32]);
        let token = key.token(42);
        assert_eq!(key.notice(&token), Some(42));
        let seal = token.split_once('.').unwrap().1;
        for bad in [
            format!("43.{seal}"),
            format!("042.{seal}"),
            format!("42.{}", &seal[1..]),
            "42".into(),
            "42.".into(),
            String::new(),
            format!("42.{seal}A"),
        ] {
            assert_eq!(key.notice(&bad), None, "{bad}");
        }
        assert_eq!(LinkKey::new(&[8; 32]).notice(&token), None);
    }

    #[test]
    fn the_key_is_drawn_once_and_nobody_elses_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let token = LinkKey::open(dir.path()).unwrap().token(1);
        assert_eq!(LinkKey::open(dir.path()).unwrap().notice(&token), Some(1));
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
        std::fs::write(dir.path().join(FILE), b"short").unwrap();
        assert!(LinkKey::open(dir.path()).unwrap_err().to_string().contains("remove it"));
    }
}
