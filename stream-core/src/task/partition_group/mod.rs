//! The partitions of one task: whose record is next, whether to wait for a partition that is empty, and which positions to commit.
//! No I/O, no clock.

mod time_heap;

use std::collections::VecDeque;

use super::record_queue::{QueuedMessage, RecordQueue};
use crate::error::Result;
use crate::id::TopicPartition;
use crate::node::Head;
use crate::time::UNKNOWN_TIME;
use time_heap::TimeHeap;

/// What a task is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Take the head of this slot, and process it. `enforced`: a partition is empty, and was waited for in vain.
    Process { slot: usize, enforced: bool },
    /// Records are here, but an earlier one may come from a partition that is empty: ask again when something was fetched, an end was
    /// seen, or at `until` (ms; `i64::MAX` when it depends on fetching alone).
    Wait { until: i64 },
    /// Nothing is here.
    Empty,
}

/// The partitions of one task; each has a *slot*, its index.
#[derive(Debug)]
pub(crate) struct PartitionGroup<M> {
    slots: Vec<Slot<M>>,
    /// How long to wait for an empty partition whose end was seen, ms; `None`: never for any.
    idle_ms: Option<i64>,
    heap: TimeHeap,
    /// Slots that have records but no head yet, in the order in which they enter the heap.
    unread: VecDeque<usize>,
    stream_time: i64,
    buffered: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Slot<M> {
    partition: TopicPartition,
    queue: RecordQueue<M>,
    /// Until when the task waits for this partition, ms.
    idle_until: Option<i64>,
}

impl<M: QueuedMessage> PartitionGroup<M> {
    /// The partitions with the offset at which fetching begins and their time (ms) from the commit metadata, or -1.
    ///
    /// `max_task_idle_ms` is `max.task.idle.ms`: with a negative value the task never waits; else it waits for a partition as long as
    /// that may hold records which were not fetched, and so many ms beyond (trap T105).
    pub(crate) fn new(partitions: Vec<(TopicPartition, i64, i64)>, max_task_idle_ms: i64) -> Self {
        let stream_time = partitions.iter().map(|(_, _, time)| *time).max().unwrap_or(UNKNOWN_TIME);
        let slots = partitions
            .into_iter()
            .map(|(partition, offset, time)| Slot { partition, queue: RecordQueue::new(offset, time), idle_until: None })
            .collect();
        Self {
            slots,
            idle_ms: (max_task_idle_ms >= 0).then_some(max_task_idle_ms),
            heap: TimeHeap::default(),
            unread: VecDeque::new(),
            stream_time,
            buffered: 0,
            bytes: 0,
        }
    }

    /// Adds a fetched record of a partition; they come in the order of their offsets.
    pub(crate) fn add(&mut self, slot: usize, message: M) {
        let queue = &mut self.slots[slot].queue;
        if queue.is_empty() {
            self.unread.push_back(slot);
        }
        self.buffered += 1;
        self.bytes += message.size();
        queue.add(message);
    }

    /// A fetch reached the end of a partition: `position` is the offset of the next record, should one come.
    pub(crate) fn eof(&mut self, slot: usize, position: i64) {
        self.slots[slot].queue.end_seen(position);
    }

    /// Says what to do next. `now` is in ms. `read` makes a record a head: it is called with slot, record and the
    /// partition's time (trap T107), for each record once, unless it fails: then the record stays, and the next call reads it again.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn choose(&mut self, now: i64, read: &mut impl FnMut(usize, &M, i64) -> Result<Head>) -> Result<Choice> {
        self.read_heads(read)?;
        let Some(idle_ms) = self.idle_ms else {
            return Ok(self.next(false));
        };
        if self.heap.len() == self.slots.len() {
            self.slots.iter_mut().for_each(|slot| slot.idle_until = None);
            return Ok(self.next(false));
        }

        let (mut unfetched, mut deadline, mut waiting) = (false, now, false);
        for slot in &mut self.slots {
            if !slot.queue.is_empty() {
                slot.idle_until = None;
            } else if slot.queue.is_caught_up() {
                let until = *slot.idle_until.get_or_insert(now.saturating_add(idle_ms));
                waiting |= now < until;
                deadline = deadline.max(until);
            } else {
                slot.idle_until = None;
                unfetched = true;
            }
        }
        Ok(match (self.heap.peek(), unfetched, waiting) {
            (None, _, _) => Choice::Empty,
            (Some(_), true, _) => Choice::Wait { until: i64::MAX },
            (Some(_), false, true) => Choice::Wait { until: deadline },
            (Some(_), false, false) => self.next(true),
        })
    }

    /// Takes the record that [`choose`](Self::choose) chose; `None` for any other slot.
    pub(crate) fn take(&mut self, slot: usize) -> Option<M> {
        if self.heap.peek() != Some(slot) {
            return None;
        }
        self.heap.poll();
        let queue = &mut self.slots[slot].queue;
        let (message, timestamp) = queue.take()?;
        self.buffered -= 1;
        self.bytes -= message.size();
        if !queue.is_empty() {
            self.unread.push_back(slot);
        }
        self.stream_time = self.stream_time.max(timestamp);
        Some(message)
    }

    /// What to commit for a partition (trap T109).
    pub(crate) fn position(&self, slot: usize) -> i64 {
        self.slots[slot].queue.position()
    }

    /// The largest timestamp among the records taken from a partition, ms, or -1: the commit metadata carries it.
    pub(crate) fn partition_time(&self, slot: usize) -> i64 {
        self.slots[slot].queue.partition_time()
    }

    /// The largest timestamp among the records taken, ms, or -1; moves when a record is taken, before it is processed.
    pub(crate) fn stream_time(&self) -> i64 {
        self.stream_time
    }

    /// How many records of a partition are buffered. A partition is paused above `buffered.records.per.partition`, which one fetch
    /// may exceed by far, and resumed at or below it (trap T115).
    pub(crate) fn buffered(&self, slot: usize) -> usize {
        self.slots[slot].queue.len()
    }

    /// The records of all partitions that are buffered.
    pub(crate) fn total_buffered(&self) -> usize {
        self.buffered
    }

    /// Their bytes.
    pub(crate) fn total_bytes(&self) -> usize {
        self.bytes
    }

    fn next(&self, enforced: bool) -> Choice {
        self.heap.peek().map_or(Choice::Empty, |slot| Choice::Process { slot, enforced })
    }

    /// Reads the first record of each queue that has no head, up to one that is not left out.
    fn read_heads(&mut self, read: &mut impl FnMut(usize, &M, i64) -> Result<Head>) -> Result<()> {
        while let Some(&slot) = self.unread.front() {
            let queue = &mut self.slots[slot].queue;
            while let (None, Some(message)) = (queue.head(), queue.front()) {
                match read(slot, message, queue.partition_time())? {
                    Head::Ready { timestamp } => queue.set_head(timestamp),
                    Head::Skipped => {
                        self.buffered -= 1;
                        self.bytes -= message.size();
                        queue.skip();
                    }
                }
            }
            self.unread.pop_front();
            match queue.head() {
                Some(timestamp) => self.heap.offer(timestamp, slot),
                // In Kafka Streams a placeholder with the smallest timestamp passes through the heap when all records of a queue are
                // left out; it can change the order of ties among the others.
                None => {
                    self.heap.offer(UNKNOWN_TIME, slot);
                    self.heap.poll();
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
