//! Updates over the air: a signed image, three slots, and the way back.
//!
//! | file | holds |
//! |---|---|
//! | [`check`] | which images this node takes, and the name of the reason when it does not |
//! | [`slot`] | a place for one image in the flash, and whether what lies in it is whole |
//! | [`boot`] | what the boot loader does before it starts the node: put an image in, or the one before it back |
//! | [`download`] | what the running node does: ask for an image, chunk by chunk, and confirm it once it has found its gateway again |
//!
//! The new image is copied over the running one only after that lies whole in a third slot. Every copy reads from a slot that nothing is writing, so that
//! after a power cut it is simply done again; which one is due stands in a store that is whole at every moment ([`crate::flash::keep`]). Not
//! `embassy-boot`: it swaps page by page in place, and a power cut while its state page is erased may leave it to swap once more
//! (`docs/decisions/0020-node-flash-and-updates.md`).
pub mod boot;
pub mod check;
pub mod download;
pub mod slot;

pub use boot::{Start, prepare};
pub use check::{Board, Refusal};
pub use download::Updater;
pub use slot::Slot;

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};
    use sha2::{Digest, Sha256};
    use tuoan_protocol::firmware::{HEADER, ImageHeader, Version};

    pub fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }
    pub fn keys() -> &'static [[u8; 32]] {
        static KEYS: std::sync::OnceLock<[[u8; 32]; 1]> = std::sync::OnceLock::new();
        KEYS.get_or_init(|| [key().verifying_key().to_bytes()])
    }
    pub fn board(version: &str) -> Board<'static> {
        Board { name: "test", hardware: 2, version: version.parse().unwrap(), keys: keys() }
    }
    pub fn image(version: &str, length: usize) -> Vec<u8> {
        version.bytes().cycle().zip(0..length).map(|(b, i)| b ^ (i as u8)).collect()
    }
    pub fn header_of(version: &str, image: &[u8]) -> ImageHeader {
        let version: Version = version.parse().unwrap();
        ImageHeader::new("test", (1, 3), version, image.len() as u32, Sha256::digest(image).into()).unwrap()
    }
    pub fn signed(header: &ImageHeader, key: &SigningKey) -> [u8; HEADER] {
        let signed = header.to_bytes();
        [&signed[..], &key.sign(&signed).to_bytes()].concat().try_into().unwrap()
    }
}
