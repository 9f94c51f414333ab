//! [`KStream`]: one operator, one file.

mod filter;
mod flat_map;
mod flat_map_values;
mod for_each;
mod group_by;
mod join_global;
mod join_stream;
mod join_table;
mod lineage;
mod map;
mod map_async;
mod map_values;
pub(crate) mod merge;
mod narrow;
mod peek;
mod print;
mod process;
mod process_async;
pub(crate) mod repartition;
mod select_key;
mod split;
mod to;
mod to_table;

use std::rc::Rc;

use stream_core::processor::{AsyncOptions, AsyncProcessor, Processor};
use stream_core::serdes::SerdeRef;
use stream_core::topology::{NodeHandle, Topology, TopologyError};

use crate::plan::{GraphNode, NodeId, NodeKind, Plan, Slot, Upstream, upstream};
pub(crate) use lineage::Lineage;
pub use split::BranchedKStream;
pub(crate) use to_table::ToTable;

/// A stream of records. Every method adds an operator below it; a stream can have any number of them. Mirrors Kafka Streams' `KStream`.
///
/// Keys and values move from operator to operator; they are cloned only where a stream has several.
pub struct KStream<K, V> {
    pub(crate) plan: Plan,
    /// The name of the node that forwards the records.
    pub(crate) name: String,
    pub(crate) upstream: Upstream<K, V>,
    pub(crate) repartition: repartition::Through<K, V>,
    /// Whether the key may have changed since the records were partitioned.
    pub(crate) needs_repartition: bool,
    pub(crate) keys: Option<SerdeRef<K>>,
    pub(crate) values: Option<SerdeRef<V>>,
    /// The topics that must have as many partitions as those of what it is joined with.
    pub(crate) topics: Vec<String>,
    /// The filters of null keys that the records passed.
    pub(crate) null_keys: repartition::NullKeys,
    /// The step of the plan that makes the node, where rewrites may ask for it.
    pub(crate) node: Option<NodeId>,
    /// Where one repartition topic could stand for several.
    pub(crate) lineage: Lineage<K, V>,
    pub(crate) join_filters: repartition::JoinFilters,
}

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    pub(crate) fn new(plan: &Plan, name: String, upstream: Upstream<K, V>, topics: Vec<String>) -> Self {
        Self {
            plan: plan.clone(),
            name,
            repartition: repartition::through(&upstream),
            upstream,
            needs_repartition: false,
            keys: None,
            values: None,
            topics,
            null_keys: repartition::NullKeys::default(),
            node: None,
            lineage: Lineage::default(),
            join_filters: repartition::JoinFilters::default(),
        }
    }

    pub(crate) fn with_serdes(mut self, keys: Option<SerdeRef<K>>, values: Option<SerdeRef<V>>) -> Self {
        (self.keys, self.values) = (keys, values);
        self
    }

    /// Adds a processor below this stream; what it forwards is the result. Serdes are lost: the caller gives those that stay.
    pub(crate) fn through<P, S>(&self, name: String, supplier: S) -> KStream<P::KeyOut, P::ValueOut>
    where
        P: Processor<KeyIn = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        self.through_with(name, &[], supplier)
    }

    pub(crate) fn through_with<P, S>(&self, name: String, stores: &[&str], supplier: S) -> KStream<P::KeyOut, P::ValueOut>
    where
        P: Processor<KeyIn = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        let stores: Vec<String> = stores.iter().map(|store| (*store).to_owned()).collect();
        self.below(name, move |topology, name, parent| {
            let node = topology.add_processor(name, &[parent], supplier)?;
            let stores: Vec<&str> = stores.iter().map(String::as_str).collect();
            topology.connect(name, &stores)?;
            Ok(node)
        })
    }

    /// As [`through`](Self::through), for an async processor.
    pub(crate) fn through_async<P, S>(&self, name: String, options: AsyncOptions, supplier: S) -> KStream<P::KeyOut, P::ValueOut>
    where
        P: AsyncProcessor<KeyIn = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        self.below(name, move |topology, name, parent| topology.add_async_processor(name, &[parent], options, supplier))
    }

    fn below<K2: Clone + 'static, V2: Clone + 'static>(
        &self,
        name: String,
        add: impl FnOnce(&mut Topology, &str, &NodeHandle<K, V>) -> Result<NodeHandle<K2, V2>, TopologyError> + 'static,
    ) -> KStream<K2, V2> {
        let slot = Slot::new();
        let (node, node_name, parent) = (slot.clone(), name.clone(), Rc::clone(&self.upstream));
        let id = self.plan.add_node(GraphNode::below(self.node), move |topology| {
            node.set(add(topology, &node_name, &parent()?)?);
            Ok(())
        });
        KStream {
            needs_repartition: self.needs_repartition,
            null_keys: self.null_keys.clone(),
            node: Some(id),
            lineage: Lineage::at(&slot),
            ..KStream::new(&self.plan, name, upstream(&slot), self.topics.clone())
        }
    }

    /// The result of an operator that leaves keys and values as they are.
    pub(crate) fn unchanged(self, above: &Self) -> Self {
        let lineage = self.lineage.after(&above.lineage);
        Self { keys: above.keys.clone(), values: above.values.clone(), lineage, ..self }
    }

    /// The result of an operator that changes keys: what follows needs a repartition topic, of which one may serve all below.
    pub(crate) fn with_changed_keys(self) -> Self {
        let lineage = self.lineage.changing_keys(&self.plan, self.node);
        Self { needs_repartition: true, lineage, ..self }
    }

    /// The result of an operator that changes values and not keys.
    pub(crate) fn with_changed_values(self) -> Self {
        if let Some(node) = self.node {
            self.plan.set_kind(node, NodeKind::ChangesValue);
        }
        self
    }

    /// Adds a processor that forwards nothing.
    pub(crate) fn end<P, S>(&self, name: String, supplier: S)
    where
        P: Processor<KeyIn = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        let parent = Rc::clone(&self.upstream);
        self.plan.add(move |topology| topology.add_processor(&name, &[&parent()?], supplier).map(drop));
    }
}

impl<K, V> Clone for KStream<K, V> {
    fn clone(&self) -> Self {
        Self {
            plan: self.plan.clone(),
            name: self.name.clone(),
            upstream: Rc::clone(&self.upstream),
            repartition: Rc::clone(&self.repartition),
            needs_repartition: self.needs_repartition,
            keys: self.keys.clone(),
            values: self.values.clone(),
            topics: self.topics.clone(),
            null_keys: self.null_keys.clone(),
            node: self.node,
            lineage: self.lineage.clone(),
            join_filters: Rc::clone(&self.join_filters),
        }
    }
}

impl<K, V> std::fmt::Debug for KStream<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KStream").field("node", &self.name).field("needs_repartition", &self.needs_repartition).finish_non_exhaustive()
    }
}
