//! Nursery days that must raise nothing, and tampering that must be seen.
use std::collections::{BTreeMap, BTreeSet};

use tuoan_vision::integrity::{Blindness, Context, FrameFacts, Integrity, Measures, Rgb, Wanted};

use super::rooms::*;

/// One in the room; goes from place to place and stands in between.
#[derive(Clone)]
struct Walker {
    placed: Placed,
    size: f32,
    goal: (f32, f32),
    rests_until: f32,
    leaves_at: f32,
}

/// Who is there and how it is lit, second by second.
#[derive(Clone)]
struct Life {
    walkers: Vec<Walker>,
    things: Vec<Thing>,
    dice: Dice,
    cloud: f32,
    /// Somebody stands close before the camera until then.
    close: Option<(f32, Placed)>,
}

impl Life {
    fn new(seed: u64) -> Life {
        Life { walkers: Vec::new(), things: Vec::new(), dice: Dice(seed), cloud: 0.0, close: None }
    }

    /// `busy`: how many are there on average. `t` in seconds of the day.
    fn step(&mut self, stock: &Stock, t: f32, dt: f32, busy: f32, nap: bool) {
        let dice = &mut self.dice;
        self.cloud = (self.cloud * (1.0 - dt / 120.0).max(0.0) + 0.15 * (dt / 60.0).sqrt() * dice.normal()).clamp(-0.6, 0.6);
        if dice.chance(busy * dt / 90.0) && self.walkers.len() < 12 {
            let x = if dice.chance(0.5) { -0.05 } else { 1.05 };
            let y = dice.between(0.5, 1.1);
            let placed = Placed { who: dice.below(stock.people()), x, y, tall: 0.5, mirrored: dice.chance(0.5), lying: false };
            let size = if dice.chance(0.4) { dice.between(0.8, 1.1) } else { dice.between(0.35, 0.6) };
            let stays = dice.between(20.0, 180.0);
            self.walkers.push(Walker {
                placed,
                size,
                goal: (dice.between(0.1, 0.9), dice.between(0.55, 1.1)),
                rests_until: 0.0,
                leaves_at: t + stays,
            });
        }
        for w in &mut self.walkers {
            w.placed.lying = nap && w.size < 0.7;
            w.placed.tall = w.size * (0.2 + 0.65 * w.placed.y);
            if t < w.rests_until {
                w.placed.x += 0.002 * dice.normal();
                continue;
            }
            let (dx, dy) = (w.goal.0 - w.placed.x, w.goal.1 - w.placed.y);
            let far = dx.hypot(dy);
            let step = (if w.placed.lying { 0.002 } else { 0.12 } * dt).min(far);
            if far < 0.01 {
                w.rests_until = t + if nap { dice.between(60.0, 600.0) } else { dice.between(2.0, 60.0) };
                w.goal = if t > w.leaves_at {
                    (if dice.chance(0.5) { -0.3 } else { 1.3 }, w.placed.y)
                } else {
                    (dice.between(0.1, 0.9), dice.between(0.55, 1.1))
                };
            } else {
                w.placed.x += dx / far * step;
                w.placed.y += dy / far * step;
                w.placed.mirrored = dx < 0.0;
            }
        }
        self.walkers.retain(|w| (-0.25..1.25).contains(&w.placed.x));
        if self.close.as_ref().is_some_and(|(until, _)| t > *until) {
            self.close = None;
        }
        if busy > 0.5 && dice.chance(dt / 1500.0) {
            let placed = Placed {
                who: dice.below(stock.people()),
                x: dice.between(0.2, 0.8),
                y: 1.6,
                tall: dice.between(1.4, 2.2),
                mirrored: dice.chance(0.5),
                lying: false,
            };
            self.close = Some((t + dice.between(2.0, 9.0), placed));
        }
        if busy > 0.5 && dice.chance(dt / 7200.0) {
            self.things.push(Thing {
                x: dice.below(WIDTH - 60),
                y: dice.below(60) + 80,
                width: 15 + dice.below(45),
                height: 15 + dice.below(40),
                light: dice.between(30.0, 220.0),
            });
            if self.things.len() > 3 {
                self.things.remove(0);
            }
        }
    }

    fn people(&self) -> Vec<Placed> {
        self.walkers.iter().map(|w| w.placed.clone()).chain(self.close.iter().map(|(_, p)| p.clone())).collect()
    }
}

