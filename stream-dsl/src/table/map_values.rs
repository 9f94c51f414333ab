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
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("in");
    /// balances.map_values_with_key(|account, balance| format!("{account}: {balance}")).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<i64>>("in");
    /// # let output = driver.create_output_topic::<String, Option<String>>("out");
    /// input.pipe_key_values([("ada".to_owned(), Some(3)), ("ada".to_owned(), None)])?;
    /// assert_eq!(output.read_values_to_list()?, [Some("ada: 3".to_owned()), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_with_key<V2: Clone + 'static, R: Into<Option<V2>>>(
        &self,
        mapper: impl Fn(&K, &V) -> R + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        self.mapped(mapper, &Named::default(), None)
    }

    /// As [`map_values_with_key`](Self::map_values_with_key), with a name.
    ///
    /// ```
    /// use stream_dsl::{KTable, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("in");
    /// // `None` leaves a row out, as a filter would. The table then needs a type.
    /// let in_euro = |_: &String, cents: &i64| (*cents >= 100).then_some(cents / 100);
    /// let euros: KTable<String, i64> = balances.map_values_named(in_euro, Named::new("in-euro"));
    /// euros.to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// input.pipe_key_values([("ada".to_owned(), 700), ("ada".to_owned(), 50)])?;
    /// assert_eq!(output.read_values_to_list()?, [Some(7), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_named<V2: Clone + 'static, R: Into<Option<V2>>>(
        &self,
        mapper: impl Fn(&K, &V) -> R + Send + Sync + 'static,
        named: Named,
    ) -> KTable<K, V2> {
        self.mapped(mapper, &named, None)
    }

    /// As [`map_values_with_key`](Self::map_values_with_key), with a store of its own if `materialized` names one; then it must name the
    /// value serde, too.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// use stream_state::TimestampedKeyValueStore;
    ///
    /// const LENGTHS: StoreName<TimestampedKeyValueStore<String, i64>> = StoreName::new("lengths");
    ///
    /// let builder = StreamsBuilder::new();
    /// let names: KTable<String, String> = builder.table("in");
    /// let store = Materialized::named(LENGTHS.as_str()).with_value_serde(Serdes::long());
    /// names.map_values_with(|_, name| name.len() as i64, store);
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_input("1".into(), "ada".into())?;
    /// // Kept as it was mapped: a look-up does not call the mapper again.
    /// assert_eq!(driver.state_store(&LENGTHS)?.get(&"1".into())?.map(|row| row.value), Some(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_values_with<V2: Clone + 'static, R: Into<Option<V2>>>(
        &self,
        mapper: impl Fn(&K, &V) -> R + Send + Sync + 'static,
        materialized: Materialized<K, V2>,
    ) -> KTable<K, V2> {
        self.mapped(mapper, &Named::default(), Some(materialized))
    }

    /// As [`map_values_with`](Self::map_values_with), with a name.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let names: KTable<String, String> = builder.table("names");
    /// let store = Materialized::named("lengths").with_value_serde(Serdes::long());
    /// names.map_values_named_with(|_, name| name.len() as i64, Named::new("length"), store);
    /// assert!(builder.build()?.describe().to_string().contains("Processor: length (stores: [lengths])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
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
