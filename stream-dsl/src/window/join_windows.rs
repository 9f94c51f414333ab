//! [`JoinWindows`]: how far apart two records may be to be joined.

use std::time::Duration;

use stream_core::TopologyError;

/// How far apart in time two records of two streams may be to be joined, and how long a stream waits for late ones. Mirrors Kafka
/// Streams' `JoinWindows`.
///
/// A record of the left stream with timestamp `t` meets those of the right one from `t - before` to `t + after`, both inclusive. Seen
/// from the right it is the other way round.
///
/// ```
/// use std::time::Duration;
/// use stream_dsl::JoinWindows;
/// // A payment up to ten seconds behind its order, never before it.
/// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10)).before_ms(0);
/// assert_eq!((windows.size_ms(), windows.grace_ms()), (10_000, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinWindows {
    pub(crate) before_ms: i64,
    pub(crate) after_ms: i64,
    grace_ms: i64,
    /// Whether left and outer joins wait for the window's close before they give a record up.
    pub(crate) waits_for_close: bool,
}

/// What Kafka Streams waits for late records when nothing is said, less the windows' size.
const LEGACY_GRACE_MS: i64 = 24 * 60 * 60 * 1000;

impl JoinWindows {
    /// Records up to `difference` apart, before or after. A window closes when its end has come.
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// Records up to `difference` apart, before or after. A window stays open for `grace` behind its end.
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        let difference = ms(difference);
        Self { before_ms: difference, after_ms: difference, grace_ms: ms(grace), waits_for_close: true }
    }

    /// Windows of programs from before Kafka Streams 3.1: a left or outer join tells a record without a match at once, joined with
    /// nothing, and once more when a match comes. Without [`grace`](Self::grace) they stay open for 24 hours, less twice the difference.
    pub fn of(difference: Duration) -> Self {
        let difference_ms = ms(difference);
        let grace_ms = LEGACY_GRACE_MS.saturating_sub(difference_ms.saturating_mul(2)).max(0);
        Self { before_ms: difference_ms, after_ms: difference_ms, grace_ms, waits_for_close: false }
    }

    /// Another grace period.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace_ms: ms(grace), ..self }
    }

    /// How much earlier than the left record the right one may be, ms. Below zero it must be that much later at least. Together with
    /// what [`after_ms`](Self::after_ms) says it must not be below zero; that is told when the topology is built.
    #[must_use]
    pub const fn before_ms(self, before_ms: i64) -> Self {
        Self { before_ms, ..self }
    }

    /// How much later than the left record the right one may be, ms. Below zero it must be that much earlier at least.
    #[must_use]
    pub const fn after_ms(self, after_ms: i64) -> Self {
        Self { after_ms, ..self }
    }

    /// The length of the window, ms.
    pub const fn size_ms(&self) -> i64 {
        self.before_ms.saturating_add(self.after_ms)
    }

    /// The grace period, ms.
    pub const fn grace_ms(&self) -> i64 {
        self.grace_ms
    }

    /// How long the stores of both streams keep their rows.
    pub(crate) fn retention(&self) -> Duration {
        duration(self.size_ms().saturating_add(self.grace_ms))
    }

    pub(crate) fn size(&self) -> Duration {
        duration(self.size_ms())
    }

    /// What is wrong with these windows.
    pub(crate) fn check(&self) -> Result<(), TopologyError> {
        let Self { before_ms, after_ms, .. } = self;
        if self.size_ms() < 0 {
            let message = format!(
                "join windows that begin {before_ms} ms before a record and end {after_ms} ms after it end before they begin; both together must not be negative"
            );
            return Err(TopologyError::Invalid { message });
        }
        Ok(())
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

fn duration(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_windows_stay_open_for_a_day_less_their_size() {
        assert_eq!(JoinWindows::of(Duration::from_secs(3_600)).grace_ms(), 22 * 3_600_000);
        assert_eq!(JoinWindows::of(Duration::from_secs(72_000)).grace_ms(), 0);
    }

    #[test]
    fn a_window_may_lie_on_one_side_but_not_be_negative() {
        let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(10));
        assert!(windows.before_ms(-10).check().is_ok());
        assert!(windows.before_ms(-11).check().is_err());
    }
}