/// How a frame reaches the gateway.
enum Coding {
    Jpeg,
    /// H.264 as a network camera sends it, strongly compressed: blocks of a still scene are skipped and the picture may stand for a while.
    Video(Box<Video>),
}

struct Video {
    encoder: openh264::encoder::Encoder,
    decoder: openh264::decoder::Decoder,
}

impl Video {
    fn new() -> Video {
        use openh264::encoder::*;
        let config = EncoderConfig::new()
            .rate_control_mode(RateControlMode::Off)
            .qp(QpRange::new(30, 36))
            .intra_frame_period(IntraFramePeriod::from_num_frames(50));
        let encoder = Encoder::with_api_config(openh264::OpenH264API::from_source(), config).expect("an encoder");
        Video { encoder, decoder: openh264::decoder::Decoder::new().expect("a decoder") }
    }

    fn through(&mut self, picture: &[u8]) -> Vec<u8> {
        use openh264::formats::{YUVBuffer, YUVSource};
        let mut yuv = picture.to_vec();
        yuv.resize(WIDTH * HEIGHT * 3 / 2, 128);
        let bits = self.encoder.encode(&YUVBuffer::from_vec(yuv, WIDTH, HEIGHT)).expect("coding").to_vec();
        match self.decoder.decode(&bits) {
            Ok(Some(back)) => {
                let stride = back.strides().0;
                back.y().chunks(stride).take(HEIGHT).flat_map(|row| row[..WIDTH].to_vec()).collect()
            }
            _ => picture.to_vec(),
        }
    }
}

const TINT: u8 = 4;
/// By day the light has a tint; in infrared there is no colour.
fn coloured(picture: &[u8], tint: u8) -> Vec<u8> {
    picture.iter().flat_map(|v| [v.saturating_add(tint), *v, v.saturating_sub(tint)]).collect()
}

fn feed(integrity: &mut Integrity, picture: &[u8], tint: u8, hash: u64, at_ms: i64, context: Context) {
    let bytes = coloured(picture, tint);
    let facts = FrameFacts {
        received_ms: at_ms,
        captured_ms: Some(at_ms - 120),
        sequence: None,
        width: WIDTH as u32,
        height: HEIGHT as u32,
        picture_hash: hash,
    };
    integrity.due(at_ms, context);
    integrity.see(&facts, Rgb { width: WIDTH as u32, height: HEIGHT as u32, bytes: &bytes }, context);
}

/// A day that must raise nothing.
#[derive(Debug, Clone, Copy)]
pub struct Day {
    pub seed: u64,
    pub period_ms: i64,
    pub video: bool,
    /// Hours of the day that are simulated.
    pub from_h: f32,
    pub to_h: f32,
}

/// What was raised, when (seconds of the day).
pub type Raised = Vec<(Blindness, f32, Measures)>;

