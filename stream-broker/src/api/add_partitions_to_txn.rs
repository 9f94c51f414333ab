//! AddPartitionsToTxn, for one transaction (versions 0 to 3).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_response::{AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};

use super::{Ctx, FENCED_BY_NAME, fencing};
use crate::core::{Core, Outbox};
use crate::transaction::{self, Producer};

pub(crate) fn handle(core: &mut Core, request: AddPartitionsToTxnRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let topics = request.v3_and_below_topics;
    let exists = |topic: &str, index: i32| core.topics.partition(topic, index).is_some();
    let all_exist = topics.iter().all(|t| t.partitions.iter().all(|&index| exists(&t.name.0, index)));
    // All or nothing: a client may not begin to write to a part of what it asked for.
    let outcome = if all_exist {
        let producer = Producer { id: request.v3_and_below_producer_id.0, epoch: request.v3_and_below_producer_epoch };
        let partitions = topics.iter().flat_map(|topic| {
            let name: &str = &topic.name.0;
            topic.partitions.iter().map(move |&index| (name, index))
        });
        let id = &request.v3_and_below_transactional_id.0;
        transaction::logged(core, id, now, |transactions| transactions.add_partitions(id, producer, partitions, now))
            .map_err(|error| fencing(error, ctx.version, FENCED_BY_NAME))
    } else {
        Err(ResponseError::OperationNotAttempted)
    };
    let results = topics
        .into_iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .map(|&index| {
                    let result = match core.topics.partition(&topic.name.0, index) {
                        Some(_) => outcome,
                        None => Err(ResponseError::UnknownTopicOrPartition),
                    };
                    AddPartitionsToTxnPartitionResult::default()
                        .with_partition_index(index)
                        .with_partition_error_code(super::error_code(result))
                })
                .collect();
            AddPartitionsToTxnTopicResult::default().with_name(topic.name).with_results_by_partition(partitions)
        })
        .collect();
    out.answer(ctx.ticket, AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results));
}
