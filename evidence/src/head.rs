//! Signed tree heads: what a gateway's log was at a time, and the district's word that it has seen it.
//!
//! What is signed is a short text, the same on every machine, so that `openssl` can check it, too.
use crate::key::{PublicKey, Signature, SigningKey, unhex};
use crate::tree::{self, Hash};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes in lower-case hexadecimal digits, in one spelling.
mod digits {
    use crate::key::unhex;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    pub fn serialize<const N: usize, S: Serializer>(bytes: &[u8; N], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(bytes))
    }
    pub fn deserialize<'de, const N: usize, D: Deserializer<'de>>(d: D) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(d)?;
        unhex(&text).ok_or_else(|| D::Error::custom(format_args!("{} lower-case hexadecimal digits are needed", 2 * N)))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<PublicKey, D::Error> {
        digits::deserialize(d).map(PublicKey::new)
    }
}

/// The state of a gateway's log, signed by its site key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedHead {
    /// Ids of the site and of its log; a log begins anew when a data folder does.
    pub site: String,
    pub log: String,
    /// Leaves.
    pub size: u64,
    #[serde(with = "digits")]
    pub root: Hash,
    /// UTC milliseconds of the gateway's clock.
    pub time: i64,
    pub key: PublicKey,
    #[serde(with = "digits")]
    pub signature: Signature,
}

impl SignedHead {
    /// Signs it. `site` and `log` are ids: without white space.
    pub fn sign(key: &SigningKey, site: &str, log: &str, size: u64, root: Hash, time: i64) -> SignedHead {
        let mut head = SignedHead { site: site.to_owned(), log: log.to_owned(), size, root, time, key: key.public(), signature: [0; 64] };
        head.signature = key.sign(&head.text());
        head
    }
    /// What is signed.
    pub fn text(&self) -> Vec<u8> {
        let root = hex::encode(self.root);
        let SignedHead { site, log, size, time, key, .. } = self;
        format!("tuoan-head 1\nsite {site}\nlog {log}\nkey {key}\nsize {size}\nroot {root}\ntime {time}\n").into_bytes()
    }
    /// Whether it is signed by the key that it names, and its names are such that the text can be read in one way only.
    pub fn holds(&self) -> bool {
        let plain = |t: &str| !t.is_empty() && t.len() <= 64 && !t.chars().any(|c| c.is_whitespace() || c.is_control());
        plain(&self.site) && plain(&self.log) && self.key.verify(&self.text(), &self.signature)
    }
}

/// The district platform's word that it has seen a head, and that every head it has seen before is its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Countersignature {
    pub key: PublicKey,
    /// UTC milliseconds of the platform's clock.
    pub time: i64,
    #[serde(with = "digits")]
    pub signature: Signature,
}

impl Countersignature {
    pub fn sign(key: &SigningKey, head: &SignedHead, time: i64) -> Countersignature {
        let mut c = Countersignature { key: key.public(), time, signature: [0; 64] };
        c.signature = key.sign(&c.text(head));
        c
    }
    /// What is signed: the head by its SHA-256, which covers the site's signature.
    pub fn text(&self, head: &SignedHead) -> Vec<u8> {
        let seen = Sha256::new().chain_update(head.text()).chain_update(head.signature).finalize();
        format!("tuoan-witness 1\nhead {}\nkey {}\ntime {}\n", hex::encode(seen), self.key, self.time).into_bytes()
    }
    pub fn holds(&self, head: &SignedHead) -> bool {
        self.key.verify(&self.text(head), &self.signature)
    }
}

/// What a gateway tells its witness: its newest head, and how that goes on from the one which the witness saw last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    pub head: SignedHead,
    /// Size of the head that the proof begins with; 0 with an empty proof when none was witnessed yet.
    pub from: u64,
    pub proof: Proof,
}

/// Hashes of a proof, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Proof(pub Vec<Hash>);

impl From<Proof> for Vec<String> {
    fn from(p: Proof) -> Vec<String> {
        p.0.iter().map(hex::encode).collect()
    }
}
impl TryFrom<Vec<String>> for Proof {
    type Error = &'static str;
    fn try_from(texts: Vec<String>) -> Result<Proof, Self::Error> {
        if texts.len() > tree::MAX_PROOF {
            return Err("a proof has at most 64 hashes");
        }
        texts.iter().map(|t| unhex(t)).collect::<Option<_>>().map(Proof).ok_or("a proof's hashes are 64 lower-case hexadecimal digits each")
    }
}

/// Why a witness does not countersign. The text is for the supervisor and for the gateway's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWitnessed {
    #[error("the head's signature does not hold")]
    Forged,
    #[error("the site signs with another key than before ({found}, before {known}): a supervisor of the district must accept it first")]
    OtherKey { known: PublicKey, found: PublicKey },
    #[error("the site begins a new log ({found}), and had another before: a supervisor of the district must accept it first")]
    OtherLog { found: String },
    #[error("the site's log has {found} records, and had {known} before: records were taken away")]
    Shrunk { known: u64, found: u64 },
    #[error("the site's log of {size} records is another one than that which was witnessed: records were changed")]
    Forked { size: u64 },
    #[error("the proof must begin with the head of {known} records, which was witnessed last")]
    Behind { known: u64 },
}

