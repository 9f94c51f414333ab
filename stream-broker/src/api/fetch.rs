//! `Fetch`: records from offsets on, held back until there are enough of them.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::core::{Core, Outbox, Ticket};
use crate::fetch::read;

/// First version that names topics by their ids (KIP-516).
const TOPIC_IDS: i16 = 13;

pub(crate) fn handle(core: &mut Core, mut request: FetchRequest, ticket: Ticket, version: i16, now: i64, out: &mut Outbox) {
    // Fetch sessions (KIP-227) are an optimisation that a broker may decline: session id 0 in every response tells the client
    // to name all its partitions each time. An epoch above 0 continues a session, and there is none.
    if request.session_epoch > 0 {
        let refusal = FetchResponse::default().with_error_code(ResponseError::FetchSessionIdNotFound.code());
        return out.answer(ticket, refusal);
    }
    if version >= TOPIC_IDS {
        for topic in &mut request.topics {
            // The name of an id that is unknown stays empty: no topic has that name.
            topic.topic = TopicName(StrBytes::from_string(core.topics.name_of(topic.topic_id).unwrap_or_default().to_owned()));
        }
    }
    if request.max_wait_ms <= 0 || request.topics.is_empty() || read::is_satisfied(&core.topics, &request) {
        return out.answer(ticket, read::response(&core.topics, &request));
    }
    let deadline = now + i64::from(request.max_wait_ms);
    core.fetches.hold(ticket, request, deadline);
}
