use bytes::Bytes;

use super::batch::{BatchHeader, control_batch};
use super::*;

const ROLL: RollPolicy = RollPolicy { bytes: 10_000, ms: i64::MAX, index_entries: usize::MAX, index_interval: 1_000 };

/// A batch of one record, `bytes` long.
fn batch(bytes: usize, timestamp: i64) -> (BatchHeader, Vec<u8>) {
    let mut batch = control_batch(1, 0, true, 0, timestamp);
    batch.resize(bytes.max(batch.len()), 0);
    let length = batch.len() as i32 - 12;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
    (BatchHeader::read(&batch).unwrap(), batch)
}

fn append(log: &mut Log, bytes: usize, timestamp: i64, roll: RollPolicy) -> i64 {
    let (header, batch) = batch(bytes, timestamp);
    if log.must_roll(&header, None, &roll) {
        log.roll().unwrap();
    }
    log.append(&header, &batch, None, &roll).unwrap()
}

fn enforce_retention(log: &mut Log, retention_ms: i64, retention_bytes: i64, now: i64) {
    let start = log.retention_start(retention_ms, retention_bytes, now);
    log.delete_below(start);
}

fn offsets(bytes: &Bytes) -> Vec<i64> {
    let mut rest = &bytes[..];
    let mut offsets = Vec::new();
    while let Some(header) = BatchHeader::read(rest) {
        offsets.push(header.base_offset);
        rest = &rest[header.size..];
    }
    assert!(rest.is_empty(), "only whole batches are read");
    offsets
}

/// Reads on from `offset` until the end, with reads of at most `max_bytes`.
fn read_through(log: &Log, mut offset: i64, max_bytes: usize) -> Vec<i64> {
    let mut all = Vec::new();
    while offset < log.end_offset() {
        let read = offsets(&log.read(offset, max_bytes, log.end_offset(), true).unwrap());
        assert_eq!(read.first(), Some(&offset));
        offset = read.last().unwrap() + 1;
        all.extend(read);
    }
    all
}

#[test]
fn offsets_are_consecutive_across_segments_and_every_batch_is_found() {
    let mut log = Log::new(None);
    for expected in 0..500 {
        assert_eq!(append(&mut log, 100 + expected as usize, 0, ROLL), expected);
    }
    assert!(log.segments.len() > 5);
    for max_bytes in [0, 1, 700, 5_000, 1 << 20] {
        assert_eq!(read_through(&log, 0, max_bytes), (0..500).collect::<Vec<_>>(), "max {max_bytes}");
    }
    for offset in [1, 77, 499] {
        assert_eq!(offsets(&log.read(offset, 0, 500, true).unwrap()), [offset]);
    }
}

#[test]
fn a_read_respects_its_bounds() {
    let mut log = Log::new(None);
    for _ in 0..20 {
        append(&mut log, 100, 0, ROLL);
    }
    assert_eq!(offsets(&log.read(0, 1 << 20, 5, true).unwrap()), [0, 1, 2, 3, 4]);
    assert_eq!(offsets(&log.read(5, 1 << 20, 5, true).unwrap()), [0; 0]);
    assert_eq!(offsets(&log.read(3, 250, 20, true).unwrap()), [3, 4]);
    assert_eq!(offsets(&log.read(3, 99, 20, false).unwrap()), [0; 0]);
    assert_eq!(offsets(&log.read(20, 1 << 20, 20, true).unwrap()), [0; 0]);
}

#[test]
fn available_bytes_are_those_that_can_be_read() {
    let mut log = Log::new(None);
    for _ in 0..300 {
        append(&mut log, 100, 0, ROLL);
    }
    assert_eq!(log.bytes_between(0, 300).unwrap(), 30_000);
    assert_eq!(log.bytes_between(100, 200).unwrap(), 10_000);
    assert_eq!(log.bytes_between(299, 300).unwrap(), 100);
    assert_eq!(log.bytes_between(300, 300).unwrap(), 0);
    log.delete_below(250);
    assert_eq!(log.bytes_between(250, 300).unwrap(), 5_000);
}

#[test]
fn deleting_frees_memory_and_keeps_what_lies_above() {
    let mut log = Log::new(None);
    let roll = RollPolicy { bytes: 1 << 30, ..ROLL };
    for _ in 0..100 {
        append(&mut log, 50_000, 0, roll);
    }
    assert_eq!(log.size(), 5_000_000);
    // One segment, and it is active: memory is freed all the same.
    assert!(log.delete_below(90) > 3_000_000);
    assert!(log.size() < 1_600_000);
    assert_eq!(log.start_offset(), 90);
    assert_eq!(read_through(&log, 90, 1 << 20), (90..100).collect::<Vec<_>>());
    log.delete_below(100);
    assert_eq!((log.size(), log.start_offset()), (0, 100));
    assert_eq!(append(&mut log, 100, 0, roll), 100);
    assert_eq!(read_through(&log, 100, 1 << 20), [100]);
    assert_eq!(log.delete_below(5), 0);
    assert_eq!(log.start_offset(), 100);
}

#[test]
fn retention_deletes_segments_that_are_too_old_even_the_active_one() {
    let mut log = Log::new(None);
    for timestamp in [0, 0, 0, 1_000, 1_000, 1_000] {
        append(&mut log, 4_000, timestamp, ROLL);
    }
    enforce_retention(&mut log, 500, -1, 1_200);
    assert_eq!(log.start_offset(), 2, "the third batch shares the second segment");
    enforce_retention(&mut log, 500, -1, 5_000);
    assert_eq!((log.start_offset(), log.size()), (6, 0));
    assert_eq!(append(&mut log, 100, 5_000, ROLL), 6);
}

#[test]
fn retention_by_size_never_goes_below_its_limit() {
    let mut log = Log::new(None);
    for _ in 0..20 {
        append(&mut log, 4_000, 0, ROLL);
    }
    enforce_retention(&mut log, -1, 30_000, 0);
    assert!(log.size() >= 30_000 && log.size() < 40_000, "{}", log.size());
    assert_eq!(read_through(&log, log.start_offset(), 0).last(), Some(&19));
    enforce_retention(&mut log, -1, -1, i64::MAX);
    assert!(log.size() >= 30_000);
}

#[test]
fn a_segment_is_rolled_when_its_first_timestamp_is_too_far_back() {
    let mut log = Log::new(None);
    let roll = RollPolicy { bytes: 1 << 30, ms: 100, ..ROLL };
    for timestamp in [0, 50, 100, 101, 201] {
        append(&mut log, 100, timestamp, roll);
    }
    assert_eq!(log.segments.len(), 2);
}

#[test]
fn times_are_looked_up_above_the_log_start_only() {
    let mut log = Log::new(None);
    for timestamp in [10, 50, 30, 40] {
        append(&mut log, 100, timestamp, ROLL);
    }
    let found = |log: &Log, timestamp| log.offset_for_time(timestamp).unwrap().map(|f| f.offset);
    assert_eq!(found(&log, 0), Some(0));
    assert_eq!(found(&log, 20), Some(1));
    assert_eq!(found(&log, 51), None);
    assert_eq!(log.greatest_timestamp().unwrap().map(|f| f.offset), Some(1));
    log.delete_below(2);
    assert_eq!(found(&log, 20), Some(2));
    assert_eq!(log.greatest_timestamp().unwrap().map(|f| f.offset), Some(3));
    assert_eq!(found(&log, 45), None);
}

mod cleaning;
mod files;
