//! The district platform: it takes in the alerts and metrics of many gateways, keeps each exactly once, and shows the open incidents of
//! all sites to the people on duty.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | what a platform is started with |
//! | [`db`] | the connection pools, the schema and its migrations: SQLite and PostgreSQL by the same SQL |
//! | `intake` | `POST /v1/events`: envelope, duplicates, gaps, receipts, and the incidents they add up to |
//! | `influx` | the InfluxDB v2-compatible intake and query |
//! | [`passes`] | codes of inspectors, which gateways fetch |
//! | `web` | HTTP: API, pages, live updates |
//! | [`clock`] | the only reader of a clock |

mod acceptance;
mod app;
mod auth;
pub mod clock;
pub mod config;
mod coverage;
pub mod db;
mod incidents;
mod influx;
mod intake;
pub mod passes;
mod server;
mod silence;
pub mod sites;
mod text;
mod web;
pub mod witness;

pub use clock::Clock;
pub use config::{Config, Influx, Reader, ReceiptHook, Secret, SiteSeed};
pub use server::{Running, StartError, open_database, start};
