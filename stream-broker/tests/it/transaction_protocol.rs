//! The codes and fields with which the transaction coordinator answers, on the wire.

use std::time::{Duration, Instant};

use crate::support::transactional::{Bench, Producer};
use crate::support::{records, text, topic_name};
use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestTopic;
use kafka_protocol::messages::{InitProducerIdRequest, ProducerId, TransactionalId};
use kafka_protocol::records::Record;

const UNKNOWN_TOPIC: i16 = 3;
const METADATA_TOO_LARGE: i16 = 12;
const ILLEGAL_GENERATION: i16 = 22;
const UNKNOWN_MEMBER: i16 = 25;
const INVALID_REQUEST: i16 = 42;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const INVALID_TXN_STATE: i16 = 48;
const INVALID_PRODUCER_ID_MAPPING: i16 = 49;
const INVALID_TRANSACTION_TIMEOUT: i16 = 50;
const CONCURRENT_TRANSACTIONS: i16 = 51;
const OPERATION_NOT_ATTEMPTED: i16 = 55;
const UNSTABLE_OFFSET_COMMIT: i16 = 88;
const PRODUCER_FENCED: i16 = 90;

#[test]
fn an_initialization_that_cannot_be_is_refused() {
    let mut bench = Bench::new("tx-init");
    let request = bench.init_request();
    let code = |bench: &mut Bench, request: &InitProducerIdRequest| bench.client.coordinated(4, request, |r| r.error_code).error_code;
    assert_eq!(code(&mut bench, &request.clone().with_transactional_id(Some(TransactionalId(text(""))))), INVALID_REQUEST);
    assert_eq!(code(&mut bench, &request.clone().with_transaction_timeout_ms(0)), INVALID_TRANSACTION_TIMEOUT);
    assert_eq!(code(&mut bench, &request.clone().with_transaction_timeout_ms(900_001)), INVALID_TRANSACTION_TIMEOUT);
    assert_eq!(code(&mut bench, &request.clone().with_producer_id(ProducerId(1))), INVALID_REQUEST, "an id without an epoch");
    assert_eq!(code(&mut bench, &request.clone().with_producer_epoch(1)), INVALID_REQUEST, "an epoch without an id");
    let refused = bench.client.call(4, &request.clone().with_transaction_timeout_ms(0));
    assert_eq!((refused.producer_id.0, refused.producer_epoch), (-1, -1));
    for version in 0..=4 {
        let idempotent = bench.client.coordinated(version, &request.clone().with_transactional_id(None), |r| r.error_code);
        assert_eq!((idempotent.error_code, idempotent.producer_epoch), (0, 0));
    }
}

#[test]
fn every_initialization_fences_the_one_before() {
    let mut bench = Bench::new("tx-epochs");
    let first = bench.init();
    assert_eq!(first.epoch, 0);
    let second = bench.init();
    assert_eq!(second, Producer { id: first.id, epoch: 1 });
    assert_eq!(bench.init_as(4, first).error_code, PRODUCER_FENCED);
    assert_eq!(bench.init_as(3, first).error_code, INVALID_PRODUCER_EPOCH);
    let stranger = Producer { id: first.id + 1_000_000, epoch: 0 };
    assert_eq!(bench.init_as(4, stranger).error_code, PRODUCER_FENCED);
    let third = bench.init_as(4, second);
    assert_eq!((third.error_code, third.producer_id.0, third.producer_epoch), (0, first.id, 2));
    let repeated = bench.init_as(4, second);
    assert_eq!((repeated.error_code, repeated.producer_epoch), (0, 2), "the answer was lost and the client asks again");
}

#[test]
fn a_fenced_or_unknown_producer_is_told_so_in_words_that_its_version_knows() {
    let mut bench = Bench::new("tx-fenced");
    let nobody = Producer { id: 1, epoch: 0 };
    let topic = bench.topic;
    assert_eq!(bench.add_partitions(0, nobody, &[(topic, 0)]), [INVALID_PRODUCER_ID_MAPPING]);
    assert_eq!(bench.add_group(0, nobody), INVALID_PRODUCER_ID_MAPPING);
    assert_eq!(bench.end(0, nobody, true), INVALID_PRODUCER_ID_MAPPING);
    let old = bench.init();
    let current = bench.init();
    let stranger = Producer { id: current.id + 1_000_000, epoch: 1 };
    for version in 0..=3 {
        let fenced = if version < 2 { INVALID_PRODUCER_EPOCH } else { PRODUCER_FENCED };
        assert_eq!(bench.add_partitions(version, old, &[(topic, 0)]), [fenced], "version {version}");
        assert_eq!(bench.add_group(version, old), fenced, "version {version}");
        assert_eq!(bench.end(version, old, true), fenced, "version {version}");
        assert_eq!(bench.add_partitions(version, stranger, &[(topic, 0)]), [INVALID_PRODUCER_ID_MAPPING]);
        assert_eq!(bench.add_group(version, stranger), INVALID_PRODUCER_ID_MAPPING);
        assert_eq!(bench.end(version, stranger, true), INVALID_PRODUCER_ID_MAPPING);
    }
}

