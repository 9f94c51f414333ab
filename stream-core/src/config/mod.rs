//! Configuration: Kafka's setting names, checked once.
//!
//! A program fills a [`StreamsConfig`], by name as in a properties file or by typed setters. A name or value that is wrong is refused at
//! once, contradictions between settings by [`StreamsConfig::validate`]; the runtime reads plain values from the getters, and the
//! properties of each of its clients from [`StreamsConfig::client_properties`].

mod choice;
mod client;
mod emit;
mod name;
mod refused;
mod setting;
mod streams;
mod typed;
mod validate;

pub use crate::time::BuiltInTimestampExtractor;
pub use choice::{Optimization, ProcessingGuarantee, StoreSuppliers};
pub use client::ClientRole;
pub use emit::EmitIntervals;
pub use name::check_name;
pub use setting::{SETTINGS, Setting};
pub use streams::StreamsConfig;

#[cfg(test)]
mod tests;
