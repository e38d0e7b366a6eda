//! A TCP proxy between two programs, to cut, refuse and stall their connection.
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct State {
    down: AtomicBool,
    stalled: AtomicBool,
    /// Cut the connection when so many more bytes have come back from the server; 0: never.
    cut_after: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

impl Proxy {
    pub fn start(target: SocketAddr) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free loopback port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::new(State::default());
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.down.load(Ordering::SeqCst) {
                    let _ = client.shutdown(Shutdown::Both);
                    continue;
                }
                let Ok(server) = TcpStream::connect_timeout(&target, Duration::from_secs(2)) else { continue };
                let pair = [client.try_clone(), server.try_clone(), client.try_clone(), server.try_clone()];
                let [Ok(c1), Ok(s1), Ok(c2), Ok(s2)] = pair else { continue };
                shared.open.lock().expect("proxy").extend([client, server]);
                let (up, down) = (shared.clone(), shared.clone());
                std::thread::spawn(move || copy(c1, s1, &up, false));
                std::thread::spawn(move || copy(s2, c2, &down, true));
            }
        });
        Proxy { port, state }
    }
    /// Cuts every connection and accepts no new one.
    pub fn down(&self) {
        self.state.down.store(true, Ordering::SeqCst);
        self.cut();
    }
    pub fn up(&self) {
        self.state.down.store(false, Ordering::SeqCst);
    }
    /// Cuts every open connection; new ones are accepted.
    pub fn cut(&self) {
        for s in self.state.open.lock().expect("proxy").drain(..) {
            let _ = s.shutdown(Shutdown::Both);
        }
    }
    /// Passes nothing on, keeps the connections open.
    pub fn stall(&self, stalled: bool) {
        self.state.stalled.store(stalled, Ordering::SeqCst);
    }
    /// Cuts the connection in the middle of the server's next answers: before its byte number `bytes`.
    pub fn cut_after(&self, bytes: u64) {
        self.state.cut_after.store(bytes, Ordering::SeqCst);
    }
    /// The cut asked for last has been made.
    pub fn has_cut(&self) -> bool {
        self.state.cut_after.load(Ordering::SeqCst) == 0
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, state: &State, answers: bool) {
    let mut buf = [0u8; 16 << 10];
    while let Ok(n) = from.read(&mut buf) {
        if n == 0 {
            break;
        }
        while state.stalled.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut n = n;
        if answers {
            let left = state.cut_after.load(Ordering::SeqCst);
            if left > 0 {
                if n as u64 >= left {
                    state.cut_after.store(0, Ordering::SeqCst);
                    n = left as usize - 1;
                    let _ = to.write_all(&buf[..n]);
                    break;
                }
                state.cut_after.store(left - n as u64, Ordering::SeqCst);
            }
        }
        if to.write_all(&buf[..n]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
