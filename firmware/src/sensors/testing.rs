//! What the tests of the sensors share.
use super::line::{Adc, Line};
use super::waveform::{BLOCK, Waveform};
use crate::sensor::{Fault, Sample};
use core::{future::Future, pin::pin, task::*};
use embedded_hal_async::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use sensirion_i2c::crc8;
use std::collections::HashMap;

/// Runs what waits for nothing but mocks.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
    panic!("it waits for ever")
}

/// Words with their check sums, as Sensirion's chips send them.
pub fn words(words: &[u16]) -> Vec<u8> {
    words.iter().map(|w| w.to_be_bytes()).flat_map(|w| [w[0], w[1], crc8::calculate(&w)]).collect()
}

/// A sample as text.
pub fn shown(sample: Result<Sample, Fault>) -> String {
    match sample {
        Ok(s) => s.iter().map(|r| format!("{} {}", r.quantity.name(), r.quantity.exact(r.value))).collect::<Vec<_>>().join(", "),
        Err(fault) => format!("{fault:?}"),
    }
}

/// A bus that answers without being asked to: for faults, and for bytes that nobody expects.
#[derive(Clone)]
pub struct Bus {
    /// Answers by the bytes written before, else `all`.
    by_command: HashMap<Vec<u8>, Vec<u8>>,
    all: Option<Vec<u8>>,
    /// Whether somebody answers even where nobody lives.
    stuck: bool,
    /// What was written last, so that a read after it is answered.
    asked: Vec<u8>,
    pub written: Vec<Vec<u8>>,
}

impl Bus {
    fn new(all: Option<Vec<u8>>, stuck: bool) -> Bus {
        Bus { by_command: HashMap::new(), all, stuck, asked: vec![], written: vec![] }
    }
    pub fn absent() -> Bus {
        Bus::new(None, false)
    }
    /// Its data line stands still.
    pub fn filled(byte: u8) -> Bus {
        Bus::new(Some(vec![byte]), byte == 0)
    }
    /// One chip that gives these bytes to every read, over and over.
    pub fn answers(bytes: &[u8]) -> Bus {
        Bus::new(Some(bytes.to_vec()), false)
    }
    /// After `command` has been written, a read gives these bytes.
    pub fn on(mut self, command: &[u8], bytes: &[u8]) -> Bus {
        self.by_command.insert(command.to_vec(), bytes.to_vec());
        self
    }
}

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    async fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        if self.all.is_none() && self.by_command.is_empty() || address == 0x08 && !self.stuck {
            return Err(nack);
        }
        for operation in operations {
            match operation {
                Operation::Write(bytes) => {
                    self.asked = bytes.to_vec();
                    self.written.push(bytes.to_vec());
                }
                Operation::Read(buffer) => {
                    let bytes = self.by_command.get(&self.asked).or(self.all.as_ref()).ok_or(nack)?;
                    buffer.iter_mut().zip(bytes.iter().cycle()).for_each(|(b, v)| *b = *v);
                }
            }
        }
        Ok(())
    }
}

/// A converter that gives these counts one after the other, and the last one for ever.
pub struct Counts(Vec<u16>, usize);

impl Counts {
    pub fn new(counts: impl IntoIterator<Item = u16>) -> Counts {
        Counts(counts.into_iter().collect(), 0)
    }
}

impl Adc for Counts {
    fn read(&mut self) -> Result<u16, Fault> {
        self.1 += 1;
        Ok(*self.0.get(self.1 - 1).or(self.0.last()).unwrap())
    }
}

/// A line by its states: `1`, `0`, and `x` for cut; the last one for ever.
pub struct Script(Vec<char>, usize);

impl Script {
    pub fn new(states: impl AsRef<str>) -> Script {
        Script(states.as_ref().chars().collect(), 0)
    }
}

impl Line for Script {
    fn read(&mut self) -> Result<bool, Fault> {
        self.1 += 1;
        match self.0.get(self.1 - 1).or(self.0.last()) {
            Some('1') => Ok(true),
            Some('x') => Err(Fault::Cut),
            _ => Ok(false),
        }
    }
}

/// A serial line that gives these chunks; an empty one, and its end, is silence.
pub struct Uart(std::collections::VecDeque<Vec<u8>>);

impl Uart {
    pub fn new(chunks: &[&[u8]]) -> Uart {
        Uart(chunks.iter().map(|c| c.to_vec()).collect())
    }
}

impl embedded_io_async::ErrorType for Uart {
    type Error = core::convert::Infallible;
}

impl embedded_io_async::Read for Uart {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        match self.0.pop_front() {
            Some(mut chunk) if !chunk.is_empty() => {
                let n = chunk.len().min(buffer.len());
                buffer[..n].copy_from_slice(&chunk[..n]);
                chunk.drain(..n);
                if !chunk.is_empty() {
                    self.0.push_front(chunk);
                }
                Ok(n)
            }
            // The silence is over with the next read.
            _ => core::future::pending().await,
        }
    }
}

/// Samples by the time in seconds, or from a list over and over.
pub struct Wave {
    rate: u32,
    at: u64,
    shape: Result<Box<dyn Fn(u64, f64) -> i32>, Fault>,
}

impl Wave {
    /// 1 is the full scale; what is beyond is cut off.
    pub fn new(rate: u32, shape: impl Fn(f64) -> f64 + 'static) -> Wave {
        Wave { rate, at: 0, shape: Ok(Box::new(move |_, t| (shape(t) * f64::from(i32::MAX)) as i32)) }
    }
    pub fn of(rate: u32, samples: Vec<i32>) -> Wave {
        Wave { rate, at: 0, shape: Ok(Box::new(move |i, _| samples[i as usize % samples.len()])) }
    }
    pub fn broken(rate: u32, fault: Fault) -> Wave {
        Wave { rate, at: 0, shape: Err(fault) }
    }
}

impl Waveform for Wave {
    fn rate(&self) -> u32 {
        self.rate
    }
    async fn blocks(&mut self, count: u32, mut each: impl FnMut(&[i32; BLOCK])) -> Result<(), Fault> {
        let shape = self.shape.as_ref().map_err(|f| *f)?;
        for _ in 0..count {
            let block = core::array::from_fn(|i| shape(self.at + i as u64, (self.at + i as u64) as f64 / f64::from(self.rate)));
            each(&block);
            self.at += BLOCK as u64;
        }
        Ok(())
    }
}
