//! A socket that gathers small writes.
//!
//! rumqttc flushes after each acknowledgement. At tens of thousands a second that is a system call for each; here a flush only marks the
//! bytes, and they leave together before the next read, which is when the event loop has nothing more to send.
use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// From here on a write goes out at once.
const ENOUGH: usize = 16 << 10;
/// From here on the writer waits.
const MOST: usize = 1 << 20;

pub(super) struct GatheringSocket {
    inner: TcpStream,
    out: BytesMut,
}

impl GatheringSocket {
    pub(super) fn new(inner: TcpStream) -> GatheringSocket {
        GatheringSocket { inner, out: BytesMut::new() }
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let n = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.out))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(n);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for GatheringSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // A peer that does not read must not keep us from reading: on `Pending` the waker is registered for both.
        if let Poll::Ready(Err(e)) = self.poll_out(cx) {
            return Poll::Ready(Err(e));
        }
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for GatheringSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.out.len() >= ENOUGH {
            match self.poll_out(cx) {
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending if self.out.len() >= MOST => return Poll::Pending,
                _ => {}
            }
        }
        self.out.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl Drop for GatheringSocket {
    /// The goodbye is the last packet written and nothing is read after it.
    fn drop(&mut self) {
        if !self.out.is_empty() {
            let _ = self.inner.try_write(&self.out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn pair() -> (GatheringSocket, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (GatheringSocket::new(near), listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn flushed_bytes_leave_before_the_next_read_or_at_the_end() {
        let (mut near, mut far) = pair().await;
        near.write_all(b"ab").await.unwrap();
        near.flush().await.unwrap();
        near.write_all(b"cd").await.unwrap();
        assert_eq!(near.out.len(), 4);
        far.write_all(b"!").await.unwrap();
        assert_eq!(near.read_u8().await.unwrap(), b'!');
        let mut got = [0; 4];
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"abcd");
        near.write_all(b"bye").await.unwrap();
        drop(near);
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"bye");
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_makes_the_writer_wait() {
        let (mut near, _far) = pair().await;
        let chunk = vec![0u8; 64 << 10];
        let endless = async {
            loop {
                near.write_all(&chunk).await.unwrap();
            }
        };
        assert!(tokio::time::timeout(std::time::Duration::from_millis(300), endless).await.is_err());
        assert!(near.out.len() <= MOST + chunk.len());
    }
}
