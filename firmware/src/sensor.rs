//! What every sensor gives.
use heapless::Vec;
use tuoan_protocol::{EventKind, Fixed, Quantity, Reading};

/// Readings of one look at a sensor at most.
pub const MAX_SAMPLE: usize = 12;

/// What one look gave, in the units and steps of [`Quantity`]. The channel is the sensor's own; the node adds the place of the sensor among its like.
pub type Sample = Vec<Reading, MAX_SAMPLE>;

/// Why there is no value. It goes to the gateway as `fault` = 1, never as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not answer: not there, not powered, its line cut.
    Missing,
    /// What it sent fails its check sum or has the wrong form.
    Corrupt,
    /// The value lies outside what the chip can measure: it is broken, or its line is.
    OutOfRange,
    /// It answers, but has had no new value for longer than it may take.
    Stale,
    /// A supervised line is cut.
    Cut,
    /// A supervised line is short-circuited.
    Short,
    /// Its own self-test failed, or it reports an error of its own.
    SelfTest,
}

/// A sensor that is asked for its value. `now_ms` is the node's uptime in milliseconds; implementations keep no clock.
#[allow(async_fn_in_trait)] // One executor, one thread: nothing here has to be `Send`.
pub trait Sensor {
    /// The chip, as it stands in logs and in the self-test's answer, e.g. `sht4x`.
    fn name(&self) -> &'static str;
    /// Sets it up, from power-on or after a fault. Harmless to repeat.
    async fn start(&mut self) -> Result<(), Fault>;
    /// One look. An empty sample: nothing new yet, and that is in order.
    async fn sample(&mut self, now_ms: u64) -> Result<Sample, Fault>;
}

/// An input that is watched rather than asked: polled every few milliseconds, it says when something has changed. The alarm path.
pub trait Input {
    fn name(&self) -> &'static str;
    /// What changed, if anything. Never blocks.
    fn poll(&mut self, now_ms: u64) -> Option<Change>;
    /// What holds now, for the periodic report; `None` before the first settled state.
    fn state(&self) -> Option<Result<Reading, Fault>>;
}

/// Something that is told at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    State(Reading),
    Event(EventKind),
    Fault(Fault),
}

/// A reading of channel 0 from a number in the quantity's unit; what does not fit is a fault.
pub fn reading(quantity: Quantity, value: f64) -> Result<Reading, Fault> {
    quantity
        .fixed(value)
        .and_then(|v| quantity.checked(v))
        .map(|value| Reading { quantity, channel: 0, value })
        .map_err(|_| Fault::OutOfRange)
}

/// A state of channel 0.
pub fn state(quantity: Quantity, on: bool) -> Reading {
    Reading { quantity, channel: 0, value: Fixed(i64::from(on)) }
}