#[test]
fn every_version_commits_and_aborts() {
    let mut bench = Bench::new("tx-versions");
    for version in 0..=3 {
        let producer = bench.init();
        for commit in [true, false] {
            assert_eq!(bench.add_partitions(version, producer, &[(bench.topic, 0), (bench.topic, 0)]), [0, 0]);
            assert_eq!(bench.add_group(version, producer), 0);
            assert_eq!(bench.end(version, producer, commit), 0, "version {version}");
            assert_eq!(bench.end(version, producer, commit), 0, "a repeated request succeeds");
            assert_eq!(bench.end(version, producer, !commit), INVALID_TXN_STATE);
        }
    }
    let producer = bench.init();
    assert_eq!(bench.end(1, producer, true), INVALID_TXN_STATE, "there is no transaction");
    assert_eq!(bench.end(1, producer, false), INVALID_TXN_STATE);
}

#[test]
fn partitions_are_added_all_or_none() {
    let mut bench = Bench::new("tx-add");
    let producer = bench.init();
    let topic = bench.topic;
    let codes = bench.add_partitions(3, producer, &[("tx-absent", 0), (topic, 0)]);
    assert_eq!(codes, [UNKNOWN_TOPIC, OPERATION_NOT_ATTEMPTED]);
    assert_eq!(bench.end(1, producer, true), INVALID_TXN_STATE, "nothing has begun");
}

#[test]
fn an_open_transaction_is_aborted_by_the_next_producer_which_has_to_ask_again() {
    let mut bench = Bench::new("tx-takeover");
    let first = bench.init();
    bench.write(first, 0, "lost");
    let request = bench.init_request();
    let answer = bench.client.call(4, &request);
    assert_eq!((answer.error_code, answer.producer_epoch), (CONCURRENT_TRANSACTIONS, -1));
    let second = bench.init();
    assert_eq!(second, Producer { id: first.id, epoch: 2 }, "one epoch fences the old producer, the next is for the new one");
    assert_eq!(bench.produce(first, 1, "late"), INVALID_PRODUCER_EPOCH);
    assert_eq!(bench.end(1, first, true), INVALID_PRODUCER_EPOCH);
    let read = bench.client.fetch(bench.topic, 0, 0);
    let all = records(&read);
    let control: Vec<&Record> = all.iter().filter(|r| r.control).collect();
    assert_eq!((all.len(), control.len()), (2, 1));
    assert_eq!((control[0].producer_id, control[0].producer_epoch), (first.id, 1));
    let read = bench.client.fetch_committed(bench.topic, 0, 0);
    let aborted = read.aborted_transactions.unwrap_or_default();
    assert_eq!((aborted.len(), aborted[0].producer_id.0, aborted[0].first_offset), (1, first.id, 0));
}

#[test]
fn a_producer_may_bump_its_epoch_in_a_transaction_and_loses_only_that() {
    let mut bench = Bench::new("tx-bump");
    let producer = bench.init();
    bench.write(producer, 0, "lost");
    let request = bench.init_request().with_producer_id(ProducerId(producer.id)).with_producer_epoch(producer.epoch);
    assert_eq!(bench.client.call(4, &request).error_code, CONCURRENT_TRANSACTIONS);
    let bumped = bench.init_as(4, producer);
    assert_eq!((bumped.error_code, bumped.producer_id.0, bumped.producer_epoch), (0, producer.id, 1));
    let bumped = Producer { id: producer.id, epoch: 1 };
    bench.write(bumped, 0, "kept");
    assert_eq!(bench.end(1, bumped, true), 0);
}

/// Kafka checks the epoch only when the id is at rest. What the outdated producer does costs a transaction, but brings it nothing.
#[test]
fn an_outdated_producer_that_names_itself_ends_an_open_transaction_but_stays_fenced() {
    let mut bench = Bench::new("tx-outdated");
    let old = bench.init();
    let current = bench.init();
    bench.write(current, 0, "lost");
    let request = bench.init_request().with_producer_id(ProducerId(old.id)).with_producer_epoch(old.epoch);
    assert_eq!(bench.client.call(4, &request).error_code, CONCURRENT_TRANSACTIONS);
    assert_eq!(bench.init_as(4, old).error_code, PRODUCER_FENCED);
    assert_eq!(bench.end(2, current, true), PRODUCER_FENCED);
    let bumped = bench.init_as(4, current);
    assert_eq!((bumped.error_code, bumped.producer_epoch), (0, 2));
}

