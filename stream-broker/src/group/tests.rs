use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest, SyncGroupResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use crate::core::{CoreConfig, Ticket};
use crate::harness::{Harness, body, text};

const SESSION_MS: i32 = 10_000;
const REBALANCE_MS: i32 = 30_000;

const REBALANCE_IN_PROGRESS: i16 = 27;
const ILLEGAL_GENERATION: i16 = 22;
const INCONSISTENT_PROTOCOL: i16 = 23;
const UNKNOWN_MEMBER: i16 = 25;
const INVALID_SESSION: i16 = 26;
const NON_EMPTY: i16 = 68;
const GROUP_NOT_FOUND: i16 = 69;
const MEMBER_ID_REQUIRED: i16 = 79;
const GROUP_MAX_SIZE_REACHED: i16 = 81;
const FENCED_INSTANCE: i16 = 82;

fn broker() -> Harness {
    let mut broker = Harness::new(CoreConfig::default());
    broker.create_topic("t", 4);
    broker
}

fn group() -> GroupId {
    GroupId(text("g"))
}

fn join_request(member_id: &StrBytes, assignors: &[&str]) -> JoinGroupRequest {
    let protocols = assignors
        .iter()
        .map(|name| JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(Bytes::from_static(b"metadata")))
        .collect();
    JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(SESSION_MS)
        .with_rebalance_timeout_ms(REBALANCE_MS)
        .with_member_id(member_id.clone())
        .with_protocol_type(text("consumer"))
        .with_protocols(protocols)
}

fn join(broker: &mut Harness, member_id: &StrBytes) -> Ticket {
    broker.send(5, join_request(member_id, &["range"]))
}

fn joined(broker: &mut Harness, ticket: Ticket) -> JoinGroupResponse {
    body!(JoinGroup, broker.answer(ticket).expect("the join is answered"))
}

/// Asks for an id and joins with it; the join may be parked.
fn come(broker: &mut Harness) -> (StrBytes, Ticket) {
    let refused = body!(JoinGroup, broker.call(5, join_request(&text(""), &["range"])));
    assert_eq!(refused.error_code, MEMBER_ID_REQUIRED);
    let ticket = join(broker, &refused.member_id);
    (refused.member_id, ticket)
}

fn sync(broker: &mut Harness, member_id: &StrBytes, generation: i32, assignments: &[(&StrBytes, &'static [u8])]) -> Ticket {
    let assignments = assignments
        .iter()
        .map(|(member_id, assignment)| {
            SyncGroupRequestAssignment::default().with_member_id((*member_id).clone()).with_assignment(Bytes::from_static(assignment))
        })
        .collect();
    broker.send(
        3,
        SyncGroupRequest::default()
            .with_group_id(group())
            .with_generation_id(generation)
            .with_member_id(member_id.clone())
            .with_assignments(assignments),
    )
}

fn synced(broker: &mut Harness, ticket: Ticket) -> SyncGroupResponse {
    body!(SyncGroup, broker.answer(ticket).expect("the sync is answered"))
}

fn heartbeat(broker: &mut Harness, member_id: &StrBytes, generation: i32) -> i16 {
    let request = HeartbeatRequest::default().with_group_id(group()).with_generation_id(generation).with_member_id(member_id.clone());
    body!(Heartbeat, broker.call(3, request)).error_code
}

/// A stable group of one.
fn alone(broker: &mut Harness) -> StrBytes {
    let (id, ticket) = come(broker);
    assert_eq!(joined(broker, ticket).generation_id, 1);
    let ticket = sync(broker, &id, 1, &[(&id, b"all")]);
    assert_eq!(synced(broker, ticket).assignment, Bytes::from_static(b"all"));
    id
}

/// A stable group of two in generation 2; the first is the leader.
fn pair(broker: &mut Harness) -> (StrBytes, StrBytes) {
    let first = alone(broker);
    let (second, waiting) = come(broker);
    let ticket = join(broker, &first);
    assert_eq!(joined(broker, ticket).generation_id, 2);
    assert_eq!(joined(broker, waiting).leader, first);
    let waiting = sync(broker, &second, 2, &[]);
    sync(broker, &first, 2, &[(&first, b"a"), (&second, b"b")]);
    assert_eq!(synced(broker, waiting).assignment, Bytes::from_static(b"b"));
    (first, second)
}

fn commit(broker: &mut Harness, member_id: &StrBytes, generation: i32, partition: i32, offset: i64) -> i16 {
    let request =
        OffsetCommitRequest::default()
            .with_group_id(group())
            .with_generation_id_or_member_epoch(generation)
            .with_member_id(member_id.clone())
            .with_topics(vec![OffsetCommitRequestTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![
                OffsetCommitRequestPartition::default().with_partition_index(partition).with_committed_offset(offset),
            ])]);
    body!(OffsetCommit, broker.call(8, request)).topics[0].partitions[0].error_code
}

/// All offsets of the group, by partition.
fn offsets(broker: &mut Harness) -> Vec<(i32, i64)> {
    let request =
        OffsetFetchRequest::default().with_groups(vec![OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(None)]);
    body!(OffsetFetch, broker.call(8, request)).groups[0]
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|p| (p.partition_index, p.committed_offset))
        .collect()
}

