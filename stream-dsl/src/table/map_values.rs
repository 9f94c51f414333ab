//! [`KTable::map_values`], and tables that are derived row by row.

use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::{BoxError, Record, Result};

use super::view::OpenView;
use super::{Change, KTable, Readable, TableView};
use crate::plan::{Slot, upstream};

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// Another value for each row. Keeps no store of its own: look-ups go through to this table.
    pub fn map_values<V2: Clone + 'static>(&self, mapper: impl Fn(&V) -> V2 + Send + Sync + 'static) -> KTable<K, V2> {
        self.derived("KTABLE-MAPVALUES-", Arc::new(move |_, value| Some(mapper(value))))
    }

    /// A table whose rows follow from this one's, each from one.
    pub(super) fn derived<V2: Clone + 'static>(&self, prefix: &str, derive: Derived<K, V, V2>) -> KTable<K, V2> {
        let name = self.plan.name(prefix);
        let slot = Slot::new();
        {
            let (node, name, parent, derive) = (slot.clone(), name.clone(), Rc::clone(&self.upstream), Arc::clone(&derive));
            self.plan.add(move |topology| {
                node.set(topology.add_processor(&name, &[&parent()?], move || Derive { derive: Arc::clone(&derive) })?);
                Ok(())
            });
        }
        let readable = self.readable.clone().map(|table| Rc::new(DerivedView { table, derive }) as Rc<dyn Readable<K, V2>>);
        KTable {
            plan: self.plan.clone(),
            name,
            upstream: upstream(&slot),
            keys: self.keys.clone(),
            values: None,
            topics: self.topics.clone(),
            readable,
        }
    }
}

/// The row that follows from a row; `None`: none.
pub(super) type Derived<K, V, V2> = Arc<dyn Fn(&K, &V) -> Option<V2> + Send + Sync>;

struct Derive<K, V, V2> {
    derive: Derived<K, V, V2>,
}

impl<K: Clone + 'static, V: Clone + 'static, V2: Clone + 'static> Processor for Derive<K, V, V2> {
    type KeyIn = K;
    type ValueIn = Change<V>;
    type KeyOut = K;
    type ValueOut = Change<V2>;

    fn process(&mut self, record: Record<K, Change<V>>, cx: &mut ProcessorContext<'_, K, Change<V2>>) -> Result<(), BoxError> {
        let Record { key, value, timestamp, headers } = record;
        let derive = |value: Option<V>| value.and_then(|value| (self.derive)(&key, &value));
        let value = Change { old: derive(value.old), new: derive(value.new) };
        Ok(cx.forward(Record { key, value, timestamp, headers })?)
    }
}

struct DerivedView<K, V, V2> {
    table: Rc<dyn Readable<K, V>>,
    derive: Derived<K, V, V2>,
}

impl<K: 'static, V: 'static, V2: 'static> Readable<K, V2> for DerivedView<K, V, V2> {
    fn stores(&self) -> Vec<String> {
        self.table.stores()
    }

    fn opener(&self) -> OpenView<K, V2> {
        let (open, derive) = (self.table.opener(), Arc::clone(&self.derive));
        Arc::new(move |cx| Ok(Box::new(OpenDerived { table: open(cx)?, derive: Arc::clone(&derive) })))
    }
}

struct OpenDerived<K, V, V2> {
    table: Box<dyn TableView<K, V>>,
    derive: Derived<K, V, V2>,
}

impl<K, V, V2> TableView<K, V2> for OpenDerived<K, V, V2> {
    fn get(&self, key: &K) -> Result<Option<V2>> {
        Ok(self.table.get(key)?.and_then(|value| (self.derive)(key, &value)))
    }
}
