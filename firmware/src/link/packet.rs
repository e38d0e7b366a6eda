//! The MQTT packets that a node sends and gets, 5.0 and 3.1.1, from and to slices: no allocation, and nothing that a broker sends can make it panic.
//! Why not a library: `docs/decisions/0019-node-mqtt.md`.

/// Which MQTT is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V311,
    V5,
}

/// What a session begins with.
#[derive(Clone)]
pub struct Connect<'a> {
    pub client: &'a str,
    pub user: &'a str,
    pub password: &'a [u8],
    /// Forget what the broker kept of an earlier session.
    pub clean: bool,
    pub keep_alive_s: u16,
    /// How long the broker keeps the session after the connection is lost.
    pub session_expiry_s: u32,
    /// Longest packet that is taken.
    pub max_packet: u32,
    /// Topic and payload of the will: retained, QoS 1.
    pub will: (&'a str, &'a [u8]),
}

impl core::fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connect").field("client", &self.client).finish_non_exhaustive()
    }
}

/// A message to the broker, QoS 1.
#[derive(Debug, Clone, Copy)]
pub struct Publish<'a> {
    pub topic: &'a str,
    pub payload: &'a [u8],
    pub id: u16,
    pub dup: bool,
    pub retain: bool,
}

/// What the broker says.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    Connected(Connected),
    /// `id` is there for QoS 1, and is to be acknowledged.
    Message {
        topic: &'a str,
        payload: &'a [u8],
        id: Option<u16>,
        retained: bool,
    },
    /// A message of ours is taken, or refused with a code of 128 or more.
    Acknowledged {
        id: u16,
        code: u8,
    },
    Subscribed {
        id: u16,
        code: u8,
    },
    Pong,
    /// The broker ends the connection.
    Bye {
        code: u8,
    },
}

/// The broker's answer to [`Connect`].
#[derive(Debug, PartialEq, Eq)]
pub struct Connected {
    /// It still knows the session.
    pub session_present: bool,
    /// 0 is yes.
    pub code: u8,
    /// Messages that may be under way at once.
    pub receive_maximum: u16,
    /// Seconds of keep-alive that the broker wants instead.
    pub keep_alive_s: Option<u16>,
    /// Longest packet that the broker takes.
    pub max_packet: u32,
}

/// The packet does not fit into the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// Not MQTT, or not what a broker may send to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

pub const PING: [u8; 2] = [0xc0, 0x00];

/// Acknowledges a message of the broker. The same bytes in both versions.
pub fn acknowledge(id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [0x40, 0x02, high, low]
}

/// Writes a CONNECT to the front of `buf`; its bytes.
///
/// # Errors
/// When it does not fit.
pub fn connect<'b>(buf: &'b mut [u8], version: Version, c: &Connect<'_>) -> Result<&'b [u8], NoRoom> {
    let mut out = Out::new(buf);
    out.text(b"MQTT")?;
    out.byte(if version == Version::V5 { 5 } else { 4 })?;
    // User, password, will retained with QoS 1, and the clean flag.
    out.byte(0x80 | 0x40 | 0x20 | 0x08 | 0x04 | u8::from(c.clean) << 1)?;
    out.bytes(&c.keep_alive_s.to_be_bytes())?;
    if version == Version::V5 {
        out.byte(10)?;
        out.byte(0x11)?;
        out.bytes(&c.session_expiry_s.to_be_bytes())?;
        out.byte(0x27)?;
        out.bytes(&c.max_packet.to_be_bytes())?;
    }
    out.text(c.client.as_bytes())?;
    if version == Version::V5 {
        out.byte(0)?;
    }
    out.text(c.will.0.as_bytes())?;
    out.text(c.will.1)?;
    out.text(c.user.as_bytes())?;
    out.text(c.password)?;
    out.finish(0x10)
}

