//! Ed25519 keys: a site's, which signs what its gateway says, and the district platform's, which witnesses it.
//!
//! A private key is a file of mode 0600 in PKCS #8 (PEM), which `openssl` reads; it is in no log, no error and on no wire. A public key is told as
//! PEM (SubjectPublicKeyInfo), or as 64 hexadecimal digits.
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// RFC 8410: what stands before the 32 bytes in the two encodings.
const PUBLIC: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PRIVATE: &[u8] = &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const BEGIN_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----";
const END_PUBLIC: &str = "-----END PUBLIC KEY-----";
const BEGIN_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----";
const END_PRIVATE: &str = "-----END PRIVATE KEY-----";

pub type Signature = [u8; 64];

/// Why a text is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no Ed25519 public key: give what `tuoan evidence key` prints (PEM), or its 64 hexadecimal digits")]
pub struct NoKey;

/// A public key: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    pub fn new(bytes: [u8; 32]) -> PublicKey {
        PublicKey(bytes)
    }
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// From PEM or hexadecimal digits, with white space around them.
    ///
    /// # Errors
    /// It is neither, or a key of another kind.
    pub fn parse(text: &str) -> Result<PublicKey, NoKey> {
        let text = text.trim();
        if let Some(body) = text.strip_prefix(BEGIN_PUBLIC).and_then(|t| t.strip_suffix(END_PUBLIC)) {
            let der = BASE64_STANDARD.decode(body.split_whitespace().collect::<String>()).map_err(|_| NoKey)?;
            return der.strip_prefix(PUBLIC).and_then(|k| k.try_into().ok()).map(PublicKey).ok_or(NoKey);
        }
        unhex(text).map(PublicKey).ok_or(NoKey)
    }
    /// As `openssl` reads it, with a line end.
    pub fn pem(&self) -> String {
        format!("{BEGIN_PUBLIC}\n{}\n{END_PUBLIC}\n", BASE64_STANDARD.encode([PUBLIC, &self.0].concat()))
    }
    /// To be compared by eye: SHA-256 of the 32 bytes, sixteen groups of four digits.
    pub fn fingerprint(&self) -> String {
        let digits = hex::encode(Sha256::digest(self.0));
        digits.as_bytes().chunks(4).filter_map(|c| std::str::from_utf8(c).ok()).collect::<Vec<_>>().join(" ")
    }
    /// Whether the key's owner signed `message`. Each message and key has one signature that is accepted in one form only (RFC 8032, strict in S).
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// Lower-case digits of exactly so many bytes: a second spelling of the same bytes would be slack.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    hex::decode(text).ok()?.try_into().ok()
}

/// Signs. Cheap to clone.
#[derive(Clone)]
pub struct SigningKey(Arc<Ed25519KeyPair>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey of {}", self.public())
    }
}

impl SigningKey {
    /// The key with that seed (RFC 8032: the private key).
    ///
    /// # Errors
    /// The library refuses it; no seed of 32 bytes is known for which it does.
    pub fn from_seed(seed: &[u8; 32]) -> io::Result<SigningKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| io::Error::other("the seed was refused"))?;
        Ok(SigningKey(Arc::new(pair)))
    }
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().try_into().unwrap_or_default())
    }
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).as_ref().try_into().unwrap_or([0; 64])
    }

    /// Reads the key's file.
    ///
    /// # Errors
    /// It cannot be read, is no such key, or others may read it. The text says what to do and holds nothing of the key.
    pub fn read(path: &Path) -> io::Result<SigningKey> {
        use std::os::unix::fs::PermissionsExt;
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let text = std::fs::read_to_string(path).map_err(named)?;
        let mode = std::fs::metadata(path).map_err(named)?.permissions().mode();
        if mode & 0o077 != 0 {
            let why = format!("{} may be read by others; `chmod 600` it", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let bad = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{} holds no Ed25519 key (PKCS #8, PEM); put back its copy, for a new key cannot go on with the old one's log",
                    path.display()
                ),
            )
        };
        let body = text.trim().strip_prefix(BEGIN_PRIVATE).and_then(|t| t.strip_suffix(END_PRIVATE)).ok_or_else(bad)?;
        let der = BASE64_STANDARD.decode(body.split_whitespace().collect::<String>()).map_err(|_| bad())?;
        let seed: [u8; 32] = der.strip_prefix(PRIVATE).and_then(|s| s.try_into().ok()).ok_or_else(bad)?;
        SigningKey::from_seed(&seed)
    }

    /// Reads the key's file, or draws a key and writes it: whole or not at all, and never over another.
    ///
    /// # Errors
    /// As [`SigningKey::read`]; or it cannot be written.
    pub fn open(path: &Path) -> io::Result<SigningKey> {
        use std::os::unix::fs::OpenOptionsExt;
        match SigningKey::read(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| io::Error::other("the system gives no random numbers"))?;
        let part = path.with_extension("part");
        let pem = format!("{BEGIN_PRIVATE}\n{}\n{END_PRIVATE}\n", BASE64_STANDARD.encode([PRIVATE, &seed].concat()));
        let _ = std::fs::remove_file(&part);
        let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&part).map_err(named)?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(named)?;
        // Two that start at once agree on one key: a link, unlike a rename, replaces nothing.
        let linked = std::fs::hard_link(&part, path);
        let _ = std::fs::remove_file(&part);
        match linked {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(named(e)),
            _ => {}
        }
        if let Some(folder) = path.parent() {
            std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(named)?;
        }
        SigningKey::read(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, 7.1, test 2.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let seed = unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let key = SigningKey::from_seed(&seed).unwrap();
        assert_eq!(key.public().to_string(), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = key.sign(&[0x72]);
        assert_eq!(
            hex::encode(signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert!(key.public().verify(&[0x72], &signature));
        for bit in 0..512 {
            let mut other = signature;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.public().verify(&[0x72], &other), "bit {bit}");
        }
    }

    /// S and S + L sign the same; only one of them is accepted, or a signature would have bytes that nobody checks.
    #[test]
    fn a_signature_has_one_spelling() {
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let mut other = key.sign(b"x");
        let order: [u8; 32] = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        let mut carry = 0u16;
        for (byte, l) in other[32..].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(l);
            *byte = carry as u8;
            carry >>= 8;
        }
        assert!(!key.public().verify(b"x", &other));
    }

    #[test]
    fn a_public_key_is_read_in_the_two_forms_it_is_told_in() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap().public();
        assert_eq!(PublicKey::parse(&key.pem()), Ok(key));
        assert_eq!(PublicKey::parse(&format!("  {key}\n")), Ok(key));
        for bad in ["", "00", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEA\n-----END PUBLIC KEY-----", &key.to_string().to_uppercase()] {
            assert_eq!(PublicKey::parse(bad), Err(NoKey), "{bad:?}");
        }
        assert_eq!(key.fingerprint().len(), 79);
    }

    #[test]
    fn the_file_is_made_once_is_nobody_elses_and_says_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let dir = std::env::temp_dir().join(format!("tuoan-key-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("site.key");
        let _ = std::fs::remove_file(&path);
        assert_eq!(SigningKey::read(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let key = SigningKey::open(&path).unwrap();
        assert_eq!(SigningKey::open(&path).unwrap().public(), key.public());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        let secret = std::fs::read_to_string(&path).unwrap();
        assert!(!format!("{key:?}").contains(secret.lines().nth(1).unwrap()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(SigningKey::open(&path).unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "cut sh").unwrap();
        let e = SigningKey::open(&path).unwrap_err().to_string();
        assert!(e.contains("put back its copy") && !e.contains("cut sh"), "{e}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
