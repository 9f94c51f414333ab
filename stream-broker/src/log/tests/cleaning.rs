//! Compaction: what stays of a log.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

use super::*;
use crate::log::aborted::AbortedTransaction;
use crate::log::cleaner::{CleanerPolicy, Producers};
use crate::storage::tests::simulated::Simulated;

const POLICY: CleanerPolicy = CleanerPolicy { min_dirty_ratio: 0.5, min_lag_ms: 0, max_lag_ms: i64::MAX, delete_retention_ms: 1_000 };
const CODECS: [Compression; 5] = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// A log in memory and one in files.
fn logs() -> [Log; 2] {
    let folder = LogFolder { storage: Arc::new(Simulated::default()), path: Arc::from(Path::new("t-0")) };
    [Log::new(None), Log::new(Some(folder))]
}

fn nobody() -> Producers {
    Producers { last_batches: HashMap::new(), aborted: Vec::new() }
}

/// A batch of keys and values, by a producer if its id is not negative.
fn keyed(entries: &[(&str, Option<&str>)], producer_id: i64, transactional: bool, timestamp: i64) -> Vec<u8> {
    let record = |(index, (key, value)): (usize, &(&str, Option<&str>))| Record {
        transactional,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id,
        producer_epoch: if producer_id < 0 { -1 } else { 0 },
        timestamp_type: TimestampType::Creation,
        offset: index as i64,
        sequence: index as i32 - i32::from(producer_id < 0),
        timestamp: timestamp + index as i64,
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
        headers: IndexMap::from([(StrBytes::from_static_str("h"), Some(Bytes::from_static(b"1")))]),
    };
    let records: Vec<Record> = entries.iter().enumerate().map(record).collect();
    let mut bytes = Vec::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
    bytes
}

fn put(log: &mut Log, batch: &[u8]) -> i64 {
    log.append(&BatchHeader::read(batch).unwrap(), batch, None, &ROLL).unwrap()
}

/// Cleans all but the active segment, which is a new one.
fn clean(log: &mut Log, producers: &Producers, now: i64) {
    log.roll().unwrap();
    let dirty = log.dirty(0, log.end_offset(), &POLICY, now).expect("there is something to clean");
    log.clean(dirty, producers, &POLICY, &ROLL, now).unwrap();
}

