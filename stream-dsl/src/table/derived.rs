//! Tables whose rows follow from another table's, each from one: the processor and the view of `filter`, `map_values` and
//! `transform_values`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::serdes::SerdeRef;
use stream_core::store::StoreName;
use stream_core::time::UNKNOWN_TIME;
use stream_core::{BoxError, Error, Record, Result};
use stream_state::{TimestampedKeyValueStore, ValueAndTimestamp};

use super::table_store::{Put, TableStore};
use super::view::{OpenView, key_value_view};
use super::{Change, KTable, OldValues, TableForwarder, TableNode, TableView, ValueTransformer, store};
use crate::options::{Materialized, Named};
use crate::plan::{Slot, upstream};

type Transformer<K, V, V2> = Box<dyn ValueTransformer<K, V, V2>>;

/// Makes the transformer of a task's processor, and one for each look-up that goes through the table.
pub(super) type TransformerSupplier<K, V, V2> = Arc<dyn Fn() -> Transformer<K, V, V2> + Send + Sync>;

/// Rows by a function; what is absent stays absent.
pub(super) fn by_function<K: 'static, V: 'static, V2: 'static>(
    function: impl Fn(&K, &V) -> Option<V2> + Send + Sync + 'static,
) -> TransformerSupplier<K, V, V2> {
    struct ByFunction<F>(Arc<F>);

    impl<K, V, V2, F: Fn(&K, &V) -> Option<V2> + 'static> ValueTransformer<K, V, V2> for ByFunction<F> {
        fn transform(&mut self, key: &K, value: Option<&V>) -> Result<Option<V2>, BoxError> {
            Ok(value.and_then(|value| (self.0)(key, value)))
        }
    }

    let function = Arc::new(function);
    Arc::new(move || Box::new(ByFunction(Arc::clone(&function))))
}

/// What kind of derived table it is.
pub(super) struct Derivation<'a, K, V, V2> {
    pub(super) prefix: &'static str,
    pub(super) supplier: TransformerSupplier<K, V, V2>,
    /// A row that was not there and is not there now is not told, where old values are known (trap T69).
    pub(super) skips_absent: bool,
    /// The serde of the values, where the derivation keeps their type.
    pub(super) values: Option<SerdeRef<V2>>,
    /// Stores of the program that the transformer uses.
    pub(super) stores: &'a [&'a str],
    /// Whether Kafka Streams takes a number for the store of a materialization without a name, although it makes none.
    pub(super) takes_store_number: bool,
}

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    pub(super) fn derived<V2: Clone + 'static>(
        &self,
        derivation: Derivation<'_, K, V, V2>,
        named: &Named,
        materialized: Option<Materialized<K, V2>>,
    ) -> KTable<K, V2> {
        let Derivation { prefix, supplier, skips_absent, values, stores, takes_store_number } = derivation;
        if takes_store_number && materialized.as_ref().is_some_and(|materialized| materialized.name.is_none()) {
            self.plan.store_name(prefix);
        }
        let name = self.plan.name_or(named.get(), prefix);
        let values = materialized.as_ref().and_then(|materialized| materialized.values.clone()).or(values);
        let keys = materialized.as_ref().and_then(|materialized| materialized.keys.clone()).or_else(|| self.keys.clone());
        let stored = materialized.as_ref().and_then(|it| store::named(&self.plan, it, keys.as_ref(), values.as_ref()));
        let (factory, store_name) = stored.unzip();
        let old_values = OldValues::default();
        if skips_absent && self.node.send_old_values(false) {
            old_values.send();
        }
        let is_versioned = self.node.is_versioned();
        let stores_versions = materialized.as_ref().is_some_and(Materialized::is_versioned);
        let slot = Slot::new();
        {
            let (node, name, parent, supplier) = (slot.clone(), name.clone(), Rc::clone(&self.upstream), Arc::clone(&supplier));
            let (handle, old_values) = (store_name.clone().map(StoreName::from_string), old_values.clone());
            let stores: Vec<String> = stores.iter().map(|store| (*store).to_owned()).collect();
            self.plan.add(move |topology| {
                let forwarder = TableForwarder { sends_old_values: old_values.are_sent() };
                node.set(topology.add_processor(&name, &[&parent()?], move || DerivedTable {
                    transformer: supplier(),
                    skips_absent,
                    is_versioned,
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
            node: Rc::new(DerivedNode { parent: Rc::clone(&self.node), supplier, store: store_name, stores_versions, old_values }),
        }
    }
}

struct DerivedTable<K, V, V2> {
    transformer: Transformer<K, V, V2>,
    skips_absent: bool,
    /// Rows of the table above come out of order: the absence of an old one says nothing (trap T69).
    is_versioned: bool,
    forwarder: TableForwarder,
    name: Option<StoreName<TimestampedKeyValueStore<K, V2>>>,
    store: Option<TableStore<K, V2>>,
}

impl<K: Clone + 'static, V: Clone + 'static, V2: Clone + 'static> Processor for DerivedTable<K, V, V2> {
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
        if self.skips_absent && !self.is_versioned && self.forwarder.sends_old_values && old.is_none() && new.is_none() {
            return Ok(());
        }
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
struct DerivedNode<K, V, V2> {
    parent: Rc<dyn TableNode<K, V>>,
    supplier: TransformerSupplier<K, V, V2>,
    store: Option<String>,
    /// Whether that store keeps versions.
    stores_versions: bool,
    old_values: OldValues,
}

impl<K: 'static, V: 'static, V2: 'static> TableNode<K, V2> for DerivedNode<K, V, V2> {
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
            Ok(Box::new(DerivedView { table: open(cx)?, transformer: RefCell::new(transformer) }))
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

    fn window_grace_ms(&self) -> Option<i64> {
        self.parent.window_grace_ms()
    }
}

struct DerivedView<K, V, V2> {
    table: Box<dyn TableView<K, V>>,
    transformer: RefCell<Transformer<K, V, V2>>,
}

impl<K: 'static, V: 'static, V2: 'static> TableView<K, V2> for DerivedView<K, V, V2> {
    fn get(&self, key: &K) -> Result<Option<ValueAndTimestamp<V2>>> {
        self.transformed(key, self.table.get(key)?)
    }

    fn get_as_of(&self, key: &K, timestamp: i64) -> Result<Option<ValueAndTimestamp<V2>>> {
        self.transformed(key, self.table.get_as_of(key, timestamp)?)
    }
}

impl<K: 'static, V: 'static, V2: 'static> DerivedView<K, V, V2> {
    fn transformed(&self, key: &K, row: Option<ValueAndTimestamp<V>>) -> Result<Option<ValueAndTimestamp<V2>>> {
        let transformed = self.transformer.borrow_mut().transform(key, row.as_ref().map(|row| &row.value));
        let transformed = transformed.map_err(|error| Error::user("a transformer of table values failed", error))?;
        let timestamp = row.map_or(UNKNOWN_TIME, |row| row.timestamp);
        Ok(transformed.map(|value| ValueAndTimestamp::new(value, timestamp)))
    }
}
