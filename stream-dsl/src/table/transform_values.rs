//! [`KTable::transform_values`].

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::store::StoreName;
use stream_core::time::UNKNOWN_TIME;
use stream_core::{BoxError, Error, Record, Result};
use stream_state::{TimestampedKeyValueStore, ValueAndTimestamp};

use super::table_store::{Put, TableStore};
use super::view::{OpenView, key_value_view};
use super::{Change, KTable, OldValues, TableForwarder, TableNode, TableView, store};
use crate::options::{Materialized, Named};
use crate::plan::{Slot, upstream};

/// Makes the rows of a table from those of another, with stores of its own to help. Mirrors Kafka Streams'
/// `ValueTransformerWithKey`.
///
/// It cannot forward: each row follows from one. Without a store for the result the transformer also runs for old values and for
/// look-ups, each with an instance of its own: what it gives should follow from key, value and stores alone.
pub trait ValueTransformer<K, V, V2>: 'static {
    /// Called once, before the first row.
    ///
    /// # Errors
    /// Stops the task.
    fn init(&mut self, _cx: &InitContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }

    /// The row that follows from a row; both may be absent.
    ///
    /// # Errors
    /// The processing handler decides.
    fn transform(&mut self, key: &K, value: Option<&V>) -> Result<Option<V2>, BoxError>;
}

const PREFIX: &str = "KTABLE-TRANSFORMVALUES-";

