//! Memory stays within bounds, whatever the number of keys.

use super::{counts, open, persistent};

#[test]
fn eviction_bounds_memory_and_every_row_stays_readable() {
    const BOUND: usize = 256 * 1024;
    let factory = counts(persistent());
    let name = factory.store_name();
    let bench = open(factory);
    let store = bench.handle(&name);
    let key = |number: i64| number.to_be_bytes().repeat(4);
    for number in 0..20_000_i64 {
        store.put(&key(number), &number).expect("a put");
        if number % 500 == 499 {
            bench.store().commit(Some(number)).expect("a commit");
            bench.store().flush(number).expect("a flush");
            let excess = bench.memory().layer_bytes().saturating_sub(BOUND);
            bench.store().evict(excess);
            assert!(bench.memory().layer_bytes() <= BOUND);
        }
    }
    for number in (0..20_000).rev().step_by(7) {
        assert_eq!(store.get(&key(number)).expect("a get"), Some(number));
    }
    assert_eq!(store.all().expect("a scan").count(), 20_000);
}

#[test]
fn dirty_and_unflushed_entries_are_never_evicted() {
    let factory = counts(persistent());
    let name = factory.store_name();
    let bench = open(factory);
    let store = bench.handle(&name);
    store.put(&vec![1], &1).expect("a put");
    assert_eq!(bench.store().evict(usize::MAX), 0);
    bench.store().commit(Some(1)).expect("a commit");
    assert_eq!(bench.store().evict(usize::MAX), 0);
    assert_eq!(bench.store().unflushed().entries, 1);
    bench.store().flush(1).expect("a flush");
    assert!(bench.store().evict(usize::MAX) > 0);
    assert_eq!(store.get(&vec![1]).expect("a get"), Some(1));
}
