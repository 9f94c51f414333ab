//! DeleteGroups.

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::{Ctx, error_code};
use crate::core::{Core, Outbox};

pub(crate) fn handle(core: &mut Core, request: DeleteGroupsRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let results = request
        .groups_names
        .into_iter()
        .map(|id| {
            let result = core.groups.delete(&id.0);
            DeletableGroupResult::default().with_group_id(id).with_error_code(error_code(result))
        })
        .collect();
    out.answer(ctx.ticket, DeleteGroupsResponse::default().with_results(results));
}
