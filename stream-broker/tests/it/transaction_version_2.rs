//! Transactions as clients of `transaction.version` 2 have them (KIP-890): every end is a new epoch, writing adds partitions.

use crate::support::transactional::{Bench, Producer};
use crate::support::{Batch, Client, Target, produce_request, records, text, topic_name};
use kafka_protocol::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, ApiVersionsRequest, DescribeTransactionsRequest, EndTxnRequest, EndTxnResponse, ProducerId,
};
use kafka_protocol::records::Record;

const OUT_OF_ORDER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const INVALID_TXN_STATE: i16 = 48;
const INVALID_PRODUCER_ID_MAPPING: i16 = 49;
const PRODUCER_FENCED: i16 = 90;
const TRANSACTION_ABORTABLE: i16 = 120;

fn produce(bench: &mut Bench, producer: Producer, sequence: i32, value: &str) -> i16 {
    let batch = Batch::of([value]).by(producer.id, producer.epoch, sequence).transactional();
    let request = produce_request(bench.topic, 0, batch.encode(), -1).with_transactional_id(Some(bench.id.clone()));
    // A cluster carries out the end of the last transaction after it has answered.
    for _ in 0..200 {
        let code = bench.client.call(12, &request).responses[0].partition_responses[0].error_code;
        if code != 51 {
            return code;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("the last transaction does not end");
}

fn end(bench: &mut Bench, producer: Producer, commit: bool) -> EndTxnResponse {
    let request = EndTxnRequest::default()
        .with_transactional_id(bench.id.clone())
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_committed(commit);
    bench.client.coordinated(5, &request, |r| r.error_code)
}

/// Ends the transaction; the producer of the next.
fn ended(bench: &mut Bench, producer: Producer, commit: bool) -> Producer {
    let answer = end(bench, producer, commit);
    assert_eq!(answer.error_code, 0);
    Producer { id: answer.producer_id.0, epoch: answer.producer_epoch }
}

fn log(bench: &mut Bench) -> Vec<Record> {
    let data = bench.client.fetch(bench.topic, 0, 0);
    records(&data)
}

fn state(bench: &mut Bench) -> (String, Vec<(String, Vec<i32>)>) {
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![bench.id.clone()]);
    let described = bench.client.call(0, &request).transaction_states.remove(0);
    let topics = described.topics.into_iter().map(|topic| (topic.topic.0.to_string(), topic.partitions)).collect();
    (described.transaction_state.to_string(), topics)
}

#[test]
fn the_version_is_announced_as_a_feature() {
    let target = Target::new();
    let mut client = Client::connect(target.address());
    let request = ApiVersionsRequest::default().with_client_software_name(text("test")).with_client_software_version(text("1"));
    for (version, supported) in [(3, None), (4, Some((0, 2)))] {
        let answer = client.call(version, &request);
        let range = |name: &str| answer.supported_features.iter().find(|f| f.name.as_str() == name).map(|f| (f.min_version, f.max_version));
        assert_eq!(range("transaction.version"), supported, "older clients do not know levels that begin with 0");
        let level = |name: &str| answer.finalized_features.iter().find(|f| f.name.as_str() == name).map(|f| f.max_version_level);
        assert_eq!((level("transaction.version"), level("group.version")), (Some(2), Some(1)));
        assert!(answer.finalized_features_epoch >= 0);
    }
}

#[test]
fn writing_begins_the_transaction_and_every_end_is_a_new_epoch() {
    let mut bench = Bench::new("tv2-epochs");
    let first = bench.init();
    assert_eq!(produce(&mut bench, first, 0, "a"), 0);
    assert_eq!(state(&mut bench), ("Ongoing".to_owned(), vec![(bench.topic.to_owned(), vec![0])]));
    let second = ended(&mut bench, first, true);
    assert_eq!(second, Producer { id: first.id, epoch: first.epoch + 1 });
    assert_eq!(produce(&mut bench, second, 0, "b"), 0);
    let third = ended(&mut bench, second, false);
    assert_eq!(third.epoch, second.epoch + 1);
    assert_eq!(produce(&mut bench, third, 0, "c"), 0);
    ended(&mut bench, third, true);
    let epochs: Vec<(bool, i16)> = log(&mut bench).iter().map(|r| (r.control, r.producer_epoch)).collect();
    assert_eq!(epochs[..4], [(false, 0), (true, 1), (false, 1), (true, 2)], "markers carry the epoch of the next transaction");
}

#[test]
fn a_batch_of_the_transaction_before_does_not_get_into_the_next() {
    let mut bench = Bench::new("tv2-late");
    let first = bench.init();
    assert_eq!(produce(&mut bench, first, 0, "a"), 0);
    let second = ended(&mut bench, first, true);
    assert_eq!(produce(&mut bench, second, 0, "b"), 0);
    assert_eq!(produce(&mut bench, first, 1, "late"), INVALID_PRODUCER_EPOCH);
    assert_eq!(end(&mut bench, first, true).error_code, PRODUCER_FENCED);
    let stranger = Producer { id: first.id + 1_000_000, epoch: 0 };
    assert_eq!(produce(&mut bench, stranger, 0, "x"), INVALID_PRODUCER_ID_MAPPING);
    assert_eq!(end(&mut bench, stranger, true).error_code, INVALID_PRODUCER_ID_MAPPING);
    let refused = end(&mut bench, first, true);
    assert_eq!((refused.producer_id.0, refused.producer_epoch), (-1, -1));
}

#[test]
fn an_end_whose_answer_was_lost_is_answered_again() {
    let mut bench = Bench::new("tv2-repeat");
    let first = bench.init();
    assert_eq!(produce(&mut bench, first, 0, "a"), 0);
    let second = ended(&mut bench, first, true);
    assert_eq!(ended(&mut bench, first, true), second);
    assert_eq!(end(&mut bench, first, false).error_code, INVALID_TXN_STATE, "it was committed");
    assert_eq!(produce(&mut bench, second, 0, "b"), 0);
    let third = ended(&mut bench, second, false);
    assert_eq!(ended(&mut bench, second, false), third);
    assert_eq!(end(&mut bench, second, true).error_code, INVALID_TXN_STATE, "it was aborted");
}

#[test]
fn what_has_not_begun_may_be_aborted_but_not_committed() {
    let mut bench = Bench::new("tv2-empty");
    let first = bench.init();
    assert_eq!(end(&mut bench, first, true).error_code, INVALID_TXN_STATE);
    let second = ended(&mut bench, first, false);
    assert_eq!(second.epoch, first.epoch + 1);
    assert_eq!(end(&mut bench, second, true).error_code, INVALID_TXN_STATE);
    let third = ended(&mut bench, second, false);
    assert_eq!(third.epoch, second.epoch + 1);
    assert_eq!(produce(&mut bench, third, 0, "a"), 0);
    let fourth = ended(&mut bench, third, true);
    assert_eq!(end(&mut bench, fourth, true).error_code, INVALID_TXN_STATE);
    assert_eq!(ended(&mut bench, fourth, false).epoch, fourth.epoch + 1);
    let control = log(&mut bench).iter().filter(|r| r.control).count();
    assert_eq!(control, 1, "an empty transaction leaves no marker");
}

#[test]
fn a_first_batch_that_is_not_the_first_has_lost_others() {
    let mut bench = Bench::new("tv2-sequence");
    let producer = bench.init();
    assert_eq!(produce(&mut bench, producer, 5, "a"), OUT_OF_ORDER);
    assert_eq!(produce(&mut bench, producer, 0, "a"), 0);
}

#[test]
fn offsets_are_committed_without_announcing_their_group() {
    let mut bench = Bench::new("tv2-offsets");
    let first = bench.init();
    let request = bench.offset_request(first, 7);
    assert_eq!(bench.commit_offsets(4, &request), TRANSACTION_ABORTABLE, "a client of version 1 has to add the group");
    assert_eq!(bench.commit_offsets(5, &request), 0);
    let (name, topics) = state(&mut bench);
    assert_eq!((name.as_str(), topics[0].0.as_str()), ("Ongoing", "__consumer_offsets"));
    assert_eq!(bench.committed(true).1, 88);
    let second = ended(&mut bench, first, true);
    bench.await_committed(7);
    let late = bench.offset_request(first, 9);
    assert_eq!(bench.commit_offsets(5, &late), INVALID_PRODUCER_EPOCH);
    let request = bench.offset_request(second, 8);
    assert_eq!(bench.commit_offsets(5, &request), 0);
    ended(&mut bench, second, false);
    bench.await_committed(7);
}

#[test]
fn brokers_add_and_verify_partitions_for_several_transactions() {
    let mut bench = Bench::new("tv2-batch");
    let producer = bench.init();
    let transaction = |bench: &Bench, producer: Producer, partition: i32, verify_only: bool| {
        AddPartitionsToTxnTransaction::default()
            .with_transactional_id(bench.id.clone())
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_verify_only(verify_only)
            .with_topics(vec![AddPartitionsToTxnTopic::default().with_name(topic_name(bench.topic)).with_partitions(vec![partition])])
    };
    let code = |bench: &mut Bench, transaction| {
        let request = AddPartitionsToTxnRequest::default().with_transactions(vec![transaction]);
        let first = |r: &kafka_protocol::messages::AddPartitionsToTxnResponse| {
            r.results_by_transaction[0].topic_results[0].results_by_partition[0].partition_error_code
        };
        first(&bench.client.coordinated(5, &request, first))
    };
    let verify = transaction(&bench, producer, 1, true);
    assert_eq!(code(&mut bench, verify.clone()), TRANSACTION_ABORTABLE);
    let add = transaction(&bench, producer, 1, false);
    assert_eq!(code(&mut bench, add), 0);
    assert_eq!(code(&mut bench, verify), 0);
    let unknown = transaction(&bench, producer, 9, false);
    assert_eq!(code(&mut bench, unknown), 3);
    let stranger = transaction(&bench, Producer { id: producer.id, epoch: 9 }, 1, true);
    assert_eq!(code(&mut bench, stranger), PRODUCER_FENCED);
}

#[test]
fn a_client_of_version_one_shares_the_broker_with_one_of_version_two() {
    let mut bench = Bench::new("tv2-mixed");
    let first = bench.init();
    bench.write(first, 0, "old");
    assert_eq!(bench.end(3, first, true), 0);
    assert_eq!(bench.add_partitions(3, first, &[(bench.topic, 0)]), [0], "its epoch is the same");
    assert_eq!(bench.produce(first, 1, "old"), 0);
    assert_eq!(bench.end(3, first, true), 0);
    // The program is replaced by one with a newer client.
    let second = bench.init();
    assert_eq!(second.epoch, first.epoch + 1);
    assert_eq!(produce(&mut bench, second, 0, "new"), 0);
    assert_eq!(ended(&mut bench, second, true).epoch, second.epoch + 1);
}

#[test]
fn the_next_producer_takes_over_in_the_middle_of_a_transaction() {
    let mut bench = Bench::new("tv2-takeover");
    let first = bench.init();
    assert_eq!(produce(&mut bench, first, 0, "a"), 0);
    let second = bench.init();
    assert_eq!(second, Producer { id: first.id, epoch: first.epoch + 2 });
    assert_eq!(produce(&mut bench, first, 1, "b"), INVALID_PRODUCER_EPOCH);
    assert_eq!(end(&mut bench, first, true).error_code, PRODUCER_FENCED);
    assert_eq!(produce(&mut bench, second, 0, "c"), 0);
    ended(&mut bench, second, true);
}
