//! Stream records that wait for late changes of a versioned table: their store's keys and values, as Kafka Streams writes them (KIP-923).

use std::sync::Arc;

use stream_core::serdes::{Role, Serde, SerdeContext, SerdeError, SerdeRef};
use stream_core::store::StoreFactory;
use stream_core::{Headers, RecordMetadata};
use stream_state::{KeyValueStore, Stores};

use crate::options::StoreType;
use crate::table::store;

/// The records that wait, by time.
pub(super) type GraceBuffer<K, V> = KeyValueStore<WaitingKey<K>, Waiting<V>>;

/// The store of records that wait.
pub(super) fn store<K: 'static, V: 'static>(name: &str, keys: &SerdeRef<K>, values: &SerdeRef<V>) -> Arc<dyn StoreFactory> {
    let supplier = store::key_value_supplier(name, StoreType::Persistent);
    let (keys, values) = (Arc::new(WaitingKeySerde(Arc::clone(keys))), Arc::new(WaitingSerde(Arc::clone(values))));
    Arc::new(Stores::key_value_store_builder(supplier, keys, values))
}

/// Where a record stands in the buffer: by its time; at one time by key, and of one key in the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WaitingKey<K> {
    pub(super) timestamp: i64,
    pub(super) key: K,
    pub(super) sequence: i32,
}

/// A record that waits, and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Waiting<V> {
    pub(super) value: V,
    pub(super) timestamp: i64,
    pub(super) headers: Headers,
    pub(super) metadata: Option<RecordMetadata>,
}

/// `0 (1) ‖ timestamp (8) ‖ key ‖ sequence (4)`.
pub(super) struct WaitingKeySerde<K>(pub(super) SerdeRef<K>);

/// Says that the time comes first.
const TIME_FIRST: u8 = 0;

