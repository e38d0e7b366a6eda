//! Readings by the minute: of each device, quantity and channel how many there were, the lowest, the highest, their sum and the last. PURE.
//!
//! What must hold: any cut of the same messages into pieces gives the same roll-ups when the pieces are merged in their order ([`Minute::merge`]), so that it does
//! not matter where one row in the store ends and the next begins. Sums are whole numbers; nothing is rounded. A value that cannot be (a broken wire),
//! and a reading of which its device itself says that it does not know, are counted and are no value. A message that a broker had retained says again what was
//! said before: it is left out.
//!
//! As bytes: `1`, then deflated: devices in order of their names, each with the length of what follows, so that others are skipped; its series, each in columns.
use super::block::{Cursor, varint};
use crate::engine::input::{Item, Message};
use crate::engine::quality::limits::is_plausible;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use tuoan_protocol::quantity::FIXED_MAX;
use tuoan_protocol::{DeviceId, Fixed, Quantity};

/// Milliseconds.
pub const MINUTE_MS: i64 = 60_000;
const FORM: u8 = 1;
/// What one row may hold when it is opened: a damaged file must not fill the memory.
const LARGEST: u64 = 32 << 20;
/// No series in a row has more minutes: a row is written at 4096, and a step of less than 2048 entries may add one for each.
const MOST_MINUTES: usize = 8192;
/// Nor has a row, of all series: a step may add one for each reading.
const MOST_IN_ROW: usize = 1 << 18;
/// A device's time that differs more than this from the time of arrival is not believed ...
const APART_MS: i64 = 600_000;
/// ... but of a device that numbers its messages: that keeps them while it is cut off, and says later what it measured then.
const LATE_MS: i64 = 7 * 86_400_000;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub device: DeviceId,
    pub quantity: Quantity,
    pub channel: u8,
}

/// One series in one minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Minute {
    /// Readings that are values. 0: the other figures but `faults` say nothing.
    pub readings: u32,
    /// Readings that are none: impossible, or unknown to the device itself.
    pub faults: u32,
    pub min: Fixed,
    pub max: Fixed,
    /// Of all values, exact.
    pub sum: i128,
    /// That of the latest second; in one second the last that arrived.
    pub last: Fixed,
    /// 0 to 59.
    pub last_second: u8,
}

impl Minute {
    fn value(value: Fixed, second: u8) -> Minute {
        Minute { readings: 1, faults: 0, min: value, max: value, sum: i128::from(value.0), last: value, last_second: second }
    }
    fn fault() -> Minute {
        Minute { faults: 1, ..Minute::default() }
    }
    /// Takes in what arrived later.
    pub fn merge(&mut self, later: &Minute) {
        let faults = self.faults.saturating_add(later.faults);
        if later.readings > 0 {
            if self.readings == 0 {
                *self = *later;
            } else {
                self.readings = self.readings.saturating_add(later.readings);
                self.sum = self.sum.saturating_add(later.sum);
                (self.min, self.max) = (self.min.min(later.min), self.max.max(later.max));
                if later.last_second >= self.last_second {
                    (self.last, self.last_second) = (later.last, later.last_second);
                }
            }
        }
        self.faults = faults;
    }
    /// Rounded to the nearest, a half up; `None` without a value.
    pub fn mean(&self) -> Option<Fixed> {
        let n = i128::from(self.readings);
        (n > 0).then(|| Fixed(i64::try_from((2 * self.sum + n).div_euclid(2 * n)).unwrap_or(i64::MAX)))
    }
}

/// Roll-ups by series and minute: UTC minutes since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rollups {
    series: BTreeMap<Key, BTreeMap<i64, Minute>>,
    len: usize,
}

