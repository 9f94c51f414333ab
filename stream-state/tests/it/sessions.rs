//! Session stores: bounds, retention, the search by time (traps T134, T135, T136).

use std::time::Duration;

use stream_state::conformance::Bench;
use stream_state::{SessionBytesStoreSupplier, SessionKey, SessionStore, SessionStoreBuilder, Stores};

use super::{Bytes, bytes, key, logged, longs, open, restore};

const MINUTE: i64 = 60_000;

fn sessions(supplier: SessionBytesStoreSupplier) -> SessionStoreBuilder<Bytes, i64> {
    Stores::session_store_builder(supplier, bytes(), longs())
}

fn persistent() -> SessionBytesStoreSupplier {
    Stores::persistent_session_store("sessions", Duration::from_secs(120))
}

fn in_memory() -> SessionBytesStoreSupplier {
    Stores::in_memory_session_store("sessions", Duration::from_secs(120))
}

fn handle(bench: &Bench) -> SessionStore<Bytes, i64> {
    bench.handle(&sessions(persistent()).store_name())
}

fn spans(found: stream_core::Result<impl Iterator<Item = stream_core::Result<(SessionKey<Bytes>, i64)>>>) -> Vec<(i64, i64)> {
    found.expect("a search").map(|row| row.expect("a row").0).map(|session| (session.start, session.end)).collect()
}

#[test]
fn the_bounds_of_a_search_are_inclusive_on_the_end_and_on_the_start() {
    for supplier in [persistent(), in_memory()] {
        let bench = open(sessions(supplier));
        let store = handle(&bench);
        for (start, end) in [(0, 10), (20, 30), (40, 50)] {
            store.put(&key("a"), &end, start, end).expect("a put");
        }
        assert_eq!(spans(store.find(&key("a"), 10, 20)), [(0, 10), (20, 30)]);
        assert_eq!(spans(store.backward_find(&key("a"), 10, 20)), [(20, 30), (0, 10)]);
        assert_eq!(spans(store.find(&key("a"), 11, 39)), [(20, 30)]);
        assert_eq!(store.get(&key("a"), 20, 30).expect("a get"), Some(30));
        assert_eq!(store.get(&key("a"), 20, 31).expect("a get"), None, "a session is known by both of its times");
    }
}

#[test]
fn sessions_behind_the_retention_do_not_show_and_their_segment_goes_at_a_flush() {
    let mut bench = open(sessions(persistent()));
    let store = handle(&bench);
    store.put(&key("a"), &1, 0, 5).expect("a put");
    store.put(&key("a"), &2, 0, 2 * MINUTE + 5).expect("a put");
    assert_eq!(spans(store.fetch(&key("a"))), [(0, 2 * MINUTE + 5)], "the first session ended just before the last two minutes");
    store.put(&key("b"), &3, 5 * MINUTE, 5 * MINUTE).expect("a put");
    bench.store().commit(Some(3)).expect("a commit");
    bench.store().flush(1).expect("a flush");
    drop(store);
    bench.kill();
    assert_eq!(handle(&bench).stream_time_ms(), 5 * MINUTE, "stream time comes back with the rows");
    assert_eq!(handle(&bench).all().expect("a scan").count(), 1);
}

#[test]
fn a_session_behind_the_retention_counts_as_dropped_and_its_removal_does_not() {
    let bench = open(sessions(persistent()));
    let store = handle(&bench);
    store.put(&key("a"), &1, 0, 10 * MINUTE).expect("a put");
    store.put(&key("a"), &1, 0, 5 * MINUTE).expect("a put");
    store.remove(&key("a"), 0, 4 * MINUTE).expect("a removal");
    assert_eq!(bench.current().take_dropped(), 1);
    assert_eq!(store.all().expect("a scan").count(), 1);
}

