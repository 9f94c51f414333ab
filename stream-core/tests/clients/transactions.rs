use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use stream_core::ErrorKind;
use stream_core::client::{CommitOffset, FencingToken, Producer};
use stream_core::id::TopicPartition;

use crate::cluster::*;

/// A member of the application's group, and the token that it has.
struct Member {
    consumer: BaseConsumer,
}

impl Member {
    fn join(cluster: &Cluster, topic: &str) -> (Self, FencingToken) {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", cluster.config.bootstrap_servers())
            .set("group.id", cluster.config.application_id())
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "200")
            .create()
            .unwrap();
        consumer.subscribe(&[topic]).unwrap();
        let member = Self { consumer };
        let deadline = Instant::now() + TIMEOUT;
        while member.consumer.assignment().unwrap().count() == 0 {
            assert!(Instant::now() < deadline, "the member got no assignment");
            let _ = member.consumer.poll(Duration::from_millis(50));
        }
        let group = eventually(|| cluster.admin.describe_group(cluster.config.application_id(), TIMEOUT), |group| group.state == "Stable");
        let id = group.members[0].member_id.as_str();
        // A new group's first generation.
        let token = FencingToken { group: cluster.config.application_id().into(), member: id.into(), generation: 1, instance: None };
        (member, token)
    }
}

fn commit_of(topic: &Arc<str>, offset: i64) -> CommitOffset {
    CommitOffset { partition: partition(topic, 0), offset, metadata: format!("to {offset}"), leader_epoch: None }
}

fn committed(cluster: &Cluster, of: &TopicPartition) -> Option<(i64, String)> {
    let ask = || cluster.admin.committed_offsets(cluster.config.application_id(), std::slice::from_ref(of), TIMEOUT);
    let mut offsets = eventually(ask, |_| true);
    offsets.remove(of).map(|committed| (committed.offset, committed.metadata))
}

fn read(cluster: &Cluster, topic: &Arc<str>) -> Vec<String> {
    let end = cluster
        .admin
        .list_offsets(
            &[partition(topic, 0)],
            stream_core::client::OffsetSpec::Latest,
            stream_core::client::IsolationLevel::ReadCommitted,
            TIMEOUT,
        )
        .unwrap();
    let mut consumer = cluster.consumer();
    consumer.assign(&[(partition(topic, 0), 0)]).unwrap();
    values(&poll_to_the_end(&mut consumer, end[&partition(topic, 0)]))
}

fn transaction(producer: &Producer, output: &Arc<str>, value: &str) {
    producer.begin_transaction().unwrap();
    send(producer, output, 0, value);
    producer.flush(TIMEOUT).unwrap();
}

#[test]
fn results_and_positions_are_committed_together() {
    let cluster = Cluster::new();
    let (input, output) = (cluster.topic("input", 1), cluster.topic("output", 1));
    let (_member, token) = Member::join(&cluster, &input);
    let producer = cluster.transactional(&unique("id"));

    transaction(&producer, &output, "kept");
    producer.send_offsets(&[commit_of(&input, 7)], &token, TIMEOUT).unwrap();
    producer.commit_transaction(TIMEOUT).unwrap();
    assert_eq!(committed(&cluster, &partition(&input, 0)), Some((7, "to 7".to_owned())));

    transaction(&producer, &output, "dropped");
    producer.send_offsets(&[commit_of(&input, 9)], &token, TIMEOUT).unwrap();
    producer.abort_transaction(TIMEOUT).unwrap();
    assert_eq!(committed(&cluster, &partition(&input, 0)), Some((7, "to 7".to_owned())));
    assert_eq!(read(&cluster, &output), ["kept"]);
}

#[test]
fn an_old_generation_cannot_commit_and_the_producer_goes_on() {
    let cluster = Cluster::new();
    let (input, output) = (cluster.topic("input", 1), cluster.topic("output", 1));
    let (_member, token) = Member::join(&cluster, &input);
    let producer = cluster.transactional(&unique("id"));
    let stale = [
        FencingToken { generation: 0, ..token.clone() },
        FencingToken { member: "somebody-else".into(), ..token.clone() },
        FencingToken { member: "".into(), ..token.clone() },
        FencingToken { generation: -1, ..token.clone() },
    ];
    for stale in stale {
        transaction(&producer, &output, "dropped");
        let error = producer.send_offsets(&[commit_of(&input, 5)], &stale, TIMEOUT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Abortable, "{stale:?}: {error}");
        producer.abort_transaction(TIMEOUT).unwrap();
    }
    transaction(&producer, &output, "kept");
    producer.send_offsets(&[commit_of(&input, 1)], &token, TIMEOUT).unwrap();
    producer.commit_transaction(TIMEOUT).unwrap();
    assert_eq!(read(&cluster, &output), ["kept"]);
}

#[test]
fn a_newer_producer_of_the_same_id_fences_the_older() {
    let cluster = Cluster::new();
    let output = cluster.topic("output", 1);
    let id = unique("id");
    let old = cluster.transactional(&id);
    transaction(&old, &output, "zombie");
    let new = cluster.transactional(&id);
    transaction(&new, &output, "new");
    let error = old.commit_transaction(TIMEOUT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert_eq!(old.begin_transaction().unwrap_err().kind(), ErrorKind::Fenced);
    new.commit_transaction(TIMEOUT).unwrap();
    assert_eq!(read(&cluster, &output), ["new"]);
}

#[test]
fn offsets_of_an_undecided_transaction_are_not_answered_with_older_ones() {
    let cluster = Cluster::new();
    let (input, output) = (cluster.topic("input", 1), cluster.topic("output", 1));
    let (_member, token) = Member::join(&cluster, &input);
    let producer = cluster.transactional(&unique("id"));
    transaction(&producer, &output, "x");
    producer.send_offsets(&[commit_of(&input, 3)], &token, TIMEOUT).unwrap();
    let asked = cluster.admin.committed_offsets(cluster.config.application_id(), &[partition(&input, 0)], Duration::from_millis(500));
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::Retriable);
    producer.commit_transaction(TIMEOUT).unwrap();
    assert_eq!(committed(&cluster, &partition(&input, 0)).map(|(offset, _)| offset), Some(3));
}

#[test]
fn a_commit_takes_milliseconds() {
    let cluster = Cluster::new();
    let (input, output) = (cluster.topic("input", 1), cluster.topic("output", 4));
    let (_member, token) = Member::join(&cluster, &input);
    let producer = cluster.transactional(&unique("id"));
    let mut times: Vec<Duration> = (0..20)
        .map(|round| {
            producer.begin_transaction().unwrap();
            for number in 0..20 {
                send(&producer, &output, number % 4, "value");
            }
            let started = Instant::now();
            producer.flush(TIMEOUT).unwrap();
            producer.send_offsets(&[commit_of(&input, round)], &token, TIMEOUT).unwrap();
            producer.commit_transaction(TIMEOUT).unwrap();
            started.elapsed()
        })
        .collect();
    times.sort();
    println!("flush, offsets and commit of 20 records in 4 partitions: median {:?}, last {:?}", times[10], times[19]);
    assert!(times[10] < Duration::from_millis(300), "{times:?}");
}
