//! [`KTable`]: one operator, one file.

mod change;
mod derived;
mod filter;
mod foreign_key;
mod forward;
pub(crate) mod global;
mod group_by;
mod join;
mod joined;
mod left_join;
mod map_values;
mod outer_join;
pub(crate) mod source;
pub(crate) mod store;
mod suppress;
pub(crate) mod table_store;
mod to_stream;
mod transform_values;
mod view;
mod window_store;

use std::rc::Rc;
use std::sync::Arc;

use stream_core::TopologyError;
use stream_core::serdes::SerdeRef;

use crate::plan::{Plan, Upstream};
pub use change::Change;
pub(crate) use change::ChangedSerde;
pub(crate) use forward::TableForwarder;
pub use global::GlobalKTable;
pub use transform_values::ValueTransformer;
use view::RefusedTable;
pub(crate) use view::{OldValues, OpenView, SessionTableNode, StoredTable, TableNode, TableView, WindowedTable};
pub(crate) use window_store::{WindowStoreSpec, session_store};

/// A table: the latest value of each key, and every change of it. Mirrors Kafka Streams' `KTable`.
///
/// A table has a store only where something needs one: a name that the program gave, an aggregation, a join that looks rows up, an
/// operator that needs old values.
pub struct KTable<K, V> {
    pub(crate) plan: Plan,
    pub(crate) name: String,
    pub(crate) upstream: Upstream<K, Change<V>>,
    pub(crate) keys: Option<SerdeRef<K>>,
    pub(crate) values: Option<SerdeRef<V>>,
    pub(crate) topics: Vec<String>,
    pub(crate) node: Rc<dyn TableNode<K, V>>,
}

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// Stands for a table whose mistake was noted; it is told when the topology is built.
    pub(crate) fn refused(plan: &Plan, name: String) -> Self {
        let upstream: Upstream<K, Change<V>> = {
            let name = name.clone();
            Rc::new(move || Err(TopologyError::UnknownNode { node: name.clone() }))
        };
        Self { plan: plan.clone(), name, upstream, keys: None, values: None, topics: Vec::new(), node: Rc::new(RefusedTable) }
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
            node: Rc::clone(&self.node),
        }
    }
}

impl<K, V> std::fmt::Debug for KTable<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KTable").field("node", &self.name).finish_non_exhaustive()
    }
}
