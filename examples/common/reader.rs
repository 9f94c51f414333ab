//! Reads a result topic as any other program would: from the beginning, committed records only.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{BoxError, Cluster, Failure};

/// A reader of all partitions of one topic.
pub struct TopicReader {
    consumer: BaseConsumer,
    topic: String,
    /// Per partition the offset to read next.
    positions: Vec<Offset>,
}

impl TopicReader {
    /// Begins at the first record of each partition.
    pub fn new(cluster: &Cluster, topic: &str, timeout: Duration) -> Result<Self, BoxError> {
        let consumer = cluster.observer()?;
        let metadata = consumer.fetch_metadata(Some(topic), timeout)?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        let reader = Self { consumer, topic: topic.to_owned(), positions: vec![Offset::Beginning; partitions] };
        reader.assign()?;
        Ok(reader)
    }

    fn assign(&self) -> Result<(), BoxError> {
        let mut assignment = TopicPartitionList::new();
        for (partition, position) in self.positions.iter().enumerate() {
            assignment.add_partition_offset(&self.topic, i32::try_from(partition)?, *position)?;
        }
        Ok(self.consumer.assign(&assignment)?)
    }

    fn note(positions: &mut [Offset], record: &BorrowedMessage<'_>) {
        if let Some(position) = usize::try_from(record.partition()).ok().and_then(|partition| positions.get_mut(partition)) {
            *position = Offset::Offset(record.offset() + 1);
        }
    }

    /// Gives every record that comes within `duration` to `take`.
    ///
    /// # Errors
    /// What `take` says.
    pub fn read_for(
        &mut self,
        mut take: impl FnMut(&BorrowedMessage<'_>) -> Result<(), Failure>,
        duration: Duration,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + duration;
        loop {
            let remaining = deadline.saturating_duration_since(Instant::now());
            match self.consumer.poll(remaining) {
                Some(Ok(record)) => {
                    Self::note(&mut self.positions, &record);
                    take(&record)?;
                }
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                // Passing conditions; librdkafka goes on by itself.
                Some(Err(error)) => tracing::warn!(%error, "reading the results"),
            }
            if remaining.is_zero() {
                return Ok(());
            }
        }
    }

    /// Gives every record up to the present end of each partition to `take`.
    ///
    /// # Errors
    /// What `take` says, and when the ends are not reached in time.
    pub fn read_to_end(
        &mut self,
        mut take: impl FnMut(&BorrowedMessage<'_>) -> Result<(), Failure>,
        timeout: Duration,
    ) -> Result<(), Failure> {
        // An end that was reported before may be out of date. A new assignment fetches anew and reports each end again.
        self.assign()?;
        let deadline = Instant::now() + timeout;
        let mut ended = BTreeSet::new();
        while ended.len() < self.positions.len() {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(record)) => {
                    Self::note(&mut self.positions, &record);
                    take(&record)?;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                Some(Err(error)) => tracing::warn!(%error, "reading the results"),
                None => {}
            }
            if Instant::now() > deadline {
                return Err(format!("{} could not be read to its end within {} s", self.topic, timeout.as_secs()).into());
            }
        }
        Ok(())
    }
}
