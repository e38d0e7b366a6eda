//! By what a node knows its gateway: the gateway's public key itself, told at enrolment.
use core::fmt;
use p256::ecdsa::VerifyingKey;

/// A point of P-256 in its short form (SEC 1), bytes.
pub const PIN: usize = 33;
const SCHEME: &str = "p256.";

/// The gateway's public key. It is no secret; whose handshake it verifies is the gateway.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin([u8; PIN]);

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As it stands in the credential: `p256.` and 66 hexadecimal digits.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl Pin {
    /// `None`: these bytes are no point of the curve.
    pub fn new(bytes: &[u8]) -> Option<Pin> {
        let bytes = <[u8; PIN]>::try_from(bytes).ok()?;
        VerifyingKey::from_sec1_bytes(&bytes).ok().map(|_| Pin(bytes))
    }
    pub fn bytes(&self) -> &[u8; PIN] {
        &self.0
    }
    /// Whether a word is meant as one, right or wrong.
    pub fn is_meant(word: &str) -> bool {
        word.starts_with(SCHEME)
    }
    /// `None`: not one.
    pub fn parse(word: &str) -> Option<Pin> {
        let (digits, rest) = word.strip_prefix(SCHEME)?.as_bytes().as_chunks::<2>();
        let mut bytes = [0; PIN];
        if !rest.is_empty() || digits.len() != PIN {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits) {
            // `from_str_radix` alone would take "+1".
            let pair = core::str::from_utf8(pair).ok().filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Pin::new(&bytes)
    }
    /// `None` never comes: it was looked at when it was made.
    pub(super) fn key(&self) -> Option<VerifyingKey> {
        VerifyingKey::from_sec1_bytes(&self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The curve's generator.
    const G: &str = "p256.036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";

    #[test]
    fn it_goes_to_text_and_back() {
        let pin = Pin::parse(G).unwrap();
        assert_eq!((pin.to_string().as_str(), Pin::new(pin.bytes())), (G, Some(pin.clone())));
        let off_the_curve = format!("p256.02{}", "ff".repeat(32));
        for bad in ["", "p256.", &G[..G.len() - 2], &G.replace("p256", "p384"), &G.replace("036b", "+36b"), &off_the_curve, "p256.é"] {
            assert_eq!(Pin::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(p256\\.)?.{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(pin) = Pin::parse(&text) {
                prop_assert_eq!(pin.to_string(), text.to_lowercase());
            }
            let _ = Pin::new(&bytes);
        }
    }
}
