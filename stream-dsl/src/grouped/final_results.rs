//! When results of closed windows are told.

use stream_core::processor::{InitContext, ProcessorContext};
use stream_core::time::UNKNOWN_TIME;

/// Remembers up to where windows were told. The moment survives a restart: it is committed beside the offsets (trap T24).
pub(super) struct FinalResults {
    store: String,
    /// How often it looks, by wall clock, ms.
    interval_ms: i64,
    next_look_ms: i64,
    /// The close time of the last look that told something.
    last_close_time: i64,
}

impl FinalResults {
    pub(super) fn open(store: &str, cx: &InitContext<'_>) -> Self {
        Self {
            store: store.to_owned(),
            interval_ms: cx.emit_intervals().windowed_aggregation_ms,
            next_look_ms: 0,
            last_close_time: cx.committed_metadata(store).unwrap_or(UNKNOWN_TIME),
        }
    }

    /// Whether it is time to look for windows that have closed by `close_time` (trap T23).
    pub(super) fn are_due(&mut self, now_ms: i64, close_time: i64) -> bool {
        if now_ms < self.next_look_ms {
            return false;
        }
        self.next_look_ms = now_ms.saturating_add(self.interval_ms);
        self.last_close_time < close_time
    }

    /// The close time up to which windows were told, if any were.
    pub(super) fn last_close_time(&self) -> Option<i64> {
        (self.last_close_time != UNKNOWN_TIME).then_some(self.last_close_time)
    }

    /// Windows were told up to this close time.
    pub(super) fn told<K: Clone + 'static, V: Clone + 'static>(&mut self, cx: &mut ProcessorContext<'_, K, V>, close_time: i64) {
        self.last_close_time = close_time;
        cx.set_committed_metadata(&self.store, close_time);
    }
}
