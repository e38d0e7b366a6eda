//! Who may sign firmware for this board: built in, from the environment variable `TUOAN_NODE_KEYS`.

/// Ed25519 public keys.
pub const KEYS: &[[u8; 32]] = include!(concat!(env!("OUT_DIR"), "/keys.rs"));
