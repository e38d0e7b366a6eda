//! Who the node is and where its gateway is. It is told over a serial line, by hand or by a script, in the words of the gateway's own set-up: the
//! credential is the text of the QR code that the page shows once.
//!
//! | line | answer |
//! |---|---|
//! | `who` | `tuoan-node <hardware> <firmware> <site>/<device>`, or `-` when it is nobody yet |
//! | `enrol <site> <host>:<port> tuoan:credential:<device>:<password>[:<pin>]` | `ok`, and the node starts anew |
//! | `forget` | `ok`: identity, settings and last words go, and it starts anew |
//!
//! Anything else is answered by `error` and what to write instead. The password is never said again. The pin is the gateway's public key: a node that has one
//! speaks TLS, to the holder of that key, and nothing else ([`crate::link::tls`]).
use crate::flash::StoreError;
use crate::flash::keep::{Keep, Key, LONGEST as KEPT};
use crate::link::pin::{PIN, Pin};
use core::fmt::{self, Write};
use embedded_storage_async::nor_flash::NorFlash;
use heapless::{String, Vec};
use tuoan_protocol::{DeviceId, SiteId};

/// Longest line, bytes.
pub const LINE: usize = 400;
/// Longest answer, bytes.
pub const ANSWER: usize = 224;
const CREDENTIAL: &str = "tuoan:credential:";
/// First byte of the form in flash. One with a pin has its own, so that firmware which knows no pins takes it for nobody's and tells its password to nobody.
const PLAIN: u8 = 1;
const PINNED: u8 = 2;

#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub site: SiteId,
    /// Also its user at the broker.
    pub device: DeviceId,
    pub password: String<64>,
    /// Name or address of the gateway.
    pub host: String<64>,
    pub port: u16,
    /// The gateway's public key; `None`: without TLS.
    pub pin: Option<Pin>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("site", &self.site).field("device", &self.device).field("host", &self.host).finish_non_exhaustive()
    }
}

impl Identity {
    /// What is kept; `None`: nobody yet.
    ///
    /// # Errors
    /// The flash failed.
    pub async fn load<F: NorFlash>(keep: &mut Keep<F>) -> Result<Option<Identity>, StoreError> {
        Ok(keep.get(Key::Identity).await?.and_then(Identity::parse))
    }
    /// # Errors
    /// The flash failed; who it was before, it still is.
    pub async fn store<F: NorFlash>(&self, keep: &mut Keep<F>) -> Result<(), StoreError> {
        let bytes = self.to_bytes().ok_or(StoreError::TooLong)?;
        keep.put(Key::Identity, &bytes).await
    }
    /// As it lies in the flash; `None` when it is longer than what is kept.
    fn to_bytes(&self) -> Option<Vec<u8, KEPT>> {
        let mut bytes = Vec::<u8, KEPT>::new();
        bytes.push(if self.pin.is_some() { PINNED } else { PLAIN }).ok()?;
        bytes.extend_from_slice(&self.port.to_le_bytes()).ok()?;
        for text in [self.site.as_str(), self.device.as_str(), self.password.as_str(), self.host.as_str()] {
            bytes.push(u8::try_from(text.len()).ok()?).ok()?;
            bytes.extend_from_slice(text.as_bytes()).ok()?;
        }
        if let Some(pin) = &self.pin {
            bytes.extend_from_slice(pin.bytes()).ok()?;
        }
        Some(bytes)
    }
    fn parse(bytes: &[u8]) -> Option<Identity> {
        let (&[form, low, high], rest) = bytes.split_first_chunk::<3>()?;
        let (mut rest, pin) = match form {
            PLAIN => (rest, None),
            PINNED => {
                let (rest, pin) = rest.split_last_chunk::<PIN>()?;
                (rest, Some(Pin::new(pin)?))
            }
            _ => return None,
        };
        let mut text = || {
            let (len, after) = rest.split_first()?;
            let (text, after) = after.split_at_checked(usize::from(*len))?;
            rest = after;
            core::str::from_utf8(text).ok()
        };
        Some(Identity {
            site: SiteId::new(text()?).ok()?,
            device: DeviceId::new(text()?).ok()?,
            password: String::try_from(text()?).ok()?,
            host: String::try_from(text()?).ok()?,
            port: u16::from_le_bytes([low, high]),
            pin,
        })
    }
}

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // One at a time on the stack, and no allocator to box it.
pub enum Asked {
    Who,
    Enrol(Identity),
    Forget,
}

/// Why a line is not understood; its text says what to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Puzzled {
    Word,
    Site,
    Gateway,
    Credential,
    Pin,
    TooLong,
}

