//! TLS 1.3 to the gateway, and to no other: the node has the gateway's public key from its enrolment ([`Pin`]). Why so: docs/decisions/0023-node-tls.md.
//!
//! What must hold: a connection is handed out only when the peer has signed this handshake with the pinned key. `embedded-tls` alone does not see to that: it is
//! content with a peer that sends neither certificate nor signature, so the word of the [`Verifier`] is asked for once the handshake is through. With a pin
//! there is no connection without TLS.
use super::guard::{Guard, HEAD};
use super::pin::Pin;
use super::{Connect, End, MIN_TX};
use crate::random::Random;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use embedded_tls::{
    Aes128GcmSha256, CertificateRef, CertificateVerifyRef, CryptoProvider, CryptoRngCore, Sha256, SignatureScheme, TlsCipherSuite,
    TlsConfig, TlsConnection, TlsContext, TlsError, TlsVerifier,
};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::signature::digest::Digest;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::rand_core::{self, CryptoRng, RngCore};

/// Longest body of a record that is taken, bytes. The gateway's broker sends each MQTT packet as a record of its own, none longer than the node's receive
/// buffer, and its side of the handshake is one of about 600.
pub const RECORD: usize = 2048;
/// What a record adds to its content at most.
const OVERHEAD: usize = 128;

/// The memory of a connection.
#[derive(Debug)]
pub struct Room {
    sealed: [u8; HEAD + RECORD],
    opened: [u8; RECORD],
    out: [u8; MIN_TX + OVERHEAD],
}
impl Room {
    pub const fn new() -> Room {
        Room { sealed: [0; HEAD + RECORD], opened: [0; RECORD], out: [0; MIN_TX + OVERHEAD] }
    }
}
impl Default for Room {
    fn default() -> Room {
        Room::new()
    }
}

/// Connections of `network`: with a pin over TLS, without one as they are.
#[derive(Debug)]
pub struct Secure<'r, N, R> {
    network: N,
    random: R,
    tls: Option<(Pin, &'r mut Room)>,
    refusal: End,
}

impl<'r, N, R> Secure<'r, N, R> {
    pub fn new(network: N, random: R, tls: Option<(Pin, &'r mut Room)>) -> Secure<'r, N, R> {
        Secure { network, random, tls, refusal: End::Unreachable }
    }
}

impl<N: Connect, R: Random> Connect for Secure<'_, N, R> {
    type Stream<'a>
        = Stream<'a, N::Stream<'a>>
    where
        Self: 'a;

    async fn connect(&mut self) -> Option<Self::Stream<'_>> {
        self.refusal = End::Unreachable;
        let stream = self.network.connect().await?;
        let Some((pin, room)) = &mut self.tls else { return Some(Stream::Plain(stream)) };
        let Room { sealed, opened, out } = &mut **room;
        let mut tls = TlsConnection::new(Guard::new(stream, sealed), opened, out);
        let mut provider = Provider { random: &mut self.random, verifier: Verifier::new(pin.key()?) };
        let done = tls.open(TlsContext::new(&TlsConfig::new(), &mut provider)).await;
        match done {
            Ok(()) if provider.verifier.proven => Some(Stream::Sealed(tls)),
            // Broken off before it came to that: a gateway that is busy, or no TLS there.
            Err(_) if !provider.verifier.refused => None,
            _ => {
                self.refusal = End::Stranger;
                None
            }
        }
    }
    fn refusal(&self) -> End {
        self.refusal
    }
}

/// A connection.
#[allow(clippy::large_enum_variant)] // One at a time, and no allocator to box it.
pub enum Stream<'a, S: Read + Write + 'a> {
    Plain(S),
    Sealed(TlsConnection<'a, Guard<'a, S>, Aes128GcmSha256>),
}

impl<'a, S: Read + Write + 'a> ErrorType for Stream<'a, S> {
    type Error = ErrorKind;
}
fn broken<E>(_: E) -> ErrorKind {
    ErrorKind::ConnectionReset
}
impl<'a, S: Read + Write + 'a> Read for Stream<'a, S> {
    /// Cancelled, it has taken nothing: below TLS a record comes whole or not at all ([`Guard`]).
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        match self {
            Self::Plain(stream) => stream.read(buf).await.map_err(broken),
            Self::Sealed(tls) => tls.read(buf).await.map_err(broken),
        }
    }
}
impl<'a, S: Read + Write + 'a> Write for Stream<'a, S> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        match self {
            Self::Plain(stream) => stream.write(buf).await.map_err(broken),
            Self::Sealed(tls) => tls.write(buf).await.map_err(broken),
        }
    }
    async fn flush(&mut self) -> Result<(), ErrorKind> {
        match self {
            Self::Plain(stream) => stream.flush().await.map_err(broken),
            Self::Sealed(tls) => tls.flush().await.map_err(broken),
        }
    }
}

/// Whether the peer holds the pinned key. What its certificate says is not looked at: the signature covers it, and the key is known.
struct Verifier {
    key: VerifyingKey,
    /// The handshake up to the certificate, once that has come: what the next message must have signed.
    signed: Option<Sha256>,
    proven: bool,
    refused: bool,
}

impl Verifier {
    fn new(key: VerifyingKey) -> Verifier {
        Verifier { key, signed: None, proven: false, refused: false }
    }
    fn judge(&mut self, verify: &CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        let signed = self.signed.take().filter(|_| !self.proven).ok_or(TlsError::InvalidCertificate)?;
        if verify.signature_scheme != SignatureScheme::EcdsaSecp256r1Sha256 {
            return Err(TlsError::InvalidSignatureScheme);
        }
        // RFC 8446, 4.4.3.
        const CONTEXT: &[u8; 34] = b"TLS 1.3, server CertificateVerify\0";
        let mut content = [b' '; 64 + CONTEXT.len() + 32];
        for (to, from) in content.iter_mut().skip(64).zip(CONTEXT.iter().chain(&signed.finalize())) {
            *to = *from;
        }
        let signature = Signature::from_der(verify.signature).map_err(|_| TlsError::InvalidSignature)?;
        self.key.verify(&content, &signature).map_err(|_| TlsError::InvalidSignature)
    }
}

impl TlsVerifier<Aes128GcmSha256> for Verifier {
    fn set_hostname_verification(&mut self, _: &str) -> Result<(), TlsError> {
        Ok(())
    }
    fn verify_certificate(
        &mut self,
        transcript: &<Aes128GcmSha256 as TlsCipherSuite>::Hash,
        _: CertificateRef<'_>,
    ) -> Result<(), TlsError> {
        self.signed = Some(transcript.clone());
        Ok(())
    }
    fn verify_signature(&mut self, verify: CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        let judged = self.judge(&verify);
        (self.proven, self.refused) = (judged.is_ok(), judged.is_err());
        judged
    }
}

struct Provider<'r, R> {
    random: &'r mut R,
    verifier: Verifier,
}

impl<R: Random> CryptoProvider for Provider<'_, R> {
    type CipherSuite = Aes128GcmSha256;
    type Signature = &'static [u8];
    fn rng(&mut self) -> impl CryptoRngCore {
        Bits(self.random)
    }
    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut self.verifier)
    }
}

/// [`Random`], as the libraries want it.
struct Bits<'r, R>(&'r mut R);
impl<R: Random> CryptoRng for Bits<'_, R> {}
impl<R: Random> RngCore for Bits<'_, R> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill(dest);
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.fill(dest);
        Ok(())
    }
}
