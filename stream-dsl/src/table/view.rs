//! How the operators below a table read it: look-ups by key, and old values on demand.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::InitContext;
use stream_core::store::StoreName;
use stream_core::{Error, Result};
use stream_state::{SessionStore, TimestampedKeyValueStore, TimestampedWindowStore, ValueAndTimestamp};

use super::table_store::TableStore;
use crate::window::Windowed;

/// A table as a running operator sees it.
pub(crate) trait TableView<K, V> {
    fn get(&self, key: &K) -> Result<Option<ValueAndTimestamp<V>>>;

    /// The row as of a time (ms), where the table is versioned; else the latest.
    fn get_as_of(&self, key: &K, _timestamp: i64) -> Result<Option<ValueAndTimestamp<V>>> {
        self.get(key)
    }
}

/// Opens a view in a processor's `init`.
pub(crate) type OpenView<K, V> = Arc<dyn Fn(&InitContext<'_>) -> Result<Box<dyn TableView<K, V>>> + Send + Sync>;

/// What the operators below a table may ask of it while the program is recorded.
pub(crate) trait TableNode<K, V> {
    /// The names of the stores that a look-up reads. Asking makes a table keep a store that would do without.
    fn stores(&self) -> Vec<String>;

    /// How a task opens the view.
    fn opener(&self) -> OpenView<K, V>;

    /// Whether rows keep their history, so that changes can come out of order (KIP-914).
    fn is_versioned(&self) -> bool {
        false
    }

    /// Makes every [`Change`](super::Change) carry the old value. A table without a store makes one when `force` is set, and answers
    /// `false` when it is not (trap T70).
    fn send_old_values(&self, force: bool) -> bool;

    /// How long behind a window's end its row may still change, ms; `None` where rows are not those of windows that close.
    fn window_grace_ms(&self) -> Option<i64> {
        None
    }
}

/// Whether a table sends old values; known when the plan is complete, which is before it is lowered.
#[derive(Clone, Debug, Default)]
pub(crate) struct OldValues(Rc<Cell<bool>>);

impl OldValues {
    pub(crate) fn send(&self) {
        self.0.set(true);
    }

    pub(crate) fn are_sent(&self) -> bool {
        self.0.get()
    }
}

/// A table with a key-value store of its own.
pub(crate) struct StoredTable {
    pub(crate) store: String,
    pub(crate) is_versioned: bool,
    pub(crate) old_values: OldValues,
}

impl<K: 'static, V: 'static> TableNode<K, V> for StoredTable {
    fn is_versioned(&self) -> bool {
        self.is_versioned
    }

    fn stores(&self) -> Vec<String> {
        vec![self.store.clone()]
    }

    fn opener(&self) -> OpenView<K, V> {
        key_value_view(&self.store)
    }

    fn send_old_values(&self, _force: bool) -> bool {
        self.old_values.send();
        true
    }
}

/// A view of a key-value store.
pub(crate) fn key_value_view<K: 'static, V: 'static>(store: &str) -> OpenView<K, V> {
    let name = StoreName::<TimestampedKeyValueStore<K, V>>::from_string(store);
    Arc::new(move |cx| Ok(Box::new(TableStore::open(cx, &name)?)))
}

impl<K: 'static, V: 'static> TableView<K, V> for TableStore<K, V> {
    fn get_as_of(&self, key: &K, timestamp: i64) -> Result<Option<ValueAndTimestamp<V>>> {
        self.get_as_of(key, timestamp)
    }

    fn get(&self, key: &K) -> Result<Option<ValueAndTimestamp<V>>> {
        self.get(key)
    }
}

/// A table with a window store of its own.
pub(crate) struct WindowedTable {
    pub(crate) store: String,
    pub(crate) old_values: OldValues,
    pub(crate) grace_ms: i64,
}

impl<K: 'static, V: 'static> TableNode<Windowed<K>, V> for WindowedTable {
    fn stores(&self) -> Vec<String> {
        vec![self.store.clone()]
    }

    fn opener(&self) -> OpenView<Windowed<K>, V> {
        let name = StoreName::<TimestampedWindowStore<K, V>>::from_string(self.store.clone());
        Arc::new(move |cx| Ok(Box::new(cx.store(&name)?)))
    }

    fn send_old_values(&self, _force: bool) -> bool {
        self.old_values.send();
        true
    }

    fn window_grace_ms(&self) -> Option<i64> {
        Some(self.grace_ms)
    }
}

impl<K: 'static, V: 'static> TableView<Windowed<K>, V> for TimestampedWindowStore<K, V> {
    fn get(&self, key: &Windowed<K>) -> Result<Option<ValueAndTimestamp<V>>> {
        self.get(&key.key, key.window.start_ms())
    }
}

/// A table with a session store of its own.
pub(crate) struct SessionTableNode {
    pub(crate) store: String,
    pub(crate) old_values: OldValues,
    /// Gap and grace.
    pub(crate) grace_ms: i64,
}

impl<K: 'static, V: 'static> TableNode<Windowed<K>, V> for SessionTableNode {
    fn stores(&self) -> Vec<String> {
        vec![self.store.clone()]
    }

    fn opener(&self) -> OpenView<Windowed<K>, V> {
        let name = StoreName::<SessionStore<K, V>>::from_string(self.store.clone());
        Arc::new(move |cx| Ok(Box::new(cx.store(&name)?)))
    }

    fn send_old_values(&self, _force: bool) -> bool {
        self.old_values.send();
        true
    }

    fn window_grace_ms(&self) -> Option<i64> {
        Some(self.grace_ms)
    }
}

impl<K: 'static, V: 'static> TableView<Windowed<K>, V> for SessionStore<K, V> {
    fn get(&self, key: &Windowed<K>) -> Result<Option<ValueAndTimestamp<V>>> {
        let end = key.window.end_ms();
        Ok(self.get(&key.key, key.window.start_ms(), end)?.map(|value| ValueAndTimestamp::new(value, end)))
    }
}

/// Stands for a table whose mistake was noted; the topology that holds it is never built.
pub(crate) struct RefusedTable;

impl<K: 'static, V: 'static> TableNode<K, V> for RefusedTable {
    fn stores(&self) -> Vec<String> {
        Vec::new()
    }

    fn opener(&self) -> OpenView<K, V> {
        Arc::new(|_| Err(Error::internal("a table that was refused is running")))
    }

    fn send_old_values(&self, _force: bool) -> bool {
        true
    }
}
