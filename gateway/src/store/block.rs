//! Many entries of the log in one row: the bytes of each come back as they were, bit for bit.
//!
//! A block's row has the position and time of its last entry, so that whoever looks for a position or a time finds the row by the same
//! comparison as a single entry. Its body is `2`, the number of entries (four bytes, big-endian), and their columns, deflated: what a
//! device says again and again stands once, and a number as the difference from its last. Bodies of other forms, and those that would not
//! come back the same, stand in full.
use super::body::MESSAGE;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use std::collections::BTreeMap;
use std::io::{Read, Write};

const BLOCK: u8 = 2;
/// Entries in one block at most: reading one of them costs reading all, about a millisecond.
pub const MOST: usize = 1024;
/// Bytes before the columns.
pub const HEAD: usize = 5;
/// What a block may hold when it is opened: a damaged file must not fill the memory.
const LARGEST: u64 = 64 << 20;
const COLUMNS: usize = 10;

/// An entry as it stands in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub position: i64,
    pub at: i64,
    pub message: bool,
    pub body: Vec<u8>,
}

/// How many entries a row of the table stands for, from the first bytes of its body.
pub fn count(body: &[u8]) -> i64 {
    match body.get(..HEAD) {
        Some(&[BLOCK, a, b, c, d]) => i64::from(u32::from_be_bytes([a, b, c, d])).max(1),
        _ => 1,
    }
}

/// The body of a block of these entries, whose positions follow each other.
///
/// # Errors
/// Memory cannot be written to: never.
pub fn pack(rows: &[Row]) -> std::io::Result<Vec<u8>> {
    let mut columns = Columns::default();
    let (mut devices, mut shapes) = (BTreeMap::<u64, Device>::new(), BTreeMap::<Vec<(u64, u8)>, u64>::new());
    let mut before = rows.first().map_or(0, |r| r.at);
    columns.signed(Column::Times, before);
    for row in rows {
        columns.signed(Column::Times, row.at.wrapping_sub(before));
        before = row.at;
        let message = u8::from(row.message);
        match Message::read(&row.body).filter(|m| m.write() == row.body) {
            Some(m) => m.pack(message, &mut columns, devices.entry(m.device).or_default(), &mut shapes),
            None => {
                columns.0[Column::Heads as usize].push(message | RAW);
                columns.unsigned(Column::Raws, row.body.len() as u64);
                columns.0[Column::Raws as usize].extend_from_slice(&row.body);
            }
        }
    }
    let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let mut out = vec![BLOCK];
    out.extend(count.to_be_bytes());
    let mut deflate = DeflateEncoder::new(out, Compression::best());
    let mut length = Vec::new();
    for column in &columns.0 {
        length.clear();
        varint(&mut length, column.len() as u64);
        deflate.write_all(&length)?;
        deflate.write_all(column)?;
    }
    deflate.finish()
}

/// The entries of a row: those of a block, or the row itself.
///
/// # Errors
/// The block is damaged; the text says how.
pub fn unpack(row: Row) -> Result<Vec<Row>, String> {
    if row.body.first() != Some(&BLOCK) {
        return Ok(vec![row]);
    }
    let count = count(&row.body);
    if count > MOST as i64 {
        return Err(format!("a block of {count} entries"));
    }
    let mut bytes = Vec::new();
    let packed = row.body.get(HEAD..).unwrap_or_default();
    DeflateDecoder::new(packed).take(LARGEST).read_to_end(&mut bytes).map_err(|e| format!("a block cannot be inflated: {e}"))?;
    let mut rest = Cursor(&bytes);
    let mut columns = [Cursor(&[]); COLUMNS];
    for column in &mut columns {
        let length = rest.unsigned()?;
        *column = Cursor(rest.take(length)?);
    }
    let mut at = columns[Column::Times as usize].signed()?;
    let (mut devices, mut shapes) = (BTreeMap::<u64, Device>::new(), Vec::<Vec<(u64, u8)>>::new());
    let mut out = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    for n in 1..=count {
        at = at.wrapping_add(columns[Column::Times as usize].signed()?);
        let head = columns[Column::Heads as usize].byte()?;
        let body = if head & RAW != 0 {
            let raws = &mut columns[Column::Raws as usize];
            let length = raws.unsigned()?;
            raws.take(length)?.to_vec()
        } else {
            Message::unpack(head, &mut columns, &mut devices, &mut shapes)?.write()
        };
        out.push(Row { position: row.position - count + n, at, message: head & 1 != 0, body });
    }
    Ok(out)
}

