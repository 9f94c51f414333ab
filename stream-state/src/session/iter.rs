//! Sessions, typed.

use stream_core::Result;

use super::Session;
use crate::store::{KeyBounds, Rows, contains};
use crate::value::Envelope;

/// A key, and the start and end of a session, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey<K> {
    /// The key.
    pub key: K,
    /// The time of the session's first record, ms since the epoch.
    pub start: i64,
    /// The time of the session's last record, ms since the epoch.
    pub end: i64,
}

/// Which sessions a search wants: those that end at `earliest_end` or later and begin at `latest_start` or earlier.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) earliest_end: i64,
    pub(super) latest_end: i64,
    pub(super) latest_start: i64,
}

/// Sessions, as they were when the iterator was opened.
pub struct SessionIterator<'a, K, E> {
    store: &'a Session<K, E>,
    rows: Rows,
    keys: KeyBounds,
    times: Times,
}

impl<'a, K, E> SessionIterator<'a, K, E> {
    pub(super) fn new(store: &'a Session<K, E>, rows: Rows, keys: KeyBounds, times: Times) -> Self {
        Self { store, rows, keys, times }
    }
}

impl<K: 'static, E: Envelope> Iterator for SessionIterator<'_, K, E> {
    type Item = Result<(SessionKey<K>, E::Row)>;

    fn next(&mut self) -> Option<Self::Item> {
        let Times { earliest_end, latest_end, latest_start } = self.times;
        loop {
            let (key, value) = match self.rows.next()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            // Keys of any length: between the rows of a key may lie those of a longer one (trap T136).
            let parts = self.store.schema.parts(key.as_slice());
            let wanted = parts.is_some_and(|parts| {
                (earliest_end..=latest_end).contains(&parts.end) && parts.start <= latest_start && contains(&self.keys, parts.key)
            });
            if wanted {
                let row = self.store.read_key(key.as_slice());
                return Some(row.and_then(|key| Ok((key, self.store.rows.typed.read(value.as_slice())?))));
            }
        }
    }
}
