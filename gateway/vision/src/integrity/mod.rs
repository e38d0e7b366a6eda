//! Is this camera still seeing? Fed with decoded pictures and what is known of their way here, in virtual time; it answers with the kinds of blindness
//! that it believes in, and since when. One file per kind. Pictures are brought to a few small fixed sizes ([`luma`]) before anything looks at them, so
//! that cost and memory do not depend on the camera.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use hold::{Hold, Look, Patience};
pub use luma::Rgb;
use motion::Motion;
pub use reference::Reference;
use sight::Sight;
pub use view::Measures;
use view::{Verdict, View};

mod clock;
mod covered;
mod edges;
mod exposure;
mod focus;
mod frozen;
mod hold;
mod looped;
pub mod luma;
mod motion;
mod moved;
mod offline;
mod rate;
mod reference;
mod resolution;
mod sharpness;
mod sight;
mod view;

/// In which way a camera does not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blindness {
    /// No frame comes.
    Offline,
    /// Something is before most of the view: a cap, a hand, cloth, paper, tape.
    Covered,
    /// The view's information is gone for lack of light. A dim room whose shapes still show is not too dark.
    TooDark,
    OverExposed,
    /// Out of focus, or the lens is smeared.
    Defocused,
    /// It looks elsewhere than it did.
    Moved,
    /// The same picture though time passes.
    Frozen,
    /// A stretch of the past is played again.
    Looped,
    WrongClock,
    LowResolution,
    /// Fewer than half of the wanted frames come.
    LowRate,
}

/// The camera's duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub frames_per_10s: u16,
    /// Pixels. People are looked for at 320 x 180; below that they are missed.
    pub width: u32,
    pub height: u32,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { frames_per_10s: 10, width: 320, height: 180 }
    }
}

/// What is known of a frame beside its picture.
#[derive(Debug, Clone, Copy)]
pub struct FrameFacts {
    pub received_ms: i64,
    /// By the camera's clock.
    pub captured_ms: Option<i64>,
    pub sequence: Option<u64>,
    /// Pixels, as sent.
    pub width: u32,
    pub height: u32,
    /// Of the bytes as they were sent; equal bytes have equal hashes.
    pub picture_hash: u64,
}

/// What the site's hours say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    pub care_hours: bool,
    /// It is nap time in the camera's zone: the lights may be off.
    pub nap: bool,
}

/// Looks at every frame of one camera.
#[derive(Debug, Clone)]
pub struct Integrity {
    wanted: Wanted,
    blind: BTreeMap<Blindness, i64>,
    holds: BTreeMap<Blindness, Hold>,
    /// The camera is awaited since then; set by the first call.
    awaited_ms: Option<i64>,
    last_ms: Option<i64>,
    rate: rate::Rate,
    clock: clock::Clock,
    motion: Motion,
    reference: Reference,
    view: View,
    /// Of what is wrong with the picture itself one kind is believed in, the likeliest.
    sight: Sight,
    frozen: frozen::Frozen,
    looped: looped::Looped,
    looked_ms: Option<i64>,
}

/// Facts are certain: they need only be more than one stray frame.
const FACT: Patience = Patience { raise_ms: 3_000, raise_looks: 3, clear_ms: 5_000, clear_looks: 3 };
/// A rate is a mean already.
const RATE: Patience = Patience { raise_ms: 3_000, raise_looks: 2, clear_ms: 10_000, clear_looks: 3 };

/// These wait in themselves until it is certain.
const STANDS: Patience = Patience { raise_ms: 0, raise_looks: 1, clear_ms: 2_000, clear_looks: 3 };
const REPEATS: Patience = Patience { raise_ms: 0, raise_looks: 1, clear_ms: 5_000, clear_looks: 3 };
const OF_THE_PICTURE: [Blindness; 5] =
    [Blindness::Covered, Blindness::TooDark, Blindness::OverExposed, Blindness::Defocused, Blindness::Moved];
/// Pictures are looked at five times a second at most.
const EVERY_MS: i64 = 190;

