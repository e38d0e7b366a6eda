//! What the running node does for an update: it asks for the image, chunk by chunk, and confirms it after the restart. Pure but for its flash: messages go in,
//! messages come out, and time is an argument.
use super::boot::{Outcome, Record, Stage};
use super::check::{Board, Refusal, wanted};
use super::slot::Slot;
use crate::flash::StoreError;
use crate::flash::keep::Keep;
use embedded_storage_async::nor_flash::NorFlash;
use tuoan_protocol::firmware::{HEADER, ImageHeader, MAX_CHUNK, UpdateChunk, UpdateOffer, UpdateProgress, UpdateStage};
use tuoan_protocol::{DeviceId, SiteId};

/// Milliseconds after which a chunk that did not come is asked for again.
pub const AGAIN_MS: u64 = 5_000;
/// Times that one chunk is asked for before the update is given up; a new offer begins it again where it was.
const ASKED: u8 = 12;

struct Download {
    head: [u8; HEADER],
    header: ImageHeader,
    /// Bytes that lie in the slot.
    done: u32,
    asked_ms: u64,
    asked: u8,
}

/// The node's side of updates. `new` is the slot for what comes, `state` the store that the boot loader reads.
pub struct Updater<'a, N: NorFlash, S: NorFlash> {
    site: SiteId,
    device: DeviceId,
    board: Board<'a>,
    new: Slot<N>,
    state: Keep<S>,
    /// Bytes of a chunk that the node's buffers take.
    room: u16,
    download: Option<Download>,
    restart: bool,
}

impl<'a, N: NorFlash, S: NorFlash> Updater<'a, N, S> {
    /// `room`: bytes of a chunk that fit the node's buffers; rounded down to a multiple of 16, at least 16.
    pub fn new(site: SiteId, device: DeviceId, board: Board<'a>, new: Slot<N>, state: Keep<S>, room: u16) -> Self {
        let room = (room.clamp(16, MAX_CHUNK as u16) / 16).saturating_mul(16);
        Self { site, device, board, new, state, room, download: None, restart: false }
    }
    /// The image is whole and waits for the boot loader: send what there is to send, then restart.
    pub fn restarts(&self) -> bool {
        self.restart
    }
    /// Whether what runs has not yet proved itself. A state that cannot be read says no: nothing is gained by a start that would find the same.
    pub async fn on_trial(&mut self) -> bool {
        Record::read(&mut self.state).await.is_ok_and(|record| matches!(record.stage, Stage::Trial(_)))
    }
    /// The gateway has the node's birth. An image on trial is confirmed by that; how the last update ended, if there was one.
    ///
    /// # Errors
    /// The flash failed: the image is not confirmed, and will be rolled back.
    pub async fn connected(&mut self) -> Result<Option<UpdateProgress>, StoreError> {
        let mut record = Record::read(&mut self.state).await?;
        if matches!(record.stage, Stage::Trial(_)) {
            record = Record { stage: Stage::Settled, outcome: Outcome::Confirmed, ..record };
            record.write(&mut self.state).await?;
        }
        Ok(match record.outcome {
            Outcome::None => None,
            Outcome::Confirmed => Some(self.say(record.image, UpdateStage::Confirmed)),
            Outcome::RolledBack => Some(self.say(record.image, UpdateStage::RolledBack)),
        })
    }
    /// An image is there. The same offer again goes on where the download was.
    pub async fn offer(&mut self, offer: &UpdateOffer, now_ms: u64) -> Option<UpdateProgress> {
        if offer.site != self.site || offer.device != self.device || self.restart {
            return None;
        }
        let head = match <[u8; HEADER]>::try_from(offer.header.as_slice()) {
            Ok(head) => head,
            Err(_) => return Some(self.refuse(0, Refusal::Malformed)),
        };
        let header = match wanted(&head, &self.board, self.new.room()) {
            Ok(header) => header,
            Err(refusal) => {
                let image = ImageHeader::parse(&head).map_or(0, |(h, _)| h.id());
                return Some(self.refuse(image, refusal));
            }
        };
        if self.download.as_ref().is_none_or(|d| d.head != head) {
            let settled = match Record::read(&mut self.state).await {
                Ok(record) => record.stage == Stage::Settled,
                Err(_) => return Some(self.refuse(header.id(), Refusal::Flash)),
            };
            if !settled {
                return Some(self.refuse(header.id(), Refusal::OnTrial));
            }
            if self.new.clear().await.is_err() {
                return Some(self.refuse(header.id(), Refusal::Flash));
            }
            self.download = Some(Download { head, header, done: 0, asked_ms: now_ms, asked: 0 });
        }
        if let Some(download) = &mut self.download {
            download.asked = 0;
        }
        self.ask(now_ms)
    }
    /// A piece of the image. One that was not asked for is passed over, and what is wanted is asked for again.
    pub async fn chunk(&mut self, chunk: &UpdateChunk, now_ms: u64) -> Option<UpdateProgress> {
        let download = self.download.as_mut().filter(|d| d.header.id() == chunk.image)?;
        if chunk.offset != download.done {
            // A repeat: the answer to a question that was asked twice.
            return None;
        }
        let left = download.header.length().saturating_sub(download.done);
        let len = u32::try_from(chunk.data.len()).unwrap_or(u32::MAX);
        if len == 0 || len > left || (len < left && !len.is_multiple_of(16)) {
            return Some(self.give_up(Refusal::Cut));
        }
        if self.new.put(chunk.offset, &chunk.data).await.is_err() {
            return Some(self.give_up(Refusal::Flash));
        }
        download.done = download.done.saturating_add(len);
        download.asked = 0;
        if len < left {
            return self.ask(now_ms);
        }
        match self.complete().await {
            Ok(image) => {
                self.download = None;
                self.restart = true;
                Some(self.say(image, UpdateStage::Restarts))
            }
            Err(refusal) => Some(self.give_up(refusal)),
        }
    }
    /// To be called about once a second while connected: asks again for what has not come.
    pub fn tick(&mut self, now_ms: u64) -> Option<UpdateProgress> {
        let download = self.download.as_ref()?;
        let due = now_ms.saturating_sub(download.asked_ms) >= AGAIN_MS && download.asked < ASKED;
        if due { self.ask(now_ms) } else { None }
    }

