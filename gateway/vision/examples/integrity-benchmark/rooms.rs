//! Rooms that are filmed: the empty views and the people of the recorded pictures, lit, walked through and filmed again with a sensor's noise, so that hours
//! can be had from minutes and every run can be repeated from its seed.
use std::error::Error;
use std::path::Path;

pub const WIDTH: usize = 320;
pub const HEIGHT: usize = 180;
const PIXELS: usize = WIDTH * HEIGHT;

/// SplitMix64: repeatable, and good enough to draw scenes with.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// 0 to 1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
    /// 0 to `n` - 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }
    pub fn normal(&mut self) -> f32 {
        let (a, b) = (self.unit().max(1e-7), self.unit());
        (-2.0 * a.ln()).sqrt() * (std::f32::consts::TAU * b).cos()
    }
}

/// Light that reaches the camera, by pixel; 0 to 255 in ordinary light.
pub type Light = Vec<f32>;

/// A person cut out of a recorded picture.
#[derive(Debug, Clone)]
pub struct Person {
    width: usize,
    height: usize,
    light: Vec<f32>,
    mask: Vec<f32>,
}

/// What the recordings give.
pub struct Stock {
    /// Empty views, brightness and what an infrared camera would see (the red share).
    plates: Vec<(Light, Light, usize, usize)>,
    people: Vec<Person>,
    noise: Vec<f32>,
}

impl Stock {
    /// From `gateway/demo-data/cameras`.
    pub fn load(folder: &Path) -> Result<Stock, Box<dyn Error>> {
        let picture = |name: String| -> Result<image::RgbImage, Box<dyn Error>> { Ok(image::open(folder.join(name))?.into_rgb8()) };
        let empty_walk = (0..6).chain([31, 32, 55, 57]).map(|n| picture(format!("walk/{n:04}.jpg"))).collect::<Result<Vec<_>, _>>()?;
        let empty_room = (15..23).map(|n| picture(format!("room/{n:04}.jpg"))).collect::<Result<Vec<_>, _>>()?;
        let (walk, room) = (middle(&empty_walk), middle(&empty_room));
        let mut people = Vec::new();
        for n in [17, 21, 25, 30, 37, 45, 52, 62, 70, 78, 88, 96, 104, 112, 120, 128] {
            people.extend(cut_out(&picture(format!("walk/{n:04}.jpg"))?, &walk));
        }
        let plates = [walk, room]
            .iter()
            .map(|p| {
                let luma = p.pixels().map(|p| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2])).collect();
                let infrared =
                    p.pixels().map(|p| 0.8 * f32::from(p[0]) + 0.35 * (255.0 - f32::from(p[2])) * f32::from(p[0]) / 255.0).collect();
                (luma, infrared, p.width() as usize, p.height() as usize)
            })
            .collect();
        let mut dice = Dice(7);
        Ok(Stock { plates, people, noise: (0..1 << 16).map(|_| dice.normal()).collect() })
    }

    pub fn people(&self) -> usize {
        self.people.len()
    }
}

fn middle(pictures: &[image::RgbImage]) -> image::RgbImage {
    let mut out = pictures[0].clone();
    for (at, value) in out.iter_mut().enumerate() {
        let mut values: Vec<u8> = pictures.iter().map(|p| p.as_raw()[at]).collect();
        values.sort_unstable();
        *value = values[values.len() / 2];
    }
    out
}

/// What differs from the empty view, if it is one thing of a person's size.
fn cut_out(picture: &image::RgbImage, empty: &image::RgbImage) -> Option<Person> {
    let (w, h) = (picture.width() as usize, picture.height() as usize);
    let differs: Vec<f32> = picture
        .as_raw()
        .chunks_exact(3)
        .zip(empty.as_raw().chunks_exact(3))
        .map(|(a, b)| if (0..3).any(|c| a[c].abs_diff(b[c]) > 26) { 1.0 } else { 0.0 })
        .collect();
    let smooth = blurred(&differs, w, h, 2.0, 2.0);
    let columns: Vec<usize> = (0..w).filter(|x| (0..h).filter(|y| smooth[y * w + x] > 0.5).count() > 8).collect();
    let rows: Vec<usize> = (0..h).filter(|y| (0..w).filter(|x| smooth[y * w + x] > 0.5).count() > 8).collect();
    let (x0, x1, y0, y1) = (*columns.first()?, *columns.last()?, *rows.first()?, *rows.last()?);
    let (width, height) = (x1 + 1 - x0, y1 + 1 - y0);
    if !(20..w * 2 / 5).contains(&width) || height < 60 {
        return None;
    }
    let (mut light, mut mask) = (Vec::new(), Vec::new());
    for y in y0..=y1 {
        for x in x0..=x1 {
            let p = picture.get_pixel(x as u32, y as u32);
            light.push(0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]));
            mask.push(((smooth[y * w + x] - 0.35) * 4.0).clamp(0.0, 1.0));
        }
    }
    Some(Person { width, height, light, mask })
}

