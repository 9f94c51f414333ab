//! [`KGroupedStream::cogroup`]: several grouped streams in one aggregate.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::serdes::{DefaultSerde, SerdeRef};
use stream_core::store::{StoreFactory, StoreName};
use stream_core::topology::NodeHandle;
use stream_core::{Topology, TopologyError};
use stream_state::TimestampedKeyValueStore;

use super::KGroupedStream;
use super::aggregate::Aggregate;
use super::fold::{Fold, Initializer};
use super::session_aggregate::{SessionAggregate, SessionTable};
use super::window_rows::WindowTable;
use super::windowing::TimeWindowing;
use crate::options::{Materialized, Named};
use crate::plan::{Plan, Slot, Upstream, upstream};
use crate::stream::KStream;
use crate::stream::merge::PassThrough;
use crate::stream::repartition::RepartitionNames;
use crate::table::{Change, KTable, OldValues, StoredTable, TableForwarder, store};
use crate::window::{WindowDefinition, Windowed};

impl<K: Clone + 'static, V: Clone + 'static> KGroupedStream<K, V> {
    /// Begins an aggregation of several grouped streams, whose values may be of different types, into one aggregate per key. `aggregator`
    /// takes key, value and aggregate so far, and gives the next one, or `None` to delete it. Further streams come with
    /// [`CogroupedKStream::cogroup`], the initializer with [`CogroupedKStream::aggregate`].
    ///
    /// Null keys and values are as in [`aggregate`](Self::aggregate): what is narrowed away is dropped and counted. A stream whose key may
    /// have changed goes through a repartition topic; the topics of all streams need the same number of partitions.
    ///
    /// ```
    /// use stream_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, i64>("orders").group_by_key();
    /// let visits = builder.stream::<String, String>("visits").group_by_key();
    /// let customers = orders
    ///     .cogroup(|_, amount, customer: String| format!("{customer} bought for {amount};"))
    ///     .cogroup(&visits, |_, page, customer: String| format!("{customer} saw {page};"))
    ///     .aggregate(String::new);
    /// customers.to_stream().to("customers");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: COGROUPKSTREAM-MERGE-0000000005"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn cogroup<A, R>(&self, aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static) -> CogroupedKStream<K, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
    {
        let cogrouped = CogroupedKStream { plan: self.stream.plan.clone(), keys: self.keys(), inputs: Vec::new(), shared: Rc::default() };
        cogrouped.cogroup(self, aggregator)
    }
}

/// Grouped streams that are aggregated together. Mirrors Kafka Streams' `CogroupedKStream`.
pub struct CogroupedKStream<K, A> {
    pub(super) plan: Plan,
    pub(super) keys: SerdeRef<K>,
    inputs: Vec<Rc<dyn CogroupInput<K, A>>>,
    /// Streams behind repartition topics, by their grouping: all aggregations of a cogroup share them.
    shared: SharedSources<K, A>,
}

type SharedSources<K, A> = Rc<RefCell<Vec<(Rc<()>, Rc<dyn CogroupSource<K, A>>)>>>;

/// A grouped stream with its aggregator.
trait CogroupInput<K, A> {
    /// Which grouping it is.
    fn identity(&self) -> &Rc<()>;

    /// The stream in the task that holds the store.
    fn input(&self, store: &str) -> Rc<dyn CogroupSource<K, A>>;

    /// Takes the numbers of a repartition topic that is there already.
    fn take_numbers(&self);
}

/// A grouped stream behind its repartition topic, if it needs one.
pub(super) trait CogroupSource<K, A> {
    fn topics(&self) -> &[String];

    fn add(&self, topology: &mut Topology, name: &str, aggregation: &Aggregation<K, A>, forwarder: TableForwarder) -> AddedNode<K, A>;

    fn add_windowed(
        &self,
        topology: &mut Topology,
        name: &str,
        aggregation: &WindowedAggregation<K, A>,
        forwarder: TableForwarder,
    ) -> AddedNode<Windowed<K>, A>;
}

type AddedNode<K, A> = Result<NodeHandle<K, Change<A>>, TopologyError>;

/// What all processors of a cogroup have in common.
pub(super) struct Aggregation<K, A> {
    pub(super) init: Initializer<A>,
    pub(super) name: StoreName<TimestampedKeyValueStore<K, A>>,
}

