//! [`StreamsBuilder`].

use std::sync::Arc;

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
        self.plan.add(move |topology| topology.add_state_store(Arc::new(store), &[]));
        self
    }

    /// The topology.
    ///
    /// # Errors
    /// The first mistake, with what to do about it.
    pub fn build(self) -> Result<Topology, TopologyError> {
        self.plan.lower()
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
