//! [`Joined`].

use std::time::Duration;

use stream_core::serdes::{DefaultSerde, SerdeRef};

/// How a stream is joined with a table: serdes of the stream's repartition topic, a name, and how long to wait for
/// late rows. Mirrors Kafka Streams' `Joined`.
pub struct Joined<K, V> {
    pub(crate) keys: SerdeRef<K>,
    pub(crate) values: SerdeRef<V>,
    pub(crate) name: Option<String>,
    pub(crate) grace: Option<Duration>,
}

impl<K, V> Joined<K, V> {
    /// With these serdes of the stream's keys and values.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Joined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let owners = builder.table::<String, String>("owners");
    /// let orders = builder.stream::<String, i64>("orders").select_key(|order, _| order[..1].to_owned());
    /// // Used only where the stream is repartitioned, as here: its key was changed.
    /// let joined = Joined::with(Serdes::string(), Serdes::long());
    /// orders.join_with(&owners, |amount, owner| format!("{owner}: {amount}"), joined).to("bills");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn with(keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self { keys, values, name: None, grace: None }
    }

    /// The name of the join and of its repartition topic.
    ///
    /// ```
    /// use stream_dsl::{Joined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let owners = builder.table::<String, String>("owners");
    /// let orders = builder.stream::<String, i64>("orders");
    /// orders.join_with(&owners, |amount, owner| format!("{owner}: {amount}"), Joined::default().with_name("with-owner")).to("bills");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: with-owner (stores: [owners-STATE-STORE-0000000000])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Lets each record of the stream wait until the stream's time has passed its own by `grace`, and joins it then with the row as of
    /// its own timestamp: rows that arrive that late still count (KIP-923). The table must have a versioned store whose history is at least
    /// as long. Records wait in a store of their own; one that is later than `grace` itself is joined at once. While nothing arrives,
    /// nothing is joined.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::topology::Consumed;
    /// use stream_dsl::{Joined, Materialized, StreamsBuilder};
    /// use stream_state::Stores;
    ///
    /// let builder = StreamsBuilder::new();
    /// let history = Stores::persistent_versioned_key_value_store("prices-by-time", Duration::from_secs(3600));
    /// let prices = builder.table_with::<String, i64>("prices", Consumed::default(), Materialized::supplied(history));
    /// let joined = Joined::default().with_grace_period(Duration::from_secs(60));
    /// builder.stream::<String, i64>("orders").join_with(&prices, |count, price| count * price, joined).to("sums");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-JOIN-0000000003-Buffer"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_grace_period(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }
}

impl<K: DefaultSerde, V: DefaultSerde> Default for Joined<K, V> {
    fn default() -> Self {
        Self::with(K::default_serde(), V::default_serde())
    }
}

impl<K, V> std::fmt::Debug for Joined<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Joined").field("name", &self.name).finish_non_exhaustive()
    }
}
