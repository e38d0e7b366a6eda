//! Cameras: from frames to what is seen.
//!
//! | file | holds |
//! |---|---|
//! | [`fuse`] | what the cameras of a zone show together -> the engine's inputs |
pub mod fuse;