fn state(broker: &mut Harness) -> (String, usize) {
    let request = DescribeGroupsRequest::default().with_groups(vec![group()]);
    let described = body!(DescribeGroups, broker.call(5, request)).groups.remove(0);
    (described.group_state.to_string(), described.members.len())
}

#[test]
fn a_dynamic_member_must_come_back_with_the_id_it_was_given() {
    let mut broker = broker();
    let (id, ticket) = come(&mut broker);
    let response = joined(&mut broker, ticket);
    assert_eq!((response.error_code, response.generation_id), (0, 1));
    assert_eq!(response.leader, id);
    assert_eq!(response.members.len(), 1);
    // Clients that do not know of it are not asked to.
    let old = broker.send(3, join_request(&text(""), &["range"]));
    assert!(broker.answer(old).is_none(), "parked: the first must rejoin");
    let unknown = join(&mut broker, &text("never-given-out"));
    assert_eq!(joined(&mut broker, unknown).error_code, UNKNOWN_MEMBER);
}

#[test]
fn an_id_that_was_given_out_and_not_used_is_not_waited_for_longer_than_a_session() {
    let mut broker = broker();
    let first = alone(&mut broker);
    let refused = body!(JoinGroup, broker.call(5, join_request(&text(""), &["range"])));
    assert_eq!(refused.error_code, MEMBER_ID_REQUIRED);
    // The leader rejoins; the outstanding id holds the generation back until it lapses.
    let waiting = join(&mut broker, &first);
    broker.pass(i64::from(SESSION_MS) - 1);
    assert!(broker.answer(waiting).is_none());
    broker.pass(1);
    assert_eq!(joined(&mut broker, waiting).generation_id, 2);
}

#[test]
fn followers_wait_for_the_assignment_of_the_leader() {
    let mut broker = broker();
    pair(&mut broker);
    assert_eq!(state(&mut broker), ("Stable".to_owned(), 2));
}

#[test]
fn a_new_member_makes_the_others_rejoin_and_begins_a_generation() {
    let mut broker = broker();
    let first = alone(&mut broker);
    let (second, waiting) = come(&mut broker);
    assert_eq!(heartbeat(&mut broker, &first, 1), REBALANCE_IN_PROGRESS);
    assert!(broker.answer(waiting).is_none());
    let ticket = join(&mut broker, &first);
    assert_eq!(joined(&mut broker, ticket).members.len(), 2);
    assert_eq!(joined(&mut broker, waiting).members.len(), 0);
    assert_eq!(heartbeat(&mut broker, &first, 1), ILLEGAL_GENERATION);
    assert_eq!(heartbeat(&mut broker, &second, 2), 0);
}

#[test]
fn a_follower_that_rejoins_unchanged_disturbs_nobody_but_the_leader_does() {
    let mut broker = broker();
    let (leader, follower) = pair(&mut broker);
    let ticket = join(&mut broker, &follower);
    assert_eq!(joined(&mut broker, ticket).generation_id, 2);
    assert_eq!(heartbeat(&mut broker, &leader, 2), 0);
    let ticket = join(&mut broker, &leader);
    assert!(broker.answer(ticket).is_none());
    assert_eq!(heartbeat(&mut broker, &follower, 2), REBALANCE_IN_PROGRESS);
}

