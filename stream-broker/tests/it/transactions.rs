//! What readers see of transactions, by an ordinary client library.

use std::time::{Duration, Instant};

use crate::support::{Target, now};
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const WAIT: Duration = Duration::from_secs(20);

struct Bench {
    target: Target,
    topic: &'static str,
}

impl Bench {
    fn new(topic: &'static str) -> Bench {
        let target = Target::new();
        target.create_topic(topic, 2, &[]);
        Bench { target, topic }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.target.bootstrap_servers()).set("retry.backoff.ms", "20").set("fetch.wait.max.ms", "50");
        config
    }

    fn producer(&self, transactional_id: &str, timeout_ms: u32) -> BaseProducer {
        let producer: BaseProducer =
            self.config().set("transactional.id", transactional_id).set("transaction.timeout.ms", timeout_ms.to_string()).create().unwrap();
        producer.init_transactions(WAIT).unwrap();
        producer
    }

    fn send(&self, producer: &BaseProducer, values: &[&str]) {
        for value in values {
            let record = BaseRecord::<(), _>::to(self.topic).partition(0).payload(*value);
            producer.send(record).unwrap();
        }
        drain(producer);
    }

    /// The values that a reader of this isolation sees in partition 0, up to what it may see now.
    fn read(&self, isolation: &str) -> Vec<String> {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", "unused")
            .set("isolation.level", isolation)
            .set("enable.partition.eof", "true")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(self.topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&assignment).unwrap();
        let mut values = Vec::new();
        loop {
            match consumer.poll(WAIT).expect("records or the end") {
                Ok(message) => {
                    let value = message.payload().unwrap_or_default();
                    values.push(String::from_utf8_lossy(value).into_owned());
                }
                Err(KafkaError::PartitionEOF(_)) => return values,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn committed(&self) -> Vec<String> {
        self.read("read_committed")
    }
}

fn drain(producer: &BaseProducer) {
    let begun = Instant::now();
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::ZERO);
        assert!(begun.elapsed() < WAIT, "records are not acknowledged");
    }
}

fn unique(name: &str) -> String {
    format!("{name}-{}", now())
}

fn code<T: std::fmt::Debug>(result: Result<T, KafkaError>) -> RDKafkaErrorCode {
    result.unwrap_err().rdkafka_error_code().unwrap()
}

#[test]
fn an_open_transaction_is_hidden_and_a_committed_one_shows() {
    let bench = Bench::new("tx-commit");
    let producer = bench.producer(&unique("commit"), 60_000);
    producer.begin_transaction().unwrap();
    bench.send(&producer, &["a", "b"]);
    assert_eq!(bench.committed(), [""; 0]);
    assert_eq!(bench.read("read_uncommitted"), ["a", "b"]);
    producer.commit_transaction(WAIT).unwrap();
    assert_eq!(bench.committed(), ["a", "b"]);
    // The marker has an offset of its own.
    let mut client = crate::support::Client::connect(bench.target.address());
    assert_eq!(client.list_offset(bench.topic, 0, -1).offset, 3);
}

#[test]
fn aborted_records_are_filtered_among_committed_ones() {
    let bench = Bench::new("tx-abort");
    let producer = bench.producer(&unique("abort"), 60_000);
    for round in 0..6 {
        producer.begin_transaction().unwrap();
        let value = format!("round {round}");
        bench.send(&producer, &[&value, &value]);
        if round % 2 == 0 {
            producer.commit_transaction(WAIT).unwrap();
        } else {
            producer.abort_transaction(WAIT).unwrap();
        }
    }
    let expected = ["round 0", "round 0", "round 2", "round 2", "round 4", "round 4"];
    assert_eq!(bench.committed(), expected);
    assert_eq!(bench.read("read_uncommitted").len(), 12);
}

#[test]
fn two_producers_interleaved_are_told_apart() {
    let bench = Bench::new("tx-two");
    let first = bench.producer(&unique("first"), 60_000);
    let second = bench.producer(&unique("second"), 60_000);
    first.begin_transaction().unwrap();
    second.begin_transaction().unwrap();
    bench.send(&first, &["first 1"]);
    bench.send(&second, &["second 1"]);
    bench.send(&first, &["first 2"]);
    second.abort_transaction(WAIT).unwrap();
    assert_eq!(bench.committed(), [""; 0], "the first is still open");
    first.commit_transaction(WAIT).unwrap();
    assert_eq!(bench.committed(), ["first 1", "first 2"]);
}

