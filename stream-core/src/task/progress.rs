//! [`Progress`]: why a task stopped processing.

use std::time::Duration;

/// Why [`Task::process`](super::Task::process) returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The limit was reached; there may be more.
    More,
    /// A processor wants no further input until it was woken.
    Paused,
    /// Nothing is buffered.
    Empty,
    /// Records are buffered, but another partition may have an earlier one; ask again when something was fetched, or at this time (monotonic clock).
    Waiting { until: Option<Duration> },
}