impl Rollups {
    /// Minutes of all series.
    pub fn len(&self) -> usize {
        self.len
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &BTreeMap<i64, Minute>)> {
        self.series.iter()
    }
    /// The first and the last minute.
    pub fn span(&self) -> Option<(i64, i64)> {
        let first = self.series.values().filter_map(|m| m.keys().next()).min()?;
        let last = self.series.values().filter_map(|m| m.keys().next_back()).max()?;
        Some((*first, *last))
    }
    /// Takes a message in that arrived at `arrived`, UTC milliseconds. To be called in the order of arrival.
    pub fn add(&mut self, m: &Message, arrived: i64) {
        if m.retained {
            return;
        }
        let at = taken_at(m, arrived);
        let (minute, second) = (at.div_euclid(MINUTE_MS), u8::try_from(at.rem_euclid(MINUTE_MS) / 1000).unwrap_or(0));
        for item in &m.items {
            let (quantity, channel, said) = match item {
                Item::Reading { quantity, channel, value } => {
                    let sound = value.0.unsigned_abs() <= FIXED_MAX.unsigned_abs() && is_plausible(quantity, *value);
                    (quantity, *channel, if sound { Minute::value(*value, second) } else { Minute::fault() })
                }
                Item::Unknown { quantity, channel } => (quantity, *channel, Minute::fault()),
                Item::Event { .. } | Item::Presence(_) => continue,
            };
            self.merge(Key { device: m.device.clone(), quantity: quantity.clone(), channel }, minute, &said);
        }
    }
    /// Takes in what arrived later than what is there.
    pub fn merge(&mut self, key: Key, minute: i64, later: &Minute) {
        match self.series.entry(key).or_default().entry(minute) {
            std::collections::btree_map::Entry::Occupied(mut there) => there.get_mut().merge(later),
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(*later);
                self.len += 1;
            }
        }
    }

    /// As [`Rollups::merge`], all of it.
    pub fn absorb(&mut self, later: Rollups) {
        for (key, minutes) in later.series {
            minutes.iter().for_each(|(minute, m)| self.merge(key.clone(), *minute, m));
        }
    }

    /// # Errors
    /// Memory cannot be written to: never.
    pub fn pack(&self) -> std::io::Result<Vec<u8>> {
        let mut devices: BTreeMap<&DeviceId, (u64, Vec<u8>)> = BTreeMap::new();
        for (key, minutes) in &self.series {
            let (series, bytes) = devices.entry(&key.device).or_default();
            *series += 1;
            text(bytes, key.quantity.name());
            bytes.push(key.channel);
            pack_series(bytes, minutes);
        }
        let mut plain = Vec::new();
        varint(&mut plain, devices.len() as u64);
        for (device, (series, bytes)) in devices {
            text(&mut plain, device.as_str());
            varint(&mut plain, series);
            varint(&mut plain, bytes.len() as u64);
            plain.extend(bytes);
        }
        let mut deflate = DeflateEncoder::new(vec![FORM], Compression::best());
        deflate.write_all(&plain)?;
        deflate.finish()
    }

    /// Takes in what [`Rollups::pack`] wrote, of the `wanted` devices and minutes.
    ///
    /// # Errors
    /// The bytes are damaged or of a newer version; the text says how. Part of them may have been taken in.
    pub fn unpack(&mut self, bytes: &[u8], wanted: &dyn Fn(&DeviceId) -> bool, (from, to): (i64, i64)) -> Result<(), String> {
        let packed = match bytes.split_first() {
            Some((&FORM, packed)) => packed,
            Some((form, _)) => return Err(format!("form {form} of roll-ups is not known to this version")),
            None => return Err("roll-ups are empty".to_owned()),
        };
        let mut plain = Vec::new();
        DeflateDecoder::new(packed).take(LARGEST).read_to_end(&mut plain).map_err(|e| format!("roll-ups cannot be inflated: {e}"))?;
        let (mut rest, mut room) = (Cursor(&plain), MOST_IN_ROW);
        for _ in 0..rest.unsigned()? {
            let device = DeviceId::new(read_text(&mut rest)?).map_err(|e| e.to_string())?;
            let series = rest.unsigned()?;
            let length = rest.unsigned()?;
            let mut section = Cursor(rest.take(length)?);
            if !wanted(&device) {
                continue;
            }
            for _ in 0..series {
                let quantity = Quantity::from_name(read_text(&mut section)?).map_err(|e| e.to_string())?;
                let key = Key { device: device.clone(), quantity, channel: section.byte()? };
                let minutes = unpack_series(&mut section)?;
                room = room.checked_sub(minutes.len()).ok_or("more minutes than a row holds")?;
                for (minute, m) in minutes {
                    if (from..=to).contains(&minute) {
                        self.merge(key.clone(), minute, &m);
                    }
                }
            }
        }
        Ok(())
    }
}

/// When its readings were taken, UTC milliseconds, as far as its device can be believed.
fn taken_at(m: &Message, arrived: i64) -> i64 {
    let numbered = m.boot.is_some() && m.seq.is_some();
    let late = if numbered { LATE_MS } else { APART_MS };
    let believed = |t: &i64| (arrived.saturating_sub(late)..=arrived.saturating_add(APART_MS)).contains(t);
    m.sampled_at.filter(believed).unwrap_or(arrived)
}

fn text(to: &mut Vec<u8>, s: &str) {
    varint(to, s.len() as u64);
    to.extend_from_slice(s.as_bytes());
}

