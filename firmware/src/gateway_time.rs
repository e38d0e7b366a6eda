//! UTC from the gateway, where there is no server for SNTP: the `Date` of an answer of its pages (RFC 9110, section 5.6.7). It is right to a second, which
//! is enough to tell an old reading from a new one.
use crate::clock::{Clock, Wall, until};
use crate::link::Connect;
use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};

/// Longest wait for an answer in milliseconds.
const ANSWER_MS: u64 = 5_000;
/// How soon it is asked again, when nobody answered and when somebody did.
const RETRY_MS: u64 = 10_000;
const AGAIN_MS: u64 = 3_600_000;
/// Nothing before this firmware was written is the time: 2026-01-01, seconds since 1970.
const EARLIEST_S: i64 = 1_767_225_600;

/// Keeps `wall` right, for ever.
pub async fn keep<C: Clock, N: Connect>(clock: &C, wall: &Wall, gateway: &mut N) -> ! {
    loop {
        let asked = clock.now_ms();
        let told = match select(ask(gateway), until(clock, asked.saturating_add(ANSWER_MS))).await {
            Either::First(told) => told,
            Either::Second(()) => None,
        };
        let now = clock.now_ms();
        if let Some(seconds) = told {
            // In the middle of the second that it names.
            wall.set(seconds.saturating_mul(1000).saturating_add(500), now);
        }
        until(clock, now.saturating_add(if told.is_some() { AGAIN_MS } else { RETRY_MS })).await;
    }
}

async fn ask<N: Connect>(gateway: &mut N) -> Option<i64> {
    let mut stream = gateway.connect().await?;
    stream.write_all(b"HEAD /healthz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n").await.ok()?;
    stream.flush().await.ok()?;
    // A line at a time: a gateway's answer has many before the date.
    let (mut head, mut filled) = ([0; 512], 0);
    loop {
        let read = head.get(..filled)?;
        if let Some(seconds) = date(read) {
            return Some(seconds);
        }
        if let Some(end) = read.iter().rposition(|b| *b == b'\n') {
            head.copy_within(end + 1..filled, 0);
            filled -= end + 1;
        }
        match stream.read(head.get_mut(filled..).filter(|room| !room.is_empty())?).await {
            Ok(n) if n > 0 => filled += n,
            _ => return None,
        }
    }
}

/// Seconds since 1970 that the head of an answer names: `Date: Sun, 06 Nov 1994 08:49:37 GMT`, whole line. `None` when there is none, or no such day.
pub fn date(head: &[u8]) -> Option<i64> {
    let text = |bytes| core::str::from_utf8(bytes).ok();
    // The last piece may be half a line.
    let (lines, _) = head.split_at(head.iter().rposition(|b| *b == b'\n')? + 1);
    let line = lines.split(|b| *b == b'\n').find(|l| l.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"date:")))?;
    let mut words = text(line.get(5..)?)?.split_ascii_whitespace();
    words.next()?;
    let number = |word: &str, digits| (word.len() == digits).then(|| word.parse::<u32>().ok()).flatten();
    let day = number(words.next()?, 2)?;
    let month = words.next()?;
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month)?.1;
    let year = number(words.next()?, 4)?;
    let mut time = words.next()?.split(':').map(|word| number(word, 2));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if words.next()? != "GMT" || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    (seconds >= EARLIEST_S).then_some(seconds)
}

/// Days from 1970-01-01 to that date of the Gregorian calendar.
fn days(year: u32, month: u32, day: u32) -> i64 {
    // Years that begin in March: the leap day is their last.
    let (year, month) = if month > 2 { (i64::from(year), i64::from(month) - 3) } else { (i64::from(year) - 1, i64::from(month) + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + i64::from(day) - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(date: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ndate: {date}\r\n")
    }

    #[test]
    fn the_date_of_an_answer_is_read() {
        assert_eq!(super::date(head("Mon, 23 Nov 2026 03:04:09 GMT").as_bytes()), Some(1_795_403_049));
        assert_eq!(super::date(head("Tue, 29 Feb 2028 23:59:59 GMT").as_bytes()), Some(1_835_481_599));
        assert_eq!(super::date(head("Thu, 01 Jan 2026 00:00:00 GMT").as_bytes()), Some(EARLIEST_S));
    }

    /// Answers with these bytes, a few at a time.
    struct Answer(Vec<u8>);
    struct Stream<'a>(&'a mut Vec<u8>);
    impl Connect for Answer {
        type Stream<'a> = Stream<'a>;
        async fn connect(&mut self) -> Option<Stream<'_>> {
            Some(Stream(&mut self.0))
        }
    }
    impl embedded_io_async::ErrorType for Stream<'_> {
        type Error = core::convert::Infallible;
    }
    impl Read for Stream<'_> {
        async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
            let n = buf.len().min(self.0.len()).min(100);
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
    }
    impl Write for Stream<'_> {
        async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
            Ok(buf.len())
        }
        async fn flush(&mut self) -> Result<(), Self::Error> {
            Ok(())
        }
    }

    #[test]
    fn the_date_may_stand_behind_many_lines_but_none_longer_than_the_buffer() {
        let date = "date: Mon, 23 Nov 2026 03:04:09 GMT\r\n\r\n";
        let asked =
            |before: String| futures::executor::block_on(ask(&mut Answer(format!("HTTP/1.1 200 OK\r\n{before}{date}").into_bytes())));
        assert_eq!(asked("content-security-policy: default-src 'self'\r\n".repeat(100)), Some(1_795_403_049));
        assert_eq!(asked(format!("x: {}\r\n", "y".repeat(600))), None);
        assert_eq!(futures::executor::block_on(ask(&mut Answer(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()))), None);
    }

    #[test]
    fn half_a_line_and_what_is_no_date_are_none() {
        let whole = head("Mon, 23 Nov 2026 03:04:09 GMT");
        for cut in 0..whole.len() {
            assert_eq!(super::date(&whole.as_bytes()[..cut]), None, "{cut}");
        }
        for bad in [
            "Mon, 23 Nov 1994 03:04:09 GMT",
            "Mon, 00 Nov 2026 03:04:09 GMT",
            "Mon, 23 Now 2026 03:04:09 GMT",
            "Mon, 23 Nov 2026 24:04:09 GMT",
            "Mon, 23 Nov 2026 03:04:09 CST",
            "Mon, 23 Nov 2026 03:04 GMT",
            "Monday, 23-Nov-26 03:04:09 GMT",
            "",
        ] {
            assert_eq!(super::date(head(bad).as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), text in "\\PC{0,60}") {
            let _ = super::date(&bytes);
            let _ = super::date(head(&text).as_bytes());
        }
    }
}
