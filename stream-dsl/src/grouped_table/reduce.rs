//! [`KGroupedTable::reduce`].

use stream_core::serdes::DefaultSerde;

use super::KGroupedTable;
use crate::options::{Materialized, Named};
use crate::table::KTable;

impl<K: Clone + 'static, V: Clone + 'static> KGroupedTable<K, V> {
    /// Combines the values of each group: the first value is the first aggregate; `adder` takes the aggregate so far and a value that
    /// comes, `subtractor` the aggregate and a value that leaves. Each gives the next aggregate, or `None` to delete it.
    ///
    /// A deleted row leaves its group. No change is late. The aggregates are a key-value store with a changelog.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("balances");
    /// let totals = balances.group_by(|account, balance| (account[..2].to_owned(), *balance)).reduce(|sum, new| sum + new, |sum, old| sum - old);
    /// totals.to_stream().to("totals");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KTABLE-REDUCE-0000000007"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn reduce<A: Into<Option<V>>, S: Into<Option<V>>>(
        &self,
        adder: impl Fn(V, V) -> A + Send + Sync + 'static,
        subtractor: impl Fn(V, V) -> S + Send + Sync + 'static,
    ) -> KTable<K, V>
    where
        V: DefaultSerde,
    {
        self.reduce_with(adder, subtractor, Materialized::default())
    }

    /// As [`reduce`](Self::reduce), with a named or configured store.
    ///
    /// ```
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("in");
    /// let by_bank = balances.group_by(|account, balance| (account[..2].to_owned(), *balance));
    /// // A subtractor that gives `None` deletes the group's row.
    /// let less = |sum: i64, old: i64| Some(sum - old).filter(|sum| *sum != 0);
    /// by_bank.reduce_with(|sum, new| sum + new, less, Materialized::named("totals")).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<i64>>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// for (account, balance) in [("CH1", Some(5)), ("CH2", Some(3)), ("CH1", None), ("CH2", None)] {
    ///     input.pipe_input(account.into(), balance)?;
    /// }
    /// assert_eq!(output.read_values_to_list()?, [Some(5), Some(8), Some(3), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce_with<A: Into<Option<V>>, S: Into<Option<V>>>(
        &self,
        adder: impl Fn(V, V) -> A + Send + Sync + 'static,
        subtractor: impl Fn(V, V) -> S + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V> {
        self.reduce_named_with(adder, subtractor, Named::default(), materialized)
    }

    /// As [`reduce_with`](Self::reduce_with), with a name.
    ///
    /// ```
    /// use stream_dsl::{KTable, Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("balances");
    /// let by_bank = balances.group_by(|account, balance| (account[..2].to_owned(), *balance));
    /// by_bank.reduce_named_with(|sum, new| sum + new, |sum, old| sum - old, Named::new("sum"), Materialized::named("totals"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: sum (stores: [totals])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn reduce_named_with<A: Into<Option<V>>, S: Into<Option<V>>>(
        &self,
        adder: impl Fn(V, V) -> A + Send + Sync + 'static,
        subtractor: impl Fn(V, V) -> S + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V> {
        let values = materialized.values.clone().unwrap_or_else(|| self.grouped.values.clone());
        let add = move |_: &K, value: V, sum: Option<V>| match sum {
            Some(sum) => adder(sum, value).into(),
            None => Some(value),
        };
        self.folded("KTABLE-REDUCE-", &named, materialized.with_value_serde(values), add, move |_, value, sum| {
            subtractor(sum, value).into()
        })
    }
}
