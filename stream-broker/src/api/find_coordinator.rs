//! FindCoordinator: the only broker coordinates every group and every transactional id.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::topic::internal::{CONSUMER_OFFSETS, TRANSACTION_STATE};

/// First version that asks for several keys at once.
const BATCHED: i16 = 4;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(crate) fn handle(core: &mut Core, request: FindCoordinatorRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let known = matches!(request.key_type, GROUP | TRANSACTION);
    let topic = if request.key_type == GROUP { CONSUMER_OFFSETS } else { TRANSACTION_STATE };
    // As in Kafka, the topic of the coordinators comes into being when one is first looked for.
    if known && let Err(error) = core.topics.create_internal(topic, &mut core.ids, now) {
        tracing::warn!(topic, %error, "an internal topic cannot be created; its first record tries again");
    }
    let response = if ctx.version >= BATCHED {
        let coordinators = request.coordinator_keys.into_iter().map(|key| coordinator(core, known, key)).collect();
        FindCoordinatorResponse::default().with_coordinators(coordinators)
    } else {
        let found = coordinator(core, known, request.key);
        FindCoordinatorResponse::default()
            .with_error_code(found.error_code)
            .with_error_message(found.error_message)
            .with_node_id(found.node_id)
            .with_host(found.host)
            .with_port(found.port)
    };
    out.answer(ctx.ticket, response);
}

fn coordinator(core: &Core, known_type: bool, key: StrBytes) -> Coordinator {
    let answer = Coordinator::default().with_key(key);
    if !known_type {
        return answer
            .with_node_id(BrokerId(-1))
            .with_port(-1)
            .with_error_code(ResponseError::InvalidRequest.code())
            .with_error_message(Some(StrBytes::from_static_str("The key type is neither 0 (group) nor 1 (transaction).")));
    }
    answer
        .with_node_id(BrokerId(core.config.node_id))
        .with_host(StrBytes::from_string(core.config.advertised_host.clone()))
        .with_port(i32::from(core.config.advertised_port))
}
