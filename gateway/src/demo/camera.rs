//! One simulated camera: real video frames, filmed again with fresh sensor noise at every step, so that it is neither frozen nor a loop.
//!
//! The frames are of Intel's sample videos, CC BY 4.0 (`demo-data/cameras/ATTRIBUTION.md`).
use super::scenario::{Camera as Spec, Day, Span};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rust_embed::RustEmbed;
use tuoan_protocol::codec::Wire as _;
use tuoan_protocol::{DeviceId, DeviceTime, FrameHeader, SiteId};
use tuoan_vision::picture::{Limits, Picture};

/// Sizes as a camera's smallest stream has them; what matters to the day is to be seen at that size.
const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;
const QUALITY: u8 = 80;
/// Largest deviation of a pixel by noise, of 255: that of the clips themselves is about 2.
const NOISE: i8 = 3;
/// What is left of the light under a cover.
const UNDER_COVER: [u8; 3] = [6, 6, 7];

#[derive(RustEmbed)]
#[folder = "demo-data/cameras/"]
struct Clips;

pub struct Camera {
    pub id: DeviceId,
    /// Names this start of the camera for ever.
    pub boot: u64,
    seq: u64,
    /// The view when nobody is there.
    still: Picture,
    scenes: Vec<Scene>,
    covers: Vec<Span>,
    noise: Vec<i8>,
    rng: Xoshiro256PlusPlus,
}

/// A stretch of the clip, played over and over while it lasts.
struct Scene {
    span: Span,
    frames: Vec<Picture>,
}

impl Camera {
    /// # Errors
    /// Names what the day says of the camera and cannot be done.
    pub fn new(spec: &Spec, day: &Day, seed: u64) -> Result<Camera, String> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(
            seed ^ spec.id.as_str().bytes().fold(7, |h: u64, b| h.wrapping_mul(31).wrapping_add(u64::from(b))),
        );
        let frame = |number: u32| {
            let name = format!("{}/{number:04}.jpg", spec.clip);
            let file = Clips::get(&name).ok_or_else(|| format!("camera {}: there is no frame {name}", spec.id))?;
            let picture = Picture::decode(&file.data, &Limits::default()).map_err(|e| format!("camera {}: {name}: {e}", spec.id))?;
            Ok::<_, String>(picture.resized(WIDTH, HEIGHT))
        };
        let mut scenes = Vec::new();
        for s in &spec.scene {
            let frames = (s.frames.0..=s.frames.1).map(frame).collect::<Result<Vec<_>, _>>()?;
            scenes.push(Scene { span: s.during, frames });
        }
        let staged = day.staged.iter().filter(|s| s.cover && s.device.as_ref() == Some(&spec.id));
        Ok(Camera {
            id: spec.id.clone(),
            boot: rng.random_range(1..1 << 48),
            seq: 0,
            still: frame(spec.still)?,
            scenes,
            covers: staged.filter_map(|s| Some(Span { from: s.at.0, to: s.until?.0 })).collect(),
            // Longer than a picture, so that no two frames begin at the same place of it.
            noise: (0..WIDTH * HEIGHT * 3 * 2).map(|_| rng.random_range(-NOISE..=NOISE)).collect(),
            rng,
        })
    }

    /// Whether somebody is before the camera, and whether it is covered.
    #[cfg(test)]
    pub(crate) fn stands(&self, second: u32) -> (bool, bool) {
        (self.scenes.iter().any(|s| s.span.holds(second)), self.covers.iter().any(|c| c.holds(second)))
    }

    /// The frame of that second as it goes over the wire: header and JPEG.
    ///
    /// # Errors
    /// The picture cannot be written.
    pub fn frame(&mut self, site: &SiteId, second: u32, step_s: u32, utc_ms: i64) -> Result<Vec<u8>, String> {
        let scene = self.scenes.iter().find(|s| s.span.holds(second));
        let shown = scene.and_then(|s| {
            let at = second.saturating_sub(s.span.from) / step_s.max(1);
            s.frames.get(usize::try_from(at).unwrap_or(0) % s.frames.len().max(1))
        });
        let dark;
        let shown = match self.covers.iter().any(|c| c.holds(second)) {
            true => {
                dark = Picture::plain(WIDTH, HEIGHT, UNDER_COVER);
                &dark
            }
            false => shown.unwrap_or(&self.still),
        };
        let from = self.rng.random_range(0..self.noise.len().saturating_sub(shown.rgb().len()).max(1));
        let noise = self.noise.iter().skip(from);
        let rgb = shown.rgb().iter().zip(noise).map(|(pixel, noise)| pixel.saturating_add_signed(*noise)).collect();
        let what = |e: &dyn std::fmt::Display| format!("camera {}: {e}", self.id);
        let jpeg = Picture::new(WIDTH, HEIGHT, rgb).and_then(|p| p.to_jpeg(QUALITY)).map_err(|e| what(&e))?;
        self.seq = self.seq.saturating_add(1);
        let header = FrameHeader {
            site: site.clone(),
            device: self.id.clone(),
            boot: self.boot,
            seq: self.seq,
            time: DeviceTime::Unix(utc_ms),
            width: u16::try_from(WIDTH).unwrap_or(u16::MAX),
            height: u16::try_from(HEIGHT).unwrap_or(u16::MAX),
            size: u32::try_from(jpeg.len()).map_err(|e| what(&e))?,
        };
        let mut bytes = header.to_cbor_vec().map_err(|e| what(&e))?;
        bytes.extend_from_slice(&jpeg);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use crate::demo::nursery::Nursery;
    use tuoan_protocol::FrameHeader;
    use tuoan_vision::picture::{Limits, Picture};

    #[test]
    fn a_camera_shows_the_room_then_a_person_then_nothing_and_never_the_same_bytes_twice() {
        let mut nursery = Nursery::built_in(Some(5)).unwrap();
        let (site, step) = (nursery.site.id.clone(), nursery.day.step_s);
        let cover = nursery.day.staged.iter().find(|s| s.cover).unwrap();
        let (covered, camera) = (cover.at.0, cover.device.clone().unwrap());
        let camera = nursery.cameras.iter_mut().find(|c| c.id == camera).unwrap();
        let mut shown = |second: u32| {
            let bytes = camera.frame(&site, second, step, 0).unwrap();
            let (header, jpeg) = FrameHeader::split(&bytes).unwrap();
            assert_eq!((header.size as usize, header.device.clone()), (jpeg.len(), camera.id.clone()));
            let light = |p: &Picture| p.luma().iter().map(|l| u64::from(*l)).sum::<u64>() / p.luma().len() as u64;
            (jpeg.to_vec(), light(&Picture::decode(jpeg, &Limits::default()).unwrap()))
        };
        let (a, light) = shown(covered - 5);
        let (b, again) = shown(covered - 5);
        assert!(a != b && light > 60 && light.abs_diff(again) < 3);
        assert!(shown(covered).1 < 15);
    }
}
