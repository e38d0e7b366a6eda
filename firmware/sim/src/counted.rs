//! The node's connections, read where they leave the node: what TLS makes of the bytes afterwards is nobody's business here.
use crate::tally::Tally;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use std::cell::RefCell;
use std::rc::Rc;
use tokio::time::Instant;
use tuoan_node::link::{Connect, End};

/// Connections of `network` that are counted.
pub struct Counted<N> {
    pub network: N,
    pub tally: Rc<RefCell<Tally>>,
}

impl<N: Connect> Connect for Counted<N> {
    type Stream<'a>
        = Line<N::Stream<'a>>
    where
        Self: 'a;
    async fn connect(&mut self) -> Option<Self::Stream<'_>> {
        let began = Instant::now();
        let stream = self.network.connect().await?;
        self.tally.borrow_mut().connected(began, Instant::now());
        Some(Line { stream, tally: self.tally.clone() })
    }
    fn refusal(&self) -> End {
        self.network.refusal()
    }
}

/// A connection that is counted.
pub struct Line<S> {
    stream: S,
    tally: Rc<RefCell<Tally>>,
}

impl<S> ErrorType for Line<S> {
    type Error = ErrorKind;
}

fn broken<E>(_: E) -> ErrorKind {
    ErrorKind::ConnectionReset
}

impl<S: Read> Read for Line<S> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let n = self.stream.read(buf).await.map_err(broken)?;
        self.tally.borrow_mut().read(buf.get(..n).unwrap_or_default(), Instant::now());
        Ok(n)
    }
}

impl<S: Write> Write for Line<S> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        let n = self.stream.write(buf).await.map_err(broken)?;
        self.tally.borrow_mut().wrote(buf.get(..n).unwrap_or_default(), Instant::now());
        Ok(n)
    }
    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.stream.flush().await.map_err(broken)
    }
}
