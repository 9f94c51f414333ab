//! The text that accompanies a committed offset: the partition's time, in Kafka Streams' format.

use std::collections::BTreeMap;

use crate::time::UNKNOWN_TIME;

/// The format's version. Version 1 ends after the partition's time.
const VERSION: u8 = 2;

/// What a commit stores beside the offset: `base64(version ‖ partition time ‖ processor metadata)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitMetadata {
    /// The largest timestamp among the records taken from the partition, ms, or -1.
    pub(crate) partition_time: i64,
    /// Numbers that processors keep with the commit, by name.
    pub(crate) processors: BTreeMap<String, i64>,
}

impl CommitMetadata {
    /// Of a partition of which nothing is known.
    pub(crate) const fn unknown() -> Self {
        Self::at(UNKNOWN_TIME)
    }

    /// Of a partition with this time (ms).
    pub(crate) const fn at(partition_time: i64) -> Self {
        Self { partition_time, processors: BTreeMap::new() }
    }

    /// As the text that the broker keeps.
    pub(crate) fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(16);
        bytes.push(VERSION);
        bytes.extend(self.partition_time.to_be_bytes());
        if !self.processors.is_empty() {
            bytes.extend(length(self.processors.len()));
            for (name, value) in &self.processors {
                bytes.extend(length(name.len()));
                bytes.extend(name.as_bytes());
                bytes.extend(value.to_be_bytes());
            }
        }
        base64(&bytes)
    }

    /// From the text that the broker kept. Text that somebody else wrote, or a later version, tells nothing: the partition's time
    /// starts anew, and the offset is used all the same.
    pub(crate) fn decode(text: &str) -> Self {
        if text.is_empty() {
            return Self::unknown();
        }
        from_base64(text).and_then(|bytes| Self::parse(&bytes)).unwrap_or_else(|| {
            tracing::warn!(metadata = text, "the metadata of a committed offset cannot be read; the partition's time starts anew");
            Self::unknown()
        })
    }

    fn parse(mut bytes: &[u8]) -> Option<Self> {
        let [version] = take(&mut bytes)?;
        let partition_time = i64::from_be_bytes(take(&mut bytes)?);
        let mut processors = BTreeMap::new();
        match version {
            1 => {}
            VERSION if bytes.is_empty() => {}
            VERSION => {
                for _ in 0..i32::from_be_bytes(take(&mut bytes)?) {
                    let len = usize::try_from(i32::from_be_bytes(take(&mut bytes)?)).ok()?;
                    let (name, rest) = bytes.split_at_checked(len)?;
                    bytes = rest;
                    processors.insert(String::from_utf8(name.to_vec()).ok()?, i64::from_be_bytes(take(&mut bytes)?));
                }
            }
            _ => return None,
        }
        Some(Self { partition_time, processors })
    }
}

fn length(len: usize) -> [u8; 4] {
    i32::try_from(len).unwrap_or(i32::MAX).to_be_bytes()
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let block = chunk.iter().zip([16, 8, 0]).fold(0_u32, |block, (byte, shift)| block | (u32::from(*byte) << shift));
        for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            text.push(if index <= chunk.len() { char::from(ALPHABET[(block >> shift) as usize & 63]) } else { '=' });
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut block, mut bits) = (0_u32, 0_u32);
    for digit in digits.bytes() {
        let value = ALPHABET.iter().position(|letter| *letter == digit)?;
        block = (block << 6) | u32::try_from(value).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((block >> bits) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_survives_its_text() {
        for metadata in [
            CommitMetadata::at(-1),
            CommitMetadata::at(1_700_000_000_123),
            CommitMetadata { partition_time: 7, processors: BTreeMap::from([("emit".to_owned(), 42), ("ö".to_owned(), -1)]) },
        ] {
            assert_eq!(CommitMetadata::decode(&metadata.encode()), metadata);
        }
    }

    #[test]
    fn the_text_equals_java() {
        // Made by Kafka Streams 4.3.1 (`TopicPartitionMetadata#encode`).
        let processors = |entries: &[(&str, i64)]| entries.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        for (partition_time, entries, text) in [
            (1_700_000_000_123, &[][..], "AgAAAYvP5Wh7"),
            (7, &[("emit", 42)][..], "AgAAAAAAAAAHAAAAAQAAAARlbWl0AAAAAAAAACo="),
            (-1, &[("a", -1), ("bc", 5)][..], "Av//////////AAAAAgAAAAFh//////////8AAAACYmMAAAAAAAAABQ=="),
        ] {
            let metadata = CommitMetadata { partition_time, processors: processors(entries) };
            assert_eq!(metadata.encode(), text);
            assert_eq!(CommitMetadata::decode(text), metadata);
        }
    }

    #[test]
    fn the_first_version_is_read() {
        let bytes: Vec<u8> = [1_u8].into_iter().chain(99_i64.to_be_bytes()).collect();
        assert_eq!(CommitMetadata::decode(&base64(&bytes)), CommitMetadata::at(99));
    }

    #[test]
    fn metadata_of_others_leaves_the_time_unknown() {
        for text in ["", "not base64!", "AAAA", "A", "AgAA", "CQAAAAAAAAAA", "====", "ümlaut"] {
            assert_eq!(CommitMetadata::decode(text), CommitMetadata::unknown(), "{text}");
        }
        let truncated_map: Vec<u8> = [2_u8].into_iter().chain(1_i64.to_be_bytes()).chain(5_i32.to_be_bytes()).collect();
        assert_eq!(CommitMetadata::decode(&base64(&truncated_map)), CommitMetadata::unknown());
    }

    #[test]
    fn base64_equals_the_standard() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")] {
            assert_eq!(base64(bytes.as_bytes()), text);
            assert_eq!(from_base64(text).as_deref(), Some(bytes.as_bytes()));
        }
    }
}
