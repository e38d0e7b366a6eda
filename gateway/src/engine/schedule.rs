//! Which phase of the day a zone is in.
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Children are in care. Also whenever the clock is not trusted.
    #[default]
    Care,
    DropOff,
    Nap,
    Collection,
    /// Staff may be in, children are not.
    Staff,
    /// Nobody should be in.
    Closed,
}
