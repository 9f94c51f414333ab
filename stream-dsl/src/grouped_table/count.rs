//! [`KGroupedTable::count`].

use stream_core::serdes::DefaultSerde;

use super::KGroupedTable;
use crate::options::{Materialized, Named};
use crate::table::KTable;

impl<K: Clone + 'static, V: Clone + 'static> KGroupedTable<K, V> {
    /// Counts the rows of each group. A group that lost its last row stays, with 0. In Kafka the count is 8 bytes, big-endian.
    ///
    /// A deleted row leaves its group. No change is late. The counts are a key-value store with a changelog.
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
    ///
    /// ```
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// use stream_state::TimestampedKeyValueStore;
    ///
    /// const INHABITANTS: StoreName<TimestampedKeyValueStore<String, i64>> = StoreName::new("inhabitants");
    ///
    /// let builder = StreamsBuilder::new();
    /// let cities: KTable<String, String> = builder.table("in");
    /// let by_city = cities.group_by(|person, city| (city.clone(), person.clone()));
    /// by_city.count_with(Materialized::named(INHABITANTS.as_str()));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<String>>("in");
    /// input.pipe_key_values([("ada".to_owned(), Some("Bern".to_owned())), ("ada".to_owned(), None)])?;
    /// assert_eq!(driver.state_store(&INHABITANTS)?.get(&"Bern".into())?.map(|row| row.value), Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_with(&self, materialized: Materialized<K, i64>) -> KTable<K, i64> {
        self.count_named_with(Named::default(), materialized)
    }

    /// As [`count_with`](Self::count_with), with a name.
    ///
    /// ```
    /// use stream_dsl::{KTable, Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let cities: KTable<String, String> = builder.table("cities");
    /// let by_city = cities.group_by(|person, city| (city.clone(), person.clone()));
    /// by_city.count_named_with(Named::new("count-inhabitants"), Materialized::named("inhabitants"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: count-inhabitants (stores: [inhabitants])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn count_named_with(&self, named: Named, materialized: Materialized<K, i64>) -> KTable<K, i64> {
        let values = materialized.values.clone().unwrap_or_else(i64::default_serde);
        let materialized = materialized.with_value_serde(values);
        self.folded("KTABLE-AGGREGATE-", &named, materialized, |_, _, count| Some(count.unwrap_or(0) + 1), |_, _, count| Some(count - 1))
    }
}