/// Three box filters each way: nearly a normal distribution of these standard deviations.
pub fn blurred(cells: &[f32], width: usize, height: usize, sx: f32, sy: f32) -> Vec<f32> {
    fn line(values: &mut [f32], spare: &mut Vec<f32>, sigma: f32) {
        let radius = sigma.max(0.0);
        let (whole, part) = (radius.floor() as isize, radius.fract());
        let n = values.len() as isize;
        for _ in 0..3 {
            spare.clear();
            spare.extend_from_slice(values);
            let at = |i: isize| spare[i.clamp(0, n - 1) as usize];
            let mut sum: f32 = (-whole..=whole).map(at).sum();
            let area = 2.0 * radius + 1.0;
            for i in 0..n {
                values[i as usize] = (sum + part * (at(i - whole - 1) + at(i + whole + 1))) / area;
                sum += at(i + whole + 1) - at(i - whole);
            }
        }
    }
    let mut out = cells.to_vec();
    let mut spare = Vec::new();
    if sx > 0.0 {
        out.chunks_exact_mut(width).for_each(|row| line(row, &mut spare, sx));
    }
    if sy > 0.0 {
        let mut column = Vec::new();
        for x in 0..width {
            column.clear();
            column.extend((0..height).map(|y| out[y * width + x]));
            line(&mut column, &mut spare, sy);
            column.iter().enumerate().for_each(|(y, v)| out[y * width + x] = *v);
        }
    }
    out
}

/// The value at a place between pixels; the border goes on outside.
pub fn sample(cells: &[f32], width: usize, height: usize, x: f32, y: f32) -> f32 {
    let (x, y) = (x.clamp(0.0, width as f32 - 1.001), y.clamp(0.0, height as f32 - 1.001));
    let (i, j) = (x as usize, y as usize);
    let (fx, fy) = (x - i as f32, y - j as f32);
    let at = j * width + i;
    (cells[at] * (1.0 - fx) + cells[at + 1] * fx) * (1.0 - fy) + (cells[at + width] * (1.0 - fx) + cells[at + width + 1] * fx) * fy
}

/// Somebody in the room.
#[derive(Debug, Clone)]
pub struct Placed {
    pub who: usize,
    /// Feet, in shares of the picture.
    pub x: f32,
    pub y: f32,
    /// Height, in shares of the picture's.
    pub tall: f32,
    pub mirrored: bool,
    pub lying: bool,
}

/// How the room is lit.
#[derive(Debug, Clone, Copy)]
pub struct Lit {
    pub day: f32,
    pub lamp: f32,
    /// 1 open.
    pub curtain: f32,
    pub infrared: bool,
    /// A patch of sun: place (share of the width) and strength.
    pub sun: (f32, f32),
}

impl Lit {
    pub const DAY: Lit = Lit { day: 0.6, lamp: 0.5, curtain: 1.0, infrared: false, sun: (0.0, 0.0) };
}

/// A camera in a room: a piece of one of the recorded views with its own light, sensor and coding.
#[derive(Clone)]
pub struct Room {
    plate: usize,
    visible: Light,
    infrared: Light,
    /// How window, lamp and infrared lamp light each pixel.
    window: Light,
    lamp: Light,
    spot: Light,
    /// Standard deviation of the sensor's noise in good light, levels.
    noise: f32,
    most_gain: f32,
    quality: u8,
    /// The camera writes its clock into the picture.
    pub clock: bool,
}

impl Room {
    pub fn draw(stock: &Stock, dice: &mut Dice) -> Room {
        let plate = dice.below(stock.plates.len());
        Room::of(stock, plate, dice)
    }

    /// Another place than `self`.
    pub fn other(&self, stock: &Stock, dice: &mut Dice) -> Room {
        Room::of(stock, self.plate + 1, dice)
    }

