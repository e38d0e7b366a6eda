//! The InfluxDB v2-compatible intake and query: enough for a gateway's metrics and for asking what arrived. A series is a measurement, its
//! tags and one field; writing a point again at the same time overwrites it, as in InfluxDB.
pub mod flux;
pub mod http;
pub mod line;
pub mod query;
pub mod store;

pub use store::Store;
