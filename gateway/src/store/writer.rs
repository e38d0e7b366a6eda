//! The writer thread.

pub struct Store {}
pub struct Recovered {}
