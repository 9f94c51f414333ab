//! [`GlobalKTable`]: tables that every process keeps whole.

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::Result;
use stream_core::processor::Processor;
use stream_core::store::{ChangelogConfig, OpenedStore, StoreFactory, StoreName, StoreOpen};
use stream_core::topology::Consumed;

use super::source::{TableRows, TableSource};
use super::view::{OpenView, key_value_view};
use super::{TableForwarder, store};
use crate::options::Materialized;
use crate::plan::Plan;

/// A table that every process keeps whole, all partitions of its topic: a stream looks rows up in it by any key, and neither side is
/// repartitioned. Mirrors Kafka Streams' `GlobalKTable`.
///
/// The table follows its topic by itself: tasks start when it has reached the end that the topic had at the start, and from then on it
/// may be ahead of the streams, since no time is kept between them. Its rows can be read by any processor, under the store's name.
pub struct GlobalKTable<K, V> {
    store: String,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: 'static, V: 'static> GlobalKTable<K, V> {
    /// The name of its store, for processors that read it.
    ///
    /// ```
    /// use stream_core::{BoxError, InitContext, Processor, ProcessorContext, Record};
    /// use stream_dsl::{GlobalKTable, StreamsBuilder};
    /// use stream_core::store::StoreName;
    /// use stream_state::TimestampedKeyValueStore;
    ///
    /// type Rates = TimestampedKeyValueStore<String, i64>;
    ///
    /// /// Amounts times the rate of their currency; those of unknown currencies are left out.
    /// struct Convert(StoreName<Rates>, Option<Rates>);
    ///
    /// impl Processor for Convert {
    ///     type KeyIn = String;
    ///     type ValueIn = i64;
    ///     type KeyOut = String;
    ///     type ValueOut = i64;
    ///
    ///     fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
    ///         self.1 = Some(cx.store(&self.0)?);
    ///         Ok(())
    ///     }
    ///
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
    ///         let Some(rates) = &self.1 else { return Ok(()) };
    ///         if let Some(rate) = rates.get(&record.key)? {
    ///             let amount = record.value * rate.value;
    ///             cx.forward(record.with_value(amount))?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let rates: GlobalKTable<String, i64> = builder.global_table("rates");
    /// // A global store need not be connected: the list of stores is empty.
    /// let convert = move || Convert(rates.store_name(), None);
    /// builder.stream::<String, i64>("in").process(convert, &[]).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// driver.create_input_topic::<String, i64>("rates").pipe_input("EUR".into(), 2)?;
    /// input.pipe_key_values([("EUR".to_owned(), 21), ("XXX".to_owned(), 1)])?;
    /// assert_eq!(output.read_values_to_list()?, [42]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn store_name(&self) -> StoreName<stream_state::TimestampedKeyValueStore<K, V>> {
        StoreName::from_string(self.store.clone())
    }

    pub(crate) fn opener(&self) -> OpenView<K, V> {
        key_value_view(&self.store)
    }
}

impl<K, V> Clone for GlobalKTable<K, V> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), types: PhantomData }
    }
}

impl<K, V> std::fmt::Debug for GlobalKTable<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GlobalKTable").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Reads a global table; see [`StreamsBuilder::global_table`](crate::StreamsBuilder::global_table).
pub(crate) fn global_table<K: Clone + 'static, V: Clone + 'static>(
    plan: &Plan,
    topic: &str,
    consumed: Consumed<K, V>,
    materialized: Materialized<K, V>,
) -> GlobalKTable<K, V> {
    let store_name = plan.resource_name_or(materialized.name.as_deref(), &format!("{topic}-STATE-STORE-"));
    let keys = materialized.keys.clone().unwrap_or_else(|| Arc::clone(consumed.key_serde()));
    let values = materialized.values.clone().unwrap_or_else(|| Arc::clone(consumed.value_serde()));
    // Nothing lies below the table that could be told a change, so there is nothing to hold back.
    let factory = store::key_value(&store_name, &materialized.with_caching_disabled(), &keys, &values);
    let rows = TableRows::new(TableForwarder { sends_old_values: false }, Some(StoreName::from_string(store_name.clone())));
    global_store(plan, factory, topic, consumed.nullable(), move || TableSource::new(rows.clone()));
    GlobalKTable { store: store_name, types: PhantomData }
}

/// Adds a global store with the processor that writes it.
pub(crate) fn global_store<P, S>(
    plan: &Plan,
    factory: Arc<dyn StoreFactory>,
    topic: &str,
    consumed: Consumed<P::KeyIn, P::ValueIn>,
    supplier: S,
) where
    P: Processor,
    S: Fn() -> P + Send + Sync + 'static,
{
    let source_name = consumed.name().map(|name| format!("{name}-source"));
    let source = plan.name_or(source_name.as_deref(), "KSTREAM-SOURCE-");
    let name = plan.name_or(consumed.name(), "KTABLE-SOURCE-");
    let topic = topic.to_owned();
    plan.add(move |topology| topology.add_global_store(Arc::new(Unlogged(factory)), &source, &topic, consumed, &name, supplier));
}

/// A store whose topic is its changelog, whatever its builder says; as in Kafka Streams, that is no mistake of the program.
struct Unlogged(Arc<dyn StoreFactory>);

impl StoreFactory for Unlogged {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn changelog(&self) -> Option<&ChangelogConfig> {
        None
    }

    fn is_persistent(&self) -> bool {
        self.0.is_persistent()
    }

    fn default_in_memory(&self) -> Option<Arc<dyn StoreFactory>> {
        Some(Arc::new(Self(self.0.default_in_memory()?)))
    }

    fn open(&self, open: &StoreOpen) -> Result<OpenedStore> {
        self.0.open(open)
    }
}
