//! Partitioning: which partition of a topic a record goes to.

use crate::error::BoxError;

/// Where a partitioner sends a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Partitions {
    /// Where the default partitioner sends it: by the murmur2 hash of the key's bytes; a null key anywhere.
    ByKey,
    /// To each of these partitions (KIP-873); to none: the record is dropped and counted.
    Only(Vec<i32>),
}

/// Chooses the partitions of a record that a sink writes. Mirrors Kafka Streams' `StreamPartitioner`.
pub trait StreamPartitioner<K, V>: Send + Sync + 'static {
    /// The partitions for a record; `count` is how many the topic has.
    ///
    /// # Errors
    /// Stops the task; the uncaught-error handler decides.
    fn partitions(&self, topic: &str, key: &K, value: &V, count: i32) -> Result<Partitions, BoxError>;
}

impl<K, V, F> StreamPartitioner<K, V> for F
where
    F: Fn(&str, &K, &V, i32) -> Result<Partitions, BoxError> + Send + Sync + 'static,
{
    fn partitions(&self, topic: &str, key: &K, value: &V, count: i32) -> Result<Partitions, BoxError> {
        self(topic, key, value, count)
    }
}

/// The partition that Java's default partitioner gives a key: `toPositive(murmur2(key)) % count`.
///
/// ```
/// assert_eq!(stream_core::partition::for_key(b"kafka", 10), 0);
/// ```
pub fn for_key(key: &[u8], count: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff) % count.max(1)
}

/// Kafka's 32-bit murmur2.
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    #[expect(clippy::cast_possible_truncation, reason = "Kafka hashes the length as a 32-bit integer; keys are shorter than 2 GiB")]
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in words.by_ref() {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^= hash >> 15;
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_equals_java() {
        // Kafka's own vectors (UtilsTest#testMurmur2).
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()), hash, "{text}");
        }
    }
}
