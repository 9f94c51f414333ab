#![doc = include_str!("../README.md")]

mod builder;
mod driver;
mod input_topic;
mod output_topic;
mod processor;
mod scratch;
mod session;

pub use builder::TopologyTestDriverBuilder;
pub use driver::TopologyTestDriver;
pub use input_topic::TestInputTopic;
pub use output_topic::TestOutputTopic;
pub use processor::ProcessorTestDriver;

pub use stream_core::processor::Forwarded;
pub use stream_core::record::OwnedRecord;
pub use stream_core::task::{DroppedRecord, StoreRow};
