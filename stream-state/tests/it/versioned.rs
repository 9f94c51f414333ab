//! Versioned stores, in memory and in RocksDB.

use std::sync::Arc;
use std::time::Duration;

use stream_core::store::{StoreFactory, StoreName};
use stream_state::conformance;
use stream_state::{PutVersion, Stores, VersionedBytesStoreSupplier, VersionedKeyValueStore};

use super::{Bytes, bytes, key, logged, open};

type Handle = VersionedKeyValueStore<Bytes, Bytes>;

const HISTORY: Duration = Duration::from_millis(100);

fn versioned(supplier: VersionedBytesStoreSupplier) -> Arc<dyn StoreFactory> {
    Arc::new(Stores::versioned_key_value_store_builder(supplier, bytes(), bytes()))
}

fn suppliers() -> [VersionedBytesStoreSupplier; 2] {
    [Stores::in_memory_versioned_key_value_store("store", HISTORY), Stores::persistent_versioned_key_value_store("store", HISTORY)]
}

fn name() -> StoreName<Handle> {
    StoreName::new("store")
}

#[test]
fn versioned_stores_behave_like_a_map_of_versions() {
    conformance::versions_behave_like_a_map(&|| versioned(Stores::in_memory_versioned_key_value_store("store", HISTORY)), 300);
    conformance::versions_behave_like_a_map(&|| versioned(Stores::persistent_versioned_key_value_store("store", HISTORY)), 60);
    let small = || Stores::in_memory_versioned_key_value_store("store", HISTORY).with_segment_interval(Duration::from_millis(10));
    conformance::versions_behave_like_a_map(&|| versioned(small().expect("an interval")), 300);
}

#[test]
fn t76_a_version_behind_the_history_is_refused_and_still_logged() {
    for supplier in suppliers() {
        let bench = super::Bench::new(versioned(supplier), false);
        let store = bench.handle(&name());
        assert_eq!(store.put(&key("a"), &key("new"), 200).expect("a put"), PutVersion::Latest);
        assert_eq!(store.put(&key("a"), &key("edge"), 100).expect("a put"), PutVersion::ValidTo(200));
        assert_eq!(store.put(&key("a"), &key("old"), 99).expect("a put"), PutVersion::Expired);
        assert_eq!(store.get_as_of(&key("a"), 99).expect("a read"), None);
        let times: Vec<i64> = logged(&**bench.store()).iter().map(|(_, _, at)| *at).collect();
        assert_eq!(times, [200, 100, 99]);
    }
}

#[test]
fn t77_behind_the_history_only_the_latest_version_is_found() {
    for supplier in suppliers() {
        let bench = super::Bench::new(versioned(supplier), false);
        let store = bench.handle(&name());
        store.put(&key("a"), &key("one"), 10).expect("a put");
        store.put(&key("a"), &key("two"), 20).expect("a put");
        store.put(&key("b"), &key("far"), 200).expect("a put");
        assert_eq!(store.get_as_of(&key("a"), 15).expect("a read"), None, "it is still there, and not shown");
        let latest = store.get_as_of(&key("a"), 25).expect("a read").expect("the latest version");
        assert_eq!((latest.value, latest.timestamp, latest.valid_to), (key("two"), 20, None));
    }
}

#[test]
fn t78_a_tombstone_is_a_version_and_an_empty_value_is_not_one() {
    for supplier in suppliers() {
        let bench = super::Bench::new(versioned(supplier), false);
        let store = bench.handle(&name());
        store.put(&key("a"), &Vec::new(), 10).expect("a put");
        store.delete(&key("a"), 20).expect("a deletion");
        assert_eq!(store.get_as_of(&key("a"), 15).expect("a read").map(|row| row.value), Some(Vec::new()));
        assert_eq!(store.get_as_of(&key("a"), 25).expect("a read"), None);
        assert_eq!(logged(&**bench.store()), [(key("a"), Some(Vec::new()), 10), (key("a"), None, 20)]);
    }
}

#[test]
fn a_restore_from_a_commit_with_three_versions_of_one_key_has_all_three() {
    let bench = super::Bench::new(versioned(Stores::in_memory_versioned_key_value_store("store", HISTORY)), false);
    let store = bench.handle(&name());
    for (value, at) in [("one", 10), ("three", 30), ("two", 20)] {
        store.put(&key("a"), &key(value), at).expect("a put");
    }
    let records = logged(&**bench.store());
    let restored =
        open(Stores::versioned_key_value_store_builder(Stores::persistent_versioned_key_value_store("store", HISTORY), bytes(), bytes()));
    let records: Vec<super::Restored<'_>> = records.iter().map(|(key, value, at)| (&key[..], value.as_deref(), *at)).collect();
    super::restore(&**restored.store(), &records, 3).expect("a restore");
    let restored = restored.handle(&name());
    for at in [5, 10, 19, 20, 29, 30, 99] {
        assert_eq!(restored.get_as_of(&key("a"), at).expect("a read"), store.get_as_of(&key("a"), at).expect("a read"), "{at}");
    }
}
