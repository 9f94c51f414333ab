//! ListPartitionReassignments: replicas that are about to move. None is.

use kafka_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use super::Ctx;
use crate::core::{Core, Outbox};

pub(crate) fn handle(_core: &mut Core, _request: ListPartitionReassignmentsRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    out.answer(ctx.ticket, ListPartitionReassignmentsResponse::default().with_error_message(None));
}