/// Writes a PUBLISH to the front of `buf`; its bytes.
///
/// # Errors
/// When it does not fit.
pub fn publish<'b>(buf: &'b mut [u8], version: Version, p: &Publish<'_>) -> Result<&'b [u8], NoRoom> {
    let mut out = Out::new(buf);
    out.text(p.topic.as_bytes())?;
    out.bytes(&p.id.to_be_bytes())?;
    if version == Version::V5 {
        out.byte(0)?;
    }
    out.bytes(p.payload)?;
    out.finish(0x30 | 0x02 | u8::from(p.dup) << 3 | u8::from(p.retain))
}

/// Writes a SUBSCRIBE of one topic with QoS 1 to the front of `buf`; its bytes.
///
/// # Errors
/// When it does not fit.
pub fn subscribe<'b>(buf: &'b mut [u8], version: Version, id: u16, topic: &str) -> Result<&'b [u8], NoRoom> {
    let mut out = Out::new(buf);
    out.bytes(&id.to_be_bytes())?;
    if version == Version::V5 {
        out.byte(0)?;
    }
    out.text(topic.as_bytes())?;
    out.byte(0x01)?;
    out.finish(0x82)
}

/// Size of the packet that `bytes` begin with, and where its body begins; `None` while too little of it is there.
///
/// # Errors
/// When the length is no length.
pub fn size(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let (mut length, mut at) = (0usize, 1usize);
    loop {
        let Some(byte) = bytes.get(at) else {
            return if at > 4 { Err(Malformed) } else { Ok(None) };
        };
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            return Ok(Some((at + length, at)));
        }
        if at > 4 {
            return Err(Malformed);
        }
    }
}

/// What one whole packet says: its first byte and its body.
///
/// # Errors
/// When it is malformed, or nothing that a broker may send to a node.
pub fn read(version: Version, first: u8, body: &[u8]) -> Result<Incoming<'_>, Malformed> {
    let mut input = In(body);
    let v5 = version == Version::V5;
    let incoming = match (first >> 4, first & 0x0f) {
        (2, 0) => {
            let (flags, code) = (input.byte()?, input.byte()?);
            let mut connected =
                Connected { session_present: flags & 1 == 1, code, receive_maximum: u16::MAX, keep_alive_s: None, max_packet: u32::MAX };
            // A broker of 3.1.1 answers a 5 without properties.
            if v5 && !input.0.is_empty() {
                input.properties(|id, value| match (id, value) {
                    (0x21, [a, b]) => connected.receive_maximum = u16::from_be_bytes([*a, *b]),
                    (0x13, [a, b]) => connected.keep_alive_s = Some(u16::from_be_bytes([*a, *b])),
                    (0x27, [a, b, c, d]) => connected.max_packet = u32::from_be_bytes([*a, *b, *c, *d]),
                    _ => {}
                })?;
            }
            Incoming::Connected(connected)
        }
        (3, flags) => {
            let topic = core::str::from_utf8(input.text()?).map_err(|_| Malformed)?;
            let id = match flags >> 1 & 3 {
                0 => None,
                1 => Some(input.id()?),
                // It was subscribed with QoS 1.
                _ => return Err(Malformed),
            };
            if v5 {
                input.properties(|_, _| {})?;
            }
            return Ok(Incoming::Message { topic, payload: input.0, id, retained: flags & 1 == 1 });
        }
        (4, 0) => {
            let id = input.id()?;
            let code = if input.0.is_empty() { 0 } else { input.byte()? };
            if v5 && !input.0.is_empty() {
                input.properties(|_, _| {})?;
            }
            Incoming::Acknowledged { id, code }
        }
        (9, 0) => {
            let id = input.id()?;
            if v5 {
                input.properties(|_, _| {})?;
            }
            Incoming::Subscribed { id, code: input.byte()? }
        }
        (13, 0) => Incoming::Pong,
        (14, 0) if v5 => {
            let code = if input.0.is_empty() { 0 } else { input.byte()? };
            input.0 = &[];
            Incoming::Bye { code }
        }
        _ => return Err(Malformed),
    };
    if input.0.is_empty() { Ok(incoming) } else { Err(Malformed) }
}

/// Room for the longest fixed header in front.
const HEADER: usize = 5;

