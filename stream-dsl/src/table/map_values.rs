//! [`KTable::map_values`] and [`KTable::map_values_with_key`].

use super::KTable;
use super::derived::{Derivation, by_function};
use crate::options::{Materialized, Named};

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// Another value for each row, or `None` to leave the row out. The key stays; a deletion stays a deletion, the mapper is not called
    /// for it (trap T71). Without a named store, look-ups go through to this table and call the mapper again.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let names: KTable<String, String> = builder.table("names");
    /// names.map_values(|name| name.to_uppercase()).to_stream().to("loud");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KTABLE-MAPVALUES-0000000003 (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn map_values<V2: Clone + 'static, R: Into<Option<V2>>>(&self, mapper: impl Fn(&V) -> R + Send + Sync + 'static) -> KTable<K, V2> {
        self.mapped(move |_, value| mapper(value), &Named::default(), None)
    }

    /// As [`map_values`](Self::map_values); the mapper sees the key.
    pub fn map_values_with_key<V2: Clone + 'static, R: Into<Option<V2>>>(
        &self,
        mapper: impl Fn(&K, &V) -> R + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.mapped(mapper, &Named::default(), None)
    }

    /// As [`map_values_with_key`](Self::map_values_with_key), with a name.
    pub fn map_values_named<V2: Clone + 'static, R: Into<Option<V2>>>(
        &self,
        mapper: impl Fn(&K, &V) -> R + Send + Sync + 'static,
        named: Named,
    ) -> KTable<K, V2> {
        self.mapped(mapper, &named, None)
    }

    /// As [`map_values_with_key`](Self::map_values_with_key), with a store of its own if `materialized` names one; then it must name the
    /// value serde, too.
    pub fn map_values_with<V2: Clone + 'static, R: Into<Option<V2>>>(
        &self,
        mapper: impl Fn(&K, &V) -> R + Send + Sync + 'static,
        materialized: Materialized<K, V2>,
    ) -> KTable<K, V2> {
        self.mapped(mapper, &Named::default(), Some(materialized))
    }

    /// As [`map_values_with`](Self::map_values_with), with a name.
    pub fn map_values_named_with<V2: Clone + 'static, R: Into<Option<V2>>>(
        &self,
        mapper: impl Fn(&K, &V) -> R + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, V2>,
    ) -> KTable<K, V2> {
        self.mapped(mapper, &named, Some(materialized))
    }

    fn mapped<V2: Clone + 'static, R: Into<Option<V2>>>(
        &self,
        mapper: impl Fn(&K, &V) -> R + Send + Sync + 'static,
        named: &Named,
        materialized: Option<Materialized<K, V2>>,
    ) -> KTable<K, V2> {
        let derivation = Derivation {
            prefix: "KTABLE-MAPVALUES-",
            supplier: by_function(move |key: &K, value: &V| mapper(key, value).into()),
            skips_absent: false,
            values: None,
            stores: &[],
            takes_store_number: true,
        };
        self.derived(derivation, named, materialized)
    }
}
