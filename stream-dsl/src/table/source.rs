//! Tables that are read from a topic.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::store::StoreName;
use stream_core::topology::Consumed;
use stream_core::{BoxError, Record};
use stream_state::{TimestampedKeyValueStore, ValueAndTimestamp};

use super::view::OpenView;
use super::{Change, KTable, Readable, StoreView, store};
use crate::grouped::forward_change;
use crate::options::Materialized;
use crate::plan::{Plan, Slot, upstream};

/// Reads a table; see [`StreamsBuilder::table`](crate::StreamsBuilder::table).
pub(crate) fn table<K: Clone + 'static, V: Clone + 'static>(
    plan: &Plan,
    topic: &str,
    consumed: Consumed<K, V>,
    materialized: Materialized<K, V>,
) -> KTable<K, V> {
    let store_name = plan.resource_name_or(materialized.name.as_deref(), &format!("{topic}-STATE-STORE-"));
    let source = plan.name_or(consumed.name(), "KSTREAM-SOURCE-");
    let table_name = consumed.name().map(|name| format!("{name}-table-source"));
    let name = plan.name_or(table_name.as_deref(), "KTABLE-SOURCE-");
    // A store nobody reads is not made: a name is a reader, a join becomes one.
    let is_read = Rc::new(Cell::new(materialized.name.is_some()));
    let keys = materialized.keys.clone().unwrap_or_else(|| Arc::clone(consumed.key_serde()));
    let values = materialized.values.clone().unwrap_or_else(|| Arc::clone(consumed.value_serde()));
    let slot = Slot::new();
    {
        let (node, name, topic, store_name) = (slot.clone(), name.clone(), topic.to_owned(), store_name.clone());
        let (is_read, keys, values) = (Rc::clone(&is_read), Arc::clone(&keys), Arc::clone(&values));
        plan.add(move |topology| {
            let is_read = is_read.get();
            // Null is seen at the level of bytes, whatever the types: it never reaches the deserialization handler.
            let records = topology.add_source(&source, topic.as_str(), consumed.nullable())?;
            let handle = is_read.then(|| StoreName::from_string(store_name.clone()));
            node.set(topology.add_processor(&name, &[&records], move || TableSource { name: handle.clone(), store: None })?);
            if is_read {
                topology.add_state_store(store::key_value(&store_name, &materialized, &keys, &values), &[&name])?;
            }
            Ok(())
        });
    }
    let readable: Rc<dyn Readable<K, V>> = Rc::new(OnDemand { is_read, view: StoreView::new(store_name) });
    KTable { readable: Some(readable), ..KTable::unreadable(plan, name, upstream(&slot), vec![topic.to_owned()], keys, values) }
}

/// Makes the table keep its store when it is asked for.
struct OnDemand<K, V> {
    is_read: Rc<Cell<bool>>,
    view: StoreView<K, V>,
}

impl<K: 'static, V: 'static> Readable<K, V> for OnDemand<K, V> {
    fn stores(&self) -> Vec<String> {
        self.is_read.set(true);
        self.view.stores()
    }

    fn opener(&self) -> OpenView<K, V> {
        self.view.opener()
    }
}

struct TableSource<K, V> {
    name: Option<StoreName<TimestampedKeyValueStore<K, V>>>,
    store: Option<TimestampedKeyValueStore<K, V>>,
}

impl<K: Clone + 'static, V: Clone + 'static> Processor for TableSource<K, V> {
    type KeyIn = Option<K>;
    type ValueIn = Option<V>;
    type KeyOut = K;
    type ValueOut = Change<V>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = self.name.as_ref().map(|name| cx.store(name)).transpose()?;
        Ok(())
    }

    fn process(&mut self, record: Record<Option<K>, Option<V>>, cx: &mut ProcessorContext<'_, K, Change<V>>) -> Result<(), BoxError> {
        let Record { key, value: new, timestamp, headers } = record;
        let Some(key) = key else {
            cx.drop_record("null key");
            return Ok(());
        };
        let mut old = None;
        if let Some(store) = &self.store {
            if !store.is_caching() {
                old = store.get(&key)?.map(|row| row.value);
            }
            store.put(&key, new.as_ref().map(|new| ValueAndTimestamp::new(new, timestamp)))?;
            if store.is_caching() {
                return Ok(());
            }
        }
        Ok(cx.forward(Record { key, value: Change { old, new }, timestamp, headers })?)
    }

    fn drain(&mut self, cx: &mut ProcessorContext<'_, K, Change<V>>) -> Result<(), BoxError> {
        if let Some(store) = self.store.as_ref().filter(|store| store.is_caching()) {
            while let Some(change) = store.next_change()? {
                forward_change(cx, change)?;
            }
        }
        Ok(())
    }
}
