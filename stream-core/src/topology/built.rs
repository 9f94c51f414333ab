//! From a program's topology to what an application runs: full topic names and sub-topologies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::groups::{is_global, node_groups};
use super::{
    Changelog, InternalTopic, NodeDefinition, NodeKind, SinkSpec, SourceSpec, SourceTopics, StoreDefinition, Subtopology, Topology,
    TopologyError, validate,
};

/// A validated topology of one application, cut into sub-topologies. Share it in an [`Arc`].
pub struct BuiltTopology {
    application_id: Arc<str>,
    topology: Topology,
    subtopologies: Vec<Subtopology>,
    /// Those that keep global stores.
    globals: Vec<Subtopology>,
    /// Full names by name in the topology.
    internal_names: BTreeMap<String, Arc<str>>,
    /// Full names, those of changelogs included.
    internal_topics: Arc<BTreeSet<Arc<str>>>,
    copartition_groups: Vec<BTreeSet<Arc<str>>>,
}

impl Topology {
    /// Validates the topology, gives internal topics their full names and finds the sub-topologies.
    ///
    /// Sub-topologies are numbered as in Kafka Streams: in the order in which their first sources were added. Another order can
    /// therefore renumber them, and with them tasks and their state directories.
    ///
    /// ```
    /// use stream_core::Topology;
    /// use stream_core::topology::{Consumed, InternalTopic, Produced};
    ///
    /// let mut topology = Topology::new();
    /// topology.add_internal_topic(InternalTopic::repartition("by-user-repartition"))?;
    /// let clicks = topology.add_source("clicks", "clicks", Consumed::<String, String>::default())?;
    /// topology.add_sink("by-user", "by-user-repartition", Produced::default(), &[&clicks])?;
    /// let users = topology.add_source("users", "by-user-repartition", Consumed::<String, String>::default())?;
    /// topology.add_sink("out", "counts", Produced::default(), &[&users])?;
    ///
    /// let built = topology.build("shop")?;
    /// assert_eq!(built.subtopologies().len(), 2);
    /// assert_eq!(&*built.topic_name("by-user-repartition"), "shop-by-user-repartition");
    /// assert_eq!(&*built.topic_name("counts"), "counts");
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    ///
    /// # Errors
    /// When the topology contradicts itself or a name is not legal in Kafka; the error names both sides and the remedy.
    pub fn build(&self, application_id: &str) -> Result<BuiltTopology, TopologyError> {
        validate::topology(self, application_id)?;
        let application_id: Arc<str> = Arc::from(application_id);
        let internal_names =
            self.internal_topics.keys().map(|name| (name.clone(), Arc::from(format!("{application_id}-{name}")))).collect();
        let mut built = BuiltTopology {
            application_id,
            topology: self.clone(),
            subtopologies: Vec::new(),
            globals: Vec::new(),
            internal_names,
            internal_topics: Arc::default(),
            copartition_groups: Vec::new(),
        };
        for (group, id) in node_groups(self).into_iter().zip(0..) {
            let is_global = is_global(self, &group);
            let subtopology = built.subtopology_of(id, group.into_iter().collect());
            if is_global { &mut built.globals } else { &mut built.subtopologies }.push(subtopology);
        }
        let changelogs = built.changelogs().filter(|changelog| !changelog.is_source_topic()).map(|changelog| &changelog.topic);
        built.internal_topics = Arc::new(changelogs.chain(built.internal_names.values()).map(Arc::clone).collect());
        built.copartition_groups = built.close_copartition_groups();
        validate::built(&built)?;
        Ok(built)
    }
}

impl BuiltTopology {
    /// The application's id.
    pub fn application_id(&self) -> &Arc<str> {
        &self.application_id
    }

    /// The sub-topologies that are cut into tasks, by number.
    pub fn subtopologies(&self) -> &[Subtopology] {
        &self.subtopologies
    }

    /// The sub-topologies that keep global stores, by number; the numbers are shared with those that are cut into tasks.
    pub fn global_subtopologies(&self) -> &[Subtopology] {
        &self.globals
    }

    /// A sub-topology with tasks by its number.
    pub fn subtopology(&self, id: u32) -> Option<&Subtopology> {
        self.subtopologies.iter().find(|subtopology| subtopology.id == id)
    }

    /// The full name of a topic: that of an internal one begins with the application id.
    pub fn topic_name(&self, topic: &str) -> Arc<str> {
        self.internal_names.get(topic).map_or_else(|| Arc::from(topic), Arc::clone)
    }

    /// Whether a topic (full name) is a repartition topic or changelog of this application.
    pub fn is_internal(&self, topic: &str) -> bool {
        self.internal_topics.contains(topic)
    }

    /// The full names of the topics that the application creates for itself.
    pub(crate) fn internal_topic_names(&self) -> &Arc<BTreeSet<Arc<str>>> {
        &self.internal_topics
    }

    /// The topics that must have equal partition counts (full names), each group as large as it follows from all demands.
    pub fn copartition_groups(&self) -> &[BTreeSet<Arc<str>>] {
        &self.copartition_groups
    }

    /// All changelogs, those of unconnected stores left out.
    pub fn changelogs(&self) -> impl Iterator<Item = &Changelog> {
        self.subtopologies.iter().flat_map(|subtopology| &subtopology.changelogs)
    }

