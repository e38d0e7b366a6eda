//! Chips that talk all the time over a serial line: taking the next whole frame out of the stream.
use crate::sensor::Fault;
use embassy_futures::poll_once;
use embassy_futures::select::{Either, select};
use embedded_hal_async::delay::DelayNs;
use embedded_io_async::Read;
use heapless::Vec;

/// What stands at the beginning of the bytes.
pub enum Scan<T> {
    /// Perhaps a frame: more bytes are needed.
    More,
    /// No frame begins here.
    No,
    /// A frame that is right.
    Frame(T),
}

/// Reads at most that are thrown away before: more than any driver's buffer holds.
const PILED_UP: usize = 64;

/// The next frame that begins after now, within `ms`: what has piled up since the last look is old, and its buffer may have overflowed. A frame that is
/// broken is passed over: that the stream is cut into in the middle is normal. So [`Fault::Corrupt`] means that bytes come but no frame does.
pub async fn next<T, const N: usize>(
    from: &mut impl Read,
    delay: &mut impl DelayNs,
    ms: u32,
    scan: impl Fn(&[u8]) -> Scan<T>,
) -> Result<T, Fault> {
    for _ in 0..PILED_UP {
        if poll_once(from.read(&mut [0; N])).is_pending() {
            break;
        }
    }
    let mut heard = false;
    let frame = async {
        let mut bytes: Vec<u8, N> = Vec::new();
        loop {
            let mut chunk = [0; N];
            let room = bytes.capacity() - bytes.len();
            match from.read(chunk.get_mut(..room).unwrap_or_default()).await {
                Ok(0) => return None,
                Ok(n) => {
                    heard = true;
                    let _ = bytes.extend_from_slice(chunk.get(..n).unwrap_or_default());
                }
                // An overrun or a disturbed byte: what is here does not belong together.
                Err(_) => {
                    heard = true;
                    bytes.clear();
                }
            }
            loop {
                match scan(&bytes) {
                    Scan::Frame(frame) => return Some(frame),
                    // A scan that wants more than fits would wait for ever.
                    Scan::More if bytes.len() < bytes.capacity() => break,
                    _ => drop(bytes.drain(..1.min(bytes.len()))),
                }
                if bytes.is_empty() {
                    break;
                }
            }
        }
    };
    let done = select(frame, delay.delay_ms(ms)).await;
    match done {
        Either::First(Some(frame)) => Ok(frame),
        _ if heard => Err(Fault::Corrupt),
        _ => Err(Fault::Missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Uart, block_on};
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use proptest::prelude::*;

    /// `#`, a digit, `!`.
    fn scan(bytes: &[u8]) -> Scan<u8> {
        match bytes {
            [] | [b'#'] | [b'#', _] => Scan::More,
            [b'#', digit, b'!', ..] => Scan::Frame(*digit),
            _ => Scan::No,
        }
    }
    fn read(uart: &mut Uart) -> Result<u8, Fault> {
        block_on(next::<_, 8>(uart, &mut NoopDelay, 1, scan))
    }

    #[test]
    fn the_next_frame_and_not_an_old_one() {
        let mut uart = Uart::new(&[b"#1!#2!#3!", b"", b"!#", b"4", b"!"]);
        assert_eq!(read(&mut uart), Ok(b'4'));
        assert_eq!(read(&mut Uart::new(&[b"", b"#x#5?##5!"])), Ok(b'5'));
        assert_eq!(read(&mut Uart::new(&[b"", b"xxxxxxxxxxxxxxxxxxxxx"])), Err(Fault::Corrupt));
        assert_eq!(read(&mut Uart::new(&[b"", b"#7"])), Err(Fault::Corrupt));
        assert_eq!(read(&mut Uart::new(&[])), Err(Fault::Missing));
    }

    proptest! {
        #[test]
        fn any_stream_ends(chunks: std::vec::Vec<std::vec::Vec<u8>>) {
            let chunks: std::vec::Vec<&[u8]> = chunks.iter().map(|c| &c[..]).collect();
            let _ = read(&mut Uart::new(&chunks));
        }
    }
}
