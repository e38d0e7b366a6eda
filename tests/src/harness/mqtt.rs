//! A small MQTT 3.1.1 sender that knows exactly which of its packets were acknowledged: what a crash test has to know, and what a client
//! library hides. Its frames are written by hand, so it shares no code with either broker.
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub struct Sender {
    stream: TcpStream,
    buffer: Vec<u8>,
    next_id: u16,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    PubAck(u16),
    Publish { topic: String, payload: Vec<u8>, retained: bool },
    Other(u8),
}

impl Sender {
    /// Connects with a clean session; an error also when the broker refuses.
    pub fn connect(port: u16, client_id: &str, login: Option<(&str, &str)>) -> io::Result<Sender> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut body = Vec::new();
        text(&mut body, "MQTT");
        body.extend([4, if login.is_some() { 0xC2 } else { 0x02 }, 0, 60]);
        text(&mut body, client_id);
        if let Some((user, password)) = login {
            text(&mut body, user);
            text(&mut body, password);
        }
        let mut sender = Sender { stream, buffer: Vec::new(), next_id: 0 };
        sender.send(0x10, &body)?;
        match sender.packet()? {
            (0x20, b) if b.get(1) == Some(&0) => Ok(sender),
            (kind, b) => Err(io::Error::other(format!("refused: packet {kind:#x} {b:?}"))),
        }
    }
    /// Publishes with QoS 1 and does not wait; the packet's id.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) -> io::Result<u16> {
        self.publish_as(0x32, topic, payload)
    }
    /// `head`: the first byte, which holds QoS 1 (0x32) and whether the message is to be retained (0x33).
    fn publish_as(&mut self, head: u8, topic: &str, payload: &[u8]) -> io::Result<u16> {
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
        text(&mut body, topic);
        body.extend(self.next_id.to_be_bytes());
        body.extend(payload);
        self.send(head, &body)?;
        Ok(self.next_id)
    }
    /// Publishes with QoS 1 and waits for the acknowledgement.
    pub fn publish_and_wait(&mut self, topic: &str, payload: &[u8]) -> io::Result<()> {
        let id = self.publish(topic, payload)?;
        while self.incoming()? != Incoming::PubAck(id) {}
        Ok(())
    }
    /// As [`Sender::publish_and_wait`], to be kept by the broker.
    pub fn retain_and_wait(&mut self, topic: &str, payload: &[u8]) -> io::Result<()> {
        let id = self.publish_as(0x33, topic, payload)?;
        while self.incoming()? != Incoming::PubAck(id) {}
        Ok(())
    }
    pub fn subscribe(&mut self, filter: &str) -> io::Result<()> {
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        let mut body = self.next_id.to_be_bytes().to_vec();
        text(&mut body, filter);
        body.push(1);
        self.send(0x82, &body)?;
        while self.incoming()? != Incoming::Other(0x90) {}
        Ok(())
    }
    /// The next packet; waits for the read time-out at most ([`ErrorKind::WouldBlock`]).
    pub fn incoming(&mut self) -> io::Result<Incoming> {
        let (kind, b) = self.packet()?;
        let bad = || io::Error::new(ErrorKind::InvalidData, "short packet");
        match kind >> 4 {
            4 => Ok(Incoming::PubAck(u16::from_be_bytes([*b.first().ok_or_else(bad)?, *b.get(1).ok_or_else(bad)?]))),
            3 => {
                let n = usize::from(u16::from_be_bytes([*b.first().ok_or_else(bad)?, *b.get(1).ok_or_else(bad)?]));
                let qos = kind >> 1 & 3;
                let topic = String::from_utf8_lossy(b.get(2..2 + n).ok_or_else(bad)?).into_owned();
                let rest = b.get(2 + n..).ok_or_else(bad)?;
                let payload = if qos > 0 { rest.get(2..).ok_or_else(bad)?.to_vec() } else { rest.to_vec() };
                if qos == 1 {
                    let id: [u8; 2] = [rest[0], rest[1]];
                    self.send(0x40, &id)?;
                }
                Ok(Incoming::Publish { topic, payload, retained: kind & 1 == 1 })
            }
            _ => Ok(Incoming::Other(kind)),
        }
    }
    pub fn read_timeout(&self, limit: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(limit))
    }
    fn send(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let mut out = vec![kind];
        let mut n = body.len();
        loop {
            let byte = (n % 128) as u8;
            n /= 128;
            out.push(if n > 0 { byte | 0x80 } else { byte });
            if n == 0 {
                break;
            }
        }
        out.extend(body);
        self.stream.write_all(&out)
    }
    fn packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            if let Some((kind, from, to)) = header(&self.buffer)
                && self.buffer.len() >= to
            {
                let body = self.buffer[from..to].to_vec();
                self.buffer.drain(..to);
                return Ok((kind, body));
            }
            let mut chunk = [0u8; 4096];
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::Error::new(ErrorKind::ConnectionReset, "the broker closed the connection")),
                n => self.buffer.extend_from_slice(&chunk[..n]),
            }
        }
    }
}

/// Type byte, and where the body begins and ends.
fn header(b: &[u8]) -> Option<(u8, usize, usize)> {
    let (mut n, mut shift, mut i) = (0usize, 0, 1);
    loop {
        let byte = *b.get(i)?;
        n |= usize::from(byte & 0x7F) << shift;
        i += 1;
        if byte & 0x80 == 0 {
            return Some((b[0], i, i + n));
        }
        shift += 7;
    }
}

fn text(out: &mut Vec<u8>, s: &str) {
    out.extend((s.len() as u16).to_be_bytes());
    out.extend(s.as_bytes());
}
