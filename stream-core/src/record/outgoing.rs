//! Records as bytes: on their way to a topic.

use std::sync::Arc;

use super::Headers;

/// A record on its way out, as bytes that are borrowed until the call returns.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingRecord<'a> {
    /// The topic's full name.
    pub topic: &'a Arc<str>,
    /// The partition; `None` for the default partitioner (murmur2 of the key, as Java's).
    pub partition: Option<i32>,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes.
    pub value: Option<&'a [u8]>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The headers.
    pub headers: &'a Headers,
}
