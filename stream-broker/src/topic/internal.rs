//! The topics that the broker itself writes: `__consumer_offsets` and `__transaction_state`.

use std::collections::BTreeMap;
use std::io;

use super::Topics;
use super::partition::Partition;
use crate::core::Ids;

/// Offsets and members of groups.
pub(crate) const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// States of transactional ids.
pub(crate) const TRANSACTION_STATE: &str = "__transaction_state";

/// Settings of the internal topics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InternalTopics {
    /// `offsets.topic.num.partitions`.
    pub(crate) offsets_partitions: i32,
    /// `transaction.state.log.num.partitions`.
    pub(crate) transaction_partitions: i32,
    /// `offsets.topic.segment.bytes` and `transaction.state.log.segment.bytes`.
    pub(crate) segment_bytes: i32,
}

/// Whether clients may read a topic but not write to it.
pub(crate) fn is_internal(topic: &str) -> bool {
    matches!(topic, CONSUMER_OFFSETS | TRANSACTION_STATE)
}

/// The partition that a group or a transactional id belongs to: by the absolute value of the hash code that Java gives the text.
pub(crate) fn partition_for(id: &str, partitions: i32) -> i32 {
    let hash = id.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // The least number has no absolute value; Kafka takes 0 for it.
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

impl Topics {
    /// Makes an internal topic, unless it is there.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn create_internal(&mut self, topic: &str, ids: &mut Ids, now: i64) -> io::Result<()> {
        if self.topics.contains_key(topic) {
            return Ok(());
        }
        let partitions = if topic == CONSUMER_OFFSETS { self.internal.offsets_partitions } else { self.internal.transaction_partitions };
        let setting = |name: &str, value: String| (name.to_owned(), value);
        let overrides = BTreeMap::from([
            setting("cleanup.policy", "compact".to_owned()),
            setting("compression.type", "producer".to_owned()),
            setting("segment.bytes", self.internal.segment_bytes.to_string()),
        ]);
        let config = self.new_config(overrides).map_err(io::Error::other)?;
        self.create(topic, ids.uuid(), partitions, config, now)
    }

    /// The number of partitions of an internal topic, which may not be there yet.
    pub(crate) fn internal_partition_count(&self, topic: &str) -> i32 {
        let configured = if topic == CONSUMER_OFFSETS { self.internal.offsets_partitions } else { self.internal.transaction_partitions };
        self.get(topic).map_or(configured, super::Topic::partition_count)
    }

    /// Writes entries for a group or transactional id to its partition of an internal topic, which exists. Returns the offset of the
    /// first. With a `producer` (id, epoch) they are part of its transaction.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn append_internal(
        &mut self,
        topic: &str,
        id: &str,
        entries: &[(Vec<u8>, Option<Vec<u8>>)],
        producer: Option<(i64, i16)>,
        now: i64,
    ) -> io::Result<i64> {
        let index = partition_for(id, self.internal_partition_count(topic));
        let partition =
            self.partition_mut(topic, index).ok_or_else(|| io::Error::other(format!("there is no partition {topic}-{index}")))?;
        let before = partition.log.size();
        let offset = partition.append_internal(entries, producer, now)?;
        let bytes = partition.log.size().saturating_sub(before);
        self.grew(bytes);
        Ok(offset)
    }

    /// The partitions of an internal topic; none if it is not there yet.
    pub(crate) fn internal_partitions(&self, topic: &str) -> &[Partition] {
        self.get(topic).map_or(&[], super::Topic::partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_partition_that_kafka_gives_it() {
        // "group".hashCode() is 98629247, "".hashCode() is 0, "polygenelubricants".hashCode() is the least number there is.
        assert_eq!(partition_for("group", 50), 47);
        assert_eq!(partition_for("", 50), 0);
        assert_eq!(partition_for("polygenelubricants", 50), 0);
        // "negative".hashCode() is below zero.
        assert_eq!(partition_for("consumer", 50), partition_for("consumer", 50).abs());
    }
}
