//! The conformance functions over the stores of this crate.

use std::sync::Arc;
use std::time::Duration;

use stream_core::serdes::SerdeRef;
use stream_core::store::StoreFactory;
use stream_state::conformance::{self, RawBytes, RowOrder};
use stream_state::{KeyValueBytesStoreSupplier, SessionBytesStoreSupplier, Stores, WindowBytesStoreSupplier};

fn bytes() -> SerdeRef<Vec<u8>> {
    Arc::new(RawBytes)
}

fn plain(supplier: KeyValueBytesStoreSupplier) -> Arc<dyn StoreFactory> {
    Arc::new(Stores::key_value_store_builder(supplier, bytes(), bytes()))
}

fn cached(supplier: KeyValueBytesStoreSupplier) -> Arc<dyn StoreFactory> {
    Arc::new(Stores::timestamped_key_value_store_builder(supplier, bytes(), bytes()).with_caching_enabled())
}

#[test]
fn an_in_memory_store_behaves_like_a_map() {
    conformance::layers_behave_like_a_map(&|| plain(Stores::in_memory_key_value_store("store")), 400);
}

#[test]
fn a_persistent_store_behaves_like_a_map() {
    conformance::layers_behave_like_a_map(&|| plain(Stores::persistent_key_value_store("store")), 60);
}

#[test]
fn changes_are_logged_once_in_the_order_of_the_last_write() {
    conformance::changes_are_logged_once_in_the_order_of_the_last_write(plain(Stores::in_memory_key_value_store("store")));
    conformance::changes_are_logged_once_in_the_order_of_the_last_write(plain(Stores::persistent_key_value_store("store")));
}

#[test]
fn a_cached_table_drains_like_a_map_of_changes() {
    conformance::drains_behave_like_a_map_of_changes(&|| cached(Stores::in_memory_key_value_store("store")), 300);
    conformance::drains_behave_like_a_map_of_changes(&|| cached(Stores::persistent_key_value_store("store")), 60);
}

const RETENTION: Duration = Duration::from_secs(120);

fn windowed(supplier: stream_core::Result<WindowBytesStoreSupplier>) -> Arc<dyn StoreFactory> {
    Arc::new(Stores::timestamped_window_store_builder(supplier.expect("a valid retention"), bytes(), bytes()))
}

#[test]
fn an_in_memory_window_store_behaves_like_a_map() {
    let factory = || windowed(Stores::in_memory_window_store("store", RETENTION, Duration::from_secs(10), false));
    conformance::windows_behave_like_a_map(&factory, RowOrder::Memory, 400);
}

#[test]
fn a_persistent_window_store_behaves_like_a_map() {
    let factory = || windowed(Stores::persistent_window_store("store", RETENTION, Duration::from_secs(10), false));
    conformance::windows_behave_like_a_map(&factory, RowOrder::Segment, 60);
}

#[test]
fn window_stores_ordered_by_time_behave_like_a_map() {
    let size = Duration::from_secs(10);
    let memory =
        || windowed(Stores::in_memory_window_store("store", RETENTION, size, false).map(WindowBytesStoreSupplier::ordered_by_time));
    conformance::windows_behave_like_a_map(&memory, RowOrder::Memory, 200);
    let disk = || windowed(Stores::persistent_window_store("store", RETENTION, size, false).map(WindowBytesStoreSupplier::ordered_by_time));
    conformance::windows_behave_like_a_map(&disk, RowOrder::Time, 60);
}

fn sessions(supplier: SessionBytesStoreSupplier) -> Arc<dyn StoreFactory> {
    Arc::new(Stores::session_store_builder(supplier, bytes(), bytes()))
}

#[test]
fn session_stores_behave_like_a_map() {
    let memory = || Stores::in_memory_session_store("store", RETENTION);
    conformance::sessions_behave_like_a_map(&|| sessions(memory()), RowOrder::Memory, false, 200);
    conformance::sessions_behave_like_a_map(&|| sessions(memory().ordered_by_time()), RowOrder::Memory, true, 200);
    let disk = || Stores::persistent_session_store("store", RETENTION);
    conformance::sessions_behave_like_a_map(&|| sessions(disk()), RowOrder::Segment, false, 60);
    conformance::sessions_behave_like_a_map(&|| sessions(disk().ordered_by_time()), RowOrder::Time, true, 60);
}
