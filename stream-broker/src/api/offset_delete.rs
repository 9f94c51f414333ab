//! OffsetDelete: an administrator deletes offsets of topics that the group does not read any more.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::{Ctx, error_code};
use crate::core::{Core, Outbox};

pub(crate) fn handle(core: &mut Core, request: OffsetDeleteRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let partitions: Vec<_> =
        request.topics.iter().flat_map(|topic| topic.partitions.iter().map(|p| (topic.name.0.clone(), p.partition_index))).collect();
    let results = match core.groups.delete_offsets(&request.group_id.0, &partitions) {
        Ok(results) => results,
        Err(error) => {
            return out.answer(ctx.ticket, OffsetDeleteResponse::default().with_error_code(error.code()));
        }
    };
    let mut results = results.into_iter();
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .map(|p| {
                    let index = p.partition_index;
                    let deleted = results.next().unwrap_or(Ok(()));
                    let result = match core.topics.partition(&topic.name.0, index) {
                        Some(_) => deleted,
                        None => Err(ResponseError::UnknownTopicOrPartition),
                    };
                    OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(error_code(result))
                })
                .collect();
            OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(partitions)
        })
        .collect();
    out.answer(ctx.ticket, OffsetDeleteResponse::default().with_topics(topics));
}
