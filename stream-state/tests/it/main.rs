//! Behaviour of the stores, from outside.

mod bounded;
mod buffer;
mod conformance;
mod durability;
#[cfg(feature = "fault-injection")]
mod fault;
mod full_disk;
mod headers;
mod iterators;
mod key_value;
mod memory;
mod sessions;
mod tables;
mod versioned;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use stream_core::serdes::{Serde, SerdeContext, SerdeError, SerdeRef};
use stream_core::store::{ChangelogRecord, ChangelogSink, StateStore, StoreFactory};
use stream_core::{Headers, Result};
use stream_state::conformance::{Bench, RawBytes};
use stream_state::{
    KeyValueBytesStoreSupplier, KeyValueStoreBuilder, Stores, TimestampedKeyValueStoreBuilder, TimestampedWindowStoreBuilder,
    WindowBytesStoreSupplier,
};

type Bytes = Vec<u8>;

fn bytes() -> SerdeRef<Bytes> {
    Arc::new(RawBytes)
}

/// 8-byte big-endian, as Java writes a long.
struct Long;

impl Serde<i64> for Long {
    fn serialize(&self, value: &i64, out: &mut Vec<u8>, _: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], _: &SerdeContext<'_>) -> Result<i64, SerdeError> {
        bytes.try_into().map(i64::from_be_bytes).map_err(|error| SerdeError::bad("a long has 8 bytes").with_source(error))
    }
}

fn longs() -> SerdeRef<i64> {
    Arc::new(Long)
}

fn persistent() -> KeyValueBytesStoreSupplier {
    Stores::persistent_key_value_store("store")
}

fn in_memory() -> KeyValueBytesStoreSupplier {
    Stores::in_memory_key_value_store("store")
}

fn counts(supplier: KeyValueBytesStoreSupplier) -> KeyValueStoreBuilder<Bytes, i64> {
    Stores::key_value_store_builder(supplier, bytes(), longs())
}

fn timestamped(supplier: KeyValueBytesStoreSupplier) -> TimestampedKeyValueStoreBuilder<Bytes, i64> {
    Stores::timestamped_key_value_store_builder(supplier, bytes(), longs())
}

fn windowed(supplier: Result<WindowBytesStoreSupplier>) -> TimestampedWindowStoreBuilder<Bytes, i64> {
    Stores::timestamped_window_store_builder(supplier.expect("a valid supplier"), bytes(), longs())
}

/// Two minutes of retention, in segments of one.
fn persistent_windows(retain_duplicates: bool) -> Result<WindowBytesStoreSupplier> {
    Stores::persistent_window_store("store", Duration::from_secs(120), Duration::from_secs(10), retain_duplicates)
}

fn open(factory: impl StoreFactory) -> Bench {
    Bench::new(Arc::new(factory), true)
}

fn key(text: &str) -> Bytes {
    text.as_bytes().to_vec()
}

/// What a commit would send: key, value, timestamp.
fn logged(store: &dyn StateStore) -> Vec<(Bytes, Option<Bytes>, i64)> {
    struct Log(Vec<(Bytes, Option<Bytes>, i64)>);
    impl ChangelogSink for Log {
        fn log(&mut self, record: &ChangelogRecord<'_>) -> Result<()> {
            self.0.push((record.key.to_vec(), record.value.map(<[u8]>::to_vec), record.timestamp));
            Ok(())
        }
    }
    let mut log = Log(Vec::new());
    store.log_changes(&mut log).expect("a sink that takes everything");
    log.0
}

/// Key, value, timestamp.
type Restored<'a> = (&'a [u8], Option<&'a [u8]>, i64);

fn restore(store: &dyn StateStore, records: &[Restored<'_>], position: i64) -> Result<()> {
    let headers = Headers::new();
    let mut records =
        records.iter().map(|(key, value, timestamp)| ChangelogRecord { key, value: *value, timestamp: *timestamp, headers: &headers });
    store.restore(&mut records, position)
}
