//! Partition counts: how many partitions internal topics get, how many tasks that makes, and what each task reads. No I/O.

mod copartition;
mod error;
mod fingerprint;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use error::PlanError;

use super::{BuiltTopology, SourceTopics, Subtopology};
use crate::id::{TaskId, TopicPartition};

/// The tasks of a topology on a cluster with certain partition counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionPlan {
    counts: BTreeMap<Arc<str>, i32>,
    repartition_topics: BTreeSet<Arc<str>>,
    subtopologies: Vec<SubtopologyPlan>,
    fingerprint: String,
}

/// What is known of a sub-topology once the partition counts are.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SubtopologyPlan {
    id: u32,
    stateful: bool,
    /// Its source topics with what its patterns match; source by source.
    topics: Vec<Arc<str>>,
    changelogs: Vec<Arc<str>>,
    /// The largest partition count of its topics; 0 when its patterns match nothing.
    tasks: i32,
    anchor: Option<Arc<str>>,
}

type Counts = BTreeMap<Arc<str>, i32>;

/// Computes the partition counts of repartition topics, checks co-partitioned topics, and counts the tasks.
///
/// `counts` holds the partition counts of the topics that exist in the cluster: at least the external source topics, and all among
/// which a pattern may find some. Internal topics in it are passed over: their counts follow from the external ones.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
/// use stream_core::{TaskId, Topology};
/// use stream_core::topology::{Consumed, Produced, plan};
///
/// let mut topology = Topology::new();
/// let lines = topology.add_source("lines", "text", Consumed::<String, String>::default())?;
/// topology.add_sink("copy", "copies", Produced::default(), &[&lines])?;
/// let built = topology.build("copier")?;
///
/// let plan = plan(&built, &BTreeMap::from([(Arc::from("text"), 3)]))?;
/// assert_eq!(plan.tasks().len(), 3);
/// assert_eq!(plan.input_partitions(TaskId::new(0, 2))[0].to_string(), "text-2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When source topics are missing, co-partitioned topics have different counts, or the count of a repartition topic follows from
/// nothing.
pub fn plan(built: &BuiltTopology, counts: &BTreeMap<Arc<str>, i32>) -> Result<PartitionPlan, PlanError> {
    let external: Counts =
        counts.iter().filter(|(topic, _)| !built.is_internal(topic)).map(|(topic, count)| (Arc::clone(topic), *count)).collect();
    let missing: Vec<String> =
        built.external_source_topics().iter().filter(|topic| !external.contains_key(*topic)).map(ToString::to_string).collect();
    if !missing.is_empty() {
        return Err(PlanError::MissingTopics { topics: missing });
    }

    let topics = source_topics(built, &external)?;
    let mut used: Counts = topics.iter().flatten().filter_map(|topic| external.get_key_value(topic)).map(owned).collect();
    let repartition = repartition_counts(built, &topics, &used);
    used.extend(repartition.iter().map(owned));
    copartition::enforce(built, &mut used)?;
    if let Some((topic, _)) = built.repartition_topics().find(|(name, _)| !used.contains_key(*name)) {
        return Err(PlanError::Undetermined { topic: topic.to_string(), writers: writers(built, topic) });
    }

    let subtopologies: Vec<SubtopologyPlan> =
        built.subtopologies().iter().zip(topics).map(|(subtopology, topics)| SubtopologyPlan::new(subtopology, topics, &used)).collect();
    let fingerprint = fingerprint::of(built, &subtopologies, &used);
    let repartition_topics = repartition.into_keys().collect();
    Ok(PartitionPlan { counts: used, repartition_topics, subtopologies, fingerprint })
}

fn owned((topic, count): (&Arc<str>, &i32)) -> (Arc<str>, i32) {
    (Arc::clone(topic), *count)
}

/// The source topics of each sub-topology, source by source, with what its patterns match.
fn source_topics(built: &BuiltTopology, external: &Counts) -> Result<Vec<Vec<Arc<str>>>, PlanError> {
    let mut readers: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    let mut all = Vec::with_capacity(built.subtopologies().len());
    for subtopology in built.subtopologies() {
        let mut topics: Vec<Arc<str>> = Vec::new();
        for source in &subtopology.sources {
            let of_source: Vec<Arc<str>> = match &source.topics {
                SourceTopics::Named(names) => names.iter().map(|name| Arc::from(name.as_str())).collect(),
                SourceTopics::Pattern(pattern) => external.keys().filter(|topic| pattern.matches(topic)).map(Arc::clone).collect(),
            };
            for topic in of_source {
                if let Some(other) = readers.insert(Arc::clone(&topic), source.node) {
                    return Err(PlanError::TopicReadTwice {
                        topic: topic.to_string(),
                        node: built.node(source.node).name.to_string(),
                        other: built.node(other).name.to_string(),
                    });
                }
                topics.push(topic);
            }
        }
        all.push(topics);
    }
    Ok(all)
}

/// The count of a repartition topic is the largest count of any source of the sub-topologies that write it; those may be repartition
/// topics too (trap T96). The largest counts spread until nothing changes, so the result does not depend on an order.
fn repartition_counts(built: &BuiltTopology, topics: &[Vec<Arc<str>>], external: &Counts) -> Counts {
    let mut counts: Counts = built.repartition_topics().filter_map(|(name, topic)| Some((Arc::clone(name), topic.partitions?))).collect();
    let open: Vec<&Arc<str>> = built.repartition_topics().map(|(name, _)| name).filter(|name| !counts.contains_key(*name)).collect();
    loop {
        let mut changed = false;
        for name in &open {
            let writing = built.subtopologies().iter().zip(topics).filter(|(subtopology, _)| subtopology.writes(name));
            let sources = writing.flat_map(|(_, topics)| topics);
            let largest = sources.filter_map(|topic| external.get(topic).or_else(|| counts.get(topic))).max().copied();
            if let Some(largest) = largest.filter(|largest| counts.get(*name).is_none_or(|count| count < largest)) {
                counts.insert(Arc::clone(name), largest);
                changed = true;
            }
        }
        if !changed {
            return counts;
        }
    }
}

