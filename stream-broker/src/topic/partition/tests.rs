use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

use super::*;
use crate::topic::config::TopicDefaults;

fn partition(settings: &[(&str, &str)]) -> Partition {
    let overrides = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let defaults = TopicDefaults { message_max_bytes: 1 << 20, retention_ms: -1, flush_messages: i64::MAX, flush_ms: i64::MAX };
    Partition::new(Arc::new(TopicConfig::new(overrides, defaults).unwrap()), Uuid::nil(), None)
}

/// `count` records of a transactional producer.
fn batch(producer_id: i64, epoch: i16, sequence: i32, count: i32) -> Vec<u8> {
    let records: Vec<Record> = (0..count)
        .map(|index| Record {
            transactional: true,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id,
            producer_epoch: epoch,
            timestamp_type: TimestampType::Creation,
            offset: i64::from(index),
            sequence: sequence + index,
            timestamp: 1_000,
            key: Some(Bytes::from_static(b"key")),
            value: Some(Bytes::from_static(b"value")),
            headers: Default::default(),
        })
        .collect();
    let mut bytes = Vec::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
    bytes
}

fn aborted(partition: &Partition) -> Vec<(i64, i64, i64)> {
    partition.aborted.between(0, i64::MAX).map(|t| (t.producer_id, t.first_offset, t.last_offset)).collect()
}

#[test]
fn the_stable_end_stays_at_the_oldest_open_transaction() {
    let mut partition = partition(&[]);
    partition.append(&batch(1, 0, 0, 3), 1_000).unwrap();
    partition.append(&batch(2, 0, 0, 2), 1_000).unwrap();
    assert_eq!(partition.last_stable_offset(), 0);
    assert!(partition.producers.has_open_transaction(1, 0));
    partition.append_marker(1, 0, true, 0, 1_000).unwrap();
    assert_eq!(partition.last_stable_offset(), 3);
    partition.append(&batch(1, 0, 3, 1), 1_000).unwrap();
    partition.append_marker(2, 0, false, 0, 1_000).unwrap();
    assert_eq!(partition.last_stable_offset(), 6);
    partition.append_marker(1, 0, true, 0, 1_000).unwrap();
    assert_eq!(partition.last_stable_offset(), 9);
    assert_eq!(partition.log.end_offset(), 9);
    assert_eq!(aborted(&partition), [(2, 3, 7)]);
}

#[test]
fn committed_readers_get_nothing_of_an_open_transaction() {
    let mut partition = partition(&[]);
    partition.append(&batch(1, 0, 0, 3), 1_000).unwrap();
    let committed = |p: &Partition| p.read(0, 1 << 20, Isolation::ReadCommitted, true).unwrap().len();
    assert_eq!(committed(&partition), 0);
    assert!(!partition.read(0, 1 << 20, Isolation::ReadUncommitted, true).unwrap().is_empty());
    partition.append_marker(1, 0, true, 0, 1_000).unwrap();
    assert!(committed(&partition) > 0);
}

#[test]
fn a_fencing_marker_aborts_and_shuts_out_the_older_epoch() {
    let mut partition = partition(&[]);
    partition.append(&batch(1, 0, 0, 2), 1_000).unwrap();
    partition.append_marker(1, 1, false, 0, 1_000).unwrap();
    assert_eq!(aborted(&partition), [(1, 0, 2)]);
    let error = partition.append(&batch(1, 0, 2, 1), 1_000).unwrap_err();
    assert_eq!(error.code, ResponseError::InvalidProducerEpoch);
    partition.append(&batch(1, 1, 0, 1), 1_000).unwrap();
}

#[test]
fn a_marker_without_a_transaction_is_written_and_aborts_nothing() {
    let mut partition = partition(&[]);
    partition.append_marker(1, 0, false, 0, 1_000).unwrap();
    assert_eq!(partition.log.end_offset(), 1);
    assert_eq!(aborted(&partition), []);
}

#[test]
fn records_that_lie_about_themselves_are_refused() {
    let mut partition = partition(&[]);
    let good = batch(1, 0, 0, 3);
    let code = |partition: &mut Partition, patch: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        patch(&mut bytes);
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        partition.append(&bytes, 1_000).unwrap_err().code
    };
    let count = |n: i32| {
        move |bytes: &mut Vec<u8>| {
            bytes[57..61].copy_from_slice(&n.to_be_bytes());
            bytes[23..27].copy_from_slice(&(n - 1).to_be_bytes());
        }
    };
    for n in [-1, 0, 1, 4] {
        assert_eq!(code(&mut partition, &count(n)), ResponseError::InvalidRecord);
    }
    let control: &dyn Fn(&mut Vec<u8>) = &|bytes| bytes[22] |= 0x20;
    assert_eq!(code(&mut partition, control), ResponseError::InvalidRecord);
    let no_sequence: &dyn Fn(&mut Vec<u8>) = &|bytes| bytes[53..57].fill(0xff);
    assert_eq!(code(&mut partition, no_sequence), ResponseError::InvalidRecord);
    let no_producer: &dyn Fn(&mut Vec<u8>) = &|bytes| bytes[43..51].fill(0xff);
    assert_eq!(code(&mut partition, no_producer), ResponseError::InvalidRecord);
    let codec: &dyn Fn(&mut Vec<u8>) = &|bytes| bytes[22] |= 0x07;
    assert_eq!(code(&mut partition, codec), ResponseError::UnsupportedCompressionType);
    assert_eq!(partition.log.end_offset(), 0);
}

#[test]
fn deleting_forgets_aborted_transactions_below_the_start() {
    let mut partition = partition(&[]);
    partition.append(&batch(1, 0, 0, 2), 1_000).unwrap();
    partition.append_marker(1, 0, false, 0, 1_000).unwrap();
    partition.append(&batch(1, 0, 2, 2), 1_000).unwrap();
    partition.append_marker(1, 0, false, 0, 1_000).unwrap();
    assert_eq!(aborted(&partition).len(), 2);
    partition.delete_below(4);
    assert_eq!(aborted(&partition), [(1, 3, 5)]);
    // The stable end is never below the start, even when an open transaction was deleted.
    partition.append(&batch(1, 0, 4, 2), 1_000).unwrap();
    partition.delete_below(partition.log.end_offset());
    assert_eq!(partition.last_stable_offset(), partition.log.end_offset());
}