impl Integrity {
    pub fn new(wanted: Wanted) -> Integrity {
        Integrity {
            wanted,
            blind: BTreeMap::new(),
            holds: BTreeMap::new(),
            awaited_ms: None,
            last_ms: None,
            rate: rate::Rate::default(),
            clock: clock::Clock::default(),
            motion: Motion::default(),
            reference: Reference::default(),
            view: View::default(),
            sight: Sight::default(),
            frozen: frozen::Frozen::default(),
            looped: looped::Looped::default(),
            looked_ms: None,
        }
    }

    /// With the view learned before a restart.
    pub fn with_reference(wanted: Wanted, reference: Reference) -> Integrity {
        Integrity { reference, ..Integrity::new(wanted) }
    }

    /// The view learned so far, to be kept now and then (every ten minutes will do). `None`: nothing has been seen yet.
    pub fn reference(&self) -> Option<&Reference> {
        (!self.reference.is_empty()).then_some(&self.reference)
    }

    /// An installer says that the view is as it shall be: it is learned anew, and the camera is no longer moved or covered until that is seen again.
    pub fn relearn(&mut self) {
        self.reference = Reference::default();
        self.view.forget();
        self.sight = Sight::default();
        for kind in OF_THE_PICTURE {
            self.blind.remove(&kind);
        }
    }

    /// A frame came.
    pub fn see(&mut self, facts: &FrameFacts, picture: Rgb, context: Context) {
        let now = facts.received_ms;
        self.awaited_ms.get_or_insert(now);
        self.last_ms = Some(now);
        if self.blind.remove(&Blindness::Offline).is_some() {
            self.rate.restart();
        }
        self.rate.arrived(now);
        let look = self.rate.look(now, self.wanted.frames_per_10s);
        self.hold(Blindness::LowRate, now, look, RATE);
        let look = resolution::look(facts.width, facts.height, self.wanted.width, self.wanted.height);
        self.hold(Blindness::LowResolution, now, look, FACT);
        let look = self.clock.look(now, facts.captured_ms);
        self.hold(Blindness::WrongClock, now, look, FACT);
        self.look(now, picture, context);
    }

    fn look(&mut self, now: i64, picture: Rgb, context: Context) {
        let cells = luma::Luma::of(picture, reference::WIDTH, reference::HEIGHT);
        self.motion.see(&cells.halved());
        // What is looked for changes in seconds: a fast camera need not be looked at each time.
        if self.looked_ms.is_some_and(|last| (0..EVERY_MS).contains(&now.saturating_sub(last))) {
            return;
        }
        self.looked_ms = Some(now);
        let verdict = self.view.look(now, &cells, picture.coloured(), &mut self.reference, context, self.sight.believed().is_some());
        self.sight.look(now, verdict);
        for kind in OF_THE_PICTURE {
            self.blind.remove(&kind);
        }
        if let Some((kind, since)) = self.sight.believed() {
            self.blind.insert(kind, since);
        }
        // Of a picture that shows nothing it cannot be told whether it stands.
        let stands = self.frozen.look(now, picture, context);
        let repeats = self.looped.look(now, picture);
        if verdict == Verdict::Sees {
            self.hold(Blindness::Frozen, now, stands, STANDS);
            self.hold(Blindness::Looped, now, repeats, REPEATS);
        }
    }

    /// Time passed. To be called about once a second for every camera that is wanted, whether frames come or not.
    pub fn due(&mut self, now_ms: i64, _context: Context) {
        let awaited = *self.awaited_ms.get_or_insert(now_ms);
        let last = self.last_ms.unwrap_or(awaited);
        if now_ms.saturating_sub(last) > offline::patience_ms(self.wanted.frames_per_10s) {
            // Since the frame that did not come.
            self.blind.entry(Blindness::Offline).or_insert(last);
        } else if !self.blind.contains_key(&Blindness::Offline) {
            let look = self.rate.look(now_ms, self.wanted.frames_per_10s);
            self.hold(Blindness::LowRate, now_ms, look, RATE);
        }
    }

    /// The kinds of blindness believed in, and since when. Empty: it sees, as far as can be told. What was believed of the picture stands while the camera is
    /// offline: nothing has shown the contrary.
    pub fn blind(&self) -> &BTreeMap<Blindness, i64> {
        &self.blind
    }

    /// Share of the picture that changed between the last two frames, 0 to 1, beyond noise and changes of light.
    pub fn motion(&self) -> f32 {
        self.motion.share()
    }

    /// What the last picture was like beside the learned view: why it is believed to be as it is.
    pub fn measures(&self) -> &Measures {
        &self.view.measures
    }

