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
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{SlidingWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let windows = SlidingWindows::of_time_difference_with_no_grace(Duration::from_millis(10));
    /// let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count().to_stream();
    /// counts.map(|key, count| (key.window.start_ms(), count)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// for time in [12, 18] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// // The windows of the picture: [2, 12], [8, 18] with both records, and [13, 23].
    /// assert_eq!(output.read_key_values_to_map()?, [(2, 1), (8, 2), (13, 1)].into());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// As above, taking late records for `grace` behind the end of a window.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{SlidingWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let windows = SlidingWindows::of_time_difference_and_grace(Duration::from_millis(10), Duration::from_millis(20));
    /// let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count().to_stream();
    /// counts.map(|key, count| (key.window.start_ms(), count)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// for time in [100, 118, 89] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// // The window of the last record ends at 89, and its grace period at 109, before 118: it is dropped and counted.
    /// // The one that begins behind it, at 90, is open, and there already.
    /// assert_eq!(output.read_key_values_to_list()?, [(90, 1), (108, 1)]);
    /// assert_eq!(driver.dropped_records().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        Self { difference_ms: ms(difference), grace_ms: ms(grace) }
    }

    /// The largest difference of the times of two records of a window, ms.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::SlidingWindows;
    ///
    /// let windows = SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// assert_eq!(windows.time_difference_ms(), 10_000);
    /// ```
    pub const fn time_difference_ms(&self) -> i64 {
        self.difference_ms
    }

    /// The grace period, ms.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::SlidingWindows;
    ///
    /// let windows = SlidingWindows::of_time_difference_and_grace(Duration::from_secs(10), Duration::from_secs(2));
    /// assert_eq!(windows.grace_ms(), 2_000);
    /// ```
    pub const fn grace_ms(&self) -> i64 {
        self.grace_ms
    }
}
