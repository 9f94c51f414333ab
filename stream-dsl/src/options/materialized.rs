//! [`Materialized`].

use std::collections::BTreeMap;
use std::time::Duration;

use stream_core::serdes::SerdeRef;

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
    pub(crate) store_type: StoreType,
}

impl<K, V> Materialized<K, V> {
    /// A store of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
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

    /// In RocksDB or in memory.
    #[must_use]
    pub fn with_store_type(mut self, store_type: StoreType) -> Self {
        self.store_type = store_type;
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
            store_type: StoreType::Persistent,
        }
    }
}

impl<K, V> std::fmt::Debug for Materialized<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Materialized").field("name", &self.name).field("caching", &self.caching).finish_non_exhaustive()
    }
}