#[test]
fn the_assignor_is_one_that_all_support_and_most_prefer() {
    let mut broker = broker();
    let version = 3; // without the dance for ids
    let first = broker.send(version, join_request(&text(""), &["range", "sticky", "own"]));
    let first_id = joined(&mut broker, first).member_id;
    let second = broker.send(version, join_request(&text(""), &["sticky", "range"]));
    let third = broker.send(version, join_request(&text(""), &["sticky", "range"]));
    let again = broker.send(version, join_request(&first_id, &["range", "sticky", "own"]));
    for ticket in [again, second, third] {
        assert_eq!(joined(&mut broker, ticket).protocol_name, Some(text("sticky")));
    }
    let stranger = broker.send(version, join_request(&text(""), &["own"]));
    assert_eq!(joined(&mut broker, stranger).error_code, INCONSISTENT_PROTOCOL);
    let mut connect = join_request(&text(""), &["range"]);
    connect.protocol_type = text("connect");
    let stranger = broker.send(version, connect);
    assert_eq!(joined(&mut broker, stranger).error_code, INCONSISTENT_PROTOCOL);
}

#[test]
fn a_member_without_heartbeats_is_removed_when_its_session_ends() {
    let mut broker = broker();
    let (leader, follower) = pair(&mut broker);
    broker.pass(i64::from(SESSION_MS) - 1);
    assert_eq!(heartbeat(&mut broker, &follower, 2), 0);
    broker.pass(1);
    // The leader is gone; the follower is told and goes on alone.
    assert_eq!(heartbeat(&mut broker, &follower, 2), REBALANCE_IN_PROGRESS);
    assert_eq!(heartbeat(&mut broker, &leader, 2), UNKNOWN_MEMBER);
    let ticket = join(&mut broker, &follower);
    let response = joined(&mut broker, ticket);
    assert_eq!((response.generation_id, response.members.len()), (3, 1));
    assert_eq!(response.leader, follower);
}

#[test]
fn whoever_does_not_rejoin_in_time_is_left_behind() {
    let mut broker = broker();
    let first = alone(&mut broker);
    let (second, waiting) = come(&mut broker);
    for _ in 0..6 {
        assert!(broker.answer(waiting).is_none());
        assert_eq!(heartbeat(&mut broker, &first, 1), REBALANCE_IN_PROGRESS);
        broker.pass(i64::from(REBALANCE_MS) / 6);
    }
    let response = joined(&mut broker, waiting);
    assert_eq!((response.generation_id, response.leader), (2, second));
    assert_eq!(heartbeat(&mut broker, &first, 2), UNKNOWN_MEMBER);
}

#[test]
fn whoever_joins_but_never_fetches_its_assignment_is_removed() {
    let mut broker = broker();
    let (first, ticket) = come(&mut broker);
    assert_eq!(joined(&mut broker, ticket).generation_id, 1);
    for _ in 0..6 {
        assert_eq!(heartbeat(&mut broker, &first, 1), 0);
        broker.pass(i64::from(REBALANCE_MS) / 6);
    }
    assert_eq!(heartbeat(&mut broker, &first, 1), UNKNOWN_MEMBER);
    assert_eq!(state(&mut broker), ("Empty".to_owned(), 0));
}

#[test]
fn a_closed_connection_ends_neither_the_member_nor_the_broker() {
    let mut broker = broker();
    let first = alone(&mut broker);
    let (_, waiting) = come(&mut broker);
    broker.disconnect(waiting);
    let ticket = join(&mut broker, &first);
    assert_eq!(joined(&mut broker, ticket).members.len(), 2);
    assert!(broker.answer(waiting).is_none(), "nobody is there to read it");
}

#[test]
fn the_first_assignment_waits_for_more_members_if_so_configured() {
    let mut broker = Harness::new(CoreConfig { initial_rebalance_delay_ms: 3_000, ..CoreConfig::default() });
    let (_, first) = come(&mut broker);
    broker.pass(2_000);
    let (_, second) = come(&mut broker);
    assert!(broker.answer(first).is_none());
    // A member that comes within the delay prolongs it.
    broker.pass(3_999);
    assert!(broker.answer(first).is_none());
    broker.pass(1);
    assert_eq!(joined(&mut broker, first).members.len(), 2);
    assert_eq!(joined(&mut broker, second).generation_id, 1);
}

