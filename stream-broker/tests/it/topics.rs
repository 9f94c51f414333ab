//! Topics, partitions, configurations, and the start of logs.

use std::time::Duration;

use crate::support::{Batch, Client, Target, delete_records, fetch_request, text, topic_name, values};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest,
    DescribeLogDirsRequest, DescribeTopicPartitionsRequest, FetchRequest, FindCoordinatorRequest, IncrementalAlterConfigsRequest,
    MetadataRequest, OffsetForLeaderEpochRequest, ProduceRequest,
    offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
};
use stream_broker::{Broker, BrokerConfig};

fn creatable(name: &str) -> CreatableTopic {
    CreatableTopic::default().with_name(topic_name(name)).with_num_partitions(2).with_replication_factor(1)
}

fn create(client: &mut Client, topic: CreatableTopic) -> CreatableTopicResult {
    let request = CreateTopicsRequest::default().with_timeout_ms(5_000).with_topics(vec![topic]);
    client.call(7, &request).topics.remove(0)
}

fn metadata(client: &mut Client, version: i16, name: &str, create: bool) -> MetadataResponseTopic {
    let request = MetadataRequest::default()
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(topic_name(name)))]))
        .with_allow_auto_topic_creation(create || version < 4);
    client.call(version, &request).topics.remove(0)
}

fn describe(client: &mut Client, topic: &str) -> Vec<DescribeConfigsResourceResult> {
    let request = DescribeConfigsRequest::default().with_include_synonyms(true).with_resources(vec![
        DescribeConfigsResource::default().with_resource_type(2).with_resource_name(text(topic)).with_configuration_keys(None),
    ]);
    client.call(4, &request).results.remove(0).configs
}

fn value(configs: &[DescribeConfigsResourceResult], name: &str) -> (String, i8) {
    let config = configs.iter().find(|c| &*c.name == name).unwrap();
    (config.value.as_ref().unwrap().to_string(), config.config_source)
}

fn alter(client: &mut Client, topic: &str, name: &str, operation: i8, value: &str) -> i16 {
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![
        AlterConfigsResource::default().with_resource_type(2).with_resource_name(text(topic)).with_configs(vec![
            AlterableConfig::default().with_name(text(name)).with_config_operation(operation).with_value(Some(text(value))),
        ]),
    ]);
    client.call(1, &request).responses[0].error_code
}

#[test]
fn a_created_topic_has_its_partitions_an_id_and_its_configs() {
    let broker = Target::new();
    broker.remove_topic("orders");
    let mut client = Client::connect(broker.address());
    let result = create(
        &mut client,
        creatable("orders")
            .with_configs(vec![CreatableTopicConfig::default().with_name(text("cleanup.policy")).with_value(Some(text("compact,delete")))]),
    );
    assert_eq!(result.error_code, 0);
    assert_eq!((result.num_partitions, result.replication_factor), (2, 1));
    assert!(!result.topic_id.is_nil());
    broker.await_topic("orders", 2);
    let described = metadata(&mut client, 12, "orders", false);
    assert_eq!(described.topic_id, result.topic_id);
    assert_eq!(described.partitions.len(), 2);
    assert_eq!(described.partitions[1].leader_id, BrokerId(1));
    // By id, as clients of KIP-516 ask.
    let request =
        MetadataRequest::default().with_topics(Some(vec![MetadataRequestTopic::default().with_name(None).with_topic_id(result.topic_id)]));
    let by_id = client.call(12, &request).topics.remove(0);
    assert_eq!(by_id.name, Some(topic_name("orders")));
}

