//! EndTxn: commit or abort.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse, ProducerId};

use super::init_producer_id::reserve_producer_id;
use super::{Ctx, FENCED_BY_NAME, fencing};
use crate::core::{Core, Outbox};
use crate::transaction::{self, Ending, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Producer};

/// First version whose clients go by version 2 of transactions (KIP-890): the answer has the epoch of the next.
const WITH_BUMP: i16 = 5;

pub(crate) fn handle(core: &mut Core, request: EndTxnRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let response = match end(core, &request, ctx.version, now, out) {
        Ok(producer) if ctx.version >= WITH_BUMP => {
            EndTxnResponse::default().with_producer_id(ProducerId(producer.id)).with_producer_epoch(producer.epoch)
        }
        Ok(_) => EndTxnResponse::default(),
        Err(error) => EndTxnResponse::default()
            .with_error_code(fencing(error, ctx.version, FENCED_BY_NAME).code())
            .with_producer_id(ProducerId(NO_PRODUCER_ID))
            .with_producer_epoch(NO_PRODUCER_EPOCH),
    };
    out.answer(ctx.ticket, response);
}

fn end(core: &mut Core, request: &EndTxnRequest, version: i16, now: i64, out: &mut Outbox) -> Result<Producer, ResponseError> {
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let id = &request.transactional_id.0;
    let ending = if version >= WITH_BUMP {
        // The end may need a new producer id.
        reserve_producer_id(core, now)?;
        transaction::logged(core, id, now, |transactions| transactions.prepare_end_with_bump(id, producer, request.committed, now))?
    } else {
        transaction::logged(core, id, now, |transactions| transactions.prepare_end(id, producer, request.committed, now))?
    };
    match ending {
        Ending::Repeated(producer) => Ok(producer),
        Ending::Prepared(producer) => {
            transaction::end(core, id, now, out);
            Ok(producer)
        }
    }
}
