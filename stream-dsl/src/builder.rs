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
    pub fn new() -> Self {
        Self::default()
    }

    /// A stream of the records of one or several topics, read with the default serdes of its types.
    ///
    /// A topic that is consumed twice has one source node. A null key or value under a type that is not an `Option` is a bad record.
    pub fn stream<K: DefaultSerde + Clone, V: DefaultSerde + Clone>(&self, topics: impl Into<SourceTopics>) -> KStream<K, V> {
        self.stream_with(topics, Consumed::default())
    }

    /// As [`stream`](Self::stream), with serdes, timestamp extractor, reset policy and name.
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
    pub fn table<K: DefaultSerde + Clone, V: DefaultSerde + Clone>(&self, topic: &str) -> KTable<K, V> {
        self.table_with(topic, Consumed::default(), Materialized::default())
    }

    /// As [`table`](Self::table), with serdes, and with a named or configured store.
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
    pub fn add_state_store(&self, store: impl StoreFactory) -> &Self {
        self.add_shared_state_store(Arc::new(store))
    }

    /// As [`add_state_store`](Self::add_state_store), with a factory that others have too.
    pub fn add_shared_state_store(&self, store: Arc<dyn StoreFactory>) -> &Self {
        self.plan.add(move |topology| topology.add_state_store(store, &[]));
        self
    }

    /// The topology, as the program says it. No setting is looked at: `topology.optimization` has an effect only with
    /// [`build_with`](Self::build_with).
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
