//! What aggregations over windows of time share: their store, and how its rows are told.

use stream_core::processor::{InitContext, ProcessorContext};
use stream_core::store::StoreName;
use stream_core::{BoxError, Headers};
use stream_state::{CachedChange, TimestampedWindowStore, ValueAndTimestamp};

use super::final_results::FinalResults;
use crate::table::{Change, TableForwarder};
use crate::window::{EmitStrategy, TimeWindow, Windowed};

/// How the rows of an aggregation are kept and told.
pub(crate) struct WindowTable<K, A> {
    pub(super) name: StoreName<TimestampedWindowStore<K, A>>,
    pub(super) size_ms: i64,
    pub(super) emit: EmitStrategy,
}

impl<K, A> Clone for WindowTable<K, A> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), size_ms: self.size_ms, emit: self.emit }
    }
}

/// The rows of a running aggregation.
pub(super) struct WindowRows<K, A> {
    table: WindowTable<K, A>,
    forwarder: TableForwarder,
    store: Option<TimestampedWindowStore<K, A>>,
    final_results: Option<FinalResults>,
}

impl<K: Clone + 'static, A: Clone + 'static> WindowRows<K, A> {
    pub(super) fn new(table: WindowTable<K, A>, forwarder: TableForwarder) -> Self {
        Self { table, forwarder, store: None, final_results: None }
    }

    pub(super) fn open(&mut self, cx: &InitContext<'_>) -> Result<(), BoxError> {
        self.store = Some(cx.store(&self.table.name)?);
        if self.table.emit == EmitStrategy::OnWindowClose {
            self.final_results = Some(FinalResults::open(self.table.name.as_str(), cx));
        }
        Ok(())
    }

    pub(super) fn store(&self) -> Result<&TimestampedWindowStore<K, A>, BoxError> {
        self.store.as_ref().ok_or_else(|| "the aggregation is not initialised".into())
    }

    /// Whether an update is told at once: not when windows tell their results on close, and not when the store holds changes back.
    fn tells_updates(&self) -> bool {
        self.final_results.is_none() && self.store.as_ref().is_some_and(|store| !store.is_caching())
    }

    /// Whether the old value is wanted with an update.
    pub(super) fn tells_old_values(&self) -> bool {
        self.forwarder.sends_old_values && self.tells_updates()
    }

    /// Writes a row and tells it.
    pub(super) fn update(
        &self,
        cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>,
        key: &K,
        window: TimeWindow,
        change: Change<A>,
        timestamp: i64,
        headers: &Headers,
    ) -> Result<(), BoxError> {
        let row = change.new.as_ref().map(|new| ValueAndTimestamp::new(new, timestamp));
        self.store()?.put(key, row, window.start_ms())?;
        if self.tells_updates() {
            let key = Windowed { key: key.clone(), window };
            self.forwarder.forward(cx, key, change, timestamp, headers.clone())?;
        }
        Ok(())
    }

    /// Tells the windows that have closed by `close_time`. `starts` gives the first and last start of such windows, from the close time up to
    /// which they were told before; `may_begin` says whether any begins there.
    pub(super) fn tell_closed(
        &mut self,
        cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>,
        close_time: i64,
        headers: &Headers,
        starts: impl FnOnce(Option<i64>) -> (i64, i64),
        may_begin: impl FnOnce(i64, i64) -> bool,
    ) -> Result<(), BoxError> {
        let Some(final_results) = &mut self.final_results else { return Ok(()) };
        if !final_results.are_due(cx.current_system_time_ms(), close_time) {
            return Ok(());
        }
        let (first, last) = starts(final_results.last_close_time());
        if last < 0 || !may_begin(first, last) {
            return Ok(());
        }
        let store = self.store.as_ref().ok_or("the aggregation is not initialised")?;
        for row in store.fetch_all(first, last)? {
            let (window, row) = row?;
            let key = Windowed { window: TimeWindow::new(window.start, window.start.saturating_add(self.table.size_ms)), key: window.key };
            let change = Change::latest(None, Some(row.value));
            self.forwarder.forward(cx, key, change, row.timestamp, headers.clone())?;
        }
        final_results.told(cx, close_time);
        Ok(())
    }

    /// Tells what a cached store held back.
    pub(super) fn drain(&mut self, cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>) -> Result<(), BoxError> {
        let store = self.store()?;
        // Windows that tell their results on close come from the store, not from its changes.
        if !store.is_caching() || self.final_results.is_some() {
            return Ok(());
        }
        while let Some(change) = store.next_change()? {
            let CachedChange { key, old, new, timestamp, headers, metadata } = change;
            let window = TimeWindow::new(key.start, key.start.saturating_add(self.table.size_ms));
            let key = Windowed { key: key.key, window };
            self.forwarder.forward_held_back(cx, CachedChange { key, old, new, timestamp, headers, metadata })?;
        }
        Ok(())
    }
}