    /// All is there: is it what was signed? Then the boot loader is told.
    async fn complete(&mut self) -> Result<u64, Refusal> {
        let Some(download) = &self.download else { return Err(Refusal::Cut) };
        if !self.new.holds(&download.header).await.map_err(|_| Refusal::Flash)? {
            return Err(Refusal::Altered);
        }
        self.new.seal(&download.head).await.map_err(|_| Refusal::Flash)?;
        let record = Record { stage: Stage::Save, outcome: Outcome::None, image: download.header.id() };
        record.write(&mut self.state).await.map_err(|_| Refusal::Flash)?;
        Ok(record.image)
    }
    fn ask(&mut self, now_ms: u64) -> Option<UpdateProgress> {
        let download = self.download.as_mut()?;
        download.asked_ms = now_ms;
        download.asked = download.asked.saturating_add(1);
        let (image, offset) = (download.header.id(), download.done);
        Some(UpdateProgress { offset: Some(offset), room: Some(self.room), ..self.say(image, UpdateStage::Wants) })
    }
    fn give_up(&mut self, refusal: Refusal) -> UpdateProgress {
        let image = self.download.take().map_or(0, |d| d.header.id());
        self.refuse(image, refusal)
    }
    fn refuse(&self, image: u64, refusal: Refusal) -> UpdateProgress {
        UpdateProgress { reason: refusal.as_str().try_into().ok(), ..self.say(image, UpdateStage::Refused) }
    }
    fn say(&self, image: u64, stage: UpdateStage) -> UpdateProgress {
        UpdateProgress { site: self.site.clone(), device: self.device.clone(), image, stage, offset: None, room: None, reason: None }
    }
}

