use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DeleteTopicsRequest, EndTxnRequest, GroupId, InitProducerIdRequest,
    OffsetFetchRequest, ProduceRequest, ProducerId, TopicName, TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

use super::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Producer};
use crate::core::CoreConfig;
use crate::harness::{Harness, body, text};

const TIMEOUT_MS: i32 = 10_000;

const UNKNOWN_TOPIC: i16 = 3;
const ILLEGAL_GENERATION: i16 = 22;
const UNKNOWN_MEMBER: i16 = 25;
const INVALID_EPOCH: i16 = 47;
const INVALID_STATE: i16 = 48;
const INVALID_MAPPING: i16 = 49;
const INVALID_TIMEOUT: i16 = 50;
const CONCURRENT: i16 = 51;
const NOT_ATTEMPTED: i16 = 55;
const UNSTABLE: i16 = 88;
const FENCED: i16 = 90;

fn broker() -> Harness {
    let mut broker = Harness::new(CoreConfig::default());
    broker.create_topic("t", 2);
    broker
}

fn id() -> TransactionalId {
    TransactionalId(text("id"))
}

fn try_init(broker: &mut Harness, version: i16, timeout_ms: i32, expected: Option<Producer>) -> Result<Producer, i16> {
    let expected = expected.unwrap_or(Producer { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH });
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(id()))
        .with_transaction_timeout_ms(timeout_ms)
        .with_producer_id(ProducerId(expected.id))
        .with_producer_epoch(expected.epoch);
    let response = body!(InitProducerId, broker.call(version, request));
    match response.error_code {
        0 => Ok(Producer { id: response.producer_id.0, epoch: response.producer_epoch }),
        code => Err(code),
    }
}

fn init(broker: &mut Harness) -> Producer {
    try_init(broker, 4, TIMEOUT_MS, None).unwrap()
}

fn add(broker: &mut Harness, producer: Producer, partitions: &[i32]) -> Vec<i16> {
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id())
        .with_v3_and_below_producer_id(ProducerId(producer.id))
        .with_v3_and_below_producer_epoch(producer.epoch)
        .with_v3_and_below_topics(vec![
            AddPartitionsToTxnTopic::default().with_name(TopicName(text("t"))).with_partitions(partitions.to_vec()),
        ]);
    body!(AddPartitionsToTxn, broker.call(3, request)).results_by_topic_v3_and_below[0]
        .results_by_partition
        .iter()
        .map(|p| p.partition_error_code)
        .collect()
}

fn produce(broker: &mut Harness, producer: Producer, partition: i32, sequence: i32) -> i16 {
    let record = Record {
        transactional: true,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence,
        timestamp: broker.now,
        key: None,
        value: Some(Bytes::from_static(b"v")),
        headers: Default::default(),
    };
    let mut records = bytes::BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut records, [&record], &options).unwrap();
    let request = ProduceRequest::default().with_acks(-1).with_transactional_id(Some(id())).with_topic_data(vec![
        TopicProduceData::default()
            .with_name(TopicName(text("t")))
            .with_partition_data(vec![PartitionProduceData::default().with_index(partition).with_records(Some(records.freeze()))]),
    ]);
    body!(Produce, broker.call(9, request)).responses[0].partition_responses[0].error_code
}

fn end(broker: &mut Harness, version: i16, producer: Producer, commit: bool) -> i16 {
    let request = EndTxnRequest::default()
        .with_transactional_id(id())
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_committed(commit);
    body!(EndTxn, broker.call(version, request)).error_code
}

/// Stable end, end, and number of aborted transactions of partition 0.
fn partition(broker: &Harness) -> (i64, i64, usize) {
    let partition = broker.core.topics.partition("t", 0).unwrap();
    (partition.last_stable_offset(), partition.log.end_offset(), partition.aborted.between(0, i64::MAX).count())
}

