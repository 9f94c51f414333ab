//! The buffer of `suppress` (traps T30, T33, T36).

use std::sync::Arc;

use stream_core::store::{ChangelogRecord, ChangelogSink, StateStore};
use stream_core::{Headers, RecordMetadata, Result};
use stream_state::conformance::Bench;
use stream_state::{BufferedChange, Stores, SuppressBuffer, TimeOrderedBufferBuilder};

use super::{Bytes, bytes, key, open};

fn builder() -> TimeOrderedBufferBuilder<Bytes, Bytes> {
    Stores::time_ordered_buffer_builder("buffer", bytes(), bytes())
}

fn handle(bench: &Bench) -> SuppressBuffer<Bytes, Bytes> {
    bench.handle(&builder().store_name())
}

fn change(old: Option<&str>, new: Option<&str>, timestamp: i64, offset: i64) -> BufferedChange<Bytes> {
    let metadata = Some(RecordMetadata { topic: Arc::from("in"), partition: 0, offset });
    BufferedChange { old: old.map(key), new: new.map(key), timestamp, headers: Headers::new(), metadata }
}

/// Key, value and version header of what a commit would send.
fn records(store: &dyn StateStore) -> Vec<(Bytes, Option<Bytes>, Option<Bytes>)> {
    struct Log(Vec<(Bytes, Option<Bytes>, Option<Bytes>)>);
    impl ChangelogSink for Log {
        fn log(&mut self, record: &ChangelogRecord<'_>) -> Result<()> {
            let version = record.headers.last("v").flatten().map(<[u8]>::to_vec);
            self.0.push((record.key.to_vec(), record.value.map(<[u8]>::to_vec), version));
            Ok(())
        }
    }
    let mut log = Log(Vec::new());
    store.log_changes(&mut log).expect("a sink that takes everything");
    log.0
}

fn firsts(buffer: &SuppressBuffer<Bytes, Bytes>) -> Vec<(Bytes, Option<Bytes>)> {
    let mut seen = Vec::new();
    while let Some((key, change)) = buffer.first().expect("a look") {
        seen.push((key, change.new));
        buffer.remove_first().expect("a removal");
    }
    seen
}

#[test]
fn an_update_of_a_key_that_waits_replaces_the_value_and_keeps_the_place() {
    let bench = open(builder());
    let buffer = handle(&bench);
    buffer.put(&key("a"), 1, &change(None, Some("x"), 1, 0)).expect("a put");
    buffer.put(&key("b"), 2, &change(None, Some("y"), 2, 1)).expect("a put");
    buffer.put(&key("a"), 3, &change(Some("x"), Some("z"), 3, 2)).expect("a put");
    assert_eq!(buffer.first_time().expect("a look"), Some(1));
    assert_eq!(buffer.prior(&key("a")).expect("a look"), Some(None), "nothing had been told before the first change");
    assert_eq!(buffer.prior(&key("c")).expect("a look"), None);
    assert_eq!(firsts(&buffer), [(key("a"), Some(key("z"))), (key("b"), Some(key("y")))]);
}

#[test]
fn records_and_bytes_count_as_in_kafka_streams() {
    let bench = open(builder());
    let buffer = handle(&bench);
    buffer.put(&key("a"), 1, &change(None, Some("x"), 1, 0)).expect("a put");
    buffer.put(&key("b"), 2, &change(None, Some("y"), 2, 1)).expect("a put");
    buffer.put(&key("a"), 3, &change(Some("x"), Some("z"), 3, 2)).expect("a put");
    buffer.put(&key("c"), 4, &change(None, Some("w"), 4, 3)).expect("a put");
    // "Currently [3/2] records and [97/…] bytes" is what Kafka Streams 4.3.1 says of these.
    assert_eq!((buffer.num_records().expect("a count"), buffer.num_bytes().expect("a size")), (3, 97));
    buffer.remove_first().expect("a removal");
    assert_eq!((buffer.num_records().expect("a count"), buffer.num_bytes().expect("a size")), (2, 64));
}

#[test]
fn the_changelog_has_versioned_rows_and_tombstones_for_what_was_taken_out() {
    let bench = open(builder());
    let buffer = handle(&bench);
    buffer.put(&key("a"), 1, &change(None, Some("x"), 1, 0)).expect("a put");
    buffer.put(&key("b"), 2, &change(None, Some("y"), 2, 1)).expect("a put");
    buffer.remove_first().expect("a removal");
    let records = records(&**bench.store());
    assert_eq!(records[1], (key("a"), None, None), "also for a key that was never logged, as in Java");
    assert_eq!((&records[0].0, &records[0].2), (&key("b"), &Some(vec![3])));
}

#[test]
fn a_restored_buffer_has_the_order_and_the_size_of_the_one_before() {
    let bench = open(builder());
    let buffer = handle(&bench);
    for (name, time) in [("c", 30), ("a", 20), ("b", 10), ("d", 20)] {
        buffer.put(&key(name), time, &change(Some("old"), Some(name), time, time)).expect("a put");
    }
    let rows = records(&**bench.store());
    let size = buffer.num_bytes().expect("a size");
    let other = open(builder());
    let mut headers = Headers::new();
    headers.add("v", Some(&[3]));
    let mut restored = rows.iter().map(|(key, value, _)| ChangelogRecord { key, value: value.as_deref(), timestamp: 0, headers: &headers });
    other.store().restore(&mut restored, 4).expect("a restore");
    let buffer = handle(&other);
    assert_eq!(buffer.num_bytes().expect("a size"), size);
    assert_eq!(buffer.prior(&key("a")).expect("a look"), Some(Some(key("old"))));
    let keys: Vec<Bytes> = firsts(&buffer).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [key("b"), key("a"), key("d"), key("c")], "by time, then by key");
}

#[test]
fn an_aborted_transaction_brings_back_what_was_taken_out() {
    let bench = open(builder());
    let buffer = handle(&bench);
    buffer.put(&key("a"), 1, &change(None, Some("x"), 1, 0)).expect("a put");
    bench.store().commit(Some(1)).expect("a commit");
    buffer.remove_first().expect("a removal");
    buffer.put(&key("b"), 2, &change(None, Some("y"), 2, 1)).expect("a put");
    bench.store().discard();
    // A task that aborts makes its processors anew, and with them their handles.
    assert_eq!(firsts(&handle(&bench)), [(key("a"), Some(key("x")))]);
}

#[test]
fn a_record_of_another_version_is_refused_with_a_reason() {
    let bench = open(builder());
    for version in [None, Some(1_u8), Some(2)] {
        let mut headers = Headers::new();
        if let Some(version) = version {
            headers.add("v", Some(&[version]));
        }
        let mut records = [ChangelogRecord { key: b"a", value: Some(b"?"), timestamp: 0, headers: &headers }].into_iter();
        let error = bench.store().restore(&mut records, 1).expect_err("not version 3");
        assert!(error.to_string().contains("version"), "{error}");
    }
}
