//! The coverage ledger: minute by minute, which zones that must be watched were watched.
//!
//! One [`Day`] is closed at local midnight and never changes. Its canonical bytes are what is signed, sent to the district and handed to an
//! inspector: CBOR in shortest form, integer keys in ascending order, nothing behind them; any other form of the same day is refused. Not for
//! nodes: it allocates, and so it is there with the feature `std` only.
use crate::{LogId, SiteId, ZoneId};
use minicbor::{Decoder, Encoder};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Minutes of a day.
pub const MINUTES: u16 = 1440;
/// Stretches that are told apart in one zone's day; what changes more often is merged into the last one with the worse of both.
pub const MAX_STRETCHES: usize = 96;
/// Zones in one day at most.
pub const MAX_ZONES: usize = 256;
/// Largest canonical form in bytes: what [`MAX_ZONES`] zones with [`MAX_STRETCHES`] stretches can take.
pub const MAX_DAY: usize = 1 << 18;
const VERSION: u8 = 1;

/// What a zone must have, by the obligations of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Need {
    Camera = 1,
    /// Temperature.
    Climate = 2,
    Co2 = 3,
    /// Of a door.
    Contact = 4,
    Gas = 5,
    Smoke = 6,
    /// The camera's recording.
    Recording = 7,
}

impl Need {
    pub const ALL: [Need; 7] = [Need::Camera, Need::Climate, Need::Co2, Need::Contact, Need::Gas, Need::Smoke, Need::Recording];
    /// Name in message files.
    pub fn name(self) -> &'static str {
        match self {
            Need::Camera => "camera",
            Need::Climate => "climate",
            Need::Co2 => "co2",
            Need::Contact => "contact",
            Need::Gas => "gas",
            Need::Smoke => "smoke",
            Need::Recording => "recording",
        }
    }
}

/// Why something was not watched. Numbers stand in signed records: append only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Cause {
    /// Nothing is installed that could watch it.
    Missing = 1,
    /// It has not been heard since it was installed.
    Unheard = 2,
    Silent = 3,
    Fault = 4,
    /// Its numbers stand still, or a camera's picture does.
    Frozen = 5,
    CameraOffline = 6,
    CameraCovered = 7,
    CameraDark = 8,
    CameraOverexposed = 9,
    CameraDefocused = 10,
    CameraMoved = 11,
    CameraLooped = 12,
    CameraClock = 13,
    CameraLowResolution = 14,
    CameraLowRate = 15,
    /// A person has taken it out of service.
    OutOfService = 16,
    /// The zone was under maintenance.
    Maintenance = 17,
    /// The gateway did not run.
    GatewayDown = 18,
    /// The gateway's clock was not to be trusted, or stepped over these minutes.
    Clock = 19,
    /// The recorder did not record the zone's camera.
    Recorder = 20,
}

impl Cause {
    pub const ALL: [Cause; 20] = [
        Cause::Missing,
        Cause::Unheard,
        Cause::Silent,
        Cause::Fault,
        Cause::Frozen,
        Cause::CameraOffline,
        Cause::CameraCovered,
        Cause::CameraDark,
        Cause::CameraOverexposed,
        Cause::CameraDefocused,
        Cause::CameraMoved,
        Cause::CameraLooped,
        Cause::CameraClock,
        Cause::CameraLowResolution,
        Cause::CameraLowRate,
        Cause::OutOfService,
        Cause::Maintenance,
        Cause::GatewayDown,
        Cause::Clock,
        Cause::Recorder,
    ];
    /// Name in message files.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Missing => "missing",
            Cause::Unheard => "unheard",
            Cause::Silent => "silent",
            Cause::Fault => "fault",
            Cause::Frozen => "frozen",
            Cause::CameraOffline => "camera-offline",
            Cause::CameraCovered => "camera-covered",
            Cause::CameraDark => "camera-dark",
            Cause::CameraOverexposed => "camera-overexposed",
            Cause::CameraDefocused => "camera-defocused",
            Cause::CameraMoved => "camera-moved",
            Cause::CameraLooped => "camera-looped",
            Cause::CameraClock => "camera-clock",
            Cause::CameraLowResolution => "camera-low-resolution",
            Cause::CameraLowRate => "camera-low-rate",
            Cause::OutOfService => "out-of-service",
            Cause::Maintenance => "maintenance",
            Cause::GatewayDown => "gateway-down",
            Cause::Clock => "clock",
            Cause::Recorder => "recorder",
        }
    }
}