impl Day {
    pub fn run(&self, stock: &Stock) -> Raised {
        let mut dice = Dice(self.seed);
        let room = Room::draw(stock, &mut dice);
        let mut camera = Camera::new(dice.next());
        let mut life = Life::new(dice.next());
        let night_infrared = dice.chance(0.7);
        let sun_side = dice.chance(0.6);
        let mut coding = if self.video { Coding::Video(Box::new(Video::new())) } else { Coding::Jpeg };
        let mut integrity = Integrity::new(Wanted { frames_per_10s: (10_000 / self.period_ms) as u16, ..Wanted::default() });
        let mut raised = Vec::new();
        let mut before = BTreeMap::new();
        let dt = self.period_ms as f32 / 1000.0;
        let steps = ((self.to_h - self.from_h) * 3600.0 / dt) as i64;
        let (mut lamp_by_hand, mut dark) = (0.5, false);
        for step in 0..steps {
            let t = self.from_h * 3600.0 + step as f32 * dt;
            let h = t / 3600.0;
            let care = (7.5..18.5).contains(&h);
            let nap = (12.0..14.5).contains(&h);
            let busy = if nap {
                1.0
            } else if (8.0..17.5).contains(&h) {
                4.0
            } else if (7.0..19.0).contains(&h) {
                1.5
            } else {
                0.0
            };
            life.step(stock, t, dt, busy, nap);
            if care && !nap && life.dice.chance(dt / 3600.0) {
                lamp_by_hand = if lamp_by_hand > 0.0 { 0.0 } else { life.dice.between(0.4, 0.8) };
            }
            let sun = ((h - 6.5) / 11.5 * std::f32::consts::PI).sin().max(0.0);
            let day = 0.9 * sun * (1.0 + life.cloud);
            let open = (6.5..18.8).contains(&h);
            let lamp = match () {
                () if nap || !(6.8..19.0).contains(&h) => 0.0,
                () if day < 0.25 => 0.6,
                () => lamp_by_hand,
            };
            let curtain = if nap {
                0.05
            } else if open {
                1.0
            } else {
                0.4
            };
            // At night there is the infrared lamp, or a light in the corridor that lets shapes be seen.
            // A camera changes to infrared in the dark and back when it is clearly light.
            dark = day * curtain + lamp < if dark { 0.12 } else { 0.05 };
            let lit = Lit {
                day: day + if dark && !night_infrared { 0.12 } else { 0.0 },
                lamp,
                curtain,
                infrared: dark && night_infrared,
                sun: if sun_side { ((h - 6.0) / 13.0 * 1.4 - 0.2, 1.2 * (0.4 + life.cloud).clamp(0.0, 1.0)) } else { (0.0, 0.0) },
            };
            let light = room.light(stock, lit, &life.people(), &life.things);
            let mut picture = camera.film(stock, &room, &light);
            if room.clock {
                write_clock(&mut picture, t as i64);
            }
            let (picture, hash) = match &mut coding {
                Coding::Jpeg => jpeg(&picture, room.quality()),
                Coding::Video(video) => (video.through(&picture), step as u64),
            };
            feed(
                &mut integrity,
                &picture,
                if lit.infrared { 0 } else { TINT },
                hash,
                (t * 1000.0) as i64,
                Context { care_hours: care, nap },
            );
            for kind in integrity.blind().keys() {
                if !before.contains_key(kind) {
                    raised.push((*kind, t, integrity.measures().clone()));
                }
            }
            before = integrity.blind().clone();
        }
        raised
    }
}

/// What somebody does to the camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Attack {
    Cap,
    /// Share of the width that is hidden, brightness.
    Hand(f32, f32),
    Cloth(f32),
    Paper(f32),
    Dim(f32),
    Burn(f32),
    Blur(f32),
    /// Wiped over the lens: blur along one side, a veil.
    Smear(f32, f32),
    /// Shares of the width and the height.
    Shift(f32, f32),
    Turn(f32),
    /// To another part of the world.
    Away,
    /// The same bytes.
    Stand,
    /// The same view, but the clock written into it goes on.
    StandWithClock,
    /// So many frames, as they were sent, are sent again; the quality of a second compression, if any.
    Loop(usize, Option<u8>),
    /// So many frames of video (ten a second) are played again before the camera or the bridge takes its frames, a tenth of a second sooner or later.
    Play(usize),
    Silence,
    Slow,
    Small,
    ClockOff,
    ClockStands,
}

impl Attack {
    pub fn expects(self) -> Blindness {
        match self {
            Attack::Cap | Attack::Hand(..) | Attack::Cloth(_) | Attack::Paper(_) => Blindness::Covered,
            Attack::Dim(_) => Blindness::TooDark,
            Attack::Burn(_) => Blindness::OverExposed,
            Attack::Blur(_) | Attack::Smear(..) => Blindness::Defocused,
            Attack::Shift(..) | Attack::Turn(_) | Attack::Away => Blindness::Moved,
            Attack::Stand | Attack::StandWithClock => Blindness::Frozen,
            Attack::Loop(..) | Attack::Play(_) => Blindness::Looped,
            Attack::Silence => Blindness::Offline,
            Attack::Slow => Blindness::LowRate,
            Attack::Small => Blindness::LowResolution,
            Attack::ClockOff | Attack::ClockStands => Blindness::WrongClock,
        }
    }

