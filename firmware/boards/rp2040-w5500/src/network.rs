//! The W5500 as a plain Ethernet chip (its own TCP/IP is not used), and the connection to the gateway.
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::TcpSocket;
use embassy_net::{IpAddress, Stack};
use embassy_net_wiznet::chip::W5500;
use embassy_net_wiznet::{Device, Runner};
use embassy_rp::gpio::{Input, Output};
use embassy_rp::peripherals::SPI0;
use embassy_rp::spi::{Async, Spi};
use embassy_time::{Delay, Duration};
use embedded_hal_bus::spi::ExclusiveDevice;
use tuoan_node::link::Connect;

pub type Chip = Runner<'static, W5500, ExclusiveDevice<Spi<'static, SPI0, Async>, Output<'static>, Delay>, Input<'static>, Output<'static>>;

#[embassy_executor::task]
pub async fn chip(runner: Chip) -> ! {
    runner.run().await
}

#[embassy_executor::task]
pub async fn stack(mut runner: embassy_net::Runner<'static, Device<'static>>) -> ! {
    runner.run().await
}

/// What is sent is not acknowledged for so long: the connection is dead.
const SILENCE: Duration = Duration::from_secs(30);

pub struct Network<'a> {
    pub stack: Stack<'static>,
    /// Name or address of the gateway.
    pub host: &'a str,
    pub port: u16,
    pub rx: [u8; 2048],
    pub tx: [u8; 4096],
}

impl Network<'_> {
    async fn gateway(&self) -> Option<IpAddress> {
        match self.host.parse::<core::net::Ipv4Addr>() {
            Ok(address) => Some(address.into()),
            Err(_) => self.stack.dns_query(self.host, DnsQueryType::A).await.ok()?.first().copied(),
        }
    }
}

impl Connect for Network<'_> {
    type Stream<'s>
        = TcpSocket<'s>
    where
        Self: 's;
    async fn connect(&mut self) -> Option<TcpSocket<'_>> {
        self.stack.wait_config_up().await;
        let gateway = self.gateway().await?;
        let mut socket = TcpSocket::new(self.stack, &mut self.rx, &mut self.tx);
        // An alarm is a small packet that waits for nothing.
        socket.set_nagle_enabled(false);
        socket.set_timeout(Some(SILENCE));
        socket.connect((gateway, self.port)).await.ok()?;
        Some(socket)
    }
}
