//! The board below a simulated node that takes updates: its flash, its boot loader, and the program that a start finds in the active slot. A program of
//! the simulation is text; what it fails at stands in it as a word, and everything else in it is ballast.
use crate::flash::{Flash, PAGE, Part};
use embedded_storage_async::nor_flash::ReadNorFlash;
use std::rc::Rc;
use tuoan_node::flash::StoreError;
use tuoan_node::flash::keep::Keep;
use tuoan_node::link::Actions;
use tuoan_node::service::{Restart, Service, TRIAL_MS};
use tuoan_node::update::boot::Slots;
use tuoan_node::update::{Board as Kind, Slot, Updater, prepare};
use tuoan_protocol::firmware::{HEADER, ImageHeader, MAX_CHUNK, Version};
use tuoan_protocol::{DeviceId, SiteId};

/// Pages of a slot: images of at most 60 KiB.
const SLOT: usize = 16;
const STATE: usize = 3 * SLOT;
const KEEP: usize = STATE + 2;
const PAGES: usize = KEEP + 2;
/// Hardware revision of every simulated board.
pub const HARDWARE: u16 = 1;

/// A program without a board below it: the simulation's own.
const BUILT_IN: &str = env!("CARGO_PKG_VERSION");

/// What a fleet's nodes are updated by.
#[derive(Debug, Clone)]
pub struct Firmware {
    /// Signed files that they leave the factory with: a node takes the one whose board is its kind's name. Nodes of other kinds cannot be updated.
    pub factory: Vec<Vec<u8>>,
    /// Public keys that the nodes are built with.
    pub keys: Vec<[u8; 32]>,
    /// Milliseconds that an image on trial has in each start.
    pub trial_ms: u64,
}

impl Default for Firmware {
    fn default() -> Self {
        Firmware { factory: Vec::new(), keys: Vec::new(), trial_ms: TRIAL_MS }
    }
}

/// What a program does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The word `mute`: it runs, and finds no network.
    Mute,
    /// The word `hangs`: it does not feed its watchdog.
    Hangs,
}

/// What a start runs.
#[derive(Debug, Clone)]
pub struct Program {
    pub version: String,
    pub fault: Fault,
}

impl Program {
    pub fn built_in() -> Program {
        Program { version: BUILT_IN.to_owned(), fault: Fault::None }
    }
}

/// One node's board. It outlives the node's starts.
#[derive(Debug, Clone)]
pub struct Board {
    name: Rc<str>,
    keys: Rc<[[u8; 32]]>,
    trial_ms: u64,
    flash: Flash,
}

impl Board {
    /// A board of this kind with its factory's image in the active slot; `None` when there is no image for it.
    pub async fn new(firmware: &Firmware, kind: &str) -> Option<Board> {
        let of_kind = |file: &&Vec<u8>| ImageHeader::parse(file).is_ok_and(|(header, _)| header.board() == kind);
        let file = firmware.factory.iter().find(of_kind)?;
        let (head, image) = file.split_first_chunk::<HEADER>()?;
        let board =
            Board { name: kind.into(), keys: firmware.keys.as_slice().into(), trial_ms: firmware.trial_ms, flash: Flash::new(PAGES) };
        let mut active = Slot::new(board.flash.part(0, SLOT)).ok()?;
        active.put(0, image).await.ok()?;
        active.seal(head).await.ok()?;
        Some(board)
    }

    /// The boot loader, and what it starts; `None` when no slot holds anything that is whole and signed.
    pub async fn start(&self) -> Option<Program> {
        let slot = |n: usize| Slot::new(self.flash.part(n * SLOT, SLOT)).ok();
        let mut slots = Slots { active: slot(0)?, new: slot(1)?, old: slot(2)? };
        let mut state = Keep::open(self.flash.part(STATE, 2)).await.ok()?;
        // The version does not matter here: which one is to run was judged when it came.
        let kind = self.kind(Version { major: 0, minor: 0, patch: 0 });
        prepare(&mut slots, &mut state, &kind).await.ok()?;
        let header = slots.active.whole(&kind).await.ok().flatten()?;
        let mut image = vec![0; header.length() as usize];
        self.flash.part(1, SLOT - 1).read(0, &mut image).await.ok()?;
        let text = String::from_utf8_lossy(&image);
        let word = |word: &str| text.split_whitespace().any(|w| w == word);
        let fault = if word("mute") {
            Fault::Mute
        } else if word("hangs") {
            Fault::Hangs
        } else {
            Fault::None
        };
        Some(Program { version: header.version.to_string(), fault })
    }

    fn kind(&self, version: Version) -> Kind<'_> {
        Kind { name: &self.name, hardware: HARDWARE, version, keys: &self.keys }
    }

    /// What is kept beside the images.
    ///
    /// # Errors
    /// The flash failed.
    pub async fn keep(&self) -> Result<Keep<Part>, StoreError> {
        Keep::open(self.flash.part(KEEP, 2)).await
    }

    /// Updates and settings of the running program.
    ///
    /// # Errors
    /// The flash failed.
    pub async fn service<'a, R: Restart>(
        &'a self,
        who: (SiteId, DeviceId),
        program: &Program,
        keep: &'a Kept,
        chip: R,
    ) -> Result<impl Actions + use<'a, R>, StoreError> {
        let version = program.version.parse().map_err(|_| StoreError::Corrupt)?;
        let (new, state) = (Slot::new(self.flash.part(SLOT, SLOT))?, Keep::open(self.flash.part(STATE, 2)).await?);
        let updater = Updater::new(who.0.clone(), who.1.clone(), self.kind(version), new, state, MAX_CHUNK as u16);
        Ok(Service::new(who.0, who.1, updater, keep, chip).with_trial(self.trial_ms))
    }
}

/// The store that settings lie in, as node and service share it.
pub type Kept = embassy_sync::mutex::Mutex<embassy_sync::blocking_mutex::raw::NoopRawMutex, Keep<Part>>;

const _: () = assert!(PAGES * PAGE <= 256 * 1024, "a fleet of thousands with boards fits into memory");
