//! How long a look takes: `cargo run --release -p tuoan-vision --example integrity-speed`.
use std::time::Instant;

use tuoan_vision::integrity::{Context, FrameFacts, Integrity, Rgb, Wanted};

// A benchmark reads the clock.
#[allow(clippy::disallowed_methods)]
fn main() {
    for (width, height) in [(320u32, 180u32), (640, 360), (1280, 720), (1920, 1080)] {
        for (name, moved) in [("in place", 0), ("moved", 37)] {
            let mut integrity = Integrity::new(Wanted::default());
            let mut state = 1u32;
            let mut picture = |shift: u32| -> Vec<u8> {
                let mut bytes = Vec::with_capacity((width * height * 3) as usize);
                for y in 0..height {
                    for x in 0..width {
                        state ^= state << 13;
                        state ^= state >> 17;
                        state ^= state << 5;
                        let (u, v) = ((x + shift * width / 320) * 320 / width, y * 180 / height);
                        let room = 60 + 90 * ((u / 37 + v / 29 + u * v / 5000) % 2);
                        bytes.extend([(room + state % 6) as u8; 3]);
                    }
                }
                bytes
            };
            let frames: Vec<Vec<u8>> = (0..120).map(|n| picture(if n < 20 { 0 } else { moved })).collect();
            let mut times = Vec::new();
            for (n, bytes) in frames.iter().enumerate() {
                let at = n as i64 * 1000;
                let facts = FrameFacts { received_ms: at, captured_ms: Some(at), sequence: None, width, height, picture_hash: n as u64 };
                let start = Instant::now();
                integrity.see(&facts, Rgb { width, height, bytes }, Context { care_hours: true, nap: false });
                if n >= 20 {
                    times.push(start.elapsed().as_secs_f64() * 1000.0);
                }
            }
            times.sort_by(f64::total_cmp);
            println!("{width} x {height}, {name}: median {:.2} ms, worst of 100 {:.2} ms; {:?}", times[50], times[99], integrity.blind());
        }
    }
}
