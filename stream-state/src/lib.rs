#![doc = include_str!("../README.md")]

mod buffer;
mod bytes;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod key;
mod kv;
mod layer;
mod session;
mod store;
mod stores;
mod value;
mod versioned;
mod window;

pub use buffer::{BufferBytesStoreSupplier, BufferedChange, SuppressBuffer, TimeOrderedBuffer, TimeOrderedBufferBuilder};
pub use kv::{
    CachedChange, KeyValue, KeyValueBytesStoreSupplier, KeyValueIterator, KeyValueStore, KeyValueStoreBuilder, ListValueStore,
    ListValueStoreBuilder, TimestampedKeyValueStore, TimestampedKeyValueStoreBuilder, TimestampedKeyValueStoreWithHeaders,
    TimestampedKeyValueStoreWithHeadersBuilder,
};
pub use session::{
    Session, SessionBytesStoreSupplier, SessionIterator, SessionKey, SessionStore, SessionStoreBuilder, SessionStoreWithHeaders,
    SessionStoreWithHeadersBuilder,
};
pub use store::{BytesStoreSupplier, StoreBuilder};
pub use stores::Stores;
pub use value::{
    AggregationWithHeaders, BufferedValue, Envelope, Listed, Plain, SessionWithHeaders, Timestamped, ValueAndTimestamp,
    ValueTimestampHeaders, Versioned, WithHeaders,
};
pub use versioned::{
    PutVersion, VersionedBytesStoreSupplier, VersionedKeyValueStore, VersionedKeyValueStoreBuilder, VersionedRecord, Versions,
};
pub use window::{
    TimestampedWindowStore, TimestampedWindowStoreBuilder, TimestampedWindowStoreWithHeaders, TimestampedWindowStoreWithHeadersBuilder,
    Window, WindowBytesStoreSupplier, WindowIterator, WindowKey, WindowStore, WindowStoreBuilder, WindowedIterator,
};
