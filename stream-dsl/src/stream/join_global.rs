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
    pub fn left_join_global<KG: Clone + 'static, VG: Clone + 'static, VR: Clone + 'static, S: Into<Option<KG>>>(
        &self,
        table: &GlobalKTable<KG, VG>,
        key_selector: impl Fn(&K, &V) -> S + Send + Sync + 'static,
        joiner: impl Fn(&V, Option<&VG>) -> VR + Send + Sync + 'static,
    ) -> KStream<K, VR> {
        self.left_join_global_named(table, key_selector, move |_, _, value, row| joiner(value, row), Named::default())
    }

    /// As [`left_join_global`](Self::left_join_global), with a name; the joiner takes the stream's key and the row's key, too.
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