struct Out<'a> {
    buf: &'a mut [u8],
    at: usize,
}
impl<'a> Out<'a> {
    fn new(buf: &'a mut [u8]) -> Out<'a> {
        Out { buf, at: HEADER }
    }
    fn byte(&mut self, byte: u8) -> Result<(), NoRoom> {
        *self.buf.get_mut(self.at).ok_or(NoRoom)? = byte;
        self.at += 1;
        Ok(())
    }
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        let end = self.at.checked_add(bytes.len()).ok_or(NoRoom)?;
        self.buf.get_mut(self.at..end).ok_or(NoRoom)?.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }
    fn text(&mut self, text: &[u8]) -> Result<(), NoRoom> {
        self.bytes(&u16::try_from(text.len()).map_err(|_| NoRoom)?.to_be_bytes())?;
        self.bytes(text)
    }
    /// Puts the fixed header right before the body; the packet as one slice, so that it goes out in one write.
    fn finish(self, first: u8) -> Result<&'a [u8], NoRoom> {
        let mut length = self.at - HEADER;
        let (mut header, mut n) = ([first, 0, 0, 0, 0], 1);
        loop {
            let more = length > 0x7f;
            *header.get_mut(n).ok_or(NoRoom)? = (length & 0x7f) as u8 | u8::from(more) << 7;
            n += 1;
            length >>= 7;
            if !more {
                break;
            }
        }
        let (start, end) = (HEADER - n, self.at);
        let packet = self.buf.get_mut(start..end).ok_or(NoRoom)?;
        packet.get_mut(..n).ok_or(NoRoom)?.copy_from_slice(header.get(..n).ok_or(NoRoom)?);
        Ok(packet)
    }
}

