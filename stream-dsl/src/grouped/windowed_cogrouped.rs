//! [`TimeWindowedCogroupedKStream`] and [`SessionWindowedCogroupedKStream`]: several grouped streams in one aggregate per window.

use std::rc::Rc;
use std::sync::Arc;

use stream_core::serdes::DefaultSerde;
use stream_core::store::StoreName;

use super::cogrouped::{CogroupedKStream, WindowedAggregation};
use super::session_aggregate::SessionTable;
use super::session_windowed::merging;
use super::window_rows::WindowTable;
use super::windowed::windowed_serde;
use super::windowing::TimeWindowing;
use crate::options::{Materialized, Named};
use crate::table::{KTable, OldValues, SessionTableNode, WindowStoreSpec, WindowedTable, session_store, store};
use crate::window::{EmitStrategy, SessionWindowedSerde, SessionWindows, Windowed};

/// Cogrouped streams in windows of time. Mirrors Kafka Streams' `TimeWindowedCogroupedKStream`.
#[derive(Debug)]
pub struct TimeWindowedCogroupedKStream<K, A> {
    cogrouped: CogroupedKStream<K, A>,
    windows: TimeWindowing,
}

impl<K: Clone + 'static, A: Clone + 'static> TimeWindowedCogroupedKStream<K, A> {
    pub(crate) fn new(cogrouped: CogroupedKStream<K, A>, windows: TimeWindowing) -> Self {
        if let Err(error) = windows.check() {
            cogrouped.plan.refuse(error);
        }
        Self { cogrouped, windows }
    }

    /// The table of aggregates per key and window: `init` makes the first one of each. Windows close as in
    /// [`TimeWindowedKStream`](crate::TimeWindowedKStream); each stream has a stream time of its own.
    ///
    /// The aggregates are a window store with a changelog, which all streams share.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let deposits = builder.stream::<String, i64>("deposits").group_by_key();
    /// let withdrawals = builder.stream::<String, i64>("withdrawals").group_by_key();
    /// let days = TimeWindows::of_size_with_no_grace(Duration::from_secs(86_400));
    /// let changes = deposits
    ///     .cogroup(|_, amount, sum: i64| sum + amount)
    ///     .cogroup(&withdrawals, |_, amount, sum: i64| sum - amount)
    ///     .windowed_by(days)
    ///     .aggregate(|| 0);
    /// changes.to_stream().to("changes-per-day");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn aggregate(&self, init: impl Fn() -> A + Send + Sync + 'static) -> KTable<Windowed<K>, A>
    where
        A: DefaultSerde,
    {
        self.aggregate_with(init, Materialized::default().with_value_serde(A::default_serde()))
    }

    /// As [`aggregate`](Self::aggregate), with a named or configured store. `materialized` must name the value serde.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Materialized, StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let deposits = builder.stream::<String, i64>("in").group_by_key();
    /// let withdrawals = builder.stream::<String, i64>("withdrawals").group_by_key();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    /// let both = deposits.cogroup(|_, amount, sum: i64| sum + amount).cogroup(&withdrawals, |_, amount, sum| sum - amount);
    /// let store = Materialized::named("changes").with_value_serde(Serdes::long());
    /// both.windowed_by(windows).aggregate_with(|| 0, store).to_stream().map(|key, sum| (key.window.start_ms(), sum)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<i64, i64>("out");
    /// input.pipe_input_at("ada".into(), 7, 12)?;
    /// // A withdrawal of the first window is not late for its stream, although deposits are further.
    /// driver.create_input_topic::<String, i64>("withdrawals").pipe_input_at("ada".into(), 3, 4)?;
    /// assert_eq!(output.read_key_values_to_list()?, [(10, 7), (0, -3)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate_with(&self, init: impl Fn() -> A + Send + Sync + 'static, materialized: Materialized<K, A>) -> KTable<Windowed<K>, A> {
        self.aggregate_named_with(init, Named::default(), materialized)
    }

    /// As [`aggregate_with`](Self::aggregate_with), with a name.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Materialized, Named, StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let deposits = builder.stream::<String, i64>("deposits").group_by_key();
    /// let days = TimeWindows::of_size_with_no_grace(Duration::from_secs(86_400));
    /// let changes = deposits.cogroup(|_, amount, sum: i64| sum + amount).windowed_by(days);
    /// changes.aggregate_named_with(|| 0, Named::new("sum"), Materialized::named("sums").with_value_serde(Serdes::long()));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: sum-cogroup-agg-0 (stores: [sums])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn aggregate_named_with(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A> {
        let (cogrouped, windows) = (&self.cogrouped, self.windows.clone());
        let plan = &cogrouped.plan;
        let store_name = cogrouped.store_name(&materialized);
        let keys = materialized.keys.clone().unwrap_or_else(|| Arc::clone(&cogrouped.keys));
        let spec = WindowStoreSpec::new(&windows, EmitStrategy::OnWindowUpdate);
        let factory = store::value_serde(plan, &store_name, &materialized)
            .and_then(|values| Some((spec.factory(plan, &store_name, &materialized, &keys, &values)?, values)));
        let Some((factory, values)) = factory else {
            return KTable::refused(plan, store_name);
        };
        let emit = EmitStrategy::OnWindowUpdate;
        let table = WindowTable { name: StoreName::from_string(store_name.clone()), size_ms: windows.size_ms(), emit };
        let aggregation = WindowedAggregation::Time { init: Arc::new(move || Some(init())), windows: windows.clone(), table };
        let old_values = OldValues::default();
        let merged = cogrouped.merged(&named, factory, &old_values, move |source, topology, name, forwarder| {
            source.add_windowed(topology, name, &aggregation, forwarder)
        });
        KTable {
            plan: plan.clone(),
            name: merged.name,
            upstream: merged.upstream,
            keys: Some(windowed_serde(keys, &windows)),
            values: Some(values),
            topics: merged.topics,
            node: Rc::new(WindowedTable { store: store_name, old_values, grace_ms: windows.grace_ms() }),
        }
    }
}

