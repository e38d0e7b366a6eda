//! Keys and signed firmware files. The private key belongs to who builds the firmware; a gateway neither has nor needs one, since each node judges the
//! signature itself by the keys that it was built with.
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tuoan_protocol::firmware::{HEADER, HeaderError, ImageHeader, MAX_IMAGE, Version};

/// What a key file begins with; 64 hexadecimal digits follow, the seed of RFC 8032.
const LABEL: &str = "tuoan-firmware-key ";

#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("{path}: {source}")]
    Io { path: String, source: io::Error },
    #[error("{0}: not a firmware key; make one with `tuoan firmware key`")]
    Key(String),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("the file is cut: its header tells of {told} bytes, {found} are there")]
    Cut { told: u32, found: usize },
    #[error("the image is not the one of its header: it was altered, or the copy is damaged")]
    Altered,
    #[error("no random numbers are to be had")]
    Random,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> SignError {
    let path = path.display().to_string();
    move |source| SignError::Io { path, source }
}

/// Makes a key, in a file that its owner alone can read, and gives its public half.
///
/// # Errors
/// The file is there already, or cannot be written.
pub fn make_key(path: &Path) -> Result<[u8; 32], SignError> {
    let seed: [u8; 32] = rand::random();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| SignError::Random)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed(path))?;
    writeln!(file, "{LABEL}{}", hex::encode(seed)).and_then(|()| file.sync_all()).map_err(failed(path))?;
    public(&pair)
}

fn public(pair: &Ed25519KeyPair) -> Result<[u8; 32], SignError> {
    pair.public_key().as_ref().try_into().map_err(|_| SignError::Random)
}

/// The key of a file.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read_key(path: &Path) -> Result<Ed25519KeyPair, SignError> {
    let text = std::fs::read_to_string(path).map_err(failed(path))?;
    let none = || SignError::Key(path.display().to_string());
    let seed = text.trim().strip_prefix(LABEL.trim_end()).map(str::trim).and_then(|t| hex::decode(t).ok()).ok_or_else(none)?;
    Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| none())
}

/// Its public half, which nodes are built with.
///
/// # Errors
/// As [`read_key`].
pub fn public_key(path: &Path) -> Result<[u8; 32], SignError> {
    public(&read_key(path)?)
}

/// The signed file of an image.
///
/// # Errors
/// What of the header cannot be.
pub fn signed(key: &Ed25519KeyPair, board: &str, hardware: (u16, u16), version: Version, image: &[u8]) -> Result<Vec<u8>, SignError> {
    let length = u32::try_from(image.len()).map_err(|_| HeaderError::Length)?;
    let header = ImageHeader::new(board, hardware, version, length, Sha256::digest(image).into())?.to_bytes();
    Ok([&header[..], key.sign(&header).as_ref(), image].concat())
}

/// A signed file taken apart, once its image is the one of its header. Whether the signature is good says the node.
///
/// # Errors
/// It is none, or damaged.
pub fn opened(file: &[u8]) -> Result<(ImageHeader, [u8; HEADER], &[u8]), SignError> {
    let (header, _) = ImageHeader::parse(file)?;
    let (head, image) = file.split_first_chunk::<HEADER>().ok_or(HeaderError::Short)?;
    if u32::try_from(image.len()) != Ok(header.length()) {
        return Err(SignError::Cut { told: header.length(), found: image.len() });
    }
    if <[u8; 32]>::from(Sha256::digest(image)) != header.sha256 {
        return Err(SignError::Altered);
    }
    Ok((header, *head, image))
}

/// A signed file from the disk, at most as long as one can be.
///
/// # Errors
/// It cannot be read.
pub fn read_file(path: &Path) -> Result<Vec<u8>, SignError> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed(path))?;
    io::Read::read_to_end(&mut io::Read::take(file, u64::from(MAX_IMAGE) + HEADER as u64 + 1), &mut bytes).map_err(failed(path))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_node::update::check::{Board, Refusal, wanted};

    #[test]
    fn what_is_signed_here_is_taken_by_a_node_that_knows_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let (mine, other) = (dir.path().join("mine.key"), dir.path().join("other.key"));
        let keys = [make_key(&mine).unwrap()];
        assert_eq!(public_key(&mine).unwrap(), keys[0]);
        assert!(matches!(make_key(&mine), Err(SignError::Io { .. })), "a key is not written over");
        make_key(&other).unwrap();
        let image = vec![7; 5000];
        let version: Version = "1.2.0".parse().unwrap();
        let node = Board { name: "rp2040-w5500", hardware: 1, version: "1.1.9".parse().unwrap(), keys: &keys };
        let file = signed(&read_key(&mine).unwrap(), "rp2040-w5500", (1, 1), version, &image).unwrap();
        assert_eq!(wanted(&file, &node, 5000).map(|h| h.version), Ok(version));
        assert_eq!(opened(&file).unwrap().2, image);
        let foreign = signed(&read_key(&other).unwrap(), "rp2040-w5500", (1, 1), version, &image).unwrap();
        assert_eq!(wanted(&foreign, &node, 5000), Err(Refusal::BadSignature));
        // A file that was damaged is not offered at all.
        assert!(matches!(opened(&file[..file.len() - 1]), Err(SignError::Cut { .. })));
        let mut bad = file;
        *bad.last_mut().unwrap() ^= 1;
        assert!(matches!(opened(&bad), Err(SignError::Altered)));
        std::fs::write(&other, "something else").unwrap();
        assert!(matches!(read_key(&other), Err(SignError::Key(_))));
    }
}
