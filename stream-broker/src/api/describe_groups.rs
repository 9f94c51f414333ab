//! DescribeGroups.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use kafka_protocol::protocol::StrBytes;

use super::{ALL_GROUP_OPERATIONS, Ctx};
use crate::core::{Core, Outbox};
use crate::group::{ClassicGroup, DEAD, Group, State};

/// First version that says that a group does not exist; before, it is described as a dead one without an error.
const GROUP_ID_NOT_FOUND: i16 = 6;

pub(crate) fn handle(core: &mut Core, request: DescribeGroupsRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let with_operations = request.include_authorized_operations;
    let groups = request
        .groups
        .into_iter()
        .map(|id| {
            let described = match core.groups.get(&id.0) {
                Some(Group::Classic(group)) => describe(group),
                Some(Group::Consumer(_)) => absent(ctx.version, format!("Group {} is not a classic group.", id.0.as_str())),
                None => absent(ctx.version, format!("Group {} not found.", id.0.as_str())),
            };
            let described = described.with_group_id(id);
            let told = with_operations && described.error_code == 0;
            if told { described.with_authorized_operations(ALL_GROUP_OPERATIONS) } else { described }
        })
        .collect();
    out.answer(ctx.ticket, DescribeGroupsResponse::default().with_groups(groups));
}

fn absent(version: i16, message: String) -> DescribedGroup {
    let dead = DescribedGroup::default().with_group_state(StrBytes::from_static_str(DEAD));
    if version < GROUP_ID_NOT_FOUND {
        return dead;
    }
    dead.with_error_code(ResponseError::GroupIdNotFound.code()).with_error_message(Some(StrBytes::from_string(message)))
}

/// Metadata and assignments are those of a generation: while none is complete, there are none to show.
fn describe(group: &ClassicGroup) -> DescribedGroup {
    let protocol = group.protocol.as_ref().filter(|_| group.state == State::Stable);
    let members = group
        .members
        .values()
        .map(|m| {
            let member = DescribedGroupMember::default()
                .with_member_id(m.id.clone())
                .with_group_instance_id(m.instance_id.clone())
                .with_client_id(m.client_id.clone())
                .with_client_host(m.client_host.clone());
            match protocol {
                Some(protocol) => member.with_member_metadata(m.metadata(protocol)).with_member_assignment(m.assignment.clone()),
                None => member,
            }
        })
        .collect();
    DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(group.state.name()))
        .with_protocol_type(group.protocol_type.clone().unwrap_or_default())
        .with_protocol_data(protocol.cloned().unwrap_or_default())
        .with_members(members)
}