type Supplier<K, V, V2> = Arc<dyn Fn() -> Box<dyn ValueTransformer<K, V, V2>> + Send + Sync>;

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// Makes each row by a transformer of the program's own, connected to these stores. The key stays. A deletion is transformed, too:
    /// the transformer decides whether a row remains.
    ///
    /// ```
    /// use stream_core::BoxError;
    /// use stream_dsl::{KTable, StreamsBuilder, ValueTransformer};
    ///
    /// /// Balances as text, `-` for closed accounts.
    /// struct Show;
    ///
    /// impl ValueTransformer<String, i64, String> for Show {
    ///     fn transform(&mut self, account: &String, balance: Option<&i64>) -> Result<Option<String>, BoxError> {
    ///         Ok(Some(format!("{account}: {}", balance.map_or("-".to_owned(), i64::to_string))))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("balances");
    /// balances.transform_values(|| Show, &[]).to_stream().to("shown");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KTABLE-TRANSFORMVALUES-0000000003 (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn transform_values<V2, T>(&self, supplier: impl Fn() -> T + Send + Sync + 'static, stores: &[&str]) -> KTable<K, V2>
    where
        V2: Clone + 'static,
        T: ValueTransformer<K, V, V2>,
    {
        self.transformed(supplier, &Named::default(), None, stores)
    }

    /// As [`transform_values`](Self::transform_values), with a name.
    ///
    /// ```
    /// use stream_core::{BoxError, InitContext};
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{KTable, Named, StreamsBuilder, ValueTransformer};
    /// use stream_state::{KeyValueStore, Stores};
    ///
    /// const LIMITS: StoreName<KeyValueStore<String, i64>> = StoreName::new("limits");
    ///
    /// /// Balances behind their accounts' limits, which another processor keeps; other rows are left out.
    /// #[derive(Default)]
    /// struct Behind(Option<KeyValueStore<String, i64>>);
    ///
    /// impl ValueTransformer<String, i64, i64> for Behind {
    ///     fn init(&mut self, cx: &InitContext<'_>) -> Result<(), BoxError> {
    ///         self.0 = Some(cx.store(&LIMITS)?);
    ///         Ok(())
    ///     }
    ///
    ///     fn transform(&mut self, account: &String, balance: Option<&i64>) -> Result<Option<i64>, BoxError> {
    ///         let limit = self.0.as_ref().map(|limits| limits.get(account)).transpose()?.flatten().unwrap_or(0);
    ///         Ok(balance.copied().filter(|balance| *balance < limit))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let limits = Stores::in_memory_key_value_store("limits");
    /// builder.add_state_store(Stores::key_value_store_builder(limits, Serdes::string(), Serdes::long()));
    /// let balances: KTable<String, i64> = builder.table("in");
    /// balances.transform_values_named(Behind::default, Named::new("behind"), &[LIMITS.as_str()]).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// driver.state_store(&LIMITS)?.put(&"ada".into(), &-100)?;
    /// input.pipe_key_values([("ada".to_owned(), -50), ("bob".to_owned(), -50)])?;
    /// assert_eq!(output.read_values_to_list()?, [None, Some(-50)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transform_values_named<V2, T>(
        &self,
        supplier: impl Fn() -> T + Send + Sync + 'static,
        named: Named,
        stores: &[&str],
    ) -> KTable<K, V2>
    where
        V2: Clone + 'static,
        T: ValueTransformer<K, V, V2>,
    {
        self.transformed(supplier, &named, None, stores)
    }

    /// As [`transform_values_named`](Self::transform_values_named), with a store for the result if `materialized` names one; then it
    /// must name the value serde, too.
    ///
    /// ```
    /// use stream_core::BoxError;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, Named, StreamsBuilder, ValueTransformer};
    ///
    /// /// How often a row was seen to change, by this instance.
    /// struct Changes(i64);
    ///
    /// impl ValueTransformer<String, String, i64> for Changes {
    ///     fn transform(&mut self, _: &String, _: Option<&String>) -> Result<Option<i64>, BoxError> {
    ///         self.0 += 1;
    ///         Ok(Some(self.0))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let names: KTable<String, String> = builder.table("in");
    /// let store = Materialized::named("changes").with_value_serde(Serdes::long());
    /// let changes = names.transform_values_named_with(|| Changes(0), Named::new("count-changes"), store, &[]);
    /// changes.to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<String>>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// // With a store the transformer runs once per change; the result of a deletion is a row like any other.
    /// input.pipe_key_values([("1".to_owned(), Some("ada".to_owned())), ("1".to_owned(), None)])?;
    /// assert_eq!(output.read_values_to_list()?, [Some(1), Some(2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transform_values_named_with<V2, T>(
        &self,
        supplier: impl Fn() -> T + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, V2>,
        stores: &[&str],
    ) -> KTable<K, V2>
    where
        V2: Clone + 'static,
        T: ValueTransformer<K, V, V2>,
    {
        self.transformed(supplier, &named, Some(materialized), stores)
    }

    fn transformed<V2, T>(
        &self,
        supplier: impl Fn() -> T + Send + Sync + 'static,
        named: &Named,
        materialized: Option<Materialized<K, V2>>,
        stores: &[&str],
    ) -> KTable<K, V2>
    where
        V2: Clone + 'static,
        T: ValueTransformer<K, V, V2>,
    {
        if materialized.as_ref().is_some_and(|materialized| materialized.name.is_none()) {
            // Kafka Streams takes a number here although no store is made: only a name makes one.
            self.plan.store_name(PREFIX);
        }
        let name = self.plan.name_or(named.get(), PREFIX);
        let values = materialized.as_ref().and_then(|materialized| materialized.values.clone());
        let keys = materialized.as_ref().and_then(|materialized| materialized.keys.clone()).or_else(|| self.keys.clone());
        let stored = materialized.as_ref().and_then(|it| store::named(&self.plan, it, keys.as_ref(), values.as_ref()));
        let (factory, store_name) = stored.unzip();
        let old_values = OldValues::default();
        let supplier: Supplier<K, V, V2> = Arc::new(move || Box::new(supplier()));
        let stores_versions = materialized.as_ref().is_some_and(Materialized::is_versioned);
        let slot = Slot::new();
        {
            let (node, name, parent, supplier) = (slot.clone(), name.clone(), Rc::clone(&self.upstream), Arc::clone(&supplier));
            let (handle, old_values) = (store_name.clone().map(StoreName::from_string), old_values.clone());
            let stores: Vec<String> = stores.iter().map(|store| (*store).to_owned()).collect();
            self.plan.add(move |topology| {
                let forwarder = TableForwarder { sends_old_values: old_values.are_sent() };
                node.set(topology.add_processor(&name, &[&parent()?], move || TransformValues {
                    transformer: supplier(),
                    forwarder,
                    name: handle.clone(),
                    store: None,
                })?);
                topology.connect(&name, &stores.iter().map(String::as_str).collect::<Vec<_>>())?;
                match factory {
                    Some(factory) => topology.add_state_store(factory, &[&name]),
                    None => Ok(()),
                }
            });
        }
        KTable {
            plan: self.plan.clone(),
            name,
            upstream: upstream(&slot),
            keys,
            values,
            topics: self.topics.clone(),
            node: Rc::new(TransformedNode { parent: Rc::clone(&self.node), supplier, store: store_name, stores_versions, old_values }),
        }
    }
}

struct TransformValues<K, V, V2> {
    transformer: Box<dyn ValueTransformer<K, V, V2>>,
    forwarder: TableForwarder,
    name: Option<StoreName<TimestampedKeyValueStore<K, V2>>>,
    store: Option<TableStore<K, V2>>,
}

