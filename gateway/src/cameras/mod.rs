//! Cameras: from frames to what is seen.
//!
//! | file | holds |
//! |---|---|
//! | [`live`] | figures of each camera for the pages, and its picture while somebody may watch |
pub mod live;
