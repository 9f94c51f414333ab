//! Where a task starts to read: the group's committed offsets, else the reset policy.

use std::collections::{BTreeMap, HashMap};

use super::Cluster;
use crate::client::OffsetSpec;
use crate::error::{Error, Result};
use crate::id::TopicPartition;
use crate::task::{CommitMetadata, InputPosition};
use crate::time::{Clock, UNKNOWN_TIME};
use crate::topology::AutoOffsetReset;

/// One source partition whose start is asked for.
#[derive(Clone, Debug)]
pub(crate) struct WantedInput {
    pub(crate) partition: TopicPartition,
    /// The source node's index in the topology.
    pub(crate) source: usize,
    pub(crate) reset: AutoOffsetReset,
}

/// Reads or resolves the start of every input.
///
/// # Errors
/// `Retriable` while the cluster or an undecided transaction lets us wait; `Invalid` when the policy is `none` and nothing is committed.
pub(crate) fn resolve(cluster: &Cluster, wanted: &[WantedInput], clock: &dyn Clock) -> Result<Vec<InputPosition>> {
    let partitions: Vec<TopicPartition> = wanted.iter().map(|input| input.partition.clone()).collect();
    let committed = cluster.committed_offsets(&partitions)?;
    let earliest = cluster.list_offsets(&partitions, OffsetSpec::Earliest)?;
    let ends = cluster.high_watermarks(&partitions)?;
    let mut resolved = Vec::with_capacity(wanted.len());
    let mut unresolved: BTreeMap<ResetGroup, Vec<(usize, TopicPartition)>> = BTreeMap::new();
    for input in wanted {
        let unknown = || Error::retriable(format!("the cluster gave no offsets for {}", input.partition));
        let first = earliest.get(&input.partition).copied().ok_or_else(unknown)?;
        let end = ends.get(&input.partition).copied().ok_or_else(unknown)?;
        let at = |offset, metadata: CommitMetadata, committed| InputPosition {
            partition: input.partition.clone(),
            source: input.source,
            offset,
            partition_time: metadata.partition_time,
            processors: metadata.processors,
            committed,
        };
        match committed.get(&input.partition) {
            Some(found) if (first..=end).contains(&found.offset) => {
                resolved.push(at(found.offset, CommitMetadata::decode(&found.metadata), true));
            }
            Some(found) if input.reset == AutoOffsetReset::None => {
                return Err(Error::invalid(format!(
                    "the committed offset {} of {} is not in the log, which has {first} to {end}, and the reset policy is `none`: {}; \
                     choose `earliest` or `latest`, or reset the group's offsets",
                    found.offset,
                    input.partition,
                    cause(found.offset, first)
                )));
            }
            None if input.reset == AutoOffsetReset::None => {
                return Err(Error::invalid(format!(
                    "no offset of {} is committed by group {}, and the reset policy is `none`: choose `earliest` or `latest`, or commit an offset first",
                    input.partition,
                    cluster.group()
                )));
            }
            found => {
                if let Some(found) = found {
                    // Fetching from there would only be answered with `OffsetOutOfRange`, again and again.
                    tracing::warn!(
                        topic = %input.partition.topic, partition = input.partition.partition, committed = found.offset, first, end, reset = ?input.reset,
                        "the committed offset is not in the log: {}; the reset policy decides where to go on", cause(found.offset, first)
                    );
                }
                let group = match input.reset {
                    AutoOffsetReset::Latest => ResetGroup::Latest,
                    AutoOffsetReset::ByDuration(age) => {
                        ResetGroup::Timestamp(clock.now_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)).max(0))
                    }
                    _ => {
                        resolved.push(at(first, CommitMetadata::unknown(), false));
                        continue;
                    }
                };
                unresolved.entry(group).or_default().push((input.source, input.partition.clone()));
            }
        }
    }
    for (spec, inputs) in unresolved {
        let partitions: Vec<TopicPartition> = inputs.iter().map(|(_, partition)| partition.clone()).collect();
        let offsets = cluster.list_offsets(&partitions, spec.into())?;
        for (source, partition) in inputs {
            let offset = offsets.get(&partition).copied();
            let offset = offset.ok_or_else(|| Error::retriable(format!("the cluster gave no offset for {partition}")))?;
            resolved.push(InputPosition {
                partition,
                source,
                offset,
                partition_time: UNKNOWN_TIME,
                processors: BTreeMap::new(),
                committed: false,
            });
        }
    }
    // The order of the inputs is the order of the sources, whatever their policies.
    let order: HashMap<&TopicPartition, usize> = wanted.iter().enumerate().map(|(index, input)| (&input.partition, index)).collect();
    resolved.sort_by_key(|input| order.get(&input.partition).copied());
    Ok(resolved)
}

/// Why a committed offset is not in the log.
fn cause(committed: i64, first: i64) -> &'static str {
    if committed < first { "records were lost to retention" } else { "the topic was deleted and made anew, or its log was truncated" }
}

/// Inputs that one ListOffsets request resolves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ResetGroup {
    Latest,
    Timestamp(i64),
}

impl From<ResetGroup> for OffsetSpec {
    fn from(group: ResetGroup) -> Self {
        match group {
            ResetGroup::Latest => Self::Latest,
            ResetGroup::Timestamp(ms) => Self::Timestamp(ms),
        }
    }
}
