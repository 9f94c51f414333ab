use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, OffsetCommitRequest, TopicName,
};

use super::ConsumerGroupSettings;
use crate::core::CoreConfig;
use crate::harness::{Harness, body, text};
use crate::storage::tests::simulated::Simulated;

const SESSION_MS: i64 = 45_000;
const REBALANCE_MS: i32 = 60_000;
const UNKNOWN_MEMBER: i16 = 25;
const GROUP_ID_NOT_FOUND: i16 = 69;

fn broker() -> Harness {
    let mut broker = Harness::new(CoreConfig::default());
    broker.create_topic("t", 4);
    broker
}

struct Member {
    id: &'static str,
    epoch: i32,
    owned: Vec<i32>,
}

impl Member {
    fn new(id: &'static str) -> Member {
        Member { id, epoch: 0, owned: Vec::new() }
    }
}

fn send(broker: &mut Harness, member: &Member) -> ConsumerGroupHeartbeatResponse {
    let id = broker.core.topics.get("t").unwrap().id;
    let owned = TopicPartitions::default().with_topic_id(id).with_partitions(member.owned.clone());
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_member_id(text(member.id))
        .with_member_epoch(member.epoch)
        .with_topic_partitions(Some(if member.owned.is_empty() { Vec::new() } else { vec![owned] }));
    let request = match member.epoch {
        0 => request.with_rebalance_timeout_ms(REBALANCE_MS).with_subscribed_topic_names(Some(vec![TopicName(text("t"))])),
        _ => request,
    };
    body!(ConsumerGroupHeartbeat, broker.call(1, request))
}

/// Sends a heartbeat and takes over what it brings.
fn beat(broker: &mut Harness, member: &mut Member) {
    let answer = send(broker, member);
    assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
    member.epoch = answer.member_epoch;
    if let Some(assignment) = answer.assignment {
        member.owned = assignment.topic_partitions.into_iter().flat_map(|topic| topic.partitions).collect();
    }
}

/// A stable group of two.
fn pair(broker: &mut Harness) -> (Member, Member) {
    let (mut first, mut second) = (Member::new("a"), Member::new("b"));
    beat(broker, &mut first);
    beat(broker, &mut second);
    for _ in 0..2 {
        beat(broker, &mut first);
        beat(broker, &mut second);
    }
    assert_eq!((first.owned.len(), second.owned.len()), (2, 2));
    (first, second)
}

fn describe(broker: &mut Harness) -> DescribedGroup {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text("g"))]);
    body!(ConsumerGroupDescribe, broker.call(1, request)).groups.remove(0)
}

fn commit(broker: &mut Harness, member: &Member, partition: i32) -> i16 {
    let partition = OffsetCommitRequestPartition::default().with_partition_index(partition).with_committed_offset(5);
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_member_id(text(member.id))
        .with_generation_id_or_member_epoch(member.epoch)
        .with_topics(vec![OffsetCommitRequestTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition])]);
    body!(OffsetCommit, broker.call(9, request)).topics[0].partitions[0].error_code
}

#[test]
fn a_member_that_is_not_heard_of_loses_its_partitions_to_the_others() {
    let mut broker = broker();
    let (mut first, second) = pair(&mut broker);
    broker.pass(SESSION_MS - 1);
    beat(&mut broker, &mut first);
    assert_eq!(first.owned.len(), 2);
    broker.pass(1);
    beat(&mut broker, &mut first);
    assert_eq!(first.owned.len(), 4);
    assert_eq!(send(&mut broker, &second).error_code, UNKNOWN_MEMBER);
}

#[test]
fn a_member_that_does_not_let_go_in_time_is_taken_out_although_it_is_heard_of() {
    let mut broker = broker();
    let (mut first, mut second) = (Member::new("a"), Member::new("b"));
    beat(&mut broker, &mut first);
    beat(&mut broker, &mut second);
    let mut waited = 0;
    while waited < i64::from(REBALANCE_MS) {
        let answer = send(&mut broker, &first);
        assert_eq!((answer.error_code, answer.member_epoch), (0, first.epoch), "it still has all four");
        beat(&mut broker, &mut second);
        assert!(second.owned.is_empty());
        broker.pass(10_000);
        waited += 10_000;
    }
    assert_eq!(send(&mut broker, &first).error_code, UNKNOWN_MEMBER);
    beat(&mut broker, &mut second);
    assert_eq!(second.owned.len(), 4);
}

