//! [`KStream::join_global`] and [`KStream::left_join_global`].

use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::KStream;
use crate::options::Named;
use crate::plan::{Slot, upstream};
use crate::table::{GlobalKTable, OpenView, TableView};

/// The key of the table's row that belongs to a record; `None`: none does.
type KeySelector<K, V, KG> = Arc<dyn Fn(&K, &V) -> Option<KG> + Send + Sync>;

/// The result for a record, the key of its row and the row; `None`: it is left out.
type Joiner<K, V, KG, VG, VR> = Arc<dyn Fn(&K, Option<&KG>, &V, Option<&VG>) -> Option<VR> + Send + Sync>;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Looks up, for each record, the row of a global table whose key `key_selector` gives. Records without a row are left out; those for
    /// which there is no key (`None`) are dropped and counted. Only the stream triggers results; they have the stream record's timestamp.
    /// The stream's own key may be null. Neither side is repartitioned.
    ///
    /// No record is late: the row is that of now. The rows are the table's store.
    ///
    /// ```
    /// use stream_dsl::{GlobalKTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let cities: GlobalKTable<String, String> = builder.global_table("city-of-zip");
    /// let orders = builder.stream::<Option<String>, String>("zip-of-order");
    /// orders.join_global(&cities, |_, zip| zip.clone(), |zip, city| format!("{zip} {city}")).to("addresses");
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: KSTREAM-LEFTJOIN-0000000004 (stores: [])"));
    /// assert!(text.contains("Sub-topology: 0 for global store (will not generate tasks)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn join_global<KG: Clone + 'static, VG: Clone + 'static, VR: Clone + 'static, S: Into<Option<KG>>>(
        &self,
        table: &GlobalKTable<KG, VG>,
        key_selector: impl Fn(&K, &V) -> S + Send + Sync + 'static,
        joiner: impl Fn(&V, &VG) -> VR + Send + Sync + 'static,
    ) -> KStream<K, VR> {
        self.join_global_named(table, key_selector, move |_, _, value, row| joiner(value, row), Named::default())
    }

    /// As [`join_global`](Self::join_global), with a name; the joiner takes the stream's key and the row's key, too (KIP-1340).
    ///
    /// ```
    /// use stream_dsl::{GlobalKTable, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let cities: GlobalKTable<i64, String> = builder.global_table("cities");
    /// let visits = builder.stream::<String, i64>("in");
    /// let told = visits.join_global_named(
    ///     &cities,
    ///     |_, zip| *zip,
    ///     |who, zip, _, city| format!("{who} in {zip} {city}"),
    ///     Named::new("with-city"),
    /// );
    /// told.to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// driver.create_input_topic::<i64, String>("cities").pipe_input(8001, "Zürich".into())?;
    /// // A record without a row (here of 9000) is left out, and not counted as dropped.
    /// input.pipe_key_values([("ada".to_owned(), 8001), ("bob".to_owned(), 9000)])?;
    /// assert_eq!(output.read_values_to_list()?, ["ada in 8001 Zürich"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_global_named<KG: Clone + 'static, VG: Clone + 'static, VR: Clone + 'static, S: Into<Option<KG>>>(
        &self,
        table: &GlobalKTable<KG, VG>,
        key_selector: impl Fn(&K, &V) -> S + Send + Sync + 'static,
        joiner: impl Fn(&K, &KG, &V, &VG) -> VR + Send + Sync + 'static,
        named: Named,
    ) -> KStream<K, VR> {
        let selector: KeySelector<K, V, KG> = Arc::new(move |key, value| key_selector(key, value).into());
        let joiner: Joiner<K, V, KG, VG, VR> = Arc::new(move |key, row_key, value, row| Some(joiner(key, row_key?, value, row?)));
        self.joined_globally(table, false, selector, joiner, &named)
    }

    /// As [`join_global`](Self::join_global); a record without a row, or without a key to look one up, is joined with `None`.
    ///
    /// ```
    /// use stream_dsl::{GlobalKTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let cities: GlobalKTable<i64, String> = builder.global_table("cities");
    /// let visits = builder.stream::<String, Option<i64>>("in");
    /// // `None` of the selector: there is no key to look up. That is no reason to drop the record here.
    /// visits.left_join_global(&cities, |_, zip| *zip, |zip, city: Option<&String>| format!("{zip:?} {city:?}")).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<i64>>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// input.pipe_key_values([("ada".to_owned(), Some(8001)), ("bob".to_owned(), None)])?;
    /// assert_eq!(output.read_values_to_list()?, ["Some(8001) None", "None None"]);
    /// assert!(driver.dropped_records().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_global<KG: Clone + 'static, VG: Clone + 'static, VR: Clone + 'static, S: Into<Option<KG>>>(
        &self,
        table: &GlobalKTable<KG, VG>,
        key_selector: impl Fn(&K, &V) -> S + Send + Sync + 'static,
        joiner: impl Fn(&V, Option<&VG>) -> VR + Send + Sync + 'static,
    ) -> KStream<K, VR> {
        self.left_join_global_named(table, key_selector, move |_, _, value, row| joiner(value, row), Named::default())
    }

    /// As [`left_join_global`](Self::left_join_global), with a name; the joiner takes the stream's key and the row's key, too.
    ///
    /// ```
    /// use stream_dsl::{GlobalKTable, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let cities: GlobalKTable<i64, String> = builder.global_table("cities");
    /// let visits = builder.stream::<String, i64>("in");
    /// let told = visits.left_join_global_named(
    ///     &cities,
    ///     |_, zip| *zip,
    ///     |who, zip: Option<&i64>, _, city| format!("{who} in {zip:?} {}", city.map_or("?", String::as_str)),
    ///     Named::new("with-city"),
    /// );
    /// told.to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// input.pipe_input("ada".into(), 9000)?;
    /// assert_eq!(output.read_value()?, "ada in Some(9000) ?");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_global_named<KG: Clone + 'static, VG: Clone + 'static, VR: Clone + 'static, S: Into<Option<KG>>>(
        &self,
        table: &GlobalKTable<KG, VG>,
        key_selector: impl Fn(&K, &V) -> S + Send + Sync + 'static,
        joiner: impl Fn(&K, Option<&KG>, &V, Option<&VG>) -> VR + Send + Sync + 'static,
        named: Named,
    ) -> KStream<K, VR> {
        let selector: KeySelector<K, V, KG> = Arc::new(move |key, value| key_selector(key, value).into());
        let joiner: Joiner<K, V, KG, VG, VR> = Arc::new(move |key, row_key, value, row| Some(joiner(key, row_key, value, row)));
        self.joined_globally(table, true, selector, joiner, &named)
    }

    fn joined_globally<KG: Clone + 'static, VG: Clone + 'static, VR: Clone + 'static>(
        &self,
        table: &GlobalKTable<KG, VG>,
        keeps: bool,
        selector: KeySelector<K, V, KG>,
        joiner: Joiner<K, V, KG, VG, VR>,
        named: &Named,
    ) -> KStream<K, VR> {
        // Kafka Streams names both kinds alike.
        let name = self.plan.name_or(named.get(), "KSTREAM-LEFTJOIN-");
        let (slot, open) = (Slot::new(), table.opener());
        {
            let (node, name, parent) = (slot.clone(), name.clone(), Rc::clone(&self.upstream));
            self.plan.add(move |topology| {
                node.set(topology.add_processor(&name, &[&parent()?], move || GlobalJoin {
                    selector: Arc::clone(&selector),
                    joiner: Arc::clone(&joiner),
                    keeps,
                    open: Arc::clone(&open),
                    table: None,
                })?);
                Ok(())
            });
        }
        let stream = KStream::new(&self.plan, name, upstream(&slot), self.topics.clone()).with_serdes(self.keys.clone(), None);
        KStream { needs_repartition: self.needs_repartition, null_keys: self.null_keys.clone(), ..stream }
    }
}

