//! How a table with a store tells its changes: at once, or, when it is cached, at the drain.

use stream_core::processor::ProcessorContext;
use stream_core::{BoxError, Headers, Record};
use stream_state::{CachedChange, ValueAndTimestamp};

use super::Change;

/// Forwards the changes of a table; old values only where an operator below needs them: some behave differently when they see them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableForwarder {
    pub(crate) sends_old_values: bool,
}

impl TableForwarder {
    /// Tells a change of an uncached table.
    pub(crate) fn forward<K: Clone + 'static, V: Clone + 'static>(
        self,
        cx: &mut ProcessorContext<'_, K, Change<V>>,
        key: K,
        change: Change<V>,
        timestamp: i64,
        headers: Headers,
    ) -> Result<(), BoxError> {
        let old = if self.sends_old_values { change.old } else { None };
        Ok(cx.forward(Record { key, value: Change { old, new: change.new, is_latest: change.is_latest }, timestamp, headers })?)
    }

    /// Tells what a cached store held back, as if the record that wrote it last were being processed (trap T41).
    pub(crate) fn forward_held_back<K: Clone + 'static, V: Clone + 'static>(
        self,
        cx: &mut ProcessorContext<'_, K, Change<V>>,
        change: CachedChange<K, ValueAndTimestamp<V>>,
    ) -> Result<(), BoxError> {
        let CachedChange { key, old, new, timestamp, headers, metadata } = change;
        let old = if self.sends_old_values { old.map(|old| old.value) } else { None };
        let value = Change::latest(old, new.map(|new| new.value));
        Ok(cx.forward_from(metadata.as_ref(), Record { key, value, timestamp, headers })?)
    }
}