#[test]
fn what_cannot_be_created_is_refused_with_the_code_of_kafka() {
    let broker = Target::new();
    for name in ["taken.name", "assigned", "default", "checked", "x"] {
        broker.remove_topic(name);
    }
    let mut client = Client::connect(broker.address());
    assert_eq!(create(&mut client, creatable("taken.name")).error_code, 0);
    let assigned = |partition, node| {
        creatable("assigned").with_num_partitions(-1).with_replication_factor(-1).with_assignments(vec![
            CreatableReplicaAssignment::default().with_partition_index(partition).with_broker_ids(vec![BrokerId(node)]),
        ])
    };
    for (topic, code) in [
        (creatable("taken.name"), 36),
        (creatable("taken_name"), 17),
        (creatable("bad name"), 17),
        (creatable(""), 17),
        (creatable("a").with_num_partitions(0), 37),
        (creatable("a").with_num_partitions(-2), 37),
        (creatable("a").with_num_partitions(2_000_000_000), 44),
        (creatable("a").with_replication_factor(2), 38),
        (creatable("a").with_replication_factor(0), 38),
        (assigned(0, 5), 39),
        (assigned(1, 1), 39),
        (assigned(0, 1).with_num_partitions(1), 42),
        (assigned(0, 1), 0),
        (creatable("default").with_num_partitions(-1).with_replication_factor(-1), 0),
        (
            creatable("a").with_configs(vec![CreatableTopicConfig::default().with_name(text("retention.ms")).with_value(Some(text("-2")))]),
            40,
        ),
    ] {
        let result = create(&mut client, topic.clone());
        assert_eq!(result.error_code, code, "{topic:?}");
        assert_eq!(result.error_message.is_some(), code != 0, "{topic:?}");
    }
    let twice = CreateTopicsRequest::default().with_timeout_ms(5_000).with_topics(vec![creatable("x"), creatable("x")]);
    for result in client.call(7, &twice).topics {
        assert_eq!(result.error_code, 42);
    }
    let only_checked =
        CreateTopicsRequest::default().with_timeout_ms(5_000).with_topics(vec![creatable("checked")]).with_validate_only(true);
    assert_eq!(client.call(7, &only_checked).topics[0].error_code, 0);
    assert_eq!(metadata(&mut client, 9, "checked", false).error_code, 3);
}

#[test]
fn asking_for_a_topic_creates_it_unless_either_side_forbids_it() {
    let broker = Broker::start(BrokerConfig::default().num_partitions(3)).unwrap();
    let mut client = Client::connect(broker.address());
    assert_eq!(metadata(&mut client, 9, "a", false).error_code, 3);
    assert_eq!(metadata(&mut client, 9, "a", true).partitions.len(), 3);
    assert_eq!(metadata(&mut client, 1, "old-client", false).partitions.len(), 3);
    assert_eq!(metadata(&mut client, 9, "bad name", true).error_code, 17);
    let all = client.call(9, &MetadataRequest::default().with_topics(None));
    assert_eq!(all.topics.len(), 2);
    let none = client.call(9, &MetadataRequest::default().with_topics(Some(Vec::new())));
    assert_eq!(none.topics.len(), 0);

    let strict = Broker::start(BrokerConfig::default().auto_create_topics(false)).unwrap();
    let mut client = Client::connect(strict.address());
    assert_eq!(metadata(&mut client, 9, "a", true).error_code, 3);
}

#[test]
fn every_version_of_metadata_is_answered() {
    let broker = Target::new();
    broker.create_topic("t", 2, &[]);
    let mut client = Client::connect(broker.address());
    for version in 0..=13 {
        let topic = metadata(&mut client, version, "t", false);
        assert_eq!((topic.error_code, topic.partitions.len()), (0, 2));
    }
    // In version 0 the empty array is how all topics are asked for.
    let all = client.call(0, &MetadataRequest::default().with_topics(Some(Vec::new())));
    assert!(all.topics.iter().any(|t| t.name == Some(topic_name("t"))));
}

