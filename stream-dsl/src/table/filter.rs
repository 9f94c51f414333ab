//! [`KTable::filter`].

use std::sync::Arc;

use super::KTable;
use super::map_values::Derived;

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// The rows for which `predicate` holds; a row for which it does not hold any more is deleted. Keeps no store of its own: look-ups
    /// go through to this table.
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filtered(move |key, value| predicate(key, value))
    }

    /// The rows for which `predicate` does not hold.
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filtered(move |key, value| !predicate(key, value))
    }

    fn filtered(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        let derive: Derived<K, V, V> = Arc::new(move |key, value| predicate(key, value).then(|| value.clone()));
        KTable { values: self.values.clone(), ..self.derived("KTABLE-FILTER-", derive) }
    }
}
