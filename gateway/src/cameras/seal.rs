//! Sealed files: AES-256-GCM, one nonce drawn at random for each record.
//!
//! ```text
//! "TUOANEV1" | id of the key, 8 | length of the head, u32 | head (JSON) | records
//! record:  time ms, i64 | length of what follows, u32 | nonce, 12 | ciphertext and tag
//! ```
//! Integers are big endian. Each record's associated data is everything before the first record, and the record's number and time: so a record that is
//! changed, moved, put into another file or taken from its end does not open, and the error says which.
use aws_lc_rs::aead::{AES_256_GCM, Aad, MAX_TAG_LEN, NONCE_LEN, Nonce, RandomizedNonceKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"TUOANEV1";
const KEY_ID: usize = 8;
const KEY: usize = 32;
/// Longest head; ours have a few hundred bytes, a manifest's is as short.
const HEAD: usize = 64 * 1024;

/// What a sealed file says of itself, readable without the key and proven with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub incident: String,
    /// Empty for the manifest.
    pub camera: String,
    /// Counts the files of an incident from 1; 0 is the manifest.
    pub number: u32,
    pub records: u32,
}

/// One record in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// UTC, milliseconds.
    pub at: i64,
    pub bytes: Vec<u8>,
}

/// Why a sealed file does not open. Each names what is wrong, for who must explain it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("it is no sealed file, or cut off: {0}")]
    Form(&'static str),
    #[error("it was sealed with another key (its key is {has}, this gateway's is {ours})")]
    OtherKey { has: String, ours: String },
    #[error("record {0} has been altered or moved: its seal is broken")]
    Broken(u32),
    #[error("it has no record {0}")]
    Missing(u32),
    #[error("the cryptographic library failed")]
    Library,
}

/// The gateway's key for evidence.
pub struct Key {
    key: RandomizedNonceKey,
    id: [u8; KEY_ID],
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", hex::encode(self.id))
    }
}