#[test]
fn a_deleted_topic_is_gone_and_a_new_one_of_its_name_is_another() {
    let broker = Target::new();
    broker.create_topic("t", 1, &[]);
    let mut client = Client::connect(broker.address());
    client.produce("t", 0, Batch::of(["old"]).encode());
    let old = metadata(&mut client, 12, "t", false).topic_id;
    // A consumer that waits is told.
    let mut waiting = Client::connect(broker.address());
    waiting.send(11, &fetch_request("t", 0, 1).with_max_wait_ms(30_000));

    let request = DeleteTopicsRequest::default().with_timeout_ms(5_000).with_topic_names(vec![topic_name("t")]);
    assert_eq!(client.call(5, &request).responses[0].error_code, 0);
    let (_, response) = waiting.receive::<FetchRequest>(11).unwrap();
    assert_eq!(response.responses[0].partitions[0].error_code, 3);
    assert_eq!(client.call(5, &request).responses[0].error_code, 3);
    assert_eq!(client.fetch("t", 0, 0).error_code, 3);

    broker.create_topic("t", 1, &[]);
    let new = metadata(&mut client, 12, "t", false).topic_id;
    assert_ne!(new, old);
    assert_eq!(client.fetch("t", 0, 0).high_watermark, 0);
    let by_id = |id| {
        DeleteTopicsRequest::default()
            .with_timeout_ms(5_000)
            .with_topics(vec![DeleteTopicState::default().with_name(None).with_topic_id(id)])
    };
    assert_eq!(client.call(6, &by_id(old)).responses[0].error_code, 100);
    assert_eq!(client.call(6, &by_id(new)).responses[0].error_code, 0);
}

#[test]
fn partitions_grow_and_never_shrink() {
    let broker = Target::new();
    broker.create_topic("t", 2, &[]);
    let mut client = Client::connect(broker.address());
    client.produce("t", 1, Batch::of(["kept"]).encode());
    let mut grow = |name: &str, count, validate_only| {
        let request = CreatePartitionsRequest::default()
            .with_timeout_ms(5_000)
            .with_validate_only(validate_only)
            .with_topics(vec![CreatePartitionsTopic::default().with_name(topic_name(name)).with_count(count).with_assignments(None)]);
        client.call(3, &request).results[0].error_code
    };
    assert_eq!(grow("missing", 4, false), 3);
    assert_eq!(grow("t", 2, false), 37);
    assert_eq!(grow("t", 1, false), 37);
    if broker.is_embedded() {
        assert_eq!(grow("t", 2_000_000_000, false), 44);
    }
    assert_eq!(grow("t", 4, true), 0);
    assert_eq!(grow("t", 4, false), 0);
    assert_eq!(metadata(&mut client, 9, "t", false).partitions.len(), 4);
    assert_eq!(values(&client.fetch("t", 1, 0)).len(), 1);
    assert_eq!(client.produce("t", 3, Batch::of(["new"]).encode()).error_code, 0);
}

#[test]
fn configs_are_described_with_their_sources_and_altered_one_by_one() {
    let broker = Target::new();
    broker.create_topic("t", 1, &[("retention.ms", "1000")]);
    let mut client = Client::connect(broker.address());
    let configs = describe(&mut client, "t");
    assert!(configs.len() > 25);
    assert_eq!(value(&configs, "retention.ms"), ("1000".to_owned(), 1));
    assert_eq!(value(&configs, "segment.bytes"), ("1073741824".to_owned(), 5));
    let retention = configs.iter().find(|c| &*c.name == "retention.ms").unwrap();
    let synonyms: Vec<_> = retention.synonyms.iter().map(|s| s.name.to_string()).collect();
    assert_eq!(synonyms[..2], ["retention.ms", "log.retention.ms"]);
    assert_eq!(retention.config_type, 5);

    assert_eq!(alter(&mut client, "t", "max.message.bytes", 0, "100"), 0);
    assert_eq!(client.produce("t", 0, Batch::of([[0; 200]]).encode()).error_code, 10);
    assert_eq!(alter(&mut client, "t", "max.message.bytes", 1, ""), 0);
    assert_eq!(client.produce("t", 0, Batch::of([[0; 200]]).encode()).error_code, 0);
    assert_eq!(alter(&mut client, "t", "cleanup.policy", 2, "compact"), 0);
    assert_eq!(value(&describe(&mut client, "t"), "cleanup.policy").0, "delete,compact");
    assert_eq!(alter(&mut client, "t", "cleanup.policy", 3, "delete"), 0);
    assert_eq!(value(&describe(&mut client, "t"), "cleanup.policy").0, "compact");
    assert_eq!(alter(&mut client, "t", "cleanup.policy", 3, "compact"), 0);
    assert_eq!(value(&describe(&mut client, "t"), "cleanup.policy").0, "");
    assert_eq!(alter(&mut client, "t", "no.such.config", 0, "1"), 40);
    assert_eq!(alter(&mut client, "t", "retention.ms", 2, "1"), 40);
    assert_eq!(alter(&mut client, "missing", "retention.ms", 0, "1"), 3);
}

