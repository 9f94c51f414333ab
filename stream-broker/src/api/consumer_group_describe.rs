//! ConsumerGroupDescribe (KIP-848).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::consumer_group_describe_response::{Assignment, DescribedGroup, Member, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::{ALL_GROUP_OPERATIONS, Ctx};
use crate::core::{Core, Outbox};
use crate::group::Group;
use crate::group::consumer::{ConsumerGroup, ConsumerMember, TopicPartition, by_topic};
use crate::topic::Topics;

/// The member speaks the protocol of consumer groups, not the classic one.
const CONSUMER: i8 = 1;

pub(crate) fn handle(core: &mut Core, request: ConsumerGroupDescribeRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let groups = request
        .group_ids
        .into_iter()
        .map(|id| {
            let described = match core.groups.get(&id.0) {
                Some(Group::Consumer(group)) => {
                    let described = describe(group, &core.topics);
                    let with_operations = request.include_authorized_operations;
                    if with_operations { described.with_authorized_operations(ALL_GROUP_OPERATIONS) } else { described }
                }
                Some(Group::Classic(_)) => absent(&id, "is not a consumer group"),
                None => absent(&id, "not found"),
            };
            described.with_group_id(id)
        })
        .collect();
    out.answer(ctx.ticket, ConsumerGroupDescribeResponse::default().with_groups(groups));
}

fn absent(id: &GroupId, reason: &str) -> DescribedGroup {
    let message = match id.0.as_str() {
        "" => "The group id must not be empty.".to_owned(),
        id => format!("Group {id} {reason}."),
    };
    let error = if id.0.is_empty() { ResponseError::InvalidGroupId } else { ResponseError::GroupIdNotFound };
    DescribedGroup::default().with_error_code(error.code()).with_error_message(Some(StrBytes::from_string(message)))
}

fn describe(group: &ConsumerGroup, topics: &Topics) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(group.state().name()))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.assignment_epoch)
        .with_assignor_name(StrBytes::from_static_str(group.assignor().name()))
        .with_members(group.members.values().map(|member| describe_member(group, member, topics)).collect())
}

fn describe_member(group: &ConsumerGroup, member: &ConsumerMember, topics: &Topics) -> Member {
    let name = |name: &String| TopicName(StrBytes::from_string(name.clone()));
    // Until it has said that it gave a partition up, a member still has it.
    let held = member.assigned.keys().chain(member.revoking.keys()).copied();
    let target = group.target.get(&member.id).into_iter().flatten().copied();
    Member::default()
        .with_member_id(member.id.clone())
        .with_instance_id(member.instance_id.clone())
        .with_rack_id(member.rack_id.clone())
        .with_member_epoch(member.epoch)
        .with_client_id(member.client_id.clone())
        .with_client_host(member.client_host.clone())
        .with_subscribed_topic_names(member.subscribed_topics.iter().map(name).collect())
        .with_subscribed_topic_regex(member.subscribed_regex.clone())
        .with_assignment(assignment(held, topics))
        .with_target_assignment(assignment(target, topics))
        .with_member_type(CONSUMER)
}

/// A topic that was deleted has no name to show.
fn assignment(partitions: impl IntoIterator<Item = TopicPartition>, topics: &Topics) -> Assignment {
    let named = by_topic(partitions).into_iter().filter_map(|(id, indexes)| {
        let name = topics.name_of(id)?;
        let topic = TopicPartitions::default().with_topic_id(id).with_partitions(indexes);
        Some(topic.with_topic_name(TopicName(StrBytes::from_string(name.to_owned()))))
    });
    Assignment::default().with_topic_partitions(named.collect())
}
