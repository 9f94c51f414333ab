//! [`Grouped`].

use std::sync::Arc;

use stream_core::serdes::{DefaultSerde, SerdeRef};

/// How a stream is grouped: serdes of the repartition topic and of the store's keys, and the topic's name. Mirrors Kafka Streams' `Grouped`.
pub struct Grouped<K, V> {
    pub(crate) keys: SerdeRef<K>,
    pub(crate) values: SerdeRef<V>,
    pub(crate) name: Option<String>,
}

impl<K, V> Grouped<K, V> {
    /// With these serdes.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Grouped, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// // For types that have no default serde, or for keys that are written in another form.
    /// let amounts = builder.stream::<String, i64>("amounts").group_by_key_with(Grouped::with(Serdes::string(), Serdes::long()));
    /// amounts.count();
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn with(keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self { keys, values, name: None }
    }

    /// The repartition topic, if there is one, is named `<application id>-<name>-repartition`.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Grouped, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("amounts");
    /// let grouped = Grouped::with(Serdes::string(), Serdes::long()).with_name("by-user");
    /// amounts.group_by_key_with(grouped).count();
    /// // The key did not change: no topic is made, and the name waits for one.
    /// assert!(!builder.build()?.describe().to_string().contains("by-user"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl<K: DefaultSerde, V: DefaultSerde> Grouped<K, V> {
    /// With the types' default serdes, and a name.
    ///
    /// ```
    /// use stream_dsl::{Grouped, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = builder.stream::<String, String>("visits").group_by_with(|_, page| page.clone(), Grouped::named("by-page"));
    /// visits.count();
    /// // In the application `shop` the topic is `shop-by-page-repartition`, also after the program has changed.
    /// assert!(builder.build()?.describe().to_string().contains("(topic: by-page-repartition)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn named(name: impl Into<String>) -> Self {
        Self::default().with_name(name)
    }
}

impl<K: DefaultSerde, V: DefaultSerde> Default for Grouped<K, V> {
    fn default() -> Self {
        Self::with(K::default_serde(), V::default_serde())
    }
}

impl<K, V> Clone for Grouped<K, V> {
    fn clone(&self) -> Self {
        Self { keys: Arc::clone(&self.keys), values: Arc::clone(&self.values), name: self.name.clone() }
    }
}

impl<K, V> std::fmt::Debug for Grouped<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grouped").field("name", &self.name).finish_non_exhaustive()
    }
}
