//! The codes, epochs and assignments with which consumer groups (KIP-848) answer, on the wire.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::{Client, Target, now, text, topic_name};
use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, DeleteGroupsRequest,
    DescribeGroupsRequest, FindCoordinatorRequest, GroupId, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, MetadataRequest,
    OffsetCommitRequest, OffsetFetchRequest, TopicName,
};
use uuid::Uuid;

const INCONSISTENT_PROTOCOL: i16 = 23;
const UNKNOWN_MEMBER: i16 = 25;
const INVALID_REQUEST: i16 = 42;
const NON_EMPTY_GROUP: i16 = 68;
const GROUP_ID_NOT_FOUND: i16 = 69;
const FENCED_INSTANCE: i16 = 82;
const FENCED_EPOCH: i16 = 110;
const UNRELEASED_INSTANCE: i16 = 111;
const UNSUPPORTED_ASSIGNOR: i16 = 112;
const STALE_EPOCH: i16 = 113;
const INVALID_REGEX: i16 = 128;

/// A group of its own on the broker under test, and a topic of four partitions to read.
struct Bench {
    target: Target,
    client: Client,
    group: GroupId,
    topic: String,
    topic_id: Uuid,
}

/// A member as a client keeps it.
#[derive(Clone, Debug)]
struct Member {
    id: String,
    instance: Option<String>,
    epoch: i32,
    owned: Vec<i32>,
}

impl Member {
    fn new(id: &str) -> Member {
        Member { id: id.to_owned(), instance: None, epoch: 0, owned: Vec::new() }
    }

    fn named(id: &str, instance: &str) -> Member {
        Member { instance: Some(instance.to_owned()), ..Member::new(id) }
    }
}

impl Bench {
    fn new(name: &str) -> Bench {
        let target = Target::new();
        let mut client = Client::connect(target.address());
        // A cluster may still know a topic of this name that another test has left.
        let topic = format!("consumer-group-{name}-{}", now());
        target.create_topic(&topic, 4, &[]);
        let topics = client.call(12, &MetadataRequest::default().with_topics(None)).topics;
        let topic_id = topics.iter().find(|found| found.name.as_ref().is_some_and(|name| name.as_str() == topic)).unwrap().topic_id;
        let group = GroupId(text(&format!("{name}-{}", now())));
        let find = FindCoordinatorRequest::default().with_key(group.0.clone());
        client.call(2, &find);
        let mut bench = Bench { target, client, group, topic, topic_id };
        // A cluster makes its coordinator ready at the first request.
        let begun = Instant::now();
        while matches!(bench.describe().error_code, 14..=16) {
            assert!(begun.elapsed() < Duration::from_secs(20));
            bench.client.call(2, &find);
            std::thread::sleep(Duration::from_millis(50));
        }
        // Its coordinator hears of a new topic after everybody else.
        let group = std::mem::replace(&mut bench.group, GroupId(text(&format!("{name}-first-{}", now()))));
        let mut member = Member::new("first");
        bench.settle(&mut [&mut member], &[4]);
        bench.leave(&member, -1);
        bench.group = group;
        bench
    }

    fn request(&self, member: &Member) -> ConsumerGroupHeartbeatRequest {
        let owned = TopicPartitions::default().with_topic_id(self.topic_id).with_partitions(member.owned.clone());
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(text(&member.id))
            .with_instance_id(member.instance.as_deref().map(text))
            .with_member_epoch(member.epoch)
            .with_topic_partitions(Some(if member.owned.is_empty() { Vec::new() } else { vec![owned] }))
    }

    fn join_request(&self, member: &Member) -> ConsumerGroupHeartbeatRequest {
        self.request(member)
            .with_member_epoch(0)
            .with_rebalance_timeout_ms(30_000)
            .with_subscribed_topic_names(Some(vec![topic_name(&self.topic)]))
            .with_topic_partitions(Some(Vec::new()))
    }

    fn call(&mut self, request: &ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
        self.client.call(1, request)
    }

