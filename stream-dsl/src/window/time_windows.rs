//! [`TimeWindows`]: tumbling and hopping.

use std::time::Duration;

use stream_core::TopologyError;

use super::{TimeWindow, Windows};

/// Windows of one size, aligned to the epoch. Tumbling: one follows the other. Hopping: one begins every advance, so they overlap.
/// Mirrors Kafka Streams' `TimeWindows`.
///
/// ```
/// use std::time::Duration;
/// use stream_dsl::TimeWindows;
/// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10)).advance_by(Duration::from_millis(3));
/// let starts: Vec<i64> = windows.windows_for(4).map(|window| window.start_ms()).collect();
/// assert_eq!(starts, [0, 3]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindows {
    size_ms: i64,
    advance_ms: i64,
    grace_ms: i64,
}

impl TimeWindows {
    /// Tumbling windows that close when their end has come. A size below 1 ms is refused when the topology is built.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{TimeWindow, TimeWindows};
    ///
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    /// // The end does not belong to a window: 10 is the first millisecond of the next one.
    /// assert!(windows.windows_for(9).eq([TimeWindow::new(0, 10)]));
    /// assert!(windows.windows_for(10).eq([TimeWindow::new(10, 20)]));
    /// ```
    pub fn of_size_with_no_grace(size: Duration) -> Self {
        Self::of_size_and_grace(size, Duration::ZERO)
    }

    /// Tumbling windows that take late records for `grace` behind their end. A size below 1 ms is refused when the topology is built.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_and_grace(Duration::from_millis(10), Duration::from_millis(5));
    /// builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count();
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// for time in [3, 14, 4, 15, 5] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// // The window from 0 to 10 is open until stream time is 15: of the two late records the second is dropped and counted.
    /// assert_eq!(driver.dropped_records().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_size_and_grace(size: Duration, grace: Duration) -> Self {
        let size_ms = ms(size);
        Self { size_ms, advance_ms: size_ms, grace_ms: ms(grace) }
    }

    /// Hopping windows: one begins every `advance`. Less than 1 ms, and more than the size, is refused when the topology is built.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::TimeWindows;
    ///
    /// // The last minute, every ten seconds. A record belongs to six windows, and writes six rows.
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(60)).advance_by(Duration::from_secs(10));
    /// assert_eq!(windows.windows_for(65_000).count(), 6);
    /// ```
    #[must_use]
    pub fn advance_by(self, advance: Duration) -> Self {
        Self { advance_ms: ms(advance), ..self }
    }

    /// The windows that a timestamp (ms) belongs to, by ascending start. None begins before 0 (trap T1).
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{TimeWindow, TimeWindows};
    ///
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10)).advance_by(Duration::from_millis(5));
    /// assert!(windows.windows_for(12).eq([TimeWindow::new(5, 15), TimeWindow::new(10, 20)]));
    /// ```
    pub fn windows_for(&self, timestamp: i64) -> impl Iterator<Item = TimeWindow> + use<> {
        let Self { size_ms, advance_ms, .. } = *self;
        // Without an advance there is no next window; such windows are refused where they are used.
        let advance_ms = advance_ms.max(1);
        let first = (timestamp - size_ms + advance_ms).max(0) / advance_ms * advance_ms;
        (0..)
            .map(move |index| first.saturating_add(advance_ms.saturating_mul(index)))
            .take_while(move |start| *start <= timestamp)
            .map(move |start| TimeWindow::new(start, start.saturating_add(size_ms)))
    }

    /// The size, ms.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::TimeWindows;
    ///
    /// assert_eq!(TimeWindows::of_size_with_no_grace(Duration::from_secs(60)).size_ms(), 60_000);
    /// ```
    pub const fn size_ms(&self) -> i64 {
        self.size_ms
    }

    /// The advance, ms.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::TimeWindows;
    ///
    /// let tumbling = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// assert_eq!(tumbling.advance_ms(), tumbling.size_ms());
    /// assert_eq!(tumbling.advance_by(Duration::from_secs(10)).advance_ms(), 10_000);
    /// ```
    pub const fn advance_ms(&self) -> i64 {
        self.advance_ms
    }

    /// The grace period, ms.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::TimeWindows;
    ///
    /// assert_eq!(TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5)).grace_ms(), 5_000);
    /// ```
    pub const fn grace_ms(&self) -> i64 {
        self.grace_ms
    }
}

impl Windows for TimeWindows {
    fn assign(&self, timestamp_ms: i64, windows: &mut Vec<TimeWindow>) {
        windows.extend(self.windows_for(timestamp_ms));
    }

    fn size_ms(&self) -> i64 {
        self.size_ms
    }

    fn grace_ms(&self) -> i64 {
        self.grace_ms
    }

    fn may_begin(&self, from_ms: i64, to_ms: i64) -> bool {
        to_ms >= from_ms && to_ms / self.advance_ms.max(1) * self.advance_ms >= from_ms
    }

    fn check(&self) -> Result<(), TopologyError> {
        let Self { size_ms, advance_ms, .. } = *self;
        let message = if size_ms < 1 {
            format!("windows of {size_ms} ms hold nothing; give them a size of at least 1 ms")
        } else if !(1..=size_ms).contains(&advance_ms) {
            format!("windows of {size_ms} ms cannot advance by {advance_ms} ms; advance by 1 ms to {size_ms} ms")
        } else {
            return Ok(());
        };
        Err(TopologyError::Invalid { message })
    }
}

pub(super) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(size: u64, advance: u64, timestamp: i64) -> Vec<i64> {
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(size)).advance_by(Duration::from_millis(advance));
        windows.windows_for(timestamp).map(|window| window.start_ms()).collect()
    }

    #[test]
    fn a_record_at_the_end_of_a_window_belongs_to_the_next() {
        assert_eq!(starts(10, 10, 9), [0]);
        assert_eq!(starts(10, 10, 10), [10]);
    }

    #[test]
    fn hopping_windows_ascend_and_never_begin_before_the_epoch() {
        assert_eq!(starts(10, 3, 4), [0, 3]);
        assert_eq!(starts(10, 5, 12), [5, 10]);
    }
}
