//! [`TimeWindow`]: a span of time.

/// A span of time, ms since the epoch.
///
/// Whether its end belongs to it depends on what it is a window of: in [`TimeWindows`](super::TimeWindows) and
/// [`UnlimitedWindows`](super::UnlimitedWindows) it does not, in [`SlidingWindows`](super::SlidingWindows) and
/// [`SessionWindows`](super::SessionWindows) it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeWindow {
    start_ms: i64,
    end_ms: i64,
}

impl TimeWindow {
    /// The window from `start_ms` to `end_ms`.
    pub const fn new(start_ms: i64, end_ms: i64) -> Self {
        Self { start_ms, end_ms }
    }

    /// The first ms that belongs to it.
    pub const fn start_ms(&self) -> i64 {
        self.start_ms
    }

    /// Its end; see the type for whether it belongs to it.
    pub const fn end_ms(&self) -> i64 {
        self.end_ms
    }
}
