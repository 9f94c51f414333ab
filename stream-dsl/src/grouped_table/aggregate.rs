//! [`KGroupedTable::aggregate`], and the processor of all aggregations of tables.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::serdes::DefaultSerde;
use stream_core::store::StoreName;
use stream_core::{BoxError, Record};
use stream_state::TimestampedKeyValueStore;

use super::KGroupedTable;
use crate::options::{Materialized, Named};
use crate::plan::{Slot, upstream};
use crate::table::table_store::{Put, TableStore};
use crate::table::{Change, KTable, OldValues, StoredTable, TableForwarder, store};

impl<K: Clone + 'static, V: Clone + 'static> KGroupedTable<K, V> {
    /// Aggregates the values of each group: `init` makes the first aggregate, `adder` takes key, value that comes and aggregate so far,
    /// `subtractor` key, value that leaves and aggregate. Each gives the next aggregate, or `None` to delete it. Of a row that changes
    /// within its group the old value is subtracted first; what is between is not told. The timestamp of a result is the largest of its
    /// values.
    ///
    /// A deleted row leaves its group. No change is late. The aggregates are a key-value store with a changelog.
    ///
    /// ```
    /// use stream_dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let stock: KTable<String, i64> = builder.table("stock");
    /// stock
    ///     .group_by(|item, pieces| (item[..1].to_owned(), *pieces))
    ///     .aggregate(|| 0_i64, |_, pieces, sum| sum + pieces, |_, pieces, sum| sum - pieces)
    ///     .to_stream()
    ///     .to("pieces");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KTABLE-AGGREGATE-0000000007"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn aggregate<A, R, S>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        adder: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        subtractor: impl Fn(&K, V, A) -> S + Send + Sync + 'static,
    ) -> KTable<K, A>
    where
        A: DefaultSerde + Clone,
        R: Into<Option<A>>,
        S: Into<Option<A>>,
    {
        self.aggregate_with(init, adder, subtractor, Materialized::default().with_value_serde(A::default_serde()))
    }

    /// As [`aggregate`](Self::aggregate), with a named or configured store. `materialized` must name the value serde.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let stock: KTable<String, i64> = builder.table("in");
    /// let store = Materialized::named("pieces").with_value_serde(Serdes::long());
    /// let by_letter = stock.group_by(|item, pieces| (item[..1].to_owned(), *pieces));
    /// by_letter.aggregate_with(|| 0, |_, pieces, sum| sum + pieces, |_, pieces, sum| sum - pieces, store).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<i64>>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// for (item, pieces) in [("tea", Some(5)), ("toast", Some(2)), ("tea", Some(9)), ("toast", None)] {
    ///     input.pipe_input(item.into(), pieces)?;
    /// }
    /// // Of the change from 5 to 9 one result is told, not the 2 between.
    /// assert_eq!(output.read_values_to_list()?, [Some(5), Some(7), Some(11), Some(9)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate_with<A, R, S>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        adder: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        subtractor: impl Fn(&K, V, A) -> S + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<K, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
        S: Into<Option<A>>,
    {
        self.aggregate_named_with(init, adder, subtractor, Named::default(), materialized)
    }

    /// As [`aggregate_with`](Self::aggregate_with), with a name.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Grouped, KTable, Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let stock: KTable<String, i64> = builder.table("stock");
    /// let by_letter = stock.group_by_with(|item, pieces| (item[..1].to_owned(), *pieces), Grouped::named("by-letter"));
    /// let store = Materialized::named("pieces").with_value_serde(Serdes::long());
    /// by_letter.aggregate_named_with(|| 0, |_, new, sum| sum + new, |_, old, sum| sum - old, Named::new("sum"), store);
    /// // Three names that stay: the operator's, the store's with its changelog, and the repartition topic's.
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: sum (stores: [pieces])") && text.contains("(topic: by-letter-repartition)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn aggregate_named_with<A, R, S>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        adder: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        subtractor: impl Fn(&K, V, A) -> S + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, A>,
    ) -> KTable<K, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
        S: Into<Option<A>>,
    {
        let add = move |key: &K, value: V, sum: Option<A>| adder(key, value, sum.unwrap_or_else(&init)).into();
        self.folded("KTABLE-AGGREGATE-", &named, materialized, add, move |key, value, sum| subtractor(key, value, sum).into())
    }

    /// Any aggregation: `add` gives the next aggregate, from the one so far if there is one; `subtract` is only asked when there is one.
    pub(super) fn folded<A: Clone + 'static>(
        &self,
        prefix: &str,
        named: &Named,
        materialized: Materialized<K, A>,
        add: impl Fn(&K, V, Option<A>) -> Option<A> + Send + Sync + 'static,
        subtract: impl Fn(&K, V, A) -> Option<A> + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let plan = &self.plan;
        // The store of a reduction, too, is named as an aggregate's.
        let store_name = plan.resource_name_or(materialized.name.as_deref(), "KTABLE-AGGREGATE-STATE-STORE-");
        let node_names = self.node_names(named.get());
        let name = plan.name_or(named.get(), prefix);
        let keys = materialized.keys.clone().unwrap_or_else(|| self.keys());
        let Some(values) = store::value_serde(plan, &store_name, &materialized) else {
            return KTable::refused(plan, name);
        };
        let regrouped = self.regrouped(node_names, &store_name);
        let is_versioned = materialized.is_versioned();
        let factory = store::key_value(&store_name, &materialized, &keys, &values);
        let (slot, old_values) = (Slot::new(), OldValues::default());
        {
            let (node, name, changes) = (slot.clone(), name.clone(), Rc::clone(&regrouped.changes));
            let (handle, old_values) = (StoreName::from_string(store_name.clone()), old_values.clone());
            let (add, subtract) = (Arc::new(add), Arc::new(subtract));
            plan.add(move |topology| {
                let forwarder = TableForwarder { sends_old_values: old_values.are_sent() };
                node.set(topology.add_processor(&name, &[&changes()?], move || TableAggregate {
                    add: Arc::clone(&add),
                    subtract: Arc::clone(&subtract),
                    forwarder,
                    name: handle.clone(),
                    store: None,
                    types: PhantomData,
                })?);
                topology.add_state_store(factory, &[&name])
            });
        }
        KTable {
            plan: plan.clone(),
            name,
            upstream: upstream(&slot),
            keys: Some(keys),
            values: Some(values),
            topics: vec![regrouped.topic],
            node: Rc::new(StoredTable { store: store_name, is_versioned, old_values }),
        }
    }
}