/// Why, and of what; the whole zone where no need is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reason {
    pub cause: Cause,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<Need>,
}

/// How a zone was watched in one minute. A minute is watched when it was so throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// Nothing was required of it yet: it counts neither way.
    #[default]
    Absent,
    Watched,
    /// Something that is required did not see, or it cannot be relied on; the rest did.
    Degraded(Reason),
    Blind(Reason),
}

impl Sight {
    pub fn blind(cause: Cause, need: Option<Need>) -> Sight {
        Sight::Blind(Reason { cause, need })
    }
    pub fn degraded(cause: Cause, need: Option<Need>) -> Sight {
        Sight::Degraded(Reason { cause, need })
    }
    pub fn is_blind(self) -> bool {
        matches!(self, Sight::Blind(_))
    }
    /// As a number, the worse the higher; so it stands in the canonical bytes.
    pub fn level(self) -> u8 {
        match self {
            Sight::Absent => 0,
            Sight::Watched => 1,
            Sight::Degraded(_) => 2,
            Sight::Blind(_) => 3,
        }
    }
    pub fn reason(self) -> Option<Reason> {
        match self {
            Sight::Absent | Sight::Watched => None,
            Sight::Degraded(r) | Sight::Blind(r) => Some(r),
        }
    }
    /// The worse of both; of two that are equally bad, `self`.
    pub fn worse(self, other: Sight) -> Sight {
        if other.level() > self.level() { other } else { self }
    }
}

/// So many minutes alike, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    pub minutes: u16,
    pub sight: Sight,
}

/// The minutes of one zone from local midnight on, run by run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Run(Vec<Stretch>);

impl Run {
    pub fn stretches(&self) -> &[Stretch] {
        &self.0
    }
    /// Minutes that are told of.
    pub fn minutes(&self) -> u16 {
        self.0.iter().map(|s| s.minutes).sum()
    }
    /// Adds minutes behind; never more than a day holds.
    pub fn push(&mut self, minutes: u16, sight: Sight) {
        let minutes = minutes.min(MINUTES.saturating_sub(self.minutes()));
        if minutes == 0 {
            return;
        }
        let full = self.0.len() >= MAX_STRETCHES;
        match self.0.last_mut() {
            Some(last) if last.sight == sight => last.minutes += minutes,
            Some(last) if full => *last = Stretch { minutes: last.minutes + minutes, sight: last.sight.worse(sight) },
            _ => return self.0.push(Stretch { minutes, sight }),
        }
        // What was merged may now be like the one before it.
        if let [.., before, last] = self.0.as_mut_slice()
            && before.sight == last.sight
        {
            before.minutes += last.minutes;
            self.0.pop();
        }
    }
    /// Forgets all but the first `minutes`.
    pub fn truncate(&mut self, minutes: u16) {
        let mut left = minutes;
        for s in &mut self.0 {
            s.minutes = s.minutes.min(left);
            left -= s.minutes;
        }
        self.0.retain(|s| s.minutes > 0);
    }
    /// The blind stretches, neighbours of different causes as one.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        let mut at = 0;
        for s in &self.0 {
            if let Sight::Blind(reason) = s.sight {
                match gaps.last_mut() {
                    Some(g) if g.from + g.minutes == at => g.minutes += s.minutes,
                    _ => gaps.push(Gap { from: at, minutes: s.minutes, reason }),
                }
            }
            at += s.minutes;
        }
        gaps
    }
    pub fn figure(&self) -> Figure {
        self.0.iter().fold(Figure::default(), |f, s| f.and(s.sight, s.minutes))
    }
    /// A day's worth, in the one form that it has.
    fn is_whole(&self) -> bool {
        // What is read may claim any number of minutes: not added up in their own width.
        self.0.iter().map(|s| u32::from(s.minutes)).sum::<u32>() == u32::from(MINUTES)
            && self.0.len() <= MAX_STRETCHES
            && self.0.iter().all(|s| s.minutes > 0)
            && self.0.windows(2).all(|w| matches!(w, [a, b] if a.sight != b.sight))
    }
}

