//! The partitions of one task: whose record is next, whether to wait for a partition that is empty, and which positions to commit.
//! No I/O, no clock.

mod time_heap;

use std::collections::VecDeque;
use std::time::Duration;

use super::record_queue::{QueuedMessage, RecordQueue};
use crate::error::Result;
use crate::node::Head;
use crate::time::UNKNOWN_TIME;
use time_heap::TimeHeap;

/// How long a task waits for records of an empty partition before it goes on without: `max.task.idle.ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskIdle {
    /// `-1`: it never waits.
    Never,
    /// It waits as long as a partition may hold records that were not fetched, and this long beyond (trap T105).
    UntilCaughtUp(Duration),
}

impl TaskIdle {
    /// From the setting, ms; any negative value disables waiting.
    pub(crate) fn from_ms(ms: i64) -> Self {
        u64::try_from(ms).map_or(Self::Never, |ms| Self::UntilCaughtUp(Duration::from_millis(ms)))
    }
}

/// What a task is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Take the head of this slot, and process it. `enforced`: a partition is empty, and was waited for in vain.
    Process { slot: usize, enforced: bool },
    /// Records are here, but an earlier one may come from a partition that is empty: ask again when something was fetched, an end was
    /// seen, or at `until` (`None`: it depends on fetching alone).
    Wait { until: Option<Duration> },
    /// Nothing is here.
    Empty,
}

/// The partitions of one task; each has a *slot*, its index.
#[derive(Debug)]
pub(crate) struct PartitionGroup<M> {
    slots: Vec<Slot<M>>,
    idle: TaskIdle,
    heap: TimeHeap,
    /// Slots that have records but no head yet, in the order in which they enter the heap.
    unread: VecDeque<usize>,
    stream_time: i64,
}

#[derive(Debug)]
struct Slot<M> {
    queue: RecordQueue<M>,
    /// Until when the task waits for this partition, on the monotonic clock.
    idle_until: Option<Duration>,
}

impl<M: QueuedMessage> PartitionGroup<M> {
    /// For so many partitions.
    pub(crate) fn new(partitions: usize, idle: TaskIdle) -> Self {
        let slots = (0..partitions).map(|_| Slot { queue: RecordQueue::new(), idle_until: None }).collect();
        Self { slots, idle, heap: TimeHeap::default(), unread: VecDeque::new(), stream_time: UNKNOWN_TIME }
    }

    /// Restores a partition's time (ms) from commit metadata.
    pub(crate) fn set_partition_time(&mut self, slot: usize, timestamp: i64) {
        self.slots[slot].queue.set_partition_time(timestamp);
        self.stream_time = self.stream_time.max(timestamp);
    }

    /// Adds fetched records of a partition, in the order of their offsets.
    #[inline]
    pub(crate) fn add(&mut self, slot: usize, messages: impl IntoIterator<Item = M>) {
        let queue = &mut self.slots[slot].queue;
        let was_empty = queue.is_empty();
        for message in messages {
            queue.add(message);
        }
        if was_empty && !queue.is_empty() {
            self.unread.push_back(slot);
        }
    }

    /// A fetch reached the end of a partition: `position` is the offset of the next record, should one come.
    pub(crate) fn end_seen(&mut self, slot: usize, position: i64) {
        self.slots[slot].queue.end_seen(position);
    }

    /// Says what to do next. `now` is the monotonic clock. `read` makes a record a head: it is called with slot, record and the
    /// partition's time (trap T107), for each record once, unless it fails: then the record stays, and the next call reads it again.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn choose(&mut self, now: Duration, mut read: impl FnMut(usize, &M, i64) -> Result<Head>) -> Result<Choice> {
        self.read_heads(&mut read)?;
        let TaskIdle::UntilCaughtUp(idle) = self.idle else {
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
                let until = *slot.idle_until.get_or_insert(now.saturating_add(idle));
                waiting |= now < until;
                deadline = deadline.max(until);
            } else {
                slot.idle_until = None;
                unfetched = true;
            }
        }
        Ok(match (self.heap.peek(), unfetched, waiting) {
            (None, _, _) => Choice::Empty,
            (Some(_), true, _) => Choice::Wait { until: None },
            (Some(_), false, true) => Choice::Wait { until: Some(deadline) },
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
        if !queue.is_empty() {
            self.unread.push_back(slot);
        }
        self.stream_time = self.stream_time.max(timestamp);
        Some(message)
    }

    /// What to commit for a partition (trap T109); `None` while nothing is known of it beyond where fetching began.
    pub(crate) fn position(&self, slot: usize) -> Option<i64> {
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
    pub(crate) fn buffered_in(&self, slot: usize) -> usize {
        self.slots[slot].queue.len()
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
                    Head::Skipped => queue.skip(),
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
