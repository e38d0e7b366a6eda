//! Both web UIs' shared half: templates, assets, message bundles, the structs that pages are made of, and the door (who may come in).
//!
//! Nothing here knows the engine or a database: a server fills the structs of [`view`], calls a function of [`page`] and sends the text.
//!
//! | file | holds |
//! |---|---|
//! | [`lang`] | message bundles, language and theme of one request |
//! | [`words`] | names of hazards, quantities, severities ... and how numbers and times are written |
//! | [`view`] | what pages show: plain structs of gateway and platform |
//! | [`chart`] | a quantity over time as SVG geometry |
//! | [`timeline`] | an incident's timeline for the script that draws it |
//! | [`bars`] | counts as bars |
//! | [`page`] | the pages themselves |
//! | `phrases` | what a page says of a struct in a sentence |
//! | [`rules`] | rules in sentences |
//! | [`coverage`] | the coverage ledger in words and bars |
//! | [`plan`] | the floor plan |
//! | [`setup`] | the pages of set-up |
//! | [`quality`] | alarm quality in words |
//! | [`assets`] | style, script and icon, with their hashes |
//! | [`door`] | claim, login, sessions, CSRF, lock-out, security headers |
//! | [`listen`] | how many connections, and how long they may be silent |

pub mod assets;
pub mod bars;
pub mod chart;
pub mod coverage;
pub mod door;
pub mod icon;
pub mod lang;
pub mod listen;
pub mod page;
mod phrases;
pub mod plan;
pub mod quality;
pub mod rules;
#[doc(hidden)]
pub mod sample;
pub mod setup;
pub mod timeline;
mod trouble;
pub mod view;
pub mod words;

pub use lang::{Lang, Theme, Ui};
