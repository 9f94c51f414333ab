//! [`KTable`]: one operator, one file.

mod change;
mod filter;
mod map_values;
pub(crate) mod source;
pub(crate) mod store;
mod to_stream;
mod view;

use std::rc::Rc;
use std::sync::Arc;

use stream_core::TopologyError;
use stream_core::serdes::SerdeRef;

use crate::plan::{Plan, Upstream};
pub use change::Change;
pub(crate) use view::{Readable, StoreView, TableView};

/// A table: the latest value of each key, and every change of it. Mirrors Kafka Streams' `KTable`.
pub struct KTable<K, V> {
    pub(crate) plan: Plan,
    pub(crate) name: String,
    pub(crate) upstream: Upstream<K, Change<V>>,
    pub(crate) keys: Option<SerdeRef<K>>,
    pub(crate) values: Option<SerdeRef<V>>,
    pub(crate) topics: Vec<String>,
    /// How a join looks keys up; `None` when it cannot.
    pub(crate) readable: Option<Rc<dyn Readable<K, V>>>,
}

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// The table of an aggregation with a key-value store.
    pub(crate) fn stored(
        plan: &Plan,
        name: String,
        upstream: Upstream<K, Change<V>>,
        topics: Vec<String>,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
        store: String,
    ) -> Self {
        let readable: Rc<dyn Readable<K, V>> = Rc::new(StoreView::<K, V>::new(store));
        Self { plan: plan.clone(), name, upstream, keys: Some(keys), values: Some(values), topics, readable: Some(readable) }
    }

    /// A table that cannot be looked up by key in a join.
    pub(crate) fn unreadable(
        plan: &Plan,
        name: String,
        upstream: Upstream<K, Change<V>>,
        topics: Vec<String>,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> Self {
        Self { plan: plan.clone(), name, upstream, keys: Some(keys), values: Some(values), topics, readable: None }
    }

    /// Stands for a table whose mistake was noted; it is told when the topology is built.
    pub(crate) fn refused(plan: &Plan, name: String) -> Self {
        let upstream: Upstream<K, Change<V>> = {
            let name = name.clone();
            Rc::new(move || Err(TopologyError::UnknownNode { node: name.clone() }))
        };
        Self { plan: plan.clone(), name, upstream, keys: None, values: None, topics: Vec::new(), readable: None }
    }
}

impl<K, V> Clone for KTable<K, V> {
    fn clone(&self) -> Self {
        Self {
            plan: self.plan.clone(),
            name: self.name.clone(),
            upstream: Rc::clone(&self.upstream),
            keys: self.keys.as_ref().map(Arc::clone),
            values: self.values.as_ref().map(Arc::clone),
            topics: self.topics.clone(),
            readable: self.readable.clone(),
        }
    }
}

impl<K, V> std::fmt::Debug for KTable<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KTable").field("node", &self.name).finish_non_exhaustive()
    }
}