fn add_group(broker: &mut Harness, producer: Producer) -> i16 {
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(id())
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_group_id(GroupId(text("g")));
    body!(AddOffsetsToTxn, broker.call(3, request)).error_code
}

fn commit_offset(broker: &mut Harness, producer: Producer, member: (&str, i32), offset: i64) -> i16 {
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(id())
        .with_group_id(GroupId(text("g")))
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_member_id(text(member.0))
        .with_generation_id(member.1)
        .with_topics(vec![
            TxnOffsetCommitRequestTopic::default()
                .with_name(TopicName(text("t")))
                .with_partitions(vec![TxnOffsetCommitRequestPartition::default().with_committed_offset(offset)]),
        ]);
    body!(TxnOffsetCommit, broker.call(3, request)).topics[0].partitions[0].error_code
}

/// The committed offset of partition 0, or the error code.
fn offset(broker: &mut Harness, stable: bool) -> Result<i64, i16> {
    let request = OffsetFetchRequest::default().with_require_stable(stable).with_groups(vec![
        OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(text("g")))
            .with_topics(Some(vec![OffsetFetchRequestTopics::default().with_name(TopicName(text("t"))).with_partition_indexes(vec![0])])),
    ]);
    let partition = body!(OffsetFetch, broker.call(8, request)).groups[0].topics[0].partitions[0].clone();
    match partition.error_code {
        0 => Ok(partition.committed_offset),
        code => Err(code),
    }
}

#[test]
fn a_transaction_is_seen_when_it_is_committed_and_not_before() {
    let mut broker = broker();
    let producer = init(&mut broker);
    assert_eq!(add(&mut broker, producer, &[0]), [0]);
    assert_eq!(produce(&mut broker, producer, 0, 0), 0);
    assert_eq!(produce(&mut broker, producer, 1, 0), INVALID_STATE);
    assert_eq!(partition(&broker), (0, 1, 0));
    assert_eq!(end(&mut broker, 3, producer, true), 0);
    assert_eq!(partition(&broker), (2, 2, 0));
    // The next one: partitions have to be added anew.
    assert_eq!(produce(&mut broker, producer, 0, 1), INVALID_STATE);
    add(&mut broker, producer, &[0]);
    assert_eq!(produce(&mut broker, producer, 0, 1), 0);
    assert_eq!(end(&mut broker, 3, producer, false), 0);
    assert_eq!(partition(&broker), (4, 4, 1));
}

#[test]
fn a_repeated_end_succeeds_and_a_contrary_one_does_not() {
    let mut broker = broker();
    let producer = init(&mut broker);
    assert_eq!(end(&mut broker, 3, producer, true), INVALID_STATE);
    add(&mut broker, producer, &[0]);
    assert_eq!(end(&mut broker, 3, producer, true), 0);
    assert_eq!(end(&mut broker, 3, producer, true), 0);
    assert_eq!(partition(&broker).1, 1, "one marker");
    assert_eq!(end(&mut broker, 3, producer, false), INVALID_STATE);
}

#[test]
fn a_new_producer_aborts_the_transaction_of_the_old_one_and_fences_it() {
    let mut broker = broker();
    let old = init(&mut broker);
    add(&mut broker, old, &[0]);
    produce(&mut broker, old, 0, 0);
    assert_eq!(try_init(&mut broker, 4, TIMEOUT_MS, None), Err(CONCURRENT));
    assert_eq!(partition(&broker), (2, 2, 1));
    let new = init(&mut broker);
    assert_eq!(new.id, old.id);
    assert!(new.epoch > old.epoch);
    assert_eq!(produce(&mut broker, old, 0, 1), INVALID_EPOCH);
    assert_eq!(add(&mut broker, old, &[0]), [FENCED]);
    assert_eq!(end(&mut broker, 3, old, true), FENCED);
    assert_eq!(end(&mut broker, 1, old, true), INVALID_EPOCH);
    add(&mut broker, new, &[0]);
    assert_eq!(produce(&mut broker, new, 0, 0), 0);
    assert_eq!(end(&mut broker, 3, new, true), 0);
}

