#![doc = include_str!("../README.md")]

mod api;
mod broker;
mod config;
mod core;
mod fetch;
mod group;
#[cfg(test)]
mod harness;
mod log;
mod server;
mod storage;
mod topic;
mod transaction;
mod wire;

pub use broker::{Broker, BrokerError, Hanging};
pub use config::BrokerConfig;
