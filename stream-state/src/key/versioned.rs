//! Keys of versions: `length of the key (4) ‖ key ‖ from (8)`, big-endian, so that the versions of a key lie side by side, oldest
//! first, and apart from those of keys that begin alike. In the changelog, as in Java, the key alone: the time is the record's.

use crate::bytes::ByteRange;

const LENGTH: usize = 4;
const FROM: usize = 8;

/// How versions are keyed and for how long they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionedKeySchema {
    /// How far behind the stream time versions can be read and written, ms.
    pub(crate) history_ms: i64,
    /// Versions go in steps of this much time, ms.
    pub(crate) segment_ms: i64,
}

/// The parts of a stored key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VersionParts<'a> {
    pub(crate) key: &'a [u8],
    /// When the version begins, ms.
    pub(crate) from: i64,
}

impl VersionedKeySchema {
    /// Appends the stored key of a version.
    pub(crate) fn write(key: &[u8], from: i64, out: &mut Vec<u8>) {
        #[expect(clippy::cast_possible_truncation, reason = "Kafka's keys are shorter than 2 GiB")]
        let length = key.len() as u32;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(&ordered(from).to_be_bytes());
    }

    /// Takes a stored key apart; `None` when it is too short to be one.
    pub(crate) fn parts(stored: &[u8]) -> Option<VersionParts<'_>> {
        let (rest, from) = stored.get(LENGTH..)?.split_last_chunk::<FROM>()?;
        Some(VersionParts { key: rest, from: (u64::from_be_bytes(*from) ^ SIGN).cast_signed() })
    }

    /// The versions of a key that begin from `from` to `to`, both inclusive.
    pub(crate) fn versions(key: &[u8], from: i64, to: i64) -> ByteRange {
        let bound = |time: i64| {
            let mut bound = Vec::with_capacity(LENGTH + key.len() + FROM + 1);
            Self::write(key, time, &mut bound);
            bound
        };
        let mut end = bound(to);
        end.push(0);
        ByteRange { from: bound(from), to: Some(end) }
    }

    /// Whether a version that ended at `to` is still kept.
    pub(crate) fn keeps(&self, to: i64, stream_time: i64) -> bool {
        to.div_euclid(self.segment_ms) >= stream_time.saturating_sub(self.history_ms).div_euclid(self.segment_ms)
    }
}

const SIGN: u64 = 1 << 63;

/// Times before the epoch come before those after it.
fn ordered(time: i64) -> u64 {
    time.cast_unsigned() ^ SIGN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(key: &[u8], from: i64) -> Vec<u8> {
        let mut out = Vec::new();
        VersionedKeySchema::write(key, from, &mut out);
        out
    }

    #[test]
    fn versions_of_a_key_lie_in_the_order_of_their_times_and_apart_from_other_keys() {
        let range = VersionedKeySchema::versions(b"a", -5, i64::MAX);
        for from in [-5, -1, 0, 1, i64::MAX] {
            assert!(range.contains(&stored(b"a", from)), "{from}");
            assert_eq!(VersionedKeySchema::parts(&stored(b"a", from)), Some(VersionParts { key: b"a", from }));
        }
        assert!(!range.contains(&stored(b"a", -6)));
        assert!(!range.contains(&stored(b"ab", 1)) && !range.contains(&stored(b"", 1)));
        assert!(stored(b"a", -1) < stored(b"a", 0));
    }
}
