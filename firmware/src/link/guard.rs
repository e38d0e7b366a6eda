//! Whole TLS records, and none that the library above must not see.
//!
//! `embedded-tls` reads a record's head and its body in two steps and keeps no head when it is cancelled in between; here a record is handed on only when all
//! of it has come, so that a cancelled read has taken nothing. And it panics at a sealed record without content, and at a handshake message in clear after the
//! handshake: anybody in the network could send those.
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

/// Bytes of a record's head: kind, version, length.
pub(super) const HEAD: usize = 5;
/// Shortest body of a sealed record: the kind of its content, and the tag.
const LEAST: usize = 17;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SEALED: u8 = 23;

/// A stream below TLS, read record by record.
#[derive(Debug)]
pub struct Guard<'b, S> {
    stream: S,
    record: &'b mut [u8],
    /// Bytes of the record that have come, and of it those that were handed on.
    filled: usize,
    taken: usize,
    whole: bool,
    /// From the first sealed record on, all are.
    sealed: bool,
}

impl<'b, S> Guard<'b, S> {
    pub(super) fn new(stream: S, record: &'b mut [u8]) -> Guard<'b, S> {
        Guard { stream, record, filled: 0, taken: 0, whole: false, sealed: false }
    }

    /// Length of the record whose head has come; `None`: one that must not come.
    fn length(&mut self) -> Option<usize> {
        let (&[kind, 3, _, high, low], _) = self.record.split_first_chunk::<HEAD>()? else { return None };
        let body = usize::from(u16::from_be_bytes([high, low]));
        let fits = match kind {
            SEALED => {
                self.sealed = true;
                body >= LEAST
            }
            CHANGE_CIPHER_SPEC => !self.sealed && body == 1,
            ALERT => !self.sealed && body == 2,
            HANDSHAKE => !self.sealed && body > 0,
            _ => false,
        };
        body.checked_add(HEAD).filter(|total| fits && *total <= self.record.len())
    }
}

impl<S> ErrorType for Guard<'_, S> {
    type Error = ErrorKind;
}

impl<S: Read> Read for Guard<'_, S> {
    /// What came of a record stays when this is cancelled.
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.whole && self.taken == self.filled {
            (self.filled, self.taken, self.whole) = (0, 0, false);
        }
        while !self.whole {
            let total = if self.filled < HEAD { HEAD } else { self.length().ok_or(ErrorKind::InvalidData)? };
            if self.filled == total {
                self.whole = true;
                break;
            }
            let room = self.record.get_mut(self.filled..total).unwrap_or_default();
            match self.stream.read(room).await {
                Ok(0) => return Ok(0),
                Ok(n) => self.filled = self.filled.saturating_add(n).min(total),
                Err(_) => return Err(ErrorKind::ConnectionReset),
            }
        }
        let rest = self.record.get(self.taken..self.filled).unwrap_or_default();
        let n = rest.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(rest) {
            *to = *from;
        }
        self.taken = self.taken.saturating_add(n);
        Ok(n)
    }
}

impl<S: Write> Write for Guard<'_, S> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.stream.write(buf).await.map_err(|_| ErrorKind::ConnectionReset)
    }
    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.stream.flush().await.map_err(|_| ErrorKind::ConnectionReset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Gives its bytes one at a time, and after each is late once.
    struct Slow<'a>(&'a [u8], bool);
    impl ErrorType for Slow<'_> {
        type Error = ErrorKind;
    }
    impl Read for Slow<'_> {
        async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
            self.1 = !self.1;
            if self.1 {
                core::future::pending::<()>().await;
            }
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            self.0 = rest;
            buf[0] = *first;
            Ok(1)
        }
    }

    /// Reads in pieces of `piece`, given up again and again; what came, and how it ended.
    fn read(bytes: &[u8], piece: usize) -> (Vec<u8>, Result<(), ErrorKind>) {
        let (mut record, mut buf, mut out) = ([0; 64], [0; 64], Vec::new());
        let mut guard = Guard::new(Slow(bytes, false), &mut record);
        loop {
            match guard.read(&mut buf[..piece]).now_or_never() {
                None => {}
                Some(Ok(0)) => return (out, Ok(())),
                Some(Ok(n)) => out.extend_from_slice(&buf[..n]),
                Some(Err(e)) => return (out, Err(e)),
            }
        }
    }
    fn record(kind: u8, body: usize) -> Vec<u8> {
        [&[kind, 3, 3, 0, body as u8][..], &std::vec![7; body]].concat()
    }

    #[test]
    fn records_pass_whole_whatever_is_cancelled() {
        let good = [record(HANDSHAKE, 40), record(CHANGE_CIPHER_SPEC, 1), record(SEALED, 17), record(SEALED, 59)].concat();
        for piece in [1, 3, 5, 64] {
            assert_eq!(read(&good, piece), (good.clone(), Ok(())), "{piece}");
        }
        // Half a record is none.
        assert_eq!(read(&good[..60], 5), (good[..51].to_vec(), Ok(())));
    }

    #[test]
    fn what_would_break_the_library_does_not_reach_it() {
        let invalid = (Vec::new(), Err(ErrorKind::InvalidData));
        for bad in [record(SEALED, 16), record(SEALED, 0), record(SEALED, 60), record(24, 20), record(0, 20), record(HANDSHAKE, 0)] {
            assert_eq!(read(&bad, 5), invalid, "{bad:?}");
        }
        let sealed = record(SEALED, 17);
        for late in [record(HANDSHAKE, 4), record(ALERT, 2), record(CHANGE_CIPHER_SPEC, 1)] {
            assert_eq!(read(&[sealed.clone(), late].concat(), 5), (sealed.clone(), Err(ErrorKind::InvalidData)));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), piece in 1usize..64) {
            let (out, _) = read(&bytes, piece);
            prop_assert!(bytes.starts_with(&out));
        }
    }
}