    /// Sends a heartbeat and takes over what it brings, as a client does.
    fn beat(&mut self, member: &mut Member) {
        let request = if member.epoch == 0 { self.join_request(member) } else { self.request(member) };
        let answer = self.call(&request);
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        member.epoch = answer.member_epoch;
        if let Some(assignment) = answer.assignment {
            member.owned = assignment.topic_partitions.into_iter().flat_map(|topic| topic.partitions).collect();
            member.owned.sort_unstable();
        }
    }

    /// Lets the members beat in turn until each has so many partitions.
    fn settle(&mut self, members: &mut [&mut Member], wanted: &[usize]) {
        let begun = Instant::now();
        while !members.iter().zip(wanted).all(|(member, wanted)| member.owned.len() == *wanted) {
            assert!(begun.elapsed() < Duration::from_secs(15), "{members:?}");
            for member in &mut *members {
                self.beat(member);
            }
        }
    }

    fn leave(&mut self, member: &Member, epoch: i32) -> ConsumerGroupHeartbeatResponse {
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(text(&member.id))
            .with_instance_id(member.instance.as_deref().map(text))
            .with_member_epoch(epoch);
        self.call(&request)
    }

    fn describe(&mut self) -> DescribedGroup {
        let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![self.group.clone()]);
        self.client.call(1, &request).groups.remove(0)
    }

    fn commit(&mut self, member: &Member, epoch: i32, partition: i32) -> i16 {
        let partition = OffsetCommitRequestPartition::default().with_partition_index(partition).with_committed_offset(7);
        let request = OffsetCommitRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(text(&member.id))
            .with_generation_id_or_member_epoch(epoch)
            .with_topics(vec![OffsetCommitRequestTopic::default().with_name(topic_name(&self.topic)).with_partitions(vec![partition])]);
        self.client.call(9, &request).topics[0].partitions[0].error_code
    }

    /// The error of the group, and the offset of a partition.
    fn fetch(&mut self, member: Option<(&str, i32)>, partition: i32) -> (i16, Option<i64>) {
        let topic = OffsetFetchRequestTopics::default().with_name(topic_name(&self.topic)).with_partition_indexes(vec![partition]);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(self.group.clone())
            .with_member_id(member.map(|(id, _)| text(id)))
            .with_member_epoch(member.map_or(-1, |(_, epoch)| epoch))
            .with_topics(Some(vec![topic]));
        let answer = self.client.call(9, &OffsetFetchRequest::default().with_groups(vec![group])).groups.remove(0);
        (answer.error_code, answer.topics.first().map(|topic| topic.partitions[0].committed_offset))
    }
}

