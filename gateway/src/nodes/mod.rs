//! Care of the project's own sensor nodes: signed firmware, and getting it onto them.
//!
//! | file | holds |
//! |---|---|
//! | `sign` | keys and signed files; nothing of it runs in the gateway |
//! | `push` | PURE: one image onto nodes, one after the other |
//! | `carry` | the connection that a push speaks over |
//! | `rollout` | which nodes, on whose word; one push at a time |
//! | `configure` | settings onto one node |
//! | `order` | one order from a page: the self-test |
//! | `cli` | `tuoan firmware` |
//! | `key` | the key by which nodes know their gateway |
pub mod carry;
pub mod cli;
pub mod configure;
pub mod key;
pub mod order;
pub mod push;
pub mod rollout;
pub mod sign;
