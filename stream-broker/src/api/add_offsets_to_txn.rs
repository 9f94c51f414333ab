//! AddOffsetsToTxn: the transaction is going to commit offsets of a group.

use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::{Ctx, FENCED_BY_NAME, error_code, fencing};
use crate::core::{Core, Outbox};
use crate::topic::internal::{CONSUMER_OFFSETS, partition_for};
use crate::transaction::{self, Producer, TransactionVersion};

pub(crate) fn handle(core: &mut Core, request: AddOffsetsToTxnRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let id = &request.transactional_id.0;
    let group = &request.group_id.0;
    // The offsets will be records in the group's partition, which the end of the transaction has to reach as any other.
    let partition = partition_for(group, core.topics.internal_partition_count(CONSUMER_OFFSETS));
    let result = transaction::logged(core, id, now, |transactions| {
        transactions.add_partitions(id, producer, [(CONSUMER_OFFSETS, partition)], TransactionVersion::V0, now)
    })
    .map_err(|error| fencing(error, ctx.version, FENCED_BY_NAME));
    out.answer(ctx.ticket, AddOffsetsToTxnResponse::default().with_error_code(error_code(result)));
}
