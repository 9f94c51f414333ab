//! The records of `__transaction_state`, in Kafka's format: the transactional id is the key, its state the value.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut};
use kafka_protocol::protocol::StrBytes;

use super::metadata::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Producer, TransactionMetadata, TransactionVersion};
use super::state::State;
use crate::wire::{
    get_compact_string, get_string, get_uvarint, put_compact_string, put_string, put_tagged_field, put_uvarint, skip_tagged_fields,
};

const KEY_VERSION: i16 = 0;
/// Version 0 has plain strings and arrays, version 1 compact ones and tagged fields.
const FLEXIBLE: i16 = 1;
/// Tags: the producer id before the present one, the one that comes with the end of the transaction, and the version that the
/// transaction goes by.
const PREVIOUS_PRODUCER_ID: u32 = 0;
const NEXT_PRODUCER_ID: u32 = 1;
const CLIENT_TRANSACTION_VERSION: u32 = 2;

pub(crate) fn key(transactional_id: &str) -> Vec<u8> {
    let mut key = Vec::new();
    key.put_i16(KEY_VERSION);
    put_string(&mut key, Some(transactional_id));
    key
}

pub(crate) fn decode_key(mut key: &[u8]) -> Option<StrBytes> {
    key.try_get_i16().ok().filter(|&version| version == KEY_VERSION)?;
    get_string(&mut key)?.map(StrBytes::from_string)
}

pub(crate) fn value(transaction: &TransactionMetadata) -> Vec<u8> {
    let mut value = Vec::new();
    value.put_i16(FLEXIBLE);
    value.put_i64(transaction.producer.id);
    value.put_i16(transaction.producer.epoch);
    value.put_i32(transaction.timeout_ms);
    value.put_i8(transaction.state.code());
    // An id at rest has no partitions, not an empty list of them.
    if transaction.state == State::Empty {
        put_uvarint(&mut value, 0);
    } else {
        put_uvarint(&mut value, transaction.partitions.len() as u32 + 1);
        for (topic, partitions) in &transaction.partitions {
            put_compact_string(&mut value, Some(topic));
            put_uvarint(&mut value, partitions.len() as u32 + 1);
            partitions.iter().for_each(|&index| value.put_i32(index));
            put_uvarint(&mut value, 0);
        }
    }
    value.put_i64(transaction.updated_at);
    value.put_i64(transaction.started_at);
    let mut tagged: Vec<(u32, Vec<u8>)> = Vec::new();
    if transaction.last.id != NO_PRODUCER_ID {
        tagged.push((PREVIOUS_PRODUCER_ID, transaction.last.id.to_be_bytes().into()));
    }
    if transaction.next_producer_id != NO_PRODUCER_ID {
        tagged.push((NEXT_PRODUCER_ID, transaction.next_producer_id.to_be_bytes().into()));
    }
    if transaction.version != TransactionVersion::V0 {
        tagged.push((CLIENT_TRANSACTION_VERSION, transaction.version.level().to_be_bytes().into()));
    }
    put_uvarint(&mut value, tagged.len() as u32);
    for (tag, field) in tagged {
        put_tagged_field(&mut value, tag, &field);
    }
    value
}

/// What a record says of a transactional id; `None` if it cannot be read. The epoch before the last is not written down, as in
/// Kafka: after a restart a client that lost an answer gets fenced instead of the answer.
pub(crate) fn decode_value(transactional_id: StrBytes, mut bytes: &[u8]) -> Option<TransactionMetadata> {
    let bytes = &mut bytes;
    let flexible = match bytes.try_get_i16().ok()? {
        0 => false,
        FLEXIBLE => true,
        _ => return None,
    };
    let producer = Producer { id: bytes.try_get_i64().ok()?, epoch: bytes.try_get_i16().ok()? };
    let timeout_ms = bytes.try_get_i32().ok()?;
    let state = State::from_code(bytes.try_get_i8().ok()?)?;
    let length = |bytes: &mut &[u8]| match flexible {
        true => get_uvarint(bytes).map(|length| i64::from(length) - 1),
        false => bytes.try_get_i32().ok().map(i64::from),
    };
    let mut partitions = BTreeMap::new();
    for _ in 0..length(bytes)?.max(0) {
        let topic = if flexible { get_compact_string(bytes)?? } else { get_string(bytes)?? };
        let mut indexes = BTreeSet::new();
        for _ in 0..length(bytes)?.max(0) {
            indexes.insert(bytes.try_get_i32().ok()?);
        }
        if flexible {
            skip_tagged_fields(bytes)?;
        }
        partitions.insert(topic, indexes);
    }
    let (updated_at, started_at) = (bytes.try_get_i64().ok()?, bytes.try_get_i64().ok()?);
    let mut transaction = TransactionMetadata {
        last: Producer { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH },
        next_producer_id: NO_PRODUCER_ID,
        version: TransactionVersion::V0,
        transactional_id,
        producer,
        timeout_ms,
        state,
        partitions,
        started_at,
        updated_at,
    };
    if flexible {
        for _ in 0..get_uvarint(bytes)? {
            let (tag, size) = (get_uvarint(bytes)?, get_uvarint(bytes)? as usize);
            let (mut field, rest) = bytes.split_at_checked(size)?;
            match tag {
                PREVIOUS_PRODUCER_ID => transaction.last.id = field.try_get_i64().ok()?,
                NEXT_PRODUCER_ID => transaction.next_producer_id = field.try_get_i64().ok()?,
                CLIENT_TRANSACTION_VERSION => transaction.version = TransactionVersion::from_level(field.try_get_i16().ok()?)?,
                _ => {}
            }
            *bytes = rest;
        }
    }
    Some(transaction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_and_none_from_a_part_of_it() {
        let id = StrBytes::from_static_str("id");
        let mut transaction = TransactionMetadata::new(id.clone(), 7, 1_000);
        transaction.partitions.insert("t".to_owned(), BTreeSet::from([0, 3]));
        transaction.state = State::PrepareCommit;
        transaction.timeout_ms = 60_000;
        transaction.last.id = 6;
        transaction.next_producer_id = 8;
        transaction.version = TransactionVersion::V2;
        let bytes = value(&transaction);
        assert_eq!(decode_value(id.clone(), &bytes), Some(transaction));
        for cut in 0..bytes.len() {
            assert_eq!(decode_value(id.clone(), &bytes[..cut]), None, "cut at {cut}");
        }
        assert_eq!(decode_key(&key("id")), Some(id));
    }
}
