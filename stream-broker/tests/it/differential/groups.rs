//! Groups of both protocols. A classic group has at most one member, whose joins are answered at once.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, DescribeGroupsRequest, GroupId, HeartbeatRequest,
    JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};

use super::random::Random;
use super::side::{Member, Side};
use crate::support::{text, topic_name};

/// A group of either protocol, and its member if it is to be one.
fn either(random: &mut Random, side: &Side) -> (String, GroupId, Option<(String, i32)>) {
    let index = random.below(3);
    let as_member = !random.one_in(3);
    if random.one_in(2) {
        let member = &side.classic[index];
        let shift = if random.one_in(8) { 1 } else { 0 };
        (format!("group {index}"), side.group(index), as_member.then(|| (member.id.clone(), member.generation + shift)))
    } else {
        let member = &side.consumers[index][random.below(2)];
        let shift = random.pick(&[0, 0, 0, 0, 1, -1]);
        (format!("consumers {index}"), side.consumer_group(index), as_member.then(|| (member.id.clone(), member.generation + shift)))
    }
}

pub fn commit(random: &mut Random, side: &mut Side) -> (String, String) {
    let (name, group, member) = either(random, side);
    let version = random.version(2, 9);
    let (topic, topic_text) = side.any_topic(random);
    let partition = Side::any_partition(random);
    let metadata = random.pick(&["", "note"]).to_owned();
    let metadata = if random.one_in(20) { "x".repeat(5_000) } else { metadata };
    let partition_request = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(random.below(100) as i64)
        .with_committed_metadata(Some(text(&metadata)));
    let (id, generation) = member.clone().unwrap_or((String::new(), -1));
    let request = OffsetCommitRequest::default()
        .with_group_id(group)
        .with_member_id(text(&id))
        .with_generation_id_or_member_epoch(generation)
        .with_topics(vec![OffsetCommitRequestTopic::default().with_name(topic_name(&topic_text)).with_partitions(vec![partition_request])]);
    let answer = side.call(version, &request);
    let asked = format!("commit v{version} {name} {topic}-{partition}, member {}, generation {generation}", member.is_some());
    (asked, format!("{answer:?}"))
}

