//! The node's TLS against rustls, which the gateway has inside, and against one that would pass for the gateway.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use futures::FutureExt;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsAcceptor;
use tuoan_node::link::pin::Pin;
use tuoan_node::link::tls::{Room, Secure};
use tuoan_node::link::{Connect, End};
use tuoan_node::random::Random;

mod stranger;

/// The node's end of a line.
pub struct Line(DuplexStream);
impl ErrorType for Line {
    type Error = ErrorKind;
}
impl Read for Line {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(buf).await.map_err(|_| ErrorKind::ConnectionReset)
    }
}
impl Write for Line {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(buf).await.map_err(|_| ErrorKind::ConnectionReset)
    }
    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.flush().await.map_err(|_| ErrorKind::ConnectionReset)
    }
}
/// Gives the one line that there is.
struct Once(Option<Line>);
impl Connect for Once {
    type Stream<'a> = Line;
    async fn connect(&mut self) -> Option<Line> {
        self.0.take()
    }
}
struct Counter(u64);
impl Random for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        bytes.fill(0);
        bytes.iter_mut().rev().zip(self.0.to_le_bytes()).for_each(|(to, from)| *to = from);
    }
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}
/// The public key in its short form.
fn pin(key: &KeyPair) -> Pin {
    let point = key.public_key_raw();
    let parity = 2 + (point[64] & 1);
    Pin::new(&[&[parity], &point[1..33]].concat()).unwrap()
}
fn gateway(key: &KeyPair) -> TlsAcceptor {
    let certificate = CertificateParams::new(vec!["tuoan".into()]).unwrap().self_signed(key).unwrap();
    let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], secret).unwrap();
    TlsAcceptor::from(Arc::new(config))
}
fn node(line: DuplexStream, pin: Option<Pin>, room: &mut Room) -> Secure<'_, Once, Counter> {
    Secure::new(Once(Some(Line(line))), Counter(1), pin.map(|pin| (pin, room)))
}

#[tokio::test]
async fn what_is_said_arrives_on_both_sides_whatever_the_node_gives_up_in_between() {
    // Room for the tickets that rustls sends at once, and for less than a record.
    let (key, (near, far)) = (key(), duplex(700));
    let accept = gateway(&key);
    let served = tokio::spawn(async move {
        let mut tls = accept.accept(far).await.unwrap();
        assert_eq!(tls.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
        let mut hello = [0; 2000];
        tls.read_exact(&mut hello).await.unwrap();
        assert!(hello.iter().enumerate().all(|(i, b)| *b == i as u8));
        for i in 0..100u8 {
            // As the broker does: a packet, a record.
            tls.write_all(&[i; 1000]).await.unwrap();
            tls.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let mut room = Room::new();
    let mut node = node(near, Some(pin(&key)), &mut room);
    let mut stream = node.connect().await.unwrap();
    let hello: Vec<u8> = (0..2000).map(|i| i as u8).collect();
    stream.write_all(&hello).await.unwrap();
    stream.flush().await.unwrap();
    let (mut got, mut buf, mut given_up) = (Vec::new(), [0; 300], 0);
    while got.len() < 100_000 {
        // As the link does when something else wakes it.
        match stream.read(&mut buf).now_or_never() {
            Some(n) => got.extend_from_slice(&buf[..n.unwrap()]),
            None => {
                given_up += 1;
                tokio::task::yield_now().await;
            }
        }
    }
    assert!(given_up > 100, "{given_up}");
    assert!(got.chunks(1000).enumerate().all(|(i, c)| c.iter().all(|b| usize::from(*b) == i)));
    served.await.unwrap();
}

#[tokio::test]
async fn a_gateway_with_another_key_is_told_nothing() {
    let (near, far) = duplex(4096);
    let accept = gateway(&key());
    let served = tokio::spawn(async move { accept.accept(far).await.map(|_| ()) });
    let mut room = Room::new();
    let mut node = node(near, Some(pin(&key())), &mut room);
    assert!(node.connect().await.is_none());
    assert_eq!(node.refusal(), End::Stranger);
    drop(node);
    assert!(served.await.unwrap().is_err(), "it never got through the handshake");
}

#[tokio::test]
async fn without_a_pin_it_is_as_it_was_and_with_one_nothing_is_said_in_clear() {
    let (near, mut far) = duplex(4096);
    let mut room = Room::new();
    let mut plain = node(near, None, &mut room);
    plain.connect().await.unwrap().write_all(b"CONNECT").await.unwrap();
    let mut got = [0; 7];
    far.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"CONNECT");

    // The plain broker: it takes the hello for a malformed packet and hangs up.
    let (near, mut far) = duplex(4096);
    let mut room = Room::new();
    let mut sealed = node(near, Some(pin(&key())), &mut room);
    let broker = async {
        let mut hello = [0; 5];
        far.read_exact(&mut hello).await.unwrap();
        assert_eq!(hello[..3], [22, 3, 1], "a ClientHello, and nothing else");
        drop(far);
    };
    let (stream, ()) = futures::join!(sealed.connect(), broker);
    assert!(stream.is_none());
    drop(stream);
    assert_eq!(sealed.refusal(), End::Unreachable);
}

/// Whoever sits in between can do all of a handshake but the signature.
#[tokio::test]
async fn a_stranger_without_the_key_is_refused_however_it_goes_about_it() {
    for (trick, end) in [
        (stranger::Trick::NoCertificate, End::Stranger),
        (stranger::Trick::NoSignature, End::Stranger),
        (stranger::Trick::OwnSignature, End::Stranger),
        (stranger::Trick::SignatureFirst, End::Stranger),
        (stranger::Trick::EmptyRecord, End::Unreachable),
        (stranger::Trick::InClear, End::Unreachable),
    ] {
        let (near, far) = duplex(4096);
        let mut room = Room::new();
        let mut node = node(near, Some(pin(&key())), &mut room);
        let (stream, told) = futures::join!(node.connect(), stranger::pose(far, trick));
        assert!(stream.is_none(), "{trick:?}");
        drop(stream);
        assert_eq!((node.refusal(), told), (end, 0), "{trick:?}");
    }
}

/// All that comes until the end, or until nothing more does.
pub async fn rest(mut from: impl AsyncRead + Unpin) -> usize {
    let mut all = Vec::new();
    let _ = tokio::time::timeout(std::time::Duration::from_millis(50), from.read_to_end(&mut all)).await;
    all.len()
}
