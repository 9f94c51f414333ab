//! Stores that a case declares, and the commands on them.

use std::sync::Arc;
use std::time::Duration;

use kstreams::core::processor::InitContext;
use kstreams::core::store::{ChangelogConfig, OpenedStore, StoreFactory, StoreName, StoreOpen};
use kstreams::core::{BoxError, Error};
use kstreams::state::{
    BytesStoreSupplier, Envelope, KeyValueStore, SessionBytesStoreSupplier, SessionStore, StoreBuilder, Stores, TimestampedKeyValueStore,
    TimestampedWindowStore, ValueAndTimestamp, VersionedBytesStoreSupplier, VersionedKeyValueStore, WindowBytesStoreSupplier, WindowStore,
};
use serde_json::Value;

use super::datum::{Datum, Nullable, Type, text};
use super::program::{Done, max_entries, out, string, topic_configs};
use super::store_commands;

/// The factory of a declared store.
pub fn factory(spec: &Value) -> Done<Arc<dyn StoreFactory>> {
    let (name, kind) = (string(spec, "name")?.to_owned(), string(spec, "kind")?);
    let (keys, values) = (Type::of(&spec["key"]).serde(), Type::of(&spec["value"]).serde());
    let plain = |supplier| configured(spec, Stores::key_value_store_builder(supplier, keys.clone(), values.clone()));
    let stamped = |supplier| configured(spec, Stores::timestamped_key_value_store_builder(supplier, keys.clone(), values.clone()));
    Ok(match kind {
        "kv-in-memory" => plain(Stores::in_memory_key_value_store(name)),
        "kv-persistent" => plain(Stores::persistent_key_value_store(name)),
        "timestamped-in-memory" => stamped(Stores::in_memory_key_value_store(name)),
        "timestamped-persistent" => stamped(Stores::persistent_key_value_store(name)),
        "kv-lru" => plain(Stores::lru_map(name, max_entries(spec)?)),
        "versioned" => configured(spec, Stores::versioned_key_value_store_builder(versioned_supplier(spec)?, keys, values)),
        "window-in-memory" | "window-persistent" => configured(spec, Stores::window_store_builder(window_supplier(spec)?, keys, values)),
        "timestamped-window-in-memory" | "timestamped-window-persistent" => {
            configured(spec, Stores::timestamped_window_store_builder(window_supplier(spec)?, keys, values))
        }
        "session-in-memory" | "session-persistent" => {
            configured(spec, Stores::session_store_builder(session_supplier(spec)?, keys, values))
        }
        other => return out(format_args!("store kind {other}")),
    })
}

/// A declared store for those who want a factory of their own.
pub struct Declared(pub Arc<dyn StoreFactory>);

impl StoreFactory for Declared {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn changelog(&self) -> Option<&ChangelogConfig> {
        self.0.changelog()
    }

    fn is_persistent(&self) -> bool {
        self.0.is_persistent()
    }

    fn open(&self, open: &StoreOpen) -> Result<OpenedStore, Error> {
        self.0.open(open)
    }
}

/// The supplier of a versioned store.
pub fn versioned_supplier(spec: &Value) -> Done<VersionedBytesStoreSupplier> {
    let ms = |field: &str| spec[field].as_u64().map(Duration::from_millis);
    let supplier = Stores::persistent_versioned_key_value_store(string(spec, "name")?, ms("history-ms").ok_or("history-ms")?);
    match ms("segment-ms") {
        Some(segment) => supplier.with_segment_interval(segment).map_err(|error| error.to_string()),
        None => Ok(supplier),
    }
}

fn window_supplier(spec: &Value) -> Done<WindowBytesStoreSupplier> {
    let ms = |field: &str| spec[field].as_u64().map(Duration::from_millis).ok_or_else(|| field.to_owned());
    let (name, retention, size, duplicates) = (string(spec, "name")?, ms("retention-ms")?, ms("window-ms")?, spec["duplicates"] == true);
    let supplier = if string(spec, "kind")?.ends_with("in-memory") {
        Stores::in_memory_window_store(name, retention, size, duplicates)
    } else {
        Stores::persistent_window_store(name, retention, size, duplicates)
    };
    supplier.map_err(|error| error.to_string())
}

fn session_supplier(spec: &Value) -> Done<SessionBytesStoreSupplier> {
    let retention = Duration::from_millis(spec["retention-ms"].as_u64().ok_or("retention-ms")?);
    Ok(if string(spec, "kind")?.ends_with("in-memory") {
        Stores::in_memory_session_store(string(spec, "name")?, retention)
    } else {
        Stores::persistent_session_store(string(spec, "name")?, retention)
    })
}

fn configured<S, E>(spec: &Value, builder: StoreBuilder<S, Datum, E>) -> Arc<dyn StoreFactory>
where
    S: BytesStoreSupplier,
    E: Envelope + Clone + Send + Sync,
{
    let builder = if spec["caching"] == true { builder.with_caching_enabled() } else { builder };
    Arc::new(match topic_configs(spec) {
        Some(configs) => builder.with_logging_enabled(configs),
        None => builder.with_logging_disabled(),
    })
}

/// A store in the hands of a processor.
pub enum Store {
    Plain(KeyValueStore<Datum, Datum>),
    Timestamped(TimestampedKeyValueStore<Datum, Datum>),
    /// A count of the DSL.
    Counts(TimestampedKeyValueStore<Datum, i64>),
    Versioned(VersionedKeyValueStore<Datum, Datum>),
    VersionedCounts(VersionedKeyValueStore<Datum, i64>),
    Window(WindowStore<Datum, Datum>),
    TimestampedWindow(TimestampedWindowStore<Datum, Datum>),
    Session(SessionStore<Datum, Datum>),
}

