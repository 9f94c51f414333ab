//! Stores that keep the rows that were used last.

use stream_state::{KeyValueStore, Stores};

use super::{Bench, Bytes, counts, key, logged, open, restore};

type Handle = KeyValueStore<Bytes, i64>;

fn bounded(max_entries: usize) -> (Bench, Handle) {
    let builder = counts(Stores::lru_map("store", max_entries));
    let name = builder.store_name();
    let bench = open(builder);
    let store = bench.handle(&name);
    (bench, store)
}

fn keys(store: &Handle) -> Vec<Bytes> {
    store.all().expect("a scan").map(|row| row.expect("a row").0).collect()
}

#[test]
fn the_row_that_was_not_used_for_the_longest_time_goes() {
    let (_bench, store) = bounded(2);
    store.put(&key("a"), &1).expect("a put");
    store.put(&key("b"), &2).expect("a put");
    assert_eq!(store.get(&key("a")).expect("a read"), Some(1));
    store.put(&key("c"), &3).expect("a put");
    assert_eq!(keys(&store), [key("a"), key("c")], "`a` was read after `b` was written");
    store.put(&key("a"), &4).expect("a put");
    assert_eq!(keys(&store), [key("a"), key("c")], "a key that is there needs no room");
}

#[test]
fn what_goes_is_deleted_in_the_changelog_before_the_new_row() {
    let (bench, store) = bounded(1);
    store.put(&key("a"), &1).expect("a put");
    bench.store().commit(Some(1)).expect("a commit");
    store.put(&key("b"), &2).expect("a put");
    let logged: Vec<(Bytes, bool)> = logged(&**bench.store()).into_iter().map(|(key, value, _)| (key, value.is_some())).collect();
    assert_eq!(logged, [(key("a"), false), (key("b"), true)]);
}

#[test]
fn a_rolled_back_transaction_takes_nothing_with_it() {
    let (bench, store) = bounded(2);
    store.put(&key("a"), &1).expect("a put");
    store.put(&key("b"), &2).expect("a put");
    bench.store().commit(Some(2)).expect("a commit");
    store.put(&key("c"), &3).expect("a put");
    bench.store().discard();
    assert_eq!(keys(&store), [key("a"), key("b")]);
    store.put(&key("d"), &4).expect("a put");
    assert_eq!(keys(&store).len(), 2, "the bound holds after a roll-back");
}

#[test]
fn the_bound_holds_after_a_restore() {
    let (bench, store) = bounded(2);
    let one = 1_i64.to_be_bytes();
    restore(&**bench.store(), &[(b"a", Some(&one), 0), (b"b", Some(&one), 0)], 2).expect("a restore");
    store.put(&key("c"), &3).expect("a put");
    assert_eq!(keys(&store).len(), 2);
}
