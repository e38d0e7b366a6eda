//! The simulated nursery: site, day and devices, ready to be played.
use super::camera::Camera;
use super::device::Device;
use super::recording::Recording;
use super::scenario::Day;
use super::signal::Recordings;
use crate::engine::site::Site;

pub struct Nursery {
    pub site: Site,
    pub day: Day,
    /// Seed of all jitter.
    pub seed: u64,
    pub devices: Vec<Device>,
    pub cameras: Vec<Camera>,
    /// UTC milliseconds of the played day's local midnight.
    pub midnight: i64,
}

impl Nursery {
    /// The nursery that is built into the program. `seed` instead of the day's own.
    ///
    /// # Errors
    /// Everything that is wrong with the built-in data.
    pub fn built_in(seed: Option<u64>) -> Result<Nursery, String> {
        Nursery::load(seed, false)
    }
    /// The same with ten times the noise: sensors that flap and chatter, and a network that brings every numbered message three times.
    ///
    /// # Errors
    /// Everything that is wrong with the built-in data.
    pub fn noisy(seed: Option<u64>) -> Result<Nursery, String> {
        Nursery::load(seed, true)
    }
    fn load(seed: Option<u64>, noisy: bool) -> Result<Nursery, String> {
        let site: Site = toml::from_str(super::SITE).map_err(|e| format!("site.toml: {e}"))?;
        let mut day = Day::parse(super::DAY).map_err(|e| format!("day.toml: {e}"))?;
        if !noisy {
            day.noise.clear();
        }
        let mut recordings = Recordings::new();
        for (name, csv) in [("office", super::OFFICE), ("lab", super::LAB)] {
            recordings.insert(name.to_owned(), Recording::parse(csv).map_err(|e| format!("{name}.csv: {e}"))?);
        }
        Nursery::new(site, day, &recordings, seed)
    }

    /// # Errors
    /// Everything in which day, site and recordings disagree.
    pub fn new(site: Site, day: Day, recordings: &Recordings, seed: Option<u64>) -> Result<Nursery, String> {
        let seed = seed.unwrap_or(day.seed);
        let mut problems = day.problems(&site);
        let mut devices = Vec::new();
        for spec in &day.device {
            let place = site.devices.iter().find(|p| p.id == spec.id);
            match Device::new(spec, &day, place, recordings, seed) {
                Ok(device) => devices.push(device),
                Err(problem) => problems.push(problem),
            }
        }
        let mut cameras = Vec::new();
        for spec in &day.camera {
            match Camera::new(spec, &day, seed) {
                Ok(camera) => cameras.push(camera),
                Err(problem) => problems.push(problem),
            }
        }
        match super::midnight_utc_ms(&day.date, site.utc_offset_minutes) {
            Some(midnight) if problems.is_empty() => Ok(Nursery { site, day, seed, devices, cameras, midnight }),
            _ => Err(problems.join("\n")),
        }
    }

    /// UTC milliseconds at that second of the local day.
    pub fn utc_ms(&self, second: u32) -> i64 {
        self.midnight.saturating_add(i64::from(second).saturating_mul(1000))
    }

    /// How fast the day's clock runs when the whole day takes that long.
    pub fn speed(&self, whole: std::time::Duration) -> f64 {
        let day = f64::from(self.day.to.0.saturating_sub(self.day.from.0));
        day / whole.as_secs_f64().max(1.0)
    }
}
