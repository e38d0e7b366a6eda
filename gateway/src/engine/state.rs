//! What the engine remembers between steps, and its snapshot.

/// All of it. Serialised as CBOR; ordered maps only.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct State {}
