//! [`KTable::filter`] and [`KTable::filter_not`].

use super::KTable;
use super::derived::{Derivation, by_function};
use crate::options::{Materialized, Named};

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// The rows for which `predicate` holds; a row for which it does not hold any more is deleted. The key stays.
    ///
    /// Without a named store, look-ups go through to this table. Where this table has no store either, a value that does not pass is
    /// told as a deletion although the row may never have been there; with one, only rows that were there are deleted.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("balances");
    /// balances.filter(|_, balance| *balance < 0).to_stream().to("overdrawn");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KTABLE-FILTER-0000000003 (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filtered(predicate, true, &Named::default(), None)
    }

    /// As [`filter`](Self::filter), with a name.
    pub fn filter_named(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static, named: Named) -> Self {
        self.filtered(predicate, true, &named, None)
    }

    /// As [`filter`](Self::filter), with a store of its own if `materialized` names one.
    pub fn filter_with(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static, materialized: Materialized<K, V>) -> Self {
        self.filtered(predicate, true, &Named::default(), Some(materialized))
    }

    /// As [`filter_with`](Self::filter_with), with a name.
    pub fn filter_named_with(
        &self,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, V>,
    ) -> Self {
        self.filtered(predicate, true, &named, Some(materialized))
    }

    /// The rows for which `predicate` does not hold; otherwise as [`filter`](Self::filter).
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filtered(predicate, false, &Named::default(), None)
    }

    /// As [`filter_not`](Self::filter_not), with a name.
    pub fn filter_not_named(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static, named: Named) -> Self {
        self.filtered(predicate, false, &named, None)
    }

    /// As [`filter_not`](Self::filter_not), with a store of its own if `materialized` names one.
    pub fn filter_not_with(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static, materialized: Materialized<K, V>) -> Self {
        self.filtered(predicate, false, &Named::default(), Some(materialized))
    }

    /// As [`filter_not_with`](Self::filter_not_with), with a name.
    pub fn filter_not_named_with(
        &self,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, V>,
    ) -> Self {
        self.filtered(predicate, false, &named, Some(materialized))
    }

    fn filtered(
        &self,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
        keep: bool,
        named: &Named,
        materialized: Option<Materialized<K, V>>,
    ) -> Self {
        let derivation = Derivation {
            prefix: "KTABLE-FILTER-",
            supplier: by_function(move |key: &K, value: &V| (predicate(key, value) == keep).then(|| value.clone())),
            skips_absent: true,
            values: self.values.clone(),
            stores: &[],
            takes_store_number: true,
        };
        self.derived(derivation, named, materialized)
    }
}
