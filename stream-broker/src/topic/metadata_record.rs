//! What a broker remembers of its topics, in the records of Kafka's metadata log (KIP-631), so that its dump tool reads them.

use bytes::{Buf, BufMut};
use uuid::Uuid;

use crate::log::LEADER_EPOCH;
use crate::wire::{get_compact_string, get_uvarint, put_compact_string, put_uvarint, skip_tagged_fields};

/// Version of the frame around each record.
const FRAME_VERSION: u32 = 1;
/// All records are written in their first version.
const VERSION: u32 = 0;
const RESOURCE_TOPIC: i8 = 2;
const NO_EPOCH: i64 = -1;

const TOPIC: u32 = 2;
const PARTITION: u32 = 3;
const CONFIG: u32 = 4;
const REMOVE_TOPIC: u32 = 9;
const PRODUCER_IDS: u32 = 15;

/// A change of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MetadataRecord {
    Topic {
        name: String,
        id: Uuid,
    },
    Partition {
        topic: Uuid,
        index: i32,
        node: i32,
    },
    /// A setting of a topic; without a value it has its default again.
    Config {
        topic: String,
        name: String,
        value: Option<String>,
    },
    RemoveTopic {
        id: Uuid,
    },
    /// All producer ids below the next one may have been given out.
    ProducerIds {
        node: i32,
        next: i64,
    },
}

impl MetadataRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_uvarint(&mut out, FRAME_VERSION);
        let api_key = match self {
            MetadataRecord::Topic { .. } => TOPIC,
            MetadataRecord::Partition { .. } => PARTITION,
            MetadataRecord::Config { .. } => CONFIG,
            MetadataRecord::RemoveTopic { .. } => REMOVE_TOPIC,
            MetadataRecord::ProducerIds { .. } => PRODUCER_IDS,
        };
        put_uvarint(&mut out, api_key);
        put_uvarint(&mut out, VERSION);
        match self {
            MetadataRecord::Topic { name, id } => {
                put_compact_string(&mut out, Some(name));
                out.put_slice(id.as_bytes());
            }
            MetadataRecord::Partition { topic, index, node } => {
                out.put_i32(*index);
                out.put_slice(topic.as_bytes());
                for replicas in [&[*node][..], &[*node], &[], &[]] {
                    put_uvarint(&mut out, replicas.len() as u32 + 1);
                    replicas.iter().for_each(|&replica| out.put_i32(replica));
                }
                out.put_i32(*node);
                out.put_i32(LEADER_EPOCH);
                out.put_i32(0); // partition epoch
            }
            MetadataRecord::Config { topic, name, value } => {
                out.put_i8(RESOURCE_TOPIC);
                put_compact_string(&mut out, Some(topic));
                put_compact_string(&mut out, Some(name));
                put_compact_string(&mut out, value.as_deref());
            }
            MetadataRecord::RemoveTopic { id } => out.put_slice(id.as_bytes()),
            MetadataRecord::ProducerIds { node, next } => {
                out.put_i32(*node);
                out.put_i64(NO_EPOCH);
                out.put_i64(*next);
            }
        }
        put_uvarint(&mut out, 0); // tagged fields
        out
    }

    /// Reads a record; `None` if it is none of those that this broker writes.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        if get_uvarint(bytes)? != FRAME_VERSION {
            return None;
        }
        let api_key = get_uvarint(bytes)?;
        if get_uvarint(bytes)? != VERSION {
            return None;
        }
        let record = match api_key {
            TOPIC => MetadataRecord::Topic { name: get_compact_string(bytes)??, id: get_id(bytes)? },
            PARTITION => {
                let index = bytes.try_get_i32().ok()?;
                let topic = get_id(bytes)?;
                for _ in 0..4 {
                    let replicas = get_uvarint(bytes)?.checked_sub(1)?;
                    for _ in 0..replicas {
                        bytes.try_get_i32().ok()?;
                    }
                }
                let node = bytes.try_get_i32().ok()?;
                bytes.try_get_i64().ok()?; // leader epoch, partition epoch
                MetadataRecord::Partition { topic, index, node }
            }
            CONFIG => {
                bytes.try_get_i8().ok().filter(|&kind| kind == RESOURCE_TOPIC)?;
                MetadataRecord::Config {
                    topic: get_compact_string(bytes)??,
                    name: get_compact_string(bytes)??,
                    value: get_compact_string(bytes)?,
                }
            }
            REMOVE_TOPIC => MetadataRecord::RemoveTopic { id: get_id(bytes)? },
            PRODUCER_IDS => {
                let node = bytes.try_get_i32().ok()?;
                bytes.try_get_i64().ok()?;
                MetadataRecord::ProducerIds { node, next: bytes.try_get_i64().ok()? }
            }
            _ => return None,
        };
        skip_tagged_fields(bytes)?;
        Some(record)
    }
}

fn get_id(bytes: &mut &[u8]) -> Option<Uuid> {
    let id = bytes.first_chunk::<16>().copied()?;
    bytes.advance(16);
    Some(Uuid::from_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_reads_back_and_none_from_a_part_of_it() {
        let id = Uuid::from_u128(77);
        let text = str::to_owned;
        let records = [
            MetadataRecord::Topic { name: text("orders"), id },
            MetadataRecord::Partition { topic: id, index: 3, node: 1 },
            MetadataRecord::Config { topic: text("orders"), name: text("retention.ms"), value: Some(text("5")) },
            MetadataRecord::Config { topic: text("orders"), name: text("retention.ms"), value: None },
            MetadataRecord::RemoveTopic { id },
            MetadataRecord::ProducerIds { node: 1, next: 2_000 },
        ];
        for record in records {
            let bytes = record.encode();
            assert_eq!(MetadataRecord::decode(&bytes).as_ref(), Some(&record));
            for cut in 0..bytes.len() {
                assert_eq!(MetadataRecord::decode(&bytes[..cut]), None, "{record:?} cut at {cut}");
            }
        }
    }
}
