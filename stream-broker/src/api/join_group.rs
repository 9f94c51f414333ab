//! JoinGroup: see `group::join`.

use kafka_protocol::messages::JoinGroupRequest;
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::group::{Join, Parked};

pub(crate) fn handle(core: &mut Core, request: JoinGroupRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    // As in Kafka, the id tells an administrator whose it is.
    let owner = match &request.group_instance_id {
        Some(instance_id) => instance_id.as_str(),
        None => ctx.client_id.as_str(),
    };
    let fresh_member_id = StrBytes::from_string(format!("{owner}-{}", core.ids.uuid()));
    let join = Join {
        parked: Parked { ticket: Some(ctx.ticket), version: ctx.version },
        client_id: StrBytes::from_string(ctx.client_id.clone()),
        client_host: StrBytes::from_string(ctx.client_host.clone()),
        fresh_member_id,
        request,
    };
    core.groups.join(join, now, out);
}
