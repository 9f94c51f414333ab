//! The join with a versioned table that waits for late changes.

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::store::StoreName;
use stream_core::time::UNKNOWN_TIME;
use stream_core::{BoxError, Record};

use super::buffer::{GraceBuffer, Waiting, WaitingKey};
use crate::nullability::MaybeNull;
use crate::table::{OpenView, TableView};

/// What the operator is made of.
pub(super) struct GraceSpec<F, K, KT, V, VT> {
    pub(super) joiner: Arc<F>,
    pub(super) open: OpenView<KT, VT>,
    pub(super) buffer: StoreName<GraceBuffer<K, V>>,
    pub(super) grace_ms: i64,
}

impl<F, K, KT, V, VT> Clone for GraceSpec<F, K, KT, V, VT> {
    fn clone(&self) -> Self {
        Self { joiner: Arc::clone(&self.joiner), open: Arc::clone(&self.open), buffer: self.buffer.clone(), grace_ms: self.grace_ms }
    }
}

/// Holds a record until stream time, which is the largest timestamp of a record that was held, has passed it by the grace period (trap T61).
pub(super) struct GraceJoin<F, K, KT, V, VT, VR> {
    spec: GraceSpec<F, K, KT, V, VT>,
    table: Option<Box<dyn TableView<KT, VT>>>,
    buffer: Option<GraceBuffer<K, V>>,
    stream_time: i64,
    sequence: i32,
    /// The earliest record that waits; the largest number when none does.
    first: i64,
    types: PhantomData<fn() -> VR>,
}

impl<F, K, KT, V, VT, VR> GraceJoin<F, K, KT, V, VT, VR> {
    pub(super) fn new(spec: GraceSpec<F, K, KT, V, VT>) -> Self {
        Self { spec, table: None, buffer: None, stream_time: UNKNOWN_TIME, sequence: 0, first: i64::MAX, types: PhantomData }
    }
}

impl<F, K, KT, V, VT, VR> GraceJoin<F, K, KT, V, VT, VR>
where
    F: Fn(&K, &V, Option<&VT>) -> Option<VR> + 'static,
    K: MaybeNull<KT>,
    KT: Clone + 'static,
    V: Clone + 'static,
    VT: Clone + 'static,
    VR: Clone + 'static,
{
    /// A record and the row as of its time.
    fn join(&self, record: &Record<K, V>) -> Result<Option<VR>, BoxError> {
        let table = self.table.as_ref().ok_or("the join is not initialised")?;
        let row = record.key.as_option().map_or(Ok(None), |key| table.get_as_of(key, record.timestamp))?;
        Ok((self.spec.joiner)(&record.key, &record.value, row.as_ref().map(|row| &row.value)))
    }

    /// Joins the records whose time has come, by time.
    fn join_due(&mut self, cx: &mut ProcessorContext<'_, K, VR>) -> Result<(), BoxError> {
        let due = self.stream_time.saturating_sub(self.spec.grace_ms);
        if self.first > due {
            return Ok(());
        }
        let buffer = self.buffer.clone().ok_or("the join is not initialised")?;
        self.first = i64::MAX;
        for row in buffer.all()? {
            let (key, waiting) = row?;
            if key.timestamp > due {
                self.first = key.timestamp;
                break;
            }
            let Waiting { value, timestamp, headers, metadata } = waiting;
            let record = Record { key: key.key.clone(), value, timestamp, headers };
            if let Some(joined) = self.join(&record)? {
                cx.forward_from(metadata.as_ref(), record.with_value(joined))?;
            }
            buffer.put(&key, None)?;
        }
        Ok(())
    }
}

impl<F, K, KT, V, VT, VR> Processor for GraceJoin<F, K, KT, V, VT, VR>
where
    F: Fn(&K, &V, Option<&VT>) -> Option<VR> + 'static,
    K: MaybeNull<KT>,
    KT: Clone + 'static,
    V: Clone + 'static,
    VT: Clone + 'static,
    VR: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = VR;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.table = Some((self.spec.open)(cx)?);
        let buffer = cx.store(&self.spec.buffer)?;
        for row in buffer.all()? {
            let (WaitingKey { timestamp, sequence, .. }, _) = row?;
            self.first = self.first.min(timestamp);
            self.stream_time = self.stream_time.max(timestamp);
            self.sequence = self.sequence.max(sequence);
        }
        self.buffer = Some(buffer);
        Ok(())
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, VR>) -> Result<(), BoxError> {
        let timestamp = record.timestamp;
        // A record without a key has no row to wait for. (Kafka Streams 4.3 fails on it, trap T62.)
        if record.key.as_option().is_none() || self.stream_time.saturating_sub(self.spec.grace_ms) > timestamp {
            return match self.join(&record)? {
                Some(joined) => Ok(cx.forward(record.with_value(joined))?),
                None => Ok(()),
            };
        }
        let buffer = self.buffer.as_ref().ok_or("the join is not initialised")?;
        self.sequence = self.sequence.wrapping_add(1) & i32::MAX;
        let Record { key, value, headers, .. } = record;
        let key = WaitingKey { timestamp, key, sequence: self.sequence };
        buffer.put(&key, &Waiting { value, timestamp, headers, metadata: cx.record_metadata() })?;
        self.stream_time = self.stream_time.max(timestamp);
        self.first = self.first.min(timestamp);
        self.join_due(cx)
    }
}
