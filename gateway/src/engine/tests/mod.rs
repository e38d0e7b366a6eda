//! The engine as a whole.
mod cameras;
mod hazards;
mod hostile;
mod incidents;
mod learned;
mod life;
mod life_table;
mod messages;
mod overrides;
mod packs;
mod partition;
mod quality;
mod scenarios;
mod snapshot;
mod speed;
mod table;
mod topology;
