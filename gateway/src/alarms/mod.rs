//! How good the alarms are: figures after ISA-18.2 / IEC 62682 and EEMUA 191 at a nursery's scale, what to change, and the weekly report.
//!
//! | file | holds |
//! |---|---|
//! | [`period`] | a time by the site's calendar: days, ISO weeks |
//! | [`figures`] | PURE: incident events -> figures, with their definitions |
//! | [`flood`] | times at which alarms come too fast to be met |
//! | [`times`] | how long people took, against the targets |
//! | [`read`] | the events of a period out of the store |
//! | [`suggest`] | PURE: a change for each bad actor, chosen by trying it |
//! | [`trial`] | that trial: the site's own history through the same engine, within a budget of time |
//! | [`names`] | names of rules, zones and devices |
//! | [`present`] | figures -> what the page, the command and the report show |
//! | [`report`] | the weekly report, and when it is due |
//! | [`weekly`] | sends it |
//! | [`cli`] | `tuoan stats` |
//!
//! What must hold: drills and canaries are never alarms; what was suppressed is counted apart; a rule of severity 1 is never proposed to be
//! made looser; a change is proposed with what it would have done here, or with the reason why that is not known.
pub mod cli;
pub mod figures;
pub mod flood;
pub mod names;
pub mod period;
pub mod present;
pub mod read;
pub mod report;
pub mod suggest;
#[cfg(test)]
mod tests;
pub mod times;
pub mod trial;
pub mod weekly;

pub use figures::{Figures, Fold, figures};
pub use period::{Period, Week};
