//! The commands of the catalogue on stores. Each gives its result as text.

use std::ops::Bound;

use kstreams::core::serdes::Serdes;
use kstreams::core::{BoxError, Error};
use kstreams::state::{
    KeyValueIterator, KeyValueStore, Plain, PutVersion, SessionIterator, SessionKey, SessionStore, TimestampedWindowStore,
    ValueAndTimestamp, VersionedKeyValueStore, VersionedRecord, WindowKey, WindowStore,
};

use super::datum::{Datum, Nullable, text};

/// A command on a key-value store.
pub fn key_value(store: &KeyValueStore<Datum, Datum>, word: &str, arguments: &[&str], key: &Datum) -> Result<String, BoxError> {
    let datum = |at: usize| arguments.get(at).map(|text| Datum::Text((*text).to_owned()));
    let bound = |at: usize| datum(at).filter(|bound| *bound != Datum::Text("-".to_owned()));
    let of_row = |row: Nullable| text(&row);
    let list = |rows: KeyValueIterator<'_, Datum, Plain<Datum>>| -> Result<String, BoxError> {
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

/// A command on a versioned store.
pub fn versioned(store: &VersionedKeyValueStore<Datum, Datum>, word: &str, arguments: &[&str], key: &Datum) -> Result<String, BoxError> {
    let time = || arguments.first().and_then(|time| time.parse::<i64>().ok()).ok_or("a command without a time");
    let shown = |row: Option<VersionedRecord<Datum>>, suffix: &str| {
        row.map_or_else(|| "null".to_owned(), |row| format!("{}@{}{suffix}", text(&Some(row.value)), row.timestamp))
    };
    Ok(match word {
        "put" => {
            let value = arguments.get(1).map(|value| Datum::Text((*value).to_owned()));
            let valid_to = match store.put(key, value.as_ref(), time()?)? {
                PutVersion::Latest => -1,
                PutVersion::ValidTo(end) => end,
                PutVersion::Expired => i64::MIN,
            };
            format!("valid-to={valid_to}")
        }
        "delete" => shown(store.delete(key, time()?)?, ""),
        "get" => shown(store.get(key)?, ""),
        // Java's typed store does not tell the end; ours does.
        "get-as-of" => shown(store.get_as_of(key, time()?)?, " valid-to=open"),
        _ => return Err(format!("no command {word} on a versioned store").into()),
    })
}

/// A window store of either form, and how its rows are written and shown.
pub trait WindowRows {
    fn put(&self, key: &Datum, value: Nullable, start: i64, timestamp: i64) -> Result<(), Error>;
    fn get(&self, key: &Datum, start: i64) -> Result<Option<String>, Error>;
    fn fetch(&self, key: &Datum, from: i64, to: i64, reverse: bool) -> Result<Vec<(i64, String)>, Error>;
    fn fetch_keys(&self, keys: Keys, from: i64, to: i64, reverse: bool) -> Result<Vec<(WindowKey<Datum>, String)>, Error>;
    fn rows(&self, reverse: bool) -> Result<Vec<(WindowKey<Datum>, String)>, Error>;
}

type Keys = (Bound<Datum>, Bound<Datum>);

macro_rules! window_rows {
    ($store:ty, |$value:ident, $timestamp:ident| $row:expr, |$shown:ident| $text:expr) => {
        impl WindowRows for $store {
            fn put(&self, key: &Datum, value: Nullable, start: i64, $timestamp: i64) -> Result<(), Error> {
                self.put(key, value.as_ref().map(|$value| $row), start)
            }

            fn get(&self, key: &Datum, start: i64) -> Result<Option<String>, Error> {
                Ok(self.get(key, start)?.map(|$shown| $text))
            }

            fn fetch(&self, key: &Datum, from: i64, to: i64, reverse: bool) -> Result<Vec<(i64, String)>, Error> {
                let rows = if reverse { self.backward_fetch(key, from, to)? } else { self.fetch(key, from, to)? };
                rows.map(|row| row.map(|(start, $shown)| (start, $text))).collect()
            }

            fn fetch_keys(&self, keys: Keys, from: i64, to: i64, reverse: bool) -> Result<Vec<(WindowKey<Datum>, String)>, Error> {
                let rows = if reverse { self.backward_fetch_keys(keys, from, to)? } else { self.fetch_keys(keys, from, to)? };
                rows.map(|row| row.map(|(key, $shown)| (key, $text))).collect()
            }

            fn rows(&self, reverse: bool) -> Result<Vec<(WindowKey<Datum>, String)>, Error> {
                let rows = if reverse { self.backward_all()? } else { self.all()? };
                rows.map(|row| row.map(|(key, $shown)| (key, $text))).collect()
            }
        }
    };
}

window_rows!(WindowStore<Datum, Datum>, |value, _timestamp| value, |row| text(&Some(row)));
window_rows!(
    TimestampedWindowStore<Datum, Datum>,
    |value, timestamp| ValueAndTimestamp::new(value, timestamp),
    |row| format!("{}@{}", text(&Some(row.value)), row.timestamp)
);

/// A command on a window store whose windows are `size` ms long.
pub fn window(store: &dyn WindowRows, word: &str, arguments: &[&str], key: &Datum, timestamp: i64, size: i64) -> Result<String, BoxError> {
    let time = |at: usize| arguments.get(at).and_then(|time| time.parse::<i64>().ok()).ok_or("a command without a time");
    let bound = |at: usize| match arguments.get(at) {
        None | Some(&"-") => Bound::Unbounded,
        Some(key) => Bound::Included(Datum::Text((*key).to_owned())),
    };
    let (word, reverse) = word.strip_prefix("backward-").map_or((word, false), |word| (word, true));
    let windowed = |rows: Vec<(WindowKey<Datum>, String)>| {
        let rows = rows.into_iter().map(|(key, row)| format!("{}@{}/{}={row}", text(&Some(key.key)), key.start, key.start + size));
        format!("[{}]", rows.collect::<Vec<_>>().join(" "))
    };
    Ok(match word {
        "put" => {
            let value = arguments.get(1).map(|value| Datum::Text((*value).to_owned()));
            store.put(key, value, time(0)?, timestamp)?;
            "ok".to_owned()
        }
        "delete" => store.put(key, None, time(0)?, timestamp).map(|()| "ok".to_owned())?,
        "get" => store.get(key, time(0)?)?.unwrap_or_else(|| "null".to_owned()),
        "fetch" => {
            let rows = store.fetch(key, time(0)?, time(1)?, reverse)?;
            format!("[{}]", rows.into_iter().map(|(start, row)| format!("{start}={row}")).collect::<Vec<_>>().join(" "))
        }
        "fetch-keys" => windowed(store.fetch_keys((bound(0), bound(1)), time(2)?, time(3)?, reverse)?),
        "fetch-all" => windowed(store.fetch_keys((Bound::Unbounded, Bound::Unbounded), time(0)?, time(1)?, reverse)?),
        "all" => windowed(store.rows(reverse)?),
        _ => return Err(format!("no command {word} on a window store").into()),
    })
}

/// A command on a session store.
pub fn session(store: &SessionStore<Datum, Datum>, word: &str, arguments: &[&str], key: &Datum) -> Result<String, BoxError> {
    let time = |at: usize| arguments.get(at).and_then(|time| time.parse::<i64>().ok()).ok_or("a command without a time");
    let keys = || {
        let bound = |at: usize| match arguments.get(at) {
            None | Some(&"-") => Bound::Unbounded,
            Some(key) => Bound::Included(Datum::Text((*key).to_owned())),
        };
        (bound(0), bound(1))
    };
    let list = |rows: SessionIterator<'_, Datum, Plain<Datum>>| -> Result<String, BoxError> {
        let row =
            |(key, value): (SessionKey<Datum>, Datum)| format!("{}@{}/{}={}", text(&Some(key.key)), key.start, key.end, text(&Some(value)));
        let rows: Vec<String> = rows.map(|found| found.map(row)).collect::<Result<_, _>>()?;
        Ok(format!("[{}]", rows.join(" ")))
    };
    Ok(match word {
        "put" => {
            let value = arguments.get(2).map(|value| Datum::Text((*value).to_owned()));
            store.put(key, value.as_ref(), time(0)?, time(1)?).map(|()| "ok".to_owned())?
        }
        "remove" => store.remove(key, time(0)?, time(1)?).map(|()| "ok".to_owned())?,
        "get" => text(&store.get(key, time(0)?, time(1)?)?),
        "fetch" => list(store.fetch(key)?)?,
        "backward-fetch" => list(store.backward_fetch(key)?)?,
        "fetch-keys" => list(store.fetch_keys(keys())?)?,
        "backward-fetch-keys" => list(store.backward_fetch_keys(keys())?)?,
        "find" => list(store.find(key, time(0)?, time(1)?)?)?,
        "backward-find" => list(store.backward_find(key, time(0)?, time(1)?)?)?,
        "find-keys" => list(store.find_keys(keys(), time(2)?, time(3)?)?)?,
        "backward-find-keys" => list(store.backward_find_keys(keys(), time(2)?, time(3)?)?)?,
        _ => return Err(format!("no command {word} on a session store").into()),
    })
}