#[test]
fn sessions_that_closed_are_found_by_their_end_also_when_they_have_expired_on_disk() {
    let mut bench = open(sessions(persistent().ordered_by_time()));
    let store = handle(&bench);
    store.put(&key("b"), &1, 0, 5).expect("a put");
    store.put(&key("a"), &2, 3, 5).expect("a put");
    store.put(&key("a"), &3, 0, 9).expect("a put");
    store.put(&key("a"), &4, 0, 3 * MINUTE).expect("a put");
    assert_eq!(spans(store.find_ended(0, 5)), [(0, 5), (3, 5)], "by end, then by start");
    bench.store().commit(Some(4)).expect("a commit");
    assert_eq!(spans(store.find_ended(5, 9)), [(0, 5), (3, 5), (0, 9)]);
    store.remove(&key("a"), 3, 5).expect("a removal");
    assert_eq!(spans(store.find_ended(5, 9)), [(0, 5), (0, 9)]);
    bench.store().discard();
    assert_eq!(spans(store.find_ended(5, 9)), [(0, 5), (3, 5), (0, 9)], "the index rolls back with the rows");
    bench.store().flush(1).expect("a flush");
    bench.store().evict(usize::MAX);
    drop(store);
    bench.kill();
    assert_eq!(spans(handle(&bench).find_ended(0, i64::MAX)), [(0, 3 * MINUTE)], "the segment of the others went with the flush");
}

#[test]
fn the_index_is_not_logged_and_follows_from_a_restore() {
    let bench = open(sessions(persistent().ordered_by_time()));
    let store = handle(&bench);
    store.put(&key("a"), &7, 1, 2).expect("a put");
    let records = logged(&**bench.store());
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].0, [b'a', 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1], "Java's key: key, end, start");
    bench.store().discard();
    let value = 7_i64.to_be_bytes();
    restore(&**bench.store(), &[(&records[0].0, Some(&value), 0)], 1).expect("a restore");
    assert_eq!(spans(store.find_ended(2, 2)), [(1, 2)]);
    restore(&**bench.store(), &[(&records[0].0, None, 0)], 2).expect("a restore");
    assert_eq!(spans(store.find_ended(2, 2)), []);
}

#[test]
fn a_key_that_looks_like_another_key_s_session_does_not_show_in_its_search() {
    let bench = open(sessions(persistent()));
    let store = handle(&bench);
    let mut longer = key("a");
    longer.extend_from_slice(&5_i64.to_be_bytes());
    store.put(&longer, &1, 0, 5).expect("a put");
    store.put(&key("a"), &2, 3, 5).expect("a put");
    assert_eq!(spans(store.fetch(&key("a"))), [(3, 5)]);
    assert_eq!(store.fetch_keys(&key("a")..=&longer).expect("a search").count(), 2);
}

#[test]
fn wrong_use_is_refused_with_a_reason() {
    let bench = open(sessions(persistent()));
    let store = handle(&bench);
    let error = store.find_ended(0, 1).map(drop).expect_err("no index");
    assert!(error.to_string().contains("ordered_by_time"), "{error}");
    let error = store.put(&key("a"), &1, -1, 5).expect_err("before the epoch");
    assert!(error.to_string().contains("before the epoch"), "{error}");
    let error = restore(&**bench.store(), &[(b"short", Some(b"x"), 0)], 1).expect_err("no session key");
    assert!(error.to_string().contains("5 bytes"), "{error}");
}

#[test]
fn a_cached_store_shows_expired_sessions_and_tells_their_end_to_nobody() {
    let bench = open(sessions(persistent()).with_caching_enabled());
    let store = handle(&bench);
    let drained = |store: &SessionStore<Bytes, i64>| {
        let mut seen = Vec::new();
        let drained = store.drain(|change| {
            seen.push((change.key.end, change.old, change.new));
            Ok::<(), stream_core::Error>(())
        });
        drained.expect("a drain");
        seen
    };
    store.put(&key("a"), &1, 0, 0).expect("a put");
    assert_eq!(drained(&store), [(0, None, Some(1))]);
    bench.store().commit(Some(1)).expect("a commit");
    store.put(&key("a"), &2, 2 * MINUTE, 2 * MINUTE).expect("a put");
    assert_eq!(drained(&store), [(2 * MINUTE, None, Some(2))]);
    bench.store().commit(Some(2)).expect("a commit");
    assert_eq!(spans(store.fetch(&key("a"))).len(), 2, "the cache still has what the retention hides");
    store.remove(&key("a"), 0, 0).expect("a removal");
    store.remove(&key("a"), 2 * MINUTE, 2 * MINUTE).expect("a removal");
    assert_eq!(drained(&store), [(2 * MINUTE, Some(2), None)], "downstream was not told that the first session had expired");
    assert_eq!(logged(&**bench.store()).len(), 1, "nor is the changelog");
}
