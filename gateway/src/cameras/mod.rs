//! Cameras: from frames to what is seen.
//!
//! | file | holds |
//! |---|---|
//! | [`gate`] | which frames are worth a look |
//! | [`schedule`] | whose frame is looked at next, and whether the models keep up |
//! | [`worker`] | the threads that run the models, and who watches over them |
pub mod gate;
pub mod schedule;
pub mod worker;