/// A row: the value, and its time if the store keeps it.
type Row = (Datum, Option<i64>);

impl Store {
    pub fn open(cx: &InitContext<'_>, name: &str) -> Result<Self, Error> {
        let plain = cx.store(&StoreName::<KeyValueStore<Datum, Datum>>::from_string(name)).map(Self::Plain);
        let timestamped = |_| cx.store(&StoreName::<TimestampedKeyValueStore<Datum, Datum>>::from_string(name)).map(Self::Timestamped);
        let counts = |_| cx.store(&StoreName::<TimestampedKeyValueStore<Datum, i64>>::from_string(name)).map(Self::Counts);
        let versioned = |_| cx.store(&StoreName::<VersionedKeyValueStore<Datum, Datum>>::from_string(name)).map(Self::Versioned);
        let versioned_counts = |_| cx.store(&StoreName::<VersionedKeyValueStore<Datum, i64>>::from_string(name)).map(Self::VersionedCounts);
        let window = |_| cx.store(&StoreName::<WindowStore<Datum, Datum>>::from_string(name)).map(Self::Window);
        let stamped_window =
            |_| cx.store(&StoreName::<TimestampedWindowStore<Datum, Datum>>::from_string(name)).map(Self::TimestampedWindow);
        let session = |_| cx.store(&StoreName::<SessionStore<Datum, Datum>>::from_string(name)).map(Self::Session);
        let key_value = plain.or_else(timestamped).or_else(counts);
        key_value.or_else(versioned).or_else(versioned_counts).or_else(window).or_else(stamped_window).or_else(session)
    }

    pub fn row(&self, key: &Datum) -> Result<Option<Row>, Error> {
        Ok(match self {
            Self::Plain(store) => store.get(key)?.map(|value| (value, None)),
            Self::Timestamped(store) => store.get(key)?.map(|row| (row.value, Some(row.timestamp))),
            Self::Counts(store) => store.get(key)?.map(|row| (Datum::Long(row.value), Some(row.timestamp))),
            Self::Versioned(store) => store.get(key)?.map(|row| (row.value, Some(row.timestamp))),
            Self::VersionedCounts(store) => store.get(key)?.map(|row| (Datum::Long(row.value), Some(row.timestamp))),
            Self::Window(_) | Self::TimestampedWindow(_) | Self::Session(_) => return Err(no_rows()),
        })
    }

    pub fn get(&self, key: &Datum) -> Result<Nullable, Error> {
        Ok(self.row(key)?.map(|(value, _)| value))
    }

    /// The row as `str()` shows it.
    pub fn shown(&self, key: &Datum) -> Result<String, Error> {
        Ok(self.row(key)?.map_or_else(|| "null".to_owned(), |row| shown(&row)))
    }

    pub fn put(&self, key: &Datum, value: Nullable, timestamp: i64) -> Result<(), Error> {
        match self {
            Self::Plain(store) => store.put(key, value.as_ref()),
            Self::Timestamped(store) => store.put(key, value.as_ref().map(|value| ValueAndTimestamp::new(value, timestamp))),
            Self::Counts(store) => match value {
                Some(Datum::Long(number)) => store.put(key, ValueAndTimestamp::new(&number, timestamp)),
                _ => store.put(key, None),
            },
            Self::Versioned(store) => store.put(key, value.as_ref(), timestamp).map(drop),
            Self::VersionedCounts(_) | Self::Window(_) | Self::TimestampedWindow(_) | Self::Session(_) => Err(no_rows()),
        }
    }

    pub fn rows(&self, reverse: bool) -> Result<Vec<(Datum, Row)>, Error> {
        match self {
            Self::Plain(store) => {
                let rows = if reverse { store.reverse_all()? } else { store.all()? };
                rows.map(|row| row.map(|(key, value)| (key, (value, None)))).collect()
            }
            Self::Timestamped(store) => {
                let rows = if reverse { store.reverse_all()? } else { store.all()? };
                rows.map(|row| row.map(|(key, row)| (key, (row.value, Some(row.timestamp))))).collect()
            }
            Self::Counts(store) => {
                let rows = if reverse { store.reverse_all()? } else { store.all()? };
                rows.map(|row| row.map(|(key, row)| (key, (Datum::Long(row.value), Some(row.timestamp))))).collect()
            }
            _ => Err(no_rows()),
        }
    }

    /// Runs a command on the row of a key, and gives its result as text.
    pub fn command(&self, command: &str, key: &Datum, timestamp: i64, window_ms: i64) -> Result<String, BoxError> {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let arguments: Vec<&str> = rest.split(' ').filter(|argument| !argument.is_empty()).collect();
        let argument = |at: usize| arguments.get(at).map(|text| (*text).to_owned());
        match self {
            Self::Plain(store) => store_commands::key_value(store, word, &arguments, key),
            Self::Versioned(store) => store_commands::versioned(store, word, &arguments, key),
            Self::Window(store) => store_commands::window(store, word, &arguments, key, timestamp, window_ms),
            Self::TimestampedWindow(store) => store_commands::window(store, word, &arguments, key, timestamp, window_ms),
            Self::Session(store) => store_commands::session(store, word, &arguments, key),
            _ => match word {
                "get" => Ok(self.shown(key)?),
                "put" => Ok(self.put(key, argument(0).map(Datum::Text), timestamp).map(|()| "ok".to_owned())?),
                _ => Err(format!("no command {word} on this store").into()),
            },
        }
    }
}

fn shown((value, timestamp): &Row) -> String {
    let value = text(&Some(value.clone()));
    timestamp.map_or(value.clone(), |timestamp| format!("{value}@{timestamp}"))
}

fn no_rows() -> Error {
    Error::invalid("this store has no rows of keys without a time")
}