#[test]
fn a_request_that_says_too_little_is_refused_with_the_reason() {
    let mut bench = Bench::new("invalid");
    let member = Member::new("m");
    let join = bench.join_request(&member);
    let cases: Vec<(ConsumerGroupHeartbeatRequest, &str)> = vec![
        (join.clone().with_member_id(text("")), "MemberId can't be empty."),
        (join.clone().with_group_id(GroupId(text(""))), "GroupId can't be empty."),
        (join.clone().with_instance_id(Some(text(""))), "InstanceId can't be empty."),
        (join.clone().with_rack_id(Some(text(""))), "RackId can't be empty."),
        (join.clone().with_rebalance_timeout_ms(-1), "RebalanceTimeoutMs must be provided in first request."),
        (join.clone().with_topic_partitions(None), "TopicPartitions must be empty when (re-)joining."),
        (join.clone().with_member_epoch(-3), "MemberEpoch is invalid."),
        (join.clone().with_member_epoch(-2), "InstanceId can't be null."),
        (
            join.clone().with_subscribed_topic_names(None),
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
    ];
    for (request, reason) in cases {
        let answer = bench.call(&request);
        assert_eq!((answer.error_code, answer.error_message.unwrap().as_str()), (INVALID_REQUEST, reason));
        assert_eq!((answer.member_id, answer.member_epoch, answer.heartbeat_interval_ms), (None, 0, 0));
    }
    let answer = bench.call(&join.clone().with_server_assignor(Some(text("sticky"))));
    let reason = "ServerAssignor sticky is not supported. Supported assignors: uniform, range.";
    assert_eq!((answer.error_code, answer.error_message.unwrap().as_str()), (UNSUPPORTED_ASSIGNOR, reason));
    let answer = bench.call(&join.with_subscribed_topic_regex(Some(text("("))));
    assert_eq!(answer.error_code, INVALID_REGEX);
    assert!(answer.error_message.unwrap().starts_with("SubscribedTopicRegex `(` is not a valid regular expression: "));
    assert_eq!(bench.describe().error_code, GROUP_ID_NOT_FOUND, "a refused member leaves no group behind");
}

#[test]
fn a_member_or_group_that_is_not_known_is_told_so() {
    let mut bench = Bench::new("unknown");
    let group = bench.group.0.to_string();
    let stranger = Member { epoch: 3, ..Member::new("stranger") };
    let request = bench.request(&stranger);
    let answer = bench.call(&request);
    assert_eq!(answer.error_code, GROUP_ID_NOT_FOUND);
    assert_eq!(answer.error_message.unwrap().as_str(), format!("Consumer group {group} not found."));
    let mut member = Member::new("m");
    bench.beat(&mut member);
    let answer = bench.call(&request);
    assert_eq!(answer.error_code, UNKNOWN_MEMBER);
    assert_eq!(answer.error_message.unwrap().as_str(), format!("Member stranger is not a member of group {group}."));
    assert_eq!(bench.leave(&stranger, -1).error_code, UNKNOWN_MEMBER);
    let instance = Member { epoch: 1, ..Member::named("m", "i") };
    let request = bench.request(&instance);
    let answer = bench.call(&request);
    assert_eq!((answer.error_code, answer.error_message.unwrap().as_str()), (UNKNOWN_MEMBER, "Instance id i is unknown."));
}

#[test]
fn a_member_has_the_epoch_of_its_target_and_is_told_of_changes_only() {
    let mut bench = Bench::new("alone");
    let mut member = Member::new("m");
    let request = bench.join_request(&member);
    let answer = bench.call(&request);
    assert_eq!((answer.error_code, answer.member_epoch), (0, 2), "a group begins with epoch 1, and a new member is a new epoch");
    assert_eq!(answer.member_id.unwrap().as_str(), "m");
    assert!(answer.heartbeat_interval_ms > 0);
    let assignment = answer.assignment.unwrap().topic_partitions;
    assert_eq!((assignment.len(), assignment[0].topic_id), (1, bench.topic_id));
    member.epoch = 2;
    member.owned = vec![0, 1, 2, 3];
    let request = bench.request(&member);
    let answer = bench.call(&request);
    assert_eq!((answer.error_code, answer.member_epoch, answer.assignment), (0, 2, None));
    let full = request.with_rebalance_timeout_ms(30_000).with_subscribed_topic_names(Some(vec![topic_name(&bench.topic)]));
    assert!(bench.call(&full).assignment.is_some(), "a full request is answered in full");
    let answer = bench.leave(&member, -1);
    assert_eq!((answer.error_code, answer.member_epoch, answer.heartbeat_interval_ms), (0, -1, 0));
    assert_eq!(answer.member_id.unwrap().as_str(), "m");
    let described = bench.describe();
    assert_eq!((described.group_state.as_str(), described.group_epoch, described.assignment_epoch), ("Empty", 3, 2));
}

#[test]
fn a_partition_changes_hands_only_after_its_owner_has_let_go() {
    let mut bench = Bench::new("handover");
    let (mut first, mut second) = (Member::new("a"), Member::new("b"));
    bench.settle(&mut [&mut first], &[4]);
    bench.beat(&mut second);
    let begun = Instant::now();
    while first.owned.len() == 4 {
        assert!(second.owned.is_empty(), "both have a partition");
        assert!(begun.elapsed() < Duration::from_secs(15));
        let request = bench.request(&first);
        let answer = bench.call(&request);
        let Some(assignment) = answer.assignment else { continue };
        assert_eq!(answer.member_epoch, 2, "it stays in its epoch until it has let go");
        let mut kept = assignment.topic_partitions[0].partitions.clone();
        kept.sort_unstable();
        assert_eq!(kept.len(), 2);
        // It has not said yet that it gave the others up.
        bench.beat(&mut second);
        assert!(second.owned.is_empty());
        let described = bench.describe();
        assert_eq!(described.group_state.as_str(), "Reconciling");
        let held = |id: &str| {
            let member = described.members.iter().find(|member| member.member_id.as_str() == id).unwrap();
            let count = |topics: &[kafka_protocol::messages::consumer_group_describe_response::TopicPartitions]| {
                topics.iter().map(|topic| topic.partitions.len()).sum::<usize>()
            };
            (count(&member.assignment.topic_partitions), count(&member.target_assignment.topic_partitions), member.member_type)
        };
        assert_eq!((held("a"), held("b")), ((4, 2, 1), (0, 2, 1)));
        first.owned = kept;
    }
    bench.settle(&mut [&mut first, &mut second], &[2, 2]);
    bench.beat(&mut first);
    assert_eq!((first.epoch, second.epoch), (3, 3));
    let described = bench.describe();
    assert_eq!((described.group_state.as_str(), described.group_epoch, described.assignment_epoch), ("Stable", 3, 3));
    assert_eq!(described.assignor_name.as_str(), "uniform");
}

#[test]
fn a_member_of_another_epoch_is_fenced_unless_its_answer_was_lost() {
    let mut bench = Bench::new("epochs");
    let (mut first, mut second) = (Member::new("a"), Member::new("b"));
    bench.settle(&mut [&mut first], &[4]);
    bench.beat(&mut second);
    bench.settle(&mut [&mut first, &mut second], &[2, 2]);
    bench.beat(&mut first);
    let ahead = Member { epoch: first.epoch + 1, ..first.clone() };
    let request = bench.request(&ahead);
    let answer = bench.call(&request);
    assert_eq!(answer.error_code, FENCED_EPOCH);
    let reason = format!(
        "The consumer group member has a greater member epoch ({}) than the one known by the group coordinator ({}). The member must \
         abandon all its partitions and rejoin.",
        ahead.epoch, first.epoch
    );
    assert_eq!(answer.error_message.unwrap().as_str(), reason);
    let behind = Member { epoch: first.epoch - 1, ..first.clone() };
    let request = bench.request(&behind);
    assert_eq!(bench.call(&request).error_code, 0, "it has nothing that is not its own");
    let greedy = Member { owned: vec![0, 1, 2, 3], ..behind };
    let request = bench.request(&greedy);
    assert_eq!(bench.call(&request).error_code, FENCED_EPOCH);
}

#[test]
fn the_range_assignor_gives_neighbours_in_the_order_of_the_members() {
    let mut bench = Bench::new("range");
    let (mut first, mut second) = (Member::new("a"), Member::new("b"));
    let request = bench.join_request(&first).with_server_assignor(Some(text("range")));
    first.epoch = bench.call(&request).member_epoch;
    first.owned = vec![0, 1, 2, 3];
    bench.beat(&mut second);
    bench.settle(&mut [&mut first, &mut second], &[2, 2]);
    assert_eq!((first.owned, second.owned), (vec![0, 1], vec![2, 3]));
    assert_eq!(bench.describe().assignor_name.as_str(), "range");
}

#[test]
fn a_static_member_keeps_its_partitions_while_it_restarts() {
    let mut bench = Bench::new("static");
    let (mut first, mut second) = (Member::named("a", "one"), Member::named("b", "two"));
    bench.settle(&mut [&mut first], &[4]);
    bench.beat(&mut second);
    bench.settle(&mut [&mut first, &mut second], &[2, 2]);
    bench.beat(&mut first);
    bench.beat(&mut second);
    let epoch = bench.describe().group_epoch;

    let double = Member::named("c", "one");
    let request = bench.join_request(&double);
    let answer = bench.call(&request);
    assert_eq!(answer.error_code, UNRELEASED_INSTANCE);
    let reason = "Static member c with instance id one cannot join the group because the instance id is owned by a member.";
    assert_eq!(answer.error_message.unwrap().as_str(), reason);
    let fenced = Member { epoch: first.epoch, ..double.clone() };
    let request = bench.request(&fenced);
    let answer = bench.call(&request);
    let reason = "Static member c with instance id one was fenced by member a.";
    assert_eq!((answer.error_code, answer.error_message.unwrap().as_str()), (FENCED_INSTANCE, reason));

    let answer = bench.leave(&first, -2);
    assert_eq!((answer.error_code, answer.member_epoch), (0, -2));
    let mut again = double;
    bench.beat(&mut again);
    assert_eq!((&again.owned, again.epoch), (&first.owned, first.epoch));
    let described = bench.describe();
    assert_eq!((described.group_epoch, described.group_state.as_str()), (epoch, "Stable"));

    let identity = MemberIdentity::default().with_group_instance_id(Some(text("one")));
    let request = LeaveGroupRequest::default().with_group_id(bench.group.clone()).with_members(vec![identity]);
    assert_eq!(bench.client.call(5, &request).members[0].error_code, 0);
    bench.settle(&mut [&mut second], &[4]);
}

#[test]
fn a_commit_is_of_the_present_epoch_or_of_partitions_held_since() {
    let mut bench = Bench::new("commits");
    let (mut first, mut second) = (Member::new("a"), Member::new("b"));
    bench.settle(&mut [&mut first], &[4]);
    assert_eq!(bench.commit(&first, first.epoch, 0), 0);
    assert_eq!(bench.commit(&first, first.epoch + 1, 0), STALE_EPOCH);
    assert_eq!(bench.commit(&second, 0, 0), UNKNOWN_MEMBER);
    assert_eq!(bench.commit(&Member::new(""), -1, 0), UNKNOWN_MEMBER, "strangers do not commit to a group with members");
    bench.beat(&mut second);
    bench.settle(&mut [&mut first, &mut second], &[2, 2]);
    bench.beat(&mut first);
    let (kept, lost) = (first.owned[0], second.owned[0]);
    assert_eq!(bench.commit(&first, first.epoch - 1, kept), 0);
    assert_eq!(bench.commit(&first, first.epoch - 1, lost), STALE_EPOCH);
    assert_eq!(bench.commit(&first, first.epoch, lost), 0, "with the present epoch partitions are not looked at");

    assert_eq!(bench.fetch(None, kept), (0, Some(7)));
    assert_eq!(bench.fetch(Some(("a", first.epoch)), kept), (0, Some(7)));
    assert_eq!(bench.fetch(Some(("a", first.epoch - 1)), kept).0, STALE_EPOCH);
    assert_eq!(bench.fetch(Some(("x", first.epoch)), kept).0, UNKNOWN_MEMBER);
    bench.leave(&first, -1);
    bench.leave(&second, -1);
    assert_eq!(bench.commit(&Member::new(""), -1, 0), 0, "to one without members they do");
}

#[test]
fn a_regular_expression_finds_topics_that_come_later() {
    let mut bench = Bench::new("regex");
    let prefix = format!("regex-{}-", now());
    let mut member = Member::new("m");
    let request =
        bench.join_request(&member).with_subscribed_topic_names(None).with_subscribed_topic_regex(Some(text(&format!("{prefix}.*"))));
    let answer = bench.call(&request);
    assert_eq!(answer.error_code, 0);
    assert_eq!(answer.assignment.unwrap().topic_partitions, [], "nothing matches yet");
    member.epoch = answer.member_epoch;
    bench.target.create_topic(&format!("{prefix}1"), 3, &[]);
    bench.target.create_topic(&format!("not-{prefix}1"), 3, &[]);
    if bench.target.is_embedded() {
        bench.beat(&mut member);
        assert_eq!(member.owned, [0, 1, 2]);
        assert_eq!(bench.describe().members[0].subscribed_topic_regex.as_ref().unwrap().as_str(), format!("{prefix}.*"));
    }
}

#[test]
fn an_empty_group_changes_its_protocol_and_keeps_its_offsets() {
    let mut bench = Bench::new("migration");
    assert_eq!(bench.commit(&Member::new(""), -1, 2), 0);
    let types = |bench: &mut Bench| -> BTreeMap<String, (String, String, String)> {
        let groups = bench.client.call(5, &ListGroupsRequest::default()).groups;
        let about = |group: &kafka_protocol::messages::list_groups_response::ListedGroup| {
            (group.group_type.to_lowercase(), group.group_state.to_string(), group.protocol_type.to_string())
        };
        groups.iter().map(|group| (group.group_id.0.to_string(), about(group))).collect()
    };
    let id = bench.group.0.to_string();
    assert_eq!(types(&mut bench)[&id], ("classic".to_owned(), "Empty".to_owned(), String::new()));
    let described = bench.describe();
    assert_eq!(described.error_code, GROUP_ID_NOT_FOUND);
    assert_eq!(described.error_message.unwrap().as_str(), format!("Group {id} is not a consumer group."));

    let mut member = Member::new("m");
    bench.beat(&mut member);
    assert_eq!(types(&mut bench)[&id], ("consumer".to_owned(), "Stable".to_owned(), "consumer".to_owned()));
    assert_eq!(bench.fetch(None, 2), (0, Some(7)));
    let described = bench.client.call(6, &DescribeGroupsRequest::default().with_groups(vec![bench.group.clone()])).groups.remove(0);
    assert_eq!(described.error_code, GROUP_ID_NOT_FOUND);
    assert_eq!(described.error_message.unwrap().as_str(), format!("Group {id} is not a classic group."));
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![bench.group.clone()]);
    assert_eq!(bench.client.call(2, &delete).results[0].error_code, NON_EMPTY_GROUP);
    let join = JoinGroupRequest::default()
        .with_group_id(bench.group.clone())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![JoinGroupRequestProtocol::default().with_name(text("range"))]);
    if bench.target.is_embedded() {
        // A cluster lets the members of both protocols into one group, or does not: that is its setting.
        assert_eq!(bench.client.call(9, &join).error_code, INCONSISTENT_PROTOCOL);
    }
    bench.leave(&member, -1);
    assert_eq!(bench.client.call(9, &join).error_code, 79, "the classic member is given its id");
    assert_eq!(types(&mut bench)[&id].0, "classic");
    assert_eq!(bench.fetch(None, 2), (0, Some(7)));
}

