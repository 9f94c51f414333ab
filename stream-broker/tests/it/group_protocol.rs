//! The codes and fields with which groups answer, on the wire.

use std::time::{Duration, Instant};

use crate::support::{Client, Target, now, text, topic_name};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

const UNKNOWN_TOPIC: i16 = 3;
const METADATA_TOO_LARGE: i16 = 12;
const ILLEGAL_GENERATION: i16 = 22;
const INCONSISTENT_PROTOCOL: i16 = 23;
const INVALID_GROUP_ID: i16 = 24;
const UNKNOWN_MEMBER: i16 = 25;
const INVALID_SESSION_TIMEOUT: i16 = 26;
const REBALANCE_IN_PROGRESS: i16 = 27;
const INVALID_REQUEST: i16 = 42;
const NON_EMPTY_GROUP: i16 = 68;
const GROUP_ID_NOT_FOUND: i16 = 69;
const MEMBER_ID_REQUIRED: i16 = 79;
const FENCED_INSTANCE: i16 = 82;
const SUBSCRIBED_TO_TOPIC: i16 = 86;

/// Metadata of a consumer that subscribes to a topic: version, topics, no user data.
fn subscription(topic: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(topic.len() as i16);
    bytes.put_slice(topic.as_bytes());
    bytes.put_i32(-1);
    bytes.freeze()
}

/// A group of its own on the broker under test, with the topic `group-wire` to commit to.
struct Bench {
    target: Target,
    client: Client,
    group: GroupId,
}

const TOPIC: &str = "group-wire";

impl Bench {
    fn new(name: &str) -> Bench {
        let target = Target::new();
        let mut client = Client::connect(target.address());
        target.create_topic(TOPIC, 2, &[]);
        let group = GroupId(text(&format!("{name}-{}", now())));
        // A cluster makes its coordinator ready at the first request.
        let begun = Instant::now();
        loop {
            client.call(2, &FindCoordinatorRequest::default().with_key(group.0.clone()));
            let described = describe(&mut client, &group, 5);
            if described.error_code == 0 {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{described:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Bench { target, client, group }
    }

    /// Another connection: a parked join holds up its own.
    fn connect(&self) -> Client {
        Client::connect(self.target.address())
    }

    fn join_request(&self, member_id: &str) -> JoinGroupRequest {
        JoinGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(10_000)
            .with_member_id(text(member_id))
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(subscription(TOPIC))])
    }

    /// Joins as the first member, with the id that was given out for it.
    fn join(&mut self) -> JoinGroupResponse {
        let request = self.join_request("");
        let given = self.client.call(5, &request);
        assert_eq!(given.error_code, MEMBER_ID_REQUIRED);
        let joined = self.client.call(5, &request.with_member_id(given.member_id));
        assert_eq!(joined.error_code, 0);
        joined
    }

    fn sync_request(&self, joined: &JoinGroupResponse) -> SyncGroupRequest {
        SyncGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_generation_id(joined.generation_id)
            .with_member_id(joined.member_id.clone())
            .with_assignments(vec![
                SyncGroupRequestAssignment::default().with_member_id(joined.member_id.clone()).with_assignment(Bytes::from_static(b"all")),
            ])
    }

    fn sync(&mut self, joined: &JoinGroupResponse) -> SyncGroupResponse {
        let request = self.sync_request(joined);
        self.client.call(3, &request)
    }

    /// A stable group of one.
    fn alone(&mut self) -> JoinGroupResponse {
        let joined = self.join();
        let synced = self.sync(&joined);
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]));
        joined
    }

    fn heartbeat(&mut self, joined: &JoinGroupResponse) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group.clone())
            .with_generation_id(joined.generation_id)
            .with_member_id(joined.member_id.clone());
        self.client.call(3, &request).error_code
    }

    fn leave(&mut self, member_id: &StrBytes) -> LeaveGroupResponse {
        let request = LeaveGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_members(vec![MemberIdentity::default().with_member_id(member_id.clone())]);
        self.client.call(3, &request)
    }

    fn commit_request(&self, generation: i32, member_id: &StrBytes) -> OffsetCommitRequest {
        OffsetCommitRequest::default()
            .with_group_id(self.group.clone())
            .with_generation_id_or_member_epoch(generation)
            .with_member_id(member_id.clone())
            .with_topics(vec![OffsetCommitRequestTopic::default().with_name(topic_name(TOPIC)).with_partitions(vec![
                OffsetCommitRequestPartition::default()
                    .with_partition_index(0)
                    .with_committed_offset(7)
                    .with_committed_leader_epoch(0)
                    .with_committed_metadata(Some(text("note"))),
            ])])
    }

    fn commit(&mut self, version: i16, generation: i32, member_id: &StrBytes) -> i16 {
        let request = self.commit_request(generation, member_id);
        self.client.call(version, &request).topics[0].partitions[0].error_code
    }

    fn delete(&mut self) -> i16 {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![self.group.clone()]);
        self.client.call(2, &request).results[0].error_code
    }

    fn delete_offset(&mut self, topic: &str) -> (i16, Option<i16>) {
        let request = OffsetDeleteRequest::default().with_group_id(self.group.clone()).with_topics(vec![
            OffsetDeleteRequestTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(vec![OffsetDeleteRequestPartition::default().with_partition_index(0)]),
        ]);
        let response = self.client.call(0, &request);
        (response.error_code, response.topics.first().map(|t| t.partitions[0].error_code))
    }
}

