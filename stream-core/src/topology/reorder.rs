//! Another order of a topology's nodes: children receive records, and sub-topologies are numbered, in this order.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Topology;

/// Nodes that were added together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeGroup {
    /// Their places.
    pub nodes: Range<usize>,
    /// Of the groups whose parents all have their places the one with the smallest priority comes next.
    pub priority: usize,
}

impl Topology {
    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Orders groups of nodes by priority, parents before children. Each node must be in one group.
    ///
    /// ```
    /// use stream_core::Topology;
    /// use stream_core::topology::{Consumed, NodeGroup};
    ///
    /// let mut topology = Topology::new();
    /// topology.add_source("late", "one", Consumed::<String, String>::default())?;
    /// topology.add_source("early", "two", Consumed::<String, String>::default())?;
    /// topology.reorder(&[NodeGroup { nodes: 0..1, priority: 7 }, NodeGroup { nodes: 1..2, priority: 3 }]);
    /// assert_eq!(topology.describe().subtopologies[0].nodes[0].name, "early");
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn reorder(&mut self, groups: &[NodeGroup]) {
        let mut group_of = vec![0; self.nodes.len()];
        for (index, group) in groups.iter().enumerate() {
            group.nodes.clone().for_each(|node| group_of[node] = index);
        }
        let parents_of = |group: usize| {
            let nodes = self.nodes[groups[group].nodes.clone()].iter();
            let parents = nodes.flat_map(|node| &node.parents).filter_map(|parent| self.by_name.get(&parent.node));
            parents.map(|parent| group_of[*parent]).filter(|parent| *parent != group).collect::<BTreeSet<_>>()
        };
        let mut waiting: Vec<(usize, BTreeSet<usize>)> = (0..groups.len()).map(|group| (group, parents_of(group))).collect();
        let mut order = Vec::with_capacity(groups.len());
        // Parents were there before their children, so some group is always ready.
        while let Some(next) =
            waiting.iter().filter(|(_, parents)| parents.is_empty()).map(|(group, _)| *group).min_by_key(|group| groups[*group].priority)
        {
            order.push(next);
            waiting.retain(|(group, _)| *group != next);
            waiting.iter_mut().for_each(|(_, parents)| {
                parents.remove(&next);
            });
        }
        self.nodes = order.into_iter().flat_map(|group| self.nodes[groups[group].nodes.clone()].to_vec()).collect();
        self.by_name = self.nodes.iter().enumerate().map(|(index, node)| (node.name.clone(), index)).collect();
    }
}
