//! AddPartitionsToTxn: for one transaction (versions 0 to 3, of clients), or for several (from version 4 on, of brokers).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};

use super::{Ctx, FENCED_BY_NAME, error_code, fencing};
use crate::core::{Core, Outbox};
use crate::transaction::{self, Producer, TransactionVersion};

/// First version that is about several transactions.
const BATCHED: i16 = 4;
/// First version that is sent for producers of version 2 of transactions.
const WITH_BUMP: i16 = 5;

pub(crate) fn handle(core: &mut Core, request: AddPartitionsToTxnRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let response = AddPartitionsToTxnResponse::default();
    if ctx.version >= BATCHED {
        let results = request
            .transactions
            .into_iter()
            .map(|transaction| {
                let id = transaction.transactional_id.clone();
                AddPartitionsToTxnResult::default().with_transactional_id(id).with_topic_results(add(core, transaction, ctx.version, now))
            })
            .collect();
        return out.answer(ctx.ticket, response.with_results_by_transaction(results));
    }
    let transaction = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(request.v3_and_below_transactional_id)
        .with_producer_id(request.v3_and_below_producer_id)
        .with_producer_epoch(request.v3_and_below_producer_epoch)
        .with_topics(request.v3_and_below_topics);
    out.answer(ctx.ticket, response.with_results_by_topic_v3_and_below(add(core, transaction, ctx.version, now)));
}

/// All or nothing: a client may not begin to write to a part of what it asked for.
fn add(core: &mut Core, transaction: AddPartitionsToTxnTransaction, version: i16, now: i64) -> Vec<AddPartitionsToTxnTopicResult> {
    let topics = transaction.topics;
    let partitions = || topics.iter().flat_map(|topic| topic.partitions.iter().map(move |&index| (topic.name.0.as_str(), index)));
    let exists: Vec<bool> = partitions().map(|(topic, index)| core.topics.partition(topic, index).is_some()).collect();
    let results: Vec<Result<(), ResponseError>> = if exists.contains(&false) {
        let result = |&exists| Err(if exists { ResponseError::OperationNotAttempted } else { ResponseError::UnknownTopicOrPartition });
        exists.iter().map(result).collect()
    } else {
        let producer = Producer { id: transaction.producer_id.0, epoch: transaction.producer_epoch };
        let id = &transaction.transactional_id.0;
        let outcome = if transaction.verify_only {
            core.transactions.verify_partitions(id, producer, partitions())
        } else {
            let transaction_version = match version {
                ..BATCHED => TransactionVersion::V0,
                BATCHED => TransactionVersion::V1,
                WITH_BUMP.. => TransactionVersion::V2,
            };
            transaction::logged(core, id, now, |transactions| {
                transactions.add_partitions(id, producer, partitions(), transaction_version, now)
            })
            .map(|()| vec![true; exists.len()])
        };
        match outcome {
            Ok(parts) => parts.into_iter().map(|part| if part { Ok(()) } else { Err(ResponseError::TransactionAbortable) }).collect(),
            Err(error) => vec![Err(fencing(error, version, FENCED_BY_NAME)); exists.len()],
        }
    };
    by_topic(topics, results)
}

/// The results of partitions in the order of the request.
fn by_topic(topics: Vec<AddPartitionsToTxnTopic>, results: Vec<Result<(), ResponseError>>) -> Vec<AddPartitionsToTxnTopicResult> {
    let mut results = results.into_iter();
    topics
        .into_iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .zip(results.by_ref())
                .map(|(&index, result)| {
                    AddPartitionsToTxnPartitionResult::default().with_partition_index(index).with_partition_error_code(error_code(result))
                })
                .collect();
            AddPartitionsToTxnTopicResult::default().with_name(topic.name).with_results_by_partition(partitions)
        })
        .collect()
}