fn describe(client: &mut Client, group: &GroupId, version: i16) -> DescribedGroup {
    client.call(version, &DescribeGroupsRequest::default().with_groups(vec![group.clone()])).groups.remove(0)
}

#[test]
fn a_join_that_cannot_be_is_refused_with_its_reason() {
    let mut bench = Bench::new("join");
    let request = bench.join_request("");
    let code = |bench: &mut Bench, request: JoinGroupRequest| bench.client.call(5, &request).error_code;
    assert_eq!(code(&mut bench, request.clone().with_group_id(GroupId(text("")))), INVALID_GROUP_ID);
    assert_eq!(code(&mut bench, request.clone().with_session_timeout_ms(1)), INVALID_SESSION_TIMEOUT);
    assert_eq!(code(&mut bench, request.clone().with_session_timeout_ms(i32::MAX)), INVALID_SESSION_TIMEOUT);
    assert_eq!(code(&mut bench, request.clone().with_member_id(text("nobody"))), UNKNOWN_MEMBER);
    assert_eq!(code(&mut bench, request.clone().with_protocols(Vec::new())), INCONSISTENT_PROTOCOL);
    assert_eq!(code(&mut bench, request.clone().with_protocol_type(text(""))), INCONSISTENT_PROTOCOL);
    bench.alone();
    assert_eq!(code(&mut bench, request.clone().with_member_id(text("nobody"))), UNKNOWN_MEMBER);
    assert_eq!(code(&mut bench, request.clone().with_protocol_type(text("connect"))), INCONSISTENT_PROTOCOL);
    let other = vec![JoinGroupRequestProtocol::default().with_name(text("roundrobin"))];
    assert_eq!(code(&mut bench, request.clone().with_protocols(other)), INCONSISTENT_PROTOCOL);
    assert_eq!(code(&mut bench, request.with_member_id(text("x")).with_group_instance_id(Some(text("i")))), UNKNOWN_MEMBER);
}

#[test]
fn a_refused_join_names_no_generation_and_no_protocol() {
    let mut bench = Bench::new("join-fields");
    let request = bench.join_request("nobody");
    for version in 0..=9 {
        // Members of old versions have a session timeout for everything.
        let request = if version == 0 { request.clone().with_rebalance_timeout_ms(-1) } else { request.clone() };
        let refused = bench.client.call(version, &request);
        assert_eq!((refused.error_code, refused.generation_id), (UNKNOWN_MEMBER, -1), "version {version}");
        let protocol = (version < 7).then(|| text(""));
        assert_eq!((refused.protocol_name, refused.member_id), (protocol, text("nobody")), "version {version}");
    }
}

