//! [`Message`]: a consumed record that still lies in the client's buffer, or one that owns its bytes.

use std::sync::Arc;

pub use super::native::message::NativeMessage;
use crate::record::{OwnedRecord, RawRecord};

/// A consumed record.
#[derive(Debug)]
pub enum Message {
    /// In the buffer of the client that fetched it; nothing was copied.
    Native(NativeMessage),
    /// With bytes of its own: from a test driver, or kept beyond the client's life.
    /// Boxed, so that a message is no larger than the common case: messages move from queue to queue.
    Owned(Box<OwnedRecord>),
}

/// What an entry in a queue costs beside its bytes.
const OVERHEAD_BYTES: usize = 64;

impl Message {
    /// The record as bytes. Headers are read here, if there are any.
    #[inline]
    pub fn as_raw(&self) -> RawRecord<'_> {
        match self {
            Self::Native(message) => message.as_raw(),
            Self::Owned(record) => record.as_raw(),
        }
    }

    /// The topic; one shared name per consumer.
    #[inline]
    pub fn topic(&self) -> &Arc<str> {
        match self {
            Self::Native(message) => message.topic(),
            Self::Owned(record) => &record.topic,
        }
    }

    /// The partition.
    #[inline]
    pub fn partition(&self) -> i32 {
        match self {
            Self::Native(message) => message.partition(),
            Self::Owned(record) => record.partition,
        }
    }

    /// The offset.
    #[inline]
    pub fn offset(&self) -> i64 {
        match self {
            Self::Native(message) => message.offset(),
            Self::Owned(record) => record.offset,
        }
    }

    /// The epoch of the leader that wrote it, when known; goes into the commit.
    pub fn leader_epoch(&self) -> Option<i32> {
        match self {
            Self::Native(message) => message.leader_epoch(),
            Self::Owned(_) => None,
        }
    }

    /// What the record occupies in memory, about, in bytes.
    #[inline]
    pub fn size_bytes(&self) -> usize {
        OVERHEAD_BYTES
            + match self {
                Self::Native(message) => message.payload_bytes(),
                Self::Owned(record) => record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len),
            }
    }
}

impl From<OwnedRecord> for Message {
    fn from(record: OwnedRecord) -> Self {
        Self::Owned(Box::new(record))
    }
}
