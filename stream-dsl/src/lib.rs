//! The DSL: streams and tables. It records what a program says, in its order, and lowers it into a [`Topology`](stream_core::Topology)
//! of public [`Processor`](stream_core::Processor)s, with the names and numbers that Kafka Streams gives them.
//!
//! ```
//! use stream_dsl::{Materialized, StreamsBuilder};
//!
//! let builder = StreamsBuilder::new();
//! builder
//!     .stream::<Option<String>, String>("lines")
//!     .flat_map_values(|line: &String| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
//!     .group_by(|_, word: &String| word.clone())
//!     .count_with(Materialized::named("counts"))
//!     .to_stream()
//!     .to("word-counts");
//! let text = builder.build()?.describe().to_string();
//! assert!(text.contains("Source: counts-repartition-source (topics: [counts-repartition])"));
//! assert!(text.contains("Processor: KSTREAM-AGGREGATE-0000000003 (stores: [counts])"));
//! # Ok::<(), stream_core::TopologyError>(())
//! ```
//!
//! # What may be null
//!
//! A key or value that may be null is an `Option`. Grouping, tables and joins need keys and values that are not; where a stream may
//! hold null its type says so, and [`KStream::non_null_key`] and [`KStream::non_null_value`] narrow it. What they drop counts in
//! `dropped-records`, as in Kafka Streams.

mod builder;
mod grouped;
mod grouped_table;
mod nullability;
mod options;
mod plan;
mod stream;
mod table;
mod window;

pub use builder::StreamsBuilder;
pub use grouped::{
    CogroupedKStream, KGroupedStream, SessionWindowedCogroupedKStream, SessionWindowedKStream, TimeWindowedCogroupedKStream,
    TimeWindowedKStream,
};
pub use grouped_table::KGroupedTable;
pub use nullability::MaybeNull;
pub use options::{
    Branched, BufferConfig, EmitEarly, Grouped, Joined, Materialized, Named, Printed, Repartitioned, ShutDown, StoreSupplier, StoreType,
    StreamJoined, Suppressed, TableJoined, WhenFull,
};
pub use stream::{BranchedKStream, KStream};
pub use table::{Change, GlobalKTable, KTable, ValueTransformer};
pub use window::{
    EmitStrategy, JoinWindows, SessionWindowedSerde, SessionWindows, SlidingWindows, TimeWindow, TimeWindowedSerde, TimeWindows,
    UnlimitedWindows, WindowDefinition, Windowed, Windows,
};
