//! The graph of a plan's streams: what rewrites look at before anything is lowered.

use std::any::Any;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use stream_core::{Topology, TopologyError};

use crate::stream::repartition::RepartitionNames;

/// A step of the plan. Later steps have larger ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(usize);

impl NodeId {
    pub(crate) fn of_step(index: usize) -> Self {
        Self(index)
    }
}

/// What a node does to the records of its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// Neither keys nor values change, or nobody asks.
    #[default]
    Other,
    ChangesKey,
    ChangesValue,
    /// Streams flow together.
    Merge,
}

/// Puts a repartition topic below a node, and these children behind it.
pub(crate) type MergePoint = Rc<dyn Fn(&mut Topology, &MergedRepartition, &dyn Any) -> Result<(), TopologyError>>;

/// What a merge point needs to know.
pub(crate) struct MergedRepartition {
    pub(crate) names: RepartitionNames,
    pub(crate) keeps_null_keys: bool,
    pub(crate) children: BTreeSet<NodeId>,
}

/// A repartition topic that may be left out when another one holds the same.
pub(crate) struct OptimizableRepartition {
    pub(crate) topic: String,
    pub(crate) is_left_out: Rc<Cell<bool>>,
    pub(crate) keeps_null_keys: Rc<Cell<bool>>,
    /// The serdes that the topic would have directly below a node above, by that node.
    pub(crate) serdes: BTreeMap<NodeId, Rc<dyn Any>>,
}

/// A node of a stream.
#[derive(Default)]
pub(crate) struct GraphNode {
    parents: Vec<NodeId>,
    kind: NodeKind,
    pub(super) point: Option<MergePoint>,
    pub(super) repartition: Option<OptimizableRepartition>,
}

impl GraphNode {
    pub(crate) fn below(parents: impl IntoIterator<Item = NodeId>) -> Self {
        Self { parents: parents.into_iter().collect(), ..Self::default() }
    }

    pub(crate) fn with_repartition(mut self, repartition: OptimizableRepartition) -> Self {
        self.repartition = Some(repartition);
        self
    }
}

#[derive(Default)]
pub(crate) struct Graph {
    nodes: BTreeMap<NodeId, GraphNode>,
}

impl Graph {
    pub(super) fn add(&mut self, id: NodeId, node: GraphNode) {
        self.nodes.insert(id, node);
    }

    pub(super) fn set_kind(&mut self, id: NodeId, kind: NodeKind) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.kind = kind;
        }
    }

    pub(super) fn set_merge_point(&mut self, id: NodeId, kind: NodeKind, point: MergePoint) {
        if let Some(node) = self.nodes.get_mut(&id) {
            (node.kind, node.point) = (kind, Some(point));
        }
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&GraphNode> {
        self.nodes.get(&id)
    }

    pub(super) fn kind(&self, id: NodeId) -> NodeKind {
        self.nodes.get(&id).map_or(NodeKind::Other, |node| node.kind)
    }

    pub(super) fn parents(&self, id: NodeId) -> &[NodeId] {
        self.nodes.get(&id).map_or(&[], |node| &node.parents)
    }

    /// The nodes of a kind, in the order of the program.
    pub(super) fn of_kind(&self, kind: NodeKind) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().filter(move |(_, node)| node.kind == kind).map(|(id, _)| *id)
    }

    /// The repartition topics that may be left out, in the order of the program.
    pub(super) fn repartitions(&self) -> impl Iterator<Item = (NodeId, &OptimizableRepartition)> {
        self.nodes.iter().filter_map(|(id, node)| Some((*id, node.repartition.as_ref()?)))
    }

    /// The node itself or one above it for which `matches` holds. Where streams flow together a parent that matches is taken at once,
    /// else what the last of them leads to: Kafka Streams looks in this order, and which topics are merged depends on it.
    pub(super) fn find_above(&self, from: NodeId, matches: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        if matches(from) {
            return Some(from);
        }
        let mut found = None;
        for parent in self.parents(from) {
            if matches(*parent) {
                return Some(*parent);
            }
            found = self.find_above(*parent, matches);
        }
        found
    }
}
