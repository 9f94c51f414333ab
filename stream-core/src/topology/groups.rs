//! Node groups: which nodes belong to one sub-topology.

use std::collections::{BTreeMap, BTreeSet};

use super::{NodeKind, Topology};

/// The nodes of each sub-topology, in the order of the sub-topologies' numbers.
///
/// A group's number follows from the place of its first source among all sources of the program: state directories and task ids of
/// an existing application depend on it (trap T101).
pub(super) fn node_groups(topology: &Topology) -> Vec<BTreeSet<usize>> {
    let mut roots = DisjointSets::new(topology.nodes.len());
    let mut users: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, node) in topology.nodes.iter().enumerate() {
        for parent in &node.parents {
            if let Some(parent) = topology.by_name.get(&parent.node) {
                roots.unite(*parent, index);
            }
        }
        if let NodeKind::Processor { stores } = &node.kind {
            for store in stores {
                match users.get(store.as_str()) {
                    Some(first) => roots.unite(*first, index),
                    None => {
                        users.insert(store, index);
                    }
                }
            }
        }
    }

    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    let mut groups: Vec<BTreeSet<usize>> = Vec::new();
    // Parents come before children, so the first node of a group is a source.
    for index in 0..topology.nodes.len() {
        let number = *numbers.entry(roots.root(index)).or_insert_with(|| {
            groups.push(BTreeSet::new());
            groups.len() - 1
        });
        groups[number].insert(index);
    }
    groups
}

/// Whether a group keeps a global store: it has no tasks, but its number is taken.
pub(super) fn is_global(topology: &Topology, group: &BTreeSet<usize>) -> bool {
    group.iter().any(|index| match &topology.nodes[*index].kind {
        NodeKind::Processor { stores } => stores.iter().any(|store| topology.is_global_store(store)),
        NodeKind::Source { .. } | NodeKind::Sink { .. } => false,
    })
}

/// Java's `String.compareTo`: by UTF-16 code units, which differs from the order of `str` beyond the basic plane.
pub(super) fn java_compare(one: &str, two: &str) -> std::cmp::Ordering {
    one.encode_utf16().cmp(two.encode_utf16())
}

struct DisjointSets(Vec<usize>);

impl DisjointSets {
    fn new(len: usize) -> Self {
        Self((0..len).collect())
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    fn unite(&mut self, one: usize, two: usize) {
        let (one, two) = (self.root(one), self.root(two));
        self.0[two] = one;
    }
}