#[test]
fn an_open_transaction_holds_back_later_plain_records() {
    let bench = Bench::new("tx-lso");
    let producer = bench.producer(&unique("lso"), 60_000);
    let plain: BaseProducer = bench.config().create().unwrap();
    bench.send(&plain, &["before"]);
    producer.begin_transaction().unwrap();
    bench.send(&producer, &["inside"]);
    bench.send(&plain, &["after"]);
    assert_eq!(bench.committed(), ["before"]);
    producer.abort_transaction(WAIT).unwrap();
    assert_eq!(bench.committed(), ["before", "after"]);
}

#[test]
fn a_zombie_cannot_commit_and_what_it_wrote_is_aborted() {
    let bench = Bench::new("tx-zombie");
    let id = unique("zombie");
    let zombie = bench.producer(&id, 60_000);
    zombie.begin_transaction().unwrap();
    bench.send(&zombie, &["zombie"]);
    let successor = bench.producer(&id, 60_000);
    successor.begin_transaction().unwrap();
    bench.send(&successor, &["successor"]);
    successor.commit_transaction(WAIT).unwrap();
    let fenced = zombie.commit_transaction(WAIT);
    assert_eq!(code(fenced), RDKafkaErrorCode::Fenced);
    assert_eq!(bench.committed(), ["successor"]);
}

#[test]
fn a_transaction_that_hangs_is_aborted_after_its_timeout() {
    let bench = Bench::new("tx-timeout");
    let producer = bench.producer(&unique("timeout"), 1_000);
    let plain: BaseProducer = bench.config().create().unwrap();
    producer.begin_transaction().unwrap();
    bench.send(&producer, &["hanging"]);
    bench.send(&plain, &["after"]);
    let begun = Instant::now();
    // The reader is woken by the marker; nobody asks for it.
    let consumer: BaseConsumer = bench.config().set("group.id", "unused").set("enable.auto.commit", "false").create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(bench.topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let first = consumer.poll(WAIT).unwrap().unwrap();
    assert_eq!(first.payload(), Some(&b"after"[..]));
    assert!(begun.elapsed() >= Duration::from_millis(500));
    assert!(producer.commit_transaction(WAIT).is_err());
    assert_eq!(bench.committed(), ["after"]);
}

#[test]
fn offsets_sent_to_a_transaction_take_effect_with_it_and_a_stale_member_is_refused() {
    let bench = Bench::new("tx-offsets");
    let group = unique("tx-offsets");
    let member: BaseConsumer =
        bench.config().set("group.id", &group).set("enable.auto.commit", "false").set("auto.offset.reset", "earliest").create().unwrap();
    member.subscribe(&[bench.topic]).unwrap();
    let begun = Instant::now();
    while member.assignment().unwrap().count() < 2 {
        assert!(member.poll(Duration::from_millis(10)).is_none());
        assert!(begun.elapsed() < WAIT);
    }
    let generation = member.group_metadata().unwrap();
    let producer = bench.producer(&group, 60_000);
    let offsets = |offset| {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(bench.topic, 0, Offset::Offset(offset)).unwrap();
        offsets
    };
    let committed = || {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(bench.topic, 0);
        let known = member.committed_offsets(asked, WAIT).unwrap();
        known.elements()[0].offset()
    };

    producer.begin_transaction().unwrap();
    bench.send(&producer, &["a"]);
    producer.send_offsets_to_transaction(&offsets(5), &generation, WAIT).unwrap();
    producer.commit_transaction(WAIT).unwrap();
    assert_eq!(committed(), Offset::Offset(5));

    producer.begin_transaction().unwrap();
    bench.send(&producer, &["b"]);
    producer.send_offsets_to_transaction(&offsets(9), &generation, WAIT).unwrap();
    producer.abort_transaction(WAIT).unwrap();
    assert_eq!(committed(), Offset::Offset(5));

    // A second member makes a new generation; the token of the old one is worth nothing.
    let other: BaseConsumer = bench.config().set("group.id", &group).create().unwrap();
    other.subscribe(&[bench.topic]).unwrap();
    let begun = Instant::now();
    while other.assignment().unwrap().count() < 1 || member.assignment().unwrap().count() != 1 {
        other.poll(Duration::from_millis(10));
        member.poll(Duration::from_millis(10));
        assert!(begun.elapsed() < WAIT);
    }
    producer.begin_transaction().unwrap();
    bench.send(&producer, &["c"]);
    let refused = producer.send_offsets_to_transaction(&offsets(11), &generation, WAIT);
    assert_eq!(code(refused), RDKafkaErrorCode::IllegalGeneration);
    producer.abort_transaction(WAIT).unwrap();
    assert_eq!(committed(), Offset::Offset(5));
}