impl fmt::Display for Puzzled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Word => "write who, enrol or forget",
            Self::Site => "the site is a name without spaces, e.g. xingyuan",
            Self::Gateway => "the gateway is host:port, e.g. 192.168.1.10:1883",
            Self::Credential => "the credential is the text of the code: tuoan:credential:name:password",
            Self::Pin => "the code ends with the gateway's key, p256. and 66 digits: copy all of it",
            Self::TooLong => "the line is too long",
        })
    }
}

impl Asked {
    /// # Errors
    /// What of the line is wrong.
    pub fn parse(line: &str) -> Result<Asked, Puzzled> {
        let mut words = line.split_ascii_whitespace();
        let asked = match words.next() {
            Some("who") => Asked::Who,
            Some("forget") => Asked::Forget,
            Some("enrol") => {
                let site = words.next().and_then(|s| SiteId::new(s).ok()).ok_or(Puzzled::Site)?;
                let (host, port) = words.next().and_then(|w| w.rsplit_once(':')).ok_or(Puzzled::Gateway)?;
                let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
                let port = port.parse().ok().filter(|p| *p > 0).ok_or(Puzzled::Gateway)?;
                let host = Some(host).filter(|h| !h.is_empty() && h.bytes().all(good)).and_then(|h| String::try_from(h).ok());
                let code = words.next().and_then(|w| w.strip_prefix(CREDENTIAL)).ok_or(Puzzled::Credential)?;
                let (code, pin) = match code.rsplit_once(':') {
                    Some((code, pin)) if Pin::is_meant(pin) => (code, Some(Pin::parse(pin).ok_or(Puzzled::Pin)?)),
                    _ => (code, None),
                };
                let (device, password) = code.rsplit_once(':').ok_or(Puzzled::Credential)?;
                let device = DeviceId::new(device).map_err(|_| Puzzled::Credential)?;
                let password = Some(password).filter(|p| !p.is_empty()).and_then(|p| String::try_from(p).ok());
                Asked::Enrol(Identity {
                    site,
                    device,
                    password: password.ok_or(Puzzled::Credential)?,
                    host: host.ok_or(Puzzled::Gateway)?,
                    port,
                    pin,
                })
            }
            _ => return Err(Puzzled::Word),
        };
        if words.next().is_some() { Err(Puzzled::Word) } else { Ok(asked) }
    }
}

/// The serial line: bytes in, lines out.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8, LINE>,
    /// The line was too long: it is passed over to its end.
    over: bool,
}

impl Lines {
    /// One byte; what a line asks for, at its end. Empty lines and the noise of a plug are nothing.
    pub fn feed(&mut self, byte: u8) -> Option<Result<Asked, Puzzled>> {
        if byte != b'\n' && byte != b'\r' {
            self.over |= self.line.push(byte).is_err();
            return None;
        }
        let asked = match core::str::from_utf8(&self.line) {
            _ if self.over => Some(Err(Puzzled::TooLong)),
            Ok(line) if line.trim().is_empty() => None,
            Ok(line) => Some(Asked::parse(line)),
            Err(_) => Some(Err(Puzzled::Word)),
        };
        // A password does not stay in memory longer than it must.
        self.line.iter_mut().for_each(|b| *b = 0);
        self.line.clear();
        self.over = false;
        asked
    }
}