/// The same, in windows.
pub(super) enum WindowedAggregation<K, A> {
    Time { init: Initializer<A>, windows: TimeWindowing, table: WindowTable<K, A> },
    Session { init: Initializer<A>, table: SessionTable<K, A> },
}

type Aggregator<K, V, A> = Arc<dyn Fn(&K, V, A) -> Option<A> + Send + Sync>;

struct Input<K, V, A> {
    grouped: KGroupedStream<K, V>,
    aggregator: Aggregator<K, V, A>,
}

struct Source<K, V, A> {
    stream: KStream<K, V>,
    /// The topics before a repartition.
    topics: Vec<String>,
    aggregator: Aggregator<K, V, A>,
}

impl<K: Clone + 'static, V: Clone + 'static, A: Clone + 'static> CogroupInput<K, A> for Input<K, V, A> {
    fn identity(&self) -> &Rc<()> {
        &self.grouped.identity
    }

    fn take_numbers(&self) {
        if self.grouped.stream.needs_repartition {
            RepartitionNames::new(&self.grouped.stream.plan, "taken");
        }
    }

    fn input(&self, store: &str) -> Rc<dyn CogroupSource<K, A>> {
        Rc::new(Source {
            // One of its own: of a named grouping that is also aggregated alone this is a second topic of one name, and is refused.
            stream: self.grouped.input_of_its_own(store),
            topics: self.grouped.stream.topics.clone(),
            aggregator: Arc::clone(&self.aggregator),
        })
    }
}

impl<K: Clone + 'static, V: Clone + 'static, A: Clone + 'static> Source<K, V, A> {
    fn fold(&self, init: &Initializer<A>) -> Fold<impl Fn(&K, V, Option<A>) -> Option<A> + Send + Sync + 'static, A> {
        let aggregator = Arc::clone(&self.aggregator);
        // The initializer has made an aggregate where there was none.
        Fold::new(Arc::clone(init), move |key: &K, value, aggregate: Option<A>| aggregator(key, value, aggregate?))
    }
}

impl<K: Clone + 'static, V: Clone + 'static, A: Clone + 'static> CogroupSource<K, A> for Source<K, V, A> {
    fn topics(&self) -> &[String] {
        &self.topics
    }

    fn add(&self, topology: &mut Topology, name: &str, aggregation: &Aggregation<K, A>, forwarder: TableForwarder) -> AddedNode<K, A> {
        let (fold, store) = (self.fold(&aggregation.init), aggregation.name.clone());
        topology.add_processor(name, &[&(self.stream.upstream)()?], move || Aggregate::new(fold.clone(), store.clone(), forwarder))
    }

    fn add_windowed(
        &self,
        topology: &mut Topology,
        name: &str,
        aggregation: &WindowedAggregation<K, A>,
        forwarder: TableForwarder,
    ) -> AddedNode<Windowed<K>, A> {
        let parent = (self.stream.upstream)()?;
        match aggregation {
            WindowedAggregation::Time { init, windows, table } => {
                windows.clone().add_processor(topology, name, &parent, self.fold(init), table.clone(), forwarder)
            }
            WindowedAggregation::Session { init, table } => {
                let (fold, table) = (self.fold(init), table.clone());
                topology.add_processor(name, &[&parent], move || SessionAggregate::new(fold.clone(), table.clone(), forwarder))
            }
        }
    }
}

impl<K: Clone + 'static, A: Clone + 'static> CogroupedKStream<K, A> {
    /// Adds a grouped stream with an aggregator of its own. Of a grouping that is there already the new aggregator replaces the old one, as in
    /// Kafka Streams.
    ///
    /// ```
    /// use stream_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, i64>("in").group_by_key();
    /// let refunds = builder.stream::<String, i64>("refunds").group_by_key();
    /// let spent = orders.cogroup(|_, amount, sum: i64| sum + amount).cogroup(&refunds, |_, amount, sum| sum - amount);
    /// spent.aggregate(|| 0).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// input.pipe_input("ada".into(), 10)?;
    /// driver.create_input_topic::<String, i64>("refunds").pipe_input("ada".into(), 4)?;
    /// assert_eq!(output.read_values_to_list()?, [10, 6]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cogroup<V, R>(mut self, other: &KGroupedStream<K, V>, aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static) -> Self
    where
        V: Clone + 'static,
        R: Into<Option<A>>,
    {
        let aggregator: Aggregator<K, V, A> = Arc::new(move |key, value, aggregate| aggregator(key, value, aggregate).into());
        let input: Rc<dyn CogroupInput<K, A>> = Rc::new(Input { grouped: other.clone(), aggregator });
        match self.inputs.iter_mut().find(|known| Rc::ptr_eq(known.identity(), &other.identity)) {
            Some(known) => {
                *known = input;
                self.shared = Rc::default();
            }
            None => self.inputs.push(input),
        }
        self
    }