/// A stretch in which a zone was blind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Minutes since local midnight.
    pub from: u16,
    pub minutes: u16,
    /// What began it.
    pub reason: Reason,
}

/// Minutes by how they were watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figure {
    pub watched: u32,
    pub degraded: u32,
    pub blind: u32,
}

impl Figure {
    fn and(mut self, sight: Sight, minutes: u16) -> Figure {
        let n = u32::from(minutes);
        match sight {
            Sight::Absent => {}
            Sight::Watched => self.watched += n,
            Sight::Degraded(_) => self.degraded += n,
            Sight::Blind(_) => self.blind += n,
        }
        self
    }
    #[must_use]
    pub fn plus(self, other: Figure) -> Figure {
        Figure { watched: self.watched + other.watched, degraded: self.degraded + other.degraded, blind: self.blind + other.blind }
    }
    /// Minutes of which something was required.
    pub fn required(self) -> u32 {
        self.watched + self.degraded + self.blind
    }
    /// Share of the required minutes that were watched, in tenths of a per cent, rounded down: 1000 only when every minute was. `None` where
    /// nothing was required.
    pub fn per_mille(self) -> Option<u16> {
        u16::try_from(u64::from(self.watched) * 1000 / u64::from(self.required()).max(1)).ok().filter(|_| self.required() > 0)
    }
}

/// One zone's day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneDay {
    pub zone: ZoneId,
    pub run: Run,
}

/// A closed day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub site: SiteId,
    pub log: LogId,
    /// From 1, without a gap. Of two days of one date the higher number holds: a clock that was far off has been set right since.
    pub number: u64,
    /// Days since 1970-01-01 by the site's own clock.
    pub date: i64,
    /// Minutes east of UTC.
    pub utc_offset_minutes: i32,
    /// UTC milliseconds at which it was closed, and whether that clock was trusted.
    pub closed_at: i64,
    pub clock_trusted: bool,
    /// In the order of the site's zones.
    pub zones: Vec<ZoneDay>,
}

/// Why bytes are no day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayError {
    TooLong,
    Version(u8),
    /// Not well-formed, or with a value that cannot be; the text says what.
    Malformed(String),
    /// A day, but not in its one canonical form: changed or padded.
    NotCanonical,
}

impl fmt::Display for DayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a ledger's day is longer than {MAX_DAY} bytes"),
            Self::Version(v) => write!(f, "the ledger's day has version {v}, this program reads {VERSION}; update the reader"),
            Self::Malformed(what) => write!(f, "not a day of a coverage ledger: {what}"),
            Self::NotCanonical => f.write_str("a ledger's day that is not in its canonical form: it was changed or padded"),
        }
    }
}
impl std::error::Error for DayError {}

impl Day {
    /// All zones together.
    pub fn figure(&self) -> Figure {
        self.zones.iter().fold(Figure::default(), |f, z| f.plus(z.run.figure()))
    }
    /// The longest stretch in which a zone was blind; of equals the first.
    pub fn longest_gap(&self) -> Option<(&ZoneId, Gap)> {
        let all = self.zones.iter().flat_map(|z| z.run.gaps().into_iter().map(|g| (&z.zone, g)));
        all.fold(None, |best, next| match best {
            Some((_, b)) if b.minutes >= next.1.minutes => best,
            _ => Some(next),
        })
    }

