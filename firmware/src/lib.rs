//! A sensor node of Tuoan: what it measures, what it raises by itself, how it speaks to the gateway, and how it is kept in service. Everything here is
//! generic over the traits of `embedded-hal(-async)` 1.0, so that the same code runs on a board, on the emulated board, and in a process on the host.
//!
//! | file | holds |
//! |---|---|
//! | [`sensor`] | what every sensor gives: a sample, or a fault, never a value that is made up |
//! | [`sensors`] | one file per chip or kind of input |
//! | [`update`] | signed updates with a way back |
//! | [`flash`] | what is kept when the power goes: identity, settings, boot number, waiting messages, last words |
//! | [`identity`] | who the node is and where its gateway is; enrolment over a serial line |
//! | [`settings`] | how it measures: set from afar, validated as a whole, kept |
//! | [`service`] | updates and settings, as the link hears them |
//! | [`clock`] | uptime and waiting, UTC once it is known |
//! | [`sampler`] | when each sensor is looked at, and what of it is told |
//! | [`alarm`] | inputs, from the change to the wire and to the room's own sounder |
//! | [`record`] | what waits, as bytes that RAM and flash keep |
//! | [`outbox`] | where it waits: alarms first |
//! | [`post`] | the way in |
//! | [`link`] | MQTT: birth and will, what waits, orders |
//! | [`random`] | numbers that nobody can guess |
//! | [`signal`] | a word from one part to another, in one task |
//! | [`sntp`], [`gateway_time`] | UTC from the local network, or from the gateway |
//! | [`watchdog`] | fed only while every part gets on |
//! | [`node`] | all of it in one loop |
#![cfg_attr(not(test), no_std)]

pub mod alarm;
pub mod clock;
pub mod flash;
pub mod gateway_time;
pub mod identity;
pub mod link;
pub mod node;
pub mod outbox;
pub mod post;
pub mod random;
pub mod record;
pub mod sampler;
pub mod sensor;
pub mod sensors;
pub mod service;
pub mod settings;
pub mod signal;
pub mod sntp;
pub mod update;
pub mod watchdog;
