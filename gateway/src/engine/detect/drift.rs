//! Away from its neighbours' in the same room by more than it is wont to be, for days. Advice to compare the sensors, never more.
use crate::engine::quality::series::Series;

/// What is said of two that disagree.
pub const PAIR: &str = "同一房间只有两个传感器，无法判断哪一个不准 · only two sensors in the room: cannot tell which of them is off";

pub fn judge(s: &Series) -> (bool, bool) {
    match &s.neighbour {
        // Of two the first by name stands for both: one finding, not two.
        Some(n) => (n.is_away() && n.speaks(), n.away_days == 0 || !n.speaks()),
        None => (false, true),
    }
}
