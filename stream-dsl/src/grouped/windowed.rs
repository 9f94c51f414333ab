//! [`KGroupedStream::windowed_by`]: aggregations per key and window.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stream_core::TopologyError;
use stream_core::serdes::DefaultSerde;
use stream_core::store::StoreName;

use super::fold::{self, Fold};
use super::window_rows::WindowTable;
use super::{KGroupedStream, TimeWindowing};
use crate::options::{Materialized, Named};
use crate::table::{KTable, OldValues, WindowStoreSpec, WindowedTable, store};
use crate::window::{EmitStrategy, TimeWindowedSerde, WindowDefinition, Windowed};

impl<K: Clone + 'static, V: Clone + 'static> KGroupedStream<K, V> {
    /// Aggregates per key and window: tumbling, hopping, unlimited, sliding, sessions, or windows of the program's own.
    ///
    /// Null values reach aggregations over tumbling, hopping and unlimited windows and over sessions, so a stream that may hold them is
    /// grouped as it is, or narrowed; over sliding windows Kafka Streams drops them, so it is narrowed by
    /// [`KStream::non_null_value`](crate::KStream::non_null_value).
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("in").group_by_key();
    /// let windows = TimeWindows::of_size_and_grace(Duration::from_millis(10), Duration::from_millis(5));
    /// let counts = clicks.windowed_by(windows).count().to_stream();
    /// counts.map(|key, count| (key.key, format!("{}: {}", key.window.start_ms(), count.unwrap_or(0)))).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// for time in [3, 12, 9, 15, 4] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// // 9 is late but within the grace period; when time is 15 the first window has closed, and 4 is dropped and counted.
    /// assert_eq!(output.read_values_to_list()?, ["0: 1", "10: 1", "0: 2", "10: 2"]);
    /// assert_eq!(driver.dropped_records().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn windowed_by<W: WindowDefinition>(&self, windows: W) -> W::Grouped<K, V> {
        windows.grouped(self.clone())
    }
}

/// A grouped and windowed stream. Mirrors Kafka Streams' `TimeWindowedKStream`.
///
/// A window closes when stream time, which is the largest timestamp that the operator saw, passes its end by the grace period. A record
/// is judged per window: what it brings to a closed one is dropped and counted, once per window.
#[derive(Debug)]
pub struct TimeWindowedKStream<K, V> {
    grouped: KGroupedStream<K, V>,
    windows: TimeWindowing,
    emit: EmitStrategy,
}

impl<K: Clone + 'static, V: Clone + 'static> TimeWindowedKStream<K, V> {
    pub(crate) fn new(grouped: KGroupedStream<K, V>, windows: TimeWindowing) -> Self {
        if let Err(error) = windows.check() {
            grouped.stream.plan.refuse(error);
        }
        Self { grouped, windows, emit: EmitStrategy::default() }
    }

