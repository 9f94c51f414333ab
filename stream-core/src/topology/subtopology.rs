//! Sub-topologies: the connected parts of a topology, each of which is cut into tasks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{AutoOffsetReset, SourceTopics};
use crate::store::ChangelogConfig;

/// Nodes that are connected by edges or by stores that they share. One task runs one partition of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Subtopology {
    /// Its number: the first part of its tasks' ids.
    pub id: u32,
    /// Its nodes, parents before children, as indices into the topology.
    pub nodes: Vec<usize>,
    /// Its sources.
    pub sources: Vec<SourceSpec>,
    /// The topics that its sources name (full names), internal ones included; what patterns match is not known yet.
    pub source_topics: BTreeSet<Arc<str>>,
    /// Those of its source topics that the application creates for itself.
    pub repartition_topics: BTreeSet<Arc<str>>,
    /// The topics that it writes, except those that an extractor chooses.
    pub sinks: Vec<SinkSpec>,
    /// Its stores, as indices into the topology.
    pub stores: Vec<usize>,
    /// The changelogs of those of its stores that have one.
    pub changelogs: Vec<Changelog>,
}

impl Subtopology {
    /// One without nodes.
    pub(crate) fn empty(id: u32) -> Self {
        Self {
            id,
            nodes: Vec::new(),
            sources: Vec::new(),
            source_topics: BTreeSet::new(),
            repartition_topics: BTreeSet::new(),
            sinks: Vec::new(),
            stores: Vec::new(),
            changelogs: Vec::new(),
        }
    }

    /// Whether it has stores. The partition counts of its sources cannot change then: keys would move away from their state.
    pub fn is_stateful(&self) -> bool {
        !self.stores.is_empty()
    }

    /// The source that reads a topic (full name).
    pub fn source_of(&self, topic: &str) -> Option<&SourceSpec> {
        self.sources.iter().find(|source| source.topics.matches(topic))
    }

    /// Whether one of its sources reads topics by a pattern.
    pub fn has_pattern(&self) -> bool {
        self.sources.iter().any(|source| matches!(source.topics, SourceTopics::Pattern(_)))
    }

    /// Whether it writes this topic (full name).
    pub fn writes(&self, topic: &str) -> bool {
        self.sinks.iter().any(|sink| &*sink.topic == topic)
    }
}

/// A source of a sub-topology.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceSpec {
    /// Its node.
    pub node: usize,
    /// Its topics, by full name.
    pub topics: SourceTopics,
    /// Where it begins without a committed offset; `None`: as configured.
    pub reset: Option<AutoOffsetReset>,
}

/// A topic that a sub-topology writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkSpec {
    /// The sink's node.
    pub node: usize,
    /// The topic's full name.
    pub topic: Arc<str>,
    /// Whether the application creates it for itself.
    pub internal: bool,
}

/// Where a store's changes go, and from where it is restored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changelog {
    /// The store, as an index into the topology.
    pub store: usize,
    /// The store's name.
    pub name: Arc<str>,
    /// The topic's full name.
    pub topic: Arc<str>,
    /// How the application creates the topic; `None` for a source topic that serves as changelog: it is not created, nothing is
    /// sent to it, and the store is restored up to the committed source offset.
    pub config: Option<ChangelogConfig>,
}

impl Changelog {
    /// Whether a source topic serves as changelog.
    pub fn is_source_topic(&self) -> bool {
        self.config.is_none()
    }
}
