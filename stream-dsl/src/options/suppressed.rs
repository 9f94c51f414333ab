//! [`Suppressed`] and [`BufferConfig`].

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::window::Windowed;

/// A buffer that tells its oldest changes early when it is full.
#[derive(Clone, Copy, Debug)]
pub enum EmitEarly {}

/// A buffer that stops the application when it is full.
#[derive(Clone, Copy, Debug)]
pub enum ShutDown {}

/// What a full buffer does.
pub trait WhenFull: sealed::Sealed {
    #[doc(hidden)]
    const SHUTS_DOWN: bool;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::EmitEarly {}
    impl Sealed for super::ShutDown {}
}

impl WhenFull for EmitEarly {
    const SHUTS_DOWN: bool = false;
}

impl WhenFull for ShutDown {
    const SHUTS_DOWN: bool = true;
}

/// How much a buffer holds, and what happens when it is full. Mirrors Kafka Streams' `Suppressed.BufferConfig`: what a buffer with a limit
/// does is that it emits early, unless it shall shut down; a buffer without one never has to.
///
/// ```
/// use stream_dsl::BufferConfig;
/// let _rate_limit = BufferConfig::max_records(10_000).with_max_bytes(1 << 20);
/// let _final_results = BufferConfig::max_bytes(64 << 20).shut_down_when_full();
/// ```
#[derive(Clone, Debug)]
pub struct BufferConfig<F> {
    limits: Limits,
    when_full: PhantomData<fn() -> F>,
}

/// The limits of a buffer, and its changelog.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) max_records: u64,
    pub(crate) max_bytes: u64,
    pub(crate) logging: Option<BTreeMap<String, String>>,
}

impl BufferConfig<ShutDown> {
    /// A buffer that grows as it must. It is in memory.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{BufferConfig, StreamsBuilder, Suppressed, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    /// let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count();
    /// let last = counts.suppress(Suppressed::until_window_closes(BufferConfig::unbounded())).to_stream();
    /// last.map(|key, count| (key.window.start_ms(), count)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// for time in [1, 2, 3, 10] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// assert_eq!(output.read_key_values_to_list()?, [(0, 3)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unbounded() -> Self {
        Self::limited(u64::MAX, u64::MAX)
    }
}

impl BufferConfig<EmitEarly> {
    /// A buffer of so many keys.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{BufferConfig, KTable, StreamsBuilder, Suppressed};
    /// let builder = StreamsBuilder::new();
    /// let prices: KTable<String, i64> = builder.table("in");
    /// let slow = Suppressed::until_time_limit(Duration::from_secs(60), BufferConfig::max_records(1));
    /// prices.suppress(slow).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// input.pipe_input_at("tea".into(), 3, 100)?;
    /// input.pipe_input_at("milk".into(), 2, 101)?;
    /// // The buffer holds one key: the older change went on before its minute was over.
    /// assert_eq!(output.read_key_values_to_list()?, [("tea".to_owned(), 3)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_records(records: u64) -> Self {
        Self::limited(records, u64::MAX)
    }

    /// A buffer of so many bytes, counted as Kafka Streams counts them: keys, values, and where they came from.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{BufferConfig, KTable, StreamsBuilder, Suppressed};
    /// let builder = StreamsBuilder::new();
    /// let prices: KTable<String, i64> = builder.table("prices");
    /// // At most 64 MiB per task, not per process.
    /// let slow = Suppressed::until_time_limit(Duration::from_secs(60), BufferConfig::max_bytes(64 << 20));
    /// prices.suppress(slow).to_stream().to("prices-each-minute");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn max_bytes(bytes: u64) -> Self {
        Self::limited(u64::MAX, bytes)
    }
}

impl<F: WhenFull> BufferConfig<F> {
    fn limited(max_records: u64, max_bytes: u64) -> Self {
        Self { limits: Limits { max_records, max_bytes, logging: Some(BTreeMap::new()) }, when_full: PhantomData }
    }

    fn with<G>(self) -> BufferConfig<G> {
        BufferConfig { limits: self.limits, when_full: PhantomData }
    }

    /// At most so many keys.
    ///
    /// ```
    /// use stream_dsl::BufferConfig;
    ///
    /// // Full as soon as one of the limits is passed.
    /// let _limits = BufferConfig::max_bytes(64 << 20).with_max_records(100_000);
    /// ```
    #[must_use]
    pub fn with_max_records(mut self, records: u64) -> Self {
        self.limits.max_records = records;
        self
    }