#[test]
fn a_transaction_that_is_open_too_long_is_aborted_and_its_producer_fenced() {
    let mut broker = broker();
    let producer = init(&mut broker);
    broker.pass(60_000);
    add(&mut broker, producer, &[0]);
    produce(&mut broker, producer, 0, 0);
    broker.pass(i64::from(TIMEOUT_MS) - 1);
    assert_eq!(partition(&broker), (0, 1, 0));
    broker.pass(1);
    assert_eq!(partition(&broker), (2, 2, 1));
    assert_eq!(produce(&mut broker, producer, 0, 1), INVALID_EPOCH);
    assert_eq!(end(&mut broker, 3, producer, true), FENCED);
    let next = init(&mut broker);
    assert_eq!(try_init(&mut broker, 4, TIMEOUT_MS, Some(producer)), Err(FENCED));
    add(&mut broker, next, &[0]);
    assert_eq!(produce(&mut broker, next, 0, 0), 0);
}

#[test]
fn a_producer_whose_transaction_timed_out_may_go_on_if_nobody_took_its_place() {
    let mut broker = broker();
    let hung = init(&mut broker);
    add(&mut broker, hung, &[0]);
    produce(&mut broker, hung, 0, 0);
    broker.pass(i64::from(TIMEOUT_MS));
    let revived = try_init(&mut broker, 4, TIMEOUT_MS, Some(hung)).unwrap();
    assert_eq!(revived, Producer { id: hung.id, epoch: hung.epoch + 1 });
    add(&mut broker, revived, &[0]);
    assert_eq!(produce(&mut broker, revived, 0, 0), 0);
    assert_eq!(end(&mut broker, 3, revived, true), 0);
    // The aborted record and its marker, the committed record and its marker.
    assert_eq!(partition(&broker), (4, 4, 1));
}

#[test]
fn a_producer_that_bumps_its_epoch_in_a_transaction_loses_the_transaction_only() {
    let mut broker = broker();
    let producer = init(&mut broker);
    add(&mut broker, producer, &[0]);
    produce(&mut broker, producer, 0, 0);
    assert_eq!(try_init(&mut broker, 4, TIMEOUT_MS, Some(producer)), Err(CONCURRENT));
    assert_eq!(partition(&broker), (2, 2, 1));
    let bumped = try_init(&mut broker, 4, TIMEOUT_MS, Some(producer)).unwrap();
    assert_eq!(bumped, Producer { id: producer.id, epoch: producer.epoch + 1 });
    assert_eq!(add(&mut broker, bumped, &[0]), [0]);
}

#[test]
fn a_committed_transaction_does_not_time_out() {
    let mut broker = broker();
    let producer = init(&mut broker);
    add(&mut broker, producer, &[0]);
    end(&mut broker, 3, producer, true);
    broker.pass(i64::from(TIMEOUT_MS) * 3);
    assert_eq!(partition(&broker), (1, 1, 0));
    assert_eq!(add(&mut broker, producer, &[0]), [0]);
}

#[test]
fn a_producer_that_names_itself_gets_the_next_epoch_and_an_outdated_one_nothing() {
    let mut broker = broker();
    let first = init(&mut broker);
    let second = try_init(&mut broker, 4, TIMEOUT_MS, Some(first)).unwrap();
    assert_eq!((second.id, second.epoch), (first.id, first.epoch + 1));
    // The answer was lost: asking again gives the same.
    assert_eq!(try_init(&mut broker, 4, TIMEOUT_MS, Some(first)), Ok(second));
    let third = init(&mut broker);
    for outdated in [first, second] {
        let expected = Some(outdated);
        assert_eq!(try_init(&mut broker, 4, TIMEOUT_MS, expected), Err(FENCED));
        assert_eq!(try_init(&mut broker, 3, TIMEOUT_MS, expected), Err(INVALID_EPOCH));
    }
    assert_eq!(add(&mut broker, third, &[0]), [0]);
}

