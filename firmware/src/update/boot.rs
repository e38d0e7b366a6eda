//! What the boot loader does before it starts the node. It is never updated itself: the form of its record and of the slots stay as they are.
use super::check::Board;
use super::slot::Slot;
use crate::flash::StoreError;
use crate::flash::keep::{Keep, Key};
use embedded_storage_async::nor_flash::NorFlash;

/// Starts that a new image has to find its gateway in. More than one: the power may fail during the first.
pub const TRIES: u8 = 3;
/// Copies of one image that are tried before it is given up: a page may be worn out.
const COPIES: u8 = 3;

/// Where an update stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing to do.
    Settled,
    /// The image that runs goes to the slot of the old one.
    Save,
    /// The new image goes to where it runs.
    Install,
    /// It runs, and has not yet confirmed itself; so many starts ago.
    Trial(u8),
    /// The old image goes back.
    Back,
}

/// How the last update ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    None,
    Confirmed,
    RolledBack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    pub stage: Stage,
    pub outcome: Outcome,
    /// [`tuoan_protocol::firmware::ImageHeader::id`] of the image that stage and outcome are about.
    pub image: u64,
}

const FORMAT: u8 = 1;

impl Record {
    /// Of a node that was never updated.
    pub const FIRST: Record = Record { stage: Stage::Settled, outcome: Outcome::None, image: 0 };

    fn to_bytes(self) -> [u8; 12] {
        let (stage, tries) = match self.stage {
            Stage::Settled => (0, 0),
            Stage::Save => (1, 0),
            Stage::Install => (2, 0),
            Stage::Trial(n) => (3, n),
            Stage::Back => (4, 0),
        };
        let [a, b, c, d, e, f, g, h] = self.image.to_le_bytes();
        [FORMAT, stage, tries, self.outcome as u8, a, b, c, d, e, f, g, h]
    }
    fn parse(bytes: &[u8]) -> Option<Record> {
        let [FORMAT, stage, tries, outcome, image @ ..] = bytes else { return None };
        let stage = match stage {
            0 => Stage::Settled,
            1 => Stage::Save,
            2 => Stage::Install,
            3 => Stage::Trial(*tries),
            4 => Stage::Back,
            _ => return None,
        };
        let outcome = match outcome {
            0 => Outcome::None,
            1 => Outcome::Confirmed,
            2 => Outcome::RolledBack,
            _ => return None,
        };
        Some(Record { stage, outcome, image: u64::from_le_bytes(image.try_into().ok()?) })
    }
    /// # Errors
    /// The flash failed.
    pub async fn read<F: NorFlash>(state: &mut Keep<F>) -> Result<Record, StoreError> {
        Ok(state.get(Key::Update).await?.and_then(Record::parse).unwrap_or(Record::FIRST))
    }
    /// # Errors
    /// The flash failed; the old record is there, or the new one.
    pub async fn write<F: NorFlash>(self, state: &mut Keep<F>) -> Result<(), StoreError> {
        state.put(Key::Update, &self.to_bytes()).await
    }
}

/// What is to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Settled,
    /// An image that must confirm itself: arm the watchdog before it is started, so that one that hangs comes back here.
    Trial,
}

/// Nothing that may be started lies in any slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nothing;

/// The slots of a board.
pub struct Slots<A, N, O> {
    /// What runs.
    pub active: Slot<A>,
    /// What an update brings.
    pub new: Slot<N>,
    /// What ran before.
    pub old: Slot<O>,
}

/// Does what is due, and says what is to be started: the active slot holds a whole, signed image for this board.
///
/// # Errors
/// [`Nothing`]: no slot holds one. The boot loader then waits for a debugger.
pub async fn prepare<A: NorFlash, N: NorFlash, O: NorFlash, S: NorFlash>(
    slots: &mut Slots<A, N, O>,
    state: &mut Keep<S>,
    board: &Board<'_>,
) -> Result<Start, Nothing> {
    match advance(slots, state, board).await {
        Ok(start) => Ok(start),
        // The state cannot be kept any more, or a slot not be written. What is whole still runs.
        Err(_) => rescue(slots, board).await,
    }
}

async fn advance<A: NorFlash, N: NorFlash, O: NorFlash, S: NorFlash>(
    slots: &mut Slots<A, N, O>,
    state: &mut Keep<S>,
    board: &Board<'_>,
) -> Result<Start, StoreError> {
    // Save, Install, Back, Settled: no way through is longer.
    for _ in 0..8 {
        let record = Record::read(state).await?;
        let next = match record.stage {
            Stage::Settled if slots.active.whole(board).await?.is_some() => return Ok(Start::Settled),
            // What ran has rotted, or the very first image was never there.
            Stage::Settled => return rescue(slots, board).await.map_err(|_| StoreError::Corrupt),
            Stage::Save if slots.new.whole(board).await?.is_none() => {
                Record { stage: Stage::Settled, outcome: Outcome::RolledBack, ..record }
            }
            Stage::Save => {
                let runs = slots.active.whole(board).await?.is_some();
                let saved = runs && copy(&mut slots.old, &mut slots.active, board).await?;
                // Without a way back an image that runs is not replaced.
                if runs && !saved {
                    Record { stage: Stage::Settled, outcome: Outcome::RolledBack, ..record }
                } else {
                    Record { stage: Stage::Install, ..record }
                }
            }
            Stage::Install if copy(&mut slots.active, &mut slots.new, board).await? => Record { stage: Stage::Trial(0), ..record },
            Stage::Install => Record { stage: Stage::Back, ..record },
            Stage::Trial(n) if n < TRIES && slots.active.whole(board).await?.is_some() => {
                // Counted before it starts: a start that hangs counts.
                Record { stage: Stage::Trial(n.saturating_add(1)), ..record }.write(state).await?;
                return Ok(Start::Trial);
            }
            Stage::Trial(_) => Record { stage: Stage::Back, ..record },
            Stage::Back => {
                copy(&mut slots.active, &mut slots.old, board).await?;
                Record { stage: Stage::Settled, outcome: Outcome::RolledBack, ..record }
            }
        };
        next.write(state).await?;
    }
    Err(StoreError::Corrupt)
}

async fn copy<T: NorFlash, F: NorFlash>(to: &mut Slot<T>, from: &mut Slot<F>, board: &Board<'_>) -> Result<bool, StoreError> {
    for _ in 0..COPIES {
        if to.copy(from, board).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Anything whole: what runs, what ran, what was to run.
async fn rescue<A: NorFlash, N: NorFlash, O: NorFlash>(slots: &mut Slots<A, N, O>, board: &Board<'_>) -> Result<Start, Nothing> {
    if slots.active.whole(board).await.is_ok_and(|h| h.is_some())
        || copy(&mut slots.active, &mut slots.old, board).await == Ok(true)
        || copy(&mut slots.active, &mut slots.new, board).await == Ok(true)
    {
        return Ok(Start::Settled);
    }
    Err(Nothing)
}
