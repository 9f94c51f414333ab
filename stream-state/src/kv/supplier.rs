//! Where key-value stores keep their rows.

use stream_core::store::ChangelogConfig;

use super::KeyValue;
use crate::key::KeySchema;
use crate::store::{BytesStoreSupplier, sealed};
use crate::value::Envelope;

/// Where a key-value store keeps its rows. Made by [`Stores`](crate::Stores). Whether rows have timestamps is the builder's choice: Java's
/// separate `persistentTimestampedKeyValueStore` is not needed.
#[derive(Clone, Debug)]
pub struct KeyValueBytesStoreSupplier {
    name: String,
    persistent: bool,
    max_entries: Option<usize>,
}

impl KeyValueBytesStoreSupplier {
    pub(crate) fn new(name: String, persistent: bool) -> Self {
        Self { name, persistent, max_entries: None }
    }

    /// The same, bounded: the rows that were not used for the longest time go.
    pub(crate) fn with_max_entries(self, max_entries: usize) -> Self {
        Self { max_entries: Some(max_entries), ..self }
    }

    /// The store's name.
    ///
    /// ```
    /// use stream_state::Stores;
    /// assert_eq!(Stores::persistent_key_value_store("seen").name(), "seen");
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it keeps data on disk.
    ///
    /// ```
    /// use stream_state::Stores;
    /// assert!(Stores::persistent_key_value_store("seen").is_persistent());
    /// assert!(!Stores::lru_map("recent", 1_000).is_persistent());
    /// ```
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }
}

impl BytesStoreSupplier for KeyValueBytesStoreSupplier {
    type Handle<K: 'static, E: Envelope + Clone> = KeyValue<K, E>;

    fn handle<K: 'static, E: Envelope + Clone>(&self, store: sealed::OpenStore<K, E>) -> KeyValue<K, E> {
        KeyValue::new(store.0)
    }
}

impl sealed::Described for KeyValueBytesStoreSupplier {
    fn in_memory(&self) -> Option<Self> {
        Some(Self { persistent: false, ..self.clone() })
    }

    fn description(&self) -> sealed::Description<'_> {
        sealed::Description {
            name: &self.name,
            persistent: self.persistent,
            schema: KeySchema::KeyValue,
            changelog: ChangelogConfig::compact(),
            cacheable: true,
        }
    }

    fn max_entries(&self) -> Option<usize> {
        self.max_entries
    }
}
