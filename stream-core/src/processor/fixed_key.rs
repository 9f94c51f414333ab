//! Processors that cannot change the key: their output needs no repartitioning.

use std::time::Duration;

use crate::error::BoxError;
use crate::id::TaskId;
use crate::node::{Data, PunctuationId, PunctuationType, Stopped};
use crate::record::{Headers, Record, RecordMetadata};

use super::{InitContext, Processor, ProcessorContext};

/// A record whose key can be read but not replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedKeyRecord<K, V> {
    record: Record<K, V>,
}

impl<K, V> FixedKeyRecord<K, V> {
    /// The key.
    pub fn key(&self) -> &K {
        &self.record.key
    }

    /// The value.
    pub fn value(&self) -> &V {
        &self.record.value
    }

    /// The timestamp, ms.
    pub fn timestamp(&self) -> i64 {
        self.record.timestamp
    }

    /// The headers.
    pub fn headers(&self) -> &Headers {
        &self.record.headers
    }

    /// The same key with another value.
    pub fn with_value<V2>(self, value: V2) -> FixedKeyRecord<K, V2> {
        FixedKeyRecord { record: self.record.with_value(value) }
    }

    /// The same record at another time (ms).
    #[must_use]
    pub fn with_timestamp(self, timestamp: i64) -> Self {
        Self { record: self.record.with_timestamp(timestamp) }
    }

    /// The same record with other headers.
    #[must_use]
    pub fn with_headers(self, headers: Headers) -> Self {
        Self { record: self.record.with_headers(headers) }
    }
}

/// Processes records without changing their keys. Mirrors Kafka Streams' `FixedKeyProcessor`.
pub trait FixedKeyProcessor: 'static {
    /// The type of the keys.
    type Key: Data;
    /// The type of the values it takes.
    type ValueIn: Data;
    /// The type of the values it forwards.
    type ValueOut: Data;

    /// As [`Processor::init`].
    ///
    /// # Errors
    /// As [`Processor::init`].
    fn init(&mut self, _cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }

    /// As [`Processor::process`].
    ///
    /// # Errors
    /// As [`Processor::process`].
    fn process(
        &mut self,
        record: FixedKeyRecord<Self::Key, Self::ValueIn>,
        cx: &mut FixedKeyContext<'_, '_, Self::Key, Self::ValueOut>,
    ) -> Result<(), BoxError>;

    /// As [`Processor::punctuate`]. There is no record whose key could be forwarded.
    ///
    /// # Errors
    /// As [`Processor::process`].
    fn punctuate(
        &mut self,
        _id: PunctuationId,
        _timestamp: i64,
        _cx: &mut FixedKeyContext<'_, '_, Self::Key, Self::ValueOut>,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    /// As [`Processor::close`].
    fn close(&mut self) {}
}

/// Given to a fixed-key processor with each record.
pub struct FixedKeyContext<'a, 'b, K, V> {
    context: &'a mut ProcessorContext<'b, K, V>,
}

impl<K: Data, V: Data> FixedKeyContext<'_, '_, K, V> {
    /// As [`ProcessorContext::forward`].
    ///
    /// # Errors
    /// When processing stopped further down; pass it on with `?`.
    pub fn forward(&mut self, record: FixedKeyRecord<K, V>) -> Result<(), Stopped> {
        self.context.forward(record.record)
    }

    /// As [`ProcessorContext::forward_to`].
    ///
    /// # Errors
    /// When there is no child of that name, or processing stopped further down.
    pub fn forward_to(&mut self, child: &str, record: FixedKeyRecord<K, V>) -> Result<(), Stopped> {
        self.context.forward_to(child, record.record)
    }

    /// As [`ProcessorContext::schedule`].
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> PunctuationId {
        self.context.schedule(interval, kind)
    }

    /// As [`ProcessorContext::schedule_from`].
    pub fn schedule_from(&mut self, start_ms: i64, interval: Duration, kind: PunctuationType) -> PunctuationId {
        self.context.schedule_from(start_ms, interval, kind)
    }

    /// As [`ProcessorContext::cancel`].
    pub fn cancel(&mut self, id: PunctuationId) {
        self.context.cancel(id);
    }

    /// As [`ProcessorContext::record_metadata`].
    pub fn record_metadata(&self) -> Option<RecordMetadata> {
        self.context.record_metadata()
    }

    /// As [`ProcessorContext::current_stream_time_ms`].
    pub fn current_stream_time_ms(&self) -> i64 {
        self.context.current_stream_time_ms()
    }

    /// As [`ProcessorContext::current_system_time_ms`].
    pub fn current_system_time_ms(&self) -> i64 {
        self.context.current_system_time_ms()
    }

    /// As [`ProcessorContext::commit`].
    pub fn commit(&mut self) {
        self.context.commit();
    }

    /// As [`ProcessorContext::drop_record`].
    pub fn drop_record(&mut self, reason: &str) {
        self.context.drop_record(reason);
    }

    /// The task.
    pub fn task_id(&self) -> TaskId {
        self.context.task_id()
    }

    /// The application.
    pub fn application_id(&self) -> &str {
        self.context.application_id()
    }

    /// The processor's name in the topology.
    pub fn node_name(&self) -> &str {
        self.context.node_name()
    }
}

/// Runs a [`FixedKeyProcessor`] where a [`Processor`] is asked for.
#[derive(Debug)]
pub struct FixedKeyStep<P>(pub P);

impl<P: FixedKeyProcessor> Processor for FixedKeyStep<P> {
    type KeyIn = P::Key;
    type ValueIn = P::ValueIn;
    type KeyOut = P::Key;
    type ValueOut = P::ValueOut;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.0.init(cx)
    }

    fn process(&mut self, record: Record<P::Key, P::ValueIn>, cx: &mut ProcessorContext<'_, P::Key, P::ValueOut>) -> Result<(), BoxError> {
        self.0.process(FixedKeyRecord { record }, &mut FixedKeyContext { context: cx })
    }

    fn punctuate(&mut self, id: PunctuationId, timestamp: i64, cx: &mut ProcessorContext<'_, P::Key, P::ValueOut>) -> Result<(), BoxError> {
        self.0.punctuate(id, timestamp, &mut FixedKeyContext { context: cx })
    }

    fn close(&mut self) {
        self.0.close();
    }
}
