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
    ///
    /// ```
    /// use stream_dsl::{TimeWindow, Windowed};
    ///
    /// // The key of a row in a windowed table: to look it up, or to compare with.
    /// let key = Windowed { key: "ada", window: TimeWindow::new(0, 10) };
    /// assert_eq!(key.to_string(), "ada@0/10");
    /// ```
    pub const fn new(start_ms: i64, end_ms: i64) -> Self {
        Self { start_ms, end_ms }
    }

    /// The first ms that belongs to it.
    ///
    /// ```
    /// use stream_dsl::TimeWindow;
    /// assert_eq!(TimeWindow::new(10, 20).start_ms(), 10);
    /// ```
    pub const fn start_ms(&self) -> i64 {
        self.start_ms
    }

    /// Its end; see the type for whether it belongs to it.
    ///
    /// ```
    /// use stream_dsl::TimeWindow;
    /// assert_eq!(TimeWindow::new(10, 20).end_ms(), 20);
    /// ```
    pub const fn end_ms(&self) -> i64 {
        self.end_ms
    }
}
