//! Updates and settings, as the link hears them: what the board gives to [`crate::node::Node`] as `more`.
use crate::flash::keep::Keep;
use crate::flash::words;
use crate::link::Actions;
use crate::node::apart;
use crate::settings;
use crate::update::Updater;
use core::pin::pin;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_storage_async::nor_flash::NorFlash;
use heapless::Deque;
use tuoan_protocol::topic::TopicKind;
use tuoan_protocol::{DeviceAction, DeviceId, DeviceSettings, SettingsAnswer, SiteId, UpdateChunk, UpdateOffer, UpdateProgress, Wire};

/// Milliseconds between the last answer and the restart that it tells of: it must be on the wire.
const LINGER_MS: u64 = 1_000;
/// Milliseconds that an image on trial has in each of its starts: one that runs well and finds no gateway would otherwise stay for ever, out of reach.
pub const TRIAL_MS: u64 = 120_000;

/// Starts the chip anew.
pub trait Restart {
    fn restart(&mut self);
}

enum Answer {
    Progress(UpdateProgress),
    Applied(SettingsAnswer),
}

/// The node's part in updates and settings. `keep` holds the settings and the last words; the console has it too, so it is behind a lock.
pub struct Service<'a, N: NorFlash, S: NorFlash, K: NorFlash, R> {
    site: SiteId,
    device: DeviceId,
    updater: Updater<'a, N, S>,
    keep: &'a Mutex<NoopRawMutex, Keep<K>>,
    chip: R,
    answers: Deque<Answer, 4>,
    now_ms: u64,
    /// The settings that were taken hold from the next start.
    changed: bool,
    restart_at: Option<u64>,
    trial_ms: u64,
    /// The gateway has had this start's birth.
    proved: bool,
}

impl<'a, N: NorFlash, S: NorFlash, K: NorFlash, R: Restart> Service<'a, N, S, K, R> {
    pub fn new(site: SiteId, device: DeviceId, updater: Updater<'a, N, S>, keep: &'a Mutex<NoopRawMutex, Keep<K>>, chip: R) -> Self {
        let (answers, trial_ms) = (Deque::new(), TRIAL_MS);
        Self { site, device, updater, keep, chip, answers, now_ms: 0, changed: false, restart_at: None, trial_ms, proved: false }
    }
    /// The same with another time for an image on trial, milliseconds of each start.
    pub fn with_trial(self, trial_ms: u64) -> Self {
        Self { trial_ms, ..self }
    }
    /// An image on trial that has had its time makes room for the next start, and after the last one for the image before it.
    async fn judge(&mut self, now_ms: u64) {
        if !self.proved && now_ms >= self.trial_ms && self.updater.on_trial().await {
            self.chip.restart();
        }
    }
    fn say(&mut self, answer: Option<Answer>) {
        let Some(answer) = answer else { return };
        if self.answers.is_full() {
            // What is said again anyway.
            let _ = self.answers.pop_front();
        }
        let _ = self.answers.push_back(answer);
    }
    async fn offered(&mut self, payload: &[u8]) -> Option<Answer> {
        let offer = UpdateOffer::from_cbor(payload).ok()?;
        self.updater.offer(&offer, self.now_ms).await.map(Answer::Progress)
    }
    /// What is answered to a message of any other kind.
    async fn take(&mut self, kind: &str, payload: &[u8]) -> Option<Answer> {
        if kind == TopicKind::Chunk.as_str() {
            let chunk = UpdateChunk::from_cbor(payload).ok()?;
            self.updater.chunk(&chunk, self.now_ms).await.map(Answer::Progress)
        } else if kind == TopicKind::Settings.as_str() {
            let wanted = DeviceSettings::from_cbor(payload).ok()?;
            if wanted.site != self.site || wanted.device != self.device {
                return None;
            }
            let refused = match settings::take(&mut *self.keep.lock().await, &wanted).await {
                Ok(changed) => {
                    self.changed |= changed;
                    None
                }
                Err(field) => Some(field),
            };
            Some(Answer::Applied(SettingsAnswer { site: wanted.site, device: wanted.device, id: wanted.id, refused }))
        } else {
            None
        }
    }
}

