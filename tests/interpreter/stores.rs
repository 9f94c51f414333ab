//! Stores that a case declares, and the commands on them.

use std::sync::Arc;

use kstreams::core::processor::InitContext;
use kstreams::core::serdes::Serdes;
use kstreams::core::store::{StoreFactory, StoreName};
use kstreams::core::{BoxError, Error};
use kstreams::state::{
    KeyValueStore, KeyValueStoreBuilder, Stores, TimestampedKeyValueStore, TimestampedKeyValueStoreBuilder, ValueAndTimestamp,
};
use serde_json::Value;

use super::datum::{Datum, Nullable, Type, text};
use super::program::{Done, out, string, topic_configs};

/// The factory of a declared store.
pub fn factory(spec: &Value) -> Done<Arc<dyn StoreFactory>> {
    let (name, kind) = (string(spec, "name")?.to_owned(), string(spec, "kind")?);
    let (keys, values) = (Type::of(&spec["key"]).serde(), Type::of(&spec["value"]).serde());
    let plain = |supplier| Arc::new(key_value(spec, Stores::key_value_store_builder(supplier, keys.clone(), values.clone())));
    let stamped =
        |supplier| Arc::new(timestamped(spec, Stores::timestamped_key_value_store_builder(supplier, keys.clone(), values.clone())));
    Ok(match kind {
        "kv-in-memory" => plain(Stores::in_memory_key_value_store(name)),
        "kv-persistent" => plain(Stores::persistent_key_value_store(name)),
        "timestamped-in-memory" => stamped(Stores::in_memory_key_value_store(name)),
        "timestamped-persistent" => stamped(Stores::persistent_key_value_store(name)),
        other => return out(format_args!("store kind {other}")),
    })
}

fn key_value(spec: &Value, builder: KeyValueStoreBuilder<Datum, Datum>) -> KeyValueStoreBuilder<Datum, Datum> {
    let builder = if spec["caching"] == true { builder.with_caching_enabled() } else { builder };
    match topic_configs(spec) {
        Some(configs) => builder.with_logging_enabled(configs),
        None => builder.with_logging_disabled(),
    }
}

fn timestamped(spec: &Value, builder: TimestampedKeyValueStoreBuilder<Datum, Datum>) -> TimestampedKeyValueStoreBuilder<Datum, Datum> {
    let builder = if spec["caching"] == true { builder.with_caching_enabled() } else { builder };
    match topic_configs(spec) {
        Some(configs) => builder.with_logging_enabled(configs),
        None => builder.with_logging_disabled(),
    }
}

/// A store in the hands of a processor.
pub enum Store {
    Plain(KeyValueStore<Datum, Datum>),
    Timestamped(TimestampedKeyValueStore<Datum, Datum>),
    /// A count of the DSL.
    Counts(TimestampedKeyValueStore<Datum, i64>),
}

/// A row: the value, and its time if the store keeps it.
type Row = (Datum, Option<i64>);

impl Store {
    pub fn open(cx: &InitContext<'_>, name: &str) -> Result<Self, Error> {
        let plain = cx.store(&StoreName::<KeyValueStore<Datum, Datum>>::from_string(name)).map(Self::Plain);
        let timestamped = |_| cx.store(&StoreName::<TimestampedKeyValueStore<Datum, Datum>>::from_string(name)).map(Self::Timestamped);
        let counts = |_| cx.store(&StoreName::<TimestampedKeyValueStore<Datum, i64>>::from_string(name)).map(Self::Counts);
        plain.or_else(timestamped).or_else(counts)
    }

    pub fn row(&self, key: &Datum) -> Result<Option<Row>, Error> {
        Ok(match self {
            Self::Plain(store) => store.get(key)?.map(|value| (value, None)),
            Self::Timestamped(store) => store.get(key)?.map(|row| (row.value, Some(row.timestamp))),
            Self::Counts(store) => store.get(key)?.map(|row| (Datum::Long(row.value), Some(row.timestamp))),
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
        }
    }

    /// Runs a command on the row of a key, and gives its result as text.
    pub fn command(&self, command: &str, key: &Datum, timestamp: i64) -> Result<String, BoxError> {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let arguments: Vec<&str> = rest.split(' ').filter(|argument| !argument.is_empty()).collect();
        let argument = |at: usize| arguments.get(at).map(|text| (*text).to_owned());
        match self {
            Self::Plain(store) => key_value_command(store, word, &arguments, key),
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

fn key_value_command(store: &KeyValueStore<Datum, Datum>, word: &str, arguments: &[&str], key: &Datum) -> Result<String, BoxError> {
    let datum = |at: usize| arguments.get(at).map(|text| Datum::Text((*text).to_owned()));
    let bound = |at: usize| datum(at).filter(|bound| *bound != Datum::Text("-".to_owned()));
    let of_row = |row: Nullable| text(&row);
    let list = |rows: kstreams::state::KeyValueIterator<'_, Datum, kstreams::state::Plain<Datum>>| -> Result<String, BoxError> {
        let rows: Vec<(Datum, Datum)> = rows.collect::<Result<_, _>>()?;
        let rows: Vec<String> = rows.into_iter().map(|(key, value)| format!("{}={}", text(&Some(key)), text(&Some(value)))).collect();
        Ok(format!("[{}]", rows.join(" ")))
    };
    let range = |from: Option<Datum>, to: Option<Datum>| {
        use std::ops::Bound::{Included, Unbounded};
        (from.map_or(Unbounded, Included), to.map_or(Unbounded, Included))
    };
    Ok(match word {
        "put" => store.put(key, datum(0).as_ref()).map(|()| "ok".to_owned())?,
        "put-if-absent" => of_row(store.put_if_absent(key, datum(0).as_ref())?),
        "get" => of_row(store.get(key)?),
        "delete" => of_row(store.delete(key)?),
        "put-all" => {
            let rows: Vec<(Datum, Datum)> = (0..arguments.len() / 2).filter_map(|at| Some((datum(2 * at)?, datum(2 * at + 1)?))).collect();
            store.put_all(rows.iter().map(|(key, value)| (key, Some(value))))?;
            "ok".to_owned()
        }
        "all" => list(store.all()?)?,
        "reverse-all" => list(store.reverse_all()?)?,
        "range" => list(store.range(range(bound(0), bound(1)))?)?,
        "reverse-range" => list(store.reverse_range(range(bound(0), bound(1)))?)?,
        "prefix" => list(store.prefix_scan(&arguments.first().unwrap_or(&"").to_string(), &*Serdes::string())?)?,
        _ => return Err(format!("no command {word} on a key-value store").into()),
    })
}
