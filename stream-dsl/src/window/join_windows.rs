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
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::JoinWindows;
    ///
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(10));
    /// // From 10 ms before to 10 ms after a record. A record 10 ms behind the latest still meets what it should; older ones are late.
    /// assert_eq!((windows.size_ms(), windows.grace_ms()), (20, 0));
    /// ```
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// Records up to `difference` apart, before or after. A window stays open for `grace` behind its end.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::JoinWindows;
    ///
    /// // Two records an hour apart, of which the second may come ten minutes late.
    /// let windows = JoinWindows::of_time_difference_and_grace(Duration::from_secs(3_600), Duration::from_secs(600));
    /// // The stores of both sides keep their records for size and grace.
    /// assert_eq!(windows.size_ms() + windows.grace_ms(), 7_800_000);
    /// ```
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        let difference = ms(difference);
        Self { before_ms: difference, after_ms: difference, grace_ms: ms(grace), waits_for_close: true }
    }

    /// Windows of programs from before Kafka Streams 3.1: a left or outer join tells a record without a match at once, joined with
    /// nothing, and once more when a match comes. Without [`grace`](Self::grace) they stay open for 24 hours, less twice the difference.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (sent, received) = (builder.stream::<String, i64>("in"), builder.stream::<String, i64>("received"));
    /// let windows = JoinWindows::of(Duration::from_millis(10)).grace(Duration::from_secs(1));
    /// sent.left_join_stream(&received, |sent: &i64, got: Option<&i64>| format!("{sent} {got:?}"), windows).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// input.pipe_input_at("a".into(), 1, 100)?;
    /// driver.create_input_topic::<String, i64>("received").pipe_input_at("a".into(), 1, 105)?;
    /// // Told alone at once, and once more with its match; other windows would tell the pair only.
    /// assert_eq!(output.read_values_to_list()?, ["1 None", "1 Some(1)"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(difference: Duration) -> Self {
        let difference_ms = ms(difference);
        let grace_ms = LEGACY_GRACE_MS.saturating_sub(difference_ms.saturating_mul(2)).max(0);
        Self { before_ms: difference_ms, after_ms: difference_ms, grace_ms, waits_for_close: false }
    }

    /// Another grace period.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::JoinWindows;
    ///
    /// let windows = JoinWindows::of(Duration::from_secs(10));
    /// assert_eq!(windows.grace_ms(), 86_400_000 - 20_000);
    /// assert_eq!(windows.grace(Duration::from_secs(1)).grace_ms(), 1_000);
    /// ```
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace_ms: ms(grace), ..self }
    }

    /// How much earlier than the left record the right one may be, ms. Below zero it must be that much later at least. Together with
    /// what [`after_ms`](Self::after_ms) says it must not be below zero; that is told when the topology is built.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, i64>("in"), builder.stream::<String, i64>("payments"));
    /// let behind = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(10)).before_ms(0);
    /// orders.join_stream(&payments, |order: &i64, paid: &i64| format!("{order} {paid}"), behind).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// let mut payments = driver.create_input_topic::<String, i64>("payments");
    /// payments.pipe_input_at("a".into(), 1, 99)?;
    /// input.pipe_input_at("a".into(), 7, 100)?;
    /// payments.pipe_input_at("a".into(), 2, 100)?;
    /// assert_eq!(output.read_values_to_list()?, ["7 2"], "the payment at 99 lies before its order");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn before_ms(self, before_ms: i64) -> Self {
        Self { before_ms, ..self }
    }

    /// How much later than the left record the right one may be, ms. Below zero it must be that much earlier at least.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::JoinWindows;
    ///
    /// // Between 5 and 10 ms before the left record, never later.
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(10)).after_ms(-5);
    /// assert_eq!(windows.size_ms(), 5);
    /// ```
    #[must_use]
    pub const fn after_ms(self, after_ms: i64) -> Self {
        Self { after_ms, ..self }
    }

    /// The length of the window, ms.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::JoinWindows;
    ///
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(10)).before_ms(3);
    /// assert_eq!(windows.size_ms(), 13, "what `StreamJoined::with_this_store_supplier` needs to know");
    /// ```
    pub const fn size_ms(&self) -> i64 {
        self.before_ms.saturating_add(self.after_ms)
    }

    /// The grace period, ms.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::JoinWindows;
    ///
    /// let windows = JoinWindows::of_time_difference_and_grace(Duration::from_millis(10), Duration::from_millis(5));
    /// assert_eq!(windows.grace_ms(), 5);
    /// ```
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