#[test]
fn every_version_of_join_and_sync_makes_a_member() {
    for version in 0..=9 {
        let mut bench = Bench::new(&format!("versions-{version}"));
        let mut request = bench.join_request("");
        if version == 0 {
            request = request.with_rebalance_timeout_ms(-1);
        }
        let mut joined = bench.client.call(version, &request);
        if version >= 4 {
            assert_eq!(joined.error_code, MEMBER_ID_REQUIRED, "version {version}");
            joined = bench.client.call(version, &request.with_member_id(joined.member_id));
        }
        assert_eq!((joined.error_code, joined.generation_id), (0, 1), "version {version}");
        assert_eq!(joined.leader, joined.member_id);
        assert_eq!(joined.members.len(), 1);
        assert_eq!(joined.protocol_name, Some(text("range")));
        assert!(joined.member_id.as_str().starts_with("test-"), "{:?}", joined.member_id);
        let sync_version = version.min(5);
        let mut sync = bench.sync_request(&joined);
        if sync_version >= 5 {
            sync = sync.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")));
        }
        let synced = bench.client.call(sync_version, &sync);
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]), "version {version}");
        bench.leave(&joined.member_id);
    }
}

#[test]
fn a_sync_or_heartbeat_of_somebody_else_is_refused() {
    let mut bench = Bench::new("sync");
    let absent = JoinGroupResponse::default().with_generation_id(1).with_member_id(text("nobody"));
    assert_eq!(bench.sync(&absent).error_code, UNKNOWN_MEMBER);
    assert_eq!(bench.heartbeat(&absent), UNKNOWN_MEMBER);
    let joined = bench.join();
    assert_eq!(bench.heartbeat(&joined), 0, "between join and sync");
    assert_eq!(bench.sync(&absent).error_code, UNKNOWN_MEMBER);
    let outdated = joined.clone().with_generation_id(joined.generation_id - 1);
    assert_eq!(bench.sync(&outdated).error_code, ILLEGAL_GENERATION);
    assert_eq!(bench.heartbeat(&outdated), ILLEGAL_GENERATION);
    let request = bench.sync_request(&joined).with_protocol_type(Some(text("consumer")));
    let wrong_name = request.clone().with_protocol_name(Some(text("sticky")));
    assert_eq!(bench.client.call(5, &wrong_name).error_code, INCONSISTENT_PROTOCOL);
    let wrong_type = request.with_protocol_type(Some(text("connect"))).with_protocol_name(Some(text("range")));
    assert_eq!(bench.client.call(5, &wrong_type).error_code, INCONSISTENT_PROTOCOL);
    assert_eq!(bench.sync(&joined).error_code, 0);
    assert_eq!(bench.sync(&joined).error_code, 0, "a repeated sync gets the assignment again");
    let no_group = HeartbeatRequest::default().with_group_id(GroupId(text("")));
    assert_eq!(bench.client.call(3, &no_group).error_code, INVALID_GROUP_ID);
}

