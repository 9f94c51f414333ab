//! A walk over a request's bytes that checks every length before anything is allocated for it.
//!
//! The decoder reserves memory for as many elements as an array announces. A request of twenty bytes that announces two
//! thousand million elements would end the process. So each request is walked first, by the shape of its API: a length that the
//! frame cannot hold is found here, and what passes can make the decoder allocate no more than a multiple of the frame's size.

use kafka_protocol::messages::ApiKey;

/// A field and the versions that have it.
#[derive(Clone, Copy, Debug)]
struct Field {
    since: i16,
    until: i16,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Fixed(usize),
    /// A string: the length has two bytes, or is a varint in flexible versions.
    Text,
    /// Bytes or records: the length has four bytes, or is a varint in flexible versions.
    Bytes,
    /// Elements without tagged fields of their own.
    List(&'static Field),
    /// A structure, or null: a byte before it tells which.
    Optional(&'static [Field]),
    /// Structures.
    Array(&'static [Field]),
}

const fn always(kind: Kind) -> Field {
    Field { since: 0, until: i16::MAX, kind }
}

const I8: Field = always(Kind::Fixed(1));
const I16: Field = always(Kind::Fixed(2));
const I32: Field = always(Kind::Fixed(4));
const I64: Field = always(Kind::Fixed(8));
const UUID: Field = always(Kind::Fixed(16));
const TEXT: Field = always(Kind::Text);
const BYTES: Field = always(Kind::Bytes);

const fn list(element: &'static Field) -> Field {
    always(Kind::List(element))
}

macro_rules! fields {
    ($($field:expr),*) => {{
        const FIELDS: &[Field] = &[$($field),*];
        FIELDS
    }};
}

macro_rules! array {
    ($($field:expr),*) => {
        always(Kind::Array(fields![$($field),*]))
    };
}

const fn since(version: i16, field: Field) -> Field {
    Field { since: version, ..field }
}

const fn until(version: i16, field: Field) -> Field {
    Field { until: version, ..field }
}

const fn between(since: i16, until: i16, field: Field) -> Field {
    Field { since, until, ..field }
}

/// The fields of a request's body, in order, for the versions that are served.
#[rustfmt::skip]
fn shape(api: ApiKey) -> Option<&'static [Field]> {
    Some(match api {
        ApiKey::Produce => fields![TEXT, I16, I32, array![until(12, TEXT), since(13, UUID), array![I32, BYTES]]],
        ApiKey::Fetch => fields![until(14, I32), I32, I32, I32, I8, since(7, I32), since(7, I32), array![until(12, TEXT), since(13, UUID), array![I32, since(9, I32), I64, since(12, I32), since(5, I64), I32]], since(7, array![until(12, TEXT), since(13, UUID), list(&I32)]), since(11, TEXT)],
        ApiKey::ListOffsets => fields![I32, since(2, I8), array![TEXT, array![I32, since(4, I32), I64]], since(10, I32)],
        ApiKey::Metadata => fields![array![since(10, UUID), TEXT], since(4, I8), between(8, 10, I8), since(8, I8)],
        ApiKey::OffsetCommit => fields![TEXT, I32, TEXT, since(7, TEXT), until(4, I64), array![TEXT, array![I32, I64, since(6, I32), TEXT]]],
        ApiKey::OffsetFetch => fields![until(7, TEXT), until(7, array![TEXT, list(&I32)]), since(8, array![TEXT, since(9, TEXT), since(9, I32), array![TEXT, list(&I32)]]), since(7, I8)],
        ApiKey::FindCoordinator => fields![until(3, TEXT), since(1, I8), since(4, list(&TEXT))],
        ApiKey::JoinGroup => fields![TEXT, I32, since(1, I32), TEXT, since(5, TEXT), TEXT, array![TEXT, BYTES], since(8, TEXT)],
        ApiKey::Heartbeat => fields![TEXT, I32, TEXT, since(3, TEXT)],
        ApiKey::LeaveGroup => fields![TEXT, until(2, TEXT), since(3, array![TEXT, TEXT, since(5, TEXT)])],
        ApiKey::SyncGroup => fields![TEXT, I32, TEXT, since(3, TEXT), since(5, TEXT), since(5, TEXT), array![TEXT, BYTES]],
        ApiKey::DescribeGroups => fields![list(&TEXT), since(3, I8)],
        ApiKey::ListGroups => fields![since(4, list(&TEXT)), since(5, list(&TEXT))],
        ApiKey::ApiVersions => fields![since(3, TEXT), since(3, TEXT)],
        ApiKey::CreateTopics => fields![array![TEXT, I32, I16, array![I32, list(&I32)], array![TEXT, TEXT]], I32, I8],
        ApiKey::DeleteTopics => fields![since(6, array![TEXT, UUID]), until(5, list(&TEXT)), I32],
        ApiKey::DeleteRecords => fields![array![TEXT, array![I32, I64]], I32],
        ApiKey::InitProducerId => fields![TEXT, I32, since(3, I64), since(3, I16)],
        ApiKey::OffsetForLeaderEpoch => fields![since(3, I32), array![TEXT, array![I32, I32, I32]]],
        ApiKey::AddPartitionsToTxn => fields![since(4, array![TEXT, I64, I16, I8, array![TEXT, list(&I32)]]), until(3, TEXT), until(3, I64), until(3, I16), until(3, array![TEXT, list(&I32)])],
        ApiKey::AddOffsetsToTxn => fields![TEXT, I64, I16, TEXT],
        ApiKey::EndTxn => fields![TEXT, I64, I16, I8],
        ApiKey::WriteTxnMarkers => fields![array![I64, I16, I8, array![TEXT, list(&I32)], I32]],
        ApiKey::ListPartitionReassignments => fields![I32, array![TEXT, list(&I32)]],
        ApiKey::TxnOffsetCommit => fields![TEXT, TEXT, I64, I16, since(3, I32), since(3, TEXT), since(3, TEXT), array![TEXT, array![I32, I64, since(2, I32), TEXT]]],
        ApiKey::DescribeConfigs => fields![array![I8, TEXT, list(&TEXT)], I8, since(3, I8)],
        ApiKey::AlterConfigs => fields![array![I8, TEXT, array![TEXT, TEXT]], I8],
        ApiKey::DescribeLogDirs => fields![array![TEXT, list(&I32)]],
        ApiKey::CreatePartitions => fields![array![TEXT, I32, array![list(&I32)]], I32, I8],
        ApiKey::DeleteGroups => fields![list(&TEXT)],
        ApiKey::IncrementalAlterConfigs => fields![array![I8, TEXT, array![TEXT, I8, TEXT]], I8],
        ApiKey::OffsetDelete => fields![TEXT, array![TEXT, array![I32]]],
        ApiKey::DescribeCluster => fields![I8, since(1, I8), since(2, I8)],
        ApiKey::DescribeProducers => fields![array![TEXT, list(&I32)]],
        ApiKey::DescribeTransactions => fields![list(&TEXT)],
        ApiKey::ListTransactions => fields![list(&TEXT), list(&I64), since(1, I64), since(2, TEXT)],
        ApiKey::ConsumerGroupHeartbeat => fields![TEXT, TEXT, I32, TEXT, TEXT, I32, list(&TEXT), since(1, TEXT), TEXT, array![UUID, list(&I32)]],
        ApiKey::ConsumerGroupDescribe => fields![list(&TEXT), I8],
        ApiKey::DescribeTopicPartitions => fields![array![TEXT], I32, always(Kind::Optional(fields![TEXT, I32]))],
        _ => return None,
    })
}

/// The frame ends before what it announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a length points beyond the end of the frame")]
pub(super) struct Truncated;

/// Checks all lengths of a frame, header included.
pub(super) fn check(api: ApiKey, version: i16, flexible: bool, frame: &[u8]) -> Result<(), Truncated> {
    // A request without a shape is one that nobody has checked.
    let fields = shape(api).ok_or(Truncated)?;
    let mut walk = Walk { rest: frame, version, flexible };
    walk.skip(8)?; // API, version, correlation id
    // The client id keeps its old form in flexible versions, so that any broker can read it.
    let client_id = walk.fixed_length::<2>()?;
    walk.skip(client_id)?;
    walk.tagged_fields()?;
    walk.structure(fields)
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Result<(), Truncated> {
        for field in fields {
            self.field(field)?;
        }
        self.tagged_fields()
    }

    fn field(&mut self, field: &Field) -> Result<(), Truncated> {
        if !(field.since..=field.until).contains(&self.version) {
            return Ok(());
        }
        match field.kind {
            Kind::Fixed(bytes) => self.skip(bytes),
            Kind::Text => {
                let length = self.length::<2>()?;
                self.skip(length)
            }
            Kind::Bytes => {
                let length = self.length::<4>()?;
                self.skip(length)
            }
            Kind::List(element) => {
                for _ in 0..self.length::<4>()? {
                    self.field(element)?;
                }
                Ok(())
            }
            Kind::Optional(fields) => {
                let (&tag, rest) = self.rest.split_first().ok_or(Truncated)?;
                self.rest = rest;
                // Negative is null.
                if tag & 0x80 == 0 { self.structure(fields) } else { Ok(()) }
            }
            Kind::Array(fields) => {
                for _ in 0..self.length::<4>()? {
                    self.structure(fields)?;
                }
                Ok(())
            }
        }
    }

    fn tagged_fields(&mut self) -> Result<(), Truncated> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.varint()? {
            self.varint()?; // tag
            let size = self.varint()? as usize;
            self.skip(size)?;
        }
        Ok(())
    }

    /// A length; null counts as 0.
    fn length<const BYTES: usize>(&mut self) -> Result<usize, Truncated> {
        if self.flexible { Ok(self.varint()?.saturating_sub(1) as usize) } else { self.fixed_length::<BYTES>() }
    }

    fn fixed_length<const BYTES: usize>(&mut self) -> Result<usize, Truncated> {
        let (bytes, rest) = self.rest.split_first_chunk::<BYTES>().ok_or(Truncated)?;
        self.rest = rest;
        let unsigned = bytes.iter().fold(0_u64, |n, &b| (n << 8) | u64::from(b));
        let negative = bytes[0] & 0x80 != 0;
        Ok(if negative { 0 } else { unsigned as usize })
    }

    fn varint(&mut self) -> Result<u32, Truncated> {
        let mut value = 0_u32;
        for (index, &byte) in self.rest.iter().take(5).enumerate() {
            value |= u32::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(Truncated)
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Truncated> {
        self.rest = self.rest.get(bytes..).ok_or(Truncated)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use kafka_protocol::messages::{MetadataRequest, ProduceRequest, RequestHeader};
    use kafka_protocol::protocol::Encodable;

    use super::*;
    use crate::api::SUPPORTED;

    #[test]
    fn every_served_api_has_a_shape() {
        for &(api, ..) in SUPPORTED {
            assert!(shape(api).is_some(), "{api:?}");
        }
    }

    #[test]
    fn an_array_longer_than_the_frame_is_refused() {
        let mut frame = BytesMut::new();
        frame.put_i16(ApiKey::Metadata as i16);
        frame.put_i16(1);
        frame.put_i32(7);
        frame.put_i16(-1);
        frame.put_i32(i32::MAX);
        assert_eq!(check(ApiKey::Metadata, 1, false, &frame), Err(Truncated));
    }

    #[test]
    fn whole_requests_pass_and_cut_ones_do_not() {
        let frame = |api: ApiKey, version: i16, body: &dyn Fn(&mut BytesMut)| {
            let mut frame = BytesMut::new();
            RequestHeader::default()
                .with_request_api_key(api as i16)
                .with_request_api_version(version)
                .encode(&mut frame, api.request_header_version(version))
                .unwrap();
            body(&mut frame);
            frame
        };
        for version in 0..=13 {
            let frame = frame(ApiKey::Metadata, version, &|out| {
                let topics = vec![Default::default(); 2];
                MetadataRequest::default().with_topics(Some(topics)).encode(out, version).unwrap();
            });
            let check = |frame: &[u8]| check(ApiKey::Metadata, version, version >= 9, frame);
            assert_eq!(check(&frame), Ok(()), "version {version}");
            assert_eq!(check(&frame[..frame.len() - 1]), Err(Truncated));
        }
        for version in 3..=11 {
            let frame = frame(ApiKey::Produce, version, &|out| {
                ProduceRequest::default().encode(out, version).unwrap();
            });
            assert_eq!(check(ApiKey::Produce, version, version >= 9, &frame), Ok(()));
        }
    }
}
