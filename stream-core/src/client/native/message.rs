//! Messages of librdkafka.

use std::ffi::{CStr, c_char};
use std::ptr::NonNull;
use std::sync::Arc;

use rdkafka_sys as rd;

use super::client::NativeClient;
use super::{ffi, string};
use crate::record::{Headers, RawRecord};

/// A message or event as it came out of the queue.
pub(crate) struct FetchedMessage(NonNull<rd::rd_kafka_message_t>);

// SAFETY: see `NativeMessage`.
unsafe impl Send for FetchedMessage {}

impl FetchedMessage {
    /// Takes a message over.
    ///
    /// # Safety
    /// `message` is live, its client outlives it, and nobody else destroys it.
    pub(super) unsafe fn new(message: NonNull<rd::rd_kafka_message_t>) -> Self {
        Self(message)
    }

    fn raw(&self) -> &rd::rd_kafka_message_t {
        // SAFETY: live until this value is dropped; its fields do not change.
        unsafe { self.0.as_ref() }
    }

    /// 0 for a record, `PARTITION_EOF` for the end of a partition, else an error.
    #[inline]
    pub(crate) fn code(&self) -> i32 {
        // SAFETY: the field is live.
        unsafe { ffi::code(&raw const (*self.0.as_ptr()).err) }
    }

    /// Identifies the topic among messages that are alive at the same time.
    #[inline]
    pub(crate) fn topic_address(&self) -> usize {
        self.raw().rkt as usize
    }

    /// The topic's name, when it has one (errors of the whole consumer have none).
    pub(crate) fn topic_name(&self) -> Option<&str> {
        let topic = self.raw().rkt;
        if topic.is_null() {
            return None;
        }
        // SAFETY: the message keeps its topic alive; the name is part of it.
        unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(topic)) }.to_str().ok()
    }

    #[inline]
    pub(crate) fn partition(&self) -> i32 {
        self.raw().partition
    }

    #[inline]
    pub(crate) fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// The text of an error.
    pub(crate) fn error_text(&self) -> String {
        // SAFETY: live; the text belongs to the message and is copied.
        unsafe { string(rd::rd_kafka_message_errstr(self.0.as_ptr())) }
    }

    /// Becomes a record of that topic.
    #[inline]
    pub(crate) fn into_message(self, topic: &Arc<ConsumedTopic>) -> NativeMessage {
        NativeMessage { message: self, topic: Arc::clone(topic) }
    }
}

impl Drop for FetchedMessage {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

/// What all messages of one topic and consumer share: one reference count per message keeps both the name and the client alive.
#[derive(Debug)]
pub(crate) struct ConsumedTopic {
    pub(crate) name: Arc<str>,
    // Never read: a message must not outlive its client.
    _client: Arc<NativeClient>,
}

impl ConsumedTopic {
    pub(crate) fn new(name: Arc<str>, client: &Arc<NativeClient>) -> Arc<Self> {
        Arc::new(Self { name, _client: Arc::clone(client) })
    }
}

/// A consumed record in librdkafka's buffer, destroyed on drop.
pub struct NativeMessage {
    // Dropped before `topic`, which keeps the client alive.
    message: FetchedMessage,
    topic: Arc<ConsumedTopic>,
}

// SAFETY: a message is a heap object with counted references to shared, locked parts of its client; it may be read and destroyed by
// another thread than the one that fetched it. It is not `Sync`: reading headers parses them in place.
unsafe impl Send for NativeMessage {}

impl NativeMessage {
    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic.name
    }

    pub(crate) fn partition(&self) -> i32 {
        self.message.partition()
    }

    pub(crate) fn offset(&self) -> i64 {
        self.message.offset()
    }

    pub(crate) fn leader_epoch(&self) -> Option<i32> {
        // SAFETY: the message is live.
        let epoch = unsafe { rd::rd_kafka_message_leader_epoch(self.message.0.as_ptr()) };
        (epoch >= 0).then_some(epoch)
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        self.message.raw().key_len + self.message.raw().len
    }

    pub(crate) fn as_raw(&self) -> RawRecord<'_> {
        let raw = self.message.raw();
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is live; key and payload are NULL or have the stated lengths and live as long as the message.
        unsafe {
            RawRecord {
                topic: &self.topic.name,
                partition: raw.partition,
                offset: raw.offset,
                timestamp: rd::rd_kafka_message_timestamp(self.message.0.as_ptr(), &raw mut kind),
                key: bytes(raw.key.cast(), raw.key_len),
                value: bytes(raw.payload.cast(), raw.len),
                headers: headers(self.message.0.as_ptr()),
            }
        }
    }
}

impl std::fmt::Debug for NativeMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NativeMessage({}-{} @ {})", self.topic.name, self.partition(), self.offset())
    }
}

/// Bytes that may be null; an empty key is not a null key.
///
/// # Safety
/// `data` is NULL or has `size` bytes that live for `'a`.
unsafe fn bytes<'a>(data: *const u8, size: usize) -> Option<&'a [u8]> {
    // SAFETY: by contract.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data, size) })
}

/// Copies the headers of a message; allocates nothing when there are none.
///
/// # Safety
/// `message` is live and used by this thread only.
unsafe fn headers(message: *const rd::rd_kafka_message_t) -> Headers {
    let mut list = std::ptr::null_mut();
    let mut headers = Headers::new();
    // SAFETY: the list, its names and values belong to the message and are copied.
    unsafe {
        if ffi::rd_kafka_message_headers(message, &raw mut list) != 0 {
            return headers;
        }
        let (mut name, mut value, mut size): (*const c_char, _, _) = (std::ptr::null(), std::ptr::null(), 0);
        let mut index = 0;
        while ffi::rd_kafka_header_get_all(list, index, &raw mut name, &raw mut value, &raw mut size) == 0 {
            headers.add(string(name), bytes(value.cast(), size));
            index += 1;
        }
    }
    headers
}
