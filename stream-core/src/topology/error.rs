//! Every way a topology can be wrong.

use std::fmt;

/// A mistake in a topology, found while it is built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named by the text of each error")]
pub enum TopologyError {
    /// Two nodes of one name.
    DuplicateNode { node: String },
    /// Two stores of one name.
    DuplicateStore { store: String },
    /// Two internal topics of one name that are not the same.
    DuplicateInternalTopic { topic: String },
    /// A parent that does not exist (parents are added before their children).
    UnknownParent { node: String, parent: String },
    /// A node that does not exist.
    UnknownNode { node: String },
    /// A store that does not exist.
    UnknownStore { store: String, processor: Option<String> },
    /// A global store that is connected to a processor.
    GlobalStoreConnected { store: String, processor: String },
    /// A topic that no source reads.
    UnknownTopic { topic: String },
    /// A sink cannot have children.
    SinkAsParent { node: String, parent: String },
    /// Only processors have stores.
    NotAProcessor { node: String },
    /// A processor or sink without a parent.
    NoParent { node: String },
    /// A source without a topic.
    NoTopic { node: String },
    /// A topic that two sources read.
    TopicReadTwice { topic: String, node: String, other: String },
    /// A name that Kafka does not accept.
    InvalidName { name: String, reason: String },
    /// Nothing is read.
    NoSource,
    /// A source that names a topic twice.
    TopicNamedTwice { topic: String, node: String },
    /// A partition count below one.
    InvalidPartitionCount { topic: String, partitions: i32 },
    /// An internal topic that is written, but read by no source.
    InternalTopicNotRead { topic: String, node: String },
    /// An internal topic that is read, but written by no sink: its partition count follows from nothing.
    InternalTopicNotWritten { topic: String },
    /// An internal topic that a source or sink names by its full name.
    InternalTopicByFullName { topic: String, node: String },
    /// A topic that serves two stores as changelog.
    ChangelogShared { topic: String, store: String, other: String },
    /// A source topic that serves as changelog of a store in another sub-topology.
    ChangelogElsewhere { topic: String, store: String },
    /// Two topics that must have equal partition counts, fixed to different ones.
    CopartitionedCountsDiffer { topic: String, count: i32, other: String, other_count: i32 },
    /// Any other contradiction; the text says what and how to mend it.
    Invalid { message: String },
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateNode { node } => write!(f, "node `{node}` exists already; give one of the two another name"),
            Self::DuplicateStore { store } => write!(f, "store `{store}` exists already; give one of the two another name"),
            Self::DuplicateInternalTopic { topic } => {
                write!(f, "internal topic `{topic}` exists already with other settings; give one of the two another name")
            }
            Self::UnknownParent { node, parent } => {
                write!(f, "node `{node}` names the parent `{parent}`, which does not exist; add parents before children")
            }
            Self::UnknownNode { node } => write!(f, "node `{node}` does not exist; add it first"),
            Self::UnknownStore { store, processor: Some(processor) } => {
                write!(f, "processor `{processor}` is connected to store `{store}`, which does not exist; add the store first")
            }
            Self::UnknownStore { store, processor: None } => write!(f, "store `{store}` does not exist; add it first"),
            Self::GlobalStoreConnected { store, processor } => write!(
                f,
                "processor `{processor}` is connected to the global store `{store}`; every processor may read a global store as it is: leave \
                 the connection out"
            ),
            Self::UnknownTopic { topic } => write!(f, "no source reads topic `{topic}`; add the source first"),
            Self::SinkAsParent { node, parent } => {
                write!(f, "node `{node}` names the sink `{parent}` as its parent; a sink forwards nothing")
            }
            Self::NotAProcessor { node } => write!(f, "node `{node}` is a source or sink; only processors have stores"),
            Self::NoParent { node } => write!(f, "node `{node}` has no parent; name at least one"),
            Self::NoTopic { node } => write!(f, "source `{node}` has no topic; name at least one"),
            Self::TopicReadTwice { topic, node, other } => {
                write!(f, "source `{node}` reads topic `{topic}`, which source `{other}` reads already; use one source for both")
            }
            Self::InvalidName { name, reason } => write!(f, "`{name}` is not a valid name: {reason}"),
            Self::NoSource => f.write_str("the topology reads no topic; add at least one source"),
            Self::TopicNamedTwice { topic, node } => write!(f, "source `{node}` names topic `{topic}` twice; name it once"),
            Self::InvalidPartitionCount { topic, partitions } => {
                write!(f, "internal topic `{topic}` is to have {partitions} partitions; it needs at least 1")
            }
            Self::InternalTopicNotRead { topic, node } => {
                write!(f, "sink `{node}` writes internal topic `{topic}`, which no source reads; add the source")
            }
            Self::InternalTopicNotWritten { topic } => {
                write!(f, "internal topic `{topic}` is read, but no sink writes it; add the sink, or read a topic of your own")
            }
            Self::InternalTopicByFullName { topic, node } => {
                write!(
                    f,
                    "node `{node}` names `{topic}`, which this application creates for itself; name a repartition topic without the \
                     application id, and leave changelogs to their stores"
                )
            }
            Self::ChangelogShared { topic, store, other } => {
                write!(f, "topic `{topic}` is the changelog of store `{store}` and of store `{other}`; each needs one of its own")
            }
            Self::ChangelogElsewhere { topic, store } => write!(
                f,
                "store `{store}` uses topic `{topic}` as its changelog, but is not in the sub-topology that reads it; connect the store to a processor below that source"
            ),
            Self::CopartitionedCountsDiffer { topic, count, other, other_count } => write!(
                f,
                "topics `{topic}` ({count} partitions) and `{other}` ({other_count} partitions) are joined and need equal partition counts; fix the same count for both"
            ),
            Self::Invalid { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for TopologyError {}

impl From<TopologyError> for crate::Error {
    fn from(error: TopologyError) -> Self {
        Self::invalid("the topology is not valid").with_source(error)
    }
}