    /// The bytes that are signed. Keys: 0 version, 1 site, 2 log, 3 number, 4 date, 5 UTC offset, 6 closed at, 7 clock trusted, 8 zones: each
    /// `[id, [minutes, level, cause, need, ...]]`, four numbers a stretch, 0 where there is no cause or need.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::with_capacity(128));
        // Writing to memory cannot fail.
        let _ = self.encode(&mut e);
        e.into_writer()
    }
    fn encode(&self, e: &mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        e.map(9)?.u8(0)?.u8(VERSION)?;
        e.u8(1)?.str(self.site.as_str())?.u8(2)?.str(self.log.as_str())?;
        e.u8(3)?.u64(self.number)?.u8(4)?.i64(self.date)?.u8(5)?.i32(self.utc_offset_minutes)?;
        e.u8(6)?.i64(self.closed_at)?.u8(7)?.bool(self.clock_trusted)?;
        e.u8(8)?.array(self.zones.len() as u64)?;
        for z in &self.zones {
            e.array(2)?.str(z.zone.as_str())?.array(z.run.0.len() as u64 * 4)?;
            for s in &z.run.0 {
                let reason = s.sight.reason();
                e.u16(s.minutes)?.u8(s.sight.level())?;
                e.u8(reason.map_or(0, |r| r.cause as u8))?.u8(reason.and_then(|r| r.need).map_or(0, |n| n as u8))?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// They are no day, or not its canonical bytes.
    pub fn from_canonical(bytes: &[u8]) -> Result<Day, DayError> {
        if bytes.len() > MAX_DAY {
            return Err(DayError::TooLong);
        }
        let day = decode(&mut Decoder::new(bytes))?;
        let whole = day.zones.iter().all(|z| z.run.is_whole());
        if whole && day.canonical_bytes() == bytes { Ok(day) } else { Err(DayError::NotCanonical) }
    }
}

fn malformed(e: impl fmt::Display) -> DayError {
    DayError::Malformed(e.to_string())
}

fn decode(d: &mut Decoder<'_>) -> Result<Day, DayError> {
    fn count(n: Option<u64>, most: usize) -> Result<usize, DayError> {
        let n = n.and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= most);
        n.ok_or_else(|| DayError::Malformed(format!("a list of unknown length, or of more than {most}")))
    }
    fn key(d: &mut Decoder<'_>, want: u8) -> Result<(), DayError> {
        if d.u8().map_err(malformed)? == want { Ok(()) } else { Err(DayError::Malformed(format!("key {want} is not in its place"))) }
    }
    count(d.map().map_err(malformed)?, 9)?;
    key(d, 0)?;
    let version = d.u8().map_err(malformed)?;
    if version != VERSION {
        return Err(DayError::Version(version));
    }
    key(d, 1)?;
    let site = SiteId::new(d.str().map_err(malformed)?).map_err(malformed)?;
    key(d, 2)?;
    let log = LogId::new(d.str().map_err(malformed)?).map_err(malformed)?;
    key(d, 3)?;
    let number = d.u64().map_err(malformed)?;
    key(d, 4)?;
    let date = d.i64().map_err(malformed)?;
    key(d, 5)?;
    let utc_offset_minutes = d.i32().map_err(malformed)?;
    key(d, 6)?;
    let closed_at = d.i64().map_err(malformed)?;
    key(d, 7)?;
    let clock_trusted = d.bool().map_err(malformed)?;
    key(d, 8)?;
    let mut zones = Vec::new();
    for _ in 0..count(d.array().map_err(malformed)?, MAX_ZONES)? {
        count(d.array().map_err(malformed)?, 2)?;
        let zone = ZoneId::new(d.str().map_err(malformed)?).map_err(malformed)?;
        let mut run = Run::default();
        for _ in 0..count(d.array().map_err(malformed)?, MAX_STRETCHES * 4)? / 4 {
            let minutes = d.u16().map_err(malformed)?;
            let (level, cause, need) = (d.u8().map_err(malformed)?, d.u8().map_err(malformed)?, d.u8().map_err(malformed)?);
            if minutes > MINUTES {
                return Err(DayError::Malformed(format!("{minutes} minutes in one day")));
            }
            run.0.push(Stretch { minutes, sight: sight(level, cause, need)? });
        }
        zones.push(ZoneDay { zone, run });
    }
    Ok(Day { site, log, number, date, utc_offset_minutes, closed_at, clock_trusted, zones })
}

fn sight(level: u8, cause: u8, need: u8) -> Result<Sight, DayError> {
    let bad = || DayError::Malformed(format!("{level}/{cause}/{need} is no state of a zone"));
    let need = if need == 0 { None } else { Some(Need::ALL.into_iter().find(|n| *n as u8 == need).ok_or_else(bad)?) };
    let cause = Cause::ALL.into_iter().find(|c| *c as u8 == cause);
    match (level, cause, need) {
        (0, None, None) => Ok(Sight::Absent),
        (1, None, None) => Ok(Sight::Watched),
        (2, Some(cause), need) => Ok(Sight::degraded(cause, need)),
        (3, Some(cause), need) => Ok(Sight::blind(cause, need)),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day() -> Day {
        let mut room = Run::default();
        room.push(540, Sight::Watched);
        room.push(12, Sight::blind(Cause::CameraCovered, Some(Need::Camera)));
        room.push(8, Sight::blind(Cause::GatewayDown, None));
        room.push(30, Sight::degraded(Cause::Silent, Some(Need::Co2)));
        room.push(850, Sight::Watched);
        let mut exit = Run::default();
        exit.push(600, Sight::Absent);
        exit.push(840, Sight::Watched);
        let zones =
            vec![ZoneDay { zone: ZoneId::new("toddler-2").unwrap(), run: room }, ZoneDay { zone: ZoneId::new("exit").unwrap(), run: exit }];
        Day {
            site: SiteId::new("xingyuan").unwrap(),
            log: LogId::new("01HZY0000000000000000000LG").unwrap(),
            number: 7,
            date: 20_779,
            utc_offset_minutes: 480,
            closed_at: 1_795_363_200_000,
            clock_trusted: true,
            zones,
        }
    }

    #[test]
    fn golden_day() {
        let bytes = day().canonical_bytes();
        let golden = concat!(
            "a900010168",
            "78696e677975616e",
            "02781a",
            "3031485a59303030303030303030303030303030303030304c47",
            "0307",
            "0419512b",
            "051901e0",
            "061b000001a203fc5c00",
            "07f5",
            "0882",
            "8269746f64646c65722d32",
            "94",
            "19021c010000",
            "0c030701",
            "08031200",
            "181e020303",
            "190352010000",
            "826465786974",
            "88",
            "190258000000",
            "190348010000"
        );
        assert_eq!(hex::encode(&bytes), golden);
        assert_eq!(Day::from_canonical(&bytes), Ok(day()));
    }

    #[test]
    fn figures_and_gaps() {
        let d = day();
        assert_eq!(d.figure(), Figure { watched: 540 + 850 + 840, degraded: 30, blind: 20 });
        assert_eq!(d.figure().per_mille(), Some(978));
        assert_eq!(Figure { watched: 100_000, blind: 1, ..Figure::default() }.per_mille(), Some(999), "one minute short is not all");
        assert_eq!(Figure::default().per_mille(), None);
        let reason = Reason { cause: Cause::CameraCovered, need: Some(Need::Camera) };
        assert_eq!(d.longest_gap(), Some((&d.zones[0].zone, Gap { from: 540, minutes: 20, reason })));
    }

    #[test]
    fn a_zone_that_flickers_all_day_is_bounded_and_never_looks_better_than_it_was() {
        let mut run = Run::default();
        for n in 0..MINUTES {
            run.push(1, if n % 2 == 0 { Sight::Watched } else { Sight::blind(Cause::Silent, Some(Need::Contact)) });
        }
        assert!(run.stretches().len() <= MAX_STRETCHES && run.minutes() == MINUTES);
        assert!(run.figure().blind >= 720, "{:?}", run.figure());
        run.push(5, Sight::Watched);
        assert_eq!(run.minutes(), MINUTES, "a day has no more minutes");
    }

    #[test]
    fn any_change_of_its_bytes_is_noticed() {
        let bytes = day().canonical_bytes();
        assert_eq!(Day::from_canonical(&[&bytes[..], &[0]].concat()), Err(DayError::NotCanonical));
        for cut in 0..bytes.len() {
            assert!(Day::from_canonical(&bytes[..cut]).is_err());
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                assert!(Day::from_canonical(&other) != Ok(day()));
            }
        }
        // The same number in a longer form.
        let long = hex::encode(&bytes).replace("0307", "031807");
        assert_eq!(Day::from_canonical(&hex::decode(long).unwrap()), Err(DayError::NotCanonical));
    }

    #[test]
    fn more_minutes_than_a_number_of_theirs_can_hold_are_no_day() {
        let mut d = day();
        // 65,536 and a day's minutes: added up in 16 bits it would be one.
        let alternating = |n| if n % 2 == 0 { Sight::Watched } else { Sight::blind(Cause::Silent, None) };
        d.zones[0].run = Run((0..46)
            .map(|n| Stretch { minutes: MINUTES, sight: alternating(n) })
            .chain([Stretch { minutes: 736, sight: alternating(46) }])
            .collect());
        assert_eq!(Day::from_canonical(&d.canonical_bytes()), Err(DayError::NotCanonical));
    }

    #[test]
    fn numbers_of_causes_and_needs_are_their_own() {
        assert!(Cause::ALL.iter().zip(1u8..).all(|(c, n)| *c as u8 == n) && Need::ALL.iter().zip(1u8..).all(|(c, n)| *c as u8 == n));
    }

    fn any_sight() -> impl Strategy<Value = Sight> {
        let need = prop::option::of((0..Need::ALL.len()).prop_map(|i| Need::ALL[i]));
        (0u8..4, 0..Cause::ALL.len(), need).prop_map(|(level, cause, need)| match level {
            0 => Sight::Absent,
            1 => Sight::Watched,
            2 => Sight::degraded(Cause::ALL[cause], need),
            _ => Sight::blind(Cause::ALL[cause], need),
        })
    }
    proptest! {
        #[test]
        fn every_day_comes_back(pushes in prop::collection::vec((1u16..200, any_sight()), 0..150), number: u64, date: i64, closed_at: i64) {
            let mut run = Run::default();
            for (minutes, sight) in pushes {
                run.push(minutes, sight);
            }
            run.push(MINUTES, Sight::Watched);
            let zones = vec![ZoneDay { zone: ZoneId::new("z").unwrap(), run }];
            let d = Day { number, date, closed_at, zones, ..day() };
            prop_assert_eq!(Day::from_canonical(&d.canonical_bytes()), Ok(d));
        }
        #[test]
        fn a_cut_run_is_the_run_that_was_shorter(pushes in prop::collection::vec((1u16..200, any_sight()), 0..40), cut in 0u16..1440) {
            let (mut run, mut shorter) = (Run::default(), Run::default());
            for (minutes, sight) in pushes {
                let room = cut.saturating_sub(run.minutes());
                shorter.push(minutes.min(room), sight);
                run.push(minutes, sight);
            }
            run.truncate(cut);
            prop_assert_eq!(run, shorter);
        }
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = Day::from_canonical(&bytes);
        }
    }
}