    /// Whether any sub-topology reads topics by a pattern.
    pub fn has_pattern(&self) -> bool {
        self.subtopologies.iter().any(Subtopology::has_pattern)
    }

    /// The topics of other owners that sources name.
    pub fn external_source_topics(&self) -> BTreeSet<Arc<str>> {
        self.subtopologies
            .iter()
            .flat_map(|subtopology| subtopology.source_topics.difference(&subtopology.repartition_topics))
            .map(Arc::clone)
            .collect()
    }

    /// The repartition topics that some source reads, by full name.
    pub(crate) fn repartition_topics(&self) -> impl Iterator<Item = (&Arc<str>, &InternalTopic)> {
        self.topology.internal_topics.iter().filter_map(|(name, topic)| {
            let full = self.internal_names.get(name)?;
            self.subtopologies.iter().any(|subtopology| subtopology.repartition_topics.contains(full)).then_some((full, topic))
        })
    }

    /// Whether any store that is built keeps data on disk.
    pub(crate) fn has_persistent_store(&self) -> bool {
        let mut stores = self.subtopologies.iter().chain(&self.globals).flat_map(|subtopology| &subtopology.stores);
        stores.any(|index| self.store(*index).factory.is_persistent())
    }

    pub(crate) fn nodes(&self) -> &[NodeDefinition] {
        &self.topology.nodes
    }

    pub(crate) fn node(&self, index: usize) -> &NodeDefinition {
        &self.topology.nodes[index]
    }

    pub(crate) fn store(&self, index: usize) -> &StoreDefinition {
        &self.topology.stores[index]
    }

    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    fn subtopology_of(&self, id: u32, nodes: Vec<usize>) -> Subtopology {
        let mut subtopology = Subtopology {
            id,
            nodes,
            sources: Vec::new(),
            source_topics: BTreeSet::new(),
            repartition_topics: BTreeSet::new(),
            sinks: Vec::new(),
            stores: Vec::new(),
            changelogs: Vec::new(),
        };
        let mut connected: BTreeSet<&str> = BTreeSet::new();
        for &node in &subtopology.nodes {
            match &self.topology.nodes[node].kind {
                NodeKind::Source { topics, reset, .. } => {
                    let topics = match topics {
                        SourceTopics::Named(names) => {
                            SourceTopics::Named(names.iter().map(|name| self.topic_name(name).to_string()).collect())
                        }
                        SourceTopics::Pattern(pattern) => SourceTopics::Pattern(pattern.clone()),
                    };
                    subtopology.sources.push(SourceSpec { node, topics, reset: *reset });
                }
                NodeKind::Processor { stores } => connected.extend(stores.iter().map(String::as_str)),
                NodeKind::Sink { topic: Some(topic), .. } => {
                    let internal = self.internal_names.contains_key(&**topic);
                    subtopology.sinks.push(SinkSpec { node, topic: self.topic_name(topic), internal });
                }
                NodeKind::Sink { topic: None, .. } => {}
            }
        }
        for source in &subtopology.sources {
            if let NodeKind::Source { topics: SourceTopics::Named(names), .. } = &self.topology.nodes[source.node].kind {
                for name in names {
                    let full = self.topic_name(name);
                    if self.internal_names.contains_key(name) {
                        subtopology.repartition_topics.insert(Arc::clone(&full));
                    }
                    subtopology.source_topics.insert(full);
                }
            }
        }
        for (index, store) in self.topology.stores.iter().enumerate() {
            if connected.contains(store.factory.name()) {
                subtopology.stores.push(index);
                subtopology.changelogs.extend(self.changelog_of(index, store));
            }
        }
        subtopology
    }

    fn changelog_of(&self, index: usize, store: &StoreDefinition) -> Option<Changelog> {
        let name: Arc<str> = Arc::from(store.factory.name());
        match (&store.source_changelog, store.factory.changelog()) {
            // The topic that a global store follows is its changelog.
            _ if store.is_global => None,
            (Some(topic), _) => Some(Changelog { store: index, name, topic: self.topic_name(topic), config: None }),
            (None, Some(config)) => {
                let topic = Arc::from(format!("{}-{name}-changelog", self.application_id));
                Some(Changelog { store: index, name, topic, config: Some(config.clone()) })
            }
            (None, None) => None,
        }
    }

    /// Groups that share a topic are one group.
    fn close_copartition_groups(&self) -> Vec<BTreeSet<Arc<str>>> {
        let mut closed: Vec<BTreeSet<Arc<str>>> = Vec::new();
        for group in &self.topology.copartition_groups {
            let mut merged: BTreeSet<Arc<str>> = group.iter().map(|topic| self.topic_name(topic)).collect();
            closed.retain(|other| {
                let apart = other.is_disjoint(&merged);
                if !apart {
                    merged.extend(other.iter().map(Arc::clone));
                }
                apart
            });
            closed.push(merged);
        }
        closed.retain(|group| group.len() > 1);
        closed.sort();
        closed
    }
}

impl fmt::Debug for BuiltTopology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuiltTopology")
            .field("application_id", &self.application_id)
            .field("subtopologies", &self.subtopologies)
            .finish_non_exhaustive()
    }
}