#[cfg(test)]
mod tests {
    use super::super::boot::{Slots, Start, TRIES, prepare};
    use super::super::testing::{board, header_of, image, key, signed};
    use super::*;
    use crate::flash::sim::{Chip, PAGE, Part, TEARS, Tear, run};
    use heapless::Vec as Bounded;

    const SLOT: usize = 5 * PAGE;
    const STATE: usize = 2 * PAGE;

    /// A board: three slots and the state.
    fn parts(chip: &Chip) -> (Slots<Part, Part, Part>, Keep<Part>) {
        let slot = |n: usize| Slot::new(chip.part(n * SLOT, SLOT)).unwrap();
        let state = run(Keep::open(chip.part(3 * SLOT, STATE))).unwrap();
        (Slots { active: slot(0), new: slot(1), old: slot(2) }, state)
    }
    fn fresh() -> Chip {
        let chip = Chip::new(3 * SLOT + STATE);
        let code = image("1.0.0", 3 * PAGE);
        let (mut slots, _) = parts(&chip);
        run(slots.active.put(0, &code)).unwrap();
        run(slots.active.seal(&signed(&header_of("1.0.0", &code), &key()))).unwrap();
        chip
    }
    fn updater(chip: &Chip, version: &str) -> Updater<'static, Part, Part> {
        let (slots, state) = parts(chip);
        Updater::new(SiteId::new("s").unwrap(), DeviceId::new("d").unwrap(), board(version), slots.new, state, 100)
    }
    fn offer(version: &str, code: &[u8]) -> UpdateOffer {
        let header = Bounded::from_slice(&signed(&header_of(version, code), &key())).unwrap();
        UpdateOffer { site: SiteId::new("s").unwrap(), device: DeviceId::new("d").unwrap(), header }
    }
    fn chunk(code: &[u8], wants: &UpdateProgress) -> UpdateChunk {
        let (from, room) = (wants.offset.unwrap() as usize, usize::from(wants.room.unwrap()));
        let data = Bounded::from_slice(&code[from..code.len().min(from + room)]).unwrap();
        UpdateChunk { image: wants.image, offset: from as u32, data }
    }
    /// What runs after a start of the boot loader.
    fn start(chip: &Chip) -> (Start, String) {
        let (mut slots, mut state) = parts(chip);
        let start = run(prepare(&mut slots, &mut state, &board("1.0.0"))).expect("the node always starts");
        let header = run(slots.active.whole(&board("1.0.0"))).unwrap().expect("a whole, signed image");
        (start, header.version.to_string())
    }
    /// All of a download over `chip`; the last thing said, `None` when the power went.
    fn download(chip: &Chip, running: &str, version: &str, code: &[u8]) -> Option<UpdateProgress> {
        let mut updater = updater(chip, running);
        let mut said = run(updater.offer(&offer(version, code), 0))?;
        while said.stage == UpdateStage::Wants {
            said = run(updater.chunk(&chunk(code, &said), 0))?;
        }
        Some(said)
    }
    fn reason(said: &UpdateProgress) -> &str {
        said.reason.as_deref().unwrap_or_default()
    }

    #[test]
    fn an_update_goes_in_and_is_confirmed_by_the_gateway() {
        let chip = fresh();
        assert_eq!(start(&chip), (Start::Settled, "1.0.0".into()));
        assert_eq!(run(updater(&chip, "1.0.0").connected()).unwrap(), None);
        let said = download(&chip, "1.0.0", "1.1.0", &image("1.1.0", 2 * PAGE + 77)).unwrap();
        assert_eq!(said.stage, UpdateStage::Restarts);
        assert_eq!(start(&chip), (Start::Trial, "1.1.0".into()));
        let said = run(updater(&chip, "1.1.0").connected()).unwrap().unwrap();
        assert_eq!(said.stage, UpdateStage::Confirmed);
        for _ in 0..TRIES + 2 {
            assert_eq!(start(&chip), (Start::Settled, "1.1.0".into()));
        }
    }

    #[test]
    fn an_image_that_does_not_find_its_gateway_is_rolled_back() {
        let chip = fresh();
        download(&chip, "1.0.0", "1.1.0", &image("1.1.0", 900)).unwrap();
        for _ in 0..TRIES {
            assert_eq!(start(&chip), (Start::Trial, "1.1.0".into()));
            // Meanwhile it takes no other image: the old one is the way back.
            let said = download(&chip, "1.1.0", "1.2.0", &image("1.2.0", 500)).unwrap();
            assert_eq!((said.stage, reason(&said)), (UpdateStage::Refused, "on_trial"));
        }
        assert_eq!(start(&chip), (Start::Settled, "1.0.0".into()));
        let said = run(updater(&chip, "1.0.0").connected()).unwrap().unwrap();
        assert_eq!((said.stage, said.image), (UpdateStage::RolledBack, header_of("1.1.0", &image("1.1.0", 900)).id()));
        // And a better one goes in.
        download(&chip, "1.0.0", "1.1.1", &image("1.1.1", 900)).unwrap();
        assert_eq!(start(&chip), (Start::Trial, "1.1.1".into()));
    }

    #[test]
    fn a_download_goes_on_after_a_reconnect_and_repeats_change_nothing() {
        let (chip, code) = (fresh(), image("1.1.0", 1000));
        let mut updater = updater(&chip, "1.0.0");
        let first = run(updater.offer(&offer("1.1.0", &code), 0)).unwrap();
        assert_eq!((first.offset, first.room), (Some(0), Some(96)));
        let second = run(updater.chunk(&chunk(&code, &first), 10)).unwrap();
        assert_eq!(second.offset, Some(96));
        assert_eq!(run(updater.chunk(&chunk(&code, &first), 11)), None, "a repeat");
        assert_eq!(updater.tick(10 + AGAIN_MS - 1), None);
        assert_eq!(updater.tick(10 + AGAIN_MS).unwrap().offset, Some(96), "the answer was lost");
        let again = run(updater.offer(&offer("1.1.0", &code), 9000)).unwrap();
        assert_eq!(again.offset, Some(96), "the gateway offers it again after a reconnect");
        for n in 1..100 {
            updater.tick(9000 + n * AGAIN_MS);
        }
        assert_eq!(updater.tick(u64::MAX), None, "it does not ask for ever");
        let mut said = run(updater.offer(&offer("1.1.0", &code), 0)).unwrap();
        while said.stage == UpdateStage::Wants {
            said = run(updater.chunk(&chunk(&code, &said), 0)).unwrap();
        }
        assert!(said.stage == UpdateStage::Restarts && updater.restarts());
    }

    #[test]
    fn what_is_refused_leaves_what_runs_alone() {
        let (chip, code) = (fresh(), image("1.1.0", 1000));
        let mut other = offer("1.1.0", &code);
        other.device = DeviceId::new("other").unwrap();
        assert_eq!(run(updater(&chip, "1.0.0").offer(&other, 0)), None);
        let mut unsigned = offer("1.1.0", &code);
        unsigned.header.iter_mut().skip(72).for_each(|b| *b = 0);
        assert_eq!(reason(&run(updater(&chip, "1.0.0").offer(&unsigned, 0)).unwrap()), "unsigned");
        unsigned.header.truncate(100);
        assert_eq!(reason(&run(updater(&chip, "1.0.0").offer(&unsigned, 0)).unwrap()), "malformed");
        assert_eq!(reason(&download(&chip, "1.1.0", "1.1.0", &code).unwrap()), "not_newer");
        assert_eq!(reason(&download(&chip, "1.0.0", "1.1.0", &image("1.1.0", SLOT)).unwrap()), "too_long");
        // Altered on the way, and cut.
        for (change, why) in [(true, "altered"), (false, "cut")] {
            let mut updater = updater(&chip, "1.0.0");
            let mut said = run(updater.offer(&offer("1.1.0", &code), 0)).unwrap();
            while said.stage == UpdateStage::Wants {
                let mut piece = chunk(&code, &said);
                match (change, said.offset) {
                    (true, Some(96)) => piece.data[5] ^= 1,
                    (false, Some(480)) => piece.data.truncate(17),
                    _ => {}
                }
                said = run(updater.chunk(&piece, 0)).unwrap();
            }
            assert_eq!((said.stage, reason(&said)), (UpdateStage::Refused, why));
            assert_eq!(start(&chip), (Start::Settled, "1.0.0".into()), "{why}");
        }
    }

    /// A node's life from the offer to the roll-back, one start after the other.
    fn live(chip: &Chip, confirm: bool) -> bool {
        let code = image("1.1.0", 2 * PAGE + 40);
        if download(chip, "1.0.0", "1.1.0", &code).is_none_or(|said| said.stage != UpdateStage::Restarts) {
            return false;
        }
        for n in 0..TRIES + 2 {
            let (mut slots, mut state) = parts_or_dark(chip);
            let Some(state) = &mut state else { return false };
            if run(prepare(&mut slots, state, &board("1.0.0"))).is_err() {
                return false;
            }
            if confirm && n == 1 && !confirmed(chip) {
                return false;
            }
        }
        true
    }
    fn parts_or_dark(chip: &Chip) -> (Slots<Part, Part, Part>, Option<Keep<Part>>) {
        let slot = |n: usize| Slot::new(chip.part(n * SLOT, SLOT)).unwrap();
        (Slots { active: slot(0), new: slot(1), old: slot(2) }, run(Keep::open(chip.part(3 * SLOT, STATE))).ok())
    }
    fn confirmed(chip: &Chip) -> bool {
        let (slots, Some(state)) = parts_or_dark(chip) else { return false };
        let who = (SiteId::new("s").unwrap(), DeviceId::new("d").unwrap());
        let mut updater = Updater::new(who.0, who.1, board("1.1.0"), slots.new, state, 100);
        run(updater.connected()).is_ok()
    }

    #[test]
    fn the_power_may_go_at_any_byte_of_an_update_and_of_its_roll_back() {
        let first = fresh();
        for confirm in [true, false] {
            let whole = first.copy();
            assert!(live(&whole, confirm));
            let end = if confirm { "1.1.0" } else { "1.0.0" };
            assert_eq!(start(&whole).1, end);
            // Every byte with the tear that no order may be relied on; every seventh with the others, at another byte each.
            for tear in TEARS {
                let step = if tear == Tear::Wild { 1 } else { 7 };
                for cut in (tear as u64..whole.spent()).step_by(step) {
                    let torn = first.copy();
                    torn.cut_after(cut, tear);
                    live(&torn, confirm);
                    torn.restore();
                    // It starts, whatever happened, with an image that is whole and signed; and comes to rest.
                    for _ in 0..TRIES + 1 {
                        start(&torn);
                    }
                    let (at_rest, version) = start(&torn);
                    assert!(at_rest == Start::Settled && (version == "1.0.0" || version == "1.1.0"), "{tear:?}, cut {cut}: {version}");
                    assert!(confirm || version == "1.0.0", "{tear:?}, cut {cut}: what was never confirmed does not stay");
                }
            }
        }
    }

    #[test]
    fn power_that_goes_again_and_again_delays_and_nothing_else() {
        for tear in TEARS {
            let chip = fresh();
            let code = image("1.1.0", 900);
            download(&chip, "1.0.0", "1.1.0", &code).unwrap();
            // Each start gets a little further than the one before it.
            for cut in (0..6000).step_by(37) {
                let (mut slots, mut state) = parts(&chip);
                chip.cut_after(cut, tear);
                let _ = run(prepare(&mut slots, &mut state, &board("1.0.0")));
                chip.restore();
                let (slots, _) = parts(&chip);
                let Slots { mut active, mut new, mut old } = slots;
                let whole = [run(active.whole(&board("1.0.0"))), run(new.whole(&board("1.0.0"))), run(old.whole(&board("1.0.0")))];
                assert!(whole.iter().any(|w| matches!(w, Ok(Some(_)))), "{tear:?}, cut {cut}");
            }
            start(&chip);
        }
    }
}
