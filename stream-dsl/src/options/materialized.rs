//! [`Materialized`].

use std::collections::BTreeMap;
use std::time::Duration;

use stream_core::serdes::SerdeRef;

use super::StoreSupplier;

/// Where a store keeps its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreType {
    /// RocksDB; without the cargo feature `rocksdb`, memory.
    Persistent,
    /// Memory, restored from the changelog at every start.
    InMemory,
}

/// The store of a table: its name, serdes, changelog and caching. Mirrors Kafka Streams' `Materialized`.
///
/// By default a store is persistent, logged and cached, and its name is generated. Serdes that are not named are the types' own, or
/// those that the table already has.
pub struct Materialized<K, V> {
    pub(crate) name: Option<String>,
    pub(crate) keys: Option<SerdeRef<K>>,
    pub(crate) values: Option<SerdeRef<V>>,
    pub(crate) logging: Option<BTreeMap<String, String>>,
    pub(crate) caching: bool,
    pub(crate) retention: Option<Duration>,
    /// `None`: as `dsl.store.suppliers.class` says.
    pub(crate) store_type: Option<StoreType>,
    pub(crate) supplier: Option<StoreSupplier>,
    pub(crate) keeps_timestamps: bool,
}

impl<K, V> Materialized<K, V> {
    /// A store of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Whether the store keeps versions.
    pub(crate) fn is_versioned(&self) -> bool {
        matches!(self.supplier, Some(StoreSupplier::Versioned(_)))
    }

    /// Whether the program says where the store is.
    pub(crate) fn is_placed(&self) -> bool {
        self.store_type.is_some() || self.supplier.is_some()
    }

    /// The store of this supplier, under its name. Its retention is not compared with the windows'.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{Materialized, StreamsBuilder, TimeWindows};
    /// use stream_state::Stores;
    /// let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let day = Duration::from_secs(86_400);
    /// let counts = Stores::in_memory_window_store("counts-of-a-day", day, Duration::from_secs(60), false)?;
    /// builder.stream::<String, String>("in").group_by_key().windowed_by(minutes).count_with(Materialized::supplied(counts));
    /// assert!(builder.build()?.describe().to_string().contains("(stores: [counts-of-a-day])"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn supplied(supplier: impl Into<StoreSupplier>) -> Self {
        let supplier = supplier.into();
        Self { name: Some(supplier.name().to_owned()), supplier: Some(supplier), ..Self::default() }
    }

    /// Rows are kept without their timestamps; an update then has the timestamp of its record, not the largest. This is what Kafka Streams
    /// does when a program gives it a plain persistent supplier.
    #[must_use]
    pub fn without_timestamps(mut self) -> Self {
        self.keeps_timestamps = false;
        self
    }

    /// Another key serde.
    #[must_use]
    pub fn with_key_serde(mut self, keys: SerdeRef<K>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Another value serde.
    #[must_use]
    pub fn with_value_serde(mut self, values: SerdeRef<V>) -> Self {
        self.values = Some(values);
        self
    }

    /// Topic configs of the changelog; they win over all others.
    #[must_use]
    pub fn with_logging_enabled(mut self, topic_configs: BTreeMap<String, String>) -> Self {
        self.logging = Some(topic_configs);
        self
    }

    /// No changelog: the state is lost with the machine.
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.logging = None;
        self
    }

    /// Updates are held back until a commit, one per key.
    #[must_use]
    pub fn with_caching_enabled(mut self) -> Self {
        self.caching = true;
        self
    }

    /// Every update goes on at once.
    #[must_use]
    pub fn with_caching_disabled(mut self) -> Self {
        self.caching = false;
        self
    }

    /// How long windows are kept; at least their size and grace, which is the default.
    #[must_use]
    pub fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    /// In RocksDB or in memory, whatever `dsl.store.suppliers.class` says.
    #[must_use]
    pub fn with_store_type(mut self, store_type: StoreType) -> Self {
        self.store_type = Some(store_type);
        self
    }
}

impl<K, V> Default for Materialized<K, V> {
    fn default() -> Self {
        Self {
            name: None,
            keys: None,
            values: None,
            logging: Some(BTreeMap::new()),
            caching: true,
            retention: None,
            store_type: None,
            supplier: None,
            keeps_timestamps: true,
        }
    }
}

impl<K, V> std::fmt::Debug for Materialized<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Materialized").field("name", &self.name).field("caching", &self.caching).finish_non_exhaustive()
    }
}
