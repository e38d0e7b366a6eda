//! A server that does TLS 1.3 as far as anybody can who does not hold the pinned key.
use aws_lc_rs::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use aws_lc_rs::{aead, digest, hmac};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// Straight to Finished, as with a key that was shared before.
    NoCertificate,
    /// A certificate (anybody may have the gateway's: it is public), and no proof of its key.
    NoSignature,
    /// Signed with a key of its own.
    OwnSignature,
    SignatureFirst,
    /// A sealed record without content.
    EmptyRecord,
    /// Messages in clear after the first sealed record.
    InClear,
}

struct Len(usize);
impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}
/// RFC 8446, 7.1.
fn expand<const N: usize>(secret: &Prk, label: &str, context: &[u8]) -> [u8; N] {
    let label = format!("tls13 {label}");
    let info = [&(N as u16).to_be_bytes()[..], &[label.len() as u8], label.as_bytes(), &[context.len() as u8], context].concat();
    let mut out = [0; N];
    secret.expand(&[&info], Len(N)).unwrap().fill(&mut out).unwrap();
    out
}
fn hash(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

struct Sealer {
    key: aead::LessSafeKey,
    iv: [u8; 12],
    count: u64,
}
impl Sealer {
    fn seal(&mut self, content: &[u8]) -> Vec<u8> {
        let mut nonce = self.iv;
        nonce.iter_mut().rev().zip(self.count.to_le_bytes()).for_each(|(n, c)| *n ^= c);
        self.count += 1;
        let mut body = content.to_vec();
        let head = [&[23, 3, 3][..], &(body.len() as u16 + 16).to_be_bytes()].concat();
        self.key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(&head), &mut body).unwrap();
        record(23, &body)
    }
}

/// Answers the node's hello. Bytes of application data (or of anything beyond the handshake's end) that it sent thereafter.
pub async fn pose(mut line: DuplexStream, trick: Trick) -> usize {
    let mut head = [0; 5];
    line.read_exact(&mut head).await.unwrap();
    let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    line.read_exact(&mut hello).await.unwrap();
    let share = [0, 0x17, 0, 0x41, 4];
    let at = hello.windows(5).position(|w| w == share).expect("a share of P-256") + 4;
    let theirs = UnparsedPublicKey::new(&ECDH_P256, hello[at..at + 65].to_vec());
    let random = SystemRandom::new();
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &random).unwrap();
    let point = own.compute_public_key().unwrap();
    let shared = agree_ephemeral(own, theirs, (), |s| Ok(s.to_vec())).unwrap();

    let extensions = [&[0, 0x2b, 0, 2, 3, 4, 0, 0x33, 0, 69, 0, 0x17, 0, 65][..], point.as_ref()].concat();
    let body = [&[3, 3][..], &[9; 32], &[0, 0x13, 1, 0], &(extensions.len() as u16).to_be_bytes(), &extensions].concat();
    let answer = message(2, &body);
    let mut transcript = [hello, answer.clone()].concat();
    let early = Salt::new(HKDF_SHA256, &[0; 32]).extract(&[0; 32]);
    let handshake = Salt::new(HKDF_SHA256, &expand::<32>(&early, "derived", &hash(b""))).extract(&shared);
    let secret = Prk::new_less_safe(HKDF_SHA256, &expand::<32>(&handshake, "s hs traffic", &hash(&transcript)));
    let key = aead::UnboundKey::new(&aead::AES_128_GCM, &expand::<16>(&secret, "key", b"")).unwrap();
    let mut sealer = Sealer { key: aead::LessSafeKey::new(key), iv: expand(&secret, "iv", b""), count: 0 };

    let mut flight = message(8, &[0, 0]);
    transcript.extend_from_slice(&flight);
    let mut say = |transcript: &mut Vec<u8>, said: Vec<u8>| {
        transcript.extend_from_slice(&said);
        flight.extend_from_slice(&said);
    };
    let certificate = message(11, &[&[0, 0, 0, 10, 0, 0, 5][..], b"lies!", &[0, 0]].concat());
    let sign = |transcript: &[u8]| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let content = [&[b' '; 64][..], b"TLS 1.3, server CertificateVerify\0", &hash(transcript)].concat();
        let signature = pair.sign(&random, &content).unwrap();
        message(15, &[&[4, 3][..], &(signature.as_ref().len() as u16).to_be_bytes(), signature.as_ref()].concat())
    };
    match trick {
        Trick::NoCertificate | Trick::EmptyRecord | Trick::InClear => {}
        Trick::NoSignature => say(&mut transcript, certificate),
        Trick::OwnSignature => {
            say(&mut transcript, certificate);
            let signed = sign(&transcript);
            say(&mut transcript, signed);
        }
        Trick::SignatureFirst => {
            let signed = sign(&transcript);
            say(&mut transcript, signed);
            say(&mut transcript, certificate);
        }
    }
    let finished = hmac::Key::new(hmac::HMAC_SHA256, &expand::<32>(&secret, "finished", b""));
    let proof = message(20, hmac::sign(&finished, &hash(&transcript)).as_ref());
    line.write_all(&record(22, &answer)).await.unwrap();
    let last = match trick {
        Trick::EmptyRecord => sealer.seal(b""),
        Trick::InClear => [sealer.seal(&[&flight[..], &[22]].concat()), record(22, &proof)].concat(),
        _ => sealer.seal(&[&flight[..], &proof, &[22]].concat()),
    };
    let _ = line.write_all(&last).await;
    // Its own end of the handshake, once it believes the other's, is 58 bytes.
    let rest = super::rest(line).await;
    if matches!(trick, Trick::NoCertificate | Trick::NoSignature) { rest.saturating_sub(58) } else { rest }
}