#[test]
fn a_producer_whose_epochs_are_used_up_gets_a_new_id() {
    let mut broker = broker();
    let mut producer = init(&mut broker);
    let first_id = producer.id;
    let mut last_epoch = producer.epoch;
    for _ in 0..40_000 {
        producer = init(&mut broker);
        if producer.id != first_id {
            break;
        }
        assert_eq!(producer.epoch, last_epoch + 1);
        last_epoch = producer.epoch;
    }
    assert_ne!(producer.id, first_id);
    assert_eq!((producer.epoch, last_epoch), (0, i16::MAX - 1));
    let exhausted = Producer { id: first_id, epoch: last_epoch };
    assert_eq!(add(&mut broker, exhausted, &[0]), [INVALID_MAPPING]);
    add(&mut broker, producer, &[0]);
    assert_eq!(produce(&mut broker, producer, 0, 0), 0);
}

#[test]
fn a_producer_fenced_at_its_last_epoch_goes_on_with_a_new_id_and_may_ask_for_it_twice() {
    let mut broker = broker();
    let mut producer = init(&mut broker);
    while producer.epoch < i16::MAX - 1 {
        producer = init(&mut broker);
    }
    add(&mut broker, producer, &[0]);
    assert_eq!(try_init(&mut broker, 4, TIMEOUT_MS, Some(producer)), Err(CONCURRENT));
    let rotated = try_init(&mut broker, 4, TIMEOUT_MS, Some(producer)).unwrap();
    assert_ne!(rotated.id, producer.id);
    assert_eq!(rotated.epoch, 0);
    assert_eq!(try_init(&mut broker, 4, TIMEOUT_MS, Some(producer)), Ok(rotated));
    assert_eq!(add(&mut broker, rotated, &[0]), [0]);
}

#[test]
fn the_end_at_the_last_epoch_brings_a_new_producer_id_and_is_answered_again() {
    let mut broker = broker();
    let first = init(&mut broker);
    let mut end = |producer: Producer| {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text("id")))
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch);
        let answer = body!(EndTxn, broker.call(5, request));
        assert_eq!(answer.error_code, 0);
        Producer { id: answer.producer_id.0, epoch: answer.producer_epoch }
    };
    let mut producer = first;
    while producer.epoch < i16::MAX - 1 {
        let next = end(producer);
        assert_eq!(next, Producer { id: first.id, epoch: producer.epoch + 1 });
        producer = next;
    }
    let rotated = end(producer);
    assert!(rotated.id != first.id && rotated.epoch == 0);
    assert_eq!(end(producer), rotated);
    assert_eq!(end(rotated), Producer { id: rotated.id, epoch: 1 });
    add(&mut broker, Producer { id: rotated.id, epoch: 1 }, &[0]);
    assert_eq!(produce(&mut broker, Producer { id: rotated.id, epoch: 1 }, 0, 0), 0);
}

#[test]
fn timeouts_beyond_the_configured_one_are_refused() {
    let mut broker = broker();
    for timeout in [0, -1, 900_001] {
        let refused = try_init(&mut broker, 4, timeout, None);
        assert_eq!(refused, Err(INVALID_TIMEOUT), "{timeout}");
    }
}

#[test]
fn partitions_are_added_all_or_none() {
    let mut broker = broker();
    let producer = init(&mut broker);
    assert_eq!(add(&mut broker, producer, &[0, 9]), [NOT_ATTEMPTED, UNKNOWN_TOPIC]);
    assert_eq!(produce(&mut broker, producer, 0, 0), INVALID_STATE);
    let stranger = Producer { id: 77, epoch: 0 };
    assert_eq!(add(&mut broker, stranger, &[0]), [INVALID_MAPPING]);
}

