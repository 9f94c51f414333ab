//! Consumers of librdkafka with `group.protocol=consumer` (KIP-848) share a topic.

use std::time::{Duration, Instant};

use crate::support::{Target, now};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const WAIT: Duration = Duration::from_secs(60);
const PARTITIONS: usize = 6;

struct Bench {
    target: Target,
    topic: String,
    group: String,
}

impl Bench {
    fn new(name: &str) -> Bench {
        let target = Target::new();
        let topic = format!("{name}-{}", now());
        target.create_topic(&topic, PARTITIONS as i32, &[]);
        Bench { target, group: topic.clone(), topic }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.target.bootstrap_servers())
            .set("group.id", &self.group)
            .set("group.protocol", "consumer")
            .set("fetch.wait.max.ms", "50")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest");
        config
    }

    fn member(&self, topic: &str, settings: &[(&str, &str)]) -> BaseConsumer {
        let mut config = self.config();
        for (name, value) in settings {
            config.set(*name, *value);
        }
        let member: BaseConsumer = config.create().unwrap();
        member.subscribe(&[topic]).unwrap();
        member
    }

    fn produce(&self, count: usize) {
        let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", self.target.bootstrap_servers()).create().unwrap();
        for index in 0..count {
            let record = BaseRecord::<(), _>::to(&self.topic).partition((index % PARTITIONS) as i32).payload("v");
            producer.send(record).unwrap();
        }
        producer.flush(WAIT).unwrap();
    }
}

/// The next record; polls end early when they have served a rebalance.
fn next(member: &BaseConsumer) -> BorrowedMessage<'_> {
    let begun = Instant::now();
    loop {
        if let Some(message) = member.poll(Duration::from_millis(50)) {
            return message.unwrap();
        }
        assert!(begun.elapsed() < WAIT, "no record comes");
    }
}

/// What a member has been assigned. librdkafka's own list would keep the consumer from being destroyed while it lives.
fn partitions(member: &BaseConsumer) -> Vec<i32> {
    let assignment = member.assignment().unwrap();
    assignment.elements().iter().map(|e| e.partition()).collect()
}

/// Polls the members until each has as many partitions as is expected of it.
fn await_assignments(members: &[(&BaseConsumer, usize)]) {
    let begun = Instant::now();
    loop {
        for (member, _) in members {
            if let Some(Err(error)) = member.poll(Duration::from_millis(5)) {
                panic!("{error}");
            }
        }
        let counts: Vec<usize> = members.iter().map(|(member, _)| member.assignment().unwrap().count()).collect();
        if members.iter().map(|(_, count)| *count).eq(counts.iter().copied()) {
            return;
        }
        assert!(begun.elapsed() < WAIT, "{counts:?}");
    }
}

#[test]
fn members_share_the_partitions_and_take_over_from_one_that_leaves() {
    for assignor in ["uniform", "range"] {
        let bench = Bench::new("consumers-share");
        let settings = [("group.remote.assignor", assignor)];
        let first = bench.member(&bench.topic, &settings);
        await_assignments(&[(&first, 6)]);
        let second = bench.member(&bench.topic, &settings);
        await_assignments(&[(&first, 3), (&second, 3)]);
        let third = bench.member(&bench.topic, &settings);
        await_assignments(&[(&first, 2), (&second, 2), (&third, 2)]);
        drop(second);
        await_assignments(&[(&first, 3), (&third, 3)]);
        drop(first);
        await_assignments(&[(&third, 6)]);
    }
}

#[test]
fn a_new_member_goes_on_where_the_last_one_committed() {
    let bench = Bench::new("consumers-resume");
    bench.produce(12);
    let member = bench.member(&bench.topic, &[]);
    for _ in 0..12 {
        let message = next(&member);
        member.commit_message(&message, CommitMode::Sync).unwrap();
    }
    drop(member);
    bench.produce(6);
    let member = bench.member(&bench.topic, &[]);
    let mut offsets: Vec<i64> = (0..6).map(|_| next(&member).offset()).collect();
    offsets.sort_unstable();
    assert_eq!(offsets, [2; 6]);
}

#[test]
fn a_static_member_that_restarts_keeps_its_partitions() {
    let bench = Bench::new("consumers-static");
    let instance = |name| [("group.instance.id", name)];
    let first = bench.member(&bench.topic, &instance("one"));
    let second = bench.member(&bench.topic, &instance("two"));
    await_assignments(&[(&first, 3), (&second, 3)]);
    let before = partitions(&second);
    drop(second);
    let second = bench.member(&bench.topic, &instance("two"));
    await_assignments(&[(&first, 3), (&second, 3)]);
    assert_eq!(partitions(&second), before);
}

#[test]
fn a_regular_expression_is_matched_by_the_broker_and_finds_new_topics() {
    let bench = Bench::new("consumers-regex");
    let member = bench.member(&format!("^{}.*", bench.topic), &[]);
    await_assignments(&[(&member, 6)]);
    bench.target.create_topic(&format!("{}-more", bench.topic), 2, &[]);
    await_assignments(&[(&member, 8)]);
}
