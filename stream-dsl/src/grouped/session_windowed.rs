//! [`SessionWindowedKStream`]: aggregations per key and session.

use std::rc::Rc;
use std::sync::Arc;

use stream_core::serdes::DefaultSerde;
use stream_core::store::StoreName;

use super::KGroupedStream;
use super::fold::{self, Fold};
use super::session_aggregate::{Merger, SessionAggregate, SessionTable};
use crate::options::{Materialized, Named};
use crate::table::{KTable, OldValues, SessionTableNode, session_store, store};
use crate::window::{EmitStrategy, SessionWindowedSerde, SessionWindows, Windowed};

/// A stream grouped into sessions. Mirrors Kafka Streams' `SessionWindowedKStream`.
///
/// A record makes a session of its own, or extends the one that it is near to, or joins several: then each old session is told as deleted,
/// and the new one as new. Results have the time of their session's end, and no headers. A record is late, and dropped and counted, when the
/// session that it would be part of has closed: when stream time has passed its end by the gap and the grace period.
#[derive(Debug)]
pub struct SessionWindowedKStream<K, V> {
    grouped: KGroupedStream<K, V>,
    windows: SessionWindows,
    emit: EmitStrategy,
}

impl<K: Clone + 'static, V: Clone + 'static> SessionWindowedKStream<K, V> {
    pub(crate) fn new(grouped: KGroupedStream<K, V>, windows: SessionWindows) -> Self {
        if let Err(error) = windows.check() {
            grouped.stream.plan.refuse(error);
        }
        Self { grouped, windows, emit: EmitStrategy::default() }
    }

