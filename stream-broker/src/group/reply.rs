//! Answers to parked joins and syncs.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::member::Parked;
use crate::core::Outbox;

/// First version in which the protocol name may be null; older clients get an empty one with an error.
const NULLABLE_PROTOCOL_NAME: i16 = 7;

/// Answers a join with the generation that has begun.
pub(crate) fn joined(parked: Parked, response: JoinGroupResponse, out: &mut Outbox) {
    if let Some(ticket) = parked.ticket {
        out.answer(ticket, response);
    }
}

/// Answers a join with an error, and with the member id that the client is to use from now on.
pub(crate) fn join_error(parked: Parked, member_id: StrBytes, error: ResponseError, out: &mut Outbox) {
    let Some(ticket) = parked.ticket else { return };
    let protocol_name = (parked.version < NULLABLE_PROTOCOL_NAME).then(StrBytes::default);
    let response = JoinGroupResponse::default()
        .with_error_code(error.code())
        .with_generation_id(-1)
        .with_protocol_name(protocol_name)
        .with_member_id(member_id);
    out.answer(ticket, response);
}

/// Answers a sync with the member's assignment.
pub(crate) fn synced(
    parked: Parked,
    protocol_type: Option<StrBytes>,
    protocol_name: Option<StrBytes>,
    assignment: Bytes,
    out: &mut Outbox,
) {
    if let Some(ticket) = parked.ticket {
        let response =
            SyncGroupResponse::default().with_protocol_type(protocol_type).with_protocol_name(protocol_name).with_assignment(assignment);
        out.answer(ticket, response);
    }
}

/// Answers a sync with an error.
pub(crate) fn sync_error(parked: Parked, error: ResponseError, out: &mut Outbox) {
    if let Some(ticket) = parked.ticket {
        out.answer(ticket, SyncGroupResponse::default().with_error_code(error.code()));
    }
}
