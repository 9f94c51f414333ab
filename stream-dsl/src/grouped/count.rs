//! [`KGroupedStream::count`].

use stream_core::serdes::DefaultSerde;

use super::{KGroupedStream, fold};
use crate::options::{Materialized, Named};
use crate::table::KTable;

impl<K: Clone + 'static, V: Clone + 'static> KGroupedStream<K, V> {
    /// Counts the records of each key. In Kafka the count is 8 bytes, big-endian.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<String, String>("in").group_by_key().count().to_stream().to("counts");
    /// assert!(builder.build()?.describe().to_string().contains("(stores: [KSTREAM-AGGREGATE-STATE-STORE-0000000002])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn count(&self) -> KTable<K, i64> {
        self.count_with(Materialized::default())
    }

    /// As [`count`](Self::count), with a named or configured store.
    pub fn count_with(&self, materialized: Materialized<K, i64>) -> KTable<K, i64> {
        self.count_named_with(Named::default(), materialized)
    }

    /// As [`count_with`](Self::count_with), with a name.
    pub fn count_named_with(&self, named: Named, materialized: Materialized<K, i64>) -> KTable<K, i64> {
        if materialized.name.is_none() {
            // Kafka Streams takes a number here, for ever.
            self.stream.plan.store_name("KSTREAM-AGGREGATE-");
        }
        let values = materialized.values.clone().unwrap_or_else(i64::default_serde);
        self.folded("KSTREAM-AGGREGATE-", &named, materialized.with_value_serde(values), fold::count())
    }
}
