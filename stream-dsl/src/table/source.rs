//! Tables that are read from a topic.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::serdes::SerdeRef;
use stream_core::store::StoreName;
use stream_core::topology::Consumed;
use stream_core::{BoxError, Record};
use stream_state::TimestampedKeyValueStore;

use super::table_store::{Put, TableStore};
use super::view::OpenView;
use super::{Change, KTable, OldValues, StoredTable, TableForwarder, TableNode, store};
use crate::options::Materialized;
use crate::plan::{Plan, Slot, Upstream, upstream};

/// Reads a table; see [`StreamsBuilder::table`](crate::StreamsBuilder::table).
pub(crate) fn table<K: Clone + 'static, V: Clone + 'static>(
    plan: &Plan,
    topic: &str,
    consumed: Consumed<K, V>,
    materialized: Materialized<K, V>,
) -> KTable<K, V> {
    let store_name = plan.resource_name_or(materialized.name.as_deref(), &format!("{topic}-STATE-STORE-"));
    let source_name = consumed.name().map(|name| format!("{name}-source"));
    let source = plan.name_or(source_name.as_deref(), "KSTREAM-SOURCE-");
    let name = plan.name_or(consumed.name(), "KTABLE-SOURCE-");
    let keys = materialized.keys.clone().unwrap_or_else(|| Arc::clone(consumed.key_serde()));
    let values = materialized.values.clone().unwrap_or_else(|| Arc::clone(consumed.value_serde()));
    let records: Slot<Option<K>, Option<V>> = Slot::new();
    {
        let (records, topic) = (records.clone(), topic.to_owned());
        plan.add(move |topology| {
            // Null is seen at the level of bytes, whatever the types: it never reaches the deserialization handler.
            records.set(topology.add_source(&source, topic.as_str(), consumed.nullable())?);
            Ok(())
        });
    }
    let (topics, source_topic) = (vec![topic.to_owned()], Some(topic.to_owned()));
    let spec = TableSpec { name, store_name, materialized, keys, values: Some(values), topics, source_topic };
    spec.below(plan, &upstream(&records), TableSource::new)
}

/// A table that is fed by records.
pub(crate) struct TableSpec<K, V> {
    pub(crate) name: String,
    pub(crate) store_name: String,
    pub(crate) materialized: Materialized<K, V>,
    pub(crate) keys: SerdeRef<K>,
    /// Needed where a store is made.
    pub(crate) values: Option<SerdeRef<V>>,
    pub(crate) topics: Vec<String>,
    /// The topic that holds the table, and could be the changelog of its store.
    pub(crate) source_topic: Option<String>,
}

impl<K: Clone + 'static, V: Clone + 'static> TableSpec<K, V> {
    /// The table below `records`. A store nobody reads is not made: a name is a reader, a join becomes one.
    pub(crate) fn below<P>(self, plan: &Plan, records: &Upstream<P::KeyIn, P::ValueIn>, supplier: fn(TableRows<K, V>) -> P) -> KTable<K, V>
    where
        P: Processor<KeyOut = K, ValueOut = Change<V>>,
    {
        let Self { name, store_name, materialized, keys, values, topics, source_topic } = self;
        let reuses_source_topics = plan.reuses_source_topics();
        let is_versioned = materialized.is_versioned();
        let is_read = Rc::new(Cell::new(materialized.name.is_some()));
        let (slot, old_values) = (Slot::new(), OldValues::default());
        {
            let (node, name, store_name, records) = (slot.clone(), name.clone(), store_name.clone(), Rc::clone(records));
            let (is_read, old_values, keys, values) = (Rc::clone(&is_read), old_values.clone(), Arc::clone(&keys), values.clone());
            plan.add(move |topology| {
                let is_read = is_read.get();
                let handle = is_read.then(|| StoreName::from_string(store_name.clone()));
                let rows = TableRows { forwarder: TableForwarder { sends_old_values: old_values.are_sent() }, name: handle };
                node.set(topology.add_processor(&name, &[&records()?], move || supplier(rows.clone()))?);
                if is_read {
                    let values =
                        values.ok_or_else(|| store::missing_serde::<V>(&store_name, "values", "Materialized::with_value_serde"))?;
                    topology.add_state_store(store::key_value(&store_name, &materialized, &keys, &values), &[&name])?;
                    // Trap T103: the topic holds all that a changelog would; a restart reads it up to the committed position.
                    if let Some(topic) = source_topic.filter(|_| reuses_source_topics.get()) {
                        topology.use_source_as_changelog(&store_name, &topic)?;
                    }
                }
                Ok(())
            });
        }
        let stored = StoredTable { store: store_name, is_versioned, old_values };
        KTable {
            plan: plan.clone(),
            name,
            upstream: upstream(&slot),
            keys: Some(keys),
            values,
            topics,
            node: Rc::new(OnDemand { is_read, stored }),
        }
    }
}

