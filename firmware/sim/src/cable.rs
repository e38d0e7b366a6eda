//! The network cable. Pulled, nothing comes and nothing goes and nobody says so; what the node gave up meanwhile stays open at the broker's end, as it
//! does with a real cable, until the node is back.
use crate::scene::Scene;
use crate::script::What;
use crate::time::Timeline;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tuoan_node::link::Connect;

/// Opens a line to the broker.
#[allow(async_fn_in_trait)] // One executor, one thread: nothing here has to be `Send`.
pub trait Dial: Clone {
    type Line: AsyncRead + AsyncWrite + Unpin;
    /// # Errors
    /// When there is none.
    async fn dial(&self) -> io::Result<Self::Line>;
}

/// TCP.
#[derive(Debug, Clone, Copy)]
pub struct Tcp(pub SocketAddr);
impl Dial for Tcp {
    type Line = TcpStream;
    async fn dial(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.0).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// One node's cable.
pub struct Cable<D: Dial> {
    pub dial: D,
    pub scene: Rc<Scene>,
    pub time: Timeline,
    /// A line whose end the broker does not know of.
    pub stranded: Rc<RefCell<Option<D::Line>>>,
    /// The program does not find the network, whatever is plugged in.
    pub mute: bool,
}

impl<D: Dial> Clone for Cable<D> {
    fn clone(&self) -> Cable<D> {
        let Cable { dial, scene, time, stranded, mute } = self;
        Cable { dial: dial.clone(), scene: scene.clone(), time: *time, stranded: stranded.clone(), mute: *mute }
    }
}

impl<D: Dial> Cable<D> {
    fn is_out(&self) -> bool {
        let t = self.time.now();
        self.scene.is(What::Cable, t) || self.scene.is(What::Power, t)
    }
    /// Waits until it is in; when it is next pulled.
    async fn in_place(&self) -> Option<Instant> {
        while let Some(end) = self.scene.until(What::Cable, self.time.now()) {
            sleep_until(self.time.instant(end)).await;
        }
        self.scene.next(What::Cable, self.time.now()).map(|t| self.time.instant(t))
    }
}

impl<D: Dial> Connect for Cable<D> {
    type Stream<'a>
        = Line<D>
    where
        Self: 'a;
    async fn connect(&mut self) -> Option<Line<D>> {
        if self.is_out() || self.mute {
            return None;
        }
        let line = self.dial.dial().await.ok()?;
        // The broker learns from the new one that the old one is done for.
        self.stranded.borrow_mut().take();
        Some(Line { line: Some(line), cable: self.clone() })
    }
}

/// A connection through the cable.
pub struct Line<D: Dial> {
    line: Option<D::Line>,
    cable: Cable<D>,
}

impl<D: Dial> Drop for Line<D> {
    fn drop(&mut self) {
        if self.cable.is_out() {
            *self.cable.stranded.borrow_mut() = self.line.take();
        }
    }
}

impl<D: Dial> ErrorType for Line<D> {
    type Error = ErrorKind;
}

fn broken(_: io::Error) -> ErrorKind {
    ErrorKind::ConnectionReset
}

impl<D: Dial> Read for Line<D> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let line = self.line.as_mut().ok_or(ErrorKind::NotConnected)?;
        loop {
            let came = match self.cable.in_place().await {
                Some(pulled) => match timeout_at(pulled, line.read(buf)).await {
                    Ok(came) => came,
                    Err(_) => continue,
                },
                None => line.read(buf).await,
            };
            return came.map_err(broken);
        }
    }
}

impl<D: Dial> Write for Line<D> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.cable.in_place().await;
        self.line.as_mut().ok_or(ErrorKind::NotConnected)?.write(buf).await.map_err(broken)
    }
    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.line.as_mut().ok_or(ErrorKind::NotConnected)?.flush().await.map_err(broken)
    }
}
