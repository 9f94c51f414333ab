//! The runtime of `kstreams`: records, serdes, topologies, tasks, membership and exactly-once commits.
//!
//! Most programs depend on the facade crate `kstreams` and describe their work with the DSL; this crate is what the DSL is built
//! from, and what a program uses that writes its own [`Processor`]s.
//!
//! Layers, lowest first; a module uses only lower ones:
//! `error, id, time, record, serdes, offset, partition, fault` → `store, client, config, metrics, handler, executor` → `application` → `node` → `processor` → `topology` →
//! `task` → `restore, commit, membership` → `runtime` → `app`.

#![deny(unsafe_code)]

pub mod error;
mod fault;
pub mod id;
pub mod offset;
pub mod partition;
pub mod record;
pub mod serdes;
pub mod time;

mod application;
pub mod client;
pub mod config;
mod executor;
pub mod handler;
pub mod metrics;
pub mod store;

mod node;
pub mod processor;
pub mod topology;

pub mod task;

pub mod commit;
pub mod membership;
pub mod restore;

pub mod runtime;

pub mod app;

pub use error::{BoxError, Error, ErrorKind, Result};
pub use id::TaskId;
pub use processor::{InitContext, Processor, ProcessorContext};
pub use record::{Headers, Record, RecordMetadata};
pub use serdes::{Serde, SerdeRef};
pub use topology::{NodeHandle, Topology, TopologyError};
