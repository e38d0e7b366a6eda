//! The gateway's own key, by which its nodes know it: made at the first start, kept in the data folder, told to each node at enrolment.
//!
//! What must hold: the file is never replaced. Nodes that were enrolled with another key speak to nobody else, so losing it means enrolling them all again.
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// In the data folder: the key, and a certificate that it has signed itself.
const FILE: &str = "broker.pem";
/// What a node takes of the handshake at once is 2,048 bytes (`tuoan_node::link::tls::RECORD`), the certificate among them.
const LONGEST_CHAIN: usize = 1_600;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("a key for the broker's TLS could not be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("{} holds no private key that can be used (PEM)", .0.display())]
    Key(PathBuf),
    #[error(
        "{} is no key of P-256, which is what nodes can verify; `openssl ecparam -name prime256v1 -genkey -noout` makes one, or leave cert and key out and the gateway has its own",
        .0.display()
    )]
    OtherKind(PathBuf),
    #[error("{} with its chain has {bytes} bytes; a node takes {LONGEST_CHAIN}", .path.display())]
    LongChain { path: PathBuf, bytes: usize },
}

/// Where the data folder has its own.
pub fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

/// The gateway's own key and certificate, in one file that only its owner reads. Made when there is none.
///
/// # Errors
/// The disk does not take it.
pub fn own(data: &Path) -> Result<PathBuf, KeyError> {
    let path = path(data);
    // What cannot be looked at may be there: nodes know its key, and another one would shut them all out.
    if path.try_exists().map_err(|source| KeyError::Io { path: path.clone(), source })? {
        return Ok(path);
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut certificate = CertificateParams::new(vec!["tuoan".to_owned()])?;
    certificate.distinguished_name = DistinguishedName::new();
    certificate.distinguished_name.push(DnType::CommonName, "Tuoan gateway");
    let text = certificate.self_signed(&key)?.pem() + &key.serialize_pem();
    // Whole or not at all, and under its name only when it is on the disk.
    let part = path.with_extension("pem.part");
    let write = || -> io::Result<()> {
        let _ = std::fs::remove_file(&part);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, &path)?;
        std::fs::File::open(data)?.sync_all()
    };
    write().map_err(|source| KeyError::Io { path: path.clone(), source })?;
    Ok(path)
}

/// By what nodes know who holds `key`: `p256.` and the public key's short form in hexadecimal digits.
///
/// # Errors
/// Nodes cannot verify this key, or not take this certificate.
pub fn pin(cert: &Path, key: &Path) -> Result<String, KeyError> {
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|_| KeyError::Key(key.to_owned()))?;
    let pair = KeyPair::from_der_and_sign_algo(&secret, &PKCS_ECDSA_P256_SHA256).map_err(|_| KeyError::OtherKind(key.to_owned()))?;
    let Some((&[4], point)) = pair.public_key_raw().split_first_chunk::<1>() else { return Err(KeyError::OtherKind(key.to_owned())) };
    let (Some(x), Some(odd)) = (point.get(..32), point.last().map(|b| b & 1)) else { return Err(KeyError::OtherKind(key.to_owned())) };
    let chain = CertificateDer::pem_file_iter(cert).map_err(|_| KeyError::Key(cert.to_owned()))?;
    let bytes = chain.flatten().map(|c| c.len()).sum();
    if bytes > LONGEST_CHAIN {
        return Err(KeyError::LongChain { path: cert.to_owned(), bytes });
    }
    Ok(format!("p256.{:02x}{}", 2 + odd, hex::encode(x)))
}

/// What the label of a device holds; a node of the project takes it over its serial line (`docs/nodes.md`).
pub fn code(device: &str, password: &str, pin: Option<&str>) -> String {
    let code = format!("tuoan:credential:{device}:{password}");
    pin.map_or(code.clone(), |pin| format!("{code}:{pin}"))
}

/// How nodes reach the broker over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeTls {
    pub port: u16,
    pub pin: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_is_made_once_for_its_owner_alone_and_known_by_its_pin() {
        let dir = tempfile::tempdir().unwrap();
        let made = own(dir.path()).unwrap();
        assert_eq!(std::fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o600);
        let (text, known) = (std::fs::read(&made).unwrap(), pin(&made, &made).unwrap());
        assert_eq!((own(dir.path()).unwrap(), std::fs::read(&made).unwrap()), (made.clone(), text));
        assert_eq!((known.len(), pin(&made, &made).unwrap()), (71, known.clone()));
        let other = tempfile::tempdir().unwrap();
        let other = own(other.path()).unwrap();
        assert_ne!(pin(&other, &other).unwrap(), known);
        let code = code("room-1", "00ff", Some(&known));
        assert_eq!(code, format!("tuoan:credential:room-1:00ff:{known}"));
    }

    #[test]
    fn what_a_node_cannot_verify_gets_no_pin() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let ed = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let cert = CertificateParams::new(vec!["x".to_owned()]).unwrap().self_signed(&ed).unwrap().pem();
        let (cert, key) = (file("ed.crt", &cert), file("ed.key", &ed.serialize_pem()));
        assert!(matches!(pin(&cert, &key), Err(KeyError::OtherKind(_))));
        let good = own(dir.path()).unwrap();
        let text = std::fs::read_to_string(&good).unwrap();
        let certificate = text.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
        let long = file("long.crt", &certificate.repeat(8));
        assert!(matches!(pin(&long, &good), Err(KeyError::LongChain { .. })));
        assert!(pin(&good, &file("none.key", "nothing")).unwrap_err().to_string().contains("none.key"));
    }
}