    fn hold(&mut self, kind: Blindness, at_ms: i64, look: Look, patience: Patience) {
        let hold = self.holds.entry(kind).or_default();
        hold.look(at_ms, look, patience);
        match hold.since() {
            Some(since) => self.blind.insert(kind, since),
            None => self.blind.remove(&kind),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CARE: Context = Context { care_hours: true, nap: false };

    fn facts(at_ms: i64, width: u32, height: u32) -> FrameFacts {
        FrameFacts { received_ms: at_ms, captured_ms: Some(at_ms), sequence: None, width, height, picture_hash: at_ms as u64 }
    }

    /// A room with furniture, as a noisy sensor sees it; `light` 1 is day.
    fn room(seed: i64, light: f32, shift: usize) -> Vec<u8> {
        let mut state = (seed as u32).wrapping_mul(2_654_435_761) | 1;
        let mut bytes = Vec::new();
        for y in 0..180usize {
            for x in 0..320usize {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let (u, v) = (x + shift, y);
                let furniture =
                    [(20, 30, 50, 60), (110, 20, 40, 90), (200, 60, 80, 50), (60, 120, 120, 40), (250, 130, 40, 40), (330, 40, 60, 90)];
                let inside = furniture.iter().position(|(x0, y0, w, h)| (*x0..x0 + w).contains(&u) && (*y0..y0 + h).contains(&v));
                let level = inside.map_or(90.0, |n| [30.0, 160.0, 60.0, 130.0, 20.0, 180.0][n]);
                let value = (level * light + (state % 5) as f32).clamp(0.0, 255.0) as u8;
                bytes.extend([value; 3]);
            }
        }
        bytes
    }

    fn fed(integrity: &mut Integrity, from_s: i64, to_s: i64, context: Context, picture: impl Fn(i64) -> Vec<u8>) {
        for s in from_s..to_s {
            let bytes = picture(s);
            integrity.due(s * 1000, context);
            integrity.see(&facts(s * 1000, 320, 180), Rgb { width: 320, height: 180, bytes: &bytes }, context);
        }
    }

    fn kinds(integrity: &Integrity) -> Vec<Blindness> {
        integrity.blind().keys().copied().collect()
    }

    fn seeing() -> Integrity {
        let mut integrity = Integrity::new(Wanted::default());
        fed(&mut integrity, 0, 60, CARE, |s| room(s, 1.0, 0));
        assert_eq!(kinds(&integrity), []);
        integrity
    }

    #[test]
    fn silence_is_offline_since_the_last_frame_and_ends_with_the_next() {
        let mut integrity = seeing();
        for s in 60..70 {
            integrity.due(s * 1000, CARE);
        }
        assert_eq!(kinds(&integrity), []);
        integrity.due(70_000, CARE);
        assert_eq!(integrity.blind(), &BTreeMap::from([(Blindness::Offline, 59_000)]));
        fed(&mut integrity, 71, 72, CARE, |s| room(s, 1.0, 0));
        assert_eq!(kinds(&integrity), []);
    }

    #[test]
    fn a_camera_that_never_sends_is_offline() {
        let mut integrity = Integrity::new(Wanted { frames_per_10s: 2, ..Wanted::default() });
        integrity.due(0, CARE);
        integrity.due(25_000, CARE);
        assert_eq!(kinds(&integrity), []);
        integrity.due(25_001, CARE);
        assert_eq!(kinds(&integrity), [Blindness::Offline]);
    }

    #[test]
    fn the_lights_off_for_the_nap_are_no_cover_and_a_cap_is() {
        let mut integrity = seeing();
        fed(&mut integrity, 60, 120, Context { nap: true, ..CARE }, |s| room(s, 0.2, 0));
        assert_eq!(kinds(&integrity), []);
        fed(&mut integrity, 120, 150, CARE, |_| vec![2; 320 * 180 * 3]);
        assert_eq!(kinds(&integrity), [Blindness::Covered]);
        fed(&mut integrity, 150, 160, CARE, |s| room(s, 1.0, 0));
        assert_eq!(kinds(&integrity), []);
    }

    #[test]
    fn black_at_nap_is_too_dark_and_white_is_burnt_out() {
        let mut integrity = seeing();
        fed(&mut integrity, 60, 90, Context { nap: true, ..CARE }, |_| vec![2; 320 * 180 * 3]);
        assert_eq!(kinds(&integrity), [Blindness::TooDark]);
        fed(&mut integrity, 90, 120, CARE, |_| vec![255; 320 * 180 * 3]);
        assert_eq!(kinds(&integrity), [Blindness::OverExposed]);
    }

    #[test]
    fn a_shifted_view_is_moved_also_after_a_restart_and_until_it_is_learned_anew() {
        let integrity = seeing();
        let kept = serde_json::to_string(integrity.reference().unwrap()).unwrap();
        let mut integrity = Integrity::with_reference(Wanted::default(), serde_json::from_str(&kept).unwrap());
        fed(&mut integrity, 60, 90, CARE, |s| room(s, 1.0, 30));
        assert_eq!(kinds(&integrity), [Blindness::Moved]);
        fed(&mut integrity, 90, 300, CARE, |s| room(s, 1.0, 30));
        assert_eq!(kinds(&integrity), [Blindness::Moved], "a moved camera does not learn its new view by itself");
        integrity.relearn();
        assert_eq!(kinds(&integrity), []);
        fed(&mut integrity, 300, 360, CARE, |s| room(s, 1.0, 30));
        assert_eq!(kinds(&integrity), []);
    }

    #[test]
    fn a_standing_picture_is_frozen_and_a_repeated_stretch_is_looped() {
        let mut integrity = seeing();
        fed(&mut integrity, 60, 90, CARE, |_| room(59, 1.0, 0));
        assert_eq!(kinds(&integrity), [Blindness::Frozen]);
        fed(&mut integrity, 90, 110, CARE, |s| room(s, 1.0, 0));
        assert_eq!(kinds(&integrity), []);
        fed(&mut integrity, 110, 140, CARE, |s| room(110 + s % 12, 1.0, 0));
        assert_eq!(kinds(&integrity), [Blindness::Looped]);
    }

    #[test]
    fn a_small_picture_a_slow_camera_and_a_wrong_clock_are_said() {
        let mut integrity = Integrity::new(Wanted::default());
        for s in (0..60).step_by(4) {
            let bytes = room(s, 1.0, 0);
            let facts = FrameFacts { captured_ms: Some(0), ..facts(s * 1000, 160, 90) };
            integrity.see(&facts, Rgb { width: 320, height: 180, bytes: &bytes }, CARE);
        }
        assert_eq!(kinds(&integrity), [Blindness::WrongClock, Blindness::LowResolution, Blindness::LowRate]);
    }

    #[test]
    fn the_motion_gate_opens_for_a_walker_only() {
        let mut integrity = seeing();
        assert!(integrity.motion() < 0.01, "{}", integrity.motion());
        fed(&mut integrity, 60, 61, CARE, |s| {
            let mut bytes = room(s, 1.0, 0);
            for y in 60..140 {
                bytes[(y * 320 + 150) * 3..(y * 320 + 180) * 3].fill(10);
            }
            bytes
        });
        assert!(integrity.motion() > 0.02, "{}", integrity.motion());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        /// Sizes that the bytes do not fill, times that run backwards, noise: nothing breaks, and what is kept can be read again.
        #[test]
        fn nothing_foreign_breaks_it(frames in prop::collection::vec((any::<i64>(), 0u32..90, 0u32..90, any::<u8>(), 0usize..9000, any::<bool>(), any::<bool>()), 1..24)) {
            let mut integrity = Integrity::new(Wanted { frames_per_10s: 0, width: 0, height: 0 });
            for (at, width, height, level, length, nap, still) in frames {
                let bytes: Vec<u8> = (0..length).map(|i| if still { level } else { level.wrapping_mul(i as u8).wrapping_add((i >> 3) as u8) }).collect();
                let context = Context { care_hours: !still, nap };
                integrity.see(&facts(at, width, height), Rgb { width, height, bytes: &bytes }, context);
                integrity.due(at, context);
                prop_assert!((0.0..=1.0).contains(&integrity.motion()));
            }
            if let Some(reference) = integrity.reference() {
                let kept = serde_json::to_string(reference).unwrap();
                prop_assert!(serde_json::from_str::<Reference>(&kept).is_ok());
            }
        }
    }
}
