//! The bytes of a buffered change, in the store and in the changelog: Kafka Streams' version 3.
//!
//! `record context ‖ prior ‖ old ‖ new ‖ buffer time (8)`, where the context is `timestamp (8) ‖ offset (8) ‖ topic ‖ partition (4) ‖
//! headers`, and every value has its length (4) before it: -1 for null, and for `old` -2 when it equals `prior`.

use stream_core::record::Headers;
use stream_core::serdes::SerdeError;

const NULL: i32 = -1;
const SAME_AS_PRIOR: i32 = -2;

/// The header that tells the version of a record of the changelog.
pub(crate) const VERSION_HEADER: &str = "v";
pub(crate) const VERSION: u8 = 3;

/// The values of a buffered change, as bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values<'a> {
    /// What downstream was told last.
    pub(crate) prior: Option<&'a [u8]>,
    pub(crate) old: Option<&'a [u8]>,
    pub(crate) new: Option<&'a [u8]>,
}

/// Where a buffered change came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context<'a> {
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) headers: Headers,
}

/// A buffered change, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Buffered<'a> {
    pub(crate) context: Context<'a>,
    pub(crate) values: Values<'a>,
    pub(crate) time: i64,
}

fn length(bytes: &[u8]) -> Result<[u8; 4], SerdeError> {
    i32::try_from(bytes.len()).map(i32::to_be_bytes).map_err(|_| SerdeError::bad("a value of 2 GiB or more cannot be buffered"))
}

fn write(bytes: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
    match bytes {
        None => out.extend_from_slice(&NULL.to_be_bytes()),
        Some(bytes) => {
            out.extend_from_slice(&length(bytes)?);
            out.extend_from_slice(bytes);
        }
    }
    Ok(())
}

impl<'a> Buffered<'a> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let Context { timestamp, offset, topic, partition, headers } = &self.context;
        out.extend_from_slice(&timestamp.to_be_bytes());
        out.extend_from_slice(&offset.to_be_bytes());
        write(Some(topic.as_bytes()), out)?;
        out.extend_from_slice(&partition.to_be_bytes());
        let count = i32::try_from(headers.len()).map_err(|_| SerdeError::bad("a record has too many headers to be buffered"))?;
        out.extend_from_slice(&count.to_be_bytes());
        for header in headers.iter() {
            write(Some(header.key.as_bytes()), out)?;
            write(header.value.as_deref(), out)?;
        }
        let Values { prior, old, new } = self.values;
        write(prior, out)?;
        match old {
            Some(_) if old == prior => out.extend_from_slice(&SAME_AS_PRIOR.to_be_bytes()),
            old => write(old, out)?,
        }
        write(new, out)?;
        out.extend_from_slice(&self.time.to_be_bytes());
        Ok(())
    }

    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, SerdeError> {
        let total = bytes.len();
        Self::parse(bytes).ok_or_else(|| SerdeError::bad(format!("{total} bytes are not a buffered change of version {VERSION}")))
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let timestamp = i64::from_be_bytes(take(&mut rest)?);
        let offset = i64::from_be_bytes(take(&mut rest)?);
        let topic = std::str::from_utf8(sized(&mut rest)??).ok()?;
        let partition = i32::from_be_bytes(take(&mut rest)?);
        let mut headers = Headers::new();
        for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
            let key = std::str::from_utf8(sized(&mut rest)??).ok()?;
            headers.add(key, sized(&mut rest)?);
        }
        let prior = sized(&mut rest)?;
        let old = if rest.starts_with(&SAME_AS_PRIOR.to_be_bytes()) {
            rest = &rest[4..];
            prior
        } else {
            sized(&mut rest)?
        };
        let new = sized(&mut rest)?;
        let time = i64::from_be_bytes(take(&mut rest)?);
        let context = Context { timestamp, offset, topic, partition, headers };
        rest.is_empty().then_some(Self { context, values: Values { prior, old, new }, time })
    }

    /// What the change counts for the limit of the buffer, with its key: as in Kafka Streams, so that the same limit holds the same changes.
    pub(crate) fn counted_bytes(&self, key: &[u8]) -> u64 {
        let Values { prior, old, new } = self.values;
        let size = |value: Option<&[u8]>| value.map_or(0, <[u8]>::len);
        let values = size(prior) + if old == prior { 0 } else { size(old) } + size(new);
        let headers: usize = self.context.headers.iter().map(|header| header.key.len() + size(header.value.as_deref())).sum();
        // Buffer time, timestamp, offset and partition.
        (8 + key.len() + values + 8 + 8 + 4 + self.context.topic.len() + headers) as u64
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// Bytes with their length; outer `None`: these are none.
fn sized<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match i32::from_be_bytes(take(bytes)?) {
        NULL => Some(None),
        length => {
            let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
            *bytes = rest;
            Some(Some(taken))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap_or(0)).collect()
    }

    #[test]
    fn the_bytes_are_kafka_streams() {
        // From the changelog of a `suppress` of Kafka Streams 4.3.1.
        let mut headers = Headers::new();
        headers.add("h", Some(b"a"));
        let first = Context { timestamp: 1, offset: 0, topic: "in", partition: 0, headers };
        let plain = Context { timestamp: 11, offset: 4, topic: "in", partition: 0, headers: Headers::new() };
        for (buffered, text) in [
            (
                Buffered { context: first, values: Values { prior: None, old: None, new: Some(b"x") }, time: 1 },
                "0000000000000001000000000000000000000002696e000000000000000100000001680000000161ffffffffffffffff00000001780000000000000001",
            ),
            (
                Buffered { context: plain, values: Values { prior: Some(b"b"), old: Some(b"b"), new: Some(b"a") }, time: 11 },
                "000000000000000b000000000000000400000002696e00000000000000000000000162fffffffe0000000161000000000000000b",
            ),
        ] {
            let mut bytes = Vec::new();
            buffered.write(&mut bytes).expect("bytes");
            assert_eq!(bytes, hex(text));
            assert_eq!(Buffered::read(&bytes).expect("a change"), buffered);
            for cut in 0..bytes.len() {
                assert!(Buffered::read(&bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
    }
}