#[derive(Clone, Copy)]
enum Column {
    Times,
    Heads,
    Devices,
    Boots,
    Seqs,
    Samples,
    Shapes,
    Items,
    Values,
    Raws,
}

const RAW: u8 = 2;
const BOOT: u8 = 4;
const SAME_BOOT: u8 = 8;
const SEQ: u8 = 16;
const SAMPLED: u8 = 32;
const RETAINED: u8 = 64;

/// What a device said last, within the block.
#[derive(Default)]
struct Device {
    boot: Option<u64>,
    seq: u64,
    sampled: i64,
    values: BTreeMap<(u64, u8), i64>,
}

/// A message that holds readings and nothing else, with names as numbers: what a log consists of.
#[derive(Debug, PartialEq)]
struct Message {
    device: u64,
    boot: Option<u64>,
    seq: Option<u64>,
    sampled: Option<i64>,
    retained: bool,
    /// Quantity with its mark of a channel, channel, value.
    items: Vec<(u64, u8, i64)>,
}

impl Message {
    fn read(body: &[u8]) -> Option<Message> {
        let (&MESSAGE, rest) = body.split_first()? else { return None };
        let mut d = Decoder::new(rest);
        if d.datatype().ok()? == Type::String {
            return None;
        }
        let device = d.u64().ok()?;
        let (boot, seq) = (optional(&mut d, Decoder::u64)?, optional(&mut d, Decoder::u64)?);
        let sampled = optional(&mut d, Decoder::i64)?;
        let head = d.u64().ok()?;
        let mut items = Vec::new();
        for _ in 0..head >> 1 {
            let key = d.u64().ok()?;
            let channel = if key & 1 == 1 { d.u8().ok()? } else { 0 };
            items.push((key, channel, d.i64().ok()?));
        }
        Some(Message { device, boot, seq, sampled, retained: head & 1 == 1, items })
    }

    fn write(&self) -> Vec<u8> {
        let mut e = Encoder::new(vec![MESSAGE]);
        // Writing to memory cannot fail.
        let _ = self.encode(&mut e);
        e.into_writer()
    }
    fn encode(&self, e: &mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        e.u64(self.device)?;
        for optional in [self.boot, self.seq] {
            match optional {
                Some(n) => e.u64(n)?,
                None => e.null()?,
            };
        }
        match self.sampled {
            Some(n) => e.i64(n)?,
            None => e.null()?,
        };
        e.u64((self.items.len() as u64) << 1 | u64::from(self.retained))?;
        for (key, channel, value) in &self.items {
            e.u64(*key)?;
            if key & 1 == 1 {
                e.u8(*channel)?;
            }
            e.i64(*value)?;
        }
        Ok(())
    }

    fn pack(&self, message: u8, to: &mut Columns, device: &mut Device, shapes: &mut BTreeMap<Vec<(u64, u8)>, u64>) {
        let mut head = message | if self.retained { RETAINED } else { 0 };
        if let Some(boot) = self.boot {
            head |= BOOT;
            if device.boot.replace(boot) == Some(boot) {
                head |= SAME_BOOT;
            } else {
                to.0[Column::Boots as usize].extend(boot.to_le_bytes());
            }
        }
        if let Some(seq) = self.seq {
            head |= SEQ;
            to.signed(Column::Seqs, seq.wrapping_sub(device.seq).wrapping_sub(1).cast_signed());
            device.seq = seq;
        }
        if let Some(sampled) = self.sampled {
            head |= SAMPLED;
            to.signed(Column::Samples, sampled.wrapping_sub(device.sampled));
            device.sampled = sampled;
        }
        to.0[Column::Heads as usize].push(head);
        to.unsigned(Column::Devices, self.device);
        let shape: Vec<(u64, u8)> = self.items.iter().map(|(key, channel, _)| (*key, *channel)).collect();
        let next = shapes.len() as u64;
        let number = *shapes.entry(shape).or_insert(next);
        to.unsigned(Column::Shapes, number);
        if number == next {
            to.unsigned(Column::Items, self.items.len() as u64);
            for (key, channel, _) in &self.items {
                to.unsigned(Column::Items, *key);
                to.unsigned(Column::Items, u64::from(*channel));
            }
        }
        for (key, channel, value) in &self.items {
            let last = device.values.entry((*key, *channel)).or_default();
            to.signed(Column::Values, value.wrapping_sub(*last));
            *last = *value;
        }
    }