impl Key {
    /// Of 32 bytes.
    ///
    /// # Errors
    /// The library refuses.
    pub fn new(bytes: &[u8; KEY]) -> Result<Key, SealError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| SealError::Library)?;
        let mut id = [0; KEY_ID];
        id.iter_mut().zip(Sha256::digest(bytes)).for_each(|(to, from)| *to = from);
        Ok(Key { key, id })
    }

    /// Reads the key file, or draws a key and writes one that only its owner may read.
    ///
    /// # Errors
    /// The file cannot be read or written, is no key, or may be read by others.
    pub fn open(path: &Path) -> io::Result<Key> {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let wrong = |kind, text: String| io::Error::new(kind, format!("{}: {text}", path.display()));
        let failed = |e: SealError| wrong(io::ErrorKind::Other, e.to_string());
        match fs::read(path) {
            Ok(bytes) => {
                let mode = fs::metadata(path)?.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    let text = format!("its mode is {mode:03o}, so others may read the key of the evidence; run chmod 600 on it");
                    return Err(wrong(io::ErrorKind::PermissionDenied, text));
                }
                let bytes: [u8; KEY] = bytes.try_into().map_err(|_| {
                    let text = format!("it is no key of {KEY} bytes; restore it from its copy, or move it away to begin a new one");
                    wrong(io::ErrorKind::InvalidData, text)
                })?;
                Key::new(&bytes).map_err(failed)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let bytes: [u8; KEY] = rand::random();
                let mut options = fs::OpenOptions::new();
                // Under another name first: a crash must leave a whole key or none.
                let draft = draft_of(path);
                let _ = fs::remove_file(&draft);
                let mut file = options.write(true).create_new(true).mode(0o600).open(&draft)?;
                file.write_all(&bytes)?;
                file.sync_all()?;
                fs::rename(&draft, path)?;
                sync_folder(path)?;
                Key::new(&bytes).map_err(failed)
            }
            Err(e) => Err(wrong(e.kind(), e.to_string())),
        }
    }

    /// Seals records into one file's bytes.
    ///
    /// # Errors
    /// There are too many, or the library fails.
    pub fn seal(&self, head: &Head, records: &[Record]) -> Result<Vec<u8>, SealError> {
        let mut file = self.before(head)?;
        let bound = file.clone();
        for (number, record) in (0u32..).zip(records) {
            let mut text = record.bytes.clone();
            let nonce = self
                .key
                .seal_in_place_append_tag(Aad::from(associated(&bound, number, record.at)), &mut text)
                .map_err(|_| SealError::Library)?;
            let length = u32::try_from(NONCE_LEN + text.len()).map_err(|_| SealError::Form("a record is too long"))?;
            file.extend(record.at.to_be_bytes());
            file.extend(length.to_be_bytes());
            file.extend(nonce.as_ref());
            file.extend(text);
        }
        Ok(file)
    }

    fn before(&self, head: &Head) -> Result<Vec<u8>, SealError> {
        let head = serde_json::to_vec(head).map_err(|_| SealError::Form("its head cannot be written"))?;
        let length = u32::try_from(head.len()).ok().filter(|n| *n as usize <= HEAD).ok_or(SealError::Form("its head is too long"))?;
        Ok([&MAGIC[..], &self.id, &length.to_be_bytes(), &head].concat())
    }

    /// One record of a sealed file.
    ///
    /// # Errors
    /// The file is none of ours, is damaged, or the record's seal is broken.
    pub fn open_record(&self, file: &[u8], number: u32) -> Result<Record, SealError> {
        let (head, bound, mut rest) = self.split(file)?;
        if number >= head.records {
            return Err(SealError::Missing(number));
        }
        let mut at = 0;
        let mut sealed: &[u8] = &[];
        for _ in 0..=number {
            let (time, after) = rest.split_first_chunk::<8>().ok_or(SealError::Form("a record is missing at its end"))?;
            let (length, after) = after.split_first_chunk::<4>().ok_or(SealError::Form("a record is missing at its end"))?;
            let length = u32::from_be_bytes(*length) as usize;
            let (record, after) = after.split_at_checked(length).ok_or(SealError::Form("a record is cut off"))?;
            (at, sealed, rest) = (i64::from_be_bytes(*time), record, after);
        }
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Form("a record is too short"))?;
        if text.len() < MAX_TAG_LEN {
            return Err(SealError::Form("a record is too short"));
        }
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(associated(bound, number, at));
        let clear = self.key.open_in_place(nonce, aad, &mut text).map_err(|_| SealError::Broken(number))?;
        Ok(Record { at, bytes: clear.to_vec() })
    }

    /// The head, everything before the first record, and the records.
    fn split<'a>(&self, file: &'a [u8]) -> Result<(Head, &'a [u8], &'a [u8]), SealError> {
        let rest = file.strip_prefix(MAGIC.as_slice()).ok_or(SealError::Form("it does not begin as one"))?;
        let (id, rest) = rest.split_first_chunk::<KEY_ID>().ok_or(SealError::Form("it is too short"))?;
        if *id != self.id {
            return Err(SealError::OtherKey { has: hex::encode(id), ours: hex::encode(self.id) });
        }
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(SealError::Form("it is too short"))?;
        let length = u32::from_be_bytes(*length) as usize;
        let (head, records) = rest.split_at_checked(length).filter(|_| length <= HEAD).ok_or(SealError::Form("its head is cut off"))?;
        let head = serde_json::from_slice(head).map_err(|_| SealError::Form("its head cannot be read"))?;
        let bound = file.len().saturating_sub(records.len());
        Ok((head, file.get(..bound).unwrap_or_default(), records))
    }

    /// What a file says of itself; proven by opening a record.
    ///
    /// # Errors
    /// The file is none of ours or was sealed with another key.
    pub fn head(&self, file: &[u8]) -> Result<Head, SealError> {
        self.split(file).map(|s| s.0)
    }
}

fn associated(before: &[u8], number: u32, at: i64) -> Vec<u8> {
    [before, &number.to_be_bytes(), &at.to_be_bytes()].concat()
}

