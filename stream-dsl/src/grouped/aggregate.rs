//! [`KGroupedStream::aggregate`], and the processor of all unwindowed aggregations.

use std::rc::Rc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::serdes::DefaultSerde;
use stream_core::store::StoreName;
use stream_core::{BoxError, Record};
use stream_state::TimestampedKeyValueStore;

use super::KGroupedStream;
use super::fold::{self, Fold};
use crate::options::{Materialized, Named};
use crate::table::table_store::{Put, TableStore};
use crate::table::{Change, KTable, OldValues, StoredTable, TableForwarder, store};

impl<K: Clone + 'static, V: Clone + 'static> KGroupedStream<K, V> {
    /// Aggregates the values of each key: `init` makes the first aggregate, `aggregator` takes key, value and aggregate so far and gives
    /// the next one, or `None` to delete it (the next value begins anew). The timestamp of a result is the largest of its values.
    ///
    /// Null keys and values are narrowed before, and counted as dropped. No record is late. The aggregates are a key-value store with a
    /// changelog.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<String, i64>("in").group_by_key().aggregate(|| 0_i64, |_, value, sum| sum + value).to_stream().to("sums");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-AGGREGATE-0000000002"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn aggregate<A, R>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
    ) -> KTable<K, A>
    where
        A: DefaultSerde + Clone,
        R: Into<Option<A>>,
    {
        self.aggregate_with(init, aggregator, Materialized::default().with_value_serde(A::default_serde()))
    }

    /// As [`aggregate`](Self::aggregate), with a named or configured store. `materialized` must name the value serde, unless the type
    /// has one.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{Materialized, StreamsBuilder};
    /// use stream_state::TimestampedKeyValueStore;
    ///
    /// const CARTS: StoreName<TimestampedKeyValueStore<String, String>> = StoreName::new("carts");
    ///
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream::<String, String>("in").group_by_key();
    /// let store = Materialized::named(CARTS.as_str()).with_value_serde(Serdes::string());
    /// // `None` deletes the row; the next value begins with `init` again.
    /// let put = |_: &String, item: String, cart: String| (item != "checkout").then(|| cart + &item + ";");
    /// clicks.aggregate_with(String::new, put, store);
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_key_values([("ada".to_owned(), "tea".to_owned()), ("ada".to_owned(), "milk".to_owned())])?;
    /// let carts = driver.state_store(&CARTS)?;
    /// assert_eq!(carts.get(&"ada".into())?.map(|row| row.value).as_deref(), Some("tea;milk;"));
    /// input.pipe_input("ada".into(), "checkout".into())?;
    /// assert!(carts.get(&"ada".into())?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate_with<A, R>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<K, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
    {
        self.aggregate_named_with(init, aggregator, Named::default(), materialized)
    }

    /// As [`aggregate_with`](Self::aggregate_with), with a name.
    ///
    /// ```
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{Materialized, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("in").group_by_key();
    /// let store = Materialized::named("sums").with_value_serde(Serdes::long());
    /// amounts.aggregate_named_with(|| 0, |_, amount, sum| sum + amount, Named::new("sum"), store).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// input.pipe_input_at("ada".into(), 3, 100)?;
    /// input.pipe_input_at("ada".into(), 4, 90)?;
    /// // A late record counts; the result keeps the largest time.
    /// let times: Vec<(i64, i64)> = output.read_records_to_list()?.iter().map(|sum| (sum.value, sum.timestamp)).collect();
    /// assert_eq!(times, [(3, 100), (7, 100)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate_named_with<A, R>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, A>,
    ) -> KTable<K, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
    {
        self.folded("KSTREAM-AGGREGATE-", &named, materialized, fold::aggregate(init, aggregator))
    }

    /// Any unwindowed aggregation: `fold` gives the next aggregate, from the one so far if there is one.
    pub(super) fn folded<F, A>(&self, prefix: &str, named: &Named, materialized: Materialized<K, A>, fold: Fold<F, A>) -> KTable<K, A>
    where
        F: Fn(&K, V, Option<A>) -> Option<A> + Send + Sync + 'static,
        A: Clone + 'static,
    {
        let plan = &self.stream.plan;
        let store_name = plan.resource_name_or(materialized.name.as_deref(), &format!("{prefix}STATE-STORE-"));
        let name = plan.name_or(named.get(), prefix);
        let keys = materialized.keys.clone().unwrap_or_else(|| self.keys());
        let Some(values) = store::value_serde(plan, &store_name, &materialized) else {
            return KTable::refused(plan, name);
        };
        let is_versioned = materialized.is_versioned();
        let factory = store::key_value(&store_name, &materialized, &keys, &values);
        let handle = StoreName::from_string(store_name.clone());
        let old_values = OldValues::default();
        let (output, topics) =
            self.aggregation(&name, factory, &old_values, move |forwarder| Aggregate::new(fold.clone(), handle.clone(), forwarder));
        KTable {
            plan: plan.clone(),
            name,
            upstream: output,
            keys: Some(keys),
            values: Some(values),
            topics,
            node: Rc::new(StoredTable { store: store_name, is_versioned, old_values }),
        }
    }
}

pub(super) struct Aggregate<F, K, V, A> {
    fold: Fold<F, A>,
    forwarder: TableForwarder,
    name: StoreName<TimestampedKeyValueStore<K, A>>,
    store: Option<TableStore<K, A>>,
    types: std::marker::PhantomData<fn(V)>,
}

impl<F, K, V, A> Aggregate<F, K, V, A> {
    pub(super) fn new(fold: Fold<F, A>, name: StoreName<TimestampedKeyValueStore<K, A>>, forwarder: TableForwarder) -> Self {
        Self { fold, forwarder, name, store: None, types: std::marker::PhantomData }
    }
}

impl<F, K, V, A> Processor for Aggregate<F, K, V, A>
where
    F: Fn(&K, V, Option<A>) -> Option<A> + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    A: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = Change<A>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = Some(TableStore::open(cx, &self.name)?);
        Ok(())
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, Change<A>>) -> Result<(), BoxError> {
        let store = self.store.as_ref().ok_or("the aggregation is not initialised")?;
        let Record { key, value, timestamp, headers } = record;
        let old = store.get(&key)?;
        // Trap T9: a deleted aggregate's timestamp is forgotten with it.
        let timestamp = old.as_ref().map_or(timestamp, |old| old.timestamp.max(timestamp));
        let is_caching = store.is_caching();
        let begun = self.fold.begin(old.map(|old| old.value));
        // Cached, the change is told at the drain, with the old value that was committed.
        let told = if is_caching || !self.forwarder.sends_old_values { None } else { begun.clone() };
        let new = self.fold.next(&key, value, begun);
        let put = store.put(&key, new.as_ref(), timestamp)?;
        if !is_caching && put != Put::Refused {
            let change = Change { old: told, new, is_latest: put == Put::Latest };
            self.forwarder.forward(cx, key, change, timestamp, headers)?;
        }
        Ok(())
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
