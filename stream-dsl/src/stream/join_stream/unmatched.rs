//! Records of a left or outer join that found no partner yet: the keys and values of their store, as Kafka Streams writes them.

use std::cell::Cell;

use stream_core::serdes::{Serde, SerdeContext, SerdeError, SerdeRef};
use stream_core::time::UNKNOWN_TIME;

/// A value of one of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeftOrRight<L, R> {
    Left(L),
    Right(R),
}

/// Which stream a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JoinSide {
    Left,
    Right,
}

impl JoinSide {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// Rows of the right come before those of the left (trap T52).
    const fn as_byte(self) -> u8 {
        match self {
            Self::Left => 1,
            Self::Right => 0,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Left),
            0 => Some(Self::Right),
            _ => None,
        }
    }
}

/// What records without a partner are kept by: those of one key, time and side share a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnmatchedKey<K> {
    pub(super) timestamp: i64,
    pub(super) side: JoinSide,
    pub(super) key: K,
}

/// `timestamp (8) ‖ side (1) ‖ key`: rows come by time.
pub(super) struct UnmatchedKeySerde<K>(pub(super) SerdeRef<K>);

impl<K: 'static> Serde<UnmatchedKey<K>> for UnmatchedKeySerde<K> {
    fn serialize(&self, key: &UnmatchedKey<K>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.extend_from_slice(&key.timestamp.to_be_bytes());
        out.push(key.side.as_byte());
        self.0.serialize(&key.key, out, cx)
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<UnmatchedKey<K>, SerdeError> {
        let malformed = || SerdeError::bad(format!("{} bytes are not the key of a record without a partner", bytes.len()));
        let (timestamp, rest) = bytes.split_first_chunk::<8>().ok_or_else(malformed)?;
        let (side, key) = rest.split_first().ok_or_else(malformed)?;
        let side = JoinSide::from_byte(*side).ok_or_else(malformed)?;
        Ok(UnmatchedKey { timestamp: i64::from_be_bytes(*timestamp), side, key: self.0.deserialize(key, cx)? })
    }
}

/// A value of one of the two streams: a byte for the side and the value. A row is a list of them.
pub(super) struct LeftOrRightSerde<L, R> {
    pub(super) left: SerdeRef<L>,
    pub(super) right: SerdeRef<R>,
}

impl<L: 'static, R: 'static> Serde<LeftOrRight<L, R>> for LeftOrRightSerde<L, R> {
    fn serialize(&self, value: &LeftOrRight<L, R>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        match value {
            LeftOrRight::Left(value) => {
                out.push(JoinSide::Left.as_byte());
                self.left.serialize(value, out, cx)
            }
            LeftOrRight::Right(value) => {
                out.push(JoinSide::Right.as_byte());
                self.right.serialize(value, out, cx)
            }
        }
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<LeftOrRight<L, R>, SerdeError> {
        let malformed = || SerdeError::bad(format!("{} bytes are not a record without a partner", bytes.len()));
        let (side, value) = bytes.split_first().ok_or_else(malformed)?;
        Ok(match JoinSide::from_byte(*side).ok_or_else(malformed)? {
            JoinSide::Left => LeftOrRight::Left(self.left.deserialize(value, cx)?),
            JoinSide::Right => LeftOrRight::Right(self.right.deserialize(value, cx)?),
        })
    }
}

/// The time of a join, which both sides move (trap T49). It starts anew with the task.
#[derive(Debug)]
pub(super) struct TimeTracker {
    stream_time: Cell<i64>,
    /// The earliest record without a partner, as far as is known; the largest number when none is.
    min_time: Cell<i64>,
    next_emit: Cell<i64>,
}

impl Default for TimeTracker {
    fn default() -> Self {
        Self { stream_time: Cell::new(UNKNOWN_TIME), min_time: Cell::new(i64::MAX), next_emit: Cell::new(0) }
    }
}

impl TimeTracker {
    pub(super) fn stream_time(&self) -> i64 {
        self.stream_time.get()
    }

    pub(super) fn advance(&self, timestamp: i64) {
        self.stream_time.set(self.stream_time().max(timestamp));
    }

    /// A record without a partner was kept.
    pub(super) fn kept(&self, timestamp: i64) {
        self.min_time.set(self.min_time.get().min(timestamp));
    }

    /// The first record that stays.
    pub(super) fn set_min_time(&self, timestamp: i64) {
        self.min_time.set(timestamp);
    }

    /// Whether it is worth a look at the store: a window may have closed, and the last look was `interval_ms` ago by the wall clock.
    /// `look_ahead_ms` is how far behind a record its window and grace reach.
    pub(super) fn is_due(&self, look_ahead_ms: i64, now_ms: i64, interval_ms: i64) -> bool {
        // The sum wraps where nothing is kept yet, as in Java: the first look is then due, and with it the interval begins.
        if self.min_time.get().wrapping_add(look_ahead_ms) >= self.stream_time() || now_ms < self.next_emit.get() {
            return false;
        }
        self.next_emit.set(now_ms.saturating_add(interval_ms));
        self.min_time.set(i64::MAX);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stream_core::Headers;
    use stream_core::serdes::{Role, Serdes};

    use super::*;

    fn context(headers: &Headers) -> SerdeContext<'_> {
        SerdeContext { topic: "t", headers, role: Role::Value }
    }

    #[test]
    fn keys_and_values_have_kafkas_bytes_and_are_read_back() {
        let headers = Headers::new();
        let (keys, key) = (UnmatchedKeySerde(Serdes::string()), UnmatchedKey { timestamp: 12, side: JoinSide::Left, key: "c".to_owned() });
        let mut bytes = Vec::new();
        keys.serialize(&key, &mut bytes, &context(&headers)).expect("bytes");
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 12, 1, b'c']);
        assert_eq!(keys.deserialize(&bytes, &context(&headers)).expect("a key"), key);

        let lists = Serdes::list(Arc::new(LeftOrRightSerde { left: Serdes::string(), right: Serdes::long() }));
        let list = vec![LeftOrRight::Left("x1".to_owned()), LeftOrRight::Right(7)];
        let mut bytes = Vec::new();
        lists.serialize(&list, &mut bytes, &context(&headers)).expect("bytes");
        assert_eq!(bytes, [1, 0, 0, 0, 2, 0, 0, 0, 3, 1, b'x', b'1', 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(lists.deserialize(&bytes, &context(&headers)).expect("a list"), list);
    }

    #[test]
    fn cut_bytes_are_a_bad_record_and_no_panic() {
        let headers = Headers::new();
        let lists = Serdes::list(Arc::new(LeftOrRightSerde { left: Serdes::string(), right: Serdes::long() }));
        for bad in [
            &[][..],
            &[0],
            &[1, 0, 0],
            &[1, 0, 0, 0, 1],
            &[1, 0xff, 0, 0, 0],
            &[1, 0, 0, 0, 1, 0, 0, 0, 9, 1],
            &[1, 0, 0, 0, 1, 0, 0, 0, 0],
        ] {
            assert!(lists.deserialize(bad, &context(&headers)).is_err(), "{bad:?}");
        }
        let keys = UnmatchedKeySerde(Serdes::string());
        for bad in [&[][..], &[0; 8], &[0, 0, 0, 0, 0, 0, 0, 0, 2]] {
            assert!(keys.deserialize(bad, &context(&headers)).is_err(), "{bad:?}");
        }
    }
}