    fn of(stock: &Stock, plate: usize, dice: &mut Dice) -> Room {
        let plate = plate % stock.plates.len();
        let (visible, infrared, w, h) = &stock.plates[plate];
        let zoom = dice.between(0.62, 1.0);
        let (left, top) = (dice.unit() * (1.0 - zoom), dice.unit() * (1.0 - zoom));
        let mirrored = dice.chance(0.5);
        let cut = |plate: &Light| {
            let scale = zoom * *w as f32 / WIDTH as f32;
            // The recorded picture is finer: its pixels are averaged as a coarser sensor's would.
            let plate = blurred(plate, *w, *h, (scale - 0.9).max(0.0) * 0.4, (scale - 0.9).max(0.0) * 0.4);
            each(|x, y| {
                let x = if mirrored { 1.0 - x } else { x };
                sample(&plate, *w, *h, (left + zoom * x) * *w as f32, (top + zoom * y) * *h as f32)
            })
        };
        let window_x = if dice.chance(0.5) { -0.1 } else { 1.1 };
        let (lamp_x, lamp_y) = (dice.between(0.2, 0.8), dice.between(-0.2, 0.4));
        Room {
            plate,
            visible: cut(visible),
            infrared: cut(infrared),
            window: each(|x, y| 0.35 + 1.1 * (-1.6 * ((x - window_x).abs() + 0.3 * y)).exp()),
            lamp: each(|x, y| 0.5 + 0.7 * (-2.5 * ((x - lamp_x).powi(2) + (y - lamp_y).powi(2))).exp()),
            spot: each(|x, y| 0.15 + 1.2 * (-4.0 * ((x - 0.5).powi(2) + (y - 0.55).powi(2))).exp()),
            noise: dice.between(0.7, 2.5),
            most_gain: dice.between(3.0, 8.0),
            quality: dice.between(55.0, 88.0) as u8,
            clock: dice.chance(0.5),
        }
    }

    /// What the lens sees.
    pub fn light(&self, stock: &Stock, lit: Lit, people: &[Placed], things: &[Thing]) -> Light {
        let mut light = if lit.infrared { self.infrared.clone() } else { self.visible.clone() };
        for thing in things {
            thing.put(&mut light);
        }
        for p in people {
            put(&mut light, &stock.people[p.who % stock.people.len()], p);
        }
        let day = lit.day * (0.12 + 0.88 * lit.curtain);
        let (sx, strength) = (lit.sun.0, lit.sun.1 * lit.curtain);
        for (at, v) in light.iter_mut().enumerate() {
            // A drawn curtain scatters what it lets through.
            let window = lit.curtain * self.window[at] + (1.0 - lit.curtain) * 0.8;
            let mut falls = day * window + lit.lamp * self.lamp[at] + 0.004;
            if lit.infrared {
                falls += 0.5 * self.spot[at];
            }
            if strength > 0.0 {
                let (x, y) = ((at % WIDTH) as f32 / WIDTH as f32, (at / WIDTH) as f32 / HEIGHT as f32);
                // A slanted band on the floor, with a soft border.
                let off = ((x - sx - 0.25 * (y - 0.7)).abs() - 0.07).max((y - 0.8).abs() - 0.13);
                falls += strength * lit.day * (0.5 - off * 30.0).clamp(0.0, 1.0);
            }
            *v *= falls;
        }
        light
    }
}

/// A piece of furniture that was put there.
#[derive(Debug, Clone)]
pub struct Thing {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
    pub light: f32,
}

impl Thing {
    fn put(&self, light: &mut Light) {
        for y in self.y..(self.y + self.height).min(HEIGHT) {
            for x in self.x..(self.x + self.width).min(WIDTH) {
                light[y * WIDTH + x] = self.light * if (y - self.y) % 14 < 2 || x == self.x { 0.6 } else { 1.0 };
            }
        }
    }
}

fn each(f: impl Fn(f32, f32) -> f32) -> Light {
    (0..PIXELS).map(|at| f((at % WIDTH) as f32 / WIDTH as f32, (at / WIDTH) as f32 / HEIGHT as f32)).collect()
}