struct TableAggregate<F, S, K, V, A> {
    add: Arc<F>,
    subtract: Arc<S>,
    forwarder: TableForwarder,
    name: StoreName<TimestampedKeyValueStore<K, A>>,
    store: Option<TableStore<K, A>>,
    types: PhantomData<fn(V)>,
}

impl<F, S, K, V, A> Processor for TableAggregate<F, S, K, V, A>
where
    F: Fn(&K, V, Option<A>) -> Option<A> + 'static,
    S: Fn(&K, V, A) -> Option<A> + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    A: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = Change<V>;
    type KeyOut = K;
    type ValueOut = Change<A>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = Some(TableStore::open(cx, &self.name)?);
        Ok(())
    }

    fn process(&mut self, record: Record<K, Change<V>>, cx: &mut ProcessorContext<'_, K, Change<A>>) -> Result<(), BoxError> {
        let store = self.store.as_ref().ok_or("the aggregation is not initialised")?;
        let Record { key, value: change, timestamp, headers } = record;
        let row = store.get(&key)?;
        let known = row.as_ref().map_or(timestamp, |row| row.timestamp.max(timestamp));
        let old = row.map(|row| row.value);
        let is_caching = store.is_caching();
        let told = if is_caching || !self.forwarder.sends_old_values { None } else { old.clone() };
        // Trap T74: what is subtracted from nothing changes nothing.
        let (between, subtracted) = match (change.old, old) {
            (Some(value), Some(old)) => ((self.subtract)(&key, value, old), true),
            (_, old) => (old, false),
        };
        let added = change.new.is_some();
        let new = match change.new {
            Some(value) => (self.add)(&key, value, between),
            None => between,
        };
        let timestamp = if subtracted || added { known } else { timestamp };
        let put = store.put(&key, new.as_ref(), timestamp)?;
        if is_caching || put == Put::Refused {
            return Ok(());
        }
        self.forwarder.forward(cx, key, Change { old: told, new, is_latest: put == Put::Latest }, timestamp, headers)
    }

    fn drain(&mut self, cx: &mut ProcessorContext<'_, K, Change<A>>) -> Result<(), BoxError> {
        let store = self.store.as_ref().ok_or("the aggregation is not initialised")?;
        if store.is_caching() {
            while let Some(change) = store.next_change()? {
                self.forwarder.forward_held_back(cx, change)?;
            }
        }
        Ok(())
    }
}
