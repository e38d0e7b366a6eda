//! A NOR flash for tests: bits go from 1 to 0 only, erasing sets whole pages, and the power may go at any byte of a write or an erase.
use embedded_storage_async::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use std::cell::RefCell;
use std::rc::Rc;

/// Bytes of an erase page: small, so that tests can cut at every byte of one.
pub const PAGE: usize = 256;
/// Bytes of a word of programming.
pub const WORD: usize = 4;

/// What the byte looks like at which the power went, and in which order an erase proceeds; no data sheet promises one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tear {
    /// Bytes before the cut are done, those behind untouched.
    Clean,
    /// As `Clean`, but some bits of the byte at the cut are done.
    Half,
    /// Erasing begins at the end of the page; some bits of the byte at the cut are done.
    Backwards,
    /// Whatever was to be programmed or erased: each byte of it is done, half done or untouched, by chance.
    Wild,
}

pub const TEARS: [Tear; 4] = [Tear::Clean, Tear::Half, Tear::Backwards, Tear::Wild];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The power is gone: nothing works until [`Chip::restore`].
    Power,
    Range,
    Alignment,
}

impl NorFlashError for Broken {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Broken::Power => NorFlashErrorKind::Other,
            Broken::Range => NorFlashErrorKind::OutOfBounds,
            Broken::Alignment => NorFlashErrorKind::NotAligned,
        }
    }
}

struct State {
    bytes: Vec<u8>,
    /// Bytes that may still be programmed or erased; `None`: any number.
    left: Option<u64>,
    tear: Tear,
    dark: bool,
    /// Bytes programmed and erased so far.
    spent: u64,
    erases: Vec<u32>,
}

/// The chip; its parts share it.
#[derive(Clone)]
pub struct Chip(Rc<RefCell<State>>);

impl Chip {
    pub fn new(size: usize) -> Chip {
        assert_eq!(size % PAGE, 0);
        let state = State { bytes: vec![0xff; size], left: None, tear: Tear::Clean, dark: false, spent: 0, erases: vec![0; size / PAGE] };
        Chip(Rc::new(RefCell::new(state)))
    }
    /// Another chip with the same content, with power.
    pub fn copy(&self) -> Chip {
        let copy = Chip::new(self.0.borrow().bytes.len());
        copy.0.borrow_mut().bytes.clone_from(&self.0.borrow().bytes);
        copy
    }
    pub fn part(&self, offset: usize, size: usize) -> Part {
        assert!(offset.is_multiple_of(PAGE) && size.is_multiple_of(PAGE) && offset + size <= self.0.borrow().bytes.len());
        Part { chip: self.clone(), offset, size }
    }
    /// The power goes after so many more bytes.
    pub fn cut_after(&self, bytes: u64, tear: Tear) {
        let mut state = self.0.borrow_mut();
        (state.left, state.tear) = (Some(bytes), tear);
    }
    pub fn restore(&self) {
        let mut state = self.0.borrow_mut();
        (state.left, state.dark) = (None, false);
    }
    pub fn spent(&self) -> u64 {
        self.0.borrow().spent
    }
    /// Most erases of one page.
    pub fn worn(&self) -> u32 {
        self.0.borrow().erases.iter().copied().max().unwrap_or(0)
    }
    pub fn bytes(&self) -> Vec<u8> {
        self.0.borrow().bytes.clone()
    }
    pub fn flip(&self, at: usize, mask: u8) {
        self.0.borrow_mut().bytes[at] ^= mask;
    }
}

impl State {
    /// The power goes in the middle of `range`, which would have become `new` by clearing bits (`false`) or setting them.
    fn scatter(&mut self, at: usize, new: &[u8], erase: bool) {
        let mut random = 0x9e37_79b9_7f4a_7c15u64 ^ self.spent;
        for (i, new) in new.iter().enumerate() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mask = match random >> 62 {
                0 => 0,
                1 => (random >> 32) as u8,
                _ => 0xff,
            };
            let byte = &mut self.bytes[at + i];
            *byte = if erase { *byte | mask } else { *byte & (new | !mask) };
        }
    }
    /// Spends one byte of what is left; false when the power goes at it.
    fn spend(&mut self) -> bool {
        match &mut self.left {
            Some(0) => {
                self.dark = true;
                false
            }
            left => {
                if let Some(n) = left {
                    *n -= 1;
                }
                self.spent += 1;
                true
            }
        }
    }
}

