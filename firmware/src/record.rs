//! What waits to be sent, as bytes: small enough that a thousand readings fit into the RAM of a small chip, and readable by a later firmware, since
//! they may lie in flash while the node is updated. A quantity is written as a hash of its wire name, never by its place in a table.
//!
//! A record has no sequence number: it gets one when it is first sent, so that the numbers on the wire ascend without gaps even where an alarm
//! overtakes what waits.
use crate::sensor::Sample;
use tuoan_protocol::{EventKind, Fixed, OtherName, Quantity, Reading};

/// Longest record in bytes: twelve readings of any known quantity, or five of unknown ones.
pub const MAX_RECORD: usize = 256;
/// First byte of the format; a reader refuses what it does not know.
const FORMAT: u8 = 0x10;

/// When something was sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// Milliseconds since 1970-01-01 UTC.
    Unix(i64),
    /// Milliseconds since the start of that boot, which had no UTC then. Of another boot it tells nothing.
    Uptime { boot: u64, ms: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // Without an allocator there is no other place for the readings.
pub enum Body {
    Readings(Sample),
    /// With the command's number where the event confirms one.
    Event(EventKind, Option<u64>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub stamp: Stamp,
    pub body: Body,
}

/// The record does not fit into [`MAX_RECORD`] bytes or into the buffer given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Record {
    /// Writes it to the front of `buf`; how many bytes. [`MAX_RECORD`] always suffices for known quantities.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, TooLong> {
        let mut out = Out { buf: buf.get_mut(..MAX_RECORD.min(buf.len())).unwrap_or_default(), at: 0 };
        let unix = matches!(self.stamp, Stamp::Unix(_));
        let event = matches!(self.body, Body::Event(..));
        out.byte(FORMAT | u8::from(unix) | u8::from(event) << 1)?;
        match self.stamp {
            Stamp::Unix(ms) => out.signed(ms)?,
            Stamp::Uptime { boot, ms } => {
                out.number(boot)?;
                out.number(ms)?;
            }
        }
        match &self.body {
            Body::Readings(readings) => {
                out.byte(u8::try_from(readings.len()).map_err(|_| TooLong)?)?;
                for r in readings {
                    match &r.quantity {
                        Quantity::Other(name) => {
                            out.bytes(&0u16.to_le_bytes())?;
                            out.text(name.as_str())?;
                        }
                        known => out.bytes(&code(known.name()).to_le_bytes())?,
                    }
                    out.byte(r.channel)?;
                    out.signed(r.value.0)?;
                }
            }
            Body::Event(kind, command) => {
                let number = match kind {
                    EventKind::PanicPressed => 1,
                    EventKind::PanicCancelled => 2,
                    EventKind::Test => 3,
                    EventKind::ButtonPressed => 4,
                    EventKind::CommandDone => 5,
                    EventKind::Other(_) => 0,
                };
                out.byte(number)?;
                if let EventKind::Other(name) = kind {
                    out.text(name.as_str())?;
                }
                if let Some(command) = command {
                    out.number(*command)?;
                }
            }
        }
        Ok(out.at)
    }

    /// The record that is `bytes`, exactly; `None` for anything else, such as a page of flash that a power cut tore.
    pub fn decode(bytes: &[u8]) -> Option<Record> {
        let mut input = In(bytes);
        let head = input.byte()?;
        if head & !0x03 != FORMAT {
            return None;
        }
        let stamp = if head & 1 == 1 { Stamp::Unix(input.signed()?) } else { Stamp::Uptime { boot: input.number()?, ms: input.number()? } };
        let body = if head & 2 == 0 {
            let mut readings = Sample::new();
            for _ in 0..input.byte()? {
                let quantity = match u16::from_le_bytes([input.byte()?, input.byte()?]) {
                    0 => Quantity::Other(input.name()?),
                    wanted => Quantity::ALL.iter().find(|q| code(q.name()) == wanted)?.clone(),
                };
                let (channel, value) = (input.byte()?, Fixed(input.signed()?));
                readings.push(Reading { value: quantity.checked(value).ok()?, quantity, channel }).ok()?;
            }
            Body::Readings(readings)
        } else {
            let kind = match input.byte()? {
                0 => EventKind::Other(input.name()?),
                1 => EventKind::PanicPressed,
                2 => EventKind::PanicCancelled,
                3 => EventKind::Test,
                4 => EventKind::ButtonPressed,
                5 => EventKind::CommandDone,
                _ => return None,
            };
            let command = if input.0.is_empty() { None } else { Some(input.number()?) };
            Body::Event(kind, command)
        };
        input.0.is_empty().then_some(Record { stamp, body })
    }
}

/// FNV-1a of a wire name, folded to 16 bits; never 0, which marks a name that is spelled out.
fn code(name: &str) -> u16 {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    (((hash >> 16) ^ hash) as u16).max(1)
}

