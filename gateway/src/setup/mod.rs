//! From an empty data folder to a proven site: what the pages of set-up decide and write.
//!
//! | file | holds |
//! |---|---|
//! | [`files`] | the site file and the configuration in the data folder, written whole or not at all |
//! | [`first`] | what the first page asks, and the site that follows from it |
//! | [`serve`] | the gateway before it has a site: claim, first page, recovery code |
//! | [`place`] | where a device hangs: placed, taken away, exchanged |
//! | [`plan`] | the floor plan: rooms drawn, devices marked, the picture beneath |
//! | [`proof`] | PURE what proves that a device works |
//! | [`duty`] | PURE what the site still lacks, and why it is required |
//!
//! What must hold: a site file is written only when it has no problem; what cannot be read is never overwritten; no camera is placed where children are
//! washed, changed or nursed.
pub mod duty;
pub mod files;
pub mod first;
pub mod place;
pub mod plan;
pub mod proof;
pub mod serve;
