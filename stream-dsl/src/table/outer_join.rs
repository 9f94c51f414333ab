//! [`KTable::outer_join`] with a table of the same key.

use std::sync::Arc;

use super::KTable;
use super::joined::{JoinRows, Keeps};
use crate::options::{Materialized, Named};

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// As [`join`](Self::join), with a row for every key of either table: the joiner takes `None` for the side that has none, never for
    /// both. When the last of both rows goes, the result is deleted. Both tables send old values.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (stock, orders): (KTable<String, i64>, KTable<String, i64>) = (builder.table("stock"), builder.table("orders"));
    /// let free = stock.outer_join(&orders, |stock, ordered| stock.unwrap_or(&0) - ordered.unwrap_or(&0));
    /// free.to_stream().to("free");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KTABLE-JOINTHIS-0000000007"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn outer_join<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(Option<&V>, Option<&V2>) -> R + Send + Sync + 'static,
    ) -> KTable<K, VR> {
        self.outer_join_named(other, joiner, Named::default())
    }

    /// As [`outer_join`](Self::outer_join), with a name: `name` for the operator that merges both sides, `<name>-join-this` and
    /// `<name>-join-other` for the sides.
    pub fn outer_join_named<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(Option<&V>, Option<&V2>) -> R + Send + Sync + 'static,
        named: Named,
    ) -> KTable<K, VR> {
        self.joined(other, Keeps::Both, outer(joiner), &named, None)
    }

    /// As [`outer_join`](Self::outer_join), with a store of its own. `materialized` must name the value serde.
    pub fn outer_join_with<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(Option<&V>, Option<&V2>) -> R + Send + Sync + 'static,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR> {
        self.outer_join_named_with(other, joiner, Named::default(), materialized)
    }

    /// As [`outer_join_with`](Self::outer_join_with), with a name.
    pub fn outer_join_named_with<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(Option<&V>, Option<&V2>) -> R + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR> {
        self.joined(other, Keeps::Both, outer(joiner), &named, Some(materialized))
    }
}

fn outer<K, V: 'static, V2: 'static, VR, R: Into<Option<VR>>>(
    joiner: impl Fn(Option<&V>, Option<&V2>) -> R + Send + Sync + 'static,
) -> JoinRows<K, V, V2, VR> {
    Arc::new(move |_, this, other| joiner(this, other).into())
}
