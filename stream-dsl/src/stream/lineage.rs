//! [`Lineage`]: where a stream's records were last given new keys, so that repartition topics below can be merged there.

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::TopologyError;
use stream_core::serdes::{Nullable, SerdeRef};

use super::repartition::{self, RepartitionSpec};
use crate::plan::{MergePoint, NodeId, NodeKind, Plan, Slot, upstream};

/// The serdes of a node above, from those of the records here: they differ where the stream was narrowed between.
type Widen<K, V> = Rc<dyn Fn(SerdeRef<K>, SerdeRef<V>) -> Rc<dyn Any>>;

/// The nodes above, from which keys and values came unchanged, below which a repartition topic can be put.
pub(crate) struct Lineage<K, V> {
    slot: Option<Slot<K, V>>,
    above: Vec<(NodeId, Widen<K, V>)>,
}

/// What a merge point is given: the serdes of its own records.
struct Serdes<K, V> {
    keys: SerdeRef<K>,
    values: SerdeRef<V>,
}

impl<K: Clone + 'static, V: Clone + 'static> Lineage<K, V> {
    /// Of a node whose parents do not matter.
    pub(super) fn at(slot: &Slot<K, V>) -> Self {
        Self { slot: Some(slot.clone()), above: Vec::new() }
    }

    /// Of a node that passes on what comes from another.
    pub(super) fn after(&self, other: &Self) -> Self {
        let mut above = self.above.clone();
        above.extend(other.above.iter().filter(|(node, _)| self.above.iter().all(|(known, _)| known != node)).cloned());
        Self { slot: self.slot.clone(), above }
    }

    /// Of an operator that changes keys.
    pub(super) fn changing_keys(&self, plan: &Plan, node: Option<NodeId>) -> Self {
        Self { above: Vec::new(), ..self.clone() }.with_merge_point(plan, node, NodeKind::ChangesKey)
    }

    /// Of a node below which a repartition topic can be put.
    pub(super) fn with_merge_point(self, plan: &Plan, node: Option<NodeId>, kind: NodeKind) -> Self {
        let (Some(node), Some(slot)) = (node, self.slot.clone()) else { return self };
        plan.set_merge_point(node, kind, merge_point(plan, slot));
        let mut above = self.above;
        above.push((node, Rc::new(|keys, values| Rc::new(Serdes { keys, values }))));
        Self { slot: self.slot, above }
    }

    /// The serdes for each of the nodes above.
    pub(super) fn serdes(&self, keys: &SerdeRef<K>, values: &SerdeRef<V>) -> BTreeMap<NodeId, Rc<dyn Any>> {
        self.above.iter().map(|(node, widen)| (*node, widen(Arc::clone(keys), Arc::clone(values)))).collect()
    }
}

impl<K: Clone + 'static, V: Clone + 'static> Lineage<Option<K>, V> {
    /// Of the records whose key is not null.
    pub(super) fn non_null_key(&self) -> Lineage<K, V> {
        let narrow = |(node, widen): &(NodeId, Widen<Option<K>, V>)| {
            let (node, widen) = (*node, Rc::clone(widen));
            let widen: Widen<K, V> = Rc::new(move |keys, values| widen(Nullable::over(keys), values));
            (node, widen)
        };
        Lineage { slot: None, above: self.above.iter().map(narrow).collect() }
    }
}

impl<K: Clone + 'static, V: Clone + 'static> Lineage<K, Option<V>> {
    /// Of the records whose value is not null.
    pub(super) fn non_null_value(&self) -> Lineage<K, V> {
        let narrow = |(node, widen): &(NodeId, Widen<K, Option<V>>)| {
            let (node, widen) = (*node, Rc::clone(widen));
            let widen: Widen<K, V> = Rc::new(move |keys, values| widen(keys, Nullable::over(values)));
            (node, widen)
        };
        Lineage { slot: None, above: self.above.iter().map(narrow).collect() }
    }
}

fn merge_point<K: Clone + 'static, V: Clone + 'static>(plan: &Plan, slot: Slot<K, V>) -> MergePoint {
    let (through, current) = (repartition::through(&upstream(&slot)), plan.current());
    Rc::new(move |topology, merged, serdes| {
        let Some(Serdes { keys, values }) = serdes.downcast_ref::<Serdes<K, V>>() else {
            let message = format!("topic {} cannot be merged: its serdes are of other types; please report it", merged.names.topic);
            return Err(TopologyError::Invalid { message });
        };
        let spec = RepartitionSpec {
            names: merged.names.clone(),
            is_of_join: false,
            partitions: None,
            keys: Arc::clone(keys),
            values: Arc::clone(values),
            partitioner: None,
        };
        let source = through(topology, &spec, merged.keeps_null_keys)?;
        slot.move_children(merged.children.clone(), source, Rc::clone(&current));
        Ok(())
    })
}

impl<K, V> Default for Lineage<K, V> {
    fn default() -> Self {
        Self { slot: None, above: Vec::new() }
    }
}

impl<K, V> Clone for Lineage<K, V> {
    fn clone(&self) -> Self {
        Self { slot: self.slot.clone(), above: self.above.clone() }
    }
}
