//! Stores whose rows keep headers: key-value, windowed and session stores, in memory and in RocksDB.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use stream_core::store::{ChangelogRecord, ChangelogSink, StoreFactory, StoreName};
use stream_core::{Headers, Result};
use stream_state::conformance::{Bench, RawBytes};
use stream_state::{
    AggregationWithHeaders, KeyValueBytesStoreSupplier, SessionBytesStoreSupplier, SessionStoreWithHeaders, Stores,
    TimestampedKeyValueStoreWithHeaders, TimestampedWindowStoreWithHeaders, ValueTimestampHeaders, WindowBytesStoreSupplier,
};

type Bytes = Vec<u8>;
type Row = ValueTimestampHeaders<Bytes>;

const NAME: StoreName<TimestampedKeyValueStoreWithHeaders<Bytes, Bytes>> = StoreName::new("store");

fn key_values(supplier: KeyValueBytesStoreSupplier) -> Arc<dyn StoreFactory> {
    Arc::new(Stores::timestamped_key_value_store_with_headers_builder(supplier, Arc::new(RawBytes), Arc::new(RawBytes)))
}

fn headers(values: &[Option<&[u8]>]) -> Headers {
    let mut headers = Headers::new();
    for value in values {
        headers.add("trace", *value);
    }
    headers
}

/// Changelog records that own their bytes.
#[derive(Default)]
struct Log(Vec<(Bytes, Option<Bytes>, i64, Headers)>);

impl ChangelogSink for Log {
    fn log(&mut self, record: &ChangelogRecord<'_>) -> Result<()> {
        self.0.push((record.key.to_vec(), record.value.map(<[u8]>::to_vec), record.timestamp, record.headers.clone()));
        Ok(())
    }
}

impl Log {
    fn of(bench: &Bench) -> Self {
        let mut log = Self::default();
        bench.store().log_changes(&mut log).expect("a sink that takes everything");
        log
    }

    fn restore_into(&self, bench: &Bench) {
        let mut records = self.0.iter().map(|(key, value, timestamp, headers)| ChangelogRecord {
            key,
            value: value.as_deref(),
            timestamp: *timestamp,
            headers,
        });
        bench.store().restore(&mut records, 100).expect("it is restored");
    }
}

fn commit(bench: &Bench) {
    bench.store().commit(Some(1)).expect("a commit");
}

#[test]
fn the_changelog_has_the_plain_value_and_timestamp_and_headers_of_the_row_in_its_record() {
    for supplier in [Stores::in_memory_key_value_store("store"), Stores::persistent_key_value_store("store")] {
        let bench = Bench::new(key_values(supplier), false);
        bench.current().replace_timestamp(77);
        bench.current().replace_headers(headers(&[Some(b"of the record")]));
        let own = headers(&[Some(b"of the row"), None]);
        let store = bench.handle(&NAME);
        store.put(&b"a".to_vec(), ValueTimestampHeaders::new(&b"1".to_vec(), 5, own.clone())).expect("a put");
        store.put(&b"b".to_vec(), None).expect("a deletion");
        let log = Log::of(&bench);
        let expected = [
            (b"a".to_vec(), Some(b"1".to_vec()), 5, own.clone()),
            // A deletion has nothing of its own.
            (b"b".to_vec(), None, 77, headers(&[Some(b"of the record")])),
        ];
        assert_eq!(log.0, expected);
        assert_eq!(store.get(&b"a".to_vec()).expect("a get"), Some(ValueTimestampHeaders::new(b"1".to_vec(), 5, own)));
    }
}

#[test]
fn a_store_with_headers_goes_on_with_the_changelog_of_one_without_and_the_other_way_round() {
    let timestamped = |supplier| -> Arc<dyn StoreFactory> {
        Arc::new(Stores::timestamped_key_value_store_builder(supplier, Arc::new(RawBytes), Arc::new(RawBytes)))
    };
    let log = Log(vec![(b"a".to_vec(), Some(b"1".to_vec()), 5, headers(&[Some(b"x")]))]);
    let with = Bench::new(key_values(Stores::persistent_key_value_store("store")), false);
    log.restore_into(&with);
    let row = with.handle(&NAME).get(&b"a".to_vec()).expect("a get");
    assert_eq!(row, Some(ValueTimestampHeaders::new(b"1".to_vec(), 5, headers(&[Some(b"x")]))));

    let without = Bench::new(timestamped(Stores::persistent_key_value_store("store")), false);
    log.restore_into(&without);
    let name = StoreName::<stream_state::TimestampedKeyValueStore<Bytes, Bytes>>::new("store");
    let row = without.handle(&name).get(&b"a".to_vec()).expect("a get");
    assert_eq!(row, Some(stream_state::ValueAndTimestamp::new(b"1".to_vec(), 5)));
}

