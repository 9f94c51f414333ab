//! [`Topology::describe`]: the topology as a structure, and as Kafka Streams' text.

mod order;
mod text;

use super::groups::{is_global, java_compare, node_groups};
use super::{NodeKind, SourceTopics, Topology};
use order::{SizeTree, hash_order, java_hash};

/// A topology as a program sees it: internal topics have no application id yet.
///
/// `Display` gives the text of Java's `TopologyDescription`, byte for byte, so that viewers made for it can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopologyDescription {
    /// The sub-topologies, by number.
    pub subtopologies: Vec<SubtopologyDescription>,
}

/// One sub-topology.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubtopologyDescription {
    /// Its number.
    pub id: u32,
    /// Whether it keeps a global store: every process runs it whole, and it has no tasks.
    pub is_global: bool,
    /// Its nodes: those with the largest tree below them first, then by name.
    pub nodes: Vec<NodeDescription>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeDescription {
    /// Its name.
    pub name: String,
    /// What it reads, keeps or writes.
    pub kind: NodeRole,
    /// The nodes that forward to it.
    pub predecessors: Vec<String>,
    /// The nodes that it forwards to.
    pub successors: Vec<String>,
}

/// What a described node does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeRole {
    /// Reads these topics.
    Source {
        /// Their names.
        topics: Vec<String>,
    },
    /// Reads the topics that match.
    PatternSource {
        /// The pattern.
        pattern: String,
    },
    /// Runs a processor.
    Processor {
        /// The names of its stores.
        stores: Vec<String>,
    },
    /// Writes this topic.
    Sink {
        /// Its name.
        topic: String,
    },
    /// Writes the topic that an extractor chooses.
    ExtractorSink {
        /// The extractor's name.
        extractor: String,
    },
}

impl Topology {
    /// What the topology consists of, as a structure whose `Display` is Kafka Streams' text. A topology that is not valid can be
    /// described too.
    ///
    /// ```
    /// use stream_core::Topology;
    /// use stream_core::topology::{Consumed, Produced};
    ///
    /// let mut topology = Topology::new();
    /// let lines = topology.add_source("lines", "text", Consumed::<String, String>::default())?;
    /// topology.add_sink("copy", "copies", Produced::default(), &[&lines])?;
    /// let text = "Topologies:\n   Sub-topology: 0\n    Source: lines (topics: [text])\n      --> copy\n    \
    ///             Sink: copy (topic: copies)\n      <-- lines\n\n";
    /// assert_eq!(topology.describe().to_string(), text);
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn describe(&self) -> TopologyDescription {
        let groups = node_groups(self).into_iter().zip(0..);
        let subtopologies = groups
            .map(|(group, id)| {
                let is_global = is_global(self, &group);
                let group: Vec<usize> = group.into_iter().collect();
                SubtopologyDescription { id, is_global, nodes: self.describe_nodes(&group) }
            })
            .collect();
        TopologyDescription { subtopologies }
    }

    /// Java keeps predecessors and successors in sets sorted by the size of the tree below a node, but sizes still grow while
    /// edges are added, in the order of the nodes. What it prints follows from both.
    fn describe_nodes(&self, group: &[usize]) -> Vec<NodeDescription> {
        let name = |node: usize| &*self.nodes[node].name;
        let visited = hash_order(group.to_vec(), |node| java_hash(name(*node)));
        let mut sizes = vec![1_u64; self.nodes.len()];
        let mut predecessors: Vec<SizeTree> = vec![SizeTree::default(); self.nodes.len()];
        let mut successors = predecessors.clone();
        for &node in &visited {
            for parent in self.nodes[node].parents.iter().filter_map(|parent| self.by_name.get(&parent.node).copied()) {
                let before = |one: usize, two: usize| sizes[two].cmp(&sizes[one]).then_with(|| java_compare(name(one), name(two)));
                predecessors[node].insert(parent, before);
                successors[parent].insert(node, before);
                let added = sizes[node];
                grow(&mut sizes, &predecessors, parent, added);
            }
        }

        let names = |tree: &SizeTree| tree.in_order().into_iter().map(|node| name(node).to_owned()).collect();
        let mut nodes: Vec<usize> = group.to_vec();
        nodes.sort_by(|one, two| sizes[*two].cmp(&sizes[*one]).then_with(|| java_compare(name(*one), name(*two))));
        nodes
            .into_iter()
            .map(|node| NodeDescription {
                name: name(node).to_owned(),
                kind: NodeRole::of(&self.nodes[node].kind),
                predecessors: names(&predecessors[node]),
                successors: names(&successors[node]),
            })
            .collect()
    }
}

/// Adds `delta` to a node and to everything above it, once per path.
fn grow(sizes: &mut [u64], predecessors: &[SizeTree], node: usize, delta: u64) {
    let mut above = vec![node];
    while let Some(node) = above.pop() {
        sizes[node] = sizes[node].saturating_add(delta);
        above.extend(predecessors[node].in_order());
    }
}

impl NodeRole {
    fn of(kind: &NodeKind) -> Self {
        match kind {
            NodeKind::Source { topics: SourceTopics::Named(names), .. } => {
                Self::Source { topics: hash_order(names.clone(), |name| java_hash(name)) }
            }
            NodeKind::Source { topics: SourceTopics::Pattern(pattern), .. } => Self::PatternSource { pattern: pattern.as_str().to_owned() },
            NodeKind::Processor { stores } => Self::Processor { stores: hash_order(stores.clone(), |name| java_hash(name)) },
            NodeKind::Sink { topic: Some(topic), .. } => Self::Sink { topic: topic.to_string() },
            NodeKind::Sink { topic: None, extractor } => Self::ExtractorSink { extractor: extractor.clone().unwrap_or_default() },
        }
    }
}
