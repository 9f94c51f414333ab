//! What the membership consumer needs and the crate `rdkafka` does not offer: its member id and generation, and a commit whose result
//! is known partition by partition.

use std::ptr::NonNull;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka_sys as rd;

use super::partition_list::{PartitionEntry, PartitionList, entries};
use super::{NativeError, ffi, string};
use crate::error::{Error, Result};

/// The group metadata of a consumer.
struct Metadata(NonNull<rd::rd_kafka_consumer_group_metadata_t>);

impl Drop for Metadata {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) }
    }
}

struct Queue(NonNull<rd::rd_kafka_queue_t>);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

struct Event(NonNull<rd::rd_kafka_event_t>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

/// Member id (empty between two memberships) and generation (negative then) of a consumer, as they are now.
pub(crate) fn member<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Option<(String, i32)> {
    // SAFETY: the consumer is live during the call; the texts are copied before the metadata is destroyed.
    unsafe {
        let metadata = Metadata(NonNull::new(rd::rd_kafka_consumer_group_metadata(consumer.client().native_ptr()))?);
        let member = string(rd::rd_kafka_consumer_group_metadata_member_id(metadata.0.as_ptr()));
        Some((member, rd::rd_kafka_consumer_group_metadata_generation_id(metadata.0.as_ptr())))
    }
}

/// How often a commit that waits for its answer asks whether it may wait on.
const COMMIT_POLL_MS: i32 = 200;

/// Commits offsets as the member that the consumer is, and waits for the answer: the error as a whole, or each partition's.
///
/// librdkafka answers every commit: it waits for a coordinator for the session timeout at most, and for the answer for the socket
/// timeout. A shorter limit is for `is_over` to set: a commit that is given up could still be sent, in a later generation.
pub(crate) fn commit<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &PartitionList,
    is_over: &dyn Fn() -> bool,
) -> Result<std::result::Result<Vec<PartitionEntry>, NativeError>> {
    let rk = consumer.client().native_ptr();
    // SAFETY: the consumer is live during the call, the list is copied, and queue and event live until they are read.
    unsafe {
        let queue = Queue(NonNull::new(rd::rd_kafka_queue_new(rk)).ok_or_else(|| Error::internal("no queue for a commit"))?);
        let code = ffi::rd_kafka_commit_queue(rk, offsets.as_ptr(), queue.0.as_ptr(), None, std::ptr::null_mut());
        if code != 0 {
            return Ok(Err(NativeError::from_code(code)));
        }
        let event = loop {
            if let Some(event) = NonNull::new(rd::rd_kafka_queue_poll(queue.0.as_ptr(), COMMIT_POLL_MS)) {
                break Event(event);
            }
            if is_over() {
                // The answer, should it come, goes to a queue that nobody has any more, and is dropped there.
                return Ok(Err(NativeError::from_code(rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT as i32)));
            }
        };
        let committed = entries(rd::rd_kafka_event_topic_partition_list(event.0.as_ptr()));
        match ffi::rd_kafka_event_error(event.0.as_ptr()) {
            0 => Ok(Ok(committed)),
            code => Ok(Err(NativeError::from_code(code))),
        }
    }
}