impl<K: Clone + 'static, V: Clone + 'static, V2: Clone + 'static> Processor for TransformValues<K, V, V2> {
    type KeyIn = K;
    type ValueIn = Change<V>;
    type KeyOut = K;
    type ValueOut = Change<V2>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = self.name.as_ref().map(|name| TableStore::open(cx, name)).transpose()?;
        self.transformer.init(cx)
    }

    fn process(&mut self, record: Record<K, Change<V>>, cx: &mut ProcessorContext<'_, K, Change<V2>>) -> Result<(), BoxError> {
        let Record { key, value, timestamp, headers } = record;
        let mut is_latest = value.is_latest;
        let new = self.transformer.transform(&key, value.new.as_ref())?;
        let old = match &self.store {
            _ if !self.forwarder.sends_old_values => None,
            Some(store) => store.get(&key)?.map(|row| row.value),
            None => self.transformer.transform(&key, value.old.as_ref())?,
        };
        if let Some(store) = &self.store {
            let put = store.put(&key, new.as_ref(), timestamp)?;
            if store.is_caching() || put == Put::Refused {
                return Ok(());
            }
            is_latest = put == Put::Latest;
        }
        self.forwarder.forward(cx, key, Change { old, new, is_latest }, timestamp, headers)
    }

    fn drain(&mut self, cx: &mut ProcessorContext<'_, K, Change<V2>>) -> Result<(), BoxError> {
        if let Some(store) = self.store.as_ref().filter(|store| store.is_caching()) {
            while let Some(change) = store.next_change()? {
                self.forwarder.forward_held_back(cx, change)?;
            }
        }
        Ok(())
    }
}

/// Looks up in the store, if there is one, else in the table above, and transforms what it finds.
struct TransformedNode<K, V, V2> {
    parent: Rc<dyn TableNode<K, V>>,
    supplier: Supplier<K, V, V2>,
    store: Option<String>,
    /// Whether that store keeps versions.
    stores_versions: bool,
    old_values: OldValues,
}

impl<K: 'static, V: 'static, V2: 'static> TableNode<K, V2> for TransformedNode<K, V, V2> {
    fn stores(&self) -> Vec<String> {
        self.store.as_ref().map_or_else(|| self.parent.stores(), |store| vec![store.clone()])
    }

    fn opener(&self) -> OpenView<K, V2> {
        if let Some(store) = &self.store {
            return key_value_view(store);
        }
        let (open, supplier) = (self.parent.opener(), Arc::clone(&self.supplier));
        Arc::new(move |cx| {
            let mut transformer = supplier();
            let failed = |error: BoxError| match error.downcast::<Error>() {
                Ok(error) => *error,
                Err(error) => Error::user("a transformer of table values cannot be initialised", error),
            };
            transformer.init(cx).map_err(failed)?;
            Ok(Box::new(TransformedView { table: open(cx)?, transformer: RefCell::new(transformer) }))
        })
    }

    fn is_versioned(&self) -> bool {
        if self.store.is_some() { self.stores_versions } else { self.parent.is_versioned() }
    }

    fn send_old_values(&self, force: bool) -> bool {
        if self.store.is_some() || self.parent.send_old_values(force) {
            self.old_values.send();
        }
        self.old_values.are_sent()
    }
}

struct TransformedView<K, V, V2> {
    table: Box<dyn TableView<K, V>>,
    transformer: RefCell<Box<dyn ValueTransformer<K, V, V2>>>,
}

impl<K: 'static, V: 'static, V2: 'static> TableView<K, V2> for TransformedView<K, V, V2> {
    fn get(&self, key: &K) -> Result<Option<ValueAndTimestamp<V2>>> {
        self.transformed(key, self.table.get(key)?)
    }

    fn get_as_of(&self, key: &K, timestamp: i64) -> Result<Option<ValueAndTimestamp<V2>>> {
        self.transformed(key, self.table.get_as_of(key, timestamp)?)
    }
}

impl<K: 'static, V: 'static, V2: 'static> TransformedView<K, V, V2> {
    fn transformed(&self, key: &K, row: Option<ValueAndTimestamp<V>>) -> Result<Option<ValueAndTimestamp<V2>>> {
        let transformed = self.transformer.borrow_mut().transform(key, row.as_ref().map(|row| &row.value));
        let transformed = transformed.map_err(|error| Error::user("a transformer of table values failed", error))?;
        let timestamp = row.map_or(UNKNOWN_TIME, |row| row.timestamp);
        Ok(transformed.map(|value| ValueAndTimestamp::new(value, timestamp)))
    }
}
