//! Compares the rows of a store with those of a case.

use std::collections::{BTreeMap, BTreeSet};

use kstreams::core::time::UNKNOWN_TIME;
use serde_json::Value;
use stream_testkit::StoreRow;

use super::compare::shown_row;
use super::expected::{Bytes, Header, bytes, number};

/// A row of either side, in one form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    key: Vec<u8>,
    /// Window or session; start of a version.
    from: i64,
    /// End of a session, or of a version's validity.
    to: Option<i64>,
    value: Bytes,
    timestamp: Option<i64>,
}

/// What else is known of a store.
#[derive(Default)]
pub struct StoreContext {
    /// Of a windowed store: Java's record cache shows rows beyond it for as long as it happens to hold them, so they may be missing here,
    /// or there.
    pub retention_ms: Option<i64>,
    /// Those of the last record of each key in its changelog.
    pub headers: BTreeMap<Vec<u8>, Vec<(String, Header)>>,
    /// The only keys of a versioned store that the case lists, where it is not logged.
    pub asked: Option<BTreeSet<Vec<u8>>>,
}

/// Compares; the error shows both sides.
pub fn compare(wanted: &Value, rows: &[StoreRow], context: &StoreContext) -> Result<(), String> {
    let kind = wanted["kind"].as_str().ok_or("the case names no kind of store")?;
    if !["key-value", "window", "session", "versioned", "buffer"].contains(&kind) {
        return Err(format!("no store is of kind {kind}"));
    }
    if kind == "buffer" {
        let wanted = &wanted["size"];
        return if *wanted == rows.len() { Ok(()) } else { Err(format!("{} rows are held, wanted {wanted}", rows.len())) };
    }
    let entries = wanted["entries"].as_array().map_or(&[][..], Vec::as_slice);
    let mut want = entries.iter().map(|entry| entry_of(kind, entry)).collect::<Result<Vec<_>, _>>()?;
    let timestamped = entries.first().is_some_and(|entry| !entry["ts"].is_null()) && kind != "versioned";
    // Those of tables that keep no timestamps are shown with -1.
    let starts = entries.iter().any(|entry| entry["ts"] != UNKNOWN_TIME);
    // Internal stores of joins are shown as they lie in Java's store: with the timestamp in front of the value.
    let raw = kind == "key-value" && entries.first().is_some_and(|entry| entry["value"].is_object());
    let mut got = match kind {
        "versioned" => versions(rows),
        _ => rows.iter().map(|row| entry_of_row(kind, row, timestamped, starts)).collect::<Result<Vec<_>, _>>()?,
    };
    if raw {
        got = as_java_shows(got, rows, &want, &context.headers);
    }
    if let Some(asked) = context.asked.as_ref().filter(|_| kind == "versioned") {
        got.retain(|entry| asked.contains(&entry.key));
    }
    // The order of a window store's scan differs between its kinds in Java, too.
    if kind != "key-value" {
        want.sort();
        got.sort();
    }
    if let Some(retention) = context.retention_ms {
        let time = |entry: &Entry| entry.to.unwrap_or(entry.from);
        let latest = want.iter().map(time).max().unwrap_or(0);
        want.retain(|entry| time(entry) > latest - retention || got.contains(entry));
        got.retain(|entry| time(entry) > latest - retention || want.contains(entry));
    }
    if want == got {
        return Ok(());
    }
    let lines = |entries: &[Entry]| {
        let line = |entry: &Entry| {
            let window = if kind == "key-value" { String::new() } else { format!(" [{} {:?}]", entry.from, entry.to) };
            format!("\n      {}{window}", shown_row(&entry.key, &entry.value, entry.timestamp.unwrap_or(-1)))
        };
        entries.iter().map(line).collect::<String>()
    };
    Err(format!("--- wanted{}\n--- got   {}", lines(&want), lines(&got)))
}

/// Internal stores of joins as Java shows them: with the timestamp in front of the value where the store keeps one, and lists taken apart
/// where the store is on disk.
fn as_java_shows(got: Vec<Entry>, rows: &[StoreRow], want: &[Entry], headers: &BTreeMap<Vec<u8>, Vec<(String, Header)>>) -> Vec<Entry> {
    let mut shown = Vec::with_capacity(got.len());
    for entry in got {
        let wanted = |value: &Bytes| want.iter().any(|want| want.key == entry.key && want.value == *value);
        let timestamp = rows.iter().find(|row| row.key == entry.key).map_or(-1, |row| row.timestamp);
        // In front of the value Java has headers and the time. Ours are in the changelog only; where our store keeps no time, the
        // changelog's records show it.
        let header_bytes = headers.get(&entry.key).map_or_else(|| vec![0], |headers| header_bytes(headers));
        let same = |want: &&Entry| {
            let (Some(wanted), Some(value)) = (&want.value, &entry.value) else { return false };
            let time = wanted.strip_suffix(value.as_slice()).and_then(|front| front.strip_prefix(header_bytes.as_slice()));
            let time = time.and_then(|time| time.try_into().ok()).map(i64::from_be_bytes);
            want.key == entry.key && time.is_some_and(|time| timestamp == UNKNOWN_TIME || time == timestamp)
        };
        let enveloped = want.iter().find(same).and_then(|want| want.value.clone());
        let elements = entry.value.as_deref().and_then(elements);
        if wanted(&entry.value) {
            shown.push(entry);
        } else if enveloped.is_some() {
            shown.push(Entry { value: enveloped, ..entry });
        } else if let Some(elements) = elements {
            shown.extend(elements.into_iter().map(|element| Entry { value: Some(element), ..entry.clone() }));
        } else {
            shown.push(entry);
        }
    }
    shown
}