#[test]
fn members_of_an_open_join_phase_are_called_to_rejoin() {
    let mut bench = Bench::new("rejoin");
    let first = bench.alone();
    let mut second = bench.connect();
    let request = bench.join_request("");
    let id = second.call(5, &request).member_id;
    assert_eq!(bench.heartbeat(&first), 0, "an id that was given out is no member yet");
    second.send(5, &request.clone().with_member_id(id));
    let begun = Instant::now();
    while bench.heartbeat(&first) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(bench.heartbeat(&first), REBALANCE_IN_PROGRESS);
    assert_eq!(bench.sync(&first).error_code, REBALANCE_IN_PROGRESS);
    assert_eq!(bench.commit(8, 1, &first.member_id), 0, "offsets are committed before rejoining");
    let described = describe(&mut bench.client, &bench.group, 5);
    assert_eq!((described.group_state.as_str(), described.members.len()), ("PreparingRebalance", 2));
    let rejoined = bench.client.call(5, &request.with_member_id(first.member_id.clone()));
    assert_eq!((rejoined.error_code, rejoined.generation_id, rejoined.members.len()), (0, 2, 2));
    let (_, follower) = second.receive::<JoinGroupRequest>(5).unwrap();
    assert_eq!((follower.error_code, follower.generation_id, follower.members.len()), (0, 2, 0));
    assert_eq!(follower.leader, first.member_id);
    assert_eq!(bench.commit(8, 1, &first.member_id), ILLEGAL_GENERATION);
    assert_eq!(bench.commit(8, 2, &first.member_id), REBALANCE_IN_PROGRESS, "who owns the partition is not decided");
}

#[test]
fn a_static_leader_that_comes_back_does_not_assign_again() {
    for version in [5, 9] {
        let mut bench = Bench::new(&format!("static-{version}"));
        let request = bench.join_request("").with_group_instance_id(Some(text("one")));
        let first = bench.client.call(version, &request);
        assert_eq!((first.error_code, first.generation_id), (0, 1), "a static member needs no id first");
        assert!(first.member_id.as_str().starts_with("one-"), "{:?}", first.member_id);
        let sync = bench.sync_request(&first).with_group_instance_id(Some(text("one")));
        assert_eq!(bench.client.call(3, &sync).error_code, 0);

        let again = bench.client.call(version, &request);
        assert_eq!((again.error_code, again.generation_id), (0, 1), "version {version}");
        assert_ne!(again.member_id, first.member_id);
        if version >= 9 {
            assert_eq!((again.skip_assignment, &again.leader), (true, &again.member_id));
            assert_eq!(again.members.len(), 1);
        } else {
            assert_eq!((again.skip_assignment, &again.leader), (false, &first.member_id));
            assert_eq!(again.members.len(), 0);
        }
        let fenced = bench.client.call(3, &sync);
        assert_eq!(fenced.error_code, FENCED_INSTANCE);
        let beat = HeartbeatRequest::default()
            .with_group_id(bench.group.clone())
            .with_generation_id(1)
            .with_member_id(first.member_id.clone())
            .with_group_instance_id(Some(text("one")));
        assert_eq!(bench.client.call(3, &beat).error_code, FENCED_INSTANCE);
        assert_eq!(bench.client.call(3, &beat.clone().with_group_instance_id(Some(text("two")))).error_code, UNKNOWN_MEMBER);
        assert_eq!(bench.client.call(3, &beat.with_group_instance_id(None)).error_code, UNKNOWN_MEMBER);
        let commit = bench.commit_request(1, &first.member_id).with_group_instance_id(Some(text("one")));
        assert_eq!(bench.client.call(8, &commit).topics[0].partitions[0].error_code, FENCED_INSTANCE);
        let join = request.clone().with_member_id(first.member_id.clone());
        assert_eq!(bench.client.call(version, &join).error_code, FENCED_INSTANCE);
        let synced = bench.client.call(3, &sync.with_member_id(again.member_id).with_assignments(Vec::new()));
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]), "what it had before");
    }
}

#[test]
fn leaving_answers_for_each_member() {
    let mut bench = Bench::new("leave");
    let left = bench.leave(&text("nobody"));
    assert_eq!((left.error_code, left.members[0].error_code), (0, UNKNOWN_MEMBER), "no such group");
    let one = LeaveGroupRequest::default().with_group_id(bench.group.clone()).with_member_id(text("nobody"));
    assert_eq!(bench.client.call(2, &one).error_code, UNKNOWN_MEMBER);
    let joined = bench.alone();
    let identity = |member: &str, instance: Option<&str>| {
        MemberIdentity::default().with_member_id(text(member)).with_group_instance_id(instance.map(text))
    };
    let leaving = vec![identity("nobody", None), identity("", Some("nobody")), identity(joined.member_id.as_str(), None)];
    let request = LeaveGroupRequest::default().with_group_id(bench.group.clone()).with_members(leaving);
    let left = bench.client.call(4, &request);
    let codes: Vec<i16> = left.members.iter().map(|m| m.error_code).collect();
    assert_eq!((left.error_code, codes), (0, vec![UNKNOWN_MEMBER, UNKNOWN_MEMBER, 0]));
    assert_eq!(describe(&mut bench.client, &bench.group, 5).group_state.as_str(), "Empty");
    assert_eq!(bench.heartbeat(&joined), UNKNOWN_MEMBER);
}