#[test]
fn session_timeouts_outside_the_configured_range_are_refused() {
    let mut broker = broker();
    for session in [0, 5_999, 1_800_001] {
        let request = join_request(&text(""), &["range"]).with_session_timeout_ms(session);
        let response = body!(JoinGroup, broker.call(5, request));
        assert_eq!(response.error_code, INVALID_SESSION, "{session}");
    }
}

fn static_join(broker: &mut Harness, member_id: &StrBytes, instance: &str) -> Ticket {
    let request = join_request(member_id, &["range"]).with_group_instance_id(Some(text(instance)));
    broker.send(5, request)
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_fences_its_former_self() {
    let mut broker = broker();
    let first = static_join(&mut broker, &text(""), "i");
    let old = joined(&mut broker, first).member_id;
    let ticket = sync(&mut broker, &old, 1, &[(&old, b"all")]);
    synced(&mut broker, ticket);

    let again = static_join(&mut broker, &text(""), "i");
    let response = joined(&mut broker, again);
    assert_eq!((response.error_code, response.generation_id), (0, 1));
    let new = response.member_id;
    assert_ne!(new, old);
    let ticket = sync(&mut broker, &new, 1, &[]);
    assert_eq!(synced(&mut broker, ticket).assignment, Bytes::from_static(b"all"));

    let fenced = static_join(&mut broker, &old, "i");
    assert_eq!(joined(&mut broker, fenced).error_code, FENCED_INSTANCE);
    let beat = HeartbeatRequest::default()
        .with_group_id(group())
        .with_generation_id(1)
        .with_member_id(old)
        .with_group_instance_id(Some(text("i")));
    let code = body!(Heartbeat, broker.call(3, beat)).error_code;
    assert_eq!(code, FENCED_INSTANCE);
}

#[test]
fn members_leave_one_by_one_or_by_their_instance() {
    let mut broker = broker();
    let first = static_join(&mut broker, &text(""), "i");
    joined(&mut broker, first);
    let leave = LeaveGroupRequest::default().with_group_id(group()).with_members(vec![
        MemberIdentity::default().with_group_instance_id(Some(text("i"))),
        MemberIdentity::default().with_member_id(text("stranger")),
    ]);
    let response = body!(LeaveGroup, broker.call(4, leave));
    assert_eq!(response.error_code, 0);
    let codes: Vec<i16> = response.members.iter().map(|m| m.error_code).collect();
    assert_eq!(codes, [0, UNKNOWN_MEMBER]);
    assert_eq!(state(&mut broker), ("Empty".to_owned(), 0));
}

#[test]
fn a_commit_is_taken_from_members_of_the_generation_only() {
    let mut broker = broker();
    let nobody = text("");
    // Nobody is in the group: whoever commits is a consumer without one.
    assert_eq!(commit(&mut broker, &nobody, -1, 0, 5), 0);
    let first = alone(&mut broker);
    assert_eq!(commit(&mut broker, &nobody, -1, 0, 6), UNKNOWN_MEMBER);
    assert_eq!(commit(&mut broker, &first, 0, 0, 6), ILLEGAL_GENERATION);
    assert_eq!(commit(&mut broker, &text("stranger"), 1, 0, 6), UNKNOWN_MEMBER);
    assert_eq!(commit(&mut broker, &first, 1, 0, 7), 0);
    assert_eq!(commit(&mut broker, &first, 1, 9, 7), 3);
    // The old owner may still commit while members rejoin, and not once a generation has begun.
    let (_, waiting) = come(&mut broker);
    assert_eq!(commit(&mut broker, &first, 1, 1, 8), 0);
    let ticket = join(&mut broker, &first);
    joined(&mut broker, ticket);
    joined(&mut broker, waiting);
    assert_eq!(commit(&mut broker, &first, 2, 1, 9), REBALANCE_IN_PROGRESS);
    assert_eq!(offsets(&mut broker), [(0, 7), (1, 8)]);
}

#[test]
fn a_commit_keeps_the_session_alive() {
    let mut broker = broker();
    let first = alone(&mut broker);
    for _ in 0..3 {
        broker.pass(i64::from(SESSION_MS) - 1);
        assert_eq!(commit(&mut broker, &first, 1, 0, 1), 0);
    }
    assert_eq!(heartbeat(&mut broker, &first, 1), 0);
}

#[test]
fn offsets_outlive_the_members_and_expire_when_nobody_comes_back() {
    let mut broker = Harness::new(CoreConfig { offsets_retention_ms: 3_600_000, ..CoreConfig::default() });
    broker.create_topic("t", 4);
    let first = alone(&mut broker);
    commit(&mut broker, &first, 1, 0, 5);
    broker.pass(3_000_000);
    assert_eq!(state(&mut broker), ("Empty".to_owned(), 0));
    assert_eq!(offsets(&mut broker), [(0, 5)]);
    broker.pass(1_800_000);
    assert_eq!(offsets(&mut broker), []);
    assert_eq!(state(&mut broker).0, "Dead");
}

#[test]
fn the_offsets_of_a_deleted_topic_are_forgotten() {
    let mut broker = broker();
    commit(&mut broker, &text(""), -1, 0, 5);
    broker.core.topics.delete("t", broker.now).unwrap();
    broker.core.groups.topic_deleted("t");
    broker.create_topic("t", 4);
    assert_eq!(offsets(&mut broker), []);
}

#[test]
fn only_a_group_without_members_can_be_deleted() {
    let mut broker = broker();
    let first = alone(&mut broker);
    commit(&mut broker, &first, 1, 0, 5);
    let delete = |broker: &mut Harness| {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![group()]);
        body!(DeleteGroups, broker.call(2, request)).results[0].error_code
    };
    assert_eq!(delete(&mut broker), NON_EMPTY);
    broker.pass(i64::from(SESSION_MS));
    assert_eq!(delete(&mut broker), 0);
    assert_eq!(delete(&mut broker), GROUP_NOT_FOUND);
    assert_eq!(offsets(&mut broker), []);
}

