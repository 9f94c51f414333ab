//! AddOffsetsToTxn: the transaction is going to commit offsets of a group.

use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::{Ctx, FENCED_BY_NAME, error_code, fencing};
use crate::core::{Core, Outbox};
use crate::transaction::Producer;

pub(crate) fn handle(core: &mut Core, request: AddOffsetsToTxnRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let result = core
        .transactions
        .add_group(&request.transactional_id.0, producer, &request.group_id.0, now)
        .map_err(|error| fencing(error, ctx.version, FENCED_BY_NAME));
    out.answer(ctx.ticket, AddOffsetsToTxnResponse::default().with_error_code(error_code(result)));
}
