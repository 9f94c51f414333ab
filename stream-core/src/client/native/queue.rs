//! [`ConsumerQueue`]: where an assign-only consumer's messages come out.

use std::ptr::NonNull;
use std::sync::Arc;

use rdkafka_sys as rd;

use super::client::{NativeClient, Role};
use super::message::FetchedMessage;
use super::{Callbacks, NativeError, PartitionList, c_string, ffi};
use crate::client::Properties;
use crate::client::error::{Operation, from_native};
use crate::error::{Error, Result};

/// A consumer together with its queue.
pub(crate) struct ConsumerQueue {
    queue: NonNull<rd::rd_kafka_queue_t>,
    client: Arc<NativeClient>,
}

// SAFETY: the queue is librdkafka's own, guarded by its own lock; it may be waited on by one thread and woken by another.
unsafe impl Send for ConsumerQueue {}
// SAFETY: as above.
unsafe impl Sync for ConsumerQueue {}

impl ConsumerQueue {
    pub(crate) fn new(properties: &Properties, callbacks: Callbacks) -> Result<Arc<Self>> {
        let client = NativeClient::new(Role::Consumer, properties, callbacks)?;
        // SAFETY: the client is live. From here on errors and statistics come through the consumer's queue, with its messages.
        let (code, queue) = unsafe {
            let code = ffi::rd_kafka_poll_set_consumer(client.rk());
            (code, if code == 0 { rd::rd_kafka_queue_get_consumer(client.rk()) } else { std::ptr::null_mut() })
        };
        if code != 0 {
            return Err(from_native(NativeError::from_code(code), Operation::Connect));
        }
        let queue = NonNull::new(queue).ok_or_else(|| Error::invalid("a data consumer needs `group.id`"))?;
        Ok(Arc::new(Self { queue, client }))
    }

    pub(crate) fn client(&self) -> &Arc<NativeClient> {
        &self.client
    }

    /// Asks for a topic's leaders now. An assignment alone does not: partitions of a topic that the client has not met wait for a timer
    /// that looks once a second. The answer comes in the background; the handle is to be kept until the partitions are assigned.
    pub(crate) fn look_up(&self, topic: &str) -> Result<TopicHandle<'_>> {
        let name = c_string(topic, "a topic name")?;
        // SAFETY: the client is live; without a configuration of its own the topic has the client's defaults.
        let handle = unsafe { rd::rd_kafka_topic_new(self.client.rk(), name.as_ptr(), std::ptr::null_mut()) };
        let handle =
            NonNull::new(handle).ok_or_else(|| Error::invalid(format!("`{topic}` cannot be a topic; its name is empty or too long")))?;
        Ok(TopicHandle { handle, _queue: self })
    }

    /// Adds partitions at explicit offsets. Returns when the client's main thread has taken note; never waits for the cluster.
    pub(crate) fn assign(&self, partitions: &PartitionList) -> Result<(), NativeError> {
        // SAFETY: client and list are live; the list is copied.
        unsafe { NativeError::check(rd::rd_kafka_incremental_assign(self.client.rk(), partitions.as_ptr())) }
    }

    /// Removes partitions. Messages that were fetched before carry an older version and are discarded by the queue.
    pub(crate) fn unassign(&self, partitions: &PartitionList) -> Result<(), NativeError> {
        // SAFETY: as above.
        unsafe { NativeError::check(rd::rd_kafka_incremental_unassign(self.client.rk(), partitions.as_ptr())) }
    }

    /// Appends up to `max` messages to the batch. The call waits until it has *all* of them or the time is over: ask for one when waiting.
    pub(crate) fn consume(&self, timeout_ms: i32, max: usize, batch: &mut FetchBatch) {
        let buffer = &mut batch.pointers;
        buffer.reserve(max);
        // SAFETY: the buffer has room for `max` pointers; the first `count` are written, each a message that is ours to destroy.
        unsafe {
            let count = rd::rd_kafka_consume_batch_queue(self.queue.as_ptr(), timeout_ms, buffer.as_mut_ptr(), max);
            buffer.set_len(usize::try_from(count).unwrap_or(0).min(max));
        }
        // SAFETY: each pointer is taken over exactly once.
        batch
            .messages
            .extend(buffer.drain(..).filter_map(|message| NonNull::new(message).map(|message| unsafe { FetchedMessage::new(message) })));
    }

    /// Ends a [`consume`](Self::consume) that waits; without one, the next returns at once. From any thread.
    pub(crate) fn wake(&self) {
        // SAFETY: the queue is live; the call takes its lock.
        unsafe { rd::rd_kafka_queue_yield(self.queue.as_ptr()) }
    }
}

/// A reference to a topic of the client.
pub(crate) struct TopicHandle<'q> {
    handle: NonNull<rd::rd_kafka_topic_t>,
    // The client must outlive it.
    _queue: &'q ConsumerQueue,
}

impl Drop for TopicHandle<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once, before the client.
        unsafe { rd::rd_kafka_topic_destroy(self.handle.as_ptr()) }
    }
}

impl Drop for ConsumerQueue {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once, before the client.
        unsafe { rd::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// Messages on their way out of the queue, and the room for it, used again and again.
#[derive(Default)]
pub(crate) struct FetchBatch {
    // Empty between calls.
    pointers: Vec<*mut rd::rd_kafka_message_t>,
    messages: Vec<FetchedMessage>,
}

// SAFETY: no pointer lies in the buffer between calls; messages may move between threads.
unsafe impl Send for FetchBatch {}

impl FetchBatch {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn drain(&mut self) -> std::vec::Drain<'_, FetchedMessage> {
        self.messages.drain(..)
    }
}