#[test]
fn a_full_group_takes_nobody_in_but_keeps_its_members() {
    let mut broker = Harness::new(CoreConfig { group_max_size: 1, ..CoreConfig::default() });
    let member = alone(&mut broker);
    let refused = body!(JoinGroup, broker.call(5, join_request(&text(""), &["range"])));
    assert_eq!(refused.error_code, GROUP_MAX_SIZE_REACHED);
    let ticket = join(&mut broker, &member);
    assert_eq!(joined(&mut broker, ticket).generation_id, 2);
}

#[test]
fn a_join_that_is_sent_again_on_a_new_connection_takes_the_place_of_the_first() {
    let mut broker = broker();
    let first = alone(&mut broker);
    let (second, lost) = come(&mut broker);
    let again = join(&mut broker, &second);
    assert_eq!(joined(&mut broker, lost).error_code, REBALANCE_IN_PROGRESS);
    let ticket = join(&mut broker, &first);
    assert_eq!(joined(&mut broker, ticket).members.len(), 2);
    assert_eq!(joined(&mut broker, again).generation_id, 2);
}

#[test]
fn a_leader_that_dies_before_it_assigns_is_replaced() {
    let mut broker = broker();
    let first = alone(&mut broker);
    let (second, waiting) = come(&mut broker);
    let ticket = join(&mut broker, &first);
    assert_eq!(joined(&mut broker, ticket).leader, first);
    joined(&mut broker, waiting);
    let parked = sync(&mut broker, &second, 2, &[]);
    // The leader neither syncs nor beats; the parked sync of the follower stands for its heartbeat.
    broker.pass(i64::from(SESSION_MS));
    assert_eq!(synced(&mut broker, parked).error_code, REBALANCE_IN_PROGRESS);
    let ticket = join(&mut broker, &second);
    let response = joined(&mut broker, ticket);
    assert_eq!((response.generation_id, &response.leader, response.members.len()), (3, &second, 1));
}

#[test]
fn a_static_member_keeps_its_place_until_its_session_ends() {
    let mut broker = broker();
    let instance = |request: JoinGroupRequest| request.with_group_instance_id(Some(text("one")));
    let ticket = broker.send(5, instance(join_request(&text(""), &["range"])));
    let fixed = joined(&mut broker, ticket).member_id;
    let ticket = sync(&mut broker, &fixed, 1, &[(&fixed, b"all")]);
    assert_eq!(synced(&mut broker, ticket).error_code, 0);
    let (_, waiting) = come(&mut broker);
    broker.pass(i64::from(SESSION_MS) - 1);
    assert!(broker.answer(waiting).is_none(), "the static member is waited for");
    broker.pass(1);
    let response = joined(&mut broker, waiting);
    assert_eq!((response.generation_id, response.members.len()), (2, 1));
}
