//! Cameras: from frames to what is seen, and what becomes of the pictures.
//!
//! | file | holds |
//! |---|---|
//! | [`live`] | figures of each camera for the pages, and its blurred picture while somebody may watch |
//! | [`ring`] | the last minute of originals, in memory |
//! | [`evidence`] | the minute before and after an incident, sealed on disk |
//! | [`seal`] | the sealed files |
//! | [`store`] | blurred stills, one for each incident and camera |
//! | [`access`] | leave to see pictures, recorded before it is given |
pub mod access;
pub mod evidence;
pub mod live;
pub mod ring;
pub mod seal;
pub mod store;
