//! What almost every program imports: `use kstreams::prelude::*;`.
//!
//! ```
//! use kstreams::prelude::*;
//!
//! let builder = StreamsBuilder::new();
//! builder.stream::<String, i64>("amounts").filter(|_, amount| *amount > 0).to("credits");
//! let topology = builder.build()?;
//! assert!(topology.describe().to_string().contains("credits"));
//! # Ok::<(), TopologyError>(())
//! ```

pub use stream_core::app::{KafkaStreams, Metrics, State, TaskDescription};
pub use stream_core::config::{ProcessingGuarantee, StreamsConfig};
pub use stream_core::handler::{Decision, LogAndContinue, LogAndFail, UncaughtResponse};
pub use stream_core::processor::{
    AsyncContext, AsyncOptions, AsyncOrder, AsyncProcessor, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, InitContext, Processor,
    ProcessorContext, PunctuationType, async_trait,
};
pub use stream_core::record::{Headers, Record, RecordMetadata};
#[cfg(feature = "bincode")]
pub use stream_core::serdes::Bincode;
#[cfg(feature = "json")]
pub use stream_core::serdes::Json;
pub use stream_core::serdes::{DefaultSerde, Serde, SerdeContext, SerdeError, SerdeRef, Serdes};
pub use stream_core::time::{ConsumedRecord, TimestampExtractor};
pub use stream_core::topology::{AutoOffsetReset, Consumed, NodeHandle, Produced, Topology, TopologyError};
pub use stream_core::{BoxError, Error, ErrorKind, TaskId};
pub use stream_dsl::*;
