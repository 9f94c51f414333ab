//! `DescribeLogDirs`: the size of each partition. Logs are in memory; the directory has a name only.

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
    let budget = i64::try_from(core.topics.log_memory_bytes()).unwrap_or(i64::MAX);
    let used = i64::try_from(core.topics.total_bytes()).unwrap_or(i64::MAX);
    let directory = DescribeLogDirsResult::default()
        .with_log_dir(MEMORY)
        .with_topics(topics)
        .with_total_bytes(budget)
        .with_usable_bytes(budget.saturating_sub(used).max(0));
    out.answer(ctx.ticket, DescribeLogDirsResponse::default().with_results(vec![directory]));
}
