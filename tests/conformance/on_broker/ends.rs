//! Waits until an application has committed everything that it reads.

use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::PATIENCE;

/// Watches the topics that an application reads.
pub struct Ends<'a> {
    consumer: &'a BaseConsumer,
    partitions: Vec<(String, i32)>,
}

impl<'a> Ends<'a> {
    pub fn new(consumer: &'a BaseConsumer, partitions: Vec<(String, i32)>) -> Self {
        Self { consumer, partitions }
    }

    /// Waits until everything is committed to its end. `check` is asked meanwhile whether there is still somebody to wait for.
    ///
    /// Committed positions and ends only grow. When two looks, one after the other, find everything committed to the same ends, there was a moment
    /// between them when nothing was left to read, in any topic.
    pub fn await_committed(&self, check: impl Fn() -> Result<(), String>) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        let mut before = None;
        loop {
            let (committed, ends) = (self.committed()?, self.ends()?);
            let is_done = ends.iter().zip(&committed).all(|(end, committed)| *end == 0 || committed >= end);
            if is_done && before.as_ref() == Some(&ends) {
                return Ok(());
            }
            before = is_done.then_some(ends);
            check()?;
            if Instant::now() > deadline {
                return Err(format!("{:?} are committed to {committed:?} only, the ends are {:?}", self.partitions, self.ends()?));
            }
        }
    }

    fn committed(&self) -> Result<Vec<i64>, String> {
        let mut list = TopicPartitionList::new();
        self.partitions.iter().for_each(|(topic, partition)| {
            list.add_partition(topic, *partition);
        });
        let committed = self.consumer.committed_offsets(list, PATIENCE).map_err(|error| error.to_string())?;
        let offset = |(topic, partition): &(String, i32)| match committed.find_partition(topic, *partition).map(|element| element.offset())
        {
            Some(Offset::Offset(offset)) => offset,
            _ => -1,
        };
        Ok(self.partitions.iter().map(offset).collect())
    }

    fn ends(&self) -> Result<Vec<i64>, String> {
        let end = |(topic, partition): &(String, i32)| self.consumer.fetch_watermarks(topic, *partition, PATIENCE).map(|(_, end)| end);
        self.partitions.iter().map(end).collect::<Result<_, _>>().map_err(|error| error.to_string())
    }
}
