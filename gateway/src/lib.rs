//! The Tuoan gateway: one process on one small box in each nursery. `ARCHITECTURE.md` has the picture.

pub mod anomaly;
pub mod app;
pub mod bridge;
pub mod cameras;
pub mod clock;
pub mod config;
pub mod control;
pub mod decode;
pub mod deliver;
pub mod demo;
pub mod detect_files;
pub mod doctor;
pub mod drill;
pub mod engine;
pub mod estimate;
pub mod ingest;
pub mod metrics;
pub mod models;
pub mod notify;
pub mod pipeline;
pub mod replay;
pub use tuoan_vision::runtime;
pub mod store;
pub mod vision_files;
pub mod web;
