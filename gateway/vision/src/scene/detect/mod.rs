//! One file per hazard. Each says what is so at this moment, steadied over a second or two; how long it must last stands in the rule packs.
pub mod climb;
pub mod crowded;
pub mod ebike;
pub mod fall;
pub mod intrusion;
pub mod nap;
pub mod unattended;

use super::area::Polygon;
use super::body::{At, Body};
use super::track::{Age, Track};
use super::{Answer, ZoneFacts};
use crate::setup::AreaKind;
use crate::sight::Sight;
use std::collections::VecDeque;

/// An area as the detectors see it.
#[derive(Debug, Clone)]
pub struct Area {
    pub kind: AreaKind,
    /// Index of the zone that its findings belong to.
    pub zone: usize,
    pub polygon: Polygon,
}

/// Someone who is there, and which zones that counts for.
#[derive(Debug)]
pub struct Seen<'a> {
    pub track: &'a Track,
    pub age: Age,
    pub foot: At,
    pub zones: Vec<usize>,
}

/// One frame, as it looks from one zone.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The tracker's time, which never goes back.
    pub now_ms: i64,
    /// Typical time between frames.
    pub interval_ms: i64,
    pub sight: &'a Sight,
    pub aspect: f32,
    pub floor: Option<&'a super::floor::Floor>,
    pub areas: &'a [Area],
    pub zone: usize,
    /// Everybody before the camera, of whatever zone.
    pub everybody: &'a [Seen<'a>],
    /// More people may be there than are seen.
    pub at_least: bool,
    pub facts: &'a ZoneFacts,
}

impl<'a> Look<'a> {
    /// Who is in the zone.
    pub fn people(&self) -> impl Iterator<Item = &'a Seen<'a>> {
        let zone = self.zone;
        self.everybody.iter().filter(move |s| s.zones.contains(&zone))
    }

    /// The zone's areas of these kinds.
    pub fn areas(&self, kinds: &'static [AreaKind]) -> impl Iterator<Item = &'a Area> {
        let zone = self.zone;
        self.areas.iter().filter(move |a| a.zone == zone && kinds.contains(&a.kind))
    }

    pub fn body(&self, track: &'a Track) -> Body<'a> {
        Body { person: &track.person, aspect: self.aspect }
    }
}

/// What most of the last frames say. With one frame within the time, that one.
#[derive(Debug)]
pub struct Steady {
    over_ms: i64,
    said: VecDeque<(i64, Answer)>,
}

impl Steady {
    const MOST: usize = 64;

    pub fn new(over_ms: i64) -> Steady {
        Steady { over_ms, said: VecDeque::new() }
    }

    pub fn see(&mut self, now_ms: i64, answer: Answer) -> Answer {
        self.said.push_back((now_ms, answer));
        while self.said.len() > Self::MOST || self.said.front().is_some_and(|(at, _)| now_ms - at > self.over_ms) {
            self.said.pop_front();
        }
        let count = |what: Answer| self.said.iter().filter(|(_, a)| *a == what).count();
        let (yes, cannot, all) = (count(Answer::Yes), count(Answer::CannotTell), self.said.len());
        match () {
            () if yes * 2 > all => Answer::Yes,
            () if (yes + cannot) * 2 > all => Answer::CannotTell,
            () => Answer::No,
        }
    }
}

/// The most that any of them says: yes before cannot tell before no.
pub fn most(answers: impl IntoIterator<Item = Answer>) -> Answer {
    answers.into_iter().fold(Answer::No, |most, a| match (most, a) {
        (Answer::Yes, _) | (_, Answer::Yes) => Answer::Yes,
        (Answer::CannotTell, _) | (_, Answer::CannotTell) => Answer::CannotTell,
        (Answer::No, Answer::No) => Answer::No,
    })
}
