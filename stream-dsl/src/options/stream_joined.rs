//! [`StreamJoined`].

use std::collections::BTreeMap;

use stream_core::serdes::{DefaultSerde, SerdeRef};
use stream_state::WindowBytesStoreSupplier;

use super::StoreType;

/// How two streams are joined: serdes of the repartition topics and stores, names, and the stores of both sides. Mirrors Kafka Streams'
/// `StreamJoined`.
pub struct StreamJoined<K, V1, V2> {
    pub(crate) keys: SerdeRef<K>,
    pub(crate) this_values: SerdeRef<V1>,
    pub(crate) other_values: SerdeRef<V2>,
    pub(crate) name: Option<String>,
    pub(crate) store_name: Option<String>,
    pub(crate) this_store: Option<WindowBytesStoreSupplier>,
    pub(crate) other_store: Option<WindowBytesStoreSupplier>,
    /// `None`: as `dsl.store.suppliers.class` says.
    pub(crate) store_type: Option<StoreType>,
    pub(crate) logging: Option<BTreeMap<String, String>>,
}

impl<K, V1, V2> StreamJoined<K, V1, V2> {
    /// With these serdes of the keys and of both sides' values.
    pub fn with(keys: SerdeRef<K>, this_values: SerdeRef<V1>, other_values: SerdeRef<V2>) -> Self {
        Self {
            keys,
            this_values,
            other_values,
            name: None,
            store_name: None,
            this_store: None,
            other_store: None,
            store_type: None,
            logging: Some(BTreeMap::new()),
        }
    }

    /// The prefix of the operators' names and of the repartition topics, which end in `-left-repartition` and `-right-repartition`. The
    /// stores keep generated names.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The prefix of the stores' names, and so of their changelogs.
    #[must_use]
    pub fn with_store_name(mut self, name: impl Into<String>) -> Self {
        self.store_name = Some(name.into());
        self
    }

    /// The store of this stream. It must keep duplicates, its windows must have the size of the join's, and its retention must be their
    /// size and grace; anything else is refused when the topology is built.
    #[must_use]
    pub fn with_this_store_supplier(mut self, supplier: WindowBytesStoreSupplier) -> Self {
        self.this_store = Some(supplier);
        self
    }

    /// The store of the other stream; see [`with_this_store_supplier`](Self::with_this_store_supplier).
    #[must_use]
    pub fn with_other_store_supplier(mut self, supplier: WindowBytesStoreSupplier) -> Self {
        self.other_store = Some(supplier);
        self
    }

    /// In RocksDB or in memory: the stores without a supplier.
    #[must_use]
    pub fn with_store_type(mut self, store_type: StoreType) -> Self {
        self.store_type = Some(store_type);
        self
    }

    /// Topic configs of the stores' changelogs; they win over all others.
    #[must_use]
    pub fn with_logging_enabled(mut self, topic_configs: BTreeMap<String, String>) -> Self {
        self.logging = Some(topic_configs);
        self
    }

    /// No changelogs: records that wait for their match are lost with the machine.
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.logging = None;
        self
    }
}

impl<K: DefaultSerde, V1: DefaultSerde, V2: DefaultSerde> Default for StreamJoined<K, V1, V2> {
    fn default() -> Self {
        Self::with(K::default_serde(), V1::default_serde(), V2::default_serde())
    }
}

impl<K, V1, V2> std::fmt::Debug for StreamJoined<K, V1, V2> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamJoined").field("name", &self.name).field("store_name", &self.store_name).finish_non_exhaustive()
    }
}
