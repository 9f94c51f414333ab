//! `DescribeLogDirs`: the size of each partition, and the room there is. For logs in memory the directory has a name only.

use std::collections::{BTreeMap, HashSet};

use kafka_protocol::messages::describe_log_dirs_response::{DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use crate::core::{Core, Outbox};

const MEMORY: StrBytes = StrBytes::from_static_str("memory");

pub(crate) fn handle(core: &mut Core, request: DescribeLogDirsRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let asked: Option<BTreeMap<String, HashSet<i32>>> =
        request.topics.map(|topics| topics.into_iter().map(|t| (t.topic.to_string(), t.partitions.into_iter().collect())).collect());
    let topics = core
        .topics
        .iter()
        .filter_map(|(name, topic)| {
            let wanted = match &asked {
                Some(asked) => Some(asked.get(name)?),
                None => None,
            };
            let partitions = topic
                .partitions()
                .iter()
                .zip(0..)
                .filter(|(_, index)| wanted.is_none_or(|wanted| wanted.contains(index)))
                .map(|(partition, index)| {
                    DescribeLogDirsPartition::default().with_partition_index(index).with_partition_size(partition.log.size() as i64)
                })
                .collect();
            Some(DescribeLogDirsTopic::default().with_name(TopicName(StrBytes::from_string(name.to_owned()))).with_partitions(partitions))
        })
        .collect();
    let used = core.topics.total_bytes();
    let (name, total, usable) = match core.topics.log_dir() {
        Some(log_dir) => {
            let name = StrBytes::from_string(log_dir.storage.root().display().to_string());
            // -1 says that the room is not known.
            let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            log_dir.storage.space().map_or((name.clone(), -1, -1), |space| (name, bytes(space.total), bytes(space.usable)))
        }
        None => {
            let budget = i64::try_from(core.topics.log_memory_bytes()).unwrap_or(i64::MAX);
            (MEMORY, budget, budget.saturating_sub(i64::try_from(used).unwrap_or(i64::MAX)).max(0))
        }
    };
    let directory =
        DescribeLogDirsResult::default().with_log_dir(name).with_topics(topics).with_total_bytes(total).with_usable_bytes(usable);
    out.answer(ctx.ticket, DescribeLogDirsResponse::default().with_results(vec![directory]));
}
