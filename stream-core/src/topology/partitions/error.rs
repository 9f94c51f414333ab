//! Why a topology cannot run on a cluster as it is.

use std::fmt;

use crate::error::Error;

/// A topology and the partition counts of a cluster do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named by the text of each error")]
pub enum PlanError {
    /// Source topics that do not exist.
    MissingTopics { topics: Vec<String> },
    /// A topic that two sources read, found by their patterns.
    TopicReadTwice { topic: String, node: String, other: String },
    /// A repartition topic above which no topic exists: patterns match nothing.
    Undetermined { topic: String, writers: Vec<String> },
    /// Topics that are joined have different partition counts.
    NotCopartitioned { topic: String, count: i32, other: String, other_count: i32 },
    /// A partition count changed that must not change while the application exists.
    CountChanged { topic: String, old: i32, new: i32, subtopology: u32, stateful: bool },
}

impl PlanError {
    /// Whether topics are missing that somebody may still create.
    pub fn is_missing_topics(&self) -> bool {
        matches!(self, Self::MissingTopics { .. } | Self::Undetermined { .. })
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingTopics { topics } => {
                let (noun, them) = if topics.len() == 1 { ("source topic", "it") } else { ("source topics", "them") };
                write!(f, "{noun} {} not found in the cluster; create {them} before the application starts", topics.join(", "))
            }
            Self::TopicReadTwice { topic, node, other } => {
                write!(f, "topic {topic} matches the pattern of source `{node}` and is read by source `{other}` too; narrow the pattern")
            }
            Self::Undetermined { topic, writers } => write!(
                f,
                "the partition count of repartition topic {topic} is unknown: the patterns of the sources above sink {} match no topic; \
                 create a topic that matches, or fix the partition count",
                writers.join(", ")
            ),
            Self::NotCopartitioned { topic, count, other, other_count } => write!(
                f,
                "topics {topic} ({count} partitions) and {other} ({other_count} partitions) are joined and need equal partition \
                 counts; recreate one of them with the count of the other, or `repartition` one side before the join"
            ),
            Self::CountChanged { topic, old, new, subtopology, stateful: true } => write!(
                f,
                "topic {topic} had {old} partitions and now has {new}, but sub-topology {subtopology}, which reads it, has state: keys \
                 would move to partitions without it; stop all processes, reset the application and start anew, or restore the old count"
            ),
            Self::CountChanged { topic, old, new, subtopology, stateful: false } => write!(
                f,
                "repartition topic {topic} of sub-topology {subtopology} has {old} partitions and would now need {new}, because a source \
                 topic above it grew; stop all processes, reset the application and start anew, or fix the count with `with_partitions({old})`"
            ),
        }
    }
}

impl std::error::Error for PlanError {}

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Self {
        Self::invalid("the topology does not fit the topics of the cluster").with_source(error)
    }
}
