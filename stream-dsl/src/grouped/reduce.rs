//! [`KGroupedStream::reduce`].

use stream_core::serdes::DefaultSerde;

use super::{KGroupedStream, fold};
use crate::options::{Materialized, Named};
use crate::table::KTable;

impl<K: Clone + 'static, V: Clone + 'static> KGroupedStream<K, V> {
    /// Combines the values of each key: the first value is the first aggregate, `reducer` takes the aggregate so far and a value and
    /// gives the next one, or `None` to delete it.
    ///
    /// Null keys and values are narrowed before, and counted as dropped. No record is late: the result has the largest timestamp of its
    /// values. The aggregates are a key-value store with a changelog.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<String, i64>("in").group_by_key().reduce(|largest, value| largest.max(value)).to_stream().to("largest");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-REDUCE-0000000002"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn reduce<R: Into<Option<V>>>(&self, reducer: impl Fn(V, V) -> R + Send + Sync + 'static) -> KTable<K, V>
    where
        V: DefaultSerde,
    {
        self.reduce_with(reducer, Materialized::default())
    }

    /// As [`reduce`](Self::reduce), with a named or configured store.
    ///
    /// ```
    /// use stream_dsl::{Materialized, StoreType, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let bids = builder.stream::<String, i64>("in").group_by_key();
    /// let in_memory = Materialized::named("largest-bids").with_store_type(StoreType::InMemory);
    /// bids.reduce_with(|largest, bid| largest.max(bid), in_memory).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// // Every record is told on, also one that changes nothing; caching leaves out those between two commits.
    /// input.pipe_key_values([("lamp".to_owned(), 5), ("lamp".to_owned(), 3), ("lamp".to_owned(), 8)])?;
    /// assert_eq!(output.read_values_to_list()?, [5, 5, 8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce_with<R: Into<Option<V>>>(
        &self,
        reducer: impl Fn(V, V) -> R + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V> {
        self.reduce_named_with(reducer, Named::default(), materialized)
    }

    /// As [`reduce_with`](Self::reduce_with), with a name.
    ///
    /// ```
    /// use stream_dsl::{Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let bids = builder.stream::<String, i64>("bids").group_by_key();
    /// bids.reduce_named_with(|largest, bid| largest.max(bid), Named::new("largest"), Materialized::named("largest-bids"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: largest (stores: [largest-bids])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn reduce_named_with<R: Into<Option<V>>>(
        &self,
        reducer: impl Fn(V, V) -> R + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V> {
        let values = materialized.values.clone().unwrap_or_else(|| self.grouped.values.clone());
        self.folded("KSTREAM-REDUCE-", &named, materialized.with_value_serde(values), fold::reduce(reducer))
    }
}
