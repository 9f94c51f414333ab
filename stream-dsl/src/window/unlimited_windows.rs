//! [`UnlimitedWindows`]: one window without an end.

use super::{TimeWindow, Windows};

/// One window that begins at a time and never closes. Records before it are ignored, without being counted as dropped. Mirrors Kafka
/// Streams' `UnlimitedWindows`.
///
/// ```
/// use stream_dsl::{StreamsBuilder, UnlimitedWindows};
/// let builder = StreamsBuilder::new();
/// let since = UnlimitedWindows::starting_at(1_700_000_000_000);
/// builder.stream::<String, String>("in").group_by_key().windowed_by(since).count().to_stream().to("counts");
/// # builder.build()?;
/// # Ok::<(), stream_core::TopologyError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnlimitedWindows {
    start_ms: i64,
}

impl UnlimitedWindows {
    /// From the epoch on.
    ///
    /// ```
    /// use stream_dsl::{StreamsBuilder, UnlimitedWindows};
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("in").group_by_key().windowed_by(UnlimitedWindows::new());
    /// clicks.count().to_stream().map(|key, count| (key.window.start_ms(), count)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// for time in [1_000_000, 5] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// assert_eq!(output.read_key_values_to_list()?, [(0, 1), (0, 2)], "nothing is ever late");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn new() -> Self {
        Self { start_ms: 0 }
    }

    /// From `start_ms` (ms since the epoch) on; a negative start counts as 0.
    ///
    /// ```
    /// use stream_dsl::{StreamsBuilder, UnlimitedWindows};
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("in").group_by_key().windowed_by(UnlimitedWindows::starting_at(100));
    /// clicks.count().to_stream().map(|key, count| (key.window.start_ms(), count)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// for time in [99, 100] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// assert_eq!(output.read_key_values_to_list()?, [(100, 1)]);
    /// assert!(driver.dropped_records().is_empty(), "what came before was never meant to be counted");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn starting_at(start_ms: i64) -> Self {
        Self { start_ms: if start_ms < 0 { 0 } else { start_ms } }
    }

    /// The start of the window, ms since the epoch.
    ///
    /// ```
    /// use stream_dsl::UnlimitedWindows;
    /// assert_eq!(UnlimitedWindows::starting_at(100).start_ms(), 100);
    /// ```
    pub const fn start_ms(&self) -> i64 {
        self.start_ms
    }
}

impl Windows for UnlimitedWindows {
    fn assign(&self, timestamp_ms: i64, windows: &mut Vec<TimeWindow>) {
        if timestamp_ms >= self.start_ms {
            windows.push(TimeWindow::new(self.start_ms, i64::MAX));
        }
    }

    fn size_ms(&self) -> i64 {
        i64::MAX
    }

    fn grace_ms(&self) -> i64 {
        0
    }

    fn do_close(&self) -> bool {
        false
    }
}