    /// When results are told. On close, nothing is told of sessions that become part of others.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{EmitStrategy, SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10));
    /// let clicks = builder.stream::<String, String>("in").group_by_key().windowed_by(visits);
    /// let counts = clicks.emit_strategy(EmitStrategy::OnWindowClose).count();
    /// counts.to_stream().map(|key, count| (key.window.start_ms(), count)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// for time in [100, 105, 116] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// // One result, when the gap behind the last record has passed.
    /// assert_eq!(output.read_key_values_to_list()?, [(100, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn emit_strategy(self, emit: EmitStrategy) -> Self {
        Self { emit, ..self }
    }

    /// Counts the records of each session.
    ///
    /// A null value counts, too. The counts are a session store with a changelog, kept for gap and grace at least.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{EmitStrategy, SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(1_800), Duration::from_secs(60));
    /// let clicks = builder.stream::<String, String>("clicks").group_by_key().windowed_by(visits);
    /// clicks.emit_strategy(EmitStrategy::OnWindowClose).count().to_stream().to("clicks-per-visit");
    /// assert!(builder.build()?.describe().to_string().contains("(stores: [KSTREAM-AGGREGATE-STATE-STORE-0000000002])"));
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
    /// use stream_dsl::{Materialized, SessionWindows, StreamsBuilder};
    /// use stream_state::SessionStore;
    ///
    /// const CLICKS: StoreName<SessionStore<String, i64>> = StoreName::new("clicks-per-visit");
    ///
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(10), Duration::from_millis(20));
    /// let clicks = builder.stream::<String, String>("in").group_by_key().windowed_by(visits);
    /// clicks.count_with(Materialized::named(CLICKS.as_str()));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// for time in [100, 114, 107] {
    ///     input.pipe_input_at("ada".into(), "home".into(), time)?;
    /// }
    /// // The third record came between two sessions, and joined them.
    /// assert_eq!(driver.state_store(&CLICKS)?.get(&"ada".into(), 100, 114)?, Some(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_with(&self, materialized: Materialized<K, i64>) -> KTable<Windowed<K>, i64> {
        self.count_named_with(Named::default(), materialized)
    }

    /// As [`count_with`](Self::count_with), with a name.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{Materialized, Named, SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1_800));
    /// let clicks = builder.stream::<String, String>("clicks").group_by_key().windowed_by(visits);
    /// clicks.count_named_with(Named::new("count-clicks"), Materialized::named("clicks-per-visit"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: count-clicks (stores: [clicks-per-visit])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn count_named_with(&self, named: Named, materialized: Materialized<K, i64>) -> KTable<Windowed<K>, i64> {
        if materialized.name.is_none() {
            self.grouped.stream.plan.store_name("KSTREAM-AGGREGATE-");
        }
        let values = materialized.values.clone().unwrap_or_else(i64::default_serde);
        let merger: Merger<K, i64> = Arc::new(|_, one, two| Some(one.unwrap_or(0).wrapping_add(two)));
        self.folded("KSTREAM-AGGREGATE-", &named, materialized.with_value_serde(values), fold::count(), merger)
    }

    /// Combines the values of each session, as [`KGroupedStream::reduce`]; the results of sessions that become one are combined in the order
    /// of the sessions.
    ///
    /// Values that may be null have [`reduce_nullable`](Self::reduce_nullable). The aggregates are a session store with a changelog.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10));
    /// let pages = builder.stream::<String, String>("in").group_by_key().windowed_by(visits);
    /// let paths = pages.reduce(|path, page| format!("{path} {page}")).to_stream();
    /// paths.map(|key, path| (key.window.start_ms(), path)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<i64, Option<String>>("out");
    /// input.pipe_input_at("ada".into(), "home".into(), 100)?;
    /// input.pipe_input_at("ada".into(), "cart".into(), 105)?;
    /// // A session that grows has another key: the old row is deleted, the new one told.
    /// let told: Vec<Option<String>> = output.read_values_to_list()?;
    /// assert_eq!(told, [Some("home".to_owned()), None, Some("home cart".to_owned())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce<R: Into<Option<V>>>(&self, reducer: impl Fn(V, V) -> R + Send + Sync + 'static) -> KTable<Windowed<K>, V> {
        self.reduce_with(reducer, Materialized::default())
    }

    /// As [`reduce`](Self::reduce), with a named or configured store.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{Materialized, SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(10), Duration::from_millis(20));
    /// let bids = builder.stream::<String, i64>("in").group_by_key().windowed_by(visits);
    /// bids.reduce_with(|largest, bid| largest.max(bid), Materialized::named("largest-bids"));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// for (bid, time) in [(5, 100), (8, 130), (9, 100), (7, 131), (6, 100)] {
    ///     input.pipe_input_at("lamp".into(), bid, time)?;
    /// }
    /// // The session of 100 is open while time is not past 100 + gap + grace: 9 was taken, 6 was dropped and counted.
    /// assert_eq!(driver.dropped_records().len(), 1);
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
    /// use stream_dsl::{Materialized, Named, SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1_800));
    /// let bids = builder.stream::<String, i64>("bids").group_by_key().windowed_by(visits);
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
        let reducer = Arc::new(reducer);
        let merge = Arc::clone(&reducer);
        let merger: Merger<K, V> = Arc::new(move |_, one, two| match one {
            Some(one) => merge(one, two).into(),
            None => Some(two),
        });
        let fold = fold::reduce(move |old, value| reducer(old, value));
        self.folded("KSTREAM-REDUCE-", &named, materialized.with_value_serde(values), fold, merger)
    }

    /// Aggregates the values of each session, as [`KGroupedStream::aggregate`]. `merger` takes the key and the aggregates of two sessions
    /// that become one; the first of them is at first a new one of `init`.
    ///
    /// The aggregator sees null values where the type is an `Option`. The aggregates are a session store with a changelog.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1_800));
    /// builder
    ///     .stream::<String, i64>("payments")
    ///     .group_by_key()
    ///     .windowed_by(visits)
    ///     .aggregate(|| 0_i64, |_, payment, sum| sum + payment, |_, one, two| one + two)
    ///     .to_stream()
    ///     .to("payments-per-visit");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn aggregate<A, R, M>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> M + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A>
    where
        A: DefaultSerde + Clone,
        R: Into<Option<A>>,
        M: Into<Option<A>>,
    {
        self.aggregate_with(init, aggregator, merger, Materialized::default().with_value_serde(A::default_serde()))
    }

    /// As [`aggregate`](Self::aggregate), with a named or configured store. `materialized` must name the value serde.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Materialized, SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(10), Duration::from_millis(20));
    /// let payments = builder.stream::<String, i64>("in").group_by_key().windowed_by(visits);
    /// let store = Materialized::named("sums").with_value_serde(Serdes::long());
    /// let sums = payments.aggregate_with(|| 0, |_, payment, sum| sum + payment, |_, one, two| one + two, store);
    /// sums.to_stream().map(|key, sum| (key.window.end_ms(), sum)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<i64, Option<i64>>("out");
    /// for (payment, time) in [(3, 100), (4, 114), (5, 107)] {
    ///     input.pipe_input_at("ada".into(), payment, time)?;
    /// }
    /// // The third payment makes one session of two, which are deleted.
    /// assert_eq!(output.read_key_values_to_list()?, [(100, Some(3)), (114, Some(4)), (100, None), (114, None), (114, Some(12))]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate_with<A, R, M>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> M + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
        M: Into<Option<A>>,
    {
        self.aggregate_named_with(init, aggregator, merger, Named::default(), materialized)
    }

    /// As [`aggregate_with`](Self::aggregate_with), with a name.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Materialized, Named, SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1_800));
    /// let payments = builder.stream::<String, i64>("payments").group_by_key().windowed_by(visits);
    /// let store = Materialized::named("sums").with_value_serde(Serdes::long());
    /// payments.aggregate_named_with(|| 0, |_, payment, sum| sum + payment, |_, one, two| one + two, Named::new("sum"), store);
    /// assert!(builder.build()?.describe().to_string().contains("Processor: sum (stores: [sums])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn aggregate_named_with<A, R, M>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> M + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
        M: Into<Option<A>>,
    {
        self.folded("KSTREAM-AGGREGATE-", &named, materialized, fold::aggregate(init, aggregator), merging(merger))
    }

    fn folded<F, A>(
        &self,
        prefix: &str,
        named: &Named,
        materialized: Materialized<K, A>,
        fold: Fold<F, A>,
        merger: Merger<K, A>,
    ) -> KTable<Windowed<K>, A>
    where
        F: Fn(&K, V, Option<A>) -> Option<A> + Send + Sync + 'static,
        A: Clone + 'static,
    {
        let plan = &self.grouped.stream.plan;
        let store_name = plan.resource_name_or(materialized.name.as_deref(), &format!("{prefix}STATE-STORE-"));
        let name = plan.name_or(named.get(), prefix);
        let keys = materialized.keys.clone().unwrap_or_else(|| self.grouped.keys());
        let factory = store::value_serde(plan, &store_name, &materialized)
            .and_then(|values| Some((session_store(plan, &store_name, &materialized, self.windows, self.emit, &keys, &values)?, values)));
        let Some((factory, values)) = factory else {
            return KTable::refused(plan, name);
        };
        let table = SessionTable { name: StoreName::from_string(store_name.clone()), windows: self.windows, merger, emit: self.emit };
        let old_values = OldValues::default();
        let (output, topics) = self
            .grouped
            .aggregation(&name, factory, &old_values, move |forwarder| SessionAggregate::new(fold.clone(), table.clone(), forwarder));
        KTable {
            plan: plan.clone(),
            name,
            upstream: output,
            keys: Some(Arc::new(SessionWindowedSerde::new(keys))),
            values: Some(values),
            topics,
            node: Rc::new(SessionTableNode { store: store_name, old_values, grace_ms: self.windows.open_ms() }),
        }
    }
}

