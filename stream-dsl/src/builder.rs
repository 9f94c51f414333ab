//! [`StreamsBuilder`].

use std::sync::Arc;

use stream_core::config::StreamsConfig;
use stream_core::processor::Processor;
use stream_core::serdes::DefaultSerde;
use stream_core::store::StoreFactory;
use stream_core::topology::{Consumed, SourceTopics};
use stream_core::{Topology, TopologyError};

use crate::options::Materialized;
use crate::plan::{Plan, Slot, upstream};
use crate::stream::KStream;
use crate::table::{GlobalKTable, KTable, global, source};

/// Where a program begins: sources of streams and tables. Mirrors Kafka Streams' `StreamsBuilder`.
#[derive(Default)]
pub struct StreamsBuilder {
    plan: Plan,
}

impl StreamsBuilder {
    /// A builder of an empty topology.
    ///
    /// ```
    /// use stream_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, String>("in").to("out");
    /// let topology = builder.build()?;
    /// assert!(topology.describe().to_string().contains("Source: KSTREAM-SOURCE-0000000000 (topics: [in])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// A stream of the records of one or several topics, read with the default serdes of its types.
    ///
    /// A topic that is consumed twice has one source node. A null key or value under a type that is not an `Option` is a bad record.
    ///
    /// ```
    /// use stream_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// // Several topics, one stream; keys may be null, values may not.
    /// let orders = builder.stream::<Option<String>, i64>(["web-orders", "in"]);
    /// orders.to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<Option<String>, i64>("in");
    /// # let output = driver.create_output_topic::<Option<String>, i64>("out");
    /// input.pipe_input(None, 3)?;
    /// assert_eq!(output.read_key_value()?, (None, 3));
    /// // A null value is a bad record: the deserialization handler decides, and by default the task fails.
    /// assert!(driver.create_input_topic::<Option<String>, Option<i64>>("web-orders").pipe_input(None, None).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream<K: DefaultSerde + Clone, V: DefaultSerde + Clone>(&self, topics: impl Into<SourceTopics>) -> KStream<K, V> {
        self.stream_with(topics, Consumed::default())
    }

    /// As [`stream`](Self::stream), with serdes, timestamp extractor, reset policy and name.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_core::topology::{AutoOffsetReset, Consumed};
    /// use stream_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let consumed = Consumed::with(Serdes::string(), Serdes::double()).with_offset_reset(AutoOffsetReset::Latest).with_name("readings");
    /// builder.stream_with("sensor-readings", consumed).to("out");
    /// assert!(builder.build()?.describe().to_string().contains("Source: readings (topics: [sensor-readings])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn stream_with<K: Clone + 'static, V: Clone + 'static>(
        &self,
        topics: impl Into<SourceTopics>,
        consumed: Consumed<K, V>,
    ) -> KStream<K, V> {
        let topics = topics.into();
        let names = topic_names(&topics);
        let name = self.plan.name_or(consumed.name(), "KSTREAM-SOURCE-");
        let (keys, values) = (Arc::clone(consumed.key_serde()), Arc::clone(consumed.value_serde()));
        let mut slot = Slot::new();
        let known = if names.is_empty() { None } else { self.plan.source(&names, consumed.offset_reset(), &slot) };
        match known {
            Some(same) => slot = same,
            None => {
                let (slot, name) = (slot.clone(), name.clone());
                self.plan.add(move |topology| {
                    slot.set(topology.add_source(&name, topics, consumed)?);
                    Ok(())
                });
            }
        }
        KStream::new(&self.plan, name, upstream(&slot), names).with_serdes(Some(keys), Some(values))
    }

    /// A table of the latest value of each key of a topic, read with the default serdes of its types.
    ///
    /// A record with a null value deletes; one with a null key is dropped and counted. Its store is only made when something reads
    /// it: a name, or a join.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let names: KTable<String, String> = builder.table("in");
    /// names.to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<Option<String>, Option<String>>("in");
    /// # let output = driver.create_output_topic::<String, Option<String>>("out");
    /// input.pipe_input(Some("1".into()), Some("ada".into()))?;
    /// input.pipe_input(Some("1".into()), None)?; // deletes
    /// input.pipe_input(None, Some("?".into()))?; // is nobody's name: dropped and counted
    /// assert_eq!(output.read_values_to_list()?, [Some("ada".to_owned()), None]);
    /// assert_eq!(driver.dropped_records().len(), 1);
    /// assert!(driver.store_names()?.is_empty(), "nothing reads rows");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn table<K: DefaultSerde + Clone, V: DefaultSerde + Clone>(&self, topic: &str) -> KTable<K, V> {
        self.table_with(topic, Consumed::default(), Materialized::default())
    }

    /// As [`table`](Self::table), with serdes, and with a named or configured store.
    ///
    /// ```
    /// use stream_core::store::StoreName;
    /// use stream_core::topology::Consumed;
    /// use stream_dsl::{Materialized, StreamsBuilder};
    /// use stream_state::TimestampedKeyValueStore;
    ///
    /// const NAMES: StoreName<TimestampedKeyValueStore<String, String>> = StoreName::new("names");
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.table_with::<String, String>("in", Consumed::default(), Materialized::named(NAMES.as_str()));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_input_at("1".into(), "lovelace".into(), 100)?;
    /// input.pipe_input_at("1".into(), "ada".into(), 90)?;
    /// // The record that comes last wins, also when it is older; a versioned store would tell them apart.
    /// let row = driver.state_store(&NAMES)?.get(&"1".into())?.ok_or("there is a row")?;
    /// assert_eq!((row.value.as_str(), row.timestamp), ("ada", 90));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn table_with<K: Clone + 'static, V: Clone + 'static>(
        &self,
        topic: &str,
        consumed: Consumed<K, V>,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V> {
        source::table(&self.plan, topic, consumed, materialized)
    }

    /// A table that every process keeps whole, read with the default serdes of its types.
    ///
    /// A record with a null value deletes; one with a null key is dropped and counted. The topic is read by all processes, from its first
    /// record on or from where the store on disk ends. Partitions that the topic gains later are read after a restart.
    ///
    /// ```
    /// use stream_dsl::{GlobalKTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let rates: GlobalKTable<String, i64> = builder.global_table("rates");
    /// let prices = builder.stream::<String, i64>("prices");
    /// prices.join_global(&rates, |_, _| "EUR".to_owned(), |price, rate| price * rate).to("prices-in-euro");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn global_table<K: DefaultSerde + Clone, V: DefaultSerde + Clone>(&self, topic: &str) -> GlobalKTable<K, V> {
        self.global_table_with(topic, Consumed::default(), Materialized::default())
    }

    /// As [`global_table`](Self::global_table), with serdes, and with a named or configured store. The topic is the store's changelog; it
    /// has none of its own.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_core::topology::Consumed;
    /// use stream_dsl::{GlobalKTable, Materialized, StoreType, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let in_memory = Materialized::named("rates").with_store_type(StoreType::InMemory);
    /// let consumed = Consumed::with(Serdes::string(), Serdes::long());
    /// let rates: GlobalKTable<String, i64> = builder.global_table_with("rates", consumed, in_memory);
    /// assert_eq!(rates.store_name().as_str(), "rates");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn global_table_with<K: Clone + 'static, V: Clone + 'static>(
        &self,
        topic: &str,
        consumed: Consumed<K, V>,
        materialized: Materialized<K, V>,
    ) -> GlobalKTable<K, V> {
        global::global_table(&self.plan, topic, consumed, materialized)
    }

    /// Adds a global store: every process reads all partitions of `topic`, and `supplier` makes the processor that keeps them in the store.
    /// Any processor may read it without being connected. See
    /// [`Topology::add_global_store`](stream_core::Topology::add_global_store). The topic is the store's changelog, also where its builder
    /// has logging enabled.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreName;
    /// use stream_core::topology::Consumed;
    /// use stream_core::{BoxError, InitContext, Processor, ProcessorContext, Record};
    /// use stream_dsl::StreamsBuilder;
    /// use stream_state::{KeyValueStore, Stores};
    ///
    /// const RATES: StoreName<KeyValueStore<String, i64>> = StoreName::new("rates");
    ///
    /// /// Keeps each record as a row. What is stored must be what the topic holds: the store is restored from it.
    /// #[derive(Default)]
    /// struct Keep(Option<KeyValueStore<String, i64>>);
    ///
    /// impl Processor for Keep {
    ///     type KeyIn = String;
    ///     type ValueIn = i64;
    ///     type KeyOut = ();
    ///     type ValueOut = ();
    ///
    ///     fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
    ///         self.0 = Some(cx.store(&RATES)?);
    ///         Ok(())
    ///     }
    ///
    ///     fn process(&mut self, record: Record<String, i64>, _: &mut ProcessorContext<'_, (), ()>) -> Result<(), BoxError> {
    ///         if let Some(rates) = &self.0 {
    ///             rates.put(&record.key, &record.value)?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let rates = Stores::key_value_store_builder(Stores::in_memory_key_value_store("rates"), Serdes::string(), Serdes::long());
    /// builder.add_global_store(rates.with_logging_disabled(), "in", Consumed::default(), Keep::default);
    /// # builder.stream::<String, String>("other").to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// input.pipe_input("EUR".into(), 2)?;
    /// assert_eq!(driver.state_store(&RATES)?.get(&"EUR".into())?, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_global_store<P, S>(
        &self,
        store: impl StoreFactory,
        topic: &str,
        consumed: Consumed<P::KeyIn, P::ValueIn>,
        supplier: S,
    ) -> &Self
    where
        P: Processor,
        S: Fn() -> P + Send + Sync + 'static,
    {
        global::global_store(&self.plan, Arc::new(store), topic, consumed, supplier);
        self
    }

    /// Adds a store, for processors to connect to by name.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::StreamsBuilder;
    /// use stream_state::Stores;
    /// let builder = StreamsBuilder::new();
    /// let seen = Stores::persistent_key_value_store("seen");
    /// builder.add_state_store(Stores::key_value_store_builder(seen, Serdes::string(), Serdes::long()));
    /// // A processor takes part of it by its name: `stream.process(First::default, &["seen"])`. Until one does, it is not in the topology.
    /// assert!(!builder.build()?.describe().to_string().contains("seen"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn add_state_store(&self, store: impl StoreFactory) -> &Self {
        self.add_shared_state_store(Arc::new(store))
    }

    /// As [`add_state_store`](Self::add_state_store), with a factory that others have too.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreFactory;
    /// use stream_dsl::StreamsBuilder;
    /// use stream_state::Stores;
    ///
    /// // Two topologies of a program, one for each purpose, with stores of the same kind.
    /// let seen = Stores::key_value_store_builder(Stores::persistent_key_value_store("seen"), Serdes::string(), Serdes::long());
    /// let seen: Arc<dyn StoreFactory> = Arc::new(seen);
    /// let (orders, refunds) = (StreamsBuilder::new(), StreamsBuilder::new());
    /// orders.add_shared_state_store(Arc::clone(&seen));
    /// refunds.add_shared_state_store(seen);
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn add_shared_state_store(&self, store: Arc<dyn StoreFactory>) -> &Self {
        self.plan.add(move |topology| topology.add_state_store(store, &[]));
        self
    }

    /// The topology, as the program says it. No setting is looked at: `topology.optimization` has an effect only with
    /// [`build_with`](Self::build_with).
    ///
    /// ```
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("in").filter_named(|_, _| true, Named::new("same")).filter_named(|_, _| true, Named::new("same"));
    /// // Mistakes that the types let pass are told here, before anything runs.
    /// let error = builder.build().err().map(|error| error.to_string()).unwrap_or_default();
    /// assert!(error.contains("same"));
    /// ```
    ///
    /// # Errors
    /// The first mistake, with what to do about it.
    pub fn build(self) -> Result<Topology, TopologyError> {
        self.plan.lower(None)
    }

    /// The topology, rewritten as `topology.optimization` says, with its stores where `dsl.store.suppliers.class` says (those whose program
    /// does not say it), and checked as `ensure.explicit.internal.resource.naming` says.
    ///
    /// To switch a rewrite on or off in an application that has run changes its internal topics: reset it first, or it begins with
    /// empty state.
    ///
    /// ```
    /// use stream_core::config::StreamsConfig;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    ///
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, String>("orders").select_key(|_, customer| customer.clone());
    /// orders.group_by_key().count().to_stream().to("orders-per-customer");
    /// orders.filter(|_, customer| customer != "test").group_by_key().count().to_stream().to("real-orders-per-customer");
    ///
    /// let config = StreamsConfig::new("shop", "localhost:9092").set("topology.optimization", "all")?;
    /// let topology = builder.build_with(&config)?;
    /// assert_eq!(topology.describe().to_string().matches("-repartition-sink (topic").count(), 1, "one topic serves both counts");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first mistake, with what to do about it.
    pub fn build_with(self, config: &StreamsConfig) -> Result<Topology, TopologyError> {
        self.plan.lower(Some(config))
    }
}

impl std::fmt::Debug for StreamsBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamsBuilder").finish_non_exhaustive()
    }
}

fn topic_names(topics: &SourceTopics) -> Vec<String> {
    match topics {
        SourceTopics::Named(names) => names.clone(),
        _ => Vec::new(),
    }
}
