//! [`SlidingWindows`]: windows where records define them.

use std::time::Duration;

use super::time_windows::ms;

/// Windows that hold records which are at most a difference apart. For each record of a key there is the window that ends with it, and,
/// unless it is empty, the one that begins 1 ms after it; both ends belong to a window. Mirrors Kafka Streams' `SlidingWindows`.
///
/// ```text
///   difference 10      ts 12     ts 18
///   ───────────────────●─────────●──────────────►
///   [2          12]                                ends with the first record
///          [8         18]                          ends with the second
///                       [13         23]            begins behind the first: holds the second
/// ```
///
/// ```
/// use std::time::Duration;
/// use stream_dsl::{SlidingWindows, StreamsBuilder};
/// let builder = StreamsBuilder::new();
/// let windows = SlidingWindows::of_time_difference_and_grace(Duration::from_secs(60), Duration::from_secs(10));
/// builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count().to_stream().to("counts");
/// # builder.build()?;
/// # Ok::<(), stream_core::TopologyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindows {
    difference_ms: i64,
    grace_ms: i64,
}

impl SlidingWindows {
    /// Windows of records that are at most `difference` apart, which close when their end has passed.
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// As above, taking late records for `grace` behind the end of a window.
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        Self { difference_ms: ms(difference), grace_ms: ms(grace) }
    }

    /// The largest difference of the times of two records of a window, ms.
    pub const fn time_difference_ms(&self) -> i64 {
        self.difference_ms
    }

    /// The grace period, ms.
    pub const fn grace_ms(&self) -> i64 {
        self.grace_ms
    }
}
