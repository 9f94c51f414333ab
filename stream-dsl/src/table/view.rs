//! How joins look up a table.

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::Result;
use stream_core::processor::InitContext;
use stream_core::store::StoreName;
use stream_state::TimestampedKeyValueStore;

/// A table as a running join sees it.
pub(crate) trait TableView<K, V> {
    fn get(&self, key: &K) -> Result<Option<V>>;
}

/// Opens a view in a processor's `init`.
pub(crate) type OpenView<K, V> = Arc<dyn Fn(&InitContext<'_>) -> Result<Box<dyn TableView<K, V>>> + Send + Sync>;

/// A table that can be looked up.
pub(crate) trait Readable<K, V> {
    /// The names of the stores that a look-up reads. Asking makes a table keep a store that would do without.
    fn stores(&self) -> Vec<String>;

    /// How a task opens the view.
    fn opener(&self) -> OpenView<K, V>;
}

/// A table with a store of its own.
pub(crate) struct StoreView<K, V> {
    store: String,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> StoreView<K, V> {
    pub(crate) fn new(store: String) -> Self {
        Self { store, types: PhantomData }
    }
}

impl<K: 'static, V: 'static> Readable<K, V> for StoreView<K, V> {
    fn stores(&self) -> Vec<String> {
        vec![self.store.clone()]
    }

    fn opener(&self) -> OpenView<K, V> {
        let name = StoreName::<TimestampedKeyValueStore<K, V>>::from_string(self.store.clone());
        Arc::new(move |cx| Ok(Box::new(cx.store(&name)?)))
    }
}

impl<K: 'static, V: 'static> TableView<K, V> for TimestampedKeyValueStore<K, V> {
    fn get(&self, key: &K) -> Result<Option<V>> {
        Ok(self.get(key)?.map(|row| row.value))
    }
}
