//! Key-value stores: encodings, nulls, errors.

use std::sync::Arc;

use stream_core::store::StoreName;
use stream_core::{BoxError, Error, ErrorKind};
use stream_state::conformance::{Bench, RawBytes};
use stream_state::{KeyValueStore, Stores, ValueAndTimestamp};

use super::{Bytes, counts, in_memory, key, logged, longs, open, persistent, restore, timestamped};

#[test]
fn a_timestamped_row_is_logged_as_plain_value_with_its_timestamp() {
    let factory = timestamped(persistent());
    let name = factory.store_name();
    let bench = open(factory);
    bench.current().replace_timestamp(5);
    bench.handle(&name).put(&key("a"), ValueAndTimestamp::new(&7, 1_000)).expect("a put");
    bench.handle(&name).delete(&key("b")).expect("a delete");
    let expected = [(key("a"), Some(7_i64.to_be_bytes().to_vec()), 1_000), (key("b"), None, 5)];
    assert_eq!(logged(&**bench.store()), expected);
}

#[test]
fn a_plain_changelog_record_restores_as_timestamped_row() {
    let factory = timestamped(persistent());
    let name = factory.store_name();
    let bench = open(factory);
    let seven = 7_i64.to_be_bytes();
    restore(&**bench.store(), &[(b"a", Some(&seven), 1_000), (b"b", Some(&seven), 1_001), (b"b", None, 1_002)], 3).expect("a restore");
    assert_eq!(bench.handle(&name).get(&key("a")).expect("a get"), Some(ValueAndTimestamp::new(7, 1_000)));
    assert_eq!(bench.handle(&name).get(&key("b")).expect("a get"), None);
    assert_eq!(bench.store().changelog_position(), Some(3));
    restore(&**bench.store(), &[], 9).expect("a restore of nothing");
    assert_eq!(bench.store().changelog_position(), Some(9), "a position moves without records, too");
}

#[test]
fn put_takes_a_value_an_option_or_none() {
    let factory = counts(in_memory());
    let name = factory.store_name();
    let bench = open(factory);
    let store = bench.handle(&name);
    store.put(&key("a"), &1).expect("a put");
    store.put(&key("b"), Some(&2)).expect("a put");
    store.put(&key("a"), None).expect("a put");
    store.put_all([(&key("c"), Some(&3)), (&key("b"), None)]).expect("a put of all");
    let rows: Result<Vec<_>, _> = store.all().expect("a scan").collect();
    assert_eq!(rows.expect("rows"), [(key("c"), 3)]);
    assert_eq!(store.approximate_num_entries(), 1);
}

#[test]
fn keys_are_in_unsigned_byte_order_so_negative_numbers_come_last() {
    let factory = stream_state::Stores::key_value_store_builder(in_memory(), longs(), longs());
    let name = factory.store_name();
    let bench = open(factory);
    let store = bench.handle(&name);
    for number in [-1, 1, 0, -5] {
        store.put(&number, &number).expect("a put");
    }
    let keys = |rows: stream_state::KeyValueIterator<'_, _, _>| rows.map(|row| row.expect("a row").0).collect::<Vec<i64>>();
    assert_eq!(keys(store.all().expect("a scan")), [0, 1, -5, -1]);
    assert!(keys(store.range(-5..=1).expect("a range")).is_empty(), "a range that ends before it begins gives nothing");
    assert_eq!(keys(store.range(&0..=&1).expect("a range")), [0, 1]);
    assert_eq!(keys(store.reverse_range(1..).expect("a range")), [-1, -5, 1]);
}

#[test]
fn an_error_names_the_store_and_keeps_its_kind_through_a_processor() {
    let factory = counts(in_memory());
    let name = factory.store_name();
    let bench = open(factory);
    restore(&**bench.store(), &[(b"a", Some(b"short"), 0)], 1).expect("a restore");
    let processor = || -> Result<(), BoxError> {
        bench.handle(&name).get(&key("a"))?;
        Ok(())
    };
    let error = processor().expect_err("five bytes are no long").downcast::<Error>().expect("our error");
    assert_eq!(error.kind(), ErrorKind::User);
    assert!(error.to_string().starts_with("store store: the value serde failed: a long has 8 bytes"), "{error}");
}

#[test]
fn handles_of_another_type_are_not_given_out() {
    let bench = open(counts(in_memory()));
    let handle = std::rc::Rc::clone(bench.store()).handle();
    assert!(handle.downcast::<KeyValueStore<String, i64>>().is_err());
    assert!(bench.store().handle_type().contains("KeyValue"));
    let name = StoreName::<KeyValueStore<Vec<u8>, i64>>::new("store");
    let _handle = bench.handle(&name);
}

#[test]
fn a_store_is_not_detached_while_a_handle_is_held() {
    let factory = counts(in_memory());
    let name = factory.store_name();
    let mut bench = open(factory);
    bench.handle(&name).put(&key("a"), &1).expect("a put");
    bench.hand_over();
    assert!(bench.store().is_dirty(), "all layers travel");
    let held = bench.handle(&name);
    assert!(std::rc::Rc::clone(bench.store()).detach().is_none());
    assert_eq!(held.get(&key("a")).expect("a get"), Some(1));
}

#[test]
fn a_list_value_store_keeps_all_values_of_a_key_in_their_order() {
    let name = StoreName::<stream_state::ListValueStore<Bytes, Bytes>>::new("store");
    for supplier in [Stores::in_memory_key_value_store("store"), Stores::persistent_key_value_store("store")] {
        let factory = Stores::list_value_store_builder(supplier, Arc::new(RawBytes), Arc::new(RawBytes));
        let mut bench = Bench::new(Arc::new(factory), false);
        let key = b"k".to_vec();
        let list = |bench: &Bench| bench.handle(&name).get(&key).expect("a get").unwrap_or_default();
        for value in [&b"1"[..], b"", b"333"] {
            bench.handle(&name).append(&key, &value.to_vec()).expect("an append");
        }
        let whole = vec![b"1".to_vec(), Vec::new(), b"333".to_vec()];
        assert_eq!(list(&bench), whole);
        bench.store().commit(Some(1)).expect("a commit");
        bench.handle(&name).append(&key, &b"lost".to_vec()).expect("an append");
        bench.store().discard();
        assert_eq!(list(&bench), whole, "an abort takes back what was added");
        if bench.store().is_persistent() {
            bench.store().flush(0).expect("a flush");
            bench.kill();
            assert_eq!(list(&bench), whole);
        }
        bench.handle(&name).put(&key, &Vec::new()).expect("a put");
        assert_eq!(bench.handle(&name).get(&key).expect("a get"), None, "a list without values is no row");
    }
}
