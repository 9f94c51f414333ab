//! [`Change`], and its bytes in the repartition topics of grouped tables.

use stream_core::serdes::{Serde, SerdeContext, SerdeError, SerdeRef};

/// What became of a key of a table. Mirrors Kafka Streams' class of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<V> {
    /// The value before, where an operator below needs it; else `None`.
    pub old: Option<V>,
    /// The value now; `None`: the key was deleted.
    pub new: Option<V>,
    /// False for a row of a versioned table of which a later version was there: joins and groupings leave it out (KIP-914).
    pub is_latest: bool,
}

impl<V> Change<V> {
    /// A change of the latest row of a key.
    ///
    /// ```
    /// use stream_dsl::Change;
    ///
    /// let renamed = Change::latest(Some("ada"), Some("lovelace"));
    /// let deleted = Change::latest(Some("ada"), None);
    /// assert!(renamed.is_latest && deleted.new.is_none());
    /// ```
    pub const fn latest(old: Option<V>, new: Option<V>) -> Self {
        Self { old, new, is_latest: true }
    }
}

const OLD: u8 = 0;
const NEW: u8 = 1;
const BOTH: u8 = 2;

/// Changes as Kafka Streams writes them (trap T73): `old‖0`, `new‖1`, or `varint(length of new)‖new‖old‖2` (KIP-904).
pub(crate) struct ChangedSerde<V>(pub(crate) SerdeRef<V>);

impl<V: 'static> ChangedSerde<V> {
    fn part(&self, value: &V, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        if self.0.is_null(value) {
            return Err(SerdeError::bad("a grouped table sends a value that its serde writes as null"));
        }
        self.0.serialize(value, out, cx)
    }
}

impl<V: 'static> Serde<Change<V>> for ChangedSerde<V> {
    fn serialize(&self, change: &Change<V>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        match (&change.old, &change.new) {
            (Some(old), Some(new)) => {
                let mut bytes = Vec::new();
                self.part(new, &mut bytes, cx)?;
                write_varint(bytes.len(), out)?;
                out.append(&mut bytes);
                self.part(old, out, cx)?;
                out.push(BOTH);
            }
            (None, Some(new)) => {
                self.part(new, out, cx)?;
                out.push(NEW);
            }
            (Some(old), None) => {
                self.part(old, out, cx)?;
                out.push(OLD);
            }
            (None, None) => return Err(SerdeError::bad("a change has neither an old nor a new value")),
        }
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Change<V>, SerdeError> {
        let malformed = || SerdeError::bad(format!("{} bytes are not a change of a grouped table", bytes.len()));
        let (flag, body) = bytes.split_last().ok_or_else(malformed)?;
        match *flag {
            OLD => Ok(Change::latest(Some(self.0.deserialize(body, cx)?), None)),
            NEW => Ok(Change::latest(None, Some(self.0.deserialize(body, cx)?))),
            BOTH => {
                let (length, rest) = read_varint(body).ok_or_else(malformed)?;
                let (new, old) = rest.split_at_checked(length).ok_or_else(malformed)?;
                Ok(Change::latest(Some(self.0.deserialize(old, cx)?), Some(self.0.deserialize(new, cx)?)))
            }
            _ => Err(malformed()),
        }
    }
}

/// Kafka's signed varint: zigzag, seven bits per byte, lowest first.
fn write_varint(length: usize, out: &mut Vec<u8>) -> Result<(), SerdeError> {
    let length = i32::try_from(length).map_err(|_| SerdeError::bad("a value of 2 GiB or more cannot be sent in a change"))?;
    let mut rest = length.cast_unsigned() << 1;
    while rest >= 0x80 {
        out.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    out.push(rest as u8);
    Ok(())
}

/// The length, and the bytes behind it; `None` for what [`write_varint`] does not write.
fn read_varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            // Lengths are not negative: an odd zigzag number is not one of ours.
            let length = (value & 1 == 0).then_some(value >> 1)?;
            return Some((usize::try_from(length).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use stream_core::Headers;
    use stream_core::serdes::{Role, Serdes};

    use super::*;

    fn bytes(old: Option<&str>, new: Option<&str>) -> Vec<u8> {
        let change = Change::latest(old.map(str::to_owned), new.map(str::to_owned));
        let (serde, headers) = (ChangedSerde(Serdes::string()), Headers::new());
        let cx = SerdeContext { topic: "t", headers: &headers, role: Role::Value };
        let mut bytes = Vec::new();
        serde.serialize(&change, &mut bytes, &cx).expect("bytes");
        assert_eq!(serde.deserialize(&bytes, &cx).expect("a change"), change);
        bytes
    }

    #[test]
    fn changes_have_kafkas_bytes_and_are_read_back() {
        assert_eq!(bytes(Some("1"), None), [0x31, 0]);
        assert_eq!(bytes(None, Some("1")), [0x31, 1]);
        assert_eq!(bytes(Some("1"), Some("3")), [2, 0x33, 0x31, 2]);
        let long = "x".repeat(100);
        assert_eq!(bytes(Some(""), Some(&long))[..2], [0xc8, 1]);
    }

    #[test]
    fn cut_bytes_are_a_bad_record_and_no_panic() {
        let (serde, headers) = (ChangedSerde(Serdes::string()), Headers::new());
        let cx = SerdeContext { topic: "t", headers: &headers, role: Role::Value };
        for bad in [&[][..], &[2], &[9, 2], &[0x80, 0x80, 0x80, 0x80, 0x80, 2], &[7]] {
            assert!(serde.deserialize(bad, &cx).is_err(), "{bad:?}");
        }
    }
}
