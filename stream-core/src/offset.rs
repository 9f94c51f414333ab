//! Where reading begins.

use std::time::Duration;

/// Where a source begins that has no committed offset. Mirrors `AutoOffsetReset` (KIP-1106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoOffsetReset {
    /// At the first record.
    Earliest,
    /// Behind the last record.
    Latest,
    /// Nowhere: the task stops with an error.
    None,
    /// At the first record that is at most this old.
    ByDuration(Duration),
}
