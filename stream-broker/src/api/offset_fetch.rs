//! OffsetFetch: the committed offsets of one group, or since version 8 of several.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::group::{CommittedOffset, Group};

/// First version that asks for several groups.
const BATCHED: i16 = 8;
/// What a partition without a committed offset shows.
const NO_OFFSET: i64 = -1;

pub(crate) fn handle(core: &mut Core, request: OffsetFetchRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let stable = request.require_stable;
    if ctx.version >= BATCHED {
        let groups = request.groups.into_iter().map(|group| fetch(core, group, stable)).collect();
        return out.answer(ctx.ticket, OffsetFetchResponse::default().with_groups(groups));
    }
    let topics = request.topics.map(|topics| {
        topics
            .into_iter()
            .map(|topic| OffsetFetchRequestTopics::default().with_name(topic.name).with_partition_indexes(topic.partition_indexes))
            .collect()
    });
    let group = OffsetFetchRequestGroup::default().with_group_id(request.group_id).with_topics(topics);
    let fetched = fetch(core, group, stable);
    let topics = fetched.topics.into_iter().map(single).collect();
    out.answer(ctx.ticket, OffsetFetchResponse::default().with_topics(topics));
}

/// A group that does not exist has committed nothing; that is no error.
fn fetch(core: &Core, request: OffsetFetchRequestGroup, stable: bool) -> OffsetFetchResponseGroup {
    let group = core.groups.get(&request.group_id.0);
    if let Some(Group::Consumer(consumers)) = group
        && let Err(error) = consumers.accept_fetch(request.member_id.as_ref(), request.member_epoch)
    {
        return OffsetFetchResponseGroup::default().with_group_id(request.group_id).with_error_code(error.code());
    }
    let topics = match (request.topics, group) {
        (Some(topics), group) => topics
            .into_iter()
            .map(|topic| {
                let partitions = topic.partition_indexes.iter().map(|&index| position(group, &topic.name.0, index, stable)).collect();
                OffsetFetchResponseTopics::default().with_name(topic.name).with_partitions(partitions)
            })
            .collect(),
        (None, Some(group)) => all(group, stable),
        (None, None) => Vec::new(),
    };
    OffsetFetchResponseGroup::default().with_group_id(request.group_id).with_topics(topics)
}

fn all(group: &Group, stable: bool) -> Vec<OffsetFetchResponseTopics> {
    group
        .offsets()
        .iter()
        .map(|(topic, partitions)| {
            let partitions = partitions.map(|(index, _)| position(Some(group), topic, index, stable)).collect();
            OffsetFetchResponseTopics::default().with_name(TopicName(StrBytes::from_string(topic.to_owned()))).with_partitions(partitions)
        })
        .collect()
}

/// With `stable`, an offset that an open transaction may still change is not told: a reader that began there would repeat
/// what the transaction has done.
fn position(group: Option<&Group>, topic: &str, index: i32, stable: bool) -> OffsetFetchResponsePartitions {
    let answer = OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(NO_OFFSET)
        .with_committed_leader_epoch(-1)
        .with_metadata(Some(StrBytes::default()));
    let Some(offsets) = group.map(Group::offsets) else {
        return answer;
    };
    if stable && offsets.is_pending(topic, index) {
        return answer.with_error_code(ResponseError::UnstableOffsetCommit.code());
    }
    match offsets.get(topic, index) {
        Some(CommittedOffset { offset, leader_epoch, metadata, .. }) => {
            answer.with_committed_offset(*offset).with_committed_leader_epoch(*leader_epoch).with_metadata(Some(metadata.clone()))
        }
        None => answer,
    }
}

fn single(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partitions = topic
        .partitions
        .into_iter()
        .map(|p| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(p.partition_index)
                .with_committed_offset(p.committed_offset)
                .with_committed_leader_epoch(p.committed_leader_epoch)
                .with_metadata(p.metadata)
                .with_error_code(p.error_code)
        })
        .collect();
    OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions)
}
