#![doc = include_str!("../README.md")]

mod bytes;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod key;
mod kv;
mod layer;
mod store;
mod stores;
mod value;
mod window;

pub use kv::{
    CachedChange, KeyValue, KeyValueBuilder, KeyValueBytesStoreSupplier, KeyValueIterator, KeyValueStore, KeyValueStoreBuilder,
    TimestampedKeyValueStore, TimestampedKeyValueStoreBuilder,
};
pub use stores::Stores;
pub use value::{Envelope, Plain, Timestamped, ValueAndTimestamp};
pub use window::{
    TimestampedWindowStore, TimestampedWindowStoreBuilder, Window, WindowBuilder, WindowBytesStoreSupplier, WindowIterator, WindowKey,
    WindowStore, WindowStoreBuilder, WindowedIterator,
};