    /// When results are told. Windows that never close cannot be told on close: this is refused when the topology is built.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{EmitStrategy, StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let windowed = builder.stream::<String, String>("in").group_by_key().windowed_by(minutes);
    /// windowed.emit_strategy(EmitStrategy::OnWindowClose).count().to_stream().to("final-counts");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn emit_strategy(self, emit: EmitStrategy) -> Self {
        if emit == EmitStrategy::OnWindowClose && !self.windows.do_close() {
            let message = "windows without an end never close, so their results cannot be told on close; tell them on update".to_owned();
            self.grouped.stream.plan.refuse(TopologyError::Invalid { message });
        }
        Self { emit, ..self }
    }

    /// Counts the records of each key and window.
    ///
    /// A null value counts, too, except in sliding windows, which take none. A record that is late for a window is dropped and counted.
    /// The counts are a window store with a changelog, kept for size and grace at least.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// builder
    ///     .stream::<String, String>("in")
    ///     .group_by_key()
    ///     .windowed_by(minutes)
    ///     .count()
    ///     .to_stream()
    ///     .map(|key, count| (format!("{} at {}", key.key, key.window.start_ms()), count))
    ///     .to("counts");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn count(&self) -> KTable<Windowed<K>, i64> {
        self.count_with(Materialized::default())
    }

    /// As [`count`](Self::count), with a named or configured store.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{Materialized, StreamsBuilder, TimeWindows};
    /// use stream_state::TimestampedWindowStore;
    ///
    /// const CLICKS: StoreName<TimestampedWindowStore<String, i64>> = StoreName::new("clicks");
    ///
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    /// let clicks = builder.stream::<String, String>("in").group_by_key().windowed_by(windows);
    /// // Closed windows are kept to be read, here for a day; the default is their size and grace.
    /// clicks.count_with(Materialized::named(CLICKS.as_str()).with_retention(Duration::from_secs(86_400)));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// for time in [3, 9, 12] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// let clicks = driver.state_store(&CLICKS)?;
    /// let counts = clicks.fetch(&"ada".into(), 0, 20)?.map(|row| row.map(|(start, count)| (start, count.value)));
    /// assert_eq!(counts.collect::<Result<Vec<_>, _>>()?, [(0, 2), (10, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_with(&self, materialized: Materialized<K, i64>) -> KTable<Windowed<K>, i64> {
        self.count_named_with(Named::default(), materialized)
    }

    /// As [`count_with`](Self::count_with), with a name.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{Materialized, Named, StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let clicks = builder.stream::<String, String>("clicks").group_by_key().windowed_by(windows);
    /// clicks.count_named_with(Named::new("count-clicks"), Materialized::named("clicks-per-minute"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: count-clicks (stores: [clicks-per-minute])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn count_named_with(&self, named: Named, materialized: Materialized<K, i64>) -> KTable<Windowed<K>, i64> {
        // Kafka Streams takes a number here, except for sliding windows.
        if materialized.name.is_none() && !self.windows.is_sliding() {
            self.grouped.stream.plan.store_name("KSTREAM-AGGREGATE-");
        }
        let values = materialized.values.clone().unwrap_or_else(i64::default_serde);
        self.folded("KSTREAM-AGGREGATE-", &named, materialized.with_value_serde(values), fold::count())
    }

    /// Combines the values of each key and window, as [`KGroupedStream::reduce`].
    ///
    /// Late records are dropped and counted; values that may be null have [`reduce_nullable`](Self::reduce_nullable). The aggregates are
    /// a window store with a changelog.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10)).advance_by(Duration::from_millis(5));
    /// let bids = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows);
    /// bids.reduce(|largest, bid| largest.max(bid)).to_stream().map(|key, bid| (key.window.start_ms(), bid)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// input.pipe_input_at("lamp".into(), 5, 3)?;
    /// input.pipe_input_at("lamp".into(), 8, 7)?; // belongs to two windows: 0 and 5
    /// assert_eq!(output.read_key_values_to_list()?, [(0, 5), (0, 8), (5, 8)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce<R: Into<Option<V>>>(&self, reducer: impl Fn(V, V) -> R + Send + Sync + 'static) -> KTable<Windowed<K>, V> {
        self.reduce_with(reducer, Materialized::default())
    }

    /// As [`reduce`](Self::reduce), with a named or configured store.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{EmitStrategy, Materialized, StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    /// let bids = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows).emit_strategy(EmitStrategy::OnWindowClose);
    /// let largest = bids.reduce_with(|largest, bid| largest.max(bid), Materialized::named("largest-bids"));
    /// largest.to_stream().map(|key, bid| (key.window.start_ms(), bid)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// for (bid, time) in [(5, 3), (8, 7), (2, 10)] {
    ///     input.pipe_input_at("lamp".into(), bid, time)?;
    /// }
    /// // One result per window: the record at 10 closes the first.
    /// assert_eq!(output.read_key_values_to_list()?, [(0, 8)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce_with<R: Into<Option<V>>>(
        &self,
        reducer: impl Fn(V, V) -> R + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<Windowed<K>, V> {
        self.reduce_named_with(reducer, Named::default(), materialized)
    }

    /// As [`reduce_with`](Self::reduce_with), with a name.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{Materialized, Named, StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let bids = builder.stream::<String, i64>("bids").group_by_key().windowed_by(windows);
    /// bids.reduce_named_with(|largest, bid| largest.max(bid), Named::new("largest"), Materialized::named("largest-bids"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: largest (stores: [largest-bids])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn reduce_named_with<R: Into<Option<V>>>(
        &self,
        reducer: impl Fn(V, V) -> R + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, V>,
    ) -> KTable<Windowed<K>, V> {
        let values = materialized.values.clone().unwrap_or_else(|| self.grouped.grouped.values.clone());
        self.folded("KSTREAM-REDUCE-", &named, materialized.with_value_serde(values), fold::reduce(reducer))
    }

    /// Aggregates the values of each key and window, as [`KGroupedStream::aggregate`].
    ///
    /// The aggregator sees null values where the type is an `Option`. Late records are dropped and counted. The aggregates are a window
    /// store with a changelog.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{SlidingWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let windows = SlidingWindows::of_time_difference_with_no_grace(Duration::from_millis(10));
    /// let amounts = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows);
    /// let sums = amounts.aggregate(|| 0_i64, |_, amount, sum| sum + amount).to_stream();
    /// sums.map(|key, sum| (key.window.start_ms(), sum)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// input.pipe_input_at("ada".into(), 3, 100)?;
    /// input.pipe_input_at("ada".into(), 4, 105)?;
    /// // The window up to 100, the one behind 100, which holds the second alone, and the one up to 105, which holds both.
    /// assert_eq!(output.read_key_values_to_map()?, [(90, 3), (95, 7), (101, 4)].into());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A, R>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A>
    where
        A: DefaultSerde + Clone,
        R: Into<Option<A>>,
    {
        self.aggregate_with(init, aggregator, Materialized::default().with_value_serde(A::default_serde()))
    }

    /// As [`aggregate`](Self::aggregate), with a named or configured store.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Materialized, StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    /// // Where values may be null, the aggregator sees them.
    /// let answers = builder.stream::<String, Option<String>>("in").group_by_key().windowed_by(windows);
    /// let store = Materialized::named("blanks").with_value_serde(Serdes::long());
    /// let blanks = answers.aggregate_with(|| 0, |_, answer, blanks| blanks + i64::from(answer.is_none()), store);
    /// blanks.to_stream().map(|key, blanks| (key.key, blanks)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<String>>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// input.pipe_key_values([("ada".to_owned(), None), ("ada".to_owned(), Some("yes".to_owned()))])?;
    /// assert_eq!(output.read_values_to_list()?, [1, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate_with<A, R>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
    {
        self.aggregate_named_with(init, aggregator, Named::default(), materialized)
    }

    /// As [`aggregate_with`](Self::aggregate_with), with a name.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Materialized, Named, StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let amounts = builder.stream::<String, i64>("amounts").group_by_key().windowed_by(windows);
    /// let store = Materialized::named("sums").with_value_serde(Serdes::long());
    /// amounts.aggregate_named_with(|| 0, |_, amount, sum| sum + amount, Named::new("sum"), store);
    /// assert!(builder.build()?.describe().to_string().contains("Processor: sum (stores: [sums])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn aggregate_named_with<A, R>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
    {
        self.folded("KSTREAM-AGGREGATE-", &named, materialized, fold::aggregate(init, aggregator))
    }

    fn folded<F, A>(&self, prefix: &str, named: &Named, materialized: Materialized<K, A>, fold: Fold<F, A>) -> KTable<Windowed<K>, A>
    where
        F: Fn(&K, V, Option<A>) -> Option<A> + Send + Sync + 'static,
        A: Clone + 'static,
    {
        let plan = &self.grouped.stream.plan;
        let store_name = plan.resource_name_or(materialized.name.as_deref(), &format!("{prefix}STATE-STORE-"));
        let name = plan.name_or(named.get(), prefix);
        let keys = materialized.keys.clone().unwrap_or_else(|| self.grouped.keys());
        let windows = self.windows.clone();
        let spec = WindowStoreSpec::new(&windows, self.emit);
        let factory = store::value_serde(plan, &store_name, &materialized)
            .and_then(|values| Some((spec.factory(plan, &store_name, &materialized, &keys, &values)?, values)));
        let Some((factory, values)) = factory else {
            return KTable::refused(plan, name);
        };
        let table = WindowTable { name: StoreName::from_string(store_name.clone()), size_ms: windows.size_ms(), emit: self.emit };
        let old_values = OldValues::default();
        let added = windows.clone();
        let (output, topics) = self.grouped.aggregation_by(&name, factory, &old_values, move |topology, name, parent, forwarder| {
            added.add_processor(topology, name, parent, fold, table, forwarder)
        });
        KTable {
            plan: plan.clone(),
            name,
            upstream: output,
            keys: Some(windowed_serde(keys, &windows)),
            values: Some(values),
            topics,
            node: Rc::new(WindowedTable { store: store_name, old_values, grace_ms: windows.grace_ms() }),
        }
    }
}

