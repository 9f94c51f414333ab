//! Heartbeat.

use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::{Ctx, error_code};
use crate::core::{Core, Outbox};

pub(crate) fn handle(core: &mut Core, request: HeartbeatRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let result = core.groups.heartbeat(&request, now);
    out.answer(ctx.ticket, HeartbeatResponse::default().with_error_code(error_code(result)));
}
