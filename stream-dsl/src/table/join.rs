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
    /// No change is late: the last one of a key wins. Of a versioned table those that are not of the latest version are left out.
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
    ///
    /// ```
    /// use stream_dsl::{KTable, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (names, cities): (KTable<String, String>, KTable<String, String>) = (builder.table("names"), builder.table("cities"));
    /// names.join_named(&cities, |name, city| format!("{name} of {city}"), Named::new("people")).to_stream().to("people");
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: people-join-this") && text.contains("Processor: people-join-other"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn join_named<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, &V2) -> R + Send + Sync + 'static,
        named: Named,
    ) -> KTable<K, VR> {
        self.joined(other, Keeps::Neither, inner(joiner), &named, None)
    }

    /// As [`join`](Self::join), with a store of its own. `materialized` must name the value serde.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (names, cities): (KTable<String, String>, KTable<String, String>) = (builder.table("in"), builder.table("cities"));
    /// let people = Materialized::named("people").with_value_serde(Serdes::string());
    /// names.join_with(&cities, |name, city| format!("{name} of {city}"), people).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<String>>("in");
    /// # let output = driver.create_output_topic::<String, Option<String>>("out");
    /// input.pipe_input("1".into(), Some("ada".into()))?; // no city yet: nothing is told
    /// driver.create_input_topic::<String, String>("cities").pipe_input("1".into(), "Bern".into())?;
    /// input.pipe_input("1".into(), None)?;
    /// assert_eq!(output.read_values_to_list()?, [Some("ada of Bern".to_owned()), None]);
    /// assert!(driver.store_rows("people")?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_with<V2: Clone + 'static, VR: Clone + 'static, R: Into<Option<VR>>>(
        &self,
        other: &KTable<K, V2>,
        joiner: impl Fn(&V, &V2) -> R + Send + Sync + 'static,
        materialized: Materialized<K, VR>,
    ) -> KTable<K, VR> {
        self.join_named_with(other, joiner, Named::default(), materialized)
    }

    /// As [`join_with`](Self::join_with), with a name.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (names, cities): (KTable<String, String>, KTable<String, String>) = (builder.table("names"), builder.table("cities"));
    /// let people = Materialized::named("people").with_value_serde(Serdes::string());
    /// names.join_named_with(&cities, |name, city| format!("{name} of {city}"), Named::new("with-city"), people);
    /// // The operator that merges both sides keeps the results.
    /// assert!(builder.build()?.describe().to_string().contains("Processor: with-city (stores: [people])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
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
