//! The processor of aggregations over windows that are aligned to time.

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::time::UNKNOWN_TIME;
use stream_core::{BoxError, Record};

use super::fold::Fold;
use super::window_rows::{WindowRows, WindowTable};
use crate::table::{Change, TableForwarder};
use crate::window::{TimeWindow, Windowed, Windows};

pub(super) struct WindowAggregate<F, K, V, A> {
    fold: Fold<F, A>,
    windows: Arc<dyn Windows>,
    rows: WindowRows<K, A>,
    /// The largest timestamp that this operator saw; starts anew with the task (traps T5, T6).
    stream_time: i64,
    /// The windows of a record; kept so that no record allocates.
    matched: Vec<TimeWindow>,
    types: PhantomData<fn(V)>,
}

impl<F, K: Clone + 'static, V, A: Clone + 'static> WindowAggregate<F, K, V, A> {
    pub(super) fn new(fold: Fold<F, A>, windows: Arc<dyn Windows>, table: WindowTable<K, A>, forwarder: TableForwarder) -> Self {
        let rows = WindowRows::new(table, forwarder);
        Self { fold, windows, rows, stream_time: UNKNOWN_TIME, matched: Vec::new(), types: PhantomData }
    }
}

impl<F, K, V, A> Processor for WindowAggregate<F, K, V, A>
where
    F: Fn(&K, V, Option<A>) -> Option<A> + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    A: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = Windowed<K>;
    type ValueOut = Change<A>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.rows.open(cx)
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>) -> Result<(), BoxError> {
        let Record { key, value, timestamp, headers } = record;
        // Trap T4: a record is never late by its own time.
        self.stream_time = self.stream_time.max(timestamp);
        let close_time = self.stream_time.saturating_sub(self.windows.grace_ms());
        let mut matched = std::mem::take(&mut self.matched);
        matched.clear();
        self.windows.assign(timestamp, &mut matched);
        for window in &matched {
            // Trap T3: each window is judged alone.
            if window.end_ms() <= close_time {
                cx.drop_record("its window is closed");
                continue;
            }
            let old = self.rows.store()?.get(&key, window.start_ms())?;
            let time = old.as_ref().map_or(timestamp, |old| old.timestamp.max(timestamp));
            let begun = self.fold.begin(old.map(|old| old.value));
            let told = if self.rows.tells_old_values() { begun.clone() } else { None };
            let new = self.fold.next(&key, value.clone(), begun);
            self.rows.update(cx, &key, *window, Change::latest(told, new), time, &headers)?;
        }
        self.matched = matched;
        let (size, windows) = (self.windows.size_ms(), Arc::clone(&self.windows));
        // A window has closed when its end is at the close time, or before.
        let starts = |told: Option<i64>| (told.map_or(0, |told| (told - size + 1).max(0)), close_time.saturating_sub(size));
        self.rows.tell_closed(cx, close_time, &headers, starts, |first, last| windows.may_begin(first, last))
    }

    fn drain(&mut self, cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>) -> Result<(), BoxError> {
        self.rows.drain(cx)
    }
}
