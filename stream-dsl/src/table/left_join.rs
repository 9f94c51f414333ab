//! [`KTable::left_join`] with a table of the same key.

use std::sync::Arc;

use super::KTable;
use super::joined::{JoinRows, Keeps};
use crate::options::{Materialized, Named};

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// As [`join`](Self::join), with a row for every key of this table: where the other one has none the joiner takes `None`. This table
    /// sends old values, so that the deletion of a row that was not there is not told.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (names, cities): (KTable<String, String>, KTable<String, String>) = (builder.table("names"), builder.table("cities"));
    /// names.left_join(&cities, |name, city| format!("{name} of {}", city.map_or("nowhere", String::as_str))).to_stream().to("people");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KTABLE-JOINOTHER-0000000008"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn left_join<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, Option<&V2>) -> R + Send + Sync + 'static,
    ) -> KTable<K, VR> {
        self.left_join_named(other, joiner, Named::default())
    }

    /// As [`left_join`](Self::left_join), with a name: `name` for the operator that merges both sides, `<name>-join-this` and
    /// `<name>-join-other` for the sides.
    pub fn left_join_named<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, Option<&V2>) -> R + Send + Sync + 'static,
        named: Named,
    ) -> KTable<K, VR> {
        self.joined(other, Keeps::This, left(joiner), &named, None)
    }

    /// As [`left_join`](Self::left_join), with a store of its own. `materialized` must name the value serde.
    pub fn left_join_with<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, Option<&V2>) -> R + Send + Sync + 'static,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR> {
        self.left_join_named_with(other, joiner, Named::default(), materialized)
    }

    /// As [`left_join_with`](Self::left_join_with), with a name.
    pub fn left_join_named_with<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, Option<&V2>) -> R + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR> {
        self.joined(other, Keeps::This, left(joiner), &named, Some(materialized))
    }
}

fn left<K, V: 'static, V2: 'static, VR, R: Into<Option<VR>>>(
    joiner: impl Fn(&V, Option<&V2>) -> R + Send + Sync + 'static,
) -> JoinRows<K, V, V2, VR> {
    Arc::new(move |_, this, other| joiner(this?, other).into())
}