#[test]
fn a_group_is_described_with_what_its_members_sent() {
    let mut bench = Bench::new("describe");
    let absent = describe(&mut bench.client, &bench.group, 5);
    assert_eq!((absent.error_code, absent.group_state.as_str()), (0, "Dead"));
    let absent = describe(&mut bench.client, &bench.group, 6);
    assert_eq!((absent.error_code, absent.group_state.as_str()), (GROUP_ID_NOT_FOUND, "Dead"));
    let joined = bench.join();
    let described = describe(&mut bench.client, &bench.group, 5);
    assert_eq!((described.group_state.as_str(), described.protocol_data.as_str()), ("CompletingRebalance", ""));
    assert!(described.members[0].member_metadata.is_empty());
    bench.sync(&joined);
    for version in 0..=6 {
        let described = describe(&mut bench.client, &bench.group, version);
        assert_eq!((described.error_code, described.group_state.as_str()), (0, "Stable"));
        assert_eq!((described.protocol_type.as_str(), described.protocol_data.as_str()), ("consumer", "range"));
        let member = &described.members[0];
        assert_eq!((&member.member_id, member.client_id.as_str(), member.client_host.as_str()), (&joined.member_id, "test", "/127.0.0.1"));
        assert_eq!((&member.member_metadata, &member.member_assignment[..]), (&subscription(TOPIC), &b"all"[..]));
        assert_eq!(described.authorized_operations, i32::MIN, "nobody asked for them");
    }
    let request = DescribeGroupsRequest::default().with_groups(vec![bench.group.clone()]).with_include_authorized_operations(true);
    let operations = bench.client.call(5, &request).groups[0].authorized_operations;
    assert_eq!(operations, 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11);
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let mut bench = Bench::new("list");
    let group = bench.group.clone();
    bench.alone();
    let listed = |bench: &mut Bench, version: i16, request: &ListGroupsRequest| {
        let response = bench.client.call(version, request);
        assert_eq!(response.error_code, 0);
        response.groups.into_iter().find(|g| g.group_id == group)
    };
    for version in 0..=5 {
        let found = listed(&mut bench, version, &ListGroupsRequest::default()).expect("it is listed");
        assert_eq!(found.protocol_type.as_str(), "consumer");
        assert_eq!(found.group_state.as_str(), if version >= 4 { "Stable" } else { "" });
        assert_eq!(found.group_type.as_str(), if version >= 5 { "classic" } else { "" });
    }
    let in_state = |state: &str| ListGroupsRequest::default().with_states_filter(vec![text(state)]);
    assert!(listed(&mut bench, 4, &in_state("stable")).is_some());
    assert!(listed(&mut bench, 4, &in_state("Empty")).is_none());
    let of_type = |kind: &str| ListGroupsRequest::default().with_types_filter(vec![text(kind)]);
    assert!(listed(&mut bench, 5, &of_type("Classic")).is_some());
    assert!(listed(&mut bench, 5, &of_type("consumer")).is_none());
}