#[test]
fn windows_and_sessions_keep_headers_across_a_restart() {
    let (retention, size) = (Duration::from_secs(120), Duration::from_secs(10));
    let windows: [WindowBytesStoreSupplier; 2] = [
        Stores::in_memory_window_store("store", retention, size, false).expect("a retention"),
        Stores::persistent_window_store("store", retention, size, false).expect("a retention"),
    ];
    let own = headers(&[Some(b"x"), None]);
    for supplier in windows {
        let is_persistent = supplier.is_persistent();
        let factory: Arc<dyn StoreFactory> =
            Arc::new(Stores::timestamped_window_store_with_headers_builder(supplier, Arc::new(RawBytes), Arc::new(RawBytes)));
        let name = StoreName::<TimestampedWindowStoreWithHeaders<Bytes, Bytes>>::new("store");
        let mut bench = Bench::new(factory, false);
        let row = ValueTimestampHeaders::new(b"1".to_vec(), 7, own.clone());
        bench.handle(&name).put(&b"a".to_vec(), row.as_ref(), 0).expect("a put");
        let log = Log::of(&bench);
        assert_eq!((&log.0[0].1, log.0[0].2, &log.0[0].3), (&Some(b"1".to_vec()), 7, &own));
        commit(&bench);
        bench.store().flush(0).expect("a flush");
        bench.kill();
        if !is_persistent {
            log.restore_into(&bench);
        }
        assert_eq!(bench.handle(&name).get(&b"a".to_vec(), 0).expect("a get"), Some(row));
    }
    let sessions: [SessionBytesStoreSupplier; 2] =
        [Stores::in_memory_session_store("store", retention), Stores::persistent_session_store("store", retention)];
    for supplier in sessions {
        let is_persistent = supplier.is_persistent();
        let factory: Arc<dyn StoreFactory> =
            Arc::new(Stores::session_store_with_headers_builder(supplier, Arc::new(RawBytes), Arc::new(RawBytes)));
        let name = StoreName::<SessionStoreWithHeaders<Bytes, Bytes>>::new("store");
        let mut bench = Bench::new(factory, false);
        bench.current().replace_timestamp(77);
        bench.handle(&name).put(&b"a".to_vec(), AggregationWithHeaders::new(&b"1".to_vec(), own.clone()), 0, 5).expect("a put");
        let log = Log::of(&bench);
        assert_eq!((&log.0[0].1, log.0[0].2, &log.0[0].3), (&Some(b"1".to_vec()), 77, &own));
        commit(&bench);
        bench.store().flush(0).expect("a flush");
        bench.kill();
        if !is_persistent {
            log.restore_into(&bench);
        }
        let row = bench.handle(&name).get(&b"a".to_vec(), 0, 5).expect("a get");
        assert_eq!(row, Some(AggregationWithHeaders::new(b"1".to_vec(), own.clone())));
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Put(Bytes, Option<(Bytes, Vec<Option<Bytes>>)>),
    Commit,
    Discard,
    Flush,
    Evict,
    Kill,
    RestoreElsewhere,
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = vec(prop_oneof![Just(0_u8), Just(b'a')], 0..3);
    let row = (vec(any::<u8>(), 0..30), vec(proptest::option::of(vec(any::<u8>(), 0..200)), 0..3));
    prop_oneof![
        12 => (key, proptest::option::weighted(0.8, row)).prop_map(|(key, row)| Operation::Put(key, row)),
        5 => Just(Operation::Commit),
        2 => Just(Operation::Discard),
        3 => Just(Operation::Flush),
        2 => Just(Operation::Evict),
        1 => Just(Operation::Kill),
        1 => Just(Operation::RestoreElsewhere),
    ]
}

/// Compares a store with a map over a random history.
fn compare(factory: &dyn Fn() -> Arc<dyn StoreFactory>, operations: &[Operation]) {
    let mut bench = Bench::new(factory(), false);
    let (mut visible, mut committed, mut durable) = (BTreeMap::<Bytes, Row>::new(), BTreeMap::new(), BTreeMap::new());
    let mut changelog = Log::default();
    for (step, operation) in (1..).zip(operations) {
        let persistent = bench.store().is_persistent();
        match operation {
            Operation::Put(key, Some((value, values))) => {
                let values: Vec<Option<&[u8]>> = values.iter().map(Option::as_deref).collect();
                let row = ValueTimestampHeaders::new(value.clone(), step, headers(&values));
                bench.handle(&NAME).put(key, row.as_ref()).expect("a put");
                visible.insert(key.clone(), row);
            }
            Operation::Put(key, None) => {
                bench.handle(&NAME).put(key, None).expect("a deletion");
                visible.remove(key);
            }
            Operation::Commit => {
                changelog.0.extend(Log::of(&bench).0);
                commit(&bench);
                committed.clone_from(&visible);
            }
            Operation::Discard => {
                bench.store().discard();
                visible.clone_from(&committed);
            }
            Operation::Flush => {
                bench.store().flush(step).expect("a flush");
                durable.clone_from(&committed);
            }
            Operation::Evict => drop(bench.store().evict(usize::MAX)),
            Operation::Kill => {
                bench.kill();
                let kept = if persistent { durable.clone() } else { BTreeMap::new() };
                assert_eq!(rows(&bench), kept.into_iter().collect::<Vec<_>>(), "what was flushed is there after a kill");
                // What the task would replay.
                changelog.restore_into(&bench);
                visible.clone_from(&committed);
            }
            Operation::RestoreElsewhere => {
                let other = Bench::new(factory(), false);
                changelog.restore_into(&other);
                assert_eq!(rows(&other), committed.clone().into_iter().collect::<Vec<_>>(), "the changelog has everything");
            }
        }
        assert_eq!(rows(&bench), visible.clone().into_iter().collect::<Vec<_>>(), "step {step}: {operation:?}");
    }
}

fn rows(bench: &Bench) -> Vec<(Bytes, Row)> {
    bench.handle(&NAME).all().expect("a scan").map(|row| row.expect("a row")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_in_memory_behaves_like_a_map_of_rows_with_headers(operations in vec(operation(), 1..40)) {
        compare(&|| key_values(Stores::in_memory_key_value_store("store")), &operations);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_in_rocksdb_behaves_like_a_map_of_rows_with_headers(operations in vec(operation(), 1..40)) {
        compare(&|| key_values(Stores::persistent_key_value_store("store")), &operations);
    }
}