    /// Aggregates in windows. Results are told with every update.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{SessionWindows, StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, i64>("orders").group_by_key();
    /// let spent = orders.cogroup(|_, amount, sum: i64| sum + amount);
    /// // One grouping, two ways of time. Sessions need to know how two of them become one.
    /// spent.windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(60))).aggregate(|| 0).to_stream().to("per-minute");
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1_800));
    /// spent.windowed_by(visits).aggregate(|| 0, |_, one, two| one + two).to_stream().to("per-visit");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn windowed_by<W: WindowDefinition>(&self, windows: W) -> W::Cogrouped<K, A> {
        windows.cogrouped(self.clone())
    }

    /// The table of aggregates: `init` makes the first one of each key.
    ///
    /// ```
    /// use stream_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, i64>("in").group_by_key();
    /// let closed = builder.stream::<String, String>("closed").group_by_key();
    /// // An aggregator that gives `None` deletes the row; the next value begins with `init` again.
    /// let customers = orders.cogroup(|_, amount, sum: i64| sum + amount).cogroup(&closed, |_, _, _| None);
    /// customers.aggregate(|| 0).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// input.pipe_input("ada".into(), 10)?;
    /// driver.create_input_topic::<String, String>("closed").pipe_input("ada".into(), "bye".into())?;
    /// input.pipe_input("ada".into(), 1)?;
    /// assert_eq!(output.read_values_to_list()?, [Some(10), None, Some(1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate(&self, init: impl Fn() -> A + Send + Sync + 'static) -> KTable<K, A>
    where
        A: DefaultSerde,
    {
        self.aggregate_with(init, Materialized::default().with_value_serde(A::default_serde()))
    }

    /// As [`aggregate`](Self::aggregate), with a named or configured store. `materialized` must name the value serde.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, i64>("orders").group_by_key();
    /// let visits = builder.stream::<String, String>("visits").group_by_key();
    /// let both = orders.cogroup(|_, amount, score: i64| score + amount).cogroup(&visits, |_, _, score| score + 1);
    /// both.aggregate_with(|| 0, Materialized::named("scores").with_value_serde(Serdes::long()));
    /// // One store, which the processors of all streams share.
    /// assert_eq!(builder.build()?.describe().to_string().matches("(stores: [scores])").count(), 2);
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn aggregate_with(&self, init: impl Fn() -> A + Send + Sync + 'static, materialized: Materialized<K, A>) -> KTable<K, A> {
        self.aggregate_named_with(init, Named::default(), materialized)
    }

    /// As [`aggregate_with`](Self::aggregate_with), with a name: the processors are `<name>-cogroup-agg-<number>` and
    /// `<name>-cogroup-merge`.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, i64>("orders").group_by_key();
    /// let visits = builder.stream::<String, String>("visits").group_by_key();
    /// let both = orders.cogroup(|_, amount, score: i64| score + amount).cogroup(&visits, |_, _, score| score + 1);
    /// both.aggregate_named_with(|| 0, Named::new("score"), Materialized::named("scores").with_value_serde(Serdes::long()));
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: score-cogroup-agg-1 (stores: [scores])") && text.contains("Processor: score-cogroup-merge"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn aggregate_named_with(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, A>,
    ) -> KTable<K, A> {
        let store_name = self.store_name(&materialized);
        let Some(values) = store::value_serde(&self.plan, &store_name, &materialized) else {
            return KTable::refused(&self.plan, store_name);
        };
        let keys = materialized.keys.clone().unwrap_or_else(|| Arc::clone(&self.keys));
        let is_versioned = materialized.is_versioned();
        let factory = store::key_value(&store_name, &materialized, &keys, &values);
        let aggregation = Aggregation { init: Arc::new(move || Some(init())), name: StoreName::from_string(store_name.clone()) };
        let old_values = OldValues::default();
        let merged = self.merged(&named, factory, &old_values, move |source, topology, name, forwarder| {
            source.add(topology, name, &aggregation, forwarder)
        });
        KTable {
            plan: self.plan.clone(),
            name: merged.name,
            upstream: merged.upstream,
            keys: Some(keys),
            values: Some(values),
            topics: merged.topics,
            node: Rc::new(StoredTable { store: store_name, is_versioned, old_values }),
        }
    }

    pub(super) fn store_name(&self, materialized: &Materialized<K, A>) -> String {
        self.plan.resource_name_or(materialized.name.as_deref(), "COGROUPKSTREAM-AGGREGATE-STATE-STORE-")
    }

    fn source(&self, input: &dyn CogroupInput<K, A>, store: &str) -> Rc<dyn CogroupSource<K, A>> {
        let mut shared = self.shared.borrow_mut();
        if let Some((_, source)) = shared.iter().find(|(identity, _)| Rc::ptr_eq(identity, input.identity())) {
            input.take_numbers();
            return Rc::clone(source);
        }
        let source = input.input(store);
        shared.push((Rc::clone(input.identity()), Rc::clone(&source)));
        source
    }

    /// One aggregating processor per stream over the same store, and the node in which their outputs meet.
    pub(super) fn merged<KT: Clone + 'static>(
        &self,
        named: &Named,
        factory: Arc<dyn StoreFactory>,
        old_values: &OldValues,
        add: impl Fn(&dyn CogroupSource<K, A>, &mut Topology, &str, TableForwarder) -> AddedNode<KT, A> + 'static,
    ) -> Merged<KT, A> {
        let sources: Vec<_> = self.inputs.iter().map(|input| self.source(&**input, factory.name())).collect();
        // A number is taken in both cases.
        let node_name = |suffix: &str, prefix: &str| {
            let generated = self.plan.name(prefix);
            named.get().map_or(generated, |name| self.plan.checked(&format!("{name}{suffix}")))
        };
        let names: Vec<String> =
            (0..sources.len()).map(|index| node_name(&format!("-cogroup-agg-{index}"), "COGROUPKSTREAM-AGGREGATE-")).collect();
        let name = node_name("-cogroup-merge", "COGROUPKSTREAM-MERGE-");
        // Kafka Streams asks for equal partition counts of the topics before any repartition, and of no topics at all where the table is
        // joined.
        let mut topics: Vec<String> = Vec::new();
        for topic in sources.iter().flat_map(|source| source.topics()) {
            if !topics.contains(topic) {
                topics.push(topic.clone());
            }
        }
        let slot = Slot::new();
        let (node, merge, old_values) = (slot.clone(), name.clone(), old_values.clone());
        self.plan.add(move |topology| {
            let forwarder = TableForwarder { sends_old_values: old_values.are_sent() };
            let mut nodes = Vec::with_capacity(sources.len());
            for (source, name) in sources.iter().zip(&names) {
                nodes.push(add(&**source, topology, name, forwarder)?);
            }
            topology.add_state_store(factory, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
            topology.copartition(&topics.iter().map(String::as_str).collect::<Vec<_>>());
            node.set(topology.add_processor(&merge, &nodes.iter().collect::<Vec<_>>(), PassThrough::new)?);
            Ok(())
        });
        Merged { name, upstream: upstream(&slot), topics: Vec::new() }
    }
}

/// The node in which the outputs of a cogroup meet.
pub(super) struct Merged<K, A> {
    pub(super) name: String,
    pub(super) upstream: Upstream<K, Change<A>>,
    pub(super) topics: Vec<String>,
}

impl<K, A> Clone for CogroupedKStream<K, A> {
    fn clone(&self) -> Self {
        Self { plan: self.plan.clone(), keys: Arc::clone(&self.keys), inputs: self.inputs.clone(), shared: Rc::clone(&self.shared) }
    }
}

impl<K, A> std::fmt::Debug for CogroupedKStream<K, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CogroupedKStream").field("streams", &self.inputs.len()).finish_non_exhaustive()
    }
}
