//! LeaveGroup: one member, or since version 3 several.

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::{Ctx, error_code};
use crate::core::{Core, Outbox};

/// First version that lets several members leave.
const BATCHED: i16 = 3;

pub(crate) fn handle(core: &mut Core, request: LeaveGroupRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let batched = ctx.version >= BATCHED;
    let leaving = if batched { request.members } else { vec![MemberIdentity::default().with_member_id(request.member_id)] };
    let response = LeaveGroupResponse::default();
    let response = match core.groups.leave(&request.group_id.0, &leaving, now, out) {
        Err(error) => response.with_error_code(error.code()),
        Ok(results) if batched => {
            let members = leaving
                .into_iter()
                .zip(results)
                .map(|(member, result)| {
                    MemberResponse::default()
                        .with_member_id(member.member_id)
                        .with_group_instance_id(member.group_instance_id)
                        .with_error_code(error_code(result))
                })
                .collect();
            response.with_members(members)
        }
        Ok(results) => {
            let result = results.into_iter().next().unwrap_or(Ok(()));
            response.with_error_code(error_code(result))
        }
    };
    out.answer(ctx.ticket, response);
}
