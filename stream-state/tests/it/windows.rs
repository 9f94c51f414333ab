//! Windowed stores: retention, segments, duplicates (traps T133 to T136).

use std::time::Duration;

use stream_core::store::{CleanupPolicy, StoreFactory};
use stream_state::{Stores, ValueAndTimestamp};

use super::{bytes, key, logged, longs, open, persistent_windows, restore, windowed};

const MINUTE: i64 = 60_000;

#[test]
fn rows_behind_the_retention_do_not_show_and_their_segment_goes_at_a_flush() {
    let factory = windowed(persistent_windows(false));
    let name = factory.store_name();
    let mut bench = open(factory);
    let store = bench.handle(&name);
    store.put(&key("a"), ValueAndTimestamp::new(&1, 0), 0).expect("a put");
    bench.store().commit(Some(1)).expect("a commit");
    bench.store().flush(1).expect("a flush");
    store.put(&key("a"), ValueAndTimestamp::new(&2, 0), 2 * MINUTE - 1).expect("a put");
    assert!(store.get(&key("a"), 0).expect("a get").is_some(), "0 is within the last two minutes");
    store.put(&key("a"), ValueAndTimestamp::new(&2, 0), 3 * MINUTE).expect("a put");
    assert_eq!(store.get(&key("a"), 0).expect("a get"), None);
    assert_eq!(store.fetch(&key("a"), 0, i64::MAX).expect("a fetch").count(), 2);
    bench.store().commit(Some(3)).expect("a commit");
    bench.store().flush(2).expect("a flush");
    drop(store);
    bench.kill();
    assert_eq!(bench.handle(&name).stream_time_ms(), 3 * MINUTE, "stream time comes back with the rows");
    assert_eq!(bench.handle(&name).all().expect("a scan").count(), 2);
}

#[test]
fn a_row_behind_the_retention_counts_as_dropped_and_never_shows() {
    let factory = windowed(persistent_windows(false));
    let name = factory.store_name();
    let mut bench = open(factory);
    let store = bench.handle(&name);
    store.put(&key("a"), ValueAndTimestamp::new(&1, 0), 10 * MINUTE).expect("a put");
    store.put(&key("a"), ValueAndTimestamp::new(&1, 0), 5 * MINUTE).expect("a put");
    assert_eq!(bench.current().take_dropped(), 1);
    assert_eq!(logged(&**bench.store()).len(), 2, "Java logs it, too");
    assert_eq!(store.fetch(&key("a"), 0, i64::MAX).expect("a fetch").count(), 1);
    bench.store().commit(Some(2)).expect("a commit");
    bench.store().flush(1).expect("a flush");
    drop(store);
    bench.kill();
    assert_eq!(bench.handle(&name).all().expect("a scan").count(), 1);
}

#[test]
fn a_store_in_memory_expires_to_the_millisecond_and_one_on_disk_by_segments() {
    let memory = Stores::in_memory_window_store("w", Duration::from_millis(100), Duration::from_millis(10), false);
    for (supplier, dropped) in
        [(memory, 1), (Stores::persistent_window_store("w", Duration::from_millis(100), Duration::from_millis(10), false), 0)]
    {
        let factory = windowed(supplier);
        let name = factory.store_name();
        let bench = open(factory);
        let store = bench.handle(&name);
        store.put(&key("a"), ValueAndTimestamp::new(&1, 0), 200).expect("a put");
        store.put(&key("a"), ValueAndTimestamp::new(&1, 0), 100).expect("a put");
        assert_eq!(bench.current().take_dropped(), dropped);
        assert_eq!(store.get(&key("a"), 100).expect("a get"), None, "neither shows it");
        store.put(&key("a"), ValueAndTimestamp::new(&1, 0), 101).expect("a put");
        assert!(store.get(&key("a"), 101).expect("a get").is_some());
    }
}

#[test]
fn stream_time_rolls_back_with_an_aborted_transaction() {
    let factory = windowed(persistent_windows(false));
    let name = factory.store_name();
    let bench = open(factory);
    let store = bench.handle(&name);
    store.put(&key("a"), ValueAndTimestamp::new(&1, 0), 0).expect("a put");
    bench.store().commit(Some(1)).expect("a commit");
    store.put(&key("a"), ValueAndTimestamp::new(&1, 0), 60 * MINUTE).expect("a put");
    assert_eq!(store.get(&key("a"), 0).expect("a get"), None);
    bench.store().discard();
    assert_eq!(store.stream_time_ms(), 0);
    assert!(store.get(&key("a"), 0).expect("a get").is_some());
}

