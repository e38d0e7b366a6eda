//! Messages to people: what one says, in which words, through which channel, and how many a receiver takes.
//!
//! | file | holds |
//! |---|---|
//! | `message.rs` | one telling of one incident's change to some people |
//! | `text.rs` | its words: title, long, Markdown, HTML, short (SMS), spoken; zh-CN and en |
//! | `cap.rs` | PURE: which pending messages go now, which are gathered into a digest, which wait |
//! | `desk.rs` | PURE: what one channel still has to tell, and what it does next |
//! | `intake.rs` | PURE: which stored notices come to the desk, and what an answer means |
//! | `post.rs` | from the store to the channels, a task each |
//! | `link.rs` | the links in messages: "seen", "I take it" |
//! | `command.rs` | `tuoan notify test CHANNEL` |
//! | `channels/` | one file per channel |
//!
//! What must hold: every text says its number and time (浙政钉 drops identical texts for a day), whether a finding is confirmed or inferred, and
//! whether it is a drill; no text, error or log line holds a secret, and the address of a robot is one.
pub mod cap;
pub mod channels;
pub mod command;
pub mod desk;
mod intake;
pub mod link;
pub mod message;
pub mod post;
#[cfg(test)]
mod simulation;
pub mod text;

pub use cap::{Cap, Pending, Verdict};
pub use channels::{Address, Channel, Limits, Receipt, SendError, build};
pub use message::{Change, Kind, Links, Message};
