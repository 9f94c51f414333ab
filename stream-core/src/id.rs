//! Identifiers: tasks.

use std::fmt;
use std::str::FromStr;

/// One partition of one sub-topology: the unit of work that is shared out among processes. Written `subtopology_partition`.
///
/// ```
/// use stream_core::TaskId;
/// let task: TaskId = "1_3".parse()?;
/// assert_eq!((task.subtopology, task.partition), (1, 3));
/// assert_eq!(task.to_string(), "1_3");
/// # Ok::<(), stream_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The number of the sub-topology, in the order of its first node.
    pub subtopology: u32,
    /// The partition of its source topics.
    pub partition: i32,
}

impl TaskId {
    /// The task of a sub-topology and partition.
    pub const fn new(subtopology: u32, partition: i32) -> Self {
        Self { subtopology, partition }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}

impl FromStr for TaskId {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('_').and_then(|(subtopology, partition)| {
            let partition: i32 = partition.parse().ok()?;
            (partition >= 0).then_some(Self { subtopology: subtopology.parse().ok()?, partition })
        });
        parsed.ok_or_else(|| crate::Error::invalid(format!("`{text}` is not a task id; expected `<subtopology>_<partition>`, as in `0_2`")))
    }
}

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: std::sync::Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<std::sync::Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