/// Whether `next` goes on from what the witness saw last (`None`: nothing yet of this log).
///
/// # Errors
/// It does not. [`NotWitnessed::Behind`] only asks for another proof; all others are for a person to look into.
pub fn goes_on(known: Option<&SignedHead>, next: &Submission) -> Result<(), NotWitnessed> {
    if !next.head.holds() {
        return Err(NotWitnessed::Forged);
    }
    let Some(known) = known else { return Ok(()) };
    if known.key != next.head.key {
        return Err(NotWitnessed::OtherKey { known: known.key, found: next.head.key });
    }
    if next.head.size < known.size {
        return Err(NotWitnessed::Shrunk { known: known.size, found: next.head.size });
    }
    if next.head.size == known.size {
        return if next.head.root == known.root { Ok(()) } else { Err(NotWitnessed::Forked { size: known.size }) };
    }
    if next.from != known.size {
        return Err(NotWitnessed::Behind { known: known.size });
    }
    if !tree::consistent(known.size, &known.root, next.head.size, &next.head.root, &next.proof.0) {
        return Err(NotWitnessed::Forked { size: next.head.size });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> SigningKey {
        SigningKey::from_seed(&[n; 32]).unwrap()
    }
    fn leaves(n: u64, salt: u8) -> Vec<Hash> {
        (0..n).map(|i| tree::leaf(salt, &i.to_be_bytes())).collect()
    }
    fn submit(leaves: &[Hash], from: u64, k: u8) -> Submission {
        let size = leaves.len() as u64;
        let head = SignedHead::sign(&key(k), "xingyuan", "01JD", size, tree::root(leaves, size).unwrap(), 1_790_000_000_000);
        let proof = if from == 0 || from > size { Vec::new() } else { tree::consistency(leaves, from, size).unwrap() };
        Submission { head, from, proof: Proof(proof) }
    }

    #[test]
    fn the_signed_texts_do_not_change() {
        let head = SignedHead::sign(&key(1), "xingyuan", "01JD", 3, [7; 32], 1_790_000_000_000);
        assert_eq!(
            String::from_utf8(head.text()).unwrap(),
            "tuoan-head 1\nsite xingyuan\nlog 01JD\nkey 8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c\nsize 3\n\
             root 0707070707070707070707070707070707070707070707070707070707070707\ntime 1790000000000\n"
        );
        let c = Countersignature::sign(&key(2), &head, 5);
        assert!(head.holds() && c.holds(&head));
        assert!(!c.holds(&SignedHead { time: head.time + 1, ..head.clone() }));
        assert!(!SignedHead { size: 4, ..head.clone() }.holds());
        let json = serde_json::to_string(&head).unwrap();
        assert_eq!(serde_json::from_str::<SignedHead>(&json).unwrap(), head);
        assert!(serde_json::from_str::<SignedHead>(&json.replace("0707", "070G")).is_err());
        let other = SignedHead::sign(&key(1), "a\nlog b", "01JD", 3, [7; 32], 0);
        assert!(!other.holds(), "a name with a line end would let one text be read in two ways");
    }

    #[test]
    fn a_witness_refuses_a_fork_a_shrink_another_key_and_a_gap() {
        let long = leaves(20, 1);
        let known = submit(&long[..9], 0, 1).head;
        assert_eq!(goes_on(None, &submit(&long[..9], 0, 1)), Ok(()));
        assert_eq!(goes_on(Some(&known), &submit(&long, 9, 1)), Ok(()));
        assert_eq!(goes_on(Some(&known), &submit(&long[..9], 9, 1)), Ok(()), "said again");
        assert_eq!(goes_on(Some(&known), &submit(&long, 5, 1)), Err(NotWitnessed::Behind { known: 9 }));
        assert_eq!(goes_on(Some(&known), &submit(&long[..8], 8, 1)), Err(NotWitnessed::Shrunk { known: 9, found: 8 }));
        assert_eq!(goes_on(Some(&known), &submit(&leaves(20, 2), 9, 1)), Err(NotWitnessed::Forked { size: 20 }));
        assert_eq!(goes_on(Some(&known), &submit(&leaves(9, 2), 9, 1)), Err(NotWitnessed::Forked { size: 9 }));
        assert!(matches!(goes_on(Some(&known), &submit(&long, 9, 2)), Err(NotWitnessed::OtherKey { .. })));
        let mut forged = submit(&long, 9, 1);
        forged.head.size = 21;
        assert_eq!(goes_on(Some(&known), &forged), Err(NotWitnessed::Forged));
    }
}
