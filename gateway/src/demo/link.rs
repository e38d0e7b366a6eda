//! Real MQTT connections of the simulated devices: TCP over the loopback, each with its own credentials.
use super::wire::Packet;
use rumqttc::{AsyncClient, Broker, Event, LastWill, MqttOptions, NetworkOptions, Packet as Mqtt, PublishNotice, PublishOptions, QoS};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Longest wait for the broker to let a device in, in real time.
const CONNECT: Duration = Duration::from_secs(20);
/// Pause before another attempt to connect, in real time.
const RETRY: Duration = Duration::from_millis(200);
/// Longest message of a device, in bytes.
const PACKET: usize = 1 << 20;
/// Messages of one device on their way at a time.
const WINDOW: usize = 16;

/// Who a device is to the broker.
#[derive(Clone)]
pub struct Login {
    /// User name and client id.
    pub name: String,
    pub password: String,
}

/// One connection. Dropping it ends it without a farewell, as a power cut does.
pub struct Link {
    client: AsyncClient,
    task: JoinHandle<()>,
}

impl Link {
    /// Connects and waits for the broker's consent. What arrives on `subscribe` goes to `orders`.
    ///
    /// # Errors
    /// When the broker does not answer or refuses; names the device.
    pub async fn open(
        broker: SocketAddr,
        login: &Login,
        will: Option<&Packet>,
        subscribe: Option<String>,
        orders: mpsc::Sender<Vec<u8>>,
    ) -> Result<Link, String> {
        let mut options = MqttOptions::new(login.name.clone(), Broker::tcp(broker.ip().to_string(), broker.port()));
        // The session outlives a lost connection, so that a message whose PUBACK was lost is sent again.
        options.set_clean_session(false).set_keep_alive(60).set_inflight(WINDOW as u16);
        options.set_credentials(login.name.clone(), login.password.clone());
        // The library's own limit of 10 KiB is less than a camera's frame, and a frame beyond it is never acknowledged.
        options.set_max_packet_size(PACKET, PACKET);
        if let Some(will) = will {
            options.set_last_will(LastWill::new(will.topic.clone(), will.payload.clone(), QoS::AtLeastOnce, will.retain));
        }
        let (client, mut events) = AsyncClient::builder(options).capacity(WINDOW).build();
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        events.set_network_options(network);
        let (state, mut connected) = watch::channel(Err(String::from("no answer")));
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Mqtt::ConnAck(_))) => {
                        let _ = state.send(Ok(()));
                    }
                    Ok(Event::Incoming(Mqtt::Publish(p))) => {
                        // An order that finds no room is repeated by the gateway.
                        let _ = orders.try_send(p.payload.to_vec());
                    }
                    Ok(_) => {}
                    Err(e) => {
                        let _ = state.send(Err(e.to_string()));
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        });
        let link = Link { client, task };
        let outcome = tokio::time::timeout(CONNECT, connected.wait_for(Result::is_ok)).await.map(|r| r.map(|_| ()));
        if !matches!(outcome, Ok(Ok(()))) {
            let reason = connected.borrow().clone().err().unwrap_or_default();
            return Err(format!("device {} cannot connect to the broker at {broker}: {reason}", login.name));
        }
        if let Some(filter) = subscribe {
            let refused = |e: &dyn std::fmt::Display| format!("device {} cannot subscribe to {filter}: {e}", login.name);
            let notice = link.client.subscribe_tracked(filter.clone(), QoS::AtLeastOnce).await.map_err(|e| refused(&e))?;
            notice.wait_async().await.map_err(|e| refused(&e))?;
        }
        Ok(link)
    }
    /// Hands a message over; the notice ends with its PUBACK.
    ///
    /// # Errors
    /// When the connection has ended for good.
    pub async fn publish(&self, packet: Packet) -> Result<PublishNotice, String> {
        let options = PublishOptions::new(QoS::AtLeastOnce).retain(packet.retain);
        self.client.publish_tracked(packet.topic, packet.payload, options).await.map_err(|e| e.to_string())
    }
    /// Says goodbye: the broker sends no will.
    pub async fn close(self) {
        if self.client.disconnect().await.is_ok() {
            // Long enough for the farewell to be written; the loop then reconnects no more.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}