    /// At most so many bytes.
    ///
    /// ```
    /// use stream_dsl::BufferConfig;
    ///
    /// // A limit on an unbounded buffer leaves it one that shuts down: final results stay final.
    /// let _final_results = BufferConfig::unbounded().with_max_bytes(64 << 20);
    /// ```
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.limits.max_bytes = bytes;
        self
    }

    /// When it is full, the changes that wait longest are told early.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{BufferConfig, KTable, StreamsBuilder, Suppressed};
    /// let builder = StreamsBuilder::new();
    /// let prices: KTable<String, i64> = builder.table("prices");
    /// let limited = BufferConfig::unbounded().with_max_records(1_000).emit_early_when_full();
    /// // Such a buffer does for a rate limit; `Suppressed::until_window_closes(limited)` would not compile.
    /// prices.suppress(Suppressed::until_time_limit(Duration::from_secs(60), limited)).to_stream().to("prices-each-minute");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn emit_early_when_full(self) -> BufferConfig<EmitEarly> {
        self.with()
    }

    /// When it is full, processing fails; the processing handler decides.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{BufferConfig, StreamsBuilder, Suppressed, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(10));
    /// let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count();
    /// let buffer = BufferConfig::max_records(1).shut_down_when_full();
    /// counts.suppress(Suppressed::until_window_closes(buffer));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_input("ada".into(), "home".into())?;
    /// // A second key does not fit, and a final result must not be told early.
    /// assert!(input.pipe_input("bob".into(), "home".into()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn shut_down_when_full(self) -> BufferConfig<ShutDown> {
        self.with()
    }

    /// No limit, so that it is never full.
    ///
    /// ```
    /// use stream_dsl::BufferConfig;
    ///
    /// // Takes back the limits, and with them what happens at them.
    /// let _final_results = BufferConfig::max_records(1_000).with_no_bound();
    /// ```
    #[must_use]
    pub fn with_no_bound(mut self) -> BufferConfig<ShutDown> {
        (self.limits.max_records, self.limits.max_bytes) = (u64::MAX, u64::MAX);
        self.with()
    }

    /// Topic configs of the changelog; they win over all others.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{BufferConfig, KTable, StreamsBuilder, Suppressed};
    /// let builder = StreamsBuilder::new();
    /// let prices: KTable<String, i64> = builder.table("in");
    /// // What waits is state: after a crash it is restored from `<application id>-slow-store-changelog`.
    /// let buffer = BufferConfig::max_records(1_000).with_logging_enabled([("segment.ms".to_owned(), "600000".to_owned())].into());
    /// prices.suppress(Suppressed::until_time_limit(Duration::from_secs(60), buffer).with_name("slow")).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// input.pipe_input("tea".into(), 3)?;
    /// assert!(driver.produced_topic_names().contains("test-slow-store-changelog"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_logging_enabled(mut self, topic_configs: BTreeMap<String, String>) -> Self {
        self.limits.logging = Some(topic_configs);
        self
    }

    /// No changelog: what waits is lost when the task moves.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{BufferConfig, KTable, StreamsBuilder, Suppressed};
    /// let builder = StreamsBuilder::new();
    /// let prices: KTable<String, i64> = builder.table("prices");
    /// // The next price of a key makes good for a lost one.
    /// let buffer = BufferConfig::max_records(1_000).with_logging_disabled();
    /// prices.suppress(Suppressed::until_time_limit(Duration::from_secs(60), buffer)).to_stream().to("prices-each-minute");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.limits.logging = None;
        self
    }
}

/// The time by which a change waits, from its key and timestamp.
type BufferTime<K> = Arc<dyn Fn(&K, i64) -> i64 + Send + Sync>;

/// Until when changes wait. Mirrors Kafka Streams' `Suppressed`.
pub struct Suppressed<K> {
    pub(crate) name: Option<String>,
    pub(crate) until: Until,
    pub(crate) time: BufferTime<K>,
    pub(crate) limits: Limits,
    pub(crate) shuts_down: bool,
}

/// How long a change waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// So long behind the timestamp of its key's first change, ms.
    TimeLimit(i64),
    /// Until its window closes.
    WindowCloses,
}

impl<K> Suppressed<Windowed<K>> {
    /// Until the window closes: one final result per window. A buffer that may emit early could not keep that promise, so it takes only
    /// those that never do.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{BufferConfig, StreamsBuilder, Suppressed, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_and_grace(Duration::from_millis(10), Duration::from_millis(5));
    /// let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count();
    /// let last = counts.suppress(Suppressed::until_window_closes(BufferConfig::unbounded())).to_stream();
    /// last.map(|key, count| (key.window.start_ms(), count)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// for time in [1, 12, 9] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// assert!(output.is_empty(), "the grace period is not over, and the late record counts");
    /// input.pipe_input_at("ada".into(), "home".into(), 15)?;
    /// assert_eq!(output.read_key_values_to_list()?, [(0, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn until_window_closes(buffer: BufferConfig<ShutDown>) -> Self {
        let time: BufferTime<Windowed<K>> = Arc::new(|key, _| key.window.end_ms());
        Self { name: None, until: Until::WindowCloses, time, limits: buffer.limits, shuts_down: true }
    }
}

impl<K> Suppressed<K> {
    /// Until `limit` of stream time has passed since the first change of the key that is held back; 0 holds nothing back.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{BufferConfig, KTable, StreamsBuilder, Suppressed};
    /// let builder = StreamsBuilder::new();
    /// let prices: KTable<String, i64> = builder.table("in");
    /// let slow = Suppressed::until_time_limit(Duration::from_millis(10), BufferConfig::unbounded());
    /// prices.suppress(slow).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<i64>>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// input.pipe_input_at("tea".into(), Some(3), 100)?;
    /// input.pipe_input_at("tea".into(), None, 109)?; // the later change replaces the first, and keeps its place
    /// input.pipe_input_at("milk".into(), Some(2), 110)?;
    /// assert_eq!(output.read_key_values_to_list()?, [("tea".to_owned(), None)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn until_time_limit<F: WhenFull>(limit: Duration, buffer: BufferConfig<F>) -> Self {
        let limit = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        let time: BufferTime<K> = Arc::new(|_, timestamp| timestamp);
        Self { name: None, until: Until::TimeLimit(limit), time, limits: buffer.limits, shuts_down: F::SHUTS_DOWN }
    }

    /// A name for the operator; its store is `<name>-store`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{BufferConfig, KTable, StreamsBuilder, Suppressed};
    /// let builder = StreamsBuilder::new();
    /// let prices: KTable<String, i64> = builder.table("prices");
    /// let slow = Suppressed::until_time_limit(Duration::from_secs(60), BufferConfig::max_records(1_000));
    /// prices.suppress(slow.with_name("slow")).to_stream().to("prices-each-minute");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: slow (stores: [slow-store])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl<K> std::fmt::Debug for Suppressed<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Suppressed")
            .field("name", &self.name)
            .field("until", &self.until)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
