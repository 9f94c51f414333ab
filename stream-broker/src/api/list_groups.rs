//! ListGroups, filtered by state (version 4) and type (version 5). Names in filters are not case sensitive.

use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use crate::core::{Core, Outbox};

pub(crate) fn handle(core: &mut Core, request: ListGroupsRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let passes = |filter: &[StrBytes], name: &str| filter.is_empty() || filter.iter().any(|f| f.as_str().eq_ignore_ascii_case(name));
    let groups = core
        .groups
        .iter()
        .filter(|group| passes(&request.states_filter, group.state_name()) && passes(&request.types_filter, group.type_name()))
        .map(|group| {
            ListedGroup::default()
                .with_group_id(GroupId(group.id().clone()))
                .with_protocol_type(group.protocol_type())
                .with_group_state(StrBytes::from_static_str(group.state_name()))
                .with_group_type(StrBytes::from_static_str(group.type_name()))
        })
        .collect();
    out.answer(ctx.ticket, ListGroupsResponse::default().with_groups(groups));
}