    fn unpack(
        head: u8,
        from: &mut [Cursor<'_>; COLUMNS],
        devices: &mut BTreeMap<u64, Device>,
        shapes: &mut Vec<Vec<(u64, u8)>>,
    ) -> Result<Message, String> {
        let number = from[Column::Devices as usize].unsigned()?;
        let device = devices.entry(number).or_default();
        let boot = match (head & BOOT != 0, head & SAME_BOOT != 0) {
            (false, _) => None,
            (true, true) => device.boot,
            (true, false) => Some(u64::from_le_bytes(from[Column::Boots as usize].take(8)?.try_into().unwrap_or_default())),
        };
        device.boot = boot.or(device.boot);
        let mut seq = None;
        if head & SEQ != 0 {
            device.seq = device.seq.wrapping_add(1).wrapping_add(from[Column::Seqs as usize].signed()?.cast_unsigned());
            seq = Some(device.seq);
        }
        let mut sampled = None;
        if head & SAMPLED != 0 {
            device.sampled = device.sampled.wrapping_add(from[Column::Samples as usize].signed()?);
            sampled = Some(device.sampled);
        }
        let shape = from[Column::Shapes as usize].unsigned()?;
        if shape == shapes.len() as u64 {
            let defined = &mut from[Column::Items as usize];
            let items = (0..defined.unsigned()?).map(|_| Ok((defined.unsigned()?, defined.unsigned()? as u8)));
            shapes.push(items.collect::<Result<_, String>>()?);
        }
        let shape = usize::try_from(shape).ok().and_then(|n| shapes.get(n)).ok_or("a shape of a message is missing")?;
        let mut items = Vec::with_capacity(shape.len());
        for (key, channel) in shape {
            let last = device.values.entry((*key, *channel)).or_default();
            *last = last.wrapping_add(from[Column::Values as usize].signed()?);
            items.push((*key, *channel, *last));
        }
        Ok(Message { device: number, boot, seq, sampled, retained: head & RETAINED != 0, items })
    }
}

fn optional<'b, T>(d: &mut Decoder<'b>, read: impl Fn(&mut Decoder<'b>) -> Result<T, minicbor::decode::Error>) -> Option<Option<T>> {
    match d.datatype().ok()? {
        Type::Null => d.null().ok().map(|()| None),
        _ => read(d).ok().map(Some),
    }
}

#[derive(Default)]
struct Columns([Vec<u8>; COLUMNS]);

impl Columns {
    fn unsigned(&mut self, column: Column, n: u64) {
        varint(&mut self.0[column as usize], n);
    }
    /// Small numbers of either sign in few bytes.
    fn signed(&mut self, column: Column, n: i64) {
        self.unsigned(column, (n.wrapping_shl(1) ^ (n >> 63)).cast_unsigned());
    }
}

pub(super) fn varint(to: &mut Vec<u8>, mut n: u64) {
    while n > 0x7f {
        to.push(n as u8 | 0x80);
        n >>= 7;
    }
    to.push(n as u8);
}

/// Bytes that are left to read.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, String> {
        let (first, rest) = self.0.split_first().ok_or("a block ends too soon")?;
        self.0 = rest;
        Ok(*first)
    }
    pub(super) fn unsigned(&mut self) -> Result<u64, String> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err("a number of a block has no end".to_owned())
    }
    pub(super) fn signed(&mut self) -> Result<i64, String> {
        let n = self.unsigned()?;
        Ok((n >> 1).cast_signed() ^ -((n & 1).cast_signed()))
    }
    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], String> {
        let length = usize::try_from(length).map_err(|e| e.to_string())?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or("a block ends too soon")?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::super::body::{self, Names};
    use super::*;
    use crate::engine::Body;
    use crate::engine::input::Item;
    use proptest::prelude::*;
    use tuoan_protocol::{DeviceId, EventKind, Fixed, Quantity};

    fn rows(bodies: Vec<(i64, bool, Vec<u8>)>) -> Vec<Row> {
        let mut at = 1_790_000_000_000;
        let row = |(n, (gap, message, body)): (i64, (i64, bool, Vec<u8>))| {
            at = i64::wrapping_add(at, gap);
            Row { position: 101 + n, at, message, body }
        };
        (0..).zip(bodies).map(row).collect()
    }
    fn block(rows: &[Row]) -> Row {
        let last = rows.last().unwrap();
        Row { position: last.position, at: last.at, message: true, body: pack(rows).unwrap() }
    }

    /// A day's stretch of a site: climate sensors each ten seconds, contacts each minute, with the jitter that they have.
    fn typical(entries: usize) -> (Vec<Row>, usize) {
        let (mut names, mut readings, mut noise) = (Names::default(), 0, 0x9e37_79b9_7f4a_7c15_u64);
        let mut random = move |n: u64| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise % n
        };
        let made = (0..entries as u64).map(|i| {
            let (device, items) = match i % 8 {
                n @ 0..6 => {
                    let r = |quantity, value: u64| Item::Reading { quantity, channel: 0, value: Fixed(value as i64) };
                    let values = [
                        r(Quantity::Temperature, 2300 + random(9)),
                        r(Quantity::Humidity, 4500 + random(31)),
                        r(Quantity::Co2, 800 + random(23)),
                    ];
                    (format!("air-{n}"), values.to_vec())
                }
                n => (format!("door-{n}"), vec![Item::Reading { quantity: Quantity::Open, channel: 0, value: Fixed(0) }]),
            };
            readings += items.len();
            let at = 1_790_000_000_000 + i as i64 * 1_250 + random(40) as i64;
            let sampled_at = Some(at - 30 - random(20) as i64);
            let m = crate::engine::Message {
                device: device.parse().unwrap(),
                boot: Some(0xfeed_beef_0000_0001),
                seq: Some(i / 8),
                sampled_at,
                retained: false,
                items,
            };
            (at, body::encode(&Body::Message(m), at, &mut names).unwrap())
        });
        let made: Vec<_> = made.collect();
        let rows = (1..).zip(made).map(|(position, (at, body))| Row { position, at, message: true, body }).collect();
        (rows, readings)
    }

    #[test]
    fn a_reading_takes_three_bytes_at_most() {
        let (rows, readings) = typical(MOST);
        let (alone, packed) = (rows.iter().map(|r| r.body.len() + 18).sum::<usize>(), block(&rows));
        // With what SQLite keeps of a row.
        let per_reading = (packed.body.len() + 30) as f64 / readings as f64;
        println!("{readings} readings: {:.1} bytes each alone, {per_reading:.2} in a block", alone as f64 / readings as f64);
        assert!(per_reading <= 3.0, "{per_reading}");
        assert_eq!(unpack(packed).unwrap(), rows);
    }

    #[test]
    fn what_is_no_plain_message_comes_back_too() {
        let mut names = Names::default();
        let of = |items| crate::engine::Message {
            device: DeviceId::new("panic").unwrap(),
            boot: None,
            seq: None,
            sampled_at: None,
            retained: true,
            items,
        };
        let event =
            body::encode(&Body::Message(of(vec![Item::Event { kind: EventKind::PanicPressed, command: None }])), 5, &mut names).unwrap();
        let clock = body::encode(&Body::Clock { offset_ms: 3, trusted: true }, 5, &mut names).unwrap();
        let many = rows(vec![
            (0, true, event),
            (0, false, clock),
            (-7, true, vec![]),
            (9, false, vec![1]),
            (i64::MAX, true, vec![1, 0x18, 0, 0xf6]),
        ]);
        assert_eq!(unpack(block(&many)).unwrap(), many);
        assert_eq!(count(&block(&many).body), 5);
        assert_eq!(unpack(many[0].clone()).unwrap(), many[..1], "a row that is no block is itself");
    }

    #[test]
    fn damage_is_an_error_never_a_panic() {
        let (rows, _) = typical(40);
        let whole = block(&rows);
        for cut in 0..whole.body.len() {
            let _ = unpack(Row { body: whole.body[..cut].to_vec(), ..whole.clone() });
        }
        for at in 0..whole.body.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged.body[at] = value;
                let _ = unpack(damaged);
            }
        }
    }

    fn message() -> impl Strategy<Value = Vec<u8>> {
        let item = (0u64..6, 0u8..3, any::<i64>()).prop_map(|(key, channel, value)| (key, if key & 1 == 1 { channel } else { 0 }, value));
        let items = prop::collection::vec(item, 0..5);
        (0u64..4, any::<Option<u64>>(), any::<Option<u64>>(), any::<Option<i64>>(), any::<bool>(), items)
            .prop_map(|(device, boot, seq, sampled, retained, items)| Message { device, boot, seq, sampled, retained, items }.write())
    }
    proptest! {
        #[test]
        fn both_forms_are_the_same_bit_for_bit(
            bodies in prop::collection::vec((0i64..100_000, any::<bool>(), prop_oneof![8 => message(), 1 => prop::collection::vec(any::<u8>(), 0..40)]), 1..120),
        ) {
            let rows = rows(bodies);
            prop_assert_eq!(unpack(block(&rows)).unwrap(), rows);
        }
    }
}