#[test]
fn a_target_is_not_computed_anew_before_the_interval_is_over() {
    let consumer_groups = ConsumerGroupSettings { assignment_interval_ms: 1_000, ..CoreConfig::default().consumer_groups };
    let mut broker = Harness::new(CoreConfig { consumer_groups, ..CoreConfig::default() });
    broker.create_topic("t", 4);
    let (mut first, mut second) = (Member::new("a"), Member::new("b"));
    beat(&mut broker, &mut first);
    beat(&mut broker, &mut second);
    broker.pass(999);
    beat(&mut broker, &mut first);
    assert_eq!((first.owned.len(), describe(&mut broker).group_state.as_str()), (4, "Assigning"));
    broker.pass(1);
    beat(&mut broker, &mut first);
    assert_eq!((first.owned.len(), describe(&mut broker).group_state.as_str()), (2, "Reconciling"));
}

#[test]
fn a_group_goes_on_after_a_restart_in_the_middle_of_a_rebalance() {
    let storage = Simulated::default();
    let mut broker = Harness::on(&storage, CoreConfig::default(), 1_000_000);
    broker.create_topic("t", 4);
    let (mut first, mut second) = (Member::new("a"), Member::new("b"));
    beat(&mut broker, &mut first);
    assert_eq!(commit(&mut broker, &first, 0), 0);
    beat(&mut broker, &mut second);
    beat(&mut broker, &mut first);
    let before = describe(&mut broker);
    assert_eq!(before.group_state.as_str(), "Reconciling");

    let mut broker = Harness::on(&storage.copy(), CoreConfig::default(), broker.now);
    assert_eq!(describe(&mut broker), before);
    for _ in 0..2 {
        beat(&mut broker, &mut first);
        beat(&mut broker, &mut second);
    }
    assert_eq!((first.owned.len(), second.owned.len()), (2, 2));
    assert_eq!(describe(&mut broker).group_epoch, before.group_epoch, "the restart is no reason to assign anew");
    broker.pass(SESSION_MS);
    assert_eq!(describe(&mut broker).group_state.as_str(), "Empty");
}

#[test]
fn nothing_is_left_of_a_deleted_group_after_a_restart() {
    let storage = Simulated::default();
    let mut broker = Harness::on(&storage, CoreConfig::default(), 1_000_000);
    broker.create_topic("t", 4);
    let (mut first, _) = pair(&mut broker);
    first.epoch = -1;
    assert_eq!(send(&mut broker, &first).error_code, 0);
    broker.pass(SESSION_MS);
    broker.core.groups.delete(&text("g")).unwrap();
    let mut again = Member::new("x");
    beat(&mut broker, &mut again);
    again.epoch = -1;
    assert_eq!(send(&mut broker, &again).error_code, 0);
    assert_eq!(describe(&mut Harness::on(&storage.copy(), CoreConfig::default(), broker.now)).group_epoch, 3);
    broker.core.groups.delete(&text("g")).unwrap();
    broker.pass(1_000_000);
    let mut broker = Harness::on(&storage.copy(), CoreConfig::default(), broker.now);
    assert_eq!(describe(&mut broker).error_code, GROUP_ID_NOT_FOUND);
}

#[test]
fn offsets_of_topics_that_nobody_reads_expire_while_the_group_lives() {
    let mut broker = broker();
    broker.create_topic("u", 1);
    let mut member = Member::new("a");
    beat(&mut broker, &mut member);
    assert_eq!(commit(&mut broker, &member, 1), 0);
    let topic = OffsetCommitRequestTopic::default().with_name(TopicName(text("u")));
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(1);
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_member_id(text("a"))
        .with_generation_id_or_member_epoch(member.epoch)
        .with_topics(vec![topic.with_partitions(vec![partition])]);
    assert_eq!(body!(OffsetCommit, broker.call(9, request)).topics[0].partitions[0].error_code, 0);
    let retention = CoreConfig::default().offsets_retention_ms;
    let mut passed = 0;
    while passed < retention + 1_200_000 {
        broker.pass(40_000);
        passed += 40_000;
        beat(&mut broker, &mut member);
    }
    let offsets = broker.core.groups.get(&text("g")).unwrap().offsets();
    assert!(offsets.get("t", 1).is_some() && offsets.get("u", 0).is_none());
}
