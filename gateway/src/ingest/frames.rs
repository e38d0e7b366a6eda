//! Camera frames bypass the log: the newest frame of each camera, bounded.

/// Where cameras put their frames.
pub struct FrameDesk;
