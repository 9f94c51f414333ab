//! EndTxn: commit or abort.

use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse};

use super::{Ctx, FENCED_BY_NAME, error_code, fencing};
use crate::core::{Core, Outbox};
use crate::transaction::{self, Producer};

pub(crate) fn handle(core: &mut Core, request: EndTxnRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let id = &request.transactional_id.0;
    let result = transaction::logged(core, id, now, |transactions| transactions.prepare_end(id, producer, request.committed, now))
        .map(|prepared| {
            if prepared {
                transaction::end(core, id, now, out);
            }
        })
        .map_err(|error| fencing(error, ctx.version, FENCED_BY_NAME));
    out.answer(ctx.ticket, EndTxnResponse::default().with_error_code(error_code(result)));
}
