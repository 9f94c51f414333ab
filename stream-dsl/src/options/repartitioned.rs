//! [`Repartitioned`].

use std::sync::Arc;

use stream_core::partition::StreamPartitioner;
use stream_core::serdes::{DefaultSerde, SerdeRef};

/// How a stream is repartitioned: serdes, name, partition count, partitioner. Mirrors Kafka Streams' `Repartitioned`.
pub struct Repartitioned<K, V> {
    pub(crate) keys: SerdeRef<K>,
    pub(crate) values: SerdeRef<V>,
    pub(crate) name: Option<String>,
    pub(crate) partitions: Option<i32>,
    pub(crate) partitioner: Option<Arc<dyn StreamPartitioner<K, V>>>,
}

impl<K, V> Repartitioned<K, V> {
    /// With these serdes.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Repartitioned, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("amounts").map_values(|amount| *amount as f64 / 100.0);
    /// amounts.repartition_with(Repartitioned::with(Serdes::string(), Serdes::double())).group_by_key().count();
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn with(keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self { keys, values, name: None, partitions: None, partitioner: None }
    }

    /// The topic is named `<application id>-<name>-repartition`.
    ///
    /// ```
    /// use stream_dsl::{Repartitioned, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("amounts").repartition_with(Repartitioned::default().with_name("amounts-again"));
    /// amounts.to("out");
    /// assert!(builder.build()?.describe().to_string().contains("topics: [amounts-again-repartition]"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A fixed partition count.
    ///
    /// ```
    /// use stream_dsl::{Repartitioned, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let names = builder.table::<String, String>("names"); // a topic of, say, 6 partitions
    /// let clicks = builder.stream::<String, String>("clicks"); // one of 4: a key of it lies elsewhere
    /// let clicks = clicks.repartition_with(Repartitioned::default().with_name("clicks-by-6").with_number_of_partitions(6));
    /// clicks.join(&names, |page, name| format!("{name}: {page}")).to("named-clicks");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_number_of_partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Another partitioner than the default one.
    ///
    /// ```
    /// use stream_core::BoxError;
    /// use stream_core::partition::{Partitions, StreamPartitioner};
    /// use stream_dsl::{Repartitioned, StreamsBuilder};
    ///
    /// /// All accounts of a bank lie in one partition: keys are `<bank>-<account>`.
    /// struct ByBank;
    ///
    /// impl StreamPartitioner<String, i64> for ByBank {
    ///     fn partitions(&self, _topic: &str, key: &String, _: &i64, count: i32) -> Result<Partitions, BoxError> {
    ///         let bank: i32 = key.split('-').next().unwrap_or_default().bytes().map(i32::from).sum();
    ///         Ok(Partitions::Only(vec![bank % count]))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("amounts").repartition_with(Repartitioned::default().with_stream_partitioner(ByBank)).to("by-bank");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_stream_partitioner(mut self, partitioner: impl StreamPartitioner<K, V>) -> Self {
        self.partitioner = Some(Arc::new(partitioner));
        self
    }
}

impl<K: DefaultSerde, V: DefaultSerde> Default for Repartitioned<K, V> {
    fn default() -> Self {
        Self::with(K::default_serde(), V::default_serde())
    }
}

impl<K, V> std::fmt::Debug for Repartitioned<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repartitioned").field("name", &self.name).field("partitions", &self.partitions).finish_non_exhaustive()
    }
}
