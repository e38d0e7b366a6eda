//! How hard one camera's next frame is looked at: which passes of which models are worth their time now.
use tuoan_vision::eye::Effort;

/// Who lies is found by looking at the turned picture, several passes more. When somebody was lost from sight that is tried, but not more often ...
const LOST_MS: i64 = 5_000;
/// ... and where children nap it is done this often anyway, because all of them lie.
const NAP_MS: i64 = 10_000;
/// What is parked stays: bicycles are looked for this often.
const THINGS_MS: i64 = 3_000;

/// What a look shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    pub effort: Effort,
    /// Bicycles and motorcycles: an escape route is in view.
    pub things: bool,
    /// Somebody will see the picture, so faces must be covered, and the heads of all whom a stronger model supposes.
    pub faces: bool,
}

/// What is so at the moment of a look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances {
    /// An escape route is in view.
    pub escape: bool,
    /// Beds are in view, and it is nap time there.
    pub napping: bool,
    /// The models do not keep up.
    pub overloaded: bool,
    /// Somebody will see the picture.
    pub shown: bool,
}

/// One camera's.
#[derive(Debug, Clone, Default)]
pub struct Attention {
    people: usize,
    /// The last look found fewer people than the one before.
    lost: bool,
    searched_ms: Option<i64>,
    things_ms: Option<i64>,
}

impl Attention {
    pub fn task(&mut self, at_ms: i64, now: Circumstances) -> Task {
        let past = |since: Option<i64>, ms: i64| since.is_none_or(|t| at_ms.saturating_sub(t) >= ms);
        let lost = self.lost && !now.overloaded && past(self.searched_ms, LOST_MS);
        let search = lost || now.napping && past(self.searched_ms, NAP_MS);
        let things = now.escape && past(self.things_ms, THINGS_MS);
        if search {
            self.searched_ms = Some(at_ms);
        }
        if things {
            self.things_ms = Some(at_ms);
        }
        Task { effort: if search { Effort::Search } else { Effort::Live }, things, faces: now.shown }
    }

    /// So many people were found.
    pub fn looked(&mut self, people: usize) {
        self.lost = people < self.people;
        self.people = people;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_lost_from_sight_is_searched_for_but_not_all_the_time() {
        let mut a = Attention::default();
        let mut efforts = Vec::new();
        for (s, people) in [2, 2, 1, 2, 1, 1, 0, 0].into_iter().enumerate() {
            efforts.push(a.task(s as i64 * 1000, Circumstances::default()).effort == Effort::Search);
            a.looked(people);
        }
        assert_eq!(efforts, [false, false, false, true, false, false, false, false], "a second loss within five seconds waits");
        assert_eq!(a.task(9_000, Circumstances::default()).effort, Effort::Live, "nobody was lost in the last look");
        a.looked(1);
        a.looked(0);
        let busy = Circumstances { overloaded: true, ..Circumstances::default() };
        assert_eq!(a.task(20_000, busy).effort, Effort::Live);
        assert_eq!(a.task(20_000, Circumstances::default()).effort, Effort::Search);
    }

    #[test]
    fn sleepers_are_searched_for_every_ten_seconds_whatever_the_load() {
        let mut a = Attention::default();
        let nap = Circumstances { napping: true, overloaded: true, ..Circumstances::default() };
        let searched: Vec<i64> = (0..30).filter(|s| a.task(s * 1000, nap).effort == Effort::Search).collect();
        assert_eq!(searched, [0, 10, 20]);
    }

    #[test]
    fn bicycles_are_looked_for_where_a_route_must_be_clear() {
        let mut a = Attention::default();
        let escape = Circumstances { escape: true, shown: true, ..Circumstances::default() };
        let tasks: Vec<Task> = (0..7).map(|s| a.task(s * 1000, escape)).collect();
        assert_eq!(tasks.iter().map(|t| t.things).collect::<Vec<_>>(), [true, false, false, true, false, false, true]);
        assert!(tasks.iter().all(|t| t.faces) && !a.task(90_000, Circumstances::default()).things);
    }
}
