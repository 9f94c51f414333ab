//! Interprets cases over the public API, and compares with what Kafka Streams did.

pub mod cases;
mod compare;
mod datum;
mod functions;
mod program;
mod streams;
mod tables;
mod windows;

pub use compare::{Verdict, judge};