fn read_text<'a>(from: &mut Cursor<'a>) -> Result<&'a str, String> {
    let length = from.unsigned()?;
    std::str::from_utf8(from.take(length)?).map_err(|e| format!("a name in roll-ups: {e}"))
}

fn signed(to: &mut Vec<u8>, n: i64) {
    varint(to, (n.wrapping_shl(1) ^ (n >> 63)).cast_unsigned());
}

/// A sum may be wider than 64 bits.
fn wide(to: &mut Vec<u8>, n: u128) {
    varint(to, n as u64 & (u64::MAX >> 1));
    varint(to, (n >> 63) as u64);
}

fn pack_series(to: &mut Vec<u8>, minutes: &BTreeMap<i64, Minute>) {
    varint(to, minutes.len() as u64);
    let mut before = -1i64;
    for minute in minutes.keys() {
        signed(to, minute.wrapping_sub(before).wrapping_sub(1));
        before = *minute;
    }
    let mut readings = 0i64;
    for m in minutes.values() {
        signed(to, i64::from(m.readings) - readings);
        readings = i64::from(m.readings);
    }
    minutes.values().for_each(|m| varint(to, u64::from(m.faults)));
    let values = || minutes.values().filter(|m| m.readings > 0);
    let mut min = 0i64;
    for m in values() {
        signed(to, m.min.0.wrapping_sub(min));
        min = m.min.0;
    }
    values().for_each(|m| varint(to, m.max.0.wrapping_sub(m.min.0).cast_unsigned()));
    values().for_each(|m| varint(to, m.last.0.wrapping_sub(m.min.0).cast_unsigned()));
    // What lies above the lowest, of all together: small, and the sum comes back whole.
    let above = |m: &Minute| m.sum.wrapping_sub(i128::from(m.min.0) * i128::from(m.readings)).cast_unsigned();
    if values().all(|m| u64::try_from(above(m)).is_ok_and(|n| n <= u64::MAX >> 1)) {
        to.push(0);
        values().for_each(|m| varint(to, above(m) as u64));
    } else {
        to.push(1);
        values().for_each(|m| wide(to, above(m)));
    }
    let mut second = 0i64;
    for m in values() {
        signed(to, i64::from(m.last_second) - second);
        second = i64::from(m.last_second);
    }
}

fn unpack_series(from: &mut Cursor<'_>) -> Result<Vec<(i64, Minute)>, String> {
    let count = from.unsigned()?;
    let count = usize::try_from(count).ok().filter(|n| *n <= MOST_MINUTES).ok_or("more minutes than a series has in a row")?;
    // Each takes three bytes at least.
    if count.saturating_mul(3) > from.0.len() {
        return Err("roll-ups end too soon".to_owned());
    }
    let mut minutes = vec![(0i64, Minute::default()); count];
    let mut before = -1i64;
    for (minute, _) in &mut minutes {
        before = before.wrapping_add(1).wrapping_add(from.signed()?);
        *minute = before;
    }
    let mut readings = 0i64;
    for (_, m) in &mut minutes {
        readings = readings.wrapping_add(from.signed()?);
        m.readings = u32::try_from(readings).map_err(|_| "a number of readings is out of range")?;
    }
    for (_, m) in &mut minutes {
        m.faults = u32::try_from(from.unsigned()?).map_err(|_| "a number of faults is out of range")?;
    }
    let mut values: Vec<&mut Minute> = minutes.iter_mut().map(|(_, m)| m).filter(|m| m.readings > 0).collect();
    let mut min = 0i64;
    for m in &mut values {
        min = min.wrapping_add(from.signed()?);
        m.min = Fixed(min);
    }
    for m in &mut values {
        m.max = Fixed(m.min.0.wrapping_add(from.unsigned()?.cast_signed()));
    }
    for m in &mut values {
        m.last = Fixed(m.min.0.wrapping_add(from.unsigned()?.cast_signed()));
    }
    let is_wide = from.byte()? != 0;
    for m in &mut values {
        let low = u128::from(from.unsigned()?);
        let above = if is_wide { low | u128::from(from.unsigned()?) << 63 } else { low };
        m.sum = above.cast_signed().wrapping_add(i128::from(m.min.0) * i128::from(m.readings));
    }
    let mut second = 0i64;
    for m in &mut values {
        second = second.wrapping_add(from.signed()?);
        m.last_second = u8::try_from(second).ok().filter(|s| *s < 60).ok_or("a second is out of range")?;
    }
    Ok(minutes)
}

#[cfg(test)]
mod tests;