#[test]
fn a_group_without_members_is_deleted_with_its_offsets() {
    let mut bench = Bench::new("delete");
    let mut member = Member::new("m");
    bench.beat(&mut member);
    assert_eq!(bench.commit(&member, member.epoch, 0), 0);
    bench.leave(&member, -1);
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![bench.group.clone()]);
    assert_eq!(bench.client.call(2, &delete).results[0].error_code, 0);
    assert_eq!(bench.describe().error_code, GROUP_ID_NOT_FOUND);
    assert_eq!(bench.fetch(None, 0), (0, Some(-1)));
}

#[test]
fn a_topic_that_grows_is_assigned_anew() {
    let mut bench = Bench::new("grows");
    let name = format!("grows-{}", now());
    let mut member = Member::new("m");
    let request = bench.join_request(&member).with_subscribed_topic_names(Some(vec![TopicName(text(&name))]));
    let answer = bench.call(&request);
    assert_eq!((answer.error_code, answer.member_epoch), (0, 2));
    member.epoch = 2;
    bench.target.create_topic(&name, 2, &[]);
    let begun = Instant::now();
    loop {
        let answer = bench.call(&bench.request(&member));
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        member.epoch = answer.member_epoch;
        if let Some(assignment) = answer.assignment {
            assert_eq!(assignment.topic_partitions[0].partitions.len(), 2);
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(15));
    }
    assert_eq!(member.epoch, 3);
}
