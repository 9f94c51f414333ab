//! Handlers: what a program answers when a record cannot be read, processed or written.
//!
//! Each answer can carry records (dead letters) that are produced in the same transaction as everything else of the task.

mod dead_letter_queue;

use std::sync::Arc;

use crate::error::{BoxError, Error};
use crate::id::TaskId;
use crate::record::{Headers, RecordMetadata};
use crate::time::BuiltInTimestampExtractor;

/// What to do about the failed record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Stop the task; the uncaught-error handler decides what becomes of the worker.
    Fail,
    /// Leave the record out, count it in `dropped-records`, and go on.
    Continue,
}

/// A record to be produced because another one failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The topic; it must exist.
    pub topic: Arc<str>,
    /// The partition, or `None` for the default partitioner.
    pub partition: Option<i32>,
    /// The key's bytes.
    pub key: Option<Vec<u8>>,
    /// The value's bytes.
    pub value: Option<Vec<u8>>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The headers.
    pub headers: Headers,
}

/// A handler's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// Go on or stop.
    pub decision: Decision,
    /// Records to produce, whatever the decision.
    pub dead_letters: Vec<DeadLetter>,
}

impl Response {
    /// Stop.
    pub const fn fail() -> Self {
        Self { decision: Decision::Fail, dead_letters: Vec::new() }
    }

    /// Go on without the record.
    pub const fn resume() -> Self {
        Self { decision: Decision::Continue, dead_letters: Vec::new() }
    }

    /// The same answer, with a record to produce.
    #[must_use]
    pub fn with_dead_letter(mut self, record: DeadLetter) -> Self {
        self.dead_letters.push(record);
        self
    }
}

/// Where a failure happened.
#[derive(Debug)]
pub struct FailureContext<'a> {
    /// The task.
    pub task: TaskId,
    /// The node of the topology.
    pub node: &'a str,
    /// The source record that was being processed; `None` in a punctuation.
    pub metadata: Option<&'a RecordMetadata>,
    /// The timestamp of the record, ms.
    pub timestamp: i64,
    /// Its headers.
    pub headers: &'a Headers,
    /// The key's bytes in the source topic.
    pub source_key: Option<&'a [u8]>,
    /// The value's bytes in the source topic.
    pub source_value: Option<&'a [u8]>,
}

/// Decides about records whose key or value cannot be read (`deserialization.exception.handler`).
pub trait DeserializationHandler: Send + Sync + 'static {
    /// The answer for this record.
    fn handle(&self, failure: &FailureContext<'_>, error: &BoxError) -> Response;
}

/// Decides about records that cannot be written: a serde failed or the broker refused (`production.exception.handler`).
pub trait ProductionHandler: Send + Sync + 'static {
    /// The answer for this record. `topic` is where it was going.
    fn handle(&self, failure: &FailureContext<'_>, topic: &str, error: &BoxError) -> Response;
}

/// Decides about records for which a processor returned an error (`processing.exception.handler`).
///
/// To go on leaves out the failing node and what lies below it; sibling nodes and earlier writes stay.
pub trait ProcessingHandler: Send + Sync + 'static {
    /// The answer for this record.
    fn handle(&self, failure: &FailureContext<'_>, error: &BoxError) -> Response;

    /// Whether a panic of a processor is an error of that node, about which this handler decides. Otherwise it stops the worker, as
    /// any failure does without a handler.
    fn catches_panics(&self) -> bool {
        true
    }
}

/// Logs and stops: the default of all three.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogAndFail;

/// Logs and goes on without the record.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogAndContinue;

macro_rules! stock_handler {
    ($($trait:ident($($topic:ident)?) $what:literal $({$($panics:tt)*})?;)*) => {$(
        impl $trait for LogAndFail {
            $($($panics)*)?

            fn handle(&self, failure: &FailureContext<'_>, $($topic: &str,)? error: &BoxError) -> Response {
                tracing::error!(task = %failure.task, node = failure.node, source = ?failure.metadata, $($topic = $topic,)? %error, concat!($what, "; stopping"));
                Response::fail()
            }
        }

        impl $trait for LogAndContinue {
            fn handle(&self, failure: &FailureContext<'_>, $($topic: &str,)? error: &BoxError) -> Response {
                tracing::warn!(task = %failure.task, node = failure.node, source = ?failure.metadata, $($topic = $topic,)? %error, concat!($what, "; left out"));
                Response::resume()
            }
        }
    )*};
}

stock_handler! {
    DeserializationHandler() "a record cannot be read";
    ProcessingHandler() "a record cannot be processed" { fn catches_panics(&self) -> bool { false } };
    ProductionHandler(topic) "a record cannot be written";
}

/// What an application has chosen for records that are not as they should be.
#[derive(Clone)]
#[non_exhaustive]
pub struct Handlers {
    /// For records that cannot be read.
    pub deserialization: Arc<dyn DeserializationHandler>,
    /// For records that cannot be processed.
    pub processing: Arc<dyn ProcessingHandler>,
    /// For records that cannot be written.
    pub production: Arc<dyn ProductionHandler>,
    /// Gives the records of sources that name no extractor their timestamps, and decides about those that have none.
    pub default_timestamp_extractor: BuiltInTimestampExtractor,
}

impl Handlers {
    /// The same handlers, whose answers also send the source record of each failure to this topic (KIP-1034).
    #[must_use]
    pub fn with_dead_letter_queue(self, topic: impl Into<Arc<str>>) -> Self {
        dead_letter_queue::over(self, &topic.into())
    }

    /// Those of global topics: the default extractor does not serve them, and a record with a negative timestamp is an error there, as in
    /// Kafka Streams.
    #[must_use]
    pub(crate) fn for_global_topics(self) -> Self {
        Self { default_timestamp_extractor: BuiltInTimestampExtractor::FailOnInvalid, ..self }
    }
}

impl Default for Handlers {
    fn default() -> Self {
        Self {
            deserialization: Arc::new(LogAndFail),
            processing: Arc::new(LogAndFail),
            production: Arc::new(LogAndFail),
            default_timestamp_extractor: BuiltInTimestampExtractor::default(),
        }
    }
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handlers").finish_non_exhaustive()
    }
}

/// What becomes of the application after an error that no other handler took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UncaughtResponse {
    /// The failed worker is replaced; its tasks start again from what was committed.
    ReplaceThread,
    /// This process stops its work; the others take over its tasks. The default.
    ShutdownClient,
    /// All processes of the application stop.
    ShutdownApplication,
}

/// Decides about errors that stopped a worker. Mirrors `StreamsUncaughtExceptionHandler`.
pub type UncaughtErrorHandler = Arc<dyn Fn(&Error) -> UncaughtResponse + Send + Sync>;