#[test]
fn deleted_records_are_out_of_range_and_the_log_goes_on() {
    let broker = Target::new();
    broker.create_topic("t", 1, &[]);
    broker.create_topic("compacted", 1, &[("cleanup.policy", "compact")]);
    let mut client = Client::connect(broker.address());
    client.produce("t", 0, Batch::of(["a", "b", "c"]).encode());
    client.produce("t", 0, Batch::of(["d"]).encode());
    assert_eq!(delete_records(&mut client, "t", 0, 2), (0, 2));
    assert_eq!(client.fetch("t", 0, 1).error_code, 1);
    let data = client.fetch("t", 0, 2);
    assert_eq!(data.log_start_offset, 2);
    assert_eq!(client.list_offset("t", 0, -2).offset, 2);
    // The start does not go back, and cannot pass the end.
    assert_eq!(delete_records(&mut client, "t", 0, 1), (0, 2));
    assert_eq!(delete_records(&mut client, "t", 0, 5), (1, -1));
    assert_eq!(delete_records(&mut client, "t", 0, -1), (0, 4));
    assert_eq!(client.produce("t", 0, Batch::of(["e"]).encode()).base_offset, 4);
    assert_eq!(values(&client.fetch("t", 0, 4)), [(4, "e".to_owned())]);
    assert_eq!(delete_records(&mut client, "compacted", 0, 0).0, 44);
    assert_eq!(delete_records(&mut client, "t", 9, 0).0, 3);
}

#[test]
fn retention_by_time_and_by_size_deletes_whole_segments_from_the_front() {
    let config = BrokerConfig::default().retention_check_interval(Duration::from_millis(50));
    let broker = Broker::start(config).unwrap();
    let segments = ("internal.segment.bytes", "1500");
    broker.create_topic("time", 1, [("retention.ms", "60000"), segments]).unwrap();
    broker.create_topic("size", 1, [("retention.bytes", "3000"), segments]).unwrap();
    broker.create_topic("kept", 1, [("cleanup.policy", "compact"), ("retention.bytes", "1"), segments]).unwrap();
    let mut client = Client::connect(broker.address());
    let value = [b'x'; 1_000];
    let old = crate::support::now() - 120_000;
    for _ in 0..3 {
        client.produce("time", 0, Batch::of([value]).at(&[old]).encode());
    }
    client.produce("time", 0, Batch::of([value]).encode());
    for topic in ["size", "kept"] {
        for _ in 0..10 {
            client.produce(topic, 0, Batch::of([value]).keyed("k").encode());
        }
    }
    let mut start_reaches = |topic: &str, offset: i64| {
        for _ in 0..200 {
            if client.list_offset(topic, 0, -2).offset == offset {
                return true;
            }
            // The only sign of retention is the log's start.
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    };
    assert!(start_reaches("time", 3));
    assert!(start_reaches("size", 7));
    assert!(start_reaches("kept", 0));
    assert_eq!(client.fetch("size", 0, 6).error_code, 1);
    for offset in 7..10 {
        assert_eq!(values(&client.fetch("size", 0, offset))[0].0, offset);
    }
}

#[test]
fn the_cluster_its_logs_and_its_one_leader_epoch_are_described() {
    let broker = Target::new();
    broker.create_topic("t", 1, &[]);
    let mut client = Client::connect(broker.address());
    client.produce("t", 0, Batch::of(["a", "b"]).encode());
    let cluster = client.call(1, &DescribeClusterRequest::default());
    assert_eq!(cluster.brokers.len(), 1);
    assert_eq!(cluster.brokers[0].port, i32::from(broker.address().port()));
    assert_eq!(cluster.controller_id, BrokerId(1));

    let logs = client.call(4, &DescribeLogDirsRequest::default().with_topics(None));
    let partition = &logs.results[0].topics[0].partitions[0];
    assert!(partition.partition_size > 61);

    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![
        OffsetForLeaderTopic::default()
            .with_topic(topic_name("t"))
            .with_partitions(vec![OffsetForLeaderPartition::default().with_current_leader_epoch(-1).with_leader_epoch(0)]),
    ]);
    let response = client.call(4, &request);
    assert_eq!(response.topics[0].partitions[0].end_offset, 2);
}

