//! InitProducerId: an id for an idempotent producer, or the next epoch of a transactional one.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::{Ctx, fencing};
use crate::core::{Core, Outbox};
use crate::transaction::{self, Initialization, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Producer};

/// First version whose clients understand PRODUCER_FENCED (KIP-588).
const PRODUCER_FENCED: i16 = 4;

pub(crate) fn handle(core: &mut Core, request: InitProducerIdRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let response = match initialize(core, &request, now, out) {
        Ok(producer) => InitProducerIdResponse::default().with_producer_id(ProducerId(producer.id)).with_producer_epoch(producer.epoch),
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(fencing(error, ctx.version, PRODUCER_FENCED).code())
            .with_producer_id(ProducerId(NO_PRODUCER_ID))
            .with_producer_epoch(NO_PRODUCER_EPOCH),
    };
    out.answer(ctx.ticket, response);
}

fn initialize(core: &mut Core, request: &InitProducerIdRequest, now: i64, out: &mut Outbox) -> Result<Producer, ResponseError> {
    let Producer { id, epoch } = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    if (id == NO_PRODUCER_ID) != (epoch == NO_PRODUCER_EPOCH) {
        return Err(ResponseError::InvalidRequest);
    }
    reserve_producer_id(core, now)?;
    let Some(transactional_id) = &request.transactional_id else {
        // An idempotent producer has nothing to fence: it always gets a new id.
        return Ok(Producer { id: core.transactions.next_producer_id(), epoch: 0 });
    };
    let expected = (id != NO_PRODUCER_ID).then_some(Producer { id, epoch });
    let (transactional_id, timeout) = (&transactional_id.0, request.transaction_timeout_ms);
    let initialized =
        transaction::logged(core, transactional_id, now, |transactions| transactions.initialize(transactional_id, timeout, expected, now))?;
    match initialized {
        Initialization::Ready(producer) => Ok(producer),
        Initialization::AbortFirst => {
            transaction::end(core, transactional_id, now, out);
            // The fencing epoch is nobody's. The client asks again and gets the one after it.
            Err(ResponseError::ConcurrentTransactions)
        }
    }
}

/// Makes sure that the next producer id is one that no broker after this one will give out.
///
/// # Errors
/// `COORDINATOR_LOAD_IN_PROGRESS` if the disk fails, which clients retry.
pub(super) fn reserve_producer_id(core: &mut Core, now: i64) -> Result<(), ResponseError> {
    core.topics.reserve_producer_id(core.transactions.peek_producer_id(), now).map_err(|error| {
        tracing::warn!(%error, "producer ids cannot be set aside");
        ResponseError::CoordinatorLoadInProgress
    })
}
