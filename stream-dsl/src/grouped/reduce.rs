//! [`KGroupedStream::reduce`].

use stream_core::serdes::DefaultSerde;

use super::{KGroupedStream, fold};
use crate::options::{Materialized, Named};
use crate::table::KTable;

impl<K: Clone + 'static, V: Clone + 'static> KGroupedStream<K, V> {
    /// Combines the values of each key: the first value is the first aggregate, `reducer` takes the aggregate so far and a value and
    /// gives the next one, or `None` to delete it.
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
    pub fn reduce_with<R: Into<Option<V>>>(
        &self,
        reducer: impl Fn(V, V) -> R + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V> {
        self.reduce_named_with(reducer, Named::default(), materialized)
    }

    /// As [`reduce_with`](Self::reduce_with), with a name.
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