impl<K: Clone + 'static, V: Clone + 'static> TimeWindowedKStream<K, Option<V>> {
    /// As [`reduce`](Self::reduce), where values may be null: `reducer` takes the aggregate so far and the value, and a null value makes no
    /// first aggregate.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    /// let readings = builder.stream::<String, Option<i64>>("in").group_by_key().windowed_by(windows);
    /// // A sensor that tells nothing halves what is known.
    /// let latest = readings.reduce_nullable(|known, reading| reading.unwrap_or(known / 2));
    /// latest.to_stream().map(|key, value| (key.key, value)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<i64>>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// input.pipe_key_values([("s1".to_owned(), Some(8)), ("s1".to_owned(), None)])?;
    /// assert_eq!(output.read_values_to_list()?, [Some(8), Some(4)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce_nullable<R: Into<Option<V>>>(&self, reducer: impl Fn(V, Option<V>) -> R + Send + Sync + 'static) -> KTable<Windowed<K>, V>
    where
        V: DefaultSerde,
    {
        self.reduce_nullable_named_with(reducer, Named::default(), Materialized::default().with_value_serde(V::default_serde()))
    }

    /// As [`reduce_nullable`](Self::reduce_nullable), with a name and a configured store. `materialized` must name the value serde.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Materialized, Named, StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let readings = builder.stream::<String, Option<i64>>("readings").group_by_key().windowed_by(windows);
    /// let store = Materialized::named("latest-readings").with_value_serde(Serdes::long());
    /// readings.reduce_nullable_named_with(|known, reading| reading.unwrap_or(known), Named::new("latest"), store);
    /// assert!(builder.build()?.describe().to_string().contains("Processor: latest (stores: [latest-readings])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn reduce_nullable_named_with<R: Into<Option<V>>>(
        &self,
        reducer: impl Fn(V, Option<V>) -> R + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, V>,
    ) -> KTable<Windowed<K>, V> {
        self.folded("KSTREAM-REDUCE-", &named, materialized, fold::reduce_nullable(reducer))
    }
}

/// The serde of the keys of a table of these windows.
pub(super) fn windowed_serde<K: 'static>(keys: stream_core::SerdeRef<K>, windows: &TimeWindowing) -> stream_core::SerdeRef<Windowed<K>> {
    Arc::new(TimeWindowedSerde::new(keys, Duration::from_millis(u64::try_from(windows.size_ms()).unwrap_or(0))))
}