#[test]
fn an_uncommitted_stream_time_expires_nothing_on_disk() {
    let factory = windowed(persistent_windows(false));
    let name = factory.store_name();
    let mut bench = open(factory);
    let store = bench.handle(&name);
    store.put(&key("a"), ValueAndTimestamp::new(&1, 0), 0).expect("a put");
    bench.store().commit(Some(1)).expect("a commit");
    store.put(&key("a"), ValueAndTimestamp::new(&1, 0), 60 * MINUTE).expect("a put");
    bench.store().flush(1).expect("a flush");
    drop(store);
    bench.kill();
    assert!(bench.handle(&name).get(&key("a"), 0).expect("a get").is_some());
}

#[test]
fn duplicates_survive_side_by_side_and_a_restart_does_not_overwrite_them() {
    let factory = windowed(persistent_windows(true));
    // Kafka Streams has `delete` only where the rows keep no timestamps.
    assert_eq!(factory.changelog().map(|changelog| changelog.cleanup_policy), Some(CleanupPolicy::CompactDelete));
    let name = factory.store_name();
    let mut bench = open(factory);
    let add = |bench: &stream_state::conformance::Bench, value: i64| {
        bench.handle(&name).put(&key("a"), ValueAndTimestamp::new(&value, 0), 5).expect("a put");
    };
    add(&bench, 1);
    // A null adds nothing, and moves no time.
    bench.handle(&name).put(&key("a"), None, 6).expect("a put");
    assert_eq!(bench.handle(&name).stream_time_ms(), 5);
    add(&bench, 2);
    bench.handle(&name).put(&key("a"), None, 5).expect("a put that is ignored");
    assert_eq!(logged(&**bench.store())[0].0[9..], [0, 0, 0, 1], "numbers begin with 1, as in Java");
    bench.store().commit(Some(2)).expect("a commit");
    bench.store().flush(1).expect("a flush");
    bench.kill();
    add(&bench, 3);
    let store = bench.handle(&name);
    let values: Vec<_> = store.fetch(&key("a"), 5, 5).expect("a fetch").map(|row| row.expect("a row").1.value).collect();
    assert_eq!(values, [1, 2, 3]);
}

#[test]
fn a_key_that_looks_like_another_key_s_row_does_not_show_in_its_fetch() {
    let factory = windowed(persistent_windows(false));
    let name = factory.store_name();
    let bench = open(factory);
    let store = bench.handle(&name);
    let mut longer = key("a");
    longer.extend_from_slice(&0_i64.to_be_bytes());
    for key in [&key("a"), &longer] {
        for start in [0, 1, 255, 256] {
            store.put(key, ValueAndTimestamp::new(&start, 0), start).expect("a put");
        }
    }
    let starts: Vec<_> = store.fetch(&key("a"), 1, 255).expect("a fetch").map(|row| row.expect("a row").0).collect();
    assert_eq!(starts, [1, 255]);
    assert_eq!(store.fetch_keys(&key("a")..=&key("a"), 0, 300).expect("a fetch").count(), 4);
}

#[test]
fn a_negative_start_and_a_short_changelog_key_are_refused_with_a_reason() {
    let factory = windowed(persistent_windows(false));
    let name = factory.store_name();
    let bench = open(factory);
    let error = bench.handle(&name).put(&key("a"), ValueAndTimestamp::new(&1, 0), -1).expect_err("before the epoch");
    assert!(error.to_string().contains("before the epoch"), "{error}");
    let error = restore(&**bench.store(), &[(b"short", Some(b"x"), 0)], 1).expect_err("no windowed key");
    assert!(error.to_string().contains("5 bytes"), "{error}");
}

#[test]
fn a_retention_shorter_than_a_window_is_refused() {
    let supplier = Stores::in_memory_window_store("store", Duration::from_secs(1), Duration::from_secs(2), false);
    assert!(supplier.expect_err("too short").to_string().contains("retention"));
}

#[test]
fn a_cached_window_drains_by_key_and_window() {
    let factory = Stores::window_store_builder(persistent_windows(false).expect("a supplier"), bytes(), longs()).with_caching_enabled();
    let name = factory.store_name();
    let bench = open(factory);
    let store = bench.handle(&name);
    bench.current().replace_timestamp(77);
    store.put(&key("a"), &1, 10).expect("a put");
    store.put(&key("a"), &2, 20).expect("a put");
    store.put(&key("a"), &3, 10).expect("a put");
    let mut seen = Vec::new();
    let drained = store.drain(|change| {
        seen.push((change.key.start, change.old, change.new, change.timestamp));
        Ok::<(), stream_core::Error>(())
    });
    drained.expect("a drain");
    assert_eq!(seen, [(20, None, Some(2), 77), (10, None, Some(3), 77)]);
}
