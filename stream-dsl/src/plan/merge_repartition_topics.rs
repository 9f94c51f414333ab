//! `merge.repartition.topics`: below an operator that changes keys, one repartition topic stands for all that would hold the same.
//!
//! It is named after the first of them. Operators between the one that changes keys and a topic move behind the merged topic; one that
//! changes values ends the search, since the topics would then hold different records (trap T94).

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;

use stream_core::{Topology, TopologyError};

use super::graph::{Graph, MergedRepartition, NodeId, NodeKind};
use super::{MergePoint, Plan};
use crate::stream::repartition::RepartitionNames;

/// Repartition topics by the node below which they can be merged.
type Candidates = Vec<(NodeId, Vec<NodeId>)>;

/// A merged topic, to be added when the node above it was.
pub(super) struct Merged {
    point: MergePoint,
    repartition: MergedRepartition,
    serdes: Rc<dyn Any>,
    replaced: Vec<String>,
}

impl Merged {
    pub(super) fn add_to(&self, topology: &mut Topology) -> Result<(), TopologyError> {
        (self.point)(topology, &self.repartition, &*self.serdes)
    }

    /// What was to be partitioned as one of the topics is now to be partitioned as the merged one.
    pub(super) fn rename_topics(&self, topology: &mut Topology) {
        for topic in &self.replaced {
            topology.rename_copartitioned(topic, &self.repartition.names.topic);
        }
    }
}

/// Decides which topics are left out; gives what replaces them, by the node above it.
pub(super) fn rewrite(plan: &Plan, graph: &Graph) -> BTreeMap<NodeId, Merged> {
    let mut merged = BTreeMap::new();
    for (node, repartitions) in candidates(graph) {
        if let Some(replacement) = merge(plan, graph, node, &repartitions) {
            merged.insert(node, replacement);
        }
    }
    merged
}

fn merge(plan: &Plan, graph: &Graph, node: NodeId, repartitions: &[NodeId]) -> Option<Merged> {
    let point = graph.get(node)?.point.clone()?;
    let of = |id: &NodeId| graph.get(*id).and_then(|node| node.repartition.as_ref());
    // A topic whose serdes are not known for the records of `node` stays.
    let mergeable = |id: &&NodeId| of(id).is_some_and(|one| one.serdes.contains_key(&node) && !one.is_left_out.get());
    let replaced: Vec<NodeId> = repartitions.iter().filter(mergeable).copied().collect();
    let first = of(replaced.first()?)?;
    let serdes = Rc::clone(first.serdes.get(&node)?);
    let children = replaced.iter().filter_map(|id| graph.find_above(*id, &|id| graph.parents(id).contains(&node))).collect();
    // The topic is named after the first one in full, so that its nodes have names of their own.
    let names = RepartitionNames::new(plan, &first.topic);
    let mut keeps_null_keys = false;
    let mut topics = Vec::new();
    for one in replaced.iter().filter_map(of) {
        one.is_left_out.set(true);
        keeps_null_keys |= one.keeps_null_keys.get();
        topics.push(one.topic.clone());
    }
    Some(Merged { point, repartition: MergedRepartition { names, keeps_null_keys, children }, serdes, replaced: topics })
}

fn candidates(graph: &Graph) -> Candidates {
    let mut candidates: Candidates = graph.of_kind(NodeKind::ChangesKey).map(|node| (node, Vec::new())).collect();
    for (repartition, _) in graph.repartitions() {
        let changer = key_changer(graph, repartition);
        if let Some((_, repartitions)) = candidates.iter_mut().find(|(node, _)| Some(*node) == changer) {
            repartitions.push(repartition);
        }
    }
    below_merges(graph, candidates)
}

/// The operator that changed the keys of a repartition topic's records, unless their values were changed since.
fn key_changer(graph: &Graph, repartition: NodeId) -> Option<NodeId> {
    let changes = |id| matches!(graph.kind(id), NodeKind::ChangesKey | NodeKind::ChangesValue);
    let changer = graph.find_above(repartition, &|id| graph.kind(id) == NodeKind::ChangesKey)?;
    (graph.find_above(repartition, &changes) == Some(changer)).then_some(changer)
}

/// Where streams with changed keys flow together before all of their topics, one topic behind the confluence serves all.
fn below_merges(graph: &Graph, mut candidates: Candidates) -> Candidates {
    let mut replaced = Vec::new();
    let mut added = Candidates::new();
    for merge in graph.of_kind(NodeKind::Merge) {
        let mut repartitions = Vec::new();
        for (changer, below) in &candidates {
            let is_child_of = |node: NodeId| move |id: NodeId| graph.parents(id).contains(&node);
            let all_behind = below.iter().all(|repartition| graph.find_above(*repartition, &is_child_of(merge)).is_some());
            if all_behind && graph.find_above(merge, &is_child_of(*changer)).is_some() {
                repartitions.extend(below.iter().filter(|id| !repartitions.contains(*id)).copied().collect::<Vec<_>>());
                replaced.push(*changer);
            }
        }
        added.push((merge, repartitions));
    }
    candidates.retain(|(changer, _)| !replaced.contains(changer));
    candidates.extend(added);
    candidates
}
