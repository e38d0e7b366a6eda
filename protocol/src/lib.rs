//! What firmware, gateway and platform say to each other. `no_std`, no allocation: every size is bounded by its type.
//!
//! | file | holds |
//! |---|---|
//! | [`id`] | names of sites, zones, devices, rules, incidents: bounded text that is safe in a topic and a log line |
//! | [`quantity`] | the quantities of the hazard catalogue, their units and fixed-point scale |
//! | [`reading`] | telemetry: readings of one device, (device, boot, seq) |
//! | [`event`] | momentary device events (button press, test) |
//! | [`status`] | birth and will |
//! | [`frame`] | header before a camera's JPEG |
//! | [`command`] | what the gateway asks of a device |
//! | [`firmware`] | firmware images: the signed header, and how one gets onto a node |
//! | [`settings`] | how a node measures: set from afar, as a whole |
//! | [`incident`] | what happened at a place, as an append-only log of events |
//! | `ledger` | the coverage ledger's days; with the feature `std` |
//! | `looks` | what cameras' looks found around an incident; with the feature `std` |
//! | [`decimal`] | exact decimal text <-> fixed point |
//! | [`topic`] | the MQTT topics `tuoan/v1/<site>/<device>/<kind>` |
//! | [`codec`] | JSON and CBOR of all of them, versioned |
#![cfg_attr(not(feature = "std"), no_std)]

pub mod codec;
pub mod command;
pub mod decimal;
pub mod event;
pub mod firmware;
pub mod frame;
pub mod id;
pub mod incident;
#[cfg(feature = "std")]
pub mod ledger;
#[cfg(feature = "std")]
pub mod looks;
pub mod quantity;
pub mod reading;
pub mod settings;
pub mod status;
pub mod topic;

pub use codec::{CodecError, Wire};
pub use command::{DeviceAction, DeviceCommand};
pub use event::{DeviceEvent, EventKind};
pub use firmware::{UpdateChunk, UpdateOffer, UpdateProgress, UpdateStage};
pub use frame::FrameHeader;
pub use id::{DeviceId, EventId, HazardId, IncidentId, LogId, OtherName, Place, RuleId, SiteId, ZoneId};
pub use incident::{
    Basis, CauseCode, Exercise, IncidentEvent, IncidentState, Inhibition, InstitutionType, Rung, Severity, SupervisingBody, Transition,
    Trigger, Via,
};
pub use quantity::{Fixed, Quantity};
pub use reading::{DeviceTime, Reading, Telemetry};
pub use settings::{DeviceSettings, QuantityRule, SettingsAnswer};
pub use status::{Presence, Status};

/// Version of the wire format written by this crate. A reader refuses a higher major version and ignores unknown fields.
pub const VERSION: u8 = 1;