#[test]
fn a_topic_is_written_and_read_by_its_id_and_not_by_that_of_a_deleted_one() {
    const UNKNOWN_TOPIC_ID: i16 = 100;
    let target = Target::new();
    target.create_topic("by-id", 1, &[]);
    let mut client = Client::connect(target.address());
    let id = metadata(&mut client, 12, "by-id", false).topic_id;
    let produce = |client: &mut Client, id: uuid::Uuid| {
        let data = PartitionProduceData::default().with_index(0).with_records(Some(Batch::of(["one"]).encode()));
        let topic = TopicProduceData::default().with_topic_id(id).with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
        let topic = client.call(13, &request).responses.remove(0);
        assert_eq!(topic.topic_id, id);
        topic.partition_responses[0].error_code
    };
    let fetch = |client: &mut Client, version: i16, id: uuid::Uuid| {
        let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default().with_topic_id(id).with_partitions(vec![partition]);
        let request = FetchRequest::default().with_min_bytes(1).with_max_bytes(1 << 20).with_topics(vec![topic]);
        let topic = client.call(version, &request).responses.remove(0);
        assert_eq!(topic.topic_id, id);
        topic.partitions.into_iter().next().unwrap()
    };
    assert_eq!(produce(&mut client, id), 0);
    for version in 13..=17 {
        assert_eq!(values(&fetch(&mut client, version, id)), [(0, "one".to_owned())], "version {version}");
    }
    let stranger = uuid::Uuid::from_u128(12_345);
    assert_eq!(produce(&mut client, stranger), UNKNOWN_TOPIC_ID);
    assert_eq!(fetch(&mut client, 13, stranger).error_code, UNKNOWN_TOPIC_ID);
}

#[test]
fn partitions_are_described_a_page_at_a_time() {
    let target = Target::new();
    for name in ["page-a", "page-b", "page-c"] {
        target.create_topic(name, 3, &[]);
    }
    let mut client = Client::connect(target.address());
    let names = ["page-c", "page-a", "page-b", "page-none"];
    let mut request = DescribeTopicPartitionsRequest::default()
        .with_topics(names.map(|name| TopicRequest::default().with_name(topic_name(name))).to_vec())
        .with_response_partition_limit(4)
        .with_cursor(None);
    let mut seen = Vec::new();
    loop {
        let response = client.call(0, &request);
        for topic in response.topics {
            let name = topic.name.unwrap().to_string();
            if topic.error_code != 0 {
                assert_eq!((name.as_str(), topic.error_code), ("page-none", 3));
                continue;
            }
            assert!(!topic.topic_id.is_nil() && !topic.is_internal);
            seen.extend(topic.partitions.iter().map(|partition| (name.clone(), partition.partition_index)));
        }
        let Some(next) = response.next_cursor else { break };
        let cursor = Cursor::default().with_topic_name(next.topic_name).with_partition_index(next.partition_index);
        request = request.with_cursor(Some(cursor));
    }
    let expected: Vec<_> =
        ["page-a", "page-b", "page-c"].into_iter().flat_map(|name| (0..3).map(move |index| (name.to_owned(), index))).collect();
    assert_eq!(seen, expected);
}

#[test]
fn the_topics_of_the_coordinators_are_internal_and_clients_cannot_write_to_them() {
    const INVALID_TOPIC: i16 = 17;
    let target = Target::new();
    let mut client = Client::connect(target.address());
    let find = FindCoordinatorRequest::default().with_key(text("g")).with_key_type(0);
    client.call(2, &find);
    let described = loop {
        let described = metadata(&mut client, 9, "__consumer_offsets", false);
        // A cluster makes the topic in its own time.
        if described.error_code == 0 {
            break described;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(described.is_internal);
    assert!(described.partitions.len() > 1);
    assert_eq!(client.produce("__consumer_offsets", 0, Batch::of(["x"]).keyed("k").encode()).error_code, INVALID_TOPIC);
}
