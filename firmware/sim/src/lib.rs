//! A fleet of simulated nodes: the library that runs on the boards (`tuoan-node`), its drivers and its link included, over chips and wires that a script
//! moves, and over real sockets.
//!
//! | module | holds |
//! |---|---|
//! | [`script`] | the day's curves, contacts and faults, as a TOML file says them |
//! | [`scene`] | what surrounds one node at a moment: pure, by script, seed and name |
//! | [`time`] | the script's time, the node's uptime |
//! | [`bus`] | an I²C bus with an SHT4x or an SCD4x, as their data sheets say |
//! | [`wire`] | contacts at supervised loops |
//! | [`flash`], [`board`] | what an updated node stands on: its flash, the boot loader, the programs |
//! | [`kept`] | the outbox, kept through a power cut |
//! | [`cable`] | the network cable |
//! | [`counted`] | connections, read where they leave the node |
//! | [`tally`] | what was sent and what was acknowledged |
//! | [`node`] | one node, from one start to the next |
//! | [`fleet`] | many of them |
//! | [`report`] | the figures |
pub mod board;
pub mod bus;
pub mod cable;
pub mod counted;
pub mod flash;
pub mod fleet;
pub mod kept;
pub mod node;
pub mod report;
pub mod scene;
pub mod script;
pub mod tally;
pub mod time;
pub mod wire;

pub use tuoan_node::link::pin::Pin;