    /// For the table.
    pub fn name(self) -> &'static str {
        match self {
            Attack::Cap => "lens cap",
            Attack::Hand(..) => "hand, cloth or tape over 65 % or more",
            Attack::Cloth(_) => "cloth over all",
            Attack::Paper(_) => "paper over all",
            Attack::Dim(_) => "too little light",
            Attack::Burn(_) => "burnt out",
            Attack::Blur(_) => "out of focus",
            Attack::Smear(..) => "smeared lens",
            Attack::Shift(..) => "shifted by 3 to 25 %",
            Attack::Turn(_) => "turned by 3 to 20 degrees",
            Attack::Away => "turned to another view",
            Attack::Stand => "same picture",
            Attack::StandWithClock => "same picture, running clock in it",
            Attack::Loop(_, None) => "frames of 5 to 60 s sent again",
            Attack::Loop(_, Some(_)) => "the same, compressed again",
            Attack::Play(_) => "video of 5 to 60 s played again",
            Attack::Silence => "no frames",
            Attack::Slow => "a quarter of the frames",
            Attack::Small => "160 x 90 pixels",
            Attack::ClockOff => "clock off by 2 min to a day",
            Attack::ClockStands => "clock stands still",
        }
    }

    /// One of each, drawn anew.
    pub fn draw(dice: &mut Dice, period_ms: i64) -> Vec<Attack> {
        let sign = |dice: &mut Dice| if dice.chance(0.5) { 1.0 } else { -1.0 };
        let share = 0.03 + 0.22 * dice.unit();
        let angle = dice.between(0.0, std::f32::consts::TAU);
        // Fewer than three frames are a picture that stands.
        let seconds = dice.between(5.0f32.max(period_ms as f32 * 0.003), 60.0);
        let frames = (seconds * 1000.0 / period_ms as f32) as usize;
        vec![
            Attack::Cap,
            Attack::Hand(dice.between(0.65, 0.9), dice.between(15.0, 120.0)),
            Attack::Cloth(dice.between(20.0, 160.0)),
            Attack::Paper(dice.between(150.0, 240.0)),
            Attack::Dim(dice.between(0.004, 0.012)),
            Attack::Burn(dice.between(6.0, 15.0)),
            Attack::Blur(dice.between(2.5, 7.0)),
            Attack::Smear(dice.between(3.0, 8.0), dice.between(0.2, 0.6)),
            Attack::Shift(share * angle.cos(), share * angle.sin() * 1.78),
            Attack::Turn(sign(dice) * dice.between(3.0, 20.0)),
            Attack::Away,
            Attack::Stand,
            Attack::StandWithClock,
            Attack::Loop(frames, None),
            Attack::Loop(frames, Some(dice.between(60.0, 90.0) as u8)),
            Attack::Play((seconds * 10.0) as usize),
            Attack::Silence,
            Attack::Slow,
            Attack::Small,
            Attack::ClockOff,
            Attack::ClockStands,
        ]
    }
}

/// A camera that has seen its room for some minutes.
#[derive(Clone)]
pub struct Warm {
    room: Room,
    other: Room,
    camera: Camera,
    life: Life,
    integrity: Integrity,
    lit: Lit,
    busy: f32,
    t: f32,
    period_ms: i64,
    dice: Dice,
}

/// How long until something was believed, in seconds from the first frame that is wrong, which for a loop is the first that was shown before. `None`: not in
/// time.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The expected kind.
    pub named: Option<f32>,
    pub any: Option<f32>,
    /// Seconds from the beginning until it was named or given up.
    pub after: f32,
    pub measures: Measures,
}

/// Pictures that it has seen before something is done to it.
const WARM: usize = 150;
/// In care hours; nobody naps.
const CARE: Context = Context { care_hours: true, nap: false };

impl Warm {
    pub fn new(stock: &Stock, seed: u64, period_ms: i64) -> Warm {
        let mut dice = Dice(seed);
        let room = Room::draw(stock, &mut dice);
        let other = room.other(stock, &mut dice);
        let lit = Lit { day: dice.between(0.1, 1.0), lamp: dice.between(0.0, 0.7), ..Lit::DAY };
        let integrity = Integrity::new(Wanted { frames_per_10s: (10_000 / period_ms) as u16, ..Wanted::default() });
        let (camera, life) = (Camera::new(dice.next()), Life::new(dice.next()));
        let busy = [0.0, 1.0, 4.0][dice.below(3)];
        let mut warm = Warm { room, other, camera, life, integrity, lit, busy, t: 9.0 * 3600.0, period_ms, dice };
        for _ in 0..WARM {
            let (picture, hash) = warm.frame(stock);
            let now_ms = warm.now_ms();
            feed(&mut warm.integrity, &picture, TINT, hash, now_ms, CARE);
        }
        warm
    }

    fn now_ms(&self) -> i64 {
        (f64::from(self.t) * 1000.0) as i64
    }

    fn light(&mut self, stock: &Stock, dt: f32) -> Light {
        self.t += dt;
        self.life.step(stock, self.t, dt, self.busy, false);
        self.room.light(stock, self.lit, &self.life.people(), &self.life.things)
    }