/// Does what a line asks for, and says what is to be answered. True: the node is to start anew.
pub async fn serve<F: NorFlash>(
    keep: &mut Keep<F>,
    asked: Result<Asked, Puzzled>,
    hardware: &str,
    firmware: &str,
) -> (String<ANSWER>, bool) {
    let mut answer = String::new();
    let done = match asked {
        Err(puzzled) => {
            let _ = write!(answer, "error {puzzled}");
            return (answer, false);
        }
        Ok(Asked::Who) => match Identity::load(keep).await {
            Ok(who) => {
                let _ = write!(answer, "tuoan-node {hardware} {firmware} ");
                let _ = match who {
                    Some(who) => write!(answer, "{}/{}", who.site, who.device),
                    None => write!(answer, "-"),
                };
                return (answer, false);
            }
            Err(error) => Err(error),
        },
        Ok(Asked::Enrol(identity)) => identity.store(keep).await,
        Ok(Asked::Forget) => keep.reset().await,
    };
    let _ = match done {
        Ok(()) => write!(answer, "ok"),
        Err(error) => write!(answer, "error {error}"),
    };
    (answer, done.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flash::sim::{Chip, PAGE, run};
    use proptest::prelude::*;

    const ENROL: &str = "enrol xingyuan 192.168.1.10:1883 tuoan:credential:托小班2-th:00112233445566778899aabbccddeeff";

    fn say(chip: &Chip, lines: &str) -> std::vec::Vec<(std::string::String, bool)> {
        let mut keep = run(Keep::open(chip.part(0, 4 * PAGE))).unwrap();
        let mut input = Lines::default();
        let asked: std::vec::Vec<_> = lines.bytes().filter_map(|b| input.feed(b)).collect();
        let answers = asked.into_iter().map(|a| run(serve(&mut keep, a, "rp2040-w5500/2", "1.0.0")));
        answers.map(|(text, anew)| (text.as_str().to_owned(), anew)).collect()
    }
    fn said(text: &str, anew: bool) -> (std::string::String, bool) {
        (text.to_owned(), anew)
    }

    #[test]
    fn a_node_is_enrolled_asked_and_forgets() {
        let chip = Chip::new(4 * PAGE);
        assert_eq!(say(&chip, "\r\nwho\r\n"), [said("tuoan-node rp2040-w5500/2 1.0.0 -", false)]);
        assert_eq!(say(&chip, &format!("{ENROL}\n")), [said("ok", true)]);
        assert_eq!(say(&chip, "who\n"), [said("tuoan-node rp2040-w5500/2 1.0.0 xingyuan/托小班2-th", false)]);
        let who = run(Identity::load(&mut run(Keep::open(chip.part(0, 4 * PAGE))).unwrap())).unwrap().unwrap();
        assert_eq!((who.host.as_str(), who.port, who.password.len()), ("192.168.1.10", 1883, 32));
        assert!(!format!("{who:?}").contains("0011"), "no password in a log");
        assert_eq!(say(&chip, "forget\n"), [said("ok", true)]);
        assert_eq!(say(&chip, "who\n"), [said("tuoan-node rp2040-w5500/2 1.0.0 -", false)]);
        let bytes = chip.bytes();
        assert!(!bytes.windows(8).any(|w| w == b"00112233"), "nor in the flash of a node that was given away");
    }

    const PIN: &str = "p256.036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";

    #[test]
    fn a_pin_is_kept_and_goes_with_an_enrolment_without_one() {
        let chip = Chip::new(4 * PAGE);
        let who = |chip: &Chip| run(Identity::load(&mut run(Keep::open(chip.part(0, 4 * PAGE))).unwrap())).unwrap().unwrap();
        assert_eq!(say(&chip, &format!("{ENROL}:{PIN}\n")), [said("ok", true)]);
        let pinned = who(&chip);
        assert_eq!((pinned.pin.clone(), pinned.password.len()), (Pin::parse(PIN), 32));
        assert_eq!(say(&chip, &format!("{ENROL}\n")), [said("ok", true)]);
        assert_eq!(who(&chip), Identity { pin: None, ..pinned });
    }

    #[test]
    fn the_longest_names_fit_the_line_and_the_flash() {
        let name = "x".repeat(64);
        let site = "s".repeat(48);
        let line = format!("enrol {site} {name}:65535 tuoan:credential:{name}:{name}:{PIN}");
        let mut input = Lines::default();
        let asked = format!("{line}\n").bytes().find_map(|b| input.feed(b));
        let Some(Ok(Asked::Enrol(who))) = asked else { panic!("{asked:?}") };
        assert_eq!(Identity::parse(&who.to_bytes().unwrap()), Some(who));
    }

    /// What nodes in service have in their flash.
    #[test]
    fn the_form_without_a_pin_stays() {
        let old = b"\x01\x5b\x07\x01s\x01d\x01p\x041.23";
        let who = Identity::parse(old).unwrap();
        assert_eq!((who.site.as_str(), who.host.as_str(), who.port, who.pin), ("s", "1.23", 1883, None));
        assert_eq!(Identity::parse(b"\x02\x5b\x07\x01s\x01d\x01p\x041.23"), None, "a pin that is not there is not left out");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, why) in [
            ("hello", Puzzled::Word),
            ("who are you", Puzzled::Word),
            ("enrol a/b 1.2.3.4:1 tuoan:credential:d:p", Puzzled::Site),
            ("enrol s 1.2.3.4 tuoan:credential:d:p", Puzzled::Gateway),
            ("enrol s host:0 tuoan:credential:d:p", Puzzled::Gateway),
            ("enrol s ho$t:1 tuoan:credential:d:p", Puzzled::Gateway),
            ("enrol s host:1 credential:d:p", Puzzled::Credential),
            ("enrol s host:1 tuoan:credential:d:", Puzzled::Credential),
            ("enrol s host:1 tuoan:credential:d:p more", Puzzled::Word),
            ("enrol s host:1 tuoan:credential:d:p:p256.036b17", Puzzled::Pin),
        ] {
            assert_eq!(Asked::parse(line), Err(why), "{line}");
        }
        let chip = Chip::new(4 * PAGE);
        let long = format!("{}\nwho\n", "x".repeat(1000));
        assert_eq!(
            say(&chip, &long).iter().map(|(t, _)| t.split(' ').next().unwrap()).collect::<std::vec::Vec<_>>(),
            ["error", "tuoan-node"]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut lines = Lines::default();
            for byte in &bytes {
                let _ = lines.feed(*byte);
            }
            let _ = Identity::parse(&bytes);
        }
    }
}
