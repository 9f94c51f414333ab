//! [`HeldRecord`]: a record whose processing goes on later.

use super::ProcessorContext;
use super::step::{caught, conclude};
use crate::client::Message;
use crate::error::BoxError;
use crate::node::{Data, Stopped, TaskContext};
use crate::record::{Headers, RecordMetadata};

/// What is known of where a record came from, kept beyond the call in which it was processed: source position, headers, and key and
/// value as the source topic has them.
#[derive(Debug)]
pub struct HeldRecord {
    metadata: Option<RecordMetadata>,
    message: Option<Message>,
    headers: Headers,
    timestamp: i64,
}

impl HeldRecord {
    /// Exchanges what the task takes for the record that is being processed.
    fn swap(&mut self, task: &mut TaskContext) {
        let metadata = task.metadata();
        task.current.set_metadata(self.metadata.as_ref());
        self.metadata = metadata;
        self.headers = task.current.replace_headers(std::mem::take(&mut self.headers));
        self.timestamp = task.current.replace_timestamp(self.timestamp);
        std::mem::swap(&mut self.message, &mut task.message);
    }
}

impl<K: Data, V: Data> ProcessorContext<'_, K, V> {
    /// Keeps what is known of the record that is being processed, to go on with it in a later call. This copies the source record.
    ///
    /// Until [`resume`](Self::resume) the record counts as processed, and a commit would commit its offset: so it is to be resumed in
    /// [`drain`](super::Processor::drain) at the latest.
    #[must_use]
    pub fn hold(&self) -> HeldRecord {
        HeldRecord {
            metadata: self.task.metadata(),
            message: self.task.message.as_ref().map(|message| Message::from(message.as_raw().to_owned_record())),
            headers: self.task.current.headers(),
            timestamp: self.task.current.timestamp(),
        }
    }

    /// Goes on with a record that was held, as if it were being processed now: what is forwarded, written and reported within `call` is
    /// its own. When `call` fails, the processing handler decides about this record alone, as it does when
    /// [`process`](super::Processor::process) fails.
    ///
    /// ```
    /// use stream_core::processor::HeldRecord;
    /// use stream_core::{BoxError, Processor, ProcessorContext, Record};
    ///
    /// /// Forwards the records of each commit at once, the smallest value first.
    /// struct Sorted(Vec<(HeldRecord, Record<String, i64>)>);
    ///
    /// impl Processor for Sorted {
    ///     type KeyIn = String;
    ///     type ValueIn = i64;
    ///     type KeyOut = String;
    ///     type ValueOut = i64;
    ///
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
    ///         self.0.push((cx.hold(), record));
    ///         Ok(())
    ///     }
    ///
    ///     fn drain(&mut self, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
    ///         self.0.sort_by_key(|(_, record)| record.value);
    ///         for (held, record) in self.0.drain(..) {
    ///             cx.resume(held, |cx| Ok(cx.forward(record)?))?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// When the handler says so, or processing stopped further down; pass it on with `?`.
    pub fn resume(&mut self, mut held: HeldRecord, call: impl FnOnce(&mut Self) -> Result<(), BoxError>) -> Result<(), Stopped> {
        let timestamp = held.timestamp;
        held.swap(self.task);
        let result = if self.task.catches_panics { caught(|| call(self)) } else { call(self) };
        let concluded = conclude(self.node, result, timestamp, self.task);
        held.swap(self.task);
        concluded
    }
}