#[test]
fn offsets_of_a_transaction_take_effect_with_its_commit() {
    let mut broker = broker();
    let producer = init(&mut broker);
    let nobody = ("", -1);
    assert_eq!(commit_offset(&mut broker, producer, nobody, 5), INVALID_STATE);
    assert_eq!(add_group(&mut broker, producer), 0);
    assert_eq!(commit_offset(&mut broker, producer, nobody, 5), 0);
    assert_eq!(offset(&mut broker, false), Ok(-1));
    assert_eq!(offset(&mut broker, true), Err(UNSTABLE));
    assert_eq!(end(&mut broker, 3, producer, true), 0);
    assert_eq!(offset(&mut broker, true), Ok(5));

    add_group(&mut broker, producer);
    commit_offset(&mut broker, producer, nobody, 9);
    assert_eq!(end(&mut broker, 3, producer, false), 0);
    assert_eq!(offset(&mut broker, true), Ok(5));

    add_group(&mut broker, producer);
    commit_offset(&mut broker, producer, nobody, 11);
    broker.pass(i64::from(TIMEOUT_MS));
    assert_eq!(offset(&mut broker, true), Ok(5), "the transaction timed out");
}

#[test]
fn offsets_for_a_member_or_generation_that_is_gone_are_refused() {
    let mut broker = broker();
    let producer = init(&mut broker);
    add_group(&mut broker, producer);
    let stale = ("gone", 3);
    assert_eq!(commit_offset(&mut broker, producer, stale, 5), ILLEGAL_GENERATION);
    // The group exists, the member does not.
    commit_offset(&mut broker, producer, ("", -1), 5);
    assert_eq!(end(&mut broker, 3, producer, true), 0);
    add_group(&mut broker, producer);
    assert_eq!(commit_offset(&mut broker, producer, stale, 6), UNKNOWN_MEMBER);
}

#[test]
fn a_marker_that_comes_late_does_not_undo_a_younger_commit() {
    let mut broker = broker();
    let producer = init(&mut broker);
    add_group(&mut broker, producer);
    commit_offset(&mut broker, producer, ("", -1), 5);
    let committer = crate::group::Committer { generation: -1, member_id: &text(""), instance_id: None };
    let now = broker.now;
    broker.core.groups.accept_commit(&text("g"), &committer, 8, now).unwrap();
    let (leader_epoch, metadata) = (-1, text(""));
    let younger = crate::group::CommittedOffset { offset: 8, leader_epoch, metadata, committed_at: now, expires_at: None, position: 0 };
    crate::group::commit(&mut broker.core, &text("g"), vec![("t".to_owned(), 0, younger)], None, now).unwrap();
    end(&mut broker, 3, producer, true);
    assert_eq!(offset(&mut broker, true), Ok(8));
}

#[test]
fn an_id_that_nobody_uses_is_forgotten() {
    let mut broker = Harness::new(CoreConfig { transactional_id_expiration_ms: 7_200_000, ..CoreConfig::default() });
    broker.create_topic("t", 2);
    let producer = init(&mut broker);
    broker.pass(3_600_000);
    assert_eq!(add(&mut broker, producer, &[0]), [0]);
    end(&mut broker, 3, producer, true);
    broker.pass(4_000_000);
    assert_eq!(add(&mut broker, producer, &[0]), [0], "it was used");
    end(&mut broker, 3, producer, true);
    broker.pass(7_200_000 + 3_600_000);
    assert_eq!(add(&mut broker, producer, &[0]), [INVALID_MAPPING]);
}

#[test]
fn a_transaction_ends_although_one_of_its_topics_was_deleted() {
    let mut broker = broker();
    let producer = init(&mut broker);
    add(&mut broker, producer, &[0]);
    add_group(&mut broker, producer);
    commit_offset(&mut broker, producer, ("", -1), 5);
    let request = DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text("t"))]);
    body!(DeleteTopics, broker.call(5, request));
    assert_eq!(end(&mut broker, 3, producer, true), 0);
    broker.create_topic("t", 2);
    assert_eq!(offset(&mut broker, true), Ok(-1), "the new topic is another one");
}
