//! The Processor API: what the DSL's operators are made of, and what a program writes for what the DSL does not say.

mod asynchronous;
mod context;
mod fixed_key;
mod held;
mod standalone;
mod step;

pub use asynchronous::{AsyncContext, AsyncOptions, AsyncOrder, AsyncProcessor, AsyncStep, async_trait};
pub use context::{InitContext, ProcessorContext};
pub use fixed_key::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, FixedKeyStep};
pub use held::HeldRecord;
pub use standalone::{Forwarded, StandaloneProcessor};
pub(crate) use step::ProcessorFactory;

pub use crate::node::{Data, PunctuationId, PunctuationType, Stopped, Wakeup};

use crate::error::BoxError;
use crate::record::Record;

/// Processes the records of one node, in one task, on one thread. Mirrors Kafka Streams' `Processor`.
///
/// A processor is made by its supplier once for each task, and again after a failure. It gets its stores in [`init`](Self::init)
/// and keeps them in fields; looking them up per record would cost what a field does not.
///
/// ```
/// use stream_core::{BoxError, Processor, ProcessorContext, Record};
///
/// /// Forwards every n-th record.
/// struct Sample { every: u64, seen: u64 }
///
/// impl Processor for Sample {
///     type KeyIn = String;
///     type ValueIn = i64;
///     type KeyOut = String;
///     type ValueOut = i64;
///
///     fn process(&mut self, record: Record<String, i64>, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
///         self.seen += 1;
///         if self.seen % self.every == 0 {
///             cx.forward(record)?;
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Processor: 'static {
    /// The type of the keys it takes.
    type KeyIn: Data;
    /// The type of the values it takes.
    type ValueIn: Data;
    /// The type of the keys it forwards.
    type KeyOut: Data;
    /// The type of the values it forwards.
    type ValueOut: Data;

    /// Called once, before the first record, when the stores are restored.
    ///
    /// # Errors
    /// Stops the task; the uncaught-error handler decides.
    fn init(&mut self, _cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }

    /// Called for each record.
    ///
    /// # Errors
    /// The processing handler decides: stop, or leave out this record at this node and below.
    fn process(
        &mut self,
        record: Record<Self::KeyIn, Self::ValueIn>,
        cx: &mut ProcessorContext<'_, Self::KeyOut, Self::ValueOut>,
    ) -> Result<(), BoxError>;

    /// Called when a punctuation that this processor scheduled is due. `timestamp` is the stream time or the wall clock (ms), as the
    /// schedule's type says. There is no source record: [`ProcessorContext::record_metadata`] is `None`.
    ///
    /// # Errors
    /// As [`process`](Self::process).
    fn punctuate(
        &mut self,
        _id: PunctuationId,
        _timestamp: i64,
        _cx: &mut ProcessorContext<'_, Self::KeyOut, Self::ValueOut>,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    /// Called before each commit, parents before children: the moment to forward what the processor holds back, as cached tables do.
    ///
    /// # Errors
    /// As [`process`](Self::process).
    fn drain(&mut self, _cx: &mut ProcessorContext<'_, Self::KeyOut, Self::ValueOut>) -> Result<(), BoxError> {
        Ok(())
    }

    /// Called after [`Wakeup::wake`], soon, between two records. There is no source record: [`ProcessorContext::record_metadata`] is `None`.
    ///
    /// # Errors
    /// As [`process`](Self::process).
    fn woken(&mut self, _cx: &mut ProcessorContext<'_, Self::KeyOut, Self::ValueOut>) -> Result<(), BoxError> {
        Ok(())
    }

    /// Called once when the task closes, also after a failure. What was not committed is lost by then.
    fn close(&mut self) {}
}
