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
    /// A deletion is passed on and not shown to the predicate.
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
    ///
    /// ```
    /// use stream_dsl::{KTable, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("balances");
    /// balances.filter_named(|_, balance| *balance < 0, Named::new("overdrawn")).to_stream().to("overdrawn");
    /// // A name makes no store: that is for `Materialized` to say.
    /// assert!(builder.build()?.describe().to_string().contains("Processor: overdrawn (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn filter_named(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static, named: Named) -> Self {
        self.filtered(predicate, true, &named, None)
    }

    /// As [`filter`](Self::filter), with a store of its own if `materialized` names one.
    ///
    /// ```
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// use stream_state::TimestampedKeyValueStore;
    ///
    /// const OVERDRAWN: StoreName<TimestampedKeyValueStore<String, i64>> = StoreName::new("overdrawn");
    ///
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("in");
    /// balances.filter_with(|_, balance| *balance < 0, Materialized::named(OVERDRAWN.as_str()));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<i64>>("in");
    /// input.pipe_key_values([("ada".to_owned(), Some(-5)), ("bob".to_owned(), Some(-3)), ("ada".to_owned(), Some(7))])?;
    /// let overdrawn = driver.state_store(&OVERDRAWN)?;
    /// assert_eq!(overdrawn.get(&"bob".into())?.map(|row| row.value), Some(-3));
    /// assert!(overdrawn.get(&"ada".into())?.is_none(), "she does not pass any more");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_with(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static, materialized: Materialized<K, V>) -> Self {
        self.filtered(predicate, true, &Named::default(), Some(materialized))
    }

    /// As [`filter_with`](Self::filter_with), with a name.
    ///
    /// ```
    /// use stream_dsl::{KTable, Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("balances");
    /// balances.filter_named_with(|_, balance| *balance < 0, Named::new("is-overdrawn"), Materialized::named("overdrawn"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: is-overdrawn (stores: [overdrawn])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn filter_named_with(
        &self,
        predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, V>,
    ) -> Self {
        self.filtered(predicate, true, &named, Some(materialized))
    }

    /// The rows for which `predicate` does not hold; otherwise as [`filter`](Self::filter).
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("in");
    /// balances.filter_not(|_, balance| *balance == 0).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// input.pipe_key_values([("ada".to_owned(), 5), ("ada".to_owned(), 0)])?;
    /// // A row that the predicate now takes away is a deletion.
    /// assert_eq!(output.read_values_to_list()?, [Some(5), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filtered(predicate, false, &Named::default(), None)
    }

    /// As [`filter_not`](Self::filter_not), with a name.
    ///
    /// ```
    /// use stream_dsl::{KTable, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("balances");
    /// balances.filter_not_named(|_, balance| *balance == 0, Named::new("not-empty")).to_stream().to("not-empty");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: not-empty (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn filter_not_named(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static, named: Named) -> Self {
        self.filtered(predicate, false, &named, None)
    }

    /// As [`filter_not`](Self::filter_not), with a store of its own if `materialized` names one.
    ///
    /// ```
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("in");
    /// balances.filter_not_with(|_, balance| *balance == 0, Materialized::named("not-empty")).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// input.pipe_input("ada".into(), 0)?;
    /// // With a store of its own the table knows that there was no row: nothing is deleted, nothing is told.
    /// assert!(output.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_not_with(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static, materialized: Materialized<K, V>) -> Self {
        self.filtered(predicate, false, &Named::default(), Some(materialized))
    }

    /// As [`filter_not_with`](Self::filter_not_with), with a name.
    ///
    /// ```
    /// use stream_dsl::{KTable, Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("balances");
    /// balances.filter_not_named_with(|_, balance| *balance == 0, Named::new("is-not-empty"), Materialized::named("not-empty"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: is-not-empty (stores: [not-empty])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
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