pub fn fetch_offsets(random: &mut Random, side: &mut Side) -> (String, String) {
    let (name, group, member) = either(random, side);
    let version = random.version(1, 9);
    let (topic, topic_text) = side.any_topic(random);
    let all = version >= 2 && random.one_in(3);
    let stable = version >= 7 && random.one_in(2);
    let answer = if version >= 8 {
        let topics = OffsetFetchRequestTopics::default().with_name(topic_name(&topic_text)).with_partition_indexes(vec![0, 1]);
        let mut asked = OffsetFetchRequestGroup::default().with_group_id(group).with_topics((!all).then(|| vec![topics]));
        if version >= 9
            && let Some((id, generation)) = &member
        {
            asked = asked.with_member_id(Some(text(id))).with_member_epoch(*generation);
        }
        let request = OffsetFetchRequest::default().with_require_stable(stable).with_groups(vec![asked]);
        let mut answer = side.call(version, &request);
        for topic in &mut answer.groups[0].topics {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
        answer.groups[0].topics.sort_by_key(|topic| topic.name.0.to_string());
        format!("{answer:?}")
    } else {
        let topics = OffsetFetchRequestTopic::default().with_name(topic_name(&topic_text)).with_partition_indexes(vec![0, 1]);
        let request = OffsetFetchRequest::default().with_group_id(group).with_topics((!all).then(|| vec![topics]));
        let request = if version >= 7 { request.with_require_stable(stable) } else { request };
        let mut answer = side.call(version, &request);
        for topic in &mut answer.topics {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
        answer.topics.sort_by_key(|topic| topic.name.0.to_string());
        format!("{answer:?}")
    };
    (format!("offsets v{version} {name} topic {topic}, all {all}, stable {stable}, member {}", member.is_some()), answer)
}

pub fn delete_offsets(random: &mut Random, side: &mut Side) -> (String, String) {
    let (name, group, _) = either(random, side);
    let (topic, topic_text) = side.any_topic(random);
    let partition = Side::any_partition(random);
    let topics = OffsetDeleteRequestTopic::default()
        .with_name(topic_name(&topic_text))
        .with_partitions(vec![OffsetDeleteRequestPartition::default().with_partition_index(partition)]);
    let answer = side.call(0, &OffsetDeleteRequest::default().with_group_id(group).with_topics(vec![topics]));
    (format!("delete offsets {name} {topic}-{partition}"), format!("{answer:?}"))
}

pub fn describe(random: &mut Random, side: &mut Side) -> (String, String) {
    let (name, group, _) = either(random, side);
    let version = random.version(0, 6);
    let request = DescribeGroupsRequest::default().with_groups(vec![group]);
    let request = if version >= 3 { request.with_include_authorized_operations(random.one_in(2)) } else { request };
    (format!("describe v{version} {name}"), format!("{:?}", side.call(version, &request)))
}

pub fn delete(random: &mut Random, side: &mut Side) -> (String, String) {
    let (name, group, _) = either(random, side);
    let version = random.version(0, 2);
    let answer = side.call(version, &DeleteGroupsRequest::default().with_groups_names(vec![group]));
    (format!("delete v{version} {name}"), format!("{answer:?}"))
}

fn subscription(topic: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(topic.len() as i16);
    bytes.put_slice(topic.as_bytes());
    bytes.put_i32(-1);
    bytes.freeze()
}

pub fn join(random: &mut Random, side: &mut Side) -> (String, String) {
    let (index, group) = side.any_group(random);
    let version = random.version(0, 9);
    let session = random.pick(&[30_000, 30_000, 30_000, 1]);
    // Somebody else would have to wait for the member that is there.
    let id = if random.one_in(10) { "stranger".to_owned() } else { side.classic[index].id.clone() };
    let assignor = random.pick(&["range", "range", "roundrobin"]);
    let protocols =
        vec![JoinGroupRequestProtocol::default().with_name(text(assignor)).with_metadata(subscription(&side.topic(random.below(3))))];
    let mut request = JoinGroupRequest::default()
        .with_group_id(group)
        .with_session_timeout_ms(session)
        .with_member_id(text(&id))
        .with_protocol_type(text(if random.one_in(12) { "connect" } else { "consumer" }))
        .with_protocols(protocols);
    if version >= 1 {
        request = request.with_rebalance_timeout_ms(30_000);
    }
    let answer = side.call(version, &request);
    side.name_member(&answer.member_id, index);
    if matches!(answer.error_code, 0 | 79) {
        side.classic[index] = Member { id: answer.member_id.to_string(), generation: answer.generation_id, owned: Vec::new() };
    }
    (format!("join v{version} group {index} as '{}', session {session}, {assignor}", id.len()), format!("{answer:?}"))
}

pub fn sync(random: &mut Random, side: &mut Side) -> (String, String) {
    let (index, group) = side.any_group(random);
    let version = random.version(0, 5);
    let member = side.classic[index].clone();
    let generation = member.generation + if random.one_in(8) { 1 } else { 0 };
    let assignment =
        SyncGroupRequestAssignment::default().with_member_id(text(&member.id)).with_assignment(Bytes::from_static(b"\0\0\0\0\0\0\0\0\0\0"));
    let request = SyncGroupRequest::default()
        .with_group_id(group)
        .with_generation_id(generation)
        .with_member_id(text(&member.id))
        .with_assignments(vec![assignment]);
    let request = match version {
        5 => request.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range"))),
        _ => request,
    };
    (format!("sync v{version} group {index}, generation {generation}"), format!("{:?}", side.call(version, &request)))
}

pub fn heartbeat(random: &mut Random, side: &mut Side) -> (String, String) {
    let (name, group, member) = either(random, side);
    let version = random.version(0, 4);
    let (id, generation) = member.unwrap_or(("stranger".to_owned(), 1));
    let request = HeartbeatRequest::default().with_group_id(group).with_generation_id(generation).with_member_id(text(&id));
    (format!("heartbeat v{version} {name}, generation {generation}"), format!("{:?}", side.call(version, &request)))
}

pub fn leave(random: &mut Random, side: &mut Side) -> (String, String) {
    let (index, group) = side.any_group(random);
    let version = random.version(0, 5);
    let id = if random.one_in(6) { "stranger".to_owned() } else { side.classic[index].id.clone() };
    let request = LeaveGroupRequest::default().with_group_id(group);
    let request = match version {
        ..3 => request.with_member_id(text(&id)),
        _ => request.with_members(vec![MemberIdentity::default().with_member_id(text(&id))]),
    };
    let answer = side.call(version, &request);
    if id != "stranger" {
        side.classic[index] = Member { id: String::new(), generation: -1, owned: Vec::new() };
    }
    (format!("leave v{version} group {index}"), format!("{answer:?}"))
}

/// A member of a consumer group joins, goes on, changes its mind, leaves, or is a liar. Which partitions it gets is up to the
/// broker; how many is not.
pub fn consumer_heartbeat(random: &mut Random, side: &mut Side) -> (String, String) {
    let (index, which) = (random.below(3), random.below(2));
    let member = side.consumers[index][which].clone();
    let act = random.pick(&["beat", "beat", "beat", "rejoin", "leave", "ahead", "behind", "other topic"]);
    let topic = if act == "other topic" { (index + 1) % 3 } else { index };
    let owned = TopicPartitions::default().with_topic_id(side.topic_ids[index]).with_partitions(member.owned.clone());
    let mut request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(side.consumer_group(index))
        .with_member_id(text(&member.id))
        .with_member_epoch(member.generation)
        .with_topic_partitions(Some(if member.owned.is_empty() { Vec::new() } else { vec![owned] }));
    let join = act == "rejoin" || member.generation <= 0;
    if join {
        request = request.with_member_epoch(0).with_topic_partitions(Some(Vec::new())).with_rebalance_timeout_ms(60_000);
    }
    if join || act == "other topic" {
        request = request.with_subscribed_topic_names(Some(vec![topic_name(&side.topic(topic))]));
    }
    match act {
        "leave" => request = request.with_member_epoch(-1),
        "ahead" if !join => request = request.with_member_epoch(member.generation + 1),
        "behind" if !join => request = request.with_member_epoch((member.generation - 1).max(1)),
        _ => {}
    }
    let answer = side.call(1, &request);
    let count = answer.assignment.as_ref().map(|assignment| {
        let counts: BTreeMap<_, _> = assignment.topic_partitions.iter().map(|topic| (topic.topic_id, topic.partitions.len())).collect();
        format!("{counts:?}")
    });
    let member = &mut side.consumers[index][which];
    match answer.error_code {
        0 if act == "leave" => (member.generation, member.owned) = (0, Vec::new()),
        0 => {
            member.generation = answer.member_epoch;
            if let Some(assignment) = answer.assignment {
                let id = side.topic_ids[index];
                member.owned = assignment
                    .topic_partitions
                    .into_iter()
                    .filter(|topic| topic.topic_id == id)
                    .flat_map(|topic| topic.partitions)
                    .collect();
            }
        }
        25 | 69 | 110 => (member.generation, member.owned) = (0, Vec::new()),
        _ => {}
    }
    (format!("consumer {which} of {index}: {act}, join {join}"), format!("{} {} {count:?}", answer.error_code, answer.member_epoch))
}

pub fn consumer_describe(random: &mut Random, side: &mut Side) -> (String, String) {
    let index = random.below(3);
    let group = if random.one_in(6) { side.group(index) } else { side.consumer_group(index) };
    let answer = side.call(1, &ConsumerGroupDescribeRequest::default().with_group_ids(vec![group]));
    let group = &answer.groups[0];
    let mut members: Vec<_> = group
        .members
        .iter()
        .map(|member| {
            let count = |assignment: &kafka_protocol::messages::consumer_group_describe_response::Assignment| {
                assignment.topic_partitions.iter().map(|topic| topic.partitions.len()).sum::<usize>()
            };
            let topics = &member.subscribed_topic_names;
            (
                member.member_id.to_string(),
                member.member_epoch,
                format!("{topics:?}"),
                count(&member.assignment),
                count(&member.target_assignment),
            )
        })
        .collect();
    members.sort();
    let told = (group.error_code, group.group_state.as_str(), group.group_epoch, group.assignment_epoch, group.assignor_name.as_str());
    (format!("describe consumers {index}"), format!("{told:?} {members:?}"))
}