fn put(light: &mut Light, who: &Person, p: &Placed) {
    let long = p.tall * HEIGHT as f32;
    let scale = who.height as f32 / long.max(2.0);
    let broad = who.width as f32 / scale;
    let (w, h) = if p.lying { (long, broad) } else { (broad, long) };
    let (x0, y0) = (p.x * WIDTH as f32 - w / 2.0, p.y * HEIGHT as f32 - h);
    for y in (y0.max(0.0) as usize)..((y0 + h).clamp(0.0, HEIGHT as f32) as usize) {
        for x in (x0.max(0.0) as usize)..((x0 + w).clamp(0.0, WIDTH as f32) as usize) {
            let (u, v) = (x as f32 - x0, y as f32 - y0);
            let (u, v) = if p.lying { (v, u) } else { (u, v) };
            let u = if p.mirrored { broad - u } else { u };
            let (i, j) = (((u * scale) as usize).min(who.width - 1), ((v * scale) as usize).min(who.height - 1));
            let mask = who.mask[j * who.width + i];
            let pixel = &mut light[y * WIDTH + x];
            *pixel += mask * (who.light[j * who.width + i] - *pixel);
        }
    }
}

/// Sensor, exposure and coding. Keeps the exposure from frame to frame, as a camera does.
#[derive(Clone)]
pub struct Camera {
    gain: Option<f32>,
    /// A fixed gain: the exposure is broken or tampered with.
    pub stuck: Option<f32>,
    pub dice: Dice,
}

impl Camera {
    pub fn new(seed: u64) -> Camera {
        Camera { gain: None, stuck: None, dice: Dice(seed) }
    }

    /// The picture that the sensor makes: brightness by pixel.
    pub fn film(&mut self, stock: &Stock, room: &Room, light: &Light) -> Vec<u8> {
        let mean = light.iter().step_by(7).sum::<f32>() / (PIXELS / 7) as f32;
        let wanted = (105.0 / mean.max(0.5)).clamp(0.25, room.most_gain);
        let before = self.gain.unwrap_or(wanted);
        let mut gain = before + 0.6 * (wanted - before);
        self.gain = Some(gain);
        if let Some(stuck) = self.stuck {
            gain *= stuck;
        }
        // Exposure hunts a little.
        gain *= 1.0 + 0.008 * self.dice.normal();
        let sigma = room.noise * (0.6 + 0.4 * gain.min(room.most_gain)).max(0.6);
        let mut out = Vec::with_capacity(PIXELS);
        for row in light.chunks_exact(WIDTH) {
            let start = self.dice.below(1 << 16);
            for (x, v) in row.iter().enumerate() {
                let n = stock.noise[(start + x) & 0xffff];
                out.push((v * gain + sigma * n + 0.5).clamp(0.0, 255.0) as u8);
            }
        }
        out
    }
}

/// Seven-segment figures of the time of day at the upper left, as cameras write them.
pub fn write_clock(picture: &mut [u8], at_s: i64) {
    const SEGMENTS: [u8; 10] = [0x3f, 0x06, 0x5b, 0x4f, 0x66, 0x6d, 0x7d, 0x07, 0x7f, 0x6f];
    let s = at_s.rem_euclid(86_400);
    let digits = [s / 36_000, s / 3600 % 10, s / 600 % 6, s / 60 % 10, s / 10 % 6, s % 10];
    for (n, digit) in digits.iter().enumerate() {
        let (x0, y0) = (8 + n * 9 + n / 2 * 4, 5);
        let lit = SEGMENTS[*digit as usize];
        let mut bar = |bit: u8, x: usize, y: usize, w: usize, h: usize| {
            for yy in y..y + h {
                for xx in x..x + w {
                    picture[(y0 + yy) * WIDTH + x0 + xx] = if lit >> bit & 1 == 1 { 250 } else { 20 };
                }
            }
        };
        bar(0, 1, 0, 4, 1);
        bar(1, 5, 1, 1, 4);
        bar(2, 5, 6, 1, 4);
        bar(3, 1, 10, 4, 1);
        bar(4, 0, 6, 1, 4);
        bar(5, 0, 1, 1, 4);
        bar(6, 1, 5, 4, 1);
    }
}

/// Written as JPEG and read again; the hash is of the JPEG.
pub fn jpeg(picture: &[u8], quality: u8) -> (Vec<u8>, u64) {
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality);
    image::ImageEncoder::write_image(encoder, picture, WIDTH as u32, HEIGHT as u32, image::ExtendedColorType::L8)
        .expect("a picture of this size");
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    let back = image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg).expect("what was just written").into_luma8();
    (back.into_raw(), hash)
}

impl Room {
    pub fn quality(&self) -> u8 {
        self.quality
    }
}
