//! Evidence that stands by itself: one file about one incident that anybody can check with nothing but the site's public key.
//!
//! | file | holds |
//! |---|---|
//! | `tree.rs` | the Merkle tree of RFC 6962: roots, proofs and their checks |
//! | `key.rs` | Ed25519 keys of sites and of the district |
//! | `head.rs` | signed tree heads, the district's countersignature, what a witness refuses |
//! | `page.rs` | the page that a bundle is: it opens in any browser and checks itself |
//! | `bundle.rs` | the file: how it is written, and read back strictly |
//! | `compare.rs` | what was changed, record by record |
//! | `coverage.rs` | days of the coverage ledger, and how a zone was watched around an incident |
//! | `verify.rs` | everything that must hold, and the report |
//! | `fault.rs` | what does not hold, in words |
//! | `parity/` | test: signed forgeries and random bytes, asked of the verifier and of the page's own check (`page/check.js`) |
//!
//! Both servers and the command line use this one verifier. It trusts nothing that it reads: sizes are bounded, nothing recurses, nothing panics.
pub mod bundle;
mod compare;
pub mod coverage;
pub mod fault;
pub mod head;
pub mod key;
pub mod page;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod verify;

pub use bundle::{Builder, Header, MAX_FILE, Section};
pub use fault::{Fault, Refused};
pub use head::{Countersignature, NotWitnessed, Proof, SignedHead, Submission, goes_on};
pub use key::{PublicKey, SigningKey};
pub use verify::{LeafRecord, Report, Trust, WitnessRecord, verify};

/// What a leaf of the log's tree is about: the byte before the record's canonical bytes. Numbers are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// An incident event, in its canonical CBOR.
    Event = 1,
    /// Something that was done with pictures, as JSON.
    PictureDeed = 2,
    /// A day of the coverage ledger: its number, date and canonical bytes, as JSON.
    CoverageDay = 3,
    /// What retention has removed, as JSON.
    Deletion = 4,
    /// What people did with the system itself, a look at personal data among it, as JSON.
    Access = 5,
    /// What a camera's looks found around an incident, in its canonical CBOR (`tuoan_protocol::looks`). No picture.
    Looks = 6,
}

impl Kind {
    pub const ALL: [Kind; 6] = [Kind::Event, Kind::PictureDeed, Kind::CoverageDay, Kind::Deletion, Kind::Access, Kind::Looks];
    pub fn number(self) -> u8 {
        self as u8
    }
    pub fn of(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.number() == number)
    }
    /// In bundles and tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Event => "event",
            Kind::PictureDeed => "picture",
            Kind::CoverageDay => "coverage",
            Kind::Deletion => "deletion",
            Kind::Access => "access",
            Kind::Looks => "looks",
        }
    }
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.name() == name)
    }
}
