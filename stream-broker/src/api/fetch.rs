//! `Fetch`: records from offsets on, held back until there are enough of them.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use crate::core::{Core, Outbox, Ticket};
use crate::fetch::read;

pub(crate) fn handle(core: &mut Core, request: FetchRequest, ticket: Ticket, now: i64, out: &mut Outbox) {
    // Fetch sessions (KIP-227) are an optimisation that a broker may decline: session id 0 in every response tells the client
    // to name all its partitions each time. An epoch above 0 continues a session, and there is none.
    if request.session_epoch > 0 {
        let refusal = FetchResponse::default().with_error_code(ResponseError::FetchSessionIdNotFound.code());
        return out.answer(ticket, refusal);
    }
    if request.max_wait_ms <= 0 || request.topics.is_empty() || read::is_satisfied(&core.topics, &request) {
        return out.answer(ticket, read::response(&core.topics, &request));
    }
    let deadline = now + i64::from(request.max_wait_ms);
    core.fetches.hold(ticket, request, deadline);
}
