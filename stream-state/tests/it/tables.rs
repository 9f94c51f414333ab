//! Cached tables (traps T38 to T41).

use std::sync::Arc;

use stream_core::{Error, Headers};
use stream_state::conformance::Bench;
use stream_state::{CachedChange, TimestampedKeyValueStore, ValueAndTimestamp};

use super::{Bytes, in_memory, key, logged, open, persistent, timestamped};

type Handle = TimestampedKeyValueStore<Bytes, i64>;

fn cached() -> (Bench, Handle) {
    let factory = timestamped(persistent()).with_caching_enabled();
    let name = factory.store_name();
    let bench = open(factory);
    let handle = bench.handle(&name);
    (bench, handle)
}

fn drained(store: &Handle) -> Vec<CachedChange<Bytes, ValueAndTimestamp<i64>>> {
    let mut changes = Vec::new();
    let drained = store.drain(|change| {
        changes.push(change);
        Ok::<(), Error>(())
    });
    drained.expect("a drain");
    changes
}

fn put(store: &Handle, text: &str, value: i64) {
    store.put(&key(text), ValueAndTimestamp::new(&value, value)).expect("a put");
}

#[test]
fn one_change_per_key_from_the_committed_value_to_the_last() {
    let (bench, store) = cached();
    put(&store, "a", 1);
    assert_eq!(drained(&store).len(), 1);
    bench.store().commit(Some(1)).expect("a commit");
    put(&store, "a", 2);
    put(&store, "a", 3);
    let changes = drained(&store);
    let [change] = changes.as_slice() else { panic!("one change, not {changes:?}") };
    assert_eq!((change.old, change.new), (Some(ValueAndTimestamp::new(1, 1)), Some(ValueAndTimestamp::new(3, 3))));
    assert_eq!(change.timestamp, 3);
    assert_eq!(drained(&store).len(), 0);
}

#[test]
fn a_row_that_came_and_went_is_neither_drained_nor_logged() {
    let (bench, store) = cached();
    put(&store, "a", 1);
    store.delete(&key("a")).expect("a delete");
    store.delete(&key("b")).expect("a delete");
    assert_eq!(drained(&store).len(), 0);
    assert_eq!(logged(&**bench.store()), []);
}

#[test]
fn a_row_that_a_failed_commit_has_logged_is_deleted_in_the_changelog() {
    let (bench, store) = cached();
    put(&store, "a", 1);
    assert_eq!(drained(&store).len(), 1);
    assert_eq!(logged(&**bench.store()).len(), 1);
    // The offsets could not be committed; at least once, the commit is made again, with what came meanwhile.
    store.delete(&key("a")).expect("a delete");
    let changes = drained(&store);
    let [change] = changes.as_slice() else { panic!("downstream has the row, so it must hear of its end: {changes:?}") };
    assert_eq!((change.old, change.new), (Some(ValueAndTimestamp::new(1, 1)), None));
    for _ in 0..2 {
        let again = logged(&**bench.store());
        let [(logged_key, None, _)] = again.as_slice() else { panic!("a deletion, not {again:?}") };
        assert_eq!(*logged_key, key("a"));
    }
    bench.store().commit(Some(2)).expect("a commit");

    // After the commit, a row that comes and goes leaves no trace again.
    put(&store, "a", 2);
    store.delete(&key("a")).expect("a delete");
    assert_eq!(drained(&store).len(), 0);
    assert_eq!(logged(&**bench.store()), []);
}

#[test]
fn without_a_cache_a_deletion_of_nothing_is_logged_as_in_java() {
    let factory = timestamped(in_memory());
    let name = factory.store_name();
    let bench = open(factory);
    bench.handle(&name).delete(&key("a")).expect("a delete");
    assert_eq!(logged(&**bench.store()).len(), 1);
}

#[test]
fn changes_come_in_the_order_of_last_writes_in_the_name_of_the_last_writer() {
    let (bench, store) = cached();
    let topic: Arc<str> = Arc::from("input");
    for (offset, text) in (0..).zip(["a", "b", "c", "a"]) {
        let mut headers = Headers::new();
        headers.add("writer", Some(&[u8::try_from(offset).expect("a small number")]));
        bench.current().replace_headers(headers);
        bench.current().set_source(&topic, 0, offset);
        put(&store, text, offset);
    }
    let seen: Vec<_> = drained(&store)
        .into_iter()
        .map(|change| {
            (change.key, change.metadata.map(|metadata| metadata.offset), change.headers.last("writer").flatten().map(<[u8]>::to_vec))
        })
        .collect();
    assert_eq!(seen, [(key("b"), Some(1), Some(vec![1])), (key("c"), Some(2), Some(vec![2])), (key("a"), Some(3), Some(vec![3]))]);
}

#[test]
fn the_store_can_be_used_while_it_is_drained() {
    let (_bench, store) = cached();
    put(&store, "a", 1);
    put(&store, "b", 1);
    let mut seen = Vec::new();
    let drained = store.drain(|change| {
        seen.push(change.key.clone());
        if change.new == Some(ValueAndTimestamp::new(1, 1)) {
            // Written again after its change went on: the next change starts from what downstream knows.
            put(&store, "a", 2);
        } else {
            assert_eq!(change.old, Some(ValueAndTimestamp::new(1, 1)));
        }
        Ok::<(), Error>(())
    });
    drained.expect("a drain");
    assert_eq!(seen, [key("a"), key("b"), key("a")]);
}

#[test]
fn held_back_bytes_are_counted_until_the_drain() {
    let (bench, store) = cached();
    put(&store, "a", 1);
    let one = bench.memory().held_back_bytes();
    assert!(one > 0);
    put(&store, "a", 2);
    assert_eq!(bench.memory().held_back_bytes(), one, "one change per key is held back");
    put(&store, "b", 1);
    assert_eq!(bench.memory().held_back_bytes(), 2 * one);
    drained(&store);
    assert_eq!(bench.memory().held_back_bytes(), 0);
}

#[test]
fn an_application_without_a_cache_has_no_cached_stores() {
    let factory = timestamped(in_memory()).with_caching_enabled();
    let name = factory.store_name();
    let bench = Bench::new(Arc::new(factory), false);
    let store = bench.handle(&name);
    assert!(!store.is_caching());
    put(&store, "a", 1);
    assert_eq!(bench.memory().held_back_bytes(), 0);
}