#[test]
fn who_may_commit_depends_on_the_state_of_the_group() {
    let mut bench = Bench::new("commit");
    let nobody = text("");
    assert_eq!(bench.commit(8, 3, &text("nobody")), ILLEGAL_GENERATION, "a generation of a group that does not exist");
    assert_eq!(bench.commit(9, 3, &text("nobody")), GROUP_ID_NOT_FOUND);
    assert_eq!(bench.commit(8, -1, &nobody), 0, "a group of nothing but offsets");
    let described = describe(&mut bench.client, &bench.group, 5);
    assert_eq!((described.group_state.as_str(), described.protocol_type.as_str()), ("Empty", ""));
    assert_eq!(bench.commit(8, 0, &text("nobody")), UNKNOWN_MEMBER);
    let joined = bench.join();
    let id = &joined.member_id;
    assert_eq!(bench.commit(8, 1, id), REBALANCE_IN_PROGRESS);
    bench.sync(&joined);
    for version in 2..=9 {
        let request = bench.commit_request(1, id);
        let request = if version < 6 {
            let mut old = request;
            old.topics[0].partitions[0].committed_leader_epoch = -1;
            old
        } else {
            request
        };
        assert_eq!(bench.client.call(version, &request).topics[0].partitions[0].error_code, 0, "version {version}");
    }
    assert_eq!(bench.commit(8, -1, &nobody), UNKNOWN_MEMBER);
    assert_eq!(bench.commit(8, 0, id), ILLEGAL_GENERATION);
    assert_eq!(bench.commit(8, 2, id), ILLEGAL_GENERATION);
    assert_eq!(bench.commit(8, 1, &text("nobody")), UNKNOWN_MEMBER);
    assert_eq!(bench.commit(8, -1, id), ILLEGAL_GENERATION);
    bench.leave(id);
    assert_eq!(bench.commit(8, -1, &nobody), 0);
    assert_eq!(bench.commit(8, 1, id), UNKNOWN_MEMBER);
}

#[test]
fn a_commit_fails_by_partition() {
    let mut bench = Bench::new("commit-partition");
    let mut request = bench.commit_request(-1, &text(""));
    let template = request.topics[0].partitions[0].clone();
    request.topics[0].partitions.push(template.clone().with_partition_index(1).with_committed_metadata(Some(text(&"x".repeat(4097)))));
    request
        .topics
        .push(OffsetCommitRequestTopic::default().with_name(topic_name("group-wire-absent")).with_partitions(vec![template.clone()]));
    let response = bench.client.call(8, &request);
    let codes: Vec<i16> = response.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code).collect();
    let by_name = |name: &str| response.topics.iter().find(|t| t.name == topic_name(name)).unwrap();
    assert_eq!(codes.len(), 3);
    assert_eq!(by_name(TOPIC).partitions[0].error_code, 0);
    assert_eq!(by_name(TOPIC).partitions[1].error_code, METADATA_TOO_LARGE);
    assert_eq!(by_name("group-wire-absent").partitions[0].error_code, UNKNOWN_TOPIC);
}

#[test]
fn offsets_are_fetched_in_every_version_and_an_absent_one_is_no_error() {
    let mut bench = Bench::new("fetch");
    assert_eq!(bench.commit(8, -1, &text("")), 0);
    let topic = OffsetFetchRequestTopic::default().with_name(topic_name(TOPIC)).with_partition_indexes(vec![0, 1]);
    for version in 1..=7 {
        let request = OffsetFetchRequest::default().with_group_id(bench.group.clone()).with_topics(Some(vec![topic.clone()]));
        let response = bench.client.call(version, &request);
        assert_eq!(response.error_code, 0);
        let found = &response.topics[0].partitions;
        assert_eq!((found[0].committed_offset, found[0].metadata.clone(), found[0].error_code), (7, Some(text("note")), 0));
        assert_eq!(found[0].committed_leader_epoch, if version >= 5 { 0 } else { -1 });
        assert_eq!((found[1].committed_offset, found[1].metadata.clone(), found[1].error_code), (-1, Some(text("")), 0));
        if version >= 2 {
            let all = bench.client.call(version, &request.with_topics(None));
            assert_eq!((all.topics.len(), all.topics[0].partitions.len()), (1, 1));
        }
    }
    let absent = GroupId(text("group-wire-absent"));
    for version in 8..=9 {
        let topics = OffsetFetchRequestTopics::default().with_name(topic_name(TOPIC)).with_partition_indexes(vec![0, 1]);
        let request = OffsetFetchRequest::default().with_groups(vec![
            OffsetFetchRequestGroup::default().with_group_id(bench.group.clone()).with_topics(None),
            OffsetFetchRequestGroup::default().with_group_id(absent.clone()).with_topics(Some(vec![topics])),
        ]);
        let response = bench.client.call(version, &request);
        let group = |id: &GroupId| response.groups.iter().find(|g| g.group_id == *id).unwrap();
        let known = group(&bench.group);
        assert_eq!((known.error_code, known.topics[0].partitions[0].committed_offset), (0, 7));
        let unknown = group(&absent);
        assert_eq!((unknown.error_code, unknown.topics[0].partitions[0].committed_offset), (0, -1));
    }
}

