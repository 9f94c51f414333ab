//! SyncGroup: see `group::sync`.

use kafka_protocol::messages::SyncGroupRequest;

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::group::Parked;

pub(crate) fn handle(core: &mut Core, request: SyncGroupRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let parked = Parked { ticket: Some(ctx.ticket), version: ctx.version };
    core.groups.sync(parked, request, now, out);
}
