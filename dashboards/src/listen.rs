//! How a server takes connections: so many in all and of one host, and none that says nothing for long.
//!
//! What must hold: whoever merely opens connections, or sends a byte now and then, must not use up the files that the process may have open,
//! because the gateway needs them for its devices and its log.
use axum::serve::{Listener, ListenerExt};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};

/// What one server bears.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once.
    pub all: usize,
    /// Of one address. The machine itself may have all: a reverse proxy runs there.
    pub of_one: usize,
    /// A connection on which no byte moves for so long is closed.
    pub idle: Duration,
}

/// Takes connections within `limits`; further ones are closed at once. Handlers are told who asks ([`axum::extract::ConnectInfo`]).
pub fn limited(limits: Limits, listener: TcpListener) -> axum::serve::TapIo<Limited, fn(&mut Connection)> {
    Limited { listener, limits, open: Arc::default() }.tap_io(|_| {})
}

/// A listener within limits.
#[derive(Debug)]
pub struct Limited {
    listener: TcpListener,
    limits: Limits,
    open: Arc<Open>,
}

/// Connections at present, by address.
#[derive(Debug, Default)]
struct Open(Mutex<HashMap<IpAddr, usize>>);

impl Open {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn take(self: &Arc<Self>, address: IpAddr, limits: Limits) -> Option<Place> {
        let mut open = self.lock();
        let most = if address.is_loopback() { limits.all } else { limits.of_one };
        let full = open.values().sum::<usize>() >= limits.all || open.get(&address).is_some_and(|n| *n >= most);
        if full {
            return None;
        }
        *open.entry(address).or_default() += 1;
        Some(Place { open: Arc::clone(self), address })
    }
}

/// A connection's place; given back when it ends.
#[derive(Debug)]
struct Place {
    open: Arc<Open>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        if let Some(n) = open.get_mut(&self.address) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                open.remove(&self.address);
            }
        }
    }
}

impl Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let (socket, address) = Listener::accept(&mut self.listener).await;
            let Some(place) = self.open.take(address.ip().to_canonical(), self.limits) else { continue };
            // An answer is one small packet: it must not wait for the next one.
            let _ = socket.set_nodelay(true);
            let idle = self.limits.idle;
            let connection = Connection { socket, idle, moved: Instant::now(), alarm: Box::pin(sleep(idle)), _place: place };
            return (connection, address);
        }
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A socket that ends when nothing moves on it.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    idle: Duration,
    moved: Instant,
    alarm: Pin<Box<Sleep>>,
    _place: Place,
}

impl Connection {
    /// Notes what moved; while nothing does, an error once that has lasted too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.moved = Instant::now();
            return poll;
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            let end = self.moved + self.idle;
            if end <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.alarm.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.socket).poll_read(cx, buf);
        self.watch(cx, poll)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.watch(cx, poll)
    }
    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.watch(cx, poll)
    }
    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::extract::ConnectInfo;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn server(limits: Limits) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(|ConnectInfo(a): ConnectInfo<SocketAddr>| async move { a.ip().to_string() }));
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(limited(limits, listener), app).await });
        address
    }

    async fn ask(address: SocketAddr) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let _ = socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let mut answer = String::new();
        let _ = socket.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn who_holds_connections_and_says_nothing_loses_them() {
        let address = server(Limits { all: 3, of_one: 3, idle: Duration::from_millis(200) }).await;
        let mut slow = Vec::new();
        for _ in 0..3 {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(b"GET / HTTP/1.1\r\nx-slow: ").await.unwrap();
            slow.push(socket);
        }
        assert_eq!(ask(address).await, "", "all places are taken");
        for socket in &mut slow {
            let mut rest = Vec::new();
            let _ = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut rest)).await.expect("closed by the server");
        }
        assert!(ask(address).await.ends_with("127.0.0.1"));
    }

    #[test]
    fn one_host_does_not_take_every_place() {
        let open = Arc::new(Open::default());
        let limits = Limits { all: 4, of_one: 2, idle: Duration::from_secs(1) };
        let (a, b) = (IpAddr::from([192, 168, 1, 7]), IpAddr::from([192, 168, 1, 8]));
        let first = open.take(a, limits);
        let _second = open.take(a, limits).unwrap();
        assert!(open.take(a, limits).is_none());
        let _other = open.take(b, limits).unwrap();
        drop(first);
        let _again = open.take(a, limits).unwrap();
        let here: Vec<_> = (0..4).map_while(|_| open.take(IpAddr::from([127, 0, 0, 1]), limits)).collect();
        assert_eq!(here.len(), 1, "four in all");
        drop(here);
        assert_eq!(open.lock().len(), 2, "nothing is remembered of who is gone");
    }
}