impl<K: Clone + 'static, V: Clone + 'static> SessionWindowedKStream<K, Option<V>> {
    /// As [`reduce`](Self::reduce), where values may be null: `reducer` takes the aggregate so far and the value, and a null value makes no
    /// first aggregate.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10));
    /// let readings = builder.stream::<String, Option<i64>>("in").group_by_key().windowed_by(visits);
    /// let latest = readings.reduce_nullable(|known, reading| reading.unwrap_or(known));
    /// latest.to_stream().map(|key, value| (key.window.end_ms(), value)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<i64>>("in");
    /// # let output = driver.create_output_topic::<i64, Option<i64>>("out");
    /// input.pipe_input_at("s1".into(), Some(8), 100)?;
    /// input.pipe_input_at("s1".into(), None, 105)?; // carries the session on, without a value of its own
    /// assert_eq!(output.read_key_values_to_list()?, [(100, Some(8)), (100, None), (105, Some(8))]);
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
    /// use stream_dsl::{Materialized, Named, SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1_800));
    /// let readings = builder.stream::<String, Option<i64>>("readings").group_by_key().windowed_by(visits);
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
        let reducer = Arc::new(reducer);
        let merge = Arc::clone(&reducer);
        let merger: Merger<K, V> = Arc::new(move |_, one, two| match one {
            Some(one) => merge(one, Some(two)).into(),
            None => Some(two),
        });
        let fold = fold::reduce_nullable(move |old, value| reducer(old, value));
        self.folded("KSTREAM-REDUCE-", &named, materialized, fold, merger)
    }
}

/// A merger of the program; a session whose aggregate became null counts for nothing.
pub(super) fn merging<K: 'static, A: 'static, M: Into<Option<A>>>(merger: impl Fn(&K, A, A) -> M + Send + Sync + 'static) -> Merger<K, A> {
    Arc::new(move |key, one, two| match one {
        Some(one) => merger(key, one, two).into(),
        None => Some(two),
    })
}
