use std::collections::BTreeMap;
use std::time::Duration;

use stream_core::ErrorKind;
use stream_core::client::{DeliveryReports, DeliverySlot, IsolationLevel, NewTopic, OffsetSpec, TopicCreation};
use stream_core::record::{Headers, OutgoingRecord};

use crate::cluster::*;

fn new_topic(name: &str, partitions: i32, configs: &[(&str, &str)]) -> NewTopic {
    let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    NewTopic { name: name.to_owned(), partitions, replication_factor: -1, configs }
}

#[test]
fn each_topic_that_is_created_has_its_own_fate() {
    let cluster = Cluster::new();
    let (name, exists) = (unique("new"), cluster.topic("exists", 1));
    let topics = vec![new_topic(&name, 3, &[("cleanup.policy", "compact")]), new_topic(&exists, 9, &[]), new_topic("not/a/name", 1, &[])];
    let fates = cluster.admin.create_topics(topics, TIMEOUT).unwrap();
    assert!(matches!(fates[&name], TopicCreation::Created));
    assert!(matches!(fates[&*exists], TopicCreation::Exists));
    let TopicCreation::Failed(error) = &fates["not/a/name"] else { panic!("{fates:?}") };
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");

    let configs = eventually(|| cluster.admin.topic_configs(&[&name], TIMEOUT), |_| true);
    assert_eq!(configs[&name]["cleanup.policy"], "compact");
}

#[test]
fn topics_are_known_with_their_partitions_and_ids() {
    let cluster = Cluster::new();
    let (topic, missing) = (cluster.topic("known", 4), unique("missing"));
    let known = eventually(|| cluster.admin.topics(&[&topic, &missing], TIMEOUT), |known| !known.is_empty());
    assert_eq!(known.keys().collect::<Vec<_>>(), [&topic.to_string()]);
    let info = &known[&*topic];
    assert_eq!(info.partitions, 4);
    eventually(|| cluster.admin.list_topics(TIMEOUT), |names| names.contains(&topic.to_string()));

    cluster.admin.delete_topics(&[&topic, &missing], TIMEOUT).unwrap();
    eventually(|| cluster.admin.topics(&[&topic], TIMEOUT), |known| known.is_empty());
    cluster.admin.create_topics(vec![new_topic(&topic, 4, &[])], TIMEOUT).unwrap();
    let anew = eventually(|| cluster.admin.topics(&[&topic], TIMEOUT), |known| !known.is_empty());
    assert!(info.topic_id.is_some() && anew[&*topic].topic_id != info.topic_id, "a topic that is created anew has another id");
}

#[test]
fn offsets_are_found_by_end_and_by_time() {
    let cluster = Cluster::new();
    let topic = cluster.topic("times", 2);
    let producer = cluster.producer(DeliveryReports::All);
    let now = now_ms();
    for age in [3_000, 2_000, 1_000] {
        let record =
            OutgoingRecord { topic: &topic, partition: Some(0), key: None, value: None, timestamp: now - age, headers: &Headers::new() };
        producer.send(&record, DeliverySlot::UNTRACKED).unwrap();
        producer.flush(TIMEOUT).unwrap();
    }
    let both = [partition(&topic, 0), partition(&topic, 1)];
    let offsets = |spec| {
        let offsets = cluster.admin.list_offsets(&both, spec, IsolationLevel::ReadUncommitted, TIMEOUT).unwrap();
        (offsets[&both[0]], offsets[&both[1]])
    };
    assert_eq!(offsets(OffsetSpec::Earliest), (0, 0));
    assert_eq!(offsets(OffsetSpec::Latest), (3, 0));
    assert_eq!(offsets(OffsetSpec::Timestamp(now - 2_000)), (1, 0));
    assert_eq!(offsets(OffsetSpec::Timestamp(now)), (3, 0), "behind the last record when none is that late");

    let lows = cluster.admin.delete_records(&BTreeMap::from([(both[0].clone(), 2)]), TIMEOUT).unwrap();
    assert_eq!(lows[&both[0]], 2);
    assert_eq!(offsets(OffsetSpec::Earliest), (2, 0));
    let missing = partition(&unique("missing").into(), 0);
    let error = cluster.admin.list_offsets(&[missing], OffsetSpec::Latest, IsolationLevel::ReadCommitted, TIMEOUT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retriable, "{error}");
}

#[test]
fn the_stable_end_is_before_an_open_transaction() {
    let cluster = Cluster::new();
    let topic = cluster.topic("stable", 1);
    cluster.fill(&topic, 0, 5);
    let producer = cluster.transactional(&unique("id"));
    producer.begin_transaction().unwrap();
    send(&producer, &topic, 0, "open");
    producer.flush(TIMEOUT).unwrap();
    let end = |isolation| cluster.admin.list_offsets(&[partition(&topic, 0)], OffsetSpec::Latest, isolation, TIMEOUT).unwrap();
    assert_eq!(end(IsolationLevel::ReadCommitted)[&partition(&topic, 0)], 5);
    assert_eq!(end(IsolationLevel::ReadUncommitted)[&partition(&topic, 0)], 6);
}

#[test]
fn a_group_that_nobody_joined_is_empty() {
    let cluster = Cluster::new();
    let nobody = unique("nobody");
    let group = eventually(|| cluster.admin.describe_group(&nobody, TIMEOUT), |_| true);
    assert!(group.members.is_empty() && group.state == "Dead", "{group:?}");
    let topic = cluster.topic("uncommitted", 1);
    assert!(eventually(|| cluster.admin.committed_offsets(&nobody, &[partition(&topic, 0)], TIMEOUT), |_| true).is_empty());
}

#[test]
fn requests_that_found_no_coordinator_do_no_harm_when_it_comes_back() {
    let cluster = Cluster::new();
    let topic = cluster.topic("outage", 1);
    let Some(broker) = &cluster.broker else {
        println!("skipped: this cluster's network is not ours to cut");
        return;
    };
    let group = unique("group");
    let committed = |timeout| cluster.admin.committed_offsets(&group, &[partition(&topic, 0)], timeout);
    let described = |timeout| cluster.admin.describe_group(&group, timeout);
    eventually(|| committed(TIMEOUT), |_| true);
    for _ in 0..3 {
        broker.pause_network().unwrap();
        for _ in 0..5 {
            let short = Duration::from_millis(50);
            assert_eq!(committed(short).unwrap_err().kind(), ErrorKind::Retriable);
            assert_eq!(described(short).unwrap_err().kind(), ErrorKind::Retriable);
        }
        broker.resume_network().unwrap();
        assert!(eventually(|| committed(TIMEOUT), |_| true).is_empty());
        eventually(|| described(TIMEOUT), |_| true);
    }
}