    fn shot(&mut self, stock: &Stock, light: &Light) -> Vec<u8> {
        let mut picture = self.camera.film(stock, &self.room, light);
        if self.room.clock {
            write_clock(&mut picture, self.t as i64);
        }
        picture
    }

    fn frame(&mut self, stock: &Stock) -> (Vec<u8>, u64) {
        let light = self.light(stock, self.period_ms as f32 / 1000.0);
        let picture = self.shot(stock, &light);
        jpeg(&picture, self.room.quality())
    }

    /// Whether anything is believed to be wrong already.
    pub fn blind(&self) -> &BTreeMap<Blindness, i64> {
        self.integrity.blind()
    }

    /// What became of it: [`Outcome`].
    pub fn attacked(&self, stock: &Stock, attack: Attack) -> Outcome {
        let mut w = self.clone();
        let start_ms = w.now_ms();
        let dt = w.period_ms as f32 / 1000.0;
        let (mut tape, mut wrong_from_ms, mut watch_ms) = (Vec::new(), start_ms, 30_000);
        let held = w.frame(stock);
        w.t -= dt;
        if let Attack::Loop(frames, _) | Attack::Play(frames) = attack {
            let step = if matches!(attack, Attack::Play(_)) { 0.1 } else { dt };
            let mut recorder = w.clone();
            for _ in 0..frames {
                let light = recorder.light(stock, step);
                let picture = recorder.shot(stock, &light);
                let first = jpeg(&picture, w.room.quality());
                tape.push(match attack {
                    Attack::Loop(_, Some(quality)) => jpeg(&first.0, quality),
                    _ => first,
                });
            }
            wrong_from_ms = i64::MAX;
            watch_ms = 700_000;
        }
        let mut shown = BTreeSet::new();
        let seed = w.dice.next();
        let mut any = None;
        let mut n = 0i64;
        loop {
            n += 1;
            let now_ms = start_ms + n * w.period_ms;
            if now_ms - start_ms > watch_ms {
                return Outcome { named: None, any, after: (now_ms - start_ms) as f32 / 1000.0, measures: w.integrity.measures().clone() };
            }
            let (picture, hash) = match attack {
                Attack::Stand => held.clone(),
                Attack::StandWithClock => {
                    let mut picture = held.0.clone();
                    write_clock(&mut picture, now_ms / 1000);
                    jpeg(&picture, w.room.quality())
                }
                Attack::Loop(..) | Attack::Play(_) => {
                    // Frames are taken when they are taken: one of the video or the next.
                    let frame = match attack {
                        Attack::Play(_) => ((now_ms - start_ms) as f32 / 100.0 + w.dice.between(0.5, 1.5)) as usize,
                        _ => n as usize - 1,
                    } % tape.len();
                    if !shown.insert(frame) {
                        wrong_from_ms = wrong_from_ms.min(now_ms);
                    }
                    tape[frame].clone()
                }
                _ => {
                    let light = w.light(stock, dt);
                    let light = w.tampered(stock, light, attack, seed);
                    let picture = w.shot(stock, &light);
                    jpeg(&picture, w.room.quality())
                }
            };
            match attack {
                Attack::Silence => w.integrity.due(now_ms, CARE),
                Attack::Slow if n % 4 != 0 => w.integrity.due(now_ms, CARE),
                Attack::Small => {
                    let small: Vec<u8> =
                        picture.chunks_exact(WIDTH).step_by(2).flat_map(|row| row.iter().step_by(2).flat_map(|v| [*v; 3])).collect();
                    let facts =
                        FrameFacts { received_ms: now_ms, captured_ms: None, sequence: None, width: 160, height: 90, picture_hash: hash };
                    w.integrity.see(&facts, Rgb { width: 160, height: 90, bytes: &small }, CARE);
                }
                Attack::ClockOff | Attack::ClockStands => {
                    let captured = if attack == Attack::ClockOff { now_ms + 120_000 + (seed % 86_400_000) as i64 } else { start_ms };
                    let bytes = coloured(&picture, TINT);
                    let (width, height) = (WIDTH as u32, HEIGHT as u32);
                    let facts =
                        FrameFacts { received_ms: now_ms, captured_ms: Some(captured), sequence: None, width, height, picture_hash: hash };
                    w.integrity.see(&facts, Rgb { width, height, bytes: &bytes }, CARE);
                }
                _ => feed(&mut w.integrity, &picture, TINT, hash, now_ms, CARE),
            }
            let delay = now_ms.saturating_sub(wrong_from_ms).max(0) as f32 / 1000.0;
            if !w.integrity.blind().is_empty() {
                any.get_or_insert(delay);
            }
            if w.integrity.blind().contains_key(&attack.expects()) {
                let after = (now_ms - start_ms) as f32 / 1000.0;
                return Outcome { named: Some(delay), any, after, measures: w.integrity.measures().clone() };
            }
        }
    }