/// Cogrouped streams in sessions. Mirrors Kafka Streams' `SessionWindowedCogroupedKStream`.
#[derive(Debug)]
pub struct SessionWindowedCogroupedKStream<K, A> {
    cogrouped: CogroupedKStream<K, A>,
    windows: SessionWindows,
}

impl<K: Clone + 'static, A: Clone + 'static> SessionWindowedCogroupedKStream<K, A> {
    pub(crate) fn new(cogrouped: CogroupedKStream<K, A>, windows: SessionWindows) -> Self {
        if let Err(error) = windows.check() {
            cogrouped.plan.refuse(error);
        }
        Self { cogrouped, windows }
    }

    /// The table of aggregates per key and session: `init` makes the first one of each, `merger` one of two, as in
    /// [`SessionWindowedKStream::aggregate`](crate::SessionWindowedKStream::aggregate).
    ///
    /// A record is late, and dropped and counted, as there. The aggregates are a session store with a changelog, which all streams share.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("in").group_by_key();
    /// let orders = builder.stream::<String, i64>("orders").group_by_key();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10));
    /// let scores = clicks.cogroup(|_, _, score: i64| score + 1).cogroup(&orders, |_, amount, score| score + amount);
    /// let scores = scores.windowed_by(visits).aggregate(|| 0, |_, one, two| one + two);
    /// scores.to_stream().map(|key, score| (key.window.end_ms(), score)).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<i64, Option<i64>>("out");
    /// input.pipe_input_at("ada".into(), "home".into(), 100)?;
    /// driver.create_input_topic::<String, i64>("orders").pipe_input_at("ada".into(), 50, 104)?;
    /// assert_eq!(output.read_key_values_to_list()?, [(100, Some(1)), (100, None), (104, Some(51))]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<M: Into<Option<A>>>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> M + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A>
    where
        A: DefaultSerde,
    {
        self.aggregate_with(init, merger, Materialized::default().with_value_serde(A::default_serde()))
    }

    /// As [`aggregate`](Self::aggregate), with a named or configured store. `materialized` must name the value serde.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{Materialized, SessionWindows, StreamsBuilder};
    /// use stream_state::SessionStore;
    ///
    /// const SCORES: StoreName<SessionStore<String, i64>> = StoreName::new("scores");
    ///
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("in").group_by_key();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10));
    /// let store = Materialized::named(SCORES.as_str()).with_value_serde(Serdes::long());
    /// clicks.cogroup(|_, _, score: i64| score + 1).windowed_by(visits).aggregate_with(|| 0, |_, one, two| one + two, store);
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_input_at("ada".into(), "home".into(), 100)?;
    /// assert_eq!(driver.state_store(&SCORES)?.get(&"ada".into(), 100, 100)?, Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate_with<M: Into<Option<A>>>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> M + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A> {
        self.aggregate_named_with(init, merger, Named::default(), materialized)
    }

    /// As [`aggregate_with`](Self::aggregate_with), with a name.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Materialized, Named, SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("clicks").group_by_key();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1_800));
    /// let scores = clicks.cogroup(|_, _, score: i64| score + 1).windowed_by(visits);
    /// let store = Materialized::named("scores").with_value_serde(Serdes::long());
    /// scores.aggregate_named_with(|| 0, |_, one, two| one + two, Named::new("score"), store);
    /// assert!(builder.build()?.describe().to_string().contains("Processor: score-cogroup-agg-0 (stores: [scores])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn aggregate_named_with<M: Into<Option<A>>>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        merger: impl Fn(&K, A, A) -> M + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A> {
        let (cogrouped, windows, emit) = (&self.cogrouped, self.windows, EmitStrategy::OnWindowUpdate);
        let plan = &cogrouped.plan;
        let store_name = cogrouped.store_name(&materialized);
        let keys = materialized.keys.clone().unwrap_or_else(|| Arc::clone(&cogrouped.keys));
        let factory = store::value_serde(plan, &store_name, &materialized)
            .and_then(|values| Some((session_store(plan, &store_name, &materialized, windows, emit, &keys, &values)?, values)));
        let Some((factory, values)) = factory else {
            return KTable::refused(plan, store_name);
        };
        let table = SessionTable { name: StoreName::from_string(store_name.clone()), windows, merger: merging(merger), emit };
        let aggregation = WindowedAggregation::Session { init: Arc::new(move || Some(init())), table };
        let old_values = OldValues::default();
        let merged = cogrouped.merged(&named, factory, &old_values, move |source, topology, name, forwarder| {
            source.add_windowed(topology, name, &aggregation, forwarder)
        });
        KTable {
            plan: plan.clone(),
            name: merged.name,
            upstream: merged.upstream,
            keys: Some(Arc::new(SessionWindowedSerde::new(keys))),
            values: Some(values),
            topics: merged.topics,
            node: Rc::new(SessionTableNode { store: store_name, old_values, grace_ms: windows.open_ms() }),
        }
    }
}
