//! [`KGroupedStream::count`].

use stream_core::serdes::DefaultSerde;

use super::{KGroupedStream, fold};
use crate::options::{Materialized, Named};
use crate::table::KTable;

impl<K: Clone + 'static, V: Clone + 'static> KGroupedStream<K, V> {
    /// Counts the records of each key. In Kafka the count is 8 bytes, big-endian.
    ///
    /// Null keys and values are narrowed before, and counted as dropped. No record is late. The counts are a key-value store with a
    /// changelog.
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
    ///
    /// ```
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{Materialized, StreamsBuilder};
    /// use stream_state::TimestampedKeyValueStore;
    ///
    /// const CLICKS: StoreName<TimestampedKeyValueStore<String, i64>> = StoreName::new("clicks-per-user");
    ///
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<Option<String>, String>("in").non_null_key();
    /// clicks.group_by_key().count_with(Materialized::named(CLICKS.as_str()));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<Option<String>, String>("in");
    /// input.pipe_key_values([(Some("ada".to_owned()), "home".to_owned()), (None, "home".to_owned())])?;
    /// assert_eq!(driver.state_store(&CLICKS)?.get(&"ada".into())?.map(|row| row.value), Some(1));
    /// assert_eq!(driver.dropped_records().len(), 1, "a null key belongs to no group");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count_with(&self, materialized: Materialized<K, i64>) -> KTable<K, i64> {
        self.count_named_with(Named::default(), materialized)
    }

    /// As [`count_with`](Self::count_with), with a name.
    ///
    /// ```
    /// use stream_dsl::{Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("clicks").group_by_key();
    /// clicks.count_named_with(Named::new("count-clicks"), Materialized::named("clicks-per-user"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: count-clicks (stores: [clicks-per-user])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn count_named_with(&self, named: Named, materialized: Materialized<K, i64>) -> KTable<K, i64> {
        if materialized.name.is_none() {
            // Kafka Streams takes a number here, for ever.
            self.stream.plan.store_name("KSTREAM-AGGREGATE-");
        }
        let values = materialized.values.clone().unwrap_or_else(i64::default_serde);
        self.folded("KSTREAM-AGGREGATE-", &named, materialized.with_value_serde(values), fold::count())
    }
}
