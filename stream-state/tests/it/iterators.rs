//! Iterators: what they show, and for how long.

use super::{counts, key, open, persistent};

#[test]
fn an_iterator_cannot_outlive_the_commit() {
    let factory = counts(persistent());
    let name = factory.store_name();
    let bench = open(factory);
    let store = bench.handle(&name);
    store.put(&key("a"), &1).expect("a put");
    let mut rows = store.all().expect("a scan");
    bench.store().commit(Some(1)).expect("a commit");
    let error = rows.next().expect("an item").expect_err("stale");
    assert!(error.to_string().contains("iterator"), "{error}");
    assert!(rows.next().is_none());
}

#[test]
fn layers_are_merged_in_order_with_the_newest_on_top() {
    let factory = counts(persistent());
    let name = factory.store_name();
    let bench = open(factory);
    let store = bench.handle(&name);
    for (text, value) in [("a", 1), ("b", 1), ("c", 1), ("e", 1)] {
        store.put(&key(text), &value).expect("a put");
    }
    bench.store().commit(Some(4)).expect("a commit");
    bench.store().flush(1).expect("a flush");
    bench.store().evict(usize::MAX);
    for (text, value) in [("b", Some(2)), ("d", Some(2)), ("e", None)] {
        store.put(&key(text), value.as_ref()).expect("a put");
    }
    bench.store().commit(Some(7)).expect("a commit");
    store.put(&key("d"), &3).expect("a put");
    store.delete(&key("a")).expect("a delete");
    let rows: Vec<_> = store.all().expect("a scan").map(|row| row.expect("a row")).collect();
    assert_eq!(rows, [(key("b"), 2), (key("c"), 1), (key("d"), 3)]);
}

#[test]
fn long_scans_are_read_in_chunks_that_miss_nothing() {
    let factory = counts(persistent());
    let name = factory.store_name();
    let bench = open(factory);
    let store = bench.handle(&name);
    for number in 0..5_000_i64 {
        store.put(&number.to_be_bytes().to_vec(), &number).expect("a put");
        if number == 3_000 {
            bench.store().commit(Some(1)).expect("a commit");
            bench.store().flush(1).expect("a flush");
            bench.store().evict(usize::MAX);
        }
    }
    let mut numbers = Vec::new();
    for row in store.all().expect("a scan") {
        let (key, number) = row.expect("a row");
        // Deleted while it is read, and what is ahead as well.
        store.delete(&key).expect("a delete");
        store.put(&(number + 100).to_be_bytes().to_vec(), None).expect("a put");
        numbers.push(number);
    }
    assert!(numbers.iter().copied().eq(0..5_000));
    assert_eq!(store.reverse_all().expect("a scan").count(), 0);
}