#[test]
fn what_is_in_use_is_not_deleted() {
    let mut bench = Bench::new("delete");
    assert_eq!(bench.delete(), GROUP_ID_NOT_FOUND);
    assert_eq!(bench.delete_offset(TOPIC).0, GROUP_ID_NOT_FOUND);
    let joined = bench.alone();
    assert_eq!(bench.commit(8, 1, &joined.member_id), 0);
    assert_eq!(bench.delete(), NON_EMPTY_GROUP);
    assert_eq!(bench.delete_offset(TOPIC), (0, Some(SUBSCRIBED_TO_TOPIC)));
    assert_eq!(bench.delete_offset("group-wire-absent"), (0, Some(UNKNOWN_TOPIC)));
    bench.leave(&joined.member_id);
    assert_eq!(bench.delete_offset(TOPIC), (0, Some(0)));
    let request = OffsetFetchRequest::default()
        .with_groups(vec![OffsetFetchRequestGroup::default().with_group_id(bench.group.clone()).with_topics(None)]);
    assert!(bench.client.call(8, &request).groups[0].topics.is_empty());
    assert_eq!(bench.delete(), 0);
    assert_eq!(describe(&mut bench.client, &bench.group, 5).group_state.as_str(), "Dead");
    let nameless = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(""))]);
    assert_eq!(bench.client.call(2, &nameless).results[0].error_code, GROUP_ID_NOT_FOUND);
}

#[test]
fn offsets_of_a_group_that_is_not_made_of_consumers_are_kept_while_it_has_members() {
    let mut bench = Bench::new("delete-connect");
    let request = bench.join_request("").with_protocol_type(text("connect"));
    let given = bench.client.call(5, &request);
    let joined = bench.client.call(5, &request.with_member_id(given.member_id));
    assert_eq!(bench.sync(&joined).error_code, 0);
    assert_eq!(bench.delete_offset(TOPIC).0, NON_EMPTY_GROUP);
    bench.leave(&joined.member_id);
    assert_eq!(bench.delete_offset(TOPIC), (0, Some(0)));
}

#[test]
fn the_coordinator_of_everything_is_found() {
    let mut bench = Bench::new("coordinator");
    for version in 0..=3 {
        for key_type in 0..=if version == 0 { 0 } else { 1 } {
            let request = FindCoordinatorRequest::default().with_key(bench.group.0.clone()).with_key_type(key_type);
            let found = bench.client.call(version, &request);
            if bench.target.is_embedded() {
                assert_eq!((found.error_code, found.port), (0, i32::from(bench.target.address().port())), "version {version}");
            }
        }
    }
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("a"), text("b")]);
    let found = bench.client.call(4, &request).coordinators;
    assert_eq!(found.iter().map(|c| c.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(found[0].port, i32::from(bench.target.address().port()));
    let unknown = bench.client.call(4, &request.with_key_type(9)).coordinators;
    assert_eq!(unknown[0].error_code, INVALID_REQUEST);
}