impl<K: 'static> Serde<WaitingKey<K>> for WaitingKeySerde<K> {
    fn serialize(&self, key: &WaitingKey<K>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.push(TIME_FIRST);
        out.extend_from_slice(&key.timestamp.to_be_bytes());
        self.0.serialize(&key.key, out, cx)?;
        out.extend_from_slice(&key.sequence.to_be_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<WaitingKey<K>, SerdeError> {
        let malformed = || SerdeError::bad(format!("{} bytes are not the key of a record that waits for a table", bytes.len()));
        let (_, rest) = bytes.split_first().filter(|(first, _)| **first == TIME_FIRST).ok_or_else(malformed)?;
        let (timestamp, rest) = rest.split_first_chunk::<8>().ok_or_else(malformed)?;
        let (key, sequence) = rest.split_last_chunk::<4>().ok_or_else(malformed)?;
        Ok(WaitingKey {
            timestamp: i64::from_be_bytes(*timestamp),
            key: self.0.deserialize(key, cx)?,
            sequence: i32::from_be_bytes(*sequence),
        })
    }
}

/// `timestamp (8) ‖ offset (8) ‖ topic ‖ partition (4) ‖ headers ‖ no prior value ‖ no old value ‖ value ‖ 0 (8)`. A topic, value, or header
/// has its length (4) before it, -1 for null; headers have their number (4) before them.
pub(super) struct WaitingSerde<V>(pub(super) SerdeRef<V>);

impl<V: 'static> Serde<Waiting<V>> for WaitingSerde<V> {
    fn serialize(&self, waiting: &Waiting<V>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        let (topic, partition, offset) = match &waiting.metadata {
            Some(metadata) => (&*metadata.topic, metadata.partition, metadata.offset),
            None => ("", -1, -1),
        };
        out.extend_from_slice(&waiting.timestamp.to_be_bytes());
        out.extend_from_slice(&offset.to_be_bytes());
        write_bytes(Some(topic.as_bytes()), out)?;
        out.extend_from_slice(&partition.to_be_bytes());
        out.extend_from_slice(&length(waiting.headers.iter().len())?.to_be_bytes());
        for header in waiting.headers.iter() {
            write_bytes(Some(header.key.as_bytes()), out)?;
            write_bytes(header.value.as_deref(), out)?;
        }
        write_bytes(None, out)?;
        write_bytes(None, out)?;
        let mut value = Vec::new();
        self.0.serialize(&waiting.value, &mut value, &SerdeContext { role: Role::Value, ..*cx })?;
        write_bytes(Some(&value), out)?;
        out.extend_from_slice(&[0; 8]);
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Waiting<V>, SerdeError> {
        let malformed = || SerdeError::bad(format!("{} bytes are not a record that waits for a table", bytes.len()));
        self.read(bytes, cx).ok_or_else(malformed)?
    }
}

impl<V: 'static> WaitingSerde<V> {
    /// `None` for what is not of the format; the serde of the value may fail by itself.
    fn read(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Option<Result<Waiting<V>, SerdeError>> {
        let (timestamp, rest) = bytes.split_first_chunk::<8>()?;
        let (offset, rest) = rest.split_first_chunk::<8>()?;
        let (topic, rest) = read_bytes(rest)?;
        let (partition, rest) = rest.split_first_chunk::<4>()?;
        let (count, mut rest) = rest.split_first_chunk::<4>()?;
        let mut headers = Headers::new();
        for _ in 0..u32::try_from(i32::from_be_bytes(*count)).ok()? {
            let (key, behind) = read_bytes(rest)?;
            let (value, behind) = read_bytes(behind)?;
            headers.add(std::str::from_utf8(key?).ok()?, value);
            rest = behind;
        }
        let (_, rest) = read_bytes(rest)?;
        let (_, rest) = read_bytes(rest)?;
        let (value, _) = read_bytes(rest)?;
        let (topic, partition) = (std::str::from_utf8(topic?).ok()?, i32::from_be_bytes(*partition));
        let metadata =
            (!topic.is_empty()).then(|| RecordMetadata { topic: Arc::from(topic), partition, offset: i64::from_be_bytes(*offset) });
        let value = self.0.deserialize(value?, &SerdeContext { role: Role::Value, ..*cx });
        Some(value.map(|value| Waiting { value, timestamp: i64::from_be_bytes(*timestamp), headers, metadata }))
    }
}

fn length(length: usize) -> Result<i32, SerdeError> {
    i32::try_from(length).map_err(|_| SerdeError::bad("a record of 2 GiB or more cannot wait for a table"))
}

fn write_bytes(bytes: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
    match bytes {
        None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
        Some(bytes) => {
            out.extend_from_slice(&length(bytes.len())?.to_be_bytes());
            out.extend_from_slice(bytes);
        }
    }
    Ok(())
}

/// Null or some bytes, and what is behind; `None` for bytes that end too early.
fn read_bytes(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    match i32::from_be_bytes(*length) {
        -1 => Some((None, rest)),
        length => rest.split_at_checked(usize::try_from(length).ok()?).map(|(found, rest)| (Some(found), rest)),
    }
}

#[cfg(test)]
mod tests {
    use stream_core::serdes::Serdes;

    use super::*;

    #[test]
    fn records_that_wait_have_kafkas_bytes_and_are_read_back() {
        let none = Headers::new();
        let cx = SerdeContext { topic: "t", headers: &none, role: Role::Value };
        let mut headers = Headers::new();
        headers.add("h", Some(b"5"));
        headers.add("n", None);
        let metadata = Some(RecordMetadata { topic: Arc::from("in"), partition: 0, offset: 1 });
        let waiting = Waiting { value: "s5".to_owned(), timestamp: 5, headers, metadata };
        let serde = WaitingSerde(Serdes::string());
        let mut bytes = Vec::new();
        serde.serialize(&waiting, &mut bytes, &cx).expect("bytes");
        let expected: Vec<u8> = [
            &[0, 0, 0, 0, 0, 0, 0, 5][..],
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[0, 0, 0, 2, b'i', b'n'],
            &[0, 0, 0, 0],
            &[0, 0, 0, 2, 0, 0, 0, 1, b'h', 0, 0, 0, 1, b'5', 0, 0, 0, 1, b'n', 0xff, 0xff, 0xff, 0xff],
            &[0xff; 8],
            &[0, 0, 0, 2, b's', b'5'],
            &[0; 8],
        ]
        .concat();
        assert_eq!(bytes, expected);
        assert_eq!(serde.deserialize(&bytes, &cx).expect("a record"), waiting);
        for cut in 0..bytes.len() - 8 {
            assert!(serde.deserialize(&bytes[..cut], &cx).is_err(), "{cut} bytes");
        }
    }

    #[test]
    fn records_wait_in_the_order_of_their_times() {
        let none = Headers::new();
        let cx = SerdeContext { topic: "t", headers: &none, role: Role::Key };
        let serde = WaitingKeySerde(Serdes::string());
        let bytes = |timestamp, key: &str, sequence| {
            let key = WaitingKey { timestamp, key: key.to_owned(), sequence };
            let mut bytes = Vec::new();
            serde.serialize(&key, &mut bytes, &cx).expect("bytes");
            assert_eq!(serde.deserialize(&bytes, &cx).expect("a key"), key);
            bytes
        };
        assert_eq!(bytes(5, "a", 1), [0, 0, 0, 0, 0, 0, 0, 0, 5, b'a', 0, 0, 0, 1]);
        assert!(bytes(5, "z", 9) < bytes(6, "a", 1));
        assert!(bytes(5, "a", 1) < bytes(5, "a", 2));
        assert!(serde.deserialize(&[1; 20], &cx).is_err() && serde.deserialize(&[0; 12], &cx).is_err());
    }
}