fn draft_of(path: &Path) -> PathBuf {
    path.with_extension("new")
}

fn sync_folder(path: &Path) -> io::Result<()> {
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a file whole or not at all: under another name, to the disk, then renamed. Readable by its owner only.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let draft = draft_of(path);
    let mut options = fs::OpenOptions::new();
    let written = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, path))
        .and_then(|()| sync_folder(path));
    if written.is_err() {
        // On a full disk a half of a file would keep the room that the next one needs.
        let _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(n: u8) -> Key {
        Key::new(&[n; KEY]).unwrap()
    }
    fn head() -> Head {
        Head { incident: "01KAPT0000000000000000001".into(), camera: "cam-1".into(), number: 3, records: 2 }
    }
    fn records() -> Vec<Record> {
        vec![Record { at: 1000, bytes: b"first picture".to_vec() }, Record { at: 2000, bytes: b"second picture".to_vec() }]
    }

    #[test]
    fn what_is_sealed_opens_again_and_reads_as_nothing_without_the_key() {
        let file = key(1).seal(&head(), &records()).unwrap();
        assert!(!file.windows(7).any(|w| w == b"picture"));
        assert_eq!(key(1).head(&file).unwrap(), head());
        for (n, record) in (0..).zip(records()) {
            assert_eq!(key(1).open_record(&file, n), Ok(record));
        }
        assert_eq!(key(1).open_record(&file, 2), Err(SealError::Missing(2)));
        let other = key(2).open_record(&file, 0).unwrap_err();
        assert!(matches!(other, SealError::OtherKey { .. }), "{other}");
        assert_ne!(file, key(1).seal(&head(), &records()).unwrap(), "each nonce is drawn anew");
    }

    #[test]
    fn what_was_altered_moved_or_renamed_is_named() {
        let sealed = key(1).seal(&head(), &records()).unwrap();
        // One bit of the last record's text.
        let mut altered = sealed.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(key(1).open_record(&altered, 1), Err(SealError::Broken(1)));
        assert!(key(1).open_record(&altered, 0).is_ok(), "the first is as it was");
        // Its time.
        let mut later = sealed.clone();
        let time = sealed.windows(8).rposition(|w| w == 2000i64.to_be_bytes()).unwrap();
        later[time + 6] ^= 1;
        assert_eq!(key(1).open_record(&later, 1), Err(SealError::Broken(1)));
        // Another incident's name on it.
        let text = String::from_utf8_lossy(&sealed).find("01KAPT").unwrap();
        let mut renamed = sealed.clone();
        renamed[text] = b'9';
        assert_eq!(key(1).open_record(&renamed, 0), Err(SealError::Broken(0)));
        // The two records in the other order.
        let before = key(1).before(&head()).unwrap().len();
        let first = 8 + 4 + u32::from_be_bytes(sealed[before + 8..before + 12].try_into().unwrap()) as usize;
        let swapped = [&sealed[..before], &sealed[before + first..], &sealed[before..before + first]].concat();
        assert_eq!(key(1).open_record(&swapped, 0), Err(SealError::Broken(0)));
        // Its end taken away.
        assert!(matches!(key(1).open_record(&sealed[..sealed.len() - 5], 1), Err(SealError::Form(_))));
        assert!(matches!(key(1).open_record(&sealed[..before + first], 1), Err(SealError::Form(_))));
    }

    #[test]
    fn the_key_is_drawn_once_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("evidence.key");
        let first = Key::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Key::open(&path).unwrap().id, first.id);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Key::open(&path).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(Key::open(&path).unwrap_err().to_string().contains("no key of 32 bytes"));
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), number in any::<u32>(), at in 0usize..200) {
            let k = key(1);
            let _ = k.open_record(&bytes, number);
            // Ours with foreign bytes in it.
            let mut file = k.seal(&head(), &records()).unwrap();
            for (i, b) in bytes.iter().enumerate() {
                if let Some(to) = file.get_mut(at + i) { *to = *b; }
            }
            let _ = k.open_record(&file, number % 3);
        }
    }
}
