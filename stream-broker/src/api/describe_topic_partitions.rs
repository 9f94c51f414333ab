//! `DescribeTopicPartitions`: topics and their partitions, a page at a time (KIP-966).

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::log::LEADER_EPOCH;
use crate::topic::{internal, name};

/// `max.request.partition.size.limit`: what one answer holds, whatever was asked for.
const MAX_PARTITIONS: usize = 2_000;
/// Authorised operations are not reported.
const NOT_REQUESTED: i32 = i32::MIN;

pub(crate) fn handle(core: &mut Core, request: DescribeTopicPartitionsRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let mut names: BTreeSet<String> = request.topics.iter().map(|topic| topic.name.to_string()).collect();
    let lists_all = names.is_empty();
    if lists_all {
        names.extend(core.topics.iter().map(|(name, _)| name.to_owned()));
    }
    let (first_topic, first_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.to_string(), usize::try_from(cursor.partition_index).unwrap_or(0)),
        None => (String::new(), 0),
    };
    let mut room = usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, MAX_PARTITIONS);
    let mut response = DescribeTopicPartitionsResponse::default().with_next_cursor(None);
    for topic_name in names.range(first_topic.clone()..) {
        let begin = if *topic_name == first_topic { first_partition } else { 0 };
        let count = core.topics.get(topic_name).map_or(0, |topic| topic.partitions().len());
        if room == 0 {
            response.next_cursor = Some(cursor(topic_name, begin));
            break;
        }
        let end = count.min(begin.saturating_add(room));
        response.topics.push(describe(core, topic_name, begin..end));
        room -= end.saturating_sub(begin);
        if end < count {
            response.next_cursor = Some(cursor(topic_name, end));
            break;
        }
    }
    out.answer(ctx.ticket, response);
}

fn cursor(topic: &str, partition: usize) -> Cursor {
    Cursor::default().with_topic_name(TopicName(StrBytes::from_string(topic.to_owned()))).with_partition_index(partition as i32)
}

fn describe(core: &Core, topic_name: &str, indexes: std::ops::Range<usize>) -> DescribeTopicPartitionsResponseTopic {
    let described = DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic_name.to_owned()))))
        .with_is_internal(internal::is_internal(topic_name))
        .with_topic_authorized_operations(NOT_REQUESTED);
    let Some(topic) = core.topics.get(topic_name) else {
        let is_name = name::objection(topic_name).is_none();
        let error = if is_name { ResponseError::UnknownTopicOrPartition } else { ResponseError::InvalidTopicException };
        return described.with_error_code(error.code());
    };
    let node = BrokerId(core.config.node_id);
    let partition = |index: usize| {
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index as i32)
            .with_leader_id(node)
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
            .with_eligible_leader_replicas(Some(Vec::new()))
            .with_last_known_elr(Some(Vec::new()))
    };
    described.with_topic_id(topic.id).with_partitions(indexes.map(partition).collect())
}