impl<N: NorFlash, S: NorFlash, K: NorFlash, R: Restart> Actions for Service<'_, N, S, K, R> {
    fn order(&mut self, _: &DeviceAction) -> bool {
        false
    }
    fn topics(&self) -> &'static [&'static str] {
        const TOPICS: [&str; 3] = [TopicKind::Update.as_str(), TopicKind::Chunk.as_str(), TopicKind::Settings.as_str()];
        &TOPICS
    }
    async fn message(&mut self, kind: &str, payload: &[u8]) {
        let answer = if kind == TopicKind::Update.as_str() {
            apart(pin!(self.offered(payload))).await
        } else {
            apart(pin!(self.take(kind, payload))).await
        };
        self.say(answer);
    }
    async fn connected(&mut self) {
        self.proved = true;
        // The birth had them. What the flash does not let go of is told again after the next start.
        let _ = words::told(&mut *self.keep.lock().await).await;
        let said = self.updater.connected().await.ok().flatten();
        self.say(said.map(Answer::Progress));
    }
    async fn alone(&mut self, now_ms: u64) {
        self.judge(now_ms).await;
    }
    async fn answer(&mut self, now_ms: u64, buf: &mut [u8]) -> Option<(&'static str, usize)> {
        self.now_ms = now_ms;
        // A session without an acknowledged birth is none.
        self.judge(now_ms).await;
        let again = self.updater.tick(now_ms);
        self.say(again.map(Answer::Progress));
        while let Some(answer) = self.answers.pop_front() {
            let (kind, n) = match answer {
                Answer::Progress(progress) => (TopicKind::Progress, progress.to_cbor(buf)),
                Answer::Applied(answer) => (TopicKind::Applied, answer.to_cbor(buf)),
            };
            if let Ok(n) = n {
                return Some((kind.as_str(), n));
            }
        }
        if self.changed || self.updater.restarts() {
            let at = *self.restart_at.get_or_insert(now_ms.saturating_add(LINGER_MS));
            if now_ms >= at {
                self.chip.restart();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flash::sim::{Chip, PAGE, Part, run};
    use crate::update::boot::{Outcome, Record, Stage};
    use crate::update::testing::{board, header_of, image, key, signed};
    use crate::update::{Slot, Updater};
    use heapless::Vec as Bounded;
    use std::cell::Cell;
    use std::rc::Rc;
    use tuoan_protocol::UpdateStage;

    struct Starts(Rc<Cell<u32>>);
    impl Restart for Starts {
        fn restart(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    fn service(chip: &Chip, starts: &Rc<Cell<u32>>) -> Service<'static, Part, Part, Part, Starts> {
        let (site, device) = (SiteId::new("s").unwrap(), DeviceId::new("d").unwrap());
        let keep = |page: usize| run(Keep::open(chip.part(page * PAGE, 2 * PAGE))).unwrap();
        let slot = Slot::new(chip.part(4 * PAGE, 8 * PAGE)).unwrap();
        let updater = Updater::new(site.clone(), device.clone(), board("1.0.0"), slot, keep(0), 256);
        Service::new(site, device, updater, Box::leak(Box::new(Mutex::new(keep(2)))), Starts(starts.clone()))
    }
    fn said(service: &mut impl Actions, now: u64) -> Option<(&'static str, std::vec::Vec<u8>)> {
        let mut buf = [0; 256];
        run(service.answer(now, &mut buf)).map(|(kind, n)| (kind, buf[..n].to_vec()))
    }

    #[test]
    fn settings_are_kept_confirmed_and_hold_after_the_restart() {
        let (chip, starts) = (Chip::new(12 * PAGE), Rc::default());
        let mut service = service(&chip, &starts);
        let mut wanted = DeviceSettings {
            site: SiteId::new("s").unwrap(),
            device: DeviceId::new("d").unwrap(),
            id: 7,
            altitude_m: Some(9000),
            self_calibration: None,
            local_alarm: None,
            rules: Bounded::new(),
        };
        let say = |service: &mut Service<'static, Part, Part, Part, Starts>, wanted: &DeviceSettings| {
            run(service.message("settings", &wanted.to_cbor_vec().unwrap()));
            let (kind, bytes) = said(service, 10).unwrap();
            assert_eq!(kind, "applied");
            SettingsAnswer::from_cbor(&bytes).unwrap()
        };
        assert_eq!(say(&mut service, &wanted).refused.as_deref(), Some("altitude_m"));
        assert_eq!(said(&mut service, 5000), None);
        assert_eq!(starts.get(), 0, "what was refused changes nothing");
        wanted.altitude_m = Some(900);
        assert_eq!(
            say(&mut service, &wanted),
            SettingsAnswer { site: wanted.site.clone(), device: wanted.device.clone(), id: 7, refused: None }
        );
        assert_eq!((said(&mut service, 10), starts.get()), (None, 0), "the answer goes out first");
        assert_eq!((said(&mut service, 10 + LINGER_MS), starts.get()), (None, 1));
        let mut again = self::service(&chip, &starts);
        assert_eq!(say(&mut again, &wanted).refused, None);
        assert_eq!(
            (said(&mut again, 9000), said(&mut again, 90_000), starts.get()),
            (None, None, 1),
            "what holds already needs no restart"
        );
    }

    #[test]
    fn an_image_on_trial_that_runs_but_finds_no_gateway_gives_way() {
        let (chip, starts) = (Chip::new(12 * PAGE), Rc::default());
        let trial = |stage| {
            run(async {
                let mut state = Keep::open(chip.part(0, 2 * PAGE)).await.unwrap();
                Record { stage, outcome: Outcome::None, image: 7 }.write(&mut state).await.unwrap();
            })
        };
        run(service(&chip, &starts).alone(TRIAL_MS));
        assert_eq!(starts.get(), 0, "nothing is on trial");
        trial(Stage::Trial(1));
        let mut on_trial = service(&chip, &starts);
        run(on_trial.alone(TRIAL_MS - 1));
        assert_eq!(starts.get(), 0);
        run(on_trial.alone(TRIAL_MS));
        assert_eq!(starts.get(), 1);
        assert_eq!((said(&mut on_trial, TRIAL_MS), starts.get()), (None, 2), "a session in which the birth was never acknowledged is none");
        // Confirmed, and alone for days after: it stays.
        let mut found = service(&chip, &starts);
        run(found.connected());
        run(found.alone(90 * TRIAL_MS));
        assert_eq!(starts.get(), 2);
    }

    #[test]
    fn an_update_is_asked_for_over_the_link_and_noise_is_nothing() {
        let (chip, starts, code) = (Chip::new(12 * PAGE), Rc::default(), image("1.1.0", 700));
        let mut service = service(&chip, &starts);
        for noise in [&b""[..], b"noise", &[0xa1, 0x00], &[0xff; 300]] {
            for kind in ["update", "chunk", "settings", "other"] {
                run(service.message(kind, noise));
            }
        }
        assert_eq!(said(&mut service, 1), None);
        let header = Bounded::from_slice(&signed(&header_of("1.1.0", &code), &key())).unwrap();
        let offer = UpdateOffer { site: SiteId::new("s").unwrap(), device: DeviceId::new("d").unwrap(), header };
        run(service.message("update", &offer.to_cbor_vec().unwrap()));
        loop {
            let (kind, bytes) = said(&mut service, 1).unwrap();
            let progress = UpdateProgress::from_cbor(&bytes).unwrap();
            assert_eq!(kind, "progress");
            if progress.stage == UpdateStage::Restarts {
                break;
            }
            let (from, room) = (progress.offset.unwrap() as usize, usize::from(progress.room.unwrap()));
            let data = Bounded::from_slice(&code[from..code.len().min(from + room)]).unwrap();
            let chunk = UpdateChunk { image: progress.image, offset: from as u32, data };
            let bytes = chunk.to_cbor_vec().unwrap();
            assert!(bytes.len() + 150 <= crate::link::MIN_RX, "with the longest topic it fits the shortest receive buffer");
            run(service.message("chunk", &bytes));
        }
        assert_eq!((said(&mut service, 1), said(&mut service, 1 + LINGER_MS), starts.get()), (None, None, 1));
    }
}
