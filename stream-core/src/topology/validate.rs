//! What a topology must obey before it is built. What can be known when a part is added is checked there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{BuiltTopology, NodeKind, SourceTopics, Topology, TopologyError};

/// The longest topic name that Kafka accepts.
const MAX_NAME: usize = 249;

/// Checks a name that becomes (a part of) a topic name or a directory: Kafka's rules for topics.
///
/// ```
/// use stream_core::topology::validate_name;
/// assert!(validate_name("word-counts").is_ok());
/// assert!(validate_name("word counts").is_err());
/// ```
///
/// # Errors
/// [`TopologyError::InvalidName`] with what is wrong with it.
pub fn validate_name(name: &str) -> Result<(), TopologyError> {
    let invalid = |reason: String| Err(TopologyError::InvalidName { name: name.to_owned(), reason });
    if name.is_empty() {
        return invalid("it is empty".to_owned());
    }
    if name == "." || name == ".." {
        return invalid("`.` and `..` are reserved".to_owned());
    }
    if name.len() > MAX_NAME {
        return invalid(format!("it has {} characters; Kafka allows {MAX_NAME}", name.len()));
    }
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))) {
        Some(wrong) => invalid(format!("it contains {wrong:?}; Kafka allows ASCII letters, digits, `.`, `_` and `-`")),
        None => Ok(()),
    }
}

/// What follows from the definitions alone.
pub(super) fn topology(topology: &Topology, application_id: &str) -> Result<(), TopologyError> {
    validate_name(application_id)?;
    let has_source = topology.nodes.iter().any(|node| matches!(node.kind, NodeKind::Source { .. }));
    if !has_source {
        return Err(TopologyError::NoSource);
    }
    for node in &topology.nodes {
        match &node.kind {
            NodeKind::Source { topics: SourceTopics::Named(names), .. } => names.iter().try_for_each(|name| validate_name(name))?,
            NodeKind::Sink { topic: Some(topic), .. } => validate_name(topic)?,
            NodeKind::Source { topics: SourceTopics::Pattern(_), .. } | NodeKind::Processor { .. } | NodeKind::Sink { .. } => {}
        }
    }
    for (name, topic) in &topology.internal_topics {
        validate_name(&format!("{application_id}-{name}"))?;
        if let Some(partitions) = topic.partitions.filter(|partitions| *partitions < 1) {
            return Err(TopologyError::InvalidPartitionCount { topic: name.clone(), partitions });
        }
        let read = topology.reads_topic(name);
        let written = writers(topology, name).next();
        match (read, written) {
            (false, Some(writer)) => {
                return Err(TopologyError::InternalTopicNotRead { topic: name.clone(), node: writer.to_owned() });
            }
            (true, None) => return Err(TopologyError::InternalTopicNotWritten { topic: name.clone() }),
            (true, Some(_)) | (false, None) => {}
        }
    }
    for store in &topology.stores {
        validate_name(store.factory.name())?;
    }
    for topic in topology.copartition_groups.iter().flatten() {
        if !topology.reads_topic(topic) {
            return Err(TopologyError::UnknownTopic { topic: topic.clone() });
        }
    }
    Ok(())
}

/// What needs sub-topologies and full names.
pub(super) fn built(built: &BuiltTopology) -> Result<(), TopologyError> {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for changelog in built.changelogs() {
        validate_name(&changelog.topic)?;
        if let Some(other) = owners.insert(&changelog.topic, &changelog.name) {
            return Err(TopologyError::ChangelogShared {
                topic: changelog.topic.to_string(),
                store: changelog.name.to_string(),
                other: other.to_owned(),
            });
        }
        let internal = built.topology().internal_topics.keys().any(|name| *built.topic_name(name) == *changelog.topic);
        if internal && !changelog.is_source_topic() {
            return Err(TopologyError::DuplicateInternalTopic { topic: changelog.topic.to_string() });
        }
    }
    for subtopology in built.subtopologies() {
        for changelog in subtopology.changelogs.iter().filter(|changelog| changelog.is_source_topic()) {
            if !subtopology.source_topics.contains(&changelog.topic) {
                return Err(TopologyError::ChangelogElsewhere { topic: changelog.topic.to_string(), store: changelog.name.to_string() });
            }
        }
        // A node that names an internal topic by its full name would use it behind the topology's back: partition counts would not
        // follow from that node, nor would the topic be there when the application first starts.
        let sinks = subtopology.sinks.iter().filter(|sink| !sink.internal).map(|sink| (sink.node, &sink.topic));
        let sources = subtopology.source_topics.difference(&subtopology.repartition_topics);
        let sources = sources.filter_map(|topic| Some((subtopology.source_of(topic)?.node, topic)));
        if let Some((node, topic)) = sinks.chain(sources).find(|(_, topic)| built.is_internal(topic)) {
            let node = built.node(node).name.to_string();
            return Err(TopologyError::InternalTopicByFullName { topic: topic.to_string(), node });
        }
    }
    check_fixed_counts(built)
}

/// Topics of one co-partition group whose counts the program fixed must agree before any cluster is asked.
fn check_fixed_counts(built: &BuiltTopology) -> Result<(), TopologyError> {
    let fixed: BTreeMap<&Arc<str>, i32> = built.repartition_topics().filter_map(|(name, topic)| Some((name, topic.partitions?))).collect();
    for group in built.copartition_groups() {
        let mut counts = group.iter().filter_map(|topic| Some((topic, *fixed.get(topic)?)));
        if let Some((first, count)) = counts.next() {
            if let Some((other, other_count)) = counts.find(|(_, other)| *other != count) {
                return Err(TopologyError::CopartitionedCountsDiffer {
                    topic: first.to_string(),
                    count,
                    other: other.to_string(),
                    other_count,
                });
            }
        }
    }
    Ok(())
}

fn writers<'a>(topology: &'a Topology, topic: &'a str) -> impl Iterator<Item = &'a str> {
    topology
        .nodes
        .iter()
        .filter(move |node| matches!(&node.kind, NodeKind::Sink { topic: Some(written), .. } if &**written == topic))
        .map(|node| &*node.name)
}