/// Offset, key, value and timestamp of every record, markers left out.
fn contents(log: &Log) -> Vec<(i64, String, Option<String>, i64)> {
    let mut found = Vec::new();
    log.walk(0, |header, batch| {
        if !header.is_control() && header.record_count > 0 {
            assert!(batch::checksum_is_right(header, batch));
            let records = compression::uncompressed_records(header, batch).unwrap();
            for record in records::Records::new(&records).map(Result::unwrap) {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let timestamp = header.first_timestamp() + record.timestamp_delta;
                found.push((
                    header.base_offset + i64::from(record.offset_delta),
                    text(record.key.unwrap()),
                    record.value.map(text),
                    timestamp,
                ));
            }
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

fn values(log: &Log) -> Vec<(i64, String)> {
    contents(log).into_iter().map(|(offset, key, value, _)| (offset, format!("{key}={}", value.as_deref().unwrap_or("null")))).collect()
}

fn owned(expected: &[(i64, &str)]) -> Vec<(i64, String)> {
    expected.iter().map(|&(offset, text)| (offset, text.to_owned())).collect()
}

#[test]
fn the_last_value_of_each_key_stays_at_its_offset_with_its_time() {
    for mut log in logs() {
        put(&mut log, &keyed(&[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))], -1, false, 100));
        put(&mut log, &keyed(&[("a", Some("2")), ("d", Some("1"))], -1, false, 200));
        put(&mut log, &keyed(&[("d", Some("2"))], -1, false, 300));
        clean(&mut log, &nobody(), 1_000);
        assert_eq!(values(&log), owned(&[(1, "b=1"), (2, "c=1"), (3, "a=2"), (5, "d=2")]));
        let times: Vec<i64> = contents(&log).into_iter().map(|(.., time)| time).collect();
        assert_eq!(times, [101, 102, 200, 300]);
        assert_eq!((log.start_offset(), log.end_offset()), (0, 6));
        assert_eq!(put(&mut log, &keyed(&[("a", Some("3"))], -1, false, 400)), 6);
        // What is read at an offset that is gone is what comes next.
        let read = log.read(0, 1 << 20, 7, true).unwrap();
        assert_eq!(BatchHeader::read(&read).map(|header| header.base_offset), Some(0));
    }
}

#[test]
fn the_active_segment_is_never_touched() {
    for mut log in logs() {
        put(&mut log, &keyed(&[("a", Some("1"))], -1, false, 0));
        put(&mut log, &keyed(&[("a", Some("2"))], -1, false, 0));
        assert_eq!(log.dirty(0, log.end_offset(), &POLICY, 0), None);
        clean(&mut log, &nobody(), 0);
        put(&mut log, &keyed(&[("a", Some("3"))], -1, false, 0));
        assert_eq!(log.dirty(2, log.end_offset(), &POLICY, 0), None);
        assert_eq!(values(&log), owned(&[(1, "a=2"), (2, "a=3")]));
    }
}

#[test]
fn a_tombstone_stays_until_its_horizon_and_then_goes() {
    for mut log in logs() {
        put(&mut log, &keyed(&[("a", Some("1")), ("b", Some("1"))], -1, false, 100));
        put(&mut log, &keyed(&[("a", None)], -1, false, 200));
        clean(&mut log, &nobody(), 5_000);
        assert_eq!(values(&log), owned(&[(1, "b=1"), (2, "a=null")]));
        assert_eq!(contents(&log)[1].3, 200, "its time stays, although the batch counts from the horizon");
        put(&mut log, &keyed(&[("z", Some("1"))], -1, false, 300));
        clean(&mut log, &nobody(), 5_999);
        assert_eq!(values(&log), owned(&[(1, "b=1"), (2, "a=null"), (3, "z=1")]));
        put(&mut log, &keyed(&[("y", Some("1"))], -1, false, 300));
        clean(&mut log, &nobody(), 6_000);
        assert_eq!(values(&log), owned(&[(1, "b=1"), (3, "z=1"), (4, "y=1")]));
    }
}

#[test]
fn aborted_records_go_and_markers_stay_until_their_horizon() {
    for mut log in logs() {
        put(&mut log, &keyed(&[("a", Some("kept"))], -1, false, 100));
        put(&mut log, &keyed(&[("a", Some("aborted")), ("b", Some("aborted"))], 7, true, 100));
        put(&mut log, &batch::control_batch(7, 0, false, 0, 100));
        put(&mut log, &keyed(&[("c", Some("committed"))], 8, true, 100));
        put(&mut log, &batch::control_batch(8, 0, true, 0, 100));
        let aborted = vec![AbortedTransaction { producer_id: 7, first_offset: 1, last_offset: 3, last_stable_offset: 4 }];
        let producers = Producers { last_batches: HashMap::new(), aborted };
        let markers = |log: &Log| {
            let mut markers = Vec::new();
            log.walk(0, |header, _| {
                if header.is_control() {
                    markers.push(header.base_offset);
                }
                ControlFlow::Continue(())
            })
            .unwrap();
            markers
        };
        clean(&mut log, &producers, 5_000);
        assert_eq!(values(&log), owned(&[(0, "a=kept"), (4, "c=committed")]));
        assert_eq!(markers(&log), [3, 5]);
        put(&mut log, &keyed(&[("c", Some("later"))], -1, false, 300));
        clean(&mut log, &nobody(), 6_000);
        // The abort marker is past its horizon; the records of the other transaction have only now all been overtaken.
        assert_eq!(values(&log), owned(&[(0, "a=kept"), (6, "c=later")]));
        assert_eq!(markers(&log), [5]);
        put(&mut log, &keyed(&[("z", Some("1"))], -1, false, 300));
        clean(&mut log, &nobody(), 6_500);
        assert_eq!(markers(&log), [5]);
        put(&mut log, &keyed(&[("z", Some("2"))], -1, false, 300));
        clean(&mut log, &nobody(), 7_500);
        assert_eq!(markers(&log), [0_i64; 0]);
    }
}

#[test]
fn the_last_batch_of_a_producer_stays_as_an_empty_one() {
    for mut log in logs() {
        put(&mut log, &keyed(&[("a", Some("1")), ("a", Some("2"))], 7, false, 100));
        put(&mut log, &keyed(&[("a", Some("3"))], -1, false, 100));
        let producers = Producers { last_batches: HashMap::from([(7, 0)]), aborted: Vec::new() };
        clean(&mut log, &producers, 5_000);
        let mut batches = Vec::new();
        log.walk(0, |header, bytes| {
            assert!(batch::checksum_is_right(header, bytes));
            batches.push((header.producer_id, header.base_offset, header.last_offset(), header.record_count, header.base_sequence));
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(batches, [(7, 0, 1, 0, 0), (-1, 2, 2, 1, -1)]);
        clean_again(&mut log);
        assert_eq!(log.segment_bounds().next().map(|(base, _)| base), Some(0));
    }
}

/// Cleans without a producer that is still remembered.
fn clean_again(log: &mut Log) {
    put(log, &keyed(&[("z", Some("1"))], -1, false, 300));
    clean(log, &nobody(), 5_000);
    assert_eq!(values(log), owned(&[(2, "a=3"), (3, "z=1")]));
}

#[test]
fn every_codec_is_cleaned_and_headers_stay() {
    for codec in CODECS {
        let number = CODECS.iter().position(|other| *other == codec).unwrap() as i16;
        for mut log in logs() {
            let plain = keyed(&[("a", Some("1")), ("b", Some("1"))], -1, false, 100);
            let header = BatchHeader::read(&plain).unwrap();
            let payload = compression::compressed(number, &plain[batch::HEADER_BYTES..]).unwrap();
            let batch = BatchHeader { attributes: number, ..header }.encode(&payload);
            put(&mut log, &batch);
            put(&mut log, &keyed(&[("a", Some("2"))], -1, false, 200));
            clean(&mut log, &nobody(), 5_000);
            assert_eq!(values(&log), owned(&[(1, "b=1"), (2, "a=2")]), "codec {number}");
            let read = log.read(0, 1 << 20, 3, true).unwrap();
            let first = BatchHeader::read(&read).unwrap();
            assert_eq!((first.compression(), first.record_count, first.last_offset()), (number, 1, 1));
            if number == 0 {
                let decoded = RecordBatchDecoder::decode(&mut read.clone()).unwrap().records;
                assert_eq!(decoded[0].headers.len(), 1);
            }
        }
    }
}

#[test]
fn records_younger_than_the_lag_and_undecided_ones_wait() {
    for mut log in logs() {
        put(&mut log, &keyed(&[("a", Some("1"))], -1, false, 1_000));
        log.roll().unwrap();
        put(&mut log, &keyed(&[("a", Some("2"))], -1, false, 9_000));
        log.roll().unwrap();
        let lagging = CleanerPolicy { min_lag_ms: 5_000, ..POLICY };
        let dirty = |log: &Log, stable, policy: &CleanerPolicy, now| log.dirty(0, stable, policy, now);
        let end = log.end_offset();
        assert_eq!(dirty(&log, end, &lagging, 5_999), None);
        assert_ne!(dirty(&log, end, &lagging, 6_000), dirty(&log, end, &lagging, 14_000));
        assert_eq!(dirty(&log, 0, &POLICY, 20_000), None, "a transaction is open at the first record");
        // Little is dirty, but it has waited long enough.
        let patient = CleanerPolicy { min_dirty_ratio: 1.0, max_lag_ms: 5_000, ..POLICY };
        assert!(!dirty(&log, end, &patient, 6_000).unwrap().is_due(&patient));
        assert!(dirty(&log, end, &patient, 6_001).unwrap().is_due(&patient));
    }
}

#[test]
fn small_segments_become_one_and_a_log_in_files_survives_a_kill_at_any_change() {
    let storage = Simulated::default();
    let folder = LogFolder { storage: Arc::new(storage.clone()), path: Arc::from(Path::new("t-0")) };
    let mut log = Log::new(Some(folder));
    for index in 0..40 {
        put(&mut log, &keyed(&[(["a", "b", "c", "d"][index % 4], Some(&index.to_string()))], -1, false, 100));
        if index % 5 == 4 {
            log.roll().unwrap();
        }
    }
    let before = storage.changes();
    let latest = owned(&[(36, "a=36"), (37, "b=37"), (38, "c=38"), (39, "d=39")]);
    clean(&mut log, &nobody(), 5_000);
    assert_eq!(values(&log), latest);
    assert_eq!(log.segments.len(), 2, "one cleaned and the active one");
    for changes in before..=storage.changes() {
        let left = storage.after(changes, 0).unwrap();
        let folder = LogFolder { storage: Arc::new(left.clone()), path: Arc::from(Path::new("t-0")) };
        let mut log = Log::open(folder, Checkpoint { recovery_point: 0, start_offset: 0 }, ROLL.index_interval).unwrap();
        let found = values(&log);
        assert!(latest.iter().all(|entry| found.contains(entry)), "after {changes} changes: {found:?}");
        assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(log.end_offset(), 40);
        assert!(left.files().iter().all(|file| !file.to_string_lossy().ends_with("cleaned") && !file.to_string_lossy().ends_with("swap")));
        put(&mut log, &keyed(&[("z", Some("1"))], -1, false, 100));
        clean(&mut log, &nobody(), 5_000);
        assert_eq!(values(&log).len(), 5);
    }
}
