//! The platform from outside: its API and its pages, on SQLite and on a real PostgreSQL.
//!
//! Helpers of tests may panic as tests may; clippy knows that of `#[test]` functions only.
#![allow(clippy::unwrap_used, clippy::panic)]

mod api;
mod common;
mod pages;
mod program;
