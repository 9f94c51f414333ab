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
    ///
    /// ```
    /// use stream_dsl::{KTable, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (names, cities): (KTable<String, String>, KTable<String, String>) = (builder.table("in"), builder.table("cities"));
    /// let tell = |name: &String, city: Option<&String>| format!("{name} of {}", city.map_or("nowhere", String::as_str));
    /// names.left_join_named(&cities, tell, Named::new("people")).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, Option<String>>("out");
    /// let mut cities = driver.create_input_topic::<String, Option<String>>("cities");
    /// input.pipe_input("1".into(), "ada".into())?;
    /// cities.pipe_input("1".into(), Some("Bern".into()))?;
    /// cities.pipe_input("1".into(), None)?;
    /// cities.pipe_input("2".into(), Some("Rome".into()))?; // nobody is there: nothing is told
    /// let told: Vec<Option<String>> = output.read_values_to_list()?;
    /// let told: Vec<&str> = told.iter().flatten().map(String::as_str).collect();
    /// assert_eq!(told, ["ada of nowhere", "ada of Bern", "ada of nowhere"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_named<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, Option<&V2>) -> R + Send + Sync + 'static,
        named: Named,
    ) -> KTable<K, VR> {
        self.joined(other, Keeps::This, left(joiner), &named, None)
    }

    /// As [`left_join`](Self::left_join), with a store of its own. `materialized` must name the value serde.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// use stream_state::TimestampedKeyValueStore;
    ///
    /// const PEOPLE: StoreName<TimestampedKeyValueStore<String, String>> = StoreName::new("people");
    ///
    /// let builder = StreamsBuilder::new();
    /// let (names, cities): (KTable<String, String>, KTable<String, String>) = (builder.table("in"), builder.table("cities"));
    /// let people = Materialized::named(PEOPLE.as_str()).with_value_serde(Serdes::string());
    /// names.left_join_with(&cities, |name, city: Option<&String>| format!("{name} {city:?}"), people);
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_input_at("1".into(), "ada".into(), 5)?;
    /// driver.create_input_topic::<String, String>("cities").pipe_input_at("1".into(), "Bern".into(), 3)?;
    /// let row = driver.state_store(&PEOPLE)?.get(&"1".into())?.ok_or("there is a row")?;
    /// // The time of a result is the larger one of both rows.
    /// assert_eq!((row.value.as_str(), row.timestamp), ("ada Some(\"Bern\")", 5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_with<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, Option<&V2>) -> R + Send + Sync + 'static,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR> {
        self.left_join_named_with(other, joiner, Named::default(), materialized)
    }

    /// As [`left_join_with`](Self::left_join_with), with a name.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (names, cities): (KTable<String, String>, KTable<String, String>) = (builder.table("names"), builder.table("cities"));
    /// let people = Materialized::named("people").with_value_serde(Serdes::string());
    /// names.left_join_named_with(&cities, |name, city: Option<&String>| format!("{name} {city:?}"), Named::new("with-city"), people);
    /// assert!(builder.build()?.describe().to_string().contains("Processor: with-city (stores: [people])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
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