struct GlobalJoin<K, V, KG, VG, VR> {
    selector: KeySelector<K, V, KG>,
    joiner: Joiner<K, V, KG, VG, VR>,
    keeps: bool,
    open: OpenView<KG, VG>,
    table: Option<Box<dyn TableView<KG, VG>>>,
}

impl<K, V, KG, VG, VR> Processor for GlobalJoin<K, V, KG, VG, VR>
where
    K: Clone + 'static,
    V: Clone + 'static,
    KG: Clone + 'static,
    VG: Clone + 'static,
    VR: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = VR;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.table = Some((self.open)(cx)?);
        Ok(())
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, VR>) -> Result<(), BoxError> {
        let table = self.table.as_ref().ok_or("the join is not initialised")?;
        let row_key = (self.selector)(&record.key, &record.value);
        if row_key.is_none() && !self.keeps {
            // Trap T63.
            cx.drop_record("no key for the global table");
            return Ok(());
        }
        let row = row_key.as_ref().map_or(Ok(None), |key| table.get(key))?;
        match (self.joiner)(&record.key, row_key.as_ref(), &record.value, row.as_ref().map(|row| &row.value)) {
            Some(joined) => Ok(cx.forward(record.with_value(joined))?),
            None => Ok(()),
        }
    }
}