struct In<'a>(&'a [u8]);
impl<'a> In<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (front, rest) = self.0.split_at_checked(n).ok_or(Malformed)?;
        self.0 = rest;
        Ok(front)
    }
    fn byte(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(Malformed)
    }
    fn id(&mut self) -> Result<u16, Malformed> {
        match self.take(2)? {
            [a, b] => Ok(u16::from_be_bytes([*a, *b])).and_then(|id| if id == 0 { Err(Malformed) } else { Ok(id) }),
            _ => Err(Malformed),
        }
    }
    fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let length = match self.take(2)? {
            [a, b] => usize::from(u16::from_be_bytes([*a, *b])),
            _ => return Err(Malformed),
        };
        self.take(length)
    }
    fn number(&mut self) -> Result<usize, Malformed> {
        let mut n = 0;
        for i in 0..4 {
            let byte = self.byte()?;
            n |= usize::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(Malformed)
    }
    /// Each property by its number; of texts and binary data the bytes without their length, of pairs the name alone.
    fn properties(&mut self, mut each: impl FnMut(u8, &[u8])) -> Result<(), Malformed> {
        let length = self.number()?;
        let mut list = In(self.take(length)?);
        while !list.0.is_empty() {
            let id = list.byte()?;
            let value = match id {
                0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => list.take(1)?,
                0x13 | 0x21 | 0x22 | 0x23 => list.take(2)?,
                0x02 | 0x11 | 0x18 | 0x27 => list.take(4)?,
                0x0b => {
                    list.number()?;
                    &[]
                }
                0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => list.text()?,
                0x26 => {
                    let name = list.text()?;
                    list.text()?;
                    name
                }
                _ => return Err(Malformed),
            };
            each(id, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }
    fn hello() -> Connect<'static> {
        Connect {
            client: "th-1",
            user: "u",
            password: b"pw",
            clean: true,
            keep_alive_s: 30,
            session_expiry_s: 3600,
            max_packet: 1024,
            will: ("t", b"w"),
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_standard() {
        let mut buf = [0; 128];
        assert_eq!(
            hex(connect(&mut buf, Version::V5, &hello()).unwrap()),
            "102900044d51545405ee001e0a1100000e10270000040000\
             0474682d310000017400017700017500027077"
                .replace(' ', "")
        );
        assert_eq!(
            hex(connect(&mut buf, Version::V311, &hello()).unwrap()),
            "101d00044d51545404ee001e000474682d3100017400017700017500027077"
        );
        let p = Publish { topic: "a/b", payload: b"hi", id: 10, dup: true, retain: true };
        assert_eq!(hex(publish(&mut buf, Version::V5, &p).unwrap()), "3b0a0003612f62000a006869");
        assert_eq!(hex(publish(&mut buf, Version::V311, &p).unwrap()), "3b090003612f62000a6869");
        assert_eq!(hex(subscribe(&mut buf, Version::V5, 2, "a").unwrap()), "8207000200000161 01".replace(' ', ""));
        assert_eq!(hex(&acknowledge(258)), "40020102");
    }

    #[test]
    fn a_long_packet_has_a_long_length_and_one_that_does_not_fit_is_refused() {
        let payload = [7; 200];
        let p = Publish { topic: "a", payload: &payload, id: 1, dup: false, retain: false };
        let mut buf = [0; 300];
        let bytes = publish(&mut buf, Version::V311, &p).unwrap();
        assert_eq!((bytes.len(), &bytes[..3]), (208, &[0x32, 0xcd, 0x01][..]));
        assert_eq!(size(bytes), Ok(Some((208, 3))));
        assert_eq!(publish(&mut [0; 100], Version::V311, &p), Err(NoRoom));
        assert_eq!(publish(&mut [], Version::V311, &p), Err(NoRoom));
    }

    #[test]
    fn a_brokers_packets_are_read_in_both_versions() {
        let yes = |receive_maximum, keep_alive_s| {
            Incoming::Connected(Connected { session_present: true, code: 0, receive_maximum, keep_alive_s, max_packet: u32::MAX })
        };
        assert_eq!(read(Version::V5, 0x20, &[1, 0, 6, 0x21, 0, 16, 0x13, 0, 60]), Ok(yes(16, Some(60))));
        assert_eq!(read(Version::V311, 0x20, &[1, 0]), Ok(yes(u16::MAX, None)));
        assert!(matches!(read(Version::V5, 0x20, &[0, 1]), Ok(Incoming::Connected(Connected { code: 1, .. }))), "a 3.1.1 broker's refusal");
        let message = Incoming::Message { topic: "a", payload: b"xy", id: Some(9), retained: false };
        assert_eq!(read(Version::V5, 0x32, b"\0\x01a\0\x09\0xy"), Ok(message));
        assert_eq!(read(Version::V5, 0x40, &[0, 3]), Ok(Incoming::Acknowledged { id: 3, code: 0 }));
        assert_eq!(read(Version::V5, 0x40, &[0, 3, 0x97, 0]), Ok(Incoming::Acknowledged { id: 3, code: 0x97 }));
        assert_eq!(read(Version::V5, 0x90, &[0, 2, 0, 1]), Ok(Incoming::Subscribed { id: 2, code: 1 }));
        assert_eq!(read(Version::V5, 0xe0, &[0x8b, 0]), Ok(Incoming::Bye { code: 0x8b }));
        for (first, body) in
            [(0x40u8, &[0u8, 0][..]), (0x34, b"\0\x01a\0\x09\0"), (0x10, b""), (0x20, &[0]), (0x90, &[0, 2, 9, 1]), (0xd0, &[0])]
        {
            assert_eq!(read(Version::V5, first, body), Err(Malformed), "{first:x}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(first: u8, body in proptest::collection::vec(any::<u8>(), 0..200), v5: bool) {
            let version = if v5 { Version::V5 } else { Version::V311 };
            let _ = read(version, first, &body);
            let _ = size(&body);
        }
        #[test]
        fn what_is_published_would_be_read(payload in proptest::collection::vec(any::<u8>(), 0..300), id in 1u16.., v5: bool) {
            let version = if v5 { Version::V5 } else { Version::V311 };
            let mut buf = [0; 400];
            let bytes = publish(&mut buf, version, &Publish { topic: "a/b", payload: &payload, id, dup: false, retain: false }).unwrap();
            let (total, start) = size(bytes).unwrap().unwrap();
            prop_assert_eq!(total, bytes.len());
            let want = Incoming::Message { topic: "a/b", payload: &payload, id: Some(id), retained: false };
            prop_assert_eq!(read(version, bytes[0], &bytes[start..]), Ok(want));
        }
    }
}
