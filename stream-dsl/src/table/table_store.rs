//! [`TableStore`]: the store of a table, whether it keeps one value per key or versions.

use stream_core::Result;
use stream_core::processor::InitContext;
use stream_core::store::StoreName;
use stream_state::{CachedChange, PutVersion, TimestampedKeyValueStore, ValueAndTimestamp, VersionedKeyValueStore};

/// The store of a table, for the processor that keeps it and for those that read it.
pub(crate) enum TableStore<K, V> {
    Timestamped(TimestampedKeyValueStore<K, V>),
    Versioned(VersionedKeyValueStore<K, V>),
}

/// What became of a row that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is the latest of its key.
    Latest,
    /// A later version of the row is there.
    OutOfOrder,
    /// It was refused, and is not told (trap T76).
    Refused,
}

impl<K: 'static, V: 'static> TableStore<K, V> {
    /// Which of both it is, the store knows.
    pub(crate) fn open(cx: &InitContext<'_>, name: &StoreName<TimestampedKeyValueStore<K, V>>) -> Result<Self> {
        cx.store(name).map(Self::Timestamped).or_else(|error| {
            let versioned = StoreName::<VersionedKeyValueStore<K, V>>::from_string(name.as_str());
            cx.store(&versioned).map(Self::Versioned).map_err(|_| error)
        })
    }

    /// The latest row.
    pub(crate) fn get(&self, key: &K) -> Result<Option<ValueAndTimestamp<V>>> {
        match self {
            Self::Timestamped(store) => store.get(key),
            Self::Versioned(store) => Ok(store.get(key)?.map(|row| ValueAndTimestamp::new(row.value, row.timestamp))),
        }
    }

    /// The row as of a time (ms), where the store knows; else the latest.
    pub(crate) fn get_as_of(&self, key: &K, timestamp: i64) -> Result<Option<ValueAndTimestamp<V>>> {
        match self {
            Self::Timestamped(store) => store.get(key),
            Self::Versioned(store) => Ok(store.get_as_of(key, timestamp)?.map(|row| ValueAndTimestamp::new(row.value, row.timestamp))),
        }
    }

    pub(crate) fn put(&self, key: &K, value: Option<&V>, timestamp: i64) -> Result<Put> {
        match self {
            Self::Timestamped(store) => {
                store.put(key, value.map(|value| ValueAndTimestamp::new(value, timestamp)))?;
                Ok(Put::Latest)
            }
            Self::Versioned(store) => Ok(match store.put(key, value, timestamp)? {
                PutVersion::Latest => Put::Latest,
                PutVersion::ValidTo(_) => Put::OutOfOrder,
                PutVersion::Expired => Put::Refused,
            }),
        }
    }

    pub(crate) fn is_caching(&self) -> bool {
        match self {
            Self::Timestamped(store) => store.is_caching(),
            Self::Versioned(_) => false,
        }
    }

    pub(crate) fn next_change(&self) -> Result<Option<CachedChange<K, ValueAndTimestamp<V>>>> {
        match self {
            Self::Timestamped(store) => store.next_change(),
            Self::Versioned(_) => Ok(None),
        }
    }
}