/// A part of the chip, as a store of its own.
#[derive(Clone)]
pub struct Part {
    chip: Chip,
    offset: usize,
    size: usize,
}

impl Part {
    fn range(&self, offset: u32, len: usize, align: usize) -> Result<usize, Broken> {
        let offset = offset as usize;
        if !offset.is_multiple_of(align) || !len.is_multiple_of(align) {
            return Err(Broken::Alignment);
        }
        if offset + len > self.size {
            return Err(Broken::Range);
        }
        if self.chip.0.borrow().dark { Err(Broken::Power) } else { Ok(self.offset + offset) }
    }
}

impl ErrorType for Part {
    type Error = Broken;
}

impl ReadNorFlash for Part {
    const READ_SIZE: usize = 1;
    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Broken> {
        let at = self.range(offset, bytes.len(), 1)?;
        bytes.copy_from_slice(&self.chip.0.borrow().bytes[at..at + bytes.len()]);
        Ok(())
    }
    fn capacity(&self) -> usize {
        self.size
    }
}

impl NorFlash for Part {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;
    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Broken> {
        let at = self.range(from, (to - from) as usize, PAGE)?;
        let mut state = self.chip.0.borrow_mut();
        for page in (at..at + (to - from) as usize).step_by(PAGE) {
            state.erases[page / PAGE] += 1;
            for i in 0..PAGE {
                let at = if state.tear == Tear::Backwards { page + PAGE - 1 - i } else { page + i };
                if !state.spend() {
                    match state.tear {
                        Tear::Clean => {}
                        Tear::Half | Tear::Backwards => state.bytes[at] |= 0b1010_0110,
                        Tear::Wild => state.scatter(page, &[0xff; PAGE], true),
                    }
                    return Err(Broken::Power);
                }
                // In the wild, nothing is done before its end.
                if state.tear != Tear::Wild || state.left.is_none() {
                    state.bytes[at] = 0xff;
                }
            }
            state.bytes[page..page + PAGE].fill(0xff);
        }
        Ok(())
    }
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Broken> {
        let at = self.range(offset, bytes.len(), WORD)?;
        let mut state = self.chip.0.borrow_mut();
        for (i, byte) in bytes.iter().enumerate() {
            if !state.spend() {
                match state.tear {
                    Tear::Clean => {}
                    Tear::Half | Tear::Backwards => state.bytes[at + i] &= byte | 0b0101_1001,
                    Tear::Wild => state.scatter(at, bytes, false),
                }
                return Err(Broken::Power);
            }
            state.bytes[at + i] &= byte;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Part {}

/// Runs a future of a simulated flash.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

#[test]
fn it_programs_zeros_erases_pages_and_tears() {
    let chip = Chip::new(2 * PAGE);
    let mut part = chip.part(PAGE, PAGE);
    run(part.write(0, &[0x0f; 4])).unwrap();
    run(part.write(0, &[0xf0; 4])).unwrap();
    assert_eq!(chip.bytes()[PAGE..PAGE + 5], [0, 0, 0, 0, 0xff], "only an erase brings ones back");
    assert_eq!(run(part.write(2, &[0; 4])), Err(Broken::Alignment));
    assert_eq!(run(part.write(PAGE as u32, &[0; 4])), Err(Broken::Range));
    chip.cut_after(2, Tear::Clean);
    assert_eq!(run(part.erase(0, PAGE as u32)), Err(Broken::Power));
    assert_eq!(run(part.read(0, &mut [0])), Err(Broken::Power), "dark until it is restored");
    chip.restore();
    assert_eq!(chip.bytes()[PAGE..PAGE + 4], [0xff, 0xff, 0, 0]);
}
