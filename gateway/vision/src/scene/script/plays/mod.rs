//! What happens: for each hazard of the cameras several plots in which it does, and several that resemble it and are harmless; a file for each.
use super::Dice;
use super::body::Actor;
use super::eye::{Eye, Prop};
use crate::setup::Camera;
use stage::Stage;

mod climb;
mod covered;
mod crowd;
mod ebike;
mod exit;
mod fall;
mod intrusion;
mod left;
mod nap_watch;
mod prone;
mod ratio;
mod stage;
mod stranger;
mod unattended;

/// The zones of a play.
pub const ROOM: &str = "room";
pub const PLACE: &str = "place";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hazard {
    Unattended,
    UnattendedNap,
    Ratio,
    Exit,
    Fall,
    Climb,
    Intrusion,
    Prone,
    Covered,
    Stranger,
    LeftBehind,
    EBike,
    Crowding,
}

pub const HAZARDS: [Hazard; 13] = [
    Hazard::Unattended,
    Hazard::UnattendedNap,
    Hazard::Ratio,
    Hazard::Exit,
    Hazard::Fall,
    Hazard::Climb,
    Hazard::Intrusion,
    Hazard::Prone,
    Hazard::Covered,
    Hazard::Stranger,
    Hazard::LeftBehind,
    Hazard::EBike,
    Hazard::Crowding,
];

impl Hazard {
    /// As it is called in the hazard catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Hazard::Unattended => "room.unattended",
            Hazard::UnattendedNap => "room.unattended (nap)",
            Hazard::Ratio => "ratio.low (1:3)",
            Hazard::Exit => "exit.child_unattended",
            Hazard::Fall => "child.fall",
            Hazard::Climb => "child.climb",
            Hazard::Intrusion => "zone.intrusion",
            Hazard::Prone => "nap.prone (face down)",
            Hazard::Covered => "nap.prone (covered)",
            Hazard::Stranger => "stranger.after_hours",
            Hazard::LeftBehind => "left.behind",
            Hazard::EBike => "ebike.in_escape",
            Hazard::Crowding => "crowding",
        }
    }

    /// How long it must last, as the rule packs have it.
    pub fn hold_ms(self) -> i64 {
        1000 * match self {
            Hazard::Unattended | Hazard::EBike => 60,
            Hazard::UnattendedNap => 300,
            Hazard::Ratio => 600,
            Hazard::Fall => 10,
            Hazard::Climb => 2,
            Hazard::Prone | Hazard::Crowding => 30,
            Hazard::Covered => 120,
            Hazard::LeftBehind => 180,
            Hazard::Exit | Hazard::Intrusion | Hazard::Stranger => 0,
        }
    }
}

/// One scene.
#[derive(Debug, Clone)]
pub struct Play {
    pub hazard: Hazard,
    /// The hazard is there.
    pub positive: bool,
    pub plot: &'static str,
    pub eye: Eye,
    pub camera: Camera,
    pub actors: Vec<Actor>,
    pub props: Vec<Prop>,
    pub fps: f64,
    pub lasts_s: f64,
    /// When the hazard begins.
    pub from_s: f64,
    pub nap: bool,
    /// When the door opens.
    pub door_s: f64,
}

/// What a plot fills in.
#[derive(Default)]
pub struct Plot {
    pub name: &'static str,
    pub actors: Vec<Actor>,
    pub props: Vec<Prop>,
    pub lasts_s: f64,
    pub from_s: f64,
    pub nap: bool,
    pub door_s: f64,
}

/// The play of a seed. Seeds that differ give other cameras, marks, people, times and errors of the model.
pub fn play(hazard: Hazard, positive: bool, seed: u64) -> Option<Play> {
    for attempt in 0..50_u64 {
        let mut dice =
            Dice::new(seed.wrapping_mul(1009).wrapping_add(attempt * 7_919).wrapping_add(hazard as u64 * 131 + u64::from(positive)));
        let eye = Eye::new(&mut dice);
        let mut stage = Stage { dice, eye, areas: Vec::new(), beds: Vec::new() };
        let Some(plot) = plot(&mut stage, hazard, positive, seed) else { continue };
        let Some(floor) = stage.marks() else { continue };
        let camera = Camera { device: "cam".to_owned(), areas: stage.areas.clone(), floor: Some(floor), rate: 10 };
        if camera.check().is_err() {
            continue;
        }
        let fps = match hazard {
            Hazard::Fall | Hazard::Climb => stage.dice.one_of(&[1.0, 2.0, 2.0, 4.0], 1.0),
            Hazard::Ratio | Hazard::UnattendedNap | Hazard::Covered | Hazard::LeftBehind => stage.dice.one_of(&[0.5, 1.0], 1.0),
            _ => stage.dice.one_of(&[0.5, 1.0, 1.0, 2.0, 4.0], 1.0),
        };
        let Plot { name, actors, props, lasts_s, from_s, nap, door_s } = plot;
        let eye = stage.eye;
        return Some(Play { hazard, positive, plot: name, eye, camera, actors, props, fps, lasts_s, from_s, nap, door_s });
    }
    None
}

fn plot(stage: &mut Stage, hazard: Hazard, positive: bool, seed: u64) -> Option<Plot> {
    let s = stage;
    match (hazard, positive) {
        (Hazard::Unattended, true) => unattended::unattended(s, seed),
        (Hazard::Unattended, false) => unattended::attended(s, seed),
        (Hazard::UnattendedNap, _) => nap_watch::nap_watch(s, positive, seed),
        (Hazard::Ratio, _) => ratio::ratio(s, positive, seed),
        (Hazard::Exit, _) => exit::exit(s, positive, seed),
        (Hazard::Fall, true) => fall::fall(s, seed),
        (Hazard::Fall, false) => fall::no_fall(s, seed),
        (Hazard::Climb, _) => climb::climb(s, positive, seed),
        (Hazard::Intrusion, _) => intrusion::intrusion(s, positive, seed),
        (Hazard::Prone, _) => prone::prone(s, positive, seed),
        (Hazard::Covered, _) => covered::covered(s, positive, seed),
        (Hazard::Stranger, _) => stranger::stranger(s, positive, seed),
        (Hazard::LeftBehind, _) => left::left(s, positive, seed),
        (Hazard::EBike, _) => ebike::ebike(s, positive, seed),
        (Hazard::Crowding, _) => crowd::crowd(s, positive, seed),
    }
}
