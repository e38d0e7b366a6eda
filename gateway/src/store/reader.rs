//! Queries, on read-only connections.

#[derive(Clone)]
pub struct Reader {}
