//! The records of one partition that were fetched and not processed yet.

use std::collections::VecDeque;

use crate::client::Message;
use crate::time::UNKNOWN_TIME;

/// A fetched record as the queues see it.
pub(crate) trait QueuedMessage {
    /// Its offset.
    fn offset(&self) -> i64;
}

impl QueuedMessage for Message {
    fn offset(&self) -> i64 {
        self.offset()
    }
}

/// One partition's queue. Its first record is the *head* once a source node has read it; those behind are still bytes.
#[derive(Debug)]
pub(crate) struct RecordQueue<M> {
    messages: VecDeque<M>,
    head: Option<i64>,
    partition_time: i64,
    /// Behind the last record that was taken or left out.
    consumed: Option<i64>,
    /// Behind the last record that was fetched.
    fetched: Option<i64>,
    /// The position at which the partition's end was last seen.
    end: Option<i64>,
}

impl<M: QueuedMessage> RecordQueue<M> {
    pub(super) const fn new() -> Self {
        Self { messages: VecDeque::new(), head: None, partition_time: UNKNOWN_TIME, consumed: None, fetched: None, end: None }
    }

    pub(super) fn add(&mut self, message: M) {
        self.fetched = Some(message.offset() + 1);
        self.messages.push_back(message);
    }

    pub(super) fn end_seen(&mut self, position: i64) {
        self.end = Some(position);
    }

    /// Whether nothing is known to follow what was fetched: the end was seen, and no record since.
    pub(super) fn is_caught_up(&self) -> bool {
        self.end.is_some_and(|end| self.fetched.is_none_or(|fetched| end >= fetched))
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn front(&self) -> Option<&M> {
        self.messages.front()
    }

    /// The head's timestamp, ms.
    pub(super) fn head(&self) -> Option<i64> {
        self.head
    }

    pub(super) fn set_head(&mut self, timestamp: i64) {
        self.head = Some(timestamp);
    }

    /// Leaves the first record out: its offset counts as consumed, its time does not.
    pub(super) fn skip(&mut self) {
        self.pop();
    }

    /// Takes the head; only now does the partition's time move (trap T106).
    pub(super) fn take(&mut self) -> Option<(M, i64)> {
        let timestamp = self.head.take()?;
        let message = self.pop()?;
        self.partition_time = self.partition_time.max(timestamp);
        Some((message, timestamp))
    }

    /// The largest timestamp among the records taken, ms, or -1.
    pub(super) fn partition_time(&self) -> i64 {
        self.partition_time
    }

    pub(super) fn set_partition_time(&mut self, timestamp: i64) {
        self.partition_time = timestamp;
    }

    /// What a commit stores: the offset of the first record that is not processed; without one, the partition's end as last seen,
    /// which lies behind commit markers and aborted records; else the offset behind the last record (trap T109).
    pub(super) fn position(&self) -> Option<i64> {
        match self.messages.front() {
            Some(message) => Some(message.offset()),
            None => self.end.max(self.consumed),
        }
    }

    fn pop(&mut self) -> Option<M> {
        let message = self.messages.pop_front()?;
        self.consumed = Some(message.offset() + 1);
        Some(message)
    }
}
