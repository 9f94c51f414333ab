//! Key-value stores whose rows are lists.

use stream_core::Result;
use stream_core::serdes::Role;

use super::{KeyValue, KeyValueBytesStoreSupplier};
use crate::error::StoreError;
use crate::store::StoreBuilder;
use crate::value::Listed;

/// A store of several values per key, in the order in which they were added. Has the bytes of Kafka Streams' list-value store, in which outer
/// joins keep what has no partner yet; see [`KeyValue`] for the methods beside [`append`](KeyValue::append).
pub type ListValueStore<K, V> = KeyValue<K, Listed<V>>;

/// Declares a [`ListValueStore`].
pub type ListValueStoreBuilder<K, V> = StoreBuilder<KeyValueBytesStoreSupplier, K, Listed<V>>;

impl<K: 'static, V: 'static> KeyValue<K, Listed<V>> {
    /// Adds a value behind those of the key. The others are copied, not read: it costs what their bytes do.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn append(&self, key: &K, value: &V) -> Result<()> {
        let store = &self.typed.store;
        self.with_key(key, |key| {
            store.with_value_buffer(|list| {
                store.get(key, list)?;
                let appended = self.typed.envelope.lists.append(value, list, &store.serde_context(Role::Value));
                appended.map_err(|error| store.error(StoreError::serde(Role::Value)(error)))?;
                store.put(key, Some(list))
            })
        })
    }
}
