//! Reads a result topic as any other program would: from the beginning, committed records only.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{BoxError, Cluster};

/// What a read gave.
pub enum Read<'a> {
    /// A record.
    Record(BorrowedMessage<'a>),
    /// All partitions are read to their ends, for now.
    End,
    /// Nothing came in time.
    Nothing,
}

/// A reader of all partitions of one topic.
pub struct TopicReader {
    consumer: BaseConsumer,
    partitions: usize,
    at_end: BTreeSet<i32>,
}

impl TopicReader {
    /// Begins at the first record of each partition.
    pub fn new(cluster: &Cluster, topic: &str, timeout: Duration) -> Result<Self, BoxError> {
        let consumer = cluster.observer()?;
        let metadata = consumer.fetch_metadata(Some(topic), timeout)?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        let mut assignment = TopicPartitionList::new();
        for partition in 0..i32::try_from(partitions)? {
            assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&assignment)?;
        Ok(Self { consumer, partitions, at_end: BTreeSet::new() })
    }

    /// The next record, waiting at most `timeout`.
    pub fn read(&mut self, timeout: Duration) -> Result<Read<'_>, BoxError> {
        match self.consumer.poll(timeout) {
            None => Ok(Read::Nothing),
            Some(Ok(record)) => {
                self.at_end.clear();
                Ok(Read::Record(record))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.at_end.insert(partition);
                Ok(if self.at_end.len() == self.partitions { Read::End } else { Read::Nothing })
            }
            // Passing conditions; librdkafka goes on by itself.
            Some(Err(error)) => {
                tracing::warn!(%error, "reading the results");
                Ok(Read::Nothing)
            }
        }
    }

    /// Gives every record up to the present end to `take`.
    pub fn read_to_end(&mut self, mut take: impl FnMut(&BorrowedMessage<'_>), timeout: Duration) -> Result<(), BoxError> {
        let deadline = std::time::Instant::now() + timeout;
        let mut ended = BTreeSet::new();
        while ended.len() < self.partitions {
            match self.consumer.poll(Duration::from_millis(200)) {
                Some(Ok(record)) => take(&record),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                Some(Err(error)) => tracing::warn!(%error, "reading the results"),
                None => {}
            }
            if std::time::Instant::now() > deadline {
                return Err(format!("the results could not be read within {} s", timeout.as_secs()).into());
            }
        }
        Ok(())
    }
}