struct Out<'a> {
    buf: &'a mut [u8],
    at: usize,
}
impl Out<'_> {
    fn byte(&mut self, byte: u8) -> Result<(), TooLong> {
        *self.buf.get_mut(self.at).ok_or(TooLong)? = byte;
        self.at += 1;
        Ok(())
    }
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        bytes.iter().try_for_each(|b| self.byte(*b))
    }
    fn text(&mut self, text: &str) -> Result<(), TooLong> {
        self.byte(u8::try_from(text.len()).map_err(|_| TooLong)?)?;
        self.bytes(text.as_bytes())
    }
    /// Seven bits a byte, the lowest first.
    fn number(&mut self, mut n: u64) -> Result<(), TooLong> {
        while n >= 0x80 {
            self.byte(n as u8 | 0x80)?;
            n >>= 7;
        }
        self.byte(n as u8)
    }
    fn signed(&mut self, n: i64) -> Result<(), TooLong> {
        self.number(((n << 1) ^ (n >> 63)) as u64)
    }
}

struct In<'a>(&'a [u8]);
impl<'a> In<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
    fn name(&mut self) -> Option<OtherName> {
        let length = usize::from(self.byte()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        OtherName::new(core::str::from_utf8(text).ok()?).ok()
    }
    fn number(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for i in 0..10 {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f).checked_shl(7 * i)?;
            if byte & 0x80 == 0 {
                // The tenth byte has one bit.
                return (i < 9 || byte <= 1).then_some(n);
            }
        }
        None
    }
    fn signed(&mut self) -> Option<i64> {
        let n = self.number()?;
        Some((n >> 1) as i64 ^ -((n & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reading(quantity: Quantity, channel: u8, value: i64) -> Reading {
        Reading { quantity, channel, value: Fixed(value) }
    }
    fn bytes(record: &Record) -> Vec<u8> {
        let mut buf = [0; MAX_RECORD];
        let n = record.encode(&mut buf).unwrap();
        buf[..n].to_vec()
    }

    #[test]
    fn every_quantity_has_a_code_of_its_own() {
        let mut codes: Vec<u16> = Quantity::ALL.iter().map(|q| code(q.name())).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Quantity::ALL.len(), "two quantities share a code: rename the new one");
    }

    #[test]
    fn the_bytes_in_flash_never_change() {
        let readings = Sample::from_iter([reading(Quantity::Temperature, 0, 2340), reading(Quantity::Co2, 1, 812)]);
        let record = Record { stamp: Stamp::Unix(1_790_000_000_000), body: Body::Readings(readings) };
        assert_eq!(hex(&bytes(&record)), "1180b083c5986802c74000c824e2c301d80c");
        let record = Record { stamp: Stamp::Uptime { boot: 300, ms: 70_000 }, body: Body::Event(EventKind::CommandDone, Some(7)) };
        assert_eq!(hex(&bytes(&record)), "12ac02f0a2040507");
    }
    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn a_full_sample_of_known_quantities_fits() {
        let readings = (0..12).map(|i| reading(Quantity::Energy, i, -tuoan_protocol::quantity::FIXED_MAX)).collect();
        let record = Record { stamp: Stamp::Uptime { boot: u64::MAX, ms: u64::MAX }, body: Body::Readings(readings) };
        assert_eq!(Record::decode(&bytes(&record)), Some(record));
    }

    fn records() -> impl Strategy<Value = Record> {
        let quantity = prop_oneof![
            (0..Quantity::ALL.len()).prop_map(|i| Quantity::ALL[i].clone()),
            "[a-z]{1,32}".prop_map(|n| Quantity::from_name(&n).unwrap()),
        ];
        let one = (quantity, any::<u8>(), any::<i32>()).prop_map(|(q, c, v)| {
            let value = if q.is_state() { i64::from(v & 1) } else { i64::from(v) };
            reading(q, c, value)
        });
        let body = prop_oneof![
            proptest::collection::vec(one, 0..5).prop_map(|v| Body::Readings(v.into_iter().collect())),
            (any::<bool>(), any::<Option<u64>>()).prop_map(|(p, c)| {
                Body::Event(if p { EventKind::PanicPressed } else { EventKind::Other(OtherName::new("lost").unwrap()) }, c)
            }),
        ];
        let stamp = prop_oneof![
            any::<i64>().prop_map(Stamp::Unix),
            (any::<u64>(), any::<u64>()).prop_map(|(boot, ms)| Stamp::Uptime { boot, ms }),
        ];
        (stamp, body).prop_map(|(stamp, body)| Record { stamp, body })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(record in records()) {
            prop_assert_eq!(Record::decode(&bytes(&record)), Some(record));
        }
        #[test]
        fn what_is_torn_is_no_record_and_no_panic(record in records(), cut in 0usize..MAX_RECORD, noise in proptest::collection::vec(any::<u8>(), 0..300)) {
            let whole = bytes(&record);
            if cut < whole.len() && cut > 0 && !matches!(record.body, Body::Event(_, Some(_))) {
                prop_assert_eq!(Record::decode(&whole[..cut]), None);
            }
            let _ = Record::decode(&noise);
        }
    }
}
