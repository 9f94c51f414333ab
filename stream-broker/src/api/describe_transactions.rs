//! DescribeTransactions: state, producer and partitions of transactional ids.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use kafka_protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse, ProducerId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::transaction::{State, Transactions};

pub(crate) fn handle(core: &mut Core, request: DescribeTransactionsRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let states = request.transactional_ids.into_iter().map(|id| describe(&core.transactions, id)).collect();
    out.answer(ctx.ticket, DescribeTransactionsResponse::default().with_transaction_states(states));
}

fn describe(transactions: &Transactions, id: TransactionalId) -> TransactionState {
    let Some(transaction) = transactions.get(&id.0) else {
        return TransactionState::default().with_error_code(ResponseError::TransactionalIdNotFound.code()).with_transactional_id(id);
    };
    let topics = transaction
        .partitions
        .iter()
        .map(|(topic, partitions)| {
            TopicData::default()
                .with_topic(TopicName(StrBytes::from_string(topic.clone())))
                .with_partitions(partitions.iter().copied().collect())
        })
        .collect();
    let started_at = if transaction.state == State::Ongoing { transaction.started_at } else { -1 };
    TransactionState::default()
        .with_transactional_id(id)
        .with_transaction_state(StrBytes::from_static_str(transaction.state.name()))
        .with_transaction_timeout_ms(transaction.timeout_ms)
        .with_transaction_start_time_ms(started_at)
        .with_producer_id(ProducerId(transaction.producer.id))
        .with_producer_epoch(transaction.producer.epoch)
        .with_topics(topics)
}
