//! Topics that are joined need equal partition counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Counts, PlanError};
use crate::topology::{BuiltTopology, InternalTopic};

/// Checks each co-partition group and gives its repartition topics the count that the group needs: that of its external topics,
/// which must agree; without any, the one that the program fixed; else the largest (trap T96).
///
/// This comes after all counts are known and spreads no further, as in Kafka Streams: a repartition topic below a coerced one keeps
/// the count that an existing application gave it.
pub(super) fn enforce(built: &BuiltTopology, counts: &mut Counts) -> Result<(), PlanError> {
    let internal: BTreeMap<&Arc<str>, &InternalTopic> = built.repartition_topics().collect();
    for group in built.copartition_groups() {
        let known = |topic: &Arc<str>| counts.get(topic).map(|count| (Arc::clone(topic), *count));
        let fixed = group.iter().filter(|topic| internal.get(topic).is_some_and(|topic| topic.partitions.is_some()));
        // External topics first, so that they are the measure.
        let mut binding: Vec<(Arc<str>, i32)> = group.iter().filter(|topic| !internal.contains_key(topic)).filter_map(known).collect();
        binding.extend(fixed.filter_map(known));
        let count = match binding.split_first() {
            Some(((topic, count), others)) => {
                if let Some((other, other_count)) = others.iter().find(|(_, other)| other != count) {
                    return Err(PlanError::NotCopartitioned {
                        topic: topic.to_string(),
                        count: *count,
                        other: other.to_string(),
                        other_count: *other_count,
                    });
                }
                Some(*count)
            }
            None => group.iter().filter_map(|topic| counts.get(topic)).max().copied(),
        };
        if let Some(count) = count {
            counts.extend(group.iter().filter(|topic| internal.contains_key(topic)).map(|topic| (Arc::clone(topic), count)));
        }
    }
    Ok(())
}
