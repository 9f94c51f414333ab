//! [`KStream::group_by_key`] and [`KStream::group_by`].

use stream_core::serdes::DefaultSerde;

use super::KStream;
use crate::grouped::KGroupedStream;
use crate::options::{Grouped, Named};

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Groups records by their key. When the key may have changed, the stream goes through a repartition topic first.
    ///
    /// A stream whose keys or values may be null is narrowed before: [`non_null_key`](Self::non_null_key),
    /// [`non_null_value`](Self::non_null_value).
    ///
    /// The grouping keeps no state; the aggregation below does.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// let clicks = builder.stream::<Option<String>, Option<String>>("clicks");
    /// clicks.non_null_key().non_null_value().group_by_key().count().to_stream().to("clicks-by-user");
    /// assert!(!builder.build()?.describe().to_string().contains("repartition"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn group_by_key(&self) -> KGroupedStream<K, V>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        let (keys, values) = self.serdes();
        self.group_by_key_with(Grouped::with(keys, values))
    }

    /// As [`group_by_key`](Self::group_by_key), with serdes and the name of the repartition topic.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Grouped, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, String>("orders").select_key(|_, customer| customer.clone());
    /// let by_customer = orders.group_by_key_with(Grouped::with(Serdes::string(), Serdes::string()).with_name("by-customer"));
    /// by_customer.count().to_stream().to("orders-per-customer");
    /// // The name is that of the topic, which outlives versions of the program; without it, it would be named after the store.
    /// assert!(builder.build()?.describe().to_string().contains("(topic: by-customer-repartition)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn group_by_key_with(&self, grouped: Grouped<K, V>) -> KGroupedStream<K, V> {
        KGroupedStream::new(self.clone(), grouped)
    }

    /// Groups records by another key; the stream goes through a repartition topic.
    ///
    /// Null keys and values reach the mapper where the types are `Option`. The grouping keeps no state; the aggregation below does.
    ///
    /// ```
    /// use stream_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let users_of_pages = builder.stream::<Option<String>, String>("in");
    /// users_of_pages.group_by(|_, page| page.clone()).count().to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<Option<String>, String>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// // The old key may be null; the new one, whose type is not an `Option`, cannot be.
    /// input.pipe_key_values([(None, "home".to_owned()), (Some("ada".to_owned()), "home".to_owned())])?;
    /// assert_eq!(output.read_values_to_list()?, [1, 2]);
    /// assert!(driver.produced_topic_names().iter().any(|topic| topic.ends_with("-repartition")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group_by<K2: DefaultSerde + Clone>(&self, mapper: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> KGroupedStream<K2, V>
    where
        V: DefaultSerde,
    {
        let values = self.values.clone().unwrap_or_else(V::default_serde);
        self.group_by_with(mapper, Grouped::with(K2::default_serde(), values))
    }

    /// As [`group_by`](Self::group_by), with serdes and a name for the operator and its repartition topic.
    ///
    /// ```
    /// use stream_dsl::{Grouped, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = builder.stream::<Option<String>, String>("visits").group_by_with(|_, page| page.clone(), Grouped::named("by-page"));
    /// // A named repartition topic serves all aggregations of the grouping.
    /// visits.count_with(Materialized::named("counts"));
    /// visits.reduce_with(|_, last| last, Materialized::named("last"));
    /// let text = builder.build()?.describe().to_string();
    /// assert_eq!(text.matches("(topic: by-page-repartition)").count(), 1);
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn group_by_with<K2: Clone + 'static>(
        &self,
        mapper: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
        grouped: Grouped<K2, V>,
    ) -> KGroupedStream<K2, V> {
        let named = grouped.name.as_deref().map_or_else(Named::default, Named::new);
        KGroupedStream::new(self.select_key_named(mapper, named), grouped)
    }
}
