//! The connection to the gateway.
use embassy_net::tcp::TcpSocket;
use embassy_net::{IpAddress, Stack};
use embassy_time::Duration;
use tuoan_node::link::Connect;

/// What is sent is not acknowledged for so long: the connection is dead.
const SILENCE: Duration = Duration::from_secs(20);

pub struct Network<'a> {
    pub stack: Stack<'a>,
    pub to: (IpAddress, u16),
    pub rx: &'a mut [u8],
    pub tx: &'a mut [u8],
}

impl Connect for Network<'_> {
    type Stream<'s>
        = TcpSocket<'s>
    where
        Self: 's;
    async fn connect(&mut self) -> Option<TcpSocket<'_>> {
        self.stack.wait_config_up().await;
        let mut socket = TcpSocket::new(self.stack, self.rx, self.tx);
        socket.set_timeout(Some(SILENCE));
        // A message goes out at once, not when the one before it is acknowledged.
        socket.set_nagle_enabled(false);
        socket.connect(self.to).await.ok()?;
        Some(socket)
    }
}