    fn tampered(&mut self, stock: &Stock, light: Light, attack: Attack, seed: u64) -> Light {
        let mut dice = Dice(seed);
        let each = |f: &dyn Fn(f32, f32, f32) -> f32| -> Light {
            light.iter().enumerate().map(|(at, v)| f((at % WIDTH) as f32 / WIDTH as f32, (at / WIDTH) as f32 / HEIGHT as f32, *v)).collect()
        };
        let mean = light.iter().sum::<f32>() / light.len() as f32 / 105.0;
        let (ax, ay) = (dice.between(-0.4, 0.4), dice.between(-0.4, 0.4));
        let shade = |x: f32, y: f32| 1.0 + ax * (x - 0.5) + ay * (y - 0.5);
        // A hand trembles, a cloth sways.
        let sway = 0.01 * self.camera.dice.normal();
        match attack {
            Attack::Cap => vec![0.02; light.len()],
            Attack::Hand(share, level) => {
                let angle = dice.between(0.0, std::f32::consts::TAU);
                let (sin, cos) = angle.sin_cos();
                let reach = 0.5 * (cos.abs() + sin.abs());
                // So that `share` of the area is behind a straight border: near enough for these angles.
                let border = (share - 0.5) * 2.0 * reach * if cos.abs() > 0.92 || sin.abs() > 0.92 { 1.0 } else { 0.85 };
                each(&|x, y, v| {
                    let along = (x - 0.5) * cos + (y - 0.5) * sin;
                    let mask = ((border + sway - along) / 0.10 + 0.5).clamp(0.0, 1.0);
                    v + mask * (level * mean * shade(x, y) - v)
                })
            }
            Attack::Cloth(level) => each(&|x, y, _| {
                let fold = 1.0 + 0.12 * ((x + sway) * 9.0 + 3.0 * y).sin() + 0.05 * ((x * 21.0 - y * 13.0) + sway * 20.0).sin();
                level * mean * shade(x, y) * fold
            }),
            Attack::Paper(level) => each(&|x, y, _| level * mean * shade(x, y)),
            Attack::Dim(share) => light.iter().map(|v| v * share / mean.max(0.05)).collect(),
            Attack::Burn(gain) => {
                self.camera.stuck = Some(gain);
                light
            }
            Attack::Blur(sigma) => blurred(&light, WIDTH, HEIGHT, sigma, sigma),
            Attack::Smear(sigma, veil) => {
                let wiped = if seed.is_multiple_of(2) {
                    blurred(&light, WIDTH, HEIGHT, sigma, sigma / 3.0)
                } else {
                    blurred(&light, WIDTH, HEIGHT, sigma / 3.0, sigma)
                };
                wiped.iter().map(|v| v * (1.0 - veil) + veil * 140.0 * mean).collect()
            }
            Attack::Shift(dx, dy) => {
                let wide = self.beyond(stock, &light);
                each(&|x, y, _| wide(x + dx, y + dy))
            }
            Attack::Turn(degrees) => {
                let wide = self.beyond(stock, &light);
                let (sin, cos) = degrees.to_radians().sin_cos();
                let aspect = WIDTH as f32 / HEIGHT as f32;
                each(&|x, y, _| {
                    let (u, v) = ((x - 0.5) * aspect, y - 0.5);
                    wide((cos * u - sin * v) / aspect + 0.5, sin * u + cos * v + 0.5)
                })
            }
            Attack::Away => self.other.light(stock, self.lit, &[], &[]),
            _ => light,
        }
    }

    /// The view, and beyond its borders what another room shows there.
    fn beyond<'a>(&self, stock: &Stock, light: &'a Light) -> impl Fn(f32, f32) -> f32 + 'a {
        let other = self.other.light(stock, self.lit, &[], &[]);
        move |x, y| {
            let inside = (0.0..1.0).contains(&x) && (0.0..1.0).contains(&y);
            let (x, y) = (x.rem_euclid(1.0) * WIDTH as f32, y.rem_euclid(1.0) * HEIGHT as f32);
            sample(if inside { light } else { &other }, WIDTH, HEIGHT, x, y)
        }
    }
}
