//! Interprets cases over the public API, and compares with what Kafka Streams did.

pub mod cases;
mod compare;
mod datum;
mod extractors;
mod functions;
mod processors;
mod program;
mod stores;
mod streams;
mod tables;
mod topology;

pub use compare::{Verdict, judge};
