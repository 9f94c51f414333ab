//! [`KGroupedTable::count`].

use stream_core::serdes::DefaultSerde;

use super::KGroupedTable;
use crate::options::{Materialized, Named};
use crate::table::KTable;

impl<K: Clone + 'static, V: Clone + 'static> KGroupedTable<K, V> {
    /// Counts the rows of each group. A group that lost its last row stays, with 0. In Kafka the count is 8 bytes, big-endian.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let cities: KTable<String, String> = builder.table("city-of-person");
    /// cities.group_by(|person, city| (city.clone(), person.clone())).count().to_stream().to("inhabitants");
    /// assert!(builder.build()?.describe().to_string().contains("(topic: KTABLE-AGGREGATE-STATE-STORE-0000000004-repartition)"));
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
        let values = materialized.values.clone().unwrap_or_else(i64::default_serde);
        let materialized = materialized.with_value_serde(values);
        self.folded("KTABLE-AGGREGATE-", &named, materialized, |_, _, count| Some(count.unwrap_or(0) + 1), |_, _, count| Some(count - 1))
    }
}
