//! [`SessionWindows`]: activity with gaps between.

use std::time::Duration;

use stream_core::TopologyError;

use super::time_windows::ms;

/// Sessions: records of a key belong together as long as no gap of more than the inactivity gap lies between them. A session lasts from its
/// first to its last record, both of which belong to it; a record that lies between two sessions joins them. Mirrors Kafka Streams'
/// `SessionWindows`.
///
/// ```
/// use std::time::Duration;
/// use stream_dsl::{SessionWindows, StreamsBuilder};
/// let builder = StreamsBuilder::new();
/// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1_800));
/// builder.stream::<String, String>("clicks").group_by_key().windowed_by(visits).count().to_stream().to("clicks-per-visit");
/// # builder.build()?;
/// # Ok::<(), stream_core::TopologyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionWindows {
    gap_ms: i64,
    grace_ms: i64,
}

impl SessionWindows {
    /// Sessions that close when the gap behind their end has passed. A gap below 1 ms is refused when the topology is built.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10));
    /// let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(visits).count();
    /// counts.to_stream().non_null_value().map(|key, count| (key.window.start_ms(), count)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// for time in [100, 110, 121] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// // A gap of exactly 10 ms does not part, one of 11 ms does.
    /// assert_eq!(output.read_key_values_to_list()?, [(100, 1), (100, 2), (121, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_inactivity_gap_with_no_grace(gap: Duration) -> Self {
        Self::of_inactivity_gap_and_grace(gap, Duration::ZERO)
    }

    /// As above, taking late records for `grace` longer.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::SessionWindows;
    ///
    /// // A record that would be a session of its own is taken while stream time is not past its time, gap and grace.
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(1_800), Duration::from_secs(60));
    /// assert_eq!(visits.inactivity_gap_ms() + visits.grace_ms(), 1_860_000);
    /// ```
    pub fn of_inactivity_gap_and_grace(gap: Duration, grace: Duration) -> Self {
        Self { gap_ms: ms(gap), grace_ms: ms(grace) }
    }

    /// The longest time between two records of a session, ms.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::SessionWindows;
    ///
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1_800));
    /// assert_eq!(visits.inactivity_gap_ms(), 1_800_000);
    /// ```
    pub const fn inactivity_gap_ms(&self) -> i64 {
        self.gap_ms
    }

    /// The grace period, ms.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::SessionWindows;
    ///
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(1_800), Duration::from_secs(60));
    /// assert_eq!(visits.grace_ms(), 60_000);
    /// ```
    pub const fn grace_ms(&self) -> i64 {
        self.grace_ms
    }

    /// How long behind its end a session may still be joined, ms.
    pub(crate) const fn open_ms(&self) -> i64 {
        self.gap_ms.saturating_add(self.grace_ms)
    }

    /// What is wrong with these windows.
    pub(crate) fn check(&self) -> Result<(), TopologyError> {
        if self.gap_ms < 1 {
            let message = format!("sessions with a gap of {} ms hold nothing together; give them a gap of at least 1 ms", self.gap_ms);
            return Err(TopologyError::Invalid { message });
        }
        Ok(())
    }
}
