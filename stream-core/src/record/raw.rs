//! Records as bytes: as consumed, before a serde reads them.

use std::sync::Arc;

use super::Headers;

/// A consumed record, borrowed from the client's buffer.
#[derive(Clone, Debug)]
pub struct RawRecord<'a> {
    /// The topic.
    pub topic: &'a Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The timestamp in the record, ms since the epoch; negative when it has none.
    pub timestamp: i64,
    /// The key's bytes, or null.
    pub key: Option<&'a [u8]>,
    /// The value's bytes, or null.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers,
}

impl RawRecord<'_> {
    /// A copy that owns its bytes.
    pub fn to_owned_record(&self) -> OwnedRecord {
        OwnedRecord {
            topic: Arc::clone(self.topic),
            partition: self.partition,
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.map(<[u8]>::to_vec),
            value: self.value.map(<[u8]>::to_vec),
            headers: self.headers.clone(),
        }
    }
}

/// A record as bytes that owns them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The timestamp, ms since the epoch; negative when it has none.
    pub timestamp: i64,
    /// The key's bytes, or null.
    pub key: Option<Vec<u8>>,
    /// The value's bytes, or null.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Headers,
}

impl OwnedRecord {
    /// The same record, borrowed.
    pub fn as_raw(&self) -> RawRecord<'_> {
        RawRecord {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self.headers.clone(),
        }
    }
}
