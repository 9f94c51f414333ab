//! [`KTable::join`] with a table of the same key.

use std::sync::Arc;

use super::KTable;
use super::joined::{JoinRows, Keeps};
use crate::options::{Materialized, Named};

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// Joins the rows of both tables that have the same key: a row per key that both have. A change of either side changes the result;
    /// its timestamp is the larger one of both rows. A joiner that gives `None` leaves the row out. A change of a key that the other
    /// side does not have is not told, not even a deletion; one of a key that it has always is, as a deletion where the row is gone.
    ///
    /// Without a named store, look-ups go through to both tables and call the joiner again. Both tables keep a store. Their topics must
    /// have equal partition counts. A table that is joined with a table derived from it is told every change twice.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (names, cities): (KTable<String, String>, KTable<String, String>) = (builder.table("names"), builder.table("cities"));
    /// names.join(&cities, |name, city| format!("{name} of {city}")).to_stream().to("people");
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: KTABLE-JOINTHIS-0000000007 (stores: [cities-STATE-STORE-0000000003])"));
    /// assert!(text.contains("Processor: KTABLE-MERGE-0000000006 (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn join<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, &V2) -> R + Send + Sync + 'static,
    ) -> KTable<K, VR> {
        self.join_named(other, joiner, Named::default())
    }

    /// As [`join`](Self::join), with a name: `name` for the operator that merges both sides, `<name>-join-this` and
    /// `<name>-join-other` for the sides.
    pub fn join_named<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, &V2) -> R + Send + Sync + 'static,
        named: Named,
    ) -> KTable<K, VR> {
        self.joined(other, Keeps::Neither, inner(joiner), &named, None)
    }

    /// As [`join`](Self::join), with a store of its own. `materialized` must name the value serde.
    pub fn join_with<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, &V2) -> R + Send + Sync + 'static,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR> {
        self.join_named_with(other, joiner, Named::default(), materialized)
    }

    /// As [`join_with`](Self::join_with), with a name.
    pub fn join_named_with<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, &V2) -> R + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR> {
        self.joined(other, Keeps::Neither, inner(joiner), &named, Some(materialized))
    }
}

fn inner<K, V: 'static, V2: 'static, VR, R: Into<Option<VR>>>(
    joiner: impl Fn(&V, &V2) -> R + Send + Sync + 'static,
) -> JoinRows<K, V, V2, VR> {
    Arc::new(move |_, this, other| joiner(this?, other?).into())
}
