//! The decoders' fuzz targets for `cargo fuzz`. The sources are the gateway's own; see `gateway/src/decode/fuzz.rs`.
#![allow(dead_code)]

#[path = "../../src/anomaly/mod.rs"]
pub mod anomaly;
#[path = "../../src/decode/mod.rs"]
pub mod decode;
#[path = "../../src/engine/mod.rs"]
pub mod engine;
#[path = "../../src/decode/fuzz.rs"]
pub mod fuzz;
