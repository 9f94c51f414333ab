//! Async processors: what they do with a record is a future, and many of them run at a time.
//!
//! Built on what every [`Processor`](super::Processor) may use: a record is [held](super::ProcessorContext::hold) while its future runs,
//! the end of the future [wakes](super::Wakeup) the processor, a full window [pauses](super::ProcessorContext::pause_input) the task's
//! input, and a commit [drains](super::Processor::drain) the window.

mod in_flight;
mod lanes;
mod options;
mod step;

use std::hash::Hash;

/// For implementations of [`AsyncProcessor`].
pub use async_trait::async_trait;
pub use options::{AsyncOptions, AsyncOrder};
pub use step::AsyncStep;

use crate::error::BoxError;
use crate::id::TaskId;
use crate::node::Data;
use crate::record::{Record, RecordMetadata};

/// Processes records by futures, many at a time: for calls to services, databases and whatever else takes longer than a CPU does.
///
/// One is made by its supplier for each task, and shared by its futures, which run on tokio. They may run on any thread, so there is no
/// access to stores; what needs one goes into a processor below.
///
/// - Results are forwarded in order by key, unless [`AsyncOptions::with_order`] says otherwise, each as part of its input record: with its
///   source position, and with the timestamp and headers that the returned record has. To keep those of the input, make the result from it,
///   with [`Record::with_value`].
/// - Before each commit all futures are waited for, so what is committed is complete: exactly-once holds for the results. A future may
///   run again for a record whose transaction was aborted; what it does outside of Kafka should be idempotent.
/// - A future that returns an error, panics, or misses its deadline makes its record fail: the processing handler decides.
/// - While as many records as [`AsyncOptions::in_flight`] are on their way, the task takes no further input; other tasks go on.
///
/// ```
/// use stream_core::processor::{AsyncContext, AsyncOptions, AsyncProcessor, async_trait};
/// use stream_core::topology::{Consumed, Produced};
/// use stream_core::{BoxError, Record, Topology};
///
/// /// Asks a service for the price of each article.
/// struct Prices;
///
/// # async fn ask_for_price(_article: &str) -> Result<i64, BoxError> { Ok(1) }
/// #[async_trait]
/// impl AsyncProcessor for Prices {
///     type KeyIn = String;
///     type ValueIn = String;
///     type KeyOut = String;
///     type ValueOut = i64;
///
///     async fn process(&self, order: Record<String, String>, _cx: AsyncContext) -> Result<Vec<Record<String, i64>>, BoxError> {
///         let price = ask_for_price(&order.value).await?;
///         Ok(vec![order.with_value(price)])
///     }
/// }
///
/// let mut topology = Topology::new();
/// let orders = topology.add_source("orders", "orders", Consumed::default())?;
/// let priced = topology.add_async_processor("prices", &[&orders], AsyncOptions::new(100), || Prices)?;
/// topology.add_sink("priced", "priced-orders", Produced::default(), &[&priced])?;
/// # Ok::<(), stream_core::TopologyError>(())
/// ```
#[async_trait]
pub trait AsyncProcessor: Send + Sync + 'static {
    /// The type of the keys it takes. Equal keys are what results are ordered by.
    type KeyIn: Data + Hash + Eq + Send;
    /// The type of the values it takes.
    type ValueIn: Data + Send;
    /// The type of the keys it forwards.
    type KeyOut: Data + Send;
    /// The type of the values it forwards.
    type ValueOut: Data + Send;

    /// Called for each record; the records that it returns are forwarded, in their order.
    ///
    /// The future is cancelled by dropping it where it waits. It must not block its thread: use `tokio::task::spawn_blocking`.
    ///
    /// # Errors
    /// The processing handler decides: stop, or leave out this record at this node and below.
    async fn process(
        &self,
        record: Record<Self::KeyIn, Self::ValueIn>,
        cx: AsyncContext,
    ) -> Result<Vec<Record<Self::KeyOut, Self::ValueOut>>, BoxError>;
}

/// What a future may know of the moment in which its record came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AsyncContext {
    /// The task.
    pub task: TaskId,
    /// Where the record came from; `None` when it comes from a punctuation.
    pub metadata: Option<RecordMetadata>,
}
