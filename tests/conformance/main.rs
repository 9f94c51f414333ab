//! Cases of Kafka Streams 4.3.1, interpreted over the public API: on the test driver, and as real applications on the embedded broker.
//!
//! `cargo test --test conformance on_driver` runs those of the driver alone.

mod interpreter;
mod on_broker;
mod on_driver;
