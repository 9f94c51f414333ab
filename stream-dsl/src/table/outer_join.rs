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
    ///
    /// ```
    /// use stream_dsl::{KTable, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (stock, orders): (KTable<String, i64>, KTable<String, i64>) = (builder.table("in"), builder.table("orders"));
    /// let free = |stock: Option<&i64>, ordered: Option<&i64>| stock.unwrap_or(&0) - ordered.unwrap_or(&0);
    /// stock.outer_join_named(&orders, free, Named::new("free")).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<i64>>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// let mut orders = driver.create_input_topic::<String, Option<i64>>("orders");
    /// orders.pipe_input("tea".into(), Some(2))?;
    /// input.pipe_input("tea".into(), Some(5))?;
    /// orders.pipe_input("tea".into(), None)?;
    /// input.pipe_input("tea".into(), None)?; // now neither table has the key
    /// assert_eq!(output.read_values_to_list()?, [Some(-2), Some(3), Some(5), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outer_join_named<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(Option<&V>, Option<&V2>) -> R + Send + Sync + 'static,
        named: Named,
    ) -> KTable<K, VR> {
        self.joined(other, Keeps::Both, outer(joiner), &named, None)
    }

    /// As [`outer_join`](Self::outer_join), with a store of its own. `materialized` must name the value serde.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (stock, orders): (KTable<String, i64>, KTable<String, i64>) = (builder.table("in"), builder.table("orders"));
    /// // A joiner that gives `None` leaves the row out: here what is sold out.
    /// let free = |stock: Option<&i64>, ordered: Option<&i64>| Some(stock.unwrap_or(&0) - ordered.unwrap_or(&0)).filter(|free| *free > 0);
    /// stock.outer_join_with(&orders, free, Materialized::named("free").with_value_serde(Serdes::long()));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// input.pipe_key_values([("tea".to_owned(), 5), ("milk".to_owned(), 3)])?;
    /// driver.create_input_topic::<String, i64>("orders").pipe_input("tea".into(), 5)?;
    /// assert_eq!(driver.store_rows("free")?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outer_join_with<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(Option<&V>, Option<&V2>) -> R + Send + Sync + 'static,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR> {
        self.outer_join_named_with(other, joiner, Named::default(), materialized)
    }

    /// As [`outer_join_with`](Self::outer_join_with), with a name.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (stock, orders): (KTable<String, i64>, KTable<String, i64>) = (builder.table("stock"), builder.table("orders"));
    /// let free = |stock: Option<&i64>, ordered: Option<&i64>| stock.unwrap_or(&0) - ordered.unwrap_or(&0);
    /// stock.outer_join_named_with(&orders, free, Named::new("count"), Materialized::named("free").with_value_serde(Serdes::long()));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: count (stores: [free])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
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