/// Headers in front of a value: their size, how many there are, and each key and value behind its length; none are a zero byte.
fn header_bytes(headers: &[(String, Header)]) -> Vec<u8> {
    let mut body = Vec::new();
    let number = |number: usize, out: &mut Vec<u8>| out.push(u8::try_from(2 * number).unwrap_or(u8::MAX));
    if !headers.is_empty() {
        number(headers.len(), &mut body);
    }
    for (name, value) in headers {
        number(name.len(), &mut body);
        body.extend_from_slice(name.as_bytes());
        match value {
            Header::Bytes(Some(value)) => {
                number(value.len(), &mut body);
                body.extend_from_slice(value);
            }
            _ => body.push(1),
        }
    }
    let mut bytes = Vec::new();
    number(body.len(), &mut bytes);
    bytes.extend(body);
    bytes
}

/// The elements of a list in Kafka's form: a byte for the kind of list, the count, and each element behind its length.
fn elements(list: &[u8]) -> Option<Vec<Vec<u8>>> {
    let length = |bytes: &[u8]| usize::try_from(i32::from_be_bytes(bytes.try_into().ok()?)).ok();
    let (count, mut rest) = list.get(1..)?.split_at_checked(4)?;
    let mut elements = Vec::new();
    for _ in 0..length(count)? {
        let (size, behind) = rest.split_at_checked(4)?;
        let (element, behind) = behind.split_at_checked(length(size)?)?;
        elements.push(element.to_vec());
        rest = behind;
    }
    rest.is_empty().then_some(elements)
}

fn entry_of(kind: &str, entry: &Value) -> Result<Entry, String> {
    let key = bytes(&entry["key"])?.ok_or("a row with a null key")?;
    let value = bytes(&entry["value"])?;
    let timestamp = if entry["ts"].is_null() { None } else { Some(number(&entry["ts"])?) };
    let (from, to) = match kind {
        "key-value" => (0, None),
        // A row holds the start only; the size belongs to the reader.
        "window" => (number(&entry["start"])?, None),
        "session" => (number(&entry["start"])?, Some(number(&entry["end"])?)),
        "versioned" => {
            let to = if entry["valid-to"].is_null() { None } else { Some(number(&entry["valid-to"])?) };
            return Ok(Entry { key, from: timestamp.ok_or("a version without a time")?, to, value, timestamp: None });
        }
        other => return Err(format!("no store is of kind {other}")),
    };
    Ok(Entry { key, from, to, value, timestamp })
}

fn entry_of_row(kind: &str, row: &StoreRow, timestamped: bool, starts: bool) -> Result<Entry, String> {
    let timestamp = timestamped.then_some(row.timestamp);
    let (value, key) = (row.value.clone(), row.key.as_slice());
    let long = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).map(i64::from_be_bytes).map_err(|_| "a key is too short".to_owned());
    let cut = |tail: usize| key.len().checked_sub(tail).map(|at| key.split_at(at)).ok_or("a key is too short");
    match kind {
        "window" => {
            let (key, window) = cut(12)?;
            let from = long(&window[..8])?;
            // Java shows the rows of some join stores with a timestamp: their windows begin at it.
            let timestamp = timestamp.map(|timestamp| if timestamp == UNKNOWN_TIME && starts { from } else { timestamp });
            Ok(Entry { key: key.to_vec(), from, to: None, value, timestamp })
        }
        "session" => {
            let (key, session) = cut(16)?;
            Ok(Entry { key: key.to_vec(), from: long(&session[8..])?, to: Some(long(&session[..8])?), value, timestamp })
        }
        _ => Ok(Entry { key: key.to_vec(), from: 0, to: None, value, timestamp }),
    }
}

/// The versions of each key that hold a value; each is valid until the next one begins.
fn versions(rows: &[StoreRow]) -> Vec<Entry> {
    let mut rows: Vec<&StoreRow> = rows.iter().collect();
    rows.sort_by(|one, two| (&one.key, one.timestamp).cmp(&(&two.key, two.timestamp)));
    let next = |index: usize| rows.get(index + 1).filter(|next| next.key == rows[index].key).map(|next| next.timestamp);
    let entries = rows.iter().enumerate().filter(|(_, row)| row.value.is_some());
    entries
        .map(|(index, row)| Entry { key: row.key.clone(), from: row.timestamp, to: next(index), value: row.value.clone(), timestamp: None })
        .collect()
}
