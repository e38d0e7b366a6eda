//! The ways in, against real MQTT software: the embedded broker with `mosquitto_pub`, `mosquitto_sub`, rumqttc and raw sockets; the client
//! with a real Mosquitto. All of these need Debian's `mosquitto` and `mosquitto-clients`: without them the tests fail.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod broker;
mod broker_mosquitto;
mod client;
mod hostile;
mod mosquitto;
mod support;
