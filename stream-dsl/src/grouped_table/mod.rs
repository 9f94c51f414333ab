//! [`KGroupedTable`]: one aggregation, one file.

mod aggregate;
mod count;
mod reduce;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::serdes::SerdeRef;
use stream_core::topology::{Consumed, InternalTopic, Produced};

use crate::options::Grouped;
use crate::plan::{NodeId, Plan, Slot, Upstream, upstream};
use crate::table::{Change, ChangedSerde};

/// A table whose rows are grouped by another key, to be aggregated. Mirrors Kafka Streams' `KGroupedTable`.
///
/// An aggregate of a group follows its rows in both directions: a row that leaves is subtracted, one that comes is added, one that
/// changes is subtracted and added in one step.
pub struct KGroupedTable<K, V> {
    plan: Plan,
    groups: Upstream<K, Change<V>>,
    grouped: Grouped<K, V>,
    /// What is behind the repartition topic that the program named: aggregations of one grouping share it (trap T92).
    shared: Rc<RefCell<Option<Regrouped<K, V>>>>,
}

/// Changes behind a repartition topic, and the topic.
pub(crate) struct Regrouped<K, V> {
    changes: Upstream<K, Change<V>>,
    topic: String,
    step: NodeId,
}

impl<K: Clone + 'static, V: Clone + 'static> KGroupedTable<K, V> {
    pub(crate) fn new(plan: &Plan, groups: Upstream<K, Change<V>>, grouped: Grouped<K, V>) -> Self {
        Self { plan: plan.clone(), groups, grouped, shared: Rc::default() }
    }

    fn keys(&self) -> SerdeRef<K> {
        Arc::clone(&self.grouped.keys)
    }

    /// The names of sink and source of the next aggregation: two numbers are taken, also where the nodes exist already.
    fn node_names(&self, named: Option<&str>) -> (String, String) {
        let name = |prefix: &str, suffix: &str| {
            let generated = self.plan.name(prefix);
            named.map_or(generated, |name| self.plan.checked(&format!("{name}{suffix}")))
        };
        (name("KSTREAM-SINK-", "-sink"), name("KSTREAM-SOURCE-", "-source"))
    }

    /// The changes in the task that holds the store.
    fn regrouped(&self, (sink, source): (String, String), store: &str) -> Regrouped<K, V> {
        if let Some(shared) = self.shared.borrow().as_ref() {
            self.plan.ask_again(shared.step);
            return shared.clone();
        }
        let topic = format!("{}-repartition", self.grouped.name.as_deref().unwrap_or(store));
        let slot = Slot::new();
        let (node, groups, internal) = (slot.clone(), Rc::clone(&self.groups), topic.clone());
        let (keys, values): (_, SerdeRef<Change<V>>) = (self.keys(), Arc::new(ChangedSerde(Arc::clone(&self.grouped.values))));
        let step = self.plan.add(move |topology| {
            topology.add_internal_topic(InternalTopic::repartition(internal.as_str()))?;
            topology.add_sink(&sink, internal.as_str(), Produced::with(Arc::clone(&keys), Arc::clone(&values)), &[&groups()?])?;
            node.set(topology.add_source(&source, internal.as_str(), Consumed::with(keys, values))?);
            Ok(())
        });
        let regrouped = Regrouped { changes: upstream(&slot), topic, step };
        if self.grouped.name.is_some() {
            *self.shared.borrow_mut() = Some(regrouped.clone());
        }
        regrouped
    }
}

impl<K, V> Clone for Regrouped<K, V> {
    fn clone(&self) -> Self {
        Self { changes: Rc::clone(&self.changes), topic: self.topic.clone(), step: self.step }
    }
}

impl<K, V> std::fmt::Debug for KGroupedTable<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KGroupedTable").field("grouped", &self.grouped).finish_non_exhaustive()
    }
}
