//! How key-value stores are declared.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::Result;
use stream_core::serdes::SerdeRef;
use stream_core::store::{ChangelogConfig, OpenedStore, StoreFactory, StoreName, StoreOpen};

use super::KeyValue;
use crate::key::KeySchema;
use crate::store::{self, HandleFactory, LayeredStore, StoreOptions};
use crate::value::{Envelope, Plain, Timestamped};

/// Where a key-value store keeps its rows. Made by [`Stores`](crate::Stores). Whether rows have timestamps is the builder's choice: Java's
/// separate `persistentTimestampedKeyValueStore` is not needed.
#[derive(Clone, Debug)]
pub struct KeyValueBytesStoreSupplier {
    name: String,
    persistent: bool,
}

impl KeyValueBytesStoreSupplier {
    pub(crate) fn new(name: String, persistent: bool) -> Self {
        Self { name, persistent }
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it keeps data on disk.
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }
}

/// Declares a [`KeyValueStore`](super::KeyValueStore).
pub type KeyValueStoreBuilder<K, V> = KeyValueBuilder<K, Plain<V>>;

/// Declares a [`TimestampedKeyValueStore`](super::TimestampedKeyValueStore).
pub type TimestampedKeyValueStoreBuilder<K, V> = KeyValueBuilder<K, Timestamped<V>>;

/// Declares a key-value store: give it to a topology. Logging is on and caching is off unless said otherwise.
pub struct KeyValueBuilder<K, E> {
    supplier: KeyValueBytesStoreSupplier,
    handles: Arc<Handles<K, E>>,
    changelog: Option<ChangelogConfig>,
    caching: bool,
}

struct Handles<K, E> {
    keys: SerdeRef<K>,
    envelope: E,
}

impl<K: 'static, V: 'static> KeyValueStoreBuilder<K, V> {
    /// A store of plain values.
    pub fn new(supplier: KeyValueBytesStoreSupplier, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self::over(supplier, keys, Plain { serde: values })
    }
}

impl<K: 'static, V: 'static> TimestampedKeyValueStoreBuilder<K, V> {
    /// A store of values with timestamps.
    pub fn new(supplier: KeyValueBytesStoreSupplier, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self::over(supplier, keys, Timestamped { serde: values })
    }
}

impl<K: 'static, E: Envelope> KeyValueBuilder<K, E> {
    fn over(supplier: KeyValueBytesStoreSupplier, keys: SerdeRef<K>, envelope: E) -> Self {
        Self { supplier, handles: Arc::new(Handles { keys, envelope }), changelog: Some(ChangelogConfig::compact()), caching: false }
    }

    /// Logs changes to a topic with these configs; they win over all others.
    #[must_use]
    pub fn with_logging_enabled(mut self, topic_configs: BTreeMap<String, String>) -> Self {
        self.changelog = Some(ChangelogConfig { topic_configs, ..ChangelogConfig::compact() });
        self
    }

    /// Logs nothing: the store cannot be restored on another machine.
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.changelog = None;
        self
    }

    /// A table holds its changes back until the commit, unless the application has `statestore.cache.max.bytes` = 0.
    #[must_use]
    pub fn with_caching_enabled(mut self) -> Self {
        self.caching = true;
        self
    }

    /// Every update is forwarded at once.
    #[must_use]
    pub fn with_caching_disabled(mut self) -> Self {
        self.caching = false;
        self
    }

    /// The name to ask for the store with.
    pub fn store_name(&self) -> StoreName<KeyValue<K, E>> {
        StoreName::from_string(self.supplier.name.clone())
    }
}

impl<K: 'static, E: Envelope + Clone + Send + Sync> HandleFactory for Handles<K, E> {
    type Handle = KeyValue<K, E>;

    fn handle(&self, store: Rc<LayeredStore>) -> Self::Handle {
        KeyValue::new(store, SerdeRef::clone(&self.keys), self.envelope.clone())
    }
}

impl<K: 'static, E: Envelope + Clone + Send + Sync> StoreFactory for KeyValueBuilder<K, E> {
    fn name(&self) -> &str {
        &self.supplier.name
    }

    fn changelog(&self) -> Option<&ChangelogConfig> {
        self.changelog.as_ref()
    }

    fn is_persistent(&self) -> bool {
        self.supplier.persistent
    }

    fn open(&self, open: &StoreOpen) -> Result<OpenedStore> {
        let options = StoreOptions {
            name: self.supplier.name.clone(),
            persistent: self.supplier.persistent,
            caching: self.caching,
            schema: KeySchema::KeyValue,
            format: E::FORMAT,
        };
        store::open(&options, open, Arc::clone(&self.handles))
    }
}