#[test]
fn a_transaction_over_its_timeout_is_aborted_and_its_producer_has_to_begin_anew() {
    let mut bench = Bench::new("tx-timeout");
    // Apache Kafka looks every ten seconds.
    let request = bench.init_request().with_transaction_timeout_ms(200);
    let ready = bench.client.coordinated(4, &request, |r| r.error_code);
    let producer = Producer { id: ready.producer_id.0, epoch: ready.producer_epoch };
    bench.write(producer, 0, "hung");
    let begun = Instant::now();
    while bench.client.fetch(bench.topic, 0, 0).last_stable_offset != 2 {
        assert!(begun.elapsed() < Duration::from_secs(25));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(bench.end(1, producer, true), INVALID_PRODUCER_EPOCH);
    assert_eq!(bench.end(2, producer, true), PRODUCER_FENCED);
    assert_eq!(bench.produce(producer, 1, "late"), INVALID_PRODUCER_EPOCH);
    let revived = bench.init_as(4, producer);
    assert_eq!((revived.error_code, revived.producer_epoch), (0, 1), "nobody has taken its place");
    assert_eq!(bench.init(), Producer { id: producer.id, epoch: 2 });
    assert_eq!(bench.init_as(4, producer).error_code, PRODUCER_FENCED);
}

#[test]
fn offsets_of_a_transaction_are_unstable_until_it_ends() {
    let mut bench = Bench::new("tx-offsets");
    let producer = bench.init();
    for version in 0..=3 {
        let offset = i64::from(version) + 1;
        assert_eq!(bench.add_group(0, producer), 0);
        let request = bench.offset_request(producer, offset);
        assert_eq!(bench.commit_offsets(version, &request), 0, "version {version}");
        let before = if version == 0 { -1 } else { offset - 1 };
        assert_eq!(bench.committed(false), (before, 0));
        assert_eq!(bench.committed(true), (-1, UNSTABLE_OFFSET_COMMIT));
        assert_eq!(bench.end(1, producer, true), 0);
        bench.await_committed(offset);
    }
    assert_eq!(bench.add_group(0, producer), 0);
    let request = bench.offset_request(producer, 100);
    assert_eq!(bench.commit_offsets(3, &request), 0);
    assert_eq!(bench.end(1, producer, false), 0);
    bench.await_committed(4);
}

#[test]
fn a_transactional_commit_is_checked_for_its_producer_and_its_member() {
    let mut bench = Bench::new("tx-commit-checks");
    let old = bench.init();
    let producer = bench.init();
    let request = bench.offset_request(producer, 1);
    assert_eq!(bench.commit_offsets(3, &request), INVALID_TXN_STATE, "the group was not added");
    assert_eq!(bench.add_group(0, producer), 0);
    let fenced = bench.offset_request(old, 1);
    assert_eq!(bench.commit_offsets(3, &fenced), INVALID_PRODUCER_EPOCH);
    let stranger = bench.offset_request(Producer { id: producer.id + 1_000_000, epoch: 0 }, 1);
    assert_eq!(bench.commit_offsets(3, &stranger), INVALID_PRODUCER_ID_MAPPING);
    let member = request.clone().with_generation_id(3).with_member_id(text("nobody"));
    assert_eq!(bench.commit_offsets(3, &member), ILLEGAL_GENERATION, "the group does not exist");
    assert_eq!(bench.commit_offsets(3, &request), 0, "who does not name a member is not checked for one");
    assert_eq!(bench.commit_offsets(3, &member), UNKNOWN_MEMBER);
    let mut partial = request.clone();
    let template = partial.topics[0].partitions[0].clone();
    partial.topics[0].partitions.push(template.clone().with_partition_index(1).with_committed_metadata(Some(text(&"x".repeat(4097)))));
    partial.topics.push(TxnOffsetCommitRequestTopic::default().with_name(topic_name("tx-absent")).with_partitions(vec![template]));
    let response = bench.client.call(3, &partial);
    let code = |topic: &str, index: usize| {
        let found = response.topics.iter().find(|t| t.name == topic_name(topic)).unwrap();
        found.partitions[index].error_code
    };
    assert_eq!((code(bench.topic, 0), code(bench.topic, 1)), (0, METADATA_TOO_LARGE));
    assert_eq!(code("tx-absent", 0), UNKNOWN_TOPIC);
}

#[test]
fn a_producer_that_has_used_up_its_epochs_goes_on_with_a_new_id() {
    let mut bench = Bench::new("tx-exhaustion");
    if !bench.target.is_embedded() {
        // 32,766 writes to a replicated log: too long for a test. The same rule is tested with a hand-moved clock.
        return;
    }
    let request = bench.init_request();
    let first = bench.init();
    let mut last = first;
    while last.id == first.id {
        let ready = bench.client.call(4, &request);
        assert_eq!(ready.error_code, 0);
        assert!(ready.producer_id.0 != first.id || ready.producer_epoch > last.epoch);
        last = Producer { id: ready.producer_id.0, epoch: ready.producer_epoch };
    }
    assert_eq!(last.epoch, 0);
    bench.write(last, 0, "new");
    assert_eq!(bench.end(1, last, true), 0);
    assert_eq!(bench.end(1, first, true), INVALID_PRODUCER_ID_MAPPING);
}
