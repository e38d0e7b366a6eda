//! The serial console, by which a node learns who it is. Its words are those of `tuoan_node::identity`.
use crate::serial::{Console, say};
use crate::{Kept, last, ticks};
use core::net::Ipv4Addr;
use embassy_time::Timer;
use tuoan_node::flash::boot;
use tuoan_node::identity::{Asked, Lines, serve};

/// Serves for ever, or until the node has another identity: then it starts anew.
pub async fn run(keep: &Kept, hardware: &str) -> ! {
    let mut lines = Lines::default();
    loop {
        let Some(asked) = lines.feed(Console::read().await) else { continue };
        if let Ok(Asked::Enrol(who)) = &asked {
            if who.host.parse::<Ipv4Addr>().is_err() {
                say!("error this board asks no name server: the gateway is address:port, e.g. 192.168.1.10:1883");
                continue;
            }
            // A password that is to be sealed is sent in clear to nobody.
            if who.pin.is_some() {
                say!("error this board has no memory for TLS: enrol it with a code that ends with the password");
                continue;
            }
        }
        let mut keep = keep.lock().await;
        let (answer, anew) = serve(&mut keep, asked, hardware, env!("CARGO_PKG_VERSION")).await;
        if anew {
            // The chip draws no random numbers. A node without a boot number is one that is enrolled now: at which cycle that came, nobody can repeat.
            boot::next(&mut keep, ticks::cycles()).await;
        }
        say!("{}", answer);
        if anew {
            Timer::after_millis(100).await;
            last::restart();
        }
    }
}