/// Makes the table keep its store when it is asked for.
struct OnDemand {
    is_read: Rc<Cell<bool>>,
    stored: StoredTable,
}

impl<K: 'static, V: 'static> TableNode<K, V> for OnDemand {
    fn stores(&self) -> Vec<String> {
        self.is_read.set(true);
        TableNode::<K, V>::stores(&self.stored)
    }

    fn opener(&self) -> OpenView<K, V> {
        self.stored.opener()
    }

    fn is_versioned(&self) -> bool {
        TableNode::<K, V>::is_versioned(&self.stored)
    }

    fn send_old_values(&self, force: bool) -> bool {
        if force {
            self.is_read.set(true);
        }
        self.is_read.get() && TableNode::<K, V>::send_old_values(&self.stored, force)
    }
}

/// How records become rows: where they are kept, and how their changes are told.
pub(crate) struct TableRows<K, V> {
    forwarder: TableForwarder,
    name: Option<StoreName<TimestampedKeyValueStore<K, V>>>,
}

impl<K, V> TableRows<K, V> {
    pub(crate) fn new(forwarder: TableForwarder, name: Option<StoreName<TimestampedKeyValueStore<K, V>>>) -> Self {
        Self { forwarder, name }
    }
}

impl<K, V> Clone for TableRows<K, V> {
    fn clone(&self) -> Self {
        Self { forwarder: self.forwarder, name: self.name.clone() }
    }
}

/// Upserts: a null value deletes, a null key is dropped.
pub(crate) struct TableSource<K, V> {
    rows: TableRows<K, V>,
    store: Option<TableStore<K, V>>,
}

impl<K: Clone + 'static, V: Clone + 'static> TableSource<K, V> {
    pub(crate) fn new(rows: TableRows<K, V>) -> Self {
        Self { rows, store: None }
    }

    pub(crate) fn open(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = self.rows.name.as_ref().map(|name| TableStore::open(cx, name)).transpose()?;
        Ok(())
    }

    /// Rows are written in the order of their records, also when their times are not (trap T68).
    pub(crate) fn upsert(&self, record: Record<K, Option<V>>, cx: &mut ProcessorContext<'_, K, Change<V>>) -> Result<(), BoxError> {
        let Record { key, value: new, timestamp, headers } = record;
        let (mut old, mut is_latest) = (None, true);
        if let Some(store) = &self.store {
            let is_caching = store.is_caching();
            if !is_caching && self.rows.forwarder.sends_old_values {
                old = store.get(&key)?.map(|row| row.value);
            }
            let put = store.put(&key, new.as_ref(), timestamp)?;
            if is_caching || put == Put::Refused {
                return Ok(());
            }
            is_latest = put == Put::Latest;
        }
        self.rows.forwarder.forward(cx, key, Change { old, new, is_latest }, timestamp, headers)
    }

    pub(crate) fn forward_held_back(&self, cx: &mut ProcessorContext<'_, K, Change<V>>) -> Result<(), BoxError> {
        if let Some(store) = self.store.as_ref().filter(|store| store.is_caching()) {
            while let Some(change) = store.next_change()? {
                self.rows.forwarder.forward_held_back(cx, change)?;
            }
        }
        Ok(())
    }
}

impl<K: Clone + 'static, V: Clone + 'static> Processor for TableSource<K, V> {
    type KeyIn = Option<K>;
    type ValueIn = Option<V>;
    type KeyOut = K;
    type ValueOut = Change<V>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.open(cx)
    }

    fn process(&mut self, record: Record<Option<K>, Option<V>>, cx: &mut ProcessorContext<'_, K, Change<V>>) -> Result<(), BoxError> {
        let Record { key, value, timestamp, headers } = record;
        match key {
            Some(key) => self.upsert(Record { key, value, timestamp, headers }, cx),
            None => {
                cx.drop_record("null key");
                Ok(())
            }
        }
    }

    fn drain(&mut self, cx: &mut ProcessorContext<'_, K, Change<V>>) -> Result<(), BoxError> {
        self.forward_held_back(cx)
    }
}
