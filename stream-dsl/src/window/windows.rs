//! [`Windows`]: windows of a program's own, and what all that are aligned to time have in common.

use stream_core::TopologyError;

use super::TimeWindow;

/// Assigns records to windows by their timestamps. Mirrors Kafka Streams' `Windows`: a program implements it for windows that
/// [`TimeWindows`](super::TimeWindows) cannot say, and gives them to [`KGroupedStream::windowed_by`](crate::KGroupedStream::windowed_by).
///
/// ```
/// use stream_dsl::{StreamsBuilder, TimeWindow, Windows};
///
/// /// The day and the night, of twelve hours each, in UTC: from six to six.
/// struct DayAndNight;
///
/// const HALF_DAY: i64 = 12 * 3_600_000;
///
/// impl Windows for DayAndNight {
///     fn assign(&self, timestamp_ms: i64, windows: &mut Vec<TimeWindow>) {
///         let six = 6 * 3_600_000;
///         let start = (timestamp_ms - six).div_euclid(HALF_DAY) * HALF_DAY + six;
///         // No window begins before the epoch.
///         windows.push(TimeWindow::new(start.max(0), start + HALF_DAY));
///     }
///
///     fn size_ms(&self) -> i64 {
///         HALF_DAY
///     }
///
///     fn grace_ms(&self) -> i64 {
///         0
///     }
/// }
///
/// let builder = StreamsBuilder::new();
/// let trips = builder.stream::<String, String>("trips").group_by_key();
/// trips.windowed_by(DayAndNight).count().to_stream().to("trips-by-day-and-night");
/// # builder.build()?;
/// # Ok::<(), stream_core::TopologyError>(())
/// ```
pub trait Windows: Send + Sync + 'static {
    /// Appends the windows that a timestamp (ms) belongs to, by ascending start. None may begin before 0, and two windows of one start are
    /// the same window. The end of a window does not belong to it.
    fn assign(&self, timestamp_ms: i64, windows: &mut Vec<TimeWindow>);

    /// The size of the largest window, ms. With the grace period it is what the store keeps, and what the end of a window that is read back
    /// follows from.
    fn size_ms(&self) -> i64;

    /// For how long behind its end a window takes late records, ms.
    fn grace_ms(&self) -> i64;

    /// Whether a window may begin from `from_ms` to `to_ms`, both inclusive. An answer of `false` saves a look-up where windows are emitted
    /// on close.
    fn may_begin(&self, _from_ms: i64, _to_ms: i64) -> bool {
        true
    }

    /// Whether windows ever close.
    fn do_close(&self) -> bool {
        true
    }

    /// What is wrong with these windows; told when the topology is built.
    ///
    /// # Errors
    /// When no record could be aggregated in them.
    fn check(&self) -> Result<(), TopologyError> {
        Ok(())
    }
}
