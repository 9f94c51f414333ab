#![doc = include_str!("../README.md")]

mod api;
mod broker;
mod config;
mod core;
pub mod fault;
mod fetch;
mod group;
#[cfg(test)]
mod harness;
mod log;
mod mistake;
mod server;
mod storage;
mod topic;
mod transaction;
mod wire;

pub use broker::{Broker, BrokerError, Hanging};
pub use config::BrokerConfig;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub use server::fuzzing::FuzzTarget;