fn writers(built: &BuiltTopology, topic: &str) -> Vec<String> {
    let sinks = built.subtopologies().iter().flat_map(|subtopology| &subtopology.sinks);
    sinks.filter(|sink| &*sink.topic == topic).map(|sink| built.node(sink.node).name.to_string()).collect()
}

impl SubtopologyPlan {
    fn new(subtopology: &Subtopology, topics: Vec<Arc<str>>, counts: &Counts) -> Self {
        let count = |topic: &Arc<str>| counts.get(topic).copied().unwrap_or(0);
        // Most partitions first, then by name.
        let anchor = topics.iter().min_by(|one, two| count(two).cmp(&count(one)).then_with(|| one.cmp(two))).map(Arc::clone);
        Self {
            id: subtopology.id,
            stateful: subtopology.is_stateful(),
            changelogs: subtopology.changelogs.iter().map(|changelog| Arc::clone(&changelog.topic)).collect(),
            tasks: anchor.as_ref().map_or(0, count),
            topics,
            anchor,
        }
    }
}

impl PartitionPlan {
    /// All tasks: of each sub-topology as many as its largest source topic has partitions.
    pub fn tasks(&self) -> BTreeSet<TaskId> {
        self.subtopologies
            .iter()
            .flat_map(|subtopology| (0..subtopology.tasks).map(|partition| TaskId::new(subtopology.id, partition)))
            .collect()
    }

    /// How many tasks a sub-topology has; its changelogs have as many partitions. `None` without such a sub-topology, or while its
    /// patterns match no topic.
    pub fn task_count(&self, subtopology: u32) -> Option<i32> {
        self.subtopology(subtopology).map(|subtopology| subtopology.tasks).filter(|tasks| *tasks > 0)
    }

    /// What a task reads: its partition of each source topic that has so many, in the order of the sources.
    pub fn input_partitions(&self, task: TaskId) -> Vec<TopicPartition> {
        let topics = self.subtopology(task.subtopology).map_or(&[][..], |subtopology| &subtopology.topics);
        topics
            .iter()
            .filter(|topic| self.partition_count(topic).is_some_and(|count| (0..count).contains(&task.partition)))
            .map(|topic| TopicPartition::new(Arc::clone(topic), task.partition))
            .collect()
    }

    /// The changelog partitions of a task's stores, in the order of [`Subtopology::changelogs`].
    pub fn changelog_partitions(&self, task: TaskId) -> Vec<TopicPartition> {
        let changelogs = self.subtopology(task.subtopology).map_or(&[][..], |subtopology| &subtopology.changelogs);
        changelogs.iter().map(|topic| TopicPartition::new(Arc::clone(topic), task.partition)).collect()
    }

    /// The partition count of a source topic or repartition topic.
    pub fn partition_count(&self, topic: &str) -> Option<i32> {
        self.counts.get(topic).copied()
    }

    /// The source topics of all sub-topologies with their partition counts.
    pub fn source_counts(&self) -> &BTreeMap<Arc<str>, i32> {
        &self.counts
    }

    /// Whether a source topic is one that the application creates for itself.
    pub fn is_repartition_topic(&self, topic: &str) -> bool {
        self.repartition_topics.contains(topic)
    }

    /// The topic that stands for a sub-topology in the consumer group: it has as many partitions as the sub-topology has tasks.
    pub fn anchor(&self, subtopology: u32) -> Option<&Arc<str>> {
        self.subtopology(subtopology)?.anchor.as_ref()
    }

    /// The anchors of all sub-topologies that have tasks.
    pub fn anchors(&self) -> BTreeMap<u32, Arc<str>> {
        let anchored = |subtopology: &SubtopologyPlan| Some((subtopology.id, subtopology.anchor.clone()?));
        self.subtopologies.iter().filter_map(anchored).collect()
    }

    /// A hash (hex) over sub-topologies, anchors and the partition counts of all source topics: processes that compute the same one
    /// agree on what each task is.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether the application may go on after the partition counts of its sources became those of `new`.
    ///
    /// # Errors
    /// When a count changed under a sub-topology with stores, whose keys would move away from their state, or the count of a
    /// repartition topic would have to change, which would send later records of a key to another partition than earlier ones.
    pub fn check_growth(old: &Self, new: &Self) -> Result<(), PlanError> {
        for after in &new.subtopologies {
            let Some(before) = old.subtopology(after.id) else {
                continue;
            };
            for topic in &after.topics {
                let (was, is) = (old.partition_count(topic), new.partition_count(topic).unwrap_or(0));
                let grew_the_tasks = after.tasks != before.tasks && is == after.tasks;
                let changed = match was {
                    Some(was) => was != is,
                    // A topic that a pattern found: harmless while it needs no new task, which would have no changelog partition.
                    None => grew_the_tasks && before.tasks > 0,
                };
                if changed && (after.stateful || new.is_repartition_topic(topic)) {
                    return Err(PlanError::CountChanged {
                        topic: topic.to_string(),
                        old: was.unwrap_or(before.tasks),
                        new: is,
                        subtopology: after.id,
                        stateful: after.stateful,
                    });
                }
            }
        }
        Ok(())
    }

    fn subtopology(&self, id: u32) -> Option<&SubtopologyPlan> {
        self.subtopologies.iter().find(|subtopology| subtopology.id == id)
    }
}
