//! Lists of topic partitions with offsets, as librdkafka takes and gives them.

use std::ptr::NonNull;

use rdkafka_sys as rd;

use super::{c_string, ffi, string};
use crate::error::Result;
use crate::id::TopicPartition;

/// A list that we own.
pub(crate) struct PartitionList(NonNull<rd::rd_kafka_topic_partition_list_t>);

// SAFETY: the list is a heap object of our own, tied to no thread.
unsafe impl Send for PartitionList {}

/// One entry, copied.
#[derive(Clone, Debug)]
pub(crate) struct PartitionEntry {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) error: i32,
    pub(crate) metadata: String,
}

impl PartitionList {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let capacity = i32::try_from(capacity).unwrap_or(i32::MAX);
        // SAFETY: no precondition. It aborts when memory runs out, so the pointer is never NULL.
        let list = unsafe { rd::rd_kafka_topic_partition_list_new(capacity) };
        Self(NonNull::new(list).unwrap_or_else(|| std::alloc::handle_alloc_error(std::alloc::Layout::new::<usize>())))
    }

    /// A list of partitions with an offset each.
    pub(crate) fn with_offsets<'a>(partitions: impl ExactSizeIterator<Item = (&'a TopicPartition, i64)>) -> Result<Self> {
        let mut list = Self::with_capacity(partitions.len());
        for (partition, offset) in partitions {
            list.push(&partition.topic, partition.partition, offset, "", None)?;
        }
        Ok(list)
    }

    pub(crate) fn push(&mut self, topic: &str, partition: i32, offset: i64, metadata: &str, leader_epoch: Option<i32>) -> Result<()> {
        let topic = c_string(topic, "a topic name")?;
        // SAFETY: the list is ours; the topic is copied; the new entry is live until the list grows again. The metadata is released with
        // `free` by librdkafka, so it is allocated with `malloc`.
        unsafe {
            let entry = rd::rd_kafka_topic_partition_list_add(self.0.as_ptr(), topic.as_ptr(), partition);
            (*entry).offset = offset;
            if let Some(epoch) = leader_epoch {
                rd::rd_kafka_topic_partition_set_leader_epoch(entry, epoch);
            }
            if !metadata.is_empty() {
                let copy = libc::malloc(metadata.len());
                if copy.is_null() {
                    std::alloc::handle_alloc_error(std::alloc::Layout::for_value(metadata));
                }
                std::ptr::copy_nonoverlapping(metadata.as_ptr(), copy.cast::<u8>(), metadata.len());
                (*entry).metadata = copy;
                (*entry).metadata_size = metadata.len();
            }
        }
        Ok(())
    }

    pub(super) fn as_ptr(&self) -> *mut rd::rd_kafka_topic_partition_list_t {
        self.0.as_ptr()
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_topic_partition_list_destroy(self.0.as_ptr()) }
    }
}

/// Copies the entries of a list.
///
/// # Safety
/// `list` is NULL or a live list.
pub(super) unsafe fn entries(list: *const rd::rd_kafka_topic_partition_list_t) -> Vec<PartitionEntry> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: the list is live and has `cnt` entries; texts are copied.
    unsafe {
        let count = usize::try_from((*list).cnt).unwrap_or(0);
        (0..count).map(|index| entry((*list).elems.add(index))).collect()
    }
}

/// Copies one entry.
///
/// # Safety
/// `entry` is a live entry.
pub(super) unsafe fn entry(entry: *const rd::rd_kafka_topic_partition_t) -> PartitionEntry {
    // SAFETY: by contract; metadata is `metadata_size` bytes or NULL.
    unsafe {
        let metadata = if (*entry).metadata.is_null() {
            String::new()
        } else {
            String::from_utf8_lossy(std::slice::from_raw_parts((*entry).metadata.cast::<u8>(), (*entry).metadata_size)).into_owned()
        };
        PartitionEntry {
            topic: string((*entry).topic),
            partition: (*entry).partition,
            offset: (*entry).offset,
            error: ffi::code(&raw const (*entry).err),
            metadata,
        }
    }
}
